// Tensors made from numbers: empty, full, arange, linspace, eye, index triangles.
// Tensors from Python data are in python/from_data.cpp; random ones elsewhere.
// To add one: an infer/run pair here, its RL_KERNEL line, and a record in ops/creation.py. The
// records end with the same options: dtype, layout, device, requires_grad, pin_memory.
#include <algorithm>
#include <cmath>
#include <complex>
#include <limits>

#include "kernels/options.h"
#include "plan/copy.h"
#include "plan/determinism.h"
#include "plan/fits.h"
#include "plan/parallel.h"

namespace rl {

bool fill_unwritten_memory = false;

namespace {

enum Option : int { kDType, kLayout, kDevice, kRequiresGrad, kPinMemory, kOptions, kFormat = 5 };

DType dtype_option(Call& c, int at) {
  refuse_pinned(c, at + kPinMemory);
  return c.dtype_or(at + kDType, default_dtype());
}

DType dtype_of_number(const Scalar& s) {
  if (s.kind == Scalar::Bool) return DType::Bool;
  if (s.kind == Scalar::Int) return DType::I64;
  return s.kind == Scalar::Float ? default_dtype() : complex_of(default_dtype());
}

// ---- of given sizes
template <int At>
void empty_infer(Call& c) {
  OutSpec& s = c.add_out(c.ints(At), dtype_option(c, At + 1));
  if (c.n_args > At + 1 + kFormat && c.has(At + 1 + kFormat)) {
    RL_CHECK(c.arg(At + 1 + kFormat).format != MemoryFormat::Preserve,
             "empty(): unsupported memory format option preserve_format");
    s.strides = strides_for(s.sizes, c.arg(At + 1 + kFormat).format);
  }
}
void fill_as_unwritten(Tensor& t) {
  dispatch(t.dtype, [&]<class T>() {
    if constexpr (std::is_integral_v<T> && !std::is_same_v<T, bool>)
      fill(t, Scalar::of(static_cast<int64_t>(std::numeric_limits<T>::max())));
    else
      fill(t, Scalar::of(std::numeric_limits<double>::quiet_NaN()));
  });
}
void unwritten_run(Call& c) { fill_unwritten(c.out(0)); }

void zeros_infer(Call& c) { c.add_out(c.ints(0), dtype_option(c, 1)); }
template <int Value>
void constant_run(Call& c) {
  fill(c.out(0), Scalar::of(int64_t{Value}));
}

void full_infer(Call& c) {  // size, fill_value, options
  refuse_pinned(c, 2 + kPinMemory);
  DType dtype = c.dtype_or(2, dtype_of_number(c.scalar(1)));
  check_fits(c.op, c.scalar(1), dtype);
  c.add_out(c.ints(0), dtype);
}
void full_run(Call& c) { fill(c.out(0), c.scalar(1)); }

void empty_strided_infer(Call& c) {  // size, stride, options
  Sizes size = c.ints(0), stride = c.ints(1);
  RL_CHECK(size.size() == stride.size(), "dimensionality of sizes (", size.size(),
           ") must match dimensionality of strides (", stride.size(), ")");
  for (int64_t s : stride)
    RL_CHECK(s >= 0, "empty_strided: negative strides are not supported, got ", stride);
  OutSpec& s = c.add_out(size, dtype_option(c, 2));
  s.strides.assign(stride.begin(), stride.end());
}

void scalar_tensor_infer(Call& c) { c.add_out({}, dtype_option(c, 1)); }  // value, options
void scalar_tensor_run(Call& c) { fill(c.out(0), c.scalar(0)); }

// ---- like another tensor
void like(Call& c, int at) {
  const Tensor& t = c.tensor(0);
  refuse_pinned(c, at + kPinMemory);
  OutSpec& s = c.add_out(t.sizes(), c.dtype_or(at + kDType, t.dtype));
  bool given = c.has(at + kFormat);
  if (!given || c.arg(at + kFormat).format == MemoryFormat::Preserve) {
    if (!t.contiguous) s.strides = dense_like_strides(t);
  } else {
    s.strides = strides_for(t.sizes(), c.arg(at + kFormat).format);
  }
}
void empty_like_infer(Call& c) { like(c, 1); }
void full_like_infer(Call& c) {
  like(c, 2);
  check_fits(c.op, c.scalar(1), c.specs[0].dtype);
}

void new_infer(Call& c) {  // self, size, options
  refuse_pinned(c, 2 + kPinMemory);
  c.add_out(c.ints(1), c.dtype_or(2, c.tensor(0).dtype));
}
void new_full_infer(Call& c) {  // self, size, fill_value, options
  refuse_pinned(c, 3 + kPinMemory);
  DType dtype = c.dtype_or(3, c.tensor(0).dtype);
  check_fits(c.op, c.scalar(2), dtype);
  c.add_out(c.ints(1), dtype);
}
void new_full_run(Call& c) { fill(c.out(0), c.scalar(2)); }

// ---- progressions
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
  RL_CHECK(step.re != 0, "step must be nonzero");
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

// out[i] = f(i), converted to the output's dtype.
template <class T, class F>
void generate_as(Tensor& out, F f) {
  T* data = out.data<T>();
  parallel_for(out.numel, 32768, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      if constexpr (requires { f(i).re; })
        data[i] = static_cast<T>(f(i));
      else if constexpr (requires { data[i].re; })
        data[i] = {static_cast<decltype(T{}.re)>(f(i)), 0};
      else if constexpr (sizeof(T) == 2 && !std::is_integral_v<T>)
        data[i] = static_cast<float>(f(i));
      else if constexpr (std::is_same_v<T, bool>)
        data[i] = f(i) != 0;
      else if constexpr (std::is_integral_v<T>)
        data[i] = static_cast<T>(static_cast<int64_t>(f(i)));
      else
        data[i] = static_cast<T>(f(i));
    }
  });
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
  generate(c.out(0), [=](int64_t i) { return first + static_cast<double>(i) * by; });
}

