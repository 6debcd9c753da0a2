// Functors of the elementary functions and the activations made of them; their mathematics is
// in rl::math. Included by kernels/pointwise_math.cpp.

template <class T>
static inline T int_pow(T a, T b) {
  if (b < 0) return a == 1 ? 1 : a == -1 ? (b % 2 ? -1 : 1) : 0;
  uint64_t r = 1, x = static_cast<uint64_t>(a);
  for (uint64_t e = static_cast<uint64_t>(b); e; e >>= 1, x *= x)
    if (e & 1) r *= x;
  return static_cast<T>(r);
}

RL_BLOCK_UNARY(exp, kReal)
RL_UNARY(exp2, kReal, { return math::exp2(a); })
RL_UNARY(expm1, kReal, { return math::expm1(a); })
RL_UNARY(log, kReal | kByLanes | kByTwinDoubles, { return math::log(a); })
RL_UNARY(log2, kReal | kByTwins, { return math::log2(a); })
RL_UNARY(log10, kReal | kByTwins, { return math::log10(a); })
RL_UNARY(log1p, kReal, { return math::log1p(a); })
RL_UNARY(tanh, kReal | kByLanes | kByTwinDoubles, { return math::tanh(a); })
RL_UNARY(sigmoid, kReal | kByLanes | kByDoubleLanes, { return math::sigmoid(a); })
RL_UNARY(sinh, kReal, { return math::sinh(a); })
RL_UNARY(cosh, kReal, { return math::cosh(a); })
RL_UNARY(asinh, kReal, { return math::asinh(a); })
RL_UNARY(acosh, kReal, { return math::acosh(a); })
RL_UNARY(atanh, kReal, { return math::atanh(a); })
RL_UNARY(erf, kReal | kByLanes | kByTwinDoubles, { return math::erf(a); })
RL_UNARY(erfc, kReal | kByTwins, { return math::erfc(a); })
RL_UNARY(silu, kReal | kByLanes | kByDoubleLanes, { return a * math::sigmoid(a); })
RL_UNARY(gelu, kReal | kByLanes, { return a * math::normal(a).cdf; })
RL_BINARY(logaddexp, kReal, {
  T hi = a > b ? a : b, d = std::fabs(a - b);
  T sum = hi + math::log1p_small_exp(-d);
  return a == b && std::isinf(a) ? a : a != a ? a : b != b ? b : sum;
})
RL_BINARY(_log2_sum, kReal, {
  T hi = a > b ? a : b, d = std::fabs(a - b), log2 = T(0.69314718055994530942);
  T sum = hi + math::log1p_small_exp(-d * log2) / log2;
  return a == b && std::isinf(a) ? a : a != a ? a : b != b ? b : sum;
})
RL_POINTWISE(softplus, 1, 2, kReal | kByLanes,
             { return math::select(a * p > q, a, math::quotient(math::log1p_exp(a * p), p)); })
struct elu_fn {
  template <class T>
  static inline T apply(T a, T, T, T p, T q, T r) {
    return a > T(0) ? a * q : math::expm1(a * r) * p * q;
  }
  template <class T>
  static inline bool is_simple(T a) {
    return a >= T(0);
  }
  template <class T>
  static inline T simple(T a, T, T q, T) {
    return a * q;
  }
};
RL_FUNCTOR(elu, 1, 3, kReal)
RL_UNARY(log_sigmoid, kReal | kByLanes, { return math::log_sigmoid(a); })
RL_BLOCK_UNARY(sin, kReal)
RL_BLOCK_UNARY(cos, kReal)
RL_BLOCK_UNARY(tan, kReal)
RL_BLOCK_UNARY(sinc, kReal)
RL_UNARY(asin, kReal, { return math::asin(a); })
RL_UNARY(acos, kReal, { return math::acos(a); })
RL_UNARY(atan, kReal, { return math::atan(a); })
RL_BINARY(atan2, kReal, { return math::atan2(a, b); })
RL_UNARY(erfinv, kReal | kByTwins, { return math::erfinv(a); })
struct pow_fn {
  template <class T>
  static inline T apply(T a, T b, T, T, T, T) {
    if constexpr (std::is_integral_v<T>)
      return int_pow(a, b);
    else
      return math::pow(a, b);
  }
  template <class T>
    requires std::is_floating_point_v<T>
  static inline bool run_spread(const T* a, T y, T* out, int64_t n) {
    math::pow_block(a, y, out, n);
    return true;
  }
  // One exponent for a whole block is by far the most frequent.
  template <class T>
  static inline bool run(const T* a, const T* b, T* out, int64_t n) {
    if constexpr (std::is_integral_v<T>) {
      return false;
    } else {
      bool same = std::memcmp(b, b + 1, static_cast<size_t>(n - 1) * sizeof(T)) == 0;
      same ? math::pow_block(a, b[0], out, n) : math::pow_block(a, b, out, n);
      return true;
    }
  }
};
RL_FUNCTOR(pow, 2, 0, kI | kReal | kSpread | kDemand * kNoNegativePower)
struct pow_backward_fn {
  template <class T>
  static inline T apply(T a, T b, T, T p, T q, T) {
    return a * (p * math::pow(b, q));
  }
  template <class T>
  static inline void run(const T* a, const T* b, T* out, int64_t n, T p, T q) {
    math::pow_pieces(b, q, n, [&](auto&& power, int64_t from, int64_t count) {
#pragma GCC ivdep
      for (int64_t i = from; i < from + count; ++i) out[i] = a[i] * (p * power(i));
    });
  }
};
RL_FUNCTOR(pow_backward, 2, 2, kReal)
