// The grammar of schemas. A new type of argument is a line in `kTypes`, and a case in args.cpp.
#include "python/schema.h"

#include <limits>

namespace rl::py {
namespace {

struct TypeName {
  std::string_view text;
  ArgType type;
};
constexpr TypeName kTypes[] = {{"Tensor", ArgType::Tensor},
                               {"mask", ArgType::Tensor},
                               {"Tensor[]", ArgType::Tensors},
                               {"Tensor | Scalar", ArgType::Operand},
                               {"Scalar | Tensor", ArgType::Operand},
                               {"Scalar", ArgType::Number},
                               {"number", ArgType::Number},
                               {"int", ArgType::Int},
                               {"float", ArgType::Float},
                               {"bool", ArgType::Bool},
                               {"int[]", ArgType::Ints},
                               {"float[]", ArgType::Floats},
                               {"dtype", ArgType::DType},
                               {"ScalarType", ArgType::DType},
                               {"device", ArgType::Device},
                               {"memory_format", ArgType::MemoryFormat},
                               {"layout", ArgType::Layout},
                               {"str", ArgType::Str},
                               {"Generator", ArgType::Generator},
                               {"object", ArgType::Any},
                               {"any", ArgType::Any},
                               {"Any", ArgType::Any}};

std::string_view strip(std::string_view s) {
  size_t first = s.find_first_not_of(" \n\t");
  if (first == s.npos) return {};
  return s.substr(first, s.find_last_not_of(" \n\t") - first + 1);
}

bool take_suffix(std::string_view& s, std::string_view suffix) {
  if (!s.ends_with(suffix)) return false;
  s.remove_suffix(suffix.size());
  return true;
}

PyObject* text_object(std::string_view s) {
  return checked(PyUnicode_FromStringAndSize(s.data(), static_cast<Py_ssize_t>(s.size())));
}

PyObject* parse_number(std::string_view text) {
  Own s(text_object(text));
  PyObject* made = PyLong_FromUnicodeObject(s.get(), 10);
  if (!made && PyErr_ExceptionMatches(PyExc_ValueError)) {
    PyErr_Clear();
    made = PyFloat_FromString(s.get());
  }
  if (!made && PyErr_ExceptionMatches(PyExc_ValueError)) {
    PyErr_Clear();
    return s.give();  // a bare word stands for itself
  }
  return checked(made);
}

// "int[2]? dim": the type with its marks.
void read_type(std::string_view kind, std::string_view schema, ArgSpec& a, bool& changes) {
  kind = strip(kind);
  changes = take_suffix(kind, "(a!)");
  a.optional = take_suffix(kind, "?");
  if (!changes) changes = take_suffix(kind, "(a!)");
  take_suffix(kind, "(a)");
  if (kind == "Tensor?[]") {
    kind = "Tensor[]";
    a.repeat = kMayHoldNone;
  } else if (kind == "mask") {
    a.repeat = kMask;
  } else if (kind.starts_with("int[") && kind != "int[]") {
    for (char c : kind.substr(4, kind.size() - 5)) a.repeat = a.repeat * 10 + (c - '0');
    kind = "int[]";
  }
  for (const TypeName& t : kTypes)
    if (t.text == kind) {
      a.type = t.type;
      return;
    }
  fail(ErrorKind::Type, "schema ", schema, ": there is no argument type '", kind, "'");
}

// Is it `out`, which every op treats alike? Its type says nothing then.
bool read_argument(std::string_view text, std::string_view schema, ArgSpec& a, bool& changes) {
  size_t equals = text.find('=');
  std::string_view declaration = strip(text.substr(0, equals));
  size_t space = declaration.rfind(' ');
  std::string_view name = declaration.substr(space + 1);
  if (name == "out") return true;
  read_type(declaration.substr(0, space == declaration.npos ? 0 : space), schema, a, changes);
  a.name = text_object(name);
  PyUnicode_InternInPlace(&a.name);
  a.text = PyUnicode_AsUTF8(a.name);
  a.has_default = equals != text.npos;
  a.default_value =
      a.has_default ? parse_constant(strip(text.substr(equals + 1))) : Py_NewRef(Py_None);
  a.optional |= a.has_default && a.default_value == Py_None;
  return false;
}

void read_results(std::string_view returns, Schema& s) {
  s.returns_list = returns.ends_with("[]");
  if (!returns.starts_with("(")) return;
  for (std::string_view part : split_arguments(returns.substr(1, returns.size() - 2))) {
    size_t space = part.rfind(' ');
    s.result_names.push_back(space == part.npos ? str("result", s.result_names.size())
                                                : std::string(part.substr(space + 1)));
  }
}

// f(2, 3) means f((2, 3)) where sizes or dims are the last positional argument.
void mark_varargs(std::vector<ArgSpec>& args) {
  ArgSpec* last = nullptr;
  for (ArgSpec& a : args)
    if (!a.keyword_only) last = &a;
  if (last && last->type == ArgType::Ints && last->repeat == 0) last->repeat = kVarargs;
}

}  // namespace

// At commas outside of brackets and quotes.
std::vector<std::string_view> split_arguments(std::string_view text) {
  std::vector<std::string_view> parts;
  size_t start = 0;
  int depth = 0;
  char quote = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (quote) {
      if (c == quote) quote = 0;
    } else if (c == '\'' || c == '"') {
      quote = c;
    } else if (c == '(' || c == '[') {
      ++depth;
    } else if (c == ')' || c == ']') {
      --depth;
    } else if (c == ',' && !depth) {
      parts.push_back(strip(text.substr(start, i - start)));
      start = i + 1;
    }
  }
  if (std::string_view last = strip(text.substr(start)); !last.empty()) parts.push_back(last);
  return parts;
}

