// The Python face of random generators.
#include "core/generator.h"

#include "core/storage.h"
#include "python/binding.h"
#include "python/docs.h"

namespace rl::py {
namespace {

struct GeneratorObject {
  PyObject_HEAD Generator* generator;
  bool owned;
};
PyTypeObject* GeneratorType;
Generator& gen(PyObject* o) { return *reinterpret_cast<GeneratorObject*>(o)->generator; }

// Of other backends PyTorch has no generator, while it asserts that it has their tensors.
Device generator_device(PyObject* given) {
  try {
    return to_device(given, "Generator");
  } catch (const PythonError&) {
    if (!PyErr_ExceptionMatches(PyExc_AssertionError)) throw;
    PyErr_Clear();
    fail("Generator(): there is a generator for the device 'cpu' only");
  }
}

PyObject* generator_new(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
  return guarded([&]() -> PyObject* {
    PyObject* device = Py_None;
    static const char* names[] = {"device", nullptr};
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|O", const_cast<char**>(names), &device))
      throw PythonError{};
    if (generator_device(device) != Device::Cpu)
      fail("Device type meta is not supported for torch.Generator() api.");
    auto* o = reinterpret_cast<GeneratorObject*>(checked(type->tp_alloc(type, 0)));
    o->generator = new Generator;
    o->owned = true;
    return reinterpret_cast<PyObject*>(o);
  });
}
void generator_dealloc(PyObject* o) {
  PyTypeObject* type = Py_TYPE(o);
  if (reinterpret_cast<GeneratorObject*>(o)->owned) delete &gen(o);
  type->tp_free(o);
  Py_DECREF(type);
}
PyObject* manual_seed(PyObject* self, PyObject* seed) {
  return guarded([&]() -> PyObject* {
    Own index(checked(PyNumber_Index(seed)));
    int overflow;
    int64_t v = PyLong_AsLongLongAndOverflow(index.get(), &overflow);
    uint64_t s = static_cast<uint64_t>(v);
    if (overflow > 0) {
      s = PyLong_AsUnsignedLongLong(index.get());
      if (PyErr_Occurred()) overflow = -1;
      PyErr_Clear();
    }
    if (overflow < 0)
      fail(ErrorKind::Value,
           "Overflow when unpacking long long: manual_seed expects a value in [-2^63, 2^64)");
    gen(self).manual_seed(s);
    return Py_NewRef(self);
  });
}
PyObject* seed(PyObject* self, PyObject*) {
  return guarded([&] { return PyLong_FromUnsignedLongLong(gen(self).seed()); });
}
PyObject* initial_seed(PyObject* self, PyObject*) {
  return PyLong_FromUnsignedLongLong(gen(self).initial_seed());
}
PyObject* get_state(PyObject* self, PyObject*) {
  return guarded([&]() -> PyObject* {
    auto state = gen(self).get_state();
    int64_t n = static_cast<int64_t>(state.size());
    Ref<Tensor> t = empty(Sizes(&n, 1), DType::U8);
    std::memcpy(t->raw(), state.data(), state.size());
    return wrap(std::move(t));
  });
}
PyObject* set_state(PyObject* self, PyObject* state) {
  return guarded([&]() -> PyObject* {
    if (!is_tensor(state) || as_tensor(state)->dtype != DType::U8 ||
        !as_tensor(state)->contiguous || as_tensor(state)->is_meta())
      fail(ErrorKind::Type, "RNG state must be a torch.ByteTensor, contiguous and on the CPU");
    require_bytes(*as_tensor(state));
    gen(self).set_state(as_tensor(state)->raw(), as_tensor(state)->numel);
    return Py_NewRef(self);
  });
}
// (type, no arguments, state): for pickle and copy.
PyObject* reduce(PyObject* self, PyObject*) {
  Own state(get_state(self, nullptr));
  return state ? Py_BuildValue("(O()O)", Py_TYPE(self), state.get()) : nullptr;
}
PyObject* clone_state(PyObject* self, PyObject*) {
  return guarded([&]() -> PyObject* {
    Own state(checked(get_state(self, nullptr)));
    Own copy(checked(PyObject_CallNoArgs(reinterpret_cast<PyObject*>(GeneratorType))));
    return set_state(copy.get(), state.get());
  });
}
PyObject* cdata(PyObject* self, void*) { return PyLong_FromVoidPtr(&gen(self)); }
PyObject* device(PyObject*, void*) { return Py_NewRef(device_object(Device::Cpu)); }

PyMethodDef methods[] = {
    {"manual_seed", manual_seed, METH_O, docs::kManualSeed},
    {"seed", seed, METH_NOARGS,
     "seed($self, /)\n--\n\nSeeds from the system; returns the seed, an int."},
    {"initial_seed", initial_seed, METH_NOARGS,
     "initial_seed($self, /)\n--\n\nThe seed last set, an int."},
    {"get_state", get_state, METH_NOARGS,
     "get_state($self, /)\n--\n\nThe state as a 1-d uint8 tensor."},
    {"set_state", set_state, METH_O,
     "set_state($self, new_state, /)\n--\n\nRestores a state from get_state(), also PyTorch's; "
     "returns the generator. TypeError for what is no contiguous uint8 tensor."},
    {"clone_state", clone_state, METH_NOARGS,
     "clone_state($self, /)\n--\n\nA new generator that goes on from the same state."},
    {"__reduce__", reduce, METH_NOARGS, "__reduce__($self, /)\n--\n\nWhat pickle keeps."},
    {"__setstate__", set_state, METH_O,
     "__setstate__($self, state, /)\n--\n\nWhat pickle calls: set_state."},
    {nullptr, nullptr, 0, nullptr}};
PyGetSetDef getset[] = {{"_cdata", cdata, nullptr, "A number that identifies it.", nullptr},
                        {"device", device, nullptr, "The device of its numbers: the CPU.", nullptr},
                        {nullptr, nullptr, nullptr, nullptr, nullptr}};

}  // namespace

void add_random(PyObject* module) {
  PyType_Slot slots[] = {{Py_tp_doc, const_cast<char*>(docs::kGenerator)},
                         {Py_tp_new, reinterpret_cast<void*>(generator_new)},
                         {Py_tp_dealloc, reinterpret_cast<void*>(generator_dealloc)},
                         {Py_tp_methods, methods},
                         {Py_tp_getset, getset},
                         {0, nullptr}};
  PyType_Spec spec{"rushlight.Generator", sizeof(GeneratorObject), 0,
                   Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE, slots};
  GeneratorType = reinterpret_cast<PyTypeObject*>(checked(PyType_FromSpec(&spec)));
  auto* o = reinterpret_cast<GeneratorObject*>(checked(GeneratorType->tp_alloc(GeneratorType, 0)));
  o->generator = &default_generator();
  o->owned = false;
  checked(PyModule_AddObjectRef(module, "Generator", reinterpret_cast<PyObject*>(GeneratorType)));
  checked(PyModule_AddObjectRef(module, "default_generator", reinterpret_cast<PyObject*>(o)));
}

}  // namespace rl::py
