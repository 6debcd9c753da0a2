// The tensor as a Python object: life cycle, attributes, and methods that are no ops. Operators
// are in tensor_slots.cpp.
#include <cstring>

#include "core/warning.h"
#include "python/data_access.h"
#include "python/docs.h"
#include "python/graph.h"
#include "python/interpose.h"
#include "python/keywords.h"
#include "python/op.h"
#include "python/state.h"
#include "python/storage_access.h"

namespace rl::py {

PyTypeObject* TensorType;

// Memory is pinned for an accelerator, and there is none of any kind.
PyObject* is_pinned(PyObject*, PyObject* const* args, Py_ssize_t n, PyObject* names) {
  return guarded([&] {
    static const Keywords keys("is_pinned", 1, {"device"});
    PyObject* device = nullptr;
    keys.read(args, n, names, &device, 0);
    check_device(device, "is_pinned");
    return Py_NewRef(Py_False);
  });
}

namespace {

// ---- life
constexpr int kFreeMax = 1024;
PyObject* free_list_[kFreeMax];
int free_count_ = 0;

void reset(Tensor& t) {
  std::memset(reinterpret_cast<char*>(&t) + sizeof(PyObject), 0, sizeof(Tensor) - sizeof(PyObject));
}

void drop_graph(Tensor& t) {
  if (Node* n = std::exchange(t.grad_fn, nullptr)) drop_node(n);
  if (ViewInfo* v = std::exchange(t.view, nullptr)) std::destroy_at(v);
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
  if (t.payload) Py_VISIT(object(t.payload));
  return 0;
}
int tensor_clear(PyObject* self) {
  Tensor& t = *as_tensor(self);
  drop_graph(t);
  clear(t.hooks);
  clear(t.post_hooks);
  clear(t.dict);
  clear(t.payload);
  return 0;
}
void tensor_dealloc(PyObject* self) {
  Tensor& t = *as_tensor(self);
  PyTypeObject* type = Py_TYPE(self);
  PyObject_GC_UnTrack(self);
  if (t.weak_refs) PyObject_ClearWeakRefs(self);
  if (is_any(t.grad_fn, t.grad, t.view, t.hooks, t.post_hooks, t.dict, t.payload))
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

}  // namespace

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
  s.interposed = subclass_mark(cls);
  if (t.kind) share_kind(s, t);
  return o.give();
}

namespace {

PyObject* tensor_new(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
  return guarded([&]() -> PyObject* {
    Ref<Tensor> t = legacy_tensor(args, kwargs);
    if (type == TensorType) return wrap(std::move(t));
    return instance_over(type, *t);
  });
}

// _make_subclass(cls, data, requires_grad=False): `data`'s memory as an instance of cls.
PyObject* make_subclass(PyObject*, PyObject* args) {
  return guarded([&]() -> PyObject* {
    PyTypeObject* cls;
    PyObject* data;
    int requires_grad = 0;
    if (!PyArg_ParseTuple(args, "O!O!|p", &PyType_Type, &cls, TensorType, &data, &requires_grad))
      throw PythonError{};
    Tensor& t = *as_tensor(data);
    if (requires_grad && !is_inexact(t.dtype))
      fail("Only Tensors of floating point and complex dtype can require gradients");
    if (!PyType_IsSubtype(cls, TensorType))
      fail(ErrorKind::Type, "_make_subclass: expected a subclass of Tensor, got ", cls->tp_name);
    Own o(instance_over(cls, t));
    as_tensor(o.get())->requires_grad = requires_grad;
    return o.give();
  });
}

// ---- attributes
#define TENSOR Tensor& t = *as_tensor(self)
PyObject* get_shape(PyObject* self, void*) {
  return guarded([&] { return make_size(as_tensor(self)->sizes()); });
}
PyObject* get_dtype(PyObject* self, void*) {
  return Py_NewRef(dtype_object(as_tensor(self)->dtype));
}
PyObject* get_device(PyObject* self, void*) {
  return Py_NewRef(device_object(as_tensor(self)->device));
}
PyObject* get_ndim(PyObject* self, void*) { return PyLong_FromLong(as_tensor(self)->ndim); }
PyObject* get_itemsize(PyObject* self, void*) {
  return PyLong_FromLongLong(item_size(as_tensor(self)->dtype));
}
PyObject* get_nbytes(PyObject* self, void*) {
  TENSOR;
  return PyLong_FromLongLong(t.numel * item_size(t.dtype));
}
PyObject* get_false(PyObject*, void*) { Py_RETURN_FALSE; }
PyObject* get_is_cpu(PyObject* self, void*) {
  return PyBool_FromLong(as_tensor(self)->device == Device::Cpu);
}
PyObject* get_is_meta(PyObject* self, void*) { return PyBool_FromLong(as_tensor(self)->is_meta()); }
PyObject* get_requires_grad(PyObject* self, void*) {
  return guarded([&] {
    TENSOR;
    if (t.requires_grad || tensor_grad_fn(t)) Py_RETURN_TRUE;
    // A view taken without recording says what its base does, though nothing flows through it.
    return PyBool_FromLong(t.view && t.view->no_grad && !t.is_inference &&
                           t.view->base->requires_grad);
  });
}
int set_requires_grad(PyObject* self, PyObject* v, void*) {
  return guarded_int([&] {
    TENSOR;
    if (!v || !PyBool_Check(v)) fail("requires_grad must be a bool");
    int on = v == Py_True;
    if (on && !is_inexact(t.dtype))
      fail("only Tensors of floating point dtype can require gradients");
    if (on && t.is_inference && !inference_mode())
      fail("Setting requires_grad=True on inference tensor outside InferenceMode is not allowed.");
    if (!on && tensor_grad_fn(t))
      fail(
          "you can only change requires_grad flags of leaf variables. If you want to use a "
          "computed variable in a subgraph that doesn't require differentiation use var_no_grad = "
          "var.detach().");
    if (!tensor_grad_fn(t)) t.requires_grad = on;
    return 0;
  });
}
PyObject* get_is_leaf(PyObject* self, void*) {
  return guarded([&] { return PyBool_FromLong(!tensor_grad_fn(*as_tensor(self))); });
}
PyObject* get_grad(PyObject* self, void*) {
  TENSOR;
  return Py_NewRef(t.grad ? object(t.grad) : Py_None);
}
// The same for programs, which may wonder why it stays None.
PyObject* get_grad_or_warn(PyObject* self, void* unused) {
  return guarded([&] {
    TENSOR;
    if (!t.grad && t.requires_grad && !t.retains_grad && tensor_grad_fn(t))
      checked(PyErr_WarnEx(PyExc_UserWarning,
                           "The .grad attribute of a Tensor that is not a leaf Tensor is being "
                           "accessed: backward() fills those of leaves only; call retain_grad() "
                           "on it before, or read a leaf's",
                           1));
    return get_grad(self, unused);
  });
}
int set_grad(PyObject* self, PyObject* v, void*) {
  return guarded_int([&] {
    TENSOR;
    Tensor* g = nullptr;
    if (v && v != Py_None) {
      if (!is_tensor(v))
        fail(ErrorKind::Type, "assigned grad expected to be a Tensor or None but got grad of type ",
             Py_TYPE(v)->tp_name);
      g = as_tensor(v);
      if (g == &t) fail("can't assign Variable as its own grad");
      bool same =
          std::equal(t.sizes().begin(), t.sizes().end(), g->sizes().begin(), g->sizes().end());
      if (!same)
        fail("assigned grad has data of a different size: expected ", t.sizes(), ", got ",
             g->sizes());
      if (g->dtype != t.dtype)
        fail("assigned grad has data of a different type: expected ", t.dtype, ", got ", g->dtype);
      retain(g);
    }
    if (Tensor* old = std::exchange(t.grad, g)) release(old);
    return 0;
  });
}
PyObject* get_grad_fn(PyObject* self, void*) {
  return guarded([&] { return shown(tensor_grad_fn(*as_tensor(self))); });
}
PyObject* get_output_nr(PyObject* self, void*) {
  return PyLong_FromUnsignedLong(as_tensor(self)->output_nr);
}
PyObject* get_cdata(PyObject* self, void*) { return PyLong_FromVoidPtr(self); }

PyObject* get_version(PyObject* self, void*) {
  return PyLong_FromUnsignedLong(as_tensor(self)->version());
}
PyObject* get_base(PyObject* self, void*) {
  TENSOR;
  return Py_NewRef(t.view ? object(t.view->base.get()) : Py_None);
}
// Kinds up to the number of sparse layouts are these layouts; other kinds count as strided.
PyObject* layouts_[6];
PyObject* get_layout(PyObject* self, void*) {
  uint8_t kind = as_tensor(self)->kind;
  return Py_NewRef(layouts_[kind < std::size(layouts_) ? kind : 0]);
}
PyObject* get_is_sparse(PyObject* self, void*) {
  return PyBool_FromLong(as_tensor(self)->kind == 1);
}
PyObject* get_is_sparse_csr(PyObject* self, void*) {
  return PyBool_FromLong(as_tensor(self)->kind == 2);
}
// A class may be assigned (a lazy parameter that got its shape), and may take part in the hook.
PyObject* get_class(PyObject* self, void*) {
  return Py_NewRef(reinterpret_cast<PyObject*>(Py_TYPE(self)));
}
// object's own descriptor; through its __dict__, for since Python 3.12 tp_dict is empty there.
PyObject* plain_class_descriptor() {
  Own names(PyObject_GetAttrString(reinterpret_cast<PyObject*>(&PyBaseObject_Type), "__dict__"));
  return names.get() ? PyMapping_GetItemString(names.get(), "__class__") : nullptr;
}
int set_class(PyObject* self, PyObject* cls, void*) {
  static PyObject* plain = plain_class_descriptor();
  if (!plain) return -1;
  if (Py_TYPE(plain)->tp_descr_set(plain, self, cls) < 0) return -1;
  uint8_t& marked = as_tensor(self)->interposed;
  marked = static_cast<uint8_t>((marked & (kKind | kLevel)) | subclass_mark(Py_TYPE(self)));
  return 0;
}
PyObject* get_retains_grad(PyObject* self, void*) {
  return PyBool_FromLong(as_tensor(self)->retains_grad);
}

// ---- methods that are not ops
PyObject* m_size(PyObject* self, PyObject* const* args, Py_ssize_t n, PyObject* names) {
  return guarded([&]() -> PyObject* {
    static const Keywords keys("size", 1, {"dim"});
    TENSOR;
    PyObject* dim = nullptr;
    keys.read(args, n, names, &dim, 0);
    if (!dim || dim == Py_None) return make_size(t.sizes());
    int d = wrap_dim(to_index(dim, "size", "dim"), t.ndim, "size");
    if (t.ndim == 0)
      fail(ErrorKind::Index, "size(): Dimension specified as ", d, " but tensor has no dimensions");
    return PyLong_FromLongLong(t.size(d));
  });
}
PyObject* m_stride(PyObject* self, PyObject* const* args, Py_ssize_t n, PyObject* names) {
  return guarded([&]() -> PyObject* {
    static const Keywords keys("stride", 1, {"dim"});
    TENSOR;
    PyObject* dim = nullptr;
    keys.read(args, n, names, &dim, 0);
    if (dim && dim != Py_None)
      return PyLong_FromLongLong(
          t.stride(wrap_dim(to_index(dim, "stride", "dim"), t.ndim, "stride")));
    Own s(make_size(t.strides()));
    return PySequence_Tuple(Own(PySequence_List(s.get())).get());
  });
}
PyObject* m_dim(PyObject* self, PyObject*) { return PyLong_FromLong(as_tensor(self)->ndim); }
PyObject* m_numel(PyObject* self, PyObject*) { return PyLong_FromLongLong(as_tensor(self)->numel); }
PyObject* m_element_size(PyObject* self, PyObject*) {
  return PyLong_FromLongLong(item_size(as_tensor(self)->dtype));
}
PyObject* m_get_device(PyObject*, PyObject*) { return PyLong_FromLong(-1); }
PyObject* m_is_floating(PyObject* self, PyObject*) {
  return PyBool_FromLong(is_floating(as_tensor(self)->dtype));
}
PyObject* m_is_complex(PyObject* self, PyObject*) {
  return PyBool_FromLong(is_complex(as_tensor(self)->dtype));
}
PyObject* m_is_signed(PyObject* self, PyObject*) {
  return PyBool_FromLong(info(as_tensor(self)->dtype).is_signed);
}
PyObject* m_is_inference(PyObject* self, PyObject*) {
  return PyBool_FromLong(as_tensor(self)->is_inference);
}
PyObject* m_false(PyObject*, PyObject*) { Py_RETURN_FALSE; }
PyObject* m_self(PyObject* self, PyObject*) { return Py_NewRef(self); }
PyObject* m_is_contiguous(PyObject* self, PyObject* args, PyObject* kwargs) {
  return guarded([&]() -> PyObject* {
    PyObject* format = nullptr;
    static const char* names[] = {"memory_format", nullptr};
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|O", const_cast<char**>(names), &format))
      throw PythonError{};
    MemoryFormat f = format ? to_memory_format(format, "is_contiguous") : MemoryFormat::Contiguous;
    return PyBool_FromLong(is_contiguous(*as_tensor(self), f));
  });
}
PyObject* m_detach(PyObject* self, PyObject*) {
  return guarded([&] {
    TENSOR;
    Ref<Tensor> d = alias(t);
    share_version(*d, t);
    return wrap(std::move(d));
  });
}
PyObject* m_detach_(PyObject* self, PyObject*) {
  return guarded([&] {
    TENSOR;
    if (t.view) fail("Can't detach views in-place. Use detach() instead.");
    if (Node* n = std::exchange(t.grad_fn, nullptr)) drop_node(n);
    t.requires_grad = false;
    return Py_NewRef(self);
  });
}
PyObject* m_requires_grad_(PyObject* self, PyObject* args, PyObject* kwargs) {
  PyObject* on = Py_True;
  static const char* names[] = {"requires_grad", nullptr};
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|O", const_cast<char**>(names), &on))
    return nullptr;
  if (!PyBool_Check(on)) {
    PyErr_Format(PyExc_TypeError,
                 "requires_grad_(): argument 'requires_grad' (position 1) must be bool, not %s",
                 Py_TYPE(on)->tp_name);
    return nullptr;
  }
  return set_requires_grad(self, on, nullptr) < 0 ? nullptr : Py_NewRef(self);
}
PyObject* m_mark_retains(PyObject* self, PyObject*) {
  as_tensor(self)->retains_grad = true;
  Py_RETURN_NONE;
}
PyObject* m_is_same_size(PyObject* self, PyObject* const* args, Py_ssize_t n, PyObject* names) {
  return guarded([&] {
    static const Keywords keys("is_same_size", 1, {"other"});
    TENSOR;
    PyObject* other = nullptr;
    keys.read(args, n, names, &other, 1);
    if (!is_tensor(other))
      fail(ErrorKind::Type, "is_same_size(): expected a Tensor, got ", Py_TYPE(other)->tp_name);
    Tensor& o = *as_tensor(other);
    return PyBool_FromLong(
        std::equal(t.sizes().begin(), t.sizes().end(), o.sizes().begin(), o.sizes().end()));
  });
}
constexpr int kFast = METH_FASTCALL | METH_KEYWORDS;
PyMethodDef methods[] = {
    {"size", hooked<m_size, Needs::Geometry>(), kFast,
     "size($self, dim=None)\n--\n\nThe sizes, a Size, or that of one dimension, an int."},
    {"stride", hooked<m_stride, Needs::Strides>(), kFast,
     "stride($self, dim=None)\n--\n\nThe strides in elements, a tuple, or that of one dimension, "
     "an int."},
    {"dim", hooked<m_dim, Needs::Geometry>(), METH_NOARGS,
     "dim($self, /)\n--\n\nThe number of dimensions."},
    {"ndimension", hooked<m_dim, Needs::Geometry>(), METH_NOARGS,
     "ndimension($self, /)\n--\n\nThe number of dimensions."},
    {"numel", hooked<m_numel, Needs::Geometry>(), METH_NOARGS,
     "numel($self, /)\n--\n\nThe number of elements."},
    {"nelement", hooked<m_numel, Needs::Geometry>(), METH_NOARGS,
     "nelement($self, /)\n--\n\nThe number of elements."},
    {"element_size", hooked<m_element_size, Needs::Geometry>(), METH_NOARGS,
     "element_size($self, /)\n--\n\nBytes per element."},
    {"get_device", hooked<m_get_device, Needs::Geometry>(), METH_NOARGS,
     "get_device($self, /)\n--\n\nThe accelerator's number, -1 on the CPU."},
    {"is_floating_point", hooked<m_is_floating, Needs::Geometry>(), METH_NOARGS,
     "is_floating_point($self, /)\n--\n\nWhether the dtype is one of real floating-point numbers."},
    {"is_complex", hooked<m_is_complex, Needs::Geometry>(), METH_NOARGS,
     "is_complex($self, /)\n--\n\nWhether the dtype is complex."},
    {"is_signed", hooked<m_is_signed, Needs::Geometry>(), METH_NOARGS,
     "is_signed($self, /)\n--\n\nWhether the dtype has values below 0."},
    {"is_inference", hooked<m_is_inference, Needs::Geometry>(), METH_NOARGS,
     "is_inference($self, /)\n--\n\nWhether it was made in inference mode."},
    {"is_conj", hooked<m_false, Needs::Geometry>(), METH_NOARGS,
     "is_conj($self, /)\n--\n\nFalse: conj() computes at once."},
    {"is_neg", hooked<m_false, Needs::Geometry>(), METH_NOARGS,
     "is_neg($self, /)\n--\n\nFalse: negation computes at once."},
    {"is_pinned", hooked<is_pinned, Needs::Geometry>(), kFast,
     "is_pinned($self, device=None)\n--\n\nFalse: there is no accelerator to pin memory for."},
    {"resolve_conj", hooked<m_self, Needs::Geometry>(), METH_NOARGS,
     "resolve_conj($self, /)\n--\n\nThe tensor itself: conj() computes at once."},
    {"resolve_neg", hooked<m_self, Needs::Geometry>(), METH_NOARGS,
     "resolve_neg($self, /)\n--\n\nThe tensor itself: negation computes at once."},
    {"is_contiguous", hooked<m_is_contiguous, Needs::Strides>(), METH_VARARGS | METH_KEYWORDS,
     "is_contiguous($self, memory_format=...)\n--\n\nWhether the elements lie in memory without "
     "gaps, in the order of the memory format: of the dimensions by default."},
    {"detach", hooked<m_detach, Needs::Graph>(), METH_NOARGS, docs::kDetach},
    {"detach_", hooked<m_detach_, Needs::Graph>(), METH_NOARGS,
     "detach_($self, /)\n--\n\nTakes this tensor out of its graph: it becomes a leaf that requires "
     "no grad. Returns it; RuntimeError for views."},
    {"requires_grad_", hooked<m_requires_grad_, Needs::Geometry>(), METH_VARARGS | METH_KEYWORDS,
     docs::kRequiresGrad},
    {"_mark_retains_grad", m_mark_retains, METH_NOARGS,
     "_mark_retains_grad($self, /)\n--\n\nSets retains_grad."},
    {"is_same_size", hooked<m_is_same_size, Needs::Geometry>(), kFast,
     "is_same_size($self, other)\n--\n\nWhether another tensor has the same sizes."},
    {"_make_subclass", make_subclass, METH_VARARGS | METH_STATIC,
     "_make_subclass(cls, data, require_grad=False, /)\n--\n\nThe memory of a tensor as an "
     "instance of a subclass."},
    {nullptr, nullptr, 0, nullptr}};

PyGetSetDef getset[] = {
    {"shape", get_shape, nullptr, "The sizes, a Size.", nullptr},
    {"dtype", get_dtype, nullptr, "The dtype of the elements.", nullptr},
    {"device", get_device, nullptr, "Where the elements are: the CPU, or \"meta\".", nullptr},
    {"ndim", get_ndim, nullptr, "The number of dimensions.", nullptr},
    {"itemsize", get_itemsize, nullptr, "Bytes per element.", nullptr},
    {"nbytes", get_nbytes, nullptr, "Bytes of all elements.", nullptr},
    {"requires_grad", get_requires_grad, set_requires_grad,
     "Whether operations on this tensor are recorded for gradients; can be set on leaves.",
     nullptr},
    {"is_leaf", get_is_leaf, nullptr, "Whether no recorded operation made this tensor.", nullptr},
    {"grad", get_grad_or_warn, set_grad,
     "What backward passes have added up for this tensor; None before the first. Can be set to "
     "None or to a tensor of the same sizes, dtype and device.",
     nullptr},
    {"_grad", get_grad, set_grad, "As grad.", nullptr},
    {"grad_fn", get_grad_fn, nullptr,
     "The graph node of the operation that made this tensor; None for leaves.", nullptr},
    {"_grad_fn", get_grad_fn, nullptr, "As grad_fn.", nullptr},
    {"_cdata", get_cdata, nullptr, "A number that identifies it.", nullptr},
    {"output_nr", get_output_nr, nullptr, "Which of the results of grad_fn this tensor is.",
     nullptr},
    {"_version", get_version, nullptr, "How often the memory has been written to in place.",
     nullptr},
    {"_base", get_base, nullptr, "The tensor that this one is a view of, or None.", nullptr},
    {"data", get_data, set_data,
     "The same memory outside of the graph, with a version counter of its own. Setting it replaces "
     "the memory, and what has been recorded stays as it is.",
     nullptr},
    {"retains_grad", get_retains_grad, nullptr,
     "Whether grad is kept although this tensor is no leaf; see retain_grad().", nullptr},
    {"is_cpu", get_is_cpu, nullptr, "Whether it is on the CPU.", nullptr},
    {"is_meta", get_is_meta, nullptr, "Whether it has sizes and dtype without data.", nullptr},
    {"is_cuda", get_false, nullptr, "False: the CPU is the only device.", nullptr},
    {"is_sparse", get_is_sparse, nullptr, "Whether the layout is sparse_coo.", nullptr},
    {"is_quantized", get_false, nullptr, "False: quantized dtypes have no tensors.", nullptr},
    {"is_mps", get_false, nullptr, "False: the CPU is the only device.", nullptr},
    {"is_nested", get_false, nullptr, "False: there are no nested tensors of this class.", nullptr},
    {"is_sparse_csr", get_is_sparse_csr, nullptr, "Whether the layout is sparse_csr.", nullptr},
    {"layout", get_layout, nullptr, "How the elements are kept: strided, or a sparse layout.",
     nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr}};
PyGetSetDef unhooked[std::size(getset)];

PyGetSetDef object_getset[] = {
    {"__dict__", PyObject_GenericGetDict, PyObject_GenericSetDict, nullptr, nullptr},
    {"__class__", get_class, set_class, nullptr, nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr}};

PyMemberDef members[] = {
    {"__dictoffset__", T_PYSSIZET, offsetof(Tensor, dict), READONLY, nullptr},
    {"__weaklistoffset__", T_PYSSIZET, offsetof(Tensor, weak_refs), READONLY, nullptr},
    {nullptr, 0, 0, 0, nullptr}};

PyType_Slot life_slots[] = {{Py_tp_doc, const_cast<char*>(docs::kTensorType)},
                            {Py_tp_new, slot(tensor_new)},
                            {Py_tp_dealloc, slot(tensor_dealloc)},
                            {Py_tp_traverse, slot(tensor_traverse)},
                            {Py_tp_clear, slot(tensor_clear)},
                            {Py_tp_methods, methods},
                            {Py_tp_getset, object_getset},
                            {Py_tp_members, members},
                            {0, nullptr}};

}  // namespace

namespace {
std::vector<PyMethodDef*>& method_tables() {
  static std::vector<PyMethodDef*> tables{methods};
  return tables;
}
}  // namespace
const std::vector<PyMethodDef*>& tensor_method_tables() { return method_tables(); }

void add_tensor_methods(PyMethodDef* list) {
  method_tables().push_back(list);
  for (PyMethodDef* m = list; m->ml_name; ++m) {
    Own f(checked(m->ml_flags & METH_STATIC ? PyCFunction_New(m, nullptr)
                                            : PyDescr_NewMethod(TensorType, m)));
    checked(PyObject_SetAttrString(reinterpret_cast<PyObject*>(TensorType), m->ml_name, f.get()));
  }
}

void add_tensor(PyObject* module) {
  constexpr const char* kLayouts[] = {"strided",    "sparse_coo", "sparse_csr",
                                      "sparse_csc", "sparse_bsr", "sparse_bsc"};
  for (size_t i = 0; i < std::size(layouts_); ++i)
    layouts_[i] = checked(PyObject_GetAttrString(module, kLayouts[i]));
  std::vector<PyType_Slot> slots;
  for (PyType_Slot* s = life_slots; s->slot; ++s) slots.push_back(*s);
  for (PyType_Slot* s = operator_slots; s->slot; ++s) slots.push_back(*s);
  slots.push_back({0, nullptr});
  PyType_Spec spec{"rushlight.Tensor", sizeof(Tensor), 0,
                   Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE, slots.data()};
  TensorType = reinterpret_cast<PyTypeObject*>(checked(PyType_FromSpec(&spec)));
  hook_attributes(getset, unhooked);
  for (PyGetSetDef* g = getset; g->name; ++g) {
    Own d(checked(PyDescr_NewGetSet(TensorType, g)));
    checked(PyObject_SetAttrString(reinterpret_cast<PyObject*>(TensorType), g->name, d.get()));
  }
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

void warn(const std::string& text) { checked(PyErr_WarnEx(PyExc_UserWarning, text.c_str(), 1)); }

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
  t.is_inference = thread_state().inference;
  return &t;
}
}  // namespace rl
