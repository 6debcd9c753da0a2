// Products with a vector, which are bound by memory: matrix times vector, column times row.
// Compiled once per instruction-set level.
#include <algorithm>

#include "kernels/gemm.h"
#include "kernels/vectors.h"
#include "plan/isa.h"

namespace rl {
namespace RL_ISA_NS {
namespace {

// sums[r] = sum_k a[r, k] x[k] of R rows at once, whose streams the memory serves side by side.
// Every row is summed in the same order, however many there are.
template <class T, int R>
[[gnu::noinline]] void dot_rows(const T* a, int64_t row_stride, const T* x, int64_t n, T* sums) {
  constexpr int64_t kStep = 2 * kLanes<T>;
  Vector<T> sum[R][2] = {};
  int64_t k = 0;
  for (; k + kStep <= n; k += kStep) {
    Vector<T> x0 = load_vector(x + k), x1 = load_vector(x + k + kLanes<T>);
#pragma GCC unroll 4
    for (int r = 0; r < R; ++r) {
      const T* from = a + r * row_stride + k;
      sum[r][0] += load_vector(from) * x0;
      sum[r][1] += load_vector(from + kLanes<T>) * x1;
    }
  }
  for (int r = 0; r < R; ++r) {
    Factor<T> rest = 0;
    for (int64_t i = k; i < n; ++i) rest += Factor<T>(a[r * row_stride + i]) * x[i];
    sums[r] = static_cast<T>(rest + join_lanes<SumStep, T>(sum[r][0] + sum[r][1]));
  }
}

// Rows a quarter of all apart are summed side by side: each of the four is then read from end to
// end of its quarter, which the memory has ready. Neighbours of a page each, from matrices larger
// than the cache, took twice the time.
template <class T>
void dots(const Matrix& a, const T* x, T* y, int64_t sy, int64_t begin, int64_t end,
          bool accumulate) {
  auto* pa = static_cast<const T*>(a.data);
  constexpr int64_t kRows = 4;
  auto put = [&](int64_t r, T sum) {
    y[r * sy] = static_cast<T>(accumulate ? y[r * sy] + sum : sum);
  };
  int64_t apart = (end - begin) / kRows;
  for (int64_t r = begin; r < begin + apart; ++r) {
    T sums[kRows];
    dot_rows<T, kRows>(pa + r * a.row_stride, apart * a.row_stride, x, a.cols, sums);
    for (int64_t i = 0; i < kRows; ++i) put(r + i * apart, sums[i]);
  }
  for (int64_t r = begin + kRows * apart; r < end; ++r) {
    T sum;
    dot_rows<T, 1>(pa + r * a.row_stride, a.row_stride, x, a.cols, &sum);
    put(r, sum);
  }
}

// The same by columns.
template <class T>
void sweep(const Matrix& a, const T* x, T* y, int64_t begin, int64_t end, bool accumulate) {
  auto* pa = static_cast<const T*>(a.data);
  constexpr int64_t kRows = 4096;  // y's piece stays in the cache while all columns pass
  for (int64_t r0 = begin; r0 < end; r0 += kRows) {
    int64_t n = std::min(kRows, end - r0), apart = a.cols / 4;
    T* out = y + r0;
    if (!accumulate) std::fill_n(out, n, T(0));
    for (int64_t k = 0; k < apart; ++k) {
      const T *c0 = pa + k * a.col_stride + r0, *c1 = c0 + apart * a.col_stride,
              *c2 = c1 + apart * a.col_stride, *c3 = c2 + apart * a.col_stride;
      Factor<T> x0 = x[k], x1 = x[k + apart], x2 = x[k + 2 * apart], x3 = x[k + 3 * apart];
      for (int64_t r = 0; r < n; ++r)
        out[r] = static_cast<T>(out[r] + ((c0[r] * x0 + c1[r] * x1) + (c2[r] * x2 + c3[r] * x3)));
    }
    for (int64_t k = 4 * apart; k < a.cols; ++k) {
      Factor<T> xk = x[k];
      for (int64_t r = 0; r < n; ++r)
        out[r] = static_cast<T>(out[r] + pa[k * a.col_stride + r0 + r] * xk);
    }
  }
}

// c[i, j] = a[i, 0] b[0, j] for rows [begin, end); b is contiguous.
template <class T>
void outer(const Matrix& a, const T* b, int64_t cols, T* c, int64_t ldc, int64_t begin, int64_t end,
           bool accumulate) {
  auto* pa = static_cast<const T*>(a.data);
  for (int64_t i = begin; i < end; ++i) {
    Factor<T> x = pa[i * a.row_stride];
    T* row = c + i * ldc;
    if (accumulate)
      for (int64_t j = 0; j < cols; ++j) row[j] = static_cast<T>(row[j] + x * b[j]);
    else
      for (int64_t j = 0; j < cols; ++j) row[j] = static_cast<T>(x * b[j]);
  }
}

template <class T>
constexpr VectorLoops<T> kLoops{dots<T>, sweep<T>, outer<T>};
RL_REGISTER(OfGemmLoops, isa_rank(RL_ISA_NAME),
            GemmLoops{{kLoops<float>, kLoops<double>},
                      kLoops<uint16_t>,
                      kLoops<uint32_t>,
                      kLoops<uint64_t>});

}  // namespace
}  // namespace RL_ISA_NS
}  // namespace rl
