// What resampling along a dimension shares, of bytes (resample_bytes.cpp) and of other numbers
// (resample.cpp): lines as they lie in memory, and which positions are asked for. Included by files
// compiled once per level.
#pragma once
#include <algorithm>

#include "kernels/pool.h"
#include "plan/copy.h"

namespace rl {
namespace {

// (outer, inputs, inner) to (outer, outputs, inner).
struct Lines {
  int64_t outer, inputs, outputs, inner;
};

inline void resized_infer(Call& c, int64_t dim, int64_t size) {
  const Tensor& x = c.tensor(0);
  RL_CHECK(dim >= 0 && dim < x.ndim, c.op, ": dim must be in [0, ", x.ndim, "), got ", dim);
  SizeVec sizes(x.sizes().begin(), x.sizes().end());
  sizes[dim] = size;
  keep_layout(x, c.add_out(sizes, x.dtype));
}

// Indices, all of which must be below `limit`.
inline Ref<Tensor> indices(const Call& c, int at, int64_t limit) {
  Ref<Tensor> index = contiguous_as(c.tensor(at), DType::I64);
  const auto* i = index->data<int64_t>();
  RL_CHECK(std::all_of(i, i + index->numel, [&](int64_t k) { return k >= 0 && k < limit; }), c.op,
           ": an index is out of range for a dimension of size ", limit);
  return index;
}
// Of the arguments index and weight from `at`, both (taps, size), for a dimension of size `limit`.
inline void check_terms(const Call& c, int at, int64_t limit) {
  const Tensor &index = c.tensor(at), &weight = c.tensor(at + 1);
  RL_CHECK(index.ndim == 2 && std::ranges::equal(weight.sizes(), index.sizes()) &&
               index.numel < INT32_MAX && limit < INT32_MAX,
           c.op, ": expected index and weight of the same shape (taps, size), got ", index.sizes(),
           " and ", weight.sizes());
}

// Runs with the input and the output as memory lies: rows last, or channels last.
template <class F>
void run_lines(Call& c, int64_t dim, F f) {
  Tensor &x = c.tensor(0), &out = c.out(0);
  if (!out.numel) return;
  bool last = varies_channels_first(x) && is_channels_last(out);
  Ref<Tensor> in = in_order(x, x.dtype, last);
  Ref<Tensor> to = last || out.contiguous ? Ref<Tensor>::share(&out) : empty(out.sizes(), x.dtype);
  Lines l{1, x.size(dim), out.size(dim), 1};
  for (int d = 0; d < x.ndim; ++d) {
    bool inside = last ? dim != 1 && (d > dim || d == 1) : d > dim;
    if (d != dim) (inside ? l.inner : l.outer) *= x.size(d);
  }
  Unlocked unlocked(out.numel);
  f(l, in->raw(), to->raw());
  if (to.get() != &out) copy_into(out, *to);
}

}  // namespace
}  // namespace rl
