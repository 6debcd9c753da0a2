// Householder QR of a tall matrix and what it is solved for, a block of rows after another: each
// block is merged into the triangle that those before have left. A block stays in the first-level
// cache, and one sweep over it both applies a reflector and sums the products that the next one
// is made of. Included by dense_factors.cpp.
#pragma once
#include <algorithm>
#include <cmath>
#include <limits>

#include "core/allocator.h"
#include "kernels/dense_factors.h"
#include "kernels/factor_numbers.h"
#include "kernels/factor_qr.h"
#include "kernels/parts.h"
#include "kernels/vectors.h"

namespace rl {
namespace RL_ISA_NS {
namespace {

template <class T>
inline T dot_run(const T* x, const T* y, int64_t n) {
  constexpr int64_t L = kLanes<T>;
  T sum = 0;
  int64_t i = 0;
  if (n >= L) {
    Vector<T> sums{};
    for (; i + L <= n; i += L) sums += load_vector(x + i) * load_vector(y + i);
    sum = join_lanes<SumStep, T>(sums);
  }
  for (; i < n; ++i) sum += x[i] * y[i];
  return sum;
}
template <class T>
inline void add_run(T* to, T by, const T* x, int64_t n) {
  for (int64_t i = 0; i < n; ++i) to[i] += by * x[i];
}

// Numbers of rows, `step` apart: by how much a row changes, and what it counts for in the sums. One
// of the two is conjugated: where the rows are those of a matrix, the next, where they are columns,
// the present.
template <class T>
struct RowFactors {
  const T *now, *next;  // rows, of which the elements from these on
  int64_t now_at, next_at, step;
  bool of_columns = false;

  T now_of(int64_t i) const { return turned(element(now, now_at + i * step), of_columns); }
  T next_of(int64_t i) const { return turned(element(next, next_at + i * step), !of_columns); }

