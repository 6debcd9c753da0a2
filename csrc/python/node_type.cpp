// The Python face of graph nodes, and the autograd primitives that rushlight.autograd builds
// on (see the notes in its function.py and graph.py for what each one promises).
#include <algorithm>
#include <string>

#include "autograd/engine.h"
#include "python/op.h"
#include "python/state.h"

namespace rl::py {
void save_value(Node& n, PyObject* o, int output);
void set_history(Tensor& out, Node& n, uint32_t nr);
Ref<Node> new_recorded_node(NodeKind kind, Op* op);
PyObject* unpack_saved(Node& n, Saved& s, bool create_graph);
extern bool anomaly_enabled_, anomaly_nan_;
extern std::string package_prefix_;
extern "C" PyObject* rl_current_line(const char* prefix, size_t n, int* instruction);

PyTypeObject *NodeType, *FunctionNodeType, *SavedTensorType;

ThreadState& thread_state() {
  static thread_local ThreadState s;
  return s;
}
bool grad_enabled() { return thread_state().grad; }
bool inference_mode() { return thread_state().inference; }

namespace {
PyObject*& py(Object*& o) { return reinterpret_cast<PyObject*&>(o); }
Node* as_node(PyObject* o) { return reinterpret_cast<Node*>(o); }
uint64_t next_sequence() {
  static uint64_t n = 0;
  return ++n;
}

void construct(Node* n, NodeKind kind, Op* op) {
  // The header is live; everything behind it is not.
  PyObject head = *reinterpret_cast<PyObject*>(n);
  new (n) Node();
  *reinterpret_cast<PyObject*>(n) = head;
  n->kind = kind;
  n->op = op;
  n->materialize = true;
  n->released = false;
  n->variable = nullptr;
  n->context = n->code = n->dict = n->weak_refs = n->pre_hooks = n->post_hooks = nullptr;
  n->instruction = 0;
  n->view_offset = 0;
  // Leaves run as soon as everything that feeds them has run.
  n->sequence = kind == NodeKind::Accumulate ? 0 : next_sequence();
}
}  // namespace
}  // namespace rl::py

namespace rl {
using namespace py;

Ref<Node> make_node(NodeKind kind, Op* op) {
  auto* n = reinterpret_cast<Node*>(NodeType->tp_alloc(NodeType, 0));
  if (!n) throw PythonError{};
  construct(n, kind, op);
  return Ref<Node>::own(n);
}

// Freeing a node frees its edges: a queue instead of the C stack, however long the graph.
void drop_node(Node* n) noexcept {
  static thread_local std::vector<Node*>* queue = nullptr;
  if (Py_REFCNT(object(n)) > 1) return Py_DECREF(object(n));
  if (queue) return queue->push_back(n);
  std::vector<Node*> local{n};
  queue = &local;
  while (!local.empty()) {
    Node* next = local.back();
    local.pop_back();
    Py_DECREF(object(next));
  }
  queue = nullptr;
}
}  // namespace rl

