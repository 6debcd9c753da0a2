// Householder QR by panels, each by halves of its columns (Elmroth and Gustavson 2000). Reflectors
// are gathered as I + V N V^T (Schreiber and Van Loan 1989, with -T for N, so that products are
// only added); V lies below the diagonal of the matrix. Included by dense_factors.cpp.
#pragma once
#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/dense_parts.h"

namespace rl {
namespace RL_ISA_NS {
namespace {

template <class T>
T dot(const T* x, const T* y, int64_t n) {
  T sum;
  gemm_loops().of<T>().dots({x, 1, n, n, 1}, y, &sum, 1, 0, 1, false);
  return sum;
}

template <class T>
T largest_size(const T* x, int64_t n) {
  T top = 0;
  for (int64_t i = 0; i < n; ++i) top = std::abs(x[i]) > top ? std::abs(x[i]) : top;
  return top;
}

// The reflector I - tau (1, v) (1, v)^T that turns x into (beta, 0, ...): x becomes (beta, v).
// Returns tau. Numbers whose squares overflow or lose digits are scaled by a power of two.
template <class T>
T make_reflector(T* x, int64_t n) {
  constexpr T kMost = std::numeric_limits<T>::max() / 4;
  constexpr T kLeast = std::numeric_limits<T>::min() / std::numeric_limits<T>::epsilon();
  T square = dot(x + 1, x + 1, n - 1);
  int exponent = 0;
  if (!(square >= kLeast && square + x[0] * x[0] <= kMost)) {
    T rest = largest_size(x + 1, n - 1), top = std::max(rest, std::abs(x[0]));
    if (rest == 0 && square == square) return 0;
    std::frexp(top, &exponent);
    for (int64_t i = 0; i < n; ++i) x[i] = std::ldexp(x[i], -exponent);
    square = dot(x + 1, x + 1, n - 1);
  }
  T alpha = x[0], beta = -std::copysign(std::sqrt(alpha * alpha + square), alpha);
  T factor = square == 0 ? T(0) : 1 / (alpha - beta);
  for (int64_t i = 1; i < n; ++i) x[i] *= factor;
  x[0] = std::ldexp(square == 0 ? alpha : beta, exponent);
  return square == 0 ? T(0) : (beta - alpha) / beta;
}

// The reflectors that lie below the diagonal of `a`, a panel of columns at a time.
template <class T>
class Reflectors {
 public:
  Reflectors(const Part<T>& a, int64_t most_cols)
      : a_(a),
        k_(std::min(a.rows, a.cols)),
        v_memory_(a.rows * kPanel),
        work_(2 * kPanel * std::max(a.cols, most_cols)),
        triangles_(kPanel * (k_ + kPanel)) {}

  // z = H_1 H_2 ... z, with I - tau_i v_i v_i^T for H_i.
  void multiply_all(const Part<T>& z, const T* tau) {
    each_from_last([&](int64_t i) {
      gather(0, panel_.cols, tau + i);
      apply(0, panel_.cols, z.block(i, 0, z.rows - i, z.cols), false);
    });
  }

 protected:
  static constexpr int64_t kPanel = 64, kLeaf = 8;

  template <class F>
  void each_from_last(F f) {
    for (int64_t i = k_ ? (k_ - 1) / kPanel * kPanel : -1; i >= 0; i -= kPanel) {
      open(i);
      f(i);
    }
  }
  void open(int64_t i) {
    int64_t rows = a_.rows - i, cols = std::min(kPanel, k_ - i);
    panel_ = a_.block(i, i, rows, cols);
    v_ = {v_memory_.data(), rows, cols, rows};
    n_ = {triangles_.data() + i * kPanel, cols, cols, kPanel};
  }

  // V of panel columns [first, first + n), from the row of the first.
  Part<T> reflectors(int64_t first, int64_t n) const {
    return v_.block(first, first, v_.rows - first, n);
  }
  void copy_reflector(int64_t j) {
    T* to = v_.column(j);
    std::fill_n(to, j, T(0));
    to[j] = 1;
    std::copy_n(panel_.column(j) + j + 1, v_.rows - j - 1, to + j + 1);
  }

  // c = (I + V N V^T) c for the reflectors of some columns, or the transpose of that.
  void apply(int64_t first, int64_t n, const Part<T>& c, bool transpose) {
    Part<T> v = reflectors(first, n), w{work_.data(), n, c.cols, n};
    Part<T> nw{w.data + n * c.cols, n, c.cols, n};
    Matrix triangle = n_.block(first, first, n, n).matrix();
    multiply(w, transposed(v.matrix()), c.matrix(), false);
    multiply(nw, transpose ? transposed(triangle) : triangle, w.matrix(), false);
    multiply(c, v.matrix(), nw.matrix(), true);
  }

