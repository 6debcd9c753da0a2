// Products of complex matrices: a sum for the real and one for the imaginary
// parts of the first factor, each times pairs of the second as they lie. With a vector, sums of the
// products of parts, and of crossed parts. Included by gemm_loops.cpp, which is compiled once per
// instruction-set level.
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

template <class V, size_t... I>
inline V swap_parts(V v, std::index_sequence<I...>) {
  return __builtin_shufflevector(v, v, (I ^ 1)...);
}
template <class T, class V, size_t... I>
inline V times_i(V v, std::index_sequence<I...> lanes) {
  return swap_parts(v, lanes) * V{(I % 2 ? T(1) : T(-1))...};
}

// Rows of pairs: element k of row r is at a + 2 (r * row + k * col), that of b at b + k * ldb.
template <class T>
struct PairRows {
  const T* a;
  int64_t row, col, depth;
  const T* b;
  int64_t ldb;
};

// R rows by the columns of N vectors of `Bytes`: 12 sums, of 3 rows and 2 vectors, hide how long an
// addition takes. A sum is the same in any tile.
template <class T, int R, int N, int Bytes>
inline void pair_tile(const PairRows<T>& p, T* c, int64_t ldc, bool accumulate) {
  using V = typename VectorOf<T, Bytes>::type;
  constexpr int64_t W = Bytes / sizeof(T);
  V sums[R][N][2] = {};
  for (int64_t k = 0; k < p.depth; ++k) {
    V right[N];
#pragma GCC unroll 2
    for (int n = 0; n < N; ++n) __builtin_memcpy(&right[n], p.b + k * p.ldb + n * W, Bytes);
#pragma GCC unroll 3
    for (int r = 0; r < R; ++r) {
      const T* x = p.a + 2 * (r * p.row + k * p.col);
#pragma GCC unroll 2
      for (int n = 0; n < N; ++n) {
        sums[r][n][0] += x[0] * right[n];
        sums[r][n][1] += x[1] * right[n];
      }
    }
  }
#pragma GCC unroll 3
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 2
    for (int n = 0; n < N; ++n) {
      V before{}, sum = sums[r][n][0] + times_i<T>(sums[r][n][1], std::make_index_sequence<W>());
      if (accumulate) {
        __builtin_memcpy(&before, c + r * ldc + n * W, Bytes);
        sum += before;
      }
      __builtin_memcpy(c + r * ldc + n * W, &sum, Bytes);
    }
}

// Columns from two vectors down to one pair.
template <class T, int R, int N = 2, int Bytes = kVectorBytes>
void pair_rows(PairRows<T> p, int64_t cols, T* c, int64_t ldc, bool accumulate) {
  constexpr int64_t kWide = N * Bytes / sizeof(T);
  for (; cols >= kWide; cols -= kWide, p.b += kWide, c += kWide)
    pair_tile<T, R, N, Bytes>(p, c, ldc, accumulate);
  if constexpr (N == 2)
    return pair_rows<T, R, 1, Bytes>(p, cols, c, ldc, accumulate);
  else if constexpr (Bytes > 2 * sizeof(T))
    if (cols) pair_rows<T, R, 1, Bytes / 2>(p, cols, c, ldc, accumulate);
}

template <class T>
void all_rows(PairRows<T> p, int64_t rows, int64_t cols, T* c, int64_t ldc, bool accumulate) {
  for (; rows >= 3; rows -= 3, p.a += 6 * p.row, c += 3 * ldc)
    pair_rows<T, 3>(p, cols, c, ldc, accumulate);
  if (rows == 2) pair_rows<T, 2>(p, cols, c, ldc, accumulate);
  if (rows == 1) pair_rows<T, 1>(p, cols, c, ldc, accumulate);
}

// Rows begin to begin + depth of b, in panels of as many columns as two vectors hold, one
// after another: rows of b itself would share few sets of the caches.
template <class T>
void pack_panels(const Matrix& b, int64_t begin, int64_t depth, Complex<T>* to) {
  constexpr int64_t W = kLanes<T>;
  auto* from = static_cast<const Complex<T>*>(b.data) + begin * b.row_stride;
  for (int64_t j = 0; j < b.cols; j += W) {
    const int64_t width = std::min(W, b.cols - j);
    for (int64_t k = 0; k < depth; ++k, to += width)
      for (int64_t i = 0; i < width; ++i) to[i] = from[k * b.row_stride + (j + i) * b.col_stride];
  }
}

