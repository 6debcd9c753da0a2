// Results of 16 bits that are computed in a wider type, and rounded where PyTorch rounds them.
#pragma once
#include <algorithm>
#include <bit>
#include <cstdint>
#include <type_traits>

#include "core/dtype.h"

namespace rl {
namespace {  // included by files that are compiled once per instruction-set level

// Calls f with the type that a result will be kept in, which is not `T`, the one that it is
// computed in, where float stands for 16 bits.
template <class T, class F>
auto with_kept(DType kept, F&& f) {
  if constexpr (std::is_same_v<T, float>) {
    if (kept == DType::F16) return f.template operator()<Half>();
    if (kept == DType::BF16) return f.template operator()<BFloat16>();
  }
  return f.template operator()<T>();
}
// x with `Bits` fewer bits of the mantissa, to the nearest, halves to even.
template <int Bits>
uint32_t without_bits(uint32_t x) {
  constexpr uint32_t half = (1u << (Bits - 1)) - 1;
  return (x + half + ((x >> Bits) & 1u)) & ~((1u << Bits) - 1);
}
// The nearest number that the result can be kept as. Of 16 bits without a way through them, whose
// packing takes loops longer than the rounding.
template <class S, class T>
T kept_as(T x) {
  return static_cast<T>(static_cast<S>(x));
}
template <>
inline float kept_as<BFloat16, float>(float x) {
  const auto bits = std::bit_cast<uint32_t>(x);
  const uint32_t nan = 0x7fc00000u;
  return std::bit_cast<float>((bits & 0x7fffffffu) > 0x7f800000u ? nan : without_bits<16>(bits));
}
template <>
inline float kept_as<Half, float>(float x) {
  const auto bits = std::bit_cast<uint32_t>(x);
  const uint32_t sign = bits & 0x80000000u, size = bits ^ sign, infinite = 0x7f800000u;
  // 2^13 times the number's power of two has its last place where the number's is to be: from the
  // least normal number on, up to those that become infinite.
  const uint32_t power = std::clamp(size & infinite, 0x38800000u, 0x47800000u);
  const float large = std::bit_cast<float>(power + (13u << 23));
  const float near = (std::bit_cast<float>(size) + large) - large;
  const uint32_t kept = near >= 65536.0F ? infinite : std::bit_cast<uint32_t>(near);
  return std::bit_cast<float>(sign | kept);
}
template <class T>
T kept_as(DType kept, T x) {
  return with_kept<T>(kept, [x]<class S>() { return kept_as<S>(x); });
}

}  // namespace
}  // namespace rl
