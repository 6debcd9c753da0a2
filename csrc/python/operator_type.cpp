// The native part of an op record: what its schema and its gradient rules say, as Python sees it
// (rushlight/ops/_record.py has the rest), and the Op that calls run on. Names no operator.
#include <algorithm>

#include "python/graph.h"
#include "python/op.h"
#include "python/schema.h"

namespace rl::py {
namespace {

struct OperatorObject {
  PyObject_HEAD Op* op;  // lives as long as the process: graph nodes and calls point to it
  PyObject *arg_names, *arg_types;  // made when asked for
};
PyTypeObject* OperatorType;

OperatorObject& as_operator(PyObject* o) { return *reinterpret_cast<OperatorObject*>(o); }

// ---- declaring

// log1p -> Log1P: a capital at the start, after an underscore and after a digit.
std::string camel(std::string_view name) {
  std::string letters;
  bool up = true;
  for (char c : name) {
    if (c != '_') letters += up && c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    up = c == '_' || (c >= '0' && c <= '9');
  }
  return letters;
}

const char* utf8(PyObject* o) {
  const char* s = PyUnicode_AsUTF8(o);
  if (!s) throw PythonError{};
  return s;
}

// expand -> ExpandBackward0; expand_copy -> ExpandBackward0_copy
std::string node_name_of(std::string_view op) {
  bool copy = op.ends_with("_copy");
  return camel(copy ? op.substr(0, op.size() - 5) : op) + "Backward0" + (copy ? "_copy" : "");
}

int argument(const Op& op, std::string_view name) {
  for (size_t i = 0; i < op.args.size(); ++i)
    if (op.args[i].text == name) return static_cast<int>(i);
  return -1;
}

void take_names(std::vector<std::string>& to, PyObject* names) {
  if (PyUnicode_Check(names)) return static_cast<void>(to.emplace_back(utf8(names)));
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(names); ++i)
    to.emplace_back(utf8(PyTuple_GET_ITEM(names, i)));
}

void name_nodes(Op& op, PyObject* names, const char* prefix) {
  if (names == Py_None)
    op.grad_names.push_back(prefix + node_name_of(op.public_name));
  else
    take_names(op.grad_names, names);
}

// {argument: names of the nodes of calls without it}, after the schema
void name_short_forms(Op& op, PyObject* names) {
  PyObject *key, *value;
  Py_ssize_t i = 0;
  if (names == Py_None || !PyDict_Next(names, &i, &key, &value)) return;
  op.extra = argument(op, utf8(key));
  take_names(op.short_names, value);
}

void mark_constants(Op& op, PyObject* names) {
  if (names == Py_None) return;
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(names); ++i) {
    std::string_view name = utf8(PyTuple_GET_ITEM(names, i));
    int at = argument(op, name);
    if (at < 0) fail(ErrorKind::Value, op.name, ": there is no argument '", name, "'");
    op.args[at].constant = true;
  }
}

void take_schema(Op& op, Schema&& s) {
  op.name = std::move(s.name);
  op.public_name = op.name.substr(0, op.name.find('.'));
  op.said_from = op.public_name.starts_with('_') && !op.public_name.starts_with("__");
  op.args = std::move(s.args);
  op.mutated = s.mutated;
  op.returns_list = s.returns_list;
  op.result_names = std::move(s.result_names);
  op.named_results = op.result_names.size() > 1 && op.result_names[0] != "result0";
  for (size_t i = 0; i < op.args.size(); ++i) {
    const ArgSpec& a = op.args[i];
    int at = static_cast<int>(i);
    op.positional += !a.keyword_only;
    if (a.type == ArgType::Layout) op.layout_arg = at;
    if (!a.has_default) op.required = i + 1;
    bool tensors =
        a.type == ArgType::Tensor || a.type == ArgType::Operand || a.type == ArgType::Tensors;
    if (tensors) op.tensor_args.push_back(at);
    if (tensors || a.type == ArgType::Device) op.placing_args.push_back(at);
    if (std::string_view(a.text) == "requires_grad") op.requires_grad_arg = at;
    op.draws |= a.type == ArgType::Generator;
    if (a.type == ArgType::DType) op.dtype_arg = at;
  }
  if (int last = op.positional - 1; last >= 0)
    if (const ArgSpec& a = op.args[last]; a.type == ArgType::Ints && a.repeat == kVarargs)
      op.varargs = last;
  RL_CHECK(op.args.size() <= kMaxArgs, op.name, ": a schema has at most ", kMaxArgs, " arguments");
}

