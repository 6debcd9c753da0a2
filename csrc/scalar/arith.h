// Functors of arithmetic, rounding, comparison and logic. One line an op; T is the compute
// type, a, b, c the operands, p, q, r the parameters. Included by kernels/pointwise_arith.cpp.

template <class T>
constexpr bool is_cplx = requires(T v) { v.re; };
// 16-bit floats, which only their sign's functors take as they are stored.
template <class T>
constexpr bool is_short = std::is_same_v<T, Half> || std::is_same_v<T, BFloat16>;
constexpr uint16_t kShortSign = 0x8000;
template <class T>
static inline T short_of(int bits) {
  T v;
  v.bits = static_cast<uint16_t>(bits);
  return v;
}
template <class T>
static inline bool truthy(T a) {
  if constexpr (is_cplx<T>)
    return (a.re != 0) | (a.im != 0);
  else
    return a != T(0);
}
// !a in a form that vectorises.
static inline bool negated(bool a) { return std::bit_cast<uint8_t>(a) < 1; }
struct add_fn {
  template <class T>
  static inline T apply(T a, T b, T, T p, T, T) {
    if constexpr (std::is_same_v<T, bool>)
      return bool(a | (b & p));
    else if constexpr (std::is_integral_v<T>)
      return T(Wrap<T>(a) + Wrap<T>(p) * Wrap<T>(b));
    else
      return a + p * b;
  }
  // Below AVX-512 no instruction multiplies 64 bits.
  template <class T>
    requires std::is_same_v<T, int64_t>
  static inline void run(const T* a, const T* b, T* out, int64_t n, T p, T) {
    if (p == 1) {
#pragma GCC ivdep
#pragma GCC unroll kUnroll
      for (int64_t i = 0; i < n; ++i) out[i] = apply<T>(a[i], b[i], T{}, T(1), T{}, T{});
    } else {
#pragma GCC ivdep
#pragma GCC unroll kUnroll
      for (int64_t i = 0; i < n; ++i) out[i] = apply<T>(a[i], b[i], T{}, p, T{}, T{});
    }
  }
};
RL_FUNCTOR(add, 2, 1, kAll | kSmall | kSpread | kAnySign | kDemand * kWholeParams)
RL_POINTWISE(sub, 2, 1, kNumber | kSmall | kSpread | kTurned | kAnySign | kDemand * kWholeParams, {
  if constexpr (std::is_integral_v<T>)
    return T(Wrap<T>(a) - Wrap<T>(p) * Wrap<T>(b));
  else
    return a - p * b;
})
RL_BINARY(mul, kAll | kSmall | kSpread | kAnySign | kFloat8, {
  if constexpr (std::is_same_v<T, bool>)
    return bool(a & b);
  else
    return wrapped_product(a, b);
})
RL_BINARY(div, kInexact | kSpread | kTurned, { return a / b; })
// Of Formula: `whole` for integers, from their quotient and remainder as C has them; `of_floats`
// the same, from integers as floats; `of_rest` for floats a and b, from their remainder as C has
// it.
template <class Formula>
struct of_division {
  template <class T>
  static inline T apply(T a, T b, T, T, T, T) {
    if constexpr (std::is_integral_v<T>) {
      if (b == 0) fail("ZeroDivisionError");
      if (std::is_signed_v<T> && b == T(-1))
        return Formula::whole(a, b, T(Wrap<T>(0) - Wrap<T>(a)), T(0));
      return Formula::whole(a, b, T(a / b), T(a % b));
    } else {
      return Formula::of_rest(a, b, std::fmod(a, b));
    }
  }
  template <class T>
  static inline bool run(const T* a, const T* b, T* out, int64_t n) {
    if constexpr (std::is_integral_v<T>)
      math::map_quotients(
          a, b, out, n, [](auto x, auto y) { return Formula::of_floats(x, y); },
          [](T x, T y) { return apply(x, y, T{}, T{}, T{}, T{}); });
    else
      math::map_remainders(a, b, out, n, [](T x, T y, T m) { return Formula::of_rest(x, y, m); });
    return true;
  }
};
// Does rounding the quotient down differ from rounding it towards zero?
template <class T>
static inline bool rounds_away(T b, T m) {
  return (m != 0) & ((m < 0) != (b < 0));
}
struct FloorDivide {
  template <class T>
  static inline T whole(T, T b, T q, T m) {
    return rounds_away(b, m) ? T(q - 1) : q;
  }
  template <class T>
  static inline T of_floats(T a, T b) {
    return std::floor(a / b);
  }
  template <class T>
  static inline T of_rest(T a, T b, T m) {
    T d = (a - m) / b - (rounds_away(b, m) ? T(1) : T(0)), f = std::floor(d);
    f = d - f > T(0.5) ? f + T(1) : f;
    T q = a / b, zero = math::with_sign(T(0), q);
    return b == 0 ? q : d == 0 ? zero : f;
  }
};
struct Remainder {
  template <class T>
  static inline T whole(T, T b, T, T m) {
    return of_rest(T{}, b, m);
  }
  template <class T>
  static inline T of_floats(T a, T b) {
    return a - std::floor(a / b) * b;
  }
  template <class T>
  static inline T of_rest(T, T b, T m) {
    return rounds_away(b, m) ? T(m + b) : m;
  }
};
struct Fmod {
  template <class T>
  static inline T whole(T, T, T, T m) {
    return m;
  }
  template <class T>
  static inline T of_floats(T a, T b) {
    return a - std::trunc(a / b) * b;
  }
  template <class T>
  static inline T of_rest(T, T, T m) {
    return m;
  }
};
using floor_divide_fn = of_division<FloorDivide>;
using remainder_fn = of_division<Remainder>;
using fmod_fn = of_division<Fmod>;
RL_FUNCTOR(floor_divide, 2, 0, kI | kReal | kSmall)
RL_FUNCTOR(remainder, 2, 0, kI | kReal | kSmall)
RL_FUNCTOR(fmod, 2, 0, kI | kReal | kSmall)
RL_UNARY(neg, kNumber | kSmall | kSignBit, {
  if constexpr (is_short<T>)
    return short_of<T>(a.bits ^ kShortSign);
  else if constexpr (std::is_integral_v<T>)
    return T(Wrap<T>(0) - Wrap<T>(a));
  else
    return -a;
})
RL_UNARY(abs, kAll | kSmall | kFloat8 | kSignBit, {
  if constexpr (is_short<T>)
    return short_of<T>(a.bits & ~kShortSign);
  else if constexpr (std::is_same_v<T, bool>)
    return a;
  else if constexpr (std::is_integral_v<T>)
    return T(a < 0 ? Wrap<T>(0) - Wrap<T>(a) : Wrap<T>(a));
  else if constexpr (is_cplx<T>)
    return math::hypot(a.re, a.im);
  else
    return std::fabs(a);
})
RL_UNARY(square, kAll | kSmall | kAnySign, {
  if constexpr (std::is_same_v<T, bool>)
    return int64_t(a);
  else
    return wrapped_product(a, a);
})
struct reciprocal_fn {
  // Neither the square of |a| nor its inverse leaves the range.
  template <class T>
  static inline bool has_square(T a) {
    using R = decltype(a.re);
    constexpr R kMost = sizeof(R) == 4 ? R(0x1p60) : R(0x1p500);
    R re = std::fabs(a.re), im = std::fabs(a.im), longer = re > im ? re : im;
    return (longer > 1 / kMost) & (longer < kMost);
  }
  template <class T>
  static inline T by_square(T a) {
    auto inverse = 1 / (a.re * a.re + a.im * a.im);
    return {a.re * inverse, -a.im * inverse};
  }
  // T{1, 0} / a without branches
  template <class T>
  static inline T by_ratio(T a) {
    using R = decltype(a.re);
    bool steep = std::fabs(a.re) < std::fabs(a.im), zero = (a.re == 0) & (a.im == 0);
    R longer = steep ? a.im : a.re, ratio = (steep ? a.re : a.im) / longer;
    R under = longer + (steep ? a.re : a.im) * ratio, none = std::fabs(a.re);
    R re = (steep ? ratio + R(0) : R(1)) / under, im = (steep ? R(-1) : R(0) - ratio) / under;
    return T{zero ? R(1) / none : re, zero ? R(0) / none : im};
  }
  template <class T>
  static inline T apply(T a, T, T, T, T, T) {
    if constexpr (is_cplx<T>) {
      T square = by_square(a), ratio = by_ratio(a);
      bool usual = has_square(a);
      return {usual ? square.re : ratio.re, usual ? square.im : ratio.im};
    } else {
      return T(1) / a;
    }
  }
  template <class T>
    requires is_cplx<T>
  static inline void run(const T* a, T* out, int64_t n) {
    typename math::Bits<decltype(a->re)>::Int others = 0;
    for (int64_t i = 0; i < n; ++i) others |= !has_square(a[i]);
    if (others) {
#pragma GCC ivdep
      for (int64_t i = 0; i < n; ++i) out[i] = apply<T>(a[i], {}, {}, {}, {}, {});
    } else {
#pragma GCC ivdep
      for (int64_t i = 0; i < n; ++i) out[i] = by_square(a[i]);
    }
  }
};
RL_FUNCTOR(reciprocal, 1, 0, kInexact)
RL_UNARY(sign, kOrdered | kSmall, {
  if constexpr (std::is_same_v<T, bool>)
    return a;
  else if constexpr (std::is_integral_v<T>)  // in steps that are vectors for each width
    return T(a > T(1) ? T(1) : std::is_signed_v<T> && a < T(-1) ? T(-1) : a);
  else
    return std::fabs(a) > T(0) ? math::with_sign(T(1), a) : a + T(0);  // no negative zero
})
RL_UNARY(sgn_complex, kCplx, {
  auto length = math::hypot(a.re, a.im), under = length == 0 ? decltype(length)(1) : length;
  return T{length == 0 ? 0 : a.re / under, length == 0 ? 0 : a.im / under};
})
struct conj_complex_fn {
  template <class T>
  static inline T apply(T a, T, T, T, T, T) {
    return T{a.re, -a.im};
  }
  // Of parts in a row, where gcc would take them apart and join them again.
  template <class T>
  static inline void run(const T* a, T* out, int64_t n) {
    using R = decltype(a->re);
    using Bits = Vector<typename math::Bits<R>::UInt>;
    constexpr int64_t V = kLanes<R>;
    Vector<R> change{};
    for (int64_t k = 1; k < V; k += 2) change[k] = R(-0.0);
    auto* from = reinterpret_cast<const R*>(a);
    auto* to = reinterpret_cast<R*>(out);
    int64_t i = 0;
    for (; i + V <= 2 * n; i += V) {
      Bits bits = std::bit_cast<Bits>(load_vector(from + i)) ^ std::bit_cast<Bits>(change);
      store_vector(to + i, std::bit_cast<Vector<R>>(bits));
    }
    for (i /= 2; i < n; ++i) out[i] = apply<T>(a[i], {}, {}, {}, {}, {});
  }
};
RL_FUNCTOR(conj_complex, 1, 0, kCplx)
RL_UNARY(angle_complex, kCplx, { return std::atan2(a.im, a.re); })
RL_UNARY(angle_real, kReal, {
  T angle = a < T(0) ? math::PiConst<T>::kPi : T(0);
  return a != a ? a : angle;
})
RL_POINTWISE(_nan_to_num, 1, 3, kReal, {
  constexpr T kInfinity = std::numeric_limits<T>::infinity();
  T known = a != a ? p : a;
  known = a == -kInfinity ? r : known;
  return a == kInfinity ? q : known;
})
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

