// Eigenvalues and eigenvectors of a complex matrix, not a large one: balanced, reduced to
// Hessenberg form by reflectors, to Schur form by single-shift QR, and solved for the vectors. The
// steps, shifts and deflations are those of geev of LAPACK (lahqr, trevc), without its calls for
// every few numbers; real and imaginary parts are in matrices of their own. Included by
// dense_factors.cpp.
#pragma once
#include "kernels/factor_balance.h"

namespace rl {
namespace RL_ISA_NS {
namespace {

// Numbers by their parts, which are in two arrays.
template <class R>
struct Pairs {
  R *re, *im;
  Pairs operator+(int64_t i) const { return {re + i, im + i}; }
  Complex<R> get(int64_t i) const { return {re[i], im[i]}; }
  void set(int64_t i, Complex<R> x) const { re[i] = x.re, im[i] = x.im; }
  void fill_zero(int64_t n) const {
    std::fill_n(re, n, R(0));
    std::fill_n(im, n, R(0));
  }
};
template <class R>
inline void add_run(Pairs<R> to, Complex<R> by, Pairs<R> x, int64_t n) {
  R *re = to.re, *im = to.im;
#pragma GCC ivdep
  for (int64_t i = 0; i < n; ++i) {
    re[i] += by.re * x.re[i] - by.im * x.im[i];
    im[i] += by.re * x.im[i] + by.im * x.re[i];
  }
}
template <class R>
inline void multiply_run(Pairs<R> x, Complex<R> by, int64_t n, int64_t step) {
  for (int64_t i = 0; i < n * step; i += step) x.set(i, x.get(i) * by);
}
// The sum of the conjugates of x times y.
template <class R>
inline Complex<R> dot_run(Pairs<R> x, Pairs<R> y, int64_t n) {
  constexpr int64_t L = kLanes<R>;
  Complex<R> sum;
  int64_t i = 0;
  if (n >= L) {
    Vector<R> re{}, im{};
    for (; i + L <= n; i += L) {
      Vector<R> xr = load_vector(x.re + i), xi = load_vector(x.im + i);
      Vector<R> yr = load_vector(y.re + i), yi = load_vector(y.im + i);
      re += xr * yr + xi * yi;
      im += xr * yi - xi * yr;
    }
    sum = {join_lanes<SumStep, R>(re), join_lanes<SumStep, R>(im)};
  }
  for (; i < n; ++i) sum += conjugate(x.get(i)) * y.get(i);
  return sum;
}
template <class R>
inline R size_of(Complex<R> x) {
  return std::abs(x.re) + std::abs(x.im);
}
template <class R>
inline Complex<R> root_of(Complex<R> z) {
  R size = std::hypot(z.re, z.im);
  if (size == 0) return {};
  R root = std::sqrt((size + std::abs(z.re)) / 2), other = z.im / (2 * root);
  if (z.re >= 0) return {root, other};
  return {std::abs(other), std::copysign(root, z.im)};
}

template <class R>
class ComplexGeneral : Balanced<R, 2> {
  using C = Complex<R>;
  using Base = Balanced<R, 2>;

 public:
  ComplexGeneral(int64_t n, int64_t step, bool vectors)
      : Base(n, step, 2 * step * n + 4 * n),
        vectors_(vectors),
        q_(this->more_),
        x_{q_ + 2 * step * n, q_ + 2 * step * n + n},
        tau_(reinterpret_cast<C*>(x_.im + n)) {}

  // `a` column-major; vectors in columns of n. False if numbers are so far apart, or the iteration
  // so long, that a library has to see it.
  bool run(const C* a, C* values, C* vectors) {
    if (!load(a)) return false;
    this->balance();
    reduce();
    if (!iterate()) return false;
    for (int64_t i = 0; i < n_; ++i) values[i] = get(i, i);
    for (int64_t k = n_ - 1; vectors_ && k >= 0; --k) solve(k, vectors + k * n_);
    return true;
  }

