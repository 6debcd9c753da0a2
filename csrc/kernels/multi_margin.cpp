// The hinge loss of every row of a matrix for one class (multi_margin_loss without weights):
// mean over the other classes i of max(0, margin - x[t] + x[i])^p, p = 1 or 2; and its gradient.
// The same for several classes, which end at the first -1 (multilabel_margin_loss): p and margin
// are 1, and the sum is over pairs of a label and a class that is none.
#include <vector>

#include "kernels/nll.h"
#include "plan/isa.h"
#include "plan/parallel.h"

namespace rl {
namespace RL_ISA_NS {
namespace {

template <class T>
struct Hinges {
  int64_t classes;
  const T* x;
  const int64_t* target;
  bool squared;
  T margin;

  // How far class i of the row is above what costs nothing; the target's own is 0. NaN stays.
  T excess(const T* row, T base, int64_t t, int64_t i) const {
    const T z = base + row[i];
    return i == t || z < T(0) ? T(0) : z;
  }
  // Lanes have sums of their own, in an order that does not depend on the level.
  T loss(int64_t r) const {
    constexpr int64_t kSums = 16;
    const T* row = x + r * classes;
    const int64_t t = target[r], whole = classes / kSums * kSums;
    const T base = margin - row[t];
    T sums[kSums] = {}, sum = 0;
    auto term = [&](int64_t i) {
      const T z = excess(row, base, t, i);
      return squared ? z * z : z;
    };
    for (int64_t i = 0; i < whole; i += kSums)
      for (int64_t j = 0; j < kSums; ++j) sums[j] += term(i + j);
    for (int64_t i = whole; i < classes; ++i) sums[i - whole] += term(i);
    for (int64_t j = 0; j < kSums; ++j) sum += sums[j];
    return sum / static_cast<T>(classes);
  }
  void slope(int64_t r, T by, T* to) const {
    const T* row = x + r * classes;
    const int64_t t = target[r];
    const T base = margin - row[t], scale = by / static_cast<T>(classes);
    for (int64_t i = 0; i < classes; ++i) {
      const T z = base + row[i], slope = squared ? (z + z) * scale : scale;
      to[i] = i != t && z > T(0) ? slope : T(0);
    }
    T sum = 0;
    for (int64_t i = 0; i < classes; ++i) sum += to[i];
    to[t] = -sum;
  }
};

// (input, target, p, margin) from argument `at` on. f(hinges) where all targets are classes.
template <class T, class F>
void with_hinges(Call& c, int at, F f) {
  Ref<Tensor> x = contiguous_as(c.tensor(at), dtype_of<T>), t = indices(c, c.tensor(at + 1));
  walk(*x, *t, std::numeric_limits<int64_t>::min()).each("multi_margin_loss", [](auto...) {});
  f(Hinges<T>{x->size(1), x->data<T>(), t->data<int64_t>(), c.integer(at + 2) == 2,
              static_cast<T>(c.number(at + 3))});
}
int64_t row_grain(int64_t classes) { return std::max<int64_t>(1, 16384 / classes); }

void forward_infer(Call& c) { c.add_out(c.tensor(1).sizes(), c.tensor(0).dtype); }
template <class T>
void forward(Call& c) {
  T* out = c.out(0).data<T>();
  const int64_t rows = c.tensor(0).size(0);
  with_hinges<T>(c, 0, [=](Hinges<T> h) {
    Unlocked unlocked(rows * h.classes);
    parallel_for(rows, row_grain(h.classes), [=](int64_t begin, int64_t end) {
      for (int64_t r = begin; r < end; ++r) out[r] = h.loss(r);
    });
  });
}
void forward_run(Call& c) {
  c.tensor(0).dtype == DType::F64 ? forward<double>(c) : forward<float>(c);
}

void backward_infer(Call& c) { c.add_out(c.tensor(1).sizes(), c.tensor(1).dtype); }
template <class T>
void backward(Call& c) {
  Ref<Tensor> given = contiguous_as(c.tensor(0), dtype_of<T>);
  const T* g = given->data<T>();
  T* out = c.out(0).data<T>();
  const int64_t rows = c.tensor(1).size(0);
  with_hinges<T>(c, 1, [=](Hinges<T> h) {
    Unlocked unlocked(rows * h.classes);
    parallel_for(rows, row_grain(h.classes), [=](int64_t begin, int64_t end) {
      for (int64_t r = begin; r < end; ++r) h.slope(r, g[r], out + r * h.classes);
    });
  });
}
void backward_run(Call& c) {
  c.tensor(1).dtype == DType::F64 ? backward<double>(c) : backward<float>(c);
}

// One row and its labels; `other` is 1 for classes that are none, else 0.
template <class T>
struct LabelRow {
  int64_t classes;
  const T* x;
  const int64_t* labels;
  std::vector<int8_t> other;

