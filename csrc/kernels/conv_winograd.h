// Convolution with 3 x 3 kernels and stride 1 by way of sixteen points (Lavin and Gray, "Fast
// algorithms for convolutional neural networks", 2016: F(2 x 2, 3 x 3)). A tile of 2 x 2 outputs
// comes from 4 x 4 elements; both and the kernel are taken to points at which the convolution is
// one product each, which is 4 multiplications for an output in place of 9. Rows hold
// lines with their padding (conv_rows.h), so transforms run through vectors of tiles.
// The gradient of the input is the same with the kernel turned around.
#pragma once
#include "kernels/conv_rows.h"

namespace rl {
namespace RL_ISA_NS {
namespace {

constexpr int kPoints = 16;
constexpr int64_t kTiles = 32;        // that are taken through their points at a time
constexpr int64_t kRowLength = 2048;  // that small images share a row up to

// ---- transforms, of columns and then of rows
template <class V>
struct Four {
  V v[4];
};
template <class V>
Four<V> element_points(V a, V b, V c, V d) {
  return {a - c, b + c, c - b, b - d};
}
template <class V>
Four<V> kernel_points(V a, V b, V c) {
  return {a, (a + b + c) / 2, (a - b + c) / 2, c};
}

// Every second lane of two vectors, from `First` on; and two vectors by turns, their half `Half`.
template <class T, int First, size_t... I>
Vector<T> every_second(Vector<T> a, Vector<T> b, std::index_sequence<I...>) {
  return __builtin_shufflevector(a, b, (2 * I + First)...);
}
template <class T, int Half, size_t... I>
Vector<T> by_turns(Vector<T> a, Vector<T> b, std::index_sequence<I...>) {
  constexpr size_t N = sizeof...(I);
  return __builtin_shufflevector(a, b, (I % 2 * N + (I + Half * N) / 2)...);
}
template <class T>
using LaneNumbers = std::make_index_sequence<kLanes<T>>;

// to[point * step + i] for tiles i < n; line r of the first tile's elements begins at x + line[r].
template <class T>
[[gnu::noinline]] void take_elements(const T* x, const int64_t* line, int64_t n, T* to,
                                     int64_t step) {
  constexpr LaneNumbers<T> lanes;
  using V = Vector<T>;
  for (int64_t i = 0; i < n; i += kLanes<T>) {
    V at[4][4];
#pragma GCC unroll 4
    for (int r = 0; r < 4; ++r)
#pragma GCC unroll 2
      for (int c = 0; c < 4; c += 2) {
        const T* from = x + line[r] + 2 * i + c;
        V a = load_vector(from), b = load_vector(from + kLanes<T>);
        at[r][c] = every_second<T, 0>(a, b, lanes);
        at[r][c + 1] = every_second<T, 1>(a, b, lanes);
      }
    Four<V> columns[4];
#pragma GCC unroll 4
    for (int c = 0; c < 4; ++c) columns[c] = element_points(at[0][c], at[1][c], at[2][c], at[3][c]);
#pragma GCC unroll 4
    for (int r = 0; r < 4; ++r) {
      auto points =
          element_points(columns[0].v[r], columns[1].v[r], columns[2].v[r], columns[3].v[r]);
#pragma GCC unroll 4
      for (int c = 0; c < 4; ++c) store_vector<T>(to + (r * 4 + c) * step + i, points.v[c]);
    }
  }
}

// The two lines of outputs of tiles i < n, `row` apart, from the sums at the points.
template <class T>
[[gnu::noinline]] void give_outputs(const T* from, int64_t step, int64_t n, T bias, T* y,
                                    int64_t row) {
  constexpr LaneNumbers<T> lanes;
  using V = Vector<T>;
  for (int64_t i = 0; i < n; i += kLanes<T>) {
    V lines[2][4];
#pragma GCC unroll 4
    for (int c = 0; c < 4; ++c) {
      auto at = [&](int r) { return load_vector(from + (r * 4 + c) * step + i); };
      lines[0][c] = at(0) + at(1) + at(2);
      lines[1][c] = at(1) - at(2) - at(3);
    }
#pragma GCC unroll 2
    for (int r = 0; r < 2; ++r) {
      V even = lines[r][0] + lines[r][1] + lines[r][2] + bias;
      V odd = lines[r][1] - lines[r][2] - lines[r][3] + bias;
      T* to = y + r * row + 2 * i;
      store_vector<T>(to, by_turns<T, 0>(even, odd, lanes));
      store_vector<T>(to + kLanes<T>, by_turns<T, 1>(even, odd, lanes));
    }
  }
}

// ---- the convolution
// What is convolved: `from` channels of one tensor give `to` channels of the other.
struct Way {
  int64_t from, to, from_size[2], to_size[2], pad[2];
};
Way way_of(ConvPart part, const ConvGeometry& g) {
  if (part == ConvPart::Forward)
    return {g.in_channels,
            g.out_channels,
            {g.in[1], g.in[2]},
            {g.out[1], g.out[2]},
            {g.padding[1], g.padding[2]}};
  return {g.out_channels,
          g.in_channels,
          {g.out[1], g.out[2]},
          {g.in[1], g.in[2]},
          {2 - g.padding[1], 2 - g.padding[2]}};
}
// Every second position of a row begins a tile; its lines are by turns in two rows.
ConvGeometry tiles_of(const Way& w, int64_t batch) {
  int64_t high = (w.to_size[0] + 1) / 2, wide = (w.to_size[1] + 1) / 2;
  ConvGeometry g{.batch = batch};
  for (int d = 0; d < 3; ++d) g.kernel[d] = g.stride[d] = g.dilation[d] = g.out[d] = 1;
  g.kernel[1] = 4, g.stride[1] = 2, g.out[1] = high;
  g.kernel[2] = 3, g.out[2] = 2 * wide;
  return g;
}

// The kernel's points, [to][from][point]; turned around for the gradient of the input.
template <class T>
void take_kernel(ConvPart part, const Way& way, const T* w, T* points) {
  bool forward = part == ConvPart::Forward;
  parallel_for(way.to * way.from, 1024, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      int64_t to = i / way.from, from = i % way.from;
      const T* k = w + (forward ? i : from * way.to + to) * 9;
      auto at = [&](int r, int c) { return forward ? k[r * 3 + c] : k[8 - r * 3 - c]; };
      Four<T> columns[3];
      for (int c = 0; c < 3; ++c) columns[c] = kernel_points(at(0, c), at(1, c), at(2, c));
      for (int r = 0; r < 4; ++r) {
        auto line = kernel_points(columns[0].v[r], columns[1].v[r], columns[2].v[r]);
        std::copy_n(line.v, 4, points + i * kPoints + r * 4);
      }
    }
  });
}
// At each point a row of sums over the channels that are convolved, `kTiles` of them apart.
template <class T>
Terms<T> point_terms(ConvPart part, const Way& way, const T* w) {
  Scratch<T> points(way.to * way.from * kPoints);
  take_kernel(part, way, w, points.data());
  std::vector<int64_t> offsets;
  for (int64_t c = 0; c < way.from; ++c) offsets.push_back(c * kTiles);
  return Terms<T>(std::move(offsets), kPoints, way.to,
                  [&](int64_t point, int64_t to, int64_t from) {
                    return points.data()[(to * way.from + from) * kPoints + point];
                  });
}

template <class T>
class Winograd {
 public:
  Winograd(ConvPart part, const ConvGeometry& g, const ConvOperands& t)
      : way_(way_of(part, g)),
        batch_(g.batch),
        frame_(tiles_of(way_, g.batch), kMostVectors * kLanes<T>, kRowLength),
        terms_(point_terms<T>(part, way_, static_cast<const T*>(t.w))),
        from_(static_cast<const T*>(part == ConvPart::Forward ? t.x : t.y)),
        to_(static_cast<T*>(part == ConvPart::Forward ? t.y : t.x)),
        bias_(static_cast<const T*>(t.bias)) {
    from_side_ = {
        {1, way_.from_size[0], way_.from_size[1]}, {1, 2, 1}, {0, way_.pad[0], way_.pad[1]}};
    to_side_ = {{1, way_.to_size[0], way_.to_size[1]}, {1, 2, 1}, {0, 0, 0}};
    for (int r = 0; r < 4; ++r) line_[r] = r % 2 * frame_.row + r / 2 * frame_.size[2];
  }

