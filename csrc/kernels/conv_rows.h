// Rows that convolutions run over, and sums of shifted rows. Each channel of a few images is copied
// into a row with its padding, apart by phase of the stride; then the element that kernel position
// k meets at output i is at i + offset[k], for all i. Rows are run through without edges: what is
// computed between lines and images is dropped. Included by files compiled once per level.
#pragma once
#include <algorithm>
#include <memory>
#include <vector>

#include "core/allocator.h"
#include "kernels/conv.h"
#include "kernels/parts.h"
#include "kernels/run_sums.h"
#include "plan/isa.h"
#include "plan/parallel.h"
#include "scalar/lanes.h"

namespace rl {
namespace RL_ISA_NS {
namespace {

constexpr int kTile = 12;        // sums that a tile holds in registers
constexpr int kMostVectors = 8;  // of a row that a tile spans
constexpr int64_t kDepth = 384;  // terms of a sum that are added in one go

// A row: images one after another, lines as long as outputs and kernel reach together.
struct Frame {
  int64_t size[3], plane = 1, phases = 1, reach = 0;  // reach: positions before which sums begin
  int64_t images, row;                                // row: elements between rows
  Frame(const ConvGeometry& g, int64_t slack, int64_t most) {
    for (int d = 2; d >= 0; --d) {
      int64_t beyond = (g.kernel[d] - 1) * g.dilation[d] / g.stride[d];
      size[d] = g.out[d] + beyond;
      reach += beyond * plane;
      plane *= size[d];
      phases *= g.stride[d];
    }
    images = std::clamp<int64_t>(most / plane, 1, g.batch);
    row = (((images * plane + reach + slack) / 16 + 1) | 1) * 16 +
          32;  // odd: rows differ in cache sets
  }
  int64_t outputs(int64_t n) const { return n * plane - reach; }  // of n images, gaps included
};

// How a channel of a tensor lies in a frame: position q of phase p holds element q stride + p -
// pad.
struct Side {
  int64_t size[3], stride[3] = {1, 1, 1}, pad[3] = {0, 0, 0};
};

// Visits the lines of an image's channel that have elements: f(first position in the row, first
// element, number of elements).
template <class F>
void each_line(const Frame& f, const Side& s, F&& visit) {
  int64_t phase = 0;
  for (int64_t p0 = 0; p0 < s.stride[0]; ++p0)
    for (int64_t p1 = 0; p1 < s.stride[1]; ++p1)
      for (int64_t p2 = 0; p2 < s.stride[2]; ++p2, ++phase) {
        auto cells = [&](int d, int64_t p) {
          return cells_inside(f.size[d], s.stride[d], p - s.pad[d], s.size[d]);
        };
        Span c0 = cells(0, p0), c1 = cells(1, p1), c2 = cells(2, p2);
        if (c2.first == c2.last) continue;
        for (int64_t q0 = c0.first; q0 < c0.last; ++q0)
          for (int64_t q1 = c1.first; q1 < c1.last; ++q1) {
            int64_t z = q0 * s.stride[0] + p0 - s.pad[0], y = q1 * s.stride[1] + p1 - s.pad[1];
            int64_t x = c2.first * s.stride[2] + p2 - s.pad[2];
            visit(phase * f.row + (q0 * f.size[1] + q1) * f.size[2] + c2.first,
                  (z * s.size[1] + y) * s.size[2] + x, c2.last - c2.first);
          }
      }
}

// The last vector may overlap the one before: lines are short, and calls of memcpy would be dear.
template <class T>
void copy_line(T* to, const T* from, int64_t n) {
  constexpr int64_t V = kLanes<T>;
#ifdef RL_HAS_LANES
  if constexpr (std::is_same_v<T, float>)
    if (n < V) return math::store_first(to, math::load_first(from, n), n);
#endif
  if (n < V) {
    for (int64_t i = 0; i < n; ++i) to[i] = from[i];
    return;
  }
  for (int64_t i = 0; i < n - V; i += V) store_vector<T>(to + i, load_vector(from + i));
  store_vector<T>(to + n - V, load_vector(from + n - V));
}
// What lies between lines is as it was.
template <class T>
void load_channel(const Frame& f, const Side& s, const T* from, T* row) {
  int64_t step = s.stride[2];
  each_line(f, s, [&](int64_t at, int64_t element, int64_t n) {
    if (step == 1)
      copy_line(row + at, from + element, n);
    else
      copy_cells(row + at, 1, from + element, step, n);
  });
}
template <class T>
void store_channel(const Frame& f, const Side& s, const T* row, T* to) {
  int64_t step = s.stride[2];
  each_line(f, s, [&](int64_t at, int64_t element, int64_t n) {
    if (step == 1)
      copy_line(to + element, row + at, n);
    else
      copy_cells(to + element, step, row + at, 1, n);
  });
}

// sum[r][k] += left(r) * right(k). The shorter side is kept, and with the sums fills the registers.
template <int R, int K, class V, class Left, class Right>
[[gnu::always_inline]] inline void multiply_add(V (&sum)[R][K], Left left, Right right) {
  constexpr bool kKeepLeft = R < K;
  V kept[kKeepLeft ? R : K];
#pragma GCC unroll 12
  for (int i = 0; i < (kKeepLeft ? R : K); ++i) kept[i] = kKeepLeft ? left(i) : right(i);
#pragma GCC unroll 12
  for (int i = 0; i < (kKeepLeft ? K : R); ++i) {
    V other = in_register(kKeepLeft ? right(i) : left(i));
#pragma GCC unroll 12
    for (int j = 0; j < (kKeepLeft ? R : K); ++j) {
      V& to = kKeepLeft ? sum[j][i] : sum[i][j];
      to += kept[j] * other;
    }
  }
}

// ---- sums over kernel positions
// y[R rows, H vectors] (+)= sum over k of a[k][R] times the vectors at x + offset[k].
template <class T, int R, int H>
[[gnu::noinline]] void tile(const T* a, const T* x, const int64_t* offset, int64_t depth, T* y,
                            int64_t row, bool accumulate) {
  Vector<T> sum[R][H] = {};
#pragma GCC unroll 2
  for (int64_t k = 0; k < depth; ++k, a += R) {
    const T* from = x + offset[k];
    for (int h = 0; h < H; h += 2) __builtin_prefetch(from + (H + h) * kLanes<T>);
    multiply_add<R, H>(
        sum, [&](int r) { return a[r] - Vector<T>{}; },
        [&](int h) { return load_vector(from + h * kLanes<T>); });
  }
#pragma GCC unroll 12
  for (int r = 0; r < R; ++r)
    for (int h = 0; h < H; ++h) {
      T* to = y + r * row + h * kLanes<T>;
      store_vector<T>(to, accumulate ? load_vector(to) + sum[r][h] : sum[r][h]);
    }
}

// What a row of results is a sum of: for each group, `rows` rows of a(group, row, k) times the
// elements at offset[k]. Factors are packed once, in strips of rows, `kDepth` terms at a time.
template <class T>
class Terms {
 public:
  template <class A>
  Terms(std::vector<int64_t> offsets, int64_t groups, int64_t rows, A a)
      : offsets_(std::move(offsets)),
        depth_(static_cast<int64_t>(offsets_.size())),
        rows_(rows),
        strips_(rows, strip_rows(rows)),
        packed_(groups * rows * depth_) {
    parallel_for(groups, 1 + 65536 / (1 + rows * depth_), [&](int64_t begin, int64_t end) {
      for (int64_t g = begin; g < end; ++g)
        pack(packed_.data() + g * rows_ * depth_, [&](int64_t r, int64_t k) { return a(g, r, k); });
    });
  }

