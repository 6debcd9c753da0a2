// A node of the graph: how to turn gradients of one call's outputs into gradients of its
// inputs. Plain ops, leaves, writes through views and custom Functions are all this struct.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "core/small_vec.h"
#include "core/tensor.h"

namespace rl {

using Gradients = SmallVec<Ref<Tensor>, 4>;  // of a node's outputs, or for its edges; null: none

namespace py {
struct Op;
struct RuleInput;
}  // namespace py

// The geometry that a gradient must have: rules never un-broadcast, the engine does.
struct Shape {
  SizeVec sizes;
  DType dtype = DType::F32;
  Device device = Device::Cpu;
  bool is_tensor = true;  // custom Functions may return anything
};

struct Edge {
  Ref<Node> node;  // null: no gradient wanted here
  uint32_t nr = 0;
  Shape shape;
};

// A value kept for backward. Outputs are kept detached, so that they do not hold their node.
struct Saved {
  Object* value = nullptr;   // owned: a tensor, another Python object, or what a pack hook made
  Object* unpack = nullptr;  // owned: the hook that undoes `pack`
  uint32_t version = 0;
  int output = -1;
  bool is_tensor = false;
  const py::RuleInput* input = nullptr;  // what it is, to the op's gradient rules
  Ref<Node> source;  // of an input that went through a pack hook: its place in the graph
  uint32_t source_nr = 0;
};

enum class NodeKind : uint8_t { Rule, Accumulate, CopySlices, Function };

struct Node : Object {
  NodeKind kind;
  bool released, materialize;
  uint64_t sequence;
  py::Op* op;
  uint64_t pass;   // the last backward pass that came by, and where that keeps its state of this
  uint32_t place;  // node: see engine.cpp
  SmallVec<Edge, 2> edges;
  SmallVec<Shape, 1> outputs;  // of the forward call: for zero gradients
  SmallVec<Saved, 2> saved;
  Tensor* variable;  // Accumulate: the leaf (owned)
  Ref<Node> inner;   // CopySlices: the node of the in-place op on the view
  SizeVec view_sizes, view_strides;
  int64_t view_offset;
  Object* context;                  // CopySlices: an alias with the base's geometry (owned)
  Object *code, *dict, *weak_refs;  // code object of the recording line (owned)
  Object *pre_hooks, *post_hooks;   // owned dicts
  std::vector<std::pair<uint32_t, Object*>> tensor_hooks;  // (output, dict of hooks), owned
  int instruction;
  const std::string* label;  // the name of the composition whose result this node made, or null
};

Ref<Node> make_node(NodeKind kind, py::Op* op);
void drop_node(Node* n) noexcept;  // releases one count without recursion down the graph

struct ViewInfo {
  Ref<Tensor> base;
  uint32_t version = 0;   // the base's version when grad_fn was made
  bool multiple = false;  // one of several outputs: may not be changed in place
  bool no_grad = false;   // made while recording was off
};

}  // namespace rl
