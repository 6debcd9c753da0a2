// The native module: threads, memory and random state, and the assembly of everything else.
#include "core/allocator.h"
#include "core/generator.h"
#include "plan/determinism.h"
#include "plan/float_mode.h"
#include "plan/isa.h"
#include "plan/parallel.h"
#include "plan/pointwise.h"
#include "python/binding.h"
#include "python/bytes.h"
#include "python/docs.h"
#include "python/keywords.h"

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
    if (!is_floating(v) || is_float8(v))
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
PyObject* set_undefined_answers(PyObject*, PyObject* level) {
  return guarded([&]() -> PyObject* {
    undefined_answers =
        static_cast<Undefined>(to_index(level, "_set_undefined_answers", "level") % 3);
    Py_RETURN_NONE;
  });
}
PyObject* py_alert_undefined(PyObject*, PyObject* op) {
  return guarded([&]() -> PyObject* {
    const char* name = PyUnicode_AsUTF8(op);
    if (!name) throw PythonError{};
    alert_undefined(name);
    Py_RETURN_NONE;
  });
}
PyObject* isa(PyObject*, PyObject*) { return PyLong_FromLong(machine_isa()); }
PyObject* promote_pair(PyObject*, PyObject* const* args, Py_ssize_t n, PyObject* names) {
  return guarded([&] {
    static const Keywords keys("promote_types", 2, {"type1", "type2"});
    PyObject* a[2] = {};
    keys.read(args, n, names, a, 2);
    return Py_NewRef(dtype_object(promote(as_dtype(a[0]), as_dtype(a[1]))));
  });
}

// The names of result_type's arguments depend on what they are; its value does not on their order.
const Keywords& result_type_keys(Py_ssize_t n, PyObject* names) {
  static const Keywords tensors("result_type", 2, {"tensor", "other"}),
      mixed("result_type", 2, {"scalar", "tensor"}),
      scalars("result_type", 2, {"scalar1", "scalar2"});
  for (Py_ssize_t k = 0; names && k < PyTuple_GET_SIZE(names); ++k) {
    std::string_view name = PyUnicode_AsUTF8(PyTuple_GET_ITEM(names, k));
    if (name == "scalar1" || name == "scalar2") return scalars;
    if (name == "scalar" || (name == "tensor" && n == 1)) return mixed;
  }
  return tensors;
}
PyObject* result_type_of(PyObject*, PyObject* const* args, Py_ssize_t n, PyObject* names) {
  return guarded([&] {
    PyObject* given[2] = {};
    result_type_keys(n, names).read(args, n, names, given, 2);
    PointwiseInput inputs[2];
    for (int i = 0; i < 2; ++i)
      if (is_tensor(given[i]))
        inputs[i].tensor = as_tensor(given[i]);
      else
        inputs[i].number = to_scalar(given[i], "result_type", i ? "other" : "tensor");
    return Py_NewRef(dtype_object(result_type(inputs)));
  });
}
PyObject* py_can_cast(PyObject*, PyObject* const* args, Py_ssize_t n, PyObject* names) {
  return guarded([&] {
    static const Keywords keys("can_cast", 2, {"from_", "to"});
    PyObject* a[2] = {};
    keys.read(args, n, names, a, 2);
    return PyBool_FromLong(can_cast(as_dtype(a[0]), as_dtype(a[1])));
  });
}
constexpr int kFast = METH_FASTCALL | METH_KEYWORDS;
PyObject* py_set_flush_denormal(PyObject*, PyObject* mode) {
  return guarded([&]() -> PyObject* {
    if (!PyBool_Check(mode))
      fail(ErrorKind::Type, "set_flush_denormal expects a bool, but got ", Py_TYPE(mode)->tp_name);
    return PyBool_FromLong(set_flush_denormal(mode == Py_True));
  });
}

PyMethodDef functions[] = {{"get_num_threads", get_threads, METH_NOARGS, docs::kGetNumThreads},
                           {"set_num_threads", set_threads, METH_O, docs::kSetNumThreads},
                           {"set_flush_denormal", py_set_flush_denormal, METH_O, nullptr},
                           {"get_default_dtype", get_default, METH_NOARGS, docs::kGetDefaultDtype},
                           {"set_default_dtype", set_default, METH_O, docs::kSetDefaultDtype},
                           {"memory_stats", stats, METH_NOARGS, nullptr},
                           {"empty_cache", py_empty_cache, METH_NOARGS, nullptr},
                           {"reset_peak_memory", reset_peak, METH_NOARGS, nullptr},
                           {"_fail_allocation_after", fail_after, METH_O, nullptr},
                           {"_set_fill_unwritten_memory", set_fill_unwritten, METH_O, nullptr},
                           {"_set_undefined_answers", set_undefined_answers, METH_O, nullptr},
                           {"_alert_undefined", py_alert_undefined, METH_O, nullptr},
                           {"promote_types", fast(promote_pair), kFast, docs::kPromoteTypes},
                           {"result_type", fast(result_type_of), kFast, docs::kResultType},
                           {"can_cast", fast(py_can_cast), kFast, docs::kCanCast},
                           {"isa_level", isa, METH_NOARGS, nullptr},
                           {"crc32", py_crc32, METH_VARARGS, nullptr},
                           {"copied", py_copied, METH_VARARGS, nullptr},
                           {"room", py_room, METH_O, nullptr},
                           {"pickle_steps", py_pickle_steps, METH_VARARGS, nullptr},
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
    add_dispatch(m.get());
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
    add_parameters(m.get());
    add_module_state(m.get());
    add_grad_contexts(m.get());
    add_package_type(m.get());
    return m.give();
  });
}
