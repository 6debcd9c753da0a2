// The callables that users see (functions, methods, in-place methods), which choose among an op's
// overloads, and the table of ops that the records fill. How a call is computed is in op.cpp.
#include <cstring>

#include "python/interpose.h"
#include "python/levels.h"
#include "python/op.h"

namespace rl::py {

namespace {

struct OpObject {
  PyObject_HEAD vectorcallfunc vectorcall;
  std::vector<Op*>* overloads;  // one list for all that stand for the same public name
  PyObject *dict, *name, *record;
  const char* text;  // the name's
  OpObject* main;    // what handlers of calls see: the first that was made for the name
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
  auto* main = reinterpret_cast<PyObject*>(o->main);
  return guarded([&]() __attribute__((always_inline)) -> PyObject* {
    Py_ssize_t n = PyVectorcall_NARGS(nargsf);
    for (Op* op : *o->overloads) {
      if (!kwnames && static_cast<size_t>(n) < op->required) continue;
      Slots slots;
      if (!parse_args(*op, args, n, kwnames, slots, nullptr)) continue;
      if (uint8_t marks = slots.interposed | interposers_) [[unlikely]] {
        slots.interposed |= interposers_ & kModes;
        if (marks & kDraws)
          if (PyObject* drawn = drawn_by_level(*op, slots, o->form)) return drawn;
        PyObject* result =
            asks_first(marks) ? redirect(main, args, n, kwnames) : Py_NewRef(Py_NotImplemented);
        if (result != Py_NotImplemented) return result;
        Py_DECREF(result);
      }
      return invoke(*op, slots, o->form);
    }
    if (any_torch_function(args, n + (kwnames ? PyTuple_GET_SIZE(kwnames) : 0))) {
      PyObject* result = redirect(main, args, n, kwnames);
      if (result != Py_NotImplemented) return result;
      Py_DECREF(result);
    }
    refuse_call(*o, args, n, kwnames);
  });
}

// Of an op that mostly returns its only argument, as contiguous() does.
PyObject* alone_vectorcall(PyObject* self, PyObject* const* args, size_t nargsf, PyObject* names) {
  if (!names && PyVectorcall_NARGS(nargsf) == 1 && is_tensor(args[0])) {
    const Op& op = *(*reinterpret_cast<OpObject*>(self)->overloads)[0];
    const Tensor& t = *as_tensor(args[0]);
    if (!(t.interposed | interposers_) && op.shortcut->alone(t)) return Py_NewRef(args[0]);
  }
  return op_vectorcall(self, args, nargsf, names);
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

// ---- what Python reads: made from the records when asked for, as hardly any program does

PyObject* get_name(PyObject* self, void*) {
  return Py_NewRef(reinterpret_cast<OpObject*>(self)->name);
}
PyObject* get_record(PyObject* self, void* attribute) {
  PyObject* record = reinterpret_cast<OpObject*>(self)->record;
  return attribute ? PyObject_GetAttrString(record, static_cast<const char*>(attribute))
                   : Py_NewRef(record);
}

// A text whose lines after the first lose what indentation they share, and its end blanks.
// (Not inspect.cleandoc: properties ask for texts at import, which loads no such module.)
std::string without_indentation(std::string_view text) {
  size_t shared = std::string::npos;
  auto each_line = [&](auto f) {
    for (size_t at = text.find('\n'); at != std::string::npos; at = text.find('\n', at)) {
      size_t begin = ++at, end = std::min(text.find('\n', at), text.size());
      f(text.substr(begin, end - begin));
    }
  };
  each_line([&](std::string_view line) {
    size_t indentation = line.find_first_not_of(' ');
    if (indentation != std::string::npos) shared = std::min(shared, indentation);
  });
  std::string out(text.substr(0, text.find('\n')));
  each_line([&](std::string_view line) {
    out += '\n';
    out += line.size() > shared ? line.substr(shared) : std::string_view();
  });
  out.erase(out.find_last_not_of(" \n") + 1);
  return out;
}

// Each overload's schema and, where it has one, its text.
PyObject* get_doc(PyObject* self, void*) {
  return guarded([&] {
    auto& overloads = *reinterpret_cast<OpObject*>(self)->overloads;
    Own parts(checked(PyList_New(0)));
    for (Op* op : overloads) {
      Own schema(checked(PyObject_GetAttrString(op->record, "schema")));
      checked(PyList_Append(parts.get(), schema.get()));
      Own doc(checked(PyObject_GetAttrString(op->record, "doc")));
      if (doc.get() == Py_None) continue;
      const char* raw = PyUnicode_AsUTF8(doc.get());
      if (!raw) throw PythonError{};
      Own text(checked(PyUnicode_FromString(without_indentation(raw).c_str())));
      checked(PyList_Append(parts.get(), text.get()));
    }
    Own separator(checked(PyUnicode_FromString("\n\n")));
    return checked(PyUnicode_Join(separator.get(), parts.get()));
  });
}

// The class has a __module__ of its own, so this cannot be one of `getset`.
PyObject* op_getattr(PyObject* self, PyObject* name) {
  if (PyUnicode_CompareWithASCIIString(name, "__module__") == 0)
    return PyUnicode_FromString("torch");
  return PyObject_GenericGetAttr(self, name);
}

PyObject* reduce(PyObject* self, PyObject*) {
  return guarded([&] {
    auto* main = reinterpret_cast<PyObject*>(reinterpret_cast<OpObject*>(self)->main);
    Own ops(checked(PyImport_ImportModule("rushlight.ops")));
    return checked(PyObject_CallMethod(ops.get(), "_reduced", "O", main));
  });
}

void* attribute(const char* name) { return const_cast<char*>(name); }
PyGetSetDef getset[] = {{"__name__", get_name, nullptr, nullptr, nullptr},
                        {"__qualname__", get_name, nullptr, nullptr, nullptr},
                        {"__doc__", get_doc, nullptr, nullptr, nullptr},
                        {"record", get_record, nullptr, nullptr, nullptr},
                        {"vjp", get_record, nullptr, nullptr, attribute("vjp")},
                        {"vjp_all", get_record, nullptr, nullptr, attribute("vjp_all")},
                        {"samples", get_record, nullptr, nullptr, attribute("samples")},
                        {nullptr, nullptr, nullptr, nullptr, nullptr}};
PyMethodDef methods[] = {{"__reduce__", reduce, METH_NOARGS, nullptr},
                         {nullptr, nullptr, 0, nullptr}};

PyTypeObject* make_type(const char* name, bool method) {
  PyType_Slot slots[] = {{Py_tp_call, reinterpret_cast<void*>(PyVectorcall_Call)},
                         {Py_tp_members, members},
                         {Py_tp_getset, getset},
                         {Py_tp_methods, methods},
                         {Py_tp_repr, reinterpret_cast<void*>(op_repr)},
                         {Py_tp_getattro, reinterpret_cast<void*>(op_getattr)},
                         {Py_tp_setattro, reinterpret_cast<void*>(PyObject_GenericSetAttr)},
                         {method ? Py_tp_descr_get : 0, reinterpret_cast<void*>(bind_method)},
                         {0, nullptr}};
  // Only of immutable types does the interpreter remember where it found a method.
  unsigned flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_VECTORCALL | Py_TPFLAGS_IMMUTABLETYPE |
                   Py_TPFLAGS_DISALLOW_INSTANTIATION | (method ? Py_TPFLAGS_METHOD_DESCRIPTOR : 0);
  PyType_Spec spec{name, sizeof(OpObject), 0, flags, slots};
  return reinterpret_cast<PyTypeObject*>(checked(PyType_FromSpec(&spec)));
}

// They live as long as the process, as the ops do.
OpObject* new_callable(PyObject* name, PyObject* record, Form form) {
  auto* o = PyObject_New(OpObject, form == Form::Function ? FunctionType : MethodType);
  if (!o) throw PythonError{};
  o->vectorcall = op_vectorcall;
  o->dict = nullptr;
  o->name = Py_NewRef(name);
  o->text = PyUnicode_AsUTF8(name);
  if (!o->text) throw PythonError{};
  o->record = Py_NewRef(record);
  o->form = form;
  o->main = o;
  o->overloads = nullptr;
  return o;
}

// make_callable(record, form: 0 function, 1 method, 2 in-place method; its name)
PyObject* make_callable(PyObject*, PyObject* args) {
  return guarded([&]() -> PyObject* {
    PyObject *record, *name;
    int form;
    if (!PyArg_ParseTuple(args, "OiU", &record, &form, &name)) throw PythonError{};
    Op& op = operator_op(record);
    OpObject* o = new_callable(name, record, static_cast<Form>(form));
    o->overloads = new std::vector<Op*>{&op};
    if (op.shortcut && op.shortcut->alone) o->vectorcall = alone_vectorcall;
    return reinterpret_cast<PyObject*>(o);
  });
}

// add_overload(callable, record): the same callable as seen from the new record.
PyObject* add_overload(PyObject*, PyObject* args) {
  return guarded([&]() -> PyObject* {
    PyObject *callable, *record;
    if (!PyArg_ParseTuple(args, "OO", &callable, &record)) throw PythonError{};
    auto* first = reinterpret_cast<OpObject*>(callable);
    if (Py_TYPE(callable) != FunctionType && Py_TYPE(callable) != MethodType)
      fail(ErrorKind::Type, "add_overload: expected an op, got ", Py_TYPE(callable)->tp_name);
    first->overloads->push_back(&operator_op(record));
    OpObject* o = new_callable(first->name, record, first->form);
    o->overloads = first->overloads;
    o->main = first->main;
    return reinterpret_cast<PyObject*>(o);
  });
}

PyObject* set_operator(PyObject*, PyObject* args) {
  return guarded([&]() -> PyObject* {
    int slot;
    PyObject* record;
    if (!PyArg_ParseTuple(args, "iO", &slot, &record)) throw PythonError{};
    operator_ops[slot] = &operator_op(record);
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

PyMethodDef functions[] = {{"make_callable", make_callable, METH_VARARGS, nullptr},
                           {"add_overload", add_overload, METH_VARARGS, nullptr},
                           {"set_operator", set_operator, METH_VARARGS, nullptr},
                           {"native_names", native_names, METH_NOARGS, nullptr},
                           {nullptr, nullptr, 0, nullptr}};

PyObject* table_;  // public name -> callable, shared with Python

}  // namespace

// The callable of that name in the table. Names are mostly literals, so their addresses tell where
// the last answers are kept.
static OpObject* named(const char* name) {
  static OpObject* kept[64];
  OpObject*& f = kept[reinterpret_cast<uintptr_t>(name) / 8 % 64];
  if (f && std::strcmp(f->text, name) == 0) return f;
  f = reinterpret_cast<OpObject*>(PyDict_GetItemString(table_, name));
  if (!f) fail("internal: op '", name, "' is not in the table");
  return f;
}

Op& named_op(const char* public_name) { return *(*named(public_name)->overloads)[0]; }

PyObject* call_op(const char* name, PyObject* const* args, size_t n) {
  return checked(PyObject_Vectorcall(reinterpret_cast<PyObject*>(named(name)), args, n, nullptr));
}

void add_ops(PyObject* module) {
  add_operator_type(module);
  FunctionType = make_type("rushlight.builtin_op", false);
  MethodType = make_type("rushlight.op_method", true);
  table_ = checked(PyDict_New());
  checked(PyModule_AddObjectRef(module, "table", table_));
  checked(PyModule_AddFunctions(module, functions));
}

}  // namespace rl::py