void find_native(Op& op, const char* name, bool pointwise) {
  if (pointwise)
    op.pointwise = find_pointwise(name);
  else
    op.kernel = find_kernel(name);
  if (!op.pointwise && !op.kernel && !op.body)
    fail(ErrorKind::NotImplemented, "op ", op.name, ": neither a native kernel nor a body");
  op.shortcut = find_shortcut(op.name);
  op.route = find_route(op.name);
  op.is_view = op.kernel && op.kernel->kind == Kernel::View;
  if (op.is_view) op.has_out = false;
  if (op.out_rule == OutRule::Default)
    op.out_rule = op.kernel && op.dtype_arg < 0 ? OutRule::Exact : OutRule::Cast;
}

// What the decorator `op` is told besides the schema; what is missing here is Python's business.
struct Options {
  bool pointwise = false, differentiable = true, numbers = false;
  bool functional = false, internal = false;
  DTypeRule dtype_rule = DTypeRule::Promote;
  PyObject *out = Py_None, *kernel = Py_None, *grad_name = Py_None, *without = Py_None,
           *constants = Py_None;
  const char *no_bool = "", *node_prefix = "", *no_float8 = "";
};

bool is_text(PyObject* o, const char* text) {
  return PyUnicode_Check(o) && PyUnicode_CompareWithASCIIString(o, text) == 0;
}

// What the namespace that alone offers an op puts before the names of its nodes.
const char* node_prefix(PyObject* at) {
  if (PyTuple_Check(at))
    return PyTuple_GET_SIZE(at) == 1 ? node_prefix(PyTuple_GET_ITEM(at, 0)) : "";
  return is_text(at, "special") ? "Special" : is_text(at, "linalg") ? "Linalg" : "";
}

// Functions of networks take no out=, unless their records say that they do.
bool is_functional(PyObject* at) {
  if (!PyTuple_Check(at)) return is_text(at, "nn.functional");
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(at); ++i)
    if (is_functional(PyTuple_GET_ITEM(at, i))) return true;
  return false;
}

// Offered to nobody: several results are a plain tuple, which costs a tenth of one with names.
bool is_internal(PyObject* at) {
  bool one = PyTuple_Check(at) && PyTuple_GET_SIZE(at) == 1;
  return is_text(one ? PyTuple_GET_ITEM(at, 0) : at, "internal");
}

Options read_options(PyObject* dict) {
  Options o;
  PyObject *key, *value;
  for (Py_ssize_t i = 0; PyDict_Next(dict, &i, &key, &value);) {
    std::string_view name = utf8(key);
    if (name == "kind")
      o.pointwise = PyUnicode_CompareWithASCIIString(value, "pointwise") == 0;
    else if (name == "dtype")
      o.dtype_rule = static_cast<DTypeRule>(PyLong_AsLong(value));
    else if (name == "differentiable")
      o.differentiable = PyObject_IsTrue(value);
    else if (name == "numbers")
      o.numbers = PyObject_IsTrue(value);
    else if (name == "no_bool")
      o.no_bool = utf8(value);
    else if (name == "no_float8")
      o.no_float8 = utf8(value);
    else if (name == "out")
      o.out = value;
    else if (name == "kernel")
      o.kernel = value;
    else if (name == "grad_name")
      o.grad_name = value;
    else if (name == "grad_name_without")
      o.without = value;
    else if (name == "constants")
      o.constants = value;
    else if (name == "at")
      o.node_prefix = node_prefix(value), o.functional = is_functional(value),
      o.internal = is_internal(value);
    else if (name != "method" && name != "inplace" && name != "operator" && name != "repeated")
      fail(ErrorKind::Type, "op() got an unexpected option '", name, "'");
  }
  return o;
}

