// Extrema: amax, amin, max, min, aminmax and their positions (argmax, max.dim ...).
// NaN wins over every number, and the first of several equal candidates is the one reported.
// Positions are found by scanning a block again only when the block improves on the state.
#include <limits>

#include "kernels/reduce_lanes.h"

namespace rl {
namespace RL_ISA_NS {
namespace {

// Lanes in which a or b is a NaN, by one instruction where gcc would make three.
template <class T>
inline auto any_nan(Vector<T> a, Vector<T> b) {
#if defined(__AVX2__) && !defined(__AVX512F__)
  using Where = decltype(a < b);
  if constexpr (std::is_same_v<T, float>)
    return std::bit_cast<Where>(_mm256_cmp_ps(a, b, _CMP_UNORD_Q));
  else if constexpr (std::is_same_v<T, double>)
    return std::bit_cast<Where>(_mm256_cmp_pd(a, b, _CMP_UNORD_Q));
  else
    return (a != a) | (b != b);
#else
  return (a != a) | (b != b);
#endif
}
// `better` in vector or scalar form: x should replace a.
template <bool Max, class V>
inline auto beats(V x, V a) {
  if constexpr (Max)
    return (x > a) | (x != x);
  else
    return (x < a) | (x != x);
}
template <class T, bool Max>
constexpr T worst() {
  using L = std::numeric_limits<T>;
  if constexpr (L::has_infinity)
    return Max ? -L::infinity() : L::infinity();
  else
    return Max ? L::lowest() : L::max();
}

template <bool Max>
struct ExtremeStep {
  template <class T>
  static constexpr T none() {
    return worst<T, Max>();
  }
  template <class V>
  static V first(V x) {
    return x;
  }
  template <class V>
  static V next(V a, V x) {
    return beats<Max>(x, a) ? x : a;
  }
  template <class V>
  static V join(V a, V b) {
    return next(a, b);
  }
};

// The extreme of n numbers, by instructions that know no NaN; false if one is among them, or there
// are few.
template <bool Max, class T>
bool extreme_of_numbers(const T* x, int64_t n, T& best) {
  constexpr int64_t V = kLanes<T>, N = 4;
  if (!std::is_floating_point_v<T> || n < N * V) return false;
  Vector<T> found[N];
  auto unordered = decltype(found[0] < found[0]){};
  for (int64_t k = 0; k < N; ++k) found[k] = load_vector(x + k * V);
  auto take = [&](int64_t k, Vector<T> v) {
    if constexpr (Max)
      found[k] = v > found[k] ? v : found[k];
    else
      found[k] = v < found[k] ? v : found[k];
  };
  auto meet = [&](const T* from) {
    Vector<T> v[N];
#pragma GCC unroll 4
    for (int64_t k = 0; k < N; ++k) v[k] = load_vector(from + k * V), take(k, v[k]);
    unordered |= any_nan<T>(v[0], v[1]) | any_nan<T>(v[2], v[3]);
  };
  int64_t i = 0;
  for (; i + N * V <= n; i += N * V) meet(x + i);
  meet(x + n - N * V);
  for (int64_t k = 0; k < V; ++k)
    if (unordered[k]) return false;
  for (int64_t k = 1; k < N; ++k) take(0, found[k]);
  best = join_lanes<ExtremeStep<Max>, T>(found[0]);
  return true;
}

template <class Element, bool Max>
struct ExtremeFold : BlockFold<ExtremeFold<Element, Max>, ExtremeStep<Max>, Element> {
  struct State {
    Element value;
  };
  using Out0 = Element;
  using Out1 = Element;
  static void init(State& s) { s.value = worst<Element, Max>(); }
  using Base = BlockFold<ExtremeFold<Element, Max>, ExtremeStep<Max>, Element>;
  static void row(State& s, const Element* x, int64_t n, int64_t first) {
    Element best;
    for (int64_t i = 0; i < n; i += kBlock) {
      int64_t len = std::min(kBlock, n - i);
      if (extreme_of_numbers<Max>(x + i, len, best))
        add(s, best);
      else
        Base::row(s, x + i, len, first + i);
    }
  }
  static void add(State& s, Element block) { s.value = ExtremeStep<Max>::next(s.value, block); }
  static void merge(State& s, const State& o) { add(s, o.value); }
  static void finish(const State& s, const FoldParams&, Element& out, Element&) { out = s.value; }
};

// The same of 16-bit floats by their bits, which as unsigned integers, and as signed ones but for
// the sign, have the order of the numbers' sizes; NaNs lie beyond infinity.
struct ShortBits {
  int16_t least, most;
  uint16_t largest;  // a negative number's, if there is one
  static constexpr int64_t kVector = kLanes<int16_t>;
  static void take(const uint16_t* x, Vector<int16_t>& low, Vector<int16_t>& high,
                   Vector<uint16_t>& far) {
    auto large = load_vector(x);
    auto bits = std::bit_cast<Vector<int16_t>>(large);
    low = bits < low ? bits : low;
    high = bits > high ? bits : high;
    far = large > far ? large : far;
  }
  void add(uint16_t x) {
    auto bits = static_cast<int16_t>(x);
    add(ShortBits{bits, bits, x});
  }
  void add(const ShortBits& o) {
    least = std::min(least, o.least), most = std::max(most, o.most);
    largest = std::max(largest, o.largest);
  }
};
struct Least {
  template <class V>
  static V join(V a, V b) {
    return a < b ? a : b;
  }
};
struct Most {
  template <class V>
  static V join(V a, V b) {
    return a > b ? a : b;
  }
};
template <class Element>
struct ShortFold {
  using T = Element;
  using State = ShortBits;
  using Out0 = T;
  using Out1 = T;
  static constexpr uint16_t kSign = 0x8000, kInf = std::is_same_v<T, Half> ? 0x7c00 : 0x7f80;
  static void init(State& s) { s = {INT16_MAX, INT16_MIN, 0}; }
  static void row(State& s, const T* numbers, int64_t n, int64_t) {
    constexpr int64_t V = ShortBits::kVector;
    auto* x = reinterpret_cast<const uint16_t*>(numbers);
    if (n < V) {
      for (int64_t i = 0; i < n; ++i) s.add(x[i]);
      return;
    }
    Vector<uint16_t> far = load_vector(x);
    Vector<int16_t> low = std::bit_cast<Vector<int16_t>>(far), high = low;
    for (int64_t i = V; i + V <= n; i += V) ShortBits::take(x + i, low, high, far);
    ShortBits::take(x + n - V, low, high, far);
    s.add({join_lanes<Least, int16_t>(low), join_lanes<Most, int16_t>(high),
           join_lanes<Most, uint16_t>(far)});
  }
  static void columns(State* s, const T* const* rows, int64_t n_rows, int64_t width, int64_t) {
    constexpr int64_t V = ShortBits::kVector;
    auto at = [rows](int64_t r) { return reinterpret_cast<const uint16_t*>(rows[r]); };
    int64_t w = 0;
    for (; w + V <= width; w += V) {
      Vector<uint16_t> far = load_vector(at(0) + w);
      Vector<int16_t> low = std::bit_cast<Vector<int16_t>>(far), high = low;
      for (int64_t r = 1; r < n_rows; ++r) ShortBits::take(at(r) + w, low, high, far);
      for (int64_t k = 0; k < V; ++k) s[w + k].add({low[k], high[k], far[k]});
    }
    for (; w < width; ++w)
      for (int64_t r = 0; r < n_rows; ++r) s[w].add(at(r)[w]);
  }
  static void merge(State& s, const State& o) { s.add(o); }
  static void finish(const State& s, const FoldParams&, T& least, T& most) {
    const bool nan = s.most > kInf || s.largest > (kSign | kInf);
    const int quiet = kInf | (kInf >> 1);
    auto bits = [](int b) { return std::bit_cast<T>(static_cast<uint16_t>(b)); };
    least = bits(nan ? quiet : s.largest >= kSign ? s.largest : s.least);
    most = bits(nan ? quiet : s.most >= 0 ? s.most : s.least);
  }
};
template <class Element, bool Max>
struct ShortExtremeFold : ShortFold<Element> {
  using T = Element;
  static void finish(const ShortBits& s, const FoldParams& p, T& out, T&) {
    T least, most;
    ShortFold<T>::finish(s, p, least, most);
    out = Max ? most : least;
  }
};

// The position of the first element that equals v (or is NaN as v is); there is one.
template <class T>
int64_t find_first(const T* x, int64_t n, T v) {
  constexpr int64_t kStride = 32;
  int64_t i = 0;
  if (v != v) {
    while (x[i] == x[i]) ++i;
    return i;
  }
  for (; i + kStride <= n; i += kStride) {
    int hits = 0;
    for (int64_t j = 0; j < kStride; ++j) hits += x[i + j] == v;
    if (hits) break;
  }
  while (x[i] != v) ++i;
  return i;
}

template <class Element, bool Max>
struct PositionFold {
  using T = Element;
  using Step = ExtremeStep<Max>;
  struct State {
    T value;
    int64_t index;
  };
  using Out0 = T;
  using Out1 = int64_t;
  static void init(State& s) { s = {worst<T, Max>(), -1}; }
  // Strictly better, so that the earlier of two equals stays.
  static bool improves(T x, const State& s) {
    bool more = Max ? x > s.value : x < s.value;
    return s.index < 0 || more || (x != x && s.value == s.value);
  }
  static void row(State& s, const T* x, int64_t n, int64_t first) {
    for (int64_t i = 0; i < n; i += kBlock) {
      int64_t len = std::min(kBlock, n - i);
      T best = fold_block<Step>(x + i, len);
      if (improves(best, s)) s = {best, first + i + find_first(x + i, len, best)};
    }
  }
  static void columns(State* s, const T* const* rows, int64_t n_rows, int64_t width,
                      int64_t first) {
    T best[kFoldWidth];
    Row at[kFoldWidth];
    int64_t whole = width / kLanes<T> * kLanes<T>, r = 1;
    std::copy_n(rows[0], whole, best);
    std::fill_n(at, whole, Row{0});
    for (; r + 4 <= n_rows; r += 4) meet_rows<4>(rows + r, static_cast<Row>(r), whole, best, at);
    for (; r < n_rows; ++r) meet_rows<1>(rows + r, static_cast<Row>(r), whole, best, at);
    for (int64_t w = 0; w < whole; ++w)
      if (improves(best[w], s[w])) s[w] = {best[w], first + at[w]};
    for (int64_t w = whole; w < width; ++w)
      for (r = 0; r < n_rows; ++r)
        if (improves(rows[r][w], s[w])) s[w] = {rows[r][w], first + r};
  }
  // The best of each column so far and its row, against N more rows, the first of which is `row`.
  using Row = std::conditional_t<sizeof(T) == 4, int32_t, int64_t>;
  template <int N>
  static void meet_rows(const T* const* rows, Row row, int64_t width, T* best, Row* at) {
    for (int64_t w = 0; w < width; w += kLanes<T>) {
      Vector<T> most = load_vector(best + w);
      Vector<Row> where = load_vector(at + w);
#pragma GCC unroll 4
      for (int i = 0; i < N; ++i) {
        Vector<T> x = load_vector(rows[i] + w);
        auto better = ((Max ? x > most : x < most) | (x != x)) & (most == most);
        most = better ? x : most;
        where = better ? Vector<Row>{} + (row + i) : where;
      }
      store_vector(best + w, most), store_vector(at + w, where);
    }
  }
  static void merge(State& s, const State& o) {
    if (o.index >= 0 && improves(o.value, s)) s = o;
  }
  static void finish(const State& s, const FoldParams&, T& value, int64_t& index) {
    value = s.value;
    index = s.index;
  }
};

// The least and the most of n numbers, by instructions that know no NaN; false if one is among
// them, or n is less than a vector. A NaN's bits exceed those of infinity.
template <class T>
bool extremes_of_numbers(const T* x, int64_t n, T& least, T& most) {
  using Bits = decltype(Vector<T>{} < Vector<T>{});
  using Bit = std::remove_cvref_t<decltype(Bits{}[0])>;
  constexpr int64_t V = kLanes<T>, N = 2;
  if (n < V) return false;
  Vector<T> low[N], high[N];
  Bits size[N] = {};
  for (int64_t k = 0; k < N; ++k) low[k] = high[k] = load_vector(x);
  auto take = [&](int64_t k, int64_t i) {
    Vector<T> v = load_vector(x + i);
    Bits magnitude = std::bit_cast<Bits>(v) & std::numeric_limits<Bit>::max();
    low[k] = v < low[k] ? v : low[k];
    high[k] = v > high[k] ? v : high[k];
    size[k] = magnitude > size[k] ? magnitude : size[k];
  };
  int64_t i = 0;
  for (; i + N * V <= n; i += N * V)
#pragma GCC unroll 2
    for (int64_t k = 0; k < N; ++k) take(k, i + k * V);
  for (; i + V <= n; i += V) take(0, i);
  take(1, n - V);
  const Bits largest = size[0] > size[1] ? size[0] : size[1];
  for (int64_t k = 0; k < V; ++k)
    if (largest[k] > std::bit_cast<Bit>(std::numeric_limits<T>::infinity())) return false;
  low[0] = low[1] < low[0] ? low[1] : low[0];
  high[0] = high[1] > high[0] ? high[1] : high[0];
  least = join_lanes<ExtremeStep<false>, T>(low[0]);
  most = join_lanes<ExtremeStep<true>, T>(high[0]);
  return true;
}

template <class Element>
struct BothFold {
  using T = Element;
  struct State {
    T least, most;
  };
  using Out0 = T;
  using Out1 = T;
  static void init(State& s) { s = {worst<T, false>(), worst<T, true>()}; }
  static void add(State& s, T least, T most) {
    s.least = ExtremeStep<false>::next(s.least, least);
    s.most = ExtremeStep<true>::next(s.most, most);
  }
  static void row(State& s, const T* x, int64_t n, int64_t) {
    for (int64_t i = 0; i < n; i += kBlock) {
      int64_t len = std::min(kBlock, n - i);
      T least, most;
      if constexpr (std::is_floating_point_v<T>)
        if (extremes_of_numbers(x + i, len, least, most)) {
          add(s, least, most);
          continue;
        }
      add(s, fold_block<ExtremeStep<false>>(x + i, len), fold_block<ExtremeStep<true>>(x + i, len));
    }
  }
  static void columns(State* s, const T* const* rows, int64_t n_rows, int64_t width, int64_t) {
    T least[kFoldWidth], most[kFoldWidth];
    fold_block_columns<ExtremeStep<false>>(rows, n_rows, width, least);
    fold_block_columns<ExtremeStep<true>>(rows, n_rows, width, most);
    for (int64_t w = 0; w < width; ++w) add(s[w], least[w], most[w]);
  }
  static void merge(State& s, const State& o) { add(s, o.least, o.most); }
  static void finish(const State& s, const FoldParams&, T& least, T& most) {
    least = s.least;
    most = s.most;
  }
};

// --- infer and run; booleans order as integers
#define RL_PER_TYPE(ORDERED, ...)                                                    \
  {make_fold<__VA_ARGS__<int64_t>>(ORDERED), make_fold<__VA_ARGS__<float>>(ORDERED), \
   make_fold<__VA_ARGS__<double>>(ORDERED)}
template <class T>
using MaxFold = ExtremeFold<T, true>;
template <class T>
using MinFold = ExtremeFold<T, false>;
template <class T>
using ArgMaxFold = PositionFold<T, true>;
template <class T>
using ArgMinFold = PositionFold<T, false>;
constexpr Fold kMax[] = RL_PER_TYPE(false, MaxFold), kMin[] = RL_PER_TYPE(false, MinFold);
constexpr Fold kArgMax[] = RL_PER_TYPE(true, ArgMaxFold), kArgMin[] = RL_PER_TYPE(true, ArgMinFold);
constexpr Fold kBoth[] = RL_PER_TYPE(false, BothFold);
#undef RL_PER_TYPE
// For short_fold.
constexpr Fold kShortMax[] = {make_fold<ShortExtremeFold<Half, true>>(),
                              make_fold<ShortExtremeFold<BFloat16, true>>()};
constexpr Fold kShortMin[] = {make_fold<ShortExtremeFold<Half, false>>(),
                              make_fold<ShortExtremeFold<BFloat16, false>>()};
constexpr Fold kShortBoth[] = {make_fold<ShortFold<Half>>(), make_fold<ShortFold<BFloat16>>()};

int type_index(const Tensor& t) { return std::max(0, static_cast<int>(compute_of(t.dtype)) - 1); }

const Fold& fold_for(const Tensor& t, const Fold* folds, const Fold* shorts) {
  const Fold* as_stored = short_fold(shorts, t.dtype);
  return as_stored ? *as_stored : folds[type_index(t)];
}
const Fold& extreme_fold(const Tensor& t, bool max) {
  return max ? fold_for(t, kMax, kShortMax) : fold_for(t, kMin, kShortMin);
}

void check_ordered(const Call& c) {
  DType d = c.tensor(0).dtype;
  if (is_complex(d))
    fail(ErrorKind::NotImplemented, c.op, ": complex numbers have no order, got ", d,
         "; take abs(), or real and imag");
  if (d == DType::U64) fail(ErrorKind::NotImplemented, c.op, ": not implemented for ", d);
}

// amax(self, dim, keepdim)
void extreme_infer(Call& c) {
  check_ordered(c);
  uint64_t mask = dims_argument(c, 1);
  check_not_empty(c, mask, c.has(1) && !c.ints(1).empty());
  add_reduced(c, mask, c.flag(2), c.tensor(0).dtype);
}
template <bool Max>
void extreme_run(Call& c) {
  const Tensor& t = c.tensor(0);
  run_reduction(extreme_fold(t, Max), t, dims_argument(c, 1), &c.out(0), nullptr);
}

// max(self)
void whole_infer(Call& c) {
  check_ordered(c);
  check_not_empty(c, every_dim(c.tensor(0)), false);
  c.add_out({}, c.tensor(0).dtype);
}
template <bool Max>
void whole_run(Call& c) {
  const Tensor& t = c.tensor(0);
  run_reduction(extreme_fold(t, Max), t, every_dim(t), &c.out(0), nullptr);
}

// max.dim(self, dim, keepdim) -> (values, indices)
void along_infer(Call& c) {
  check_ordered(c);
  uint64_t mask = dim_argument(c, 1);
  check_not_empty(c, mask, true);
  add_reduced(c, mask, c.flag(2), c.tensor(0).dtype);
  add_reduced(c, mask, c.flag(2), DType::I64);
}
template <bool Max>
void along_run(Call& c) {
  const Tensor& t = c.tensor(0);
  const Fold& f = (Max ? kArgMax : kArgMin)[type_index(t)];
  run_reduction(f, t, dim_argument(c, 1), &c.out(0), &c.out(1));
}

// argmax(self, dim, keepdim)
void position_infer(Call& c) {
  check_ordered(c);
  RL_CHECK(c.tensor(0).dtype != DType::Bool, c.op, "(): does not support bool input; convert it, ",
           "for example with .int()");
  uint64_t mask = dim_argument(c, 1);
  if (!c.has(1) && c.tensor(0).numel == 0)
    fail(ErrorKind::Index, c.op,
         "(): Expected reduction dim to be specified for input.numel() == 0.");
  check_not_empty(c, mask, true);
  add_reduced(c, mask, c.flag(2), DType::I64);
}
template <bool Max>
void position_run(Call& c) {
  const Tensor& t = c.tensor(0);
  const Fold& f = (Max ? kArgMax : kArgMin)[type_index(t)];
  run_reduction(f, t, dim_argument(c, 1), nullptr, &c.out(0));
}

// aminmax(self, *, dim, keepdim) -> (min, max)
void both_infer(Call& c) {
  check_ordered(c);
  uint64_t mask = dim_argument(c, 1);
  RL_CHECK(c.has(1) || c.tensor(0).numel, "aminmax(): cannot compute aminmax over an empty ",
           "dimension as the operation has no identity.");
  check_not_empty(c, mask, true);
  for (int i = 0; i < 2; ++i) add_reduced(c, mask, c.flag(2), c.tensor(0).dtype);
}
void both_run(Call& c) {
  const Tensor& t = c.tensor(0);
  const Fold& f = fold_for(t, kBoth, kShortBoth);
  run_reduction(f, t, dim_argument(c, 1), &c.out(0), &c.out(1));
}

RL_ISA_KERNEL("amax", extreme_infer, extreme_run<true>);
RL_ISA_KERNEL("amin", extreme_infer, extreme_run<false>);
RL_ISA_KERNEL("max", whole_infer, whole_run<true>);
RL_ISA_KERNEL("min", whole_infer, whole_run<false>);
RL_ISA_KERNEL("max.dim", along_infer, along_run<true>);
RL_ISA_KERNEL("min.dim", along_infer, along_run<false>);
RL_ISA_KERNEL("argmax", position_infer, position_run<true>);
RL_ISA_KERNEL("argmin", position_infer, position_run<false>);
RL_ISA_KERNEL("aminmax", both_infer, both_run);

}  // namespace
}  // namespace RL_ISA_NS
}  // namespace rl
