// Block functions of scalar/transcendental.h.
#include <cmath>
#include <cstring>

#include "kernels/pointwise.h"
#include "scalar/curve_rows.h"
#include "scalar/elementary.h"
#include "scalar/sin_rows.h"

namespace rl {
namespace RL_ISA_NS {
namespace {
#include "scalar/transcendental.h"
}  // namespace
}  // namespace RL_ISA_NS
}  // namespace rl
