// Matrix times vector, which is bound by memory; compiled once per instruction-set level.
#include <algorithm>

#include "kernels/gemm.h"
#include "plan/isa.h"

namespace rl {
namespace RL_ISA_NS {
namespace {

constexpr int64_t kLanes = 16;

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
            GemmLoops{dots<float>, dots<double>, sweep<float>, sweep<double>});

}  // namespace
}  // namespace RL_ISA_NS
}  // namespace rl
