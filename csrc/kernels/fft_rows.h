// The Fourier transform of one long contiguous row. A length a * b is transformed as a matrix: its
// columns, kLanes side by side, then its rows. A length with a large prime factor is a convolution
// (Bluestein). Included by files that are compiled per instruction-set level.
#pragma once
#include <memory>

#include "core/allocator.h"
#include "kernels/fft_passes.h"
#include "plan/parallel.h"

namespace rl {
namespace RL_ISA_NS {
namespace {
namespace fft {

// Steps of a long stride are fetched this many elements ahead: no processor foresees them.
constexpr int64_t kAhead = 12;
// Rows up to this length are read and written in that way while the row before is at work.
constexpr int64_t kShortRow = 8192;
// Rows up to this length have a table of their roots of unity.
constexpr int64_t kLongestTurned = 16384;

// --- n = a * b: element i * b + j of the row is in row i, column j of the matrix
template <class T>
struct Matrix {
  int64_t a, b;
  std::vector<Pass<T>> of_columns, of_rows;
  // root(i * j, n) is that of the first column of a block of kLanes, `starts` (`stride` for each
  // block), times that of the place within the block, the lane of `powers`. Of a short row there
  // are the products, `turns`: those of a long one would take the memory's time.
  std::vector<Complex<T>> starts;
  std::vector<Point<T>> powers, turns;

