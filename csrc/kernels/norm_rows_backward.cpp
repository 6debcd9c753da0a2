// Gradients of rows normalised: layer norm, group norm and RMS norm (norm_rows.cpp). Which
// parameters belong to an element is said in norm_rows.h.
#include "kernels/norm_rows.h"
#include "plan/stream.h"

namespace rl {
namespace RL_ISA_NS {
namespace {

// Of elements of type E, in T.
template <class T, class E = T>
struct RowNormBackward {
  RowLayout l;
  const E *g, *x;
  const T *mean, *rstd, *weight;  // mean is null where it counts as 0
  E* gx;
  T *gw, *gb;
  static constexpr int64_t kRows = 16;  // that are summed in T
  Two<double>* channel_sums;            // of g and g (x - mean) rstd, of each channel of each row
  bool streams = past_cache(l.rows * l.cols * static_cast<int64_t>(sizeof(E)));

  T center(int64_t r) const { return mean ? mean[r] : T(0); }
  void rows(int64_t begin, int64_t end) const {
    if constexpr (std::is_same_v<E, T>) {
      auto few = [&]<int N>() { short_rows<N>(begin, end); };
      if (l.has_own_features() && !streams && in_few_vectors<T>(l.cols, few)) return;
    }
    for (int64_t r = begin; r < end; ++r) row(r);
  }
  template <int N>
  void short_rows(int64_t begin, int64_t end) const {
    const int64_t size = l.rows * l.cols;
    const ShortRow<N, T> row(l.cols);
    Vector<T> w[N], pg[N], px[N], out[N];
    row.parameters(weight, l.cols, T(1), w);
    for (int64_t r = begin; r < end; ++r) {
      const int64_t at = r * l.cols;
      load_some(g + at, g + size, pg), load_some(x + at, x + size, px);
      const T m = center(r), s = rstd[r];
      for (int i = 0; i < N; ++i) pg[i] *= w[i], px[i] = (px[i] - m) * s;
      const T a = mean ? row.sum([&](int i) { return pg[i]; }) / T(l.cols) : T(0);
      const T b = row.sum([&](int i) { return pg[i] * px[i]; }) / T(l.cols);
      for (int i = 0; i < N; ++i) out[i] = s * (pg[i] - a - px[i] * b);
      store_some(out, gx + at, gx + end * l.cols);
    }
  }
  void row(int64_t r) const {
    const E *pg = g + r * l.cols, *px = x + r * l.cols;
    T m = center(r), s = rstd[r];
    int64_t first = r % l.groups * l.features();
    auto [sum, dot] = row_sums(r, first, pg, px);
    T a = mean ? static_cast<T>(sum / double(l.cols)) : T(0),
      b = static_cast<T>(dot / double(l.cols));
    E* to = gx + r * l.cols;
    if (l.inner == 1)
      return write_run(to, l.cols, streams, [&](E* part, int64_t i, int64_t n) {
        make_run(part, n, [&, i](T* piece, int64_t j, int64_t count) {
          const E *cg = pg + i + j, *cx = px + i + j;
          auto gradient = [=](auto gw, auto x) { return s * (gw - a - (x - m) * s * b); };
          if (const T* w = weight ? weight + first + i + j : nullptr)
            map_run<E>(piece, count, [=](auto at) { return gradient(at(cg) * at(w), at(cx)); });
          else
            map_run<E>(piece, count, [=](auto at) { return gradient(at(cg), at(cx)); });
        });
      });
    for (int64_t f = 0; f < l.features(); ++f) {
      T w = weight ? weight[first + f] : T(1);
      for (int64_t i = f * l.inner; i < (f + 1) * l.inner; ++i)
        to[i] = s * (pg[i] * w - a - (px[i] - m) * s * b);
    }
  }
  // Sums of g w and g w (x - mean) rstd over a row.
  Two<double> row_sums(int64_t r, int64_t first, const E* pg, const E* px) const {
    if (l.has_own_features() && !weight)
      return sums(r, pg, px, 0, l.cols, [](auto) { return T(1); });
    if (l.has_own_features())
      return sums(r, pg, px, 0, l.cols, [w = weight + first](auto at) { return at(w); });
    Two<double> total{0, 0}, *part = channel_sums + r * l.features();
    for (int64_t f = 0; f < l.features(); ++f) {
      part[f] = sums(r, pg, px, f * l.inner, (f + 1) * l.inner, [](auto) { return T(1); });
      double w = weight ? double(weight[first + f]) : 1;
      total.first += w * part[f].first, total.second += w * part[f].second;
    }
    return total;
  }
  template <class Weight>
  Two<double> sums(int64_t r, const E* pg, const E* px, int64_t begin, int64_t end,
                   Weight w) const {
    return exact_two_sums<T>(begin, end, [=, m = center(r), s = rstd[r]](auto at) {
      auto v = at(pg) * w(at);
      return Two<decltype(v)>{v, v * ((at(px) - m) * s)};
    });
  }
  // Gradients of affine parameters [begin, end), summed over the rows that use them.
  void affine(int64_t begin, int64_t end) const {
    std::vector<double> w(end - begin, 0.0), b(end - begin, 0.0);
    if (l.has_own_features())
      columns(begin, end, w.data(), b.data());
    else
      channels(begin, end, w.data(), b.data());
    for (int64_t p = begin; p < end; ++p) {
      gw[p] = static_cast<T>(w[p - begin]);
      gb[p] = static_cast<T>(b[p - begin]);
    }
  }
  // Layer norm: whole row pieces at a time; a few rows in T, then into double.
  void columns(int64_t begin, int64_t end, double* w, double* b) const {
    int64_t n = end - begin;
    if constexpr (std::is_same_v<E, T>) {
      auto few = [&]<int N>() { few_columns<N>(begin, n, w, b); };
      if (in_few_vectors<T>(n, few)) return;
    }
    std::vector<T> part(2 * n);
    T *pw = part.data(), *pb = pw + n;
    for (int64_t r0 = 0; r0 < l.rows; r0 += kRows) {
      std::fill(part.begin(), part.end(), T(0));
      for (int64_t r = r0; r < std::min(l.rows, r0 + kRows); ++r) {
        const E *pg = g + r * l.cols + begin, *px = x + r * l.cols + begin;
        T m = center(r), s = rstd[r];
        map_run<E>(pw, n, [=](auto at) { return at(pw) + at(pg) * ((at(px) - m) * s); });
        map_run<E>(pb, n, [=](auto at) { return at(pb) + at(pg); });
      }
      for (int64_t i = 0; i < n; ++i) w[i] += pw[i], b[i] += pb[i];
    }
  }
  // The same sums, of n columns that stay in registers.
  template <int N>
  void few_columns(int64_t begin, int64_t n, double* w, double* b) const {
    const int64_t size = l.rows * l.cols;
    for (int64_t r0 = 0; r0 < l.rows; r0 += kRows) {
      Vector<T> pw[N] = {}, pb[N] = {}, pg[N], px[N];
      for (int64_t r = r0; r < std::min(l.rows, r0 + kRows); ++r) {
        const int64_t at = r * l.cols + begin;
        load_some(g + at, g + size, pg), load_some(x + at, x + size, px);
        const T m = center(r), s = rstd[r];
        for (int i = 0; i < N; ++i) {
          pw[i] += pg[i] * ((px[i] - m) * s);
          pb[i] += pg[i];
        }
      }
      T sums[2][N * kLanes<T>];
      __builtin_memcpy(sums[0], pw, sizeof pw);
      __builtin_memcpy(sums[1], pb, sizeof pb);
      for (int64_t i = 0; i < n; ++i) w[i] += sums[0][i], b[i] += sums[1][i];
    }
  }
  void channels(int64_t begin, int64_t end, double* w, double* b) const {
    int64_t n = l.features();
    for (int64_t r = 0; r < l.rows; ++r) {
      int64_t first = r % l.groups * n, lo = std::max(begin, first), hi = std::min(end, first + n);
      for (int64_t p = lo; p < hi; ++p) {
        const Two<double>& part = channel_sums[r * n + p - first];
        b[p - begin] += part.first, w[p - begin] += part.second;
      }
    }
  }
};

// _row_norm_backward(grad, input, mean, rstd, weight, rows, groups, inner, eps, affine)
//   -> (grad_input, grad_weight, grad_bias); the last two have one element per parameter, or none
// unless they are asked for.
void backward_infer(Call& c) {
  Tensor& x = c.tensor(1);
  RowLayout l = layout(x, c.integer(5), c.integer(6), c.integer(7));
  int64_t parameters = c.flag(9) ? l.groups * l.features() : 0;
  DType dtype = c.tensor_or_null(4) ? c.tensor(4).dtype : x.dtype;
  add_row_out(c, x, l);
  c.add_out(Sizes(&parameters, 1), dtype);
  c.add_out(Sizes(&parameters, 1), dtype);
}
template <class T, class E>
void norm_affine_backward(const RowNormBackward<T, E>& k, int64_t parameters) {
  int64_t n = k.l.rows * k.l.cols;
  Unlocked unlocked(n);
  parallel_for(parameters, n < 32768 ? INT64_MAX / 2 : 16,
               [&](int64_t begin, int64_t end) { k.affine(begin, end); });
}
template <class T, class E>
void norm_rows_backward(const RowNormBackward<T, E>& k, int64_t parameters) {
  {
    Unlocked unlocked(k.l.rows * k.l.cols * 4);
    parallel_for(k.l.rows, k.l.grain(), [&](int64_t begin, int64_t end) { k.rows(begin, end); });
  }
  norm_affine_backward(k, parameters);
}
template <class T>
void norm_examples_backward(const Tensor& g, const Tensor& x, Tensor& gx, RowNormBackward<T> k,
                            DType dtype) {
  Ref<Tensor> slope = room_for_example(x, dtype), from = room_for_example(x, dtype),
              to = room_for_example(x, dtype);
  RowNormBackward<T> one = k;
  one.l.rows = k.l.groups;
  one.g = slope->data<T>(), one.x = from->data<T>(), one.gx = to->data<T>();
  for (int64_t n = 0; n < x.size(0); ++n) {
    copy_into(*slope, *example(g, n));
    copy_into(*from, *example(x, n));
    norm_rows_backward(one, 0);
    copy_into(*example(gx, n), *to);
    one.mean += one.l.rows, one.rstd += one.l.rows;
    one.channel_sums += one.l.rows * one.l.features();
  }
}
template <class T>
void norm_last_backward(const Tensor& g, const Tensor& x, Tensor& gx, const RowNormBackward<T>& k) {
  Ref<Tensor> slope = in_order(g, x.dtype, true), from = in_order(x, x.dtype, true);
  Ref<Tensor> to = target_in_order(gx, x.dtype, true);
  {
    Unlocked unlocked(x.numel * 4);
    with_kept<T>(x.dtype, [&]<class S>() {
      LastNormBackward<S, T>{last_layout(x, k.l.groups),
                             slope->data<S>(),
                             from->data<S>(),
                             k.mean,
                             k.rstd,
                             k.weight,
                             to->data<S>(),
                             k.channel_sums}
          .run();
    });
  }
  if (to.get() != &gx) copy_into(gx, *to);
}
template <class T>
void backward_last(Call& c, DType dtype) {
  const Tensor& x = c.tensor(1);
  Ref<Tensor> mean = contiguous_as(c.tensor(2), dtype), rstd = contiguous_as(c.tensor(3), dtype);
  Ref<Tensor> w = in_dtype(c.tensor_or_null(4), dtype);
  Target gw(c.out(1), dtype), gb(c.out(2), dtype);
  RowLayout l = layout(x, c.integer(5), c.integer(6), c.integer(7));
  Scratch<Two<double>> sums(l.rows * l.features());
  RowNormBackward<T> k{
      l,       nullptr,      nullptr,      mean->data<T>(), rstd->data<T>(), data_or_null<T>(w),
      nullptr, gw.data<T>(), gb.data<T>(), sums.data()};
  if (fills_vectors<T>(x))
    norm_last_backward(c.tensor(0), x, c.out(0), k);
  else
    norm_examples_backward(c.tensor(0), x, c.out(0), k, dtype);
  norm_affine_backward(k, gw.out.numel);
  for (Target* t : {&gw, &gb}) t->finish();
}
// What elements of a gradient and its input are read as: 16 bits as they are, if these are so many
// that floats would leave the cache, and rows longer than what a few vectors hold.
DType read_dtype(const Call& c, DType dtype, const RowLayout& l) {
  const DType own = c.tensor(1).dtype;
  const bool many = l.rows * l.cols >= 1 << 16 && l.cols > 4 * kLanes<float>;
  const bool serves = l.has_own_features() && many && c.tensor(0).dtype == own;
  return dtype == DType::F32 && serves ? own : dtype;
}
template <class T, class E>
void backward_of(Call& c, DType dtype) {
  Ref<Tensor> g = contiguous_as(c.tensor(0), dtype_of<E>);
  Ref<Tensor> x = contiguous_as(c.tensor(1), dtype_of<E>);
  Ref<Tensor> mean = contiguous_as(c.tensor(2), dtype), rstd = contiguous_as(c.tensor(3), dtype);
  Ref<Tensor> w = in_dtype(c.tensor_or_null(4), dtype);
  Target gx(c.out(0), dtype_of<E>), gw(c.out(1), dtype), gb(c.out(2), dtype);
  RowLayout l = layout(*x, c.integer(5), c.integer(6), c.integer(7));
  Scratch<Two<double>> sums(l.has_own_features() ? 0 : l.rows * l.features());
  RowNormBackward<T, E> k{l,
                          g->data<E>(),
                          x->data<E>(),
                          mean->data<T>(),
                          rstd->data<T>(),
                          data_or_null<T>(w),
                          gx.data<E>(),
                          gw.data<T>(),
                          gb.data<T>(),
                          sums.data()};
  norm_rows_backward(k, gw.out.numel);
  for (Target* t : {&gx, &gw, &gb}) t->finish();
}
template <class T>
void backward_typed(Call& c, DType dtype) {
  const RowLayout l = layout(c.tensor(1), c.integer(5), c.integer(6), c.integer(7));
  if (lie_last(c.tensor(1), l)) return backward_last<T>(c, dtype);
  with_kept<T>(read_dtype(c, dtype, l), [&]<class E>() { backward_of<T, E>(c, dtype); });
}
void backward_run(Call& c) {
  with_compute_dtype(c.tensor(1).dtype, [&]<class T>() { backward_typed<T>(c, dtype_of<T>); });
}

// _rms_norm_backward(grad, input, rstd, weight, rows, affine) -> (grad_input, grad_weight)
void rms_backward_infer(Call& c) {
  Tensor& x = c.tensor(1);
  int64_t parameters = c.flag(5) ? layout(x, c.integer(4), 1, 1).cols : 0;
  c.add_out(x.sizes(), x.dtype);
  c.add_out(Sizes(&parameters, 1), c.tensor_or_null(3) ? c.tensor(3).dtype : x.dtype);
}
template <class T, class E>
void rms_backward_of(Call& c, DType dtype) {
  Ref<Tensor> g = contiguous_as(c.tensor(0), dtype_of<E>);
  Ref<Tensor> x = contiguous_as(c.tensor(1), dtype_of<E>);
  Ref<Tensor> rstd = contiguous_as(c.tensor(2), dtype), w = in_dtype(c.tensor_or_null(3), dtype);
  Target gx(c.out(0), dtype_of<E>), gw(c.out(1), dtype);
  Ref<Tensor> unused = empty(gw.out.sizes(), dtype);  // the gradient of the offset there is not
  RowNormBackward<T, E> k{layout(*x, c.integer(4), 1, 1),
                          g->data<E>(),
                          x->data<E>(),
                          nullptr,
                          rstd->data<T>(),
                          data_or_null<T>(w),
                          gx.data<E>(),
                          gw.data<T>(),
                          unused->data<T>(),
                          nullptr};
  norm_rows_backward(k, gw.out.numel);
  for (Target* t : {&gx, &gw}) t->finish();
}
template <class T>
void rms_backward_typed(Call& c, DType dtype) {
  const RowLayout l = layout(c.tensor(1), c.integer(4), 1, 1);
  with_kept<T>(read_dtype(c, dtype, l), [&]<class E>() { rms_backward_of<T, E>(c, dtype); });
}
void rms_backward_run(Call& c) {
  with_compute_dtype(c.tensor(1).dtype, [&]<class T>() { rms_backward_typed<T>(c, dtype_of<T>); });
}

RL_ISA_KERNEL("_rms_norm_backward", rms_backward_infer, rms_backward_run);
RL_ISA_KERNEL("_row_norm_backward", backward_infer, backward_run);

}  // namespace
}  // namespace RL_ISA_NS
}  // namespace rl
