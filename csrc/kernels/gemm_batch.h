// Products of many pairs of matrices that lie evenly apart.
#pragma once
#include "kernels/gemm.h"

namespace rl {

// c[i] (+)= a[i] b[i] for i < count, on the calling thread: gemm's operands, the next of which lie
// `step` elements on, and results that follow one another.
struct BatchOperand {
  Matrix first;
  int64_t step;
};
void gemm_batch(DType dtype, const BatchOperand& a, const BatchOperand& b, void* c, int64_t count,
                bool accumulate);

}  // namespace rl
