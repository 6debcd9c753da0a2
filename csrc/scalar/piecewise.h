// Functors of piecewise linear activations, of losses bent likewise, and of gradients that are a
// product: they take less time than moving their operands. Gradients take the output's gradient
// first. Included by kernels/pointwise_piecewise.cpp; parameters p, q, r are the record's
// arguments.

RL_BINARY(relu_backward, kReal, { return b > T(0) ? a : T(0); })
RL_BINARY(sigmoid_backward, kReal, { return a * (b * (T(1) - b)); })
RL_BINARY(tanh_backward, kReal, { return a * (T(1) - b * b); })
RL_POINTWISE(leaky_relu, 1, 1, kReal, { return a > T(0) ? a : a * p; })
RL_POINTWISE(leaky_relu_backward, 2, 1, kReal, { return b > T(0) ? a : a * p; })
RL_BINARY(_prelu, kReal | kSpread, { return a > T(0) ? a : b * a; })
RL_TERNARY(prelu_backward, kReal, { return b > T(0) ? a : a * c; })
RL_TERNARY(_gate_slope, kReal, { return (T(1) - c) * c * b * a; })
RL_POINTWISE(hardtanh, 1, 2, kOrdered, {
  if constexpr (std::is_same_v<T, bool>) return a;
  T raised = a < p ? p : a;
  return T(raised > q ? q : raised);
})
RL_POINTWISE(hardtanh_backward, 2, 2, kReal, { return (b <= p) | (b >= q) ? T(0) : a; })
// x from 0 to 6. Both comparisons are of x: of the outcome of the first, gcc would know the second
// where that is 0, and make five instructions of either.
template <class T>
static inline T up_to_six(T x) {
  T raised = x < T(0) ? T(0) : x;
  return x > T(6) ? T(6) : raised;
}
RL_UNARY(hardsigmoid, kReal, { return up_to_six(a + T(3)) / T(6); })
RL_BINARY(hardsigmoid_backward, kReal, { return (b > T(-3)) & (b < T(3)) ? a / T(6) : T(0); })
RL_UNARY(hardswish, kReal, { return a * up_to_six(a + T(3)) / T(6); })
RL_BINARY(hardswish_backward, kReal, {
  return b <= T(-3) ? T(0) : b < T(3) ? a * (b / T(3) + T(0.5)) : a;
})
RL_POINTWISE(softshrink, 1, 1, kReal, {
  T near = a < -p ? -p : a;
  near = near > p ? p : near;
  return math::with_sign(a - near, a);  // a zero keeps it
})
RL_POINTWISE(hardshrink, 1, 1, kReal, { return (a >= -p) & (a <= p) ? T(0) : a; })
RL_POINTWISE(shrink_backward, 2, 1, kReal, { return (b >= -p) & (b <= p) ? T(0) : a; })
RL_POINTWISE(threshold, 1, 2, kI | kReal, { return a <= p ? q : a; })
RL_POINTWISE(threshold_backward, 2, 1, kI | kReal, { return b <= p ? T(0) : a; })
RL_POINTWISE(logit_backward, 2, 2, kReal,
             { return (b >= p) & (b <= T(1) - p) ? a / (b * (T(1) - b)) : q; })

// Half a squared difference up to the knee p, from there on a straight line; over q.
RL_POINTWISE(_distances, 2, 2, kReal, {
  T d = a - b;
  T across = d < T(0) ? -d : d;
  return across <= p ? T(0.5) * d * d / q : (p / q) * (across - T(0.5) * p);
})
RL_POINTWISE(_distances_slope, 3, 3, kReal, {
  T d = b - c;
  T slope = d < -p ? -(p / q) : d > p ? p / q : d / q;
  return r * slope * a;
})
