// Matrix products in blocks that fit the caches, after Goto: a sliver of b (kDepth rows, two
// vectors wide) stays in the first-level cache while the rows of a pass by, and a tile of c in
// registers. Compiled once per instruction-set level; which products come here is gemm.cpp's.
#include <algorithm>
#include <cstring>
#include <utility>

#include "core/allocator.h"
#include "kernels/gemm.h"
#include "kernels/gemm_tile.h"
#include "kernels/parts.h"
#include "kernels/transpose.h"
#include "plan/blocks.h"
#include "plan/isa.h"

namespace rl {
namespace RL_ISA_NS {
namespace {

constexpr int64_t kDepth = 256;
constexpr int64_t kPanel = 1024;  // columns whose slivers are kept for all rows of a

// Where the result goes: element (r, j) is at c + r * row + j * col.
template <class T>
struct Target {
  T* c;
  int64_t row, col;
};

// As tile, for fewer columns than a tile has or columns that are apart: through a whole one.
template <class T, int R>
void edge_tile(const Strip<T>& s, bool packed, int64_t cols, Target<T> to, bool accumulate) {
  if (cols == kLanes<T> && to.col == 1) return tile<T, R, 1>(s, packed, to.c, to.row, accumulate);
  alignas(64) T whole[R * kWidth<T>];
  cols > kLanes<T> ? tile<T, R, 2>(s, packed, whole, kWidth<T>, false)
                   : tile<T, R, 1>(s, packed, whole, kWidth<T>, false);
  auto keep = [&](int64_t j, int64_t r) {
    T value = whole[r * kWidth<T> + j], &c = to.c[r * to.row + j * to.col];
    c = accumulate ? c + value : value;
  };
  if (to.col == 1)
    for (int64_t r = 0; r < R; ++r)
      for (int64_t j = 0; j < cols; ++j) keep(j, r);
  else
    for (int64_t j = 0; j < cols; ++j)
      for (int64_t r = 0; r < R; ++r) keep(j, r);
}

// ---- packing
// Where rows of b are contiguous, `slivers` of them side by side: row by row, as memory lies.
template <class T>
void pack_rows(T* to, int64_t sliver, const T* from, int64_t step, int64_t depth, int64_t slivers) {
  for (int64_t k = 0; k < depth; ++k, from += step, to += kWidth<T>)
    for (int64_t j = 0; j < slivers; ++j) {
      store_vector<T>(to + j * sliver, load_vector(from + j * kWidth<T>));
      store_vector<T>(to + j * sliver + kLanes<T>, load_vector(from + j * kWidth<T> + kLanes<T>));
    }
}

// Where columns of b are contiguous, `step` apart: in squares of whole vectors.
template <class T>
void pack_columns(T* to, const T* from, int64_t step, int64_t depth) {
  constexpr int64_t L = kLanes<T>;
  for (int64_t j = 0; j < kWidth<T>; j += L, from += L * step) {
    int64_t k = 0;
    for (; k + L <= depth; k += L) {
      Vector<T> v[L];
      for (int i = 0; i < L; ++i) v[i] = load_vector(from + i * step + k);
      transpose(v);
      for (int i = 0; i < L; ++i) store_vector(to + (k + i) * kWidth<T> + j, v[i]);
    }
    for (; k < depth; ++k)
      for (int i = 0; i < L; ++i) to[k * kWidth<T> + j + i] = from[i * step + k];
  }
}

// Any sliver of b; missing columns are 0.
template <class T>
void pack_sliver(T* to, const T* from, const Matrix& b, int64_t depth, int64_t cols) {
  constexpr int64_t item = sizeof(T);
  if (b.row_stride == 1 && cols == kWidth<T>) return pack_columns(to, from, b.col_stride, depth);
  if (cols < kWidth<T>) std::fill_n(to, depth * kWidth<T>, T(0));
  mover(item)(reinterpret_cast<char*>(to), reinterpret_cast<const char*>(from), depth, cols,
              {kWidth<T> * item, item}, {b.row_stride * item, b.col_stride * item});
}

// A strip of R rows of a, column by column.
template <class T, int R>
void pack_strip(T* to, const T* from, int64_t row, int64_t col, int64_t depth) {
  auto columns = [&](auto step) {
    for (int64_t k = 0; k < depth; ++k, to += R, from += col)
#pragma GCC unroll 12
      for (int r = 0; r < R; ++r) to[r] = from[r * step];
  };
  if (row == 1)
    columns(std::integral_constant<int64_t, 1>());
  else
    columns(row);
}

// ---- the product
template <class T>
class Product {
 public:
  Product(const Matrix& a, const Matrix& b, Target<T> c, bool accumulate)
      : a_(a), b_(b), c_(c), accumulate_(accumulate) {
    direct_ = b.col_stride == 1 && b.rows * b.cols <= kSmall;
    packs_a_ = b.cols >= (a.col_stride == 1 ? kLongRows : kWidth<T> * 3);
  }

