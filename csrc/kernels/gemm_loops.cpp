// Own matrix loops, compiled once per instruction-set level: products too small for a library
// call to pay, and matrix times vector, which is bound by memory.
#include <algorithm>

#include "kernels/gemm.h"
#include "plan/isa.h"

namespace rl {
namespace RL_ISA_NS {
namespace {

constexpr int64_t kLanes = 16, kColumns = 64;

template <class T>
T dot(const T* a, const T* b, int64_t n) {
  T lanes[kLanes] = {};
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes)
    for (int64_t j = 0; j < kLanes; ++j) lanes[j] += a[i + j] * b[i + j];
  T sum = 0;
  for (; i < n; ++i) sum += a[i] * b[i];
  for (int64_t w = kLanes / 2; w; w /= 2)
    for (int64_t j = 0; j < w; ++j) lanes[j] += lanes[j + w];
  return sum + lanes[0];
}

// Columns of c in strips that stay in registers or L1; b rows contiguous.
template <class T>
void small_rows(const Matrix& a, const Matrix& b, T* c, int64_t ldc, bool accumulate) {
  auto* pa = static_cast<const T*>(a.data);
  auto* pb = static_cast<const T*>(b.data);
  for (int64_t j0 = 0; j0 < b.cols; j0 += kColumns) {
    int64_t width = std::min(kColumns, b.cols - j0);
    for (int64_t i = 0; i < a.rows; ++i) {
      T row[kColumns];
      T* out = c + i * ldc + j0;
      for (int64_t j = 0; j < width; ++j) row[j] = accumulate ? out[j] : T(0);
      for (int64_t k = 0; k < a.cols; ++k) {
        T x = pa[i * a.row_stride + k * a.col_stride];
        const T* from = pb + k * b.row_stride + j0;
        for (int64_t j = 0; j < width; ++j) row[j] += x * from[j];
      }
      std::copy_n(row, width, out);
    }
  }
}

template <class T>
void small(const Matrix& a, const Matrix& b, T* c, int64_t ldc, bool accumulate) {
  if (b.col_stride == 1) return small_rows<T>(a, b, c, ldc, accumulate);
  auto* pa = static_cast<const T*>(a.data);
  auto* pb = static_cast<const T*>(b.data);
  bool dots = a.col_stride == 1 && b.row_stride == 1;
  for (int64_t i = 0; i < a.rows; ++i)
    for (int64_t j = 0; j < b.cols; ++j) {
      const T *x = pa + i * a.row_stride, *y = pb + j * b.col_stride;
      T sum = 0;
      if (dots)
        sum = dot(x, y, a.cols);
      else
        for (int64_t k = 0; k < a.cols; ++k) sum += x[k * a.col_stride] * y[k * b.row_stride];
      c[i * ldc + j] = accumulate ? c[i * ldc + j] + sum : sum;
    }
}

template <class T>
void dots(const Matrix& a, const T* x, T* y, int64_t sy, int64_t begin, int64_t end,
          bool accumulate) {
  auto* pa = static_cast<const T*>(a.data);
  for (int64_t r = begin; r < end; ++r) {
    T sum = dot(pa + r * a.row_stride, x, a.cols);
    y[r * sy] = accumulate ? y[r * sy] + sum : sum;
  }
}

template <class T>
void sweep(const Matrix& a, const T* x, T* y, int64_t begin, int64_t end, bool accumulate) {
  auto* pa = static_cast<const T*>(a.data);
  constexpr int64_t kRows = 1024;  // y's piece stays in L1 while all columns pass
  for (int64_t r0 = begin; r0 < end; r0 += kRows) {
    int64_t n = std::min(kRows, end - r0), k = 0;
    if (!accumulate) std::fill_n(y + r0, n, T(0));
    for (; k + 4 <= a.cols; k += 4) {
      const T *c0 = pa + k * a.col_stride + r0, *c1 = c0 + a.col_stride, *c2 = c1 + a.col_stride,
              *c3 = c2 + a.col_stride;
      T x0 = x[k], x1 = x[k + 1], x2 = x[k + 2], x3 = x[k + 3];
      T* out = y + r0;
      for (int64_t r = 0; r < n; ++r)
        out[r] += (c0[r] * x0 + c1[r] * x1) + (c2[r] * x2 + c3[r] * x3);
    }
    for (; k < a.cols; ++k)
      for (int64_t r = 0; r < n; ++r) y[r0 + r] += pa[k * a.col_stride + r0 + r] * x[k];
  }
}

RL_REGISTER(OfGemmLoops, isa_rank(RL_ISA_NAME),
            GemmLoops{small<float>, small<double>, dots<float>, dots<double>, sweep<float>,
                      sweep<double>});

}  // namespace
}  // namespace RL_ISA_NS
}  // namespace rl
