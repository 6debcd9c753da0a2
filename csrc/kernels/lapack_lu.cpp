// LU factorisation with partial pivoting, and what follows from it: solving, inverses,
// determinants. Small matrices are eliminated here, large real ones in our own blocks, others by
// LAPACK. Codes are the position, from 1, of the first zero on U's diagonal.
#include "kernels/dense_factors.h"
#include "kernels/lapack.h"
#include "kernels/small_inverse.h"

namespace rl {

const SmallMatrices& small_matrices() {
  static const auto* loops =
      static_cast<const SmallMatrices*>(best_registered(Registration::OfSmallInverses));
  return *loops;
}
const DenseFactors& dense_factors() {
  static const auto* loops =
      static_cast<const DenseFactors*>(best_registered(Registration::OfDenseFactors));
  return *loops;
}

namespace {
using namespace lapack;

constexpr int kSmall = 12;     // up to this size a library call costs more than the loops
constexpr int kBlocked = 128;  // from this size our own blocks are faster than the library

// ---- elimination
template <class T>
void swap_rows(T* a, int64_t ld, int64_t cols, int64_t i, int64_t j) {
  if (i == j) return;
  for (int64_t c = 0; c < cols; ++c) std::swap(a[c * ld + i], a[c * ld + j]);
}

// In place, column-major. Pivots from 1. The code as LAPACK's.
template <class T>
int eliminate(T* a, int m, int n, int* pivots, bool pivot) {
  int code = 0;
  for (int k = 0; k < std::min(m, n); ++k) {
    T* column = a + int64_t{k} * m;
    int best = k;
    for (int i = k + 1; pivot && i < m; ++i)
      if (one_norm(column[i]) > one_norm(column[best])) best = i;
    pivots[k] = best + 1;
    if (column[best] == T{}) {
      if (!code) code = k + 1;
      continue;
    }
    swap_rows(a, m, n, k, best);
    T inverse = T{1} / column[k];
    for (int i = k + 1; i < m; ++i) column[i] = column[i] * inverse;
    for (int j = k + 1; j < n; ++j) {
      T* other = a + int64_t{j} * m;
      T factor = other[k];
      for (int i = k + 1; i < m; ++i) other[i] = other[i] - column[i] * factor;
    }
  }
  return code;
}

// b = U^-1 L^-1 P b for `cols` columns of length n.
template <class T>
void substitute(const T* lu, int n, const int* pivots, T* b, int cols) {
  for (int k = 0; k < n; ++k) swap_rows(b, n, cols, k, pivots[k] - 1);
  for (int c = 0; c < cols; ++c) {
    T* x = b + int64_t{c} * n;
    for (int k = 0; k < n; ++k)
      for (int i = k + 1; i < n; ++i) x[i] = x[i] - lu[int64_t{k} * n + i] * x[k];
    for (int k = n; k-- > 0;) {
      x[k] = x[k] / lu[int64_t{k} * n + k];
      for (int i = 0; i < k; ++i) x[i] = x[i] - lu[int64_t{k} * n + i] * x[k];
    }
  }
}

template <class T>
int factor_one(const Routine& getrf, T* a, int m, int n, int* pivots, bool pivot = true) {
  if (!pivot || (m <= kSmall && n <= kSmall)) return eliminate(a, m, n, pivots, pivot);
  if constexpr (!kIsComplex<T>)
    if (std::min(m, n) >= kBlocked) return dense_factors().of<T>().lu(a, m, n, pivots);
  int code = 0;
  getrf(m, n, a, m, pivots, &code);
  return code;
}

// Square matrices one after another, or real ones side by side in `lanes`.
template <class T>
void factor_squares(const Routine& getrf, bool lanes, T* a, int64_t count, int n, int* pivots,
                    int* codes) {
  if constexpr (!kIsComplex<T>)
    if (lanes) return small_matrices().of<T>().factor(a, count, n, pivots, codes);
  for (int64_t i = 0; i < count; ++i)
    codes[i] = factor_one(getrf, a + i * n * n, n, n, pivots + i * n);
}
// `cols` columns of x for each, of op(A) X = B; `form` as getrs'.
template <class T>
void solve_squares(const Routine& getrs, bool lanes, const char* form, const T* lu, int64_t count,
                   int n, const int* pivots, T* x, int cols) {
  if (!n || !cols) return;
  if constexpr (!kIsComplex<T>)
    if (lanes) return small_matrices().of<T>().solve(lu, pivots, count, n, *form != 'N', x, cols);
  int code = 0;
  for (int64_t i = 0; i < count; ++i, lu += int64_t{n} * n, pivots += n, x += int64_t{n} * cols) {
    if (n <= kSmall && *form == 'N')
      substitute(lu, n, pivots, x, cols);
    else
      getrs(form, n, cols, lu, n, pivots, x, n, &code);
  }
}

// The matrices of `a` as `lu`, or their transposes if their memory reads that way.
bool copy_for_lu(Tensor& lu, Tensor& a) {
  bool turned = reads_transposed(a);
  copy_into(lu, turned ? *transposed_alias(a) : a);
  return turned;
}

// ---- lu_factorize(A, pivot, check) -> (LU, pivots, info)
void factor_infer(Call& c) {
  Tensor& a = c.tensor(0);
  check_matrices(c, a);
  int64_t m = a.size(a.ndim - 2), n = a.size(a.ndim - 1);
  add_matrices(c, batch_of(a), m, n, a.dtype);
  add_vectors(c, batch_of(a), std::min(m, n), DType::I32);
  add_info(c, batch_of(a));
}
void factor_run(Call& c) {
  Tensor &a = c.tensor(0), &lu = c.out(0), &pivots = c.out(1), &info = c.out(2);
  int m = rows_of(c, a), n = cols_of(c, a), k = std::min(m, n);
  bool lanes = small_and_many(n, count_of(a));
  copy_into(lu, a);
  gemm_prepare(a.dtype, int64_t{m} * n * k);
  for_type(c, a.dtype, [&]<class T>() {
    static const Routine getrf = routine<T>("getrf");
    over_batch(count_of(a), int64_t{m} * n * k, [&](int64_t begin, int64_t end) {
      if (m == n && c.flag(1))
        return factor_squares(getrf, lanes, lu.data<T>() + begin * m * n, end - begin, n,
                              pivots.data<int>() + begin * n, info.data<int>() + begin);
      for (int64_t i = begin; i < end; ++i)
        info.data<int>()[i] = factor_one(getrf, lu.data<T>() + i * m * n, m, n,
                                         pivots.data<int>() + i * k, c.flag(1));
    });
  });
}
RL_KERNEL("lu_factorize", factor_infer, factor_run);

// ---- solve_matrix(A, B, left, check) -> (X, LU, pivots, info)
// X A = B is A^T X^T = B^T, and a row-major X is X^T in columns. LU is that of A^T if A is
// row-major and real.
void add_solution(Call& c, const Tensor& b, bool left) {
  int64_t m = b.size(b.ndim - 2), n = b.size(b.ndim - 1);
  if (left)
    add_matrices(c, batch_of(b), m, n, b.dtype);
  else
    c.add_out(b.sizes(), b.dtype);
}
void solve_infer(Call& c) {
  Tensor &a = c.tensor(0), &b = c.tensor(1);
  check_square(c, a);
  int64_t n = a.size(a.ndim - 1);
  add_solution(c, b, c.flag(2));
  add_matrices(c, batch_of(a), n, n, a.dtype);
  add_vectors(c, batch_of(a), n, DType::I32);
  add_info(c, batch_of(a));
}

std::string singular_inverse(int code) {
  return str("The diagonal element ", code, " is zero, the inversion could not be completed ",
             "because the input matrix is singular.");
}

void solve_run(Call& c) {
  Tensor &a = c.tensor(0), &b = c.tensor(1);
  Tensor &x = c.out(0), &lu = c.out(1), &pivots = c.out(2), &info = c.out(3);
  bool left = c.flag(2), turned = copy_for_lu(lu, a);
  const char* form = turned == left ? "T" : "N";
  int n = rows_of(c, a), k = left ? cols_of(c, b) : rows_of(c, b);
  copy_into(x, b);
  bool lanes = small_and_many(n, count_of(a));
  gemm_prepare(a.dtype, int64_t{n} * n * n);
  for_type(c, a.dtype, [&]<class T>() {
    static const Routine getrf = routine<T>("getrf"), getrs = routine<T>("getrs");
    int64_t area = int64_t{n} * n;
    over_batch(count_of(a), area * (n + k), [&](int64_t begin, int64_t end) {
      T* factors = lu.data<T>() + begin * area;
      int* rows = pivots.data<int>() + begin * n;
      factor_squares(getrf, lanes, factors, end - begin, n, rows, info.data<int>() + begin);
      solve_squares(getrs, lanes, form, factors, end - begin, n, rows, x.data<T>() + begin * n * k,
                    k);
    });
  });
  check_info(c.text(3), info,
             [](int) { return "The solver failed because the input matrix is singular."; });
}
RL_KERNEL("solve_matrix", solve_infer, solve_run);

// ---- lu_solve_matrix(LU, pivots, B, left, adjoint) -> X; equal batches
void lu_solve_infer(Call& c) {
  check_square(c, c.tensor(0));
  add_solution(c, c.tensor(2), c.flag(3));
}

template <class T>
void conjugate_all(Tensor& t) {
  if constexpr (kIsComplex<T>)
    for (int64_t i = 0; i < t.numel; ++i) t.data<T>()[i] = conjugate(t.data<T>()[i]);
}

void lu_solve_run(Call& c) {
  Tensor &b = c.tensor(2), &x = c.out(0);
  bool left = c.flag(3), adjoint = c.flag(4);
  Ref<Tensor> lu = in_columns(c.tensor(0)), pivots = contiguous_as(c.tensor(1), DType::I32);
  int n = rows_of(c, *lu), k = left ? cols_of(c, b) : rows_of(c, b);
  bool lanes = small_and_many(n, count_of(b));
  check_pivots(c, *pivots, n, false);
  copy_into(x, b);
  if (!x.numel) return;
  for_type(c, b.dtype, [&]<class T>() {
    static const Routine getrs = routine<T>("getrs");
    // X A^H = B is A conj(X)^T = conj(B)^T.
    bool around = !left && adjoint;
    if (around) conjugate_all<T>(x);
    const char* form = left ? (adjoint ? "C" : "N") : (adjoint ? "N" : "T");
    over_batch(count_of(b), int64_t{n} * n * k, [&](int64_t begin, int64_t end) {
      solve_squares(getrs, lanes, form, lu->data<T>() + begin * n * n, end - begin, n,
                    pivots->data<int>() + begin * n, x.data<T>() + begin * n * k, k);
    });
    if (around) conjugate_all<T>(x);
  });
}
RL_KERNEL("lu_solve_matrix", lu_solve_infer, lu_solve_run);

// ---- inverse_matrix(A, check) -> (inverse, info)
void inverse_infer(Call& c) {
  Tensor& a = c.tensor(0);
  check_square(c, a);
  int64_t n = a.size(a.ndim - 1);
  add_matrices(c, batch_of(a), n, n, a.dtype);
  add_info(c, batch_of(a));
}

template <class T>
struct Inverter {
  Routine getrf, getri, getrs;
  int n;
  std::vector<int> pivots;
  std::vector<T> work;

