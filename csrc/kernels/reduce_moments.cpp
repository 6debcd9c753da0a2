// Variance, standard deviation and logsumexp: folds whose blocks need two passes.
// A block's mean is taken first and deviations from it second, both in L1; blocks are then
// combined exactly as if they had been one (Chan, Golub, LeVeque 1983).
#include <cmath>
#include <limits>

#include "core/warning.h"
#include "kernels/reduce_columns.h"
#include "scalar/elementary.h"

namespace rl {
namespace RL_ISA_NS {
namespace {

struct PlainSum {
  template <class V>
  static V first(V x) {
    return x;
  }
  template <class V>
  static V next(V a, V x) {
    return a + x;
  }
  template <class V>
  static V join(V a, V b) {
    return a + b;
  }
};

struct Moments {
  double n, mean, squares;  // squares: sum of squared deviations from the mean
};

// Sums of (x - c) and (x - c)^2 over a block.
template <class T>
void deviations(const T* x, int64_t n, T c, double& sum, double& squares) {
  constexpr int64_t V = kLanes<T>;
  Vector<T> s0{}, s1{}, q0{}, q1{};
  int64_t i = 0;
  for (; i + 2 * V <= n; i += 2 * V) {
    auto a = load_vector(x + i) - c, b = load_vector(x + i + V) - c;
    s0 += a, s1 += b;
    q0 += a * a, q1 += b * b;
  }
  s0 += s1, q0 += q1;
  sum = squares = 0;
  for (int64_t j = 0; j < V; ++j) sum += s0[j], squares += q0[j];
  for (; i < n; ++i) {
    double d = double(x[i]) - c;
    sum += d, squares += d * d;
  }
}

template <class Element, bool Root>
struct MomentsFold {
  using T = Element;
  using State = Moments;
  using Out0 = T;
  using Out1 = T;
  static void init(State& s) { s = {0, 0, 0}; }
  static void merge(State& s, const State& o) {
    if (o.n == 0) return;
    double n = s.n + o.n, delta = o.mean - s.mean;
    s.squares += o.squares + delta * delta * (s.n * o.n / n);
    s.mean += delta * (o.n / n);
    s.n = n;
  }
  // `sum` and `squares` are taken about c, which is close to the block's mean.
  static Moments block(double n, double c, double sum, double squares) {
    return {n, c + sum / n, std::max(squares - sum * sum / n, 0.0) + (squares - squares)};
  }
  static void row(State& s, const T* x, int64_t n, int64_t) {
    for (int64_t i = 0; i < n; i += kBlock) {
      int64_t len = std::min(kBlock, n - i);
      T c = fold_block<PlainSum>(x + i, len) / static_cast<T>(len);
      double sum, squares;
      deviations(x + i, len, c, sum, squares);
      merge(s, block(static_cast<double>(len), c, sum, squares));
    }
  }
  static void columns(State* s, const T* const* rows, int64_t n_rows, int64_t width, int64_t) {
    T c[kFoldWidth], sum[kFoldWidth], squares[kFoldWidth];
    fold_block_columns<PlainSum>(rows, n_rows, width, c);
    T scale = T(1) / static_cast<T>(n_rows);
    for (int64_t w = 0; w < width; ++w) c[w] *= scale;
    int64_t w = 0;
    for (; w + kLanes<T> <= width; w += kLanes<T>) {
      Vector<T> about = load_vector(c + w), total{}, spread{};
      for (int64_t r = 0; r < n_rows; ++r) {
        Vector<T> d = load_vector(rows[r] + w) - about;
        total += d, spread += d * d;
      }
      store_vector(sum + w, total), store_vector(squares + w, spread);
    }
    for (; w < width; ++w) {
      sum[w] = squares[w] = 0;
      for (int64_t r = 0; r < n_rows; ++r) {
        T d = rows[r][w] - c[w];
        sum[w] += d, squares[w] += d * d;
      }
    }
    double n = static_cast<double>(n_rows);
    for (w = 0; w < width; ++w) merge(s[w], block(n, c[w], sum[w], squares[w]));
  }
  static void finish(const State& s, const FoldParams& p, T& spread, T& mean) {
    double n = static_cast<double>(p.count), v = s.squares / std::max(n - p.value, 0.0);
    spread = static_cast<T>(Root ? std::sqrt(v) : v);
    mean = p.count ? static_cast<T>(s.mean) : std::numeric_limits<T>::quiet_NaN();
  }
};

// log(sum(exp(x))) as a maximum and a sum of exponentials relative to it.
template <class Element>
struct LogSumExpFold {
  using T = Element;
  struct State {
    T most;
    double sum;
  };
  using Out0 = T;
  using Out1 = T;
  static constexpr T kInfinity = std::numeric_limits<T>::infinity();
  struct Most {
    template <class V>
    static V first(V x) {
      return x;
    }
    template <class V>
    static V next(V a, V x) {
      return ((x > a) | (x != x)) ? x : a;
    }
    template <class V>
    static V join(V a, V b) {
      return next(a, b);
    }
  };
  static void init(State& s) { s = {-kInfinity, 0}; }
  static T pivot(T most) { return most == kInfinity || most == -kInfinity ? T(0) : most; }
  // The sum relative to another pivot. An empty sum has none: its factor may well be infinite.
  static double moved(const State& s, double p) {
    double own = pivot(s.most);
    return s.sum == 0 || own == p ? s.sum : s.sum * std::exp(own - p);
  }
  static void merge(State& s, const State& o) {
    T most = Most::next(s.most, o.most);
    double p = pivot(most);
    s = {most, moved(s, p) + moved(o, p)};
  }
  static void row(State& s, const T* x, int64_t n, int64_t) {
    alignas(64) T e[kBlock];
    for (int64_t i = 0; i < n; i += kBlock) {
      int64_t len = std::min(kBlock, n - i);
      T most = fold_block<Most>(x + i, len), p = pivot(most);
      merge(s, {most, static_cast<double>(math::exp_sum(x + i, e, len, T(1), p))});
    }
  }
  static void columns(State* s, const T* const* rows, int64_t n_rows, int64_t width, int64_t) {
    T most[kFoldWidth], p[kFoldWidth], sum[kFoldWidth] = {}, e[kFoldWidth];
    fold_block_columns<Most>(rows, n_rows, width, most);
    for (int64_t w = 0; w < width; ++w) p[w] = pivot(most[w]);
    for (int64_t r = 0; r < n_rows; ++r) {
      for (int64_t w = 0; w < width; ++w) e[w] = rows[r][w] - p[w];
      math::exp_block(e, e, width);
      for (int64_t w = 0; w < width; ++w) sum[w] += e[w];
    }
    for (int64_t w = 0; w < width; ++w) merge(s[w], {most[w], sum[w]});
  }
  static void finish(const State& s, const FoldParams&, T& out, T&) {
    out = static_cast<T>(pivot(s.most) + std::log(s.sum));
  }
};

constexpr Fold kVar[] = {make_fold<MomentsFold<float, false>>(),
                         make_fold<MomentsFold<double, false>>()};
constexpr Fold kStd[] = {make_fold<MomentsFold<float, true>>(),
                         make_fold<MomentsFold<double, true>>()};
constexpr Fold kLogSumExp[] = {make_fold<LogSumExpFold<float>>(),
                               make_fold<LogSumExpFold<double>>()};

bool is_double(const Tensor& t) { return compute_of(t.dtype) == Compute::D; }

// A complex tensor as a real one with a last dimension of two.
Ref<Tensor> parts_of(const Tensor& t) {
  SizeVec sizes(t.sizes().begin(), t.sizes().end()), strides;
  for (int64_t s : t.strides()) strides.push_back(2 * s);
  sizes.push_back(2);
  strides.push_back(1);
  return alias(t.storage, sizes, strides, 2 * t.offset, real_of(t.dtype), t.device);
}

// The variance of a complex number is the sum of its parts' variances.
void complex_moments(Call& c, bool root, double correction) {
  Ref<Tensor> parts = parts_of(c.tensor(0)),
              mean = c.n_outs > 1 ? parts_of(c.out(1)) : Ref<Tensor>();
  SizeVec sizes(c.out(0).sizes().begin(), c.out(0).sizes().end());
  sizes.push_back(2);
  Ref<Tensor> both = empty(sizes, c.out(0).dtype);
  run_reduction(kVar[is_double(*both)], *parts, dims_argument(c, 1), both.get(), mean.get(),
                correction);
  dispatch(both->dtype, [&]<class T>() {
    if constexpr (is_floating(dtype_of<T>)) {
      T *v = both->data<T>(), *out = c.out(0).data<T>();
      for (int64_t i = 0; i < c.out(0).numel; ++i) {
        auto sum = v[2 * i] + v[2 * i + 1];
        out[i] = static_cast<T>(root ? std::sqrt(sum) : sum);
      }
    }
  });
}

void warn_of_few(const Call& c, uint64_t mask) {
  int64_t n = c.tensor(0).numel > 0;
  for (int d = 0; d < c.tensor(0).ndim; ++d)
    if (mask >> d & 1) n *= c.tensor(0).size(d);
  double correction = c.has(2) ? c.number(2) : 1.0;
  if (static_cast<double>(n) - correction <= 0)
    warn(str(c.op, "(): degrees of freedom are <= 0 (", n, " elements less a correction of ",
             correction, "), so the result is not a number"));
}

// var.correction(self, dim, correction, keepdim) and its like
template <bool WithMean>
void moments_infer(Call& c) {
  DType d = c.tensor(0).dtype;
  RL_CHECK(is_inexact(d), c.op, ": std and var only support floating point and complex dtypes, ",
           "got ", d, "; convert the input, for example with .float()");
  uint64_t mask = dims_argument(c, 1);
  if (!c.tensor(0).is_meta()) warn_of_few(c, mask);
  add_reduced(c, mask, c.flag(3), real_of(d));
  if (WithMean) add_reduced(c, mask, c.flag(3), d);
}
template <bool Root, bool WithMean>
void moments_run(Call& c) {
  const Tensor& t = c.tensor(0);
  double correction = c.has(2) ? c.number(2) : 1.0;
  if (is_complex(t.dtype)) return complex_moments(c, Root, correction);
  run_reduction((Root ? kStd : kVar)[is_double(t)], t, dims_argument(c, 1), &c.out(0),
                WithMean ? &c.out(1) : nullptr, correction);
}

// logsumexp(self, dim, keepdim); integers compute in the default dtype
void logsumexp_infer(Call& c) {
  DType d = c.tensor(0).dtype;
  add_reduced(c, dims_argument(c, 1), c.flag(2), is_integral(d) ? default_dtype() : d);
}
void logsumexp_run(Call& c) {
  run_reduction(kLogSumExp[is_double(c.out(0))], c.tensor(0), dims_argument(c, 1), &c.out(0),
                nullptr);
}

RL_ISA_KERNEL("var.correction", moments_infer<false>, (moments_run<false, false>));
RL_ISA_KERNEL("std.correction", moments_infer<false>, (moments_run<true, false>));
RL_ISA_KERNEL("var_mean.correction", moments_infer<true>, (moments_run<false, true>));
RL_ISA_KERNEL("std_mean.correction", moments_infer<true>, (moments_run<true, true>));
RL_ISA_KERNEL("_logsumexp", logsumexp_infer, logsumexp_run);

}  // namespace
}  // namespace RL_ISA_NS
}  // namespace rl
