// Chooses how a matrix product is computed: own blocks (gemm_blocks.cpp) for reals and integers,
// own loops for complex numbers and where one operand is a vector, and oneDNN for large products of
// floats with AVX-512. Operators are in matmul.cpp.
#include "kernels/gemm.h"

#include <omp.h>

#include <algorithm>

#include "kernels/blas_library.h"
#include "kernels/gemm_batch.h"
#include "kernels/parts.h"
#include "plan/isa.h"
#include "plan/parallel.h"

namespace rl {
namespace {

constexpr int64_t kVectorGrain = 65536;  // elements of the matrix a thread takes at least
constexpr int64_t kTinyWork = 128;       // m*n*k up to which packing would cost more than the loops
constexpr int64_t kLibraryWork = 96 * 96 * 96;  // m*n*k from which a library may be asked

// oneDNN's products, row-major, c being of floats; types are spelled out so that none of its
// headers is needed here.
template <class T>
using DnnlGemmFn = int (*)(char, char, int64_t, int64_t, int64_t, float, const T*, int64_t,
                           const T*, int64_t, float, float*, int64_t);
DnnlGemmFn<float> dnnl_gemm_fn(float) {
  static auto fn = reinterpret_cast<DnnlGemmFn<float>>(dnnl_symbol("dnnl_sgemm"));
  return fn;
}
DnnlGemmFn<BFloat16> dnnl_gemm_fn(BFloat16) {
  static auto fn = reinterpret_cast<DnnlGemmFn<BFloat16>>(dnnl_symbol("dnnl_gemm_bf16bf16f32"));
  return fn;
}

struct Operand {
  const void* data;
  bool transposed;
  int64_t ld;
};
Operand operand(const Matrix& m) {
  if ((m.col_stride == 1 || m.cols <= 1) && (m.row_stride >= m.cols || m.rows <= 1))
    return {m.data, false, std::max<int64_t>(m.rows <= 1 ? m.cols : m.row_stride, 1)};
  return {m.data, true, std::max<int64_t>(m.cols <= 1 ? m.rows : m.col_stride, 1)};
}

template <class T>
void loop_gemm(const Matrix& a, const Matrix& b, T* c, int64_t ldc, bool accumulate) {
  auto* pa = static_cast<const T*>(a.data);
  auto* pb = static_cast<const T*>(b.data);
  int64_t grain = std::max<int64_t>(1, 32768 / std::max<int64_t>(1, a.cols * b.cols));
  parallel_for(a.rows, grain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      T* row = c + i * ldc;
      if (!accumulate) std::fill_n(row, b.cols, T{});
      for (int64_t k = 0; k < a.cols; ++k) {
        Factor<T> x = pa[i * a.row_stride + k * a.col_stride];
        const T* from = pb + k * b.row_stride;
        if constexpr (std::is_same_v<T, bool>)
          for (int64_t j = 0; j < b.cols; ++j) row[j] |= x & from[j * b.col_stride];
        else
          for (int64_t j = 0; j < b.cols; ++j)
            row[j] = static_cast<T>(row[j] + x * from[j * b.col_stride]);
      }
    }
  });
}

// y = a x where c has one column, or c = x^T b^T where it has one row.
template <class T>
bool matrix_times_vector(const Matrix& a, const Matrix& x, T* y, int64_t sy, bool accumulate) {
  if (x.row_stride != 1 && x.rows > 1) return false;
  const auto& loops = gemm_loops().of<T>();
  auto* px = static_cast<const T*>(x.data);
  int64_t grain = std::max<int64_t>(1, kVectorGrain / std::max<int64_t>(1, a.cols));
  if (a.col_stride == 1) {
    parallel_for(a.rows, grain, [&](int64_t begin, int64_t end) {
      loops.dots(a, px, y, sy, begin, end, accumulate);
    });
    return true;
  }
  if (a.row_stride != 1 || sy != 1) return false;
  parallel_for(a.rows, std::max<int64_t>(grain, 64),
               [&](int64_t begin, int64_t end) { loops.sweep(a, px, y, begin, end, accumulate); });
  return true;
}

template <class T>
bool column_times_row(const Matrix& a, const Matrix& b, T* c, int64_t ldc, bool accumulate) {
  if (b.col_stride != 1 && b.cols > 1) return false;
  parallel_for(a.rows, std::max<int64_t>(1, kVectorGrain / b.cols),
               [&](int64_t begin, int64_t end) {
                 gemm_loops().of<T>().outer(a, static_cast<const T*>(b.data), b.cols, c, ldc, begin,
                                            end, accumulate);
               });
  return true;
}