// no_float8: "all", or names of dtypes, and "single" for a second operand of one element.
void take_no_float8(Op& op, std::string_view names) {
  while (!names.empty()) {
    size_t end = std::min(names.find(' '), names.size());
    std::string_view name = names.substr(0, end);
    names.remove_prefix(std::min(end + 1, names.size()));
    bool known = name == "single";
    op.no_single |= known;
    for (int i = 0; i < kNumDTypes; ++i)
      if (auto d = static_cast<DType>(i); is_float8(d) && (name == "all" || name == info(d).name))
        op.no_float8 |= float8_bit(d), known = true;
    if (!known) fail(ErrorKind::Value, "op(): there is no 8-bit float '", name, "'");
  }
}

OutRule out_rule(PyObject* out) {
  if (!PyUnicode_Check(out)) return OutRule::Default;
  std::string_view rule = utf8(out);
  if (rule == "cast") return OutRule::Cast;
  if (rule == "filled") return OutRule::Filled;
  if (rule == "exact") return OutRule::Exact;
  if (rule == "disjoint") return OutRule::Disjoint;
  if (rule == "disjoint cast") return OutRule::DisjointCast;
  fail(ErrorKind::Value, "op(): there is no rule out='", rule, "'");
}

// _declare(schema, body or None, options)
PyObject* declare(PyObject* self, PyObject* args) {
  return guarded([&]() -> PyObject* {
    const char* schema;
    PyObject *body, *options;
    if (!PyArg_ParseTuple(args, "sOO!", &schema, &body, &PyDict_Type, &options))
      throw PythonError{};
    Options o = read_options(options);
    auto op = std::make_unique<Op>();
    Schema parsed = parse_schema(schema);
    bool has_out = parsed.has_out;
    take_schema(*op, std::move(parsed));
    op->has_out = o.out == Py_None ? has_out || (op->mutated < 0 && !o.functional)
                                   : PyObject_IsTrue(o.out) != 0;
    op->named_results &= !o.internal;
    op->dtype_rule = o.dtype_rule;
    op->out_rule = out_rule(o.out);
    op->differentiable = o.differentiable;
    op->no_bool = o.no_bool;
    take_no_float8(*op, o.no_float8);
    op->wants_tensor = !o.numbers && std::ranges::all_of(op->tensor_args, [&](int i) {
      return op->args[static_cast<size_t>(i)].type == ArgType::Operand;
    });
    if (body != Py_None) op->body = Py_NewRef(body);
    name_nodes(*op, o.grad_name == Py_True ? Py_None : o.grad_name, o.node_prefix);
    name_short_forms(*op, o.without);
    mark_constants(*op, o.constants);
    op->labels = o.grad_name != Py_None;
    find_native(*op, o.kernel == Py_None ? op->name.c_str() : utf8(o.kernel), o.pointwise);
    op->record = Py_NewRef(self);
    as_operator(self).op = op.release();
    Py_RETURN_NONE;
  });
}

// ---- gradient rules

int position(const std::vector<std::string>& names, std::string_view name) {
  auto found = std::ranges::find(names, name);
  return found == names.end() ? -1 : static_cast<int>(found - names.begin());
}

// The number after a prefix: "result2", "g1"; -1 if the name is of another form.
int numbered(std::string_view name, std::string_view prefix) {
  if (!name.starts_with(prefix) || name.size() == prefix.size()) return -1;
  int n = 0;
  for (char c : name.substr(prefix.size())) {
    if (c < '0' || c > '9') return -1;
    n = n * 10 + (c - '0');
  }
  return n;
}

