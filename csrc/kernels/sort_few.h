// The choice of the first few elements of a line in order, by vectors: a bound that all of them are
// within, then the ranks of what is left. Longer choices are in sort_top.cpp. Included by it alone,
// compiled once per level.
#pragma once
#include <algorithm>
#include <cstring>

#include "kernels/sort_lines.h"
#include "kernels/vectors.h"

namespace rl {
namespace RL_ISA_NS {
namespace {

// Shared by the dtypes of one width of key (hence not inlined).
template <class E>
[[gnu::noinline]] void first_k(E* pool, int64_t k, int64_t n) {
  if (k > 0 && k < n) std::nth_element(pool, pool + k - 1, pool + n);
  std::sort(pool, pool + k);
}
template <class Entries>
bool has_equals(const Entries& e, int64_t n) {
  for (int64_t j = 1; j < n; ++j)
    if (e[j].key() == e[j - 1].key()) return true;
  return false;
}

constexpr int64_t kFew = 16;

// rank[i] = how many of x[0] to x[n - 1] are smaller than x[i], for all i below `end`, whole
// vectors.
template <class U>
void count_smaller(const U* x, int64_t n, int64_t end, U* rank) {
  for (int64_t i = 0; i < end; i += kLanes<U>) {
    auto value = load_vector(x + i), count = value ^ value;
    for (int64_t j = 0; j < n; ++j) count -= (decltype(value))(value > x[j]);
    store_vector(rank + i, count);
  }
}

// Keys of a line, some runs at once; what fills the last run up comes last in order.
template <class K>
struct KeyBlock {
  static constexpr int64_t kKeys = 8 * kKeyRun;
  K keys[kKeys];

