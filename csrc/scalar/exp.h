// The exponential family: exp, exp2, expm1, and what is one exponential away: sigmoid, tanh, sinh,
// cosh (log1p(exp(x)) is in log.h). Branch-free, so loops over them vectorise.
// Method: x = n ln2 + r with |r| <= ln2/2, a minimax polynomial in r, then 2^n by exponent bits.
// To add one: write it as a template over float and double; constants go in ExpConst<T>.
#pragma once

#include "bits.h"

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

// x within the limits; a NaN stays one.
template <class T>
static inline T limit(T x, T low, T high) {
  T raised = low > x ? low : x;
  return high < raised ? high : raised;
}
static inline float limit_exp(float x) { return limit(x, exp_limits_f.low, exp_limits_f.high); }
static inline double limit_exp(double x) { return limit(x, exp_limits_d.low, exp_limits_d.high); }
static inline float limit_exp2(float x) { return limit(x, exp2_limits_f.low, exp2_limits_f.high); }
static inline double limit_exp2(double x) {
  return limit(x, exp2_limits_d.low, exp2_limits_d.high);
}

// (exp(r) - 1 - r) / r^2 for |r| <= ln2/2.
static inline float exp_curve(float r) {
  float square = r * r, low = mad(r, 0.166665167f, 0.49999994f);  // a shorter chain than Horner's
  float high = mad(square, 0.00138390681f, mad(r, 0.00836920086f, 0.0416681021f));
  return mad(square, high, low);
}
static inline double exp_curve(double r) {
  return horner(r, 0x1.000000000000ap-1, 0x1.5555555555502p-3, 0x1.555555555060ap-5,
                0x1.1111111125206p-7, 0x1.6c16c184b1c41p-10, 0x1.a01a013b3bccbp-13,
                0x1.a01998a1ee3c7p-16, 0x1.71defa5174639p-19, 0x1.28aeba1a47d8fp-22,
                0x1.adca77ae7fc86p-26);
}
// exp(r) - 1 for |r| <= ln2/2.
template <class T>
static inline T expm1_reduced(T r) {
  return mad(r * r, exp_curve(r), r);
}

// x = n ln2 + r + tail. `power` has n + 2 bias in its low bits, for times_power.
template <class T>
struct ExpSplit {
  T r, tail;
  typename Bits<T>::UInt power;
};
template <class T>
static inline ExpSplit<T> split_exp(T x) {
  using C = ExpConst<T>;
  constexpr T kShift = Bits<T>::kRound + T(2 * Bits<T>::kBias);
  T shifted = mad(x, C::kLog2e, kShift);
  T n = shifted - kShift;
  T high = mad(n, -C::kLn2Hi, x);
  T r = mad(n, -C::kLn2Lo, high);
  return {r, mad(n, -C::kLn2Lo, high - r), to_bits(shifted)};
}

// p * 2^n, in two factors because 2^n alone may overflow or be subnormal; rounded once.
template <class T>
static inline T times_power(T p, typename Bits<T>::UInt power) {
  typename Bits<T>::UInt half = power >> 1;
  return p * from_bits<T>(half << Bits<T>::kMantissa) *
         from_bits<T>((power - half) << Bits<T>::kMantissa);
}

// exp(r + tail) for |r| <= ln2/2 and a tail below an ulp of r: what 1 + r loses is added to it.
template <class T>
static inline T exp_reduced(T r, T tail) {
  T head = T(1) + r, lost = (T(1) - head) + r;
  return head + mad(r * r, exp_curve(r), lost + tail);
}

// The same for a tail of many ulps, which is still small beside 1.
template <class T>
static inline T exp_reduced_long(T r, T tail) {
  return exp_reduced(r, mad(expm1_reduced(r), tail, tail));
}

// exp(x) where the result is known to be a normal number (or x a NaN).
template <class T>
static inline T exp_normal(T x) {
  using B = Bits<T>;
  auto [r, tail, power] = split_exp(x);
  T s = from_bits<T>((power - typename B::UInt(B::kBias)) << B::kMantissa);
  return mad(s, expm1_reduced(r), s);
}

// exp(x + more) for a `more` below an ulp of x.
template <class T>
static inline T exp_with_tail(T x, T more) {
  auto [r, tail, power] = split_exp(limit_exp(x));
  return times_power(exp_reduced_long(r, tail + more), power);
}

template <class T>
static inline T exp_any(T x) {
  auto [r, tail, power] = split_exp(limit_exp(x));
  return times_power(exp_reduced(r, tail), power);
}
// 2^64 exp(x) for -128 <= x <= 40, a normal number throughout.
static inline float exp_raised(float x) {
  auto [r, tail, power] = split_exp(x);
  return exp_reduced(r, tail) * from_bits<float>((power - 127 + 64) << 23);
}
static inline float exp(float x) { return exp_any(x); }
static inline double exp(double x) { return exp_any(x); }

