// Floats in the widest vectors of the level a file is compiled for, and the instructions that
// compilers do not find by themselves: table look-up, approximate inverses, partial loads. With
// `mad`, `abs` and the like overloaded for them, a formula may be written once for numbers and
// Lanes. RL_HAS_LANES is defined where the level has such vectors, and RL_HAS_TABLES where one
// holds a table of 16, and there are DoubleLanes with a table of 8. Not here: functions.
#pragma once

#include <cstring>
#include <limits>

#include "bits.h"
#if defined(__AVX2__) && defined(__FMA__)
#include <immintrin.h>
#define RL_HAS_LANES 1

namespace rl::math {

static inline float sum_of(__m256 x) {
  __m128 four = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
  __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}
// Of lanes that hold no NaN.
static inline float largest_of(__m256 x) {
  __m128 four = _mm_max_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
  __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
}
#ifdef __AVX512F__
using Lanes = __m512;
static inline Lanes fill(float x) { return _mm512_set1_ps(x); }
static inline Lanes mad(Lanes a, Lanes b, Lanes c) { return _mm512_fmadd_ps(a, b, c); }
#else
using Lanes = __m256;
static inline Lanes fill(float x) { return _mm256_set1_ps(x); }
static inline Lanes mad(Lanes a, Lanes b, Lanes c) { return _mm256_fmadd_ps(a, b, c); }
#endif
// The estimate of x^(-1/2) times (1 - miss)^(-1/2), two terms of it.
static inline Lanes refined_rsqrt(Lanes x, Lanes rough) {
  const Lanes miss = mad(-(x * rough), rough, fill(1));
  return mad(rough * miss, mad(miss, fill(0.375f), fill(0.5f)), rough);
}

#ifdef __AVX512F__
#define RL_HAS_TABLES 1
// The second argument where either is a NaN.
static inline Lanes larger(Lanes a, Lanes b) { return _mm512_max_ps(a, b); }
static inline Lanes smaller(Lanes a, Lanes b) { return _mm512_min_ps(a, b); }
// Of 16 entries; of the index the low four bits count.
static inline Lanes look_up(Lanes table, Lanes index) {
  return _mm512_permutexvar_ps(_mm512_castps_si512(index), table);
}
// x 2^floor(n), rounded once.
static inline Lanes scale_by_power(Lanes x, Lanes n) { return _mm512_scalef_ps(x, n); }
// To 27 bits, for a normal number in the middle of the range.
static inline Lanes inverse(Lanes x) {
  Lanes rough = _mm512_rcp14_ps(x);
  return mad(rough, _mm512_fnmadd_ps(x, rough, fill(1)), rough);
}
static inline Lanes quotient(Lanes a, Lanes b) { return a * inverse(b); }
// Where the estimate is 0 or infinite, so is the root's inverse.
static inline Lanes rsqrt(Lanes x) {
  const Lanes rough = _mm512_rsqrt14_ps(x), fine = refined_rsqrt(x, rough);
  return _mm512_mask_mov_ps(rough, _mm512_cmp_ps_mask(fine, fine, _CMP_ORD_Q), fine);
}
// The first `count` lanes alone; others are 0.
static inline __mmask16 first_lanes(long count) { return static_cast<__mmask16>((1 << count) - 1); }
static inline Lanes load_first(const float* x, long count) {
  return _mm512_maskz_loadu_ps(first_lanes(count), x);
}
static inline Lanes load_first(const float* x, long count, float others) {
  return _mm512_mask_loadu_ps(fill(others), first_lanes(count), x);
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
static inline float largest_of(Lanes x) {
  __m256 half[2];
  std::memcpy(half, &x, sizeof x);
  return largest_of(_mm256_max_ps(half[0], half[1]));
}
// x = mantissa 2^exponent, the mantissa in [1, 2). That of a negative x is a NaN; zero and infinity
// have such an exponent.
struct MantissaLanes {
  Lanes mantissa, exponent;
};
static inline MantissaLanes split_mantissa(Lanes x) {
  return {_mm512_getmant_ps(x, _MM_MANT_NORM_1_2, _MM_MANT_SIGN_nan), _mm512_getexp_ps(x)};
}

// The same of doubles.
using DoubleLanes = __m512d;
typedef int64_t DoubleLaneBits __attribute__((vector_size(64)));
static inline DoubleLanes fill_double(double x) { return _mm512_set1_pd(x); }
static inline DoubleLanes mad(DoubleLanes a, DoubleLanes b, DoubleLanes c) {
  return _mm512_fmadd_pd(a, b, c);
}
static inline DoubleLanes larger(DoubleLanes a, DoubleLanes b) { return _mm512_max_pd(a, b); }
static inline DoubleLanes smaller(DoubleLanes a, DoubleLanes b) { return _mm512_min_pd(a, b); }
// Of 8 entries; of the index the low three bits count.
static inline DoubleLanes look_up(DoubleLanes table, DoubleLanes index) {
  return _mm512_permutexvar_pd(_mm512_castpd_si512(index), table);
}
static inline DoubleLanes scale_by_power(DoubleLanes x, DoubleLanes n) {
  return _mm512_scalef_pd(x, n);
}
// To 28 bits, for a normal number in the middle of the range.
static inline DoubleLanes inverse(DoubleLanes x) {
  DoubleLanes rough = _mm512_rcp14_pd(x);
  return mad(rough, _mm512_fnmadd_pd(x, rough, fill_double(1)), rough);
}
static inline DoubleLanes quotient(DoubleLanes a, DoubleLanes b) {
  DoubleLanes by = inverse(b), q = a * by;
  return mad(_mm512_fnmadd_pd(q, b, a), by, q);
}
static inline DoubleLanes below_zero(DoubleLanes x) {
  return (DoubleLanes)((DoubleLaneBits)x | std::numeric_limits<int64_t>::min());
}
static inline DoubleLanes load_lanes(const double* x) { return _mm512_loadu_pd(x); }
static inline __mmask8 first_double_lanes(long count) {
  return static_cast<__mmask8>((1 << count) - 1);
}
static inline DoubleLanes load_first(const double* x, long count) {
  return _mm512_maskz_loadu_pd(first_double_lanes(count), x);
}
static inline DoubleLanes keep_first(DoubleLanes x, long count) {
  return _mm512_maskz_mov_pd(first_double_lanes(count), x);
}
static inline void store_lanes(double* to, DoubleLanes x, long count) {
  if (count == 8) return _mm512_storeu_pd(to, x);
  _mm512_mask_storeu_pd(to, first_double_lanes(count), x);
}
// Of floats.
static inline DoubleLanes widen_first(const float* x, long count) {
  return _mm512_cvtps_pd(_mm256_maskz_loadu_ps(first_double_lanes(count), x));
}
static inline void store_narrowed(float* to, DoubleLanes x, long count) {
  _mm256_mask_storeu_ps(to, first_double_lanes(count), _mm512_cvtpd_ps(x));
}
// |x| = mantissa 2^exponent, the mantissa in [3/4, 3/2), for an x that was a float: the factor is
// a little more than 4/3, so that no product is rounded across a power of two.
struct DoubleMantissaLanes {
  DoubleLanes mantissa, exponent;
};
static inline DoubleMantissaLanes split_mantissa(DoubleLanes x) {
  return {_mm512_getmant_pd(x, _MM_MANT_NORM_p75_1p5, _MM_MANT_SIGN_zero),
          _mm512_getexp_pd(x * 0x1.5555555555556p+0)};
}
static inline double sum_of(DoubleLanes x) {
  double part[8];
  std::memcpy(part, &x, sizeof x);
  return ((part[0] + part[4]) + (part[2] + part[6])) + ((part[1] + part[5]) + (part[3] + part[7]));
}
static inline DoubleLanes horner(DoubleLanes, double c0) { return fill_double(c0); }
template <class... C>
static inline DoubleLanes horner(DoubleLanes x, double c0, C... rest) {
  return mad(horner(x, rest...), x, fill_double(c0));
}
#else
// The second argument where either is a NaN.
static inline Lanes larger(Lanes a, Lanes b) { return _mm256_max_ps(a, b); }
static inline Lanes smaller(Lanes a, Lanes b) { return _mm256_min_ps(a, b); }
// Of 8 entries; of the index the low three bits count.
static inline Lanes look_up(Lanes table, Lanes index) {
  return _mm256_permutevar8x32_ps(table, _mm256_castps_si256(index));
}
static inline Lanes inverse(Lanes x) { return 1 / x; }
static inline Lanes quotient(Lanes a, Lanes b) { return a / b; }
// Estimates are for normal numbers; the root and the quotient of others, and negative ones, take
// twice as long.
static inline Lanes rsqrt(Lanes x) {
  using Limits = std::numeric_limits<float>;
  const Lanes normal = _mm256_and_ps(_mm256_cmp_ps(x, fill(Limits::min()), _CMP_GE_OQ),
                                     _mm256_cmp_ps(x, fill(Limits::max()), _CMP_LE_OQ));
  if (_mm256_movemask_ps(normal) != 0xff) [[unlikely]]
    return 1 / _mm256_sqrt_ps(x);
  return refined_rsqrt(x, _mm256_rsqrt_ps(x));
}
// The first `count` lanes alone; others are 0.
static inline __m256i first_lanes(long count) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(count)),
                            _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
static inline Lanes load_first(const float* x, long count) {
  return _mm256_maskload_ps(x, first_lanes(count));
}
static inline Lanes load_first(const float* x, long count, float others) {
  return _mm256_blendv_ps(fill(others), load_first(x, count),
                          _mm256_castsi256_ps(first_lanes(count)));
}
static inline Lanes keep_first(Lanes x, long count) {
  return _mm256_and_ps(x, _mm256_castsi256_ps(first_lanes(count)));
}
static inline void store_first(float* to, Lanes x, long count) {
  _mm256_maskstore_ps(to, first_lanes(count), x);
}
#endif

constexpr long kFloatLanes = sizeof(Lanes) / sizeof(float);
typedef int32_t LaneBits __attribute__((vector_size(sizeof(Lanes))));

static inline Lanes abs(Lanes x) {
  return (Lanes)((LaneBits)x & static_cast<int32_t>(Bits<float>::kAbs));
}
// -|x|
static inline Lanes below_zero(Lanes x) {
  return (Lanes)((LaneBits)x | static_cast<int32_t>(Bits<float>::kSign));
}
static inline Lanes load_lanes(const float* x) {
  Lanes v;
  std::memcpy(&v, x, sizeof v);
  return v;
}
static inline void store_lanes(float* to, Lanes x, long count) {
  if (count == kFloatLanes) return void(std::memcpy(to, &x, sizeof x));
  store_first(to, x, count);
}
static inline Lanes horner(Lanes, float c0) { return fill(c0); }
template <class... C>
static inline Lanes horner(Lanes x, float c0, C... rest) {
  return mad(horner(x, rest...), x, fill(c0));
}
// visit(i, count, load) for every `count` elements of type T from i on, at most what Lanes hold;
// load(x) are those of x.
template <class T = float, class F>
static inline void lanes_each(long n, F visit) {
  constexpr long kCount = sizeof(Lanes) / sizeof(T);
  long i = 0;
  for (; i + kCount <= n; i += kCount)
    visit(i, kCount, [i](const T* x) { return load_lanes(x + i); });
  if (i < n) visit(i, n - i, [i, n](const T* x) { return load_first(x + i, n - i); });
}

}  // namespace rl::math
#endif
