// Folding blocks in vector registers: what sums, products and extrema share. A Step says how
// an element enters an accumulator (first, next) and how accumulators meet (join); it is
// written once for scalars and vectors. Several accumulators hide the latency of an addition
// and keep every partial sum short. Nothing here knows of states or tensors.
#pragma once
#include "kernels/reduce.h"
#include "kernels/short_floats.h"

namespace rl {
namespace RL_ISA_NS {
namespace {

template <class T>
constexpr bool kHasVectors = std::is_arithmetic_v<T>;

struct OrStep {
  template <class V>
  static V first(V x) {
    return x;
  }
  template <class V>
  static V next(V a, V x) {
    return a | x;
  }
  template <class V>
  static V join(V a, V b) {
    return a | b;
  }
};

// The real parts and the imaginary parts of n numbers, which lie by turns, through a Step that does
// not mix them.
template <class Step, class R>
Complex<R> fold_parts(const Complex<R>* numbers, int64_t n) {
  constexpr int64_t V = kLanes<R>, L = 4 * V;
  auto* x = reinterpret_cast<const R*>(numbers);
  Vector<R> a = Vector<R>{} + Step::template none<R>(), b = a, c = a, d = a;
  int64_t i = 0;
  for (n *= 2; i + L <= n; i += L) {
    a = Step::next(a, load_vector(x + i)), b = Step::next(b, load_vector(x + i + V));
    c = Step::next(c, load_vector(x + i + 2 * V)), d = Step::next(d, load_vector(x + i + 3 * V));
  }
  for (; i + V <= n; i += V) a = Step::next(a, load_vector(x + i));
  auto total = join_pairs<Step, R>(Step::join(Step::join(a, b), Step::join(c, d)));
  for (; i < n; i += 2) total = {Step::next(total.re, x[i]), Step::next(total.im, x[i + 1])};
  return total;
}
template <class Step, class T>
constexpr bool kFoldsParts = requires(T x) {
  x.im;
  Step::template none<decltype(x.im)>();
};

// All of x, n >= 1, through Step. If a Step has a `none`, which changes no accumulator, the rest of
// the vectors is the end of one that begins among them.
template <class Step, class E, class T = widened_type<E>>
T fold_block(const E* x, int64_t n) {
  if constexpr (kFoldsParts<Step, T>) return fold_parts<Step>(x, n);
  int64_t i = 1;
  T total = Step::first(T(x[0]));
  if constexpr (kHasVectors<T>) {
    constexpr int64_t V = kLanes<T>, L = 4 * V;
    if (n >= V) {
      auto a = Step::first(load_vector(x));
      i = V;
      if (n >= L) {
        auto b = Step::first(load_vector(x + V)), c = Step::first(load_vector(x + 2 * V));
        auto d = Step::first(load_vector(x + 3 * V));
        for (i = L; i + L <= n; i += L) {
          a = Step::next(a, load_vector(x + i));
          b = Step::next(b, load_vector(x + i + V));
          c = Step::next(c, load_vector(x + i + 2 * V));
          d = Step::next(d, load_vector(x + i + 3 * V));
        }
        a = Step::join(Step::join(a, b), Step::join(c, d));
      }
      for (; i + V <= n; i += V) a = Step::next(a, load_vector(x + i));
      if constexpr (requires { Step::template none<T>(); })
        if (i < n) {
          a = Step::next(a, last_lanes<T>(load_vector(x + n - V), n - i, Step::template none<T>()));
          i = n;
        }
      total = join_lanes<Step, T>(a);
    }
  }
  for (; i < n; ++i) total = Step::next(total, T(x[i]));
  return total;
}

}  // namespace
}  // namespace RL_ISA_NS
}  // namespace rl
