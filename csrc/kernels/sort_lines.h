// What ops on the order of lines share: the walk over lines, each of which gives some positions
// whose values are read then, and a network that sorts many short ones at once. To add an op: a
// function from a line to positions, or from what a network has sorted, and infer/run around it.
// Compiled once per level.
#pragma once
#include "kernels/sort_operands.h"
#include "kernels/sort_radix.h"
#include "kernels/vectors.h"
#include "plan/blocks.h"

namespace rl {
namespace RL_ISA_NS {
namespace {

// One line of the input, and where the positions that are chosen go.
template <class K>
struct Line : Keyed<K> {
  int64_t* indices;
  void put(int64_t j, int64_t i) const { indices[j] = i; }
};

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
inline int64_t network_line(DType d) {
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

// Algorithms on entries, shared by the dtypes of one width of key (hence not inlined).
template <class E>
[[gnu::noinline]] void select(E* e, int64_t k, int64_t n) {
  std::nth_element(e, e + k, e + n);
}

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
  void set(int64_t j, K key, int64_t place) const {
    if constexpr (kRow<K> == kAbreast)
      words[j * kAbreast] = PackedEntry::make(key, place).word;
    else
      words[j * kRow<K>] = key, words[j * kRow<K> + kAbreast] = static_cast<uint64_t>(place);
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

// Sorts lines kAbreast at a time by a network; choose(sorted, line) puts what is kept of each.
template <class K, class Choose>
void choose_in_short_lines(const LinesWork& w, ReadKeys<K> read, bool reverse, int64_t begin,
                           int64_t end, const Choose& choose) {
  const int64_t n = w.l.size;
  Scratch<K> keys(kAbreast * n);
  std::vector<uint64_t> words(static_cast<size_t>(kRow<K> * n));
  w.each_block(begin, end, [&](const LineBlock& b) {
    read(b.x, b.lines * n, reverse ? ~K(0) : K(0), keys.data());
    auto set = [&](int64_t i, int64_t j, int64_t at) {
      NetworkLine<K, uint64_t>{words.data() + i, n}.set(j, keys.data()[i * n + at], at);
    };
    bool in_order = true;
    for (int64_t i = 0; i < b.lines && in_order; ++i)
      in_order =
          put_if_in_order(keys.data() + i * n, n, [&](int64_t j, int64_t at) { set(i, j, at); });
    if (!in_order) {
      for (int64_t j = 0; j < n; ++j)
        for (int64_t i = 0; i < b.lines; ++i) set(i, j, j);
      sort_abreast<K>(words.data(), n);
    }
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

}  // namespace
}  // namespace RL_ISA_NS
}  // namespace rl
