// Calls with wrappers: autograd as for any tensor, the transform's policy in the place of the
// kernel. Also what transforms ask natively: whether a graph leads anywhere but to given tensors.
#include "python/levels.h"

#include <algorithm>
#include <unordered_set>

#include "python/graph.h"
#include "python/interpose.h"
#include "python/state.h"
#include "python/target.h"

namespace rl::py {

namespace {

PyObject* compute_ = nullptr;  // compute(name, arguments in schema order) -> results
PyObject* members_ = nullptr;  // dict: the names of methods that transforms answer for
PyObject* passing_ = nullptr;  // set: threads whose next call has to be seen by the policy
PyObject* draw_ = nullptr;     // draw(name, arguments, in place?): the same for random ops

Own arguments(const Op& op, const Slots& slots) {
  Own tuple(checked(PyTuple_New(static_cast<Py_ssize_t>(op.args.size()))));
  for (size_t i = 0; i < op.args.size(); ++i)
    PyTuple_SET_ITEM(tuple.get(), static_cast<Py_ssize_t>(i),
                     Py_NewRef(slots.at[i] ? slots.at[i] : op.args[i].default_value));
  return tuple;
}

PyObject* ask_transform(const Op& op, PyObject* args) {
  return checked(PyObject_CallFunction(compute_, "sO", op.name.c_str(), args));
}

// The argument without its place in the graph of this level; what it wraps keeps its own.
Own detached(PyObject* o, uint8_t level) {
  if (is_tensor(o)) {
    const Tensor& t = *as_tensor(o);
    bool recorded = level_of(t) == level && (t.requires_grad || t.grad_fn);
    return recorded ? Own(wrap(alias(t))) : Own::share(o);
  }
  if (!PyTuple_Check(o) && !PyList_Check(o)) return Own::share(o);
  Own list(checked(PyList_New(0)));
  for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(o); ++i)
    checked(PyList_Append(list.get(), detached(PySequence_Fast_ITEMS(o)[i], level).get()));
  return PyTuple_Check(o) ? Own(checked(PyList_AsTuple(list.get()))) : std::move(list);
}

// The transform's answer; if it has none, that of the op's definition, unrecorded at this level.
Own results_of(const Op& op, const Slots& slots) {
  Own args = arguments(op, slots), result(ask_transform(op, args.get()));
  if (result.get() != Py_NotImplemented) return result;
  if (!op.body)
    fail(ErrorKind::NotImplemented, op.public_name, "(): no rule for this function transform");
  Slots inner;
  Own held[kMaxArgs];
  for (size_t i = 0; i < op.args.size(); ++i)
    if (slots.at[i]) inner.at[i] = (held[i] = detached(slots.at[i], slots.level)).get();
  return Own(call_body(op, inner));
}

void write_back(const Op& op, PyObject* self, PyObject* value) {
  require_cast(op, as_tensor(value)->dtype, as_tensor(self)->dtype);
  if (!same_sizes(as_tensor(self)->sizes(), as_tensor(value)->sizes()))
    fail(op.public_name, "_: output with shape ", as_tensor(self)->sizes(),
         " doesn't match the broadcast shape ", as_tensor(value)->sizes());
  Own args(checked(PyTuple_Pack(3, self, value, Py_False)));
  Own(ask_transform(named_op("copy_"), args.get()));
}

// as_strided is asked in terms of the memory of what a wrapper holds, its gradient goes by the
// wrapper's own geometry: the offset as counted there.
Own noted_offset(PyObject* self, PyObject* asked, bool recording) {
  const Tensor& t = *as_tensor(self);
  Own strides(checked(PyObject_CallMethod(self, "stride", nullptr)));
  for (size_t i = 0; recording && i < t.strides().size(); ++i)
    if (t.strides()[i] != to_index(PyTuple_GET_ITEM(strides.get(), static_cast<Py_ssize_t>(i)),
                                   "as_strided", "stride"))
      fail(ErrorKind::NotImplemented,
           "as_strided(): the gradient of a tensor that is not contiguous is not supported inside "
           "a function transform; call contiguous() first");
  if (!asked || asked == Py_None) return Own();
  Own held(checked(PyObject_CallMethod(self, "storage_offset", nullptr)));
  int64_t shift = t.offset - to_index(held.get(), "as_strided", "storage_offset");
  int64_t start = to_index(asked, "as_strided", "storage_offset") + shift;
  if (start < 0)
    fail(ErrorKind::NotImplemented,
         "as_strided(): memory before that of the tensor itself is not supported inside a function "
         "transform; give storage_offset=x.storage_offset() or more");
  return Own(checked(PyLong_FromLongLong(start)));
}

// A view's wrapper has the geometry it would have if the base lay in contiguous memory.
void give_geometry(const Op& op, const Slots& slots, Results& outs) {
  Results none;
  Call call(none);
  Arena arena;
  convert_args(op, slots, call, arena);
  op.kernel->infer(call);
  for (int i = 0; i < outs.size(); ++i) {
    const OutSpec& s = call.specs[i];
    if (s.base < 0 || level_of(*outs[i]) != slots.level) continue;
    Tensor& base = call.tensor(s.base);
    Ref<Tensor> v = alias(base.storage, s.sizes, s.strides, s.offset, s.dtype, base.device);
    share_kind(*v, *outs[i]);
    mark_view(*v, *as_tensor(slots.at[0]), outs.size() > 1);
    outs[i] = std::move(v);
  }
}

bool reads_argument(const Op& op, int index) {
  if (op.rules.empty()) return true;
  for (const Rule& r : op.rules)
    for (const RuleInput& in : r.inputs)
      if (in.kind == RuleInput::Argument && in.index == index) return true;
  return false;
}

}  // namespace

