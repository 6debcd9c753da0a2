// Reading whole slices by position along one dimension, for index_select, embedding and x[index].
#pragma once
#include "kernels/line_starts.h"
#include "plan/slices.h"
#include "plan/stream.h"

namespace rl {
namespace {

// Elements of each of many rows.
template <class U>
void select_elements(const U* x, const int64_t* index, int64_t n, U* out) {
#pragma GCC unroll 8
  for (int64_t j = 0; j < n; ++j) out[j] = x[index[j]];
}
template <class U>
void select_elements(const Lines& l, const U* x, const int64_t* index, int64_t m, U* out) {
  parallel_for(l.outer, line_grain({1, m, 1}), [&](int64_t b, int64_t e) {
    for (int64_t o = b; o < e; ++o) select_elements(x + o * l.size, index, m, out + o * m);
  });
}

// Rows of a table beyond the caches lie anywhere in memory: while one is copied, a part at a time,
// the next is asked for. Of longer rows the machine itself sees what comes.
constexpr int64_t kFarTable = int64_t{4} << 20, kFarRow = 2 << 10, kFarRowEnd = 64 << 10;
constexpr int64_t kRowPart = 512;
inline bool are_far_rows(int64_t table, int64_t row) {  // bytes
  return table > kFarTable && row >= kFarRow && row < kFarRowEnd && row % kLineBytes == 0;
}
inline void copy_far_row(RunCopy copy, char* to, const char* from, const char* next, int64_t row) {
  for (int64_t at = 0; at < row; at += kRowPart) {
    const int64_t end = std::min(at + kRowPart, row);
    for (int64_t line = at; line < end; line += kLineBytes) __builtin_prefetch(next + line, 0, 2);
    copy(to + at, from + at, end - at);
  }
}
[[gnu::noinline]] inline void select_far_rows(const char* table, const int64_t* index, int64_t n,
                                              char* out, int64_t row) {
  RunCopy copy = run_copy(n * row);
  parallel_for(n, std::max<int64_t>(1, 32768 / row), [&](int64_t b, int64_t e) {
    auto start = [&](int64_t r) { return table + index[r] * row; };
    for (int64_t r = b; r < e; ++r)
      copy_far_row(copy, out + r * row, start(r), start(std::min(r + 1, e - 1)), row);
    stream_fence();
  });
}

// Where elements do not follow each other as in rows, slices that are worth it are copied one by
// one, if memory does not run across them. False where it is better to make rows of all first.
inline bool select_slices(const Tensor& x, int dim, const Tensor& index, Tensor& out) {
  constexpr int64_t kSlice = 2048, kInner = 16;
  const Lines l = lines_of(x, dim);
  if (x.contiguous || l.inner < kInner || l.outer * l.inner < kSlice || x.stride(dim) == 1 ||
      !out.contiguous)
    return false;
  SizeVec sizes(x.sizes().begin(), x.sizes().end());
  sizes[dim] = index.numel;
  copy_slices(*alias(out, sizes, contiguous_strides(sizes), out.offset), x, dim,
              index.data<int64_t>());
  return true;
}

// Slices at positions that were checked.
template <class U>
void select_lines(const Lines& l, const U* x, const Tensor& index, U* out) {
  auto* ix = index.data<int64_t>();
  int64_t m = index.numel;
  if (l.inner == 1 && l.outer > 1) return select_elements(l, x, ix, m, out);
  if (l.inner == 1)
    return parallel_for(m, 32768,
                        [=](int64_t b, int64_t e) { select_elements(x, ix + b, e - b, out + b); });
  int64_t grain = std::max<int64_t>(1, 32768 / std::max<int64_t>(1, l.inner));
  int64_t row = l.inner * static_cast<int64_t>(sizeof(U));
  if (l.outer == 1 && are_far_rows(l.size * row, row))
    return select_far_rows(reinterpret_cast<const char*>(x), ix, m, reinterpret_cast<char*>(out),
                           row);
  RunCopy copy = run_copy(l.outer * m * row);
  parallel_for(l.outer * m, grain, [&](int64_t b, int64_t e) {
    const U* line = x + b / m * l.size * l.inner;
    for (int64_t r = b, j = b % m; r < e; ++r) {
      copy(reinterpret_cast<char*>(out + r * l.inner),
           reinterpret_cast<const char*>(line + ix[j] * l.inner), row);
      if (++j == m) j = 0, line += l.size * l.inner;
    }
    stream_fence();
  });
}

}  // namespace
}  // namespace rl
