// To and from memory with vectors of any width, where rows of channels are shorter than a register.
#pragma once

namespace rl {
namespace {  // included by files that are compiled once per instruction-set level

template <class V, class T>
inline V load_as(const T* x) {
  V v;
  __builtin_memcpy(&v, x, sizeof v);
  return v;
}
template <class V, class T>
inline void store_as(T* x, V v) {
  __builtin_memcpy(x, &v, sizeof v);
}

}  // namespace
}  // namespace rl
