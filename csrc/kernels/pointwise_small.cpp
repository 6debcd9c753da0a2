// Block functions of scalar/arith.h for integers of 8, 16 and 32 bits in their own width.
#define RL_COMPILED_TYPES kSmall
#define RL_CHEAP true
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "kernels/pointwise.h"
#include "scalar/division.h"
#include "scalar/divisor.h"
#include "scalar/inverse_trig.h"
#include "scalar/pow.h"

namespace rl {
namespace RL_ISA_NS {
namespace {
#include "scalar/arith.h"
}  // namespace
}  // namespace RL_ISA_NS
}  // namespace rl
