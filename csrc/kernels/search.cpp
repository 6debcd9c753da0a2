// Searching sorted sequences and counting: searchsorted, bincount, histc, histogram.
// Values are compared in the promoted dtype of both operands.
#include <bit>
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

// For each value the first place whose element(place) is not below it (not at most it if kRight).
// Several searches abreast: each waits for its elements. All halve n as often, but for the last
// time, when some have nothing left.
template <bool kRight, class T, class Element>
void find_places(int64_t n, Element element, const T* values, int64_t count, int64_t* out) {
  constexpr int64_t kAbreast = 8;
  const int steps = static_cast<int>(std::bit_width(static_cast<uint64_t>(n) + 1)) - 1;
  for (int64_t i = 0; i < count; i += kAbreast) {
    uint64_t low[kAbreast] = {}, high[kAbreast];
    T v[kAbreast];
    for (int64_t k = 0; k < kAbreast; ++k) v[k] = values[std::min(i + k, count - 1)], high[k] = n;
    auto halve = [&](int64_t k, uint64_t place, uint64_t open) {
      const T m = element(place);
      const bool after = kRight ? !(m > v[k]) : !(m >= v[k]);
      // Masks, for which half is not known beforehand.
      const uint64_t up = -static_cast<uint64_t>(after) & open, down = ~up & open;
      low[k] += (place + 1 - low[k]) & up;
      high[k] -= (high[k] - place) & down;
    };
    for (int s = 0; s < steps; ++s)
#pragma GCC unroll 8
      for (int64_t k = 0; k < kAbreast; ++k) halve(k, (low[k] + high[k]) / 2, ~uint64_t{});
    for (int64_t k = 0; n && k < kAbreast; ++k)
      halve(k, std::min<uint64_t>(low[k], n - 1), -static_cast<uint64_t>(low[k] < high[k]));
    std::copy_n(low, std::min(kAbreast, count - i), out + i);
  }
}
template <class T>
void find_places(const T* a, const int64_t* order, int64_t n, const T* values, int64_t count,
                 bool right, int64_t* out) {
  auto run = [&](auto element) {
    right ? find_places<true>(n, element, values, count, out)
          : find_places<false>(n, element, values, count, out);
  };
  order ? run([=](int64_t i) { return a[order[i]]; }) : run([=](int64_t i) { return a[i]; });
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
RL_KERNEL("_searchsorted", search_infer, search_run);
RL_DYNAMIC("bincount", bincount_run);
RL_KERNEL("histc", histc_infer, histc_run);

}  // namespace
}  // namespace rl
