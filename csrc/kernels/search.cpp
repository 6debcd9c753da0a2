// Counting: bincount, histc, histogram.
#include <bit>
#include <cmath>
#include <vector>

#include "kernels/lines.h"
#include "kernels/search_places.h"
#include "plan/parallel.h"
#include "plan/pointwise.h"

namespace rl {
namespace {
using RL_ISA_NS::find_places;

// --- bincount(self, weights, minlength)
// A copy of `t` with zeros after its elements.
template <class T>
Ref<Tensor> lengthened(const Tensor& t, int64_t n) {
  Ref<Tensor> longer = empty(SizeVec{n}, dtype_of<T>);
  std::copy_n(t.data<T>(), t.numel, longer->data<T>());
  std::fill(longer->data<T>() + t.numel, longer->data<T>() + n, T{});
  return longer;
}

template <class T>
Ref<Tensor> zeros_of(int64_t n) {
  return lengthened<T>(*empty(SizeVec{0}, dtype_of<T>), n);
}

// All bits that any of n numbers has. None may be negative.
template <class Number>
Number common_bits(const Number* v, int64_t n) {
  Number bits = 0;
  for (int64_t i = 0; i < n; ++i) bits |= v[i];
  if (std::is_signed_v<Number> && bits < 0)
    fail("bincount only supports 1-d non-negative integral inputs, got ",
         int64_t{*std::min_element(v, v + n)});
  return bits;
}
template <class Number>
int64_t table_size(Number bits) {
  constexpr auto kLarge = int64_t{1} << 40;
  auto wanted = static_cast<uint64_t>(bits) + 1;
  return static_cast<int64_t>(bits < kLarge ? std::bit_ceil(wanted) : wanted);
}

// For each number the sum of weight(i) over the places i where it stands, of `least` numbers at
// least; `most` becomes the largest number. Pieces of the input are looked through, then counted
// while a cache holds them.
template <class T, class Number, class Weight>
Ref<Tensor> summed(const Number* v, int64_t n, int64_t least, int64_t& most, Weight weight) {
  constexpr int64_t kPiece = 4096;
  constexpr bool counts = std::is_integral_v<T>;  // whose last one says what the largest number is
  Ref<Tensor> sums = zeros_of<T>(least);
  for (int64_t from = 0; from < n; from += kPiece) {
    int64_t end = std::min(n, from + kPiece);
    Number bits = common_bits(v + from, end - from);
    if (bits >= sums->numel) sums = lengthened<T>(*sums, table_size(bits));
    T* to = sums->data<T>();
#pragma GCC unroll 4
    for (int64_t i = from; i < end; ++i) {
      if (!counts) most = v[i] > most ? v[i] : most;
      to[v[i]] += weight(i);
    }
  }
  return sums;
}
// Counts, which have no order, by each thread of its own part of the input, in a table that the
// first-level cache keeps; null where there is no such table, or not enough to do.
template <class Number>
Ref<Tensor> counted_in_parts(const Number* v, int64_t n, int64_t least) {
  constexpr int64_t kPart = 1 << 16, kTable = 1 << 12;
  const int64_t parts = std::min<int64_t>(num_threads(), n / kPart);
  if (parts < 2 || least > kTable) return {};
  std::vector<Number> bits(parts);
  auto each_part = [=](auto visit) {
    parallel_for(parts, 1, [&](int64_t begin, int64_t end) {
      for (int64_t k = begin; k < end; ++k) {
        int64_t from = n * k / parts;
        visit(k, v + from, n * (k + 1) / parts - from);
      }
    });
  };
  each_part([&](int64_t k, const Number* x, int64_t m) { bits[k] = common_bits(x, m); });
  const int64_t size = std::max(least, table_size(common_bits(bits.data(), parts)));
  if (size > kTable) return {};
  Ref<Tensor> tables = zeros_of<int64_t>(parts * size), sums = zeros_of<int64_t>(size);
  each_part([&](int64_t k, const Number* x, int64_t m) {
    int64_t* to = tables->data<int64_t>() + k * size;
#pragma GCC unroll 4
    for (int64_t i = 0; i < m; ++i) ++to[x[i]];
  });
  int64_t* sum = sums->data<int64_t>();
  for (int64_t k = 0; k < parts; ++k)
    for (int64_t i = 0; i < size; ++i) sum[i] += tables->data<int64_t>()[k * size + i];
  return sums;
}
template <class T, class Number, class Weight>
Ref<Tensor> counted(const Tensor& x, int64_t least, Weight weight) {
  auto* v = x.data<Number>();
  int64_t most = least - 1;
  Ref<Tensor> sums;
  if constexpr (std::is_integral_v<T>) sums = counted_in_parts(v, x.numel, least);
  if (!sums) sums = summed<T>(v, x.numel, least, most, weight);
  const T* sum = sums->data<T>();
  if (std::is_integral_v<T>)
    for (most = std::max(most, sums->numel - 1); most >= least && sum[most] == T{};) --most;
  Ref<Tensor> out = empty(SizeVec{most + 1}, dtype_of<T>);
  std::copy_n(sum, most + 1, out->data<T>());
  return out;
}
// run<Number>(t in rows): as it is stored, if that is worth its code, or as int64.
template <class Run>
void with_numbers(const Tensor& t, Run&& run) {
  if (t.dtype == DType::U8) return run.template operator()<uint8_t>(*contiguous(t));
  if (t.dtype == DType::I32) return run.template operator()<int32_t>(*contiguous(t));
  run.template operator()<int64_t>(*contiguous_as(t, DType::I64));
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
  const int64_t least = c.integer(2);
  if (!w)
    return with_numbers(t, [&]<class Number>(const Tensor& x) {
      auto one = [](int64_t) { return int64_t{1}; };
      c.set_out(0, counted<int64_t, Number>(x, least, one));
    });
  Ref<Tensor> weights = contiguous_as(*w, DType::F64);
  with_numbers(t, [&]<class Number>(const Tensor& x) {
    auto weight = [p = weights->data<double>()](int64_t i) { return p[i]; };
    Ref<Tensor> total = counted<double, Number>(x, least, weight);
    c.set_out(0, to_dtype(*total, w->dtype == DType::F32 ? DType::F32 : DType::F64));
  });
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

// As PyTorch reckons: each step in the dtype, so that values beside an edge fall on its side.
template <class T>
void count_evenly(const Tensor& x, double from, double to, Tensor& counts) {
  using Wide = widened_type<T>;
  auto rounded = [](auto n) { return static_cast<T>(static_cast<Wide>(n)); };
  const T *v = x.data<T>(), low = rounded(from), high = rounded(to);
  const int64_t bins = counts.numel;
  const T span = static_cast<T>(high - low), parts = rounded(bins);
  for (int64_t i = 0; i < x.numel; ++i) {
    if (!(v[i] >= low && v[i] <= high)) continue;
    const T above = static_cast<T>(v[i] - low), scaled = static_cast<T>(above * parts);
    const auto bin = static_cast<int64_t>(static_cast<Wide>(static_cast<T>(scaled / span)));
    ++counts.data<int64_t>()[std::min(bin, bins - 1)];
  }
}
void histc_run(Call& c) {
  Ref<Tensor> x = contiguous(c.tensor(0)), counts = empty(SizeVec{c.integer(1)}, DType::I64);
  fill(*counts, Scalar::of(int64_t{0}));
  double low = c.number(2), high = c.number(3);
  dispatch(x->dtype, [&]<class T>() {
    if constexpr (std::is_floating_point_v<widened_type<T>>) {
      if (low == high && x->numel) {
        auto [a, b] = std::minmax_element(x->data<T>(), x->data<T>() + x->numel);
        low = static_cast<widened_type<T>>(*a), high = static_cast<widened_type<T>>(*b);
      }
      if (low == high) low -= 1, high += 1;
      RL_CHECK(std::isfinite(low) && std::isfinite(high), "histc: range of [", low, ", ", high,
               "] is not finite");
      count_evenly<T>(*x, low, high, *counts);
    }
  });
  copy_into(c.out(0), *counts);
}

// --- _histogram(self, edges, weight, even): counts, or sums of weights, of the values from an edge
// up to the next, the last one included. `even`: the edges are evenly spaced, more or less, so that
// the place is nearly known.
void histogram_infer(Call& c) {
  c.add_out(SizeVec{std::max<int64_t>(0, c.tensor(1).numel - 1)}, c.tensor(0).dtype);
}
constexpr int64_t kHistogramPiece = 256;

// Places of values among the edges: -1 or `bins` for those in no bin.
template <class T>
void even_places(const T* edges, int64_t bins, const T* x, int64_t n, int64_t* places) {
  const double low = edges[0], high = edges[bins], scale = static_cast<double>(bins) / (high - low);
  for (int64_t i = 0; i < n; ++i) {
    const T v = x[i];
    const double guess = (static_cast<double>(v) - low) * scale;
    if (!(v >= edges[0] && v <= edges[bins])) {
      places[i] = -1;
      continue;
    }
    auto place = std::clamp<int64_t>(static_cast<int64_t>(guess), 0, bins - 1);
    while (place > 0 && v < edges[place]) --place;
    while (place < bins - 1 && v >= edges[place + 1]) ++place;
    places[i] = place;
  }
}
template <class T>
void any_places(const T* edges, int64_t bins, const T* x, int64_t n, int64_t* places) {
  find_places(edges, nullptr, bins + 1, x, n, true, places);
  for (int64_t i = 0; i < n; ++i)
    places[i] = x[i] != x[i] ? -1 : x[i] == edges[bins] ? bins - 1 : places[i] - 1;
}

// Sums in `Sum` of weight(i), of values that are looked up a piece at a time.
template <class Sum, class T, class Weight>
void count_in_bins(const Tensor& x, const Tensor& edges, bool even, Weight weight, T* out) {
  const int64_t bins = edges.numel - 1;
  std::vector<Sum> sums(bins);
  const T *values = x.data<T>(), *bounds = edges.data<T>();
  int64_t places[kHistogramPiece];
  for (int64_t from = 0; from < x.numel; from += kHistogramPiece) {
    const int64_t n = std::min(kHistogramPiece, x.numel - from);
    (even ? even_places<T> : any_places<T>)(bounds, bins, values + from, n, places);
    for (int64_t i = 0; i < n; ++i)
      if (static_cast<uint64_t>(places[i]) < static_cast<uint64_t>(bins))
        sums[places[i]] += weight(from + i);
  }
  for (int64_t b = 0; b < bins; ++b) out[b] = static_cast<T>(sums[b]);
}
void histogram_run(Call& c) {
  Tensor& out = c.out(0);
  if (!out.numel) return;
  Ref<Tensor> x = contiguous_as(c.tensor(0), out.dtype),
              edges = contiguous_as(c.tensor(1), out.dtype);
  Ref<Tensor> w = c.has(2) ? contiguous_as(c.tensor(2), out.dtype) : Ref<Tensor>();
  Unlocked unlocked(x->numel);
  auto run = [&]<class T>(T* to) {
    if (!w) return count_in_bins<int64_t>(*x, *edges, c.flag(3), [](int64_t) { return 1; }, to);
    const T* weights = w->data<T>();
    count_in_bins<double>(*x, *edges, c.flag(3), [=](int64_t i) { return weights[i]; }, to);
  };
  out.dtype == DType::F64 ? run(out.data<double>()) : run(out.data<float>());
}

RL_KERNEL("_histogram", histogram_infer, histogram_run);
RL_DYNAMIC("bincount", bincount_run);
RL_KERNEL("histc", histc_infer, histc_run);

}  // namespace
}  // namespace rl
