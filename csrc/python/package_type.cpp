// The class of those modules of the package that load their parts on first use. The interpreter
// remembers where a module has a name, but not if that has a __getattr__ for what it has not yet:
// there this class remembers.
#include <iterator>

#include "python/binding.h"

namespace rl::py {
namespace {

Py_ssize_t dict_offset_;

PyObject* names_of(PyObject* module) {  // borrowed
  return *reinterpret_cast<PyObject**>(reinterpret_cast<char*>(module) + dict_offset_);
}

// No two states of any dicts have the same number, up to Python 3.11; 0: nothing is remembered.
uint64_t state_of([[maybe_unused]] PyObject* dict) {
#if PY_VERSION_HEX < 0x030C0000
  return reinterpret_cast<PyDictObject*>(dict)->ma_version_tag;
#else
  return 0;
#endif
}

struct Found {
  uint64_t state;
  PyObject* name;   // owned, so that its address stands for it
  PyObject* value;  // borrowed: while the state is the same, the dict has it
};
Found found_[256];

// Such as __class__ and __dict__, of which no module has another, and what is not loaded yet.
[[gnu::noinline]] PyObject* other_attribute(PyObject* module, PyObject* name) {
  return PyErr_Occurred() ? nullptr : PyModule_Type.tp_getattro(module, name);
}

PyObject* attribute(PyObject* module, PyObject* name) {
  PyObject* names = names_of(module);
  uint64_t state = names ? state_of(names) : 0;
  Found& f = found_[(reinterpret_cast<uintptr_t>(name) / 16) % std::size(found_)];
  if (state && f.name == name && f.state == state) return Py_NewRef(f.value);
  PyObject* value = names ? PyDict_GetItemWithError(names, name) : nullptr;
  if (!value) return other_attribute(module, name);
  if (state && PyUnicode_CHECK_INTERNED(name)) {
    Py_XSETREF(f.name, Py_NewRef(name));
    f.state = state;
    f.value = value;
  }
  return Py_NewRef(value);
}

// By name, as packages that send functions to other processes reduce modules.
PyObject* reduce(PyObject* module, PyObject*) {
  return guarded([&] {
    Own importlib(checked(PyImport_ImportModule("importlib")));
    Own import(checked(PyObject_GetAttrString(importlib.get(), "import_module")));
    Own name(checked(PyModule_GetNameObject(module)));
    return checked(Py_BuildValue("O(O)", import.get(), name.get()));
  });
}

PyMethodDef methods[] = {
    {"__reduce__", reduce, METH_NOARGS, "What imports the module by its name."},
    {nullptr, nullptr, 0, nullptr}};

}  // namespace

void add_package_type(PyObject* module) {
  dict_offset_ = PyModule_Type.tp_dictoffset;
  PyType_Slot slots[] = {{Py_tp_base, &PyModule_Type},
                         {Py_tp_getattro, reinterpret_cast<void*>(attribute)},
                         {Py_tp_methods, methods},
                         {0, nullptr}};
  PyType_Spec spec{"rushlight.module", 0, 0, Py_TPFLAGS_DEFAULT, slots};
  Own type(checked(PyType_FromSpec(&spec)));
  checked(PyModule_AddObjectRef(module, "module", type.get()));
}

}  // namespace rl::py
