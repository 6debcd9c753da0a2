// The Fourier transform of one long contiguous row. A length a * b is transformed as a matrix: its
// columns, kLanes side by side, then its rows. A length with a large prime factor is a convolution
// (Bluestein). Included by files that are compiled per instruction-set level.
#pragma once
#include <memory>

#include "core/allocator.h"
#include "kernels/fft_lanes.h"
#include "plan/parallel.h"

namespace rl {
namespace RL_ISA_NS {
namespace {
namespace fft {

// Steps of a long stride are fetched this many elements ahead: no processor foresees them.
constexpr int64_t kAhead = 12;

// Up to kLanes neighbouring complex numbers, one to a lane.
template <class T>
Point<T> load_adjacent(const Complex<T>* x, int64_t used) {
  typename Point<T>::Lanes low{}, high{};
  if (used >= kLanes<T>) {
    std::memcpy(&low, x, sizeof low);
    std::memcpy(&high, x + kLanes<T> / 2, sizeof high);
  } else {
    Complex<T> some[kLanes<T>] = {};
    for (int l = 0; l < used; ++l) some[l] = x[l];
    return load_adjacent(some, kLanes<T>);
  }
  return {pick<EverySecond<0>, T>(low, high), pick<EverySecond<1>, T>(low, high)};
}

template <class T>
void store_adjacent(Complex<T>* out, int64_t used, Point<T> p) {
  auto low = pick<Alternate<0>, T>(p.re, p.im), high = pick<Alternate<1>, T>(p.re, p.im);
  Complex<T> some[kLanes<T>], *to = used >= kLanes<T> ? out : some;
  std::memcpy(&to->re, &low, sizeof low);
  std::memcpy(&to[kLanes<T> / 2].re, &high, sizeof high);
  if (to == some) std::copy_n(some, used, out);
}

// --- n = a * b: element i * b + j of the row is in row i, column j of the matrix
template <class T>
struct Matrix {
  int64_t a, b;
  std::vector<Pass<T>> of_columns, of_rows;
  Roots roots;
  std::vector<Point<T>> powers;  // powers[i], lane l: root(i * l, n)