// c (+)= a b, row-major; both factors with any strides.
template <class T>
void multiply_pairs(const Matrix& a, const Matrix& b, Complex<T>* c, int64_t ldc, bool accumulate) {
  // A panel in half of the first-level cache, rows of a in a part of the second.
  constexpr int64_t W = kLanes<T>, kDepth = 8192 / kVectorBytes, kRows = 48, kFewRows = 4;
  const bool packs = a.rows > kFewRows || (b.col_stride != 1 && b.cols > 1);
  Scratch<Complex<T>> packed(packs ? std::min(kDepth, a.cols) * b.cols : 0);
  T* to = reinterpret_cast<T*>(c);
  for (int64_t k = 0; k < a.cols; k += kDepth, accumulate = true) {
    const int64_t depth = std::min(kDepth, a.cols - k);
    auto* left = static_cast<const T*>(a.data) + 2 * k * a.col_stride;
    auto* right = static_cast<const T*>(b.data) + 2 * k * b.row_stride;
    PairRows<T> p{left, a.row_stride, a.col_stride, depth, right, 2 * b.row_stride};
    if (!packs) {
      all_rows<T>(p, a.rows, 2 * b.cols, to, 2 * ldc, accumulate);
      continue;
    }
    pack_panels<T>(b, k, depth, packed.data());
    for (int64_t i = 0; i < a.rows; i += kRows)
      for (int64_t j = 0; j < b.cols; j += W) {
        p.a = left + 2 * i * a.row_stride;
        p.b = reinterpret_cast<const T*>(packed.data() + j * depth);
        p.ldb = 2 * std::min(W, b.cols - j);
        all_rows<T>(p, std::min(kRows, a.rows - i), p.ldb, to + 2 * (i * ldc + j), 2 * ldc,
                    accumulate);
      }
  }
}

// R elements of y, y_step apart, (+)= rows of a times x, `depth` numbers each.
template <class T, int R>
void dot_rows(const T* a, int64_t row, const T* x, int64_t depth, Complex<T>* y, int64_t y_step,
              bool accumulate) {
  using C = Complex<T>;
  constexpr int64_t V = kLanes<T>;
  Vector<T> parts[R] = {}, crossed[R] = {};
  int64_t k = 0;
  for (; k + V <= 2 * depth; k += V) {
    const auto right = load_vector(x + k),
               swapped = swap_parts(right, std::make_index_sequence<V>());
#pragma GCC unroll 4
    for (int r = 0; r < R; ++r) {
      const auto left = load_vector(a + r * row + k);
      parts[r] += left * right;
      crossed[r] += left * swapped;
    }
  }
  for (int r = 0; r < R; ++r, y += y_step) {
    const C same = join_pairs<SumStep, T>(parts[r]), cross = join_pairs<SumStep, T>(crossed[r]);
    C sum{same.re - same.im, cross.re + cross.im};
    for (int64_t j = k; j < 2 * depth; j += 2)
      sum = sum + C{a[r * row + j], a[r * row + j + 1]} * C{x[j], x[j + 1]};
    *y = accumulate ? *y + sum : sum;
  }
}
// y (+)= a x for rows [begin, end); a has unit column stride, x is contiguous.
template <class T>
void pair_dots(const Matrix& a, const Complex<T>* x, Complex<T>* y, int64_t y_step, int64_t begin,
               int64_t end, bool accumulate) {
  const int64_t row = 2 * a.row_stride;
  auto* left = static_cast<const T*>(a.data) + begin * row;
  auto* right = reinterpret_cast<const T*>(x);
  y += begin * y_step;
  for (; begin + 4 <= end; begin += 4, left += 4 * row, y += 4 * y_step)
    dot_rows<T, 4>(left, row, right, a.cols, y, y_step, accumulate);
  for (; begin < end; ++begin, left += row, y += y_step)
    dot_rows<T, 1>(left, row, right, a.cols, y, y_step, accumulate);
}

}  // namespace
}  // namespace RL_ISA_NS
}  // namespace rl
