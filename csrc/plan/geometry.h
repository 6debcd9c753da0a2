// Geometry of views that several files need: which strides a reshaped or sliced tensor has.
// The view kernels (kernels/views.cpp) and indexing (python/index.cpp) share it.
#pragma once
#include "core/tensor.h"

namespace rl {

// `shape` with its -1 replaced, checked to hold `numel` elements.
SizeVec resolve_shape(Sizes shape, int64_t numel);
// The strides that show `t` as `shape` without a copy; false when there are none.
bool view_strides(const Tensor& t, Sizes shape, SizeVec& strides);
// The same for strides in other units than elements, and geometries without a tensor.
bool view_strides(Sizes sizes, Sizes strides, Sizes shape, SizeVec& out);

struct SliceBounds {
  int64_t start, length;
};
// Python's slice rules over a dimension of `size`; step > 0.
SliceBounds slice_bounds(int64_t start, int64_t end, int64_t step, int64_t size);

}  // namespace rl