  void prepare() {
    pivots.resize(static_cast<size_t>(n));
    if (n <= kSmall) return work.resize(static_cast<size_t>(n) * n);
    T size{};
    int code = 0, query = -1;
    getri(n, &size, n, pivots.data(), &size, query, &code);
    work.resize(static_cast<size_t>(work_size(size)));
  }
  // A singular matrix is divided by all the same: the result is not finite.
  void by_solving(const T* lu, T* out) {
    set_identity(out, n, n);
    if (n <= kSmall) return substitute(lu, n, pivots.data(), out, n);
    int code = 0;
    getrs("N", n, n, lu, n, pivots.data(), out, n, &code);
  }
  int run(T* a) {
    int code = factor_one(getrf, a, n, n, pivots.data());
    if (n <= kSmall || code) {
      work.resize(static_cast<size_t>(n) * n);
      std::copy_n(a, n * n, work.begin());
      by_solving(work.data(), a);
    } else {
      int unused = 0;
      getri(n, a, n, pivots.data(), work.data(), static_cast<int>(work.size()), &unused);
    }
    return code;
  }
};

template <class T>
void invert_all(Tensor& a, Tensor& out, Tensor& info, int n) {
  static const Routine getrf = routine<T>("getrf"), getri = routine<T>("getri"),
                       getrs = routine<T>("getrs");
  int64_t area = int64_t{n} * n;
  copy_into(out, a);
  gemm_prepare(a.dtype, area * n);
  over_batch(count_of(a), 2 * area * n, [&](int64_t begin, int64_t end) {
    Inverter<T> inverter{getrf, getri, getrs, n, {}, {}};
    inverter.prepare();
    for (int64_t i = begin; i < end; ++i)
      info.data<int>()[i] = inverter.run(out.data<T>() + i * area);
  });
}
template <class T>
void invert_small(Tensor& a, Tensor& out, Tensor& info, int n) {
  Ref<Tensor> from = contiguous(a);
  int64_t area = int64_t{n} * n;
  Unlocked unlocked(area * a.numel);
  parallel_for(count_of(a), 16384 / (area * n) + 1, [&](int64_t begin, int64_t end) {
    small_matrices().of<T>().invert(from->data<T>() + begin * area, end - begin, n,
                                    out.data<T>() + begin * area, info.data<int>() + begin);
  });
}

void inverse_run(Call& c) {
  Tensor &a = c.tensor(0), &out = c.out(0), &info = c.out(1);
  int n = rows_of(c, a);
  for_type(c, a.dtype, [&]<class T>() {
    if constexpr (!kIsComplex<T>)
      if (n > 0 && n <= kLargestInverse) return invert_small<T>(a, out, info, n);
    invert_all<T>(a, out, info, n);
  });
  check_info(c.text(1), info, singular_inverse);
}
RL_KERNEL("inverse_matrix", inverse_infer, inverse_run);

// ---- determinants
template <class T>
Real<T> modulus(T x) {
  if constexpr (kIsComplex<T>)
    return std::hypot(x.re, x.im);
  else
    return std::abs(x);
}

bool odd_permutation(const int* pivots, int n) {
  int swaps = 0;
  for (int i = 0; i < n; ++i) swaps += pivots[i] != i + 1;
  return swaps & 1;
}

template <class T>
T product_of_diagonal(const T* lu, const int* pivots, int n) {
  T product{1};
  for (int64_t i = 0; i < n; ++i) product = product * lu[i * n + i];
  return odd_permutation(pivots, n) ? -product : product;
}

template <class T>
void sign_and_log(const T* lu, const int* pivots, int n, T& sign, Real<T>& log) {
  sign = odd_permutation(pivots, n) ? T{-1} : T{1};
  log = 0;
  for (int64_t i = 0; i < n; ++i) {
    T x = lu[i * n + i];
    Real<T> size = modulus(x);
    log += std::log(size);
    if constexpr (kIsComplex<T>)
      sign = size > 0 ? sign * T{x.re / size, x.im / size} : T{};
    else
      sign = x < 0 ? -sign : x > 0 ? sign : T{};
  }
}

// Factors all matrices and calls finish<T>(i, LU, pivots) for each.
template <class F>
void with_factors(Call& c, Tensor& lu, Tensor& pivots, F&& finish) {
  Tensor& a = c.tensor(0);
  int n = rows_of(c, a);
  copy_for_lu(lu, a);
  bool lanes = small_and_many(n, count_of(a));
  gemm_prepare(a.dtype, int64_t{n} * n * n);
  for_type(c, a.dtype, [&]<class T>() {
    static const Routine getrf = routine<T>("getrf");
    int64_t area = int64_t{n} * n;
    over_batch(count_of(a), area * n, [&](int64_t begin, int64_t end) {
      T* factors = lu.data<T>() + begin * area;
      int* rows = pivots.data<int>() + begin * n;
      std::vector<int> codes(static_cast<size_t>(end - begin));
      factor_squares(getrf, lanes, factors, end - begin, n, rows, codes.data());
      for (int64_t i = begin; i < end; ++i, factors += area, rows += n)
        finish.template operator()<T>(i, factors, rows, n);
    });
  });
}

void add_factors(Call& c) {
  Tensor& a = c.tensor(0);
  int64_t n = a.size(a.ndim - 1);
  add_matrices(c, batch_of(a), n, n, a.dtype);
  add_vectors(c, batch_of(a), n, DType::I32);
}

// determinant(A) -> (result, LU, pivots)
void det_infer(Call& c) {
  check_square(c, c.tensor(0));
  c.add_out(batch_of(c.tensor(0)), c.tensor(0).dtype);
  add_factors(c);
}
void det_run(Call& c) {
  with_factors(c, c.out(1), c.out(2), [&]<class T>(int64_t i, const T* lu, const int* rows, int n) {
    c.out(0).data<T>()[i] = product_of_diagonal(lu, rows, n);
  });
}
RL_KERNEL("determinant", det_infer, det_run);

// log_determinant(A) -> (sign, logabsdet, LU, pivots)
void log_det_infer(Call& c) {
  check_square(c, c.tensor(0));
  c.add_out(batch_of(c.tensor(0)), c.tensor(0).dtype);
  c.add_out(batch_of(c.tensor(0)), real_of(c.tensor(0).dtype));
  add_factors(c);
}
void log_det_run(Call& c) {
  with_factors(c, c.out(2), c.out(3), [&]<class T>(int64_t i, const T* lu, const int* rows, int n) {
    sign_and_log(lu, rows, n, c.out(0).data<T>()[i], c.out(1).data<Real<T>>()[i]);
  });
}
RL_KERNEL("log_determinant", log_det_infer, log_det_run);

// ---- pivots_to_order(pivots, m): which row of A each row of P^T A is
void order_infer(Call& c) {
  Tensor& p = c.tensor(0);
  RL_CHECK(p.ndim >= 1, c.op, ": pivots must have at least one dimension");
  add_vectors(c, p.sizes().first(static_cast<size_t>(p.ndim - 1)), c.integer(1), DType::I64);
}
void order_run(Call& c) {
  Tensor& out = c.out(0);
  Ref<Tensor> pivots = contiguous_as(c.tensor(0), DType::I64);
  int64_t m = c.integer(1), k = pivots->size(pivots->ndim - 1);
  int64_t count = m ? out.numel / m : 0;
  for (int64_t b = 0; b < count; ++b) {
    int64_t *order = out.data<int64_t>() + b * m, *rows = pivots->data<int64_t>() + b * k;
    for (int64_t i = 0; i < m; ++i) order[i] = i;
    for (int64_t i = 0; i < k; ++i) {
      RL_CHECK(rows[i] >= 1 && rows[i] <= m, "lu_unpack: pivots must lie between 1 and ", m,
               ", the number of rows, got ", rows[i], " at position ", i);
      std::swap(order[i], order[rows[i] - 1]);
    }
  }
}
RL_KERNEL("pivots_to_order", order_infer, order_run);

}  // namespace
}  // namespace rl
