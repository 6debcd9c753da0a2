// The adjoint of average pooling over fixed and adaptive windows, which is its gradient.
#include "kernels/pool_average.h"
#include "kernels/pool_channels.h"
#include "kernels/pool_columns.h"
#include "kernels/vectors.h"

namespace rl {
namespace RL_ISA_NS {
namespace {

// What a row of windows gives to each row of their elements. Where 16 bits round after every sum,
// `S` is not `T`, each of the windows that an element is in has a line of its own, in their order.
template <class S, class T>
class Shares {
 public:
  explicit Shares(const AveragePlan& p)
      : p_(p), width_(p.pool.axis[2].in), divisors_(p), share_(p.pool.axis[2].out + 1) {
    if (kRounds) lay_out(p.pool.axis[2]);
    lines_.resize(static_cast<size_t>(width_ * layers_));
  }
  bool in_one_line() const { return layers_ == 1; }
  // Of outputs (i, j, ...), whose gradients are at g.
  void make(const T* g, int64_t i, int64_t j) {
    if (in_one_line()) {
      std::fill(lines_.begin(), lines_.end(), T(0));
      return make_line(g, i, j, lines_.data());
    }
    divide(g, i, j);
    for (size_t n = 0; n < lines_.size(); ++n) lines_[n] = share_[window_[n]];
  }
  // The same, added to a line.
  void make_line(const T* g, int64_t i, int64_t j, T* line) {
    divide(g, i, j);
    const PoolAxis& w = p_.pool.axis[2];
    if (p_.pool.fixed) return add_taps(w, line);
    for (int64_t k = 0; k < w.out; ++k)
      for (int64_t c = w.start[k]; c < w.end[k]; ++c) line[c] += share_[k];
  }
  // To the rows of their elements in the plane at x.
  [[gnu::noinline]] void add_to(T* x, int64_t i, int64_t j) const {
    const T* lines = lines_.data();
    const int64_t width = width_, layers = kRounds ? layers_ : 1;
    each_row(p_.pool, i, j, [=](int64_t row) {
      for (int64_t n = 0; n < layers; ++n) add_line(lines + n * width, x + row * width, width);
    });
  }

 private:
  static constexpr bool kRounds = !std::is_same_v<S, T>;
  static void add_line(const T* line, T* to, int64_t n) {
#pragma GCC ivdep
    for (int64_t c = 0; c < n; ++c) to[c] = kept_as<S>(to[c] + line[c]);
  }
  // Names the windows of each element; the last share, which is 0, where there are no more.
  void lay_out(const PoolAxis& w) {
    std::vector<int64_t> count(static_cast<size_t>(width_), 0);
    for (int64_t k = 0; k < w.out; ++k)
      for (int64_t c = w.start[k]; c < w.end[k]; ++c) layers_ = std::max(layers_, ++count[c]);
    window_.assign(static_cast<size_t>(width_ * layers_), static_cast<int32_t>(w.out));
    std::fill(count.begin(), count.end(), 0);
    for (int64_t k = 0; k < w.out; ++k)
      for (int64_t c = w.start[k]; c < w.end[k]; ++c)
        window_[count[c]++ * width_ + c] = static_cast<int32_t>(k);
  }
  void divide(const T* g, int64_t i, int64_t j) {
    const int64_t n = p_.pool.axis[2].out;
    if (kRounds && !p_.pool.fixed) {
      for (int64_t k = 0; k < n; ++k) share_[k] = p_.template shared<S>(g[k], i, j, k);
      return;
    }
    const T* by = divisors_.of(i, j);
    T* share = share_.data();
#pragma GCC ivdep
    for (int64_t k = 0; k < n; ++k) share[k] = kept_as<S>(g[k] / by[k]);
  }
  void add_taps(const PoolAxis& w, T* line) const {
    with_stride<2>(w.stride, [&, share = share_.data()](auto stride) {
      for (int64_t c = 0; c < w.kernel; ++c) {
        auto [first, last] = inside(w, c);
        T* to = line + c - w.pad;
#pragma GCC ivdep
        for (int64_t k = first; k < last; ++k) to[k * stride] += share[k];
      }
    });
  }

