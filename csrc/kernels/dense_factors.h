// Factorisations of large real matrices in blocks, with our own products and threads. The loops are
// in factor_*.h, compiled once per level by dense_factors.cpp; the ops are in lapack_*.cpp.
#pragma once
#include "kernels/gemm.h"
#include "kernels/of_reals.h"

namespace rl {

// Of one column-major, dense matrix m by n. gemm_prepare must have been called for it.
template <class T>
struct FactorsOf {
  // LU with partial pivoting, in place. Pivots and the code as getrf's.
  int (*lu)(T* a, int64_t m, int64_t n, int* pivots);
  // QR by Householder's reflectors, in place: R, and V below it. The first `cols` columns of Q go
  // to `q` (m by cols, column-major) unless that is null.
  void (*qr)(T* a, int64_t m, int64_t n, T* q, int64_t cols);
  // The lower triangle of a symmetric matrix to Q T Q^T: T's diagonal, what is beside it, and Q's
  // reflectors, which lie below and whose factors are `tau` (n - 1).
  void (*tridiagonal)(T* a, int64_t n, T* diagonal, T* beside, T* tau);
  void (*times_q)(T* a, int64_t n, const T* tau, T* z);  // z = Q z, for that Q and z n by n
};
using DenseFactors = OfReals<FactorsOf>;
const DenseFactors& dense_factors();

}  // namespace rl
