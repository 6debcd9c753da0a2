// Points of kLanes Fourier transforms at once, a line in each lane of a vector, and their way to
// and from memory. What is computed with them is in fft_passes.h. Included by files that are
// compiled per instruction-set level.
#pragma once
#include <algorithm>
#include <bit>
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
// An inverse transform is a transform between two conjugations: the factors of real and imaginary
// parts on the way in (`sign`) and out.
template <class T>
struct Direction {
  T sign, re, im;
  Direction(bool inverse, T scale)
      : sign(inverse ? T(-1) : T(1)), re(scale), im(inverse ? -scale : scale) {}
  template <class V>
  V in(V v) const {
    return {v.re, v.im * sign};
  }
  template <class V>
  V out(V v) const {
    return {v.re * re, v.im * im};
  }
};

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

// Which of kLanes neighbours a lane holds. Not simply the lane's number: real and imaginary parts
// are split and joined within blocks of 16 bytes, for which there are instructions.
template <class T>
constexpr int neighbour(int lane) {
  constexpr int block = 16 / sizeof(T), half = block / 2;
  int in = lane % block;
  return (in < half ? 0 : kLanes<T> / 2) + lane / block * half + in % half;
}
template <class T>
constexpr int lane_of(int neighbour) {
  constexpr int half = 16 / sizeof(T) / 2;
  int upper = neighbour / (kLanes<T> / 2), rest = neighbour % (kLanes<T> / 2);
  return rest / half * 2 * half + upper * half + rest % half;
}
template <class T, int Part>
struct Split {
  static constexpr int at(int l, int) { return 2 * neighbour<T>(l) + Part; }
};
template <class T, int Half>
struct Join {
  static constexpr int at(int l, int n) { return lane_of<T>((Half * n + l) / 2) + l % 2 * n; }
};
template <class T>
struct InOrder {
  static constexpr int at(int l, int) { return neighbour<T>(l); }
};
template <class T>
struct OutOfOrder {
  static constexpr int at(int l, int) { return lane_of<T>(l); }
};
struct Backwards {
  static constexpr int at(int l, int n) { return n - 1 - l; }
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
#pragma GCC unroll 16
    for (int i = 0; i < kLanes<T>; ++i) {
      if (i & S) continue;
      V first = v[i], second = v[i + S];
      v[i] = pick<FirstOfPairs<S>, T>(first, second);
      v[i + S] = pick<SecondOfPairs<S>, T>(first, second);
    }
    transpose<2 * S, T>(v);
  }
}

// Of kLanes points, where both the lanes and the points are neighbours.
template <class T>
void transpose(const Point<T>* from, Point<T>* to) {
  typename Point<T>::Lanes v[kLanes<T>];
  for (auto part : {&Point<T>::re, &Point<T>::im}) {
#pragma GCC unroll 16
    for (int i = 0; i < kLanes<T>; ++i) v[i] = from[neighbour<T>(i)].*part;
    transpose<1, T>(v);
#pragma GCC unroll 16
    for (int i = 0; i < kLanes<T>; ++i) to[neighbour<T>(i)].*part = v[i];
  }
}

// --- memory
// kLanes neighbouring complex numbers, one to a lane: in two vectors, or in memory.
template <class T, class V>
Point<T> split(V low, V high) {
  return {pick<Split<T, 0>, T>(low, high), pick<Split<T, 1>, T>(low, high)};
}
template <class T>
Point<T> load_adjacent(const Complex<T>* x) {
  typename Point<T>::Lanes low, high;
  std::memcpy(&low, x, sizeof low);
  std::memcpy(&high, x + kLanes<T> / 2, sizeof high);
  return split<T>(low, high);
}
template <class T>
void store_adjacent(Complex<T>* out, Point<T> p) {
  auto low = pick<Join<T, 0>, T>(p.re, p.im), high = pick<Join<T, 1>, T>(p.re, p.im);
  std::memcpy(&out->re, &low, sizeof low);
  std::memcpy(&out[kLanes<T> / 2].re, &high, sizeof high);
}

// Brings the memory of kLanes neighbours near, every cache line of it, for reading or
// (ToWrite) writing.
template <int ToWrite, class T>
[[gnu::always_inline]] inline void fetch_adjacent(const Complex<T>* x) {
  constexpr int in_line = 64 / static_cast<int>(sizeof(Complex<T>));
  for (int i = 0; i < kLanes<T>; i += in_line) __builtin_prefetch(x + i, ToWrite);
}

// Elements from kLanes places, put together in registers: a vector that is read right after its
// parts were written one by one has to wait for them all.
template <class V, class E, size_t... I>
V gathered(const E* x, const int64_t* at, std::index_sequence<I...>) {
  return V{x[at[I]]...};
}
template <class T>
typename Point<T>::Lanes gather_reals(const T* x, const int64_t* at) {
  auto v = gathered<typename Point<T>::Lanes>(x, at, std::make_index_sequence<kLanes<T>>());
  return pick<InOrder<T>, T>(v, v);
}
template <class T>
Point<T> gather(const Complex<T>* x, const int64_t* at) {
  constexpr int n = kLanes<T>;
  if constexpr (sizeof(T) == 4) {  // real and imaginary parts as one number
    typedef int64_t Pairs __attribute__((vector_size(kVectorBytes)));
    typedef int64_t Pair __attribute__((may_alias, aligned(4)));
    auto half = [&](const int64_t* from) {
      auto pairs = gathered<Pairs>(reinterpret_cast<const Pair*>(x), from,
                                   std::make_index_sequence<n / 2>());
      return std::bit_cast<typename Point<T>::Lanes>(pairs);
    };
    return split<T>(half(at), half(at + n / 2));
  } else {
    Complex<T> v[n];
    for (int l = 0; l < n; ++l) v[l] = x[at[l]];
    return load_adjacent(v);
  }
}

// The first `used` of them, or all if that is more; the other lanes are 0.
template <class T>
Point<T> load_some(const Complex<T>* x, int64_t used) {
  if (used >= kLanes<T>) return load_adjacent(x);
  Complex<T> some[kLanes<T>] = {};
  std::copy_n(x, used, some);
  return load_adjacent(some);
}
template <class T>
void store_some(Complex<T>* out, int64_t used, Point<T> p) {
  if (used >= kLanes<T>) return store_adjacent(out, p);
  Complex<T> some[kLanes<T>];
  store_adjacent(some, p);
  std::copy_n(some, used, out);
}

// kLanes neighbouring reals.
template <class T>
typename Point<T>::Lanes load_reals(const T* x) {
  typename Point<T>::Lanes v;
  std::memcpy(&v, x, sizeof v);
  return pick<InOrder<T>, T>(v, v);
}
template <class T>
void store_reals(T* out, typename Point<T>::Lanes v) {
  v = pick<OutOfOrder<T>, T>(v, v);
  std::memcpy(out, &v, sizeof v);
}

}  // namespace fft
}  // namespace
}  // namespace RL_ISA_NS
}  // namespace rl
