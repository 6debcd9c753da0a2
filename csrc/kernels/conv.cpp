// The three convolution operators (see conv.h): argument checks, output geometry, and the choice
// between points of tiles, own rows, oneDNN and columns. Public names (conv2d, conv_transpose2d
// ...) are records.
#include "kernels/conv.h"

#include <algorithm>

#include "kernels/gemm.h"
#include "kernels/layouts.h"
#include "plan/call.h"
#include "plan/copy.h"
#include "plan/isa.h"

namespace rl {
namespace {

// Arguments after the operands: stride, padding, dilation, groups, starting at `at`.
void read_windows(const Call& c, int at, ConvGeometry& g) {
  for (int d = 0; d < 3; ++d) {
    g.stride[d] = g.dilation[d] = g.in[d] = g.out[d] = g.kernel[d] = 1;
    g.padding[d] = 0;
  }
  auto read = [&](int arg, const char* name, int64_t* to, int64_t least) {
    Sizes v = c.ints(arg);
    RL_CHECK(v.size() == 1 || static_cast<int>(v.size()) == g.dims, c.op, ": ", name, " must have ",
             g.dims, " elements, got ", v);
    for (int d = 0; d < g.dims; ++d) {
      to[3 - g.dims + d] = v[v.size() == 1 ? 0 : d];
      RL_CHECK(v[v.size() == 1 ? 0 : d] >= least, c.op, ": ", name, " must be at least ", least,
               ", got ", v);
    }
  };
  read(at, "stride", g.stride, 1);
  read(at + 1, "padding", g.padding, 0);
  read(at + 2, "dilation", g.dilation, 1);
  g.groups = c.integer(at + 3);
  RL_CHECK(g.groups > 0, c.op, ": groups must be positive, got ", g.groups);
}

int spatial_dims(const Call& c, const Tensor& t) {
  RL_CHECK(t.ndim >= 3 && t.ndim <= 5, c.op, ": expected a batched input with 1 to 3 spatial ",
           "dimensions, got shape ", t.sizes());
  return t.ndim - 2;
}

void spatial_sizes(const ConvGeometry& g, const Tensor& t, int64_t* to) {
  for (int d = 0; d < g.dims; ++d) to[3 - g.dims + d] = t.size(d + 2);
}

int64_t out_size(const ConvGeometry& g, int d) {
  int64_t room = g.in[d] + 2 * g.padding[d] - g.dilation[d] * (g.kernel[d] - 1) - 1;
  return room < 0 ? 0 : room / g.stride[d] + 1;
}

void check_pair(const Call& c, const Tensor& a, const Tensor& b) {
  RL_CHECK(a.dtype == b.dtype, c.op, ": input has dtype ", a.dtype, " and weight ", b.dtype,
           "; they should be the same");
  RL_CHECK(a.ndim == b.ndim, c.op, ": expected weight and input with the same number of ",
           "dimensions, got weight of shape ", b.sizes(), " and input of shape ", a.sizes());
}

void check_bias(const Call& c, const Tensor* bias, const Tensor& x, int64_t channels) {
  if (!bias) return;
  RL_CHECK(bias->ndim == 1 && bias->size(0) == channels, c.op, ": expected a bias of shape [",
           channels, "], got ", bias->sizes());
  RL_CHECK(bias->dtype == x.dtype, c.op, ": Input type (", x.dtype, ") and bias type (",
           bias->dtype, ") should be the same");
}

void check_weight(const Call& c, const Tensor& w, int64_t groups) {
  RL_CHECK(w.size(0) >= groups, c.op, ": given groups=", groups,
           ", expected a weight with at least as many entries in dimension 0, got shape ",
           w.sizes());
  for (int d = 2; d < w.ndim; ++d)
    RL_CHECK(w.size(d) > 0, c.op, ": expected a kernel with no size of 0, got shape ", w.sizes());
}

// The function that people call, for messages.
std::string named(const ConvGeometry& g) { return str("conv", g.dims, "d"); }

// _conv_forward(input, weight, bias, stride, padding, dilation, groups)
ConvGeometry forward_geometry(const Call& c) {
  Tensor &x = c.tensor(0), &w = c.tensor(1);
  ConvGeometry g;
  g.dims = spatial_dims(c, x);
  check_pair(c, x, w);
  read_windows(c, 3, g);
  check_weight(c, w, g.groups);
  g.batch = x.size(0);
  g.in_channels = x.size(1);
  g.out_channels = w.size(0);
  spatial_sizes(g, x, g.in);
  spatial_sizes(g, w, g.kernel);
  RL_CHECK(g.in_channels == w.size(1) * g.groups, named(g), ": Given groups=", g.groups,
           ", weight of size ", w.sizes(), ", expected input", x.sizes(), " to have ",
           w.size(1) * g.groups, " channels, but got ", g.in_channels, " channels instead");
  RL_CHECK(g.out_channels % g.groups == 0, named(g), ": out_channels ", g.out_channels,
           " must be divisible by groups ", g.groups);
  check_bias(c, c.tensor_or_null(2), x, g.out_channels);
  for (int d = 3 - g.dims; d < 3; ++d) {
    g.out[d] = out_size(g, d);
    RL_CHECK(g.out[d] > 0 || g.in[d] + 2 * g.padding[d] >= g.dilation[d] * (g.kernel[d] - 1) + 1,
             named(g),
             ": Calculated padded input size per channel is smaller than the kernel: input ",
             x.sizes(), ", kernel ", w.sizes(), ", padding ", g.padding[d], ", dilation ",
             g.dilation[d], ". Kernel size can't be greater than actual input size");
  }
  return g;
}

// _conv_input(grad, weight, bias, input_size, stride, padding, dilation, groups)
ConvGeometry input_geometry(const Call& c) {
  Tensor &y = c.tensor(0), &w = c.tensor(1);
  ConvGeometry g;
  g.dims = spatial_dims(c, y);
  check_pair(c, y, w);
  read_windows(c, 4, g);
  check_weight(c, w, g.groups);
  g.batch = y.size(0);
  g.out_channels = y.size(1);
  g.in_channels = w.size(1) * g.groups;
  spatial_sizes(g, y, g.out);
  spatial_sizes(g, w, g.kernel);
  Sizes space = c.ints(3);
  std::copy_n(space.begin(), g.dims, g.in + 3 - g.dims);
  RL_CHECK(w.size(0) == g.out_channels, c.op, ": given groups=", g.groups, ", weight of size ",
           w.sizes(), ", expected input", y.sizes(), " to have ", w.size(0), " channels, but got ",
           g.out_channels, " channels instead");
  RL_CHECK(g.out_channels % g.groups == 0, c.op, ": channels ", g.out_channels,
           " must be divisible by groups ", g.groups);
  check_bias(c, c.tensor_or_null(2), y, g.in_channels);
  for (int d = 3 - g.dims; d < 3; ++d)
    RL_CHECK(g.in[d] >= 0 && (out_size(g, d) >= g.out[d] || g.in[d] == 0), c.op,
             ": the output size per channel ", space, " does not fit input ", y.sizes(),
             ", kernel ", w.sizes(), " (stride ", g.stride[d], ", padding ", g.padding[d], ")");
  return g;
}

// _conv_weight(grad, input, kernel_size, stride, padding, dilation, groups)
ConvGeometry weight_geometry(const Call& c) {
  Tensor &y = c.tensor(0), &x = c.tensor(1);
  ConvGeometry g;
  g.dims = spatial_dims(c, x);
  check_pair(c, x, y);
  read_windows(c, 3, g);
  g.batch = x.size(0);
  g.in_channels = x.size(1);
  g.out_channels = y.size(1);
  spatial_sizes(g, x, g.in);
  spatial_sizes(g, y, g.out);
  Sizes kernel = c.ints(2);
  std::copy_n(kernel.begin(), g.dims, g.kernel + 3 - g.dims);
  return g;
}

// ---- layouts
bool wants_channels_last(const Tensor& images, const Tensor& weight) {
  return varies_channels_first(images) || varies_channels_first(weight);
}

OutSpec& add_activation(Call& c, const ConvGeometry& g, int64_t channels, const int64_t* space,
                        DType dtype, bool last) {
  SizeVec sizes = {g.batch, channels};
  sizes.insert(sizes.end(), space + 3 - g.dims, space + 3);
  OutSpec& s = c.add_out(sizes, dtype);
  if (last)
    s.strides =
        strides_for(sizes, g.dims == 3 ? MemoryFormat::ChannelsLast3d : MemoryFormat::ChannelsLast);
  return s;
}

void forward_infer(Call& c) {
  ConvGeometry g = forward_geometry(c);
  add_activation(c, g, g.out_channels, g.out, c.tensor(0).dtype,
                 wants_channels_last(c.tensor(0), c.tensor(1)));
}
void input_infer(Call& c) {
  ConvGeometry g = input_geometry(c);
  add_activation(c, g, g.in_channels, g.in, c.tensor(0).dtype,
                 wants_channels_last(c.tensor(0), c.tensor(1)));
}
void weight_infer(Call& c) {
  ConvGeometry g = weight_geometry(c);
  SizeVec sizes = {g.out_channels, g.in_channels / g.groups};
  sizes.insert(sizes.end(), g.kernel + 3 - g.dims, g.kernel + 3);
  OutSpec& s = c.add_out(sizes, c.tensor(0).dtype);
  keep_layout(c.tensor(1), s);
}

// ---- running
Ref<Tensor> in_layout(const Tensor& t, DType dtype, bool last) {
  if (!last) return contiguous_as(t, dtype);
  if (t.dtype == dtype && is_contiguous(t, last_format(t)) && t.numel)
    return Ref<Tensor>::share(const_cast<Tensor*>(&t));
  Ref<Tensor> out = empty_strided(t.sizes(), strides_for(t.sizes(), last_format(t)), dtype);
  copy_into(*out, t);
  return out;
}
// A place for the result: the output itself where its layout and dtype serve.
Ref<Tensor> result_in(Tensor& out, DType dtype, bool last) {
  bool serves =
      out.dtype == dtype && (last ? is_contiguous(out, last_format(out)) : out.contiguous);
  if (serves) return Ref<Tensor>::share(&out);
  return last ? empty_strided(out.sizes(), strides_for(out.sizes(), last_format(out)), dtype)
              : empty(out.sizes(), dtype);
}

struct Work {
  Ref<Tensor> x, w, y, bias;
};

ConvOperands operands(const Work& t, bool last) {
  SizeVec ws(t.w->strides().begin(), t.w->strides().end());
  return {t.x->raw(), t.w->raw(), t.y->raw(), t.bias ? t.bias->raw() : nullptr, ws, last};
}

// So few channels come out that most of oneDNN's vectors of them would be empty, and lines are wide
// enough for vectors of their own; in double precision, where columns are the only other way.
bool makes_few_channels(ConvPart part, const ConvGeometry& g, DType dtype, bool last) {
  constexpr int64_t kFew = 8, kFewer = 4, kWide = 12;
  bool whole = g.stride[0] * g.stride[1] * g.stride[2] == 1;
  if (g.kernel_numel() == 1) return false;
  if (dtype == DType::F64) return g.out_channels <= kFew;
  if (!whole || g.out[2] < kWide) return false;
  if (last) return part != ConvPart::Input && g.out_channels <= kFewer;
  return g.out_channels <= (part == ConvPart::Forward || machine_isa() >= 4 ? kFew : kFewer);
}
// Where the own rows are faster than oneDNN, which fills up its vectors of channels where few meet
// and has only plain loops for some gradients and for depthwise kernels between much padding, or
// sums in an order that depends on the threads.
// Measured with AVX2 and AVX-512. `last`: of channels-last tensors, which oneDNN reads as they are.
bool pays_directly(ConvPart part, const ConvGeometry& g, DType dtype, bool last) {
  constexpr int64_t kFew = 8;
  int64_t channels = g.in_channels / g.groups, outs = g.out_channels / g.groups;
  bool whole = g.stride[0] * g.stride[1] * g.stride[2] == 1;
  if (g.groups > 1 && (channels > kFew || outs > kFew)) return false;
  if (g.groups > 1 && channels == 1 && dtype == DType::F32) {
    if (part == ConvPart::Forward)
      return (outs > 1 && outs < kFew) || g.padding[2] > (machine_isa() >= 4 ? 6 : 4);
    return part == ConvPart::Weight || (whole && !last);
  }
  if (g.groups > 1 || channels == 1 || makes_few_channels(part, g, dtype, last)) return true;
  if (part == ConvPart::Input) return channels <= 4;
  if (part == ConvPart::Forward) return false;
  if (channels <= 4) return g.stride[2] <= 2;
  return whole && ((g.in[0] > 1 && channels <= 32) || g.dilation[2] > 1);
}
// Depthwise with a square kernel and stride 1, whose padding its gradient can do without.
bool is_depthwise(const ConvGeometry& g) {
  bool is = g.dims == 2 && g.groups > 1 && g.in_channels == g.groups && g.out_channels == g.groups;
  int64_t size = g.kernel[2];
  is &= size == 3 || size == 5 || size == 7;
  for (int d = 1; d < 3; ++d)
    is &= g.kernel[d] == size && g.stride[d] == 1 && g.dilation[d] == 1 &&
          g.padding[d] == g.padding[2] && g.padding[d] < size;
  return is;
}
// Gradients of depthwise convolutions with a small kernel, whose windows begin within an image or
// just before, that oneDNN has only plain loops for.
bool pays_by_channels(ConvPart part, const ConvGeometry& g) {
  constexpr int64_t kMostTaps = 7, kChannels = 8;
  bool pays = g.dims == 2 && g.groups >= kChannels && g.in_channels == g.groups &&
              g.out_channels == g.groups;
  for (int d = 1; d < 3; ++d)
    pays &= g.kernel[d] <= kMostTaps && g.padding[d] <= (g.kernel[d] - 1) * g.dilation[d];
  bool whole = g.stride[1] * g.stride[2] == 1, gaps = g.dilation[1] * g.dilation[2] > 1;
  return pays && (part == ConvPart::Weight || (part == ConvPart::Input && whole && gaps));
}
// Kernels of 2, 3 and 5 lines or, with stride 2, of 4 to 6; of 3 and 5 in a row; in three
// dimensions slices of them.
bool has_points(const ConvGeometry& g) {
  constexpr int64_t kMostTaps = 36;
  int64_t stride = g.stride[2], taps = (g.kernel[2] + stride - 1) / stride;  // of each parity
  bool is_line = g.kernel[1] == 1, is_whole = g.stride[0] * g.stride[1] * stride == 1;
  bool has = g.groups == 1 && g.kernel_numel() <= kMostTaps && g.dilation[0] == 1 &&
             g.padding[0] < g.kernel[0];
  has &= taps == 3 || (taps == 2 && !is_line) || (taps == 5 && is_whole);
  // Kernels of 3 with stride 2 meet one element of a parity: mostly zeros.
  has &= is_whole || (g.dims == 2 && stride == 2 && !is_line && g.kernel[2] > 3);
  for (int d = is_line ? 2 : 1; d < 3; ++d)
    has &= (g.kernel[d] + stride - 1) / stride == taps && g.stride[d] == stride &&
           g.padding[d] <= stride * (taps - 1);
  return has && g.dilation[1] * g.dilation[2] == 1 && (!is_line || g.padding[1] == 0);
}
// Where fewer multiplications are worth the transforms: enough channels, and tiles of 4 x 4 outputs
// (2 x 2 for kernels of 5, one line for those in a row) that are filled and enough for the
// transforms of the kernel. Measured with AVX2 and AVX-512.
bool pays_by_winograd(ConvPart part, const ConvGeometry& g) {
  constexpr int64_t kTiles = 8, kTilesOfLines = 128, kLongLine = 2048;
  if (!has_points(g)) return false;
  int64_t stride = g.stride[2], taps = (g.kernel[2] + stride - 1) / stride;
  int64_t side = taps == 5 ? 2 : 4, points = side + taps - 1;
  bool is_line = g.kernel[1] == 1;
  const int64_t channels = is_line ? 32 : 16;
  const int64_t* made = part == ConvPart::Input && stride == 1 ? g.in : g.out;
  auto tiles_along = [&](int d) { return (made[d] + side - 1) / side; };
  int64_t lines = is_line ? made[1] : tiles_along(1);
  int64_t tiles = g.batch * made[0] * lines * tiles_along(2);
  // What is gained by long lines of two outputs a tile is lost again where a line leaves the cache.
  if (is_line && taps == 5 && part != ConvPart::Weight && made[2] > kLongLine) return false;
  // Multiplications by way of points and otherwise, for each pair of channels.
  int64_t fewer = tiles * points * (is_line ? 1 : points) * stride * stride * g.kernel[0];
  int64_t plain = g.batch * g.out_numel() * g.kernel_numel();
  // Gradients are taken to the points once for each parity.
  int64_t fewest = part == ConvPart::Input ? channels * stride : channels;
  return g.in_channels >= fewest && g.out_channels >= channels && 3 * fewer <= 2 * plain &&
         tiles >= (is_line ? kTilesOfLines : kTiles * stride);
}

// Where products over columns are faster than oneDNN: the columns are the image, no element of a
// gradient's comes in two of them, the kernel is most of what is read, which oneDNN would reorder
// first, or all of it is less than the preparation.
bool pays_by_columns(ConvPart part, const ConvGeometry& g) {
  constexpr int64_t kMany = 512, kFew = 64, kLarge = 1 << 19, kSmall = 1 << 13, kSums = 1 << 23;
  bool once = true, plain = g.kernel_numel() == 1;
  for (int d = 0; d < 3; ++d) {
    once &= g.kernel[d] <= g.stride[d];
    plain &= g.stride[d] == 1 && g.padding[d] == 0;
  }
  int64_t places = g.batch * g.out_numel();
  int64_t weights = g.out_channels * g.in_channels * g.kernel_numel();
  bool own = g.batch == 1 || g.out_numel() >= kMany;
  // oneDNN shares the images of large gradients among threads, in other sums for each number.
  own |= part == ConvPart::Weight && places * weights > kSums;
  if (plain && own) return g.groups == 1;
  if (once && !plain && part != ConvPart::Forward) return g.groups == 1;
  return g.groups == 1 && (places * weights <= kSmall || (places <= kFew && weights >= kLarge));
}

// An own way to compute a convolution; `any_order`: it reads channels-last tensors as they are.
struct OwnWay {
  ConvFn run = nullptr;
  bool any_order = false;
};
OwnWay own_way(ConvPart part, const ConvGeometry& g, DType dtype, bool last) {
  static const auto* table =
      static_cast<const ConvDirect*>(best_registered(Registration::OfConvDirect));
  bool is_float = dtype == DType::F32;
  if (pays_by_winograd(part, g))
    return {is_float ? table->winograd_f32 : table->winograd_f64, true};
  if (is_depthwise(g) && !last) {
    // Lines that leave half of a vector empty are better left to oneDNN's vectors of channels.
    bool narrow = is_float && part != ConvPart::Weight && g.kernel[2] > 3 && g.out[2] < 8;
    return {narrow ? nullptr : is_float ? table->depthwise_f32 : table->depthwise_f64};
  }
  if (pays_by_channels(part, g))
    return {is_float ? table->channels_f32 : table->channels_f64, true};
  if (pays_directly(part, g, dtype, last)) return {is_float ? table->f32 : table->f64};
  return {};
}

// One computation: the given operands are read from the call, `out` takes the part that is
// computed.
struct Task {
  ConvPart part;
  const ConvGeometry& g;
  const Tensor *x, *w, *y, *bias;
  Tensor& out;
  bool last;
  DType dtype = widened(out.dtype);

