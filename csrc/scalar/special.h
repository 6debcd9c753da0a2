// Every special function, in one include. The frequent ones are branch-free, the others scalar
// code. Each is an overload set rl::math::f(float), f(double).
#pragma once

#include "special_bessel.h"
#include "special_gamma.h"
#include "special_normal.h"
#include "special_polynomials.h"
