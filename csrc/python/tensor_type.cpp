// The tensor as a Python object: life cycle, and the number and sequence slots, each bound to an op
// by the op's own record. Names Python protocols, no operator. Attributes: tensor_attributes.cpp.
#include <cstring>

#include "python/data_access.h"
#include "python/graph.h"
#include "python/op.h"
#include "python/state.h"
#include "python/tensor_type.h"

namespace rl::py {

PyTypeObject* TensorType;

namespace {

// ---- life
constexpr int kFreeMax = 256;
PyObject* free_list_[kFreeMax];
int free_count_ = 0;

void reset(Tensor& t) {
  std::memset(reinterpret_cast<char*>(&t) + sizeof(PyObject), 0, sizeof(Tensor) - sizeof(PyObject));
}

void drop_graph(Tensor& t) {
  if (Node* n = std::exchange(t.grad_fn, nullptr)) drop_node(n);
  if (ViewInfo* v = std::exchange(t.view, nullptr)) delete v;
  if (Tensor* g = std::exchange(t.grad, nullptr)) release(g);
}

int tensor_traverse(PyObject* self, visitproc visit, void* arg) {
  Tensor& t = *as_tensor(self);
  if (Py_TYPE(self)->tp_flags & Py_TPFLAGS_HEAPTYPE) Py_VISIT(Py_TYPE(self));
  if (t.grad_fn) Py_VISIT(object(t.grad_fn));
  if (t.grad) Py_VISIT(object(t.grad));
  if (t.view) Py_VISIT(object(t.view->base.get()));
  if (t.hooks) Py_VISIT(object(t.hooks));
  if (t.post_hooks) Py_VISIT(object(t.post_hooks));
  if (t.dict) Py_VISIT(object(t.dict));
  return 0;
}
int tensor_clear(PyObject* self) {
  Tensor& t = *as_tensor(self);
  drop_graph(t);
  clear(t.hooks);
  clear(t.post_hooks);
  clear(t.dict);
  return 0;
}
void tensor_dealloc(PyObject* self) {
  Tensor& t = *as_tensor(self);
  PyTypeObject* type = Py_TYPE(self);
  PyObject_GC_UnTrack(self);
  if (t.weak_refs) PyObject_ClearWeakRefs(self);
  tensor_clear(self);
  free_geometry(t);
  drop_version(t);
  if (t.storage) release(t.storage);
  if (type == TensorType && free_count_ < kFreeMax) {
    free_list_[free_count_++] = self;
  } else {
    type->tp_free(self);
  }
  Py_DECREF(type);
}

// A new instance of cls, a subclass, over t's memory.
PyObject* instance_over(PyTypeObject* cls, Tensor& t) {
  Own o(checked(cls->tp_alloc(cls, 0)));
  Tensor& s = *as_tensor(o.get());
  reset(s);
  s.dtype = t.dtype;
  s.device = t.device;
  set_geometry(s, t.sizes(), t.strides());
  s.offset = t.offset;
  if (t.storage) retain(t.storage);
  s.storage = t.storage;
  s.is_subclass = true;
  return o.give();
}

PyObject* tensor_new(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
  return guarded([&]() -> PyObject* {
    if (kwargs && PyDict_GET_SIZE(kwargs)) {  // only device= is accepted by the legacy constructor
      PyObject* device = PyDict_GetItemString(kwargs, "device");
      if (!device || PyDict_GET_SIZE(kwargs) > 1)
        fail(ErrorKind::Type, "Tensor(): unexpected keyword argument; use torch.tensor()");
      to_device(device, "Tensor");
    }
    Py_ssize_t n = PyTuple_GET_SIZE(args);
    Ref<Tensor> t;
    PyObject* first = n == 1 ? PyTuple_GET_ITEM(args, 0) : nullptr;
    DType d = default_dtype();
    if (first && is_tensor(first)) t = alias(*as_tensor(first));
    if (!t) {
      bool sizes = true;
      for (Py_ssize_t i = 0; i < n; ++i) sizes &= PyLong_Check(PyTuple_GET_ITEM(args, i));
      if (sizes)
        t = empty(n ? to_sizes(args, "Tensor", "size") : SizeVec{0}, d);
      else if (first && std::strcmp(Py_TYPE(first)->tp_name, "rushlight.Size") == 0)
        t = empty(to_sizes(first, "Tensor", "size"), d);
      else if (first)
        t = from_data(first, &d, Device::Cpu);
      else
        fail(ErrorKind::Type, "new(): expected sizes as ints, or one sequence of data");
    }
    if (type == TensorType) return wrap(std::move(t));
    return instance_over(type, *t);
  });
}

PyMemberDef members[] = {
    {"__dictoffset__", T_PYSSIZET, offsetof(Tensor, dict), READONLY, nullptr},
    {"__weaklistoffset__", T_PYSSIZET, offsetof(Tensor, weak_refs), READONLY, nullptr},
    {nullptr, 0, 0, 0, nullptr}};

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

template <int K>
PyObject* binary(PyObject* a, PyObject* b) {
  if (!operator_ops[K]) Py_RETURN_NOTIMPLEMENTED;
  return guarded([&] { return call_binary(*operator_ops[K], a, b, Form::Function); });
}
template <int K>
PyObject* inplace(PyObject* a, PyObject* b) {
  return guarded([&] { return call_binary(*operator_ops[K], a, b, Form::Inplace); });
}
template <int K>
PyObject* unary(PyObject* a) {
  return guarded([&] {
    Slots s;
    s.at[0] = a;
    return invoke(*operator_ops[K], s, Form::Function);
  });
}
PyObject* power(PyObject* a, PyObject* b, PyObject*) { return binary<kPow>(a, b); }
PyObject* inplace_power(PyObject* a, PyObject* b, PyObject*) { return inplace<kPow>(a, b); }
PyObject* compare(PyObject* a, PyObject* b, int op) {
  static_assert(kEq - kLt == Py_EQ - Py_LT && kGe - kLt == Py_GE - Py_LT);
  return guarded(
      [&]() -> PyObject* { return call_binary(*operator_ops[kLt + op], a, b, Form::Function); });
}
int truth(PyObject* a) {
  return guarded_int([&] { return tensor_bool(*as_tensor(a)); });
}
PyObject* to_float(PyObject* a) {
  return guarded([&] { return tensor_float(*as_tensor(a)); });
}
PyObject* to_int(PyObject* a) {
  return guarded([&] { return tensor_int(*as_tensor(a)); });
}
PyObject* to_index_slot(PyObject* a) {
  return guarded([&] { return tensor_index(*as_tensor(a)); });
}
Py_ssize_t length(PyObject* a) {
  Tensor& t = *as_tensor(a);
  if (t.ndim == 0) {
    PyErr_SetString(PyExc_TypeError, "len() of a 0-d tensor");
    return -1;
  }
  return t.size(0);
}
Py_hash_t identity_hash(PyObject* a) { return _Py_HashPointer(a); }
PyObject* iterate(PyObject* a) {
  return guarded([&]() -> PyObject* {
    if (as_tensor(a)->ndim == 0) fail(ErrorKind::Type, "iteration over a 0-d tensor");
    Own rows(call_op("unbind", &a, 1));
    return PyObject_GetIter(rows.get());
  });
}
PyObject* sequence_item(PyObject* a, Py_ssize_t i) {
  Own index(PyLong_FromSsize_t(i));
  return guarded([&] { return tensor_getitem(a, index.get()); });
}
PyObject* subscript(PyObject* a, PyObject* i) {
  return guarded([&] { return tensor_getitem(a, i); });
}
int assign(PyObject* a, PyObject* i, PyObject* v) {
  if (!v) {
    PyErr_SetString(PyExc_TypeError, "Tensor does not support deleting items");
    return -1;
  }
  return guarded_int([&] { return tensor_setitem(a, i, v); });
}

PyType_Slot type_slots[] = {{Py_tp_new, slot(tensor_new)},
                            {Py_tp_dealloc, slot(tensor_dealloc)},
                            {Py_tp_traverse, slot(tensor_traverse)},
                            {Py_tp_clear, slot(tensor_clear)},
                            {Py_tp_methods, tensor_methods},
                            {Py_tp_getset, tensor_getset},
                            {Py_tp_members, members},
                            {Py_tp_hash, slot(identity_hash)},
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

}  // namespace

// _make_subclass(cls, data, requires_grad=False): `data`'s memory as an instance of cls.
PyObject* make_subclass(PyObject*, PyObject* args) {
  return guarded([&]() -> PyObject* {
    PyTypeObject* cls;
    PyObject* data;
    int requires_grad = 0;
    if (!PyArg_ParseTuple(args, "O!O!|p", &PyType_Type, &cls, TensorType, &data, &requires_grad))
      throw PythonError{};
    if (!PyType_IsSubtype(cls, TensorType))
      fail(ErrorKind::Type, "_make_subclass: expected a subclass of Tensor, got ", cls->tp_name);
    Tensor& t = *as_tensor(data);
    if (requires_grad && !is_inexact(t.dtype))
      fail("Only Tensors of floating point and complex dtype can require gradients");
    Own o(instance_over(cls, t));
    as_tensor(o.get())->requires_grad = requires_grad;
    return o.give();
  });
}

void add_tensor_methods(PyMethodDef* list) {
  for (PyMethodDef* m = list; m->ml_name; ++m) {
    Own f(checked(m->ml_flags & METH_STATIC ? PyCFunction_New(m, nullptr)
                                            : PyDescr_NewMethod(TensorType, m)));
    checked(PyObject_SetAttrString(reinterpret_cast<PyObject*>(TensorType), m->ml_name, f.get()));
  }
}

void add_tensor(PyObject* module) {
  Own strided(checked(PyObject_GetAttrString(module, "strided")));
  for (PyGetSetDef* g = tensor_getset; g->name; ++g)
    if (g->get == get_layout) g->closure = strided.get();
  PyType_Spec spec{"rushlight.Tensor", sizeof(Tensor), 0,
                   Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE, type_slots};
  TensorType = reinterpret_cast<PyTypeObject*>(checked(PyType_FromSpec(&spec)));
  // NumPy must leave mixed expressions to the tensor's own operators.
  Own priority(PyLong_FromLong(1000));
  checked(PyObject_SetAttrString(reinterpret_cast<PyObject*>(TensorType), "__array_priority__",
                                 priority.get()));
  checked(PyModule_AddObjectRef(module, "Tensor", reinterpret_cast<PyObject*>(TensorType)));
}

}  // namespace rl::py

namespace rl {
using namespace py;

void retain(Object* o) { Py_INCREF(object(o)); }
void release(Object* o) { Py_DECREF(object(o)); }

Unlocked::Unlocked(int64_t work) {
  if (work > 65536) state_ = PyEval_SaveThread();
}
Unlocked::~Unlocked() {
  if (state_) PyEval_RestoreThread(static_cast<PyThreadState*>(state_));
}

Tensor* new_tensor_object() {
  PyObject* o;
  if (free_count_ > 0) {
    o = free_list_[--free_count_];
    Py_INCREF(TensorType);
    Py_SET_REFCNT(o, 1);
    PyObject_GC_Track(o);
  } else {
    o = TensorType->tp_alloc(TensorType, 0);
    if (!o) throw PythonError{};
  }
  Tensor& t = *as_tensor(o);
  reset(t);
  t.is_inference = inference_mode();
  return &t;
}
}  // namespace rl
