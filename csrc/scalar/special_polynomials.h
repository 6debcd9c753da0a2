// Orthogonal polynomials of degree n at x: Chebyshev T U V W (and shifted), Hermite H He, Laguerre
// L, Legendre P. A negative degree gives 0. By the three-term recurrence; Chebyshev's of high
// degree inside (-1, 1) by their cosines, which do not accumulate rounding. Scalar code.
#pragma once

#include "elementary.h"

namespace rl::math {

// Degrees above this leave the float range or NaN the recurrence; the loop would only burn time.
inline constexpr int64_t kHermiteMax = 512;

// p_n from p_0 = 1, p_1 = first and p_k = next(k, p_(k-1), p_(k-2)).
template <class T, class Next>
static inline T recurrence(int64_t n, T first, Next next) {
  if (n < 0) return T(0);
  T before = T(1), p = first;
  if (n == 0) return before;
  for (int64_t k = 2; k <= n && !is_nan(p); ++k) {
    T after = next(T(k), p, before);
    before = p;
    p = after;
  }
  return p;
}
template <class T>
static inline T chebyshev_recurrence(T x, int64_t n, T first) {
  return recurrence(n, first, [x](T, T p, T before) { return T(2) * x * p - before; });
}

template <class T>
static inline T chebyshev_polynomial_t(T x, int64_t n) {
  if (n >= 0 && abs(x) == T(1)) return x > T(0) || n % 2 == 0 ? T(1) : T(-1);
  if (n > 6 && abs(x) < T(1)) return cos(T(n) * acos(x));
  return chebyshev_recurrence(x, n, x);
}
template <class T>
static inline T chebyshev_polynomial_u(T x, int64_t n) {
  if (n >= 0 && abs(x) == T(1)) return x > T(0) || n % 2 == 0 ? T(n + 1) : -T(n + 1);
  if (n > 8 && abs(x) < T(1)) return sin(T(n + 1) * acos(x)) / sin(acos(x));
  return chebyshev_recurrence(x, n, T(2) * x);
}
template <class T>
static inline T chebyshev_polynomial_v(T x, int64_t n) {
  if (n >= 0 && abs(x) == T(1)) return x > T(0) ? T(1) : n % 2 == 0 ? T(2 * n + 1) : -T(2 * n + 1);
  if (n > 8 && abs(x) < T(1)) {
    T angle = acos(x);
    return cos((T(n) + T(0.5)) * angle) / cos(T(0.5) * angle);
  }
  return chebyshev_recurrence(x, n, T(2) * x - T(1));
}
template <class T>
static inline T chebyshev_polynomial_w(T x, int64_t n) {
  if (n >= 0 && abs(x) == T(1)) return x > T(0) ? T(2 * n + 1) : n % 2 == 0 ? T(1) : T(-1);
  if (n > 8 && abs(x) < T(1)) {
    T angle = acos(x);
    return sin((T(n) + T(0.5)) * angle) / sin(T(0.5) * angle);
  }
  return chebyshev_recurrence(x, n, T(2) * x + T(1));
}
template <class T>
static inline T shifted_chebyshev_polynomial_t(T x, int64_t n) {
  return chebyshev_polynomial_t(x + x - T(1), n);
}
template <class T>
static inline T shifted_chebyshev_polynomial_u(T x, int64_t n) {
  return chebyshev_polynomial_u(x + x - T(1), n);
}
template <class T>
static inline T shifted_chebyshev_polynomial_v(T x, int64_t n) {
  return chebyshev_polynomial_v(x + x - T(1), n);
}
template <class T>
static inline T shifted_chebyshev_polynomial_w(T x, int64_t n) {
  return chebyshev_polynomial_w(x + x - T(1), n);
}

template <class T>
static inline T hermite_polynomial_h(T x, int64_t n) {
  if (n > kHermiteMax) return kNan<T>;
  return recurrence(n, T(2) * x,
                    [x](T k, T p, T before) { return T(2) * (x * p - (k - T(1)) * before); });
}
template <class T>
static inline T hermite_polynomial_he(T x, int64_t n) {
  if (n > kHermiteMax) return kNan<T>;
  return recurrence(n, x, [x](T k, T p, T before) { return x * p - (k - T(1)) * before; });
}
template <class T>
static inline T laguerre_polynomial_l(T x, int64_t n) {
  if (n >= 0 && x == T(0)) return T(1);
  return recurrence(n, T(1) - x, [x](T k, T p, T before) {
    return ((T(2) * k - T(1) - x) * p - (k - T(1)) * before) / k;
  });
}
template <class T>
static inline T legendre_polynomial_p(T x, int64_t n) {
  if (n >= 0 && abs(x) == T(1)) return x > T(0) || n % 2 == 0 ? T(1) : T(-1);
  return recurrence(n, x, [x](T k, T p, T before) {
    return ((T(2) * k - T(1)) * x * p - (k - T(1)) * before) / k;
  });
}

}  // namespace rl::math
