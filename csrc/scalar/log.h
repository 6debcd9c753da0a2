// The logarithm family: log, log2, log10, log1p, and what is one logarithm away (asinh, acosh,
// atanh, log1p(exp(x)), log(sigmoid)). Branch-free, so loops over them vectorise.
// Method: x = 2^k (1 + f) with 1 + f in [sqrt(1/2), sqrt(2)), then log1p(f) by a minimax fit: in
// double as a pair, so that only the last addition rounds; float has double inside but for log.
// To add one: write it for double on split_log and log1p_series, for float on log2_for_float.
#pragma once

#include "exp.h"
#include "pair.h"

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
template <Of<float> T>
static inline T log1p_tail(T f) {
  T z = f * f;
  T p = horner(f, 0.333333075f, -0.249999762f, 0.200023919f, -0.166698962f, 0.142166272f,
               -0.123748496f, 0.118759468f, -0.118286684f, 0.069456391f);
  return mad(z * f, p, -0.5f * z);
}
// 2 atanh(s)/s - 2 for z = s^2.
template <Of<double> T>
static inline T atanh_curve(T z) {
  return z * horner(z, 0x1.5555555555555p-1, 0x1.9999999999dfcp-2, 0x1.249249242b6f4p-2,
                    0x1.c71c7258cdfddp-3, 0x1.745cde4276637p-3, 0x1.3b20a9b34f8d5p-3,
                    0x1.0f5cec2f7fea2p-3, 0x1.0f62086a6edc4p-3);
}
// By s = f/(2 + f): log(1 + f) = 2 atanh(s), rearranged so that f itself carries the leading bits.
static inline double log1p_tail(double f) {
  double s = f / (2.0 + f), h = 0.5 * f * f;
  return mad(s, h + atanh_curve(s * s), -h);
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
  constexpr auto kOne = decltype(C::kSqrtHalf)(Bits<T>::kBias) << Bits<T>::kMantissa;
  U shifted = to_bits(x) + (kOne - C::kSqrtHalf);
  U biased = shifted >> Bits<T>::kMantissa;
  T k = from_bits<T>(biased | C::kIntToFloat) - (C::kIntBase + ScalarOf<T>(Bits<T>::kBias));
  T f = from_bits<T>((shifted & Bits<T>::kMantissaMask) + C::kSqrtHalf) - T(1);
  return {k, f, biased};
}
// The same for subnormals too, scaled up first. The factor is made from its exponent, so that there
// is a single select: with two, gcc clones everything between them.
template <class T>
static inline LogSplit<T> split_log_any(T x) {
  using C = LogConst<T>;
  T raise = select(x < C::kMinNormal, T(C::kUpExponent), T(0));
  T biased = raise + (Bits<T>::kRound + ScalarOf<T>(Bits<T>::kBias));
  auto s = split_log(x * from_bits<T>(to_bits(biased) << Bits<T>::kMantissa));
  s.k -= raise;
  return s;
}

// log(1 + f + f_lo) = 2 atanh(s) with s = (f + f_lo)/(2 + f + f_lo), as a pair.
template <Of<double> T>
static inline PairOf<T> log1p_series(T f, T f_lo) {
  PairOf<T> d = ordered_sum(T(2.0), f);
  T inverse = 1.0 / d.hi, s = f * inverse;
  T s_lo = (fused(-s, d.hi, f) + mad(-s, d.lo + f_lo, f_lo)) * inverse;
  return {s + s, mad(s, atanh_curve(s * s), s_lo + s_lo)};
}

// The values of a logarithm outside (0, inf): -inf, NaN, inf; `y` inside.
template <class T>
static inline T log_special(T x, T y) {
  using S = ScalarOf<T>;
  T outside = select(x == S(0), T(-kInf<S>), T(kNan<S>));
  return select(x > S(0), select(x < kInf<S>, y, x), outside);
}

// k ln2 and the pair beside it.
template <Of<double> T>
static inline PairOf<T> join_log(T k, PairOf<T> l) {
  using C = LogConst<double>;
  PairOf<T> sum = ordered_sum(k * C::kLn2Hi, l.hi);
  return {sum.hi, sum.lo + mad(k, C::kLn2Lo, l.lo)};
}
// log(x) of a positive finite x; the second part may be a hundredth of the first.
static inline Pair log_sum(double x) {
  auto [k, f, biased] = split_log_any(x);
  return join_log(k, log1p_series(f, 0.0));
}
template <Of<double> T>
static inline T log_of_split(LogSplit<T> s) {
  PairOf<T> l = join_log(s.k, log1p_series(s.f, T(0.0)));
  return l.hi + l.lo;
}
template <Of<float> T>
static inline T log_of_split(LogSplit<T> s) {
  using C = LogConst<float>;
  return mad(s.k, C::kLn2Hi, s.f + mad(s.k, C::kLn2Lo, log1p_tail(s.f)));
}
template <class T>
static inline T log_any(T x) {
  return log_special(x, log_of_split(split_log_any(x)));
}
static inline float log(float x) { return log_any(x); }
static inline double log(double x) { return log_any(x); }

