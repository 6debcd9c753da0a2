// Sums and their kin: sum, mean, nansum, prod, count_nonzero, all, any.
// Floats are summed in vector lanes within blocks of a thousand elements and the blocks in
// double; doubles are summed with the rounding error of every block addition carried along.
// To add one: a Step (how an element enters a block) and a fold over it, then infer and run.
#include "kernels/reduce_total.h"

namespace rl {
namespace RL_ISA_NS {
namespace {

// --- how elements enter a block
struct MultiplyStep {
  template <class V>
  static V first(V x) {
    return x;
  }
  template <class V>
  static V next(V a, V x) {
    return wrapped_product(a, x);
  }
  template <class V>
  static V join(V a, V b) {
    return wrapped_product(a, b);
  }
};
struct AndStep {
  template <class V>
  static V first(V x) {
    return x;
  }
  template <class V>
  static V next(V a, V x) {
    return a & x;
  }
  template <class V>
  static V join(V a, V b) {
    return a & b;
  }
};

template <class T, class Element = T>
struct MeanFold : SumFold<T, Plain, Element> {
  using Base = SumFold<T, Plain, Element>;
  static void finish(const typename Base::State& s, const FoldParams& p, T& out, T&) {
    auto total = s.value();
    double n = static_cast<double>(p.count);
    if constexpr (requires { total.im; })
      // As complex numbers are divided: what is not finite in one part leaves NaN in the other.
      out = narrow<T>(C128{(total.re + total.im * 0) / n, (total.im - total.re * 0) / n});
    else
      out = static_cast<T>(total / n);
  }
};

// Folds whose state is one running value of the element type.
template <class Element, class Step, int Identity>
struct ValueFold : BlockFold<ValueFold<Element, Step, Identity>, Step, Element> {
  struct State {
    Element value;
  };
  using Out0 = std::conditional_t<std::is_same_v<Element, uint8_t>, bool, Element>;
  using Out1 = Out0;
  static Element identity() {
    if constexpr (requires { Element{}.re; })
      return Element{Identity, 0};
    else
      return Element(Identity);
  }
  static void init(State& s) { s.value = identity(); }
  static void add(State& s, Element block) { s.value = Step::join(s.value, block); }
  static void merge(State& s, const State& o) { add(s, o.value); }
  static void finish(const State& s, const FoldParams&, Out0& out, Out1&) {
    out = static_cast<Out0>(s.value);
  }
};

// Products of floats, in double: no partial product overflows that the result survives. Vectors are
// of 32 bytes at most, because processors make 64 bytes of doubles in more than twice the time.
struct FloatProductFold {
  using T = float;
  struct State {
    double value;
  };
  using Out0 = float;
  using Out1 = float;
  static constexpr bool kJoinsLanes = true;
  static constexpr int kBytes = std::min(kVectorBytes, 32);
  using Doubles = typename VectorOf<double, kBytes>::type;
  static void init(State& s) { s.value = 1; }
  static void row(State& s, const T* x, int64_t n, int64_t) {
    constexpr int64_t V = kBytes / sizeof(double), N = 8;
    Doubles chain[N];
    for (auto& c : chain) c = Doubles{} + 1.0;
    int64_t i = 0;
    for (; i + N * V <= n; i += N * V)
#pragma GCC unroll 8
      for (int64_t k = 0; k < N; ++k) chain[k] *= load_doubles<kBytes>(x + i + k * V);
    for (; i + V <= n; i += V) chain[0] *= load_doubles<kBytes>(x + i);
    for (int64_t k = N / 2; k > 0; k /= 2)
      for (int64_t j = 0; j < k; ++j) chain[j] *= chain[j + k];
    s.value *= join_lanes<MultiplyStep, double, kBytes>(chain[0]);
    for (; i < n; ++i) s.value *= static_cast<double>(x[i]);
  }
  // Products of four floats are in the range of double.
  static void columns(State* s, const T* const* rows, int64_t n_rows, int64_t width, int64_t) {
    int64_t r = 0;
    for (; r + 4 <= n_rows; r += 4)
      multiply_rows(s, width, rows[r], rows[r + 1], rows[r + 2], rows[r + 3]);
    for (; r < n_rows; ++r) multiply_rows(s, width, rows[r]);
  }
  template <class... Row>
  static void multiply_rows(State* s, int64_t width, const Row*... rows) {
    constexpr int64_t V = kBytes / sizeof(double);
    int64_t w = 0;
    for (; w + V <= width; w += V) {
      Doubles total = load_doubles<kBytes>(&s[w].value);
      total *= (load_doubles<kBytes>(rows + w) * ...);
      __builtin_memcpy(s + w, &total, sizeof total);
    }
    for (; w < width; ++w) s[w].value *= (static_cast<double>(rows[w]) * ...);
  }
  static void merge(State& s, const State& o) { s.value *= o.value; }
  static void finish(const State& s, const FoldParams&, float& out, float&) {
    out = static_cast<float>(s.value);
  }
};

// Four chains of products, each of which waits for the one before.
template <class R>
struct ComplexProductFold : ValueFold<Complex<R>, MultiplyStep, 1> {
  using T = Complex<R>;
  static constexpr bool kJoinsLanes = false;
  static void row(typename ComplexProductFold::State& s, const T* x, int64_t n, int64_t) {
    constexpr int64_t N = 4;
    int64_t i = 0;
    if (n >= N) {
      T chain[N] = {x[0], x[1], x[2], x[3]};
      for (i = N; i + N <= n; i += N)
        for (int64_t k = 0; k < N; ++k) chain[k] *= x[i + k];
      s.value *= (chain[0] * chain[1]) * (chain[2] * chain[3]);
    }
    for (; i < n; ++i) s.value *= x[i];
  }
};

// The sum of the bytes of v, whose 16-bit lanes hold two each on the way.
inline int64_t sum_of_bytes(Vector<uint8_t> v) {
  const auto words = (Vector<uint64_t>)v;
  const auto low = Vector<uint64_t>{} + 0x00ff00ff00ff00ff;
  auto pairs = (words & low) + (words >> 8 & low);
  pairs += pairs >> 32;
  pairs += pairs >> 16;
  return static_cast<int64_t>(join_lanes<AddStep<Plain>, uint64_t>(pairs & 0xffff));
}

// Counts of true bytes; blocks are short enough for any counter.
struct CountFold {
  using T = uint8_t;
  static constexpr bool kJoinsLanes = true;
  struct State {
    int64_t n;
  };
  using Out0 = int64_t;
  using Out1 = int64_t;
  static void init(State& s) { s.n = 0; }
  static void row(State& s, const T* x, int64_t n, int64_t) {
    constexpr int64_t V = kLanes<uint8_t>, kMost = 255;  // that a byte counts to
    int64_t i = 0;
    while (n - i >= V) {
      Vector<uint8_t> sums{};
      for (int64_t k = std::min((n - i) / V, kMost); k > 0; --k, i += V) sums += load_vector(x + i);
      s.n += sum_of_bytes(sums);
    }
    for (; i < n; ++i) s.n += x[i];
  }
  static void columns(State* s, const T* const* rows, int64_t n_rows, int64_t width, int64_t) {
    static_assert(kFoldRows <= std::numeric_limits<T>::max());
    T counts[kFoldWidth];
    fold_block_columns<AddStep<Plain>>(rows, n_rows, width, counts);
    for (int64_t w = 0; w < width; ++w) s[w].n += counts[w];
  }
  static void merge(State& s, const State& o) { s.n += o.n; }
  static void finish(const State& s, const FoldParams&, int64_t& out, int64_t&) { out = s.n; }
};

// --- infer and run
DType sum_dtype(const Call& c, int i) {
  DType in = c.tensor(0).dtype;
  return c.dtype_or(i, is_integral(in) ? DType::I64 : in);
}

Compute sum_compute(DType out) { return is_integral(out) ? Compute::I : compute_of(out); }

constexpr Fold kSums[] = {{},
                          make_fold<SumFold<int64_t, Plain>>(),
                          make_fold<SumFold<float, Plain>>(),
                          make_fold<SumFold<double, Plain>>(),
                          make_fold<SumFold<C64, Plain>>(),
                          make_fold<SumFold<C128, Plain>>()};
constexpr Fold kMeans[] = {{},
                           {},
                           make_fold<MeanFold<float>>(),
                           make_fold<MeanFold<double>>(),
                           make_fold<MeanFold<C64>>(),
                           make_fold<MeanFold<C128>>()};
constexpr Fold kNanSums[] = {
    {}, {}, make_fold<SumFold<float, NanAsZero>>(), make_fold<SumFold<double, NanAsZero>>()};
// For short_fold.
constexpr Fold kShortSums[] = {make_fold<SumFold<float, Plain, Half>>(),
                               make_fold<SumFold<float, Plain, BFloat16>>()};
constexpr Fold kShortMeans[] = {make_fold<MeanFold<float, Half>>(),
                                make_fold<MeanFold<float, BFloat16>>()};
constexpr Fold kShortNanSums[] = {make_fold<SumFold<float, NanAsZero, Half>>(),
                                  make_fold<SumFold<float, NanAsZero, BFloat16>>()};
constexpr Fold kProducts[] = {{},
                              make_fold<ValueFold<int64_t, MultiplyStep, 1>>(),
                              make_fold<FloatProductFold>(),
                              make_fold<ValueFold<double, MultiplyStep, 1>>(),
                              make_fold<ComplexProductFold<float>>(),
                              make_fold<ComplexProductFold<double>>()};
constexpr Fold kAny = make_fold<ValueFold<uint8_t, OrStep, 0>>();
constexpr Fold kAll = make_fold<ValueFold<uint8_t, AndStep, 1>>();
constexpr Fold kCount = make_fold<CountFold>();

const Fold& fold_for(DType in, Compute compute, const Fold* folds, const Fold* shorts) {
  const Fold* as_stored = compute == Compute::F ? short_fold(shorts, in) : nullptr;
  return as_stored ? *as_stored : folds[static_cast<int>(compute)];
}

// sum(self, dim, keepdim, *, dtype); mean, nansum and prod.dim share it.
void sum_infer(Call& c) { add_reduced(c, dims_argument(c, 1), c.flag(2), sum_dtype(c, 3)); }
void sum_run(Call& c) {
  DType out = c.out(0).dtype;
  const Tensor& x = c.tensor(0);
  const bool counts = x.dtype == DType::Bool && is_integral(out);
  const Fold& f = out == DType::Bool ? kAny
                  : counts           ? kCount
                                     : fold_for(x.dtype, sum_compute(out), kSums, kShortSums);
  run_reduction(f, x, dims_argument(c, 1), &c.out(0), nullptr);
}

void mean_infer(Call& c) {
  DType dtype = c.dtype_or(3, c.tensor(0).dtype);
  RL_CHECK(is_inexact(dtype),
           "mean(): could not infer output dtype. Input dtype must be either a "
           "floating point or complex dtype. Got: ",
           info(dtype).legacy_name, "; pass dtype=, or convert the input");
  add_reduced(c, dims_argument(c, 1), c.flag(2), dtype);
}
void mean_run(Call& c) {
  const Tensor& x = c.tensor(0);
  const Fold& f = fold_for(x.dtype, compute_of(c.out(0).dtype), kMeans, kShortMeans);
  run_reduction(f, x, dims_argument(c, 1), &c.out(0), nullptr);
}

void nansum_infer(Call& c) {
  RL_CHECK(!is_complex(c.tensor(0).dtype), "nansum does not support complex inputs");
  sum_infer(c);
}
void nansum_run(Call& c) {
  DType in = c.tensor(0).dtype, out = c.out(0).dtype;
  if (!is_floating(in) || !is_floating(out)) return sum_run(c);
  const Fold& f = fold_for(in, compute_of(out), kNanSums, kShortNanSums);
  run_reduction(f, c.tensor(0), dims_argument(c, 1), &c.out(0), nullptr);
}

// prod(self, *, dtype) and prod.dim(self, dim, keepdim, *, dtype)
void run_product(Call& c, uint64_t mask) {
  DType out = c.out(0).dtype;
  const Fold& f = out == DType::Bool ? kAll : kProducts[static_cast<int>(sum_compute(out))];
  run_reduction(f, c.tensor(0), mask, &c.out(0), nullptr);
}
void prod_infer(Call& c) { add_reduced(c, every_dim(c.tensor(0)), false, sum_dtype(c, 1)); }
void prod_run(Call& c) { run_product(c, every_dim(c.tensor(0))); }
void prod_dim_infer(Call& c) { add_reduced(c, dim_argument(c, 1), c.flag(2), sum_dtype(c, 3)); }
void prod_dim_run(Call& c) { run_product(c, dim_argument(c, 1)); }

// all(self, dim, keepdim): an empty tuple of dims reduces nothing; uint8 stays uint8.
void truth_infer(Call& c) {
  DType in = c.tensor(0).dtype;
  add_reduced(c, dims_argument(c, 1, true), c.flag(2), in == DType::U8 ? in : DType::Bool);
}
void all_run(Call& c) {
  run_reduction(kAll, c.tensor(0), dims_argument(c, 1, true), &c.out(0), nullptr);
}
void any_run(Call& c) {
  run_reduction(kAny, c.tensor(0), dims_argument(c, 1, true), &c.out(0), nullptr);
}

// count_nonzero(self, dim)
void count_infer(Call& c) { add_reduced(c, dims_argument(c, 1), false, DType::I64); }
void count_run(Call& c) {
  run_reduction(kCount, c.tensor(0), dims_argument(c, 1), &c.out(0), nullptr);
}

RL_ISA_KERNEL("sum", sum_infer, sum_run);
RL_ISA_KERNEL("mean", mean_infer, mean_run);
RL_ISA_KERNEL("nansum", nansum_infer, nansum_run);
RL_ISA_KERNEL("prod", prod_infer, prod_run);
RL_ISA_KERNEL("prod.dim", prod_dim_infer, prod_dim_run);
RL_ISA_KERNEL_FLOAT8("all", truth_infer, all_run);
RL_ISA_KERNEL_FLOAT8("any", truth_infer, any_run);
RL_ISA_KERNEL("count_nonzero", count_infer, count_run);

}  // namespace
}  // namespace RL_ISA_NS
}  // namespace rl
