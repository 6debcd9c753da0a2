// The order of extrema, in vector or scalar form: NaN wins over every number. What is made of it,
// and which element is reported of several, is the folds' business.
#pragma once
#include <limits>

#include "kernels/reduce_columns.h"

namespace rl {
namespace RL_ISA_NS {
namespace {

// Lanes in which a or b is a NaN, by one instruction where gcc would make three.
template <class T>
inline auto any_nan(Vector<T> a, Vector<T> b) {
#if defined(__AVX2__) && !defined(__AVX512F__)
  using Where = decltype(a < b);
  if constexpr (std::is_same_v<T, float>)
    return std::bit_cast<Where>(_mm256_cmp_ps(a, b, _CMP_UNORD_Q));
  else if constexpr (std::is_same_v<T, double>)
    return std::bit_cast<Where>(_mm256_cmp_pd(a, b, _CMP_UNORD_Q));
  else
    return (a != a) | (b != b);
#else
  return (a != a) | (b != b);
#endif
}
// `better` in vector or scalar form: x should replace a.
template <bool Max, class V>
inline auto beats(V x, V a) {
  if constexpr (Max)
    return (x > a) | (x != x);
  else
    return (x < a) | (x != x);
}
template <class T, bool Max>
constexpr T worst() {
  using L = std::numeric_limits<T>;
  if constexpr (L::has_infinity)
    return Max ? -L::infinity() : L::infinity();
  else
    return Max ? L::lowest() : L::max();
}

// The same of numbers, by one instruction; which of two it is that has a NaN is not said.
template <bool Max>
struct NumberStep {
  template <class V>
  static V join(V a, V x) {
    if constexpr (Max)
      return x > a ? x : a;
    else
      return x < a ? x : a;
  }
};
template <bool Max>
struct ExtremeStep {
  template <class T>
  static constexpr T none() {
    return worst<T, Max>();
  }
  template <class V>
  static V first(V x) {
    return x;
  }
  template <class V>
  static V next(V a, V x) {
    return beats<Max>(x, a) ? x : a;
  }
  template <class V>
  static V join(V a, V b) {
    return next(a, b);
  }
};

// Of folds of several element types, that for a dtype, or for what such elements are loaded as.
template <bool Ordered, template <class> class F, class... T>
const Fold& fold_among(DType d) {
  static constexpr Fold folds[] = {make_fold<F<T>>(Ordered)...};
  for (const Fold& f : folds)
    if (f.element == (d == DType::Bool ? DType::U8 : d)) return f;
  return fold_among<Ordered, F, T...>(is_floating(d) ? DType::F32 : DType::I64);
}

inline void check_ordered(const Call& c) {
  DType d = c.tensor(0).dtype;
  if (is_complex(d))
    fail(ErrorKind::NotImplemented, c.op, ": complex numbers have no order, got ", d,
         "; take abs(), or real and imag");
  if (d == DType::U64) fail(ErrorKind::NotImplemented, c.op, ": not implemented for ", d);
}

}  // namespace
}  // namespace RL_ISA_NS
}  // namespace rl
