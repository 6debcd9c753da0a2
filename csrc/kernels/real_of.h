// The type of the parts of a real or complex number.
#pragma once
#include "core/complex.h"

namespace rl {

template <class T>
struct RealOf {
  using type = T;
};
template <class R>
struct RealOf<Complex<R>> {
  using type = R;
};
template <class T>
using Real = typename RealOf<T>::type;

}  // namespace rl
