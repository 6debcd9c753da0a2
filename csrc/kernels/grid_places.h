// Where the samples of grid_sample lie: of each place in the grid the cells that it reads, their
// weights, and how fast these change with the place. Included by files compiled once per level.
#pragma once
#include <cmath>
#include <cstdint>
#include <cstring>

#include "kernels/kept.h"
#include "plan/isa.h"

namespace rl {
namespace RL_ISA_NS {
namespace {

enum class Sampling { Linear, Nearest, Cubic };    // in the order of ops/grid.py
enum class Outside { Zeros, Border, Reflection };  // the same
constexpr int kPlaces = 64, kMostTaps = 16;        // of a block

struct SampleRule {
  Sampling mode;
  Outside outside;
  bool align;
  int taps() const { return mode == Sampling::Nearest ? 1 : mode == Sampling::Linear ? 2 : 4; }
};

// Along one dimension, tap by tap: cells (-1: none), weights and their derivatives.
template <class T>
struct AxisTaps {
  int32_t at[4][kPlaces];
  T weight[4][kPlaces], move[4][kPlaces];
};

// Linear and nearest samples of 16 bits, which are kept as `S`, round after each step as PyTorch.
template <class T, class S = T>
class Axis {
 public:
  Axis(const SampleRule& rule, int64_t size, int dims)
      : rule_(rule), size_(static_cast<T>(size)), dims_(dims) {}

  // Of coordinates in [-1, 1].
  void find(const T* coordinates, AxisTaps<T>& to) const {
    T x[kPlaces], slope[kPlaces];
    cells_from(coordinates, x);
    for (int i = 0; i < kPlaces; ++i) slope[i] = kept((rule_.align ? size_ - 1 : size_) / 2);
    if (rule_.mode == Sampling::Cubic) return cubic(x, slope, to);
    place(x, slope);
    rule_.mode == Sampling::Linear ? linear(x, slope, to) : nearest(x, to);
  }

 private:
  void cells_from(const T* coordinates, T* x) const {  // one rounding a loop, which vectorises
    const T size = size_;
    for (int i = 0; i < kPlaces; ++i) x[i] = kept(coordinates[i] + 1);
    if (rule_.align) {
      for (int i = 0; i < kPlaces; ++i) x[i] = kept(x[i] * ((size - 1) / 2));
      return;
    }
    for (int i = 0; i < kPlaces; ++i) x[i] = kept(x[i] * size);
    for (int i = 0; i < kPlaces; ++i) x[i] = kept(x[i] - 1);
    for (int i = 0; i < kPlaces; ++i) x[i] = kept(x[i] / 2);
  }
  static T kept(T x) { return kept_as<S>(x); }
  static T clipped(T x, T low, T high) { return x < low ? low : x > high ? high : x; }

  // Positions moved inside, with the slope that this has; those on the border do not move.
  void place(T* x, T* slope) const {
    if (rule_.outside == Outside::Zeros) return;
    if (rule_.outside == Outside::Reflection) reflect(x, slope);
    const T last = size_ - 1;
    for (int i = 0; i < kPlaces; ++i) slope[i] = (x[i] <= 0) | (x[i] >= last) ? 0 : slope[i];
    for (int i = 0; i < kPlaces; ++i) x[i] = kept(clipped(x[i], 0, last));
  }
  void reflect(T* x, T* slope) const {
    const T start = rule_.align ? 0 : T(-0.5), span = rule_.align ? size_ - 1 : size_;
    for (int i = 0; i < kPlaces; ++i) {
      const T far = kept(x[i] - start), distance = std::abs(far);
      const T ratio = span > 0 ? distance / span : 0, turns = std::floor(kept(ratio));
      const bool odd = turns - 2 * std::floor(turns / 2) != 0;
      const T extra = span > 0 ? kept(distance - std::floor(ratio) * span) : far * 0;
      x[i] = odd ? kept(kept(span - extra) + start) : kept(extra + start);
      slope[i] = (far < 0) != odd ? -slope[i] : slope[i];
    }
  }

  // What is no number, too, is no cell.
  int32_t cell(T x) const { return static_cast<int32_t>((x >= 0) & (x < size_) ? x : T(-1)); }

  void nearest(const T* x, AxisTaps<T>& to) const {
    for (int i = 0; i < kPlaces; ++i) to.at[0][i] = cell(std::rint(x[i]));
    for (int i = 0; i < kPlaces; ++i) to.weight[0][i] = 1, to.move[0][i] = 0;
  }
  void linear(const T* x, const T* slope, AxisTaps<T>& to) const {
    for (int i = 0; i < kPlaces; ++i) {
      const T low = std::floor(x[i]), part = kept(x[i] - low), next = kept(low + 1);
      const bool from_next = !std::is_same_v<S, T> && dims_ == 3;
      to.at[0][i] = cell(low), to.at[1][i] = cell(next);
      to.weight[0][i] = kept(from_next ? next - x[i] : 1 - part), to.weight[1][i] = part;
      to.move[0][i] = -slope[i], to.move[1][i] = slope[i];
    }
  }
  // Keys' cubic kernel with a = -0.75, of which the cells are placed, not the position.
  void cubic(const T* x, const T* slope, AxisTaps<T>& to) const {
    constexpr T a = T(-0.75);
    auto near = [](T u) { return ((a + 2) * u - (a + 3)) * u * u + 1; };
    auto far = [](T u) { return ((a * u - 5 * a) * u + 8 * a) * u - 4 * a; };
    auto near_slope = [](T u) { return (3 * (a + 2) * u - 2 * (a + 3)) * u; };
    auto far_slope = [](T u) { return (3 * a * u - 10 * a) * u + 8 * a; };
    for (int i = 0; i < kPlaces; ++i) {
      const T t = x[i] - std::floor(x[i]), s = slope[i];
      to.weight[0][i] = far(t + 1), to.move[0][i] = s * far_slope(t + 1);
      to.weight[1][i] = near(t), to.move[1][i] = s * near_slope(t);
      to.weight[2][i] = near(1 - t), to.move[2][i] = -s * near_slope(1 - t);
      to.weight[3][i] = far(2 - t), to.move[3][i] = -s * far_slope(2 - t);
    }
    for (int k = 0; k < 4; ++k) {
      T moved[kPlaces], unused[kPlaces] = {};
      for (int i = 0; i < kPlaces; ++i) moved[i] = std::floor(x[i]) + T(k - 1);
      place(moved, unused);
      for (int i = 0; i < kPlaces; ++i) to.at[k][i] = cell(moved[i]);
    }
  }

