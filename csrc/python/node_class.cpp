// The class of a graph node: made when Python first sees a node of that name, so that
// type(t.grad_fn).__name__ is "MulBackward0", with an attribute _saved_NAME for each argument that
// the gradient rules may read. Nodes that Python never sees keep the plain class.
#include <algorithm>
#include <map>

#include "python/graph.h"
#include "python/op.h"

namespace rl::py {
namespace {

// A class with what its slots refer to; classes live as long as the process.
struct NodeClass {
  std::string name;
  std::vector<std::string> attributes;
  std::vector<PyGetSetDef> getset;
  PyTypeObject* type = nullptr;
};

std::string saved_name(const Op& op, const RuleInput& in) {
  if (in.kind == RuleInput::Argument) return str("_saved_", op.args[in.index].text);
  return "_saved_" + (op.result_names.empty() ? "result" : op.result_names[in.index]);
}

// The saved value of that name, checked for later changes.
PyObject* get_saved(PyObject* self, void* attribute) {
  return guarded([&]() -> PyObject* {
    Node& n = *as_node(self);
    auto* name = static_cast<const std::string*>(attribute);
    if (n.released)
      fail("Trying to read ", *name, " after the saved tensors of ", node_name(n),
           " have been freed by backward(); pass retain_graph=True to keep them");
    for (Saved& s : n.saved)
      if (s.input && saved_name(*n.op, *s.input) == *name) return unpack_saved(n, s, true);
    Py_RETURN_NONE;  // no rule that is needed reads it
  });
}

void add_saved(NodeClass& c, const Op& op) {
  for (const Rule& r : op.rules)
    for (const RuleInput& in : r.inputs) {
      if (in.kind != RuleInput::Argument && in.kind != RuleInput::Result) continue;
      if (in.kind == RuleInput::Argument && op.args[in.index].constant) continue;
      std::string name = saved_name(op, in);
      if (std::find(c.attributes.begin(), c.attributes.end(), name) == c.attributes.end())
        c.attributes.push_back(name);
    }
  for (std::string& name : c.attributes)
    c.getset.push_back({name.c_str(), get_saved, nullptr,
                        "What the rule reads of the operation; RuntimeError once it is freed.",
                        &name});
  c.getset.push_back({nullptr, nullptr, nullptr, nullptr, nullptr});
}

PyTypeObject* make_type(NodeClass& c) {
  PyType_Slot slots[] = {{Py_tp_dealloc, slot(node_dealloc)},
                         {Py_tp_traverse, slot(node_traverse)},
                         {Py_tp_clear, slot(node_clear)},
                         {Py_tp_getset, c.getset.data()},
                         {0, nullptr}};
  PyType_Spec spec{c.name.c_str(), sizeof(Node), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC, slots};
  Own bases(checked(PyTuple_Pack(1, NodeType)));
  return reinterpret_cast<PyTypeObject*>(checked(PyType_FromSpecWithBases(&spec, bases.get())));
}

PyTypeObject* class_of(const Node& n) {
  static auto* classes = new std::map<std::pair<Op*, std::string>, NodeClass>();
  std::string name = node_name(n);
  auto [it, fresh] = classes->try_emplace({n.op, name});
  NodeClass& c = it->second;
  if (fresh) {
    c.name = "torch.autograd." + name;
    if (n.kind == NodeKind::Rule) add_saved(c, *n.op);
    if (c.getset.empty()) c.getset.push_back({nullptr, nullptr, nullptr, nullptr, nullptr});
  }
  if (!c.type) c.type = make_type(c);
  return c.type;
}

}  // namespace

// A new reference to the node for Python, of its own class from now on; None for null.
PyObject* shown(Node* n) {
  if (!n) Py_RETURN_NONE;
  PyObject* self = object(n);
  if (Py_TYPE(self) == NodeType) {
    PyTypeObject* type = class_of(*n);
    Py_INCREF(type);
    Py_SET_TYPE(self, type);
    Py_DECREF(NodeType);
  }
  return Py_NewRef(self);
}

}  // namespace rl::py
