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

// One more element for each of `width` accumulators, from four rows.
template <class Step, class T, class... Row>
void fold_rows_into(T* out, int64_t width, const Row*... rows) {
  int64_t w = 0;
  if constexpr (kHasVectors<T>) {
    for (; w + kLanes<T> <= width; w += kLanes<T>) {
      auto a = load_vector(out + w);
      ((a = Step::next(a, load_vector(rows + w))), ...);
      __builtin_memcpy(out + w, &a, sizeof a);
    }
  }
  for (; w < width; ++w) ((out[w] = Step::next(out[w], T(rows[w]))), ...);
}

// out[w] = all of rows[..][w], through Step. Rows are read along their length, four at a time:
// the accumulators stay in L1 and the rows stream past.
template <class Step, class E, class T>
void fold_block_columns(const E* const* rows, int64_t n_rows, int64_t width, T* out) {
  if constexpr (kFoldsParts<Step, T>) {
    using R = decltype(out->re);
    return fold_block_columns<Step>(reinterpret_cast<const R* const*>(rows), n_rows, 2 * width,
                                    reinterpret_cast<R*>(out));
  }
  for (int64_t w = 0; w < width; ++w) out[w] = Step::first(T(rows[0][w]));
  int64_t r = 1;
  for (; r + 4 <= n_rows; r += 4)
    fold_rows_into<Step>(out, width, rows[r], rows[r + 1], rows[r + 2], rows[r + 3]);
  for (; r < n_rows; ++r) fold_rows_into<Step>(out, width, rows[r]);
}

// A fold whose blocks go through Step and whose state takes block results by add(state, T).
// `Length` elements go through one block; sums take short ones, for accuracy.
template <class Derived, class Step, class Element, int64_t Length = kBlock>
struct BlockFold {
  using T = Element;
  template <class S>
  static void row(S& s, const T* x, int64_t n, int64_t) {
    for (int64_t i = 0; i < n; i += Length)
      Derived::add(s, fold_block<Step>(x + i, std::min(Length, n - i)));
  }
  template <class S>
  static void columns(S* s, const T* const* rows, int64_t n_rows, int64_t width, int64_t) {
    using W = widened_type<T>;
    alignas(W) char room[kFoldWidth * sizeof(W)];  // unset: complex numbers would be made zeros
    W* block = reinterpret_cast<W*>(room);
    fold_block_columns<Step>(rows, n_rows, width, block);
    for (int64_t w = 0; w < width; ++w) Derived::add(s[w], block[w]);
  }
};

}  // namespace
}  // namespace RL_ISA_NS
}  // namespace rl
