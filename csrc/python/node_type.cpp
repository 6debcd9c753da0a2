// Graph nodes as Python objects: life cycle and attributes. Nodes of custom Functions are in
// function_type.cpp, passes and hooks in passes.cpp.
#include <string>

#include "autograd/engine.h"
#include "python/docs.h"
#include "python/graph.h"
#include "python/op.h"

namespace rl::py {

PyTypeObject* NodeType;

namespace {
// Multiples of 4: those between are for nodes that come to be later than their place, in
// record.cpp.
uint64_t sequence_ = 0;
uint64_t next_sequence() { return sequence_ += 4; }

// Nodes that were freed, to be used again: each recorded call makes one.
constexpr int kFreeMax = 256;
PyObject* free_list_[kFreeMax];
int free_count_ = 0;
}  // namespace

uint64_t last_sequence() { return sequence_; }

void construct(Node* n, NodeKind kind, Op* op) {
  // The header is live; everything behind it is not. (No parentheses: zeros for what is then set
  // would take a tenth of recording an op.)
  PyObject head = *reinterpret_cast<PyObject*>(n);
  new (n) Node;
  *reinterpret_cast<PyObject*>(n) = head;
  n->kind = kind;
  n->op = op;
  n->materialize = true;
  n->released = false;
  n->variable = nullptr;
  n->context = n->code = n->dict = n->weak_refs = n->pre_hooks = n->post_hooks = nullptr;
  n->instruction = 0;
  n->label = nullptr;
  n->view_offset = 0;
  n->pass = n->place = 0;
  // Leaves run as soon as everything that feeds them has run.
  n->sequence = kind == NodeKind::Accumulate ? 0 : next_sequence();
}
}  // namespace rl::py

