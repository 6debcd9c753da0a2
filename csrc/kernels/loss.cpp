// Negative log likelihood over (N, C, K) log-probabilities and (N, K) class indices, or (N, C) and
// (N), and its gradient. Other losses are composites in rushlight/ops/loss.py.
#include "kernels/nll.h"

namespace rl {
namespace {

// _nll(input, target, weight, ignore_index, reduction) -> (output, total_weight)
void forward_infer(Call& c) {
  Tensor& x = c.tensor(0);
  RL_CHECK(is_floating(x.dtype), c.op, ": not implemented for ", x.dtype);
  if (c.integer(4) == kNone)
    c.add_out(c.tensor(1).sizes(), x.dtype);
  else
    c.add_out({}, x.dtype);
  c.add_out({}, compute_dtype(x.dtype));
}
template <class T>
void forward(Call& c, DType dtype) {
  Ref<Tensor> x = contiguous_as(c.tensor(0), dtype), t = indices(c, c.tensor(1));
  Ref<Tensor> w = weights(c, c.tensor_or_null(2), c.tensor(0), dtype);
  const T *px = x->data<T>(), *pw = w ? w->data<T>() : nullptr;
  Nll nll = walk(*x, *t, c.integer(3));
  Ref<Tensor> out = empty(c.out(0).sizes(), dtype);
  T* to = out->data<T>();
  double sum = 0, total = 0;
  bool each = c.integer(4) == kNone;
  if (each) std::fill_n(to, out->numel, T(0));
  nll.each("nll_loss", [&](int64_t i, int64_t at, int64_t k) {
    T by = pw ? pw[k] : T(1), term = -by * px[at];
    total += by;
    if (each)
      to[i] = term;
    else
      sum += term;
  });
  if (!each) *to = static_cast<T>(c.integer(4) == kMean ? sum / total : sum);
  *c.out(1).data<T>() = static_cast<T>(total);
  copy_into(c.out(0), *out);
}
void forward_run(Call& c) {
  with_compute_dtype(c.tensor(0).dtype, [&]<class T>() { forward<T>(c, dtype_of<T>); });
}

// _nll_backward(grad, input, target, weight, ignore_index, reduction, total_weight)
void backward_infer(Call& c) { c.add_out(c.tensor(1).sizes(), c.tensor(1).dtype); }
template <class T>
void backward(Call& c, DType dtype) {
  Ref<Tensor> g = contiguous_as(c.tensor(0), dtype), t = indices(c, c.tensor(2));
  Ref<Tensor> w = weights(c, c.tensor_or_null(3), c.tensor(1), dtype);
  Ref<Tensor> total = contiguous_as(c.tensor(6), dtype);
  bool direct = c.out(0).contiguous && c.out(0).dtype == dtype;
  Ref<Tensor> out = direct ? Ref<Tensor>::share(&c.out(0)) : empty(c.out(0).sizes(), dtype);
  const T *pg = g->data<T>(), *pw = w ? w->data<T>() : nullptr;
  T *to = out->data<T>(), divide = c.integer(5) == kMean ? *total->data<T>() : T(1);
  bool each = c.integer(5) == kNone;
  fill(*out, Scalar::of(int64_t{0}));
  walk(c.tensor(1), *t, c.integer(4)).each("nll_loss", [&](int64_t i, int64_t at, int64_t k) {
    to[at] = -(pw ? pw[k] : T(1)) * pg[each ? i : 0] / divide;
  });
  if (!direct) copy_into(c.out(0), *out);
}
void backward_run(Call& c) {
  with_compute_dtype(c.tensor(1).dtype, [&]<class T>() { backward<T>(c, dtype_of<T>); });
}

RL_KERNEL("_nll", forward_infer, forward_run);
RL_KERNEL("_nll_backward", backward_infer, backward_run);

}  // namespace
}  // namespace rl
