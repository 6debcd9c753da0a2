// The exponential family: exp, exp2, expm1, and what is one exponential away: sigmoid, tanh, sinh,
// cosh (log1p(exp(x)) is in log.h). Branch-free, so loops over them vectorise.
// Method: x = n ln2 + r with |r| <= ln2/2, a minimax polynomial in r, then 2^n by exponent bits. In
// double the polynomial's value is a pair; float has double inside where that costs little.
// To add one: write it for double on exp_series, for float on exp_split_for_float or a template;
// constants go in ExpConst<T>.
#pragma once

#include "pair.h"

namespace rl::math {

template <class T>
struct ExpConst;
template <>
struct ExpConst<float> {
  static constexpr float kLog2e = 0x1.715476p+0f;
  static constexpr float kLn2Hi = 0x1.62e4p-1f;  // 15 bits, so that n * kLn2Hi is exact
  static constexpr float kLn2Lo = 0x1.7f7d1cp-20f;
  static constexpr float kLn2 = 0x1.62e43p-1f, kLn2Rest = -0x1.05c610cap-29f;
  static constexpr float kExpm1Min = -18.0f;          // below, expm1 is -1
  static constexpr float kExpm1Max = 0x1.62e42ep+6f;  // above, it is infinite
  static constexpr float kTanhMax = 10.0f;            // above, tanh is 1
  static constexpr float kExpm1Id = 0x1p-25f;         // below in magnitude, expm1(x) is x
};
template <>
struct ExpConst<double> {
  static constexpr double kLog2e = 0x1.71547652b82fep+0;
  static constexpr double kLn2Hi = 0x1.62e42fefa4p-1;  // 41 bits
  static constexpr double kLn2Lo = -0x1.8432a1b0e2634p-43;
  static constexpr double kLn2 = 0x1.62e42fefa39efp-1, kLn2Rest = 0x1.abc9e3b39803fp-56;
  static constexpr double kExpm1Min = -38.0;
  static constexpr double kExpm1Max = 0x1.62e42fefa39efp+9;
  static constexpr double kTanhMax = 22.0;
  static constexpr double kExpm1Id = 0x1p-54;
};

// Where exp and exp2 are zero and infinite (exp even after halving). Weak, so that the compiler
// does not know the values: a clamp between known constants becomes nine instructions, not two.
template <class T>
struct Limits {
  T low, high;
};
[[gnu::weak]] extern const Limits<float> exp_limits_f{-104.0f, 90.0f};
[[gnu::weak]] extern const Limits<float> exp2_limits_f{-151.0f, 129.0f};
[[gnu::weak]] extern const Limits<double> exp_limits_d{-746.0, 711.0};
[[gnu::weak]] extern const Limits<double> exp2_limits_d{-1076.0, 1025.0};
[[gnu::weak]] extern const Limits<double> float_exponents{-200.0, 200.0};

// x within the limits; a NaN stays one.
template <class T>
static inline T limit(T x, T low, T high) {
  T raised = low > x ? low : x;
  return high < raised ? high : raised;
}
template <Of<float> T>
static inline T limit_exp(T x) {
  return limit(x, exp_limits_f.low, exp_limits_f.high);
}
template <Of<double> T>
static inline T limit_exp(T x) {
  return limit(x, exp_limits_d.low, exp_limits_d.high);
}
static inline float limit_exp2(float x) { return limit(x, exp2_limits_f.low, exp2_limits_f.high); }
static inline double limit_exp2(double x) {
  return limit(x, exp2_limits_d.low, exp2_limits_d.high);
}

// (exp(r) - 1 - r) / r^2 for |r| <= ln2/2.
template <Of<float> T>
static inline T exp_curve(T r) {
  T square = r * r, low = mad(r, 0.166665167f, 0.49999994f);  // a shorter chain than Horner's
  T high = mad(square, 0.00138390681f, mad(r, 0.00836920086f, 0.0416681021f));
  return mad(square, high, low);
}
template <Of<double> T>
static inline T exp_curve(T r) {
  T square = r * r;
  T even = horner(square, 0x1.555555555060ap-5, 0x1.6c16c184b1c41p-10, 0x1.a01998a1ee3c7p-16,
                  0x1.28aeba1a47d8fp-22);
  T odd = horner(square, 0x1.1111111125206p-7, 0x1.a01a013b3bccbp-13, 0x1.71defa5174639p-19,
                 0x1.adca77ae7fc86p-26);
  T high = mad(r, odd, even);  // two short chains instead of a long one
  return mad(r, mad(r, high, 0x1.5555555555502p-3), 0x1.000000000000ap-1);
}
// exp(r) - 1 for |r| <= ln2/2.
template <class T>
static inline T expm1_reduced(T r) {
  return mad(r * r, exp_curve(r), r);
}

// x = n ln2 + r + tail. `power` has n + kMore in its low bits; 2 bias more are for times_power.
template <class T>
struct ExpSplit {
  T r, tail;
  typename Bits<T>::UInt power;
};
template <int kMore, class T>
static inline ExpSplit<T> split_exp_more(T x) {
  using C = ExpConst<T>;
  constexpr ScalarOf<T> kShift = Bits<T>::kRound + ScalarOf<T>(kMore);
  T shifted = mad(x, C::kLog2e, kShift);
  T n = shifted - kShift;
  T high = mad(n, -C::kLn2Hi, x);
  T r = mad(n, -C::kLn2Lo, high);
  return {r, mad(n, -C::kLn2Lo, high - r), to_bits(shifted)};
}
template <class T>
static inline ExpSplit<T> split_exp(T x) {
  return split_exp_more<2 * Bits<T>::kBias>(x);
}

// p * 2^n, in two factors because 2^n alone may overflow or be subnormal; rounded once.
template <class T>
static inline T times_power(T p, typename Bits<T>::UInt power) {
  typename Bits<T>::UInt half = power >> 1;
  return p * from_bits<T>(half << Bits<T>::kMantissa) *
         from_bits<T>((power - half) << Bits<T>::kMantissa);
}

// exp(r + tail) for |r| <= ln2/2 and a tail below an ulp of r: what 1 + r loses is added.
template <class T>
static inline T exp_reduced(T r, T tail) {
  T head = T(1) + r, lost = (T(1) - head) + r;
  return head + mad(r * r, exp_curve(r), mad(tail, head, lost));
}
// The same for any tail that is small beside 1, as a sum whose second part may be a hundredth of
// the first: 1 + r + r^2/2 without loss, and the rest of the series. A call of it, which gcc
// prefers where there are many, would stop vectorisation.
static inline Pair exp_series(double r, double tail) {
  double z = r * r, half_lost = 0.5 * fused(r, r, -z);
  Pair one = ordered_sum(1.0, r), sum = ordered_sum(one.hi, 0.5 * z);
  double curve = horner(r, 0x1.555555555555ap-3, 0x1.5555555555531p-5, 0x1.111111110efc2p-7,
                        0x1.6c16c16c26fdep-10, 0x1.a01a01b2697b1p-13, 0x1.a01a01527c91ep-16,
                        0x1.71ddf26f56e49p-19, 0x1.27e58cf46e381p-22, 0x1.af68622be97c6p-26,
                        0x1.1e670afd8a2d1p-29);
  double rest = r * z * curve;
  return {sum.hi, rest + mad(tail, sum.hi + rest, (one.lo + sum.lo) + half_lost)};
}

// exp(x) where the result is known to be a normal number (or x a NaN).
template <class T>
static inline T exp_normal(T x) {
  using B = Bits<T>;
  auto [r, tail, power] = split_exp(x);
  T s = from_bits<T>((power - typename B::UInt(B::kBias)) << B::kMantissa);
  return mad(s, expm1_reduced(r), s);
}

// exp(x) where the result is known to be a normal number, as exp_any rounds it.
template <class T>
static inline T exp_plain(T x) {
  auto [r, tail, power] = split_exp_more<0>(x);
  return from_bits<T>(to_bits(exp_reduced(r, tail)) + (power << Bits<T>::kMantissa));
}

// exp(x + more) for a `more` below an ulp of x.
static inline double exp_with_tail(double x, double more) {
  auto [r, tail, power] = split_exp(limit_exp(x));
  Pair e = exp_series(r, tail + more);
  return times_power(e.hi + e.lo, power);
}

template <class T>
static inline T exp_any(T x) {
  auto [r, tail, power] = split_exp(limit_exp(x));
  return times_power(exp_reduced(r, tail), power);
}
static inline float exp(float x) { return exp_any(x); }
static inline double exp(double x) { return exp_any(x); }

template <class T>
static inline T exp2_any(T x) {
  using C = ExpConst<T>;
  constexpr T kShift = Bits<T>::kRound + T(2 * Bits<T>::kBias);
  T limited = limit_exp2(x);
  T shifted = limited + kShift, fraction = limited - (shifted - kShift);
  T r = fraction * C::kLn2;
  T tail = mad(fraction, C::kLn2, -r) + fraction * C::kLn2Rest;
  return times_power(exp_reduced(r, tail), to_bits(shifted));
}
static inline float exp2(float x) { return exp2_any(x); }
static inline double exp2(double x) { return exp2_any(x); }

// 2^t to 32 bits, in double, for |t| <= 200 (and clamped there): enough to round to float.
static inline double exp2_for_float(double t) {
  double limited = limit(t, float_exponents.low, float_exponents.high);
  constexpr double kShift = Bits<double>::kRound + Bits<double>::kBias;
  double shifted = limited + kShift, r = limited - (shifted - kShift);
  double p = horner(r, 1.0, 0x1.62e4300ba344ap-1, 0x1.ebfbe0457f448p-3, 0x1.c6b0551572b9p-5,
                    0x1.3b2a1bdbf3ccep-7, 0x1.5dc054478bb48p-10, 0x1.443fb18a2f9bbp-13,
                    0x1.c04aac3bb186ep-17);
  return p * from_bits<double>(to_bits(shifted) << 52);
}
// exp(x) - 1 for x at most ln(max); halved inside so that 2^n does not overflow.
static inline double expm1(double x) {
  using C = ExpConst<double>;
  double clamped = x > C::kExpm1Min ? x : C::kExpm1Min;
  auto [r, tail, power] = split_exp(clamped);
  Pair e = exp_series(r, tail);
  double s = from_bits<double>((power - (Bits<double>::kBias + 1)) << Bits<double>::kMantissa);
  Pair less = exact_sum(s * e.hi, -0.5);
  double y = 2.0 * (less.hi + mad(s, e.lo, less.lo));
  y = abs(x) < C::kExpm1Id ? x : y;
  return x <= C::kExpm1Max ? y : x * kInf<double>;
}

// exp(x) = s (1 + p) to 32 bits, in double, for |x| <= 700; s is a power of two.
struct ScaledExp {
  double s, p;
};
static inline ScaledExp exp_for_float(double x) {
  constexpr double kShift = Bits<double>::kRound + Bits<double>::kBias;
  double t = x * ExpConst<double>::kLog2e, shifted = t + kShift, r = t - (shifted - kShift);
  double p = r * horner(r, 0x1.62e42fefd3471p-1, 0x1.ebfbe0457093dp-3, 0x1.c6b08cb169869p-5,
                        0x1.3b2a1bf5a62efp-7, 0x1.5d88bd5d38651p-10, 0x1.443f95e5b9a79p-13,
                        0x1.ffcc8f5d45412p-17);
  return {from_bits<double>(to_bits(shifted) << 52), p};
}
static inline float expm1(float x) {
  auto [s, p] = exp_for_float(limit_exp(x));
  return abs(x) < ExpConst<float>::kExpm1Id ? x : float(mad(s, p, s - 1.0));
}

// tanh in double for |x| <= 0.35, by its series, and above as 1 - 2 / (exp(2x) + 1).
static inline double tanh_small(double x) {
  double z = x * x;
  double p = horner(z, -0x1.5555555555553p-2, 0x1.1111111110b7fp-3, -0x1.ba1ba1b97de9ap-5,
                    0x1.664f483e4312bp-6, -0x1.226e2484d4391p-7, 0x1.d6cecbdc3c074p-9,
                    -0x1.7d2cf0d0e78f7p-10, 0x1.2eb415ee55516p-11, -0x1.89a6182a93b64p-13);
  return mad(x * z, p, x);
}
static inline double tanh_large(double a) {
  double limited = a > ExpConst<double>::kTanhMax ? ExpConst<double>::kTanhMax : a;
  auto [r, tail, power] = split_exp(2.0 * limited);
  Pair e = exp_series(r, tail);
  double s = from_bits<double>((power - Bits<double>::kBias) << Bits<double>::kMantissa);
  Pair grown = ordered_sum(s * e.hi, s * e.lo), under = ordered_sum(grown.hi, 1.0);
  double q = 2.0 / under.hi, under_lo = grown.lo + under.lo;
  double q_lo = mad(-q, under_lo, fused(-q, under.hi, 2.0)) * (0.5 * q);
  Pair y = ordered_sum(1.0, -q);
  return y.hi + (y.lo - q_lo);
}
static inline double tanh(double x) {
  double a = abs(x);
  return flip_sign(a < 0.35 ? tanh_small(a) : tanh_large(a), x);
}
// In float alone, as half the lanes would cost more than the last quarter of an ulp is worth.
template <Of<float> T>
static inline T tanh_small(T x) {
  T z = x * x;
  T p = horner(z, -0.333333284f, 0.133331746f, -0.0539507233f, 0.0217744373f, -0.00857139193f,
               0.00304868165f, -0.000821659574f, 0.000116349205f);
  return mad(x * z, p, x);
}
template <Of<float> T>
static inline T tanh(T x) {
  T a = abs(x);
  auto [r, tail, power] = split_exp(2.0f * at_most(a, ExpConst<float>::kTanhMax));
  T s = from_bits<T>((power - Bits<float>::kBias) << Bits<float>::kMantissa);
  T large = 1.0f - 2.0f / mad(s, expm1_reduced(r), s + 1.0f);
  return flip_sign(select(a < 1.0f, tanh_small(a), large), x);
}

// 1 / (1 + exp(-x)), down to subnormal results for negative x.
static inline float sigmoid(float x) {
  float e = exp(-abs(x));
  return (x < 0.0f ? e : 1.0f) / (1.0f + e);
}
static inline double sigmoid(double x) {
  double e = exp(-abs(x)), over = x < 0.0 ? e : 1.0;
  Pair under = ordered_sum(1.0, e);
  double inverse = 1.0 / under.hi, q = over * inverse;
  return mad(mad(-q, under.lo, fused(-q, under.hi, over)), inverse, q);
}

// h = exp(x)/2 for x >= 0: `whole` for all of them, and below 40 as a pair, with 1/(4h) as another.
struct HalfExp {
  double whole;
  Pair grown, shrunk;
};
static inline HalfExp half_exp(double x) {
  auto [r, tail, power] = split_exp(limit_exp(x));
  Pair e = exp_series(r, tail);
  double s = from_bits<double>((power - (Bits<double>::kBias + 1)) << Bits<double>::kMantissa);
  Pair h = ordered_sum(s * e.hi, s * e.lo);
  double q = 0.25 / h.hi, q_lo = mad(-q, h.lo, fused(-q, h.hi, 0.25)) * (4.0 * q);
  return {times_power(e.hi + e.lo, power - 1), h, {q, q_lo}};
}
static inline double cosh(double x) {
  double a = abs(x);
  auto [whole, h, q] = half_exp(a);
  Pair sum = ordered_sum(h.hi, q.hi);
  return a > 40.0 ? whole : sum.hi + (sum.lo + (h.lo + q.lo));
}
// By its series for small x.
static inline double sinh(double x) {
  double a = abs(x), z = a * a;
  double p = horner(z, 0x1.5555555555555p-3, 0x1.1111111111113p-7, 0x1.a01a01a01861ep-13,
                    0x1.71de3a5f47de7p-19, 0x1.ae641a027670bp-26, 0x1.61daec6d87381p-33);
  auto [whole, h, q] = half_exp(a);
  Pair sum = ordered_sum(h.hi, -q.hi);
  double large = a > 40.0 ? whole : sum.hi + (sum.lo + (h.lo - q.lo));
  return flip_sign(a < 0.35 ? mad(a * z, p, a) : large, x);
}
// The same for floats, and their like, in double.
static inline double whole_exp_for_float(double x) {
  auto [s, p] = exp_for_float(x);
  return mad(s, p, s);
}
static inline double sinh_for_float(double x) {
  double a = abs(x), e = whole_exp_for_float(a), z = a * a;
  double small = a * horner(z, 1.0, 0x1.555555183124bp-3, 0x1.111136262fbffp-7,
                            0x1.9ffe108019cb8p-13, 0x1.7a26bacd999b1p-19);
  return flip_sign(a < 1.0 ? small : 0.5 * e - 0.5 / e, x);
}
static inline double cosh_for_float(double x) {
  double e = whole_exp_for_float(abs(x));
  return 0.5 * e + 0.5 / e;
}
static inline float sinh(float x) {
  float a = limit_exp(abs(x));
  return flip_sign(float(sinh_for_float(double(a))), x);
}
static inline float cosh(float x) { return float(cosh_for_float(double(limit_exp(abs(x))))); }

}  // namespace rl::math
