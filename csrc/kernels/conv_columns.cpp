// Convolution as matrix products over unfolded columns: the reference path, and the one for
// dtypes that oneDNN does not compute in (float64, complex, integers).
#include <algorithm>

#include "core/allocator.h"
#include "kernels/conv.h"
#include "kernels/gemm.h"
#include "kernels/kept.h"
#include "plan/parallel.h"

namespace rl {
namespace {

// Visits, for one channel and kernel offset (a, b, c), rows of the output's last dimension:
// f(out offset, in offset or -1 for a padded row).
struct Window {
  const ConvGeometry& g;
  int64_t a, b, c;
  int64_t at(int d, int64_t out, int64_t k) const {
    return out * g.stride[d] - g.padding[d] + k * g.dilation[d];
  }
  template <class F>
  void rows(F&& f) const {
    for (int64_t i = 0; i < g.out[0]; ++i)
      for (int64_t j = 0; j < g.out[1]; ++j) {
        int64_t z = at(0, i, a), y = at(1, j, b);
        bool inside = z >= 0 && z < g.in[0] && y >= 0 && y < g.in[1];
        f((i * g.out[1] + j) * g.out[2], inside ? (z * g.in[1] + y) * g.in[2] : -1);
      }
  }
  // The outputs [first, last) of a row whose input lies inside.
  void inner(int64_t& first, int64_t& last) const {
    int64_t shift = c * g.dilation[2] - g.padding[2], s = g.stride[2];
    first = std::clamp<int64_t>(shift >= 0 ? 0 : (-shift + s - 1) / s, 0, g.out[2]);
    int64_t room = g.in[2] - 1 - shift;
    last = room < 0 ? first : std::clamp<int64_t>(room / s + 1, first, g.out[2]);
  }
};

template <class F>
void each_column(const ConvGeometry& g, int64_t channel, F&& f) {
  int64_t row = channel * g.kernel_numel();
  for (int64_t a = 0; a < g.kernel[0]; ++a)
    for (int64_t b = 0; b < g.kernel[1]; ++b)
      for (int64_t c = 0; c < g.kernel[2]; ++c) f(row++, Window{g, a, b, c});
}

int64_t channel_grain(const ConvGeometry& g) {
  return std::max<int64_t>(1, 32768 / std::max<int64_t>(1, g.kernel_numel() * g.out_numel()));
}

template <class T>
void unfold(const ConvGeometry& g, int64_t channels, const T* x, T* columns) {
  parallel_for(channels, channel_grain(g), [&](int64_t begin, int64_t end) {
    for (int64_t ch = begin; ch < end; ++ch)
      each_column(g, ch, [&](int64_t row, const Window& w) {
        const T* from = x + ch * g.in_numel();
        T* to = columns + row * g.out_numel();
        int64_t first, last, shift = w.c * g.dilation[2] - g.padding[2];
        w.inner(first, last);
        w.rows([&](int64_t o, int64_t i) {
          if (i < 0) {
            std::fill_n(to + o, g.out[2], T{});
            return;
          }
          std::fill_n(to + o, first, T{});
          for (int64_t q = first; q < last; ++q) to[o + q] = from[i + q * g.stride[2] + shift];
          std::fill(to + o + last, to + o + g.out[2], T{});
        });
      });
  });
}

// `S` is the type that columns and their sums are kept in.
template <class S, class T>
void fold(const ConvGeometry& g, int64_t channels, const T* columns, T* x) {
  parallel_for(channels, channel_grain(g), [&](int64_t begin, int64_t end) {
    for (int64_t ch = begin; ch < end; ++ch) {
      T* to = x + ch * g.in_numel();
      std::fill_n(to, g.in_numel(), T{});
      each_column(g, ch, [&](int64_t row, const Window& w) {
        const T* from = columns + row * g.out_numel();
        int64_t first, last, shift = w.c * g.dilation[2] - g.padding[2];
        w.inner(first, last);
        w.rows([&](int64_t o, int64_t i) {
          if (i < 0) return;
          for (int64_t q = first; q < last; ++q) {
            T& cell = to[i + q * g.stride[2] + shift];
            cell = static_cast<T>(static_cast<S>(cell + static_cast<S>(from[o + q])));
          }
        });
      });
    }
  });
}

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
