// The native side of custom Functions (rushlight/autograd/function.py): their nodes, the values
// they save, and hanging their outputs on the graph.
#include "python/graph.h"
#include "python/levels.h"
#include "python/op.h"
#include "python/state.h"

namespace rl::py {

PyTypeObject* FunctionNodeType;

namespace {

PyObject* function_node_new(PyTypeObject* type, PyObject*, PyObject*) {
  PyObject* o = type->tp_alloc(type, 0);
  if (!o) return nullptr;
  construct(as_node(o), NodeKind::Function, nullptr);
  as_node(o)->code = reinterpret_cast<Object*>(
      rl_current_line(package_prefix_.data(), package_prefix_.size(), &as_node(o)->instruction));
  return o;
}

// ---- values saved by custom Functions

struct SavedTensor {
  PyObject_HEAD Saved saved;
};

PyTypeObject* SavedTensorType;

// A tensor that is saved on a node; one that the node itself makes is saved as its output.
Own saved(PyObject* t, bool is_output) {
  Own o(checked(SavedTensorType->tp_alloc(SavedTensorType, 0)));
  Ref<Node> holder = make_node(NodeKind::Function, nullptr);
  save_value(*holder, t, is_output ? static_cast<int>(as_tensor(t)->output_nr) : -1);
  reinterpret_cast<SavedTensor*>(o.get())->saved = holder->saved[0];
  holder->saved.clear();
  return o;
}
int saved_traverse(PyObject* self, visitproc visit, void* arg) {
  auto& s = reinterpret_cast<SavedTensor*>(self)->saved;
  Py_VISIT(Py_TYPE(self));
  Py_VISIT(reinterpret_cast<PyObject*>(s.value));
  Py_VISIT(reinterpret_cast<PyObject*>(s.unpack));
  return 0;
}
int saved_clear(PyObject* self) {
  auto& s = reinterpret_cast<SavedTensor*>(self)->saved;
  s.source = nullptr;
  clear(s.value);
  clear(s.unpack);
  return 0;
}
void saved_dealloc(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  PyObject_GC_UnTrack(self);
  saved_clear(self);
  type->tp_free(self);
  Py_DECREF(type);
}

// save_on_node(node, tensors): a tuple of what keeps each, or None, for `unpack_from_node`; None if
// something is neither a tensor nor None.
PyObject* save_on_node(PyObject*, PyObject* args) {
  return guarded([&]() -> PyObject* {
    PyObject *node, *tensors;
    if (!PyArg_ParseTuple(args, "O!O!", FunctionNodeType, &node, &PyTuple_Type, &tensors))
      throw PythonError{};
    const Py_ssize_t n = PyTuple_GET_SIZE(tensors);
    Own all(checked(PyTuple_New(n)));
    for (Py_ssize_t i = 0; i < n; ++i) {
      PyObject* o = PyTuple_GET_ITEM(tensors, i);
      if (o != Py_None && !is_tensor(o)) Py_RETURN_NONE;
      Own kept =
          o == Py_None ? Own::share(o) : saved(o, tensor_grad_fn(*as_tensor(o)) == as_node(node));
      PyTuple_SET_ITEM(all.get(), i, kept.give());
    }
    return all.give();
  });
}
// unpack_from_node(node, saved): the tensors again, checked for changes since.
PyObject* unpack_from_node(PyObject*, PyObject* args) {
  return guarded([&]() -> PyObject* {
    PyObject *node, *all;
    if (!PyArg_ParseTuple(args, "O!O!", FunctionNodeType, &node, &PyTuple_Type, &all))
      throw PythonError{};
    const Py_ssize_t n = PyTuple_GET_SIZE(all);
    Own tensors(checked(PyTuple_New(n)));
    for (Py_ssize_t i = 0; i < n; ++i) {
      PyObject* kept = PyTuple_GET_ITEM(all, i);
      PyTuple_SET_ITEM(
          tensors.get(), i,
          kept == Py_None
              ? Py_NewRef(kept)
              : unpack_saved(*as_node(node), reinterpret_cast<SavedTensor*>(kept)->saved, true));
    }
    return tensors.give();
  });
}

// ---- custom Functions

// inputs_of(arguments): for each, is it a tensor, and does it require a gradient? Two tuples.
PyObject* inputs_of(PyObject*, PyObject* args) {
  return guarded([&]() -> PyObject* {
    if (!PyTuple_Check(args)) fail(ErrorKind::Type, "inputs_of: expected a tuple");
    static PyObject* const name = checked(PyUnicode_InternFromString("requires_grad"));
    const Py_ssize_t n = PyTuple_GET_SIZE(args);
    Own tensors(checked(PyTuple_New(n))), needs(checked(PyTuple_New(n)));
    for (Py_ssize_t i = 0; i < n; ++i) {
      PyObject* o = PyTuple_GET_ITEM(args, i);
      const bool is = is_tensor(o);
      PyTuple_SET_ITEM(tensors.get(), i, PyBool_FromLong(is));
      PyTuple_SET_ITEM(needs.get(), i,
                       is ? checked(PyObject_GetAttr(o, name)) : Py_NewRef(Py_False));
    }
    return PyTuple_Pack(2, tensors.get(), needs.get());
  });
}

// are_gradients(result, is_tensor): a tuple with a tensor or None for each tensor and None for each
// other argument?
PyObject* are_gradients(PyObject*, PyObject* args) {
  PyObject *result, *is_tensor_input;
  if (!PyArg_ParseTuple(args, "OO!", &result, &PyTuple_Type, &is_tensor_input)) return nullptr;
  const Py_ssize_t n = PyTuple_GET_SIZE(is_tensor_input);
  bool fit = PyTuple_Check(result) && PyTuple_GET_SIZE(result) == n;
  for (Py_ssize_t i = 0; fit && i < n; ++i) {
    PyObject* o = PyTuple_GET_ITEM(result, i);
    fit = o == Py_None || (is_tensor(o) && PyTuple_GET_ITEM(is_tensor_input, i) == Py_True);
  }
  return PyBool_FromLong(fit);
}

bool contains(PyObject* sequence, PyObject* item) {
  if (PyTuple_Check(sequence) && !PyTuple_GET_SIZE(sequence)) return false;
  Own fast(checked(PySequence_Fast(sequence, "expected a sequence of tensors")));
  for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(fast.get()); ++i)
    if (PySequence_Fast_ITEMS(fast.get())[i] == item) return true;
  return false;
}

// What changes a view changes its base.
void wire_changed(Node& n, Tensor& t, PyObject* inputs, uint32_t nr) {
  if (!t.view) return set_history(t, n, nr);
  if (n.outputs.size() != 1 || PyTuple_GET_ITEM(inputs, 0) != object(&t))
    fail(
        "a custom Function that changes a view in place has to take it as its first argument, and "
        "to return nothing else");
  rebase(t, Ref<Node>::share(&n));
}

PyObject* wire_output(Node& n, PyObject* o, PyObject* inputs, PyObject* dirty, PyObject* plain,
                      uint32_t nr) {
  if (!is_tensor(o)) return Py_NewRef(o);
  Tensor& t = *as_tensor(o);
  bool is_input = contains(inputs, o), is_dirty = contains(dirty, o);
  if (contains(plain, o) || !is_inexact(t.dtype)) {
    if (!is_input || is_dirty) return Py_NewRef(o);
    return wrap(alias(t));
  }
  if (is_dirty) {
    check_inplace("a custom Function", t, true);
    ++t.version();
    wire_changed(n, t, inputs, nr);
    return Py_NewRef(o);
  }
  if (is_input) {
    Ref<Tensor> v = alias(t);
    mark_view(*v, t, true);
    set_history(*v, n, nr);
    if (v->view) v->view->version = v->version();
    return wrap(std::move(v));
  }
  set_history(t, n, nr);
  if (t.view) {
    t.view->multiple = true;
    t.view->version = t.version();
  }
  return Py_NewRef(o);
}

}  // namespace

