// Block functions of scalar/activation.h.
#include <cmath>
#include <limits>

#include "kernels/pointwise.h"
#include "scalar/elementary.h"

namespace rl {
namespace RL_ISA_NS {
namespace {
#include "scalar/activation.h"
}  // namespace
}  // namespace RL_ISA_NS
}  // namespace rl