  // The group's rows y, `row` apart, of `count` elements.
  void sum(int64_t group, const T* x, T* y, int64_t row, int64_t count) const {
    with_number<5>(rows_, [&]<int N>() {
      constexpr int kVectors = N == 1 ? kMostVectors : kTile / static_cast<int>(strip_rows(N));
      for (int64_t k = 0; k == 0 || k < depth_; k += kDepth)
        sum_terms<kVectors>(packed_.data() + rows_ * (group * depth_ + k), k, x, y, row, count);
    });
  }

 private:
  // Five rows and more are cut in strips of up to six.
  static constexpr int64_t strip_rows(int64_t rows) { return rows < 5 ? rows : 6; }

  template <class A>
  void pack(T* to, A a) const {
    for (int64_t k0 = 0; k0 < depth_; k0 += kDepth)
      for (int64_t s = 0; s < strips_.count; ++s)
        for (int64_t k = k0; k < std::min(depth_, k0 + kDepth); ++k)
          for (int64_t r = strips_.begin(s); r < strips_.begin(s + 1); ++r) *to++ = a(r, k);
  }

  template <int H>
  void sum_terms(const T* a, int64_t k, const T* x, T* y, int64_t row, int64_t count) const {
    constexpr int64_t kWidth = H * kLanes<T>, kBlock = 24 * kLanes<T>;
    constexpr int kStrip = H == kMostVectors ? 1 : kTile / H;
    int64_t terms = std::min(kDepth, depth_ - k);
    int64_t grain = 1 + 65536 / (1 + kBlock * rows_ * terms);
    parallel_for((count + kBlock - 1) / kBlock, grain, [&](int64_t begin, int64_t end) {
      for (int64_t b = begin; b < end; ++b)
        for (int64_t s = 0; s < strips_.count; ++s)
          with_number<kStrip>(strips_.size(s), [&]<int R>() {
            for (int64_t i = b * kBlock; i < std::min(count, (b + 1) * kBlock); i += kWidth)
              tile<T, R, H>(a + strips_.begin(s) * terms, x + i, offsets_.data() + k, terms,
                            y + strips_.begin(s) * row + i, row, k > 0);
          });
    });
  }

  std::vector<int64_t> offsets_;
  int64_t depth_, rows_;
  EvenParts strips_;
  Scratch<T> packed_;
};

}  // namespace
}  // namespace RL_ISA_NS
}  // namespace rl
