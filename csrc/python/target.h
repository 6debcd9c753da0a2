// The targets of in-place calls and of out=: the checks that are asked of them, and delivery.
#pragma once
#include "python/op.h"

namespace rl::py {

using Results = OutList<Ref<Tensor>>;

bool same_sizes(Sizes a, Sizes b);
void require_cast(const Op& op, DType from, DType to);
// Of out=, after require_cast: the result's dtype, where the op's rule wants that very one.
void require_exact(const Op& op, DType made, DType target);
void require_distinct(const Op& op, const Tensor& target);  // no memory location is written twice
// Neither the same elements nor none: an element would be read after it was written.
void require_apart(const Op& op, const Tensor& target, const Tensor& input);
// For ops that read an element after writing another: not even the same tensor will do.
void require_unshared(const Op& op, const Tensor& target, const Tensor& input);
void require_mask(const Op& op, const ArgSpec& arg, const Tensor& t);
void require_one_device(const Op& op, const Tensor& a, const Tensor& b);

// Checks types, gradients and memory of out=, before anything is computed. What takes dtype=
// and was not given one takes that of out=.
void prepare_out(const Op& op, Slots& slots, bool recording);
// Writes a computed result into the target of in-place or out= (data only).
void deliver(const Op& op, Tensor& target, const Tensor& value, Form form);
void deliver_all(const Op& op, PyObject* out, const Results& values);
void collect_tensors(PyObject* result, Results& outs);
PyObject* pack_results(const Op& op, Results& outs);  // a tensor, or the tuple that the op returns

}  // namespace rl::py
