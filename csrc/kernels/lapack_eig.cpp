// Eigenvalues and eigenvectors: of Hermitian matrices by divide and conquer, of others by the QR
// algorithm.
#include <optional>

#include "core/allocator.h"
#include "kernels/dense_factors.h"
#include "kernels/lapack.h"

namespace rl {
namespace {
using namespace lapack;

// ---- hermitian_eig(A, upper, vectors, check) -> (eigenvalues, eigenvectors)
void hermitian_infer(Call& c) {
  Tensor& a = c.tensor(0);
  check_square(c, a);
  int64_t n = a.size(a.ndim - 1);
  add_vectors(c, batch_of(a), n, real_of(a.dtype));
  if (c.flag(2))
    add_matrices(c, batch_of(a), n, n, a.dtype);
  else
    c.add_out(SizeVec{0}, a.dtype);
}

template <class T>
const Routine& heevd() {
  static const Routine found = routine<T>("syevd", "heevd");
  return found;
}

// syevd or heevd, with workspace made once for a size.
template <class T>
class HermitianSolver {
 public:
  HermitianSolver(const Routine& heevd, int n, bool upper, bool vectors)
      : heevd_(heevd), n_(n), job_(vectors ? "V" : "N"), triangle_(upper ? "U" : "L") {
    T size{};
    Real<T> real_size{};
    int int_size = 0;
    run_with(&size, &real_size, &size, -1, &real_size, -1, &int_size, -1);
    work_.resize(static_cast<size_t>(work_size(size)));
    if constexpr (kIsComplex<T>) real_work_.resize(static_cast<size_t>(work_size(real_size)));
    int_work_.resize(static_cast<size_t>(int_size));
  }
  int run(T* a, Real<T>* values) {
    return run_with(a, values, work_.data(), static_cast<int>(work_.size()), real_work_.data(),
                    static_cast<int>(real_work_.size()), int_work_.data(),
                    static_cast<int>(int_work_.size()));
  }

 private:
  int run_with(T* a, Real<T>* values, T* work, int length, Real<T>* real_work, int real_length,
               int* int_work, int int_length) {
    int code = 0;
    if constexpr (kIsComplex<T>)
      heevd_(job_, triangle_, n_, a, n_, values, work, length, real_work, real_length, int_work,
             int_length, &code);
    else
      heevd_(job_, triangle_, n_, a, n_, values, work, length, int_work, int_length, &code);
    return code;
  }

  const Routine& heevd_;
  int n_;
  const char *job_, *triangle_;
  std::vector<T> work_;
  std::vector<Real<T>> real_work_;
  std::vector<int> int_work_;
};

// Eigenvalues and vectors of a symmetric tridiagonal matrix by divide and conquer: stedc, but that
// the halves of a large one are solved on two threads, for any number of them, and laed1 joins
// them.
template <class T>
class TridiagonalSolver {
 public:
  TridiagonalSolver(const Routine& stedc, const Routine& laed1, int n)
      : stedc_(stedc),
        laed1_(laed1),
        n_(n),
        upper_(n / 2),
        work_size_(area(n) + 4 * static_cast<int64_t>(n) + 2),
        vectors_(halved() ? area(n) : 0),
        work_(work_size_),
        int_work_(5 * static_cast<size_t>(n) + 16),
        order_(static_cast<size_t>(n)) {}

  // The numbers beside the diagonal are overwritten; z is column-major.
  int run(T* diagonal, T* beside, T* z) {
    T top = 0, sum = 0;
    for (int i = 0; i < n_; ++i) {
      T other = i + 1 < n_ ? std::abs(beside[i]) : T(0);
      top = std::max({top, std::abs(diagonal[i]), other});
      sum += (std::abs(diagonal[i]) + other) * T(0);
    }
    if (!halved() || sum != 0) return solve(0, n_, diagonal, beside, z);
    int exponent = 0;  // laed1 compares with numbers near 1
    std::frexp(top, &exponent);
    scale(diagonal, n_, -exponent);
    scale(beside, n_ - 1, -exponent);
    int code = join_halves(diagonal, beside, z);
    scale(diagonal, n_, exponent);
    return code;
  }

 private:
  static constexpr int kHalved = 128;
  static int64_t area(int n) { return int64_t{n} * n; }
  bool halved() const { return n_ >= kHalved; }
  static void scale(T* x, int n, int exponent) {
    for (int i = 0; i < n; ++i) x[i] = std::ldexp(x[i], exponent);
  }

  int solve(int first, int n, T* diagonal, T* beside, T* z) {
    int code = 0;
    int64_t begin = first ? work_size_ / 2 : 0;
    size_t ints = first ? int_work_.size() / 2 : 0;
    stedc_("I", n, diagonal + first, beside + first, z + int64_t{first} * n_ + first, n_,
           work_.data() + begin, static_cast<int>(work_size_ - begin), int_work_.data() + ints,
           static_cast<int>(int_work_.size() - ints), &code);
    return code;
  }