// start, end, steps, then what `at` counts up to, options
void spaced_infer(Call& c, int at) {
  refuse_pinned(c, at + kPinMemory);
  bool cplx = c.scalar(0).kind == Scalar::Complex || c.scalar(1).kind == Scalar::Complex;
  DType natural = cplx ? complex_of(default_dtype()) : default_dtype();
  DType dtype = c.dtype_or(at, natural);
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
W whole(int64_t n) {
  if constexpr (requires(W w) { w.re; })
    return {static_cast<decltype(W{}.re)>(n), 0};
  else
    return static_cast<W>(n);
}

// base + step * i. In float and double it is rounded once, as in PyTorch's vectorised code; a
// product of floats is exact in double.
template <class T, class W>
W spaced_at(W base, W step, int64_t i) {
  if constexpr (std::is_same_v<T, float>)
    return static_cast<float>(static_cast<double>(step) * static_cast<float>(i) + base);
  else if constexpr (std::is_same_v<T, double>)
    return std::fma(step, static_cast<double>(i), base);
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
    W step = n > 1 ? (end - start) / whole<W>(n - 1) : W{};
    if constexpr (has_short_parts<T>) step = static_cast<W>(static_cast<T>(step));
    generate_as<T>(out, [=](int64_t i) {
      if (n == 1 || i < n / 2) return g(spaced_at<T>(start, step, i));
      return g(spaced_at<T>(end, W{} - step, n - i - 1));
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

// ---- matrices
void eye_infer(Call& c) {  // n, m, options
  int64_t n = c.integer(0), m = c.has(1) ? c.integer(1) : n;
  RL_CHECK(n >= 0, "n must be greater or equal to 0, got ", n);
  RL_CHECK(m >= 0, "m must be greater or equal to 0, got ", m);
  int64_t size[] = {n, m};
  c.add_out(size, dtype_option(c, 2));
}
void eye_run(Call& c) {
  Tensor& out = c.out(0);
  fill(out, Scalar::of(int64_t{0}));
  int64_t n = std::min(out.size(0), out.size(1)), stride = out.size(1) + 1;
  Ref<Tensor> diagonal = alias(out, Sizes(&n, 1), Sizes(&stride, 1), 0);
  fill(*diagonal, Scalar::of(int64_t{1}));
}

// Columns of row r inside the triangle: [begin, end).
struct Columns {
  int64_t begin, end;
};
Columns triangle(Call& c, bool lower, int64_t r) {
  int64_t cols = c.integer(1), shift = std::clamp<int64_t>(c.integer(2), -c.integer(0) - 1, cols);
  int64_t edge = std::clamp<int64_t>(r + shift + (lower ? 1 : 0), 0, cols);
  return lower ? Columns{0, edge} : Columns{edge, cols};
}
template <bool Lower>
void triangle_infer(Call& c) {  // row, col, offset, options
  refuse_pinned(c, 3 + kPinMemory);
  RL_CHECK(c.integer(0) >= 0, "row must be non-negative, got ", c.integer(0));
  RL_CHECK(c.integer(1) >= 0, "col must be non-negative, got ", c.integer(1));
  int64_t n = 0;
  for (int64_t r = 0; r < c.integer(0); ++r) {
    Columns s = triangle(c, Lower, r);
    n += s.end - s.begin;
  }
  int64_t size[] = {2, n};
  c.add_out(size, c.dtype_or(3, DType::I64));
}
template <bool Lower>
void triangle_run(Call& c) {
  Ref<Tensor> wide = to_dtype(c.out(0), DType::I64);
  int64_t *rows = wide->data<int64_t>(), *cols = rows + wide->size(1);
  for (int64_t r = 0; r < c.integer(0); ++r) {
    Columns s = triangle(c, Lower, r);
    for (int64_t k = s.begin; k < s.end; ++k) {
      *rows++ = r;
      *cols++ = k;
    }
  }
  if (wide.get() != &c.out(0)) copy_into(c.out(0), *wide);
}

RL_KERNEL_FLOAT8("empty", empty_infer<0>, unwritten_run);
RL_KERNEL_FLOAT8("zeros", zeros_infer, constant_run<0>);
RL_KERNEL_FLOAT8("ones", zeros_infer, constant_run<1>);
RL_KERNEL_FLOAT8("full", full_infer, full_run);
RL_KERNEL_FLOAT8("empty_strided", empty_strided_infer, unwritten_run);
RL_KERNEL_FLOAT8("scalar_tensor", scalar_tensor_infer, scalar_tensor_run);
RL_KERNEL_FLOAT8("empty_like", empty_like_infer, unwritten_run);
RL_KERNEL_FLOAT8("zeros_like", empty_like_infer, constant_run<0>);
RL_KERNEL_FLOAT8("ones_like", empty_like_infer, constant_run<1>);
RL_KERNEL_FLOAT8("full_like", full_like_infer, full_run);
RL_KERNEL_FLOAT8("new_empty", new_infer, unwritten_run);
RL_KERNEL_FLOAT8("new_zeros", new_infer, constant_run<0>);
RL_KERNEL_FLOAT8("new_ones", new_infer, constant_run<1>);
RL_KERNEL_FLOAT8("new_full", new_full_infer, new_full_run);
RL_KERNEL("arange", arange_infer, arange_run);
RL_KERNEL("linspace", linspace_infer, linspace_run);
RL_KERNEL("logspace", logspace_infer, logspace_run);
RL_KERNEL_FLOAT8("eye", eye_infer, eye_run);
RL_KERNEL("tril_indices", triangle_infer<true>, triangle_run<true>);
RL_KERNEL("triu_indices", triangle_infer<false>, triangle_run<false>);

}  // namespace

void fill_unwritten(Tensor& t) {
  if (fill_unwritten_memory && !t.is_meta()) fill_as_unwritten(t);
}

}  // namespace rl
