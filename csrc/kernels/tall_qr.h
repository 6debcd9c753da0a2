// Least squares with many more rows than columns, made square by a QR factorisation. The loops are
// in tall_qr.cpp; the op that uses them is in lapack_solve.cpp.
#pragma once
#include <cstdint>

#include "kernels/of_reals.h"

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

// False if numbers are so large or small that squares would not do; a library solves these.
template <class T>
using ReduceFn = bool (*)(TallSystem<T>&);
using TallQr = OfReals<ReduceFn>;
const TallQr& tall_qr();

}  // namespace rl
