// The reduction driver: turns (tensor, set of dimensions) into blocks for a Fold.
// Outputs are handled in tiles along the innermost kept dimension. A tile is folded either by
// rows (each output reads its own run) or by columns (rows of neighbouring outputs are read
// together), and long reductions are cut into chunks whose size depends on shapes alone, so
// that results do not depend on the number of threads. Short runs of which each output has many
// are lanes: columns of their own, joined at the end. Expanded dimensions are not walked: states
// of what is reduced are doubled, results of what is kept are copied. Folds themselves live
// elsewhere.
#include "kernels/reduce.h"

#include <cstring>

#include "core/allocator.h"
#include "plan/blocks.h"
#include "plan/parallel.h"

namespace rl {
namespace RL_ISA_NS {
namespace {

constexpr int64_t kGrain = 32768;      // elements that pay for a chunk or a thread
constexpr int64_t kGatherWidth = 256;  // columns of a block that has to be gathered or converted
constexpr int64_t kShortRow = 24;      // elements that many rows are better transposed for

struct Axis {
  int64_t size, in, out;  // strides: bytes of the input, elements of the output
};

struct Plan {
  const Fold* fold;
  const char* data;
  DType dtype;
  int64_t item;
  Axis kept[kMaxDims + 1], reduced[kMaxDims + 1];  // innermost first
  int n_kept = 0, n_reduced = 0;
  int64_t count = 1;    // positions along what is reduced, but for lanes
  int64_t lanes = 1;    // columns of one output, next to each other
  int64_t repeats = 1;  // of everything reduced
  uint64_t copied = 0;  // kept dimensions of which one position is computed
  int64_t outer = 1, width = 1, tiles = 1, chunk = 1, chunks = 1;
  int64_t outputs = 1;  // of a tile
  bool by_columns = false, same_type = false;
  Tensor* outs[2];
  FoldParams params;
};

// --- geometry
void sort_by_stride(Axis* a, int n) {
  for (int i = 1; i < n; ++i)
    for (int j = i; j > 0 && a[j].in < a[j - 1].in; --j) std::swap(a[j], a[j - 1]);
}

int coalesce(Axis* a, int n) {
  int last = 0;
  for (int i = 1; i < n; ++i) {
    Axis& inner = a[last];
    if (a[i].in == inner.in * inner.size && a[i].out == inner.out * inner.size)
      inner.size *= a[i].size;
    else
      a[++last] = a[i];
  }
  return n ? last + 1 : 0;
}

void split_axes(Plan& p, const Tensor& t, uint64_t mask) {
  int64_t step = 1;
  for (int d = t.ndim; d-- > 0;) {
    bool reduce = mask >> d & 1;
    int64_t n = t.size(d);
    const bool expanded = n > 1 && t.stride(d) == 0;
    if (expanded && !reduce) {
      p.copied |= uint64_t{1} << d;
    } else if (expanded && !p.fold->ordered) {
      p.repeats *= n;
    } else if (n != 1) {
      if (reduce) p.count *= n;
      Axis axis{n, t.stride(d) * p.item, reduce ? 0 : step};
      (reduce ? p.reduced[p.n_reduced++] : p.kept[p.n_kept++]) = axis;
    }
    if (!reduce) step *= n;
  }
  sort_by_stride(p.kept, p.n_kept);
  if (!p.fold->ordered) sort_by_stride(p.reduced, p.n_reduced);
  p.n_kept = coalesce(p.kept, p.n_kept);
  p.n_reduced = coalesce(p.reduced, p.n_reduced);
}

// Makes lanes of the innermost reduced dimension, if it is short runs of memory and many: as part
// of the kept one that continues it, or as one before.
void choose_lanes(Plan& p) {
  constexpr int64_t kFewest = 32, kMost = 512, kRuns = 16;
  const Axis r = p.reduced[0];
  if (!p.fold->joins_lanes || p.n_reduced < 2 || !p.same_type || r.in != p.item) return;
  const bool continued = p.n_kept && p.kept[0].in == r.in * r.size;
  const int64_t wide = continued ? r.size * p.kept[0].size : r.size;
  if (wide < kFewest || r.size > kMost || p.count / r.size < kRuns) return;
  p.lanes = r.size, p.count /= r.size;
  std::copy_n(p.reduced + 1, --p.n_reduced, p.reduced);
  if (continued) {
    p.kept[0].size = wide, p.kept[0].in = r.in;
  } else {
    std::copy_backward(p.kept, p.kept + p.n_kept, p.kept + p.n_kept + 1);
    p.kept[0] = {r.size, r.in, 1}, ++p.n_kept;
  }
}

// Can `columns` read rows where they are?
bool rows_in_place(const Plan& p) { return p.same_type && p.kept[0].in == p.item; }

void choose_path(Plan& p) {
  if (!p.n_reduced) p.reduced[p.n_reduced++] = {p.count, 0, 0};
  choose_lanes(p);
  if (!p.n_kept) p.kept[p.n_kept++] = {1, 0, 0};
  const Axis &k = p.kept[0], &r = p.reduced[0];
  bool narrow_rows = !p.fold->ordered && rows_in_place(p) && r.in == k.size * p.item;
  p.by_columns =
      p.lanes > 1 || (k.size >= (narrow_rows ? 2 : 4) && (k.in < r.in || p.count <= kShortRow));
  for (int i = 1; i < p.n_kept; ++i) p.outer *= p.kept[i].size;
  p.width = !p.by_columns      ? std::clamp<int64_t>(kGrain / std::max<int64_t>(p.count, 1), 1, 64)
            : rows_in_place(p) ? kFoldWidth
                               : kGatherWidth;
  p.outputs = std::min(p.width, k.size);
  if (p.lanes > 1) p.outputs /= p.lanes;
  p.width = p.outputs * p.lanes;
  p.tiles = (k.size + p.width - 1) / p.width;
  p.chunk = std::max<int64_t>(p.count, 1);
  if (p.outer * p.tiles >= 8 || p.count * p.width <= 2 * kGrain) return;
  int64_t unit = p.by_columns ? kFoldRows : kBlock;
  int64_t most = p.by_columns ? 32 : 256;  // whose states are to be merged
  int64_t wanted = std::max(kGrain / p.width, (p.count + most - 1) / most);
  p.chunk = (wanted + unit - 1) / unit * unit;
  p.chunks = (p.count + p.chunk - 1) / p.chunk;
}

int64_t offset_of(const Axis* a, int n, int64_t linear, int64_t Axis::* stride) {
  int64_t offset = 0;
  for (int i = 0; i < n; ++i) {
    offset += linear % a[i].size * (a[i].*stride);
    linear /= a[i].size;
  }
  return offset;
}

// --- folding one tile
// Walks reduced positions [begin, end) as runs along the innermost reduced dimension.
template <class F>
void each_run(const Plan& p, int64_t begin, int64_t end, F&& f) {
  const Axis& r = p.reduced[0];
  for (int64_t at = begin; at < end;) {
    int64_t i = p.n_reduced > 1 ? at % r.size : at, n = std::min(r.size - i, end - at);
    int64_t offset = i * r.in;
    if (p.n_reduced > 1)
      offset += offset_of(p.reduced + 1, p.n_reduced - 1, at / r.size, &Axis::in);
    f(offset, n, at);
    at += n;
  }
}

void fold_row(const Plan& p, const char* base, int64_t begin, int64_t end, void* state,
              void* scratch) {
  const Axis& r = p.reduced[0];
  int64_t size = item_size(p.fold->element), filled = 0, first = begin;
  if (p.same_type && r.in == p.item && r.size >= 64) {
    each_run(p, begin, end, [&](int64_t offset, int64_t n, int64_t at) {
      p.fold->rows(state, 1, base + offset, 0, n, at);
    });
    return;
  }
  DType wide = p.fold->element;
  each_run(p, begin, end, [&](int64_t offset, int64_t n, int64_t) {
    while (n > 0) {
      int64_t take = std::min(n, kBlock - filled);
      load_run(static_cast<char*>(scratch) + filled * size, wide, base + offset, p.dtype, take,
               r.in);
      offset += take * r.in, n -= take, filled += take;
      if (filled == kBlock) {
        p.fold->rows(state, 1, scratch, 0, filled, first);
        first += filled, filled = 0;
      }
    }
  });
  if (filled) p.fold->rows(state, 1, scratch, 0, filled, first);
}

// Rows in any order: neighbours of a block are a quarter of all apart, so that memory serves four
// runs side by side. Of four neighbours, in turns, it has the next lines ready half as often.
// Returns how many rows that were.
int64_t fold_far_rows(const Plan& p, const char* base, int64_t n, int64_t width, void* states) {
  constexpr int64_t kRuns = 4, kEach = kFoldRows / kRuns;
  int64_t apart = n / kFoldRows * kEach, step = p.reduced[0].in;
  const void* rows[kFoldRows];
  for (int64_t at = 0; at < apart; at += kEach) {
    for (int64_t i = 0; i < kFoldRows; ++i)
      rows[i] = base + (i % kRuns * apart + at + i / kRuns) * step;
    p.fold->columns(states, rows, kFoldRows, width, 0);
  }
  return kRuns * apart;
}

// Rows narrower than vectors that follow each other, some at a time as one wide row. Returns how
// many rows that were.
int64_t fold_narrow_rows(const Plan& p, const char* base, int64_t n, int64_t width, char* states) {
  constexpr int64_t kWide = 64, kNarrow = 24;
  const int64_t step = p.reduced[0].in, some = kWide / std::max<int64_t>(1, width);
  if (width > kNarrow || step != width * p.item || n < 4 * kFoldRows) return 0;
  alignas(64) char wide[kWide * kMaxState];
  p.fold->init(wide, some * width, p.params);
  const void* rows[kFoldRows];
  const int64_t count = n / some;
  for (int64_t at = 0, filled; at < count; at += filled) {
    filled = std::min(kFoldRows, count - at);
    for (int64_t i = 0; i < filled; ++i) rows[i] = base + (at + i) * some * step;
    p.fold->columns(wide, rows, filled, some * width, 0);
  }
  for (int64_t i = 0; i < some; ++i)
    p.fold->merge(states, wide + i * width * p.fold->state_size, width);
  return count * some;
}

// A block of elements that are not next to each other, or of another type, whose rows are `step`
// bytes apart then.
void gather_block(const Plan& p, char* to, int64_t step, const char* x, int64_t rows, int64_t width,
                  TileSteps from) {
  constexpr int64_t kFewRows = 3;  // the mover goes by squares
  const DType wide = p.fold->element;
  const int64_t size = item_size(wide);
  if (step == width * size && from.row == width * from.col)
    return load_run(to, wide, x, p.dtype, rows * width, from.col);
  if (p.same_type && rows >= kFewRows) return mover(size)(to, x, rows, width, {step, size}, from);
  for (int64_t i = 0; i < rows; ++i)
    load_run(to + i * step, wide, x + i * from.row, p.dtype, width, from.col);
}

void fold_columns(const Plan& p, const char* base, int64_t begin, int64_t end, int64_t width,
                  char* states, void* scratch) {
  const Axis& r = p.reduced[0];
  int64_t size = item_size(p.fold->element);
  bool direct = rows_in_place(p);
  if (direct && !p.fold->ordered && p.n_reduced == 1)
    begin += fold_narrow_rows(p, base + begin * r.in, end - begin, width, states);
  if (direct && !p.fold->ordered && p.n_reduced == 1)
    begin += fold_far_rows(p, base + begin * r.in, end - begin, width, states);
  int64_t most = direct || size <= 8 ? kFoldRows : kFoldRows / 2, filled = 0, first = begin;
  const void* rows[kFoldRows];
  each_run(p, begin, end, [&](int64_t offset, int64_t n, int64_t) {
    for (int64_t i = 0; i < n;) {
      const char* x = base + offset + i * r.in;
      int64_t some = direct ? 1 : std::min(n - i, most - filled);
      char* copies = static_cast<char*>(scratch) + filled * kGatherWidth * size;
      if (!direct)
        gather_block(p, copies, kGatherWidth * size, x, some, width, {r.in, p.kept[0].in});
      for (int64_t j = 0; j < some; ++j)
        rows[filled + j] = direct ? x : copies + j * kGatherWidth * size;
      i += some, filled += some;
      if (filled < most) continue;
      p.fold->columns(states, rows, filled, width, first);
      first += filled, filled = 0;
    }
  });
  if (filled) p.fold->columns(states, rows, filled, width, first);
}

// Short rows that have to be gathered, some at a time.
constexpr int64_t kGathered = 2048;
void fold_gathered_rows(const Plan& p, const char* base, int64_t width, char* states,
                        char* scratch) {
  const Axis &k = p.kept[0], &r = p.reduced[0];
  const int64_t step = p.count * item_size(p.fold->element), most = kGathered / p.count;
  for (int64_t w = 0, some; w < width; w += some) {
    some = std::min(most, width - w);
    gather_block(p, scratch, step, base + w * k.in, some, p.count, {k.in, r.in});
    p.fold->rows(states + w * p.fold->state_size, some, scratch, step, p.count, 0);
  }
}

struct Tile {
  const char* base;
  int64_t out, width;
};

Tile tile_of(const Plan& p, int64_t tile) {
  const Axis& k = p.kept[0];
  int64_t outer = p.tiles > 1 ? tile / p.tiles : tile, i = p.tiles > 1 ? tile % p.tiles : 0;
  int64_t start = i * p.width, out = i * p.outputs * k.out;
  const char* base = p.data + start * k.in;
  if (p.n_kept > 1) {
    base += offset_of(p.kept + 1, p.n_kept - 1, outer, &Axis::in);
    out += offset_of(p.kept + 1, p.n_kept - 1, outer, &Axis::out);
  }
  return {base, out, std::min(p.width, k.size - start)};
}

void fold_tile(const Plan& p, const Tile& t, int64_t begin, int64_t end, char* states,
               void* scratch) {
  p.fold->init(states, t.width, p.params);
  if (p.by_columns) return fold_columns(p, t.base, begin, end, t.width, states, scratch);
  if (p.same_type && p.reduced[0].in == p.item && p.n_reduced == 1)
    return p.fold->rows(states, t.width, t.base + begin * p.item, p.kept[0].in, end - begin, begin);
  if (p.n_reduced == 1 && p.count > 0 && p.count <= kGathered / 4)  // which are no chunks
    return fold_gathered_rows(p, t.base, t.width, states, static_cast<char*>(scratch));
  for (int64_t w = 0; w < t.width; ++w)
    fold_row(p, t.base + w * p.kept[0].in, begin, end, states + w * p.fold->state_size, scratch);
}

// The states of an output's lanes into the first, by halves. Returns how many outputs there are,
// whose states follow each other then.
int64_t join_lanes_of(const Plan& p, int64_t width, char* states) {
  const int64_t size = p.fold->state_size;
  if (p.lanes == 1) return width;
  for (int64_t w = 0; w < width; w += p.lanes) {
    char* first = states + w * size;
    for (int64_t n = p.lanes, half; n > 1; n -= half)
      half = n / 2, p.fold->merge(first, first + (n - half) * size, half);
    std::memmove(states + w / p.lanes * size, first, static_cast<size_t>(size));
  }
  return width / p.lanes;
}

constexpr int64_t kPiece = 256;  // outputs at a time

// Makes states those of everything `repeats` times, by doubling. Extremes and truths are the same
// however often.
void repeat_states(const Plan& p, int64_t n, char* states) {
  alignas(64) char power[kPiece * kMaxState], same[kPiece * kMaxState];
  const auto bytes = static_cast<size_t>(n * p.fold->state_size);
  auto twice = [&] {
    std::memcpy(same, power, bytes);
    p.fold->merge(power, same, n);
  };
  std::memcpy(power, states, bytes);
  twice();
  if (std::memcmp(power, same, bytes) == 0) return;
  if (p.repeats % 2 == 0) p.fold->init(states, n, p.params);
  for (int64_t left = p.repeats / 2;;) {
    if (left & 1) p.fold->merge(states, power, n);
    if (!(left >>= 1)) return;
    twice();
  }
}

void store_tile(const Plan& p, const Tile& t, char* states) {
  alignas(64) char results[2][kPiece * 16];
  const int64_t outputs = join_lanes_of(p, t.width, states);
  for (int64_t w = 0; w < outputs; w += kPiece) {
    int64_t n = std::min(kPiece, outputs - w);
    char* some = states + w * p.fold->state_size;
    if (p.repeats > 1) repeat_states(p, n, some);
    p.fold->finish(some, n, results[0], results[1], p.params);
    for (int o = 0; o < 2; ++o) {
      if (!p.outs[o]) continue;
      DType dtype = p.outs[o]->dtype;
      int64_t size = item_size(dtype), at = t.out + w * p.kept[0].out;
      store_run(static_cast<char*>(p.outs[o]->raw()) + at * size, dtype, results[o],
                p.fold->results[o], n, p.kept[0].out * size);
    }
  }
}

// --- running the tiles
constexpr size_t kScratch = kFoldRows * kGatherWidth * 8;

void run_whole_tiles(const Plan& p, int64_t begin, int64_t end) {
  alignas(64) char scratch[kScratch], states[kFoldWidth * kMaxState];
  for (int64_t i = begin; i < end; ++i) {
    Tile t = tile_of(p, i);
    fold_tile(p, t, 0, p.count, states, scratch);
    store_tile(p, t, states);
  }
}

void run_chunks(const Plan& p, int64_t begin, int64_t end, char* states) {
  alignas(64) char scratch[kScratch];
  for (int64_t i = begin; i < end; ++i) {
    int64_t from = i % p.chunks * p.chunk;
    fold_tile(p, tile_of(p, i / p.chunks), from, std::min(from + p.chunk, p.count),
              states + i * p.width * p.fold->state_size, scratch);
  }
}

void merge_chunks(const Plan& p, char* states) {
  int64_t bytes = p.width * p.fold->state_size;
  for (int64_t i = 0; i < p.outer * p.tiles; ++i) {
    char* tile = states + i * p.chunks * bytes;
    Tile t = tile_of(p, i);
    for (int64_t c = 1; c < p.chunks; ++c) p.fold->merge(tile, tile + c * bytes, t.width);
    store_tile(p, t, tile);
  }
}

void run_plan(const Plan& p) {
  int64_t items = p.outer * p.tiles * p.chunks;
  int64_t grain = std::max<int64_t>(1, kGrain / std::max<int64_t>(1, p.chunk * p.width));
  if (p.chunks == 1) {
    if (items == 1) return run_whole_tiles(p, 0, 1);
    return parallel_for(items, grain, [&](int64_t b, int64_t e) { run_whole_tiles(p, b, e); });
  }
  Block block = allocate(static_cast<size_t>(items * p.width * p.fold->state_size));
  auto* states = static_cast<char*>(block.data);
  parallel_for(items, grain, [&](int64_t b, int64_t e) { run_chunks(p, b, e, states); });
  merge_chunks(p, states);
  deallocate(block.data, block.capacity);
}

// Copies the results at the first position of the dimensions that are not walked to the others.
void copy_results(const Plan& p, const Tensor& input, uint64_t mask, Tensor& out) {
  const int64_t item = item_size(out.dtype);
  int64_t inner = item;  // bytes of a position
  for (int d = input.ndim; d-- > 0;) {
    if (mask >> d & 1) continue;
    const int64_t n = input.size(d), bytes = inner * n;
    char* at = static_cast<char*>(out.raw());
    for (char* end = at + out.numel * item; p.copied >> d & 1 && at < end; at += bytes)
      for (int64_t filled = inner; filled < bytes; filled += filled)
        std::memcpy(at + filled, at, static_cast<size_t>(std::min(filled, bytes - filled)));
    inner = bytes;
  }
}

}  // namespace

void run_reduction(const Fold& fold, const Tensor& input, uint64_t mask, Tensor* out0, Tensor* out1,
                   double value) {
  const Tensor& any = out0 ? *out0 : *out1;
  if (any.numel == 0) return;
  Plan p;
  p.fold = &fold;
  p.data = static_cast<const char*>(input.raw());
  p.dtype = input.dtype;
  p.item = item_size(input.dtype);
  // Truths are bytes as they are.
  p.same_type = fold.element ==
                (input.dtype == DType::Bool && fold.element == DType::U8 ? DType::U8 : input.dtype);
  p.outs[0] = out0;
  p.outs[1] = out1;
  if (input.contiguous && any.numel == 1 && mask == every_dim(input)) {
    p.count = input.numel;
    p.reduced[p.n_reduced++] = {input.numel, p.item, 0};
  } else {
    split_axes(p, input, mask);
  }
  p.params = {p.count * p.repeats, value};
  choose_path(p);
  Unlocked unlocked(input.numel);
  run_plan(p);
  for (Tensor* out : p.outs)
    if (out && p.copied) copy_results(p, input, mask, *out);
}

// --- what infer functions share
uint64_t dims_argument(const Call& call, int i, bool empty_is_none) {
  const Tensor& t = call.tensor(0);
  if (!call.has(i) || (call.ints(i).empty() && !empty_is_none)) return every_dim(t);
  uint64_t mask = 0;
  for (int64_t d : call.ints(i)) {
    uint64_t bit = uint64_t{1} << wrap_dim(d, t.ndim, call.op);
    RL_CHECK(!(mask & bit), call.op, ": dim ", d, " appears multiple times in the list of dims ",
             call.ints(i));
    mask |= bit;
  }
  return mask;
}

uint64_t dim_argument(const Call& call, int i) {
  const Tensor& t = call.tensor(0);
  if (!call.has(i)) return every_dim(t);
  return uint64_t{1} << wrap_dim(call.integer(i), t.ndim, call.op);
}

OutSpec& add_reduced(Call& call, uint64_t mask, bool keepdim, DType dtype) {
  const Tensor& t = call.tensor(0);
  int64_t sizes[kMaxDims];
  int n = 0;
  for (int d = 0; d < t.ndim; ++d) {
    bool reduce = mask >> d & 1;
    if (!reduce || keepdim) sizes[n++] = reduce ? 1 : t.size(d);
  }
  return call.add_out({sizes, static_cast<size_t>(n)}, dtype);
}

void check_not_empty(const Call& call, uint64_t mask, bool dim_given) {
  const Tensor& t = call.tensor(0);
  if (t.numel) return;
  if (!dim_given)
    fail(ErrorKind::Runtime, call.op, "(): Expected reduction dim to be specified for ",
         "input.numel() == 0. Specify the reduction dim with the 'dim' argument.");
  for (int d = 0; d < t.ndim; ++d)
    if ((mask >> d & 1) && t.size(d) == 0)
      fail(ErrorKind::Index, call.op, "(): Expected reduction dim ", d, " to have non-zero size.");
}

}  // namespace RL_ISA_NS
}  // namespace rl
