// Wrappers: tensors of the kinds that function transforms (vmap, jvp) make, one number a level, the
// inner above the outer. Autograd treats a wrapper as any tensor; only where a kernel would run is
// the transform asked. The policy is rushlight/func/levels.py.
#pragma once
#include "core/tensor.h"
#include "python/op.h"

namespace rl::py {

constexpr uint8_t kFirstLevel = 128;
inline uint8_t level_of(const Tensor& t) { return t.kind >= kFirstLevel ? t.kind : 0; }
uint8_t innermost_level(PyObject* o);  // among a tensor, or nested tuples and lists of them
// What transforms answer for a function by its name, not for what it computes: NotImplemented for
// most. Null where the policy has to be asked. See `member` in rushlight/func/levels.py.
PyObject* ask_members(PyObject* function, PyObject* const* args, Py_ssize_t n, PyObject* kwnames);

// What `invoke` does for a call with a wrapper, except for compositions.
PyObject* invoke_level(Op& op, Slots& slots, Form form);
// The values of a tensor that is about to change, with the place in the graph that it has.
Own copied(PyObject* tensor);
// Null unless the op draws random numbers and a transform of this thread decides how.
PyObject* drawn_by_level(Op& op, Slots& slots, Form form);

}  // namespace rl::py
