// Random ops: the fills of random.h on tensors.
#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>

#include "core/generator.h"
#include "kernels/options.h"
#include "kernels/random.h"
#include "kernels/random_draw.h"
#include "plan/copy.h"

namespace rl {
namespace {
using namespace random;

Generator& generator(Call& c, int i) {
  return c.arg(i).generator ? *c.arg(i).generator : default_generator();
}
void none(Call&) {}

// Dimensions from the widest stride to the narrowest, in which PyTorch deals out numbers.
std::vector<int> memory_order(const Tensor& t) {
  std::vector<int> order(t.ndim);
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](int a, int b) { return t.stride(a) > t.stride(b); });
  return order;
}
Ref<Tensor> permuted(const Tensor& t, const std::vector<int>& order) {
  SizeVec sizes, strides;
  for (int d : order) {
    sizes.push_back(t.size(d));
    strides.push_back(t.stride(d));
  }
  return alias(t, sizes, strides, t.offset);
}

// Fills arg 0 in memory order: through a contiguous temporary where it has gaps.
template <class F>
void fill_self(Call& c, F&& f) {
  Tensor& t = c.tensor(0);
  if (t.numel == 0 || t.is_meta()) return;
  RL_CHECK(!may_overlap_itself(t), c.op,
           ": unsupported operation: more than one element of the written-to tensor "
           "refers to a single memory location. Please clone() the tensor before performing the "
           "operation.");
  if (t.contiguous) return f(t);
  Ref<Tensor> in_order = permuted(t, memory_order(t));
  if (in_order->contiguous) return f(*in_order);
  Ref<Tensor> plain = empty(in_order->sizes(), t.dtype);
  f(*plain);
  copy_into(*in_order, *plain);
}

void need_float(Call& c, ErrorKind kind = ErrorKind::NotImplemented) {
  if (!is_floating(c.tensor(0).dtype))
    fail(kind, c.op, ": expected a floating point tensor, got ", c.tensor(0).dtype);
}

