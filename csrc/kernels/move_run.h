// Short runs of elements moved without a call. Included by files compiled once per level.
#pragma once
#include <algorithm>

#include "kernels/vectors.h"

namespace rl {
namespace RL_ISA_NS {
namespace {

// Whole vectors, of which the last may go over the one before, or single elements.
template <class T>
void move_run(T* to, const T* from, int64_t n) {
  constexpr int64_t kStep = kLanes<T>;
  if (n < kStep) {
    for (int64_t i = 0; i < n; ++i) to[i] = from[i];
    return;
  }
  for (int64_t i = 0; i + kStep < n; i += kStep) store_vector(to + i, load_vector(from + i));
  store_vector(to + n - kStep, load_vector(from + n - kStep));
}
inline void move_run(Bytes16* to, const Bytes16* from, int64_t n) { std::copy_n(from, n, to); }

}  // namespace
}  // namespace RL_ISA_NS
}  // namespace rl
