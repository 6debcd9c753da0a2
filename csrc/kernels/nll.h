// Class indices as targets: their walk, checks and weights, for the losses that pick one class.
#pragma once
#include "kernels/float_dtype.h"
#include "plan/call.h"
#include "plan/copy.h"

namespace rl {
namespace {

enum Reduction : int64_t { kNone, kMean, kSum };

struct Nll {
  int64_t n, classes, inner, ignore;
  const int64_t* target;

  // f(element number, offset of the picked class, class) over the targets that count.
  template <class F>
  void each(const char* op, F&& f) const {
    for (int64_t i = 0; i < n * inner; ++i) {
      int64_t t = target[i];
      if (t == ignore) continue;
      if (t < 0 || t >= classes)
        fail(ErrorKind::Index, op, ": Target ", t, " is out of bounds for ", classes, " classes");
      f(i, (i / inner * classes + t) * inner + i % inner, t);
    }
  }
};

// The function that people call, for messages.
inline std::string_view named(const Call& c) {
  return std::string_view(c.op) == "nll" ? "nll_loss" : c.op;
}

inline Ref<Tensor> indices(const Call& c, const Tensor& t) {
  RL_CHECK(t.dtype == DType::I64 || t.dtype == DType::U8, named(c),
           ": expected targets of dtype int64 ", "or uint8, got ", t.dtype);
  return contiguous_as(t, DType::I64);
}
inline Nll walk(const Tensor& x, const Tensor& target, int64_t ignore) {
  return {x.size(0), x.size(1), x.ndim > 2 ? x.size(2) : 1, ignore, target.data<int64_t>()};
}
inline Ref<Tensor> weights(const Call& c, const Tensor* w, const Tensor& x, DType dtype) {
  if (!w) return nullptr;
  RL_CHECK(w->ndim == 1 && w->size(0) == x.size(1), named(c),
           ": weight tensor should be defined either ", "for all ", x.size(1),
           " classes or no classes but got weight tensor of shape: ", w->sizes());
  RL_CHECK(w->dtype == x.dtype, named(c), ": expected weight of dtype ", x.dtype, ", got ",
           w->dtype);
  return contiguous_as(*w, dtype);
}

}  // namespace
}  // namespace rl
