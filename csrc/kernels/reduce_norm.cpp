// Vector norms: linalg.vector_norm(self, ord, dim, keepdim, *, dtype) of real tensors (complex
// ones take magnitudes first, in the record). Orders 0, 1, 2 and the infinities have folds of
// their own; any other order raises magnitudes to a power in double.
#include <limits>

#include "kernels/reduce_total.h"
#include "kernels/run_sums.h"
#include "scalar/elementary.h"

namespace rl {
namespace RL_ISA_NS {
namespace {

// Euclidean norm. Squares that leave float's range are summed again in double.
template <class T, class Element = T>
struct SquaresFold : SumFold<T, Square, Element> {
  using Base = SumFold<T, Square, Element>;
  using typename Base::State;
  static void row(State& s, const Element* x, int64_t n, int64_t) {
    for (int64_t i = 0; i < n; i += kBlock) {
      int64_t len = std::min(kBlock, n - i);
      T squares = fold_block<AddStep<Square>>(x + i, len);
      if (squares_suspect<T>(squares, len))
        exact(s, x + i, len);
      else
        s.add(squares);
    }
  }
  static void exact(State& s, const Element* x, int64_t n) {
    for (int64_t i = 0; i < n; ++i) s.add(double(T(x[i])) * double(T(x[i])));
  }
  static void columns(State* s, const Element* const* rows, int64_t n_rows, int64_t width,
                      int64_t) {
    T block[kFoldWidth];
    fold_block_columns<AddStep<Square>>(rows, n_rows, width, block);
    for (int64_t w = 0; w < width; ++w) {
      if (!squares_suspect<T>(block[w], n_rows))
        s[w].add(block[w]);
      else
        for (int64_t r = 0; r < n_rows; ++r) exact(s[w], rows[r] + w, 1);
    }
  }
  static void finish(const State& s, const FoldParams&, T& out, T&) {
    out = static_cast<T>(std::sqrt(s.value()));
  }
};

// The largest or smallest magnitude.
template <class Element, bool Max>
struct InfinityFold : BlockFold<InfinityFold<Element, Max>, MagnitudeStep<Max>, Element> {
  struct State {
    Element value;
  };
  using Out0 = Element;
  using Out1 = Element;
  static void init(State& s) {
    s.value = Max ? Element(0) : std::numeric_limits<Element>::infinity();
  }
  static void add(State& s, Element block) { s.value = MagnitudeStep<Max>::join(s.value, block); }
  static void merge(State& s, const State& o) { add(s, o.value); }
  static void finish(const State& s, const FoldParams&, Element& out, Element&) { out = s.value; }
};

// The number of elements that are not zero, as a float.
struct NonZeroFold {
  using T = uint8_t;
  struct State {
    int64_t n;
  };
  using Out0 = double;
  using Out1 = double;
  static void init(State& s) { s.n = 0; }
  static void row(State& s, const T* x, int64_t n, int64_t) {
    for (int64_t i = 0; i < n; ++i) s.n += x[i];
  }
  static void columns(State* s, const T* const* rows, int64_t n_rows, int64_t width, int64_t) {
    for (int64_t r = 0; r < n_rows; ++r)
      for (int64_t w = 0; w < width; ++w) s[w].n += rows[r][w];
  }
  static void merge(State& s, const State& o) { s.n += o.n; }
  static void finish(const State& s, const FoldParams&, double& out, double&) {
    out = static_cast<double>(s.n);
  }
};

// |x|^order for one float, to its precision; double has the range of any order in use.
inline double power_for_float(float x, double order) {
  float a = math::abs(x);
  double t = order * (math::kLn2 * math::log2_for_float(a));
  auto [s, p] = math::exp_for_float(math::limit(t, -700.0, 700.0));
  double edge = (a == 0) == (order > 0) ? 0.0 : math::kInf<double>;
  double ends = math::is_nan(x) ? double(a) : edge;
  return (a > 0) & (a < math::kInf<float>) ? math::mad(s, p, s) : ends;
}
template <class T>
void powers(const T* x, int64_t n, double order, double* out) {
  if (order == 3) {
#pragma GCC ivdep
    for (int64_t i = 0; i < n; ++i) out[i] = math::abs(double(x[i])) * x[i] * x[i];
  } else if (std::is_same_v<T, float>) {
#pragma GCC ivdep
    for (int64_t i = 0; i < n; ++i) out[i] = power_for_float(float(x[i]), order);
  } else {
    for (int64_t i = 0; i < n; ++i) out[i] = math::abs(double(x[i]));
    math::pow_block(out, order, out, n);
  }
}

// Any other order, in double: (sum |x|^p)^(1/p).
template <class Element>
struct PowerFold {
  using T = Element;
  struct State {
    Carried total;
    double order;
  };
  using Out0 = double;
  using Out1 = double;
  static void init(State& s, const FoldParams& p) { s = {{}, p.value}; }
  static void row(State& s, const T* x, int64_t n, int64_t) {
    double block[kBlock];
    for (int64_t i = 0; i < n; i += kBlock) {
      int64_t len = std::min(kBlock, n - i);
      powers(x + i, len, s.order, block);
      s.total.add(sum_run<double>(0, len, [&](auto at) { return at(block); }));
    }
  }
  static void columns(State* s, const T* const* rows, int64_t n_rows, int64_t width, int64_t) {
    double block[kFoldWidth];
    for (int64_t r = 0; r < n_rows; ++r) {
      powers(rows[r], width, s->order, block);
      for (int64_t w = 0; w < width; ++w) s[w].total.add(block[w]);
    }
  }
  static void merge(State& s, const State& o) { s.total.add(o.total); }
  static void finish(const State& s, const FoldParams& p, double& out, double&) {
    out = std::pow(s.total.value(), 1 / p.value);
  }
};

constexpr Fold kSquares[] = {make_fold<SquaresFold<float>>(), make_fold<SquaresFold<double>>()};
// For short_fold.
constexpr Fold kShortSquares[] = {make_fold<SquaresFold<float, Half>>(),
                                  make_fold<SquaresFold<float, BFloat16>>()};
constexpr Fold kAbsolute[] = {make_fold<SumFold<float, Magnitude>>(),
                              make_fold<SumFold<double, Magnitude>>()};
constexpr Fold kLargest[] = {make_fold<InfinityFold<float, true>>(),
                             make_fold<InfinityFold<double, true>>()};
constexpr Fold kSmallest[] = {make_fold<InfinityFold<float, false>>(),
                              make_fold<InfinityFold<double, false>>()};
constexpr Fold kNonZero = make_fold<NonZeroFold>();
constexpr Fold kPower[] = {make_fold<PowerFold<float>>(), make_fold<PowerFold<double>>()};

const Fold& fold_for(double order, DType in, bool is_double) {
  if (order == 2) {
    const Fold* as_stored = is_double ? nullptr : short_fold(kShortSquares, in);
    return as_stored ? *as_stored : kSquares[is_double];
  }
  if (order == 1) return kAbsolute[is_double];
  if (order == 0) return kNonZero;
  if (order == std::numeric_limits<double>::infinity()) return kLargest[is_double];
  if (order == -std::numeric_limits<double>::infinity()) return kSmallest[is_double];
  return kPower[is_double];
}

// _vector_norm(self, float ord, int[]? dim, bool keepdim, *, dtype? dtype)
void norm_infer(Call& c) {
  DType dtype = c.dtype_or(4, c.tensor(0).dtype);
  RL_CHECK(is_floating(dtype), "linalg.vector_norm: Expected a floating point or complex tensor ",
           "as input. Got ", info(dtype).legacy_name);
  uint64_t mask = dims_argument(c, 2);
  double order = c.number(1);
  if (c.tensor(0).numel == 0 && (order < 0 || order == std::numeric_limits<double>::infinity()))
    for (int d = 0; d < c.tensor(0).ndim; ++d)
      RL_CHECK(!(mask >> d & 1) || c.tensor(0).size(d), "linalg.vector_norm cannot compute the ",
               order, " norm on an empty dimension ", d, " because the operation has no identity");
  add_reduced(c, mask, c.flag(3), dtype);
}
void norm_run(Call& c) {
  const bool is_double = compute_of(c.out(0).dtype) == Compute::D;
  const Fold& f = fold_for(c.number(1), c.tensor(0).dtype, is_double);
  run_reduction(f, c.tensor(0), dims_argument(c, 2), &c.out(0), nullptr, c.number(1));
}

RL_ISA_KERNEL("_vector_norm", norm_infer, norm_run);

}  // namespace
}  // namespace RL_ISA_NS
}  // namespace rl
