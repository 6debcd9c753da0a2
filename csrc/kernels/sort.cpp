// Order along one dimension: sort, topk, kthvalue, median, nanmedian, mode. Each works line by
// line on entries (sort_keys.h) and then reads the values by position.
// To add one: a function from a line to output elements, and infer/run below.
#include <limits>

#include "kernels/sort_few.h"
#include "kernels/sort_operands.h"
#include "kernels/sort_radix.h"
#include "kernels/sort_select.h"
#include "plan/blocks.h"

namespace rl {
namespace RL_ISA_NS {
namespace {

// ---- many short lines at once: a network of comparisons, the same whatever the elements are, so
// that no branch is mispredicted; each comparison is made for kAbreast lines in a row. The words
// of their entries j begin at [j * kRow<K>]: those of packed ones, or all keys and all positions.
constexpr int64_t kAbreast = 16;
template <class K>
constexpr int64_t kRow = kAbreast * sizeof(EntryOf<K>) / sizeof(uint64_t);
// Where a network costs less than a radix sort: what has no comparison of unsigned words makes one.
constexpr int64_t kNetworkLine = kVectorBytes >= 64 ? 1024 : kVectorBytes >= 32 ? 256 : 128;
// Vectors of 32 bytes need twice as many steps for wide entries, whose radix sort costs hardly more
// than that of narrow ones.
int64_t network_line(DType d) {
  constexpr int64_t kWideLine = kVectorBytes == 32 ? 160 : kNetworkLine;
  return item_size(d) > 4 ? kWideLine : kNetworkLine;
}

template <class K>
inline void compare_exchange(uint64_t* a, uint64_t* b) {
#pragma GCC unroll 16
  for (int64_t i = 0; i < kAbreast; i += kLanes<uint64_t>) {
    auto x = load_vector(a + i), y = load_vector(b + i);
    auto swaps = y < x;
    if constexpr (sizeof(K) == sizeof(uint64_t)) {
      auto x_at = load_vector(a + kAbreast + i), y_at = load_vector(b + kAbreast + i);
      swaps |= (y == x) & (y_at < x_at);
      store_vector(a + kAbreast + i, swaps ? y_at : x_at);
      store_vector(b + kAbreast + i, swaps ? x_at : y_at);
    }
    store_vector(a + i, swaps ? y : x);
    store_vector(b + i, swaps ? x : y);
  }
}

// Batcher's odd-even merge sort, for any n.
template <class K>
void sort_abreast(uint64_t* e, int64_t n) {
  for (int64_t p = 1; p < n; p *= 2)
    for (int64_t k = p; k >= 1; k /= 2)
      for (int64_t j = k % p; j + k < n; j += 2 * k)
        for (int64_t i = j; i < std::min(j + k, n - k); ++i)
          if ((i ^ (i + k)) < 2 * p)  // both are of one merge
            compare_exchange<K>(e + i * kRow<K>, e + (i + k) * kRow<K>);
}

// ---- one line
// Algorithms on entries, shared by the dtypes of one width of key (hence not inlined).
template <class E>
[[gnu::noinline]] void select(E* e, int64_t k, int64_t n) {
  std::nth_element(e, e + k, e + n);
}

// The k first in order: a bounded pool of candidates that shrinks whenever it is full, so most
// elements cost one comparison with the pool's current bound. False as above.
template <class K>
bool top_line(const Line<K>& l, int64_t k, bool largest, EntryOf<K>* pool) {
  if (k > 0 && k <= kFew) return top_few(l, k, largest, pool);
  K bound = ~K(0), left_out = ~K(0), keys[kKeyRun];
  auto leave_out = [&](int64_t n) {  // all but the first k
    for (int64_t j = k; j < n; ++j)
      if (pool[j].key() == pool[k - 1].key()) left_out = pool[j].key();
  };
  int64_t capacity = std::min(l.n, k + std::max<int64_t>(k, 24)), filled = 0;
  for (int64_t i = 0; i < l.n; i += kKeyRun) {
    int64_t run = std::min(kKeyRun, l.n - i);
    l.keys(i, run, largest, keys);
    int candidates = 0;
    for (int64_t j = 0; run == kKeyRun && j < kKeyRun; ++j) candidates += keys[j] <= bound;
    if (run == kKeyRun && !candidates) continue;
    for (int64_t j = 0; j < run; ++j) {
      if (keys[j] > bound) continue;
      pool[filled++] = EntryOf<K>::make(keys[j], i + j);
      if (filled < capacity || k == 0 || filled <= k) continue;
      select(pool, k - 1, filled);
      leave_out(filled);
      filled = k;
      bound = pool[k - 1].key();
    }
  }
  first_k(pool, k, filled);
  for (int64_t j = 0; j < k; ++j) l.put(j, pool[j].index());
  if (k == 0) return true;
  leave_out(filled);
  return !has_equals(pool, k) && left_out != pool[k - 1].key();
}

// The same by the standard library's selection, which knows nothing of positions: programs whose
// elements are equal get those that PyTorch gives them, who selects like this.
template <class K>
[[gnu::noinline]] void top_of_equals(const Line<K>& l, int64_t k, bool largest, EntryOf<K>* e) {
  auto before = [](const EntryOf<K>& a, const EntryOf<K>& b) { return a.key() < b.key(); };
  l.entries(largest, e);
  if (k * 64 <= l.n) {
    std::partial_sort(e, e + k, e + l.n, before);
  } else {
    if (!select_place(e, k - 1, l.n, before)) {
      l.entries(largest, e);
      std::nth_element(e, e + k - 1, e + l.n, before);
    }
    std::sort(e, e + k - 1, before);
  }
  for (int64_t j = 0; j < k; ++j) l.put(j, e[j].index());
}

// The position of number k in order. In a long line the leading bits of the keys are counted, and
// only those that agree with it in them are candidates.
template <class K>
int64_t place_in_order(const Line<K>& l, int64_t k, EntryOf<K>* e) {
  constexpr int64_t kLong = 1024, kDigits = 2048;
  constexpr int kShift = 8 * sizeof(K) - std::countr_zero(uint64_t{kDigits});
  int64_t filled = 0, digit = 0;
  if (l.n < kLong) {
    l.entries(false, e), filled = l.n;
  } else {
    int64_t count[kDigits] = {};
    l.each_run([&](const K* keys, int64_t, int64_t n) {
      for (int64_t j = 0; j < n; ++j) ++count[keys[j] >> kShift];
    });
    for (; k >= count[digit]; ++digit) k -= count[digit];
    l.each_run([&](const K* keys, int64_t first, int64_t n) {
      int agree = 0;
      for (int64_t j = 0; j < n; ++j) agree += keys[j] >> kShift == K(digit);
      for (int64_t j = 0; agree && j < n; ++j)
        if (keys[j] >> kShift == K(digit)) e[filled++] = EntryOf<K>::make(keys[j], first + j);
    });
  }
  select(e, k, filled);
  return e[k].index();
}

template <class K>
void kth_line(const Line<K>& l, int64_t k, EntryOf<K>* e) {
  l.put(0, place_in_order(l, k, e));
}

// Of n elements, in order with `nans` NaN at the end, the lower median or the first NaN.
int64_t median_place(int64_t n, int64_t nans, bool skip_nan) {
  return nans && (!skip_nan || nans == n) ? n - nans : (n - nans - 1) / 2;
}

// The lower median. NaN (the largest key of a floating dtype) wins over everything, unless it is
// to be left out.
template <class K>
void median_line(const Line<K>& l, bool has_nan, bool skip_nan, EntryOf<K>* e) {
  int64_t nans = 0, first_nan = l.n;
  auto count_nans = [&](const K* keys, int64_t first, int64_t n) {
    int64_t before = nans;
    for (int64_t j = 0; j < n; ++j) nans += keys[j] == ~K(0);
    for (int64_t j = 0; !before && nans && first_nan == l.n; ++j)
      if (keys[j] == ~K(0)) first_nan = first + j;
  };
  if (has_nan) l.each_run(count_nans);
  int64_t k = median_place(l.n, nans, skip_nan);
  l.put(0, k == l.n - nans ? first_nan : place_in_order(l, k, e));
}

// The most frequent value of sorted entries, the smallest of several, at its last position.
template <class Entries>
int64_t mode_place(const Entries& e, int64_t n) {
  int64_t best = 0, best_run = 0, run = 0;
  auto before = e[0].key();
  for (int64_t i = 0; i < n; ++i) {
    const auto key = e[i].key();
    run = key == before ? run + 1 : 1;
    before = key;
    if (run > best_run) best_run = run, best = i;
  }
  return best;
}
template <class K>
void mode_line(const Line<K>& l, SortScratch<K>& s) {
  const Ordered<K> sorted = in_order<K>(l, false, s);
  l.put(0, sorted.place(mode_place(sorted, l.n)));
}

// --- infer and run
void two_outputs(Call& c, Sizes sizes) {
  DType d = c.tensor(0).dtype;
  if (is_complex(d)) fail(c.op, ": complex numbers have no order, got ", d);
  c.add_out(sizes, d);
  c.add_out(sizes, DType::I64);
}

// The values at the m chosen positions of each of some lines; these, and those, follow each other.
using TakeValues = void (*)(const void* x, int64_t n, const int64_t* indices, int64_t lines,
                            int64_t m, void* values);
template <class U>
void take_part(const U* from, const int64_t* indices, int64_t begin, int64_t end, U* to) {
  for (int64_t j = begin; j < end; ++j) to[j] = from[indices[j]];
}
template <class U>
void take_values(const void* x, int64_t n, const int64_t* indices, int64_t lines, int64_t m,
                 void* values) {
  auto* from = static_cast<const U*>(x);
  auto* to = static_cast<U*>(values);
  for (int64_t i = 0; i < lines; ++i, from += n, to += m, indices += m)
    Parts(m).each(
        [=](int64_t, int64_t begin, int64_t end) { take_part(from, indices, begin, end, to); });
}

TakeValues values_taker(DType d) {
  TakeValues take = nullptr;
  with_size(item_size(d), [&]<class U>() { take = take_values<U>; });
  return take;
}

// The words of a line that a network sorts.
template <class K, class Word = const uint64_t>
struct NetworkLine {
  Word* words;
  int64_t n;
  EntryOf<K> operator[](int64_t j) const {
    if constexpr (kRow<K> == kAbreast)
      return {words[j * kAbreast]};
    else
      return {words[j * kRow<K>], words[j * kRow<K> + kAbreast]};
  }
  void set(int64_t j, K key) const {
    if constexpr (kRow<K> == kAbreast)
      words[j * kAbreast] = PackedEntry::make(key, j).word;
    else
      words[j * kRow<K>] = key, words[j * kRow<K> + kAbreast] = static_cast<uint64_t>(j);
  }
};

// Some lines and their results; what belongs to one of them follows that of the one before.
struct LineBlock {
  const char* x;
  int64_t lines;
  char* values;
  int64_t* indices;
};

// The lines of a row-major tensor, `kept` results of each, and where these go.
struct LinesWork {
  const Tensor& x;
  Lines l;
  int64_t kept;
  Tensor &values, &indices;
  int64_t item = item_size(x.dtype);

