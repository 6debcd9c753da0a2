// Connectionist temporal classification (Graves et al. 2006): the forward recursion over the labels
// of a target with blanks between them, and the gradient for the input of log_softmax. All in
// logarithms, as a path's probability may be below any float; lanes are states, of which rows are
// padded to whole vectors by impossible ones. The states' values are kept for the gradient.
#include <limits>

#include "core/allocator.h"
#include "plan/call.h"
#include "plan/copy.h"
#include "plan/isa.h"
#include "plan/parallel.h"
#include "scalar/exp_block.h"
#include "scalar/log.h"

namespace rl {
namespace RL_ISA_NS {
namespace {

constexpr int64_t kWhole = 16, kBefore = 2;  // states computed together; impossible ones before
constexpr int64_t padded(int64_t states) { return (states + kWhole - 1) / kWhole * kWhole; }
constexpr int64_t row_length(int64_t states) { return kBefore + padded(states); }

template <class T>
constexpr T kNever = -std::numeric_limits<T>::infinity();

// f(i) for i of [0, n), n a multiple of kWhole, by whole vectors.
template <class F>
void each_state(int64_t n, F f) {
  for (int64_t s = 0; s < n; s += kWhole) {
#pragma GCC ivdep
    for (int64_t j = 0; j < kWhole; ++j) f(s + j);
  }
}

// to[s] = log of the sum of what comes from states s, s + Way and, where `skip` is 0, s + 2 Way.
template <int Way, class T>
void step(const T* from, const T* skip, T* to, int64_t n) {
  each_state(n, [=](int64_t s) {
    const T a = from[s], b = from[s + Way], c = from[s + 2 * Way] + skip[s];
    const T ab = a < b ? b : a, most = ab < c ? c : ab, top = most == kNever<T> ? T(0) : most;
    to[s] = math::log(math::exp(a - top) + math::exp(b - top) + math::exp(c - top)) + top;
  });
}

// One sample: where its log-probabilities are, and its states with room for two rows of them.
template <class T>
struct Paths {
  const T* log_probs;  // of the first step
  int64_t next, classes, blank, steps, length;
  const int64_t* target;

  int64_t states() const { return 2 * length + 1; }
  int64_t room() const { return 4 * row_length(states()) + kBefore + classes; }

  // 0 where a state may be reached past the blank before it: from another label than its own.
  void mark_skips(T* skip) const {
    std::fill_n(skip, row_length(states()), kNever<T>);
    for (int64_t k = 1; k < length; ++k)
      if (target[k] != target[k - 1]) skip[2 * k + 1] = 0;
  }
  void emissions(int64_t t, T* emit) const {
    const T* own = log_probs + t * next;
    for (int64_t k = 0; k < length; ++k) {
      emit[2 * k] = own[blank];
      emit[2 * k + 1] = own[target[k]];
    }
    emit[2 * length] = own[blank];
  }
  // log p of the target, by the last step's row.
  T total(const T* last) const {
    const T a = last[2 * length], b = length ? last[2 * length - 1] : kNever<T>;
    const T top = a < b ? b : a;
    return top == kNever<T> ? top : math::log(math::exp(a - top) + math::exp(b - top)) + top;
  }
  T* row(T* alphas, int64_t t) const { return alphas + t * row_length(states()) + kBefore; }

  T loss(T* alphas, T* room) const {
    if (!steps) return length ? -kNever<T> : -T(0);
    const int64_t n = padded(states());
    T *skip = room, *emit = skip + row_length(states());
    mark_skips(skip);
    std::fill_n(emit, n, kNever<T>);
    for (int64_t t = 0; t < steps; ++t) {
      T* to = row(alphas, t);
      to[-1] = to[-2] = kNever<T>;
      emissions(t, emit);
      if (t) {
        step<-1>(row(alphas, t - 1), skip, to, n);
        each_state(n, [=](int64_t s) { to[s] += emit[s]; });
      } else {
        std::fill_n(to, n, kNever<T>);
        std::copy_n(emit, std::min<int64_t>(2, states()), to);
      }
    }
    return -total(row(alphas, steps - 1));
  }

