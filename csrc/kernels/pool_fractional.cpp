// Fractional max pooling (Graham 2014). Its gradient is in pool_scatter.cpp. Compiled once per
// instruction-set level.
#include <limits>

#include "kernels/pool.h"
#include "plan/copy.h"
#include "plan/isa.h"
#include "plan/parallel.h"

namespace rl {
namespace RL_ISA_NS {
namespace {

// Windows begin where equal steps from a random offset end, the last one at the end of the axis.
// As in PyTorch, each operation is rounded to what the numbers are kept as, which may carry a
// window of 16-bit numbers too far.
template <class S, class T>
void place(PoolAxis& a, T sample) {
  auto kept = [](T x) { return kept_as<S>(x); };
  const int64_t room = a.in - a.kernel;
  if (a.out > 1) {
    const T step = kept(kept(static_cast<T>(room)) / kept(static_cast<T>(a.out - 1)));
    const auto offset = static_cast<int64_t>(kept(sample * step));
    for (int64_t i = 0; i + 1 < a.out; ++i) {
      const T end = kept(kept(kept(static_cast<T>(i)) + sample) * step);
      a.start[i] = std::clamp<int64_t>(static_cast<int64_t>(end) - offset, 0, room);
    }
  }
  if (a.out > 0) a.start[a.out - 1] = room;
}

template <class T>
void one_window(const PoolPlan& p, const T* x, int64_t first, T* out, int64_t* index) {
  const auto& [d, h, w] = p.axis;
  T best = -std::numeric_limits<T>::infinity();
  int64_t at = first;
  for (int64_t a = 0; a < d.kernel; ++a)
    for (int64_t b = 0; b < h.kernel; ++b) {
      const int64_t row = first + (a * h.in + b) * w.in;
      for (int64_t i = row; i < row + w.kernel; ++i)
        if (x[i] > best || x[i] != x[i]) best = x[i], at = i;
    }
  *out = best;
  *index = at;
}

template <class T>
void one_plane(const PoolPlan& p, const T* x, T* out, int64_t* index) {
  const auto& [d, h, w] = p.axis;
  for (int64_t i = 0; i < d.out; ++i)
    for (int64_t j = 0; j < h.out; ++j)
      for (int64_t k = 0; k < w.out; ++k)
        one_window(p, x, (d.start[i] * h.in + h.start[j]) * w.in + w.start[k], out++, index++);
}

// _fractional_max(input, samples, kernel_size, output_size) -> (values, indices): `samples` are
// random numbers for each plane and dimension.
PoolPlan plan_of(const Call& c) {
  const Tensor& x = c.tensor(0);
  const Sizes kernel = c.ints(2), out = c.ints(3);
  PoolPlan p;
  p.dims = static_cast<int>(kernel.size());
  for (int d = 0; d < x.ndim - p.dims; ++d) p.planes *= x.size(d);
  for (int d = 0; d < p.dims; ++d) {
    PoolAxis& a = p.last(d);
    a.in = x.size(x.ndim - p.dims + d);
    a.kernel = kernel[d];
    a.out = out[d];
    RL_CHECK(a.out >= 0 && a.kernel > 0 && a.kernel <= a.in, c.op, ": cannot pool ", x.sizes(),
             " by windows of ", kernel, " to ", out);
  }
  return p;
}
void fractional_infer(Call& c) {
  check_pool_input(c, c.tensor(0), static_cast<int>(c.ints(2).size()));
  check_pool_dtype(c, PooledIntegers::None);
  PoolPlan p = plan_of(c);
  RL_CHECK(c.ints(3).size() == c.ints(2).size() && c.tensor(1).numel == p.planes * p.dims, c.op,
           ": expected a random number for each plane and dimension, got ", c.tensor(1).sizes());
  add_pooled(c, p, c.tensor(0).dtype, false);
  add_pooled(c, p, DType::I64, false);
}

template <class S, class T>
void run(const PoolPlan& plan, const T* x, const T* samples, T* out, int64_t* index) {
  // Of images the first number places the columns.
  auto sample = [&](int64_t n, int d) {
    return samples[n * plan.dims + (plan.dims == 2 ? 1 - d : d)];
  };
  parallel_for(plan.planes, plane_grain(plan.in_plane()), [&](int64_t n, int64_t end) {
    PoolPlan p = plan;
    for (int d = 0; d < p.dims; ++d) p.last(d).start.resize(static_cast<size_t>(p.last(d).out));
    for (; n < end; ++n) {
      for (int d = 0; d < p.dims; ++d) place<S>(p.last(d), sample(n, d));
      one_plane(p, x + n * p.in_plane(), out + n * p.out_plane(), index + n * p.out_plane());
    }
  });
}
void fractional_run(Call& c) {
  const Tensor &x = c.tensor(0), &given = c.tensor(1);
  Tensor& out = c.out(0);
  if (!out.numel) return;
  const DType compute = pool_dtype(x.dtype);
  const PoolPlan p = plan_of(c);
  Ref<Tensor> in = in_order(x, compute, false), to = target_in_order(out, compute, false);
  Ref<Tensor> samples = contiguous_as(given, compute);
  auto* index = c.out(1).data<int64_t>();
  auto fill = [&]<class T>() {
    const T* s = samples->data<T>();
    constexpr T kFar = 1 << 20;  // far behind what a random number is, and not where int64 ends
    RL_CHECK(std::all_of(s, s + samples->numel, [](T u) { return u >= -kFar && u <= kFar; }), c.op,
             ": expected random numbers of [0, 1]");
    Unlocked unlocked(x.numel);
    with_kept<T>(given.dtype,
                 [&]<class S>() { run<S>(p, in->data<T>(), s, to->data<T>(), index); });
  };
  compute == DType::F64 ? fill.template operator()<double>() : fill.template operator()<float>();
  if (to.get() != &out) copy_into(out, *to);
}

RL_ISA_KERNEL("_fractional_max", fractional_infer, fractional_run);

}  // namespace
}  // namespace RL_ISA_NS
}  // namespace rl
