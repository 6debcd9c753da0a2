// Element types: names, sizes, categories, promotion, and the two 16-bit floats.
// What a kernel computes in is decided in plan/; this file only knows what is stored.
// To add a dtype: extend DType, the traits table in dtype.cpp and RL_FOR_EACH_DTYPE; one that is
// not computed with goes to RL_FOR_EACH_FLOAT8 instead, if it converts at all.
#pragma once
#include <bit>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <type_traits>

#include "core/complex.h"
#include "core/float8.h"

namespace rl {

enum class DType : uint8_t {
  Bool,
  U8,
  I8,
  I16,
  I32,
  I64,
  U16,
  U32,
  U64,
  F8E4M3,
  F8E5M2,
  F8E4M3Uz,
  F8E5M2Uz,
  F8E8M0,
  F4E2M1X2,
  F16,
  BF16,
  F32,
  F64,
  C32,
  C64,
  C128
};
constexpr int kNumDTypes = 22;

struct DTypeInfo {
  const char* name;         // "float32"
  const char* legacy_name;  // "Float", as in FloatTensor and error messages
  const char* format;       // buffer-protocol format, empty where there is none
  uint8_t size;
  bool is_floating, is_complex, is_signed;
};
const DTypeInfo& info(DType d);

inline int64_t item_size(DType d) {
  constexpr uint8_t kSizes[] = {1, 1, 1, 2, 4, 8, 2, 4, 8, 1, 1, 1, 1, 1, 1, 2, 2, 4, 8, 4, 8, 16};
  static_assert(std::size(kSizes) == kNumDTypes);
  return kSizes[static_cast<int>(d)];
}
constexpr bool is_complex(DType d) { return d >= DType::C32; }
constexpr bool is_floating(DType d) { return d >= DType::F8E4M3 && d <= DType::F64; }
inline bool is_inexact(DType d) { return d >= DType::F8E4M3; }
inline bool is_integral(DType d) { return d <= DType::U64; }  // bool included
// 8-bit floats: for storage and exchange, not for arithmetic. What serves them says so. A pair of
// 4-bit floats in a byte is one too; it moves only, and converts to nothing.
constexpr bool is_float8(DType d) { return d >= DType::F8E4M3 && d <= DType::F4E2M1X2; }
// Unsigned integers above 8 bits: for storage and exchange, hardly for arithmetic.
inline bool is_wide_unsigned(DType d) { return d >= DType::U16 && d <= DType::U64; }
// The dtype that arithmetic on `d` is done in: d itself but for the types of narrow parts.
constexpr DType widened(DType d) {
  if (is_float8(d) || d == DType::F16 || d == DType::BF16) return DType::F32;
  return d == DType::C32 ? DType::C64 : d;
}
inline DType real_of(DType d) {
  if (d == DType::C32) return DType::F16;
  return d == DType::C64 ? DType::F32 : d == DType::C128 ? DType::F64 : d;
}
DType complex_of(DType d);
DType promote(DType a, DType b);
bool can_cast(DType from, DType to);  // does the category allow it (float -> int does not)

DType default_dtype();  // float32 unless set_default_dtype changed it
void set_default_dtype(DType d);

// IEEE binary16 and bfloat16 as stored; arithmetic happens in float. The conversions are
// branch-free so that loops over them vectorise.
struct Half {
  uint16_t bits = 0;
  Half() = default;
  Half(float f) : bits(from_float(f)) {}
  operator float() const { return to_float(bits); }

  static float to_float(uint16_t h) {
    uint32_t sign = static_cast<uint32_t>(h & 0x8000u) << 16;
    uint32_t body = static_cast<uint32_t>(h & 0x7fffu) << 13;
    // Scaling by 2^112 rebiases the exponent and normalises subnormals exactly.
    float scaled = std::bit_cast<float>(body) * 0x1p112f;
    uint32_t special = body >= 0x0f800000u ? 0x7f800000u | body : std::bit_cast<uint32_t>(scaled);
    return std::bit_cast<float>(sign | special);
  }
  static uint16_t from_float(float f) {
    uint32_t x = std::bit_cast<uint32_t>(f);
    uint32_t sign = (x >> 16) & 0x8000u, a = x & 0x7fffffffu;
    // Normal results: rebias, then round to nearest even on the 13 dropped bits.
    uint32_t normal = (a - 0x38000000u + 0xfffu + ((a >> 13) & 1u)) >> 13;
    // Subnormal results: adding 0.5f leaves the rounded significand in the low bits.
    uint32_t tiny = std::bit_cast<uint32_t>(std::bit_cast<float>(a) + 0.5f) - 0x3f000000u;
    uint32_t r = a < 0x38800000u ? tiny : normal;
    r = a >= 0x477ff000u ? 0x7c00u : r;
    r = a > 0x7f800000u ? 0x7e00u : r;
    return static_cast<uint16_t>(sign | r);
  }
};

struct BFloat16 {
  uint16_t bits = 0;
  BFloat16() = default;
  BFloat16(float f) : bits(from_float(f)) {}
  operator float() const { return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16); }

