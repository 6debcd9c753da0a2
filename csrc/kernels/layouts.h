// Whether activations (batch, channels, ...) lie in memory with their channels last.
#pragma once
#include "core/tensor.h"

namespace rl {
namespace {  // included by files compiled once per level, too

inline MemoryFormat last_format(const Tensor& t) {
  return t.ndim == 5 ? MemoryFormat::ChannelsLast3d : MemoryFormat::ChannelsLast;
}
inline bool is_channels_last(const Tensor& t) {
  return t.ndim >= 4 && !t.contiguous && is_contiguous(t, last_format(t));
}

}  // namespace
}  // namespace rl
