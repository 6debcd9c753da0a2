// _resize_taps(mode, size, outputs, scale, align, wide): which positions of a dimension of `size`
// each of the outputs is a sum of, and with which weights; both (taps, outputs). `scale` inputs are
// one output apart; `align`: from the centre of the first on. The weights are doubles if `wide`.
// The modes 'smooth bilinear' and 'smooth bicubic' widen the filter where sizes shrink.
#include <algorithm>
#include <cmath>
#include <vector>

#include "plan/call.h"

namespace rl {
namespace {

bool is_nearest(const Call& c) { return c.text(0).starts_with("nearest"); }
DType computed_in(const Call& c) { return c.flag(5) && !is_nearest(c) ? DType::F64 : DType::F32; }

bool is_smooth(const Call& c) { return c.text(0).starts_with("smooth"); }

// A filter around the centres of outputs, as wide as the distance between them.
struct Filter {
  bool cubic;
  int64_t size;
  double scale;

  double stretch() const { return std::max(scale, 1.0); }
  double reach() const { return (cubic ? 2 : 1) * stretch(); }
  double centre(int64_t i) const { return (static_cast<double>(i) + 0.5) * scale; }
  int64_t first(int64_t i) const {
    return std::max<int64_t>(static_cast<int64_t>(centre(i) - reach() + 0.5), 0);
  }
  int64_t count(int64_t i) const {
    return std::min(static_cast<int64_t>(centre(i) + reach() + 0.5), size) - first(i);
  }
  int64_t most(int64_t outputs) const {
    int64_t most = 1;
    for (int64_t i = 0; i < outputs; ++i) most = std::max(most, count(i));
    return most;
  }
};
Filter filter(const Call& c) { return {c.text(0).ends_with("cubic"), c.integer(1), c.number(3)}; }

int64_t taps_of(const Call& c) {
  if (is_smooth(c)) return filter(c).most(c.integer(2));
  return is_nearest(c) ? 1 : c.text(0) == "bicubic" ? 4 : 2;
}
void taps_infer(Call& c) {
  RL_CHECK(c.integer(1) > 0 && c.integer(2) >= 0, c.op, ": expected sizes that are not negative");
  const SizeVec sizes{taps_of(c), c.integer(2)};
  c.add_out(sizes, DType::I64);
  c.add_out(sizes, computed_in(c));
}

struct Dimension {
  int64_t size, out;
  double scale;
  bool align;
  int64_t* index;

  int64_t within(int64_t i) const { return std::clamp<int64_t>(i, 0, size - 1); }
};

// Single precision decides ties.
void nearest(const Dimension& d, float shift, float* weight) {
  const auto scale = static_cast<float>(d.scale);
  for (int64_t i = 0; i < d.out; ++i) {
    const float at = std::floor((static_cast<float>(i) + shift) * scale);
    d.index[i] = d.size == d.out ? i : std::min(static_cast<int64_t>(at), d.size - 1);
    weight[i] = 1;
  }
}

template <class R>
R source(const Dimension& d, int64_t i) {
  const R scale = static_cast<R>(d.scale), at = static_cast<R>(i);
  return d.align ? at * scale : (at + R(0.5)) * scale - R(0.5);
}

template <class R>
void linear(const Dimension& d, R* weight) {
  for (int64_t i = 0; i < d.out; ++i) {
    const R x = std::max(source<R>(d, i), R(0));
    const int64_t low = std::min(static_cast<int64_t>(x), d.size - 1);
    const R part = std::clamp(x - static_cast<R>(low), R(0), R(1));
    d.index[i] = low;
    d.index[d.out + i] = d.within(low + 1);
    weight[i] = 1 - part;
    weight[d.out + i] = part;
  }
}

// Keys' cubic kernel, mostly with a = -3/4.
template <class R>
R cubic(R x, R a = R(-0.75)) {
  x = std::abs(x);
  if (x <= 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? ((x - 5) * x + 8) * x * a - 4 * a : R(0);
}
template <class R>
void cubic(const Dimension& d, R* weight) {
  for (int64_t i = 0; i < d.out; ++i) {
    const R x = source<R>(d, i), low = std::floor(x), part = x - low;
    for (int64_t k = 0; k < 4; ++k) {
      d.index[k * d.out + i] = d.within(static_cast<int64_t>(low) + k - 1);
      weight[k * d.out + i] = cubic<R>(part - static_cast<R>(k - 1));
    }
  }
}

// Of outputs with fewer taps than others the last ones have the weight 0.
template <class R>
void smooth(const Filter& f, const Dimension& d, int64_t taps, R* weight) {
  std::vector<double> exact(static_cast<size_t>(taps));
  for (int64_t i = 0; i < d.out; ++i) {
    const int64_t first = f.first(i), count = f.count(i);
    double sum = 0;
    for (int64_t k = 0; k < taps; ++k) {
      const double x = (static_cast<double>(first + k) - f.centre(i) + 0.5) / f.stretch();
      const double w = f.cubic ? cubic(x, -0.5) : std::max(1 - std::abs(x), 0.0);
      sum += exact[k] = k < count ? w : 0;
    }
    for (int64_t k = 0; k < taps; ++k) {
      d.index[k * d.out + i] = d.within(first + k);
      weight[k * d.out + i] = static_cast<R>(exact[k] / sum);
    }
  }
}

void taps_run(Call& c) {
  const Dimension d{c.integer(1), c.integer(2), c.number(3), c.flag(4), c.out(0).data<int64_t>()};
  if (is_nearest(c))
    return nearest(d, c.text(0) == "nearest" ? 0.0F : 0.5F, c.out(1).data<float>());
  auto weigh = [&]<class R>(R* weight) {
    if (is_smooth(c)) return smooth(filter(c), d, c.out(0).size(0), weight);
    c.text(0) == "bicubic" ? cubic(d, weight) : linear(d, weight);
  };
  computed_in(c) == DType::F64 ? weigh(c.out(1).data<double>()) : weigh(c.out(1).data<float>());
}

RL_KERNEL("_resize_taps", taps_infer, taps_run);

}  // namespace
}  // namespace rl
