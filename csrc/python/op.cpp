// The op call: the three ways an op is computed (pointwise, kernel, Python body), and its three
// forms (function, in-place, out=). One code path for every operator; the callables are
// op_callable.cpp.
#include "python/op.h"

#include <algorithm>

#include "core/layout.h"
#include "plan/copy.h"
#include "plan/fits.h"
#include "plan/update.h"
#include "python/dispatch.h"
#include "python/graph.h"
#include "python/interpose.h"
#include "python/levels.h"
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

// ---- computing

struct Prepared {
  Prepared() {}
  union {
    PointwiseInput inputs[kMaxInputs];  // those that the kernel has are set, as clearing all would
  };  // cost more than some ops
  union {
    Scalar params[kMaxParams];
  };
  DType common, out_dtype;
  Compute compute;
  SizeVec sizes;
  Device device = Device::Cpu;
  bool row_major = true;  // all inputs
};

[[noreturn]] void not_implemented(const Op& op, DType d) {
  if (d == DType::Bool && !op.no_bool.empty())
    fail(op.public_name, ": bool operands are not supported; use ", op.no_bool);
  fail(ErrorKind::NotImplemented, "\"", op.public_name, "_cpu\" not implemented for '",
       info(d).legacy_name, "'");
}

// Is `d` an 8-bit float that the op does not serve? Pairs of 4-bit ones are never computed with.
bool refuses(const Op& op, DType d, bool kernel_serves) {
  return is_float8(d) && (!kernel_serves || (op.no_float8 & float8_bit(d)) != 0);
}

bool is_single(const PointwiseInput& in) { return !in.tensor || in.tensor->numel == 1; }

// A number that is True or False counts, too.
bool any_bool(const Prepared& p, size_t n) {
  return std::any_of(p.inputs, p.inputs + n, [](const PointwiseInput& in) {
    return in.tensor ? in.tensor->dtype == DType::Bool : in.number.kind == Scalar::Bool;
  });
}

// Numbers are of the dtype that the tensors have: 257 is 1 to a uint8 tensor.
void wrap_numbers(Prepared& p, size_t n) {
  if (!is_integral(p.common) || p.common == DType::Bool || item_size(p.common) == 8) return;
  dispatch(p.common, [&]<class T>() {
    if constexpr (std::is_integral_v<T>)
      for (size_t i = 0; i < n; ++i)
        if (Scalar& v = p.inputs[i].number; !p.inputs[i].tensor)
          v = Scalar::of(static_cast<int64_t>(v.to<T>()));
  });
}

// What the functor demands: see PointwiseDemand.
void meet_demands(const Op& op, Prepared& p, size_t n) {
  const PointwiseKernel& k = *op.pointwise;
  if (k.demands & kOneDType) {
    const Tensor& first = *p.inputs[0].tensor;
    for (size_t i = 1; i < n; ++i)
      if (const Tensor* t = p.inputs[i].tensor; t && t->dtype != first.dtype && (i < 2 || t->ndim))
        fail(op.public_name, "(): expected dtype ", first.dtype, " for `", op.args[i].text,
             "` as for `", op.args[0].text, "`, but got dtype ", t->dtype,
             "; convert it with .to()");
    p.common = first.dtype;
  }
  if (!is_integral(p.common)) return;
  if (k.demands & kWholeParams)
    for (int i = 0; i < k.params; ++i)
      if (p.params[i].kind > Scalar::Int)
        fail("For integral input tensors, argument ", op.args[n + static_cast<size_t>(i)].text,
             " must not be a floating point number: ", op.public_name, "() got it for a result of ",
             p.common);
  if (k.demands & kNoNegativePower)
    if (const PointwiseInput& e = p.inputs[1]; !e.tensor && e.number.to<int64_t>() < 0)
      fail("Integers to negative integer powers are not allowed. ", op.public_name,
           "() got a tensor of ", p.common, " and ", e.number.to<int64_t>(),
           "; convert the tensor to floating point");
  if (k.demands & kNumbersFit)
    for (size_t i = 0; i < n; ++i)
      if (!p.inputs[i].tensor) check_fits(op.public_name.c_str(), p.inputs[i].number, p.common);
}

// Comparisons see a number as the tensors' dtype holds it: 0.1 equals itself in float16.
void round_numbers(Prepared& p, size_t n) {
  if (widened(p.common) != DType::F32) return;
  for (size_t i = 0; i < n; ++i)
    if (Scalar& v = p.inputs[i].number; !p.inputs[i].tensor) {
      alignas(4) unsigned char narrow[4];
      float wide;
      store_number(narrow, p.common, v);
      convert(&wide, DType::F32, narrow, p.common, 1);
      v = Scalar::of(static_cast<double>(wide));
    }
}

