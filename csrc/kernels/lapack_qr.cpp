// QR factorisation, and products with the reflectors that represent Q. Reflectors lie below the
// diagonal: H_i = I - tau_i v v^H with v = (0, ..., 1, A[i+1:, i]).
#include "kernels/dense_factors.h"
#include "kernels/lapack.h"

namespace rl {
namespace {
using namespace lapack;

// Small matrices are factored row by row.
constexpr int64_t kByRows = 192;          // rows and columns from which blocks are faster
constexpr int64_t kMostByRows = 100'000;  // elements of A and Q, so that they stay in the cache

template <class T>
bool rows_do(int64_t m, int64_t n, int64_t cols) {
  int64_t least = std::min(m, n);
  return least && least < kByRows && m * (n + cols) <= kMostByRows / (kIsComplex<T> ? 2 : 1);
}

// ---- geqrf(A) -> (a, tau)
void geqrf_infer(Call& c) {
  Tensor& a = c.tensor(0);
  check_matrices(c, a);
  int64_t m = a.size(a.ndim - 2), n = a.size(a.ndim - 1);
  add_matrices(c, batch_of(a), m, n, a.dtype);
  add_vectors(c, batch_of(a), std::min(m, n), a.dtype);
}
void geqrf_run(Call& c) {
  Tensor &a = c.tensor(0), &out = c.out(0), &tau = c.out(1);
  int m = rows_of(c, a), n = cols_of(c, a), k = std::min(m, n);
  copy_into(out, a);
  if (!out.numel) return;
  for_type(c, a.dtype, [&]<class T>() {
    static const Routine geqrf = routine<T>("geqrf");
    T size{};
    int code = 0;
    geqrf(m, n, &size, m, &size, &size, -1, &code);
    const bool by_rows = rows_do<T>(m, n, 0) && !(std::is_same_v<T, C128> && m > 64);
    over_batch(count_of(a), int64_t{2} * m * n * k, [&](int64_t begin, int64_t end) {
      std::vector<T> work(static_cast<size_t>(work_size(size)));
      int unused = 0, length = static_cast<int>(work.size());
      for (int64_t i = begin; i < end; ++i) {
        if (by_rows) {
          T *from = out.data<T>() + i * m * n, *factors = tau.data<T>() + i * k;
          i += dense_factors().rows<T>().reflectors(from, m, n, factors, end - i);
          if (i == end) break;
        }
        geqrf(m, n, out.data<T>() + i * m * n, m, tau.data<T>() + i * k, work.data(), length,
              &unused);
      }
    });
  });
}
RL_KERNEL("geqrf", geqrf_infer, geqrf_run);

// ---- qr_factors(A, mode) -> (Q, R)
// Panels of reflectors in the compact WY form, I - V T V^H: the triangles T that the factorisation
// makes are kept and used again to form Q.
constexpr int kPanel = 32;
constexpr int kBlocked = 96;  // rows and columns from which our own blocks are faster than LAPACK's

template <class T>
struct QrRoutines {
  Routine geqrt = routine<T>("geqrt"), larfb = routine<T>("larfb");
};

template <class T>
class Qr {
 public:
  Qr(int m, int n, const QrRoutines<T>& routines)
      : m_(m),
        n_(n),
        k_(std::min(m, n)),
        panel_(std::max(1, std::min(k_, kPanel))),
        routines_(routines),
        triangles_(static_cast<size_t>(panel_) * k_),
        work_(static_cast<size_t>(panel_) * static_cast<size_t>(std::max(m, n))) {}

  // Reflectors and R in place of A, column-major; the first `cols` columns of Q unless `q` is null.
  void run(T* a, T* q, int cols) {
    if constexpr (!kIsComplex<T>)
      if (k_ >= kBlocked) return dense_factors().of<T>().qr(a, m_, n_, q, cols);
    factor(a);
    if (q) form_q(a, q, cols);
  }