RL_BINARY(maximum, kOrdered | kSmall | kSpread | kTurned, {
  if constexpr (std::is_integral_v<T>)
    return T(a > b ? a : b);
  else
    return a != a ? a : a > b ? a : b;  // b where b is NaN
})
RL_BINARY(minimum, kOrdered | kSmall | kSpread | kTurned, {
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
RL_TERNARY(where, kAll | kSmall | kAnySign | kFloat8 | kDemand * kNumbersFit,
           { return truthy(a) ? b : c; })
RL_POINTWISE(addcmul, 3, 1, kNumber, { return T(a + p * b * c); })
RL_POINTWISE(addcdiv, 3, 1, kInexact, { return a + p * (b / c); })
RL_TERNARY(lerp, kInexact | kNumberLast | kDemand * kOneDType, {
  if constexpr (is_cplx<T>)
    return a + c * (b - a);
  else
    return std::fabs(c) < T(0.5) ? a + c * (b - a) : b - (b - a) * (T(1) - c);
})
RL_BINARY(hypot, kReal, { return math::hypot(a, b); })
RL_BINARY(copysign, kReal | kSignBit, {
  if constexpr (is_short<T>)
    return short_of<T>((a.bits & ~kShortSign) | (b.bits & kShortSign));
  else
    return std::copysign(a, b);
})
RL_BINARY(nextafter, kReal, {
  using U = typename math::Bits<T>::UInt;
  U bits = math::to_bits(a), away = (a < b) == (a > 0) ? U(1) : ~U(0);
  T next = math::from_bits<T>(bits + away), least = std::numeric_limits<T>::denorm_min();
  next = a == 0 ? math::with_sign(least, b) : next;
  return (a != a) | (b != b) ? a + b : a == b ? b : next;
})
RL_BINARY(heaviside, kOrdered | kDemand * kOneDType, { return a == T(0) ? b : T(a > T(0)); })

RL_BINARY(lt, kOrdered | kSmall | kSpread, { return a < b; })
RL_BINARY(le, kOrdered | kSmall | kSpread, { return a <= b; })
RL_BINARY(gt, kOrdered | kSmall | kSpread, { return a > b; })
RL_BINARY(ge, kOrdered | kSmall | kSpread, { return a >= b; })
RL_BINARY(eq, kAll | kSmall | kSpread | kAnySign | kFloat8, { return a == b; })
RL_BINARY(ne, kAll | kSmall | kSpread | kAnySign | kFloat8, { return a != b; })
RL_UNARY(logical_not, kAll | kSmall | kAnySign, { return negated(truthy(a)); })
RL_BINARY(logical_and, kAll | kSmall | kAnySign, { return bool(truthy(a) & truthy(b)); })
RL_BINARY(logical_or, kAll | kSmall | kAnySign, { return bool(truthy(a) | truthy(b)); })
RL_BINARY(logical_xor, kAll | kSmall | kAnySign, { return truthy(a) != truthy(b); })
RL_UNARY(bitwise_not, kIntegral | kSmall | kAnySign, {
  if constexpr (std::is_same_v<T, bool>)
    return negated(a);
  else
    return T(~a);
})
RL_BINARY(bitwise_and, kIntegral | kSmall | kSpread | kAnySign, { return T(a & b); })
RL_BINARY(bitwise_or, kIntegral | kSmall | kSpread | kAnySign, { return T(a | b); })
RL_BINARY(bitwise_xor, kIntegral | kSmall | kSpread | kAnySign, { return T(a ^ b); })
// Integers of 8 bits, and of 16 below AVX-512, are shifted in steps of 1, 2, 4 and 8, as their
// vectors know no shifts by lanes. Beyond the width and by a negative number, a shift is one by all
// bits, which C does not know.
#ifdef __AVX512BW__
constexpr size_t kShiftedInSteps = 1;
#else
constexpr size_t kShiftedInSteps = 2;
#endif
template <class T>
using Bare = std::make_unsigned_t<T>;
template <class T>
using Halfword = std::conditional_t<std::is_signed_v<T>, int16_t, uint16_t>;
template <class T, class W, class Shift>
static inline T shifted(W a, W by, Shift shift) {
  if constexpr (sizeof(T) > kShiftedInSteps) return T(shift(a, by));
  a = by & 1 ? W(shift(a, 1)) : a;
  a = by & 2 ? W(shift(a, 2)) : a;
  a = by & 4 ? W(shift(a, 4)) : a;
  return T(sizeof(T) == 2 && by & 8 ? W(shift(a, 8)) : a);
}
RL_BINARY(bitwise_left_shift, kI | kSmall | kSpread, {
  constexpr Bare<T> kMost = 8 * sizeof(T) - 1;
  Bare<T> by = Bare<T>(b) & kMost;
  T all = shifted<T>(Bare<T>(a), by, [](auto x, auto n) { return x << n; });
  return Bare<T>(b) <= kMost ? all : T(0);
})
RL_BINARY(bitwise_right_shift, kI | kSmall | kSpread, {
  using Wide = std::conditional_t<sizeof(T) == 1, Halfword<T>, T>;
  constexpr Bare<T> kMost = 8 * sizeof(T) - 1;
  T by = T(Bare<T>(b) < kMost ? Bare<T>(b) : kMost);
  T most = shifted<T>(Wide(a), Wide(by), [](auto x, auto n) { return x >> n; });
  return std::is_signed_v<T> || Bare<T>(b) <= kMost ? most : T(0);
})
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
RL_UNARY(signbit, kOrdered | kSignBit, {
  if constexpr (is_short<T>)
    return (a.bits & kShortSign) != 0;
  else if constexpr (std::is_integral_v<T>)
    return a < T(0);
  else
    return std::signbit(a);
})
struct gcd_fn {
  template <class T>
  static inline T apply(T a, T b, T, T, T, T) {
    return math::divisor(a, b);
  }
  template <class T>
  static inline bool run(const T* a, const T* b, T* out, int64_t n) {
    math::gcd_block(a, b, out, n);
    return true;
  }
};
RL_FUNCTOR(gcd, 2, 0, kI | kSmall)
struct lcm_fn {
  template <class T>
  static inline T apply(T a, T b, T, T, T, T) {
    return multiple(a, b, math::divisor(a, b));
  }
  template <class T>
  static inline bool run(const T* a, const T* b, T* out, int64_t n) {
    constexpr int64_t kPiece = 256;
    T divisors[kPiece];
    for (int64_t from = 0; from < n; from += kPiece) {
      const int64_t count = std::min(n - from, kPiece);
      math::gcd_block(a + from, b + from, divisors, count);
      for (int64_t i = 0; i < count; ++i)
        out[from + i] = multiple(a[from + i], b[from + i], divisors[i]);
    }
    return true;
  }
  template <class T>
  static inline T multiple(T a, T b, T divisor) {
    if (a == 0 || b == 0) return 0;
    using U = std::make_unsigned_t<T>;  // products wrap round
    return T(math::magnitude(T(U(a / divisor) * U(b))));
  }
};
RL_FUNCTOR(lcm, 2, 0, kI)
