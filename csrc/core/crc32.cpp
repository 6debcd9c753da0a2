// Bytes are coefficients of a polynomial over GF(2), lowest power last, and the checksum is what
// division by P leaves. With carry-less multiplication 64 bytes are folded onto the next 64 at a
// time (Gopal et al. 2009, "Fast CRC Computation for Generic Polynomials Using PCLMULQDQ"); what is
// left of that, and machines without the instruction, take a table.
#include "core/crc32.h"

#include <array>
#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace rl {
namespace {

constexpr uint32_t kP = 0xEDB88320;  // without its highest power; bits are in reverse order

constexpr uint32_t times_x(uint32_t a) { return a & 1 ? a >> 1 ^ kP : a >> 1; }

// table[k][b]: byte b, followed by k zero bytes.
constexpr auto kTable = [] {
  std::array<std::array<uint32_t, 256>, 8> table{};
  for (uint32_t b = 0; b < 256; ++b) {
    uint32_t rest = b;
    for (int k = 0; k < 8; ++k) {
      for (int bit = 0; bit < 8; ++bit) rest = times_x(rest);
      table[k][b] = rest;
    }
  }
  return table;
}();

// Both take and return the state, which is the checksum's complement.
uint32_t by_table(uint32_t state, const uint8_t* p, size_t n) {
  for (; n >= 8; n -= 8, p += 8) {
    uint64_t word;
    std::memcpy(&word, p, 8);
    word ^= state;
    state = 0;
    for (int k = 0; k < 8; ++k) state ^= kTable[7 - k][word >> 8 * k & 0xff];
  }
  for (; n; --n, ++p) state = state >> 8 ^ kTable[0][(state ^ *p) & 0xff];
  return state;
}

#if defined(__x86_64__)
constexpr int64_t power_of_x(int n) {
  uint32_t a = 0x80000000;  // 1
  for (; n; --n) a = times_x(a);
  return static_cast<int64_t>(a) << 1;
}

// x, moved up by the distance that `by` stands for, onto y.
[[gnu::target("pclmul,sse4.1")]] inline __m128i fold(__m128i x, __m128i by, __m128i y) {
  __m128i low = _mm_clmulepi64_si128(x, by, 0x00), high = _mm_clmulepi64_si128(x, by, 0x11);
  return _mm_xor_si128(_mm_xor_si128(low, high), y);
}

template <int n>  // so that the powers are known when this is compiled: finding them takes 5 us
[[gnu::target("pclmul,sse4.1")]] inline __m128i by_bits() {
  constexpr int64_t high = power_of_x(n - 32), low = power_of_x(n + 32);
  return _mm_set_epi64x(high, low);
}

// 64 bytes and the n behind them. Leaves p and n at the rest of less than 16 bytes.
[[gnu::target("pclmul,sse4.1")]] uint32_t fold_on(__m128i (&x)[4], const uint8_t*& p, size_t& n) {
  const __m128i by_64 = by_bits<512>(), by_16 = by_bits<128>();
  auto load = [&](int i) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p) + i); };
  for (; n >= 64; p += 64, n -= 64)
    for (int i = 0; i < 4; ++i) x[i] = fold(x[i], by_64, load(i));
  __m128i all = x[0];
  for (int i = 1; i < 4; ++i) all = fold(all, by_16, x[i]);
  for (; n >= 16; p += 16, n -= 16) all = fold(all, by_16, load(0));
  uint8_t last[16];
  std::memcpy(last, &all, 16);
  return by_table(0, last, 16);
}

// For n >= 64.
[[gnu::target("pclmul,sse4.1")]] uint32_t by_folding(uint32_t state, const uint8_t*& p, size_t& n) {
  __m128i x[4];
  for (int i = 0; i < 4; ++i) x[i] = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p) + i);
  x[0] = _mm_xor_si128(x[0], _mm_cvtsi32_si128(static_cast<int>(state)));
  p += 64, n -= 64;
  return fold_on(x, p, n);
}

#define RL_WIDE_FOLDS [[gnu::target("avx512f,vpclmulqdq,pclmul,sse4.1")]]
RL_WIDE_FOLDS inline __m512i fold(__m512i x, __m512i by, __m512i y) {
  __m512i low = _mm512_clmulepi64_epi128(x, by, 0x00), high = _mm512_clmulepi64_epi128(x, by, 0x11);
  return _mm512_ternarylogic_epi64(low, high, y, 0x96);  // of three, the exclusive or
}

template <int n>
RL_WIDE_FOLDS inline __m512i by_bits_wide() {
  constexpr int64_t high = power_of_x(n - 32), low = power_of_x(n + 32);
  return _mm512_set_epi64(high, low, high, low, high, low, high, low);
}

// For n >= 256: the same by 256 bytes at a time, 29 GB/s instead of 13.
RL_WIDE_FOLDS uint32_t by_wide_folding(uint32_t state, const uint8_t*& p, size_t& n) {
  const __m512i by_256 = by_bits_wide<2048>(), by_64 = by_bits_wide<512>();
  __m512i x[4];  // GCC's lambdas do not inherit the target: loads are spelled out
  for (int i = 0; i < 4; ++i) x[i] = _mm512_loadu_si512(p + 64 * i);
  x[0] = _mm512_xor_si512(x[0], _mm512_zextsi128_si512(_mm_cvtsi32_si128(static_cast<int>(state))));
  for (p += 256, n -= 256; n >= 256; p += 256, n -= 256)
    for (int i = 0; i < 4; ++i) x[i] = fold(x[i], by_256, _mm512_loadu_si512(p + 64 * i));
  for (int i = 1; i < 4; ++i) x[i] = fold(x[i - 1], by_64, x[i]);
  __m128i quarters[4];
  _mm512_storeu_si512(quarters, x[3]);
  return fold_on(quarters, p, n);
}
#endif

}  // namespace

uint32_t crc32(uint32_t crc, const void* data, size_t n) {
  auto* p = static_cast<const uint8_t*>(data);
  uint32_t state = ~crc;
#if defined(__x86_64__)
  static const bool folds = __builtin_cpu_supports("pclmul") && __builtin_cpu_supports("sse4.1");
  static const bool folds_wide =
      __builtin_cpu_supports("vpclmulqdq") && __builtin_cpu_supports("avx512f");
  if (folds_wide && n >= 256)
    state = by_wide_folding(state, p, n);
  else if (folds && n >= 64)
    state = by_folding(state, p, n);
#endif
  return ~by_table(state, p, n);
}

}  // namespace rl
