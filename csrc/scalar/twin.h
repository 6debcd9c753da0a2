// Twin<T>: two registers of floats or doubles side by side, for levels with AVX2 alone. One chain
// of dependent steps leaves such a processor's units idle for half of the time, as its window of
// instructions holds less than two rounds of a loop; two chains, interleaved step by step, do not.
// (AVX-512 has the lanes in one register, and lanes.h.) Formulas that are templates of T, written
// with select, mad and the like, take it as they take T itself, to the same bits. RL_HAS_TWINS is
// defined where there is such a type. Not here: functions.
#pragma once

#include "exp.h"
#include "lanes.h"
#include "log.h"

#if defined(RL_HAS_LANES) && !defined(RL_HAS_TABLES)
#define RL_HAS_TWINS 1
#define RL_TWIN_STEP [[gnu::always_inline]] friend inline

namespace rl::math {

// Unsigned integers as long as a T.
template <class T>
struct TwinBits {
  typedef typename Bits<T>::UInt Register __attribute__((vector_size(32)));
  Register a, b;

  TwinBits(Register a, Register b) : a(a), b(b) {}
  TwinBits(typename Bits<T>::UInt x) : a(Register{} + x), b(a) {}
#define RL_TWIN_OPERATOR(OP) \
  RL_TWIN_STEP TwinBits operator OP(TwinBits x, TwinBits y) { return {x.a OP y.a, x.b OP y.b}; }
  RL_TWIN_OPERATOR(+)
  RL_TWIN_OPERATOR(-)
  RL_TWIN_OPERATOR(&)
  RL_TWIN_OPERATOR(|)
  RL_TWIN_OPERATOR(^)
#undef RL_TWIN_OPERATOR
  RL_TWIN_STEP TwinBits operator<<(TwinBits x, int by) { return {x.a << by, x.b << by}; }
  RL_TWIN_STEP TwinBits operator>>(TwinBits x, int by) { return {x.a >> by, x.b >> by}; }
};

template <class T>
struct Twin {
  typedef T Register __attribute__((vector_size(32)));
  typedef typename Bits<T>::Int MaskRegister __attribute__((vector_size(32)));
  struct Mask {
    MaskRegister a, b;
  };
  static constexpr bool kIsFloat = sizeof(T) == sizeof(float);
  static constexpr long kLanes = 64 / sizeof(T), kHalf = kLanes / 2;
  Register a, b;

