// The error function family: erf, erfc, erfcx, erfinv. Branch-free, so loops over them vectorise.
// erf: a polynomial in x^2 below 1, and 1 - exp(-q(x)) above, with q a minimax fit of -log(erfc);
// in float 1 - 2^q(x), about a point where log2(erfc) is nearly a float.
// erfc: exp(-x^2) times erfcx, whose fit is in (x-3)/(x+3), so one polynomial reaches infinity; in
// double both are pairs.
#pragma once

#include "log.h"

namespace rl::math {

template <Of<float> T>
static inline T erf_small(T x) {
  T p = horner(x * x, 0.128379166f, -0.376126289f, 0.112836234f, -0.0268555526f, 0.00519198645f,
               -0.000804603449f, 7.98536785e-05f);
  return mad(x, p, x);
}
// For 0.95 <= a; a NaN stays one.
template <Of<float> T>
static inline T log2_erfc(T a) {
  return horner(at_most(a, 3.93f) - 1.0626869f, -2.91187429f, -3.96041656f, -1.22728848f,
                -0.0564187765f, 0.0135065531f, -0.00257470366f, 0.00027966607f);
}
// 1 - 2^q
template <Of<float> T>
static inline T less_exp2(T q) {
  constexpr float kShift = Bits<float>::kRound + Bits<float>::kBias;
  T shifted = q + kShift;
  T power = horner(q - (shifted - kShift), 1.0f, 0.693147182f, 0.240226477f, 0.0555035993f,
                   0.00961850584f, 0.00133908063f, 0.000153264715f);
  return mad(-from_bits<T>(to_bits(shifted) << Bits<float>::kMantissa), power, 1.0f);
}
template <Of<float> T>
static inline T erf(T x) {
  T a = abs(x), q = log2_erfc(a), small = erf_small(a);  // which processors compute side by side
  return flip_sign(select(a < 0.95f, small, less_exp2(q)), x);
}
// erf(x)/x - 1 for |x| <= 1, given x^2.
template <Of<double> T>
static inline T erf_curve(T z) {
  return horner(z, 0x1.06eba8214db68p-3, -0x1.812746b03799dp-2, 0x1.ce2f21a03f8bep-4,
                -0x1.b82ce311a9a86p-6, 0x1.565bcceee2793p-8, -0x1.c02daeb890f9fp-11,
                0x1.f9a296dd879eep-14, -0x1.f4c8316d88939p-17, 0x1.b96b6b7cfb54ap-20,
                -0x1.5b8cb8fdd7260p-23, 0x1.d3ddcdab4337dp-27, -0x1.a236af848ab53p-31);
}
template <Of<double> T>
static inline T erf_small(T x) {
  return mad(x, erf_curve(x * x), x);
}
// -log(erfc(a)) for 1 <= a, up to where erf is 1.
template <Of<double> T>
static inline T neg_log_erfc(T a) {
  return horner(at_most(a, 5.95), 0x1.f974ddf8a673bp-26, 0x1.20dd70854847cp+0, 0x1.45f329ccde941p-1,
                0x1.a4f2c35418646p-4, -0x1.3962c78cb38c6p-6, -0x1.a9d6f26bf9c0cp-13,
                0x1.b750567019dbbp-10, -0x1.22061ac9ebf05p-11, -0x1.672d7621492fap-16,
                0x1.cf2d2b511bd54p-14, -0x1.0eebc1db34c6ep-14, 0x1.964491d61c084p-16,
                -0x1.c5eea1860ec54p-18, 0x1.89325f1eab88dp-20, -0x1.0969bd98c2a9fp-22,
                0x1.1355cc1a5c2f2p-25, -0x1.a90d32ef65cf6p-29, 0x1.cc5860c1c0b3ap-33,
                -0x1.382d47b3f3959p-37, 0x1.8ee3b87de6636p-43);
}
template <Of<double> T>
static inline T erf(T x) {
  T a = abs(x);
  T large = 1.0 - exp_normal(-neg_log_erfc(a));
  return flip_sign(select(a < 1.0, erf_small(a), large), x);
}

// exp(x^2) erfc(x) for x >= 15/32, as a pair.
static inline Pair erfcx_large(double x) {
  double b = x > 1e18 ? 1e18 : x;
  Pair under = exact_sum(b, 3.0);
  double u = 6.0 / under.hi;
  Pair q = exact_sum(1.0, -u);  // 1 - 6/(x + 3), the rest of the quotient being u_lo
  double u_lo = mad(-u, under.lo, fused(-u, under.hi, 6.0)) * (u * (1.0 / 6));
  double slope = horner(q.hi, -0.150, -0.0869, 0.589, -0.5455);
  double w = q.hi * q.hi;  // two short chains, which overlap, instead of a long one
  double even = horner(w, -0x1.15c084bb9e8f4p-3, 0x1.098366a5b4785p-3, 0x1.17ca2877ed0d5p-4,
                       0x1.4b884e4df77f1p-9, -0x1.98db52cdced08p-11, 0x1.065a67842db3ep-13,
                       -0x1.514232f78f53bp-16, 0x1.d2ae14b3f4617p-19, -0x1.4fc3f69f12926p-21,
                       0x1.e2baafd7fd692p-24, -0x1.6175cd4e2ebbcp-26, 0x1.b32f173a35f8ap-29);
  double odd = horner(w, -0x1.85a15c58aa64fp-5, -0x1.e88b803a48135p-4, -0x1.8574c40c49111p-6,
                      0x1.ef1bddb1b03e0p-10, -0x1.b912a97207921p-14, 0x1.4c351db13c93ep-18,
                      -0x1.89ec6e113a38fp-21, 0x1.833144449d76cp-22, -0x1.37287a9e114a4p-23,
                      0x1.6ae617505e821p-25, -0x1.de340b4d8cc40p-28);
  double rest = q.hi * mad(q.hi, odd, even);
  Pair p = ordered_sum(0x1.40c522d7e4987p+0, rest),
       d = exact_sum(x, 0.5);  // p is (1 + 2x) times the value
  double inverse = 0.5 / d.hi, y = p.hi * inverse;
  double miss = fused(-2.0 * y, d.hi, p.hi) +
                mad(-2.0 * y, d.lo, p.lo + mad(q.lo - u_lo, slope, 0x1.aae02681c933dp-55));
  return {y, miss * inverse};
}

// By 1 - erf for small x.
inline constexpr double kErfcSmall = 0.46875;
static inline double erfc(double x) {
  double a = abs(x), b = a > 30.0 ? 30.0 : a < kErfcSmall ? kErfcSmall : a;
  double square = b * b;
  auto [r, tail, power] = split_exp(-square);
  Pair e = exp_series(r, tail - fused(b, b, -square)), f = erfcx_large(b);
  double p = e.hi * f.hi, p_lo = mad(e.hi, f.lo, mad(e.lo, f.hi, fused(e.hi, f.hi, -p)));
  double large = times_power(p + p_lo, power);
  double outer = x < 0.0 ? 2.0 - large : large;
  Pair less = ordered_sum(1.0, -x);
  double inner = less.hi + mad(-x, erf_curve(x * x), less.lo);
  return a < kErfcSmall ? inner : is_nan(x) ? x : outer;
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
  double z = double(x) * x;
  float inner =
      float(1.0 - x * horner(z, 0x1.20dd75041b7e9p+0, -0x1.8127466feb63bp-2, 0x1.ce2ef27efe5b9p-4,
                             -0x1.b8203bca73682p-6, 0x1.54d141ed5bbcbp-8, -0x1.937400057435cp-11));
  return a < 0.5f ? inner : is_nan(x) ? x : outer;
}

// The normal distribution function, erfc(-x / sqrt(2)) / 2, and its density.
template <class T>
struct Normal {
  T cdf, density;
};
// Without pairs: what rounding x^2 loses is given back, and the cdf of -a is
// exp(-a^2/2) times a polynomial in (a - 4) / (a + 4) over a + 4; near 0 by the curve of erf.
static inline Normal<double> normal(double x) {
  constexpr double kRootTau = 0.39894228040143267794;  // of 1 / (2 pi)
  constexpr double kRootEighth = 0.35355339059327376220;
  double a = limited_abs(x, 40.0), inverse = 1.0 / (a + 4.0), q = (a - 4.0) * inverse;
  double half = -0.5 * a, square = half * a, w = q * q;
  auto [r, tail, power] = split_exp(square);
  double bell = exp_reduced(r, tail + fused(half, a, -square));
  double even = horner(w, 0x1.82b4bb8c94dcep-1, 0x1.8c6dbf2cfc2b2p-2, 0x1.eec4cc3e4d67dp-5,
                       -0x1.c81719d59f539p-9, 0x1.17a4ae6c51f25p-13, -0x1.001eb1c9ef846p-19,
                       0x1.80b7e74449eb3p-21, -0x1.51f487d534874p-21, 0x1.23714108e4665p-22,
                       -0x1.6cf9453a70928p-24, 0x1.4c45222caf5f9p-26, -0x1.4feb2eece7cdfp-29);
  double odd = horner(w, -0x1.373e3a893c28ap-1, -0x1.7dff2bff683afp-3, -0x1.ee2761047a26cp-8,
                      0x1.ab825fbfdf713p-10, -0x1.e4a4252656cbbp-13, 0x1.26d093a1c51abp-15,
                      -0x1.8d4a7d061f347p-18, 0x1.1230bdcd8bac7p-20, -0x1.4ca06df4e0cc8p-23,
                      0x1.c97b0ae2ed9dap-27, 0x1.f9703d198aa26p-30, -0x1.7c368066c1504p-31);
  double lower = times_power(bell * (mad(q, odd, even) * inverse), power);
  double outer = x > 0.0 ? 1.0 - lower : lower, density = times_power(bell, power);
  double inner = mad(kRootEighth * x, 1.0 + erf_curve(0.5 * a * a), 0.5);
  return {a < 1.0 ? inner : outer, kRootTau * density};
}
// The same without double, which has half the lanes: the Mills ratio as a quotient. The exponential
// is raised by 2^64, and the constants lowered, so that it never is subnormal.
template <Of<float> T>
static inline Normal<T> normal(T x) {
  constexpr float kLower = 0x1p-64f;
  T a = limited_abs(x, 14.5f), half = -0.5f * a, square = half * a;
  auto [r, tail, power] = split_exp_more<Bits<float>::kBias + 64>(square);
  T scale = from_bits<T>(power << Bits<float>::kMantissa);
  T bell = mad(scale, expm1_reduced(r + fused(half, a, -square)), scale);
  T z = a * a;  // by powers of which fewer steps round
  T over = mad(a, horner(z, 0.437595129f * kLower, 0.0404418595f * kLower),
               horner(z, 0.5f * kLower, 0.182690233f * kLower, 0.00408560736f * kLower));
  T under = mad(a, horner(z, 1.67307508f, 0.468025267f, 0.0102409776f),
                horner(z, 1.0f, 1.20029736f, 0.101379268f));
  T lower = bell * over / under;
  return {select(x > 0.0f, 1.0f - lower, lower), bell * (0.39894228f * kLower)};
}

static inline double erfcx_value(double x) {
  Pair y = erfcx_large(x);
  return x > 0x1.fffffffffffffp+1023 ? 0.0 : y.hi + y.lo;
}
static inline double erfcx(double x) {
  double a = abs(x), b = a < 0.5 ? 0.5 : a;
  double square = a * a, lost = a < 30.0 ? fused(a, a, -square) : 0.0;
  double grown = exp_with_tail(square, lost), large = erfcx_value(b);
  double outer = x < 0.0 ? 2.0 * grown - large : large;
  return a < 0.5 ? grown * (1.0 - erf_small(x)) : outer;
}
static inline float erfcx(float x) { return float(erfcx(double(x))); }

// y = erfinv(x) = erfc^-1(c) for x >= 0 to 2^-32, c = 1 - x: by polynomials in w = -log(1 - x^2)
// and, in the tail, its root; beyond what 1 - x can be (Far), in the inverse of the root of
// -log(c).
template <bool Far>
static inline double erfinv_guess(double x, double c) {
  double w = -kLn2 * log2_for_float(c * (2.0 - c)), t = w - 2.5, s = sqrt(w) - 4.0;
  double middle = horner(t, 0x1.805c5cfd153a8p+0, 0x1.f91e8993d8813p-3, -0x1.11c3c5386bddap-8,
                         -0x1.4863ce69e07fbp-10, 0x1.c9b4de6683026p-13, -0x1.4f4708da4e773p-18,
                         -0x1.cab71083dac62p-19, 0x1.00ffe173c3f9ap-21, 0x1.dcb2698f8fa89p-27,
                         -0x1.7542afe1f5326p-27, 0x1.bb4c11deb839bp-31, 0x1.0fb579283e394p-33,
                         -0x1.5bf59c0faadc6p-36);
  double tail = horner(s, 0x1.eb7e0914091edp+1, 0x1.026e266393c60p+0, 0x1.4a4405618f8d9p-10,
                       -0x1.c79d6597a634dp-11, 0x1.506ac5a4451bep-12, -0x1.ede3e354db13cp-14,
                       0x1.d5f1f5b5b9e58p-15, -0x1.1329b65f6e264p-15, 0x1.31399dea960a7p-16,
                       -0x1.1ef971952f3bep-17, 0x1.c43fd78816bf5p-19, -0x1.68c799b013f68p-21,
                       -0x1.ba4485a3252cfp-22, 0x1.82aa2ce51a873p-22, -0x1.3e360d9d11b11p-24,
                       -0x1.27aacca293b70p-26, 0x1.39a6a81ca583cp-27, -0x1.15a718e2c7681p-30);
  double near = x * (w < 5.0 ? middle : tail);
  if (!Far) return near;
  double root = sqrt(w + kLn2);
  double far =
      root * horner(1.0 / root, 0x1.000201696526bp+0, -0x1.10ce7077cd69cp-7, -0x1.17d89428c8e6cp+1,
                    0x1.17c84c9865b1dp+4, -0x1.8f71c4bfc1e3bp+7, 0x1.01e229a4c7998p+11,
                    -0x1.04b911c86b199p+14, 0x1.88004fa7503f8p+16, -0x1.a3ed935299346p+18,
                    0x1.2dc411dd69f75p+20, -0x1.042edeac46022p+21, 0x1.964c6ebf6f710p+20);
  return w < 35.5 ? near : far;
}
// erf(y) - a to 2^-60 for 0 <= y <= 0.82 where it is small: the first terms in pairs.
static inline double erf_miss(double y, double a) {
  double z = y * y, z_lo = fused(y, y, -z);
  double rest = z * horner(z, 0x1.ce2f21a042b27p-4, -0x1.b82ce31283c0dp-6, 0x1.565bcd0d52df6p-8,
                           -0x1.c02db3b7716efp-11, 0x1.f9a31aec50920p-14, -0x1.f4d10b1cb4179p-17,
                           0x1.b9ce1eca8b65fp-20, -0x1.5e411540973f9p-23, 0x1.e99b36cbc96fcp-27,
                           -0x1.eec5390faeee3p-31);
  Pair r = ordered_sum(-0x1.812746b0379e6p-2, rest);
  double t = z * r.hi,
         t_lo = mad(z, r.lo + -0x1.680f1b948e08dp-58, mad(z_lo, r.hi, fused(z, r.hi, -t)));
  Pair p = exact_sum(0x1.06eba8214db69p-3, t);
  double e = y * p.hi, e_lo = mad(y, p.lo + (t_lo + -0x1.cd81c78cdeb86p-57), fused(y, p.hi, -e));
  return ((y - a) + e) + e_lo;
}
// One Halley step on erf(y) = x, through erfc where erf is near 1; none for a float.
template <class T, bool Far = false>
static inline double erfinv_refined(double x, double c) {
  if constexpr (sizeof(T) == sizeof(float)) return erfinv_guess<Far>(x, c);
  constexpr double kRootPiHalf = 0.88622692545275801365;
  double y = erfinv_guess<Far>(x, c);
  double square = y * y;
  auto [r, tail, power] = split_exp(square);
  Pair e = exp_series(r, tail + fused(y, y, -square)), f = erfcx_large(y < 0.5 ? 0.5 : y);
  double s = from_bits<double>((power - Bits<double>::kBias) << Bits<double>::kMantissa);
  double rest = times_power(c, power), p = rest * e.hi;
  double near_one = (p - f.hi) + (mad(rest, e.lo, fused(rest, e.hi, -p)) - f.lo);
  double near_zero = erf_miss(y, x) * (s * (e.hi + e.lo));
  double step = kRootPiHalf * (x < 0.53 ? near_zero : near_one);
  return y - step / (1.0 + y * step);
}
template <class T>
static inline T erfinv_any(T x) {
  T a = abs(x), inside = a < T(1) ? a : T(0.5);
  T value = T(erfinv_refined<T>(inside, 1.0 - double(inside)));
  T edge = a == T(1) ? kInf<T> : kNan<T>;
  return flip_sign(a < T(1) ? value : edge, x);
}
static inline double erfinv(double x) { return erfinv_any(x); }
static inline float erfinv(float x) { return erfinv_any(x); }

}  // namespace rl::math
