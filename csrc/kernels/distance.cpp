// Distances between all rows of two matrices (cdist) and between all pairs of rows of one (pdist).
// The differences themselves are taken, never |x|^2 + |y|^2 - 2 x y, so that equal rows are 0
// apart. Lanes are rows of the matrix that has more of them, transposed a panel at a time: every
// distance is made of the same operations, wherever its rows are. In gradients, lanes are the rows
// that a gradient is for.
#include "core/allocator.h"
#include "kernels/reduce_total.h"
#include "kernels/transpose.h"
#include "plan/copy.h"
#include "plan/parallel.h"
#include "scalar/pow.h"

namespace rl {
namespace RL_ISA_NS {
namespace {

// --- orders: how a difference enters an accumulator, and how chunks of features meet in double
struct NotZero {
  template <class V>
  static V map(V x) {
    return x != V{} ? V{} + 1 : V{};
  }
};
using Hamming = AddStep<NotZero>;
using Manhattan = AddStep<Magnitude>;
using Euclid = AddStep<Square>;
using Chebyshev = MagnitudeStep<true>;
struct Power : AddStep<Plain> {};  // any other: of differences that were raised to it before

// Calls run<Order>() with the order that p is.
template <class Run>
void with_order(double p, Run&& run) {
  if (p == 0) return run.template operator()<Hamming>();
  if (p == 1) return run.template operator()<Manhattan>();
  if (p == 2) return run.template operator()<Euclid>();
  if (p == std::numeric_limits<double>::infinity()) return run.template operator()<Chebyshev>();
  run.template operator()<Power>();
}

// Rows [first, first + count), feature by feature; lanes without a row repeat the last.
template <int64_t kPanel, class T>
void pack_rows(const T* rows, int64_t features, int64_t first, int64_t count, T* panel) {
  for (int64_t w = 0; w < kPanel; ++w) {
    const T* row = rows + (first + std::min(w, count - 1)) * features;
    for (int64_t f = 0; f < features; ++f) panel[f * kPanel + w] = row[f];
  }
}

// Every row of `to` against every row of `from`, in lanes; the distance goes to
// out[i * from_step + j * to_step], or with `pairs`, their number of rows, to the place that pair
// i < j has among all.
template <class Order, class T>
struct Distances {
  static constexpr bool kRoot = std::is_same_v<Order, Euclid> || std::is_same_v<Order, Power>;
  static constexpr int64_t V = kLanes<T>, kPanel = 2 * V, kRows = 4, kFeatures = 64;
  const T *from, *to;
  T* out;
  int64_t features, from_step, to_step, pairs;
  double p;

