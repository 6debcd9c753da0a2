// Householder QR of a small matrix, row-major: one sweep over the rows both applies a reflector and
// sums the products that the next one is made of. Q lies beside the matrix in the same rows, and is
// formed from the last reflector by the same sweeps. Included by dense_factors.cpp.
#pragma once
#include "kernels/factor_tall.h"

namespace rl {
namespace RL_ISA_NS {
namespace {

template <class T>
class RowsQr {
 public:
  explicit RowsQr(const SmallQr<T>& s)
      : s_(s),
        k_(std::min(s.m, s.n)),
        beside_(whole_vectors<T>(s.n) * kLanes<T>),
        stride_(beside_ + (s.q ? whole_vectors<T>(s.rank) * kLanes<T> : 0)),
        memory_((s.m + kSpare + 2) * stride_ + 2 * k_),
        rows_(memory_.data()),
        weights_(rows_ + (s.m + kSpare) * stride_),
        dots_(weights_ + stride_),
        heads_(dots_ + stride_),
        factors_(heads_ + k_) {}

  // False if numbers are so far apart that squares would not do.
  bool run(const T* a, T* q, T* r) {
    T scale = scale_of(a, s_.m * s_.n);
    if (scale == 0) return false;
    load(a, scale);
    for (int64_t j = 0; j < k_; ++j)
      if (!reduce_column(j)) return false;
    write_r(r, 1 / scale);
    if (q) form_q(q, s_.m);
    return true;
  }

 protected:
  static constexpr int64_t kSpare = 4;  // rows of zeros: a sweep takes up to four at once

  T* row(int64_t i) const { return rows_ + i * stride_; }

  // `turned`: `a` holds the transpose.
  void load(const T* a, T scale, bool turned = false) {
    for (int64_t i = 0; i < s_.m; ++i) {
      T* to = row(i);
      if (turned)
        for (int64_t j = 0; j < s_.n; ++j) to[j] = a[j * s_.m + i] * scale;
      else
        for (int64_t j = 0; j < s_.n; ++j) to[j] = a[i * s_.n + j] * scale;
      std::fill(to + s_.n, to + stride_, T(0));
    }
    std::fill_n(row(s_.m), (kSpare + 2) * stride_, T(0));
    sweep_rows(1, 0, 0, 0, beside_);
  }

  // Rows from `first` on, of which the columns from the vector of `begin` to `end` change.
  void sweep_rows(int64_t first, int64_t column, int64_t next, int64_t begin, int64_t end) {
    begin = begin / kLanes<T> * kLanes<T>;
    int64_t count = (s_.m - first + 3) / 4 * 4;
    if (first >= s_.m) return void(std::fill(dots_ + begin, dots_ + end, T(0)));
    T* from = row(first);
    sweep_all(from, count, stride_, {from + column, from + next, stride_}, begin, end, weights_,
              dots_);
  }

  bool reduce_column(int64_t j) {
    if (!make_reflector(j)) return false;
    if (j + 1 >= s_.n) return true;
    weigh(j, row(j), j + 1, beside_);
    if (j + 1 < s_.m) apply_to(row(j + 1), j, j + 1, beside_);
    sweep_rows(j + 2, j, j + 1, j + 1, beside_);
    return true;
  }
  bool make_reflector(int64_t j) {
    T *top = row(j), alpha = top[j], square = dots_[j];
    heads_[j] = factors_[j] = 0;
    if (!(square >= Range<T>::kTiny)) return is_zero(j);
    top[j] = -std::copysign(std::sqrt(alpha * alpha + square), alpha);
    heads_[j] = alpha - top[j];
    factors_[j] = -1 / (top[j] * heads_[j]);
    return true;
  }
  bool is_zero(int64_t j) const {
    for (int64_t i = j + 1; i < s_.m; ++i)
      if (row(i)[j] != 0) return false;
    return true;
  }

  // What reflector j takes from each of the columns from `begin` on, the first row of which is
  // `top`; none from those before `begin` in its vector.
  void weigh(int64_t j, T* top, int64_t begin, int64_t end) {
    int64_t taken = kLanes<T> - begin % kLanes<T>;
    for (int64_t c = begin / kLanes<T> * kLanes<T>; c < end; c += kLanes<T>, taken = kLanes<T>) {
      Vector<T> x = load_vector(top + c),
                w = (x * heads_[j] + load_vector(dots_ + c)) * factors_[j];
      w = last_lanes<T>(w, taken, T(0));
      store_vector<T>(weights_ + c, w);
      store_vector<T>(top + c, x - w * heads_[j]);
    }
  }
  void apply_to(T* to, int64_t j, int64_t begin, int64_t end) const {
    T factor = to[j];
    for (int64_t c = begin / kLanes<T> * kLanes<T>; c < end; c += kLanes<T>)
      store_vector<T>(to + c, load_vector(to + c) - load_vector(weights_ + c) * factor);
  }

  void write_r(T* r, T scale) const {
    for (int64_t j = 0; j < s_.n; ++j, r += s_.rank) {
      int64_t filled = std::min(j + 1, s_.rank);
      for (int64_t i = 0; i < filled; ++i) r[i] = row(i)[j] * scale;
      std::fill(r + filled, r + s_.rank, T(0));
    }
  }

  // Columns `step` apart.
  void form_q(T* q, int64_t step) {
    for (int64_t i = 0; i < s_.rank; ++i) row(i)[beside_ + i] = 1;
    std::fill_n(weights_, stride_, T(0));
    sweep_rows(k_, k_ - 1, k_ - 1, beside_ + k_ - 1, stride_);
    for (int64_t j = k_; j-- > 0;) {
      weigh(j, row(j), beside_ + j, stride_);
      int64_t next = std::max<int64_t>(j - 1, 0);
      sweep_rows(j + 1, j, next, beside_ + next, stride_);
      add_to_dots(row(j), next);
    }
    for (int64_t c = 0; c < s_.rank; ++c)
      for (int64_t i = 0; i < s_.m; ++i) q[c * step + i] = row(i)[beside_ + c];
  }
  void add_to_dots(const T* from, int64_t next) {
    T factor = from[next];
    for (int64_t c = beside_ + next / kLanes<T> * kLanes<T>; c < stride_; c += kLanes<T>)
      store_vector<T>(dots_ + c, load_vector(dots_ + c) + load_vector(from + c) * factor);
  }

  SmallQr<T> s_;
  int64_t k_, beside_, stride_;  // Q begins at column `beside_`
  Scratch<T> memory_;
  T *rows_, *weights_, *dots_;
  // Reflector j is I - factor x x^T, where x is `head` followed by column j below the diagonal.
  T *heads_, *factors_;
};

template <class T>
int64_t small_qr(const SmallQr<T>& s, int64_t count) {
  RowsQr<T> qr(s);
  for (int64_t i = 0; i < count; ++i)
    if (!qr.run(s.a + i * s.m * s.n, s.q ? s.q + i * s.m * s.rank : nullptr,
                s.r + i * s.rank * s.n))
      return i;
  return count;
}

}  // namespace
}  // namespace RL_ISA_NS
}  // namespace rl
