// Householder QR of a small real or complex matrix, row-major: one sweep over the rows both applies
// a reflector and sums the products that the next one is made of. Q lies beside the matrix in the
// same rows, and is formed from the last reflector by the same sweeps. Included by
// dense_factors.cpp.
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
    Real<T> scale = scale_of(parts(a), s_.m * s_.n * kParts<T>);
    if (scale == 0) return false;
    load_and_sum(a, scale);
    for (int64_t j = 0; j < k_; ++j)
      if (!reduce_column(j)) return false;
    write_r(r, 1 / scale);
    if (q) form_q([&](int64_t i, int64_t c, T x) { q[c * s_.m + i] = x; });
    return true;
  }
  // The same of the columns of `a`, as geqrf: reflectors go below R, and what they are multiplied
  // by to `tau`.
  bool run_in_place(T* a, T* tau) {
    Real<T> scale = scale_of(parts(a), s_.m * s_.n * kParts<T>);
    if (scale == 0) return false;
    load_and_sum(a, scale, true);
    for (int64_t j = 0; j < k_; ++j)
      if (!reduce_column(j)) return false;
    for (int64_t j = 0; j < s_.n; ++j, a += s_.m) {
      int64_t filled = std::min(j + 1, s_.m);
      for (int64_t i = 0; i < filled; ++i) a[i] = scaled(element(row(i), j), 1 / scale);
      T by = j < k_ && heads_[j] != T{} ? T{1} / heads_[j] : T{};
      for (int64_t i = filled; i < s_.m; ++i) a[i] = element(row(i), j) * by;
      if (j < k_) tau[j] = scaled(conjugate(factors_[j]), square_of(heads_[j]));
    }
    return true;
  }
  // The columns of the product of such reflectors, k of them, in place of theirs.
  void multiply_in_place(T* a, const T* tau, int64_t k) {
    load(a, 1, true);
    k_ = k;
    for (int64_t j = 0; j < k; ++j) heads_[j] = T{1}, factors_[j] = conjugate(tau[j]);
    form_q([&](int64_t i, int64_t c, T x) { a[c * s_.m + i] = x; });
  }

 protected:
  static constexpr int64_t kSpare = 4;  // rows of zeros: a sweep takes up to four at once

  T* row(int64_t i) const { return rows_ + i * stride_; }

  // `turned`: `a` holds the transpose.
  void load(const T* a, Real<T> scale, bool turned = false) {
    for (int64_t i = 0; i < s_.m; ++i) {
      T* to = row(i);
      std::fill(to + s_.n / kLanes<T> * kLanes<T>, to + stride_, T{});
      if (turned)
        for (int64_t j = 0; j < s_.n; ++j) set_element(to, j, scaled(a[j * s_.m + i], scale));
      else
        for (int64_t j = 0; j < s_.n; ++j) set_element(to, j, scaled(a[i * s_.n + j], scale));
    }
    std::fill_n(row(s_.m), (kSpare + 2) * stride_, T{});
  }
  void load_and_sum(const T* a, Real<T> scale, bool turned = false) {
    load(a, scale, turned);
    sweep_rows(1, 0, 0, 0, beside_);
  }

  // Rows from `first` on, of which the columns from the vector of `begin` to `end` change.
  void sweep_rows(int64_t first, int64_t column, int64_t next, int64_t begin, int64_t end) {
    begin = begin / kLanes<T> * kLanes<T>;
    int64_t count = (s_.m - first + 3) / 4 * 4;
    if (first >= s_.m) return void(std::fill(dots_ + begin, dots_ + end, T{}));
    T* from = row(first);
    sweep_all(from, count, stride_, {from, from, column, next, stride_}, begin, end, weights_,
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
    T* top = row(j);
    Reflection<T> made(element(top, j), real_part(element(dots_, j)));
    heads_[j] = made.head, factors_[j] = made.factor;
    if (!made.done) return made.idle && is_zero(j);
    set_element(top, j, T{made.beta});
    return true;
  }
  bool is_zero(int64_t j) const {
    for (int64_t i = j + 1; i < s_.m; ++i)
      if (element(row(i), j) != T{}) return false;
    return true;
  }

  // What reflector j takes from each of the columns from `begin` on, the first row of which is
  // `top`; none from those before `begin` in its vector.
  void weigh(int64_t j, T* top, int64_t begin, int64_t end) {
    int64_t taken = kLanes<T> - begin % kLanes<T>;
    for (int64_t c = begin / kLanes<T> * kLanes<T>; c < end; c += kLanes<T>, taken = kLanes<T>) {
      Vector<T> x = load_vector(top + c);
      Vector<T> w = plus_product(load_vector(dots_ + c), x, conjugate(heads_[j])) * factors_[j];
      w = lanes_from<T>(w, taken);
      store_vector<T>(weights_ + c, w);
      store_vector<T>(top + c, minus_product(x, w, heads_[j]));
    }
  }
  void apply_to(T* to, int64_t j, int64_t begin, int64_t end) const {
    T factor = element(to, j);
    for (int64_t c = begin / kLanes<T> * kLanes<T>; c < end; c += kLanes<T>)
      store_vector<T>(to + c,
                      minus_product(load_vector(to + c), load_vector(weights_ + c), factor));
  }

  void write_r(T* r, Real<T> scale) const {
    for (int64_t j = 0; j < s_.n; ++j, r += s_.rank) {
      int64_t filled = std::min(j + 1, s_.rank);
      for (int64_t i = 0; i < filled; ++i) r[i] = scaled(element(row(i), j), scale);
      std::fill(r + filled, r + s_.rank, T{});
    }
  }

  // put(row, column, element) for all of Q.
  template <class Put>
  void form_q(Put put) {
    for (int64_t i = 0; i < s_.rank; ++i) set_element(row(i), beside_ + i, T{1});
    for (int64_t j = 0; j < k_; ++j) factors_[j] = conjugate(factors_[j]);
    std::fill_n(weights_, stride_, T{});
    sweep_rows(k_, k_ - 1, k_ - 1, beside_ + k_ - 1, stride_);
    for (int64_t j = k_; j-- > 0;) {
      weigh(j, row(j), beside_ + j, stride_);
      int64_t next = std::max<int64_t>(j - 1, 0);
      sweep_rows(j + 1, j, next, beside_ + next, stride_);
      add_to_dots(row(j), next);
    }
    for (int64_t c = 0; c < s_.rank; ++c)
      for (int64_t i = 0; i < s_.m; ++i) put(i, c, element(row(i), beside_ + c));
  }
  void add_to_dots(const T* from, int64_t next) {
    T factor = conjugate(element(from, next));
    for (int64_t c = beside_ + next / kLanes<T> * kLanes<T>; c < stride_; c += kLanes<T>)
      store_vector<T>(dots_ + c,
                      plus_product(load_vector(dots_ + c), load_vector(from + c), factor));
  }

  SmallQr<T> s_;
  int64_t k_, beside_, stride_;  // Q begins at column `beside_`
  Scratch<T> memory_;
  T *rows_, *weights_, *dots_;
  // Reflector j is I - factor x x^H, where x is `head` followed by column j below the diagonal.
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

template <class T>
int64_t small_reflectors(T* a, int64_t m, int64_t n, T* tau, int64_t count) {
  RowsQr<T> qr({a, m, n, n, nullptr, nullptr});
  for (int64_t i = 0; i < count; ++i)
    if (!qr.run_in_place(a + i * m * n, tau + i * std::min(m, n))) return i;
  return count;
}
template <class T>
void small_product(T* a, int64_t m, int64_t n, const T* tau, int64_t k, int64_t count) {
  RowsQr<T> qr({a, m, n, n, a, nullptr});
  for (int64_t i = 0; i < count; ++i) qr.multiply_in_place(a + i * m * n, tau + i * k, k);
}

}  // namespace
}  // namespace RL_ISA_NS
}  // namespace rl
