// The only argument parser: positional and keyword arguments, aliases, varargs sizes, numbers
// for tensors. Matching decides between overloads; conversion makes kernel Values.
#include "plan/fits.h"
#include "python/interpose.h"
#include "python/op.h"

namespace rl::py {
namespace {

const char* type_text(ArgType t) {
  constexpr const char* kText[] = {"Tensor",
                                   "tuple of Tensors",
                                   "Tensor or Number",
                                   "Number",
                                   "int",
                                   "float",
                                   "bool",
                                   "tuple of ints",
                                   "tuple of floats",
                                   "torch.dtype",
                                   "torch.device",
                                   "torch.memory_format",
                                   "torch.layout",
                                   "str",
                                   "torch.Generator",
                                   "object"};
  return kText[static_cast<int>(t)];
}

bool is_integer(PyObject* o) {
  if (PyLong_Check(o)) return !PyBool_Check(o);
  if (PyFloat_Check(o) || PyBool_Check(o) || PyList_Check(o) || PyTuple_Check(o)) return false;
  if (is_tensor(o)) {
    Tensor* t = as_tensor(o);
    return t->numel == 1 && t->ndim == 0 && is_integral(t->dtype) && t->dtype != DType::Bool;
  }
  return PyIndex_Check(o);
}

// A bool counts as a size or a dimension where it is not the first of several.
bool is_among_ints(PyObject* o, Py_ssize_t place) {
  return is_integer(o) || (place > 0 && PyBool_Check(o));
}

bool is_int_sequence(PyObject* o) {
  if (!PyTuple_Check(o) && !PyList_Check(o)) return false;
  Py_ssize_t n = PySequence_Fast_GET_SIZE(o);
  PyObject** items = PySequence_Fast_ITEMS(o);
  for (Py_ssize_t i = 0; i < n; ++i)
    if (!is_among_ints(items[i], i)) return false;
  return true;
}

bool is_marked_tensor(PyObject* o, uint8_t& seen) {
  if (!is_tensor(o)) return false;
  seen |= as_tensor(o)->interposed;
  return true;
}

bool is_tensor_sequence(PyObject* o, bool none_too, uint8_t& seen) {
  if (!PyTuple_Check(o) && !PyList_Check(o)) return false;
  Py_ssize_t n = PySequence_Fast_GET_SIZE(o);
  for (Py_ssize_t i = 0; i < n; ++i) {
    PyObject* item = PySequence_Fast_ITEMS(o)[i];
    if (!is_marked_tensor(item, seen) && !(none_too && item == Py_None)) return false;
  }
  return true;
}

// The first item that keeps a list from being one of tensors; -1 for what is no list.
Py_ssize_t first_non_tensor(PyObject* o) {
  if (!PyTuple_Check(o) && !PyList_Check(o)) return -1;
  for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(o); ++i)
    if (!is_tensor(PySequence_Fast_ITEMS(o)[i])) return i;
  return -1;
}

bool is_scalar_tensor(PyObject* o) { return is_tensor(o) && as_tensor(o)->ndim == 0; }

// Also notes in `seen` whether a tensor among them is to ask before it is used.
bool matches(const ArgSpec& a, PyObject* o, uint8_t& seen) {
  if (o == Py_None) return a.optional || a.type == ArgType::Any;
  switch (a.type) {
    case ArgType::Tensor:
      return is_marked_tensor(o, seen);
    case ArgType::Tensors:
      return is_tensor_sequence(o, a.repeat == kMayHoldNone, seen);
    case ArgType::Operand:
      return is_marked_tensor(o, seen) || is_number(o);
    case ArgType::Number:
      return is_number(o) || is_scalar_tensor(o);
    case ArgType::Int:
      return is_integer(o);
    case ArgType::Float:
      return PyFloat_Check(o) || PyLong_Check(o) || is_number(o) || is_scalar_tensor(o);
    case ArgType::Bool:
      return PyBool_Check(o) || (is_number(o) && !PyLong_Check(o) && !PyFloat_Check(o));
    case ArgType::Ints:
      return is_int_sequence(o) || is_integer(o);
    case ArgType::Floats:
      return PyTuple_Check(o) || PyList_Check(o) || PyFloat_Check(o);
    case ArgType::DType:
      return names_dtype(o);
    case ArgType::Str:
      return PyUnicode_Check(o);
    case ArgType::Generator:
      return !is_tensor(o) && !is_number(o);
    default:
      return true;
  }
}

void mark_out(PyObject* out, uint8_t& seen) {
  if (!is_marked_tensor(out, seen)) is_tensor_sequence(out, false, seen);
}

template <class... Parts>
bool refuse(std::string* why, const Parts&... parts) {  // the text is only made when asked for
  if (why) *why = str(parts...);
  return false;
}

int find_keyword(const Op& op, PyObject* key) {
  for (size_t i = 0; i < op.args.size(); ++i)
    if (op.args[i].name == key) return static_cast<int>(i);
  for (size_t i = 0; i < op.args.size(); ++i)
    if (PyUnicode_Compare(op.args[i].name, key) == 0) return static_cast<int>(i);
  // NumPy's spellings, and `input` for what methods call self.
  constexpr const char* kAlias[][2] = {{"input", "self"}, {"axis", "dim"},  {"keepdims", "keepdim"},
                                       {"x", "self"},     {"x1", "self"},   {"x2", "other"},
                                       {"axes", "dims"},  {"self", "input"}};
  for (auto& [alias, name] : kAlias)
    if (PyUnicode_CompareWithASCIIString(key, alias) == 0)
      for (size_t i = 0; i < op.args.size(); ++i)
        if (std::string_view(op.args[i].text) == name) return static_cast<int>(i);
  return -1;
}

constexpr Py_ssize_t kSpare = 8;
PyObject* spare_[kSpare];  // by length; of ints

bool are_ints(PyObject* const* items, Py_ssize_t n) {
  return std::all_of(items, items + n, [](PyObject* o) { return PyLong_CheckExact(o); });
}

// A bool after dimensions that may be left out is the next argument of another overload.
bool accept_varargs(const Op& op, PyObject* const* args, Py_ssize_t n, Slots& slots) {
  const Py_ssize_t at = op.varargs;
  const bool bools = !op.args[at].optional;
  for (Py_ssize_t i = at; i < n; ++i)
    if (!is_among_ints(args[i], bools ? i - at : 0)) return false;
  slots.at[at] = slots.sizes.collect(args + at, n - at);
  return true;
}

bool take_keywords(const Op& op, PyObject* const* values, PyObject* names, Slots& slots,
                   std::string* why) {
  for (Py_ssize_t k = 0; k < PyTuple_GET_SIZE(names); ++k) {
    PyObject *key = PyTuple_GET_ITEM(names, k), *value = values[k];
    if (op.has_out && PyUnicode_CompareWithASCIIString(key, "out") == 0) {
      slots.out = value == Py_None ? nullptr : value;
      if (slots.out) mark_out(slots.out, slots.interposed);
      continue;
    }
    int i = find_keyword(op, key);
    if (i < 0)
      return refuse(why, op.public_name, "() got an unexpected keyword argument '",
                    PyUnicode_AsUTF8(key), "'");
    if (slots.at[i])
      return refuse(why, op.public_name, "() got multiple values for argument '", op.args[i].text,
                    "'");
    slots.at[i] = value;
  }
  return true;
}

// Operands may be numbers, but not all of them.
bool has_tensor(const Op& op, const Slots& slots, std::string* why) {
  if (op.tensor_args.empty()) return true;
  for (int i : op.tensor_args)
    if (slots.at[i] && is_tensor(slots.at[i])) return true;
  auto first = static_cast<size_t>(op.tensor_args[0]);
  return refuse(why, str(op.public_name, "(): argument '", op.args[first].text, "' (position ",
                         first + 1, ") must be Tensor, not ", Py_TYPE(slots.at[first])->tp_name,
                         "; one of the operands has to be a tensor"));
}

}  // namespace

