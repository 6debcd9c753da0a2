// Storages as Python objects, as the binding files that take or return them need it.
#pragma once
#include "python/binding.h"

namespace rl::py {

extern PyTypeObject* StorageType;  // UntypedStorage
inline bool is_storage(PyObject* o) { return PyObject_TypeCheck(o, StorageType); }

struct StorageObject {
  PyObject_HEAD Storage* storage;
  PyObject *dict, *weak_refs;
  int views;  // buffers that are lent
  bool kept;  // the storage counts the object, not the other way round: see storage_type.cpp
};
inline Storage& storage_of(PyObject* o) { return *reinterpret_cast<StorageObject*>(o)->storage; }

// tensor_storage.cpp: the untyped storage that a storage of either kind is; null for other objects.
// RuntimeError for a typed one of another dtype.
Own untyped_of(PyObject* o, const char* op, DType wanted);

PyObject* get_data(PyObject* self, void*);  // tensor_storage.cpp: Tensor.data
int set_data(PyObject* self, PyObject* v, void*);

PyObject* wrap_storage(Storage* s);  // its object; takes over the caller's count

}  // namespace rl::py
