// Samples of 16 bits at the places of a grid, kept as S, and their gradients: linear and nearest
// ones are computed in float and rounded as PyTorch does. The gradients have steps and an order of
// their own.
#include "kernels/grid_sample.h"
#include "kernels/layouts.h"

namespace rl {
namespace RL_ISA_NS {
namespace {

// ---- the loops over a block of places
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

// ---- the operators
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

}  // namespace

void sample_narrow_run(Call& c) {
  narrow_dispatch(c, 0, [&]<class S, int D>() { sample_narrow<S, D>(c); });
}
void narrow_back_run(Call& c) {
  narrow_dispatch(c, 1, [&]<class S, int D>() { narrow_back<S, D>(c); });
}

}  // namespace RL_ISA_NS
}  // namespace rl
