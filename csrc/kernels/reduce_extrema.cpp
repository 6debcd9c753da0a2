// Extrema: amax, amin, max, min and aminmax. NaN wins over every number, and booleans order as
// integers. Their positions are in reduce_positions.cpp.
#include "kernels/reduce_extreme.h"

namespace rl {
namespace RL_ISA_NS {
namespace {

// Vectors of numbers, by instructions that know no NaN, and whether there was one. Integers have
// none.
template <bool Max, class T>
struct Numbers {
  using V = Vector<T>;
  decltype(V{} < V{}) unordered{};
  static void take(V& best, V x) { best = NumberStep<Max>::join(best, x); }
  void look(V a, V b) {
    if constexpr (std::is_floating_point_v<T>) unordered |= any_nan<T>(a, b);
  }
  // N vectors from x on, each into an extreme of its own.
  template <int N>
  void meet(V* best, const T* x) {
    V v[N];
#pragma GCC unroll 8
    for (int k = 0; k < N; ++k) v[k] = load_vector(x + k * kLanes<T>), take(best[k], v[k]);
#pragma GCC unroll 8
    for (int k = 0; k < N; k += 2) look(v[k], v[std::min(k + 1, N - 1)]);
  }
  // N rows into the extremes of their columns; the last vector overlaps the one before it.
  template <int N>
  void meet_rows(T* best, const T* const* rows, int64_t width) {
    auto meet_at = [&](int64_t w) {
      V v[N], most = load_vector(best + w);
#pragma GCC unroll 8
      for (int k = 0; k < N; ++k) v[k] = load_vector(rows[k] + w);
#pragma GCC unroll 8
      for (int k = 0; k < N; k += 2) look(v[k], v[std::min(k + 1, N - 1)]);
#pragma GCC unroll 8
      for (int k = 0; k < N; ++k) take(most, v[k]);
      store_vector(best + w, most);
    };
    int64_t w = 0;
    for (; w + kLanes<T> <= width; w += kLanes<T>) meet_at(w);
    if (w < width) meet_at(width - kLanes<T>);
  }
  // N vectors of columns from w on.
  template <int N>
  void strip(T* best, const T* const* rows, int64_t n_rows, int64_t w) {
    V found[N];
    for (int k = 0; k < N; ++k) found[k] = load_vector(rows[0] + w + k * kLanes<T>);
    for (int64_t r = 0; r < n_rows; ++r) meet<N>(found, rows[r] + w);
    for (int k = 0; k < N; ++k) store_vector<T>(best + w + k * kLanes<T>, found[k]);
  }
  bool had_nan() const {
    return join_lanes<OrStep, int64_t>(std::bit_cast<Vector<int64_t>>(unordered)) != 0;
  }
};
// The extreme of n numbers; false if a NaN is among them, or they are less than a vector.
template <bool Max, class T>
bool extreme_of_numbers(const T* x, int64_t n, T& extreme) {
  constexpr int64_t V = kLanes<T>, N = 4;
  if (n < V) return false;
  Numbers<Max, T> numbers;
  Vector<T> best[N];
  const int64_t apart = n < N * V ? 0 : V;
  for (int64_t k = 0; k < N; ++k) best[k] = load_vector(x + k * apart);
  for (int64_t k = 0; k < N; k += 2) numbers.look(best[k], best[k + 1]);
  int64_t i = apart ? N * V : V;
  for (; i + N * V <= n; i += N * V) numbers.template meet<N>(best, x + i);
  for (; i + V <= n; i += V) numbers.template meet<1>(best, x + i);
  if (i < n) numbers.template meet<1>(best, x + n - V);
  if (numbers.had_nan()) return false;
  for (int64_t k = 1; k < N; ++k) numbers.take(best[0], best[k]);
  extreme = join_lanes<NumberStep<Max>, T>(best[0]);
  return true;
}
// The same of columns.
template <bool Max, class T>
bool extremes_of_columns(const T* const* rows, int64_t n_rows, int64_t width, T* best) {
  constexpr int64_t N = 8;
  if (width < kLanes<T>) return false;
  Numbers<Max, T> numbers;
  if (width * int64_t{sizeof(T)} <= kStripped) {
    each_strip<T>(width,
                  [&]<int K>(int64_t w) { numbers.template strip<K>(best, rows, n_rows, w); });
    return !numbers.had_nan();
  }
  std::copy_n(rows[0], width, best);
  int64_t r = 0;
  for (; r + N <= n_rows; r += N) numbers.template meet_rows<N>(best, rows + r, width);
  for (; r + N / 2 <= n_rows; r += N / 2) numbers.template meet_rows<N / 2>(best, rows + r, width);
  for (; r < n_rows; ++r) numbers.template meet_rows<1>(best, rows + r, width);
  return !numbers.had_nan();
}

template <class Element, bool Max>
struct ExtremeFold : BlockFold<ExtremeFold<Element, Max>, ExtremeStep<Max>, Element> {
  struct State {
    Element value;
  };
  using Out0 = Element;
  using Out1 = Element;
  using Base = BlockFold<ExtremeFold<Element, Max>, ExtremeStep<Max>, Element>;
  static constexpr DType kElement = dtype_of<Element>;
  static void init(State& s) { s.value = worst<Element, Max>(); }
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
  static void columns(State* s, const Element* const* rows, int64_t n_rows, int64_t width,
                      int64_t first) {
    Element best[kFoldWidth];
    if (!extremes_of_columns<Max>(rows, n_rows, width, best))
      return Base::columns(s, rows, n_rows, width, first);
    for (int64_t w = 0; w < width; ++w) add(s[w], best[w]);
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
  static constexpr DType kElement = dtype_of<T>;
  static constexpr bool kJoinsLanes = true;
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

// --- infer and run
template <class T>
using MaxFold = ExtremeFold<T, true>;
template <class T>
using MinFold = ExtremeFold<T, false>;
// For short_fold.
constexpr Fold kShortMax[] = {make_fold<ShortExtremeFold<Half, true>>(),
                              make_fold<ShortExtremeFold<BFloat16, true>>()};
constexpr Fold kShortMin[] = {make_fold<ShortExtremeFold<Half, false>>(),
                              make_fold<ShortExtremeFold<BFloat16, false>>()};
constexpr Fold kShortBoth[] = {make_fold<ShortFold<Half>>(), make_fold<ShortFold<BFloat16>>()};

template <template <class> class F>
const Fold& fold_for(DType d, const Fold* shorts) {
  if (const Fold* as_stored = short_fold(shorts, d)) return *as_stored;
  return fold_among<false, F, uint8_t, int8_t, int16_t, int32_t, int64_t, float, double>(d);
}
const Fold& extreme_fold(const Tensor& t, bool max) {
  return max ? fold_for<MaxFold>(t.dtype, kShortMax) : fold_for<MinFold>(t.dtype, kShortMin);
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
  const Fold& f = fold_for<BothFold>(t.dtype, kShortBoth);
  run_reduction(f, t, dim_argument(c, 1), &c.out(0), &c.out(1));
}

RL_ISA_KERNEL("amax", extreme_infer, extreme_run<true>);
RL_ISA_KERNEL("amin", extreme_infer, extreme_run<false>);
RL_ISA_KERNEL("max", whole_infer, whole_run<true>);
RL_ISA_KERNEL("min", whole_infer, whole_run<false>);
RL_ISA_KERNEL("aminmax", both_infer, both_run);

}  // namespace
}  // namespace RL_ISA_NS
}  // namespace rl
