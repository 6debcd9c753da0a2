// Copies between any two geometries and dtypes, fills, and what kernels build on them.
#include "plan/copy.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <cwchar>

#include "plan/blocks.h"
#include "plan/fits.h"
#include "plan/parallel.h"
#include "plan/slices.h"
#include "plan/space.h"
#include "plan/stream.h"

namespace rl {
namespace {

// For a target that is written past the caches, whose rows are contiguous. Where they follow each
// other, short ones are put together first: what is streamed in part of a line costs a whole one.
void stream_tiles(const Space& s, TileShape tile, int64_t begin, int64_t end) {
  const Operand &out = s.op[0], &in = s.op[1];
  const TileSteps d = steps_of(s, 0), r = steps_of(s, 1);
  int64_t to = item_size(out.dtype), from = item_size(in.dtype);
  auto convert = converter(in.dtype, out.dtype);
  alignas(64) char gathered[kBlockBytes], converted[kBlockBytes];
  walk_tiles(s, tile, begin, end, [&](char* const* at, int64_t rows, int64_t cols) {
    const char* row = at[1];
    int64_t step = r.row;
    bool joins = rows > 1 && dense(d, rows, cols, to);
    if (r.col != from || (joins && cols * to < kPieceBytes)) {
      mover(from)(gathered, at[1], rows, cols, {cols * from, from}, r);
      row = gathered, step = cols * from;
      if (joins) cols *= rows, rows = 1;
    }
    for (int64_t i = 0; i < rows; ++i, row += step) {
      bool same = out.dtype == in.dtype;
      if (!same) convert(converted, row, cols);
      stream(at[0] + i * d.row, same ? row : converted, cols * to);
    }
  });
  stream_fence();
}

// A tile of the source in the source's dtype, then converted, then laid out.
void copy_tiles(const Space& s, TileShape tile, int64_t begin, int64_t end) {
  const Operand &out = s.op[0], &in = s.op[1];
  const TileSteps d = steps_of(s, 0), r = steps_of(s, 1);
  int64_t to = item_size(out.dtype), from = item_size(in.dtype);
  auto convert = converter(in.dtype, out.dtype);
  alignas(64) char gathered[kBlockBytes], converted[kBlockBytes];
  walk_tiles(s, tile, begin, end, [&](char* const* at, int64_t rows, int64_t cols) {
    if (out.dtype == in.dtype) return mover(to)(at[0], at[1], rows, cols, d, r);
    bool in_dense = dense(r, rows, cols, from), out_dense = dense(d, rows, cols, to);
    if (!in_dense) mover(from)(gathered, at[1], rows, cols, {cols * from, from}, r);
    convert(out_dense ? at[0] : converted, in_dense ? at[1] : gathered, rows * cols);
    if (!out_dense) mover(to)(at[0], converted, rows, cols, d, {cols * to, to});
  });
}

// Does an operand's memory run down the columns of tiles?
bool is_transposed(const Space& s) {
  auto runs_down = [](TileSteps step) {
    return step.row != 0 && std::abs(step.row) < std::abs(step.col);
  };
  return runs_down(steps_of(s, 0)) || runs_down(steps_of(s, 1));
}

TileShape copy_shape(const Space& s, bool streams) {
  int64_t to = item_size(s.op[0].dtype), from = item_size(s.op[1].dtype);
  bool same = s.op[0].dtype == s.op[1].dtype;
  TileShape tile = tile_shape(s, std::max(to, from));
  if (tile.rows > 1) {  // rows that no block lies between need not fit one
    if (same && !streams && !is_transposed(s) && tile.cols == s.size[s.dims - 1])
      tile.rows = std::min(s.size[s.dims - 2], std::max(tile.rows, kGrain / tile.cols));
    return tile;
  }
  bool straight = same && (!streams || s.op[1].stride[s.dims - 1] == from);
  int64_t most = straight ? kGrain : streams ? kPieceBytes / to : tile.cols;
  tile.cols = std::min(s.size[s.dims - 1], most);
  return tile;
}

// Where tiles are a few elements: as many inner elements, which follow each other in the target,
// are read through a table of their places instead. Longer runs are better copied.
struct Table {
  int64_t width = 1;
  bool inner[kMaxDims] = {};  // dimensions that the table is of
  SizeVec places{0};          // in bytes of the source

