// softmax and log_softmax along one dimension, and their gradients from the result. Compiled
// once per instruction-set level; each row is read into L1 once and computed in float or double.
#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>

#include "kernels/float_dtype.h"
#include "kernels/kept.h"
#include "kernels/softmax_rows.h"
#include "plan/copy.h"
#include "plan/isa.h"
#include "plan/parallel.h"
#include "plan/stream.h"

namespace rl {
namespace RL_ISA_NS {
namespace {

// The largest and sums of `w` neighbouring columns at once, rows `step` apart: lanes are columns.
constexpr int64_t kStrip = 4096, kPart = 64;  // columns at most; rows summed before they round
template <class T>
struct Strip {
  T value[kStrip];  // what is used is set
};
template <class T>
void column_max(const T* x, int64_t n, int64_t step, int64_t w, Strip<T>& top) {
  std::fill_n(top.value, w, -std::numeric_limits<T>::infinity());
  for (int64_t r = 0; r < n; ++r)
    for (int64_t j = 0; j < w; ++j)
      top.value[j] = x[r * step + j] > top.value[j] ? x[r * step + j] : top.value[j];
}
// total[j] = the sum over rows r of what add(r, part) adds to part[j].
template <class T, class F>
void column_sum(int64_t n, int64_t w, Strip<T>& total, F add) {
  Strip<T> part;
  std::fill_n(total.value, w, T(0));
  for (int64_t r0 = 0; r0 < n; r0 += kPart) {
    std::fill_n(part.value, w, T(0));
    for (int64_t r = r0; r < std::min(n, r0 + kPart); ++r) add(r, part.value);
    for (int64_t j = 0; j < w; ++j) total.value[j] += part.value[j];
  }
}
template <class F>
void each_element(int64_t n, int64_t w, F f) {
  for (int64_t r = 0; r < n; ++r)
#pragma GCC ivdep
    for (int64_t j = 0; j < w; ++j) f(r, j);
}

// As it is kept, unless that is infinite.
template <class T>
T finite_as(DType kept, T x) {
  if (kept == dtype_of<T>) return x;
  T near = kept_as(kept, x);
  return std::isinf(near) ? x : near;
}

struct Softmax {
  template <class T>
  static void forward(T* out, const T* x, int64_t n, int64_t rows, bool more, DType) {
    auto few = [=]<int N>() {
      for (int64_t at = 0; at < rows * n; at += n) {
        const FewPowers<N> row(x + at, n);
        const T scale = T(1) / row.sum;
        row.store(out + at, n, [=](auto power) { return power * scale; });
      }
    };
    if (with_few_lanes<T>(n, few)) return;
    for (int64_t r = 0; r < rows; ++r) one_row(out + r * n, x + r * n, n, more || r + 1 < rows);
  }
  template <class T>
  static void one_row(T* out, const T* x, int64_t n, bool more) {
    T sum = math::exp_sum(x, out, n, T(1), largest(x, n), next_row(x, out, n, more));
    const T scale = T(1) / sum;
    for (int64_t i = 0; i < n; ++i) out[i] *= scale;
  }
  template <class T>
  static void forward_short(T* out, const T* x, int64_t n, int64_t rows, DType) {
    T top[kTogether];
    exp_short_rows(out, x, n, rows, top);
    for (int64_t r = 0; r < rows; ++r, out += n) {
      T scale = T(1) / short_sum(out, n);
      for (int64_t i = 0; i < n; ++i) out[i] *= scale;
    }
  }
  template <class E, class T = widened_type<E>>
  static void backward(E* gx, const E* g, const E* y, int64_t n, bool streams) {
    T sum = sum_run<T>(0, n, [=](auto at) {
      if (!streams) fetch_to_write(gx + at.i);
      return at(g) * at(y);
    });
    write_run(gx, n, streams, [&](E* to, int64_t i, int64_t count) {
      gradient(to, g + i, y + i, count, [=](auto, int64_t) { return sum; });
    });
  }
  // Of n neighbours; sum(at, i) is that of g y over what those i + at are normalised with.
  template <class E, class Sum>
  static void gradient(E* gx, const E* g, const E* y, int64_t n, Sum sum) {
    make_run(gx, n, [&](auto* to, int64_t i, int64_t count) {
      map_run<E>(to, count, [=, at_g = g + i, at_y = y + i](auto at) {
        return at(at_y) * (at(at_g) - sum(at, i));
      });
    });
  }
  template <class T>
  static void forward_strip(T* out, const T* x, int64_t n, int64_t step, int64_t w) {
    Strip<T> top, scale;
    column_max(x, n, step, w, top);
    column_sum(n, w, scale, [&](int64_t r, T* part) {
      math::exp_less(x + r * step, top.value, out + r * step, part, w);
    });
    for (int64_t j = 0; j < w; ++j) scale.value[j] = T(1) / scale.value[j];
    each_element(n, w, [&](int64_t r, int64_t j) { out[r * step + j] *= scale.value[j]; });
  }
  template <class E, class T = widened_type<E>>
  static void backward_strip(E* gx, const E* g, const E* y, int64_t n, int64_t step, int64_t w) {
    Strip<T> sum;
    column_sum(n, w, sum, [&](int64_t r, T* part) {
      map_run<E>(part, w, [part, rg = g + r * step, ry = y + r * step](auto at) {
        return at(part) + at(rg) * at(ry);
      });
    });
    for (int64_t at = 0; at < n * step; at += step)
      gradient(gx + at, g + at, y + at, w, [&](auto at, int64_t i) { return at(sum.value + i); });
  }
};

struct LogSoftmax {
  // Sums of the last dimension, and their logarithms, are `kept` in 16 bits by PyTorch.
  template <class T>
  static void forward(T* out, const T* x, int64_t n, int64_t rows, bool more, DType kept) {
    T top[kMany], sum[kMany];
    auto few = [&]<int N>() {
      for (int64_t r = 0; r < rows; ++r) {
        const FewPowers<N> row(x + r * n, n);
        top[r] = row.top, sum[r] = row.sum;
      }
    };
    for (int64_t r = with_few_lanes<T>(n, few) ? rows : 0; r < rows; ++r) {
      const T* row = x + r * n;
      top[r] = largest(row, n);
      sum[r] = sum_of_powers<T>(row, nullptr, n, top[r],
                                [fetch_next = next_row<T>(row, nullptr, n, more || r + 1 < rows),
                                 own = out + r * n](int64_t i) {
                                  fetch_next(i);
                                  fetch_to_write(own + i);
                                });
    }
    subtract(out, x, n, rows, top, sum, kept);
  }
  template <class T>
  static void forward_short(T* out, const T* x, int64_t n, int64_t rows, DType kept) {
    T top[kTogether], powers[kTogether] = {}, sum[kTogether];  // set, as gcc does not see it is
    exp_short_rows(powers, x, n, rows, top);
    for (int64_t r = 0; r < rows; ++r) sum[r] = short_sum(powers + r * n, n);
    subtract(out, x, n, rows, top, sum, kept);
  }
  template <class T>
  static void subtract(T* out, const T* x, int64_t n, int64_t rows, const T* top, T* sum,
                       DType kept) {
    for (int64_t r = 0; r < rows; ++r) sum[r] = finite_as(kept, sum[r]);
    log_block(sum, rows);
    for (int64_t r = 0; r < rows; ++r, out += n, x += n) {
      const T most = top[r], log_sum = finite_as(kept, sum[r]);
#pragma GCC ivdep
      for (int64_t i = 0; i < n; ++i) out[i] = (x[i] - most) - log_sum;
    }
  }
  template <class E, class T = widened_type<E>>
  static void backward(E* gx, const E* g, const E* y, int64_t n, bool streams) {
    T sum = sum_run<T>(0, n, [=](auto at) {
      if (!streams) fetch_to_write(gx + at.i);
      return at(g);
    });
    write_run(gx, n, streams, [&](E* to, int64_t i, int64_t count) {
      gradient(to, g + i, y + i, count, [=](auto, int64_t) { return sum; });
    });
  }
  // As in Softmax, of sums of g.
  template <class E, class Sum>
  static void gradient(E* gx, const E* g, const E* y, int64_t n, Sum sum) {
    using T = widened_type<E>;
    T powers[kRun];
    for (int64_t first = 0; first < n; first += kRun)
      make_run(gx + first, std::min(kRun, n - first), [&](T* to, int64_t i, int64_t count) {
        i += first;
        if constexpr (std::is_same_v<E, T>)
          math::exp_block(y + i, powers, count);
        else
          widen(powers, y + i, count), math::exp_block(powers, powers, count);
        map_run<E>(to, count, [=, p = powers, at_g = g + i](auto at) {
          return at(at_g) - at(p) * sum(at, i);
        });
      });
  }
  template <class T>
  static void forward_strip(T* out, const T* x, int64_t n, int64_t step, int64_t w) {
    Strip<T> top, log_sum, powers;
    column_max(x, n, step, w, top);
    column_sum(n, w, log_sum, [&](int64_t r, T* part) {
      math::exp_less(x + r * step, top.value, powers.value, part, w);
    });
    log_block(log_sum.value, w);
    each_element(n, w, [&](int64_t r, int64_t j) {
      out[r * step + j] = (x[r * step + j] - top.value[j]) - log_sum.value[j];
    });
  }
  template <class E, class T = widened_type<E>>
  static void backward_strip(E* gx, const E* g, const E* y, int64_t n, int64_t step, int64_t w) {
    Strip<T> sum;
    column_sum(n, w, sum, [&](int64_t r, T* part) {
      map_run<E>(part, w, [part, row = g + r * step](auto at) { return at(part) + at(row); });
    });
    for (int64_t at = 0; at < n * step; at += step)
      gradient(gx + at, g + at, y + at, w, [&](auto at, int64_t i) { return at(sum.value + i); });
  }
};

// The tensors seen as [outer, n, inner].
struct Rows {
  int64_t outer = 1, n = 1, inner = 1;
  Rows(const Tensor& t, int dim) {
    for (int d = 0; d < t.ndim; ++d) (d < dim ? outer : d == dim ? n : inner) *= t.size(d);
  }
};

// Strips that the second-level cache keeps between passes; where they would be narrow, memory is
// read in rows as long as a strip can be, and every thread has one.
int64_t strip_width(const Rows& r) {
  constexpr int64_t kKept = 1 << 17, kNarrow = 64;  // elements
  int64_t width = kKept / r.n / kNarrow * kNarrow;
  if (width) return std::min({width, kStrip, r.inner});
  int64_t strips = (num_threads() + r.outer - 1) / r.outer;
  int64_t share = ((r.inner + strips - 1) / strips + kNarrow - 1) / kNarrow * kNarrow;
  return std::min({share, kStrip, r.inner});
}

// row(at, rows, more) for rows that are contiguous, short ones many at a time, `more` if others
// follow; else strip(at, columns) for strips of columns.
template <class Row, class StripOf>
void each_row(const Rows& r, Row row, StripOf strip) {
  int64_t width = strip_width(r), across = (r.inner + width - 1) / width;
  int64_t grain = std::max<int64_t>(1, 8192 / std::max<int64_t>(1, r.n * width));
  const int64_t together = rows_together(r.n);
  parallel_for(r.outer * across, grain, [&](int64_t begin, int64_t end) {
    if (r.inner == 1)
      for (int64_t i = begin; i < end; i += together)
        row(i * r.n, std::min(together, end - i), i + together < end);
    else
      for (int64_t i = begin; i < end; ++i) {
        int64_t column = i % across * width;
        strip(i / across * r.n * r.inner + column, std::min(width, r.inner - column));
      }
  });
}

template <class Op, class T>
void run_forward(const Rows& r, T* out, const T* x, DType kept) {
  each_row(
      r,
      [&](int64_t at, int64_t rows, bool more) {
        r.n <= kShort ? Op::forward_short(out + at, x + at, r.n, rows, kept)
                      : Op::forward(out + at, x + at, r.n, rows, more, kept);
      },
      [&](int64_t at, int64_t w) { Op::forward_strip(out + at, x + at, r.n, r.inner, w); });
}

template <class Op, class T>
void run_backward(const Rows& r, T* out, const T* g, const T* y) {
  bool streams = past_cache(r.outer * r.n * static_cast<int64_t>(sizeof(T)));
  each_row(
      r,
      [&](int64_t at, int64_t rows, bool) {
        for (int64_t end = at + rows * r.n; at < end; at += r.n)
          Op::backward(out + at, g + at, y + at, r.n, streams);
      },
      [&](int64_t at, int64_t w) {
        Op::backward_strip(out + at, g + at, y + at, r.n, r.inner, w);
      });
}

// ---- 16 bits
bool is_16_bit(DType d) { return d == DType::F16 || d == DType::BF16; }

// An input of 16 bits is made floats a few rows, or a strip, at a time, so that what is computed of
// them finds them in the cache.
struct ShortTensors {
  Ref<Tensor> in;
  Tensor& out;

