// Execution of pointwise kernels and of copies: one walker over blocks, two users.
// A block is a tile of the two innermost (coalesced) dimensions, about kBlock elements, so
// that long rows, short rows and transposed operands all come out as contiguous runs.
#include "plan/pointwise.h"

#include <algorithm>
#include <cstring>

#include "plan/copy.h"
#include "plan/parallel.h"

namespace rl {
namespace {

constexpr int kMaxOperands = kMaxInputs + 1;
constexpr int64_t kGrain = 32768;  // elements per thread worth a hand-off
constexpr int64_t kUnlockAbove = 65536;

// One operand as the walker sees it: byte strides over the shared iteration space.
struct Operand {
  char* base = nullptr;
  int64_t stride[kMaxDims] = {};
  DType dtype = DType::F32;
  bool constant = false;  // the same value everywhere: its block is filled once
};

struct Space {
  int dims = 0;
  int64_t size[kMaxDims];
  Operand op[kMaxOperands];
  int count = 0;
};

void add_operand(Space& s, const Tensor& t, Sizes shape) {
  Operand& o = s.op[s.count++];
  o.base = static_cast<char*>(t.raw());
  o.dtype = t.dtype;
  int64_t item = item_size(t.dtype);
  int skip = static_cast<int>(shape.size()) - t.ndim;
  for (int d = 0; d < static_cast<int>(shape.size()); ++d)
    o.stride[d] = d < skip || t.size(d - skip) == 1 ? 0 : t.stride(d - skip) * item;
}

void swap_dims(Space& s, int a, int b) {
  std::swap(s.size[a], s.size[b]);
  for (int k = 0; k < s.count; ++k) std::swap(s.op[k].stride[a], s.op[k].stride[b]);
}

// Sorts dimensions so that the output's (then the inputs') strides fall from outer to inner.
bool out_of_order(const Space& s, int outer, int inner) {
  for (int k = 0; k < s.count; ++k) {
    int64_t a = std::abs(s.op[k].stride[outer]), b = std::abs(s.op[k].stride[inner]);
    if (a == 0 || b == 0) continue;
    if (a != b) return a < b;
  }
  return false;
}

void order_dims(Space& s) {
  for (int i = 1; i < s.dims; ++i)
    for (int j = i; j > 0 && out_of_order(s, j - 1, j); --j) swap_dims(s, j - 1, j);
}

bool mergeable(const Space& s, int outer, int inner) {
  for (int k = 0; k < s.count; ++k)
    if (s.op[k].stride[outer] != s.op[k].stride[inner] * s.size[inner]) return false;
  return true;
}

// Drops dimensions of size 1 and fuses neighbours that every operand walks in one run.
void coalesce(Space& s) {
  int kept = 0;
  for (int d = 0; d < s.dims; ++d) {
    if (s.size[d] == 1) continue;
    s.size[kept] = s.size[d];
    for (int k = 0; k < s.count; ++k) s.op[k].stride[kept] = s.op[k].stride[d];
    if (kept > 0 && mergeable(s, kept - 1, kept)) {
      s.size[kept - 1] *= s.size[kept];
      for (int k = 0; k < s.count; ++k) s.op[k].stride[kept - 1] = s.op[k].stride[kept];
    } else {
      ++kept;
    }
  }
  s.dims = kept;
  while (s.dims < 2) {  // the walker wants rows and columns
    for (int d = s.dims; d > 0; --d) {
      s.size[d] = s.size[d - 1];
      for (int k = 0; k < s.count; ++k) s.op[k].stride[d] = s.op[k].stride[d - 1];
    }
    s.size[0] = 1;
    for (int k = 0; k < s.count; ++k) s.op[k].stride[0] = 0;
    ++s.dims;
  }
}

Space make_space(const Tensor& out) {
  Space s;
  s.dims = out.ndim;
  std::copy(out.sizes().begin(), out.sizes().end(), s.size);
  add_operand(s, out, out.sizes());
  return s;
}

struct TileShape {
  int64_t rows, cols;
};

TileShape tile_shape(const Space& s) {
  int64_t L = s.size[s.dims - 1], R = s.size[s.dims - 2];
  bool transposed = false;
  for (int k = 0; k < s.count; ++k) {
    int64_t inner = std::abs(s.op[k].stride[s.dims - 1]),
            outer = std::abs(s.op[k].stride[s.dims - 2]);
    transposed |= outer != 0 && inner > outer;
  }
  int64_t cols = std::min(L, transposed ? int64_t{32} : kBlock);
  return {std::max<int64_t>(1, std::min(R, kBlock / cols)), cols};
}

// Walks the tiles [begin, end) in order, calling f(pointer of each operand, rows, cols).
template <class F>
void walk_tiles(const Space& s, TileShape tile, int64_t begin, int64_t end, F&& f) {
  int C = s.dims - 1, R = s.dims - 2;
  int64_t across = (s.size[C] + tile.cols - 1) / tile.cols;
  int64_t down = (s.size[R] + tile.rows - 1) / tile.rows;
  char* at[kMaxOperands];
  for (int64_t t = begin; t < end; ++t) {
    int64_t c = t % across * tile.cols, rest = t / across;
    int64_t r = rest % down * tile.rows;
    rest /= down;
    for (int k = 0; k < s.count; ++k)
      at[k] = s.op[k].base + c * s.op[k].stride[C] + r * s.op[k].stride[R];
    for (int d = R - 1; d >= 0 && rest; --d) {
      int64_t i = rest % s.size[d];
      rest /= s.size[d];
      for (int k = 0; k < s.count; ++k) at[k] += i * s.op[k].stride[d];
    }
    f(at, std::min(tile.rows, s.size[R] - r), std::min(tile.cols, s.size[C] - c));
  }
}

int64_t tile_count(const Space& s, TileShape tile) {
  int64_t n = (s.size[s.dims - 1] + tile.cols - 1) / tile.cols;
  n *= (s.size[s.dims - 2] + tile.rows - 1) / tile.rows;
  for (int d = 0; d < s.dims - 2; ++d) n *= s.size[d];
  return n;
}

// Is a tile of this operand one contiguous run of its storage dtype?
bool dense_tile(const Operand& o, int64_t rows, int64_t cols, int64_t row, int64_t col) {
  int64_t item = item_size(o.dtype);
  return (cols == 1 || col == item) && (rows == 1 || row == cols * item);
}

struct alignas(64) Scratch {
  unsigned char bytes[kMaxOperands][kBlock * 16];
};

using Load = void (*)(void*, const char*, int64_t, int64_t);
using Store = void (*)(char*, const void*, int64_t, int64_t);

struct Bytes16 {
  int64_t a, b;
};

template <class T>
void spread(char* dst, const char* run, int64_t n, int64_t step) {
  auto* d = reinterpret_cast<T*>(dst);
  auto* s = reinterpret_cast<const T*>(run);
  for (int64_t i = 0; i < n; ++i) d[i * step] = s[i];
}

// A tile whose memory runs down its columns: read along the memory, write into the block.
// Reading across would touch one cache line an element, all of them in the same cache set.
void load_columns(Load load, int64_t item, char* dst, const char* src, int64_t rows, int64_t cols,
                  int64_t row, int64_t col) {
  alignas(64) char run[kBlock * 16];
  for (int64_t c = 0; c < cols; ++c) {
    load(run, src + c * col, rows, row);
    char* at = dst + c * item;
    switch (item) {
      case 1:
        spread<uint8_t>(at, run, rows, cols);
        break;
      case 2:
        spread<uint16_t>(at, run, rows, cols);
        break;
      case 4:
        spread<uint32_t>(at, run, rows, cols);
        break;
      case 8:
        spread<uint64_t>(at, run, rows, cols);
        break;
      default:
        spread<Bytes16>(at, run, rows, cols);
    }
  }
}

template <class T>
void move_rows(char* dst, const char* src, int64_t rows, int64_t cols, const int64_t* d,
               const int64_t* s) {
  if (d[1] == sizeof(T) && s[1] == sizeof(T)) {
    for (int64_t r = 0; r < rows; ++r)
      std::memcpy(dst + r * d[0], src + r * s[0], cols * sizeof(T));
    return;
  }
  // The inner loop runs along the source's memory; its step sizes are locals, so that the
  // compiler keeps them in registers.
  bool down = s[0] != 0 && std::abs(s[0]) < std::abs(s[1]);
  int64_t outer = down ? cols : rows, inner = down ? rows : cols;
  const int64_t d_out = d[down ? 1 : 0], d_in = d[down ? 0 : 1], s_out = s[down ? 1 : 0],
                s_in = s[down ? 0 : 1];
  for (int64_t i = 0; i < outer; ++i, dst += d_out, src += s_out) {
    char* to = dst;
    const char* from = src;
    for (int64_t j = 0; j < inner; ++j, to += d_in, from += s_in)
      *reinterpret_cast<T*>(to) = *reinterpret_cast<const T*>(from);
  }
}

// Moves a tile unconverted; one whose memory runs down its columns is read along it.
void move_tile(int64_t item, char* dst, const char* src, int64_t rows, int64_t cols,
               const int64_t* d, const int64_t* s) {
  switch (item) {
    case 1:
      return move_rows<uint8_t>(dst, src, rows, cols, d, s);
    case 2:
      return move_rows<uint16_t>(dst, src, rows, cols, d, s);
    case 4:
      return move_rows<uint32_t>(dst, src, rows, cols, d, s);
    case 8:
      return move_rows<uint64_t>(dst, src, rows, cols, d, s);
    default:
      return move_rows<Bytes16>(dst, src, rows, cols, d, s);
  }
}

void load_tile(Load load, int64_t item, void* dst, const char* src, int64_t rows, int64_t cols,
               int64_t row, int64_t col) {
  auto* d = static_cast<char*>(dst);
  if (cols == 1) return load(d, src, rows, row);
  if (rows > 1 && row != 0 && std::abs(row) < std::abs(col))
    return load_columns(load, item, d, src, rows, cols, row, col);
  for (int64_t r = 0; r < rows; ++r) load(d + r * cols * item, src + r * row, cols, col);
}

void store_tile(Store store, int64_t item, char* dst, const void* src, int64_t rows, int64_t cols,
                int64_t row, int64_t col) {
  auto* s = static_cast<const char*>(src);
  if (cols == 1) return store(dst, s, rows, row);
  for (int64_t r = 0; r < rows; ++r) store(dst + r * row, s + r * cols * item, cols, col);
}

struct Plan {
  const PointwiseKernel& kernel;
  BlockFn fn;
  Compute compute;
  DType result;  // stored type of the functor's result
  const Scalar* params;
  Space space;
  Scalar numbers[kMaxInputs];
  bool is_number[kMaxInputs] = {};
};

void fill_block(const Plan& p, int input, void* dst) {
  auto fill = [&]<class T>() {
    T v = p.is_number[input] ? p.numbers[input].to<T>() : T{};
    if (!p.is_number[input]) {
      const Operand& o = p.space.op[input + 1];
      convert_table().load[static_cast<int>(o.dtype)][static_cast<int>(p.compute)](&v, o.base, 1,
                                                                                   0);
    }
    std::fill_n(static_cast<T*>(dst), kBlock, v);
  };
  switch (p.compute) {
    case Compute::B:
      return fill.template operator()<bool>();
    case Compute::I:
      return fill.template operator()<int64_t>();
    case Compute::F:
      return fill.template operator()<float>();
    case Compute::D:
      return fill.template operator()<double>();
    case Compute::CF:
      return fill.template operator()<C64>();
    case Compute::CD:
      return fill.template operator()<C128>();
  }
}

// Every tile of a range: gather what is not already a contiguous run of the compute type,
// call the functor, scatter the result unless it could be written in place.
void run_tiles(const Plan& p, TileShape tile, int64_t begin, int64_t end) {
  Scratch scratch;
  const Space& s = p.space;
  int C = s.dims - 1, R = s.dims - 2;
  DType in_type = stored(p.compute);
  int64_t in_item = item_size(in_type), out_item = item_size(p.result);
  const ConvertTable& table = convert_table();
  for (int k = 1; k < s.count; ++k)
    if (s.op[k].constant) fill_block(p, k - 1, scratch.bytes[k]);
  walk_tiles(s, tile, begin, end, [&](char* const* at, int64_t rows, int64_t cols) {
    void* ptr[kMaxOperands];
    for (int k = 1; k < s.count; ++k) {
      const Operand& o = s.op[k];
      ptr[k] = scratch.bytes[k];
      if (o.constant) continue;
      int64_t row = o.stride[R], col = o.stride[C];
      const int64_t from[2] = {row, col}, packed[2] = {cols * in_item, in_item};
      bool plain = o.dtype == in_type && (rows > 1 || col == in_item);
      if (o.dtype == in_type && dense_tile(o, rows, cols, row, col))
        ptr[k] = at[k];
      else if (plain && cols > 1)
        move_tile(in_item, static_cast<char*>(ptr[k]), at[k], rows, cols, packed, from);
      else
        load_tile(table.load[static_cast<int>(o.dtype)][static_cast<int>(p.compute)], in_item,
                  ptr[k], at[k], rows, cols, row, col);
    }
    const Operand& o = s.op[0];
    bool direct = o.dtype == p.result && dense_tile(o, rows, cols, o.stride[R], o.stride[C]);
    ptr[0] = direct ? at[0] : static_cast<void*>(scratch.bytes[0]);
    p.fn(ptr, rows * cols, p.params);
    const int64_t to[2] = {o.stride[R], o.stride[C]}, packed[2] = {cols * out_item, out_item};
    if (!direct && o.dtype == p.result && cols > 1)
      move_tile(out_item, at[0], static_cast<const char*>(ptr[0]), rows, cols, to, packed);
    else if (!direct)
      store_tile(table.store[static_cast<int>(compute_of(p.result))][static_cast<int>(o.dtype)],
                 out_item, at[0], ptr[0], rows, cols, o.stride[R], o.stride[C]);
  });
}

// Contiguous operands of the compute type itself: straight through, no walker.
bool run_direct(const PointwiseKernel& k, Compute compute, Tensor& out,
                std::span<const PointwiseInput> inputs, const Scalar* params) {
  DType want = stored(compute);
  if (!out.contiguous || out.dtype != k.result[static_cast<int>(compute)]) return false;
  char* at[kMaxOperands] = {static_cast<char*>(out.raw())};
  int64_t item[kMaxOperands] = {item_size(out.dtype)};
  for (size_t i = 0; i < inputs.size(); ++i) {
    const Tensor* t = inputs[i].tensor;
    if (!t || !t->contiguous || t->dtype != want || t->numel != out.numel) return false;
    at[i + 1] = static_cast<char*>(t->raw());
    item[i + 1] = item_size(want);
  }
  BlockFn fn = k.fn[static_cast<int>(compute)];
  int count = static_cast<int>(inputs.size()) + 1;
  if (out.numel <= kGrain) {
    void* ptr[kMaxOperands];
    std::copy(at, at + count, ptr);
    fn(ptr, out.numel, params);
    return true;
  }
  Unlocked unlocked(out.numel);
  parallel_for(out.numel, kGrain, [&](int64_t begin, int64_t end) {
    void* ptr[kMaxOperands];
    for (int i = 0; i < count; ++i) ptr[i] = at[i] + begin * item[i];
    fn(ptr, end - begin, params);
  });
  return true;
}

// Does writing `out` in any order change what is still to be read of `in`?
bool unsafe_overlap(const Tensor& out, const Tensor& in) {
  if (out.storage != in.storage || out.numel == 0 || in.numel == 0) return false;
  bool same = out.offset == in.offset && out.dtype == in.dtype && out.ndim == in.ndim &&
              std::equal(out.sizes().begin(), out.sizes().end(), in.sizes().begin()) &&
              std::equal(out.strides().begin(), out.strides().end(), in.strides().begin());
  if (same) return false;
  int64_t a = out.offset * item_size(out.dtype), b = in.offset * item_size(in.dtype);
  int64_t a_end = span_bytes(out.sizes(), out.strides(), out.offset, item_size(out.dtype));
  int64_t b_end = span_bytes(in.sizes(), in.strides(), in.offset, item_size(in.dtype));
  return a < b_end && b < a_end;
}

void run_general(Plan& p, std::span<const PointwiseInput> inputs, const Tensor& out) {
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (inputs[i].tensor) {
      add_operand(p.space, *inputs[i].tensor, out.sizes());
    } else {
      p.is_number[i] = true;
      p.numbers[i] = inputs[i].number;
      p.space.op[p.space.count++].dtype = stored(p.compute);
    }
  }
  order_dims(p.space);
  coalesce(p.space);
  for (int k = 1; k < p.space.count; ++k) {
    Operand& o = p.space.op[k];
    o.constant = std::all_of(o.stride, o.stride + p.space.dims, [](int64_t v) { return v == 0; });
  }
  TileShape tile = tile_shape(p.space);
  int64_t tiles = tile_count(p.space, tile);
  if (out.numel <= kUnlockAbove / 2) return run_tiles(p, tile, 0, tiles);
  Unlocked unlocked(out.numel);
  int64_t grain = std::max<int64_t>(1, kGrain / (tile.rows * tile.cols));
  parallel_for(tiles, grain, [&](int64_t begin, int64_t end) { run_tiles(p, tile, begin, end); });
}

}  // namespace

