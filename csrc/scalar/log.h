// The logarithm family: log, log2, log10, log1p, and what is one logarithm away (asinh, acosh,
// atanh, log1p(exp(x)), log(sigmoid)). Branch-free, so loops over them vectorise.
// Method: x = 2^k (1 + f) with 1 + f in [sqrt(1/2), sqrt(2)), then log1p(f) by a minimax fit.
// To add one: write it as a template over float and double on top of split_log and log1p_tail.
#pragma once

#include "exp.h"

namespace rl::math {

template <class T>
struct LogConst;
template <>
struct LogConst<float> {
  static constexpr uint32_t kSqrtHalf = 0x3f3504f3;
  static constexpr uint32_t kIntToFloat = 0x4b000000;  // 2^23: its low bits hold an integer
  static constexpr float kIntBase = 0x1p23f;
  static constexpr float kMinNormal = 0x1p-126f, kUpExponent = 23;
  static constexpr float kLn2Hi = 0x1.62e4p-1f, kLn2Lo = 0x1.7f7d1cp-20f;
  static constexpr float kLog2eHi = 0x1.715476p+0f, kLog2eLo = 0x1.4ae0cp-26f;
  static constexpr float kLog10eHi = 0x1.bcb7b2p-2f, kLog10eLo = -0x1.5b235ep-27f;
  static constexpr float kLog10_2Hi = 0x1.344p-2f, kLog10_2Lo = 0x1.3509f8p-18f;
};
template <>
struct LogConst<double> {
  static constexpr uint64_t kSqrtHalf = 0x3fe6a09e667f3bcd;
  static constexpr uint64_t kIntToFloat = 0x4330000000000000;  // 2^52
  static constexpr double kIntBase = 0x1p52;
  static constexpr double kMinNormal = 0x1p-1022, kUpExponent = 54;
  static constexpr double kLn2Hi = 0x1.62e42fefa4p-1, kLn2Lo = -0x1.8432a1b0e2634p-43;
  static constexpr double kLog2eHi = 0x1.71547652b82fep+0, kLog2eLo = 0x1.777d0ffda0d24p-56;
  static constexpr double kLog10eHi = 0x1.bcb7b1526e50ep-2, kLog10eLo = 0x1.95355baaafad3p-57;
  static constexpr double kLog10_2Hi = 0x1.34413509f8p-2, kLog10_2Lo = -0x1.80433b83b532ap-44;
};

// log(1 + f) - f for 1 + f in [sqrt(1/2), sqrt(2)).
static inline float log1p_tail(float f) {
  float z = f * f;
  float p = horner(f, 0.333333075f, -0.249999762f, 0.200023919f, -0.166698962f, 0.142166272f,
                   -0.123748496f, 0.118759468f, -0.118286684f, 0.069456391f);
  return mad(z * f, p, -0.5f * z);
}
// By s = f/(2 + f): log(1 + f) = 2 atanh(s), rearranged so that f itself carries the leading bits.
static inline double log1p_tail(double f) {
  double s = f / (2.0 + f), z = s * s, h = 0.5 * f * f;
  double p = z * horner(z, 0x1.5555555555592p-1, 0x1.999999997ff3dp-2, 0x1.24924941debf0p-2,
                        0x1.c71c52166f79ep-3, 0x1.74663c88ee340p-3, 0x1.39a1f13d1cd46p-3,
                        0x1.2f0378e8b9d72p-3);
  return mad(s, h + p, -h);
}

// x = 2^k (1 + f); `biased` is k plus the exponent bias. For positive normal x.
template <class T>
struct LogSplit {
  T k, f;
  typename Bits<T>::UInt biased;
};
template <class T>
static inline LogSplit<T> split_log(T x) {
  using U = typename Bits<T>::UInt;
  using C = LogConst<T>;
  constexpr U kOne = U(Bits<T>::kBias) << Bits<T>::kMantissa;
  U shifted = to_bits(x) + (kOne - C::kSqrtHalf);
  U biased = shifted >> Bits<T>::kMantissa;
  T k = from_bits<T>(biased | C::kIntToFloat) - (C::kIntBase + T(Bits<T>::kBias));
  T f = from_bits<T>((shifted & Bits<T>::kMantissaMask) + C::kSqrtHalf) - T(1);
  return {k, f, biased};
}
// The same for subnormals too, scaled up first. The factor is made from its exponent, so that there
// is a single select: with two, gcc clones everything between them.
template <class T>
static inline LogSplit<T> split_log_any(T x) {
  using C = LogConst<T>;
  T raise = x < C::kMinNormal ? C::kUpExponent : T(0);
  T biased = raise + (Bits<T>::kRound + T(Bits<T>::kBias));
  auto s = split_log(x * from_bits<T>(to_bits(biased) << Bits<T>::kMantissa));
  s.k -= raise;
  return s;
}

// k ln2 + f + tail, smallest first.
template <class T>
static inline T join_log(T k, T f, T tail) {
  using C = LogConst<T>;
  return mad(k, C::kLn2Hi, f + mad(k, C::kLn2Lo, tail));
}

// The values of a logarithm outside (0, inf): -inf, NaN, inf; `y` inside.
template <class T>
static inline T log_special(T x, T y) {
  T outside = x == T(0) ? -kInf<T> : kNan<T>;
  return x > T(0) ? (x < kInf<T> ? y : x) : outside;
}

template <class T>
static inline T log_any(T x) {
  auto [k, f, biased] = split_log_any(x);
  return log_special(x, join_log(k, f, log1p_tail(f)));
}
static inline float log(float x) { return log_any(x); }
static inline double log(double x) { return log_any(x); }

// The leading product is not rounded before k is added, so powers of two come out exact.
template <class T>
static inline T log2_any(T x) {
  using C = LogConst<T>;
  auto [k, f, biased] = split_log_any(x);
  T low = mad(log1p_tail(f), C::kLog2eHi, f * C::kLog2eLo);
  return log_special(x, k + mad(f, C::kLog2eHi, low));
}
static inline float log2(float x) { return log2_any(x); }
static inline double log2(double x) { return log2_any(x); }

template <class T>
static inline T log10_any(T x) {
  using C = LogConst<T>;
  auto [k, f, biased] = split_log_any(x);
  T low = mad(log1p_tail(f), C::kLog10eHi, mad(f, C::kLog10eLo, k * C::kLog10_2Lo));
  return log_special(x, mad(k, C::kLog10_2Hi, mad(f, C::kLog10eHi, low)));
}
static inline float log10(float x) { return log10_any(x); }
static inline double log10(double x) { return log10_any(x); }

// 1 + x = 2^k (1 + f) with k from the rounded sum, and f = x/2^k + (1/2^k - 1) rounded once.
template <class T>
static inline LogSplit<T> split_log1p(T x) {
  using U = typename Bits<T>::UInt;
  auto s = split_log(T(1) + x);
  constexpr U kTop = U(2 * Bits<T>::kBias);
  T inverse = from_bits<T>((s.biased < kTop ? kTop - s.biased : U(0)) << Bits<T>::kMantissa);
  U down = (s.biased - U(Bits<T>::kBias)) << Bits<T>::kMantissa;
  s.f = from_bits<T>(to_bits(x) - down) + (inverse - T(1));
  return s;
}
template <class T>
static inline T log1p_any(T x) {
  auto [k, f, biased] = split_log1p(x);
  T y = join_log(k, f, log1p_tail(f));
  y = abs(x) < ExpConst<T>::kExpm1Id ? x : y;
  T outside = x == T(-1) ? -kInf<T> : kNan<T>;
  return x > T(-1) ? (x < kInf<T> ? y : x) : outside;
}
static inline float log1p(float x) { return log1p_any(x); }
static inline double log1p(double x) { return log1p_any(x); }

// log(1 + exp(x)), without overflow.
template <class T>
static inline T log1p_exp(T x) {
  return (x > T(0) ? x : T(0)) + log1p(exp(-abs(x)));
}
// log(1 / (1 + exp(-x))).
template <class T>
static inline T log_sigmoid(T x) {
  return (x < T(0) ? x : T(0)) - log1p(exp(-abs(x)));
}

// sign(x) log1p(a + a^2 / (1 + sqrt(1 + a^2))); log(2a) where a^2 would overflow or be all there
// is.
template <class T>
static inline T asinh_any(T x) {
  constexpr T kLn2 = T(0.693147180559945309417);
  constexpr T kBig = T(1) / std::numeric_limits<T>::epsilon();
  T a = abs(x);
  bool big = a > kBig;
  T z = a * a;
  T y = log1p(big ? a : a + z / (T(1) + sqrt(T(1) + z)));
  return flip_sign(big ? y + kLn2 : y, x);
}
static inline float asinh(float x) { return asinh_any(x); }
static inline double asinh(double x) { return asinh_any(x); }

template <class T>
static inline T acosh_any(T x) {
  constexpr T kLn2 = T(0.693147180559945309417);
  constexpr T kBig = T(1) / std::numeric_limits<T>::epsilon();
  T t = x - T(1);
  bool big = x > kBig;
  T y = log1p(big ? x : t + sqrt(t * (x + T(1))));
  T value = big ? y + kLn2 : y;
  return x >= T(1) ? value : kNan<T>;
}
static inline float acosh(float x) { return acosh_any(x); }
static inline double acosh(double x) { return acosh_any(x); }

template <class T>
static inline T atanh_any(T x) {
  T a = abs(x);
  return flip_sign(T(0.5) * log1p((a + a) / (T(1) - a)), x);
}
static inline float atanh(float x) { return atanh_any(x); }
static inline double atanh(double x) { return atanh_any(x); }

}  // namespace rl::math
