// kthvalue, median, nanmedian and mode: one position in the order of each line.
#include "kernels/sort_lines.h"

namespace rl {
namespace RL_ISA_NS {
namespace {

template <class K>
struct Ends {
  K least, most;
  bool rises, falls;  // no key is less than the one before; all are
};
template <class K>
Ends<K> ends_of(const Line<K>& l) {
  K least[kKeyRun], most[kKeyRun], before;
  std::fill_n(least, kKeyRun, ~K(0)), std::fill_n(most, kKeyRun, K(0));
  l.keys(0, 1, false, &before);
  bool rises = true, falls = l.n > 1;
  l.each_run([&](const K* keys, int64_t first, int64_t n) {
    bool up = before <= keys[0], down = before > keys[0] || first == 0;
    for (int64_t j = 0; j < n; ++j) {
      least[j] = keys[j] < least[j] ? keys[j] : least[j];
      most[j] = keys[j] > most[j] ? keys[j] : most[j];
    }
    for (int64_t j = 1; j < n; ++j) up &= keys[j - 1] <= keys[j], down &= keys[j - 1] > keys[j];
    rises &= up, falls &= down, before = keys[n - 1];
  });
  return {*std::min_element(least, least + kKeyRun), *std::max_element(most, most + kKeyRun), rises,
          falls};
}

// The keys that agree with number k in order, counted from the first of them, in their leading
// bits.
template <class K>
struct Agreeing {
  K least;
  int shift;  // of the bits that they differ in
  int64_t k;
  bool has(K key) const { return (K(key - least) >> shift) == 0; }
};

// Functions of their own, in which everything stays in registers. Neighbours, which often are the
// same, are counted apart; keys that are less, or too far, as the last digit.
template <class K>
[[gnu::noinline]] void count_distances(const K* keys, int64_t n, K least, int shift, K digits,
                                       uint32_t* even, uint32_t* odd) {
  auto digit = [=](int64_t j) { return std::min(K(K(keys[j] - least) >> shift), digits); };
  for (int64_t j = 0; j + 1 < n; j += 2) ++even[digit(j)], ++odd[digit(j + 1)];
  if (n % 2) ++even[digit(n - 1)];
}
template <class K>
[[gnu::noinline]] int64_t keep_agreeing(const K* keys, int64_t first, int64_t n, Agreeing<K> a,
                                        EntryOf<K>* to) {
  int64_t kept = 0;
  for (int64_t j = 0; j < n; ++j) {
    to[kept] = EntryOf<K>::make(keys[j], first + j);
    kept += a.has(keys[j]);
  }
  return kept;
}

// Counts leading bits of the keys' distances from the least, and those of what agrees in them, as
// long as that is a large part of all and differs.
template <class K>
Agreeing<K> agreeing(const Line<K>& l, const Ends<K>& ends, int64_t k) {
  constexpr int kMostBits = 11;
  const auto width = static_cast<int>(std::bit_width(static_cast<uint64_t>(l.n)));
  const int bits = std::min(kMostBits, width - 2);
  const K digits = K(1) << bits;
  Agreeing<K> a{ends.least, static_cast<int>(std::bit_width(K(ends.most - ends.least))), k};
  for (int64_t agree = l.n; a.shift > 0 && agree > l.n / 16;) {
    const int shift = std::max(0, a.shift - bits);
    uint32_t count[2][(1 << kMostBits) + 1];
    for (auto& counts : count) std::fill_n(counts, digits + 1, 0);
    l.each_run([&](const K* keys, int64_t, int64_t n) {
      count_distances(keys, n, a.least, shift, digits, count[0], count[1]);
    });
    K digit = 0;
    for (; a.k >= (agree = int64_t{count[0][digit]} + count[1][digit]); ++digit) a.k -= agree;
    a.least += digit << shift, a.shift = shift;
  }
  return a;
}

// The position of number k in order. Of a long line only what agrees with it is compared.
template <class K>
int64_t place_in_order(const Line<K>& l, int64_t k, EntryOf<K>* e) {
  constexpr int64_t kLong = 256;
  if (l.n < kLong) {
    l.entries(false, e);
    select(e, k, l.n);
    return e[k].index();
  }
  const Ends<K> ends = ends_of(l);
  if (ends.rises) return k;
  if (ends.falls) return l.n - 1 - k;
  const Agreeing<K> a = agreeing(l, ends, k);
  int64_t filled = 0, place = -1, left = a.k;
  l.each_run([&, a](const K* keys, int64_t first, int64_t n) {
    int64_t some = 0;
    for (int64_t j = 0; j < n; ++j) some += a.has(keys[j]);
    if (!some || place >= 0) return;
    if (a.shift) {
      filled += keep_agreeing(keys, first, n, a, e + filled);
    } else if ((left -= some) < 0) {  // equal ones are in order of their positions
      for (place = first + n - 1;; --place)
        if (a.has(keys[place - first]) && ++left == 0) return;
    }
  });
  if (a.shift == 0) return place;
  select(e, a.k, filled);
  return e[a.k].index();
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

RL_ISA_KERNEL("kthvalue", kthvalue_infer, kthvalue_run);
RL_ISA_KERNEL("median.dim", median_infer, median_run<false>);
RL_ISA_KERNEL("nanmedian.dim", median_infer, median_run<true>);
RL_ISA_KERNEL("mode", mode_infer, mode_run);

}  // namespace
}  // namespace RL_ISA_NS
}  // namespace rl
