// Recurrent layers over a whole sequence, and their gradients: a step is one matrix product and one
// pass over the gates. `kept` holds what the gradient needs of each step: an LSTM's activations
// (input, forget, cell, output), a GRU's (reset, update, new, and the hidden part of new). Compiled
// once per instruction-set level. To add a kind of layer: a struct like `Lstm` and a line in
// `with_mode`; its definition is in nn/modules/_rnn_layers.py.
#include <algorithm>
#include <cstring>
#include <optional>

#include "core/allocator.h"
#include "kernels/gemm.h"
#include "plan/copy.h"
#include "plan/isa.h"
#include "plan/parallel.h"
#include "scalar/elementary.h"

namespace rl {
namespace RL_ISA_NS {
namespace {

// One sequence's part of a step; n is the size of the hidden state. Forwards: `gates` of the input
// and `side` of the hidden state become the next states. Backwards: gradients by states become
// gradients by gates; in functions that are not inlined, or gcc calls sigmoid and tanh instead.
template <class T>
struct Step {
  int64_t n;
  const T *gates, *side;   // [kGates * n]
  const T *hidden, *cell;  // before the step
  T *next_hidden, *next_cell, *kept;
  T *grad_hidden, *grad_cell;  // by the states after the step, then by those before it
  T *grad_gates, *grad_side;   // by the input's and the hidden state's part of the gates
};

// Derivatives by the argument, from the value.
template <class T>
T sigmoid_slope(T y) {
  return y * (1 - y);
}
template <class T>
T tanh_slope(T y) {
  return 1 - y * y;
}

// sigmoid(a + b), in lanes where the level has them.
template <class T>
void sigmoid_of_sum(T* to, const T* a, const T* b, int64_t n) {
#ifdef RL_HAS_LANES
  math::widest_each<T>(n, [=](long i, long count, auto load) {
    math::store_lanes(to + i, math::sigmoid(load(a) + load(b)), count);
  });
#else
#pragma GCC ivdep
  for (int64_t j = 0; j < n; ++j) to[j] = math::sigmoid(a[j] + b[j]);
#endif
}

struct Lstm {
  static constexpr int kGates = 4, kKept = 4;
  static constexpr bool kHasCell = true, kHasSide = false;
  template <class T>
  [[gnu::noinline]] static void forward(const Step<T>& s) {
    int64_t n = s.n;
    T *i = s.kept, *f = i + n, *g = f + n, *o = g + n;
    sigmoid_of_sum(i, s.gates, s.side, 2 * n);
#pragma GCC ivdep
    for (int64_t j = 0; j < n; ++j) g[j] = math::tanh(s.gates[2 * n + j] + s.side[2 * n + j]);
    sigmoid_of_sum(o, s.gates + 3 * n, s.side + 3 * n, n);
#pragma GCC ivdep
    for (int64_t j = 0; j < n; ++j) {
      s.next_cell[j] = f[j] * s.cell[j] + i[j] * g[j];
      s.next_hidden[j] = o[j] * math::tanh(s.next_cell[j]);
    }
  }
  template <class T>
  [[gnu::noinline]] static void backward(const Step<T>& s) {
    int64_t n = s.n;
    const T *i = s.kept, *f = i + n, *g = f + n, *o = g + n;
    T* to = s.grad_gates;
#pragma GCC ivdep
    for (int64_t j = 0; j < n; ++j) {
      T t = math::tanh(s.next_cell[j]), by_hidden = s.grad_hidden[j];
      T by_cell = s.grad_cell[j] + by_hidden * o[j] * tanh_slope(t);
      to[j] = by_cell * g[j] * sigmoid_slope(i[j]);
      to[n + j] = by_cell * s.cell[j] * sigmoid_slope(f[j]);
      to[2 * n + j] = by_cell * i[j] * tanh_slope(g[j]);
      to[3 * n + j] = by_hidden * t * sigmoid_slope(o[j]);
      s.grad_cell[j] = by_cell * f[j];
      s.grad_hidden[j] = 0;
    }
  }
};

struct Gru {
  static constexpr int kGates = 3, kKept = 4;
  static constexpr bool kHasCell = false, kHasSide = true;
  template <class T>
  [[gnu::noinline]] static void forward(const Step<T>& s) {
    int64_t n = s.n;
    T *reset = s.kept, *update = reset + n, *fresh = update + n, *part = fresh + n;
    sigmoid_of_sum(reset, s.gates, s.side, 2 * n);
#pragma GCC ivdep
    for (int64_t j = 0; j < n; ++j) {
      part[j] = s.side[2 * n + j];
      fresh[j] = math::tanh(s.gates[2 * n + j] + reset[j] * part[j]);
      s.next_hidden[j] = fresh[j] + update[j] * (s.hidden[j] - fresh[j]);
    }
  }
  template <class T>
  [[gnu::noinline]] static void backward(const Step<T>& s) {
    int64_t n = s.n;
    const T *reset = s.kept, *update = reset + n, *fresh = update + n, *part = fresh + n;
    T *to = s.grad_gates, *side = s.grad_side;
#pragma GCC ivdep
    for (int64_t j = 0; j < n; ++j) {
      T g = s.grad_hidden[j], r = reset[j], z = update[j];
      T by_fresh = g * (1 - z) * tanh_slope(fresh[j]);
      side[j] = to[j] = by_fresh * part[j] * sigmoid_slope(r);
      side[n + j] = to[n + j] = g * (s.hidden[j] - fresh[j]) * sigmoid_slope(z);
      to[2 * n + j] = by_fresh;
      side[2 * n + j] = by_fresh * r;
      s.grad_hidden[j] = g * z;
    }
  }
};

template <class Activation>
struct Rnn {
  static constexpr int kGates = 1, kKept = 0;
  static constexpr bool kHasCell = false, kHasSide = false;
  template <class T>
  [[gnu::noinline]] static void forward(const Step<T>& s) {
#pragma GCC ivdep
    for (int64_t j = 0; j < s.n; ++j) s.next_hidden[j] = Activation::value(s.gates[j] + s.side[j]);
  }
  template <class T>
  [[gnu::noinline]] static void backward(const Step<T>& s) {
#pragma GCC ivdep
    for (int64_t j = 0; j < s.n; ++j) {
      s.grad_gates[j] = s.grad_hidden[j] * Activation::slope(s.next_hidden[j]);
      s.grad_hidden[j] = 0;
    }
  }
};
struct Tanh {
  template <class T>
  static T value(T x) {
    return math::tanh(x);
  }
  template <class T>
  static T slope(T y) {
    return tanh_slope(y);
  }
};
struct Relu {
  template <class T>
  static T value(T x) {
    return x < 0 ? T(0) : x;  // a NaN stays
  }
  template <class T>
  static T slope(T y) {
    return y > 0 ? T(1) : T(0);
  }
};

template <class F>
void with_mode(const Call& c, std::string_view mode, F f) {
  if (mode == "LSTM") return f.template operator()<Lstm>();
  if (mode == "GRU") return f.template operator()<Gru>();
  if (mode == "RNN_TANH") return f.template operator()<Rnn<Tanh>>();
  if (mode == "RNN_RELU") return f.template operator()<Rnn<Relu>>();
  fail(c.op, ": unknown kind of layer ", mode);
}

// Sizes of a layer: steps, sequences, hidden units.
struct Sequence {
  int64_t steps, batch, units;
  explicit Sequence(const Tensor& output)
      : steps(output.size(0)), batch(output.size(1)), units(output.size(2)) {}
  int64_t state() const { return batch * units; }
  int64_t grain() const { return std::max<int64_t>(1, 2048 / std::max<int64_t>(1, units)); }
};

// A state at every step, and the one before the first.
template <class T>
struct States {
  T* all;
  const T* first;
  int64_t size;
  T* at(int64_t t) const { return all + t * size; }
  const T* before(int64_t t) const { return t ? at(t - 1) : first; }
};

// An argument in rows; null if it is absent.
template <class T>
Ref<Tensor> argument(const Call& c, int i) {
  return c.has(i) ? contiguous_as(c.tensor(i), dtype_of<T>) : nullptr;
}
template <class T>
T* data_or_null(const Ref<Tensor>& t) {
  return t ? t->data<T>() : nullptr;
}
// The matrix that every step multiplies: packed once, if several steps of several sequences will.
template <class T>
class StepWeight {
 public:
  StepWeight(const Sequence& q, const Matrix& b) : q_(q), b_(b) {
    if (q.batch > 1 && q.steps > 2 && q.units > 0) packed_.emplace(b);
  }
  // c[batch, cols] (+)= a[batch, depth] b.
  void multiply(const T* a, T* c, bool accumulate) const {
    Matrix rows{a, q_.batch, b_.rows, b_.rows, 1};
    if (packed_) return packed_->multiply(rows, c, b_.cols, accumulate);
    gemm(dtype_of<T>, rows, b_, c, b_.cols, accumulate);
  }
  const Matrix* operator->() const { return &b_; }