  void run() {
    int64_t width = std::min(kPanel, b_.cols);
    bool packs_b = !direct_ || b_.cols % kLanes<T>;
    Scratch<T> panel(packs_b ? slivers(width) * sliver_size(depth_of(b_)) : 0);
    if (b_.row_stride == 1 && b_.col_stride != 1) lazy_ = panel.data();
    run({0, b_.cols}, [&](const Piece& p) {
      if (packs_b && !lazy_) pack_panel(panel.data(), p);
      return panel.data();
    });
  }

  // ---- b packed before, part of its depth by part
  static int64_t packed_size(const Matrix& b) {
    int64_t depth = depth_of(b);
    return (b.rows + depth - 1) / depth * slivers(b.cols) * sliver_size(depth);
  }
  void pack(T* to) {
    direct_ = false;
    for (int64_t k = 0, depth = depth_of(b_); k < b_.rows; k += depth)
      pack_panel(to + packed_part(k), {0, b_.cols, k, std::min(depth, b_.rows - k)});
  }
  // These columns of c; the first is that of a sliver.
  void run_packed(const T* packed, Span columns) {
    direct_ = false;
    run(columns, [&](const Piece& p) {
      return packed + packed_part(p.k) + p.j / kWidth<T> * sliver_size(p.depth);
    });
  }

 private:
  static constexpr int64_t kSmall = 4096;        // elements of b that are not worth packing
  static constexpr int64_t kLongRows = 256;      // columns of b from which any a is worth it
  static constexpr int64_t kBlock = kRows * 16;  // rows of a that stay in the second-level cache

  // The size of the pieces if n is cut into the fewest that are no longer than `most`.
  static int64_t even_part(int64_t n, int64_t most) {
    int64_t parts = (n + most - 1) / most;
    return (n + parts - 1) / parts;
  }
  static int64_t slivers(int64_t cols) { return (cols + kWidth<T> - 1) / kWidth<T>; }
  static int64_t depth_of(const Matrix& b) { return even_part(b.rows, kDepth); }
  int64_t packed_part(int64_t k) const {
    int64_t depth = depth_of(b_);
    return k / depth * slivers(b_.cols) * sliver_size(depth);
  }
  // A line more than its elements, or all slivers would begin in the same set of the cache.
  static int64_t sliver_size(int64_t depth) { return depth * kWidth<T> + 64 / sizeof(T); }

  const T* a_at(int64_t i, int64_t k) const {
    return static_cast<const T*>(a_.data) + i * a_.row_stride + k * a_.col_stride;
  }
  const T* b_at(int64_t k, int64_t j) const {
    return static_cast<const T*>(b_.data) + k * b_.row_stride + j * b_.col_stride;
  }

  // Columns [j, j + cols) and rows [k, k + depth) of b.
  struct Piece {
    int64_t j, cols, k, depth;
  };
  void pack_panel(T* to, const Piece& p) const {
    int64_t whole = p.cols / kWidth<T>, size = sliver_size(p.depth), done = 0;
    if (b_.col_stride == 1) {
      if (!direct_) pack_rows(to, size, b_at(p.k, p.j), b_.row_stride, p.depth, whole);
      done = whole;
    }
    for (int64_t s = done; s < slivers(p.cols); ++s)
      pack_sliver(to + s * size, b_at(p.k, p.j + s * kWidth<T>), b_, p.depth,
                  std::min(kWidth<T>, p.cols - s * kWidth<T>));
  }

  // `panel_of(piece)` is where its slivers are.
  template <class F>
  void run(Span columns, F panel_of) {
    int64_t depth = depth_of(b_);
    Scratch<T> block(packs_a_ ? kBlock * depth : 0);
    block_ = block.data();
    for (int64_t j = columns.first; j < columns.last; j += kPanel)
      for (int64_t k = 0; k < b_.rows; k += depth) {
        Piece p{j, std::min(kPanel, columns.last - j), k, std::min(depth, b_.rows - k)};
        panel_ = panel_of(p);
        multiply_panel(p);
      }
  }

  void multiply_panel(const Piece& p) {
    for (int64_t i0 = 0; i0 < a_.rows; i0 += kBlock) {
      int64_t rows = std::min(kBlock, a_.rows - i0);
      if (packs_a_) pack_block(i0, rows, p.k, p.depth);
      for (int64_t j = 0; j < p.cols; j += kWidth<T>) {
        int64_t cols = std::min(kWidth<T>, p.cols - j);
        bool fresh = lazy_ && i0 == 0;
        if (fresh)
          pack_sliver(lazy_ + j / kWidth<T> * sliver_size(p.depth), b_at(p.k, p.j + j), b_, p.depth,
                      cols);
        int64_t next = fresh ? std::min(kWidth<T>, p.cols - j - cols) : 0;
        multiply_sliver(i0, rows, p.j, j, cols, p.k, p.depth, next);
      }
    }
  }
  // Asks for contiguous columns [j, end) of b: no prefetcher follows so many short runs.
  void ask_for(int64_t k, int64_t depth, int64_t j, int64_t end) const {
    for (; j < end; ++j)
      for (int64_t i = 0; i < depth; i += 64 / sizeof(T)) __builtin_prefetch(b_at(k + i, j), 0, 2);
  }

