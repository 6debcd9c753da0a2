// Average pooling over fixed and adaptive windows, and its adjoint, which is its gradient.
#include <numeric>

#include "kernels/pool.h"
#include "kernels/pool_channels.h"
#include "kernels/pool_columns.h"
#include "kernels/run_sums.h"
#include "kernels/vector_widths.h"
#include "kernels/vectors.h"
#include "plan/copy.h"
#include "plan/isa.h"
#include "plan/parallel.h"

namespace rl {
namespace RL_ISA_NS {
namespace {

enum class Divide : uint8_t { Inside, WithPadding, Constant };

struct AveragePlan {
  PoolPlan pool;
  Divide divide = Divide::Inside;
  int64_t constant = 1;

  // The divisor of output (i, j, k); never zero for a window that has elements.
  int64_t divisor(int64_t i, int64_t j, int64_t k) const {
    const auto& [d, h, w] = pool.axis;
    if (divide == Divide::Constant) return constant;
    if (divide == Divide::WithPadding) return d.span[i] * h.span[j] * w.span[k];
    return (d.end[i] - d.start[i]) * (h.end[j] - h.start[j]) * (w.end[k] - w.start[k]);
  }

  // What each element of the window of output (i, j, k) has of x, kept as `S`: adaptive windows
  // divide by one length after another.
  template <class S, class T>
  T shared(T x, int64_t i, int64_t j, int64_t k) const {
    if (pool.fixed || std::is_same_v<S, T>) return kept_as<S>(x / static_cast<T>(divisor(i, j, k)));
    const auto& [d, h, w] = pool.axis;
    for (int64_t length : {d.end[i] - d.start[i], h.end[j] - h.start[j], w.end[k] - w.start[k]})
      x = kept_as<S>(x / static_cast<T>(length));
    return x;
  }
};

// Long rows of fixed windows are worth going through tap by tap.
bool by_rows(const AveragePlan& p) { return p.pool.fixed && p.pool.axis[2].out >= 4; }

// f(output number, divisor, (i, j, k)) over one plane.
template <class F>
void each_output(const AveragePlan& p, F&& f) {
  const auto& [d, h, w] = p.pool.axis;
  int64_t n = 0;
  for (int64_t i = 0; i < d.out; ++i)
    for (int64_t j = 0; j < h.out; ++j)
      for (int64_t k = 0; k < w.out; ++k) f(n++, p.divisor(i, j, k), i, j, k);
}

// f(offset, length) over the input runs of window (i, j, k).
template <class F>
void each_run(const PoolPlan& p, int64_t i, int64_t j, int64_t k, F&& f) {
  const auto& [d, h, w] = p.axis;
  int64_t length = w.end[k] - w.start[k], rows = h.end[j] - h.start[j];
  if (length <= 0 || rows <= 0) return;
  if (length == w.in) {  // whole rows follow each other
    for (int64_t a = d.start[i]; a < d.end[i]; ++a)
      f((a * h.in + h.start[j]) * w.in, rows * length);
    return;
  }
  for (int64_t a = d.start[i]; a < d.end[i]; ++a)
    for (int64_t b = h.start[j]; b < h.end[j]; ++b) f((a * h.in + b) * w.in + w.start[k], length);
}

template <class T>
T run_sum(const T* x, int64_t n) {
  if (n < 8) return std::accumulate(x, x + n, T(0));
  return sum_run<T>(0, n, [=](auto at) { return at(x); });
}

// The divisors of a row of outputs, which depend on how many rows the windows have.
template <class T>
class Divisors {
 public:
  explicit Divisors(const AveragePlan& p) : p_(p), by_(p.pool.axis[2].out) {}
  const T* of(int64_t i, int64_t j) {
    const auto& [d, h, w] = p_.pool.axis;
    int64_t rows = (d.end[i] - d.start[i]) * (h.end[j] - h.start[j]), span = d.span[i] * h.span[j];
    if (rows != rows_ || span != span_)
      for (int64_t k = 0; k < w.out; ++k)  // an empty window has the sum 0
        by_[k] = static_cast<T>(p_.divisor(i, j, k) ? p_.divisor(i, j, k) : 1);
    rows_ = rows, span_ = span;
    return by_.data();
  }

