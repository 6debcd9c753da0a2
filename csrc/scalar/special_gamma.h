// The gamma family: lgamma, digamma, trigamma, polygamma, zeta, igamma, igammac.
// lgamma, digamma and trigamma are branch-free, so loops over them vectorise; the others are scalar
// code, where branches and iteration are welcome. float goes through double.
// Formulas: Abramowitz and Stegun ch. 6 and 23; Temme (1979) for incomplete gammas of large order.
#pragma once

#include <math.h>

#include <utility>

#include "elementary.h"

namespace rl::math {

inline constexpr double kPi = 3.14159265358979323846;
inline constexpr double kEps = 0x1p-53;

// x less the nearest integer, exactly: nothing is lost near the poles.
static inline double half_turn(double x) { return x - floor(x + 0.5); }
// sin(pi r) / pi for |r| <= 1/2.
static inline double sin_pi_over_pi(double r) {
  double w = r * r;
  double p = horner(w, -0x1.a51a6625307d3p+0, 0x1.9f9cb402bc46cp-1, -0x1.86a8e4720db67p-3,
                    0x1.ac6805cf35085p-6, -0x1.33816aa45f44dp-9, 0x1.374719f9d216ap-13,
                    -0x1.d42497ff06981p-18, 0x1.0fc953af78371p-22, -0x1.f5ca93b13388ap-28,
                    0x1.6f79ea3dbd4d0p-33);
  return mad(r * w, p, r);
}

// lgamma(2 + t) / (t (1 + t)) for |t| <= 1.
static inline double lgamma_curve(double t) {
  return horner(
      t, 0x1.b0ee6072093cep-2, -0x1.9ae6509ea109fp-4, 0x1.0e0c9df2935cep-5, -0x1.95ce223a9ccefp-7,
      0x1.479748539658fp-8, -0x1.145121f98a3c7p-9, 0x1.dfebcf9e3a196p-11, -0x1.a96a401fda6e3p-12,
      0x1.7ed73069f642cp-13, -0x1.5c86b33a29beep-14, 0x1.402f77c319948p-15, -0x1.2850b6e854fa0p-16,
      0x1.13dbddcd4c38ep-17, -0x1.022884cee4d11p-18, 0x1.e63dd1f85f483p-20, -0x1.cac9f4fe7556fp-21,
      0x1.a91686d709253p-22, -0x1.936479fb9046fp-23, 0x1.bf8db5e33a58dp-24, -0x1.ac03e6dbcadd4p-25,
      0x1.962bc62ce7761p-28, -0x1.77288613c1092p-29, 0x1.16378b8e8e56cp-26, -0x1.0d77de0390873p-27,
      -0x1.285a3a5829dd0p-28, 0x1.206dee4c838a5p-29, 0x1.b0d6e55603b75p-30, -0x1.a3f97b5464f9ap-31);
}
// lgamma(a) = (a - 1/2)(log(a) - 1) + (log(2 pi) - 1)/2 + more for a >= 3, given the logarithm;
// the product as a pair as far as its rounding counts.
static inline double lgamma_large(double a, Pair log_a) {
  constexpr double kConst = 0x1.acfe390c97d69p-2;
  double inverse = 1.0 / a;
  double more =
      inverse * horner(inverse * inverse, 0x1.5555555555555p-4, -0x1.6c16c16c10e31p-9,
                       0x1.a01a01781724cp-11, -0x1.3813661cb3f7ep-11, 0x1.b94839823eb39p-11,
                       -0x1.f5a098f66523bp-10, 0x1.9aabfe19aa4b2p-8, -0x1.a8a27132db91bp-6,
                       0x1.cbf7990eae6c5p-4, -0x1.a6f12de4e5280p-2, 0x1.0953f9f7b3684p+0,
                       -0x1.42593c7e1f9dbp+0);
  Pair less = exact_sum(log_a.hi, -1.0);
  double by = a - 0.5, lo = less.lo + log_a.lo, hi = by * less.hi;
  double lost = mad(by, lo, fused(by, less.hi, -hi));
  Pair sum = exact_sum(hi, kConst);
  return a < 0x1p900 ? sum.hi + (sum.lo + (lost + more)) : by * (less.hi + lo);
}
// By the curve around 2, one step up from it below 1, by Stirling's series from 3 on, and by
// reflection below 0: log(pi / (a |sin(pi a)|)) - lgamma(a), where below 1 log(a) cancels.
static inline double lgamma(double x) {
  double a = abs(x), r = abs(half_turn(x));
  bool below = a < 1.0;
  double up = below ? a : a - 1.0, down = below ? a - 1.0 : a - 2.0;
  Pair log_a = log_sum(a);
  double near = mad(up * down, lgamma_curve(down), 0.0), large = lgamma_large(a, log_a);
  double upper = a < 3.0 ? near : large;
  double less_log = below ? near - (log_a.hi + log_a.lo) : upper;
  double reflected = -(log(sin_pi_over_pi(r) * (below ? 1.0 : a)) + upper);
  double value = x < 0.0 ? reflected : less_log;
  return a > 0.0 ? (a < kInf<double> ? value : kInf<double>) : abs(1.0 / x);
}

// log(x) - 1/(2x) - digamma(x) over 1/x^2 = z, for x >= 2.
static inline double digamma_tail(double z) {
  return horner(z, 0x1.5555555555551p-4, -0x1.11111110fc1f8p-7, 0x1.041040c3c74c1p-8,
                -0x1.1110e94042365p-8, 0x1.f06ed8f4b47d3p-8, -0x1.58e4e39033fb0p-6,
                0x1.4f0af5f4eb51ap-4, -0x1.9be331746a2d0p-2, 0x1.19c7833a26f1dp+1,
                -0x1.78eaed060d5abp+3, 0x1.bdba7a00a2b50p+5, -0x1.b2781d8c89fa8p+7,
                0x1.4af086130d5a2p+9, -0x1.75f189080ffd1p+10, 0x1.24a0b6c78d57cp+11,
                -0x1.19dd07c6bdb36p+11, 0x1.f61697fce0e64p+9);
}
// digamma(1.5 + t) over its distance from the zero, for |t| <= 1/2.
static inline double digamma_curve(double t) {
  return horner(
      t, 0x1.e6f0cbb873616p-1, -0x1.b1cb63005ee98p-2, 0x1.eca189b8e6f6dp-3, -0x1.2feeeb98a78eap-3,
      0x1.8512e5903903ep-4, -0x1.fb44202a2306bp-5, 0x1.4de9aa1779d23p-5, -0x1.b9f8b11bfd3d0p-6,
      0x1.2564717896ec6p-6, -0x1.863563f44f303p-7, 0x1.03c0adafa529cp-7, -0x1.5a06a5d662cb4p-8,
      0x1.cd2011454fd05p-9, -0x1.336dbe66757c8p-9, 0x1.99d3f5c0cad5ep-10, -0x1.0fb38d217b800p-10,
      0x1.6a3e76070c135p-11, -0x1.fd8e50abf2196p-12, 0x1.53b23429da21bp-12, -0x1.2fae5cb379bf2p-13,
      0x1.94e73cc9821e1p-14, -0x1.75c084e78a4cdp-13, 0x1.f255c4568ac4dp-14);
}
// For y >= 1.
static inline double digamma_above(double y) {
  double near = ((y - 0x1.762d86356be3fp+0) - 0x1.b86a722197829p-54) * digamma_curve(y - 1.5);
  double inverse = 1.0 / y, z = inverse * inverse;
  Pair l = log_sum(y);
  double large = l.hi - (mad(z, digamma_tail(z), 0.5 * inverse) - l.lo);
  return y < 2.0 ? near : y < kInf<double> ? large : y;
}
// One step up below 1, by reflection below 0: pi / tan(pi r) is 1/r less a smooth part.
static inline double digamma(double x) {
  bool below = x <= 0.0;
  double r = below ? half_turn(x) : x, w = below ? r * r : 0.0;
  double smooth = horner(w, 0x1.a51a6625307d2p+1, 0x1.151322ac7dd9dp+1, 0x1.0470984bb2c67p+1,
                         0x1.010b36d1dde9dp+1, 0x1.004127191799dp+1, 0x1.00110127def13p+1,
                         0x1.ffe446c8bf0f9p+0, 0x1.00f6e6655e511p+1, 0x1.edba52e609faep+0,
                         0x1.3c8e737cf6be7p+1, -0x1.4e7e7a0f95c6fp-3, 0x1.1342f3fb65883p+3,
                         -0x1.4e7eb9f1aec93p+3, 0x1.bdfe4d5b4a4ffp+3);
  double more = mad(below ? r : 0.0, smooth, -1.0 / r);
  double value = digamma_above(below ? 1.0 - x : x < 1.0 ? 1.0 + x : x);
  double sum = x < 1.0 ? value + more : value;
  return (x < 0.0) & (r == 0.0) ? kNan<double> : sum;
}

// By the series at 2 or above, which smaller arguments step up to, and by reflection up to 0.
static inline double trigamma(double x) {
  bool below = x <= 0.0;
  double y = below ? 1.0 - x : x, above = y + 1.0;
  double one = y < 2.0 ? 1.0 / (y * y) : 0.0, two = y < 1.0 ? 1.0 / (above * above) : 0.0;
  double inverse = 1.0 / (y < 1.0 ? y + 2.0 : y < 2.0 ? above : y), z = inverse * inverse;
  double tail = horner(z, 0x1.5555555555527p-3, -0x1.11111110a754cp-5, 0x1.861860411904ep-6,
                       -0x1.1110ac29480ddp-5, 0x1.363cb00e467adp-4, -0x1.024e0400002d9p-2,
                       0x1.228b1295401a3p+0, -0x1.8eed33bc154e1p+2, 0x1.261cf2cf62c4bp+5,
                       -0x1.9c53eb6e4c11bp+7, 0x1.f5ef2e47bd064p+9, -0x1.f24a5eb602318p+11,
                       0x1.80262cada9345p+13, -0x1.b5ab9aeb7d423p+14, 0x1.588694015eb5cp+15,
                       -0x1.4d4e02c740efdp+15, 0x1.29d98496fd1ccp+14);
  double value = one + (two + mad(z, mad(inverse, tail, 0.5), inverse));
  double s = sin_pi_over_pi(half_turn(x));
  return below ? 1.0 / (s * s) - value : value;
}

inline constexpr double kBernoulli[] = {// B_2k / (2k)!
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

// The n-th derivative of digamma over zeta(n + 1, x), n > 1.
static inline double polygamma_factor(int64_t n) {
  double factorial = n < 171 ? ::tgamma(double(n) + 1.0) : kInf<double>;
  return n % 2 ? factorial : -factorial;
}
// The n-th derivative of digamma.
static inline double polygamma(int64_t n, double x) {
  if (n == 0) return digamma(x);
  if (n == 1) return trigamma(x);
  return polygamma_factor(n) * zeta(double(n) + 1.0, x);
}

// Which elements of a part of a block the fast way takes, and which are left.
inline constexpr long kSpecialPart = 128;
struct Sorted {
  short taken[kSpecialPart], left[kSpecialPart];
  long count = 0, others = 0;
  template <class Take>
  Sorted(Take take, long n) {
    for (short i = 0; i < n; ++i) {
      const bool in = take(i);
      taken[count] = left[others] = i;
      count += in, others += !in;
    }
  }
};

// zeta(x[i], q[i]), or zeta(x[0], q[i]) if `one`, for x > 1 and finite q > 0: a term at a time for
// all of a block. Orders above kMost leave nothing to the terms that they count in.
static inline void zeta_above(const double* x, bool one, const double* q, double* out, long n) {
  constexpr double kMost = 400.0;
  double a[kSpecialPart], minus[kSpecialPart], power[kSpecialPart], sum[kSpecialPart];
  for (long i = 0; i < n; ++i) a[i] = q[i], minus[i] = -x[i], sum[i] = 0.0;
  auto raise = [&] { one ? pow_block(a, minus[0], power, n) : pow_block(a, minus, power, n); };
  for (int k = 0; k < 12; ++k) {
    raise();
    for (long i = 0; i < n; ++i) sum[i] += power[i], a[i] += 1.0;
  }
  raise();
  for (long i = 0; i < n; ++i) {
    double order = x[i] < kMost ? x[i] : kMost, inverse = 1.0 / a[i], tail = 0.0;
    double factor = order * power[i] * inverse;
    [&]<int... K>(std::integer_sequence<int, K...>) {
      ((tail += kBernoulli[K] * factor,
        factor *= (order + (2 * K + 1)) * inverse * ((order + (2 * K + 2)) * inverse)),
       ...);
    }(std::make_integer_sequence<int, 10>{});
    out[i] = sum[i] + (power[i] * a[i] / (x[i] - 1.0) + (0.5 * power[i] + tail));
  }
}
// store(i, zeta(order(i), q[i])) for all of a block.
template <class T, class Order, class Store>
static inline void zeta_parts(Order order, bool one, const T* q, long n, Store store) {
  double x[kSpecialPart], shift[kSpecialPart], out[kSpecialPart];
  for (long begin = 0; begin < n; begin += kSpecialPart) {
    auto above = [&](long i) {
      const double s = q[begin + i];
      return (s > 0.0) & (s < kInf<double>)&(order(begin + i) > 1.0);
    };
    const Sorted part(above, n - begin < kSpecialPart ? n - begin : kSpecialPart);
    for (long k = 0; k < part.count; ++k) {
      const long i = begin + part.taken[k];
      x[k] = order(i), shift[k] = q[i];
    }
    if (part.count) zeta_above(x, one, shift, out, part.count);
    for (long k = 0; k < part.count; ++k) store(begin + part.taken[k], out[k]);
    for (long k = 0; k < part.others; ++k) {
      const long i = begin + part.left[k];
      store(i, zeta(double(order(i)), double(q[i])));
    }
  }
}
template <class T>
static inline void zeta_block(const T* x, const T* q, T* out, long n) {
  zeta_parts([x](long i) { return x[i]; }, false, q, n, [out](long i, double y) { out[i] = T(y); });
}
template <class T>
static inline void polygamma_block(int64_t n, const T* x, T* out, long count) {
  if (n == 1) {
#pragma GCC ivdep
    for (long i = 0; i < count; ++i) out[i] = T(trigamma(double(x[i])));
    return;
  }
  double order = double(n) + 1.0, factor = polygamma_factor(n);
  zeta_parts([order](long) { return order; }, true, x, count,
             [=](long i, double y) { out[i] = T(factor * y); });
}

// m - log(1 + m) for m = (x - a)/a, without cancellation for small m.
static inline double peak_gap(double a, double x) {
  double m = (x - a) / a;
  return abs(m) < 0.29 ? -log1p_tail(m) : m - log(x / a);
}

// log Gamma(1 + a) for small a too. Both are computed, so that loops vectorise.
static inline double lgamma1p(double a) {
  double small =
      a * horner(a, -0.57721566490153286061, 0.82246703342411321824, -0.40068563438653142847,
                 0.27058080842778454788, -0.20738555102867398527, 0.16955717699740818995,
                 -0.14404989676884611812);
  double large = lgamma(1.0 + a);
  return abs(a) > 0.01 ? large : small;
}

// What the incomplete gammas of (a, x) share: log(x^a / Gamma(1 + a)), and that quotient times
// exp(-x). Both may be anything where a is not below kPeaked, or an argument not positive and
// finite.
struct GammaFactor {
  double log_power, density;
};
inline constexpr double kPeaked = 20.0;
static inline GammaFactor gamma_factor(double a, double x) {
  double log_power = a * log(x) - lgamma1p(a);
  return {log_power, exp(log_power - x)};
}

// x^a exp(-x) / Gamma(1 + a); for large a by the ratio to its peak, where a log x - x would cancel.
static inline double gamma_density(double a, double x, GammaFactor f) {
  if (a < kPeaked) return f.density;
  double z = 1.0 / (a * a);
  double stirling = horner(z, 1.0 / 12, -1.0 / 360, 1.0 / 1260, -1.0 / 1680, 1.0 / 1188) / a;
  return exp(-a * peak_gap(a, x) - stirling) / sqrt(2.0 * kPi * a);
}

// The lower ratio by its power series (x below about a + 1): the sum of x^k / ((a + 1) ... (a + k))
// over a common denominator, which a power of two keeps in range; so are a and x, of a density that
// is not 0.
static inline double igamma_series(double a, double x, GammaFactor f, double eps) {
  constexpr double kMost = 0x1p900, kShrink = 0x1p-900;
  const double density = gamma_density(a, x, f);
  if (density == 0.0) return 0.0;
  double power = 1.0, over = 1.0, under = 1.0;
  for (double k = a + 1.0; power > eps * over; k += 1.0) {
    power *= x;
    over = mad(over, k, power);
    under *= k;
    if (over > kMost) over *= kShrink, under *= kShrink, power *= kShrink;
  }
  return over / under * density;
}
// The upper ratio by a continued fraction (x above about a + 1) of convergents over / under.
static inline double igammac_fraction(double a, double x, GammaFactor f, double eps) {
  constexpr double kMost = 0x1p400, kShrink = 0x1p-400;
  const double density = gamma_density(a, x, f);
  if (density == 0.0) return 0.0;  // as above
  double b = x + 1.0 - a, over = 1.0, under = b, last_over = 0.0, last_under = 1.0;
  for (double k = 1.0; k < 1e6; k += 1.0) {
    double step = -k * (k - a);
    b += 2.0;
    double next_over = mad(b, over, step * last_over), next = mad(b, under, step * last_under);
    double moved = abs(next_over * under - over * next), reached = abs(over * next);
    last_over = over, last_under = under, over = next_over, under = next;
    if (moved <= eps * reached) break;
    if (abs(under) > kMost)
      over *= kShrink, under *= kShrink, last_over *= kShrink, last_under *= kShrink;
  }
  return over / under * (density * a);
}
// The upper ratio for a and x below 1.1, where 1 minus the lower one would cancel.
static inline double igammac_small(double a, double x, GammaFactor f, double eps) {
  double term = 1.0, sum = 0.0;
  for (double n = 1.0; n < 200.0; n += 1.0) {
    term *= -x / n;
    double step = term / (a + n);
    sum += step;
    if (abs(step) < eps * abs(sum)) break;
  }
  return -expm1(f.log_power) - exp(f.log_power) * a * sum;
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

// The regularised upper and lower incomplete gamma functions, to about eps.
static inline double igammac_to(double a, double x, GammaFactor f, double eps) {
  if (x < 0.0 || a < 0.0 || is_nan(a) || is_nan(x)) return kNan<double>;
  if (a == 0.0) return x > 0.0 ? 0.0 : kNan<double>;
  if (x == 0.0) return 1.0;
  if (a == kInf<double>) return x == kInf<double> ? kNan<double> : 1.0;
  if (x == kInf<double>) return 0.0;
  if (a > 1e6 && abs(x - a) < 0.05 * a) return igamma_large(a, x, true);
  if (x <= 1.1 && a <= 1.1) return igammac_small(a, x, f, eps);
  return x < a || x <= 1.1 ? 1.0 - igamma_series(a, x, f, eps) : igammac_fraction(a, x, f, eps);
}
static inline double igamma_to(double a, double x, GammaFactor f, double eps) {
  if (x < 0.0 || a < 0.0 || is_nan(a) || is_nan(x)) return kNan<double>;
  if (a == 0.0) return x > 0.0 ? 1.0 : kNan<double>;
  if (x == 0.0) return 0.0;
  if (a == kInf<double>) return x == kInf<double> ? kNan<double> : 0.0;
  if (x == kInf<double>) return 1.0;
  if (a > 1e6 && abs(x - a) < 0.05 * a) return igamma_large(a, x, false);
  return x > 1.0 && x > a ? 1.0 - igammac_to(a, x, f, eps) : igamma_series(a, x, f, eps);
}
template <class T>
inline constexpr double kGammaEps = sizeof(T) == 8 ? 2.0 * kEps : 0x1p-32;
template <class T>
static inline T igamma(T a, T x) {
  return T(igamma_to(a, x, gamma_factor(a, x), kGammaEps<T>));
}
template <class T>
static inline T igammac(T a, T x) {
  return T(igammac_to(a, x, gamma_factor(a, x), kGammaEps<T>));
}

// All in one function, as a call would stop vectorisation.
[[gnu::flatten]] static inline void gamma_factors(const double* a, const double* x,
                                                  double* log_power, double* density, long n) {
#pragma GCC ivdep
  for (long i = 0; i < n; ++i) {
    GammaFactor f = gamma_factor(a[i], x[i]);
    log_power[i] = f.log_power, density[i] = f.density;
  }
}
// Of a block: the factors in vectors, the sums of different lengths one by one.
template <bool Upper, class T>
static inline void incomplete_gammas(const T* a, const T* x, T* out, long n) {
  double order[kSpecialPart], at[kSpecialPart], log_power[kSpecialPart], density[kSpecialPart];
  auto value = [](double order, double at, GammaFactor f) {
    return T(Upper ? igammac_to(order, at, f, kGammaEps<T>)
                   : igamma_to(order, at, f, kGammaEps<T>));
  };
  for (; n > 0; n -= kSpecialPart, a += kSpecialPart, x += kSpecialPart, out += kSpecialPart) {
    const Sorted part([=](long i) { return (a[i] > T(0)) & (x[i] > T(0)); },
                      n < kSpecialPart ? n : kSpecialPart);
    for (long k = 0; k < part.count; ++k) order[k] = a[part.taken[k]], at[k] = x[part.taken[k]];
    gamma_factors(order, at, log_power, density, part.count);
    for (long k = 0; k < part.count; ++k)
      out[part.taken[k]] = value(order[k], at[k], {log_power[k], density[k]});
    for (long k = 0; k < part.others; ++k)  // needs no factors
      out[part.left[k]] = value(a[part.left[k]], x[part.left[k]], {0.0, 0.0});
  }
}
template <class T>
static inline void igamma_block(const T* a, const T* x, T* out, long n) {
  incomplete_gammas<false>(a, x, out, n);
}
template <class T>
static inline void igammac_block(const T* a, const T* x, T* out, long n) {
  incomplete_gammas<true>(a, x, out, n);
}

static inline float lgamma(float x) { return float(lgamma(double(x))); }
static inline float digamma(float x) { return float(digamma(double(x))); }
static inline float trigamma(float x) { return float(trigamma(double(x))); }
static inline float polygamma(int64_t n, float x) { return float(polygamma(n, double(x))); }
static inline float zeta(float x, float q) { return float(zeta(double(x), double(q))); }

}  // namespace rl::math