  // grad[c] = (exp(log_probs[c]) - p(class is c at this step | target)) * by
  void slope(T* alphas, T* grad, T* room, T by, bool zero_infinity) const {
    if (!steps) return;
    const T log_p = total(row(alphas, steps - 1));
    if (log_p == kNever<T>) return no_path(grad, zero_infinity);
    const int64_t n = padded(states()), width = row_length(states());
    T *skip = room, *emit = skip + width + kBefore, *after = emit + width, *rest = after + width;
    T* share = rest + width;
    mark_skips(skip);
    std::fill_n(skip + width, kBefore, kNever<T>);
    std::fill_n(emit, n, kNever<T>);
    std::fill_n(after, width, kNever<T>);  // p of the rest, this step's class included
    std::fill_n(rest, n, kNever<T>);       // and without it
    std::fill_n(rest + std::max<int64_t>(0, states() - 2), std::min<int64_t>(2, states()), T(0));
    for (int64_t t = steps - 1;; --t) {
      const T* before = row(alphas, t);
      each_state(n, [=](int64_t s) { after[s] = math::exp(before[s] + rest[s] - log_p); });
      shares(after, share);
      const T* own = log_probs + t * next;
      T* to = grad + t * next;
      math::exp_block(own, to, classes);
      for (int64_t c = 0; c < classes; ++c) to[c] = (to[c] - share[c]) * by;
      if (!t) return;
      emissions(t, emit);
      each_state(n, [=](int64_t s) { after[s] = rest[s] + emit[s]; });
      step<1>(after, skip + 2, rest, n);
    }
  }

 private:
  // Every class's sum over the states that emit it.
  void shares(const T* posterior, T* share) const {
    std::fill_n(share, classes, T(0));
    T blanks = posterior[2 * length];
    for (int64_t k = 0; k < length; ++k) {
      blanks += posterior[2 * k];
      share[target[k]] += posterior[2 * k + 1];
    }
    share[blank] += blanks;
  }
  void no_path(T* grad, bool zero_infinity) const {
    if (zero_infinity) return;
    for (int64_t t = 0; t < steps; ++t)
      std::fill_n(grad + t * next, classes, std::numeric_limits<T>::quiet_NaN());
  }
};

// What both kernels are called with, from argument `at` on: log_probs (T, N, C), targets (N, S) or
// concatenated, the lengths of inputs and of targets (N), and blank.
template <class T>
struct Batch {
  Ref<Tensor> x, targets, ins, outs;
  int64_t n, blank;

  Batch(Call& c, int at)
      : x(contiguous_as(c.tensor(at), dtype_of<T>)),
        targets(contiguous_as(c.tensor(at + 1), DType::I64)),
        ins(contiguous_as(c.tensor(at + 2), DType::I64)),
        outs(contiguous_as(c.tensor(at + 3), DType::I64)),
        n(x->size(1)),
        blank(c.integer(at + 4)) {}

  int64_t target_length(int64_t i) const { return outs->data<int64_t>()[i]; }

  void check() const {
    check_lengths("input_lengths", *ins);
    check_lengths("target_lengths", *outs);
    int64_t longest = 0, sum = 0, most = 0;
    for (int64_t i = 0; i < n; ++i) {
      longest = std::max(longest, ins->data<int64_t>()[i]);
      most = std::max(most, target_length(i));
      sum += target_length(i);
    }
    RL_CHECK(longest <= x->size(0), "Expected input_lengths to have value at most ", x->size(0),
             ", but got value ", longest);
    if (targets->ndim == 1)
      RL_CHECK(targets->size(0) == sum, "Expected tensor to have size ", sum,
               " at dimension 0, but got size ", targets->size(0), " for argument #2 'targets'");
    else
      RL_CHECK(targets->size(1) >= most, "Expected tensor to have size at least ", most,
               " at dimension 1, but got size ", targets->size(1), " for argument #2 'targets'");
    each([&](int64_t, const Paths<T>& p, int64_t) {
      for (int64_t k = 0; k < p.length; ++k)
        if (p.target[k] < 0 || p.target[k] >= p.classes)
          fail(ErrorKind::Index, "ctc_loss: target ", p.target[k], " is out of bounds for ",
               p.classes, " classes");
    });
  }
  // f(sample, its paths, where its states are kept), in order.
  template <class F>
  void each(F f) const {
    int64_t kept = 0, label = 0;
    for (int64_t i = 0; i < n; ++i) {
      const int64_t length = target_length(i), classes = x->size(2);
      const int64_t* target =
          targets->data<int64_t>() + (targets->ndim == 2 ? i * targets->size(1) : label);
      Paths<T> p{x->data<T>() + i * classes, n * classes, classes, blank,
                 ins->data<int64_t>()[i],    length,      target};
      f(i, p, kept);
      kept += x->size(0) * row_length(p.states());
      label += length;
    }
  }
  // The same, by threads and with room.
  template <class F>
  void each_with_room(F f) const {
    struct Sample {
      Paths<T> paths;
      int64_t kept;
    };
    std::vector<Sample> all;
    int64_t room = 0, work = 0;
    each([&](int64_t, const Paths<T>& p, int64_t kept) {
      all.push_back({p, kept});
      room = std::max(room, p.room());
      work += p.steps * (8 * p.states() + p.classes);
    });
    Unlocked unlocked(work * 4);
    parallel_for(n, std::max<int64_t>(1, 16384 * n / std::max<int64_t>(1, work)),
                 [&](int64_t begin, int64_t end) {
                   Scratch<T> own(room);
                   for (int64_t i = begin; i < end; ++i)
                     f(i, all[i].paths, all[i].kept, own.data());
                 });
  }

