// Calls that kernels compute, apart from recording: see op_compute.cpp.
#pragma once
#include "python/target.h"

namespace rl::py {

// `target`: of an in-place call or out=, else null.
Ref<Tensor> run_pointwise_op(const Op& op, const Slots& slots, Tensor* target);
// The same of converted arguments, none of which is a mask.
Ref<Tensor> run_pointwise_call(const Op& op, const Call& call);
void run_kernel(const Op& op, const Slots& slots, Results& outs, Tensor* self);
// Of converted arguments. `self` is the target of an in-place call, else null.
void run_call(const Op& op, Call& call, Results& outs, Tensor* self);
// For an op without a kernel: its body may be made of ops that serve 8-bit floats.
void require_no_float8(const Op& op, const Slots& slots);

}  // namespace rl::py
