// Selection, with the same exchanges as the standard library's, on which the order of
// equal elements depends, but without branches that depend on elements. Included by sort_top.cpp.
#pragma once
#include <algorithm>
#include <bit>
#include <cstdint>

namespace rl {
namespace {

constexpr int64_t kBits = 64;

// A bit for each of some elements: whether it passes.
template <class E, class Passes>
uint64_t bits_of(const E* e, int64_t n, Passes passes) {
  uint64_t bits = 0;
  for (int64_t i = n - 1; i >= 0; --i) bits = 2 * bits + passes(e[i]);
  return bits;
}

// Hoare's partition of n elements: those from the left that are not before the pivot change places
// with those from the right that it is not before, pair by pair until they meet. Words tell which
// these are, 64 at a time. Where the right part begins.
template <class E, class Before>
int64_t divide(E* e, int64_t n, const E pivot, Before before) {
  uint64_t left = 0, right = 0;
  int64_t left_begin = 0, left_end = 0, right_begin = n;
  for (int64_t met = n;;) {
    for (; !left && left_end < n; left_end = std::min(n, left_begin + kBits)) {
      left_begin = left_end;
      left = bits_of(e + left_begin, std::min(kBits, n - left_begin),
                     [=](const E& x) { return !before(x, pivot); });
    }
    while (!right && right_begin > 0) {
      const int64_t end = right_begin;
      right_begin = std::max<int64_t>(0, end - kBits);
      right = bits_of(e + right_begin, end - right_begin,
                      [=](const E& x) { return !before(pivot, x); });
    }
    const int64_t i = left ? left_begin + std::countr_zero(left) : n;
    const int64_t j = right ? right_begin + kBits - 1 - std::countl_zero(right) : -1;
    if (i >= j) return std::min(i, met);
    std::swap(e[i], e[j]);
    left &= left - 1, right ^= uint64_t{1} << (j - right_begin), met = j;
  }
}

// The same where a word tells of all: most parts are small.
template <class E, class Before>
int64_t divide_few(E* e, int64_t n, const E pivot, Before before) {
  uint64_t left = 0, right = 0;
  for (int64_t i = n - 1; i >= 0; --i) {
    left = 2 * left + !before(e[i], pivot);
    right = 2 * right + !before(pivot, e[i]);
  }
  if ((left & right) == ~uint64_t{0} >> (kBits - n)) {  // elements that are equal
    std::reverse(e, e + n);
    return n / 2;
  }
  for (int64_t met = n;;) {
    const int64_t i = left ? std::countr_zero(left) : n;
    const int64_t j = right ? kBits - 1 - std::countl_zero(right) : -1;
    if (i >= j) return std::min(i, met);
    std::swap(e[i], e[j]);
    left &= left - 1, right ^= uint64_t{1} << j, met = j;
  }
}

template <class E, class Before>
E* median_of(E* a, E* b, E* c, Before before) {
  if (before(*a, *b)) return before(*b, *c) ? b : before(*a, *c) ? c : a;
  return before(*a, *c) ? a : before(*b, *c) ? c : b;
}

// e[k] becomes what would be there in order, with none after it on its left. False, with elements
// out of their first order, where the library would take another way after so many parts.
template <class E, class Before>
bool select_place(E* e, int64_t k, int64_t n, Before before) {
  E *first = e, *last = e + n, *wanted = e + k;
  for (int parts = 2 * (std::bit_width(static_cast<uint64_t>(n)) - 1); last - first > 3; --parts) {
    if (parts == 0) return false;
    std::swap(*first, *median_of(first + 1, first + (last - first) / 2, last - 1, before));
    const int64_t rest = last - first - 1;
    E* cut = first + 1;
    cut +=
        rest <= kBits ? divide_few(cut, rest, *first, before) : divide(cut, rest, *first, before);
    (cut <= wanted ? first : last) = cut;
  }
  std::sort(first, last, before);
  return true;
}

}  // namespace
}  // namespace rl
