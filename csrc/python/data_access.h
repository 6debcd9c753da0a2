// Data in and out of tensors, as the tensor type's slots and other binding files need it.
#pragma once
#include "python/binding.h"

namespace rl::py {

// from_data.cpp: tensors from Python values. `dtype` null: inferred as PyTorch does.
Ref<Tensor> from_data(PyObject* data, const DType* dtype, Device device);

Ref<Tensor> legacy_tensor(PyObject* args, PyObject* kwargs);  // Tensor(...), as in early PyTorch

// scalars.cpp: single values out of tensors
PyObject* tensor_item(Tensor& t);
PyObject* tensor_tolist(Tensor& t);
PyObject* tensor_float(Tensor& t);
PyObject* tensor_int(Tensor& t);
PyObject* tensor_index(Tensor& t);
PyObject* tensor_complex(Tensor& t);
int tensor_bool(Tensor& t);

// tensor_type.cpp: is_pinned(device=None) of tensors and storages
PyObject* is_pinned(PyObject* self, PyObject* const* args, Py_ssize_t n, PyObject* names);

// index.cpp
PyObject* tensor_getitem(PyObject* self, PyObject* index);
int tensor_setitem(PyObject* self, PyObject* index, PyObject* value);

// Methods that need no slot: item, tolist, numpy, __dlpack__, untyped_storage, set_ ...
extern PyMethodDef data_methods[], exchange_methods[], storage_methods[];
void add_tensor_methods(PyMethodDef* methods);            // puts them on the tensor type
const std::vector<PyMethodDef*>& tensor_method_tables();  // all of them

}  // namespace rl::py
