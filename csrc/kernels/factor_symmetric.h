// Eigenvalues and eigenvectors of a small symmetric or Hermitian matrix: made tridiagonal by
// reflectors from both sides, then diagonal by implicit QL (steqr of LAPACK: the same shifts,
// directions and signs). Whole rows are kept, so that everything runs along them; those of Q^T are
// Q's columns. Included by dense_factors.cpp.
#pragma once
#include <algorithm>
#include <numeric>
#include <utility>

#include "kernels/factor_tall.h"

namespace rl {
namespace RL_ISA_NS {
namespace {

// [c s; -s c] (f, g) = (r, 0), c >= 0.
template <class T>
struct Rotation {
  T c = 1, s = 0, r = 0;
  Rotation(T f, T g) {
    constexpr T kLeast = std::numeric_limits<T>::min() / std::numeric_limits<T>::epsilon();
    T square = f * f + g * g, top = 1;
    if (!(square >= kLeast && square <= std::numeric_limits<T>::max())) {
      top = std::max(std::abs(f), std::abs(g));
      if (top == 0) return;
      f /= top, g /= top;
      square = f * f + g * g;
    }
    T size = std::sqrt(square);
    c = std::abs(f) / size;
    s = (f < 0 ? -g : g) / size;
    r = std::copysign(size, f) * top;
  }
};

// Rotates V vectors of each of `count` + 1 rows, which are `step` apart, with the next: a row goes
// on to the next rotation in registers.
template <class T, int V>
[[gnu::noinline]] void rotate_rows(T* row, int64_t step, int64_t count, const T* c, const T* s) {
  Vector<T> x[V];
  for (int v = 0; v < V; ++v) x[v] = load_vector(row + v * kLanes<T>);
  for (int64_t k = 0; k < count; ++k, row += step)
#pragma GCC unroll 8
    for (int v = 0; v < V; ++v) {
      T* at = row + v * kLanes<T>;
      Vector<T> y = load_vector(at + step);
      store_vector<T>(at, x[v] * c[k] + y * s[k]);
      x[v] = y * c[k] - x[v] * s[k];
    }
  for (int v = 0; v < V; ++v) store_vector<T>(row + v * kLanes<T>, x[v]);
}

template <class T>
void rotate_all(T* row, int64_t step, int64_t length, int64_t count, const T* c, const T* s) {
  EvenParts pieces(length / kLanes<T>, 8);
  for (int64_t p = 0; p < pieces.count; ++p)
    with_number<8>(pieces.size(p), [&]<int V>() {
      rotate_rows<T, V>(row + pieces.begin(p) * kLanes<T>, step, count, c, s);
    });
}

// The implicit QL algorithm for a symmetric tridiagonal matrix: `beside` becomes 0, `diagonal` the
// eigenvalues, and rotations are applied to the n rows of `z`, unless that is null.
template <class T>
class TridiagonalQl {
 public:
  TridiagonalQl(int64_t n, T* diagonal, T* beside, T* z, int64_t stride)
      : n_(n), d_(diagonal), e_(beside), z_(z), stride_(stride), budget_(30 * n), turns_(2 * n) {}

  // How many numbers beside the diagonal are left.
  int run() {
    for (int64_t first = 0, last; first < n_; first = last + 1) {
      for (last = first; last + 1 < n_ && !splits_at(last);) ++last;
      if (last + 1 < n_) e_[last] = 0;
      if (last > first) solve_scaled(first, last);
      if (!budget_) break;
    }
    return static_cast<int>(std::count_if(e_, e_ + n_ - 1, [](T x) { return x != 0; }));
  }

 private:
  static constexpr T kEps = std::numeric_limits<T>::epsilon() / 2;
  static constexpr int kMost = std::numeric_limits<T>::max_exponent;

  bool splits_at(int64_t i) const {
    return std::abs(e_[i]) <= std::sqrt(std::abs(d_[i])) * std::sqrt(std::abs(d_[i + 1])) * kEps;
  }

