// Convolution with kernels of 3 x 3 or 2 x 2 by way of points (Lavin and Gray, "Fast
// algorithms for convolutional neural networks", 2016: F(4 x 4, 3 x 3) and F(4 x 4, 2 x 2)). A tile
// of 4 x 4 outputs comes from 6 x 6 (5 x 5) elements; both and the kernel are taken to points at
// which the convolution is one product each, which is 36 (25) multiplications in place of 144 (64).
// Vectors hold channels, so tiles of any image are alike. The gradient of the input is the same
// with the kernel turned around, that of the kernel the transpose of it all.
//
// With stride 2 the lines and columns of each parity, of the image and of the kernel, make a
// convolution with stride 1, and there are four: their sum at the points is the output, and each
// has its part of the gradients. Kernels of 3 and 4 elements meet two of each parity, of 5 and 6
// three. Included by files compiled once per level.
#pragma once
#include "core/allocator.h"
#include "kernels/conv_points.h"
#include "kernels/conv_windows.h"
#include "kernels/gemm_tile.h"
#include "kernels/parts.h"
#include "plan/isa.h"
#include "plan/parallel.h"

namespace rl {
namespace RL_ISA_NS {
namespace {

// A transform of both sides of a square: put(r, c, value) of what at(r, c) gives.
template <class T, int From, int To, class Transform, class At, class Put>
[[gnu::always_inline]] inline void transform_square(Transform transform, At at, Put put) {
  using V = Vector<T>;
  V half[To][From];
#pragma GCC unroll 6
  for (int c = 0; c < From; ++c) {
    V in[From], out[To];
#pragma GCC unroll 6
    for (int r = 0; r < From; ++r) in[r] = at(r, c);
    transform(in, out);
#pragma GCC unroll 6
    for (int r = 0; r < To; ++r) half[r][c] = out[r];
  }
#pragma GCC unroll 6
  for (int r = 0; r < To; ++r) {
    V out[To];
    transform(half[r], out);
#pragma GCC unroll 6
    for (int c = 0; c < To; ++c) put(r, c, out[c]);
  }
}

// The lines and columns of an image that a parity, counted from -padding, has; and the outputs at
// (0, 0) meet what stands `pad` before the first of them.
template <class T>
struct Plane {
  Images<T> images;
  int64_t pad[2];
};
template <class T>
Plane<T> plane_of(const Images<T>& images, const ConvGeometry& g, int parity) {
  if (g.stride[2] == 1) return {images, {g.padding[1], g.padding[2]}};
  int64_t first[2], pad[2];
  for (int d = 0; d < 2; ++d) {
    int64_t odd = d ? parity % 2 : parity / 2;
    first[d] = (odd + g.padding[d + 1]) % 2;
    pad[d] = (first[d] + g.padding[d + 1] - odd) / 2;
  }
  return {images.half(first), {pad[0], pad[1]}};
}

template <class T, int Taps>
class Winograd {
  using At = Points<T, Taps>;
  static constexpr int kOut = 4, kIn = kOut + Taps - 1, kPoints = kIn * kIn;