Matrix rows_of(const Matrix& m, int64_t begin, int64_t end, int64_t item) {
  auto* data = static_cast<const char*>(m.data) + begin * m.row_stride * item;
  return {data, end - begin, m.cols, m.row_stride, m.col_stride};
}

// Threads share the longer side of c: f(part of a, part of b, part of c). No sum depends on how.
template <class T, class F>
void share_longer_side(const Matrix& a, const Matrix& b, T* c, int64_t ldc, int64_t grain, F&& f) {
  constexpr int64_t unit = 16;  // cut fine, to be even
  bool by_rows = a.rows >= b.cols;
  int64_t n = by_rows ? a.rows : b.cols;
  int64_t unit_work = std::max<int64_t>(1, unit * a.cols * (a.rows + b.cols - n));
  parallel_for((n + unit - 1) / unit, (grain + unit_work - 1) / unit_work,
               [&](int64_t begin, int64_t end) {
                 begin *= unit;
                 end = std::min(n, end * unit);
                 if (by_rows) return f(rows_of(a, begin, end, sizeof(T)), b, c + begin * ldc);
                 f(a, transposed(rows_of(transposed(b), begin, end, sizeof(T))), c + begin);
               });
}

template <class T>
void block_gemm(const Matrix& a, const Matrix& b, T* c, int64_t ldc, bool accumulate) {
  share_longer_side(a, b, c, ldc, int64_t{1} << 18, [=](const Matrix& x, const Matrix& y, T* to) {
    gemm_blocks().of<T>().multiply(x, y, to, ldc, accumulate);
  });
}

// Products with a vector; false if neither operand is one that can be read along its memory.
template <class T>
bool vector_product(const Matrix& a, const Matrix& b, T* c, int64_t ldc, bool accumulate) {
  if (b.cols == 1) return matrix_times_vector<T>(a, b, c, ldc, accumulate);
  if (a.rows == 1) return matrix_times_vector<T>(transposed(b), transposed(a), c, 1, accumulate);
  return a.cols == 1 && column_times_row<T>(a, b, c, ldc, accumulate);
}

// A few rows times the transpose of a matrix, which is read along its memory. A block takes the
// matrix's rows for its columns, whole vectors of rows of c, so that it wastes what a does not
// fill.
template <class T>
bool few_rows_product(const Matrix& a, const Matrix& b, T* c, int64_t ldc, bool accumulate) {
  constexpr int64_t kShort = 64, kLong = 256;
  if constexpr (!std::is_floating_point_v<T>) return false;
  const int64_t lanes = gemm_blocks().of<T>().sliver / 2;
  // Short sums cost as much to join as to make.
  const bool is_long = a.cols >= kLong;
  const int64_t last = a.rows % lanes, most = is_long ? lanes * 3 / 4 : lanes / 2;
  if (last == 0 || last > most || a.rows > (is_long ? 2 : 1) * lanes) return false;
  if (a.col_stride != 1 || b.row_stride != 1 || a.cols < kShort || b.cols < 4) return false;
  Matrix rows = transposed(b);
  int64_t grain = std::max<int64_t>(16, kVectorGrain / (a.cols * a.rows));
  parallel_for(b.cols, grain, [&](int64_t begin, int64_t end) {
    gemm_loops().of<T>().few_dots(a, rows, c, ldc, begin, end, accumulate);
  });
  return true;
}

// With AVX2 the own blocks are as fast as the libraries or faster at every size that was tried, and
// so they are with AVX-512 for doubles. For floats oneDNN is 1.05 times as fast there if no side is
// short; otherwise, or with a transposed second factor on two threads, it takes 1.1 to 3 times as
// long.
bool asks_library(DType dtype, int64_t work) {
  return dtype == DType::F32 && machine_isa() >= 4 && work >= kLibraryWork;
}
bool suits_library(const Matrix& a, const Matrix& b) {
  return std::min({a.rows, b.cols, a.cols}) >= 96 && !operand(b).transposed;
}

// Columns that begin a multiple of this many bytes apart share so few sets of the first-level cache
// that the library, which packs many of them side by side, reads each line several times over.
constexpr int64_t kSameSet = 2048;

template <class T>
int64_t spread_step(int64_t rows) {  // an odd number of lines
  constexpr int64_t kLine = 64 / sizeof(T);
  return ((rows + kLine - 1) / kLine | 1) * kLine;
}
template <class T>
Operand spread_columns(const Operand& y, int64_t rows, int64_t cols, T* to) {
  int64_t step = spread_step<T>(rows);
  parallel_for(cols, std::max<int64_t>(1, 65536 / rows), [&](int64_t begin, int64_t end) {
    for (int64_t j = begin; j < end; ++j)
      std::copy_n(static_cast<const T*>(y.data) + j * y.ld, rows, to + j * step);
  });
  return {to, true, step};
}

