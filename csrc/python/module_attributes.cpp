// Attributes of nn.Module: its parameters, submodules and buffers are in tables of their own, which
// Python would ask only after a failed search has raised AttributeError. Here nothing is raised.
// Setting them, where all that is to do is to put the value where it belongs. And its calls, which
// go to `forward` without a frame of their own.
#include <algorithm>

#include "python/binding.h"

namespace rl::py {
namespace {

PyObject *tables_[3], *getattr_, *getattribute_, *call_, *forward_, *hooked_, *call_with_hooks_;
PyObject *own_getattr_, *own_call_;  // Module's
PyObject *setattr_, *class_, *register_parameter_, *passing_;

// What quick_module was told of Module, its functions and the tables of hooks of all modules.
struct ModuleParts {
  PyTypeObject *module, *parameter;
  PyObject *setattr, *register_parameter, *on_parameter, *on_module;
} own_;

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

// ---- setting

enum Table { kParameters, kModules, kBuffers, kNone };

// The tables of a module; false where they are not dictionaries that nobody else looks after.
bool find_tables(PyObject* attributes, PyObject* (&tables)[3]) {
  for (int i = 0; i < 3; ++i) {
    tables[i] = PyDict_GetItemWithError(attributes, tables_[i]);
    if (!tables[i] || !PyDict_CheckExact(tables[i])) return false;
  }
  return true;
}

bool has(PyObject* dict, PyObject* name) {
  return PyDict_GET_SIZE(dict) && PyDict_GetItemWithError(dict, name);
}

// A name that register_parameter takes without a look for what else could answer to it.
bool is_free_name(PyTypeObject* type, PyObject* name) {
  const Py_ssize_t size = PyUnicode_GET_LENGTH(name);
  return size && PyUnicode_READ_CHAR(name, 0) != '_' &&
         PyUnicode_FindChar(name, '.', 0, size, 1) == -1 && !found_in_class(type, name) &&
         found_in_class(type, getattr_) == own_getattr_;
}

bool registers_plainly(PyTypeObject* type, PyObject* parameter) {
  return !as_tensor(parameter)->grad_fn && !as_tensor(parameter)->view &&
         !PyDict_GET_SIZE(own_.on_parameter) &&
         found_in_class(type, register_parameter_) == own_.register_parameter;
}

// The table that the value of this name belongs into; kNone for the instance's own attributes; -1
// where more is to do than that.
int place_of(PyObject* self, PyObject* attributes, PyObject* name, PyObject* value) {
  PyObject* tables[3];
  if (!PyUnicode_CheckExact(name) || !find_tables(attributes, tables)) return -1;
  const bool known[] = {has(tables[0], name), has(tables[1], name), has(tables[2], name)};
  PyTypeObject *type = Py_TYPE(self), *kind = Py_TYPE(value);
  if (kind == TensorType && !as_tensor(value)->dict)  // so it is not marked as anything
    return known[kParameters] || known[kModules] || known[kBuffers] ? -1 : kNone;
  if (is_tensor(value)) {
    if (kind != own_.parameter || known[kModules] || known[kBuffers]) return -1;
    if (has(attributes, name) || !registers_plainly(type, value)) return -1;
    if (!known[kParameters] && !is_free_name(type, name)) return -1;
    PyObject* passing = PyDict_GetItemWithError(attributes, passing_);
    return passing && PyAnySet_Check(passing) && !PySet_GET_SIZE(passing) ? kParameters : -1;
  }
  if (PyType_IsSubtype(kind, own_.module)) {
    if (known[kParameters] || known[kBuffers] || has(attributes, name)) return -1;
    return PyDict_GET_SIZE(own_.on_module) ? -1 : kModules;
  }
  // An object that only calls itself a tensor or a module says so by its class.
  if (known[kParameters] || known[kModules] || known[kBuffers]) return -1;
  return found_in_class(kind, class_) == found_in_class(&PyBaseObject_Type, class_) ? kNone : -1;
}

// Module.__setattr__: what is plain is done here, and the rest by the method that Python wrote. Not
// a slot: object.__setattr__ would refuse instances of a class that has one of its own.
PyObject* module_setattr(PyObject* self, PyObject* const* args, Py_ssize_t n) {
  PyObject** attributes = n == 2 ? _PyObject_GetDictPtr(self) : nullptr;
  const int place = attributes && *attributes ? place_of(self, *attributes, args[0], args[1]) : -1;
  if (PyErr_Occurred()) return nullptr;
  if (place < 0) {
    Own all(PyTuple_New(n + 1));
    if (!all) return nullptr;
    PyTuple_SET_ITEM(all.get(), 0, Py_NewRef(self));
    for (Py_ssize_t i = 0; i < n; ++i) PyTuple_SET_ITEM(all.get(), i + 1, Py_NewRef(args[i]));
    return PyObject_Call(own_.setattr, all.get(), nullptr);
  }
  PyObject* table = place == kNone ? nullptr : PyDict_GetItemWithError(*attributes, tables_[place]);
  if (table ? PyDict_SetItem(table, args[0], args[1])
            : PyObject_GenericSetAttr(self, args[0], args[1]))
    return nullptr;
  Py_RETURN_NONE;
}
PyMethodDef setattr_method = {
    "__setattr__", reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(module_setattr)),
    METH_FASTCALL,
    "__setattr__($self, name, value, /)\n--\n\nSets an attribute; "
    "parameters, submodules and buffers join their tables."};

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

// quick_module(class): attributes of its instances are found, and calls of them made, as
// above, unless the class has its own way. The slots follow later changes of the class, as slots
// do.
PyObject* quick_module(PyObject*, PyObject* type) {
  auto* t = reinterpret_cast<PyTypeObject*>(type);
  auto is_plain = [t](PyObject* name, PyObject* own) { return found_in_class(t, name) == own; };
  if (!is_plain(getattribute_, found_in_class(&PyBaseObject_Type, getattribute_))) Py_RETURN_NONE;
  if (is_plain(getattr_, own_getattr_)) t->tp_getattro = module_getattr;
  if (is_plain(call_, own_call_)) t->tp_call = module_call;
  Py_RETURN_NONE;
}

// describe_module(Module, Parameter, hooks at the registration of parameters, and of modules): the
// class's __setattr__ becomes the one above.
PyObject* describe_module(PyObject*, PyObject* args) {
  PyObject *module, *parameter, *on_parameter, *on_module;
  if (!PyArg_ParseTuple(args, "O!O!O!O!", &PyType_Type, &module, &PyType_Type, &parameter,
                        &PyDict_Type, &on_parameter, &PyDict_Type, &on_module))
    return nullptr;
  for (PyObject* kept : {module, parameter, on_parameter, on_module}) Py_INCREF(kept);
  auto* type = reinterpret_cast<PyTypeObject*>(module);
  auto own = [type](PyObject* name) { return Py_XNewRef(found_in_class(type, name)); };
  own_ = {type,          reinterpret_cast<PyTypeObject*>(parameter),
          own(setattr_), own(register_parameter_),
          on_parameter,  on_module};
  own_getattr_ = own(getattr_), own_call_ = own(call_);
  Own quick(PyDescr_NewMethod(type, &setattr_method));
  if (!quick || PyObject_SetAttr(module, setattr_, quick.get()) < 0) return nullptr;
  Py_RETURN_NONE;
}

PyMethodDef functions[] = {{"quick_module", quick_module, METH_O, nullptr},
                           {"describe_module", describe_module, METH_VARARGS, nullptr},
                           {nullptr, nullptr, 0, nullptr}};

}  // namespace

void add_module_attributes(PyObject* module) {
  const char* names[] = {"_parameters", "_modules", "_buffers"};
  for (int i = 0; i < 3; ++i) tables_[i] = checked(PyUnicode_InternFromString(names[i]));
  setattr_ = checked(PyUnicode_InternFromString("__setattr__"));
  class_ = checked(PyUnicode_InternFromString("__class__"));
  register_parameter_ = checked(PyUnicode_InternFromString("register_parameter"));
  passing_ = checked(PyUnicode_InternFromString("_non_persistent_buffers_set"));
  call_ = checked(PyUnicode_InternFromString("__call__"));
  forward_ = checked(PyUnicode_InternFromString("forward"));
  hooked_ = checked(PyUnicode_InternFromString("_hooked"));
  call_with_hooks_ = checked(PyUnicode_InternFromString("_call_with_hooks"));
  getattr_ = checked(PyUnicode_InternFromString("__getattr__"));
  getattribute_ = checked(PyUnicode_InternFromString("__getattribute__"));
  checked(PyModule_AddFunctions(module, functions));
}

}  // namespace rl::py
