// Parts of images with channels side by side in vectors, whatever the order of memory: reading a
// window of an image, with zeros beyond its edges, and writing one. Included by files compiled once
// per level.
#pragma once
#include <algorithm>

#include "kernels/parts.h"
#include "kernels/transpose.h"
#include "kernels/vectors.h"

namespace rl {
namespace RL_ISA_NS {
namespace {

template <class T>
Vector<T> load_some(const T* from, int64_t n) {
  if (n >= kLanes<T>) return load_vector(from);
  Vector<T> v = {};
  __builtin_memcpy(&v, from, n * sizeof(T));
  return v;
}
template <class T>
void store_some(T* to, Vector<T> v, int64_t n) {
  if (n >= kLanes<T>) return store_vector<T>(to, v);
  __builtin_memcpy(to, &v, n * sizeof(T));
}

// Images in either order of memory.
template <class T>
struct Images {
  T* data;
  int64_t channels, size[2];
  bool last;  // channels vary fastest
  int64_t numel() const { return size[0] * size[1]; }
};
// A part of an image, as wide as the image or wider, that may reach beyond its edges.
struct Window {
  int64_t image, y, x, lines, width;
};
// What of an image lies in a window: whole lines of it, so that they follow one another.
template <class T>
struct Inside {
  Span lines;
  int64_t wide, count, at, jump;  // at: the first place in the window; jump: between lines
  Inside(const Images<T>& im, const Window& w)
      : lines(cells_inside(w.lines, 1, w.y, im.size[0])),
        wide(im.size[1]),
        count((lines.last - lines.first) * wide),
        at(lines.first * w.width - w.x),
        jump(w.width - wide) {}
  // f(first element, number of elements up to the lanes, its place in the window).
  template <class F>
  void each_few(F f) const {
    for (int64_t e = 0; e < count; e += kLanes<T>) {
      int64_t first = std::max<int64_t>(0, std::min<int64_t>(e, count - kLanes<T>));
      int64_t line = first / wide;
      f(first, std::min<int64_t>(kLanes<T>, count), at + first + line * jump, first - line * wide);
    }
  }
};

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
  int64_t start = (w.y + in.lines.first) * in.wide;
  if (im.last) {
    const T* from = im.data + (w.image * im.numel() + start) * im.channels + c;
    in.each_few([&](int64_t e, int64_t n, int64_t place, int64_t x) {
      for (int64_t i = 0; i < n; ++i, ++place) {
        store_vector<T>(to + place * L, load_some(from + (e + i) * im.channels, channels));
        if (++x == in.wide) x = 0, place += in.jump;
      }
    });
    return;
  }
  const T* from = im.data + (w.image * im.channels + c) * im.numel() + start;
  in.each_few([&](int64_t e, int64_t n, int64_t place, int64_t x) {
    Vector<T> v[L] = {};
    for (int64_t i = 0; i < channels; ++i) v[i] = load_some(from + i * im.numel() + e, n);
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
  int64_t channels = std::min(L, im.channels - c), start = (w.y + in.lines.first) * in.wide;
  if (im.last) {
    T* to = im.data + (w.image * im.numel() + start) * im.channels + c;
    in.each_few([&](int64_t e, int64_t n, int64_t place, int64_t x) {
      for (int64_t i = 0; i < n; ++i, ++place) {
        store_some<T>(to + (e + i) * im.channels, load_vector(from + place * L), channels);
        if (++x == in.wide) x = 0, place += in.jump;
      }
    });
    return;
  }
  T* to = im.data + (w.image * im.channels + c) * im.numel() + start;
  in.each_few([&](int64_t e, int64_t n, int64_t place, int64_t x) {
    Vector<T> v[L] = {};
    for (int64_t i = 0; i < n; ++i, ++place) {
      v[i] = load_vector(from + place * L);
      if (++x == in.wide) x = 0, place += in.jump;
    }
    transpose(v);
    for (int64_t i = 0; i < channels; ++i) store_some<T>(to + i * im.numel() + e, v[i], n);
  });
}

}  // namespace
}  // namespace RL_ISA_NS
}  // namespace rl
