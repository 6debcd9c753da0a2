// Accurate totals: how elements enter a block sum and how block sums are added up.
// Floats are summed in vector lanes within a block and in double across blocks; doubles carry
// the rounding error of every block addition. sum, mean and the norms share this.
#pragma once
#include <cmath>
#include <limits>

#include "kernels/reduce_columns.h"
#include "scalar/wrap.h"

namespace rl {
namespace RL_ISA_NS {
namespace {

// --- how elements enter a block
struct Plain {
  template <class V>
  static V map(V x) {
    return x;
  }
};
struct Square {
  template <class V>
  static V map(V x) {
    return x * x;
  }
};
struct Magnitude {
  template <class V>
  static V map(V x) {
    return x < 0 ? -x : x;
  }
};
// The largest or smallest magnitude; NaN wins.
template <bool Max>
struct MagnitudeStep {
  template <class V>
  static V first(V x) {
    return Magnitude::map(x);
  }
  template <class V>
  static V join(V a, V x) {
    if constexpr (Max)
      return ((x > a) | (x != x)) ? x : a;
    else
      return ((x < a) | (x != x)) ? x : a;
  }
  template <class V>
  static V next(V a, V x) {
    return join(a, Magnitude::map(x));
  }
};
// Has a sum of n squares, or which of a vector of sums have, left the range in which it is exact
// enough?
template <class T, class V>
auto squares_suspect(V squares, int64_t n) {
  return (!(squares <= std::numeric_limits<T>::max())) |
         ((squares != V{}) & (squares < std::numeric_limits<T>::min() * T(1e8) * T(n)));
}
struct NanAsZero {
  template <class V>
  static V map(V x) {
    return x == x ? x : V{};
  }
};
// Maps give 0 for 0.
template <class Map>
struct AddStep {
  template <class T>
  static constexpr T none() {
    return T{};
  }
  template <class V>
  static V first(V x) {
    return Map::map(x);
  }
  template <class V>
  static V next(V a, V x) {
    return wrapped_sum<V>(a, Map::map(x));
  }
  template <class V>
  static V join(V a, V b) {
    return wrapped_sum(a, b);
  }
};

// --- running totals over blocks
// One more term of a sum, or of as many as a vector has, and what its rounding leaves out (Knuth
// 1969): nothing here depends on which of the two is larger, as few branches would foresee.
template <class V>
inline void add_carried(V& sum, V& error, V x) {
  const V t = sum + x, added = t - sum;
  error += (sum - (t - added)) + (x - added);
  sum = t;
}
struct Carried {  // a double and the rounding error of the additions so far
  double sum = 0, error = 0;
  void add(double x) { add_carried(sum, error, x); }
  void add(Carried o) {
    add(o.sum);
    error += o.error;
  }
  // What is added to the largest of numbers may overflow where the sum does not.
  double value() const { return std::isfinite(sum) && error == error ? sum + error : sum; }
};
// A block into as many sums, two at a time: registers this wide take sums and errors apart by one
// instruction.
inline void add_each(Carried* s, const double* block, int64_t n) {
  using Pair = typename VectorOf<double, 16>::type;
  auto* pairs = reinterpret_cast<double*>(s);
  int64_t i = 0;
  for (; i + 2 <= n; i += 2) {
    Pair a, b, x;
    __builtin_memcpy(&a, pairs + 2 * i, sizeof a);
    __builtin_memcpy(&b, pairs + 2 * i + 2, sizeof b);
    __builtin_memcpy(&x, block + i, sizeof x);
    Pair sum = {a[0], b[0]}, error = {a[1], b[1]};
    add_carried(sum, error, x);
    a = Pair{sum[0], error[0]}, b = Pair{sum[1], error[1]};
    __builtin_memcpy(pairs + 2 * i, &a, sizeof a);
    __builtin_memcpy(pairs + 2 * i + 2, &b, sizeof b);
  }
  for (; i < n; ++i) s[i].add(block[i]);
}
template <class Total>
struct Simple {
  Total sum{};
  template <class X>
  void add(X x) {
    sum = wrapped_sum(sum, Total(x));
  }
  void add(Simple o) { sum = wrapped_sum(sum, o.sum); }
  Total value() const { return sum; }
};
struct ComplexTotal {
  Carried re, im;
  template <class R>
  void add(Complex<R> x) {
    re.add(double(x.re));
    im.add(double(x.im));
  }
  void add(ComplexTotal o) {
    re.add(o.re);
    im.add(o.im);
  }
  C128 value() const { return {re.value(), im.value()}; }
};
template <class T>
struct TotalOf {
  using type = ComplexTotal;
};
template <>
struct TotalOf<C64> {
  using type = Simple<C128>;
};
template <>
struct TotalOf<float> {
  using type = Simple<double>;
};
template <>
struct TotalOf<double> {
  using type = Carried;
};
template <>
struct TotalOf<int64_t> {
  using type = Simple<int64_t>;
};

template <class T, class V>
T narrow(V v) {
  if constexpr (requires { v.im; }) {
    using R = decltype(T{}.re);
    return T{static_cast<R>(v.re), static_cast<R>(v.im)};
  } else {
    return static_cast<T>(v);
  }
}

template <class T, class Map, class Element = T>
struct SumFold : BlockFold<SumFold<T, Map, Element>, AddStep<Map>, Element, 16 * kVectorBytes> {
  using State = typename TotalOf<T>::type;
  using Out0 = T;
  using Out1 = T;
  static void init(State& s) { s = State{}; }
  static void add(State& s, T block) { s.add(block); }
  static void add_all(State* s, const T* block, int64_t n) {
    if constexpr (std::is_same_v<State, Carried>)
      add_each(s, block, n);
    else if constexpr (std::is_same_v<State, ComplexTotal>)
      add_each(&s->re, &block->re, 2 * n);
    else
      for (int64_t i = 0; i < n; ++i) s[i].add(block[i]);
  }
  static void merge(State& s, const State& o) { s.add(o); }
  static void finish(const State& s, const FoldParams&, T& out, T&) { out = narrow<T>(s.value()); }
};

}  // namespace
}  // namespace RL_ISA_NS
}  // namespace rl
