// Reading elements by position: gather, index_select, take, masked_select, nonzero.
// They move bytes, so one instantiation per element size serves every dtype. Writing by
// position is in scatter.cpp.
#include <bit>
#include <cstring>
#include <numeric>
#include <vector>

#include "core/multiversion.h"
#include "kernels/line_starts.h"
#include "kernels/masks.h"
#include "kernels/select.h"

namespace rl {

RL_MULTIVERSION bool all_within(const int64_t* index, int64_t count, int64_t n, int64_t low) {
  uint64_t signs = 0;
  for (int64_t j = 0; j < count; ++j) {
    auto i = static_cast<uint64_t>(index[j]);
    signs |= (i - static_cast<uint64_t>(low)) | (static_cast<uint64_t>(n - 1) - i);
  }
  return static_cast<int64_t>(signs) >= 0;
}

namespace {

// --- gather(self, dim, index)
void gather_infer(Call& c) {
  const Tensor &t = c.tensor(0), &index = c.tensor(2);
  int dim = dim_of(c, 1);
  c.add_out(index.sizes(), t.dtype);
  if (index.numel == 0) return;
  check_index_dtype(c, index);
  RL_CHECK(std::max<int>(t.ndim, 1) == std::max<int>(index.ndim, 1), c.op,
           "(): Index tensor must have the same number of dimensions as input tensor; got ",
           index.sizes(), " for an input of ", t.sizes());
  for (int d = 0; d < index.ndim; ++d)
    RL_CHECK(d == dim || index.size(d) <= size_or_one(t, d), c.op, "(): Size does not match at ",
             "dimension ", d, ": expected index ", index.sizes(), " to be no larger than self ",
             t.sizes(), " apart from dimension ", dim);
}

// One element of each of many lines that lie evenly.
template <class U>
void gather_elements(const U* x, int64_t line_step, int64_t step, const int64_t* index,
                     int64_t count, U* out) {
  if (line_step == 0 && step == 1) {
#pragma GCC unroll 4
    for (int64_t o = 0; o < count; ++o) out[o] = x[index[o]];
    return;
  }
#pragma GCC unroll 4
  for (int64_t o = 0; o < count; ++o) out[o] = x[o * line_step + index[o] * step];
}

// Asks for the part of a line of n elements that begin to end are of `all`. What a line is read at
// is in no order that prefetchers follow, so most of it is asked for while the one before is read.
constexpr int64_t kFetched = 8;     // elements of a line for each that is read
constexpr int64_t kNear = 1 << 17;  // elements of which all are at hand anyway
template <class U>
void fetch_share(const U* line, int64_t n, int64_t begin, int64_t end, int64_t all) {
  constexpr auto kLine = static_cast<int64_t>(64 / sizeof(U));
  for (int64_t i = n * begin / all; i < n * end / all; i += kLine) __builtin_prefetch(line + i);
}

template <class U>
void gather_lines(const Tensor& t, int dim, const Tensor& index, U* out, const char* op) {
  Lines l = lines_of(index, dim);
  auto* ix = index.data<int64_t>();
  int64_t n = size_or_one(t, dim), step = stride_or_zero(t, dim);
  std::vector<int64_t> inner = inner_offsets(index, t, dim);
  const int64_t* offsets = inner.empty() ? nullptr : inner.data();
  LineStarts starts(index, t, dim);
  if (l.size * l.inner == 1 && starts.even())
    return parallel_for(l.outer, line_grain(l), [&](int64_t b, int64_t e) {
      check_indices(ix + b, e - b, n, op, dim);
      gather_elements(t.data<U>() + starts[b], starts.step(), step, ix + b, e - b, out + b);
    });
  if (l.inner == 1) {
    const bool fetches = step == 1 && n <= kFetched * l.size && t.numel > kNear;
    return parallel_for(l.outer, line_grain(l), [&](int64_t b, int64_t e) {
      for (int64_t o = b; o < e; ++o) {
        const U* x = t.data<U>() + starts[o];
        const U* next = fetches && o + 1 < e ? t.data<U>() + starts[o + 1] : nullptr;
        each_piece(ix + o * l.size, l.size, n, op, dim,
                   [=, to = out + o * l.size](const int64_t* at, int64_t j, int64_t count) {
                     if (next) fetch_share(next, n, j, j + count, l.size);
                     gather_elements(x, 0, step, at, count, to + j);
                   });
      }
    });
  }
  parallel_for(l.outer * l.size, line_grain({1, l.inner, 1}), [&](int64_t b, int64_t e) {
    for (int64_t r = b; r < e; ++r) {
      const U* x = t.data<U>() + starts[r / l.size];
      each_piece(ix + r * l.inner, l.inner, n, op, dim,
                 [=, to = out + r * l.inner](const int64_t* at, int64_t k, int64_t count) {
                   if (!offsets) return gather_elements(x + k, 1, step, at, count, to + k);
                   for (int64_t i = 0; i < count; ++i) to[k + i] = x[at[i] * step + offsets[k + i]];
                 });
    }
  });
}

// Reads slices, where the index has one position for each.
bool gather_slices(Call& c, const Tensor& t, int dim, const Tensor& index) {
  bool fits = t.contiguous && fits_around(t, index, dim);
  Ref<Tensor> at = fits ? slice_index(index, dim) : nullptr;
  if (!at) return false;
  Unlocked unlocked(index.numel);
  check_indices(at->data<int64_t>(), at->numel, t.size(dim), c.op, dim);
  with_size(item_size(t.dtype), [&]<class U>() {
    select_lines<U>(lines_of(t, dim), t.data<U>(), *at, c.out(0).data<U>());
  });
  return true;
}

void gather_run(Call& c) {
  const Tensor& t = c.tensor(0);
  if (c.out(0).numel == 0 || gather_slices(c, t, dim_of(c, 1), c.tensor(2))) return;
  Ref<Tensor> index = index_values(c.tensor(2));
  Unlocked unlocked(index->numel);
  with_size(item_size(t.dtype),
            [&]<class U>() { gather_lines<U>(t, dim_of(c, 1), *index, c.out(0).data<U>(), c.op); });
}

// --- index_select(self, dim, index)
void index_select_infer(Call& c) {
  const Tensor &t = c.tensor(0), &index = c.tensor(2);
  int dim = dim_of(c, 1);
  if (index.ndim > 1)
    fail(ErrorKind::Index, "index_select(): Index is supposed to be a vector, got ", index.sizes());
  check_index_dtype(c, index);
  RL_CHECK(t.ndim || index.numel == 1,
           "index_select(): Index to scalar must have exactly 1 value, got ", index.numel);
  OutSpec& s = c.add_out(t.sizes(), t.dtype);
  if (t.ndim) s.sizes[dim] = index.numel;
}

void check_selected(const int64_t* index, int64_t count, int64_t n, const char* op) {
  if (!all_within(index, count, n))
    fail(ErrorKind::Index, op, ": index out of range in self: ", first_outside(index, count, n),
         " for a dimension of size ", n);
}

void select(Call& c, const Tensor& self, int dim, const Tensor& positions, const char* op) {
  if (c.out(0).numel == 0) return;
  Ref<Tensor> index = index_values(positions);
  check_selected(index->data<int64_t>(), index->numel, size_or_one(self, dim), op);
  if (select_slices(self, dim, *index, c.out(0))) return;
  Ref<Tensor> t = contiguous(self);
  Unlocked unlocked(c.out(0).numel);
  with_size(item_size(t->dtype), [&]<class U>() {
    select_lines<U>(lines_of(*t, dim), t->data<U>(), *index, c.out(0).data<U>());
  });
}
// Nothing is read from a tensor without elements, but positions that it has not are refused.
void check_none_selected(const Tensor& t, int dim, const Tensor& positions) {
  int64_t n = t.size(dim), count = positions.numel;
  RL_CHECK(n > 0 || !count, "index_select(): nothing can be selected from a dimension of size 0");
  Ref<Tensor> index = index_values(positions);
  RL_CHECK(all_within(index->data<int64_t>(), count, n), "index_select(): position ",
           first_outside(index->data<int64_t>(), count, n), " is outside of a dimension of size ",
           n);
}
void index_select_run(Call& c) {
  const Tensor& t = c.tensor(0);
  if (t.ndim > 1 && t.numel == 0) return check_none_selected(t, dim_of(c, 1), c.tensor(2));
  select(c, t, dim_of(c, 1), c.tensor(2), c.op);
}

// --- _embedding(weight, indices, ...)
void embedding_infer(Call& c) {
  const Tensor &weight = c.tensor(0), &indices = c.tensor(1);
  OutSpec& s = c.add_out(indices.sizes(), weight.dtype);
  s.sizes.push_back(weight.size(1));
}
void embedding_run(Call& c) { select(c, c.tensor(0), 0, c.tensor(1), "embedding"); }

// --- take(self, index)
void take_infer(Call& c) {
  RL_CHECK(c.tensor(1).dtype == DType::I64, "take(): Expected a long tensor for index, but got ",
           c.tensor(1).dtype);
  if (c.tensor(0).numel == 0 && c.tensor(1).numel)
    fail(ErrorKind::Index, "take(): tried to take from an empty tensor");
  c.add_out(c.tensor(1).sizes(), c.tensor(0).dtype);
}

void take_run(Call& c) {
  Ref<Tensor> t = contiguous(c.tensor(0)), index = contiguous(c.tensor(1));
  int64_t n = t->numel;
  Unlocked unlocked(index->numel);
  with_size(item_size(t->dtype), [&]<class U>() {
    auto* x = t->data<U>();
    auto* ix = index->data<int64_t>();
    U* out = c.out(0).data<U>();
    parallel_for(index->numel, 32768, [&](int64_t b, int64_t e) {
      for (int64_t j = b; j < e; ++j) {
        int64_t i = ix[j] < 0 ? ix[j] + n : ix[j];
        if (static_cast<uint64_t>(i) >= static_cast<uint64_t>(n))
          fail(ErrorKind::Index, "take(): out of range: tried to access index ", ix[j],
               " on a tensor of ", n, " elements");
        out[j] = x[i];
      }
    });
  });
}

// --- masked_select(self, mask): self and mask broadcast together
Ref<Tensor> broadcast_to(const Tensor& t, Sizes sizes) {
  if (t.sizes().size() == sizes.size() && std::equal(sizes.begin(), sizes.end(), t.sizes_))
    return contiguous(t);
  Ref<Tensor> out = empty(sizes, t.dtype);
  copy_into(*out, t);
  return out;
}

void masked_select_run(Call& c) {
  RL_CHECK(c.tensor(1).dtype == DType::Bool, "masked_select: expected BoolTensor for mask, got ",
           c.tensor(1).dtype);
  SizeVec sizes = broadcast_sizes(c.tensor(0).sizes(), c.tensor(1).sizes());
  Ref<Tensor> t = broadcast_to(c.tensor(0), sizes), mask = broadcast_to(c.tensor(1), sizes);
  const uint8_t* m = mask_bytes(*mask);
  Ref<Tensor> out = empty(SizeVec{count_true(*mask)}, t->dtype);
  {
    Unlocked unlocked(t->numel);
    with_size(item_size(t->dtype), [&]<class U>() {
      auto* x = t->data<U>();
      U *to = out->data<U>(), *end = to + out->numel;
      for (int64_t i = 0; to != end; ++i) {
        *to = x[i];  // overwritten by the next element unless the mask keeps it
        to += m[i] != 0;
      }
    });
  }
  c.set_out(0, std::move(out));
}

// --- nonzero(self) -> int64 (n, ndim)
// For each byte: where its bits are set, those places first.
struct BitPlaces {
  uint8_t of[256][8];
};
constexpr BitPlaces kBitPlaces = [] {
  BitPlaces places{};
  for (unsigned byte = 0; byte < 256; ++byte)
    for (uint8_t bit = 0, n = 0; bit < 8; ++bit)
      if (byte >> bit & 1) places.of[byte][n++] = bit;
  return places;
}();

// A bit for each of eight bytes that is not 0.
inline unsigned true_bits(const uint8_t* m) {
  constexpr uint64_t kLow = 0x7f7f7f7f7f7f7f7f;
  uint64_t bytes;
  std::memcpy(&bytes, m, sizeof bytes);
  uint64_t tops = (((bytes & kLow) + kLow) | bytes) & ~kLow;
  return static_cast<unsigned>((tops >> 7) * 0x0102040810204080 >> 56);
}

// Writes what is before the last position (with Pair: one more position) and the positions, from
// `first` on, of true elements. Eight at a time: places after the last are overwritten by the next.
template <bool Pair>
[[gnu::always_inline]] inline int64_t* put_places(const uint8_t* m, int64_t count, int64_t before,
                                                  int64_t first, int64_t* to, const int64_t* end) {
  constexpr int64_t kStep = Pair ? 2 : 1;
  auto put = [=](int64_t* at, int64_t place) {
    if (Pair) at[0] = before;
    at[kStep - 1] = place;
  };
  int64_t i = 0;
  for (; i + 8 <= count && end - to >= 8 * kStep; i += 8) {
    const unsigned bits = true_bits(m + i);
    const uint8_t* places = kBitPlaces.of[bits];
    for (int j = 0; j < 8; ++j) put(to + j * kStep, first + i + places[j]);
    to += std::popcount(bits) * kStep;
  }
  for (; i < count && to != end; ++i) {
    put(to, first + i);
    to += m[i] ? kStep : 0;
  }
  return to;
}
RL_MULTIVERSION int64_t* put_singles(const uint8_t* m, int64_t count, int64_t first, int64_t* to,
                                     const int64_t* end) {
  return put_places<false>(m, count, 0, first, to, end);
}
RL_MULTIVERSION int64_t* put_pairs(const uint8_t* m, int64_t count, int64_t row, int64_t* to,
                                   const int64_t* end) {
  return put_places<true>(m, count, row, 0, to, end);
}

// The same for any number of dimensions, of which `row` counts all but the last.
int64_t* put_rows(const Tensor& t, const uint8_t* m, int64_t row, int64_t* to, const int64_t* end) {
  const int last = t.ndim - 1;
  int64_t prefix[kMaxDims], rest = row;
  for (int d = last; d-- > 0; rest /= t.size(d)) prefix[d] = rest % t.size(d);
  for (int64_t i = 0; i < t.size(last) && to != end; ++i) {
    for (int d = 0; d < last; ++d) to[d] = prefix[d];
    to[last] = i;
    to += m[i] ? t.ndim : 0;
  }
  return to;
}

// Positions of true elements in units begin to end: rows, or elements of a vector.
void write_positions(const Tensor& t, int64_t begin, int64_t end, int64_t* to,
                     const int64_t* to_end) {
  const uint8_t* m = mask_bytes(t);
  if (t.ndim == 1) return void(put_singles(m + begin, end - begin, begin, to, to_end));
  const int64_t width = t.size(t.ndim - 1);
  for (int64_t row = begin; row < end; ++row)
    to = t.ndim == 2 ? put_pairs(m + row * width, width, row, to, to_end)
                     : put_rows(t, m + row * width, row, to, to_end);
}

void nonzero_run(Call& c) {
  constexpr int64_t kShare = 65536;  // elements worth a thread
  Ref<Tensor> t = contiguous_as(c.tensor(0), DType::Bool);
  const uint8_t* m = mask_bytes(*t);
  const int64_t unit = t->ndim > 1 ? std::max<int64_t>(t->size(t->ndim - 1), 1) : 1;
  const int64_t units = t->numel / unit;
  const int64_t parts = std::clamp<int64_t>(std::min(t->numel / kShare, units), 1, num_threads());
  auto cut = [=](int64_t part) { return units * part / parts; };
  std::vector<int64_t> found(static_cast<size_t>(parts) + 1);
  parallel_for(parts, 1, [&](int64_t b, int64_t e) {
    for (; b < e; ++b) found[b + 1] = count_true(m + cut(b) * unit, (cut(b + 1) - cut(b)) * unit);
  });
  std::partial_sum(found.begin(), found.end(), found.begin());
  Ref<Tensor> out = empty(SizeVec{found[parts], t->ndim}, DType::I64);
  auto* to = out->data<int64_t>();
  Unlocked unlocked(t->numel);
  if (t->ndim > 0)
    parallel_for(parts, 1, [&](int64_t b, int64_t e) {
      for (; b < e; ++b)
        write_positions(*t, cut(b), cut(b + 1), to + found[b] * t->ndim,
                        to + found[b + 1] * t->ndim);
    });
  c.set_out(0, std::move(out));
}

RL_KERNEL("gather", gather_infer, gather_run);
RL_KERNEL_FLOAT8("index_select", index_select_infer, index_select_run);
RL_KERNEL_FLOAT8("_embedding", embedding_infer, embedding_run);
RL_KERNEL("take", take_infer, take_run);
RL_DYNAMIC_FLOAT8("masked_select", masked_select_run);
RL_DYNAMIC("nonzero", nonzero_run);

}  // namespace
}  // namespace rl
