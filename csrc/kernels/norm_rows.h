// What the kernels that normalise rows share (layer norm, group norm, and RMS norm, whose rows keep
// their mean). The input is seen as [rows, cols]; the affine parameter of element (r, c) is number
// (r mod groups) * (cols / inner) + c / inner, which is c for layer norm (groups = inner = 1) and
// the channel for group norm. Included by files compiled once per level.
#pragma once
#include <array>

#include "core/allocator.h"
#include "kernels/kept.h"
#include "kernels/layouts.h"
#include "kernels/norm.h"
#include "kernels/norm_last.h"

namespace rl {
namespace RL_ISA_NS {
namespace {

struct RowLayout {
  int64_t rows, cols, groups, inner;
  int64_t features() const { return cols / inner; }  // affine parameters of one row
  // As in layer norm: every element of every row has parameters of its own.
  bool has_own_features() const { return inner == 1 && groups == 1; }
  int64_t grain() const { return std::max<int64_t>(1, 16384 / std::max<int64_t>(1, cols)); }
};

inline RowLayout layout(const Tensor& x, int64_t rows, int64_t groups, int64_t inner) {
  return {rows, rows ? x.numel / rows : 0, groups, std::max<int64_t>(1, inner)};
}

// N vectors of a run that ends before `end`; past that, zeros.
template <int N, class T>
[[gnu::always_inline]] inline void load_some(const T* from, const T* end, Vector<T> (&v)[N]) {
  if (end - from >= N * kLanes<T>) [[likely]] {
    for (int i = 0; i < N; ++i) v[i] = load_vector(from + i * kLanes<T>);
  } else {
    for (auto& part : v) part = Vector<T>{};
    __builtin_memcpy(v, from, (end - from) * sizeof(T));
  }
}
// Calls use<N>() for a run of n elements that N vectors hold; false if those are too many.
template <class T, class Use>
bool in_few_vectors(int64_t n, Use&& use) {
  constexpr int64_t V = kLanes<T>;
  if (n > 4 * V || n <= 0) return false;
  if (n <= V)
    use.template operator()<1>();
  else if (n <= 2 * V)
    use.template operator()<2>();
  else
    use.template operator()<4>();
  return true;
}
template <int N, class T>
[[gnu::always_inline]] inline void store_some(const Vector<T> (&v)[N], T* to, const T* end) {
  if (end - to >= N * kLanes<T>) [[likely]]
    for (int i = 0; i < N; ++i) store_vector(to + i * kLanes<T>, v[i]);
  else
    __builtin_memcpy(to, v, (end - to) * sizeof(T));
}

// Rows that N vectors hold are read and written as whole vectors: what these have of the next row
// counts for nothing, and that row is written later.
template <int N, class T>
struct ShortRow {
  using Places = decltype(Vector<T>{} < Vector<T>{});
  static constexpr int64_t V = kLanes<T>;
  using Place = std::remove_cvref_t<decltype(Places{}[0])>;
  static constexpr auto kPlaces = [] {
    std::array<Place, N * V> places;
    for (int64_t i = 0; i < N * V; ++i) places[i] = static_cast<Place>(i);
    return places;
  }();
  Places own[N];
  explicit ShortRow(int64_t cols) {
    __builtin_memcpy(own, kPlaces.data(), sizeof own);
    for (auto& part : own) part = part < static_cast<Place>(cols);
  }
  // Parameters of the row, or `otherwise`.
  static void parameters(const T* p, int64_t cols, T otherwise, Vector<T> (&v)[N]) {
    if (p) return load_some(p, p + cols, v);
    for (auto& part : v) part = Vector<T>{} + otherwise;
  }
  // The sum of f(i) over the row.
  template <class F>
  [[gnu::always_inline]] T sum(F f) const {
    Vector<T> total{};
    for (int i = 0; i < N; ++i) total += own[i] ? f(i) : Vector<T>{};
    return join_lanes<SumStep, T>(total);
  }
};

// Groups of channels that lie last: they stay there, and each example is laid out on its own.
inline bool lie_last(const Tensor& x, const RowLayout& l) {
  return !l.has_own_features() && varies_channels_first(x) && l.rows == x.size(0) * l.groups;
}
inline Ref<Tensor> example(const Tensor& t, int64_t n) {
  SizeVec sizes(t.sizes().begin(), t.sizes().end());
  sizes[0] = 1;
  return alias(t, sizes, t.strides(), t.offset + n * t.stride(0));
}
inline Ref<Tensor> room_for_example(const Tensor& t, DType dtype) {
  return empty(example(t, 0)->sizes(), dtype);
}
inline void add_row_out(Call& c, const Tensor& x, const RowLayout& l) {
  OutSpec& s = c.add_out(x.sizes(), x.dtype);
  if (lie_last(x, l)) keep_layout(x, s);
}
// Channels that fill a vector are not laid out anew.
template <class T>
bool fills_vectors(const Tensor& x) {
  return x.size(1) >= kLanes<T>;
}
inline LastLayout last_layout(const Tensor& x, int64_t groups) {
  return {x.size(0), x.numel / x.size(0) / x.size(1), x.size(1), groups};
}

}  // namespace
}  // namespace RL_ISA_NS
}  // namespace rl
