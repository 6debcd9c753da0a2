// Small products of complex matrices: a sum for the real and one for the imaginary parts of the
// first factor, each times pairs of the second as they lie. Included by gemm_loops.cpp, which is
// compiled once per instruction-set level.
#pragma once
#include <algorithm>
#include <utility>

#include "core/allocator.h"
#include "core/complex.h"
#include "kernels/gemm.h"
#include "kernels/vectors.h"

namespace rl {
namespace RL_ISA_NS {
namespace {

template <class T, class V, size_t... I>
inline V times_i(V v, std::index_sequence<I...>) {
  return __builtin_shufflevector(v, v, (I ^ 1)...) * V{(I % 2 ? T(1) : T(-1))...};
}

// Rows of pairs: element k of row r is at a + 2 (r * row + k * col), that of b at b + k * ldb.
template <class T>
struct PairRows {
  const T* a;
  int64_t row, col, depth;
  const T* b;
  int64_t ldb;
};

// R rows by as many columns as `Bytes` hold. Sums over even and odd k are apart, which hides how
// long an addition takes; they are the same for any R.
template <class T, int R, int Bytes>
inline void pair_tile(const PairRows<T>& p, T* c, int64_t ldc, bool accumulate) {
  using V = typename VectorOf<T, Bytes>::type;
  V sums[2][R][2] = {};
  auto add = [&](int64_t k, int odd) {
    V right;
    __builtin_memcpy(&right, p.b + k * p.ldb, Bytes);
#pragma GCC unroll 2
    for (int r = 0; r < R; ++r) {
      const T* x = p.a + 2 * (r * p.row + k * p.col);
      sums[odd][r][0] += x[0] * right;
      sums[odd][r][1] += x[1] * right;
    }
  };
  int64_t k = 0;
  for (; k + 2 <= p.depth; k += 2) {
    add(k, 0);
    add(k + 1, 1);
  }
  if (k < p.depth) add(k, 0);
  for (int r = 0; r < R; ++r) {
    V sum = sums[0][r][0] + sums[1][r][0], turned = sums[0][r][1] + sums[1][r][1], before{};
    sum += times_i<T>(turned, std::make_index_sequence<Bytes / sizeof(T)>());
    if (accumulate) {
      __builtin_memcpy(&before, c + r * ldc, Bytes);
      sum += before;
    }
    __builtin_memcpy(c + r * ldc, &sum, Bytes);
  }
}

// Columns from whole vectors down to one pair.
template <class T, int R, int Bytes = kVectorBytes>
void pair_rows(PairRows<T> p, int64_t cols, T* c, int64_t ldc, bool accumulate) {
  constexpr int64_t kWide = Bytes / sizeof(T);
  for (; cols >= kWide; cols -= kWide, p.b += kWide, c += kWide)
    pair_tile<T, R, Bytes>(p, c, ldc, accumulate);
  if constexpr (Bytes > 2 * sizeof(T))
    if (cols) pair_rows<T, R, Bytes / 2>(p, cols, c, ldc, accumulate);
}

// c (+)= a b, row-major; both factors with any strides.
template <class T>
void multiply_pairs(const Matrix& a, const Matrix& b, Complex<T>* c, int64_t ldc, bool accumulate) {
  using C = Complex<T>;
  bool in_place = b.col_stride == 1 || b.cols == 1;
  Scratch<C> rows(in_place ? 0 : b.rows * b.cols);
  auto* right = static_cast<const C*>(b.data);
  if (!in_place) {
    for (int64_t j = 0; j < b.cols; ++j)
      for (int64_t k = 0; k < b.rows; ++k)
        rows.data()[k * b.cols + j] = right[k * b.row_stride + j * b.col_stride];
    right = rows.data();
  }
  PairRows<T> p{static_cast<const T*>(a.data),
                a.row_stride,
                a.col_stride,
                a.cols,
                reinterpret_cast<const T*>(right),
                2 * (in_place ? b.row_stride : b.cols)};
  T* to = reinterpret_cast<T*>(c);
  int64_t i = 0;
  for (; i + 2 <= a.rows; i += 2, p.a += 4 * a.row_stride, to += 4 * ldc)
    pair_rows<T, 2>(p, 2 * b.cols, to, 2 * ldc, accumulate);
  if (i < a.rows) pair_rows<T, 1>(p, 2 * b.cols, to, 2 * ldc, accumulate);
}

}  // namespace
}  // namespace RL_ISA_NS
}  // namespace rl