 private:
  Sequence q_;
  Matrix b_;
  std::optional<PackedMatrix<T>> packed_;
};

// ---- forwards
// _rnn_steps(gates, hidden, cell, weight, bias, mode, keep) -> (output, last_cell, cells, kept);
// the last two are empty unless `keep`.
void forward_infer(Call& c) {
  Tensor &gates = c.tensor(0), &hidden = c.tensor(1), &weight = c.tensor(3);
  with_mode(c, c.text(5), [&]<class Mode>() {
    int64_t t = gates.ndim == 3 ? gates.size(0) : -1, n = hidden.ndim == 2 ? hidden.size(0) : -1;
    int64_t h = weight.size(weight.ndim - 1);
    RL_CHECK(t > 0 && gates.size(1) == n && hidden.size(1) == h && weight.ndim == 2 &&
                 weight.size(0) == Mode::kGates * h && gates.size(2) == Mode::kGates * h,
             c.op, ": gates ", gates.sizes(), ", hidden state ", hidden.sizes(), " and weight ",
             weight.sizes(), " do not fit");
    RL_CHECK(gates.dtype == DType::F32 || gates.dtype == DType::F64, c.op, ": not implemented for ",
             gates.dtype);
    int64_t output[] = {t, n, h}, none[] = {0}, kept[] = {t, n, Mode::kKept * h};
    bool keep = c.flag(6);
    c.add_out(output, gates.dtype);
    c.add_out(Mode::kHasCell ? Sizes(output + 1, 2) : Sizes(none, 1), gates.dtype);
    c.add_out(Mode::kHasCell && keep ? Sizes(output, 3) : Sizes(none, 1), gates.dtype);
    c.add_out(keep ? Sizes(kept, 3) : Sizes(none, 1), gates.dtype);
  });
}

template <class Mode, class T>
struct Forward {
  Sequence q;
  const T *gates, *bias;
  const StepWeight<T>& weight;  // transposed: [units, gates]
  States<T> hidden, cell;
  T *kept, *side;
  int64_t kept_size;  // of a step; 0 if the next one overwrites it

