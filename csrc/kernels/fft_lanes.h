// Fourier transforms of kLanes lines at once, a line in each lane of a vector: what is written here
// for one point runs for all of them. Passes after Stockham: each reads one buffer and writes the
// other, and the result is in order. To add a radix: a `butterfly` and its line in `run_pass`.
// Included by files that are compiled per instruction-set level.
#pragma once
#include <algorithm>
#include <cstring>
#include <utility>

#include "kernels/fft_plan.h"
#include "plan/isa.h"

namespace rl {
namespace RL_ISA_NS {
namespace {
namespace fft {
using namespace ::rl::fft;

constexpr int kVectorBytes = isa_rank(RL_ISA_NAME) == 4 ? 64 : 32;
template <class T>
constexpr int kLanes = kVectorBytes / static_cast<int>(sizeof(T));
template <class T>
struct LanesOf {
  typedef T type __attribute__((vector_size(kVectorBytes)));
};

// The same point of kLanes transforms.
template <class T>
struct Point {
  using Lanes = typename LanesOf<T>::type;
  Lanes re, im;
  friend Point operator+(Point a, Point b) { return {a.re + b.re, a.im + b.im}; }
  friend Point operator-(Point a, Point b) { return {a.re - b.re, a.im - b.im}; }
  friend Point operator*(Point a, T s) { return {a.re * s, a.im * s}; }
  friend Point operator*(Point a, Complex<T> w) {
    return {a.re * w.re - a.im * w.im, a.re * w.im + a.im * w.re};
  }
  friend Point operator*(Point a, Point w) {
    return {a.re * w.re - a.im * w.im, a.re * w.im + a.im * w.re};
  }
};

// Of a complex number or a point.
template <class V>
V conj(V v) {
  return {v.re, -v.im};
}
template <class V>
V times_i(V v) {
  return {-v.im, v.re};
}
template <class V, class T>
V times(V v, T s) {
  return {v.re * s, v.im * s};
}
// An inverse transform is a transform between two exchanges of real and imaginary parts.
template <class V>
V swapped_if(bool inverse, V v) {
  return inverse ? V{v.im, v.re} : v;
}

// --- moving lanes
// The lanes of a and b, numbered through, that Pick names for each lane of the result.
template <class Pick, class V, int... L>
V picked(V a, V b, std::integer_sequence<int, L...>) {
  constexpr int n = sizeof...(L);
#if __has_builtin(__builtin_shufflevector)
  return __builtin_shufflevector(a, b, Pick::at(L, n)...);
#else
  V result;
  ((result[L] = Pick::at(L, n) < n ? a[Pick::at(L, n) % n] : b[Pick::at(L, n) % n]), ...);
  return result;
#endif
}
template <class Pick, class T, class V>
V pick(V a, V b) {
  return picked<Pick>(a, b, std::make_integer_sequence<int, kLanes<T>>());
}
template <int Odd>
struct EverySecond {
  static constexpr int at(int l, int) { return 2 * l + Odd; }
};
template <int Half>
struct Alternate {
  static constexpr int at(int l, int n) { return (Half * n + l) / 2 + l % 2 * n; }
};
// Lanes with the bit S of their number unset keep what they have, or get what those with it have.
template <int S>
struct FirstOfPairs {
  static constexpr int at(int l, int n) { return l & S ? n + l - S : l; }
};
template <int S>
struct SecondOfPairs {
  static constexpr int at(int l, int n) { return l & S ? n + l : l + S; }
};

// Lane i of vector l becomes lane l of vector i: bits of the two numbers change places one by one.
template <int S, class T, class V>
void transpose(V* v) {
  if constexpr (S < kLanes<T>) {
    for (int i = 0; i < kLanes<T>; ++i) {
      if (i & S) continue;
      V first = v[i], second = v[i + S];
      v[i] = pick<FirstOfPairs<S>, T>(first, second);
      v[i + S] = pick<SecondOfPairs<S>, T>(first, second);
    }
    transpose<2 * S, T>(v);
  }
}

// --- butterflies: the transforms of R points, in place
template <class T>
void butterfly2(Point<T>* a) {
  Point<T> sum = a[0] + a[1];
  a[1] = a[0] - a[1];
  a[0] = sum;
}

template <class T>
void butterfly3(Point<T>* a) {
  Point<T> sum = a[1] + a[2], across = times_i((a[1] - a[2]) * T(0.86602540378443864676));
  Point<T> middle = a[0] - sum * T(0.5);
  a[0] = a[0] + sum;
  a[1] = middle - across;
  a[2] = middle + across;
}

template <class T>
void butterfly4(Point<T>* a) {
  Point<T> even = a[0] + a[2], odd = a[1] + a[3];
  Point<T> low = a[0] - a[2], high = times_i(a[1] - a[3]);
  a[0] = even + odd;
  a[1] = low - high;
  a[2] = even - odd;
  a[3] = low + high;
}

template <class T>
void butterfly5(Point<T>* a) {
  constexpr T c1 = T(0.30901699437494742410), c2 = T(-0.80901699437494742410),
              s1 = T(0.95105651629515357212), s2 = T(0.58778525229247312917);
  Point<T> sum1 = a[1] + a[4], sum2 = a[2] + a[3], less1 = a[1] - a[4], less2 = a[2] - a[3];
  Point<T> middle1 = a[0] + sum1 * c1 + sum2 * c2, middle2 = a[0] + sum1 * c2 + sum2 * c1;
  Point<T> across1 = times_i(less1 * s1 + less2 * s2);
  Point<T> across2 = times_i(less1 * s2 - less2 * s1);
  a[0] = a[0] + sum1 + sum2;
  a[1] = middle1 - across1;
  a[4] = middle1 + across1;
  a[2] = middle2 - across2;
  a[3] = middle2 + across2;
}

// Any other radix, by its definition; `circle` has its roots.
template <class T>
void butterfly_of(int radix, const Complex<T>* circle, Point<T>* a) {
  Point<T> result[kLargestRadix];
  for (int k = 0; k < radix; ++k) {
    result[k] = a[0];
    for (int j = 1, at = k; j < radix; ++j, at += k - (at + k >= radix ? radix : 0))
      result[k] = result[k] + a[j] * circle[at];
  }
  std::copy_n(result, radix, a);
}

template <int R, class T>
void butterfly(int radix, const Complex<T>* circle, Point<T>* a) {
  if constexpr (R == 2)
    butterfly2(a);
  else if constexpr (R == 3)
    butterfly3(a);
  else if constexpr (R == 4)
    butterfly4(a);
  else if constexpr (R == 5)
    butterfly5(a);
  else
    butterfly_of(radix, circle, a);
}

// --- passes
// One of the passes of a transform of n: radix * rest points remain to be combined.
template <class T>
struct Pass {
  int radix;
  int64_t rest;
  std::vector<Complex<T>> roots;   // root(p * k, radix * rest), k = 1 ... radix - 1 for each p
  std::vector<Complex<T>> circle;  // root(k, radix)
};

template <class T>
std::vector<Pass<T>> passes_of(int64_t n) {
  std::vector<Pass<T>> all;
  for (int radix : radices(n)) {
    Pass<T> pass{radix, n / radix, {}, {}};
    for (int64_t p = 0; p < pass.rest; ++p)
      for (int k = 1; k < radix; ++k) pass.roots.push_back(Complex<T>(root(p * k, n)));
    for (int k = 0; k < radix; ++k) pass.circle.push_back(Complex<T>(root(k, radix)));
    n = pass.rest;
    all.push_back(std::move(pass));
  }
  return all;
}

// `done`: the product of the radices of the passes before. R = 0: a radix without a butterfly.
template <int R, class T>
void run_pass(const Pass<T>& pass, int64_t done, const Point<T>* x, Point<T>* y) {
  const int radix = R ? R : pass.radix;
  const Complex<T>* w = pass.roots.data();
  for (int64_t p = 0; p < pass.rest; ++p, w += radix - 1)
    for (int64_t q = 0; q < done; ++q) {
      Point<T> a[R ? R : kLargestRadix];
      for (int k = 0; k < radix; ++k) a[k] = x[q + done * (p + pass.rest * k)];
      butterfly<R>(radix, pass.circle.data(), a);
      Point<T>* to = y + q + done * radix * p;
      to[0] = a[0];
      for (int k = 1; k < radix; ++k) to[done * k] = p ? a[k] * w[k - 1] : a[k];
    }
}

// Transforms the points of x; the result is in x or y, whichever is returned.
template <class T>
Point<T>* transform(const std::vector<Pass<T>>& passes, Point<T>* x, Point<T>* y) {
  int64_t done = 1;
  for (const Pass<T>& pass : passes) {
    switch (pass.radix) {
      case 2:
        run_pass<2>(pass, done, x, y);
        break;
      case 3:
        run_pass<3>(pass, done, x, y);
        break;
      case 4:
        run_pass<4>(pass, done, x, y);
        break;
      case 5:
        run_pass<5>(pass, done, x, y);
        break;
      default:
        run_pass<0>(pass, done, x, y);
    }
    done *= pass.radix;
    std::swap(x, y);
  }
  return x;
}

}  // namespace fft
}  // namespace
}  // namespace RL_ISA_NS
}  // namespace rl
