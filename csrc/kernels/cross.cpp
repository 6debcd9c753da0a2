// _cross(self, other, dim): the vector product along a dimension of 3. Every product and difference
// is rounded to the tensors' dtype. Compiled once per instruction-set level.
#include <algorithm>

#include "kernels/lines.h"
#include "plan/isa.h"

namespace rl {
namespace RL_ISA_NS {
namespace {

template <class T>
T difference_of_products(T a, T b, T c, T d) {
  return static_cast<T>(static_cast<T>(a * b) - static_cast<T>(c * d));
}

// n products of vectors whose parts are `part` apart, one after another every `step`.
template <class T, class Step>
void cross_run_of(const T* a, const T* b, T* out, int64_t n, int64_t part, Step step) {
#pragma GCC ivdep
  for (int64_t i = 0; i < n; ++i) {
    int64_t x = i * step, y = x + part, z = y + part;
    out[x] = difference_of_products(a[y], b[z], a[z], b[y]);
    out[y] = difference_of_products(a[z], b[x], a[x], b[z]);
    out[z] = difference_of_products(a[x], b[y], a[y], b[x]);
  }
}

template <class T>
void cross_lines(const T* a, const T* b, T* out, const Lines& l) {
  if (l.inner == 1)
    return parallel_for(l.outer, line_grain(l), [=](int64_t begin, int64_t end) {
      int64_t at = begin * 3;
      cross_run_of(a + at, b + at, out + at, end - begin, 1, std::integral_constant<int64_t, 3>());
    });
  parallel_for(l.outer, line_grain({1, 3, l.inner}), [=](int64_t begin, int64_t end) {
    for (int64_t o = begin; o < end; ++o) {
      int64_t at = o * 3 * l.inner;
      cross_run_of(a + at, b + at, out + at, l.inner, l.inner,
                   std::integral_constant<int64_t, 1>());
    }
  });
}

void cross_infer(Call& c) {
  const Tensor &a = c.tensor(0), &b = c.tensor(1);
  int dim = dim_of(c, 2);
  RL_CHECK(std::ranges::equal(a.sizes(), b.sizes()) && a.size(dim) == 3 && a.dtype == b.dtype, c.op,
           ": expected two tensors of one dtype and shape, with 3 elements along dimension ", dim);
  if (a.dtype == DType::Bool)
    fail(ErrorKind::NotImplemented, "linalg.cross: not implemented for bool");
  c.add_out(a.sizes(), a.dtype);
}
void cross_run(Call& c) {
  Ref<Tensor> a = contiguous(c.tensor(0)), b = contiguous(c.tensor(1));
  Lines l = lines_of(*a, dim_of(c, 2));
  Unlocked unlocked(a->numel);
  dispatch(a->dtype, [&]<class T>() {
    if constexpr (!std::is_same_v<T, bool>)
      cross_lines(a->data<T>(), b->data<T>(), c.out(0).data<T>(), l);
  });
}

RL_ISA_KERNEL("_cross", cross_infer, cross_run);

}  // namespace
}  // namespace RL_ISA_NS
}  // namespace rl
