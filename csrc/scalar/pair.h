// Unevaluated sums hi + lo of two doubles (Dekker 1971): about 106 bits, for intermediate results.
// Here: the few operations pow needs. Every function assumes |lo| is below half an ulp of hi.
#pragma once

#include "bits.h"

namespace rl::math {

template <class T>
struct PairOf {
  T hi, lo;
};
using Pair = PairOf<double>;

// Exact a + b, for |a| >= |b| or a = 0.
template <class T>
static inline PairOf<T> ordered_sum(T a, T b) {
  T s = a + b;
  return {s, b - (s - a)};
}
static inline Pair exact_sum(double a, double b) {
  double s = a + b, v = s - a;
  return {s, (a - (s - v)) + (b - v)};
}
static inline Pair exact_product(double a, double b) {
  double p = a * b;
  return {p, fused(a, b, -p)};
}
static inline Pair multiply(Pair a, Pair b) {
  Pair p = exact_product(a.hi, b.hi);
  return ordered_sum(p.hi, p.lo + mad(a.hi, b.lo, a.lo * b.hi));
}
static inline Pair multiply(Pair a, double b) {
  Pair p = exact_product(a.hi, b);
  return ordered_sum(p.hi, mad(a.lo, b, p.lo));
}
// a + b, for |a| >= |b.hi| or a = 0.
static inline Pair ordered_sum(double a, Pair b) {
  Pair s = ordered_sum(a, b.hi);
  return ordered_sum(s.hi, s.lo + b.lo);
}

}  // namespace rl::math
