// Convolution with 3 x 3 kernels and stride 1 by way of thirty-six points (Lavin and Gray, "Fast
// algorithms for convolutional neural networks", 2016: F(4 x 4, 3 x 3)). A tile of 4 x 4 outputs
// comes from 6 x 6 elements; both and the kernel are taken to points at which the convolution is
// one product each, which is 36 multiplications in place of 144. Vectors hold channels, so tiles
// of any image are alike. The gradient of the input is the same with the kernel turned around,
// that of the kernel the transpose of it all. Included by files compiled once per level.
#pragma once
#include "core/allocator.h"
#include "kernels/conv_windows.h"
#include "kernels/gemm_tile.h"
#include "kernels/parts.h"
#include "plan/isa.h"
#include "plan/parallel.h"

namespace rl {
namespace RL_ISA_NS {
namespace {

constexpr int kOut = 4, kIn = 6, kPoints = kIn * kIn;

// ---- transforms of a line
// The points are 0, near, -near, far, -far and infinity. With near = 1 / far = sqrt(1/2) errors are
// about half of those with the usual 1 and 2; squares and most coefficients are exact.
template <class T>
constexpr T kNear = 0.707106781186547524400844362104849039L;
template <class T>
constexpr T kFar = 1.41421356237309504880168872420969808L;

template <class T>
struct Elements {  // values of an image's part -> at the points
  template <class V>
  static void apply(const V (&d)[6], V (&p)[6]) {
    V near = d[4] - 2 * d[2], far = d[4] - d[2] / 2;
    V near_odd = kNear<T> * (d[3] - 2 * d[1]), far_odd = kFar<T> * (d[3] - d[1] / 2);
    p[0] = d[0] - T(2.5) * d[2] + d[4];
    p[1] = near + near_odd, p[2] = near - near_odd;
    p[3] = far + far_odd, p[4] = far - far_odd;
    p[5] = d[1] - T(2.5) * d[3] + d[5];
  }
};
template <class T>
struct Outputs {  // sums at the points -> outputs
  template <class V>
  static void apply(const V (&m)[6], V (&y)[4]) {
    V near = m[1] + m[2], far = m[3] + m[4];
    V near_odd = kNear<T> * (m[1] - m[2]), far_odd = kFar<T> * (m[3] - m[4]);
    y[0] = m[0] + near + far;
    y[1] = near_odd + far_odd;
    y[2] = near / 2 + 2 * far;
    y[3] = near_odd / 2 + 2 * far_odd + m[5];
  }
};
template <class T>
struct OutputGradients {  // the transpose of Outputs
  template <class V>
  static void apply(const V (&y)[4], V (&m)[6]) {
    V near = y[0] + y[2] / 2, far = y[0] + 2 * y[2];
    V near_odd = kNear<T> * (y[1] + y[3] / 2), far_odd = kFar<T> * (y[1] + 2 * y[3]);
    m[0] = y[0];
    m[1] = near + near_odd, m[2] = near - near_odd;
    m[3] = far + far_odd, m[4] = far - far_odd;
    m[5] = y[3];
  }
};
template <class T>
struct Kernel {  // the kernel's elements -> at the points
  template <class V>
  static void apply(const V (&g)[3], V (&p)[6]) {
    V near = (g[0] + g[2] / 2) / T(-1.5), far = (g[0] + 2 * g[2]) / 6;
    V near_odd = kNear<T> / T(-1.5) * g[1], far_odd = kFar<T> / 6 * g[1];
    p[0] = g[0];
    p[1] = near + near_odd, p[2] = near - near_odd;
    p[3] = far + far_odd, p[4] = far - far_odd;
    p[5] = g[2];
  }
};
template <class T>
struct KernelGradients {  // the transpose of Kernel
  template <class V>
  static void apply(const V (&p)[6], V (&g)[3]) {
    V near = (p[1] + p[2]) / T(-1.5), far = (p[3] + p[4]) / 6;
    g[0] = p[0] + near + far;
    g[1] = kNear<T> / T(-1.5) * (p[1] - p[2]) + kFar<T> / 6 * (p[3] - p[4]);
    g[2] = near / 2 + 2 * far + p[5];
  }
};

// A transform of both sides of a square: put(r, c, value) of what at(r, c) gives.
template <class T, template <class> class Transform, int From, int To, class At, class Put>
[[gnu::always_inline]] inline void transform_square(At at, Put put) {
  using V = Vector<T>;
  V half[To][From];
#pragma GCC unroll 6
  for (int c = 0; c < From; ++c) {
    V in[From], out[To];
#pragma GCC unroll 6
    for (int r = 0; r < From; ++r) in[r] = at(r, c);
    Transform<T>::apply(in, out);
#pragma GCC unroll 6
    for (int r = 0; r < To; ++r) half[r][c] = out[r];
  }
#pragma GCC unroll 6
  for (int r = 0; r < To; ++r) {
    V out[To];
    Transform<T>::apply(half[r], out);
#pragma GCC unroll 6
    for (int c = 0; c < To; ++c) put(r, c, out[c]);
  }
}

// ---- the convolution
template <class T>
class Winograd {
 public:
  Winograd(ConvPart part, const ConvGeometry& g, const ConvOperands& t)
      : part_(part),
        flip_(part == ConvPart::Input),
        batch_(g.batch),
        pad_{g.padding[1], g.padding[2]},
        from_{static_cast<T*>(t.x), g.in_channels, {g.in[1], g.in[2]}, t.channels_last},
        to_{static_cast<T*>(t.y), g.out_channels, {g.out[1], g.out[2]}, t.channels_last},
        w_(static_cast<T*>(t.w)),
        bias_(static_cast<const T*>(t.bias)) {
    if (flip_) {
      std::swap(from_, to_);
      for (int64_t& pad : pad_) pad = 2 - pad;
    }
    high_ = (to_.size[0] + kOut - 1) / kOut;
    wide_ = (to_.size[1] + kOut - 1) / kOut;
    slivers_ = (to_.channels + kWidth<T> - 1) / kWidth<T>;
    depth_ = (from_.channels + kLanes<T> - 1) / kLanes<T> * kLanes<T>;
    all_rows_ = batch_ * high_;
    int64_t most = std::max<int64_t>(1, kTiles / wide_);
    rows_ = std::min(all_rows_, most);
    if (part != ConvPart::Weight && all_rows_ > most)  // blocks are shared by threads
      rows_ = std::min(most, (all_rows_ + num_threads() - 1) / num_threads());
  }

