// Single values out of tensors: item, tolist, and Python's numeric conversions.
// Making tensors from Python values is in from_data.cpp.
#include <cmath>

#include "python/data_access.h"
#include "python/interpose.h"

namespace rl::py {
namespace {

const void* only_element(const Tensor& t) {
  if (t.kind) refuse_kind("item", t);
  RL_CHECK(t.numel == 1, "a Tensor with ", t.numel, " elements cannot be converted to Scalar");
  RL_CHECK(!t.is_meta(), "Tensor.item() cannot be called on meta tensors");
  require_bytes(t);
  return t.raw();
}

void need_one(const Tensor& t) {
  if (t.numel != 1)
    fail(ErrorKind::Value, "only one element tensors can be converted to Python scalars, got ",
         t.sizes());
}

PyObject* list_of(const Tensor& t, int dim, const char* at) {
  if (dim == t.ndim) return checked(scalar_object(at, t.dtype));
  int64_t n = t.size(dim), step = t.stride(dim) * item_size(t.dtype);
  Own list(checked(PyList_New(n)));
  if (dim + 1 == t.ndim) {
    if (n) scalar_objects(PySequence_Fast_ITEMS(list.get()), n, at, step, t.dtype);
    return list.give();
  }
  for (int64_t i = 0; i < n; ++i)
    PyList_SET_ITEM(list.get(), i, list_of(t, dim + 1, at + i * step));
  return list.give();
}

}  // namespace

PyObject* tensor_item(Tensor& t) { return checked(scalar_object(only_element(t), t.dtype)); }

PyObject* tensor_tolist(Tensor& t) {
  if (t.kind) refuse_kind("tolist", t);
  if (t.is_meta())
    fail(ErrorKind::NotImplemented, "tolist: cannot copy out of a meta tensor; it has no data");
  require_bytes(t);
  return list_of(t, 0, static_cast<const char*>(t.raw()));
}

PyObject* tensor_float(Tensor& t) {
  need_one(t);
  Own item(tensor_item(t));
  if (PyComplex_Check(item.get())) {
    Py_complex v = PyComplex_AsCComplex(item.get());
    RL_CHECK(v.imag == 0,
             "value cannot be converted to type double without overflow: imaginary part ", v.imag);
    return checked(PyFloat_FromDouble(v.real));
  }
  return checked(PyNumber_Float(item.get()));
}

PyObject* tensor_int(Tensor& t) {
  need_one(t);
  Own item(tensor_item(t));
  if (PyComplex_Check(item.get())) item = Own(tensor_float(t));
  return checked(PyNumber_Long(item.get()));
}

PyObject* tensor_index(Tensor& t) {
  if (t.numel != 1 || !is_integral(t.dtype))
    fail(ErrorKind::Type, "only integer tensors of a single element can be converted to an index");
  return tensor_int(t);
}

PyObject* tensor_complex(Tensor& t) {
  need_one(t);
  Own item(tensor_item(t));
  Py_complex v = PyComplex_AsCComplex(item.get());
  if (PyErr_Occurred()) throw PythonError{};
  return checked(PyComplex_FromCComplex(v));
}

int tensor_bool(Tensor& t) {
  RL_CHECK(t.numel == 1, "Boolean value of Tensor with ",
           t.numel ? "more than one value" : "no values", " is ambiguous");
  if (t.kind) refuse_kind("__bool__", t);
  RL_CHECK(!t.is_meta(), "Boolean value of a meta tensor is not known: it has no data");
  if (is_float8(t.dtype)) return PyObject_IsTrue(Own(tensor_item(t)).get());
  return dispatch(t.dtype, [&]<class T>() -> int {
    const T& v = *t.data<T>();
    if constexpr (requires { v.re; })
      return v.re != 0 || v.im != 0;
    else if constexpr (sizeof(T) == 2 && !std::is_integral_v<T>)
      return static_cast<float>(v) != 0;
    else
      return v != T(0);
  });
}

}  // namespace rl::py