PyObject* SizesTuple::collect(PyObject* const* items, Py_ssize_t n) {
  if (n < kSpare && are_ints(items, n)) tuple_ = std::exchange(spare_[n], nullptr);
  const bool again = tuple_;
  if (!again) tuple_ = checked(PyTuple_New(n));
  for (Py_ssize_t i = 0; i < n; ++i) {
    PyObject* before = again ? PyTuple_GET_ITEM(tuple_, i) : nullptr;
    PyTuple_SET_ITEM(tuple_, i, Py_NewRef(items[i]));
    Py_XDECREF(before);
  }
  return tuple_;
}

void SizesTuple::give_back() {
  const Py_ssize_t n = PyTuple_GET_SIZE(tuple_);
  const bool fits =
      PY_VERSION_HEX < 0x030E0000 && n > 0 && n < kSpare;  // later, tuples keep hashes
  if (fits && !spare_[n] && Py_REFCNT(tuple_) == 1 && are_ints(PySequence_Fast_ITEMS(tuple_), n))
    spare_[n] = tuple_;
  else
    Py_DECREF(tuple_);
}

bool parse_args(const Op& op, PyObject* const* args, Py_ssize_t n, PyObject* kwnames, Slots& slots,
                std::string* why) {
  size_t collected = kMaxArgs;  // is made of what was looked at one by one
  Py_ssize_t given = n;
  // One size is converted as well as a tuple of one; rules and bodies would not take it.
  if (Py_ssize_t i = op.varargs;
      i < n && is_integer(args[i]) && !(n == i + 1 && op.kernel && op.tensor_args.empty())) {
    if (!accept_varargs(op, args, n, slots))
      return refuse(why, op.public_name, "(): argument '", op.args[i].text, "' must be ints");
    collected = static_cast<size_t>(i);
    given = i;
  } else if (n > op.positional) {
    return refuse(why, op.public_name, "() takes ", op.positional, " positional argument",
                  op.positional == 1 ? "" : "s", " but ", n, " were given");
  }
  for (Py_ssize_t i = 0; i < given; ++i) slots.at[i] = args[i];
  size_t last = op.args.size();
  if (kwnames) {
    if (!take_keywords(op, args + n, kwnames, slots, why)) return false;
  } else {  // whatever comes after the last that has to be given is absent
    slots.end = std::min(last, static_cast<size_t>(n));
    last = std::max(slots.end, op.required);
  }
  for (size_t i = 0; i < last; ++i) {
    const ArgSpec& a = op.args[i];
    if (!slots.at[i]) {
      if (!a.has_default)
        return refuse(why, op.public_name, "() missing 1 required positional argument: \"", a.text,
                      "\"");
    } else if (i != collected && !matches(a, slots.at[i], slots.interposed)) {
      if (Py_ssize_t at = first_non_tensor(slots.at[i]); a.type == ArgType::Tensors && at >= 0)
        return refuse(why, op.public_name, "(): expected Tensor as element ", int64_t{at},
                      " in argument '", a.text, "' (position ", i + 1, "), but got ",
                      Py_TYPE(PySequence_Fast_ITEMS(slots.at[i])[at])->tp_name);
      return refuse(why, op.public_name, "(): argument '", a.text, "' (position ", i + 1,
                    ") must be ", type_text(a.type), ", not ", Py_TYPE(slots.at[i])->tp_name);
    }
  }
  if (op.layout_arg >= 0)
    if (PyObject* layout = slots.at[op.layout_arg]; layout && layout != Py_None)
      if (!is_strided(layout, op.public_name.c_str())) slots.interposed |= kKind;
  return !op.wants_tensor || has_tensor(op, slots, why);
}