void run_pointwise(const PointwiseKernel& k, Compute compute, Tensor& out,
                   std::span<const PointwiseInput> inputs, const Scalar* params) {
  if (out.numel == 0 || out.is_meta()) return;
  for (const PointwiseInput& in : inputs)
    if (in.tensor && unsafe_overlap(out, *in.tensor)) {
      Ref<Tensor> temporary = empty(out.sizes(), out.dtype);
      run_pointwise(k, compute, *temporary, inputs, params);
      return copy_into(out, *temporary);
    }
  if (run_direct(k, compute, out, inputs, params)) return;
  Plan p{k,       k.fn[static_cast<int>(compute)],
         compute, k.result[static_cast<int>(compute)],
         params,  make_space(out),
         {}};
  run_general(p, inputs, out);
}

// ---- promotion
namespace {
constexpr int kUndefined = -1;

int combine(int higher, int lower) {
  if (higher == kUndefined) return lower;
  if (lower == kUndefined) return higher;
  auto h = static_cast<DType>(higher), l = static_cast<DType>(lower);
  if (is_complex(h)) return higher;
  if (is_floating(h)) return is_complex(l) ? static_cast<int>(complex_of(h)) : higher;
  if (h == DType::Bool || is_inexact(l)) return static_cast<int>(promote(h, l));
  return higher;
}

DType number_dtype(const Scalar& s) {
  switch (s.kind) {
    case Scalar::Bool:
      return DType::Bool;
    case Scalar::Int:
      return DType::I64;
    case Scalar::Float:
      return default_dtype();
    case Scalar::Complex:
      return complex_of(default_dtype());
  }
  return DType::I64;
}

void join(int& category, DType d) {
  category = category == kUndefined ? static_cast<int>(d)
                                    : static_cast<int>(promote(static_cast<DType>(category), d));
}
}  // namespace

