// Cumulative operations along one dimension: cumsum, cumprod, cummax, cummin, logcumsumexp.
// Lines that are contiguous are scanned one by one, several elements to a step of the chain of
// additions; otherwise neighbouring lines are scanned side by side, a row at a time.
// To add one: a Rule (what is carried, how an element enters) and its lines at the bottom.
#include <cmath>
#include <limits>

#include "core/allocator.h"
#include "kernels/lines.h"
#include "kernels/parts.h"
#include "kernels/vectors.h"
#include "plan/isa.h"
#include "plan/pointwise.h"
#include "scalar/exp.h"
#include "scalar/log.h"
#include "scalar/wrap.h"

namespace rl {
namespace RL_ISA_NS {
namespace {

constexpr int64_t kTile = 256;

// --- rules: Wide is the type of the running value
struct SumRule {
  template <class T>
  static T identity() {
    return T{};
  }
  template <class T>
  static T combine(T a, T b) {
    return wrapped_sum(a, b);
  }
};
struct ProductRule {
  template <class T>
  static T identity() {
    if constexpr (requires { T{}.re; })
      return T{1, 0};
    else
      return T(1);
  }
  template <class T>
  static T combine(T a, T b) {
    return wrapped_product(a, b);
  }
};
struct LogSumRule {
  template <class T>
  static T identity() {
    if constexpr (requires { T{}.re; })
      return T{-std::numeric_limits<decltype(T{}.re)>::infinity(), 0};
    else
      return -std::numeric_limits<T>::infinity();
  }
  template <class R>
  static Complex<R> of_infinities(Complex<R> a, Complex<R> b) {  // their exponentials have angles
    constexpr R inf = std::numeric_limits<R>::infinity();
    auto towards = [](R x) { return x == 0 ? x : x * inf; };
    R x = towards(std::cos(a.im)) + towards(std::cos(b.im));
    return {inf, std::atan2(towards(std::sin(a.im)) + towards(std::sin(b.im)), x)};
  }
  template <class R>
  static Complex<R> combine(Complex<R> a, Complex<R> b) {
    if (a.re < b.re) std::swap(a, b);
    if (b.re == -std::numeric_limits<R>::infinity()) return a;
    if (b.re == std::numeric_limits<R>::infinity()) return of_infinities(a, b);
    if (a.re == std::numeric_limits<R>::infinity() && b.re == b.re) return a;
    R size = std::exp(b.re - a.re), angle = b.im - a.im;  // log(1 + size e^(i angle))
    R x = size * std::cos(angle), y = size * std::sin(angle);
    return {a.re + R(0.5) * std::log1p(2 * x + size * size), a.im + std::atan2(y, 1 + x)};
  }
  template <class T>
  static T combine(T a, T b) {
    T most = a > b || a != a ? a : b, least = a > b || a != a ? b : a;
    if (most == least && std::isinf(most)) return most;
    return most + std::log1p(std::exp(least - most));
  }
};

template <class T>
struct WideOf {
  using type = T;
};
template <>
struct WideOf<float> {
  using type = double;
};
template <>
struct WideOf<C64> {
  using type = C128;
};

template <class To, class From>
inline To as(From v) {
  if constexpr (requires { v.re; }) {
    using R = decltype(To{}.re);
    return To{static_cast<R>(v.re), static_cast<R>(v.im)};
  } else {
    return static_cast<To>(v);
  }
}

// Each lane combined with the one K before it, if there is one.
template <class Rule, bool Back, int K, size_t... I>
Vector<double> meet_lanes(Vector<double> v, std::index_sequence<I...>) {
  constexpr int L = kLanes<double>;
  using Lanes = decltype(v < v);
  constexpr auto source = [](int i) { return Back ? i + K : i - K; };
  constexpr auto has = [](int i) { return Back ? i + K < L : i >= K; };
  Vector<double> before = __builtin_shuffle(v, Lanes{(has(I) ? source(I) : 0)...});
  return Lanes{(has(I) ? -1 : 0)...} ? Rule::combine(before, v) : v;
}
// Each lane combined with all before it.
template <class Rule, bool Back>
Vector<double> scan_lanes(Vector<double> v) {
  constexpr auto lanes = std::make_index_sequence<kLanes<double>>();
  v = meet_lanes<Rule, Back, 1>(v, lanes);
  if constexpr (kLanes<double> > 2) v = meet_lanes<Rule, Back, 2>(v, lanes);
  if constexpr (kLanes<double> > 4) v = meet_lanes<Rule, Back, 4>(v, lanes);
  return v;
}
// Two vectors to a step of the chain; returns how many elements that were.
template <class Rule, bool Back, class T>
int64_t scan_vectors(const T* first, T* to, int64_t n, double& run) {
  constexpr int64_t L = kLanes<double>;
  auto last = [](Vector<double> v) {
    return __builtin_shuffle(v, decltype(v < v){} + (Back ? 0 : L - 1));
  };
  Vector<double> so_far = Vector<double>{} + run;
  int64_t i = 0;
  for (; i + 2 * L <= n; i += 2 * L) {
    int64_t near = Back ? n - i - L : i, far = Back ? near - L : near + L;
    Vector<double> a = scan_lanes<Rule, Back>(load_doubles(first + near));
    Vector<double> b = scan_lanes<Rule, Back>(load_doubles(first + far));
    b = Rule::combine(so_far, Rule::combine(last(a), b));
    store_doubles(to + near, Rule::combine(so_far, a));
    store_doubles(to + far, b);
    so_far = last(b);
  }
  run = so_far[0];
  return i;
}

// From the first element on, or back from the last.
template <class Rule, bool Back, class T>
void scan_line(const T* first, T* to, int64_t n) {
  using W = typename WideOf<T>::type;
  W run = Rule::template identity<W>();
  int64_t i = 0;
  if constexpr (std::is_same_v<W, double>) i = scan_vectors<Rule, Back>(first, to, n, run);
  auto at = [=](int64_t k) { return Back ? n - 1 - k : k; };
  auto x = [&](int64_t k) { return as<W>(first[at(k)]); };
  auto put = [&](int64_t k, W v) { to[at(k)] = as<T>(v); };
  for (; i + 4 <= n; i += 4) {
    W a = x(i), b = Rule::combine(a, x(i + 1)), c = Rule::combine(b, x(i + 2));
    W d = Rule::combine(b, Rule::combine(x(i + 2), x(i + 3)));
    put(i, Rule::combine(run, a));
    put(i + 1, Rule::combine(run, b));
    put(i + 2, Rule::combine(run, c));
    run = Rule::combine(run, d);
    put(i + 3, run);
  }
  for (; i < n; ++i) {
    run = Rule::combine(run, x(i));
    put(i, run);
  }
}

// One line of logcumsumexp. Pieces near the running value are sums of exponentials less that value,
// which vectors compute; elsewhere an element at a time.
template <class T>
void scan_log_line(const T* x, T* to, int64_t n) {
  constexpr int64_t kPiece = 128;
  constexpr double kNear = sizeof(T) == sizeof(float) ? 600.0 : 16.0;
  double run = x[0], sums[kPiece];
  to[0] = x[0];
  for (int64_t at = 1, count; at < n; at += count) {
    count = std::min(kPiece, n - at);
    int far = 0;
    for (int64_t i = 0; i < count; ++i) far |= !(math::abs(x[at + i] - run) < kNear);
    if (far) {
      for (int64_t i = at; i < at + count; ++i)
        to[i] = static_cast<T>(run = LogSumRule::combine<double>(run, x[i]));
      continue;
    }
    for (int64_t i = 0; i < count; ++i) sums[i] = math::exp(x[at + i] - run);
    double sum = 0;
    for (int64_t i = scan_vectors<SumRule, false>(sums, sums, count, sum); i < count; ++i)
      sums[i] = sum += sums[i];
    for (int64_t i = 0; i < count; ++i) sums[i] = run + math::log1p(sums[i]);
    for (int64_t i = 0; i < count; ++i) to[at + i] = static_cast<T>(sums[i]);
    run = sums[count - 1];
  }
}

// Lines of N elements, one after another but for the input's, which are `apart`.
template <class Rule, class T, int N, bool Back>
void scan_short_lines(const T* x, int64_t apart, T* out, int64_t lines) {
  using W = typename WideOf<T>::type;
  for (; lines-- > 0; x += apart, out += N) {
    W run = as<W>(x[Back ? N - 1 : 0]);
    out[Back ? N - 1 : 0] = as<T>(run);
#pragma GCC unroll 8
    for (int i = 1; i < N; ++i) {
      int at = Back ? N - 1 - i : i;
      run = Rule::combine(run, as<W>(x[at]));
      out[at] = as<T>(run);
    }
  }
}
constexpr int64_t kShortLine = 8;

// `width` neighbouring lines whose elements are `step` apart.
template <class Rule, class T>
void scan_side_by_side(const T* x, T* out, int64_t n, int64_t step, int64_t width) {
  using W = typename WideOf<T>::type;
  W run[kTile];
  for (int64_t w = 0; w < width; ++w) run[w] = Rule::template identity<W>();
  for (int64_t i = 0; i < n; ++i, x += step, out += step) {
#pragma GCC ivdep
    for (int64_t w = 0; w < width; ++w) {
      run[w] = Rule::combine(run[w], as<W>(x[w]));
      out[w] = as<T>(run[w]);
    }
  }
}

// The input's lines are `apart` elements, if they lie along the last dimension.
template <class Rule, class T, bool Back = false>
void scan(const void* from, int64_t apart, void* to, const Lines& l) {
  auto* x = static_cast<const T*>(from);
  auto* out = static_cast<T*>(to);
  if (l.inner == 1) {
    return parallel_for(l.outer, line_grain(l), [&](int64_t b, int64_t e) {
      if (!std::is_same_v<Rule, LogSumRule> && l.size > 0 && l.size <= kShortLine)
        return with_number<kShortLine>(l.size, [&]<int N>() {
          scan_short_lines<Rule, T, N, Back>(x + b * apart, apart, out + b * N, e - b);
        });
      for (int64_t o = b; o < e; ++o) {
        if constexpr (std::is_same_v<Rule, LogSumRule> && std::is_floating_point_v<T>)
          scan_log_line(x + o * apart, out + o * l.size, l.size);
        else
          scan_line<Rule, Back>(x + o * apart, out + o * l.size, l.size);
      }
    });
  }
  int64_t tiles = (l.inner + kTile - 1) / kTile, tile = std::min(l.inner, kTile);
  parallel_for(l.outer * tiles, line_grain(l, tile), [&](int64_t b, int64_t e) {
    for (int64_t i = b; i < e; ++i) {
      int64_t k = i % tiles * kTile, at = i / tiles * l.size * l.inner + k;
      if (Back) at += (l.size - 1) * l.inner;
      scan_side_by_side<Rule>(x + at, out + at, l.size, Back ? -l.inner : l.inner,
                              std::min(kTile, l.inner - k));
    }
  });
}

// --- running extrema with positions; equals move the position forward, NaN stays
template <bool Max, class T>
bool takes(T value, T best) {  // false for a number against NaN
  return (Max ? value >= best : value <= best) || value != value;
}

// N contiguous lines at a time, each a chain of comparisons of its own.
template <class T, bool Max, int N>
void extreme_lines(const T* x, T* out, int64_t* indices, int64_t size) {
  T best[N];
  int64_t index[N] = {};
  for (int r = 0; r < N; ++r) best[r] = x[r * size];
  for (int64_t i = 0; i < size; ++i)
#pragma GCC unroll 4
    for (int r = 0; r < N; ++r) {
      T v = x[r * size + i];
      bool taken = takes<Max>(v, best[r]);
      best[r] = taken ? v : best[r];
      index[r] = taken ? i : index[r];
      out[r * size + i] = best[r];
      indices[r * size + i] = index[r];
    }
}

// `width` neighbouring lines whose elements are `step` apart.
template <class T, bool Max>
void extremes_side_by_side(const T* x, T* out, int64_t* indices, int64_t n, int64_t step,
                           int64_t width) {
  // As wide as the elements: one mask serves both.
  using Index = std::conditional_t<sizeof(T) == 4, uint32_t, int64_t>;
  T best[kTile];
  Index index[kTile] = {};
  std::copy_n(x, width, best);
  for (int64_t i = 0; i < n; ++i, x += step, out += step, indices += step) {
#pragma GCC ivdep
    for (int64_t w = 0; w < width; ++w) {
      bool taken = takes<Max>(x[w], best[w]);
      best[w] = taken ? x[w] : best[w];
      index[w] = taken ? static_cast<Index>(i) : index[w];
      out[w] = best[w];
    }
    for (int64_t w = 0; w < width; ++w) indices[w] = index[w];
  }
}

template <class T, bool Max>
void scan_extreme(const void* from, void* to, int64_t* indices, const Lines& l) {
  auto* x = static_cast<const T*>(from);
  auto* out = static_cast<T*>(to);
  if (l.inner == 1) {
    return parallel_for(l.outer, line_grain(l, 2), [&](int64_t b, int64_t e) {
      int64_t n = l.size;
      for (; b + 4 <= e; b += 4)
        extreme_lines<T, Max, 4>(x + b * n, out + b * n, indices + b * n, n);
      for (; b < e; ++b) extreme_lines<T, Max, 1>(x + b * n, out + b * n, indices + b * n, n);
    });
  }
  RL_CHECK(l.size <= UINT32_MAX, "more than ", int64_t{UINT32_MAX}, " elements along a dimension");
  int64_t tiles = (l.inner + kTile - 1) / kTile;
  parallel_for(l.outer * tiles, line_grain(l, 2 * std::min(l.inner, kTile)),
               [&](int64_t b, int64_t e) {
                 for (int64_t i = b; i < e; ++i) {
                   int64_t k = i % tiles * kTile, at = i / tiles * l.size * l.inner + k;
                   extremes_side_by_side<T, Max>(x + at, out + at, indices + at, l.size, l.inner,
                                                 std::min(kTile, l.inner - k));
                 }
               });
}

// --- infer and run
using ScanFn = void (*)(const void*, int64_t, void*, const Lines&);
template <class Rule, bool Back = false>
constexpr ScanFn kScans[] = {nullptr,
                             scan<Rule, int64_t, Back>,
                             scan<Rule, float, Back>,
                             scan<Rule, double, Back>,
                             scan<Rule, C64, Back>,
                             scan<Rule, C128, Back>};
constexpr ScanFn kLogScans[] = {nullptr,
                                nullptr,
                                scan<LogSumRule, float>,
                                scan<LogSumRule, double>,
                                scan<LogSumRule, C64>,
                                scan<LogSumRule, C128>};

// Runs `body` on a row-major output of the compute type, converting on the way out.
template <class F>
void in_compute_type(Tensor& out, DType compute, F&& body) {
  Ref<Tensor> result =
      out.dtype == compute ? Ref<Tensor>::share(&out) : empty(out.sizes(), compute);
  body(*result);
  if (result.get() != &out) copy_into(out, *result);
}

// How far apart lines along the last dimension are, in elements, if they are runs of memory and
// follow each other evenly; otherwise 0.
int64_t lines_apart(const Tensor& x, int dim) {
  if (dim + 1 != x.ndim || (x.size(dim) != 1 && x.stride(dim) != 1)) return 0;
  int64_t apart = 0, next = 0;
  for (int d = dim; d-- > 0;) {
    if (x.size(d) == 1) continue;
    if (next && x.stride(d) != next) return 0;
    if (x.stride(d) == 0) return 0;
    if (!next) apart = x.stride(d);
    next = x.stride(d) * x.size(d);
  }
  return next ? apart : x.size(dim);
}

// cumsum(self, dim, *, dtype): integers become int64
void scan_infer(Call& c) {
  dim_of(c, 1);
  DType in = c.tensor(0).dtype;
  c.add_out(c.tensor(0).sizes(), c.dtype_or(2, is_integral(in) ? DType::I64 : in));
}
void reverse_cumsum_infer(Call& c) {
  dim_of(c, 1);
  c.add_out(c.tensor(0).sizes(), c.tensor(0).dtype);
}
void run_scan(Call& c, const ScanFn* table) {
  const Tensor& t = c.tensor(0);
  Compute k = std::max(Compute::I, compute_of(c.out(0).dtype));
  if (t.numel == 0) return;
  const int dim = dim_of(c, 1);
  Ref<Tensor> x = to_dtype(t, c.out(0).dtype);  // narrow first, as the dtype asks
  int64_t apart = x->dtype == stored(k) ? lines_apart(*x, dim) : 0;
  if (!apart) x = contiguous_as(*x, stored(k)), apart = lines_of(*x, dim).size;
  in_compute_type(c.out(0), stored(k), [&](Tensor& out) {
    Unlocked unlocked(x->numel);
    table[static_cast<int>(k)](x->raw(), apart, out.raw(), lines_of(*x, dim));
  });
}
void cumsum_run(Call& c) { run_scan(c, kScans<SumRule>); }
void reverse_cumsum_run(Call& c) { run_scan(c, kScans<SumRule, true>); }
void cumprod_run(Call& c) { run_scan(c, kScans<ProductRule>); }

void logcumsumexp_infer(Call& c) {
  dim_of(c, 1);
  DType d = c.tensor(0).dtype;
  if (!is_inexact(d))
    fail(ErrorKind::NotImplemented, c.op, ": expected a floating point tensor, got ", d);
  c.add_out(c.tensor(0).sizes(), d);
}
void logcumsumexp_run(Call& c) { run_scan(c, kLogScans); }

// cummax(self, dim) -> (values, indices)
void extreme_infer(Call& c) {
  dim_of(c, 1);
  DType d = c.tensor(0).dtype;
  if (is_complex(d))
    fail(ErrorKind::NotImplemented, c.op, ": complex numbers have no order, got ", d);
  if (d == DType::U64) fail(ErrorKind::NotImplemented, c.op, ": not implemented for ", d);
  c.add_out(c.tensor(0).sizes(), d);
  c.add_out(c.tensor(0).sizes(), DType::I64);
}
template <bool Max>
void extreme_run(Call& c) {
  const Tensor& t = c.tensor(0);
  Compute k = std::max(Compute::I, compute_of(t.dtype));
  if (t.numel == 0) return;
  Ref<Tensor> x = contiguous_as(t, stored(k));
  in_compute_type(c.out(0), stored(k), [&](Tensor& out) {
    Unlocked unlocked(x->numel);
    auto run = k == Compute::I   ? scan_extreme<int64_t, Max>
               : k == Compute::F ? scan_extreme<float, Max>
                                 : scan_extreme<double, Max>;
    run(x->raw(), out.raw(), c.out(1).data<int64_t>(), lines_of(*x, dim_of(c, 1)));
  });
}

RL_ISA_KERNEL("cumsum", scan_infer, cumsum_run);
RL_ISA_KERNEL("_reverse_cumsum", reverse_cumsum_infer, reverse_cumsum_run);
RL_ISA_KERNEL("cumprod", scan_infer, cumprod_run);
RL_ISA_KERNEL("logcumsumexp", logcumsumexp_infer, logcumsumexp_run);
RL_ISA_KERNEL("cummax", extreme_infer, extreme_run<true>);
RL_ISA_KERNEL("cummin", extreme_infer, extreme_run<false>);

}  // namespace
}  // namespace RL_ISA_NS
}  // namespace rl
