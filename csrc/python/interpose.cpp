// The slow path of the hook: collects who is concerned and asks rushlight/overrides.py. Also the
// tensors of other kinds themselves (make_kind): geometry without memory, and a payload.
#include "python/interpose.h"

#include <cstring>

#include "python/data_access.h"
#include "python/dispatch.h"
#include "python/levels.h"
#include "python/state.h"

namespace rl::py {

uint8_t interposers_ = 0;

namespace {

int pushed_ = 0;                    // interposers of all threads
PyObject* policy_ = nullptr;        // policy(function, args, kwargs, marked)
PyObject* kinds_policy_ = nullptr;  // the same where nobody but kinds of tensor is to be asked
PyObject* describe_ = nullptr;      // describe(kind) -> its name
PyObject* disabled_ = nullptr;      // the __torch_function__ that means "not mine"
PyObject *torch_function_, *strided_, *wanted_;

enum Level : uint8_t { kAll, kNoSubclasses, kNone };  // of ThreadState::torch_function_off

PyObject*& stack() {  // this thread's interposers, innermost last
  PyObject*& list = thread_state().interposers;
  if (!list) list = checked(PyList_New(0));
  return list;
}

bool is_sparse_layout(PyObject* o) { return Py_TYPE(o) == Py_TYPE(strided_) && o != strided_; }

// Appends what may take over: marked tensors, layouts, and foreign objects with the protocol.
// Mostly there is nothing, and no list is made.
void collect(PyObject* o, Own& found, uint8_t& marks, int depth = 0) {
  if (is_tensor(o)) {
    if (!as_tensor(o)->interposed) return;
    marks |= as_tensor(o)->interposed;
  } else if (PyTuple_Check(o) || PyList_Check(o)) {
    for (Py_ssize_t i = 0; depth < 3 && i < PySequence_Fast_GET_SIZE(o); ++i)
      collect(PySequence_Fast_ITEMS(o)[i], found, marks, depth + 1);
    return;
  } else if (is_sparse_layout(o)) {
    marks |= kKind;
  } else if (has_torch_function(o)) {
    marks |= kSubclass;
  } else {
    return;
  }
  if (!found) found = Own(checked(PyList_New(0)));
  checked(PyList_Append(found.get(), o));
}

// Does any interposer of this thread take an interest? One that has a set `wanted` is asked for
// the functions in it, others for all.
bool wanted_by_any(PyObject* function) {
  PyObject* list = stack();
  for (Py_ssize_t i = 0; i < PyList_GET_SIZE(list); ++i) {
    Own wanted(PyObject_GetAttr(PyList_GET_ITEM(list, i), wanted_));
    if (!wanted) {
      PyErr_Clear();
      return true;
    }
    int found = PySet_Contains(wanted.get(), function);
    if (found < 0) throw PythonError{};
    if (found) return true;
  }
  return false;
}

PyObject* ask(PyObject* policy, PyObject* function, PyObject* args, PyObject* kwargs,
              PyObject* found) {
  PyObject* argv[] = {function, args, kwargs, found};
  return checked(PyObject_Vectorcall(policy, argv, 4, nullptr));
}

// Whom to ask where some arguments are marked: mostly only the handlers of kinds are concerned.
PyObject* policy_of(uint8_t marked, bool stacked) {
  return stacked || (marked & kSubclass) ? policy_ : kinds_policy_;
}

}  // namespace

NoTorchFunction::NoTorchFunction() : before_(thread_state().torch_function_off) {
  thread_state().torch_function_off = kNone;
}
NoTorchFunction::~NoTorchFunction() { thread_state().torch_function_off = before_; }

bool has_torch_function(PyObject* o) {
  PyTypeObject* type = Py_TYPE(o);
  if (type == TensorType || o == Py_None || PyLong_CheckExact(o) || PyFloat_CheckExact(o) ||
      PyUnicode_CheckExact(o) || PyType_Check(o))
    return false;
  return (subclass_mark(type) & kSubclass) != 0;
}

bool any_torch_function(PyObject* const* args, Py_ssize_t n) {
  for (Py_ssize_t i = 0; i < n; ++i) {
    PyObject* o = args[i];
    if (has_torch_function(o)) return true;
    if ((PyTuple_Check(o) || PyList_Check(o)) &&
        any_torch_function(PySequence_Fast_ITEMS(o), PySequence_Fast_GET_SIZE(o)))
      return true;
  }
  return false;
}

uint8_t subclass_mark(PyTypeObject* type) {
  if (type == TensorType) return 0;
  PyObject* found = _PyType_Lookup(type, torch_function_);
  const uint8_t functions = found && found != disabled_ ? kSubclass : 0;
  return functions | dispatch_mark(type);
}

PyObject* redirect(PyObject* function, PyObject* const* args, Py_ssize_t n, PyObject* kwnames) {
  ThreadState& state = thread_state();
  Own found;
  uint8_t marked = 0;
  Py_ssize_t keywords = kwnames ? PyTuple_GET_SIZE(kwnames) : 0;
  for (Py_ssize_t i = 0; i < n + keywords; ++i) collect(args[i], found, marked);
  const bool kinds = (marked & (kKind | kLevel)) != 0;
  bool stacked = (interposers_ & kSubclass) && PyList_GET_SIZE(stack()) > 0;
  bool subclasses = found && state.torch_function_off == kAll;
  if (!kinds && !subclasses && !(stacked && wanted_by_any(function))) Py_RETURN_NOTIMPLEMENTED;
  if (marked == kLevel && !stacked)
    if (PyObject* result = ask_members(function, args, n, kwnames)) return result;
  Own tuple(checked(PyTuple_New(n))), kwargs(checked(PyDict_New()));
  if (!found) found = Own(checked(PyList_New(0)));
  for (Py_ssize_t i = 0; i < n; ++i) PyTuple_SET_ITEM(tuple.get(), i, Py_NewRef(args[i]));
  for (Py_ssize_t i = 0; i < keywords; ++i)
    checked(PyDict_SetItem(kwargs.get(), PyTuple_GET_ITEM(kwnames, i), args[n + i]));
  return ask(policy_of(marked, stacked), function, tuple.get(), kwargs.get(), found.get());
}

PyObject* redirect_function(const char* name, PyObject* const* args, Py_ssize_t n,
                            PyObject* kwnames) {
  if (!(interposers_ & kSubclass)) [[likely]]
    return nullptr;
  Own module(checked(PyImport_ImportModule("rushlight._native")));
  Own function(checked(PyObject_GetAttrString(module.get(), name)));
  PyObject* result = redirect(function.get(), args, n, kwnames);
  if (result != Py_NotImplemented) return result;
  Py_DECREF(result);
  return nullptr;
}

PyObject* redirect_member(const char* name, const char* part, PyObject* const* args, Py_ssize_t n) {
  auto* type = reinterpret_cast<PyObject*>(TensorType);
  Own member(checked(PyObject_GetAttrString(type, name)));
  if (part) member = Own(checked(PyObject_GetAttrString(member.get(), part)));
  return redirect(member.get(), args, n, nullptr);
}

void refuse_kind(const char* op, const Tensor& t) {
  Own kind(checked(PyObject_CallFunction(describe_, "i", static_cast<int>(t.kind))));
  while (*op == '_') ++op;  // internal ops are called as what they are a part of
  fail(ErrorKind::NotImplemented, op, "(): not implemented for ", PyUnicode_AsUTF8(kind.get()),
       " tensors; convert them to strided ones first, with to_dense()");
}

void drop_kind(Tensor& t) noexcept {
  t.kind = 0;
  t.interposed &= static_cast<uint8_t>(~(kKind | kLevel));
  if (Object* p = std::exchange(t.payload, nullptr)) release(p);
}

// ---- methods and attributes

namespace {

PyObject* unless_refused(PyObject* result, const char* name, Needs needs, PyObject* self) {
  const Tensor& t = *as_tensor(self);
  const bool lacks =
      needs == Needs::Memory || (needs == Needs::Strides && !(t.interposed & kDispatch));
  if (result == Py_NotImplemented && lacks && t.kind) {
    Py_DECREF(result);
    refuse_kind(name, t);
  }
  return result;
}

// Kinds need not answer for what the geometry alone decides.
bool concerned(Needs needs, PyObject* self) {
  uint8_t asked = needs == Needs::Graph ? kSubclass | kLevel | kDispatch : kSubclass;
  // A transform that draws asks for nothing else, and dispatch modes for what the graph is told.
  const int listening = interposers_ & ~(needs == Needs::Graph ? kDraws : kDraws | kModes);
  return needs == Needs::Memory || needs == Needs::Strides || listening ||
         (as_tensor(self)->interposed & asked);
}

const char* method_name(void* method) {
  for (PyMethodDef* list : tensor_method_tables())
    for (PyMethodDef* m = list; m->ml_name; ++m)
      if (reinterpret_cast<void*>(m->ml_meth) == method) return m->ml_name;
  fail("internal: a hooked method that is in no table");
}

}  // namespace

PyObject* redirect_method(void* method, Needs needs, PyObject* self, PyObject* const* args,
                          Py_ssize_t n, PyObject* kwnames) {
  return guarded([&]() -> PyObject* {
    if (!concerned(needs, self)) Py_RETURN_NOTIMPLEMENTED;
    const char* name = method_name(method);
    Own f(checked(PyObject_GetAttrString(reinterpret_cast<PyObject*>(TensorType), name)));
    std::vector<PyObject*> all{self};
    all.insert(all.end(), args, args + n + (kwnames ? PyTuple_GET_SIZE(kwnames) : 0));
    PyObject* result = redirect(f.get(), all.data(), n + 1, kwnames);
    if (result == Py_NotImplemented && needs > Needs::Geometry &&
        dispatch_active(all.data(), n + 1)) {
      Py_DECREF(result);
      result = dispatch_member(name, all.data(), n + 1, kwnames);
    }
    return unless_refused(result, name, needs, self);
  });
}
PyObject* redirect_method(void* method, Needs needs, PyObject* self, PyObject* one) {
  return redirect_method(method, needs, self, &one, one ? 1 : 0, nullptr);
}
PyObject* redirect_method(void* method, Needs needs, PyObject* self, PyObject* args,
                          PyObject* kwargs) {
  return guarded([&]() -> PyObject* {
    std::vector<PyObject*> all(PySequence_Fast_ITEMS(args),
                               PySequence_Fast_ITEMS(args) + PyTuple_GET_SIZE(args));
    Own names(kwargs ? checked(PyDict_Keys(kwargs)) : nullptr);
    if (names) names = Own(checked(PyList_AsTuple(names.get())));
    for (Py_ssize_t i = 0; names && i < PyTuple_GET_SIZE(names.get()); ++i)
      all.push_back(PyDict_GetItem(kwargs, PyTuple_GET_ITEM(names.get(), i)));
    return redirect_method(method, needs, self, all.data(), PyTuple_GET_SIZE(args), names.get());
  });
}

namespace {

PyObject* hooked_get(PyObject* self, void* closure) {
  auto& a = *static_cast<PyGetSetDef*>(closure);
  if (as_tensor(self)->interposed | interposers_) [[unlikely]] {
    PyObject* result = guarded([&]() -> PyObject* {
      Needs needs = std::strcmp(a.name, "data") == 0 ? Needs::Graph : Needs::Geometry;
      if (!concerned(needs, self)) Py_RETURN_NOTIMPLEMENTED;
      PyObject* taken = redirect_member(a.name, "__get__", &self, 1);
      if (taken != Py_NotImplemented || needs != Needs::Graph || !dispatch_active(&self, 1))
        return taken;
      Py_DECREF(taken);
      return dispatch_member(a.name, &self, 1, nullptr);
    });
    if (result != Py_NotImplemented) return result;
    Py_DECREF(result);
  }
  return a.get(self, a.closure);
}

int hooked_set(PyObject* self, PyObject* value, void* closure) {
  auto& a = *static_cast<PyGetSetDef*>(closure);
  if (((as_tensor(self)->interposed & kSubclass) | interposers_) && value) [[unlikely]] {
    PyObject* args[] = {self, value};
    PyObject* result = guarded([&] { return redirect_member(a.name, "__set__", args, 2); });
    if (!result) return -1;
    Py_DECREF(result);
    if (result != Py_NotImplemented) return 0;
  }
  return a.set(self, value, a.closure);
}

}  // namespace

void hook_attributes(PyGetSetDef* table, PyGetSetDef* originals) {
  for (; table->name; ++table, ++originals) {
    *originals = *table;
    table->get = hooked_get;
    if (table->set) table->set = hooked_set;
    table->closure = originals;
  }
}

// ---- what Python sees

namespace {

PyObject* made_kind(int kind, const SizeVec& size, DType dtype, Device device, PyObject* payload) {
  // A level's wrapper can be viewed as if it had its elements, so its storage claims their bytes.
  int64_t bytes = kind < kFirstLevel ? 0 : checked_numel(size) * item_size(dtype);
  Storage* none = new_storage(static_cast<size_t>(bytes), true);
  Ref<Tensor> t = alias(none, size, contiguous_strides(size), 0, dtype, device);
  release(none);
  t->kind = static_cast<uint8_t>(kind);
  t->interposed |= level_of(*t) ? kLevel : kKind;
  t->payload = reinterpret_cast<Object*>(Py_NewRef(payload));
  return wrap(std::move(t));
}
// make_kind(kind, sizes, dtype, device, payload): a tensor of that geometry and without memory.
PyObject* make_kind(PyObject*, PyObject* args) {
  return guarded([&]() -> PyObject* {
    int kind;
    PyObject *sizes, *dtype, *device, *payload;
    if (!PyArg_ParseTuple(args, "iOOOO", &kind, &sizes, &dtype, &device, &payload))
      throw PythonError{};
    if (kind < 1 || kind > 255) fail("make_kind: kinds are 1 to 255, got ", kind);
    return made_kind(kind, to_sizes(sizes, "make_kind", "sizes"), as_dtype(dtype),
                     to_device(device, "make_kind"), payload);
  });
}
// make_wrapper(kind, like, first, payload): the same, of the geometry that `like` has from its
// dimension `first` on.
PyObject* make_wrapper(PyObject*, PyObject* args) {
  return guarded([&]() -> PyObject* {
    int kind, first;
    PyObject *like, *payload;
    if (!PyArg_ParseTuple(args, "iOiO", &kind, &like, &first, &payload)) throw PythonError{};
    if (!is_tensor(like) || kind < kFirstLevel || first < 0 || first > as_tensor(like)->ndim)
      fail(ErrorKind::Type, "make_wrapper: expected a level's kind, a tensor and its dimension");
    const Tensor& t = *as_tensor(like);
    Sizes sizes = t.sizes().subspan(static_cast<size_t>(first));
    return made_kind(kind, SizeVec(sizes.begin(), sizes.end()), t.dtype, t.device, payload);
  });
}
Tensor& need_kind(PyObject* o) {
  if (!is_tensor(o) || !as_tensor(o)->kind)
    fail(ErrorKind::Type, "expected a tensor of another kind, got ", Py_TYPE(o)->tp_name);
  return *as_tensor(o);
}
PyObject* payload(PyObject*, PyObject* o) {
  return guarded([&] { return Py_NewRef(reinterpret_cast<PyObject*>(need_kind(o).payload)); });
}
// replace_payload(tensor, sizes, payload): an in-place change.
PyObject* replace_payload(PyObject*, PyObject* args) {
  return guarded([&]() -> PyObject* {
    PyObject *o, *sizes, *payload;
    if (!PyArg_ParseTuple(args, "OOO", &o, &sizes, &payload)) throw PythonError{};
    Tensor& t = need_kind(o);
    set_contiguous(t, to_sizes(sizes, "replace_payload", "sizes"));
    release(std::exchange(t.payload, reinterpret_cast<Object*>(Py_NewRef(payload))));
    ++t.version();
    Py_RETURN_NONE;
  });
}
PyObject* kind_of(PyObject*, PyObject* o) {
  return PyLong_FromLong(is_tensor(o) ? as_tensor(o)->kind : 0);
}

PyObject* set_policy(PyObject*, PyObject* args) {
  if (!PyArg_ParseTuple(args, "OOO", &policy_, &kinds_policy_, &describe_)) return nullptr;
  Py_INCREF(policy_);
  Py_INCREF(kinds_policy_);
  Py_INCREF(describe_);
  Py_RETURN_NONE;
}
PyObject* interposer_stack(PyObject*, PyObject*) {
  return guarded([&] { return Py_NewRef(stack()); });
}
PyObject* push_interposer(PyObject*, PyObject* f) {
  return guarded([&]() -> PyObject* {
    checked(PyList_Append(stack(), f));
    ++pushed_;
    interposers_ |= kSubclass;
    Py_RETURN_NONE;
  });
}
PyObject* pop_interposer(PyObject*, PyObject*) {
  return guarded([&]() -> PyObject* {
    Py_ssize_t n = PyList_GET_SIZE(stack());
    if (!n) fail("no interposer is active in this thread");
    Own top = Own::share(PyList_GET_ITEM(stack(), n - 1));
    checked(PyList_SetSlice(stack(), n - 1, n, nullptr));
    if (--pushed_ == 0) interposers_ &= static_cast<uint8_t>(~kSubclass);
    return top.give();
  });
}
PyObject* torch_function_off(PyObject*, PyObject*) {
  return PyLong_FromLong(thread_state().torch_function_off);
}
PyObject* set_torch_function_off(PyObject*, PyObject* level) {
  return guarded([&]() -> PyObject* {
    uint8_t before = thread_state().torch_function_off;
    thread_state().torch_function_off =
        static_cast<uint8_t>(to_index(level, "set_torch_function_off", "level"));
    return PyLong_FromLong(before);
  });
}
PyObject* py_has_torch_function(PyObject*, PyObject* o) {
  return PyBool_FromLong(has_torch_function(o));
}

// interposed(function, args, kwargs, sparse=False): what a Python function that is no op asks
// before it runs; `sparse`: it takes sparse tensors itself.
PyObject* interposed(PyObject*, PyObject* const* args, Py_ssize_t n) {
  return guarded([&]() -> PyObject* {
    if (n != 3 && n != 4)
      fail(ErrorKind::Type, "interposed() takes 3 or 4 arguments, got ", static_cast<int64_t>(n));
    Own found;
    uint8_t marked = 0;
    collect(args[1], found, marked);
    PyObject *name, *value;
    for (Py_ssize_t i = 0; PyDict_Next(args[2], &i, &name, &value);) collect(value, found, marked);
    const bool stacked = (interposers_ & kSubclass) && PyList_GET_SIZE(stack()) > 0;
    const bool own = marked == kKind && n == 4 && args[3] == Py_True;
    if ((!found || own) && !stacked) Py_RETURN_NOTIMPLEMENTED;
    if (!found) found = Own(checked(PyList_New(0)));
    return ask(policy_of(marked, stacked), args[0], args[1], args[2], found.get());
  });
}

// The __torch_function__ of classes that take no part: runs the call with the protocol off.
PyObject* disabled_torch_function(PyObject*, PyObject* args) {
  return guarded([&]() -> PyObject* {
    NoTorchFunction off;
    return call_of_protocol(args);
  });
}

PyMethodDef functions[] = {
    {"make_kind", make_kind, METH_VARARGS, nullptr},
    {"make_wrapper", make_wrapper, METH_VARARGS, nullptr},
    {"payload", payload, METH_O, nullptr},
    {"replace_payload", replace_payload, METH_VARARGS, nullptr},
    {"kind_of", kind_of, METH_O, nullptr},
    {"set_policy", set_policy, METH_VARARGS, nullptr},
    {"interposer_stack", interposer_stack, METH_NOARGS, nullptr},
    {"push_interposer", push_interposer, METH_O, nullptr},
    {"pop_interposer", pop_interposer, METH_NOARGS, nullptr},
    {"torch_function_off", torch_function_off, METH_NOARGS, nullptr},
    {"set_torch_function_off", set_torch_function_off, METH_O, nullptr},
    {"has_torch_function", py_has_torch_function, METH_O, nullptr},
    {"interposed", reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(interposed)),
     METH_FASTCALL, nullptr},
    {"_disabled_torch_function_impl", disabled_torch_function, METH_VARARGS, nullptr},
    {nullptr, nullptr, 0, nullptr}};

}  // namespace

void add_interposition(PyObject* module) {
  torch_function_ = checked(PyUnicode_InternFromString("__torch_function__"));
  checked(PyModule_AddFunctions(module, functions));
  disabled_ = checked(PyObject_GetAttrString(module, "_disabled_torch_function_impl"));
  wanted_ = checked(PyUnicode_InternFromString("wanted"));
  strided_ = checked(PyObject_GetAttrString(module, "strided"));
}

}  // namespace rl::py

namespace rl {
void share_kind(Tensor& to, const Tensor& from) {
  py::drop_kind(to);
  to.kind = from.kind;
  to.interposed |= from.interposed & (py::kKind | py::kLevel);
  if ((to.payload = from.payload)) retain(to.payload);
}
}  // namespace rl
