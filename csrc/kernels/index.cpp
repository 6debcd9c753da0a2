// index and index_put: gathering and scattering by integer tensors and masks. A mask stands for
// the positions of its true elements. Parsing of Python's x[...] is in python/index.cpp.
#include <algorithm>
#include <cstring>

#include "core/warning.h"
#include "kernels/masks.h"
#include "kernels/select.h"
#include "plan/copy.h"
#include "plan/parallel.h"

namespace rl {
namespace {

// One row of the result per index position: element offsets into the indexed tensor.
struct Plan {
  std::vector<Ref<Tensor>> by_dim;  // for each dimension of self: int64 positions, or null
  SizeVec index_shape, result, outer, inner;  // sizes; outer and inner are not indexed
  SizeVec outer_strides, inner_strides;
};

bool is_mask(const Tensor& t) { return t.dtype == DType::Bool || t.dtype == DType::U8; }

// The coordinates of the true elements, one int64 vector per dimension of the mask.
void add_mask(const Tensor& mask, std::vector<Ref<Tensor>>& by_dim) {
  RL_CHECK(!mask.is_meta(), "index: a mask on the meta device has no known number of elements");
  Ref<Tensor> dense = contiguous(mask);
  int64_t n = count_true(*dense);
  size_t first = by_dim.size();
  int64_t* at[kMaxDims];
  for (int d = 0; d < mask.ndim; ++d) {
    by_dim.push_back(empty(Sizes(&n, 1), DType::I64));
    at[d] = by_dim[first + d]->data<int64_t>();
  }
  const uint8_t* p = mask_bytes(*dense);
  int last = mask.ndim - 1;
  int64_t width = mask.size(last), prefix[kMaxDims];
  for (int64_t row = 0, k = 0; k < n; ++row, p += width) {
    int64_t rest = row;
    for (int d = last; d-- > 0; rest /= mask.size(d)) prefix[d] = rest % mask.size(d);
    // Every position is written, as no branch can foresee a mask; the next overwrites a wrong one.
    for (int64_t i = 0; i < width && k < n; ++i) {
      for (int d = 0; d < last; ++d) at[d][k] = prefix[d];
      at[last][k] = i;
      k += p[i] != 0;
    }
  }
}

// The mask, if the index is nothing but one that covers every dimension.
const Tensor* whole_mask(const Tensor& self, std::span<Tensor* const> given) {
  if (given.size() != 1 || !given[0] || !is_mask(*given[0])) return nullptr;
  return given[0]->ndim == self.ndim && self.ndim > 0 && !given[0]->is_meta() ? given[0] : nullptr;
}
template <class T>
void keep_true(const Tensor& self, const Tensor& mask, Tensor& out) {
  auto* from = static_cast<const T*>(self.raw());
  const uint8_t* p = mask_bytes(mask);
  T *to = static_cast<T*>(out.raw()), *end = to + out.numel;
  for (int64_t i = 0; to != end; ++i) {
    *to = from[i];
    to += p[i] != 0;
  }
}

void check_mask(const Tensor& self, const Tensor& mask, size_t dim) {
  for (int d = 0; d < mask.ndim; ++d)
    if (dim + d >= self.ndim || mask.size(d) != self.size(static_cast<int>(dim) + d))
      fail(ErrorKind::Index, "The shape of the mask ", mask.sizes(), " at index ", d,
           " does not match the shape of the indexed tensor ", self.sizes(), " at index ", dim + d);
}

void collect_indices(const Tensor& self, std::span<Tensor* const> given, Plan& plan) {
  for (Tensor* t : given) {
    if (!t) {
      plan.by_dim.emplace_back();
    } else if (is_mask(*t) && t->ndim > 0) {
      check_mask(self, *t, plan.by_dim.size());
      add_mask(*t, plan.by_dim);
    } else {
      if (t->dtype != DType::I64 && t->dtype != DType::I32)
        fail(ErrorKind::Index,
             "tensors used as indices must be long, int, byte or bool tensors, got ", t->dtype);
      plan.by_dim.push_back(to_dtype(*t, DType::I64));
    }
  }
  if (plan.by_dim.size() > self.ndim)
    fail(ErrorKind::Index, "too many indices for tensor of dimension ", static_cast<int>(self.ndim),
         " (got ", plan.by_dim.size(), ")");
  plan.by_dim.resize(self.ndim);
}

[[noreturn, gnu::cold]] void shapes_differ(const Plan& plan) {
  std::string shapes;
  for (auto& t : plan.by_dim)
    if (t) shapes += str(shapes.empty() ? "" : ", ", t->sizes());
  fail(ErrorKind::Index,
       "shape mismatch: indexing tensors could not be broadcast together with shapes ", shapes);
}

void broadcast_indices(Plan& plan) {
  bool first = true;
  for (auto& t : plan.by_dim) {
    if (!t) continue;
    if (first) {
      plan.index_shape.assign(t->sizes().begin(), t->sizes().end());
    } else {
      try {
        plan.index_shape = broadcast_sizes(plan.index_shape, t->sizes());
      } catch (const Error&) {
        shapes_differ(plan);
      }
    }
    first = false;
  }
}

// Where the index dimensions land: in place when they are neighbours, else in front.
void lay_out(const Tensor& self, Plan& plan) {
  int first = -1, last = -1, count = 0;
  for (int d = 0; d < self.ndim; ++d)
    if (plan.by_dim[d]) {
      if (first < 0) first = d;
      last = d;
      ++count;
    }
  bool adjacent = count > 0 && last - first + 1 == count;
  for (int d = 0; d < self.ndim; ++d) {
    if (plan.by_dim[d]) continue;
    bool before = adjacent && d < first;
    (before ? plan.outer : plan.inner).push_back(self.size(d));
    (before ? plan.outer_strides : plan.inner_strides).push_back(self.stride(d));
  }
  plan.result = plan.outer;
  plan.result.insert(plan.result.end(), plan.index_shape.begin(), plan.index_shape.end());
  plan.result.insert(plan.result.end(), plan.inner.begin(), plan.inner.end());
}

Plan make_plan(const Tensor& self, std::span<Tensor* const> given) {
  Plan plan;
  collect_indices(self, given, plan);
  broadcast_indices(plan);
  lay_out(self, plan);
  return plan;
}

int64_t product(Sizes s) {
  int64_t n = 1;
  for (int64_t v : s) n *= v;
  return n;
}

// Element offsets of every position of a strided box, in row-major order.
SizeVec box_offsets(Sizes sizes, Sizes strides) {
  SizeVec out(static_cast<size_t>(product(sizes)));
  if (out.empty()) return out;
  size_t filled = 1;
  out[0] = 0;
  for (size_t d = 0; d < sizes.size(); ++d) {  // each dimension multiplies what is there
    size_t n = static_cast<size_t>(sizes[d]);
    for (size_t i = filled; i-- > 0;)
      for (size_t k = n; k-- > 0;) out[i * n + k] = out[i] + static_cast<int64_t>(k) * strides[d];
    filled *= n;
  }
  return out;
}

SizeVec index_offsets(const Tensor& self, const Plan& plan) {
  int64_t n = product(plan.index_shape);
  SizeVec out(static_cast<size_t>(n), 0);
  for (int d = 0; d < self.ndim; ++d) {
    if (!plan.by_dim[d]) continue;
    Ref<Tensor> wide = plan.by_dim[d];
    if (wide->numel != n || !wide->contiguous) {
      Ref<Tensor> full = empty(plan.index_shape, DType::I64);
      copy_into(*full, *wide);
      wide = full;
    }
    const int64_t *at = wide->data<int64_t>(), size = self.size(d), stride = self.stride(d);
    int64_t* offsets = out.data();
    for (int64_t i = 0; i < n; ++i) {
      int64_t v = at[i];
      if (v < -size || v >= size) [[unlikely]]
        fail(ErrorKind::Index, "index ", v, " is out of bounds for dimension ", d, " with size ",
             size);
      offsets[i] += (v < 0 ? v + size : v) * stride;
    }
  }
  return out;
}

// What a run of rows needs: row r starts at outer[r / P] + index[r % P].
struct Rows {
  SizeVec outer, index, inner;  // element offsets; inner empty when it is one dense run
  int64_t width = 1;            // elements of a row
  int64_t count() const { return static_cast<int64_t>(outer.size() * index.size()); }
  int64_t start(int64_t r) const {
    auto p = static_cast<int64_t>(index.size());
    return outer[r / p] + index[r % p];
  }
  // f(r, start) for rows of one element.
  template <class F>
  void each_start(int64_t begin, int64_t end, F&& f) const {
    auto p = static_cast<int64_t>(index.size());
    const int64_t* at = index.data();
    for (int64_t r = begin, j = begin % p; r < end; j = 0) {
      int64_t first = outer[r / p], stop = std::min(end, r + p - j);
#pragma GCC unroll 4
      for (; r < stop; ++r, ++j) f(r, first + at[j]);
    }
  }
};

Rows make_rows(const Tensor& self, const Plan& plan) {
  Rows rows;
  rows.outer = box_offsets(plan.outer, plan.outer_strides);
  rows.index = index_offsets(self, plan);
  rows.width = product(plan.inner);
  if (!is_contiguous(plan.inner, plan.inner_strides))
    rows.inner = box_offsets(plan.inner, plan.inner_strides);
  return rows;
}

template <class T>
void gather_rows(const Rows& rows, const T* from, T* to) {
  int64_t w = rows.width, grain = std::max<int64_t>(1, 32768 / std::max<int64_t>(w, 1));
  parallel_for(rows.count(), grain, [&](int64_t begin, int64_t end) {
    if (w == 1)
      return rows.each_start(begin, end, [=](int64_t r, int64_t at) { to[r] = from[at]; });
    for (int64_t r = begin; r < end; ++r) {
      const T* src = from + rows.start(r);
      T* dst = to + r * w;
      if (rows.inner.empty())
        std::memcpy(dst, src, sizeof(T) * static_cast<size_t>(w));
      else
        for (int64_t k = 0; k < w; ++k) dst[k] = src[rows.inner[k]];
    }
  });
}

template <bool Add, class T>
void put_element(T& at, T value) {
  if constexpr (!Add)
    at = value;
  else if constexpr (std::is_same_v<T, bool>)
    at = at || value;
  else
    at = static_cast<T>(at + value);
}

template <bool Add, class T>
void put_row(T* to, const T* from, int64_t n) {
  if constexpr (Add && std::is_same_v<T, Half>) {  // by runs, which are widened by the machine
    constexpr int64_t kRun = 256;
    float sums[kRun], values[kRun];
    for (int64_t count; n > 0; n -= count, to += count, from += count) {
      count = std::min(n, kRun);
      convert(sums, DType::F32, to, DType::F16, count);
      convert(values, DType::F32, from, DType::F16, count);
      for (int64_t k = 0; k < count; ++k) sums[k] += values[k];
      convert(to, DType::F16, sums, DType::F32, count);
    }
  } else {
    for (int64_t k = 0; k < n; ++k) put_element<Add>(to[k], from[k]);
  }
}

// Scatters in row order, so repeated positions keep the last value, or the sum in one order.
template <class T, bool Add>
void scatter_rows(const Rows& rows, const T* from, T* to) {
  int64_t w = rows.width, n = rows.count();
  if (w == 1)
    return rows.each_start(0, n, [=](int64_t r, int64_t at) { put_element<Add>(to[at], from[r]); });
  // Threads own columns, never rows: the order of additions does not depend on their number. Fewer
  // columns than a few lines would be shared, and lines change cores slower than vectors add.
  parallel_for(w, std::max<int64_t>(64, (1 << 18) / std::max<int64_t>(n, 1)),
               [&](int64_t begin, int64_t end) {
                 for (int64_t r = 0; r < n; ++r) {
                   T* dst = to + rows.start(r);
                   const T* src = from + r * w;
                   if (rows.inner.empty())
                     put_row<Add>(dst + begin, src + begin, end - begin);
                   else
                     for (int64_t k = begin; k < end; ++k)
                       put_element<Add>(dst[rows.inner[k]], src[k]);
                 }
               });
}

// ---- positions along one dimension, the usual index
struct OneIndex {
  const Tensor* positions = nullptr;
  int dim = 0;
};
OneIndex one_index(const Tensor& self, std::span<Tensor* const> given) {
  OneIndex one;
  if (given.size() > self.ndim) return {};
  for (size_t d = 0; d < given.size(); ++d) {
    if (!given[d]) continue;
    if (one.positions || (given[d]->dtype != DType::I64 && given[d]->dtype != DType::I32))
      return {};
    one = {given[d], static_cast<int>(d)};
  }
  return one;
}

// Positions from the end made such from the start.
Ref<Tensor> counted_from_start(const OneIndex& one, int64_t n) {
  Ref<Tensor> at = index_values(*one.positions);
  const int64_t* from = at->data<int64_t>();
  if (all_within(from, at->numel, n)) [[likely]]
    return at;
  if (!all_within(from, at->numel, n, -n))
    fail(ErrorKind::Index, "index ", first_outside(from, at->numel, n, -n),
         " is out of bounds for dimension ", one.dim, " with size ", n);
  Ref<Tensor> out = empty(at->sizes(), DType::I64);
  std::transform(from, from + at->numel, out->data<int64_t>(),
                 [n](int64_t i) { return i < 0 ? i + n : i; });
  return out;
}

void infer_one(Call& c, const OneIndex& one) {
  Sizes sizes = c.tensor(0).sizes(), shape = one.positions->sizes();
  OutSpec& out = c.add_out(sizes.first(one.dim), c.tensor(0).dtype);
  for (int64_t n : shape) out.sizes.push_back(n);
  for (int64_t n : sizes.subspan(one.dim + 1)) out.sizes.push_back(n);
}

void warn_of_bytes(Call& c) {
  for (const Tensor* t : c.tensors(1))
    if (t && t->dtype == DType::U8)
      warn("indexing by uint8 masks is deprecated; use a mask of dtype bool: mask.bool()");
}

// ---- index(self, indices)
void index_infer(Call& c) {
  warn_of_bytes(c);
  if (OneIndex one = one_index(c.tensor(0), c.tensors(1)); one.positions) return infer_one(c, one);
  if (const Tensor* mask = whole_mask(c.tensor(0), c.tensors(1))) {
    check_mask(c.tensor(0), *mask, 0);
    c.add_out(SizeVec{count_true(*contiguous(*mask))}, c.tensor(0).dtype);
    return;
  }
  Plan plan = make_plan(c.tensor(0), c.tensors(1));
  c.add_out(plan.result, c.tensor(0).dtype);
}

void select_rows(const Tensor& self, int dim, const Tensor& at, Tensor& out) {
  Ref<Tensor> from = contiguous(self);
  Unlocked unlocked(out.numel);
  with_size(item_size(self.dtype), [&]<class T>() {
    select_lines(lines_of(self, dim), static_cast<const T*>(from->raw()), at,
                 static_cast<T*>(out.raw()));
  });
}

void index_run(Call& c) {
  Tensor &self = c.tensor(0), &out = c.out(0);
  if (const Tensor* mask = whole_mask(self, c.tensors(1)); mask && out.contiguous) {
    Ref<Tensor> from = contiguous(self), dense = contiguous(*mask);
    Unlocked unlocked(self.numel);
    return with_size(item_size(self.dtype), [&]<class T>() { keep_true<T>(*from, *dense, out); });
  }
  if (OneIndex one = one_index(self, c.tensors(1)); one.positions && out.numel) {
    Ref<Tensor> at = counted_from_start(one, self.size(one.dim));
    if (select_slices(self, one.dim, *at, out)) return;
    const bool reads_most = one.dim + 1 < self.ndim && 2 * out.numel >= self.numel;
    if (self.contiguous || reads_most) return select_rows(self, one.dim, *at, out);
  }
  if (out.numel == 0) {  // still refuse wrong indices where there is something to index
    Plan plan = make_plan(self, c.tensors(1));
    index_offsets(self, plan);
    return;
  }
  Rows rows = make_rows(self, make_plan(self, c.tensors(1)));
  Unlocked unlocked(out.numel);
  with_size(item_size(self.dtype), [&]<class T>() {
    gather_rows(rows, static_cast<const T*>(self.raw()), static_cast<T*>(out.raw()));
  });
}

// ---- index_put(self, indices, values, accumulate)
// The values for every position, where no write to self changes them.
Ref<Tensor> dense_values(const Tensor& values, Sizes want, const Tensor& self) {
  bool there = values.contiguous && values.storage != self.storage;
  if (there && std::ranges::equal(values.sizes(), want))
    return Ref<Tensor>::share(const_cast<Tensor*>(&values));
  Ref<Tensor> dense = empty(want, self.dtype);
  copy_into(*dense, values);
  return dense;
}

// What a mask of every dimension chooses is written where it lies: positions would take up to 16
// bytes for an element.
template <class T>
void fill_true(const uint8_t* p, T value, T* to, int64_t n) {
  parallel_for(n, 1 << 15, [=](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) to[i] = p[i] ? value : to[i];
  });
}
template <class T>
void put_true(const uint8_t* p, const T* from, int64_t count, T* to) {
  for (int64_t i = 0, k = 0; k < count; ++i) {
    to[i] = p[i] ? from[k] : to[i];
    k += p[i] != 0;
  }
}

// Whether it was such a mask, and the values one for all or one for each.
bool put_by_mask(Call& c, Tensor& self) {
  const Tensor* mask = whole_mask(self, c.tensors(1));
  const Tensor& values = c.tensor(2);
  if (!mask || may_overlap_itself(self) || self.is_meta() || values.ndim > 1 ||
      !values.contiguous || (c.has(3) && c.flag(3)) || mask->storage == self.storage ||
      values.storage == self.storage)
    return false;
  check_mask(self, *mask, 0);
  Ref<Tensor> dense = contiguous(*mask);
  bool one = values.numel == 1;
  if (!one && values.numel != count_true(*dense)) return false;
  Ref<Tensor> target = contiguous(self);
  with_size(item_size(self.dtype), [&]<class T>() {
    Unlocked unlocked(self.numel);
    auto* from = static_cast<const T*>(values.raw());
    const uint8_t* p = mask_bytes(*dense);
    auto* to = static_cast<T*>(target->raw());
    return one ? fill_true(p, *from, to, self.numel) : put_true(p, from, values.numel, to);
  });
  if (!self.contiguous) copy_into(self, *target);
  return true;
}

void put_into(Call& c, Tensor& self) {
  const Tensor& values = c.tensor(2);
  RL_CHECK(self.dtype == values.dtype,
           "Index put requires the source and destination dtypes match, got ",
           info(self.dtype).legacy_name, " for the destination and ",
           info(values.dtype).legacy_name, " for the source.");
  if (put_by_mask(c, self)) return;
  Plan plan = make_plan(self, c.tensors(1));
  Sizes want = plan.result;
  bool fits = values.ndim <= want.size();
  for (size_t i = 0; fits && i < values.ndim; ++i) {
    int64_t v = values.size(values.ndim - 1 - static_cast<int>(i));
    fits = v == 1 || v == want[want.size() - 1 - i];
  }
  RL_CHECK(fits, "shape mismatch: value tensor of shape ", values.sizes(),
           " cannot be broadcast to indexing result of shape ", want);
  if (self.is_meta()) return;
  Rows rows = make_rows(self, plan);
  Ref<Tensor> dense = dense_values(values, want, self);
  if (dense->numel == 0) return;
  Unlocked unlocked(dense->numel);
  if (c.has(3) && c.flag(3))
    return dispatch_stored(self.dtype, [&]<class T>() {
      scatter_rows<T, true>(rows, static_cast<const T*>(dense->raw()), static_cast<T*>(self.raw()));
    });
  with_size(item_size(self.dtype), [&]<class T>() {
    scatter_rows<T, false>(rows, static_cast<const T*>(dense->raw()), static_cast<T*>(self.raw()));
  });
}

void index_put_infer(Call& c) {
  warn_of_bytes(c);
  c.add_out(c.tensor(0).sizes(), c.tensor(0).dtype);
}
void index_put_run(Call& c) {
  copy_into(c.out(0), c.tensor(0));
  put_into(c, c.out(0));
}
void index_put_inplace_infer(Call& c) { warn_of_bytes(c); }
void index_put_inplace_run(Call& c) { put_into(c, c.tensor(0)); }

RL_KERNEL_FLOAT8("index", index_infer, index_run);
RL_KERNEL_FLOAT8("index_put", index_put_infer, index_put_run);
RL_KERNEL_FLOAT8("index_put_", index_put_inplace_infer, index_put_inplace_run);

}  // namespace
}  // namespace rl
