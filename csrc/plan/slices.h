// Copies of some slices of a tensor, which may lie in any way. Of whole tensors: copy.h.
#pragma once
#include "core/tensor.h"

namespace rl {

// dst[.., j, ..] = src[.., positions[j], ..] along dimension d, of tensors without a common element
// and of one dtype, as large in every other dimension.
void copy_slices(Tensor& dst, const Tensor& src, int d, const int64_t* positions);

}  // namespace rl
