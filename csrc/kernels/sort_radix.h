// Sorting one line by the digits of its keys. Keys are taken from the least of them, so that only
// the bits in which they differ are sorted; of these the leading ones, some more than tell as many
// elements apart, by digits, and what agrees in these by comparing, mostly few. A long line splits
// over threads without changing the result.
#pragma once
#include <optional>
#include <utility>
#include <vector>

#include "core/allocator.h"
#include "kernels/sort_keys.h"

namespace rl {
namespace {

// Memory for sorting lines of up to n elements, taken when it is first needed.
template <class K>
class SortScratch {
 public:
  struct Memory {
    explicit Memory(int64_t n) : keys(n), entries(n), spare(n) {}
    Scratch<K> keys;
    Scratch<PackedEntry> entries, spare;
  };
  explicit SortScratch(int64_t n) : n_(n) {}
  const Memory& get() {
    if (!memory_) memory_.emplace(n_);
    return *memory_;
  }
  bool met_equals = false;  // in the line before, where the order of equal elements matters

 private:
  int64_t n_;
  std::optional<Memory> memory_;
};

// Elements in order. Those of wide keys have a part of these in their entries.
template <class K>
struct Ordered {
  const K* keys;
  const PackedEntry* entries;
  int64_t place(int64_t j) const { return entries[j].index(); }
  EntryOf<K> operator[](int64_t j) const {
    if constexpr (sizeof(K) == sizeof(uint32_t))
      return entries[j];
    else
      return EntryOf<K>::make(keys[place(j)], place(j));
  }
};

constexpr int kMaxDigit = 11;           // bits: what is counted for them fits the first cache
constexpr int64_t kPartOfLine = 65536;  // what pays for a thread

// Bits of a packed key's distance from the least one.
struct KeyDigit {
  uint32_t least;
  int shift, bits;
  int64_t values() const { return int64_t{1} << bits; }
  uint32_t operator()(PackedEntry e) const {
    return ((e.key() - least) >> shift) & ((uint32_t{1} << bits) - 1);
  }
};

struct ByteDigit {  // of keys that are no more
  static int64_t values() { return 256; }
  uint32_t operator()(PackedEntry e) const { return e.key(); }
};

// n entries in some parts, one for each thread that is free.
struct Parts {
  explicit Parts(int64_t n) : n(n), count(n < kPartOfLine || in_parallel() ? 1 : num_threads()) {}
  int64_t n, count;
  int64_t begin(int64_t part) const { return n * part / count; }
  template <class F>
  void each(F f) const {  // f(part, begin, end)
    parallel_for(count, 1, [&](int64_t b, int64_t e) {
      for (int64_t p = b; p < e; ++p) f(p, begin(p), begin(p + 1));
    });
  }
};

inline void put(PackedEntry e, PackedEntry& to) { to = e; }
inline void put(PackedEntry e, int64_t& to) { to = e.index(); }

// Loops of one part. They are given copies, which stay in registers: what a lambda has captured
// would be read again after each store.
template <class EntryAt, class Digit>
void count_digits(EntryAt entry, Digit digit, int64_t begin, int64_t end, uint32_t* count) {
  for (int64_t i = begin; i < end; ++i) ++count[digit(entry(i))];
}
template <class EntryAt, class Digit, class Out>
void move_by_digit(EntryAt entry, Digit digit, int64_t begin, int64_t end, uint32_t* next,
                   Out* to) {
  for (int64_t i = begin; i < end; ++i) {
    const PackedEntry e = entry(i);
    put(e, to[next[digit(e)]++]);
  }
}

// Counts, for each value of a digit and each part of a line, become where the first of these goes.
inline void places_of_counts(uint32_t* table, int64_t values, int64_t parts) {
  uint32_t total = 0;
  for (int64_t v = 0; v < values; ++v)
    for (int64_t p = 0; p < parts; ++p) total += std::exchange(table[p * values + v], total);
}

// One stable pass: entry(i) for all i below n, or their positions.
template <class EntryAt, class Digit, class Out>
void radix_pass(int64_t n, Digit digit, const EntryAt& entry, Out* to) {
  const Parts parts(n);
  const int64_t values = digit.values();
  uint32_t one_part[int64_t{1} << kMaxDigit], *table = one_part;
  std::vector<uint32_t> all_parts;
  if (parts.count == 1)
    std::fill_n(table, values, 0);
  else
    all_parts.resize(static_cast<size_t>(parts.count * values)), table = all_parts.data();
  parts.each([=](int64_t p, int64_t begin, int64_t end) {
    count_digits(entry, digit, begin, end, table + p * values);
  });
  if (parts.count == 1)
    places_of_counts(table, values, 1);  // a loop without another within
  else
    places_of_counts(table, values, parts.count);
  parts.each([=](int64_t p, int64_t begin, int64_t end) {
    move_by_digit(entry, digit, begin, end, table + p * values, to);
  });
}

// In which bits the distances of keys from the least one differ: [low, high).
template <class K>
struct KeyRange {
  K least;
  int low, high;
};
template <class K, class KeyAt>
KeyRange<K> range_of_keys(int64_t n, const KeyAt& key) {
  const K first = key(0);
  K least = first, most = first, differ = 0;
  for (int64_t i = 0; i < n; ++i) {
    const K k = key(i);
    least = k < least ? k : least;
    most = k > most ? k : most;
    differ |= k ^ first;
  }
  return {least, differ ? std::countr_zero(differ) : 0,
          static_cast<int>(std::bit_width(K(most - least)))};
}

// What is sorted by digits: all bits, if they fit the passes that enough of them take.
struct Passes {
  int low, high, bits;  // of a pass
  Passes(int64_t n, int bottom, int top) : high(top) {
    constexpr int kMore = 10;  // floats use some for few exponents
    const int all = top - bottom;
    const int enough = static_cast<int>(std::bit_width(static_cast<uint64_t>(n))) + kMore;
    const int count = (std::min(all, enough) + kMaxDigit - 1) / kMaxDigit;
    const int some = all <= count * kMaxDigit ? all : enough;
    bits = (some + count - 1) / count;
    low = top - std::min(all, count * bits);
  }
};

// Entries of one line, whose keys are at `keys`, sorted into one of two arrays of as many, or as
// positions. Those of wide keys have up to 32 bits of them.
template <class K>
class LineOrder {
 public:
  explicit LineOrder(const K* keys) : keys_(keys) {}
  // All n >= 1 of the line. If `places` are given, only these.
  const PackedEntry* sort(PackedEntry* e, PackedEntry* spare, int64_t n, int64_t* places) const {
    const K* keys = keys_;
    auto put_place = [=](int64_t j, int64_t i) {
      if (places)
        places[j] = i;
      else
        e[j] = packed(keys[i], i, 0, 0);
    };
    if (put_if_in_order(keys, n, put_place)) return e;
    const auto range = range_of_keys<K>(n, [=](int64_t i) { return keys[i]; });
    const int left_out = left_out_of(range);
    auto entry = [=](int64_t i) { return packed(keys[i], i, range.least, left_out); };
    return sort_entries(entry, range, e, spare, n, places);
  }

