// The singular value decomposition of a small matrix: made bidiagonal by reflectors from both
// sides, then diagonal by implicit QR (Demmel and Kahan 1990, as bdsqr of LAPACK). Included by
// dense_factors.cpp.
#pragma once
#include "kernels/factor_rows.h"
#include "kernels/factor_symmetric.h"

namespace rl {
namespace RL_ISA_NS {
namespace {

// Rows that are `stride` apart.
template <class T>
struct TurnedRows {
  T* data;
  int64_t stride;
};

// An upper bidiagonal matrix: `beside` becomes 0, `diagonal` the singular values but for signs and
// order; the rows of u and v are turned with it.
template <class T>
class BidiagonalQr {
 public:
  BidiagonalQr(int64_t n, T* diagonal, T* beside, TurnedRows<T> u, TurnedRows<T> v)
      : n_(n), d_(diagonal), e_(beside), u_(u), v_(v), budget_(6 * n * n), turns_(4 * n) {}

  // How many numbers beside the diagonal are left.
  int run() {
    set_threshold();
    int64_t last = n_ - 1;
    while (last > 0 && budget_ >= 0) {
      int64_t first = last;
      while (first > 0 && !drop_small(first - 1)) --first;
      if (first == last) {
        --last;
        continue;
      }
      if (first + 1 == last) {
        solve_pair(first);
        last -= 2;
        continue;
      }
      if (first > last_before_ || last < first_before_)
        dir_ = std::abs(d_[first]) >= std::abs(d_[last]) ? 1 : -1;
      if (!splits(first, last)) step(first, last);
    }
    return static_cast<int>(std::count_if(e_, e_ + n_ - 1, [](T x) { return x != 0; }));
  }

 private:
  static constexpr T kEps = std::numeric_limits<T>::epsilon() / 2;
  static constexpr T kTolerance = (sizeof(T) == 4 ? 10 : 98) * kEps;  // eps^(-1/8), at least 10

  T& joint(int64_t i, int64_t dir) { return e_[dir > 0 ? i : i - 1]; }

  // Below a bound of the smallest singular value.
  void set_threshold() {
    T mu = std::abs(d_[0]), least = mu;
    for (int64_t i = 1; i < n_ && least != 0; ++i) least = std::min(least, mu = next_mu(mu, i, 1));
    auto n = static_cast<T>(n_);
    threshold_ =
        std::max(kTolerance * least / std::sqrt(n), 6 * n * n * std::numeric_limits<T>::min());
  }
  T next_mu(T mu, int64_t i, int64_t dir) {
    return std::abs(d_[i]) * (mu / (mu + std::abs(joint(i - dir, dir))));
  }
  bool drop_small(int64_t i) {
    if (std::abs(e_[i]) > threshold_) return false;
    e_[i] = 0;
    return true;
  }

  // Where a number beside the diagonal is small next to what comes before it, it becomes zero.
  bool splits(int64_t first, int64_t last) {
    int64_t begin = dir_ > 0 ? first : last, end = dir_ > 0 ? last : first;
    T& farthest = joint(end - dir_, dir_);
    if (std::abs(farthest) <= kTolerance * std::abs(d_[end])) {
      farthest = 0;
      return true;
    }
    T mu = least_ = std::abs(d_[begin]);
    for (int64_t i = begin; i != end; i += dir_) {
      if (std::abs(joint(i, dir_)) <= kTolerance * mu) {
        joint(i, dir_) = 0;
        return true;
      }
      least_ = std::min(least_, mu = next_mu(mu, i + dir_, dir_));
    }
    return false;
  }

  void step(int64_t first, int64_t last) {
    first_before_ = first, last_before_ = last;
    budget_ -= last - first;
    int64_t begin = dir_ > 0 ? first : last, end = dir_ > 0 ? last : first;
    T shift = shift_of(first, last, begin, end);
    if (shift == 0)
      chase_unshifted(begin, end);
    else
      chase(begin, end, shift);
    int64_t count = last - first;
    const T* turns = turns_.data();
    turn(dir_ > 0 ? v_ : u_, begin, count, turns);
    turn(dir_ > 0 ? u_ : v_, begin, count, turns + 2 * n_);
    T& farthest = joint(end - dir_, dir_);
    if (std::abs(farthest) <= threshold_) farthest = 0;
  }
  void turn(const TurnedRows<T>& rows, int64_t begin, int64_t count, const T* turns) {
    rotate_all(rows.data + begin * rows.stride, dir_ * rows.stride, rows.stride, count, turns,
               turns + n_);
  }

