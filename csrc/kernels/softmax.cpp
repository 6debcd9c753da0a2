// softmax and log_softmax along one dimension, and their gradients from the result. Compiled
// once per instruction-set level; each row is read into L1 once and computed in float or double.
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "plan/copy.h"
#include "plan/isa.h"
#include "plan/parallel.h"
#include "scalar/elementary.h"

namespace rl {
namespace RL_ISA_NS {
namespace {

constexpr int64_t kLanes = 16;

template <class T>
T row_max(const T* p, int64_t n) {
  T lanes[kLanes];
  std::fill_n(lanes, kLanes, -std::numeric_limits<T>::infinity());
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes)
    for (int64_t j = 0; j < kLanes; ++j) lanes[j] = p[i + j] > lanes[j] ? p[i + j] : lanes[j];
  T m = -std::numeric_limits<T>::infinity();
  for (int64_t j = 0; j < kLanes; ++j) m = std::max(m, lanes[j]);
  for (; i < n; ++i) m = std::max(m, p[i]);
  return m;  // a NaN is skipped here and comes back through the sum
}

// sum f(i), in lanes so that it vectorises and rounds less than one running sum.
template <class T, class F>
T row_sum(int64_t n, F f) {
  T lanes[kLanes] = {}, tail = 0;
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes)
    for (int64_t j = 0; j < kLanes; ++j) lanes[j] += f(i + j);
  for (; i < n; ++i) tail += f(i);
  for (int64_t w = kLanes / 2; w; w /= 2)
    for (int64_t j = 0; j < w; ++j) lanes[j] += lanes[j + w];
  return lanes[0] + tail;
}

struct Softmax {
  template <class T>
  static void forward(T* out, const T* x, int64_t n) {
    T top = row_max(x, n);
    for (int64_t i = 0; i < n; ++i) out[i] = math::exp(x[i] - top);
    T scale = T(1) / row_sum<T>(n, [&](int64_t i) { return out[i]; });
    for (int64_t i = 0; i < n; ++i) out[i] *= scale;
  }
  template <class T>
  static void backward(T* gx, const T* g, const T* y, int64_t n) {
    T sum = row_sum<T>(n, [&](int64_t i) { return g[i] * y[i]; });
    for (int64_t i = 0; i < n; ++i) gx[i] = y[i] * (g[i] - sum);
  }
};

struct LogSoftmax {
  template <class T>
  static void forward(T* out, const T* x, int64_t n) {
    T top = row_max(x, n);
    T sum = row_sum<T>(n, [&](int64_t i) { return math::exp(x[i] - top); });
    T log_sum = std::log(sum);
    for (int64_t i = 0; i < n; ++i) out[i] = (x[i] - top) - log_sum;
  }
  template <class T>
  static void backward(T* gx, const T* g, const T* y, int64_t n) {
    T sum = row_sum<T>(n, [&](int64_t i) { return g[i]; });
    for (int64_t i = 0; i < n; ++i) gx[i] = g[i] - math::exp(y[i]) * sum;
  }
};

// The tensors seen as [outer, n, inner]; rows with inner > 1 are gathered into scratch.
struct Rows {
  int64_t outer = 1, n = 1, inner = 1;
  Rows(const Tensor& t, int dim) {
    for (int d = 0; d < t.ndim; ++d) (d < dim ? outer : d == dim ? n : inner) *= t.size(d);
  }
};

template <class T>
void gather(T* row, const T* from, int64_t n, int64_t step) {
  for (int64_t i = 0; i < n; ++i) row[i] = from[i * step];
}
template <class T>
void scatter(T* to, const T* row, int64_t n, int64_t step) {
  for (int64_t i = 0; i < n; ++i) to[i * step] = row[i];
}

template <class Op, class T>
void run_forward(const Rows& r, T* out, const T* x) {
  int64_t grain = std::max<int64_t>(1, 8192 / std::max<int64_t>(1, r.n));
  parallel_for(r.outer * r.inner, grain, [&](int64_t begin, int64_t end) {
    std::vector<T> row(r.inner > 1 ? r.n : 0);
    for (int64_t i = begin; i < end; ++i) {
      int64_t at = i / r.inner * r.n * r.inner + i % r.inner;
      if (r.inner == 1) {
        Op::forward(out + at, x + at, r.n);
        continue;
      }
      gather(row.data(), x + at, r.n, r.inner);
      Op::forward(row.data(), row.data(), r.n);
      scatter(out + at, row.data(), r.n, r.inner);
    }
  });
}

template <class Op, class T>
void run_backward(const Rows& r, T* out, const T* g, const T* y) {
  int64_t grain = std::max<int64_t>(1, 8192 / std::max<int64_t>(1, r.n));
  parallel_for(r.outer * r.inner, grain, [&](int64_t begin, int64_t end) {
    std::vector<T> a(r.inner > 1 ? r.n : 0), b(a.size());
    for (int64_t i = begin; i < end; ++i) {
      int64_t at = i / r.inner * r.n * r.inner + i % r.inner;
      if (r.inner == 1) {
        Op::backward(out + at, g + at, y + at, r.n);
        continue;
      }
      gather(a.data(), g + at, r.n, r.inner);
      gather(b.data(), y + at, r.n, r.inner);
      Op::backward(a.data(), a.data(), b.data(), r.n);
      scatter(out + at, a.data(), r.n, r.inner);
    }
  });
}

DType compute_dtype(DType d) { return d == DType::F64 ? DType::F64 : DType::F32; }

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
  Ref<Tensor> in = contiguous_as(x, compute), to = target(c.out(0), compute);
  Rows r(x, wrap_dim(c.integer(1), x.ndim));
  {
    Unlocked unlocked(x.numel * 4);
    if (compute == DType::F64)
      run_forward<Op>(r, to->data<double>(), in->data<double>());
    else
      run_forward<Op>(r, to->data<float>(), in->data<float>());
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
  DType compute = compute_dtype(y.dtype);
  Ref<Tensor> cg = contiguous_as(g, compute), cy = contiguous_as(y, compute);
  Ref<Tensor> to = target(c.out(0), compute);
  Rows r(y, wrap_dim(c.integer(2), y.ndim));
  {
    Unlocked unlocked(y.numel * 4);
    if (compute == DType::F64)
      run_backward<Op>(r, to->data<double>(), cg->data<double>(), cy->data<double>());
    else
      run_backward<Op>(r, to->data<float>(), cg->data<float>(), cy->data<float>());
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
