// erf, erfc, erfinv, and tanh of doubles, by the rows of rows.h, for a Twin. Arguments far out,
// where rows would be many, are left to erf.h's formulas of one number: a Twin goes there that has
// such a lane.
#pragma once

#include <iterator>

#include "erf.h"
#include "row_centres.h"

#ifdef RL_HAS_TWINS
namespace rl::math {

// ---- erf and erfc: rows about multiples of 1/16, of erf up to 1, those below 1/2 about 0, and of
// erfc from 1/2
// Both have Hermite's derivatives: each follows from the two before.
static constexpr Terms erf_terms(double at, double value, double slope) {
  Terms s{{value, slope}};
  double before = 0, last = slope;
  for (int k = 1; k + 1 < kTerms; ++k) {
    const double next = -2 * (at * last + before) / k;
    s.c[k + 1] = next / (k + 1);
    before = last;
    last = next;
  }
  return s;
}
inline constexpr int kErfParts = 16, kErfRepeated = 9;
template <class T>
inline constexpr T kErfRowsEnd = 0;  // where rows end, or lack digits
template <>
inline constexpr double kErfRowsEnd<double> = 4.5;
template <>
inline constexpr float kErfRowsEnd<float> = 7.0f;
inline constexpr int kErfRows = 128;  // a power of two: an index that came of a NaN is inside
template <class T, int M>
static constexpr Rows<T, kErfRows> make_erf_rows(const Centre<T> (&centres)[M]) {
  constexpr double kHalf = 0.5 / kErfParts;
  return make_rows<T, kErfRows>(centres, erf_terms,
                                [](T at, int) { return at == 0 ? 0.5 + kHalf : 1.02 * kHalf; });
}
template <class T>
alignas(64) inline constexpr auto kErfTable = make_erf_rows(kErfCentres);
template <>
alignas(64) inline constexpr auto kErfTable<float> = make_erf_rows(kErfFloatCentres);

// The smaller part of erf(a) and erfc(a), erf's up to `change`, from where both are 1/2 to 1.
template <class T>
struct ErfPart {
  typename Twin<T>::Mask is_erf;
  Twin<T> value;
};
template <class T>
[[gnu::always_inline]] static inline ErfPart<T> erf_part(Twin<T> a, T change) {
  using U = typename Bits<T>::UInt;
  constexpr T kShift = Bits<T>::kRound / kErfParts,
              kFromErfc = kShift + T(kErfRepeated) / kErfParts;
  auto is_erf = a < Twin<T>(change);
  Twin<T> place = a + select(is_erf, Twin<T>(kShift), Twin<T>(kFromErfc));
  return {is_erf, by_rows(kErfTable<T>.row, place.bits() & TwinBits<T>(U(kErfRows - 1)), a)};
}
[[gnu::always_inline]] static inline Twin<double> erf(Twin<double> x) {
  auto [is_erf, part] = erf_part(at_most(abs(x), 5.95), 1.0);
  return flip_sign(select(is_erf, part, 1 - part), x);
}
template <class T>
[[gnu::always_inline]] static inline Twin<T> erfc(Twin<T> x) {
  constexpr T kEnd = kErfRowsEnd<T>, kMost = sizeof(T) == sizeof(float) ? kEnd : T(5.95);
  if (any(x > Twin<T>(kEnd))) [[unlikely]]
    return one_by_one(x, [](T one) { return erfc(one); });
  auto [is_erf, part] = erf_part(at_most(abs(x), kMost), T(0.4765));
  Twin<T> outer = select(x < Twin<T>(T(0)), 2 - part, part);
  return select(is_erf, 1 - flip_sign(part, x), outer);
}

// ---- erfinv: rows by the size of 1 - a, so many for each octave
template <class T>
inline constexpr int kErfinvPartBits = sizeof(T) == sizeof(float) ? 2 : 3;
inline constexpr int kErfinvOctaves = 12;
// How far the rows about 0 reach, which are two of floats and three of doubles.
template <class T>
inline constexpr double kErfinvOdd = sizeof(T) == sizeof(float) ? 0.25 : 0.1875;
// By y'' = 2 y y'^2.
static constexpr Terms erfinv_terms(double, double value, double slope) {
  Terms s{{value, slope}}, slopes{{slope}}, squares{};
  for (int k = 0; k + 2 < kTerms; ++k) {
    double square = 0, curve = 0;
    for (int i = 0; i <= k; ++i) square += slopes.c[i] * slopes.c[k - i];
    squares.c[k] = square;
    for (int i = 0; i <= k; ++i) curve += s.c[i] * squares.c[k - i];
    slopes.c[k + 1] = 2 * curve / (k + 1);
    s.c[k + 2] = slopes.c[k + 1] / (k + 2);
  }
  return s;
}
// A centre may be an eighth of its range's half from the middle.
template <class T, int M>
static constexpr Rows<T, M> make_erfinv_rows(const Centre<T> (&centres)[M]) {
  return make_rows<T, M>(centres, erfinv_terms, [](T at, int i) {
    constexpr int kParts = 1 << kErfinvPartBits<T>;
    const double octave = double(1 << i / kParts) / (2 << kErfinvOctaves);
    return at == 0 ? kErfinvOdd<T> : octave / kParts * 1.13;
  });
}
template <class T>
alignas(64) inline constexpr auto kErfinvTable = make_erfinv_rows(kErfinvCentres);
template <>
alignas(64) inline constexpr auto kErfinvTable<float> = make_erfinv_rows(kErfinvFloatCentres);

template <class T>
[[gnu::always_inline]] static inline Twin<T> erfinv(Twin<T> x) {
  constexpr T kLeast = T(1) / (1 << kErfinvOctaves);
  constexpr int kShift = Bits<T>::kMantissa - kErfinvPartBits<T>;
  if (!all_within(x, 1 - kLeast)) [[unlikely]]
    return one_by_one(x, [](T one) { return erfinv(one); });
  Twin<T> a = abs(x);
  TwinBits<T> row = ((1 - a).bits() >> kShift) - TwinBits<T>(to_bits(kLeast) >> kShift);
  return flip_sign(by_rows(kErfinvTable<T>.row, row, a), x);
}

// ---- tanh: rows about multiples of 1/8, about 0 up to 5/16
// By y' = 1 - y^2.
static constexpr Terms tanh_terms(double, double value, double) {
  Terms s{{value}};
  for (int k = 0; k + 1 < kTerms; ++k) {
    double square = 0;
    for (int i = 0; i <= k; ++i) square += s.c[i] * s.c[k - i];
    s.c[k + 1] = ((k == 0) - square) / (k + 1);
  }
  return s;
}
inline constexpr int kTanhParts = 8, kTanhFlat = 100;  // from there on centres may be further off
static constexpr double tanh_reach(double at, int row) {
  return at == 0 ? 2.5 / kTanhParts : (row < kTanhFlat ? 0.52 : 0.85) / kTanhParts;
}
alignas(64) inline constexpr auto kTanhTable =
    make_rows<double, std::size(kTanhCentres)>(kTanhCentres, tanh_terms, tanh_reach);
[[gnu::always_inline]] static inline Twin<double> tanh(Twin<double> x) {
  constexpr double kMost = 19.1, kShift = Bits<double>::kRound / kTanhParts;
  Twin<double> a = abs(x), place = smaller(a, kMost) + kShift;  // kMost for a NaN
  TwinBits<double> row = place.bits() & TwinBits<double>(0xff);
  return flip_sign(by_rows(kTanhTable.row, row, at_most(a, kMost)), x);
}

}  // namespace rl::math
#endif
