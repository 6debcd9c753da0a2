// What resampling of bytes (resample_bytes.cpp) and of other numbers (resample.cpp) shares: a call
// as one step a dimension, and lines as they lie in memory. Included by files compiled once per
// level.
#pragma once
#include <array>
#include <string_view>
#include <vector>

#include "kernels/pool.h"
#include "kernels/resample_taps.h"
#include "plan/copy.h"

namespace rl {
namespace {

// (outer, inputs, inner) to (outer, outputs, inner).
struct Lines {
  int64_t outer, inputs, outputs, inner;
};

// Positions and weights, both (taps, size).
template <class R>
struct Taps {
  int64_t taps, size;
  std::vector<int64_t> index;
  std::vector<R> weight;

  Taps(int64_t t, int64_t n) : taps(t), size(n), index(t * n), weight(t * n) {}
  explicit Taps(const Resizing& r) : Taps(r.taps(), r.outputs) {
    r.lay(index.data(), weight.data());
  }
};

// The arguments are (tensor, mode, size, scales, align, antialias, ...) with a size and a scale for
// each spatial dimension: the sizes of the result, which in the adjoint are those of the input.
inline Interpolation interpolation(std::string_view mode) {
  if (mode.starts_with("nearest"))
    return mode == "nearest" ? Interpolation::Nearest : Interpolation::NearestExact;
  return mode == "bicubic" ? Interpolation::Cubic : Interpolation::Linear;
}
enum class Way : uint8_t { Forward, Adjoint, Bytes };
inline Resizing resizing(const Call& c, int d, Way way) {
  const bool adjoint = way == Way::Adjoint;
  const int64_t from = c.tensor(0).size(d + 2), to = c.ints(2)[d];
  return {interpolation(c.text(1)), c.flag(5),      adjoint ? to : from,
          adjoint ? from : to,      c.floats(3)[d], c.flag(4)};
}

inline void resample_infer(Call& c) {
  const Tensor& x = c.tensor(0);
  const Sizes size = c.ints(2);
  const auto dims = static_cast<int>(size.size());
  RL_CHECK(x.ndim == dims + 2 && c.floats(3).size() == size.size(), c.op,
           ": expected a size and a scale for each spatial dimension, got ", size, " for shape ",
           x.sizes());
  SizeVec sizes(x.sizes().begin(), x.sizes().begin() + 2);
  for (int d = 0; d < dims; ++d) {
    const double scale = c.floats(3)[d];
    RL_CHECK(size[d] > 0 && std::max(size[d], x.size(d + 2)) < INT32_MAX && scale >= 0 &&
                 scale < INT32_MAX,
             c.op, ": cannot resample shape ", x.sizes(), " to ", size);
    sizes.push_back(size[d]);
  }
  keep_layout(x, c.add_out(sizes, x.dtype));
}

struct Step {
  Resizing resizing;
  Lines lines;
};
struct Steps {
  std::array<Step, 3> all;
  int count = 0;
};

inline Lines lines_along(Sizes sizes, int dim, int64_t outputs, bool channels_last) {
  Lines l{1, sizes[dim], outputs, 1};
  for (int d = 0; d < static_cast<int>(sizes.size()); ++d)
    if (d != dim) (d > dim || (channels_last && d == 1) ? l.inner : l.outer) *= sizes[d];
  return l;
}
// Columns first, unless there are fewer sums the other way round; backwards in the adjoint. As in
// PyTorch, bytes are always resized columns first, and not where the size stays.
inline Steps steps_of(const Call& c, Way way, bool channels_last) {
  SizeVec sizes(c.tensor(0).sizes().begin(), c.tensor(0).sizes().end());
  const auto dims = static_cast<int>(c.ints(2).size());
  const Resizing rows = resizing(c, 0, way);
  const bool fewer = rows.smooth && rows.outputs < rows.size;
  const bool rows_first = way != Way::Bytes && fewer != (way == Way::Adjoint);
  Steps steps;
  for (int i = 0; i < dims; ++i) {
    const int d = rows_first ? i : dims - 1 - i;
    const Resizing r = resizing(c, d, way);
    if (way == Way::Bytes ? r.size == r.outputs : r.changes_nothing()) continue;
    steps.all[steps.count++] = {r, lines_along(sizes, d + 2, c.ints(2)[d], channels_last)};
    sizes[d + 2] = c.ints(2)[d];
  }
  return steps;
}

// Calls run(step, from, to) for each, which computes in the dtype.
template <class F>
void run_steps(Call& c, DType compute, Way way, F run) {
  Tensor &x = c.tensor(0), &out = c.out(0);
  if (!out.numel) return;
  const bool last = varies_channels_first(x) && is_channels_last(out);
  const Steps steps = steps_of(c, way, last);
  if (!steps.count) return copy_into(out, x);
  Ref<Tensor> in = in_order(x, compute, last), to = target_in_order(out, compute, last);
  std::array<Ref<Tensor>, 3> made;
  for (int i = 0; i + 1 < steps.count; ++i) {
    const Lines& l = steps.all[i].lines;
    made[i] = empty(SizeVec{l.outer * l.outputs * l.inner}, compute);
  }
  made[steps.count - 1] = to;
  {
    Unlocked unlocked(out.numel);
    const void* from = in->raw();
    for (int i = 0; i < steps.count; ++i) {
      run(steps.all[i], from, made[i]->raw());
      from = made[i]->raw();
    }
  }
  if (to.get() != &out) copy_into(out, *to);
}

}  // namespace
}  // namespace rl
