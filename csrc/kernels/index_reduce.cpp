// Writing whole slices by position: index_add, index_copy, index_fill, index_reduce; and the
// flat writers put and masked_scatter. One index stands for a slice, so inner loops are dense.
// Threads split what lies around the indexed dimension; slices themselves go in order.
#include <algorithm>
#include <numeric>

#include "kernels/combine.h"
#include "kernels/line_starts.h"
#include "kernels/masks.h"
#include "plan/determinism.h"
#include "plan/fits.h"
#include "plan/pointwise.h"

namespace rl {
namespace {

// --- slices: f(row of out, row of source, elements) for every index and outer position
struct Slices {
  Lines l;
  const int64_t* index;  // within the dimension
  int64_t count;

  template <class F>
  void run(int64_t o_begin, int64_t o_end, int64_t k, int64_t width, F&& f) const {
    // A slice of one element is known to be one where f is compiled.
    if (l.inner == 1) return each(o_begin, o_end, 0, std::integral_constant<int64_t, 1>(), f);
    each(o_begin, o_end, k, width, f);
  }

 private:
  template <class Width, class F>
  void each(int64_t o_begin, int64_t o_end, int64_t k, Width width, F&& f) const {
    const int64_t inner = std::is_same_v<Width, int64_t> ? l.inner : 1;
    for (int64_t o = o_begin; o < o_end; ++o)
#pragma GCC unroll 4
      for (int64_t j = 0; j < count; ++j)
        f((o * l.size + index[j]) * inner + k, (o * count + j) * inner + k, width);
  }
};

// Refuses positions outside the dimension, if there is anything around it.
Slices slices_of(const Tensor& out, int dim, const Tensor& index, const char* op) {
  Slices s{lines_of(out, dim), index.data<int64_t>(), index.numel};
  std::string_view name = op;
  bool named = name.starts_with("index_") && name != "index_add";
  auto kind = named ? ErrorKind::Index : ErrorKind::Runtime;
  if (s.l.outer > 0) check_indices(s.index, s.count, s.l.size, op, dim, kind);
  return s;
}

// Positions that count from the end if they are negative; those outside stay so.
Ref<Tensor> wrapped(Ref<Tensor> index, int64_t size) {
  Ref<Tensor> out = empty(index->sizes(), DType::I64);
  const int64_t* from = index->data<int64_t>();
  auto wrap = [size](int64_t i) { return i < 0 && i >= -size ? i + size : i; };
  std::transform(from, from + index->numel, out->data<int64_t>(), wrap);
  return out;
}

// Elements of long rows worth a thread: vectors go through them faster than their lines change the
// core that has them.
constexpr int64_t kRowsWorth = 1 << 18;

// part(o_begin, o_end, k, width) for parts that threads may write at the same time.
template <class Part>
void each_part(const Slices& s, Part&& part) {
  const Lines& l = s.l;
  bool rows = l.inner >= 64;
  int64_t worth = rows ? kRowsWorth : 32768;
  auto grain = [&](int64_t n) { return std::max<int64_t>(1, worth / std::max<int64_t>(1, n)); };
  if (l.outer >= l.inner || !rows)
    parallel_for(l.outer, grain(s.count * l.inner),
                 [&](int64_t b, int64_t e) { part(b, e, 0, l.inner); });
  else
    parallel_for(l.inner, std::max<int64_t>(64, grain(s.count * l.outer)),
                 [&](int64_t b, int64_t e) { part(0, l.outer, b, e - b); });
}

template <class F>
void each_slice(const Tensor& out, int dim, const Tensor& index, const char* op, F&& f) {
  Slices s = slices_of(out, dim, index, op);
  each_part(s, [&](int64_t b, int64_t e, int64_t k, int64_t width) { s.run(b, e, k, width, f); });
}

void fill_slices(Tensor& out, int dim, const Tensor& index, const void* value, const char* op) {
  with_size(item_size(out.dtype), [&]<class U>() {
    U *x = out.data<U>(), v = *static_cast<const U*>(value);
    each_slice(out, dim, index, op, [=](int64_t to, int64_t, auto n) {
      for (int64_t k = 0; k < n; ++k) x[to + k] = v;
    });
  });
}

void fill_slices(Tensor& out, int dim, const Tensor& index, const Scalar& value, const char* op) {
  Unlocked unlocked(index.numel);
  alignas(16) char bytes[16];
  store_number(bytes, out.dtype, value);
  fill_slices(out, dim, index, bytes, op);
}

// Of integers.
void add_to_slices(Tensor& out, int dim, const Tensor& index, int64_t value, const char* op) {
  with_size(item_size(out.dtype), [&]<class U>() {
    if constexpr (std::is_integral_v<U>)
      each_slice(out, dim, index, op,
                 [x = out.data<U>(), v = static_cast<U>(value)](int64_t to, int64_t, auto n) {
                   for (int64_t k = 0; k < n; ++k) x[to + k] += v;
                 });
  });
}

void copy_slices(Tensor& out, int dim, const Tensor& index, const Tensor& source, const char* op) {
  Unlocked unlocked(source.numel);
  with_size(item_size(out.dtype), [&]<class U>() {
    U* x = out.data<U>();
    auto* s = source.data<U>();
    each_slice(out, dim, index, op, [=](int64_t to, int64_t from, auto n) {
      if constexpr (std::is_same_v<decltype(n), int64_t>)
        std::copy_n(s + from, n, x + to);
      else
        x[to] = s[from];
    });
  });
}

// Compiled per dtype and combination, so the loops over threads are not part of it.
using CombineSlices = void (*)(const Slices& s, void* out, const void* source, int64_t o_begin,
                               int64_t o_end, int64_t k, int64_t width);
template <class T, class Combine>
void combine_part(const Slices& s, void* out, const void* source, int64_t o_begin, int64_t o_end,
                  int64_t k, int64_t width) {
  auto* x = static_cast<T*>(out);
  auto* y = static_cast<const T*>(source);
  s.run(o_begin, o_end, k, width, [=](int64_t to, int64_t from, auto n) {
    T* a = x + to;
    const T* b = y + from;
    if constexpr (!std::is_same_v<decltype(n), int64_t>) {
      *a = Combine::apply(*a, *b);
    } else {
#pragma GCC ivdep
      for (int64_t i = 0; i < n; ++i) a[i] = Combine::apply(a[i], b[i]);
    }
  });
}

// Long rows are added by the loop that adds tensors, which has the machine's vectors.
bool has_long_rows(const Tensor& out, int dim) {
  bool as_computed = out.dtype == DType::F32 || out.dtype == DType::F64 || out.dtype == DType::I64;
  return as_computed && lines_of(out, dim).inner >= 64;
}
// The places of the index, ordered by the slice that they write; those of one slice as they were.
std::vector<int64_t> by_slice(const Slices& s) {
  std::vector<int64_t> order(static_cast<size_t>(s.count));
  if (s.l.size > 16 * s.count) {  // most slices are not written
    std::iota(order.begin(), order.end(), 0);
    std::ranges::stable_sort(order, {}, [&](int64_t j) { return s.index[j]; });
    return order;
  }
  std::vector<int64_t> next(static_cast<size_t>(s.l.size) + 1);
  for (int64_t j = 0; j < s.count; ++j) ++next[s.index[j] + 1];
  std::partial_sum(next.begin(), next.end(), next.begin());
  for (int64_t j = 0; j < s.count; ++j) order[next[s.index[j]]++] = j;
  return order;
}

// add_row(to, from, elements) for all slices, a slice by one thread: rows are read whole, where
// parts of them would be too short for prefetchers. False if one thread has all, or would have
// most.
template <class AddRow>
bool add_by_slice(const Slices& s, const AddRow& add_row) {
  const int64_t inner = s.l.inner;
  const int64_t parts = std::min<int64_t>(num_threads(), s.count * inner / kRowsWorth);
  if (s.l.outer != 1 || parts < 2 || in_parallel()) return false;
  const std::vector<int64_t> order = by_slice(s);
  std::vector<int64_t> cut(static_cast<size_t>(parts) + 1);
  for (int64_t p = 1; p <= parts; ++p) {
    int64_t& end = cut[p] = s.count * p / parts;
    while (end < s.count && s.index[order[end]] == s.index[order[end - 1]]) ++end;
    if (end - cut[p - 1] > 3 * s.count / (2 * parts)) return false;
  }
  parallel_for(parts, 1, [&](int64_t b, int64_t e) {
    for (int64_t i = cut[b]; i < cut[e]; ++i)
      add_row(s.index[order[i]] * inner, order[i] * inner, inner);
  });
  return true;
}
void add_slices(const Slices& s, Tensor& out, const Tensor& source, const Scalar& alpha) {
  BlockFn add = find_pointwise("add")->fn[static_cast<int>(compute_of(out.dtype))];
  auto *x = static_cast<char*>(out.raw()), *y = static_cast<char*>(source.raw());
  int64_t item = item_size(out.dtype);
  auto add_row = [&](int64_t to, int64_t from, int64_t n) {
    void* rows[] = {x + to * item, x + to * item, y + from * item};
    add(rows, n, &alpha);
  };
  if (add_by_slice(s, add_row)) return;
  each_part(
      s, [&](int64_t b, int64_t e, int64_t k, int64_t width) { s.run(b, e, k, width, add_row); });
}

void combine_slices(Tensor& out, int dim, const Tensor& index, const Tensor& source, Reduce r,
                    const char* op) {
  Unlocked unlocked(source.numel);
  Slices s = slices_of(out, dim, index, op);
  if (r == Reduce::Sum && has_long_rows(out, dim))
    return add_slices(s, out, source, Scalar::of(int64_t{1}));
  CombineSlices part = nullptr;
  dispatch(out.dtype, [&]<class T>() {
    with_combine(r, [&]<class Combine>() { part = combine_part<T, Combine>; });
  });
  each_part(s, [&](int64_t b, int64_t e, int64_t k, int64_t width) {
    part(s, out.raw(), source.raw(), b, e, k, width);
  });
}

// ---- sums of 16-bit floats, in float32 and rounded once
constexpr int64_t kRun = 512, kShortRow = 16;  // elements: at once; that pay for the order

// Where the places of each slice begin in that order, and the end.
std::vector<int64_t> slice_starts(const Slices& s, const std::vector<int64_t>& order) {
  std::vector<int64_t> starts;
  for (int64_t i = 0; i < s.count; ++i)
    if (!i || s.index[order[i]] != s.index[order[i - 1]]) starts.push_back(i);
  starts.push_back(s.count);
  return starts;
}

// By the machine's vectors; where widening is one shift, in one pass.
template <class T>
void add_widened(float* sums, const T* values, int64_t n, BlockFn add) {
  if constexpr (std::is_same_v<T, BFloat16>) {
#pragma GCC ivdep
    for (int64_t i = 0; i < n; ++i) sums[i] += values[i];
  } else {
    float wide[kRun];
    convert(wide, DType::F32, values, dtype_of<T>, n);
    const Scalar once = Scalar::of(int64_t{1});
    void* rows[] = {sums, sums, wide};
    add(rows, n, &once);
  }
}

// All that goes into a slice in one visit: only slices that are written are widened and rounded.
template <class T>
void add_short_slices(const Slices& s, Tensor& out, const Tensor& source) {
  const std::vector<int64_t> order = by_slice(s), starts = slice_starts(s, order);
  const int64_t written = static_cast<int64_t>(starts.size()) - 1, inner = s.l.inner;
  T* x = out.data<T>();
  auto* y = source.data<T>();
  const PointwiseKernel& add = *find_pointwise("add");
  const BlockFn add_floats = add.fn[static_cast<int>(Compute::F)];
  const BlockFn add_once = add.of_short[std::is_same_v<T, BFloat16>];  // rounds what it adds
  auto visit = [&](int64_t o, int64_t w) {
    float sums[kRun];
    auto from = [&](int64_t i) { return y + (o * s.count + order[i]) * inner; };
    T* to = x + (o * s.l.size + s.index[order[starts[w]]]) * inner;
    const bool once = add_once && starts[w + 1] == starts[w] + 1;
    for (int64_t k = 0, n; k < inner; k += n) {
      n = std::min(kRun, inner - k);
      if (once) {
        const Scalar alpha = Scalar::of(int64_t{1});
        void* rows[] = {to + k, to + k, const_cast<T*>(from(starts[w]) + k)};
        add_once(rows, n, &alpha);
        continue;
      }
      convert(sums, DType::F32, to + k, dtype_of<T>, n);
      for (int64_t i = starts[w]; i < starts[w + 1]; ++i)
        add_widened(sums, from(i) + k, n, add_floats);
      convert(to + k, dtype_of<T>, sums, DType::F32, n);
    }
  };
  const int64_t each = s.count * inner / std::max<int64_t>(written, 1);
  parallel_for(s.l.outer * written, line_grain({1, each, 1}), [&](int64_t b, int64_t e) {
    for (; b < e; ++b) visit(b / written, b % written);
  });
}

void add_slices_wide(Tensor& out, int dim, const Tensor& index, const Tensor& source,
                     const char* op) {
  if (is_short(out.dtype) && lines_of(out, dim).inner >= kShortRow) {
    Unlocked unlocked(source.numel);
    const Slices s = slices_of(out, dim, index, op);
    return out.dtype == DType::F16 ? add_short_slices<Half>(s, out, source)
                                   : add_short_slices<BFloat16>(s, out, source);
  }
  combine_wide(out, source, Reduce::Sum, [&](Tensor& to, const Tensor& from) {
    combine_slices(to, dim, index, from, Reduce::Sum, op);
  });
}

void scale(Tensor& t, const Scalar& by) {
  dispatch(t.dtype, [&]<class T>() {
    T *x = t.data<T>(), v = by.to<T>();
    for (int64_t i = 0; i < t.numel; ++i) x[i] = Multiply::apply(x[i], v);
  });
}

void check_index_vector(const Call& c, const Tensor& index) {
  RL_CHECK(index.dtype == DType::I64 || index.dtype == DType::I32, c.op,
           "(): Expected dtype int32/int64 for index but got: ", index.dtype);
  if (index.ndim > 1)
    fail(ErrorKind::Index, c.op, "(): Index should have dimension 1 or 0 (got ", index.sizes(),
         ")");
}

// index_add(self, dim, index, source, ...): the source has index's length along dim.
void slices_infer(Call& c) {
  const Tensor &t = c.tensor(0), &index = c.tensor(2), &source = c.tensor(3);
  int dim = dim_of(c, 1);
  check_index_vector(c, index);
  RL_CHECK(source.dtype == t.dtype, c.op, "(): self and source expected to have the same dtype, ",
           "but got self ", t.dtype, " and source ", source.dtype);
  RL_CHECK(index.numel == size_or_one(source, std::min<int>(dim, std::max(0, source.ndim - 1))),
           c.op, "(): Number of indices (", index.numel,
           ") should be equal to source.size(dim) of ", source.sizes(), " at dimension ", dim);
  bool same = source.ndim == t.ndim || std::max(t.ndim, source.ndim) <= 1;
  for (int d = 0; same && d < t.ndim && d < source.ndim; ++d)
    same = d == dim || t.size(d) == source.size(d);
  RL_CHECK(same, c.op, "(): source ", source.sizes(), " must match self ", t.sizes(),
           " in every dimension but ", dim);
  c.add_out(t.sizes(), t.dtype);
}

// index_add(self, dim, index, source, *, alpha)
void index_add_infer(Call& c) {
  slices_infer(c);
  if (is_integral(c.tensor(0).dtype)) check_fits(c.op, c.scalar(4), c.tensor(0).dtype);
}
void index_add_run(Call& c) {
  start_from(c.out(0), c.tensor(0));
  Ref<Tensor> index = index_beside(c.out(0), c.tensor(2)), source = contiguous(c.tensor(3));
  const Scalar& alpha = c.scalar(4);
  const int dim = dim_of(c, 1);
  bool fits =
      is_floating(c.out(0).dtype) ? alpha.kind != Scalar::Complex : alpha.kind == Scalar::Int;
  if (fits && has_long_rows(c.out(0), dim)) {
    Unlocked unlocked(source->numel);
    return add_slices(slices_of(c.out(0), dim, *index, c.op), c.out(0), *source, alpha);
  }
  if (alpha.re != 1 || alpha.im != 0) {
    Ref<Tensor> scaled = empty(source->sizes(), source->dtype);
    copy_into(*scaled, *source);
    scale(*scaled, alpha);
    source = std::move(scaled);
  }
  add_slices_wide(c.out(0), dim, *index, *source, c.op);
}

// _sum_cells(self, index, size): zeros with self added along its last dimension, one after another
// in its own dtype.
void sum_cells_infer(Call& c) {
  const Tensor &x = c.tensor(0), &index = c.tensor(1);
  RL_CHECK(x.ndim > 0 && index.ndim == 1 && index.numel == x.size(x.ndim - 1), c.op,
           ": expected an index of the length of the last dimension, got ", index.sizes(), " for ",
           x.sizes());
  SizeVec sizes(x.sizes().begin(), x.sizes().end());
  sizes.back() = c.integer(2);
  c.add_out(sizes, x.dtype);
}
void sum_cells_run(Call& c) {
  Tensor& out = c.out(0);
  Ref<Tensor> sum = out.contiguous ? Ref<Tensor>::share(&out) : empty(out.sizes(), out.dtype);
  fill(*sum, Scalar::of(int64_t{0}));
  Ref<Tensor> index = index_values(c.tensor(1)), source = contiguous(c.tensor(0));
  combine_slices(*sum, out.ndim - 1, *index, *source, Reduce::Sum, c.op);
  if (!out.contiguous) copy_into(out, *sum);
}

void index_copy_run(Call& c) {
  start_from(c.out(0), c.tensor(0));
  Ref<Tensor> index = index_beside(c.out(0), c.tensor(2)), source = contiguous(c.tensor(3));
  copy_slices(c.out(0), dim_of(c, 1), *index, *source, c.op);
}

// index_reduce(self, dim, index, source, reduce, *, include_self)
void index_reduce_infer(Call& c) {
  RL_CHECK(c.text(4) == "prod" || c.text(4) == "mean" || c.text(4) == "amax" || c.text(4) == "amin",
           "index_reduce(): Expected reduce to be one of prod, mean, amax or amin but got ",
           c.text(4));
  check_reduce(c, c.text(4), c.tensor(0).dtype);
  slices_infer(c);
}
void index_reduce_run(Call& c) {
  start_from(c.out(0), c.tensor(0));
  Ref<Tensor> index = index_beside(c.out(0), c.tensor(2)), source = contiguous(c.tensor(3));
  reduce_slices(c.out(0), dim_of(c, 1), *index, *source, parse_reduce(c, c.text(4)), c.flag(5),
                c.op);
}

// index_fill(self, dim, index, value)
void index_fill_infer(Call& c) {
  dim_of(c, 1);
  check_index_vector(c, c.tensor(2));
  RL_CHECK(!c.tensor_or_null(3) || c.tensor(3).ndim == 0,
           "index_fill_ only supports a 0-dimensional value tensor, but got tensor with shape ",
           c.tensor_or_null(3) ? c.tensor(3).sizes() : Sizes());
  RL_CHECK(
      c.tensor_or_null(3) || c.scalar(3).kind != Scalar::Complex || is_complex(c.tensor(0).dtype),
      "index_fill_(): Converting complex Scalar to non-complex type is not supported");
  if (!c.tensor_or_null(3)) check_fits(c.op, c.scalar(3), c.tensor(0).dtype);
  c.add_out(c.tensor(0).sizes(), c.tensor(0).dtype);
}
void index_fill_run(Call& c) {
  Tensor& out = c.out(0);
  start_from(out, c.tensor(0));
  int dim = dim_of(c, 1);
  Ref<Tensor> index = wrapped(index_values(c.tensor(2)), size_or_one(out, dim));
  if (!c.tensor_or_null(3)) return fill_slices(out, dim, *index, c.scalar(3), c.op);
  Ref<Tensor> one = contiguous_as(c.tensor(3), out.dtype);
  fill_slices(out, dim, *index, one->raw(), c.op);
}

// --- put(self, index, source, accumulate): positions in the flattened tensor
void put_infer(Call& c) {
  const Tensor &t = c.tensor(0), &index = c.tensor(1), &source = c.tensor(2);
  RL_CHECK(index.dtype == DType::I64, "put_(): Expected a long tensor for index, but got ",
           index.dtype);
  RL_CHECK(source.dtype == t.dtype, "put_(): self and source expected to have the same dtype, but ",
           "got self ", t.dtype, " and source ", source.dtype);
  if (index.numel != source.numel)
    fail(ErrorKind::Index, "put_(): Expected source and index to have the same number ",
         "of elements, but got source ", source.numel, " and index ", index.numel);
  if (!c.flag(3)) alert_undefined("put_");
  c.add_out(t.sizes(), t.dtype);
}
// Refuses positions outside a flat tensor of n elements, where negative ones count from the end.
void check_flat(const Tensor& index, int64_t n) {
  const int64_t *ix = index.data<int64_t>(), *end = ix + index.numel;
  auto outside = [n](int64_t i) { return i < -n || i >= n; };
  uint64_t bad = 0;
  for (const int64_t* i = ix; i != end; ++i) bad |= outside(*i);
  if (bad)
    fail(ErrorKind::Index, "put_(): out of range: tried to access index ",
         *std::find_if(ix, end, outside), " on a tensor of ", n, " elements");
}
template <class Combine, class T>
void put_elements(const Tensor& index, const T* source, T* out, int64_t n) {
  const int64_t* ix = index.data<int64_t>();
#pragma GCC unroll 4
  for (int64_t j = 0; j < index.numel; ++j) {
    T& target = out[ix[j] + (ix[j] < 0 ? n : 0)];
    target = Combine::apply(target, source[j]);
  }
}
void put_run(Call& c) {
  Tensor& out = c.out(0);
  start_from(out, c.tensor(0));
  Ref<Tensor> index = index_beside(out, c.tensor(1)), source = contiguous(c.tensor(2));
  Unlocked unlocked(index->numel);
  check_flat(*index, out.numel);
  if (c.flag(3))
    return dispatch(out.dtype, [&]<class T>() {
      put_elements<Add>(*index, source->data<T>(), out.data<T>(), out.numel);
    });
  with_size(item_size(out.dtype), [&]<class U>() {
    put_elements<Replace>(*index, source->data<U>(), out.data<U>(), out.numel);
  });
}

// --- masked_scatter(self, mask, source): the source's elements fill the true places in order
void masked_scatter_infer(Call& c) {
  const Tensor &t = c.tensor(0), &mask = c.tensor(1);
  RL_CHECK(mask.dtype == DType::Bool,
           "masked_scatter_ only supports boolean masks, but got mask with ", "dtype ", mask.dtype);
  RL_CHECK(c.tensor(2).dtype == t.dtype,
           "masked_scatter: expected self and source to have same dtypes ", "but got ", t.dtype,
           " and ", c.tensor(2).dtype);
  c.add_out(broadcast_sizes(t.sizes(), mask.sizes()), t.dtype);
}
void masked_scatter_run(Call& c) {
  Tensor& out = c.out(0);
  start_from(out, c.tensor(0));
  Ref<Tensor> mask = empty(out.sizes(), DType::Bool), source = contiguous(c.tensor(2));
  copy_into(*mask, c.tensor(1));
  Unlocked unlocked(out.numel);
  const uint8_t* m = mask_bytes(*mask);
  const int64_t places = count_true(*mask);
  RL_CHECK(places <= source->numel, "masked_scatter: expected source to have at least as many ",
           "elements as the mask has true values, got ", source->numel);
  with_size(item_size(out.dtype), [&]<class U>() {
    U* x = out.data<U>();
    const U *s = source->data<U>(), *end = s + places;
    for (int64_t i = 0; s != end; ++i) {  // no branch could foresee the mask
      const U* const from[] = {x + i, s};
      x[i] = *from[m[i] != 0];
      s += m[i] != 0;
    }
  });
}

}  // namespace

void update_slices(Tensor& out, int dim, const Tensor& index, const Tensor& source, Reduce r,
                   const char* op) {
  if (r == Reduce::Replace) return copy_slices(out, dim, index, source, op);
  if (r == Reduce::Sum) return add_slices_wide(out, dim, index, source, op);
  combine_wide(out, source, r, [&](Tensor& to, const Tensor& from) {
    combine_slices(to, dim, index, from, r, op);
  });
}

void reduce_slices(Tensor& out, int dim, const Tensor& index, const Tensor& source, Reduce r,
                   bool include_self, const char* op) {
  reduce_into(out, r, include_self, index.numel, [&](Tensor& to, const Scalar* number, Reduce r) {
    if (!number) return combine_slices(to, dim, index, source, r, op);
    if (r == Reduce::Replace) return fill_slices(to, dim, index, *number, op);
    add_to_slices(to, dim, index, number->i, op);
  });
}

namespace {

RL_KERNEL("_sum_cells", sum_cells_infer, sum_cells_run);
RL_UPDATE("index_add", index_add_infer, index_add_run);
RL_UPDATE("index_copy", slices_infer, index_copy_run);
RL_UPDATE("index_fill", index_fill_infer, index_fill_run);
RL_UPDATE("index_reduce", index_reduce_infer, index_reduce_run);
RL_UPDATE("put", put_infer, put_run);
RL_UPDATE_SHARING("masked_scatter", masked_scatter_infer, masked_scatter_run);

}  // namespace
}  // namespace rl
