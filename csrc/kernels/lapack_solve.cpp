// Solvers that bring no factorisation of their own file: triangular systems, symmetric indefinite
// ones (L D L^H), least squares.
#include <optional>

#include "core/allocator.h"
#include "kernels/dense_factors.h"
#include "kernels/lapack.h"

namespace rl {

namespace {
using namespace lapack;

// ---- triangular_solve_matrix(A, B, upper, left, unitriangular) -> X; equal batches
void triangular_infer(Call& c) {
  Tensor& b = c.tensor(1);
  check_square(c, c.tensor(0));
  add_matrices(c, batch_of(b), b.size(b.ndim - 2), b.size(b.ndim - 1), b.dtype);
}
void triangular_run(Call& c) {
  Tensor &a = c.tensor(0), &b = c.tensor(1), &x = c.out(0);
  bool turned = a.contiguous, upper = c.flag(2) != turned, left = c.flag(3);
  Ref<Tensor> read = turned ? Ref<Tensor>::share(&a) : in_columns(a);
  int m = rows_of(c, b), n = cols_of(c, b), size = rows_of(c, a);
  copy_into(x, b);
  if (!x.numel) return;
  for_type(c, b.dtype, [&]<class T>() {
    static const Routine trsm = routine<T>("trsm");
    int64_t area = int64_t{size} * size;
    over_batch(count_of(b), int64_t{m} * n * size, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i)
        trsm(left ? "L" : "R", upper ? "U" : "L", turned ? "T" : "N", c.flag(4) ? "U" : "N", m, n,
             T{1}, read->data<T>() + i * area, size, x.data<T>() + i * m * n, m);
    });
  });
}
RL_KERNEL("triangular_solve_matrix", triangular_infer, triangular_run);

// ---- ldl_factorize(A, hermitian, check) -> (LD, pivots, info); reads the lower triangle
void ldl_infer(Call& c) {
  Tensor& a = c.tensor(0);
  check_square(c, a);
  int64_t n = a.size(a.ndim - 1);
  add_matrices(c, batch_of(a), n, n, a.dtype);
  add_vectors(c, batch_of(a), n, DType::I32);
  add_info(c, batch_of(a));
}
template <class T>
Routine symmetric_or_hermitian(const char* symmetric, const char* hermitian, bool wanted) {
  return routine<T>(kIsComplex<T> && wanted ? hermitian : symmetric);
}
void ldl_run(Call& c) {
  Tensor &a = c.tensor(0), &out = c.out(0), &pivots = c.out(1), &info = c.out(2);
  int n = rows_of(c, a);
  copy_into(out, a);
  for_type(c, a.dtype, [&]<class T>() {
    Routine sytrf = symmetric_or_hermitian<T>("sytrf", "hetrf", c.flag(1));
    T size{};
    int code = 0;
    if (n) sytrf("L", n, &size, n, &code, &size, -1, &code);
    int64_t area = int64_t{n} * n;
    over_batch(count_of(a), area * n / 3, [&](int64_t begin, int64_t end) {
      std::vector<T> work(static_cast<size_t>(work_size(size)));
      for (int64_t i = begin; i < end; ++i) {
        T* matrix = out.data<T>() + i * area;
        int& result = info.data<int>()[i];
        result = 0;
        if (!n) continue;
        clear_triangle(matrix, n, n, true);
        sytrf("L", n, matrix, n, pivots.data<int>() + i * n, work.data(),
              static_cast<int>(work.size()), &result);
      }
    });
  });
  check_info(c.text(2), info, [](int code) {
    return str("The diagonal element ", code, " of D is exactly zero; the factorization cannot be ",
               "used to solve a system. Use ldl_factor_ex to look at it all the same.");
  });
}
RL_KERNEL("ldl_factorize", ldl_infer, ldl_run);

