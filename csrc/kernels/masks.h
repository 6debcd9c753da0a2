// Masks as bytes: one viewed from another dtype or library may hold others than 0 and 1, which
// are true as well, but not to C++'s bool.
#pragma once
#include <algorithm>

#include "core/tensor.h"

namespace rl {

inline const uint8_t* mask_bytes(const Tensor& dense) {
  return static_cast<const uint8_t*>(dense.raw());
}
inline int64_t count_true(const uint8_t* m, int64_t count) {
  int64_t n = 0;
  for (int64_t i = 0; i < count;) {
    uint8_t part = 0;  // adding bytes vectorises best
    for (int64_t end = std::min(i + 255, count); i < end; ++i) part += m[i] != 0;
    n += part;
  }
  return n;
}
inline int64_t count_true(const Tensor& dense) {
  return count_true(mask_bytes(dense), dense.numel);
}

}  // namespace rl
