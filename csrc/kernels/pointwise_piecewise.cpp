// Block functions of scalar/piecewise.h.
#define RL_CHEAP true
#include <cmath>
#include <limits>

#include "kernels/pointwise.h"

namespace rl {
namespace RL_ISA_NS {
namespace {
#include "scalar/piecewise.h"
}  // namespace
}  // namespace RL_ISA_NS
}  // namespace rl
