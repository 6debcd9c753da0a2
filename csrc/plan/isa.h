// Files compiled once per instruction-set level register their kernels here with the level;
// at start-up the best level that this machine runs wins.
#pragma once
#include "plan/call.h"

#ifndef RL_ISA_NS
#define RL_ISA_NS base
#endif
#define RL_STR_(x) #x
#define RL_STR(x) RL_STR_(x)
#define RL_ISA_NAME RL_STR(RL_ISA_NS)

namespace rl {

// 1 for "base" and "v2", 3 for "v3", 4 for "v4".
constexpr int isa_rank(const char* name) {
  return name[0] == 'v' && name[1] > '2' ? name[1] - '0' : 1;
}
int machine_isa();  // the best rank this machine runs; RUSHLIGHT_ISA=v2|v3|v4 lowers it

// True if a registration of this rank should replace one of rank `present` (0: none).
inline bool isa_wins(int rank, int present) { return rank <= machine_isa() && rank > present; }

#define RL_ISA_KERNEL_(...) \
  RL_REGISTER(OfKernel, ::rl::isa_rank(RL_ISA_NAME), ::rl::Kernel{__VA_ARGS__})
#define RL_ISA_KERNEL(name, infer, run) RL_ISA_KERNEL_(name, infer, run, ::rl::Kernel::Structural)
#define RL_ISA_KERNEL_FLOAT8(name, infer, run) \
  RL_ISA_KERNEL_(name, infer, run, ::rl::Kernel::Structural, true)

}  // namespace rl
