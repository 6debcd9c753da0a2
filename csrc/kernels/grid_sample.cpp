// Samples of images and volumes at the places of a grid, and the gradients: weighted sums of cells.
// All channels of a cell lie side by side here, so that a sample is a sum of rows. Which cells and
// weights is said in grid_places.h. Of 16 bits, linear and nearest samples are computed in float
// and rounded as PyTorch does; other dtypes are compositions, in ops/grid.py.
#include <algorithm>

#include "kernels/grid_places.h"
#include "kernels/kept.h"
#include "kernels/layouts.h"
#include "kernels/vector_widths.h"
#include "kernels/vectors.h"
#include "plan/copy.h"
#include "plan/isa.h"
#include "plan/parallel.h"

namespace rl {
namespace RL_ISA_NS {
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

// ---- the loops over a block of places
template <class T, int D, int Bytes>
void sample_rows(const SampleTaps<T, D>& taps, int used, int count, const T* cells, int64_t pitch,
                 T* out) {
  using V = typename VectorOf<T, Bytes>::type;
  for (int i = 0; i < count; ++i)
    for (int64_t c = 0; c < pitch; c += kLanesOf<T, Bytes>) {
      V sum = load_as<V>(cells + taps.cell[i] * pitch + c) * taps.weight[i];
      for (int k = kPlaces + i; k < used * kPlaces; k += kPlaces)
        sum += load_as<V>(cells + taps.cell[k] * pitch + c) * taps.weight[k];
      __builtin_memcpy(out + i * pitch + c, &sum, sizeof sum);
    }
}

// What the gradient g of each sample adds to its cells.
template <class T, int D, int Bytes>
void add_to_cells(const SampleTaps<T, D>& taps, int used, int count, const T* g, int64_t pitch,
                  T* cells) {
  using V = typename VectorOf<T, Bytes>::type;
  for (int i = 0; i < count; ++i)
    for (int k = i; k < used * kPlaces; k += kPlaces) {
      T* to = cells + taps.cell[k] * pitch;
      for (int64_t c = 0; c < pitch; c += kLanesOf<T, Bytes>) {
        V sum = load_as<V>(to + c) + load_as<V>(g + i * pitch + c) * taps.weight[k];
        __builtin_memcpy(to + c, &sum, sizeof sum);
      }
    }
}

// How the samples, times g, change with each place.
template <class T, int D, int Bytes>
void move_places(const SampleTaps<T, D>& taps, int used, int count, const T* g, const T* cells,
                 int64_t pitch, T* out) {
  using V = typename VectorOf<T, Bytes>::type;
  for (int i = 0; i < count; ++i) {
    V total[D] = {};
    for (int64_t c = 0; c < pitch; c += kLanesOf<T, Bytes>) {
      V change[D] = {};
      for (int k = i; k < used * kPlaces; k += kPlaces) {
        const V cell = load_as<V>(cells + taps.cell[k] * pitch + c);
        for (int d = 0; d < D; ++d) change[d] += cell * taps.move[d][k];
      }
      for (int d = 0; d < D; ++d) total[d] += change[d] * load_as<V>(g + i * pitch + c);
    }
    for (int d = 0; d < D; ++d) out[i * D + d] = join_lanes<SumStep, T, Bytes>(total[d]);
  }
}

// ---- the same plane by plane, where there are few channels, or few places in many cells
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
template <int K, class T, int D>
void add_to_planes(const SampleTaps<T, D>& taps, int count, const SampleShape& s, const T* g,
                   T* out) {
  for (int64_t c = 0; c < s.channels; ++c, g += s.places, out += s.cells)
    for (int i = 0; i < count; ++i)
#pragma GCC unroll 16
      for (int k = i; k < i + K * kPlaces; k += kPlaces)
        if (taps.cell[k] < s.cells) out[taps.cell[k]] += g[i] * taps.weight[k];
}
template <int K, class T, int D>
void move_in_planes(const SampleTaps<T, D>& taps, int count, const SampleShape& s, const T* g,
                    const T* x, T* out) {
  const auto cells = static_cast<int32_t>(s.cells);
  T total[D][kPlaces] = {};
  for (int64_t c = 0; c < s.channels; ++c, g += s.places, x += s.cells)
#pragma GCC ivdep
    for (int i = 0; i < count; ++i) {
      T change[D] = {};
#pragma GCC unroll 16
      for (int k = 0; k < K * kPlaces; k += kPlaces) {
        const T value = value_in(x, taps.cell[i + k], cells);
        for (int d = 0; d < D; ++d) change[d] += value * taps.move[d][i + k];
      }
      for (int d = 0; d < D; ++d) total[d][i] += change[d] * g[i];
    }
  for (int i = 0; i < count; ++i)
    for (int d = 0; d < D; ++d) out[i * D + d] = total[d][i];
}
// ---- 16 bits, kept as S, whose gradients have steps and an order of their own
// What the gradients g of samples add to the rows of their cells: images in runs of places corner
// by corner, volumes place by place.
template <class S, int D, int Bytes>
void add_narrow(const SampleTaps<float, D>& taps, int used, int count, const float* g,
                int64_t pitch, float* cells) {
  constexpr int kLanes = static_cast<int>(kLanesOf<float, Bytes>), kRun = D == 2 ? 16 : 1;
  for (int run = 0; run < count; run += kRun)
    for (int k = 0; k < used * kPlaces; k += kPlaces)
      for (int i = run; i < std::min(run + kRun, count); ++i) {
        float* to = cells + taps.cell[k + i] * pitch;
        const float *from = g + i * pitch, weight = taps.weight[k + i];
        for (int64_t c = 0; c < pitch; c += kLanes)
#pragma GCC ivdep
          for (int l = 0; l < kLanes; ++l)
            to[c + l] = kept_as<S>(to[c + l] + kept_as<S>(weight * from[c + l]));
      }
}

// How samples move with (y, x): differences of neighbours, weighted.
template <class S>
[[gnu::always_inline]] inline void turn(const float* v, const float (&part)[2][2], float g,
                                        float* total) {
  auto kept = [](float x) { return kept_as<S>(x); };
  auto across = [&](float a, float b, float c, float d, const float* by) {
    return kept(kept(kept(kept(b - a) * by[0]) + kept(kept(d - c) * by[1])) * g);
  };
  total[0] = kept(total[0] + across(v[0], v[2], v[1], v[3], part[1]));
  total[1] = kept(total[1] + across(v[0], v[1], v[2], v[3], part[0]));
}
// The same with (z, y, x), corner by corner.
template <class S>
[[gnu::always_inline]] inline void turn(const float* v, const float (&part)[3][2], float g,
                                        float* total) {
  for (int d = 0; d < 3; ++d)
    for (int k = 0; k < 8; ++k) {
      const int bit[3] = {k >> 2, k >> 1 & 1, k & 1};
      float value = v[k];
      for (int other = 2; other >= 0; --other)
        if (other != d) value = kept_as<S>(value * part[other][bit[other]]);
      value = kept_as<S>(value * g);
      total[d] = kept_as<S>(total[d] + (bit[d] ? value : -value));
    }
}
template <class S, int D>
void move_narrow(const SampleTaps<float, D>& taps, const AxisTaps<float>* along, int count,
                 const SampleShape& s, const float* g, const float* x, float* out) {
  const auto cells = static_cast<int32_t>(s.cells);
  float total[D][kPlaces] = {};
  for (int64_t c = 0; c < s.channels; ++c, g += s.places, x += s.cells)
#pragma GCC ivdep
    for (int i = 0; i < count; ++i) {
      float v[1 << D], part[D][2], sum[D];
#pragma GCC unroll 8
      for (int k = 0; k < 1 << D; ++k) v[k] = value_in(x, taps.cell[i + k * kPlaces], cells);
#pragma GCC unroll 3
      for (int d = 0; d < D; ++d) {
        part[d][0] = along[d].weight[0][i], part[d][1] = along[d].weight[1][i];
        sum[d] = total[d][i];
      }
      turn<S>(v, part, g[i], sum);
#pragma GCC unroll 3
      for (int d = 0; d < D; ++d) total[d][i] = sum[d];
    }
  for (int i = 0; i < count; ++i)
    for (int d = 0; d < D; ++d)
      out[i * D + D - 1 - d] = kept_as<S>(total[d][i] * along[d].move[1][i]);
}

// Calls f with the number of taps.
template <int D, class F>
void with_taps(int taps, F f) {
  if (taps == 1) return f.template operator()<1>();
  if (taps == 1 << D) return f.template operator()<1 << D>();
  f.template operator()<16>();
}

// ---- the operators
// input, grid, mode, padding and align from argument `at`.
SampleRule sample_rule(const Call& c, int at) {
  return {static_cast<Sampling>(c.integer(at + 2)), static_cast<Outside>(c.integer(at + 3)),
          c.flag(at + 4)};
}
void check_samples(const Call& c, int at) {
  const Tensor &x = c.tensor(at), &grid = c.tensor(at + 1);
  RL_CHECK((x.ndim == 4 || x.ndim == 5) && grid.ndim == x.ndim && x.dtype == grid.dtype &&
               grid.size(grid.ndim - 1) == x.ndim - 2 && grid.size(0) == x.size(0),
           c.op, ": expected images or volumes and a grid, got ", x.sizes(), " and ", grid.sizes());
}
// Calls f with the element type and the number of dimensions.
template <class F>
void sample_dispatch(const Call& c, int at, F f) {
  const Tensor& x = c.tensor(at);
  if (x.dtype == DType::F32)
    return x.ndim == 4 ? f.template operator()<float, 2>() : f.template operator()<float, 3>();
  if (x.dtype == DType::F64)
    return x.ndim == 4 ? f.template operator()<double, 2>() : f.template operator()<double, 3>();
  fail(ErrorKind::NotImplemented, c.op, ": not implemented for ", x.dtype);
}
// How many examples to take at once: enough for a few copies and all threads, yet in the cache.
int64_t together(const SampleShape& s) {
  const int64_t each = std::max<int64_t>(1, (s.cells + s.places) * s.channels);
  return std::clamp<int64_t>(32768 / each, num_threads(), std::max<int64_t>(s.n, num_threads()));
}
int64_t blocks_of(int64_t places) { return (places + kPlaces - 1) / kPlaces; }

// _grid_sample(input, grid, mode, padding, align)
void sample_infer(Call& c) {
  check_samples(c, 0);
  const Tensor &x = c.tensor(0), &grid = c.tensor(1);
  SizeVec sizes{x.size(0), x.size(1)};
  for (int d = 1; d < grid.ndim - 1; ++d) sizes.push_back(grid.size(d));
  c.add_out(sizes, x.dtype);
}
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
template <class T, int D>
void sample(Call& c) {
  const Tensor& x = c.tensor(0);
  Tensor& out = c.out(0);
  const SampleShape s(x, c.tensor(1));
  if (!out.numel) return;
  const SampleGrid<T, D> grid(sample_rule(c, 0), x.sizes());
  Ref<Tensor> points = contiguous(c.tensor(1));
  if (s.by_planes(grid.taps()) && out.contiguous) return sample_by_planes(grid, s, *points, x, out);
  const int64_t step = std::min(s.n, together(s)), blocks = blocks_of(s.places);
  Rows<T> cells(x.dtype, step, s.cells + 1, s.channels), rows(x.dtype, step, s.places, s.channels);
  const int64_t pitch = cells.pitch;
  for (int64_t first = 0, count; first < s.n; first += count) {
    count = std::min(step, s.n - first);
    cells.read(x, first, count);
    with_row_bytes(row_bytes<T>(s.channels), [&]<int Bytes>() {
      Unlocked unlocked(count * s.places * pitch);
      parallel_for(count * blocks, std::max<int64_t>(1, 512 / pitch), [&](int64_t b, int64_t e) {
        SampleTaps<T, D> taps;
        for (; b < e; ++b) {
          const int64_t i = b / blocks, from = b % blocks * kPlaces;
          const int size = static_cast<int>(std::min<int64_t>(kPlaces, s.places - from));
          grid.find(points->data<T>() + ((first + i) * s.places + from) * D, size, false, taps);
          sample_rows<T, D, Bytes>(taps, grid.taps(), size, cells.example(i), pitch,
                                   rows.example(i) + from * pitch);
        }
      });
    });
    rows.write(out, first, count);
  }
}
// Calls f with the type that 16 bits are kept as, and the number of dimensions.
template <class F>
void narrow_dispatch(const Call& c, int at, F f) {
  const Tensor& x = c.tensor(at);
  RL_CHECK(sample_rule(c, at).mode != Sampling::Cubic, c.op, ": not implemented for cubic samples ",
           "of ", x.dtype);
  with_kept<float>(x.dtype, [&]<class S>() {
    x.ndim == 4 ? f.template operator()<S, 2>() : f.template operator()<S, 3>();
  });
}
// f(taps, along, first place, how many) over the blocks of an example's places.
template <class S, int D, class F>
void each_block(const SampleGrid<float, D, S>& grid, const SampleShape& s, const float* points,
                F f) {
  SampleTaps<float, D> taps;
  AxisTaps<float> along[D];
  for (int64_t from = 0; from < s.places; from += kPlaces) {
    const int size = static_cast<int>(std::min<int64_t>(kPlaces, s.places - from));
    grid.find(points + from * D, size, false, taps, along);
    f(taps, along, from, size);
  }
}
// The nearest cells are taken as they are.
template <class S, int D>
void pick_narrow(const SampleGrid<float, D, S>& grid, const SampleShape& s, const float* points,
                 const S* x, S* out) {
  Unlocked unlocked(s.n * s.places * s.channels);
  parallel_for(s.n, 1, [&](int64_t n, int64_t end) {
    for (; n < end; ++n)
      each_block(grid, s, points + n * s.places * D,
                 [&](auto& taps, auto*, int64_t from, int size) {
                   for (int64_t c = n * s.channels; c < (n + 1) * s.channels; ++c) {
                     const S* plane = x + c * s.cells;
                     S* to = out + c * s.places + from;
                     for (int i = 0; i < size; ++i)
                       to[i] = taps.cell[i] < s.cells ? plane[taps.cell[i]] : S();
                   }
                 });
  });
}
template <class S, int D>
void sample_narrow(Call& c) {
  const Tensor& x = c.tensor(0);
  Tensor& out = c.out(0);
  if (!out.numel) return;
  const SampleShape s(x, c.tensor(1));
  const SampleGrid<float, D, S> grid(sample_rule(c, 0), x.sizes());
  Ref<Tensor> points = contiguous_as(c.tensor(1), DType::F32);
  const bool nearest = grid.taps() == 1;
  Ref<Tensor> to = target_in_order(out, nearest ? out.dtype : DType::F32, false);
  if (nearest)
    pick_narrow(grid, s, points->data<float>(), contiguous(x)->data<S>(), to->data<S>());
  else
    sample_by_planes(grid, s, *points, x, *to);
  if (to.get() != &out) copy_into(out, *to);
}
bool is_narrow(const Tensor& x) { return x.dtype == DType::F16 || x.dtype == DType::BF16; }
void sample_run(Call& c) {
  if (is_narrow(c.tensor(0)))
    return narrow_dispatch(c, 0, [&]<class S, int D>() { sample_narrow<S, D>(c); });
  sample_dispatch(c, 0, [&]<class T, int D>() { sample<T, D>(c); });
}

// _grid_sample_backward(grad, input, grid, mode, padding, align, by_input, by_grid)
//   -> (grad_input, grad_grid), empty where not asked for
void back_infer(Call& c) {
  check_samples(c, 1);
  constexpr int64_t kNothing[] = {0};
  for (int i : {1, 2})
    c.add_out(c.flag(i + 5) ? c.tensor(i).sizes() : Sizes(kNothing, 1), c.tensor(i).dtype);
}
template <class T, int D>
void sample_back_by_planes(const SampleGrid<T, D>& grid, const SampleShape& s, const Tensor& points,
                           const Tensor& input, const Tensor& given, T* sums, T* moved) {
  Ref<Tensor> x = contiguous(input), g = contiguous(given);
  Unlocked unlocked(g->numel * grid.taps());
  parallel_for(s.n, 1, [&](int64_t i, int64_t end) {
    SampleTaps<T, D> taps;
    for (; i < end; ++i) {
      const int64_t example = i * s.channels * s.cells;
      if (sums) std::fill_n(sums + example, s.channels * s.cells, T(0));
      for (int64_t from = 0; from < s.places; from += kPlaces) {
        const int size = static_cast<int>(std::min<int64_t>(kPlaces, s.places - from));
        const int64_t at = (i * s.places + from) * D;
        const T* own = g->data<T>() + i * s.channels * s.places + from;
        grid.find(points.data<T>() + at, size, moved, taps);
        with_taps<D>(grid.taps(), [&]<int K>() {
          if (sums) add_to_planes<K>(taps, size, s, own, sums + example);
          if (moved) move_in_planes<K>(taps, size, s, own, x->data<T>() + example, moved + at);
        });
      }
    }
  });
}
template <class T, int D>
void sample_back(Call& c) {
  const Tensor &given = c.tensor(0), &x = c.tensor(1);
  const SampleShape s(x, c.tensor(2));
  const bool by_input = c.flag(6), by_grid = c.flag(7);
  const SampleGrid<T, D> grid(sample_rule(c, 1), x.sizes());
  Ref<Tensor> points = contiguous(c.tensor(2));
  T *sums_out = by_input ? c.out(0).data<T>() : nullptr,
    *moved = by_grid ? c.out(1).data<T>() : nullptr;
  if (s.by_planes(grid.taps()))
    return sample_back_by_planes(grid, s, *points, x, given, sums_out, moved);
  const int64_t step = std::min(s.n, together(s));
  Rows<T> g(x.dtype, step, s.places, s.channels);
  Rows<T> cells(x.dtype, by_grid ? step : 0, s.cells + 1, s.channels);
  Rows<T> sums(x.dtype, by_input ? step : 0, s.cells + 1, s.channels);
  const int64_t pitch = g.pitch;
  for (int64_t first = 0, count; first < s.n; first += count) {
    count = std::min(step, s.n - first);
    g.read(given, first, count);
    if (by_grid) cells.read(x, first, count);
    if (by_input && first) sums.clear();
    with_row_bytes(row_bytes<T>(s.channels), [&]<int Bytes>() {
      Unlocked unlocked(count * s.places * pitch);
      parallel_for(count, 1, [&](int64_t i, int64_t end) {
        SampleTaps<T, D> taps;
        for (; i < end; ++i)
          for (int64_t from = 0; from < s.places; from += kPlaces) {
            const int size = static_cast<int>(std::min<int64_t>(kPlaces, s.places - from));
            const int64_t at = ((first + i) * s.places + from) * D;
            const T* own = g.example(i) + from * pitch;
            grid.find(points->data<T>() + at, size, by_grid, taps);
            if (by_input)
              add_to_cells<T, D, Bytes>(taps, grid.taps(), size, own, pitch, sums.example(i));
            if (by_grid)
              move_places<T, D, Bytes>(taps, grid.taps(), size, own, cells.example(i), pitch,
                                       moved + at);
          }
      });
    });
    if (by_input) sums.write(c.out(0), first, count);
  }
}
template <class S, int D>
void narrow_by_input(Call& c, const SampleGrid<float, D, S>& grid, const SampleShape& s,
                     const float* points) {
  const int64_t step = std::min(s.n, together(s));
  Rows<float> g(DType::F32, step, s.places, s.channels);
  Rows<float> sums(DType::F32, step, s.cells + 1, s.channels);
  for (int64_t first = 0, count; first < s.n; first += count) {
    count = std::min(step, s.n - first);
    g.read(c.tensor(0), first, count);
    if (first) sums.clear();
    with_row_bytes(row_bytes<float>(s.channels), [&]<int Bytes>() {
      Unlocked unlocked(count * s.places * g.pitch);
      parallel_for(count, 1, [&](int64_t i, int64_t end) {
        for (; i < end; ++i)
          each_block(grid, s, points + (first + i) * s.places * D,
                     [&](auto& taps, auto*, int64_t from, int size) {
                       add_narrow<S, D, Bytes>(taps, grid.taps(), size,
                                               g.example(i) + from * g.pitch, g.pitch,
                                               sums.example(i));
                     });
      });
    });
    sums.write(c.out(0), first, count);
  }
}
template <class S, int D>
void narrow_by_grid(Call& c, const SampleGrid<float, D, S>& grid, const SampleShape& s,
                    const float* points) {
  Tensor& out = c.out(1);
  if (grid.taps() == 1) {
    std::fill_n(out.data<S>(), out.numel, S(0.0F));
    return;
  }
  Ref<Tensor> x = contiguous_as(c.tensor(1), DType::F32);
  Ref<Tensor> g = contiguous_as(c.tensor(0), DType::F32), moved = empty(out.sizes(), DType::F32);
  auto block = [&](int64_t n, auto& taps, auto* along, int64_t from, int size) {
    move_narrow<S, D>(taps, along, size, s, g->data<float>() + n * s.channels * s.places + from,
                      x->data<float>() + n * s.channels * s.cells,
                      moved->data<float>() + (n * s.places + from) * D);
  };
  {
    Unlocked unlocked(g->numel * grid.taps());
    parallel_for(s.n, 1, [&](int64_t n, int64_t end) {
      for (; n < end; ++n)
        each_block(grid, s, points + n * s.places * D,
                   [&](auto&&... found) { block(n, found...); });
    });
  }
  copy_into(out, *moved);
}
template <class S, int D>
void narrow_back(Call& c) {
  const SampleShape s(c.tensor(1), c.tensor(2));
  const SampleGrid<float, D, S> grid(sample_rule(c, 1), c.tensor(1).sizes());
  Ref<Tensor> points = contiguous_as(c.tensor(2), DType::F32);
  if (c.flag(6)) narrow_by_input<S, D>(c, grid, s, points->data<float>());
  if (c.flag(7)) narrow_by_grid<S, D>(c, grid, s, points->data<float>());
}
void back_run(Call& c) {
  if (is_narrow(c.tensor(1)))
    return narrow_dispatch(c, 1, [&]<class S, int D>() { narrow_back<S, D>(c); });
  sample_dispatch(c, 1, [&]<class T, int D>() { sample_back<T, D>(c); });
}

RL_ISA_KERNEL("_grid_sample", sample_infer, sample_run);
RL_ISA_KERNEL("_grid_sample_backward", back_infer, back_run);

}  // namespace
}  // namespace RL_ISA_NS
}  // namespace rl
