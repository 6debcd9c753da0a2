// What no_grad and enable_grad enter and leave; the classes themselves, which are decorators too,
// are in rushlight/autograd/grad_mode.py. A block costs no frame of the interpreter.
#include <cstring>

#include "python/keywords.h"
#include "python/state.h"

namespace rl::py {
namespace {

struct GradContext {
  PyObject_HEAD bool prev;  // what to go back to
};
bool& before(PyObject* self) { return reinterpret_cast<GradContext*>(self)->prev; }

// Without arguments a context; with a function, the function in such a context.
PyObject* context_new(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
  PyObject* function = Py_None;
  static const char* names[] = {"orig_func", nullptr};
  bool bare = !kwargs && PyTuple_GET_SIZE(args) == 0;
  if (!bare &&
      !PyArg_ParseTupleAndKeywords(args, kwargs, "|O", const_cast<char**>(names), &function))
    return nullptr;
  Own context(type->tp_alloc(type, 0));
  if (function == Py_None || !context) return context.give();
  return PyObject_CallOneArg(context.get(), function);
}

template <bool On>
PyObject* enter(PyObject* self, PyObject*) {
  before(self) = std::exchange(grad_mode(), On);
  Py_RETURN_NONE;
}
PyObject* leave(PyObject* self, PyObject* const*, Py_ssize_t, PyObject*) {
  grad_mode() = before(self);
  Py_RETURN_NONE;
}

PyMemberDef members[] = {
    {"prev", T_BOOL, offsetof(GradContext, prev), 0, "The mode before the block."},
    {nullptr, 0, 0, 0, nullptr}};

template <bool On>
void add_context(PyObject* module, const char* name) {
  static PyMethodDef methods[] = {
      {"__enter__", enter<On>, METH_NOARGS, "Switches recording, until the block is left."},
      {"__exit__", fast(leave), METH_FASTCALL | METH_KEYWORDS, "Switches back."},
      {nullptr, nullptr, 0, nullptr}};
  PyType_Slot slots[] = {{Py_tp_new, reinterpret_cast<void*>(context_new)},
                         {Py_tp_methods, methods},
                         {Py_tp_members, members},
                         {0, nullptr}};
  PyType_Spec spec{name, sizeof(GradContext), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE, slots};
  Own type(checked(PyType_FromSpec(&spec)));
  checked(PyModule_AddObjectRef(module, std::strrchr(name, '.') + 1, type.get()));
}

}  // namespace

void add_grad_contexts(PyObject* module) {
  add_context<false>(module, "rushlight._native.WithoutGrad");
  add_context<true>(module, "rushlight._native.WithGrad");
}

}  // namespace rl::py
