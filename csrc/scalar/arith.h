// Functors of arithmetic, rounding, comparison and logic. One line an op; T is the compute
// type, a, b, c the operands, p, q, r the parameters. Included by kernels/pointwise_arith.cpp.

template <class T>
constexpr bool is_cplx = requires(T v) { v.re; };
template <class T>
static inline bool truthy(T a) {
  if constexpr (is_cplx<T>)
    return (a.re != 0) | (a.im != 0);
  else
    return a != T(0);
}
// Unsigned, so that overflow wraps, and no wider than it must be, so that small integers vectorise.
template <class T>
using Wrap = std::conditional_t<sizeof(T) <= 4, uint32_t, uint64_t>;
// !a in a form that vectorises.
static inline bool negated(bool a) { return std::bit_cast<uint8_t>(a) < 1; }
template <class T>
static inline T floor_mod(T a, T b) {
  if constexpr (std::is_integral_v<T>) {
    if (b == 0) fail("ZeroDivisionError");
    if (b == T(-1)) return T(0);
    T m = a % b;
    return m != 0 && ((m < 0) != (b < 0)) ? T(m + b) : m;
  } else {
    T m = std::fmod(a, b);
    return m != 0 && ((m < 0) != (b < 0)) ? m + b : m;
  }
}
template <class T>
static inline T floor_div(T a, T b) {
  if constexpr (std::is_integral_v<T>) {
    if (b == 0) fail("ZeroDivisionError");
    if (b == T(-1)) return T(0) - a;
    T q = a / b;
    return a % b != 0 && ((a < 0) != (b < 0)) ? T(q - 1) : q;
  } else {
    if (b == 0) return a / b;
    T m = std::fmod(a, b), d = (a - m) / b;
    if (m != 0 && ((b < 0) != (m < 0))) d -= 1;
    if (d == 0) return std::copysign(T(0), a / b);
    T f = std::floor(d);
    return d - f > T(0.5) ? f + 1 : f;
  }
}
RL_POINTWISE(add, 2, 1, kAll | kSmall | kSpread | kAnySign | kDemand * kWholeParams, {
  if constexpr (std::is_same_v<T, bool>)
    return bool(a | (b & p));
  else if constexpr (std::is_integral_v<T>)
    return T(Wrap<T>(a) + Wrap<T>(p) * Wrap<T>(b));
  else
    return a + p * b;
})
RL_POINTWISE(sub, 2, 1, kNumber | kSmall | kSpread | kAnySign | kDemand * kWholeParams, {
  if constexpr (std::is_integral_v<T>)
    return T(Wrap<T>(a) - Wrap<T>(p) * Wrap<T>(b));
  else
    return a - p * b;
})
RL_BINARY(mul, kAll | kSmall | kSpread | kAnySign | kFloat8, {
  if constexpr (std::is_same_v<T, bool>)
    return bool(a & b);
  else if constexpr (std::is_integral_v<T>)
    return T(Wrap<T>(a) * Wrap<T>(b));
  else
    return a * b;
})
RL_BINARY(div, kInexact | kSpread, { return a / b; })
RL_BINARY(floor_divide, kI | kReal, { return floor_div(a, b); })
RL_BINARY(remainder, kI | kReal, { return floor_mod(a, b); })
RL_BINARY(fmod, kI | kReal, {
  if constexpr (std::is_integral_v<T>) {
    if (b == 0) fail("ZeroDivisionError");
    return b == T(-1) ? T(0) : T(a % b);
  } else {
    return std::fmod(a, b);
  }
})
RL_UNARY(neg, kNumber | kSmall, {
  if constexpr (std::is_integral_v<T>)
    return T(Wrap<T>(0) - Wrap<T>(a));
  else
    return -a;
})
RL_UNARY(abs, kAll | kSmall | kFloat8, {
  if constexpr (std::is_same_v<T, bool>)
    return a;
  else if constexpr (std::is_integral_v<T>)
    return T(a < 0 ? Wrap<T>(0) - Wrap<T>(a) : Wrap<T>(a));
  else if constexpr (is_cplx<T>)
    return std::hypot(a.re, a.im);
  else
    return std::fabs(a);
})
RL_UNARY(square, kAll | kAnySign, {
  if constexpr (std::is_same_v<T, bool>)
    return int64_t(a);
  else
    return T(a * a);
})
RL_UNARY(reciprocal, kInexact, {
  if constexpr (is_cplx<T>)
    return T{1, 0} / a;
  else
    return T(1) / a;
})
RL_UNARY(sign, kAll & ~kCplx, {
  if constexpr (std::is_same_v<T, bool>)
    return a;
  else if constexpr (std::is_integral_v<T>)
    return T((a > 0) - (a < 0));
  else
    return a != a ? a : T((a > 0) - (a < 0));
})
RL_UNARY(sgn_complex, kCplx, {
  auto n = std::hypot(a.re, a.im);
  return n == 0 ? T{} : T{a.re / n, a.im / n};
})
RL_UNARY(conj_complex, kCplx, { return T{a.re, -a.im}; })
RL_UNARY(angle_complex, kCplx, { return std::atan2(a.im, a.re); })
RL_UNARY(floor, kI | kReal, {
  if constexpr (std::is_integral_v<T>)
    return a;
  else
    return std::floor(a);
})
RL_UNARY(ceil, kI | kReal, {
  if constexpr (std::is_integral_v<T>)
    return a;
  else
    return std::ceil(a);
})
RL_UNARY(trunc, kI | kReal, {
  if constexpr (std::is_integral_v<T>)
    return a;
  else
    return std::trunc(a);
})
RL_UNARY(round, kI | kReal, {
  if constexpr (std::is_integral_v<T>)
    return a;
  else
    return std::nearbyint(a);
})
RL_UNARY(frac, kReal, { return a - std::trunc(a); })
RL_UNARY(sqrt, kReal, { return std::sqrt(a); })
RL_UNARY(rsqrt, kReal | kByLanes, { return math::rsqrt(a); })
RL_UNARY(relu, kOrdered | kSmall, {
  if constexpr (std::is_same_v<T, bool>)
    return a;
  else
    return a < T(0) ? T(0) : a;
})

