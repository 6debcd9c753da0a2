// Folding blocks of rows into columns, and the fold whose blocks go through a Step: see
// reduce_lanes.h, which folds what lies in a row.
#pragma once
#include "kernels/reduce_lanes.h"

namespace rl {
namespace RL_ISA_NS {
namespace {

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

// out[w .. w + N vectors] = all of the rows there, through Step.
template <class Step, int N, class E, class T>
void fold_strip(const E* const* rows, int64_t n_rows, int64_t w, T* out) {
  Vector<T> total[N];
#pragma GCC unroll 8
  for (int k = 0; k < N; ++k) total[k] = Step::first(load_vector(rows[0] + w + k * kLanes<T>));
  for (int64_t r = 1; r < n_rows; ++r)
#pragma GCC unroll 8
    for (int k = 0; k < N; ++k)
      total[k] = Step::next(total[k], load_vector(rows[r] + w + k * kLanes<T>));
  for (int k = 0; k < N; ++k) store_vector<T>(out + w + k * kLanes<T>, total[k]);
}
// Calls strip<N>(w) for N vectors of T at w, until all of `width` columns had one; they are a
// vector or more. The last vector overlaps the one before.
template <class T, class Strip>
void each_strip(int64_t width, Strip strip) {
  constexpr int64_t V = kLanes<T>;
  int64_t w = 0;
  for (; w + 8 * V <= width; w += 8 * V) strip.template operator()<8>(w);
  if (w + 4 * V <= width) strip.template operator()<4>(w), w += 4 * V;
  for (; w + V <= width; w += V) strip.template operator()<1>(w);
  if (w < width) strip.template operator()<1>(width - V);
}
// Bytes of rows that are better read by strips, whose accumulators stay in registers: what lies
// ahead of a short row is not what the processor fetches.
constexpr int64_t kStripped = 1024;

// out[w] = all of rows[..][w], through Step. Long rows are read along their length, four at a time:
// the accumulators stay in L1 and the rows stream past.
template <class Step, class E, class T>
void fold_block_columns(const E* const* rows, int64_t n_rows, int64_t width, T* out) {
  if constexpr (kFoldsParts<Step, T>) {
    using R = decltype(out->re);
    return fold_block_columns<Step>(reinterpret_cast<const R* const*>(rows), n_rows, 2 * width,
                                    reinterpret_cast<R*>(out));
  }
  if constexpr (kHasVectors<T>)
    if (width >= kLanes<T> && width * int64_t{sizeof(E)} <= kStripped)
      return each_strip<T>(width,
                           [&]<int N>(int64_t w) { fold_strip<Step, N>(rows, n_rows, w, out); });
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
  static constexpr bool kJoinsLanes = true;
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
    if constexpr (requires { Derived::add_all(s, block, width); })
      Derived::add_all(s, block, width);
    else
      for (int64_t w = 0; w < width; ++w) Derived::add(s[w], block[w]);
  }
};

}  // namespace
}  // namespace RL_ISA_NS
}  // namespace rl
