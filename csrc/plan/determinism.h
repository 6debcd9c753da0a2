// The switch behind use_deterministic_algorithms: memory that nobody has written yet is filled, so
// that a program which reads it gives the same answer each time (NaN, the largest integer, True).
#pragma once

#include "core/tensor.h"

namespace rl {

extern bool fill_unwritten_memory;  // read and written under the interpreter lock
void fill_unwritten(Tensor& t);     // if the switch is on

}  // namespace rl