 private:
  static T turned(T x, bool turn) {
    if constexpr (kParts<T> == 2) x.im *= turn ? -1 : 1;
    return x;
  }
};

// Applies a reflector to V vectors of columns of all rows, row -= now * weights, and sums
// next * row into `dots`. Some rows at once where a row alone would wait for its sums.
template <class T, int V>
[[gnu::noinline]] void sweep(T* rows, int64_t count, int64_t stride, RowFactors<T> factors,
                             int64_t begin, const T* weights, T* dots) {
  constexpr int kAtOnce = V <= 2 ? 4 : V <= 3 ? 2 : 1;
  Vector<T> w[V], sums[kAtOnce][V] = {};
  for (int v = 0; v < V; ++v) w[v] = load_vector(weights + begin + v * kLanes<T>);
  for (int64_t i = 0; i < count; i += kAtOnce)
#pragma GCC unroll 4
    for (int r = 0; r < kAtOnce; ++r) {
      T* row = rows + (i + r) * stride;
      T factor = factors.now_of(i + r);
      Vector<T> x[V];
#pragma GCC unroll 7
      for (int v = 0; v < V; ++v) {
        T* at = row + begin + v * kLanes<T>;
        x[v] = minus_product(load_vector(at), w[v], factor);
        store_vector<T>(at, x[v]);
      }
      T next = factors.next_of(i + r);  // the row's own, as it is now
#pragma GCC unroll 7
      for (int v = 0; v < V; ++v) sums[r][v] = plus_product(sums[r][v], x[v], next);
    }
  for (int v = 0; v < V; ++v) {
    for (int r = 1; r < kAtOnce; ++r) sums[0][v] += sums[r][v];
    store_vector<T>(dots + begin + v * kLanes<T>, sums[0][v]);
  }
}

template <class T>
constexpr int kVectorsAtOnce = kParts<T> == 1 ? 7 : 3;  // and as many sums fill the registers

template <class T>
int64_t whole_vectors(int64_t n) {
  return (n + kLanes<T> - 1) / kLanes<T>;
}

// The same for any number of whole vectors of columns, in pieces as even as can be, from the first.
template <class T>
void sweep_all(T* rows, int64_t count, int64_t stride, RowFactors<T> factors, int64_t begin,
               int64_t end, const T* weights, T* dots) {
  EvenParts pieces((end - begin) / kLanes<T>, kVectorsAtOnce<T>);
  for (int64_t p = 0; p < pieces.count; ++p)
    with_number<kVectorsAtOnce<T>>(pieces.size(p), [&]<int V>() {
      sweep<T, V>(rows, count, stride, factors, begin + pieces.begin(p) * kLanes<T>, weights, dots);
    });
}

template <class T>
constexpr T power_of_two(int exponent) {
  T x = 1;
  for (int i = 0; i > exponent; --i) x /= 2;
  return x;
}
// Numbers are scaled so that the largest is near 2^kTop: neither their squares nor sums of them
// overflow, and only those of a column whose square is below kTiny may have lost digits.
template <class T>
struct Range {
  static constexpr int kMost = std::numeric_limits<T>::max_exponent;
  static constexpr int kTop = kMost * 5 / 16, kFarthest = kMost * 15 / 32;
  static constexpr T kTiny = power_of_two<T>(-kMost * 25 / 32);
};

// The largest size of n numbers; not finite if one of them is not.
template <class T>
T largest_of(const T* x, int64_t n) {
  constexpr int64_t lanes = kLanes<T>;
  Vector<T> most{}, sum{};
  auto take = [&](Vector<T> v) {
    Vector<T> size = v < 0 ? -v : v;
    most = size > most ? size : most;
    sum += size * T(0);  // 0, or NaN from then on
  };
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) take(load_vector(x + i));
  T rest[lanes] = {};
  std::copy(x + i, x + n, rest);
  take(load_vector(rest));
  T largest = 0;
  for (int l = 0; l < lanes; ++l) largest = std::max(largest, most[l]) + sum[l];
  return largest;
}

// The power of two that brings the largest of n numbers near 2^kTop; 0 if it is too far from 1.
template <class T>
T scale_of(const T* x, int64_t n) {
  T largest = largest_of(x, n);
  if (largest == 0) return 1;
  int exponent = 0;
  std::frexp(largest, &exponent);
  bool near = std::isfinite(largest) && std::abs(exponent) < Range<T>::kFarthest;
  return near ? std::ldexp(T(1), Range<T>::kTop - exponent) : T(0);
}

// I - factor x x^H, x = (head, what follows alpha), which takes a vector to (beta, 0): beta is
// real. `square` is the sum of the squares of what follows. If that is too small, and alpha as good
// as real, there is none, and nothing to do if what follows is zero and alpha real (`idle`).
template <class T>
struct Reflection {
  T head{}, factor{};
  Real<T> beta;
  bool done = false, idle = false;
  Reflection(T alpha, Real<T> square) : beta(real_part(alpha)) {
    Real<T> im = imaginary_part(alpha);
    idle = im == 0;
    if (!(square + im * im >= Range<Real<T>>::kTiny)) return;
    done = true;
    beta = -std::copysign(std::sqrt(square_of(alpha) + square), beta);
    head = alpha - T{beta};
    if constexpr (kParts<T> == 1)
      factor = -1 / (beta * head);
    else
      factor = scaled(scaled(conjugate(head), 1 / square_of(head)), -1 / beta);
  }
};

template <class T>
class Reduction {
 public:
  explicit Reduction(const TallSystem<T>& s)
      : s_(s),
        width_(s.n + s.k),
        stride_(whole_vectors<T>(width_) * kLanes<T>),
        most_rows_(std::max<int64_t>(16, kBlockBytes / sizeof(T) / stride_ / 4 * 4)),
        memory_((s.n + most_rows_ + 2) * stride_),
        triangle_(memory_.data()),
        rows_(triangle_ + s.n * stride_),
        weights_(rows_ + most_rows_ * stride_),
        dots_(weights_ + stride_) {
    std::fill_n(memory_.data(), (s.n + most_rows_ + 2) * stride_, T(0));
    std::fill_n(s_.rest, s_.k, T(0));
  }

