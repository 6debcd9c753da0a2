// Reductions over any set of dimensions. A reduction is a Fold: what happens to a block of
// elements that lie in L1 in the fold's compute type. The driver (reduce.cpp) deals with
// dimensions, strides, storage dtypes, chunks and threads, so that folds see none of them.
// To add one: write a struct as in reduce_sums.cpp, make_fold<> it, and register infer/run.
#pragma once
#include "plan/isa.h"
#include "plan/pointwise.h"

namespace rl {
namespace RL_ISA_NS {

struct FoldParams {
  int64_t count = 0;  // elements behind each output
  double value = 0;   // correction of var, p of norm
};

// States are plain data, an array with one per output; `first` is the position, within the
// reduced elements of that output, of the block's first element or row.
struct Fold {
  DType element;     // what elements are loaded as
  bool ordered;      // positions matter: reduced dimensions keep their order
  bool joins_lanes;  // a merge costs little: short runs may be added up as columns first
  int state_size;    // at most kMaxState
  DType results[2];  // what finish writes
  void (*init)(void* states, int64_t n, const FoldParams& p);
  // Rows of n elements, `step` bytes apart, into as many states.
  void (*rows)(void* states, int64_t count, const void* x, int64_t step, int64_t n, int64_t first);
  void (*columns)(void* states, const void* const* rows, int64_t n_rows, int64_t width,
                  int64_t first);
  void (*merge)(void* into, const void* from, int64_t n);
  void (*finish)(const void* states, int64_t n, void* out0, void* out1, const FoldParams& p);
};

constexpr int kMaxState = 32;
// The largest block that `columns` receives: rows are best read from end to end, as far as what is
// kept for their columns fits the first-level cache.
constexpr int64_t kFoldRows = 32, kFoldWidth = 4096;

// Reduces the dimensions in `mask`. An output that is null is not written; outputs are
// row-major over the kept dimensions.
void run_reduction(const Fold& fold, const Tensor& input, uint64_t mask, Tensor* out0, Tensor* out1,
                   double value = 0);

// --- what infer functions share
inline uint64_t every_dim(const Tensor& t) {
  return t.ndim == 64 ? ~uint64_t{0} : (uint64_t{1} << t.ndim) - 1;
}
// The dimensions named by argument i, an int[]? or int?; none means all of them. So does an
// empty list, unless `empty_is_none` is set, when it means no dimension.
uint64_t dims_argument(const Call& call, int i, bool empty_is_none = false);
uint64_t dim_argument(const Call& call, int i);
OutSpec& add_reduced(Call& call, uint64_t mask, bool keepdim, DType dtype);
// For reductions without an identity: IndexError or RuntimeError on an empty dimension.
void check_not_empty(const Call& call, uint64_t mask, bool dim_given);

// --- from a struct with T, State, Out0, Out1, init, row, columns, merge and finish to a Fold
template <class F>
constexpr DType element_of() {
  if constexpr (requires { F::kElement; }) return F::kElement;
  using T = typename F::T;
  return std::is_same_v<T, uint8_t> ? DType::Bool : dtype_of<T>;  // bytes are truths
}
template <class F>
constexpr bool joins_lanes() {
  if constexpr (requires { F::kJoinsLanes; }) return F::kJoinsLanes;
  return false;
}

template <class F>
struct FoldAdaptor {
  using S = typename F::State;
  using T = typename F::T;
  static void init(void* s, int64_t n, const FoldParams& p) {
    for (int64_t i = 0; i < n; ++i) {
      if constexpr (requires { F::init(*static_cast<S*>(s), p); })
        F::init(static_cast<S*>(s)[i], p);
      else
        F::init(static_cast<S*>(s)[i]);
    }
  }
  static void rows(void* s, int64_t count, const void* x, int64_t step, int64_t n, int64_t first) {
    auto* at = static_cast<const char*>(x);
    for (int64_t i = 0; i < count; ++i, at += step)
      F::row(static_cast<S*>(s)[i], reinterpret_cast<const T*>(at), n, first);
  }
  static void columns(void* s, const void* const* rows, int64_t n_rows, int64_t width,
                      int64_t first) {
    F::columns(static_cast<S*>(s), reinterpret_cast<const T* const*>(rows), n_rows, width, first);
  }
  static void merge(void* into, const void* from, int64_t n) {
    for (int64_t i = 0; i < n; ++i)
      F::merge(static_cast<S*>(into)[i], static_cast<const S*>(from)[i]);
  }
  static void finish(const void* s, int64_t n, void* out0, void* out1, const FoldParams& p) {
    auto* a = static_cast<typename F::Out0*>(out0);
    auto* b = static_cast<typename F::Out1*>(out1);
    for (int64_t i = 0; i < n; ++i) F::finish(static_cast<const S*>(s)[i], p, a[i], b[i]);
  }
};

template <class F>
constexpr Fold make_fold(bool ordered = false) {
  static_assert(sizeof(typename F::State) <= kMaxState);
  using A = FoldAdaptor<F>;
  return {element_of<F>(),
          ordered,
          joins_lanes<F>(),
          sizeof(typename F::State),
          {dtype_of<typename F::Out0>, dtype_of<typename F::Out1>},
          A::init,
          A::rows,
          A::columns,
          A::merge,
          A::finish};
}

// Of two folds, of F16 and of BF16 as they lie in memory, that for a dtype; null for others.
inline const Fold* short_fold(const Fold* folds, DType in) {
  if (in == DType::F16) return &folds[0];
  return in == DType::BF16 ? &folds[1] : nullptr;
}

}  // namespace RL_ISA_NS
}  // namespace rl
