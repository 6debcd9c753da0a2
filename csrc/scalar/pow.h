// Powers and roots of sums: pow (all C99 special cases), rsqrt, hypot. Branch-free, so loops over
// them vectorise. pow is exp2(y log2|x|): for float with the inside in double, for double with the
// logarithm in a pair of doubles, so that an exponent of a thousand still leaves the last bit
// right.
#pragma once

#include "log.h"
#include "pair.h"

namespace rl::math {

static inline float floor(float x) { return __builtin_floorf(x); }
static inline double floor(double x) { return __builtin_floor(x); }

// |x|^y from its core, which may be anything where x or y is not an ordinary number: zeros,
// infinities, NaN and the sign of odd integer powers.
template <class T>
static inline T pow_special(T x, T y, T core) {
  T a = abs(x);
  T half = y * T(0.5), y_floor = floor(y), half_floor = floor(half);
  bool whole = y_floor == y, odd = whole & (half_floor != half);
  bool y_inf = abs(y) == kInf<T>, edge = (a == T(0)) | (a == kInf<T>) | y_inf;
  T grown = y > T(0) ? kInf<T> : T(0), shrunk = y > T(0) ? T(0) : kInf<T>;
  T v = edge ? (a > T(1) ? grown : shrunk) : core;
  v = odd ? flip_sign(v, x) : v;
  v = ((x < T(0)) & (x > -kInf<T>)&!whole) ? kNan<T> : v;
  v = (is_nan(x) | is_nan(y)) ? kNan<T> : v;
  v = ((a == T(1)) & y_inf) ? T(1) : v;
  return ((x == T(1)) | (y == T(0))) ? T(1) : v;
}

static inline float pow(float x, float y) {
  double core = exp2_for_float(double(y) * log2_for_float(double(abs(x))));
  return pow_special(x, y, float(core));
}

// log2 of a positive finite double: f/(2+f) and its odd series with the first two terms in pairs.
static inline Pair log2_pair(double a) {
  auto [k, f, biased] = split_log_any(a);
  Pair d = exact_sum(2.0, f);
  double inverse = 1.0 / d.hi, s_hi = f * inverse;
  Pair s = ordered_sum(s_hi, (fused(-s_hi, d.hi, f) - s_hi * d.lo) * inverse);
  Pair z = multiply(s, s);
  double q = z.hi * horner(z.hi, 0x1.9999999999b3p-2, 0x1.2492492457d47p-2, 0x1.c71c722d6a8ccp-3,
                           0x1.745ce9e13f84bp-3, 0x1.3b1eec87d4ebbp-3, 0x1.0f7fdc058747ap-3,
                           0x1.0e433cce2e43fp-3);
  Pair c = add(Pair{0x1.5555555555555p-1, 0x1.5555555555555p-55}, q);
  Pair w = add(multiply(z, c), 2.0);
  constexpr Pair kLog2e = {LogConst<double>::kLog2eHi, LogConst<double>::kLog2eLo};
  return add(multiply(multiply(s, w), kLog2e), k);
}
// 2^(t.hi + t.lo). Past the limits only the side matters, so the tail may be cut there.
static inline double exp2_pair(Pair t) {
  using C = ExpConst<double>;
  constexpr double kShift = Bits<double>::kRound + 2 * Bits<double>::kBias;
  double limited = limit_magnitude(t.hi, 1100.0), lo = limit_magnitude(t.lo, 0x1p-42);
  double shifted = limited + kShift, r = limited - (shifted - kShift);
  double head = r * C::kLn2;
  double tail = fused(r, C::kLn2, -head) + mad(r, C::kLn2Rest, lo * C::kLn2);
  Pair e = exp_series(head, tail);
  return times_power(e.hi + e.lo, to_bits(shifted));
}
static inline double pow(double x, double y) {
  double exponent = limit_magnitude(y, 0x1p66);  // beyond, the power is 0, 1 or inf anyway
  return pow_special(x, y, exp2_pair(multiply(log2_pair(abs(x)), exponent)));
}

// Squares and cubes are products, whatever the vector or block an element is computed in.
template <class T>
static inline T small_power(T x, T y, T otherwise) {
  T square = x * x;
  return y == T(2) ? square : y == T(3) ? square * x : otherwise;
}

template <class T>
static inline T rsqrt_any(T x) {
  return T(1) / sqrt(x);
}
static inline float rsqrt(float x) { return rsqrt_any(x); }
static inline double rsqrt(double x) { return rsqrt_any(x); }

// sqrt(x^2 + y^2) without overflow or underflow inside; an infinity wins over a NaN.
static inline float hypot(float x, float y) {
  double a = double(x), b = double(y);
  float h = float(sqrt(a * a + b * b));
  return (abs(x) == kInf<float>) | (abs(y) == kInf<float>) ? kInf<float> : h;
}
static inline double hypot(double x, double y) {
  double a = abs(x), b = abs(y), longer = a > b ? a : b;
  double scale = longer > 0x1p500 ? 0x1p-600 : longer < 0x1p-400 ? 0x1p600 : 1.0;
  double back = longer > 0x1p500 ? 0x1p600 : longer < 0x1p-400 ? 0x1p-600 : 1.0;
  double as = a * scale, bs = b * scale;
  Pair aa = exact_product(as, as), bb = exact_product(bs, bs);
  Pair s = exact_sum(aa.hi, bb.hi);
  double h = sqrt(s.hi + (s.lo + (aa.lo + bb.lo))) * back;
  return (a == kInf<double>) | (b == kInf<double>) ? kInf<double> : h;
}

}  // namespace rl::math
