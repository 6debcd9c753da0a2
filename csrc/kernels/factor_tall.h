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
#include "kernels/parts.h"
#include "kernels/vectors.h"

namespace rl {
namespace RL_ISA_NS {
namespace {

// Numbers of rows, `step` apart: by how much a row changes, and what it counts for in the sums.
template <class T>
struct RowFactors {
  const T *now, *next;
  int64_t step;
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
      T *row = rows + (i + r) * stride, factor = factors.now[(i + r) * factors.step];
      Vector<T> x[V];
#pragma GCC unroll 7
      for (int v = 0; v < V; ++v) {
        T* at = row + begin + v * kLanes<T>;
        x[v] = load_vector(at) - w[v] * factor;
        store_vector<T>(at, x[v]);
      }
      T next_factor = factors.next[(i + r) * factors.step];
#pragma GCC unroll 7
      for (int v = 0; v < V; ++v) sums[r][v] += x[v] * next_factor;
    }
  for (int v = 0; v < V; ++v) {
    for (int r = 1; r < kAtOnce; ++r) sums[0][v] += sums[r][v];
    store_vector<T>(dots + begin + v * kLanes<T>, sums[0][v]);
  }
}

constexpr int kVectorsAtOnce = 7;  // and as many sums fill the registers

template <class T>
int64_t whole_vectors(int64_t n) {
  return (n + kLanes<T> - 1) / kLanes<T>;
}

// The same for any number of whole vectors of columns, in pieces as even as can be, from the first.
template <class T>
void sweep_all(T* rows, int64_t count, int64_t stride, RowFactors<T> factors, int64_t begin,
               int64_t end, const T* weights, T* dots) {
  EvenParts pieces((end - begin) / kLanes<T>, kVectorsAtOnce);
  for (int64_t p = 0; p < pieces.count; ++p)
    with_number<kVectorsAtOnce>(pieces.size(p), [&]<int V>() {
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
    sweep_all(rows_, count_, stride_, {rows_ + column, rows_ + next, stride_},
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

template <class T>
bool reduce_tall(TallSystem<T>& s) {
  s.scale_a = scale_of(s.a, s.m * s.n);
  s.scale_b = scale_of(s.b, s.m * s.k);
  return s.scale_a != 0 && s.scale_b != 0 && Reduction<T>(s).run();
}

}  // namespace
}  // namespace RL_ISA_NS
}  // namespace rl