void resolve_types(const Op& op, Prepared& p, size_t n) {
  size_t masks = op.args[0].repeat == kMask;  // a mask chooses; it has no say in the dtype
  p.common = result_type({p.inputs + masks, n - masks});
  if (op.pointwise->demands) meet_demands(op, p, n);
  wrap_numbers(p, n);
  if (!op.no_bool.empty() && any_bool(p, n)) not_implemented(op, DType::Bool);
  if (op.dtype_rule == DTypeRule::FloatsOnly && is_integral(p.common))
    not_implemented(op, p.common);
  if (op.dtype_rule == DTypeRule::ToFloat && is_integral(p.common)) p.common = default_dtype();
  const PointwiseKernel& k = *op.pointwise;
  p.compute = compute_in(*op.pointwise, p.common);
  bool sign_matters = p.common == DType::U64 && !k.any_sign;
  bool for_storage =
      is_float8(p.common) && (refuses(op, p.common, k.float8 && p.common != DType::F4E2M1X2) ||
                              (op.no_single && is_single(p.inputs[1])));
  if (!k.fn[static_cast<int>(p.compute)] || sign_matters || for_storage)
    not_implemented(op, p.common);
  DType r = k.result[static_cast<int>(p.compute)];
  p.out_dtype = r == stored(p.compute) ? p.common
                : r == DType::Bool     ? r
                : is_complex(p.common) ? real_of(p.common)
                                       : r;
  if (r == DType::Bool && p.common != DType::F32) round_numbers(p, n);
}

// What is written to a meta tensor is not looked at, so it may lie anywhere.
void resolve_shape(const Op& op, Prepared& p, size_t n, const Tensor* target, const Tensor*& like) {
  bool anywhere = target && target->is_meta();
  like = nullptr;
  bool differ = false;
  for (size_t i = 0; i < n; ++i)
    if (const Tensor* t = p.inputs[i].tensor) {
      require_bytes(*t);
      p.row_major &= t->contiguous;
      if (t->is_meta()) p.device = Device::Meta;
      if (!like) {
        like = t;
      } else {
        if (!anywhere) require_one_device(op, *like, *t);
        differ |= !same_sizes(like->sizes(), t->sizes());
      }
    }
  if (!differ) return;
  bool first = true;
  for (size_t i = 0; i < n; ++i)
    if (const Tensor* t = p.inputs[i].tensor) {
      p.sizes = first ? SizeVec(t->sizes().begin(), t->sizes().end())
                      : broadcast_sizes(p.sizes, t->sizes());
      first = false;
    }
  like = nullptr;
}

// An output laid out as the inputs are. Apart, as most are row-major.
[[gnu::noinline]] Ref<Tensor> laid_out_result(const Prepared& p, size_t n, Sizes sizes) {
  const Tensor* tensors[kMaxInputs];
  size_t count = 0;
  bool alike = true;
  for (size_t i = 0; i < n; ++i)
    if (const Tensor* t = p.inputs[i].tensor) {
      tensors[count++] = t;
      alike &= same_sizes(t->sizes(), sizes) && same_sizes(t->strides(), tensors[0]->strides());
    }
  SizeVec strides =
      alike ? dense_like_strides(*tensors[0]) : joint_strides(sizes, {tensors, count});
  return empty_strided(sizes, strides, p.out_dtype, p.device);
}

Ref<Tensor> run_prepared(const Op& op, Prepared& p, size_t n, Tensor* target) {
  const Tensor* like;
  resolve_types(op, p, n);
  resolve_shape(op, p, n, target, like);
  Sizes sizes = like ? like->sizes() : Sizes(p.sizes);
  if (target && target->device == p.device && same_sizes(target->sizes(), sizes)) {
    require_cast(op, p.out_dtype, target->dtype);
    require_distinct(op, *target);
    require_bytes(*target);
    for (size_t i = 0; i < n; ++i)
      if (const Tensor* t = p.inputs[i].tensor; t && t->storage == target->storage)
        require_apart(op, *target, *t);
    run_pointwise(*op.pointwise, p.compute, *target, {p.inputs, n}, p.params);
    return Ref<Tensor>::share(target);
  }
  Ref<Tensor> out =
      p.row_major ? empty(sizes, p.out_dtype, p.device) : laid_out_result(p, n, sizes);
  run_pointwise(*op.pointwise, p.compute, *out, {p.inputs, n}, p.params);
  return out;
}

Ref<Tensor> run_pointwise_op(const Op& op, const Slots& slots, Tensor* target) {
  Prepared p;
  int n = op.pointwise->inputs, extra = op.pointwise->params;
  for (int i = 0; i < n; ++i) {
    PyObject* o = slots.at[i] ? slots.at[i] : op.args[i].default_value;
    p.inputs[i] = {};
    if (is_tensor(o)) {
      p.inputs[i].tensor = as_tensor(o);
      if (op.args[i].repeat == kMask) require_mask(op, op.args[i], *p.inputs[i].tensor);
    } else
      p.inputs[i].number = to_scalar(o, op.public_name.c_str(), op.args[i].text);
  }
  for (int i = 0; i < extra; ++i) {
    PyObject* o = slots.at[n + i];
    p.params[i] = o ? to_scalar(o, op.public_name.c_str(), op.args[n + i].text)
                    : defaults_of(op)[n + i]->number;
  }
  return run_prepared(op, p, static_cast<size_t>(n), target);
}

