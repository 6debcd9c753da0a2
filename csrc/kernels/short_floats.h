// Runs of 16-bit floats to and from float, with the same results at each level: NaNs become quiet,
// and narrow ones lose their payload. Included by files compiled once per level.
#pragma once
#ifdef __F16C__
#include <immintrin.h>
#endif

#include <bit>

#include "core/dtype.h"
#include "kernels/vectors.h"
#include "plan/isa.h"

namespace rl {
namespace RL_ISA_NS {
namespace {

// Inlined, so that a loop over pieces of one length keeps them in registers: if its vectors have as
// many lanes, `Most` for those of the processor.
#if defined(__AVX2__) && !defined(__AVX512F__)
#define RL_SHORT_PAIRS 1
// 8 of them, interleaved with zeros by halves: processors of this width take twice as long to widen
// integers into 256 bits, and to shift them (Zen 1).
[[gnu::always_inline]] inline __m256 load_eight(const BFloat16* s) {
  const __m128i bits = _mm_loadu_si128(reinterpret_cast<const __m128i*>(s)), zero{};
  return _mm256_castsi256_ps(
      _mm256_set_m128i(_mm_unpackhi_epi16(zero, bits), _mm_unpacklo_epi16(zero, bits)));
}
// Bits of a bfloat16 each in the upper half of a lane, as BFloat16 rounds.
inline __m256i upper_halves(__m256 v) {
  const __m256i x = _mm256_castps_si256(v), one = _mm256_set1_epi32(1),
                below_half = _mm256_set1_epi32(0x7fff);
  __m256i odd = _mm256_and_si256(_mm256_srli_epi32(x, 16), one);
  __m256 sum = _mm256_castsi256_ps(_mm256_add_epi32(_mm256_add_epi32(x, below_half), odd));
  const __m256 nan = _mm256_castsi256_ps(_mm256_set1_epi32(0x7fc00000));
  return _mm256_castps_si256(_mm256_blendv_ps(sum, nan, _mm256_cmp_ps(v, v, _CMP_UNORD_Q)));
}
#endif
template <int Most = 16>
[[gnu::always_inline]] inline void widen(float* d, const BFloat16* s, int64_t n) {
  int64_t i = 0;
#ifdef RL_SHORT_PAIRS
  for (; i + 8 <= n; i += 8) _mm256_storeu_ps(d + i, load_eight(s + i));
#endif
  const int64_t rest = n - i;
#pragma GCC ivdep
  for (int64_t k = 0; k < rest; ++k) d[i + k] = s[i + k];
}
template <int Most = 16>
[[gnu::always_inline]] inline void narrow(BFloat16* d, const float* s, int64_t n) {
  int64_t i = 0;
#ifdef RL_SHORT_PAIRS
  for (; i + 8 <= n; i += 8) {
    __m256i bits = _mm256_srli_epi32(upper_halves(_mm256_loadu_ps(s + i)), 16);
    _mm_storeu_si128(
        reinterpret_cast<__m128i*>(d + i),
        _mm_packus_epi32(_mm256_castsi256_si128(bits), _mm256_extracti128_si256(bits, 1)));
  }
#endif
  const int64_t rest = n - i;
#pragma GCC unroll 1  // 16 steps side by side would have a branch each, and no vectors
#pragma GCC ivdep
  for (int64_t k = 0; k < rest; ++k) d[i + k] = s[i + k];
}

// ---- binary16: by hardware where the level has it, but for the last few
#ifdef __F16C__
inline int64_t last_few(int64_t n) { return n % 8; }
#else
inline int64_t last_few(int64_t n) { return n; }
#endif
#ifdef __F16C__
// 8 of them. Loaded first: processors of this width take a quarter longer to convert from memory
// (Zen 1), which is what gcc prefers.
[[gnu::always_inline]] inline __m256 load_eight(const Half* s) {
  __m128i bits = _mm_loadu_si128(reinterpret_cast<const __m128i*>(s));
#ifndef __AVX512F__
  asm("" : "+x"(bits));
#endif
  return _mm256_cvtph_ps(bits);
}
#endif
inline float quiet(float v) {
  return std::bit_cast<float>(std::bit_cast<uint32_t>(v) | (v != v ? 0x00400000u : 0u));
}
template <int Most = 16>
[[gnu::always_inline]] inline void widen(float* d, const Half* s, int64_t n) {
  int64_t i = 0;
#ifdef __AVX512F__
  for (; Most >= 16 && i + 16 <= n; i += 16)
    _mm512_storeu_ps(d + i,
                     _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(s + i))));
#endif
#ifdef __F16C__
  for (; i + 8 <= n; i += 8) _mm256_storeu_ps(d + i, load_eight(s + i));
#endif
  const int64_t rest = last_few(n);
  for (int64_t k = 0; k < rest; ++k) d[i + k] = quiet(s[i + k]);
}
template <int Most = 16>
[[gnu::always_inline]] inline void narrow(Half* d, const float* s, int64_t n) {
  int64_t i = 0;
  // NaNs come quiet from the instruction: as integers the largest of a sign, cut to the least such.
#ifdef __AVX512DQ__
  for (; Most >= 16 && i + 16 <= n; i += 16) {
    const __m256i positive = _mm256_set1_epi16(0x7e00),
                  negative = _mm256_set1_epi16(int16_t(0xfe00));
    __m256i bits = _mm512_cvtps_ph(_mm512_loadu_ps(s + i), 0);
    bits = _mm256_min_epu16(_mm256_min_epi16(bits, positive), negative);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(d + i), bits);
  }
#endif
#ifdef __F16C__
  for (; i + 8 <= n; i += 8) {
    const __m128i positive = _mm_set1_epi16(0x7e00), negative = _mm_set1_epi16(int16_t(0xfe00));
    __m128i bits = _mm256_cvtps_ph(_mm256_loadu_ps(s + i), 0);
    bits = _mm_min_epu16(_mm_min_epi16(bits, positive), negative);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(d + i), bits);
  }
