// Conversions of contiguous runs between every two dtypes. Compiled once per ISA level, with the
// same results at each. Strides are dealt with by kernels/move.cpp.
#include <algorithm>
#include <cmath>

#include "kernels/short_floats.h"
#include "plan/blocks.h"
#include "plan/isa.h"

namespace rl {
namespace RL_ISA_NS {
namespace {

template <class T>
constexpr bool is_cplx = requires(T v) { v.re; };
template <class T>
constexpr bool is_short_float = has_short_parts<T> && !is_cplx<T>;

// One element. Out of range, floats become what x86 makes of them: the lowest 32-bit integer (then
// narrowed), for 64-bit integers, uint32 and uint8 the lowest 64-bit one; uint64 takes its upper
// half by way of int64.
template <class To, class From>
inline To cast(From v) {
  if constexpr (is_cplx<From> && std::is_same_v<To, bool>) {
    return v.re != 0 || v.im != 0;
  } else if constexpr (is_cplx<From> && is_cplx<To>) {
    using R = decltype(To{}.re);
    return To{static_cast<R>(v.re), static_cast<R>(v.im)};
  } else if constexpr (is_cplx<From>) {
    return cast<To>(v.re);
  } else if constexpr (is_cplx<To>) {
    using R = decltype(To{}.re);
    return To{cast<R>(v), R(0)};
  } else if constexpr (is_short_float<From> && !std::is_same_v<To, float>) {
    return cast<To>(static_cast<float>(v));
  } else if constexpr (is_short_float<To>) {
    return To(static_cast<float>(v));
  } else if constexpr (std::is_same_v<To, bool>) {
    return v != From(0);
  } else if constexpr (std::is_same_v<To, uint64_t> && std::is_floating_point_v<From>) {
    bool upper = v >= From(0x1p63);
    auto low = static_cast<uint64_t>(static_cast<int64_t>(upper ? v - From(0x1p63) : v));
    return upper ? low ^ (uint64_t{1} << 63) : low;
  } else if constexpr (std::is_integral_v<To> && std::is_floating_point_v<From>) {
    constexpr bool wide =
        sizeof(To) == 8 || std::is_same_v<To, uint8_t> || std::is_same_v<To, uint32_t>;
    return static_cast<To>(static_cast<std::conditional_t<wide, int64_t, int32_t>>(v));
  } else {
    return static_cast<To>(v);
  }
}

template <class To, class From>
void each(To* d, const From* s, int64_t n) {
#pragma GCC ivdep
  for (int64_t i = 0; i < n; ++i) d[i] = cast<To>(s[i]);
}

constexpr int64_t kPiece = 256;  // elements converted by way of another type at a time

// Between 64-bit integers and floats there is no vector instruction below AVX-512, between 32-bit
// ones there is: pieces whose values fit take that way, to the same results.
template <class From>
bool fits_int32(const From* s, int64_t n) {
  bool fits = true;
  if constexpr (std::is_integral_v<From>) {
    uint64_t high = 0;
    for (int64_t i = 0; i < n; ++i) high |= (static_cast<uint64_t>(s[i]) + 0x80000000u) >> 32;
    fits = high == 0;
  } else {
    int outside = 0;
    for (int64_t i = 0; i < n; ++i) outside |= !(std::fabs(s[i]) < From(2147483648.0));
    fits = outside == 0;
  }
  return fits;
}
#if defined(__AVX2__) && !defined(__AVX512F__)
// The lower halves, which a look at the upper ones tells to be the numbers, or not.
bool lower_halves(int32_t* d, const int64_t* s, int64_t n) {
  __m256 odd = _mm256_setzero_ps();
  int64_t i = 0;
  for (; i + 8 <= n; i += 8) {
    __m256 a = _mm256_loadu_ps(reinterpret_cast<const float*>(s + i)),
           b = _mm256_loadu_ps(reinterpret_cast<const float*>(s + i + 4));
    __m256i low = _mm256_castps_si256(_mm256_shuffle_ps(a, b, 0x88));
    __m256 sign = _mm256_castsi256_ps(_mm256_srai_epi32(low, 31));
    odd = _mm256_or_ps(odd, _mm256_xor_ps(_mm256_shuffle_ps(a, b, 0xdd), sign));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(d + i), _mm256_permute4x64_epi64(low, 0xd8));
  }
  for (int64_t k = i; k < n; ++k) d[k] = static_cast<int32_t>(s[k]);
  return _mm256_testz_si256(_mm256_castps_si256(odd), _mm256_castps_si256(odd)) &&
         fits_int32(s + i, n - i);
}
#else
bool lower_halves(int32_t* d, const int64_t* s, int64_t n) {
  if (!fits_int32(s, n)) return false;
#pragma GCC ivdep
  for (int64_t i = 0; i < n; ++i) d[i] = static_cast<int32_t>(s[i]);
  return true;
}
#endif
template <class To, class From>
void through_int32(To* d, const From* s, int64_t n) {
  for (int64_t i = 0; i < n; i += kPiece) {
    int64_t k = std::min(kPiece, n - i);
    if constexpr (std::is_integral_v<From>) {
      alignas(64) int32_t piece[kPiece];
      if (lower_halves(piece, s + i, k))
        each(d + i, piece, k);
      else
        each(d + i, s + i, k);
    } else {
      if (!fits_int32(s + i, k)) {
        each(d + i, s + i, k);
        continue;
      }
#pragma GCC ivdep
      for (int64_t j = 0; j < k; ++j) d[i + j] = cast<To>(static_cast<int32_t>(s[i + j]));
    }
  }
}

template <class To, class From>
void run(To* d, const From* s, int64_t n);

template <class Wide, class To, class From>
void through(To* d, const From* s, int64_t n) {
  alignas(64) Wide piece[kPiece];
  for (int64_t i = 0; i < n; i += kPiece) {
    int64_t k = std::min(kPiece, n - i);
    run(piece, s + i, k);
    run(d + i, static_cast<const Wide*>(piece), k);
  }
}

template <class R, class S>
void run_parts(Complex<R>* d, const Complex<S>* s, int64_t n) {
  run(reinterpret_cast<R*>(d), reinterpret_cast<const S*>(s), 2 * n);
}

template <class To, class From>
void run(To* d, const From* s, int64_t n) {
  constexpr bool from_float = std::is_floating_point_v<From>,
                 to_float = std::is_floating_point_v<To>;
  constexpr bool from_long = std::is_same_v<From, int64_t>, to_long = std::is_same_v<To, int64_t>;
  constexpr bool double_to_byte = std::is_same_v<From, double> && std::is_same_v<To, uint8_t>;
  if constexpr (std::is_same_v<From, bool> && !std::is_same_v<To, bool>)
    run(d, reinterpret_cast<const uint8_t*>(s), n);  // bytes are 0 and 1
  else if constexpr (std::is_same_v<To, bool> && !has_short_parts<From>)
    each(d, s, n);
  else if constexpr (is_cplx<To> && is_cplx<From>)
    run_parts(d, s, n);
  else if constexpr (is_short_float<From> && std::is_same_v<To, float>)
    widen(d, s, n);
  else if constexpr (std::is_same_v<From, float> && is_short_float<To>)
    narrow(d, s, n);
  else if constexpr (has_short_parts<From> && !std::is_same_v<To, widened_type<From>>)
    through<widened_type<From>>(d, s, n);
  else if constexpr (has_short_parts<To> && !std::is_same_v<From, widened_type<To>>)
    through<widened_type<To>>(d, s, n);
  else if constexpr ((from_long && to_float) || (from_float && to_long) || double_to_byte)
    through_int32(d, s, n);
  else
    each(d, s, n);
}

template <class To, class From>
void convert(void* dst, const void* src, int64_t n) {
  if constexpr (std::is_same_v<To, From>)
    std::memcpy(dst, src, static_cast<size_t>(n) * sizeof(To));
  else
    run(static_cast<To*>(dst), static_cast<const From*>(src), n);
}

template <class From>
constexpr void fill_row(ConvertFn* row) {
#define RL_COLUMN(D, T) row[static_cast<int>(DType::D)] = convert<T, From>;
  RL_FOR_EACH_DTYPE(RL_COLUMN)
#undef RL_COLUMN
}

// 8-bit floats meet float alone; the other dtypes are a second step away.
template <class T>
constexpr void add_float8(ConvertTable& t) {
  constexpr int own = static_cast<int>(dtype_of<T>), wide = static_cast<int>(DType::F32);
  t.convert[own][own] = convert<T, T>;
  t.convert[own][wide] = [](void* dst, const void* src, int64_t n) {
    each(static_cast<float*>(dst), static_cast<const T*>(src), n);
  };
  t.convert[wide][own] = [](void* dst, const void* src, int64_t n) {
    each(static_cast<T*>(dst), static_cast<const float*>(src), n);
  };
}

constexpr ConvertTable make_table() {
  ConvertTable t{};
#define RL_ROW(D, T) fill_row<T>(t.convert[static_cast<int>(DType::D)]);
  RL_FOR_EACH_DTYPE(RL_ROW)
#undef RL_ROW
  constexpr int pair = static_cast<int>(DType::F4E2M1X2);
  t.convert[pair][pair] = convert<uint8_t, uint8_t>;
#define RL_FLOAT8(D, T) add_float8<T>(t);
  RL_FOR_EACH_FLOAT8(RL_FLOAT8)
#undef RL_FLOAT8
  return t;
}

RL_REGISTER(OfConvertTable, isa_rank(RL_ISA_NAME), make_table());

}  // namespace
}  // namespace RL_ISA_NS
}  // namespace rl
