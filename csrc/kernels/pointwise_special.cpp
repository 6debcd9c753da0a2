// Block functions of scalar/special_functors.h, for every machine alike.
#include <math.h>

#include "kernels/pointwise.h"
#include "scalar/special.h"

namespace rl::RL_ISA_NS {
namespace {
#include "scalar/special_functors.h"
}  // namespace
}  // namespace rl::RL_ISA_NS
