// Steps that scale the gradient by what was seen of it: RMSprop, Adagrad, Adadelta, Adamax, NAdam
// and RAdam, over all parameters in one pass. Their definitions are in rushlight/ops/optimize.py.
// To add one: a struct with `kStates`, the lists of state that it keeps, `kNumbers`, its options,
// and `run`; and a line at the end.
#include <cmath>

#include "kernels/optimize.h"

namespace rl {
namespace RL_ISA_NS {
namespace {

// The options of a call, of which all steps have lr, eps and weight_decay first.
struct Numbers {
  const Call& c;
  int first;
  double operator()(int k) const { return c.number(first + k); }
};

// How far a parameter has come: its steps so far, and for NAdam the product of its momenta.
struct Progress {
  double step = 0, product = 1;
};

// The gradient of the loss at element i: turned round to go up, with the decay of weights.
template <class T, bool kDecay>
struct Slope {
  const T *g, *p;
  T sign, decay;
  T operator()(int64_t i) const {
    if constexpr (kDecay) return sign * g[i] + decay * p[i];
    return sign * g[i];
  }
};

template <class T>
struct RmsProp {
  static constexpr int kStates = 3, kNumbers = 5;
  T lr, eps, alpha, fresh, momentum;

  RmsProp(const Numbers& o, const Progress&)
      : lr(T(o(0))), eps(T(o(1))), alpha(T(o(3))), fresh(T(1 - o(3))), momentum(T(o(4))) {}

  template <bool kCentered, bool kMomentum, class G>
  void run(T* p, T* square, [[maybe_unused]] T* mean, [[maybe_unused]] T* moved, int64_t n,
           G slope) const {
#pragma GCC ivdep
    for (int64_t i = 0; i < n; ++i) {
      T d = slope(i), spread = square[i] = alpha * square[i] + fresh * d * d;
      if constexpr (kCentered) {
        mean[i] += fresh * (d - mean[i]);
        spread -= mean[i] * mean[i];
      }
      d /= std::sqrt(spread) + eps;
      if constexpr (kMomentum) d = moved[i] = momentum * moved[i] + d;
      p[i] -= lr * d;
    }
  }
  template <class G>
  void run(T* p, T* const* s, int64_t n, G slope) const {
    if (s[1])
      s[2] ? run<true, true>(p, s[0], s[1], s[2], n, slope)
           : run<true, false>(p, s[0], s[1], s[2], n, slope);
    else
      s[2] ? run<false, true>(p, s[0], s[1], s[2], n, slope)
           : run<false, false>(p, s[0], s[1], s[2], n, slope);
  }
};

template <class T>
struct Adagrad {
  static constexpr int kStates = 1, kNumbers = 4;
  T rate, eps;

  Adagrad(const Numbers& o, const Progress& at)
      : rate(T(o(0) / (1 + (at.step - 1) * o(3)))), eps(T(o(1))) {}

  template <class G>
  void run(T* p, T* const* s, int64_t n, G slope) const {
    T* total = s[0];
#pragma GCC ivdep
    for (int64_t i = 0; i < n; ++i) {
      T d = slope(i);
      total[i] += d * d;
      p[i] -= rate * (d / (std::sqrt(total[i]) + eps));
    }
  }
};

template <class T>
struct Adadelta {
  static constexpr int kStates = 2, kNumbers = 4;
  T lr, eps, rho, fresh;

  Adadelta(const Numbers& o, const Progress&)
      : lr(T(o(0))), eps(T(o(1))), rho(T(o(3))), fresh(T(1 - o(3))) {}

  template <class G>
  void run(T* p, T* const* s, int64_t n, G slope) const {
    T *square = s[0], *moved = s[1];
#pragma GCC ivdep
    for (int64_t i = 0; i < n; ++i) {
      T d = slope(i);
      square[i] = rho * square[i] + fresh * d * d;
      d *= std::sqrt(moved[i] + eps) / std::sqrt(square[i] + eps);
      moved[i] = rho * moved[i] + fresh * d * d;
      p[i] -= lr * d;
    }
  }
};

template <class T>
struct Adamax {
  static constexpr int kStates = 2, kNumbers = 5;
  T size, eps, fresh, beta2;

  Adamax(const Numbers& o, const Progress& at)
      : size(T(o(0) / (1 - std::pow(o(3), at.step)))),
        eps(T(o(1))),
        fresh(T(1 - o(3))),
        beta2(T(o(4))) {}

  template <class G>
  void run(T* p, T* const* s, int64_t n, G slope) const {
    T *mean = s[0], *largest = s[1];
#pragma GCC ivdep
    for (int64_t i = 0; i < n; ++i) {
      T d = slope(i), a = beta2 * largest[i], b = std::abs(d) + eps;
      mean[i] += fresh * (d - mean[i]);
      a = b > a || b != b ? b : a;  // NaN stays, as it does in maximum()
      largest[i] = a;
      p[i] -= size * (mean[i] / a);
    }
  }
};

template <class T>
struct NAdam {
  static constexpr int kStates = 2, kNumbers = 7;
  T eps, fresh1, beta2, fresh2, unbias, shrink, of_slope, of_mean;

  static double momentum(const Numbers& o, double step) {
    return o(3) * (1 - 0.5 * std::pow(0.96, step * o(5)));
  }
  NAdam(const Numbers& o, const Progress& at)
      : eps(T(o(1))),
        fresh1(T(1 - o(3))),
        beta2(T(o(4))),
        fresh2(T(1 - o(4))),
        unbias(T(1 - std::pow(o(4), at.step))),
        shrink(T(o(6))) {
    double next = momentum(o, at.step + 1);
    of_slope = T(o(0) * (1 - momentum(o, at.step)) / (1 - at.product));
    of_mean = T(o(0) * next / (1 - at.product * next));
  }

