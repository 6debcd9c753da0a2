// What the two files of the tensor type share.
#pragma once
#include "python/binding.h"

namespace rl::py {

extern PyMethodDef tensor_methods[];  // tensor_attributes.cpp
extern PyGetSetDef tensor_getset[];
PyObject* get_layout(PyObject* self, void* strided);      // its closure is set with the type
PyObject* make_subclass(PyObject* none, PyObject* args);  // tensor_type.cpp

}  // namespace rl::py