// What a rule's parameter stands for: see Record.vjp.
RuleInput rule_input(const Op& op, std::string_view name) {
  if (int i = argument(op, name); i >= 0) return {RuleInput::Argument, i};
  if (name == "result") return {RuleInput::Result, 0};
  if (int i = numbered(name, "result"); i >= 0) return {RuleInput::Result, i};
  if (int i = position(op.result_names, name); i >= 0) return {RuleInput::Result, i};
  if (name == "g") return {op.returns_list ? RuleInput::Grads : RuleInput::Grad, 0};
  if (name == "grads") return {RuleInput::Grads, 0};
  if (name == "given") return {RuleInput::Given, 0};
  if (name == "needs") return {RuleInput::Needs, 0};
  if (name.ends_with("_meta"))
    if (int i = argument(op, name.substr(0, name.size() - 5)); i >= 0)
      return {RuleInput::Geometry, i};
  if (size_t at = name.find("_for_"); at != name.npos) {
    int i = argument(op, name.substr(0, at)), only_for = argument(op, name.substr(at + 5));
    if (i >= 0 && only_for >= 0) return {RuleInput::Argument, i, only_for};
  }
  if (name.starts_with("g_"))
    if (int i = position(op.result_names, name.substr(2)); i >= 0) return {RuleInput::Grad, i};
  if (int i = numbered(name, "g"); i >= 0) return {RuleInput::Grad, i};
  std::string known;
  for (const ArgSpec& a : op.args) known += (known.empty() ? "" : ", ") + std::string(a.text);
  fail(ErrorKind::Type, op.name, ": a gradient rule asks for '", name,
       "', which is neither an argument, 'result' nor 'g'; arguments are ", known);
}

// add_rule(argument's number or -1, function, names of its parameters)
PyObject* add_rule(PyObject* self, PyObject* args) {
  return guarded([&]() -> PyObject* {
    PyObject *fn, *names;
    Rule rule;
    if (!PyArg_ParseTuple(args, "iOO!", &rule.arg, &fn, &PyTuple_Type, &names)) throw PythonError{};
    Op& op = operator_op(self);
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(names); ++i)
      rule.inputs.push_back(rule_input(op, utf8(PyTuple_GET_ITEM(names, i))));
    rule.fn = Py_NewRef(fn);
    op.rules.push_back(std::move(rule));
    Py_RETURN_NONE;
  });
}

// ---- what Python reads

PyObject* text(const std::string& s) {
  return checked(PyUnicode_FromStringAndSize(s.data(), static_cast<Py_ssize_t>(s.size())));
}

template <class List, class Make>
PyObject* tuple_of(const List& list, Make make) {
  Own tuple(checked(PyTuple_New(static_cast<Py_ssize_t>(list.size()))));
  for (size_t i = 0; i < list.size(); ++i)
    PyTuple_SET_ITEM(tuple.get(), static_cast<Py_ssize_t>(i), checked(make(list[i])));
  return tuple.give();
}

PyObject* get_arg_names(PyObject* self, void*) {
  return guarded([&] {
    PyObject*& made = as_operator(self).arg_names;
    if (!made) made = tuple_of(operator_op(self).args, [](auto& a) { return Py_NewRef(a.name); });
    return Py_NewRef(made);
  });
}
PyObject* get_arg_types(PyObject* self, void*) {
  return guarded([&] {
    PyObject*& made = as_operator(self).arg_types;
    if (!made)
      made = tuple_of(operator_op(self).args,
                      [](auto& a) { return PyLong_FromLong(static_cast<long>(a.type)); });
    return Py_NewRef(made);
  });
}
PyObject* get_defaults(PyObject* self, void*) {
  return guarded([&] {
    Own made(checked(PyDict_New()));
    for (const ArgSpec& a : operator_op(self).args)
      if (a.has_default) checked(PyDict_SetItem(made.get(), a.name, a.default_value));
    return made.give();
  });
}
PyObject* get_native_name(PyObject* self, void*) {
  return guarded([&] {
    const Op& op = operator_op(self);
    if (!op.pointwise && !op.kernel) return Py_NewRef(Py_None);
    return checked(PyUnicode_FromString(op.pointwise ? op.pointwise->name : op.kernel->name));
  });
}

template <auto read>
PyObject* get(PyObject* self, void*) {
  return guarded([&] { return checked(read(operator_op(self))); });
}

