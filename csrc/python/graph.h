// Graph nodes as the binding's files share them: making nodes, recording on them, and reading back
// what they saved. What an op records is in record.cpp, how a node runs in evaluate.cpp.
#pragma once
#include <string>

#include "autograd/node.h"
#include "python/binding.h"

namespace rl::py {

inline void clear(Object*& o) {  // releases what a field owns, after emptying the field
  if (Object* old = std::exchange(o, nullptr)) Py_DECREF(object(old));
}
// Is there any of them? Asked of all at once, as most tensors and nodes hold nothing else.
template <class... T>
bool is_any(const T*... parts) {
  return ((reinterpret_cast<uintptr_t>(parts)) | ...) != 0;
}
inline Node* as_node(PyObject* o) { return reinterpret_cast<Node*>(o); }

// node_type.cpp
extern PyTypeObject* NodeType;
void construct(Node* n, NodeKind kind, Op* op);  // of a node whose header alone is live
int node_traverse(PyObject* self, visitproc visit, void* arg);
int node_clear(PyObject* self);
void node_dealloc(PyObject* self);
std::string node_name(const Node& n);
uint64_t last_sequence();  // of the newest node
// Names the nodes that made a composition's results, if they are newer than that.
void label_results(const Op& op, PyObject* result, uint64_t since);
void label_short_form(const Op& op, Node& n);  // names a node of a call without op.extra
PyObject* shown(Node* n);                      // node_class.cpp
std::string node_place(const Node& n);         // file and line that recorded it
void add_nodes(PyObject* module);
// function_type.cpp
extern PyTypeObject* FunctionNodeType;
PyObject* record_function(PyObject*, PyObject* args);
void add_function_types(PyObject* module);
// record.cpp
void save_value(Node& n, PyObject* o, int output);
void check_inplace(std::string_view name, Tensor& self, bool recording);
void rebase(Tensor& view, Ref<Node> fn);  // the node of a change in place of the view
void set_history(Tensor& out, Node& n, uint32_t nr);
// A view's geometry in elements of its base, or in parts of them: one of the two may be complex.
struct Window {
  SizeVec sizes, strides;
  int64_t offset;
};
Window window_of(const Tensor& view, const Tensor& base);
Own seen_through(Tensor& covering, const Window& w, DType dtype);  // the view, made by ops
Ref<Node> new_recorded_node(NodeKind kind, Op* op);
extern std::string package_prefix_;  // files under it are not "the user's line"
// evaluate.cpp
PyObject* unpack_saved(Node& n, Saved& s, bool create_graph);
extern bool anomaly_enabled_, anomaly_nan_;
// frame.c: the code object and instruction of the innermost frame outside the prefix
extern "C" PyObject* rl_current_line(const char* prefix, size_t n, int* instruction);

template <class F>
void* slot(F* f) {  // a function as a type's slot
  return reinterpret_cast<void*>(f);
}

}  // namespace rl::py
