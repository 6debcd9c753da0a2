// Convolution with kernels of 3 x 3, 2 x 2 or 5 x 5 by way of points (Lavin and Gray, "Fast
// algorithms for convolutional neural networks", 2016: F(4 x 4, 3 x 3), F(4 x 4, 2 x 2) and F(2 x
// 2, 5 x 5), and for kernels of one line the same without the other dimension). A tile of 4 x 4
// outputs comes from 6 x 6 (5 x 5) elements; both and the kernel are taken to points at which the
// convolution is one product each, which is 36 (25) multiplications in place of 144 (64). Vectors
// hold channels, so tiles of any image are alike. The gradient of the input is the same with the
// kernel turned around, that of the kernel the transpose of it all.
//
// With stride 2 the lines and columns of each parity, of the image and of the kernel, make a
// convolution with stride 1, and there are four: their sum at the points is the output, and each
// has its part of the gradients. Kernels of 3 and 4 elements meet two of each parity, of 5 and 6
// three.
//
// In three dimensions slices of the kernel are as many such convolutions whose sums meet at the
// points: slices of the image are taken to them once for all of these.
// Included by files compiled once per level.
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

// A transform of both sides of a square, or of a line: put(r, c, value) of what at(r, c) gives.
template <class T, int From, int To, bool IsLine, class Transform, class At, class Put>
[[gnu::always_inline]] inline void transform_square(Transform transform, At at, Put put) {
  using V = Vector<T>;
  if constexpr (IsLine) {
    V in[From], out[To];
#pragma GCC unroll 6
    for (int c = 0; c < From; ++c) in[c] = at(0, c);
    transform(in, out);
#pragma GCC unroll 6
    for (int c = 0; c < To; ++c) put(0, c, out[c]);
    return;
  }
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

template <class T, int Taps, bool IsLine>
class Winograd {
  using At = Points<T, Taps>;
  static constexpr int kOut = At::kOut, kIn = kOut + Taps - 1;
  static constexpr int kHigh = IsLine ? 1 : kOut, kHighTaps = IsLine ? 1 : Taps;  // of lines
  static constexpr int kPoints = IsLine ? kIn : kIn * kIn, kMostTaps = 36;

 public:
  // Of the gradient of the input one parity is computed.
  Winograd(ConvPart part, const ConvGeometry& g, const ConvOperands& t, int parity)
      : part_(part),
        flip_(part == ConvPart::Input),
        batch_(g.batch),
        stride_(g.stride[2]),
        kernel_{g.kernel[0], g.kernel[1], g.kernel[2]},
        before_(g.padding[0]),
        parity_(parity),
        to_{{static_cast<T*>(t.y), g.out_channels, g.out, t.channels_last}, {}},
        w_(static_cast<T*>(t.w)),
        bias_(static_cast<const T*>(t.bias)) {
    Images<T> x(static_cast<T*>(t.x), g.in_channels, g.in, t.channels_last);
    if (flip_) {
      from_.push_back(std::exchange(to_, plane_of(x, g, parity)));
      for (int d = 0; d < 2; ++d)
        from_[0].pad[d] = (d ? Taps : kHighTaps) - 1 - std::exchange(to_.pad[d], 0);
      before_ = kernel_[0] - 1 - before_;
    } else {
      for (int i = 0; i < stride_ * stride_; ++i) from_.push_back(plane_of(x, g, i));
    }
    parts_ = planes() * kernel_[0];
    find_taps();
    high_ = (to_.images.size[0] + kHigh - 1) / kHigh;
    wide_ = (to_.images.size[1] + kOut - 1) / kOut;
    slivers_ = (to_.images.channels + kWidth<T> - 1) / kWidth<T>;
    plane_depth_ = (channels() + kLanes<T> - 1) / kLanes<T> * kLanes<T>;
    depth_ = plane_depth_ * planes();
    choose_slices();
    all_rows_ = batch_ * stacks_ * high_;
    int64_t most = kTiles / std::clamp<int64_t>(wide_ * slices_, 1, kTiles);
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
  static constexpr int64_t kTiles = 48 * 36 / kPoints;  // at a time, for the second-level cache
  static constexpr int64_t kStack = 4;  // slices at least, where kernels have several
  static constexpr int64_t kMostParts = std::max(4, kMostTaps / (kHighTaps * Taps));
  static constexpr int64_t kGroup = 2;   // slivers whose sums are kept at a time
  static constexpr int64_t kDepth = 64;  // terms that are added in one go: few, for small errors
  static constexpr int64_t kLine = 64 / sizeof(T);

  // Neighbours share slices of what is taken, so stacks are high where the cache allows it.
  void choose_slices() {
    int64_t all = to_.images.slices;
    int64_t most = kernel_[0] == 1 ? 1 : std::max<int64_t>(kStack, 2 * kTiles / (wide_ + 1));
    stacks_ = (all + most - 1) / most;
    slices_ = (all + stacks_ - 1) / stacks_;
  }

  // Rows of tiles, each as deep as a stack, counted through all stacks; and those of one stack.
  struct Block {
    int64_t begin, end;
  };
  struct Piece {
    int64_t image, slice, row, rows;
    int64_t tile, tiles;  // the first one's number in the block; those of the block in a slice
  };
  template <class F>
  void each_piece(const Block& b, F f) const {
    for (int64_t row = b.begin; row < b.end;) {
      int64_t stack = row / high_, end = std::min(b.end, (stack + 1) * high_);
      f(Piece{stack / stacks_, stack % stacks_ * slices_, row - stack * high_, end - row,
              (row - b.begin) * wide_, tiles(b)});
      row = end;
    }
  }
  int64_t channels() const { return from_[0].images.channels; }
  int64_t planes() const { return from_.size(); }
  // Then a sliver of the kernel is used once, as soon as it is there and in the cache.
  bool is_one_block() const { return rows_ == all_rows_; }
  int64_t tiles(const Block& b) const { return (b.end - b.begin) * wide_; }
  // For a stack; slice z of the kernel meets the z-th and those that follow it.
  int64_t taken_slices() const { return kernel_[0] + slices_ - 1; }
  // Between points: a line more than there is, or all would begin in the same set of the cache.
  int64_t element_step() const { return rows_ * wide_ * taken_slices() * depth_ + kLine; }
  int64_t sum_step() const { return rows_ * wide_ * slices_ * kWidth<T> + kLine; }
  int64_t kernel_step() const { return kernel_[0] * depth_ * kWidth<T> + kLine; }
  int64_t kernel_sliver() const { return kPoints * kernel_step(); }

  Window from_window(const Piece& p, const Plane<T>& of) const {
    return {p.image, p.row * kHigh - of.pad[0], -of.pad[1], p.rows * kHigh + kHighTaps - 1,
            wide_ * kOut + Taps - 1};
  }
  Window to_window(const Piece& p) const {
    return {p.image, p.row * kHigh, 0, p.rows * kHigh, wide_ * kOut};
  }
  template <class F>
  void each_tile(const Piece& p, F f) const {
    for (int64_t y = 0; y < p.rows; ++y)
      for (int64_t x = 0; x < wide_; ++x) f(p.tile + y * wide_ + x, y, x);
  }

  // ---- the kernel's elements [out][in][deep][high][wide]; vectors hold channels that are given
  int64_t taps() const { return kernel_[0] * kernel_[1] * kernel_[2]; }
  int64_t given_step() const { return flip_ ? taps() : channels() * taps(); }
  T* taps_at(int64_t given, int64_t taken) const {
    int64_t taken_step = flip_ ? to_.images.channels * taps() : taps();
    return w_ + given * given_step() + taken * taken_step;
  }
  int64_t lanes_from(int64_t given) const {
    return std::clamp<int64_t>(to_.images.channels - given, 0, kLanes<T>);
  }
  // A sliver that has channels in its first vector only.
  bool is_narrow(int64_t sliver) const { return lanes_from(sliver * kWidth<T> + kLanes<T>) == 0; }
  int64_t lanes_of(int64_t sliver) const { return is_narrow(sliver) ? kLanes<T> : kWidth<T>; }
  template <int R>
  static void one_tile(const Strip<T>& s, bool narrow, T* to, bool accumulate) {
    narrow ? tile<T, R, 1>(s, false, to, kWidth<T>, accumulate)
           : tile<T, R, 2>(s, false, to, kWidth<T>, accumulate);
  }
  using Elements = T[kMostTaps + kLanes<T>][kLanes<T>];  // some more: whole squares are transposed
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
  // The place of a part's element among the taps, or -1 where the kernel has ended.
  int tap(int64_t part, int64_t r, int64_t i) const {
    int64_t parity = flip_ ? parity_ : part % planes(), slice = part / planes();
    if (flip_) slice = kernel_[0] - 1 - slice, r = kHighTaps - 1 - r, i = Taps - 1 - i;
    if (stride_ == 2) r = 2 * r + parity / 2, i = 2 * i + parity % 2;
    if (r >= kernel_[1] || i >= kernel_[2]) return -1;
    return static_cast<int>((slice * kernel_[1] + r) * kernel_[2] + i);
  }
  void find_taps() {
    for (int p = 0; p < parts_; ++p)
      for (int r = 0; r < kHighTaps; ++r)
        for (int i = 0; i < Taps; ++i) tap_[p][r][i] = tap(p, r, i);
  }

  // [point][part's channel][lane] of a sliver.
  void take_kernel(int64_t sliver, T* to) const {
    constexpr int64_t L = kLanes<T>;
    if (plane_depth_ > channels()) zero_rest(to);
    alignas(64) Elements taps;
    for (int64_t c = 0; c < channels(); ++c)
      for (int64_t half = 0; half < lanes_of(sliver); half += L) {
        read_taps(sliver * kWidth<T> + half, c, taps);
        for (int64_t p = 0; p < parts_; ++p)
          take_taps(taps, p, to + (p * plane_depth_ + c) * kWidth<T> + half);
      }
  }
  [[gnu::noinline]] void take_taps(const Elements& taps, int64_t part, T* to) const {
    transform_square<T, Taps, kIn, IsLine>(
        [](const auto& in, auto& out) { At::kernel(in, out); },
        [&](int r, int i) {
          int at = tap_[part][r][i];
          return at < 0 ? Vector<T>{} : load_vector(taps[at]);
        },
        [&](int r, int i, Vector<T> v) { store_vector<T>(to + (r * kIn + i) * kernel_step(), v); });
  }
  // For channels that only fill a vector.
  void zero_rest(T* to) const {
    for (int64_t p = 0; p < kPoints * parts_; ++p)
      std::fill_n(
          to + p / parts_ * kernel_step() + (p % parts_ * plane_depth_ + channels()) * kWidth<T>,
          (plane_depth_ - channels()) * kWidth<T>, T(0));
  }

  // [point][slice][tile][plane's channel].
  void take_elements(const Block& b, T* to) const {
    constexpr int64_t L = kLanes<T>;
    parallel_for(taken_slices() * depth_ / L, 1, [&](int64_t begin, int64_t end) {
      each_piece(b, [&](const Piece& p) {
        for (int64_t i = begin * L; i < end * L; i += L)
          take_slice(p, i / depth_, i % depth_, to + (i / depth_ * p.tiles + p.tile) * depth_);
      });
    });
  }
  void take_slice(const Piece& p, int64_t slice, int64_t k, T* to) const {
    constexpr int64_t L = kLanes<T>;
    const Plane<T>& plane = from_[k / plane_depth_];
    Window w = from_window(p, plane);
    Scratch<T> values(w.lines * w.width * L);
    read_slice(plane.images, p.slice + slice - before_, w, k % plane_depth_, values.data());
    each_tile(p, [&](int64_t tile, int64_t y, int64_t x) {
      take_points<kIn>([](const auto& in, auto& out) { At::elements(in, out); },
                       values.data() + (y * kHigh * w.width + x * kOut) * L, w.width * L,
                       to + (tile - p.tile) * depth_ + k, element_step());
    });
  }
  static void read_slice(const Images<T>& images, int64_t slice, const Window& w, int64_t c,
                         T* to) {
    if (slice < 0 || slice >= images.slices || c >= images.channels)
      std::fill_n(to, w.lines * w.width * kLanes<T>, T(0));
    else
      read_window(images.at_slice(slice), w, c, to);
  }
  // A tile's values, lines `line` apart, to the points, `step` apart.
  template <int Side, class Transform>
  [[gnu::noinline]] static void take_points(Transform transform, const T* from, int64_t line, T* to,
                                            int64_t step) {
    transform_square<T, Side, kIn, IsLine>(
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
                     sums.data() + (i * kPoints + p) * sum_step(), is_narrow(s + i));
        for (int64_t i = 0; i < n; ++i)
          each_piece(b, [&](const Piece& p) {
            give_sliver(p, s + i, sums.data() + i * kPoints * sum_step());
          });
      }
    });
  }
  // sums[tile][lane] = elements[tile][channel] kernel[channel][lane], added up over the kernel's
  // slices. The tiles of slices follow one another.
  void multiply(int64_t tiles, const T* elements, const T* kernel, T* sums, bool narrow) const {
    EvenParts strips(tiles * slices_, kRows);
    for (int64_t z = 0; z < kernel_[0]; ++z)
      for (int64_t k = 0; k < depth_; k += kDepth) {
        const T* from = elements + z * tiles * depth_ + k;
        const T* by = kernel + (z * depth_ + k) * kWidth<T>;
        Strip<T> strip{nullptr, depth_, 1, by, kWidth<T>, std::min(kDepth, depth_ - k)};
        for (int64_t i = 0; i < strips.count; ++i) {
          strip.a = from + strips.begin(i) * depth_;
          with_number<kRows>(strips.size(i), [&]<int R>() {
            one_tile<R>(strip, narrow, sums + strips.begin(i) * kWidth<T>, z + k > 0);
          });
        }
      }
  }
  // The slices of a stack that are there: f(image, number in the stack).
  template <class F>
  void each_slice(const Piece& p, F f) const {
    for (int64_t s = 0; s < std::min(slices_, to_.images.slices - p.slice); ++s)
      f(to_.images.at_slice(p.slice + s), s);
  }
  void give_sliver(const Piece& p, int64_t sliver, const T* sums) const {
    constexpr int64_t L = kLanes<T>;
    Window w = to_window(p);
    Scratch<T> values(w.lines * w.width * L);
    for (int64_t half = 0; half < lanes_of(sliver); half += L) {
      int64_t c = sliver * kWidth<T> + half;
      Vector<T> bias = bias_ ? load_some(bias_ + c, to_.images.channels - c) : Vector<T>{};
      each_slice(p, [&](const Images<T>& images, int64_t slice) {
        const T* from = sums + slice * p.tiles * kWidth<T> + half;
        each_tile(p, [&](int64_t tile, int64_t y, int64_t x) {
          outputs(from + tile * kWidth<T>, bias,
                  values.data() + (y * kHigh * w.width + x * kOut) * L, w.width * L);
        });
        write_window(images, w, c, values.data());
      });
    }
  }
  [[gnu::noinline]] void outputs(const T* from, Vector<T> bias, T* to, int64_t line) const {
    int64_t step = sum_step();
    transform_square<T, kIn, kOut, IsLine>(
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
                         gradients.data() + p * sum_step(), sums + p * kernel_step(), row > 0,
                         is_narrow(s));
          if (b.end == all_rows_) give_kernel(s, sums);
        }
      });
    }
  }
  void take_gradients(const Piece& p, int64_t sliver, T* to) const {
    constexpr int64_t L = kLanes<T>;
    Window w = to_window(p);
    Scratch<T> values(w.lines * w.width * L);
    for (int64_t half = 0; half < lanes_of(sliver); half += L) {
      int64_t c = sliver * kWidth<T> + half;
      for (int64_t slice = 0; slice < slices_; ++slice) {
        read_slice(to_.images, p.slice + slice, w, c, values.data());
        each_tile(p, [&](int64_t tile, int64_t y, int64_t x) {
          take_points<kOut>([](const auto& in, auto& out) { At::output_gradients(in, out); },
                            values.data() + (y * kHigh * w.width + x * kOut) * L, w.width * L,
                            to + (slice * p.tiles + tile) * kWidth<T> + half, sum_step());
        });
      }
    }
  }
  // sums[channel][lane] (+)= elements[tile][channel] gradients[tile][lane] for each slice of the
  // kernel.
  void add_products(int64_t tiles, const T* elements, const T* gradients, T* sums, bool accumulate,
                    bool narrow) const {
    EvenParts strips(depth_, kRows);
    Strip<T> strip{nullptr, 1, depth_, gradients, kWidth<T>, tiles * slices_};
    for (int64_t z = 0; z < kernel_[0]; ++z)
      for (int64_t i = 0; i < strips.count; ++i) {
        strip.a = elements + z * tiles * depth_ + strips.begin(i);
        T* to = sums + (z * depth_ + strips.begin(i)) * kWidth<T>;
        with_number<kRows>(strips.size(i),
                           [&]<int R>() { one_tile<R>(strip, narrow, to, accumulate); });
      }
  }
  void give_kernel(int64_t sliver, const T* sums) const {
    constexpr int64_t L = kLanes<T>;
    alignas(64) Elements taps;
    for (int64_t c = 0; c < channels(); ++c)
      for (int64_t half = 0; half < lanes_of(sliver); half += L) {
        for (int64_t p = 0; p < parts_; ++p)
          give_taps(sums + (p * plane_depth_ + c) * kWidth<T> + half, p, taps);
        write_taps(sliver * kWidth<T> + half, c, taps);
      }
  }
  [[gnu::noinline]] void give_taps(const T* sums, int64_t part, Elements& taps) const {
    transform_square<T, kIn, Taps, IsLine>(
        [](const auto& in, auto& out) { At::kernel_gradients(in, out); },
        [&](int r, int i) { return load_vector(sums + (r * kIn + i) * kernel_step()); },
        [&](int r, int i, Vector<T> v) {
          int at = tap_[part][r][i];
          if (at >= 0) store_vector<T>(taps[at], v);
        });
  }

  ConvPart part_;
  bool flip_;
  int64_t batch_, stride_, kernel_[3];
  int64_t before_;  // slices of padding
  int parity_, tap_[kMostParts][Taps][Taps];
  std::vector<Plane<T>> from_;
  Plane<T> to_;
  T* w_;
  const T* bias_;
  int64_t high_, wide_;  // tiles of an image
  int64_t slivers_;      // of channels that are given
  int64_t plane_depth_;  // channels that are taken, up to whole vectors
  int64_t depth_;        // those of all planes
  int64_t parts_;        // of the kernel: what each plane has of each slice
  int64_t stacks_;       // of an image: outputs of neighbouring slices that are computed together
  int64_t slices_;       // of a stack
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
    if constexpr (Taps > 2)
      if (g.kernel[1] == 1) return Winograd<T, Taps, true>(part, g, t, 0).run();
    int parities = part == ConvPart::Input ? g.stride[1] * g.stride[2] : 1;
    for (int p = 0; p < parities; ++p) Winograd<T, Taps, false>(part, g, t, p).run();
  }
  void run() const {
    int64_t taps = (g.kernel[2] + g.stride[2] - 1) / g.stride[2];
    taps == 5 ? of<5>() : taps == 3 ? of<3>() : of<2>();
  }
};

}  // namespace
}  // namespace RL_ISA_NS
}  // namespace rl
