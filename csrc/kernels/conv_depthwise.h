// Depthwise convolution with square kernels and stride 1: every channel of an image by itself, in
// the order they lie in memory. One is copied between zeros, where the first-level cache keeps it,
// and sums of a few lines of outputs are held in registers while the lines that they need go by.
// Included by files compiled once per level.
#pragma once
#include "core/allocator.h"
#include "kernels/conv_rows.h"
#include "plan/isa.h"
#include "plan/parallel.h"
#include "scalar/lanes.h"

namespace rl {
namespace RL_ISA_NS {
namespace {

constexpr int kSums = kVectorBytes == 64 ? 25 : 12;  // of the kernel's gradient, in registers
constexpr int kMostLines = 5;                        // of the kernel, that these are of

// Lines of a channel with zeros around them, `pitch` apart; vectors may run past a line's end.
template <class T>
class Padded {
 public:
  Padded(int64_t lines, int64_t columns, int64_t above, int64_t beside)
      : lines_(lines),
        columns_(columns),
        pitch_((columns + 2 * beside + kLanes<T> + 15) / 16 * 16),
        first_(above * pitch_ + beside),
        room_((lines + 2 * above) * pitch_ + kLanes<T>) {
    std::fill_n(room_.data(), (lines + 2 * above) * pitch_ + kLanes<T>, T(0));
  }
  void load(const T* from) {
    for (int64_t i = 0; i < lines_; ++i)
      copy_line(room_.data() + first_ + i * pitch_, from + i * columns_, columns_);
  }
  int64_t pitch() const { return pitch_; }
  const T* line(int64_t i) const { return room_.data() + i * pitch_; }

 private:
  int64_t lines_, columns_, pitch_, first_;
  Scratch<T> room_;
};

// The first n lanes, or all.
template <class T>
inline void store_up_to(T* to, Vector<T> v, int64_t n) {
  if (n >= kLanes<T>) return store_vector<T>(to, v);
#ifdef RL_HAS_LANES
  if constexpr (std::is_same_v<T, float>) return math::store_first(to, v, n);
#endif
  for (int64_t i = 0; i < n; ++i) to[i] = v[i];
}

// R lines of outputs, of `n` columns each: start + sum over (a, b) of kernel[a][b] times the
// element a lines below and b columns after.
template <class T, int K, int R>
[[gnu::noinline]] void output_lines(const T* x, int64_t pitch, const T* kernel, T start, T* y,
                                    int64_t n) {
  constexpr int64_t V = kLanes<T>;
  Vector<T> k[K * K];
#pragma GCC unroll 49
  for (int i = 0; i < K * K; ++i) k[i] = kernel[i] - Vector<T>{};
  for (int64_t w = 0; w < n; w += V) {
    if (w + V > n && n >= V) w = n - V;  // the last vector may overlap the one before
    Vector<T> sum[R];
#pragma GCC unroll 4
    for (int r = 0; r < R; ++r) sum[r] = start - Vector<T>{};
#pragma GCC unroll 10
    for (int i = 0; i < R + K - 1; ++i)
#pragma GCC unroll 7
      for (int b = 0; b < K; ++b) {
        Vector<T> v = in_register(load_vector(x + i * pitch + w + b));
#pragma GCC unroll 4
        for (int r = 0; r < R; ++r)
          if (i >= r && i < r + K) sum[r] += k[(i - r) * K + b] * v;
      }
#pragma GCC unroll 4
    for (int r = 0; r < R; ++r) store_up_to(y + r * n + w, sum[r], n - w);
  }
}

// A lines of the kernel's gradient: sum[a][b] is that of products of g's lines and those of x that
// are a lines below and b columns after. Lines of x go by; g has A - 1 lines of zeros on both ends.
template <class T, int K, int A>
[[gnu::noinline]] void kernel_lines(const Padded<T>& x, int64_t first, const Padded<T>& g,
                                    int64_t lines, int64_t n, T* to) {
  Vector<T> sum[A][K] = {};
  for (int64_t i = 0; i < lines + A - 1; ++i)
    for (int64_t w = 0; w < n; w += kLanes<T>) {
      Vector<T> v[A];
#pragma GCC unroll 7
      for (int a = 0; a < A; ++a) v[a] = load_vector(g.line(i + kMostLines - 1 - a) + w);
#pragma GCC unroll 7
      for (int b = 0; b < K; ++b) {
        Vector<T> element = in_register(load_vector(x.line(first + i) + w + b));
#pragma GCC unroll 7
        for (int a = 0; a < A; ++a) sum[a][b] += v[a] * element;
      }
    }
#pragma GCC unroll 7
  for (int a = 0; a < A; ++a)
#pragma GCC unroll 7
    for (int b = 0; b < K; ++b) to[a * K + b] += join_lanes<SumStep, T>(sum[a][b]);
}

template <class T>
class Depthwise {
 public:
  Depthwise(ConvPart part, const ConvGeometry& g, const ConvOperands& t)
      : part_(part),
        g_(g),
        x_(static_cast<T*>(t.x)),
        w_(static_cast<T*>(t.w)),
        y_(static_cast<T*>(t.y)),
        bias_(static_cast<const T*>(t.bias)) {}
  void run() const {
    switch (g_.kernel[2]) {
      case 3:
        return run_as<3>();
      case 5:
        return run_as<5>();
      default:
        return run_as<7>();
    }
  }

