// Convolution as matrix products over unfolded columns: the reference path, and the one for
// dtypes that oneDNN does not compute in (float64, complex, integers).
#include "core/allocator.h"
#include "kernels/columns.h"
#include "kernels/gemm.h"
#include "kernels/kept.h"

namespace rl {
namespace {

template <class T>
void add_bias(const ConvGeometry& g, const T* bias, T* y) {
  parallel_for(g.batch * g.out_channels,
               std::max<int64_t>(1, 32768 / std::max<int64_t>(1, g.out_numel())),
               [&](int64_t begin, int64_t end) {
                 for (int64_t i = begin; i < end; ++i) {
                   T b = bias[i % g.out_channels], *row = y + i * g.out_numel();
                   for (int64_t j = 0; j < g.out_numel(); ++j) row[j] = static_cast<T>(row[j] + b);
                 }
               });
}

// One image and group: x [C, in], w [O, C*K], y [O, out], columns [C*K, out].
template <class T>
void one_group(ConvPart part, const ConvGeometry& g, T* x, T* w, T* y, T* columns, bool first,
               DType kept) {
  int64_t channels = g.in_channels / g.groups, outs = g.out_channels / g.groups;
  int64_t taps = channels * g.kernel_numel(), cells = g.out_numel();
  Matrix mw{w, outs, taps, taps, 1}, my{y, outs, cells, cells, 1};
  if (part == ConvPart::Input) {
    gemm(dtype_of<T>, transposed(mw), my, columns, cells, false);
    with_kept<T>(kept, [&]<class S>() { fold<S>(g, channels, columns, x); });
    return;
  }
  unfold(g, channels, x, columns);
  Matrix mc{columns, taps, cells, cells, 1};
  if (part == ConvPart::Forward)
    gemm(dtype_of<T>, mw, mc, y, cells, false);
  else
    gemm(dtype_of<T>, my, transposed(mc), w, taps, !first);
}

template <class T>
void run(ConvPart part, const ConvGeometry& g, const ConvOperands& t) {
  int64_t channels = g.in_channels / g.groups, outs = g.out_channels / g.groups;
  int64_t taps = channels * g.kernel_numel();
  auto *x = static_cast<T*>(t.x), *w = static_cast<T*>(t.w), *y = static_cast<T*>(t.y);
  if (part == ConvPart::Weight && g.batch == 0) std::fill_n(w, g.out_channels * taps, T{});
  std::vector<std::conditional_t<std::is_same_v<T, bool>, uint8_t, T>> columns(
      static_cast<size_t>(taps * g.out_numel()));
  auto* scratch = reinterpret_cast<T*>(columns.data());
  for (int64_t n = 0; n < g.batch; ++n)
    for (int64_t k = 0; k < g.groups; ++k)
      one_group<T>(part, g, x + (n * g.in_channels + k * channels) * g.in_numel(),
                   w + k * outs * taps, y + (n * g.out_channels + k * outs) * g.out_numel(),
                   scratch, n == 0, t.kept);
  if (t.bias) add_bias(g, static_cast<const T*>(t.bias), y);
}

}  // namespace

void conv_columns(ConvPart part, const ConvGeometry& g, DType dtype, const ConvOperands& t) {
  switch (dtype) {
    case DType::F32:
      return run<float>(part, g, t);
    case DType::F64:
      return run<double>(part, g, t);
    case DType::C64:
      return run<C64>(part, g, t);
    case DType::C128:
      return run<C128>(part, g, t);
    case DType::I64:
      return run<int64_t>(part, g, t);
    case DType::I32:
      return run<int32_t>(part, g, t);
    case DType::I16:
      return run<int16_t>(part, g, t);
    case DType::I8:
      return run<int8_t>(part, g, t);
    case DType::U8:
      return run<uint8_t>(part, g, t);
    default:
      fail(ErrorKind::NotImplemented, "convolution is not implemented for ", dtype);
  }
}

}  // namespace rl