  // f(block) for the lines [begin, end), whose values it leaves to be taken.
  template <class F>
  void each_block(int64_t begin, int64_t end, const F& f) const {
    const TakeValues take = values_taker(x.dtype);
    auto choose = [&](const LineBlock& b) {
      f(b);
      take(b.x, l.size, b.indices, b.lines, kept, b.values);
    };
    if (l.inner > 1) return each_gathered(begin, end, choose);
    for (int64_t i = begin, lines; i < end; i += lines) {
      lines = std::min(kAbreast, end - i);
      choose({static_cast<const char*>(x.raw()) + i * l.size * item, lines,
              static_cast<char*>(values.raw()) + i * kept * item,
              indices.data<int64_t>() + i * kept});
    }
  }

 private:
  // Lines whose elements lie apart: neighbours, which share the lines of the caches, are copied.
  template <class F>
  void each_gathered(int64_t begin, int64_t end, const F& choose) const {
    constexpr int64_t kMost = 1 << 17, kFewest = 4;
    const int64_t most = std::min(std::clamp(kMost / l.size, kFewest, kAbreast), end - begin);
    Scratch<char> gathered(most * l.size * item), taken(most * kept * item);
    Scratch<int64_t> chosen(most * kept);
    const int64_t place = sizeof(int64_t);
    for (int64_t i = begin, lines; i < end; i += lines) {
      lines = std::min({most, end - i, l.inner - i % l.inner});
      mover(item)(gathered.data(), static_cast<const char*>(x.raw()) + l.start(i) * item, lines,
                  l.size, {l.size * item, item}, {item, l.inner * item});
      choose({gathered.data(), lines, taken.data(), chosen.data()});
      const int64_t at = Lines{l.outer, kept, l.inner}.start(i);
      mover(item)(static_cast<char*>(values.raw()) + at * item, taken.data(), kept, lines,
                  {l.inner * item, item}, {item, kept * item});
      mover(place)(reinterpret_cast<char*>(indices.data<int64_t>() + at),
                   reinterpret_cast<const char*>(chosen.data()), kept, lines,
                   {l.inner * place, place}, {place, kept * place});
    }
  }
};

// The work of an op: its outputs have `kept` elements for its dimension.
LinesWork work_of(const OrderOperands& o, int64_t kept) {
  return {*o.x, o.lines(), kept, *o.values, o.indices};
}

template <class K>
bool are_in_order(const K* keys, int64_t lines, int64_t n) {
  for (int64_t i = 0; i < lines; ++i, keys += n) {
    bool turns = false;
    for (int64_t j = 0; j + 1 < n; ++j) turns |= keys[j + 1] < keys[j];
    if (turns) return false;
  }
  return true;
}

// Sorts lines kAbreast at a time by a network; choose(sorted, line) puts what is kept of each.
template <class K, class Choose>
void choose_in_short_lines(const LinesWork& w, ReadKeys<K> read, bool reverse, int64_t begin,
                           int64_t end, const Choose& choose) {
  const int64_t n = w.l.size;
  Scratch<K> keys(kAbreast * n);
  std::vector<uint64_t> words(static_cast<size_t>(kRow<K> * n));
  w.each_block(begin, end, [&](const LineBlock& b) {
    read(b.x, b.lines * n, reverse ? ~K(0) : K(0), keys.data());
    for (int64_t j = 0; j < n; ++j)
      for (int64_t i = 0; i < b.lines; ++i)
        NetworkLine<K, uint64_t>{words.data() + i, n}.set(j, keys.data()[i * n + j]);
    if (!are_in_order(keys.data(), b.lines, n)) sort_abreast<K>(words.data(), n);
    for (int64_t i = 0; i < b.lines; ++i)
      choose(NetworkLine<K>{words.data() + i, n},
             Line<K>{{read, b.x + i * n * w.item, n, w.item}, b.indices + i * w.kept});
  });
}

// The same for all lines, if these are many, short ones; false if they are others.
template <class Choose>
bool choose_by_network(const OrderOperands& o, int64_t longest, bool reverse, int64_t kept,
                       const Choose& choose) {
  const Lines l = o.lines();
  if (l.size > longest || l.count() < kAbreast / 2) return false;
  with_keys(o.op, o.x->dtype, [&]<class K>(ReadKeys<K> read) {
    const LinesWork w = work_of(o, kept);
    Unlocked unlocked(o.x->numel * 8);
    parallel_for(l.count(), line_grain(l, 8), [&](int64_t begin, int64_t end) {
      choose_in_short_lines(w, read, reverse, begin, end, choose);
    });
  });
  return true;
}

void check_length(const char* op, int64_t n) {
  RL_CHECK(n <= kMaxLine, op, ": lines of more than ", kMaxLine, " elements are not supported");
}

// Calls f(line, pool of entries, scratch) for every line.
template <class K, class F>
void each_line(const LinesWork& w, ReadKeys<K> read, F&& f) {
  const int64_t n = w.l.size;
  parallel_for(w.l.count(), line_grain(w.l, 8), [&](int64_t begin, int64_t end) {
    Scratch<EntryOf<K>> pool(n);
    SortScratch<K> scratch(n);
    w.each_block(begin, end, [&](const LineBlock& b) {
      for (int64_t i = 0; i < b.lines; ++i)
        f(Line<K>{{read, b.x + i * n * w.item, n, w.item}, b.indices + i * w.kept}, pool.data(),
          scratch);
    });
  });
}

// Runs `f` on the lines of the input.
template <class F>
void run_lines(const OrderOperands& o, int64_t kept, F&& f) {
  check_length(o.op, o.lines().size);
  Unlocked unlocked(o.x->numel * 8);
  with_keys(o.op, o.x->dtype, [&](auto read) { each_line(work_of(o, kept), read, f); });
}

// sort(self, dim, descending) and sort.stable(self, stable, dim, descending): always stable
template <int Dim>
void sort_infer(Call& c) {
  dim_of(c, Dim);
  two_outputs(c, c.tensor(0).sizes());
}
// Bools: those that come first and the others, each in their order.
template <class Step>
void sort_bool_line(const bool* x, bool* values, int64_t* indices, int64_t n, Step step,
                    bool descending) {
  int64_t first = 0;
  for (int64_t j = 0; j < n; ++j) first += x[j * step] == descending;
  for (int64_t j = 0, front = 0, back = first; j < n; ++j) {
    int64_t before = x[j * step] == descending;
    indices[(back + (front - back) * before) * step] = j;  // no branch could foresee x
    front += before, back += 1 - before;
  }
  for (int64_t j = 0; j < n; ++j) values[j * step] = (j < first) == descending;
}
// False for other dtypes.
bool sort_bools(Call& c, int dim, bool descending) {
  if (c.tensor(0).dtype != DType::Bool) return false;
  Ref<Tensor> t = contiguous(c.tensor(0));
  Lines l = lines_of(*t, dim);
  Unlocked unlocked(t->numel);
  parallel_for(l.count(), line_grain(l, 2), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      int64_t at = l.start(i);
      auto sort = [&](auto step) {
        sort_bool_line(t->data<bool>() + at, c.out(0).data<bool>() + at,
                       c.out(1).data<int64_t>() + at, l.size, step, descending);
      };
      l.inner == 1 ? sort(std::integral_constant<int64_t, 1>()) : sort(l.inner);
    }
  });
  return true;
}

// A line of bytes, which exclusive-or'ed with `flip` have the order of what they stand for.
void sort_byte_line(const uint8_t* x, uint8_t flip, int64_t n, uint8_t* values, int64_t* indices) {
  auto entry = [=](int64_t i) { return PackedEntry::make(uint8_t(x[i] ^ flip), i); };
  radix_pass(n, ByteDigit(), entry, indices);
  int64_t count[256] = {};
  for (int64_t j = 0; j < n; ++j) ++count[x[j] ^ flip];
  for (int v = 0; v < 256; values += count[v++]) std::fill_n(values, count[v], uint8_t(v ^ flip));
}
// False for other dtypes, and for lines that are not long or lie apart.
bool sort_bytes(Call& c, int dim, bool descending) {
  constexpr int64_t kLong = 1024;
  const DType d = c.tensor(0).dtype;
  if (d != DType::U8 && d != DType::I8) return false;
  const Lines l = lines_of(c.tensor(0), dim);
  if (l.size < kLong || l.inner != 1) return false;
  check_length(c.op, l.size);
  Ref<Tensor> t = contiguous(c.tensor(0));
  const auto flip = uint8_t((d == DType::I8 ? 0x80 : 0) ^ (descending ? 0xff : 0));
  Unlocked unlocked(t->numel);
  parallel_for(l.outer, line_grain(l, 2), [&](int64_t begin, int64_t end) {
    for (int64_t at = begin * l.size; at < end * l.size; at += l.size)
      sort_byte_line(static_cast<const uint8_t*>(t->raw()) + at, flip, l.size,
                     static_cast<uint8_t*>(c.out(0).raw()) + at, c.out(1).data<int64_t>() + at);
  });
  return true;
}

template <int Dim>
void sort_run(Call& c) {
  bool descending = c.flag(Dim + 1);
  const int dim = dim_of(c, Dim);
  if (sort_bools(c, dim, descending) || sort_bytes(c, dim, descending)) return;
  auto all = [](const auto& sorted, const auto& l) {
    for (int64_t j = 0; j < l.n; ++j) l.put(j, sorted[j].index());
  };
  const int64_t n = size_or_one(c.tensor(0), dim);
  with_order_operands(c, dim, [&](const OrderOperands& o) {
    if (choose_by_network(o, network_line(o.x->dtype), descending, n, all)) return;
    run_lines(o, n, [=]<class K>(const Line<K>& l, EntryOf<K>*, SortScratch<K>& s) {
      in_order<K>(l, descending, s, l.indices);
    });
  });
}

// topk(self, k, dim, largest, sorted): always sorted
void topk_infer(Call& c) {
  const Tensor& t = c.tensor(0);
  int dim = dim_of(c, 2);
  int64_t k = c.integer(1);
  RL_CHECK(k >= 0 && k <= size_or_one(t, dim), "topk: selected index k out of range: k is ", k,
           ", dimension ", dim, " has ", size_or_one(t, dim), " elements");
  SizeVec sizes(t.sizes().begin(), t.sizes().end());
  if (t.ndim) sizes[static_cast<size_t>(dim)] = k;
  two_outputs(c, sizes);
}
// A line after one with equal elements mostly has some, too: then the library's selection alone
// costs less than to find that out, and without any the result is the same. So it is for few
// integers, before whatever line.
constexpr int64_t kFewIntegers = 40;
template <class K>
void topk_line(const Line<K>& l, int64_t k, bool largest, EntryOf<K>* e, SortScratch<K>& s) {
  if (s.met_equals) {
    top_of_equals(l, k, largest, e);
    s.met_equals = has_equals(e, k);
    return;
  }
  if (k <= kFew || k * 4 < l.n) {
    if (top_line(l, k, largest, e)) return;
  } else {
    const Ordered<K> sorted = in_order<K>(l, largest, s);
    if (!has_equals(sorted, std::min(k + 1, l.n))) {
      for (int64_t j = 0; j < k; ++j) l.put(j, sorted.place(j));
      return;
    }
  }
  top_of_equals(l, k, largest, e);
  s.met_equals = true;
}
void topk_run(Call& c) {
  const int64_t k = c.integer(1);
  const bool largest = c.flag(3);
  auto first = [=]<class K>(const NetworkLine<K>& sorted, const Line<K>& l) {
    bool equals = false;
    for (int64_t j = 0; j < k; ++j) {
      l.put(j, sorted[j].index());
      equals |= j + 1 < l.n && sorted[j].key() == sorted[j + 1].key();
    }
    if (!equals) return;
    EntryOf<K> entries[kNetworkLine];
    top_of_equals(l, k, largest, entries);
  };
  // Where a network costs less than a search for some.
  const int64_t longest = k <= kFew ? 16 : std::min(kNetworkLine, 8 * k);
  const bool integers = is_integral(c.tensor(0).dtype);
  with_order_operands(c, dim_of(c, 2), [&](const OrderOperands& o) {
    if (choose_by_network(o, longest, largest, k, first)) return;
    if (integers && o.lines().size <= kFewIntegers)
      return run_lines(o, k, [=]<class K>(const Line<K>& l, EntryOf<K>* e, SortScratch<K>&) {
        top_of_equals(l, k, largest, e);
      });
    run_lines(o, k, [=]<class K>(const Line<K>& l, EntryOf<K>* e, SortScratch<K>& s) {
      topk_line(l, k, largest, e, s);
    });
  });
}

// One result per line: the dimension goes, or stays with size one.
void one_per_line(Call& c, int dim_arg) {
  const Tensor& t = c.tensor(0);
  int dim = dim_of(c, dim_arg);
  if (t.ndim && t.size(dim) == 0)
    fail(ErrorKind::Index, c.op, "(): Expected reduction dim ", dim, " to have non-zero size.");
  SizeVec sizes(t.sizes().begin(), t.sizes().end());
  if (t.ndim && c.flag(dim_arg + 1))
    sizes[static_cast<size_t>(dim)] = 1;
  else if (t.ndim)
    sizes.erase(sizes.begin() + dim);
  two_outputs(c, sizes);
}

// place(sorted) is the place in order of a line's result. False if the lines are no short ones.
template <class Place>
bool one_by_network(const OrderOperands& o, int64_t longest, const Place& place) {
  return choose_by_network(o, longest, false, 1, [&](const auto& sorted, const auto& l) {
    l.put(0, sorted[place(sorted)].index());
  });
}
constexpr int64_t kSelectLine = 32;  // where all order costs less than a part of it

// kthvalue(self, k, dim, keepdim)
void kthvalue_infer(Call& c) {
  one_per_line(c, 2);
  int64_t n = size_or_one(c.tensor(0), dim_of(c, 2)), k = c.integer(1);
  RL_CHECK(k >= 1 && k <= n, "kthvalue(): selected number k out of range for dimension ",
           dim_of(c, 2), ": k is ", k, ", the dimension has ", n, " elements");
}
void kthvalue_run(Call& c) {
  int64_t k = c.integer(1) - 1;
  with_order_operands(c, dim_of(c, 2), [&](const OrderOperands& o) {
    if (one_by_network(o, kSelectLine, [=](const auto&) { return k; })) return;
    run_lines(o, 1, [=]<class K>(const Line<K>& l, EntryOf<K>* e, SortScratch<K>&) {
      kth_line(l, k, e);
    });
  });
}

// median.dim(self, dim, keepdim), nanmedian.dim, mode
void median_infer(Call& c) {
  if (c.tensor(0).dtype == DType::Bool)
    fail(ErrorKind::NotImplemented, c.op, "(): not implemented for 'Bool'; convert the input");
  one_per_line(c, 1);
}
template <bool SkipNan>
void median_run(Call& c) {
  bool has_nan = is_inexact(c.tensor(0).dtype);
  auto place = [=]<class K>(const NetworkLine<K>& sorted) {
    int64_t nans = 0;
    while (has_nan && nans < sorted.n && sorted[sorted.n - 1 - nans].key() == ~K(0)) ++nans;
    return median_place(sorted.n, nans, SkipNan);
  };
  with_order_operands(c, dim_of(c, 1), [&](const OrderOperands& o) {
    if (one_by_network(o, kSelectLine, place)) return;
    run_lines(o, 1, [=]<class K>(const Line<K>& l, EntryOf<K>* e, SortScratch<K>&) {
      median_line(l, has_nan, SkipNan, e);
    });
  });
}
void mode_infer(Call& c) { one_per_line(c, 1); }
void mode_run(Call& c) {
  auto place = [](const auto& sorted) { return mode_place(sorted, sorted.n); };
  with_order_operands(c, dim_of(c, 1), [&](const OrderOperands& o) {
    if (one_by_network(o, network_line(o.x->dtype), place)) return;
    run_lines(o, 1,
              []<class K>(const Line<K>& l, EntryOf<K>*, SortScratch<K>& s) { mode_line(l, s); });
  });
}

RL_ISA_KERNEL("sort", sort_infer<1>, sort_run<1>);
RL_ISA_KERNEL("sort.stable", sort_infer<2>, sort_run<2>);
RL_ISA_KERNEL("topk", topk_infer, topk_run);
RL_ISA_KERNEL("kthvalue", kthvalue_infer, kthvalue_run);
RL_ISA_KERNEL("median.dim", median_infer, median_run<false>);
RL_ISA_KERNEL("nanmedian.dim", median_infer, median_run<true>);
RL_ISA_KERNEL("mode", mode_infer, mode_run);

}  // namespace
}  // namespace RL_ISA_NS
}  // namespace rl
