// Outputs larger than the last cache. Stores that go to memory past the caches need not read the
// lines that they overwrite, and leave the caches to the inputs. Such results are made a piece at a
// time in the first-level cache and streamed from there.
#pragma once
#include <algorithm>
#include <cstdint>

#include "plan/blocks.h"

namespace rl {

// A few lines: longer pieces leave the memory idle while one is computed.
constexpr int64_t kPieceBytes = 512, kLineBytes = 64;

// Is an output of so many bytes better streamed? None of the inputs may be where it is.
bool past_cache(int64_t bytes);

// Do ordinary stores of long runs not read the lines that they overwrite? It is told from the bit
// for fast string instructions: a Zen 4 has it and does not read, a Zen 1 has it not and reads.
bool spares_reading();

// Copies bytes past the caches; other threads see them after stream_fence().
inline void stream(void* dst, const void* src, int64_t bytes) {
  move_table().stream(static_cast<char*>(dst), static_cast<const char*>(src), bytes);
}
void stream_fence();

// Copies runs of an output of so many bytes: past the caches if it is large.
using RunCopy = void (*)(char* to, const char* from, int64_t bytes);
RunCopy run_copy(int64_t output_bytes);

// Elements of the next of the pieces that [begin, end) falls into; all but the first begin a line.
inline int64_t piece_length(const char* out, int64_t item, int64_t begin, int64_t end) {
  int64_t into_line = reinterpret_cast<uintptr_t>(out + begin * item) % kLineBytes;
  return std::min((kPieceBytes - into_line) / item, end - begin);
}

// Elements begin to end of an output; make(to, i, n) writes those from i to i + n to a piece.
template <class Make>
void stream_pieces(char* out, int64_t item, int64_t begin, int64_t end, Make make) {
  alignas(64) char piece[kPieceBytes];
  for (int64_t n; begin < end; begin += n) {
    n = piece_length(out, item, begin, end);
    make(piece, begin, n);
    stream(out + begin * item, piece, n * item);
  }
  stream_fence();
}

// make(to, i, count) for the elements of an output row, at most kRun at a time; past the caches if
// it `streams`.
constexpr int64_t kRun = 1024;
template <class T, class Make>
void write_run(T* out, int64_t n, bool streams, Make make) {
  if (streams)
    return stream_pieces(
        reinterpret_cast<char*>(out), sizeof(T), 0, n,
        [&](char* to, int64_t i, int64_t count) { make(reinterpret_cast<T*>(to), i, count); });
  for (int64_t i = 0; i < n; i += kRun) make(out + i, i, std::min(kRun, n - i));
}

}  // namespace rl
