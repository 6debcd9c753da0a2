// Recording: the node of a finished call, saved values, and PyTorch's rules for leaves, views
// and in-place operations.
#include <atomic>
#include <cstring>

#include "python/dispatch.h"
#include "python/graph.h"
#include "python/levels.h"
#include "python/op.h"
#include "python/state.h"
#include "python/target.h"

namespace rl::py {

std::string package_prefix_;

namespace {

// Of a call on wrappers, only those of its own level are recorded: others are constants there.
bool wants_grad(PyObject* o, uint8_t level) {
  if (!is_tensor(o)) return false;
  Tensor& t = *as_tensor(o);
  if (!t.requires_grad && !t.grad_fn && !t.view) return false;  // only views come by it later
  return (t.requires_grad || tensor_grad_fn(t)) && level_of(t) == level;
}

bool differentiable(const Tensor& t) { return is_inexact(t.dtype); }

void describe(Shape& s, const Tensor& t) {
  s.sizes.assign(t.sizes().begin(), t.sizes().end());
  s.dtype = t.dtype;
  s.device = t.device;
}

void add_edge(Node& n, PyObject* o, uint8_t level) {
  Edge& e = n.edges.emplace_back();
  if (!o || !is_tensor(o) || !wants_grad(o, level)) return;
  e.node = gradient_edge(*as_tensor(o), e.nr);
  describe(e.shape, *as_tensor(o));
}

}  // namespace

bool any_requires_grad(const Op& op, const Slots& slots) {
  for (int i : op.tensor_args) {
    PyObject* o = slots.at[i];
    if (!o) continue;
    if (Py_TYPE(o) == TensorType) {
      const Tensor& t = *as_tensor(o);
      if (t.requires_grad | (t.grad_fn != nullptr)) {
        if (level_of(t) == slots.level) return true;
      } else if (!t.view) {
        continue;  // only views come by their history later
      }
    } else if (PyTuple_Check(o) || PyList_Check(o)) {
      for (Py_ssize_t k = 0; k < PySequence_Fast_GET_SIZE(o); ++k)
        if (wants_grad(PySequence_Fast_ITEMS(o)[k], slots.level)) return true;
    }
    if (wants_grad(o, slots.level)) return true;
  }
  return false;
}

Ref<Node> gradient_edge(Tensor& t, uint32_t& nr) {
  if (Node* fn = tensor_grad_fn(t)) {
    nr = t.output_nr;
    return Ref<Node>::share(fn);
  }
  nr = 0;
  if (!t.requires_grad) return nullptr;
  if (t.accumulator) return Ref<Node>::share(t.accumulator);
  Ref<Node> n = make_node(NodeKind::Accumulate, nullptr);
  n->variable = Ref<Tensor>::share(&t).give();
  t.accumulator = n.get();
  return n;
}

void save_value(Node& n, PyObject* o, int output) {
  Saved& s = n.saved.emplace_back();
  s.output = output;
  s.is_tensor = o && is_tensor(o);
  PyObject* hooks = thread_state().saved_hooks;
  if (s.is_tensor) {
    Tensor& t = *as_tensor(o);
    if (t.is_inference)
      fail(
          "Inference tensors cannot be saved for backward. To work around you can make a clone to "
          "get a normal "
          "tensor and use it in autograd.");
    s.version = t.version();
    if (hooks && PyList_GET_SIZE(hooks) > 0) {
      PyObject* pair = PyList_GET_ITEM(hooks, PyList_GET_SIZE(hooks) - 1);
      if (output < 0) s.source = gradient_edge(t, s.source_nr);
      Own arg = output < 0 ? Own::share(o) : Own(wrap(detached_alias(t)));
      share_version(*as_tensor(arg.get()), t);
      GradMode off(false);
      s.value = reinterpret_cast<Object*>(
          checked(PyObject_CallOneArg(PyTuple_GET_ITEM(pair, 0), arg.get())));
      s.unpack = reinterpret_cast<Object*>(Py_NewRef(PyTuple_GET_ITEM(pair, 1)));
      if (t.version() != s.version)
        fail("a pack hook of saved tensors changed its argument in place; return a new tensor");
      return;
    }
    if (output >= 0) {  // detached: a node must not own its own outputs
      Ref<Tensor> plain = detached_alias(t);
      share_version(*plain, t);
      s.value = plain.give();
      return;
    }
  }
  s.value = reinterpret_cast<Object*>(Py_XNewRef(o));
}

namespace {
// retain_grad() is about the tensor, not its node: the hook that autograd/graph.py keeps under this
// key moves on to the node of the new value.
constexpr const char* kRetainKey = "retain_grad";

void move_retaining_hook(Node& from, uint32_t from_nr, Node& to, uint32_t nr) {
  for (auto& [at, dict] : from.tensor_hooks) {
    auto* hooks = reinterpret_cast<PyObject*>(dict);
    if (at != from_nr || !hooks) continue;
    Own hook(checked(PyObject_CallMethod(hooks, "pop", "sO", kRetainKey, Py_None)));
    if (hook.get() == Py_None) continue;
    Own fresh(checked(PyObject_CallNoArgs(reinterpret_cast<PyObject*>(Py_TYPE(hooks)))));
    Own key(checked(PyUnicode_FromString(kRetainKey)));
    checked(PyObject_SetItem(fresh.get(), key.get(), hook.get()));
    to.tensor_hooks.emplace_back(nr, reinterpret_cast<Object*>(fresh.give()));
    return;
  }
}
}  // namespace

void set_history(Tensor& out, Node& n, uint32_t nr) {
  if (out.retains_grad && out.grad_fn && out.grad_fn != &n)
    move_retaining_hook(*out.grad_fn, out.output_nr, n, nr);
  if (out.grad_fn) drop_node(out.grad_fn);
  retain(&n);
  out.grad_fn = &n;
  out.output_nr = nr;
  out.requires_grad = true;
}

void keep_history(Tensor& copy, Tensor& original) {
  Node* fn = tensor_grad_fn(original);
  if (!fn) return;
  retain(fn);
  copy.grad_fn = fn;
  copy.output_nr = original.output_nr;
  copy.requires_grad = true;
}

namespace {

void add_edges(Op& op, Node& n, const Slots& slots) {
  for (int i : op.tensor_args) {
    PyObject* o = slots.at[i];
    if (op.args[i].type == ArgType::Tensors && o) {
      for (Py_ssize_t k = 0; k < PySequence_Fast_GET_SIZE(o); ++k)
        add_edge(n, PySequence_Fast_ITEMS(o)[k], slots.level);
    } else {
      add_edge(n, o, slots.level);
    }
  }
}

bool wanted(const Slots& slots, int arg) {
  PyObject* o = slots.at[arg];
  return o && wants_grad(o, slots.level);
}

bool rule_needed(const Op& op, const Rule& r, const Slots& slots) {
  return r.arg < 0 || op.args[r.arg].type == ArgType::Tensors || wanted(slots, r.arg);
}

// The argument as a tensor on the meta device (a list of them for a list): shape, strides and
// dtype. No hook packs it, and its version never changes.
Own geometry_of(PyObject* o) {
  static Storage* none = new_storage(0, true);
  if (!o || o == Py_None) return Own::share(Py_None);
  if (is_tensor(o)) {
    const Tensor& t = *as_tensor(o);
    return Own(wrap(alias(none, t.sizes(), t.strides(), t.offset, t.dtype, Device::Meta)));
  }
  Own list(checked(PyList_New(0)));
  for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(o); ++i)
    checked(PyList_Append(list.get(), geometry_of(PySequence_Fast_ITEMS(o)[i]).get()));
  return list;
}

// Saves what the needed rules read, in rule order; the engine reads it back the same way.
void save_inputs(Op& op, Node& n, const Slots& slots, std::span<Tensor* const> outs,
                 PyObject* original, int mutated) {
  for (const Rule& r : op.rules) {
    if (!rule_needed(op, r, slots)) continue;
    for (const RuleInput& in : r.inputs) {
      bool whole = in.only_for < 0 || wanted(slots, in.only_for);
      if (in.kind == RuleInput::Argument && whole) {
        PyObject* o = slots.at[in.index] ? slots.at[in.index] : op.args[in.index].default_value;
        if (in.index == mutated && original) o = original;
        if (op.args[in.index].constant) {  // no hook packs it, and it outlives backward()
          n.saved.emplace_back().value = reinterpret_cast<Object*>(Py_XNewRef(o));
          continue;
        }
        save_value(n, o, -1);
        n.saved.back().input = &in;
      } else if (in.kind == RuleInput::Result) {
        save_value(n, object(outs[in.index]), in.index);
        n.saved.back().input = &in;
      } else if (in.kind == RuleInput::Geometry || in.kind == RuleInput::Argument) {
        n.saved.emplace_back().value =
            reinterpret_cast<Object*>(geometry_of(slots.at[in.index]).give());
      }
    }
  }
}

// A complex number is two reals one behind the other, whichever of the two tensors has it.
bool reads_parts(DType base, DType view) { return is_complex(base) && !is_complex(view); }
bool reads_pairs(DType base, DType view) { return is_complex(view) && !is_complex(base); }

}  // namespace