  // N rows from i on; features are folded in T a chunk at a time, and chunks in double.
  template <int N>
  void tile(int64_t i, int64_t first, int64_t count, const T* panel) const {
    T sums[N * kPanel];
    chunk<N>(from + i * features, panel, std::min(features, kFeatures), sums);
    if (features > kFeatures) fold_chunks<N>(from + i * features, panel, sums);
    for (int64_t r = 0; r < N; ++r) {
      if constexpr (kRoot) roots(i + r, first, count, sums + r * kPanel);
      put(sums + r * kPanel, i + r, first, count);
    }
  }
  template <int N>
  void chunk(const T* rows, const T* panel, int64_t n, T* sums) const {
    if constexpr (std::is_same_v<Order, Power>) {
      for (int64_t r = 0; r < N; ++r) powers(rows + r * features, panel, n, sums + r * kPanel);
      return;
    }
    Vector<T> a[N][2] = {};
    for (int64_t f = 0; f < n; ++f) {
      Vector<T> left = load_vector(panel + f * kPanel), right = load_vector(panel + f * kPanel + V);
#pragma GCC unroll 4
      for (int r = 0; r < N; ++r) {
        const Vector<T> x = rows[r * features + f] - Vector<T>{};  // one instruction: +0 may count
        a[r][0] = Order::next(a[r][0], x - left);
        a[r][1] = Order::next(a[r][1], x - right);
      }
    }
    __builtin_memcpy(sums, a, sizeof a);
  }
  void powers(const T* row, const T* panel, int64_t n, T* sums) const {
    constexpr int64_t kTogether = math::kPowBlock / kPanel;
    T terms[math::kPowBlock];
    std::fill_n(sums, kPanel, T{});
    for (int64_t f = 0; f < n; f += kTogether) {
      const int64_t count = std::min(kTogether, n - f);
      for (int64_t k = 0; k < count; ++k)
        for (int64_t w = 0; w < kPanel; ++w)
          terms[k * kPanel + w] = std::abs(row[f + k] - panel[(f + k) * kPanel + w]);
      math::pow_block(terms, T(p), terms, count * kPanel);
      for (int64_t k = 0; k < count; ++k)
        for (int64_t w = 0; w < kPanel; ++w) sums[w] += terms[k * kPanel + w];
    }
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
    if constexpr (std::is_same_v<Order, Euclid>)
      for (int64_t w = 0; w < kPanel; ++w) sums[w] = std::sqrt(squares[w]);
    else
      math::pow_block(squares, T(1 / p), sums, kPanel);
    if (!join_lanes<OrStep, std::remove_cvref_t<decltype(any[0])>>(any)) return;
    for (int64_t w = 0; w < count; ++w)
      if (squares_suspect<T>(squares[w], features)) sums[w] = in_double(i, first + w);
  }
  T in_double(int64_t i, int64_t j) const {
    double sum = 0;
    for (int64_t f = 0; f < features; ++f) {
      double d = double(from[i * features + f]) - double(to[j * features + f]);
      sum += p == 2 ? d * d : std::pow(std::abs(d), p);
    }
    return static_cast<T>(p == 2 ? std::sqrt(sum) : std::pow(sum, 1 / p));
  }
  void put(const T* sums, int64_t i, int64_t first, int64_t count) const {
    if (pairs) {
      T* at = out + i * (2 * pairs - i - 3) / 2 - 1 + first;
      for (int64_t w = std::max<int64_t>(0, i + 1 - first); w < count; ++w) at[w] = sums[w];
      return;
    }
    T* at = out + i * from_step + first * to_step;
    if (to_step == 1 && count == kPanel)
      __builtin_memcpy(at, sums, kPanel * sizeof(T));
    else
      for (int64_t w = 0; w < count; ++w) at[w * to_step] = sums[w];
  }
  void panel(int64_t begin, int64_t end, int64_t first, int64_t count, T* packed) const {
    if (pairs) end = std::min(end, first + count - 1);
    if (begin >= end) return;
    pack_rows<kPanel>(to, features, first, count, packed);
    int64_t i = begin;
    for (; i + kRows <= end; i += kRows) tile<kRows>(i, first, count, packed);
    for (; i < end; ++i) tile<1>(i, first, count, packed);
  }
};

constexpr int64_t kRowsToATask = 512;

// `pairs`: 0, or the rows of x = y, which are compared among themselves.
template <class Order, class T>
void distances(const T* x, const T* y, T* out, int64_t batch, int64_t n, int64_t m,
               int64_t features, int64_t pairs, double p) {
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
      const T *left = x + b * n * features, *right = y + b * m * features;
      Distances<Order, T> d{.from = swapped ? right : left,
                            .to = swapped ? left : right,
                            .out = out + b * n * m,
                            .features = features,
                            .from_step = swapped ? 1 : m,
                            .to_step = swapped ? m : 1,
                            .pairs = pairs,
                            .p = p};
      d.panel(row, std::min(rows, row + kRowsToATask), first, std::min(kPanel, lanes - first),
              packed.data());
    }
  });
}

// --- gradients: of a distance d of y and x, grad for y is slope(y - x, d) * weight(grad, d)
struct Signs {
  template <class V>
  static V slope(V x, V) {
    V sign = x > V{} ? V{} + 1 : x;
    return x < V{} ? V{} - 1 : sign;
  }
  template <class T>
  static T weight(T g, T) {
    return g;
  }
};
template <class Order>
struct SlopeOf : Signs {};
template <>
struct SlopeOf<Euclid> {
  template <class V>
  static V slope(V x, V) {
    return x;
  }
  template <class T>
  static T weight(T g, T d) {
    return d == 0 ? T(0) : g / d;
  }
};
template <>
struct SlopeOf<Chebyshev> : Signs {
  template <class V>
  static V slope(V x, V d) {
    return (Magnitude::map(x) == d) | (x != x) ? Signs::slope(x, d) : V{};
  }
};

