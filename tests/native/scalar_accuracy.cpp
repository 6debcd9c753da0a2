// Measures every elementary function of csrc/scalar in ulps against quadruple precision, prints a
// table, and fails where a declared bound or a special value is missed. A row is added by one line
// in run_unary or run_binary. Build and run, from the repository's root (any -march will do):
//   g++ -std=gnu++20 -O3 -fno-math-errno -fno-trapping-math -march=native -Icsrc
//       tests/native/scalar_accuracy.cpp -o /tmp/scalar_accuracy -lquadmath && /tmp/scalar_accuracy
// Arguments: names of functions to check (default: all).
#include <quadmath.h>

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <random>
#include <vector>

#include "scalar/elementary.h"

namespace m = rl::math;
using Quad = __float128;

static int failures = 0;
static char** wanted = nullptr;
static constexpr int kPoints = 30000;

static bool is_wanted(const char* name) {
  if (!*wanted) return true;
  for (char** w = wanted; *w; ++w)
    if (!std::strcmp(*w, name)) return true;
  return false;
}

template <class T>
static Quad ulp_of(Quad x) {
  int e;
  frexpq(x, &e);
  int lowest = std::numeric_limits<T>::min_exponent - std::numeric_limits<T>::digits;
  return ldexpq(1, std::max(e - std::numeric_limits<T>::digits, lowest));
}

// Distance in ulps; infinite where NaN, infinity or the sign of a zero disagree.
template <class T>
static double distance(T got, Quad want) {
  constexpr double kWrong = std::numeric_limits<double>::infinity();
  if (isnanq(want)) return std::isnan(got) ? 0 : kWrong;
  T rounded = T(want);
  if (std::isinf(rounded) || std::isinf(got)) {
    if (got == rounded) return 0;
    bool near =
        !isinfq(want) && std::abs(std::isinf(got) ? rounded : got) == std::numeric_limits<T>::max();
    return near && std::signbit(got) == std::signbit(rounded) ? 1 : kWrong;
  }
  if (got == 0 && want == 0) return std::signbit(got) == bool(signbitq(want)) ? 0 : kWrong;
  if (std::isnan(got)) return kWrong;
  return double(fabsq(Quad(got) - want) / ulp_of<T>(want));
}

template <class T>
static std::vector<T> extremes() {
  using L = std::numeric_limits<T>;
  std::vector<T> v;
  for (T x : {T(0),     L::infinity(), L::quiet_NaN(), L::denorm_min(), L::min(),
              L::max(), T(1),          T(2),           T(0.5),          T(3),
              T(4),     T(10),         L::epsilon(),   T(1e-10),        T(0.25),
              T(16),    T(100),        T(700),         T(88.72283),     T(89.0),
              T(89.4),  T(103.9),      T(709.7),       T(745),          T(1e4),
              T(1e6),   T(1e9),        T(1e15),        T(1e22),         T(1e30),
              T(M_PI),  T(M_PI_2),     T(M_PI_4),      T(M_LN2 / 2),    T(0.625)}) {
    for (T y : {x, std::nextafter(x, T(0)), std::nextafter(x, L::infinity())}) {
      v.push_back(y);
      v.push_back(-y);
    }
  }
  return v;
}

// Even over [lo, hi], even in the exponent, and (outside those) the extremes.
template <class T>
static std::vector<T> inputs(double lo, double hi) {
  std::mt19937_64 random(7);
  std::uniform_real_distribution<double> even(lo, hi), unit(-1, 1);
  std::vector<T> v = extremes<T>();
  int top = std::numeric_limits<T>::max_exponent;
  std::uniform_real_distribution<double> exponent(-top - 20, top), mild(-30, 12);
  for (int i = 0; i < kPoints; ++i) {
    v.push_back(T(even(random)));
    T sign = unit(random) < 0 ? T(-1) : T(1);
    v.push_back(sign * T(std::exp2(mild(random))));
    if (i % 8 == 0) v.push_back(sign * T(exp2q(exponent(random))));
  }
  return v;
}

static void report(const char* name, const char* type, double worst, double bound, const char* at) {
#ifndef RL_HAS_FMA
  bound *= 1.8;  // every multiply-add rounds twice
#endif
  bool bad = !(worst <= bound);
  failures += bad;
  std::printf("%-12s %s  %9.3f  (bound %g)  at %s%s\n", name, type, worst, bound, at,
              bad ? "  FAILED" : "");
}

