// Functors of activations and of their gradients, which take the output's gradient first; those of
// a few steps are in piecewise.h. Included by kernels/pointwise_activation.cpp; parameters p, q, r
// are the record's arguments.

// In a product, where the last half of an ulp is not worth a pair of doubles.
template <class T>
inline T factor_sigmoid(T x) {
  if constexpr (std::is_same_v<T, double>) {
    double e = math::exp(-math::abs(x));
    return (x < 0.0 ? e : 1.0) / (1.0 + e);
  } else {
    return math::sigmoid(x);
  }
}
#ifdef RL_HAS_LANES
template <class V>
inline V factor_sigmoid_of_doubles(V x) {
  using math::below_zero, math::exp_lanes;
  V e = exp_lanes(below_zero(x));
  return math::quotient(math::select(x < 0, e, V{} + 1), 1 + e);
}
#ifdef RL_HAS_TWINS
inline math::Twin<double> factor_sigmoid(math::Twin<double> x) {
  return factor_sigmoid_of_doubles(x);
}
#else
inline math::DoubleLanes factor_sigmoid(math::DoubleLanes x) {
  return factor_sigmoid_of_doubles(x);
}
#endif
#endif
RL_BINARY(silu_backward, kReal | kByLanes | kByDoubleLanes, {
  T s = factor_sigmoid(b);
  return a * (s * (1 + b * (1 - s)));
})
RL_BINARY(_gate, kReal | kByLanes | kByDoubleLanes, { return a * factor_sigmoid(b); })
RL_BINARY(gelu_backward, kReal | kByLanes, {
  auto [cdf, density] = math::normal(b);
  return a * (cdf + b * density);
})
// gelu with approximate="tanh" is x (1 + tanh(u/2)) / 2 = x sigmoid(u), which loses nothing where
// tanh is near -1, for u = kGeluLinear x + kGeluCubic x^3.
inline constexpr double kGeluLinear = 1.5957691216057308, kGeluCubic = 0.044715 * kGeluLinear;
RL_UNARY(gelu_tanh, kReal | kByLanes | kByDoubleLanes,
         { return a * math::sigmoid(a * math::horner(a * a, kGeluLinear, kGeluCubic)); })
RL_BINARY(gelu_tanh_backward, kReal | kByLanes | kByDoubleLanes, {
  T square = b * b, s = factor_sigmoid(b * math::horner(square, kGeluLinear, kGeluCubic));
  return a * (s + b * s * (1 - s) * math::horner(square, kGeluLinear, 3 * kGeluCubic));
})
RL_POINTWISE(softplus_backward, 2, 2, kReal | kByLanes,
             { return math::select(b * p > q, a, a * factor_sigmoid(b * p)); })
RL_POINTWISE(elu_backward, 2, 3, kReal,
             { return b > T(0) ? a * q : a * (r * p * q * math::exp(b * r)); })
RL_BINARY(log_sigmoid_backward, kReal | kByLanes | kByDoubleLanes,
          { return a * factor_sigmoid(-b); })
RL_UNARY(mish, kReal, {
  T low = a > T(20) ? T(20) : a;  // above, tanh(softplus) is 1
  return a * math::tanh(math::log1p_small_exp(low));
})
RL_BINARY(_bce_logits_terms, kReal | kByLanes, { return (1 - b) * a - math::log_sigmoid(a); })
RL_POINTWISE(_bce_logits_terms_slope, 3, 1, kReal | kByLanes,
             { return (math::sigmoid(b) - c) * a / p; })