  // T is that of the halves and beside[upper - 1] (1, 1)^T (1, 1) where they meet.
  int join_halves(T* diagonal, T* beside, T* z) {
    int codes[2] = {}, code = 0, cuts[2] = {0, upper_}, sizes[2] = {upper_, n_ - upper_};
    T between = beside[upper_ - 1];
    diagonal[upper_ - 1] -= std::abs(between);
    diagonal[upper_] -= std::abs(between);
    std::fill_n(vectors_.data(), area(n_), T(0));
    parallel_for(2, 1, [&](int64_t begin, int64_t end) {
      for (int64_t h = begin; h < end; ++h)
        codes[h] = solve(cuts[h], sizes[h], diagonal, beside, vectors_.data());
    });
    if (codes[0] || codes[1]) return codes[0] ? codes[0] : codes[1];
    for (int i = 0; i < n_; ++i) order_[i] = i < upper_ ? i + 1 : i - upper_ + 1;
    laed1_(n_, diagonal, vectors_.data(), n_, order_.data(), between, upper_, work_.data(),
           int_work_.data(), &code);
    if (!code) sort(diagonal, z);
    return code;
  }
  void sort(T* values, T* z) {
    std::copy_n(values, n_, work_.data());
    for (int64_t j = 0; j < n_; ++j) {
      int64_t from = order_[j] - 1;
      values[j] = work_.data()[from];
      std::copy_n(vectors_.data() + from * n_, n_, z + j * n_);
    }
  }

  const Routine &stedc_, &laed1_;
  int n_, upper_;
  int64_t work_size_;
  Scratch<T> vectors_, work_;  // of the allocator, which keeps the pages
  std::vector<int> int_work_, order_;
};

// Large real ones: T is made and left by our own blocks (factor_tridiagonal.h). Takes the lower
// triangle.
constexpr int kBlocked = 64;

template <class T>
struct RealRoutines {
  Routine stedc = routine<T>("stedc"), laed1 = routine<T>("laed1"), sterf = routine<T>("sterf");

  static const RealRoutines& found() {
    static const RealRoutines routines;
    return routines;
  }
};

template <class T>
class BlockedSolver {
 public:
  BlockedSolver(const RealRoutines<T>& routines, int n, bool vectors)
      : routines_(routines),
        n_(n),
        matrix_(int64_t{n} * n),
        beside_(static_cast<size_t>(n)),
        tau_(static_cast<size_t>(n)) {
    if (vectors) solver_.emplace(routines.stedc, routines.laed1, n);
  }

  int run(T* a, T* values) {
    const auto& factors = dense_factors().of<T>();
    int exponent = copy_scaled(a), code = 0;
    factors.tridiagonal(matrix_.data(), n_, values, beside_.data(), tau_.data());
    if (solver_)
      code = solver_->run(values, beside_.data(), a);
    else
      routines_.sterf(n_, values, beside_.data(), &code);
    if (solver_ && !code) factors.times_q(matrix_.data(), n_, tau_.data(), a);
    for (int i = 0; exponent && i < n_; ++i) values[i] = std::ldexp(values[i], exponent);
    return code;
  }

 private:
  // The matrix, times a power of two if products of its numbers would overflow or lose digits. One
  // with infinite numbers has no eigenvalues that are numbers.
  int copy_scaled(const T* a) {
    constexpr int kFar = std::numeric_limits<T>::max_exponent / 4;
    T top = 0;
    for (int64_t j = 0; j < n_; ++j)
      for (int64_t i = j; i < n_; ++i) top = std::max(top, std::abs(a[j * n_ + i]));
    int64_t area = int64_t{n_} * n_;
    std::copy_n(a, area, matrix_.data());
    int exponent = 0;
    if (std::isinf(top))
      std::fill_n(matrix_.data(), area, std::numeric_limits<T>::quiet_NaN());
    else
      std::frexp(top, &exponent);
    if (std::abs(exponent) < kFar) return 0;
    for (int64_t i = 0; i < area; ++i) matrix_.data()[i] = std::ldexp(matrix_.data()[i], -exponent);
    return exponent;
  }

