// Sharing memory with other libraries: what exchange.cpp and dlpack.cpp need of each other.
#pragma once
#include "python/data_access.h"

namespace rl::py {

Ref<Tensor> from_dlpack(PyObject* producer, PyObject* copy);  // producer may be a capsule
extern PyMethodDef dlpack_functions[];

}  // namespace rl::py
