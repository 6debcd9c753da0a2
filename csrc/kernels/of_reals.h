// What is compiled once per instruction-set level for float and for double, and found by either.
#pragma once
#include <type_traits>

namespace rl {

template <template <class> class F>
struct OfReals {
  F<float> f32;
  F<double> f64;
  template <class T>
  const F<T>& of() const {
    if constexpr (std::is_same_v<T, float>)
      return f32;
    else
      return f64;
  }
};

}  // namespace rl
