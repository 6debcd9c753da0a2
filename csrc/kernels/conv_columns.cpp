// Convolution as matrix products over unfolded columns: the reference path, and the one for
// dtypes that oneDNN does not compute in (float64, complex, integers) and few or small kernels.
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

// A few images at a time, so that the columns are enough for the product to be worth its packing:
// per group of channels x [C, in] of each, w [O, C*K], y [O, out] of each, columns [C*K, outs].
template <class T>
class Columns {
 public:
  Columns(ConvPart part, const ConvGeometry& g, const ConvOperands& t)
      : part_(part),
        g_(g),
        kept_(t.kept),
        channels_(g.in_channels / g.groups),
        outs_(g.out_channels / g.groups),
        taps_(channels_ * g.kernel_numel()),
        cells_(g.out_numel()),
        x_(static_cast<T*>(t.x)),
        w_(static_cast<T*>(t.w)),
        y_(static_cast<T*>(t.y)) {
    at_once_ = std::clamp<int64_t>(kEnough / std::max<int64_t>(1, cells_), 1,
                                   std::max<int64_t>(1, g.batch));
    for (int d = 0; d < 3; ++d) plain_ &= g.kernel[d] == 1 && g.stride[d] == 1 && g.padding[d] == 0;
  }

  void run() const {
    int64_t blocks = (g_.batch + at_once_ - 1) / at_once_;
    if (part_ == ConvPart::Weight && g_.batch == 0) std::fill_n(w_, g_.out_channels * taps_, T{});
    // Products of few images share the threads, and so do those that are added up.
    bool apart = part_ != ConvPart::Weight && blocks >= 2 * num_threads();
    parallel_for(blocks, apart ? 1 : blocks, [&](int64_t begin, int64_t end) {
      Scratch<T> columns(needs_columns() ? taps_ * at_once_ * cells_ : 0);
      Scratch<T> joined(at_once_ > 1 ? outs_ * at_once_ * cells_ : 0);
      for (int64_t b = begin; b < end; ++b)
        for (int64_t k = 0; k < g_.groups; ++k) {
          int64_t image = b * at_once_;
          one_group(
              {image, std::min(at_once_, g_.batch - image), k, columns.data(), joined.data()});
        }
    });
  }

 private:
  static constexpr int64_t kEnough = 512;  // columns of a product

  struct Block {
    int64_t image, images, group;
    T *columns, *joined;
  };
  // Of a kernel of one element the columns of an image are the image.
  bool needs_columns() const { return !plain_ || at_once_ > 1; }

  T* x_at(const Block& b, int64_t n) const {
    return x_ + ((b.image + n) * g_.in_channels + b.group * channels_) * g_.in_numel();
  }
  T* y_at(const Block& b, int64_t n) const {
    return y_ + ((b.image + n) * g_.out_channels + b.group * outs_) * cells_;
  }
  // Outputs of several images side by side, and back.
  template <class Copy>
  void each_run(const Block& b, Copy copy) const {
    parallel_for(outs_, 1 + 32768 / (1 + b.images * cells_), [&](int64_t begin, int64_t end) {
      for (int64_t o = begin; o < end; ++o)
        for (int64_t n = 0; n < b.images; ++n)
          copy(y_at(b, n) + o * cells_, b.joined + (o * b.images + n) * cells_);
    });
  }
  void unfold_images(const Block& b) const {
    for (int64_t n = 0; n < b.images; ++n)
      unfold(g_, channels_, x_at(b, n), b.columns + n * cells_, b.images * cells_);
  }

  void one_group(const Block& b) const {
    int64_t count = b.images * cells_;
    bool join = b.images > 1;
    T* columns = needs_columns() ? b.columns : x_at(b, 0);
    T* y = join ? b.joined : y_at(b, 0);
    T* w = w_ + b.group * outs_ * taps_;
    Matrix mw{w, outs_, taps_, taps_, 1}, my{y, outs_, count, count, 1};
    Matrix mc{columns, taps_, count, count, 1};
    if (part_ != ConvPart::Input && needs_columns()) unfold_images(b);
    if (part_ != ConvPart::Forward && join)
      each_run(b, [&](T* of_image, T* of_all) { std::copy_n(of_image, cells_, of_all); });
    if (part_ == ConvPart::Forward) gemm(dtype_of<T>, mw, mc, y, count, false);
    if (part_ == ConvPart::Weight) gemm(dtype_of<T>, my, transposed(mc), w, taps_, b.image > 0);
    if (part_ == ConvPart::Input) gemm(dtype_of<T>, transposed(mw), my, columns, count, false);
    if (part_ == ConvPart::Forward && join)
      each_run(b, [&](T* of_image, T* of_all) { std::copy_n(of_all, cells_, of_image); });
    if (part_ == ConvPart::Input && needs_columns()) fold_images(b);
  }
  void fold_images(const Block& b) const {
    with_kept<T>(kept_, [&]<class S>() {
      for (int64_t n = 0; n < b.images; ++n)
        fold<S>(g_, channels_, b.columns + n * cells_, b.images * cells_, x_at(b, n));
    });
  }

  ConvPart part_;
  const ConvGeometry& g_;
  DType kept_;
  int64_t channels_, outs_, taps_, cells_, at_once_;
  bool plain_ = true;
  T *x_, *w_, *y_;
};

template <class T>
void run(ConvPart part, const ConvGeometry& g, const ConvOperands& t) {
  Columns<T>(part, g, t).run();
  if (t.bias) add_bias(g, static_cast<const T*>(t.bias), static_cast<T*>(t.y));
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
