// Inverses of kLanes small matrices side by side, one in each lane of a vector: elimination with
// partial pivoting, where each lane has its own pivots. Compiled once per instruction-set level.
#include "kernels/small_inverse.h"

#include <algorithm>

#include "kernels/vectors.h"

namespace rl {
namespace RL_ISA_NS {
namespace {

template <class T>
struct Elimination {
  using V = Vector<T>;
  int n;
  V a[kLargestSmallInverse][kLargestSmallInverse], b[kLargestSmallInverse][kLargestSmallInverse];
  V codes;

  static V size(V x) { return x < 0 ? -x : x; }
  V zero_where(auto mask, V x) const { return mask ? V{} : x; }

  // The row of the largest number of column k from row k on changes places with row k.
  void pivot(int k) {
    V best = size(a[k][k]), row = V{} + T(k);
    for (int i = k + 1; i < n; ++i) {
      V candidate = size(a[i][k]);
      auto better = candidate > best;
      best = better ? candidate : best;
      row = better ? V{} + T(i) : row;
    }
    for (int i = k + 1; i < n; ++i) {
      auto here = row == V{} + T(i);
      auto exchange = [&](V& x, V& y) {
        V old = x;
        x = here ? y : x;
        y = here ? old : y;
      };
      for (int c = k; c < n; ++c) exchange(a[k][c], a[i][c]);
      for (int c = 0; c < n; ++c) exchange(b[k][c], b[i][c]);
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

RL_REGISTER(OfSmallInverses, isa_rank(RL_ISA_NAME), SmallInverses{invert<float>, invert<double>});

}  // namespace
}  // namespace RL_ISA_NS
}  // namespace rl
