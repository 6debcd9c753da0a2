// Measures the complex functions of csrc/scalar against quadruple precision, as the distance in the
// plane relative to the value, in units of the type's epsilon, and checks branch cuts and
// infinities. Build and run, from the repository's root:
//   g++ -std=gnu++20 -O2 -fno-math-errno -fno-trapping-math -march=native -Icsrc
//       tests/native/scalar_complex.cpp -o /tmp/scalar_complex -lquadmath && /tmp/scalar_complex
#include <quadmath.h>

#include <cmath>
#include <cstdio>
#include <limits>
#include <random>
#include <vector>

#include "scalar/complex.h"

namespace m = rl::math;
using rl::Complex;
using Quad = __float128;
using Z = Complex<double>;

static int failures = 0;

static __complex128 to_quad(Quad re, Quad im) {
  __complex128 z;
  __real__ z = re;
  __imag__ z = im;
  return z;
}

template <class T>
static std::vector<Complex<T>> inputs() {
  std::mt19937_64 random(5);
  std::normal_distribution<double> normal;
  std::vector<Complex<T>> v;
  for (int i = 0; i < 20000; ++i) {
    double scale = std::exp(1.5 * normal(random));
    v.push_back({T(scale * normal(random)), T(scale * normal(random))});
  }
  for (T x : {T(1e-20), T(0.5), T(1), T(-1), T(2), T(30), T(-30)})
    for (T y : {T(1e-20), T(-1e-9), T(0.5), T(1), T(-2), T(40)}) v.push_back({x, y});
  return v;
}

template <class T, class F, class R>
static void measure(const char* name, double bound, F f, R reference) {
  double worst = 0;
  Complex<T> at{};
  for (Complex<T> z : inputs<T>()) {
    Complex<T> got = f(z);
    __complex128 want = reference(to_quad(z.re, z.im));
    Quad size = cabsq(want);
    if (!(size > std::numeric_limits<T>::min()) || !(size < std::numeric_limits<T>::max()))
      continue;
    Quad miss = cabsq(to_quad(got.re, got.im) - want) / size;
    double error = double(miss / std::numeric_limits<T>::epsilon());
    if (!(error <= worst)) worst = error, at = z;
  }
  bool bad = !(worst <= bound);
  failures += bad;
  std::printf("%-10s %s %8.2f (bound %g) at (%.9g, %.9g)%s\n", name,
              sizeof(T) == 4 ? "c64 " : "c128", worst, bound, double(at.re), double(at.im),
              bad ? "  FAILED" : "");
}

#define UNARY(name, bound, ...)                                                             \
  {                                                                                         \
    auto reference = [](__complex128 z) -> __complex128 { return __VA_ARGS__; };            \
    measure<float>(#name, 1, [](Complex<float> z) { return m::name(z); }, reference);       \
    measure<double>(#name, bound, [](Complex<double> z) { return m::name(z); }, reference); \
  }

static void run_accuracy() {
  UNARY(exp, 3, cexpq(z));
  UNARY(log, 3, clogq(z));
  UNARY(sqrt, 3, csqrtq(z));
  UNARY(rsqrt, 4, 1 / csqrtq(z));
  UNARY(reciprocal, 3, 1 / z);
  UNARY(square, 2, z * z);
  UNARY(sgn, 3, z / cabsq(z));
  UNARY(sin, 4, csinq(z));
  UNARY(cos, 4, ccosq(z));
  UNARY(tan, 5, ctanq(z));
  UNARY(sinh, 4, csinhq(z));
  UNARY(cosh, 4, ccoshq(z));
  UNARY(tanh, 5, ctanhq(z));
  UNARY(asin, 4, casinq(z));
  UNARY(acos, 4, cacosq(z));
  UNARY(atan, 4, catanq(z));
  UNARY(asinh, 4, casinhq(z));
  UNARY(acosh, 4, cacoshq(z));
  UNARY(atanh, 4, catanhq(z));
}

static void same(const char* what, Complex<double> got, double re, double im) {
  auto equal = [](double a, double b) {
    return std::isnan(b) ? std::isnan(a)
           : a == b      ? std::signbit(a) == std::signbit(b)
                         : std::abs(a - b) <= 1e-15 * std::abs(b);
  };
  if (equal(got.re, re) && equal(got.im, im)) return;
  std::printf("FAILED %s: got (%g, %g), expected (%g, %g)\n", what, got.re, got.im, re, im);
  ++failures;
}

static void run_edges() {
  const double inf = INFINITY, nan = NAN, pi = M_PI;
  same("sqrt above the cut", m::sqrt(Z{-4.0, 0.0}), 0, 2);
  same("sqrt below the cut", m::sqrt(Z{-4.0, -0.0}), 0, -2);
  same("sqrt(-inf)", m::sqrt(Z{-inf, 1.0}), 0, inf);
  same("sqrt of huge", m::sqrt(Z{-1e308, 1e308}), 4.5508986056222734e153, 1.0986841134678099e154);
  same("log above the cut", m::log(Z{-1.0, 0.0}), 0, pi);
  same("log below the cut", m::log(Z{-1.0, -0.0}), 0, -pi);
  same("log(0)", m::log(Z{0.0, 0.0}), -inf, 0);
  same("exp(-inf + nan i)", m::exp(Z{-inf, nan}), 0, 0);
  same("exp(inf + 0i)", m::exp(Z{inf, 0.0}), inf, 0);
  same("exp beyond a real overflow", m::exp(Z{710.0, 1.5}), 1.5802653829857376e307, inf);
  same("asin(1)", m::asin(Z{1.0, 0.0}), pi / 2, 0);
  same("asin(2) above the cut", m::asin(Z{2.0, 0.0}), pi / 2, 1.3169578969248167);
  same("acos(-1)", m::acos(Z{-1.0, 0.0}), pi, -0.0);
  same("acosh(-1)", m::acosh(Z{-1.0, 0.0}), 0, pi);
  same("atanh(1)", m::atanh(Z{1.0, 0.0}), inf, 0);
  same("tanh(inf)", m::tanh(Z{inf, 1.0}), 1, 0);
  same("0^0", m::pow(Z{0.0, 0.0}, Z{0.0, 0.0}), 1, 0);
  same("(-1)^0.5", m::pow(Z{-1.0, 0.0}, Z{0.5, 0.0}), 6.123233995736766e-17, 1);
  same("1/0", m::reciprocal(Z{0.0, 0.0}), inf, nan);
}

int main() {
  run_accuracy();
  run_edges();
  std::printf("%d failed\n", failures);
  return failures != 0;
}
