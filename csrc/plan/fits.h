// Numbers given for elements: does the element type hold them?
#pragma once
#include "plan/call.h"

namespace rl {

// An integer from 2^63 to 2^64: `i` has the bits of the uint64, `re` its value.
inline bool is_beyond_int64(const Scalar& v) {
  return v.kind == Scalar::Int && v.i < 0 && v.re > 0;
}

// Throws where `value` cannot become `dtype`: too large, or complex for a real type. A float loses
// its fraction, and unsigned types take negative numbers that wrap.
void check_fits(const char* op, const Scalar& value, DType dtype);

}  // namespace rl
