// topk: the first few of each line in order. Where elements are equal, those that the standard
// library's selection would give, which PyTorch takes; everything faster is for lines where that
// does not matter, or has the same result.
#include "kernels/sort_few.h"
#include "kernels/sort_select.h"

namespace rl {
namespace RL_ISA_NS {
namespace {

// The k first in order: a bounded pool of candidates that shrinks whenever it is full, so most
// elements cost one comparison with the pool's current bound. False as top_few.
template <class K>
bool top_pool(const Line<K>& l, int64_t k, bool largest, EntryOf<K>* pool) {
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

template <class K>
bool top_line(const Line<K>& l, int64_t k, bool largest, EntryOf<K>* pool) {
  if (k > 0 && k <= kFew) return top_few(l, k, largest, pool);
  return k > 0 && k <= kSome && 8 * k <= l.n ? top_some(l, k, largest, pool)
                                             : top_pool(l, k, largest, pool);
}

// Of keys alone, positions aside.
struct KeyBefore {
  template <class E>
  bool operator()(const E& a, const E& b) const {
    return a.key() < b.key();
  }
};

// The standard library's partial sort, which keeps the first of what it has seen in a heap: runs of
// keys that do not get into it are passed over. False, with nothing put, where many do.
template <class K>
[[gnu::noinline]] bool top_by_heap(const Line<K>& l, int64_t k, bool largest, EntryOf<K>* heap) {
  int64_t changes = 64 + 16 * k;
  l.each_run(
      [&](const K* keys, int64_t first, int64_t n) {
        K least = ~K(0);
        for (int64_t j = 0; j < n; ++j) least = keys[j] < least ? keys[j] : least;
        if (first >= k && least >= heap[0].key()) return;
        for (int64_t j = 0; changes && j < n; ++j) {
          const int64_t i = first + j;
          if (i < k) heap[i] = EntryOf<K>::make(keys[j], i);
          if (i + 1 == k) std::make_heap(heap, heap + k, KeyBefore());
          if (i < k || keys[j] >= heap[0].key()) continue;
          heap[k] = EntryOf<K>::make(keys[j], i);
          std::pop_heap(heap, heap + k + 1, KeyBefore());
          --changes;
        }
      },
      largest);
  if (!changes) return false;
  std::sort_heap(heap, heap + k, KeyBefore());
  for (int64_t j = 0; j < k; ++j) l.put(j, heap[j].index());
  return true;
}

// Does the library's way to the first k of n elements keep a heap?
bool takes_heap(int64_t k, int64_t n) { return k * 64 <= n; }

// The same by the standard library's selection, which knows nothing of positions: programs whose
// elements are equal get those that PyTorch gives them, who selects like this.
template <class K>
[[gnu::noinline]] void top_of_equals(const Line<K>& l, int64_t k, bool largest, EntryOf<K>* e) {
  constexpr KeyBefore before;
  l.entries(largest, e);
  if (takes_heap(k, l.n)) {
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
  if (k > 0 && takes_heap(k, l.n) && top_by_heap(l, k, largest, e)) return;
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

RL_ISA_KERNEL("topk", topk_infer, topk_run);

}  // namespace
}  // namespace RL_ISA_NS
}  // namespace rl