  void pack_block(int64_t i0, int64_t rows, int64_t k0, int64_t depth) {
    // Where columns are contiguous, strips side by side, a few columns at a time.
    int64_t chunk = a_.col_stride == 1 ? depth : 16;
    EvenParts strips(rows, kRows);
    for (int64_t k = 0; k < depth; k += chunk)
      for (int64_t i = 0, begin = 0; begin < rows; ++i) {
        int64_t end = strips.begin(i + 1);
        with_number<kRows>(end - begin, [&]<int R>() {
          pack_strip<T, R>(block_ + begin * depth + k * R, a_at(i0 + begin, k0 + k), a_.row_stride,
                           a_.col_stride, std::min(chunk, depth - k));
        });
        begin = end;
      }
  }

  // Meanwhile the `next` columns are read, which are packed next.
  void multiply_sliver(int64_t i0, int64_t rows, int64_t j0, int64_t j, int64_t cols, int64_t k0,
                       int64_t depth, int64_t next) {
    bool whole = cols == kWidth<T>, in_place = direct_ && (whole || cols == kLanes<T>);
    bool add = accumulate_ || k0 > 0;
    bool straight = whole && c_.col == 1;
    Strip<T> s{nullptr, a_.row_stride, a_.col_stride, b_at(k0, j0 + j), b_.row_stride, depth};
    if (!in_place) {
      s.b = panel_ + j / kWidth<T> * sliver_size(depth);
      s.step = kWidth<T>;
    }
    EvenParts strips(rows, kRows);
    for (int64_t i = 0, begin = 0; begin < rows; ++i) {
      int64_t end = strips.begin(i + 1);
      int64_t after = j0 + j + cols;
      ask_for(k0, depth, after + i * next / strips.count, after + (i + 1) * next / strips.count);
      Target<T> c{c_.c + (i0 + begin) * c_.row + (j0 + j) * c_.col, c_.row, c_.col};
      s.a = packs_a_ ? block_ + begin * depth : a_at(i0 + begin, k0);
      with_number<kRows>(end - begin, [&]<int R>() {
        straight ? tile<T, R>(s, packs_a_, c.c, c.row, add)
                 : edge_tile<T, R>(s, packs_a_, cols, c, add);
      });
      begin = end;
    }
  }

  Matrix a_, b_;
  Target<T> c_;
  bool accumulate_, direct_, packs_a_;
  const T* panel_ = nullptr;
  T* lazy_ = nullptr;  // the panel, if its slivers are packed when they are first multiplied
  T* block_ = nullptr;
};

template <class T>
void blocks(const Matrix& a, const Matrix& b, T* c, int64_t ldc, bool accumulate) {
  // A few rows times the transpose of a large matrix: as the large one, which need not be packed
  // then, times a few columns. Results go apart one by one, which is dearer where sums are short.
  const int64_t few = std::min<int64_t>(64, b.rows / 2);
  bool flip = b.row_stride == 1 && b.col_stride != 1 && a.rows <= few && a.rows < b.cols;
  if (flip)
    Product<T>(transposed(b), transposed(a), {c, 1, ldc}, accumulate).run();
  else
    Product<T>(a, b, {c, ldc, 1}, accumulate).run();
}

template <class T>
void pack(const Matrix& b, T* to) {
  Product<T>({}, b, {}, false).pack(to);
}
template <class T>
void packed_blocks(const Matrix& a, const Matrix& b, const T* packed, T* c, int64_t ldc,
                   bool accumulate, int64_t first, int64_t last) {
  Span columns{first * kWidth<T>, std::min(b.cols, last * kWidth<T>)};
  Product<T>(a, b, {c, ldc, 1}, accumulate).run_packed(packed, columns);
}

template <class T>
constexpr BlockProducts<T> kProducts{blocks<T>, kWidth<T>, Product<T>::packed_size, pack<T>,
                                     packed_blocks<T>};
RL_REGISTER(OfGemmBlocks, isa_rank(RL_ISA_NAME),
            GemmBlocks{{kProducts<float>, kProducts<double>},
                       kProducts<uint16_t>,
                       kProducts<uint32_t>,
                       kProducts<uint64_t>});

}  // namespace
}  // namespace RL_ISA_NS
}  // namespace rl