  static uint16_t from_float(float f) {
    uint32_t x = std::bit_cast<uint32_t>(f);
    uint32_t rounded = (x + 0x7fffu + ((x >> 16) & 1u)) >> 16;
    return static_cast<uint16_t>((x & 0x7fffffffu) > 0x7f800000u ? 0x7fc0u : rounded);
  }
};

using C32 = Complex<Half>;
using C64 = Complex<float>;
using C128 = Complex<double>;

template <class T>
struct dtype_of_;
template <DType D>
struct ctype_of_;
#define RL_FOR_EACH_DTYPE(X) \
  X(Bool, bool)              \
  X(U8, uint8_t)             \
  X(I8, int8_t)              \
  X(I16, int16_t)            \
  X(I32, int32_t)            \
  X(I64, int64_t)            \
  X(U16, uint16_t)           \
  X(U32, uint32_t)           \
  X(U64, uint64_t)           \
  X(F16, Half)               \
  X(BF16, BFloat16)          \
  X(F32, float)              \
  X(F64, double)             \
  X(C32, C32)                \
  X(C64, C64)                \
  X(C128, C128)
#define RL_FOR_EACH_FLOAT8(X) \
  X(F8E4M3, Float8E4M3)       \
  X(F8E5M2, Float8E5M2)       \
  X(F8E4M3Uz, Float8E4M3Uz)   \
  X(F8E5M2Uz, Float8E5M2Uz)   \
  X(F8E8M0, Float8E8M0)
#define RL_DTYPE_TRAIT(D, T)                 \
  template <>                                \
  struct dtype_of_<T> {                      \
    static constexpr DType value = DType::D; \
  };                                         \
  template <>                                \
  struct ctype_of_<DType::D> {               \
    using type = T;                          \
  };
RL_FOR_EACH_DTYPE(RL_DTYPE_TRAIT)
RL_FOR_EACH_FLOAT8(RL_DTYPE_TRAIT)
#undef RL_DTYPE_TRAIT
template <class T>
constexpr DType dtype_of = dtype_of_<T>::value;
template <DType D>
using ctype_of = typename ctype_of_<D>::type;
template <class T>
using widened_type = ctype_of<widened(dtype_of<T>)>;
template <class T>
constexpr bool has_short_parts = !std::is_same_v<T, widened_type<T>>;

[[noreturn]] void not_computed_in(DType d);

// Calls f.template operator()<T>() with the C++ type of `d`; NotImplementedError for 8-bit floats.
template <class F>
auto dispatch(DType d, F&& f) {
  switch (d) {
#define RL_CASE(D, T) \
  case DType::D:      \
    return f.template operator()<T>();
    RL_FOR_EACH_DTYPE(RL_CASE)
#undef RL_CASE
    default:
      not_computed_in(d);
  }
}

// The same, 8-bit floats included: they become float where `f` computes with them.
template <class F>
auto dispatch_stored(DType d, F&& f) {
  switch (d) {
#define RL_CASE(D, T) \
  case DType::D:      \
    return f.template operator()<T>();
    RL_FOR_EACH_FLOAT8(RL_CASE)
#undef RL_CASE
    default:
      return dispatch(d, f);
  }
}

struct Bytes16 {
  uint64_t a, b;
};

// Calls f.operator()<U>() with a plain type of `size` bytes, for what only moves elements.
template <class F>
void with_size(int64_t size, F&& f) {
  switch (size) {
    case 1:
      return f.template operator()<uint8_t>();
    case 2:
      return f.template operator()<uint16_t>();
    case 4:
      return f.template operator()<uint32_t>();
    case 8:
      return f.template operator()<uint64_t>();
    default:
      return f.template operator()<Bytes16>();
  }
}

}  // namespace rl
