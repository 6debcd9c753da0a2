// The tensor's operators: number, comparison and sequence slots. Arithmetic is bound to ops by the
// ops' own records; this file names Python protocols, no operator.
#include "python/data_access.h"
#include "python/dispatch.h"
#include "python/interpose.h"
#include "python/numpy_api.h"
#include "python/op.h"

namespace rl::py {
namespace {

template <class F>
void* slot(F* f) {
  return reinterpret_cast<void*>(f);
}

// ---- operators: slot number -> op, filled from the records (ops/_record.py lists the same
// order). A reflected call arrives with the tensor on the right; `a` stays the left operand.
enum Operator {
  kAdd,
  kSub,
  kMul,
  kTrueDiv,
  kFloorDiv,
  kMod,
  kPow,
  kMatmul,
  kAnd,
  kOr,
  kXor,
  kLshift,
  kRshift,
  kNeg,
  kPos,
  kAbs,
  kInvert,
  kLt,
  kLe,
  kEq,
  kNe,
  kGt,
  kGe
};

constexpr const char* kReflected[] = {
    "add",         "__rsub__", "mul",     "__rtruediv__", "__rfloordiv__", "__rmod__",   "__rpow__",
    "__rmatmul__", "__rand__", "__ror__", "__rxor__",     "__rlshift__",   "__rrshift__"};

// The operator as users would call it: Tensor.add for a + b, Tensor.__rsub__(b, a) for 2 - b.
PyObject* redirect_operator(const Op& op, PyObject* a, PyObject* b, Form form,
                            const char* reflected) {
  PyObject *straight[] = {a, b}, *swapped[] = {b, a};
  if (b && !is_tensor(a)) return redirect_member(reflected, nullptr, swapped, 2);
  std::string name = op.public_name + (form == Form::Inplace ? "_" : "");
  return redirect_member(name.c_str(), nullptr, straight, b ? 2 : 1);
}

// The same beside what is neither tensor nor number: a TypeError leaves the operator to that side.
PyObject* offer_operator(const Op& op, PyObject* a, PyObject* b, Form form, const char* reflected) {
  try {
    return redirect_operator(op, a, b, form, reflected);
  } catch (const PythonError&) {
    if (!PyErr_ExceptionMatches(PyExc_TypeError)) throw;
    PyErr_Clear();
    Py_RETURN_NOTIMPLEMENTED;
  }
}

// The fast path: no argument list to parse. `reflected` names the dunder that has b on the left.
PyObject* call_binary(Op& op, PyObject* a, PyObject* b, Form form, const char* reflected) {
  Slots slots;
  slots.at[0] = a;
  slots.at[1] = b;
  slots.end = 2;
  bool left = is_tensor(a), right = is_tensor(b);
  auto number = [&](int i, PyObject* o) {
    return op.args[i].type == ArgType::Operand && is_number(o);
  };
  bool fits = (left || number(0, a)) && (right || number(1, b));
  slots.interposed = interposers_;
  if (left) slots.interposed |= as_tensor(a)->interposed;
  if (right) slots.interposed |= as_tensor(b)->interposed;
  if (!fits && !has_torch_function(a) && !has_torch_function(b)) Py_RETURN_NOTIMPLEMENTED;
  if (asks_first(slots.interposed) || !fits) [[unlikely]] {
    if (!fits) return offer_operator(op, a, b, form, reflected);
    PyObject* result = redirect_operator(op, a, b, form, reflected);
    if (result != Py_NotImplemented) return result;
    Py_DECREF(result);
  }
  return invoke(op, slots, form);
}

PyObject* call_unary(Op& op, PyObject* a) {
  Slots slots;
  slots.at[0] = a;
  slots.end = 1;
  slots.interposed = as_tensor(a)->interposed | interposers_;
  if (asks_first(slots.interposed)) [[unlikely]] {
    PyObject* result = redirect_operator(op, a, nullptr, Form::Function, nullptr);
    if (result != Py_NotImplemented) return result;
    Py_DECREF(result);
  }
  return invoke(op, slots, Form::Function);
}

// Of operators whose left side is an array, PyTorch computes this one alone, and so.
PyObject* divide_array(PyObject* array, PyObject* by, PyObject* not_implemented) {
  const Numpy* np = Numpy::if_imported();
  if (!np || !np->is_array(array)) return not_implemented;
  Py_DECREF(not_implemented);
  Own inverse(checked(PyObject_CallMethod(by, "reciprocal", nullptr)));
  return checked(PyNumber_Multiply(inverse.get(), array));
}
template <int K>
PyObject* binary(PyObject* a, PyObject* b) {
  if (!operator_ops[K]) Py_RETURN_NOTIMPLEMENTED;
  return guarded([&]() -> PyObject* {
    PyObject* result = call_binary(*operator_ops[K], a, b, Form::Function, kReflected[K]);
    if (K == kTrueDiv && result == Py_NotImplemented) return divide_array(a, b, result);
    return result;
  });
}
template <int K>
PyObject* inplace(PyObject* a, PyObject* b) {
  return guarded([&] { return call_binary(*operator_ops[K], a, b, Form::Inplace, nullptr); });
}
template <int K>
PyObject* unary(PyObject* a) {
  return guarded([&] {
    if (K == kInvert && is_inexact(as_tensor(a)->dtype))
      fail(ErrorKind::Type, "~ is only implemented on integer and Boolean-type tensors, got ",
           as_tensor(a)->dtype);
    return call_unary(*operator_ops[K], a);
  });
}
PyObject* power(PyObject* a, PyObject* b, PyObject*) { return binary<kPow>(a, b); }
PyObject* inplace_power(PyObject* a, PyObject* b, PyObject*) { return inplace<kPow>(a, b); }
// Arrays are compared as tensors on their memory; those that no tensor can hold are left to NumPy.
PyObject* equals_array(PyObject* a, PyObject* b, PyObject* not_implemented) {
  const Numpy* np = Numpy::if_imported();
  DType unused;
  if (!np || !np->is_array(b) || !numpy_dtype(*reinterpret_cast<NumpyArray*>(b), unused))
    return not_implemented;
  Py_DECREF(not_implemented);
  Own other(wrap(share_array(b, false)));
  return call_binary(*operator_ops[kEq], a, other.get(), Form::Function, nullptr);
}
PyObject* compare(PyObject* a, PyObject* b, int op) {
  static_assert(kEq - kLt == Py_EQ - Py_LT && kGe - kLt == Py_GE - Py_LT);
  return guarded([&]() -> PyObject* {
    PyObject* result = call_binary(*operator_ops[kLt + op], a, b, Form::Function, nullptr);
    return result == Py_NotImplemented && op == Py_EQ ? equals_array(a, b, result) : result;
  });
}

// What whoever interposes makes of Tensor's dunder `name`; null: nobody does, go on.
template <class... A>
PyObject* taken_over(const char* name, PyObject* self, A... rest) {
  if (!(as_tensor(self)->interposed | interposers_)) [[likely]]
    return nullptr;
  PyObject* args[] = {self, rest...};
  PyObject* result = redirect_member(name, nullptr, args, 1 + sizeof...(rest));
  if (result == Py_NotImplemented && dispatch_active(args, 1)) {
    Py_DECREF(result);
    result = dispatch_member(name, args, 1 + sizeof...(rest), nullptr);
  }
  if (result != Py_NotImplemented) return result;
  Py_DECREF(result);
  if (as_tensor(self)->kind && !(as_tensor(self)->interposed & kDispatch))
    refuse_kind(name, *as_tensor(self));
  return nullptr;
}

int truth(PyObject* a) {
  return guarded_int([&] {
    Own other(taken_over("__bool__", a));
    return other ? PyObject_IsTrue(other.get()) : tensor_bool(*as_tensor(a));
  });
}
// Said once a process: programs add up losses without item(), step after step.
void warn_of_recorded(const Tensor& t) {
  static bool said = false;
  if (said || !t.requires_grad) return;
  said = true;
  checked(PyErr_WarnEx(PyExc_UserWarning,
                       "Converting a tensor with requires_grad=True to a scalar: no gradient goes "
                       "through the number. Say so by item() or detach()",
                       1));
}
PyObject* to_float(PyObject* a) {
  return guarded([&] {
    PyObject* other = taken_over("__float__", a);
    if (other) return other;
    warn_of_recorded(*as_tensor(a));
    return tensor_float(*as_tensor(a));
  });
}
PyObject* to_int(PyObject* a) {
  return guarded([&] {
    PyObject* other = taken_over("__int__", a);
    if (other) return other;
    warn_of_recorded(*as_tensor(a));
    return tensor_int(*as_tensor(a));
  });
}
PyObject* to_index_slot(PyObject* a) {
  return guarded([&] {
    PyObject* other = taken_over("__index__", a);
    if (other) return other;
    warn_of_recorded(*as_tensor(a));
    return tensor_index(*as_tensor(a));
  });
}
Py_ssize_t length(PyObject* a) {
  Tensor& t = *as_tensor(a);
  if ((t.interposed & kSubclass) | interposers_) [[unlikely]] {
    Own other(guarded([&] { return redirect_member("__len__", nullptr, &a, 1); }));
    if (!other) return -1;
    if (other.get() != Py_NotImplemented) return PyLong_AsSsize_t(other.get());
  }
  if (t.ndim == 0) {
    PyErr_SetString(PyExc_TypeError, "len() of a 0-d tensor");
    return -1;
  }
  return t.size(0);
}
Py_hash_t identity_hash(PyObject* a) { return _Py_HashPointer(a); }
PyObject* iterate(PyObject* a) {
  return guarded([&]() -> PyObject* {
    // No __torch_function__ is asked for this, but for unbind(), which makes rows of its class.
    if (as_tensor(a)->ndim == 0) fail(ErrorKind::Type, "iteration over a 0-d tensor");
    bool plain = Py_TYPE(a) == TensorType && !interposers_;
    Own rows(plain ? call_op("unbind", &a, 1) : checked(PyObject_CallMethod(a, "unbind", "i", 0)));
    return PyObject_GetIter(rows.get());
  });
}
// Is an index or a value to be asked, as it has one of the protocols, or an item of a tuple?
bool is_plain(PyObject* o) {
  PyTypeObject* type = Py_TYPE(o);
  return type == &PyLong_Type || type == &PySlice_Type || type == &PyFloat_Type || o == Py_None;
}
bool has_function(PyObject* o) {
  if (is_plain(o)) return false;
  if (is_tensor(o)) return marks(o) & (kSubclass | kDispatch);
  return !PyTuple_CheckExact(o) && has_torch_function(o);
}
bool is_foreign(PyObject* o) {
  if (!PyTuple_CheckExact(o)) return has_function(o);
  for (Py_ssize_t k = 0; k < PyTuple_GET_SIZE(o); ++k)
    if (has_function(PyTuple_GET_ITEM(o, k))) return true;
  return false;
}
bool dispatches(PyObject* o) {
  if (!PyTuple_CheckExact(o)) return dispatch_active(&o, 1);
  return dispatch_active(&PyTuple_GET_ITEM(o, 0), PyTuple_GET_SIZE(o));
}
// What an index or value `o` of a class with a __torch_dispatch__ makes of the call of `name`,
// whose ops ask it then; null: it has none, go on.
PyObject* taken_by_index(const char* name, PyObject* o, PyObject* const* args, Py_ssize_t n) {
  PyObject* other = redirect_member(name, nullptr, args, n);
  if (other == Py_NotImplemented && dispatches(o)) {
    Py_DECREF(other);
    other = dispatch_member(name, args, n, nullptr);
  }
  if (other != Py_NotImplemented) return other;
  Py_DECREF(other);
  if (marks(o) && as_tensor(o)->kind) refuse_kind(name, *as_tensor(o));
  return nullptr;
}
PyObject* subscript(PyObject* a, PyObject* i) {
  return guarded([&]() -> PyObject* {
    if (PyObject* other = taken_over("__getitem__", a, i)) return other;
    if (!is_plain(i) && (marks(i) || is_foreign(i))) [[unlikely]] {
      PyObject* args[] = {a, i};
      if (PyObject* other = taken_by_index("__getitem__", i, args, 2)) return other;
    }
    return tensor_getitem(a, i);
  });
}
PyObject* sequence_item(PyObject* a, Py_ssize_t i) {
  Own index(PyLong_FromSsize_t(i));
  return index ? subscript(a, index.get()) : nullptr;
}
int assign(PyObject* a, PyObject* i, PyObject* v) {
  if (!v) {
    PyErr_SetString(PyExc_TypeError, "Tensor does not support deleting items");
    return -1;
  }
  return guarded_int([&] {
    if (Own other(taken_over("__setitem__", a, i, v)); other) return 0;
    for (PyObject* o : {i, v}) {
      if (is_plain(o) || (!marks(o) && !is_foreign(o))) continue;
      PyObject* args[] = {a, i, v};
      if (Own other(taken_by_index("__setitem__", o, args, 3)); other) return 0;
    }
    return tensor_setitem(a, i, v);
  });
}

}  // namespace

PyType_Slot operator_slots[] = {{Py_tp_hash, slot(identity_hash)},
                                {Py_tp_richcompare, slot(compare)},
                                {Py_tp_iter, slot(iterate)},
                                {Py_nb_add, slot(binary<kAdd>)},
                                {Py_nb_subtract, slot(binary<kSub>)},
                                {Py_nb_multiply, slot(binary<kMul>)},
                                {Py_nb_true_divide, slot(binary<kTrueDiv>)},
                                {Py_nb_floor_divide, slot(binary<kFloorDiv>)},
                                {Py_nb_remainder, slot(binary<kMod>)},
                                {Py_nb_power, slot(power)},
                                {Py_nb_matrix_multiply, slot(binary<kMatmul>)},
                                {Py_nb_and, slot(binary<kAnd>)},
                                {Py_nb_or, slot(binary<kOr>)},
                                {Py_nb_xor, slot(binary<kXor>)},
                                {Py_nb_lshift, slot(binary<kLshift>)},
                                {Py_nb_rshift, slot(binary<kRshift>)},
                                {Py_nb_inplace_add, slot(inplace<kAdd>)},
                                {Py_nb_inplace_subtract, slot(inplace<kSub>)},
                                {Py_nb_inplace_multiply, slot(inplace<kMul>)},
                                {Py_nb_inplace_true_divide, slot(inplace<kTrueDiv>)},
                                {Py_nb_inplace_floor_divide, slot(inplace<kFloorDiv>)},
                                {Py_nb_inplace_remainder, slot(inplace<kMod>)},
                                {Py_nb_inplace_power, slot(inplace_power)},
                                {Py_nb_inplace_and, slot(inplace<kAnd>)},
                                {Py_nb_inplace_or, slot(inplace<kOr>)},
                                {Py_nb_inplace_xor, slot(inplace<kXor>)},
                                {Py_nb_inplace_lshift, slot(inplace<kLshift>)},
                                {Py_nb_inplace_rshift, slot(inplace<kRshift>)},
                                {Py_nb_negative, slot(unary<kNeg>)},
                                {Py_nb_positive, slot(unary<kPos>)},
                                {Py_nb_absolute, slot(unary<kAbs>)},
                                {Py_nb_invert, slot(unary<kInvert>)},
                                {Py_nb_bool, slot(truth)},
                                {Py_nb_float, slot(to_float)},
                                {Py_nb_int, slot(to_int)},
                                {Py_nb_index, slot(to_index_slot)},
                                {Py_mp_length, slot(length)},
                                {Py_mp_subscript, slot(subscript)},
                                {Py_mp_ass_subscript, slot(assign)},
                                {Py_sq_item, slot(sequence_item)},
                                {Py_sq_length, slot(length)},
                                {0, nullptr}};

}  // namespace rl::py
