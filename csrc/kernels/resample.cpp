// Resampling, and its adjoint: along one dimension after another every output is a weighted sum of
// a few inputs, which a table names. The adjoint reads the same table by inputs. Compiled once per
// instruction-set level.
#include <algorithm>
#include <cstring>
#include <vector>

#include "kernels/kept.h"
#include "kernels/resample.h"
#include "kernels/vectors.h"
#include "plan/isa.h"
#include "plan/parallel.h"

namespace rl {
namespace RL_ISA_NS {
namespace {

// Of each of `size` results: the terms first[i] to first[i + 1], in the order they are added.
// Where the counts of neighbours agree, [begin, end), term k of result i is also at k * size + i.
template <class R>
struct Table {
  int64_t size;
  std::vector<int32_t> first, from, from_of;
  std::vector<R> weight, weight_of;
  int64_t begin = 0, end = 0;

  explicit Table(int64_t n) : size(n), first(n + 1) {}
  int64_t count(int64_t i) const { return first[i + 1] - first[i]; }
  int64_t taps() const { return begin < end ? count(begin) : 0; }

  // Once all terms are there: the longest run of results with as many terms, column by column.
  void finish() {
    for (int64_t i = 0, j; i < size; i = j) {
      for (j = i + 1; j < size && count(j) == count(i);) ++j;
      if (count(i) > 0 && j - i > end - begin) begin = i, end = j;
    }
    from_of.resize(taps() * size);
    weight_of.resize(taps() * size);
    for (int64_t i = begin; i < end; ++i)
      for (int64_t k = 0; k < taps(); ++k) {
        from_of[k * size + i] = from[first[i] + k];
        weight_of[k * size + i] = weight[first[i] + k];
      }
  }
};

#if __has_builtin(__builtin_shuffle)
// Results that are neighbours are mostly sums of inputs that are: then two vectors hold all inputs
// of a vector of results, and picking among them takes less than gathering from memory.
template <class R>
class Windows {
 public:
  // Of the columns of a table, for lines of `inputs`; empty where some window would be wider.
  Windows(const Table<R>& t, int64_t inputs) {
    constexpr int64_t kWidest = 8;
    if (t.end - t.begin < kN || inputs < 2 * kN || t.taps() > kWidest) return;
    for (int64_t at = t.begin; at < t.end; at += kN) {
      const Block b = block(t, std::min(at, t.end - kN), inputs);
      if (!fits(t, b)) {
        blocks_.clear();
        return;
      }
      blocks_.push_back(b);
      for (int64_t k = 0; k < t.taps(); ++k)
        for (int64_t i = 0; i < kN; ++i)
          places_.push_back(t.from_of[k * t.size + b.at + i] - static_cast<Place>(b.from));
    }
  }
  explicit operator bool() const { return !blocks_.empty(); }

  void mix(const Table<R>& t, const R* x, R* out) const {
    switch (t.taps()) {
      case 1:
        return mix_of(t, std::integral_constant<int64_t, 1>(), x, out);
      case 2:
        return mix_of(t, std::integral_constant<int64_t, 2>(), x, out);
      default:
        return mix_of(t, t.taps(), x, out);
    }
  }

 private:
  static constexpr int64_t kN = kLanes<R>;
  using Place = std::conditional_t<sizeof(R) == 4, int32_t, int64_t>;
  struct Block {
    int64_t at, from;  // the first of its results, and of the inputs in its window
  };

  static Block block(const Table<R>& t, int64_t at, int64_t inputs) {
    int64_t from = inputs - 2 * kN;
    for (int64_t k = 0; k < t.taps(); ++k)
      for (int64_t i = at; i < at + kN; ++i)
        from = std::min<int64_t>(from, t.from_of[k * t.size + i]);
    return {at, from};
  }
  static bool fits(const Table<R>& t, const Block& b) {
    for (int64_t k = 0; k < t.taps(); ++k)
      for (int64_t i = b.at; i < b.at + kN; ++i)
        if (t.from_of[k * t.size + i] >= b.from + 2 * kN) return false;
    return true;
  }

  template <class Taps>
  void mix_of(const Table<R>& t, Taps taps, const R* x, R* out) const {
    const Place* places = places_.data();
    for (const Block& b : blocks_) {
      const Vector<R> low = load_vector(x + b.from), high = load_vector(x + b.from + kN);
      const R* weight = t.weight_of.data() + b.at;
      auto term = [&](int64_t k) {
        return __builtin_shuffle(low, high, load_vector(places + k * kN)) *
               load_vector(weight + k * t.size);
      };
      Vector<R> sum = term(0);
      for (int64_t k = 1; k < taps; ++k) sum = sum + term(k);
      store_vector(out + b.at, sum);
      places += taps * kN;
    }
  }

