// Inverses of many small matrices at once; the loops are in small_inverse.cpp, the op that uses
// them in lapack_lu.cpp.
#pragma once
#include <cstdint>
#include <type_traits>

namespace rl {

constexpr int kLargestSmallInverse = 12;  // beyond, a library is faster

// Of `count` matrices n by n, row-major in `a` and column-major in `out`. `codes` are LAPACK's: the
// first pivot, from 1, that is zero, or 0. A singular matrix is divided by all the same.
template <class T>
using InvertFn = void (*)(const T* a, int64_t count, int n, T* out, int* codes);
struct SmallInverses {
  InvertFn<float> f32;
  InvertFn<double> f64;
  template <class T>
  InvertFn<T> of() const {
    if constexpr (std::is_same_v<T, float>)
      return f32;
    else
      return f64;
  }
};
const SmallInverses& small_inverses();

}  // namespace rl
