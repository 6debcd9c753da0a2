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
static inline float sum_of(__m256 x) {
  __m128 four = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
  __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}
#ifdef __AVX512F__
using Lanes = __m512;
static inline Lanes fill(float x) { return _mm512_set1_ps(x); }
static inline Lanes mad(Lanes a, Lanes b, Lanes c) { return _mm512_fmadd_ps(a, b, c); }
// The second argument where either is a NaN.
static inline Lanes larger(Lanes a, Lanes b) { return _mm512_max_ps(a, b); }
static inline Lanes smaller(Lanes a, Lanes b) { return _mm512_min_ps(a, b); }
static inline Lanes table_of(const float* t) {
  return _mm512_maskz_broadcast_f32x8(0xffff, _mm256_loadu_ps(t));
}
static inline Lanes look_up(Lanes table, Lanes index) {
  return _mm512_permutexvar_ps(_mm512_castps_si512(index), table);
}
// 2^(bits >> 3), the exponent's bias being among the bits already.
static inline Lanes power_above(Lanes index) {
  return _mm512_castsi512_ps(
      _mm512_slli_epi32(_mm512_srli_epi32(_mm512_castps_si512(index), 3), 23));
}
// The first `count` lanes alone; others are 0.
static inline __mmask16 first_lanes(long count) { return static_cast<__mmask16>((1 << count) - 1); }
static inline Lanes load_first(const float* x, long count) {
  return _mm512_maskz_loadu_ps(first_lanes(count), x);
}
static inline Lanes keep_first(Lanes x, long count) {
  return _mm512_maskz_mov_ps(first_lanes(count), x);
}
static inline void store_first(float* to, Lanes x, long count) {
  _mm512_mask_storeu_ps(to, first_lanes(count), x);
}
static inline float sum_of(Lanes x) {
  __m256 half[2];
  std::memcpy(half, &x, sizeof x);
  return sum_of(half[0] + half[1]);
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
// The first `count` lanes alone; others are 0.
static inline __m256i first_lanes(long count) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(count)),
                            _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
static inline Lanes load_first(const float* x, long count) {
  return _mm256_maskload_ps(x, first_lanes(count));
}
static inline Lanes keep_first(Lanes x, long count) {
  return _mm256_and_ps(x, _mm256_castsi256_ps(first_lanes(count)));
}
static inline void store_first(float* to, Lanes x, long count) {
  _mm256_maskstore_ps(to, first_lanes(count), x);
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
  if (i < n) visit(exp_lanes(argument(load_first(in + i, n - i)), table, rest), i, n - i);
}
static inline void store_lanes(float* to, Lanes x, long count) {
  constexpr long kLanes = sizeof(Lanes) / sizeof(float);
  if (count == kLanes) return void(std::memcpy(to, &x, sizeof x));
  store_first(to, x, count);
}
static inline void exp_block(const float* in, float* out, long n) {
  exp_each(
      in, n, [](Lanes x) { return x; },
      [&](Lanes y, long i, long count) { store_lanes(out + i, y, count); });
}
// out[i] = exp(in[i] * scale - shift), and their sum.
static inline float exp_sum(const float* in, float* out, long n, float scale, float shift) {
  constexpr long kLanes = sizeof(Lanes) / sizeof(float);
  Lanes sums = fill(0.0f), by = fill(scale), below = fill(-shift);
  exp_each(
      in, n, [&](Lanes x) { return mad(x, by, below); },
      [&](Lanes y, long i, long count) {
        store_lanes(out + i, y, count);
        sums += count == kLanes ? y : keep_first(y, count);
      });
  return sum_of(sums);
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