 private:
  static constexpr bool kWide = sizeof(K) > sizeof(uint32_t);
  static constexpr int64_t kCompared = 64;
  K key(PackedEntry e) const {
    if constexpr (kWide)
      return keys_[e.index()];
    else
      return e.key();
  }
  static int left_out_of(const KeyRange<K>& r) { return kWide ? std::max(r.low, r.high - 32) : 0; }
  static PackedEntry packed(K key, int64_t i, K least, int left_out) {
    return PackedEntry::make(static_cast<uint32_t>(kWide ? (key - least) >> left_out : key), i);
  }
  bool before(PackedEntry a, PackedEntry b) const {
    if constexpr (!kWide) return a < b;
    const K p = key(a), q = key(b);
    return p != q ? p < q : a.index() < b.index();
  }
  void compare_all(PackedEntry* e, int64_t n) const {
    if (n == 2 && before(e[1], e[0])) std::swap(e[0], e[1]);
    if (n > 2) std::sort(e, e + n, [this](auto a, auto b) { return before(a, b); });
  }
  // Entries that agree in the bits that they were sorted by, at most until all bits are used.
  PackedEntry* sort_run(PackedEntry* e, PackedEntry* spare, int64_t n) const {
    const auto range = range_of_keys<K>(n, [=, this](int64_t i) { return key(e[i]); });
    const int left_out = left_out_of(range);
    for (int64_t i = 0; kWide && i < n; ++i)
      e[i] = packed(key(e[i]), e[i].index(), range.least, left_out);
    return sort_entries([=](int64_t i) { return e[i]; }, range, e, spare, n, nullptr);
  }
  template <class EntryAt>
  PackedEntry* sort_entries(const EntryAt& entry, const KeyRange<K>& range, PackedEntry* e,
                            PackedEntry* spare, int64_t n, int64_t* places) const {
    const int left_out = left_out_of(range);
    if (range.high == 0 || n < kCompared) {
      for (int64_t i = 0; i < n; ++i) e[i] = entry(i);
      if (range.high) compare_all(e, n);
    } else {
      const Passes passes(n, std::max(range.low - left_out, 0), range.high - left_out);
      const bool all = passes.low + left_out <= range.low;
      const auto least = kWide ? 0 : static_cast<uint32_t>(range.least);
      sort_by_digits(entry, passes, least, e, spare, n, all ? places : nullptr);
      if (all && places) return nullptr;
      if (!all) sort_runs(e, spare, n, least, passes.low);
    }
    if (places) put_places(e, n, places);
    return e;
  }
  // Leaves what is sorted in e.
  template <class EntryAt>
  static void sort_by_digits(const EntryAt& entry, const Passes& p, uint32_t least, PackedEntry*& e,
                             PackedEntry*& spare, int64_t n, int64_t* places) {
    for (int shift = p.low; shift < p.high; shift += p.bits) {
      const KeyDigit digit{least, shift, std::min(p.bits, p.high - shift)};
      auto pass = [&](auto* to) {
        if (shift == p.low) return radix_pass(n, digit, entry, to);
        radix_pass(n, digit, [from = e](int64_t i) { return from[i]; }, to);
      };
      if (places && shift + p.bits >= p.high)
        pass(places);
      else
        pass(spare);
      std::swap(e, spare);
    }
  }
  void sort_runs(PackedEntry* e, PackedEntry* spare, int64_t n, uint32_t least, int low) const {
    auto leading = [=](int64_t i) { return (e[i].key() - least) >> low; };
    for (int64_t i = 0, end; i < n; i = end) {
      for (end = i + 1; end < n && leading(end) == leading(i);) ++end;
      if (end - i < kCompared) {
        compare_all(e + i, end - i);
        continue;
      }
      PackedEntry* run = sort_run(e + i, spare + i, end - i);
      if (run != e + i) std::copy_n(run, end - i, e + i);
    }
  }
  static void put_places(const PackedEntry* e, int64_t n, int64_t* places) {
    Parts(n).each([=](int64_t, int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) places[i] = e[i].index();
    });
  }
  const K* keys_;
};

// All of a line, stably: only the positions if there is a place for them. Not inlined into its
// callers, or each would compile the algorithm anew.
template <class K>
[[gnu::noinline]] Ordered<K> in_order(const Keyed<K>& line, bool reverse, SortScratch<K>& scratch,
                                      int64_t* places = nullptr) {
  const auto& memory = scratch.get();
  K* keys = memory.keys.data();
  if (line.n == 0) return {keys, memory.entries.data()};
  Parts(line.n).each([&](int64_t, int64_t begin, int64_t end) {
    line.keys(begin, end - begin, reverse, keys + begin);
  });
  return {keys,
          LineOrder<K>(keys).sort(memory.entries.data(), memory.spare.data(), line.n, places)};
}

}  // namespace
}  // namespace rl
