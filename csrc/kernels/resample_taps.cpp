#include "kernels/resample_taps.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace rl {
namespace {

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
Filter filter(const Resizing& r) { return {r.mode == Interpolation::Cubic, r.size, r.scale}; }

int64_t within(const Resizing& r, int64_t i) { return std::clamp<int64_t>(i, 0, r.size - 1); }

// Single precision decides ties.
template <class R>
void nearest(const Resizing& d, int64_t* index, R* weight) {
  const auto scale = static_cast<float>(d.scale);
  const float shift = d.mode == Interpolation::Nearest ? 0.0F : 0.5F;
  for (int64_t i = 0; i < d.outputs; ++i) {
    const float at = std::floor((static_cast<float>(i) + shift) * scale);
    index[i] = d.size == d.outputs ? i : std::min(static_cast<int64_t>(at), d.size - 1);
    weight[i] = 1;
  }
}

template <class R>
R source(const Resizing& d, int64_t i) {
  const R scale = static_cast<R>(d.scale), at = static_cast<R>(i);
  return d.align ? at * scale : (at + R(0.5)) * scale - R(0.5);
}

template <class R>
void linear(const Resizing& d, int64_t* index, R* weight) {
  for (int64_t i = 0; i < d.outputs; ++i) {
    const R x = std::max(source<R>(d, i), R(0));
    const int64_t low = std::min(static_cast<int64_t>(x), d.size - 1);
    const R part = std::clamp(x - static_cast<R>(low), R(0), R(1));
    index[i] = low;
    index[d.outputs + i] = within(d, low + 1);
    weight[i] = 1 - part;
    weight[d.outputs + i] = part;
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
void cubic(const Resizing& d, int64_t* index, R* weight) {
  for (int64_t i = 0; i < d.outputs; ++i) {
    const R x = source<R>(d, i), low = std::floor(x), part = x - low;
    for (int64_t k = 0; k < 4; ++k) {
      index[k * d.outputs + i] = within(d, static_cast<int64_t>(low) + k - 1);
      weight[k * d.outputs + i] = cubic<R>(part - static_cast<R>(k - 1));
    }
  }
}

// Of outputs with fewer taps than others the last ones have the weight 0.
template <class R>
void smoothed(const Resizing& d, int64_t* index, R* weight) {
  const Filter f = filter(d);
  const int64_t taps = d.taps();
  std::vector<double> exact(static_cast<size_t>(taps));
  for (int64_t i = 0; i < d.outputs; ++i) {
    const int64_t first = f.first(i), count = f.count(i);
    double sum = 0;
    for (int64_t k = 0; k < taps; ++k) {
      const double x = (static_cast<double>(first + k) - f.centre(i) + 0.5) / f.stretch();
      const double w = f.cubic ? cubic(x, -0.5) : std::max(1 - std::abs(x), 0.0);
      sum += exact[k] = k < count ? w : 0;
    }
    for (int64_t k = 0; k < taps; ++k) {
      index[k * d.outputs + i] = within(d, first + k);
      weight[k * d.outputs + i] = static_cast<R>(exact[k] / sum);
    }
  }
}

}  // namespace

int64_t Resizing::taps() const {
  if (smooth) return filter(*this).most(outputs);
  return is_nearest() ? 1 : mode == Interpolation::Cubic ? 4 : 2;
}
template <class R>
void Resizing::lay(int64_t* index, R* weight) const {
  if (is_nearest()) return nearest(*this, index, weight);
  if (smooth) return smoothed(*this, index, weight);
  mode == Interpolation::Cubic ? cubic(*this, index, weight) : linear(*this, index, weight);
}
template void Resizing::lay(int64_t*, float*) const;
template void Resizing::lay(int64_t*, double*) const;

}  // namespace rl
