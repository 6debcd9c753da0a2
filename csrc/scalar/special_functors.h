// Functors of the special functions, over scalar/special.h. To add one: a line here, a record in
// rushlight/ops/special.py. Included by kernels/pointwise_special.cpp.

#define RL_SPECIAL(NAME) RL_UNARY(NAME, kReal, { return math::NAME(a); })
RL_SPECIAL(lgamma)
RL_SPECIAL(digamma)
RL_SPECIAL(erfcx)
RL_SPECIAL(log_ndtr)
RL_SPECIAL(ndtri)
RL_SPECIAL(entr)
RL_SPECIAL(i0)
RL_SPECIAL(i0e)
RL_SPECIAL(i1)
RL_SPECIAL(i1e)
RL_SPECIAL(modified_bessel_k0)
RL_SPECIAL(modified_bessel_k1)
RL_SPECIAL(scaled_modified_bessel_k0)
RL_SPECIAL(scaled_modified_bessel_k1)
RL_SPECIAL(airy_ai)
RL_SPECIAL(spherical_bessel_j0)
#undef RL_SPECIAL
RL_BLOCK_UNARY(bessel_j0, kReal)
RL_BLOCK_UNARY(bessel_j1, kReal)
RL_BLOCK_UNARY(bessel_y0, kReal)
RL_BLOCK_UNARY(bessel_y1, kReal)
RL_UNARY(ndtr, kReal | kByLanes, { return math::select(a == a, T(math::normal(a).cdf), a); })
RL_UNARY(modified_bessel_i0, kReal, { return math::i0(a); })
RL_UNARY(modified_bessel_i1, kReal, { return math::i1(a); })

struct polygamma_functor_fn {
  template <class T>
  static inline T apply(T a, T, T, T p, T, T) {
    return math::polygamma(int64_t(p), a);
  }
  template <class T>
  static inline void run(const T* a, const T*, T* out, int64_t n, T p, T) {
    math::polygamma_block(int64_t(p), a, out, n);
  }
};
RL_FUNCTOR(polygamma_functor, 1, 1, kReal)
RL_BLOCK_BINARY(zeta, kReal)
RL_BLOCK_BINARY(igamma, kReal)
RL_BLOCK_BINARY(igammac, kReal)
RL_BINARY(xlog1py, kReal, { return math::is_nan(b) ? b : a == T(0) ? T(0) : a * math::log1p(b); })

RL_BLOCK_BINARY(chebyshev_polynomial_t, kReal)
RL_BLOCK_BINARY(chebyshev_polynomial_u, kReal)
RL_BLOCK_BINARY(chebyshev_polynomial_v, kReal)
RL_BLOCK_BINARY(chebyshev_polynomial_w, kReal)
RL_BLOCK_BINARY(shifted_chebyshev_polynomial_t, kReal)
RL_BLOCK_BINARY(shifted_chebyshev_polynomial_u, kReal)
RL_BLOCK_BINARY(shifted_chebyshev_polynomial_v, kReal)
RL_BLOCK_BINARY(shifted_chebyshev_polynomial_w, kReal)
RL_BLOCK_BINARY(hermite_polynomial_h, kReal)
RL_BLOCK_BINARY(hermite_polynomial_he, kReal)
RL_BLOCK_BINARY(laguerre_polynomial_l, kReal)
RL_BLOCK_BINARY(legendre_polynomial_p, kReal)

// The two halves of frexp: a = mantissa * 2**exponent with 0.5 <= |mantissa| < 1.
RL_UNARY(frexp_mantissa, kReal, { return math::split_number(a).mantissa; })
RL_UNARY(frexp_exponent, kReal, { return math::split_number(a).exponent; })
