// The op call: overload choice, the three ways an op is computed (pointwise, kernel, Python
// body), and its three forms (function, in-place, out=). One code path for every operator.
#include "python/op.h"

#include <algorithm>

#include "plan/copy.h"
#include "plan/update.h"
#include "python/state.h"

namespace rl::py {

Op* operator_ops[64];
const char* op_name(const Op* op) { return op ? op->public_name.c_str() : "AccumulateGrad"; }

namespace {

struct OpObject {
  PyObject_HEAD vectorcallfunc vectorcall;
  std::vector<Op*>* overloads;
  PyObject* dict;
  Form form;
};
PyTypeObject *FunctionType, *MethodType;

// ---- finishing: where results go

void require_cast(const Op& op, DType from, DType to) {
  if (!can_cast(from, to))
    fail(op.public_name, ": result type ", info(from).legacy_name,
         " can't be cast to the desired output type ", info(to).legacy_name);
}

// Writes a computed result into the target of in-place or out= (data only).
void deliver(const Op& op, Tensor& target, Tensor& value, Form form) {
  require_cast(op, value.dtype, target.dtype);
  bool same = std::equal(target.sizes().begin(), target.sizes().end(), value.sizes().begin(),
                         value.sizes().end());
  if (!same) {
    if (form == Form::Inplace)
      fail(op.public_name, "_: output with shape ", target.sizes(),
           " doesn't match the broadcast shape ", value.sizes());
    set_contiguous(target, value.sizes());
    auto bytes = static_cast<size_t>(value.numel * item_size(target.dtype)) +
                 target.offset * item_size(target.dtype);
    if (bytes > target.storage->nbytes) resize_storage(*target.storage, bytes);
  }
  copy_into(target, value);
}

PyObject* pack_results(const Op& op, std::vector<Ref<Tensor>>& outs) {
  if (outs.size() == 1 && !op.returns_list) return wrap(std::move(outs[0]));
  PyObject* tuple = checked(PyTuple_New(static_cast<Py_ssize_t>(outs.size())));
  for (size_t i = 0; i < outs.size(); ++i) PyTuple_SET_ITEM(tuple, i, wrap(std::move(outs[i])));
  if (!op.result_type) return tuple;
  Own held(tuple);
  return checked(PyObject_CallOneArg(op.result_type, tuple));
}

// A tuple of results, from out= or a body, as the op's named tuple if it has one.
PyObject* given_outputs(const Op& op, PyObject* out) {
  return op.result_type ? checked(PyObject_CallOneArg(op.result_type, out)) : Py_NewRef(out);
}

// ---- computing

struct Prepared {
  PointwiseInput inputs[kMaxInputs];
  Scalar params[kMaxParams];
  DType common, out_dtype;
  Compute compute;
  SizeVec sizes;
  Device device = Device::Cpu;
};

[[noreturn]] void not_implemented(const Op& op, DType d) {
  fail(ErrorKind::NotImplemented, "\"", op.public_name, "_cpu\" not implemented for '",
       info(d).legacy_name, "'");
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

void resolve_types(const Op& op, Prepared& p, size_t n) {
  p.common = result_type({p.inputs, n});
  wrap_numbers(p, n);
  if (op.dtype_rule == DTypeRule::ToFloat && is_integral(p.common)) p.common = default_dtype();
  const PointwiseKernel& k = *op.pointwise;
  p.compute = compute_of(p.common);
  bool sign_matters = p.common == DType::U64 && !k.any_sign;
  if (!k.fn[static_cast<int>(p.compute)] || sign_matters) not_implemented(op, p.common);
  DType r = k.result[static_cast<int>(p.compute)];
  p.out_dtype = r == stored(p.compute) ? p.common
                : r == DType::Bool     ? r
                : is_complex(p.common) ? real_of(p.common)
                                       : r;
}

bool same_sizes(Sizes a, Sizes b) { return std::equal(a.begin(), a.end(), b.begin(), b.end()); }

void resolve_shape(Prepared& p, size_t n, const Tensor*& like) {
  like = nullptr;
  bool differ = false;
  for (size_t i = 0; i < n; ++i)
    if (const Tensor* t = p.inputs[i].tensor) {
      if (t->is_meta()) p.device = Device::Meta;
      if (!like)
        like = t;
      else
        differ |= !same_sizes(like->sizes(), t->sizes());
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

Ref<Tensor> run_prepared(const Op& op, Prepared& p, size_t n, Tensor* target) {
  const Tensor* like;
  resolve_types(op, p, n);
  resolve_shape(p, n, like);
  Sizes sizes = like ? like->sizes() : Sizes(p.sizes);
  if (target && same_sizes(target->sizes(), sizes)) {
    require_cast(op, p.out_dtype, target->dtype);
    RL_CHECK(!may_overlap_itself(*target), op.public_name,
             ": unsupported operation: more than one element of the ",
             "written-to tensor refers to a single memory location. Please clone() the tensor "
             "before performing the operation.");
    run_pointwise(*op.pointwise, p.compute, *target, {p.inputs, n}, p.params);
    return Ref<Tensor>::share(target);
  }
  Ref<Tensor> out = like && !like->contiguous
                        ? empty_strided(sizes, dense_like_strides(*like), p.out_dtype, p.device)
                        : empty(sizes, p.out_dtype, p.device);
  run_pointwise(*op.pointwise, p.compute, *out, {p.inputs, n}, p.params);
  return out;
}

Ref<Tensor> run_pointwise_op(const Op& op, const Slots& slots, Tensor* target) {
  Prepared p;
  int n = op.pointwise->inputs, extra = op.pointwise->params;
  for (int i = 0; i < n; ++i) {
    PyObject* o = slots.at[i] ? slots.at[i] : op.args[i].default_value;
    if (is_tensor(o))
      p.inputs[i].tensor = as_tensor(o);
    else
      p.inputs[i].number = to_scalar(o, op.public_name.c_str(), op.args[i].text);
  }
  for (int i = 0; i < extra; ++i) {
    PyObject* o = slots.at[n + i] ? slots.at[n + i] : op.args[n + i].default_value;
    p.params[i] = to_scalar(o, op.public_name.c_str(), op.args[n + i].text);
  }
  return run_prepared(op, p, static_cast<size_t>(n), target);
}

// May an in-place call compute straight into `self`? Not where another argument shares its memory.
bool may_update(const Kernel& k, const Call& call, const OutSpec& s, const Tensor* self) {
  if (!self || !self->contiguous || self->dtype != s.dtype || !same_sizes(self->sizes(), s.sizes) ||
      !is_update(k))
    return false;
  for (int i = 1; i < call.n_args; ++i)
    if (const Tensor* t = call.args[i].tensor; t && t->storage == self->storage) return false;
  return true;
}

// `self` is the target of an in-place call, else null.
void run_kernel(const Op& op, const Slots& slots, std::vector<Ref<Tensor>>& outs, Tensor* self) {
  Call call;
  Arena arena;
  convert_args(op, slots, call, arena);
  for (int i = 0; i < call.n_args; ++i) {
    if (Tensor* t = call.args[i].tensor; t && t->is_meta()) call.device = Device::Meta;
    for (Tensor* t : call.args[i].tensors)
      if (t && t->is_meta()) call.device = Device::Meta;
    if (op.args[i].type == ArgType::Device && call.has(i)) call.device = call.args[i].device;
  }
  const Kernel& k = *op.kernel;
  if (k.kind == Kernel::Dynamic) {
    RL_CHECK(call.device == Device::Cpu, op.public_name,
             ": the result's shape depends on data, which meta tensors lack");
    k.run(call);
  } else {
    k.infer(call);
    for (int i = 0; i < call.n_outs; ++i) {
      OutSpec& s = call.specs[i];
      if (k.kind == Kernel::View && s.base >= 0) {  // base -1: a copy where no view exists
        Tensor& base = call.tensor(s.base);
        call.outs[i] = alias(base.storage, s.sizes, s.strides, s.offset, s.dtype, base.device);
      } else if (i == 0 && may_update(k, call, s, self)) {
        call.outs[i] = Ref<Tensor>::share(self);
      } else {
        call.outs[i] = s.strides.empty() ? empty(s.sizes, s.dtype, call.device)
                                         : empty_strided(s.sizes, s.strides, s.dtype, call.device);
      }
    }
    if (k.run && call.device == Device::Cpu) k.run(call);
  }
  for (int i = 0; i < call.n_outs; ++i) outs.push_back(std::move(call.outs[i]));
}

PyObject* call_body(const Op& op, const Slots& slots) {
  PyObject* argv[kMaxArgs];
  size_t n = op.args.size();
  for (size_t i = 0; i < n; ++i) argv[i] = slots.at[i] ? slots.at[i] : op.args[i].default_value;
  return checked(PyObject_Vectorcall(op.body, argv, n, nullptr));
}

void collect_tensors(PyObject* result, std::vector<Ref<Tensor>>& outs) {
  if (is_tensor(result))
    outs.push_back(Ref<Tensor>::share(as_tensor(result)));
  else if (PyTuple_Check(result) || PyList_Check(result))
    for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(result); ++i)
      collect_tensors(PySequence_Fast_ITEMS(result)[i], outs);
}

// Compositions without a rule of their own record through the ops they call.
PyObject* invoke_composite(Op& op, Slots& slots, Form form) {
  Own result(call_body(op, slots));

  if (form == Form::Inplace) {
    if (result.get() == slots.at[0]) return result.give();
    PyObject* args[] = {slots.at[0], result.get()};

    Tensor& self = *as_tensor(slots.at[0]);
    Tensor& value = *as_tensor(result.get());
    require_cast(op, value.dtype, self.dtype);
    if (!same_sizes(self.sizes(), value.sizes()))
      fail(op.public_name, "_: output with shape ", self.sizes(),
           " doesn't match the broadcast shape ", value.sizes());
    return call_op("copy_", args, 2);
  }
  if (!slots.out)
    return PyTuple_CheckExact(result.get()) ? given_outputs(op, result.get()) : result.give();
  std::vector<Ref<Tensor>> values, targets;
  collect_tensors(result.get(), values);
  collect_tensors(slots.out, targets);
  RL_CHECK(values.size() == targets.size(), op.public_name, "(): out= expected ", values.size(),
           " tensors, got ", targets.size());
  for (size_t i = 0; i < values.size(); ++i) deliver(op, *targets[i], *values[i], Form::Function);
  return given_outputs(op, slots.out);
}

void set_requires_grad(const Op& op, const Slots& slots, Tensor& out) {
  PyObject* flag = op.requires_grad_arg >= 0 ? slots.at[op.requires_grad_arg] : nullptr;
  if (!flag || !PyObject_IsTrue(flag)) return;
  RL_CHECK(is_inexact(out.dtype),
           "Only Tensors of floating point and complex dtype can require gradients");
  out.requires_grad = true;
}

void refuse_out_with_grad(const Op& op, const Slots& slots, bool recording) {
  if (!slots.out || !recording) return;
  fail(op.public_name,
       "(): functions with out=... arguments don't support automatic differentiation, ",
       "but one of the arguments requires grad.");
}

}  // namespace

PyObject* invoke(Op& op, Slots& slots, Form form) {
  if (op.body && op.rules.empty()) return invoke_composite(op, slots, form);
  bool recording = op.differentiable && grad_enabled() && any_requires_grad(op, slots);
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
      if (wanted) {
        Ref<Tensor> copy = empty_like(self);
        copy_into(*copy, self);
        original = Own(wrap(std::move(copy)));
      }
    }
  }
  refuse_out_with_grad(op, slots, recording);
  std::vector<Ref<Tensor>> outs;
  if (op.pointwise) {
    outs.push_back(run_pointwise_op(op, slots, target));
  } else if (op.kernel) {
    run_kernel(op, slots, outs, form == Form::Inplace ? target : nullptr);
  } else {
    GradMode off(false);
    Own result(call_body(op, slots));
    collect_tensors(result.get(), outs);
  }
  if (op.mutated >= 0) outs.assign(1, Ref<Tensor>::share(as_tensor(slots.at[op.mutated])));
  if (target && outs.size() == 1 && outs[0].get() != target) {
    deliver(op, *target, *outs[0], form);
    outs[0] = Ref<Tensor>::share(target);
  } else if (slots.out && !target) {
    std::vector<Ref<Tensor>> targets;
    collect_tensors(slots.out, targets);
    RL_CHECK(outs.size() == targets.size(), op.public_name, "(): out= expected ", outs.size(),
             " tensors, got ", targets.size());
    for (size_t i = 0; i < outs.size(); ++i) deliver(op, *targets[i], *outs[i], Form::Function);
    return given_outputs(op, slots.out);
  }
  if (mutated >= 0) ++as_tensor(slots.at[mutated])->version();
  if (slots.out && target) ++target->version();
  if (op.is_view)
    for (auto& o : outs) mark_view(*o, *as_tensor(slots.at[0]), outs.size() > 1);
  if (recording) {
    Tensor* raw[64];
    size_t n = std::min<size_t>(outs.size(), 64);
    std::vector<Tensor*> many;
    for (size_t i = 0; i < n; ++i) raw[i] = outs[i].get();
    if (outs.size() > 64)
      for (auto& o : outs) many.push_back(o.get());
    std::span<Tensor* const> list =
        many.empty() ? std::span<Tensor* const>(raw, n) : std::span<Tensor* const>(many);
    record(op, slots, list, mutated >= 0 ? Form::Inplace : form, original.get());
  }
  if (op.requires_grad_arg >= 0) set_requires_grad(op, slots, *outs[0]);
  return pack_results(op, outs);
}

PyObject* call_binary(Op& op, PyObject* a, PyObject* b, Form form) {
  if (!(is_tensor(a) || is_number(a)) || !(is_tensor(b) || is_number(b))) Py_RETURN_NOTIMPLEMENTED;
  Slots slots;
  slots.at[0] = a;
  slots.at[1] = b;
  return invoke(op, slots, form);
}

// ---- the callable objects

namespace {

PyObject* op_vectorcall(PyObject* self, PyObject* const* args, size_t nargsf, PyObject* kwnames) {
  auto* o = reinterpret_cast<OpObject*>(self);
  return guarded([&]() -> PyObject* {
    Py_ssize_t n = PyVectorcall_NARGS(nargsf);
    std::string why, first;
    for (Op* op : *o->overloads) {
      Slots slots;
      if (!parse_args(*op, args, n, kwnames, slots, &why)) {
        if (first.empty()) first = why;
        continue;
      }
      return invoke(*op, slots, o->form);
    }
    fail(ErrorKind::Type, o->overloads->size() == 1
                              ? first
                              : str(first, " (no other signature of ",
                                    (*o->overloads)[0]->public_name, "() fits either: ", why, ")"));
  });
}

PyObject* bind_method(PyObject* self, PyObject* instance, PyObject*) {
  if (!instance) return Py_NewRef(self);
  return PyMethod_New(self, instance);
}

PyMemberDef members[] = {
    {"__vectorcalloffset__", T_PYSSIZET, offsetof(OpObject, vectorcall), READONLY, nullptr},
    {"__dictoffset__", T_PYSSIZET, offsetof(OpObject, dict), READONLY, nullptr},
    {nullptr, 0, 0, 0, nullptr}};

PyObject* op_repr(PyObject* self) {
  auto* o = reinterpret_cast<OpObject*>(self);
  return PyUnicode_FromFormat("<op %s>", (*o->overloads)[0]->public_name.c_str());
}

PyTypeObject* make_type(const char* name, bool method) {
  PyType_Slot slots[] = {{Py_tp_call, reinterpret_cast<void*>(PyVectorcall_Call)},
                         {Py_tp_members, members},
                         {Py_tp_repr, reinterpret_cast<void*>(op_repr)},
                         {Py_tp_getattro, reinterpret_cast<void*>(PyObject_GenericGetAttr)},
                         {Py_tp_setattro, reinterpret_cast<void*>(PyObject_GenericSetAttr)},
                         {method ? Py_tp_descr_get : 0, reinterpret_cast<void*>(bind_method)},
                         {0, nullptr}};
  unsigned flags =
      Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_VECTORCALL | (method ? Py_TPFLAGS_METHOD_DESCRIPTOR : 0);
  PyType_Spec spec{name, sizeof(OpObject), 0, flags, slots};
  return reinterpret_cast<PyTypeObject*>(checked(PyType_FromSpec(&spec)));
}

const char* kOpCapsule = "rushlight.op";

Op* capsule_op(PyObject* o) {
  auto* op = static_cast<Op*>(PyCapsule_GetPointer(o, kOpCapsule));
  if (!op) throw PythonError{};
  return op;
}

// make_op(name, public_name, grad_name, args, flags): args are (name, type, optional,
// has_default, default, keyword_only, repeat); flags a dict. Parsed by ops/_record.py.
PyObject* make_op(PyObject*, PyObject* args) {
  return guarded([&]() -> PyObject* {
    const char *name, *public_name, *grad_name, *kernel;
    PyObject *specs, *body, *result_type;
    int has_out, differentiable, returns_list, dtype_rule, pointwise, mutated;
    if (!PyArg_ParseTuple(args, "ssszOOOppppii", &name, &public_name, &grad_name, &kernel, &specs,
                          &body, &result_type, &has_out, &differentiable, &returns_list, &pointwise,
                          &dtype_rule, &mutated))
      throw PythonError{};
    auto* op = new Op;  // ops live as long as the process
    op->name = name;
    op->public_name = public_name;
    op->grad_name = grad_name;
    op->has_out = has_out;
    op->differentiable = differentiable;
    op->returns_list = returns_list;
    op->dtype_rule = static_cast<DTypeRule>(dtype_rule);
    op->mutated = mutated;
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(specs); ++i) {
      ArgSpec a;
      int type, optional, has_default, keyword_only;
      PyObject *arg_name, *value;
      if (!PyArg_ParseTuple(PyList_GET_ITEM(specs, i), "UippOpi", &arg_name, &type, &optional,
                            &has_default, &value, &keyword_only, &a.repeat))
        throw PythonError{};
      Py_INCREF(arg_name);
      PyUnicode_InternInPlace(&arg_name);
      a.name = arg_name;
      a.text = PyUnicode_AsUTF8(arg_name);
      a.type = static_cast<ArgType>(type);
      a.optional = optional;
      a.has_default = has_default;
      a.keyword_only = keyword_only;
      a.default_value = Py_NewRef(value);
      if (!keyword_only) ++op->positional;
      if (a.type == ArgType::Tensor || a.type == ArgType::Operand || a.type == ArgType::Tensors)
        op->tensor_args.push_back(static_cast<int>(i));
      if (std::string_view(a.text) == "requires_grad") op->requires_grad_arg = static_cast<int>(i);
      op->args.push_back(a);
    }
    if (body != Py_None) op->body = Py_NewRef(body);
    if (result_type != Py_None) op->result_type = Py_NewRef(result_type);
    if (kernel && pointwise) {
      op->pointwise = find_pointwise(kernel);
      if (!op->pointwise && !op->body)
        fail(name, ": no pointwise functor is registered under ", kernel);
    } else if (kernel) {
      op->kernel = find_kernel(kernel);
      if (!op->kernel && !op->body) fail(name, ": no kernel is registered under ", kernel);
      op->is_view = op->kernel && op->kernel->kind == Kernel::View;
    }
    return checked(PyCapsule_New(op, kOpCapsule, nullptr));
  });
}

// add_rule(op, arg_index or -1, function, [(kind, index), ...])
PyObject* add_rule(PyObject*, PyObject* args) {
  return guarded([&]() -> PyObject* {
    PyObject *capsule, *fn, *inputs;
    Rule rule;
    if (!PyArg_ParseTuple(args, "OiOO!", &capsule, &rule.arg, &fn, &PyList_Type, &inputs))
      throw PythonError{};
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(inputs); ++i) {
      int kind, index;
      if (!PyArg_ParseTuple(PyList_GET_ITEM(inputs, i), "ii", &kind, &index)) throw PythonError{};
      rule.inputs.push_back({static_cast<RuleInput::Kind>(kind), index});
    }
    rule.fn = Py_NewRef(fn);
    capsule_op(capsule)->rules.push_back(std::move(rule));
    Py_RETURN_NONE;
  });
}

