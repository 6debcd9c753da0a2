// Whether activations (batch, channels, ...) lie in memory with their channels last.
#pragma once
#include <algorithm>

#include "plan/call.h"
#include "plan/copy.h"

namespace rl {
namespace {  // included by files compiled once per level, too

inline MemoryFormat last_format(const Tensor& t) {
  return t.ndim == 5 ? MemoryFormat::ChannelsLast3d : MemoryFormat::ChannelsLast;
}
inline bool is_channels_last(const Tensor& t) {
  return t.ndim >= 4 && !t.contiguous && is_contiguous(t, last_format(t));
}
// Also where sizes leave no difference to row-major.
inline bool lies_channels_last(const Tensor& t) {
  return t.ndim >= 4 && is_contiguous(t, last_format(t));
}

// By the strides channels vary fastest, and the batch slowest: also in a part of a tensor that lies
// so, and where sizes of 1 leave no difference to row-major. The layout of results for images goes
// by this.
inline bool varies_channels_first(const Tensor& t) {
  if (t.ndim < 4 || t.ndim > 5 || t.stride(1) == 0) return false;
  int64_t least = 0;
  for (int k = 0; k < t.ndim; ++k) {
    int d = k == 0 ? 1 : k == t.ndim - 1 ? 0 : t.ndim - k;
    if (t.size(d) == 0 || t.stride(d) < least) return false;
    if (d == 0 && least == t.stride(1)) return false;  // nothing but the batch has a size
    least = t.stride(d) * t.size(d);
  }
  return true;
}
inline MemoryFormat suggested_format(const Tensor& t) {
  return varies_channels_first(t) ? last_format(t) : MemoryFormat::Contiguous;
}
// A result of the sizes that are set is laid out as the input is.
inline void keep_layout(const Tensor& x, OutSpec& s) {
  if (varies_channels_first(x)) s.strides = strides_for(s.sizes, last_format(x));
}

// The tensor's elements in the dtype, row-major or with the channels last.
inline Ref<Tensor> in_order(const Tensor& t, DType dtype, bool last) {
  if (!last) return contiguous_as(t, dtype);
  if (t.dtype == dtype && lies_channels_last(t)) return Ref<Tensor>::share(const_cast<Tensor*>(&t));
  Ref<Tensor> out = empty_strided(t.sizes(), strides_for(t.sizes(), last_format(t)), dtype);
  copy_into(*out, t);
  return out;
}
// With the channels, which lie last in memory, as the last dimension.
inline Ref<Tensor> channels_moved_last(const Tensor& t) {
  SizeVec sizes(t.sizes().begin(), t.sizes().end()),
      strides(t.strides().begin(), t.strides().end());
  std::rotate(sizes.begin() + 1, sizes.begin() + 2, sizes.end());
  std::rotate(strides.begin() + 1, strides.begin() + 2, strides.end());
  return alias(t, sizes, strides, t.offset);
}
inline bool lies_in_order(const Tensor& t, DType dtype, bool last) {
  return t.dtype == dtype && (last ? lies_channels_last(t) : t.contiguous);
}
// out, or what is to be copied to it.
inline Ref<Tensor> target_in_order(Tensor& out, DType dtype, bool last) {
  if (lies_in_order(out, dtype, last)) return Ref<Tensor>::share(&out);
  if (!last) return empty(out.sizes(), dtype);
  return empty_strided(out.sizes(), strides_for(out.sizes(), last_format(out)), dtype);
}

}  // namespace
}  // namespace rl
