// The singular value decomposition, by divide and conquer unless a matrix is small.
#include <algorithm>
#include <cmath>
#include <limits>

#include "core/allocator.h"
#include "kernels/dense_factors.h"
#include "kernels/lapack.h"

namespace rl {
namespace {
using namespace lapack;

// gesdd with workspace made once for a size.
template <class T>
class SvdSolver {
 public:
  SvdSolver(const Routine& gesdd, int m, int n, const char* job)
      : gesdd_(gesdd),
        m_(m),
        n_(n),
        k_(std::min(m, n)),
        job_(job),
        rank_(*job == 'A' ? n : std::max(1, k_)),
        int_work_(8 * static_cast<size_t>(k_)) {
    if constexpr (kIsComplex<T>) real_work_.resize(real_work_size());
    T size{};
    Real<T> unused{};
    run_with(&size, &unused, &size, &size, &size, -1);
    work_.resize(static_cast<size_t>(work_size(size)));
  }
  // Of a matrix with infinite numbers, at which the library may turn for ever, nothing is a number;
  // a NaN is told by the library.
  int run(T* a, Real<T>* s, T* u, T* vh) {
    const int step = step_of(m_);
    auto is_number = [](Real<T> x) { return !std::isnan(x); };
    if (!all_finite(a, m_, n_, step) && all_parts(a, m_, n_, step, is_number)) {
      std::fill_n(s, k_, std::numeric_limits<Real<T>>::quiet_NaN());
      if (u) std::fill_n(u, int64_t{step} * (*job_ == 'A' ? m_ : k_), T(s[0]));
      if (vh) std::fill_n(vh, int64_t{step_of(rank_)} * n_, T(s[0]));
      return 0;
    }
    return run_with(a, s, u, vh, work_.data(), static_cast<int>(work_.size()));
  }

 private:
  size_t real_work_size() const {  // as gesdd's documentation asks
    auto small = static_cast<size_t>(k_), large = static_cast<size_t>(std::max(m_, n_));
    if (*job_ == 'N') return 7 * small;
    return std::max(5 * small * small + 5 * small, 2 * large * small + 2 * small * small + small);
  }
  int run_with(T* a, Real<T>* s, T* u, T* vh, T* work, int length) {
    int code = 0;
    if constexpr (kIsComplex<T>)
      gesdd_(job_, m_, n_, a, step_of(m_), s, u, step_of(m_), vh, step_of(rank_), work, length,
             real_work_.data(), int_work_.data(), &code);
    else
      gesdd_(job_, m_, n_, a, step_of(m_), s, u, step_of(m_), vh, step_of(rank_), work, length,
             int_work_.data(), &code);
    return code;
  }