  template <class G>
  void run(T* p, T* const* s, int64_t n, G slope) const {
    T *mean = s[0], *square = s[1];
#pragma GCC ivdep
    for (int64_t i = 0; i < n; ++i) {
      T d = slope(i);
      mean[i] += fresh1 * (d - mean[i]);
      square[i] = beta2 * square[i] + fresh2 * d * d;
      T bottom = std::sqrt(square[i] / unbias) + eps;
      p[i] = shrink * p[i] - (of_slope * d + of_mean * mean[i]) / bottom;
    }
  }
};

template <class T>
struct RAdam {
  static constexpr int kStates = 2, kNumbers = 6;
  T size, scale = 0, eps, fresh1, beta2, fresh2, shrink;
  bool adaptive;

  RAdam(const Numbers& o, const Progress& at)
      : size(T(o(0) / (1 - std::pow(o(3), at.step)))),
        eps(T(o(1))),
        fresh1(T(1 - o(3))),
        beta2(T(o(4))),
        fresh2(T(1 - o(4))),
        shrink(T(o(5))) {
    double left = std::pow(o(4), at.step), limit = 2 / (1 - o(4)) - 1;
    double length = limit - 2 * at.step * left / (1 - left);
    adaptive = length > 5;  // else the mean square has too few samples
    if (adaptive)
      scale = T(std::sqrt((length - 4) * (length - 2) * limit /
                          ((limit - 4) * (limit - 2) * length) * (1 - left)));
  }

  template <bool kAdaptive, class G>
  void run(T* p, T* mean, T* square, int64_t n, G slope) const {
#pragma GCC ivdep
    for (int64_t i = 0; i < n; ++i) {
      T d = slope(i);
      mean[i] += fresh1 * (d - mean[i]);
      square[i] = beta2 * square[i] + fresh2 * d * d;
      T change = size * mean[i];
      if constexpr (kAdaptive) change *= scale / (std::sqrt(square[i]) + eps);
      p[i] = shrink * p[i] - change;
    }
  }
  template <class G>
  void run(T* p, T* const* s, int64_t n, G slope) const {
    adaptive ? run<true>(p, s[0], s[1], n, slope) : run<false>(p, s[0], s[1], n, slope);
  }
};

template <class T, template <class> class Step>
void piece(const Lists& l, const Numbers& o, const Progress& at, bool up, size_t i, int64_t begin,
           int64_t end) {
  T *p = l.data<T>(0, i) + begin, *states[Step<T>::kStates];
  const T* g = l.data<T>(1, i) + begin;
  for (int k = 0; k < Step<T>::kStates; ++k) {
    T* s = l.data<T>(2 + k, i);
    states[k] = s ? s + begin : nullptr;
  }
  T sign = T(up ? -1 : 1), decay = T(o(2));
  Step<T> step(o, at);
  if (decay != 0)
    step.run(p, states, end - begin, Slope<T, true>{g, p, sign, decay});
  else
    step.run(p, states, end - begin, Slope<T, false>{g, p, sign, decay});
}

// name(params, grads, states..., steps, numbers..., maximize)
template <template <class> class Step>
void run_all(Call& c, std::vector<Progress> at, int first) {
  constexpr int kStates = Step<float>::kStates;
  Lists l(c, 2 + kStates);
  Numbers o{c, first};
  bool up = c.flag(first + Step<float>::kNumbers);
  over_all(l, [&](size_t i, int64_t begin, int64_t end) {
    if (l.at(0, i).dtype == DType::F32)
      piece<float, Step>(l, o, at[i], up, i, begin, end);
    else
      piece<double, Step>(l, o, at[i], up, i, begin, end);
  });
  l.changed(0);
  for (int k = 0; k < kStates; ++k) l.changed(2 + k);
}

std::vector<Progress> counted(Call& c, int list) {
  std::vector<Progress> at;
  for (Tensor* t : c.tensors(list)) at.push_back({count(*t, c.op), 1});
  if (at.size() != c.tensors(0).size())
    fail(c.op, "(): expected a step counter for each of ", c.tensors(0).size(), " parameters, got ",
         at.size());
  return at;
}

template <template <class> class Step>
void step_run(Call& c) {
  constexpr int kSteps = 2 + Step<float>::kStates;
  run_all<Step>(c, counted(c, kSteps), kSteps + 1);
}

// nadam_step has the products of the momenta after the steps.
void nadam_run(Call& c) {
  std::vector<Progress> at = counted(c, 4);
  if (c.tensors(5).size() != at.size())
    fail(c.op, "(): expected a product for each of ", at.size(), " parameters, got ",
         c.tensors(5).size());
  Numbers o{c, 6};
  for (size_t i = 0; i < at.size(); ++i)
    at[i].product = scaled(*c.tensors(5)[i], NAdam<double>::momentum(o, at[i].step), c.op);
  run_all<NAdam>(c, std::move(at), 6);
}

RL_ISA_KERNEL("rmsprop_step", no_outputs, step_run<RmsProp>);
RL_ISA_KERNEL("adagrad_step", no_outputs, step_run<Adagrad>);
RL_ISA_KERNEL("adadelta_step", no_outputs, step_run<Adadelta>);
RL_ISA_KERNEL("adamax_step", no_outputs, step_run<Adamax>);
RL_ISA_KERNEL("nadam_step", no_outputs, nadam_run);
RL_ISA_KERNEL("radam_step", no_outputs, step_run<RAdam>);

}  // namespace
}  // namespace RL_ISA_NS
}  // namespace rl
