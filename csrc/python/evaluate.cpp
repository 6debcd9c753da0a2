// The engine's callbacks: a node's rules run in Python over the op table, so that every rule
// is itself differentiable; sums, un-broadcasting and accumulation are ops too.
#include "autograd/engine.h"
#include "plan/copy.h"
#include "python/dispatch.h"
#include "python/graph.h"
#include "python/interpose.h"
#include "python/levels.h"
#include "python/op.h"
#include "python/state.h"

namespace rl::py {
bool anomaly_enabled_ = false, anomaly_nan_ = true;

Ref<Tensor> call_tensor_op(const char* name, std::initializer_list<PyObject*> args) {
  return Ref<Tensor>::own(as_tensor(call_op(name, args.begin(), args.size())));
}

// The saved value as the rule sees it: checked for later changes, outputs tied to their node.
PyObject* unpack_saved(Node& n, Saved& s, bool create_graph) {
  if (!s.value) Py_RETURN_NONE;
  auto* value = reinterpret_cast<PyObject*>(s.value);
  Own unpacked;
  if (s.unpack) {
    unpacked = Own(checked(PyObject_CallOneArg(reinterpret_cast<PyObject*>(s.unpack), value)));
    if (!is_tensor(unpacked.get()))
      fail(ErrorKind::Type, "saved_tensors_hooks: unpack_hook must return a Tensor");
    if (s.output < 0) {
      if (!create_graph || !s.source) return unpacked.give();
      Ref<Tensor> tied = detached_alias(*as_tensor(unpacked.get()));
      set_history(*tied, *s.source, s.source_nr);
      return wrap(std::move(tied));
    }
    value = unpacked.get();
  }
  if (!s.is_tensor) return Py_NewRef(value);
  Tensor& t = *as_tensor(value);
  if (!s.unpack && t.version() != s.version)
    fail(
        "one of the variables needed for gradient computation has been modified by an inplace "
        "operation: [torch.",
        info(t.dtype).legacy_name, "Tensor ", t.sizes(), "], which is ",
        s.output >= 0 ? str("output ", s.output, " of ", node_name(n))
                      : str("an input saved by ", node_name(n)),
        ", is at version ", static_cast<int64_t>(t.version()), "; expected version ",
        static_cast<int64_t>(s.version), " instead. It was saved by the forward operation at ",
        node_place(n),
        "; clone() the tensor before the in-place change, or use the out-of-place operation.");
  if (s.output < 0 || !create_graph || !is_inexact(t.dtype)) return Py_NewRef(value);
  Ref<Tensor> tied = detached_alias(t);
  set_history(*tied, n, static_cast<uint32_t>(s.output));
  return wrap(std::move(tied));
}

namespace {

// The sum of a tensor and a zero that is a wrapper of `like`'s level.
Ref<Tensor> lifted(Tensor& t, Tensor& like) {
  Own none(checked(PyTuple_New(0)));
  Ref<Tensor> zero = call_tensor_op("new_zeros", {object(&like), none.get()});
  return call_tensor_op("add", {object(&t), object(zero.get())});
}

Ref<Tensor> zeros_for(const Shape& s) {
  Ref<Tensor> z = empty(s.sizes, s.dtype, s.device);
  fill(*z, Scalar::of(int64_t{0}));
  return z;
}

Ref<Tensor> result_tensor(PyObject* o, const Node& n) {
  if (o == Py_None) return nullptr;
  if (!is_tensor(o))
    fail(ErrorKind::Type, node_name(n), ": expected a Tensor or None as a gradient, got ",
         Py_TYPE(o)->tp_name);
  return Ref<Tensor>::share(as_tensor(o));
}

void append_results(PyObject* out, const Node& n, Gradients& results) {
  if (!PyTuple_Check(out) && !PyList_Check(out)) return results.push_back(result_tensor(out, n));
  for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(out); ++i)
    results.push_back(result_tensor(PySequence_Fast_ITEMS(out)[i], n));
}

PyObject* grads_tuple(Node& n, Gradients& grads, bool fill) {
  Own t(checked(PyTuple_New(static_cast<Py_ssize_t>(n.outputs.size()))));
  for (size_t i = 0; i < n.outputs.size(); ++i) {
    if (!grads[i] && fill) grads[i] = zeros_for(n.outputs[i]);
    PyTuple_SET_ITEM(t.get(), i, Py_NewRef(grads[i] ? object(grads[i].get()) : Py_None));
  }
  return t.give();
}

PyObject* needs_tuple(Node& n) {
  Own t(checked(PyTuple_New(static_cast<Py_ssize_t>(n.edges.size()))));
  for (size_t i = 0; i < n.edges.size(); ++i)
    PyTuple_SET_ITEM(t.get(), i, Py_NewRef(is_wanted(n, i) ? Py_True : Py_False));
  return t.give();
}

PyObject* rule_argument(Node& n, const RuleInput& in, Gradients& grads, size_t& next, bool create) {
  switch (in.kind) {
    case RuleInput::Grad: {
      auto& g = grads[in.index];
      if (!g) g = zeros_for(n.outputs[in.index]);
      return Py_NewRef(object(g.get()));
    }
    case RuleInput::Grads:
      return grads_tuple(n, grads, true);
    case RuleInput::Given:
      return grads_tuple(n, grads, false);
    case RuleInput::Needs:
      return needs_tuple(n);
    default:
      return unpack_saved(n, n.saved[next++], create);
  }
}

// What one rule gives: a gradient, or several of a list or of all inputs.
Gradients run_rule(Node& n, const Rule& rule, Gradients& grads, size_t& next, bool create_graph) {
  PyObject* argv[kMaxArgs + 4];
  SmallVec<Own, 6> held;
  for (const RuleInput& in : rule.inputs) {
    Own& o = held.emplace_back(rule_argument(n, in, grads, next, create_graph));
    argv[held.size() - 1] = o.get();
  }
  Gradients results;
  Own out(checked(PyObject_Vectorcall(rule.fn, argv, rule.inputs.size(), nullptr)));
  append_results(out.get(), n, results);
  return results;
}

// How many saved values a rule takes: whatever is no part of the pass.
size_t saved_by(const Rule& rule) {
  return std::ranges::count_if(rule.inputs, [](const RuleInput& in) {
    using enum RuleInput::Kind;
    return in.kind == Argument || in.kind == Result || in.kind == Geometry;
  });
}

// The edges of the a-th tensor argument: where they begin and how many they are.
std::pair<size_t, size_t> edges_of(const Node& n, const Op& op, size_t a) {
  size_t list_span = n.edges.size() - (op.tensor_args.size() - 1), begin = 0;
  for (size_t i = 0;; ++i) {
    size_t span = op.args[op.tensor_args[i]].type == ArgType::Tensors ? list_span : 1;
    if (i == a) return {begin, span};
    begin += span;
  }
}

// Of some edges: was one recorded, and is one wanted now?
bool any_recorded(const Node& n, std::pair<size_t, size_t> edges) {
  for (size_t i = 0; i < edges.second; ++i)
    if (n.edges[edges.first + i].node) return true;
  return false;
}
bool any_wanted(const Node& n, std::pair<size_t, size_t> edges) {
  for (size_t i = 0; i < edges.second; ++i)
    if (is_wanted(n, edges.first + i)) return true;
  return false;
}

void require_rules(const Node& n, const Op& op) {
  for (size_t a = 0; a < op.tensor_args.size(); ++a) {
    int arg = op.tensor_args[a];
    bool has = std::ranges::any_of(op.rules, [&](const Rule& r) { return r.arg == arg; });
    if (!has && any_wanted(n, edges_of(n, op, a)))
      fail(ErrorKind::NotImplemented, "derivative for ", op.public_name, " with respect to '",
           op.args[arg].text, "' is not implemented");
  }
}

// A rule for each argument. They run in the order of the record: it decides in which order the
// second derivatives' terms are added.
Gradients run_each_rule(Node& n, const Op& op, Gradients& grads, bool create_graph) {
  require_rules(n, op);
  Gradients results(n.edges.size());
  size_t next = 0;
  for (const Rule& rule : op.rules) {
    auto at = std::ranges::find(op.tensor_args, rule.arg);
    auto edges = edges_of(n, op, static_cast<size_t>(at - op.tensor_args.begin()));
    bool recorded = any_recorded(n, edges), list = op.args[rule.arg].type == ArgType::Tensors;
    if (!recorded && !list) continue;  // nothing was saved for it
    if (!any_wanted(n, edges)) {
      next += saved_by(rule);
      continue;
    }
    auto made = run_rule(n, rule, grads, next, create_graph);
    for (size_t i = 0; i < std::min(made.size(), edges.second); ++i)
      results[edges.first + i] = std::move(made[i]);
  }
  return results;
}

Gradients run_rules(Node& n, Gradients grads, const Pass& pass) {
  NoTorchFunction off;
  const Op& op = *n.op;
  if (op.rules.empty())
    fail(ErrorKind::NotImplemented, "derivative for ", op.public_name,
         " is not implemented (recorded at ", node_place(n), ")");
  grads.resize(n.outputs.size());
  size_t next = 0;
  if (op.rules[0].arg < 0) return run_rule(n, op.rules[0], grads, next, pass.create_graph);
  return run_each_rule(n, op, grads, pass.create_graph);
}

// g covers the base; the inner node sees only the view's part, and that part is replaced.
Gradients run_copy_slices(Node& n, Gradients grads, const Pass& pass) {
  Tensor& base = *reinterpret_cast<Tensor*>(n.context);
  Ref<Tensor> g = empty_strided(base.sizes(), base.strides(), grads[0]->dtype);
  Own zero(checked(PyLong_FromLong(0)));
  bool by_op = pass.create_graph || grads[0]->kind;
  Ref<Tensor> whole = by_op ? call_tensor_op("clone", {object(grads[0].get())}) : std::move(g);
  if (!by_op) copy_into(*whole, *grads[0]);
  Window window{n.view_sizes, n.view_strides, n.view_offset};
  auto part_of = [&](Tensor& covering) {
    Own part = seen_through(covering, window, n.inner->outputs[0].dtype);
    return Ref<Tensor>::share(as_tensor(part.get()));
  };
  Ref<Tensor> part = part_of(*whole);
  Ref<Tensor> given = call_tensor_op("clone", {object(part.get())});
  // The graph of a second derivative may lead to the inner node as well, past this one.
  bool is_shared = Py_REFCNT(object(n.inner.get())) > 1;
  Pass inside{.keep_graph = pass.keep_graph || is_shared, .create_graph = pass.create_graph};
  Gradients inner = evaluate_node(*n.inner, {given}, inside);
  inner.resize(n.edges.size());
  if (inner[0]) {
    Ref<Tensor> fitted = fit_gradient(*n.inner, 0, inner[0]);
    if (level_of(*fitted) > level_of(*whole)) {  // becomes a wrapper of that level
      whole = lifted(*whole, *fitted);
      part = part_of(*whole);
    }
    call_tensor_op("copy_", {object(part.get()), object(fitted.get())});
  } else {
    call_tensor_op("mul_", {object(part.get()), zero.get()});
  }
  inner[0] = whole;
  return inner;
}

Gradients run_function(Node& n, Gradients grads) {
  grads.resize(n.outputs.size());
  Own tuple(checked(PyTuple_New(static_cast<Py_ssize_t>(grads.size()))));
  for (size_t i = 0; i < grads.size(); ++i) {
    if (!grads[i] && n.materialize && n.outputs[i].is_tensor) grads[i] = zeros_for(n.outputs[i]);
    PyTuple_SET_ITEM(tuple.get(), i, Py_NewRef(grads[i] ? object(grads[i].get()) : Py_None));
  }
  static PyObject* const name = checked(PyUnicode_InternFromString("_backward"));
  Own out(checked(PyObject_CallMethodOneArg(object(&n), name, tuple.get())));
  Gradients results;
  append_results(out.get(), n, results);
  return results;
}

PyObject* hook_dict_values(Object* dict) {
  return dict ? PyDict_Values(reinterpret_cast<PyObject*>(dict)) : nullptr;
}

// What a hook gives instead of a gradient is of its dtype, device and sizes. Other kinds of tensors
// than strided ones have rules of their own.
void require_alike(const Tensor& was, const Tensor& now) {
  if (was.kind || now.kind) return;
  if (was.dtype != now.dtype || was.device != now.device)
    fail("hook: a gradient of ", was.dtype, was.is_meta() ? " (meta)" : "",
         " was replaced by one of another type: ", now.dtype, now.is_meta() ? " (meta)" : "");
  if (!same_sizes(was.sizes(), now.sizes()))
    fail("hook: a gradient of shape ", was.sizes(), " was replaced by one of shape ", now.sizes());
}

void run_hooks_of(Object* dict, Ref<Tensor>& g) {
  Own hooks(hook_dict_values(dict));
  if (!hooks || !g) return;
  for (Py_ssize_t i = 0; i < PyList_GET_SIZE(hooks.get()); ++i) {
    Own out(checked(PyObject_CallOneArg(PyList_GET_ITEM(hooks.get(), i), object(g.get()))));
    if (out.get() == Py_None) continue;
    if (!is_tensor(out.get()))
      fail(ErrorKind::Type, "hook: expected a Tensor or None, got ", Py_TYPE(out.get())->tp_name);
    require_alike(*g, *as_tensor(out.get()));
    g = Ref<Tensor>::share(as_tensor(out.get()));
  }
}

PyObject* tuple_of(const Gradients& list) {
  Own t(checked(PyTuple_New(static_cast<Py_ssize_t>(list.size()))));
  for (size_t i = 0; i < list.size(); ++i)
    PyTuple_SET_ITEM(t.get(), i, Py_NewRef(list[i] ? object(list[i].get()) : Py_None));
  return t.give();
}

void replace_from(PyObject* out, const Node& n, Gradients& list) {
  if (out == Py_None) return;
  Gradients fresh;
  append_results(out, n, fresh);
  for (size_t i = 0; i < std::min(list.size(), fresh.size()); ++i)
    if (list[i] && fresh[i]) require_alike(*list[i], *fresh[i]);
  list = std::move(fresh);
}

void run_post_hooks(Node& n, Gradients& results, PyObject* grad_outputs) {
  Own hooks(hook_dict_values(n.post_hooks));
  if (!hooks) return;
  for (Py_ssize_t i = 0; i < PyList_GET_SIZE(hooks.get()); ++i) {
    Own inputs(tuple_of(results));
    Own out(checked(PyObject_CallFunctionObjArgs(PyList_GET_ITEM(hooks.get(), i), inputs.get(),
                                                 grad_outputs, nullptr)));
    replace_from(out.get(), n, results);
  }
}

void check_anomaly(Node& n, const Gradients& results) {
  if (!anomaly_enabled_ || !anomaly_nan_) return;
  for (size_t i = 0; i < results.size(); ++i) {
    if (!results[i] || !is_inexact(results[i]->dtype)) continue;
    Ref<Tensor> nan = call_tensor_op("isnan", {object(results[i].get())});
    Ref<Tensor> any = call_tensor_op("any", {object(nan.get())});
    if (!any->kind && *any->data<bool>())
      fail("Function '", node_name(n), "' returned nan values in its ", i,
           "th output. Forward operation: ", node_place(n));
  }
}

bool holds_tensors(const Saved& s) {
  if (s.is_tensor || !s.input || !s.value) return s.is_tensor;
  PyObject* o = reinterpret_cast<PyObject*>(s.value);
  if (!PyTuple_Check(o) && !PyList_Check(o)) return false;
  PyObject** items = PySequence_Fast_ITEMS(o);
  return std::any_of(items, items + PySequence_Fast_GET_SIZE(o), is_tensor);
}

// A node that has kept no tensors may run again, as nothing is freed.
void release_saved(Node& n) {
  if (std::none_of(n.saved.begin(), n.saved.end(), holds_tensors)) return;
  for (Saved& s : n.saved) {
    clear(s.value);
    clear(s.unpack);
  }
  n.saved.clear();
  n.released = true;
}

}  // namespace
}  // namespace rl::py

