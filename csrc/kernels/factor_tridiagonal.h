// A symmetric matrix made tridiagonal by reflectors from both sides, A - V W^T - W V^T for a panel
// of columns at a time (Dongarra, Sorensen and Hammarling 1989). Half of the work is the product of
// what is left of the matrix with a vector, which reads its lower triangle once. Included by
// dense_factors.cpp.
#pragma once
#include <cmath>

#include "kernels/factor_qr.h"
#include "kernels/parts.h"

namespace rl {
namespace RL_ISA_NS {
namespace {

// y += what C columns of a symmetric matrix, from its diagonal down, add to A x; n rows.
template <class T, int C>
[[gnu::noinline]] void add_columns(const T* a, int64_t ld, int64_t n, const T* x, T* y) {
  T sum[C] = {};
  for (int c = 0; c < C; ++c) {
    sum[c] = a[c * ld + c] * x[c];
    for (int r = c + 1; r < C; ++r) {
      sum[c] += a[c * ld + r] * x[r];
      y[r] += a[c * ld + r] * x[c];
    }
  }
  Vector<T> sums[C] = {}, factors[C];
  for (int c = 0; c < C; ++c) factors[c] = x[c] - Vector<T>{};
  int64_t i = C;
  for (; i + kLanes<T> <= n; i += kLanes<T>) {
    Vector<T> at = load_vector(x + i), to = load_vector(y + i);
    for (int c = 0; c < C; ++c) {
      Vector<T> v = load_vector(a + c * ld + i);
      to += v * factors[c];
      sums[c] += v * at;
    }
    store_vector<T>(y + i, to);
  }
  for (; i < n; ++i)
    for (int c = 0; c < C; ++c) y[i] += a[c * ld + i] * x[c], sum[c] += a[c * ld + i] * x[i];
  for (int c = 0; c < C; ++c) {
    for (int l = 0; l < kLanes<T>; ++l) sum[c] += sums[c][l];
    y[c] += sum[c];
  }
}

template <class T>
class Tridiagonal {
 public:
  Tridiagonal(const Part<T>& a, T* diagonal, T* beside, T* tau)
      : a_(a),
        diagonal_(diagonal),
        beside_(beside),
        tau_(tau),
        pairs_memory_(2 * kPanel * a.rows),
        turned_memory_(2 * kPanel * a.rows),
        sums_(kParts * a.rows) {}

  void run() {
    int64_t n = a_.rows;
    for (int64_t i = 0; i < n - 1; i += kPanel) {
      first_ = i;
      pairs_ = {pairs_memory_.data(), n - i, 2 * kPanel, n - i};
      int64_t cols = std::min(kPanel, n - 1 - i);
      for (int64_t j = 0; j < cols; ++j) reduce_column(j);
      update_rest(cols);
    }
    diagonal_[n - 1] = a_.column(n - 1)[n - 1];
  }

 private:
  static constexpr int64_t kPanel = 16, kParts = 4, kManyRows = 384, kBlock = 128;

