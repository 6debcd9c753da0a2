// Moving tiles between any two geometries, by element size: rows, steps of two, reversals,
// broadcasts, transposes in registers. Nothing here looks at values. Compiled once per ISA level.
#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>
#ifdef __SSE2__
#include <immintrin.h>
#endif

#include "kernels/transpose.h"
#include "plan/blocks.h"
#include "plan/isa.h"

namespace rl {
namespace RL_ISA_NS {
namespace {

struct [[gnu::packed, gnu::may_alias]] Bytes16 {
  int64_t a, b;
};
// Where T stands for several elements, whose alignment is smaller.
template <class T>
struct Unaligned {
  typedef T Type [[gnu::aligned(1), gnu::may_alias]];
};
template <>
struct Unaligned<Bytes16> {
  using Type = Bytes16;
};

template <class T>
T read(const char* p) {
  T v;
  std::memcpy(&v, p, sizeof(T));
  return v;
}
template <class T>
void write(char* p, T v) {
  std::memcpy(p, &v, sizeof(T));
}

// ---- rows
#ifdef __AVX__
constexpr int64_t kChunk = 32;
#else
constexpr int64_t kChunk = 16;
#endif
typedef char Chunk __attribute__((vector_size(kChunk)));

// For lengths known at run time only: short ones cost more in memcpy's entry than in copying.
inline void copy_bytes(char* dst, const char* src, int64_t n) {
  if (n >= kChunk) {
    Chunk last = read<Chunk>(src + n - kChunk);
    int64_t i = 0;
    for (; i + 4 * kChunk <= n; i += 4 * kChunk) {
      Chunk part[4];
      for (int j = 0; j < 4; ++j) part[j] = read<Chunk>(src + i + j * kChunk);
      for (int j = 0; j < 4; ++j) write(dst + i + j * kChunk, part[j]);
    }
    for (; i + kChunk < n; i += kChunk) write(dst + i, read<Chunk>(src + i));
    return write(dst + n - kChunk, last);
  }
  auto ends = [&]<class W>(W) {  // two overlapping words
    W first = read<W>(src), last = read<W>(src + n - sizeof(W));
    write(dst, first), write(dst + n - sizeof(W), last);
  };
  if (n >= 16) return ends(Bytes16{});
  if (n >= 8) return ends(uint64_t{});
  if (n >= 4) return ends(uint32_t{});
  for (int64_t i = 0; i < n; ++i) dst[i] = src[i];
}

#ifdef __AVX__
inline void stream_chunk(char* to, Chunk v) {
  _mm256_stream_si256(reinterpret_cast<__m256i*>(to), std::bit_cast<__m256i>(v));
}
#elif defined(__SSE2__)
inline void stream_chunk(char* to, Chunk v) {
  _mm_stream_si128(reinterpret_cast<__m128i*>(to), std::bit_cast<__m128i>(v));
}
#endif

// Whole lines go past the caches.
void stream(char* dst, const char* src, int64_t n) {
#ifdef __SSE2__
  constexpr int64_t line = 64;
  int64_t head = std::min(n, -reinterpret_cast<intptr_t>(dst) & (line - 1));
  int64_t whole = head + (n - head) / line * line;
  copy_bytes(dst, src, head);
  for (int64_t i = head; i < whole; i += line)
    for (int64_t j = i; j < i + line; j += kChunk) stream_chunk(dst + j, read<Chunk>(src + j));
  copy_bytes(dst + whole, src + whole, n - whole);
#else
  copy_bytes(dst, src, n);
#endif
}

template <class T>
void fill_row(char* dst, T v, int64_t n) {
  constexpr int64_t item = sizeof(T);
  int64_t i = 0;
  if constexpr (item < 16) {
    typedef T Vector __attribute__((vector_size(kChunk)));
    const Vector all = Vector{} + v;
    const int64_t last = n * item - kChunk;
    if (last >= 0) {  // the rest by one that overlaps
      for (; i < last; i += kChunk) write(dst + i, all);
      return write(dst + last, all);
    }
  }
  for (; i < n; ++i) write(dst + i * item, v);
}

// Every kStep-th element. The last one is apart: vectors end with what lies after an element.
template <int kStep, class Loose>
void gather_steps(Loose* d, const Loose* s, int64_t n) {
#pragma GCC ivdep
  for (int64_t i = 0; i + 1 < n; ++i) d[i] = s[kStep * i];
  if (n > 0) d[n - 1] = s[kStep * (n - 1)];
}

// Every second one, by vectors of a width that shuffles cost little of.
template <class T, class Loose>
void gather_seconds(Loose* d, const Loose* s, int64_t n) {
  constexpr int64_t kSide = 16 / sizeof(T);
  typedef T V __attribute__((vector_size(16)));
  int64_t i = 0;
  auto gather = [&]<size_t... I>(std::index_sequence<I...>) {
    for (; i + kSide < n; i += kSide) {
      const auto* from = reinterpret_cast<const char*>(s + 2 * i);
      const V low = read<V>(from), high = read<V>(from + 16);
      write(reinterpret_cast<char*>(d + i), V(__builtin_shufflevector(low, high, (2 * I)...)));
    }
  };
  gather(std::make_index_sequence<kSide>());
  for (; i < n; ++i) d[i] = s[2 * i];
}

// Backwards from `src`, by whole vectors, of which the last may go over the one before.
template <class T>
void reverse_row(char* dst, const char* src, int64_t n) {
  constexpr int64_t item = sizeof(T);
  if constexpr (item < 16) {
    constexpr int64_t kSide = (item == 8 ? kChunk : 16) / item;
    typedef T V __attribute__((vector_size(kSide * item)));
    auto reversed = [=]<size_t... I>(int64_t i, std::index_sequence<I...>) {
      V v = read<V>(src - (i + kSide - 1) * item);
      write(dst + i * item, V(__builtin_shufflevector(v, v, (kSide - 1 - I)...)));
    };
    constexpr std::make_index_sequence<kSide> lanes;
    if (n >= kSide) {
      for (int64_t i = 0; i + kSide < n; i += kSide) reversed(i, lanes);
      return reversed(n - kSide, lanes);
    }
  }
  for (int64_t i = 0; i < n; ++i) write(dst + i * item, read<T>(src - i * item));
}

// Small steps become shuffles, others stay scalar.
template <class T>
[[gnu::noinline]] void gather_apart(char* dst, const char* src, int64_t n, int64_t step) {
  using Loose = typename Unaligned<T>::Type;
  auto* d = reinterpret_cast<Loose*>(dst);
  auto* s = reinterpret_cast<const Loose*>(src);
  constexpr int64_t item = sizeof(T);
  if constexpr (item < 16)
    if (step == 2 * item) return gather_seconds<T>(d, s, n);
  if (step == 3 * item) return gather_steps<3>(d, s, n);
  if (step == 4 * item) return gather_steps<4>(d, s, n);
  if (step == -item) {
    reverse_row<T>(dst, src, n);
  } else {
#pragma GCC unroll 4
    for (int64_t i = 0; i < n; ++i) d[i] = *reinterpret_cast<const Loose*>(src + i * step);
  }
}

// One row into contiguous elements. Short rows would feel what a larger function saves on entry.
template <class T>
void gather_row(char* dst, const char* src, int64_t n, int64_t step) {
  constexpr int64_t item = sizeof(T);
  if (step == item) return copy_bytes(dst, src, n * item);
  if (step == 0) return fill_row<T>(dst, read<T>(src), n);
  gather_apart<T>(dst, src, n, step);
}

// ---- rows of a few bytes
constexpr int64_t kNarrow = 32;

// By two words that may overlap.
template <class W>
bool copy_ends(char* dst, const char* src, int64_t rows, int64_t width, TileSteps step) {
  auto last = width - static_cast<int64_t>(sizeof(W));
  for (int64_t r = 0; r < rows; ++r, dst += step.row, src += step.col) {
    W head = read<W>(src), tail = read<W>(src + last);
    write(dst, head), write(dst + last, tail);
  }
  return true;
}
// By one, which is then an element.
template <class W>
bool copy_whole(char* dst, const char* src, int64_t rows, TileSteps step) {
  if (step.row == sizeof(W)) {
    gather_row<W>(dst, src, rows, step.col);
    return true;
  }
  for (int64_t r = 0; r < rows; ++r, dst += step.row, src += step.col) write(dst, read<W>(src));
  return true;
}
// Of a few elements that lie `apart`.
template <class T, int kCols, class Step>
bool copy_each(char* dst, const char* src, int64_t rows, TileSteps step, Step apart) {
  for (int64_t r = 0; r < rows; ++r, dst += step.row, src += step.col) {
    T v[kCols];
    for (int c = 0; c < kCols; ++c) v[c] = read<T>(src + c * apart);
    for (int c = 0; c < kCols; ++c) write(dst + c * sizeof(T), v[c]);
  }
  return true;
}

// Elements that follow each other, each kCols times, by whole vectors: how many there were.
template <class T, int kCols>
int64_t repeat_vectors(char* dst, const char* src, int64_t n) {
  constexpr int64_t kSide = 16 / sizeof(T);
  typedef T V __attribute__((vector_size(16)));
  auto repeat = [=]<size_t... I>(int64_t i, std::index_sequence<I...>) {
    const V v = read<V>(src + i * sizeof(T));
    char* to = dst + i * kCols * sizeof(T);
    auto part = [&]<size_t J>(std::integral_constant<size_t, J>) {
      write(to + J * 16, V(__builtin_shufflevector(v, v, ((J * kSide + I) / kCols)...)));
    };
    [&]<size_t... J>(std::index_sequence<J...>) {
      (part(std::integral_constant<size_t, J>()), ...);
    }(std::make_index_sequence<kCols>());
  };
  int64_t i = 0;
  for (; i + kSide <= n; i += kSide) repeat(i, std::make_index_sequence<kSide>());
  return i;
}
template <class T, int kCols>
bool repeat_each(char* dst, const char* src, int64_t rows, TileSteps step) {
  constexpr int64_t item = sizeof(T);
  int64_t done = 0;
  if constexpr (item < 16)
    if (step.col == item && step.row == kCols * item)
      done = repeat_vectors<T, kCols>(dst, src, rows);
  return copy_each<T, kCols>(dst + done * step.row, src + done * step.col, rows - done, step,
                             std::integral_constant<int64_t, 0>());
}

// False where no way is at hand. The target's columns are contiguous.
template <class T>
bool move_narrow(char* dst, const char* src, int64_t rows, int64_t cols, TileSteps d, TileSteps s) {
  constexpr int64_t item = sizeof(T);
  int64_t width = cols * item;
  TileSteps step{d.row, s.row};  // of the target, of the source
  if (s.col == 0) {
    if (cols == 2) return repeat_each<T, 2>(dst, src, rows, step);
    if (cols == 3) return repeat_each<T, 3>(dst, src, rows, step);
    return cols == 4 && repeat_each<T, 4>(dst, src, rows, step);
  }
  if (s.col != item) {
    if (cols == 2) return copy_each<T, 2>(dst, src, rows, step, s.col);
    if (cols == 3) return copy_each<T, 3>(dst, src, rows, step, s.col);
    return cols == 4 && copy_each<T, 4>(dst, src, rows, step, s.col);
  }
  if (width > kNarrow || width < 2) return false;
  if (width == 2) return copy_whole<uint16_t>(dst, src, rows, step);
  if (width == 4) return copy_whole<uint32_t>(dst, src, rows, step);
  if (width == 8) return copy_whole<uint64_t>(dst, src, rows, step);
  if (width == 16) return copy_whole<Bytes16>(dst, src, rows, step);
  if (width > 16) return copy_ends<Bytes16>(dst, src, rows, width, step);
  if (width > 8) return copy_ends<uint64_t>(dst, src, rows, width, step);
  if (width > 4) return copy_ends<uint32_t>(dst, src, rows, width, step);
  return copy_ends<uint16_t>(dst, src, rows, width, step);
}

// ---- transposes
template <class T>
struct Square {  // of as many rows as a register has elements
  typedef T V __attribute__((vector_size(16)));
  static constexpr int kSide = 16 / sizeof(T);

