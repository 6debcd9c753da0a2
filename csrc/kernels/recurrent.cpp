// Recurrent layers over a whole sequence, and their gradients: a step is one matrix product and one
// pass over the gates. `kept` holds what the gradient needs of each step: an LSTM's activations
// (input, forget, cell, output), a GRU's (reset, update, new, and the hidden part of new). Compiled
// once per instruction-set level. To add a kind of layer: a struct like `Lstm` and a line in
// `with_mode`; its definition is in nn/modules/_rnn_layers.py.
#include <algorithm>
#include <cstring>

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
// gradients by gates.
template <class T>
struct Step {
  int64_t n;
  const T *gates, *side;   // [kGates * n]
  const T *hidden, *cell;  // before the step
  T *next_hidden, *next_cell, *kept;
  T *grad_hidden, *grad_cell;  // by the states after the step, then by those before it
  T *grad_gates, *grad_side;   // by the input's and the hidden state's part of the gates
};

struct Lstm {
  static constexpr int kGates = 4, kKept = 4;
  static constexpr bool kHasCell = true, kHasSide = false;
  template <class T>
  static void forward(const Step<T>& s) {
    int64_t n = s.n;
    T *i = s.kept, *f = i + n, *g = f + n, *o = g + n;
#pragma GCC ivdep
    for (int64_t j = 0; j < 4 * n; ++j) s.kept[j] = s.gates[j] + s.side[j];
#pragma GCC ivdep
    for (int64_t j = 0; j < n; ++j) {
      i[j] = math::sigmoid(i[j]);
      f[j] = math::sigmoid(f[j]);
      g[j] = math::tanh(g[j]);
      o[j] = math::sigmoid(o[j]);
      s.next_cell[j] = f[j] * s.cell[j] + i[j] * g[j];
      s.next_hidden[j] = o[j] * math::tanh(s.next_cell[j]);
    }
  }
  template <class T>
  static void backward(const Step<T>& s) {
    int64_t n = s.n;
    const T *i = s.kept, *f = i + n, *g = f + n, *o = g + n;
    T* to = s.grad_gates;
#pragma GCC ivdep
    for (int64_t j = 0; j < n; ++j) {
      T t = math::tanh(s.next_cell[j]), by_hidden = s.grad_hidden[j];
      T by_cell = s.grad_cell[j] + by_hidden * o[j] * (1 - t * t);
      to[j] = by_cell * g[j] * (i[j] * (1 - i[j]));
      to[n + j] = by_cell * s.cell[j] * (f[j] * (1 - f[j]));
      to[2 * n + j] = by_cell * i[j] * (1 - g[j] * g[j]);
      to[3 * n + j] = by_hidden * t * (o[j] * (1 - o[j]));
      s.grad_cell[j] = by_cell * f[j];
      s.grad_hidden[j] = 0;
    }
  }
};

