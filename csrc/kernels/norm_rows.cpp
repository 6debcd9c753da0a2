// Rows normalised: layer norm, group norm and RMS norm. Which parameters belong to an element is
// said in norm_rows.h; the gradients are in norm_rows_backward.cpp.
#include "kernels/norm_rows.h"

#include "plan/stream.h"

namespace rl {
namespace RL_ISA_NS {
namespace {

// f(i) for each i < n, which may come in any order.
template <class F>
void map(int64_t n, F f) {
#pragma GCC ivdep
  for (int64_t i = 0; i < n; ++i) f(i);
}

template <class T>
struct RowNorm {
  RowLayout l;
  const T *x, *weight, *bias;
  T *out, *mean, *rstd;  // mean is null where it counts as 0
  double eps;
  // Into memory past the caches? Runs of a few lines are not: their ends share lines with others.
  bool streams = (l.inner == 1 ? l.cols : l.inner) >= kRun &&
                 past_cache(l.rows * l.cols * static_cast<int64_t>(sizeof(T)));

  void rows(int64_t begin, int64_t end) const {
    auto few = [&]<int N>() { short_rows<N>(begin, end); };
    if (l.has_own_features() && in_few_vectors<T>(l.cols, few)) return;
    for (int64_t r = begin; r < end; ++r) row(r);
  }
  template <int N>
  void short_rows(int64_t begin, int64_t end) const {
    const ShortRow<N, T> row(l.cols);
    Vector<T> w[N], b[N], d[N];
    row.parameters(weight, l.cols, T(1), w), row.parameters(bias, l.cols, T(0), b);
    for (int64_t r = begin; r < end; ++r) {
      load_some(x + r * l.cols, x + l.rows * l.cols, d);
      T center = 0;
      if (mean) {
        const double sum = row.sum([&](int i) { return d[i]; });
        mean[r] = center = static_cast<T>(sum / double(l.cols));
      }
      for (auto& part : d) part -= center;
      const double v = double(row.sum([&](int i) { return d[i] * d[i]; })) / double(l.cols);
      const T scale = static_cast<T>(1 / std::sqrt(v + eps));
      rstd[r] = scale;
      for (int i = 0; i < N; ++i) d[i] = weight || bias ? d[i] * scale * w[i] + b[i] : d[i] * scale;
      store_some(d, out + r * l.cols, out + end * l.cols);
    }
  }
  void row(int64_t r) const {
    const T* from = x + r * l.cols;
    T center = 0;
    if (mean) {
      double m = exact_sum<T>(0, l.cols, [&](auto at) { return at(from); }) / double(l.cols);
      mean[r] = center = static_cast<T>(m);
    }
    auto squared = [&, ahead = r + 1 < l.rows ? l.cols : 0](auto at) {
      if (mean) {  // the row is in the cache by now, so memory can be asked for the next
        fetch(from + ahead + at.i);
        if (!streams) fetch_to_write(out + r * l.cols + at.i);
      }
      auto d = at(from) - center;
      return d * d;
    };
    double v = exact_sum<T>(0, l.cols, squared) / double(l.cols);
    T scale = static_cast<T>(1 / std::sqrt(v + eps));
    rstd[r] = scale;
    write(r, center, scale);
  }
  // to[i] = f(i) for each i < n.
  template <class F>
  void write_mapped(T* to, int64_t n, F f) const {
    write_run(to, n, streams, [=](T* part, int64_t begin, int64_t count) {
      map(count, [=](int64_t i) { part[i] = f(begin + i); });
    });
  }
  void write(int64_t r, T center, T scale) const {
    const T* from = x + r * l.cols;
    T* to = out + r * l.cols;
    int64_t first = r % l.groups * l.features();
    if (l.inner == 1) {
      const T *w = weight ? weight + first : nullptr, *b = bias ? bias + first : nullptr;
      if (w && b)
        write_mapped(to, l.cols,
                     [=](int64_t i) { return (from[i] - center) * scale * w[i] + b[i]; });
      else if (!w && !b)
        write_mapped(to, l.cols, [=](int64_t i) { return (from[i] - center) * scale; });
      else
        write_mapped(to, l.cols, [=](int64_t i) {
          return (from[i] - center) * scale * (w ? w[i] : T(1)) + (b ? b[i] : T(0));
        });
      return;
    }
    for (int64_t f = 0; f < l.features(); ++f, from += l.inner, to += l.inner) {
      T w = weight ? weight[first + f] : T(1), b = bias ? bias[first + f] : T(0);
      write_mapped(to, l.inner, [=](int64_t i) { return (from[i] - center) * scale * w + b; });
    }
  }
};

// _row_norm(input, weight, bias, rows, groups, inner, eps) -> (output, mean, rstd)
void forward_infer(Call& c) {
  Tensor& x = c.tensor(0);
  check_norm_dtype(c, x);
  int64_t rows = c.integer(3);
  add_row_out(c, x, layout(x, rows, c.integer(4), c.integer(5)));
  c.add_out(Sizes(&rows, 1), compute_dtype(x.dtype));
  c.add_out(Sizes(&rows, 1), compute_dtype(x.dtype));
}
template <class T>
void norm_rows(const RowNorm<T>& k) {
  Unlocked unlocked(k.l.rows * k.l.cols * 2);
  parallel_for(k.l.rows, k.l.grain(), [&](int64_t begin, int64_t end) { k.rows(begin, end); });
}
template <class T>
void norm_last(const Tensor& x, Tensor& out, const RowNorm<T>& k) {
  Ref<Tensor> from = in_order(x, x.dtype, true), to = target_in_order(out, x.dtype, true);
  {
    Unlocked unlocked(x.numel * 2);
    with_kept<T>(x.dtype, [&]<class S>() {
      LastNorm<S, T>{last_layout(x, k.l.groups),
                     from->data<S>(),
                     k.weight,
                     k.bias,
                     to->data<S>(),
                     k.mean,
                     k.rstd,
                     k.eps}
          .run();
    });
  }
  if (to.get() != &out) copy_into(out, *to);
}
template <class T>
void norm_examples(const Tensor& x, Tensor& out, RowNorm<T> k, DType dtype) {
  Ref<Tensor> from = room_for_example(x, dtype), to = room_for_example(x, dtype);
  k.l.rows = k.l.groups;
  k.x = from->data<T>(), k.out = to->data<T>();
  for (int64_t n = 0; n < x.size(0); ++n, k.mean += k.l.rows, k.rstd += k.l.rows) {
    copy_into(*from, *example(x, n));
    norm_rows(k);
    copy_into(*example(out, n), *to);
  }
}
template <class T>
void forward_last(Call& c, DType dtype) {
  Ref<Tensor> w = in_dtype(c.tensor_or_null(1), dtype), b = in_dtype(c.tensor_or_null(2), dtype);
  Target mean(c.out(1), dtype), rstd(c.out(2), dtype);
  const RowLayout l = layout(c.tensor(0), c.integer(3), c.integer(4), c.integer(5));
  const RowNorm<T> k{l,       nullptr,        data_or_null<T>(w), data_or_null<T>(b),
                     nullptr, mean.data<T>(), rstd.data<T>(),     c.number(6)};
  if (fills_vectors<T>(c.tensor(0)))
    norm_last(c.tensor(0), c.out(0), k);
  else
    norm_examples(c.tensor(0), c.out(0), k, dtype);
  for (Target* t : {&mean, &rstd}) t->finish();
}
template <class T>
void forward_typed(Call& c, DType dtype) {
  Tensor& x = c.tensor(0);
  if (lie_last(x, layout(x, c.integer(3), c.integer(4), c.integer(5))))
    return forward_last<T>(c, dtype);
  Ref<Tensor> in = contiguous_as(x, dtype), w = in_dtype(c.tensor_or_null(1), dtype);
  Ref<Tensor> b = in_dtype(c.tensor_or_null(2), dtype);
  Target out(c.out(0), dtype), mean(c.out(1), dtype), rstd(c.out(2), dtype);
  norm_rows<T>({layout(x, c.integer(3), c.integer(4), c.integer(5)), in->data<T>(),
                data_or_null<T>(w), data_or_null<T>(b), out.data<T>(), mean.data<T>(),
                rstd.data<T>(), c.number(6)});
  for (Target* t : {&out, &mean, &rstd}) t->finish();
}
void forward_run(Call& c) {
  with_compute_dtype(c.tensor(0).dtype, [&]<class T>() { forward_typed<T>(c, dtype_of<T>); });
}

// _rms_norm(input, weight, rows, eps) -> (output, rstd); without eps, it is what rounding loses of
// 1
void rms_infer(Call& c) {
  Tensor& x = c.tensor(0);
  check_norm_dtype(c, x);
  int64_t rows = c.integer(2);
  c.add_out(x.sizes(), x.dtype);
  c.add_out(Sizes(&rows, 1), compute_dtype(x.dtype));
}
template <class T>
void rms_typed(Call& c, DType dtype) {
  Ref<Tensor> x = contiguous_as(c.tensor(0), dtype), w = in_dtype(c.tensor_or_null(1), dtype);
  Target out(c.out(0), dtype), rstd(c.out(1), dtype);
  norm_rows<T>({layout(*x, c.integer(2), 1, 1), x->data<T>(), data_or_null<T>(w), nullptr,
                out.data<T>(), nullptr, rstd.data<T>(),
                c.has(3) ? c.number(3) : double(std::numeric_limits<T>::epsilon())});
  for (Target* t : {&out, &rstd}) t->finish();
}
void rms_run(Call& c) {
  with_compute_dtype(c.tensor(0).dtype, [&]<class T>() { rms_typed<T>(c, dtype_of<T>); });
}

RL_ISA_KERNEL("_rms_norm", rms_infer, rms_run);
RL_ISA_KERNEL("_row_norm", forward_infer, forward_run);

}  // namespace
}  // namespace RL_ISA_NS
}  // namespace rl
