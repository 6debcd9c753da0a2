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

#ifdef RL_HAS_TABLES
// The Mills ratio exp(a^2/2) cdf(-a), by polynomials in a - kMillsCentre for 16 ranges: those of
// a + 1 have the same two highest bits of the fraction, which choose from the tables with the two
// lowest of the exponent.
alignas(64) inline constexpr float kMillsCentre[16] = {1.25f,  1.75f,  2.25f,  2.75f, 3.5f,  4.5f,
                                                       5.5f,   6.5f,   8.0f,   10.0f, 12.0f, 14.0f,
                                                       0.125f, 0.375f, 0.625f, 0.875f};
alignas(64) inline constexpr float kMills[6][16] = {
    {0.230760321f, 0.185231671f, 0.153651938f, 0.130724728f, 0.106345162f, 0.084803395f,
     0.0703426972f, 0.0600156747f, 0.0491225496f, 0.0395066962f, 0.0330189727f, 0.0283526611f,
     0.453793228f, 0.379604429f, 0.323356181f, 0.279770583f},
    {-0.110491872f, -0.0747868717f, -0.0532254204f, -0.0394492596f, -0.0267342441f, -0.0173270162f,
     -0.0120574636f, -0.00884039048f, -0.00596191082f, -0.00387533964f, -0.00271462766f,
     -0.00200503296f, -0.342218131f, -0.256590635f, -0.196844682f, -0.154143035f},
    {0.0463217422f, 0.0271761641f, 0.0169471838f, 0.0111203082f, 0.00638710056f, 0.00341573195f,
     0.00201318669f, 0.00127657212f, 0.00071355945f, 0.000376621349f, 0.000221703362f,
     0.00014109342f, 0.205504268f, 0.141690493f, 0.100157417f, 0.0724411383f},
    {-0.0175296031f, -0.00907497667f, -0.00503127789f, -0.00295697642f, -0.00145903777f,
     -0.000651777373f, -0.000328041846f, -0.000180901407f, -8.42824666e-05f, -3.62764513e-05f,
     -1.79915005e-05f, -9.88164084e-06f, -0.10550762f, -0.067814596f, -0.0447434746f,
     -0.0302474219f},
    {0.00615516119f, 0.00285673467f, 0.00141533732f, 0.000738964474f, 0.000325702422f,
     0.000122348953f, 5.31026744e-05f, 2.52802656e-05f, 1.00223051e-05f, 3.52372285e-06f,
     1.47759897e-06f, 6.97793269e-07f, 0.0484358445f, 0.0291918088f, 0.0185139347f, 0.0119351828f},
    {-0.00199037045f, -0.000838712556f, -0.000374815776f, -0.000177561698f, -6.88716464e-05f,
     -2.20189595e-05f, -8.27342774e-06f, -3.45527155e-06f, -1.15296734e-06f, -3.33740076e-07f,
     -1.1854101e-07f, -4.81820628e-08f, -0.020090891f, -0.011621464f, -0.00695597613f,
     -0.00424910756f}};
static inline Lanes mills_ratio(Lanes a) {
  Lanes index = (Lanes)((LaneBits)(a + 1) >> 21), t = a - look_up(load_lanes(kMillsCentre), index);
  Lanes value = look_up(load_lanes(kMills[5]), index);
  for (int k = 4; k >= 0; --k) value = mad(value, t, look_up(load_lanes(kMills[k]), index));
  return value;
}
struct NormalLanes {
  Lanes cdf, density;
};
// As of one float in erf.h: what rounding the square loses is given back.
static inline NormalLanes normal(Lanes x) {
  Lanes a = smaller(fill(14.5f), abs(x)), half = -0.5f * a, square = half * a;
  auto [bell, n] = exp_split(square, mad(half, a, -square));
  Lanes tail = scale_by_power(bell * mills_ratio(a), n);
  return {x > 0 ? 1 - tail : tail, scale_by_power(bell, n) * 0.39894228f};
}
#endif

}  // namespace rl::math
#endif
