// Samples of images and volumes at the places of a grid, and the gradients: weighted sums of cells.
// All channels of a cell lie side by side here, so that a sample is a sum of rows. Which cells and
// weights is said in grid_places.h. Those of 16 bits are in grid_sample_narrow.cpp; other dtypes
// are compositions, in ops/grid.py.
#include "kernels/grid_sample.h"

namespace rl {
namespace RL_ISA_NS {
namespace {

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

// ---- gradients plane by plane
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

// ---- the operators
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

// _grid_sample(input, grid, mode, padding, align)
void sample_infer(Call& c) {
  check_samples(c, 0);
  const Tensor &x = c.tensor(0), &grid = c.tensor(1);
  SizeVec sizes{x.size(0), x.size(1)};
  for (int d = 1; d < grid.ndim - 1; ++d) sizes.push_back(grid.size(d));
  c.add_out(sizes, x.dtype);
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
bool is_narrow(const Tensor& x) { return x.dtype == DType::F16 || x.dtype == DType::BF16; }
void sample_run(Call& c) {
  if (is_narrow(c.tensor(0))) return sample_narrow_run(c);
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
void back_run(Call& c) {
  if (is_narrow(c.tensor(1))) return narrow_back_run(c);
  sample_dispatch(c, 1, [&]<class T, int D>() { sample_back<T, D>(c); });
}

RL_ISA_KERNEL("_grid_sample", sample_infer, sample_run);
RL_ISA_KERNEL("_grid_sample_backward", back_infer, back_run);

}  // namespace
}  // namespace RL_ISA_NS
}  // namespace rl