 public:
  // Of the gradient of the input one parity is computed.
  Winograd(ConvPart part, const ConvGeometry& g, const ConvOperands& t, int parity)
      : part_(part),
        flip_(part == ConvPart::Input),
        batch_(g.batch),
        stride_(g.stride[2]),
        kernel_{g.kernel[1], g.kernel[2]},
        parity_(parity),
        to_{{static_cast<T*>(t.y), g.out_channels, g.out + 1, t.channels_last}, {}},
        w_(static_cast<T*>(t.w)),
        bias_(static_cast<const T*>(t.bias)) {
    Images<T> x(static_cast<T*>(t.x), g.in_channels, g.in + 1, t.channels_last);
    if (flip_) {
      from_.push_back(std::exchange(to_, plane_of(x, g, parity)));
      for (int d = 0; d < 2; ++d) from_[0].pad[d] = Taps - 1 - std::exchange(to_.pad[d], 0);
    } else {
      for (int i = 0; i < stride_ * stride_; ++i) from_.push_back(plane_of(x, g, i));
    }
    find_taps();
    high_ = (to_.images.size[0] + kOut - 1) / kOut;
    wide_ = (to_.images.size[1] + kOut - 1) / kOut;
    slivers_ = (to_.images.channels + kWidth<T> - 1) / kWidth<T>;
    plane_depth_ = (channels() + kLanes<T> - 1) / kLanes<T> * kLanes<T>;
    depth_ = plane_depth_ * planes();
    all_rows_ = batch_ * high_;
    int64_t most = kTiles / std::clamp<int64_t>(wide_, 1, kTiles);
    rows_ = std::clamp<int64_t>(all_rows_, 1, most);
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
  int64_t channels() const { return from_[0].images.channels; }
  int64_t planes() const { return from_.size(); }
  // Then a sliver of the kernel is used once, as soon as it is there and in the cache.
  bool is_one_block() const { return rows_ == all_rows_; }
  int64_t tiles(const Block& b) const { return (b.end - b.begin) * wide_; }
  // Between points: a line more than there is, or all would begin in the same set of the cache.
  int64_t element_step() const { return rows_ * wide_ * depth_ + kLine; }
  int64_t sum_step() const { return rows_ * wide_ * kWidth<T> + kLine; }
  int64_t kernel_step() const { return depth_ * kWidth<T> + kLine; }
  int64_t kernel_sliver() const { return kPoints * kernel_step(); }

  Window from_window(const Piece& p, const Plane<T>& of) const {
    return {p.image, p.row * kOut - of.pad[0], -of.pad[1], p.rows * kOut + Taps - 1,
            wide_ * kOut + Taps - 1};
  }
  Window to_window(const Piece& p) const {
    return {p.image, p.row * kOut, 0, p.rows * kOut, wide_ * kOut};
  }
  template <class F>
  void each_tile(const Piece& p, F f) const {
    for (int64_t y = 0; y < p.rows; ++y)
      for (int64_t x = 0; x < wide_; ++x) f(p.tile + y * wide_ + x, y, x);
  }

  // ---- the kernel's elements [out][in][high][wide]; vectors hold channels that are given
  int64_t taps() const { return kernel_[0] * kernel_[1]; }
  int64_t given_step() const { return flip_ ? taps() : channels() * taps(); }
  T* taps_at(int64_t given, int64_t taken) const {
    int64_t taken_step = flip_ ? to_.images.channels * taps() : taps();
    return w_ + given * given_step() + taken * taken_step;
  }
  int64_t lanes_from(int64_t given) const {
    return std::clamp<int64_t>(to_.images.channels - given, 0, kLanes<T>);
  }
  using Elements = T[6 * 6 + kLanes<T>][kLanes<T>];  // some more: whole squares are transposed
  void read_taps(int64_t given, int64_t taken, Elements& to) const {
    constexpr int64_t L = kLanes<T>;
    for (int64_t i = 0; i < taps(); i += L) {
      Vector<T> v[L] = {};
      for (int64_t l = 0; l < lanes_from(given); ++l)
        v[l] = load_some(taps_at(given + l, taken) + i, taps() - i);
      transpose(v);
      for (int64_t j = 0; j < std::min(L, taps() - i); ++j) store_vector<T>(to[i + j], v[j]);
    }
  }
  void write_taps(int64_t given, int64_t taken, const Elements& from) const {
    for (int64_t l = 0; l < lanes_from(given); ++l) {
      T* to = taps_at(given + l, taken);
      for (int64_t i = 0; i < taps(); ++i) to[i] = from[i][l];
    }
  }
  // The place of a plane's element among the taps, or -1 where the kernel has ended.
  int tap(int plane, int r, int i) const {
    int parity = flip_ ? parity_ : plane;
    if (flip_) r = Taps - 1 - r, i = Taps - 1 - i;
    if (stride_ == 2) r = 2 * r + parity / 2, i = 2 * i + parity % 2;
    return r < kernel_[0] && i < kernel_[1] ? r * static_cast<int>(kernel_[1]) + i : -1;
  }
  void find_taps() {
    for (int p = 0; p < planes(); ++p)
      for (int r = 0; r < Taps; ++r)
        for (int i = 0; i < Taps; ++i) tap_[p][r][i] = tap(p, r, i);
  }

  // [point][plane's channel][lane] of a sliver.
  void take_kernel(int64_t sliver, T* to) const {
    constexpr int64_t L = kLanes<T>;
    if (plane_depth_ > channels()) zero_rest(to);
    alignas(64) Elements taps;
    for (int64_t c = 0; c < channels(); ++c)
      for (int64_t half = 0; half < kWidth<T>; half += L) {
        read_taps(sliver * kWidth<T> + half, c, taps);
        for (int64_t p = 0; p < planes(); ++p)
          take_taps(taps, p, to + (p * plane_depth_ + c) * kWidth<T> + half);
      }
  }
  [[gnu::noinline]] void take_taps(const Elements& taps, int64_t plane, T* to) const {
    transform_square<T, Taps, kIn>(
        [](const auto& in, auto& out) { At::kernel(in, out); },
        [&](int r, int i) {
          int at = tap_[plane][r][i];
          return at < 0 ? Vector<T>{} : load_vector(taps[at]);
        },
        [&](int r, int i, Vector<T> v) { store_vector<T>(to + (r * kIn + i) * kernel_step(), v); });
  }
  // For channels that only fill a vector.
  void zero_rest(T* to) const {
    for (int64_t p = 0; p < kPoints * planes(); ++p)
      std::fill_n(to + p / planes() * kernel_step() +
                      (p % planes() * plane_depth_ + channels()) * kWidth<T>,
                  (plane_depth_ - channels()) * kWidth<T>, T(0));
  }

  // [point][tile][plane's channel].
  void take_elements(const Block& b, T* to) const {
    constexpr int64_t L = kLanes<T>;
    parallel_for(depth_ / L, 1, [&](int64_t begin, int64_t end) {
      each_piece(b, [&](const Piece& p) {
        for (int64_t c = begin * L; c < end * L; c += L) {
          const Plane<T>& plane = from_[c / plane_depth_];
          Window w = from_window(p, plane);
          Scratch<T> values(w.lines * w.width * L);
          read_window(plane.images, w, c % plane_depth_, values.data());
          each_tile(p, [&](int64_t tile, int64_t y, int64_t x) {
            take_points<kIn>([](const auto& in, auto& out) { At::elements(in, out); },
                             values.data() + (y * w.width + x) * kOut * L, w.width * L,
                             to + tile * depth_ + c, element_step());
          });
        }
      });
    });
  }
  // A tile's values, lines `line` apart, to the points, `step` apart.
  template <int Side, class Transform>
  [[gnu::noinline]] static void take_points(Transform transform, const T* from, int64_t line, T* to,
                                            int64_t step) {
    transform_square<T, Side, kIn>(
        transform, [&](int r, int i) { return load_vector(from + r * line + i * kLanes<T>); },
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
    for (int64_t k = 0; k < depth_; k += kDepth) {
      Strip<T> strip{
          nullptr, depth_, 1, kernel + k * kWidth<T>, kWidth<T>, std::min(kDepth, depth_ - k)};
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
      if (c >= to_.images.channels) break;
      Vector<T> bias = bias_ ? load_some(bias_ + c, to_.images.channels - c) : Vector<T>{};
      each_tile(p, [&](int64_t tile, int64_t y, int64_t x) {
        outputs(sums + tile * kWidth<T> + half, bias, values.data() + (y * w.width + x) * kOut * L,
                w.width * L);
      });
      write_window(to_.images, w, c, values.data());
    }
  }
  [[gnu::noinline]] void outputs(const T* from, Vector<T> bias, T* to, int64_t line) const {
    int64_t step = sum_step();
    transform_square<T, kIn, kOut>(
        [](const auto& in, auto& out) { At::outputs(in, out); },
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
      if (c >= to_.images.channels)
        std::fill_n(values.data(), w.lines * w.width * L, T(0));
      else
        read_window(to_.images, w, c, values.data());
      each_tile(p, [&](int64_t tile, int64_t y, int64_t x) {
        take_points<kOut>([](const auto& in, auto& out) { At::output_gradients(in, out); },
                          values.data() + (y * w.width + x) * kOut * L, w.width * L,
                          to + tile * kWidth<T> + half, sum_step());
      });
    }
  }
  // sums[channel][lane] (+)= elements[tile][channel] gradients[tile][lane].
  void add_products(int64_t tiles, const T* elements, const T* gradients, T* sums,
                    bool accumulate) const {
    EvenParts strips(depth_, kRows);
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
    alignas(64) Elements taps;
    for (int64_t c = 0; c < channels(); ++c)
      for (int64_t half = 0; half < kWidth<T>; half += L) {
        for (int64_t p = 0; p < planes(); ++p)
          give_taps(sums + (p * plane_depth_ + c) * kWidth<T> + half, p, taps);
        write_taps(sliver * kWidth<T> + half, c, taps);
      }
  }
  [[gnu::noinline]] void give_taps(const T* sums, int64_t plane, Elements& taps) const {
    transform_square<T, kIn, Taps>(
        [](const auto& in, auto& out) { At::kernel_gradients(in, out); },
        [&](int r, int i) { return load_vector(sums + (r * kIn + i) * kernel_step()); },
        [&](int r, int i, Vector<T> v) {
          int at = tap_[plane][r][i];
          if (at >= 0) store_vector<T>(taps[at], v);
        });
  }

  ConvPart part_;
  bool flip_;
  int64_t batch_, stride_, kernel_[2];
  int parity_, tap_[4][Taps][Taps];
  std::vector<Plane<T>> from_;
  Plane<T> to_;
  T* w_;
  const T* bias_;
  int64_t high_, wide_;  // tiles of an image
  int64_t slivers_;      // of channels that are given
  int64_t plane_depth_;  // channels that are taken, up to whole vectors
  int64_t depth_;        // those of all planes
  int64_t all_rows_;     // of tiles
  int64_t rows_;         // of them that are computed at a time
};

template <class T>
struct ByPoints {
  ConvPart part;
  const ConvGeometry& g;
  const ConvOperands& t;
  template <int Taps>
  void of() const {
    int parities = part == ConvPart::Input ? g.stride[1] * g.stride[2] : 1;
    for (int p = 0; p < parities; ++p) Winograd<T, Taps>(part, g, t, p).run();
  }
  void run() const { (g.kernel[2] + g.stride[2] - 1) / g.stride[2] == 3 ? of<3>() : of<2>(); }
};

}  // namespace
}  // namespace RL_ISA_NS
}  // namespace rl