DType result_type(std::span<const PointwiseInput> inputs) {
  int dims = kUndefined, zero = kUndefined, number = kUndefined;
  for (const PointwiseInput& in : inputs) {
    if (!in.tensor)
      join(number, number_dtype(in.number));
    else
      join(in.tensor->ndim ? dims : zero, in.tensor->dtype);
  }
  return static_cast<DType>(combine(dims, combine(zero, number)));
}

// ---- copies
namespace {

void copy_tiles(const Space& s, TileShape tile, int64_t begin, int64_t end) {
  const Operand &out = s.op[0], &in = s.op[1];
  const int64_t d[2] = {out.stride[s.dims - 2], out.stride[s.dims - 1]};
  const int64_t r[2] = {in.stride[s.dims - 2], in.stride[s.dims - 1]};
  int64_t item = item_size(out.dtype);
  Compute c = compute_of(out.dtype);
  auto load = convert_table().load[static_cast<int>(in.dtype)][static_cast<int>(c)];
  auto store = convert_table().store[static_cast<int>(c)][static_cast<int>(out.dtype)];
  int64_t wide = item_size(stored(c));
  alignas(64) unsigned char block[kBlock * 16];
  walk_tiles(s, tile, begin, end, [&](char* const* at, int64_t rows, int64_t cols) {
    if (out.dtype == in.dtype && (rows == 1 || std::abs(r[0]) >= std::abs(r[1]) || item > 8))
      return move_tile(item, at[0], at[1], rows, cols, d, r);
    if (out.dtype == in.dtype) {  // transposed: into a block along the source, out in rows
      const int64_t packed[2] = {cols * item, item};
      move_tile(item, reinterpret_cast<char*>(block), at[1], rows, cols, packed, r);
      return move_tile(item, at[0], reinterpret_cast<const char*>(block), rows, cols, d, packed);
    }
    if (out.dtype == stored(c) && dense_tile(out, rows, cols, d[0], d[1]))
      return load_tile(load, wide, at[0], at[1], rows, cols, r[0], r[1]);
    load_tile(load, wide, block, at[1], rows, cols, r[0], r[1]);
    store_tile(store, wide, at[0], block, rows, cols, d[0], d[1]);
  });
}

}  // namespace

