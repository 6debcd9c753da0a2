// The normal distribution and entropy: ndtr, ndtri, log_ndtr, entr.
// Scalar code; float goes through double, so that tails keep their relative accuracy.
#pragma once

#include "elementary.h"

namespace rl::math {

inline constexpr double kRootHalf = 0.70710678118654752440;

// The normal cumulative distribution.
static inline double ndtr(double x) { return normal(x).cdf; }

// Its logarithm, through the scaled erfc in the lower tail.
static inline double log_ndtr(double x) {
  double t = x * kRootHalf;
  return x < -1.0 ? log(0.5 * erfcx(-t)) - 0.5 * x * x : log1p(-normal(-x).cdf);
}

// erfc(y) = c for 0 < c <= 1/2: Newton's method on log(erfc), which is nearly a parabola.
static inline double erfc_inverse(double c) {
  double log_c = log(c), y = sqrt(-log_c);
  for (int k = 0; k < 2; ++k) y = sqrt(-log_c - log(1.77245385090551602730 * (y > 0.5 ? y : 0.5)));
  for (int k = 0; k < 6; ++k) {
    double scaled = erfcx(y), miss = (log(scaled) - log_c) - y * y;
    double step = miss * 0.88622692545275801365 * scaled;
    y += step;
    if (abs(step) < 1e-16 * y) break;
  }
  return y;
}

// The normal quantile.
static inline double ndtri(double p) {
  constexpr double kRoot2 = 1.41421356237309504880;
  if (p == 0.0) return -kInf<double>;
  if (p == 1.0) return kInf<double>;
  if (!(p > 0.0 && p < 1.0)) return kNan<double>;
  if (p < 0.25) return -kRoot2 * erfc_inverse(2.0 * p);
  if (p > 0.75) return kRoot2 * erfc_inverse(2.0 * (1.0 - p));
  return kRoot2 * erfinv(2.0 * p - 1.0);
}

// -x log(x), zero at zero and -inf below.
static inline double entr(double x) {
  if (is_nan(x)) return x;
  return x > 0.0 ? -x * log(x) : x == 0.0 ? 0.0 : -kInf<double>;
}

static inline float ndtr(float x) { return float(ndtr(double(x))); }
static inline float log_ndtr(float x) { return float(log_ndtr(double(x))); }
static inline float ndtri(float p) { return float(ndtri(double(p))); }
static inline float entr(float x) { return float(entr(double(x))); }

}  // namespace rl::math
