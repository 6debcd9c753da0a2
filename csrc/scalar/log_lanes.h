// log of a Twin: by the formula of one number in log.h, without its first and last steps where
// all are positive, normal and finite. With AVX-512 it is in range_lanes.h.
#pragma once

#include "log.h"
#include "twin.h"

#ifdef RL_HAS_TWINS
namespace rl::math {

template <class T>
[[gnu::always_inline]] static inline Twin<T> log(Twin<T> x) {
  return all_normal(x) ? log_of_split(split_log(x)) : log_any(x);
}

}  // namespace rl::math
#endif