  int64_t work() const {
    return g.batch * g.out_channels * g.out_numel() * (g.in_channels / g.groups) * g.kernel_numel();
  }
  // Tensors in the layout that is asked for; w as it is where any dense order serves.
  Work prepare(bool channels_last, bool any_weight) const {
    Work t;
    t.x = x ? in_layout(*x, dtype, channels_last) : result_in(out, dtype, channels_last);
    t.y = y ? in_layout(*y, dtype, channels_last) : result_in(out, dtype, channels_last);
    if (w && any_weight && is_dense(*w) && w->dtype == dtype)
      t.w = Ref<Tensor>::share(const_cast<Tensor*>(w));
    else
      t.w = w ? contiguous_as(*w, dtype) : result_in(out, dtype, false);
    if (bias) t.bias = contiguous_as(*bias, dtype);
    return t;
  }
  void finish(const Work& t) const {
    const Ref<Tensor>& made = part == ConvPart::Forward ? t.y : part == ConvPart::Input ? t.x : t.w;
    if (made.get() != &out) copy_into(out, *made);
  }

  bool by_own(const OwnWay& own) const {
    bool as_last = last && own.any_order;
    Work t = prepare(as_last, false);
    {
      Unlocked unlocked(work());
      if (!own.run(part, g, operands(t, as_last))) return false;
    }
    finish(t);
    return true;
  }
  bool by_dnnl() const {
    conv_dnnl_prepare();
    Work t = prepare(last, true);
    {
      Unlocked unlocked(work());
      if (!conv_dnnl(part, g, dtype, operands(t, last))) return false;
    }
    finish(t);
    return true;
  }
  void by_columns() const {
    Work t = prepare(false, false);
    gemm_prepare(dtype, INT64_MAX);
    {
      Unlocked unlocked(work());
      ConvOperands o = operands(t, false);
      o.kept = out.dtype;
      conv_columns(part, g, dtype, o);
    }
    finish(t);
  }
};

void compute(const Task& t);

// A kernel with gaps meets every so many lines: images of [N, C, H, W] whose lines are dealt out to
// [N, dilation, dilation, C, H / dilation, W / dilation].
Ref<Tensor> dealt(const Tensor& t, const int64_t* dilation) {
  int64_t y = dilation[1], x = dilation[2];
  Sizes st = t.strides();
  return alias(t, SizeVec{t.size(0), y, x, t.size(1), t.size(2) / y, t.size(3) / x},
               SizeVec{st[0], st[2], st[3], st[1], st[2] * y, st[3] * x}, t.offset);
}
Ref<Tensor> as_images(const Tensor& t) {
  SizeVec sizes = {t.size(0) * t.size(1) * t.size(2), t.size(3), t.size(4), t.size(5)};
  return alias(t, sizes, strides_for(sizes, MemoryFormat::Contiguous), t.offset);
}

// Convolves lines that were dealt out with a kernel without gaps, if that is worth it.
bool by_dealing(const Task& t) {
  ConvGeometry g = t.g;
  if (g.dims != 2 || g.dilation[1] * g.dilation[2] == 1 || g.stride[1] * g.stride[2] > 1)
    return false;
  for (int d = 1; d < 3; ++d) {
    int64_t by = std::exchange(g.dilation[d], 1);
    if (g.in[d] % by || g.padding[d] % by) return false;
    g.batch *= by, g.in[d] /= by, g.padding[d] /= by, g.out[d] /= by;
  }
  constexpr int64_t kChannels = 32;  // worth the dealing where oneDNN has more than plain loops
  bool enough = std::min(g.in_channels, g.out_channels) >= kChannels;
  if (!pays_by_winograd(t.part, g) || (!enough && t.part != ConvPart::Weight)) return false;
  auto apart = [&](const Tensor* images) {
    return images ? as_images(*contiguous(*dealt(*images, t.g.dilation))) : Ref<Tensor>();
  };
  Ref<Tensor> x = apart(t.x), y = apart(t.y);
  if (t.part == ConvPart::Weight) {
    compute({t.part, g, x.get(), nullptr, y.get(), nullptr, t.out, false});
    return true;
  }
  Ref<Tensor> to = dealt(t.out, t.g.dilation), out = empty(to->sizes(), t.out.dtype);
  compute({t.part, g, x.get(), t.w, y.get(), t.bias, *as_images(*out), false});
  copy_into(*to, *out);
  return true;
}

// oneDNN 3.2 leaves out elements of 16-bit kernels that only ever meet padding, and some of kernels
// with gaps.
bool safe_in_bfloat16(ConvPart part, const ConvGeometry& g) {
  bool whole = g.groups == 1;
  for (int d = 0; d < 3; ++d) whole &= g.dilation[d] == 1 && g.kernel[d] <= g.in[d];
  return g.dims < 3 && (whole || part != ConvPart::Weight);
}
// The same of gradients of three-dimensional kernels in float32.
bool safe_in_dnnl(ConvPart part, const ConvGeometry& g) {
  bool safe = true;
  for (int d = 0; d < 3; ++d)
    safe &= g.dilation[d] == 1 && g.kernel[d] <= g.in[d] && g.padding[d] < g.kernel[d];
  return safe || g.dims < 3 || part != ConvPart::Weight;
}
// As it is where the processor multiplies bfloat16: half the memory and up to twice the products.
bool by_bfloat16(Task t) {
  if (t.out.dtype != DType::BF16 || !multiplies_bfloat16()) return false;
  t.dtype = DType::BF16;
  return safe_in_bfloat16(t.part, t.g) && t.by_dnnl();
}

// Channels of lines by themselves are computed as images of one line: oneDNN has vectors for those.
bool by_images(const Task& t) {
  if (t.g.dims != 1 || t.g.groups == 1 || t.g.in_channels != t.g.groups) return false;
  ConvGeometry g = t.g;
  g.dims = 2;
  compute({t.part, g, t.x, t.w, t.y, t.bias, t.out, t.last, t.dtype});
  return true;
}

void compute(const Task& t) {
  if (by_images(t)) return;
  const ConvGeometry& g = t.g;
  bool any =
      t.out.numel && g.batch && g.in_channels && g.kernel_numel() && g.in_numel() && g.out_numel();
  if (any && by_bfloat16(t)) return;
  bool stepwise = t.part == ConvPart::Input && t.dtype != t.out.dtype;
  bool usual = any && !stepwise && (t.dtype == DType::F32 || t.dtype == DType::F64);
  if (usual && by_dealing(t)) return;
  OwnWay own = usual ? own_way(t.part, g, t.dtype, t.last) : OwnWay{};
  if (own.run && t.by_own(own)) return;
  bool columns = !usual || t.dtype != DType::F32 || (!t.last && pays_by_columns(t.part, g));
  columns |= !safe_in_dnnl(t.part, g);
  if (!columns && t.by_dnnl()) return;
  t.by_columns();
}

void forward_run(Call& c) {
  ConvGeometry g = forward_geometry(c);
  compute({ConvPart::Forward, g, &c.tensor(0), &c.tensor(1), nullptr, c.tensor_or_null(2), c.out(0),
           wants_channels_last(c.tensor(0), c.tensor(1))});
}

// out[:, c] += bias[c], for the transposed convolution.
void add_channel_bias(Tensor& out, const Tensor& bias) {
  int64_t inner = 1;
  for (int d = 2; d < out.ndim; ++d) inner *= out.size(d);
  Ref<Tensor> b = contiguous_as(bias, out.dtype), whole = contiguous(out);
  dispatch(out.dtype, [&]<class T>() {
    T *p = whole->data<T>(), *v = b->data<T>();
    int64_t channels = out.size(1), rows = out.size(0) * channels;
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t i = 0; i < inner; ++i)
        if constexpr (!std::is_same_v<T, bool>)
          p[r * inner + i] = static_cast<T>(p[r * inner + i] + v[r % channels]);
  });
  if (whole.get() != &out) copy_into(out, *whole);
}

void input_run(Call& c) {
  ConvGeometry g = input_geometry(c);
  compute({ConvPart::Input, g, nullptr, &c.tensor(1), &c.tensor(0), nullptr, c.out(0),
           wants_channels_last(c.tensor(0), c.tensor(1))});
  if (Tensor* bias = c.tensor_or_null(2)) add_channel_bias(c.out(0), *bias);
}

void weight_run(Call& c) {
  ConvGeometry g = weight_geometry(c);
  compute({ConvPart::Weight, g, &c.tensor(1), nullptr, &c.tensor(0), nullptr, c.out(0),
           varies_channels_first(c.tensor(1))});
}

RL_KERNEL("_conv_forward", forward_infer, forward_run);
RL_KERNEL("_conv_input", input_infer, input_run);
RL_KERNEL("_conv_weight", weight_infer, weight_run);

}  // namespace
}  // namespace rl
