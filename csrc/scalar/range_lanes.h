// Functions of Lanes by polynomials of 16 ranges, whose coefficients are tables that fit a
// register: tanh, erf and the normal distribution; and log, by tables of 16 divisors.
// Method: the ranges of a = |x| are those in which 1 + s a, from 1 to 16, has the same two lowest
// bits of the exponent and two highest bits of the fraction. The polynomial is in a less a centre,
// near the range's middle, at which the function is nearly a float.
#pragma once

#include "exp_block.h"

#ifdef RL_HAS_TABLES
namespace rl::math {

static inline Lanes range_of(Lanes from_one) { return (Lanes)((LaneBits)from_one >> 21); }
// sum over k >= `first` of c_k t^(k - first).
template <int N>
static inline Lanes polynomial(Lanes t, const float (&c)[N][16], Lanes index, int first) {
  Lanes value = look_up(load_lanes(c[N - 1]), index);
  for (int k = N - 2; k >= first; --k) value = mad(value, t, look_up(load_lanes(c[k]), index));
  return value;
}
// An odd function whose slope at 0 is near 1, which the first range's c_1 leaves out: so small
// values are rounded once. From `last` on it is 1 in float.
static inline Lanes odd_by_ranges(Lanes x, float last, float scale, const float (&centre)[16],
                                  const float (&c)[6][16]) {
  Lanes a = smaller(fill(last), abs(x)), from_one = mad(a, fill(scale), fill(1));
  Lanes index = range_of(from_one), t = a - look_up(load_lanes(centre), index);
  Lanes head = from_one < 1.25f ? t : look_up(load_lanes(c[0]), index);
  Lanes value = mad(polynomial(t, c, index, 1), t, head);
  return (Lanes)((LaneBits)value | ((LaneBits)x & static_cast<int32_t>(Bits<float>::kSign)));
}

alignas(64) inline constexpr float kTanhCentre[16] = {
    0.77500075f, 1.0850008f,  1.3949825f,  1.7050025f, 2.169986f, 2.7899384f,
    3.4100428f,  4.029877f,   4.96005f,    6.200143f,  7.439857f, 8.679714f,
    0.0f,        0.23249763f, 0.38750166f, 0.542491f};
alignas(64) inline constexpr float kTanh[6][16] = {
    {0.6498279f, 0.7950462f, 0.88426226f, 0.9360315f, 0.97426176f, 0.9924823f, 0.9978191f,
     0.9993682f, 0.99990165f, 0.9999918f, 0.9999993f, 0.99999994f, 0.0f, 0.22839704f, 0.36920443f,
     0.49487126f},
    {0.57772374f, 0.3679015f, 0.21808024f, 0.12384499f, 0.050813995f, 0.014978889f, 0.004356999f,
     0.0012632211f, 0.00019670688f, 1.646951e-05f, 1.380009e-06f, 1.155995e-07f, -4.3032022e-09f,
     0.9478348f, 0.8636881f, 0.75510246f},
    {-0.37542143f, -0.29250345f, -0.19284269f, -0.11592348f, -0.049503706f, -0.014864213f,
     -0.004346769f, -0.0012621973f, -0.00019608764f, -1.6599826e-05f, -8.585109e-07f,
     -7.8265856e-08f, 1.2916826e-06f, -0.21648175f, -0.31887662f, -0.37367803f},
    {0.051373303f, 0.10992011f, 0.09783132f, 0.06722716f, 0.031296108f, 0.009760482f, 0.0028851917f,
     0.0008403987f, 0.00013067448f, 1.0960849e-05f, 9.182939e-07f, 7.690094e-08f, -0.33339465f,
     -0.26650319f, -0.17017712f, -0.06678735f},
    {0.09182197f, 0.010748327f, -0.021880908f, -0.02419542f, -0.014070171f, -0.004801823f,
     -0.001454517f, -0.00042665403f, -7.0327784e-05f, -5.44106e-06f, -1.8362755e-06f,
     -1.3735544e-07f, 0.0009724938f, 0.13249148f, 0.16858828f, 0.15729241f},
    {-0.06304639f, -0.036672663f, -0.008349228f, 0.0029681916f, 0.0042827963f, 0.0017957464f,
     0.0005710334f, 0.00016967901f, 2.8084838e-05f, 2.3265084e-06f, 1.963152e-07f, 1.656039e-08f,
     0.12799515f, 0.07989667f, 0.014964836f, -0.037712105f}};
static inline Lanes tanh(Lanes x) {
  return odd_by_ranges(x, 9.29f, 1.6129032f, kTanhCentre, kTanh);
}

alignas(64) inline constexpr float kErfCentre[16] = {
    0.33332494f, 0.46667442f,  0.5999962f,  0.73333234f, 0.9333512f, 1.1999779f,
    1.466681f,   1.7332989f,   2.1334038f,  2.6666217f,  3.2000716f, 3.7334049f,
    0.0f,        0.099998266f, 0.16666916f, 0.23333678f};
alignas(64) inline constexpr float kErf[6][16] = {
    {0.36263964f, 0.4907316f, 0.6038531f, 0.7003054f, 0.81315094f, 0.91030806f, 0.9619393f,
     0.9857641f, 0.99744785f, 0.9998375f, 0.999994f, 0.9999999f, 0.0f, 0.11246098f, 0.18633902f,
     0.258591f},
    {1.0097237f, 0.9075535f, 0.787247f, 0.65902483f, 0.47219548f, 0.26735854f, 0.13128681f,
     0.055936232f, 0.011906904f, 0.0009209987f, 4.028739e-05f, 9.979817e-07f, 0.12837917f,
     1.117152f, 1.0974658f, 1.0685859f},
    {-0.33656594f, -0.4235316f, -0.472345f, -0.48328418f, -0.44072372f, -0.32082698f, -0.1925586f,
     -0.09695554f, -0.025398618f, -0.0024514033f, -0.00012834341f, -4.784408e-06f, 4.6278296e-07f,
     -0.111713454f, -0.18291359f, -0.24934036f},
    {-0.2617652f, -0.17075375f, -0.07347329f, 0.016589688f, 0.116829455f, 0.16753465f, 0.14451751f,
     0.0933907f, 0.03216962f, 0.004055331f, 0.00026052064f, 8.890121e-06f, -0.37616143f,
     -0.36488035f, -0.3456184f, -0.31731108f},
    {0.155599f, 0.18071412f, 0.17926003f, 0.15488113f, 0.092305675f, 0.0069043f, -0.041294374f,
     -0.048377264f, -0.026016844f, -0.004795969f, -0.000406622f, -2.1894252e-06f, 0.00085510075f,
     0.05573773f, 0.08952992f, 0.12012867f},
    {0.055091318f, 0.01800123f, -0.021650897f, -0.049289964f, -0.068948776f, -0.053202175f,
     -0.01897217f, 0.005469599f, 0.012156689f, 0.0037732092f, 0.0004299454f, 2.2433198e-05f,
     0.106215f, 0.07270426f, 0.17877409f, 0.016602673f}};
static inline Lanes erf(Lanes x) { return odd_by_ranges(x, 3.999f, 3.75f, kErfCentre, kErf); }

// The Mills ratio exp(a^2/2) cdf(-a), for 0 <= a < 15.
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
  Lanes index = range_of(a + 1), t = a - look_up(load_lanes(kMillsCentre), index);
  return polynomial(t, kMills, index, 0);
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

// log(x) = k ln2 - log(c) + log1p(m c - 1) for x = 2^k m, m in [3/4, 3/2), and a c near 1/m: 1 for
// an m beside 1, else such that its logarithm is nearly a float. For the mantissa in [1, 2), halved
// from 1.5 on, so that its c is half of m's.
alignas(64) inline constexpr float kLogInverse[16] = {
    1.0f,        0.91417927f, 0.86498255f, 0.82066107f, 0.78044915f, 0.7440316f,
    0.7110863f,  0.6810205f,  0.6530723f,  0.6275814f,  0.60379475f, 0.5818131f,
    0.56153816f, 0.54219574f, 0.52476346f, 0.5f};
alignas(64) inline constexpr float kLogOfDivisor[16] = {
    0.0f,          0.089728594f, 0.14504595f,  0.19764508f,  0.24788569f,  0.29567176f,
    0.34096152f,   0.38416287f,  -0.26707974f, -0.22726531f, -0.18862623f, -0.15154116f,
    -0.116071634f, -0.08101898f, -0.04833952f, 0.0f};
alignas(64) inline constexpr float kLogHalved[16] = {0, 0, 0, 0, 0, 0, 0, 0,
                                                     1, 1, 1, 1, 1, 1, 1, 1};
// 0 and infinity come from the exponent, and a negative x has no mantissa.
static inline Lanes log(Lanes x) {
  auto [mantissa, exponent] = split_mantissa(x);
  Lanes index = (Lanes)((LaneBits)mantissa >> 19);
  Lanes k = exponent + look_up(load_lanes(kLogHalved), index);
  Lanes r = mad(mantissa, look_up(load_lanes(kLogInverse), index), fill(-1));
  Lanes tail = mad(r * r, horner(r, -0.5f, 0.3333445f, -0.2500782f, 0.18868214f), r);
  return mad(k, fill(ExpConst<float>::kLn2), look_up(load_lanes(kLogOfDivisor), index) + tail);
}

}  // namespace rl::math
#endif
