// Max pooling with and without indices, fixed and adaptive windows. Its gradient is in
// pool_scatter.cpp. Compiled once per instruction-set level.
#include <utility>

#include "kernels/pool.h"
#include "kernels/pool_best.h"
#include "kernels/pool_channels.h"
#include "kernels/pool_columns.h"
#include "kernels/vectors.h"
#include "plan/copy.h"
#include "plan/isa.h"
#include "plan/parallel.h"

namespace rl {
namespace RL_ISA_NS {
namespace {

// ---- outputs one by one
// f(input number) over the window of outputs (i, j, ...) of a plane and these columns.
template <class F>
void each_input(const PoolPlan& p, int64_t i, int64_t j, Span columns, F f) {
  const auto& [d, h, w] = p.axis;
  for (int64_t a = d.start[i]; a < d.end[i]; a += d.step)
    for (int64_t b = h.start[j]; b < h.end[j]; b += h.step)
      for (int64_t c = columns.first; c < columns.last; c += w.step) f((a * h.in + b) * w.in + c);
}

template <class T, class At>
void one_output(const PoolPlan& p, const T* x, int64_t i, int64_t j, int64_t k, T* out, At index) {
  const auto& [d, h, w] = p.axis;
  const Span columns = p.fixed ? w.window(k) : Span{w.start[k], w.end[k]};
  T best = kLowest<T>;
  int64_t at = (d.start[i] * h.in + h.start[j]) * w.in + columns.first;
  each_input(p, i, j, columns, [&](int64_t here) {
    if (x[here] > best || x[here] != x[here]) best = x[here], at = here;
  });
  out[k] = best;
  put(index, k, at);
}

// ---- outputs of fixed windows, a vector at a time
// Elements 0, S, 2 S, ... of x, of which none behind the last is read: the next of S vectors gives
// those that lie in it.
template <int S, int Next, class T, size_t... L>
Vector<T> with_lanes_of(Vector<T> before, const T* x, std::index_sequence<L...>) {
  constexpr int n = kLanes<T>, start = Next * n - (Next == S - 1 ? S - 1 : 0);
  auto pick = [](int l) constexpr {
    if (l * S >= Next * n) return n + std::min(l * S - start, n - 1);
    return Next == 1 ? l * S : l;
  };
  return __builtin_shufflevector(before, load_vector(x + start), pick(static_cast<int>(L))...);
}
template <int S, int Next, class T>
Vector<T> every_nth(Vector<T> before, const T* x) {
  if constexpr (Next == S)
    return before;
  else
    return every_nth<S, Next + 1>(
        with_lanes_of<S, Next>(before, x, std::make_index_sequence<kLanes<T>>()), x);
}
template <class T, size_t... L>
Vector<T> every_nth(const T* x, int64_t stride, std::index_sequence<L...>) {
  return Vector<T>{x[static_cast<int64_t>(L) * stride]...};
}
template <class T>
Vector<T> load_strided(const T* x, int64_t stride) {
  return every_nth(x, stride, std::make_index_sequence<kLanes<T>>());
}
template <class T, int64_t S>
Vector<T> load_strided(const T* x, std::integral_constant<int64_t, S>) {
  if constexpr (S - 1 > kLanes<T>)  // whose vectors but the last would read too far
    return load_strided(x, S);
  else
    return every_nth<S, 1>(load_vector(x), x);
}

// Outputs (i, j, k) to (i, j, last), at least a vector, none of whose windows leaves the row.
template <class T, class Stride, class Kernel, class At>
[[gnu::noinline]] void some_outputs(const PoolPlan& p, const T* x, int64_t i, int64_t j, int64_t k,
                                    int64_t last, Stride stride, Kernel kernel, T* out, At index) {
  using I = Index<T>;
  const auto& [d, h, w] = p.axis;
  I steps[kLanes<T>];
  for (int l = 0; l < kLanes<T>; ++l) steps[l] = static_cast<I>(l * stride);
  const Vector<I> lanes = load_vector(steps);
  const int64_t from = d.start[i], to = d.end[i], top = h.start[j], bottom = h.end[j];
  const int64_t height = h.in, width = w.in, step = w.step;
  for (; k < last; k += kLanes<T>) {
    k = std::min(k, last - kLanes<T>);  // the last vector overlaps the one before it
    const int64_t begin = k * stride - w.pad;
    const Vector<I> first = lanes + static_cast<I>(begin);
    Best<T> best{Vector<T>{} + kLowest<T>, first + static_cast<I>((from * height + top) * width)};
    for (int64_t a = from; a < to; a += d.step)
      for (int64_t b = top; b < bottom; b += h.step)
        for (int64_t c = 0; c < kernel; ++c) {
          int64_t here = (a * height + b) * width + c * step;
          best.template take<At>(load_strided(x + here + begin, stride),
                                 first + static_cast<I>(here));
        }
    store_best(best, out + k, index + k);
  }
}

// The outputs of a row whose windows do not leave it.
inline Span whole_windows(const PoolAxis& w) {
  return {inside(w, 0).first, inside(w, w.kernel - 1).last};
}

// Calls f with the width of a window, as a constant where the loop over it takes longer than what
// is in it.
template <class At, class F>
void with_kernel(int64_t kernel, F f) {
  if constexpr (std::is_same_v<At, Nowhere>) {
    if (kernel == 2) return f(std::integral_constant<int64_t, 2>());
    if (kernel == 3) return f(std::integral_constant<int64_t, 3>());
  }
  f(kernel);
}

template <class T, class At>
void fixed_row(const PoolPlan& p, Span whole, const T* x, int64_t i, int64_t j, T* out, At index) {
  const PoolAxis& w = p.axis[2];
  int64_t k = 0;
  const auto [first, last] = whole;
  if (last - first >= kLanes<T>) {
    for (; k < first; ++k) one_output(p, x, i, j, k, out, index);
    with_stride<4>(w.stride, [&](auto stride) {
      with_kernel<At>(w.kernel, [&](auto kernel) {
        some_outputs(p, x, i, j, k, last, stride, kernel, out, index);
      });
    });
    k = last;
  }
  for (; k < w.out; ++k) one_output(p, x, i, j, k, out, index);
}

// The elements of the largest window.
int64_t most_elements(const PoolAxis& a) {
  int64_t most = 0;
  for (int64_t i = 0; i < a.out; ++i)
    most = std::max(most, (a.end[i] - a.start[i] + a.step - 1) / a.step);
  return most;
}

// ---- outputs of windows in rows shorter than a vector: lanes are any outputs that follow each
// other, in planes enough to fill vectors, and look up where each element of their windows is.
// Windows with fewer elements than others have their last one several times.
template <class T>
class LookedUp {
 public:
  explicit LookedUp(const PoolPlan& p)
      : planes_((kEnough + p.out_plane() - 1) / p.out_plane()), outputs_(planes_ * p.out_plane()) {
    const auto& [d, h, w] = p.axis;
    for (const PoolAxis& a : p.axis) taps_ *= most_elements(a);
    if (planes_ > p.planes || taps_ * outputs_ > kMost || planes_ * p.in_plane() > INT32_MAX)
      taps_ = 0;
    for (const PoolAxis& a : p.axis)
      for (int64_t i = 0; i < a.out; ++i)
        if (a.start[i] >= a.end[i]) taps_ = 0;
    at_.reserve(static_cast<size_t>(taps_ * outputs_));
    if (!taps_) return;
    for (int64_t a = 0; a < most_elements(d); ++a)
      for (int64_t b = 0; b < most_elements(h); ++b)
        for (int64_t c = 0; c < most_elements(w); ++c) add_tap(p, a, b, c);
    for (int64_t n = 0; n < planes_; ++n)
      base_.insert(base_.end(), static_cast<size_t>(p.out_plane()), I(n * p.in_plane()));
  }
  bool serves() const { return taps_ > 0; }
  int64_t planes() const { return planes_; }

