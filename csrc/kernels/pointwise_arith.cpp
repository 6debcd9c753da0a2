// Block functions of scalar/arith.h.
#include <cmath>
#include <limits>
#include <numeric>

#include "kernels/pointwise.h"

namespace rl {
namespace RL_ISA_NS {
namespace {
#include "scalar/arith.h"
}  // namespace
}  // namespace RL_ISA_NS
}  // namespace rl
