// Functions of Lanes that are one exponential away, as overloads of those of numbers in exp.h and
// log.h: the same methods with exp_lanes and without divisions.
#pragma once

#include "exp_block.h"
#include "log.h"

#ifdef RL_HAS_LANES
namespace rl::math {

// The exponential may be infinite. A real division, which other units make meanwhile.
static inline Lanes sigmoid(Lanes x) { return 1 / (1 + exp_lanes<true>(-x)); }
#ifdef RL_HAS_TABLES
// With what 1 + e and the quotient lose, as of one double in exp.h.
static inline DoubleLanes sigmoid(DoubleLanes x) {
  DoubleLanes e = exp_lanes(below_zero(x)), over = x < 0 ? e : fill_double(1), under = 1 + e;
  DoubleLanes lost = e - (under - 1), by = inverse(under), q = over * by;
  return mad(mad(-q, lost, mad(-q, under, over)), by, q);
}
#endif
// log(1 + exp(x)) for x <= 0, by a fit of (log(1 + e) - e) / e^2.
static inline Lanes log1p_exp_below(Lanes x) {
  Lanes e = exp_lanes<true>(x);
  Lanes curve = horner(e, -0.499999315f, 0.333304763f, -0.249582469f, 0.196937457f, -0.153508499f,
                       0.10673169f, -0.057594087f, 0.0201682653f, -0.003310628f);
  return mad(e * e, curve, e);
}
// log(1 + exp(x)), without overflow; a NaN stays one.
static inline Lanes log1p_exp(Lanes x) {
  return larger(x, fill(0)) + log1p_exp_below(below_zero(x));
}
static inline Lanes log_sigmoid(Lanes x) {
  return smaller(x, fill(0)) - log1p_exp_below(below_zero(x));
}

}  // namespace rl::math
#endif
