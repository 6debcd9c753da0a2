// Per-thread switches of autograd, and the guards that restore them.
#pragma once
#include "python/binding.h"

namespace rl::py {

// A tape that function transforms run inside a wrapper's level. Ops further out are recorded as
// they were before it began, whatever the tape itself does.
struct LevelTape {
  uint8_t level;
  bool mode_below;  // of ops further out than `level`, down to the next tape
  LevelTape* outer;
};

struct ThreadState {
  bool grad = true;  // are plain tensors recorded?
  bool inference = false;
  bool inner_grad = true;   // while there is a tape: are ops of its level, or further in, recorded?
  bool grad_layout = true;  // a new .grad is laid out as its tensor
  LevelTape* tape = nullptr;           // the innermost
  uint8_t torch_function_off = 0;      // 1: for subclasses, 2: for modes too
  PyObject* interposers = nullptr;     // a list, innermost last
  PyObject* dispatch_modes = nullptr;  // the same of modes with a __torch_dispatch__
  bool dispatch_off = false;           // neither those nor classes are asked
  PyObject* saved_hooks = nullptr;     // a list of (pack, unpack), null when none is active
};
// Found without a call or a check: each op looks here several times.
extern constinit thread_local ThreadState thread_state_;
inline ThreadState& thread_state() { return thread_state_; }

// What users see and set: the mode of the innermost level.
inline bool& grad_mode() {
  ThreadState& s = thread_state();
  return s.tape ? s.inner_grad : s.grad;
}
inline bool& grad_mode(uint8_t level) {  // of wrappers of one level; 0: of plain tensors
  ThreadState& s = thread_state();
  bool* mode = &grad_mode();
  for (LevelTape* t = s.tape; t && t->level > level; t = t->outer)
    mode = t->outer ? &t->mode_below : &s.grad;
  return *mode;
}

class GradMode {
 public:
  explicit GradMode(bool on) : GradMode(on, grad_mode()) {}
  GradMode(bool on, bool& mode) : mode_(mode), before_(mode) { mode_ = on; }
  ~GradMode() { mode_ = before_; }
  GradMode(const GradMode&) = delete;

 private:
  bool& mode_;
  bool before_;
};

}  // namespace rl::py
