// Functors of activations and of their gradients, which take the output's gradient first.
// Included by kernels/pointwise_activation.cpp; parameters p, q, r are the record's arguments.

RL_BINARY(relu_backward, kReal, { return b > T(0) ? a : T(0); })
RL_BINARY(sigmoid_backward, kReal, { return a * (b * (T(1) - b)); })
RL_BINARY(tanh_backward, kReal, { return a * (T(1) - b * b); })
RL_BINARY(silu_backward, kReal, {
  T s = math::sigmoid(b);
  return a * (s * (T(1) + b * (T(1) - s)));
})
RL_BINARY(gelu_backward, kReal, {
  auto [cdf, density] = math::normal(b);
  return a * (cdf + b * density);
})
RL_BINARY(gelu_tanh_backward, kReal, {
  T k = T(0.79788456080286535588), w = T(0.044715);
  T t = math::tanh(k * (b + w * b * b * b));
  return a * (T(0.5) * (T(1) + t) + T(0.5) * b * (T(1) - t * t) * k * (T(1) + T(3) * w * b * b));
})
RL_POINTWISE(softplus_backward, 2, 2, kReal, { return b * p > q ? a : a * math::sigmoid(b * p); })
RL_POINTWISE(leaky_relu_backward, 2, 1, kReal, { return b > T(0) ? a : a * p; })
RL_POINTWISE(elu_backward, 2, 3, kReal,
             { return b > T(0) ? a * q : a * (r * p * q * math::exp(b * r)); })
RL_BINARY(log_sigmoid_backward, kReal, { return a * math::sigmoid(-b); })
RL_POINTWISE(hardtanh, 1, 2, kOrdered, {
  if constexpr (std::is_same_v<T, bool>)
    return a;
  else
    return a < p ? p : (a > q ? q : a);
})
RL_POINTWISE(hardtanh_backward, 2, 2, kReal, { return (b <= p) | (b >= q) ? T(0) : a; })
RL_UNARY(hardsigmoid, kReal, {
  T s = a + T(3);
  return (s < T(0) ? T(0) : s > T(6) ? T(6) : s) / T(6);
})
RL_BINARY(hardsigmoid_backward, kReal, { return (b > T(-3)) & (b < T(3)) ? a / T(6) : T(0); })
RL_UNARY(hardswish, kReal, {
  T s = a + T(3);
  return a * (s < T(0) ? T(0) : s > T(6) ? T(6) : s) / T(6);
})
RL_BINARY(hardswish_backward, kReal, {
  return b <= T(-3) ? T(0) : b < T(3) ? a * (b / T(3) + T(0.5)) : a;
})
RL_UNARY(mish, kReal, {
  T low = a > T(20) ? T(20) : a;  // above, tanh(softplus) is 1
  return a * math::tanh(math::log1p_small_exp(low));
})
RL_POINTWISE(softshrink, 1, 1, kReal, { return a > p ? a - p : (a < -p ? a + p : a * T(0)); })
RL_POINTWISE(hardshrink, 1, 1, kReal, { return (a >= -p) & (a <= p) ? T(0) : a; })
RL_POINTWISE(shrink_backward, 2, 1, kReal, { return (b >= -p) & (b <= p) ? T(0) : a; })
RL_POINTWISE(threshold, 1, 2, kI | kReal, { return a <= p ? q : a; })
RL_POINTWISE(threshold_backward, 2, 1, kI | kReal, { return b <= p ? T(0) : a; })
RL_BINARY(_bce_logits_terms, kReal, { return (T(1) - b) * a - math::log_sigmoid(a); })