// An in-place change of a view becomes a change of its base: CopySlices.
void rebase(Tensor& view, Ref<Node> fn) {
  Tensor& base = *view.view->base;
  Ref<Node> n = make_node(NodeKind::CopySlices, nullptr);
  Edge& first = n->edges.emplace_back();
  first.node = gradient_edge(base, first.nr);
  describe(first.shape, base);
  for (size_t i = 1; i < fn->edges.size(); ++i) n->edges.push_back(fn->edges[i]);
  describe(n->outputs.emplace_back(), base);
  Window w = window_of(view, base);
  n->view_sizes = std::move(w.sizes);
  n->view_strides = std::move(w.strides);
  n->view_offset = w.offset - base.offset * (reads_parts(base.dtype, view.dtype) ? 2 : 1);
  n->context =
      reinterpret_cast<Object*>(object(Ref<Tensor>(alias(base)).give()));  // the base's geometry
  n->inner = std::move(fn);
  set_history(base, *n, 0);
  view.requires_grad = true;
  view.view->version = view.version() - 1;  // forces tensor_grad_fn to regenerate
}

Ref<Node> new_recorded_node(NodeKind kind, Op* op) {
  Ref<Node> n = make_node(kind, op);
  n->code = reinterpret_cast<Object*>(
      rl_current_line(package_prefix_.data(), package_prefix_.size(), &n->instruction));
  return n;
}