// make_callable([op, ...], form: 0 function, 1 method, 2 in-place method)
PyObject* make_callable(PyObject*, PyObject* args) {
  return guarded([&]() -> PyObject* {
    PyObject* list;
    int form;
    if (!PyArg_ParseTuple(args, "O!i", &PyList_Type, &list, &form)) throw PythonError{};
    PyTypeObject* type = form ? MethodType : FunctionType;
    auto* o = PyObject_New(OpObject, type);
    if (!o) throw PythonError{};
    o->vectorcall = op_vectorcall;
    o->dict = nullptr;
    o->form = static_cast<Form>(form);
    o->overloads = new std::vector<Op*>;
    Own held(reinterpret_cast<PyObject*>(o));
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(list); ++i)
      o->overloads->push_back(capsule_op(PyList_GET_ITEM(list, i)));
    return held.give();
  });
}

PyObject* add_overload(PyObject*, PyObject* args) {
  return guarded([&]() -> PyObject* {
    PyObject *callable, *capsule;
    if (!PyArg_ParseTuple(args, "OO", &callable, &capsule)) throw PythonError{};
    reinterpret_cast<OpObject*>(callable)->overloads->push_back(capsule_op(capsule));
    Py_RETURN_NONE;
  });
}

PyObject* set_operator(PyObject*, PyObject* args) {
  return guarded([&]() -> PyObject* {
    int slot;
    PyObject* capsule;
    if (!PyArg_ParseTuple(args, "iO", &slot, &capsule)) throw PythonError{};
    operator_ops[slot] = capsule_op(capsule);
    Py_RETURN_NONE;
  });
}

