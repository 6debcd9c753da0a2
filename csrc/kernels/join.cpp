// Tensors put together: cat, stack.
#include <algorithm>
#include <cstring>
#include <vector>

#include "core/small_vec.h"
#include "kernels/layouts.h"
#include "plan/copy.h"
#include "plan/parallel.h"
#include "plan/space.h"
#include "plan/stream.h"

namespace rl {
namespace {

// ---- cat(tensors, dim)
bool is_legacy_empty(const Tensor& t) { return t.ndim == 1 && t.size(0) == 0; }

// But for empty ones.
bool all_channels_last(std::span<Tensor* const> tensors, bool lies(const Tensor&)) {
  auto lies_last = [&](const Tensor* t) { return lies(*t); };
  auto lies_last_or_empty = [&](const Tensor* t) { return t->numel == 0 || lies_last(t); };
  return std::ranges::any_of(tensors, lies_last) &&
         std::ranges::all_of(tensors, lies_last_or_empty);
}

void cat_infer(Call& c) {
  auto tensors = c.tensors(0);
  if (tensors.empty()) fail(ErrorKind::Value, c.op, "(): expected a non-empty list of Tensors");
  const Tensor* shape = nullptr;
  DType dtype = tensors[0]->dtype;
  for (size_t i = 0; i < tensors.size(); ++i) {
    const Tensor* t = tensors[i];
    RL_CHECK(t->ndim > 0, "zero-dimensional tensor (at position ", i, ") cannot be concatenated");
    dtype = promote(dtype, t->dtype);
    if (!shape && !is_legacy_empty(*t)) shape = t;
  }
  if (!shape) shape = tensors[0];
  // One-dimensional empty tensors alone may be joined along any dimension.
  int d = is_legacy_empty(*shape) ? 0 : wrap_dim(c.integer(1), shape->ndim);
  SizeVec sizes(shape->sizes().begin(), shape->sizes().end());
  sizes[d] = 0;
  for (size_t i = 0; i < tensors.size(); ++i) {
    const Tensor& t = *tensors[i];
    if (is_legacy_empty(t)) continue;
    RL_CHECK(t.ndim == shape->ndim, "Tensors must have same number of dimensions: got ",
             static_cast<int>(shape->ndim), " and ", static_cast<int>(t.ndim));
    for (int k = 0; k < t.ndim; ++k)
      RL_CHECK(k == d || t.size(k) == shape->size(k),
               "Sizes of tensors must match except in dimension ", d, ". Expected size ",
               shape->size(k), " but got size ", t.size(k), " for tensor number ", i,
               " in the list.");
    sizes[d] += t.size(d);
  }
  OutSpec& out = c.add_out(sizes, dtype);
  if (all_channels_last(tensors, varies_channels_first))
    out.strides = strides_for(sizes, last_format(*shape));
}

// Two tensors, an element of each at a time.
template <class U>
void interleave(const U* a, const U* b, U* to, int64_t n) {
  parallel_for(n, 32768, [=](int64_t i, int64_t end) {
#pragma GCC ivdep
    for (; i < end; ++i) to[2 * i] = a[i], to[2 * i + 1] = b[i];
  });
}

// Tensors that lie in memory as out's rows want them, a row of each at a time: out is then written
// from end to end, and the inputs read so. Not for many rows of a few bytes, nor for large tensors
// one behind the other, which copies split better.
bool join_rows(Tensor& out, std::span<Tensor* const> tensors, int d) {
  int64_t outer = 1;
  for (int k = 0; k < d; ++k) outer *= out.size(k);
  if (outer <= 1 && out.numel > 32768) return false;
  struct Part {
    const char* from;
    int64_t bytes;
  };
  SmallVec<Part, 8> parts;  // joins of a few small tensors are to allocate nothing
  int64_t item = item_size(out.dtype), row = outer ? out.numel / outer * item : 0;
  for (const Tensor* t : tensors) {
    if (t->numel == 0) continue;
    if (!t->contiguous || t->dtype != out.dtype) return false;
    parts.push_back({static_cast<const char*>(t->raw()), t->numel / outer * item});
  }
  if (parts.size() == 2 && row == 2 * item && parts[0].bytes == item) {
    with_size(item, [&]<class U>() {
      auto *a = reinterpret_cast<const U*>(parts[0].from),
           *b = reinterpret_cast<const U*>(parts[1].from);
      interleave(a, b, out.data<U>(), outer);
    });
    return true;
  }
  if (outer > 64 && row < 64 * static_cast<int64_t>(parts.size())) return false;
  auto* to = static_cast<char*>(out.raw());
  int64_t grain = 32768 * 4 / std::max<int64_t>(1, row);
  // Short rows some at once, without a call for each: the cache keeps what is written.
  constexpr int64_t kCalled = 256, kTogether = 8192;  // bytes
  const bool are_short =
      row < kCalled * static_cast<int64_t>(parts.size()) && !past_cache(outer * row);
  const int64_t together =
      are_short ? std::max<int64_t>(1, kTogether / std::max<int64_t>(1, row)) : 1;
  RunCopy copy = run_copy(outer * row);
  parallel_for(outer, std::max<int64_t>(1, grain), [&](int64_t b, int64_t e) {
    for (int64_t i = b; i < e && !are_short; ++i) {
      char* at = to + i * row;
      for (const Part& p : parts) {
        copy(at, p.from + i * p.bytes, p.bytes);
        at += p.bytes;
      }
    }
    for (int64_t i = b; i < e && are_short; i += together) {
      char* at = to + i * row;
      for (const Part& p : parts) {
        mover(1)(at, p.from + i * p.bytes, std::min(together, e - i), p.bytes, {row, 1},
                 {p.bytes, 1});
        at += p.bytes;
      }
    }
    stream_fence();
  });
  return true;
}

Sizes with(SizeVec& v, int d, int64_t n) {
  v.insert(v.begin() + d, n);
  return v;
}
// Slices of one tensor, all a step apart, with a new dimension d of them; null if they are others.
Ref<Tensor> as_slices(std::span<Tensor* const> tensors, int d) {
  const Tensor& first = *tensors[0];
  if (tensors.size() < 2) return nullptr;
  const int64_t step = tensors[1]->offset - first.offset;
  if (step == 0) return nullptr;  // one tensor again and again is better copied each time
  for (size_t i = 1; i < tensors.size(); ++i) {
    const Tensor& t = *tensors[i];
    if (t.storage != first.storage || t.dtype != first.dtype ||
        t.offset != first.offset + static_cast<int64_t>(i) * step ||
        !std::ranges::equal(t.sizes(), first.sizes()) ||
        !std::ranges::equal(t.strides(), first.strides()))
      return nullptr;
  }
  SizeVec sizes(first.sizes().begin(), first.sizes().end());
  SizeVec strides(first.strides().begin(), first.strides().end());
  const auto count = static_cast<int64_t>(tensors.size());
  return alias(first, with(sizes, d, count), with(strides, d, step), first.offset);
}
// One copy of them all. False if they are others.
bool join_slices(Tensor& out, std::span<Tensor* const> tensors, int d) {
  Ref<Tensor> slices = as_slices(tensors, d);
  if (!slices) return false;
  SizeVec strides(out.strides().begin(), out.strides().end());
  const int64_t step = tensors[0]->size(d) * out.stride(d);
  copy_into(*alias(out, slices->sizes(), with(strides, d, step), out.offset), *slices);
  return true;
}

// The tensors one after another along dimension d of out.
void join(Tensor& out, std::span<Tensor* const> tensors, int d) {
  if (join_rows(out, tensors, d) || join_slices(out, tensors, d)) return;
  int64_t at = 0;
  for (Tensor* t : tensors) {
    if (t->numel == 0) continue;
    SizeVec sizes(out.sizes().begin(), out.sizes().end());
    sizes[d] = t->size(d);
    Ref<Tensor> part = alias(out, sizes, out.strides(), out.offset + at * out.stride(d));
    copy_into(*part, *t);
    at += t->size(d);
  }
}
// The same with the channels, which lie last in memory, as the last dimension.
void join_channels_last(Tensor& out, std::span<Tensor* const> tensors, int d) {
  std::vector<Ref<Tensor>> kept;
  std::vector<Tensor*> moved;
  for (Tensor* t : tensors)
    if (t->ndim == out.ndim) moved.push_back(kept.emplace_back(channels_moved_last(*t)).get());
  join(*channels_moved_last(out), moved, d == 0 ? 0 : d == 1 ? out.ndim - 1 : d - 1);
}
void cat_run(Call& c) {
  Tensor& out = c.out(0);
  int d = out.ndim == 1 ? 0 : wrap_dim(c.integer(1), out.ndim);
  (is_channels_last(out) ? join_channels_last : join)(out, c.tensors(0), d);
}

// ---- stack(tensors, dim)
void stack_infer(Call& c) {
  auto tensors = c.tensors(0);
  RL_CHECK(!tensors.empty(), "stack expects a non-empty TensorList");
  Sizes first = tensors[0]->sizes();
  DType dtype = tensors[0]->dtype;
  for (size_t i = 0; i < tensors.size(); ++i) {
    Sizes s = tensors[i]->sizes();
    RL_CHECK(std::equal(s.begin(), s.end(), first.begin(), first.end()),
             "stack expects each tensor to be equal size, but got ", first, " at entry 0 and ", s,
             " at entry ", i);
    dtype = promote(dtype, tensors[i]->dtype);
  }
  int d = wrap_dim(c.integer(1), static_cast<int>(first.size()) + 1);
  OutSpec& s = c.add_out(first, dtype);
  const auto count = static_cast<int64_t>(tensors.size());
  s.sizes.insert(s.sizes.begin() + d, count);
  if (d == static_cast<int>(first.size()) || !all_channels_last(tensors, is_channels_last)) return;
  SizeVec joined(first.begin(), first.end());  // as if it were cut out of what cat makes
  joined[d] *= count;
  s.strides = strides_for(joined, last_format(*tensors[0]));
  s.strides.insert(s.strides.begin() + d, s.strides[d] * first[d]);
}

// The stack of channels-last tensors as what cat would make of them; null where it is none.
Ref<Tensor> as_joined(const Tensor& out, const Tensor& first, int d) {
  if (!is_channels_last(first) || d == first.ndim) return nullptr;
  SizeVec sizes(first.sizes().begin(), first.sizes().end());
  SizeVec strides(out.strides().begin(), out.strides().end());
  sizes[d] *= out.size(d);
  strides.erase(strides.begin() + d);
  Ref<Tensor> joined = alias(out, sizes, strides, out.offset);
  const bool splits = out.stride(d) == first.size(d) * out.stride(d + 1);
  return splits && is_channels_last(*joined) ? joined : nullptr;
}

void stack_run(Call& c) {
  Tensor& out = c.out(0);
  int d = wrap_dim(c.integer(1), out.ndim);
  if (Ref<Tensor> joined = as_joined(out, *c.tensors(0)[0], d))
    return join_channels_last(*joined, c.tensors(0), d);
  if (join_rows(out, c.tensors(0), d)) return;  // the new dimension makes no difference to rows
  std::vector<Ref<Tensor>> kept;
  std::vector<Tensor*> slices;
  for (Tensor* t : c.tensors(0)) {
    SizeVec sizes(t->sizes().begin(), t->sizes().end()),
        strides(t->strides().begin(), t->strides().end());
    sizes.insert(sizes.begin() + d, 1);
    strides.insert(strides.begin() + d, 1);
    kept.push_back(alias(*t, sizes, strides, t->offset));
    slices.push_back(kept.back().get());
  }
  join(out, slices, d);
}

RL_KERNEL_FLOAT8("cat", cat_infer, cat_run);
RL_KERNEL_FLOAT8("stack", stack_infer, stack_run);

}  // namespace
}  // namespace rl
