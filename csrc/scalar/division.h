// Whole quotients and what they leave: floor_divide, remainder, fmod. Branch-free for nearly all
// operands, so that loops vectorise; a loop that meets others takes these one by one.
// Floats: a - trunc(a / b) b comes out exactly if the product is not rounded and the quotient has
// no more digits than a number. Integers: in floats that hold them exactly, a quotient is at least
// 1/b away from the next whole number, which is more than its rounding.
// Included by scalar/arith.h.
#pragma once

#include <cmath>
#include <cstdint>
#include <type_traits>

#include "bits.h"

namespace rl::math {

constexpr int64_t kDivisionPiece = 256;

// std::fmod, unless is_long_quotient: the rounded quotient's whole part is one too large at most.
template <class T>
static inline T short_fmod(T a, T b) {
  T over = abs(a), under = abs(b), q = std::trunc(over / under);
  T rest = fused(-q, under, over);
  rest = rest < T(0) ? rest + under : rest;
  return with_sign(over < under ? over : rest, a);
}
template <class T>
static inline bool is_long_quotient(T a, T b) {
  T over = abs(a), under = abs(b);
  bool is_long = over >= under / std::numeric_limits<T>::epsilon();
#ifndef RL_HAS_FMA
  if constexpr (sizeof(T) == 8) is_long |= (under > T(0x1p900)) | (under < T(0x1p-900));
#endif
  return is_long & (over < kInf<T>)&(under != T(0));
}
// out[i] = formula(a[i], b[i], std::fmod(a[i], b[i])); `out` may be a or b.
template <class T, class F>
static inline void map_remainders(const T* a, const T* b, T* out, int64_t n, F formula) {
  T rest[kDivisionPiece];
  for (int64_t from = 0; from < n; from += kDivisionPiece) {
    const int64_t count = n - from < kDivisionPiece ? n - from : kDivisionPiece;
    const T *x = a + from, *y = b + from;
    typename Bits<T>::Int any_long = 0;
#pragma GCC ivdep
    for (int64_t i = 0; i < count; ++i) {
      rest[i] = short_fmod(x[i], y[i]);
      any_long |= is_long_quotient(x[i], y[i]) ? 1 : 0;
    }
    for (int64_t i = 0; any_long && i < count; ++i)
      if (is_long_quotient(x[i], y[i])) rest[i] = std::fmod(x[i], y[i]);
#pragma GCC ivdep
    for (int64_t i = 0; i < count; ++i) out[from + i] = formula(x[i], y[i], rest[i]);
  }
}

// Integers as floats and back, modulo 2^bits; 64-bit ones by the addition that rounds to integers,
// which every level has in vectors.
template <class T>
using FloatOf = std::conditional_t<sizeof(T) <= 2, float, double>;
constexpr int64_t kHeldExactly = int64_t{1} << 51;
template <class T>
static inline FloatOf<T> to_float(T a) {
  constexpr double kRound = Bits<double>::kRound;
  if constexpr (sizeof(T) == 8)
    return from_bits<double>(static_cast<uint64_t>(a) + std::bit_cast<uint64_t>(kRound)) - kRound;
  else
    return static_cast<FloatOf<T>>(a);
}
template <class T>
static inline T to_integer(FloatOf<T> a) {
  constexpr double kRound = Bits<double>::kRound;
  if constexpr (sizeof(T) <= 2)
    return static_cast<T>(static_cast<int32_t>(a));
  else
    return static_cast<T>(to_bits(a + kRound) - std::bit_cast<uint64_t>(kRound));
}
template <class T>
static inline bool is_held_exactly(T a) {
  if constexpr (sizeof(T) < 8)
    return true;
  else
    return static_cast<uint64_t>(a) + kHeldExactly < 2 * static_cast<uint64_t>(kHeldExactly);
}
// out[i] = formula(a[i], b[i]) of the two as floats; one(a[i], b[i]) in pieces where these do not
// hold them or a divisor is 0.
template <class T, class F, class G>
static inline void map_quotients(const T* a, const T* b, T* out, int64_t n, F formula, G one) {
  for (int64_t from = 0; from < n; from += kDivisionPiece) {
    const int64_t end = n - from < kDivisionPiece ? n : from + kDivisionPiece;
    std::make_unsigned_t<T> others = 0;
    for (int64_t i = from; i < end; ++i)
      others |= (b[i] == 0) | !is_held_exactly(a[i]) | !is_held_exactly(b[i]);
    for (int64_t i = from; others && i < end; ++i) out[i] = one(a[i], b[i]);
    if (others) continue;
#pragma GCC ivdep
    for (int64_t i = from; i < end; ++i)
      out[i] = to_integer<T>(formula(to_float(a[i]), to_float(b[i])));
  }
}

}  // namespace rl::math
