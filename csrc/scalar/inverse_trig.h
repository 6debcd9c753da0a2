// asin, acos, atan, atan2. Branch-free, so loops over them vectorise.
// atan: fold to |t| <= tan(pi/8) by t -> (t-1)/(t+1) or -1/t, one division for all cases.
// asin: a polynomial in x^2 below 1/2, and pi/2 - 2 asin(sqrt((1-|x|)/2)) above.
#pragma once

#include "bits.h"

namespace rl::math {

template <class T>
struct PiConst;
template <>
struct PiConst<float> {
  static constexpr float kPi = 0x1.921fb6p+1f, kPiLo = -0x1.777a5cp-24f;
};
template <>
struct PiConst<double> {
  static constexpr double kPi = 0x1.921fb54442d18p+1, kPiLo = 0x1.1a62633145c07p-53;
};

// atan(t) - t for |t| <= tan(pi/8).
static inline float atan_tail(float t) {
  float z = t * t;
  return t * z *
         horner(z, -0.333333313f, 0.199998021f, -0.142791316f, 0.110095866f, -0.0828321278f,
                0.0435131676f);
}
static inline double atan_tail(double t) {
  double z = t * t;
  return t * z *
         horner(z, -0x1.5555555555554p-2, 0x1.9999999999585p-3, -0x1.249249246f66bp-3,
                0x1.c71c71b462389p-4, -0x1.745d1451f7f7ap-4, 0x1.3b13651e8830dp-4,
                -0x1.110bee9edf787p-4, 0x1.e16802d545d03p-5, -0x1.ab3dfe9cf1d1dp-5,
                0x1.6fee419c7c962p-5, -0x1.0fed668dd4baep-5, 0x1.e8b8368ec5719p-7);
}

// What the rounded difference d = a - b has lost.
template <class T>
static inline T difference_lost(T a, T b, T d) {
  T v = d - a;
  return (a - (d - v)) - (b + v);
}

// atan(y/x) for y, x >= 0, not both zero and not both infinite.
template <class T>
static inline T atan_ratio(T y, T x) {
  using C = PiConst<T>;
  constexpr T kTanPi8 = T(0.41421356237309504880);
  bool low = y <= kTanPi8 * x, high = x < kTanPi8 * y;
  T num = low ? y : high ? -x : y - x;
  T den = low ? x : high ? y : y + x;
  T base = low ? T(0) : high ? C::kPi / 2 : C::kPi / 4;
  T base_lo = low ? T(0) : high ? C::kPiLo / 2 : C::kPiLo / 4;
  // Of the two differences and the quotient, what rounding loses is kept.
  T num_lo = low | high ? T(0) : difference_lost(y, x, num),
    den_lo = low | high ? T(0) : difference_lost(y, -x, den);
  T inverse = T(1) / den, t = num * inverse;
  T rest = fused(-t, den, num) + mad(-t, den_lo, num_lo);
  T slope = mad(-t, t, T(1)), t_lo = den < kInf<T> ? rest * inverse * slope : T(0);
  T sum = base + t, lost = (base - sum) + t;
  return (low ? t : sum) + ((low ? T(0) : lost) + (atan_tail(t) + (t_lo + base_lo)));
}

template <class T>
static inline T atan_any(T x) {
  return flip_sign(atan_ratio(abs(x), T(1)), x);
}
static inline float atan(float x) { return atan_any(x); }
static inline double atan(double x) { return atan_any(x); }

// The power of two that takes small <= large, none negative, from the ends of the range, where
// quotients and what rounding loses of them would overflow or underflow. Where no power does, the
// quotient is 0. In integers: of a choice among constants, gcc makes a copy of the code after it
// for each.
template <class T>
static inline T middle_scale(T small, T large) {
  using U = typename Bits<T>::UInt;
  using L = std::numeric_limits<T>;
  constexpr U kTiny = std::bit_cast<U>(L::min() / L::epsilon()),
              kRoom = std::bit_cast<U>(L::max() / 4 * L::epsilon()),
              kHuge = std::bit_cast<U>(L::max() / 4);
  constexpr U kMany = U(Bits<T>::kMantissa) << Bits<T>::kMantissa, kTwo = U(2)
                                                                          << Bits<T>::kMantissa;
#ifdef RL_HAS_FMA
  small = large;  // the remainder of a quotient is not rounded on the way, however small it is
#endif
  U up = (kTiny > to_bits(small)) & (kRoom > to_bits(large)) ? kMany : 0;
  U down = to_bits(large) > kHuge ? kTwo : 0;
  return from_bits<T>(to_bits(T(1)) + up - down);
}

// C99's table of zeros and infinities falls out of: an infinite or zero pair stands for (1,1) or
// (0,1), by their bits for the same reason; a negative x mirrors the angle at pi/2, but for those
// that round to pi/2 on either side: there the mirror would show what rounding lost.
template <class T>
static inline T atan2_any(T y, T x) {
  using C = PiConst<T>;
  using U = typename Bits<T>::UInt;
  constexpr U kOne = std::bit_cast<U>(T(1)), kInfinite = std::bit_cast<U>(kInf<T>);
  T ay = abs(y), ax = abs(x);
  T scale = middle_scale(ay > ax ? ax : ay, ay > ax ? ay : ax);
  U by = to_bits(ay), bx = to_bits(ax),
    infinite = (by == kInfinite) & (bx == kInfinite) ? ~U(0) : 0;
  U zero = (by | bx) == 0 ? kOne : 0, to_one = ~(infinite & (kInfinite ^ kOne));
  ay = from_bits<T>(to_bits(ay * scale) & to_one);
  ax = from_bits<T>((to_bits(ax * scale) & to_one) | zero);
  T angle = atan_ratio(ay, ax);
  T mirrored = C::kPi - (angle - C::kPiLo);
  mirrored = ax < ay * (std::numeric_limits<T>::epsilon() / 8) ? angle : mirrored;
  T result = flip_sign(sign_bit(x) ? mirrored : angle, y);
  return is_nan(x) ? x : result;
}
static inline float atan2(float y, float x) { return atan2_any(y, x); }
static inline double atan2(double y, double x) { return atan2_any(y, x); }

// asin(x) - x for |x| <= 1/2, given z = x^2.
static inline float asin_tail(float x, float z) {
  return x * z *
         horner(z, 0.166666597f, 0.0750052184f, 0.0445133895f, 0.031838648f, 0.014318509f,
                0.0376877636f);
}
static inline double asin_tail(double x, double z) {
  return x * z *
         horner(z, 0x1.5555555555577p-3, 0x1.333333332e135p-4, 0x1.6db6db721221ep-5,
                0x1.f1c71a9511d5ep-6, 0x1.6e8bdedc90141p-6, 0x1.1c49f0a19614ap-6,
                0x1.ca1f86ee6812p-7, 0x1.7585be9c33a4bp-7, 0x1.613b6836de796p-7,
                0x1.e60668e812b1cp-9, 0x1.639770e549e7ep-6, -0x1.57f697b4f8ec5p-6,
                0x1.0b44a52f6216p-5);
}

// asin(s) = s + tail, where s is x for |x| <= 1/2 and above sqrt((1 - |x|)/2), rounded; the tail
// holds what the root lacks. One polynomial serves both.
template <class T>
struct AsinPart {
  bool inner;
  T s, tail;
};
template <class T>
static inline AsinPart<T> asin_part(T x) {
  T a = abs(x), half = T(0.5) - T(0.5) * a, root = sqrt(half);
  bool inner = a <= T(0.5);
  T lost = fused(-root, root, half) / (root + (half == T(0) ? T(1) : root));
  T z = inner ? x * x : half, s = inner ? x : root;
  return {inner, s, asin_tail(s, z) + (inner ? T(0) : lost)};
}

template <class T>
static inline T asin_any(T x) {
  using C = PiConst<T>;
  auto [inner, s, tail] = asin_part(abs(x));
  T twice = T(2) * s, head = C::kPi / 2 - twice, lost = (C::kPi / 2 - head) - twice;
  T large = head + (lost - (T(2) * tail - C::kPiLo / 2));
  return flip_sign(inner ? s + tail : large, x);
}
static inline float asin(float x) { return asin_any(x); }
static inline double asin(double x) { return asin_any(x); }

template <class T>
static inline T acos_any(T x) {
  using C = PiConst<T>;
  auto [inner, s, tail] = asin_part(x);
  // pi/2 - asin(x), 2 asin(s) or pi - 2 asin(s): from - (less + rest), the first difference
  // exactly.
  T less = inner ? s : T(2) * s, rest = inner ? tail : T(2) * tail;
  T from = inner ? C::kPi / 2 : C::kPi, from_lo = inner ? C::kPiLo / 2 : C::kPiLo;
  T head = from - less, lost = (from - head) - less;
  T y = head + (lost - (rest - from_lo));
  return inner | (x < T(0)) ? y : less + rest;
}
static inline float acos(float x) { return acos_any(x); }
static inline double acos(double x) { return acos_any(x); }

}  // namespace rl::math
