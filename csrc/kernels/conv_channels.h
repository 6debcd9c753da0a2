// Gradients of depthwise convolutions with small kernels: of the kernel, of any stride and
// dilation, and of the input with stride 1. Channels are side by side in vectors, whatever the
// order of memory, and windows of an image go by. Included by files compiled once per level.
#pragma once
#include "core/allocator.h"
#include "kernels/conv_windows.h"
#include "plan/parallel.h"

namespace rl {
namespace RL_ISA_NS {
namespace {

constexpr int kPlaces = 8;    // outputs of a line whose sums are held in registers
constexpr int kMostTaps = 7;  // of a line of the kernel, whose sums are

// A line of the kernel over places that are so many apart, in elements.
template <class T>
struct TapLine {
  T* x;
  int64_t taps, dilation, stride;
};

// N sums: y[i] = sum over (a, b) of kernel[a][b] x[a * line + b * dilation + i * stride].
template <class T, int N>
[[gnu::noinline]] void gather_places(const TapLine<T>& t, int64_t lines, int64_t line,
                                     const T* kernel, T* y) {
  constexpr int64_t L = kLanes<T>;
  Vector<T> sum[N] = {};
  for (int64_t a = 0; a < lines; ++a)
    for (int64_t b = 0; b < t.taps; ++b, kernel += L) {
      const T* x = t.x + a * line + b * t.dilation;
      Vector<T> k = load_vector(kernel);
#pragma GCC unroll 8
      for (int i = 0; i < N; ++i) sum[i] += k * load_vector(x + i * t.stride);
    }
  for (int i = 0; i < N; ++i) store_vector<T>(y + i * L, sum[i]);
}

// sums[b] += products of a line of y with the places that tap b meets; even and odd ones apart.
template <class T, int K>
[[gnu::noinline]] void sum_line(const TapLine<T>& t, const T* y, int64_t n, T* sums) {
  constexpr int64_t L = kLanes<T>;
  Vector<T> even[K] = {}, odd[K] = {};
  const T* x = t.x;
  int64_t i = 0;
  for (; i + 2 <= n; i += 2, x += 2 * t.stride, y += 2 * L) {
    Vector<T> first = load_vector(y), second = load_vector(y + L);
#pragma GCC unroll 7
    for (int b = 0; b < K; ++b) {
      even[b] += first * load_vector(x + b * t.dilation);
      odd[b] += second * load_vector(x + t.stride + b * t.dilation);
    }
  }
  for (int b = 0; i < n && b < K; ++b) even[b] += load_vector(y) * load_vector(x + b * t.dilation);
  for (int b = 0; b < K; ++b)
    store_vector<T>(sums + b * L, load_vector(sums + b * L) + (even[b] + odd[b]));
}

template <class T>
class ByChannels {
 public:
  ByChannels(ConvPart part, const ConvGeometry& g, const ConvOperands& t)
      : part_(part),
        g_(g),
        x_(static_cast<T*>(t.x), g.groups, g.in, t.channels_last),
        y_(static_cast<T*>(t.y), g.groups, g.out, t.channels_last),
        w_(static_cast<T*>(t.w)) {}
  void run() const { part_ == ConvPart::Weight ? weights() : inputs(); }

 private:
  static constexpr int64_t L = kLanes<T>;
  static constexpr int64_t kBand = 48 << 10;  // bytes of a window, of which the nearest cache has
                                              // most

  int64_t taps() const { return g_.kernel[1] * g_.kernel[2]; }
  int64_t reach(int d) const { return (g_.kernel[d] - 1) * g_.dilation[d]; }
  // Places that n outputs meet.
  int64_t met(int d, int64_t n) const { return (n - 1) * g_.stride[d] + reach(d) + 1; }
  int64_t blocks() const { return (g_.groups + L - 1) / L; }

  // A vector of channels for each tap, the last first.
  void turn_kernel(T* to, int64_t c) const {
    const int64_t n = taps(), channels = std::min(L, g_.groups - c);
    std::fill_n(to, n * L, T(0));
    for (int64_t i = 0; i < channels; ++i)
      for (int64_t t = 0; t < n; ++t) to[t * L + i] = w_[(c + i) * n + n - 1 - t];
  }
  TapLine<T> taps_at(T* x, int64_t width, int64_t y, int64_t a) const {
    return {x + (y * g_.stride[1] + a * g_.dilation[1]) * width * L, g_.kernel[2],
            g_.dilation[2] * L, g_.stride[2] * L};
  }
  // Lines of outputs whose windows the cache keeps.
  int64_t band(int64_t width) const {
    int64_t lines = kBand / (width * L * static_cast<int64_t>(sizeof(T))) - reach(1);
    return std::max<int64_t>(4, lines / g_.stride[1]);
  }