  const RealRoutines<T>& routines_;
  int n_;
  Scratch<T> matrix_;
  std::vector<T> beside_, tau_;
  std::optional<TridiagonalSolver<T>> solver_;
};

// Small ones are solved by rows, which are read as they lie. With vectors as long as LAPACK does
// not divide: their signs are then as arbitrary as PyTorch's, which from there on are LAPACK's.
// Their phases depend on the triangle that is read; of the upper one, they are left to LAPACK.
template <class T>
bool rows_do(int n, bool vectors, bool upper) {
  if (vectors) return n <= 25 && !(kIsComplex<T> && upper);
  return n < (sizeof(Real<T>) == 4 ? 160 : 56);
}

template <class T>
class RowsSolver {
 public:
  RowsSolver(Call& c, int* codes)
      : n_(rows_of(c, c.tensor(0))),
        area_(int64_t{n_} * n_),
        upper_(c.flag(1)),
        from_(contiguous(c.tensor(0))),
        values_(c.out(0).data<Real<T>>()),
        vectors_(c.flag(2) ? c.out(1).data<T>() : nullptr),
        codes_(codes) {}

  void run(int64_t begin, int64_t end) const {
    SmallEigen<T> s{at(begin), n_, upper_, values_ + begin * n_, vectors(begin)};
    dense_factors().rows<T>().eigen(s, end - begin, codes_ + begin);
    for (int64_t i = begin; i < end; ++i)
      if (codes_[i] < 0) codes_[i] = solve_far(i);
  }

 private:
  T* at(int64_t i) const { return from_->data<T>() + i * area_; }
  T* vectors(int64_t i) const { return vectors_ ? vectors_ + i * area_ : nullptr; }

  // One with numbers that are too far apart, as the lower triangle of columns.
  int solve_far(int64_t i) const {
    Scratch<T> own(area_);
    T* matrix = vectors_ ? vectors(i) : own.data();
    Real<T>* values = values_ + i * n_;
    for (int64_t j = 0; j < n_; ++j)
      for (int64_t l = 0; l < n_; ++l)
        matrix[j * n_ + l] = upper_ ? conjugate(at(i)[j * n_ + l]) : at(i)[l * n_ + j];
    if constexpr (!kIsComplex<T>)
      if (n_ >= kBlocked) return BlockedSolver<T>(routines_, n_, vectors_).run(matrix, values);
    return HermitianSolver<T>(heevd_, n_, false, vectors_).run(matrix, values);
  }

  const Routine& heevd_ = heevd<T>();
  const RealRoutines<Real<T>>& routines_ = RealRoutines<Real<T>>::found();
  int n_;
  int64_t area_;
  bool upper_;
  Ref<Tensor> from_;
  Real<T>* values_;
  T* vectors_;
  int* codes_;
};

void hermitian_run(Call& c) {
  Tensor &a = c.tensor(0), &values = c.out(0);
  int n = rows_of(c, a);
  Ref<Tensor> info = empty(batch_of(a), DType::I32);
  if (!a.numel) return;
  gemm_prepare(a.dtype, int64_t{n} * n * n);
  for_type(c, a.dtype, [&]<class T>() {
    int64_t area = int64_t{n} * n, work = 4 * area * n;
    if (rows_do<T>(n, c.flag(2), c.flag(1))) {
      RowsSolver<T> solver(c, info->data<int>());
      return over_batch(count_of(a), work,
                        [&](int64_t begin, int64_t end) { solver.run(begin, end); });
    }
    Ref<Tensor> matrices =
        c.flag(2) ? Ref<Tensor>::share(&c.out(1)) : empty_columns(batch_of(a), n, n, a.dtype);
    copy_into(*matrices, c.flag(1) && !kIsComplex<T> ? *transposed_alias(a) : a);
    auto solve = [&](auto make_solver) {
      over_batch(count_of(a), work, [&](int64_t begin, int64_t end) {
        auto solver = make_solver();
        for (int64_t i = begin; i < end; ++i)
          info->data<int>()[i] =
              solver.run(matrices->data<T>() + i * area, values.data<Real<T>>() + i * n);
      });
    };
    if constexpr (kIsComplex<T>) {
      const Routine& routine = heevd<T>();
      solve([&] { return HermitianSolver<T>(routine, n, c.flag(1), c.flag(2)); });
    } else {
      // The library's threads would wait for work on the cores that our blocks use.
      work = std::min(work, kThreadedWork - 1);
      const auto& routines = RealRoutines<T>::found();
      solve([&] { return BlockedSolver<T>(routines, n, c.flag(2)); });
    }
  });
  check_info(c.text(3), *info, [](int code) {
    return str("The algorithm failed to converge because the input matrix is ill-conditioned, has ",
               "too many repeated eigenvalues or is not finite (error code: ", code, ").");
  });
}
RL_KERNEL("hermitian_eig", hermitian_infer, hermitian_run);

// ---- general_eig(A, vectors, check) -> (eigenvalues, eigenvectors), complex
void general_infer(Call& c) {
  Tensor& a = c.tensor(0);
  check_square(c, a);
  int64_t n = a.size(a.ndim - 1);
  add_vectors(c, batch_of(a), n, complex_of(a.dtype));
  if (c.flag(1))
    add_matrices(c, batch_of(a), n, n, complex_of(a.dtype));
  else
    c.add_out(SizeVec{0}, complex_of(a.dtype));
}

// geev; real matrices give pairs of columns, the real and imaginary parts of two conjugate vectors.
template <class T>
class GeneralSolver {
 public:
  using C = Complex<Real<T>>;
  GeneralSolver(const Routine& geev, int n, bool vectors)
      : geev_(geev),
        n_(n),
        job_(vectors ? "V" : "N"),
        real_(static_cast<size_t>(2) * n),
        columns_(vectors && !kIsComplex<T> ? static_cast<size_t>(step_of(n)) * n : 0) {}
  int run(T* a, C* values, C* vectors) {
    if constexpr (kIsComplex<T>) {
      bool done = n_ <= (vectors ? kMostOfVectors : kMostOfValues) &&
                  dense_factors().rows<T>().general({a, n_, step_of(n_), values, vectors});
      return done ? 0 : run_library(a, values, vectors);
    }
    int code = solved(a) ? 0 : run_library(a, nullptr, columns_.data());
    for (int j = 0; j < n_; ++j) values[j] = {real_[j], real_[n_ + j]};
    if (vectors) unpack(vectors);
    return code;
  }