  // The outputs of as many planes.
  template <class At>
  void run(const T* x, T* out, At index) const {
    for (int64_t o = 0; o < outputs_; o += kLanes<T>) {
      o = std::min(o, outputs_ - kLanes<T>);  // the last vector overlaps the one before it
      some(x, o, out, index);
    }
  }

 private:
  using I = Index<T>;
  static constexpr int64_t kEnough = 4 * kLanes<T>, kMost = 1 << 16;

  static int64_t element(const PoolAxis& a, int64_t i, int64_t tap) {
    return a.start[i] + std::min(tap, (a.end[i] - 1 - a.start[i]) / a.step) * a.step;
  }
  void add_tap(const PoolPlan& p, int64_t a, int64_t b, int64_t c) {
    const auto& [d, h, w] = p.axis;
    for (int64_t n = 0; n < planes_; ++n)
      for (int64_t i = 0; i < d.out; ++i)
        for (int64_t j = 0; j < h.out; ++j) {
          int64_t row = n * p.in_plane() + (element(d, i, a) * h.in + element(h, j, b)) * w.in;
          for (int64_t k = 0; k < w.out; ++k) at_.push_back(I(row + element(w, k, c)));
        }
  }
  template <class At>
  void some(const T* x, int64_t o, T* out, At index) const {
    Best<T> best{Vector<T>{} + kLowest<T>, load_vector(at_.data() + o)};
    for (int64_t tap = 0; tap < taps_; ++tap) {
      const I* from = at_.data() + tap * outputs_ + o;
      T lanes[kLanes<T>];
      for (int l = 0; l < kLanes<T>; ++l) lanes[l] = x[from[l]];
      best.template take<At>(load_vector(lanes), load_vector(from));
    }
    best.at -= load_vector(base_.data() + o);
    store_best(best, out + o, index + o);
  }

