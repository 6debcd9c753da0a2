// Orthogonal polynomials of degree n at x: Chebyshev T U V W (and shifted), Hermite H He, Laguerre
// L, Legendre P. A negative degree gives 0. By the three-term recurrence, a vector of elements at a
// time, each for as many steps as its own degree takes; Chebyshev's of high degree inside (-1, 1)
// by their cosines, which do not accumulate rounding.
#pragma once

#include <cstring>
#include <type_traits>

#include "elementary.h"

namespace rl::math {

#if defined(__AVX512F__)
constexpr int kWideBytes = 64;
#elif defined(__AVX__)
constexpr int kWideBytes = 32;
#else
constexpr int kWideBytes = 16;
#endif
template <class T>
struct Wide {
  using Int = typename Bits<T>::Int;
  typedef T Values __attribute__((vector_size(kWideBytes)));
  typedef Int Ints __attribute__((vector_size(kWideBytes)));
  static constexpr long kCount = kWideBytes / sizeof(T);
};
template <class T>
static inline bool any(T mask) {
  bool found = false;
  for (unsigned i = 0; i < sizeof(T) / sizeof(mask[0]); ++i) found |= mask[i] != 0;
  return found;
}

// Each polynomial says what p_1 is and how p_k follows from the two before; its magnitude at 1 and
// -1, if known, where the sign is as of x^n; and, for Chebyshev's, above which degree it is
// f((n + kShift) t) / f(kShift t) with x = cos(t), f the sine or the cosine.
struct ChebyshevT {
  static constexpr int kWaveAbove = 6;
  static constexpr double kShift = 0;
  static constexpr bool kSine = false;
  template <class V>
  static V first(V x) {
    return x;
  }
  template <class T, class V>
  static V next(T, V x, V p, V before) {
    return (x + x) * p - before;
  }
  template <class V>
  static V end(V n, bool) {
    return n * 0 + 1;
  }
};
struct ChebyshevU : ChebyshevT {
  static constexpr int kWaveAbove = 8;
  static constexpr double kShift = 1;
  static constexpr bool kSine = true;
  template <class V>
  static V first(V x) {
    return x + x;
  }
  template <class V>
  static V end(V n, bool) {
    return n + 1;
  }
};
struct ChebyshevV : ChebyshevT {
  static constexpr int kWaveAbove = 8;
  static constexpr double kShift = 0.5;
  template <class V>
  static V first(V x) {
    return x + x - 1;
  }
  template <class V>
  static V end(V n, bool left) {
    return left ? n + n + 1 : n * 0 + 1;
  }
};
struct ChebyshevW : ChebyshevV {
  static constexpr bool kSine = true;
  template <class V>
  static V first(V x) {
    return x + x + 1;
  }
  template <class V>
  static V end(V n, bool left) {
    return ChebyshevV::end(n, !left);
  }
};
struct HermiteH {
  template <class V>
  static V first(V x) {
    return x + x;
  }
  template <class T, class V>
  static V next(T k, V x, V p, V before) {
    return 2 * (x * p - (k - 1) * before);
  }
};
struct HermiteHe : HermiteH {
  template <class V>
  static V first(V x) {
    return x;
  }
  template <class T, class V>
  static V next(T k, V x, V p, V before) {
    return x * p - (k - 1) * before;
  }
};
struct LaguerreL {
  template <class V>
  static V first(V x) {
    return 1 - x;
  }
  template <class T, class V>
  static V next(T k, V x, V p, V before) {
    return ((2 * k - 1 - x) * p - (k - 1) * before) / k;
  }
};
struct LegendreP {
  template <class V>
  static V first(V x) {
    return x;
  }
  template <class T, class V>
  static V next(T k, V x, V p, V before) {
    return ((2 * k - 1) * x * p - (k - 1) * before) / k;
  }
  template <class V>
  static V end(V n, bool) {
    return n * 0 + 1;
  }
};

// For degrees from floats: truncated; what does not fit int64 (or is NaN) has no polynomial. Steps
// are counted in integers of T's width, at most kMost of them, which is even.
template <class T, class P>
struct Polynomial {
  using V = typename Wide<T>::Values;
  using I = typename Wide<T>::Ints;
  using Int = typename Wide<T>::Int;
  static constexpr long kCount = Wide<T>::kCount;
  static constexpr Int kMost = Int(1) << (8 * sizeof(T) - 2);
  static constexpr int kHermiteMost = 512;  // beyond, values leave the range of numbers
  static constexpr bool kHermite = std::is_base_of_v<HermiteH, P>;
  static constexpr bool kWaves = requires { P::kWaveAbove; };