  void run() {
    if (part_ == ConvPart::Weight) return weight();
    Scratch<T> kernel(is_one_block() ? 0 : slivers_ * kernel_sliver());
    if (!is_one_block())
      parallel_for(slivers_, 1, [&](int64_t begin, int64_t end) {
        for (int64_t s = begin; s < end; ++s) take_kernel(s, kernel.data() + s * kernel_sliver());
      });
    int64_t blocks = (all_rows_ + rows_ - 1) / rows_;
    parallel_for(blocks, 1, [&](int64_t begin, int64_t end) {
      Scratch<T> elements(kPoints * element_step());
      for (int64_t b = begin; b < end; ++b) {
        Block block{b * rows_, std::min(all_rows_, (b + 1) * rows_)};
        take_elements(block, elements.data());
        give_outputs(block, elements.data(), kernel.data());
      }
    });
  }

 private:
  static constexpr int64_t kTiles = 48;  // about so many at a time, for the second-level cache
  static constexpr int64_t kGroup = 2;   // slivers whose sums are kept at a time
  static constexpr int64_t kDepth = 64;  // terms that are added in one go: few, for small errors
  static constexpr int64_t kLine = 64 / sizeof(T);

  // Rows of tiles, counted through all images; and those of one image.
  struct Block {
    int64_t begin, end;
  };
  struct Piece {
    int64_t image, row, rows, tile;  // tile: the first one's number in the block
  };
  template <class F>
  void each_piece(const Block& b, F f) const {
    for (int64_t row = b.begin; row < b.end;) {
      int64_t image = row / high_, end = std::min(b.end, (image + 1) * high_);
      f(Piece{image, row - image * high_, end - row, (row - b.begin) * wide_});
      row = end;
    }
  }
  // Then a sliver of the kernel is used once, as soon as it is there and in the cache.
  bool is_one_block() const { return rows_ == all_rows_; }
  int64_t tiles(const Block& b) const { return (b.end - b.begin) * wide_; }
  // Between points: a line more than there is, or all would begin in the same set of the cache.
  int64_t element_step() const { return rows_ * wide_ * depth_ + kLine; }
  int64_t sum_step() const { return rows_ * wide_ * kWidth<T> + kLine; }
  int64_t kernel_step() const { return from_.channels * kWidth<T> + kLine; }
  int64_t kernel_sliver() const { return kPoints * kernel_step(); }

  Window from_window(const Piece& p) const {
    return {p.image, p.row * kOut - pad_[0], -pad_[1], p.rows * kOut + 2, wide_ * kOut + 2};
  }
  Window to_window(const Piece& p) const {
    return {p.image, p.row * kOut, 0, p.rows * kOut, wide_ * kOut};
  }
  template <class F>
  void each_tile(const Piece& p, F f) const {
    for (int64_t y = 0; y < p.rows; ++y)
      for (int64_t x = 0; x < wide_; ++x) f(p.tile + y * wide_ + x, y, x);
  }

