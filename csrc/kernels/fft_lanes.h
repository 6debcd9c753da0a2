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

#if defined(__AVX__)
#include <immintrin.h>
#endif

namespace rl {
namespace RL_ISA_NS {
namespace {
namespace fft {
using namespace ::rl::fft;

// As the registers are: of wider ones GCC moves lanes one by one, and took three to nine times as
// long at level v2.
constexpr int kVectorBytes = isa_rank(RL_ISA_NAME) == 4 ? 64 : isa_rank(RL_ISA_NAME) == 3 ? 32 : 16;
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

// The lanes of two vectors in turn, from the lower or (Half = 1) upper half of each block of 16
// bytes: an instruction.
template <class T, int Half>
struct Riffle {
  static constexpr int at(int l, int n) {
    constexpr int block = 16 / sizeof(T);
    return l / block * block + Half * block / 2 + l % block / 2 + l % 2 * n;
  }
};

// Of each block of both, the lower or upper half.
template <int Half>
struct HalfBlocks {
  static constexpr int at(int l, int n) {
    int quarter = n / 4, block = l / (2 * quarter), in = l % (2 * quarter);
    return block * 2 * quarter + Half * quarter + in % quarter + in / quarter * n;
  }
};

// Vectors of two blocks of 16 bytes: AVX moves lanes within a block at once, but between the blocks
// of any two vectors (vperm2f128) in eight steps on Zen 1.
constexpr bool kTwoBlocks = kVectorBytes == 32;
template <class T, class V>
V lower_blocks(V a, V b) {
  return pick<FirstOfPairs<kLanes<T> / 2>, T>(a, b);
}
template <class T, class V>
V upper_blocks(V a, V b) {
#if defined(__AVX__)
  auto upper = _mm256_castpd128_pd256(_mm256_extractf128_pd(std::bit_cast<__m256d>(a), 1));
  return std::bit_cast<V>(_mm256_blend_pd(upper, std::bit_cast<__m256d>(b), 12));
#else
  return pick<SecondOfPairs<kLanes<T> / 2>, T>(a, b);
#endif
}

// Lane i of vector l becomes lane l of vector i. Bits of the two numbers change places one by one,
template <int S, class T, class V>
void transpose_by_bits(V* v) {
  if constexpr (S < kLanes<T>) {
#pragma GCC unroll 16
    for (int i = 0; i < kLanes<T>; ++i) {
      if (i & S) continue;
      V first = v[i], second = v[i + S];
      v[i] = pick<FirstOfPairs<S>, T>(first, second);
      v[i + S] = pick<SecondOfPairs<S>, T>(first, second);
    }
    transpose_by_bits<2 * S, T>(v);
  }
}
// or blocks do, and then lanes within blocks, the vectors being riffled as their lanes are.
template <int Left, class T, class V>
[[gnu::always_inline]] inline void riffle(V* v) {
  constexpr int half = kLanes<T> / 4;
  if constexpr (Left > 1) {
    V riffled[2 * half];
#pragma GCC unroll 4
    for (int i = 0; i < half; ++i) {
      riffled[2 * i] = pick<Riffle<T, 0>, T>(v[i], v[i + half]);
      riffled[2 * i + 1] = pick<Riffle<T, 1>, T>(v[i], v[i + half]);
    }
    riffle<Left / 2, T>(riffled);
    std::copy_n(riffled, 2 * half, v);
  }
}
template <class T, class V>
[[gnu::always_inline]] inline void transpose(V* v) {
  constexpr int half = kLanes<T> / 2;
  if constexpr (kTwoBlocks) {
#pragma GCC unroll 4
    for (int i = 0; i < half; ++i) {
      V first = v[i], second = v[i + half];
      v[i] = lower_blocks<T>(first, second);
      v[i + half] = upper_blocks<T>(first, second);
    }
    riffle<half, T>(v);
    riffle<half, T>(v + half);
  } else {
    transpose_by_bits<1, T>(v);
  }
}

// Of kLanes points, where both the lanes and the points are neighbours.
template <class T>
void transpose(const Point<T>* from, Point<T>* to) {
  typename Point<T>::Lanes v[kLanes<T>];
  for (auto part : {&Point<T>::re, &Point<T>::im}) {
#pragma GCC unroll 16
    for (int i = 0; i < kLanes<T>; ++i) v[i] = from[neighbour<T>(i)].*part;
    transpose<T>(v);
#pragma GCC unroll 16
    for (int i = 0; i < kLanes<T>; ++i) to[neighbour<T>(i)].*part = v[i];
  }
}

// The same of the products of points and `by`.
template <class T>
void transpose_products(const Point<T>* from, const Point<T>* by, Point<T>* to) {
  typename Point<T>::Lanes v[kLanes<T>];
  auto part = [&](auto of, auto Point<T>::* part) __attribute__((always_inline)) {
#pragma GCC unroll 16
    for (int i = 0; i < kLanes<T>; ++i) v[i] = of(from[neighbour<T>(i)], by[neighbour<T>(i)]);
    transpose<T>(v);
#pragma GCC unroll 16
    for (int i = 0; i < kLanes<T>; ++i) to[neighbour<T>(i)].*part = v[i];
  };
  using P = Point<T>;
  part([](const P& a, const P& w) { return a.re * w.re - a.im * w.im; }, &P::re);
  part([](const P& a, const P& w) { return a.re * w.im + a.im * w.re; }, &P::im);
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

// Two blocks of 16 bytes, as a vector and back; from and to memory that is no slower than whole.
template <class T>
typename Point<T>::Lanes load_blocks(const Complex<T>* first, const Complex<T>* second) {
  typename Point<T>::Lanes v;
#if defined(__AVX__)
  auto low = _mm256_castps128_ps256(_mm_loadu_ps(reinterpret_cast<const float*>(first)));
  auto high = _mm_loadu_ps(reinterpret_cast<const float*>(second));
  return std::bit_cast<decltype(v)>(_mm256_insertf128_ps(low, high, 1));
#else
  std::memcpy(&v, first, 16);
  std::memcpy(reinterpret_cast<char*>(&v) + 16, second, 16);
  return v;
#endif
}
template <class T, class V>
void store_blocks(Complex<T>* first, Complex<T>* second, V v) {
  std::memcpy(&first->re, &v, 16);
  std::memcpy(&second->re, reinterpret_cast<const char*>(&v) + 16, 16);
}
// Rows in lanes, where vectors are two blocks and a complex number half a block or a whole one: the
// points of kInBlock neighbours at x + lane * step, and back.
template <class T>
constexpr int kInBlock = 16 / static_cast<int>(sizeof(Complex<T>));
template <class T>
[[gnu::always_inline]] inline void load_rows(const Complex<T>* x, int64_t step, Point<T>* points) {
  auto load = [&](int first, int second) __attribute__((always_inline)) {
    return load_blocks(x + first * step, x + second * step);
  };
  if constexpr (kInBlock<T> == 1) {
    points[0] = split<T>(load(0, 1), load(2, 3));
  } else {
    auto a = load(0, 2), b = load(1, 3), c = load(4, 6), d = load(5, 7);
    points[0] = split<T>(pick<HalfBlocks<0>, T>(a, b), pick<HalfBlocks<0>, T>(c, d));
    points[1] = split<T>(pick<HalfBlocks<1>, T>(a, b), pick<HalfBlocks<1>, T>(c, d));
  }
}
template <class T>
[[gnu::always_inline]] inline void store_rows(Complex<T>* out, int64_t step,
                                              const Point<T>* points) {
  auto store = [&](auto v, int first, int second) __attribute__((always_inline)) {
    store_blocks(out + first * step, out + second * step, v);
  };
  auto joined = [&](int k, auto half) __attribute__((always_inline)) {
    return pick<Join<T, half()>, T>(points[k].re, points[k].im);
  };
  std::integral_constant<int, 0> low;
  std::integral_constant<int, 1> high;
  if constexpr (kInBlock<T> == 1) {
    store(joined(0, low), 0, 1);
    store(joined(0, high), 2, 3);
  } else {
    auto a = joined(0, low), b = joined(1, low), c = joined(0, high), d = joined(1, high);
    store(pick<HalfBlocks<0>, T>(a, b), 0, 2);
    store(pick<HalfBlocks<1>, T>(a, b), 1, 3);
    store(pick<HalfBlocks<0>, T>(c, d), 4, 6);
    store(pick<HalfBlocks<1>, T>(c, d), 5, 7);
  }
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
