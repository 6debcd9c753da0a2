// Per-thread switches of autograd, and the guards that restore them.
#pragma once
#include "python/binding.h"

namespace rl::py {

struct ThreadState {
  bool grad = true, inference = false;
  bool grad_layout = true;          // a new .grad is laid out as its tensor
  uint8_t torch_function_off = 0;   // 1: for subclasses, 2: for modes too
  PyObject* interposers = nullptr;  // a list, innermost last
  PyObject* saved_hooks = nullptr;  // a list of (pack, unpack), null when none is active
};
ThreadState& thread_state();

class GradMode {
 public:
  explicit GradMode(bool on) : before_(thread_state().grad) { thread_state().grad = on; }
  ~GradMode() { thread_state().grad = before_; }
  GradMode(const GradMode&) = delete;

 private:
  bool before_;
};

}  // namespace rl::py
