// Sorting one line by the digits of its keys. Keys are taken from the least of them, so that only
// the bits in which they differ are sorted; of these a few more than tell as many elements apart
// come first, and what still agrees in them is a matter of comparing few. A long line splits over
// threads without changing the result.
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
struct Digit {
  uint32_t least;
  int shift, bits;
  int64_t values() const { return int64_t{1} << bits; }
  uint32_t operator()(PackedEntry e) const {
    return ((e.key() - least) >> shift) & ((uint32_t{1} << bits) - 1);
  }
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

inline void count_digits(const PackedEntry* e, int64_t n, Digit digit, uint32_t* count) {
  for (int64_t i = 0; i < n; ++i) ++count[digit(e[i])];
}
inline void move_by_digit(const PackedEntry* e, int64_t n, Digit digit, uint32_t* next,
                          PackedEntry* to) {
  for (int64_t i = 0; i < n; ++i) to[next[digit(e[i])]++] = e[i];
}

// One stable pass.
inline void radix_pass(const PackedEntry* from, PackedEntry* to, int64_t n, Digit digit) {
  const Parts parts(n);
  const int64_t values = digit.values();
  uint32_t one_part[int64_t{1} << kMaxDigit], *table = one_part, total = 0;
  std::vector<uint32_t> all_parts;
  if (parts.count == 1)
    std::fill_n(table, values, 0);
  else
    all_parts.resize(static_cast<size_t>(parts.count * values)), table = all_parts.data();
  parts.each([=](int64_t p, int64_t begin, int64_t end) {
    count_digits(from + begin, end - begin, digit, table + p * values);
  });
  for (int64_t v = 0; v < values; ++v)
    for (int64_t p = 0; p < parts.count; ++p) total += std::exchange(table[p * values + v], total);
  parts.each([=](int64_t p, int64_t begin, int64_t end) {
    move_by_digit(from + begin, end - begin, digit, table + p * values, to);
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

// Sorts entries by what they have of their keys, leading digits first of all. The result is in one
// of the two arrays; what agrees in bits that were left out is in the order in which it came.
struct Passes {
  uint32_t least;
  int low, high;
  PackedEntry *sorted, *other;
  Passes(PackedEntry* e, PackedEntry* spare, int64_t n, uint32_t least, int bottom, int top)
      : least(least), high(top), sorted(e), other(spare) {
    constexpr int kMore = 10;  // bits, of which floats use some for few exponents
    const int enough = static_cast<int>(std::bit_width(static_cast<uint64_t>(n))) + kMore;
    const int all = top - bottom, some = std::min(all, enough);
    const int passes = (some + kMaxDigit - 1) / kMaxDigit, bits = (some + passes - 1) / passes;
    low = top - std::min(all, passes * bits);
    for (int shift = low; shift < high; shift += bits) {
      radix_pass(sorted, other, n, {least, shift, std::min(bits, high - shift)});
      std::swap(sorted, other);
    }
  }
  bool agree(int64_t i, int64_t j) const {
    return (sorted[i].key() - least) >> low == (sorted[j].key() - least) >> low;
  }
};

// Entries of one line, whose keys are at `keys`. Those of wide keys have up to 32 bits of them.
template <class K>
class LineOrder {
 public:
  explicit LineOrder(const K* keys) : keys_(keys) {}
  // Sorts n >= 1 entries, of which the first call needs no values: they are the line's. Returns
  // them in one of the two arrays. Recurses into runs that agree in many bits, at most until all
  // bits are used.
  PackedEntry* sort(PackedEntry* e, PackedEntry* spare, int64_t n, bool whole_line) const {
    const auto range = whole_line ? range_of_keys<K>(n, [=, this](int64_t i) { return keys_[i]; })
                                  : range_of_keys<K>(n, [=, this](int64_t i) { return key(e[i]); });
    const int left_out = kWide ? std::max(range.low, range.high - 32) : 0;
    if (whole_line)
      Parts(n).each([&](int64_t, int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) e[i] = packed(keys_[i], i, range.least, left_out);
      });
    else if (kWide)
      for (int64_t i = 0; i < n; ++i) e[i] = packed(key(e[i]), e[i].index(), range.least, left_out);
    if (range.high == 0) return e;
    if (n < kCompared) return compare_all(e, n), e;
    const Passes passes(e, spare, n, kWide ? 0 : static_cast<uint32_t>(range.least),
                        std::max(range.low - left_out, 0), range.high - left_out);
    if (left_out > range.low || passes.low + left_out > range.low) sort_runs(passes, n);
    return passes.sorted;
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
  void sort_runs(const Passes& p, int64_t n) const {
    for (int64_t i = 0, end; i < n; i = end) {
      for (end = i + 1; end < n && p.agree(i, end);) ++end;
      if (end - i < kCompared) {
        compare_all(p.sorted + i, end - i);
        continue;
      }
      PackedEntry* run = sort(p.sorted + i, p.other + i, end - i, false);
      if (run != p.sorted + i) std::copy_n(run, end - i, p.sorted + i);
    }
  }
  const K* keys_;
};

// All of a line, stably. Not inlined into its callers, or each would compile the algorithm anew.
template <class K>
[[gnu::noinline]] Ordered<K> in_order(const Keyed<K>& line, bool reverse, SortScratch<K>& scratch) {
  const auto& memory = scratch.get();
  K* keys = memory.keys.data();
  if (line.n == 0) return {keys, memory.entries.data()};
  Parts(line.n).each([&](int64_t, int64_t begin, int64_t end) {
    line.keys(begin, end - begin, reverse, keys + begin);
  });
  return {keys, LineOrder<K>(keys).sort(memory.entries.data(), memory.spare.data(), line.n, true)};
}

}  // namespace
}  // namespace rl
