// DLPack both ways: to_dlpack (for Tensor.__dlpack__) and from_dlpack. A capsule owns a managed
// structure until a consumer renames it; the structure keeps the storage alive, whichever side dies
// first.
#include <cstring>

#include "python/dlpack.h"
#include "python/exchange.h"
#include "python/interpose.h"

namespace rl::py {
namespace {
using namespace dlpack;

constexpr const char *kName = "dltensor", *kVersioned = "dltensor_versioned";
constexpr const char *kUsed = "used_dltensor", *kUsedVersioned = "used_dltensor_versioned";

uint8_t float8_code(DType d) {
  switch (d) {
    case DType::F8E4M3:
      return kFloat8E4M3Fn;
    case DType::F8E4M3Uz:
      return kFloat8E4M3FnUz;
    case DType::F8E5M2:
      return kFloat8E5M2;
    case DType::F8E5M2Uz:
      return kFloat8E5M2FnUz;
    default:
      return kFloat8E8M0Fnu;
  }
}

DataType type_of(DType d) {
  auto bits = static_cast<uint8_t>(item_size(d) * 8);
  if (d == DType::Bool) return {kBool, 8, 1};
  if (d == DType::U8 || is_wide_unsigned(d)) return {kUInt, bits, 1};
  if (d == DType::BF16) return {kBFloat, 16, 1};
  if (is_complex(d)) return {kComplex, bits, 1};
  if (d == DType::F4E2M1X2) return {kFloat4E2M1Fn, 4, 2};
  if (is_float8(d)) return {float8_code(d), bits, 1};
  return {static_cast<uint8_t>(is_floating(d) ? kFloat : kInt), bits, 1};
}

DType dtype_from(DataType t) {
  for (int i = 0; i < kNumDTypes; ++i) {
    auto d = static_cast<DType>(i);
    DataType want = type_of(d);
    if (want.code == t.code && want.bits == t.bits && want.lanes == t.lanes) return d;
  }
  fail(ErrorKind::Type, "from_dlpack: unsupported element type: code ", int{t.code}, ", ",
       int{t.bits}, " bits, ", int{t.lanes}, " lanes");
}

// ---- export
struct Exported {  // what a capsule keeps alive: no Python object, so any thread may drop it
  Storage* storage;
  SizeVec shape, strides;
};

Array describe(const Tensor& t, Exported& e) {
  require_bytes(t);
  e.storage = t.storage;
  retain(e.storage);
  e.shape.assign(t.sizes().begin(), t.sizes().end());
  e.strides.assign(t.strides().begin(), t.strides().end());
  for (size_t i = 0; i < e.shape.size(); ++i)
    if (e.shape[i] < 2) e.strides[i] = 1;
  return {t.raw(), {kCpu, 0}, t.ndim, type_of(t.dtype), e.shape.data(), e.strides.data(), 0};
}

// Whoever has taken over the memory may give it back on a thread of its own.
template <class M>
void drop(M* m) {
  auto* e = static_cast<Exported*>(m->context);
  bool running = Py_IsInitialized();  // else there is no other thread, and no lock
  PyGILState_STATE held = running ? PyGILState_Ensure() : PyGILState_UNLOCKED;
  release(e->storage);
  if (running) PyGILState_Release(held);
  delete e;
  delete m;
}

template <class M>
void capsule_died(PyObject* capsule, const char* name) {
  if (!PyCapsule_IsValid(capsule, name)) return;  // consumed: the consumer frees it
  auto* m = static_cast<M*>(PyCapsule_GetPointer(capsule, name));
  if (m->deleter) m->deleter(m);
}
void plain_died(PyObject* c) { capsule_died<Managed>(c, kName); }
void versioned_died(PyObject* c) { capsule_died<ManagedVersioned>(c, kVersioned); }

PyObject* make_capsule(const Tensor& t, bool versioned, uint64_t flags) {
  auto* e = new Exported;
  Array array = describe(t, *e);
  if (!versioned) {
    auto* m = new Managed{array, e, drop<Managed>};
    return checked(PyCapsule_New(m, kName, plain_died));
  }
  auto* m = new ManagedVersioned{1, 0, e, drop<ManagedVersioned>, flags, array};
  return checked(PyCapsule_New(m, kVersioned, versioned_died));
}

[[noreturn]] void buffer_error(const char* text) {
  PyErr_SetString(PyExc_BufferError, text);
  throw PythonError{};
}

// to_dlpack(tensor, versioned, copied=False): Tensor.__dlpack__ has checked everything else.
PyObject* to_dlpack(PyObject*, PyObject* args) {
  return guarded([&] {
    PyObject* tensor;
    int versioned, copied = 0;
    if (!PyArg_ParseTuple(args, "O!p|p", TensorType, &tensor, &versioned, &copied))
      throw PythonError{};
    Tensor& t = *as_tensor(tensor);
    if (t.requires_grad)
      buffer_error("Can't export tensors that require gradient, use tensor.detach()");
    if (t.kind) refuse_kind("to_dlpack", t);
    if (t.is_meta()) buffer_error("Can't export a meta tensor: it has no data");
    uint64_t flags = copied ? kCopied : t.storage->read_only ? kReadOnly : 0;
    if (flags == kReadOnly && !versioned)
      buffer_error("Can't export a read-only tensor through DLPack before version 1.0");
    t.storage->resizable = false;
    return make_capsule(t, versioned, flags);
  });
}

// ---- import
template <class M>
void release_managed(void* context) {
  auto* m = static_cast<M*>(context);
  if (!m->deleter || !Py_IsInitialized()) return;
  PyGILState_STATE state = PyGILState_Ensure();  // the producer may touch Python objects
  m->deleter(m);
  PyGILState_Release(state);
}

Ref<Tensor> adopt(const Array& a, void (*drop)(void*), void* context, bool read_only) {
  if (a.device.type != kCpu) buffer_error("from_dlpack: only CPU memory can be imported");
  DType dtype = dtype_from(a.dtype);
  auto n = static_cast<size_t>(a.ndim);
  Sizes sizes(a.shape, n);
  SizeVec strides = a.strides ? SizeVec(a.strides, a.strides + n) : contiguous_strides(sizes);
  for (int64_t s : strides)
    if (s < 0)
      fail(ErrorKind::Value, "from_dlpack: negative strides are not supported, got ",
           Sizes(strides));
  int64_t bytes = span_bytes(sizes, strides, 0, item_size(dtype));
  char* data = static_cast<char*>(a.data) + a.byte_offset;
  Storage* s = adopt_storage(data, static_cast<size_t>(bytes), drop, context);
  s->read_only = read_only;
  Ref<Tensor> t = alias(s, sizes, strides, 0, dtype, rl::Device::Cpu);
  release(s);
  return t;
}

template <class M>
Ref<Tensor> consume(PyObject* capsule, const char* name, const char* used) {
  auto* m = static_cast<M*>(PyCapsule_GetPointer(capsule, name));
  bool read_only = false;
  if constexpr (requires { m->flags; }) {
    if (m->major > 1) buffer_error("from_dlpack: the capsule's major version is newer than 1");
    read_only = m->flags & kReadOnly;
  }
  Ref<Tensor> t = adopt(m->array, release_managed<M>, m, read_only);
  checked(PyCapsule_SetName(capsule, used));
  return t;
}

Ref<Tensor> from_capsule(PyObject* capsule) {
  if (PyCapsule_IsValid(capsule, kVersioned))
    return consume<ManagedVersioned>(capsule, kVersioned, kUsedVersioned);
  if (PyCapsule_IsValid(capsule, kName)) return consume<Managed>(capsule, kName, kUsed);
  fail(
      "from_dlpack received an invalid capsule. Note that DLTensor capsules can be consumed only "
      "once");
}

Own ask(PyObject* producer, PyObject* copy) {
  Own method(checked(PyObject_GetAttrString(producer, "__dlpack__")));
  Own kwargs(checked(Py_BuildValue("{s:(ii)}", "max_version", 1, 0))),
      none(checked(PyTuple_New(0)));
  if (copy && copy != Py_None) checked(PyDict_SetItemString(kwargs.get(), "copy", copy));
  Own capsule(PyObject_Call(method.get(), none.get(), kwargs.get()));
  if (capsule) return capsule;
  if (!PyErr_ExceptionMatches(PyExc_TypeError) || (copy && copy != Py_None)) throw PythonError{};
  PyErr_Clear();  // a producer from before version 1.0 knows no max_version
  return Own(checked(PyObject_CallNoArgs(method.get())));
}

}  // namespace

Ref<Tensor> from_dlpack(PyObject* producer, PyObject* copy) {
  if (PyCapsule_CheckExact(producer)) return from_capsule(producer);
  RL_CHECK(PyObject_HasAttrString(producer, "__dlpack__"),
           "from_dlpack: expected an object with a ", "__dlpack__ method or a capsule, got ",
           Py_TYPE(producer)->tp_name);
  return from_capsule(ask(producer, copy).get());
}

PyMethodDef dlpack_functions[] = {{"to_dlpack", to_dlpack, METH_VARARGS, nullptr}, {}};

}  // namespace rl::py
