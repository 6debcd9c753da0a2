// What optimizers ask about all their parameters at once, before a native step takes them: in
// Python these questions would cost more than the step. The steps are in kernels/optimize.cpp.
#include "python/binding.h"
#include "python/interpose.h"

namespace rl::py {
namespace {

// In rows, of a dtype that steps know, and nothing that could ask for a way of its own.
bool is_plain(const Tensor& t, DType dtype) {
  return t.dtype == dtype && t.contiguous && t.device == Device::Cpu && !t.kind && !t.interposed;
}

bool is_plain_pair(PyObject* p, PyTypeObject* parameter) {
  if (Py_TYPE(p) != TensorType && Py_TYPE(p) != parameter) return false;
  const Tensor &t = *as_tensor(p), *g = t.grad;
  bool known = t.dtype == DType::F32 || t.dtype == DType::F64;
  return known && Py_TYPE(object(g)) == TensorType && is_plain(t, t.dtype) && is_plain(*g, t.dtype);
}

// plain_gradients(parameters, Parameter) -> (plain ones, their gradients, the other ones), without
// those that have no gradient.
PyObject* plain_gradients(PyObject*, PyObject* args) {
  return guarded([&]() -> PyObject* {
    PyObject *all, *parameter;
    if (!PyArg_ParseTuple(args, "O!O!", &PyList_Type, &all, &PyType_Type, &parameter))
      throw PythonError{};
    Own params(checked(PyList_New(0))), grads(checked(PyList_New(0))), rest(checked(PyList_New(0)));
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(all); ++i) {
      PyObject* p = PyList_GET_ITEM(all, i);
      if (!is_tensor(p) || !as_tensor(p)->grad) continue;
      bool plain = !interposers_ && is_plain_pair(p, reinterpret_cast<PyTypeObject*>(parameter));
      checked(PyList_Append(plain ? params.get() : rest.get(), p));
      if (plain) checked(PyList_Append(grads.get(), object(as_tensor(p)->grad)));
    }
    return PyTuple_Pack(3, params.get(), grads.get(), rest.get());
  });
}

// plain_states(parameters, states): is each state None, or a dict of tensors that are plain and of
// its parameter's dtype, or counters?
PyObject* plain_states(PyObject*, PyObject* args) {
  return guarded([&]() -> PyObject* {
    PyObject *params, *states;
    if (!PyArg_ParseTuple(args, "O!O!", &PyList_Type, &params, &PyList_Type, &states))
      throw PythonError{};
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(states); ++i) {
      PyObject *state = PyList_GET_ITEM(states, i), *key, *value;
      if (state == Py_None) continue;
      if (!PyDict_Check(state) || !PyDict_GET_SIZE(state)) Py_RETURN_FALSE;
      DType dtype = as_tensor(PyList_GET_ITEM(params, i))->dtype;
      for (Py_ssize_t k = 0; PyDict_Next(state, &k, &key, &value);) {
        if (Py_TYPE(value) != TensorType) Py_RETURN_FALSE;
        const Tensor& t = *as_tensor(value);
        if (!is_plain(t, t.ndim ? dtype : t.dtype)) Py_RETURN_FALSE;
      }
    }
    Py_RETURN_TRUE;
  });
}

PyMethodDef functions[] = {{"plain_gradients", plain_gradients, METH_VARARGS, nullptr},
                           {"plain_states", plain_states, METH_VARARGS, nullptr},
                           {nullptr, nullptr, 0, nullptr}};

}  // namespace

void add_parameters(PyObject* module) { checked(PyModule_AddFunctions(module, functions)); }

}  // namespace rl::py