namespace rl {
using namespace py;

void run_tensor_hooks(Node& n, Gradients& grads) {
  for (size_t i = 0; i < n.tensor_hooks.size(); ++i) {
    auto [nr, dict] = n.tensor_hooks[i];
    if (nr < grads.size()) run_hooks_of(dict, grads[nr]);
  }
  if (n.kind == NodeKind::Accumulate && n.variable) run_hooks_of(n.variable->hooks, grads[0]);
}

void run_pre_hooks(Node& n, Gradients& grads) {
  Own hooks(hook_dict_values(n.pre_hooks));
  if (!hooks) return;
  for (Py_ssize_t i = 0; i < PyList_GET_SIZE(hooks.get()); ++i) {
    Own tuple(tuple_of(grads));
    Own out(checked(PyObject_CallOneArg(PyList_GET_ITEM(hooks.get(), i), tuple.get())));
    replace_from(out.get(), n, grads);
  }
}

static void release_function(Node& n) {
  static PyObject* const name = checked(PyUnicode_InternFromString("_release_saved"));
  Own(checked(PyObject_CallMethodNoArgs(object(&n), name)));
}

Gradients apply_node(Node& n, Gradients grads, const Pass& pass) {
  if (n.released)
    fail(
        "Trying to backward through the graph a second time (or directly access saved tensors "
        "after they have already been freed). "
        "Saved intermediate values of the graph are freed when you call .backward() or "
        "autograd.grad(). Specify retain_graph=True "
        "if you need to backward through the graph a second time or if you need to access saved "
        "tensors after calling backward. (",
        node_name(n), ", recorded at ", node_place(n), ")");
  GradMode mode(pass.create_graph);
  Gradients results;
  switch (n.kind) {
    case NodeKind::Rule:
      results = run_rules(n, std::move(grads), pass);
      break;
    case NodeKind::CopySlices:
      results = run_copy_slices(n, std::move(grads), pass);
      break;
    case NodeKind::Function:
      results = run_function(n, std::move(grads));
      break;
    case NodeKind::Accumulate:
      if (grads[0]) accumulate(n, std::move(grads[0]), pass);
      break;
  }
  results.resize(n.edges.size());
  return results;
}

Gradients evaluate_node(Node& n, Gradients grads, const Pass& pass) {
  Own given(n.post_hooks ? tuple_of(grads) : nullptr);
  Gradients results = apply_node(n, std::move(grads), pass);
  GradMode mode(pass.create_graph);
  if (given) run_post_hooks(n, results, given.get());
  check_anomaly(n, results);
  if (!pass.keep_graph && n.kind == NodeKind::Rule) release_saved(n);
  if (!pass.keep_graph && n.kind == NodeKind::Function) release_function(n);
  return results;
}

Ref<Tensor> fit_gradient(Node& n, size_t edge, Ref<Tensor> g) {
  NoTorchFunction off;
  const Shape& s = n.edges[edge].shape;
  if (s.sizes.size() != g->ndim || !std::equal(s.sizes.begin(), s.sizes.end(), g->sizes_)) {
    Own size(make_size(s.sizes));
    bool fits = g->ndim >= static_cast<int>(s.sizes.size());
    for (size_t i = 0; fits && i < s.sizes.size(); ++i) {
      int64_t have = g->size(g->ndim - static_cast<int>(s.sizes.size()) + static_cast<int>(i));
      fits = s.sizes[i] == have || s.sizes[i] == 1;
    }
    if (!fits)
      fail("Function ", node_name(n), " returned an invalid gradient at index ", edge, " - got ",
           g->sizes(), " but expected shape compatible with ", Sizes(s.sizes), " (recorded at ",
           node_place(n), ")");
    g = call_tensor_op("sum_to_size", {object(g.get()), size.get()});
  }
  if (is_complex(g->dtype) && !is_complex(s.dtype)) g = call_tensor_op("real", {object(g.get())});
  if (g->dtype != s.dtype) g = call_tensor_op("to", {object(g.get()), dtype_object(s.dtype)});
  return g;
}

// A strided summand comes first: it can take a sparse one, which cannot take it.
static Ref<Tensor> sum_of(Tensor& a, Tensor& b) {
  bool swap = a.kind && !b.kind;
  return call_tensor_op("add", {object(swap ? &b : &a), object(swap ? &a : &b)});
}

// Does nobody but the caller hold the tensor or see its memory?
static bool is_sole(Tensor& g) {
  return Py_REFCNT(object(&g)) == 1 && !g.view && is_dense(g) && g.storage->refcount == 1 &&
         !g.grad_fn;
}

Ref<Tensor> add_gradients(Tensor& a, Tensor& b, bool may_reuse, const Pass& pass) {
  GradMode mode(pass.create_graph);
  NoTorchFunction off;
  // The first of them may be added into as well, if it was made for us.
  bool alike = a.dtype == b.dtype && std::ranges::equal(a.sizes(), b.sizes());
  may_reuse |= !a.kind && alike && a.storage->capacity && is_sole(a);
  if (!may_reuse || pass.create_graph || a.kind != b.kind || level_of(a)) return sum_of(a, b);
  return call_tensor_op("add_", {object(&a), object(&b)});
}

// Optimizers and in-place sums walk a tensor and its gradient together: both lie in memory alike,
// or the gradient in rows if the tensor has gaps or overlaps.
static bool laid_out_as(const Tensor& g, const Tensor& v) {
  if (g.kind || v.kind) return true;
  if (g.contiguous && v.contiguous) return true;
  if (!is_dense(v)) return g.contiguous;
  for (int d = 0; d < v.ndim; ++d)
    if (v.size(d) > 1 && g.stride(d) != v.stride(d)) return false;
  return true;
}

static Ref<Tensor> copy_laid_out_as(Tensor& g, Tensor& v) {
  if (!is_dense(v)) return call_tensor_op("contiguous", {object(&g)});
  Own sizes(make_size(v.sizes())), strides(make_size(v.strides()));
  Ref<Tensor> copy = call_tensor_op("new_empty_strided", {object(&g), sizes.get(), strides.get()});
  return call_tensor_op("copy_", {object(copy.get()), object(&g)});
}

// Adds to .grad. A gradient nobody else holds becomes .grad as it is; otherwise it is copied.
static void add_to_grad(Tensor& v, Ref<Tensor> g, const Pass& pass) {
  NoTorchFunction off;
  if (!v.grad) {
    auto* o = object(g.get());
    bool fits = !thread_state().grad_layout || laid_out_as(*g, v);
    Ref<Tensor> kept = fits && is_sole(*g) ? g
                       : fits              ? call_tensor_op("clone", {o})
                                           : copy_laid_out_as(*g, v);
    v.grad = kept.give();
  } else if (pass.create_graph || v.grad->kind != g->kind || level_of(*g)) {
    release(std::exchange(v.grad, sum_of(*v.grad, *g).give()));
  } else {
    call_tensor_op("add_", {object(v.grad), object(g.get())});
  }
}

void accumulate(Node& leaf, Ref<Tensor> g, const Pass& pass) {
  Tensor* v = leaf.variable;
  if (!v || !g) return;
  GradMode mode(pass.create_graph);
  Own given(leaf.post_hooks ? tuple_of({g}) : nullptr);
  add_to_grad(*v, std::move(g), pass);
  Own hooks(hook_dict_values(v->post_hooks));
  for (Py_ssize_t i = 0; hooks && i < PyList_GET_SIZE(hooks.get()); ++i) {
    Own out(checked(PyObject_CallOneArg(PyList_GET_ITEM(hooks.get(), i), object(v))));
    if (out.get() != Py_None && out.get() != object(v))  // which methods in place return
      fail(is_tensor(out.get()) ? ErrorKind::Runtime : ErrorKind::Type,
           "a hook of register_post_accumulate_grad_hook has to return None or its tensor, got ",
           Py_TYPE(out.get())->tp_name);
  }
  if (!given) return;
  Gradients none;
  run_post_hooks(leaf, none, given.get());
}

}  // namespace rl
