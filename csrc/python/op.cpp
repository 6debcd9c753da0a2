// The op call: its three forms (function, in-place, out=), compositions and their routes,
// recording. One code path for every operator; what kernels compute is in op_compute.cpp, the
// callables are in op_callable.cpp.
#include "python/op.h"

#include <algorithm>

#include "plan/copy.h"
#include "python/dispatch.h"
#include "python/graph.h"
#include "python/interpose.h"
#include "python/levels.h"
#include "python/op_compute.h"
#include "python/state.h"
#include "python/target.h"

namespace rl::py {

Op* operator_ops[64];
const char* op_name(const Op* op) { return op ? op->public_name.c_str() : "AccumulateGrad"; }

// ---- finishing: where results go

// The class of an op's named tuple.
static PyObject* results_class(const Op& op) {
  if (op.result_type) return op.result_type;
  Own module(checked(PyImport_ImportModule("rushlight.ops._results")));
  return op.result_type = checked(PyObject_CallMethod(module.get(), "results_of", "O", op.record));
}

PyObject* pack_results(const Op& op, Results& outs) {
  if (outs.size() == 1 && !op.returns_list) return wrap(std::move(outs[0]));
  PyObject* tuple = checked(PyTuple_New(outs.size()));
  for (int i = 0; i < outs.size(); ++i) PyTuple_SET_ITEM(tuple, i, wrap(std::move(outs[i])));
  if (!op.named_results) return tuple;
  Own held(tuple);
  return checked(PyObject_CallOneArg(results_class(op), tuple));
}

namespace {

// A tuple of results, from out= or a body, as the op's named tuple if it has one.
PyObject* named_outputs(const Op& op, PyObject* out) {
  return op.named_results ? checked(PyObject_CallOneArg(results_class(op), out)) : Py_NewRef(out);
}
// What a call with out= returns: nothing if the results are a list.
PyObject* given_outputs(const Op& op, PyObject* out) {
  return op.returns_list ? Py_NewRef(Py_None) : named_outputs(op, out);
}

}  // namespace

PyObject* call_body(const Op& op, const Slots& slots) {
  PyObject* argv[kMaxArgs];
  size_t n = op.args.size();
  for (size_t i = 0; i < n; ++i) argv[i] = slots.at[i] ? slots.at[i] : op.args[i].default_value;
  return checked(PyObject_Vectorcall(op.body, argv, n, nullptr));
}

namespace {

// A copy of the value and of its place in the graph: what gradient rules may read after an
// in-place change.
Own value_before(Tensor& self) {
  Ref<Tensor> copy = empty_like(self);
  copy_into(*copy, self);
  keep_history(*copy, self);
  return Own(wrap(std::move(copy)));
}

bool is_unchanged(const Op& op, const Slots& slots) {
  Results none;
  Call call(none);
  Arena arena;
  convert_args(op, slots, call, arena);
  return op.shortcut->unchanged(call);
}

bool compute(Op& op, Slots& slots, Form form, Results& outs);

// Does a step need nothing but its kernel's run, and does that take the arguments as they were
// converted for the composition?
bool is_plain_step(const Op& op, const Op& of, const Steps::Step& step) {
  if (!(op.kernel || op.pointwise) || op.is_view || op.mutated >= 0 || op.requires_grad_arg >= 0)
    return false;
  for (int i = 0; i < step.count; ++i) {
    const auto [kind, value] = step.args[i];
    const ArgSpec& to = op.args[i];
    if (to.repeat == kMask) return false;
    if (kind == Steps::Arg::Argument) {
      const ArgSpec& from = of.args[value];
      if (from.type != to.type || from.repeat != to.repeat) return false;
    } else if (kind == Steps::Arg::Previous ? to.type != ArgType::Tensor
                                            : to.type != ArgType::Int && to.type != ArgType::Bool) {
      return false;
    }
  }
  return true;
}

// Of a composition that is not recorded, whose converted arguments are `given`.
void run_plain_step(const Op& op, const Steps::Step& step, const Call& given, Tensor* previous,
                    Results& outs) {
  Call call(outs);
  call.op = op.public_name.c_str();
  call.take_defaults({defaults_of(op), op.args.size()});
  for (int i = 0; i < step.count; ++i) {
    const auto [kind, value] = step.args[i];
    if (kind == Steps::Arg::Argument) {
      call.give(i) = given.arg(static_cast<int>(value));
      continue;
    }
    Value& v = call.give(i);
    v.none = false;
    if (kind == Steps::Arg::Previous)
      v.tensor = previous;
    else if (kind == Steps::Arg::Number)
      v.number = Scalar::of(value);
    else
      v.number = Scalar::of(false);
  }
  if (op.pointwise)
    outs.push_back(run_pointwise_call(op, call));
  else
    run_call(op, call, outs, nullptr);
}

// The result of a composition as native ops in a row; null where its body has to run.
PyObject* run_route(const Op& op, const Slots& slots) {
  Results last;
  Call call(last);
  Arena arena;
  Steps steps;
  convert_args(op, slots, call, arena);
  if (!op.route->steps(call, steps)) return nullptr;
  const bool recorded = grad_enabled() && any_requires_grad(op, slots);
  for (const Steps::Step& step : steps.all()) {
    Op& op_of_step = named_op(step.op);
    if (!recorded && is_plain_step(op_of_step, op, step)) {
      Results made;
      run_plain_step(op_of_step, step, call, last.size() ? last[0].get() : nullptr, made);
      last = std::move(made);
      continue;
    }
    Slots inner;
    inner.end = static_cast<size_t>(step.count);
    for (int i = 0; i < step.count; ++i) {
      const auto [kind, value] = step.args[i];
      inner.at[i] = kind == Steps::Arg::Previous   ? object(last[0].get())
                    : kind == Steps::Arg::Number   ? inner.keep(PyLong_FromLongLong(value))
                    : kind == Steps::Arg::Recorded ? (recorded ? Py_True : Py_False)
                    : slots.at[value]              ? slots.at[value]
                                                   : op.args[value].default_value;
    }
    Results made;
    compute(op_of_step, inner, Form::Function, made);
    last = std::move(made);
  }
  return wrap(std::move(last[0]));
}

// The record's option `repeated`, or null.
const char* op_on_repeated(const Op& op) {
  Own options(checked(PyObject_GetAttrString(op.record, "options")));
  PyObject* name = PyDict_GetItemString(options.get(), "repeated");
  return name ? PyUnicode_AsUTF8(name) : nullptr;
}

// Compositions without a rule of their own record through the ops they call.
PyObject* invoke_composite(Op& op, Slots& slots, Form form) {
  if (op.shortcut && form != Form::Inplace && !slots.out && !slots.interposed &&
      is_unchanged(op, slots))
    return Py_NewRef(slots.at[0]);
  if (op.no_float8) require_no_float8(op, slots);
  if (slots.out) prepare_out(op, slots, any_requires_grad(op, slots));
  PyObject* given = slots.at[0];
  Own before;
  if (form == Form::Inplace) {
    Tensor& self = *as_tensor(given);
    if (self.interposed & kLevel)
      before = copied(given);
    else if (grad_enabled() && tensor_grad_fn(self) && !slots.interposed)
      before = value_before(self);
    if (before.get()) slots.at[0] = before.get();
  }
  uint64_t since = op.labels ? last_sequence() : 0;
  bool plain = form != Form::Inplace && !slots.out && !(slots.interposed | interposers_);
  Own result(op.route && plain ? run_route(op, slots) : nullptr);
  if (!result) result = Own(call_body(op, slots));
  if (!grad_enabled() && is_tensor(result.get()))
    forget_view_of_body(slots, *as_tensor(result.get()));
  if (op.labels && grad_enabled()) label_results(op, result.get(), since);
  if (form == Form::Inplace) {
    if (result.get() == given) return result.give();
    PyObject* args[] = {given, result.get()};
    Tensor& self = *as_tensor(given);
    Tensor& value = *as_tensor(result.get());
    if (is_expanded(self))
      if (const char* other = op_on_repeated(op)) {
        slots.at[0] = given;
        return call_op(other, slots.at, op.args.size());
      }
    require_cast(op, value.dtype, self.dtype);
    if (!same_sizes(self.sizes(), value.sizes()))
      fail(op.public_name, "_: output with shape ", self.sizes(),
           " doesn't match the broadcast shape ", value.sizes());
    return call_op("copy_", args, 2);
  }
  if (!slots.out)
    return PyTuple_CheckExact(result.get()) ? named_outputs(op, result.get()) : result.give();
  Results values;
  collect_tensors(result.get(), values);
  if (is_tensor(slots.out) && PyTuple_CheckExact(result.get()) && values.size() == 1)
    fail(op.public_name,
         ": its result is a tuple with these arguments, for which there is no out=");
  deliver_all(op, slots.out, values);
  return given_outputs(op, slots.out);
}

void set_requires_grad(const Op& op, const Slots& slots, Tensor& out) {
  PyObject* flag = op.requires_grad_arg >= 0 ? slots.at[op.requires_grad_arg] : nullptr;
  if (!flag || !PyObject_IsTrue(flag)) return;
  RL_CHECK(is_inexact(out.dtype),
           "Only Tensors of floating point and complex dtype can require gradients");
  out.requires_grad = true;
}

// Nobody took over a call with a tensor that is no strided memory: kernels must not see it, but
// the op's definition in terms of other ops may, if it needs no memory to write to.
void require_body(const Op& op, const Slots& slots, Form form) {
  for (size_t i = 0; i < op.args.size(); ++i)
    if (op.args[i].type == ArgType::Layout && slots.at[i] && slots.at[i] != Py_None)
      require_strided(slots.at[i], op.public_name.c_str());
  bool writes = slots.out || (!op.rules.empty() && (form == Form::Inplace || op.mutated >= 0));
  if (op.body && !writes) return;
  Results all;
  for (PyObject* o : slots.at)
    if (o) collect_tensors(o, all);
  if (slots.out) collect_tensors(slots.out, all);
  for (int i = 0; i < all.size(); ++i)
    if (all[i]->kind) refuse_kind(op.public_name.c_str(), *all[i]);
}

// Runs and records the call of an op that is no composition. True: the results are in what was
// given as out=, several tensors.
bool compute(Op& op, Slots& slots, Form form, Results& outs) {
  const bool elsewhere = slots.interposed & (kKind | kDispatch);  // no kernel computes it
  bool recording = op.differentiable && thread_state().grad && any_requires_grad(op, slots);
  Tensor* target = form == Form::Inplace               ? as_tensor(slots.at[0])
                   : slots.out && is_tensor(slots.out) ? as_tensor(slots.out)
                                                       : nullptr;
  int mutated = form == Form::Inplace ? 0 : op.mutated;
  Own original;
  if (mutated >= 0) {
    Tensor& self = *as_tensor(slots.at[mutated]);
    check_inplace(op, self, recording);
    if (recording) {  // rules that read the old value must see it
      bool wanted = false;
      for (const Rule& r : op.rules)
        for (const RuleInput& in : r.inputs)
          wanted |= in.kind == RuleInput::Argument && in.index == mutated;
      if (wanted) original = self.kind ? copied(slots.at[mutated]) : value_before(self);
    }
  }
  if (slots.out) prepare_out(op, slots, recording);
  const uint32_t version = mutated >= 0 ? as_tensor(slots.at[mutated])->version() : 0;
  if (op.pointwise && !elsewhere) {
    outs.push_back(run_pointwise_op(op, slots, target));
  } else if (op.kernel && !elsewhere) {
    run_kernel(op, slots, outs, form == Form::Inplace ? target : nullptr);
  } else if (slots.interposed & kDispatch) {
    GradMode off(false, thread_state().grad);
    Own result(dispatch_kernel(op, slots, form));
    collect_dispatched(op, slots, form, recording, result.get(), outs);
  } else {
    if (op.no_float8) require_no_float8(op, slots);
    GradMode off(false, thread_state().grad);
    Own result(call_body(op, slots));
    collect_tensors(result.get(), outs);
    for (int i = 0; i < outs.size(); ++i) forget_view_of_body(slots, *outs[i]);
  }
  if (op.mutated >= 0) {
    outs = {};
    outs.push_back(Ref<Tensor>::share(as_tensor(slots.at[op.mutated])));
  }
  if (target && outs.size() == 1 && outs[0].get() != target) {
    deliver(op, *target, *outs[0], form);
    outs[0] = Ref<Tensor>::share(target);
  } else if (slots.out && !target) {
    deliver_all(op, slots.out, outs);
    return true;
  }
  // What was asked may have changed the tensor by an op, which has counted.
  if (mutated >= 0 && (!elsewhere || as_tensor(slots.at[mutated])->version() == version))
    ++as_tensor(slots.at[mutated])->version();
  if (slots.out && target) ++target->version();
  if (op.is_view)
    for (int i = 0; i < outs.size(); ++i)
      mark_view(*outs[i], *as_tensor(slots.at[0]), outs.size() > 1);
  if (recording) {
    Tensor* few[kInlineOuts];
    std::vector<Tensor*> many(outs.size() > kInlineOuts ? outs.size() : 0);
    Tensor** list = many.empty() ? few : many.data();
    for (int i = 0; i < outs.size(); ++i) list[i] = outs[i].get();
    record(op, slots, {list, static_cast<size_t>(outs.size())}, mutated >= 0 ? Form::Inplace : form,
           original.get());
  }
  if (op.requires_grad_arg >= 0) set_requires_grad(op, slots, *outs[0]);
  return false;
}

}  // namespace

PyObject* invoke(Op& op, Slots& slots, Form form) {
  if (form == Form::Inplace && !is_tensor(slots.at[0]))
    fail(ErrorKind::Type, op.public_name, "_(): expected a Tensor to change, got ",
         Py_TYPE(slots.at[0])->tp_name);
  if (slots.interposed & (kKind | kDispatch | kModes)) [[unlikely]] {
    slots.interposed &= static_cast<uint8_t>(~kModes);
    if (dispatch_active(slots)) {
      slots.interposed |= kDispatch;
      PyObject* result = dispatch_whole(op, slots, form);
      if (result != Py_NotImplemented) return result;
      Py_DECREF(result);
    } else {
      slots.interposed &= static_cast<uint8_t>(~kDispatch);
      if (slots.interposed & kKind) require_body(op, slots, form);
    }
  }
  if (op.is_composite()) return invoke_composite(op, slots, form);
  if (slots.interposed & kLevel) [[unlikely]]
    return invoke_level(op, slots, form);
  Results outs;
  if (compute(op, slots, form, outs)) return given_outputs(op, slots.out);
  return pack_results(op, outs);
}

}  // namespace rl::py
