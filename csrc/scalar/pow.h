// Powers and roots of sums: pow (all C99 special cases), hypot. Branch-free, so loops over
// them vectorise. pow is exp2(y log2|x|): for float with the inside in double, for double with the
// logarithm in a pair of doubles, so that an exponent of a thousand still leaves the last bit
// right. pow_block is for the usual case of one exponent.
#pragma once

#include <cstring>
#include <type_traits>

#include "exp_block.h"
#include "log.h"
#include "pair.h"

namespace rl::math {

static inline float floor(float x) { return __builtin_floorf(x); }
static inline double floor(double x) { return __builtin_floor(x); }

// |x|^y from its core, which may be anything where x or y is not an ordinary number: zeros,
// infinities, NaN and the sign of odd integer powers.
template <class T>
static inline T pow_special(T x, T y, T core) {
  T a = abs(x);
  T half = y * T(0.5), y_floor = floor(y), half_floor = floor(half);
  bool whole = y_floor == y, odd = whole & (half_floor != half);
  bool y_inf = abs(y) == kInf<T>, edge = (a == T(0)) | (a == kInf<T>) | y_inf;
  T grown = y > T(0) ? kInf<T> : T(0), shrunk = y > T(0) ? T(0) : kInf<T>;
  T v = edge ? (a > T(1) ? grown : shrunk) : core;
  v = odd ? flip_sign(v, x) : v;
  v = ((x < T(0)) & (x > -kInf<T>)&!whole) ? kNan<T> : v;
  v = (is_nan(x) | is_nan(y)) ? kNan<T> : v;
  v = ((a == T(1)) & y_inf) ? T(1) : v;
  return ((x == T(1)) | (y == T(0))) ? T(1) : v;
}

// a^y for a positive finite a and a finite y.
static inline float pow_core(float a, float y) {
  return float(exp2_for_float(double(y) * log2_for_float(a)));
}

// log2 of a positive finite double: f/(2+f) and its odd series with the first two terms in pairs.
static inline Pair log2_pair(double a) {
  auto [k, f, biased] = split_log_any(a);
  Pair d = ordered_sum(2.0, f);
  double inverse = 1.0 / d.hi, s_hi = f * inverse;
  Pair s = ordered_sum(s_hi, (fused(-s_hi, d.hi, f) - s_hi * d.lo) * inverse);
  Pair z = multiply(s, s);
  double q = z.hi * horner(z.hi, 0x1.9999999999b3p-2, 0x1.2492492457d47p-2, 0x1.c71c722d6a8ccp-3,
                           0x1.745ce9e13f84bp-3, 0x1.3b1eec87d4ebbp-3, 0x1.0f7fdc058747ap-3,
                           0x1.0e433cce2e43fp-3);
  Pair c = ordered_sum(0x1.5555555555555p-1, {q, 0x1.5555555555555p-55});
  Pair w = ordered_sum(2.0, multiply(z, c));
  constexpr Pair kLog2e = {LogConst<double>::kLog2eHi, LogConst<double>::kLog2eLo};
  return ordered_sum(k, multiply(multiply(s, w), kLog2e));
}
// 2^(t.hi + t.lo). Past the limits only the side matters, so the tail may be cut there.
static inline double exp2_pair(Pair t) {
  using C = ExpConst<double>;
  constexpr double kShift = Bits<double>::kRound + 2 * Bits<double>::kBias;
  double limited = limit_magnitude(t.hi, 1100.0), lo = limit_magnitude(t.lo, 0x1p-42);
  double shifted = limited + kShift, r = limited - (shifted - kShift);
  double head = r * C::kLn2;
  double tail = fused(r, C::kLn2, -head) + mad(r, C::kLn2Rest, lo * C::kLn2);
  Pair e = exp_series(head, tail);
  return times_power(e.hi + e.lo, to_bits(shifted));
}
static inline double pow_of_log(Pair log2, double y) {
  double exponent = limit_magnitude(y, 0x1p66);  // beyond, the power is 0, 1 or inf anyway
  return exp2_pair(multiply(log2, exponent));
}
static inline double pow_core(double a, double y) { return pow_of_log(log2_pair(a), y); }

#ifdef RL_HAS_TABLES
// As the functions of one number, by tables. log2|a| for an a that was a float: the three leading
// bits of its mantissa m choose c, near 1/m and 1 where m is near 1; -log2(c) and a polynomial in
// cm - 1. To 37 bits again.
alignas(64) inline constexpr double kNearInverse[8] = {
    1.0, 0x1.afp-1, 0x1.86p-1, 0x1.64p-1, 0x1.478p+0, 0x1.2f8p+0, 0x1.1a8p+0, 1.0};
alignas(64) inline constexpr double kLessLog2[8] = {0.0,
                                                    0x1.fcd677e5ac81dp-3,
                                                    0x1.921800924dd3bp-2,
                                                    0x1.0c6caaf0c5597p-1,
                                                    -0x1.6be12866f820dp-2,
                                                    -0x1.f6e456567fe55p-3,
                                                    -0x1.2309065d29791p-3,
                                                    0.0};
static inline DoubleLanes log2_for_float(DoubleLanes a) {
  auto [m, k] = split_mantissa(a);
  auto index = (DoubleLanes)((DoubleLaneBits)m >> (Bits<double>::kMantissa - 3));
  DoubleLanes r = mad(m, look_up(load_lanes(kNearInverse), index), fill_double(-1.0));
  DoubleLanes p = horner(r, 0x1.71547652be45cp+0, -0x1.71547654b2e2cp-1, 0x1.ec709c4976705p-2,
                         -0x1.71545ab2a770cp-2, 0x1.2779e30a23531p-2, -0x1.ece2886606527p-3,
                         0x1.a3e32ddc43472p-3, -0x1.2cb24e9e2158ep-3);
  return mad(r, p, k + look_up(load_lanes(kLessLog2), index));
}
static inline DoubleLanes exp2_for_float(DoubleLanes t) {
  DoubleLanes limited = limit(t, float_exponents.low, float_exponents.high);
  DoubleLanes shifted = limited + kEighths, n = shifted - kEighths, r = limited - n;
  DoubleLanes p = horner(r, 0x1.62e42fd9cadf1p-1, 0x1.ebfbdfee13fa2p-3, 0x1.c6bb79cc3b21fp-5,
                         0x1.3b2fc329a4157p-7);
  DoubleLanes head = look_up(load_lanes(kDoublePower), shifted);
  return scale_by_power(mad(head * r, p, head), n);
}
#endif

// The same of n numbers, at most kPowBlock, each with its exponent. In double by two loops:
// processors look ahead over several elements of a short loop, over hardly one of both.
constexpr long kPowBlock = 256;
static inline void pow_cores(const float* x, const float* y, float* out, long n) {
#ifdef RL_HAS_TABLES
  return lanes_each<double>(n, [=](long i, long count, auto) {
    DoubleLanes log2 = log2_for_float(widen_first(x + i, count));
    store_narrowed(out + i, exp2_for_float(widen_first(y + i, count) * log2), count);
  });
#endif
#pragma GCC ivdep
  for (long i = 0; i < n; ++i) out[i] = pow_core(abs(x[i]), y[i]);
}
static inline void pow_cores(const double* x, const double* y, double* out, long n) {
  double log[kPowBlock], log_lo[kPowBlock];
#pragma GCC ivdep
  for (long i = 0; i < n; ++i) {
    Pair l = log2_pair(abs(x[i]));
    log[i] = l.hi, log_lo[i] = l.lo;
  }
#ifdef RL_HAS_TABLES
  lanes_each<double>(n, [&](long i, long count, auto load) {
    DoubleLanes l = load(log), exponent = limit(load(y), -0x1p66, 0x1p66), t = l * exponent;
    DoubleLanes rest = mad(load(log_lo), exponent, mad(l, exponent, -t));
    store_lanes(out + i, exp2_lanes(limit(t, -1100.0, 1100.0), limit(rest, -0x1p-42, 0x1p-42)),
                count);
  });
#else
#pragma GCC ivdep
  for (long i = 0; i < n; ++i) out[i] = pow_of_log({log[i], log_lo[i]}, y[i]);
#endif
}

static inline float pow(float x, float y) { return pow_special(x, y, pow_core(abs(x), y)); }
static inline double pow(double x, double y) { return pow_special(x, y, pow_core(abs(x), y)); }

// x^(kHalves / 2) where that is a few operations.
template <int kHalves, class T>
static inline T power_of_halves(T x) {
  if constexpr (kHalves == -4)  // not 0 where only the square is infinite
    return x * x == kInf<T> ? T(1) / x * (T(1) / x) : T(1) / (x * x);
  else if constexpr (kHalves < 0)
    return T(1) / power_of_halves<-kHalves>(x);
  else if constexpr (kHalves == 1)
    return x == -kInf<T> ? kInf<T> : sqrt(x + T(0));
  else if constexpr (kHalves == 2)
    return x;
  else if constexpr (kHalves == 4)
    return x * x;
  else
    return x * x * x;
}
// Calls `use` with the number of halves in y, as a type, if such a power is short.
template <class T, class F>
static inline bool if_short_power(T y, F&& use) {
  auto is = [&]<int kHalves>(std::integral_constant<int, kHalves> halves) {
    return y == T(kHalves) / 2 && (use(halves), true);
  };
  using std::integral_constant;
  return is(integral_constant<int, 4>{}) || is(integral_constant<int, 6>{}) ||
         is(integral_constant<int, 2>{}) || is(integral_constant<int, 1>{}) ||
         is(integral_constant<int, -1>{}) || is(integral_constant<int, -2>{}) ||
         is(integral_constant<int, -4>{});
}

// Powers of at most kPowBlock numbers with one exponent, finite and not 0; what the exponent alone
// decides is decided once.
template <class T>
static inline void pow_block_ordinary(const T* in, T y, T* out, long n) {
  const T at_zero = pow_special(T(0), y, T(0)), at_inf = pow_special(kInf<T>, y, T(0));
  const T at_minus_one = pow_special(T(-1), y, T(1)), below = at_minus_one - at_minus_one;
  const auto odd = sign_bit(at_minus_one) & ~sign_bit(below);
  T exponents[kPowBlock];  // in memory: gcc does not vectorise this with a constant exponent
  for (long i = 0; i < n; ++i) exponents[i] = y;
  pow_cores(in, exponents, out, n);
#pragma GCC ivdep
  for (long i = 0; i < n; ++i) {
    T x = in[i], a = abs(x), v = out[i];
    v = x < T(0) ? v + below : v;
    v = a == T(0) ? at_zero : a == kInf<T> ? at_inf : is_nan(x) ? x : v;
    out[i] = from_bits<T>(to_bits(v) ^ (sign_bit(x) & odd));
  }
}
// Calls use(power, from, count) for the pieces of a block, power(i) being x[i]^y there.
template <class T, class F>
static inline void pow_pieces(const T* x, T y, long n, F&& use) {
  bool is_short = if_short_power(y, [&]<int kHalves>(std::integral_constant<int, kHalves>) {
    use([&](long i) { return power_of_halves<kHalves>(x[i]); }, 0, n);
  });
  if (is_short) return;
  T powers[kPowBlock];
  for (long from = 0; from < n; from += kPowBlock) {
    const long count = n - from < kPowBlock ? n - from : kPowBlock;
    if (abs(y) < kInf<T> && y != T(0))
      pow_block_ordinary(x + from, y, powers, count);
    else
      for (long i = 0; i < count; ++i) powers[i] = pow_special(x[from + i], y, T(0));
    use([&](long i) { return powers[i - from]; }, from, count);
  }
}
template <class T>
static inline void pow_block(const T* in, T y, T* out, long n) {
  pow_pieces(in, y, n, [&](auto&& power, long from, long count) {
#pragma GCC ivdep
    for (long i = from; i < from + count; ++i) out[i] = power(i);
  });
}
// With an exponent for each element. Short powers come out as above, whatever else is in the block.
template <class T>
static inline void pow_block(const T* in, const T* y, T* out, long n) {
  T powers[kPowBlock];
  for (long from = 0; from < n; from += kPowBlock) {
    const long count = n - from < kPowBlock ? n - from : kPowBlock;
    const T *x = in + from, *e = y + from;
    pow_cores(x, e, powers, count);
    typename Bits<T>::Int any_special = 0, any_short = 0;  // this loop vectorises
    for (long i = 0; i < count; ++i) {
      any_special |= !((x[i] > T(0)) & (x[i] < kInf<T>)&(abs(e[i]) < kInf<T>));
      any_short |= (abs(e[i]) <= T(3)) & (floor(2 * e[i]) == 2 * e[i]);
    }
    if (any_special)
#pragma GCC ivdep
      for (long i = 0; i < count; ++i) powers[i] = pow_special(x[i], e[i], powers[i]);
    for (long i = 0; any_short && i < count; ++i)
      if_short_power(e[i], [&]<int kHalves>(std::integral_constant<int, kHalves>) {
        powers[i] = power_of_halves<kHalves>(x[i]);
      });
    std::memcpy(out + from, powers, static_cast<size_t>(count) * sizeof(T));
  }
}

// sqrt(x^2 + y^2) without overflow or underflow inside; an infinity wins over a NaN.
static inline float hypot(float x, float y) {
  double a = double(x), b = double(y);
  float h = float(sqrt(a * a + b * b));
  return (abs(x) == kInf<float>) | (abs(y) == kInf<float>) ? kInf<float> : h;
}
static inline double hypot(double x, double y) {
  double a = abs(x), b = abs(y), longer = a > b ? a : b;
  double scale = longer > 0x1p500 ? 0x1p-600 : longer < 0x1p-400 ? 0x1p600 : 1.0;
  double back = longer > 0x1p500 ? 0x1p600 : longer < 0x1p-400 ? 0x1p-600 : 1.0;
  double as = a * scale, bs = b * scale;
  Pair aa = exact_product(as, as), bb = exact_product(bs, bs);
  Pair s = exact_sum(aa.hi, bb.hi);
  double rest = s.lo + (aa.lo + bb.lo), root = sqrt(s.hi);  // then one step of Newton's
  double h = root + (fused(-root, root, s.hi) + rest) / (root + (root == 0.0 ? 1.0 : root));
  return (a == kInf<double>) | (b == kInf<double>) ? kInf<double> : h * back;
}

}  // namespace rl::math