  // [point][channel][lane] of a sliver.
  void take_kernel(int64_t sliver, T* to) const {
    constexpr int64_t L = kLanes<T>;
    int64_t row = flip_ ? 9 : from_.channels * 9, step = flip_ ? to_.channels * 9 : 9;
    for (int64_t c = 0; c < from_.channels; ++c)
      for (int64_t half = 0; half < kWidth<T>; half += L) {
        int64_t first = sliver * kWidth<T> + half;
        alignas(64) T taps[9][L] = {};
        for (int64_t l = 0; l < std::min(L, to_.channels - first); ++l)
          for (int64_t i = 0; i < 9; ++i)
            taps[flip_ ? 8 - i : i][l] = w_[(first + l) * row + c * step + i];
        transform_square<T, Kernel, 3, kIn>(
            [&](int r, int i) { return load_vector(taps[r * 3 + i]); },
            [&](int r, int i, Vector<T> v) {
              store_vector<T>(to + (r * kIn + i) * kernel_step() + c * kWidth<T> + half, v);
            });
      }
  }

  // [point][tile][channel].
  void take_elements(const Block& b, T* to) const {
    constexpr int64_t L = kLanes<T>;
    parallel_for(depth_ / L, 1, [&](int64_t begin, int64_t end) {
      each_piece(b, [&](const Piece& p) {
        Window w = from_window(p);
        Scratch<T> values(w.lines * w.width * L);
        for (int64_t c = begin * L; c < end * L; c += L) {
          read_window(from_, w, c, values.data());
          each_tile(p, [&](int64_t tile, int64_t y, int64_t x) {
            take_points<Elements, kIn>(values.data() + (y * w.width + x) * kOut * L, w.width * L,
                                       to + tile * depth_ + c, element_step());
          });
        }
      });
    });
  }
  // A tile's values, lines `line` apart, to the points, `step` apart.
  template <template <class> class Transform, int Side>
  [[gnu::noinline]] static void take_points(const T* from, int64_t line, T* to, int64_t step) {
    transform_square<T, Transform, Side, kIn>(
        [&](int r, int i) { return load_vector(from + r * line + i * kLanes<T>); },
        [&](int r, int i, Vector<T> v) { store_vector<T>(to + (r * kIn + i) * step, v); });
  }

  void give_outputs(const Block& b, const T* elements, const T* kernel) const {
    parallel_for(slivers_, kGroup, [&](int64_t begin, int64_t end) {
      Scratch<T> sums(kGroup * kPoints * sum_step());
      Scratch<T> own(is_one_block() ? kGroup * kernel_sliver() : 0);
      for (int64_t s = begin; s < end; s += kGroup) {
        int64_t n = std::min(kGroup, end - s);
        const T* taken = is_one_block() ? own.data() : kernel + s * kernel_sliver();
        if (is_one_block())
          for (int64_t i = 0; i < n; ++i) take_kernel(s + i, own.data() + i * kernel_sliver());
        for (int64_t p = 0; p < kPoints; ++p)
          for (int64_t i = 0; i < n; ++i)
            multiply(tiles(b), elements + p * element_step(),
                     taken + i * kernel_sliver() + p * kernel_step(),
                     sums.data() + (i * kPoints + p) * sum_step());
        for (int64_t i = 0; i < n; ++i)
          each_piece(b, [&](const Piece& p) {
            give_sliver(p, s + i, sums.data() + i * kPoints * sum_step());
          });
      }
    });
  }
  // sums[tile][lane] = elements[tile][channel] kernel[channel][lane].
  void multiply(int64_t tiles, const T* elements, const T* kernel, T* sums) const {
    EvenParts strips(tiles, kRows);
    for (int64_t k = 0; k < from_.channels; k += kDepth) {
      Strip<T> strip{nullptr,   depth_,
                     1,         kernel + k * kWidth<T>,
                     kWidth<T>, std::min(kDepth, from_.channels - k)};
      for (int64_t i = 0; i < strips.count; ++i) {
        strip.a = elements + strips.begin(i) * depth_ + k;
        with_number<kRows>(strips.size(i), [&]<int R>() {
          tile<T, R>(strip, false, sums + strips.begin(i) * kWidth<T>, kWidth<T>, k > 0);
        });
      }
    }
  }
  void give_sliver(const Piece& p, int64_t sliver, const T* sums) const {
    constexpr int64_t L = kLanes<T>;
    Window w = to_window(p);
    Scratch<T> values(w.lines * w.width * L);
    for (int64_t half = 0; half < kWidth<T>; half += L) {
      int64_t c = sliver * kWidth<T> + half;
      if (c >= to_.channels) break;
      Vector<T> bias = bias_ ? load_some(bias_ + c, to_.channels - c) : Vector<T>{};
      each_tile(p, [&](int64_t tile, int64_t y, int64_t x) {
        outputs(sums + tile * kWidth<T> + half, bias, values.data() + (y * w.width + x) * kOut * L,
                w.width * L);
      });
      write_window(to_, w, c, values.data());
    }
  }
  [[gnu::noinline]] void outputs(const T* from, Vector<T> bias, T* to, int64_t line) const {
    int64_t step = sum_step();
    transform_square<T, Outputs, kIn, kOut>(
        [&](int r, int i) { return load_vector(from + (r * kIn + i) * step); },
        [&](int r, int i, Vector<T> v) {
          store_vector<T>(to + r * line + i * kLanes<T>, v + bias);
        });
  }

