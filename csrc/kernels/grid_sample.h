// What samples at the places of a grid share, those of 16 bits (grid_sample_narrow.cpp) and the
// others (grid_sample.cpp): rows of the channels of cells, samples plane by plane. Which cells and
// weights is said in grid_places.h. Included by files compiled once per level.
#pragma once
#include <algorithm>

#include "kernels/grid_places.h"
#include "kernels/kept.h"
#include "kernels/vector_widths.h"
#include "kernels/vectors.h"
#include "plan/copy.h"
#include "plan/isa.h"
#include "plan/parallel.h"

namespace rl {
namespace RL_ISA_NS {

// The operators on 16 bits.
void sample_narrow_run(Call& c);
void narrow_back_run(Call& c);

namespace {

// input (n, channels, *sizes), grid (n, *places, dims).
struct SampleShape {
  int64_t n, channels, cells = 1, places = 1;
  SampleShape(const Tensor& input, const Tensor& grid) : n(input.size(0)), channels(input.size(1)) {
    for (int d = 2; d < input.ndim; ++d) cells *= input.size(d), places *= grid.size(d - 1);
  }
  // Whether it is not worth making rows of the channels.
  bool by_planes(int taps) const { return channels * taps <= 12 || places * taps * 8 < cells; }
};

// Rows of as many elements as vectors of `Bytes` hold that have room for all channels.
template <class T, int Bytes>
constexpr int64_t kLanesOf = Bytes / static_cast<int64_t>(sizeof(T));
template <class T>
int row_bytes(int64_t channels) {
  int bytes = 16;
  while (bytes < kVectorBytes && bytes < channels * static_cast<int64_t>(sizeof(T))) bytes *= 2;
  return bytes;
}
template <class F>
void with_row_bytes(int bytes, F f) {
  if constexpr (kVectorBytes >= 64)
    if (bytes == 64) return f.template operator()<64>();
  if constexpr (kVectorBytes >= 32)
    if (bytes == 32) return f.template operator()<32>();
  f.template operator()<16>();
}

// A few examples as rows of cells, (examples, cells, pitch), all 0 at first.
template <class T>
class Rows {
 public:
  Rows(DType dtype, int64_t examples, int64_t cells, int64_t channels)
      : channels_(channels), cells_(cells) {
    const int64_t lanes = row_bytes<T>(channels) / static_cast<int64_t>(sizeof(T));
    pitch = (channels + lanes - 1) / lanes * lanes;
    held_ = empty(SizeVec{examples, cells, pitch}, dtype);
    clear();
  }
  int64_t pitch;
  T* example(int64_t i) { return held_->data<T>() + i * cells_ * pitch; }
  void clear() { std::fill_n(held_->data<T>(), held_->numel, T(0)); }

  // Examples from `first` on of (n, channels, *sizes), of which these have the first `cells` cells.
  void read(const Tensor& from, int64_t first, int64_t count) {
    copy_into(*as(from, count), *part(from, first, count));
  }
  void write(Tensor& to, int64_t first, int64_t count) {
    copy_into(*part(to, first, count), *as(to, count));
  }

 private:
  static Ref<Tensor> part(const Tensor& t, int64_t first, int64_t count) {
    SizeVec sizes(t.sizes().begin(), t.sizes().end());
    sizes[0] = count;
    return alias(t, sizes, t.strides(), t.offset + first * t.stride(0));
  }
  Ref<Tensor> as(const Tensor& t, int64_t count) const {
    SizeVec sizes(t.sizes().begin(), t.sizes().end()), strides = sizes;
    sizes[0] = count, strides[0] = cells_ * pitch, strides[1] = 1;
    int64_t step = pitch;
    for (int d = t.ndim - 1; d > 1; --d) strides[d] = step, step *= sizes[d];
    return alias(*held_, sizes, strides, held_->offset);
  }

  int64_t channels_, cells_;
  Ref<Tensor> held_;
};

// ---- plane by plane, where there are few channels, or few places in many cells
// The value of a tap, 0 outside; which is read there does not matter.
template <class T>
T value_in(const T* plane, int32_t cell, int32_t cells) {
  const T value = plane[std::min(cell, cells - 1)];
  return cell < cells ? value : 0;
}
template <int K, class S, class T, int D>
void sample_planes(const SampleTaps<T, D>& taps, int count, const SampleShape& s, const T* x,
                   T* out) {
  const auto cells = static_cast<int32_t>(s.cells);
  for (int64_t c = 0; c < s.channels; ++c, x += s.cells, out += s.places)
#pragma GCC ivdep
    for (int i = 0; i < count; ++i) {
      T sum = kept_as<S>(value_in(x, taps.cell[i], cells) * taps.weight[i]);
#pragma GCC unroll 16
      for (int k = kPlaces; k < K * kPlaces; k += kPlaces)
        sum =
            kept_as<S>(sum + kept_as<S>(value_in(x, taps.cell[i + k], cells) * taps.weight[i + k]));
      out[i] = sum;
    }
}

// Calls f with the number of taps.
template <int D, class F>
void with_taps(int taps, F f) {
  if (taps == 1) return f.template operator()<1>();
  if (taps == 1 << D) return f.template operator()<1 << D>();
  f.template operator()<16>();
}

// ---- of the operators
// input, grid, mode, padding and align from argument `at`.
inline SampleRule sample_rule(const Call& c, int at) {
  return {static_cast<Sampling>(c.integer(at + 2)), static_cast<Outside>(c.integer(at + 3)),
          c.flag(at + 4)};
}
// How many examples to take at once: enough for a few copies and all threads, yet in the cache.
inline int64_t together(const SampleShape& s) {
  const int64_t each = std::max<int64_t>(1, (s.cells + s.places) * s.channels);
  return std::clamp<int64_t>(32768 / each, num_threads(), std::max<int64_t>(s.n, num_threads()));
}
inline int64_t blocks_of(int64_t places) { return (places + kPlaces - 1) / kPlaces; }
template <class T, int D, class S>
void sample_by_planes(const SampleGrid<T, D, S>& grid, const SampleShape& s, const Tensor& points,
                      const Tensor& input, Tensor& out) {
  Ref<Tensor> x = contiguous_as(input, points.dtype);
  const int64_t blocks = blocks_of(s.places);
  Unlocked unlocked(out.numel * grid.taps());
  parallel_for(s.n * blocks, 64, [&](int64_t b, int64_t e) {
    SampleTaps<T, D> taps;
    for (; b < e; ++b) {
      const int64_t i = b / blocks, from = b % blocks * kPlaces;
      const int size = static_cast<int>(std::min<int64_t>(kPlaces, s.places - from));
      grid.find(points.data<T>() + (i * s.places + from) * D, size, false, taps);
      with_taps<D>(grid.taps(), [&]<int K>() {
        sample_planes<K, S>(taps, size, s, x->data<T>() + i * s.channels * s.cells,
                            out.data<T>() + i * s.channels * s.places + from);
      });
    }
  });
}

}  // namespace
}  // namespace RL_ISA_NS
}  // namespace rl