  void run() const {
    int64_t blocks = (batch_ + frame_.images - 1) / frame_.images;
    parallel_for(blocks, 1, [&](int64_t begin, int64_t end) {
      Scratch<T> from(way_.from * rows_), to(way_.to * rows_);
      for (int64_t b = begin; b < end; ++b) {
        int64_t first = b * frame_.images, images = std::min(frame_.images, batch_ - first);
        load(from.data(), first, images, b == begin);
        convolve(from.data(), to.data(), (frame_.outputs(images) + 1) / 2);
        store(to.data(), first, images);
      }
    });
  }

 private:
  void load(T* rows, int64_t first, int64_t images, bool fresh) const {
    int64_t size = way_.from_size[0] * way_.from_size[1];
    parallel_for(way_.from, 16, [&](int64_t begin, int64_t end) {
      if (fresh || images < frame_.images)
        std::fill(rows + begin * rows_, rows + end * rows_, T(0));
      for (int64_t c = begin; c < end; ++c)
        for (int64_t n = 0; n < images; ++n)
          load_channel(frame_, from_side_, from_ + ((first + n) * way_.from + c) * size,
                       rows + c * rows_ + n * frame_.plane);
    });
  }
  void store(const T* rows, int64_t first, int64_t images) const {
    int64_t size = way_.to_size[0] * way_.to_size[1];
    parallel_for(way_.to, 16, [&](int64_t begin, int64_t end) {
      for (int64_t c = begin; c < end; ++c)
        for (int64_t n = 0; n < images; ++n)
          store_channel(frame_, to_side_, rows + c * rows_ + n * frame_.plane,
                        to_ + ((first + n) * way_.to + c) * size);
    });
  }