 private:
  const AveragePlan& p_;
  std::vector<T> by_;
  int64_t rows_ = -1, span_ = -1;
};

// Fixed windows: whole output rows, tap by tap.
template <class T>
void average_row(const AveragePlan& p, const T* x, T* out, int64_t i, int64_t j, const T* by) {
  const auto& [d, h, w] = p.pool.axis;
  std::fill_n(out, w.out, T(0));
  with_stride<2>(w.stride, [&](auto stride) {
    for (int64_t a = d.start[i]; a < d.end[i]; ++a)
      for (int64_t b = h.start[j]; b < h.end[j]; ++b)
        for (int64_t c = 0; c < w.kernel; ++c) {
          auto [first, last] = inside(w, c);
          const T* from = x + (a * h.in + b) * w.in + c - w.pad;
#pragma GCC ivdep
          for (int64_t k = first; k < last; ++k) out[k] += from[k * stride];
        }
  });
  for (int64_t k = 0; k < w.out; ++k) out[k] /= by[k];
}

// Windows of several rows: the sums of the columns, then those of the windows.
template <class T>
class AverageByColumns {
 public:
  explicit AverageByColumns(const AveragePlan& p) : p_(p), sums_(whole_vectors<T>(width())) {}
  static bool serves(const AveragePlan& p) {
    constexpr int64_t kFewRows = 2;
    const auto& [d, h, w] = p.pool.axis;
    return w.out > 1 && d.in * h.in >= kFewRows * d.out * h.out;
  }
  // The outputs of a plane at x, in an input that ends before `end`.
  void plane(const T* x, const T* end, T* out) {
    const auto& [d, h, w] = p_.pool.axis;
    for (int64_t i = 0; i < d.out; ++i)
      for (int64_t j = 0; j < h.out; ++j) {
        columns(x, end, i, j);
        for (int64_t k = 0; k < w.out; ++k) {
          const int64_t by = p_.divisor(i, j, k);
          const T sum = run_sum(sums_.data() + w.start[k], w.end[k] - w.start[k]);
          *out++ = by ? sum / static_cast<T>(by) : T(0);
        }
      }
  }

 private:
  int64_t width() const { return p_.pool.axis[2].in; }
  void columns(const T* x, const T* end, int64_t i, int64_t j) {
    for (int64_t c = 0; c < width(); c += kLanes<T>) {
      Vector<T> sum{};
      each_row(p_.pool, i, j, [&](int64_t row) { sum += load_before(x + row * width() + c, end); });
      store_vector(sums_.data() + c, sum);
    }
  }

