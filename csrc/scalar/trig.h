// sin, cos, tan for every argument (their inverses: inverse_trig.h).
// sin(x) and its kin are right everywhere but branch for huge x, which stops vectorisation. Loops
// use sin_in_range (branch-free, |x| <= kTrigLimit<T>) or simply the block functions at the end.
// Method, double: x - n pi/2 as a pair, with pi/2 in three words and unrounded products; then the
// first terms of the series in pairs too, so that little more than the last rounding is lost.
// Float: all of it in double, where one polynomial reaches from -pi/2 to pi/2. Beyond the limit:
// the product with 2/pi in 192-bit integers (Payne and Hanek 1983).
#pragma once

#include <concepts>

#include "pair.h"

namespace rl::math {

template <class T>
inline constexpr T kTrigLimit = T(0x1p17);
template <>
inline constexpr double kTrigLimit<double> = 0x1p30;

// pi/2 in three doubles.
inline constexpr double kHalfPi = 0x1.921fb54442d18p+0, kHalfPiLo = 0x1.1a62633145c07p-54,
                        kHalfPiLast = -0x1.f1976b7ed8fbcp-110;
inline constexpr double kTwoOverPi = 0x1.45f306dc9c883p-1;

// x = n pi/2 + r + tail; only the low two bits of n are meaningful.
struct Quadrant {
  double r, tail;
  uint64_t n;
};

// For 0 <= a <= kTrigLimit<double>. The first difference is exact; of the second, nothing is lost.
static inline Quadrant reduce_in_range(double a) {
  double shifted = mad(a, kTwoOverPi, Bits<double>::kRound), n = shifted - Bits<double>::kRound;
  double first = fused(-n, kHalfPi, a);
  Pair step = exact_product(-n, kHalfPiLo);
  Pair r = exact_sum(first, step.hi);
  return {r.hi, mad(-n, kHalfPiLast, r.lo + step.lo), to_bits(shifted)};
}

// A 64-bit word of 2/pi that starts `index` bits after 64 zero bits in front of the binary point.
static inline uint64_t two_over_pi_word(int index) {
  static constexpr uint64_t kDigits[] = {
      0x0000000000000000, 0xa2f9836e4e441529, 0xfc2757d1f534ddc0, 0xdb6295993c439041,
      0xfe5163abdebbc561, 0xb7246e3a424dd2e0, 0x06492eea09d1921c, 0xfe1deb1cb129a73e,
      0xe88235f52ebb4484, 0xe99c7026b45f7e41, 0x3991d639835339f4, 0x9c845f8bbdf9283b,
      0x1ff897ffde05980f, 0xef2f118b5a0a6d1f, 0x6d367ecf27cb09b7, 0x4f463f669e5fea2d,
      0x7527bac7ebe5f17b, 0x3d0739f78a5292ea, 0x6bfb5fb11f8d5d08, 0x56033046fc7b6bab,
      0xf0cfbc209af4361d};
  int word = index / 64, shift = index % 64;
  uint64_t high = kDigits[word] << shift;
  return shift ? high | (kDigits[word + 1] >> (64 - shift)) : high;
}

// For finite a > 2^16. a = mantissa * 2^e, and digits of 2/pi worth 4 or more after scaling by 2^e
// are whole turns: the product with the next 192 digits, modulo 2^192, is n (2 bits) and the
// fraction.
static inline Quadrant reduce_huge(double a) {
  using Wide = unsigned __int128;
  uint64_t bits = to_bits(a);
  uint64_t mantissa = (bits & Bits<double>::kMantissaMask) | 0x0010000000000000;
  int start = int(bits >> 52) - 1023 - 52 - 2 + 64;
  Wide low = Wide(mantissa) * two_over_pi_word(start + 128);
  Wide middle = Wide(mantissa) * two_over_pi_word(start + 64) + uint64_t(low >> 64);
  uint64_t top = mantissa * two_over_pi_word(start) + uint64_t(middle >> 64);
  uint64_t n = top >> 62;
  Wide fraction = ((Wide(top) << 64 | uint64_t(middle)) << 2) | (uint64_t(low) >> 62);
  n += uint64_t(fraction >> 127);  // round to the nearest quadrant; the rest is then signed
  double upper = double(int64_t(__int128(fraction) >> 76)) * 0x1p-52;  // exact, as the others
  double inner = double(uint64_t(fraction >> 26) & 0x3ffffffffffff) * 0x1p-102;
  double last = double(uint64_t(fraction) & 0x3ffffff) * 0x1p-128;
  Pair turns = ordered_sum(upper, inner);
  Pair r = multiply(Pair{turns.hi, turns.lo + last}, Pair{kHalfPi, kHalfPiLo});
  return {r.hi, r.lo, n};
}

// The angle r + tail and its square z + lost.
struct Squared {
  double r, tail, z, lost;
};
static inline Squared squared(Quadrant q) {
  double z = q.r * q.r;
  return {q.r, q.tail, z, mad(q.r, 2.0 * q.tail, fused(q.r, q.r, -z))};
}
// head + (c + rest) m z, where head, m and z are pairs and c is short.
struct Series {
  double head, head_lo, c, rest, m, m_lo;
};
static inline Pair sum_of(Series s, double z, double lost) {
  Pair c = ordered_sum(s.c, s.rest);
  double u = s.m * z, u_lo = mad(s.m, lost, mad(s.m_lo, z, fused(s.m, z, -u)));
  double p = u * c.hi, p_lo = mad(u, c.lo, mad(u_lo, c.hi, fused(u, c.hi, -p)));
  Pair y = ordered_sum(s.head, p);
  return {y.hi, y.lo + (p_lo + s.head_lo)};
}
// sin(r) = r - r^3/6 + ... and cos(r) = 1 - r^2/2 + r^4/24 - ..., for |r| <= pi/4.
static inline Series sin_series(Squared a) {
  double w = a.z * a.z;
  double even = horner(w, -0x1.5555555555555p-29, -0x1.a01a01a019395p-13, -0x1.ae645344fce1cp-26,
                       -0x1.aad10c3294506p-41);
  double odd = horner(w, 0x1.111111111110fp-7, 0x1.71de3a53d1d40p-19, 0x1.6120f47f2a5cbp-33);
  return {a.r, a.tail, -0x1.555555p-3, mad(a.z, odd, even), a.r, a.tail};
}
static inline Series cos_series(Squared a) {
  double w = a.z * a.z, half = 0.5 * a.z, head = 1.0 - half;
  double even = horner(w, 0x1.5555555555555p-31, 0x1.a01a01a019705p-16, 0x1.1eed8d2f6fc06p-29,
                       0x1.ab01761212816p-45);
  double odd = horner(w, -0x1.6c16c16c16c15p-10, -0x1.27e4fb7687abap-22, -0x1.9393c88416b90p-37);
  double head_lo = mad(-0.5, a.lost, (1.0 - head) - half);
  return {head, head_lo, 0x1.555555p-5, mad(a.z, odd, even), a.z, a.lost};
}

// sin(n pi/2 + r), before the sign of x is applied.
static inline double sin_of(Quadrant q, uint64_t n) {
  Squared a = squared(q);
  Series s = sin_series(a), c = cos_series(a);
  bool odd = n & 1;
  Series t = {odd ? c.head : s.head, odd ? c.head_lo : s.head_lo,
              odd ? c.c : s.c,       odd ? c.rest : s.rest,
              odd ? c.m : s.m,       odd ? c.m_lo : s.m_lo};
  Pair y = sum_of(t, a.z, a.lost);
  return from_bits<double>(to_bits(y.hi + y.lo) ^ ((n & 2) << 62));
}
// Too long for gcc to inline unasked; a call would stop vectorisation.
[[gnu::always_inline]] static inline double tan_of(Quadrant q) {
  Squared a = squared(q);
  Pair s = sum_of(sin_series(a), a.z, a.lost), c = sum_of(cos_series(a), a.z, a.lost);
  bool odd = q.n & 1;
  Pair over = {odd ? -c.hi : s.hi, odd ? -c.lo : s.lo},
       under = {odd ? s.hi : c.hi, odd ? s.lo : c.lo};
  double inverse = 1.0 / under.hi, ratio = over.hi * inverse;
  double rest = fused(-ratio, under.hi, over.hi) + mad(-ratio, under.lo, over.lo);
  return mad(rest, inverse, ratio);
}

static inline double sin_in_range(double x) {
  Quadrant q = reduce_in_range(abs(x));
  return flip_sign(sin_of(q, q.n), x);
}
static inline double cos_in_range(double x) {
  Quadrant q = reduce_in_range(abs(x));
  return sin_of(q, q.n + 1);
}
static inline double tan_in_range(double x) {
  return flip_sign(tan_of(reduce_in_range(abs(x))), x);
}

// x - n pi for |x| <= kTrigLimit<float>, where n times the first word of pi is exact.
static inline double less_half_turns(double x, double n) {
  constexpr double kShort = 0x1.921fb544p+1, kRest = 0x1.0b4611a626331p-33;
  return mad(n, -kRest, mad(n, -kShort, x));
}
// sin(r) for |r| <= pi/2, to a twelfth of a float's ulp. A zero keeps its sign.
static inline double sin_for_float(double r) {
  return r * horner(r * r, 0x1.ffffffd38ad87p-1, -0x1.5555481bf878dp-3, 0x1.110e79e62c663p-7,
                    -0x1.9f63743e967fdp-13, 0x1.5d29b0dcb51ccp-19);
}
static inline double sin_in_float_range(double x) {
  double shifted = mad(x, 0.5 * kTwoOverPi, Bits<double>::kRound);
  double y = sin_for_float(less_half_turns(x, shifted - Bits<double>::kRound));
  return from_bits<double>(to_bits(y) ^ (to_bits(shifted) << 63));
}
// From the nearest zero of the cosine, (n + 1/2) pi.
static inline double cos_in_float_range(double x) {
  double shifted = mad(x, 0.5 * kTwoOverPi, -0.5) + Bits<double>::kRound;
  double y = sin_for_float(less_half_turns(x, (shifted - Bits<double>::kRound) + 0.5));
  return from_bits<double>(to_bits(y) ^ (~to_bits(shifted) << 63));
}
static inline float sin_in_range(float x) { return float(sin_in_float_range(double(x))); }
static inline float cos_in_range(float x) { return float(cos_in_float_range(double(x))); }
// tan(r) = r over/under for |r| <= pi/4, to 35 bits.
static inline float tan_in_range(float x) {
  double shifted = mad(double(x), kTwoOverPi, Bits<double>::kRound);
  double r = less_half_turns(x, 0.5 * (shifted - Bits<double>::kRound)), z = r * r;
  double over = r * horner(z, 1.0, -0x1.c81c691aef747p-4, 0x1.19bb7413208bdp-10);
  double under = horner(z, 1.0, -0x1.c75c6f879a09ep-2, 0x1.05aac43575279p-6);
  bool is_odd = to_bits(shifted) & 1;
  return float((is_odd ? -under : over) / (is_odd ? over : under));
}

template <class T>
static inline bool is_huge_angle(T x) {
  return (abs(x) > kTrigLimit<T>)&(abs(x) < kInf<T>);
}
static inline Quadrant reduce(double a) {
  return is_huge_angle(a) ? reduce_huge(a) : reduce_in_range(a);
}
static inline double sin(double x) {
  Quadrant q = reduce(abs(x));
  return flip_sign(sin_of(q, q.n), x);
}
static inline double cos(double x) {
  Quadrant q = reduce(abs(x));
  return sin_of(q, q.n + 1);
}
static inline double tan(double x) { return flip_sign(tan_of(reduce(abs(x))), x); }
static inline float sin(float x) {
  return is_huge_angle(x) ? float(sin(double(x))) : sin_in_range(x);
}
static inline float cos(float x) {
  return is_huge_angle(x) ? float(cos(double(x))) : cos_in_range(x);
}
static inline float tan(float x) {
  return is_huge_angle(x) ? float(tan(double(x))) : tan_in_range(x);
}

template <class T>
static inline bool has_huge_angle(const T* in, long n) {
  using U = typename Bits<T>::UInt;
  U most = 0;  // as integers: infinities and NaN are larger than any number
  for (long i = 0; i < n; ++i) most = most > to_bits(abs(in[i])) ? most : to_bits(abs(in[i]));
  if (most <= to_bits(kTrigLimit<T>)) return false;
  U huge = 0;
  for (long i = 0; i < n; ++i) huge |= is_huge_angle(in[i]) ? 1 : 0;
  return huge;
}
// out[i] = fast(in[i]) in one vector loop, unless the block holds a huge angle. `in` may be `out`.
template <class T, class Fast, class Full>
static inline void map_angles(const T* in, T* out, long n, Fast fast, Full full) {
  if (has_huge_angle(in, n)) {
    for (long i = 0; i < n; ++i) out[i] = full(in[i]);
    return;
  }
#pragma GCC ivdep
  for (long i = 0; i < n; ++i) out[i] = fast(in[i]);
}
template <class T>
static inline void sin_block(const T* in, T* out, long n) {
  map_angles(in, out, n, [](T x) { return sin_in_range(x); }, [](T x) { return sin(x); });
}
template <class T>
static inline void cos_block(const T* in, T* out, long n) {
  map_angles(in, out, n, [](T x) { return cos_in_range(x); }, [](T x) { return cos(x); });
}
template <class T>
static inline void tan_block(const T* in, T* out, long n) {
  map_angles(in, out, n, [](T x) { return tan_in_range(x); }, [](T x) { return tan(x); });
}

// sin(pi x) / (pi x), 1 at 0. The product is rounded before the sine is taken.
template <std::floating_point T>
static inline T sinc(T x) {
  T angle = x * T(0x1.921fb54442d18p+1);
  return angle == T(0) ? T(1) : sin(angle) / angle;
}
template <class T>
static inline void sinc_block(const T* in, T* out, long n) {
  constexpr long kPiece = 256;
  constexpr T kPi = T(0x1.921fb54442d18p+1);
  T angles[kPiece];
  for (long from = 0; from < n; from += kPiece) {
    const long count = n - from < kPiece ? n - from : kPiece;
    for (long i = 0; i < count; ++i) angles[i] = in[from + i] * kPi;
    map_angles(
        angles, out + from, count, [](T x) { return x == T(0) ? T(1) : sin_in_range(x) / x; },
        [](T x) { return x == T(0) ? T(1) : sin(x) / x; });
  }
}

}  // namespace rl::math
