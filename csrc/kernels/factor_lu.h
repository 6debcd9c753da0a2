// LU factorisation with partial pivoting by halves of the columns (Toledo 1997): nearly all of it
// is products of large matrices, whatever their size. Included by dense_factors.cpp.
#pragma once
#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/dense_parts.h"
#include "kernels/parts.h"
#include "plan/blocks.h"

namespace rl {
namespace RL_ISA_NS {
namespace {

// Where the largest of n numbers is, the first of equals; a NaN if nothing else is above 0.
template <class T>
int64_t find_largest(const T* x, int64_t n) {
  using V = Vector<T>;
  using Ints = decltype(V{} > V{});
  constexpr int lanes = kLanes<T>;
  V most{};
  Ints at{}, here{};
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes, here += lanes) {
    V v = load_vector(x + i), size = v < 0 ? -v : v;
    auto larger = size > most;
    most = larger ? size : most;
    at = larger ? here : at;
  }
  T top = 0;
  int64_t found = -1;
  for (int l = 0; l < lanes; ++l) {
    int64_t index = at[l] + l;
    if (most[l] > top || (most[l] == top && top > 0 && index < found)) top = most[l], found = index;
  }
  for (; i < n; ++i)
    if (std::abs(x[i]) > top) top = std::abs(x[i]), found = i;
  if (found >= 0) return found;
  auto* nan = std::find_if(x, x + n, [](T v) { return v != v; });
  return nan == x + n ? 0 : nan - x;
}

template <class T>
class Lu {
 public:
  Lu(const Part<T>& a, int* pivots) : a_(a), pivots_(pivots) {}

  // In place; pivots from 1; the code as LAPACK's.
  int run() {
    int64_t k = std::min(a_.rows, a_.cols), rest = a_.cols - k;
    if (k) factor(0, k);
    if (k && rest) pass_over(0, k, k, rest);
    return code_;
  }

 private:
  static constexpr int64_t kLeaf = 8, kTriangle = 16, kAtOnce = 64;

  static int64_t half(int64_t n, int64_t unit) { return (n / 2 + unit - 1) / unit * unit; }

  void factor(int64_t first, int64_t n) {
    if (n <= kLeaf) return eliminate(first, n);
    int64_t left = half(n, kLeaf), next = first + left;
    factor(first, left);
    pass_over(first, left, next, n - left);
    subtract(next, a_.rows - next, first, left, next, n - left);
    factor(next, n - left);
    swap_rows(next, n - left, first, left);
  }

  // The rows [first, first + n) of later columns, as elimination leaves them.
  void pass_over(int64_t first, int64_t n, int64_t column, int64_t columns) {
    swap_rows(first, n, column, columns);
    solve(first, n, column, columns);
  }

  // Rows of some columns -= what the factors of columns [inner, inner + n) take from them.
  void subtract(int64_t row, int64_t rows, int64_t inner, int64_t n, int64_t column,
                int64_t columns) {
    if (rows > 0)
      subtract_product(a_.block(row, column, rows, columns), a_.block(row, inner, rows, n),
                       a_.block(inner, column, n, columns));
  }

  // Four columns at once, whose memory answers side by side.
  void swap_rows(int64_t first, int64_t n, int64_t column, int64_t columns) {
    int64_t groups = (columns + 3) / 4;
    parallel_for(groups, column_grain(16 * n), [&](int64_t begin, int64_t end) {
      for (int64_t j = begin * 4; j < std::min(columns, end * 4); j += 4)
        with_number<4>(std::min<int64_t>(4, columns - j), [&]<int N>() {
          swap_in<N>(a_.column(column + j), a_.ld, first, first + n);
        });
    });
  }
  template <int N>
  void swap_in(T* x, int64_t ld, int64_t begin, int64_t end) const {
    for (int64_t i = begin; i < end; ++i) {
      int64_t other = pivots_[i] - 1;
      T here[N], there[N];
      for (int c = 0; c < N; ++c) here[c] = x[c * ld + i], there[c] = x[c * ld + other];
      for (int c = 0; c < N; ++c) x[c * ld + i] = there[c], x[c * ld + other] = here[c];
    }
  }

  // Columns = L^-1 columns, L the unit triangle of rows and columns [first, first + n).
  void solve(int64_t first, int64_t n, int64_t column, int64_t columns) {
    if (n <= kTriangle) return solve_triangle(first, n, column, columns);
    int64_t upper = half(n, kTriangle), next = first + upper;
    solve(first, upper, column, columns);
    subtract(next, n - upper, first, upper, column, columns);
    solve(next, n - upper, column, columns);
  }
  // Side by side in rows, some columns at a time: vectors are whole then, whatever the step.
  void solve_triangle(int64_t first, int64_t n, int64_t column, int64_t columns) {
    int64_t groups = (columns + kAtOnce - 1) / kAtOnce;
    parallel_for(groups, column_grain(n * n * kAtOnce), [&](int64_t begin, int64_t end) {
      for (int64_t j = begin * kAtOnce; j < std::min(columns, end * kAtOnce); j += kAtOnce)
        solve_group(a_.block(first, first, n, n),
                    a_.block(first, column + j, n, std::min(kAtOnce, columns - j)));
    });
  }
  static void solve_group(const Part<T>& l, const Part<T>& b) {
    constexpr int64_t item = sizeof(T);
    T rows[kTriangle][kAtOnce] = {};
    TileSteps apart = {item, b.ld * item}, together = {kAtOnce * item, item};
    auto *inside = reinterpret_cast<char*>(rows), *outside = reinterpret_cast<char*>(b.data);
    mover(item)(inside, outside, b.rows, b.cols, together, apart);
    for (int64_t k = 0; k + 1 < b.rows; ++k)
      for (int64_t i = k + 1; i < b.rows; ++i)
        for (int64_t j = 0; j < kAtOnce; ++j) rows[i][j] -= l.column(k)[i] * rows[k][j];
    mover(item)(outside, inside, b.rows, b.cols, apart, together);
  }

  void eliminate(int64_t first, int64_t n) {
    for (int64_t k = first; k < first + n; ++k) {
      T* column = a_.column(k);
      int64_t pivot = k + find_largest(column + k, a_.rows - k);
      pivots_[k] = static_cast<int>(pivot + 1);
      if (column[pivot] == 0) {
        if (!code_) code_ = static_cast<int>(k + 1);
        continue;
      }
      for (int64_t j = first; pivot != k && j < first + n; ++j)
        std::swap(a_.column(j)[k], a_.column(j)[pivot]);
      divide(column + k + 1, a_.rows - k - 1, column[k]);
      for (int64_t j = k + 1; j < first + n; ++j) {
        T *other = a_.column(j), factor = other[k];
        for (int64_t i = k + 1; i < a_.rows; ++i) other[i] -= column[i] * factor;
      }
    }
  }
  static void divide(T* x, int64_t n, T by) {
    bool invertible = std::abs(by) >= std::numeric_limits<T>::min();
    T inverse = 1 / by;
    if (invertible)
      for (int64_t i = 0; i < n; ++i) x[i] *= inverse;
    else
      for (int64_t i = 0; i < n; ++i) x[i] /= by;
  }

  Part<T> a_;
  int* pivots_;
  int code_ = 0;
};

}  // namespace
}  // namespace RL_ISA_NS
}  // namespace rl
