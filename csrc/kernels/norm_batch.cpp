// Batch normalisation. Channels are walked in one of two orders: `planes`, where a channel is
// a run of `inner` elements per image, and `rows`, where channels are the fastest dimension
// (channels-last tensors and [N, C] inputs). Statistics are kept in double.
#include "kernels/kept.h"
#include "kernels/layouts.h"
#include "kernels/norm.h"
#include "kernels/short_floats.h"
#include "plan/stream.h"

namespace rl {
namespace RL_ISA_NS {
namespace {

constexpr int64_t kChunk = 32;  // channels that a thread takes together in `rows` order

struct BatchLayout {
  int64_t outer, channels, inner;  // rows: inner is 1 and outer counts the positions too
  int64_t fold = 1;                // how often each channel is among the `channels` of a row
  int64_t own() const { return channels / fold; }
  // Where the different ones among the channels up to `end` end.
  int64_t own(int64_t end) const { return std::min(end, own()); }
  int64_t count() const { return outer * inner * fold; }
  int64_t grain() const {
    if (fold > 1) return channels;
    int64_t wanted = std::max<int64_t>(1, 16384 / std::max<int64_t>(1, count()));
    return inner == 1 ? std::max(wanted, kChunk) : wanted;
  }
};

// Several rows of few channels make one row, where there are many and a thread takes all channels
// anyway: loops over few elements take longer to start than to run.
BatchLayout folded(BatchLayout l) {
  constexpr int64_t kWide = 256, kMany = 8192, kSmall = 65536;
  const int64_t numel = l.outer * l.channels;
  if (l.inner > 1 || numel < kMany || (l.channels > kChunk && numel > kSmall)) return l;
  int64_t fold = std::clamp<int64_t>(kWide / l.channels, 1, l.outer);
  while (l.outer % fold) --fold;
  return {l.outer / fold, l.channels * fold, 1, fold};
}
BatchLayout layout(const Tensor& x, bool last) {
  int64_t inner = 1;
  for (int d = 2; d < x.ndim; ++d) inner *= x.size(d);
  if (last) return folded({x.size(0) * inner, x.size(1), 1});
  return folded({x.size(0), x.size(1), inner});
}

// The values of channels, for all that are in a row: in `space` if these are more.
template <class T>
const T* in_row(const BatchLayout& l, const T* own, std::vector<T>& space) {
  if (l.fold == 1) return own;
  for (int64_t k = 0; k < l.fold; ++k) space.insert(space.end(), own, own + l.own());
  return space.data();
}

// Rows of channels: a few of them are summed in T, and these sums in double.
template <class T, class F>
void row_sums(const BatchLayout& l, int64_t begin, int64_t end, double* sums, F f) {
  constexpr int64_t kRows = 16, kStrip = 64;
  for (int64_t c = begin; c < end; c += kStrip)
    for (int64_t n = 0; n < l.outer; n += kRows) {
      const int64_t width = std::min(kStrip, end - c);
      T part[kStrip] = {};
      for (int64_t r = n; r < std::min(n + kRows, l.outer); ++r)
        for (int64_t k = 0; k < width; ++k)
          part[k] += f(c + k, ElementAt<T>{r * l.channels + c + k});
      for (int64_t k = 0; k < width; ++k) sums[c + k - begin] += part[k];
    }
}
// For each channel c of [begin, end): sums[c - begin] = sum over its elements of f(c, at).
template <class T, class F>
void channel_sums(const BatchLayout& l, int64_t begin, int64_t end, double* sums, F f) {
  std::fill_n(sums, end - begin, 0.0);
  if (l.inner == 1) {
    row_sums<T>(l, begin, end, sums, f);
    for (int64_t k = l.own(), c = 0; k < end && l.fold > 1; ++k, c = k % l.own())
      sums[c] += sums[k];
    return;
  }
  for (int64_t n = 0; n < l.outer; ++n)
    for (int64_t c = begin; c < end; ++c) {
      int64_t at = (n * l.channels + c) * l.inner;
      sums[c - begin] += exact_sum<T>(at, at + l.inner, [&](auto i) { return f(c, i); });
    }
}

// Is an output better streamed? Runs of a few lines are not: their ends share lines with others.
template <class S>
bool streams_runs(const BatchLayout& l, int64_t channels) {
  constexpr int64_t kLongRun = 2048;
  const int64_t size = sizeof(S), run = l.inner == 1 ? channels : l.inner;
  return run * size >= kLongRun && past_cache(l.outer * l.channels * l.inner * size);
}

// out[i] = f(i) for i of [begin, end), computed in T and kept as S.
template <class T, class S, class F>
void map_run(S* out, int64_t begin, int64_t end, bool streams, F f) {
  write_run(out + begin, end - begin, streams, [=](S* to, int64_t from, int64_t n) {
    T wide[std::is_same_v<S, T> ? 1 : kRun];
    T* results;
    if constexpr (std::is_same_v<S, T>)
      results = to;
    else
      results = wide;
#pragma GCC ivdep
    for (int64_t i = 0; i < n; ++i) results[i] = f(begin + from + i);
    if constexpr (!std::is_same_v<S, T>) narrow(to, wide, n);
  });
}
// out[i] = of_channel(c)(i) over all elements of channels [begin, end).
template <class T, class S, class F>
void channel_map(const BatchLayout& l, int64_t begin, int64_t end, S* out, F of_channel) {
  const bool streams = streams_runs<S>(l, end - begin);
  for (int64_t n = 0; n < l.outer; ++n) {
    const int64_t row = n * l.channels * l.inner;
    if (l.inner == 1)
      map_run<T>(out, row + begin, row + end, streams,
                 [=](int64_t i) { return of_channel(i - row)(i); });
    for (int64_t c = begin; l.inner > 1 && c < end; ++c)
      map_run<T>(out, row + c * l.inner, row + (c + 1) * l.inner, streams, of_channel(c));
  }
}

// Computed in T, with an output kept as S.
template <class T, class S>
struct BatchNorm {
  BatchLayout l;
  const T *x, *weight, *bias, *running_mean, *running_var;
  S* out;
  T *mean, *rstd;
  std::vector<double> average, variance;
  bool training;
  double eps;
  DType kept;  // statistics of a batch are numbers of this dtype

