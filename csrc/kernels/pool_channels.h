// Channels that lie last, several vectors of them at a time. Included by files compiled once per
// level.
#pragma once
#include <algorithm>

#include "kernels/vectors.h"

namespace rl {
namespace RL_ISA_NS {
namespace {

// f.template operator()<n>(channel) over all channels, which fill a vector: n vectors at a time;
// the last over the one before it.
template <class T, int Bytes = kVectorBytes, class F>
[[gnu::always_inline]] inline void each_channels(int64_t channels, F f) {
  constexpr int64_t kStep = Bytes / static_cast<int64_t>(sizeof(T));
  int64_t c = 0;
  for (; c + 4 * kStep <= channels; c += 4 * kStep) f.template operator()<4>(c);
  for (; c + 2 * kStep <= channels; c += 2 * kStep) f.template operator()<2>(c);
  for (; c < channels; c += kStep) f.template operator()<1>(std::min(c, channels - kStep));
}

// f.template operator()<n, bytes>(channel), in the widest vectors that the channels fill; false if
// they fill none.
template <class T, int Bytes = kVectorBytes, class F>
[[gnu::always_inline]] inline bool each_channels_of(int64_t channels, F f) {
  if (channels * static_cast<int64_t>(sizeof(T)) >= Bytes) {
    each_channels<T, Bytes>(channels,
                            [&]<int N>(int64_t c) { f.template operator()<N, Bytes>(c); });
    return true;
  }
  if constexpr (Bytes > 16) return each_channels_of<T, Bytes / 2>(channels, f);
  return false;
}

}  // namespace
}  // namespace RL_ISA_NS
}  // namespace rl
