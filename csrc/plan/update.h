// Kernels that update: their first output is argument 0 with some elements replaced. In-place
// calls hand them that argument as the output, so that nothing is copied; run must begin with
// start_from (kernels/lines.h), which sees whether there is anything to copy.
#pragma once
#include "plan/call.h"

namespace rl {

bool register_update(const char* name, bool may_share);
bool is_update(const Kernel& kernel);
bool refuses_shared(const Kernel& kernel);  // arguments that lie in the memory of argument 0

#define RL_UPDATE_OF(name, infer, run, may_share)                    \
  RL_KERNEL(name, infer, run);                                       \
  [[maybe_unused]] static const bool RL_JOIN(update_, __COUNTER__) = \
      ::rl::register_update(name, may_share)
#define RL_UPDATE(name, infer, run) RL_UPDATE_OF(name, infer, run, false)
#define RL_UPDATE_SHARING(name, infer, run) RL_UPDATE_OF(name, infer, run, true)

}  // namespace rl