 private:
  using Base::h, Base::high_, Base::low_, Base::kMin, Base::kUlp, Base::n_, Base::step_;

  Pairs<R> column(int64_t j) const { return {Base::column(j, 0), Base::column(j, 1)}; }
  Pairs<R> q(int64_t j) const { return {q_ + j * step_, q_ + (n_ + j) * step_}; }
  C get(int64_t i, int64_t j) const { return column(j).get(i); }
  void set(int64_t i, int64_t j, C x) const { column(j).set(i, x); }
  R below(int64_t i) const { return h(i, i - 1); }  // next to the diagonal all are real

  bool load(const C* a) {
    bool fit = true;
    for (int64_t j = 0; j < n_; ++j, a += step_)
      for (int64_t i = 0; i < n_; ++i) {
        fit &= Base::fits(a[i].re) && Base::fits(a[i].im);
        set(i, j, a[i]);
      }
    return fit;
  }

  // ---- Hessenberg form, and Q
  // I - tau (1, v) (1, v)^H, whose adjoint takes (alpha, x) to (alpha', 0), alpha' real: v in place
  // of x.
  static C reflector(C& alpha, Pairs<R> x, int64_t n) {
    R square = dot_run(x, x, n).re;
    if (square == 0 && alpha.im == 0) return {};
    R beta = -std::copysign(std::sqrt(square_of(alpha) + square), alpha.re);
    C tau{(beta - alpha.re) / beta, -alpha.im / beta}, by = C{1} / (alpha - C{beta});
    multiply_run(x, by, n, 1);
    alpha = {beta, 0};
    return tau;
  }
  void reduce() {
    for (int64_t i = low_; i < high_; ++i) {
      Pairs<R> v = column(i) + (i + 1);
      C alpha = v.get(0);
      int64_t count = high_ - i;
      C tau = tau_[i] = reflector(alpha, v + 1, count - 1);
      v.set(0, C{1});
      from_right(v, tau, i + 1, count);
      for (int64_t j = i + 1; j < n_; ++j) from_left(v, conjugate(tau), column(j) + (i + 1), count);
      v.set(0, alpha);
    }
    if (vectors_) form_q();
    for (int64_t j = low_; j < high_; ++j) (column(j) + (j + 2)).fill_zero(high_ - j - 1);
  }
  void from_right(Pairs<R> v, C tau, int64_t first, int64_t count) {
    int64_t rows = high_ + 1;
    x_.fill_zero(rows);
    for (int64_t j = 0; j < count; ++j) add_run(x_, v.get(j), column(first + j), rows);
    for (int64_t j = 0; j < count; ++j)
      add_run(column(first + j), -tau * conjugate(v.get(j)), x_, rows);
  }
  static void from_left(Pairs<R> v, C tau, Pairs<R> x, int64_t count) {
    add_run(x, -tau * dot_run(v, x, count), v, count);
  }
  void form_q() {
    std::fill_n(q_, 2 * step_ * n_, R(0));
    for (int64_t i = 0; i < n_; ++i) q(i).re[i] = 1;
    for (int64_t i = high_ - 1; i >= low_; --i) {
      Pairs<R> v = column(i) + (i + 1);
      C head = v.get(0);
      v.set(0, C{1});
      for (int64_t j = i + 1; j <= high_; ++j) from_left(v, tau_[i], q(j) + (i + 1), high_ - i);
      v.set(0, head);
    }
  }