  // 0 where a shift would spoil the small ones.
  T shift_of(int64_t first, int64_t last, int64_t begin, int64_t end) {
    T largest = 0;
    for (int64_t i = first; i <= last; ++i) largest = std::max(largest, std::abs(d_[i]));
    for (int64_t i = first; i < last; ++i) largest = std::max(largest, std::abs(e_[i]));
    if (static_cast<T>(n_) * kTolerance * (least_ / largest) <= std::max(kEps, kTolerance / 100))
      return 0;
    T shift = smaller_of_pair(d_[end - dir_], joint(end - dir_, dir_), d_[end]);
    T start = std::abs(d_[begin]), ratio = shift / start;
    return start > 0 && ratio * ratio < kEps ? T(0) : shift;
  }
  // The smaller singular value of [f g; 0 h] (las2).
  static T smaller_of_pair(T f, T g, T h) {
    T least = std::min(std::abs(f), std::abs(h)), most = std::max(std::abs(f), std::abs(h));
    g = std::abs(g);
    if (least == 0) return 0;
    T sum = 1 + least / most, difference = (most - least) / most;
    if (g < most) {
      T square = (g / most) * (g / most);
      return least *
             (2 / (std::sqrt(sum * sum + square) + std::sqrt(difference * difference + square)));
    }
    T ratio = most / g;
    if (ratio == 0) return least * most / g;
    sum *= ratio, difference *= ratio;
    return least * (1 / (std::sqrt(1 + sum * sum) + std::sqrt(1 + difference * difference))) *
           ratio * 2;
  }

  struct Turn {
    T c, s;
    Turn swapped() const { return {s, c}; }
  };
  // The larger singular value, the smaller one and the turns of both sides that part them. The
  // signs of the values make up for those of f, g and h.
  struct PairOfValues {
    T large, small;
    Turn left, right;
  };
  // Of [f g; 0 h], |f| >= |h|.
  static PairOfValues values_of_pair(T f, T g, T h) {
    T fa = std::abs(f), ga = std::abs(g), ha = std::abs(h);
    if (ga == 0) return {fa, ha, {1, 0}, {1, 0}};
    if (ga > fa && fa / ga < kEps)
      return {ga, ha > 1 ? fa / (ga / ha) : fa / ga * ha, {1, h / g}, {f / g, 1}};
    T less = fa - ha, part = less == fa ? T(1) : less / fa, slope = g / f, rest = 2 - part;
    T square = slope * slope, s = std::sqrt(rest * rest + square);
    T r = part == 0 ? std::abs(slope) : std::sqrt(part * part + square), a = (s + r) / 2;
    T t = square != 0 ? (slope / (s + rest) + slope / (r + part)) * (1 + a)
          : part == 0 ? std::copysign(T(2), f) * std::copysign(T(1), g)
                      : g / std::copysign(less, f) + slope / rest;
    T size = std::sqrt(t * t + 4);
    Turn right{2 / size, t / size};
    return {fa * a, ha / a, {(right.c + right.s * slope) / a, h / f * right.s / a}, right};
  }
  // A block of two in closed form, as lasv2 of LAPACK does, down to the signs.
  void solve_pair(int64_t i) {
    T f = d_[i], g = e_[i], h = d_[i + 1];
    bool swap = std::abs(h) > std::abs(f);
    PairOfValues p = swap ? values_of_pair(h, g, f) : values_of_pair(f, g, h);
    Turn left = swap ? p.right.swapped() : p.left, right = swap ? p.left.swapped() : p.right;
    auto sign = [](T x) { return std::copysign(T(1), x); };
    T top = std::max(std::abs(f), std::abs(h));
    T by = std::abs(g) > top ? sign(right.s) * sign(left.c) * sign(g)
           : swap            ? sign(right.s) * sign(left.s) * sign(h)
                             : sign(right.c) * sign(left.c) * sign(f);
    d_[i] = std::copysign(p.large, by);
    d_[i + 1] = std::copysign(p.small, by * sign(f) * sign(h));
    e_[i] = 0;
    turn_pair(v_, i, right), turn_pair(u_, i, left);
  }
  void turn_pair(const TurnedRows<T>& rows, int64_t i, const Turn& by) {
    rotate_all(rows.data + i * rows.stride, rows.stride, rows.stride, 1, &by.c, &by.s);
  }

