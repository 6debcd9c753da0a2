// Squares of registers transposed: as many vectors as each has lanes. What is moved in squares, and
// from where, is the caller's. Included by files compiled once per level.
#pragma once
#include <bit>
#include <utility>
#ifdef __AVX__
#include <immintrin.h>
#endif

#include "plan/isa.h"

namespace rl {
namespace RL_ISA_NS {
namespace {

// Two vectors by turns: the first or the second half of what comes of it.
template <int Half, class V, size_t... I>
V by_turns(V a, V b, std::index_sequence<I...>) {
  constexpr size_t N = sizeof...(I);
  return __builtin_shufflevector(a, b, (I % 2 * N + (I + Half * N) / 2)...);
}

// The same for 4-byte lanes in two steps, squares of four within parts of 16 bytes and squares of
// parts: turns within a part take half the time of those across a vector.
#ifdef __AVX__
[[gnu::always_inline]] inline void transpose_parts(__m256 (&v)[8]) {
  for (int c = 0; c < 4; ++c) {
    __m256 low = v[c], high = v[4 + c];
    v[c] = _mm256_permute2f128_ps(low, high, 0x20);
    v[4 + c] = _mm256_permute2f128_ps(low, high, 0x31);
  }
}
[[gnu::always_inline]] inline void unpack(__m256 a, __m256 b, __m256& low, __m256& high) {
  low = _mm256_unpacklo_ps(a, b), high = _mm256_unpackhi_ps(a, b);
}
[[gnu::always_inline]] inline void unpack_pairs(__m256 a, __m256 b, __m256& low, __m256& high) {
  __m256d x = _mm256_castps_pd(a), y = _mm256_castps_pd(b);
  low = _mm256_castpd_ps(_mm256_unpacklo_pd(x, y));
  high = _mm256_castpd_ps(_mm256_unpackhi_pd(x, y));
}
#endif
#ifdef __AVX512F__
[[gnu::always_inline]] inline void transpose_parts(__m512 (&v)[16]) {
  for (int c = 0; c < 4; ++c) {
    __m512 even[2], odd[2];
    for (int h = 0; h < 2; ++h) {
      even[h] = _mm512_shuffle_f32x4(v[8 * h + c], v[8 * h + 4 + c], 0x88);
      odd[h] = _mm512_shuffle_f32x4(v[8 * h + c], v[8 * h + 4 + c], 0xdd);
    }
    v[c] = _mm512_shuffle_f32x4(even[0], even[1], 0x88);
    v[4 + c] = _mm512_shuffle_f32x4(odd[0], odd[1], 0x88);
    v[8 + c] = _mm512_shuffle_f32x4(even[0], even[1], 0xdd);
    v[12 + c] = _mm512_shuffle_f32x4(odd[0], odd[1], 0xdd);
  }
}
[[gnu::always_inline]] inline void unpack(__m512 a, __m512 b, __m512& low, __m512& high) {
  low = _mm512_unpacklo_ps(a, b), high = _mm512_unpackhi_ps(a, b);
}
[[gnu::always_inline]] inline void unpack_pairs(__m512 a, __m512 b, __m512& low, __m512& high) {
  __m512d x = _mm512_castps_pd(a), y = _mm512_castps_pd(b);
  low = _mm512_castpd_ps(_mm512_unpacklo_pd(x, y));
  high = _mm512_castpd_ps(_mm512_unpackhi_pd(x, y));
}
#endif
template <class M, int N>
[[gnu::always_inline]] inline void transpose_by_parts(M (&v)[N]) {
#pragma GCC unroll 4
  for (int i = 0; i < N; i += 4) {
    M t[4];
    unpack(v[i], v[i + 1], t[0], t[1]), unpack(v[i + 2], v[i + 3], t[2], t[3]);
    unpack_pairs(t[0], t[2], v[i], v[i + 1]), unpack_pairs(t[1], t[3], v[i + 2], v[i + 3]);
  }
  transpose_parts(v);
}

// Lane i of vector l becomes lane l of vector i. Interleaving the first half of the vectors with
// the second turns the bits of an element's place around by one; log2(N) times, it transposes.
template <int N, class V>
[[gnu::always_inline]] inline void transpose(V (&v)[N]) {
#ifdef __AVX__
  auto by_parts = [&]<class M>(M) {
    M m[N];
    for (int i = 0; i < N; ++i) m[i] = std::bit_cast<M>(v[i]);
    transpose_by_parts(m);
    for (int i = 0; i < N; ++i) v[i] = std::bit_cast<V>(m[i]);
  };
  if constexpr (N == 8 && sizeof(V) == 32) return by_parts(__m256{});
#ifdef __AVX512F__
  if constexpr (N == 16 && sizeof(V) == 64) return by_parts(__m512{});
#endif
#endif
  constexpr std::make_index_sequence<N> lanes;
#pragma GCC unroll 4
  for (int width = 1; width < N; width *= 2) {
    V next[N];
#pragma GCC unroll 16
    for (int i = 0; i < N / 2; ++i) {
      next[2 * i] = by_turns<0>(v[i], v[i + N / 2], lanes);
      next[2 * i + 1] = by_turns<1>(v[i], v[i + N / 2], lanes);
    }
#pragma GCC unroll 16
    for (int i = 0; i < N; ++i) v[i] = next[i];
  }
}

}  // namespace
}  // namespace RL_ISA_NS
}  // namespace rl
