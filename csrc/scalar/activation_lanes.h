// Functions of Lanes that are one exponential away, as overloads of those of numbers in exp.h and
// log.h: the same methods with exp_lanes and without divisions.
#pragma once

#include "exp_block.h"
#include "log.h"

#ifdef RL_HAS_LANES
namespace rl::math {

// The exponential may be infinite. A real division, which other units make meanwhile.
static inline Lanes sigmoid(Lanes x) { return 1 / (1 + exp_lanes<true>(-x)); }
// With what 1 + e and the quotient lose, as of one double in exp.h.
template <class V>
[[gnu::always_inline]] static inline V sigmoid_of_doubles(V x) {
  V e = exp_lanes(below_zero(x)), over = select(x < 0, e, V{} + 1), under = 1 + e;
  V lost = e - (under - 1), by = inverse(under), q = over * by;
  return mad(mad(-q, lost, mad(-q, under, over)), by, q);
}
#ifdef RL_HAS_TABLES
static inline DoubleLanes sigmoid(DoubleLanes x) { return sigmoid_of_doubles(x); }
#else
static inline Twin<float> sigmoid(Twin<float> x) { return 1 / (1 + exp_lanes<true>(-x)); }
static inline Twin<double> sigmoid(Twin<double> x) { return sigmoid_of_doubles(x); }
#endif
template <class V>
inline constexpr bool kManyLanes = sizeof(V) > sizeof(double);
// log(1 + exp(x)) for x <= 0, by a fit of (log(1 + e) - e) / e^2. For floats.
template <class V>
  requires kManyLanes<V>
[[gnu::always_inline]] static inline V log1p_exp_below(V x) {
  V e = exp_lanes<true>(x);
  V curve = horner(e, -0.499999315f, 0.333304763f, -0.249582469f, 0.196937457f, -0.153508499f,
                   0.10673169f, -0.057594087f, 0.0201682653f, -0.003310628f);
  return mad(e * e, curve, e);
}
// log(1 + exp(x)), without overflow; a NaN stays one.
template <class V>
  requires kManyLanes<V>
static inline V log1p_exp(V x) {
  return larger(x, V{}) + log1p_exp_below(below_zero(x));
}
template <class V>
  requires kManyLanes<V>
static inline V log_sigmoid(V x) {
  return smaller(x, V{}) - log1p_exp_below(below_zero(x));
}

}  // namespace rl::math
#endif
