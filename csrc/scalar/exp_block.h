// exp of a block of floats, by a table that fits a register: half the time of the loop over
// exp.h's and nearer the truth. Here: that one function and the vector instructions it needs.
// Method: x = n ln2/4 + r with |r| <= ln2/8; exp(x) = 2^(n/4) exp(r), where the low three bits of
// n choose 2^0 ... 2^(7/4) from the table and the rest is 4^k, multiplied in two equal factors
// because 4^k alone may overflow or be subnormal. Targets without such a shuffle loop over exp.
#pragma once

#include <cstring>

#include "exp.h"
#if defined(__AVX2__) && defined(__FMA__)
#include <immintrin.h>
#define RL_HAS_LANES 1
#endif

namespace rl::math {

template <class T>
static inline T exp_sum_by_loop(const T* in, T* out, long n, T scale, T shift) {
  T sum = 0;
#pragma GCC ivdep
  for (long i = 0; i < n; ++i) out[i] = exp(in[i] * scale - shift);
  for (long i = 0; i < n; ++i) sum += out[i];
  return sum;
}

#ifdef RL_HAS_LANES
#ifdef __AVX512F__
using Lanes = __m512;
static inline Lanes fill(float x) { return _mm512_set1_ps(x); }
static inline Lanes mad(Lanes a, Lanes b, Lanes c) { return _mm512_fmadd_ps(a, b, c); }
// The second argument where either is a NaN.
static inline Lanes larger(Lanes a, Lanes b) { return _mm512_max_ps(a, b); }
static inline Lanes smaller(Lanes a, Lanes b) { return _mm512_min_ps(a, b); }
static inline Lanes table_of(const float* t) { return _mm512_broadcast_f32x8(_mm256_loadu_ps(t)); }
static inline Lanes look_up(Lanes table, Lanes index) {
  return _mm512_permutexvar_ps(_mm512_castps_si512(index), table);
}
// 2^(bits >> 3), the exponent's bias being among the bits already.
static inline Lanes power_above(Lanes index) {
  return _mm512_castsi512_ps(
      _mm512_slli_epi32(_mm512_srli_epi32(_mm512_castps_si512(index), 3), 23));
}
#else
using Lanes = __m256;
static inline Lanes fill(float x) { return _mm256_set1_ps(x); }
static inline Lanes mad(Lanes a, Lanes b, Lanes c) { return _mm256_fmadd_ps(a, b, c); }
// The second argument where either is a NaN.
static inline Lanes larger(Lanes a, Lanes b) { return _mm256_max_ps(a, b); }
static inline Lanes smaller(Lanes a, Lanes b) { return _mm256_min_ps(a, b); }
static inline Lanes table_of(const float* t) { return _mm256_loadu_ps(t); }
static inline Lanes look_up(Lanes table, Lanes index) {
  return _mm256_permutevar8x32_ps(table, _mm256_castps_si256(index));
}
// 2^(bits >> 3), the exponent's bias being among the bits already.
static inline Lanes power_above(Lanes index) {
  return _mm256_castsi256_ps(
      _mm256_slli_epi32(_mm256_srli_epi32(_mm256_castps_si256(index), 3), 23));
}
#endif

// 2^(j/4) as a float, and what the float lacks.
alignas(32) inline constexpr float kQuarterPower[8] = {
    0x1p+0f, 0x1.306fep+0f, 0x1.6a09e6p+0f, 0x1.ae89fap+0f,
    0x1p+1f, 0x1.306fep+1f, 0x1.6a09e6p+1f, 0x1.ae89fap+1f};
alignas(32) inline constexpr float kQuarterPowerRest[8] = {
    0x0p+0f, 0x1.4636e2p-25f, 0x1.9fcef4p-26f, -0x1.a94b14p-26f,
    0x0p+0f, 0x1.4636e2p-24f, 0x1.9fcef4p-25f, -0x1.a94b14p-25f};

static inline Lanes exp_lanes(Lanes x, Lanes table, Lanes rest) {
  using C = ExpConst<float>;
  const Lanes shift = fill(Bits<float>::kRound + 8 * Bits<float>::kBias);
  Lanes limited = smaller(fill(exp_limits_f.high), larger(fill(exp_limits_f.low), x));
  Lanes shifted = mad(limited, fill(4 * C::kLog2e), shift), n = shifted - shift;
  Lanes high = mad(n, fill(C::kLn2Hi / -4), limited), r = mad(n, fill(C::kLn2Lo / -4), high);
  Lanes square = r * r, low = mad(r, fill(0.166666687f), fill(0.49999997f));
  Lanes curve = mad(square, mad(r, fill(0.00833228976f), fill(0.0416810662f)), low);
  Lanes head = look_up(table, shifted), power = power_above(shifted);
  Lanes more = mad(head, mad(square, curve, r), look_up(rest, shifted));
  return (head + more) * power * power;
}
// visit(lanes, i, count) for the exponentials of `argument(lanes of in)`, `count` of them valid.
template <class A, class F>
static inline void exp_each(const float* in, long n, A argument, F visit) {
  constexpr long kLanes = sizeof(Lanes) / sizeof(float);
  const Lanes table = table_of(kQuarterPower), rest = table_of(kQuarterPowerRest);
  Lanes x;
  long i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    std::memcpy(&x, in + i, sizeof x);
    visit(exp_lanes(argument(x), table, rest), i, kLanes);
  }
  if (i == n) return;
  x = fill(0.0f);
  std::memcpy(&x, in + i, (n - i) * sizeof(float));
  visit(exp_lanes(argument(x), table, rest), i, n - i);
}
static inline void exp_block(const float* in, float* out, long n) {
  exp_each(
      in, n, [](Lanes x) { return x; },
      [&](Lanes y, long i, long count) { std::memcpy(out + i, &y, count * sizeof(float)); });
}
// out[i] = exp(in[i] * scale - shift), and their sum.
static inline float exp_sum(const float* in, float* out, long n, float scale, float shift) {
  constexpr long kLanes = sizeof(Lanes) / sizeof(float);
  Lanes sums = fill(0.0f), by = fill(scale), below = fill(-shift);
  float tail = 0;
  exp_each(
      in, n, [&](Lanes x) { return mad(x, by, below); },
      [&](Lanes y, long i, long count) {
        if (count == kLanes) {
          std::memcpy(out + i, &y, sizeof y);
          sums += y;
          return;
        }
        std::memcpy(out + i, &y, count * sizeof(float));
        for (long j = 0; j < count; ++j) tail += out[i + j];
      });
  float parts[kLanes];
  std::memcpy(parts, &sums, sizeof sums);
  for (long w = kLanes / 2; w; w /= 2)
    for (long j = 0; j < w; ++j) parts[j] += parts[j + w];
  return parts[0] + tail;
}
#else
static inline void exp_block(const float* in, float* out, long n) {
#pragma GCC ivdep
  for (long i = 0; i < n; ++i) out[i] = exp(in[i]);
}
static inline float exp_sum(const float* in, float* out, long n, float scale, float shift) {
  return exp_sum_by_loop(in, out, n, scale, shift);
}
#endif
static inline void exp_block(const double* in, double* out, long n) {
#pragma GCC ivdep
  for (long i = 0; i < n; ++i) out[i] = exp(in[i]);
}
static inline double exp_sum(const double* in, double* out, long n, double scale, double shift) {
  return exp_sum_by_loop(in, out, n, scale, shift);
}

}  // namespace rl::math