// exp(x)/2 for x >= 0, finite up to ln(2 max).
template <class T>
static inline T half_exp(T x) {
  auto [r, tail, power] = split_exp(limit_exp(x));
  return times_power(exp_reduced(r, tail), power - 1);
}

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
  double limited = limit_magnitude(t, 200.0);
  constexpr double kShift = Bits<double>::kRound + Bits<double>::kBias;
  double shifted = limited + kShift, r = limited - (shifted - kShift);
  double p = horner(r, 1.0, 0x1.62e4300ba344ap-1, 0x1.ebfbe0457f448p-3, 0x1.c6b0551572b9p-5,
                    0x1.3b2a1bdbf3ccep-7, 0x1.5dc054478bb48p-10, 0x1.443fb18a2f9bbp-13,
                    0x1.c04aac3bb186ep-17);
  return p * from_bits<double>(to_bits(shifted) << 52);
}
// exp(x) - 1 for x at most ln(max); halved inside so that 2^n does not overflow.
template <class T>
static inline T expm1_any(T x) {
  using C = ExpConst<T>;
  using U = typename Bits<T>::UInt;
  T clamped = x > C::kExpm1Min ? x : C::kExpm1Min;
  auto [r, tail, power] = split_exp(clamped);
  T s = from_bits<T>((power - U(Bits<T>::kBias + 1)) << Bits<T>::kMantissa);
  T y = T(2) * mad(s, expm1_reduced(r), s - T(0.5));
  y = abs(x) < C::kExpm1Id ? x : y;
  return x <= C::kExpm1Max ? y : x * kInf<T>;
}
static inline float expm1(float x) { return expm1_any(x); }
static inline double expm1(double x) { return expm1_any(x); }

// tanh for |x| <= 1, to be chosen by the caller.
static inline float tanh_small(float x) {
  float z = x * x;
  float p = horner(z, -0.333333284f, 0.133331746f, -0.0539507233f, 0.0217744373f, -0.00857139193f,
                   0.00304868165f, -0.000821659574f, 0.000116349205f);
  return mad(x * z, p, x);
}
static inline double tanh_small(double x) {
  double z = x * x;
  double p = horner(z, -0x1.5555555555552p-2, 0x1.1111111110c52p-3, -0x1.ba1ba1b9d195fp-5,
                    0x1.664f4870c2fffp-6, -0x1.226e32cf942bcp-7, 0x1.d6d35a378b4d4p-9,
                    -0x1.7d9c33052c16dp-10, 0x1.350b8718f5629p-11, -0x1.f11347e872717p-13,
                    0x1.801b73a540f31p-14, -0x1.fac5385cca047p-16, 0x1.9604d42acf55p-18);
  return mad(x * z, p, x);
}
template <class T>
inline constexpr T kTanhSmall = T(1);
template <>
inline constexpr double kTanhSmall<double> = 0.625;

template <class T>
static inline T tanh_any(T x) {
  T a = abs(x);
  T limited = a > ExpConst<T>::kTanhMax ? ExpConst<T>::kTanhMax : a;
  T large = T(1) - T(2) / (exp_normal(T(2) * limited) + T(1));
  return flip_sign(a < kTanhSmall<T> ? tanh_small(a) : large, x);
}
static inline float tanh(float x) { return tanh_any(x); }
static inline double tanh(double x) { return tanh_any(x); }

// 1 / (1 + exp(-x)), down to subnormal results for negative x.
template <class T>
static inline T sigmoid_any(T x) {
  T e = exp(-abs(x));
  return (x < T(0) ? e : T(1)) / (T(1) + e);
}
static inline float sigmoid(float x) { return sigmoid_any(x); }
static inline double sigmoid(double x) { return sigmoid_any(x); }

// (exp(x) - exp(-x))/2 by t = expm1|x|: (t + t/(t+1))/2, and exp(x)/2 where that might overflow.
template <class T>
static inline T sinh_any(T x) {
  T a = abs(x);
  T t = expm1(a);
  T small = T(0.5) * (t + t / (t + T(1)));
  T y = a < ExpConst<T>::kTanhMax * T(2) ? small : half_exp(a);
  return flip_sign(y, x);
}
static inline float sinh(float x) { return sinh_any(x); }
static inline double sinh(double x) { return sinh_any(x); }

template <class T>
static inline T cosh_any(T x) {
  T h = half_exp(abs(x));
  return h + T(0.25) / h;
}
static inline float cosh(float x) { return cosh_any(x); }
static inline double cosh(double x) { return cosh_any(x); }

}  // namespace rl::math
