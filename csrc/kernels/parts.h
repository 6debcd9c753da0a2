// Runs and their parts: which positions meet elements, even parts of a run, and counts that loops
// know when they are compiled. Included by files compiled once per level.
#pragma once
#include <algorithm>
#include <cstdint>

namespace rl {
namespace {

struct Span {
  int64_t first, last;
};
// The positions q in [0, n) whose element q * stride + shift lies in [0, size).
inline Span cells_inside(int64_t n, int64_t stride, int64_t shift, int64_t size) {
  int64_t first = shift >= 0 ? 0 : std::min(n, (-shift + stride - 1) / stride);
  int64_t room = size - 1 - shift;
  return {first, room < 0 ? first : std::clamp(room / stride + 1, first, n)};
}

// [begin(i), begin(i + 1)) are the parts of n that are as even as can be, and no longer than
// `most`: five rows and four rather than six and three.
struct EvenParts {
  int64_t n, count;
  EvenParts(int64_t n, int64_t most) : n(n), count((n + most - 1) / most) {}
  int64_t begin(int64_t i) const { return n * i / count; }
  int64_t size(int64_t i) const { return begin(i + 1) - begin(i); }
};

// f<n>(), where 1 <= n <= Most.
template <int Most, class F>
void with_number(int64_t n, F f) {
  if constexpr (Most > 1)
    if (n < Most) return with_number<Most - 1>(n, f);
  f.template operator()<Most>();
}

}  // namespace
}  // namespace rl
