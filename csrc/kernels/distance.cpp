// Distances between all rows of two matrices (cdist), of orders 1, 2 and infinity; others are
// compositions. The differences themselves are taken, never |x|^2 + |y|^2 - 2 x y, so that
// equal rows are 0 apart. Lanes are rows of the matrix that has more of them, transposed a panel at
// a time: every distance is made of the same operations, wherever its rows are.
#include "core/allocator.h"
#include "kernels/reduce_total.h"
#include "plan/copy.h"
#include "plan/parallel.h"

namespace rl {
namespace RL_ISA_NS {
namespace {

// --- orders: how a difference enters an accumulator, and how chunks of features meet in double
using Manhattan = AddStep<Magnitude>;
using Euclid = AddStep<Square>;
using Chebyshev = MagnitudeStep<true>;

// Every row of `to` against every row of `from`, in lanes; the distance goes to
// out[i * from_step + j * to_step].
template <class Order, class T>
struct Distances {
  static constexpr int64_t V = kLanes<T>, kPanel = 2 * V, kRows = 4, kFeatures = 64;
  const T *from, *to;
  T* out;
  int64_t features, from_step, to_step;

  // Rows [first, first + count) of `to`, feature by feature; lanes without a row repeat the last.
  void pack(int64_t first, int64_t count, T* panel) const {
    for (int64_t w = 0; w < kPanel; ++w) {
      const T* row = to + (first + std::min(w, count - 1)) * features;
      for (int64_t f = 0; f < features; ++f) panel[f * kPanel + w] = row[f];
    }
  }
  // N rows from i on; features are folded in T a chunk at a time, and chunks in double.
  template <int N>
  void tile(int64_t i, int64_t first, int64_t count, const T* panel) const {
    T sums[N * kPanel];
    chunk<N>(from + i * features, panel, std::min(features, kFeatures), sums);
    if (features > kFeatures) fold_chunks<N>(from + i * features, panel, sums);
    for (int64_t r = 0; r < N; ++r) {
      if constexpr (std::is_same_v<Order, Euclid>) roots(i + r, first, count, sums + r * kPanel);
      put(sums + r * kPanel, out + (i + r) * from_step + first * to_step, count);
    }
  }
  template <int N>
  void chunk(const T* rows, const T* panel, int64_t n, T* sums) const {
    Vector<T> a[N][2] = {};
    for (int64_t f = 0; f < n; ++f) {
      Vector<T> left = load_vector(panel + f * kPanel), right = load_vector(panel + f * kPanel + V);
#pragma GCC unroll 4
      for (int r = 0; r < N; ++r) {
        Vector<T> x = Vector<T>{} + rows[r * features + f];
        a[r][0] = Order::next(a[r][0], x - left);
        a[r][1] = Order::next(a[r][1], x - right);
      }
    }
    __builtin_memcpy(sums, a, sizeof a);
  }
  template <int N>
  void fold_chunks(const T* rows, const T* panel, T* sums) const {
    double totals[N * kPanel];
    std::copy_n(sums, N * kPanel, totals);
    for (int64_t f = kFeatures; f < features; f += kFeatures) {
      chunk<N>(rows + f, panel + f * kPanel, std::min(kFeatures, features - f), sums);
      for (int64_t w = 0; w < N * kPanel; ++w) totals[w] = Order::join(totals[w], double(sums[w]));
    }
    for (int64_t w = 0; w < N * kPanel; ++w) sums[w] = static_cast<T>(totals[w]);
  }
  void roots(int64_t i, int64_t first, int64_t count, T* sums) const {
    using Lanes = decltype(Vector<T>{} < Vector<T>{});
    T squares[kPanel];
    std::copy_n(sums, kPanel, squares);
    Lanes any = squares_suspect<T>(load_vector(squares), features) |
                squares_suspect<T>(load_vector(squares + V), features);
    for (int64_t w = 0; w < kPanel; ++w) sums[w] = std::sqrt(squares[w]);
    if (!join_lanes<OrStep, std::remove_cvref_t<decltype(any[0])>>(any)) return;
    for (int64_t w = 0; w < count; ++w)
      if (squares_suspect<T>(squares[w], features)) sums[w] = in_double(i, first + w);
  }
  T in_double(int64_t i, int64_t j) const {
    double squares = 0;
    for (int64_t f = 0; f < features; ++f) {
      double d = from[i * features + f] - to[j * features + f];
      squares += d * d;
    }
    return static_cast<T>(std::sqrt(squares));
  }
  void put(const T* sums, T* at, int64_t count) const {
    if (to_step == 1 && count == kPanel)
      __builtin_memcpy(at, sums, kPanel * sizeof(T));
    else
      for (int64_t w = 0; w < count; ++w) at[w * to_step] = sums[w];
  }
  void panel(int64_t begin, int64_t end, int64_t first, int64_t count, T* packed) const {
    pack(first, count, packed);
    int64_t i = begin;
    for (; i + kRows <= end; i += kRows) tile<kRows>(i, first, count, packed);
    for (; i < end; ++i) tile<1>(i, first, count, packed);
  }
};

constexpr int64_t kRowsToATask = 512;

template <class Order, class T>
void distances(const T* x, const T* y, T* out, int64_t batch, int64_t n, int64_t m,
               int64_t features) {
  bool swapped = m < n && m < Distances<Order, T>::kPanel;
  int64_t rows = swapped ? m : n, lanes = swapped ? n : m;
  constexpr int64_t kPanel = Distances<Order, T>::kPanel;
  int64_t panels = (lanes + kPanel - 1) / kPanel, parts = (rows + kRowsToATask - 1) / kRowsToATask;
  int64_t cost = std::min(rows, kRowsToATask) * kPanel * features / 4 + 1;
  parallel_for(batch * parts * panels, 32768 / cost + 1, [&](int64_t begin, int64_t end) {
    Scratch<T> packed(kPanel * features);
    for (int64_t k = begin; k < end; ++k) {
      int64_t first = k % panels * kPanel, row = k / panels % parts * kRowsToATask;
      int64_t b = k / panels / parts;
      const T *p = x + b * n * features, *q = y + b * m * features;
      Distances<Order, T> d{swapped ? q : p, swapped ? p : q, out + b * n * m,
                            features,        swapped ? 1 : m, swapped ? m : 1};
      d.panel(row, std::min(rows, row + kRowsToATask), first, std::min(kPanel, lanes - first),
              packed.data());
    }
  });
}

// _cdist(x1, x2, p): matrices of one dtype, float32 or float64, with equal batch dimensions
void cdist_infer(Call& c) {
  const Tensor &x = c.tensor(0), &y = c.tensor(1);
  SizeVec sizes(x.sizes().begin(), x.sizes().end());
  sizes[x.ndim - 1] = y.size(y.ndim - 2);
  c.add_out(sizes, x.dtype);
}
template <class T>
void cdist_typed(Call& c) {
  Ref<Tensor> x = contiguous_as(c.tensor(0), c.out(0).dtype);
  Ref<Tensor> y = contiguous_as(c.tensor(1), c.out(0).dtype);
  int64_t n = x->size(x->ndim - 2), m = y->size(y->ndim - 2), features = x->size(x->ndim - 1);
  double p = c.number(2);
  Unlocked unlocked(c.out(0).numel * features);
  auto run = p == 1   ? distances<Manhattan, T>
             : p == 2 ? distances<Euclid, T>
                      : distances<Chebyshev, T>;
  if (c.out(0).numel)
    run(x->data<T>(), y->data<T>(), c.out(0).data<T>(), c.out(0).numel / (n * m), n, m, features);
}
void cdist_run(Call& c) {
  c.out(0).dtype == DType::F64 ? cdist_typed<double>(c) : cdist_typed<float>(c);
}

RL_ISA_KERNEL("_cdist", cdist_infer, cdist_run);

}  // namespace
}  // namespace RL_ISA_NS
}  // namespace rl