// ---- ldl_solve_matrix(LD, pivots, B, hermitian) -> X; equal batches
void ldl_solve_infer(Call& c) {
  Tensor& b = c.tensor(2);
  add_matrices(c, batch_of(b), b.size(b.ndim - 2), b.size(b.ndim - 1), b.dtype);
}
void ldl_solve_run(Call& c) {
  Tensor &b = c.tensor(2), &x = c.out(0);
  Ref<Tensor> ld = in_columns(c.tensor(0)), pivots = contiguous_as(c.tensor(1), DType::I32);
  int n = rows_of(c, b), k = cols_of(c, b);
  check_pivots(c, *pivots, n, true);
  copy_into(x, b);
  if (!x.numel) return;
  for_type(c, b.dtype, [&]<class T>() {
    Routine sytrs = symmetric_or_hermitian<T>("sytrs", "hetrs", c.flag(3));
    over_batch(count_of(b), int64_t{2} * n * n * k, [&](int64_t begin, int64_t end) {
      int code = 0;
      for (int64_t i = begin; i < end; ++i)
        sytrs("L", n, k, ld->data<T>() + i * n * n, n, pivots->data<int>() + i * n,
              x.data<T>() + i * n * k, n, &code);
    });
  });
}
RL_KERNEL("ldl_solve_matrix", ldl_solve_infer, ldl_solve_run);

// ---- least_squares(A, B, rcond, driver) -> (X, rank, singular_values); equal batches
// X has max(m, n) rows: the solution, and for m > n what the residuals are made of.
void least_squares_infer(Call& c) {
  Tensor &a = c.tensor(0), &b = c.tensor(1);
  check_matrices(c, a);
  int64_t m = a.size(a.ndim - 2), n = a.size(a.ndim - 1);
  add_matrices(c, batch_of(a), std::max(m, n), b.size(b.ndim - 1), a.dtype);
  c.add_out(batch_of(a), DType::I64);
  add_vectors(c, batch_of(a), std::min(m, n), real_of(a.dtype));
}

bool finds_no_values(std::string_view driver) { return driver == "gelsy" || driver == "gels"; }

// One driver with its workspace, for matrices of one size.
template <class T>
class LeastSquares {
 public:
  LeastSquares(const Routine& driver, std::string_view name, int m, int n, int k, int ld,
               Real<T> rcond)
      : driver_(driver),
        name_(name),
        m_(m),
        n_(n),
        k_(k),
        ld_(ld),
        rcond_(rcond),
        real_work_(kIsComplex<T> ? 5 * static_cast<size_t>(std::max(m, n)) : 1),
        int_work_(1) {
    T size{};
    int rank = 0;
    run_with(&size, &size, nullptr, rank, &size, -1);
    work_.resize(static_cast<size_t>(work_size(size)));
    if (name == "gelsd") {
      if (kIsComplex<T>) real_work_.resize(static_cast<size_t>(real_work_[0]) + 1);
      int_work_.resize(static_cast<size_t>(int_work_[0]) + 1);
    }
    columns_.resize(static_cast<size_t>(n));
  }
  int run(T* a, T* b, Real<T>* singular, int& rank) {
    auto finite = [&] { return all_finite(a, m_, n_, m_) && all_finite(b, m_, k_, ld_); };
    if (!finds_no_values(name_) && !finite()) return 1;
    std::fill(columns_.begin(), columns_.end(), 0);  // no column is fixed in front
    return run_with(a, b, singular, rank, work_.data(), static_cast<int>(work_.size()));
  }

 private:
  int run_with(T* a, T* b, Real<T>* s, int& rank, T* work, int length) {
    int code = 0, *ints = int_work_.data();
    [[maybe_unused]] Real<T>* reals = real_work_.data();
    if (name_ == "gels") {
      driver_("N", m_, n_, k_, a, m_, b, ld_, work, length, &code);
    } else if constexpr (kIsComplex<T>) {
      if (name_ == "gelsy")
        driver_(m_, n_, k_, a, m_, b, ld_, columns_.data(), rcond_, &rank, work, length, reals,
                &code);
      else if (name_ == "gelss")
        driver_(m_, n_, k_, a, m_, b, ld_, s, rcond_, &rank, work, length, reals, &code);
      else
        driver_(m_, n_, k_, a, m_, b, ld_, s, rcond_, &rank, work, length, reals, ints, &code);
    } else {
      if (name_ == "gelsy")
        driver_(m_, n_, k_, a, m_, b, ld_, columns_.data(), rcond_, &rank, work, length, &code);
      else if (name_ == "gelss")
        driver_(m_, n_, k_, a, m_, b, ld_, s, rcond_, &rank, work, length, &code);
      else
        driver_(m_, n_, k_, a, m_, b, ld_, s, rcond_, &rank, work, length, ints, &code);
    }
    return code;
  }

