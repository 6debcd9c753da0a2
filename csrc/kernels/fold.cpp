// The sliding blocks of images as columns, and their sums back into images: `_unfold` and `_fold`,
// each other's gradients. The loops are in columns.h; the public names and their checks of
// arguments are records.
#include "kernels/columns.h"
#include "plan/call.h"
#include "plan/copy.h"

namespace rl {
namespace {

// A contiguous place for the result: the output itself where it is one.
Ref<Tensor> contiguous_place(Tensor& out) {
  return out.contiguous ? Ref<Tensor>::share(&out) : empty(out.sizes(), out.dtype);
}

// Arguments from `at` on: kernel_size, dilation, padding, stride, two numbers each.
ConvGeometry block_geometry(const Call& c, int at, int64_t height, int64_t width) {
  ConvGeometry g{.batch = 1, .in_channels = 1, .out_channels = 1, .groups = 1};
  auto read = [&](int arg, int64_t least, int64_t* to) {
    Sizes v = c.ints(arg);
    RL_CHECK(v.size() == 2 && v[0] >= least && v[1] >= least, c.op,
             ": expected two numbers of at least ", least, ", got ", v);
    to[0] = least, to[1] = v[0], to[2] = v[1];
  };
  read(at, 1, g.kernel);
  read(at + 1, 1, g.dilation);
  read(at + 2, 0, g.padding);
  read(at + 3, 1, g.stride);
  g.in[0] = g.out[0] = 1, g.in[1] = height, g.in[2] = width;
  for (int d = 1; d < 3; ++d) {
    int64_t room = g.in[d] + 2 * g.padding[d] - g.dilation[d] * (g.kernel[d] - 1) - 1;
    g.out[d] = room < 0 ? 0 : room / g.stride[d] + 1;
  }
  return g;
}

// _unfold(self, kernel_size, dilation, padding, stride)
ConvGeometry unfold_geometry(const Call& c) {
  const Tensor& x = c.tensor(0);
  RL_CHECK(x.ndim == 4, c.op, ": expected images (N, C, H, W), got shape ", x.sizes());
  return block_geometry(c, 1, x.size(2), x.size(3));
}
void unfold_infer(Call& c) {
  const Tensor& x = c.tensor(0);
  ConvGeometry g = unfold_geometry(c);
  c.add_out(SizeVec{x.size(0), x.size(1) * g.kernel_numel(), g.out_numel()}, x.dtype);
}
void unfold_run(Call& c) {
  ConvGeometry g = unfold_geometry(c);
  Tensor& out = c.out(0);
  Ref<Tensor> x = contiguous(c.tensor(0)), columns = contiguous_place(out);
  Unlocked unlocked(out.numel);
  with_size(item_size(out.dtype), [&]<class T>() {
    unfold(g, x->size(0) * x->size(1), static_cast<const T*>(x->raw()),
           static_cast<T*>(columns->raw()), g.out_numel());
  });
  if (columns.get() != &out) copy_into(out, *columns);
}

// _fold(self, output_size, kernel_size, dilation, padding, stride)
ConvGeometry fold_geometry(const Call& c) {
  const Tensor& x = c.tensor(0);
  Sizes size = c.ints(1);
  RL_CHECK(x.ndim == 3 && size.size() == 2, c.op, ": expected columns (N, C KH KW, L) and a ",
           "height and a width, got shape ", x.sizes(), " and ", size);
  return block_geometry(c, 2, size[0], size[1]);
}
void fold_infer(Call& c) {
  const Tensor& x = c.tensor(0);
  ConvGeometry g = fold_geometry(c);
  RL_CHECK(x.size(1) % g.kernel_numel() == 0 && x.size(2) == g.out_numel(), c.op,
           ": expected columns of shape (N, C * ", g.kernel_numel(), ", ", g.out_numel(), "), got ",
           x.sizes());
  c.add_out(SizeVec{x.size(0), x.size(1) / g.kernel_numel(), g.in[1], g.in[2]}, x.dtype);
}
void fold_run(Call& c) {
  ConvGeometry g = fold_geometry(c);
  Tensor& out = c.out(0);
  Ref<Tensor> columns = contiguous(c.tensor(0)), x = contiguous_place(out);
  Unlocked unlocked(columns->numel);
  dispatch(out.dtype, [&]<class T>() {
    fold<T>(g, out.size(0) * out.size(1), columns->data<T>(), g.out_numel(), x->data<T>());
  });
  if (x.get() != &out) copy_into(out, *x);
}

RL_KERNEL("_unfold", unfold_infer, unfold_run);
RL_KERNEL("_fold", fold_infer, fold_run);

}  // namespace
}  // namespace rl