  // V and N of reflectors that are there.
  void gather(int64_t first, int64_t n, const T* tau) {
    if (n > kLeaf) {
      gather(first, n / 2, tau);
      gather(first + n / 2, n - n / 2, tau);
      return join(first, n / 2, n - n / 2);
    }
    for (int64_t j = first; j < first + n; ++j) {
      copy_reflector(j);
      extend_triangle(first, j, tau[j]);
    }
  }
  // The corner of N between that of `left` columns and of the `right` ones that follow.
  void join(int64_t first, int64_t left, int64_t right) {
    int64_t next = first + left;
    Part<T> v = v_.block(next, first, v_.rows - next, left);
    Part<T> w{work_.data(), left, right, left}, nw{w.data + left * right, left, right, left};
    multiply(w, transposed(v.matrix()), reflectors(next, right).matrix(), false);
    multiply(nw, n_.block(first, first, left, left).matrix(), w.matrix(), false);
    multiply(n_.block(first, next, left, right), nw.matrix(),
             n_.block(next, next, right, right).matrix(), false);
    for (int64_t j = first; j < next; ++j) std::fill_n(n_.column(j) + next, right, T(0));
  }
  // Column j of N, where N began with column `first`.
  void extend_triangle(int64_t first, int64_t j, T tau) {
    T products[kLeaf], *column = n_.column(j);
    int64_t before = j - first;
    gemm_loops().of<T>().dots({v_.column(first) + j, before, v_.rows - j, v_.ld, 1},
                              v_.column(j) + j, products, 1, 0, before, false);
    for (int64_t i = 0; i < before; ++i) {
      T sum = 0;
      for (int64_t l = i; l < before; ++l) sum += n_.column(first + l)[first + i] * products[l];
      column[first + i] = sum * -tau;
    }
    column[j] = -tau;
    std::fill(column + j + 1, column + std::min(first + kLeaf, n_.rows), T(0));
  }

  Part<T> a_, panel_, v_, n_;
  int64_t k_;

 private:
  Scratch<T> v_memory_, work_, triangles_;
};

template <class T>
class Qr : Reflectors<T> {
 public:
  using Reflectors<T>::Reflectors;

  void factor() {
    for (int64_t i = 0; i < k_; i += kPanel) {
      this->open(i);
      int64_t rest = a_.cols - i - panel_.cols;
      factor(0, panel_.cols);
      if (rest > 0)
        this->apply(0, panel_.cols, a_.block(i, i + panel_.cols, panel_.rows, rest), true);
    }
  }

  // The first columns of Q over the identity that is there: a panel changes only the rows and
  // columns from its own.
  void form_q(const Part<T>& q) {
    this->each_from_last([&](int64_t i) {
      for (int64_t j = 0; j < panel_.cols; ++j) this->copy_reflector(j);
      this->apply(0, panel_.cols, q.block(i, i, q.rows - i, q.cols - i), false);
    });
  }

 private:
  using Reflectors<T>::a_, Reflectors<T>::k_, Reflectors<T>::panel_, Reflectors<T>::v_;
  using Reflectors<T>::kPanel, Reflectors<T>::kLeaf;

  void factor(int64_t first, int64_t n) {
    if (n <= kLeaf) return reflect_columns(first, n);
    int64_t left = n / 2, next = first + left, right = n - left;
    factor(first, left);
    this->apply(first, left, panel_.block(first, next, panel_.rows - first, right), true);
    factor(next, right);
    this->join(first, left, right);
  }
  void reflect_columns(int64_t first, int64_t n) {
    for (int64_t j = first; j < first + n; ++j) {
      T tau = make_reflector(panel_.column(j) + j, panel_.rows - j);
      this->copy_reflector(j);
      reflect_rest(j, first + n - j - 1, tau);
      this->extend_triangle(first, j, tau);
    }
  }
  void reflect_rest(int64_t j, int64_t n, T tau) {
    const auto& loops = gemm_loops().of<T>();
    T weights[kLeaf], *rest = panel_.column(j + 1) + j, *v = v_.column(j) + j;
    int64_t rows = panel_.rows - j;
    if (!n || tau == 0) return;
    loops.dots({rest, n, rows, panel_.ld, 1}, v, weights, 1, 0, n, false);
    for (int64_t i = 0; i < n; ++i) weights[i] *= -tau;
    loops.outer({weights, n, 1, 1, 1}, v, rows, rest, panel_.ld, 0, n, true);
  }
};

}  // namespace
}  // namespace RL_ISA_NS
}  // namespace rl
