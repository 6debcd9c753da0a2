// The autograd primitives that rushlight.autograd builds on: backward passes, hooks and the
// thread's switches. The notes in its function.py and graph.py say what each one promises.
#include <string>

#include "autograd/engine.h"
#include "plan/copy.h"
#include "python/docs.h"
#include "python/graph.h"
#include "python/interpose.h"
#include "python/op.h"
#include "python/state.h"

namespace rl::py {

constinit thread_local ThreadState thread_state_;
bool grad_enabled() { return thread_state().grad; }
bool inference_mode() { return thread_state().inference; }

namespace {

// ---- passes

struct Running {
  int64_t id;
  Running* outer;
};
thread_local Running* running_ = nullptr;

int64_t passes_ = 0;

// Enters a pass on this thread; passes nest.
class Enter {
 public:
  Enter() { running_ = &here_; }
  ~Enter() { running_ = here_.outer; }
  Enter(const Enter&) = delete;

 private:
  Running here_{passes_++, running_};
};

// A (node, output number) pair from Python.
Edge edge_from(PyObject* o) {
  PyObject* node;
  unsigned nr;
  if (!PyArg_ParseTuple(o, "O!I", NodeType, &node, &nr)) throw PythonError{};
  Edge e;
  e.node = Ref<Node>::share(as_node(node));
  e.nr = nr;
  return e;
}

std::vector<Root> roots_from(PyObject* roots, PyObject* grads) {
  std::vector<Root> starts;
  if (PyTuple_GET_SIZE(roots) != PyTuple_GET_SIZE(grads))
    fail("got ", PyTuple_GET_SIZE(roots), " tensors and ", PyTuple_GET_SIZE(grads), " gradients");
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(roots); ++i) {
    Root root;
    PyObject *o = PyTuple_GET_ITEM(roots, i), *g = PyTuple_GET_ITEM(grads, i);
    if (is_tensor(o)) {
      root.node = gradient_edge(*as_tensor(o), root.nr);
    } else {
      Edge e = edge_from(o);
      root.node = std::move(e.node);
      root.nr = e.nr;
    }
    if (!root.node)
      fail("element ", static_cast<int64_t>(i),
           " of tensors does not require grad and does not have a grad_fn");
    if (!is_tensor(g)) fail(ErrorKind::Type, "backward: expected a tensor as gradient ", i);
    root.grad = Ref<Tensor>::share(as_tensor(g));
    starts.push_back(std::move(root));
  }
  return starts;
}

// The inputs as edges, which also keep their nodes alive through the pass.
std::vector<Edge> targets_from(PyObject* inputs) {
  std::vector<Edge> targets;
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(inputs); ++i) {
    PyObject* o = PyTuple_GET_ITEM(inputs, i);
    if (!is_tensor(o)) {
      targets.push_back(edge_from(o));
      continue;
    }
    Edge& e = targets.emplace_back();
    e.node = gradient_edge(*as_tensor(o), e.nr);
    if (!e.node) fail("One of the differentiated Tensors does not require grad");
  }
  return targets;
}

// Non-leaf inputs collect into .grad too; leaves have done so in the pass.
void accumulate_captured(Pass& pass, PyObject* inputs) {
  for (size_t i = 0; i < pass.targets.size(); ++i) {
    PyObject* o = PyTuple_GET_ITEM(inputs, static_cast<Py_ssize_t>(i));
    if (pass.targets[i].node->kind == NodeKind::Accumulate || !pass.captured[i] || !is_tensor(o))
      continue;
    Tensor* t = as_tensor(o);
    Tensor* old = std::exchange(t->grad, pass.captured[i].give());
    if (old) {
      Ref<Tensor> sum = add_gradients(*t->grad, *old, false, pass);
      release(std::exchange(t->grad, sum.give()));
      release(old);
    }
  }
}

PyObject* captured_tuple(Pass& pass, bool allow_unused) {
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
}

PyObject* run(std::vector<Root> starts, bool keep, bool create, PyObject* inputs, bool allow_unused,
              bool accumulate) {
  Pass pass;
  pass.keep_graph = keep;
  pass.create_graph = create;
  pass.accumulate = accumulate;
  std::vector<Edge> held = targets_from(inputs);
  for (Edge& e : held) pass.targets.push_back({e.node.get(), e.nr});
  Enter enter;
  run_backward(std::move(starts), pass);
  if (!accumulate) return captured_tuple(pass, allow_unused);
  accumulate_captured(pass, inputs);
  Py_RETURN_NONE;
}

PyObject* py_run_backward(PyObject*, PyObject* args) {
  return guarded([&]() -> PyObject* {
    PyObject *roots, *grads, *inputs;
    int keep, create, allow_unused, accumulate;
    if (!PyArg_ParseTuple(args, "OOppOpp", &roots, &grads, &keep, &create, &inputs, &allow_unused,
                          &accumulate))
      throw PythonError{};
    Own r(checked(PySequence_Tuple(roots))), g(checked(PySequence_Tuple(grads))),
        in(checked(PySequence_Tuple(inputs)));
    return run(roots_from(r.get(), g.get()), keep, create, in.get(), allow_unused, accumulate);
  });
}

// Is 1 the gradient to start from, without a question? A plain number that requires one.
bool starts_from_one(PyObject* o) {
  if (Py_TYPE(o) != TensorType || (as_tensor(o)->interposed | interposers_)) return false;
  Tensor& t = *as_tensor(o);
  return t.numel == 1 && is_floating(t.dtype) && !t.is_meta() &&
         (t.requires_grad || tensor_grad_fn(t));
}

