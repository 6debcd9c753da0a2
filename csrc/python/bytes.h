// Functions of the native module on bytes: what `save` and `load` do to whole files.
#pragma once
#include "python/binding.h"

namespace rl::py {

PyObject* py_crc32(PyObject*, PyObject* args);   // (data, checksum of what was before=0) -> int
PyObject* py_copied(PyObject*, PyObject* args);  // (to, from), of one length -> checksum of them
PyObject* py_room(PyObject*, PyObject* size);    // bytes to be written over, in huge pages
// (pickle, at, stack, memo, mark) -> (at, needed): runs instructions up to one that is not done
// here (needed = 0), or that so many bytes are needed for.
PyObject* py_pickle_steps(PyObject*, PyObject* args);

}  // namespace rl::py