  int64_t planes_, outputs_, taps_ = 1;
  std::vector<I> at_, base_;  // of each tap's outputs; of the outputs' planes
};

// ---- outputs of windows with many elements
template <class T>
class MaxByColumns {
 public:
  explicit MaxByColumns(const PoolPlan& p)
      : p_(p), value_(whole_vectors<T>(p.axis[2].in) + kLanes<T>), at_(value_.size()) {
    for (int l = 0; l < kLanes<T>; ++l) lanes_[l] = static_cast<I>(l);
  }
  // Windows of few elements are looked up sooner than columns are joined.
  static bool serves(const PoolPlan& p) {
    constexpr int64_t kFew = 16;
    int64_t taps = 1;
    for (const PoolAxis& a : p.axis) taps *= most_elements(a);
    return taps > kFew && p.axis[2].step == 1 && p.in_plane() < INT32_MAX;
  }
  // The outputs of a plane at x, in an input that ends before `end`.
  template <class At>
  void plane(const T* x, const T* end, T* out, At index) {
    const auto& [d, h, w] = p_.axis;
    auto give = [&](int64_t k, std::pair<T, int64_t> best) {
      out[k] = best.first;
      put(index, k, best.second);
    };
    for (int64_t i = 0; i < d.out; ++i)
      for (int64_t j = 0; j < h.out; ++j, out += w.out, index = index + w.out) {
        first_ = (d.start[i] * h.in + h.start[j]) * w.in;
        if (d.end[i] - d.start[i] <= d.step && h.end[j] - h.start[j] <= h.step) {
          for (int64_t k = 0; k < w.out; ++k) give(k, run(x + first_, end, w.start[k], w.end[k]));
          continue;
        }
        columns(x, end, i, j);
        for (int64_t k = 0; k < w.out; ++k) give(k, window(w.start[k], w.end[k]));
      }
  }

