// Elementwise operations that are run as others, which take less time.
#pragma once
#include "plan/pointwise.h"

namespace rl {

// By what is computed once, for inputs that are expanded along the same dimensions; false if that
// does not pay.
bool run_once(const PointwiseKernel& k, Compute compute, Tensor& out,
              std::span<const PointwiseInput> inputs, const Scalar* params);

// Has the first operand one element a row, or is it a number, and the second has not, and may they
// change places? The loops read the second so without copies.
bool better_turned(const PointwiseKernel& k, Compute compute, std::span<const PointwiseInput> in,
                   const Scalar* params);

}  // namespace rl