  Twin() = default;
  Twin(Register a, Register b) : a(a), b(b) {}
  Twin(T x) : a(spread(x)), b(a) {}
  static Register spread(T x) {
    if constexpr (kIsFloat)
      return _mm256_set1_ps(x);
    else
      return _mm256_set1_pd(x);
  }
  TwinBits<T> bits() const {
    using R = typename TwinBits<T>::Register;
    return {(R)a, (R)b};
  }
  static Twin of_bits(TwinBits<T> x) { return {(Register)x.a, (Register)x.b}; }

#define RL_TWIN_OPERATOR(RESULT, OP) \
  RL_TWIN_STEP RESULT operator OP(Twin x, Twin y) { return RESULT{x.a OP y.a, x.b OP y.b}; }
  RL_TWIN_OPERATOR(Twin, +)
  RL_TWIN_OPERATOR(Twin, -)
  RL_TWIN_OPERATOR(Twin, *)
  RL_TWIN_OPERATOR(Twin, /)
  RL_TWIN_OPERATOR(Mask, <)
  RL_TWIN_OPERATOR(Mask, >)
  RL_TWIN_OPERATOR(Mask, <=)
  RL_TWIN_OPERATOR(Mask, >=)
  RL_TWIN_OPERATOR(Mask, ==)
#undef RL_TWIN_OPERATOR
  RL_TWIN_STEP Twin operator-(Twin x) { return {-x.a, -x.b}; }
  RL_TWIN_STEP Twin& operator+=(Twin& x, Twin y) { return x = x + y; }
  RL_TWIN_STEP Twin& operator-=(Twin& x, Twin y) { return x = x - y; }
  [[gnu::always_inline]] static Twin select(Mask m, Twin x, Twin y) {
    return {m.a ? x.a : y.a, m.b ? x.b : y.b};
  }
  // f of the registers of each.
  template <class F, class... W>
  [[gnu::always_inline]] static Twin each(F f, W... x) {
    return {f(x.a...), f(x.b...)};
  }
  RL_TWIN_STEP Twin mad(Twin x, Twin y, Twin z) { return fused(x, y, z); }
  RL_TWIN_STEP Twin fused(Twin x, Twin y, Twin z) {
    if constexpr (kIsFloat)
      return each([](auto... r) { return _mm256_fmadd_ps(r...); }, x, y, z);
    else
      return each([](auto... r) { return _mm256_fmadd_pd(r...); }, x, y, z);
  }
  // The second argument where either is a NaN.
  RL_TWIN_STEP Twin larger(Twin x, Twin y) {
    if constexpr (kIsFloat)
      return each([](auto... r) { return _mm256_max_ps(r...); }, x, y);
    else
      return each([](auto... r) { return _mm256_max_pd(r...); }, x, y);
  }
  RL_TWIN_STEP Twin smaller(Twin x, Twin y) {
    if constexpr (kIsFloat)
      return each([](auto... r) { return _mm256_min_ps(r...); }, x, y);
    else
      return each([](auto... r) { return _mm256_min_pd(r...); }, x, y);
  }
  RL_TWIN_STEP Twin limit(Twin x, T low, T high) { return smaller(high, larger(low, x)); }
  RL_TWIN_STEP Twin at_most(Twin x, T most) { return smaller(most, x); }
  RL_TWIN_STEP Twin limited_abs(Twin x, T most) { return smaller(abs(x), most); }
  RL_TWIN_STEP Twin below_zero(Twin x) { return of_bits(x.bits() | Bits<T>::kSign); }
  RL_TWIN_STEP Twin inverse(Twin x) { return 1 / x; }
  RL_TWIN_STEP Twin sqrt(Twin x) {
    if constexpr (kIsFloat)
      return each([](auto r) { return _mm256_sqrt_ps(r); }, x);
    else
      return each([](auto r) { return _mm256_sqrt_pd(r); }, x);
  }
  RL_TWIN_STEP bool any(Mask m) { return _mm256_movemask_epi8((__m256i)(m.a | m.b)) != 0; }
  // Whether all lanes are finite and at most that in magnitude.
  RL_TWIN_STEP bool all_within(Twin x, T most) {
    TwinBits<T> a = abs(x).bits();
    auto above = (MaskRegister)a.a > (MaskRegister)TwinBits<T>(to_bits(most)).a;
    above |= (MaskRegister)a.b > (MaskRegister)TwinBits<T>(to_bits(most)).a;
    return _mm256_movemask_epi8((__m256i)above) == 0;
  }
  // Whether all lanes are positive, normal and finite.
  RL_TWIN_STEP bool all_normal(Twin x) {
    constexpr auto kLeast = to_bits(std::numeric_limits<T>::min());
    constexpr auto kShift = Bits<T>::kSign - kLeast;  // for a signed comparison
    const TwinBits<T> limit = to_bits(kInf<T>) - kLeast - 1 + Bits<T>::kSign;
    TwinBits<T> moved = x.bits() + TwinBits<T>(kShift);
    auto outside = (MaskRegister)moved.a > (MaskRegister)limit.a;
    outside |= (MaskRegister)moved.b > (MaskRegister)limit.a;
    return _mm256_movemask_epi8((__m256i)outside) == 0;
  }
  RL_TWIN_STEP T sum_of(Twin x) {
    typename Twin<T>::Register sum = x.a + x.b;
    if constexpr (kIsFloat)
      return math::sum_of(__m256(sum));
    else
      return (sum[0] + sum[2]) + (sum[1] + sum[3]);
  }
};

template <class T>
[[gnu::always_inline]] static inline Twin<T> rsqrt(Twin<T> x) {
  if constexpr (Twin<T>::kIsFloat)
    return Twin<T>::each([](auto r) { return math::rsqrt(Lanes(r)); }, x);
  else
    return 1 / sqrt(x);
}
template <class T>
struct ScalarOfType<Twin<T>> {
  using type = T;
};
template <class T>
struct Bits<Twin<T>> : Bits<T> {
  using UInt = TwinBits<T>;
};
template <class T>
struct ExpConst<Twin<T>> : ExpConst<T> {};
template <class T>
struct LogConst<Twin<T>> : LogConst<T> {};

// ---- to and from memory; of the last elements, `count` alone, lanes beyond being 0
static inline __m256i first_double_lanes(long count) {
  return _mm256_cmpgt_epi64(_mm256_set1_epi64x(count), _mm256_setr_epi64x(0, 1, 2, 3));
}
static inline __m256d load_first(const double* x, long count) {
  return _mm256_maskload_pd(x, first_double_lanes(count));
}
static inline __m256d keep_first(__m256d x, long count) {
  return _mm256_and_pd(x, _mm256_castsi256_pd(first_double_lanes(count)));
}
static inline void store_first(double* to, __m256d x, long count) {
  _mm256_maskstore_pd(to, first_double_lanes(count), x);
}
template <class T>
[[gnu::always_inline]] static inline Twin<T> load_twin(const T* x) {
  Twin<T> v;
  std::memcpy(&v.a, x, sizeof v.a);
  std::memcpy(&v.b, x + Twin<T>::kHalf, sizeof v.b);
  return v;
}
template <class T>
[[gnu::always_inline]] static inline Twin<T> load_twin_first(const T* x, long count) {
  constexpr long kHalf = Twin<T>::kHalf;
  if (count <= kHalf) return {load_first(x, count), Twin<T>::spread(0)};
  return {load_first(x, kHalf), load_first(x + kHalf, count - kHalf)};
}
template <class T>
[[gnu::always_inline]] static inline void store_lanes(T* to, Twin<T> x, long count) {
  constexpr long kHalf = Twin<T>::kHalf;
  if (count < kHalf) return store_first(to, x.a, count);
  std::memcpy(to, &x.a, sizeof x.a);
  if (count == 2 * kHalf) return void(std::memcpy(to + kHalf, &x.b, sizeof x.b));
  if (count > kHalf) store_first(to + kHalf, x.b, count - kHalf);
}
template <class T>
[[gnu::always_inline]] static inline Twin<T> keep_first(Twin<T> x, long count) {
  return {keep_first(x.a, count), keep_first(x.b, count - Twin<T>::kHalf)};
}
// f of every lane, where a formula for all at once would not do. Not inlined: it is seldom called,
// and gcc makes the loop long.
template <class T, class F>
[[gnu::noinline]] static Twin<T> one_by_one(Twin<T> x, F f) {
  T numbers[Twin<T>::kLanes];
  std::memcpy(numbers, &x, sizeof x);
  for (T& number : numbers) number = f(number);
  std::memcpy(&x, numbers, sizeof x);
  return x;
}
// visit(i, count, load) for every `count` elements from i on, at most what Twin<T> holds; load(x)
// are those of x.
template <class T, class F>
[[gnu::always_inline]] static inline void twin_each(long n, F visit) {
  constexpr long kCount = Twin<T>::kLanes;
  long i = 0;
  for (; i + kCount <= n; i += kCount)
    visit(i, kCount, [i](const T* x) { return load_twin(x + i); });
  if (i < n) visit(i, n - i, [i, n](const T* x) { return load_twin_first(x + i, n - i); });
}
template <class T, class F>
[[gnu::always_inline]] static inline void widest_each(long n, F visit) {
  twin_each<T>(n, visit);
}

}  // namespace rl::math
#elif defined(RL_HAS_LANES)
namespace rl::math {

template <class T, class F>
static inline void widest_each(long n, F visit) {
  lanes_each<T>(n, visit);
}

}  // namespace rl::math
#endif