PyObject* native_names(PyObject*, PyObject*) {
  return guarded([&]() -> PyObject* {
    Own pointwise(checked(PyList_New(0))), kernels(checked(PyList_New(0)));
    for (auto n : pointwise_names()) {
      Own s(checked(PyUnicode_FromStringAndSize(n.data(), n.size())));
      checked(PyList_Append(pointwise.get(), s.get()));
    }
    for (auto n : kernel_names()) {
      Own s(checked(PyUnicode_FromStringAndSize(n.data(), n.size())));
      checked(PyList_Append(kernels.get(), s.get()));
    }
    return checked(PyTuple_Pack(2, pointwise.get(), kernels.get()));
  });
}

PyMethodDef functions[] = {{"make_op", make_op, METH_VARARGS, nullptr},
                           {"add_rule", add_rule, METH_VARARGS, nullptr},
                           {"make_callable", make_callable, METH_VARARGS, nullptr},
                           {"add_overload", add_overload, METH_VARARGS, nullptr},
                           {"set_operator", set_operator, METH_VARARGS, nullptr},
                           {"native_names", native_names, METH_NOARGS, nullptr},
                           {nullptr, nullptr, 0, nullptr}};

PyObject* table_;  // public name -> callable, shared with Python

}  // namespace

PyObject* call_op(const char* name, PyObject* const* args, size_t n) {
  PyObject* f = PyDict_GetItemString(table_, name);
  if (!f) fail("internal: op '", name, "' is not in the table");
  return checked(PyObject_Vectorcall(f, args, n, nullptr));
}

void add_ops(PyObject* module) {
  FunctionType = make_type("rushlight.builtin_op", false);
  MethodType = make_type("rushlight.op_method", true);
  table_ = checked(PyDict_New());
  checked(PyModule_AddObjectRef(module, "table", table_));
  checked(PyModule_AddFunctions(module, functions));
}

}  // namespace rl::py
