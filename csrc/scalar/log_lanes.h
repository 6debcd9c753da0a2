// Logarithms of a Twin: by the formulas of one number in log.h, without its first and last steps
// where all are positive, normal and finite. With AVX-512 it is in range_lanes.h.
#pragma once

#include "log.h"
#include "twin.h"

#ifdef RL_HAS_TWINS
namespace rl::math {

#define RL_LOG_OF_TWIN(NAME)                                     \
  template <class T>                                             \
  [[gnu::always_inline]] static inline Twin<T> NAME(Twin<T> x) { \
    if (all_normal(x)) return NAME##_of_split(split_log(x));     \
    return log_special(x, NAME##_of_split(split_log_any(x)));    \
  }
RL_LOG_OF_TWIN(log)
RL_LOG_OF_TWIN(log2)
RL_LOG_OF_TWIN(log10)
#undef RL_LOG_OF_TWIN

}  // namespace rl::math
#endif
