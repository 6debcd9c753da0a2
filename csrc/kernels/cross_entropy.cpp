// Cross entropy of matrix rows and class indices in one pass: log_softmax and nll_loss without the
// matrix between them. Where a gradient will be asked for, the probabilities are kept: the gradient
// is a multiple of them, less one at the target.
#include <cmath>

#include "core/allocator.h"
#include "kernels/nll.h"
#include "kernels/softmax_rows.h"
#include "plan/isa.h"
#include "plan/parallel.h"
#include "plan/stream.h"

namespace rl {
namespace RL_ISA_NS {
namespace {

template <class T>
struct Losses {
  int64_t classes;
  const T *x, *weight;
  const int64_t* target;
  int64_t ignore;
  T *terms, *kept;  // of each row; the probabilities, or null

  void rows(int64_t begin, int64_t end) const {
    const int64_t together = rows_together(classes);
    T top[kTogether], sum[kTogether];
    for (int64_t r = begin, count; r < end; r += count) {
      count = std::min(together, end - r);
      if (0 < classes && classes <= kShort)
        short_rows(r, count, top, sum);
      else
        for (int64_t i = 0; i < count; ++i) one_row(r + i, r + i + 1 < end, top[i], sum[i]);
      log_block(sum, count);
      for (int64_t i = 0; i < count; ++i) terms[r + i] = term(r + i, top[i], sum[i]);
    }
  }

 private:
  // The largest element and the sum of exp(x - largest).
  void one_row(int64_t r, bool more, T& top, T& sum) const {
    const T* from = x + r * classes;
    T* to = kept ? kept + r * classes : nullptr;
    auto few = [&, n = classes]<int N>() {
      const FewPowers<N> row(from, n);
      top = row.top, sum = row.sum;
      if (to) row.store(to, n, [scale = T(1) / row.sum](auto power) { return power * scale; });
    };
    if (with_few_lanes<T>(classes, few)) return;
    top = largest(from, classes);
    sum = sum_of_powers(from, to, classes, top, next_row(from, to, classes, more));
    for (int64_t i = 0; to && i < classes; ++i) to[i] *= T(1) / sum;
  }
  void short_rows(int64_t r, int64_t count, T* top, T* sum) const {
    T powers[kTogether];
    exp_short_rows(powers, x + r * classes, classes, count, top);
    for (int64_t i = 0; i < count; ++i) {
      const T* own = powers + i * classes;
      sum[i] = short_sum(own, classes);
      for (int64_t k = 0; kept && k < classes; ++k)
        kept[(r + i) * classes + k] = own[k] * (T(1) / sum[i]);
    }
  }
  T term(int64_t r, T top, T log_sum) const {
    const int64_t t = target[r];
    if (t == ignore) return 0;
    return -(weight ? weight[t] : T(1)) * ((x[r * classes + t] - top) - log_sum);
  }
};

int64_t row_grain(int64_t classes) {
  return std::max<int64_t>(1, 8192 / std::max<int64_t>(1, classes));
}

// _cross_entropy(input, target, weight, ignore_index, reduction, keep)
//   -> (output, total_weight, probabilities); input is a matrix of float32 or float64.
void forward_infer(Call& c) {
  Tensor& x = c.tensor(0);
  if (c.integer(4) == kNone)
    c.add_out(c.tensor(1).sizes(), x.dtype);
  else
    c.add_out({}, x.dtype);
  c.add_out({}, x.dtype);
  constexpr int64_t kNothing[] = {0};
  c.add_out(c.flag(5) ? x.sizes() : Sizes(kNothing, 1), x.dtype);
}
template <class T>
void forward(Call& c) {
  DType dtype = c.tensor(0).dtype;
  Ref<Tensor> x = contiguous_as(c.tensor(0), dtype), t = indices(c, c.tensor(1));
  Ref<Tensor> w = weights(c, c.tensor_or_null(2), c.tensor(0), dtype);
  const T* by = w ? w->data<T>() : nullptr;
  const int64_t n = x->size(0), classes = x->size(1), how = c.integer(4);
  double sum = 0, total = 0;
  Nll nll = walk(*x, *t, c.integer(3));
  nll.each("nll_loss", [&](int64_t, int64_t, int64_t k) { total += by ? by[k] : T(1); });
  Scratch<T> room(how == kNone ? 0 : n);
  T* terms = how == kNone ? c.out(0).data<T>() : room.data();
  T* kept = c.flag(5) ? c.out(2).data<T>() : nullptr;
  Losses<T> losses{classes, x->data<T>(), by, t->data<int64_t>(), nll.ignore, terms, kept};
  {
    Unlocked unlocked(x->numel * 4);
    parallel_for(n, row_grain(classes), [&](int64_t b, int64_t e) { losses.rows(b, e); });
  }
  *c.out(1).data<T>() = static_cast<T>(total);
  if (how == kNone) return;
  for (int64_t i = 0; i < n; ++i) sum += terms[i];
  *c.out(0).data<T>() = static_cast<T>(how == kMean ? sum / total : sum);
}
void forward_run(Call& c) {
  c.tensor(0).dtype == DType::F64 ? forward<double>(c) : forward<float>(c);
}

// _cross_entropy_backward(grad, probabilities, target, weight, ignore_index, reduction,
// total_weight) -> the input's gradient
void backward_infer(Call& c) { c.add_out(c.tensor(1).sizes(), c.tensor(1).dtype); }
template <class T>
void backward(Call& c) {
  Tensor& kept = c.tensor(1);
  Ref<Tensor> p = contiguous_as(kept, kept.dtype), g = contiguous_as(c.tensor(0), kept.dtype);
  Ref<Tensor> t = indices(c, c.tensor(2));
  Ref<Tensor> w = weights(c, c.tensor_or_null(3), kept, kept.dtype);
  const T *from = p->data<T>(), *by = w ? w->data<T>() : nullptr, *pg = g->data<T>();
  const int64_t *target = t->data<int64_t>(), ignore = c.integer(4), how = c.integer(5);
  const T divide = how == kMean ? *c.tensor(6).data<T>() : T(1);
  T* out = c.out(0).data<T>();
  const int64_t classes = kept.size(1);
  const bool streams = past_cache(kept.numel * static_cast<int64_t>(sizeof(T)));
  Unlocked unlocked(kept.numel);
  parallel_for(kept.size(0), row_grain(classes), [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      const int64_t at = target[r];
      const T scale =
          at == ignore ? T(0) : (by ? by[at] : T(1)) * pg[how == kNone ? r : 0] / divide;
      write_run(out + r * classes, classes, streams, [&](T* to, int64_t i, int64_t count) {
        const T* own = from + r * classes + i;
#pragma GCC ivdep
        for (int64_t j = 0; j < count; ++j) to[j] = at == ignore ? T(0) : own[j] * scale;
        if (at >= i && at < i + count && at != ignore) to[at - i] = (own[at - i] - 1) * scale;
      });
    }
  });
}
void backward_run(Call& c) {
  c.tensor(1).dtype == DType::F64 ? backward<double>(c) : backward<float>(c);
}

RL_ISA_KERNEL("_cross_entropy", forward_infer, forward_run);
RL_ISA_KERNEL("_cross_entropy_backward", backward_infer, backward_run);

}  // namespace
}  // namespace RL_ISA_NS
}  // namespace rl
