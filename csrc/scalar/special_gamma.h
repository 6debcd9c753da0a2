// The gamma family: lgamma, digamma, trigamma, polygamma, zeta, igamma, igammac.
// Scalar code, called rarely: branches and iteration are welcome; float goes through double.
// Formulas: Abramowitz and Stegun ch. 6 and 23; Temme (1979) for incomplete gammas of large order.
#pragma once

#include <math.h>

#include "elementary.h"

namespace rl::math {

inline constexpr double kPi = 3.14159265358979323846;
inline constexpr double kEps = 0x1p-53;

static inline double lgamma(double x) {
  int sign;
  return ::lgamma_r(x, &sign);
}

// sin(pi x) and the fractional turn it depends on, exact in x: nothing is lost near the integers.
static inline double half_turn(double x) { return x - floor(x + 0.5); }
static inline double sin_pi(double x) {
  double s = sin(kPi * half_turn(x)), n = floor(x + 0.5);
  return floor(0.5 * n) * 2.0 == n ? s : -s;
}

// a - c/x; in pairs, as digamma's terms cancel near its zero.
static inline Pair less_quotient(Pair a, double c, Pair x) {
  double q = c / x.hi, q_lo = mad(-q, x.lo, fused(-q, x.hi, c)) / x.hi;
  Pair sum = exact_sum(a.hi, -q);
  return ordered_sum(sum.hi, sum.lo + (a.lo - q_lo));
}
// Recurrence up to 16, then the asymptotic series in 1/x^2, for x > 0.
static inline double digamma_positive(Pair x, double more) {
  Pair sum = {more, 0.0};
  for (; x.hi < 16.0; x = add(x, 1.0)) sum = less_quotient(sum, 1.0, x);
  if (x.hi == kInf<double>) return x.hi;
  double z = 1.0 / (x.hi * x.hi);
  double tail = z * horner(z, 1.0 / 12, -1.0 / 120, 1.0 / 252, -1.0 / 240, 1.0 / 132,
                           -691.0 / 32760, 1.0 / 12);
  sum = less_quotient(sum, 0.5, x);
  Pair l = log_sum(x.hi), all = exact_sum(sum.hi, l.hi);
  return all.hi + (all.lo + (sum.lo + (l.lo + (x.lo / x.hi - tail))));
}
// By reflection below 0.
static inline double digamma(double x) {
  if (x == 0.0) return flip_sign(kInf<double>, -x);
  if (abs(x) < 1e-20 || is_nan(x)) return -1.0 / x;
  if (x == -kInf<double> || (x < 0.0 && floor(x) == x)) return kNan<double>;
  if (x > 0.0) return digamma_positive({x, 0.0}, 0.0);
  return digamma_positive(exact_sum(1.0, -x), -kPi / tan(kPi * half_turn(x)));
}

static inline double trigamma(double x) {
  if (x <= 0.0 && floor(x) == x) return x == -kInf<double> ? kNan<double> : kInf<double>;
  if (x < 0.5) {
    double s = kPi / sin_pi(x);
    return s * s - trigamma(1.0 - x);
  }
  double sum = 0.0;
  for (; x < 12.0; x += 1.0) sum += 1.0 / (x * x);
  double z = 1.0 / (x * x);
  double tail =
      horner(z, 1.0 / 6, -1.0 / 30, 1.0 / 42, -1.0 / 30, 5.0 / 66, -691.0 / 2730, 7.0 / 6);
  return sum + (1.0 / x + 0.5 * z + z / x * tail);
}

// sum over k >= 0 of (q + k)^-x, by Euler and Maclaurin from q + 12.
static inline double zeta(double x, double q) {
  if (x == 1.0) return kInf<double>;
  if (x < 1.0 || is_nan(x) || is_nan(q)) return kNan<double>;
  if (q <= 0.0) {
    if (q == floor(q)) return kInf<double>;
    if (x != floor(x)) return kNan<double>;
  }
  double sum = 0.0, a = q;
  for (int k = 0; k < 12 || a < 12.0; ++k, a += 1.0) {
    double term = pow(a, -x);
    sum += term;
    if (abs(term) < kEps * abs(sum) && a > 1.0) return sum;
  }
  double power = pow(a, -x);
  sum += power * a / (x - 1.0) + 0.5 * power;
  static constexpr double kBernoulli[] = {// B_2k / (2k)!
                                          1.0 / 12,
                                          -1.0 / 720,
                                          1.0 / 30240,
                                          -1.0 / 1209600,
                                          1.0 / 47900160,
                                          -5.2841901386874931848e-10,
                                          1.3382536530684678833e-11,
                                          -3.3896802963225828668e-13,
                                          8.5860620562778445641e-15,
                                          -2.1748686985580618731e-16};
  double factor = x * power / a, order = x;
  for (double b : kBernoulli) {
    double term = b * factor;
    sum += term;
    if (abs(term) < kEps * abs(sum)) break;
    factor *= (order + 1.0) * (order + 2.0) / (a * a);
    order += 2.0;
  }
  return sum;
}

// The n-th derivative of digamma.
static inline double polygamma(int64_t n, double x) {
  if (n == 0) return digamma(x);
  if (n == 1) return trigamma(x);
  double factorial = n < 171 ? ::tgamma(double(n) + 1.0) : kInf<double>;
  return (n % 2 ? 1.0 : -1.0) * factorial * zeta(double(n) + 1.0, x);
}

// m - log(1 + m) for m = (x - a)/a, without cancellation for small m.
static inline double peak_gap(double a, double x) {
  double m = (x - a) / a;
  return abs(m) < 0.29 ? -log1p_tail(m) : m - log(x / a);
}

// log Gamma(1 + a) for small a too.
static inline double lgamma1p(double a) {
  if (abs(a) > 0.01) return lgamma(1.0 + a);
  return a * horner(a, -0.57721566490153286061, 0.82246703342411321824, -0.40068563438653142847,
                    0.27058080842778454788, -0.20738555102867398527, 0.16955717699740818995,
                    -0.14404989676884611812);
}

// x^a exp(-x) / Gamma(a); for large a by the ratio to its peak, where a log x - x would cancel.
static inline double gamma_density(double a, double x) {
  if (a < 20.0) return exp(a * log(x) - x - lgamma(a));
  double z = 1.0 / (a * a);
  double stirling = horner(z, 1.0 / 12, -1.0 / 360, 1.0 / 1260, -1.0 / 1680, 1.0 / 1188) / a;
  return sqrt(a / (2.0 * kPi)) * exp(-a * peak_gap(a, x) - stirling);
}

// The lower ratio by its power series (x below about a + 1).
static inline double igamma_series(double a, double x) {
  double term = 1.0, sum = term;
  for (double k = a + 1.0; term > kEps * sum; k += 1.0) sum += term *= x / k;
  double first = a < 20.0 ? exp(a * log(x) - x - lgamma1p(a)) : gamma_density(a, x) / a;
  return sum * first;
}
// The upper ratio by Lentz's continued fraction (x above about a + 1).
static inline double igammac_fraction(double a, double x) {
  constexpr double kTiny = 1e-300;
  double b = x + 1.0 - a, c = 1.0 / kTiny, d = 1.0 / b, h = d;
  for (double k = 1.0; k < 1e6; k += 1.0) {
    double step = -k * (k - a);
    b += 2.0;
    d = step * d + b;
    c = b + step / c;
    d = 1.0 / (abs(d) < kTiny ? kTiny : d);
    c = abs(c) < kTiny ? kTiny : c;
    h *= d * c;
    if (abs(d * c - 1.0) < 2.0 * kEps) break;
  }
  return h * gamma_density(a, x);
}
// The upper ratio for a and x below 1.1, where 1 minus the lower one would cancel.
static inline double igammac_small(double a, double x) {
  double log_x = log(x), term = 1.0, sum = 0.0;
  for (double n = 1.0; n < 200.0; n += 1.0) {
    term *= -x / n;
    double step = term / (a + n);
    sum += step;
    if (abs(step) < kEps * abs(sum)) break;
  }
  return -expm1(a * log_x - lgamma1p(a)) - exp(a * log_x - lgamma1p(a)) * a * sum;
}
// Temme's uniform expansion, two terms, for a above a million: upper (or lower) ratio.
static inline double igamma_large(double a, double x, bool upper) {
  double gap = peak_gap(a, x), eta = flip_sign(sqrt(2.0 * gap), x - a);
  double c0 = horner(eta, -1.0 / 3, 1.0 / 12, -2.0 / 135, 1.0 / 864, 1.0 / 2835, -139.0 / 777600);
  double c1 = horner(eta, -1.0 / 540, -1.0 / 288, 1.0 / 378, -77.0 / 77760);
  double rest = exp(-a * gap) / sqrt(2.0 * kPi * a) * (c0 + c1 / a);
  double side = eta * sqrt(0.5 * a);
  return upper ? 0.5 * erfc(side) + rest : 0.5 * erfc(-side) - rest;
}

// The regularised upper incomplete gamma function.
static inline double igammac(double a, double x) {
  if (x < 0.0 || a < 0.0 || is_nan(a) || is_nan(x)) return kNan<double>;
  if (a == 0.0) return x > 0.0 ? 0.0 : kNan<double>;
  if (x == 0.0) return 1.0;
  if (a == kInf<double>) return x == kInf<double> ? kNan<double> : 1.0;
  if (x == kInf<double>) return 0.0;
  if (a > 1e6 && abs(x - a) < 0.05 * a) return igamma_large(a, x, true);
  if (x <= 1.1 && a <= 1.1) return igammac_small(a, x);
  return x < a || x <= 1.1 ? 1.0 - igamma_series(a, x) : igammac_fraction(a, x);
}
// The regularised lower incomplete gamma function.
static inline double igamma(double a, double x) {
  if (x < 0.0 || a < 0.0 || is_nan(a) || is_nan(x)) return kNan<double>;
  if (a == 0.0) return x > 0.0 ? 1.0 : kNan<double>;
  if (x == 0.0) return 0.0;
  if (a == kInf<double>) return x == kInf<double> ? kNan<double> : 0.0;
  if (x == kInf<double>) return 1.0;
  if (a > 1e6 && abs(x - a) < 0.05 * a) return igamma_large(a, x, false);
  return x > 1.0 && x > a ? 1.0 - igammac(a, x) : igamma_series(a, x);
}

static inline float lgamma(float x) { return float(lgamma(double(x))); }
static inline float digamma(float x) { return float(digamma(double(x))); }
static inline float trigamma(float x) { return float(trigamma(double(x))); }
static inline float polygamma(int64_t n, float x) { return float(polygamma(n, double(x))); }
static inline float zeta(float x, float q) { return float(zeta(double(x), double(q))); }
static inline float igamma(float a, float x) { return float(igamma(double(a), double(x))); }
static inline float igammac(float a, float x) { return float(igammac(double(a), double(x))); }

}  // namespace rl::math
