// The steps of SGD and of Adam over all parameters in one pass; those of other optimizers are in
// optimize_scaled.cpp. A step is a struct with that of a run of elements, and the pair that
// collects its lists.
#include "kernels/optimize.h"

#include <cmath>

namespace rl {
namespace RL_ISA_NS {
namespace {

// ---- stochastic gradient descent

template <class T>
struct Sgd {
  T lr, momentum, keep, decay, sign;
  bool nesterov;

  template <bool kDecay>
  void plain(T* p, const T* g, int64_t n) const {
#pragma GCC ivdep
    for (int64_t i = 0; i < n; ++i) {
      T d = sign * g[i];
      if constexpr (kDecay) d += decay * p[i];
      p[i] -= lr * d;
    }
  }
  template <bool kDecay, bool kNesterov>
  void heavy(T* p, const T* g, T* b, int64_t n) const {
#pragma GCC ivdep
    for (int64_t i = 0; i < n; ++i) {
      T d = sign * g[i];
      if constexpr (kDecay) d += decay * p[i];
      b[i] = momentum * b[i] + keep * d;
      p[i] -= lr * (kNesterov ? d + momentum * b[i] : b[i]);
    }
  }
  void run(T* p, const T* g, T* b, int64_t n) const {
    bool decays = decay != 0;
    if (!b) return decays ? plain<true>(p, g, n) : plain<false>(p, g, n);
    if (nesterov) return decays ? heavy<true, true>(p, g, b, n) : heavy<false, true>(p, g, b, n);
    decays ? heavy<true, false>(p, g, b, n) : heavy<false, false>(p, g, b, n);
  }
};

template <class T>
void sgd_piece(const Call& c, const Lists& l, size_t i, int64_t begin, int64_t end) {
  Sgd<T> step{T(c.number(3)), T(c.number(4)),        T(1 - c.number(5)),
              T(c.number(6)), T(c.flag(8) ? -1 : 1), c.flag(7)};
  T* b = l.data<T>(2, i);
  step.run(l.data<T>(0, i) + begin, l.data<T>(1, i) + begin, b ? b + begin : nullptr, end - begin);
}

// sgd_step(params, grads, buffers, lr, momentum, dampening, weight_decay, nesterov, maximize)
void sgd_run(Call& c) {
  Lists l(c, 3);
  over_all(l, [&](size_t i, int64_t begin, int64_t end) {
    if (l.at(0, i).dtype == DType::F32)
      sgd_piece<float>(c, l, i, begin, end);
    else
      sgd_piece<double>(c, l, i, begin, end);
  });
  l.changed(0);
  l.changed(2);
}

// ---- Adam

struct AdamOptions {
  double lr, beta1, beta2, eps, decay;
  bool decoupled, maximize;
};

template <class T>
struct Adam {
  T size, root, fresh1, beta2, fresh2, eps, decay, shrink, sign;  // at this parameter's step

  Adam(const AdamOptions& o, double step)
      : size(T(o.lr / (1 - std::pow(o.beta1, step)))),
        root(T(std::sqrt(1 - std::pow(o.beta2, step)))),
        fresh1(T(1 - o.beta1)),
        beta2(T(o.beta2)),
        fresh2(T(1 - o.beta2)),
        eps(T(o.eps)),
        decay(T(o.decoupled ? 0 : o.decay)),
        shrink(T(o.decoupled ? 1 - o.lr * o.decay : 1)),
        sign(T(o.maximize ? -1 : 1)) {}

  template <bool kDecay, bool kLargest>
  void run(T* p, const T* g, T* m, T* v, [[maybe_unused]] T* top, int64_t n) const {
#pragma GCC ivdep
    for (int64_t i = 0; i < n; ++i) {
      T d = sign * g[i];
      if constexpr (kDecay) d += decay * p[i];
      m[i] += fresh1 * (d - m[i]);
      v[i] = beta2 * v[i] + fresh2 * d * d;
      T square = v[i];
      // NaN stays in the largest, as it does in maximum().
      if constexpr (kLargest)
        square = top[i] = square > top[i] || square != square ? square : top[i];
      p[i] = shrink * p[i] - size * (m[i] / (std::sqrt(square) / root + eps));
    }
  }
  void run(T* p, const T* g, T* m, T* v, T* top, int64_t n) const {
    if (decay != 0)
      top ? run<true, true>(p, g, m, v, top, n) : run<true, false>(p, g, m, v, top, n);
    else
      top ? run<false, true>(p, g, m, v, top, n) : run<false, false>(p, g, m, v, top, n);
  }
};

template <class T>
void adam_piece(const AdamOptions& o, const Lists& l, size_t i, double step, int64_t begin,
                int64_t end) {
  T* top = l.data<T>(4, i);
  Adam<T>(o, step).run(l.data<T>(0, i) + begin, l.data<T>(1, i) + begin, l.data<T>(2, i) + begin,
                       l.data<T>(3, i) + begin, top ? top + begin : nullptr, end - begin);
}

// adam_step(params, grads, means, squares, largest, steps, lr, beta1, beta2, eps, weight_decay,
//           decoupled, maximize)
void adam_run(Call& c) {
  Lists l(c, 5);
  AdamOptions o{c.number(6),  c.number(7), c.number(8), c.number(9),
                c.number(10), c.flag(11),  c.flag(12)};
  std::vector<double> steps;
  for (Tensor* t : c.tensors(5)) steps.push_back(count(*t, c.op));
  over_all(l, [&](size_t i, int64_t begin, int64_t end) {
    if (l.at(0, i).dtype == DType::F32)
      adam_piece<float>(o, l, i, steps[i], begin, end);
    else
      adam_piece<double>(o, l, i, steps[i], begin, end);
  });
  for (int k : {0, 2, 3, 4}) l.changed(k);
}

RL_ISA_KERNEL("sgd_step", no_outputs, sgd_run);
RL_ISA_KERNEL("adam_step", no_outputs, adam_run);

}  // namespace
}  // namespace RL_ISA_NS
}  // namespace rl