inline constexpr double kLn2 = 0x1.62e42fefa39efp-1;

// log2 of a positive normal double, or of any positive finite float, to about 37 bits: enough for a
// float.
static inline double log2_for_float(double k, double f) {
  double s = f / (2.0 + f);
  double p = horner(s * s, 0x1.71547652bedfcp+1, 0x1.ec709d12c0a73p-1, 0x1.27777ff59d925p-1,
                    0x1.a58d8228d8227p-2, 0x1.5ce8d57c50f34p-2);
  return mad(s, p, k);
}
static inline double log2_for_float(double a) {
  auto [k, f, biased] = split_log(a);
  return log2_for_float(k, f);
}
static inline double log2_for_float(float a) {
  auto [k, f, biased] = split_log_any(a);
  return log2_for_float(double(k), double(f));
}
// The sum of `l` times that of c and c_lo; its second part may be as large as l's.
template <Of<double> T>
static inline PairOf<T> times(PairOf<T> l, double c, double c_lo) {
  T p = l.hi * c;
  return {p, mad(l.lo, T(c), mad(l.hi, T(c_lo), fused(l.hi, T(c), -p)))};
}
// Powers of two come out exact.
template <Of<double> T>
static inline T log2_of_split(LogSplit<T> s) {
  using C = LogConst<double>;
  PairOf<T> l = times(log1p_series(s.f, T(0.0)), C::kLog2eHi, C::kLog2eLo);
  PairOf<T> sum = ordered_sum(s.k, l.hi);
  return sum.hi + (sum.lo + l.lo);
}
template <Of<double> T>
static inline T log10_of_split(LogSplit<T> s) {
  using C = LogConst<double>;
  PairOf<T> l = times(log1p_series(s.f, T(0.0)), C::kLog10eHi, C::kLog10eLo);
  PairOf<T> sum = ordered_sum(s.k * C::kLog10_2Hi, l.hi);
  return sum.hi + (sum.lo + mad(s.k, C::kLog10_2Lo, l.lo));
}
// The same of floats alone, for those who have many: f times the factor is a pair.
template <Of<float> T>
static inline PairOf<T> log_times(T f, float c, float c_lo) {
  T p = f * c;
  return {p, mad(log1p_tail(f), c, mad(f, c_lo, fused(f, c, -p)))};
}
template <Of<float> T>
static inline T log2_of_split(LogSplit<T> s) {
  using C = LogConst<float>;
  PairOf<T> l = log_times(s.f, C::kLog2eHi, C::kLog2eLo), sum = ordered_sum(s.k, l.hi);
  return sum.hi + (sum.lo + l.lo);
}
template <Of<float> T>
static inline T log10_of_split(LogSplit<T> s) {
  using C = LogConst<float>;
  PairOf<T> l = log_times(s.f, C::kLog10eHi, C::kLog10eLo);
  PairOf<T> sum = ordered_sum(s.k * C::kLog10_2Hi, l.hi);
  return sum.hi + (sum.lo + mad(s.k, C::kLog10_2Lo, l.lo));
}
static inline double log2(double x) { return log_special(x, log2_of_split(split_log_any(x))); }
static inline double log10(double x) { return log_special(x, log10_of_split(split_log_any(x))); }
static inline float log2(float x) { return log_special(x, float(log2_for_float(x))); }
static inline float log10(float x) {
  constexpr double kLog10_2 = 0x1.34413509f79ffp-2;
  return log_special(x, float(kLog10_2 * log2_for_float(x)));
}

// log(1 + x), `y` being its value for x in (-1, inf).
template <class T>
static inline T log1p_special(T x, T y) {
  T value = abs(x) < ExpConst<T>::kExpm1Id ? x : y;
  T outside = x == T(-1) ? -kInf<T> : kNan<T>;
  return x > T(-1) ? (x < kInf<T> ? value : x) : outside;
}
// log(1 + x + more) for a `more` below an ulp of x. 1 + x = 2^k (1 + f) with k from the rounded sum
// and f = x/2^k + (1/2^k - 1).
static inline double log1p_with_tail(double x, double more) {
  using B = Bits<double>;
  auto s = split_log(1.0 + x);
  constexpr uint64_t kTop = 2 * B::kBias;
  double inverse = from_bits<double>((s.biased < kTop ? kTop - s.biased : 0) << B::kMantissa);
  double scaled = from_bits<double>(to_bits(x) - ((s.biased - B::kBias) << B::kMantissa));
  Pair f = exact_sum(scaled, inverse - 1.0);
  Pair l = join_log(s.k, log1p_series(f.hi, mad(more, inverse, f.lo)));
  return log1p_special(x, l.hi + l.lo);
}
static inline double log1p(double x) { return log1p_with_tail(x, 0.0); }
// Above 2^-29 the sum is exact; below, f is nearly all of it.
static inline float log1p(float x) {
  return log1p_special(x, float(kLn2 * log2_for_float(1.0 + double(x))));
}

