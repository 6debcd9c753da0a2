// Windows of pooling operators along each dimension. Fixed and adaptive pooling differ only in
// how these are laid out; the loops of pool_*.cpp read nothing else.
#pragma once
#include <algorithm>

#include "kernels/kept.h"
#include "kernels/layouts.h"
#include "kernels/parts.h"
#include "plan/call.h"

namespace rl {
namespace {  // included by files that are compiled once per instruction-set level

struct PoolAxis {
  int64_t in = 1, out = 1, step = 1;        // step: dilation inside a window
  int64_t kernel = 1, stride = 1, pad = 0;  // fixed windows only
  SizeVec start{0}, end{1}, span{1};        // span counts padding too

  // What the elements of fixed window i lie in.
  Span window(int64_t i) const {
    const int64_t begin = i * stride - pad, behind = begin + (kernel - 1) * step + 1;
    return {begin < 0 ? begin + (step - 1 - begin) / step * step : begin, std::min(behind, in)};
  }
};

// A pooling over the last `dims` dimensions; the axes are right-aligned in three.
struct PoolPlan {
  int dims = 0;
  int64_t planes = 1;
  PoolAxis axis[3];
  bool fixed = false;
  int64_t in_plane() const { return axis[0].in * axis[1].in * axis[2].in; }
  int64_t out_plane() const { return axis[0].out * axis[1].out * axis[2].out; }
  PoolAxis& last(int d) { return axis[3 - dims + d]; }
};

inline int64_t pick(Sizes v, int d) { return v[v.size() == 1 ? 0 : d]; }

// `channels_may_lack`: an input without batch may have no channels, as PyTorch's adaptive ones.
inline void check_pool_input(const Call& c, const Tensor& x, int dims,
                             bool channels_may_lack = false) {
  bool ranks = x.ndim == dims + 1 || x.ndim == dims + 2;
  RL_CHECK(ranks, c.op, ": expected a ", dims + 1, "D or ", dims + 2, "D input, got shape ",
           x.sizes());
  for (int d = x.ndim == dims + 2 || channels_may_lack ? 1 : 0; d < x.ndim; ++d)
    RL_CHECK(x.size(d) > 0, c.op,
             ": expected non-zero sizes for the non-batch dimensions, got shape ", x.sizes());
}

inline int64_t pool_out_size(const PoolAxis& a, bool ceil) {
  int64_t room = a.in + 2 * a.pad - a.step * (a.kernel - 1) - 1 + (ceil ? a.stride - 1 : 0);
  int64_t out = (room >= 0 ? room / a.stride : -((-room + a.stride - 1) / a.stride)) + 1;
  // The last window must start inside the input or the left padding.
  if (ceil && (out - 1) * a.stride >= a.in + a.pad) --out;
  return out;
}

inline void lay_fixed(PoolAxis& a) {
  for (SizeVec* v : {&a.start, &a.end, &a.span}) v->resize(static_cast<size_t>(a.out));
  for (int64_t i = 0; i < a.out; ++i) {
    const int64_t begin = i * a.stride - a.pad, end = begin + (a.kernel - 1) * a.step + 1;
    a.span[i] = std::min(end, a.in + a.pad) - begin;
    a.start[i] = a.window(i).first;
    a.end[i] = a.window(i).last;
  }
}

struct PoolWindows {  // arguments as given; an empty stride means the kernel's
  Sizes kernel, stride, padding, dilation;
  bool ceil;
};

// The sizes alone, which is all that shapes need: see laid_out.
inline PoolPlan fixed_plan(const Call& c, Sizes sizes, const PoolWindows& w, int dims) {
  PoolPlan p;
  p.dims = dims;
  p.fixed = true;
  for (size_t d = 0; d + dims < sizes.size(); ++d) p.planes *= sizes[d];
  for (int d = 0; d < dims; ++d) {
    PoolAxis& a = p.last(d);
    a.in = sizes[sizes.size() - dims + d];
    a.kernel = pick(w.kernel, d);
    a.stride = w.stride.empty() ? a.kernel : pick(w.stride, d);
    a.pad = pick(w.padding, d);
    a.step = w.dilation.empty() ? 1 : pick(w.dilation, d);
    RL_CHECK(a.kernel > 0 && a.stride > 0 && a.step > 0, c.op,
             ": kernel size, stride and dilation should be greater than zero, got kernel ",
             w.kernel, ", stride ", w.stride, ", dilation ", w.dilation);
    RL_CHECK(a.pad >= 0, c.op, ": pad must be non-negative, but got pad: ", a.pad);
    RL_CHECK(a.pad <= ((a.kernel - 1) * a.step + 1) / 2, c.op,
             ": pad should be at most half of effective kernel size, but got pad=", a.pad,
             ", kernel_size=", a.kernel, " and dilation=", a.step);
    a.out = pool_out_size(a, w.ceil);
    RL_CHECK(a.out > 0, c.op, ": output size is too small for input ", sizes, ", kernel ", w.kernel,
             ", padding ", w.padding, ", dilation ", w.dilation);
  }
  return p;
}
inline PoolPlan laid_out(PoolPlan p) {
  for (int d = 0; d < p.dims; ++d) lay_fixed(p.last(d));
  return p;
}

inline PoolPlan adaptive_plan(Sizes sizes, Sizes out, int dims) {
  PoolPlan p;
  p.dims = dims;
  for (size_t d = 0; d + dims < sizes.size(); ++d) p.planes *= sizes[d];
  for (int d = 0; d < dims; ++d) {
    PoolAxis& a = p.last(d);
    a.in = sizes[sizes.size() - dims + d];
    a.out = pick(out, d);
    for (SizeVec* v : {&a.start, &a.end, &a.span}) v->resize(static_cast<size_t>(a.out));
    for (int64_t i = 0; i < a.out; ++i) {
      a.start[i] = i * a.in / a.out;
      a.end[i] = ((i + 1) * a.in + a.out - 1) / a.out;
      a.span[i] = a.end[i] - a.start[i];
    }
  }
  return p;
}

inline SizeVec pooled_sizes(const Tensor& x, PoolPlan& p) {
  SizeVec sizes(x.sizes().begin(), x.sizes().end());
  for (int d = 0; d < p.dims; ++d) sizes[sizes.size() - p.dims + d] = p.last(d).out;
  return sizes;
}

// Of what is pooled in argument 0, which lies as that does if `keep` (volumes mostly do not).
inline void add_pooled(Call& c, PoolPlan& p, DType dtype, bool keep) {
  const Tensor& x = c.tensor(0);
  OutSpec& s = c.add_out(pooled_sizes(x, p), dtype);
  if (keep && x.ndim == p.dims + 2) keep_layout(x, s);
}

inline int64_t plane_grain(int64_t plane) {
  return std::max<int64_t>(1, 16384 / std::max<int64_t>(1, plane));
}

// The type that pooling computes in: 16-bit floats in float, integers in int64.
inline DType pool_dtype(DType d) { return is_integral(d) ? DType::I64 : widened(d); }
// Which integers a kind of pooling is defined for, as in PyTorch.
enum class PooledIntegers : uint8_t { None, Int64, UpTo64 };
inline void check_pool_dtype(const Call& c, PooledIntegers integers) {
  DType d = c.tensor(0).dtype;
  bool known = !is_complex(d);
  if (is_integral(d)) {
    bool signed_or_byte = d > DType::Bool && d <= DType::I64;
    known = integers == PooledIntegers::UpTo64
                ? signed_or_byte
                : integers == PooledIntegers::Int64 && d == DType::I64;
  }
  if (!known) fail(ErrorKind::NotImplemented, c.op, ": not implemented for ", d);
}

// Calls f with the stride, as a constant up to `Most`, which lets loops over a row be vectorised.
template <int64_t Most, int64_t S = 1, class F>
void with_stride(int64_t stride, F&& f) {
  if constexpr (S > Most)
    f(stride);
  else if (stride == S)
    f(std::integral_constant<int64_t, S>());
  else
    with_stride<Most, S + 1>(stride, f);
}

// The outputs [first, last) of a row whose windows have tap k inside the input.
inline Span inside(const PoolAxis& w, int64_t k) {
  return cells_inside(w.out, w.stride, k * w.step - w.pad, w.in);
}

template <class F>
void pool_dispatch(DType compute, F&& f) {
  if (compute == DType::F32)
    f.template operator()<float>();
  else if (compute == DType::F64)
    f.template operator()<double>();
  else
    f.template operator()<int64_t>();
}

}  // namespace
}  // namespace rl
