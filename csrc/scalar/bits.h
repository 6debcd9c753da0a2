// Primitives under every scalar function: bit casts, selects, rounding, multiply-add, Horner's
// rule. Here: branch-free one-liners that compilers turn into one or two vector instructions. Not
// here: anything that computes a mathematical function (see the other headers of this folder). For
// vectorisation, join conditions with & and |: && and || are branches to the compiler. All of it
// assumes round-to-nearest and the flags -fno-math-errno -fno-trapping-math.
#pragma once

#include <bit>
#include <concepts>
#include <cstdint>
#include <limits>
#include <type_traits>

#if defined(__FMA__) || defined(__ARM_FEATURE_FMA) || defined(__FP_FAST_FMA)
#define RL_HAS_FMA 1
#endif

namespace rl::math {

template <class T>
struct Bits;
template <>
struct Bits<float> {
  using Int = int32_t;
  using UInt = uint32_t;
  static constexpr int kMantissa = 23;
  static constexpr UInt kMantissaMask = 0x007fffff;
  static constexpr UInt kAbs = 0x7fffffff;
  static constexpr UInt kSign = 0x80000000;
  static constexpr int kBias = 127;
  static constexpr float kRound = 12582912.0f;  // 1.5 * 2^23: adding it rounds to an integer
};
template <>
struct Bits<double> {
  using Int = int64_t;
  using UInt = uint64_t;
  static constexpr int kMantissa = 52;
  static constexpr UInt kMantissaMask = 0x000fffffffffffff;
  static constexpr UInt kAbs = 0x7fffffffffffffff;
  static constexpr UInt kSign = 0x8000000000000000;
  static constexpr int kBias = 1023;
  static constexpr double kRound = 6755399441055744.0;  // 1.5 * 2^52
};

// What a formula's T holds: T itself, or what the lanes of a vector are.
template <class T>
struct ScalarOfType {
  using type = T;
};
template <class T>
using ScalarOf = typename ScalarOfType<T>::type;
template <class T, class Scalar>
concept Of = std::same_as<ScalarOf<T>, Scalar>;

template <class T>
inline constexpr T kInf = std::numeric_limits<T>::infinity();
template <class T>
inline constexpr T kNan = std::numeric_limits<T>::quiet_NaN();

template <class T>
constexpr static inline typename Bits<T>::UInt to_bits(T x) {
  if constexpr (requires { x.bits(); })
    return x.bits();
  else
    return std::bit_cast<typename Bits<T>::UInt>(x);
}
template <class T>
static inline T from_bits(typename Bits<T>::UInt b) {
  if constexpr (requires { T::of_bits(b); })
    return T::of_bits(b);
  else
    return std::bit_cast<T>(b);
}
// Both are computed.
template <class Condition, class T>
static inline T select(Condition c, T yes, T no) {
  if constexpr (requires { T::select(c, yes, no); })
    return T::select(c, yes, no);
  else
    return c ? yes : no;
}

template <class T>
static inline T abs(T x) {
  return from_bits<T>(to_bits(x) & Bits<T>::kAbs);
}
template <class T>
static inline typename Bits<T>::UInt sign_bit(T x) {
  return to_bits(x) & Bits<T>::kSign;
}
// `magnitude` must not be negative; it takes the sign of `sign` (also of a zero or a NaN).
template <class T>
static inline T with_sign(T magnitude, T sign) {
  return from_bits<T>(to_bits(magnitude) | sign_bit(sign));
}
template <class T>
static inline T flip_sign(T x, T sign) {
  return from_bits<T>(to_bits(x) ^ sign_bit(sign));
}
// |x|, at most `limit`; a NaN counts as large. By integer minimum: a clamp of constants and
// floating-point compares makes gcc clone the code after it, once for each constant.
template <class T>
static inline T limited_abs(T x, T limit) {
  typename Bits<T>::UInt a = to_bits(x) & Bits<T>::kAbs, b = to_bits(limit);
  return from_bits<T>(a < b ? a : b);
}
// The same with x's sign.
template <class T>
static inline T limit_magnitude(T x, T limit) {
  return with_sign(limited_abs(x, limit), x);
}
// A NaN stays one.
template <class T>
static inline T at_most(T x, T most) {
  return x > most ? most : x;
}
template <class T>
static inline bool is_nan(T x) {
  return x != x;
}

static inline float sqrt(float x) { return __builtin_sqrtf(x); }
static inline double sqrt(double x) { return __builtin_sqrt(x); }
static inline float rsqrt(float x) { return 1 / sqrt(x); }
static inline double rsqrt(double x) { return 1 / sqrt(x); }

// a / b, which Lanes take by an approximate inverse.
template <class T>
static inline T quotient(T a, T b) {
  return a / b;
}

// x = mantissa * 2^exponent with 1/2 <= |mantissa| < 1; zeros, infinities and NaN are themselves,
// with exponent 0.
template <class T>
struct SplitNumber {
  T mantissa, exponent;
};
template <class T>
static inline SplitNumber<T> split_number(T x) {
  using B = Bits<T>;
  using U = typename B::UInt;
  constexpr U kRaise = 64, kHalf = U(B::kBias - 1) << B::kMantissa;
  constexpr T kRaised = T(0x1p64);
  bool tiny = abs(x) < std::numeric_limits<T>::min();
  U bits = to_bits(tiny ? x * kRaised : x), power = (bits & B::kAbs) >> B::kMantissa;
  // As an integer beside the number to which adding rounds: vectors do not convert 64 bits.
  U e = power - U(B::kBias - 1) - (tiny ? kRaise : U(0));
  T exponent = from_bits<T>(to_bits(B::kRound) + e) - B::kRound;
  T mantissa = from_bits<T>((bits & (B::kSign | B::kMantissaMask)) | kHalf);
  bool splits = (x != T(0)) & (abs(x) < kInf<T>);
  return {splits ? mantissa : x, splits ? exponent : T(0)};
}

// a*b + c; fused where the target can, so use it only where either rounding will do.
static inline float mad(float a, float b, float c) {
#ifdef RL_HAS_FMA
  return __builtin_fmaf(a, b, c);
#else
  return a * b + c;
#endif
}
static inline double mad(double a, double b, double c) {
#ifdef RL_HAS_FMA
  return __builtin_fma(a, b, c);
#else
  return a * b + c;
#endif
}

// a*b + c with the product not rounded. Without the instruction: a float product is exact in
// double; a double product is split in two (Dekker 1971), which overflows beyond 2^996.
static inline float fused(float a, float b, float c) {
#ifdef RL_HAS_FMA
  return __builtin_fmaf(a, b, c);
#else
  return float(double(a) * double(b) + double(c));
#endif
}

#ifndef RL_HAS_FMA
static inline double high_half(double x) {
  return from_bits<double>(to_bits(x) & 0xfffffffff8000000ull);
}
#endif
static inline double fused(double a, double b, double c) {
#ifdef RL_HAS_FMA
  return __builtin_fma(a, b, c);
#else
  double a1 = high_half(a), a2 = a - a1, b1 = high_half(b), b2 = b - b1;
  double p = a * b;
  double tail = ((a1 * b1 - p) + a1 * b2 + a2 * b1) + a2 * b2;
  double s = p + c, v = s - p;
  return s + (((p - (s - v)) + (c - v)) + tail);
#endif
}

// c0 + x*(c1 + x*(c2 + ...))
template <class T>
static inline T horner(T, std::type_identity_t<T> c0) {
  return c0;
}
template <class T, class... C>
static inline T horner(T x, std::type_identity_t<T> c0, C... rest) {
  return mad(horner(x, rest...), x, c0);
}

}  // namespace rl::math
