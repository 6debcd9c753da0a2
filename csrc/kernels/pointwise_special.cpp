// Block functions of scalar/special_functors.h.
#include <math.h>

#include "kernels/pointwise.h"
#include "scalar/special.h"

namespace rl {
namespace RL_ISA_NS {
namespace {
#include "scalar/special_functors.h"
}  // namespace
}  // namespace RL_ISA_NS
}  // namespace rl