PyObject* record_function(PyObject*, PyObject* args) {
  return guarded([&]() -> PyObject* {
    PyObject *node, *inputs, *outputs, *dirty, *plain;
    int materialize;
    if (!PyArg_ParseTuple(args, "O!O!O!OOp", FunctionNodeType, &node, &PyTuple_Type, &inputs,
                          &PyTuple_Type, &outputs, &dirty, &plain, &materialize))
      throw PythonError{};
    Node& n = *as_node(node);
    n.materialize = materialize;
    uint8_t level = innermost_level(inputs);
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(inputs); ++i) {
      PyObject* o = PyTuple_GET_ITEM(inputs, i);
      Edge& e = n.edges.emplace_back();
      if (!is_tensor(o) || level_of(*as_tensor(o)) != level) continue;
      Tensor& t = *as_tensor(o);
      e.node = gradient_edge(t, e.nr);
      e.shape = {SizeVec(t.sizes().begin(), t.sizes().end()), t.dtype, t.device};
    }
    Own out(checked(PyTuple_New(PyTuple_GET_SIZE(outputs))));
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(outputs); ++i) {
      PyObject* o = PyTuple_GET_ITEM(outputs, i);
      Shape& s = n.outputs.emplace_back();
      s.is_tensor = is_tensor(o);
      if (s.is_tensor)
        s = {SizeVec(as_tensor(o)->sizes().begin(), as_tensor(o)->sizes().end()),
             as_tensor(o)->dtype, as_tensor(o)->device};
    }
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(outputs); ++i)
      PyTuple_SET_ITEM(out.get(), i,
                       wire_output(n, PyTuple_GET_ITEM(outputs, i), inputs, dirty, plain,
                                   static_cast<uint32_t>(i)));
    return out.give();
  });
}