  void statistics(int64_t begin, int64_t end) {
    std::vector<double> sums(end - begin);
    double n = double(l.count());
    const T* px = x;
    channel_sums<T>(l, begin, end, sums.data(), [=](int64_t, auto at) { return at(px); });
    for (int64_t c = begin; c < l.own(end); ++c) {
      average[c] = sums[c - begin] / n;
      mean[c] = static_cast<T>(average[c]);
    }
    std::vector<T> space;
    const T* m = in_row<T>(l, mean, space);
    channel_sums<T>(l, begin, end, sums.data(), [=](int64_t c, auto at) {
      auto d = at(px) - m[c];
      return d * d;
    });
    for (int64_t c = begin; c < l.own(end); ++c) {
      variance[c] = sums[c - begin] / n;
      rstd[c] = kept_as(kept, static_cast<T>(1 / std::sqrt(variance[c] + eps)));
      mean[c] = kept_as(kept, mean[c]);
    }
  }
  void channels(int64_t begin, int64_t end) {
    if (training)
      statistics(begin, end);
    else
      for (int64_t c = begin; c < l.own(end); ++c) {
        mean[c] = running_mean[c];
        rstd[c] = static_cast<T>(1 / std::sqrt(double(running_var[c]) + eps));
      }
    std::vector<T> scale(end - begin), shift(end - begin), space[2];
    for (int64_t c = begin; c < l.own(end); ++c) {
      scale[c - begin] = rstd[c] * (weight ? weight[c] : T(1));
      shift[c - begin] = (bias ? bias[c] : T(0)) - mean[c] * scale[c - begin];
    }
    const T *px = x, *s = in_row<T>(l, scale.data(), space[0]) - begin,
            *b = in_row<T>(l, shift.data(), space[1]) - begin;
    channel_map<T>(l, begin, end, out, [=](int64_t c) {
      return [px, by = s[c], to = b[c]](int64_t i) { return px[i] * by + to; };
    });
  }
};

template <class T>
struct BatchNormBackward {
  BatchLayout l;
  const T *g, *x, *mean, *rstd, *weight;
  T *gx, *gw, *gb;
  bool training;

