// Structural copies: flip, roll, repeat, triangles. cat and stack are in join.cpp, operations that
// only change how memory is seen in views.cpp, compositions (tile, rot90 ...) in ops/shape.py.
// flip, roll and repeat share one loop: a table per dimension says where each index reads.
#include <algorithm>
#include <cstring>
#include <vector>

#include "core/layout.h"
#include "core/small_vec.h"
#include "kernels/layouts.h"
#include "plan/copy.h"
#include "plan/parallel.h"
#include "plan/space.h"
#include "plan/stream.h"

namespace rl {
namespace {

// ---- reading through a table per dimension
using Maps = std::vector<SizeVec>;  // element offsets into self, one entry per output index

Maps plain_maps(const Tensor& self) {
  Maps maps(self.ndim);
  for (int d = 0; d < self.ndim; ++d)
    for (int64_t i = 0; i < self.size(d); ++i) maps[d].push_back(i * self.stride(d));
  return maps;
}

// Neighbours that stay neighbours: out[to, to + n) is in[from, from + n).
struct Run {
  int64_t to, from, n;
};
std::vector<Run> runs_of(const SizeVec& map) {
  std::vector<Run> runs;
  for (int64_t k = 0; k < static_cast<int64_t>(map.size()); ++k) {
    if (!runs.empty() && map[k] == runs.back().from + runs.back().n)
      ++runs.back().n;
    else
      runs.push_back({k, map[k], 1});
  }
  return runs;
}

template <class T>
void remap_rows(const T* from, T* to, const Maps& maps, RunCopy copy, int64_t begin, int64_t end) {
  const SizeVec& last = maps.back();
  auto n = static_cast<int64_t>(last.size());
  std::vector<Run> runs = runs_of(last);
  bool dense = static_cast<int64_t>(runs.size()) * 6 <= n;  // then copying runs pays
  for (int64_t r = begin; r < end; ++r) {
    int64_t rest = r, base = 0;
    for (size_t d = maps.size() - 1; d-- > 0;) {
      auto size = static_cast<int64_t>(maps[d].size());
      base += maps[d][d ? rest % size : rest];
      if (d) rest /= size;
    }
    T* dst = to + r * n;
    const T* src = from + base;
    if (dense)
      for (auto [at, source, count] : runs)
        if (count == 1)
          dst[at] = src[source];
        else
          copy(reinterpret_cast<char*>(dst + at), reinterpret_cast<const char*>(src + source),
               count * static_cast<int64_t>(sizeof(T)));
    else
#pragma GCC unroll 4
      for (int64_t k = 0; k < n; ++k) dst[k] = src[last[k]];
  }
  stream_fence();
}

// Rows too short to be worth a walk become one with those around them, of which there are enough to
// pay for the map.
void fold_short_rows(Maps& maps, int64_t numel) {
  constexpr size_t kShort = 64;
  const size_t most = static_cast<size_t>(std::min<int64_t>(4096, numel / 8));
  while (maps.size() > 1 && maps.back().size() < kShort) {
    SizeVec inner = std::move(maps.back());
    maps.pop_back();
    SizeVec& outer = maps.back();
    if (outer.size() * inner.size() > most) return maps.push_back(std::move(inner));
    SizeVec both;
    for (int64_t a : outer)
      for (int64_t b : inner) both.push_back(a + b);
    outer = std::move(both);
  }
}

void remap(const Tensor& self, Tensor& out, Maps maps) {
  if (out.numel == 0) return;
  if (maps.empty()) maps.push_back({0});
  fold_short_rows(maps, out.numel);
  auto width = static_cast<int64_t>(maps.back().size());
  Unlocked unlocked(out.numel);
  RunCopy copy = run_copy(out.numel * item_size(out.dtype));
  with_size(item_size(self.dtype), [&]<class U>() {
    parallel_for(out.numel / width, std::max<int64_t>(1, 32768 / width),
                 [&](int64_t begin, int64_t end) {
                   remap_rows(self.data<U>(), out.data<U>(), maps, copy, begin, end);
                 });
  });
}

OutSpec& same_infer(Call& c) { return c.add_out(c.tensor(0).sizes(), c.tensor(0).dtype); }

void flip_infer(Call& c) {  // self, dims
  bool seen[kMaxDims] = {};
  for (int64_t dim : c.ints(1)) {
    int d = wrap_dim(dim, c.tensor(0).ndim);
    RL_CHECK(!seen[d], "dim ", d, " appears multiple times in the list of dims");
    seen[d] = true;
    bool moves_rows = d < c.tensor(0).ndim - 1;
    if (is_float8(c.tensor(0).dtype) && !moves_rows) not_computed_in(c.tensor(0).dtype);
  }
  OutSpec& s = same_infer(c);
  if (!strides_in_rows(c.tensor(0))) s.strides = dense_like_strides(c.tensor(0));
}
void flip_run(Call& c) {  // reads backwards from the last element of each flipped dimension
  Tensor& self = c.tensor(0);
  SizeVec strides(self.strides().begin(), self.strides().end());
  int64_t offset = self.offset;
  for (int64_t dim : c.ints(1)) {
    if (!self.numel || !self.ndim) continue;
    int d = wrap_dim(dim, self.ndim);
    offset += (self.size(d) - 1) * self.stride(d);
    strides[d] = -strides[d];
  }
  copy_into(c.out(0), *alias(self, self.sizes(), strides, offset));
}

Sizes roll_dims(Call& c) { return c.has(2) ? c.ints(2) : Sizes{}; }
void roll_infer(Call& c) {  // self, shifts, dims
  Sizes shifts = c.ints(1), dims = roll_dims(c);
  RL_CHECK(!shifts.empty(), "`shifts` required");
  RL_CHECK(shifts.size() == dims.size() || (dims.empty() && shifts.size() == 1),
           "shifts and dimensions must align. shifts: ", shifts.size(), ", dims:", dims.size());
  for (int64_t dim : dims) {
    if (c.tensor(0).ndim == 0)
      fail(ErrorKind::Index, "roll: dimension specified as ", dim,
           " but the tensor has no dimensions");
    wrap_dim(dim, c.tensor(0).ndim);
  }
  OutSpec& s = same_infer(c);
  if (!dims.empty()) keep_layout(c.tensor(0), s);
}
void rotate(SizeVec& m, int64_t shift) {  // out[i] = in[i - shift]
  auto n = static_cast<int64_t>(m.size());
  if (n == 0) return;
  int64_t first = (n - (shift % n + n) % n) % n;
  std::rotate(m.begin(), m.begin() + first, m.end());
}
// What a tensor holds from index `begin` of a dimension on.
Ref<Tensor> part_of(const Tensor& t, int d, int64_t begin, int64_t count) {
  SizeVec sizes(t.sizes().begin(), t.sizes().end());
  sizes[d] = count;
  return alias(t, sizes, t.strides(), t.offset + begin * t.stride(d));
}
// As blocks that stay together, two for each pair of a dimension and a shift from the i-th on.
void roll_blocks(Tensor& out, const Tensor& self, Sizes shifts, const std::vector<int>& dims,
                 size_t i = 0) {
  if (i == dims.size()) return copy_into(out, self);
  const int d = dims[i];
  const int64_t n = self.size(d), shift = (shifts[i] % n + n) % n;
  for (auto [to, from, count] : {Run{shift, 0, n - shift}, Run{0, n - shift, shift}})
    if (count)
      roll_blocks(*part_of(out, d, to, count), *part_of(self, d, from, count), shifts, dims, i + 1);
}
// A map of a long dimension would take longer, and more memory, than the elements; so would maps of
// all dimensions where there are few elements beside, if rows are not cut in small pieces. Of many
// elements blocks are moved in less time than rows one by one.
constexpr int64_t kLongRoll = 2048;
bool better_in_blocks(const Tensor& self, const std::vector<int>& dims) {
  constexpr int64_t kEntries = 256, kElementsOfEntry = 16, kRow = 64, kMany = 8192;
  int64_t entries = 0;
  for (int d = 0; d < self.ndim; ++d) entries += self.size(d);
  const int last = self.ndim - 1;
  bool is_long =
      (self.numel >= kMany || (entries >= kEntries && entries * kElementsOfEntry > self.numel)) &&
      (self.size(last) >= kRow || std::ranges::find(dims, last) == dims.end());
  for (size_t i = 0; i < dims.size(); ++i) {
    if (std::count(dims.begin(), dims.end(), dims[i]) > 1) return false;  // shifts would add up
    is_long |= self.size(dims[i]) >= kLongRoll;
  }
  return is_long && dims.size() <= 3;
}
void roll_flat(Tensor& out, const Tensor& self, Sizes shifts) {
  Ref<Tensor> dense = contiguous(self);
  const int64_t sizes[1] = {self.numel}, strides[1] = {1};
  if (self.numel >= kLongRoll)
    return roll_blocks(*alias(out, sizes, strides, out.offset),
                       *alias(*dense, sizes, strides, dense->offset), shifts, {0});
  Maps flat(1);
  for (int64_t i = 0; i < self.numel; ++i) flat[0].push_back(i);
  rotate(flat[0], shifts[0]);
  remap(*dense, out, std::move(flat));
}
void roll_run(Call& c) {
  const Tensor& self = c.tensor(0);
  Sizes shifts = c.ints(1);
  if (roll_dims(c).empty()) return roll_flat(c.out(0), self, shifts);
  if (self.numel == 0) return;
  std::vector<int> dims;
  for (int64_t dim : roll_dims(c)) dims.push_back(wrap_dim(dim, self.ndim));
  if (better_in_blocks(self, dims)) return roll_blocks(c.out(0), self, shifts, dims);
  Maps maps = plain_maps(self);
  for (size_t i = 0; i < dims.size(); ++i) rotate(maps[dims[i]], shifts[i]);
  if (is_channels_last(c.out(0))) std::rotate(maps.begin() + 1, maps.begin() + 2, maps.end());
  remap(self, c.out(0), std::move(maps));
}

void repeat_infer(Call& c) {  // self, repeats
  const Tensor& self = c.tensor(0);
  Sizes repeats = c.ints(1);
  RL_CHECK(repeats.size() >= self.ndim,
           "Number of dimensions of repeat dims can not be smaller than ",
           "number of dimensions of tensor, got repeats ", repeats, " for sizes ", self.sizes());
  SizeVec sizes(repeats.begin(), repeats.end());
  size_t extra = repeats.size() - self.ndim;
  for (int64_t r : repeats) RL_CHECK(r >= 0, "Trying to create tensor with negative dimension ", r);
  for (int d = 0; d < self.ndim; ++d) sizes[extra + d] *= self.size(d);
  c.add_out(sizes, self.dtype);
}
void repeat_run(Call& c) {
  const Tensor& self = c.tensor(0);
  if (!c.out(0).numel) return;  // other repeats may be huge
  Sizes repeats = c.ints(1);
  size_t extra = repeats.size() - self.ndim;
  Maps once = plain_maps(self), maps;
  for (size_t d = 0; d < repeats.size(); ++d) {
    SizeVec one = d < extra ? SizeVec{0} : once[d - extra], m;
    for (int64_t r = 0; r < repeats[d]; ++r) m.insert(m.end(), one.begin(), one.end());
    maps.push_back(std::move(m));
  }
  remap(self, c.out(0), std::move(maps));
}

// ---- _diag_embed(self, offset): (*, n) to (*, n + |offset|, n + |offset|)
void diag_embed_infer(Call& c) {
  const Tensor& x = c.tensor(0);
  RL_CHECK(x.ndim >= 1, c.op, ": expected at least one dimension");
  SizeVec sizes(x.sizes().begin(), x.sizes().end());
  sizes.back() += std::abs(c.integer(1));
  sizes.push_back(sizes.back());
  c.add_out(sizes, x.dtype);
}
void diag_embed_run(Call& c) {
  const Tensor& x = c.tensor(0);
  Tensor& out = c.out(0);
  std::memset(out.raw(), 0, static_cast<size_t>(out.numel * item_size(out.dtype)));
  const int64_t side = out.size(out.ndim - 1), k = c.integer(1);
  SizeVec strides = contiguous_strides(x.sizes());
  for (int d = 0; d < x.ndim - 1; ++d) strides[d] = out.stride(d);
  strides.back() = side + 1;
  copy_into(*alias(out, x.sizes(), strides, k < 0 ? -k * side : k), x);
}

// ---- _channel_shuffle(input, groups) of (N, C, *): channels of all groups take turns
void channel_shuffle_infer(Call& c) { same_infer(c); }
void channel_shuffle_run(Call& c) {
  Tensor &x = c.tensor(0), &out = c.out(0);
  const int64_t groups = c.integer(1);
  auto split = [&](const Tensor& t, int64_t outer, int64_t channel_step, int64_t group_step) {
    SizeVec sizes(t.sizes().begin(), t.sizes().end()),
        strides(t.strides().begin(), t.strides().end());
    sizes[1] = outer;
    sizes.insert(sizes.begin() + 2, groups);
    strides[1] = channel_step * t.stride(1);
    strides.insert(strides.begin() + 2, group_step * t.stride(1));
    return alias(t, sizes, strides, t.offset);
  };
  const int64_t each = x.size(1) / groups;
  copy_into(*split(out, each, groups, 1), *split(x, each, 1, each));
}

// ---- tril, triu (self, diagonal)
void triangle_infer(Call& c) {
  RL_CHECK(c.tensor(0).ndim >= 2, c.op, ": input tensor must have at least 2 dimensions, got ",
           c.tensor(0).sizes());
  same_infer(c);
}
template <bool Lower>
void triangle_run(Call& c) {
  Tensor& out = c.out(0);
  if (out.numel == 0) return;
  Ref<Tensor> self = contiguous(c.tensor(0));
  if (unsafe_overlap(out, *self)) {
    Ref<Tensor> copy = empty(out.sizes(), out.dtype);
    copy_into(*copy, *self);
    self = copy;
  }
  int64_t rows = out.size(out.ndim - 2), cols = out.size(out.ndim - 1);
  int64_t k = std::clamp<int64_t>(c.integer(1), -rows - 1, cols);
  int64_t item = item_size(out.dtype), width = cols * item;
  auto *to = static_cast<char*>(out.raw()), *from = static_cast<char*>(self->raw());
  RunCopy copy = run_copy(out.numel * item);
  Unlocked unlocked(out.numel);
  parallel_for(
      out.numel / cols, std::max<int64_t>(1, 32768 / cols), [&](int64_t begin, int64_t end) {
        for (int64_t r = begin; r < end; ++r) {
          int64_t edge = std::clamp<int64_t>(r % rows + k + (Lower ? 1 : 0), 0, cols) * item;
          int64_t kept = Lower ? 0 : edge, length = Lower ? edge : width - edge;
          char* row = to + r * width;  // zero is all bits zero in every dtype
          if (from != to) copy(row + kept, from + r * width + kept, length);
          std::memset(row + (Lower ? edge : 0), 0, static_cast<size_t>(width - length));
        }
        stream_fence();
      });
}

// ---- contiguous(self, memory_format), and which positions repeat_interleave reads
void contiguous_infer(Call& c) {
  const Tensor& self = c.tensor(0);
  OutSpec& s = c.add_out(self.sizes(), self.dtype);
  s.strides = strides_for(self.sizes(), c.arg(1).format);
}
void copy_run(Call& c) { copy_into(c.out(0), c.tensor(0)); }

void repeat_positions_run(Call& c) {  // repeats: 1-d integers
  Ref<Tensor> repeats = contiguous_as(c.tensor(0), DType::I64);
  RL_CHECK(is_integral(c.tensor(0).dtype) && c.tensor(0).ndim == 1,
           "repeat_interleave only accepts a 1-d integer tensor as repeats, got ",
           c.tensor(0).dtype, " of shape ", c.tensor(0).sizes());
  const int64_t* n = repeats->data<int64_t>();
  int64_t total = 0;
  for (int64_t i = 0; i < repeats->numel; ++i) {
    RL_CHECK(n[i] >= 0, "repeats can not be negative, got ", n[i], " at position ", i);
    total += n[i];
  }
  Ref<Tensor> out = empty(Sizes(&total, 1), DType::I64);
  int64_t* at = out->data<int64_t>();
  for (int64_t i = 0; i < repeats->numel; ++i) at = std::fill_n(at, n[i], i);
  c.set_out(0, std::move(out));
}

// ---- _combination_positions(self, r, with_replacement): what itertools' combinations take of a
// vector, a row each
int64_t combinations_of(int64_t n, int64_t r) {
  __int128 count = 1;
  for (int64_t i = 1; i <= r; ++i) {
    count = count * (n - r + i) / i;  // n - r + i over i
    RL_CHECK(count < (int64_t{1} << 59), "combinations: too many of ", r, " out of ", n);
  }
  return static_cast<int64_t>(count);
}
void combinations_infer(Call& c) {
  int64_t n = c.tensor(0).numel, r = c.integer(1), rows = n < 1 ? 0 : c.flag(2) ? n + r - 1 : n;
  c.add_out(SizeVec{rows < r ? 0 : combinations_of(rows, r), r}, DType::I64);
}
// R is r, or 0 for any.
template <int R>
void write_combinations(int64_t* to, int64_t n, int64_t r, bool repeats) {
  const int64_t last = (R ? R : r) - 1, apart = repeats ? 0 : 1;
  SizeVec row(static_cast<size_t>(last + 1));
  for (int64_t i = 0; i <= last; ++i) row[i] = i * apart;
  for (int64_t i = last; i >= 0;) {
    for (int64_t end = row[last]; end < n; ++end, to += last + 1) {
      for (int64_t k = 0; k < last; ++k) to[k] = row[k];
      to[last] = end;
    }
    for (i = last - 1; i >= 0 && row[i] == n - 1 - (last - i) * apart;) --i;
    if (i < 0) return;
    ++row[i];
    for (int64_t k = i + 1; k <= last; ++k) row[k] = row[k - 1] + apart;
  }
}
void combinations_run(Call& c) {
  if (c.out(0).numel == 0) return;
  int64_t r = c.integer(1);
  auto write = r == 2 ? write_combinations<2> : write_combinations<0>;
  write(c.out(0).data<int64_t>(), c.tensor(0).numel, r, c.flag(2));
}

RL_KERNEL("_combination_positions", combinations_infer, combinations_run);
RL_KERNEL_FLOAT8("flip", flip_infer, flip_run);
RL_KERNEL_FLOAT8("roll", roll_infer, roll_run);
RL_KERNEL_FLOAT8("repeat", repeat_infer, repeat_run);
RL_KERNEL_FLOAT8("_diag_embed", diag_embed_infer, diag_embed_run);
RL_KERNEL("_channel_shuffle", channel_shuffle_infer, channel_shuffle_run);
RL_KERNEL("tril", triangle_infer, triangle_run<true>);
RL_KERNEL("triu", triangle_infer, triangle_run<false>);
RL_KERNEL_FLOAT8("dense_copy", contiguous_infer, copy_run);
RL_DYNAMIC("repeat_positions", repeat_positions_run);

}  // namespace
}  // namespace rl