RL_BINARY(maximum, kOrdered | kSmall, {
  if constexpr (std::is_integral_v<T>)
    return T(a > b ? a : b);
  else
    return a != a ? a : a > b ? a : b;  // b where b is NaN
})
RL_BINARY(minimum, kOrdered | kSmall, {
  if constexpr (std::is_integral_v<T>)
    return T(a < b ? a : b);
  else
    return a != a ? a : a < b ? a : b;  // b where b is NaN
})
RL_BINARY(fmax, kOrdered, {
  if constexpr (std::is_integral_v<T>)
    return T(a > b ? a : b);
  else
    return b != b ? a : a > b ? a : b;  // b where a is NaN
})
RL_BINARY(fmin, kOrdered, {
  if constexpr (std::is_integral_v<T>)
    return T(a < b ? a : b);
  else
    return b != b ? a : a < b ? a : b;  // b where a is NaN
})
struct clamp_fn {  // NaN in a stays; a NaN bound wins
  template <class T>
  static inline T apply(T a, T b, T c, T, T, T) {
    T lo = (a < b) | (b != b) ? b : a;
    return (lo > c) | (c != c) ? c : lo;
  }
  template <class T>
  static inline bool run_spread(const T* a, T b, T c, T* out, int64_t n) {
    if (b != b || c != c) return false;
#pragma GCC ivdep
#pragma GCC unroll kUnroll
    for (int64_t i = 0; i < n; ++i) {
      T lo = a[i] < b ? b : a[i];
      out[i] = lo > c ? c : lo;
    }
    return true;
  }
};
RL_FUNCTOR(clamp, 3, 0, kOrdered | kSmall | kSpread | kDemand * kNumbersFit)
RL_TERNARY(where, kAll | kSmall | kAnySign | kFloat8, { return truthy(a) ? b : c; })
RL_POINTWISE(addcmul, 3, 1, kNumber, { return T(a + p * b * c); })
RL_POINTWISE(addcdiv, 3, 1, kInexact, { return a + p * (b / c); })
RL_TERNARY(lerp, kInexact | kDemand * kOneDType, {
  if constexpr (is_cplx<T>)
    return a + c * (b - a);
  else
    return std::fabs(c) < T(0.5) ? a + c * (b - a) : b - (b - a) * (T(1) - c);
})
RL_BINARY(hypot, kReal, { return std::hypot(a, b); })
RL_BINARY(copysign, kReal, { return std::copysign(a, b); })
RL_BINARY(nextafter, kReal, { return std::nextafter(a, b); })
RL_BINARY(heaviside, kOrdered, { return a == T(0) ? b : T(a > T(0)); })

