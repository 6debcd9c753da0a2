// Inverses, factors and solutions of many small matrices at once; the loops are in
// small_inverse.cpp, the ops that use them in lapack_lu.cpp
// and lapack_cholesky.cpp.
#pragma once
#include <cstdint>

#include "kernels/of_reals.h"

namespace rl {

constexpr int kLargestSmall = 20;
constexpr int kLargestInverse = 16;  // alone as well: then it is the same in a batch
// Whether a library is slower, for a batch of `count`: one matrix alone leaves most lanes idle.
inline bool small_and_many(int n, int64_t count) {
  return n > 0 && n <= (count < 8 ? 12 : kLargestSmall);
}

// Of `count` matrices n by n. `codes` are LAPACK's: the first pivot, from 1, that is zero, or 0.
template <class T>
struct SmallMatricesOf {
  // `a` row-major, `out` column-major. A singular matrix is divided by all the same.
  void (*invert)(const T* a, int64_t count, int n, T* out, int* codes);
  // As getrf: column-major, in place.
  void (*factor)(T* lu, int64_t count, int n, int* pivots, int* codes);
  // The lower triangle L, or the upper one L^T, of column-major matrices, in place, zeros beyond.
  // Those that are not positive definite are left as they are, with a code that is not 0.
  void (*cholesky)(T* a, int64_t count, int n, bool upper, int* codes);
  // As getrs: `cols` columns of `x` each, in place; with the transposes if `turned`.
  void (*solve)(const T* lu, const int* pivots, int64_t count, int n, bool turned, T* x, int cols);
};
using SmallMatrices = OfReals<SmallMatricesOf>;
const SmallMatrices& small_matrices();

}  // namespace rl
