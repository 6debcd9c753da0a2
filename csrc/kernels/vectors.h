// Vectors as wide as the registers of the level that a file is compiled for, and their way to and
// from memory. What is computed with them is elsewhere. Included by files compiled once per level.
#pragma once
#include "plan/isa.h"

namespace rl {
namespace RL_ISA_NS {
namespace {

#if defined(__AVX512F__)
constexpr int kVectorBytes = 64;
#elif defined(__AVX__)
constexpr int kVectorBytes = 32;
#else
constexpr int kVectorBytes = 16;
#endif

template <class T>
struct VectorOf {
  typedef T type __attribute__((vector_size(kVectorBytes)));
};
template <class T>
using Vector = typename VectorOf<T>::type;
template <class T>
constexpr int kLanes = kVectorBytes / sizeof(T);
template <class T>
inline Vector<T> load_vector(const T* x) {
  Vector<T> v;
  __builtin_memcpy(&v, x, sizeof v);
  return v;
}

template <class T>
inline void store_vector(T* x, Vector<T> v) {
  __builtin_memcpy(x, &v, sizeof v);
}

}  // namespace
}  // namespace RL_ISA_NS
}  // namespace rl
