// Maxima so far and where they are, in vectors; NaN wins. Included by files compiled once per
// level.
#pragma once
#include <limits>
#include <utility>

#include "kernels/vectors.h"

namespace rl {
namespace RL_ISA_NS {
namespace {

template <class T>
constexpr T kLowest = std::is_floating_point_v<T> ? -std::numeric_limits<T>::infinity()
                                                  : std::numeric_limits<T>::lowest();

// The kernels take an `index` of int64_t*, or of Nowhere if only the values are wanted.
struct Nowhere {
  Nowhere operator+(int64_t) const { return {}; }
};
inline void put(int64_t* index, int64_t i, int64_t at) { index[i] = at; }
inline void put(Nowhere, int64_t, int64_t) {}

template <class T>
using Index = std::conditional_t<sizeof(T) == 4, int32_t, int64_t>;

// Indices of any width, kept as int64.
template <class I>
void store_indices(int64_t* to, Vector<I> v) {
  if constexpr (sizeof(I) == sizeof(int64_t)) {
    store_vector<int64_t>(to, v);
  } else {
    typename VectorOf<I, kVectorBytes / 2>::type half[2];
    __builtin_memcpy(half, &v, sizeof v);
    for (int i = 0; i < 2; ++i)
      store_vector<int64_t>(to + i * kLanes<int64_t>,
                            __builtin_convertvector(half[i], Vector<int64_t>));
  }
}

// Maxima so far, and where they are.
template <class T, int Bytes = kVectorBytes>
struct Best {
  typename VectorOf<T, Bytes>::type value;
  typename VectorOf<Index<T>, Bytes>::type at;

  template <class At>
  [[gnu::always_inline]] void take(decltype(value) v, decltype(at) here) {
    if constexpr (std::is_same_v<At, Nowhere>) {
      const auto larger = v > value ? v : value;
      value = v != v ? v : larger;
    } else {
      const auto newer = (v > value) | (v != v);
      value = newer ? v : value;
      at = newer ? here : at;
    }
  }
  // Of equals the first counts, of NaN the last; either may come first.
  void join(const Best& b) {
    auto nan = b.value != b.value;
    auto take = (b.value > value) | ((b.value == value) & (b.at < at)) |
                (nan & ((value == value) | (b.at > at)));
    value = take ? b.value : value;
    at = take ? b.at : at;
  }
};
template <class T>
void store_best(const Best<T>& b, T* out, int64_t* index) {
  store_vector<T>(out, b.value);
  store_indices<Index<T>>(index, b.at);
}
template <class T>
void store_best(const Best<T>& b, T* out, Nowhere) {
  store_vector<T>(out, b.value);
}

template <class T, int Bytes>
std::pair<T, int64_t> best_lane(const Best<T, Bytes>& b) {
  using Half = Best<T, Bytes / 2>;
  Half half[2];
  __builtin_memcpy(&half[0].value, &b.value, sizeof b.value / 2);
  __builtin_memcpy(&half[1].value, reinterpret_cast<const char*>(&b.value) + sizeof b.value / 2,
                   sizeof b.value / 2);
  __builtin_memcpy(&half[0].at, &b.at, sizeof b.at / 2);
  __builtin_memcpy(&half[1].at, reinterpret_cast<const char*>(&b.at) + sizeof b.at / 2,
                   sizeof b.at / 2);
  half[0].join(half[1]);
  if constexpr (Bytes / 2 == sizeof(T))
    return {half[0].value[0], half[0].at[0]};
  else
    return best_lane(half[0]);
}

}  // namespace
}  // namespace RL_ISA_NS
}  // namespace rl
