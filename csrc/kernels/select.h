// Reading whole slices by position along one dimension, for index_select, embedding and x[index].
#pragma once
#include "kernels/line_starts.h"
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
  RunCopy copy = run_copy(l.outer * m * row);
  parallel_for(l.outer * m, grain, [&](int64_t b, int64_t e) {
    for (int64_t r = b; r < e; ++r) {
      const U* from = x + (r / m * l.size + ix[r % m]) * l.inner;
      copy(reinterpret_cast<char*>(out + r * l.inner), reinterpret_cast<const char*>(from), row);
    }
    stream_fence();
  });
}

}  // namespace
}  // namespace rl
