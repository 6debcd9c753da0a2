// Max pooling with indices, fixed and adaptive windows, and the scatter that is its gradient.
// Fixed windows go tap by tap over whole output rows, which vectorises; compiled per level.
#include <limits>

#include "kernels/pool.h"
#include "plan/copy.h"
#include "plan/isa.h"
#include "plan/parallel.h"

namespace rl {
namespace RL_ISA_NS {
namespace {

template <class T>
constexpr T kLowest = std::is_floating_point_v<T> ? -std::numeric_limits<T>::infinity()
                                                  : std::numeric_limits<T>::lowest();

// One output row of a fixed-window pooling: best[] and at[] hold the row's maxima so far.
template <class T>
struct RowMax {
  std::vector<T> best;
  std::vector<int32_t> at;

  void tap(const T* row, int32_t offset, const PoolAxis& w, int64_t k) {
    int64_t shift = k * w.step - w.pad, s = w.stride;
    int64_t first = shift >= 0 ? 0 : (-shift + s - 1) / s;
    int64_t room = w.in - 1 - shift, last = room < 0 ? 0 : std::min(w.out, room / s + 1);
    T* b = best.data();
    int32_t* p = at.data();
    const T* from = row + shift;
    auto base = static_cast<int32_t>(offset + shift);
    auto stride = static_cast<int32_t>(s);
#pragma GCC ivdep
    for (int32_t i = static_cast<int32_t>(first); i < static_cast<int32_t>(last); ++i) {
      T v = from[i * stride];
      bool take = (v > b[i]) | (v != v);
      b[i] = take ? v : b[i];
      p[i] = take ? base + i * stride : p[i];
    }
  }
};

template <class T>
void fixed_plane(const PoolPlan& p, const T* x, T* out, int64_t* index, RowMax<T>& row) {
  const auto& [d, h, w] = p.axis;
  for (int64_t i = 0; i < d.out; ++i)
    for (int64_t j = 0; j < h.out; ++j) {
      for (int64_t k = 0; k < w.out; ++k) {
        row.best[k] = kLowest<T>;
        row.at[k] = static_cast<int32_t>((d.start[i] * h.in + h.start[j]) * w.in + w.start[k]);
      }
      for (int64_t a = d.start[i]; a < d.end[i]; a += d.step)
        for (int64_t b = h.start[j]; b < h.end[j]; b += h.step) {
          int64_t offset = (a * h.in + b) * w.in;
          for (int64_t c = 0; c < w.kernel; ++c)
            row.tap(x + offset, static_cast<int32_t>(offset), w, c);
        }
      int64_t to = (i * h.out + j) * w.out;
      for (int64_t k = 0; k < w.out; ++k) {
        out[to + k] = row.best[k];
        index[to + k] = row.at[k];
      }
    }
}

template <class T>
void window_plane(const PoolPlan& p, const T* x, T* out, int64_t* index) {
  const auto& [d, h, w] = p.axis;
  for (int64_t i = 0; i < d.out; ++i)
    for (int64_t j = 0; j < h.out; ++j)
      for (int64_t k = 0; k < w.out; ++k) {
        T best = kLowest<T>;
        int64_t at = (d.start[i] * h.in + h.start[j]) * w.in + w.start[k];
        for (int64_t a = d.start[i]; a < d.end[i]; a += d.step)
          for (int64_t b = h.start[j]; b < h.end[j]; b += h.step)
            for (int64_t c = w.start[k]; c < w.end[k]; c += w.step) {
              int64_t here = (a * h.in + b) * w.in + c;
              if (x[here] > best || x[here] != x[here]) best = x[here], at = here;
            }
        *out++ = best;
        *index++ = at;
      }
}

template <class T>
void run_planes(const PoolPlan& p, const T* x, T* out, int64_t* index) {
  bool rows = p.fixed && p.in_plane() < INT32_MAX && p.axis[2].out >= 4;
  parallel_for(p.planes, plane_grain(p.in_plane()), [&](int64_t begin, int64_t end) {
    RowMax<T> row{std::vector<T>(p.axis[2].out), std::vector<int32_t>(p.axis[2].out)};
    for (int64_t n = begin; n < end; ++n) {
      const T* from = x + n * p.in_plane();
      int64_t to = n * p.out_plane();
      if (rows)
        fixed_plane(p, from, out + to, index + to, row);
      else
        window_plane(p, from, out + to, index + to);
    }
  });
}

void run_max(Call& c, const PoolPlan& p) {
  Tensor& x = c.tensor(0);
  Tensor &out = c.out(0), &index = c.out(1);
  if (!out.numel) return;
  DType compute = pool_dtype(x.dtype);
  Ref<Tensor> in = contiguous_as(x, compute);
  bool direct = out.contiguous && out.dtype == compute;
  Ref<Tensor> to = direct ? Ref<Tensor>::share(&out) : empty(out.sizes(), compute);
  Ref<Tensor> at = index.contiguous ? Ref<Tensor>::share(&index) : empty(out.sizes(), DType::I64);
  {
    Unlocked unlocked(x.numel);
    pool_dispatch(compute, [&]<class T>() {
      run_planes(p, in->data<T>(), to->data<T>(), at->data<int64_t>());
    });
  }
  if (!direct) copy_into(out, *to);
  if (at.get() != &index) copy_into(index, *at);
}

// _max_pool(input, kernel_size, stride, padding, dilation, ceil_mode) -> (values, indices)
PoolPlan max_plan(const Call& c) {
  PoolWindows w{c.ints(1), c.ints(2), c.ints(3), c.ints(4), c.flag(5)};
  return fixed_plan(c, c.tensor(0).sizes(), w, static_cast<int>(w.kernel.size()));
}
void add_max_outs(Call& c, PoolPlan p) {
  check_pool_dtype(c, c.tensor(0).dtype);
  SizeVec sizes = pooled_sizes(c.tensor(0), p);
  keep_layout(c.tensor(0), c.add_out(sizes, c.tensor(0).dtype));
  keep_layout(c.tensor(0), c.add_out(sizes, DType::I64));
}
void max_infer(Call& c) {
  check_pool_input(c, c.tensor(0), static_cast<int>(c.ints(1).size()));
  add_max_outs(c, max_plan(c));
}
void max_run(Call& c) { run_max(c, max_plan(c)); }

// _adaptive_max_pool(input, output_size) -> (values, indices)
PoolPlan adaptive_max_plan(const Call& c) {
  return adaptive_plan(c.tensor(0).sizes(), c.ints(1), static_cast<int>(c.ints(1).size()));
}
void adaptive_infer(Call& c) {
  check_pool_input(c, c.tensor(0), static_cast<int>(c.ints(1).size()));
  for (int64_t s : c.ints(1))
    RL_CHECK(s >= 0, c.op, ": output sizes must be non-negative, got ", c.ints(1));
  add_max_outs(c, adaptive_max_plan(c));
}
void adaptive_run(Call& c) { run_max(c, adaptive_max_plan(c)); }

// _pool_scatter(grad, indices, size): adds each gradient to the cell of its plane it came from.
void scatter_infer(Call& c) {
  Tensor& g = c.tensor(0);
  Sizes space = c.ints(2);
  SizeVec sizes(g.sizes().begin(), g.sizes().end() - space.size());
  sizes.insert(sizes.end(), space.begin(), space.end());
  c.add_out(sizes, g.dtype);
}
// `S` is the type that the result will be kept in: 16 bits round after every sum, as in PyTorch.
template <class S, class T>
void scatter_planes(int64_t planes, int64_t from, int64_t to, const T* g, const int64_t* at,
                    T* out) {
  parallel_for(planes, plane_grain(from + to), [&](int64_t begin, int64_t end) {
    std::fill(out + begin * to, out + end * to, T(0));
    for (int64_t n = begin; n < end; ++n)
      for (int64_t i = n * from; i < (n + 1) * from; ++i) {
        T& cell = out[n * to + at[i]];
        cell = kept_as<S>(cell + g[i]);
      }
  });
}
void scatter_run(Call& c) {
  Tensor &g = c.tensor(0), &out = c.out(0);
  if (!out.numel) return;
  int dims = static_cast<int>(c.ints(2).size());
  int64_t to = 1, from = 1, planes = 1;
  for (int64_t s : c.ints(2)) to *= s;
  for (int d = 0; d < g.ndim; ++d) (d < g.ndim - dims ? planes : from) *= g.size(d);
  DType compute = pool_dtype(g.dtype);
  Ref<Tensor> in = contiguous_as(g, compute), at = contiguous_as(c.tensor(1), DType::I64);
  const int64_t* index = at->data<int64_t>();
  for (int64_t i = 0; i < at->numel; ++i)
    RL_CHECK(index[i] >= 0 && index[i] < to, c.op, ": found an invalid index ", index[i],
             " (output size ", c.ints(2), ")");
  bool direct = out.contiguous && out.dtype == compute;
  Ref<Tensor> sum = direct ? Ref<Tensor>::share(&out) : empty(out.sizes(), compute);
  {
    Unlocked unlocked(out.numel);
    pool_dispatch(compute, [&]<class T>() {
      with_kept<T>(out.dtype, [&]<class S>() {
        scatter_planes<S>(planes, from, to, in->data<T>(), index, sum->data<T>());
      });
    });
  }
  if (!direct) copy_into(out, *sum);
}

RL_ISA_KERNEL("_max_pool", max_infer, max_run);
RL_ISA_KERNEL("_adaptive_max_pool", adaptive_infer, adaptive_run);
RL_ISA_KERNEL("_pool_scatter", scatter_infer, scatter_run);

}  // namespace
}  // namespace RL_ISA_NS
}  // namespace rl