// What the rows of `from` add to the gradients of the rows of `to`, in lanes: a chunk of rows in
// registers, chunks in `totals`, so that the error does not grow with the number of rows.
// grad and distance are (rows, lanes), or `across` that; several panels of lanes at once read runs
// of them.
template <class Order, class T>
struct Gradients {
  static constexpr int64_t V = kLanes<T>, kRows = 32, kPanels = 8, kChunk = kRows * V;
  static constexpr bool kFar = std::is_same_v<Order, Chebyshev>;
  const T *from, *to, *grad, *distance;
  T* out;
  int64_t rows, lanes, features;
  bool across;
  double p;

  // Lanes from `first` on; `room`: of 2 * V * features elements for each panel.
  void panels(int64_t first, int64_t count, T* room) const {
    const int64_t size = V * features, full = (count + V - 1) / V;
    T weights[kPanels * kChunk], far[kFar ? kPanels * kChunk : kChunk],
        *totals = room + full * size;
    for (int64_t w = 0; w < count; w += V)
      pack_rows<V>(to, features, first + w, std::min(V, count - w), room + w * features);
    std::fill_n(totals, full * size, T{});
    for (int64_t i = 0; i < rows; i += kRows) {
      const int64_t n = std::min(kRows, rows - i);
      for (int64_t w = 0; w < count; w += V)
        weigh(i, n, first + w, std::min(V, count - w), weights + w * kRows, far + w * kRows);
      for (int64_t k = 0; k < full; ++k)
        chunk(from + i * features, n, room + k * size, weights + k * kChunk, far + k * kChunk,
              totals + k * size);
    }
    for (int64_t w = 0; w < count; ++w)
      for (int64_t f = 0; f < features; ++f)
        out[(first + w) * features + f] = totals[w / V * size + f * V + w % V];
  }

 private:
  // The weights and distances of n rows from i on; lanes without a row weigh nothing.
  void weigh(int64_t i, int64_t n, int64_t first, int64_t count, T* weights, T* far) const {
    for (int64_t r = 0; r < n; r += V) {
      const int64_t height = std::min(V, n - r);
      T g[V * V], d[V * V];
      read(grad, i + r, height, first, count, g);
      read(distance, i + r, height, first, count, d);
      for (int64_t k = 0; k < height; ++k) weigh_lanes(g + k * V, d + k * V, weights + (r + k) * V);
      if constexpr (kFar) std::copy_n(d, height * V, far + r * V);
    }
  }
  // Up to V rows of grad or distance.
  void read(const T* matrix, int64_t i, int64_t n, int64_t first, int64_t count, T* to) const {
    const int64_t step = across ? rows : lanes, lines = across ? count : n;
    const T* from = matrix + (across ? first * step + i : i * step + first);
    const int64_t width = across ? n : count;
    Vector<T> v[V] = {};
    for (int64_t l = 0; l < lines; ++l)
      if (width == V)
        v[l] = load_vector(from + l * step);
      else
        __builtin_memcpy(&v[l], from + l * step, width * sizeof(T));
    if (across) transpose(v);
    __builtin_memcpy(to, v, sizeof v);
  }
  void weigh_lanes(const T* g, const T* d, T* weights) const {
    if constexpr (std::is_same_v<Order, Power>) {
      math::pow_block(d, T(1 - p), weights, V);
      for (int64_t w = 0; w < V; ++w) weights[w] = d[w] == 0 ? T(0) : g[w] * weights[w];
    } else {
      for (int64_t w = 0; w < V; ++w) weights[w] = SlopeOf<Order>::weight(g[w], d[w]);
    }
  }
  void chunk(const T* x, int64_t n, const T* panel, const T* weights, const T* far,
             T* totals) const {
    int64_t f = 0;
    auto take = [&]<int N>(std::integral_constant<int, N>) {
      for (; f + N <= features; f += N)
        block<N>(x + f, n, panel + f * V, weights, far, totals + f * V);
    };
    if constexpr (!std::is_same_v<Order, Power>) {
      take(std::integral_constant<int, 8>{});
      take(std::integral_constant<int, 4>{});
      take(std::integral_constant<int, 2>{});
    }
    take(std::integral_constant<int, 1>{});
  }
  // N features.
  template <int N>
  void block(const T* x, int64_t n, const T* panel, const T* weights, const T* far,
             T* totals) const {
    if constexpr (std::is_same_v<Order, Power>) return powers(x, n, panel, weights, totals);
    Vector<T> sums[N] = {};
    for (int64_t i = 0; i < n; ++i) {
      Vector<T> weight = load_vector(weights + i * V), d{};
      if constexpr (kFar) d = load_vector(far + i * V);
#pragma GCC unroll 8
      for (int k = 0; k < N; ++k) {
        Vector<T> difference = load_vector(panel + k * V) - x[i * features + k];
        sums[k] += weight * SlopeOf<Order>::slope(difference, d);
      }
    }
    for (int k = 0; k < N; ++k) store_vector(totals + k * V, load_vector(totals + k * V) + sums[k]);
  }
  // One feature: the differences with several rows are raised at once.
  void powers(const T* x, int64_t n, const T* panel, const T* weights, T* totals) const {
    constexpr int64_t kTogether = math::kPowBlock / V;
    T differences[math::kPowBlock], sizes[math::kPowBlock], sums[V] = {};
    for (int64_t i = 0; i < n; i += kTogether) {
      const int64_t count = std::min(kTogether, n - i);
      for (int64_t k = 0; k < count; ++k)
        for (int64_t w = 0; w < V; ++w) {
          const T d = panel[w] - x[(i + k) * features];
          differences[k * V + w] = d;
          sizes[k * V + w] = std::abs(d);
        }
      math::pow_block(sizes, T(p - 1), sizes, count * V);
      for (int64_t k = 0; k < count; ++k)
        for (int64_t w = 0; w < V; ++w) {
          const T d = differences[k * V + w], slope = std::copysign(sizes[k * V + w], d);
          sums[w] += weights[(i + k) * V + w] * (d == 0 ? T(0) : slope);
        }
    }
    for (int64_t w = 0; w < V; ++w) totals[w] += sums[w];
  }
};