  const Routine& gesdd_;
  int m_, n_, k_;
  const char* job_;
  int rank_;  // rows of vh
  std::vector<T> work_;
  std::vector<Real<T>> real_work_;
  std::vector<int> int_work_;
};

// ---- svd_factors(A, full, vectors, check) -> (U, S, Vh)
void svd_infer(Call& c) {
  Tensor& a = c.tensor(0);
  check_matrices(c, a);
  int64_t m = a.size(a.ndim - 2), n = a.size(a.ndim - 1), k = std::min(m, n);
  bool full = c.flag(1), vectors = c.flag(2);
  if (vectors)
    add_matrices(c, batch_of(a), m, full ? m : k, a.dtype);
  else
    c.add_out(SizeVec{0}, a.dtype);
  add_vectors(c, batch_of(a), k, real_of(a.dtype));
  if (vectors)
    add_matrices(c, batch_of(a), full ? n : k, n, a.dtype);
  else
    c.add_out(SizeVec{0}, a.dtype);
}

// Without singular values any orthonormal basis will do.
template <class T>
void fill_identities(Tensor& t) {
  if (!t.numel) return;
  int64_t rows = t.size(t.ndim - 2), cols = t.size(t.ndim - 1);
  for (int64_t i = 0; i < count_of(t); ++i) set_identity(t.data<T>() + i * rows * cols, rows, cols);
}

std::string svd_failure(int code) {
  if (code < 0)
    return "The algorithm failed to converge because the input matrix contained non-finite values.";
  return str("The algorithm failed to converge because the input matrix is ill-conditioned or has ",
             "too many repeated singular values (error code: ", code, ").");
}

template <class T>
const Routine& lasq1() {
  static const Routine found = routine<T>("lasq1");
  return found;
}
template <class T>  // real
int bidiagonal_values(int64_t n, T* diagonal, T* beside) {
  if (!all_finite(diagonal, n, 1, n) || !all_finite(beside, n - 1, 1, n))
    return -1;  // as if too far apart
  Scratch<T> work(4 * n);
  int code = 0;
  lasq1<T>()(static_cast<int>(n), diagonal, beside, work.data(), &code);
  return code;
}

// Small ones are solved by rows, which are read as they lie. False if the library has to
// solve them, as numbers are too far apart.
template <class T>
bool solve_rows(Call& c, Tensor& info) {
  Tensor &a = c.tensor(0), &u = c.out(0), &s = c.out(1), &vh = c.out(2);
  int64_t m = rows_of(c, a), n = cols_of(c, a), k = std::min(m, n);
  bool vectors = c.flag(2);
  lasq1<Real<T>>();  // found while the interpreter is held
  Ref<Tensor> from = contiguous(a);
  auto at = [&](Tensor& t, int64_t i) {
    return vectors ? t.data<T>() + i * t.size(t.ndim - 2) * t.size(t.ndim - 1) : nullptr;
  };
  over_batch(count_of(a), 10 * m * n * k, [&](int64_t begin, int64_t end) {
    SmallSvd<T> system{from->data<T>() + begin * m * n,
                       m,
                       n,
                       c.flag(1),
                       s.data<Real<T>>() + begin * k,
                       at(u, begin),
                       at(vh, begin),
                       bidiagonal_values<Real<T>>};
    dense_factors().rows<T>().svd(system, end - begin, info.data<int>() + begin);
  });
  const int* codes = info.data<int>();
  return std::all_of(codes, codes + info.numel, [](int code) { return code >= 0; });
}

// With vectors where theirs have the signs of LAPACK's, which are PyTorch's: it solves others by
// other steps (by dividing, by a QR factorisation first).
bool rows_do(int64_t m, int64_t n, bool vectors) {
  if (vectors) return n >= 2 && n <= 25 && m >= n && 2 * m < 3 * n;
  int64_t least = std::min(m, n), most = std::max(m, n);
  bool tall = most > 4 * least && m * n > 12'000;  // the library makes these square first
  return least && !tall && least < 256;
}

void svd_run(Call& c) {
  Tensor &a = c.tensor(0), &u = c.out(0), &s = c.out(1), &vh = c.out(2);
  int m = rows_of(c, a), n = cols_of(c, a), k = std::min(m, n);
  bool full = c.flag(1), vectors = c.flag(2);
  int u_cols = full ? m : k, v_rows = full ? n : k;
  Ref<Tensor> info = empty(batch_of(a), DType::I32);
  bool solved = false;
  for_type(c, a.dtype, [&]<class T>() {
    solved = a.numel && rows_do(m, n, vectors) && solve_rows<T>(c, *info);
  });
  if (solved) return check_info(c.text(3), *info, svd_failure);
  Spread x(a, m, n), left(u, m, u_cols), right(vh, v_rows, n);
  if (a.numel) copy_into(*x.matrices, a);
  for_type(c, a.dtype, [&]<class T>() {
    if (!a.numel) {
      if (vectors) fill_identities<T>(u), fill_identities<T>(vh);
      return;
    }
    static const Routine gesdd = routine<T>("gesdd");
    over_batch(count_of(a), int64_t{10} * m * n * k, [&](int64_t begin, int64_t end) {
      SvdSolver<T> solver(gesdd, m, n, !vectors ? "N" : full ? "A" : "S");
      for (int64_t i = begin; i < end; ++i)
        info->data<int>()[i] =
            solver.run(x.at<T>(i), s.data<Real<T>>() + i * k, vectors ? left.at<T>(i) : nullptr,
                       vectors ? right.at<T>(i) : nullptr);
    });
  });
  if (!a.numel) return;
  if (vectors) copy_into(u, *left.matrices), copy_into(vh, *right.matrices);
  check_info(c.text(3), *info, svd_failure);
}
RL_KERNEL("svd_factors", svd_infer, svd_run);

}  // namespace
}  // namespace rl
