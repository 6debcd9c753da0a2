// Positions of extrema: argmax, argmin, and max and min along a dimension.
// The first of several equal candidates is the one reported, a NaN before every number. A block is
// scanned again for the position only when it improves on the state.
#include "kernels/reduce_extreme.h"

namespace rl {
namespace RL_ISA_NS {
namespace {

// The position of the first element that equals v (or is NaN as v is); there is one.
template <class T>
int64_t find_first(const T* x, int64_t n, T v) {
  constexpr int64_t kStride = 32;
  int64_t i = 0;
  if (v != v) {
    while (x[i] == x[i]) ++i;
    return i;
  }
  for (; i + kStride <= n; i += kStride) {
    int hits = 0;
    for (int64_t j = 0; j < kStride; ++j) hits += x[i + j] == v;
    if (hits) break;
  }
  while (x[i] != v) ++i;
  return i;
}

template <class Element, bool Max>
struct PositionFold {
  using T = Element;
  using Step = ExtremeStep<Max>;
  struct State {
    T value;
    int64_t index;
  };
  using Out0 = T;
  using Out1 = int64_t;
  static constexpr DType kElement = dtype_of<T>;
  static void init(State& s) { s = {worst<T, Max>(), -1}; }
  // Strictly better, so that the earlier of two equals stays.
  static bool improves(T x, const State& s) {
    bool more = Max ? x > s.value : x < s.value;
    return s.index < 0 || more || (x != x && s.value == s.value);
  }
  static void row(State& s, const T* x, int64_t n, int64_t first) {
    for (int64_t i = 0; i < n; i += kBlock) {
      int64_t len = std::min(kBlock, n - i);
      T best = fold_block<Step>(x + i, len);
      if (improves(best, s)) s = {best, first + i + find_first(x + i, len, best)};
    }
  }
  static void columns(State* s, const T* const* rows, int64_t n_rows, int64_t width,
                      int64_t first) {
    T best[kFoldWidth];
    Row at[kFoldWidth];
    int64_t whole = width / kLanes<T> * kLanes<T>, r = 1;
    std::copy_n(rows[0], whole, best);
    std::fill_n(at, whole, Row{0});
    for (; r + 4 <= n_rows; r += 4) meet_rows<4>(rows + r, static_cast<Row>(r), whole, best, at);
    for (; r < n_rows; ++r) meet_rows<1>(rows + r, static_cast<Row>(r), whole, best, at);
    for (int64_t w = 0; w < whole; ++w)
      if (improves(best[w], s[w])) s[w] = {best[w], first + at[w]};
    for (int64_t w = whole; w < width; ++w)
      for (r = 0; r < n_rows; ++r)
        if (improves(rows[r][w], s[w])) s[w] = {rows[r][w], first + r};
  }
  // The best of each column so far and its row, against N more rows, the first of which is `row`.
  using Row = std::conditional_t<sizeof(T) == 4, int32_t, int64_t>;
  template <int N>
  static void meet_rows(const T* const* rows, Row row, int64_t width, T* best, Row* at) {
    for (int64_t w = 0; w < width; w += kLanes<T>) {
      Vector<T> most = load_vector(best + w);
      Vector<Row> where = load_vector(at + w);
#pragma GCC unroll 4
      for (int i = 0; i < N; ++i) {
        Vector<T> x = load_vector(rows[i] + w);
        auto better = ((Max ? x > most : x < most) | (x != x)) & (most == most);
        most = better ? x : most;
        where = better ? Vector<Row>{} + (row + i) : where;
      }
      store_vector(best + w, most), store_vector(at + w, where);
    }
  }
  static void merge(State& s, const State& o) {
    if (o.index >= 0 && improves(o.value, s)) s = o;
  }
  static void finish(const State& s, const FoldParams&, T& value, int64_t& index) {
    value = s.value;
    index = s.index;
  }
};
// --- infer and run
template <class T>
using MaxFold = PositionFold<T, true>;
template <class T>
using MinFold = PositionFold<T, false>;
template <bool Max>
const Fold& fold_for(DType d) {
  if constexpr (Max)
    return fold_among<true, MaxFold, int32_t, int64_t, float, double>(d);
  else
    return fold_among<true, MinFold, int32_t, int64_t, float, double>(d);
}

// max.dim(self, dim, keepdim) -> (values, indices)
void along_infer(Call& c) {
  check_ordered(c);
  uint64_t mask = dim_argument(c, 1);
  check_not_empty(c, mask, true);
  add_reduced(c, mask, c.flag(2), c.tensor(0).dtype);
  add_reduced(c, mask, c.flag(2), DType::I64);
}
template <bool Max>
void along_run(Call& c) {
  const Tensor& t = c.tensor(0);
  run_reduction(fold_for<Max>(t.dtype), t, dim_argument(c, 1), &c.out(0), &c.out(1));
}

// argmax(self, dim, keepdim)
void position_infer(Call& c) {
  check_ordered(c);
  RL_CHECK(c.tensor(0).dtype != DType::Bool, c.op, "(): does not support bool input; convert it, ",
           "for example with .int()");
  uint64_t mask = dim_argument(c, 1);
  if (!c.has(1) && c.tensor(0).numel == 0)
    fail(ErrorKind::Index, c.op,
         "(): Expected reduction dim to be specified for input.numel() == 0.");
  check_not_empty(c, mask, true);
  add_reduced(c, mask, c.flag(2), DType::I64);
}
template <bool Max>
void position_run(Call& c) {
  const Tensor& t = c.tensor(0);
  run_reduction(fold_for<Max>(t.dtype), t, dim_argument(c, 1), nullptr, &c.out(0));
}
RL_ISA_KERNEL("max.dim", along_infer, along_run<true>);
RL_ISA_KERNEL("min.dim", along_infer, along_run<false>);
RL_ISA_KERNEL("argmax", position_infer, position_run<true>);
RL_ISA_KERNEL("argmin", position_infer, position_run<false>);

}  // namespace
}  // namespace RL_ISA_NS
}  // namespace rl
