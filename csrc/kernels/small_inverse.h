// Inverses of many small matrices at once; the loops are in small_inverse.cpp, the op that uses
// them in lapack_lu.cpp.
#pragma once
#include <cstdint>

#include "kernels/of_reals.h"

namespace rl {

constexpr int kLargestSmallInverse = 12;  // beyond, a library is faster

// Of `count` matrices n by n, row-major in `a` and column-major in `out`. `codes` are LAPACK's: the
// first pivot, from 1, that is zero, or 0. A singular matrix is divided by all the same.
template <class T>
using InvertFn = void (*)(const T* a, int64_t count, int n, T* out, int* codes);
using SmallInverses = OfReals<InvertFn>;
const SmallInverses& small_inverses();

}  // namespace rl