 private:
  void factor(T* a) {
    int code = 0;
    if (k_) routines_.geqrt(m_, n_, panel_, a, m_, triangles_.data(), panel_, work_.data(), &code);
  }
  // The first `cols` columns of Q; blocks from the last, each of which changes only the rows and
  // columns from its own.
  void form_q(const T* a, T* q, int cols) {
    set_identity(q, m_, cols);
    for (int i = k_ ? (k_ - 1) / panel_ * panel_ : -1; i >= 0; i -= panel_) {
      int64_t corner = int64_t{i} * m_ + i;
      routines_.larfb("L", "N", "F", "C", m_ - i, cols - i, std::min(panel_, k_ - i), a + corner,
                      m_, triangles_.data() + int64_t{i} * panel_, panel_, q + corner, m_,
                      work_.data(), std::max(1, cols - i));
    }
  }

  int m_, n_, k_, panel_;
  const QrRoutines<T>& routines_;
  std::vector<T> triangles_, work_;
};

template <class T>
void copy_triangle(const T* a, int64_t m, int64_t n, T* r, int64_t rows) {
  for (int64_t j = 0; j < n; ++j) {
    int64_t filled = std::min(j + 1, rows);
    std::copy_n(a + j * m, filled, r + j * rows);
    std::fill_n(r + j * rows + filled, rows - filled, T{});
  }
}

void qr_infer(Call& c) {
  Tensor& a = c.tensor(0);
  check_matrices(c, a);
  int64_t m = a.size(a.ndim - 2), n = a.size(a.ndim - 1);
  int64_t rank = c.text(1) == "complete" ? m : std::min(m, n);
  if (c.text(1) == "r")
    c.add_out(SizeVec{0}, a.dtype);
  else
    add_matrices(c, batch_of(a), m, rank, a.dtype);
  add_matrices(c, batch_of(a), rank, n, a.dtype);
}
template <class T>
class QrBatch {
 public:
  QrBatch(Tensor& a, Tensor* q, Tensor& r)
      : m_(a.size(a.ndim - 2)),
        n_(a.size(a.ndim - 1)),
        rank_(r.size(r.ndim - 2)),
        by_rows_(rows_do<T>(m_, n_, q ? rank_ : 0)),
        from_(by_rows_ ? contiguous(a) : empty_columns(batch_of(a), m_, n_, a.dtype)),
        q_(q ? q->data<T>() : nullptr),
        r_(r.data<T>()) {
    if (!by_rows_) copy_into(*from_, a);
  }

  void run(int64_t begin, int64_t end) const {
    if (by_rows_) return run_rows(begin, end);
    Qr<T> qr = make();
    for (int64_t i = begin; i < end; ++i) run_columns(qr, at(i), i);
  }

 private:
  T* at(int64_t i) const { return from_->data<T>() + i * m_ * n_; }
  T* q(int64_t i) const { return q_ ? q_ + i * m_ * rank_ : nullptr; }
  T* r(int64_t i) const { return r_ + i * rank_ * n_; }

  Qr<T> make() const { return {static_cast<int>(m_), static_cast<int>(n_), routines_}; }
  void run_columns(Qr<T>& qr, T* matrix, int64_t i) const {
    qr.run(matrix, q(i), static_cast<int>(rank_));
    copy_triangle(matrix, m_, n_, r(i), rank_);
  }
  void run_rows(int64_t begin, int64_t end) const {
    for (int64_t i = begin; i < end; ++i) {
      SmallQr<T> s{at(i), m_, n_, rank_, q(i), r(i)};
      i += dense_factors().rows<T>().qr(s, end - i);
      if (i < end) run_far(i);
    }
  }
  // One with numbers that are too far apart.
  void run_far(int64_t i) const {
    Scratch<T> columns(m_ * n_);
    for (int64_t j = 0; j < n_; ++j)
      for (int64_t l = 0; l < m_; ++l) columns.data()[j * m_ + l] = at(i)[l * n_ + j];
    Qr<T> qr = make();
    run_columns(qr, columns.data(), i);
  }

  static const QrRoutines<T>& find_routines() {
    static const QrRoutines<T> found;
    return found;
  }