  int64_t count = 0;
  void move_to(int64_t r, const T* all_x, const int64_t* all_labels) {
    x = all_x + r * classes;
    labels = all_labels + r * classes;
    std::ranges::fill(other, int8_t{1});
    for (count = 0; count < classes && labels[count] >= 0; ++count)
      other[static_cast<size_t>(labels[count])] = 0;
  }
  T excess(T base, int64_t i) const {
    const T z = base + x[i];
    return (z > T(0)) & (other[static_cast<size_t>(i)] != 0) ? z : T(0);
  }
  T loss() const {
    constexpr int64_t kSums = 16;
    const int64_t whole = classes / kSums * kSums;
    T sums[kSums] = {}, sum = 0;
    for (int64_t j = 0; j < count; ++j) {
      const T base = T(1) - x[labels[j]];
      for (int64_t i = 0; i < whole; i += kSums)
        for (int64_t k = 0; k < kSums; ++k) sums[k] += excess(base, i + k);
      for (int64_t i = whole; i < classes; ++i) sums[i - whole] += excess(base, i);
    }
    for (int64_t k = 0; k < kSums; ++k) sum += sums[k];
    return sum / static_cast<T>(classes);
  }
  void slope(T by, T* to) const {
    std::fill_n(to, classes, T(0));
    by /= static_cast<T>(classes);
    for (int64_t j = 0; j < count; ++j) {
      const T base = T(1) - x[labels[j]];
      T above = 0;
      for (int64_t i = 0; i < classes; ++i) {
        const T counts = excess(base, i) > T(0) ? T(1) : T(0);
        above += counts;
        to[i] += counts * by;
      }
      to[labels[j]] -= above * by;
    }
  }
};

// f(row number, row) for all rows of (input, target) from argument `at` on.
template <class T, class F>
void each_label_row(Call& c, int at, F f) {
  Ref<Tensor> x = contiguous_as(c.tensor(at), dtype_of<T>), t = indices(c, c.tensor(at + 1));
  const int64_t rows = x->size(0), classes = x->size(1);
  const T* values = x->data<T>();
  const int64_t* labels = t->data<int64_t>();
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t j = 0; j < classes && labels[r * classes + j] >= 0; ++j)
      RL_CHECK(labels[r * classes + j] < classes, "multilabel_margin_loss: target ",
               labels[r * classes + j], " is out of bounds for ", classes, " classes");
  Unlocked unlocked(x->numel * 8);
  parallel_for(rows, row_grain(classes * 4), [=](int64_t begin, int64_t end) {
    LabelRow<T> row{classes, values, labels, std::vector<int8_t>(static_cast<size_t>(classes))};
    for (int64_t r = begin; r < end; ++r) {
      row.move_to(r, values, labels);
      f(r, row);
    }
  });
}
void label_forward_infer(Call& c) {
  const Tensor& x = c.tensor(0);
  RL_CHECK(x.ndim == 2 && x.size(1) > 0 && std::ranges::equal(x.sizes(), c.tensor(1).sizes()), c.op,
           ": expected a matrix and labels of its sizes");
  c.add_out(x.sizes().first(1), x.dtype);
}
void label_forward_run(Call& c) {
  auto run = [&]<class T>(T* out) {
    each_label_row<T>(c, 0, [=](int64_t r, const LabelRow<T>& row) { out[r] = row.loss(); });
  };
  c.out(0).dtype == DType::F64 ? run(c.out(0).data<double>()) : run(c.out(0).data<float>());
}
void label_backward_infer(Call& c) { c.add_out(c.tensor(1).sizes(), c.tensor(1).dtype); }
void label_backward_run(Call& c) {
  auto run = [&]<class T>(T* out) {
    Ref<Tensor> given = contiguous_as(c.tensor(0), dtype_of<T>);
    const T* g = given->data<T>();
    each_label_row<T>(
        c, 1, [=](int64_t r, const LabelRow<T>& row) { row.slope(g[r], out + r * row.classes); });
  };
  c.out(0).dtype == DType::F64 ? run(c.out(0).data<double>()) : run(c.out(0).data<float>());
}

RL_ISA_KERNEL("_multilabel_margin", label_forward_infer, label_forward_run);
RL_ISA_KERNEL("_multilabel_margin_backward", label_backward_infer, label_backward_run);
RL_ISA_KERNEL("_multi_margin", forward_infer, forward_run);
RL_ISA_KERNEL("_multi_margin_backward", backward_infer, backward_run);

}  // namespace
}  // namespace RL_ISA_NS
}  // namespace rl