  bool run() {
    for (int64_t i = 0; i < s_.m; i += most_rows_) {
      load(i, std::min(most_rows_, s_.m - i));
      if (!merge()) return false;
      add_rest();
    }
    for (int64_t i = 0; i < s_.n; ++i)
      std::copy_n(triangle_ + i * stride_, width_, s_.triangle + i * width_);
    return true;
  }

 private:
  static constexpr int64_t kBlockBytes = 24 << 10;

  void load(int64_t first, int64_t count) {
    count_ = (count + 3) / 4 * 4;
    std::fill(rows_ + count * stride_, rows_ + count_ * stride_, T(0));
    for (int64_t i = 0; i < count; ++i) {
      T* row = rows_ + i * stride_;
      const T *a = s_.a + (first + i) * s_.n, *b = s_.b + (first + i) * s_.k;
      for (int64_t j = 0; j < s_.n; ++j) row[j] = a[j] * s_.scale_a;
      for (int64_t j = 0; j < s_.k; ++j) row[s_.n + j] = b[j] * s_.scale_b;
    }
  }

  // Columns from the vector of `next` on.
  void sweep_rows(int64_t column, int64_t next) {
    sweep_all(rows_, count_, stride_, {rows_, rows_, column, next, stride_},
              next / kLanes<T> * kLanes<T>, stride_, weights_, dots_);
  }

  bool merge() {
    std::fill_n(weights_, stride_, T(0));
    sweep_rows(0, 0);
    for (int64_t j = 0; j < s_.n; ++j) {
      if (!reflect(j)) return false;
      sweep_rows(j, j + 1);
    }
    return true;
  }

  // The reflector I - v v^T / (alpha (alpha - r)), v = (r - alpha, the block's column j), that
  // leaves alpha on the diagonal and 0 in the block: applied to the triangle's row, and what is
  // needed to apply it to the block.
  bool reflect(int64_t j) {
    T *row = triangle_ + j * stride_, r = row[j], square = dots_[j];
    weights_[j] = 0;
    if (!(square >= Range<T>::kTiny)) {
      std::fill_n(weights_ + j, stride_ - j, T(0));
      return is_zero(j);
    }
    T alpha = -std::copysign(std::sqrt(r * r + square), r), v = r - alpha;
    T factor = -1 / (alpha * v);
    row[j] = alpha;
    for (int64_t c = j + 1; c < width_; ++c) {
      weights_[c] = (v * row[c] + dots_[c]) * factor;
      row[c] -= v * weights_[c];
    }
    return true;
  }
  bool is_zero(int64_t j) const {
    for (int64_t i = 0; i < count_; ++i)
      if (rows_[i * stride_ + j] != 0) return false;
    return true;
  }

  void add_rest() {
    for (int64_t i = 0; i < count_; ++i)
      for (int64_t j = 0; j < s_.k; ++j) {
        T x = rows_[i * stride_ + s_.n + j] / s_.scale_b;
        s_.rest[j] += x * x;
      }
  }

