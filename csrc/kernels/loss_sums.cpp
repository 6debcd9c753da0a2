// Losses that are one sum over two tensors, read once: the terms are never stored. The sums of
// pieces of a fixed length are added in their order, so results do not depend on the number of
// threads. Losses of classes are in loss.cpp; others are composites in rushlight/ops.
#include <numeric>

#include "kernels/run_sums.h"
#include "plan/copy.h"
#include "plan/parallel.h"

namespace rl {
namespace RL_ISA_NS {
namespace {

template <class T, class F>
double sum_of_terms(int64_t n, F f) {
  constexpr int64_t kPiece = 32768;
  std::vector<double> sums((n + kPiece - 1) / kPiece);
  Unlocked unlocked(n);
  parallel_for(static_cast<int64_t>(sums.size()), 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      sums[i] = exact_sum<T>(i * kPiece, std::min(n, (i + 1) * kPiece), f);
  });
  return std::accumulate(sums.begin(), sums.end(), 0.0);
}

template <class T>
double distance(const Tensor& a, const Tensor& b, T knee) {
  const T *x = a.data<T>(), *y = b.data<T>();
  if (knee == std::numeric_limits<T>::infinity()) {
    return T(0.5) * sum_of_terms<T>(a.numel, [=](auto at) {
             auto d = at(x) - at(y);
             return d * d;
           });
  }
  return sum_of_terms<T>(a.numel, [=](auto at) {
    auto d = at(x) - at(y), across = d < T(0) ? -d : d;
    return across <= knee ? T(0.5) * d * d : knee * (across - T(0.5) * knee);
  });
}

// _distance(input, target, knee, over, mean): both of one shape and floating dtype
void distance_infer(Call& c) {
  Tensor &a = c.tensor(0), &b = c.tensor(1);
  if (!is_floating(a.dtype))
    fail(ErrorKind::NotImplemented, c.op, ": expected floating point tensors, got ", a.dtype);
  RL_CHECK(a.dtype == b.dtype && std::ranges::equal(a.sizes(), b.sizes()), c.op,
           ": expected tensors of one dtype and shape, got ", a.dtype, " ", a.sizes(), " and ",
           b.dtype, " ", b.sizes());
  c.add_out({}, a.dtype);
}
void distance_run(Call& c) {
  DType dtype = c.tensor(0).dtype == DType::F64 ? DType::F64 : DType::F32;
  Ref<Tensor> a = contiguous_as(c.tensor(0), dtype), b = contiguous_as(c.tensor(1), dtype);
  double knee = c.number(2), over = c.number(3);
  double total = dtype == DType::F64 ? distance<double>(*a, *b, knee)
                                     : distance<float>(*a, *b, static_cast<float>(knee));
  total /= over;
  fill(c.out(0), Scalar::of(c.flag(4) ? total / static_cast<double>(a->numel) : total));
}

RL_ISA_KERNEL("_distance", distance_infer, distance_run);

}  // namespace
}  // namespace RL_ISA_NS
}  // namespace rl