#endif
  const int64_t rest = last_few(n);
#pragma GCC ivdep
  for (int64_t k = 0; k < rest; ++k) d[i + k] = s[i + k];
}

// ---- the same in any order that is the same to and fro, for what is done to each element alone
template <int Most = 16, class S>
[[gnu::always_inline]] inline void widen_shuffled(float* d, const S* s, int64_t n) {
  widen<Most>(d, s, n);
}
template <int Most = 16, class S>
[[gnu::always_inline]] inline void narrow_shuffled(S* d, const float* s, int64_t n) {
  narrow<Most>(d, s, n);
}
#ifdef RL_SHORT_PAIRS
// Of each 16 the even ones, then the odd ones: halves of the same lanes.
template <int Most = 16>
[[gnu::always_inline]] inline void widen_shuffled(float* d, const BFloat16* s, int64_t n) {
  const __m256i upper = _mm256_set1_epi32(int32_t(0xffff0000));
  for (int64_t i = 0; i < n; i += 16) {
    __m256i pairs = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(s + i));
    _mm256_storeu_ps(d + i, _mm256_castsi256_ps(_mm256_slli_epi32(pairs, 16)));
    _mm256_storeu_ps(d + i + 8, _mm256_castsi256_ps(_mm256_and_si256(pairs, upper)));
  }
}
template <int Most = 16>
[[gnu::always_inline]] inline void narrow_shuffled(BFloat16* d, const float* s, int64_t n) {
  for (int64_t i = 0; i < n; i += 16) {
    __m256i even = _mm256_srli_epi32(upper_halves(_mm256_loadu_ps(s + i)), 16),
            odd = upper_halves(_mm256_loadu_ps(s + i + 8));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(d + i), _mm256_blend_epi16(even, odd, 0xaa));
  }
}
#endif

// ---- an element, and a vector of floats from as many 16-bit ones
template <class T>
inline widened_type<T> load_element(const T* x) {
  return *x;
}
#ifdef __F16C__
inline float load_element(const Half* x) { return _cvtsh_ss(x->bits); }
#endif
inline Vector<float> load_vector(const BFloat16* x) {
#if defined(__AVX512F__)
  __m512i bits = _mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(x)));
  return std::bit_cast<Vector<float>>(_mm512_slli_epi32(bits, 16));
#elif defined(__AVX2__)
  return load_eight(x);
#else
  return Vector<float>{x[0], x[1], x[2], x[3]};
#endif
}
inline Vector<float> load_vector(const Half* x) {
#if defined(__AVX512F__)
  return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(x)));
#elif defined(__F16C__)
  return load_eight(x);
#else
  return Vector<float>{quiet(x[0]), quiet(x[1]), quiet(x[2]), quiet(x[3])};
#endif
}

}  // namespace
}  // namespace RL_ISA_NS
}  // namespace rl
