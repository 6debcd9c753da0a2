// The hook that lets a tensor that is not a plain strided one, or an interposer (a mode), take
// over a call: ops, methods, attributes and operators all ask here. The policy, who is asked and
// in which order, is rushlight/overrides.py. See "Interposing" in docs/architecture.md.
#pragma once
#include "python/binding.h"

namespace rl::py {

// Bits of Tensor::interposed, or-ed over the arguments of a call.
constexpr uint8_t kSubclass = 1;   // its class has a __torch_function__
constexpr uint8_t kKind = 2;       // not strided memory: its kind's handler computes
constexpr uint8_t kLevel = 4;      // wrapped by a function transform: see levels.h
constexpr uint8_t kDraws = 8;      // of interposers_ only: a transform decides how ops draw
constexpr uint8_t kDispatch = 16;  // its class has a __torch_dispatch__: see dispatch.h
constexpr uint8_t kModes = 32;     // of interposers_ only: some thread has a dispatch mode

extern uint8_t interposers_;  // not 0 while any thread has an interposer; read by every call

// Is anybody to be asked before the call begins? Transforms and dispatch answer within it.
inline bool asks_first(uint8_t marks) {
  return marks != kLevel && (marks & ~(kDispatch | kModes)) != 0;
}

inline uint8_t marks(PyObject* o) { return is_tensor(o) ? as_tensor(o)->interposed : 0; }

// Asks whoever may take over `function(*args, **kwargs)`; NotImplemented means that nobody does
// and that the call goes on. Throws PythonError.
PyObject* redirect(PyObject* function, PyObject* const* args, Py_ssize_t n, PyObject* kwnames);
// The same for the native function `name` that takes no tensor for itself, such as "tensor": asks
// interposers only. Null means that nobody takes the call over.
PyObject* redirect_function(const char* name, PyObject* const* args, Py_ssize_t n,
                            PyObject* kwnames);
// The same for the member `name` of Tensor: an operator's dunder, a method, or the getter or
// setter (`part`) of an attribute.
PyObject* redirect_member(const char* name, const char* part, PyObject* const* args, Py_ssize_t n);

bool has_torch_function(PyObject* o);  // on its type, and not the disabled one
bool any_torch_function(PyObject* const* args, Py_ssize_t n);
uint8_t subclass_mark(PyTypeObject* type);  // what `interposed` of its instances starts with
// tensor_type.cpp: a new instance of cls, a subclass, over t's memory.
PyObject* instance_over(PyTypeObject* cls, Tensor& t);
[[noreturn]] void refuse_kind(const char* op, const Tensor& t);
void drop_kind(Tensor& t) noexcept;

// No user code sees the ops of a backward pass: __torch_function__ is off, kinds stay.
class NoTorchFunction {
 public:
  NoTorchFunction();
  ~NoTorchFunction();
  NoTorchFunction(const NoTorchFunction&) = delete;

 private:
  uint8_t before_;
};

// ---- native methods behind the hook. What needs memory is refused for tensors that have none.
// What leaves the graph leaves the graphs of function transforms as well. Of the tensors without
// memory, instances of wrapper subclasses have strides.
enum class Needs : uint8_t { Geometry, Graph, Strides, Memory };
PyObject* redirect_method(void* method, Needs needs, PyObject* self, PyObject* one);
PyObject* redirect_method(void* method, Needs needs, PyObject* self, PyObject* const* args,
                          Py_ssize_t n, PyObject* kwnames = nullptr);
PyObject* redirect_method(void* method, Needs needs, PyObject* self, PyObject* args,
                          PyObject* kwargs);

template <auto F, Needs needs, class... A>
PyObject* behind_hook(PyObject* self, A... rest) {
  if (as_tensor(self)->interposed | interposers_) [[unlikely]] {
    void* me = reinterpret_cast<void*>(&behind_hook<F, needs, A...>);
    PyObject* result = redirect_method(me, needs, self, rest...);
    if (result != Py_NotImplemented) return result;
    Py_DECREF(result);
  }
  return F(self, rest...);
}

template <auto F, Needs needs = Needs::Memory>
PyCFunction hooked() {
  return []<class... A>(PyObject* (*)(PyObject*, A...)) {
    return reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(&behind_hook<F, needs, A...>));
  }(F);
}

// Puts a getset table behind the hook; both tables must outlive the type.
void hook_attributes(PyGetSetDef* table, PyGetSetDef* originals);

}  // namespace rl::py
