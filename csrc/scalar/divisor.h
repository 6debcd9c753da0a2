// Greatest common divisors of a block, by Stein's binary algorithm: a vector of elements at a time,
// until the last is done. Trailing zeros are counted by the exponent of the lowest bit as a float.
// Where vectors know no shifts by lanes, or no such conversion (of 64 bits below AVX-512), one by
// one.
#pragma once

#include <numeric>
#include <type_traits>

#include "bits.h"

namespace rl::math {

// Of x > 0; of 0, anything.
static inline uint32_t trailing_zeros(uint32_t x) {
  return (to_bits(float(int32_t(x & (0 - x)))) >> 23 & 0xff) - 127;
}
static inline uint64_t trailing_zeros(uint64_t x) {
  return (to_bits(double(int64_t(x & (0 - x)))) >> 52 & 0x7ff) - 1023;
}
#if defined(__AVX512DQ__)
constexpr size_t kDivisorBytes = 8;
#elif defined(__AVX2__)
constexpr size_t kDivisorBytes = 4;
#else
constexpr size_t kDivisorBytes = 0;
#endif
// y without trailing zeros; 0 stays 0.
template <class U>
static inline U odd_part(U y) {
  return y >> (trailing_zeros(y) & (8 * sizeof(U) - 1));
}

template <class T>
struct Magnitude {
  using type = std::conditional_t<sizeof(T) == 8, uint64_t, uint32_t>;
};
template <class T>
static inline typename Magnitude<T>::type magnitude(T x) {
  using U = typename Magnitude<T>::type;
  return x < 0 ? U(0) - U(x) : U(x);
}
// Of the magnitudes, as the least of signed numbers has no negation.
template <class T>
static inline T divisor(T a, T b) {
  return T(std::gcd(magnitude(a), magnitude(b)));
}
constexpr long kDivisorLanes = 32;
// x[i] becomes the greatest common divisor of x[i] and y[i], for all of a piece.
template <class U>
static inline void divisor_piece(U* x, U* y) {
  U twos[kDivisorLanes];
  for (long i = 0; i < kDivisorLanes; ++i) {
    U a = x[i] == 0 ? y[i] : x[i], b = x[i] == 0 ? 0 : y[i];
    twos[i] = trailing_zeros(a | b) & (8 * sizeof(U) - 1);
    x[i] = odd_part(a), y[i] = b;
  }
  for (U left = 1; left != 0;) {
    left = 0;
    for (long i = 0; i < kDivisorLanes; ++i) {
      U a = x[i], b = odd_part(y[i]), less = a < b ? a : b, more = a < b ? b : a;
      x[i] = b == 0 ? a : less;
      y[i] = b == 0 ? 0 : more - less;
      left |= y[i];
    }
  }
  for (long i = 0; i < kDivisorLanes; ++i) x[i] <<= twos[i];
}
template <class T>
static inline void gcd_block(const T* a, const T* b, T* out, long n) {
  if constexpr (sizeof(T) > kDivisorBytes) {
    for (long i = 0; i < n; ++i) out[i] = divisor(a[i], b[i]);
    return;
  }
  using U = typename Magnitude<T>::type;
  U x[kDivisorLanes] = {}, y[kDivisorLanes] = {};
  for (long from = 0; from < n; from += kDivisorLanes) {
    const long count = n - from < kDivisorLanes ? n - from : kDivisorLanes;
    for (long i = 0; i < count; ++i) x[i] = magnitude(a[from + i]), y[i] = magnitude(b[from + i]);
    divisor_piece(x, y);
    for (long i = 0; i < count; ++i) out[from + i] = T(x[i]);
  }
}

}  // namespace rl::math
