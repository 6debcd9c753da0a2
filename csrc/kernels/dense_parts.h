// Parts of column-major matrices and products of them, for the factorisations in blocks
// (factor_*.h), which are compiled once per instruction-set level.
#pragma once
#include "core/allocator.h"
#include "core/dtype.h"
#include "kernels/gemm.h"
#include "kernels/vectors.h"
#include "plan/parallel.h"

namespace rl {
namespace RL_ISA_NS {
namespace {

template <class T>
struct Part {
  T* data;
  int64_t rows, cols, ld;

  T* column(int64_t j) const { return data + j * ld; }
  Part block(int64_t i, int64_t j, int64_t m, int64_t n) const { return {column(j) + i, m, n, ld}; }
  Matrix matrix() const { return {data, rows, cols, 1, ld}; }
};

// c = a b (+ c). What gemm writes is row-major: c^T = b^T a^T.
template <class T>
void multiply(const Part<T>& c, const Matrix& a, const Matrix& b, bool accumulate) {
  gemm(std::is_same_v<T, float> ? DType::F32 : DType::F64, transposed(b), transposed(a), c.data,
       c.ld, accumulate);
}

// c -= a b
template <class T>
void subtract_product(const Part<T>& c, const Part<T>& a, const Part<T>& b) {
  Scratch<T> negated(b.rows * b.cols);
  for (int64_t j = 0; j < b.cols; ++j)
    for (int64_t i = 0; i < b.rows; ++i) negated.data()[j * b.rows + i] = -b.column(j)[i];
  multiply(c, a.matrix(), {negated.data(), b.rows, b.cols, 1, b.rows}, true);
}

// Columns that a thread takes at least where one costs `work` operations.
inline int64_t column_grain(int64_t work) { return (1 << 16) / std::max<int64_t>(work, 1) + 1; }

}  // namespace
}  // namespace RL_ISA_NS
}  // namespace rl
