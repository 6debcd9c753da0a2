// Functions by tables of polynomials in memory, for levels with AVX2 alone: a row for each range,
// which lanes fetch for themselves; so a polynomial is short where one for all the numbers would
// be three times as long. Instructions that gather take longer than the polynomial: rows are
// loaded as they lie, and transposed. (AVX-512 has tables in registers, range_lanes.h.)
// A row is a centre, at which the function is nearly a number of the type, its value there, and
// the other coefficients of a polynomial in x less the centre. An odd function has rows about 0,
// of its odd terms, which reach further. make_rows computes rows while compiling, from the series
// at the centre. Not here: functions.
#pragma once

#include "twin.h"

#ifdef RL_HAS_TWINS
namespace rl::math {

// Doubles: 12 a row, in a polynomial of degree 10. Floats: 8, in one of degree 6.
template <class T>
inline constexpr int kRowLength = sizeof(T) == sizeof(float) ? 8 : 12;
// Where a row's centre is, the function there, and its slope; about 0, where the function is 0,
// what the slope lacks stands in its place.
template <class T>
struct Centre {
  T at, value;
  double slope;
};
template <class T>
struct Row {
  T centre, c[kRowLength<T> - 1];
};

// The terms of a series, more of them than a row has.
inline constexpr int kTerms = 25;
struct Terms {
  double c[kTerms];
};
// Chebyshev polynomials, which are least where they take the place of a power (Lanczos 1938).
struct ChebyshevTable {
  double c[kTerms][kTerms];
};
static constexpr ChebyshevTable chebyshev_polynomials() {
  ChebyshevTable t{};
  t.c[0][0] = t.c[1][1] = 1;
  for (int n = 2; n < kTerms; ++n)
    for (int k = 0; k <= n; ++k) t.c[n][k] = (k ? 2 * t.c[n - 1][k - 1] : 0) - t.c[n - 2][k];
  return t;
}
// The series down to degree `degree`, for arguments up to `reach` in magnitude.
static constexpr Terms shortened(Terms s, int degree, double reach) {
  constexpr ChebyshevTable kTable = chebyshev_polynomials();
  double power = 1;
  for (int k = 0; k < kTerms; ++k, power *= reach) s.c[k] *= power;
  for (int n = kTerms - 1; n > degree; --n) {
    const double by = s.c[n] / kTable.c[n][n];
    for (int k = 0; k <= n; ++k) s.c[k] -= by * kTable.c[n][k];
  }
  power = 1;
  for (int k = 0; k <= degree; ++k, power *= reach) s.c[k] /= power;
  return s;
}
template <class T, int N>
struct Rows {
  Row<T> row[N];
};
template <class T>
static constexpr Row<T> make_row(Centre<T> centre, const Terms& series, double reach) {
  constexpr int kCoefficients = kRowLength<T> - 1;
  Row<T> row{centre.at, {centre.value}};
  if (centre.at == 0) {  // where values are small: x + x times a polynomial in x^2
    Terms even{{series.c[1] - 1 + centre.value}};
    for (int k = 2; k + 1 < kTerms; k += 2) even.c[k] = series.c[k + 1];
    even = shortened(even, 2 * (kCoefficients - 2), reach);
    for (int k = 1; k < kCoefficients; ++k) row.c[k] = T(even.c[2 * k - 2]);
  } else {
    const Terms less = shortened(series, kCoefficients - 1, reach);
    for (int k = 1; k < kCoefficients; ++k) row.c[k] = T(less.c[k]);
  }
  return row;
}
// series(at, value, slope) are the Terms there, reach(centre, i) how far the range of row i goes.
template <class T, int N, int M, class Series, class Reach>
static constexpr Rows<T, N> make_rows(const Centre<T> (&centres)[M], Series series, Reach reach) {
  Rows<T, N> rows{};
  for (int i = 0; i < M; ++i) {
    const auto [at, value, slope] = centres[i];
    const Terms terms = series(double(at), at == 0 ? 0.0 : double(value), slope);
    rows.row[i] = make_row(centres[i], terms, reach(at, i));
  }
  return rows;
}

// ---- the rows of every lane
// Two 128-bit pieces side by side.
static inline __m256d two_pieces(const double* low, const double* high) {
  return _mm256_insertf128_pd(_mm256_castpd128_pd256(_mm_load_pd(low)), _mm_load_pd(high), 1);
}
static inline __m256 two_pieces(const float* low, const float* high) {
  return _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_load_ps(low)), _mm_load_ps(high), 1);
}
// As many columns as 128 bits hold, from k on, of the rows that start at at[0], at[1] ...
template <class Get>
[[gnu::always_inline]] static inline void fetch_columns(const double* const* at, int k, Get get) {
  __m256d even = two_pieces(at[0] + k, at[2] + k), odd = two_pieces(at[1] + k, at[3] + k);
  get(0, _mm256_unpacklo_pd(even, odd));
  get(1, _mm256_unpackhi_pd(even, odd));
}
template <class Get>
[[gnu::always_inline]] static inline void fetch_columns(const float* const* at, int k, Get get) {
  auto part = [=](int i) { return two_pieces(at[i] + k, at[i + 4] + k); };
  auto low = [](__m256 a, __m256 b) { return _mm256_unpacklo_ps(a, b); };
  auto high = [](__m256 a, __m256 b) { return _mm256_unpackhi_ps(a, b); };
  auto two = [&](int first, __m256 even, __m256 odd) {
    get(first, low(even, odd));
    get(first + 1, high(even, odd));
  };
  __m256 a = part(0), b = part(1), c = part(2), d = part(3);
  two(0, low(a, c), low(b, d));
  two(2, high(a, c), high(b, d));
}
// The rows of type R, of Ts, that the lanes of a Twin have.
template <class R, class T>
struct RowsOfLanes {
  static constexpr int kLength = sizeof(R) / sizeof(T), kTogether = 16 / sizeof(T);
  template <int N>
  struct Columns {
    Twin<T> c[N];
  };
  const T* at[Twin<T>::kLanes];

