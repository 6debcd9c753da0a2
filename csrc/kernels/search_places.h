// Places of values in sorted sequences. Included by files that are compiled once per
// instruction-set level, and by one that is not.
#pragma once
#include <algorithm>
#include <bit>
#if defined(__AVX512F__)
#include <immintrin.h>
#endif

#include "kernels/vectors.h"

namespace rl {
namespace RL_ISA_NS {
namespace {

// For each value the first place whose element(place) is not below it (not at most it if kRight).
// Several searches abreast: each waits for its elements. All halve n as often, but for the last
// time, when some have nothing left. The sequence need not be sorted: then the steps say which.
template <bool kRight, class T, class Element>
void find_places(int64_t n, Element element, const T* values, int64_t count, int64_t* out) {
  constexpr int64_t kAbreast = 8;
  const int steps = static_cast<int>(std::bit_width(static_cast<uint64_t>(n) + 1)) - 1;
  for (int64_t i = 0; i < count; i += kAbreast) {
    uint64_t low[kAbreast] = {}, high[kAbreast];
    T v[kAbreast];
    for (int64_t k = 0; k < kAbreast; ++k) v[k] = values[std::min(i + k, count - 1)], high[k] = n;
    auto halve = [&](int64_t k, uint64_t place, uint64_t open) {
      const T m = element(place);
      const bool after = kRight ? !(m > v[k]) : !(m >= v[k]);
      // Masks, for which half is not known beforehand.
      const uint64_t up = -static_cast<uint64_t>(after) & open, down = ~up & open;
      low[k] += (place + 1 - low[k]) & up;
      high[k] -= (high[k] - place) & down;
    };
    for (int s = 0; s < steps; ++s)
#pragma GCC unroll 8
      for (int64_t k = 0; k < kAbreast; ++k) halve(k, (low[k] + high[k]) / 2, ~uint64_t{});
    for (int64_t k = 0; n && k < kAbreast; ++k)
      halve(k, std::min<uint64_t>(low[k], n - 1), -static_cast<uint64_t>(low[k] < high[k]));
    std::copy_n(low, std::min(kAbreast, count - i), out + i);
  }
}

#if defined(__AVX512F__)
template <class T>
using Places = Vector<std::conditional_t<sizeof(T) == 4, int32_t, int64_t>>;
inline Vector<float> gathered(const float* a, Places<float> at) {
  return (Vector<float>)_mm512_i32gather_ps((__m512i)at, a, 4);
}
inline Vector<double> gathered(const double* a, Places<double> at) {
  return (Vector<double>)_mm512_i64gather_pd((__m512i)at, a, 8);
}
inline Vector<int64_t> gathered(const int64_t* a, Places<int64_t> at) {
  return (Vector<int64_t>)_mm512_i64gather_epi64((__m512i)at, a, 8);
}

// The same steps for vectors of values, which look their elements up together (with AVX2 that gains
// nothing): for sequences whose places fit the lanes, twice.
template <bool kRight, class T>
void find_places_by_vectors(int64_t n, const T* a, const T* values, int64_t count, int64_t* out) {
  using P = Places<T>;
  constexpr int kVectors = 2, kWidth = kLanes<T>;
  const int steps = static_cast<int>(std::bit_width(static_cast<uint64_t>(n) + 1)) - 1;
  for (int64_t i = 0; i < count; i += kVectors * kWidth) {
    const int64_t some = std::min<int64_t>(count - i, kVectors * kWidth);
    T v[kVectors * kWidth] = {};
    std::copy_n(values + i, some, v);
    P low[kVectors] = {}, high[kVectors];
    for (P& h : high) h = P{} + static_cast<int>(n);
    auto halve = [&](int k, P place, P open) {
      const Vector<T> m = gathered(a, place), x = load_vector(v + k * kWidth);
      const P after = kRight ? ~(m > x) : ~(m >= x);
      low[k] = (after & open) ? place + 1 : low[k];
      high[k] = (~after & open) ? place : high[k];
    };
    for (int s = 0; s < steps; ++s)
#pragma GCC unroll 2
      for (int k = 0; k < kVectors; ++k) halve(k, (low[k] + high[k]) >> 1, ~P{});
#pragma GCC unroll 2
    for (int k = 0; n && k < kVectors; ++k) {
      const P last = P{} + static_cast<int>(n - 1);
      halve(k, low[k] < last ? low[k] : last, low[k] < high[k]);
    }
    for (int64_t k = 0; k < some; ++k) out[i + k] = low[k / kWidth][k % kWidth];
  }
}
#endif

// A value's place among few elements in order is how many it is after: all are compared. False if
// they are not in order.
template <class T>
constexpr int64_t kFewElements = sizeof(T) == 4 ? 64 : 40;
template <bool kRight, class T>
bool count_elements_before(int64_t n, const T* a, const T* values, int64_t count, int64_t* out) {
  constexpr int kVectors = 4, kTogether = kVectors * kLanes<T>;
  using Counts = decltype(Vector<T>() < Vector<T>());
  for (int64_t j = 1; j < n; ++j)
    if (!(a[j - 1] <= a[j])) return false;
  T v[kTogether] = {};
  for (int64_t i = 0, some; i < count; i += some) {
    some = std::min<int64_t>(count - i, kTogether);
    std::copy_n(values + i, some, v);
    Counts after[kVectors];
    for (Counts& c : after) c = Counts{} + static_cast<int>(n);
    for (int64_t j = 0; j < n; ++j)
#pragma GCC unroll 4
      for (int k = 0; k < kVectors; ++k) {
        const Vector<T> x = load_vector(v + k * kLanes<T>);
        after[k] += kRight ? x < a[j] : x <= a[j];
      }
    for (int64_t k = 0; k < some; ++k) out[i + k] = after[k / kLanes<T>][k % kLanes<T>];
  }
  return true;
}

template <class T>
void find_places(const T* a, const int64_t* order, int64_t n, const T* values, int64_t count,
                 bool right, int64_t* out) {
  auto run = [&](auto element) {
    right ? find_places<true>(n, element, values, count, out)
          : find_places<false>(n, element, values, count, out);
  };
  auto few = [&] {
    return right ? count_elements_before<true>(n, a, values, count, out)
                 : count_elements_before<false>(n, a, values, count, out);
  };
  if (!order && n > 0 && n <= kFewElements<T> && count >= 2 * n && few()) return;
#if defined(__AVX512F__)
  if (!order && n < (int64_t{1} << 30) && count >= kLanes<T>)
    return right ? find_places_by_vectors<true>(n, a, values, count, out)
                 : find_places_by_vectors<false>(n, a, values, count, out);
#endif
  order ? run([=](int64_t i) { return a[order[i]]; }) : run([=](int64_t i) { return a[i]; });
}

}  // namespace
}  // namespace RL_ISA_NS
}  // namespace rl
