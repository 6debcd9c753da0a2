// The factorisations of factor_*.h, compiled once per instruction-set level. To add one: a class in
// a file of its own, and an entry of FactorsOf.
#include "kernels/dense_factors.h"

#include "kernels/factor_bidiagonal.h"
#include "kernels/factor_general.h"
#include "kernels/factor_general_complex.h"
#include "kernels/factor_inverse.h"
#include "kernels/factor_lu.h"
#include "kernels/factor_qr.h"
#include "kernels/factor_rows.h"
#include "kernels/factor_symmetric.h"
#include "kernels/factor_tall.h"
#include "kernels/factor_tridiagonal.h"
#include "plan/isa.h"

namespace rl {
namespace RL_ISA_NS {
namespace {

template <class T>
int factor_lu(T* a, int64_t m, int64_t n, int* pivots) {
  return Lu<T>({a, m, n, m}, pivots).run();
}

template <class T>
void factor_qr(T* a, int64_t m, int64_t n, T* q, int64_t cols) {
  Qr<T> qr({a, m, n, m}, cols);
  qr.factor();
  if (!q) return;
  std::fill_n(q, m * cols, T(0));
  for (int64_t i = 0; i < cols; ++i) q[i * m + i] = 1;
  qr.form_q({q, m, cols, m});
}

template <class T>
void factor_tridiagonal(T* a, int64_t n, T* diagonal, T* beside, T* tau) {
  Tridiagonal<T>({a, n, n, n}, diagonal, beside, tau).run();
}
template <class T>
void times_q(T* a, int64_t n, const T* tau, T* z) {
  Reflectors<T>({a + 1, n - 1, n - 1, n}, n).multiply_all({z + 1, n - 1, n, n}, tau);
}

template <class T>
constexpr FactorsOf<T> kFactors = {factor_lu<T>,       factor_qr<T>,   factor_tridiagonal<T>,
                                   times_q<T>,         reduce_tall<T>, solve_triangle<T>,
                                   cholesky_inverse<T>};
template <class T>
constexpr RowFactorsOf<T> kRows = {small_qr<T>,    small_reflectors<T>, small_product<T>,
                                   small_eigen<T>, small_svd<T>,        small_general<T>};
template <class R>
constexpr RowFactorsOf<Complex<R>> kRows<Complex<R>> = {
    small_qr<Complex<R>>,    small_reflectors<Complex<R>>, small_product<Complex<R>>,
    small_eigen<Complex<R>>, small_svd<Complex<R>>,        small_general_complex<R>};

RL_REGISTER(OfDenseFactors, isa_rank(RL_ISA_NAME),
            DenseFactors{{kFactors<float>, kFactors<double>},
                         {kRows<float>, kRows<double>},
                         kRows<Complex<float>>,
                         kRows<Complex<double>>});

}  // namespace
}  // namespace RL_ISA_NS
}  // namespace rl
