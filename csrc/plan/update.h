// Kernels that update: their first output is argument 0 with some elements replaced. In-place
// calls hand them that argument as the output, so that nothing is copied; run must begin with
// start_from (kernels/lines.h), which sees whether there is anything to copy.
#pragma once
#include "plan/call.h"

namespace rl {

bool register_update(const char* name);
bool is_update(const Kernel& kernel);

#define RL_UPDATE(name, infer, run) \
  RL_KERNEL(name, infer, run);      \
  [[maybe_unused]] static const bool RL_JOIN(update_, __COUNTER__) = ::rl::register_update(name)

}  // namespace rl
