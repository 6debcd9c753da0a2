// Runs a backward pass.
#pragma once
#include <optional>
#include <vector>

#include "autograd/node.h"

namespace rl {

struct Root {
  Ref<Node> node;
  uint32_t nr;
  Ref<Tensor> grad;
};
struct Target {  // where a gradient is captured instead of accumulated
  Node* node;
  uint32_t nr;
};

struct Pass {
  bool keep_graph = false, create_graph = false, accumulate = true;
  std::vector<Target> targets;
  std::vector<Ref<Tensor>> captured;  // one per target
};

void run_backward(std::vector<Root> roots, Pass& pass);
bool will_execute(Node* n);  // in the innermost pass of this thread; false outside of one
bool is_selective();         // has that pass targets? false outside of one
// Does the running pass want the gradient of this edge? Passes with targets leave others out.
bool is_wanted(const Node& n, size_t edge);

// What the binding supplies: evaluating one node, summing, accumulating into .grad.
Gradients apply_node(Node& n, Gradients grads, const Pass& pass);  // without hooks
Gradients evaluate_node(Node& n, Gradients grads, const Pass& pass);
Ref<Tensor> fit_gradient(Node& n, size_t edge, Ref<Tensor> g);  // un-broadcast, cast
Ref<Tensor> add_gradients(Tensor& a, Tensor& b, bool may_reuse, const Pass& pass);
void run_tensor_hooks(Node& n, Gradients& grads);  // of the tensors whose gradients these are
void run_pre_hooks(Node& n, Gradients& grads);
void accumulate(Node& leaf, Ref<Tensor> grad, const Pass& pass);

}  // namespace rl
