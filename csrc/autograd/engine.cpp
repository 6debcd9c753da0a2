// The pass itself: count dependencies, then run nodes newest first on the calling thread.
// All state is local, so passes may nest and may run in several threads at once.
#include "autograd/engine.h"

#include <algorithm>
#include <unordered_map>

namespace rl {
namespace {

struct Sum {
  Ref<Tensor> value;
  bool ours = false;  // the buffer was made here: it may be added into
};

struct State {
  Node* node = nullptr;
  int waiting = 0;
  bool needed = true;
  SmallVec<Sum, 1> sums;  // of the gradients that arrived, by output
};

uint64_t passes_ = 0;

// The states of all nodes of a pass. A node remembers the last pass that met it and its place
// there; the map serves those that an inner pass, or one of another thread, has met since.
class States {
 public:
  // The state of a node, and whether this is the first time that it is met.
  std::pair<State*, bool> meet(Node* n) {
    if (n->pass == id_) return {&list_[n->place], false};
    n->pass = id_;
    n->place = static_cast<uint32_t>(list_.size());
    list_.emplace_back().node = n;
    return {&list_.back(), true};
  }
  State* find(Node* n) {
    if (n->pass == id_) return &list_[n->place];
    if (places_.empty())
      for (size_t i = 0; i < list_.size(); ++i) places_[list_[i].node] = i;
    auto it = places_.find(n);
    return it == places_.end() ? nullptr : &list_[it->second];
  }
  State& operator[](const Ref<Node>& n) { return *find(n.get()); }
  std::vector<State>& all() { return list_; }
  bool selective = false;  // some nodes are not needed

 private:
  uint64_t id_ = ++passes_;
  std::vector<State> list_;
  std::unordered_map<Node*, size_t> places_;
};
thread_local States* current_states_ = nullptr;

struct CurrentStates {  // passes nest
  States* outer = current_states_;
  explicit CurrentStates(States& states) { current_states_ = &states; }
  ~CurrentStates() { current_states_ = outer; }
};

// Dependencies of every node reachable from the roots; no recursion.
void count_dependencies(const std::vector<Root>& roots, States& states) {
  std::vector<Node*> stack;
  for (const Root& r : roots)
    if (states.meet(r.node.get()).second) stack.push_back(r.node.get());
  while (!stack.empty()) {
    Node* n = stack.back();
    stack.pop_back();
    for (const Edge& e : n->edges) {
      if (!e.node) continue;
      auto [state, fresh] = states.meet(e.node.get());
      ++state->waiting;
      if (fresh) stack.push_back(e.node.get());
    }
  }
}

// With targets, only nodes from which a target is reachable run.
void find_needed(States& states, const Pass& pass) {
  std::vector<Node*> order;
  for (State& s : states.all()) {
    order.push_back(s.node);
    s.needed = false;
  }
  // Edges lead to older nodes, so oldest first sees every successor before its users;
  // leaves carry sequence 0 here.
  std::sort(order.begin(), order.end(), [](Node* a, Node* b) { return a->sequence < b->sequence; });
  for (const Target& t : pass.targets)
    if (State* s = states.find(t.node)) s->needed = true;
  for (Node* n : order)
    for (const Edge& e : n->edges)
      if (e.node && states[e.node].needed) states.find(n)->needed = true;
}

void add_to(State& s, uint32_t nr, Ref<Tensor> g, const Pass& pass) {
  if (s.sums.size() <= nr) s.sums.resize(nr + 1);
  Sum& sum = s.sums[nr];
  if (!sum.value) {
    sum.value = std::move(g);
    return;
  }
  sum.value = add_gradients(*sum.value, *g, sum.ours, pass);
  sum.ours = true;
}

// Nodes that wait for nothing more, to be run newest first.
class Ready {
 public:
  void push(Node* n) {
    heap_.push_back(Ref<Node>::share(n));
    std::push_heap(heap_.begin(), heap_.end(), older);
  }
  Ref<Node> pop() {
    std::pop_heap(heap_.begin(), heap_.end(), older);
    Ref<Node> n = std::move(heap_.back());
    heap_.pop_back();
    return n;
  }
  bool empty() const { return heap_.empty(); }

 private:
  static bool older(const Ref<Node>& a, const Ref<Node>& b) { return a->sequence < b->sequence; }
  std::vector<Ref<Node>> heap_;
};

struct Next {  // evaluation may clear the node's own edges
  Ref<Node> node;
  uint32_t nr;
};

void run_node(Node& n, States& states, Ready& ready, Pass& pass) {
  State& s = *states.find(&n);
  Gradients grads(s.sums.size());
  bool any = false, needed = s.needed;
  for (size_t i = 0; i < grads.size(); ++i) {
    grads[i] = std::move(s.sums[i].value);
    any |= bool(grads[i]);
  }
  if (any) run_tensor_hooks(n, grads);
  // backward(inputs=...) runs the nodes of its inputs, for their hooks; grad() does not.
  bool further = false, is_input = false;
  for (size_t i = 0; i < pass.targets.size(); ++i) {
    if (pass.targets[i].node != &n) continue;
    is_input |= pass.accumulate;
    if (pass.targets[i].nr < grads.size()) pass.captured[i] = grads[pass.targets[i].nr];
  }
  if (n.kind == NodeKind::Accumulate) {
    if (!any || !pass.accumulate || !needed) return;
    run_pre_hooks(n, grads);
    accumulate(n, std::move(grads[0]), pass);
    return;
  }
  SmallVec<Next, 3> next;
  for (const Edge& e : n.edges) {
    next.emplace_back(e.node, e.nr);
    further |= needed && e.node && states[e.node].needed;
  }
  Gradients results;
  if (any && (further || is_input || !states.selective)) run_pre_hooks(n, grads);
  if (any && (further || is_input)) results = evaluate_node(n, std::move(grads), pass);
  results.resize(next.size());
  for (size_t i = 0; i < next.size(); ++i) {
    if (!next[i].node) continue;
    State& to = states[next[i].node];
    if (results[i] && to.needed)
      add_to(to, next[i].nr, fit_gradient(n, i, std::move(results[i])), pass);
    if (--to.waiting == 0) ready.push(next[i].node.get());
  }
}

}  // namespace

bool will_execute(Node* n) {
  State* s = current_states_ ? current_states_->find(n) : nullptr;
  return s && s->needed;
}

bool is_selective() { return current_states_ && current_states_->selective; }

// What is no part of the pass (a node within another) is wanted.
bool is_wanted(const Node& n, size_t edge) {
  Node* to = n.edges[edge].node.get();
  if (!to || !current_states_ || !current_states_->selective) return to;
  State* s = current_states_->find(to);
  return !s || s->needed;
}

void run_backward(std::vector<Root> roots, Pass& pass) {
  States states;
  CurrentStates current(states);
  count_dependencies(roots, states);
  pass.captured.resize(pass.targets.size());
  states.selective = !pass.targets.empty();
  if (states.selective) find_needed(states, pass);
  for (Root& r : roots) add_to(states[r.node], r.nr, r.grad, pass);
  Ready ready;
  std::vector<Node*> seen;
  for (Root& r : roots)
    if (states[r.node].waiting == 0 &&
        std::find(seen.begin(), seen.end(), r.node.get()) == seen.end()) {
      seen.push_back(r.node.get());
      ready.push(r.node.get());
    }
  roots.clear();
  while (!ready.empty()) {
    Ref<Node> n = ready.pop();
    run_node(*n, states, ready, pass);
  }
}

}  // namespace rl
