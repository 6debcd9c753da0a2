// Every elementary function, in one include: what pointwise functors want.
// Each function is an overload set rl::math::f(float), f(double).
#pragma once

#include "activation_lanes.h"
#include "bits.h"
#include "erf.h"
#include "exp.h"
#include "exp_block.h"
#include "inverse_trig.h"
#include "log.h"
#include "log_lanes.h"
#include "pow.h"
#include "range_lanes.h"
#include "trig.h"