// The same of converted arguments, none of which is a mask.
Ref<Tensor> run_pointwise_call(const Op& op, const Call& call) {
  Prepared p;
  int n = op.pointwise->inputs, extra = op.pointwise->params;
  for (int i = 0; i < n; ++i) p.inputs[i] = {call.arg(i).tensor, call.arg(i).number};
  for (int i = 0; i < extra; ++i) p.params[i] = call.arg(n + i).number;
  return run_prepared(op, p, static_cast<size_t>(n), nullptr);
}

// May an in-place call compute straight into `self`? Not where another argument shares its memory.
bool may_update(const Kernel& k, const Call& call, const OutSpec& s, const Tensor* self) {
  if (!self || !self->contiguous || self->device != call.device || self->dtype != s.dtype ||
      !same_sizes(self->sizes(), s.sizes) || !is_update(k))
    return false;
  for (int i = 1; i < call.n_args; ++i)
    if (const Tensor* t = call.tensor_or_null(i); t && t->storage == self->storage) return false;
  return true;
}

// 8-bit floats are served where the kernel says so, and where another dtype is asked for.
void require_no_float8(const Op& op, const Call& call, DType dtype) {
  bool converts = op.dtype_arg >= 0 && call.has(op.dtype_arg);
  bool serves = op.kernel->float8 || op.kernel->kind == Kernel::View || converts;
  if (refuses(op, dtype, serves)) not_implemented(op, dtype);
}

// Tensors agree on a device; indices (Tensor?[]) and what is copied into a meta tensor need not.
void resolve_device(const Op& op, Call& call) {
  const Tensor* first = nullptr;
  auto see = [&](const Tensor* t) {
    if (!t) return;
    if (is_float8(t->dtype)) require_no_float8(op, call, t->dtype);
    if (t->is_meta()) call.device = Device::Meta;
    if (op.kernel->kind != Kernel::View) require_bytes(*t);
    if (!first) first = t;
    if (op.mutated < 0) require_one_device(op, *first, *t);
    if (first->ndim == 0) first = t;
  };
  for (int i : op.placing_args) {
    see(call.arg(i).tensor);
    bool indices = op.args[i].repeat == kMayHoldNone;
    if (op.args[i].type == ArgType::Tensors)
      for (const Tensor* t : call.tensors(i))
        if (t && (!indices || t->is_meta())) see(t);
    if (op.args[i].type == ArgType::Device && call.has(i)) call.device = call.arg(i).device;
  }
  if (op.mutated >= 0 && call.device == Device::Meta && !call.tensor(op.mutated).is_meta())
    fail(ErrorKind::NotImplemented, op.public_name,
         ": cannot copy out of a meta tensor; it has no data");
}

// Of converted arguments. `self` is the target of an in-place call, else null.
void run_call(const Op& op, Call& call, Results& outs, Tensor* self) {
  resolve_device(op, call);
  const Kernel& k = *op.kernel;
  if (k.kind == Kernel::Dynamic) {
    if (call.device != Device::Cpu)
      fail(ErrorKind::NotImplemented, op.public_name,
           ": the result's shape depends on data, which meta tensors lack");
    k.run(call);
  } else {
    k.infer(call);
    for (int i = 0; i < call.n_outs; ++i) {
      OutSpec& s = call.specs[i];
      if (is_float8(s.dtype) && !k.float8 && k.kind != Kernel::View) not_implemented(op, s.dtype);
      if (k.kind == Kernel::View && s.base >= 0) {  // base -1: a copy where no view exists
        Tensor& base = call.tensor(s.base);
        outs.push_back(alias(base.storage, s.sizes, s.strides, s.offset, s.dtype, base.device));
      } else if (i == 0 && may_update(k, call, s, self)) {
        outs.push_back(Ref<Tensor>::share(self));
      } else {
        outs.push_back(s.strides.empty() ? empty(s.sizes, s.dtype, call.device)
                                         : empty_strided(s.sizes, s.strides, s.dtype, call.device));
      }
    }
    if (k.run && call.device == Device::Cpu) k.run(call);
  }
}

void run_kernel(const Op& op, const Slots& slots, Results& outs, Tensor* self) {
  Call call(outs);
  Arena arena;
  convert_args(op, slots, call, arena);
  run_call(op, call, outs, self);
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

// The same for an op without a kernel: its body may be made of ops that serve them.
void require_no_float8(const Op& op, const Slots& slots) {
  for (int i : op.tensor_args)
    if (PyObject* o = slots.at[i]; o && is_tensor(o) && refuses(op, as_tensor(o)->dtype, true))
      not_implemented(op, as_tensor(o)->dtype);
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
    collect_dispatched(op, slots, form, result.get(), outs);
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
