// Distinct elements: _unique(self, inverse, counts) sorts them, _unique_consecutive only merges
// neighbours, _unique_rows(self, consecutive) does either for the rows of a matrix. All give the
// kept elements, for every input element the place of its value among them, and how often each
// occurs. Two NaNs are different, as they compare.
#include <algorithm>
#include <limits>
#include <numeric>

#include "kernels/sort_radix.h"

namespace rl {
namespace {

using Positions = std::vector<int64_t>;

// The outputs: values are those of the elements at `starts`, positions in an order in which equal
// elements are neighbours; `inverse` and `counts` are empty where they were not asked for.
struct Runs {
  Positions starts;  // and the number of elements
  Ref<Tensor> inverse;
};

// `at(i)` is the position of the i-th element in order, `is_new(i)` whether it differs from the one
// before it. Every i is written, as no branch could foresee which begin a run.
template <class At, class IsNew>
Runs runs_of(int64_t n, bool inverse, At&& at, IsNew&& is_new) {
  Runs runs{Positions(static_cast<size_t>(n) + 1), empty(SizeVec{inverse ? n : 0}, DType::I64)};
  int64_t *starts = runs.starts.data(), *places = runs.inverse->data<int64_t>(), kept = 0;
  for (int64_t i = 0; i < n; ++i) {
    const bool is_first = i == 0 || is_new(i);
    kept += is_first;
    // What is no start is overwritten by the next one.
    starts[is_first ? kept - 1 : kept] = i;
    if (inverse) places[at(i)] = kept - 1;
  }
  starts[kept] = n;
  runs.starts.resize(static_cast<size_t>(kept) + 1);
  return runs;
}

// Hands over the outputs; rows are `width` elements.
template <class At>
void finish(Call& c, const Tensor& x, Runs runs, bool rows, bool counted, At&& at) {
  const int64_t width = rows ? x.size(1) : 1;
  const int64_t kept = static_cast<int64_t>(runs.starts.size()) - 1;
  SizeVec sizes{kept};
  if (rows) sizes.push_back(width);
  Ref<Tensor> values = empty(sizes, x.dtype);
  Ref<Tensor> counts = empty(SizeVec{counted ? kept : 0}, DType::I64);
  const int64_t* starts = runs.starts.data();
  for (int64_t k = 0; k < counts->numel; ++k)
    counts->data<int64_t>()[k] = starts[k + 1] - starts[k];
  with_size(item_size(x.dtype), [&]<class U>() {
    const U* from = x.data<U>();
    U* to = values->data<U>();
    if (!rows)
      for (int64_t k = 0; k < kept; ++k) to[k] = from[at(starts[k])];
    else
      for (int64_t k = 0; k < kept; ++k)
        std::copy_n(from + at(starts[k]) * width, width, to + k * width);
  });
  c.set_out(0, std::move(values));
  c.set_out(1, std::move(runs.inverse));
  c.set_out(2, std::move(counts));
}

Positions in_order(int64_t n) {
  Positions order(static_cast<size_t>(n));
  std::iota(order.begin(), order.end(), 0);
  return order;
}

// The least and the largest of n >= 1 integers; what holds few values need not be read for them.
template <class T>
std::pair<T, T> range_of(const T* v, int64_t n) {
  if (sizeof(T) == 1) return {std::numeric_limits<T>::min(), std::numeric_limits<T>::max()};
  T low = v[0], high = v[0];
  for (int64_t i = 1; i < n; ++i) low = std::min(low, v[i]), high = std::max(high, v[i]);
  return {low, high};
}

// How often each slot occurs. Increments of one counter wait for each other: few have four.
template <class Slot>
Positions count_slots(int64_t n, size_t slots, const Slot& slot) {
  constexpr int64_t kCopies = 4;
  constexpr size_t kFew = 1024;
  Positions table(slots);
  int64_t i = 0;
  if (slots <= kFew) {
    int64_t copies[kCopies][kFew] = {};
    for (; i + kCopies <= n; i += kCopies)
      for (int64_t k = 0; k < kCopies; ++k) ++copies[k][slot(i + k)];
    for (size_t s = 0; s < slots; ++s)
      for (const auto& copy : copies) table[s] += copy[s];
  }
  for (; i < n; ++i) ++table[slot(i)];
  return table;
}

// Integers in a range hardly wider than they are many need no sort: a table of the range counts
// them. False, with nothing done, for others.
template <class T>
bool unique_by_table(Call& c, const Tensor& x) {
  auto* v = x.data<T>();
  const int64_t n = x.numel;
  if (n == 0) return false;
  const auto [low, high] = range_of(v, n);
  const uint64_t least = static_cast<uint64_t>(low);
  const uint64_t range = static_cast<uint64_t>(high) - least;
  if (range > static_cast<uint64_t>(n) + 4096) return false;
  auto slot = [v, least](int64_t i) { return static_cast<uint64_t>(v[i]) - least; };
  const Positions table = count_slots(n, range + 1, slot);
  Positions place(range + 1);
  int64_t kept = 0;
  for (size_t s = 0; s <= range; ++s) {
    place[s] = kept;
    kept += table[s] != 0;
  }
  Ref<Tensor> values = empty(SizeVec{kept}, x.dtype), count = empty(SizeVec{kept}, DType::I64);
  Ref<Tensor> inverse = empty(SizeVec{c.flag(1) ? n : 0}, DType::I64);
  for (size_t s = 0; s <= range; ++s) {
    if (table[s] == 0) continue;
    values->data<T>()[place[s]] = static_cast<T>(least + s);
    count->data<int64_t>()[place[s]] = table[s];
  }
  int64_t* to = inverse->data<int64_t>();
  for (int64_t i = 0; i < inverse->numel; ++i) to[i] = place[slot(i)];
  c.set_out(0, std::move(values));
  c.set_out(1, std::move(inverse));
  c.set_out(2, std::move(count));
  return true;
}

// _unique(self, inverse, counts): what is not asked for may stay empty.
void unique_run(Call& c) {
  Ref<Tensor> x = contiguous(c.tensor(0));
  const bool done = dispatch(x->dtype, [&]<class T>() {
    if constexpr (std::is_integral_v<T>) return unique_by_table<T>(c, *x);
    return false;
  });
  if (done) return;
  const int64_t n = x->numel;
  RL_CHECK(n <= kMaxLine, "unique: more than ", kMaxLine, " elements are not supported");
  with_keys("unique", x->dtype, [&]<class K>(ReadKeys<K> read) {
    SortScratch<K> scratch(n);
    const Ordered<K> order = [&] {
      Unlocked unlocked(n * 8);
      const auto* start = static_cast<const char*>(x->raw());
      return in_order(Keyed<K>{read, start, n, item_size(x->dtype)}, false, scratch);
    }();
    // Elements are equal when their keys are, but for NaNs, which share the last one.
    const bool with_nan = is_floating(x->dtype);
    auto at = [&](int64_t i) { return order.place(i); };
    auto key = [&](int64_t i) { return order[i].key(); };
    Runs runs = runs_of(n, c.flag(1), at, [&](int64_t i) {
      return (key(i) != key(i - 1)) | (with_nan & (key(i) == static_cast<K>(~K(0))));
    });
    finish(c, *x, std::move(runs), false, c.flag(2), at);
  });
}

// The first `count` elements of a line that was made long enough for any; most of a long one is not
// kept for a few.
Ref<Tensor> beginning(Ref<Tensor> line, int64_t count) {
  const int64_t sizes[1] = {count}, strides[1] = {1};
  Ref<Tensor> part = alias(*line, sizes, strides, 0);
  if (2 * count >= line->numel) return part;
  Ref<Tensor> out = empty(SizeVec{count}, line->dtype);
  copy_into(*out, *part);
  return out;
}

// _unique_consecutive(self, inverse, counts): what is not asked for stays empty.
template <class T>
void merge_neighbours(Call& c, const Tensor& x) {
  const T* v = x.data<T>();
  const int64_t n = x.numel;
  Ref<Tensor> values = empty(SizeVec{n}, x.dtype);
  Ref<Tensor> inverse = empty(SizeVec{c.flag(1) ? n : 0}, DType::I64);
  Ref<Tensor> counts = empty(SizeVec{c.flag(2) ? n : 0}, DType::I64);
  T* value = values->data<T>();
  int64_t* at = c.flag(1) ? inverse->data<int64_t>() : nullptr;
  int64_t* end = c.flag(2) ? counts->data<int64_t>() : nullptr;
  // Every element is written, as no branch could foresee which begin a run: the next that does
  // overwrites one that does not, and the last of a run leaves its end.
  int64_t runs = 0;
  for (int64_t i = 0; i < n; ++i) {
    value[runs] = v[i];
    runs += i == 0 || v[i] != v[i - 1];
    if (at) at[i] = runs - 1;
    if (end) end[runs - 1] = i + 1;
  }
  for (int64_t r = runs; end && --r > 0;) end[r] -= end[r - 1];
  c.set_out(0, beginning(std::move(values), runs));
  c.set_out(1, std::move(inverse));
  c.set_out(2, beginning(std::move(counts), c.flag(2) ? runs : 0));
}
void unique_consecutive_run(Call& c) {
  Ref<Tensor> x = contiguous(c.tensor(0));
  dispatch(x->dtype, [&]<class T>() { merge_neighbours<T>(c, *x); });
}

// Rows of a matrix, read as its dtype by the two functions, so that one sort and one walk
// serve every dtype.
struct Rows {
  const char* x;
  int64_t bytes, width;  // of a row, in bytes and in elements
  bool (*less)(const void* a, const void* b, int64_t width) = nullptr;
  bool (*differ)(const void* a, const void* b, int64_t width) = nullptr;
  const char* row(int64_t i) const { return x + i * bytes; }
};
template <class T>
bool row_less(const void* a, const void* b, int64_t width) {
  auto *x = static_cast<const T*>(a), *y = static_cast<const T*>(b);
  for (int64_t k = 0; k < width; ++k)
    if (auto p = key_of(x[k]), q = key_of(y[k]); p != q) return p < q;
  return false;
}
template <class T>
bool rows_differ(const void* a, const void* b, int64_t width) {
  auto *x = static_cast<const T*>(a), *y = static_cast<const T*>(b);
  for (int64_t k = 0; k < width; ++k)
    if (x[k] != y[k]) return true;
  return false;
}

// _unique_rows(self (n, m), consecutive)
void unique_rows_run(Call& c) {
  Ref<Tensor> x = contiguous(c.tensor(0));
  RL_CHECK(x->ndim == 2, "_unique_rows: expected a matrix, got ", x->sizes());
  Rows rows{static_cast<const char*>(x->raw()), x->size(1) * item_size(x->dtype), x->size(1)};
  with_ordered("unique_dim", x->dtype, [&]<class T>() {
    rows.less = row_less<T>;
    rows.differ = rows_differ<T>;
  });
  Positions order = in_order(x->size(0));
  if (!c.flag(1))
    std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
      return rows.less(rows.row(a), rows.row(b), rows.width);
    });
  auto at = [&](int64_t i) { return order[static_cast<size_t>(i)]; };
  Runs runs = runs_of(x->size(0), true, at, [&](int64_t i) {
    return rows.differ(rows.row(at(i - 1)), rows.row(at(i)), rows.width);
  });
  finish(c, *x, std::move(runs), true, true, at);
}

RL_DYNAMIC("_unique", unique_run);
RL_DYNAMIC("_unique_consecutive", unique_consecutive_run);
RL_DYNAMIC("_unique_rows", unique_rows_run);

}  // namespace
}  // namespace rl
