// Eigenvalues and eigenvectors of a matrix, not a large one, that need not be symmetric: balanced,
// reduced to Hessenberg form by reflectors, to Schur form by double-shift QR, and solved for the
// vectors. The steps, shifts, deflations and signs are those of geev of LAPACK (gebal, gehd2,
// lahqr, lanv2, trevc, gebak), without its calls for every few numbers. Included by
// dense_factors.cpp.
#pragma once
#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>

#include "core/complex.h"
#include "kernels/factor_balance.h"
#include "kernels/factor_chase.h"
#include "kernels/factor_symmetric.h"

namespace rl {
namespace RL_ISA_NS {
namespace {

template <class T>
inline void rotate_runs(T* x, T* y, int64_t n, int64_t step, T c, T s) {
  for (int64_t i = 0; i < n * step; i += step) {
    T old = x[i];
    x[i] = c * old + s * y[i];
    y[i] = c * y[i] - s * old;
  }
}

// I - tau (1, v) (1, v)^T, which takes (alpha, x) to (alpha', 0): v in place of x.
template <class T>
inline T reflector(T& alpha, T* x, int64_t n) {
  T square = n < 4 ? T(0) : dot_run(x, x, n);
  for (int64_t i = 0; n < 4 && i < n; ++i) square += x[i] * x[i];
  if (square == 0) {
    std::fill_n(x, n, T(0));
    return 0;
  }
  T beta = -std::copysign(std::sqrt(alpha * alpha + square), alpha);
  T tau = (beta - alpha) / beta, by = 1 / (alpha - beta);
  for (int64_t i = 0; i < n; ++i) x[i] *= by;
  alpha = beta;
  return tau;
}

// The Schur form of [a b; c d] in its place, [c s; -s c] having been applied from both sides.
template <class T>
struct SchurPair {
  T cs = 1, sn = 0;
  SchurPair(T& a, T& b, T& c, T& d) {
    if (c == 0) return;
    if (b == 0) {
      exchange(a, b, c, d);
    } else if (a != d || std::signbit(b) == std::signbit(c)) {
      T p = (a - d) / 2, most = std::max(std::abs(b), std::abs(c));
      T least = std::copysign(std::min(std::abs(b), std::abs(c)), b) * std::copysign(T(1), c);
      T scale = std::max(std::abs(p), most), z = (p / scale) * p + (most / scale) * least;
      if (z >= 4 * std::numeric_limits<T>::epsilon())
        split(a, b, c, d, p + std::copysign(std::sqrt(scale) * std::sqrt(z), p), most, least);
      else
        equalise(a, b, c, d);
    }
  }

 private:
  void exchange(T& a, T& b, T& c, T& d) {
    cs = 0, sn = 1;
    std::swap(a, d);
    b = -c, c = 0;
  }
  void split(T& a, T& b, T& c, T& d, T z, T most, T least) {  // two real eigenvalues
    a = d + z;
    d -= (most / z) * least;
    T size = std::hypot(c, z);
    cs = z / size, sn = c / size;
    b -= c, c = 0;
  }
  void equalise(T& a, T& b, T& c, T& d) {  // complex, or real and almost equal
    T sigma = b + c, apart = a - d, tau = std::hypot(sigma, apart);
    cs = std::sqrt((1 + std::abs(sigma) / tau) / 2);
    sn = -(apart / 2 / (tau * cs)) * std::copysign(T(1), sigma);
    T aa = a * cs + b * sn, bb = b * cs - a * sn, cc = c * cs + d * sn, dd = d * cs - c * sn;
    a = aa * cs + cc * sn, b = bb * cs + dd * sn, c = cc * cs - aa * sn, d = dd * cs - bb * sn;
    T middle = (a + d) / 2;
    a = d = middle;
    if (c == 0) return;
    if (b == 0) {
      b = -c, c = 0;
      std::swap(cs, sn);
      cs = -cs;
    } else if (std::signbit(b) == std::signbit(c)) {
      T root_b = std::sqrt(std::abs(b)), root_c = std::sqrt(std::abs(c));
      T p = std::copysign(root_b * root_c, c), by = 1 / std::sqrt(std::abs(b + c));
      a = middle + p, d = middle - p;
      b -= c, c = 0;
      T c1 = root_b * by, s1 = root_c * by, old = cs;
      cs = old * c1 - sn * s1;
      sn = old * s1 + sn * c1;
    }
  }
};

template <class T>
class GeneralMatrix : Balanced<T, 1> {
 public:
  // Columns are `step` apart, here and in what is read and written.
  GeneralMatrix(int64_t n, int64_t step, bool vectors)
      : Base(n, own_step(step), own_step(step) * n + 3 * n, kSpare),
        vectors_(vectors),
        outer_step_(step),
        q_(this->more_),
        tau_(q_ + step_ * n),
        x_(tau_ + n),
        y_(x_ + n) {}

