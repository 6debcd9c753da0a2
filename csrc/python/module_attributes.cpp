// Attributes of nn.Module: its parameters, submodules and buffers are in tables of their own, which
// Python would ask only after a failed search has raised AttributeError. Here nothing is raised.
#include "python/binding.h"

namespace rl::py {
namespace {

PyObject *tables_[3], *getattr_, *getattribute_;

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
  return PyObject_CallFunctionObjArgs(otherwise, self, name, nullptr);
}

// quick_attributes(class, Module.__getattr__): finds attributes of its instances as above, unless
// it has its own way. The slot follows later changes of the class, as slots do.
PyObject* quick_attributes(PyObject*, PyObject* args) {
  PyObject *type, *method;
  if (!PyArg_ParseTuple(args, "O!O!", &PyType_Type, &type, &PyFunction_Type, &method))
    return nullptr;
  auto* t = reinterpret_cast<PyTypeObject*>(type);
  PyObject* plain = found_in_class(&PyBaseObject_Type, getattribute_);
  if (found_in_class(t, getattr_) == method && found_in_class(t, getattribute_) == plain)
    t->tp_getattro = module_getattr;
  Py_RETURN_NONE;
}

PyMethodDef functions[] = {{"quick_attributes", quick_attributes, METH_VARARGS, nullptr},
                           {nullptr, nullptr, 0, nullptr}};

}  // namespace

void add_module_attributes(PyObject* module) {
  const char* names[] = {"_parameters", "_modules", "_buffers"};
  for (int i = 0; i < 3; ++i) tables_[i] = checked(PyUnicode_InternFromString(names[i]));
  getattr_ = checked(PyUnicode_InternFromString("__getattr__"));
  getattribute_ = checked(PyUnicode_InternFromString("__getattribute__"));
  checked(PyModule_AddFunctions(module, functions));
}

}  // namespace rl::py