  // `count` tiles, a few at a time: what the points need of them stays in the cache.
  void convolve(const T* from, T* to, int64_t count) const {
    parallel_for((count + kTiles - 1) / kTiles, 1, [&](int64_t begin, int64_t end) {
      // A line more than their elements, or all points would begin in the same set of the cache.
      int64_t step = way_.from * kTiles + 64 / sizeof(T),
              sum_step = way_.to * kTiles + 64 / sizeof(T);
      Scratch<T> elements(kPoints * step), sums(kPoints * sum_step);
      for (int64_t i = begin * kTiles; i < std::min(count, end * kTiles); i += kTiles) {
        int64_t n = std::min(kTiles, count - i);
        for (int64_t c = 0; c < way_.from; ++c)
          take_elements(from + c * rows_ + 2 * i, line_, n, elements.data() + c * kTiles, step);
        for (int64_t p = 0; p < kPoints; ++p)
          terms_.sum(p, elements.data() + p * step, sums.data() + p * sum_step, kTiles, n);
        for (int64_t c = 0; c < way_.to; ++c)
          give_outputs(sums.data() + c * kTiles, sum_step, n, bias_ ? bias_[c] : T(0),
                       to + c * rows_ + 2 * i, frame_.row);
      }
    });
  }

  Way way_;
  int64_t batch_;
  Frame frame_;
  Terms<T> terms_;
  const T* from_;
  T* to_;
  const T* bias_;
  int64_t rows_ = 2 * frame_.row;  // of a channel
  Side from_side_, to_side_;
  int64_t line_[4];
};

}  // namespace
}  // namespace RL_ISA_NS
}  // namespace rl