PyObject* parse_constant(std::string_view text) {
  if (text == "None") return Py_NewRef(Py_None);
  if (text == "True" || text == "False") return PyBool_FromLong(text == "True");
  if (text == "contiguous_format") return Py_NewRef(format_object(MemoryFormat::Contiguous));
  if (text == "preserve_format") return Py_NewRef(format_object(MemoryFormat::Preserve));
  RL_CHECK(!text.empty(), "schema: a default is missing after '='");
  if (text[0] == '\'' || text[0] == '"') return text_object(text.substr(1, text.size() - 2));
  if (text[0] != '[' && text[0] != '(') return parse_number(text);
  auto parts = split_arguments(text.substr(1, text.size() - 2));
  Own tuple(checked(PyTuple_New(static_cast<Py_ssize_t>(parts.size()))));
  for (size_t i = 0; i < parts.size(); ++i)
    PyTuple_SET_ITEM(tuple.get(), static_cast<Py_ssize_t>(i), parse_constant(parts[i]));
  return tuple.give();
}

Schema parse_schema(std::string_view text) {
  size_t open = text.find('('), arrow = text.rfind("->");
  size_t close = arrow == text.npos ? arrow : text.rfind(')', arrow);
  RL_CHECK(open != text.npos && close != text.npos && open < close, "schema '", text,
           "': expected name(arguments) -> results");
  Schema s;
  s.name = strip(text.substr(0, open));
  bool keyword_only = false;
  for (std::string_view part : split_arguments(text.substr(open + 1, close - open - 1))) {
    if (part == "*") {
      keyword_only = true;
      continue;
    }
    ArgSpec a;
    bool changes = false;
    if (read_argument(part, text, a, changes)) {
      s.has_out = true;
      continue;
    }
    a.keyword_only = keyword_only;
    if (changes) s.mutated = static_cast<int>(s.args.size());
    s.args.push_back(a);
  }
  mark_varargs(s.args);
  read_results(strip(text.substr(arrow + 2)), s);
  return s;
}

}  // namespace rl::py
