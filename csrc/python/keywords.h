// Arguments of the few native functions that are not ops (tensor(), from_numpy(), ...).
// Ops have their own parser, driven by their schemas.
#pragma once
#include <initializer_list>
#include <string>
#include <vector>

#include "python/binding.h"

namespace rl::py {

inline bool is_true(PyObject* o) {
  int truth = PyObject_IsTrue(o);
  checked(truth);
  return truth != 0;
}

// A METH_FASTCALL | METH_KEYWORDS function as method tables want it.
using FastFunction = PyObject* (*)(PyObject*, PyObject* const*, Py_ssize_t, PyObject*);
inline PyCFunction fast(FastFunction f) {
  return reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(f));
}

class Keywords {
 public:
  Keywords(const char* function, int positional, std::initializer_list<const char*> names)
      : function_(function), positional_(positional) {
    for (const char* n : names) names_.push_back(PyUnicode_InternFromString(n));
  }
  // Fills out[i] (borrowed) with the i-th argument; the first `required` must be there.
  void read(PyObject* const* args, Py_ssize_t n, PyObject* kwnames, PyObject** out,
            int required) const {
    if (n > positional_)
      fail(ErrorKind::Type, function_, "() takes at most ", positional_,
           " positional arguments, got ", n);
    for (Py_ssize_t i = 0; i < n; ++i) out[i] = args[i];
    for (Py_ssize_t k = 0; kwnames && k < PyTuple_GET_SIZE(kwnames); ++k)
      place(PyTuple_GET_ITEM(kwnames, k), args[n + k], out);
    for (int i = 0; i < required; ++i)
      if (!out[i])
        fail(ErrorKind::Type, function_, "() missing required argument '",
             PyUnicode_AsUTF8(names_[i]), "'");
  }

 private:
  void place(PyObject* name, PyObject* value, PyObject** out) const {
    for (size_t i = 0; i < names_.size(); ++i) {
      if (names_[i] != name && PyUnicode_Compare(names_[i], name) != 0) continue;
      if (out[i])
        fail(ErrorKind::Type, function_, "() got multiple values for argument '",
             PyUnicode_AsUTF8(name), "'");
      out[i] = value;
      return;
    }
    fail(ErrorKind::Type, function_, "() got an unexpected keyword argument '",
         PyUnicode_AsUTF8(name), "'");
  }
  const char* function_;
  int positional_;
  std::vector<PyObject*> names_;
};

}  // namespace rl::py
