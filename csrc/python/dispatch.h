// Calls that a class or a mode with a __torch_dispatch__ computes in the kernel's place, below
// autograd: the results are recorded as a kernel's are. The policy, who is asked and what PyTorch
// calls the op, is rushlight/_dispatch.py.
#pragma once
#include "python/interpose.h"
#include "python/op.h"
#include "python/state.h"
#include "python/target.h"

namespace rl::py {

uint8_t dispatch_mark(PyTypeObject* type);  // kDispatch if its class has a __torch_dispatch__

// Is anybody asked about a call with these marks? kDispatch is of an argument's class.
inline bool dispatch_active(const Slots& slots) {
  const ThreadState& s = thread_state();
  if (s.dispatch_off) return false;
  return (slots.interposed & kDispatch) || (s.dispatch_modes && PyList_GET_SIZE(s.dispatch_modes));
}
bool dispatch_active(PyObject* const* args, Py_ssize_t n);

// What is made of the op before it is computed: its parts, recorded each, where PyTorch has no such
// op; NotImplemented: goes on.
PyObject* dispatch_whole(const Op& op, const Slots& slots, Form form);
// The same in the kernel's place: always a result.
PyObject* dispatch_kernel(const Op& op, const Slots& slots, Form form);
// The results as those of a kernel: what is an argument itself gets a place of its own in the
// graph, if there is one.
void collect_dispatched(const Op& op, const Slots& slots, Form form, bool recording,
                        PyObject* result, Results& outs);
// The same values outside the graph: of a class with a __torch_dispatch__ what its detach() gives.
Ref<Tensor> detached_alias(Tensor& t);
// A method that is no op, as detach() and item(); NotImplemented if PyTorch has no op for it.
PyObject* dispatch_member(const char* name, PyObject* const* args, Py_ssize_t n, PyObject* kwnames);

// What the default of either protocol calls, given (function, types, args=(), kwargs=None).
PyObject* call_of_protocol(PyObject* given);

// A tensor that was made of Python's numbers, as dispatch modes let it be.
PyObject* dispatch_fresh(Ref<Tensor> made);

}  // namespace rl::py