  // `a` column-major. Parts of the eigenvalues, and as geev the columns of vectors or of their
  // real and imaginary parts. False if numbers are so far apart, or the iteration so long, that a
  // library has to see it.
  bool run(const T* a, T* re, T* im, T* columns) {
    if (!load(a)) return false;
    this->balance();
    reduce();
    if (!iterate(re, im)) return false;
    if (vectors_) solve_all(re, im, columns);
    return true;
  }

 private:
  using Base = Balanced<T, 1>;
  using Base::column, Base::h, Base::high_, Base::low_, Base::kMin, Base::kUlp, Base::n_;
  using Base::restore, Base::step_;

  // Sweeps turn whole vectors of columns of Q, and whole groups of columns of H.
  static constexpr int64_t kLane = kLanes<T>, kSpare = 8;
  static int64_t own_step(int64_t step) { return (step + kLane - 1) / kLane * kLane; }

  bool load(const T* a) {
    bool fit = true;
    for (int64_t j = 0; j < n_; ++j, a += outer_step_)
      for (int64_t i = 0; i < n_; ++i) fit &= Base::fits(h(i, j) = a[i]);
    std::fill_n(column(n_), kSpare * step_, T(0));
    return fit;
  }

  // ---- Hessenberg form, and Q
  void reduce() {
    for (int64_t i = low_; i + 1 < high_; ++i) {
      T *v = column(i) + i + 1, alpha = v[0];
      int64_t count = high_ - i;
      T tau = tau_[i] = reflector(alpha, v + 1, count - 1);
      v[0] = 1;
      if (tau != 0) {
        from_right(v, tau, i + 1, count);
        for (int64_t j = i + 1; j < n_; ++j) from_left(v, tau, column(j) + i + 1, count);
      }
      v[0] = alpha;
    }
    if (vectors_) form_q();
    for (int64_t j = low_; j < high_; ++j)
      std::fill(column(j) + j + 2, column(j) + high_ + 1, T(0));
  }
  void from_right(const T* v, T tau, int64_t first, int64_t count) {
    int64_t rows = high_ + 1;
    std::fill_n(x_, rows, T(0));
    for (int64_t j = 0; j < count; ++j) add_run(x_, v[j], column(first + j), rows);
    for (int64_t j = 0; j < count; ++j) add_run(column(first + j), -tau * v[j], x_, rows);
  }
  static void from_left(const T* v, T tau, T* x, int64_t count) {
    add_run(x, -tau * dot_run(v, x, count), v, count);
  }
  void form_q() {
    std::fill_n(q_, step_ * n_, T(0));
    for (int64_t i = 0; i < n_; ++i) q_[i * step_ + i] = 1;
    for (int64_t i = high_ - 2; i >= low_; --i) {
      T *v = column(i) + i + 1, head = v[0];
      int64_t count = high_ - i;
      v[0] = 1;
      for (int64_t j = i + 1; j <= high_; ++j) from_left(v, tau_[i], q_ + j * step_ + i + 1, count);
      v[0] = head;
    }
  }

  // ---- Schur form
  bool iterate(T* re, T* im) {
    for (int64_t i = 0; i < n_; ++i) {
      re[i] = h(i, i);
      im[i] = 0;
    }
    int64_t steps = 30 * std::max<int64_t>(10, high_ - low_ + 1);
    for (int64_t end = high_; end >= low_;) {
      int64_t begin = low_, since = 0;
      for (int64_t step = 0;; ++step) {
        if (step > steps) return false;
        begin = find_split(begin, end);
        if (begin >= end - 1) break;
        sweep(begin, end, ++since);
      }
      if (begin == end)
        re[end] = h(end, end);
      else
        finish_pair(end, re, im);
      end = begin - 1;
    }
    return true;
  }

  // The first row of the last block that does not fall apart.
  int64_t find_split(int64_t begin, int64_t end) {
    const T tiny = kMin * (static_cast<T>(high_ - low_ + 1) / kUlp);
    int64_t k = end;
    for (; k > begin; --k) {
      T below = std::abs(h(k, k - 1)), above = std::abs(h(k - 1, k));
      if (below <= tiny) break;
      T size = std::abs(h(k - 1, k - 1)) + std::abs(h(k, k));
      if (size == 0) {
        if (k - 2 >= low_) size += std::abs(h(k - 1, k - 2));
        if (k + 1 <= high_) size += std::abs(h(k + 1, k));
      }
      if (below > kUlp * size) continue;
      T one = std::abs(h(k, k)), other = std::abs(h(k - 1, k - 1) - h(k, k));
      if (this->may_drop(below, above, one, other, tiny)) break;
    }
    if (k > low_) h(k, k - 1) = 0;
    return k;
  }