Own copied(PyObject* o) {
  if (level_of(*as_tensor(o)) == 0) return Own(checked(PyObject_CallMethod(o, "clone", nullptr)));
  Own args(checked(PyTuple_Pack(2, o, Py_None))),
      copy(ask_transform(named_op("clone"), args.get()));
  keep_history(*as_tensor(copy.get()), *as_tensor(o));
  return copy;
}

uint8_t innermost_level(PyObject* o) {
  if (is_tensor(o)) return level_of(*as_tensor(o));
  uint8_t level = 0;
  if (PyTuple_Check(o) || PyList_Check(o))
    for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(o); ++i)
      level = std::max(level, innermost_level(PySequence_Fast_ITEMS(o)[i]));
  return level;
}

// The first wrapper of a level; null if there is none.
static PyObject* wrapper_of(PyObject* o, uint8_t level) {
  if (is_tensor(o)) return level_of(*as_tensor(o)) == level ? o : nullptr;
  if (!PyTuple_Check(o) && !PyList_Check(o)) return nullptr;
  for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(o); ++i)
    if (PyObject* found = wrapper_of(PySequence_Fast_ITEMS(o)[i], level)) return found;
  return nullptr;
}

PyObject* ask_members(PyObject* function, PyObject* const* args, Py_ssize_t n, PyObject* kwnames) {
  if (!members_ || PySet_GET_SIZE(passing_)) return nullptr;
  Own name(PyObject_GetAttrString(function, "__name__"));
  if (!name) {
    PyErr_Clear();
    return nullptr;
  }
  if (PyUnicode_CompareWithASCIIString(name.get(), "__get__") == 0) return nullptr;
  PyObject* found = PyDict_GetItemWithError(members_, name.get());
  if (found) return checked(PyObject_Vectorcall(found, args, static_cast<size_t>(n), kwnames));
  if (PyErr_Occurred()) throw PythonError{};
  Py_RETURN_NOTIMPLEMENTED;
}

// The innermost wrapper's payload.
static PyObject* innermost_payload(PyObject*, PyObject* args) {
  return guarded([&]() -> PyObject* {
    const uint8_t level = innermost_level(args);
    PyObject* found = level ? wrapper_of(args, level) : nullptr;
    if (!found) fail("internal: no argument is a transform's");
    return Py_NewRef(reinterpret_cast<PyObject*>(as_tensor(found)->payload));
  });
}

PyObject* invoke_level(Op& op, Slots& slots, Form form) {
  if (slots.out)
    fail(op.public_name, "(): out= is not supported under a function transform; use the result");
  for (int i : op.tensor_args)
    if (slots.at[i]) slots.level = std::max(slots.level, innermost_level(slots.at[i]));
  bool recording = op.differentiable && grad_mode(slots.level) && any_requires_grad(op, slots);
  int mutated = form == Form::Inplace ? 0 : op.mutated;
  Own original;
  PyObject* self = mutated >= 0 ? slots.at[mutated] : nullptr;
  if (self) {
    check_inplace(op, *as_tensor(self), recording);
    // What is computed of the old values, here or further out, must not see them change.
    if (reads_argument(op, mutated) && (recording || form == Form::Inplace))
      original = copied(self);
    if (original.get() && form == Form::Inplace) slots.at[mutated] = original.get();
  }
  Own result = results_of(op, slots), offset;
  if (op.name == "as_strided" && (offset = noted_offset(slots.at[0], slots.at[3], recording)).get())
    slots.at[3] = offset.get();
  Results outs;
  collect_tensors(result.get(), outs);
  if (self) {
    slots.at[mutated] = self;
    if (form == Form::Inplace) write_back(op, self, object(outs[0].get()));
    ++as_tensor(self)->version();
    outs = {};
    outs.push_back(Ref<Tensor>::share(as_tensor(self)));
  } else if (op.is_view) {
    give_geometry(op, slots, outs);
  }
  if (recording) {
    std::vector<Tensor*> list;
    for (int i = 0; i < outs.size(); ++i) list.push_back(outs[i].get());
    record(op, slots, list, self ? Form::Inplace : form, original.get());
  }
  return pack_results(op, outs);
}