  // f(keys, position of the first, count) for all runs, read unless they are here from the last
  // time.
  template <class F>
  void each_run(const Line<K>& l, bool largest, bool again, F f) {
    for (int64_t i = 0; i < l.n; i += kKeys) {
      const int64_t count = std::min(kKeys, l.n - i);
      const int64_t end = (count + kKeyRun - 1) / kKeyRun * kKeyRun;
      if (!again || l.n > kKeys) {
        l.keys(i, count, largest, keys);
        std::fill(keys + count, keys + end, ~K(0));
      }
      for (int64_t j = 0; j < end; j += kKeyRun) f(keys + j, i + j, std::min(kKeyRun, count - j));
    }
  }
};

// What the first `k` in order cannot be beyond, k at most kFew: the k-th of the firsts of kKeyRun
// sets, one of which has each kKeyRun-th element. All by vectors: ranks are counted.
template <class K>
K bound_of_few(const Line<K>& l, int64_t k, bool largest, KeyBlock<K>& block) {
  K first[kKeyRun], rank[kKeyRun], bound = 0;
  std::fill_n(first, kKeyRun, ~K(0));
  block.each_run(l, largest, false, [&](const K* keys, int64_t, int64_t) {
    for (int64_t j = 0; j < kKeyRun; ++j) first[j] = keys[j] < first[j] ? keys[j] : first[j];
  });
  if (k == 1) {
    K least = ~K(0);
    for (int64_t i = 0; i < kKeyRun; ++i) least = first[i] < least ? first[i] : least;
    return least;
  }
  int64_t sets = kKeyRun;
  if (k <= kKeyRun / 3)  // fewer are compared in less time, and leave not many candidates more
    for (int64_t j = (sets /= 2) - 1; j >= 0; --j)
      first[j] = first[j] < first[sets + j] ? first[j] : first[sets + j];
  count_smaller(first, sets, sets, rank);
  for (int64_t i = 0; i < sets; ++i) {
    K value = first[i] & (K(0) - K(rank[i] < static_cast<K>(k)));
    bound = bound > value ? bound : value;
  }
  return bound;
}

// The first `m` of n entries, in order: of a few packed ones by their ranks, which no branch
// predictor has to foresee.
template <class E>
[[gnu::noinline]] void first_of_candidates(E* e, int64_t m, int64_t n) {
  constexpr int64_t kRanked = 64, kTogether = 8;
  if (n == 1) return;
  if constexpr (sizeof(E) == sizeof(uint64_t)) {
    if (n <= kRanked) {
      uint64_t words[kRanked], rank[kRanked];
      const int64_t end = (n + kTogether - 1) / kTogether * kTogether;
      std::memcpy(words, e, static_cast<size_t>(n) * sizeof(E));
      std::fill(words + n, words + end, ~uint64_t{0});
      count_smaller(words, n, end, rank);
      for (int64_t i = 0; i < n; ++i) e[rank[i]] = {words[i]};
      return;
    }
  }
  first_k(e, m, n);
}

// Writes entries of the keys that are within the bound, and tells how many. A function of its own:
// inlined into long ones, it would count in memory.
template <class K>
[[gnu::noinline]] int64_t keep_within(const K* keys, int64_t first, int64_t n, K bound,
                                      EntryOf<K>* to) {
  int64_t kept = 0;
  for (int64_t j = 0; j < n; ++j) {
    to[kept] = EntryOf<K>::make(keys[j], first + j);
    kept += keys[j] <= bound;
  }
  return kept;
}

// More candidates than this are taken for equal ones, of which it matters which come first.
constexpr int64_t most_candidates(int64_t k) { return 64 + 2 * k; }

// The k first in order for a small k. False if elements are equal and it matters which come first,
// or may be.
template <class K>
bool top_few(const Line<K>& l, int64_t k, bool largest, EntryOf<K>* pool) {
  KeyBlock<K> block;
  const K bound = bound_of_few(l, k, largest, block);
  int64_t filled = 0;
  block.each_run(l, largest, true, [&](const K* keys, int64_t first, int64_t n) {
    K least = ~K(0);
    for (int64_t j = 0; j < kKeyRun; ++j) least = keys[j] < least ? keys[j] : least;
    if (least <= bound) filled += keep_within(keys, first, n, bound, pool + filled);
  });
  if (filled > most_candidates(k)) return false;
  const int64_t chosen = std::min(k + 1, filled);  // one more tells whether it equals the last
  first_of_candidates(pool, chosen, filled);
  for (int64_t j = 0; j < k; ++j) l.put(j, pool[j].index());
  return !has_equals(pool, chosen);
}

// The same for more, of which a line has many times as many: with more sets, which follow each
// other in the line's order.
constexpr int64_t kSome = 256;
template <class K>
bool top_some(const Line<K>& l, int64_t k, bool largest, EntryOf<K>* pool) {
  constexpr int64_t kSets = 4 * kSome;
  const auto sets = static_cast<int64_t>(std::bit_floor(static_cast<uint64_t>(4 * k)));
  K first[kSets], keys[kKeyRun];
  std::fill_n(first, sets, ~K(0));
  for (int64_t i = 0, n; i < l.n; i += n) {
    n = std::min(kKeyRun, l.n - i);
    l.keys(i, n, largest, keys);
    K* to = first + i % sets;
    for (int64_t j = 0; j < n; ++j) to[j] = keys[j] < to[j] ? keys[j] : to[j];
  }
  std::nth_element(first, first + k - 1, first + sets);
  int64_t filled = 0;
  for (int64_t i = 0, n; i < l.n; i += n) {
    n = std::min(kKeyRun, l.n - i);
    l.keys(i, n, largest, keys);
    filled += keep_within(keys, i, n, first[k - 1], pool + filled);
  }
  if (filled > most_candidates(k)) return false;
  const int64_t chosen = std::min(k + 1, filled);
  first_k(pool, chosen, filled);
  for (int64_t j = 0; j < k; ++j) l.put(j, pool[j].index());
  return !has_equals(pool, chosen);
}

}  // namespace
}  // namespace RL_ISA_NS
}  // namespace rl
