// The attributes of tensors, and the methods that are not ops: geometry, dtype, the place in the
// graph. Life cycle and operators are in tensor_type.cpp.
#include <cstring>

#include "python/graph.h"
#include "python/op.h"
#include "python/state.h"
#include "python/tensor_type.h"

namespace rl::py {

namespace {

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
    return PyBool_FromLong(t.requires_grad || tensor_grad_fn(t));
  });
}
int set_requires_grad(PyObject* self, PyObject* v, void*) {
  return guarded_int([&] {
    TENSOR;
    int on = v ? PyObject_IsTrue(v) : 0;
    if (on < 0) throw PythonError{};
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
  return guarded([&] {
    Node* n = tensor_grad_fn(*as_tensor(self));
    return Py_NewRef(n ? object(n) : Py_None);
  });
}
PyObject* get_output_nr(PyObject* self, void*) {
  return PyLong_FromUnsignedLong(as_tensor(self)->output_nr);
}
PyObject* get_version(PyObject* self, void*) {
  return PyLong_FromUnsignedLong(as_tensor(self)->version());
}
PyObject* get_base(PyObject* self, void*) {
  TENSOR;
  return Py_NewRef(t.view ? object(t.view->base.get()) : Py_None);
}
PyObject* get_retains_grad(PyObject* self, void*) {
  return PyBool_FromLong(as_tensor(self)->retains_grad);
}

// `.data`: the same memory outside the graph, with a version of its own.
Ref<Tensor> version_alias(Tensor& t) {
  Ref<Tensor> a = alias(t);
  a->own_version = new VersionCounter;
  return a;
}
PyObject* get_data(PyObject* self, void*) {
  return guarded([&] { return wrap(version_alias(*as_tensor(self))); });
}
int set_data(PyObject* self, PyObject* v, void*) {
  return guarded_int([&] {
    if (!v || !is_tensor(v))
      fail(ErrorKind::Type, "Variable data has to be a tensor, but got ",
           v ? Py_TYPE(v)->tp_name : "nothing");
    TENSOR;
    Tensor& s = *as_tensor(v);
    if (t.requires_grad && !is_inexact(s.dtype))
      fail("data set to a tensor that requires gradients must be floating point or complex dtype");
    retain(s.storage);
    release(t.storage);
    t.storage = s.storage;
    set_geometry(t, s.sizes(), s.strides());
    t.offset = s.offset;
    t.dtype = s.dtype;
    t.device = s.device;
    return 0;
  });
}

// ---- methods that are not ops
PyObject* m_size(PyObject* self, PyObject* const* args, Py_ssize_t n) {
  return guarded([&]() -> PyObject* {
    TENSOR;
    if (n == 0 || args[0] == Py_None) return make_size(t.sizes());
    int d = wrap_dim(to_index(args[0], "size", "dim"), t.ndim, "size");
    if (t.ndim == 0)
      fail(ErrorKind::Index, "size(): Dimension specified as ", d, " but tensor has no dimensions");
    return PyLong_FromLongLong(t.size(d));
  });
}
PyObject* m_stride(PyObject* self, PyObject* const* args, Py_ssize_t n) {
  return guarded([&]() -> PyObject* {
    TENSOR;
    if (n)
      return PyLong_FromLongLong(
          t.stride(wrap_dim(to_index(args[0], "stride", "dim"), t.ndim, "stride")));
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
  return set_requires_grad(self, on, nullptr) < 0 ? nullptr : Py_NewRef(self);
}
PyObject* m_mark_retains(PyObject* self, PyObject*) {
  as_tensor(self)->retains_grad = true;
  Py_RETURN_NONE;
}
PyObject* m_is_same_size(PyObject* self, PyObject* other) {
  TENSOR;
  if (!is_tensor(other))
    return PyErr_Format(PyExc_TypeError, "is_same_size(): expected a Tensor, got %s",
                        Py_TYPE(other)->tp_name);
  Tensor& o = *as_tensor(other);
  return PyBool_FromLong(
      std::equal(t.sizes().begin(), t.sizes().end(), o.sizes().begin(), o.sizes().end()));
}

template <class F>
PyCFunction method(F* f) {
  return reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(f));
}

}  // namespace

PyObject* get_layout(PyObject*, void* strided) {
  return Py_NewRef(static_cast<PyObject*>(strided));
}

PyMethodDef tensor_methods[] = {
    {"size", method(m_size), METH_FASTCALL, "size(dim=None): the sizes, or one of them."},
    {"stride", method(m_stride), METH_FASTCALL,
     "stride(dim=None): the strides in elements, or one of them."},
    {"dim", m_dim, METH_NOARGS, "The number of dimensions."},
    {"ndimension", m_dim, METH_NOARGS, "The number of dimensions."},
    {"numel", m_numel, METH_NOARGS, "The number of elements."},
    {"nelement", m_numel, METH_NOARGS, "The number of elements."},
    {"element_size", m_element_size, METH_NOARGS, "Bytes per element."},
    {"get_device", m_get_device, METH_NOARGS, "-1 on the CPU."},
    {"is_floating_point", m_is_floating, METH_NOARGS, nullptr},
    {"is_complex", m_is_complex, METH_NOARGS, nullptr},
    {"is_signed", m_is_signed, METH_NOARGS, nullptr},
    {"is_inference", m_is_inference, METH_NOARGS, nullptr},
    {"is_conj", m_false, METH_NOARGS, nullptr},
    {"is_neg", m_false, METH_NOARGS, nullptr},
    {"is_pinned", m_false, METH_NOARGS, nullptr},
    {"resolve_conj", m_self, METH_NOARGS, nullptr},
    {"resolve_neg", m_self, METH_NOARGS, nullptr},
    {"is_contiguous", method(m_is_contiguous), METH_VARARGS | METH_KEYWORDS, nullptr},
    {"detach", m_detach, METH_NOARGS,
     "The same memory outside the graph; shares the version counter."},
    {"detach_", m_detach_, METH_NOARGS, "Makes this tensor a leaf."},
    {"requires_grad_", method(m_requires_grad_), METH_VARARGS | METH_KEYWORDS, nullptr},
    {"_mark_retains_grad", m_mark_retains, METH_NOARGS, nullptr},
    {"is_same_size", m_is_same_size, METH_O, nullptr},
    {"_make_subclass", make_subclass, METH_VARARGS | METH_STATIC, nullptr},
    {nullptr, nullptr, 0, nullptr}};

PyGetSetDef tensor_getset[] = {
    {"shape", get_shape, nullptr, nullptr, nullptr},
    {"dtype", get_dtype, nullptr, nullptr, nullptr},
    {"device", get_device, nullptr, nullptr, nullptr},
    {"ndim", get_ndim, nullptr, nullptr, nullptr},
    {"itemsize", get_itemsize, nullptr, nullptr, nullptr},
    {"nbytes", get_nbytes, nullptr, nullptr, nullptr},
    {"requires_grad", get_requires_grad, set_requires_grad, nullptr, nullptr},
    {"is_leaf", get_is_leaf, nullptr, nullptr, nullptr},
    {"grad", get_grad, set_grad, nullptr, nullptr},
    {"_grad", get_grad, set_grad, nullptr, nullptr},
    {"grad_fn", get_grad_fn, nullptr, nullptr, nullptr},
    {"output_nr", get_output_nr, nullptr, nullptr, nullptr},
    {"_version", get_version, nullptr, nullptr, nullptr},
    {"_base", get_base, nullptr, nullptr, nullptr},
    {"data", get_data, set_data, nullptr, nullptr},
    {"retains_grad", get_retains_grad, nullptr, nullptr, nullptr},
    {"is_cpu", get_is_cpu, nullptr, nullptr, nullptr},
    {"is_meta", get_is_meta, nullptr, nullptr, nullptr},
    {"is_cuda", get_false, nullptr, nullptr, nullptr},
    {"is_sparse", get_false, nullptr, nullptr, nullptr},
    {"is_quantized", get_false, nullptr, nullptr, nullptr},
    {"is_mps", get_false, nullptr, nullptr, nullptr},
    {"is_nested", get_false, nullptr, nullptr, nullptr},
    {"is_sparse_csr", get_false, nullptr, nullptr, nullptr},
    {"layout", get_layout, nullptr, nullptr, nullptr},
    {"__dict__", PyObject_GenericGetDict, PyObject_GenericSetDict, nullptr, nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr}};

}  // namespace rl::py
