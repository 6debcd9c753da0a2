// Options that every op that makes a tensor has: what of them is refused, alike for all.
// dtype, layout and device are read by the ops themselves or by whoever calls them.
#pragma once
#include "plan/call.h"

namespace rl {

// In their order.
enum Option : int { kDType, kLayout, kDevice, kRequiresGrad, kPinMemory, kOptions, kFormat = 5 };

// Argument i is pin_memory.
inline void refuse_pinned(const Call& c, int i) {
  RL_CHECK(!c.flag(i), c.op, "(): pin_memory=True requires an accelerator backend; no pinned ",
           "memory allocator is available on this system");
}

}  // namespace rl