  const Routine& driver_;
  std::string_view name_;
  int m_, n_, k_, ld_;  // ld_: rows of b, of which max(m, n) are used
  Real<T> rcond_;
  std::vector<T> work_;
  std::vector<Real<T>> real_work_;
  std::vector<int> int_work_, columns_;
};

// gelsy, but that gels, which is faster, may do where it leaves a triangle that surely has full
// rank.
template <class T>
class FullRankFirst {
 public:
  FullRankFirst(const Routine& gelsy, const Routine& gels, const Routine& trtri, int m, int n,
                int k, int ld, Real<T> rcond)
      : trtri_(trtri),
        m_(m),
        n_(std::min(m, n)),
        rcond_(rcond),
        first_(gels, "gels", m, n, k, ld, rcond),
        last_(gelsy, "gelsy", m, n, k, ld, rcond),
        a_(static_cast<size_t>(m) * n),
        b_(static_cast<size_t>(ld) * k),
        triangle_(static_cast<size_t>(n_) * n_),
        upper_(m >= n) {}

  int run(T* a, T* b, Real<T>* singular, int& rank) {
    std::copy_n(a, a_.size(), a_.data());
    std::copy_n(b, b_.size(), b_.data());
    rank = n_;
    if (!first_.run(a, b, singular, rank) && has_full_rank(a)) return 0;
    std::copy_n(a_.data(), a_.size(), a);
    std::copy_n(b_.data(), b_.size(), b);
    return last_.run(a, b, singular, rank);
  }

 private:
  // The inverse's norm bounds the least singular value from below.
  bool has_full_rank(const T* a) {
    int code = 0;
    for (int64_t j = 0; j < n_; ++j) {
      int64_t begin = upper_ ? 0 : j, end = upper_ ? j + 1 : n_;
      std::copy(a + j * m_ + begin, a + j * m_ + end, triangle_.data() + j * n_ + begin);
    }
    Real<T> size = norm();
    trtri_(upper_ ? "U" : "L", "N", n_, triangle_.data(), n_, &code);
    return !code && size * norm() * rcond_ <= 1;
  }
  Real<T> norm() const {  // of a triangle, zeros beside it
    Real<T> sum = 0;
    for (const T& x : triangle_) {
      if constexpr (kIsComplex<T>)
        sum += x.re * x.re + x.im * x.im;
      else
        sum += x * x;
    }
    return std::sqrt(sum);
  }

  const Routine& trtri_;
  int m_, n_;
  Real<T> rcond_;
  LeastSquares<T> first_, last_;
  std::vector<T> a_, b_, triangle_;
  bool upper_;
};

// At least as tall as wide: solved as R X = C (factor_tall.h), or as it is where that is out of
// range. A driver is asked where R might not have full rank, and for singular values.
template <class T>
class TallLeastSquares {
 public:
  TallLeastSquares(const Routine& driver, std::string_view name, int m, int n, int k, T rcond)
      : driver_(driver),
        name_(name),
        m_(m),
        n_(n),
        k_(k),
        rcond_(rcond),
        direct_(finds_no_values(name)),
        columns_(int64_t{m} * n),
        triangle_(int64_t{n} * (n + k)),
        rest_(k) {}

  // a and b are row-major, x has m rows in columns.
  int run(const T* a, const T* b, T* x, T* singular, int& rank) {
    TallSystem<T> s{a, b, m_, n_, k_, triangle_.data(), rest_.data(), 0, 0};
    T* columns = columns_.data();
    if (!dense_factors().of<T>().reduce_tall(s)) {
      to_columns(a, n_, columns);
      to_columns(b, k_, x);
      return LeastSquares<T>(driver_, name_, m_, n_, k_, m_, rcond_)
          .run(columns, x, singular, rank);
    }
    int width = n_ + k_, code = 0;
    rank = n_;
    if (!direct_ || !dense_factors().of<T>().solve_triangle(s.triangle, n_, width, rcond_, x, m_)) {
      for (int64_t j = 0; j < n_; ++j)
        for (int64_t i = 0; i < n_; ++i) columns[j * n_ + i] = s.triangle[i * width + j];
      for (int64_t j = 0; j < k_; ++j)
        for (int64_t i = 0; i < n_; ++i) x[j * m_ + i] = s.triangle[i * width + n_ + j];
      if (!square_) square_.emplace(driver_, name_, n_, n_, k_, m_, rcond_);
      code = square_->run(columns, x, singular, rank);
    }
    undo_scale(s, x, singular);
    return code;
  }