  // ---- Schur form
  bool iterate() {
    int64_t steps = 30 * std::max<int64_t>(10, high_ - low_ + 1);
    for (int64_t end = high_; end >= low_;) {
      int64_t begin = low_, since = 0;
      for (int64_t step = 0;; ++step) {
        if (step > steps) return false;
        begin = find_split(begin, end);
        if (begin >= end) break;
        sweep(begin, end, shift(begin, end, ++since));
      }
      end = begin - 1;
    }
    return true;
  }
  int64_t find_split(int64_t begin, int64_t end) {
    const R tiny = kMin * (static_cast<R>(high_ - low_ + 1) / kUlp);
    int64_t k = end;
    for (; k > begin; --k) {
      R left = std::abs(below(k)), size = size_of(get(k - 1, k - 1)) + size_of(get(k, k));
      if (left <= tiny) break;
      if (size == 0) {
        if (k - 2 >= low_) size += std::abs(below(k - 1));
        if (k + 1 <= high_) size += std::abs(below(k + 1));
      }
      if (left > kUlp * size) continue;
      R above = size_of(get(k - 1, k)), one = size_of(get(k, k));
      R other = size_of(get(k - 1, k - 1) - get(k, k));
      if (this->may_drop(left, above, one, other, tiny)) break;
    }
    if (k > low_) set(k, k - 1, {});
    return k;
  }
  C shift(int64_t begin, int64_t end, int64_t since) const {
    if (since % 20 == 0) return C{R(0.75) * std::abs(below(end))} + get(end, end);
    if (since % 10 == 0) return C{R(0.75) * std::abs(below(begin + 1))} + get(begin, begin);
    C t = get(end, end), u = root_of(get(end - 1, end)) * root_of(get(end, end - 1));
    if (size_of(u) == 0) return t;
    C x = get(end - 1, end - 1) - t;
    x = {x.re / 2, x.im / 2};
    R sx = size_of(x), s = std::max(size_of(u), sx);
    C xs{x.re / s, x.im / s}, us{u.re / s, u.im / s};
    C y = scaled(root_of(xs * xs + us * us), s);
    if (sx > 0 && x.re / sx * y.re + x.im / sx * y.im < 0) y = -y;
    return t - u * (u / (x + y));
  }

  // Where two small elements below the diagonal let a sweep begin, and what its reflector is of.
  int64_t start(C t, int64_t begin, int64_t end, C& v1, R& v2) const {
    for (int64_t m = end - 1;; --m) {
      C h11 = get(m, m), h22 = get(m + 1, m + 1);
      v1 = h11 - t, v2 = below(m + 1);
      R s = size_of(v1) + std::abs(v2);
      v1 = {v1.re / s, v1.im / s}, v2 /= s;
      if (m == begin) return m;
      if (std::abs(below(m)) * std::abs(v2) <= kUlp * (size_of(v1) * (size_of(h11) + size_of(h22))))
        return m;
    }
  }
  void sweep(int64_t begin, int64_t end, C t) {
    C v1;
    R v2;
    int64_t m = start(t, begin, end, v1, v2);
    int64_t first = vectors_ ? 0 : begin, last = vectors_ ? n_ - 1 : end;
    for (int64_t k = m; k < end; ++k) {
      C head = v1, second{v2};
      if (k > m) head = get(k, k - 1), second = get(k + 1, k - 1);
      C tau = reflector(head, {&second.re, &second.im}, 1);
      if (k > m) {
        set(k, k - 1, head);
        set(k + 1, k - 1, {});
      }
      reflect(k, second, tau, first, std::min(k + 2, end) + 1 - first, last);
      if (k == m && m > begin) {  // what is below the diagonal becomes real again
        C turn = C{1} - tau;
        turn = scaled(turn, 1 / std::hypot(turn.re, turn.im));
        set(m + 1, m, get(m + 1, m) * conjugate(turn));
        if (m + 2 <= end) set(m + 2, m + 1, get(m + 2, m + 1) * turn);
        for (int64_t j = m; j <= end; ++j)
          if (j != m + 1) turn_phase(j, turn, first, last);
      }
    }
    C corner = get(end, end - 1);
    if (corner.im == 0) return;
    R size = std::hypot(corner.re, corner.im);
    set(end, end - 1, C{size});
    turn_phase(end, scaled(conjugate(corner), 1 / size), first, last);
  }
  // Row j beyond the diagonal times `by`, the column above it divided.
  void turn_phase(int64_t j, C by, int64_t first, int64_t last) {
    multiply_run({&h(j, j, 0) + step_, &h(j, j, 1) + step_}, by, last - j, step_);
    multiply_run(column(j) + first, conjugate(by), j - first, 1);
    if (vectors_) multiply_run(q(j) + low_, conjugate(by), high_ - low_ + 1, 1);
  }
  void reflect(int64_t k, C v, C tau, int64_t first, int64_t rows, int64_t last) {
    R part = (tau * v).re;
    C adjoint = conjugate(tau);
    for (int64_t j = k; j <= last; ++j) {
      Pairs<R> x = column(j) + k;
      C sum = adjoint * x.get(0) + scaled(x.get(1), part);
      x.set(0, x.get(0) - sum);
      x.set(1, x.get(1) - sum * v);
    }
    auto columns = [&](Pairs<R> a, Pairs<R> b, int64_t count) {
      R *ar = a.re, *ai = a.im, *br = b.re, *bi = b.im;
#pragma GCC ivdep
      for (int64_t i = 0; i < count; ++i) {
        R re = tau.re * ar[i] - tau.im * ai[i] + part * br[i];
        R im = tau.re * ai[i] + tau.im * ar[i] + part * bi[i];
        ar[i] -= re, ai[i] -= im;
        br[i] -= re * v.re + im * v.im;
        bi[i] -= im * v.re - re * v.im;
      }
    };
    columns(column(k) + first, column(k + 1) + first, rows);
    if (vectors_) columns(q(k) + low_, q(k + 1) + low_, high_ - low_ + 1);
  }

