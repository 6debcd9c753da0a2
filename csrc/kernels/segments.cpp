// Sums, products, means and extremes of consecutive rows. Compiled once per instruction-set level.
#include <algorithm>
#include <limits>
#include <string_view>

#include "kernels/kept.h"
#include "plan/call.h"
#include "plan/copy.h"
#include "plan/isa.h"
#include "plan/parallel.h"

namespace rl {
namespace RL_ISA_NS {
namespace {

// Of an extreme NaN wins, and stays.
template <class T>
struct Sum {
  static constexpr T kStart = 0;
  static T of(T a, T x) { return a + x; }
};
template <class T>
struct Product {
  static constexpr T kStart = 1;
  static T of(T a, T x) { return a * x; }
};
template <class T>
struct Largest {
  static constexpr T kStart = -std::numeric_limits<T>::infinity();
  static T of(T a, T x) { return x > a || x != x ? x : a; }
};
template <class T>
struct Smallest {
  static constexpr T kStart = std::numeric_limits<T>::infinity();
  static T of(T a, T x) { return x < a || x != x ? x : a; }
};

// Rows of `inner` elements, combined one after the other into what is in `out`.
template <class S, class F, class T>
void combine_rows(const T* x, int64_t rows, int64_t inner, T* out) {
  if (inner == 1) {
    T all = *out;
    for (int64_t r = 0; r < rows; ++r) all = kept_as<S>(F::of(all, x[r]));
    *out = all;
    return;
  }
  for (int64_t r = 0; r < rows; ++r, x += inner)
    for (int64_t j = 0; j < inner; ++j) out[j] = kept_as<S>(F::of(out[j], x[j]));
}

struct Segments {
  int64_t outer, size, inner, count;  // `count` of them in each of `outer` parts
  const int64_t* offsets;             // (outer, count + 1)
};

template <class S, template <class> class F, class T>
void run(const Call& c, const Segments& s, const T* x, T* out) {
  const bool mean = c.text(2) == "mean", given = c.has(3);
  const T start = given ? c.scalar(3).to<T>() : F<T>::kStart;
  const T none = mean && !given ? std::numeric_limits<T>::quiet_NaN() : start;
  const int64_t rows = std::max<int64_t>(1, s.size / std::max<int64_t>(1, s.count));
  const int64_t grain = std::max<int64_t>(1, 16384 / (rows * std::max<int64_t>(1, s.inner)));
  parallel_for(s.outer * s.count, grain, [&](int64_t n, int64_t end) {
    for (; n < end; ++n) {
      const int64_t part = n / s.count;
      const int64_t* offset = s.offsets + part * (s.count + 1) + n % s.count;
      const int64_t length = offset[1] - offset[0];
      T* to = out + n * s.inner;
      std::fill_n(to, s.inner, length ? start : none);
      combine_rows<S, F<T>>(x + (part * s.size + offset[0]) * s.inner, length, s.inner, to);
      if (mean && length)
        for (int64_t j = 0; j < s.inner; ++j) to[j] = kept_as<S>(to[j] / static_cast<T>(length));
    }
  });
}

// _segments(data, offsets, reduce, initial, whole): of data (outer, size, inner) the rows between
// neighbours of offsets (outer, count + 1), which are all rows if `whole`.
void segments_infer(Call& c) {
  const Tensor &x = c.tensor(0), &offsets = c.tensor(1);
  RL_CHECK(x.ndim == 3 && offsets.ndim == 2 && offsets.size(0) == x.size(0) && offsets.size(1) > 0,
           c.op, ": expected data (outer, size, inner) and offsets (outer, count + 1), got ",
           x.sizes(), " and ", offsets.sizes());
  if (!is_floating(x.dtype))
    fail(ErrorKind::NotImplemented, "segment_reduce: not implemented for ", x.dtype);
  c.add_out(SizeVec{x.size(0), offsets.size(1) - 1, x.size(2)}, x.dtype);
}
void check_offsets(const Segments& s, bool whole) {
  for (int64_t p = 0; p < s.outer; ++p) {
    const int64_t *first = s.offsets + p * (s.count + 1), *last = first + s.count;
    RL_CHECK(
        *first >= 0 && *last <= s.size && std::is_sorted(first, last + 1),
        "segment_reduce: lengths must not be negative, and offsets be in order and within the ",
        s.size, " elements of the axis");
    RL_CHECK(!whole || (*first == 0 && *last == s.size),
             "segment_reduce: lengths must add up to the ", s.size, " elements of the axis, got ",
             *last);
  }
}
void segments_run(Call& c) {
  const Tensor& x = c.tensor(0);
  Tensor& out = c.out(0);
  const DType compute = widened(x.dtype);
  Ref<Tensor> offsets = contiguous_as(c.tensor(1), DType::I64), in = contiguous_as(x, compute);
  const Segments s{x.size(0), x.size(1), x.size(2), out.size(1), offsets->data<int64_t>()};
  check_offsets(s, c.flag(4));
  if (!out.numel) return;
  Ref<Tensor> to = out.dtype == compute ? Ref<Tensor>::share(&out) : empty(out.sizes(), compute);
  auto reduce = [&]<class T>() {
    const std::string_view kind = c.text(2);
    const T* from = in->data<T>();
    Unlocked unlocked(in->numel);
    with_kept<T>(out.dtype, [&]<class S>() {
      if (kind == "prod") return run<S, Product>(c, s, from, to->data<T>());
      if (kind == "max") return run<S, Largest>(c, s, from, to->data<T>());
      if (kind == "min") return run<S, Smallest>(c, s, from, to->data<T>());
      run<S, Sum>(c, s, from, to->data<T>());
    });
  };
  compute == DType::F64 ? reduce.template operator()<double>()
                        : reduce.template operator()<float>();
  if (to.get() != &out) copy_into(out, *to);
}

// _segments_spread(x, offsets, size): to each of `size` rows what x, (outer, count, inner), has of
// its segment; 0 to rows of none.
void spread_infer(Call& c) {
  const Tensor &x = c.tensor(0), &offsets = c.tensor(1);
  RL_CHECK(x.ndim == 3 && offsets.ndim == 2 && offsets.size(0) == x.size(0) &&
               offsets.size(1) == x.size(1) + 1 && c.integer(2) >= 0,
           c.op, ": expected x (outer, count, inner) and offsets (outer, count + 1), got ",
           x.sizes(), " and ", offsets.sizes());
  c.add_out(SizeVec{x.size(0), c.integer(2), x.size(2)}, x.dtype);
}
template <class T>
void spread(const Segments& s, const T* x, T* out) {
  parallel_for(s.outer, std::max<int64_t>(1, 16384 / std::max<int64_t>(1, s.size * s.inner)),
               [&](int64_t part, int64_t end) {
                 for (; part < end; ++part) {
                   const int64_t* offset = s.offsets + part * (s.count + 1);
                   T* to = out + part * s.size * s.inner;
                   T* const last = to + s.size * s.inner;
                   to = std::fill_n(to, offset[0] * s.inner, T{});
                   for (int64_t n = 0; n < s.count; ++n) {
                     const T* from = x + (part * s.count + n) * s.inner;
                     const int64_t rows = offset[n + 1] - offset[n];
                     if (s.inner == 1)
                       to = std::fill_n(to, rows, *from);
                     else
                       for (int64_t r = 0; r < rows; ++r) to = std::copy_n(from, s.inner, to);
                   }
                   std::fill(to, last, T{});
                 }
               });
}
void spread_run(Call& c) {
  const Tensor& x = c.tensor(0);
  Tensor& out = c.out(0);
  Ref<Tensor> offsets = contiguous_as(c.tensor(1), DType::I64), in = contiguous_as(x, x.dtype);
  const Segments s{x.size(0), out.size(1), x.size(2), x.size(1), offsets->data<int64_t>()};
  check_offsets(s, false);
  if (!out.numel) return;
  Unlocked unlocked(out.numel);
  with_size(item_size(x.dtype), [&]<class T>() {
    spread(s, static_cast<const T*>(in->raw()), static_cast<T*>(out.raw()));
  });
}

RL_ISA_KERNEL("_segments_spread", spread_infer, spread_run);
RL_ISA_KERNEL("_segments", segments_infer, segments_run);

}  // namespace
}  // namespace RL_ISA_NS
}  // namespace rl
