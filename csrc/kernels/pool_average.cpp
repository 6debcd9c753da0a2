// Average pooling over fixed and adaptive windows. Its adjoint is in pool_spread.cpp.
#include <numeric>

#include "kernels/pool_average.h"
#include "kernels/pool_channels.h"
#include "kernels/pool_columns.h"
#include "kernels/run_sums.h"
#include "kernels/vector_widths.h"
#include "kernels/vectors.h"

namespace rl {
namespace RL_ISA_NS {
namespace {

// Long rows of fixed windows are worth going through tap by tap.
bool by_rows(const AveragePlan& p) { return p.pool.fixed && p.pool.axis[2].out >= 4; }

template <class T>
T run_sum(const T* x, int64_t n) {
  if (n < 8) return std::accumulate(x, x + n, T(0));
  return sum_run<T>(0, n, [=](auto at) { return at(x); });
}

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
  [[gnu::noinline]] void plane(const T* x, const T* end, T* out) {
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
void average_plane(const AveragePlan& p, const T* x, T* out, Divisors<T>& divisors) {
  const auto& [d, h, w] = p.pool.axis;
  if (by_rows(p)) {
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

// Planes that are one window each.
template <class T>
[[gnu::noinline]] void average_whole(const T* x, int64_t size, T* out, int64_t planes) {
  for (int64_t n = 0; n < planes; ++n, x += size) out[n] = run_sum(x, size) / static_cast<T>(size);
}

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

// So many planes.
template <class S, class T>
void average_planes(const AveragePlan& p, const T* from, T* to, int64_t planes) {
  int64_t ins = p.pool.in_plane(), outs = p.pool.out_plane();
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
  Divisors<T> divisors(p);
  for (int64_t n = 0; n < planes; ++n) average_plane<S>(p, from + n * ins, to + n * outs, divisors);
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
// A run of cells of fewer channels than a vector holds: blocks of cells that fill vectors are
// added, by parts, and then the cells of their sum.
template <class T>
void average_run(const T* x, int64_t length, int64_t channels, T* to, T divisor) {
  const int64_t block = channels * kLanes<T>, n = length * channels;
  const int64_t whole = n / block * block, part = 64 * block;
  T sum[kLanes<T> * kLanes<T>] = {};
  for (int64_t from = 0; from < whole; from += part) {
    T some[kLanes<T> * kLanes<T>] = {};
    for (int64_t q = from; q < std::min(from + part, whole); q += block)
#pragma GCC ivdep
      for (int64_t c = 0; c < block; ++c) some[c] += x[q + c];
    for (int64_t c = 0; c < block; ++c) sum[c] += some[c];
  }
  for (int64_t q = whole; q < n; ++q) sum[q - whole] += x[q];
  for (int64_t c = channels; c < block; ++c) sum[c % channels] += sum[c];
  for (int64_t c = 0; c < channels; ++c) to[c] = sum[c] / divisor;
}
// One output of an example of so many channels.
template <class T>
void average_last(const PoolPlan& p, const T* x, T* to, int64_t channels, T divisor, int64_t i,
                  int64_t j, int64_t k) {
  constexpr int64_t kLong = 8 * kLanes<T>;
  if (one_window(p) && channels < kLanes<T> && p.in_plane() >= kLong)
    return average_run(x, p.in_plane(), channels, to, divisor);
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

struct Averages {
  static constexpr bool kBackward = false;
  template <class S, class T>
  static void planes(const AveragePlan& p, const T* from, T* to, int64_t planes) {
    average_planes<S>(p, from, to, planes);
  }
  template <class S, class T>
  static void last(const AveragePlan& p, const T* from, T* to, int64_t examples, int64_t channels) {
    const int64_t ins = p.pool.in_plane() * channels;
    const int64_t rows = p.pool.axis[0].out * p.pool.axis[1].out;
    parallel_for(examples * rows, plane_grain(ins / rows), [&](int64_t begin, int64_t end) {
      average_last_rows(p, from, to, channels, begin, end);
    });
  }
};

// _avg_pool(input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor)
void average_infer(Call& c) {
  Tensor& x = c.tensor(0);
  check_pool_dtype(c, PooledIntegers::Int64);
  check_pool_input(c, x, static_cast<int>(c.ints(1).size()));
  AveragePlan p = fixed_average(c, x.sizes(), 1);
  add_pooled(c, p.pool, x.dtype, p.pool.dims < 3);
}
void average_run(Call& c) { run_fixed<Averages>(c, fixed_average(c, c.tensor(0).sizes(), 1)); }

// _adaptive_avg_pool(input, output_size)
void adaptive_infer(Call& c) {
  Tensor& x = c.tensor(0);
  check_pool_dtype(c, PooledIntegers::None);
  check_pool_input(c, x, static_cast<int>(c.ints(1).size()), true);
  for (int64_t s : c.ints(1))
    RL_CHECK(s >= 0, c.op, ": elements of output_size must be greater than or equal to 0, got ",
             c.ints(1));
  AveragePlan p = adaptive_average(x.sizes(), c.ints(1));
  add_pooled(c, p.pool, x.dtype, p.pool.dims < 3);
}
void adaptive_run(Call& c) {
  run_average<Averages>(c, adaptive_average(c.tensor(0).sizes(), c.ints(1)));
}

RL_ISA_KERNEL("_avg_pool", average_infer, average_run);
RL_ISA_KERNEL("_adaptive_avg_pool", adaptive_infer, adaptive_run);

}  // namespace
}  // namespace RL_ISA_NS
}  // namespace rl
