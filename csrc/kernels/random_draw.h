// Blocks of raw draws and their conversion to real numbers, shared by the random_*.cpp files.
// Distributions do not belong here.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>
#include <mutex>
#include <type_traits>

#include "core/error.h"
#include "core/multiversion.h"
#include "kernels/random.h"
#include "plan/parallel.h"

namespace rl::random {

constexpr int64_t kBlock = 1024;  // numbers drawn at a time; two blocks of doubles fit in L1

template <class T>
constexpr bool is_half_type = std::is_same_v<T, Half> || std::is_same_v<T, BFloat16>;

// Bits of significand: what PyTorch takes as the span of exactly counted integers.
template <class T>
constexpr int digits = std::is_same_v<T, Half>       ? 11
                       : std::is_same_v<T, BFloat16> ? 8
                       : std::is_same_v<T, float>    ? 24
                                                     : 53;

// Uniform numbers of [0, 1): 24 low bits of a 32-bit draw, 53 low bits of a 64-bit one.
inline float unit(uint32_t w) {
  return static_cast<float>(static_cast<int32_t>(w & 0xffffffu)) * 0x1p-24f;
}
inline double unit(uint64_t w) {
  return static_cast<double>(static_cast<int64_t>(w & ((uint64_t{1} << 53) - 1))) * 0x1p-53;
}

inline double next_unit(Mt19937& engine) { return unit(engine.next64()); }

// n <= kBlock numbers of [0, 1).
void draw_units(Mt19937& engine, float* out, int64_t n);
void draw_units(Mt19937& engine, double* out, int64_t n);
// n <= kBlock 64-bit draws.
void draw_words(Mt19937& engine, uint64_t* out, int64_t n);

// The nearest 16-bit floats.
void round_all(const float* x, Half* out, int64_t n);
void round_all(const float* x, BFloat16* out, int64_t n);

// One normal of a Box-Muller pair; the other half is kept in the generator.
double next_normal(Generator& g);

// Calls f(start, count) for consecutive blocks of at most kBlock of n elements.
template <class F>
void for_blocks(int64_t n, F&& f) {
  for (int64_t i = 0; i < n; i += kBlock) f(i, std::min(kBlock, n - i));
}

// Draws n numbers of [0, 1) and calls f(start, units, count) for pieces of them, on all threads:
// for formulas that cost much more than a draw.
template <class F>
void for_units(Mt19937& engine, int64_t n, F&& f) {
  constexpr int64_t kChunk = 32 * kBlock;
  auto units = std::make_unique_for_overwrite<double[]>(std::min(n, kChunk));
  for (int64_t start = 0; start < n; start += kChunk) {
    int64_t count = std::min(kChunk, n - start);
    for_blocks(count, [&](int64_t at, int64_t m) { draw_units(engine, units.get() + at, m); });
    parallel_for(count, 2 * kBlock, [&](int64_t begin, int64_t end) {
      f(start + begin, units.get() + begin, end - begin);
    });
  }
}

// Calls f.operator()<T>() for the real floating type `d`, or throws.
template <class F>
void dispatch_floating(const char* op, DType d, F&& f) {
  switch (d) {
    case DType::F16:
      return f.template operator()<Half>();
    case DType::BF16:
      return f.template operator()<BFloat16>();
    case DType::F32:
      return f.template operator()<float>();
    case DType::F64:
      return f.template operator()<double>();
    default:
      fail(ErrorKind::NotImplemented, op, ": expected a floating dtype, got ", d,
           "; convert the tensor with .float() first");
  }
}

// The same for every real dtype, bool included.
template <class F>
void dispatch_real(const char* op, DType d, F&& f) {
  switch (d) {
    case DType::Bool:
      return f.template operator()<bool>();
    case DType::U8:
      return f.template operator()<uint8_t>();
    case DType::I8:
      return f.template operator()<int8_t>();
    case DType::I16:
      return f.template operator()<int16_t>();
    case DType::I32:
      return f.template operator()<int32_t>();
    case DType::I64:
      return f.template operator()<int64_t>();
    case DType::U16:
    case DType::U32:
    case DType::U64:
      fail(ErrorKind::NotImplemented, op, ": not implemented for ", d,
           "; draw int64 numbers and convert them");
    case DType::C32:
    case DType::C64:
    case DType::C128:
      fail(ErrorKind::NotImplemented, op, ": expected a real dtype, got ", d,
           "; draw the real and the imaginary part on their own");
    default:
      dispatch_floating(op, d, f);
  }
}

// double or int64 to a stored type, as PyTorch's casts do it.
template <class T, class From>
inline T stored(From v) {
  if constexpr (is_half_type<T>)
    return T(static_cast<float>(v));
  else
    return static_cast<T>(v);
}

}  // namespace rl::random
