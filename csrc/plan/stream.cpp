// When to write past the caches: see stream.h.
#include "plan/stream.h"

#include <unistd.h>

#include <cstring>
#ifdef __SSE2__
#include <immintrin.h>
#endif

namespace rl {

// Of a cache that several cores share, a good part; never so much that machines which report all
// their sockets' caches as one would not stream at all.
bool past_cache(int64_t bytes) {
#ifndef __SSE2__
  return false;
#endif
  static const int64_t threshold = [] {
    constexpr int64_t kLeast = int64_t{8} << 20, kMost = int64_t{32} << 20;
    int64_t cache = sysconf(_SC_LEVEL3_CACHE_SIZE);
    return cache <= 0 ? kMost : std::clamp(cache / 4 * 3, kLeast, kMost);
  }();
  return bytes >= threshold;
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