  static void transpose(char* dst, int64_t d_step, const char* src, int64_t s_step) {
    V m[kSide];
    for (int i = 0; i < kSide; ++i) m[i] = read<V>(src + i * s_step);
    RL_ISA_NS::transpose(m);
    for (int i = 0; i < kSide; ++i) write(dst + i * d_step, m[i]);
  }
};

// The scalar way, along the source's memory.
template <class T>
void scatter_columns(char* dst, const char* src, int64_t rows, int64_t cols, TileSteps d,
                     TileSteps s) {
  for (int64_t c = 0; c < cols; ++c) {
    char* to = dst + c * d.col;
    const char* from = src + c * s.col;
    for (int64_t r = 0; r < rows; ++r, to += d.row, from += s.row) write(to, read<T>(from));
  }
}

// Columns of the source are contiguous, rows of the destination are.
template <class T>
void transpose_tile(char* dst, const char* src, int64_t rows, int64_t cols, int64_t d_row,
                    int64_t s_col) {
  constexpr int64_t item = sizeof(T), side = Square<T>::kSide;
  int64_t whole_rows = rows / side * side, whole_cols = cols / side * side;
  for (int64_t c = 0; c < whole_cols; c += side)
    for (int64_t r = 0; r < whole_rows; r += side)
      Square<T>::transpose(dst + r * d_row + c * item, d_row, src + c * s_col + r * item, s_col);
  scatter_columns<T>(dst + whole_cols * item, src + whole_cols * s_col, rows, cols - whole_cols,
                     {d_row, item}, {item, s_col});
  scatter_columns<T>(dst + whole_rows * d_row, src + whole_rows * item, rows - whole_rows,
                     whole_cols, {d_row, item}, {item, s_col});
}

// Rows far apart often share a cache set, so the transpose goes through a block whose rows do not.
template <class T>
void transpose_through_block(char* dst, const char* src, int64_t rows, int64_t cols, int64_t d_row,
                             int64_t s_col) {
  constexpr int64_t item = sizeof(T), most = 16384 / item;
  alignas(64) char block[most * item];
  if (rows * cols > most || d_row == cols * item)
    return transpose_tile<T>(dst, src, rows, cols, d_row, s_col);
  transpose_tile<T>(block, src, rows, cols, cols * item, s_col);
  for (int64_t r = 0; r < rows; ++r)
    copy_bytes(dst + r * d_row, block + r * cols * item, cols * item);
}

template <class T>
void move(char* dst, const char* src, int64_t rows, int64_t cols, TileSteps d, TileSteps s) {
  constexpr int64_t item = sizeof(T);
  if (rows == 1) s.row = d.row = 0;
  bool flat_target = cols == 1 || (d.row == item && d.col != item);
  if (flat_target && rows > 1)
    std::swap(rows, cols), std::swap(d.row, d.col), std::swap(s.row, s.col);
  if (cols == 1) d.col = item;
  bool down = rows > 1 && s.row != 0 && std::abs(s.row) < std::abs(s.col);
  if (down && sizeof(T) < 16 && d.col == item && s.row == item) {
    if constexpr (sizeof(T) < 16)
      return transpose_through_block<T>(dst, src, rows, cols, d.row, s.col);
  }
  if (down || d.col != item) {
    if (down) return scatter_columns<T>(dst, src, rows, cols, d, s);
    return scatter_columns<T>(dst, src, cols, rows, {d.col, d.row}, {s.col, s.row});
  }
  if (rows > 1 && move_narrow<T>(dst, src, rows, cols, d, s)) return;
  for (int64_t r = 0; r < rows; ++r) gather_row<T>(dst + r * d.row, src + r * s.row, cols, s.col);
}

constexpr MoveTable make_table() {
  return {{move<uint8_t>, move<uint16_t>, move<uint32_t>, move<uint64_t>, move<Bytes16>}, stream};
}

RL_REGISTER(OfMoveTable, isa_rank(RL_ISA_NAME), make_table());

}  // namespace
}  // namespace RL_ISA_NS
}  // namespace rl