  struct Shifts {
    T re1 = 0, im1 = 0, re2 = 0, im2 = 0;
  };
  Shifts shifts(int64_t begin, int64_t end, int64_t since) const {
    T a = h(end - 1, end - 1), b = h(end - 1, end), c = h(end, end - 1), d = h(end, end);
    if (since % 10 == 0) {  // others than those that have not helped
      bool last = since % 20 == 0;
      T s = last ? std::abs(h(end, end - 1)) + std::abs(h(end - 1, end - 2))
                 : std::abs(h(begin + 1, begin)) + std::abs(h(begin + 2, begin + 1));
      a = d = T(0.75) * s + (last ? h(end, end) : h(begin, begin));
      b = T(-0.4375) * s;
      c = s;
    }
    T s = std::abs(a) + std::abs(b) + std::abs(c) + std::abs(d);
    if (s == 0) return {};
    a /= s, b /= s, c /= s, d /= s;
    T middle = (a + d) / 2, det = (a - middle) * (d - middle) - b * c;
    T root = std::sqrt(std::abs(det));
    if (det >= 0) return {middle * s, root * s, middle * s, -root * s};
    T one = middle + root, two = middle - root;
    T near = (std::abs(one - d) <= std::abs(two - d) ? one : two) * s;
    return {near, 0, near, 0};
  }

  // Where two small elements below the diagonal let a sweep begin, and its first reflector.
  int64_t start(const Shifts& s, int64_t begin, int64_t end, T (&v)[3]) const {
    for (int64_t m = end - 2;; --m) {
      T size = std::abs(h(m, m) - s.re2) + std::abs(s.im2) + std::abs(h(m + 1, m));
      T below = h(m + 1, m) / size;
      v[0] = below * h(m, m + 1) + (h(m, m) - s.re1) * ((h(m, m) - s.re2) / size) -
             s.im1 * (s.im2 / size);
      v[1] = below * (h(m, m) + h(m + 1, m + 1) - s.re1 - s.re2);
      v[2] = below * h(m + 2, m + 1);
      T sum = std::abs(v[0]) + std::abs(v[1]) + std::abs(v[2]);
      for (T& x : v) x /= sum;
      if (m == begin) return m;
      T around = std::abs(h(m - 1, m - 1)) + std::abs(h(m, m)) + std::abs(h(m + 1, m + 1));
      if (std::abs(h(m, m - 1)) * (std::abs(v[1]) + std::abs(v[2])) <=
          kUlp * std::abs(v[0]) * around)
        return m;
    }
  }