template <class T, class F, class R>
static void unary(const char* name, double bound, double lo, double hi, F f, R reference) {
  std::vector<T> in = inputs<T>(lo, hi), out(in.size());
  for (size_t i = 0; i < in.size(); ++i) out[i] = f(in[i]);
  double worst = 0;
  T where = 0;
  for (size_t i = 0; i < in.size(); ++i) {
    double d = distance<T>(out[i], reference(Quad(in[i])));
    if (d > worst) worst = d, where = in[i];
  }
  char at[64];
  std::snprintf(at, sizeof at, "%.17g (%a)", double(where), double(where));
  report(name, sizeof(T) == 4 ? "f32" : "f64", worst, bound, at);
}

template <class T, class F, class R>
static void binary(const char* name, double bound, double lo, double hi, F f, R reference) {
  std::vector<T> a = inputs<T>(lo, hi), b = inputs<T>(lo, hi), out;
  std::shuffle(b.begin() + long(extremes<T>().size()), b.end(), std::mt19937(3));
  for (T x : extremes<T>())
    for (T y : extremes<T>()) a.push_back(x), b.push_back(y);
  out.resize(a.size());
  for (size_t i = 0; i < a.size(); ++i) out[i] = f(a[i], b[i]);
  double worst = 0;
  size_t where = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    double d = distance<T>(out[i], reference(Quad(a[i]), Quad(b[i])));
    if (d > worst) worst = d, where = i;
  }
  char at[96];
  std::snprintf(at, sizeof at, "%.17g, %.17g", double(a[where]), double(b[where]));
  report(name, sizeof(T) == 4 ? "f32" : "f64", worst, bound, at);
}

