// Block functions of scalar/complex_functors.h, for every machine alike.
#include <cmath>

#include "kernels/pointwise.h"
#include "scalar/complex.h"

namespace rl::RL_ISA_NS {
namespace {
#include "scalar/complex_functors.h"
}  // namespace
}  // namespace rl::RL_ISA_NS
