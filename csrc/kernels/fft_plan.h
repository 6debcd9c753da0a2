// What a Fourier transform of n points is made of: its factors and the roots of unity. Only
// arithmetic on lengths belongs here; the loops over data are in the other fft files.
#pragma once
#include <cstdint>
#include <utility>
#include <vector>

#include "core/complex.h"

namespace rl::fft {

constexpr int kLargestRadix = 61;  // a length with a larger prime factor is a convolution

Complex<double> root(int64_t k, int64_t n);  // exp(-2 pi i k / n)

// The n-th roots of unity, each the product of two from short tables.
class Roots {
 public:
  explicit Roots(int64_t n);
  Complex<double> operator()(int64_t k) const {
    auto at = static_cast<size_t>(k);
    return coarse_[at >> bits_] * fine_[at & ((size_t{1} << bits_) - 1)];
  }

 private:
  int bits_ = 0;  // of k, that fine_ is for
  std::vector<Complex<double>> coarse_, fine_;
};

// Of the passes, with or without eights; empty if a prime factor is too large.
std::vector<int> radices(int64_t n, bool eights);
int64_t smooth_length(int64_t least);  // the next length with factors 2, 3 and 5 alone
std::pair<int64_t, int64_t> near_square(int64_t n);  // a * b = n, a <= b, as alike as can be

}  // namespace rl::fft