namespace {

// The items of a sequence, or the one that stands for it, converted into the arena.
template <class T, class F>
std::span<T> listed(PyObject* o, Arena& arena, F&& convert) {
  bool several = PyTuple_Check(o) || PyList_Check(o);
  PyObject** items = several ? PySequence_Fast_ITEMS(o) : &o;
  size_t n = several ? static_cast<size_t>(PySequence_Fast_GET_SIZE(o)) : 1;
  auto* to = arena.take<std::remove_const_t<T>>(n);
  for (size_t i = 0; i < n; ++i) to[i] = convert(items[i]);
  return {to, n};
}

Sizes listed_ints(PyObject* o, const char* name, const ArgSpec& a, Arena& arena) {
  auto index = [&](PyObject* item) {
    int64_t n;
    return is_small_int(item, n) ? n : to_index(item, name, a.text);
  };
  if (a.repeat <= 1) return listed<const int64_t>(o, arena, index);
  Sizes given = listed<const int64_t>(o, arena, index);
  if (given.size() != 1) return given;
  auto n = static_cast<size_t>(a.repeat);  // one number stands for all
  auto* all = arena.take<int64_t>(n);
  std::fill_n(all, n, given[0]);
  return {all, n};
}

void convert_one(const Op& op, const ArgSpec& a, PyObject* o, Value& v, Arena& arena) {
  if (!o || o == Py_None) return;
  v.none = false;
  const char* name = op.public_name.c_str();
  switch (a.type) {
    case ArgType::Tensor:
      v.set(as_tensor(o));
      break;
    case ArgType::Operand:
      if (is_tensor(o)) {
        v.set(as_tensor(o));
        break;
      }
      v.is_number = true;
      [[fallthrough]];
    case ArgType::Number:
    case ArgType::Int:
      if (int64_t n; is_small_int(o, n)) {
        v.number = Scalar::of(n);
        break;
      }
      [[fallthrough]];
    case ArgType::Float:
    case ArgType::Bool:
      v.number = to_scalar(o, name, a.text);
      if (a.type == ArgType::Int && is_beyond_int64(v.number))
        fail(ErrorKind::Value, "Overflow when unpacking long long: ", name, "(), argument '",
             a.text, "'");
      break;
    case ArgType::Ints:
      v.point_to(listed_ints(o, name, a, arena));
      break;
    case ArgType::Floats:
      v.point_to(listed<const double>(
          o, arena, [&](PyObject* item) { return to_scalar(item, name, a.text).re; }));
      break;
    case ArgType::Tensors:
      v.point_to(listed<Tensor* const>(
          o, arena, [](PyObject* item) { return item == Py_None ? nullptr : as_tensor(item); }));
      break;
    case ArgType::DType:
      v.dtype = as_dtype(o);
      break;
    case ArgType::Device:
      v.device = to_device(o, name);
      break;
    case ArgType::MemoryFormat:
      v.format = to_memory_format(o, name);
      break;
    case ArgType::Str:
      if (Py_ssize_t n; const char* text = PyUnicode_AsUTF8AndSize(o, &n))
        v.point_to(std::span(text, static_cast<size_t>(n)));
      else
        throw PythonError{};
      break;
    case ArgType::Generator: {
      Own held(checked(PyObject_GetAttrString(o, "_cdata")));
      v.generator = static_cast<Generator*>(PyLong_AsVoidPtr(held.get()));
      break;
    }
    case ArgType::Layout:
    case ArgType::Any:
      break;
  }
}

}  // namespace

// Kept with the op, as long as the process.
const Value* const* make_defaults(const Op& op) {
  size_t n = op.args.size();
  auto* values = new Value[n];
  auto* pointers = new const Value*[n];
  auto* arena = new Arena;
  for (size_t i = 0; i < n; ++i) {
    convert_one(op, op.args[i], op.args[i].default_value, values[i], *arena);
    pointers[i] = values + i;
  }
  return op.defaults = pointers;
}

void convert_args(const Op& op, const Slots& slots, Call& call, Arena& arena) {
  call.op = op.public_name.c_str() + op.said_from;
  const size_t n = op.args.size(), end = std::min(n, slots.end);
  call.take_defaults({defaults_of(op), n});
  for (size_t i = 0; i < end; ++i)
    if (PyObject* o = slots.at[i]) {
      Value& v = call.give(static_cast<int>(i));
      if (op.args[i].type == ArgType::Tensor && o != Py_None)
        v.set(as_tensor(o));
      else
        convert_one(op, op.args[i], o, v, arena);
    }
}

}  // namespace rl::py
