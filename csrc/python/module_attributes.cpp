// Attributes of nn.Module: its parameters, submodules and buffers are in tables of their own, which
// Python would ask only after a failed search has raised AttributeError. Here nothing is raised.
// And its calls, which go to `forward` without a frame of their own.
#include <algorithm>

#include "python/binding.h"

namespace rl::py {
namespace {

PyObject *tables_[3], *getattr_, *getattribute_, *call_, *forward_, *hooked_, *call_with_hooks_;
PyObject* own_getattr_;  // Module.__getattr__

PyObject* found_in_class(PyTypeObject* type, PyObject* name) {  // borrowed
  return _PyType_Lookup(type, name);
}

// As object.__getattribute__, but null without an error where there is no such attribute.
PyObject* plain_attribute(PyObject* self, PyObject* name) {
#if PY_VERSION_HEX < 0x030d0000
  return _PyObject_GenericGetAttrWithDict(self, name, nullptr, 1);
#else
  PyObject* found = PyObject_GenericGetAttr(self, name);
  if (!found && PyErr_ExceptionMatches(PyExc_AttributeError)) PyErr_Clear();
  return found;
#endif
}

PyObject* registered(PyObject* self, PyObject* name) {  // borrowed
  PyObject** attributes = _PyObject_GetDictPtr(self);
  if (!attributes || !*attributes) return nullptr;
  for (PyObject* kind : tables_) {
    PyObject* table = PyDict_GetItemWithError(*attributes, kind);
    PyObject* found = table && PyDict_Check(table) ? PyDict_GetItemWithError(table, name) : nullptr;
    if (found || PyErr_Occurred()) return found;
  }
  return nullptr;
}

PyObject* module_getattr(PyObject* self, PyObject* name) {
  PyObject* found = plain_attribute(self, name);
  if (found || PyErr_Occurred()) return found;
  found = registered(self, name);
  if (found || PyErr_Occurred()) return Py_XNewRef(found);
  PyObject* otherwise = found_in_class(Py_TYPE(self), getattr_);  // hook tables, and the error
  if (otherwise == own_getattr_ && PyUnicode_GET_LENGTH(name) &&
      PyUnicode_READ_CHAR(name, 0) != '_')
    return PyErr_Format(PyExc_AttributeError, "'%s' object has no attribute '%U'",
                        Py_TYPE(self)->tp_name, name);
  return PyObject_CallFunctionObjArgs(otherwise, self, name, nullptr);
}

// What an instance's own dictionary or else its class has; borrowed.
PyObject* plain_value(PyObject* self, PyObject* name) {
  PyObject** attributes = _PyObject_GetDictPtr(self);
  PyObject* own = attributes && *attributes ? PyDict_GetItemWithError(*attributes, name) : nullptr;
  return own || PyErr_Occurred() ? own : found_in_class(Py_TYPE(self), name);
}

// The same as Module.__call__.
PyObject* module_call(PyObject* self, PyObject* args, PyObject* kwargs) {
  PyObject* hooked = plain_value(self, hooked_);
  if (!hooked) return PyErr_Occurred() ? nullptr : PyObject_GetAttr(self, hooked_);
  int asks = PyObject_IsTrue(hooked);
  if (asks < 0) return nullptr;
  if (asks) {
    Own none(kwargs ? nullptr : PyDict_New());
    return PyObject_CallMethodObjArgs(self, call_with_hooks_, args, kwargs ? kwargs : none.get(),
                                      nullptr);
  }
  PyObject* forward = plain_value(self, forward_);
  if (PyErr_Occurred()) return nullptr;
  constexpr Py_ssize_t kFew = 8;
  Py_ssize_t n = PyTuple_GET_SIZE(args);
  if (forward && PyFunction_Check(forward) && n < kFew &&
      forward == found_in_class(Py_TYPE(self), forward_)) {
    PyObject* all[kFew] = {self};
    std::copy_n(PySequence_Fast_ITEMS(args), n, all + 1);
    Own held = Own::share(forward);
    return PyObject_VectorcallDict(forward, all, static_cast<size_t>(n) + 1, kwargs);
  }
  Own bound(PyObject_GetAttr(self, forward_));
  return bound ? PyObject_Call(bound.get(), args, kwargs) : nullptr;
}

// quick_module(class, Module.__getattr__, Module.__call__): attributes of its instances are found,
// and calls of them made, as above, unless the class has its own way. The slots follow later
// changes of the class, as slots do.
PyObject* quick_module(PyObject*, PyObject* args) {
  PyObject *type, *getattr, *call;
  if (!PyArg_ParseTuple(args, "O!O!O!", &PyType_Type, &type, &PyFunction_Type, &getattr,
                        &PyFunction_Type, &call))
    return nullptr;
  own_getattr_ = getattr;
  auto* t = reinterpret_cast<PyTypeObject*>(type);
  PyObject* plain = found_in_class(&PyBaseObject_Type, getattribute_);
  if (found_in_class(t, getattribute_) != plain) Py_RETURN_NONE;
  if (found_in_class(t, getattr_) == getattr) t->tp_getattro = module_getattr;
  if (found_in_class(t, call_) == call) t->tp_call = module_call;
  Py_RETURN_NONE;
}

PyMethodDef functions[] = {{"quick_module", quick_module, METH_VARARGS, nullptr},
                           {nullptr, nullptr, 0, nullptr}};

}  // namespace

void add_module_attributes(PyObject* module) {
  const char* names[] = {"_parameters", "_modules", "_buffers"};
  for (int i = 0; i < 3; ++i) tables_[i] = checked(PyUnicode_InternFromString(names[i]));
  call_ = checked(PyUnicode_InternFromString("__call__"));
  forward_ = checked(PyUnicode_InternFromString("forward"));
  hooked_ = checked(PyUnicode_InternFromString("_hooked"));
  call_with_hooks_ = checked(PyUnicode_InternFromString("_call_with_hooks"));
  getattr_ = checked(PyUnicode_InternFromString("__getattr__"));
  getattribute_ = checked(PyUnicode_InternFromString("__getattribute__"));
  checked(PyModule_AddFunctions(module, functions));
}

}  // namespace rl::py
