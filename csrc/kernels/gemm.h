// Matrix products over strided operands: the entry point that matmul, linear and the
// convolutions share. Which library or own loop computes a product is decided in gemm.cpp.
#pragma once
#include "core/allocator.h"
#include "core/tensor.h"
#include "kernels/of_reals.h"
#include "plan/parallel.h"

namespace rl {

// A rows x cols matrix inside a tensor; strides in elements.
struct Matrix {
  const void* data;
  int64_t rows, cols, row_stride, col_stride;
};
inline Matrix transposed(const Matrix& m) {
  return {m.data, m.cols, m.rows, m.col_stride, m.row_stride};
}

// True if gemm can read `m` in place: one stride is 1 and the other does not overlap.
bool gemm_readable(const Matrix& m);

// c = a b (+ c if accumulate), row-major c with `ldc` elements between rows. Operands must be
// gemm_readable; dtype, that of the operands, is neither Half nor BFloat16 (convert first, or see
// gemm_takes_bfloat16), and 8-bit integers are slow (convert to int16). Does not need the
// interpreter lock if gemm_prepare(dtype) was called with it.
void gemm(DType dtype, const Matrix& a, const Matrix& b, void* c, int64_t ldc, bool accumulate);
void gemm_prepare(DType dtype, int64_t work);  // loads what a product of m*n*k = work will use
// True if gemm computes a b for BFloat16 operands as well, with a float c: where the processor
// multiplies them itself.
bool gemm_takes_bfloat16(const Matrix& a, const Matrix& b);
bool multiplies_bfloat16();  // the processor does, and libraries by it

// What exists for every element type that products have loops of their own for. Integers are taken
// as unsigned ones: their products are modulo a power of two, which the sign does not change.
template <template <class> class F>
struct OfFactors : OfReals<F> {
  F<uint16_t> u16;
  F<uint32_t> u32;
  F<uint64_t> u64;
  template <class T>
  const F<T>& of() const {
    if constexpr (std::is_floating_point_v<T>)
      return OfReals<F>::template of<T>();
    else if constexpr (sizeof(T) == 2)
      return u16;
    else if constexpr (sizeof(T) == 4)
      return u32;
    else
      return u64;
  }
};
// What single elements are multiplied in: C++ would multiply 16 bits as int, which overflows.
template <class T>
using Factor = std::conditional_t<std::is_same_v<T, uint16_t>, uint32_t, T>;

// Loops for products with a vector (gemm_loops.cpp), over rows [begin, end).
template <class T>
struct VectorLoops {
  // y[r] (+)= sum_k a[r, k] x[k]; a has unit column stride, x is contiguous.
  void (*dots)(const Matrix& a, const T* x, T* y, int64_t sy, int64_t begin, int64_t end,
               bool accumulate);
  // The same; a has unit row stride.
  void (*sweep)(const Matrix& a, const T* x, T* y, int64_t begin, int64_t end, bool accumulate);
  // c[r, j] (+)= a[r, 0] b[j] for j < cols.
  void (*outer)(const Matrix& a, const T* b, int64_t cols, T* c, int64_t ldc, int64_t begin,
                int64_t end, bool accumulate);
  // c[i, r] (+)= sum_k x[i, k] a[r, k] for few rows of x; both have unit column strides. Null for
  // integers.
  void (*few_dots)(const Matrix& x, const Matrix& a, T* c, int64_t ldc, int64_t begin, int64_t end,
                   bool accumulate);
};
// Complex products, on the calling thread (gemm_complex.h).
template <class T>
struct ComplexProducts {
  // c (+)= a b, row-major, for any strides of the factors.
  void (*multiply)(const Matrix& a, const Matrix& b, Complex<T>* c, int64_t ldc, bool accumulate);
  // y[r] (+)= sum_k a[r, k] x[k] for rows [begin, end); a has unit column stride, x is contiguous.
  void (*dots)(const Matrix& a, const Complex<T>* x, Complex<T>* y, int64_t y_step, int64_t begin,
               int64_t end, bool accumulate);
};
struct GemmLoops : OfFactors<VectorLoops> {
  OfReals<ComplexProducts> pairs;
};
const GemmLoops& gemm_loops();

// Products in cache-sized blocks (gemm_blocks.cpp), on the calling thread; any readable operands.
template <class T>
struct BlockProducts {
  void (*multiply)(const Matrix& a, const Matrix& b, T* c, int64_t ldc, bool accumulate);
  // b packed once for several products: in slivers of so many columns, into so many elements. A
  // product is for a range of slivers.
  int64_t sliver;
  int64_t (*packed_size)(const Matrix& b);
  void (*pack)(const Matrix& b, T* to);
  void (*multiply_packed)(const Matrix& a, const Matrix& b, const T* packed, T* c, int64_t ldc,
                          bool accumulate, int64_t first, int64_t last);
};
using GemmBlocks = OfFactors<BlockProducts>;
const GemmBlocks& gemm_blocks();

// b, which has elements, packed for products a b with several a of a few rows each.
template <class T>
class PackedMatrix {
 public:
  explicit PackedMatrix(const Matrix& b) : b_(b), packed_(fns().packed_size(b)) {
    fns().pack(b, packed_.data());
  }
  // c (+)= a b, on all threads; shapes and layouts as gemm's.
  void multiply(const Matrix& a, T* c, int64_t ldc, bool accumulate) const {
    constexpr int64_t kGrain = 1 << 18;
    int64_t unit = fns().sliver, work = unit * a.rows * a.cols;
    parallel_for((b_.cols + unit - 1) / unit, (kGrain + work - 1) / work,
                 [&](int64_t first, int64_t last) {
                   fns().multiply_packed(a, b_, packed_.data(), c, ldc, accumulate, first, last);
                 });
  }

 private:
  static const BlockProducts<T>& fns() { return gemm_blocks().of<T>(); }
  Matrix b_;
  Scratch<T> packed_;
};

}  // namespace rl
