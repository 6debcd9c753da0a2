// LAPACK for kernels: routines of OpenBLAS by name, outputs that are batches of column-major
// matrices, the walk over a batch, and error codes. The lapack_*.cpp files hold the ops.
// To use another routine: `static const Routine f = routine<T>("name")`, while the interpreter
// lock is held, then f(arguments by value, arrays by pointer).
#pragma once
#include <algorithm>
#include <cmath>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "core/linalg_error.h"
#include "kernels/blas_library.h"
#include "kernels/real_of.h"
#include "plan/call.h"
#include "plan/copy.h"
#include "plan/parallel.h"

namespace rl::lapack {

template <class T>
constexpr bool kIsComplex = std::is_same_v<T, C64> || std::is_same_v<T, C128>;
template <class T>
constexpr char kLetter = std::is_same_v<T, float>    ? 's'
                         : std::is_same_v<T, double> ? 'd'
                         : std::is_same_v<T, C64>    ? 'c'
                                                     : 'z';

// A Fortran routine. Numbers are passed by address; the length of each character argument
// follows the others, as the compiler that built the library expects.
class Routine {
 public:
  explicit Routine(const std::string& name)
      : entry_(blas_symbol(("scipy_" + name + "_").c_str())) {}

  template <class... A>
  void operator()(A... args) const {
    constexpr size_t characters = (size_t{std::is_same_v<A, const char*>} + ... + 0);
    with_lengths(std::make_index_sequence<characters>{}, passed(args)...);
  }

 private:
  template <class A>
  static auto passed(A& a) {
    if constexpr (std::is_pointer_v<A>)
      return a;
    else
      return &a;
  }
  template <size_t... I, class... P>
  void with_lengths(std::index_sequence<I...>, P... args) const {
    reinterpret_cast<void (*)(P..., decltype(I)...)>(entry_)(args..., (static_cast<void>(I), 1)...);
  }