 private:
  void check_lengths(const char* name, const Tensor& lengths) const {
    for (int64_t i = 0; i < n; ++i)
      RL_CHECK(lengths.data<int64_t>()[i] >= 0, "Expected ", name,
               " to have value at least 0, but got value ", lengths.data<int64_t>()[i]);
  }
};

// _ctc(log_probs, targets, input_lengths, target_lengths, blank, zero_infinity)
//   -> (losses, alphas): infinite where there is no path. All rows of states find place in alphas.
void forward_infer(Call& c) {
  const Tensor &x = c.tensor(0), &targets = c.tensor(1);
  const int64_t n = x.size(1);
  RL_CHECK(targets.ndim == 1 || (targets.ndim == 2 && targets.size(0) == n),
           "ctc_loss: expected targets of shape (", n, ", S), or concatenated, got ",
           targets.sizes());
  const int64_t labels = targets.numel, most = 2 * labels + n * row_length(1);
  const int64_t kept = x.size(0) * most;
  c.add_out(Sizes(&n, 1), x.dtype);
  c.add_out(Sizes(&kept, 1), x.dtype);
}
template <class T>
void forward(Call& c) {
  Batch<T> batch(c, 0);
  batch.check();
  T *losses = c.out(0).data<T>(), *alphas = c.out(1).data<T>();
  batch.each_with_room([=](int64_t i, const Paths<T>& p, int64_t kept, T* room) {
    losses[i] = p.loss(alphas + kept, room);
  });
}
void forward_run(Call& c) {
  c.tensor(0).dtype == DType::F64 ? forward<double>(c) : forward<float>(c);
}

// _ctc_backward(grad, log_probs, targets, input_lengths, target_lengths, blank, alphas,
// zero_infinity) -> the gradient for what log_probs is the log_softmax of
void backward_infer(Call& c) { c.add_out(c.tensor(1).sizes(), c.tensor(1).dtype); }
template <class T>
void backward(Call& c) {
  Batch<T> batch(c, 1);
  Ref<Tensor> by = contiguous_as(c.tensor(0), dtype_of<T>);
  Ref<Tensor> alphas = contiguous_as(c.tensor(6), dtype_of<T>);
  const bool zero_infinity = c.flag(7);
  Tensor& out = c.out(0);
  fill(out, Scalar::of(int64_t{0}));
  T *grad = out.data<T>(), *states = alphas->data<T>();
  const T* given = by->data<T>();
  batch.each_with_room([=](int64_t i, const Paths<T>& p, int64_t kept, T* room) {
    p.slope(states + kept, grad + i * p.classes, room, given[i], zero_infinity);
  });
}
void backward_run(Call& c) {
  c.tensor(1).dtype == DType::F64 ? backward<double>(c) : backward<float>(c);
}

RL_ISA_KERNEL("_ctc", forward_infer, forward_run);
RL_ISA_KERNEL("_ctc_backward", backward_infer, backward_run);

}  // namespace
}  // namespace RL_ISA_NS
}  // namespace rl
