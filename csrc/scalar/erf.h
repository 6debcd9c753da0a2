// The error function family: erf, erfc, erfcx, erfinv. Branch-free, so loops over them vectorise.
// erf: a polynomial in x^2 below 1, and 1 - exp(-q(x)) above, with q a minimax fit of -log(erfc).
// erfc: exp(-x^2) times erfcx, whose fit is in (x-3)/(x+3), so one polynomial reaches infinity.
#pragma once

#include "log.h"

namespace rl::math {

static inline float erf_small(float x) {
  float p = horner(x * x, 0.128379166f, -0.37612626f, 0.112835787f, -0.0268533472f, 0.0051871622f,
                   -0.00079978531f, 7.80690389e-5f);
  return mad(x, p, x);
}
static inline double erf_small(double x) {
  double p = horner(x * x, 0x1.06eba8214db68p-3, -0x1.812746b03799dp-2, 0x1.ce2f21a03f8bep-4,
                    -0x1.b82ce311a9a86p-6, 0x1.565bcceee2793p-8, -0x1.c02daeb890f9fp-11,
                    0x1.f9a296dd879eep-14, -0x1.f4c8316d88939p-17, 0x1.b96b6b7cfb54ap-20,
                    -0x1.5b8cb8fdd7260p-23, 0x1.d3ddcdab4337dp-27, -0x1.a236af848ab53p-31);
  return mad(x, p, x);
}
// -log(erfc(a)) for 1 <= a, up to where erf is 1.
static inline float neg_log_erfc(float a) {
  float x = a > 4.0f ? 4.0f : a;
  return horner(x, 0.00035376742f, 1.12703979f, 0.638226151f, 0.103036925f, -0.0218051076f,
                0.00293956045f, -0.000185570534f);
}
static inline double neg_log_erfc(double a) {
  double x = a > 5.95 ? 5.95 : a;
  return horner(
      x, 0x1.f974ddf8a673bp-26, 0x1.20dd70854847cp+0, 0x1.45f329ccde941p-1, 0x1.a4f2c35418646p-4,
      -0x1.3962c78cb38c6p-6, -0x1.a9d6f26bf9c0cp-13, 0x1.b750567019dbbp-10, -0x1.22061ac9ebf05p-11,
      -0x1.672d7621492fap-16, 0x1.cf2d2b511bd54p-14, -0x1.0eebc1db34c6ep-14, 0x1.964491d61c084p-16,
      -0x1.c5eea1860ec54p-18, 0x1.89325f1eab88dp-20, -0x1.0969bd98c2a9fp-22, 0x1.1355cc1a5c2f2p-25,
      -0x1.a90d32ef65cf6p-29, 0x1.cc5860c1c0b3ap-33, -0x1.382d47b3f3959p-37, 0x1.8ee3b87de6636p-43);
}
template <class T>
static inline T erf_any(T x) {
  T a = abs(x);
  T large = T(1) - exp_normal(-neg_log_erfc(a));
  return a < T(1) ? erf_small(x) : flip_sign(large, x);
}
static inline float erf(float x) { return erf_any(x); }
static inline double erf(double x) { return erf_any(x); }

// exp(x^2) erfc(x) for x >= 1/2.
static inline double erfcx_large(double x) {
  double inverse = 1.0 / (x + 3.0), q = x > 1e18 ? 1.0 : (x - 3.0) * inverse;
  double p = horner(
      q, 0x1.40c522d7e4987p+0, -0x1.15c084bb9e8c7p-3, -0x1.85a15c58a9ce2p-5, 0x1.098366a5b313cp-3,
      -0x1.e88b803a592b6p-4, 0x1.17ca2878573d2p-4, -0x1.8574c406791bcp-6, 0x1.4b884d60819ap-9,
      0x1.ef1bd9e0a880cp-10, -0x1.98db2dad6427ap-11, -0x1.b9115ab7fe865p-14, 0x1.0656e0b4b14d8p-13,
      0x1.4bfeefc02c657p-18, -0x1.50d66491e3f9ep-16, -0x1.89d7d45a4705dp-21, 0x1.ca9db7ded5d3cp-19,
      0x1.9aa63c2f2699bp-22, -0x1.21ccbca4eebefp-21, -0x1.b5db3ccd7f11ep-23, 0x1.b1f417bbed3fp-25,
      0x1.d79e211a0f2d4p-24, -0x1.85de7c96e508dp-27, -0x1.3bd06004de303p-25, 0x1.a19f25ce21817p-27);
  return 0.5 * p / (0.5 + x);
}

static inline double erfc(double x) {
  double a = abs(x), b = a > 30.0 ? 30.0 : a < 0.5 ? 0.5 : a;
  double square = b * b, lost = fused(b, b, -square);
  double large = exp_with_tail(-square, -lost) * erfcx_large(b);
  double outer = x < 0.0 ? 2.0 - large : large;
  return a < 0.5 ? 1.0 - erf_small(x) : is_nan(x) ? x : outer;
}
// (1 + 2x) erfcx(x) to 30 bits, q = (x - 3) / (x + 3).
template <class T>
static inline T erfcx_fit(T q) {
  return horner(q, T(0x1.40c522d7efb3p+0), T(-0x1.15c084a98585dp-3), T(-0x1.85a15d56474dp-5),
                T(0x1.098362745c8bcp-3), T(-0x1.e88b720aaa1dp-4), T(0x1.17cab7aac00cp-4),
                T(-0x1.857707f38741cp-6), T(0x1.4b03f4db0ede7p-9), T(0x1.efbfa936a879ap-10),
                T(-0x1.914eb0acb88f7p-11), T(-0x1.cdc5fe850dc03p-14), T(0x1.9f829df91f2fep-14),
                T(0x1.17b705e1e98d3p-17));
}
// For float: the same in double to 30 bits.
static inline float erfc(float x) {
  constexpr double kLog2e = ExpConst<double>::kLog2e;
  float a = abs(x);
  double b = double(a > 12.0f ? 12.0f : a < 0.5f ? 0.5f : a), q = (b - 3.0) / (b + 3.0);
  double large = exp2_for_float(-kLog2e * b * b) * erfcx_fit(q) / (1.0 + 2.0 * b);
  float outer = float(x < 0.0f ? 2.0 - large : large);
  float inner = float(1.0 - double(erf_small(x)));
  return a < 0.5f ? inner : is_nan(x) ? x : outer;
}

// The normal distribution function, erfc(-x / sqrt(2)) / 2, and its density.
template <class T>
struct Normal {
  T cdf, density;
};
static inline Normal<double> normal(double x) {
  return {0.5 * erfc(x * -0.70710678118654752440), 0.39894228040143267794 * exp(-0.5 * x * x)};
}
// Without double, which has half the lanes: what rounding x^2 loses is given back, and the cdf of
// -a is exp(-a^2/2) times a polynomial in (a - 3) / (a + 3) over a + 3. The exponential is raised
// by 2^64, and the constants lowered, so that it never is subnormal.
static inline Normal<float> normal(float x) {
  float a = limited_abs(x, 14.5f), inverse = 1.0f / (a + 3.0f);
  float half = -0.5f * a, square = half * a, rough = exp_raised(square);
  float bell = mad(rough, fused(half, a, -square), rough);
  constexpr float kLower = 0x1p-64f;
  float curve =
      horner((a - 3.0f) * inverse, 0.72908366f * kLower, -0.5093323f * kLower, 0.2300194f * kLower,
             -0.047255285f * kLower, -0.010480096f * kLower, 0.00692002f * kLower,
             0.0010747374f * kLower, -0.00089775626f * kLower, -0.000262992864f * kLower);
  float tail = bell * (inverse * curve);
  return {x > 0.0f ? 1.0f - tail : tail, bell * (0.39894228f * kLower)};
}

static inline double erfcx(double x) {
  double a = abs(x), b = a < 0.5 ? 0.5 : a;
  double square = a * a, lost = a < 30.0 ? fused(a, a, -square) : 0.0;
  double grown = exp_with_tail(square, lost), large = erfcx_large(b);
  double outer = x < 0.0 ? 2.0 * grown - large : large;
  return a < 0.5 ? grown * (1.0 - erf_small(x)) : outer;
}
static inline float erfcx(float x) { return float(erfcx(double(x))); }

// erfinv to 2^-28, by polynomials in w = -log(1 - x^2) and, in the tail, its root.
static inline double erfinv_guess(double x) {
  double w = -log(fused(-x, x, 1.0)), t = w - 2.5, s = sqrt(w) - 4.0;
  double middle = horner(t, 0x1.805c5cff6ea59p+0, 0x1.f91e88bf11702p-3, -0x1.11c3e0d4a8184p-8,
                         -0x1.486277a925fb2p-10, 0x1.c9bb62736e08cp-13, -0x1.507b9b3d118e7p-18,
                         -0x1.cbd5da0839bbdp-19, 0x1.0489df52c3c09p-21, 0x1.1ad4399e03e95p-26,
                         -0x1.999980853a7ebp-27, 0x1.e01b91ff401dfp-32, 0x1.9751df606c549p-33);
  double tail = horner(
      s, 0x1.eb7e0905da254p+1, 0x1.026e25ca87f4fp+0, 0x1.4a52dbbf4ef9ap-10, -0x1.c76214f4e051ep-11,
      0x1.4f1f02eb27a1ep-12, -0x1.f43dcbe2d4a26p-14, 0x1.ec98a9822c41bp-15, -0x1.00a05b6f7ec6dp-15,
      0x1.fe84d096be924p-17, -0x1.54866d7b33b94p-17, 0x1.5d1abcc67d13ap-18, -0x1.8559737a13a69p-24,
      -0x1.1a6a19ecc488bp-20, 0x1.2100995bfdc73p-22, 0x1.81183ee952fb4p-25, -0x1.24d9000f8162ap-26);
  return x * (w < 5.0 ? middle : tail);
}
// One Halley step on erf(y) = x, through erfc where erf is near 1.
static inline double erfinv(double x) {
  constexpr double kRootPiHalf = 0.88622692545275801365;
  double a = abs(x), inside = a < 1.0 ? a : 0.5;
  double y = erfinv_guess(inside);
  double square = y * y, grown = exp_with_tail(square, fused(y, y, -square));
  double near_one = mad(1.0 - inside, grown, -erfcx_large(y < 0.5 ? 0.5 : y));
  double near_zero = (erf_small(y) - inside) * grown;
  double step = kRootPiHalf * (inside < 0.75 ? near_zero : near_one);
  double refined = y - step / (1.0 + y * step);
  double edge = a == 1.0 ? kInf<double> : kNan<double>;
  return flip_sign(a < 1.0 ? refined : edge, x);
}
static inline float erfinv(float x) {
  float a = abs(x), inside = a < 1.0f ? x : 0.5f;
  float edge = a == 1.0f ? flip_sign(kInf<float>, x) : kNan<float>;
  return a < 1.0f ? float(erfinv_guess(double(inside))) : edge;
}

}  // namespace rl::math
