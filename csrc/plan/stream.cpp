// When to write past the caches: see stream.h.
#include "plan/stream.h"

#include <cstring>
#ifdef __SSE2__
#include <cpuid.h>
#include <immintrin.h>
#endif

namespace rl {

#ifdef __SSE2__
namespace {

// Bytes of the last cache that a core reaches, 0 if the processor does not tell. The C library's
// answer would be eight times as much on some virtual machines.
int64_t last_cache() {
  constexpr unsigned kIntel = 4, kAmd = 0x8000001D;
  int64_t bytes = 0;
  unsigned kind, shape, sets, rest;
  for (unsigned leaf : {kIntel, kAmd})
    for (unsigned i = 0; __get_cpuid_count(leaf, i, &kind, &shape, &sets, &rest) && kind & 31; ++i)
      bytes = (int64_t{shape >> 22} + 1) * ((shape >> 12 & 1023) + 1) * ((shape & 4095) + 1) *
              (int64_t{sets} + 1);
  return bytes;
}

}  // namespace
#endif

// Half of a cache that several cores and the inputs share.
bool past_cache(int64_t bytes) {
#ifdef __SSE2__
  static const int64_t threshold = [] {
    constexpr int64_t kLeast = int64_t{4} << 20, kMost = int64_t{32} << 20;
    int64_t cache = last_cache();
    return cache == 0 ? kMost : std::clamp(cache / 2, kLeast, kMost);
  }();
  return bytes >= threshold;
#else
  return false;
#endif
}

bool spares_reading() {
#ifdef __SSE2__
  static const bool spares = [] {
    constexpr unsigned kFeatures = 7, kFastStrings = 1 << 9;
    unsigned a, b, c, d;
    return __get_cpuid_count(kFeatures, 0, &a, &b, &c, &d) && b & kFastStrings;
  }();
  return spares;
#else
  return true;
#endif
}

RunCopy run_copy(int64_t output_bytes) {
  if (past_cache(output_bytes)) return move_table().stream;
  return [](char* to, const char* from, int64_t bytes) {
    std::memcpy(to, from, static_cast<size_t>(bytes));
  };
}

void stream_fence() {
#ifdef __SSE2__
  _mm_sfence();
#endif
}

}  // namespace rl
