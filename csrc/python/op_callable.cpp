// The callables that users see (functions, methods, in-place methods), which choose among an op's
// overloads, and the table of ops that the records fill. How a call is computed is in op.cpp.
#include "python/interpose.h"
#include "python/levels.h"
#include "python/op.h"

namespace rl::py {

namespace {

struct OpObject {
  PyObject_HEAD vectorcallfunc vectorcall;
  std::vector<Op*>* overloads;
  PyObject* dict;
  Form form;
};
PyTypeObject *FunctionType, *MethodType;

// No signature fits: parses again, now for the reasons.
[[noreturn]] void refuse_call(const OpObject& o, PyObject* const* args, Py_ssize_t n,
                              PyObject* kwnames) {
  std::string first, last;
  for (Op* op : *o.overloads) {
    Slots slots;
    parse_args(*op, args, n, kwnames, slots, &last);
    if (first.empty()) first = last;
  }
  if (o.overloads->size() > 1)
    first += str(" (no other signature of ", (*o.overloads)[0]->public_name,
                 "() fits either: ", last, ")");
  fail(ErrorKind::Type, first);
}

PyObject* op_vectorcall(PyObject* self, PyObject* const* args, size_t nargsf, PyObject* kwnames) {
  auto* o = reinterpret_cast<OpObject*>(self);
  return guarded([&]() -> PyObject* {
    Py_ssize_t n = PyVectorcall_NARGS(nargsf);
    for (Op* op : *o->overloads) {
      Slots slots;
      if (!parse_args(*op, args, n, kwnames, slots, nullptr)) continue;
      if (uint8_t marks = slots.interposed | interposers_) [[unlikely]] {
        if (marks & kDraws)
          if (PyObject* drawn = drawn_by_level(*op, slots, o->form)) return drawn;
        PyObject* result =
            marks == kLevel ? Py_NewRef(Py_NotImplemented) : redirect(self, args, n, kwnames);
        if (result != Py_NotImplemented) return result;
        Py_DECREF(result);
      }
      return invoke(*op, slots, o->form);
    }
    if (any_torch_function(args, n + (kwnames ? PyTuple_GET_SIZE(kwnames) : 0))) {
      PyObject* result = redirect(self, args, n, kwnames);
      if (result != Py_NotImplemented) return result;
      Py_DECREF(result);
    }
    refuse_call(*o, args, n, kwnames);
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

}  // namespace

Op& capsule_op(PyObject* o) {
  auto* op = static_cast<Op*>(PyCapsule_GetPointer(o, kOpCapsule));
  if (!op) throw PythonError{};
  return *op;
}

namespace {

// make_op(name, public_name, grad_names, args, flags): args are (name, type, optional,
// has_default, default, keyword_only, repeat); flags a dict. Parsed by ops/_record.py.
PyObject* make_op(PyObject*, PyObject* args) {
  return guarded([&]() -> PyObject* {
    const char *name, *public_name, *kernel;
    PyObject *grad_names, *specs, *body, *result_type;
    const char* no_bool;
    int has_out, differentiable, returns_list, dtype_rule, pointwise, mutated, out_rule, numbers;
    if (!PyArg_ParseTuple(args, "ssO!zOOOppppiiips", &name, &public_name, &PyTuple_Type,
                          &grad_names, &kernel, &specs, &body, &result_type, &has_out,
                          &differentiable, &returns_list, &pointwise, &dtype_rule, &mutated,
                          &out_rule, &numbers, &no_bool))
      throw PythonError{};
    auto* op = new Op;  // ops live as long as the process
    op->name = name;
    op->public_name = public_name;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(grad_names); ++i)
      op->grad_names.emplace_back(PyUnicode_AsUTF8(PyTuple_GET_ITEM(grad_names, i)));
    op->has_out = has_out;
    op->differentiable = differentiable;
    op->returns_list = returns_list;
    op->dtype_rule = static_cast<DTypeRule>(dtype_rule);
    op->mutated = mutated;
    int sizes = 0;
    op->out_rule = static_cast<OutRule>(out_rule);
    op->no_bool = no_bool;
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
      sizes += a.type == ArgType::Ints;
      if (a.type == ArgType::Tensor || a.type == ArgType::Operand || a.type == ArgType::Tensors)
        op->tensor_args.push_back(static_cast<int>(i));
      if (std::string_view(a.text) == "requires_grad") op->requires_grad_arg = static_cast<int>(i);
      op->draws |= a.type == ArgType::Generator;
      if (a.type == ArgType::DType) op->dtype_arg = static_cast<int>(i);
      op->args.push_back(a);
    }
    RL_CHECK(PyList_GET_SIZE(specs) <= kMaxArgs && sizes <= kMaxSizeArgs, name,
             ": a schema has at most ", kMaxArgs, " arguments, ", kMaxSizeArgs, " of them int[]");
    op->wants_tensor = !numbers && std::ranges::all_of(op->tensor_args, [&](int i) {
      return op->args[static_cast<size_t>(i)].type == ArgType::Operand;
    });
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
      if (op->is_view) op->has_out = false;
    }
    if (op->out_rule == OutRule::Default)
      op->out_rule = op->kernel && op->dtype_arg < 0 ? OutRule::Exact : OutRule::Cast;
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
    capsule_op(capsule).rules.push_back(std::move(rule));
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
      o->overloads->push_back(&capsule_op(PyList_GET_ITEM(list, i)));
    return held.give();
  });
}

PyObject* add_overload(PyObject*, PyObject* args) {
  return guarded([&]() -> PyObject* {
    PyObject *callable, *capsule;
    if (!PyArg_ParseTuple(args, "OO", &callable, &capsule)) throw PythonError{};
    reinterpret_cast<OpObject*>(callable)->overloads->push_back(&capsule_op(capsule));
    Py_RETURN_NONE;
  });
}

PyObject* set_operator(PyObject*, PyObject* args) {
  return guarded([&]() -> PyObject* {
    int slot;
    PyObject* capsule;
    if (!PyArg_ParseTuple(args, "iO", &slot, &capsule)) throw PythonError{};
    operator_ops[slot] = &capsule_op(capsule);
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

Op& named_op(const char* public_name) {
  auto* f = reinterpret_cast<OpObject*>(PyDict_GetItemString(table_, public_name));
  if (!f) fail("internal: op '", public_name, "' is not in the table");
  return *(*f->overloads)[0];
}

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
