// Wide windows, in two steps: first each column of the input over the rows of the windows, with
// columns in the lanes, then the columns of each window. Included by files compiled once per level.
#pragma once
#include <algorithm>
#include <vector>

#include "kernels/pool.h"
#include "kernels/vectors.h"

namespace rl {
namespace RL_ISA_NS {
namespace {

// A vector at x, where none behind `end` is read; past that, zeros.
template <class T>
[[gnu::always_inline]] inline Vector<T> load_before(const T* x, const T* end) {
  if (end - x >= kLanes<T>) [[likely]]
    return load_vector(x);
  Vector<T> v{};
  __builtin_memcpy(&v, x, static_cast<size_t>(end - x) * sizeof(T));
  return v;
}

// f(row number) over the input rows of outputs (i, j, ...).
template <class F>
[[gnu::always_inline]] inline void each_row(const PoolPlan& p, int64_t i, int64_t j, F f) {
  const auto& [d, h, w] = p.axis;
  for (int64_t a = d.start[i]; a < d.end[i]; a += d.step)
    for (int64_t b = h.start[j]; b < h.end[j]; b += h.step) f(a * h.in + b);
}

// As many columns as fill whole vectors.
template <class T>
size_t whole_vectors(int64_t columns) {
  return static_cast<size_t>((columns + kLanes<T> - 1) / kLanes<T> * kLanes<T>);
}

}  // namespace
}  // namespace RL_ISA_NS
}  // namespace rl
