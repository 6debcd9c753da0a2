// What the normalisation kernels share: buffers in the compute dtype. Included by files that are
// compiled once per instruction-set level.
#pragma once
#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/float_dtype.h"
#include "kernels/run_sums.h"
#include "plan/copy.h"
#include "plan/isa.h"
#include "plan/parallel.h"

namespace rl {
namespace RL_ISA_NS {
namespace {

inline void check_norm_dtype(const Call& c, const Tensor& x) {
  RL_CHECK(is_floating(x.dtype), c.op, ": not implemented for ", x.dtype,
           "; convert the input to a floating dtype");
}

// `t` row-major in `dtype`; null stays null.
inline Ref<Tensor> in_dtype(const Tensor* t, DType dtype) {
  return t ? contiguous_as(*t, dtype) : nullptr;
}
template <class T>
const T* data_or_null(const Ref<Tensor>& t) {
  return t ? t->data<T>() : nullptr;
}

// An output's bytes in the compute dtype: the output itself, or a buffer that finish() copies.
struct Target {
  Tensor& out;
  Ref<Tensor> buffer;
  Target(Tensor& o, DType dtype) : out(o) {
    buffer = o.contiguous && o.dtype == dtype ? Ref<Tensor>::share(&o) : empty(o.sizes(), dtype);
  }
  template <class T>
  T* data() const {
    return buffer->data<T>();
  }
  void finish() {
    if (buffer.get() != &out) copy_into(out, *buffer);
  }
};

}  // namespace
}  // namespace RL_ISA_NS
}  // namespace rl