// run_from_one(root, retain_graph, create_graph, inputs, allow_unused, accumulate): as
// run_backward for the usual root; NotImplemented for others.
PyObject* run_from_one(PyObject*, PyObject* const* args, Py_ssize_t n) {
  return guarded([&]() -> PyObject* {
    if (n != 6) fail(ErrorKind::Type, "run_from_one() takes 6 arguments, got ", int64_t{n});
    if (!starts_from_one(args[0])) Py_RETURN_NOTIMPLEMENTED;
    Tensor& t = *as_tensor(args[0]);
    Root root;
    root.node = gradient_edge(t, root.nr);
    root.grad = empty_like(t);
    fill(*root.grad, Scalar::of(int64_t{1}));
    std::vector<Root> starts;
    starts.push_back(std::move(root));
    auto is_set = [&](int i) {
      int truth = PyObject_IsTrue(args[i]);
      if (truth < 0) throw PythonError{};
      return truth == 1;
    };
    return run(std::move(starts), is_set(1), is_set(2), args[3], is_set(4), is_set(5));
  });
}

// ---- hooks: Python mappings kept where the gradient passes

Object** hook_place(PyObject* owner, const char* kind) {
  std::string_view k = kind;
  if (!is_tensor(owner) && !PyObject_TypeCheck(owner, NodeType))
    fail(ErrorKind::Type, "hooks: expected a Tensor or a Node, got ", Py_TYPE(owner)->tp_name);
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
    clear(*place);
    *place = reinterpret_cast<Object*>(Py_NewRef(dict));
    Py_RETURN_NONE;
  });
}

PyObject* py_gradient_edge(PyObject*, PyObject* t) {
  return guarded([&]() -> PyObject* {
    uint32_t nr;
    if (!is_tensor(t)) fail(ErrorKind::Type, "get_gradient_edge: expected a Tensor");
    Ref<Node> n = gradient_edge(*as_tensor(t), nr);
    return checked(Py_BuildValue("(NI)", shown(n.get()), nr));
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
PyObject* pass_is_selective(PyObject*, PyObject*) { return PyBool_FromLong(is_selective()); }
PyObject* bump_version(PyObject*, PyObject* t) {
  if (!is_tensor(t)) return PyErr_Format(PyExc_TypeError, "bump_version: expected a Tensor");
  ++as_tensor(t)->version();
  Py_RETURN_NONE;
}
PyObject* is_grad_enabled(PyObject*, PyObject*) { return PyBool_FromLong(grad_mode()); }
PyObject* set_grad_enabled(PyObject*, PyObject* on) {
  bool before = grad_mode();
  grad_mode() = on == Py_True;
  return PyBool_FromLong(before);
}
PyObject* is_inference(PyObject*, PyObject*) { return PyBool_FromLong(inference_mode()); }
PyObject* set_grad_layout(PyObject*, PyObject* flag) {
  return PyBool_FromLong(std::exchange(thread_state().grad_layout, PyObject_IsTrue(flag) != 0));
}
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
    const char* prefix = PyUnicode_AsUTF8(text);
    if (!prefix) throw PythonError{};
    package_prefix_ = prefix;
    Py_RETURN_NONE;
  });
}

// What most rules multiply by: the conjugate of a tensor or a number, which if real is not touched.
PyObject* conjugate(PyObject*, PyObject* x) {
  static PyObject* const names[] = {PyUnicode_InternFromString("conj"),
                                    PyUnicode_InternFromString("conjugate")};
  if (is_tensor(x) && is_complex(as_tensor(x)->dtype))
    return PyObject_CallMethodNoArgs(x, names[0]);
  return PyComplex_Check(x) ? PyObject_CallMethodNoArgs(x, names[1]) : Py_NewRef(x);
}

PyMethodDef functions[] = {
    {"conjugate", conjugate, METH_O, nullptr},
    {"run_backward", py_run_backward, METH_VARARGS, nullptr},
    {"run_from_one", reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(run_from_one)),
     METH_FASTCALL, nullptr},
    {"record_function", record_function, METH_VARARGS, nullptr},
    {"get_hooks", get_hooks, METH_VARARGS, nullptr},
    {"set_hooks", set_hooks, METH_VARARGS, nullptr},
    {"gradient_edge", py_gradient_edge, METH_O, nullptr},
    {"current_backward_id", current_backward_id, METH_NOARGS, nullptr},
    {"will_execute", py_will_execute, METH_O, nullptr},
    {"pass_is_selective", pass_is_selective, METH_NOARGS, nullptr},
    {"bump_version", bump_version, METH_O, nullptr},
    {"is_grad_enabled", is_grad_enabled, METH_NOARGS, docs::kIsGradEnabled},
    {"set_grad_enabled", set_grad_enabled, METH_O, nullptr},
    {"is_inference_mode_enabled", is_inference, METH_NOARGS, docs::kIsInferenceModeEnabled},
    {"set_inference_mode", set_inference, METH_O, nullptr},
    {"set_grad_layout_policy", set_grad_layout, METH_O, nullptr},
    {"push_saved_tensor_hooks", push_saved_hooks, METH_VARARGS, nullptr},
    {"pop_saved_tensor_hooks", pop_saved_hooks, METH_NOARGS, nullptr},
    {"set_anomaly", set_anomaly, METH_VARARGS, nullptr},
    {"set_package_prefix", set_package_prefix, METH_O, nullptr},
    {nullptr, nullptr, 0, nullptr}};

}  // namespace

void add_autograd(PyObject* module) {
  add_nodes(module);
  add_function_types(module);
  checked(PyModule_AddFunctions(module, functions));
}

}  // namespace rl::py
