// _searchsorted(sorted_sequence, self, right, out_int32, sorter). Values are compared in the
// promoted dtype of both operands. Compiled once per instruction-set level.
#include "kernels/lines.h"
#include "kernels/search_places.h"
#include "plan/pointwise.h"

namespace rl {
namespace RL_ISA_NS {
namespace {

void search_infer(Call& c) {
  const Tensor &s = c.tensor(0), &x = c.tensor(1);
  bool rows = s.ndim != 1 && x.ndim == s.ndim;
  for (int d = 0; rows && d + 1 < s.ndim; ++d) rows = s.size(d) == x.size(d);
  RL_CHECK(s.ndim == 1 || rows,
           "searchsorted(): boundaries tensor should be 1 dimension or the first ",
           "N-1 dimensions of boundaries tensor and input value tensor must match, but we got ",
           "boundaries tensor ", s.sizes(), " and input value tensor ", x.sizes());
  RL_CHECK(!c.has(4) || c.tensor(4).dtype == DType::I64,
           "searchsorted(): sorter must be a tensor of long dtype");
  RL_CHECK(!c.has(4) || std::equal(s.sizes().begin(), s.sizes().end(), c.tensor(4).sizes().begin(),
                                   c.tensor(4).sizes().end()),
           "searchsorted(): sorter must have the sizes of the sorted sequence");
  RL_CHECK(!is_complex(s.dtype) && !is_complex(x.dtype),
           "searchsorted(): complex numbers have no order");
  if (s.dtype == DType::U64 || x.dtype == DType::U64)
    fail(ErrorKind::NotImplemented, "searchsorted: not implemented for ", DType::U64);
  c.add_out(x.sizes(), c.flag(3) ? DType::I32 : DType::I64);
}

template <class T>
void search_all(const Tensor& s, const Tensor& x, const int64_t* order, bool right, int64_t* out) {
  int64_t n = s.ndim ? s.size(s.ndim - 1) : 1;
  int64_t per_row = s.ndim == 1 || !x.ndim ? x.numel : x.size(x.ndim - 1);
  parallel_for(x.numel, 4096, [&](int64_t b, int64_t e) {
    for (int64_t i = b, count; i < e; i += count) {
      count = std::min(e - i, per_row - i % per_row);
      const int64_t row = i / per_row * n;
      find_places(s.data<T>() + row, order ? order + row : nullptr, n, x.data<T>() + i, count,
                  right, out + i);
    }
  });
}

void search_run(Call& c) {
  const PointwiseInput both[] = {{&c.tensor(0), {}}, {&c.tensor(1), {}}};
  DType common = stored(std::max(Compute::I, compute_of(result_type(both))));
  if (c.out(0).numel == 0) return;
  Ref<Tensor> s = contiguous_as(c.tensor(0), common), x = contiguous_as(c.tensor(1), common);
  Ref<Tensor> order = c.has(4) ? contiguous(c.tensor(4)) : Ref<Tensor>();
  if (order)
    for (int64_t i = 0, n = s->size(s->ndim - 1); i < order->numel; ++i)
      RL_CHECK(static_cast<uint64_t>(order->data<int64_t>()[i]) < static_cast<uint64_t>(n),
               "searchsorted(): sorter index out of range: ", order->data<int64_t>()[i]);
  Ref<Tensor> places =
      c.out(0).dtype == DType::I64 ? Ref<Tensor>::share(&c.out(0)) : empty(x->sizes(), DType::I64);
  auto run = common == DType::I64   ? search_all<int64_t>
             : common == DType::F32 ? search_all<float>
                                    : search_all<double>;
  run(*s, *x, order ? order->data<int64_t>() : nullptr, c.flag(2), places->data<int64_t>());
  if (places.get() != &c.out(0)) copy_into(c.out(0), *places);
}

RL_ISA_KERNEL("_searchsorted", search_infer, search_run);

}  // namespace
}  // namespace RL_ISA_NS
}  // namespace rl
