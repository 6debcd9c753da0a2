// In which order the dimensions of a result lie in memory.
#pragma once
#include <algorithm>
#include <span>

#include "core/tensor.h"

namespace rl {

// Strides without gaps for what is computed from tensors that broadcast to `sizes`: the first that
// can tell two dimensions apart decides on their order. For one tensor see dense_like_strides.
SizeVec joint_strides(Sizes sizes, std::span<const Tensor* const> tensors);

// Are these the strides of a fresh row-major tensor, also of dimensions of size 1?
inline bool strides_in_rows(const Tensor& t) {
  int64_t expected = 1;
  for (int d = t.ndim; d-- > 0; expected *= std::max<int64_t>(t.size(d), 1))
    if (t.stride(d) != expected) return false;
  return true;
}

}  // namespace rl
