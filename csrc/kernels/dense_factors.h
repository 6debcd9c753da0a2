// Factorisations of small matrices along their rows, and of larger real ones in blocks, with our
// own products and threads. The loops are in factor_*.h, compiled once per level by
// dense_factors.cpp; the ops are in lapack_*.cpp.
#pragma once
#include "kernels/gemm.h"
#include "kernels/of_reals.h"
#include "kernels/real_of.h"

namespace rl {

// The least |A X - B|, A (m, n) and B (m, k), both row-major and dense.
template <class T>
struct TallSystem {
  const T *a, *b;
  int64_t m, n, k;
  // Found: |A X - B|^2 = |R X - C|^2 + rest for each column, where the triangle, n rows of n + k,
  // holds R and C, multiplied by these powers of two.
  T *triangle, *rest;
  T scale_a, scale_b;
};

// QR of small matrices m by n: `a` row-major, Q (m by rank) and R (rank by n) column-major, each
// dense. Q is not formed if `q` is null.
template <class T>
struct SmallQr {
  const T* a;
  int64_t m, n, rank;
  T *q, *r;
};

// Eigenvalues, ascending, and eigenvectors of small Hermitian matrices n by n: `a` row-major, of
// which one triangle is read; vectors column-major, or null if none are wanted.
template <class T>
struct SmallEigen {
  const T* a;
  int64_t n;
  bool upper;
  Real<T>* values;
  T* vectors;
};

// Singular values, descending, of small matrices m by n: `a` row-major, U and V^H column-major and
// square if `full`, or null if none are wanted.
template <class T>
struct SmallSvd {
  const T* a;
  int64_t m, n;
  bool full;
  Real<T>* values;
  T *u, *vh;
  // Without vectors: those of a bidiagonal matrix, descending, in place of its diagonal; LAPACK's
  // code.
  int (*bidiagonal_values)(int64_t n, Real<T>* diagonal, Real<T>* beside);
};

// A matrix n by n, its columns `step` apart, and what geev makes of it: real and imaginary parts of
// the eigenvalues, and of the vectors, in columns as far apart, unless that is null.
template <class T>
struct SmallGeneral {
  const T* a;
  int64_t n, step;
  T *re, *im, *columns;
};
// The same of a complex matrix; vectors are dense.
template <class R>
struct SmallGeneral<Complex<R>> {
  const Complex<R>* a;
  int64_t n, step;
  Complex<R>*values, *vectors;
};

// Of `count` real or complex matrices with elements, one after another.
template <class T>
struct RowFactorsOf {
  // Those that were done: it stops at one with numbers so far apart that squares would not do.
  int64_t (*qr)(const SmallQr<T>&, int64_t count);
  // Those that were done, too. In place of the columns of each, as geqrf and orgqr.
  int64_t (*reflectors)(T* a, int64_t m, int64_t n, T* tau, int64_t count);
  void (*product)(T* a, int64_t m, int64_t n, const T* tau, int64_t k, int64_t count);
  // Codes as heevd's, or -1 for one with such numbers.
  void (*eigen)(const SmallEigen<T>&, int64_t count, int* codes);
  void (*svd)(const SmallSvd<T>&, int64_t count, int* codes);  // the same of gesdd's
  bool (*general)(const SmallGeneral<T>&);                     // false: a library has to try
};

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
  // Makes a tall system square. False if numbers are so large or small that squares would not do; a
  // library solves these.
  bool (*reduce_tall)(TallSystem<T>&);
  // R X = C for such a triangle and the columns of x, `step` apart. False if the least singular
  // value of R might not be more than `rcond` times the largest.
  bool (*solve_triangle)(const T* triangle, int64_t n, int64_t width, T rcond, T* x, int64_t step);
  // As potri, but with both triangles. False, and nothing is changed, if the factor is singular or
  // not all numbers are finite.
  bool (*cholesky_inverse)(T* a, int64_t n, bool upper);
};
struct DenseFactors : OfReals<FactorsOf> {
  OfReals<RowFactorsOf> of_reals;
  RowFactorsOf<Complex<float>> of_c64;
  RowFactorsOf<Complex<double>> of_c128;
  template <class T>
  const RowFactorsOf<T>& rows() const {
    if constexpr (std::is_same_v<T, Real<T>>)
      return of_reals.of<T>();
    else if constexpr (std::is_same_v<T, Complex<float>>)
      return of_c64;
    else
      return of_c128;
  }
};
const DenseFactors& dense_factors();

}  // namespace rl
