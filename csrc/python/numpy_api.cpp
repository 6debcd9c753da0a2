// Finding NumPy and moving arrays across: see numpy_api.h.
#include "python/numpy_api.h"

#include "plan/copy.h"

namespace rl::py {
namespace {

// NumPy's type numbers; int64 is `long` where that is 64 bits wide.
enum : int {
  kBool = 0,
  kI8 = 1,
  kU8 = 2,
  kI16 = 3,
  kU16 = 4,
  kI32 = 5,
  kU32 = 6,
  kLong = 7,
  kULong = 8,
  kLongLong = 9,
  kULongLong = 10,
  kF32 = 11,
  kF64 = 12,
  kC64 = 14,
  kC128 = 15,
  kF16 = 23
};
constexpr int kI64 = sizeof(long) == 8 ? kLong : kLongLong;
constexpr int kU64 = sizeof(long) == 8 ? kULong : kULongLong;

int type_number(DType d) {
  constexpr int kMap[] = {kBool, kU8, kI8, kI16, kI32, kI64, kU16, kU32, kU64, -1,   -1,
                          -1,    -1,  -1,  -1,   kF16, -1,   kF32, kF64, -1,   kC64, kC128};
  static_assert(std::size(kMap) == kNumDTypes);
  return kMap[static_cast<int>(d)];
}

void drop_array(void* array) {
  if (!Py_IsInitialized()) return;
  PyGILState_STATE state = PyGILState_Ensure();
  Py_DECREF(static_cast<PyObject*>(array));
  PyGILState_Release(state);
}

DType supported_dtype(const NumpyArray& a) {
  DType d;
  if (!numpy_dtype(a, d))
    fail(ErrorKind::Type, "can't convert np.ndarray of type ", a.descr->scalar_type->tp_name,
         ". The only supported types are: float64, float32, float16, complex64, complex128, int64, "
         "int32, int16, int8, uint64, uint32, uint16, uint8, and bool.");
  return d;
}

void check_byteorder(const NumpyArray& a) {
  char foreign = PY_BIG_ENDIAN ? '<' : '>';
  if (a.descr->byteorder == foreign)
    fail(ErrorKind::Value,
         "given numpy array has byte order different from the native byte order. "
         "Conversion between byte orders is currently not supported.");
}

// A tensor over the array; negative strides have been dealt with by the caller.
Ref<Tensor> over_array(PyObject* o, DType dtype) {
  auto& a = *reinterpret_cast<NumpyArray*>(o);
  int64_t item = item_size(dtype);
  SizeVec sizes(a.sizes, a.sizes + a.ndim), strides(static_cast<size_t>(a.ndim));
  for (int d = 0; d < a.ndim; ++d) strides[d] = a.strides[d] / item;
  int64_t nbytes = span_bytes(sizes, strides, 0, item);
  Py_INCREF(o);
  Storage* s = adopt_storage(a.data, static_cast<size_t>(nbytes), drop_array, o);
  s->read_only = !(a.flags & kNumpyWriteable);
  Ref<Tensor> t = alias(s, sizes, strides, 0, dtype, Device::Cpu);
  release(s);
  return t;
}

bool shareable(const NumpyArray& a, int64_t item) {
  for (int d = 0; d < a.ndim; ++d)
    if (a.strides[d] < 0 || a.strides[d] % item) return false;
  return true;
}

}  // namespace

bool Numpy::load(PyObject* numpy) {
  Own core;
  for (const char* name : {"numpy._core._multiarray_umath", "numpy.core._multiarray_umath"}) {
    core = Own(PyImport_ImportModule(name));
    if (core) break;
    PyErr_Clear();  // the other spelling belongs to another NumPy version
  }
  if (!core)
    fail(ErrorKind::Runtime, "cannot find NumPy's C interface in ", PyModule_GetName(numpy));
  Own capsule(checked(PyObject_GetAttrString(core.get(), "_ARRAY_API")));
  table_ = static_cast<void**>(PyCapsule_GetPointer(capsule.get(), nullptr));
  if (!table_) throw PythonError{};
  array_type_ = static_cast<PyTypeObject*>(table_[2]);
  scalar_type_ = static_cast<PyTypeObject*>(table_[10]);
  return true;
}

const Numpy* Numpy::if_imported() {
  static Numpy numpy;
  if (numpy.table_) return &numpy;
  PyObject* module = PyDict_GetItemString(PyImport_GetModuleDict(), "numpy");
  // While numpy itself is still being imported its interface may not be there yet.
  if (!module || !PyObject_HasAttrString(module, "ndarray")) return nullptr;
  numpy.load(module);
  return &numpy;
}

const Numpy& Numpy::get() {
  if (const Numpy* n = if_imported()) return *n;
  Own module(checked(PyImport_ImportModule("numpy")));
  return *if_imported();
}

Own Numpy::from_scalar(PyObject* o) const {
  using FromAny = PyObject* (*)(PyObject*, void*, int, int, int, PyObject*);
  return Own(checked(reinterpret_cast<FromAny>(table_[69])(o, nullptr, 0, 0, 0, nullptr)));
}

PyObject* Numpy::new_array(const Tensor& t, PyObject* owner, bool writeable) const {
  require_bytes(t);
  int type = type_number(t.dtype);
  if (type < 0) fail(ErrorKind::Type, "Got unsupported ScalarType ", info(t.dtype).legacy_name);
  Py_ssize_t strides[kMaxDims];
  for (int d = 0; d < t.ndim; ++d) strides[d] = t.stride(d) * item_size(t.dtype);
  using New = PyObject* (*)(PyTypeObject*, int, const Py_ssize_t*, int, const Py_ssize_t*, void*,
                            int, int, PyObject*);
  static_assert(sizeof(Py_ssize_t) == sizeof(int64_t));
  auto* sizes = reinterpret_cast<const Py_ssize_t*>(t.sizes_);
  int flags = kNumpyAligned | (writeable ? kNumpyWriteable : 0);
  void* data = t.storage->data ? t.raw() : static_cast<void*>(t.storage);  // null would allocate
  Own array(checked(reinterpret_cast<New>(table_[93])(array_type_, t.ndim, sizes, type, strides,
                                                      data, 0, flags, nullptr)));
  using SetBase = int (*)(PyObject*, PyObject*);
  Py_INCREF(owner);
  checked(reinterpret_cast<SetBase>(table_[282])(array.get(), owner));
  return array.give();
}

bool numpy_dtype(const NumpyArray& a, DType& out) {
  switch (a.descr->type_num) {
    case kBool:
      out = DType::Bool;
      return true;
    case kU8:
      out = DType::U8;
      return true;
    case kI8:
      out = DType::I8;
      return true;
    case kU16:
      out = DType::U16;
      return true;
    case kU32:
      out = DType::U32;
      return true;
    case kULong:
      out = sizeof(long) == 8 ? DType::U64 : DType::U32;
      return true;
    case kULongLong:
      out = DType::U64;
      return true;
    case kI16:
      out = DType::I16;
      return true;
    case kI32:
      out = DType::I32;
      return true;
    case kLong:
      out = sizeof(long) == 8 ? DType::I64 : DType::I32;
      return true;
    case kLongLong:
      out = DType::I64;
      return true;
    case kF16:
      out = DType::F16;
      return true;
    case kF32:
      out = DType::F32;
      return true;
    case kF64:
      out = DType::F64;
      return true;
    case kC64:
      out = DType::C64;
      return true;
    case kC128:
      out = DType::C128;
      return true;
    default:
      return false;
  }
}

Ref<Tensor> share_array(PyObject* o, bool warn_readonly) {
  auto& a = *reinterpret_cast<NumpyArray*>(o);
  DType dtype = supported_dtype(a);
  check_byteorder(a);
  for (int d = 0; d < a.ndim; ++d) {
    if (a.strides[d] < 0)
      fail(ErrorKind::Value,
           "At least one stride in the given numpy array is negative, and tensors "
           "with negative strides are not currently supported. (You can probably work around this "
           "by making a copy of your array  with array.copy().) ");
    if (a.strides[d] % item_size(dtype))
      fail(ErrorKind::Value,
           "given numpy array strides not a multiple of the element byte size. "
           "Copy the numpy array to reallocate the memory.");
  }
  if (warn_readonly && !(a.flags & kNumpyWriteable))
    checked(PyErr_WarnEx(PyExc_UserWarning,
                         "The given NumPy array is not writable, and tensors do "
                         "not carry that mark: writing to this tensor writes to memory that is "
                         "meant to be read-only. Copy the array first if you will write.",
                         1));
  return over_array(o, dtype);
}

Ref<Tensor> copy_array(PyObject* o) {
  auto& a = *reinterpret_cast<NumpyArray*>(o);
  DType dtype = supported_dtype(a);
  check_byteorder(a);
  Own dense;
  if (!shareable(a, item_size(dtype))) {
    dense = Own(checked(PyObject_CallMethod(o, "copy", nullptr)));
    o = dense.get();
  }
  Ref<Tensor> shared = over_array(o, dtype), out = empty(shared->sizes(), dtype);
  copy_into(*out, *shared);
  return out;
}

}  // namespace rl::py