  // Rows first to last, times a power of two if squares would overflow or lose digits.
  void solve_scaled(int64_t first, int64_t last) {
    T top = std::abs(d_[last]);
    for (int64_t i = first; i < last; ++i) top = std::max({top, std::abs(d_[i]), std::abs(e_[i])});
    int exponent = 0;
    std::frexp(top, &exponent);
    bool far = exponent < -kMost / 16 || exponent > kMost * 3 / 8;
    if (far) scale(first, last, -exponent);
    solve(first, last);
    if (far) scale(first, last, exponent);
  }
  void scale(int64_t first, int64_t last, int exponent) {
    for (int64_t i = first; i <= last; ++i) d_[i] = std::ldexp(d_[i], exponent);
    for (int64_t i = first; i < last; ++i) e_[i] = std::ldexp(e_[i], exponent);
  }

  // The number that joins i and the next in direction `dir`.
  T& joint(int64_t i, int64_t dir) { return e_[dir > 0 ? i : i - 1]; }

  // From the end that is smaller.
  void solve(int64_t first, int64_t last) {
    int64_t dir = std::abs(d_[last]) < std::abs(d_[first]) ? -1 : 1;
    int64_t l = dir > 0 ? first : last, end = dir > 0 ? last : first;
    while ((end - l) * dir >= 0) {
      int64_t m = l;
      while (m != end && !is_small(m, dir)) m += dir;
      if (m != end) joint(m, dir) = 0;
      if (m == l) {
        l += dir;
      } else if (m == l + dir) {
        solve_pair(std::min(l, m));
        l += 2 * dir;
      } else if (budget_) {
        --budget_;
        chase(l, m, dir);
      } else {
        return;
      }
    }
  }
  bool is_small(int64_t i, int64_t dir) {
    T joined = joint(i, dir);
    return joined * joined <=
           kEps * kEps * std::abs(d_[i]) * std::abs(d_[i + dir]) + std::numeric_limits<T>::min();
  }

  // One step from m to l, with the shift of the corner at l.
  void chase(int64_t l, int64_t m, int64_t dir) {
    T *cosines = turns_.data(), *sines = cosines + n_;
    T p = d_[l], g = (d_[l + dir] - p) / (2 * joint(l, dir));
    T r = std::sqrt(g * g + 1), s = 1, c = 1;
    g = d_[m] - p + joint(l, dir) / (g + std::copysign(r, g));
    p = 0;
    int64_t count = (m - l) * dir;
    for (int64_t k = 0, i = m - dir; k < count; ++k, i -= dir) {
      T f = s * joint(i, dir), b = c * joint(i, dir);
      Rotation<T> turn(g, f);
      c = cosines[k] = turn.c, s = sines[k] = turn.s;
      if (k) joint(i + dir, dir) = turn.r;
      g = d_[i + dir] - p;
      r = (d_[i] - g) * s + 2 * c * b;
      p = s * r;
      d_[i + dir] = g + p;
      g = c * r - b;
    }
    d_[l] -= p;
    joint(l, dir) = g;
    rotate(m, -dir, count);
  }

  // Eigenvalues of rows i and i + 1, the larger in size first (laev2).
  void solve_pair(int64_t i) {
    T a = d_[i], b = e_[i], c = d_[i + 1], sum = a + c, half = a - c, twice = b + b;
    T larger = std::abs(a) > std::abs(c) ? a : c, smaller = std::abs(a) > std::abs(c) ? c : a;
    T root = std::hypot(half, twice), first, second;
    if (sum == 0) {
      first = root / 2, second = -first;
    } else {
      first = (sum + std::copysign(root, sum)) / 2;
      second = larger / first * smaller - b / first * b;
    }
    T apart = half == 0 ? root : half + std::copysign(root, half), cosine = 1, sine = 0;
    if (std::abs(apart) > std::abs(twice)) {
      T turn = -twice / apart;
      sine = 1 / std::sqrt(1 + turn * turn);
      cosine = turn * sine;
    } else if (twice != 0) {
      T turn = -apart / twice;
      cosine = 1 / std::sqrt(1 + turn * turn);
      sine = turn * cosine;
    }
    bool around = (sum < 0) == (half < 0);
    turns_.data()[0] = around ? -sine : cosine;
    turns_.data()[n_] = around ? -cosine : -sine;
    d_[i] = first, d_[i + 1] = second, e_[i] = 0;
    rotate(i + 1, -1, 1);
  }

