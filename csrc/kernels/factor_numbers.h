// Rows of real or of complex numbers in whole vectors, for factorisations that are written once for
// both. A complex row holds the real parts of as many numbers as a vector has lanes, then their
// imaginary parts, and so on: products need no shuffles, and a real rotation turns it as it turns a
// real row twice as long. Included by dense_factors.cpp.
#pragma once
#include <algorithm>
#include <cmath>
#include <limits>

#include "core/complex.h"
#include "kernels/vectors.h"

namespace rl {
namespace RL_ISA_NS {
namespace {

template <class T>
constexpr int kParts = sizeof(T) / sizeof(Real<T>);

template <class R>
struct ComplexLanes {
  Vector<R> re, im;
  friend ComplexLanes operator*(ComplexLanes a, ComplexLanes b) {
    return {a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re};
  }
  friend ComplexLanes operator*(ComplexLanes a, Complex<R> b) {
    return {a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re};
  }
  ComplexLanes& operator+=(ComplexLanes b) {
    re += b.re, im += b.im;
    return *this;
  }
};
template <class R, int Bytes>
struct VectorOf<Complex<R>, Bytes> {
  using type = ComplexLanes<R>;
};
template <class R>
constexpr int kLanes<Complex<R>> = kLanes<R>;

template <class T>
  requires(kParts<T> == 2)
inline void store_vector(T* x, Vector<T> v) {
  __builtin_memcpy(reinterpret_cast<Real<T>*>(x), &v, sizeof v);
}

// x + w by and x - w by, where a complex product is added a part at a time.
template <class V, class N>
inline V plus_product(V x, V w, N by) {
  return x + w * by;
}
template <class V, class N>
inline V minus_product(V x, V w, N by) {
  return x - w * by;
}
template <class R, class N>
inline ComplexLanes<R> plus_product(ComplexLanes<R> x, ComplexLanes<R> w, N by) {
  return {x.re + w.re * by.re - w.im * by.im, x.im + w.re * by.im + w.im * by.re};
}
template <class R, class N>
inline ComplexLanes<R> minus_product(ComplexLanes<R> x, ComplexLanes<R> w, N by) {
  return {x.re - w.re * by.re + w.im * by.im, x.im - w.re * by.im - w.im * by.re};
}

template <class N>
inline N conjugate(N x) {
  return x;
}
template <class R>
inline Complex<R> conjugate(Complex<R> x) {
  return {x.re, -x.im};
}
template <class R>
inline ComplexLanes<R> conjugate(ComplexLanes<R> x) {
  return {x.re, -x.im};
}
template <class T>
inline T real_part(T x) {
  return x;
}
template <class R>
inline R real_part(Complex<R> x) {
  return x.re;
}
template <class T>
inline T imaginary_part(T) {
  return 0;
}
template <class R>
inline R imaginary_part(Complex<R> x) {
  return x.im;
}
template <class T>
inline T scaled(T x, T by) {
  return x * by;
}
template <class R>
inline Complex<R> scaled(Complex<R> x, R by) {
  return {x.re * by, x.im * by};
}
template <class T>
inline Real<T> square_of(T x) {
  return real_part(x) * real_part(x) + imaginary_part(x) * imaginary_part(x);
}

template <class T>
inline T sum_lanes(Vector<T> v) {
  if constexpr (kParts<T> == 1)
    return join_lanes<SumStep, T>(v);
  else
    return {join_lanes<SumStep, Real<T>>(v.re), join_lanes<SumStep, Real<T>>(v.im)};
}
template <class T>
inline Vector<T> lanes_from(Vector<T> v, int64_t count) {  // the last `count`, after zeros
  if constexpr (kParts<T> == 1)
    return last_lanes<T>(v, count, T(0));
  else
    return {last_lanes<Real<T>>(v.re, count, 0), last_lanes<Real<T>>(v.im, count, 0)};
}

// ---- elements of rows
template <class T>
inline const Real<T>* parts(const T* x) {
  return reinterpret_cast<const Real<T>*>(x);
}
template <class T>
inline Real<T>* parts(T* x) {
  return reinterpret_cast<Real<T>*>(x);
}
template <class T>
inline T element(const T* row, int64_t j) {
  if constexpr (kParts<T> == 1) {
    return row[j];
  } else {
    const Real<T>* at = parts(row) + j + j / kLanes<T> * kLanes<T>;
    return {at[0], at[kLanes<T>]};
  }
}
template <class T>
inline void set_element(T* row, int64_t j, T x) {
  if constexpr (kParts<T> == 1) {
    row[j] = x;
  } else {
    Real<T>* at = parts(row) + j + j / kLanes<T> * kLanes<T>;
    at[0] = x.re, at[kLanes<T>] = x.im;
  }
}

}  // namespace
}  // namespace RL_ISA_NS
}  // namespace rl
