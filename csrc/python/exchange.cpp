// Memory shared with NumPy and anything that has the buffer protocol: from_numpy, Tensor.numpy,
// frombuffer, asarray. Either side may die first: storages keep the owner, arrays keep a tensor.
// DLPack is in dlpack.cpp.
#include "python/exchange.h"
#include "python/docs.h"
#include "python/interpose.h"

#include "plan/copy.h"
#include "python/keywords.h"
#include "python/numpy_api.h"

namespace rl::py {
namespace {

PyObject* from_numpy(PyObject*, PyObject* array) {
  return guarded([&] {
    const Numpy* np = Numpy::if_imported();
    if (!np || !np->is_array(array))
      fail(ErrorKind::Type, "expected np.ndarray (got ", Py_TYPE(array)->tp_name, ")");
    return wrap(share_array(array));
  });
}

PyObject* array_of(Tensor& t, bool force) {
  if (t.is_meta())
    fail(ErrorKind::Type, "can't convert meta device type tensor to numpy: it has no data");
  RL_CHECK(force || !t.requires_grad || !grad_enabled(),
           "Can't call numpy() on Tensor that requires grad. "
           "Use tensor.detach().numpy() instead.");
  const Numpy& np = Numpy::get();
  // The array keeps an alias, not `t`: set_() on t must not pull the memory away.
  Own owner(wrap(alias(t)));
  PyObject* array = np.new_array(t, owner.get(), !t.storage->read_only);
  t.storage->resizable = false;
  return array;
}

PyObject* numpy(PyObject* self, PyObject* const* args, Py_ssize_t n, PyObject* names) {
  return guarded([&] {
    static const Keywords keys("numpy", 0, {"force"});
    PyObject* force = nullptr;
    keys.read(args, n, names, &force, 0);
    return array_of(*as_tensor(self), force && is_true(force));
  });
}

// ---- the buffer protocol
void drop_buffer(void* context) {
  if (!Py_IsInitialized()) return;
  PyGILState_STATE state = PyGILState_Ensure();
  auto* view = static_cast<Py_buffer*>(context);
  PyBuffer_Release(view);
  delete view;
  PyGILState_Release(state);
}

struct Region {
  int64_t offset, count;
};

// Which elements of a buffer of `length` bytes are wanted; ValueError otherwise.
Region buffer_region(int64_t length, int64_t item, int64_t count, int64_t offset) {
  auto wrong = [](const auto&... what) { fail(ErrorKind::Value, what...); };
  if (length <= 0 || count == 0)
    wrong("both buffer length (", length, ") and count (", count, ") must not be 0");
  if (offset < 0 || offset >= length)
    wrong("offset (", offset, " bytes) must be non-negative and no greater than buffer length (",
          length, " bytes) minus 1");
  if (count > 0 && (count > (length - offset) / item))
    wrong("requested buffer length (", count, " * ", item, " bytes) after offset (", offset,
          " bytes) must not be greater than actual buffer length (", length, " bytes)");
  if (count < 0 && (length - offset) % item)
    wrong("buffer length (", length - offset, " bytes) after offset (", offset,
          " bytes) must be a multiple of element size (", item, ")");
  return {offset, count < 0 ? (length - offset) / item : count};
}

Ref<Tensor> over_buffer(PyObject* o, DType dtype, int64_t count, int64_t offset) {
  auto* view = new Py_buffer;
  if (PyObject_GetBuffer(o, view, PyBUF_WRITABLE) < 0) {
    PyErr_Clear();
    if (PyObject_GetBuffer(o, view, PyBUF_SIMPLE) < 0) {
      delete view;
      throw PythonError{};
    }
  }
  bool read_only = view->readonly;
  Storage* s = adopt_storage(view->buf, static_cast<size_t>(view->len), drop_buffer, view);
  s->read_only = read_only;
  Ref<Tensor> whole = alias(s, Sizes(), Sizes(), 0, DType::U8, Device::Cpu);  // owns s from here
  release(s);
  Region r = buffer_region(view->len, item_size(dtype), count, offset);
  if (read_only)
    checked(PyErr_WarnEx(PyExc_UserWarning,
                         "The given buffer is not writable, and tensors do not carry "
                         "that mark: writing to this tensor writes to memory that is meant to be "
                         "read-only. Copy the buffer first if you will write.",
                         1));
  int64_t one = 1;
  if (r.offset % item_size(dtype) == 0)
    return alias(s, Sizes(&r.count, 1), Sizes(&one, 1), r.offset / item_size(dtype), dtype,
                 Device::Cpu);
  // Not a whole number of elements in: a storage of its own that starts there, on the same bytes.
  retain(s);
  auto let_go = [](void* p) { release(static_cast<Storage*>(p)); };
  Storage* shifted = adopt_storage(static_cast<char*>(s->data) + r.offset,
                                   static_cast<size_t>(r.count * item_size(dtype)), let_go, s);
  Ref<Tensor> t = alias(shifted, Sizes(&r.count, 1), Sizes(&one, 1), 0, dtype, Device::Cpu);
  release(shifted);
  return t;
}

void set_requires_grad(Tensor& t, PyObject* wanted) {
  if (!wanted || !is_true(wanted)) return;
  RL_CHECK(is_inexact(t.dtype),
           "Only Tensors of floating point and complex dtype can require gradients");
  t.requires_grad = true;
}

DType need_dtype(PyObject* o, const char* op) {
  if (!names_dtype(o))
    fail(ErrorKind::Type, op, "(): argument 'dtype' must be a dtype, not ", Py_TYPE(o)->tp_name);
  return as_dtype(o);
}

PyObject* frombuffer(PyObject*, PyObject* const* args, Py_ssize_t n, PyObject* names) {
  return guarded([&] {
    static const Keywords keys("frombuffer", 1,
                               {"buffer", "dtype", "count", "offset", "requires_grad"});
    PyObject* a[5] = {};
    keys.read(args, n, names, a, 2);
    if (!PyObject_CheckBuffer(a[0]))
      fail(ErrorKind::Value, "object does not implement Python buffer protocol.");
    int64_t count = a[2] ? to_index(a[2], "frombuffer", "count") : -1;
    int64_t offset = a[3] ? to_index(a[3], "frombuffer", "offset") : 0;
    Ref<Tensor> t = over_buffer(a[0], need_dtype(a[1], "frombuffer"), count, offset);
    set_requires_grad(*t, a[4]);
    return wrap(std::move(t));
  });
}

PyObject* py_from_dlpack(PyObject*, PyObject* const* args, Py_ssize_t n, PyObject* names) {
  return guarded([&] {
    static const Keywords keys("from_dlpack", 1, {"ext_tensor", "device", "copy"});
    PyObject* a[3] = {};
    keys.read(args, n, names, a, 1);
    if (a[1] && a[1] != Py_None && to_device(a[1], "from_dlpack") != Device::Cpu)
      fail(ErrorKind::NotImplemented, "from_dlpack: only device='cpu' is supported");
    return wrap(from_dlpack(a[0], a[2]));
  });
}

// ---- asarray: shares where it can
struct Source {
  Own tensor;
  bool shared;
};

Source source_of(PyObject* o, PyObject* dtype) {
  if (is_tensor(o)) return {Own::share(o), true};
  bool plain = PyList_Check(o) || PyTuple_Check(o) || is_number(o);
  const Numpy* np = Numpy::if_imported();
  if (np && np->is_array(o)) return {Own(wrap(share_array(o))), true};
  if (!plain && !(np && np->is_scalar(o))) {
    if (PyCapsule_CheckExact(o) || PyObject_HasAttrString(o, "__dlpack__"))
      return {Own(wrap(from_dlpack(o, nullptr))), true};
    if (PyObject_CheckBuffer(o)) {
      DType d = dtype ? need_dtype(dtype, "asarray") : default_dtype();
      bool is_storage =
          PyObject_HasAttrString(o, "nbytes") && PyObject_HasAttrString(o, "is_shared");
      if (is_storage && PyObject_Size(o) == 0) {
        int64_t none = 0;
        return {Own(wrap(empty(Sizes(&none, 1), d, Device::Cpu))), true};
      }
      return {Own(wrap(over_buffer(o, d, -1, 0))), true};
    }
  }
  DType d = dtype ? need_dtype(dtype, "asarray") : DType::F32;
  return {Own(wrap(from_data(o, dtype ? &d : nullptr, Device::Cpu))), false};
}

Own convert_to(Own t, PyObject* dtype, PyObject* device, bool must_share) {
  Tensor& x = *as_tensor(t.get());
  Device target = device ? to_device(device, "asarray") : x.device;
  DType want = dtype ? need_dtype(dtype, "asarray") : x.dtype;
  if (want == x.dtype && target == x.device) return t;
  if (must_share)
    fail(ErrorKind::Value, "can't alias tensor with dtype '", info(x.dtype).legacy_name,
         "' into dtype '", info(want).legacy_name, "'.");
  return Own(
      checked(PyObject_CallMethod(t.get(), "to", "OO", device_object(target), dtype_object(want))));
}

void warn_of_kept_gradient() {
  checked(PyErr_WarnEx(PyExc_UserWarning,
                       "asarray: the result requires a gradient, as obj does; pass "
                       "requires_grad=True to ask for that, or requires_grad=False for a tensor "
                       "outside of the graph",
                       1));
}

PyObject* asarray(PyObject*, PyObject* const* args, Py_ssize_t n, PyObject* names) {
  return guarded([&]() -> PyObject* {
    static const Keywords keys("asarray", 1, {"obj", "dtype", "device", "copy", "requires_grad"});
    PyObject* a[5] = {};
    keys.read(args, n, names, a, 1);
    for (int i : {1, 2, 3, 4})
      if (a[i] == Py_None) a[i] = nullptr;
    bool must_copy = a[3] && is_true(a[3]), must_share = a[3] && !must_copy;
    Source s = source_of(a[0], a[1]);
    if (const Numpy* np = Numpy::if_imported(); must_share && np && np->is_scalar(a[0]))
      fail("can't alias NumPy scalars: leave out copy=False, or give an array");
    if (must_share && !s.shared)
      fail(ErrorKind::Value, "can't alias arbitrary sequence into a tensor.");
    PyObject* before = s.tensor.get();
    Own t = convert_to(std::move(s.tensor), a[1], a[2], must_share);
    if (must_copy && s.shared && t.get() == before)
      t = Own(checked(PyObject_CallMethod(before, "clone", nullptr)));
    const bool has = as_tensor(t.get())->requires_grad, wants = a[4] ? is_true(a[4]) : has;
    if (!a[4] && has) warn_of_kept_gradient();
    if (has != wants) t = Own(checked(PyObject_CallMethod(t.get(), "detach", nullptr)));
    if (wants && !has) set_requires_grad(*as_tensor(t.get()), a[4]);
    return t.give();
  });
}

constexpr int kFast = METH_FASTCALL | METH_KEYWORDS;
PyMethodDef functions[] = {{"from_numpy", from_numpy, METH_O, docs::kFromNumpy},
                           {"frombuffer", fast(frombuffer), kFast, docs::kFromBuffer},
                           {"from_dlpack", fast(py_from_dlpack), kFast, docs::kFromDlpack},
                           {"asarray", fast(asarray), kFast, docs::kAsarray},
                           {}};

}  // namespace

PyMethodDef exchange_methods[] = {{"numpy", hooked<numpy>(), kFast, docs::kNumpy}, {}};

void add_exchange(PyObject* module) {
  checked(PyModule_AddFunctions(module, functions));
  add_tensor_methods(exchange_methods);
  checked(PyModule_AddFunctions(module, dlpack_functions));
}

}  // namespace rl::py