  // `most`: the largest degree around, if below kFew.
  static constexpr Int kFew = 16;
  static V at(V x, V b, Int most) {
    V limited = (b < T(kMost)) & (b > -T(kMost)) ? b : V{} + T(kMost);
    I degree = __builtin_convertvector(limited, I), steps = degree;
    V n = b > T(kMost) ? b : __builtin_convertvector(degree, V);
    I ends = (x == 1) | (x == -1), waves = {}, none = ~((b > T(-9e18)) & (b < T(9e18)));
    if constexpr (kWaves) waves = (degree > P::kWaveAbove) & (x > -1) & (x < 1);
    if constexpr (requires { P::end(n, true); }) steps = ends ? 0 : steps;
    if constexpr (std::is_same_v<P, LaguerreL>) steps = x == 0 ? 0 : steps;
    if constexpr (kHermite) none |= degree > kHermiteMost;
    steps = waves | none ? 0 : steps;
    bool few = most < kFew;
    V y = by_steps(x, steps, few ? most : largest(steps));
    if constexpr (kWaves) {
      if ((!few || most > P::kWaveAbove) && any(waves)) y = waves ? by_waves(x, n) : y;
    }
    if constexpr (requires { P::end(n, true); }) {
      V left = P::end(n, true), odd = (degree & 1) != 0 ? -left : left;
      y = ends ? (x > 0 ? P::end(n, false) : odd) : y;
    }
    return none ? V{} + kNan<T> : b <= -1 ? V{} : y;
  }
  static Int largest(I steps) {
    Int most = 0;
    for (long i = 0; i < kCount; ++i) most = most > steps[i] ? most : steps[i];
    return most;
  }
  // Until the last are done, or all NaN: a step makes nothing of a NaN but a NaN.
  static V by_steps(V x, I steps, Int most) {
    V before = V{} + 1, p = P::first(x), y = steps == 0 ? before : p;
    for (Int k = 2, until; k <= most && (k == 2 || any((steps >= k) & (y == y)));) {
      until = most - k < 32 ? most : k + 31;
      for (; k <= until; ++k) {
        V after = P::next(T(k), x, p, before);
        before = p, p = after;
        y = steps >= k ? p : y;
      }
    }
    return y;
  }
  static V by_waves(V x, V n) {
    T angle[kCount], whole[kCount], shift[kCount];
    std::memcpy(angle, &x, sizeof x);
    std::memcpy(whole, &n, sizeof n);
    for (long i = 0; i < kCount; ++i) {
      T t = acos(abs(angle[i]) < T(1) ? angle[i] : T(0));
      whole[i] = (whole[i] + T(P::kShift)) * t, shift[i] = T(P::kShift) * t;
    }
    auto waves = [](T* t) { P::kSine ? sin_block(t, t, kCount) : cos_block(t, t, kCount); };
    waves(whole);
    if (P::kShift != 0) waves(shift);
    V over, under;
    std::memcpy(&over, whole, sizeof over);
    std::memcpy(&under, shift, sizeof under);
    return P::kShift != 0 ? over / under : over;
  }
};

// Of x[i] for degrees[i]; `Shifted` are those of 2x - 1.
template <class P, bool Shifted, class T>
static inline void polynomial_block(const T* x, const T* degrees, T* out, long n) {
  using Of = Polynomial<T, P>;
  using Int = typename Of::Int;
  Int top = 0;  // as integers: a NaN is larger than any number
  for (long i = 0; i < n; ++i)
    top = Int(to_bits(degrees[i])) > top ? Int(to_bits(degrees[i])) : top;
  const bool few = top < Int(to_bits(T(Of::kFew)));
  const Int most = few ? Int(from_bits<T>(top)) : Of::kFew;
  auto visit = [=](long i, size_t bytes) {
    typename Of::V a = {}, b = {};
    std::memcpy(&a, x + i, bytes);
    std::memcpy(&b, degrees + i, bytes);
    a = Of::at(Shifted ? a + a - 1 : a, b, most);
    std::memcpy(out + i, &a, bytes);
  };
  long i = 0;
  for (; i + Of::kCount <= n; i += Of::kCount) visit(i, kWideBytes);
  if (i < n) visit(i, static_cast<size_t>(n - i) * sizeof(T));
}
#define RL_POLYNOMIAL(name, P, shifted)                                           \
  template <class T>                                                              \
  static inline void name##_block(const T* x, const T* degrees, T* out, long n) { \
    polynomial_block<P, shifted>(x, degrees, out, n);                             \
  }                                                                               \
  template <class T>                                                              \
  static inline T name(T x, T degree) {                                           \
    polynomial_block<P, shifted>(&x, &degree, &x, 1);                             \
    return x;                                                                     \
  }
RL_POLYNOMIAL(chebyshev_polynomial_t, ChebyshevT, false)
RL_POLYNOMIAL(chebyshev_polynomial_u, ChebyshevU, false)
RL_POLYNOMIAL(chebyshev_polynomial_v, ChebyshevV, false)
RL_POLYNOMIAL(chebyshev_polynomial_w, ChebyshevW, false)
RL_POLYNOMIAL(shifted_chebyshev_polynomial_t, ChebyshevT, true)
RL_POLYNOMIAL(shifted_chebyshev_polynomial_u, ChebyshevU, true)
RL_POLYNOMIAL(shifted_chebyshev_polynomial_v, ChebyshevV, true)
RL_POLYNOMIAL(shifted_chebyshev_polynomial_w, ChebyshevW, true)
RL_POLYNOMIAL(hermite_polynomial_h, HermiteH, false)
RL_POLYNOMIAL(hermite_polynomial_he, HermiteHe, false)
RL_POLYNOMIAL(laguerre_polynomial_l, LaguerreL, false)
RL_POLYNOMIAL(legendre_polynomial_p, LegendreP, false)
#undef RL_POLYNOMIAL

}  // namespace rl::math
