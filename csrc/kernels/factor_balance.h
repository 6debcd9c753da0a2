// Balancing of a matrix before its eigenvalues are looked for (gebal and gebak of LAPACK): rows and
// columns are exchanged so that what can be read off is split off, and multiplied by powers of two
// until they are about as long. Included by dense_factors.cpp.
#pragma once
#include <algorithm>
#include <cmath>
#include <limits>

#include "core/allocator.h"
#include "kernels/factor_tall.h"

namespace rl {
namespace RL_ISA_NS {
namespace {

// A column-major matrix in `Planes` arrays, one after another: of real numbers, or of the real and
// the imaginary parts.
template <class T, int Planes>
class Balanced {
 protected:
  // `spare`: columns that may be written beyond the last.
  Balanced(int64_t n, int64_t step, int64_t more, int64_t spare = 0)
      : n_(n),
        step_(step),
        memory_(Planes * step * n + step * spare + 2 * n + more),
        h_(memory_.data()),
        scale_(h_ + Planes * step * n + step * spare),
        part_(scale_ + n),
        more_(part_ + n) {}

  T& h(int64_t i, int64_t j, int plane = 0) const { return h_[(plane * n_ + j) * step_ + i]; }
  T* column(int64_t j, int plane = 0) const { return h_ + (plane * n_ + j) * step_; }

  // False if squares of the numbers would not do.
  static bool fits(T x) {
    const T least = std::sqrt(kMin) / kUlp, size = std::abs(x);
    return (size >= least && size <= 1 / least) || size == 0;
  }

  // May the number below the diagonal be dropped, by the sizes of it, of the one above, of the last
  // on the diagonal and of the difference to the one before (Ahues and Tisseur 1997, as in lahqr)?
  static bool may_drop(T below, T above, T last, T difference, T tiny) {
    T ab = std::max(below, above), ba = std::min(below, above);
    T aa = std::max(last, difference), bb = std::min(last, difference), s = aa + ab;
    return ba * (ab / s) <= std::max(tiny, kUlp * (bb * (aa / s)));
  }

  void balance() {
    permute();
    for (bool again = low_ < high_; again;) {
      again = false;
      for (int64_t i = low_; i <= high_; ++i) again |= balance_at(i);
    }
  }
  void restore(T* to) const {  // a vector of the balanced matrix, or one of its parts
    for (int64_t i = low_; i <= high_; ++i) to[i] *= low_ < high_ ? scale_[i] : T(1);
    for (int64_t i = low_ - 1; i >= 0; --i) std::swap(to[i], to[static_cast<int64_t>(scale_[i])]);
    for (int64_t i = high_ + 1; i < n_; ++i) std::swap(to[i], to[static_cast<int64_t>(scale_[i])]);
  }

  static constexpr T kUlp = std::numeric_limits<T>::epsilon();
  static constexpr T kMin = std::numeric_limits<T>::min();

  int64_t n_, step_, low_ = 0, high_ = 0;

 private:
  Scratch<T> memory_;
  T *h_, *scale_, *part_;

 protected:
  T* more_;

 private:
  void exchange(int64_t i, int64_t j) {  // of which the second is at the edge of what is left
    if (i == j) return;
    for (int p = 0; p < Planes; ++p) {
      std::swap_ranges(column(i, p), column(i, p) + high_ + 1, column(j, p));
      for (int64_t k = low_; k < n_; ++k) std::swap(h(i, k, p), h(j, k, p));
    }
  }
  bool alone(int64_t at, bool row) const {
    for (int p = 0; p < Planes; ++p)
      for (int64_t k = row ? 0 : low_; k <= high_; ++k)
        if (k != at && (row ? h(at, k, p) : h(k, at, p)) != 0) return false;
    return true;
  }
  // Eigenvalues that can be read off go below and above the others, [low_, high_].
  void permute() {
    low_ = 0, high_ = n_ - 1;
    std::fill_n(scale_, n_, T(1));
    for (bool again = true; again;) {
      again = false;
      for (int64_t i = high_; i >= 0; --i)
        if (i <= high_ && alone(i, true)) {
          scale_[high_] = static_cast<T>(i);
          exchange(i, high_);
          if (high_ == 0) return;
          again = true;
          --high_;
        }
    }
    for (bool again = true; again;) {
      again = false;
      for (int64_t j = low_; j < high_; ++j)
        if (alone(j, false)) {
          scale_[low_] = static_cast<T>(j);
          exchange(j, low_);
          again = true;
          ++low_;
        }
    }
  }
  bool balance_at(int64_t i) {
    int64_t count = high_ - low_ + 1;
    T c = 0, r = 0, f = 1;
    for (int p = 0; p < Planes; ++p) {
      for (int64_t k = low_; k <= high_; ++k) part_[k] = h(i, k, p);
      c += dot_run(column(i, p) + low_, column(i, p) + low_, count);
      r += dot_run(part_ + low_, part_ + low_, count);
    }
    c = std::sqrt(c), r = std::sqrt(r);
    T sum = c + r;
    if (c == 0 || r == 0) return false;
    for (; c < r / 2 && f < kFar; f *= 2) c *= 2, r /= 2;
    for (; c / 2 >= r && f > 1 / kFar; f /= 2) c /= 2, r *= 2;
    if (c + r >= T(0.95) * sum || !(scale_[i] * f < kFar && scale_[i] * f > 1 / kFar)) return false;
    scale_[i] *= f;
    for (int p = 0; p < Planes; ++p) {
      for (int64_t k = low_; k < n_; ++k) h(i, k, p) /= f;
      for (int64_t k = 0; k <= high_; ++k) h(k, i, p) *= f;
    }
    return true;
  }
  static constexpr T kFar = sizeof(T) == 4 ? T(1 << 20) : T(int64_t{1} << 60);
};

}  // namespace
}  // namespace RL_ISA_NS
}  // namespace rl