  void keep(int64_t k, const Rotation<T>& before, const Rotation<T>& after) {
    T* turns = turns_.data() + k;
    turns[0] = before.c, turns[n_] = before.s;
    turns[2 * n_] = after.c, turns[3 * n_] = after.s;
  }
  void chase_unshifted(int64_t begin, int64_t end) {
    T cosine = 1, old_cosine = 1, old_sine = 0;
    for (int64_t i = begin, k = 0; i != end; i += dir_, ++k) {
      Rotation<T> before(d_[i] * cosine, joint(i, dir_));
      cosine = before.c;
      if (k) joint(i - dir_, dir_) = old_sine * before.r;
      Rotation<T> after(old_cosine * before.r, d_[i + dir_] * before.s);
      old_cosine = after.c, old_sine = after.s;
      d_[i] = after.r;
      keep(k, before, after);
    }
    T h = d_[end] * cosine;
    d_[end] = h * old_cosine;
    joint(end - dir_, dir_) = h * old_sine;
  }
  void chase(int64_t begin, int64_t end, T shift) {
    T first = d_[begin];
    T f = (std::abs(first) - shift) * (std::copysign(T(1), first) + shift / first);
    T g = joint(begin, dir_);
    for (int64_t i = begin, k = 0; i != end; i += dir_, ++k) {
      T &here = d_[i], &next = d_[i + dir_], &between = joint(i, dir_);
      Rotation<T> before(f, g);
      if (k) joint(i - dir_, dir_) = before.r;
      f = before.c * here + before.s * between;
      between = before.c * between - before.s * here;
      g = before.s * next;
      next *= before.c;
      Rotation<T> after(f, g);
      here = after.r;
      f = after.c * between + after.s * next;
      next = after.c * next - after.s * between;
      if (i + dir_ != end) {
        g = after.s * joint(i + dir_, dir_);
        joint(i + dir_, dir_) *= after.c;
      }
      keep(k, before, after);
    }
    joint(end - dir_, dir_) = f;
  }

  int64_t n_;
  T *d_, *e_;
  TurnedRows<T> u_, v_;
  int64_t budget_, first_before_ = -1, last_before_ = -1, dir_ = 1;
  T threshold_ = 0, least_ = 0;
  Scratch<T> turns_;
};

template <class T>
using ValuesAlone = decltype(SmallSvd<T>::bidiagonal_values);

// A matrix with at least as many rows as columns, and the columns of U and V as rows.
template <class T>
class SvdRows : RowsQr<T> {
 public:
  SvdRows(const SmallQr<T>& s, ValuesAlone<T> values_alone)
      : RowsQr<T>(s),
        values_alone_(values_alone),
        n_(s.n),
        vectors_(s.q),
        longer_(whole_vectors<T>(n_ + kSpare) * kLanes<T>),
        u_stride_(whole_vectors<T>(s.m) * kLanes<T>),
        more_((n_ + 2) * longer_ + n_),
        reals_(2 * n_),
        u_(vectors_ ? s.rank * u_stride_ : 0),
        v_(vectors_ ? (n_ + kSpare) * beside_ : 0),
        order_(n_) {
    reflectors_ = more_.data();
    zeros_ = reflectors_ + n_ * longer_;
    products_ = zeros_ + longer_;
    right_factors_ = products_ + longer_;
    d_ = reals_.data(), e_ = d_ + n_;
  }

  // The code as gesdd's, or -1 if numbers are so far apart that squares would not do.
  int run(const T* a, bool turned, Real<T>* values, T* left, T* right) {
    Real<T> scale = scale_of(parts(a), s_.m * n_ * kParts<T>);
    if (scale == 0) return -1;
    std::fill_n(more_.data(), (n_ + 2) * longer_, T{});
    this->load_and_sum(a, scale, turned);
    for (int64_t j = 0; j < n_; ++j)
      if (!reduce(j)) return -1;
    if (vectors_) form();
    BidiagonalQr<Real<T>> qr(n_, d_, e_, {parts(u_.data()), u_stride_ * kParts<T>},
                             {parts(v_.data()), beside_ * kParts<T>});
    int code = vectors_ ? qr.run() : values_alone_(n_, d_, e_);
    write(1 / scale, turned, values, left, right);
    return code;
  }

 private:
  using RowsQr<T>::s_, RowsQr<T>::kSpare, RowsQr<T>::beside_, RowsQr<T>::row;
  using RowsQr<T>::weights_, RowsQr<T>::dots_;

  T* reflector(int64_t j) const { return reflectors_ + j * longer_; }