template <class T>
void library_gemm(const Matrix& a, const Matrix& b, float* c, int64_t ldc, bool accumulate) {
  Operand x = operand(a), y = operand(b);
  constexpr bool kPacksColumns = std::is_same_v<T, BFloat16>;
  bool spreads = kPacksColumns && y.transposed && y.ld * sizeof(T) % kSameSet == 0;
  Scratch<T> apart(spreads ? b.cols * spread_step<T>(b.rows) : 0);
  if (spreads) y = spread_columns(y, b.rows, b.cols, apart.data());
  int threads = num_threads();
  if (omp_get_max_threads() != threads) omp_set_num_threads(threads);
  int status =
      dnnl_gemm_fn(T())(x.transposed ? 'T' : 'N', y.transposed ? 'T' : 'N', a.rows, b.cols, a.cols,
                        1.0f, static_cast<const T*>(x.data), x.ld, static_cast<const T*>(y.data),
                        y.ld, accumulate ? 1.0f : 0.0f, c, ldc);
  RL_CHECK(status == 0, "oneDNN's gemm failed with status ", status);
}

template <class T>
void real_gemm(const Matrix& a, const Matrix& b, T* c, int64_t ldc, bool accumulate) {
  if (vector_product<T>(a, b, c, ldc, accumulate)) return;
  if (a.rows * a.cols * b.cols <= kTinyWork) return loop_gemm(a, b, c, ldc, accumulate);
  if (few_rows_product(a, b, c, ldc, accumulate)) return;
  if constexpr (std::is_same_v<T, float>)
    if (asks_library(DType::F32, a.rows * a.cols * b.cols) && suits_library(a, b) && !in_parallel())
      return library_gemm<float>(a, b, c, ldc, accumulate);
  block_gemm(a, b, c, ldc, accumulate);
}

// y (+)= a x by sums along rows; false if these do not follow the memory.
template <class R>
bool complex_dots(const Matrix& a, const Matrix& x, Complex<R>* y, int64_t y_step,
                  bool accumulate) {
  if (x.cols != 1 || a.col_stride != 1 || (x.row_stride != 1 && x.rows > 1)) return false;
  auto dots = gemm_loops().pairs.of<R>().dots;
  parallel_for(a.rows, std::max<int64_t>(4, 32768 / a.cols), [&](int64_t begin, int64_t end) {
    dots(a, static_cast<const Complex<R>*>(x.data), y, y_step, begin, end, accumulate);
  });
  return true;
}

template <class R>
void complex_gemm(const Matrix& a, const Matrix& b, Complex<R>* c, int64_t ldc, bool accumulate) {
  auto multiply = gemm_loops().pairs.of<R>().multiply;
  if (complex_dots(a, b, c, ldc, accumulate)) return;
  if (a.rows == 1 && complex_dots(transposed(b), transposed(a), c, 1, accumulate)) return;
  if (b.cols == 1 && ldc == 1 && a.rows > 1)  // a row
    return multiply(transposed(b), transposed(a), c, a.rows, accumulate);
  share_longer_side(a, b, c, ldc, 1 << 16, [=](const Matrix& x, const Matrix& y, Complex<R>* to) {
    multiply(x, y, to, ldc, accumulate);
  });
}

template <class T>
void clear(T* c, int64_t rows, int64_t cols, int64_t ldc) {
  for (int64_t i = 0; i < rows; ++i) std::fill_n(c + i * ldc, cols, T{});
}

template <class T>
void typed_gemm(const Matrix& a, const Matrix& b, T* c, int64_t ldc, bool accumulate) {
  if (a.rows == 0 || b.cols == 0) return;
  if (a.cols == 0) {
    if (!accumulate) clear(c, a.rows, b.cols, ldc);
    return;
  }
  if constexpr (std::is_floating_point_v<T>) {
    real_gemm(a, b, c, ldc, accumulate);
  } else if constexpr (std::is_integral_v<T> && sizeof(T) > 1) {
    using U = std::make_unsigned_t<T>;
    real_gemm(a, b, reinterpret_cast<U*>(c), ldc, accumulate);
  } else if constexpr (std::is_integral_v<T>) {
    loop_gemm(a, b, c, ldc, accumulate);
  } else {
    complex_gemm(a, b, c, ldc, accumulate);
  }
}

// ---- batches of small products, where even the choice of how to compute one takes as long as it
constexpr int64_t kTinyDepth = 4, kTinyProduct = 64;

