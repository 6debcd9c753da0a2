// kLanes small matrices side by side, one in each lane of a vector: elimination with partial
// pivoting, where each lane has its own pivots. Compiled once per instruction-set level.
#include "kernels/small_inverse.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "kernels/parts.h"
#include "kernels/vectors.h"

namespace rl {
namespace RL_ISA_NS {
namespace {

template <class V>
V size_of(V x) {
  return x < 0 ? -x : x;
}
template <class V>
void exchange_where(auto here, V& x, V& y) {
  V old = x;
  x = here ? y : x;
  y = here ? old : y;
}
// The row of the largest number of column k, at(row), from row k on.
template <class T>
Vector<T> pivot_row(auto at, int k, int n) {
  using V = Vector<T>;
  V best = size_of(at(k)), row = V{} + T(k);
  for (int i = k + 1; i < n; ++i) {
    V candidate = size_of(at(i));
    auto better = candidate > best;
    best = better ? candidate : best;
    row = better ? V{} + T(i) : row;
  }
  return row;
}

template <class T>
struct Elimination {
  using V = Vector<T>;
  int n;
  V a[kLargestSmall][kLargestSmall], b[kLargestSmall][kLargestSmall];
  V codes;

  V zero_where(auto mask, V x) const { return mask ? V{} : x; }

  void pivot(int k) {
    V row = pivot_row<T>([&](int i) { return a[i][k]; }, k, n);
    for (int i = k + 1; i < n; ++i) {
      auto here = row == V{} + T(i);
      for (int c = k; c < n; ++c) exchange_where(here, a[k][c], a[i][c]);
      for (int c = 0; c < n; ++c) exchange_where(here, b[k][c], b[i][c]);
    }
  }
  void eliminate(int k) {
    auto singular = a[k][k] == V{};
    codes = singular & (codes == V{}) ? V{} + T(k + 1) : codes;
    V inverse = T(1) / a[k][k];
    for (int i = k + 1; i < n; ++i) {
      V factor = zero_where(singular, a[i][k] * inverse);
      for (int c = k + 1; c < n; ++c) a[i][c] -= factor * a[k][c];
      for (int c = 0; c < n; ++c) b[i][c] -= factor * b[k][c];
    }
  }
  void substitute(int k) {
    for (int c = 0; c < n; ++c) b[k][c] /= a[k][k];
    for (int i = 0; i < k; ++i)
      for (int c = 0; c < n; ++c) b[i][c] -= a[i][k] * b[k][c];
  }
  void run() {
    codes = V{};
    for (int i = 0; i < n; ++i)
      for (int c = 0; c < n; ++c) b[i][c] = V{} + T(i == c);
    for (int k = 0; k < n; ++k) pivot(k), eliminate(k);
    for (int k = n; k-- > 0;) substitute(k);
  }
};

template <class T>
void invert(const T* a, int64_t count, int n, T* out, int* codes) {
  constexpr int64_t lanes = kLanes<T>;
  const int64_t area = int64_t{n} * n;
  Elimination<T> e;
  e.n = n;
  for (int64_t first = 0; first < count; first += lanes, a += lanes * area, out += lanes * area) {
    int64_t used = std::min(lanes, count - first);
    for (int64_t l = 0; l < lanes; ++l) {  // lanes without a matrix repeat the last
      const T* from = a + std::min(l, used - 1) * area;
      for (int i = 0; i < n; ++i)
        for (int c = 0; c < n; ++c) reinterpret_cast<T*>(&e.a[i][c])[l] = from[i * n + c];
    }
    e.run();
    for (int64_t l = 0; l < used; ++l) {
      for (int i = 0; i < n; ++i)
        for (int c = 0; c < n; ++c)
          out[l * area + c * n + i] = reinterpret_cast<const T*>(&e.b[i][c])[l];
      codes[first + l] = static_cast<int>(e.codes[l]);
    }
  }
}

// Between memory, where matrices or columns are `step` apart, and lanes. Those without a matrix
// repeat the last.
template <class T, class From>
void to_lanes(const From* from, int64_t size, int64_t step, int64_t used, Vector<T>* to) {
  for (int64_t l = 0; l < kLanes<T>; ++l) {
    const From* matrix = from + std::min(l, used - 1) * step;
    for (int64_t e = 0; e < size; ++e) reinterpret_cast<T*>(to + e)[l] = static_cast<T>(matrix[e]);
  }
}
template <class T, class To>
void from_lanes(const Vector<T>* from, int64_t size, int64_t step, int64_t used, To* to) {
  for (int64_t l = 0; l < used; ++l)
    for (int64_t e = 0; e < size; ++e)
      to[l * step + e] = static_cast<To>(reinterpret_cast<const T*>(from + e)[l]);
}

// Column-major.
template <class T, int N>
struct LuLanes {
  using V = Vector<T>;
  V a[N][N], pivots[N], codes;

  void run() {
    codes = V{};
    for (int k = 0; k < N; ++k) {
      pivot(k);
      eliminate(k);
    }
  }

