// Squares of registers transposed: as many vectors as each has lanes. What is moved in squares, and
// from where, is the caller's. Included by files compiled once per level.
#pragma once
#include <utility>

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

// Lane i of vector l becomes lane l of vector i. Interleaving the first half of the vectors with
// the second turns the bits of an element's place around by one; log2(N) times, it transposes.
template <int N, class V>
[[gnu::always_inline]] inline void transpose(V (&v)[N]) {
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
