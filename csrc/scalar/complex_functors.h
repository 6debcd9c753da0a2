// Complex versions of the elementary functors.
// Included by kernels/pointwise_complex.cpp.

#define RL_COMPLEX(NAME) RL_UNARY(NAME, kCplx, { return math::NAME(a); })
RL_BLOCK_UNARY(exp, kCplx)
RL_COMPLEX(exp2)
RL_COMPLEX(expm1)
RL_BLOCK_UNARY(log, kCplx)
RL_COMPLEX(log2)
RL_COMPLEX(log10)
RL_COMPLEX(log1p)
RL_BLOCK_UNARY(sin, kCplx)
RL_BLOCK_UNARY(cos, kCplx)
RL_BLOCK_UNARY(sinc, kCplx)
RL_COMPLEX(tan)
RL_COMPLEX(asin)
RL_COMPLEX(acos)
RL_COMPLEX(atan)
RL_BLOCK_UNARY(sinh, kCplx)
RL_BLOCK_UNARY(cosh, kCplx)
RL_COMPLEX(tanh)
RL_COMPLEX(asinh)
RL_COMPLEX(acosh)
RL_COMPLEX(atanh)
RL_COMPLEX(sigmoid)
RL_COMPLEX(sqrt)
RL_COMPLEX(rsqrt)
RL_UNARY(silu, kCplx, { return a * math::sigmoid(a); })
RL_BINARY(pow, kCplx, { return math::pow(a, b); })
#undef RL_COMPLEX
RL_BINARY(logaddexp, kCplx, {
  T lo = a.re < b.re ? a : b, hi = a.re < b.re ? b : a;
  if (lo.re != lo.re || lo.im != lo.im) hi = lo;  // NaN stays
  if (std::isinf(lo.re) && lo.re == hi.re)
    return lo.re < 0 ? lo : math::log(math::exp(lo) + math::exp(hi));
  return math::log1p(math::exp(lo - hi)) + hi;
})
