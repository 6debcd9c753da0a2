// Matrix products over strided operands: the entry point that matmul, linear and the
// convolutions share. Which library or own loop computes a product is decided in gemm.cpp.
#pragma once
#include "core/tensor.h"
#include "kernels/of_reals.h"

namespace rl {

// A rows x cols matrix inside a tensor; strides in elements.
struct Matrix {
  const void* data;
  int64_t rows, cols, row_stride, col_stride;
};
inline Matrix transposed(const Matrix& m) {
  return {m.data, m.cols, m.rows, m.col_stride, m.row_stride};
}

// True if gemm can read `m` in place: one stride is 1 and the other does not overlap.
bool gemm_readable(const Matrix& m);

// c = a b (+ c if accumulate), row-major c with `ldc` elements between rows. Operands must be
// gemm_readable; dtype is neither Half nor BFloat16 (convert first). Does not need the
// interpreter lock if gemm_prepare(dtype) was called with it.
void gemm(DType dtype, const Matrix& a, const Matrix& b, void* c, int64_t ldc, bool accumulate);
void gemm_prepare(DType dtype, int64_t work);  // loads what a product of m*n*k = work will use

// Loops for products with a vector (gemm_loops.cpp), over rows [begin, end).
template <class T>
struct VectorLoops {
  // y[r] (+)= sum_k a[r, k] x[k]; a has unit column stride, x is contiguous.
  void (*dots)(const Matrix& a, const T* x, T* y, int64_t sy, int64_t begin, int64_t end,
               bool accumulate);
  // The same; a has unit row stride.
  void (*sweep)(const Matrix& a, const T* x, T* y, int64_t begin, int64_t end, bool accumulate);
  // c[r, j] (+)= a[r, 0] b[j] for j < cols.
  void (*outer)(const Matrix& a, const T* b, int64_t cols, T* c, int64_t ldc, int64_t begin,
                int64_t end, bool accumulate);
};
using GemmLoops = OfReals<VectorLoops>;
const GemmLoops& gemm_loops();

// Products in cache-sized blocks (gemm_blocks.cpp), on the calling thread; any readable operands.
template <class T>
using BlocksFn = void (*)(const Matrix& a, const Matrix& b, T* c, int64_t ldc, bool accumulate);
using GemmBlocks = OfReals<BlocksFn>;
const GemmBlocks& gemm_blocks();

}  // namespace rl