void run_uniform(Call& c) {
  if (!is_complex(c.tensor(0).dtype)) need_float(c);
  double from = c.number(1), to = c.number(2);
  RL_CHECK(from <= to, "uniform_ expects to return a [from, to) range, but found from=", from,
           " > to=", to);
  fill_self(c, [&](Tensor& t) { uniform(generator(c, 3), t.dtype, t.raw(), t.numel, from, to); });
}
void run_normal(Call& c) {
  double std = c.number(2);
  RL_CHECK(std >= 0, "normal expects std >= 0.0, but found std ", std);
  Tensor& self = c.tensor(0);
  if (!is_inexact(self.dtype)) need_float(c);
  fill_self(c, [&](Tensor& t) {
    normal(generator(c, 3), t.dtype, t.raw(), t.numel, c.number(1), std, self.contiguous);
  });
}
void run_random(Call& c) {
  fill_self(c, [&](Tensor& t) { integers(generator(c, 1), t.dtype, t.raw(), t.numel); });
}
void run_random_range(Call& c) {
  int64_t from = c.integer(1);
  if (!c.has(2))
    return fill_self(c, [&](Tensor& t) {
      integers(generator(c, 3), t.dtype, t.raw(), t.numel, from, std::nullopt);
    });
  RL_CHECK(from < c.integer(2), "random_ expects 'from' to be less than 'to', but got from=", from,
           " >= to=", c.integer(2));
  fill_self(c, [&](Tensor& t) {
    integers(generator(c, 3), t.dtype, t.raw(), t.numel, from, c.integer(2));
  });
}
void run_bernoulli(Call& c) {
  double p = c.number(1);
  RL_CHECK(p >= 0 && p <= 1, "bernoulli_ expects p to be in [0, 1], but got p=", p);
  fill_self(c, [&](Tensor& t) { bernoulli(generator(c, 2), t.dtype, t.raw(), t.numel, p); });
}
// A view of t in which it repeats, to sizes that it broadcasts to.
Ref<Tensor> expanded(const Tensor& t, Sizes sizes) {
  SizeVec strides(sizes.size());
  const int extra = static_cast<int>(sizes.size()) - t.ndim;
  for (int d = 0; d < static_cast<int>(sizes.size()); ++d)
    strides[d] = d < extra || t.size(d - extra) == 1 ? 0 : t.stride(d - extra);
  return alias(t, sizes, strides, t.offset);
}
void run_bernoulli_tensor(Call& c) {
  const Tensor &self = c.tensor(0), &given = c.tensor(1);
  RL_CHECK(std::ranges::equal(broadcast_sizes(given.sizes(), self.sizes()), self.sizes()),
           "bernoulli_: p must have the shape of self, ", self.sizes(),
           ", or broadcast to it, got ", given.sizes());
  Ref<Tensor> spread = expanded(given, self.sizes());
  Ref<Tensor> p = contiguous(self.contiguous ? *spread : *permuted(*spread, memory_order(self)));
  fill_self(c, [&](Tensor& t) {
    bernoulli(generator(c, 2), t.dtype, t.raw(), t.numel, p->dtype, p->raw());
  });
}
void run_exponential(Call& c) {
  need_float(c, ErrorKind::Runtime);
  RL_CHECK(c.number(1) > 0, "exponential_ expects lambda > 0.0, but found lambda=", c.number(1));
  fill_self(
      c, [&](Tensor& t) { exponential(generator(c, 2), t.dtype, t.raw(), t.numel, c.number(1)); });
}
void run_cauchy(Call& c) {
  need_float(c, ErrorKind::Runtime);
  RL_CHECK(c.number(2) > 0, "cauchy_ expects sigma > 0.0, but found sigma=", c.number(2));
  fill_self(c, [&](Tensor& t) {
    cauchy(generator(c, 3), t.dtype, t.raw(), t.numel, c.number(1), c.number(2));
  });
}
void run_log_normal(Call& c) {
  need_float(c);
  RL_CHECK(c.number(2) > 0, "log_normal_ expects std > 0.0, but found std=", c.number(2));
  fill_self(c, [&](Tensor& t) {
    log_normal(generator(c, 3), t.dtype, t.raw(), t.numel, c.number(1), c.number(2));
  });
}
void run_geometric(Call& c) {
  double p = c.number(1);
  RL_CHECK(p > 0 && p < 1, "geometric_ expects p to be in (0, 1), but got p=", p);
  fill_self(c, [&](Tensor& t) { geometric(generator(c, 2), t.dtype, t.raw(), t.numel, p); });
}
// rand(size, *, generator, dtype, layout, device, pin_memory, requires_grad), and randn
void infer_sized(Call& c) {
  refuse_pinned(c, 5);
  DType dtype = c.dtype_or(2, default_dtype());
  if (!is_inexact(dtype))
    fail(ErrorKind::NotImplemented, c.op, "(): expected a floating point or complex dtype, got ",
         dtype);
  checked_numel(c.ints(0));
  c.add_out(c.ints(0), dtype);
}
void run_rand(Call& c) {
  Tensor& out = c.out(0);
  uniform(generator(c, 1), out.dtype, out.raw(), out.numel, 0, 1);
}
void run_randn(Call& c) {
  Tensor& out = c.out(0);
  normal(generator(c, 1), out.dtype, out.raw(), out.numel, 0, 1);
}
void infer_randperm(Call& c) {
  int64_t n = c.integer(0);
  refuse_pinned(c, 5);
  RL_CHECK(n >= 0, "randperm: n must be non-negative, got ", n);
  c.add_out(Sizes(&n, 1), c.dtype_or(2, DType::I64));
}
void run_randperm(Call& c) {
  permutation(generator(c, 1), c.out(0).dtype, c.out(0).raw(), c.out(0).numel);
}

void infer_multinomial(Call& c) {
  Tensor& p = c.tensor(0);
  int64_t k = c.integer(1);
  RL_CHECK(p.ndim == 1 || p.ndim == 2, "prob_dist must be 1 or 2 dim");
  RL_CHECK(is_floating(p.dtype),
           "multinomial only supports floating-point dtypes for input, got: ", p.dtype);
  RL_CHECK(k > 0, "cannot sample n_sample <= 0 samples");
  RL_CHECK(c.flag(2) || k <= p.size(p.ndim - 1),
           "cannot sample n_sample > prob_dist.size(-1) samples without replacement");
  SizeVec sizes(p.sizes().begin(), p.sizes().end());
  sizes.back() = k;
  c.add_out(sizes, DType::I64);
}
// Exponential numbers of t's shape, dealt out in its order of memory, then row-major.
Ref<Tensor> exponentials_like(Generator& g, const Tensor& t) {
  Ref<Tensor> drawn = empty_strided(t.sizes(), dense_like_strides(t), t.dtype);
  exponential(g, t.dtype, drawn->raw(), t.numel, 1);
  return contiguous(*drawn);
}
void run_multinomial(Call& c) {
  Tensor& given = c.tensor(0);
  Ref<Tensor> p = contiguous(given), race;
  int64_t rows = p->ndim == 2 ? p->size(0) : 1, categories = p->size(p->ndim - 1);
  int64_t samples = c.integer(1);
  check_weights(p->dtype, p->raw(), rows, categories);
  // One sample needs no replacement, and PyTorch then takes the race.
  if (!c.flag(2) || samples == 1) race = exponentials_like(generator(c, 3), given);
  multinomial(generator(c, 3), p->dtype, p->raw(), race ? race->raw() : nullptr, rows, categories,
              c.out(0).data<int64_t>(), samples);
}

