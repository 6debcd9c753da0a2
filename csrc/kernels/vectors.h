// Vectors as wide as the registers of the level that a file is compiled for, and their way to and
// from memory. What is computed with them is elsewhere. Included by files compiled once per level.
#pragma once
#include <type_traits>

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

template <class T, int Bytes = kVectorBytes>
struct VectorOf {
  typedef T type __attribute__((vector_size(Bytes)));
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

// Asks for the line of memory at p, which is to be read, or written, in a while.
inline void fetch(const void* p) { __builtin_prefetch(p, 0, 2); }
inline void fetch_to_write(const void* p) { __builtin_prefetch(p, 1, 2); }

// As many elements as a vector of doubles has. Of floats gcc makes one instruction here, and five
// of __builtin_convertvector.
template <int Bytes, class T, size_t... I>
inline typename VectorOf<double, Bytes>::type load_doubles(const T* x, std::index_sequence<I...>) {
  return typename VectorOf<double, Bytes>::type{static_cast<double>(x[I])...};
}
template <int Bytes = kVectorBytes, class T>
inline typename VectorOf<double, Bytes>::type load_doubles(const T* x) {
  return load_doubles<Bytes>(x, std::make_index_sequence<Bytes / sizeof(double)>());
}
inline void store_doubles(double* x, Vector<double> v) { store_vector(x, v); }
inline void store_doubles(float* x, Vector<double> v) {
  for (int i = 0; i < kLanes<double>; ++i) x[i] = static_cast<float>(v[i]);
}

// v, for several uses: gcc would rather load it again for each, and processors load 64 bytes once a
// cycle.
template <class V>
inline V in_register(V v) {
#if defined(__AVX512F__)
  asm("" : "+v"(v));
#endif
  return v;
}

struct SumStep {
  template <class V>
  static V join(V a, V b) {
    return a + b;
  }
};
// The lanes of a vector, joined: by halves, which stay in registers, as an array of lanes would
// not.
template <class Step, class T, int Bytes = kVectorBytes>
inline T join_lanes(typename VectorOf<T, Bytes>::type v) {
  if constexpr (Bytes == 2 * sizeof(T)) {
    return Step::join(v[0], v[1]);
  } else {
    typename VectorOf<T, Bytes / 2>::type half[2];
    __builtin_memcpy(half, &v, sizeof v);
    return join_lanes<Step, T, Bytes / 2>(Step::join(half[0], half[1]));
  }
}
// The same for pairs of lanes.
template <class Step, class T, int Bytes = kVectorBytes>
inline Complex<T> join_pairs(typename VectorOf<T, Bytes>::type v) {
  if constexpr (Bytes == 2 * sizeof(T)) {
    return {v[0], v[1]};
  } else {
    typename VectorOf<T, Bytes / 2>::type half[2];
    __builtin_memcpy(half, &v, sizeof v);
    return join_pairs<Step, T, Bytes / 2>(Step::join(half[0], half[1]));
  }
}
// The last `count` lanes of v; those before them are `none`.
template <class T>
inline Vector<T> last_lanes(Vector<T> v, int64_t count, T none) {
  using Lane = decltype(v < v);
  Lane lane;
  for (int i = 0; i < kLanes<T>; ++i) lane[i] = i;
  auto first = static_cast<std::remove_cvref_t<decltype(lane[0])>>(kLanes<T> - count);
  return lane >= Lane{} + first ? v : Vector<T>{} + none;
}

}  // namespace
}  // namespace RL_ISA_NS
}  // namespace rl
