// What the binding's files share: wrapping, errors, the small Python types, and access to
// the op table. The only header that includes Python.h.
#pragma once
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <structmember.h>
#if PY_VERSION_HEX < 0x030B0000
#include <longintrepr.h>
#endif

#include "core/tensor.h"
#include "plan/call.h"

namespace rl::py {

static_assert(sizeof(PyObject) == sizeof(Object));
inline PyObject* object(const Object* o) {
  return reinterpret_cast<PyObject*>(const_cast<Object*>(o));
}

// Owns one count of any Python object.
class Own {
 public:
  Own() = default;
  explicit Own(PyObject* p) : p_(p) {}  // takes over the caller's count
  Own(Own&& o) noexcept : p_(std::exchange(o.p_, nullptr)) {}
  Own& operator=(Own&& o) noexcept {
    std::swap(p_, o.p_);
    return *this;
  }
  ~Own() { Py_XDECREF(p_); }
  static Own share(PyObject* p) {
    Py_XINCREF(p);
    return Own(p);
  }
  PyObject* get() const { return p_; }
  PyObject* give() { return std::exchange(p_, nullptr); }
  explicit operator bool() const { return p_ != nullptr; }

 private:
  PyObject* p_ = nullptr;
};

// --- errors. Inside the binding a Python error travels as PythonError, so that destructors
// run; at the boundary `guarded` turns every exception into a set Python error.
struct PythonError {};
inline PyObject* checked(PyObject* p) {
  if (!p) throw PythonError{};
  return p;
}
inline void checked(int status) {
  if (status < 0) throw PythonError{};
}
void set_error_from_current_exception() noexcept;
template <class F>
[[gnu::always_inline]] inline PyObject* guarded(F&& f) noexcept {
  try {
    return f();
  } catch (...) {
    set_error_from_current_exception();
    return nullptr;
  }
}
template <class F>
int guarded_int(F&& f) noexcept {
  try {
    return f();
  } catch (...) {
    set_error_from_current_exception();
    return -1;
  }
}

// --- tensors
extern PyTypeObject* TensorType;  // rushlight.Tensor
inline bool is_tensor(PyObject* o) {
  return Py_TYPE(o) == TensorType || PyType_IsSubtype(Py_TYPE(o), TensorType);
}
inline Tensor* as_tensor(PyObject* o) { return reinterpret_cast<Tensor*>(o); }
inline PyObject* wrap(Ref<Tensor> t) { return object(t.give()); }

// --- dtype, device, Size, layout, memory_format objects (singletons where PyTorch has them)
PyObject* dtype_object(DType d);  // borrowed
bool is_dtype(PyObject* o);
bool names_dtype(PyObject* o);  // a dtype, or float, int, bool, complex
DType as_dtype(PyObject* o);
PyObject* device_object(Device d);               // borrowed
Device to_device(PyObject* o, const char* op);   // str, device object; raises for cuda
void check_device(PyObject* o, const char* op);  // that it names one, here or not; may be null
PyObject* make_size(Sizes sizes);                // new reference to a rushlight.Size
MemoryFormat to_memory_format(PyObject* o, const char* op);
PyObject* format_object(MemoryFormat f);                 // borrowed
bool is_strided(PyObject* layout, const char* op);       // raises for what is no layout
void require_strided(PyObject* layout, const char* op);  // raises for sparse layouts

// --- numbers and sequences from Python
// Of one digit, as nearly all are: read without a call. (bool is another type.)
inline bool is_small_int(PyObject* o, int64_t& value) {
  if (!PyLong_CheckExact(o)) return false;
#if PY_VERSION_HEX < 0x030C0000
  Py_ssize_t sign = Py_SIZE(o);
  if (sign < -1 || sign > 1) return false;
  value = sign * static_cast<int64_t>(reinterpret_cast<PyLongObject*>(o)->ob_digit[0]);
#else
  if (!PyUnstable_Long_IsCompact(reinterpret_cast<PyLongObject*>(o))) return false;
  value = PyUnstable_Long_CompactValue(reinterpret_cast<PyLongObject*>(o));
#endif
  return true;
}
bool is_number(PyObject* o);  // bool, int, float, complex, NumPy scalars
Scalar to_scalar(PyObject* o, const char* op, const char* arg);
int64_t to_index(PyObject* o, const char* op, const char* arg);
SizeVec to_sizes(PyObject* o, const char* op, const char* arg);  // int or sequence of ints
PyObject* scalar_object(const void* data, DType d);              // the Python number at data
// The Python numbers of n elements that lie `step` bytes apart, as new references.
void scalar_objects(PyObject** to, int64_t n, const char* data, int64_t step, DType d);

// --- calling ops from C++ by their public name; records gradients as Python calls do.
PyObject* call_op(const char* name, PyObject* const* args, size_t n);  // new reference

// --- autograd state of the thread
bool grad_enabled();
bool inference_mode();

// --- one add_xxx per file; each adds its types and functions to the module
void add_types(PyObject* module);              // types.cpp: dtype, device, Size, ...
void add_tensor(PyObject* module);             // tensor_type.cpp
void add_ops(PyObject* module);                // op.cpp
void add_autograd(PyObject* module);           // passes.cpp: nodes, passes, hooks
void add_creation(PyObject* module);           // from_data.cpp: tensor(), as_tensor, item, tolist
void add_exchange(PyObject* module);           // exchange.cpp: NumPy, buffers, DLPack
void add_interposition(PyObject* module);      // interpose.cpp: the hook of modes and other kinds
void add_levels(PyObject* module);             // levels.cpp: wrappers of function transforms
void add_dispatch(PyObject* module);           // dispatch.cpp: classes and modes below autograd
void add_indexing(PyObject* module);           // index.cpp: __getitem__, __setitem__
void add_storage(PyObject* module);            // storage_type.cpp: UntypedStorage
void add_module_attributes(PyObject* module);  // module_attributes.cpp
void add_module_state(PyObject* module);       // module_state.cpp: state dicts of plain modules
void add_grad_contexts(PyObject* module);      // grad_context.cpp: what no_grad enters
void add_parameters(PyObject* module);         // parameters.cpp: questions of optimizers
void add_package_type(PyObject* module);       // package_type.cpp: modules that load their parts
void add_random(PyObject* module);             // generator_type.cpp: Generator

}  // namespace rl::py