namespace rl::py {

std::string node_name(const Node& n) {
  switch (n.kind) {
    case NodeKind::Rule:
      return n.op->grad_name;
    case NodeKind::Accumulate:
      return "AccumulateGrad";
    case NodeKind::CopySlices:
      return "CopySlices";
    case NodeKind::Function:
      return Py_TYPE(object(&n))->tp_name;
  }
  return "Node";
}

std::string node_place(const Node& n) {
  const Node& m = n.kind == NodeKind::CopySlices && n.inner ? *n.inner : n;
  if (!m.code) return "an unknown line";
  auto* code = reinterpret_cast<PyCodeObject*>(m.code);
  const char* file = PyUnicode_AsUTF8(code->co_filename);
  return str("file \"", file ? file : "?", "\", line ", PyCode_Addr2Line(code, m.instruction));
}

namespace {

void clear_saved(std::vector<Saved>& saved) {
  std::vector<Saved> mine = std::move(saved);
  saved.clear();
  for (Saved& s : mine) {
    Py_XDECREF(reinterpret_cast<PyObject*>(s.value));
    Py_XDECREF(reinterpret_cast<PyObject*>(s.unpack));
  }
}

void detach_variable(Node* n) {
  if (!n->variable) return;
  Tensor* v = std::exchange(n->variable, nullptr);
  if (v->accumulator == n) v->accumulator = nullptr;
  Py_DECREF(object(v));
}

int node_traverse(PyObject* self, visitproc visit, void* arg) {
  Node* n = as_node(self);
  Py_VISIT(Py_TYPE(self));
  for (Edge& e : n->edges) Py_VISIT(object(e.node.get()));
  for (Saved& s : n->saved) {
    if (s.source) Py_VISIT(object(s.source.get()));
    Py_VISIT(reinterpret_cast<PyObject*>(s.value));
    Py_VISIT(reinterpret_cast<PyObject*>(s.unpack));
  }
  for (auto& [nr, d] : n->tensor_hooks) Py_VISIT(reinterpret_cast<PyObject*>(d));
  if (n->variable) Py_VISIT(object(n->variable));
  if (n->inner) Py_VISIT(object(n->inner.get()));
  Py_VISIT(reinterpret_cast<PyObject*>(n->context));
  Py_VISIT(reinterpret_cast<PyObject*>(n->dict));
  Py_VISIT(reinterpret_cast<PyObject*>(n->pre_hooks));
  Py_VISIT(reinterpret_cast<PyObject*>(n->post_hooks));
  return 0;
}

int node_clear(PyObject* self) {
  Node* n = as_node(self);
  clear_saved(n->saved);
  auto hooks = std::move(n->tensor_hooks);
  for (auto& [nr, d] : hooks) Py_XDECREF(reinterpret_cast<PyObject*>(d));
  detach_variable(n);
  Py_CLEAR(py(n->context));
  Py_CLEAR(py(n->dict));
  Py_CLEAR(py(n->pre_hooks));
  Py_CLEAR(py(n->post_hooks));
  std::vector<Edge> edges = std::move(n->edges);
  n->edges.clear();
  for (Edge& e : edges)
    if (Node* next = e.node.give()) drop_node(next);
  if (Node* inner = n->inner.give()) drop_node(inner);
  return 0;
}

void node_dealloc(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  PyObject_GC_UnTrack(self);
  if (as_node(self)->weak_refs) PyObject_ClearWeakRefs(self);
  node_clear(self);
  Py_CLEAR(py(as_node(self)->code));
  PyObject head = *self;
  as_node(self)->~Node();
  *self = head;
  type->tp_free(self);
  Py_DECREF(type);
}

PyObject* function_node_new(PyTypeObject* type, PyObject*, PyObject*) {
  PyObject* o = type->tp_alloc(type, 0);
  if (!o) return nullptr;
  construct(as_node(o), NodeKind::Function, nullptr);
  as_node(o)->code = reinterpret_cast<Object*>(
      rl_current_line(package_prefix_.data(), package_prefix_.size(), &as_node(o)->instruction));
  return o;
}

PyObject* node_name_method(PyObject* self, PyObject*) {
  return PyUnicode_FromString(node_name(*as_node(self)).c_str());
}
PyObject* node_repr(PyObject* self) {
  return PyUnicode_FromFormat("<%s object at %p>", node_name(*as_node(self)).c_str(), self);
}
PyObject* node_next(PyObject* self, void*) {
  return guarded([&]() -> PyObject* {
    Node* n = as_node(self);
    Own t(checked(PyTuple_New(static_cast<Py_ssize_t>(n->edges.size()))));
    for (size_t i = 0; i < n->edges.size(); ++i) {
      PyObject* fn = n->edges[i].node ? object(n->edges[i].node.get()) : Py_None;
      PyTuple_SET_ITEM(t.get(), i, checked(Py_BuildValue("(OI)", fn, n->edges[i].nr)));
    }
    return t.give();
  });
}
PyObject* node_variable(PyObject* self, void*) {
  Node* n = as_node(self);
  if (n->kind != NodeKind::Accumulate || !n->variable) {
    PyErr_Format(PyExc_AttributeError, "'%s' object has no attribute 'variable'",
                 node_name(*n).c_str());
    return nullptr;
  }
  return Py_NewRef(object(n->variable));
}
PyObject* node_sequence(PyObject* self, PyObject*) {
  return PyLong_FromUnsignedLongLong(as_node(self)->sequence);
}
PyObject* node_location(PyObject* self, void*) {
  return PyUnicode_FromString(node_place(*as_node(self)).c_str());
}

PyMethodDef node_methods[] = {
    {"name", node_name_method, METH_NOARGS, "The name of the forward op's gradient."},
    {"_sequence_nr", node_sequence, METH_NOARGS, nullptr},
    {nullptr, nullptr, 0, nullptr}};
PyGetSetDef node_getset[] = {
    {"next_functions", node_next, nullptr, "Pairs (node, output number) that gradients go to.",
     nullptr},
    {"variable", node_variable, nullptr, "The leaf of an AccumulateGrad node.", nullptr},
    {"location", node_location, nullptr, "File and line of the forward operation.", nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr}};
PyMemberDef node_members[] = {
    {"__dictoffset__", T_PYSSIZET, offsetof(Node, dict), READONLY, nullptr},
    {"__weaklistoffset__", T_PYSSIZET, offsetof(Node, weak_refs), READONLY, nullptr},
    {nullptr, 0, 0, 0, nullptr}};

// ---- values saved by custom Functions

struct SavedTensor {
  PyObject_HEAD Saved saved;
};

PyObject* saved_new(PyTypeObject* type, PyObject* args, PyObject*) {
  return guarded([&]() -> PyObject* {
    PyObject* t;
    int is_output;
    if (!PyArg_ParseTuple(args, "O!p", TensorType, &t, &is_output)) throw PythonError{};
    Own o(checked(type->tp_alloc(type, 0)));
    Ref<Node> holder = make_node(NodeKind::Function, nullptr);
    save_value(*holder, t, is_output ? static_cast<int>(as_tensor(t)->output_nr) : -1);
    reinterpret_cast<SavedTensor*>(o.get())->saved = holder->saved[0];
    holder->saved.clear();
    return o.give();
  });
}
PyObject* saved_unpack(PyObject* self, PyObject* node) {
  return guarded([&] {
    return unpack_saved(*as_node(node), reinterpret_cast<SavedTensor*>(self)->saved, true);
  });
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
  Py_CLEAR(py(s.value));
  Py_CLEAR(py(s.unpack));
  return 0;
}
void saved_dealloc(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  PyObject_GC_UnTrack(self);
  saved_clear(self);
  type->tp_free(self);
  Py_DECREF(type);
}
PyMethodDef saved_methods[] = {{"unpack", saved_unpack, METH_O, nullptr},
                               {nullptr, nullptr, 0, nullptr}};

// ---- custom Functions

bool contains(PyObject* sequence, PyObject* item) {
  Own fast(checked(PySequence_Fast(sequence, "expected a sequence of tensors")));
  for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(fast.get()); ++i)
    if (PySequence_Fast_ITEMS(fast.get())[i] == item) return true;
  return false;
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
    ++t.version();
    if (t.requires_grad && !tensor_grad_fn(t) && grad_enabled())
      fail("a leaf Variable that requires grad is being used in an in-place operation.");
    set_history(t, n, nr);
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

PyObject* record_function(PyObject*, PyObject* args) {
  return guarded([&]() -> PyObject* {
    PyObject *node, *inputs, *outputs, *dirty, *plain;
    int materialize;
    if (!PyArg_ParseTuple(args, "O!O!O!OOp", FunctionNodeType, &node, &PyTuple_Type, &inputs,
                          &PyTuple_Type, &outputs, &dirty, &plain, &materialize))
      throw PythonError{};
    Node& n = *as_node(node);
    n.materialize = materialize;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(inputs); ++i) {
      PyObject* o = PyTuple_GET_ITEM(inputs, i);
      Edge& e = n.edges.emplace_back();
      if (!is_tensor(o)) continue;
      Tensor& t = *as_tensor(o);
      e.node = gradient_edge(t, e.nr);
      e.shape = {SizeVec(t.sizes().begin(), t.sizes().end()), t.dtype, t.device};
    }
    Own out(checked(PyTuple_New(PyTuple_GET_SIZE(outputs))));
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(outputs); ++i) {
      PyObject* o = PyTuple_GET_ITEM(outputs, i);
      Shape& s = n.outputs.emplace_back();
      s.dtype = DType::I64;
      if (is_tensor(o))
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

// ---- passes

struct Running {
  int64_t id;
  Running* outer;
};
thread_local Running* running_ = nullptr;

PyObject* py_run_backward(PyObject*, PyObject* args) {
  return guarded([&]() -> PyObject* {
    PyObject *roots, *grads, *inputs;
    int keep, create, allow_unused, accumulate;
    if (!PyArg_ParseTuple(args, "OOppOpp", &roots, &grads, &keep, &create, &inputs, &allow_unused,
                          &accumulate))
      throw PythonError{};
    Own r(checked(PySequence_Tuple(roots))), g(checked(PySequence_Tuple(grads))),
        in(checked(PySequence_Tuple(inputs)));
    Pass pass;
    pass.keep_graph = keep;
    pass.create_graph = create;
    pass.accumulate = accumulate;
    std::vector<Root> starts;
    std::vector<Ref<Node>> held;  // targets stay alive through the pass
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(r.get()); ++i) {
      Root root;
      PyObject* o = PyTuple_GET_ITEM(r.get(), i);
      if (is_tensor(o)) {
        root.node = gradient_edge(*as_tensor(o), root.nr);
      } else {
        PyObject* node;
        unsigned nr;
        if (!PyArg_ParseTuple(o, "OI", &node, &nr)) throw PythonError{};
        root.node = Ref<Node>::share(as_node(node));
        root.nr = nr;
      }
      if (!root.node)
        fail("element ", static_cast<int64_t>(i),
             " of tensors does not require grad and does not have a grad_fn");
      root.grad = Ref<Tensor>::share(as_tensor(PyTuple_GET_ITEM(g.get(), i)));
      starts.push_back(std::move(root));
    }
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(in.get()); ++i) {
      PyObject* o = PyTuple_GET_ITEM(in.get(), i);
      Target t{nullptr, 0};
      if (is_tensor(o)) {
        Ref<Node> n = gradient_edge(*as_tensor(o), t.nr);
        if (!n) fail("One of the differentiated Tensors does not require grad");
        t.node = n.get();
        held.push_back(std::move(n));
      } else {
        PyObject* node;
        unsigned nr;
        if (!PyArg_ParseTuple(o, "OI", &node, &nr)) throw PythonError{};
        t = {as_node(node), nr};
      }
      pass.targets.push_back(t);
    }
    static int64_t ids = 0;
    Running here{ids++, running_};
    running_ = &here;
    struct Leave {
      ~Leave() { running_ = running_->outer; }
    } leave;
    run_backward(std::move(starts), pass);
    if (accumulate) {
      for (size_t i = 0; i < pass.targets.size(); ++i) {  // non-leaf inputs collect into .grad too
        PyObject* o = PyTuple_GET_ITEM(in.get(), static_cast<Py_ssize_t>(i));
        if (pass.targets[i].node->kind == NodeKind::Accumulate || !pass.captured[i] ||
            !is_tensor(o))
          continue;
        Tensor* t = as_tensor(o);
        Tensor* old = std::exchange(t->grad, pass.captured[i].give());
        if (old) {
          Ref<Tensor> sum = add_gradients(*t->grad, *old, false, pass);
          release(std::exchange(t->grad, sum.give()));
          release(old);
        }
      }
      Py_RETURN_NONE;
    }
    Own out(checked(PyTuple_New(static_cast<Py_ssize_t>(pass.captured.size()))));
    for (size_t i = 0; i < pass.captured.size(); ++i) {
      if (!pass.captured[i] && !allow_unused)
        fail(
            "One of the differentiated Tensors appears to not have been used in the graph. Set "
            "allow_unused=True if this is the desired behavior. (input ",
            i, ")");
      PyTuple_SET_ITEM(out.get(), i,
                       pass.captured[i] ? wrap(std::move(pass.captured[i])) : Py_NewRef(Py_None));
    }
    return out.give();
  });
}

// ---- hooks: Python mappings kept where the gradient passes

Object** hook_place(PyObject* owner, const char* kind) {
  std::string_view k = kind;
  if (!is_tensor(owner))
    return k == "pre" ? &as_node(owner)->pre_hooks : &as_node(owner)->post_hooks;
  Tensor& t = *as_tensor(owner);
  if (k == "post_accumulate") return &t.post_hooks;
  Node* fn = tensor_grad_fn(t);
  if (!fn) return &t.hooks;
  for (auto& [nr, d] : fn->tensor_hooks)
    if (nr == t.output_nr) return &d;
  fn->tensor_hooks.emplace_back(t.output_nr, nullptr);
  return &fn->tensor_hooks.back().second;
}
PyObject* get_hooks(PyObject*, PyObject* args) {
  return guarded([&]() -> PyObject* {
    PyObject* owner;
    const char* kind;
    if (!PyArg_ParseTuple(args, "Os", &owner, &kind)) throw PythonError{};
    Object* d = *hook_place(owner, kind);
    return Py_NewRef(d ? reinterpret_cast<PyObject*>(d) : Py_None);
  });
}
PyObject* set_hooks(PyObject*, PyObject* args) {
  return guarded([&]() -> PyObject* {
    PyObject *owner, *dict;
    const char* kind;
    if (!PyArg_ParseTuple(args, "OsO!", &owner, &kind, &PyDict_Type, &dict)) throw PythonError{};
    Object** place = hook_place(owner, kind);
    PyObject* old = std::exchange(py(*place), Py_NewRef(dict));
    Py_XDECREF(old);
    Py_RETURN_NONE;
  });
}

PyObject* py_gradient_edge(PyObject*, PyObject* t) {
  return guarded([&]() -> PyObject* {
    uint32_t nr;
    Ref<Node> n = gradient_edge(*as_tensor(t), nr);
    return checked(Py_BuildValue("(OI)", n ? object(n.get()) : Py_None, nr));
  });
}
PyObject* current_backward_id(PyObject*, PyObject*) {
  return PyLong_FromLongLong(running_ ? running_->id : -1);
}
PyObject* py_will_execute(PyObject*, PyObject* node) {
  if (PyObject_TypeCheck(node, NodeType)) return PyBool_FromLong(will_execute(as_node(node)));
  PyErr_SetString(PyExc_TypeError, "will_execute: expected a Node");
  return nullptr;
}
PyObject* bump_version(PyObject*, PyObject* t) {
  ++as_tensor(t)->version();
  Py_RETURN_NONE;
}
PyObject* is_grad_enabled(PyObject*, PyObject*) { return PyBool_FromLong(grad_enabled()); }
PyObject* set_grad_enabled(PyObject*, PyObject* on) {
  bool before = thread_state().grad;
  thread_state().grad = on == Py_True;
  return PyBool_FromLong(before);
}
PyObject* is_inference(PyObject*, PyObject*) { return PyBool_FromLong(inference_mode()); }
PyObject* set_inference(PyObject*, PyObject* on) {
  bool before = thread_state().inference;
  thread_state().inference = on == Py_True;
  return PyBool_FromLong(before);
}
PyObject* push_saved_hooks(PyObject*, PyObject* args) {
  return guarded([&]() -> PyObject* {
    auto& s = thread_state();
    if (!s.saved_hooks) s.saved_hooks = checked(PyList_New(0));
    checked(PyList_Append(s.saved_hooks, args));
    Py_RETURN_NONE;
  });
}
PyObject* pop_saved_hooks(PyObject*, PyObject*) {
  return guarded([&]() -> PyObject* {
    PyObject* list = thread_state().saved_hooks;
    Py_ssize_t n = list ? PyList_GET_SIZE(list) : 0;
    if (!n) fail("pop_saved_tensor_hooks: no hooks are active");
    checked(PyList_SetSlice(list, n - 1, n, nullptr));
    Py_RETURN_NONE;
  });
}
PyObject* set_anomaly(PyObject*, PyObject* args) {
  int on, nan;
  if (!PyArg_ParseTuple(args, "pp", &on, &nan)) return nullptr;
  PyObject* before =
      Py_BuildValue("(NN)", PyBool_FromLong(anomaly_enabled_), PyBool_FromLong(anomaly_nan_));
  anomaly_enabled_ = on;
  anomaly_nan_ = nan;
  return before;
}
PyObject* set_package_prefix(PyObject*, PyObject* text) {
  return guarded([&]() -> PyObject* {
    package_prefix_ = PyUnicode_AsUTF8(text);
    Py_RETURN_NONE;
  });
}

PyMethodDef functions[] = {{"run_backward", py_run_backward, METH_VARARGS, nullptr},
                           {"record_function", record_function, METH_VARARGS, nullptr},
                           {"get_hooks", get_hooks, METH_VARARGS, nullptr},
                           {"set_hooks", set_hooks, METH_VARARGS, nullptr},
                           {"gradient_edge", py_gradient_edge, METH_O, nullptr},
                           {"current_backward_id", current_backward_id, METH_NOARGS, nullptr},
                           {"will_execute", py_will_execute, METH_O, nullptr},
                           {"bump_version", bump_version, METH_O, nullptr},
                           {"is_grad_enabled", is_grad_enabled, METH_NOARGS, nullptr},
                           {"set_grad_enabled", set_grad_enabled, METH_O, nullptr},
                           {"is_inference_mode_enabled", is_inference, METH_NOARGS, nullptr},
                           {"set_inference_mode", set_inference, METH_O, nullptr},
                           {"push_saved_tensor_hooks", push_saved_hooks, METH_VARARGS, nullptr},
                           {"pop_saved_tensor_hooks", pop_saved_hooks, METH_NOARGS, nullptr},
                           {"set_anomaly", set_anomaly, METH_VARARGS, nullptr},
                           {"set_package_prefix", set_package_prefix, METH_O, nullptr},
                           {nullptr, nullptr, 0, nullptr}};

template <class F>
void* slot(F* f) {
  return reinterpret_cast<void*>(f);
}

}  // namespace

void add_autograd(PyObject* module) {
  constexpr unsigned kFlags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE;
  PyType_Slot node_slots[] = {
      {Py_tp_dealloc, slot(node_dealloc)}, {Py_tp_traverse, slot(node_traverse)},
      {Py_tp_clear, slot(node_clear)},     {Py_tp_repr, slot(node_repr)},
      {Py_tp_methods, node_methods},       {Py_tp_getset, node_getset},
      {Py_tp_members, node_members},       {0, nullptr}};
  PyType_Spec node_spec{"rushlight.autograd.graph.Node", sizeof(Node), 0, kFlags, node_slots};
  NodeType = reinterpret_cast<PyTypeObject*>(checked(PyType_FromSpec(&node_spec)));
  PyType_Slot fn_slots[] = {{Py_tp_new, slot(function_node_new)},
                            {Py_tp_dealloc, slot(node_dealloc)},
                            {Py_tp_traverse, slot(node_traverse)},
                            {Py_tp_clear, slot(node_clear)},
                            {0, nullptr}};
  PyType_Spec fn_spec{"rushlight._native.FunctionNode", sizeof(Node), 0, kFlags, fn_slots};
  Own bases(checked(PyTuple_Pack(1, NodeType)));
  FunctionNodeType =
      reinterpret_cast<PyTypeObject*>(checked(PyType_FromSpecWithBases(&fn_spec, bases.get())));
  PyType_Slot saved_slots[] = {
      {Py_tp_new, slot(saved_new)},           {Py_tp_dealloc, slot(saved_dealloc)},
      {Py_tp_traverse, slot(saved_traverse)}, {Py_tp_clear, slot(saved_clear)},
      {Py_tp_methods, saved_methods},         {0, nullptr}};
  PyType_Spec saved_spec{"rushlight._native.SavedTensor", sizeof(SavedTensor), 0,
                         Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC, saved_slots};
  SavedTensorType = reinterpret_cast<PyTypeObject*>(checked(PyType_FromSpec(&saved_spec)));
  checked(PyModule_AddObjectRef(module, "Node", reinterpret_cast<PyObject*>(NodeType)));
  checked(
      PyModule_AddObjectRef(module, "FunctionNode", reinterpret_cast<PyObject*>(FunctionNodeType)));
  checked(
      PyModule_AddObjectRef(module, "SavedTensor", reinterpret_cast<PyObject*>(SavedTensorType)));
  checked(PyModule_AddFunctions(module, functions));
}

}  // namespace rl::py