  const AveragePlan& p_;
  std::vector<T> sums_;
};

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

// 16-bit volumes over adaptive windows: rounded after every sum and quotient, as in PyTorch.
template <class S, class T>
bool rounds_sums(const AveragePlan& p) {
  return !std::is_same_v<S, T> && !p.pool.fixed && p.pool.dims == 3;
}
template <class S, class T>
void average_narrow_plane(const AveragePlan& p, const T* x, T* out) {
  each_output(p, [&](int64_t n, int64_t, int64_t i, int64_t j, int64_t k) {
    T sum = 0;
    each_run(p.pool, i, j, k, [&](int64_t at, int64_t length) {
      for (int64_t q = 0; q < length; ++q) sum = kept_as<S>(sum + x[at + q]);
    });
    out[n] = p.shared<S>(sum, i, j, k);
  });
}

template <class S, class T>
void average_plane(const AveragePlan& p, const T* x, T* out) {
  const auto& [d, h, w] = p.pool.axis;
  if (by_rows(p)) {
    Divisors<T> divisors(p);
    for (int64_t i = 0; i < d.out; ++i)
      for (int64_t j = 0; j < h.out; ++j, out += w.out)
        average_row(p, x, out, i, j, divisors.of(i, j));
    return;
  }
  if (rounds_sums<S, T>(p)) return average_narrow_plane<S>(p, x, out);
  each_output(p, [&](int64_t n, int64_t by, int64_t i, int64_t j, int64_t k) {
    T sum = 0;
    each_run(p.pool, i, j, k, [&](int64_t at, int64_t length) { sum += run_sum(x + at, length); });
    out[n] = by ? sum / static_cast<T>(by) : T(0);
  });
}

// Planes that are one window each, and what their averages give back.
template <class T>
[[gnu::noinline]] void average_whole(const T* x, int64_t size, T* out, int64_t planes) {
  for (int64_t n = 0; n < planes; ++n, x += size) out[n] = run_sum(x, size) / static_cast<T>(size);
}
template <class S, class T>
[[gnu::noinline]] void spread_whole(const T* g, int64_t size, S* x, int64_t planes) {
  for (int64_t n = 0; n < planes; ++n, x += size)
    std::fill_n(x, size, static_cast<S>(g[n] / static_cast<T>(size)));
}
bool one_window(const PoolPlan& p) { return !p.fixed && p.out_plane() == 1 && p.in_plane() > 0; }

// The choice must not depend on how many planes a thread has: sums may round otherwise.
bool short_rows(const PoolPlan& p) {
  constexpr int64_t kRow = 12, kWindow = 4, kPlane = 4096;
  const PoolAxis& w = p.axis[2];
  return p.fixed && w.out < kRow && w.kernel <= kWindow && p.in_plane() <= kPlane;
}

// Adaptive windows of a few elements.
bool short_windows(const PoolPlan& p) {
  constexpr int64_t kTimes = 4, kElements = 16, kPlane = 4096;
  auto few = [](const PoolAxis& a) { return a.in <= kTimes * a.out; };
  return !p.fixed && p.in_plane() <= kPlane && p.out_plane() <= kPlane &&
         p.in_plane() <= kElements * p.out_plane() && std::all_of(p.axis, p.axis + 3, few);
}

// Rows too short for vectors: the elements of each window are looked up, in the order of taps.
template <class T>
[[gnu::noinline]] void average_short(const AveragePlan& p, const T* x, T* out, int64_t planes) {
  std::vector<int64_t> at, end;
  std::vector<T> by;
  each_output(p, [&](int64_t, int64_t divisor, int64_t i, int64_t j, int64_t k) {
    each_run(p.pool, i, j, k, [&](int64_t from, int64_t length) {
      for (int64_t q = 0; q < length; ++q) at.push_back(from + q);
    });
    end.push_back(static_cast<int64_t>(at.size()));
    by.push_back(static_cast<T>(divisor ? divisor : 1));
  });
  const int64_t *taps = at.data(), *ends = end.data(), plane = p.pool.in_plane();
  const int64_t outputs = static_cast<int64_t>(end.size());
  const T* divisors = by.data();
  for (int64_t n = 0; n < planes; ++n, x += plane)
    for (int64_t o = 0, tap = 0; o < outputs; ++o) {
      T sum = 0;
      for (const int64_t last = ends[o]; tap < last; ++tap) sum += x[taps[tap]];
      *out++ = sum / divisors[o];
    }
}

// So many planes; `S`, which the result will be kept in, decides how 16 bits round.
template <class S, class T>
void average_planes(const AveragePlan& p, bool backward, const T* from, T* to, int64_t planes) {
  int64_t ins = p.pool.in_plane(), outs = p.pool.out_plane();
  if constexpr (std::is_same_v<S, T>)
    if (backward && one_window(p.pool)) return spread_whole(from, ins, to, planes);
  if (backward) return spread_planes<S>(p, from, to, planes);
  if (!rounds_sums<S, T>(p)) {
    if (one_window(p.pool)) return average_whole(from, ins, to, planes);
    if (short_windows(p.pool) || short_rows(p.pool)) return average_short(p, from, to, planes);
    if (!by_rows(p) && AverageByColumns<T>::serves(p)) {
      AverageByColumns<T> wide(p);
      for (int64_t n = 0; n < planes; ++n)
        wide.plane(from + n * ins, from + planes * ins, to + n * outs);
      return;
    }
  }
  for (int64_t n = 0; n < planes; ++n) average_plane<S>(p, from + n * ins, to + n * outs);
}

// ---- channels last: a window is a sum of rows of channels
// Adds rows `pitch` apart, N vectors of each: long ones by parts, which keeps them exact.
template <int N, int Bytes, class T>
[[gnu::always_inline]] inline void add_rows(typename VectorOf<T, Bytes>::type* sum, const T* x,
                                            int64_t pitch, int64_t rows) {
  using V = typename VectorOf<T, Bytes>::type;
  constexpr int64_t kPart = 64, kStep = Bytes / static_cast<int64_t>(sizeof(T));
  V total[N] = {};
  for (int64_t from = 0; from < rows; from += kPart) {
    V part[N] = {};
    for (int64_t r = from; r < std::min(from + kPart, rows); ++r)
      for (int v = 0; v < N; ++v) part[v] += load_as<V>(x + r * pitch + v * kStep);
    for (int v = 0; v < N; ++v) total[v] += part[v];
  }
  for (int v = 0; v < N; ++v) sum[v] += total[v];
}
// One output of an example of so many channels.
template <class T>
void average_last(const PoolPlan& p, const T* x, T* to, int64_t channels, T divisor, int64_t i,
                  int64_t j, int64_t k) {
  const bool vectors = each_channels_of<T>(channels, [&]<int N, int Bytes>(int64_t at) {
    constexpr int64_t kStep = Bytes / static_cast<int64_t>(sizeof(T));
    typename VectorOf<T, Bytes>::type sum[N] = {};
    each_run(p, i, j, k, [&](int64_t from, int64_t length) {
      add_rows<N, Bytes>(sum, x + from * channels + at, channels, length);
    });
    for (int v = 0; v < N; ++v) store_as(to + at + v * kStep, sum[v] / divisor);
  });
  if (vectors) return;
  for (int64_t c = 0; c < channels; ++c) {
    T sum = 0;
    each_run(p, i, j, k, [&](int64_t from, int64_t length) {
      T part = 0;
      for (int64_t q = 0; q < length; ++q) part += x[(from + q) * channels + c];
      sum += part;
    });
    to[c] = sum / divisor;
  }
}
// Whether each element is in one window.
bool divides(const PoolPlan& p) {
  return std::all_of(p.axis, p.axis + 3, [](const PoolAxis& a) {
    for (int64_t i = 0; i + 1 < a.out; ++i)
      if (a.end[i] != a.start[i + 1]) return false;
    return a.out > 0 && a.start[0] == 0 && a.end[a.out - 1] == a.in;
  });
}
// The adjoint. The sums of elements in one window, 0 and its share, are not made.
template <bool Divides, class T>
void spread_last(const PoolPlan& p, const T* g, T* x, int64_t channels, T divisor, int64_t i,
                 int64_t j, int64_t k) {
  if (channels >= kLanes<T> && (Divides || channels % kLanes<T> == 0))
    return each_channels<T>(channels, [&]<int N>(int64_t at) {
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
  each_run(p, i, j, k, [&](int64_t from, int64_t length) {
    for (int64_t q = from; q < from + length; ++q)
      for (int64_t c = 0; c < channels; ++c) {
        T share = g[c] / divisor + T(0);
        x[q * channels + c] = Divides ? share : x[q * channels + c] + share;
      }
  });
}

// Rows of outputs, counted over all examples.
template <class T>
void average_last_rows(const AveragePlan& p, const T* x, T* out, int64_t channels, int64_t begin,
                       int64_t end) {
  const auto& [d, h, w] = p.pool.axis;
  const int64_t rows = d.out * h.out, plane = p.pool.in_plane() * channels;
  for (int64_t r = begin; r < end; ++r)
    for (int64_t k = 0, i = r % rows / h.out, j = r % h.out; k < w.out; ++k) {
      int64_t by = p.divisor(i, j, k);
      average_last(p.pool, x + r / rows * plane, out + (r * w.out + k) * channels, channels,
                   static_cast<T>(by ? by : 1), i, j, k);
    }
}
// 16 bits, which round after every sum.
template <class S, class T>
void spread_narrow(const AveragePlan& p, const T* g, T* x, int64_t channels, int64_t i, int64_t j,
                   int64_t k, T* share) {
  for (int64_t c = 0; c < channels; ++c) share[c] = p.shared<S>(g[c], i, j, k);
  each_run(p.pool, i, j, k, [&](int64_t from, int64_t length) {
    for (T* to = x + from * channels; length > 0; --length, to += channels)
      for (int64_t c = 0; c < channels; ++c) to[c] = kept_as<S>(to[c] + share[c]);
  });
}
template <bool Divides, class S, class T>
void spread_last_example(const AveragePlan& p, const T* g, T* x, int64_t channels) {
  constexpr bool kNarrow = !std::is_same_v<S, T>;
  std::vector<T> share(static_cast<size_t>(kNarrow ? channels : 0));
  if (kNarrow || !Divides) std::fill_n(x, p.pool.in_plane() * channels, T(0));
  each_output(p, [&](int64_t n, int64_t by, int64_t i, int64_t j, int64_t k) {
    const T *from = g + n * channels, divisor = static_cast<T>(by);
    if (!by) return;
    if constexpr (kNarrow) return spread_narrow<S>(p, from, x, channels, i, j, k, share.data());
    spread_last<Divides>(p.pool, from, x, channels, divisor, i, j, k);
  });
}
template <class S, class T>
void run_last(const AveragePlan& p, bool backward, const T* from, T* to, int64_t examples,
              int64_t channels) {
  const int64_t ins = p.pool.in_plane() * channels, outs = p.pool.out_plane() * channels;
  if (!backward) {
    const int64_t rows = p.pool.axis[0].out * p.pool.axis[1].out;
    return parallel_for(examples * rows, plane_grain(ins / rows), [&](int64_t begin, int64_t end) {
      average_last_rows(p, from, to, channels, begin, end);
    });
  }
  auto spread = spread_last_example<false, S, T>;
  if (divides(p.pool))  // shares of one division are rounded when they are kept
    spread = p.pool.fixed ? spread_last_example<true, T, T> : spread_last_example<true, S, T>;
  parallel_for(examples, plane_grain(ins), [&](int64_t n, int64_t end) {
    for (; n < end; ++n) spread(p, from + n * outs, to + n * ins, channels);
  });
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

void run_average(Call& c, const AveragePlan& p, bool backward) {
  Tensor &from = c.tensor(0), &out = c.out(0);
  if (!out.numel) return;
  DType compute = pool_dtype(from.dtype);
  const bool volumes = !p.pool.fixed && p.pool.dims == 3;  // whose sums are rounded
  const bool last = from.ndim == p.pool.dims + 2 && is_channels_last(backward ? out : from) &&
                    !is_integral(compute) && (backward || !volumes || compute == from.dtype);
  Ref<Tensor> in = in_order(from, compute, last);
  bool done = false;
  if (backward && !last)
    pool_dispatch(compute, [&]<class T>() { done = run_spread_whole(p, in->data<T>(), out); });
  if (done) return;
  Ref<Tensor> to = target_in_order(out, compute, last);
  int64_t ins = p.pool.in_plane(), outs = p.pool.out_plane();
  {
    Unlocked unlocked(p.pool.planes * ins);
    pool_dispatch(compute, [&]<class T>() {
      auto *a = in->data<T>(), *b = to->data<T>();
      if constexpr (std::is_floating_point_v<T>)
        if (last)
          return with_kept<T>(out.dtype, [&]<class S>() {
            run_last<S>(p, backward, a, b, from.size(0), from.size(1));
          });
      parallel_for(p.pool.planes, plane_grain(ins), [&](int64_t begin, int64_t end) {
        with_kept<T>(out.dtype, [&]<class S>() {
          average_planes<S>(p, backward, a + begin * (backward ? outs : ins),
                            b + begin * (backward ? ins : outs), end - begin);
        });
      });
    });
  }
  if (to.get() != &out) copy_into(out, *to);
}

// Arguments from `at`: kernel_size, stride, padding, ceil_mode, count_include_pad, divisor.
AveragePlan fixed_average(const Call& c, Sizes sizes, int at) {
  PoolWindows w{c.ints(at), c.ints(at + 1), c.ints(at + 2), {}, c.flag(at + 3)};
  AveragePlan p{fixed_plan(c, sizes, w, static_cast<int>(w.kernel.size()))};
  p.divide = c.flag(at + 4) ? Divide::WithPadding : Divide::Inside;
  if (c.has(at + 5)) {
    p.divide = Divide::Constant;
    p.constant = c.integer(at + 5);
    RL_CHECK(p.constant != 0, c.op, ": divisor must be not zero");
  }
  return p;
}
SizeVec with_space(const Tensor& g, Sizes space) {
  SizeVec sizes(g.sizes().begin(), g.sizes().end() - space.size());
  sizes.insert(sizes.end(), space.begin(), space.end());
  return sizes;
}

// _avg_pool(input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor)
void average_infer(Call& c) {
  Tensor& x = c.tensor(0);
  check_pool_dtype(c, x.dtype);
  check_pool_input(c, x, static_cast<int>(c.ints(1).size()));
  AveragePlan p = fixed_average(c, x.sizes(), 1);
  keep_layout(x, c.add_out(pooled_sizes(x, p.pool), x.dtype));
}
void run_fixed(Call& c, AveragePlan p, bool backward) {
  p.pool = laid_out(std::move(p.pool));
  run_average(c, p, backward);
}
void average_run(Call& c) { run_fixed(c, fixed_average(c, c.tensor(0).sizes(), 1), false); }

// _avg_pool_backward(grad, size, kernel_size, stride, padding, ceil_mode, ...)
void spread_infer(Call& c) {
  const Tensor& g = c.tensor(0);
  keep_layout(g, c.add_out(with_space(g, c.ints(1)), g.dtype));
}
void spread_run(Call& c) {
  run_fixed(c, fixed_average(c, with_space(c.tensor(0), c.ints(1)), 2), true);
}

// _adaptive_avg_pool(input, output_size) and its adjoint (grad, size)
AveragePlan adaptive_average(Sizes sizes, Sizes out) {
  return {adaptive_plan(sizes, out, static_cast<int>(out.size()))};
}
void adaptive_infer(Call& c) {
  Tensor& x = c.tensor(0);
  check_pool_dtype(c, x.dtype);
  check_pool_input(c, x, static_cast<int>(c.ints(1).size()));
  for (int64_t s : c.ints(1))
    RL_CHECK(s >= 0, c.op, ": elements of output_size must be greater than or equal to 0, got ",
             c.ints(1));
  AveragePlan p = adaptive_average(x.sizes(), c.ints(1));
  keep_layout(x, c.add_out(pooled_sizes(x, p.pool), x.dtype));
}
void adaptive_run(Call& c) {
  run_average(c, adaptive_average(c.tensor(0).sizes(), c.ints(1)), false);
}
void adaptive_spread_run(Call& c) {
  Tensor& g = c.tensor(0);
  SizeVec out(g.sizes().end() - c.ints(1).size(), g.sizes().end());
  run_average(c, adaptive_average(with_space(g, c.ints(1)), out), true);
}

RL_ISA_KERNEL("_avg_pool", average_infer, average_run);
RL_ISA_KERNEL("_avg_pool_backward", spread_infer, spread_run);
RL_ISA_KERNEL("_adaptive_avg_pool", adaptive_infer, adaptive_run);
RL_ISA_KERNEL("_adaptive_avg_pool_backward", spread_infer, adaptive_spread_run);

}  // namespace
}  // namespace RL_ISA_NS
}  // namespace rl
