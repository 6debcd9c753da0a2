// Sums and products of integers that wrap on overflow, as their results are defined to; of other
// numbers as ever.
#pragma once
#include <cstdint>
#include <type_traits>

namespace rl {

// Unsigned, and no wider than it must be, so that small integers vectorise.
template <class T>
using Wrap = std::conditional_t<sizeof(T) <= 4, uint32_t, uint64_t>;

template <class T>
inline T wrapped_sum(T a, T b) {
  if constexpr (std::is_integral_v<T>)
    return T(Wrap<T>(a) + Wrap<T>(b));
  else
    return a + b;
}
template <class T>
inline T wrapped_product(T a, T b) {
  if constexpr (std::is_integral_v<T>)
    return T(Wrap<T>(a) * Wrap<T>(b));
  else
    return a * b;
}

}  // namespace rl