 private:
  template <int K>
  void run_as() const {
    if (part_ == ConvPart::Weight) return weights<K>();
    if (part_ == ConvPart::Forward) return outputs<K>(x_, g_.in, g_.padding[2], y_, g_.out);
    outputs<K>(y_, g_.out, K - 1 - g_.padding[2], x_, g_.in);
  }
  int64_t grain() const { return 1 + 65536 / (g_.out_numel() * g_.kernel_numel()); }

  // The input's gradient is the same of the output's, with the kernel turned around.
  template <int K>
  void outputs(const T* from, const int64_t* in, int64_t padding, T* to, const int64_t* out) const {
    constexpr int R = 4;
    const int64_t in_size = in[1] * in[2], lines = out[1], n = out[2];
    parallel_for(g_.batch * g_.groups, grain(), [&](int64_t begin, int64_t end) {
      Padded<T> x(in[1], in[2], padding, padding);
      for (int64_t i = begin; i < end; ++i) {
        const int64_t channel = i % g_.groups;
        T kernel[K * K], *y = to + i * lines * n;
        std::copy_n(w_ + channel * K * K, K * K, kernel);
        if (part_ == ConvPart::Input) std::reverse(kernel, kernel + K * K);
        T start = bias_ ? bias_[channel] : T(0);
        x.load(from + i * in_size);
        int64_t h = 0;
        for (; h + R <= lines; h += R)
          output_lines<T, K, R>(x.line(h), x.pitch(), kernel, start, y + h * n, n);
        for (; h < lines; ++h)
          output_lines<T, K, 1>(x.line(h), x.pitch(), kernel, start, y + h * n, n);
      }
    });
  }

  // Shares of the images, as many whatever the number of threads, whose sums are added up.
  template <int K>
  void weights() const {
    constexpr int64_t kShares = 8, kChannels = 16;
    const int64_t shares = std::min(kShares, g_.batch), size = g_.groups * K * K;
    const EvenParts channels(g_.groups, kChannels);
    Scratch<T> sums(shares * size);
    std::fill_n(sums.data(), shares * size, T(0));
    parallel_for(shares * channels.count, 1, [&](int64_t begin, int64_t end) {
      const int64_t padding = g_.padding[2];
      Padded<T> x(g_.in[1], g_.in[2], padding, padding);
      Padded<T> y(g_.out[1], g_.out[2], kMostLines - 1, 0);
      for (int64_t i = begin; i < end; ++i) {
        const int64_t share = i / channels.count, part = i % channels.count;
        for (int64_t n = share * g_.batch / shares; n < (share + 1) * g_.batch / shares; ++n)
          for (int64_t c = channels.begin(part); c < channels.begin(part + 1); ++c) {
            x.load(x_ + (n * g_.groups + c) * g_.in_numel());
            y.load(y_ + (n * g_.groups + c) * g_.out_numel());
            add_kernel<K>(x, y, sums.data() + share * size + c * K * K);
          }
      }
    });
    std::copy_n(sums.data(), size, w_);
    for (int64_t s = 1; s < shares; ++s)
      for (int64_t i = 0; i < size; ++i) w_[i] += sums.data()[s * size + i];
  }
  template <int K>
  void add_kernel(const Padded<T>& x, const Padded<T>& y, T* to) const {
    constexpr int A = std::min<int>(K, kSums / K);
    for (int a = 0; a < K; a += A)
      with_number<A>(K - a, [&]<int N>() {
        kernel_lines<T, K, N>(x, a, y, g_.out[1], g_.out[2], to + a * K);
      });
  }

  ConvPart part_;
  const ConvGeometry& g_;
  T *x_, *w_, *y_;
  const T* bias_;
};

}  // namespace
}  // namespace RL_ISA_NS
}  // namespace rl