  void sweep(int64_t begin, int64_t end, int64_t since) {
    T v[3];
    int64_t m = start(shifts(begin, end, since), begin, end, v), k = m;
    int64_t first = vectors_ ? 0 : begin, last = vectors_ ? n_ - 1 : end;
    for (; k + kBulges < end; k += kBulges) chase_together(k, k == m, begin, end, v);
    for (; k < end; ++k) {
      T tau = next_reflector(k, k == m, begin, end, v);
      bool three = k + 2 <= end;
      int64_t rows = std::min(k + 3, end) + 1 - first;
      three ? reflect<3>(k, v, tau, first, rows, last) : reflect<2>(k, v, tau, first, rows, last);
      T* q = q_ + k * step_ + low_;
      if (vectors_)
        three ? turn_run<3>(q, v, tau, high_ - low_ + 1) : turn_run<2>(q, v, tau, high_ - low_ + 1);
    }
  }
  // Of the numbers below the diagonal that the one before has left, unless it is the first.
  T next_reflector(int64_t k, bool is_first, int64_t begin, int64_t end, T (&v)[3]) {
    bool three = k + 2 <= end;
    if (!is_first) {
      v[0] = h(k, k - 1), v[1] = h(k + 1, k - 1);
      v[2] = three ? h(k + 2, k - 1) : T(0);
    }
    T tau = reflector(v[0], v + 1, three ? 2 : 1);
    if (!is_first) {
      h(k, k - 1) = v[0];
      h(k + 1, k - 1) = 0;
      if (three) h(k + 2, k - 1) = 0;
    } else if (k > begin) {
      h(k, k - 1) *= 1 - tau;
    }
    return tau;
  }
  // Some reflectors, which at first turn only what the next of them are made of.
  void chase_together(int64_t k, bool is_first, int64_t begin, int64_t end, T (&v)[3]) {
    Bulge<T> bulges[kBulges];
    int64_t first = vectors_ ? 0 : begin, last = vectors_ ? n_ - 1 : end;
    int64_t next = k + kBulges + 2, far = (k - first) / kLane * kLane, near = first + far;
    for (int64_t i = 0; i < kBulges; ++i) {
      T tau = next_reflector(k + i, is_first && i == 0, begin, end, v);
      bulges[i] = Bulge<T>(v, tau);
      reflect<3>(k + i, v, tau, near, std::min(k + i + 3, end) + 1 - near, next - 1);
    }
    turn_all_rows(column(next) + k, step_, last + 1 - next, bulges);
    turn_all_columns(column(k) + first, step_, far, bulges);
    if (vectors_) turn_all_columns(q_ + k * step_, step_, own_step(n_), bulges);
  }
  template <int R>
  void reflect(int64_t k, const T* v, T tau, int64_t first, int64_t rows, int64_t last) {
    T v1 = v[1], v2 = R == 3 ? v[2] : T(0), t1 = tau * v1, t2 = tau * v2;
    for (T *x = column(k) + k, *end = column(last) + k; x <= end; x += step_) {
      T sum = x[0] + v1 * x[1];
      if constexpr (R == 3) sum += v2 * x[2];
      x[0] -= sum * tau;
      x[1] -= sum * t1;
      if constexpr (R == 3) x[2] -= sum * t2;
    }
    turn_run<R>(column(k) + first, v, tau, rows);
  }
  template <int R>
  void turn_run(T* a, const T* v, T tau, int64_t count) const {
    T v1 = v[1], v2 = R == 3 ? v[2] : T(0), t1 = tau * v1, t2 = tau * v2;
    T *b = a + step_, *c = b + (R == 3 ? step_ : 0);
#pragma GCC ivdep
    for (int64_t i = 0; i < count; ++i) {
      T sum = a[i] + v1 * b[i];
      if constexpr (R == 3) sum += v2 * c[i];
      a[i] -= sum * tau;
      b[i] -= sum * t1;
      if constexpr (R == 3) c[i] -= sum * t2;
    }
  }

  void finish_pair(int64_t i, T* re, T* im) {
    T &a = h(i - 1, i - 1), &b = h(i - 1, i), &c = h(i, i - 1), &d = h(i, i);
    SchurPair<T> pair(a, b, c, d);
    re[i - 1] = a, re[i] = d;
    im[i - 1] = c == 0 ? T(0) : std::sqrt(std::abs(b)) * std::sqrt(std::abs(c));
    im[i] = -im[i - 1];
    if (!vectors_) return;
    if (i + 1 < n_)
      rotate_runs(&h(i - 1, i + 1), &h(i, i + 1), n_ - 1 - i, step_, pair.cs, pair.sn);
    rotate_runs(column(i - 1), column(i), i - 1, 1, pair.cs, pair.sn);
    rotate_runs(q_ + (i - 1) * step_ + low_, q_ + i * step_ + low_, high_ - low_ + 1, 1, pair.cs,
                pair.sn);
  }

  // ---- vectors: those of the Schur form by substitution, x_ + i y_, times Q
  void solve_all(const T* re, const T* im, T* columns) {
    for (int64_t k = n_ - 1; k >= 0; --k) {
      T* to = columns + k * outer_step_;
      if (im[k] == 0) {
        std::copy_n(column(k), k, x_);
        for (int64_t i = 0; i < k; ++i) x_[i] = -x_[i];
        x_[k] = 1;
        substitute<T>(k, re[k], re[k]);
        times_q(x_, k + 1, to);
        restore(to);
        T by = 1 / std::sqrt(dot_run(to, to, n_));
        for (int64_t i = 0; i < n_; ++i) to[i] *= by;
      } else {
        --k;
        start_pair(k, im[k]);
        substitute<Complex<T>>(k, {re[k], im[k]}, std::abs(re[k]) + std::abs(im[k]));
        times_q(x_, k + 2, to - outer_step_);
        times_q(y_, k + 2, to);
        restore(to - outer_step_);
        restore(to);
        normalise_pair(to - outer_step_, to);
      }
    }
  }
  void start_pair(int64_t k, T im) {
    bool above = std::abs(h(k, k + 1)) >= std::abs(h(k + 1, k));
    x_[k] = above ? T(1) : -im / h(k + 1, k);
    y_[k + 1] = above ? im / h(k, k + 1) : T(1);
    x_[k + 1] = y_[k] = 0;
    for (int64_t i = 0; i < k; ++i) {
      x_[i] = -x_[k] * h(i, k);
      y_[i] = -y_[k + 1] * h(i, k + 1);
    }
  }

