// The pass itself: count dependencies, then run nodes newest first on the calling thread.
// All state is local, so passes may nest and may run in several threads at once.
#include "autograd/engine.h"

#include <algorithm>
#include <unordered_map>

namespace rl {
namespace {

struct State {
  int waiting = 0;
  bool needed = true;
  std::vector<Ref<Tensor>> grads;
  std::vector<bool> ours;  // the buffer was made here: it may be added into
};
using States = std::unordered_map<Node*, State>;
thread_local const States* current_states_ = nullptr;

struct CurrentStates {  // passes nest
  const States* outer = current_states_;
  explicit CurrentStates(const States& states) { current_states_ = &states; }
  ~CurrentStates() { current_states_ = outer; }
};

// Dependencies of every node reachable from the roots; no recursion.
void count_dependencies(const std::vector<Root>& roots, States& states) {
  std::vector<Node*> stack;
  for (const Root& r : roots)
    if (states.try_emplace(r.node.get()).second) stack.push_back(r.node.get());
  while (!stack.empty()) {
    Node* n = stack.back();
    stack.pop_back();
    for (const Edge& e : n->edges) {
      if (!e.node) continue;
      auto [it, fresh] = states.try_emplace(e.node.get());
      ++it->second.waiting;
      if (fresh) stack.push_back(e.node.get());
    }
  }
}

// With targets, only nodes from which a target is reachable run.
void find_needed(States& states, const Pass& pass) {
  std::vector<Node*> order;
  for (auto& [n, s] : states) {
    order.push_back(n);
    s.needed = false;
  }
  // Edges lead to older nodes, so oldest first sees every successor before its users;
  // leaves carry sequence 0 here.
  std::sort(order.begin(), order.end(), [](Node* a, Node* b) { return a->sequence < b->sequence; });
  for (const Target& t : pass.targets)
    if (auto it = states.find(t.node); it != states.end()) it->second.needed = true;
  for (Node* n : order)
    for (const Edge& e : n->edges)
      if (e.node && states[e.node.get()].needed) states[n].needed = true;
}

void add_to(State& s, uint32_t nr, Ref<Tensor> g, const Pass& pass) {
  if (s.grads.size() <= nr) {
    s.grads.resize(nr + 1);
    s.ours.resize(nr + 1);
  }
  if (!s.grads[nr]) {
    s.grads[nr] = std::move(g);
    return;
  }
  s.grads[nr] = add_gradients(*s.grads[nr], *g, s.ours[nr], pass);
  s.ours[nr] = true;
}

struct Newer {
  bool operator()(const Node* a, const Node* b) const { return a->sequence < b->sequence; }
};

}  // namespace

bool will_execute(Node* n) {
  if (!current_states_) return false;
  auto it = current_states_->find(n);
  return it != current_states_->end() && it->second.needed;
}

void run_backward(std::vector<Root> roots, Pass& pass) {
  States states;
  CurrentStates current(states);
  count_dependencies(roots, states);
  pass.captured.resize(pass.targets.size());
  if (!pass.targets.empty()) find_needed(states, pass);
  for (Root& r : roots) add_to(states[r.node.get()], r.nr, r.grad, pass);
  std::vector<Ref<Node>> ready;
  auto push = [&](Node* n) {
    ready.push_back(Ref<Node>::share(n));
    std::push_heap(ready.begin(), ready.end(),
                   [](auto& a, auto& b) { return Newer{}(a.get(), b.get()); });
  };
  std::vector<Node*> seen;
  for (Root& r : roots)
    if (states[r.node.get()].waiting == 0 &&
        std::find(seen.begin(), seen.end(), r.node.get()) == seen.end()) {
      seen.push_back(r.node.get());
      push(r.node.get());
    }
  roots.clear();
  while (!ready.empty()) {
    std::pop_heap(ready.begin(), ready.end(),
                  [](auto& a, auto& b) { return Newer{}(a.get(), b.get()); });
    Ref<Node> n = std::move(ready.back());
    ready.pop_back();
    State& s = states[n.get()];
    std::vector<Ref<Tensor>> grads = std::move(s.grads);
    bool any = std::any_of(grads.begin(), grads.end(), [](auto& g) { return bool(g); });
    if (any) run_pre_hooks(*n, grads);
    for (size_t i = 0; i < pass.targets.size(); ++i)
      if (pass.targets[i].node == n.get() && pass.targets[i].nr < grads.size())
        pass.captured[i] = grads[pass.targets[i].nr];
    if (n->kind == NodeKind::Accumulate) {
      if (any && pass.accumulate && s.needed) accumulate(*n, std::move(grads[0]), pass);
      continue;
    }
    std::vector<Ref<Tensor>> results;
    bool further = s.needed && std::any_of(n->edges.begin(), n->edges.end(), [&](const Edge& e) {
                     return e.node && states[e.node.get()].needed;
                   });
    std::vector<Ref<Node>> next;  // evaluation may clear the node's own edges
    std::vector<uint32_t> nrs;
    for (const Edge& e : n->edges) {
      next.push_back(e.node);
      nrs.push_back(e.nr);
    }
    if (any && further) results = evaluate_node(*n, std::move(grads), pass);
    results.resize(next.size());
    for (size_t i = 0; i < next.size(); ++i) {
      if (!next[i]) continue;
      State& to = states[next[i].get()];
      if (results[i] && to.needed)
        add_to(to, nrs[i], fit_gradient(*n, i, std::move(results[i])), pass);
      if (--to.waiting == 0) push(next[i].get());
    }
  }
}

}  // namespace rl