template <class Order, class T>
void gradients(const T* grad, const T* x, const T* y, const T* distance, T* out, int64_t batch,
               int64_t n, int64_t m, int64_t features, bool across, double p) {
  using G = Gradients<Order, T>;
  const int64_t panels = (m + G::V - 1) / G::V;
  const int64_t width = std::clamp<int64_t>(panels / 8, 1, G::kPanels) * G::V;
  const int64_t tasks = (m + width - 1) / width, cost = n * width * features / 4 + 1;
  parallel_for(batch * tasks, 32768 / cost + 1, [&](int64_t begin, int64_t end) {
    Scratch<T> room(2 * width * features);
    for (int64_t k = begin; k < end; ++k) {
      const int64_t b = k / tasks, first = k % tasks * width;
      G part{.from = x + b * n * features,
             .to = y + b * m * features,
             .grad = grad + b * n * m,
             .distance = distance + b * n * m,
             .out = out + b * m * features,
             .rows = n,
             .lanes = m,
             .features = features,
             .across = across,
             .p = p};
      part.panels(first, std::min(width, m - first), room.data());
    }
  });
}

template <class Run>
void with_reals(DType dtype, Run&& run) {
  dtype == DType::F64 ? run.template operator()<double>() : run.template operator()<float>();
}

// _cdist(x1, x2, p): matrices of one dtype, float32 or float64, with equal batch dimensions
void cdist_infer(Call& c) {
  const Tensor &x = c.tensor(0), &y = c.tensor(1);
  SizeVec sizes(x.sizes().begin(), x.sizes().end());
  sizes[x.ndim - 1] = y.size(y.ndim - 2);
  c.add_out(sizes, x.dtype);
}
void cdist_run(Call& c) {
  Tensor& out = c.out(0);
  if (!out.numel) return;
  Ref<Tensor> x = contiguous_as(c.tensor(0), out.dtype), y = contiguous_as(c.tensor(1), out.dtype);
  int64_t n = x->size(x->ndim - 2), m = y->size(y->ndim - 2), features = x->size(x->ndim - 1);
  double p = c.number(2);
  Unlocked unlocked(out.numel * features);
  with_reals(out.dtype, [&]<class T>() {
    with_order(p, [&]<class Order>() {
      distances<Order>(x->data<T>(), y->data<T>(), out.data<T>(), out.numel / (n * m), n, m,
                       features, 0, p);
    });
  });
}