namespace rl {
using namespace py;

Ref<Node> make_node(NodeKind kind, Op* op) {
  PyObject* o;
  if (free_count_ > 0) {
    o = free_list_[--free_count_];
    Py_INCREF(NodeType);
    Py_SET_REFCNT(o, 1);
    PyObject_GC_Track(o);
  } else {
    o = checked(NodeType->tp_alloc(NodeType, 0));
  }
  auto* n = as_node(o);
  construct(n, kind, op);
  return Ref<Node>::own(n);
}

// Freeing a node frees its edges: a queue instead of the C stack, however long the graph.
void drop_node(Node* n) noexcept {
  using Queue = SmallVec<Node*, 16>;
  static thread_local Queue* queue = nullptr;
  if (Py_REFCNT(object(n)) > 1) return Py_DECREF(object(n));
  if (queue) return queue->push_back(n);
  Queue local{n};
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

static const std::string& name_of(const std::vector<std::string>& names, size_t dims) {
  return names[std::min(dims, names.size() - 1)];
}

static const std::string& rule_name(const Node& n) {
  return name_of(n.op->grad_names, n.outputs.empty() ? 0 : n.outputs[0].sizes.size());
}

void label_short_form(const Op& op, Node& n) {
  n.label = &name_of(op.short_names, n.outputs[0].sizes.size());
}

void label_results(const Op& op, PyObject* result, uint64_t since) {
  if (PyTuple_Check(result) || PyList_Check(result))
    for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(result); ++i)
      label_results(op, PySequence_Fast_ITEMS(result)[i], since);
  if (!is_tensor(result)) return;
  Tensor& t = *as_tensor(result);
  Node* n = t.grad_fn ? tensor_grad_fn(t) : nullptr;
  if (n && n->sequence > since) n->label = &name_of(op.grad_names, static_cast<size_t>(t.ndim));
}

std::string node_name(const Node& n) {
  if (n.label) return *n.label;
  switch (n.kind) {
    case NodeKind::Rule:
      return rule_name(n);
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

void let_go(SmallVec<Saved, 2>& saved) {
  for (Saved& s : saved) {
    Py_XDECREF(reinterpret_cast<PyObject*>(s.value));
    Py_XDECREF(reinterpret_cast<PyObject*>(s.unpack));
  }
}
void let_go(SmallVec<Edge, 2>& edges) {
  for (Edge& e : edges)
    if (Node* next = e.node.give()) drop_node(next);
}

void detach_variable(Node* n) {
  if (!n->variable) return;
  Tensor* v = std::exchange(n->variable, nullptr);
  if (v->accumulator == n) v->accumulator = nullptr;
  Py_DECREF(object(v));
}

}  // namespace

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

// All but the saved values and the edges.
static void clear_rest(Node* n) {
  detach_variable(n);
  if (n->tensor_hooks.empty() &&
      !is_any(n->context, n->dict, n->pre_hooks, n->post_hooks, n->inner.get()))
    return;
  auto hooks = std::move(n->tensor_hooks);
  for (auto& [nr, d] : hooks) Py_XDECREF(reinterpret_cast<PyObject*>(d));
  clear(n->context);
  clear(n->dict);
  clear(n->pre_hooks);
  clear(n->post_hooks);
  if (Node* inner = n->inner.give()) drop_node(inner);
}

int node_clear(PyObject* self) {
  Node* n = as_node(self);
  SmallVec<Saved, 2> saved = std::move(n->saved);  // what is let go may come by again
  let_go(saved);
  clear_rest(n);
  SmallVec<Edge, 2> edges = std::move(n->edges);
  let_go(edges);
  return 0;
}

void node_dealloc(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  Node* n = as_node(self);
  PyObject_GC_UnTrack(self);
  if (n->weak_refs) PyObject_ClearWeakRefs(self);
  let_go(n->saved);
  clear_rest(n);
  let_go(n->edges);
  clear(n->code);
  PyObject head = *self;
  n->~Node();
  *self = head;
  if (type == NodeType && free_count_ < kFreeMax)
    free_list_[free_count_++] = self;
  else
    type->tp_free(self);
  Py_DECREF(type);
}
namespace {

PyObject* node_name_method(PyObject* self, PyObject*) {
  const Node& n = *as_node(self);
  // PyTorch's leaves give the name of their class in C++.
  if (n.kind == NodeKind::Accumulate)
    return PyUnicode_FromString("torch::autograd::AccumulateGrad");
  return PyUnicode_FromString(node_name(n).c_str());
}
PyObject* node_repr(PyObject* self) {
  Node& n = *as_node(self);
  const char* place = n.kind == NodeKind::Function ? "torch.autograd.function." : "";
  return PyUnicode_FromFormat("<%s%s object at %p>", place, node_name(n).c_str(), self);
}
PyObject* node_next(PyObject* self, void*) {
  return guarded([&]() -> PyObject* {
    Node* n = as_node(self);
    Own t(checked(PyTuple_New(static_cast<Py_ssize_t>(n->edges.size()))));
    for (size_t i = 0; i < n->edges.size(); ++i) {
      PyObject* fn = shown(n->edges[i].node.get());
      PyTuple_SET_ITEM(t.get(), i, checked(Py_BuildValue("(NI)", fn, n->edges[i].nr)));
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
// The gradients of the inputs for those of the outputs: one tensor or None, or a tuple of them.
// Neither hooks nor the nodes behind it run, and nothing is freed.
PyObject* node_call(PyObject* self, PyObject* args, PyObject* kwargs) {
  return guarded([&]() -> PyObject* {
    Node& n = *as_node(self);
    const size_t expected = n.kind == NodeKind::Accumulate ? 1 : n.outputs.size();
    if (kwargs && PyDict_GET_SIZE(kwargs))
      fail(ErrorKind::Type, node_name(n), ": takes no keyword arguments");
    if (static_cast<size_t>(PyTuple_GET_SIZE(args)) != expected)
      fail(node_name(n), ": expected ", expected, " gradients, one for each output, got ",
           PyTuple_GET_SIZE(args));
    Gradients grads;
    for (size_t i = 0; i < expected; ++i) {
      PyObject* o = PyTuple_GET_ITEM(args, static_cast<Py_ssize_t>(i));
      if (o != Py_None && !is_tensor(o))
        fail(ErrorKind::Type, node_name(n), ": expected Tensor or None as argument ", i, ", got ",
             Py_TYPE(o)->tp_name);
      grads.push_back(o == Py_None ? nullptr : Ref<Tensor>::share(as_tensor(o)));
    }
    Pass pass;
    pass.keep_graph = true;
    pass.create_graph = grad_enabled();
    Gradients results = apply_node(n, std::move(grads), pass);
    Own out(checked(PyTuple_New(static_cast<Py_ssize_t>(results.size()))));
    for (size_t i = 0; i < results.size(); ++i)
      PyTuple_SET_ITEM(out.get(), i, results[i] ? wrap(std::move(results[i])) : Py_NewRef(Py_None));
    return results.size() == 1 ? Py_NewRef(PyTuple_GET_ITEM(out.get(), 0)) : out.give();
  });
}

// A dict that programs keep notes in, made when it is asked for.
PyObject* node_metadata(PyObject* self, void*) {
  Own notes(PyObject_GenericGetDict(self, nullptr));
  Own fresh(notes ? PyDict_New() : nullptr);
  static PyObject* const name = PyUnicode_InternFromString("metadata");
  return fresh ? Py_XNewRef(PyDict_SetDefault(notes.get(), name, fresh.get())) : nullptr;
}
PyObject* node_sequence(PyObject* self, PyObject*) {
  return PyLong_FromUnsignedLongLong(as_node(self)->sequence);
}
PyObject* node_location(PyObject* self, void*) {
  return PyUnicode_FromString(node_place(*as_node(self)).c_str());
}

// What arrives at each output: (shape, dtype, device).
PyObject* node_outputs(PyObject* self, PyObject*) {
  return guarded([&]() -> PyObject* {
    Node* n = as_node(self);
    Own list(checked(PyList_New(0)));
    auto add = [&](Sizes sizes, DType dtype, Device device) {
      Own item(checked(
          Py_BuildValue("(NOO)", make_size(sizes), dtype_object(dtype), device_object(device))));
      checked(PyList_Append(list.get(), item.get()));
    };
    if (const Tensor* v = n->variable) add(v->sizes(), v->dtype, v->device);
    for (const Shape& s : n->outputs) add(s.sizes, s.dtype, s.device);
    return list.give();
  });
}

PyMethodDef node_methods[] = {
    {"_outputs", node_outputs, METH_NOARGS,
     "_outputs($self, /)\n--\n\n(shape, dtype, device) of what arrives at each output."},
    {"name", node_name_method, METH_NOARGS,
     "name($self, /)\n--\n\nThe name of the rule, such as MulBackward0."},
    {"_sequence_nr", node_sequence, METH_NOARGS,
     "_sequence_nr($self, /)\n--\n\nLarger for later operations; 0 for leaves."},
    {nullptr, nullptr, 0, nullptr}};
PyGetSetDef node_getset[] = {
    {"next_functions", node_next, nullptr, "Pairs (node, output number) that gradients go to.",
     nullptr},
    {"metadata", node_metadata, nullptr, "A dict for notes about this node.", nullptr},
    {"variable", node_variable, nullptr, "The leaf of an AccumulateGrad node.", nullptr},
    {"location", node_location, nullptr, "File and line of the forward operation.", nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr}};
PyMemberDef node_members[] = {
    {"__dictoffset__", T_PYSSIZET, offsetof(Node, dict), READONLY, nullptr},
    {"__weaklistoffset__", T_PYSSIZET, offsetof(Node, weak_refs), READONLY, nullptr},
    {nullptr, 0, 0, 0, nullptr}};

}  // namespace

void add_nodes(PyObject* module) {
  PyType_Slot node_slots[] = {{Py_tp_doc, const_cast<char*>(docs::kNode)},
                              {Py_tp_dealloc, slot(node_dealloc)},
                              {Py_tp_traverse, slot(node_traverse)},
                              {Py_tp_clear, slot(node_clear)},
                              {Py_tp_repr, slot(node_repr)},
                              {Py_tp_call, slot(node_call)},
                              {Py_tp_methods, node_methods},
                              {Py_tp_getset, node_getset},
                              {Py_tp_members, node_members},
                              {0, nullptr}};
  PyType_Spec node_spec{"rushlight.autograd.graph.Node", sizeof(Node), 0,
                        Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE |
                            Py_TPFLAGS_DISALLOW_INSTANTIATION,
                        node_slots};
  NodeType = reinterpret_cast<PyTypeObject*>(checked(PyType_FromSpec(&node_spec)));
  checked(PyModule_AddObjectRef(module, "Node", reinterpret_cast<PyObject*>(NodeType)));
}

}  // namespace rl::py
