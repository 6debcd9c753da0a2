// The geometry of a convolution and the ways to compute it. A convolution is the trilinear
// form <conv(x, w), y>: `forward` gives y from x and w, `input` gives x from y and w (which is
// the transposed convolution), `weight` gives w from x and y. Each is linear in both operands
// and its gradients are the other two, so every order of derivative is one of these three.
#pragma once
#include <algorithm>

#include "core/tensor.h"

namespace rl {

enum class ConvPart : uint8_t { Forward, Input, Weight };

struct ConvGeometry {
  int dims = 2;  // spatial dimensions; the arrays are right-aligned, filled up to three
  int64_t batch, in_channels, out_channels, groups;
  int64_t in[3], out[3], kernel[3], stride[3], padding[3], dilation[3];
  int64_t in_numel() const { return in[0] * in[1] * in[2]; }
  int64_t out_numel() const { return out[0] * out[1] * out[2]; }
  int64_t kernel_numel() const { return kernel[0] * kernel[1] * kernel[2]; }
};

// Tensors of one call. x and y are contiguous, in channels-last order if `channels_last`; w is
// dense; the one being computed is overwritten. bias, per out channel, only with Forward.
struct ConvOperands {
  void *x, *w, *y;
  const void* bias = nullptr;
  SizeVec w_strides;
  bool channels_last = false;
  // Of 16 bits for Input: columns and their sums are rounded to this dtype, as in PyTorch.
  DType kept = DType::F32;
};

// float32, or bfloat16 where the processor multiplies it, through oneDNN; false when oneDNN does
// not implement the geometry.
bool conv_dnnl(ConvPart part, const ConvGeometry& g, DType dtype, const ConvOperands& t);
void conv_dnnl_prepare();  // needs the interpreter lock

// float32 and float64, row-major operands unless said otherwise, nothing empty; compiled once per
// instruction-set level. False where the result is not finite and has to be computed otherwise:
// sums over padding and over points spread an infinity or a NaN further than a convolution does.
using ConvFn = bool (*)(ConvPart part, const ConvGeometry& g, const ConvOperands& t);
struct ConvDirect {
  ConvFn f32, f64;                      // through rows that are read in place (conv_direct.cpp)
  ConvFn winograd_f32, winograd_f64;    // 2, 3, 5, stride 2: 4 to 6; any order (conv_winograd.h)
  ConvFn depthwise_f32, depthwise_f64;  // 3 x 3, 5 x 5, 7 x 7, stride 1 (conv_depthwise.h)
  ConvFn channels_f32, channels_f64;    // depthwise, lines of up to 7; any order (conv_channels.h)
};

// Any dtype but the 16-bit floats, through unfolded columns; row-major operands.
void conv_columns(ConvPart part, const ConvGeometry& g, DType dtype, const ConvOperands& t);

namespace {  // also included by files compiled once per level

// n elements, each so many apart; steps known to the compiler make vectors and calls of memcpy.
template <class T>
void copy_cells(T* to, int64_t to_step, const T* from, int64_t from_step, int64_t n) {
  if (to_step == 1 && from_step == 1)
    std::copy_n(from, n, to);
  else if (to_step == 1 && from_step == 2)
    for (int64_t i = 0; i < n; ++i) to[i] = from[2 * i];
  else
    for (int64_t i = 0; i < n; ++i) to[i * to_step] = from[i * from_step];
}

}  // namespace
}  // namespace rl
