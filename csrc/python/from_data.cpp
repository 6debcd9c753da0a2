// Tensors from Python values: tensor(), as_tensor(), Tensor.new_tensor, Tensor(). Three walks
// over nested sequences: their shape, the dtype that holds everything, the values.
// Reading values out is in scalars.cpp; sharing memory with other libraries in exchange.cpp.
#include <cstring>
#include <string>

#include "plan/copy.h"
#include "plan/determinism.h"
#include "python/data_access.h"
#include "python/dispatch.h"
#include "python/docs.h"
#include "python/exchange.h"
#include "python/interpose.h"
#include "python/keywords.h"
#include "python/numpy_api.h"
#include "python/storage_access.h"

namespace rl::py {
namespace {

bool is_text(PyObject* o) { return PyUnicode_Check(o) || PyBytes_Check(o); }

// A sequence that tensor() descends into; arrays and tensors are taken whole.
bool is_nested(PyObject* o) {
  if (PyList_CheckExact(o) || PyTuple_CheckExact(o)) return true;
  if (PyFloat_CheckExact(o) || PyLong_CheckExact(o) || PyDict_Check(o)) return false;
  if (is_tensor(o) || !PySequence_Check(o)) return false;  // tensors in lists stand for one number
  const Numpy* np = Numpy::if_imported();
  return !np || !np->is_array(o) || reinterpret_cast<NumpyArray*>(o)->ndim > 0;
}

// A TypeError from within a sequence says that it is none; other errors are its own.
[[noreturn, gnu::cold]] void refuse_sequence(PyObject* o) {
  if (!PyErr_ExceptionMatches(PyExc_TypeError)) throw PythonError{};
  PyErr_Clear();
  fail(ErrorKind::Value, "could not read a shape off an object of type '", Py_TYPE(o)->tp_name,
       "': it gives no elements");
}

struct Items {  // the elements of one sequence
  Own fast;
  PyObject** at;
  Py_ssize_t n;
  explicit Items(PyObject* o) {
    fast = PyList_CheckExact(o) || PyTuple_CheckExact(o)
               ? Own::share(o)
               : Own(PySequence_Fast(o, "not a sequence"));
    if (!fast) refuse_sequence(o);
    at = PySequence_Fast_ITEMS(fast.get());
    n = PySequence_Fast_GET_SIZE(fast.get());
  }
};

const Numpy* array_interface(PyObject* o) {  // only for types that are not Python's own
  if (PyFloat_CheckExact(o) || PyLong_CheckExact(o) || PyBool_Check(o)) return nullptr;
  return Numpy::if_imported();
}

bool gives_dlpack(PyObject* o) {
  if (PyList_CheckExact(o) || PyTuple_CheckExact(o) || is_number(o)) return false;
  return PyObject_HasAttrString(o, "__dlpack__");
}

SizeVec nested_sizes(PyObject* data) {
  SizeVec sizes;
  Own kept;
  while (is_nested(data)) {
    if (is_text(data) || sizes.size() >= kMaxDims)
      fail(ErrorKind::Value, "too many dimensions '", Py_TYPE(data)->tp_name, "'");
    Items items(data);
    sizes.push_back(items.n);
    if (items.n == 0) break;
    if (items.at[0] == data) fail(ErrorKind::Type, "new(): a list that holds itself has no shape");
    kept = Own::share(items.at[0]);
    data = kept.get();
  }
  return sizes;
}

// ---- dtype
DType leaf_dtype(PyObject* o) {
  if (PyFloat_CheckExact(o)) return default_dtype();
  if (PyBool_Check(o)) return DType::Bool;
  if (PyLong_Check(o)) return DType::I64;
  if (is_tensor(o)) return as_tensor(o)->dtype;
  if (const Numpy* np = array_interface(o); np && (np->is_scalar(o) || np->is_array(o))) {
    Own array = np->from_scalar(o);
    DType d;
    if (numpy_dtype(*reinterpret_cast<NumpyArray*>(array.get()), d)) return d;
  }
  if (PyFloat_Check(o)) return default_dtype();
  if (PyComplex_Check(o)) return complex_of(default_dtype());
  fail("Could not infer dtype of ", Py_TYPE(o)->tp_name);
}

void widen_dtype(PyObject* o, DType& found, bool& any, int depth) {
  if (is_text(o)) fail(ErrorKind::Type, "new(): invalid data type '", Py_TYPE(o)->tp_name, "'");
  if (!is_nested(o) || is_tensor(o)) {
    DType d = leaf_dtype(o);
    found = any ? promote(found, d) : d;
    any = true;
    return;
  }
  if (depth > kMaxDims) fail(ErrorKind::Value, "too many dimensions '", Py_TYPE(o)->tp_name, "'");
  Items items(o);
  for (Py_ssize_t i = 0; i < items.n; ++i) {
    PyObject* v = items.at[i];
    if (v == o) fail(ErrorKind::Type, "new(): a list that holds itself has no shape");
    if (any && PyFloat_CheckExact(v) && found == default_dtype()) continue;
    if (any && PyLong_CheckExact(v) && (found == DType::I64 || is_inexact(found))) continue;
    widen_dtype(v, found, any, depth + 1);
  }
}

DType infer_dtype(PyObject* data) {
  DType found = default_dtype();
  bool any = false;
  widen_dtype(data, found, any, 0);
  return found;
}

// ---- values
Scalar leaf_scalar(PyObject* o, bool as_integer = false) {
  if (is_tensor(o)) {
    const int64_t n = as_tensor(o)->numel;
    if (n != 1 && as_integer)
      fail(ErrorKind::Type, "expected integers or tensors of a single element, got a tensor of ",
           n);
    if (n != 1)
      fail(ErrorKind::Value, "only one element tensors can be converted to Python scalars");
    Own item(tensor_item(*as_tensor(o)));
    return leaf_scalar(item.get());
  }
  if (PyComplex_Check(o)) {
    Py_complex c = PyComplex_AsCComplex(o);
    return {Scalar::Complex, 0, c.real, c.imag};
  }
  if (PyFloat_Check(o)) return Scalar::of(PyFloat_AS_DOUBLE(o));
  if (const Numpy* np = array_interface(o); np && np->is_array(o)) {
    Own item(checked(PyObject_CallMethod(o, "item", nullptr)));
    return leaf_scalar(item.get());
  }
  if (PyIndex_Check(o)) {
    Own integer(checked(PyNumber_Index(o)));
    int overflow = 0;
    long long v = PyLong_AsLongLongAndOverflow(integer.get(), &overflow);
    if (!overflow)
      return PyBool_Check(o) ? Scalar::of(v != 0) : Scalar::of(static_cast<int64_t>(v));
    double d = PyLong_AsDouble(integer.get());
    if (d == -1 && PyErr_Occurred()) throw PythonError{};
    return Scalar::of(d);
  }
  if (Numpy::if_imported() && PyObject_HasAttrString(o, "item")) {
    Own item(checked(PyObject_CallMethod(o, "item", nullptr)));
    if (!Numpy::if_imported()->is_scalar(item.get())) return leaf_scalar(item.get());
  }
  double d = PyFloat_AsDouble(o);
  if (d == -1 && PyErr_Occurred()) throw PythonError{};
  return Scalar::of(d);
}

template <class T>
constexpr int64_t kLowest =
    std::is_unsigned_v<T> && sizeof(T) < 8 ? -static_cast<int64_t>(std::numeric_limits<T>::max())
    : std::is_integral_v<T>                ? std::numeric_limits<T>::min()
                                           : 0;

// Python integers of 64 bits without a sign, which a Scalar cannot hold.
uint64_t unsigned_value(PyObject* o) {
  Own integer(checked(PyNumber_Index(o)));
  unsigned long long v = PyLong_AsUnsignedLongLong(integer.get());
  if (v == static_cast<unsigned long long>(-1) && PyErr_Occurred()) throw PythonError{};
  return v;
}

template <class T>
T store_value(PyObject* o) {
  if constexpr (std::is_same_v<T, uint64_t>)
    if (PyIndex_Check(o) && !is_tensor(o)) return unsigned_value(o);
  if constexpr (std::is_same_v<T, bool>) {
    int truth = PyObject_IsTrue(o);
    checked(truth);
    return truth != 0;
  } else {
    Scalar s = leaf_scalar(o, std::is_integral_v<T>);
    if constexpr (!requires(T v) { v.re; })
      if (s.kind == Scalar::Complex)
        fail(ErrorKind::Type, std::is_integral_v<T>
                                  ? "'complex' object cannot be interpreted as an integer"
                                  : "must be real number, not complex");
    if constexpr (std::is_integral_v<T>) {
      if (s.kind > Scalar::Int) {
        RL_CHECK(std::abs(s.re) < 0x1p63 || PyLong_Check(o), "value cannot be converted to type ",
                 dtype_of<T>, " without overflow");
        if (std::abs(s.re) >= 0x1p63) fail(ErrorKind::Value, "Overflow when unpacking long long");
        s.i = static_cast<int64_t>(s.re);
      }
      constexpr bool wide = sizeof(T) == 8;  // what fits int64 is not too large for these
      RL_CHECK(
          s.i >= kLowest<T> && (wide || s.i <= static_cast<int64_t>(std::numeric_limits<T>::max())),
          "value ", s.i, " cannot be converted to type ", dtype_of<T>, " without overflow");
      return static_cast<T>(s.i);
    }
    return s.to<T>();
  }
}

// A sequence where the first row of its level had a number.
template <class T>
void refuse_nested(PyObject* v) {
  if (const Numpy* np = array_interface(v); np && np->is_array(v)) return;
  const char* got = Py_TYPE(v)->tp_name;
  if constexpr (std::is_integral_v<T>)
    fail(ErrorKind::Type, "'", got, "' object cannot be interpreted as an integer");
  else
    fail(ErrorKind::Type, "must be real number, not ", got);
}

template <class T>
T* store_row(const Items& items, T* out) {
  for (Py_ssize_t i = 0; i < items.n; ++i, ++out) {
    PyObject* v = items.at[i];
    if constexpr (std::is_floating_point_v<T>) {
      if (PyFloat_CheckExact(v)) {
        *out = static_cast<T>(PyFloat_AS_DOUBLE(v));
        continue;
      }
    }
    if (is_nested(v) && !is_tensor(v)) refuse_nested<T>(v);
    *out = store_value<T>(v);
  }
  return out;
}

template <class T>
T* store(PyObject* data, Sizes sizes, size_t dim, T* out) {
  if (dim == sizes.size()) {
    *out = store_value<T>(data);
    return out + 1;
  }
  if (!is_nested(data)) fail(ErrorKind::Type, "not a sequence");
  Items items(data);
  if (items.n != sizes[dim])
    fail(ErrorKind::Value, "expected sequence of length ", sizes[dim], " at dim ", dim, " (got ",
         items.n, ")");
  if (dim + 1 == sizes.size()) return store_row(items, out);
  for (Py_ssize_t i = 0; i < items.n; ++i) out = store(items.at[i], sizes, dim + 1, out);
  return out;
}

Ref<Tensor> converted(Ref<Tensor> t, const DType* dtype, Device device) {
  if (dtype) t = to_dtype(*t, *dtype);
  if (device == t->device) return t;
  return empty(t->sizes(), t->dtype, device);  // to meta: shapes only
}

// A copy of a tensor that is no strided memory: its handler makes it.
Ref<Tensor> copied_kind(const Tensor& t, const DType* dtype) {
  Ref<Tensor> plain = alias(t);
  PyObject* args[] = {object(plain.get()), dtype_object(dtype ? *dtype : t.dtype)};
  Own copy(call_op("clone", args, 1));
  args[0] = copy.get();
  return Ref<Tensor>::own(as_tensor(call_op("to", args, 2)));
}

Ref<Tensor> copied(const Tensor& t, const DType* dtype, Device device) {
  if (t.kind) return copied_kind(t, dtype);
  RL_CHECK(!t.is_meta() || device == Device::Meta, "Cannot copy out of meta tensor; no data!");
  Ref<Tensor> out = empty(t.sizes(), dtype ? *dtype : t.dtype, device);
  copy_into(*out, t);
  return out;
}

// ---- the Python functions
void set_requires_grad(Tensor& t, bool wanted) {
  if (!wanted) return;
  RL_CHECK(is_inexact(t.dtype),
           "Only Tensors of floating point and complex dtype can require gradients");
  t.requires_grad = true;
}

struct Options {
  DType dtype_value = DType::F32;
  Device device = Device::Cpu;
  bool has_dtype = false, has_device = false, requires_grad = false;
  const DType* dtype() const { return has_dtype ? &dtype_value : nullptr; }
};

Options read_options(const char* op, PyObject* dtype, PyObject* device, PyObject* requires_grad,
                     PyObject* pin_memory) {
  Options o;
  if (dtype && dtype != Py_None) {
    if (!names_dtype(dtype))
      fail(ErrorKind::Type, op, "(): argument 'dtype' must be a dtype, not ",
           Py_TYPE(dtype)->tp_name);
    o.dtype_value = as_dtype(dtype);
    o.has_dtype = true;
  }
  o.has_device = device && device != Py_None;
  if (o.has_device) o.device = to_device(device, op);
  o.requires_grad = requires_grad && is_true(requires_grad);
  RL_CHECK(!pin_memory || !is_true(pin_memory), op,
           "(): pin_memory=True requires an accelerator "
           "backend; no pinned memory allocator is available on this system");
  return o;
}

PyObject* py_tensor(PyObject*, PyObject* const* args, Py_ssize_t n, PyObject* names) {
  return guarded([&] {
    static const Keywords keys("tensor", 1,
                               {"data", "dtype", "device", "requires_grad", "pin_memory"});
    if (PyObject* taken = redirect_function("tensor", args, n, names)) return taken;
    PyObject* a[5] = {};
    keys.read(args, n, names, a, 1);
    if (!names) return dispatch_fresh(from_data(a[0], nullptr, Device::Cpu));
    Options o = read_options("tensor", a[1], a[2], a[3], a[4]);
    bool given = is_tensor(a[0]);
    Device device = o.has_device || !given ? o.device : as_tensor(a[0])->device;
    Own made(dispatch_fresh(from_data(a[0], o.dtype(), device)));
    if (is_tensor(made.get())) set_requires_grad(*as_tensor(made.get()), o.requires_grad);
    return made.give();
  });
}

PyObject* py_new_tensor(PyObject* self, PyObject* const* args, Py_ssize_t n, PyObject* names) {
  return guarded([&] {
    static const Keywords keys("new_tensor", 1,
                               {"data", "dtype", "device", "requires_grad", "pin_memory"});
    PyObject* a[5] = {};
    keys.read(args, n, names, a, 1);
    Options o = read_options("new_tensor", a[1], a[2], a[3], a[4]);
    Tensor& like = *as_tensor(self);
    DType dtype = o.has_dtype ? o.dtype_value : like.dtype;
    Ref<Tensor> t = from_data(a[0], &dtype, o.has_device ? o.device : like.device);
    set_requires_grad(*t, o.requires_grad);
    return wrap(std::move(t));
  });
}

// tensor.to(...) through the public method, so that the conversion is recorded.
PyObject* to_options(Own t, const Options& o) {
  Tensor& x = *as_tensor(t.get());
  bool same = (!o.has_dtype || x.dtype == o.dtype_value) && (!o.has_device || x.device == o.device);
  if (same) return t.give();
  DType dtype = o.has_dtype ? o.dtype_value : x.dtype;
  Device device = o.has_device ? o.device : x.device;
  return checked(
      PyObject_CallMethod(t.get(), "to", "OO", device_object(device), dtype_object(dtype)));
}

PyObject* as_tensor_function(PyObject*, PyObject* const* args, Py_ssize_t n, PyObject* names) {
  return guarded([&] {
    static const Keywords keys("as_tensor", 3, {"data", "dtype", "device"});
    if (PyObject* taken = redirect_function("as_tensor", args, n, names)) return taken;
    PyObject* a[3] = {};
    keys.read(args, n, names, a, 1);
    Options o = read_options("as_tensor", a[1], a[2], nullptr, nullptr);
    if (is_tensor(a[0])) return to_options(Own::share(a[0]), o);
    if (const Numpy* np = array_interface(a[0]); np && np->is_array(a[0]))
      return to_options(Own(wrap(share_array(a[0]))), o);
    if (gives_dlpack(a[0])) return to_options(Own(wrap(from_dlpack(a[0], nullptr))), o);
    return dispatch_fresh(from_data(a[0], o.dtype(), o.device));
  });
}

PyObject* item(PyObject* self, PyObject*) {
  return guarded([&] { return tensor_item(*as_tensor(self)); });
}
PyObject* tolist(PyObject* self, PyObject*) {
  return guarded([&] { return tensor_tolist(*as_tensor(self)); });
}
PyObject* to_complex(PyObject* self, PyObject*) {
  return guarded([&] { return tensor_complex(*as_tensor(self)); });
}

// The positional arguments of the legacy constructor, whichever way they are given.
PyObject* legacy_arguments(PyObject* args, PyObject* kwargs) {
  if (!kwargs || !PyDict_GET_SIZE(kwargs)) return Py_NewRef(args);
  PyObject* given[4];
  Py_ssize_t unknown = PyDict_GET_SIZE(kwargs);
  const char* const names[] = {"device", "size", "data", "other"};
  for (int i = 0; i < 4; ++i)
    unknown -= (given[i] = PyDict_GetItemString(kwargs, names[i])) != nullptr;
  auto [device, size, data, other] = given;
  bool twice = PyTuple_GET_SIZE(args) + !!size + !!data + !!other > 1;
  if (unknown || ((size || data || other) && twice) ||
      (data && (is_tensor(data) || !PySequence_Check(data))) || (other && !is_tensor(other)))
    fail(ErrorKind::Type,
         "Tensor(): expected sizes, or one of size=, data= (a sequence) and other= "
         "(a tensor); use torch.tensor() for more");
  if (device) to_device(device, "Tensor");
  if (size) return checked(PySequence_Tuple(size));
  if (!data && !other) return Py_NewRef(args);
  return checked(PyTuple_Pack(1, data ? data : other));
}

PyMethodDef functions[] = {
    {"tensor", fast(py_tensor), METH_FASTCALL | METH_KEYWORDS, docs::kTensor},
    {"as_tensor", fast(as_tensor_function), METH_FASTCALL | METH_KEYWORDS, docs::kAsTensor},
    {}};

// The elements of a storage, which is shared; null if `data` is none.
Ref<Tensor> over_storage(PyObject* data, const DType* dtype, Device device) {
  if (PyList_CheckExact(data) || PyTuple_CheckExact(data) || !is_nested(data)) return {};
  Own untyped = untyped_of(data, "tensor", dtype ? *dtype : default_dtype());
  if (!untyped) return {};
  Storage& s = storage_of(untyped.get());
  RL_CHECK(s.is_meta == (device == Device::Meta), "tensor: the storage lies on another device");
  DType d = dtype ? *dtype : is_storage(data) ? DType::I64 : default_dtype();
  int64_t n = static_cast<int64_t>(s.nbytes) / item_size(d), one = 1;
  return alias(&s, Sizes(&n, 1), Sizes(&one, 1), 0, d, device);
}

}  // namespace

Ref<Tensor> from_data(PyObject* data, const DType* dtype, Device device) {
  if (is_tensor(data)) {
    checked(PyErr_WarnEx(PyExc_UserWarning,
                         "To copy construct from a tensor, it is recommended to use "
                         "sourceTensor.detach().clone() or "
                         "sourceTensor.detach().clone().requires_grad_(True), rather than "
                         "tensor(sourceTensor).",
                         1));
    return copied(*as_tensor(data), dtype, device);
  }
  if (is_text(data))
    fail(ErrorKind::Type, "new(): invalid data type '", Py_TYPE(data)->tp_name, "'");
  if (const Numpy* np = PyList_CheckExact(data) ? nullptr : array_interface(data)) {
    if (np->is_array(data)) return converted(copy_array(data), dtype, device);
    if (np->is_scalar(data) && !PyFloat_CheckExact(data))
      return converted(copy_array(np->from_scalar(data).get()), dtype, device);
  }
  if (Ref<Tensor> shared = over_storage(data, dtype, device)) return shared;
  if (gives_dlpack(data)) return copied(*from_dlpack(data, nullptr), dtype, device);
  SizeVec sizes = nested_sizes(data);
  DType d = dtype ? *dtype : infer_dtype(data);
  if (is_float8(d)) {
    DType wide = DType::F32;
    return converted(from_data(data, &wide, Device::Cpu), &d, device);
  }
  Ref<Tensor> t = empty(sizes, d, Device::Cpu);
  if (t->numel)
    dispatch(d, [&]<class T>() { store(data, sizes, 0, t->data<T>()); });
  else if (!sizes.empty() && sizes[0] > 0)
    dispatch(d, [&]<class T>() {
      T unused;
      store(data, sizes, 0, &unused);
    });
  return converted(std::move(t), nullptr, device);
}

Ref<Tensor> legacy_tensor(PyObject* args, PyObject* kwargs) {
  Own all(legacy_arguments(args, kwargs));
  Py_ssize_t n = PyTuple_GET_SIZE(all.get());
  PyObject* first = n == 1 ? PyTuple_GET_ITEM(all.get(), 0) : nullptr;
  if (first && is_tensor(first)) return alias(*as_tensor(first));
  DType d = default_dtype();
  bool sizes = true;
  for (Py_ssize_t i = 0; i < n; ++i) sizes &= PyLong_Check(PyTuple_GET_ITEM(all.get(), i));
  bool is_size = first && std::strcmp(Py_TYPE(first)->tp_name, "rushlight.Size") == 0;
  if (!sizes && !is_size) {
    if (first) return from_data(first, &d, Device::Cpu);
    fail(ErrorKind::Type, "new(): expected sizes as ints, or one sequence of data");
  }
  Ref<Tensor> t =
      empty(n ? to_sizes(is_size ? first : all.get(), "Tensor", "size") : SizeVec{0}, d);
  fill_unwritten(*t);
  return t;
}

PyMethodDef data_methods[] = {{"item", hooked<item>(), METH_NOARGS, docs::kItem},
                              {"tolist", hooked<tolist>(), METH_NOARGS, docs::kTolist},
                              {"__complex__", hooked<to_complex>(), METH_NOARGS, nullptr},
                              {"new_tensor", hooked<py_new_tensor, Needs::Geometry>(),
                               METH_FASTCALL | METH_KEYWORDS, docs::kNewTensor},
                              {}};

void add_creation(PyObject* module) {
  checked(PyModule_AddFunctions(module, functions));
  add_tensor_methods(data_methods);
}

}  // namespace rl::py
