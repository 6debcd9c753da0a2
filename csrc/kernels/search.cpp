// Searching sorted sequences and counting: searchsorted, bincount, histc.
// Values are compared in the promoted dtype of both operands.
#include <cmath>

#include "kernels/lines.h"
#include "plan/pointwise.h"

namespace rl {
namespace {

// --- _searchsorted(sorted_sequence, self, right, out_int32, sorter)
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

// The first place in a[0, n) whose element is not below v (not at most v if `right`).
template <class T>
int64_t find_place(const T* a, const int64_t* order, int64_t n, T v, bool right) {
  int64_t low = 0;
  while (n > 0) {
    int64_t half = n / 2;
    T m = a[order ? order[low + half] : low + half];
    bool after = right ? !(m > v) : !(m >= v);
    low = after ? low + half + 1 : low;
    n = after ? n - half - 1 : half;
  }
  return low;
}

template <class T>
void search_all(const Tensor& s, const Tensor& x, const int64_t* order, bool right, int64_t* out) {
  int64_t n = s.ndim ? s.size(s.ndim - 1) : 1;
  int64_t per_row = s.ndim == 1 || !x.ndim ? x.numel : x.size(x.ndim - 1);
  parallel_for(x.numel, 4096, [&](int64_t b, int64_t e) {
    for (int64_t i = b; i < e; ++i) {
      int64_t row = i / per_row * n;
      out[i] =
          find_place(s.data<T>() + row, order ? order + row : nullptr, n, x.data<T>()[i], right);
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

// --- bincount(self, weights, minlength)
// A copy of `t` with zeros after its elements.
template <class T>
Ref<Tensor> lengthened(const Tensor& t, int64_t n) {
  Ref<Tensor> longer = empty(SizeVec{n}, dtype_of<T>);
  std::copy_n(t.data<T>(), t.numel, longer->data<T>());
  std::fill(longer->data<T>() + t.numel, longer->data<T>() + n, T{});
  return longer;
}

// For each number the sum of weight(i) over the places i where it stands, of `least` numbers at
// least. Pieces of the input are looked through, then counted while a cache holds them.
template <class T, class Weight>
Ref<Tensor> counted(const Tensor& x, int64_t least, Weight weight) {
  constexpr int64_t kPiece = 4096;
  Ref<Tensor> sums = lengthened<T>(*empty(SizeVec{0}, dtype_of<T>), least);
  auto* v = x.data<int64_t>();
  int64_t most = least - 1;
  for (int64_t from = 0; from < x.numel; from += kPiece) {
    int64_t end = std::min(x.numel, from + kPiece), bits = 0;
    for (int64_t i = from; i < end; ++i) bits |= v[i];
    if (bits < 0)
      fail("bincount only supports 1-d non-negative integral inputs, got ",
           *std::min_element(v + from, v + end));
    constexpr auto kLarge = int64_t{1} << 40;
    auto wanted = static_cast<uint64_t>(bits) + 1;
    if (bits >= sums->numel)
      sums = lengthened<T>(*sums,
                           static_cast<int64_t>(bits < kLarge ? std::bit_ceil(wanted) : wanted));
    T* to = sums->data<T>();
    for (int64_t i = from; i < end; ++i) {
      most = v[i] > most ? v[i] : most;
      to[v[i]] += weight(i);
    }
  }
  Ref<Tensor> out = empty(SizeVec{most + 1}, dtype_of<T>);
  std::copy_n(sums->data<T>(), most + 1, out->data<T>());
  return out;
}
void bincount_run(Call& c) {
  const Tensor& t = c.tensor(0);
  if (!is_integral(t.dtype))
    fail(ErrorKind::NotImplemented, "bincount: expected a tensor of integers, got ", t.dtype);
  RL_CHECK(t.ndim == 1 && is_integral(t.dtype) && t.dtype != DType::Bool,
           "bincount only supports 1-d non-negative integral inputs, got ", t.sizes(), " of ",
           t.dtype);
  RL_CHECK(c.integer(2) >= 0, "bincount: minlength should be >= 0, got ", c.integer(2));
  Tensor* w = c.tensor_or_null(1);
  RL_CHECK(!w || (w->ndim == 1 && w->numel == t.numel),
           "bincount: weights should be 1-d and have the same length as input");
  Ref<Tensor> x = contiguous_as(t, DType::I64);
  if (!w) {
    auto one = [](int64_t) { return int64_t{1}; };
    return c.set_out(0, counted<int64_t>(*x, c.integer(2), one));
  }
  Ref<Tensor> weights = contiguous_as(*w, DType::F64);
  auto weight = [p = weights->data<double>()](int64_t i) { return p[i]; };
  Ref<Tensor> total = counted<double>(*x, c.integer(2), weight);
  c.set_out(0, to_dtype(*total, w->dtype == DType::F32 ? DType::F32 : DType::F64));
}

// --- histc(self, bins, min, max): equal bins; values outside are not counted
void histc_infer(Call& c) {
  DType d = c.tensor(0).dtype;
  if (is_integral(d) || is_complex(d))
    fail(ErrorKind::NotImplemented, "histc: not implemented for ", d,
         "; pass a floating point tensor");
  RL_CHECK(c.integer(1) > 0, "histc: bins must be > 0, got ", c.integer(1));
  RL_CHECK(c.number(2) <= c.number(3), "histc: max must be larger than min, got min ", c.number(2),
           " and max ", c.number(3));
  c.add_out(SizeVec{c.integer(1)}, d);
}

void histc_run(Call& c) {
  Ref<Tensor> x = contiguous_as(c.tensor(0), DType::F64);
  Ref<Tensor> counts = empty(SizeVec{c.integer(1)}, DType::I64);
  fill(*counts, Scalar::of(int64_t{0}));
  auto* v = x->data<double>();
  int64_t bins = c.integer(1), *to = counts->data<int64_t>();
  double low = c.number(2), high = c.number(3);
  if (low == high && x->numel) {
    auto [a, b] = std::minmax_element(v, v + x->numel);
    low = *a, high = *b;
  }
  if (low == high) low -= 1, high += 1;
  RL_CHECK(std::isfinite(low) && std::isfinite(high), "histc: range of [", low, ", ", high,
           "] is not finite");
  for (int64_t i = 0; i < x->numel; ++i) {
    if (!(v[i] >= low && v[i] <= high)) continue;
    auto bin = static_cast<int64_t>((v[i] - low) / (high - low) * static_cast<double>(bins));
    ++to[std::min(bin, bins - 1)];
  }
  copy_into(c.out(0), *counts);
}

RL_KERNEL("_searchsorted", search_infer, search_run);
RL_DYNAMIC("bincount", bincount_run);
RL_KERNEL("histc", histc_infer, histc_run);

}  // namespace
}  // namespace rl
