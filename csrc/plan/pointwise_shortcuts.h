// Elementwise operations that are run as others, which take less time.
#pragma once
#include "plan/pointwise.h"

namespace rl {

// By what is computed once, for inputs that are expanded along the same dimensions; false if that
// does not pay.
bool run_once(const PointwiseKernel& k, Compute compute, Tensor& out,
              std::span<const PointwiseInput> inputs, const Scalar* params);

// The kernel for the two operands in the other order if the first has one element a row, or is a
// number, and the second has not: loops read the second so without copies. Null if there is none,
// or where that does not pay.
const PointwiseKernel* better_turned(const PointwiseKernel& k, Compute compute, const Tensor& out,
                                     std::span<const PointwiseInput> in, const Scalar* params);

}  // namespace rl