  // `rows` runs of w elements, `step` apart, from element `at` on; f(part) makes its result there.
  template <class F>
  void part(int64_t at, int64_t rows, int64_t w, int64_t step, F f) const {
    const Converter read = converter(out.dtype, DType::F32),
                    write = converter(DType::F32, out.dtype);
    auto room = std::make_unique_for_overwrite<float[]>(rows * w);
    for (int64_t r = 0; r < rows; ++r)
      read(room.get() + r * w, in->data<BFloat16>() + at + r * step, w);
    f(room.get());
    for (int64_t r = 0; r < rows; ++r)
      write(out.data<BFloat16>() + at + r * step, room.get() + r * w, w);
  }
};
template <class Op>
void run_short_forward(const Rows& r, const ShortTensors& tensors, DType kept) {
  each_row(
      r,
      [&](int64_t at, int64_t rows, bool) {
        tensors.part(at, 1, rows * r.n, 0, [&](float* x) {
          r.n <= kShort ? Op::forward_short(x, x, r.n, rows, kept)
                        : Op::forward(x, x, r.n, rows, false, kept);
        });
      },
      [&](int64_t at, int64_t w) {
        tensors.part(at, r.n, w, r.inner, [&](float* x) { Op::forward_strip(x, x, r.n, w, w); });
      });
}

// _softmax(input, dim): input is floating.
void forward_infer(Call& c) {
  Tensor& x = c.tensor(0);
  if (!is_floating(x.dtype))
    fail(ErrorKind::NotImplemented, c.op, ": not implemented for ", x.dtype,
         "; pass dtype= or convert the input to a floating dtype");
  wrap_dim(c.integer(1), x.ndim);
  c.add_out(x.sizes(), x.dtype);
}
// A place to compute in: out itself if it is row-major and of the compute dtype.
Ref<Tensor> target(Tensor& out, DType compute) {
  if (out.contiguous && out.dtype == compute) return Ref<Tensor>::share(&out);
  return empty(out.sizes(), compute);
}
template <class Op>
void forward_run(Call& c) {
  Tensor& x = c.tensor(0);
  if (!x.numel) return;
  DType compute = compute_dtype(x.dtype);
  int dim = wrap_dim(c.integer(1), x.ndim);
  Rows r(x, dim);
  DType kept = dim == std::max<int>(x.ndim, 1) - 1 ? x.dtype : compute;
  if (is_16_bit(c.out(0).dtype) && c.out(0).contiguous) {
    ShortTensors tensors{contiguous(x), c.out(0)};
    Unlocked unlocked(x.numel * 4);
    return run_short_forward<Op>(r, tensors, kept);
  }
  Ref<Tensor> in = contiguous_as(x, compute), to = target(c.out(0), compute);
  {
    Unlocked unlocked(x.numel * 4);
    if (compute == DType::F64)
      run_forward<Op>(r, to->data<double>(), in->data<double>(), kept);
    else
      run_forward<Op>(r, to->data<float>(), in->data<float>(), kept);
  }
  if (to.get() != &c.out(0)) copy_into(c.out(0), *to);
}

// _softmax_backward(grad, result, dim)
void backward_infer(Call& c) {
  RL_CHECK(broadcast_sizes(c.tensor(0).sizes(), c.tensor(1).sizes()).size() ==
               static_cast<size_t>(c.tensor(1).ndim),
           c.op, ": gradient of shape ", c.tensor(0).sizes(), " for a result of shape ",
           c.tensor(1).sizes());
  c.add_out(c.tensor(1).sizes(), c.tensor(1).dtype);
}
template <class Op>
void backward_run(Call& c) {
  Tensor &g = c.tensor(0), &y = c.tensor(1);
  if (!y.numel) return;
  Rows r(y, wrap_dim(c.integer(2), y.ndim));
  DType compute = is_16_bit(y.dtype) && g.dtype == y.dtype ? y.dtype : compute_dtype(y.dtype);
  Ref<Tensor> cg = contiguous_as(g, compute), cy = contiguous_as(y, compute);
  Ref<Tensor> to = target(c.out(0), compute);
  auto run = [&]<class T>() { run_backward<Op>(r, to->data<T>(), cg->data<T>(), cy->data<T>()); };
  {
    Unlocked unlocked(y.numel * 4);
    if (compute == DType::F64)
      run.template operator()<double>();
    else if (compute == DType::F32)
      run.template operator()<float>();
    else
      with_kept<float>(compute, run);
  }
  if (to.get() != &c.out(0)) copy_into(c.out(0), *to);
}

RL_ISA_KERNEL("_softmax", forward_infer, forward_run<Softmax>);
RL_ISA_KERNEL("_log_softmax", forward_infer, forward_run<LogSoftmax>);
RL_ISA_KERNEL("_softmax_backward", backward_infer, backward_run<Softmax>);
RL_ISA_KERNEL("_log_softmax_backward", backward_infer, backward_run<LogSoftmax>);

}  // namespace
}  // namespace RL_ISA_NS
}  // namespace rl