// One sample for each parameter, in the parameters' own layout.
void infer_like(Call& c) {
  Tensor& p = c.tensor(0);
  if (!is_floating(p.dtype))
    fail(ErrorKind::NotImplemented, c.op, ": expected a floating point tensor, got ", p.dtype);
  c.add_out(p.sizes(), p.dtype);
}
void run_poisson(Call& c) {
  Ref<Tensor> rate = contiguous(c.tensor(0));
  poisson(generator(c, 1), rate->dtype, c.out(0).raw(), rate->numel, rate->raw());
}
void run_gamma(Call& c) {
  Ref<Tensor> alpha = contiguous(c.tensor(0));
  standard_gamma(generator(c, 1), alpha->dtype, c.out(0).raw(), alpha->numel, alpha->raw());
}
void infer_binomial(Call& c) {
  need_float(c, ErrorKind::NotImplemented);
  c.add_out(broadcast_sizes(c.tensor(0).sizes(), c.tensor(1).sizes()), c.tensor(0).dtype);
}
void run_binomial(Call& c) {
  Ref<Tensor> count = contiguous(*expanded(c.tensor(0), c.out(0).sizes()));
  Ref<Tensor> prob = contiguous_as(*expanded(c.tensor(1), c.out(0).sizes()), count->dtype);
  binomial(generator(c, 2), count->dtype, c.out(0).raw(), count->numel, count->raw(), prob->raw());
}
void run_dirichlet(Call& c) {
  Ref<Tensor> alpha = contiguous(c.tensor(0));
  RL_CHECK(alpha->ndim > 0, "_sample_dirichlet: expected at least one dimension");
  int64_t n = alpha->size(alpha->ndim - 1);
  if (n)
    dirichlet(generator(c, 1), alpha->dtype, c.out(0).raw(), alpha->numel / n, n, alpha->raw());
}
// _rrelu_slopes(input, lower, upper, generator): 1 where the input is positive or NaN, where
// nothing is drawn.
void run_rrelu_slopes(Call& c) {
  Ref<Tensor> x = contiguous(c.tensor(0));
  dispatch(x->dtype, [&]<class T>() {
    if constexpr (std::is_floating_point_v<T> || is_half_type<T>) {
      const T* v = x->data<T>();
      T* slopes = c.out(0).data<T>();
      auto is_drawn = [=](int64_t i) { return v[i] <= T(0); };
      int64_t count = 0;
      for (int64_t i = 0; i < x->numel; ++i) count += is_drawn(i);
      std::vector<double> drawn(static_cast<size_t>(count) + 1);
      uniform(generator(c, 3), DType::F64, drawn.data(), count, c.number(1), c.number(2));
      const double* next = drawn.data();
      for (int64_t i = 0; i < x->numel; ++i) {
        slopes[i] = static_cast<T>(is_drawn(i) ? *next : 1.0);
        next += is_drawn(i);
      }
    }
  });
}
RL_KERNEL("_rrelu_slopes", infer_like, run_rrelu_slopes);
RL_KERNEL("poisson", infer_like, run_poisson);
RL_KERNEL("_standard_gamma", infer_like, run_gamma);
RL_KERNEL("binomial", infer_binomial, run_binomial);
RL_KERNEL("_sample_dirichlet", infer_like, run_dirichlet);

RL_KERNEL("uniform_", none, run_uniform);
RL_KERNEL("normal_", none, run_normal);
RL_KERNEL("random_", none, run_random);
RL_KERNEL("random_.from", none, run_random_range);
RL_KERNEL("bernoulli_", none, run_bernoulli);
RL_KERNEL("bernoulli_.Tensor", none, run_bernoulli_tensor);
RL_KERNEL("exponential_", none, run_exponential);
RL_KERNEL("cauchy_", none, run_cauchy);
RL_KERNEL("log_normal_", none, run_log_normal);
RL_KERNEL("geometric_", none, run_geometric);
RL_KERNEL("rand", infer_sized, run_rand);
RL_KERNEL("randn", infer_sized, run_randn);
RL_KERNEL("randperm", infer_randperm, run_randperm);
RL_KERNEL("multinomial", infer_multinomial, run_multinomial);

}  // namespace
}  // namespace rl
