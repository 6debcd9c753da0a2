// Block functions of scalar/transcendental.h.
#include <cmath>
#include <cstring>

#include "kernels/pointwise.h"
#include "scalar/elementary.h"

namespace rl {
namespace RL_ISA_NS {
namespace {
#include "scalar/transcendental.h"
}  // namespace
}  // namespace RL_ISA_NS
}  // namespace rl
