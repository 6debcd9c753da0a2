// Steps of optimizers over all parameters in one pass: every tensor is read and written once, and
// the threads share the elements of all parameters, however uneven their sizes.
// To add one: a struct with the step of a run of elements, and the pair that collects its lists.
#include <cmath>
#include <vector>

#include "plan/isa.h"
#include "plan/parallel.h"

namespace rl {
namespace RL_ISA_NS {
namespace {

constexpr int64_t kGrain = 32768;

void no_outputs(Call&) {}

// The lists of a call, checked: entry i of each is laid out as parameter i.
class Lists {
 public:
  Lists(Call& c, int count) : c_(c) {
    for (int k = 0; k < count; ++k)
      for (size_t i = 0; i < c.tensors(k).size(); ++i) check(k, i);
  }
  size_t size() const { return c_.tensors(0).size(); }
  bool has(int k) const { return !c_.tensors(k).empty(); }
  Tensor& at(int k, size_t i) const { return *c_.tensors(k)[i]; }
  template <class T>
  T* data(int k, size_t i) const {
    return has(k) ? at(k, i).data<T>() : nullptr;
  }
  void changed(int k) const {
    for (Tensor* t : c_.tensors(k)) ++t->version();
  }

 private:
  void check(int k, size_t i) const {
    if (i >= size()) fail(c_.op, "(): list ", k, " is longer than that of the parameters");
    Tensor &p = at(0, i), &t = at(k, i);
    if (p.dtype != DType::F32 && p.dtype != DType::F64)
      fail(ErrorKind::NotImplemented, c_.op, "(): not implemented for ", p.dtype);
    if (t.dtype != p.dtype || t.numel != p.numel || !t.contiguous)
      fail(c_.op, "(): entry ", i, " of list ", k,
           " is not a contiguous tensor of the parameter's size and dtype");
  }
  Call& c_;
};

// Calls step(i, begin, end) for all pieces of all parameters, on all threads.
template <class F>
void over_all(const Lists& lists, F&& step) {
  std::vector<int64_t> starts{0};
  for (size_t i = 0; i < lists.size(); ++i) starts.push_back(starts.back() + lists.at(0, i).numel);
  parallel_for(starts.back(), kGrain, [&](int64_t begin, int64_t end) {
    size_t i = static_cast<size_t>(std::upper_bound(starts.begin(), starts.end(), begin) -
                                   starts.begin() - 1);
    for (; i < lists.size() && starts[i] < end; ++i)
      step(i, std::max(begin, starts[i]) - starts[i], std::min(end, starts[i + 1]) - starts[i]);
  });
}

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

// Adds 1 to the counter, a number of either precision.
double count(Tensor& t, const char* op) {
  if (t.numel != 1) fail(op, "(): a step counter has one element, got ", t.sizes());
  ++t.version();
  if (t.dtype == DType::F32) return *t.data<float>() += 1;
  if (t.dtype == DType::F64) return *t.data<double>() += 1;
  fail(op, "(): a step counter is a float32 or float64 tensor, got ", t.dtype);
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
