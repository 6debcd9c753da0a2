// Copies between tensors of any geometry and dtype, and the conveniences kernels build on.
#pragma once
#include "core/tensor.h"
#include "plan/call.h"

namespace rl {

void copy_into(Tensor& dst, const Tensor& src);  // broadcasts src, converts; handles overlap
void fill(Tensor& t, const Scalar& value);
void store_number(void* at, DType dtype, const Scalar& value);  // as an element
Ref<Tensor> contiguous(const Tensor& t);                  // t itself when it is already row-major
Ref<Tensor> to_dtype(const Tensor& t, DType dtype);       // t itself when it already is
Ref<Tensor> contiguous_as(const Tensor& t, DType dtype);  // both at once, at most one copy
// Converts n contiguous elements.
void convert(void* dst, DType to, const void* src, DType from, int64_t n);

}  // namespace rl
