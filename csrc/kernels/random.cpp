// Draw blocks, uniform, bernoulli and the distributions that are one formula of a uniform number.
// Integers and permutations are in random_integer.cpp, normals in random_normal.cpp, samplers
// that reject in random_sampler.cpp.
#include "kernels/random.h"

#include "kernels/random_draw.h"

namespace rl::random {
namespace {

RL_MULTIVERSION void to_units(const uint32_t* __restrict w, float* __restrict out, int64_t n) {
  for (int64_t i = 0; i < n; ++i) out[i] = unit(w[i]);
}

RL_MULTIVERSION void to_units(const uint32_t* __restrict w, double* __restrict out, int64_t n) {
  for (int64_t i = 0; i < n; ++i) {
    // 53 bits as an exact sum of 21 and 32: vector code converts only 32-bit integers.
    double high = static_cast<int32_t>(w[2 * i] & 0x1fffffu);
    double low = static_cast<int32_t>(w[2 * i + 1] ^ 0x80000000u) + 0x1p31;
    out[i] = (high * 0x1p32 + low) * 0x1p-53;
  }
}

template <class R>
inline void scale(R* x, int64_t n, R from, R width, R to) {
  for (int64_t i = 0; i < n; ++i) {
    R v = std::fma(x[i], width, from);
    x[i] = v == to ? from : v;
  }
}
RL_MULTIVERSION void scale_units(float* x, int64_t n, float from, float width, float to) {
  scale(x, n, from, width, to);
}
RL_MULTIVERSION void scale_units(double* x, int64_t n, double from, double width, double to) {
  scale(x, n, from, width, to);
}

// The 16-bit floats; what rounds up to `to` becomes `from`.
template <class T>
inline void round_units(const float* x, T* out, int64_t n, T from, T to) {
  for (int64_t i = 0; i < n; ++i) {
    uint16_t v = T::from_float(x[i]);
    out[i].bits = v == to.bits ? from.bits : v;
  }
}
RL_MULTIVERSION void store_units(const float* x, Half* out, int64_t n, Half from, Half to) {
  round_units(x, out, n, from, to);
}
RL_MULTIVERSION void store_units(const float* x, BFloat16* out, int64_t n, BFloat16 from,
                                 BFloat16 to) {
  round_units(x, out, n, from, to);
}

RL_MULTIVERSION void round_wide(const float* x, Half* out, int64_t n) {
  for (int64_t i = 0; i < n; ++i) out[i] = Half(x[i]);
}
RL_MULTIVERSION void round_wide(const float* x, BFloat16* out, int64_t n) {
  for (int64_t i = 0; i < n; ++i) out[i] = BFloat16(x[i]);
}

template <class T>
void fill_uniform(Generator& g, T* out, int64_t n, double from, double to) {
  using R = widened_type<T>;
  R low = static_cast<R>(from), high = static_cast<R>(to), width = high - low;
  bool plain = low == 0 && width == 1;  // already in [0, 1)
  for_blocks(n, [&](int64_t start, int64_t count) {
    if constexpr (is_half_type<T>) {
      float block[kBlock];
      draw_units(g.engine, block, count);
      if (!plain) scale_units(block, count, low, width, INFINITY);
      store_units(block, out + start, count, T(low), T(high));
    } else {
      draw_units(g.engine, out + start, count);
      if (!plain) scale_units(out + start, count, low, width, high);
    }
  });
}

template <class T>
constexpr double largest = std::is_same_v<T, Half>       ? 65504.0
                           : std::is_same_v<T, BFloat16> ? 0x1.fep127
                           : std::is_same_v<T, float>    ? 0x1.fffffep127
                                                         : 0x1.fffffffffffffp1023;

template <class T>
void check_uniform(double from, double to) {
  constexpr double max = largest<T>;
  RL_CHECK(from >= -max && from <= max, "uniform_: expected `from` within the dtype, got ", from);
  RL_CHECK(to >= -max && to <= max, "uniform_: expected `to` within the dtype, got ", to);
  RL_CHECK(from <= to, "uniform_ expects to return a [from, to) range, but found from=", from,
           " > to=", to);
  RL_CHECK(to - from <= max, "uniform_: expected to - from within the dtype, got from=", from,
           " to=", to, "; narrow the range");
}

// Writes f(u) for one double uniform number u each.
template <class F>
void fill_formula(const char* op, Generator& g, DType dtype, void* out, int64_t n, F f) {
  dispatch_floating(op, dtype, [&]<class T>() {
    std::lock_guard lock(g.mutex);
    auto* o = static_cast<T*>(out);
    for_units(g.engine, n, [&](int64_t start, const double* u, int64_t count) {
      for (int64_t i = 0; i < count; ++i) o[start + i] = stored<T>(f(u[i]));
    });
  });
}

// u < p  <=>  the 53 bits of u  <  ceil(p * 2^53), in integers and exactly.
RL_MULTIVERSION void below(const uint64_t* __restrict w, uint8_t* __restrict out, int64_t n,
                           int64_t limit) {
  constexpr uint64_t mask = (uint64_t{1} << 53) - 1;
  for (int64_t i = 0; i < n; ++i) {
    // The sign of the difference: AVX2 has no unsigned comparison.
    auto difference = static_cast<int64_t>(w[i] & mask) - limit;
    out[i] = static_cast<uint8_t>(static_cast<uint64_t>(difference) >> 63);
  }
}

template <class T, class P>
void fill_bernoulli(Generator& g, T* out, int64_t n, const P* p) {
  using R = std::conditional_t<std::is_same_v<P, double>, double, float>;
  for (int64_t i = 0; i < n; ++i) {
    R q = static_cast<R>(p[i]);
    RL_CHECK(q >= 0 && q <= 1, "bernoulli: expected every p in [0, 1], got ",
             static_cast<double>(q), " at element ", i);
  }
  for_blocks(n, [&](int64_t start, int64_t count) {
    R block[kBlock];
    draw_units(g.engine, block, count);
    for (int64_t i = 0; i < count; ++i) {
      out[start + i] = T(block[i] < static_cast<R>(p[start + i]) ? 1.0f : 0.0f);
    }
  });
}

}  // namespace

void draw_units(Mt19937& engine, float* out, int64_t n) {
  uint32_t words[kBlock];
  engine.fill(words, n);
  to_units(words, out, n);
}

void draw_units(Mt19937& engine, double* out, int64_t n) {
  uint32_t words[2 * kBlock];
  engine.fill(words, 2 * n);
  to_units(words, out, n);
}

void draw_words(Mt19937& engine, uint64_t* out, int64_t n) {
  uint32_t words[2 * kBlock];
  engine.fill(words, 2 * n);
  for (int64_t i = 0; i < n; ++i) {
    out[i] = static_cast<uint64_t>(words[2 * i]) << 32 | words[2 * i + 1];
  }
}

void round_all(const float* x, Half* out, int64_t n) { round_wide(x, out, n); }
void round_all(const float* x, BFloat16* out, int64_t n) { round_wide(x, out, n); }

void uniform(Generator& g, DType dtype, void* out, int64_t n, double from, double to) {
  if (is_complex(dtype)) return uniform(g, real_of(dtype), out, 2 * n, from, to);
  dispatch_floating("uniform_", dtype, [&]<class T>() {
    check_uniform<T>(from, to);
    std::lock_guard lock(g.mutex);
    fill_uniform(g, static_cast<T*>(out), n, from, to);
  });
}

void bernoulli(Generator& g, DType dtype, void* out, int64_t n, double p) {
  RL_CHECK(p >= 0 && p <= 1, "bernoulli_ expects p to be in [0, 1], but got p=", p);
  auto limit = static_cast<int64_t>(std::ceil(p * 0x1p53));
  dispatch_real("bernoulli_", dtype, [&]<class T>() {
    std::lock_guard lock(g.mutex);
    auto* o = static_cast<T*>(out);
    for_blocks(n, [&](int64_t start, int64_t count) {
      uint64_t words[kBlock];
      uint8_t hits[kBlock];
      draw_words(g.engine, words, count);
      below(words, hits, count, limit);
      for (int64_t i = 0; i < count; ++i) o[start + i] = T(static_cast<float>(hits[i]));
    });
  });
}

void bernoulli(Generator& g, DType dtype, void* out, int64_t n, DType p_dtype, const void* p) {
  dispatch_real("bernoulli_", dtype, [&]<class T>() {
    dispatch_floating("bernoulli_", p_dtype, [&]<class P>() {
      std::lock_guard lock(g.mutex);
      fill_bernoulli(g, static_cast<T*>(out), n, static_cast<const P*>(p));
    });
  });
}

void exponential(Generator& g, DType dtype, void* out, int64_t n, double lambda) {
  RL_CHECK(lambda > 0, "exponential_ expects lambda > 0.0, but found lambda=", lambda);
  double factor = -1.0 / lambda;
  fill_formula("exponential_", g, dtype, out, n, [=](double u) { return factor * std::log1p(-u); });
}

void cauchy(Generator& g, DType dtype, void* out, int64_t n, double median, double sigma) {
  RL_CHECK(sigma > 0, "cauchy_ expects sigma > 0.0, but found sigma=", sigma);
  fill_formula("cauchy_", g, dtype, out, n,
               [=](double u) { return std::fma(sigma, std::tan(M_PI * (u - 0.5)), median); });
}

void log_normal(Generator& g, DType dtype, void* out, int64_t n, double mean, double std) {
  RL_CHECK(std > 0, "log_normal_ expects std > 0.0, but found std=", std);
  dispatch_floating("log_normal_", dtype, [&]<class T>() {
    std::lock_guard lock(g.mutex);
    auto* o = static_cast<T*>(out);
    for (int64_t i = 0; i < n; ++i) {
      o[i] = stored<T>(std::exp(std::fma(next_normal(g), std, mean)));
    }
  });
}

void geometric(Generator& g, DType dtype, void* out, int64_t n, double p) {
  RL_CHECK(p > 0 && p < 1, "geometric_ expects p to be in (0, 1), but got p=", p);
  RL_CHECK(dtype != DType::Bool, "geometric_: expected a number dtype, got ", dtype);
  double failure = std::log1p(-p);
  dispatch_real("geometric_", dtype, [&]<class T>() {
    std::lock_guard lock(g.mutex);
    auto* o = static_cast<T*>(out);
    for_units(g.engine, n, [&](int64_t start, const double* u, int64_t count) {
      for (int64_t i = 0; i < count; ++i) {
        o[start + i] = stored<T>(std::ceil(std::log(u[i]) / failure));
      }
    });
  });
}

}  // namespace rl::random