  void rotate(int64_t row, int64_t dir, int64_t count) {
    if (!z_) return;
    const T* turns = turns_.data();
    rotate_all(z_ + row * stride_, dir * stride_, stride_, count, turns, turns + n_);
  }

  int64_t n_;
  T *d_, *e_, *z_;
  int64_t stride_, budget_;
  Scratch<T> turns_;
};

// Of the numbers of a row that follow i: the reflector I - factor x x^T, x zero up to i, that
// leaves `beside` and zeros of them; of their conjugates, if they are a row and not a column. False
// if their squares would not do.
template <class T>
bool row_reflector(const T* from, int64_t i, int64_t n, int64_t stride, T* x, Real<T>& beside,
                   T& factor, bool conjugated) {
  factor = T{};
  if (i + 1 >= n) return true;
  auto taken_as = [=](auto v) { return conjugated ? conjugate(v) : v; };
  Vector<T> squares{};
  int64_t taken = kLanes<T> - (i + 2) % kLanes<T>;
  for (int64_t c = (i + 2) / kLanes<T> * kLanes<T>; c < stride; c += kLanes<T>) {
    Vector<T> v = lanes_from<T>(taken_as(load_vector(from + c)), std::exchange(taken, kLanes<T>));
    store_vector<T>(x + c, v);
    squares = plus_product(squares, v, conjugate(v));
  }
  Reflection<T> made(taken_as(element(from, i + 1)), real_part(sum_lanes<T>(squares)));
  beside = made.beta, factor = made.factor;
  if (made.done) {
    set_element(x, i + 1, made.head);
    return true;
  }
  bool zero = made.idle;
  for (int64_t j = i + 2; j < n; ++j) zero &= element(x, j) == T{};
  return zero;
}

// Q = H_0 H_1 ... of n such reflectors, each `step` long: its columns are the rows of `q`, after
// which room for three more must follow.
template <class T>
void form_columns(const T* reflectors, const T* factors, int64_t n, int64_t step, T* q,
                  int64_t stride, T* zeros, T* weights, T* dots) {
  std::fill_n(q, (n + 4) * stride, T{});
  for (int64_t j = 0; j < n; ++j) set_element(q + j * stride, j, T{1});
  std::fill_n(weights, stride, T{});
  constexpr int kLast = kParts<T> == 1 ? 2 : 1;  // a reflector of one number only turns its phase
  for (int64_t i = -1; i + kLast < n; ++i) {
    const T *now = i < 0 ? zeros : reflectors + i * step, *next = reflectors + (i + 1) * step;
    int64_t first = std::max<int64_t>(i + 1, 1);
    for (int64_t c = 0; i >= 0 && c < stride; c += kLanes<T>)
      store_vector<T>(weights + c, load_vector(dots + c) * conjugate(factors[i]));
    sweep_all(q + first * stride, (n - first + 3) / 4 * 4, stride,
              {now, next, first, first, 1, true}, 0, stride, weights, dots);
  }
}

// A^T and Q^T in whole rows, which are columns; reflectors are in rows of their own.
template <class T>
class SymmetricRows {
 public:
  SymmetricRows(int64_t n, bool vectors)
      : n_(n),
        stride_(whole_vectors<T>(n) * kLanes<T>),
        longer_(whole_vectors<T>(n + kSpare) * kLanes<T>),
        vectors_(vectors),
        memory_((n + kSpare) * stride_ * (vectors ? 2 : 1) + (n + 2) * longer_ + 2 * stride_ + n),
        reals_(2 * n),
        order_(n),
        d_(reals_.data()),
        e_(d_ + n) {
    T* at = memory_.data();
    auto take = [&](int64_t size) { return at += size, at - size; };
    rows_ = take((n + kSpare) * stride_);
    reflectors_ = take(n * longer_);
    zeros_ = take(longer_);
    weights_ = take(longer_);
    dots_ = take(stride_);
    if (vectors) q_ = take((n + kSpare) * stride_);
    factors_ = take(n);
  }