 private:
  void pivot(int k) {
    V row = pivot_row<T>([&](int i) { return a[k][i]; }, k, N);
    pivots[k] = row + T(1);
    for (int i = k + 1; i < N; ++i) {
      auto here = row == V{} + T(i);
      for (int c = 0; c < N; ++c) exchange_where(here, a[c][k], a[c][i]);
    }
  }
  void eliminate(int k) {
    auto singular = a[k][k] == V{};
    codes = singular & (codes == V{}) ? V{} + T(k + 1) : codes;
    V inverse = singular ? V{} + T(1) : T(1) / a[k][k];
    for (int i = k + 1; i < N; ++i) {
      a[k][i] *= inverse;
      V factor = singular ? V{} : a[k][i];
      for (int c = k + 1; c < N; ++c) a[c][i] -= factor * a[c][k];
    }
  }
};

template <class T, int N>
struct SolveLanes {
  using V = Vector<T>;
  V a[N][N], pivots[N], x[N];

  void exchange(int k) {
    for (int i = k + 1; i < N; ++i) exchange_where(pivots[k] == V{} + T(i + 1), x[k], x[i]);
  }
  void run() {
    for (int k = 0; k < N; ++k) exchange(k);
    for (int k = 0; k < N; ++k)
      for (int i = k + 1; i < N; ++i) x[i] -= a[k][i] * x[k];
    for (int k = N; k-- > 0;) {
      x[k] /= a[k][k];
      for (int i = 0; i < k; ++i) x[i] -= a[k][i] * x[k];
    }
  }
  void run_turned() {
    for (int k = 0; k < N; ++k) {
      for (int i = 0; i < k; ++i) x[k] -= a[k][i] * x[i];
      x[k] /= a[k][k];
    }
    for (int k = N; k-- > 0;)
      for (int i = k + 1; i < N; ++i) x[k] -= a[k][i] * x[i];
    for (int k = N; k-- > 0;) exchange(k);
  }
};

template <class T>
void factor(T* lu, int64_t count, int n, int* pivots, int* codes) {
  with_number<kLargestSmall>(n, [&]<int N>() {
    LuLanes<T, N> lanes;
    for (int64_t i = 0; i < count; i += kLanes<T>) {
      int64_t used = std::min<int64_t>(kLanes<T>, count - i);
      to_lanes<T>(lu + i * N * N, N * N, N * N, used, lanes.a[0]);
      lanes.run();
      from_lanes<T>(lanes.a[0], N * N, N * N, used, lu + i * N * N);
      from_lanes<T>(lanes.pivots, N, N, used, pivots + i * N);
      from_lanes<T>(&lanes.codes, 1, 1, used, codes + i);
    }
  });
}

template <class T>
void solve(const T* lu, const int* pivots, int64_t count, int n, bool turned, T* x, int cols) {
  with_number<kLargestSmall>(n, [&]<int N>() {
    SolveLanes<T, N> lanes;
    for (int64_t i = 0; i < count; i += kLanes<T>) {
      int64_t used = std::min<int64_t>(kLanes<T>, count - i);
      to_lanes<T>(lu + i * N * N, N * N, N * N, used, lanes.a[0]);
      to_lanes<T>(pivots + i * N, N, N, used, lanes.pivots);
      for (int64_t c = 0; c < cols; ++c) {
        T* columns = x + (i * cols + c) * N;
        to_lanes<T>(columns, N, N * cols, used, lanes.x);
        turned ? lanes.run_turned() : lanes.run();
        from_lanes<T>(lanes.x, N, N * cols, used, columns);
      }
    }
  });
}

// a[j][i] is row i of column j; an upper triangle is the lower one of the transpose.
template <class T, int N>
struct CholeskyLanes {
  using V = Vector<T>;
  V a[N][N], codes;

  void turn() {
    for (int i = 0; i < N; ++i)
      for (int j = 0; j < i; ++j) std::swap(a[i][j], a[j][i]);
  }
  void run() {
    codes = V{};
    for (int k = 0; k < N; ++k) {
      V square = a[k][k], root;
      codes = square > V{} ? codes : V{} + T(1);
      for (int l = 0; l < kLanes<T>; ++l) root[l] = std::sqrt(square[l]);
      a[k][k] = root;
      for (int i = k + 1; i < N; ++i) {
        a[k][i] /= root;
        a[i][k] = V{};
      }
      for (int j = k + 1; j < N; ++j)
        for (int i = j; i < N; ++i) a[j][i] -= a[k][i] * a[k][j];
    }
  }
};

template <class T>
void cholesky(T* a, int64_t count, int n, bool upper, int* codes) {
  with_number<kLargestSmall>(n, [&]<int N>() {
    CholeskyLanes<T, N> lanes;
    for (int64_t i = 0; i < count; i += kLanes<T>) {
      int64_t used = std::min<int64_t>(kLanes<T>, count - i);
      to_lanes<T>(a + i * N * N, N * N, N * N, used, lanes.a[0]);
      if (upper) lanes.turn();
      lanes.run();
      if (upper) lanes.turn();
      from_lanes<T>(&lanes.codes, 1, 1, used, codes + i);
      for (int64_t l = 0; l < used; ++l)
        for (int64_t e = 0; !codes[i + l] && e < N * N; ++e)
          a[(i + l) * N * N + e] = reinterpret_cast<const T*>(lanes.a[0] + e)[l];
    }
  });
}

template <class T>
constexpr SmallMatricesOf<T> kLoops = {invert<T>, factor<T>, cholesky<T>, solve<T>};

RL_REGISTER(OfSmallInverses, isa_rank(RL_ISA_NAME), SmallMatrices{kLoops<float>, kLoops<double>});

}  // namespace
}  // namespace RL_ISA_NS
}  // namespace rl
