// The state dicts of modules whose state is their tables and nothing else, as that of most is: here
// one walk reads or writes all of it. What is amiss, and modules with a way of their own, are left
// to rushlight/nn/modules/_state.py, which also has the words for it.
#include <algorithm>
#include <vector>

#include "python/binding.h"
#include "python/state.h"

namespace rl::py {
namespace {

PyObject* interned(const char* name) { return checked(PyUnicode_InternFromString(name)); }

struct Names {
  PyObject* parameters = interned("_parameters");
  PyObject* buffers = interned("_buffers");
  PyObject* passing = interned("_non_persistent_buffers_set");
  PyObject* modules = interned("_modules");
  PyObject* version = interned("_version");
  PyObject* metadata = interned("_metadata");
  PyObject* state_dict = interned("state_dict");
  PyObject* detach = interned("detach");
  PyObject* copy = interned("copy_");
  PyObject* dot = interned(".");
  PyObject* child_arguments = checked(Py_BuildValue("(sss)", "destination", "prefix", "keep_vars"));
};
const Names& names() {
  static const Names* all = new Names;
  return *all;
}

// What `watch_state` was told: the class whose methods make a state plain, the names that take part
// in it, of methods and of what an instance may have, and nn.Parameter.
PyObject *methods_, *of_class_, *of_instance_, *parameter_;

PyObject* entry(PyObject* dict, PyObject* key) {  // borrowed, or null
  PyObject* found = PyDict_GetItemWithError(dict, key);
  if (!found && PyErr_Occurred()) throw PythonError{};
  return found;
}

// The tables of a module that is plain, borrowed.
struct Tables {
  PyObject *parameters, *buffers, *passing, *modules;
};

bool same_members(PyObject* a, PyObject* b, PyObject* names) {
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(names); ++i) {
    PyObject* name = PyTuple_GET_ITEM(names, i);
    if (_PyType_Lookup(reinterpret_cast<PyTypeObject*>(a), name) !=
        _PyType_Lookup(reinterpret_cast<PyTypeObject*>(b), name))
      return false;
  }
  return true;
}

bool is_watched(PyObject* attributes) {
  PyObject *key, *value;
  for (Py_ssize_t at = 0; PyDict_Next(attributes, &at, &key, &value);) {
    int found = PySet_Contains(of_instance_, key);
    checked(found);
    if (found) return true;
  }
  return false;
}

bool find_tables(PyObject* module, Tables& t) {
  PyObject** attributes = _PyObject_GetDictPtr(module);
  if (!attributes || !*attributes || is_watched(*attributes)) return false;
  if (!same_members(reinterpret_cast<PyObject*>(Py_TYPE(module)), methods_, of_class_))
    return false;
  const Names& n = names();
  t = {entry(*attributes, n.parameters), entry(*attributes, n.buffers),
       entry(*attributes, n.passing), entry(*attributes, n.modules)};
  for (PyObject* table : {t.parameters, t.buffers, t.modules})
    if (!table || !PyDict_CheckExact(table)) return false;
  return t.passing && PyAnySet_Check(t.passing);
}

// Modules may hold themselves, which is an error as it is in Python, not the end of the stack.
struct Depth {
  Depth() {
    if (Py_EnterRecursiveCall(" in the state of a module")) throw PythonError{};
  }
  ~Depth() { Py_LeaveRecursiveCall(); }
  Depth(const Depth&) = delete;
};

// f(name, value) for what is not None, as long as it returns true. It may run any code.
template <class F>
bool each(PyObject* table, F&& f) {
  Own held = Own::share(table);
  PyObject *key, *value;
  const Py_ssize_t size = PyDict_GET_SIZE(table);
  for (Py_ssize_t at = 0; PyDict_Next(table, &at, &key, &value);) {
    if (value == Py_None) continue;
    Own name = Own::share(key), item = Own::share(value);
    if (!f(key, value)) return false;
    if (PyDict_GET_SIZE(table) != size) {
      PyErr_SetString(PyExc_RuntimeError, "dictionary changed size during iteration");
      throw PythonError{};
    }
  }
  return true;
}

template <class F>
bool each_persistent(const Tables& t, F&& f) {
  if (!each(t.parameters, f)) return false;
  if (!PyDict_GET_SIZE(t.buffers)) return true;
  Own passing = Own::share(t.passing);
  return each(t.buffers, [&](PyObject* name, PyObject* value) {
    int passes = PySet_Contains(passing.get(), name);
    checked(passes);
    return passes || f(name, value);
  });
}

Own joined(PyObject* prefix, PyObject* name) {
  return Own(checked(PyUnicode_Concat(prefix, name)));
}
Own below(PyObject* prefix, PyObject* name) {
  if (!PyUnicode_Check(name)) return Own(checked(PyUnicode_FromFormat("%U%S.", prefix, name)));
  return joined(joined(prefix, name).get(), names().dot);
}

// ---- saving
struct Saving {
  PyObject *destination, *metadata, *keep_vars;  // metadata may be null
  bool detached;

