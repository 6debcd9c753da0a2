// exp of a block. With AVX-512 by a table that fits a register: half the time of the loop over
// exp.h's and nearer the truth. Method: x = n ln2 + r with n a multiple of a fraction 1/m, |r| <=
// ln2 / 2m; exp(x) = 2^n exp(r), where 2^(n - floor(n)) is from the table. Targets without such a
// look-up loop over exp, those with AVX2 two registers at a time. exp_lanes is for whatever else is
// one exponential away, see activation_lanes.h.
#pragma once

#include "exp.h"
#include "lanes.h"
#include "twin.h"

namespace rl::math {

struct Nothing {
  void operator()(long) const {}
};
#ifdef RL_HAS_LANES
#ifdef __AVX512F__
// 2^(j/16) as a float, and what the float lacks.
alignas(64) inline constexpr float kPower[16] = {
    0x1p+0f,        0x1.0b5586p+0f, 0x1.172b84p+0f, 0x1.2387a6p+0f, 0x1.306fep+0f,  0x1.3dea64p+0f,
    0x1.4bfdaep+0f, 0x1.5ab07ep+0f, 0x1.6a09e6p+0f, 0x1.7a1148p+0f, 0x1.8ace54p+0f, 0x1.9c4918p+0f,
    0x1.ae89fap+0f, 0x1.c199bep+0f, 0x1.d5818ep+0f, 0x1.ea4afap+0f};
alignas(64) inline constexpr float kPowerRest[16] = {
    0x0p+0f,          0x1.9f3122p-25f,  -0x1.c15742p-27f, 0x1.ceac48p-25f,
    0x1.4636e2p-25f,  0x1.824684p-25f,  -0x1.593abcp-25f, -0x1.5bd5ecp-27f,
    0x1.9fcef4p-26f,  -0x1.829fdp-25f,  0x1.15506ep-27f,  0x1.51f848p-27f,
    -0x1.a94b14p-26f, -0x1.3d56b2p-27f, -0x1.822dbcp-27f, 0x1.52486cp-27f};

// exp(x), or exp(x + tail) for a tail below an ulp of x, is scale_by_power(value, n).
struct SplitLanes {
  Lanes value, n;
};
// Not kFine, it is within an ulp, without what the table's entries lack.
template <bool kFine = false, class... Tail>
static inline SplitLanes exp_split(Lanes x, Tail... tail) {
  using C = ExpConst<float>;
  const Lanes shift = fill(Bits<float>::kRound / 16);
  Lanes shifted = mad(x, fill(C::kLog2e), shift), n = shifted - shift;
  Lanes high = mad(n, fill(-C::kLn2Hi), x), r = (mad(n, fill(-C::kLn2Lo), high) + ... + tail);
  Lanes rise = mad(r * r, mad(r, fill(0.166666672f), fill(0.500016212f)), r);
  Lanes head = look_up(load_lanes(kPower), shifted);
  if (!kFine) return {mad(head, rise, head), n};
  return {head + mad(head, rise, look_up(load_lanes(kPowerRest), shifted)), n};
}
template <bool kFine = false>
static inline Lanes exp_lanes(Lanes x) {
  Lanes limited = smaller(fill(exp_limits_f.high), larger(fill(exp_limits_f.low), x));
  auto [value, n] = exp_split<kFine>(limited);
  return scale_by_power(value, n);
}

// The same of doubles: 2^(j/8), and what the double lacks.
alignas(64) inline constexpr double kDoublePower[8] = {0x1p+0,
                                                       0x1.172b83c7d517bp+0,
                                                       0x1.306fe0a31b715p+0,
                                                       0x1.4bfdad5362a27p+0,
                                                       0x1.6a09e667f3bcdp+0,
                                                       0x1.8ace5422aa0dbp+0,
                                                       0x1.ae89f995ad3adp+0,
                                                       0x1.d5818dcfba487p+0};
alignas(64) inline constexpr double kDoublePowerRest[8] = {0x0p+0,
                                                           -0x1.19041b9d78a76p-55,
                                                           0x1.6f46ad23182e4p-55,
                                                           0x1.d4397afec42e2p-56,
                                                           -0x1.bdd3413b26456p-54,
                                                           0x1.6e9f156864b27p-54,
                                                           0x1.7a1cd345dcc81p-54,
                                                           0x1.2ed02d75b3707p-55};
// 2^n exp(r), or exp(r + tail) for a tail whose square is nothing, given n with its eighths as the
// lowest bits of `shifted`.
template <class... Tail>
static inline DoubleLanes exp_of_split(DoubleLanes r, DoubleLanes shifted, DoubleLanes n,
                                       Tail... tail) {
  DoubleLanes square = r * r, low = horner(r, 0x1.000000000002ep-1, 0x1.555555555556ap-3);
  DoubleLanes middle = horner(r, 0x1.5555554e8d709p-5, 0x1.1111110e0d900p-7);
  DoubleLanes end = horner(r, 0x1.6c1b735ab0459p-10, 0x1.a01e2e013e538p-13);
  DoubleLanes curve = mad(square, mad(square, end, middle), low);
  DoubleLanes rise = mad(square, curve, r);
  if constexpr (sizeof...(Tail) > 0) rise = r + mad(square, curve, (mad(tail, rise, tail) + ...));
  DoubleLanes head = look_up(load_lanes(kDoublePower), shifted);
  DoubleLanes rest = look_up(load_lanes(kDoublePowerRest), shifted);
  return scale_by_power(head + mad(head, rise, rest), n);
}
inline constexpr double kEighths = Bits<double>::kRound / 8;
static inline DoubleLanes limit(DoubleLanes x, double low, double high) {
  return smaller(fill_double(high), larger(fill_double(low), x));
}
static inline DoubleLanes exp_lanes(DoubleLanes x) {
  using C = ExpConst<double>;
  DoubleLanes limited = limit(x, exp_limits_d.low, exp_limits_d.high);
  DoubleLanes shifted = mad(limited, fill_double(C::kLog2e), fill_double(kEighths));
  DoubleLanes n = shifted - kEighths, high = mad(n, fill_double(-C::kLn2Hi), limited);
  return exp_of_split(mad(n, fill_double(-C::kLn2Lo), high), shifted, n);
}
// 2^(x + more) for |x| <= 1100 and a `more` of a few ulps at most.
static inline DoubleLanes exp2_lanes(DoubleLanes x, DoubleLanes more) {
  using C = ExpConst<double>;
  const DoubleLanes ln2 = fill_double(C::kLn2);
  DoubleLanes shifted = x + kEighths, n = shifted - kEighths, fraction = x - n;
  DoubleLanes r = fraction * ln2, lost = mad(fraction, ln2, -r);
  return exp_of_split(r, shifted, n, lost + mad(fraction, fill_double(C::kLn2Rest), more * ln2));
}
#else
// 2^(j/4) as a float, and what the float lacks: from j = 4 on, as the exponent is halved below.
alignas(32) inline constexpr float kPower[8] = {0x1p+0f,        0x1.306fep+0f, 0x1.6a09e6p+0f,
                                                0x1.ae89fap+0f, 0x1p+1f,       0x1.306fep+1f,
                                                0x1.6a09e6p+1f, 0x1.ae89fap+1f};
alignas(32) inline constexpr float kPowerRest[8] = {
    0x0p+0f, 0x1.4636e2p-25f, 0x1.9fcef4p-26f, -0x1.a94b14p-26f,
    0x0p+0f, 0x1.4636e2p-24f, 0x1.9fcef4p-25f, -0x1.a94b14p-25f};

// 4^k, k = floor(n / 8), is multiplied in two equal factors, because alone it may overflow or be
// subnormal; its exponent's bias is among the bits already.
template <bool kFine = false>
static inline Lanes exp_lanes(Lanes x) {
  using C = ExpConst<float>;
  const Lanes shift = fill(Bits<float>::kRound + 8 * Bits<float>::kBias);
  Lanes limited = smaller(fill(exp_limits_f.high), larger(fill(exp_limits_f.low), x));
  Lanes shifted = mad(limited, fill(4 * C::kLog2e), shift), n = shifted - shift;
  Lanes high = mad(n, fill(C::kLn2Hi / -4), limited), r = mad(n, fill(C::kLn2Lo / -4), high);
  Lanes square = r * r, low = mad(r, fill(0.166666687f), fill(0.49999997f));
  Lanes curve = mad(square, mad(r, fill(0.00833228976f), fill(0.0416810662f)), low);
  Lanes head = look_up(load_lanes(kPower), shifted);
  Lanes rest = look_up(load_lanes(kPowerRest), shifted);
  Lanes power = _mm256_castsi256_ps(
      _mm256_slli_epi32(_mm256_srli_epi32(_mm256_castps_si256(shifted), 3), 23));
  return (head + mad(head, mad(square, curve, r), rest)) * power * power;
}
#endif
#endif

#if defined(RL_HAS_TWINS)
// Where all the results are normal numbers, their exponents are added: no limits, no second factor.
template <class T>
inline constexpr T kMostPlain = sizeof(T) == sizeof(float) ? T(87) : T(708);
template <class T>
[[gnu::always_inline]] static inline Twin<T> exp(Twin<T> x) {
  return all_within(x, kMostPlain<T>) ? exp_plain(x) : exp_any(x);
}
// Not kFine, it is within an ulp.
template <bool kFine = false>
[[gnu::always_inline]] static inline Twin<float> exp_lanes(Twin<float> x) {
  if (kFine) return exp(x);
  return all_within(x, kMostPlain<float>) ? exp_normal(x) : exp_any(x);
}
[[gnu::always_inline]] static inline Twin<double> exp_lanes(Twin<double> x) { return exp(x); }
template <class T>
[[gnu::flatten]] static inline void exp_block(const T* in, T* out, long n) {
  twin_each<T>(n,
               [=](long i, long count, auto load) { store_lanes(out + i, exp(load(in)), count); });
}
// out[i] = exp(in[i] - less[i]), which is added to sums[i].
template <class T>
[[gnu::flatten]] static inline void exp_less(const T* in, const T* less, T* out, T* sums, long n) {
  twin_each<T>(n, [=](long i, long count, auto load) {
    Twin<T> y = exp_lanes(load(in) - load(less));
    store_lanes(out + i, y, count);
    store_lanes(sums + i, load(sums) + y, count);
  });
}
// out[i] = exp(in[i] * scale - shift), and their sum. meanwhile(i) is called for every line of
// memory, or more often, to ask for what the caller needs next.
template <class T, class F = Nothing>
[[gnu::flatten]] static inline T exp_sum(const T* in, T* out, long n, std::type_identity_t<T> scale,
                                         std::type_identity_t<T> shift, F meanwhile = {}) {
  Twin<T> sums = T(0), by = scale, below = -shift;
  twin_each<T>(n, [&](long i, long count, auto load) {
    Twin<T> y = exp_lanes(mad(load(in), by, below));
    store_lanes(out + i, y, count);
    sums += count == Twin<T>::kLanes ? y : keep_first(y, count);
    meanwhile(i);
  });
  return sum_of(sums);
}
#elif defined(RL_HAS_TABLES)
static inline void exp_block(const float* in, float* out, long n) {
  lanes_each(n, [=](long i, long count, auto load) {
    store_lanes(out + i, exp_lanes<true>(load(in)), count);
  });
}
// out[i] = exp(in[i] - less[i]), which is added to sums[i].
static inline void exp_less(const float* in, const float* less, float* out, float* sums, long n) {
  lanes_each(n, [=](long i, long count, auto load) {
    Lanes y = exp_lanes(load(in) - load(less));
    store_lanes(out + i, y, count);
    store_lanes(sums + i, load(sums) + y, count);
  });
}
// out[i] = exp(in[i] * scale - shift), and their sum. meanwhile(i) is called for every line of
// memory, or more often, to ask for what the caller needs next.
template <class F = Nothing>
static inline float exp_sum(const float* in, float* out, long n, float scale, float shift,
                            F meanwhile = {}) {
  Lanes sums = fill(0.0f), by = fill(scale), below = fill(-shift);
  lanes_each(n, [&](long i, long count, auto load) {
    Lanes y = exp_lanes(mad(load(in), by, below));
    store_lanes(out + i, y, count);
    sums += count == kFloatLanes ? y : keep_first(y, count);
    meanwhile(i);
  });
  return sum_of(sums);
}
static inline void exp_block(const double* in, double* out, long n) {
  lanes_each<double>(
      n, [=](long i, long count, auto load) { store_lanes(out + i, exp_lanes(load(in)), count); });
}
static inline void exp_less(const double* in, const double* less, double* out, double* sums,
                            long n) {
  lanes_each<double>(n, [=](long i, long count, auto load) {
    DoubleLanes y = exp_lanes(load(in) - load(less));
    store_lanes(out + i, y, count);
    store_lanes(sums + i, load(sums) + y, count);
  });
}
template <class F = Nothing>
static inline double exp_sum(const double* in, double* out, long n, double scale, double shift,
                             F meanwhile = {}) {
  DoubleLanes sums[2] = {}, by = fill_double(scale), below = fill_double(-shift);
  lanes_each<double>(n, [&](long i, long count, auto load) {
    DoubleLanes y = exp_lanes(mad(load(in), by, below));
    store_lanes(out + i, y, count);
    sums[i / 8 % 2] += count == 8 ? y : keep_first(y, count);
    meanwhile(i);
  });
  return sum_of(sums[0] + sums[1]);
}
#else
template <class T>
static inline void exp_block(const T* in, T* out, long n) {
#pragma GCC ivdep
  for (long i = 0; i < n; ++i) out[i] = exp(in[i]);
}
template <class T>
static inline void exp_less(const T* in, const T* less, T* out, T* sums, long n) {
#pragma GCC ivdep
  for (long i = 0; i < n; ++i) sums[i] += out[i] = exp(in[i] - less[i]);
}
template <class T, class F = Nothing>
static inline T exp_sum(const T* in, T* out, long n, std::type_identity_t<T> scale,
                        std::type_identity_t<T> shift, F meanwhile = {}) {
  constexpr long kLine = 64 / sizeof(T), kSums = 16;
  T sums[kSums] = {};  // side by side, as one would wait for each addition
#pragma GCC ivdep
  for (long i = 0; i < n; ++i) out[i] = exp(in[i] * scale - shift);
  for (long i = 0; i < n; i += kLine) meanwhile(i);
  long i = 0;
  for (; i + kSums <= n; i += kSums)
    for (long k = 0; k < kSums; ++k) sums[k] += out[i + k];
  for (; i < n; ++i) sums[i % kSums] += out[i];
  for (long half = kSums / 2; half; half /= 2)
    for (long k = 0; k < half; ++k) sums[k] += sums[k + half];
  return sums[0];
}
#endif

}  // namespace rl::math
