// Block functions of scalar/complex_functors.h.
#include <cmath>

#include "kernels/pointwise.h"
#include "scalar/complex.h"

namespace rl {
namespace RL_ISA_NS {
namespace {
#include "scalar/complex_functors.h"
}  // namespace
}  // namespace RL_ISA_NS
}  // namespace rl