namespace {
PyMethodDef functions[] = {{"save_on_node", save_on_node, METH_VARARGS, nullptr},
                           {"unpack_from_node", unpack_from_node, METH_VARARGS, nullptr},
                           {"inputs_of", inputs_of, METH_O, nullptr},
                           {"are_gradients", are_gradients, METH_VARARGS, nullptr},
                           {nullptr, nullptr, 0, nullptr}};
}  // namespace

void add_function_types(PyObject* module) {
  PyType_Slot fn_slots[] = {{Py_tp_new, slot(function_node_new)},
                            {Py_tp_dealloc, slot(node_dealloc)},
                            {Py_tp_traverse, slot(node_traverse)},
                            {Py_tp_clear, slot(node_clear)},
                            {0, nullptr}};
  PyType_Spec fn_spec{"rushlight._native.FunctionNode", sizeof(Node), 0,
                      Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE, fn_slots};
  Own bases(checked(PyTuple_Pack(1, NodeType)));
  FunctionNodeType =
      reinterpret_cast<PyTypeObject*>(checked(PyType_FromSpecWithBases(&fn_spec, bases.get())));
  PyType_Slot saved_slots[] = {{Py_tp_dealloc, slot(saved_dealloc)},
                               {Py_tp_traverse, slot(saved_traverse)},
                               {Py_tp_clear, slot(saved_clear)},
                               {0, nullptr}};
  PyType_Spec saved_spec{
      "rushlight._native.SavedTensor", sizeof(SavedTensor), 0,
      Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION, saved_slots};
  SavedTensorType = reinterpret_cast<PyTypeObject*>(checked(PyType_FromSpec(&saved_spec)));
  checked(
      PyModule_AddObjectRef(module, "FunctionNode", reinterpret_cast<PyObject*>(FunctionNodeType)));
  checked(
      PyModule_AddObjectRef(module, "SavedTensor", reinterpret_cast<PyObject*>(SavedTensorType)));
  checked(PyModule_AddFunctions(module, functions));
}

}  // namespace rl::py