  bool grow(const Space& s, int64_t most) {
    for (int d = 0; d < s.dims; ++d) {
      if (inner[d] || s.op[0].stride[d] != width * item_size(s.op[0].dtype)) continue;
      if (width * s.size[d] > most) return false;
      for (int64_t i = width; i < width * s.size[d]; ++i)
        places.push_back(places[i % width] + i / width * s.op[1].stride[d]);
      width *= s.size[d];
      return inner[d] = true;
    }
    return false;
  }
};
bool has_short_runs(const Space& s, TileShape tile) {
  constexpr int64_t kTile = 64, kRun = 16;
  const int last = s.dims - 1;
  if (s.op[0].dtype != s.op[1].dtype || tile.rows * tile.cols > kTile) return false;
  return s.op[1].stride[last] != item_size(s.op[1].dtype) ||
         s.size[last] * item_size(s.op[1].dtype) < kRun;
}
bool copy_by_table(const Space& s, int64_t numel) {
  Table table;
  while (table.grow(s, std::min<int64_t>(4096, numel / 8)));
  if (table.width < 64) return false;
  const int64_t rows = numel / table.width;
  with_size(item_size(s.op[0].dtype), [&]<class T>() {
    parallel_for(rows, std::max<int64_t>(1, kGrain / table.width), [&](int64_t r, int64_t end) {
      for (; r < end; ++r) {
        char *to = s.op[0].base, *from = s.op[1].base;
        for (int64_t d = s.dims - 1, rest = r; d >= 0; --d) {
          if (table.inner[d]) continue;
          to += rest % s.size[d] * s.op[0].stride[d];
          from += rest % s.size[d] * s.op[1].stride[d];
          rest /= s.size[d];
        }
        const int64_t* place = table.places.data();
        auto* target = reinterpret_cast<T*>(to);
#pragma GCC unroll 4
        for (int64_t i = 0; i < table.width; ++i)
          target[i] = *reinterpret_cast<const T*>(from + place[i]);
      }
    });
  });
  return true;
}

}  // namespace

void require_convertible(DType to, DType from) {
  for (DType d : {to, from})
    if (d == DType::F4E2M1X2 && to != from)
      fail(ErrorKind::NotImplemented, "no conversion from ", from, " to ", to, ": ", d,
           " is for storage; see its bytes with .view(torch.uint8)");
}

// Runs of bytes that one core writes as fast as its lines move to others and back.
constexpr int64_t kOneCore = 1 << 20;

void copy_into(Tensor& dst, const Tensor& src) {
  if (dst.numel == 0 || dst.is_meta()) return;
  if (dst.dtype != src.dtype) require_convertible(dst.dtype, src.dtype);
  RL_CHECK(!src.is_meta(), "Cannot copy out of meta tensor; no data!");
  require_bytes(dst);
  require_bytes(src);
  if (unsafe_overlap(dst, src)) {
    Ref<Tensor> temporary = empty(src.sizes(), src.dtype);
    copy_into(*temporary, src);
    return copy_into(dst, *temporary);
  }
  int64_t bytes = dst.numel * item_size(dst.dtype);
  bool plain = bytes <= kOneCore && dst.dtype == src.dtype && dst.contiguous && src.contiguous;
  if (plain && std::ranges::equal(dst.sizes(), src.sizes())) {
    Unlocked unlocked(dst.numel);
    std::memmove(dst.raw(), src.raw(), static_cast<size_t>(bytes));
    return;
  }
  Space s = make_space(dst);
  add_operand(s, src, dst.sizes());
  simplify(s);
  int64_t item = item_size(dst.dtype);
  bool streams = past_cache(dst.numel * item) && s.op[0].stride[s.dims - 1] == item;
  TileShape tile = copy_shape(s, streams);
  int64_t tiles = tile_count(s, tile);
  Unlocked unlocked(dst.numel);
  if (dst.numel >= 1024 && has_short_runs(s, tile) && copy_by_table(s, dst.numel)) return;
  if (dst.numel <= kGrain) return copy_tiles(s, tile, 0, tiles);
  int64_t grain = std::max<int64_t>(1, kGrain / (tile.rows * tile.cols));
  auto copy = streams ? stream_tiles : copy_tiles;
  parallel_for(tiles, grain, [&](int64_t begin, int64_t end) { copy(s, tile, begin, end); });
}

void copy_slices(Tensor& dst, const Tensor& src, int d, const int64_t* positions) {
  auto first = [d](const Tensor& t) {
    SizeVec sizes(t.sizes().begin(), t.sizes().end());
    sizes[d] = 1;
    return alias(t, sizes, t.strides(), t.offset);
  };
  Ref<Tensor> to = first(dst), from = first(src);
  Space s = make_space(*to);
  add_operand(s, *from, to->sizes());
  simplify(s);
  const int64_t item = item_size(dst.dtype), to_next = dst.stride(d) * item;
  const int64_t from_next = src.stride(d) * item;
  const bool streams = past_cache(dst.numel * item) && s.op[0].stride[s.dims - 1] == item;
  const TileShape tile = copy_shape(s, streams);
  const int64_t tiles = tile_count(s, tile);
  auto copy = streams ? stream_tiles : copy_tiles;
  Unlocked unlocked(dst.numel);
  parallel_for(dst.size(d), std::max<int64_t>(1, kGrain / to->numel), [&](int64_t j, int64_t end) {
    for (Space slice = s; j < end; ++j) {
      slice.op[0].base = s.op[0].base + j * to_next;
      slice.op[1].base = s.op[1].base + positions[j] * from_next;
      copy(slice, tile, 0, tiles);
    }
  });
}

void store_number(void* at, DType dtype, const Scalar& value) {
  if (dtype == DType::F4E2M1X2 && value.to<double>() == 0) {  // two zeros are what a number can be
    *static_cast<uint8_t*>(at) = 0;
    return;
  }
  if (is_float8(dtype)) {
    auto wide = value.to<float>();
    return convert(at, dtype, &wide, DType::F32, 1);
  }
  if (is_beyond_int64(value) && is_integral(dtype)) check_fits("fill_", value, dtype);
  dispatch(dtype, [&]<class T>() { *static_cast<T*>(at) = value.to<T>(); });
}

namespace {

// The C library's loops have the widest stores of the machine, and for long runs those that do not
// read what they write.
template <class T>
void fill_run(T* to, int64_t n, T value) {
  auto* bytes = reinterpret_cast<const unsigned char*>(&value);
  if (std::all_of(bytes, bytes + sizeof(T), [&](unsigned char b) { return b == bytes[0]; }))
    std::memset(to, bytes[0], static_cast<size_t>(n) * sizeof(T));
  else if constexpr (sizeof(T) == sizeof(wchar_t))
    std::wmemset(reinterpret_cast<wchar_t*>(to), std::bit_cast<wchar_t>(value), n);
  else
    std::fill_n(to, n, value);
}

// The same past the caches, from a piece that stays in the first of them.
template <class T>
void stream_run(T* to, int64_t n, T value) {
  constexpr int64_t kPiece = 4096 / sizeof(T);
  alignas(64) T piece[kPiece];
  std::fill_n(piece, std::min(n, kPiece), value);
  for (int64_t i = 0; i < n; i += kPiece)
    stream(to + i, piece, std::min(kPiece, n - i) * sizeof(T));
  stream_fence();
}

}  // namespace

void fill(Tensor& t, const Scalar& value) {
  if (t.numel == 0 || t.is_meta()) return;
  alignas(16) unsigned char element[16];
  store_number(element, t.dtype, value);
  Unlocked unlocked(t.numel);
  const int64_t bytes = t.numel * item_size(t.dtype);
  if (t.contiguous && bytes <= kOneCore)
    return with_size(item_size(t.dtype), [&]<class T>() {
      fill_run(static_cast<T*>(t.raw()), t.numel, *reinterpret_cast<T*>(element));
    });
  Space s = make_space(t);
  simplify(s);
  int C = s.dims - 1;
  TileShape tile{1, std::min(s.size[C], kGrain)};
  int64_t tiles = tile_count(s, tile), grain = std::max<int64_t>(1, kGrain / tile.cols);
  with_size(item_size(t.dtype), [&]<class T>() {
    T v = *reinterpret_cast<T*>(element);
    if (t.contiguous) {  // whole parts: of zeros many lines at once take a third of the time
      auto run = past_cache(bytes / 2) && !spares_reading() ? stream_run<T> : fill_run<T>;
      return parallel_for(t.numel, kGrain, [&](int64_t begin, int64_t end) {
        run(static_cast<T*>(t.raw()) + begin, end - begin, v);
      });
    }
    parallel_for(tiles, grain, [&](int64_t begin, int64_t end) {
      walk_tiles(s, tile, begin, end, [&](char* const* at, int64_t, int64_t cols) {
        int64_t step = s.op[0].stride[C];
        if (step == sizeof(T))
          fill_run(reinterpret_cast<T*>(at[0]), cols, v);
        else
          for (int64_t i = 0; i < cols; ++i) *reinterpret_cast<T*>(at[0] + i * step) = v;
      });
    });
  });
}

Ref<Tensor> contiguous_as(const Tensor& t, DType dtype) {
  if (t.contiguous && t.dtype == dtype) return Ref<Tensor>::share(const_cast<Tensor*>(&t));
  Ref<Tensor> out = empty(t.sizes(), dtype, t.device);
  copy_into(*out, t);
  return out;
}
Ref<Tensor> contiguous(const Tensor& t) { return contiguous_as(t, t.dtype); }
Ref<Tensor> to_dtype(const Tensor& t, DType dtype) {
  if (t.dtype == dtype) return Ref<Tensor>::share(const_cast<Tensor*>(&t));
  Ref<Tensor> out = empty(t.sizes(), dtype, t.device);
  copy_into(*out, t);
  return out;
}

void convert(void* dst, DType to, const void* src, DType from, int64_t n) {
  require_convertible(to, from);
  converter(from, to)(dst, src, n);
}

}  // namespace rl
