// Sliding windows and columns: a row for each channel and kernel position, an element in it for
// each output. Shared by convolution through columns and by the operators unfold and fold.
#pragma once
#include <algorithm>

#include "kernels/conv.h"
#include "kernels/parts.h"
#include "plan/parallel.h"

namespace rl {
namespace {

// One kernel position (a, b, c).
struct Window {
  const ConvGeometry& g;
  int64_t a, b, c;
  int64_t at(int d, int64_t out, int64_t k) const {
    return out * g.stride[d] - g.padding[d] + k * g.dilation[d];
  }
  int64_t shift() const { return at(2, 0, c); }
  // The outputs of a line whose elements lie inside.
  Span cells() const { return cells_inside(g.out[2], g.stride[2], shift(), g.in[2]); }
  // Visits the lines of outputs: f(first output, start of the line of input or -1 for padding).
  template <class F>
  void lines(F&& f) const {
    for (int64_t i = 0; i < g.out[0]; ++i)
      for (int64_t j = 0; j < g.out[1]; ++j) {
        int64_t z = at(0, i, a), y = at(1, j, b);
        bool inside = z >= 0 && z < g.in[0] && y >= 0 && y < g.in[1];
        f((i * g.out[1] + j) * g.out[2], inside ? (z * g.in[1] + y) * g.in[2] : -1);
      }
  }
};

template <class F>
void each_row(const ConvGeometry& g, int64_t channel, F&& f) {
  int64_t row = channel * g.kernel_numel();
  for (int64_t a = 0; a < g.kernel[0]; ++a)
    for (int64_t b = 0; b < g.kernel[1]; ++b)
      for (int64_t c = 0; c < g.kernel[2]; ++c) f(row++, Window{g, a, b, c});
}

inline int64_t channel_grain(const ConvGeometry& g) {
  return std::max<int64_t>(1, 32768 / std::max<int64_t>(1, g.kernel_numel() * g.out_numel()));
}

// Rows are `step` apart: columns of several images may stand side by side.
template <class T>
void unfold(const ConvGeometry& g, int64_t channels, const T* x, T* columns, int64_t step) {
  parallel_for(channels, channel_grain(g), [&](int64_t begin, int64_t end) {
    for (int64_t ch = begin; ch < end; ++ch)
      each_row(g, ch, [&](int64_t row, const Window& w) {
        const T* from = x + ch * g.in_numel() + w.shift();
        T* to = columns + row * step;
        Span cells = w.cells();
        w.lines([&](int64_t o, int64_t i) {
          Span c = i < 0 ? Span{0, 0} : cells;
          std::fill(to + o, to + o + c.first, T{});
          copy_cells(to + o + c.first, 1, from + i + c.first * g.stride[2], g.stride[2],
                     c.last - c.first);
          std::fill(to + o + c.last, to + o + g.out[2], T{});
        });
      });
  });
}

// Adds each element where it came from, in the order of rows. `S` is the type that columns and
// their sums are kept in.
template <class S, class T>
void fold(const ConvGeometry& g, int64_t channels, const T* columns, int64_t step, T* x) {
  parallel_for(channels, channel_grain(g), [&](int64_t begin, int64_t end) {
    for (int64_t ch = begin; ch < end; ++ch) {
      T* to = x + ch * g.in_numel();
      std::fill_n(to, g.in_numel(), T{});
      each_row(g, ch, [&](int64_t row, const Window& w) {
        const T* from = columns + row * step;
        Span cells = w.cells();
        auto add_lines = [&](auto stride) {
          w.lines([&](int64_t o, int64_t i) {
            if (i < 0) return;
            T* line = to + i + w.shift();
            for (int64_t q = cells.first; q < cells.last; ++q)
              line[q * stride] =
                  static_cast<T>(static_cast<S>(line[q * stride] + static_cast<S>(from[o + q])));
          });
        };
        g.stride[2] == 1 ? add_lines(std::integral_constant<int64_t, 1>()) : add_lines(g.stride[2]);
      });
    }
  });
}

}  // namespace
}  // namespace rl
