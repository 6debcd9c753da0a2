// Functions of the native module on bytes: what `save` and `load` do to whole files.
#pragma once
#include "python/binding.h"

namespace rl::py {

PyObject* py_crc32(PyObject*, PyObject* args);   // (data, checksum of what was before=0) -> int
PyObject* py_copied(PyObject*, PyObject* args);  // (to, from), of one length -> checksum of them
PyObject* py_room(PyObject*, PyObject* size);    // bytes to be written over, in huge pages

}  // namespace rl::py
