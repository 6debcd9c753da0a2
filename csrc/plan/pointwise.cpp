// Execution of pointwise kernels. Contiguous operands of the compute type go straight through;
// others by tiles of the shared space (space.h), gathered and converted into blocks of about
// kBlock elements. Copies are in copy.cpp.
#include "plan/pointwise.h"

#include <algorithm>

#include "plan/blocks.h"
#include "plan/copy.h"
#include "plan/parallel.h"
#include "plan/pointwise_shortcuts.h"
#include "plan/space.h"
#include "plan/stream.h"

namespace rl {
namespace {

// A functor's loop, and how that has its operands stored.
struct Loop {
  BlockFn fn;
  bool spread;  // takes one element a row of each operand but the first, in the compute type
  DType in, result;
};

struct Plan {
  const PointwiseKernel& kernel;
  Compute compute;
  Loop loop;
  const Scalar* params;
  std::span<const PointwiseInput> inputs;
  Space space;
  bool streams = false;  // the output is written past the caches; its rows are contiguous
};

DType wanted(const Plan& p, int k) {
  return p.loop.spread && k > 1 ? stored(p.compute) : p.loop.in;
}

bool is_short(DType d) { return d == DType::F16 || d == DType::BF16; }

// Are rows worth their ends? Costly functors feel those, and pieces.
bool worth_rows(const Plan& p, int64_t cols) {
  if (!p.kernel.cheap) return cols >= 128;
  if (!is_short(p.loop.in)) return cols >= 16;
  return cols >= (cols % kShortPiece ? 3 : 1) * kShortPiece;
}

// n times an operand's only value: a number, or the first element of a tensor.
void fill_block(const PointwiseInput& in, DType want, void* dst, int64_t n) {
  dispatch(want, [&]<class T>() {
    T v;
    if (!in.tensor)
      v = in.number.to<T>();
    else if (in.tensor->dtype == want)
      v = *in.tensor->data<T>();
    else
      converter(in.tensor->dtype, want)(&v, in.tensor->raw(), 1);
    std::fill_n(static_cast<T*>(dst), n, v);
  });
}

// One operand's part of a tile, as the functor gets it: contiguous rows, `step` bytes apart.
struct Rows {
  char* at;
  int64_t step;
};

// What a thread keeps between tiles: blocks, and what they hold.
struct alignas(64) Scratch {
  unsigned char block[kMaxOperands][kBlockBytes], raw[kBlockBytes];
  const char* held[kMaxOperands] = {};  // where block k was gathered from
  int64_t rows[kMaxOperands], cols[kMaxOperands];