  // `a` row-major, of which one triangle is read. The code as syevd's, or -1 if numbers are so far
  // apart that squares would not do.
  int run(const T* a, bool upper, Real<T>* values, T* vectors) {
    load(a, upper);
    const int64_t length = n_ * stride_ * kParts<T>;
    Real<T> scale = scale_of(parts(rows_), length);
    if (scale == 0) return -1;
    for (int64_t i = 0; i < length; ++i) parts(rows_)[i] *= scale;
    if (!reduce()) return -1;
    if (vectors_)
      form_columns(reflectors_, factors_, n_, longer_, q_, stride_, zeros_, weights_, dots_);
    int code = TridiagonalQl<Real<T>>(n_, d_, e_, parts(q_), stride_ * kParts<T>).run();
    write(1 / scale, values, vectors);
    return code;
  }

 private:
  static constexpr int64_t kSpare = 4;  // rows of zeros: a sweep takes up to four at once

  T* row(int64_t i) const { return rows_ + i * stride_; }
  T* reflector(int64_t i) const { return reflectors_ + i * longer_; }
  static int64_t whole(int64_t rows) { return (rows + 3) / 4 * 4; }
  static int64_t vector_of(int64_t c) { return c / kLanes<T> * kLanes<T>; }

  void load(const T* a, bool upper) {
    std::fill_n(memory_.data(), (n_ + kSpare) * stride_ + (n_ + 2) * longer_, T{});
    for (int64_t i = 0; i < n_; ++i)
      for (int64_t j = 0; j <= i; ++j) {
        T x = upper ? conjugate(a[j * n_ + i]) : a[i * n_ + j];
        set_element(row(j), i, x);
        set_element(row(i), j, j == i ? T{real_part(x)} : conjugate(x));
      }
  }

  bool reduce() {
    if (!make_reflector(0)) return false;
    sweep_all(row(1), whole(n_ - 1), stride_, {zeros_, reflector(0), 0, 1, 1, true}, 0, stride_,
              zeros_, dots_);
    for (int64_t i = 0; i + 1 < n_; ++i) {
      weigh(i);
      update_row(i, i + 1);
      if (!make_reflector(i + 1)) return false;
      update_rest(i);
    }
    return true;
  }

  bool make_reflector(int64_t i) {
    d_[i] = real_part(element(row(i), i));
    return row_reflector(row(i), i, n_, stride_, reflector(i), e_[i], factors_[i], false);
  }