  // ---- the gradient of the kernel
  void weight() const {
    Scratch<T> kept(is_one_block() ? 0 : slivers_ * kernel_sliver());
    Scratch<T> elements(kPoints * element_step());
    for (int64_t row = 0; row < all_rows_; row += rows_) {
      Block b{row, std::min(all_rows_, row + rows_)};
      take_elements(b, elements.data());
      parallel_for(slivers_, 1, [&](int64_t begin, int64_t end) {
        Scratch<T> gradients(kPoints * sum_step()), own(is_one_block() ? kernel_sliver() : 0);
        for (int64_t s = begin; s < end; ++s) {
          T* sums = is_one_block() ? own.data() : kept.data() + s * kernel_sliver();
          each_piece(b, [&](const Piece& p) { take_gradients(p, s, gradients.data()); });
          for (int64_t p = 0; p < kPoints; ++p)
            add_products(tiles(b), elements.data() + p * element_step(),
                         gradients.data() + p * sum_step(), sums + p * kernel_step(), row > 0);
          if (b.end == all_rows_) give_kernel(s, sums);
        }
      });
    }
  }
  void take_gradients(const Piece& p, int64_t sliver, T* to) const {
    constexpr int64_t L = kLanes<T>;
    Window w = to_window(p);
    Scratch<T> values(w.lines * w.width * L);
    for (int64_t half = 0; half < kWidth<T>; half += L) {
      int64_t c = sliver * kWidth<T> + half;
      if (c >= to_.channels)
        std::fill_n(values.data(), w.lines * w.width * L, T(0));
      else
        read_window(to_, w, c, values.data());
      each_tile(p, [&](int64_t tile, int64_t y, int64_t x) {
        take_points<OutputGradients, kOut>(values.data() + (y * w.width + x) * kOut * L,
                                           w.width * L, to + tile * kWidth<T> + half, sum_step());
      });
    }
  }
  // sums[channel][lane] (+)= elements[tile][channel] gradients[tile][lane].
  void add_products(int64_t tiles, const T* elements, const T* gradients, T* sums,
                    bool accumulate) const {
    EvenParts strips(from_.channels, kRows);
    Strip<T> strip{nullptr, 1, depth_, gradients, kWidth<T>, tiles};
    for (int64_t i = 0; i < strips.count; ++i) {
      strip.a = elements + strips.begin(i);
      with_number<kRows>(strips.size(i), [&]<int R>() {
        tile<T, R>(strip, false, sums + strips.begin(i) * kWidth<T>, kWidth<T>, accumulate);
      });
    }
  }
  void give_kernel(int64_t sliver, const T* sums) const {
    constexpr int64_t L = kLanes<T>;
    for (int64_t c = 0; c < from_.channels; ++c)
      for (int64_t half = 0; half < kWidth<T>; half += L) {
        int64_t first = sliver * kWidth<T> + half;
        alignas(64) T taps[9][L];
        transform_square<T, KernelGradients, kIn, 3>(
            [&](int r, int i) {
              return load_vector(sums + (r * kIn + i) * kernel_step() + c * kWidth<T> + half);
            },
            [&](int r, int i, Vector<T> v) { store_vector<T>(taps[r * 3 + i], v); });
        for (int64_t l = 0; l < std::min(L, to_.channels - first); ++l)
          for (int64_t i = 0; i < 9; ++i)
            w_[((first + l) * from_.channels + c) * 9 + i] = taps[i][l];
      }
  }

  ConvPart part_;
  bool flip_;
  int64_t batch_, pad_[2];
  Images<T> from_, to_;
  T* w_;
  const T* bias_;
  int64_t high_, wide_;  // tiles of an image
  int64_t slivers_;      // of channels that are given
  int64_t depth_;        // channels that are taken, up to whole vectors
  int64_t all_rows_;     // of tiles
  int64_t rows_;         // of them that are computed at a time
};

}  // namespace
}  // namespace RL_ISA_NS
}  // namespace rl
