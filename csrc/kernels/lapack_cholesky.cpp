// Cholesky factors and what is solved with them. Codes are LAPACK's: the order of the first
// leading minor that is not positive definite, or the first zero of the diagonal.
#include "kernels/dense_factors.h"
#include "kernels/lapack.h"
#include "kernels/small_inverse.h"

namespace rl {
namespace {
using namespace lapack;

// ---- cholesky_factor(A, upper, check) -> (L, info)
void factor_infer(Call& c) {
  Tensor& a = c.tensor(0);
  check_square(c, a);
  int64_t n = a.size(a.ndim - 1);
  add_matrices(c, batch_of(a), n, n, a.dtype);
  add_info(c, batch_of(a));
}

// The first NaN on the diagonal, from 1: the library takes it for positive.
template <class T>
int first_nan(const T* a, int n) {
  for (int i = 0; i < n; ++i) {
    T x = a[i * int64_t{n} + i];
    if (x != x) return i + 1;
  }
  return 0;
}

void factor_run(Call& c) {
  Tensor &a = c.tensor(0), &out = c.out(0), &info = c.out(1);
  bool upper = c.flag(1);
  int n = rows_of(c, a);
  bool lanes = n > 1 && small_and_many(n, count_of(a));
  copy_into(out, a);
  for_type(c, a.dtype, [&]<class T>() {
    static const Routine potrf = routine<T>("potrf");
    int64_t area = int64_t{n} * n;
    over_batch(count_of(a), area * n / 3, [&](int64_t begin, int64_t end) {
      int* codes = info.data<int>();
      std::fill(codes + begin, codes + end, 1);
      if constexpr (!kIsComplex<T>)
        if (lanes)
          small_matrices().of<T>().cholesky(out.data<T>() + begin * area, end - begin, n, upper,
                                            codes + begin);
      for (int64_t i = begin; i < end; ++i) {
        T* matrix = out.data<T>() + i * area;
        int& code = codes[i];
        if (!code) continue;
        code = 0;
        if (n) potrf(upper ? "U" : "L", n, matrix, n, &code);
        if (!code) code = first_nan(matrix, n);
        clear_triangle(matrix, n, n, !upper);
      }
    });
  });
  check_info(c.text(2), info, [](int code) {
    return str("The factorization could not be completed because the input is not ",
               "positive-definite (the leading minor of order ", code,
               " is not positive-definite).");
  });
}
RL_KERNEL("cholesky_factor", factor_infer, factor_run);

// ---- cholesky_solve_matrix(B, L, upper): X with A X = B; equal batches
void solve_infer(Call& c) {
  Tensor &b = c.tensor(0), &l = c.tensor(1);
  check_square(c, l);
  add_matrices(c, batch_of(b), b.size(b.ndim - 2), b.size(b.ndim - 1), b.dtype);
}
void solve_run(Call& c) {
  Tensor &b = c.tensor(0), &out = c.out(0);
  int n = rows_of(c, b), k = cols_of(c, b);
  copy_into(out, b);
  Ref<Tensor> l = in_columns(c.tensor(1));
  for_type(c, b.dtype, [&]<class T>() {
    static const Routine potrs = routine<T>("potrs");
    int64_t area = int64_t{n} * n;
    if (!out.numel) return;
    over_batch(count_of(b), 2 * area * k, [&](int64_t begin, int64_t end) {
      int code = 0;
      for (int64_t i = begin; i < end; ++i)
        potrs(c.flag(2) ? "U" : "L", n, k, l->data<T>() + i * area, n, out.data<T>() + i * n * k, n,
              &code);
    });
  });
}
RL_KERNEL("cholesky_solve_matrix", solve_infer, solve_run);

// ---- cholesky_inverse_matrix(L, upper) -> (inverse, info)
// Where our loops are faster than the library's.
constexpr int kLeastInverse = 16, kMostInverse = 256;
void inverse_infer(Call& c) { factor_infer(c); }
void inverse_run(Call& c) {
  Tensor &l = c.tensor(0), &out = c.out(0), &info = c.out(1);
  bool upper = c.flag(1);
  int n = rows_of(c, l);
  copy_into(out, l);
  for_type(c, l.dtype, [&]<class T>() {
    static const Routine potri = routine<T>("potri");
    int64_t area = int64_t{n} * n;
    over_batch(count_of(l), area * n, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        T* matrix = out.data<T>() + i * area;
        int& code = info.data<int>()[i];
        code = 0;
        if constexpr (!kIsComplex<T>)
          if (n >= kLeastInverse && n <= kMostInverse &&
              dense_factors().of<T>().cholesky_inverse(matrix, n, upper))
            continue;
        if (n) potri(upper ? "U" : "L", n, matrix, n, &code);
        for (int64_t col = 0; col < n; ++col)
          for (int64_t row = col + 1; row < n; ++row) {
            T &low = matrix[col * n + row], &high = matrix[row * n + col];
            (upper ? low : high) = conjugate(upper ? high : low);
          }
      }
    });
  });
  check_info(c.text(2), info, [](int code) {
    return str("The diagonal element ", code, " is zero, the inversion could not be completed ",
               "because the input matrix is singular.");
  });
}
RL_KERNEL("cholesky_inverse_matrix", inverse_infer, inverse_run);

}  // namespace
}  // namespace rl
