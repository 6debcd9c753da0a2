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
template <int Most = 16>
[[gnu::always_inline]] inline void widen(float* d, const BFloat16* s, int64_t n) {
#pragma GCC ivdep
  for (int64_t i = 0; i < n; ++i) d[i] = s[i];
}
template <int Most = 16>
[[gnu::always_inline]] inline void narrow(BFloat16* d, const float* s, int64_t n) {
#pragma GCC unroll 1  // 16 steps side by side would have a branch each, and no vectors
#pragma GCC ivdep
  for (int64_t i = 0; i < n; ++i) d[i] = s[i];
}

// ---- binary16: by hardware where the level has it, but for the last few
#ifdef __F16C__
inline int64_t last_few(int64_t n) { return n % 8; }
#else
inline int64_t last_few(int64_t n) { return n; }
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
  for (; i + 8 <= n; i += 8)
    _mm256_storeu_ps(d + i,
                     _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(s + i))));
#endif
  const int64_t rest = last_few(n);
  for (int64_t k = 0; k < rest; ++k) d[i + k] = quiet(s[i + k]);
}
template <int Most = 16>
[[gnu::always_inline]] inline void narrow(Half* d, const float* s, int64_t n) {
  int64_t i = 0;
#ifdef __AVX512DQ__
  for (; Most >= 16 && i + 16 <= n; i += 16) {
    __m512 v = _mm512_loadu_ps(s + i), plain = _mm512_and_ps(v, _mm512_set1_ps(-0.0f));
    __mmask16 is_nan = _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q);
    v = _mm512_mask_or_ps(v, is_nan, plain, _mm512_castsi512_ps(_mm512_set1_epi32(0x7fc00000)));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(d + i), _mm512_cvtps_ph(v, 0));
  }
#endif
#ifdef __F16C__
  const __m256 sign = _mm256_set1_ps(-0.0f),
               nan = _mm256_castsi256_ps(_mm256_set1_epi32(0x7fc00000));
  for (; i + 8 <= n; i += 8) {
    __m256 v = _mm256_loadu_ps(s + i);
    __m256 plain = _mm256_or_ps(_mm256_and_ps(v, sign), nan);
    v = _mm256_blendv_ps(v, plain, _mm256_cmp_ps(v, v, _CMP_UNORD_Q));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(d + i), _mm256_cvtps_ph(v, 0));
  }
#endif
  const int64_t rest = last_few(n);
#pragma GCC ivdep
  for (int64_t k = 0; k < rest; ++k) d[i + k] = s[i + k];
}

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
  __m256i bits = _mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(x)));
  return std::bit_cast<Vector<float>>(_mm256_slli_epi32(bits, 16));
#else
  return Vector<float>{x[0], x[1], x[2], x[3]};
#endif
}
inline Vector<float> load_vector(const Half* x) {
#if defined(__AVX512F__)
  return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(x)));
#elif defined(__F16C__)
  return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(x)));
#else
  return Vector<float>{quiet(x[0]), quiet(x[1]), quiet(x[2]), quiet(x[3])};
#endif
}

}  // namespace
}  // namespace RL_ISA_NS
}  // namespace rl