  void* entry_;
};

// The routine for T: "potrf" is spotrf, dpotrf, cpotrf or zpotrf. Some have another name for
// complex matrices ("orgqr", "ungqr").
template <class T>
Routine routine(const char* name, const char* complex_name = nullptr) {
  return Routine(kLetter<T> + std::string(kIsComplex<T> && complex_name ? complex_name : name));
}

// The workspace that a routine asked for: the count comes as a floating point number, which may
// have been rounded down.
template <class T>
int work_size(T reported) {
  Real<T> size;
  if constexpr (kIsComplex<T>)
    size = reported.re;
  else
    size = reported;
  return static_cast<int>(std::nextafter(size, INFINITY)) + 1;
}

template <class T>
T conjugate(T x) {
  if constexpr (kIsComplex<T>)
    return {x.re, -x.im};
  else
    return x;
}
// Is f true of the real and imaginary parts of a matrix, whose columns are `step` apart?
template <class T, class F>
bool all_parts(const T* a, int64_t rows, int64_t cols, int64_t step, F f) {
  for (int64_t j = 0; j < cols; ++j) {
    auto* x = reinterpret_cast<const Real<T>*>(a + j * step);
    if (!std::all_of(x, x + rows * (kIsComplex<T> ? 2 : 1), f)) return false;
  }
  return true;
}
// Iterations of the library for singular values may not end where this is not so.
template <class T>
bool all_finite(const T* a, int64_t rows, int64_t cols, int64_t step) {
  return all_parts(a, rows, cols, step, [](Real<T> x) { return std::isfinite(x); });
}
template <class T>
Real<T> one_norm(T x) {  // what pivots are chosen by
  if constexpr (kIsComplex<T>)
    return std::abs(x.re) + std::abs(x.im);
  else
    return std::abs(x);
}

// Calls f.template operator()<T>() for the four types that LAPACK knows.
template <class F>
void for_type(const Call& c, DType d, F&& f) {
  if (d == DType::F32) return f.template operator()<float>();
  if (d == DType::F64) return f.template operator()<double>();
  if (d == DType::C64) return f.template operator()<C64>();
  if (d == DType::C128) return f.template operator()<C128>();
  fail(c.op, ": expected a float32, float64, complex64 or complex128 tensor, got ", d,
       "; convert it first");
}

// ---- geometry
Sizes batch_of(const Tensor& t);            // all but the last two sizes
int64_t count_of(const Tensor& t);          // how many matrices
int int_size(const Call& c, int64_t size);  // LAPACK's integers have 32 bits
inline int rows_of(const Call& c, const Tensor& t) { return int_size(c, t.size(t.ndim - 2)); }
inline int cols_of(const Call& c, const Tensor& t) { return int_size(c, t.size(t.ndim - 1)); }
void check_matrices(const Call& c, const Tensor& t);
void check_square(const Call& c, const Tensor& t);

// Rows that a caller names are checked before LAPACK swaps them: they count from 1 to n; those of a
// block of two are negative.
void check_pivots(const Call& c, const Tensor& pivots, int n, bool blocks);

// Outputs: a batch of column-major matrices, of vectors, of numbers.
OutSpec& add_matrices(Call& c, Sizes batch, int64_t rows, int64_t cols, DType dtype);
OutSpec& add_vectors(Call& c, Sizes batch, int64_t n, DType dtype);
inline OutSpec& add_info(Call& c, Sizes batch) { return c.add_out(batch, DType::I32); }

// `t` as a dense batch of column-major matrices: itself, or a copy.
Ref<Tensor> in_columns(Tensor& t);
Ref<Tensor> empty_columns(Sizes batch, int64_t rows, int64_t cols, DType dtype);
Ref<Tensor> transposed_alias(Tensor& t);  // the last two dimensions exchanged
// Row-major and real: its memory is that of the transposed matrices in columns.
bool reads_transposed(const Tensor& t);

// From column to column of a matrix that LAPACK works in: where a power of two divides the length
// of many, their elements share a few sets of the cache.
inline int step_of(int rows) { return rows < 128 ? rows : ((rows + 15) / 16 | 1) * 16; }

// Matrices of the sizes of `like`, in columns that are step_of(rows) apart.
struct Spread {
  int64_t area;
  Ref<Tensor> matrices;
  Spread(const Tensor& like, int rows, int cols) : area(int64_t{step_of(rows)} * cols) {
    if (!like.numel) return;
    Ref<Tensor> columns = empty_columns(batch_of(like), step_of(rows), cols, like.dtype);
    matrices = alias(*columns, like.sizes(), columns->strides(), 0);
  }
  template <class T>
  T* at(int64_t i) const {
    return matrices->data<T>() + i * area;
  }
};

// ---- running
// f(begin, end) over ranges of [0, count); `work` is about the operations of one matrix. Many small
// ones are spread over threads, a very large one is left to the library's own, which wait for each
// other so often that two take up to twenty times as long as one for 256 x 256.
constexpr int64_t kThreadedWork = int64_t{1} << 31;
template <class F>
void over_batch(int64_t count, int64_t work, F&& f) {
  bool split = count > 1 && work < (int64_t{1} << 24);
  set_blas_threads(split || work < kThreadedWork ? 1 : num_threads());
  Unlocked unlocked(work * count);
  if (split)
    parallel_for(count, std::max<int64_t>(1, 65536 / std::max<int64_t>(1, work)), f);
  else if (count)
    f(int64_t{0}, count);
}

// Raises LinAlgError for the first code that is not 0: "name: (Batch element i): why(code)". An
// empty name means that the caller wants the codes instead.
template <class F>
void check_info(std::string_view name, const Tensor& info, F&& why) {
  if (name.empty()) return;
  const int* codes = info.data<int>();
  for (int64_t i = 0; i < info.numel; ++i) {
    if (!codes[i]) continue;
    std::string where = info.ndim ? str("(Batch element ", i, "): ") : std::string();
    throw LinAlgError(str(name, ": ", where, why(codes[i])));
  }
}

// Zeros on one side of the diagonal of a column-major matrix.
template <class T>
void clear_triangle(T* a, int64_t rows, int64_t cols, bool upper) {
  for (int64_t j = 0; j < cols; ++j) {
    int64_t begin = upper ? 0 : std::min(j + 1, rows), end = upper ? std::min(j, rows) : rows;
    std::fill(a + j * rows + begin, a + j * rows + end, T{});
  }
}
template <class T>
void set_identity(T* a, int64_t rows, int64_t cols) {
  std::fill_n(a, rows * cols, T{});
  for (int64_t i = 0; i < std::min(rows, cols); ++i) a[i * rows + i] = T{1};
}

}  // namespace rl::lapack