  // Column j, then row j; both change the rows below at once.
  bool reduce(int64_t j) {
    if (!this->make_reflector(j)) return false;
    T* top = row(j);
    d_[j] = real_part(element(top, j));
    if (j + 1 >= n_) return true;
    this->weigh(j, top, j + 1, beside_);
    if (!row_reflector(top, j, n_, beside_, reflector(j), e_[j], right_factors_[j], true))
      return false;
    std::fill(dots_, dots_ + beside_, T{});
    if (j + 1 < s_.m) turn_row(row(j + 1), j);
    std::fill(dots_, dots_ + beside_, T{});
    for (int64_t i = j + 2; i < s_.m; ++i) turn_row(row(i), j);
    return true;
  }
  // row -= row[j] w, row -= factor (row x) x^H; adds the row, times its next column, to the sums.
  void turn_row(T* at, int64_t j) {
    const T* x = reflector(j);
    T by = element(at, j);
    int64_t begin = (j + 1) / kLanes<T> * kLanes<T>;
    Vector<T> products{};
    for (int64_t c = begin; c < beside_; c += kLanes<T>) {
      Vector<T> v = minus_product(load_vector(at + c), load_vector(weights_ + c), by);
      store_vector<T>(at + c, v);
      products = plus_product(products, v, load_vector(x + c));
    }
    T along = sum_lanes<T>(products) * conjugate(right_factors_[j]);
    T next = conjugate(element(at, j + 1) - along * conjugate(element(x, j + 1)));
    for (int64_t c = begin; c < beside_; c += kLanes<T>) {
      Vector<T> v = minus_product(load_vector(at + c), conjugate(load_vector(x + c)), along);
      store_vector<T>(at + c, v);
      store_vector<T>(dots_ + c, plus_product(load_vector(dots_ + c), v, next));
    }
  }

  void form() {
    if (u_stride_ > s_.m)
      for (int64_t c = 0; c < s_.rank; ++c)
        std::fill_n(u_.data() + (c + 1) * u_stride_ - kLanes<T>, kLanes<T>, T{});
    this->form_q([&](int64_t i, int64_t c, T x) { set_element(u_.data() + c * u_stride_, i, x); });
    form_columns(reflectors_, right_factors_, n_, longer_, v_.data(), beside_, zeros_, products_,
                 dots_);
  }

  // `left` and `right` are column-major U (m by rank) and V^H; those of A^T if it is turned.
  void write(Real<T> scale, bool turned, Real<T>* values, T* left, T* right) {
    int* order = order_.data();
    std::iota(order, order + n_, 0);
    std::stable_sort(order, order + n_,
                     [&](int i, int j) { return std::abs(d_[i]) > std::abs(d_[j]); });
    for (int64_t i = 0; i < n_; ++i) values[i] = std::abs(d_[order[i]]) * scale;
    if (!vectors_) return;
    for (int64_t i = 0; i < s_.rank; ++i) {
      const T* from = u_.data() + (i < n_ ? order[i] : i) * u_stride_;
      for (int64_t j = 0; j < s_.m; ++j)
        left[turned ? j * s_.rank + i : i * s_.m + j] = element(from, j);
    }
    for (int64_t i = 0; i < n_; ++i) {
      const T* from = v_.data() + order[i] * beside_;
      Real<T> sign = d_[order[i]] < 0 ? -1 : 1;
      for (int64_t j = 0; j < n_; ++j)
        right[turned ? i * n_ + j : j * n_ + i] = scaled(conjugate(element(from, j)), sign);
    }
  }

  ValuesAlone<T> values_alone_;
  int64_t n_;
  bool vectors_;
  int64_t longer_, u_stride_;
  Scratch<T> more_;
  Scratch<Real<T>> reals_;
  Scratch<T> u_, v_;
  Scratch<int> order_;
  T *reflectors_, *zeros_, *products_, *right_factors_;
  Real<T>*d_, *e_;
};

template <class T>
void small_svd(const SmallSvd<T>& s, int64_t count, int* codes) {
  bool turned = s.m < s.n;
  int64_t m = std::max(s.m, s.n), n = std::min(s.m, s.n), rank = s.full ? m : n;
  T *left = turned ? s.vh : s.u, *right = turned ? s.u : s.vh;
  SvdRows<T> rows({s.a, m, n, rank, left, nullptr}, s.bidiagonal_values);
  for (int64_t i = 0; i < count; ++i) {
    int64_t l = left ? i : 0;
    codes[i] =
        rows.run(s.a + i * m * n, turned, s.values + i * n, left + l * m * rank, right + l * n * n);
  }
}

}  // namespace
}  // namespace RL_ISA_NS
}  // namespace rl