  const TallSystem<T>& s_;
  int64_t width_, stride_, most_rows_, count_ = 0;
  Scratch<T> memory_;
  T *triangle_, *rows_, *weights_, *dots_;
};

// Wide ones, whose triangle would leave the first-level cache again and again: by the panels of
// factor_qr.h, of A and B side by side.
template <class T>
void reduce_by_panels(TallSystem<T>& s) {
  int64_t width = s.n + s.k, filled = std::min(s.m, width);
  Scratch<T> memory(s.m * width);
  Part<T> both{memory.data(), s.m, width, s.m};
  auto load = [&](int64_t first, const T* from, int64_t cols, T scale) {
    constexpr int64_t kTile = 16;  // columns that are written while the rows are in the cache
    for (int64_t j = 0; j < cols; j += kTile)
      for (int64_t i = 0; i < s.m; ++i)
        for (int64_t l = j; l < std::min(j + kTile, cols); ++l)
          both.column(first + l)[i] = from[i * cols + l] * scale;
  };
  load(0, s.a, s.n, s.scale_a);
  load(s.n, s.b, s.k, s.scale_b);
  Qr<T>(both, 0).factor();
  for (int64_t i = 0; i < s.n; ++i)
    for (int64_t j = i; j < width; ++j) s.triangle[i * width + j] = both.column(j)[i];
  for (int64_t i = 1; i < s.n; ++i) std::fill_n(s.triangle + i * width, i, T(0));
  for (int64_t j = 0; j < s.k; ++j) {
    s.rest[j] = 0;
    for (int64_t i = s.n; i < std::min(filled, s.n + j + 1); ++i) {
      T x = both.column(s.n + j)[i] / s.scale_b;
      s.rest[j] += x * x;
    }
  }
}

template <class T>
bool reduce_tall(TallSystem<T>& s) {
  constexpr int64_t kNarrow = 96;
  s.scale_a = scale_of(s.a, s.m * s.n);
  s.scale_b = scale_of(s.b, s.m * s.k);
  if (s.scale_a == 0 || s.scale_b == 0) return false;
  if (s.n <= kNarrow) return Reduction<T>(s).run();
  reduce_by_panels(s);
  return true;
}

// R (1, X) = (1, C) for an upper triangle R and C beside it in its rows, from the last row up: the
// inverse comes along because it bounds the least singular value from below.
template <class T>
class Triangle {
 public:
  Triangle(const T* rows, int64_t n, int64_t width)
      : rows_(rows),
        n_(n),
        width_(width),
        memory_(n * (n + width)),
        minus_(memory_.data()),
        y_(minus_ + n * n) {
    for (int64_t i = 0; i < n; ++i) {
      const T* row = rows + i * width;
      for (int64_t j = 0; j < n; ++j) minus_[i * n + j] = -row[j];
      std::fill_n(y(i), n, T(0));
      y(i)[i] = 1;
      std::copy_n(row + n, width - n, y(i) + n);
    }
  }

  // False if the least singular value might not be more than `rcond` times the largest.
  bool run(T rcond, T* x, int64_t step) {
    solve(0, n_);
    T size = 0, inverse = 0;
    for (int64_t i = 0; i < n_; ++i) {
      size += dot_run(rows_ + i * width_ + i, rows_ + i * width_ + i, n_ - i);
      inverse += dot_run(y(i) + i, y(i) + i, n_ - i);
    }
    if (!(std::sqrt(size) * std::sqrt(inverse) * rcond <= 1)) return false;
    for (int64_t i = 0; i < n_; ++i)
      for (int64_t j = n_; j < width_; ++j) x[(j - n_) * step + i] = y(i)[j];
    return true;
  }

 private:
  static constexpr int64_t kLeaf = 32;
  T* y(int64_t i) const { return y_ + i * width_; }

  void solve(int64_t begin, int64_t end) {
    if (end - begin <= kLeaf) return solve_rows(begin, end);
    int64_t middle = end - (end - begin) / 2;
    solve(middle, end);
    gemm(std::is_same_v<T, float> ? DType::F32 : DType::F64,
         {minus_ + begin * n_ + middle, middle - begin, end - middle, n_, 1},
         {y(middle) + middle, end - middle, width_ - middle, width_, 1}, y(begin) + middle, width_,
         true);
    solve(begin, middle);
  }
  void solve_rows(int64_t begin, int64_t end) {
    for (int64_t i = end; i-- > begin;) {
      for (int64_t l = i + 1; l < end; ++l)
        add_run(y(i) + l, minus_[i * n_ + l], y(l) + l, width_ - l);
      T by = -1 / minus_[i * n_ + i];
      for (int64_t j = i; j < width_; ++j) y(i)[j] *= by;
    }
  }

  const T* rows_;
  int64_t n_, width_;
  Scratch<T> memory_;
  T *minus_, *y_;
};

template <class T>
bool solve_triangle(const T* rows, int64_t n, int64_t width, T rcond, T* x, int64_t step) {
  return Triangle<T>(rows, n, width).run(rcond, x, step);
}

}  // namespace
}  // namespace RL_ISA_NS
}  // namespace rl