  // As the convolution of the output's gradient with the kernel turned around.
  void inputs() const {
    const int64_t work = L * g_.in_numel() * taps();
    parallel_for(g_.batch * blocks(), 1 + (1 << 18) / work, [&](int64_t begin, int64_t end) {
      Scratch<T> kernel(taps() * L);
      for (int64_t i = begin; i < end; ++i) {
        turn_kernel(kernel.data(), i % blocks() * L);
        one_input(i / blocks(), i % blocks() * L, kernel.data());
      }
    });
  }
  void one_input(int64_t image, int64_t c, const T* kernel) const {
    const int64_t n = g_.in[2], width = met(2, n), most = std::min(band(width), g_.in[1]);
    const int64_t above = reach(1) - g_.padding[1], beside = reach(2) - g_.padding[2];
    Scratch<T> y(met(1, most) * width * L), x(most * n * L);
    for (int64_t h = 0; h < g_.in[1]; h += most) {
      const int64_t lines = std::min(most, g_.in[1] - h);
      read_window(y_, {image, h - above, -beside, met(1, lines), width}, c, y.data());
      for (int64_t i = 0; i < lines; ++i) {
        TapLine<T> t = taps_at(y.data(), width, i, 0);
        for (int64_t j = 0; j < n; j += kPlaces, t.x += kPlaces * t.stride)
          with_number<kPlaces>(std::min<int64_t>(kPlaces, n - j), [&]<int N>() {
            gather_places<T, N>(t, g_.kernel[1], g_.dilation[1] * width * L, kernel,
                                x.data() + (i * n + j) * L);
          });
      }
      write_window(x_, {image, h, 0, lines, n}, c, x.data());
    }
  }

  // Shares of the images, as many whatever the number of threads, whose sums are added up.
  void weights() const {
    constexpr int64_t kShares = 8, kTurns = 8;
    const int64_t shares = std::min(kShares, g_.batch), n = taps(), size = g_.groups * n;
    Scratch<T> sums(shares * size);
    // Vectors of channels that are neighbours in memory take turns at what the cache has.
    const EvenParts parts(blocks(), x_.channel == 1 ? kTurns : 1);
    parallel_for(shares * parts.count, 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const int64_t share = i / parts.count, part = i % parts.count;
        const Span own{parts.begin(part), parts.begin(part + 1)};
        Scratch<T> own_sums((own.last - own.first) * n * L);
        std::fill_n(own_sums.data(), (own.last - own.first) * n * L, T(0));
        for (int64_t m = share * g_.batch / shares; m < (share + 1) * g_.batch / shares; ++m)
          add_image(m, own, own_sums.data());
        for (int64_t c = own.first * L; c < std::min(own.last * L, g_.groups); ++c)
          for (int64_t t = 0; t < n; ++t)
            sums.data()[share * size + c * n + t] =
                own_sums.data()[((c / L - own.first) * n + t) * L + c % L];
      }
    });
    std::copy_n(sums.data(), size, w_);
    for (int64_t s = 1; s < shares; ++s)
      for (int64_t i = 0; i < size; ++i) w_[i] += sums.data()[s * size + i];
  }
  // Lines of an image whose channels lie last: windows of a vector of them skip the others, which
  // prefetchers do not follow.
  static void ask_for(const Images<T>& im, int64_t image, int64_t first, int64_t last) {
    if (im.channel != 1) return;
    const T* all = im.data + image * im.image;
    const int64_t end = std::min(last, im.size[0]) * im.line;
    for (int64_t i = std::max<int64_t>(first, 0) * im.line; i < end; i += 64 / sizeof(T))
      __builtin_prefetch(all + i, 0, 2);
  }
  void add_image(int64_t image, Span vectors, T* sums) const {
    const int64_t n = g_.out[2], width = met(2, n), most = std::min(band(width), g_.out[1]);
    Scratch<T> x(met(1, most) * width * L), y(most * n * L);
    for (int64_t h = 0; h < g_.out[1]; h += most) {
      const int64_t lines = std::min(most, g_.out[1] - h), top = h * g_.stride[1] - g_.padding[1];
      ask_for(x_, image, top, top + met(1, lines));
      ask_for(y_, image, h, h + lines);
      for (int64_t v = vectors.first; v < vectors.last; ++v) {
        read_window(x_, {image, top, -g_.padding[2], met(1, lines), width}, v * L, x.data());
        read_window(y_, {image, h, 0, lines, n}, v * L, y.data());
        add_lines(x.data(), width, y.data(), lines, sums + (v - vectors.first) * taps() * L);
      }
    }
  }
  void add_lines(T* x, int64_t width, const T* y, int64_t lines, T* sums) const {
    const int64_t n = g_.out[2];
    with_number<kMostTaps>(g_.kernel[2], [&]<int K>() {
      for (int64_t a = 0; a < g_.kernel[1]; ++a)
        for (int64_t i = 0; i < lines; ++i)
          sum_line<T, K>(taps_at(x, width, i, a), y + i * n * L, n, sums + a * K * L);
    });
  }

  ConvPart part_;
  const ConvGeometry& g_;
  Images<T> x_, y_;
  T* w_;
};

}  // namespace
}  // namespace RL_ISA_NS
}  // namespace rl