// _cdist_backward(grad, x1, x2, result, p, first): the gradient of x1 if `first`, else of x2
void cdist_backward_infer(Call& c) {
  const Tensor& of = c.tensor(c.flag(5) ? 1 : 2);
  c.add_out(of.sizes(), of.dtype);
}
void cdist_backward_run(Call& c) {
  Tensor& out = c.out(0);
  const double p = c.number(4);
  if (p == 0) fill(out, Scalar::of(0.0));
  if (p == 0 || !out.numel) return;
  const bool first = c.flag(5);
  Ref<Tensor> g = contiguous_as(c.tensor(0), out.dtype), d = contiguous_as(c.tensor(3), out.dtype);
  Ref<Tensor> x = contiguous_as(c.tensor(first ? 2 : 1), out.dtype);
  Ref<Tensor> y = contiguous_as(c.tensor(first ? 1 : 2), out.dtype);
  int64_t n = x->size(x->ndim - 2), m = y->size(y->ndim - 2), features = x->size(x->ndim - 1);
  Unlocked unlocked(d->numel * features);
  with_reals(out.dtype, [&]<class T>() {
    with_order(p, [&]<class Order>() {
      gradients<Order>(g->data<T>(), x->data<T>(), y->data<T>(), d->data<T>(), out.data<T>(),
                       out.numel / (m * features), n, m, features, first, p);
    });
  });
}

// _pdist(x, p): of a matrix of float32 or float64, the distances of all pairs of rows
void pdist_infer(Call& c) {
  const int64_t n = c.tensor(0).size(0);
  c.add_out(SizeVec{n * (n - 1) / 2}, c.tensor(0).dtype);
}
void pdist_run(Call& c) {
  Tensor& out = c.out(0);
  if (!out.numel) return;
  Ref<Tensor> x = contiguous_as(c.tensor(0), out.dtype);
  const int64_t n = x->size(0), features = x->size(1);
  const double p = c.number(1);
  Unlocked unlocked(out.numel * features);
  with_reals(out.dtype, [&]<class T>() {
    with_order(p, [&]<class Order>() {
      const T* rows = x->data<T>();
      distances<Order>(rows, rows, out.data<T>(), 1, n, n, features, n, p);
    });
  });
}

// The symmetric matrix whose rows, right of a diagonal of zeros, are `pairs`.
template <class T>
void spread_pairs(const T* pairs, int64_t n, T* out) {
  for (int64_t i = 0; i < n; ++i) {
    out[i * n + i] = 0;
    std::copy_n(pairs, n - i - 1, out + i * n + i + 1);
    pairs += n - i - 1;
  }
  constexpr int64_t kSide = 16;  // squares that stay in the cache, whichever way they are read
  for (int64_t i = 0; i < n; i += kSide)
    for (int64_t k = 0; k <= i; k += kSide)
      for (int64_t r = i; r < std::min(n, i + kSide); ++r)
        for (int64_t j = k; j < std::min(r, k + kSide); ++j) out[r * n + j] = out[j * n + r];
}

// _pdist_backward(grad, x, result, p)
void pdist_backward_infer(Call& c) { c.add_out(c.tensor(1).sizes(), c.tensor(1).dtype); }
void pdist_backward_run(Call& c) {
  Tensor& out = c.out(0);
  const double p = c.number(3);
  if (p == 0) fill(out, Scalar::of(0.0));
  if (p == 0 || !out.numel) return;
  Ref<Tensor> g = contiguous_as(c.tensor(0), out.dtype), x = contiguous_as(c.tensor(1), out.dtype);
  Ref<Tensor> d = contiguous_as(c.tensor(2), out.dtype);
  const int64_t n = x->size(0), features = x->size(1);
  Unlocked unlocked(n * n * features);
  with_reals(out.dtype, [&]<class T>() {
    Scratch<T> room(2 * n * n);
    T *grad = room.data(), *distance = grad + n * n;
    spread_pairs(g->data<T>(), n, grad);
    spread_pairs(d->data<T>(), n, distance);
    with_order(p, [&]<class Order>() {
      const T* rows = x->data<T>();
      gradients<Order>(grad, rows, rows, distance, out.data<T>(), 1, n, n, features, false, p);
    });
  });
}

RL_ISA_KERNEL("_cdist", cdist_infer, cdist_run);
RL_ISA_KERNEL("_cdist_backward", cdist_backward_infer, cdist_backward_run);
RL_ISA_KERNEL("_pdist", pdist_infer, pdist_run);
RL_ISA_KERNEL("_pdist_backward", pdist_backward_infer, pdist_backward_run);

}  // namespace
}  // namespace RL_ISA_NS
}  // namespace rl
