// What an op on the order of lines reads and writes: its input and its values, or both as narrower
// integers. Compiled once per level.
#pragma once
#include <algorithm>

#include "kernels/lines.h"

namespace rl {
namespace RL_ISA_NS {
namespace {

// False if not all of n elements are the same as int32.
inline bool narrow_all(const int64_t* x, int64_t n, int32_t* to) {
  constexpr int64_t kPiece = 1024;
  for (int64_t begin = 0; begin < n; begin += kPiece) {
    const int64_t end = std::min(n, begin + kPiece);
    int64_t lost = 0;
    for (int64_t i = begin; i < end; ++i) {
      to[i] = static_cast<int32_t>(x[i]);
      lost |= x[i] ^ to[i];
    }
    if (lost) return false;
  }
  return true;
}

struct OrderOperands {
  const char* op;
  int dim;
  Ref<Tensor> x, values;  // row-major
  Tensor& indices;
  Lines lines() const { return lines_of(*x, dim); }
};

// Short lines of int64 that fit int32 are read as such: a key and a position then share a word.
inline OrderOperands order_operands(Call& c, int dim) {
  constexpr int64_t kFewest = 128, kLine = 1024;
  Ref<Tensor> x = contiguous(c.tensor(0));
  const bool may_narrow = x->dtype == DType::I64 && x->numel >= kFewest;
  if (may_narrow && lines_of(*x, dim).size <= kLine) {
    Ref<Tensor> narrow = empty(x->sizes(), DType::I32);
    Ref<Tensor> values = empty(c.out(0).sizes(), DType::I32);
    if (narrow_all(x->data<int64_t>(), x->numel, narrow->data<int32_t>()))
      return {c.op, dim, std::move(narrow), std::move(values), c.out(1)};
  }
  return {c.op, dim, std::move(x), Ref<Tensor>::share(&c.out(0)), c.out(1)};
}

// run(operands), if there is a result to write.
template <class F>
void with_order_operands(Call& c, int dim, const F& run) {
  if (c.out(0).numel == 0) return;
  const OrderOperands o = order_operands(c, dim);
  run(o);
  if (o.values.get() != &c.out(0)) copy_into(c.out(0), *o.values);
}

}  // namespace
}  // namespace RL_ISA_NS
}  // namespace rl
