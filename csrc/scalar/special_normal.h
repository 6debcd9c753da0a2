// The normal distribution and entropy: ndtri, log_ndtr, entr.
// Branch-free; float goes through double, so that tails keep their relative accuracy.
#pragma once

#include "elementary.h"

namespace rl::math {

inline constexpr double kRootHalf = 0.70710678118654752440;

// The logarithm of the normal cumulative distribution, by exp(a^2/2) times its lower tail. What
// rounding the square loses counts there.
static inline double log_ndtr(double x) {
  double a = abs(x), tail = 0.5 * erfcx(a * kRootHalf), square = x * x;
  double lost = a < 40.0 ? fused(x, x, -square) : 0.0;
  double upper = log1p(-tail * exp_with_tail(-0.5 * square, -0.5 * lost));
  return x < 0.0 ? log(tail) - 0.5 * square : upper;
}

// The normal quantile, by the inverse of erfc at twice the probability of the nearer tail.
template <class T>
static inline T ndtri(T p) {
  T q = p < T(0.5) ? p : T(1) - p, c = q + q, inside = (q > T(0)) & (q < T(1)) ? c : T(0.5);
  T value = T(1.41421356237309504880 * erfinv_refined<T, true>(1.0 - double(inside), inside));
  T edge = q == T(0) ? kInf<T> : kNan<T>, y = inside == c ? value : edge;
  return p < T(0.5) ? -y : y;
}

// -x log(x), zero at zero and -inf below.
static inline double entr(double x) {
  double outside = x == 0.0 ? 0.0 : x < 0.0 ? -kInf<double> : x;
  return x > 0.0 ? -x * log(x) : outside;
}

static inline float log_ndtr(float x) { return float(log_ndtr(double(x))); }
static inline float entr(float x) {
  float outside = x == 0.0f ? 0.0f : x < 0.0f ? -kInf<float> : x;
  return x > 0.0f ? float(double(-x) * (kLn2 * log2_for_float(x))) : outside;
}

}  // namespace rl::math