 private:
  // Beyond, the library is as fast: it looks for several eigenvalues at once.
  static constexpr int kMostOfValues = 360, kMostOfVectors = 256;
  bool solved(const T* a) {
    if constexpr (!kIsComplex<T>)
      return n_ <= (columns_.empty() ? kMostOfValues : kMostOfVectors) &&
             dense_factors().rows<T>().general({a, n_, step_of(n_), real_.data(), real_.data() + n_,
                                                columns_.empty() ? nullptr : columns_.data()});
    return false;
  }
  int run_library(T* a, C* values, auto* vectors) {
    if (work_.empty()) {
      T size{};
      run_with(&size, nullptr, &size, &size, -1);
      work_.resize(static_cast<size_t>(work_size(size)));
    }
    return run_with(a, values, vectors, work_.data(), static_cast<int>(work_.size()));
  }
  int run_with(T* a, C* values, auto* vectors, T* work, int length) {
    int code = 0, step = step_of(n_);
    if constexpr (kIsComplex<T>)
      geev_("N", job_, n_, a, step, values, work, n_, vectors, n_, work, length, real_.data(),
            &code);
    else
      geev_("N", job_, n_, a, step, real_.data(), real_.data() + n_, work, n_, vectors, step, work,
            length, &code);
    return code;
  }
  void unpack(C* out) {
    const int64_t step = step_of(n_);
    for (int64_t j = 0; j < n_; ++j) {
      const auto* column = columns_.data() + j * step;
      bool pair = real_[n_ + j] != 0 && j + 1 < n_;
      for (int64_t i = 0; i < n_; ++i) {
        auto re = real_part(column[i]);
        auto im = pair ? real_part(column[step + i]) : Real<T>(0);
        out[j * n_ + i] = {re, im};
        if (pair) out[(j + 1) * n_ + i] = {re, -im};
      }
      j += pair;
    }
  }
  static Real<T> real_part(T x) {
    if constexpr (kIsComplex<T>)
      return x.re;
    else
      return x;
  }

  const Routine& geev_;
  int n_;
  const char* job_;
  std::vector<Real<T>> real_;  // real matrices: real and imaginary parts; complex: workspace
  std::vector<T> columns_, work_;
};

void general_run(Call& c) {
  Tensor &a = c.tensor(0), &values = c.out(0), &vectors = c.out(1);
  int n = rows_of(c, a);
  bool wanted = c.flag(1);
  if (!a.numel) return;
  Spread x(a, n, n);
  Ref<Tensor> info = empty(batch_of(a), DType::I32);
  copy_into(*x.matrices, a);
  for_type(c, a.dtype, [&]<class T>() {
    using C = Complex<Real<T>>;
    static const Routine geev = routine<T>("geev");
    int64_t area = int64_t{n} * n;
    over_batch(count_of(a), 20 * area * n, [&](int64_t begin, int64_t end) {
      GeneralSolver<T> solver(geev, n, wanted);
      for (int64_t i = begin; i < end; ++i)
        info->data<int>()[i] = solver.run(x.at<T>(i), values.data<C>() + i * n,
                                          wanted ? vectors.data<C>() + i * area : nullptr);
    });
  });
  check_info(c.text(2), *info, [](int code) {
    return str("The algorithm failed to converge because the input matrix is ill-conditioned or ",
               "has too many repeated eigenvalues (error code: ", code, ").");
  });
}
RL_KERNEL("general_eig", general_infer, general_run);

}  // namespace
}  // namespace rl