  template <class N>
  N get(int64_t j) const {
    if constexpr (std::is_same_v<N, T>)
      return x_[j];
    else
      return {x_[j], y_[j]};
  }
  template <class N>
  void put(int64_t j, N value) {
    if constexpr (std::is_same_v<N, T>) {
      x_[j] = value;
      add_run(x_, -value, column(j), j);
    } else {
      x_[j] = value.re, y_[j] = value.im;
      add_run(x_, -value.re, column(j), j);
      add_run(y_, -value.im, column(j), j);
    }
  }
  static T size_of(T x) { return std::abs(x); }
  static T size_of(Complex<T> x) { return std::abs(x.re) + std::abs(x.im); }
  template <class N>
  static N number(T x) {
    return N{x};
  }

  // (H - value) x = what is in x_ and y_, for its first `count` rows. Pivots that are almost zero
  // are taken for the least that matters, and what grows too far is made smaller as a whole.
  template <class N>
  void substitute(int64_t count, N value, T size) {
    const T least = std::max(kUlp * std::abs(size), kMin * (static_cast<T>(n_) / kUlp));
    for (int64_t j = count - 1; j >= 0; --j) {
      shrink<N>(count);
      if (j == 0 || h(j, j - 1) == 0) {
        N pivot = number<N>(h(j, j)) - value;
        if (size_of(pivot) < least) pivot = number<N>(least);
        put<N>(j, get<N>(j) / pivot);
      } else {
        --j;
        solve_block<N>(j, value, least);
      }
    }
    shrink<N>(count);
  }
  template <class N>
  void solve_block(int64_t j, N value, T least) {
    N m[2][2] = {{number<N>(h(j, j)) - value, number<N>(h(j, j + 1))},
                 {number<N>(h(j + 1, j)), number<N>(h(j + 1, j + 1)) - value}};
    int r = 0, c = 0;
    for (int i = 1; i < 4; ++i)
      if (size_of(m[i / 2][i % 2]) > size_of(m[r][c])) r = i / 2, c = i % 2;
    N top = get<N>(j + r), low = get<N>(j + 1 - r), first = m[r][c];
    if (size_of(first) < least) first = number<N>(least);
    N by = m[1 - r][c] / first, pivot = m[1 - r][1 - c] - by * m[r][1 - c];
    if (size_of(pivot) < least) pivot = number<N>(least);
    N second = (low - by * top) / pivot;
    N x[2];
    x[1 - c] = second;
    x[c] = (top - m[r][1 - c] * second) / first;
    put<N>(j + 1, x[1]);
    put<N>(j, x[0]);
  }
  template <class N>
  void shrink(int64_t count) {
    constexpr bool kPair = !std::is_same_v<N, T>;
    const T most = 1 / (std::sqrt(kMin) / kUlp);
    int64_t n = count + 1 + kPair;
    T top = 0;
    for (int64_t i = 0; i < n; ++i)
      top = std::max({top, std::abs(x_[i]), kPair ? std::abs(y_[i]) : T(0)});
    if (!(top > most)) return;
    for (int64_t i = 0; i < n; ++i) {
      x_[i] /= top;
      if constexpr (kPair) y_[i] /= top;
    }
  }

  void times_q(const T* x, int64_t count, T* to) const {
    std::fill_n(to, n_, T(0));
    for (int64_t j = 0; j < count; ++j) add_run(to, x[j], q_ + j * step_, n_);
  }
  void normalise_pair(T* re, T* im) const {
    T by = 1 / std::sqrt(dot_run(re, re, n_) + dot_run(im, im, n_)), most = -1;
    int64_t at = 0;
    for (int64_t i = 0; i < n_; ++i) {
      re[i] *= by, im[i] *= by;
      T square = re[i] * re[i] + im[i] * im[i];
      if (square > most) most = square, at = i;
    }
    Rotation<T> turn(re[at], im[at]);
    rotate_runs(re, im, n_, 1, turn.c, turn.s);
    im[at] = 0;
  }

  bool vectors_;
  int64_t outer_step_;
  T *q_, *tau_, *x_, *y_;
};

template <class T>
bool small_general(const SmallGeneral<T>& s) {
  return GeneralMatrix<T>(s.n, s.step, s.columns).run(s.a, s.re, s.im, s.columns);
}

}  // namespace
}  // namespace RL_ISA_NS
}  // namespace rl
