// The dtype that normalisations and losses compute in: float64 stays, 16 bits are floats.
#pragma once
#include "core/dtype.h"

namespace rl {
namespace {  // included by files that are compiled once per instruction-set level

inline DType compute_dtype(DType d) { return d == DType::F64 ? DType::F64 : DType::F32; }

// Calls f with its type.
template <class F>
void with_compute_dtype(DType d, F&& f) {
  if (compute_dtype(d) == DType::F64)
    f.template operator()<double>();
  else
    f.template operator()<float>();
}

}  // namespace
}  // namespace rl
