// Numbers given for elements: does the element type hold them?
#pragma once
#include "plan/call.h"

namespace rl {

// Throws where `value` cannot become `dtype`: too large, or complex for a real type. A float loses
// its fraction, and unsigned types take negative numbers that wrap.
void check_fits(const char* op, const Scalar& value, DType dtype);

}  // namespace rl
