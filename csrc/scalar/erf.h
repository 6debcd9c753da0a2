// The error function family: erf (erfc, erfcx and erfinv join it here).
// Branch-free, so loops over them vectorise. Method for erf: a polynomial in x^2 below 1, and
// 1 - exp(-q(x)) above, with q a minimax fit of -log(erfc).
#pragma once

#include "exp.h"

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
  return horner(x, 0x1.f974ddf8a673bp-26, 0x1.20dd70854847cp+0, 0x1.45f329ccde941p-1,
                0x1.a4f2c35418646p-4, -0x1.3962c78cb38c6p-6, -0x1.a9d6f26bf9c0cp-13,
                0x1.b750567019dbbp-10, -0x1.22061ac9ebf05p-11, -0x1.672d7621492fap-16,
                0x1.cf2d2b511bd54p-14, -0x1.0eebc1db34c6ep-14, 0x1.964491d61c084p-16,
                -0x1.c5eea1860ec54p-18, 0x1.89325f1eab88dp-20, -0x1.0969bd98c2a9fp-22,
                0x1.1355cc1a5c2f2p-25, -0x1.a90d32ef65cf6p-29, 0x1.cc5860c1c0b3ap-33,
                -0x1.382d47b3f3959p-37, 0x1.8ee3b87de6636p-43);
}
template <class T>
static inline T erf_any(T x) {
  T a = abs(x);
  T large = T(1) - exp_normal(-neg_log_erfc(a));
  return a < T(1) ? erf_small(x) : flip_sign(large, x);
}
static inline float erf(float x) { return erf_any(x); }
static inline double erf(double x) { return erf_any(x); }

}  // namespace rl::math