 private:
  void to_columns(const T* from, int64_t cols, T* to) const {
    for (int64_t i = 0; i < m_; ++i)
      for (int64_t j = 0; j < cols; ++j) to[j * m_ + i] = from[i * cols + j];
  }
  void undo_scale(const TallSystem<T>& s, T* x, T* singular) const {
    for (int i = 0; i < n_; ++i) singular[i] /= s.scale_a;
    for (int64_t j = 0; j < k_; ++j, x += m_) {
      for (int i = 0; i < n_; ++i) x[i] *= s.scale_a / s.scale_b;
      if (n_ < m_) x[n_] = std::sqrt(s.rest[j]);
    }
  }

  const Routine& driver_;
  std::string_view name_;
  int m_, n_, k_;
  T rcond_;
  bool direct_;
  std::optional<LeastSquares<T>> square_;
  Scratch<T> columns_, triangle_, rest_;
};

bool solved_as_tall(const Call& c) {
  const Tensor& a = c.tensor(0);
  int64_t m = a.size(a.ndim - 2), n = a.size(a.ndim - 1);
  bool tall = m >= (c.text(3) == "gelsy" ? n : 2 * n);
  return !is_complex(a.dtype) && tall && n + c.tensor(1).size(c.tensor(1).ndim - 1) <= 1024;
}

void copy_head(Tensor& out, Tensor& b) {  // b into the first rows of out
  SizeVec strides(out.strides().begin(), out.strides().end());
  Ref<Tensor> head = alias(out, b.sizes(), strides, out.offset);
  copy_into(*head, b);
}

void least_squares_run(Call& c) {
  Tensor &a = c.tensor(0), &b = c.tensor(1), &x = c.out(0), &rank = c.out(1), &s = c.out(2);
  int m = rows_of(c, a), n = cols_of(c, a), k = cols_of(c, b), ld = std::max(m, n);
  fill(x, Scalar::of(int64_t{0}));
  fill(rank, Scalar::of(int64_t{0}));
  if (!a.numel || !b.numel) return;
  bool tall = solved_as_tall(c);
  gemm_prepare(a.dtype, int64_t{n} * n * n);
  Ref<Tensor> info = empty(batch_of(a), DType::I32);
  Ref<Tensor> matrices = tall ? contiguous(a) : empty_columns(batch_of(a), m, n, a.dtype);
  Ref<Tensor> right = tall ? contiguous(b) : Ref<Tensor>::share(&x);
  if (!tall) {
    copy_into(*matrices, a);
    copy_head(x, b);
  }
  for_type(c, a.dtype, [&]<class T>() {
    Routine driver = routine<T>(std::string(c.text(3)).c_str());
    static const Routine first = routine<T>("gels"), inverse = routine<T>("trtri");
    auto rcond = static_cast<Real<T>>(c.number(2));
    auto solve = [&](int64_t i, auto&& run) {
      int found = 0;
      info->data<int>()[i] = run(matrices->data<T>() + i * m * n, x.data<T>() + i * int64_t{ld} * k,
                                 s.data<Real<T>>() + i * std::min(m, n), found);
      rank.data<int64_t>()[i] = found;
    };
    over_batch(count_of(a), int64_t{4} * m * n * std::min(m, n), [&](int64_t begin, int64_t end) {
      if constexpr (!kIsComplex<T>)
        if (tall) {
          TallLeastSquares<T> solver(driver, c.text(3), m, n, k, rcond);
          for (int64_t i = begin; i < end; ++i)
            solve(i, [&](T* from, T* to, T* singular, int& found) {
              return solver.run(from, right->data<T>() + i * m * k, to, singular, found);
            });
          return;
        }
      auto over = [&](auto solver) {
        for (int64_t i = begin; i < end; ++i)
          solve(i, [&](auto&&... args) { return solver.run(args...); });
      };
      if (c.text(3) == "gelsy")
        over(FullRankFirst<T>(driver, first, inverse, m, n, k, ld, rcond));
      else
        over(LeastSquares<T>(driver, c.text(3), m, n, k, ld, rcond));
    });
  });
  check_info("linalg.lstsq", *info, [](int code) {
    return str("The least squares solution could not be computed because the input matrix does ",
               "not have full rank or is not finite (error code: ", code, ").");
  });
}
RL_KERNEL("least_squares", least_squares_infer, least_squares_run);

}  // namespace
}  // namespace rl
