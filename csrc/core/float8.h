// The 8-bit floats as stored: those of the OCP's OFP8 (e4m3fn, e5m2), their variants without a
// negative zero (fnuz) and the scales of its microscaling formats (e8m0fnu). Numbers go in and out
// by way of float; nothing is computed in them. Branch-free, so that loops over them vectorise.
#pragma once
#include <algorithm>
#include <bit>
#include <cstdint>

namespace rl {

// A sign, an exponent and `Mantissa` bits. Numbers beyond the largest finite one, `Max`, become
// `Over`; `Nan` is written for not-a-number. Where that is what would be -0, zero has no sign.
template <int Mantissa, int Bias, uint32_t Max, uint32_t Over, uint32_t Nan>
struct Float8 {
  uint8_t bits = 0;
  Float8() = default;
  Float8(float f) : bits(from_float(f)) {}
  operator float() const { return to_float(bits); }

  static constexpr bool kSignedZero = Nan != 0x80, kInfinity = Over == 0x7c;
  static constexpr int kDropped = 23 - Mantissa;
  static constexpr uint32_t power(int exponent) {  // the bits of 2^exponent as a float
    return static_cast<uint32_t>(127 + exponent) << 23;
  }

  static float to_float(uint32_t b) {
    uint32_t sign = (b & 0x80u) << 24, low = b & 0x7fu, body = low << kDropped;
    // Scaling by a power of two rebiases the exponent and normalises subnormals exactly.
    float scaled = std::bit_cast<float>(body) * std::bit_cast<float>(power(127 - Bias));
    uint32_t r = std::bit_cast<uint32_t>(scaled);
    if constexpr (kInfinity)
      r = low > Max ? 0x7f800000u | body : r;
    else if constexpr (kSignedZero)
      r = low == Nan ? 0x7fc00000u : r;
    else
      r = b == Nan ? 0x7fc00000u : r;
    return std::bit_cast<float>(r | sign);
  }
  static uint8_t from_float(float f) {
    uint32_t x = std::bit_cast<uint32_t>(f), sign = (x >> 24) & 0x80u, a = x & 0x7fffffffu;
    // Normal results: rebias, then round to nearest even on the dropped bits.
    uint32_t half = (1u << (kDropped - 1)) - 1 + ((a >> kDropped) & 1u);
    uint32_t normal = (a - power(-Bias) + half) >> kDropped;
    // Subnormal results: adding this leaves the rounded significand in the low bits.
    constexpr uint32_t shift = power(1 - Bias + kDropped);
    uint32_t tiny =
        std::bit_cast<uint32_t>(std::bit_cast<float>(a) + std::bit_cast<float>(shift)) - shift;
    uint32_t r = a < power(1 - Bias) ? tiny : normal;
    r = r > Max ? Over : r;
    r = a > 0x7f800000u ? Nan : r;
    sign = kSignedZero || r ? sign : 0u;
    return static_cast<uint8_t>(sign | r);
  }
};

// A power of two: an exponent without sign or mantissa; there is no zero.
struct Float8E8M0 {
  uint8_t bits = 0;
  Float8E8M0() = default;
  Float8E8M0(float f) : bits(from_float(f)) {}
  operator float() const { return to_float(bits); }

  static float to_float(uint32_t b) {
    uint32_t r = b == 0 ? 0x00400000u : b == 255 ? 0x7fc00000u : b << 23;
    return std::bit_cast<float>(r);
  }
  // The nearest power, the larger one of two that are equally near; the sign is lost.
  static uint8_t from_float(float f) {
    uint32_t a = std::bit_cast<uint32_t>(f) & 0x7fffffffu;
    uint32_t half = a < 0x00800000u ? 0x3fffffu : 0x400000u;
    return static_cast<uint8_t>(std::min((a + half) >> 23, 255u));
  }
};

using Float8E4M3 = Float8<3, 7, 0x7e, 0x7e, 0x7f>;
using Float8E5M2 = Float8<2, 15, 0x7b, 0x7c, 0x7f>;
using Float8E4M3Uz = Float8<3, 8, 0x7f, 0x80, 0x80>;
using Float8E5M2Uz = Float8<2, 16, 0x7f, 0x80, 0x80>;

}  // namespace rl