  void run() const {
    for (int64_t t = 0; t < q.steps; ++t) {
      for (int64_t b = 0; bias && b < q.batch; ++b)
        std::copy_n(bias, weight->cols, side + b * weight->cols);
      weight.multiply(hidden.before(t), side, bias != nullptr);
      parallel_for(q.batch, q.grain(), [&](int64_t begin, int64_t end) {
        for (int64_t b = begin; b < end; ++b) one(t, b);
      });
    }
  }
  void one(int64_t t, int64_t b) const {
    int64_t row = t * q.batch + b, at = b * q.units;
    Step<T> s{.n = q.units,
              .gates = gates + row * weight->cols,
              .side = side + b * weight->cols,
              .hidden = hidden.before(t) + at,
              .next_hidden = hidden.at(t) + at,
              .kept = kept + t * kept_size + b * Mode::kKept * q.units};
    if (Mode::kHasCell) {
      s.cell = cell.before(t) + at;
      s.next_cell = cell.at(t) + at;
    }
    Mode::forward(s);
  }
};

template <class Mode, class T>
void run_steps(Call& c) {
  Ref<Tensor> gates = argument<T>(c, 0), hidden = argument<T>(c, 1), cell = argument<T>(c, 2);
  Ref<Tensor> weight = argument<T>(c, 3), bias = argument<T>(c, 4);
  Sequence q(c.out(0));
  int64_t width = Mode::kGates * q.units, work = q.batch * width * q.units;
  // Without gradients every step takes the place of the one before, and stays in the cache.
  bool keep = c.flag(6);
  int64_t kept_size = Mode::kKept * q.state();
  Scratch<T> side(q.batch * width), kept(keep ? 0 : kept_size);
  gemm_prepare(dtype_of<T>, work);
  Unlocked unlocked(q.steps * work);
  StepWeight<T> by(q, transposed({weight->raw(), width, q.units, q.units, 1}));
  Forward<Mode, T> f{q,
                     gates->data<T>(),
                     data_or_null<T>(bias),
                     by,
                     {c.out(0).data<T>(), hidden->data<T>(), q.state()},
                     {c.out(keep ? 2 : 1).data<T>(), data_or_null<T>(cell), keep ? q.state() : 0},
                     keep ? c.out(3).data<T>() : kept.data(),
                     side.data(),
                     keep ? kept_size : 0};
  f.run();
  if (Mode::kHasCell && keep) std::copy_n(f.cell.at(q.steps - 1), q.state(), c.out(1).data<T>());
}

void forward_run(Call& c) {
  with_mode(c, c.text(5), [&]<class Mode>() {
    c.out(0).dtype == DType::F64 ? run_steps<Mode, double>(c) : run_steps<Mode, float>(c);
  });
}
RL_ISA_KERNEL("_rnn_steps", forward_infer, forward_run);

// ---- backwards
// _rnn_steps_backward(grad_output, grad_last_cell, output, cells, kept, hidden, cell, weight_t,
// mode)
// -> (grad_gates, grad_side, grad_hidden, grad_cell); grad_side only where it is not grad_gates
void backward_infer(Call& c) {
  Tensor &output = c.tensor(2), &hidden = c.tensor(5);
  with_mode(c, c.text(8), [&]<class Mode>() {
    int64_t gates[] = {output.size(0), output.size(1), Mode::kGates * output.size(2)}, none[] = {0};
    c.add_out(gates, output.dtype);
    c.add_out(Mode::kHasSide ? Sizes(gates, 3) : Sizes(none, 1), output.dtype);
    c.add_out(hidden.sizes(), output.dtype);
    c.add_out(Mode::kHasCell ? hidden.sizes() : Sizes(none, 1), output.dtype);
  });
}

template <class Mode, class T>
struct Backward {
  Sequence q;
  const T* grad_output;
  T* kept;
  const StepWeight<T>& weight;  // [gates, units]
  States<T> hidden, cell;
  T *grad_gates, *grad_side, *grad_hidden, *grad_cell;

