// The inverse of a matrix from its Cholesky factor L: the rows of W = L^-1 by substitution, then
// W^T W. Both are sums of multiples of rows of W, for a few results at once, of lower triangles
// only. Included by dense_factors.cpp.
#pragma once
#include "kernels/factor_tall.h"

namespace rl {
namespace RL_ISA_NS {
namespace {

template <class T>
class CholeskyInverse {
 public:
  explicit CholeskyInverse(int64_t n)
      : n_(n),
        stride_((n + kWidth - 1) / kWidth * kWidth),
        memory_(2 * (n + kRows) * stride_),
        l_(memory_.data()),
        w_(l_ + (n + kRows) * stride_) {}

  // `a` column-major, in its place and with both triangles. False, and nothing is changed, if the
  // factor is singular or what comes of it is not finite: zeros beside it would not stay.
  bool run(T* a, bool upper) {
    if (!load(a, upper)) return false;
    for (int64_t i = 0; i < n_; i += kRows)
      for (int64_t j = 0; j < std::min(i + kRows, n_); j += kWidth) substitute(i, j);
    if (!finite(w_)) return false;
    for (int64_t i = 0; i < n_; i += kRows)
      for (int64_t j = 0; j < std::min(i + kRows, n_); j += kWidth) square(i, j);
    for (int64_t i = 0; i < n_; ++i)
      for (int64_t j = 0; j <= i; ++j) a[i * n_ + j] = a[j * n_ + i] = l_[i * stride_ + j];
    return true;
  }

 private:
  static constexpr int kRows = 4, kVectors = 2;
  static constexpr int64_t kWidth = kVectors * kLanes<T>;
  struct Tile {
    Vector<T> v[kRows][kVectors] = {};
  };

  T* row(T* x, int64_t i) const { return x + i * stride_; }

  bool load(const T* a, bool upper) {
    std::fill_n(l_, 2 * (n_ + kRows) * stride_, T(0));
    for (int64_t i = 0; i < n_; ++i) {
      for (int64_t j = 0; j <= i; ++j) row(l_, i)[j] = upper ? a[i * n_ + j] : a[j * n_ + i];
      if (row(l_, i)[i] == 0) return false;
    }
    return finite(l_);
  }
  bool finite(const T* x) const {
    T sum = 0;
    for (int64_t i = 0; i < n_ * stride_; ++i) sum += x[i] * T(0);
    return sum == 0;
  }

  // Row r: the sum over k of factors[r * row_step + k * step] times the part at j of W's row k.
  Tile multiples(const T* factors, int64_t row_step, int64_t step, int64_t first, int64_t last,
                 int64_t j) const {
    Tile sums;
    for (int64_t k = first; k < last; ++k) {
      const T *from = row(w_, k) + j, *by = factors + k * step;
      Vector<T> x[kVectors];
#pragma GCC unroll 2
      for (int v = 0; v < kVectors; ++v) x[v] = load_vector(from + v * kLanes<T>);
#pragma GCC unroll 4
      for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 2
        for (int v = 0; v < kVectors; ++v) sums.v[r][v] += by[r * row_step] * x[v];
    }
    return sums;
  }

  void substitute(int64_t i, int64_t j) {
    const T* factors = row(l_, i);
    Tile t = multiples(factors, stride_, 1, 0, i, j);
    for (int r = 0; r < kRows; ++r) {
      T *to = row(w_, i + r) + j, pivot = i + r < n_ ? row(l_, i + r)[i + r] : T(1);
      if (i + r < n_ && i + r >= j && i + r < j + kWidth) to[i + r - j] = 1;
      for (int v = 0; v < kVectors; ++v) {
        for (int s = 0; s < r; ++s) t.v[r][v] += factors[r * stride_ + i + s] * t.v[s][v];
        t.v[r][v] = (load_vector(to + v * kLanes<T>) - t.v[r][v]) / pivot;
        store_vector(to + v * kLanes<T>, t.v[r][v]);
      }
    }
  }
  void square(int64_t i, int64_t j) {  // L is no longer needed
    Tile t = multiples(w_ + i, 1, stride_, i, n_, j);
    for (int r = 0; r < kRows; ++r)
      for (int v = 0; v < kVectors; ++v)
        store_vector(row(l_, i + r) + j + v * kLanes<T>, t.v[r][v]);
  }

  int64_t n_, stride_;
  Scratch<T> memory_;
  T *l_, *w_;
};

template <class T>
bool cholesky_inverse(T* a, int64_t n, bool upper) {
  return CholeskyInverse<T>(n).run(a, upper);
}

}  // namespace
}  // namespace RL_ISA_NS
}  // namespace rl