  const QrRoutines<T>& routines_ = find_routines();
  int64_t m_, n_, rank_;
  bool by_rows_;
  Ref<Tensor> from_;
  T *q_, *r_;
};

void qr_run(Call& c) {
  Tensor &a = c.tensor(0), &r = c.out(1);
  int64_t m = rows_of(c, a), n = cols_of(c, a), rank = rows_of(c, r);
  gemm_prepare(a.dtype, m * n * std::max(n, rank));
  for_type(c, a.dtype, [&]<class T>() {
    QrBatch<T> batch(a, c.text(1) == "r" ? nullptr : &c.out(0), r);
    over_batch(count_of(a), 2 * m * n * rank,
               [&](int64_t begin, int64_t end) { batch.run(begin, end); });
  });
}
RL_KERNEL("qr_factors", qr_infer, qr_run);

// ---- reflectors_product(A, tau): the first columns of H_1 H_2 ...; equal batches
void product_infer(Call& c) {
  Tensor& a = c.tensor(0);
  check_matrices(c, a);
  add_matrices(c, batch_of(a), a.size(a.ndim - 2), a.size(a.ndim - 1), a.dtype);
}
void product_run(Call& c) {
  Tensor &a = c.tensor(0), &out = c.out(0);
  int m = rows_of(c, a), n = cols_of(c, a);
  int k = int_size(c, c.tensor(1).size(c.tensor(1).ndim - 1));
  copy_into(out, a);
  Ref<Tensor> tau = contiguous(c.tensor(1));
  if (!out.numel) return;
  for_type(c, a.dtype, [&]<class T>() {
    static const Routine orgqr = routine<T>("orgqr", "ungqr");
    T size{};
    int code = 0;
    orgqr(m, n, k, &size, m, &size, &size, -1, &code);
    // Of complex ones the library's take less time, but for single precision and some rows.
    constexpr bool kSingle = sizeof(Real<T>) == 4;
    bool by_rows = k && rows_do<T>(m, n, n) && (!kIsComplex<T> || (kSingle && m > 16 && m <= 128));
    // The zeros that a reflector of nothing leaves have the library's signs.
    for (int64_t i = 0; by_rows && i < tau->numel; ++i)
      by_rows = tau->data<T>()[i] != T{} || i % k == m - 1;
    over_batch(count_of(a), int64_t{2} * m * n * n, [&](int64_t begin, int64_t end) {
      if (by_rows)
        return dense_factors().rows<T>().product(out.data<T>() + begin * m * n, m, n,
                                                 tau->data<T>() + begin * k, k, end - begin);
      std::vector<T> work(static_cast<size_t>(work_size(size)));
      int unused = 0, length = static_cast<int>(work.size());
      for (int64_t i = begin; i < end; ++i)
        orgqr(m, n, k, out.data<T>() + i * m * n, m, tau->data<T>() + i * k, work.data(), length,
              &unused);
    });
  });
}
RL_KERNEL("reflectors_product", product_infer, product_run);

// ---- reflectors_times(A, tau, C, left, transpose): Q C, Q^H C, C Q or C Q^H; equal batches
void times_infer(Call& c) {
  Tensor& b = c.tensor(2);
  check_matrices(c, b);
  add_matrices(c, batch_of(b), b.size(b.ndim - 2), b.size(b.ndim - 1), b.dtype);
}
void times_run(Call& c) {
  Tensor &b = c.tensor(2), &out = c.out(0);
  int m = rows_of(c, b), n = cols_of(c, b), rows = c.flag(3) ? m : n;
  int k = int_size(c, c.tensor(1).size(c.tensor(1).ndim - 1));
  copy_into(out, b);
  Ref<Tensor> a = in_columns(c.tensor(0)), tau = contiguous(c.tensor(1));
  if (!out.numel || !k) return;
  const char* side = c.flag(3) ? "L" : "R";
  for_type(c, b.dtype, [&]<class T>() {
    static const Routine ormqr = routine<T>("ormqr", "unmqr");
    const char* form = !c.flag(4) ? "N" : kIsComplex<T> ? "C" : "T";
    T size{};
    int code = 0;
    ormqr(side, form, m, n, k, &size, rows, &size, &size, m, &size, -1, &code);
    int64_t area = int64_t{rows} * cols_of(c, *a);
    over_batch(count_of(b), int64_t{4} * m * n * k, [&](int64_t begin, int64_t end) {
      std::vector<T> work(static_cast<size_t>(work_size(size)));
      int unused = 0, length = static_cast<int>(work.size());
      for (int64_t i = begin; i < end; ++i)
        ormqr(side, form, m, n, k, a->data<T>() + i * area, rows, tau->data<T>() + i * k,
              out.data<T>() + i * m * n, m, work.data(), length, &unused);
    });
  });
}
RL_KERNEL("reflectors_times", times_infer, times_run);

}  // namespace
}  // namespace rl
