// Work along one dimension: a tensor seen as lines of `size` elements. Scans, sorts, gathers
// and their kin share it. Only geometry and argument checks belong here.
#pragma once
#include <vector>

#include "plan/call.h"
#include "plan/copy.h"
#include "plan/parallel.h"
#include "plan/update.h"

namespace rl {

// A row-major tensor as (outer, size, inner); element (o, i, k) is at (o * size + i) * inner + k.
struct Lines {
  int64_t outer = 1, size = 1, inner = 1;
  int64_t count() const { return outer * inner; }
  int64_t start(int64_t line) const { return line / inner * size * inner + line % inner; }
};

inline Lines lines_of(const Tensor& t, int dim) {
  Lines l;
  for (int d = 0; d < t.ndim; ++d) (d < dim ? l.outer : d == dim ? l.size : l.inner) *= t.size(d);
  return l;
}

// How many lines pay for a thread.
inline int64_t line_grain(const Lines& l, int64_t cost = 1) {
  return std::max<int64_t>(1, 32768 / std::max<int64_t>(1, l.size * cost));
}

inline int dim_of(const Call& c, int i) { return wrap_dim(c.integer(i), c.tensor(0).ndim, c.op); }

// Element `i` of an index tensor that was made row-major int64.
inline Ref<Tensor> index_values(const Tensor& index) { return contiguous_as(index, DType::I64); }

// One position for each slice along dim, if index repeats such for all of what is around; else
// null.
inline Ref<Tensor> slice_index(const Tensor& index, int dim) {
  bool repeats = false;
  for (int d = 0; d < index.ndim; ++d) {
    if (d == dim || index.size(d) == 1) continue;
    if (index.stride(d) != 0) return nullptr;
    repeats = true;
  }
  if (!repeats) return nullptr;
  int64_t count = index.size(dim), step = index.stride(dim);
  return index_values(*alias(index, {&count, 1}, {&step, 1}, index.offset));
}
// Is `t` as large as index in every dimension but dim?
inline bool fits_around(const Tensor& t, const Tensor& index, int dim) {
  for (int d = 0; d < index.ndim; ++d)
    if (d != dim && t.size(d) != index.size(d)) return false;
  return true;
}

inline void check_index_dtype(const Call& c, const Tensor& index) {
  RL_CHECK(index.dtype == DType::I64 || index.dtype == DType::I32, c.op,
           "(): Expected dtype int32/int64 for index, got ", index.dtype,
           "; convert it with .long()");
}

[[noreturn, gnu::cold]] inline void bad_index(ErrorKind kind, const char* op, int64_t i,
                                              int64_t dim, int64_t size) {
  fail(kind, op, ": index ", i, " is out of bounds for dimension ", dim, " with size ", size);
}

// Offsets into `t` of the elements that share a position in `index` up to and including `dim`;
// empty when they are simply 0, 1, 2 ... Both tensors have the same number of dimensions.
inline std::vector<int64_t> inner_offsets(const Tensor& index, const Tensor& t, int dim) {
  std::vector<int64_t> out;
  int64_t step = 1;
  bool simple = true;
  for (int d = index.ndim; --d > dim; step *= index.size(d))
    simple &= index.size(d) == 1 || t.stride(d) == step;
  if (simple) return out;
  out.resize(static_cast<size_t>(step));
  int64_t filled = step > 0;
  for (int d = index.ndim; filled && --d > dim; filled *= index.size(d))
    for (int64_t k = filled; k < filled * index.size(d); ++k)
      out[static_cast<size_t>(k)] = out[static_cast<size_t>(k - filled)] + t.stride(d);
  return out;
}

// The offset into `t` of the position `o`, counted over index's dimensions before `dim`.
inline int64_t outer_offset(const Tensor& index, const Tensor& t, int dim, int64_t o) {
  int64_t at = 0;
  for (int d = dim; d-- > 0; o /= index.size(d)) at += o % index.size(d) * t.stride(d);
  return at;
}

inline int64_t size_or_one(const Tensor& t, int d) { return t.ndim ? t.size(d) : 1; }
inline int64_t stride_or_zero(const Tensor& t, int d) { return t.ndim ? t.stride(d) : 0; }

// Starts an output that is `source` with some elements replaced: in-place calls hand the
// kernel an output that is the source itself.
inline void start_from(Tensor& out, const Tensor& source) {
  if (out.raw() != source.raw() || out.storage != source.storage) copy_into(out, source);
}

}  // namespace rl
