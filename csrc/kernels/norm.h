// What the normalisation kernels share: exact sums of short runs, and buffers in the compute
// dtype. Included by files that are compiled once per instruction-set level.
#pragma once
#include <algorithm>
#include <cmath>
#include <vector>

#include "plan/copy.h"
#include "plan/isa.h"
#include "plan/parallel.h"

namespace rl {
namespace RL_ISA_NS {
namespace {

// sum f(i): float lanes over short runs, the runs added in double.
template <class T, class F>
double exact_sum(int64_t n, F f) {
  constexpr int64_t kLanes = 16, kRun = 1024;
  double total = 0;
  for (int64_t start = 0; start < n; start += kRun) {
    int64_t end = std::min(n, start + kRun), i = start;
    T lanes[kLanes] = {}, tail = 0;
    for (; i + kLanes <= end; i += kLanes)
      for (int64_t j = 0; j < kLanes; ++j) lanes[j] += f(i + j);
    for (; i < end; ++i) tail += f(i);
    for (int64_t w = kLanes / 2; w; w /= 2)
      for (int64_t j = 0; j < w; ++j) lanes[j] += lanes[j + w];
    total += static_cast<double>(lanes[0] + tail);
  }
  return total;
}

inline DType norm_dtype(DType d) { return d == DType::F64 ? DType::F64 : DType::F32; }
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