  void note_version(PyObject* module, PyObject* prefix) const {
    if (!metadata) return;
    Own version(checked(PyObject_GetAttr(module, names().version)));
    Own local(checked(Py_BuildValue("{sO}", "version", version.get())));
    const Py_ssize_t size = std::max<Py_ssize_t>(0, PyUnicode_GET_LENGTH(prefix) - 1);
    Own key(checked(PyUnicode_Substring(prefix, 0, size)));
    checked(PyObject_SetItem(metadata, key.get(), local.get()));
  }
  void walk(PyObject* module, const Tables& t, PyObject* prefix) const {
    Depth one_more;
    Own children = Own::share(t.modules);
    note_version(module, prefix);
    each_persistent(t, [&](PyObject* name, PyObject* tensor) {
      Own key = joined(prefix, name);
      Own value = detached ? Own(checked(PyObject_CallMethodNoArgs(tensor, names().detach)))
                           : Own::share(tensor);
      checked(PyObject_SetItem(destination, key.get(), value.get()));
      return true;
    });
    each(children.get(), [&](PyObject* name, PyObject* child) {
      save_child(child, below(prefix, name).get());
      return true;
    });
  }
  void save_child(PyObject* child, PyObject* prefix) const {
    Tables t;
    if (find_tables(child, t)) return walk(child, t, prefix);
    PyObject* args[] = {child, destination, prefix, keep_vars};
    Own(checked(PyObject_VectorcallMethod(names().state_dict, args, 1, names().child_arguments)));
  }
};

// save_plain(module, destination, prefix, keep_vars): is the module plain? Then all is saved.
PyObject* save_plain(PyObject*, PyObject* args) {
  return guarded([&]() -> PyObject* {
    PyObject *module, *destination, *prefix, *keep_vars;
    if (!PyArg_ParseTuple(args, "OOOO", &module, &destination, &prefix, &keep_vars))
      throw PythonError{};
    Tables t;
    if (!PyUnicode_Check(prefix) || !find_tables(module, t)) Py_RETURN_FALSE;
    Own metadata(PyObject_GetAttr(destination, names().metadata));  // plain dicts have none
    if (!metadata && !PyErr_ExceptionMatches(PyExc_AttributeError)) throw PythonError{};
    PyErr_Clear();
    int kept = PyObject_IsTrue(keep_vars);
    checked(kept);
    Saving{destination, metadata.get(), keep_vars, !kept}.walk(module, t, prefix);
    Py_RETURN_TRUE;
  });
}

// ---- loading
using Pairs = std::vector<std::pair<Own, Own>>;

bool is_dense(PyObject* o) {
  return Py_TYPE(o) == TensorType || Py_TYPE(o) == reinterpret_cast<PyTypeObject*>(parameter_);
}

bool fit(PyObject* own, PyObject* given) {
  if (!is_dense(own) || !is_dense(given)) return false;
  const Tensor &a = *as_tensor(own), &b = *as_tensor(given);
  return a.dtype == b.dtype && !a.is_meta() && !b.is_meta() && !a.kind && !b.kind &&
         std::ranges::equal(a.sizes(), b.sizes());
}

bool all_fit(PyObject* module, PyObject* state, PyObject* prefix, Pairs& pairs) {
  Depth one_more;
  Tables t;
  if (!find_tables(module, t)) return false;
  Own children = Own::share(t.modules);
  bool fits = each_persistent(t, [&](PyObject* name, PyObject* own) {
    PyObject* given = entry(state, joined(prefix, name).get());
    if (!given || !fit(own, given)) return false;
    pairs.emplace_back(Own::share(own), Own::share(given));
    return true;
  });
  return fits && each(children.get(), [&](PyObject* name, PyObject* child) {
           return all_fit(child, state, below(prefix, name).get(), pairs);
         });
}

// load_fitting(module, state_dict): copies a dictionary that fits plain modules in every name,
// shape and dtype, as most do. Returns whether it did.
PyObject* load_fitting(PyObject*, PyObject* args) {
  return guarded([&]() -> PyObject* {
    PyObject *module, *state;
    if (!PyArg_ParseTuple(args, "OO", &module, &state)) throw PythonError{};
    if (!PyDict_CheckExact(state) && Py_TYPE(state) != &PyODict_Type) Py_RETURN_FALSE;
    Pairs pairs;
    Own root(checked(PyUnicode_FromString("")));
    if (!all_fit(module, state, root.get(), pairs) ||
        static_cast<Py_ssize_t>(pairs.size()) != PyDict_GET_SIZE(state))
      Py_RETURN_FALSE;
    GradMode off(false);
    for (auto& [own, given] : pairs) {
      PyObject* both[] = {own.get(), given.get()};
      Own(checked(PyObject_VectorcallMethod(names().copy, both, 2, nullptr)));
    }
    Py_RETURN_TRUE;
  });
}

// watch_state(StateMethods, names of its methods, names of an instance, Parameter)
PyObject* watch_state(PyObject*, PyObject* args) {
  if (!PyArg_ParseTuple(args, "O!O!O!O!", &PyType_Type, &methods_, &PyTuple_Type, &of_class_,
                        &PyFrozenSet_Type, &of_instance_, &PyType_Type, &parameter_))
    return nullptr;
  for (PyObject* kept : {methods_, of_class_, of_instance_, parameter_}) Py_INCREF(kept);
  Py_RETURN_NONE;
}

// same_members(A, B, names): have two classes the same under each name, or both nothing?
PyObject* have_same_members(PyObject*, PyObject* args) {
  PyObject *a, *b, *names;
  if (!PyArg_ParseTuple(args, "O!O!O!", &PyType_Type, &a, &PyType_Type, &b, &PyTuple_Type, &names))
    return nullptr;
  return PyBool_FromLong(same_members(a, b, names));
}

PyMethodDef functions[] = {{"same_members", have_same_members, METH_VARARGS, nullptr},
                           {"watch_state", watch_state, METH_VARARGS, nullptr},
                           {"save_plain", save_plain, METH_VARARGS, nullptr},
                           {"load_fitting", load_fitting, METH_VARARGS, nullptr},
                           {nullptr, nullptr, 0, nullptr}};

}  // namespace

void add_module_state(PyObject* module) { checked(PyModule_AddFunctions(module, functions)); }

}  // namespace rl::py
