// Results of 16 bits that are computed in a wider type, and rounded where PyTorch rounds them.
#pragma once
#include <type_traits>

#include "core/dtype.h"

namespace rl {
namespace {  // included by files that are compiled once per instruction-set level

// Calls f with the type that a result will be kept in, which is not `T`, the one that it is
// computed in, where float stands for 16 bits.
template <class T, class F>
auto with_kept(DType kept, F&& f) {
  if constexpr (std::is_same_v<T, float>) {
    if (kept == DType::F16) return f.template operator()<Half>();
    if (kept == DType::BF16) return f.template operator()<BFloat16>();
  }
  return f.template operator()<T>();
}
// The nearest number that the result can be kept as.
template <class S, class T>
T kept_as(T x) {
  return static_cast<T>(static_cast<S>(x));
}
template <class T>
T kept_as(DType kept, T x) {
  return with_kept<T>(kept, [x]<class S>() { return kept_as<S>(x); });
}

}  // namespace
}  // namespace rl