// log(1 + e + e_lo) for e >= 0 and an e_lo below its ulp: in float without double inside. What the
// sum of 1 and e loses is added to the smaller part, over 1 + f.
static inline float log1p_sum(float e, float e_lo) {
  using C = LogConst<float>;
  float sum = 1.0f + e, kept = sum - 1.0f, lost = (1.0f - (sum - kept)) + (e - kept) + e_lo;
  auto [k, f, biased] = split_log(sum);
  float inverse = from_bits<float>((biased < 254 ? 254 - biased : 0) << 23);  // 2^-k
  float tail = log1p_tail(f) + lost * inverse * mad(f, f - 1.0f, 1.0f);
  float y = mad(k, C::kLn2Hi, f + mad(k, C::kLn2Lo, tail));
  return sum < kInf<float> ? y : sum;
}
// log(1 + exp(x)), infinite where exp(x) is.
static inline double log1p_small_exp(double x) { return log1p(exp(x)); }
static inline float log1p_small_exp(float x) {
  auto [r, tail, power] = split_exp(limit_exp(x));
  float head = 1.0f + r, lost = (1.0f - head) + r;
  float rest = mad(r * r, exp_curve(r), mad(tail, head, lost)), e = head + rest;
  return log1p_sum(times_power(e, power), times_power(rest - (e - head), power));
}
// log(1 + exp(x)), without overflow.
template <class T>
static inline T log1p_exp(T x) {
  return (x > T(0) ? x : T(0)) + log1p_small_exp(-abs(x));
}
// log(1 / (1 + exp(-x))).
template <class T>
static inline T log_sigmoid(T x) {
  return (x < T(0) ? x : T(0)) - log1p_small_exp(-abs(x));
}

// sign(x) log1p(a + a^2 / (1 + sqrt(1 + a^2))); log(2a) where a^2 would overflow or be all there
// is.
inline constexpr double kBigRoot = 0x1p52;
static inline double asinh(double x) {
  double a = abs(x);
  bool big = a > kBigRoot;
  double z = a * a;
  double y = log1p(big ? a : a + z / (1.0 + sqrt(1.0 + z)));
  return flip_sign(big ? y + kLn2 : y, x);
}
static inline float asinh(float x) {
  double a = abs(x), z = a * a, large = kLn2 * log2_for_float(a + sqrt(1.0 + z));
  float y = float(a < 0x1p-10 ? a * mad(z, -1.0 / 6, 1.0) : large);
  return flip_sign(a < kInf<double> ? y : abs(x), x);
}

// log1p(t + sqrt(t (t + 2))) for t = x - 1, the sum as a pair.
static inline double acosh(double x) {
  bool big = x > kBigRoot;
  double t = x - 1.0;
  Pair more = exact_sum(t, 2.0);
  double square = t * more.hi, square_lo = mad(t, more.lo, fused(t, more.hi, -square));
  double root = sqrt(square), twice = square == 0.0 ? 1.0 : root + root;
  Pair sum = exact_sum(root, t);
  double tail = sum.lo + (fused(-root, root, square) + square_lo) / twice;
  double y = log1p_with_tail(big ? x : sum.hi, big ? 0.0 : tail);
  double value = big ? y + kLn2 : y;
  return x >= 1.0 ? value : kNan<double>;
}
static inline float acosh(float x) {
  double a = x, y = kLn2 * log2_for_float(a + sqrt((a - 1.0) * (a + 1.0)));
  return x >= 1.0f ? (x < kInf<float> ? float(y) : x) : kNan<float>;
}

// log1p(2a / (1 - a)) / 2, the quotient as a pair.
static inline double atanh(double x) {
  double a = abs(x), d = 1.0 - a, inverse = 1.0 / d, q = (a + a) * inverse;
  double rest = fused(-q, d, a + a) - q * ((1.0 - d) - a);
  return flip_sign(0.5 * log1p_with_tail(q, rest * inverse), x);
}
static inline float atanh(float x) {
  double a = abs(x), large = 0.5 * kLn2 * log2_for_float((1.0 + a) / (1.0 - a));
  float y = float(a < 0x1p-10 ? a * mad(a, a * (1.0 / 3), 1.0) : large);
  float outside = a == 1.0 ? kInf<float> : kNan<float>;
  return flip_sign(a < 1.0 ? y : outside, x);
}

}  // namespace rl::math