RL_BINARY(lt, kOrdered | kSmall, { return a < b; })
RL_BINARY(le, kOrdered | kSmall, { return a <= b; })
RL_BINARY(gt, kOrdered | kSmall, { return a > b; })
RL_BINARY(ge, kOrdered | kSmall, { return a >= b; })
RL_BINARY(eq, kAll | kSmall | kAnySign | kFloat8, { return a == b; })
RL_BINARY(ne, kAll | kSmall | kAnySign | kFloat8, { return a != b; })
RL_UNARY(logical_not, kAll | kAnySign, { return negated(truthy(a)); })
RL_BINARY(logical_and, kAll | kAnySign, { return bool(truthy(a) & truthy(b)); })
RL_BINARY(logical_or, kAll | kAnySign, { return bool(truthy(a) | truthy(b)); })
RL_BINARY(logical_xor, kAll | kAnySign, { return truthy(a) != truthy(b); })
RL_UNARY(bitwise_not, kIntegral | kSmall | kAnySign, {
  if constexpr (std::is_same_v<T, bool>)
    return negated(a);
  else
    return T(~a);
})
RL_BINARY(bitwise_and, kIntegral | kSmall | kAnySign, { return T(a & b); })
RL_BINARY(bitwise_or, kIntegral | kSmall | kAnySign, { return T(a | b); })
RL_BINARY(bitwise_xor, kIntegral | kSmall | kAnySign, { return T(a ^ b); })
RL_BINARY(bitwise_left_shift, kI, { return b < 0 || b > 63 ? T(0) : T(uint64_t(a) << b); })
RL_BINARY(bitwise_right_shift, kI, { return T(a >> (b < 0 || b > 63 ? 63 : b)); })
RL_UNARY(isnan, kAll | kAnySign | kFloat8, {
  if constexpr (is_cplx<T>)
    return bool((a.re != a.re) | (a.im != a.im));
  else
    return a != a;
})
RL_UNARY(isfinite, kAll | kAnySign | kFloat8, {
  if constexpr (is_cplx<T>)
    return bool((a.re - a.re == 0) & (a.im - a.im == 0));
  else
    return a - a == 0;
})
RL_UNARY(isinf, kAll | kAnySign | kFloat8, {
  if constexpr (is_cplx<T>)
    return bool(std::isinf(a.re) | std::isinf(a.im));
  else if constexpr (std::is_integral_v<T>)
    return false;
  else
    return std::fabs(a) == std::numeric_limits<T>::infinity();
})
RL_UNARY(signbit, kOrdered, {
  if constexpr (std::is_integral_v<T>)
    return a < T(0);
  else
    return std::signbit(a);
})
RL_BINARY(gcd, kI, { return T(std::gcd(a, b)); })
RL_BINARY(lcm, kI, { return T(a == 0 || b == 0 ? 0 : std::abs(a / std::gcd(a, b) * b)); })
