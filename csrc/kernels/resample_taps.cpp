// _resize_taps(mode, size, outputs, scale, align, wide): which positions of a dimension of `size`
// each of the outputs is a sum of, and with which weights; both (taps, outputs). `scale` inputs are
// one output apart; `align`: from the centre of the first on. The weights are doubles if `wide`.
#include <algorithm>
#include <cmath>

#include "plan/call.h"

namespace rl {
namespace {

bool is_nearest(const Call& c) { return c.text(0).starts_with("nearest"); }
DType computed_in(const Call& c) { return c.flag(5) && !is_nearest(c) ? DType::F64 : DType::F32; }

void taps_infer(Call& c) {
  const SizeVec sizes{is_nearest(c) ? 1 : c.text(0) == "bicubic" ? 4 : 2, c.integer(2)};
  RL_CHECK(c.integer(1) > 0 && c.integer(2) >= 0, c.op, ": expected sizes that are not negative");
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

// Keys' cubic kernel with a = -3/4.
template <class R>
R cubic(R x) {
  constexpr R a = R(-0.75);
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

void taps_run(Call& c) {
  const Dimension d{c.integer(1), c.integer(2), c.number(3), c.flag(4), c.out(0).data<int64_t>()};
  if (is_nearest(c))
    return nearest(d, c.text(0) == "nearest" ? 0.0F : 0.5F, c.out(1).data<float>());
  auto weigh = [&]<class R>(R* weight) {
    c.text(0) == "bicubic" ? cubic(d, weight) : linear(d, weight);
  };
  computed_in(c) == DType::F64 ? weigh(c.out(1).data<double>()) : weigh(c.out(1).data<float>());
}

RL_KERNEL("_resize_taps", taps_infer, taps_run);

}  // namespace
}  // namespace rl
