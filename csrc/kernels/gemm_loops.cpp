// Products with a vector, which are bound by memory: matrix times vector, column times row. And
// small complex ones.
// Compiled once per instruction-set level.
#include <algorithm>

#include "kernels/gemm.h"
#include "kernels/gemm_complex.h"
#include "kernels/parts.h"
#include "kernels/vectors.h"
#include "plan/isa.h"

namespace rl {
namespace RL_ISA_NS {
namespace {

// sums[r] (+)= the lanes of v[r], joined as join_lanes does. Four rows of 4-byte lanes share the
// last steps, which work on 16 bytes.
template <class T, int R, int Bytes>
void join_rows(const typename VectorOf<T, Bytes>::type (&v)[R], T* sums) {
  if constexpr (R == 4 && sizeof(T) == 4 && Bytes == 16) {
    using Part = typename VectorOf<T, 16>::type;
    auto pairs = [](Part a, Part b) {
      return __builtin_shufflevector(a, b, 0, 1, 4, 5) + __builtin_shufflevector(a, b, 2, 3, 6, 7);
    };
    Part a = pairs(v[0], v[1]), b = pairs(v[2], v[3]), before;
    __builtin_memcpy(&before, sums, sizeof before);
    before += __builtin_shufflevector(a, b, 0, 2, 4, 6) + __builtin_shufflevector(a, b, 1, 3, 5, 7);
    __builtin_memcpy(sums, &before, sizeof before);
  } else if constexpr (R == 4 && sizeof(T) == 4) {
    typename VectorOf<T, Bytes / 2>::type half[R];
#pragma GCC unroll 4
    for (int r = 0; r < R; ++r) {
      typename VectorOf<T, Bytes / 2>::type parts[2];
      __builtin_memcpy(parts, &v[r], Bytes);
      half[r] = parts[0] + parts[1];
    }
    join_rows<T, R, Bytes / 2>(half, sums);
  } else {
#pragma GCC unroll 4
    for (int r = 0; r < R; ++r)
      sums[r] = static_cast<T>(sums[r] + join_lanes<SumStep, T, Bytes>(v[r]));
  }
}

// sums[r] += what is left of rows after whole vectors: parts of one, down to 16 bytes, and
// elements.
template <class T, int R, int Bytes = kVectorBytes / 2>
void add_rest(const T* a, int64_t row_stride, const T* x, int64_t n, T* sums) {
  if constexpr (Bytes >= 16) {
    using Part = typename VectorOf<T, Bytes>::type;
    constexpr int64_t kPart = Bytes / sizeof(T);
    if (n >= kPart) {
      Part right, products[R];
      __builtin_memcpy(&right, x, Bytes);
#pragma GCC unroll 4
      for (int r = 0; r < R; ++r) {
        __builtin_memcpy(&products[r], a + r * row_stride, Bytes);
        products[r] *= right;
      }
      join_rows<T, R, Bytes>(products, sums);
      a += kPart, x += kPart, n -= kPart;
    }
    if (n > 0) add_rest<T, R, Bytes / 2>(a, row_stride, x, n, sums);
  } else {
#pragma GCC unroll 4
    for (int r = 0; r < R; ++r)
      for (int64_t i = 0; i < n; ++i)
        sums[r] = static_cast<T>(sums[r] + Factor<T>(a[r * row_stride + i]) * x[i]);
  }
}

// sums[r] = sum_k a[r, k] x[k] of R rows at once, whose streams the memory serves side by side.
// Every row is summed in the same order, however many there are.
template <class T, int R>
[[gnu::noinline]] void dot_rows(const T* a, int64_t row_stride, const T* x, int64_t n, T* sums) {
  constexpr int64_t L = kLanes<T>;
  int64_t k = 0;
  std::fill_n(sums, R, T(0));
  if (n >= L) {
    Vector<T> sum[R][2] = {};
    for (; k + 2 * L <= n; k += 2 * L) {
      Vector<T> x0 = load_vector(x + k), x1 = load_vector(x + k + L);
#pragma GCC unroll 4
      for (int r = 0; r < R; ++r) {
        const T* from = a + r * row_stride + k;
        sum[r][0] += load_vector(from) * x0;
        sum[r][1] += load_vector(from + L) * x1;
      }
    }
    if (k + L <= n) {
      Vector<T> x0 = load_vector(x + k);
#pragma GCC unroll 4
      for (int r = 0; r < R; ++r) sum[r][0] += load_vector(a + r * row_stride + k) * x0;
      k += L;
    }
    Vector<T> both[R];
#pragma GCC unroll 4
    for (int r = 0; r < R; ++r) both[r] = sum[r][0] + sum[r][1];
    join_rows<T, R, kVectorBytes>(both, sums);
  }
  if (k < n) add_rest<T, R>(a + k, row_stride, x + k, n - k, sums);
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

// sums[s][r] = row r of a times row s of x, over n columns: each vector of a is multiplied S times.
template <class T, int R, int S>
[[gnu::noinline]] void dot_tile(const T* a, int64_t a_step, const T* x, int64_t x_step, int64_t n,
                                T (*sums)[R]) {
  constexpr int64_t L = kLanes<T>;
  Vector<T> sum[S][R] = {};
  int64_t k = 0;
  for (; k + L <= n; k += L) {
    Vector<T> right[S];
    for (int s = 0; s < S; ++s) right[s] = load_vector(x + s * x_step + k);
#pragma GCC unroll 4
    for (int r = 0; r < R; ++r) {
      Vector<T> left = load_vector(a + r * a_step + k);
#pragma GCC unroll 6
      for (int s = 0; s < S; ++s) sum[s][r] += left * right[s];
    }
  }
  for (int s = 0; s < S; ++s) {
    std::fill_n(sums[s], R, T(0));
    join_rows<T, R, kVectorBytes>(sum[s], sums[s]);
    if (k < n) add_rest<T, R>(a + k, a_step, x + s * x_step + k, n - k, sums[s]);
  }
}

// As dots, for a few rows of x.
template <class T>
void few_dots(const Matrix& x, const Matrix& a, T* c, int64_t ldc, int64_t begin, int64_t end,
              bool accumulate) {
  constexpr int kRows = 4, kMost = kVectorBytes == 64 ? 6 : 3;  // their products fill the registers
  auto* pa = static_cast<const T*>(a.data);
  EvenParts parts(x.rows, kMost);
  auto multiply = [&]<int R>(int64_t row, int64_t apart) {
    for (int64_t i = 0; i < parts.count; ++i) {
      int64_t first = parts.begin(i);
      auto* px = static_cast<const T*>(x.data) + first * x.row_stride;
      with_number<kMost>(parts.begin(i + 1) - first, [&]<int S>() {
        T sums[S][R];
        dot_tile<T, R, S>(pa + row * a.row_stride, apart * a.row_stride, px, x.row_stride, a.cols,
                          sums);
        for (int s = 0; s < S; ++s)
          for (int r = 0; r < R; ++r) {
            T& to = c[(first + s) * ldc + row + r * apart];
            to = accumulate ? to + sums[s][r] : sums[s][r];
          }
      });
    }
  };
  int64_t apart = (end - begin) / kRows;
  for (int64_t r = begin; r < begin + apart; ++r) multiply.template operator()<kRows>(r, apart);
  for (int64_t r = begin + kRows * apart; r < end; ++r) multiply.template operator()<1>(r, 0);
}

// The sums of N vectors of rows stay in registers while all columns pass; out is in rows, too.
template <class T, int N>
void sweep_held(const Matrix& a, const T* first, const T* x, T* out, bool accumulate) {
  constexpr int V = kLanes<T>;
  Vector<T> sums[N];
  for (int i = 0; i < N; ++i) sums[i] = accumulate ? load_vector(out + i * V) : Vector<T>{};
  const int64_t apart = a.cols / 4, far = apart * a.col_stride;
  for (int64_t k = 0; k < apart; ++k) {
    const T* c = first + k * a.col_stride;
    const T x0 = x[k], x1 = x[k + apart], x2 = x[k + 2 * apart], x3 = x[k + 3 * apart];
    for (int i = 0; i < N; ++i, c += V)
      sums[i] += (load_vector(c) * x0 + load_vector(c + far) * x1) +
                 (load_vector(c + 2 * far) * x2 + load_vector(c + 3 * far) * x3);
  }
  for (int64_t k = 4 * apart; k < a.cols; ++k)
    for (int i = 0; i < N; ++i) sums[i] += load_vector(first + k * a.col_stride + i * V) * x[k];
  for (int i = 0; i < N; ++i) store_vector(out + i * V, sums[i]);
}

// As many rows from `begin` on as fill vectors, of a matrix that the cache holds; returns the next.
template <class T>
int64_t sweep_in_cache(const Matrix& a, const T* x, T* y, int64_t begin, int64_t end,
                       bool accumulate) {
  auto* pa = static_cast<const T*>(a.data);
  auto pass = [&]<int N>() {
    constexpr int64_t kStep = N * kLanes<T>;
    for (; end - begin >= kStep; begin += kStep)
      sweep_held<T, N>(a, pa + begin, x, y + begin, accumulate);
  };
  pass.template operator()<8>();
  pass.template operator()<4>();
  pass.template operator()<1>();
  return begin;
}

// The same by columns.
template <class T>
void sweep(const Matrix& a, const T* x, T* y, int64_t begin, int64_t end, bool accumulate) {
  auto* pa = static_cast<const T*>(a.data);
  // Few enough that no other thread takes a part, and would round the rows it ends with otherwise.
  constexpr int64_t kHeld = 32768;
  if constexpr (std::is_floating_point_v<T>)
    if (a.rows * a.cols <= kHeld) begin = sweep_in_cache(a, x, y, begin, end, accumulate);
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
constexpr decltype(VectorLoops<T>::few_dots) few_dots_of() {
  if constexpr (std::is_floating_point_v<T>) return few_dots<T>;
  return nullptr;
}
template <class T>
constexpr VectorLoops<T> kLoops{dots<T>, sweep<T>, outer<T>, few_dots_of<T>()};
RL_REGISTER(
    OfGemmLoops, isa_rank(RL_ISA_NAME),
    GemmLoops{
        {{kLoops<float>, kLoops<double>}, kLoops<uint16_t>, kLoops<uint32_t>, kLoops<uint64_t>},
        {{multiply_pairs<float>, pair_dots<float>}, {multiply_pairs<double>, pair_dots<double>}}});

}  // namespace
}  // namespace RL_ISA_NS
}  // namespace rl
