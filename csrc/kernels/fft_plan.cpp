#include "kernels/fft_plan.h"

#include <cmath>
#include <numbers>

namespace rl::fft {

// From an angle of at most an eighth of a turn, in long double: exact to the last place of a
// double.
Complex<double> root(int64_t k, int64_t n) {
  k %= n;
  int64_t eighth = 8 * k / n, k8 = 8 * k - eighth * n;  // the angle is (eighth + k8 / n) / 8 turns
  bool odd = eighth & 1;
  long double rest = static_cast<long double>(odd ? n - k8 : k8) / static_cast<long double>(n);
  long double angle = rest * std::numbers::pi_v<long double> / 4;
  auto c = static_cast<double>(std::cos(angle)), s = static_cast<double>(std::sin(angle));
  if (odd) std::swap(c, s);
  switch (eighth >> 1) {
    case 0:
      return {c, -s};
    case 1:
      return {-s, -c};
    case 2:
      return {-c, s};
    default:
      return {s, c};
  }
}

Roots::Roots(int64_t n) {
  while (n >> (2 * bits_)) ++bits_;
  int64_t step = int64_t{1} << bits_;
  for (int64_t k = 0; k < step; ++k) fine_.push_back(root(k, n));
  for (int64_t k = 0; k < n; k += step) coarse_.push_back(root(k, n));
}

// Eights first, but rather two fours than an eight and a two.
std::vector<int> radices(int64_t n, bool eights) {
  std::vector<int> found;
  auto split_off = [&](int r) { found.push_back(r), n /= r; };
  while (eights && n % 8 == 0 && n % 32 != 16) split_off(8);
  while (n % 4 == 0) split_off(4);
  for (int r = 2; n > 1 && r <= kLargestRadix; r += r == 2 ? 1 : 2)
    while (n % r == 0) split_off(r);
  if (n > 1) found.clear();
  return found;
}

int64_t smooth_length(int64_t least) {
  int64_t step = least > 512 ? 64 : 1;  // so that long ones are matrices of whole vectors
  for (int64_t n = (least + step - 1) / step * step;; n += step) {
    int64_t rest = n;
    for (int r : {2, 3, 5})
      while (rest % r == 0) rest /= r;
    if (rest == 1) return n;
  }
}

std::pair<int64_t, int64_t> near_square(int64_t n) {
  auto a = static_cast<int64_t>(std::sqrt(static_cast<double>(n)));
  while (n % a) --a;
  return {a, n / a};
}

}  // namespace rl::fft
