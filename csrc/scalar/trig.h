// sin, cos, tan for every argument (their inverses: inverse_trig.h).
// sin(x) and its kin are right everywhere but branch for huge x, which stops vectorisation. Loops
// use sin_in_range (branch-free, |x| <= kTrigLimit<T>) or simply the block functions at the end.
// Method: x - n pi/2 with pi/2 in three words and unrounded products; beyond the limit, the product
// with 2/pi in 192-bit integers (Payne and Hanek 1983).
#pragma once

#include "bits.h"

namespace rl::math {

template <class T>
struct TrigConst;
template <>
struct TrigConst<float> {
  static constexpr float kTwoOverPi = 0x1.45f306p-1f;
  static constexpr float kPi2a = 0x1.921fb6p+0f, kPi2b = -0x1.777a5cp-25f, kPi2c = -0x1.ee59dap-50f;
};
template <>
struct TrigConst<double> {
  static constexpr double kTwoOverPi = 0x1.45f306dc9c883p-1;
  static constexpr double kPi2a = 0x1.921fb54442d18p+0, kPi2b = 0x1.1a62633145c07p-54,
                          kPi2c = -0x1.f1976b7ed8fbcp-110;
};
template <class T>
inline constexpr T kTrigLimit = T(0x1p17);
template <>
inline constexpr double kTrigLimit<double> = 0x1p30;

// x = n pi/2 + r; only the low two bits of n are meaningful.
template <class T>
struct Quadrant {
  T r;
  typename Bits<T>::UInt n;
};

// For 0 <= a <= kTrigLimit. What rounding loses of the second step is given back in the third.
template <class T>
static inline Quadrant<T> reduce_in_range(T a) {
  using C = TrigConst<T>;
  T shifted = mad(a, C::kTwoOverPi, Bits<T>::kRound);
  T n = shifted - Bits<T>::kRound;
  T first = fused(-n, C::kPi2a, a);
  T second = fused(-n, C::kPi2b, first);
  T lost = fused(-n, C::kPi2b, first - second);
  return {second + mad(-n, C::kPi2c, lost), to_bits(shifted)};
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
static inline Quadrant<double> reduce_huge(double a) {
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
  double turns = double(__int128(fraction)) * 0x1p-128;
  double r = mad(turns, TrigConst<double>::kPi2a, turns * TrigConst<double>::kPi2b);
  return {r, n};
}

// sin(r) and cos(r) for |r| <= pi/4.
static inline float sin_reduced(float r) {
  float z = r * r;
  return mad(z * r, horner(z, -0.166666672f, 0.00833337847f, -0.000198525624f, 2.82634051e-6f), r);
}
static inline float cos_reduced(float r) {
  float z = r * r;
  return horner(z, 1.0f, -0.5f, 0.0416666679f, -0.001388898f, 2.48219076e-5f, -2.88584971e-7f);
}
static inline double sin_reduced(double r) {
  double z = r * r;
  return mad(z * r,
             horner(z, -0x1.5555555555555p-3, 0x1.111111111106cp-7, -0x1.a01a019fff4a7p-13,
                    0x1.71de3a35604dap-19, -0x1.ae642f17bb57cp-26, 0x1.610bcaa0c768p-33,
                    -0x1.a1211e3ed3c57p-41),
             r);
}
static inline double cos_reduced(double r) {
  double z = r * r;
  return horner(z, 1.0, -0.5, 0x1.5555555555555p-5, -0x1.6c16c16c16b2fp-10, 0x1.a01a019ffc95ap-16,
                -0x1.27e4fb5a12c9p-22, 0x1.1eed6f99aaae6p-29, -0x1.9374a64b18dc4p-37,
                0x1.9dee78b285facp-45);
}

// sin(n pi/2 + r), before the sign of x is applied.
template <class T>
static inline T sin_of(T r, typename Bits<T>::UInt n) {
  using U = typename Bits<T>::UInt;
  T y = (n & 1) ? cos_reduced(r) : sin_reduced(r);
  return from_bits<T>(to_bits(y) ^ ((n & U(2)) << (sizeof(T) * 8 - 2)));
}
template <class T>
static inline T tan_of(T r, typename Bits<T>::UInt n) {
  T s = sin_reduced(r), c = cos_reduced(r);
  bool odd = n & 1;
  return (odd ? -c : s) / (odd ? s : c);
}

template <class T>
static inline T sin_in_range(T x) {
  auto [r, n] = reduce_in_range(abs(x));
  return flip_sign(sin_of(r, n), x);
}
template <class T>
static inline T cos_in_range(T x) {
  auto [r, n] = reduce_in_range(abs(x));
  return sin_of(r, n + 1);
}
template <class T>
static inline T tan_in_range(T x) {
  auto [r, n] = reduce_in_range(abs(x));
  return flip_sign(tan_of(r, n), x);
}

template <class T>
static inline bool is_huge_angle(T x) {
  return (abs(x) > kTrigLimit<T>)&(abs(x) < kInf<T>);
}
template <class T>
static inline T sin_any(T x) {
  if (!is_huge_angle(x)) return sin_in_range(x);
  auto [r, n] = reduce_huge(double(abs(x)));
  return flip_sign(T(sin_of(r, n)), x);
}
template <class T>
static inline T cos_any(T x) {
  if (!is_huge_angle(x)) return cos_in_range(x);
  auto [r, n] = reduce_huge(double(abs(x)));
  return T(sin_of(r, n + 1));
}
template <class T>
static inline T tan_any(T x) {
  if (!is_huge_angle(x)) return tan_in_range(x);
  auto [r, n] = reduce_huge(double(abs(x)));
  return flip_sign(T(tan_of(r, n)), x);
}
static inline float sin(float x) { return sin_any(x); }
static inline double sin(double x) { return sin_any(x); }
static inline float cos(float x) { return cos_any(x); }
static inline double cos(double x) { return cos_any(x); }
static inline float tan(float x) { return tan_any(x); }
static inline double tan(double x) { return tan_any(x); }

// out[i] = fast(in[i]) in one vector loop, unless the block holds a huge angle. `in` may be `out`.
template <class T, class Fast, class Full>
static inline void map_angles(const T* in, T* out, long n, Fast fast, Full full) {
  typename Bits<T>::UInt huge = 0;
  for (long i = 0; i < n; ++i) huge |= is_huge_angle(in[i]) ? 1 : 0;
  if (huge) {
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

}  // namespace rl::math
