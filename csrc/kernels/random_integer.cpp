// Random integers and permutations.
#include <limits>
#include <utility>

#include "core/warning.h"
#include "kernels/random_draw.h"

namespace rl::random {
namespace {

// w[i] % range, for range < 2^31. The quotient from a truncated reciprocal is at most one short.
RL_MULTIVERSION void remainders(uint32_t* w, int64_t n, uint32_t range) {
  uint64_t reciprocal = 0xffffffffu / range;
  for (int64_t i = 0; i < n; ++i) {
    auto quotient = static_cast<uint32_t>(w[i] * reciprocal >> 32);
    uint32_t rest = w[i] - quotient * range;
    w[i] = std::min(rest, rest - range);  // rest - range wraps round where rest is smaller
  }
}

// w[i] % (first - i), for 2 <= first - i < 2^31. Rounding a double quotient of 32-bit integers
// never reaches the next integer, so truncating it is exact.
RL_MULTIVERSION void falling_remainders(uint32_t* w, int64_t n, int64_t first) {
  auto top = static_cast<int32_t>(first);
  for (int32_t i = 0; i < static_cast<int32_t>(n); ++i) {
    int32_t modulus = top - i;
    double value = static_cast<int32_t>(w[i] ^ 0x80000000u) + 0x1p31;
    auto quotient = static_cast<int32_t>(value / modulus);
    w[i] -= static_cast<uint32_t>(quotient) * static_cast<uint32_t>(modulus);
  }
}

template <class T>
void store_shifted(const uint32_t* w, int64_t n, int64_t base, T* out) {
  for (int64_t i = 0; i < n; ++i) out[i] = stored<T>(static_cast<int64_t>(w[i]) + base);
}

template <class T>
void fill_range(Generator& g, T* out, int64_t n, uint64_t range, int64_t base) {
  for_blocks(n, [&](int64_t start, int64_t count) {
    if (range < uint64_t{1} << 28) {
      uint32_t words[kBlock];
      g.engine.fill(words, count);
      remainders(words, count, static_cast<uint32_t>(range));
      store_shifted(words, count, base, out + start);
    } else {
      uint64_t words[kBlock];
      draw_words(g.engine, words, count);
      for (int64_t i = 0; i < count; ++i) {
        uint64_t w = words[i] % range + static_cast<uint64_t>(base);
        out[start + i] = stored<T>(static_cast<int64_t>(w));
      }
    }
  });
}

// All 2^64 integers, which no `range` can express.
template <class T>
void fill_all(Generator& g, T* out, int64_t n) {
  for_blocks(n, [&](int64_t start, int64_t count) {
    uint64_t words[kBlock];
    draw_words(g.engine, words, count);
    for (int64_t i = 0; i < count; ++i) {
      out[start + i] = stored<T>(static_cast<int64_t>(words[i]));
    }
  });
}

template <class T>
constexpr int64_t count_limit =
    std::is_floating_point_v<T> || is_half_type<T> ? int64_t{1} << digits<T> : 0;
template <>
constexpr int64_t count_limit<bool> = 1;
template <>
constexpr int64_t count_limit<uint8_t> = 255;
template <>
constexpr int64_t count_limit<int8_t> = 127;
template <>
constexpr int64_t count_limit<int16_t> = 32767;
template <>
constexpr int64_t count_limit<int32_t> = INT32_MAX;
template <>
constexpr int64_t count_limit<int64_t> = INT64_MAX;
template <>
constexpr int64_t count_limit<uint16_t> = UINT16_MAX;
template <>
constexpr int64_t count_limit<uint32_t> = UINT32_MAX;
template <>
constexpr int64_t count_limit<uint64_t> = INT64_MAX;  // bounds are int64

template <class T>
constexpr bool is_float_type = std::is_floating_point_v<T> || is_half_type<T>;

// The spacing of T at |v|, as a power of two, for integers that T cannot all represent.
template <class T>
int64_t spacing(int64_t v) {
  int exponent = 63 - __builtin_clzll(static_cast<uint64_t>(v < 0 ? -v : v));
  return int64_t{1} << (exponent - digits<T> + 1);
}

template <class T>
int64_t rounded(int64_t v) {
  return static_cast<int64_t>(static_cast<double>(stored<T>(v)));
}

// Moves a bound inwards to the next value that T represents, where rounding to T would leave
// the range.
template <class T>
int64_t inner_from(int64_t from) {
  int64_t next = rounded<T>(from + 1);
  return next < from ? next + spacing<T>(from + 1) : from;
}
template <class T>
int64_t inner_to(int64_t to) {
  int64_t last = rounded<T>(to - 1);
  return last >= to ? last - spacing<T>(to - 1) : to;
}

// The inclusive bounds that a value may take in T.
template <class T>
void check_within(const char* name, int64_t v) {
  bool inside = true;
  if constexpr (std::is_same_v<T, Half>)
    inside = v >= -65504 && v <= 65504;
  else if constexpr (!is_float_type<T> && !std::is_same_v<T, bool>)
    inside = std::in_range<T>(v);
  else if constexpr (std::is_same_v<T, bool>)
    inside = v == 0 || v == 1;
  RL_CHECK(inside, name, " is out of bounds for ", dtype_of<T>, ": got ", v,
           "; choose a range that the dtype holds");
}

// Beyond these, neighbours of a float are more than 1 apart.
template <class T>
void warn_of_gaps(const char* name, int64_t v) {
  constexpr int64_t kAll = int64_t{1} << digits<T>;
  if (v >= -kAll && v <= kAll) return;
  warn(str("random_(): ", name, " = ", v, " is out of bounds [-", kAll, ", ", kAll,
           "], within which ", dtype_of<T>, " holds every integer; not all will be drawn"));
}

template <class T>
void fill_integers(Generator& g, T* out, int64_t n, int64_t from, std::optional<int64_t> to) {
  if (!to && from == INT64_MIN) {
    std::lock_guard lock(g.mutex);
    return fill_all(g, out, n);
  }
  int64_t last = to ? 0 : count_limit<T>;
  if (to) {
    RL_CHECK(from < *to, "random_ expects 'from' to be less than 'to', but got from=", from,
             " >= to=", *to);
    int64_t end = *to;
    if constexpr (is_float_type<T>) {
      warn_of_gaps<T>("from", from);
      warn_of_gaps<T>("to - 1", end - 1);
      from = inner_from<T>(from);
      end = inner_to<T>(end);
      RL_CHECK(from < end,
               "random_ expects 'from' casted to dtype to be less than 'to' casted to "
               "dtype, but got from=",
               from, " >= to=", end);
    }
    last = end - 1;
  } else if constexpr (is_float_type<T>) {
    warn_of_gaps<T>("from", from);
    from = inner_from<T>(from);
    RL_CHECK(from < last,
             "random_ expects 'from' casted to dtype to be less than or equal to "
             "'to_inc' casted to dtype, but got from=",
             from, " > to_inc=", last);
  }
  check_within<T>("from", from);
  check_within<T>("to - 1", last);
  uint64_t range = static_cast<uint64_t>(last) - static_cast<uint64_t>(from) + 1;
  std::lock_guard lock(g.mutex);
  fill_range(g, out, n, range, from);
}

// Fisher-Yates from the front over 0..n-1 already in `out`. Partners are known a block ahead,
// so their cache misses overlap.
template <class T>
void shuffle(Mt19937& engine, T* out, int64_t n) {
  constexpr int64_t kAhead = 24;
  for (int64_t start = 0; start < n - 1; start += kBlock) {
    uint32_t step[kBlock + kAhead] = {};
    int64_t count = std::min(kBlock, n - 1 - start);
    engine.fill(step, count);
    falling_remainders(step, count, n - start);
    T* here = out + start;
    for (int64_t i = 0; i < count; ++i) {
      __builtin_prefetch(here + std::min(i + kAhead, count) + step[i + kAhead], 1);
      std::swap(here[i], here[i + step[i]]);
    }
  }
}

// 64-bit results are shuffled as 32-bit ones in the upper half of the output, which stays in
// faster caches, and then widened in place from the front.
template <class T>
void shuffle_narrow(Mt19937& engine, T* out, int64_t n) {
  auto* narrow = reinterpret_cast<uint32_t*>(out) + n;
  for (int64_t i = 0; i < n; ++i) narrow[i] = static_cast<uint32_t>(i);
  shuffle(engine, narrow, n);
  for_blocks(n, [&](int64_t start, int64_t count) {
    uint32_t block[kBlock];
    std::memcpy(block, narrow + start, count * sizeof *block);
    for (int64_t i = 0; i < count; ++i) {
      out[start + i] = static_cast<T>(static_cast<int32_t>(block[i]));
    }
  });
}

// From 2^32/20 elements on PyTorch builds the permutation inside out from 64-bit draws.
constexpr int64_t kInsideOut = 0xffffffffu / 20;

template <class T>
void fill_permutation(Mt19937& engine, T* out, int64_t n) {
  if (n >= kInsideOut) {
    for (int64_t i = 0; i < n; ++i) {
      auto j = static_cast<int64_t>(engine.next64() % static_cast<uint64_t>(i + 1));
      out[i] = stored<T>(i);
      out[i] = out[j];
      out[j] = stored<T>(i);
    }
  } else if constexpr (sizeof(T) == 8) {
    shuffle_narrow(engine, out, n);
  } else {
    for (int64_t i = 0; i < n; ++i) out[i] = stored<T>(i);
    shuffle(engine, out, n);
  }
}

}  // namespace

void integers(Generator& g, DType dtype, void* out, int64_t n, int64_t from,
              std::optional<int64_t> to) {
  auto draw = [&]<class T>() {
    if constexpr (std::is_same_v<T, Half> || !(is_float_type<T> || std::is_same_v<T, int64_t>)) {
      RL_CHECK(to || from != INT64_MIN,
               "random_: the full 64-bit range is for int64, bfloat16, "
               "float32 and float64, got ",
               dtype, "; give `to`");
    }
    fill_integers(g, static_cast<T*>(out), n, from, to);
  };
  if (!is_wide_unsigned(dtype)) return dispatch_real("random_", dtype, draw);
  dispatch(dtype, [&]<class T>() {
    if constexpr (std::is_unsigned_v<T> && sizeof(T) > 1) draw.template operator()<T>();
  });
}

void integers(Generator& g, DType dtype, void* out, int64_t n) {
  dispatch_real("random_", dtype, [&]<class T>() {
    std::lock_guard lock(g.mutex);
    auto* o = static_cast<T*>(out);
    if constexpr (std::is_same_v<T, double> || std::is_same_v<T, int64_t>) {
      uint64_t range = static_cast<uint64_t>(count_limit<T>) + 1;
      for_blocks(n, [&](int64_t start, int64_t count) {
        uint64_t words[kBlock];
        draw_words(g.engine, words, count);
        for (int64_t i = 0; i < count; ++i) {
          o[start + i] = static_cast<T>(static_cast<int64_t>(words[i] % range));
        }
      });
    } else {
      auto range = static_cast<uint32_t>(count_limit<T> + 1);
      for_blocks(n, [&](int64_t start, int64_t count) {
        uint32_t words[kBlock];
        g.engine.fill(words, count);
        remainders(words, count, range);
        store_shifted(words, count, 0, o + start);
      });
    }
  });
}

void permutation(Generator& g, DType dtype, void* out, int64_t n) {
  RL_CHECK(n >= 0, "randperm: expected n >= 0, got ", n);
  RL_CHECK(dtype != DType::Bool, "randperm: expected a number dtype, got ", dtype);
  dispatch_real("randperm", dtype, [&]<class T>() {
    int64_t limit = count_limit<T>;
    RL_CHECK(n - 1 <= limit, "randperm: expected n <= ", limit, " + 1 for ", dtype, ", got ", n,
             "; use int64");
    std::lock_guard lock(g.mutex);
    fill_permutation(g.engine, static_cast<T*>(out), n);
  });
}

}  // namespace rl::random
