// Sums over contiguous runs of what a formula makes of their elements, in vector registers. The
// formula takes its elements through `at`, as in [&](auto at) { return at(x) * at(y); }, and is
// written once for vectors and for the single elements of a run's end. Reductions over dimensions
// have blocks and states of their own (reduce_lanes.h). Included by files compiled once per level.
#pragma once
#include <limits>

#include "kernels/reduce_lanes.h"

namespace rl {
namespace RL_ISA_NS {
namespace {

// Elements i, i + 1, ... of a pointer's run; 16-bit floats are floats here.
template <class T>
struct VectorAt {
  int64_t i;
  template <class E>
  Vector<T> operator()(const E* p) const {
    return load_vector(p + i);
  }
};
template <class T>
struct ElementAt {
  int64_t i;
  template <class E>
  T operator()(const E* p) const {
    return load_element(p + i);
  }
};

// to[i] = f(i), of elements of type E: those of 16 bits by vectors, which the compiler would widen
// one at a time.
template <class E, class T, class F>
void map_run(T* to, int64_t n, F f) {
  int64_t i = 0;
  if constexpr (!std::is_same_v<E, T>)
    for (; i + kLanes<T> <= n; i += kLanes<T>) store_vector<T>(to + i, f(VectorAt<T>{i}));
#pragma GCC ivdep
  for (; i < n; ++i) to[i] = f(ElementAt<T>{i});
}
// f(to, i, count) makes elements i to i + count of a run, in the type that 16 bits widen to.
template <class E, class F>
void make_run(E* to, int64_t n, F f) {
  if constexpr (std::is_same_v<E, widened_type<E>>) {
    f(to, int64_t{0}, n);
  } else {
    constexpr int64_t kPiece = 256;
    widened_type<E> piece[kPiece];
    for (int64_t i = 0, count; i < n; i += count) {
      count = std::min(kPiece, n - i);
      f(piece, i, count);
      narrow(to + i, piece, count);
    }
  }
}

// All of f(i), begin <= i < end, joined from `none` on; four vectors at a time hide the latency.
template <class Step, class T, class F>
T fold_run(int64_t begin, int64_t end, T none, F f) {
  constexpr int64_t V = kLanes<T>;
  using At = VectorAt<T>;
  Vector<T> a = Vector<T>{} + none, b = a, c = a, d = a;
  int64_t i = begin;
  for (; i + 4 * V <= end; i += 4 * V) {
    a = Step::join(a, f(At{i})), b = Step::join(b, f(At{i + V}));
    c = Step::join(c, f(At{i + 2 * V})), d = Step::join(d, f(At{i + 3 * V}));
  }
  for (; i + V <= end; i += V) a = Step::join(a, f(At{i}));
  if (i < end && begin + V <= end) {  // the rest ends a vector that begins among what is joined
    b = Step::join(b, last_lanes<T>(f(At{end - V}), end - i, none));
    i = end;
  }
  T total = join_lanes<Step, T>(Step::join(Step::join(a, b), Step::join(c, d)));
  for (; i < end; ++i) total = Step::join(total, f(ElementAt<T>{i}));
  return total;
}

// The larger; b's NaN are passed over.
struct LargerStep {
  template <class V>
  static V join(V a, V b) {
    return b > a ? b : a;
  }
};

template <class T, class F>
T sum_run(int64_t begin, int64_t end, F f) {
  return fold_run<SumStep, T>(begin, end, T(0), f);
}
// The largest of sign * p[i]; NaN are skipped.
template <class T>
T largest(const T* p, int64_t n, T sign = 1) {
  return fold_run<LargerStep, T>(0, n, -std::numeric_limits<T>::infinity(),
                                 [=](auto at) { return at(p) * sign; });
}
// Two sums of one run: f gives both of an element's parts.
template <class V>
struct Two {
  V first, second;
};
template <class T, class F>
Two<T> two_sums_run(int64_t begin, int64_t end, F f) {
  constexpr int64_t V = kLanes<T>;
  Vector<T> a = {}, b = {}, c = {}, d = {};
  int64_t i = begin;
  for (; i + 2 * V <= end; i += 2 * V) {
    auto even = f(VectorAt<T>{i}), odd = f(VectorAt<T>{i + V});
    a += even.first, b += even.second;
    c += odd.first, d += odd.second;
  }
  for (; i + V <= end; i += V) {
    auto one = f(VectorAt<T>{i});
    a += one.first, b += one.second;
  }
  Two<T> total{join_lanes<SumStep, T>(a + c), join_lanes<SumStep, T>(b + d)};
  for (; i < end; ++i) {
    auto last = f(ElementAt<T>{i});
    total.first += last.first, total.second += last.second;
  }
  return total;
}

// Pieces of the run are added in double.
template <class Piece>
void each_piece_of_run(int64_t begin, int64_t end, Piece piece) {
  constexpr int64_t kPiece = 1024;
  for (int64_t i = begin; i < end; i += kPiece) piece(i, std::min(end, i + kPiece));
}
template <class T, class F>
double exact_sum(int64_t begin, int64_t end, F f) {
  double total = 0;
  each_piece_of_run(begin, end,
                    [&](int64_t i, int64_t j) { total += double(sum_run<T>(i, j, f)); });
  return total;
}
template <class T, class F>
Two<double> exact_two_sums(int64_t begin, int64_t end, F f) {
  Two<double> total{0, 0};
  each_piece_of_run(begin, end, [&](int64_t i, int64_t j) {
    Two<T> piece = two_sums_run<T>(i, j, f);
    total.first += double(piece.first), total.second += double(piece.second);
  });
  return total;
}

}  // namespace
}  // namespace RL_ISA_NS
}  // namespace rl