void record(Op& op, const Slots& slots, std::span<Tensor* const> outs, Form form,
            PyObject* original) {
  bool any = false;
  for (Tensor* t : outs) any |= differentiable(*t);
  if (!any) return;
  Ref<Node> n = new_recorded_node(NodeKind::Rule, &op);
  add_edges(op, *n, slots);
  int mutated = form == Form::Inplace ? (op.mutated >= 0 ? op.mutated : 0) : -1;
  save_inputs(op, *n, slots, outs, original, mutated);
  for (Tensor* t : outs) describe(n->outputs.emplace_back(), *t);
  if (op.extra >= 0 && (!slots.at[op.extra] || slots.at[op.extra] == Py_None))
    label_short_form(op, *n);
  if (mutated >= 0 && outs[0]->view) return rebase(*outs[0], std::move(n));
  for (size_t i = 0; i < outs.size(); ++i)
    if (differentiable(*outs[i])) set_history(*outs[i], *n, static_cast<uint32_t>(i));
}

void check_inplace(const Op& op, Tensor& self, bool recording) {
  check_inplace(op.public_name, self, recording);
}

void check_inplace(std::string_view name, Tensor& self, bool recording) {
  if (self.is_inference && !inference_mode())
    fail(
        "Inplace update to inference tensor outside InferenceMode is not allowed. You can make a "
        "clone to get a normal tensor before doing inplace update.");
  if (!grad_mode(level_of(self))) return;
  bool leaf = self.requires_grad && !tensor_grad_fn(self);
  if (leaf)
    fail("a leaf Variable that requires grad is being used in an in-place operation. (", name, ")");
  if (self.view && self.view->base->requires_grad && !tensor_grad_fn(*self.view->base))
    fail("a view of a leaf Variable that requires grad is being used in an in-place operation. (",
         name, ")");
  // The base's history has to know of what a view does to it, whoever is recorded.
  recording |= self.view && tensor_grad_fn(*self.view->base);
  if (self.view && recording && self.view->multiple)
    fail("Output 0 of ", name,
         " is a view and is being modified inplace. This view is the output of a function that "
         "returns multiple views. Such functions do not allow the output views to be modified "
         "inplace. You should replace the inplace operation by an out-of-place one.");
  if (self.view && recording && self.view->no_grad)
    fail(
        "A view was created in no_grad mode and is being modified inplace with grad mode enabled. "
        "Given that this use case is ambiguous and error-prone, it is forbidden. You can clarify "
        "your code by moving both the view and the inplace either both inside the no_grad block "
        "(if you don't want the inplace to be tracked) or both outside (if you want the inplace to "
        "be tracked).");
}