  // ---- vectors: those of the Schur form by substitution, times Q. Pivots that are almost zero are
  // taken for the least that matters, and what grows too far is made smaller as a whole.
  void solve(int64_t k, C* to) {
    const C value = get(k, k);
    const R least = std::max(kUlp * size_of(value), kMin * (static_cast<R>(n_) / kUlp));
    for (int64_t i = 0; i < k; ++i) x_.set(i, -get(i, k));
    x_.set(k, C{1});
    for (int64_t j = k - 1; j >= 0; --j) {
      shrink(k + 1);
      C pivot = get(j, j) - value;
      if (size_of(pivot) < least) pivot = C{least};
      C x = x_.get(j) / pivot;
      x_.set(j, x);
      add_run(x_, -x, column(j), j);
    }
    shrink(k + 1);
    Pairs<R> sum = column(k);  // which is not needed any more
    std::swap(sum, x_);
    x_.fill_zero(n_);
    for (int64_t j = 0; j <= k; ++j) add_run(x_, sum.get(j), q(j), n_);
    this->restore(x_.re);
    this->restore(x_.im);
    write(to);
    std::swap(sum, x_);
  }
  void shrink(int64_t n) {
    const R most = 1 / (std::sqrt(kMin) / kUlp);
    R top = 0;
    for (int64_t i = 0; i < n; ++i) top = std::max({top, std::abs(x_.re[i]), std::abs(x_.im[i])});
    if (!(top > most)) return;
    for (int64_t i = 0; i < n; ++i) x_.re[i] /= top, x_.im[i] /= top;
  }
  // Of length one, and its largest element real.
  void write(C* to) const {
    R most = -1, by = 1 / std::sqrt(dot_run(x_, x_, n_).re);
    int64_t at = 0;
    for (int64_t i = 0; i < n_; ++i) {
      x_.re[i] *= by, x_.im[i] *= by;
      R square = square_of(x_.get(i));
      if (square > most) most = square, at = i;
    }
    C turn = scaled(conjugate(x_.get(at)), 1 / std::sqrt(most));
    for (int64_t i = 0; i < n_; ++i) to[i] = x_.get(i) * turn;
    to[at].im = 0;
  }

  bool vectors_;
  R* q_;
  Pairs<R> x_;
  C* tau_;
};

template <class R>
bool small_general_complex(const SmallGeneral<Complex<R>>& s) {
  return ComplexGeneral<R>(s.n, s.step, s.vectors).run(s.a, s.values, s.vectors);
}

}  // namespace
}  // namespace RL_ISA_NS
}  // namespace rl
