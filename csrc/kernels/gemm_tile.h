// The tile of a matrix product: a few rows and two vectors of columns, whose sums stay in
// registers. Who cuts products in tiles and packs their operands: gemm_blocks.cpp,
// conv_winograd.h. Included by files compiled once per level.
#pragma once
#include "kernels/vectors.h"

namespace rl {
namespace RL_ISA_NS {
namespace {

constexpr int kRows = kVectorBytes == 64 ? 12 : 6;  // with two vectors each they fill the registers
template <class T>
constexpr int64_t kWidth = 2 * kLanes<T>;

// What a tile reads: element (r, k) of a is at r * row + k * col, rows of b are `step` apart.
template <class T>
struct Strip {
  const T* a;
  int64_t row, col;
  const T* b;
  int64_t step, depth;
};

// c[R, H vectors] (+)= a[R, depth] b[depth, H vectors]. Packed: columns of a follow one another.
// Not inlined, or the steps compete for registers with what is around.
template <class T, int R, int H, bool Packed>
[[gnu::noinline]] void tile(const Strip<T>& s, T* c, int64_t ldc, bool accumulate) {
  using V = Vector<T>;
  V sum[R][H] = {};
  for (int r = 0; r < R; ++r) {  // by the time the sums are there, so is the memory they go to
    __builtin_prefetch(c + r * ldc, 1);
    __builtin_prefetch(c + r * ldc + H * kLanes<T> - 1, 1);
  }
  const T *a = s.a, *b = s.b;
  const int64_t row = Packed ? 1 : s.row, col = Packed ? R : s.col, step = s.step;
#pragma GCC unroll 4
  for (int64_t k = s.depth; k > 0; --k, a += col, b += step) {
    V right[H];
    for (int h = 0; h < H; ++h) right[h] = load_vector(b + h * kLanes<T>);
#pragma GCC unroll 12
    for (int r = 0; r < R; ++r)
      for (int h = 0; h < H; ++h) sum[r][h] += (a[r * row] - V{}) * right[h];
  }
#pragma GCC unroll 12
  for (int r = 0; r < R; ++r)
    for (int h = 0; h < H; ++h) {
      T* to = c + r * ldc + h * kLanes<T>;
      store_vector<T>(to, accumulate ? load_vector(to) + sum[r][h] : sum[r][h]);
    }
}
template <class T, int R, int H = 2>
void tile(const Strip<T>& s, bool packed, T* c, int64_t ldc, bool accumulate) {
  packed ? tile<T, R, H, true>(s, c, ldc, accumulate) : tile<T, R, H, false>(s, c, ldc, accumulate);
}

}  // namespace
}  // namespace RL_ISA_NS
}  // namespace rl
