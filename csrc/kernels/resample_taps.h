// Which positions of a dimension each output of a resampling is a sum of, and with which weights.
#pragma once
#include <cstdint>

namespace rl {

enum class Interpolation : uint8_t { Nearest, NearestExact, Linear, Cubic };

// Of `size` positions, `scale` of which are one output apart; `align`: from the centre of the first
// on. `smooth` widens the filter where sizes shrink.
struct Resizing {
  Interpolation mode;
  bool smooth;
  int64_t size, outputs;
  double scale;
  bool align;

  bool is_nearest() const { return mode <= Interpolation::NearestExact; }
  bool changes_nothing() const { return size == outputs && (scale == 1 || align || is_nearest()); }
  int64_t taps() const;
  template <class R>
  void lay(int64_t* index, R* weight) const;  // both (taps, outputs)
};

}  // namespace rl