  const AveragePlan& p_;
  int64_t width_, layers_ = 1;
  Divisors<T> divisors_;
  std::vector<T> share_, lines_;
  std::vector<int32_t> window_;
};

// The adjoint of so many planes.
template <class S, class T>
void spread_planes(const AveragePlan& p, const T* g, T* x, int64_t planes) {
  const auto& [d, h, w] = p.pool.axis;
  Shares<S, T> shares(p);
  const bool one_row = d.in * h.in == 1 && d.out * h.out == 1 && shares.in_one_line();
  for (int64_t n = 0; n < planes; ++n, x += p.pool.in_plane()) {
    std::fill_n(x, p.pool.in_plane(), T(0));
    for (int64_t i = 0; i < d.out; ++i)
      for (int64_t j = 0; j < h.out; ++j, g += w.out) {
        if (one_row) {
          shares.make_line(g, i, j, x);
          continue;
        }
        shares.make(g, i, j);
        shares.add_to(x, i, j);
      }
  }
}

// What averages of planes that are one window each give back.
template <class S, class T>
[[gnu::noinline]] void spread_whole(const T* g, int64_t size, S* x, int64_t planes) {
  for (int64_t n = 0; n < planes; ++n, x += size)
    std::fill_n(x, size, static_cast<S>(g[n] / static_cast<T>(size)));
}

// Of windows that are whole planes, without a copy in the compute type: false if out has gaps.
template <class T>
bool run_spread_whole(const AveragePlan& p, const T* g, Tensor& out) {
  if (!one_window(p.pool) || !out.contiguous) return false;
  Unlocked unlocked(out.numel);
  with_kept<T>(out.dtype, [&]<class S>() {
    parallel_for(p.pool.planes, plane_grain(p.pool.in_plane()), [&](int64_t n, int64_t end) {
      const int64_t size = p.pool.in_plane();
      spread_whole(g + n, size, out.data<S>() + n * size, end - n);
    });
  });
  return true;
}

// ---- channels last: a window gives to rows of channels
// Whether each element is in one window.
bool divides(const PoolPlan& p) {
  return std::all_of(p.axis, p.axis + 3, [](const PoolAxis& a) {
    for (int64_t i = 0; i + 1 < a.out; ++i)
      if (a.end[i] != a.start[i + 1]) return false;
    return a.out > 0 && a.start[0] == 0 && a.end[a.out - 1] == a.in;
  });
}
// Adds shares to a row of channels, or puts them there: sums of elements in one window, 0 and its
// share, are not made. Loops over a few channels take less time without vectors.
template <bool Divides, class S, class T>
void give(const T* share, int64_t channels, T* to) {
  constexpr int64_t kFew = 8;
  auto one = [&](int64_t c) { to[c] = Divides ? share[c] : kept_as<S>(to[c] + share[c]); };
  if (channels < kFew) {
#pragma GCC unroll 1
    for (int64_t c = 0; c < channels; ++c) one(c);
    return;
  }
#pragma GCC ivdep
  for (int64_t c = 0; c < channels; ++c) one(c);
}
// What output (i, j, k), whose gradients are at g, gives to each element of its window.
template <class S, class T>
void make_shares(const AveragePlan& p, const T* g, int64_t channels, int64_t by, int64_t i,
                 int64_t j, int64_t k, T* share) {
  if constexpr (std::is_same_v<S, T>)
    for (int64_t c = 0; c < channels; ++c) share[c] = g[c] / static_cast<T>(by) + T(0);
  else
    for (int64_t c = 0; c < channels; ++c) share[c] = p.shared<S>(g[c], i, j, k);
}
// Channels of whole vectors.
template <bool Divides, class T>
void spread_vectors(const PoolPlan& p, const T* g, T* x, int64_t channels, T divisor, int64_t i,
                    int64_t j, int64_t k) {
  each_channels<T>(channels, [&]<int N>(int64_t at) {
    Vector<T> share[N];
    for (int v = 0; v < N; ++v)  // 0 + -0 is 0
      share[v] = load_vector(g + at + v * kLanes<T>) / divisor + T(0);
    each_run(p, i, j, k, [&](int64_t from, int64_t length) {
      T* to = x + from * channels + at;
      for (int64_t q = 0; q < length; ++q, to += channels)
        for (int v = 0; v < N; ++v) {
          T* cell = to + v * kLanes<T>;
          store_vector(cell, Divides ? share[v] : load_vector(cell) + share[v]);
        }
    });
  });
}
// The adjoint. 16 bits round after every sum.
template <bool Divides, class S, class T>
void spread_last_example(const AveragePlan& p, const T* g, T* x, int64_t channels) {
  constexpr bool kNarrow = !std::is_same_v<S, T>;
  const bool vectors = channels >= kLanes<T> && (Divides || channels % kLanes<T> == 0);
  std::vector<T> share(static_cast<size_t>(channels));
  if (kNarrow || !Divides) std::fill_n(x, p.pool.in_plane() * channels, T(0));
  each_output(p, [&](int64_t n, int64_t by, int64_t i, int64_t j, int64_t k) {
    const T* from = g + n * channels;
    if (!by) return;
    if (!kNarrow && vectors)
      return spread_vectors<Divides>(p.pool, from, x, channels, static_cast<T>(by), i, j, k);
    make_shares<S>(p, from, channels, by, i, j, k, share.data());
    each_run(p.pool, i, j, k, [&](int64_t at, int64_t length) {
      for (T* to = x + at * channels; length > 0; --length, to += channels)
        give<Divides && !kNarrow, S>(share.data(), channels, to);
    });
  });
}

struct Spreads {
  static constexpr bool kBackward = true;
  template <class T>
  static bool whole(const AveragePlan& p, const T* g, Tensor& out) {
    return run_spread_whole(p, g, out);
  }
  template <class S, class T>
  static void planes(const AveragePlan& p, const T* from, T* to, int64_t planes) {
    if constexpr (std::is_same_v<S, T>)
      if (one_window(p.pool)) return spread_whole(from, p.pool.in_plane(), to, planes);
    spread_planes<S>(p, from, to, planes);
  }
  template <class S, class T>
  static void last(const AveragePlan& p, const T* from, T* to, int64_t examples, int64_t channels) {
    const int64_t ins = p.pool.in_plane() * channels, outs = p.pool.out_plane() * channels;
    auto spread = spread_last_example<false, S, T>;
    if (divides(p.pool))  // shares of one division are rounded when they are kept
      spread = p.pool.fixed ? spread_last_example<true, T, T> : spread_last_example<true, S, T>;
    parallel_for(examples, plane_grain(ins), [&](int64_t n, int64_t end) {
      for (; n < end; ++n) spread(p, from + n * outs, to + n * ins, channels);
    });
  }
};

SizeVec with_space(const Tensor& g, Sizes space) {
  SizeVec sizes(g.sizes().begin(), g.sizes().end() - space.size());
  sizes.insert(sizes.end(), space.begin(), space.end());
  return sizes;
}

// _avg_pool_backward(grad, size, kernel_size, stride, padding, ceil_mode, ...)
void spread_infer(Call& c) {
  const Tensor& g = c.tensor(0);
  keep_layout(g, c.add_out(with_space(g, c.ints(1)), g.dtype));
}
void spread_run(Call& c) {
  run_fixed<Spreads>(c, fixed_average(c, with_space(c.tensor(0), c.ints(1)), 2));
}

// _adaptive_avg_pool_backward(grad, size)
void adaptive_spread_run(Call& c) {
  Tensor& g = c.tensor(0);
  SizeVec out(g.sizes().end() - c.ints(1).size(), g.sizes().end());
  run_average<Spreads>(c, adaptive_average(with_space(g, c.ints(1)), out));
}

RL_ISA_KERNEL("_avg_pool_backward", spread_infer, spread_run);
RL_ISA_KERNEL("_adaptive_avg_pool_backward", spread_infer, adaptive_spread_run);

}  // namespace
}  // namespace RL_ISA_NS
}  // namespace rl
