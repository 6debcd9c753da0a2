// What average pooling and its adjoint share: the divisors of windows, the runs of their elements,
// and the operators' arguments, copies and threads. Included by files compiled once per level.
#pragma once
#include <utility>
#include <vector>

#include "kernels/pool.h"
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

inline bool one_window(const PoolPlan& p) {
  return !p.fixed && p.out_plane() == 1 && p.in_plane() > 0;
}

// Runs one `Way`, averages or their adjoint, over planes or channels that lie last. The type `S`,
// which the result will be kept in, decides how 16 bits round.
template <class Way>
void run_average(Call& c, const AveragePlan& p) {
  constexpr bool backward = Way::kBackward;
  Tensor &from = c.tensor(0), &out = c.out(0);
  if (!out.numel) return;
  DType compute = pool_dtype(from.dtype);
  const bool volumes = !p.pool.fixed && p.pool.dims == 3;  // whose sums are rounded
  const bool last = from.ndim == p.pool.dims + 2 && varies_channels_first(backward ? out : from) &&
                    !is_integral(compute) && (backward || !volumes || compute == from.dtype);
  Ref<Tensor> in = in_order(from, compute, last);
  bool done = false;
  if constexpr (backward)
    if (!last) pool_dispatch(compute, [&]<class T>() { done = Way::whole(p, in->data<T>(), out); });
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
            Way::template last<S>(p, a, b, from.size(0), from.size(1));
          });
      parallel_for(p.pool.planes, plane_grain(ins), [&](int64_t begin, int64_t end) {
        with_kept<T>(out.dtype, [&]<class S>() {
          Way::template planes<S>(p, a + begin * (backward ? outs : ins),
                                  b + begin * (backward ? ins : outs), end - begin);
        });
      });
    });
  }
  if (to.get() != &out) copy_into(out, *to);
}
template <class Way>
void run_fixed(Call& c, AveragePlan p) {
  p.pool = laid_out(std::move(p.pool));
  run_average<Way>(c, p);
}

// Arguments from `at`: kernel_size, stride, padding, ceil_mode, count_include_pad, divisor.
inline AveragePlan fixed_average(const Call& c, Sizes sizes, int at) {
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
inline AveragePlan adaptive_average(Sizes sizes, Sizes out) {
  return {adaptive_plan(sizes, out, static_cast<int>(out.size()))};
}

}  // namespace
}  // namespace RL_ISA_NS
}  // namespace rl