// name, bound for float, bound for double, interval sampled most, reference
#define UNARY(name, bound32, bound64, lo, hi, ...)                                         \
  if (is_wanted(#name)) {                                                                  \
    auto reference = [](Quad x) -> Quad { return __VA_ARGS__; };                           \
    unary<float>(#name, bound32, lo, hi, [](float x) { return m::name(x); }, reference);   \
    unary<double>(#name, bound64, lo, hi, [](double x) { return m::name(x); }, reference); \
  }
#define BINARY(name, bound32, bound64, lo, hi, ...)                                           \
  if (is_wanted(#name)) {                                                                     \
    auto reference = [](Quad x, Quad y) -> Quad { return __VA_ARGS__; };                      \
    binary<float>(                                                                            \
        #name, bound32, lo, hi, [](float x, float y) { return m::name(x, y); }, reference);   \
    binary<double>(                                                                           \
        #name, bound64, lo, hi, [](double x, double y) { return m::name(x, y); }, reference); \
  }

// The same for floats that go by Lanes, where the machine has them.
#ifdef RL_HAS_LANES
#define LANES(name, bound, lo, hi, call, ...) \
  if (is_wanted(#name))                       \
    unary<float>(                             \
        "of lanes: " #name, bound, lo, hi,    \
        [](float one) {                       \
          m::Lanes x = m::fill(one);          \
          return m::Lanes(call)[0];           \
        },                                    \
        [](Quad x) -> Quad { return __VA_ARGS__; });
#else
#define LANES(...)
#endif
#ifdef RL_HAS_TABLES
#define TABLES LANES
#else
#define TABLES(...)
#endif

static void run_exp_log() {
  LANES(exp, 1, -110, 95, m::exp_lanes<true>(x), expq(x));
  LANES(exp_near, 1.2, -110, 95, m::exp_lanes(x), expq(x));
  // 0, as PyTorch's, where the exponential is no float: below that others have denormal numbers.
  LANES(sigmoid, 2.5, -20, 20, m::sigmoid(x), expq(-x) > FLT_MAX ? 0 : 1 / (1 + expq(-x)));
  LANES(log1p_exp, 2, -20, 20, m::log1p_exp(x), x > 0 ? x + log1pq(expq(-x)) : log1pq(expq(x)));
  LANES(log_sigmoid, 2.5, -20, 20, m::log_sigmoid(x),
        x < 0 ? x - log1pq(expq(x)) : 0 - log1pq(expq(-x)));
  UNARY(exp, 1, 1, -110, 95, expq(x));
  UNARY(exp2, 1.1, 1.1, -150, 130, exp2q(x));
  UNARY(expm1, 2, 2, -4, 4, expm1q(x));
  UNARY(sigmoid, 2.5, 2.5, -20, 20, x < 0 ? expq(x) / (1 + expq(x)) : 1 / (1 + expq(-x)));
  UNARY(tanh, 1, 1.5, -3, 3, tanhq(x));
  TABLES(tanh_ranges, 1.1, -10, 10, m::tanh(x), tanhq(x));
  UNARY(sinh, 2.5, 2.5, -5, 5, sinhq(x));
  UNARY(cosh, 2, 2, -5, 5, coshq(x));
  UNARY(log, 1, 1, 0.3, 3, logq(x));
  TABLES(log_ranges, 1.1, 0.3, 3, m::log(x), logq(x));
  UNARY(log2, 1, 1, 0.3, 3, x == 0 ? -HUGE_VALQ : log2q(x));
  UNARY(log10, 1, 1, 0.3, 3, log10q(x));
  UNARY(log1p, 1.5, 1.5, -1, 3, log1pq(x));
  UNARY(log1p_exp, 2, 2, -20, 20, x > 0 ? x + log1pq(expq(-x)) : log1pq(expq(x)));
  UNARY(log_sigmoid, 2.5, 2.5, -20, 20, x < 0 ? x - log1pq(expq(x)) : 0 - log1pq(expq(-x)));
  UNARY(asinh, 2.5, 2.5, -5, 5, asinhq(x));
  UNARY(acosh, 2.5, 2.5, 1, 5, acoshq(x));
  UNARY(atanh, 2, 2, -1, 1, atanhq(x));
}

static void run_trig() {
  UNARY(sin, 1.5, 2, -100, 100, sinq(x));
  UNARY(cos, 1.5, 2, -100, 100, cosq(x));
  UNARY(tan, 2.5, 3, -100, 100, tanq(x));
  UNARY(asin, 2, 2, -1, 1, asinq(x));
  UNARY(acos, 1.5, 1.5, -1, 1, acosq(x));
  UNARY(atan, 2, 2, -4, 4, atanq(x));
  BINARY(atan2, 2, 2, -4, 4, atan2q(x, y));
}

// The inverse by bisection on the reference: slow, sure.
static Quad erfinv_reference(Quad x) {
  if (fabsq(x) >= 1) return fabsq(x) == 1 ? x * HUGE_VALQ : nanq("");
  if (isnanq(x) || x == 0) return x;
  Quad a = fabsq(x), y = 1;
  if (a < 1e-6Q)
    y = a * 0.886226925452758Q;
  else
    for (Quad low = 0, high = 7; high - low > 1e-9Q; y = (low + high) / 2)
      ((1 - a < erfcq((low + high) / 2)) ? low : high) = (low + high) / 2;
  for (int i = 0; i < 3; ++i)
    y += (a < 0.5Q ? a - erfq(y) : erfcq(y) - (1 - a)) * expq(y * y) / M_2_SQRTPIq;
  return copysignq(y, x);
}
static Quad erfcx_reference(Quad x) {
  if (x < 100) return erfcq(x) * expq(x * x);
  Quad z = 1 / (2 * x * x);
  return (1 - z * (1 - 3 * z * (1 - 5 * z * (1 - 7 * z * (1 - 9 * z))))) * M_2_SQRTPIq / (2 * x);
}
static void run_erf() {
  UNARY(erf, 1, 1, -4, 4, erfq(x));
  TABLES(erf_ranges, 1.1, -5, 5, m::erf(x), erfq(x));
  UNARY(erfc, 1, 3.5, -6, 27, erfcq(x));
  UNARY(erfcx, 1, 4, -26, 30, erfcx_reference(x));
  TABLES(cdf, 4, -14, 6, m::normal(x).cdf, erfcq(x * -M_SQRT1_2q) / 2);
  TABLES(density, 2.5, -12, 12, m::normal(x).density,
         expq(-x * x / 2) * M_2_SQRTPIq * M_SQRT1_2q / 2);
  UNARY(erfinv, 1, 3, -1, 1, erfinv_reference(x));
}

static void run_pow() {
  LANES(rsqrt, 1.5, 0, 10, m::rsqrt(x), 1 / sqrtq(x));
  UNARY(rsqrt, 1.5, 1.5, 0, 10, 1 / sqrtq(x));
  BINARY(hypot, 1, 1.1, -4, 4, hypotq(x, y));
  BINARY(pow, 1, 1.5, 0, 30, powq(x, y));
}

int main(int, char** argv) {
  wanted = argv + 1;
  std::printf("%-12s %s  %9s\n", "function", "type", "max ulp");
  run_exp_log();
  run_trig();
  run_erf();
  run_pow();
  std::printf("%d failed\n", failures);
  return failures != 0;
}
