// Tensors of evenly spaced numbers, and of powers of such: arange, linspace, logspace.
#include <algorithm>
#include <cmath>
#include <complex>

#include "kernels/options.h"
#include "plan/copy.h"
#include "plan/fits.h"
#include "plan/isa.h"
#include "plan/parallel.h"

namespace rl {
namespace RL_ISA_NS {
namespace {

// Of arange(end, options) and arange(start, end, step, options).
struct Range {
  Scalar start = Scalar::of(int64_t{0}), end, step = Scalar::of(int64_t{1});
  int options = 1;

  explicit Range(const Call& c) : end(c.scalar(0)) {
    if (c.n_args == options + kOptions) return;
    start = c.scalar(0);
    end = c.scalar(1);
    step = c.scalar(2);
    options = 3;
  }
};

bool all_integers(const Range& r) {
  return r.start.kind <= Scalar::Int && r.end.kind <= Scalar::Int && r.step.kind <= Scalar::Int;
}

int64_t range_length(const Range& r, DType dtype) {
  const auto& [start, end, step, options] = r;
  for (const Scalar& s : {start, end, step})
    RL_CHECK(s.kind != Scalar::Complex, "arange: expected real numbers, got a complex one");
  RL_CHECK(step.re != 0, "step must be nonzero");
  for (const Scalar& s : {start, end, step})
    if (is_integral(dtype) && is_beyond_int64(s)) check_fits("arange", s, DType::I64);
  RL_CHECK(std::isfinite(start.re) && std::isfinite(end.re), "unsupported range: ", start.re,
           " -> ", end.re);
  RL_CHECK(step.re > 0 ? end.re >= start.re : end.re <= start.re,
           "upper bound and lower bound inconsistent with step sign");
  if (dtype == DType::I64) {  // too long for double; narrower ones are counted before rounding
    int64_t span, s = step.to<int64_t>();
    RL_CHECK(!__builtin_sub_overflow(end.to<int64_t>(), start.to<int64_t>(), &span),
             "invalid size, possible overflow?");
    if (s == 0)
      fail(ErrorKind::Value, "arange: step must be nonzero in ", dtype, ", got ", step.re);
    return span / s + (span % s != 0);
  }
  double length = std::ceil((end.re - start.re) / step.re);
  RL_CHECK(length < 0x1p62, "invalid size, possible overflow?");
  return static_cast<int64_t>(length);
}

void arange_infer(Call& c) {
  Range r(c);
  refuse_pinned(c, r.options + kPinMemory);
  DType dtype = c.dtype_or(r.options, all_integers(r) ? DType::I64 : default_dtype());
  if (is_complex(dtype) || dtype == DType::Bool)
    fail(ErrorKind::NotImplemented, "arange: not implemented for '", info(dtype).legacy_name, "'");
  int64_t n = range_length(r, dtype);
  c.add_out(Sizes(&n, 1), dtype);
}

template <class T, class V>
void put(T& to, V value) {
  if constexpr (requires { value.re; })
    to = static_cast<T>(value);
  else if constexpr (requires { to.re; })
    to = {static_cast<decltype(T{}.re)>(value), 0};
  else if constexpr (sizeof(T) == 2 && !std::is_integral_v<T>)
    to = static_cast<float>(value);
  else if constexpr (std::is_same_v<T, bool>)
    to = value != 0;
  else if constexpr (std::is_integral_v<T>)
    to = static_cast<T>(static_cast<int64_t>(value));
  else
    to = static_cast<T>(value);
}
// out[i] = f(i) for i of [begin, end), converted to the output's dtype. f gets i as a double, made
// of a count of 32 bits: not every machine has vectors of conversions from 64.
template <class T, class F>
void generate_run(T* out, int64_t begin, int64_t end, F f) {
  constexpr int64_t kPiece = 4096;
  for (int64_t i = begin; i < end; i += kPiece) {
    const double at = static_cast<double>(i);
    const int n = static_cast<int>(std::min(kPiece, end - i));
    T* to = out + i;
#pragma GCC ivdep
    for (int j = 0; j < n; ++j) put(to[j], f(at + j));
  }
}
template <class T, class F>
void generate_as(Tensor& out, F f) {
  T* data = out.data<T>();
  parallel_for(out.numel, 32768,
               [=](int64_t begin, int64_t end) { generate_run(data, begin, end, f); });
}
template <class F>
void generate(Tensor& out, F f) {
  Unlocked unlocked(out.numel);
  dispatch(out.dtype, [&]<class T>() { generate_as<T>(out, f); });
}

// first + i * by for i of [begin, end), by additions: not every machine has vectors of products of
// 64 bits.
template <class U>
void count_up(U* to, int64_t begin, int64_t end, uint64_t first, uint64_t by) {
  U value = static_cast<U>(first + static_cast<uint64_t>(begin) * by), step = static_cast<U>(by);
  for (int64_t i = begin; i < end; ++i, value += step) to[i] = value;
}

void count(Tensor& out, int64_t first, int64_t by) {
  Unlocked unlocked(out.numel);
  dispatch(out.dtype, [&]<class T>() {
    if constexpr (std::is_integral_v<T> && !std::is_same_v<T, bool>) {
      auto* to = reinterpret_cast<std::make_unsigned_t<T>*>(out.data<T>());
      parallel_for(out.numel, 32768, [=](int64_t begin, int64_t end) {
        count_up(to, begin, end, static_cast<uint64_t>(first), static_cast<uint64_t>(by));
      });
    }
  });
}

void arange_run(Call& c) {
  Range r(c);
  if (is_integral(c.out(0).dtype))
    return count(c.out(0), r.start.to<int64_t>(), r.step.to<int64_t>());
  double first = r.start.re, by = r.step.re;
  generate(c.out(0), [=](double i) { return first + i * by; });
}

// start, end, steps, then what `at` counts up to, options
void spaced_infer(Call& c, int at) {
  refuse_pinned(c, at + kPinMemory);
  bool cplx = c.scalar(0).kind == Scalar::Complex || c.scalar(1).kind == Scalar::Complex;
  DType natural = cplx ? complex_of(default_dtype()) : default_dtype();
  DType dtype = c.dtype_or(at, natural);
  for (int i : {0, 1})
    if (is_integral(dtype)) check_fits(c.op, c.scalar(i), dtype);
  RL_CHECK(!cplx || is_complex(dtype), c.op, "(): start and end are ", natural,
           ", which cannot be safely cast to dtype ", dtype);
  if (dtype == DType::Bool)
    fail(ErrorKind::NotImplemented, '"', c.op, "_cpu\" not implemented for 'Bool'");
  int64_t n = c.integer(2);
  RL_CHECK(n >= 0, c.op, "(): number of steps must be non-negative, got ", n);
  c.add_out(Sizes(&n, 1), dtype);
}
void linspace_infer(Call& c) { spaced_infer(c, 3); }
void logspace_infer(Call& c) { spaced_infer(c, 4); }

// What values of T are computed in: integers in double, 16-bit floats in float.
template <class T>
using Working = std::conditional_t<std::is_integral_v<T>, double, widened_type<T>>;
template <class W>
W whole(double n) {
  if constexpr (requires(W w) { w.re; })
    return {static_cast<decltype(W{}.re)>(n), 0};
  else
    return static_cast<W>(n);
}

// base + step * i. In float and double it is rounded once, as in PyTorch's vectorised code; a
// product of floats is exact in double.
template <class T, class W>
W spaced_at(W base, W step, double i) {
  if constexpr (std::is_same_v<T, float>)
    return static_cast<float>(static_cast<double>(step) * static_cast<float>(i) + base);
  else if constexpr (std::is_same_v<T, double>)
    return std::fma(step, i, base);
  else
    return base + step * whole<W>(i);
}

// out[i] = g(the i-th of evenly spaced numbers). The ends are rounded to the output's type first;
// counting goes from both of them, so that the last value is the end itself.
template <class G>
void spaced(Call& c, G g) {
  Tensor& out = c.out(0);
  Unlocked unlocked(out.numel);
  dispatch(out.dtype, [&]<class T>() {
    using W = Working<T>;
    int64_t n = out.numel;
    W start = static_cast<W>(c.scalar(0).to<T>()), end = static_cast<W>(c.scalar(1).to<T>());
    W step = n > 1 ? (end - start) / whole<W>(static_cast<double>(n - 1)) : W{};
    if constexpr (has_short_parts<T>) step = static_cast<W>(static_cast<T>(step));
    const double last = static_cast<double>(n - 1);
    const int64_t half = n == 1 ? n : n / 2;
    T* data = out.data<T>();
    parallel_for(n, 32768, [=](int64_t begin, int64_t finish) {
      const int64_t middle = std::clamp(half, begin, finish);
      generate_run(data, begin, middle, [=](double i) { return g(spaced_at<T>(start, step, i)); });
      generate_run(data, middle, finish,
                   [=](double i) { return g(spaced_at<T>(end, W{} - step, last - i)); });
    });
  });
}

void linspace_run(Call& c) {
  spaced(c, [](auto v) { return v; });
}

void logspace_run(Call& c) {
  double base = c.number(3);
  spaced(c, [=]<class W>(W v) {
    if constexpr (requires { v.re; }) {
      using R = decltype(v.re);
      std::complex<R> power = std::pow(std::complex<R>(base), std::complex<R>(v.re, v.im));
      return W{power.real(), power.imag()};
    } else {
      return std::pow(static_cast<W>(base), v);
    }
  });
}

RL_ISA_KERNEL("arange", arange_infer, arange_run);
RL_ISA_KERNEL("linspace", linspace_infer, linspace_run);
RL_ISA_KERNEL("logspace", logspace_infer, logspace_run);

}  // namespace
}  // namespace RL_ISA_NS
}  // namespace rl