void mark_view(Tensor& view, Tensor& base, bool multiple) {
  if (view.storage != base.storage) return;
  Tensor& root = base.view ? *base.view->base : base;
  share_version(view, root);
  view.is_inference = root.is_inference;
  if (base.dtype != view.dtype && !is_inexact(view.dtype)) return;
  static_assert(sizeof(ViewInfo) <= sizeof(view.view_room));
  if (view.view) [[unlikely]]  // marked by the op that a dispatch mode called in the kernel's place
    std::destroy_at(std::exchange(view.view, nullptr));
  view.view = new (view.view_room)
      ViewInfo{Ref<Tensor>::share(&root), view.version(),
               multiple || (base.view && base.view->multiple), !grad_mode(level_of(base))};
}

void forget_view_of_body(const Slots& slots, Tensor& result) {
  if (!result.view) return;
  Results given;
  for (PyObject* o : slots.at)
    if (o) collect_tensors(o, given);
  for (int i = 0; i < given.size(); ++i)
    if (given[i]->storage == result.storage) return;
  std::destroy_at(std::exchange(result.view, nullptr));
}

PyObject* view_through(Tensor& base, Sizes sizes, Sizes strides, int64_t offset, const char* op) {
  if (grad_mode(level_of(base)) && (base.requires_grad || tensor_grad_fn(base))) {
    Own s(make_size(sizes)), t(make_size(strides)), o(checked(PyLong_FromLongLong(offset)));
    PyObject* args[] = {object(&base), s.get(), t.get(), o.get()};
    return call_op(op, args, 4);
  }
  Ref<Tensor> v = alias(base, sizes, strides, offset);
  mark_view(*v, base, false);
  return wrap(std::move(v));
}

Window window_of(const Tensor& view, const Tensor& base) {
  Window w{{}, {}, view.offset};
  w.sizes.assign(view.sizes().begin(), view.sizes().end());
  w.strides.assign(view.strides().begin(), view.strides().end());
  if (!reads_pairs(base.dtype, view.dtype)) return w;
  for (int64_t& stride : w.strides) stride *= 2;
  w.sizes.push_back(2);
  w.strides.push_back(1);
  w.offset *= 2;
  return w;
}

Own seen_through(Tensor& covering, const Window& w, DType dtype) {
  Own seen = Own::share(object(&covering));
  auto apply = [&](const char* op, std::initializer_list<PyObject*> args) {
    seen = Own(checked(call_op(op, args.begin(), static_cast<Py_ssize_t>(args.size()))));
  };
  bool parts = reads_parts(covering.dtype, dtype), pairs = reads_pairs(covering.dtype, dtype);
  if (parts) apply("view_as_real", {seen.get()});
  const Tensor& whole = *as_tensor(seen.get());
  bool another = parts || pairs;  // otherwise the view's node must not be the base's
  if (!another || whole.offset != w.offset || !same_sizes(whole.sizes(), w.sizes) ||
      !same_sizes(whole.strides(), w.strides)) {
    Own size(make_size(w.sizes)), stride(make_size(w.strides)),
        offset(checked(PyLong_FromLongLong(w.offset)));
    apply("as_strided", {seen.get(), size.get(), stride.get(), offset.get()});
  }
  if (pairs) apply("view_as_complex", {seen.get()});
  return seen;
}

// The place of a view's nodes is behind the base's node, before all that read the view: whoever
// asks may be one. There are at most two, the outer one last.
static void place_behind(const Node* base, Node& fn) {
  uint64_t start = base ? base->sequence : 0;
  fn.sequence = start + 2;
  Node* inner = fn.edges[0].node.get();
  if (inner && inner != base && inner->kind == NodeKind::Rule) inner->sequence = start + 1;
}

Node* tensor_grad_fn(Tensor& t) {
  if (!t.view || t.view->version == t.version()) return t.grad_fn;
  Tensor& base = *t.view->base;
  if (!base.grad_fn && !base.requires_grad) return t.grad_fn;
  if (t.view->no_grad && !t.grad_fn) return nullptr;
  // The base changed in place since this view was made: its gradient now flows through the
  // base's new history.
  GradMode on(true, grad_mode(level_of(base)));
  Own fresh = seen_through(base, window_of(t, base), t.dtype);
  Node* fn = as_tensor(fresh.get())->grad_fn;
  if (!fn) return t.grad_fn;
  place_behind(base.grad_fn, *fn);
  set_history(t, *fn, as_tensor(fresh.get())->output_nr);
  t.view->version = t.version();
  return t.grad_fn;
}

}  // namespace rl::py