  [[gnu::always_inline]] RowsOfLanes(const R* rows, TwinBits<T> index) {
    alignas(32) typename Bits<T>::UInt row[Twin<T>::kLanes];
    std::memcpy(row, &index, sizeof row);
    for (int i = 0; i < Twin<T>::kLanes; ++i) at[i] = reinterpret_cast<const T*>(rows + row[i]);
  }
  // N columns from k on.
  template <int N = kTogether>
  [[gnu::always_inline]] Columns<N> columns(int k) const {
    Columns<N> columns;
    for (int j = 0; j < N; j += kTogether)
      fetch_columns(at, k + j, [&](int i, auto column) { columns.c[j + i].a = column; });
    for (int j = 0; j < N; j += kTogether)
      fetch_columns(at + Twin<T>::kHalf, k + j,
                    [&](int i, auto column) { columns.c[j + i].b = column; });
    return columns;
  }
};
// The polynomial of each lane's row at a >= 0. Coefficients of doubles are fetched as they are
// needed: all of them are more than there are registers. Of floats it is the rows' addresses that
// are many, so those of half the lanes are done with first.
template <class T>
[[gnu::always_inline]] static inline Twin<T> by_rows(const Row<T>* rows, TwinBits<T> index,
                                                     Twin<T> a) {
  using Lanes = RowsOfLanes<Row<T>, T>;
  constexpr int kFirst = sizeof(T) == sizeof(float) ? Lanes::kLength : Lanes::kTogether;
  constexpr int kLast = Lanes::kLength - 1;
  const Lanes lanes(rows, index);
  const auto first = lanes.template columns<kFirst>(0);
  auto about_zero = first.c[0] == Twin<T>(T(0));
  Twin<T> t = a - first.c[0], power = select(about_zero, t * t, t), curve;
  auto add = [&](int k, Twin<T> c) { curve = k < kLast ? mad(curve, power, c) : c; };
  for (int k = Lanes::kLength - Lanes::kTogether; k >= kFirst; k -= Lanes::kTogether) {
    const auto more = lanes.columns(k);
    for (int i = Lanes::kTogether - 1; i >= 0; --i) add(k + i, more.c[i]);
  }
  for (int k = kFirst - 1; k >= 2; --k) add(k, first.c[k]);
  return mad(curve, t, select(about_zero, t, first.c[1]));
}

}  // namespace rl::math
#endif
