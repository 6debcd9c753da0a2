// Elements moved in patterns of their own: pixel_shuffle and its inverse, block_diag.
#include <algorithm>
#include <cstring>

#include "plan/copy.h"
#include "plan/isa.h"
#include "plan/parallel.h"

namespace rl {
namespace RL_ISA_NS {
namespace {

// ---- _pixel_unshuffle(input, factor): (*, C, H r, W r) to (*, C r^2, H, W)
void unshuffle_infer(Call& c) {
  const Tensor& x = c.tensor(0);
  const int64_t r = c.integer(1);
  RL_CHECK(x.ndim >= 3 && r > 0 && x.size(x.ndim - 1) % r == 0 && x.size(x.ndim - 2) % r == 0, c.op,
           ": factor ", r, " does not divide ", x.sizes());
  SizeVec sizes(x.sizes().begin(), x.sizes().end());
  sizes[x.ndim - 3] *= r * r;
  sizes[x.ndim - 2] /= r;
  sizes[x.ndim - 1] /= r;
  c.add_out(sizes, x.dtype);
}

// Every r-th of `count` elements.
template <class T, class R>
void take_every(const T* x, R r, T* out, int64_t count) {
  for (int64_t i = 0; i < count; ++i) out[i] = x[i * r];
}
template <class T>
void unshuffle(const T* x, T* out, int64_t planes, int64_t r, int64_t height, int64_t width) {
  const int64_t plane = height * width;
  // A plane of the result: the places (i, j) of squares of a plane of the input.
  parallel_for(planes * r * r, std::max<int64_t>(1, 16384 / plane), [=](int64_t b, int64_t e) {
    for (int64_t n = b; n < e; ++n) {
      const int64_t i = n / r % r, j = n % r;
      const T* from = x + n / (r * r) * plane * r * r + i * width * r + j;
      T* to = out + n * plane;
      for (int64_t h = 0; h < height; ++h, from += width * r * r, to += width)
        r == 2 ? take_every(from, std::integral_constant<int64_t, 2>(), to, width)
               : take_every(from, r, to, width);
    }
  });
}
void unshuffle_run(Call& c) {
  Tensor& out = c.out(0);
  if (!out.numel) return;
  Ref<Tensor> x = contiguous(c.tensor(0));
  const int64_t height = out.size(out.ndim - 2), width = out.size(out.ndim - 1);
  const int64_t r = c.integer(1), planes = out.numel / (height * width * r * r);
  Unlocked unlocked(out.numel);
  with_size(item_size(out.dtype), [&]<class T>() {
    unshuffle(static_cast<const T*>(x->raw()), static_cast<T*>(out.raw()), planes, r, height,
              width);
  });
}

// ---- _pixel_shuffle(input, factor): (*, C r^2, H, W) to (*, C, H r, W r)
void shuffle_infer(Call& c) {
  const Tensor& x = c.tensor(0);
  const int64_t r = c.integer(1);
  RL_CHECK(x.ndim >= 3 && r > 0, c.op, ": factor ", r, " does not fit ", x.sizes());
  const int64_t channels = x.size(x.ndim - 3);
  RL_CHECK(channels / r % r == 0 && channels % r == 0, c.op,
           " expects its input's 'channel' dimension to be divisible by the square of "
           "upscale_factor, but input.size(-3)=",
           channels, " is not divisible by ", r * r);
  SizeVec sizes(x.sizes().begin(), x.sizes().end());
  sizes[x.ndim - 3] /= r * r;
  sizes[x.ndim - 2] *= r;
  sizes[x.ndim - 1] *= r;
  c.add_out(sizes, x.dtype);
}

// Lines of `count` elements, `line` apart, an element of each in turn.
template <class T>
void interleave(const T* x, int64_t line, int64_t lines, T* out, int64_t count) {
  if (lines == 2)
    for (int64_t i = 0; i < count; ++i) out[2 * i] = x[i], out[2 * i + 1] = x[line + i];
  else
    for (int64_t j = 0; j < lines; ++j)
      for (int64_t i = 0; i < count; ++i) out[i * lines + j] = x[j * line + i];
}
template <class T>
void shuffle(const T* x, T* out, int64_t rows, int64_t r, int64_t height, int64_t width) {
  const int64_t plane = height * width;
  parallel_for(rows, std::max<int64_t>(1, 16384 / (width * r)), [=](int64_t b, int64_t e) {
    for (int64_t n = b; n < e; ++n) {
      const int64_t i = n % r, h = n / r % height, channel = n / r / height;
      interleave(x + (channel * r + i) * r * plane + h * width, plane, r, out + n * width * r,
                 width);
    }
  });
}
void shuffle_run(Call& c) {
  Tensor& out = c.out(0);
  if (!out.numel) return;
  Ref<Tensor> x = contiguous(c.tensor(0));
  const int64_t width = out.size(out.ndim - 1), height = x->size(x->ndim - 2);
  const int64_t r = c.integer(1);
  Unlocked unlocked(out.numel);
  with_size(item_size(out.dtype), [&]<class T>() {
    shuffle(static_cast<const T*>(x->raw()), static_cast<T*>(out.raw()), out.numel / width, r,
            height, width / r);
  });
}

// ---- _block_diag(blocks): matrices of one dtype
void block_diag_infer(Call& c) {
  auto blocks = c.tensors(0);
  SizeVec sizes{0, 0};
  for (const Tensor* b : blocks) {
    RL_CHECK(b->ndim == 2 && b->dtype == blocks[0]->dtype, c.op,
             ": expected matrices of one dtype");
    sizes[0] += b->size(0);
    sizes[1] += b->size(1);
  }
  RL_CHECK(!blocks.empty(), c.op, ": expected a non-empty list of matrices");
  c.add_out(sizes, blocks[0]->dtype);
}
void block_diag_run(Call& c) {
  Tensor& out = c.out(0);
  const auto item = static_cast<size_t>(item_size(out.dtype));
  const size_t row = static_cast<size_t>(out.size(1)) * item;
  char* to = static_cast<char*>(out.raw());
  size_t left = 0;
  for (Tensor* block : c.tensors(0)) {
    Ref<Tensor> b = contiguous(*block);
    const size_t bytes = static_cast<size_t>(b->size(1)) * item;
    const char* from = static_cast<const char*>(b->raw());
    for (int64_t i = 0; i < b->size(0); ++i, to += row, from += bytes) {
      std::memset(to, 0, left);
      if (bytes) std::memcpy(to + left, from, bytes);
      std::memset(to + left + bytes, 0, row - left - bytes);
    }
    left += bytes;
  }
}

RL_ISA_KERNEL("_pixel_shuffle", shuffle_infer, shuffle_run);
RL_ISA_KERNEL("_pixel_unshuffle", unshuffle_infer, unshuffle_run);
RL_ISA_KERNEL("_block_diag", block_diag_infer, block_diag_run);

}  // namespace
}  // namespace RL_ISA_NS
}  // namespace rl
