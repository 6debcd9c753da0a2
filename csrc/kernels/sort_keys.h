// Sorting by integer keys. Every dtype maps to unsigned keys of the same order (NaN last, both
// zeros equal); an Entry is a key with the element's position, so that comparing entries is
// comparing (value, position) and every sort of them is stable. Only reading keys is compiled per
// dtype; the algorithms know two widths of key. Sorting a line is in sort_radix.h.
#pragma once
#include <algorithm>

#include "kernels/lines.h"

namespace rl {
namespace {

template <class T>
using KeyOf = std::conditional_t<sizeof(T) <= 4, uint32_t, uint64_t>;

template <class T>
inline KeyOf<T> key_of(T v) {
  using K = KeyOf<T>;
  if constexpr (std::is_same_v<T, Half> || std::is_same_v<T, BFloat16>) {
    return key_of(static_cast<float>(v));
  } else if constexpr (std::is_floating_point_v<T>) {
    constexpr int kTop = 8 * sizeof(T) - 1;
    K bits = std::bit_cast<K>(v + T(0));  // -0 + 0 is +0
    K flip = static_cast<K>(-static_cast<std::make_signed_t<K>>(bits >> kTop)) | (K(1) << kTop);
    return v != v ? ~K(0) : bits ^ flip;
  } else if constexpr (std::is_signed_v<T>) {
    return static_cast<K>(v) ^ (K(1) << (8 * sizeof(K) - 1));
  } else {
    return static_cast<K>(v);
  }
}

// Keys of n elements, each exclusive-or'ed with `flip`.
template <class K>
using ReadKeys = void (*)(const void* x, int64_t n, K flip, K* out);

template <class T>
void read_keys(const void* data, int64_t n, KeyOf<T> flip, KeyOf<T>* out) {
  auto* x = static_cast<const T*>(data);
  for (int64_t i = 0; i < n; ++i) out[i] = key_of(x[i]) ^ flip;
}

// Calls f.operator()<T>() for the dtypes that have an order.
template <class F>
void with_ordered(const char* op, DType d, F&& f) {
  dispatch(d, [&]<class T>() {
    if constexpr (requires(T v) { v.re; })
      fail(ErrorKind::NotImplemented, op, ": complex numbers have no order, got ", dtype_of<T>);
    else
      f.template operator()<T>();
  });
}

// Calls f(reader of the dtype's keys), whose type tells the width of the keys.
template <class F>
void with_keys(const char* op, DType d, F&& f) {
  ReadKeys<uint32_t> narrow = nullptr;
  ReadKeys<uint64_t> wide = nullptr;
  with_ordered(op, d, [&]<class T>() {
    if constexpr (sizeof(T) <= 4)
      narrow = read_keys<T>;
    else
      wide = read_keys<T>;
  });
  narrow ? f(narrow) : f(wide);
}

struct WideEntry {
  using Key = uint64_t;
  uint64_t key_, index_;
  static WideEntry make(uint64_t key, int64_t i) { return {key, static_cast<uint64_t>(i)}; }
  uint64_t key() const { return key_; }
  int64_t index() const { return static_cast<int64_t>(index_); }
  friend bool operator<(const WideEntry& a, const WideEntry& b) {
    return a.key_ != b.key_ ? a.key_ < b.key_ : a.index_ < b.index_;
  }
};
struct PackedEntry {  // a 32-bit key above a 32-bit position: one word to compare and move
  using Key = uint32_t;
  uint64_t word;
  static PackedEntry make(uint32_t key, int64_t i) {
    return {static_cast<uint64_t>(key) << 32 | static_cast<uint32_t>(i)};
  }
  uint32_t key() const { return static_cast<uint32_t>(word >> 32); }
  int64_t index() const { return static_cast<uint32_t>(word); }
  friend bool operator<(PackedEntry a, PackedEntry b) { return a.word < b.word; }
};
template <class K>
using EntryOf = std::conditional_t<sizeof(K) == 4, PackedEntry, WideEntry>;

// Lines longer than this do not fit PackedEntry's positions.
constexpr int64_t kMaxLine = (int64_t{1} << 32) - 1;
constexpr int64_t kKeyRun = 32;  // keys read at a time

// Puts the places in order of n keys if those rise or fall from end to end: put(j, place).
template <class K, class Put>
bool put_if_in_order(const K* keys, int64_t n, const Put& put) {
  constexpr int64_t kPiece = 64;
  auto all = [=](auto holds) {
    for (int64_t i = 1; i < n; i += kPiece) {
      bool held = true;
      for (int64_t j = i, end = std::min(n, i + kPiece); j < end; ++j)
        held &= holds(keys[j - 1], keys[j]);
      if (!held) return false;
    }
    return true;
  };
  if (all([](K a, K b) { return a <= b; })) {
    for (int64_t j = 0; j < n; ++j) put(j, j);
    return true;
  }
  if (!all([](K a, K b) { return a >= b; })) return false;
  for (int64_t end = n, j = 0, begin; end > 0; end = begin) {  // the last ones, which are equal
    for (begin = end - 1; begin > 0 && keys[begin - 1] == keys[begin];) --begin;
    for (int64_t i = begin; i < end; ++i) put(j++, i);
  }
  return true;
}

// n elements that follow each other, of which only keys and positions matter.
template <class K>
struct Keyed {
  ReadKeys<K> read;
  const char* x;
  int64_t n, item;
  // Keys of elements begin to begin + count, in order from the largest if `reverse`.
  void keys(int64_t begin, int64_t count, bool reverse, K* out) const {
    read(x + begin * item, count, reverse ? ~K(0) : K(0), out);
  }
  // f(keys, position of the first, count) for all, in order of their positions.
  template <class F>
  void each_run(F f, bool reverse = false) const {
    constexpr int64_t kRuns = 8;  // that are read together
    K runs[kRuns * kKeyRun];
    for (int64_t i = 0, count; i < n; i += count) {
      count = std::min(kRuns * kKeyRun, n - i);
      keys(i, count, reverse, runs);
      for (int64_t j = 0; j < count; j += kKeyRun) f(runs + j, i + j, std::min(kKeyRun, count - j));
    }
  }
  void entries(bool reverse, EntryOf<K>* out) const {
    each_run(
        [=](const K* run, int64_t i, int64_t count) {
          for (int64_t j = 0; j < count; ++j) out[i + j] = EntryOf<K>::make(run[j], i + j);
        },
        reverse);
  }
};

}  // namespace
}  // namespace rl