template <class T, int Depth>
void tiny_products(const BatchOperand& a, const BatchOperand& b, T* c, int64_t count,
                   bool accumulate) {
  const Matrix &m = a.first, &n = b.first;
  auto *left = static_cast<const T*>(m.data), *right = static_cast<const T*>(n.data);
  for (int64_t i = 0; i < count; ++i, left += a.step, right += b.step)
    for (int64_t r = 0; r < m.rows; ++r)
      for (int64_t j = 0; j < n.cols; ++j, ++c) {
        const T *x = left + r * m.row_stride, *y = right + j * n.col_stride;
        auto sum = Factor<T>(*x) * *y;
        for (int k = 1; k < Depth; ++k)
          sum = sum + Factor<T>(x[k * m.col_stride]) * y[k * n.row_stride];
        *c = static_cast<T>(accumulate ? *c + sum : sum);
      }
}

template <class T>
void typed_batch(BatchOperand a, BatchOperand b, T* c, int64_t count, bool accumulate) {
  Matrix &x = a.first, &y = b.first;
  int64_t work = x.rows * x.cols * y.cols;
  if (work > 0 && work <= kTinyProduct && x.cols <= kTinyDepth)
    return with_number<kTinyDepth>(
        x.cols, [&]<int Depth>() { tiny_products<T, Depth>(a, b, c, count, accumulate); });
  auto each = [&](auto multiply) {
    for (int64_t i = 0; i < count; ++i, c += x.rows * y.cols) {
      multiply();
      x.data = static_cast<const T*>(x.data) + a.step;
      y.data = static_cast<const T*>(y.data) + b.step;
    }
  };
  if constexpr (std::is_arithmetic_v<T>)
    if (y.cols == 1 && x.col_stride == 1 && y.row_stride == 1) {
      auto dots = gemm_loops().of<T>().dots;
      return each([&] { dots(x, static_cast<const T*>(y.data), c, 1, 0, x.rows, accumulate); });
    }
  each([&] { typed_gemm<T>(x, y, c, y.cols, accumulate); });
}

}  // namespace

void gemm_batch(DType dtype, const BatchOperand& a, const BatchOperand& b, void* c, int64_t count,
                bool accumulate) {
  dispatch(dtype, [&]<class T>() {
    if constexpr (has_short_parts<T> || sizeof(T) == 1)
      fail("gemm_batch: not for ", dtype);
    else if constexpr (std::is_integral_v<T>)
      typed_batch(a, b, static_cast<std::make_unsigned_t<T>*>(c), count, accumulate);
    else
      typed_batch(a, b, static_cast<T*>(c), count, accumulate);
  });
}

const GemmLoops& gemm_loops() {
  static const auto* loops =
      static_cast<const GemmLoops*>(best_registered(Registration::OfGemmLoops));
  return *loops;
}

const GemmBlocks& gemm_blocks() {
  static const auto* blocks =
      static_cast<const GemmBlocks*>(best_registered(Registration::OfGemmBlocks));
  return *blocks;
}

bool gemm_readable(const Matrix& m) {
  bool rows_ok = m.row_stride >= std::max<int64_t>(m.cols, 1) || m.rows <= 1;
  bool cols_ok = m.col_stride >= std::max<int64_t>(m.rows, 1) || m.cols <= 1;
  return ((m.col_stride == 1 || m.cols <= 1) && rows_ok) ||
         ((m.row_stride == 1 || m.rows <= 1) && cols_ok);
}

void gemm_prepare(DType dtype, int64_t work) {
  if (dtype == DType::BF16) dnnl_gemm_fn(BFloat16());
  if (asks_library(dtype, work)) dnnl_gemm_fn(0.0f);
}

bool multiplies_bfloat16() {
#if defined(__x86_64__)
  static const bool multiplies = machine_isa() >= 4 && __builtin_cpu_supports("avx512bf16");
#else
  static const bool multiplies = false;
#endif
  return multiplies;
}

bool gemm_takes_bfloat16(const Matrix& a, const Matrix& b) {
  return multiplies_bfloat16() && a.rows * a.cols * b.cols >= kLibraryWork;
}

void gemm(DType dtype, const Matrix& a, const Matrix& b, void* c, int64_t ldc, bool accumulate) {
  dispatch(dtype, [&]<class T>() {
    if constexpr (std::is_same_v<T, BFloat16>)
      library_gemm<T>(a, b, static_cast<float*>(c), ldc, accumulate);
    else if constexpr (has_short_parts<T>)
      fail("gemm: 16-bit floats are converted by the caller");
    else
      typed_gemm<T>(a, b, static_cast<T*>(c), ldc, accumulate);
  });
}

}  // namespace rl