  Matrix(int64_t n, std::pair<int64_t, int64_t> shape)
      : a(shape.first),
        b(shape.second),
        of_columns(passes_of<T>(a)),
        of_rows(passes_of<T>(b)),
        powers(static_cast<size_t>(n <= kLongestTurned ? 0 : stride())) {
    Roots roots(n);
    if (n <= kLongestTurned) {
      turns = turns_of(roots);
      return;
    }
    for (int64_t j = 0; j < b; j += kLanes<T>)
      for (int64_t i = 0; i < stride(); ++i) starts.push_back(Complex<T>(roots(i % a * j)));
    for (int64_t i = 0; i < a; ++i)
      for (int l = 0; l < kLanes<T>; ++l) {
        Complex<double> w = root(i * neighbour<T>(l), n);
        powers[i].re[l] = static_cast<T>(w.re);
        powers[i].im[l] = static_cast<T>(w.im);
      }
  }
  std::vector<Point<T>> turns_of(const Roots& roots) const {
    std::vector<Point<T>> all;
    for (int64_t j = 0; j < b; j += kLanes<T>)
      for (int64_t i = 0; i < stride(); ++i) {
        Point<T>& p = all.emplace_back();
        for (int l = 0; l < kLanes<T>; ++l) {
          Complex<T> w(roots(i * (j + neighbour<T>(l)) % (a * b)));
          p.re[l] = w.re, p.im[l] = w.im;
        }
      }
    return all;
  }
  // For the block of columns from the j-th on, there or made in the buffer.
  const Point<T>* turns_at(int64_t j, Point<T>* buffer) const {
    int64_t at = j / kLanes<T> * stride();
    if (!turns.empty()) return &turns[at];
    for (int64_t i = 0; i < a; ++i) buffer[i] = powers[i] * starts[at + i];
    std::fill_n(buffer + a, stride() - a, Point<T>{});
    return buffer;
  }
  int64_t stride() const { return row_blocks() * kLanes<T>; }
  int64_t column_blocks() const { return (b + kLanes<T> - 1) / kLanes<T>; }
  int64_t row_blocks() const { return (a + kLanes<T> - 1) / kLanes<T>; }
  // How far ahead memory is fetched, where a step is `stride`.
  int64_t ahead(int64_t stride) const { return a * b <= kShortRow ? a * b : kAhead * stride; }
};

// Transforms kLanes columns from the j-th on and lays them into `work`, a block of rows after
// another, each of b points whose lanes are its rows. `buffers`: two of a + kLanes points;
// `there`: how many elements there are from x on, of this row and others.
template <class T>
void transform_columns(const Matrix<T>& m, const Complex<T>* x, int64_t there, int64_t j,
                       Direction<T> direction, Point<T>* buffers, Point<T>* work) {
  constexpr int n = kLanes<T>;
  int64_t used = std::min<int64_t>(n, m.b - j);
  Point<T>*first = buffers, *second = first + m.a + n, *done;
  if (used == n) {
    Source<T> source{x + j, m.b, m.ahead(m.b), there - j - n, direction};
    done = transform(m.of_columns, source, first, second);
  } else {
    for (int64_t i = 0; i < m.a; ++i) first[i] = direction.in(load_some(x + i * m.b + j, used));
    done = transform(m.of_columns, first, second);
  }
  std::fill_n(done + m.a, n, Point<T>{});
  const Point<T>* turns = m.turns_at(j, done == first ? second : first);
  for (int64_t i = 0; i < m.a; i += n, work += m.b) {
    Point<T> rows[n];
    transpose_products(done + i, turns + i, used == n ? work + j : rows);
    if (used < n) std::copy_n(rows, used, work + j);
  }
}

// Transforms the kLanes rows whose points are at `work`, from the i-th on.
template <class T>
void transform_rows(const Matrix<T>& m, Point<T>* work, int64_t i, Direction<T> direction,
                    Point<T>* buffers, Complex<T>* out, int64_t there) {
  int64_t used = m.a - i;
  Point<T>*first = buffers, *second = first + m.b;
  if (used >= kLanes<T>) {
    Target<T> target{out + i, m.a, m.ahead(m.a), there - i - kLanes<T>, direction};
    return transform(m.of_rows, Stored<T>{work}, target, first, second);
  }
  const Point<T>* done = transform(m.of_rows, Stored<T>{work}, first, second);
  for (int64_t k = 0; k < m.b; ++k) store_some(out + i + k * m.a, used, direction.out(done[k]));
}

// One allocation for a row: rows on several threads would meet at the allocator's lock.
template <class T>
void transform_matrix(const Matrix<T>& m, const Complex<T>* x, Complex<T>* out, int64_t there,
                      Direction<T> direction) {
  constexpr int n = kLanes<T>;
  int64_t size = m.row_blocks() * m.b, extra = 2 * std::max(m.a + n, m.b);
  Scratch<Point<T>> memory(size + extra);
  Point<T>* work = memory.data();
  int64_t grain = 16384 / std::max(m.a + n, m.b) / n + 1;
  // f(begin, end, buffers); those of the first part, which is often all, are there.
  auto over_blocks = [&](int64_t count, auto f) {
    parallel_for(count, grain, [&](int64_t begin, int64_t end) {
      Scratch<Point<T>> own(begin ? extra : 0);
      f(begin, end, begin ? own.data() : work + size);
    });
  };
  over_blocks(m.column_blocks(), [&](int64_t begin, int64_t end, Point<T>* buffers) {
    for (int64_t j = begin * n; j < end * n; j += n)
      transform_columns(m, x, there, j, direction, buffers, work);
  });
  over_blocks(m.row_blocks(), [&](int64_t begin, int64_t end, Point<T>* buffers) {
    for (int64_t i = begin; i < end; ++i)
      transform_rows(m, work + i * m.b, i * n, direction, buffers, out, there);
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

// `rows`: how many rows there are from this one on, in x as in `out`.
template <class T>
void transform_row(const Row<T>& row, const Complex<T>* x, Complex<T>* out, int64_t rows,
                   Direction<T> direction);

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
  transform_row(*row.longer, row.filter.data(), row.filter.data(), 1,
                Direction<T>(false, T(1) / T(m)));
}

// Without eights, a two in the passes of both sides would be a pass too many: a four of one.
template <class T>
std::pair<int64_t, int64_t> shape_of(int64_t n) {
  auto [a, b] = near_square(n);
  bool twos = !kEights && std::countr_zero(static_cast<uint64_t>(a)) % 2 &&
              std::countr_zero(static_cast<uint64_t>(b)) % 2;
  if (twos && a / 2 % kLanes<T> == 0) return {a / 2, 2 * b};
  return {a, b};
}

template <class T>
Row<T>::Row(int64_t n) : n(n) {
  auto shape = shape_of<T>(n);
  if (n > 1 && radices(n, kEights).empty())
    plan_convolution(*this);
  else if (shape.first >= kLanes<T>)
    matrix = std::make_unique<Matrix<T>>(n, shape);
  else
    passes = passes_of<T>(n);
}

// out[k] = f(x[k], w[k]), kLanes at once.
template <class T, class F>
void combine(const Complex<T>* x, const Complex<T>* w, Complex<T>* out, int64_t n, F f) {
  for (int64_t k = 0; k < n; k += kLanes<T>)
    store_some(out + k, n - k, f(load_some(x + k, n - k), load_some(w + k, n - k)));
}

template <class T>
void convolve(const Row<T>& row, const Complex<T>* x, Complex<T>* out, Direction<T> direction) {
  using P = Point<T>;
  int64_t n = row.n, m = row.longer->n;
  Scratch<Complex<T>> scratch(m);
  Complex<T>* y = scratch.data();
  combine(x, row.chirp.data(), y, n, [&](P p, P w) { return direction.in(p) * w; });
  std::fill(y + n, y + m, Complex<T>{});
  transform_row(*row.longer, y, y, 1, Direction<T>(false, 1));
  combine(y, row.filter.data(), y, m, [](P p, P w) { return p * w; });
  transform_row(*row.longer, y, y, 1, Direction<T>(true, 1));
  combine(y, row.chirp.data(), out, n, [&](P p, P w) { return direction.out(p * w); });
}

template <class T>
void transform_row(const Row<T>& row, const Complex<T>* x, Complex<T>* out, int64_t rows,
                   Direction<T> direction) {
  if (row.longer) return convolve(row, x, out, direction);
  if (row.matrix) return transform_matrix(*row.matrix, x, out, rows * row.n, direction);
  Scratch<Point<T>> buffers(2 * row.n);
  Point<T>*a = buffers.data(), *b = a + row.n;
  for (int64_t k = 0; k < row.n; ++k) a[k] = direction.in(load_some(x + k, 1));
  Point<T>* done = transform(row.passes, a, b);
  for (int64_t k = 0; k < row.n; ++k) store_some(out + k, 1, direction.out(done[k]));
}

}  // namespace fft
}  // namespace
}  // namespace RL_ISA_NS
}  // namespace rl