  void channels(int64_t begin, int64_t end) const {
    std::vector<double> sums(end - begin), dots(end - begin);
    std::vector<T> space[5];
    const T *pg = g, *px = x, *m = in_row(l, mean, space[0]), *r = in_row(l, rstd, space[1]);
    channel_sums<T>(l, begin, end, sums.data(), [=](int64_t, auto at) { return at(pg); });
    channel_sums<T>(l, begin, end, dots.data(),
                    [=](int64_t c, auto at) { return at(pg) * ((at(px) - m[c]) * r[c]); });
    std::vector<T> scale(end - begin), a(end - begin), b(end - begin);
    double n = double(l.count());
    for (int64_t c = begin; c < l.own(end); ++c) {
      gw[c] = static_cast<T>(dots[c - begin]);
      gb[c] = static_cast<T>(sums[c - begin]);
      scale[c - begin] = (weight ? weight[c] : T(1)) * rstd[c];
      a[c - begin] = training ? static_cast<T>(sums[c - begin] / n) : T(0);
      b[c - begin] = training ? static_cast<T>(dots[c - begin] / n) * rstd[c] : T(0);
    }
    const T *s = in_row<T>(l, scale.data(), space[2]), *pa = in_row<T>(l, a.data(), space[3]),
            *pb = in_row<T>(l, b.data(), space[4]);
    channel_map<T>(l, begin, end, gx, [=](int64_t c) {
      return [=, s = s[c - begin], a = pa[c - begin], m = m[c], b = pb[c - begin]](int64_t i) {
        return s * (pg[i] - a - (px[i] - m) * b);
      };
    });
  }
};

// Here a size of 1 leaves no doubt either.
bool normed_last(const Tensor& x) { return is_channels_last(x) || varies_channels_first(x); }

// _batch_norm(input, weight, bias, running_mean, running_var, training, momentum, eps)
//   -> (output, mean, rstd); running statistics are updated in place when training.
void forward_infer(Call& c) {
  Tensor& x = c.tensor(0);
  check_norm_dtype(c, x);
  RL_CHECK(x.ndim >= 2, c.op, ": expected at least 2 dimensions, got shape ", x.sizes());
  for (int i = 1; i <= 4; ++i)
    if (Tensor* t = c.tensor_or_null(i)) {
      const char* names[] = {"", "weight", "bias", "running_mean", "running_var"};
      RL_CHECK(t->numel == x.size(1), c.op, ": ", names[i], " should contain ", x.size(1),
               " elements not ", t->numel);
    }
  OutSpec& s = c.add_out(x.sizes(), x.dtype);
  if (normed_last(x)) s.strides = strides_for(x.sizes(), last_format(x));
  int64_t channels = x.size(1);
  c.add_out(Sizes(&channels, 1), compute_dtype(x.dtype));
  c.add_out(Sizes(&channels, 1), compute_dtype(x.dtype));
}

// running = (1 - momentum) running + momentum value
void update_running(Tensor* running, double momentum, const std::vector<double>& value) {
  if (!running) return;
  Ref<Tensor> r = contiguous_as(*running, DType::F64), next = empty(running->sizes(), DType::F64);
  for (int64_t c = 0; c < running->numel; ++c)
    next->data<double>()[c] = (1 - momentum) * r->data<double>()[c] + momentum * value[c];
  copy_into(*running, *next);
  ++running->version();
}

// The dtype that statistics are kept in: 16 bits if input and parameters have no more.
DType statistics_dtype(const Call& c) {
  for (int i = 0; i <= 4; ++i)
    if (Tensor* t = c.tensor_or_null(i); t && compute_dtype(t->dtype) == t->dtype) return t->dtype;
  return c.tensor(0).dtype;
}

template <class T, class S>
void forward_typed(Call& c, DType dtype) {
  Tensor& x = c.tensor(0);
  bool last = normed_last(x), training = c.flag(5);
  BatchLayout l = layout(x, last);
  Ref<Tensor> in = in_order(x, dtype, last), p[4];
  for (int i = 0; i < 4; ++i) p[i] = in_dtype(c.tensor_or_null(i + 1), dtype);
  Ref<Tensor> out = target_in_order(c.out(0), dtype_of<S>, last);
  BatchNorm<T, S> k{l,
                    in->data<T>(),
                    data_or_null<T>(p[0]),
                    data_or_null<T>(p[1]),
                    data_or_null<T>(p[2]),
                    data_or_null<T>(p[3]),
                    out->data<S>(),
                    c.out(1).data<T>(),
                    c.out(2).data<T>(),
                    std::vector<double>(l.channels),
                    std::vector<double>(l.channels),
                    training,
                    c.number(7),
                    statistics_dtype(c)};
  {
    Unlocked unlocked(x.numel * 2);
    parallel_for(l.channels, l.grain(), [&](int64_t b, int64_t e) { k.channels(b, e); });
  }
  if (out.get() != &c.out(0)) copy_into(c.out(0), *out);
  if (!training || !c.tensor_or_null(3)) return;
  double n = double(l.count());
  for (double& v : k.variance) v *= n / (n - 1);  // the running variance is unbiased
  update_running(c.tensor_or_null(3), c.number(6), k.average);
  update_running(c.tensor_or_null(4), c.number(6), k.variance);
}
void forward_run(Call& c) {
  with_compute_dtype(c.tensor(0).dtype, [&]<class T>() {
    with_kept<T>(c.out(0).dtype, [&]<class S>() { forward_typed<T, S>(c, dtype_of<T>); });
  });
}

// _batch_norm_backward(grad, input, mean, rstd, weight, training) -> (grads of input, weight, bias)
void backward_infer(Call& c) {
  Tensor& x = c.tensor(1);
  OutSpec& s = c.add_out(x.sizes(), x.dtype);
  if (normed_last(x)) s.strides = strides_for(x.sizes(), last_format(x));
  int64_t channels = x.size(1);
  DType dtype = c.tensor_or_null(4) ? c.tensor(4).dtype : compute_dtype(x.dtype);
  c.add_out(Sizes(&channels, 1), dtype);
  c.add_out(Sizes(&channels, 1), dtype);
}
template <class T>
void backward_typed(Call& c, DType dtype) {
  Tensor& x = c.tensor(1);
  bool last = normed_last(x);
  BatchLayout l = layout(x, last);
  Ref<Tensor> g = in_order(c.tensor(0), dtype, last), in = in_order(x, dtype, last);
  Ref<Tensor> mean = contiguous_as(c.tensor(2), dtype), rstd = contiguous_as(c.tensor(3), dtype);
  Ref<Tensor> w = in_dtype(c.tensor_or_null(4), dtype);
  Ref<Tensor> gx = target_in_order(c.out(0), dtype, last);
  Target gw(c.out(1), dtype), gb(c.out(2), dtype);
  BatchNormBackward<T> k{l,
                         g->data<T>(),
                         in->data<T>(),
                         mean->data<T>(),
                         rstd->data<T>(),
                         data_or_null<T>(w),
                         gx->data<T>(),
                         gw.data<T>(),
                         gb.data<T>(),
                         c.flag(5)};
  {
    Unlocked unlocked(x.numel * 4);
    parallel_for(l.channels, l.grain(), [&](int64_t b, int64_t e) { k.channels(b, e); });
  }
  if (gx.get() != &c.out(0)) copy_into(c.out(0), *gx);
  gw.finish();
  gb.finish();
}
void backward_run(Call& c) {
  with_compute_dtype(c.tensor(1).dtype, [&]<class T>() { backward_typed<T>(c, dtype_of<T>); });
}

RL_ISA_KERNEL("_batch_norm", forward_infer, forward_run);
RL_ISA_KERNEL("_batch_norm_backward", backward_infer, backward_run);

}  // namespace
}  // namespace RL_ISA_NS
}  // namespace rl