  Matrix(int64_t n, std::pair<int64_t, int64_t> shape)
      : a(shape.first),
        b(shape.second),
        of_columns(passes_of<T>(a)),
        of_rows(passes_of<T>(b)),
        roots(n),
        powers(static_cast<size_t>(a)) {
    for (int64_t i = 0; i < a; ++i)
      for (int l = 0; l < kLanes<T>; ++l) {
        Complex<double> w = root(i * l, n);
        powers[i].re[l] = static_cast<T>(w.re);
        powers[i].im[l] = static_cast<T>(w.im);
      }
  }
  int64_t row_blocks() const { return (a + kLanes<T> - 1) / kLanes<T>; }
};

// Turns kLanes points of kLanes columns into points whose lanes are the rows.
template <class T>
void transpose(const Point<T>* from, Point<T>* to) {
  typename Point<T>::Lanes re[kLanes<T>], im[kLanes<T>];
  for (int i = 0; i < kLanes<T>; ++i) re[i] = from[i].re, im[i] = from[i].im;
  transpose<1, T>(re);
  transpose<1, T>(im);
  for (int i = 0; i < kLanes<T>; ++i) to[i] = {re[i], im[i]};
}

// Transforms kLanes columns from the j-th on and lays them into `work`, a block of rows after
// another, each of b points whose lanes are its rows.
template <class T>
void transform_columns(const Matrix<T>& m, const Complex<T>* x, int64_t j, bool inverse,
                       Point<T>* x_buffer, Point<T>* y_buffer, Point<T>* work) {
  constexpr int n = kLanes<T>;
  int64_t used = std::min<int64_t>(n, m.b - j);
  for (int64_t i = 0; i < m.a; ++i) {
    __builtin_prefetch(x + (i + kAhead) * m.b + j);
    x_buffer[i] = swapped_if(inverse, load_adjacent(x + i * m.b + j, used));
  }
  Point<T>* done = transform(m.of_columns, x_buffer, y_buffer);
  for (int64_t i = 0; i < m.a; ++i) done[i] = done[i] * (m.powers[i] * Complex<T>(m.roots(i * j)));
  for (int64_t i = 0; i < m.a; i += n, work += m.b) {
    Point<T> rows[n];
    if (i + n > m.a) std::fill_n(done + m.a, i + n - m.a, Point<T>{});
    transpose(done + i, rows);
    std::copy_n(rows, used, work + j);
  }
}

template <class T>
void transform_matrix(const Matrix<T>& m, const Complex<T>* x, Complex<T>* out, bool inverse,
                      T scale) {
  constexpr int n = kLanes<T>;
  Scratch<Point<T>> work(m.row_blocks() * m.b);
  int64_t longest = std::max(m.a + n, m.b), grain = 16384 / longest / n + 1;
  parallel_for((m.b + n - 1) / n, grain, [&](int64_t begin, int64_t end) {
    Scratch<Point<T>> buffers(2 * longest);
    for (int64_t j = begin * n; j < end * n; j += n)
      transform_columns(m, x, j, inverse, buffers.data(), buffers.data() + longest, work.data());
  });
  parallel_for(m.row_blocks(), grain, [&](int64_t begin, int64_t end) {
    Scratch<Point<T>> buffer(m.b);
    for (int64_t i = begin; i < end; ++i) {
      Point<T>* done = transform(m.of_rows, work.data() + i * m.b, buffer.data());
      for (int64_t k = 0; k < m.b; ++k) {
        Complex<T>* to = out + k * m.a + i * n;
        __builtin_prefetch(to + kAhead * m.a, 1);
        store_adjacent(to, m.a - i * n, swapped_if(inverse, done[k]) * scale);
      }
    }
  });
}

// --- any length
template <class T>
struct Row {
  int64_t n;
  std::vector<Pass<T>> passes;        // of a short one, which uses a single lane,
  std::unique_ptr<Matrix<T>> matrix;  // or of a matrix,
  std::unique_ptr<Row> longer;        // or a convolution of this length:
  std::vector<Complex<T>> chirp, filter;
  explicit Row(int64_t n);
};

template <class T>
void transform_row(const Row<T>& row, const Complex<T>* x, Complex<T>* out, bool inverse, T scale);

// k * j = (k^2 + j^2 - (k - j)^2) / 2: the transform is a convolution with exp(pi i k^2 / n).
template <class T>
void plan_convolution(Row<T>& row) {
  int64_t n = row.n, m = smooth_length(2 * n - 1);
  row.longer = std::make_unique<Row<T>>(m);
  row.filter.resize(static_cast<size_t>(m));
  Roots roots(2 * n);
  for (int64_t k = 0, square = 0; k < n; square = (square + 2 * k + 1) % (2 * n), ++k) {
    Complex<double> w = roots(square);
    row.chirp.push_back(Complex<T>(w));
    row.filter[k] = {static_cast<T>(w.re), static_cast<T>(-w.im)};
    if (k) row.filter[m - k] = row.filter[k];
  }
  transform_row(*row.longer, row.filter.data(), row.filter.data(), false, T(1) / T(m));
}

template <class T>
Row<T>::Row(int64_t n) : n(n) {
  auto shape = near_square(n);
  if (n > 1 && radices(n).empty())
    plan_convolution(*this);
  else if (shape.first >= kLanes<T>)
    matrix = std::make_unique<Matrix<T>>(n, shape);
  else
    passes = passes_of<T>(n);
}

template <class T>
void convolve(const Row<T>& row, const Complex<T>* x, Complex<T>* out, bool inverse, T scale) {
  int64_t n = row.n, m = row.longer->n;
  Scratch<Complex<T>> scratch(m);
  Complex<T>* y = scratch.data();
  for (int64_t k = 0; k < n; ++k) y[k] = swapped_if(inverse, x[k]) * row.chirp[k];
  std::fill(y + n, y + m, Complex<T>{});
  transform_row(*row.longer, y, y, false, T(1));
  for (int64_t k = 0; k < m; ++k) y[k] *= row.filter[k];
  transform_row(*row.longer, y, y, true, scale);
  for (int64_t k = 0; k < n; ++k) out[k] = swapped_if(inverse, y[k] * row.chirp[k]);
}

template <class T>
void transform_row(const Row<T>& row, const Complex<T>* x, Complex<T>* out, bool inverse, T scale) {
  if (row.longer) return convolve(row, x, out, inverse, scale);
  if (row.matrix) return transform_matrix(*row.matrix, x, out, inverse, scale);
  Scratch<Point<T>> buffers(2 * row.n);
  Point<T>*a = buffers.data(), *b = a + row.n;
  for (int64_t k = 0; k < row.n; ++k) a[k] = swapped_if(inverse, load_adjacent(x + k, 1));
  Point<T>* done = transform(row.passes, a, b);
  for (int64_t k = 0; k < row.n; ++k)
    store_adjacent(out + k, 1, swapped_if(inverse, done[k]) * scale);
}

}  // namespace fft
}  // namespace
}  // namespace RL_ISA_NS
}  // namespace rl