  bool holds(int k, const char* from, int64_t n_rows, int64_t n_cols) const {
    return held[k] == from && rows[k] >= n_rows && cols[k] == n_cols;
  }
};

// The functor is given rows where that saves copies: some operand of its own type has long
// contiguous ones that do not follow each other.
bool by_rows(const Plan& p, int64_t rows, int64_t cols) {
  if (rows == 1 || !worth_rows(p, cols)) return false;
  for (int k = 0; k < p.space.count; ++k) {
    DType own = k ? p.loop.in : p.loop.result;
    TileSteps step = steps_of(p.space, k);
    int64_t item = item_size(own);
    if (p.space.op[k].dtype == own && step.row != 0 && dense_rows(step, cols, item) &&
        step.row != cols * item)
      return true;
  }
  return false;
}

// An input before k whose block is what input k would be gathered into (h + h), or 0.
int same_block(const Plan& p, const Scratch& scratch, int k, const char* at, int64_t rows,
               int64_t cols) {
  TileSteps step = steps_of(p.space, k);
  for (int j = 1; j < k; ++j) {
    TileSteps other = steps_of(p.space, j);
    if (scratch.holds(j, at, rows, cols) && p.space.op[j].dtype == p.space.op[k].dtype &&
        other.row == step.row && other.col == step.col)
      return j;
  }
  return 0;
}

// Input k in the compute type; gathered and converted unless it can be read where it is.
Rows fetch(const Plan& p, Scratch& scratch, int k, char* at, int64_t rows, int64_t cols,
           bool row_calls) {
  const Operand& o = p.space.op[k];
  auto* block = reinterpret_cast<char*>(scratch.block[k]);
  DType want = p.loop.in;
  int64_t item = item_size(o.dtype), wide = item_size(want);
  TileSteps step = steps_of(p.space, k), packed = {cols * item, item};
  if (o.constant) return {block, 0};
  bool in_place = row_calls ? dense_rows(step, cols, item) : dense(step, rows, cols, item);
  if (o.dtype == want && in_place) return {at, step.row};
  if (scratch.holds(k, at, rows, cols)) return {block, cols * wide};
  if (int j = same_block(p, scratch, k, at, rows, cols))
    return {reinterpret_cast<char*>(scratch.block[j]), cols * wide};
  if (o.dtype == want) {
    mover(item)(block, at, rows, cols, packed, step);
  } else if (dense(step, rows, cols, item)) {
    converter(o.dtype, want)(block, at, rows * cols);
  } else {
    auto* raw = reinterpret_cast<char*>(scratch.raw);
    mover(item)(raw, at, rows, cols, packed, step);
    converter(o.dtype, want)(block, raw, rows * cols);
  }
  scratch.held[k] = at, scratch.rows[k] = rows, scratch.cols[k] = cols;
  return {block, cols * wide};
}

// Scatters the result from its block.
void put(const Plan& p, Scratch& scratch, char* at, int64_t rows, int64_t cols) {
  DType dtype = p.space.op[0].dtype, result = p.loop.result;
  int64_t item = item_size(dtype);
  TileSteps step = steps_of(p.space, 0), packed = {cols * item, item};
  auto *block = reinterpret_cast<char*>(scratch.block[0]),
       *raw = reinterpret_cast<char*>(scratch.raw);
  if (p.streams) {
    if (dtype != result) converter(result, dtype)(raw, block, rows * cols);
    const char* from = dtype != result ? raw : block;
    for (int64_t r = 0; r < rows; ++r) stream(at + r * step.row, from + r * packed.row, packed.row);
    return;
  }
  if (dtype == result) return mover(item)(at, block, rows, cols, step, packed);
  if (dense(step, rows, cols, item)) return converter(result, dtype)(at, block, rows * cols);
  converter(result, dtype)(raw, block, rows * cols);
  mover(item)(at, raw, rows, cols, step, packed);
}

void call_rows(const Plan& p, const Rows* part, int64_t rows, int64_t cols) {
  void* ptr[kMaxOperands];
  int64_t step[kMaxOperands];
  for (int k = 0; k < p.space.count; ++k) ptr[k] = part[k].at, step[k] = part[k].step;
  p.loop.fn.rows(ptr, step, rows, cols, p.params);
}

void fill_constants(const Plan& p, Scratch& scratch, int64_t n) {
  for (int k = 1; k < p.space.count; ++k)
    if (p.space.op[k].constant)
      fill_block(p.inputs[k - 1], wanted(p, k), scratch.block[k], p.loop.spread && k > 1 ? 1 : n);
}

void run_tiles(const Plan& p, TileShape tile, int64_t begin, int64_t end) {
  Scratch scratch;
  const Space& s = p.space;
  int64_t item = item_size(p.loop.result);
  fill_constants(p, scratch, tile.rows * tile.cols);
  walk_tiles(s, tile, begin, end, [&](char* const* at, int64_t rows, int64_t cols) {
    bool row_calls = by_rows(p, rows, cols);
    Rows part[kMaxOperands];
    for (int k = 1; k < s.count; ++k) part[k] = fetch(p, scratch, k, at[k], rows, cols, row_calls);
    TileSteps to = steps_of(s, 0);
    bool in_place = s.op[0].dtype == p.loop.result && !p.streams &&
                    (row_calls ? dense_rows(to, cols, item) : dense(to, rows, cols, item));
    part[0] = in_place ? Rows{at[0], to.row}
                       : Rows{reinterpret_cast<char*>(scratch.block[0]), cols * item};
    row_calls ? call_rows(p, part, rows, cols) : call_rows(p, part, 1, rows * cols);
    if (!in_place) put(p, scratch, at[0], rows, cols);
  });
  if (p.streams) stream_fence();
}

// ---- rows that need no blocks: each operand runs along them in its own type, or is constant, or
// is one element a row that the loop takes as such. Tiles are so large that the walker costs
// nothing, and small enough to be shared out between threads.
constexpr int64_t kTileElements = 8192;

bool one_a_row(const Plan& p, int k) {
  const Operand& o = p.space.op[k];
  return o.constant || (o.dtype == p.loop.in && o.stride[p.space.dims - 1] == 0);
}

bool direct_rows(const Plan& p) {
  const Space& s = p.space;
  if (!worth_rows(p, s.size[s.dims - 1])) return false;
  for (int k = 0; k < s.count; ++k) {
    DType own = k ? p.loop.in : p.loop.result;
    bool dense = s.op[k].dtype == own && s.op[k].stride[s.dims - 1] == item_size(own);
    bool single = p.loop.spread && k > 1 && one_a_row(p, k);
    if (!dense && !single && !s.op[k].constant) return false;
  }
  return true;
}

bool widens(const Plan& p) { return p.loop.spread && p.loop.in != stored(p.compute); }

void run_direct_rows(const Plan& p, TileShape tile, int64_t begin, int64_t end) {
  Scratch scratch;
  const Space& s = p.space;
  const bool widened = widens(p);
  const int64_t item = item_size(p.loop.result), wide = item_size(stored(p.compute));
  fill_constants(p, scratch, tile.cols);
  walk_tiles(s, tile, begin, end, [&](char* const* at, int64_t rows, int64_t cols) {
    Rows part[kMaxOperands];
    for (int k = 0; k < s.count; ++k) {
      auto* block = reinterpret_cast<char*>(scratch.block[k]);
      const int64_t step = steps_of(s, k).row;
      part[k] = s.op[k].constant ? Rows{block, 0} : Rows{at[k], step};
      if (!widened || k < 2 || s.op[k].constant) continue;
      load_run(block, stored(p.compute), at[k], p.loop.in, rows, step);
      part[k] = {block, wide};
    }
    if (p.streams) part[0].at = reinterpret_cast<char*>(scratch.block[0]);
    call_rows(p, part, rows, cols);
    if (p.streams) stream(at[0], part[0].at, cols * item);
  });
  if (p.streams) stream_fence();
}

TileShape direct_tile(const Plan& p) {
  const Space& s = p.space;
  int64_t most = kGrain, cols = s.size[s.dims - 1];
  for (int k = 1; k < s.count; ++k)  // constants of a block
    if (s.op[k].constant && !(p.loop.spread && k > 1)) most = block_length(item_size(p.loop.in));
  if (p.streams) return {1, std::min(cols, kPieceBytes / item_size(p.loop.result))};
  cols = std::min(cols, most);
  int64_t rows = std::clamp(kTileElements / cols, int64_t{1}, kBlock);  // so many fit a block
  return {std::min(s.size[s.dims - 2], rows), cols};
}

// Is the output large, and are its lines not read anyway, as an input? Costlier kernels overlap
// with ordinary stores, which they would not with the copying of pieces.
bool worth_streaming(const PointwiseKernel& k, const Tensor& out,
                     std::span<const PointwiseInput> inputs) {
  return k.cheap && past_cache(out.numel * item_size(out.dtype)) &&
         std::ranges::none_of(inputs, [&](const PointwiseInput& in) {
           return in.tensor && in.tensor->raw() == out.raw();
         });
}

int64_t grain_of(const PointwiseKernel& k) { return k.cheap ? kGrain : kCostlyGrain; }

// ---- operands that need no walker: contiguous ones of the compute type are read where they are,
// one value fills a block, and a few elements of any other geometry or dtype are collected.
constexpr int64_t kFew = 256;

// The elements of t, broadcast to a shape, in the shape's order.
template <class U>
void collect_as(U* to, const Tensor& t, Sizes shape) {
  int dims = static_cast<int>(shape.size()), skip = dims - t.ndim, inner = dims - 1;
  int64_t step[kMaxDims], at[kMaxDims];
  for (int d = 0; d < dims; ++d) {
    step[d] = d < skip || t.size(d - skip) == 1 ? 0 : t.stride(d - skip);
    at[d] = 0;
  }
  const U* from = static_cast<const U*>(t.raw());
  for (int d = inner; d >= 0;) {
    for (int64_t i = 0; i < shape[inner]; ++i) *to++ = from[i * step[inner]];
    for (d = inner - 1; d >= 0; --d) {  // the next row
      from += step[d];
      if (++at[d] < shape[d]) break;
      from -= step[d] * shape[d];
      at[d] = 0;
    }
  }
}

void collect(void* to, DType want, const Tensor& t, Sizes shape, int64_t n) {
  alignas(16) char raw[kFew * 16];
  bool ordered = t.contiguous && t.numel == n;
  const void* from = ordered ? t.raw() : t.dtype == want ? to : raw;
  if (!ordered)
    with_size(item_size(t.dtype),
              [&]<class U>() { collect_as(static_cast<U*>(const_cast<void*>(from)), t, shape); });
  if (from != to) converter(t.dtype, want)(to, from, n);
}

struct Direct {
  BlockFn fn;
  const Scalar* params;
  int count;
  char* at[kMaxOperands];
  int64_t item[kMaxOperands];  // from element to element; 0: one block serves all
  int64_t most = -1;           // elements of such a block, if there is any
};

// False if it takes a walker. Blocks are made in `room`.
bool take_operand(Direct& d, int k, const PointwiseInput& in, DType want, const Tensor& out,
                  bool single, char*& room) {
  int64_t wide = item_size(want);
  const Tensor* t = in.tensor;
  d.item[k] = wide;
  if (t && t->numel == out.numel && t->dtype == want && t->contiguous) {
    d.at[k] = static_cast<char*>(t->raw());
    return true;
  }
  bool constant = !t || t->numel == 1;
  if (!constant && out.numel > kFew) return false;
  d.at[k] = room;
  int64_t block = std::clamp(out.numel / 8, kBlock, block_length(wide));
  int64_t n = !constant ? out.numel : single ? 1 : std::min(out.numel, block);
  room += (n * wide + 63) / 64 * 64;
  if (constant) {
    fill_block(in, want, d.at[k], n);
    d.item[k] = 0;
    if (!single) d.most = n;
  } else {
    collect(d.at[k], want, *t, out.sizes(), n);
  }
  return true;
}

void run_direct_part(const Direct& d, int64_t begin, int64_t end) {
  int64_t most = d.most < 0 ? end - begin : d.most;
  for (; begin < end; begin += most) {
    void* ptr[kMaxOperands];
    for (int k = 0; k < d.count; ++k) ptr[k] = d.at[k] + begin * d.item[k];
    d.fn(ptr, std::min(most, end - begin), d.params);
  }
}

// The same for an output that is written past the caches.
void stream_direct_part(const Direct& d, int64_t begin, int64_t end) {
  auto make = [&](char* to, int64_t i, int64_t n) {
    void* ptr[kMaxOperands] = {to};
    for (int k = 1; k < d.count; ++k) ptr[k] = d.at[k] + i * d.item[k];
    d.fn(ptr, n, d.params);
  };
  stream_pieces(d.at[0], d.item[0], begin, end, make);
}

bool holds_only(const PointwiseInput& in, DType d) { return in.tensor && in.tensor->dtype == d; }

// That of 16-bit floats if the tensors are such, otherwise the compute type's; one that takes
// single elements, if there is any, where they are such.
Loop loop_of(const PointwiseKernel& k, Compute compute, DType out,
             std::span<const PointwiseInput> inputs, bool singles) {
  auto c = static_cast<size_t>(compute);
  const DType own = inputs[0].tensor ? inputs[0].tensor->dtype : stored(compute);
  if (compute == Compute::F && is_short(own)) {
    const size_t at = own == DType::BF16;
    const DType result = k.result[c] == DType::F32 ? own : k.result[c];
    auto as_stored = [own](const PointwiseInput& in) { return holds_only(in, own); };
    if (out == result && singles && k.spread_short[at])
      return {k.spread_short[at], true, own, result};
    if (out == result && k.of_short[at] && std::ranges::all_of(inputs, as_stored))
      return {k.of_short[at], false, own, result};
  }
  bool spread = singles && k.spread[c];
  return {spread ? k.spread[c] : k.fn[c], spread, stored(compute), k.result[c]};
}

// Inputs that have one element for all of the output.
bool is_single(const PointwiseInput& in) { return !in.tensor || in.tensor->numel == 1; }

bool run_direct(const PointwiseKernel& k, Compute compute, Tensor& out,
                std::span<const PointwiseInput> inputs, const Scalar* params) {
  if (!out.contiguous) return false;
  const bool singles =
      out.numel > 1 && inputs.size() > 1 && std::ranges::all_of(inputs.subspan(1), is_single);
  const Loop loop = loop_of(k, compute, out.dtype, inputs, singles);
  if (out.dtype != loop.result) return false;
  alignas(64) char blocks[kMaxInputs * kBlockBytes], *room = blocks;
  Direct d;  // only what is used is set
  d.fn = loop.fn;
  d.params = params, d.count = static_cast<int>(inputs.size()) + 1;
  d.at[0] = static_cast<char*>(out.raw());
  d.item[0] = item_size(out.dtype);
  for (int i = 1; i < d.count; ++i) {
    const PointwiseInput& in = inputs[static_cast<size_t>(i - 1)];
    bool single = loop.spread && i > 1;
    DType want = single ? stored(compute) : loop.in;
    if (!take_operand(d, i, in, want, out, single, room)) return false;
  }
  const int64_t grain = grain_of(k);
  if (out.numel <= grain) {
    run_direct_part(d, 0, out.numel);
    return true;
  }
  Unlocked unlocked(out.numel);
  auto run = worth_streaming(k, out, inputs) ? stream_direct_part : run_direct_part;
  parallel_for(out.numel, grain, [&](int64_t begin, int64_t end) { run(d, begin, end); });
  return true;
}

// The widest elements that a block may have to hold, in bytes.
int64_t widest(const Plan& p) {
  int64_t most = std::max(item_size(p.loop.in), item_size(p.loop.result));
  for (int k = 0; k < p.space.count; ++k) most = std::max(most, item_size(p.space.op[k].dtype));
  return most;
}

// One for single elements, if all of the rows, or all of the tiles, have them.
void choose_loop(Plan& p) {
  bool constants = true, singles = p.space.count > 2;
  for (int k = 2; k < p.space.count; ++k) {
    constants &= p.space.op[k].constant;
    singles &= p.space.op[k].constant || p.space.op[k].stride[p.space.dims - 1] == 0;
  }
  const DType out = p.space.op[0].dtype;
  p.loop = loop_of(p.kernel, p.compute, out, p.inputs, singles);
  if (p.loop.spread && !constants && !direct_rows(p))
    p.loop = loop_of(p.kernel, p.compute, out, p.inputs, false);
}

void run_general(Plan& p, std::span<const PointwiseInput> inputs, const Tensor& out) {
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (inputs[i].tensor) {
      add_operand(p.space, *inputs[i].tensor, out.sizes());
    } else {
      Operand& o = p.space.op[p.space.count++];
      o.dtype = stored(p.compute);
      std::fill_n(o.stride, p.space.dims, int64_t{0});
    }
  }
  simplify(p.space);
  for (int k = 1; k < p.space.count; ++k) {
    Operand& o = p.space.op[k];
    o.constant = std::all_of(o.stride, o.stride + p.space.dims, [](int64_t v) { return v == 0; });
  }
  p.streams =
      worth_streaming(p.kernel, out, inputs) && steps_of(p.space, 0).col == item_size(out.dtype);
  choose_loop(p);
  bool direct = direct_rows(p);
  TileShape tile = direct ? direct_tile(p) : tile_shape(p.space, widest(p));
  auto run = direct ? run_direct_rows : run_tiles;
  int64_t tiles = tile_count(p.space, tile);
  if (out.numel <= grain_of(p.kernel)) return run(p, tile, 0, tiles);
  Unlocked unlocked(out.numel);
  int64_t grain = std::max<int64_t>(1, grain_of(p.kernel) / (tile.rows * tile.cols));
  parallel_for(tiles, grain, [&](int64_t begin, int64_t end) { run(p, tile, begin, end); });
}

// ---- operands with one element a short row, and the same for each image (a bias of channels):
// laid out once as the images are, after which rows are as long as images.
constexpr int64_t kSpreadRow = 32, kLeastLaidOut = 128, kMostLaidOut = 32768, kImages = 4;

Ref<Tensor> laid_out(const Tensor& out, const Tensor& t, DType dtype, bool spreads) {
  int lead = 0, skip = out.ndim - t.ndim;
  while (lead < out.ndim && (lead < skip || t.size(lead - skip) == 1)) ++lead;
  Sizes image = out.sizes().subspan(static_cast<size_t>(lead));
  int64_t size = 1, row = 1;
  for (int64_t n : image) size *= n;
  if (t.numel == 1 || t.numel == size || size < kLeastLaidOut || size > kMostLaidOut ||
      out.numel < kImages * size)
    return {};
  for (int d = out.ndim - 1; d >= lead && t.size(d - skip) == 1; --d) row *= out.size(d);
  if (spreads && row >= kSpreadRow) return {};  // rows take the element as it is
  Ref<Tensor> whole = empty(image, dtype);
  auto cut = static_cast<size_t>(lead - skip);
  copy_into(*whole, *alias(t, t.sizes().subspan(cut), t.strides().subspan(cut), t.offset));
  return whole;
}

// Runs by way of such operands, if there are any.
bool run_laid_out(const PointwiseKernel& k, Compute compute, Tensor& out,
                  std::span<const PointwiseInput> inputs, const Scalar* params) {
  if (!out.contiguous) return false;
  const DType in = loop_of(k, compute, out.dtype, inputs, false).in;
  const Loop loop = loop_of(k, compute, out.dtype, inputs, true);
  const bool spreads = loop.spread && loop.result == out.dtype && holds_only(inputs[0], loop.in);
  PointwiseInput as[kMaxInputs];
  Ref<Tensor> whole[kMaxInputs];
  bool any = false;
  for (size_t i = 0; i < inputs.size(); ++i) {
    as[i] = inputs[i];
    if (!inputs[i].tensor) continue;
    whole[i] = laid_out(out, *inputs[i].tensor, in, spreads && i > 0);
    if (!whole[i]) continue;
    as[i].tensor = whole[i].get();
    any = true;
  }
  if (any) run_pointwise(k, compute, out, {as, inputs.size()}, params);
  return any;
}

// Runs the loops that take a number as the last operand, if there are any and it is one.
bool run_numbered(const PointwiseKernel& k, Compute compute, Tensor& out,
                  std::span<const PointwiseInput> inputs) {
  if (inputs.back().tensor || !k.numbered[static_cast<int>(compute)]) return false;
  PointwiseKernel as = k;
  std::ranges::copy(k.numbered, as.fn);
  std::ranges::copy(k.numbered_short, as.of_short);
  std::ranges::fill(as.numbered, BlockFn());
  run_pointwise(as, compute, out, inputs.first(inputs.size() - 1), &inputs.back().number);
  return true;
}

}  // namespace

void run_pointwise(const PointwiseKernel& k, Compute compute, Tensor& out,
                   std::span<const PointwiseInput> inputs, const Scalar* params) {
  if (out.numel == 0 || out.is_meta()) return;
  for (const PointwiseInput& in : inputs)
    if (in.tensor && in.tensor->storage == out.storage && unsafe_overlap(out, *in.tensor)) {
      Ref<Tensor> temporary = empty(out.sizes(), out.dtype);
      run_pointwise(k, compute, *temporary, inputs, params);
      return copy_into(out, *temporary);
    }
  if (run_numbered(k, compute, out, inputs)) return;
  if (const PointwiseKernel* turned = better_turned(k, compute, out, inputs, params)) {
    const PointwiseInput other[] = {inputs[1], inputs[0]};
    return run_pointwise(*turned, compute, out, other, params);
  }
  if (run_direct(k, compute, out, inputs, params)) return;
  if (run_once(k, compute, out, inputs, params)) return;
  if (run_laid_out(k, compute, out, inputs, params)) return;
  Plan p{k, compute, {}, params, inputs, make_space(out)};
  run_general(p, inputs, out);
}

}  // namespace rl