  void run() const {
    for (int64_t t = q.steps - 1; t >= 0; --t) {
      parallel_for(q.batch, q.grain(), [&](int64_t begin, int64_t end) {
        for (int64_t b = begin; b < end; ++b) one(t, b);
      });
      weight.multiply(grad_side + t * q.batch * weight->rows, grad_hidden, true);
    }
  }
  void one(int64_t t, int64_t b) const {
    int64_t row = t * q.batch + b, at = b * q.units;
    T* by_hidden = grad_hidden + at;
    for (int64_t j = 0; grad_output && j < q.units; ++j)
      by_hidden[j] += grad_output[row * q.units + j];
    Step<T> s{.n = q.units,
              .hidden = hidden.before(t) + at,
              .next_hidden = hidden.at(t) + at,
              .kept = kept + row * Mode::kKept * q.units,
              .grad_hidden = by_hidden,
              .grad_gates = grad_gates + row * weight->rows,
              .grad_side = grad_side + row * weight->rows};
    if (Mode::kHasCell) {
      s.cell = cell.before(t) + at;
      s.next_cell = cell.at(t) + at;
      s.grad_cell = grad_cell + at;
    }
    Mode::backward(s);
  }
};

template <class T>
void start_from(T* to, const Ref<Tensor>& from, int64_t n) {
  from ? std::copy_n(from->data<T>(), n, to) : std::fill_n(to, n, T(0));
}

template <class Mode, class T>
void run_steps_backward(Call& c) {
  Ref<Tensor> grad_output = argument<T>(c, 0), grad_last_cell = argument<T>(c, 1);
  Ref<Tensor> output = argument<T>(c, 2), cells = argument<T>(c, 3), kept = argument<T>(c, 4);
  Ref<Tensor> hidden = argument<T>(c, 5), cell = argument<T>(c, 6);
  // Row by row, so that a product of a few rows reads it along its memory at every step.
  Ref<Tensor> weight_t = argument<T>(c, 7);
  Sequence q(*output);
  int64_t width = Mode::kGates * q.units, work = q.batch * width * q.units;
  T* gates = c.out(0).data<T>();
  gemm_prepare(dtype_of<T>, work);
  Unlocked unlocked(q.steps * work);
  StepWeight<T> by(q, transposed({weight_t->raw(), q.units, width, width, 1}));
  Backward<Mode, T> f{q,
                      data_or_null<T>(grad_output),
                      kept->data<T>(),
                      by,
                      {output->data<T>(), hidden->data<T>(), q.state()},
                      {cells->data<T>(), data_or_null<T>(cell), q.state()},
                      gates,
                      Mode::kHasSide ? c.out(1).data<T>() : gates,
                      c.out(2).data<T>(),
                      c.out(3).data<T>()};
  std::fill_n(f.grad_hidden, q.state(), T(0));
  if (Mode::kHasCell) start_from(f.grad_cell, grad_last_cell, q.state());
  f.run();
}

void backward_run(Call& c) {
  with_mode(c, c.text(8), [&]<class Mode>() {
    c.out(0).dtype == DType::F64 ? run_steps_backward<Mode, double>(c)
                                 : run_steps_backward<Mode, float>(c);
  });
}
RL_ISA_KERNEL("_rnn_steps_backward", backward_infer, backward_run);

}  // namespace
}  // namespace RL_ISA_NS
}  // namespace rl