 private:
  using I = Index<T>;
  void columns(const T* x, const T* end, int64_t i, int64_t j) {
    const int64_t width = p_.axis[2].in;
    for (int64_t c = 0; c < width; c += kLanes<T>) {
      const Vector<I> column = lanes_ + static_cast<I>(c);
      Best<T> best{Vector<T>{} + kLowest<T>, column + static_cast<I>(first_)};
      each_row(p_, i, j, [&](int64_t row) {
        best.template take<int64_t*>(load_before(x + row * width + c, end),
                                     column + static_cast<I>(row * width));
      });
      store_vector<T>(value_.data() + c, best.value);
      store_vector<I>(at_.data() + c, best.at);
    }
  }
  // A window of one row, which needs no columns: several vectors at a time hide the latency.
  std::pair<T, int64_t> run(const T* x, const T* limit, int64_t begin, int64_t end) const {
    constexpr int64_t V = kLanes<T>;
    constexpr int kTogether = 4;
    Best<T> best[kTogether];
    for (auto& b : best)
      b = {Vector<T>{} + kLowest<T>, Vector<I>{} + static_cast<I>(first_ + begin)};
    const Vector<I> lanes = lanes_ + static_cast<I>(first_);
    auto take_some = [&](Best<T>& b, Vector<T> v, int64_t c) {
      b.template take<int64_t*>(v, lanes + static_cast<I>(c));
    };
    int64_t c = begin;
    for (; c + kTogether * V <= end; c += kTogether * V)
      for (int k = 0; k < kTogether; ++k) take_some(best[k], load_vector(x + c + k * V), c + k * V);
    for (; c < end; c += V) {
      const auto inside = lanes_ < Vector<I>{} + static_cast<I>(end - c);
      const Vector<T> v = load_before(x + c, limit);
      take_some(best[0], inside ? v : Vector<T>{} + kLowest<T>, c);
    }
    for (int k = 1; k < kTogether; ++k) best[0].join(best[k]);
    return best_lane(best[0]);
  }
  std::pair<T, int64_t> window(int64_t begin, int64_t end) const {
    Best<T> best{Vector<T>{} + kLowest<T>, Vector<I>{} + static_cast<I>(first_ + begin)};
    for (int64_t c = begin; c < end; c += kLanes<T>) {
      auto inside = lanes_ < Vector<I>{} + static_cast<I>(end - c);
      Best<T> more{load_vector(value_.data() + c), load_vector(at_.data() + c)};
      more.value = inside ? more.value : best.value;
      more.at = inside ? more.at : best.at;
      best.join(more);
    }
    return best_lane(best);
  }