constexpr auto kName = [](const Op& op) { return text(op.name); };
constexpr auto kPublicName = [](const Op& op) { return text(op.public_name); };
constexpr auto kResultNames = [](const Op& op) { return tuple_of(op.result_names, text); };
constexpr auto kGradNames = [](const Op& op) { return tuple_of(op.grad_names, text); };
constexpr auto kReturnsList = [](const Op& op) { return PyBool_FromLong(op.returns_list); };
constexpr auto kReturnsNamed = [](const Op& op) { return PyBool_FromLong(op.named_results); };
constexpr auto kDifferentiable = [](const Op& op) { return PyBool_FromLong(op.differentiable); };
constexpr auto kIsView = [](const Op& op) { return PyBool_FromLong(op.is_view); };
constexpr auto kIsRouted = [](const Op& op) { return PyBool_FromLong(op.route != nullptr); };
constexpr auto kMutated = [](const Op& op) { return PyLong_FromLong(op.mutated); };

PyGetSetDef getset[] = {{"name", get<kName>, nullptr, nullptr, nullptr},
                        {"public_name", get<kPublicName>, nullptr, nullptr, nullptr},
                        {"native_name", get_native_name, nullptr, nullptr, nullptr},
                        {"arg_names", get_arg_names, nullptr, nullptr, nullptr},
                        {"arg_types", get_arg_types, nullptr, nullptr, nullptr},
                        {"defaults", get_defaults, nullptr, nullptr, nullptr},
                        {"result_names", get<kResultNames>, nullptr, nullptr, nullptr},
                        {"grad_names", get<kGradNames>, nullptr, nullptr, nullptr},
                        {"returns_list", get<kReturnsList>, nullptr, nullptr, nullptr},
                        {"returns_named", get<kReturnsNamed>, nullptr, nullptr, nullptr},
                        {"differentiable", get<kDifferentiable>, nullptr, nullptr, nullptr},
                        {"is_view", get<kIsView>, nullptr, nullptr, nullptr},
                        {"is_routed", get<kIsRouted>, nullptr, nullptr, nullptr},
                        {"mutated", get<kMutated>, nullptr, nullptr, nullptr},
                        {nullptr, nullptr, nullptr, nullptr, nullptr}};

PyMethodDef methods[] = {{"_declare", declare, METH_VARARGS, nullptr},
                         {"_add_rule", add_rule, METH_VARARGS, nullptr},
                         {nullptr, nullptr, 0, nullptr}};

// split_arguments(text): the arguments of a schema; schema_constant(text): a default's value.
PyObject* py_split(PyObject*, PyObject* o) {
  return guarded([&] {
    Own list(checked(PyList_New(0)));
    for (std::string_view part : split_arguments(utf8(o))) {
      Own item(text(std::string(part)));
      checked(PyList_Append(list.get(), item.get()));
    }
    return list.give();
  });
}
PyObject* py_constant(PyObject*, PyObject* o) {
  return guarded([&] { return parse_constant(utf8(o)); });
}

PyMethodDef functions[] = {{"split_arguments", py_split, METH_O, nullptr},
                           {"schema_constant", py_constant, METH_O, nullptr},
                           {nullptr, nullptr, 0, nullptr}};

}  // namespace

Op& operator_op(PyObject* o) {
  if (!PyObject_TypeCheck(o, OperatorType) || !as_operator(o).op)
    fail(ErrorKind::Type, "expected the record of an operator, got ", Py_TYPE(o)->tp_name);
  return *as_operator(o).op;
}

void add_operator_type(PyObject* module) {
  PyType_Slot slots[] = {{Py_tp_getset, getset}, {Py_tp_methods, methods}, {0, nullptr}};
  PyType_Spec spec{"rushlight._native.Operator", sizeof(OperatorObject), 0,
                   Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE, slots};
  OperatorType = reinterpret_cast<PyTypeObject*>(checked(PyType_FromSpec(&spec)));
  checked(PyModule_AddObjectRef(module, "Operator", reinterpret_cast<PyObject*>(OperatorType)));
  checked(PyModule_AddFunctions(module, functions));
}

}  // namespace rl::py
