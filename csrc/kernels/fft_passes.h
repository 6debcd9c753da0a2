// Fourier transforms of kLanes lines at once: what is written here for one point runs for all of
// them. Passes after Stockham: each reads one buffer and writes another, and the result is in
// order. To add a radix: a `butterfly` and its line in `run_pass`. Included by files that are
// compiled per instruction-set level.
#pragma once
#include "kernels/fft_lanes.h"

namespace rl {
namespace RL_ISA_NS {
namespace {
namespace fft {

// --- butterflies: the transforms of R points, in place
template <class T>
[[gnu::always_inline]] inline void butterfly2(Point<T>& a, Point<T>& b) {
  Point<T> sum = a + b;
  b = a - b;
  a = sum;
}

template <class T>
[[gnu::always_inline]] inline void butterfly3(Point<T>* a) {
  Point<T> sum = a[1] + a[2], across = times_i((a[1] - a[2]) * T(0.86602540378443864676));
  Point<T> middle = a[0] - sum * T(0.5);
  a[0] = a[0] + sum;
  a[1] = middle - across;
  a[2] = middle + across;
}

template <class T>
[[gnu::always_inline]] inline void butterfly4(Point<T>& a, Point<T>& b, Point<T>& c, Point<T>& d) {
  Point<T> even = a + c, odd = b + d, low = a - c, high = times_i(b - d);
  a = even + odd;
  b = low - high;
  c = even - odd;
  d = low + high;
}

template <class T>
[[gnu::always_inline]] inline void butterfly5(Point<T>* a) {
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

// Two of four points; those of the odd ones are turned by eighths before they meet.
template <class T>
[[gnu::always_inline]] inline void butterfly8(Point<T>* a) {
  constexpr T c = T(0.70710678118654752440);
  butterfly4(a[0], a[2], a[4], a[6]);
  butterfly4(a[1], a[3], a[5], a[7]);
  a[3] = {(a[3].re + a[3].im) * c, (a[3].im - a[3].re) * c};
  a[5] = {a[5].im, -a[5].re};
  a[7] = {(a[7].im - a[7].re) * c, (a[7].re + a[7].im) * -c};
  for (int k = 0; k < 8; k += 2) butterfly2(a[k], a[k + 1]);
  Point<T> moved[] = {a[0], a[2], a[4], a[6], a[1], a[3], a[5], a[7]};
  std::copy_n(moved, 8, a);
}

// Other odd radices, by their definition, from sums and differences of what is multiplied by
// conjugate roots; `circle` has the roots. Those known to the compiler stay in registers.
template <int R, class T>
[[gnu::always_inline]] inline void butterfly_odd(const Complex<T>* circle, Point<T>* a) {
  Point<T> first = a[0], result[R];
#pragma GCC unroll 8
  for (int j = 1; j <= R / 2; ++j) {
    butterfly2(a[j], a[R - j]);
    a[0] = a[0] + a[j];
  }
#pragma GCC unroll 8
  for (int k = 1; k <= R / 2; ++k) {
    Point<T> middle = first, across{};
#pragma GCC unroll 8
    for (int j = 1; j <= R / 2; ++j) {
      middle = middle + a[j] * circle[j * k % R].re;
      across = across + a[R - j] * circle[j * k % R].im;
    }
    result[k] = middle + times_i(across);
    result[R - k] = middle - times_i(across);
  }
#pragma GCC unroll 16
  for (int k = 1; k < R; ++k) a[k] = result[k];
}
template <class T>
void butterfly_of(int radix, const Complex<T>* circle, Point<T>* a) {
  Point<T> result[kLargestRadix];
  for (int j = 1; 2 * j < radix; ++j) butterfly2(a[j], a[radix - j]);
  result[0] = a[0];
  for (int j = 1; 2 * j < radix; ++j) result[0] = result[0] + a[j];
  for (int k = 1; 2 * k < radix; ++k) {
    Point<T> middle = a[0], across{};
    for (int j = 1, at = k; 2 * j < radix; ++j, at += k - (at + k >= radix ? radix : 0)) {
      middle = middle + a[j] * circle[at].re;
      across = across + a[radix - j] * circle[at].im;
    }
    result[k] = middle + times_i(across);
    result[radix - k] = middle - times_i(across);
  }
  std::copy_n(result, radix, a);
}

template <int R, class T>
[[gnu::always_inline]] inline void butterfly(int radix, const Complex<T>* circle, Point<T>* a) {
  if constexpr (R == 2)
    butterfly2(a[0], a[1]);
  else if constexpr (R == 3)
    butterfly3(a);
  else if constexpr (R == 4)
    butterfly4(a[0], a[1], a[2], a[3]);
  else if constexpr (R == 5)
    butterfly5(a);
  else if constexpr (R == 8)
    butterfly8(a);
  else if constexpr (R > 5)
    butterfly_odd<R>(circle, a);
  else
    butterfly_of(radix, circle, a);
}

// --- passes
// One of the passes of a transform of n: radix * rest points remain to be combined; `done` is the
// product of the radices of the passes before.
template <class T>
struct Pass {
  int radix;
  int64_t rest, done;
  std::vector<Complex<T>> roots;   // root(p * k, radix * rest), k = 1 ... radix - 1 for each p
  std::vector<Complex<T>> circle;  // root(k, radix)
};

// The points of eights and their roots want 32 registers: with 16, fours take a tenth less time
// (Zen 1).
#if defined(__AVX512F__) || defined(__aarch64__)
constexpr bool kEights = true;
#else
constexpr bool kEights = false;
#endif

template <class T>
std::vector<Pass<T>> passes_of(int64_t n) {
  std::vector<Pass<T>> all;
  int64_t done = 1;
  for (int radix : radices(n, kEights)) {
    Pass<T> pass{radix, n / radix, done, {}, {}};
    for (int64_t p = 0; p < pass.rest; ++p)
      for (int k = 1; k < radix; ++k) pass.roots.push_back(Complex<T>(root(p * k, n)));
    for (int k = 0; k < radix; ++k) pass.circle.push_back(Complex<T>(root(k, radix)));
    n = pass.rest;
    done *= radix;
    all.push_back(std::move(pass));
  }
  return all;
}

// Points are read as load(k) and written as store(k, point). R = 0: a radix without a butterfly.
// Not inlined, or the steps compete for registers with what is around.
template <int R, class T, class Load, class Store>
[[gnu::noinline]] void run_pass(const Pass<T>& pass, Load load, Store store) {
  const int radix = R ? R : pass.radix;
  const int64_t rest = pass.rest, done = pass.done;
  Point<T> a[R ? R : kLargestRadix];
  auto combine = [&](int64_t from) __attribute__((always_inline)) {
#pragma GCC unroll 16
    for (int k = 0; k < radix; ++k) a[k] = load(from + done * rest * k);
    butterfly<R>(radix, pass.circle.data(), a);
  };
  for (int64_t q = 0; q < done; ++q) {  // the roots of these are 1
    combine(q);
#pragma GCC unroll 16
    for (int k = 0; k < radix; ++k) store(q + done * k, a[k]);
  }
  const Complex<T>* w = pass.roots.data();
  for (int64_t p = 1; p < rest; ++p) {
    w += radix - 1;
    for (int64_t q = 0; q < done; ++q) {
      combine(q + done * p);
      int64_t to = q + done * radix * p;
      store(to, a[0]);
#pragma GCC unroll 16
      for (int k = 1; k < radix; ++k) store(to + done * k, a[k] * w[k - 1]);
    }
  }
}
template <class T, class Load, class Store>
void run_pass(const Pass<T>& pass, Load load, Store store) {
  switch (pass.radix) {
    case 2:
      return run_pass<2>(pass, load, store);
    case 3:
      return run_pass<3>(pass, load, store);
    case 4:
      return run_pass<4>(pass, load, store);
    case 5:
      return run_pass<5>(pass, load, store);
    case 7:
      return run_pass<7>(pass, load, store);
    case 11:
      return run_pass<11>(pass, load, store);
    case 13:
      return run_pass<13>(pass, load, store);
    case 8:
      return run_pass<8>(pass, load, store);
    default:
      return run_pass<0>(pass, load, store);
  }
}

// Points in memory, as a pass reads and writes them: in a buffer,
template <class T>
struct Stored {
  Point<T>* points;
  Point<T> operator()(int64_t k) const { return points[k]; }
  void operator()(int64_t k, Point<T> p) const { points[k] = p; }
};
// or in a tensor, neighbours `step` apart; `ahead`: where memory is fetched that comes later, up to
// `last`: what is behind may be no memory, and to find that out takes as long as several points.
template <class T>
struct Source {
  const Complex<T>* x;
  int64_t step, ahead, last;
  Direction<T> direction;
  Point<T> operator()(int64_t k) const {
    fetch_adjacent<0>(x + std::min(k * step + ahead, last));
    return direction.in(load_adjacent(x + k * step));
  }
};
template <class T>
struct Target {
  Complex<T>* out;
  int64_t step, ahead, last;
  Direction<T> direction;
  void operator()(int64_t k, Point<T> p) const {
    fetch_adjacent<1>(out + std::min(k * step + ahead, last));
    store_adjacent(out + k * step, direction.out(p));
  }
};

// Transforms what `load` gives to the first of the passes; the result is in x or y, whichever is
// returned.
template <class T, class Load>
Point<T>* transform(const std::vector<Pass<T>>& passes, Load load, Point<T>* x, Point<T>* y) {
  if (passes.empty()) x[0] = load(0);
  for (const Pass<T>& pass : passes) {
    if (pass.done == 1)
      run_pass(pass, load, Stored<T>{x});
    else
      run_pass(pass, Stored<T>{x}, Stored<T>{y}), std::swap(x, y);
  }
  return x;
}

// The passes between the first and the last; the result is in x or y, whichever is returned.
template <class T>
Point<T>* inner_passes(const std::vector<Pass<T>>& passes, Point<T>* x, Point<T>* y) {
  for (size_t i = 1; i + 1 < passes.size(); ++i, std::swap(x, y))
    run_pass(passes[i], Stored<T>{x}, Stored<T>{y});
  return x;
}
// As `transform`, and the last pass stores the result; x and y are buffers.
template <class T, class Load>
void transform(const std::vector<Pass<T>>& passes, Load load, Target<T> store, Point<T>* x,
               Point<T>* y) {
  if (passes.size() < 2) {
    const Point<T>* done = transform(passes, load, x, y);
    int64_t n = passes.empty() ? 1 : passes[0].radix;
    for (int64_t k = 0; k < n; ++k) store(k, done[k]);
    return;
  }
  run_pass(passes[0], load, Stored<T>{x});
  run_pass(passes.back(), Stored<T>{inner_passes(passes, x, y)}, store);
}

// Transforms the points of x.
template <class T>
Point<T>* transform(const std::vector<Pass<T>>& passes, Point<T>* x, Point<T>* y) {
  if (passes.empty()) return x;
  return transform(passes, Stored<T>{x}, y, x);
}

// Rows in lanes, where vectors are two blocks, `step` apart; of memory that comes `ahead` later, if
// that is not 0, every cache line is fetched, up to `last`.
template <class T, class Element>
struct Rows {
  Element* x;
  int64_t step, ahead, last;
  Direction<T> direction;
  template <int ToWrite>
  void fetch(int64_t k) const {
    constexpr int in_line = 64 / static_cast<int>(sizeof(Complex<T>));
    if (ahead == 0 || k % in_line != 0) return;
    for (int l = 0; l < kLanes<T>; ++l)
      __builtin_prefetch(x + std::min(l * step + k + ahead, last), ToWrite);
  }
};
template <class T>
using SourceRows = Rows<T, const Complex<T>>;
template <class T>
using TargetRows = Rows<T, Complex<T>>;

// The first and the last pass, that read and write rows themselves: loops that only move points
// took as long as a pass each, for the stores and the moves of lanes share a unit of Zen 1.
template <int R, class T>
[[gnu::noinline]] void run_first_pass(const Pass<T>& pass, SourceRows<T> rows, Point<T>* to) {
  constexpr int n = kInBlock<T>;
  const Complex<T>* w = pass.roots.data();
  for (int64_t p = 0; p < pass.rest; p += n) {
    Point<T> a[n][R], some[n];
#pragma GCC unroll 8
    for (int j = 0; j < R; ++j) {
      int64_t k = p + j * pass.rest;
      rows.template fetch<0>(k);
      load_rows(rows.x + k, rows.step, some);
      for (int i = 0; i < n; ++i) a[i][j] = rows.direction.in(some[i]);
    }
#pragma GCC unroll 2
    for (int i = 0; i < n; ++i, to += R, w += R - 1) {
      butterfly<R>(R, pass.circle.data(), a[i]);
      to[0] = a[i][0];
#pragma GCC unroll 8
      for (int k = 1; k < R; ++k) to[k] = a[i][k] * w[k - 1];
    }
  }
}
template <int R, class T>
[[gnu::noinline]] void run_last_pass(const Pass<T>& pass, const Point<T>* from,
                                     TargetRows<T> rows) {
  constexpr int n = kInBlock<T>;
  for (int64_t q = 0; q < pass.done; q += n) {
    Point<T> a[n][R], some[n];
#pragma GCC unroll 2
    for (int i = 0; i < n; ++i) {
#pragma GCC unroll 8
      for (int j = 0; j < R; ++j) a[i][j] = from[q + i + j * pass.done];
      butterfly<R>(R, pass.circle.data(), a[i]);
    }
#pragma GCC unroll 8
    for (int j = 0; j < R; ++j) {
      int64_t k = q + j * pass.done;
      for (int i = 0; i < n; ++i) some[i] = rows.direction.out(a[i][j]);
      rows.template fetch<1>(k);
      store_rows(rows.x + k, rows.step, some);
    }
  }
}
template <class T>
void run_last_pass(const Pass<T>& pass, const Point<T>* from, TargetRows<T> rows) {
  switch (pass.radix) {
    case 2:
      return run_last_pass<2>(pass, from, rows);
    case 3:
      return run_last_pass<3>(pass, from, rows);
    case 4:
      return run_last_pass<4>(pass, from, rows);
    default:
      return run_last_pass<5>(pass, from, rows);
  }
}
// Whether there are such passes for the first and the last.
template <class T>
bool pass_rows(const std::vector<Pass<T>>& passes) {
  return kTwoBlocks && passes.size() > 1 && passes[0].radix == 4 &&
         passes[0].rest % kInBlock<T> == 0 && passes.back().radix <= 5;
}

template <class T>
void transform(const std::vector<Pass<T>>& passes, SourceRows<T> load, TargetRows<T> store,
               Point<T>* x, Point<T>* y) {
  run_first_pass<4>(passes[0], load, x);
  run_last_pass(passes.back(), inner_passes(passes, x, y), store);
}

}  // namespace fft
}  // namespace
}  // namespace RL_ISA_NS
}  // namespace rl
