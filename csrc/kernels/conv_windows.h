// Parts of images with channels side by side in vectors, whatever the order of memory: reading a
// window of an image, with zeros beyond its edges, and writing one. Included by files compiled once
// per level.
#pragma once
#include <algorithm>

#include "core/allocator.h"
#include "kernels/conv.h"
#include "kernels/parts.h"
#include "kernels/transpose.h"
#include "kernels/vectors.h"
#include "scalar/lanes.h"

namespace rl {
namespace RL_ISA_NS {
namespace {

template <class T>
Vector<T> load_some(const T* from, int64_t n) {
  if (n >= kLanes<T>) return load_vector(from);
#ifdef RL_HAS_LANES
  if constexpr (std::is_same_v<T, float>)
    return __builtin_bit_cast(Vector<T>, math::load_first(from, n));
#endif
  Vector<T> v = {};
  __builtin_memcpy(&v, from, n * sizeof(T));
  return v;
}
template <class T>
void store_some(T* to, Vector<T> v, int64_t n) {
  if (n >= kLanes<T>) return store_vector<T>(to, v);
#ifdef RL_HAS_LANES
  if constexpr (std::is_same_v<T, float>)
    return math::store_first(to, __builtin_bit_cast(math::Lanes, v), n);
#endif
  __builtin_memcpy(to, &v, n * sizeof(T));
}

// Images, or stacks of them, in either order of memory: all of their lines and cells or every
// second one.
template <class T>
struct Images {
  T* data;
  int64_t channels, slices, size[2];
  int64_t image, channel, slice, line, cell;  // steps in memory
  Images(T* data, int64_t channels, const int64_t* size, bool channels_last)
      : data(data),
        channels(channels),
        slices(size[0]),
        size{size[1], size[2]},
        image(channels * size[0] * size[1] * size[2]),
        channel(channels_last ? 1 : size[0] * size[1] * size[2]),
        slice(size[1] * size[2] * (channels_last ? channels : 1)),
        line(channels_last ? channels * size[2] : size[2]),
        cell(channels_last ? channels : 1) {}
  Images at_slice(int64_t i) const {
    Images s = *this;
    s.data += i * slice;
    return s;
  }
  // The lines and cells of a parity, given the first of each.
  Images half(const int64_t* first) const {
    Images h = *this;
    h.data += first[0] * line + first[1] * cell;
    for (int d = 0; d < 2; ++d) h.size[d] = (size[d] - first[d] + 1) / 2;
    h.line *= 2, h.cell *= 2;
    return h;
  }
};
// A part of an image that may reach beyond its edges, and has its left one.
struct Window {
  int64_t image, y, x, lines, width;
};
// What of an image lies in a window.
template <class T>
struct Inside {
  Span lines;
  int64_t wide, count, at, jump;  // at: the first place in the window; jump: between lines
  T* start;                       // of the first line, in channel 0
  Inside(const Images<T>& im, const Window& w)
      : lines(cells_inside(w.lines, 1, w.y, im.size[0])),
        wide(std::min(im.size[1], w.width + w.x)),
        count((lines.last - lines.first) * wide),
        at(lines.first * w.width - w.x),
        jump(w.width - wide),
        start(im.data + w.image * im.image + (w.y + lines.first) * im.line) {}
  // f(first element, number of elements up to the lanes, its place in the window, its column).
  template <class F>
  void each_few(F f) const {
    for (int64_t e = 0; e < count; e += kLanes<T>) {
      int64_t first = std::max<int64_t>(0, std::min<int64_t>(e, count - kLanes<T>));
      int64_t y = first / wide;
      f(first, std::min<int64_t>(kLanes<T>, count), at + first + y * jump, first - y * wide);
    }
  }
  template <class F>
  void each_line(F f) const {
    for (int64_t y = 0; y < lines.last - lines.first; ++y) f(y);
  }
};

// Whether lines follow one another, and so can be read as one.
template <class T>
bool is_whole(const Images<T>& im, const Inside<T>& in) {
  return im.cell == 1 && im.line == in.wide;
}

// The channels [c, c + lanes) of a window, place after place; zeros where there is nothing.
template <class T>
[[gnu::noinline]] void read_window(const Images<T>& im, const Window& w, int64_t c, T* to) {
  constexpr int64_t L = kLanes<T>;
  Inside<T> in(im, w);
  int64_t channels = std::min(L, im.channels - c);
  for (int64_t y = 0; y < w.lines; ++y) {
    T* line = to + y * w.width * L;
    bool filled = y >= in.lines.first && y < in.lines.last;
    std::fill_n(line, filled ? -w.x * L : w.width * L, T(0));
    if (filled) std::fill(line + (in.wide - w.x) * L, line + w.width * L, T(0));
  }
  const T* from = in.start + c * im.channel;
  if (im.channel == 1) {
    in.each_line([&](int64_t y) {
      T* place = to + (in.at + y * w.width) * L;
      for (int64_t x = 0; x < in.wide; ++x)
        store_vector<T>(place + x * L, load_some(from + y * im.line + x * im.cell, channels));
    });
    return;
  }
  int64_t step = im.channel;
  Scratch<T> dense(is_whole(im, in) ? 0 : channels * in.count);
  if (!is_whole(im, in)) {
    for (int64_t i = 0; i < channels; ++i)
      in.each_line([&](int64_t y) {
        copy_cells(dense.data() + i * in.count + y * in.wide, 1, from + i * step + y * im.line,
                   im.cell, in.wide);
      });
    from = dense.data(), step = in.count;
  }
  in.each_few([&](int64_t e, int64_t n, int64_t place, int64_t x) {
    Vector<T> v[L] = {};
    for (int64_t i = 0; i < channels; ++i) v[i] = load_some(from + i * step + e, n);
    transpose(v);
    for (int64_t i = 0; i < n; ++i, ++place) {
      store_vector<T>(to + place * L, v[i]);
      if (++x == in.wide) x = 0, place += in.jump;
    }
  });
}
// The other way; what lies beyond the image is dropped.
template <class T>
[[gnu::noinline]] void write_window(const Images<T>& im, const Window& w, int64_t c,
                                    const T* from) {
  constexpr int64_t L = kLanes<T>;
  Inside<T> in(im, w);
  int64_t channels = std::min(L, im.channels - c);
  T* out = in.start + c * im.channel;
  if (im.channel == 1) {
    in.each_line([&](int64_t y) {
      const T* place = from + (in.at + y * w.width) * L;
      for (int64_t x = 0; x < in.wide; ++x)
        store_some<T>(out + y * im.line + x * im.cell, load_vector(place + x * L), channels);
    });
    return;
  }
  Scratch<T> dense(is_whole(im, in) ? 0 : channels * in.count);
  T* to = is_whole(im, in) ? out : dense.data();
  int64_t step = is_whole(im, in) ? im.channel : in.count;
  in.each_few([&](int64_t e, int64_t n, int64_t place, int64_t x) {
    Vector<T> v[L] = {};
    for (int64_t i = 0; i < n; ++i, ++place) {
      v[i] = load_vector(from + place * L);
      if (++x == in.wide) x = 0, place += in.jump;
    }
    transpose(v);
    for (int64_t i = 0; i < channels; ++i) store_some<T>(to + i * step + e, v[i], n);
  });
  if (to == out) return;
  for (int64_t i = 0; i < channels; ++i)
    in.each_line([&](int64_t y) {
      copy_cells(out + i * im.channel + y * im.line, im.cell, to + i * step + y * in.wide, 1,
                 in.wide);
    });
}

}  // namespace
}  // namespace RL_ISA_NS
}  // namespace rl