struct Gru {
  static constexpr int kGates = 3, kKept = 4;
  static constexpr bool kHasCell = false, kHasSide = true;
  template <class T>
  static void forward(const Step<T>& s) {
    int64_t n = s.n;
    T *reset = s.kept, *update = reset + n, *fresh = update + n, *part = fresh + n;
#pragma GCC ivdep
    for (int64_t j = 0; j < n; ++j) {
      reset[j] = math::sigmoid(s.gates[j] + s.side[j]);
      update[j] = math::sigmoid(s.gates[n + j] + s.side[n + j]);
      part[j] = s.side[2 * n + j];
      fresh[j] = math::tanh(s.gates[2 * n + j] + reset[j] * part[j]);
      s.next_hidden[j] = fresh[j] + update[j] * (s.hidden[j] - fresh[j]);
    }
  }
  template <class T>
  static void backward(const Step<T>& s) {
    int64_t n = s.n;
    const T *reset = s.kept, *update = reset + n, *fresh = update + n, *part = fresh + n;
    T *to = s.grad_gates, *side = s.grad_side;
#pragma GCC ivdep
    for (int64_t j = 0; j < n; ++j) {
      T g = s.grad_hidden[j], r = reset[j], z = update[j];
      T by_fresh = g * (1 - z) * (1 - fresh[j] * fresh[j]);
      side[j] = to[j] = by_fresh * part[j] * (r * (1 - r));
      side[n + j] = to[n + j] = g * (s.hidden[j] - fresh[j]) * (z * (1 - z));
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
  static void forward(const Step<T>& s) {
#pragma GCC ivdep
    for (int64_t j = 0; j < s.n; ++j) s.next_hidden[j] = Activation::value(s.gates[j] + s.side[j]);
  }
  template <class T>
  static void backward(const Step<T>& s) {
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
    return 1 - y * y;
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

template <class T>
constexpr DType dtype_for = std::is_same_v<T, double> ? DType::F64 : DType::F32;

// Sizes of a layer: steps, sequences, hidden units.
struct Sequence {
  int64_t steps, batch, units;
  explicit Sequence(const Tensor& output)
      : steps(output.size(0)), batch(output.size(1)), units(output.size(2)) {}
  int64_t state() const { return batch * units; }
  int64_t grain() const { return std::max<int64_t>(1, 2048 / std::max<int64_t>(1, units)); }
};

// ---- forwards
// _rnn_steps(gates, hidden, cell, weight, bias, mode) -> (output, last_cell, cells, kept)
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
    c.add_out(output, gates.dtype);
    c.add_out(Mode::kHasCell ? Sizes(output + 1, 2) : Sizes(none, 1), gates.dtype);
    c.add_out(Mode::kHasCell ? Sizes(output, 3) : Sizes(none, 1), gates.dtype);
    c.add_out(kept, gates.dtype);
  });
}

template <class Mode, class T>
void run_steps(Call& c) {
  auto in = [&](int i) -> Ref<Tensor> {
    return c.has(i) ? contiguous_as(c.tensor(i), dtype_for<T>) : nullptr;
  };
  Ref<Tensor> gates = in(0), hidden = in(1), cell = in(2), weight = in(3), bias = in(4);
  Sequence q(c.out(0));
  int64_t width = Mode::kGates * q.units;
  T *output = c.out(0).data<T>(), *cells = c.out(2).data<T>(), *kept = c.out(3).data<T>();
  Scratch<T> side(q.batch * width);
  Matrix by = transposed({weight->raw(), width, q.units, q.units, 1});
  gemm_prepare(dtype_for<T>, q.batch * width * q.units);
  Unlocked unlocked(q.steps * q.batch * width * q.units);
  for (int64_t t = 0; t < q.steps; ++t) {
    const T* before = t ? output + (t - 1) * q.state() : hidden->data<T>();
    const T* cell_before = !Mode::kHasCell ? nullptr
                           : t             ? cells + (t - 1) * q.state()
                                           : cell->data<T>();
    for (int64_t b = 0; bias && b < q.batch; ++b)
      std::copy_n(bias->data<T>(), width, side.data() + b * width);
    gemm(dtype_for<T>, {before, q.batch, q.units, q.units, 1}, by, side.data(), width, bool(bias));
    parallel_for(q.batch, q.grain(), [&](int64_t begin, int64_t end) {
      for (int64_t b = begin; b < end; ++b) {
        int64_t row = t * q.batch + b, at = b * q.units;
        Step<T> s{.n = q.units,
                  .gates = gates->data<T>() + row * width,
                  .side = side.data() + b * width,
                  .hidden = before + at,
                  .cell = Mode::kHasCell ? cell_before + at : nullptr,
                  .next_hidden = output + row * q.units,
                  .next_cell = Mode::kHasCell ? cells + row * q.units : nullptr,
                  .kept = kept + row * Mode::kKept * q.units};
        Mode::forward(s);
      }
    });
  }
  if (Mode::kHasCell) std::copy_n(cells + (q.steps - 1) * q.state(), q.state(), c.out(1).data<T>());
}

void forward_run(Call& c) {
  with_mode(c, c.text(5), [&]<class Mode>() {
    c.out(0).dtype == DType::F64 ? run_steps<Mode, double>(c) : run_steps<Mode, float>(c);
  });
}
RL_ISA_KERNEL("_rnn_steps", forward_infer, forward_run);

// ---- backwards
// _rnn_steps_backward(grad_output, grad_last_cell, output, cells, kept, hidden, cell, weight^T,
// mode)
//   -> (grad_gates, grad_side, grad_hidden, grad_cell); grad_side only where it is not grad_gates
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

template <class T>
void start_from(T* to, const Ref<Tensor>& from, int64_t n) {
  from ? std::copy_n(from->data<T>(), n, to) : std::fill_n(to, n, T(0));
}

template <class Mode, class T>
void run_steps_backward(Call& c) {
  auto in = [&](int i) -> Ref<Tensor> {
    return c.has(i) ? contiguous_as(c.tensor(i), dtype_for<T>) : nullptr;
  };
  Ref<Tensor> grad_output = in(0), grad_last_cell = in(1), output = in(2), cells = in(3);
  Ref<Tensor> kept = in(4), hidden = in(5), cell = in(6);
  Sequence q(*output);
  int64_t width = Mode::kGates * q.units;
  // Row by row, so that a product of a few rows reads it along its memory at every step.
  Ref<Tensor> weight = in(7);
  T *gates = c.out(0).data<T>(), *grad_hidden = c.out(2).data<T>();
  T* side = Mode::kHasSide ? c.out(1).data<T>() : gates;
  T* grad_cell = Mode::kHasCell ? c.out(3).data<T>() : nullptr;
  std::fill_n(grad_hidden, q.state(), T(0));
  if (Mode::kHasCell) start_from(grad_cell, grad_last_cell, q.state());
  Matrix by = transposed({weight->raw(), q.units, width, width, 1});
  gemm_prepare(dtype_for<T>, q.batch * width * q.units);
  Unlocked unlocked(q.steps * q.batch * width * q.units);
  for (int64_t t = q.steps - 1; t >= 0; --t) {
    const T* before = t ? output->data<T>() + (t - 1) * q.state() : hidden->data<T>();
    parallel_for(q.batch, q.grain(), [&](int64_t begin, int64_t end) {
      for (int64_t b = begin; b < end; ++b) {
        int64_t row = t * q.batch + b, at = b * q.units;
        T* by_hidden = grad_hidden + at;
        if (grad_output)
          for (int64_t j = 0; j < q.units; ++j)
            by_hidden[j] += grad_output->data<T>()[row * q.units + j];
        Step<T> s{.n = q.units,
                  .hidden = before + at,
                  .next_hidden = output->data<T>() + row * q.units,
                  .kept = kept->data<T>() + row * Mode::kKept * q.units,
                  .grad_hidden = by_hidden,
                  .grad_gates = gates + row * width,
                  .grad_side = side + row * width};
        if (Mode::kHasCell) {
          s.cell = t ? cells->data<T>() + (row - q.batch) * q.units : cell->data<T>() + at;
          s.next_cell = cells->data<T>() + row * q.units;
          s.grad_cell = grad_cell + at;
        }
        Mode::backward(s);
      }
    });
    gemm(dtype_for<T>, {side + t * q.batch * width, q.batch, width, width, 1}, by, grad_hidden,
         q.units, true);
  }
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
