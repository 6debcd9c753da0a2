// The gradient of max pooling: values are added to the cells that indices name.
#include "kernels/pool.h"
#include "plan/copy.h"
#include "plan/isa.h"
#include "plan/parallel.h"

namespace rl {
namespace RL_ISA_NS {
namespace {

// _pool_scatter(grad, indices, size): adds each gradient to the cell of its plane it came from.
void scatter_infer(Call& c) {
  Tensor& g = c.tensor(0);
  Sizes space = c.ints(2);
  SizeVec sizes(g.sizes().begin(), g.sizes().end() - space.size());
  sizes.insert(sizes.end(), space.begin(), space.end());
  keep_layout(c.tensor(1), c.add_out(sizes, g.dtype));
}
// `S` is the type that the result will be kept in: 16 bits round after every sum, as in PyTorch.
// Planes of `channels` lie side by side; Channels is std::integral_constant where each has its own.
template <class S, class T, class Channels>
void scatter_planes(int64_t planes, Channels channels, int64_t from, int64_t to, const T* g,
                    const int64_t* at, T* out) {
  parallel_for(planes, plane_grain((from + to) * channels), [&](int64_t begin, int64_t end) {
    std::fill(out + begin * to * channels, out + end * to * channels, T(0));
    for (int64_t n = begin; n < end; ++n)
      for (int64_t i = n * from * channels; i < (n + 1) * from * channels; i += channels)
        for (int64_t c = 0; c < channels; ++c) {
          T& cell = out[(n * to + at[i + c]) * channels + c];
          cell = kept_as<S>(cell + g[i + c]);
        }
  });
}
void scatter_run(Call& c) {
  Tensor &g = c.tensor(0), &out = c.out(0);
  if (!out.numel) return;
  int dims = static_cast<int>(c.ints(2).size());
  int64_t to = 1, from = 1, planes = 1;
  for (int64_t s : c.ints(2)) to *= s;
  for (int d = 0; d < g.ndim; ++d) (d < g.ndim - dims ? planes : from) *= g.size(d);
  DType compute = pool_dtype(g.dtype);
  const bool last = g.ndim == dims + 2 && is_channels_last(out);
  Ref<Tensor> in = in_order(g, compute, last), at = in_order(c.tensor(1), DType::I64, last);
  const int64_t* index = at->data<int64_t>();
  uint64_t largest = 0;  // negative ones are larger still
  for (int64_t i = 0; i < at->numel; ++i)
    largest = std::max(largest, static_cast<uint64_t>(index[i]));
  RL_CHECK(largest < static_cast<uint64_t>(to) || !at->numel, c.op, ": found an invalid index ",
           static_cast<int64_t>(largest), " (output size ", c.ints(2), ")");
  Ref<Tensor> sum = target_in_order(out, compute, last);
  {
    Unlocked unlocked(out.numel);
    pool_dispatch(compute, [&]<class T>() {
      with_kept<T>(out.dtype, [&]<class S>() {
        auto scatter = [&](auto side) {
          scatter_planes<S>(planes / side, side, from, to, in->data<T>(), index, sum->data<T>());
        };
        last ? scatter(g.size(1)) : scatter(std::integral_constant<int64_t, 1>());
      });
    });
  }
  if (sum.get() != &out) copy_into(out, *sum);
}

RL_ISA_KERNEL("_pool_scatter", scatter_infer, scatter_run);

}  // namespace
}  // namespace RL_ISA_NS
}  // namespace rl
