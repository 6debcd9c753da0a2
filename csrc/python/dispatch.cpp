#include "python/dispatch.h"

namespace rl::py {

namespace {

PyObject* policy_ = nullptr;  // policy(whole?, record, arguments, form, out, recorded?)
PyObject* member_ = nullptr;  // member(name, args, kwargs)
PyObject *torch_dispatch_, *disabled_;
int pushed_ = 0;  // modes of all threads

// The policy is not part of `import rushlight`: who makes a class or a mode of this sort loads it.
void need_policy() {
  if (policy_) return;
  Own module(checked(PyImport_ImportModule("rushlight._dispatch")));
  if (!policy_) fail("internal: rushlight._dispatch sets no policy");
}

PyObject*& modes() {
  PyObject*& list = thread_state().dispatch_modes;
  if (!list) list = checked(PyList_New(0));
  return list;
}

PyObject* ask(bool whole, const Op& op, const Slots& slots, Form form) {
  need_policy();
  Own args(checked(PyTuple_New(static_cast<Py_ssize_t>(op.args.size()))));
  for (size_t i = 0; i < op.args.size(); ++i)
    PyTuple_SET_ITEM(args.get(), static_cast<Py_ssize_t>(i),
                     Py_NewRef(slots.at[i] ? slots.at[i] : op.args[i].default_value));
  Own number(checked(PyLong_FromLong(static_cast<long>(form))));
  const bool recorded = op.differentiable && grad_enabled() && any_requires_grad(op, slots);
  PyObject* argv[] = {whole ? Py_True : Py_False,
                      op.record,
                      args.get(),
                      number.get(),
                      slots.out ? slots.out : Py_None,
                      recorded ? Py_True : Py_False};
  return checked(PyObject_Vectorcall(policy_, argv, 6, nullptr));
}

bool is_argument(const Slots& slots, const Tensor* t) {
  Results given;
  for (PyObject* o : slots.at)
    if (o) collect_tensors(o, given);
  for (int i = 0; i < given.size(); ++i)
    if (given[i].get() == t) return true;
  return false;
}

}  // namespace

PyObject* call_of_protocol(PyObject* given) {
  PyObject *function, *types, *positional = nullptr, *kwargs = Py_None;
  if (!PyArg_ParseTuple(given, "OO|OO", &function, &types, &positional, &kwargs))
    throw PythonError{};
  if (kwargs != Py_None && !PyDict_Check(kwargs))
    fail(ErrorKind::Type, "a call's kwargs have to be a dict, got ", Py_TYPE(kwargs)->tp_name);
  Own args(checked(positional ? PySequence_Tuple(positional) : PyTuple_New(0)));
  return PyObject_Call(function, args.get(), kwargs == Py_None ? nullptr : kwargs);
}

uint8_t dispatch_mark(PyTypeObject* type) {
  PyObject* found = _PyType_Lookup(type, torch_dispatch_);
  return found && found != disabled_ ? kDispatch : 0;
}

bool dispatch_active(PyObject* const* args, Py_ssize_t n) {
  const ThreadState& s = thread_state();
  if (s.dispatch_off) return false;
  if (s.dispatch_modes && PyList_GET_SIZE(s.dispatch_modes)) return true;
  for (Py_ssize_t i = 0; i < n; ++i)
    if (marks(args[i]) & kDispatch) return true;
  return false;
}

PyObject* dispatch_whole(const Op& op, const Slots& slots, Form form) {
  return ask(true, op, slots, form);
}
PyObject* dispatch_kernel(const Op& op, const Slots& slots, Form form) {
  return ask(false, op, slots, form);
}

void collect_dispatched(const Op& op, const Slots& slots, Form form, bool recording,
                        PyObject* result, Results& outs) {
  const bool changes = form == Form::Inplace || op.mutated >= 0;
  if (changes)
    return outs.push_back(Ref<Tensor>::share(as_tensor(slots.at[std::max(0, op.mutated)])));
  collect_tensors(result, outs);
  if (!outs.size())
    fail(ErrorKind::Type, op.public_name, "(): __torch_dispatch__ returned ",
         Py_TYPE(result)->tp_name, " where a Tensor was expected");
  if (!recording && !op.is_view) return;
  for (int i = 0; i < outs.size(); ++i)
    if (is_argument(slots, outs[i].get())) outs[i] = detached_alias(*outs[i]);
}

Ref<Tensor> detached_alias(Tensor& t) {
  PyObject* o = object(&t);
  if (!(t.interposed & kDispatch) || !dispatch_active(&o, 1)) return alias(t);
  Own made(dispatch_member("detach", &o, 1, nullptr));
  if (!is_tensor(made.get()) || made.get() == o) return alias(t);
  return Ref<Tensor>::own(as_tensor(made.give()));
}

PyObject* dispatch_member(const char* name, PyObject* const* args, Py_ssize_t n,
                          PyObject* kwnames) {
  need_policy();
  Own list(checked(PyTuple_New(n))), kwargs(checked(PyDict_New()));
  for (Py_ssize_t i = 0; i < n; ++i) PyTuple_SET_ITEM(list.get(), i, Py_NewRef(args[i]));
  for (Py_ssize_t i = 0; kwnames && i < PyTuple_GET_SIZE(kwnames); ++i)
    checked(PyDict_SetItem(kwargs.get(), PyTuple_GET_ITEM(kwnames, i), args[n + i]));
  return checked(PyObject_CallFunction(member_, "sOO", name, list.get(), kwargs.get()));
}

PyObject* dispatch_fresh(Ref<Tensor> made) {
  Own o(wrap(std::move(made)));
  if (!(interposers_ & kModes) || !dispatch_active(nullptr, 0)) [[likely]]
    return o.give();
  PyObject* args[] = {o.get()};
  return dispatch_member("lift_fresh", args, 1, nullptr);
}

// ---- what Python sees

namespace {

PyObject* set_dispatch(PyObject*, PyObject* args) {
  if (!PyArg_ParseTuple(args, "OO", &policy_, &member_)) return nullptr;
  Py_INCREF(policy_);
  Py_INCREF(member_);
  Py_RETURN_NONE;
}
PyObject* dispatch_modes(PyObject*, PyObject*) {
  return guarded([&] { return Py_NewRef(modes()); });
}
PyObject* push_dispatch_mode(PyObject*, PyObject* mode) {
  return guarded([&]() -> PyObject* {
    checked(PyList_Append(modes(), mode));
    ++pushed_;
    interposers_ |= kModes;
    Py_RETURN_NONE;
  });
}
PyObject* pop_dispatch_mode(PyObject*, PyObject*) {
  return guarded([&]() -> PyObject* {
    Py_ssize_t n = PyList_GET_SIZE(modes());
    if (!n) fail("no dispatch mode is active in this thread");
    Own top = Own::share(PyList_GET_ITEM(modes(), n - 1));
    checked(PyList_SetSlice(modes(), n - 1, n, nullptr));
    if (--pushed_ == 0) interposers_ &= static_cast<uint8_t>(~kModes);
    return top.give();
  });
}
PyObject* set_dispatch_off(PyObject*, PyObject* off) {
  const bool before = thread_state().dispatch_off;
  thread_state().dispatch_off = off == Py_True;
  return PyBool_FromLong(before);
}
PyObject* has_torch_dispatch(PyObject*, PyObject* o) {
  return PyBool_FromLong(is_tensor(o) && (as_tensor(o)->interposed & kDispatch));
}

// The __torch_dispatch__ of classes that take no part: the call with nobody asked.
PyObject* disabled_torch_dispatch(PyObject*, PyObject* args) {
  const bool before = std::exchange(thread_state().dispatch_off, true);
  PyObject* result = guarded([&]() -> PyObject* { return call_of_protocol(args); });
  thread_state().dispatch_off = before;
  return result;
}

// make_wrapper_instance(cls, kind, sizes, strides, offset, dtype, device, bytes): an instance of a
// tensor class that has geometry and no memory.
PyObject* make_wrapper_instance(PyObject*, PyObject* args) {
  return guarded([&]() -> PyObject* {
    int kind;
    Py_ssize_t offset, bytes;
    PyObject *cls, *sizes, *strides, *dtype, *device;
    if (!PyArg_ParseTuple(args, "O!iOOnOOn", &PyType_Type, &cls, &kind, &sizes, &strides, &offset,
                          &dtype, &device, &bytes))
      throw PythonError{};
    SizeVec size = to_sizes(sizes, "_make_wrapper_subclass", "size");
    SizeVec stride = to_sizes(strides, "_make_wrapper_subclass", "strides");
    if (size.size() != stride.size())
      fail("_make_wrapper_subclass: expected as many strides as sizes, got ",
           static_cast<int64_t>(stride.size()), " and ", static_cast<int64_t>(size.size()));
    Storage* none = new_storage(static_cast<size_t>(bytes), true);
    Ref<Tensor> t = alias(none, size, stride, offset, as_dtype(dtype),
                          to_device(device, "_make_wrapper_subclass"));
    release(none);
    t->kind = static_cast<uint8_t>(kind);
    t->interposed |= kKind;
    t->payload = reinterpret_cast<Object*>(Py_NewRef(Py_None));
    return instance_over(reinterpret_cast<PyTypeObject*>(cls), *t);
  });
}

// share_storage(view, of): the view claims the memory of another tensor, which may have none.
PyObject* share_storage(PyObject*, PyObject* args) {
  return guarded([&]() -> PyObject* {
    PyObject *view, *of;
    if (!PyArg_ParseTuple(args, "O!O!", TensorType, &view, TensorType, &of)) throw PythonError{};
    Tensor &v = *as_tensor(view), &base = *as_tensor(of);
    if (base.storage) retain(base.storage);
    if (Storage* before = std::exchange(v.storage, base.storage)) release(before);
    Py_RETURN_NONE;
  });
}

PyMethodDef functions[] = {
    {"share_storage", share_storage, METH_VARARGS, nullptr},
    {"set_dispatch", set_dispatch, METH_VARARGS, nullptr},
    {"dispatch_modes", dispatch_modes, METH_NOARGS, nullptr},
    {"push_dispatch_mode", push_dispatch_mode, METH_O, nullptr},
    {"pop_dispatch_mode", pop_dispatch_mode, METH_NOARGS, nullptr},
    {"set_dispatch_off", set_dispatch_off, METH_O, nullptr},
    {"has_torch_dispatch", has_torch_dispatch, METH_O, nullptr},
    {"make_wrapper_instance", make_wrapper_instance, METH_VARARGS, nullptr},
    {"_disabled_torch_dispatch_impl", disabled_torch_dispatch, METH_VARARGS, nullptr},
    {nullptr, nullptr, 0, nullptr}};

}  // namespace

void add_dispatch(PyObject* module) {
  torch_dispatch_ = checked(PyUnicode_InternFromString("__torch_dispatch__"));
  checked(PyModule_AddFunctions(module, functions));
  disabled_ = checked(PyObject_GetAttrString(module, "_disabled_torch_dispatch_impl"));
}

}  // namespace rl::py
