// The native module: threads, memory and random state, and the assembly of everything else.
#include "core/allocator.h"
#include "core/generator.h"
#include "plan/determinism.h"
#include "plan/isa.h"
#include "plan/parallel.h"
#include "plan/pointwise.h"
#include "python/binding.h"

namespace rl::py {
namespace {

PyObject* get_threads(PyObject*, PyObject*) { return PyLong_FromLong(num_threads()); }
PyObject* set_threads(PyObject*, PyObject* n) {
  return guarded([&]() -> PyObject* {
    int64_t count = to_index(n, "set_num_threads", "nthreads");
    if (count < 1) fail("set_num_threads expects a positive integer, got ", count);
    set_num_threads(static_cast<int>(count));
    Py_RETURN_NONE;
  });
}
PyObject* get_default(PyObject*, PyObject*) { return Py_NewRef(dtype_object(default_dtype())); }
PyObject* set_default(PyObject*, PyObject* d) {
  return guarded([&]() -> PyObject* {
    DType v = as_dtype(d);
    if (!is_floating(v))
      fail(ErrorKind::Type, "only floating-point types are supported as the default type, got ", v);
    set_default_dtype(v);
    Py_RETURN_NONE;
  });
}
PyObject* stats(PyObject*, PyObject*) {
  MemoryStats s = memory_stats();
  return Py_BuildValue("{s:L,s:L,s:L,s:L,s:L}", "allocated", s.allocated, "peak_allocated",
                       s.peak_allocated, "cached", s.cached, "allocations", s.allocations,
                       "system_allocations", s.system_allocations);
}
PyObject* py_empty_cache(PyObject*, PyObject*) {
  empty_cache();
  Py_RETURN_NONE;
}
PyObject* reset_peak(PyObject*, PyObject*) {
  reset_peak_memory();
  Py_RETURN_NONE;
}
PyObject* fail_after(PyObject*, PyObject* n) {
  return guarded([&]() -> PyObject* {
    fail_allocation_after(to_index(n, "_fail_allocation_after", "n"));
    Py_RETURN_NONE;
  });
}
PyObject* set_fill_unwritten(PyObject*, PyObject* on) {
  fill_unwritten_memory = on == Py_True;
  Py_RETURN_NONE;
}
PyObject* isa(PyObject*, PyObject*) { return PyLong_FromLong(machine_isa()); }
PyObject* promote_pair(PyObject*, PyObject* args) {
  return guarded([&]() -> PyObject* {
    PyObject *a, *b;
    if (!PyArg_ParseTuple(args, "OO", &a, &b)) throw PythonError{};
    return Py_NewRef(dtype_object(promote(as_dtype(a), as_dtype(b))));
  });
}
PyObject* result_type_of(PyObject*, PyObject* args) {
  return guarded([&]() -> PyObject* {
    PyObject* given[2];
    if (!PyArg_ParseTuple(args, "OO:result_type", &given[0], &given[1])) throw PythonError{};
    PointwiseInput inputs[2];
    for (int i = 0; i < 2; ++i)
      if (is_tensor(given[i]))
        inputs[i].tensor = as_tensor(given[i]);
      else
        inputs[i].number = to_scalar(given[i], "result_type", i ? "tensor2" : "tensor1");
    return Py_NewRef(dtype_object(result_type(inputs)));
  });
}
PyObject* py_can_cast(PyObject*, PyObject* args) {
  return guarded([&]() -> PyObject* {
    PyObject *a, *b;
    if (!PyArg_ParseTuple(args, "OO", &a, &b)) throw PythonError{};
    return PyBool_FromLong(can_cast(as_dtype(a), as_dtype(b)));
  });
}

PyMethodDef functions[] = {{"get_num_threads", get_threads, METH_NOARGS, nullptr},
                           {"set_num_threads", set_threads, METH_O, nullptr},
                           {"get_default_dtype", get_default, METH_NOARGS, nullptr},
                           {"set_default_dtype", set_default, METH_O, nullptr},
                           {"memory_stats", stats, METH_NOARGS, nullptr},
                           {"empty_cache", py_empty_cache, METH_NOARGS, nullptr},
                           {"reset_peak_memory", reset_peak, METH_NOARGS, nullptr},
                           {"_fail_allocation_after", fail_after, METH_O, nullptr},
                           {"_set_fill_unwritten_memory", set_fill_unwritten, METH_O, nullptr},
                           {"promote_types", promote_pair, METH_VARARGS, nullptr},
                           {"result_type", result_type_of, METH_VARARGS, nullptr},
                           {"can_cast", py_can_cast, METH_VARARGS, nullptr},
                           {"isa_level", isa, METH_NOARGS, nullptr},
                           {nullptr, nullptr, 0, nullptr}};

PyModuleDef definition = {PyModuleDef_HEAD_INIT,
                          "rushlight._native",
                          "The native core of rushlight.",
                          -1,
                          functions,
                          nullptr,
                          nullptr,
                          nullptr,
                          nullptr};

}  // namespace

}  // namespace rl::py

PyMODINIT_FUNC PyInit__native() {
  using namespace rl::py;
  return guarded([]() -> PyObject* {
    Own m(checked(PyModule_Create(&definition)));
    add_types(m.get());
    add_levels(m.get());
    add_interposition(m.get());
    add_tensor(m.get());
    add_autograd(m.get());
    add_ops(m.get());
    add_creation(m.get());
    add_indexing(m.get());
    add_exchange(m.get());
    add_storage(m.get());
    add_random(m.get());
    add_module_attributes(m.get());
    return m.give();
  });
}