  SampleRule rule_;
  T size_;
  int dims_;
};

// The taps of a block of places in D dimensions: tap k of place i is at k * kPlaces + i.
template <class T, int D>
struct SampleTaps {
  int32_t cell[kMostTaps * kPlaces];
  T weight[kMostTaps * kPlaces], move[D][kMostTaps * kPlaces];
};

template <class T, int D, class S = T>
class SampleGrid {
 public:
  SampleGrid(const SampleRule& rule, Sizes sizes)
      : rule_(rule),
        none_(1),
        taps_(1),
        axes_{axis(rule, sizes, 0), axis(rule, sizes, 1), axis(rule, sizes, D - 1)} {
    for (int d = 0; d < D; ++d) {
      size_[d] = static_cast<int32_t>(sizes[2 + d]);
      none_ *= size_[d], taps_ *= rule.taps();
    }
  }
  int taps() const { return taps_; }

  // Of `count` points (x, y, ...). Taps outside are in the cell after the last one. With `moves`,
  // their derivatives by (x, y, ...), too.
  void find(const T* points, int count, bool moves, SampleTaps<T, D>& to) const {
    AxisTaps<T> along[D];
    find(points, count, moves, to, along);
  }
  void find(const T* points, int count, bool moves, SampleTaps<T, D>& to,
            AxisTaps<T>* along) const {
    // Whole blocks only, whose loops have no remainders; what is behind the last point is a 0.
    T x[D][kPlaces];
    if (count < kPlaces) std::memset(x, 0, sizeof x);
    for (int i = 0; i < count; ++i)
      for (int d = 0; d < D; ++d) x[d][i] = points[i * D + D - 1 - d];
    for (int d = 0; d < D; ++d) axes_[d].find(x[d], along[d]);
    for (int k = 0; k < taps_; ++k) {
      int bit[D];
      for (int d = D - 1, left = k; d >= 0; --d, left /= rule_.taps()) bit[d] = left % rule_.taps();
      join(along, bit, k, to);
      for (int d = 0; moves && d < D; ++d) join_moves(along, bit, k, d, to);
    }
  }

 private:
  static Axis<T, S> axis(const SampleRule& rule, Sizes sizes, int d) {
    return {rule, sizes[2 + d], D};
  }

  void join(const AxisTaps<T>* along, const int* bit, int k, SampleTaps<T, D>& to) const {
    int32_t* cell = to.cell + k * kPlaces;
    T* weight = to.weight + k * kPlaces;
    const int32_t none = none_;
    int32_t outside[kPlaces], at[kPlaces];
    T product[kPlaces];
    const AxisTaps<T>& last = along[D - 1];
    for (int i = 0; i < kPlaces; ++i) {
      at[i] = outside[i] = last.at[bit[D - 1]][i];
      product[i] = last.weight[bit[D - 1]][i];
    }
    for (int d = D - 2, step = size_[D - 1]; d >= 0; step *= size_[d--])
      for (int i = 0; i < kPlaces; ++i) {
        const int32_t next = along[d].at[bit[d]][i];
        outside[i] |= next, at[i] += next * step;  // -1 marks what is outside, or'ed in
        product[i] = kept_as<S>(product[i] * along[d].weight[bit[d]][i]);
      }
    for (int i = 0; i < kPlaces; ++i) cell[i] = outside[i] < 0 ? none : at[i];
    // As in PyTorch, whose images yield NaN at places that are.
    for (int i = 0; i < kPlaces; ++i) weight[i] = D == 3 && outside[i] < 0 ? 0 : product[i];
  }
  void join_moves(const AxisTaps<T>* along, const int* bit, int k, int by,
                  SampleTaps<T, D>& to) const {
    const int32_t* cell = to.cell + k * kPlaces;
    T* move = to.move[D - 1 - by] + k * kPlaces;
    for (int i = 0; i < kPlaces; ++i) {
      T product = along[by].move[bit[by]][i];
      for (int d = D - 1; d >= 0; --d) product *= d == by ? 1 : along[d].weight[bit[d]][i];
      move[i] = cell[i] == none_ ? 0 : product;
    }
  }

  SampleRule rule_;
  int32_t none_, size_[D];
  int taps_;
  Axis<T, S> axes_[3];
};

}  // namespace
}  // namespace RL_ISA_NS
}  // namespace rl
