// Functions of the native module on bytes: what `save` and `load` do to whole files.
#pragma once
#include "python/binding.h"

namespace rl::py {

PyObject* py_crc32(PyObject*, PyObject* args);      // (data, checksum of what was before=0) -> int
PyObject* py_joined(PyObject*, PyObject* buffers);  // a sequence of buffers -> bytes, in huge pages

}  // namespace rl::py