  // Columns 2j and 2j + 1 of pairs_ are those of V and W; row 0 is that of the panel's first.
  void reduce_column(int64_t j) {
    int64_t g = first_ + j, rows = a_.rows - g;
    T *column = a_.column(g) + g, factors[2 * kPanel];
    for (int64_t c = 0; c < 2 * j; ++c) factors[c] = -pairs_.column(c ^ 1)[j];
    add_pairs(j, 2 * j, factors, column);
    diagonal_[g] = column[0];
    T tau = tau_[g] = make_reflector(column + 1, rows - 1);
    beside_[g] = column[1];
    T *v = pairs_.column(2 * j), *w = pairs_.column(2 * j + 1);
    std::fill_n(v, j + 1, T(0));
    std::fill_n(w, j + 1, T(0));
    v[j + 1] = 1;
    std::copy_n(column + 2, rows - 2, v + j + 2);
    make_w(j, v + j + 1, w + j + 1, tau);
  }
  // y += pairs * factors, for the rows from `row` on.
  void add_pairs(int64_t row, int64_t count, const T* factors, T* y) const {
    int64_t rows = pairs_.rows - row;
    if (count)
      gemm_loops().of<T>().sweep({pairs_.data + row, rows, count, 1, pairs_.ld}, factors, y, 0,
                                 rows, true);
  }
  // w = tau (A v), less half of its part along v; A as the pairs before have left it.
  void make_w(int64_t j, const T* v, T* w, T tau) {
    int64_t rows = pairs_.rows - j - 1;
    if (tau == 0) return void(std::fill_n(w, rows, T(0)));
    multiply_rest(first_ + j + 1, v, w);
    T products[2 * kPanel], factors[2 * kPanel];
    gemm_loops().of<T>().dots({pairs_.data + j + 1, 2 * j, rows, pairs_.ld, 1}, v, products, 1, 0,
                              2 * j, false);
    for (int64_t c = 0; c < 2 * j; ++c) factors[c] = -products[c ^ 1];
    add_pairs(j + 1, 2 * j, factors, w);
    T along = dot(w, v, rows) * tau / 2;
    for (int64_t i = 0; i < rows; ++i) w[i] = tau * (w[i] - along * v[i]);
  }

  // w = A v for the rows and columns from g on: the columns in parts of equal area, as many for any
  // number of threads, whose sums are added in order.
  void multiply_rest(int64_t g, const T* v, T* w) {
    int64_t n = a_.rows - g, parts = n < kManyRows ? 1 : kParts;
    auto begin_of = [&](int64_t p) {
      double left = std::sqrt(1 - static_cast<double>(p) / static_cast<double>(parts));
      return n - static_cast<int64_t>(left * static_cast<double>(n));
    };
    parallel_for(parts, 1, [&](int64_t begin, int64_t end) {
      for (int64_t p = begin; p < end; ++p) {
        T* sums = p ? sums_.data() + p * n : w;
        std::fill_n(sums, n, T(0));
        multiply_columns(g, begin_of(p), p + 1 == parts ? n : begin_of(p + 1), v, sums);
      }
    });
    for (int64_t p = 1; p < parts; ++p)
      for (int64_t i = begin_of(p); i < n; ++i) w[i] += sums_.data()[p * n + i];
  }
  // Forwards and backwards in turn: what was read last is still in the cache.
  void multiply_columns(int64_t g, int64_t begin, int64_t end, const T* v, T* sums) const {
    int64_t groups = (end - begin + 3) / 4;
    for (int64_t i = 0; i < groups; ++i) {
      int64_t c = begin + 4 * (g % 2 ? groups - 1 - i : i);
      with_number<4>(std::min<int64_t>(4, end - c), [&]<int C>() {
        add_columns<T, C>(a_.column(g + c) + g + c, a_.ld, a_.rows - g - c, v + c, sums + c);
      });
    }
  }

  // The lower triangle of what follows a panel, and a little above where blocks meet the diagonal.
  void update_rest(int64_t cols) {
    int64_t count = 2 * cols, rows = pairs_.rows - cols;
    Part<T> left = pairs_.block(cols, 0, rows, count),
            right{turned_memory_.data(), rows, count, rows};
    for (int64_t c = 0; c < count; ++c)
      for (int64_t i = 0; i < rows; ++i) right.column(c)[i] = -left.column(c ^ 1)[i];
    Part<T> rest = a_.block(first_ + cols, first_ + cols, rows, rows);
    for (int64_t j = 0; j < rows; j += kBlock) {
      int64_t n = std::min(kBlock, rows - j);
      multiply(rest.block(j, j, rows - j, n), left.block(j, 0, rows - j, count).matrix(),
               transposed(right.block(j, 0, n, count).matrix()), true);
    }
  }

  Part<T> a_, pairs_;
  T *diagonal_, *beside_, *tau_;
  int64_t first_ = 0;
  Scratch<T> pairs_memory_, turned_memory_, sums_;
};

}  // namespace
}  // namespace RL_ISA_NS
}  // namespace rl