  const PoolPlan& p_;
  std::vector<T> value_;
  std::vector<I> at_;
  Vector<I> lanes_;
  int64_t first_ = 0;  // the first element of the rows at hand
};

template <class T, class At>
bool run_wide(const PoolPlan& p, const T* x, T* out, At index) {
  if (!MaxByColumns<T>::serves(p)) return false;
  parallel_for(p.planes, plane_grain(p.in_plane()), [&](int64_t n, int64_t end) {
    MaxByColumns<T> wide(p);
    for (; n < end; ++n)
      wide.plane(x + n * p.in_plane(), x + p.planes * p.in_plane(), out + n * p.out_plane(),
                 index + n * p.out_plane());
  });
  return true;
}

template <class T, class At>
bool run_narrow(const PoolPlan& p, const T* x, T* out, At index) {
  Span row = p.fixed ? whole_windows(p.axis[2]) : Span{};
  if (row.last - row.first >= kLanes<T>) return false;
  if (run_wide(p, x, out, index)) return true;
  LookedUp<T> table(p);
  if (!table.serves()) return false;
  auto run = [&](int64_t n) {
    table.run(x + n * p.in_plane(), out + n * p.out_plane(), index + n * p.out_plane());
  };
  const int64_t n = table.planes();
  parallel_for(p.planes / n, plane_grain(n * p.in_plane()), [&](int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; ++t) run(t * n);
  });
  if (p.planes % n) run(p.planes - n);  // with some of the turn before it once more
  return true;
}

// Whether the windows of rows are never looked up: a table of long rows takes longer to make than
// their maxima.
bool in_long_rows(const PoolPlan& p) {
  constexpr int64_t kLong = 64;  // more than the lanes of a vector
  const Span whole = whole_windows(p.axis[2]);
  return p.in_plane() < INT32_MAX && whole.last - whole.first >= kLong;
}

template <class T, class At>
void run_planes(const PoolPlan& p, const T* x, T* out, At index) {
  if (run_narrow(p, x, out, index)) return;
  const auto& [d, h, w] = p.axis;
  const bool rows = p.fixed && p.in_plane() < INT32_MAX;
  const Span whole = rows ? whole_windows(w) : Span{};
  parallel_for(p.planes, plane_grain(p.in_plane()), [&](int64_t begin, int64_t end) {
    for (int64_t n = begin; n < end; ++n)
      for (int64_t i = 0; i < d.out; ++i)
        for (int64_t j = 0; j < h.out; ++j) {
          const T* from = x + n * p.in_plane();
          int64_t to = n * p.out_plane() + (i * h.out + j) * w.out;
          if (rows) {
            fixed_row(p, whole, from, i, j, out + to, index + to);
            continue;
          }
          for (int64_t k = 0; k < w.out; ++k) one_output(p, from, i, j, k, out + to, index + to);
        }
  });
}

// ---- channels last: lanes are channels
// N vectors of the channels of output (i, j, k).
template <int N, class T, class At>
[[gnu::always_inline]] inline void some_channels(const PoolPlan& p, const T* x, int64_t channels,
                                                 int64_t i, int64_t j, int64_t k, T* out,
                                                 At index) {
  using I = Index<T>;
  const auto& [d, h, w] = p.axis;
  const auto begin = static_cast<I>((d.start[i] * h.in + h.start[j]) * w.in + w.start[k]);
  Best<T> best[N];
  for (auto& b : best) b = {Vector<T>{} + kLowest<T>, Vector<I>{} + begin};
  each_input(p, i, j, Span{w.start[k], w.end[k]}, [&](int64_t here) {
    for (int v = 0; v < N; ++v)
      best[v].template take<At>(load_vector(x + here * channels + v * kLanes<T>),
                                Vector<I>{} + static_cast<I>(here));
  });
  for (int v = 0; v < N; ++v) store_best(best[v], out + v * kLanes<T>, index + v * kLanes<T>);
}
template <class T, class At>
void run_last(const PoolPlan& p, const T* x, T* out, At index, int64_t channels) {
  const auto& [d, h, w] = p.axis;
  const int64_t rows = d.out * h.out, plane = p.in_plane() * channels;
  const int64_t examples = p.planes / channels;
  parallel_for(examples * rows, plane_grain(plane / rows), [&](int64_t r, int64_t end) {
    for (; r < end; ++r)
      for (int64_t k = 0; k < w.out; ++k)
        each_channels<T>(channels, [&]<int N>(int64_t c) {
          int64_t to = (r * w.out + k) * channels + c;
          some_channels<N>(p, x + r / rows * plane + c, channels, r % rows / h.out, r % h.out, k,
                           out + to, index + to);
        });
  });
}

template <bool kWhere>
void run_max(Call& c, PoolPlan p) {
  Tensor& x = c.tensor(0);
  Tensor& out = c.out(0);
  if (!out.numel) return;
  DType compute = pool_dtype(x.dtype);
  const bool last = x.ndim == p.dims + 2 && varies_channels_first(x) && p.in_plane() < INT32_MAX &&
                    x.size(1) * item_size(compute) >= kVectorBytes;
  if (p.fixed)
    for (PoolAxis& a : p.axis)
      if (last || &a != &p.axis[2] || !in_long_rows(p)) lay_fixed(a);
  Ref<Tensor> in = in_order(x, compute, last), to = target_in_order(out, compute, last);
  auto run = [&](auto at) {
    Unlocked unlocked(x.numel);
    pool_dispatch(compute, [&]<class T>() {
      if (last) return run_last(p, in->data<T>(), to->data<T>(), at, x.size(1));
      run_planes(p, in->data<T>(), to->data<T>(), at);
    });
  };
  if constexpr (kWhere) {
    Ref<Tensor> at = target_in_order(c.out(1), DType::I64, last);
    run(at->data<int64_t>());
    if (at.get() != &c.out(1)) copy_into(c.out(1), *at);
  } else {
    run(Nowhere());
  }
  if (to.get() != &out) copy_into(out, *to);
}

// _max_pool(input, kernel_size, stride, padding, dilation, ceil_mode) -> (values, indices), and
// _max_pool_values(the same) -> values
PoolPlan max_plan(const Call& c) {
  PoolWindows w{c.ints(1), c.ints(2), c.ints(3), c.ints(4), c.flag(5)};
  return fixed_plan(c, c.tensor(0).sizes(), w, static_cast<int>(w.kernel.size()));
}
// Maxima of a volume without a batch, which lies as one in a batch does.
void keep_volume_layout(const Tensor& x, OutSpec& s) {
  auto strides = [](Sizes sizes) {
    SizeVec batch(1, 1);
    batch.insert(batch.end(), sizes.begin(), sizes.end());
    SizeVec all = strides_for(batch, MemoryFormat::ChannelsLast3d);
    return SizeVec(all.begin() + 1, all.end());
  };
  SizeVec last = strides(x.sizes());
  for (int d = 0; d < x.ndim; ++d)
    if (x.size(d) != 1 && x.stride(d) != last[d]) return;
  s.strides = strides(s.sizes);
}

template <bool kWhere>
void add_max_outs(Call& c, PoolPlan p) {
  check_pool_dtype(c, p.fixed ? PooledIntegers::UpTo64 : PooledIntegers::None);
  const bool keep = p.fixed || p.dims < 3;
  add_pooled(c, p, c.tensor(0).dtype, keep);
  if constexpr (kWhere) add_pooled(c, p, DType::I64, keep);
  const Tensor& x = c.tensor(0);
  if (!p.fixed || p.dims < 3 || x.ndim > 4 || x.contiguous) return;
  for (int i = 0; i <= int{kWhere}; ++i) keep_volume_layout(x, c.specs[i]);
}
template <bool kWhere>
void max_infer(Call& c) {
  check_pool_input(c, c.tensor(0), static_cast<int>(c.ints(1).size()));
  add_max_outs<kWhere>(c, max_plan(c));
}
template <bool kWhere>
void max_run(Call& c) {
  run_max<kWhere>(c, max_plan(c));
}

// _adaptive_max_pool(input, output_size) -> (values, indices)
PoolPlan adaptive_max_plan(const Call& c) {
  return adaptive_plan(c.tensor(0).sizes(), c.ints(1), static_cast<int>(c.ints(1).size()));
}
void adaptive_infer(Call& c) {
  check_pool_input(c, c.tensor(0), static_cast<int>(c.ints(1).size()), true);
  for (int64_t s : c.ints(1))
    RL_CHECK(s >= 0, c.op, ": output sizes must be non-negative, got ", c.ints(1));
  add_max_outs<true>(c, adaptive_max_plan(c));
}
void adaptive_run(Call& c) { run_max<true>(c, adaptive_max_plan(c)); }

RL_ISA_KERNEL("_max_pool", max_infer<true>, max_run<true>);
RL_ISA_KERNEL("_max_pool_values", max_infer<false>, max_run<false>);
RL_ISA_KERNEL("_adaptive_max_pool", adaptive_infer, adaptive_run);

}  // namespace
}  // namespace RL_ISA_NS
}  // namespace rl