  // The w of A - x w^H - w x^H: the factor's conjugate times A x, less half of its part along x.
  void weigh(int64_t i) {
    const T* x = reflector(i);
    T factor = factors_[i];
    Vector<T> along{};  // conjugated
    int64_t begin = vector_of(i + 1), taken = kLanes<T> - (i + 1) % kLanes<T>;
    for (int64_t c = begin; c < stride_; c += kLanes<T>, taken = kLanes<T>) {
      Vector<T> w = lanes_from<T>(load_vector(dots_ + c) * conjugate(factor), taken);
      store_vector<T>(weights_ + c, w);
      along = plus_product(along, load_vector(x + c), conjugate(w));
    }
    T half{real_part(sum_lanes<T>(along) * conjugate(factor)) / 2};
    for (int64_t c = begin; c < stride_; c += kLanes<T>)
      store_vector<T>(weights_ + c,
                      minus_product(load_vector(weights_ + c), load_vector(x + c), half));
  }
  void update_row(int64_t i, int64_t to) {
    const T* x = reflector(i);
    T *at = row(to), by = conjugate(element(x, to)), weight = conjugate(element(weights_, to));
    for (int64_t c = vector_of(i + 1); c < stride_; c += kLanes<T>) {
      Vector<T> y = minus_product(load_vector(at + c), load_vector(weights_ + c), by);
      store_vector<T>(at + c, minus_product(y, load_vector(x + c), weight));
    }
  }
  // Rows from i + 2 on, and the sums for the next reflector.
  void update_rest(int64_t i) {
    int64_t first = i + 2, count = whole(n_ - first), begin = vector_of(first);
    if (first >= n_) return;
    constexpr int kMost = 4 / kParts<T>;
    EvenParts pieces((stride_ - begin) / kLanes<T>, kMost);
    for (int64_t p = 0; p < pieces.count; ++p)
      with_number<kMost>(pieces.size(p), [&]<int V>() {
        update_vectors<V>(i, first, count, begin + pieces.begin(p) * kLanes<T>);
      });
  }
  template <int V>
  [[gnu::noinline]] void update_vectors(int64_t i, int64_t first, int64_t count, int64_t begin) {
    constexpr int kAtOnce = V * kParts<T> <= 2 ? 4 : 2;
    const T *x = reflector(i), *next = reflector(i + 1);
    Vector<T> xs[V], ws[V], sums[kAtOnce][V] = {};
    for (int v = 0; v < V; ++v) {
      xs[v] = load_vector(x + begin + v * kLanes<T>);
      ws[v] = load_vector(weights_ + begin + v * kLanes<T>);
    }
    for (int64_t j = first; j < first + count; j += kAtOnce)
#pragma GCC unroll 4
      for (int r = 0; r < kAtOnce; ++r) {
        T by = conjugate(element(x, j + r)), weight = conjugate(element(weights_, j + r));
        T factor = element(next, j + r);
#pragma GCC unroll 4
        for (int v = 0; v < V; ++v) {
          T* at = row(j + r) + begin + v * kLanes<T>;
          Vector<T> y = minus_product(minus_product(load_vector(at), ws[v], by), xs[v], weight);
          store_vector<T>(at, y);
          sums[r][v] = plus_product(sums[r][v], y, factor);
        }
      }
    for (int v = 0; v < V; ++v) {
      for (int r = 1; r < kAtOnce; ++r) sums[0][v] += sums[r][v];
      store_vector<T>(dots_ + begin + v * kLanes<T>, sums[0][v]);
    }
  }

  void write(Real<T> scale, Real<T>* values, T* vectors) {
    std::iota(order_.data(), order_.data() + n_, 0);
    std::stable_sort(order_.data(), order_.data() + n_,
                     [&](int i, int j) { return d_[i] < d_[j]; });
    for (int64_t j = 0; j < n_; ++j) values[j] = d_[order_.data()[j]] * scale;
    for (int64_t j = 0; vectors_ && j < n_; ++j)
      for (int64_t i = 0; i < n_; ++i)
        vectors[j * n_ + i] = element(q_ + order_.data()[j] * stride_, i);
  }

  int64_t n_, stride_, longer_;
  bool vectors_;
  Scratch<T> memory_;
  Scratch<Real<T>> reals_;
  Scratch<int> order_;
  Real<T>*d_, *e_;
  T *rows_, *reflectors_, *zeros_, *weights_, *dots_, *factors_, *q_ = nullptr;
};

template <class T>
void small_eigen(const SmallEigen<T>& s, int64_t count, int* codes) {
  SymmetricRows<T> rows(s.n, s.vectors);
  for (int64_t i = 0; i < count; ++i)
    codes[i] = rows.run(s.a + i * s.n * s.n, s.upper, s.values + i * s.n,
                        s.vectors ? s.vectors + i * s.n * s.n : nullptr);
}

}  // namespace
}  // namespace RL_ISA_NS
}  // namespace rl