  std::vector<Block> blocks_;
  std::vector<Place> places_;
};
#endif

// Every output has as many terms. `in_lines`: only column by column, as the terms come.
template <class R>
Table<R> by_outputs(const Taps<R>& t, bool in_lines) {
  Table<R> table(t.size);
  const auto& index = t.index;
  const auto& weight = t.weight;
  const int64_t terms = t.taps * t.size;
  for (int64_t i = 0; i < t.size; ++i) table.first[i + 1] = static_cast<int32_t>((i + 1) * t.taps);
  if (in_lines && t.taps) {
    table.end = t.size;
    table.from_of.assign(index.begin(), index.end());
    table.weight_of = weight;
    return table;
  }
  table.from.resize(terms);
  table.weight.resize(terms);
  for (int64_t k = 0; k < t.taps; ++k)
    for (int64_t i = 0; i < t.size; ++i) {
      table.from[i * t.taps + k] = static_cast<int32_t>(index[k * t.size + i]);
      table.weight[i * t.taps + k] = weight[k * t.size + i];
    }
  return table;
}

template <class R>
Table<R> by_inputs(const Taps<R>& t, int64_t inputs) {
  Table<R> table(inputs);
  const auto& index = t.index;
  const auto& weight = t.weight;
  int64_t terms = t.taps * t.size;
  for (int64_t c = 0; c < terms; ++c) ++table.first[index[c] + 1];
  for (int64_t i = 0; i < inputs; ++i) table.first[i + 1] += table.first[i];
  std::vector<int32_t> next(table.first.begin(), table.first.end() - 1);
  table.from.resize(terms);
  table.weight.resize(terms);
  for (int64_t c = 0; c < terms; ++c) {
    int32_t at = next[index[c]]++;
    table.from[at] = static_cast<int32_t>(c % t.size);
    table.weight[at] = weight[c];
  }
  table.finish();
  return table;
}

template <class T, class R>
T times(T x, R weight) {
  if constexpr (std::is_same_v<T, R>)
    return x * weight;
  else
    return {x.re * weight, x.im * weight};
}

// ---- lines whose elements are neighbours
template <class T, class R>
[[gnu::noinline]] void even_terms(const Table<R>& t, const T* x, T* out) {
  for (int64_t k = 0; k < t.taps(); ++k) {
    const int32_t* from = t.from_of.data() + k * t.size;
    const R* weight = t.weight_of.data() + k * t.size;
    if (k == 0)
      for (int64_t i = t.begin; i < t.end; ++i) out[i] = times(x[from[i]], weight[i]);
    else
      for (int64_t i = t.begin; i < t.end; ++i) out[i] = out[i] + times(x[from[i]], weight[i]);
  }
}
// The other terms; `even` gives those of the columns.
template <class T, class R, class Even>
void mix_line(const Table<R>& t, const T* x, T* out, Even even) {
  even(x, out);
  for (int64_t i = 0; i < t.size; ++i) {
    if (i == t.begin && t.begin < t.end) i = t.end;
    if (i == t.size) break;
    T sum{};
    for (int32_t c = t.first[i]; c < t.first[i + 1]; ++c)
      sum = sum + times(x[t.from[c]], t.weight[c]);
    out[i] = sum;
  }
}

// ---- lines side by side: row i of the result is a sum of rows
// Terms c to c + N - 1, added to `out` in their order, or in place of what is there.
template <bool kFresh, class T, class R, size_t... K>
[[gnu::noinline]] void mix_terms(const Table<R>& t, int32_t c, const T* x, int64_t inner, T* out,
                                 std::index_sequence<K...>) {
  const T* const row[] = {x + t.from[c + static_cast<int32_t>(K)] * inner...};
  const R weight[] = {t.weight[c + static_cast<int32_t>(K)]...};
#pragma GCC ivdep
  for (int64_t j = 0; j < inner; ++j) {
    T sum = kFresh ? times(row[0][j], weight[0]) : out[j] + times(row[0][j], weight[0]);
    ((sum = K == 0 ? sum : sum + times(row[K][j], weight[K])), ...);
    out[j] = sum;
  }
}
template <bool kFresh, class T, class R>
void mix_some(const Table<R>& t, int32_t c, int32_t n, const T* x, int64_t inner, T* out) {
  auto mixed = [&](auto terms) { mix_terms<kFresh>(t, c, x, inner, out, terms); };
  if (n == 1) return mixed(std::make_index_sequence<1>());
  if (n == 2) return mixed(std::make_index_sequence<2>());
  if (n == 3) return mixed(std::make_index_sequence<3>());
  mixed(std::make_index_sequence<4>());
}
// Up to four terms each time that the sums are read and written.
template <class T, class R>
void mix_row(const Table<R>& t, int64_t i, const T* x, int64_t inner, T* out) {
  int32_t c = t.first[i], end = t.first[i + 1];
  if (c == end) {
    std::fill_n(out, inner, T{});
    return;
  }
  mix_some<true>(t, c, end - c, x, inner, out);
  for (c += 4; c < end; c += 4) mix_some<false>(t, c, end - c, x, inner, out);
}

// Several lines as one, where they are too short for vectors: the same terms once for each.
template <class R>
Taps<R> repeated(const Taps<R>& t, int64_t lines, int64_t inputs) {
  Taps<R> all(t.taps, lines * t.size);
  for (int64_t k = 0; k < t.taps; ++k)
    for (int64_t n = 0; n < lines; ++n)
      for (int64_t i = 0; i < t.size; ++i) {
        const int64_t from = k * t.size + i, to = (k * lines + n) * t.size + i;
        all.index[to] = t.index[from] + n * inputs;
        all.weight[to] = t.weight[from];
      }
  return all;
}
int64_t lines_together(const Lines& l) {
  constexpr int64_t kShort = 32, kTogether = 128;
  if (l.inner != 1 || l.outputs >= kShort) return 1;
  int64_t lines = std::min(kTogether / l.outputs, std::max<int64_t>(1, INT32_MAX / l.inputs));
  while (l.outer % lines) --lines;
  return lines;
}

template <class T, class R>
void mix_lines(const Table<R>& t, const Lines& l, const T* x, T* out) {
  auto run = [&](auto even) {
    parallel_for(l.outer, plane_grain(l.outputs), [&](int64_t begin, int64_t end) {
      for (int64_t n = begin; n < end; ++n)
        mix_line(t, x + n * l.inputs, out + n * l.outputs, even);
    });
  };
#if __has_builtin(__builtin_shuffle)
  constexpr int64_t kWorthIt = 4;
  if constexpr (std::is_same_v<T, R>)
    if (l.outer >= kWorthIt)
      if (const Windows<R> windows(t, l.inputs); windows)
        return run([&](const T* from, T* to) { windows.mix(t, from, to); });
#endif
  run([&](const T* from, T* to) { even_terms(t, from, to); });
}

template <class T, class R>
void mix(const Table<R>& t, const Lines& l, const T* x, T* out) {
  if (l.inner == 1) return mix_lines(t, l, x, out);
  parallel_for(l.outer * l.outputs, plane_grain(l.inner), [&](int64_t begin, int64_t end) {
    for (int64_t n = begin; n < end; ++n)
      mix_row(t, n % l.outputs, x + n / l.outputs * l.inputs * l.inner, l.inner, out + n * l.inner);
  });
}

// Short runs mostly, for which a call of memcpy takes as long as they do.
template <class T>
[[gnu::always_inline]] inline void copy_run(const T* from, int64_t n, T* to) {
  const int64_t bytes = n * static_cast<int64_t>(sizeof(T)), last = bytes - kVectorBytes;
  const char* in = reinterpret_cast<const char*>(from);
  char* out = reinterpret_cast<char*>(to);
  if (last < 0) {
    std::copy_n(from, n, to);
    return;
  }
  for (int64_t i = 0; i < last; i += kVectorBytes) store_vector(out + i, load_vector(in + i));
  store_vector(out + last, load_vector(in + last));
}

// One input an output: nothing is computed.
template <class T>
void pick(const int64_t* index, const Lines& l, const T* x, T* out) {
  if (l.inner > 1)
    return parallel_for(l.outer * l.outputs, plane_grain(l.inner), [&](int64_t n, int64_t end) {
      for (; n < end; ++n) {
        const int64_t from = n / l.outputs * l.inputs + index[n % l.outputs];
        copy_run(x + from * l.inner, l.inner, out + n * l.inner);
      }
    });
  parallel_for(l.outer, plane_grain(l.outputs), [&](int64_t n, int64_t end) {
    for (; n < end; ++n)
      for (int64_t i = 0; i < l.outputs; ++i) out[n * l.outputs + i] = x[n * l.inputs + index[i]];
  });
}

// Both dimensions of images whose channels lie last: rows that repeat are copied whole.
struct ImagePick {
  int64_t height, width, channels;
  const int64_t *rows, *columns;  // of the input
  int64_t out_height, out_width;
};
template <class T>
void pick_rows(const ImagePick& p, const T* x, T* out, int64_t begin, int64_t end) {
  const int64_t pitch = p.out_width * p.channels;
  for (int64_t r = begin; r < end; ++r) {
    const int64_t i = r % p.out_height;
    T* to = out + r * pitch;
    if (r > begin && i > 0 && p.rows[i] == p.rows[i - 1]) {
      std::copy_n(to - pitch, pitch, to);
      continue;
    }
    const T* from = x + (r / p.out_height * p.height + p.rows[i]) * p.width * p.channels;
    for (int64_t j = 0; j < p.out_width; ++j, to += p.channels)
      copy_run(from + p.columns[j] * p.channels, p.channels, to);
  }
}

// ---- the operators
template <class F>
void dispatch_inexact(const Call& c, DType d, F f) {
  if (d == DType::F32) return f.template operator()<float, float>();
  if (d == DType::F64) return f.template operator()<double, double>();
  if (d == DType::C64) return f.template operator()<C64, float>();
  if (d == DType::C128) return f.template operator()<C128, double>();
  fail(ErrorKind::NotImplemented, c.op, ": not implemented for ", d);
}

// The weights as numbers of a dtype; of two the first is what the second leaves of 1.
template <class R>
void keep_weights(Taps<R>& t, DType kept) {
  for (R& w : t.weight) w = kept_as(kept, w);
  if (t.taps == 2)
    for (int64_t i = 0; i < t.size; ++i) t.weight[i] = kept_as(kept, 1 - t.weight[t.size + i]);
}

template <class R>
void join_short_lines(Taps<R>& t, Lines& l) {
  const int64_t lines = lines_together(l);
  if (lines > 1) t = repeated(t, lines, l.inputs);
  l.outer /= lines, l.inputs *= lines, l.outputs *= lines;
}
template <class T, class R>
void resize_lines(Taps<R> t, Lines l, const T* in, T* out) {
  join_short_lines(t, l);
  mix<T, R>(by_outputs<R>(t, l.inner == 1), l, in, out);
}
void pick_lines(const Resizing& r, int64_t bytes, Lines l, const void* in, void* out) {
  Taps<float> t(r);
  join_short_lines(t, l);
  with_size(bytes, [&]<class T>() {
    pick(t.index.data(), l, static_cast<const T*>(in), static_cast<T*>(out));
  });
}

// Where nothing is computed and channels lie last.
void pick_image(Call& c) {
  const Tensor& x = c.tensor(0);
  Tensor& out = c.out(0);
  const Taps<float> rows(resizing(c, 0, Way::Forward)), columns(resizing(c, 1, Way::Forward));
  Ref<Tensor> in = in_order(x, x.dtype, true), to = target_in_order(out, x.dtype, true);
  const ImagePick p{x.size(2),   x.size(3),  x.size(1), rows.index.data(), columns.index.data(),
                    out.size(2), out.size(3)};
  {
    Unlocked unlocked(out.numel);
    with_size(item_size(x.dtype), [&]<class T>() {
      const auto* from = static_cast<const T*>(in->raw());
      auto* picked = static_cast<T*>(to->raw());
      parallel_for(x.size(0) * p.out_height, plane_grain(p.out_width * p.channels),
                   [&](int64_t begin, int64_t end) { pick_rows(p, from, picked, begin, end); });
    });
  }
  if (to.get() != &out) copy_into(out, *to);
}

// _resize(input, mode, size, scales, align, antialias, kept): `kept` is the dtype that PyTorch
// keeps the weights in, if it is not the one that is computed in.
void resize_run(Call& c) {
  const Tensor& x = c.tensor(0);
  const bool exact = resizing(c, 0, Way::Forward).is_nearest();
  if (exact && x.ndim == 4 && c.out(0).numel && varies_channels_first(x)) return pick_image(c);
  const DType compute = exact ? x.dtype : widened(x.dtype);
  const bool bits = exact && compute != DType::F32 && compute != DType::F64;
  run_steps(c, compute, Way::Forward, [&](const Step& step, const void* in, void* out) {
    const auto& [r, l] = step;
    if (bits || (exact && l.inner > 1)) return pick_lines(r, item_size(compute), l, in, out);
    dispatch_inexact(c, compute, [&]<class T, class R>() {
      Taps<R> t(r);
      if (c.has(6)) keep_weights(t, c.arg(6).dtype);
      resize_lines<T, R>(std::move(t), l, static_cast<const T*>(in), static_cast<T*>(out));
    });
  });
}

// _resize_back(grad, mode, size, scales, align, antialias): the adjoint, with its input's size
void back_run(Call& c) {
  const DType compute = widened(c.tensor(0).dtype);
  run_steps(c, compute, Way::Adjoint, [&](const Step& step, const void* in, void* out) {
    dispatch_inexact(c, compute, [&]<class T, class R>() {
      const Table<R> table = by_inputs<R>(Taps<R>(step.resizing), step.lines.outputs);
      mix<T, R>(table, step.lines, static_cast<const T*>(in), static_cast<T*>(out));
    });
  });
}

RL_ISA_KERNEL("_resize", resample_infer, resize_run);
RL_ISA_KERNEL("_resize_back", resample_infer, back_run);

}  // namespace
}  // namespace RL_ISA_NS
}  // namespace rl