PyObject* drawn_by_level(Op& op, Slots& slots, Form form) {
  if (!op.draws) return nullptr;
  Own args = arguments(op, slots);
  Own in_place(PyBool_FromLong(form == Form::Inplace || op.mutated >= 0));
  Own result(
      checked(PyObject_CallFunction(draw_, "sOO", op.name.c_str(), args.get(), in_place.get())));
  return result.get() == Py_NotImplemented ? nullptr : result.give();
}

// ---- what Python sees

namespace {

// call_record(record, arguments in schema order): the op itself, whatever overloads there are.
PyObject* call_record(PyObject*, PyObject* args) {
  return guarded([&]() -> PyObject* {
    PyObject *record, *values;
    if (!PyArg_ParseTuple(args, "OO!", &record, &PyTuple_Type, &values)) throw PythonError{};
    Op& op = operator_op(record);
    Slots slots;
    slots.interposed = interposers_ & kModes;
    for (size_t i = 0; i < op.args.size(); ++i) {
      PyObject* o = PyTuple_GET_ITEM(values, static_cast<Py_ssize_t>(i));
      if (op.args[i].has_default && o == op.args[i].default_value) continue;
      slots.at[i] = o;
      slots.interposed |= marks(o);
      if (PyTuple_Check(o) || PyList_Check(o))
        for (Py_ssize_t k = 0; k < PySequence_Fast_GET_SIZE(o); ++k)
          slots.interposed |= marks(PySequence_Fast_ITEMS(o)[k]);
    }
    if (interposers_ & kDraws)
      if (PyObject* drawn = drawn_by_level(op, slots, Form::Function)) return drawn;
    return invoke(op, slots, Form::Function);
  });
}

PyObject* set_levels(PyObject*, PyObject* args) {
  if (!PyArg_ParseTuple(args, "OOO!O!", &compute_, &draw_, &PyDict_Type, &members_, &PySet_Type,
                        &passing_))
    return nullptr;
  for (PyObject* kept : {compute_, draw_, members_, passing_}) Py_INCREF(kept);
  Py_RETURN_NONE;
}

PyObject* set_drawing(PyObject*, PyObject* on) {
  interposers_ =
      static_cast<uint8_t>(on == Py_True ? interposers_ | kDraws : interposers_ & ~kDraws);
  Py_RETURN_NONE;
}

uint8_t to_level(PyObject* o, const char* function) {
  int64_t level = to_index(o, function, "level");
  RL_CHECK(level >= 0 && level <= 255, function, ": a level is between 0 and 255, got ", level);
  return static_cast<uint8_t>(level);
}

// push_tape(level) -> was one begun? Not where the innermost is of this level already.
PyObject* push_tape(PyObject*, PyObject* level) {
  return guarded([&]() -> PyObject* {
    ThreadState& s = thread_state();
    uint8_t at = to_level(level, "push_tape");
    if (at == 0 || (s.tape && s.tape->level >= at)) Py_RETURN_FALSE;
    bool mode = grad_mode();
    s.tape = new LevelTape{at, mode, s.tape};
    s.inner_grad = mode;
    Py_RETURN_TRUE;
  });
}
PyObject* pop_tape(PyObject*, PyObject*) {
  ThreadState& s = thread_state();
  LevelTape* ended = s.tape;
  if (!ended) {
    PyErr_SetString(PyExc_RuntimeError, "pop_tape: no tape has been pushed");
    return nullptr;
  }
  s.inner_grad = ended->mode_below;
  s.tape = ended->outer;
  delete ended;
  Py_RETURN_NONE;
}

// step_outside(level) -> token: until step_back(token), only tapes further out than `level` count.
// The token is a capsule, so that no other object passes for one; None where there is no tape.
constexpr const char* kTape = "rushlight.tape";
PyObject* step_outside(PyObject*, PyObject* level) {
  return guarded([&]() -> PyObject* {
    ThreadState& s = thread_state();
    uint8_t at = to_level(level, "step_outside");
    if (!s.tape) Py_RETURN_NONE;
    Own token(checked(PyCapsule_New(s.tape, kTape, nullptr)));
    PyCapsule_SetContext(token.get(), s.inner_grad ? token.get() : nullptr);
    for (; s.tape && s.tape->level >= at; s.tape = s.tape->outer) s.inner_grad = s.tape->mode_below;
    return token.give();
  });
}
PyObject* step_back(PyObject*, PyObject* token) {
  return guarded([&]() -> PyObject* {
    if (token == Py_None) Py_RETURN_NONE;
    if (!PyCapsule_IsValid(token, kTape))
      fail(ErrorKind::Type, "step_back(): expected what step_outside() returned");
    ThreadState& s = thread_state();
    s.tape = static_cast<LevelTape*>(PyCapsule_GetPointer(token, kTape));
    s.inner_grad = PyCapsule_GetContext(token) != nullptr;
    Py_RETURN_NONE;
  });
}

// untaped(tensor): the same memory, and the same part in transforms, outside the graph.
PyObject* untaped(PyObject*, PyObject* o) {
  return guarded([&]() -> PyObject* {
    if (!is_tensor(o)) fail(ErrorKind::Type, "untaped(): expected a tensor");
    Ref<Tensor> t = alias(*as_tensor(o));
    share_version(*t, *as_tensor(o));
    return wrap(std::move(t));
  });
}

// become(tensor, wrapper): an in-place change gave a plain tensor a part in a transform.
PyObject* become(PyObject*, PyObject* args) {
  return guarded([&]() -> PyObject* {
    PyObject *t, *wrapper;
    if (!PyArg_ParseTuple(args, "O!O!", TensorType, &t, TensorType, &wrapper)) throw PythonError{};
    share_kind(*as_tensor(t), *as_tensor(wrapper));
    Py_RETURN_NONE;
  });
}

// Is it a leaf that a tape made to differentiate by, and has the tape ended? (func/tape.py: Tape)
bool of_ended_tape(Tensor* leaf) {
  Own users(PyObject_GetAttrString(object(leaf), "_tapes"));
  if (!users) PyErr_Clear();
  return users && PyObject_IsTrue(users.get()) == 0;
}

// leads_outside(tensor, inputs): is there a leaf in its graph that is not behind one of `inputs`?
PyObject* leads_outside(PyObject*, PyObject* args) {
  return guarded([&]() -> PyObject* {
    PyObject *o, *inputs;
    if (!PyArg_ParseTuple(args, "O!O!", TensorType, &o, &PyTuple_Type, &inputs))
      throw PythonError{};
    std::vector<Ref<Node>> held;
    std::unordered_set<Node*> seen;
    uint32_t nr;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(inputs); ++i)
      if (Ref<Node> n = gradient_edge(*as_tensor(PyTuple_GET_ITEM(inputs, i)), nr)) {
        seen.insert(n.get());
        held.push_back(std::move(n));
      }
    Ref<Node> root = gradient_edge(*as_tensor(o), nr);
    if (!root) Py_RETURN_FALSE;
    std::vector<Node*> stack;
    if (seen.insert(root.get()).second) stack.push_back(root.get());
    while (!stack.empty()) {
      Node* n = stack.back();
      stack.pop_back();
      if (n->kind == NodeKind::Accumulate && !of_ended_tape(n->variable)) Py_RETURN_TRUE;
      for (const Edge& e : n->edges)
        if (e.node && seen.insert(e.node.get()).second) stack.push_back(e.node.get());
    }
    Py_RETURN_FALSE;
  });
}

PyObject* py_innermost_level(PyObject*, PyObject* o) { return PyLong_FromLong(innermost_level(o)); }

PyMethodDef functions[] = {{"call_record", call_record, METH_VARARGS, nullptr},
                           {"set_levels", set_levels, METH_VARARGS, nullptr},
                           {"innermost_payload", innermost_payload, METH_O, nullptr},
                           {"set_drawing", set_drawing, METH_O, nullptr},
                           {"push_tape", push_tape, METH_O, nullptr},
                           {"pop_tape", pop_tape, METH_NOARGS, nullptr},
                           {"step_outside", step_outside, METH_O, nullptr},
                           {"step_back", step_back, METH_O, nullptr},
                           {"become", become, METH_VARARGS, nullptr},
                           {"untaped", untaped, METH_O, nullptr},
                           {"leads_outside", leads_outside, METH_VARARGS, nullptr},
                           {"innermost_level", py_innermost_level, METH_O, nullptr},
                           {nullptr, nullptr, 0, nullptr}};

}  // namespace

void add_levels(PyObject* module) { checked(PyModule_AddFunctions(module, functions)); }

}  // namespace rl::py