void copy_into(Tensor& dst, const Tensor& src) {
  if (dst.numel == 0 || dst.is_meta()) return;
  RL_CHECK(!src.is_meta(), "Cannot copy out of meta tensor; no data!");
  if (unsafe_overlap(dst, src)) {
    Ref<Tensor> temporary = empty(src.sizes(), src.dtype);
    copy_into(*temporary, src);
    return copy_into(dst, *temporary);
  }
  Space s = make_space(dst);
  add_operand(s, src, dst.sizes());
  order_dims(s);
  coalesce(s);
  TileShape tile = tile_shape(s);
  // Long plain rows need no scratch block, so they may be longer than one.
  if (dst.dtype == src.dtype && tile.rows == 1)
    tile.cols = std::min<int64_t>(s.size[s.dims - 1], kGrain);
  int64_t tiles = tile_count(s, tile);
  if (dst.numel <= kGrain) return copy_tiles(s, tile, 0, tiles);
  Unlocked unlocked(dst.numel);
  int64_t grain = std::max<int64_t>(1, kGrain / (tile.rows * tile.cols));
  parallel_for(tiles, grain, [&](int64_t begin, int64_t end) { copy_tiles(s, tile, begin, end); });
}

void fill(Tensor& t, const Scalar& value) {
  if (t.numel == 0 || t.is_meta()) return;
  alignas(16) unsigned char bytes[16];
  dispatch(t.dtype, [&]<class T>() { *reinterpret_cast<T*>(bytes) = value.to<T>(); });
  Space s = make_space(t);
  order_dims(s);
  coalesce(s);
  int C = s.dims - 1;
  Unlocked unlocked(t.numel);
  TileShape tile{1, std::min(s.size[C], kGrain)};
  int64_t tiles = tile_count(s, tile), grain = std::max<int64_t>(1, kGrain / tile.cols);
  dispatch(t.dtype, [&]<class T>() {
    T v = *reinterpret_cast<T*>(bytes);
    parallel_for(tiles, grain, [&](int64_t begin, int64_t end) {
      walk_tiles(s, tile, begin, end, [&](char* const* at, int64_t, int64_t cols) {
        int64_t step = s.op[0].stride[C];
        if (step == sizeof(T))
          std::fill_n(reinterpret_cast<T*>(at[0]), cols, v);
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
  Compute c = compute_of(to);
  const ConvertTable& table = convert_table();
  int64_t in = item_size(from), out = item_size(to);
  alignas(64) unsigned char block[kBlock * 16];
  for (int64_t i = 0; i < n; i += kBlock) {
    int64_t k = std::min(kBlock, n - i);
    table.load[static_cast<int>(from)][static_cast<int>(c)](
        block, static_cast<const char*>(src) + i * in, k, in);
    table.store[static_cast<int>(c)][static_cast<int>(to)](static_cast<char*>(dst) + i * out, block,
                                                           k, out);
  }
}

}  // namespace rl
