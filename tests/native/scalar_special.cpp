// Compares the special functions of csrc/scalar with recorded values (scalar_special_values.inc)
// and checks their edges. Build and run, from the repository's root:
//   g++ -std=c++20 -O2 -fno-math-errno -fno-trapping-math -Icsrc tests/native/scalar_special.cpp
//       -o /tmp/scalar_special && /tmp/scalar_special
#include <cmath>
#include <cstdio>
#include <cstring>

#include "scalar/special.h"

namespace m = rl::math;

struct Function {
  const char* name;
  double (*call)(const double*);
};
struct Row {
  const char* name;
  double args[2];
  double want;
};

static const Function* find(const char* name) {
  static const Function kFunctions[] = {
      {"lgamma", [](const double* a) { return m::lgamma(a[0]); }},
      {"digamma", [](const double* a) { return m::digamma(a[0]); }},
      {"trigamma", [](const double* a) { return m::trigamma(a[0]); }},
      {"i0", [](const double* a) { return m::i0(a[0]); }},
      {"i1", [](const double* a) { return m::i1(a[0]); }},
      {"i0e", [](const double* a) { return m::i0e(a[0]); }},
      {"i1e", [](const double* a) { return m::i1e(a[0]); }},
      {"modified_bessel_k0", [](const double* a) { return m::modified_bessel_k0(a[0]); }},
      {"scaled_modified_bessel_k0",
       [](const double* a) { return m::scaled_modified_bessel_k0(a[0]); }},
      {"modified_bessel_k1", [](const double* a) { return m::modified_bessel_k1(a[0]); }},
      {"scaled_modified_bessel_k1",
       [](const double* a) { return m::scaled_modified_bessel_k1(a[0]); }},
      {"bessel_j0", [](const double* a) { return m::bessel_j0(a[0]); }},
      {"bessel_j1", [](const double* a) { return m::bessel_j1(a[0]); }},
      {"bessel_y0", [](const double* a) { return m::bessel_y0(a[0]); }},
      {"bessel_y1", [](const double* a) { return m::bessel_y1(a[0]); }},
      {"airy_ai", [](const double* a) { return m::airy_ai(a[0]); }},
      {"spherical_bessel_j0", [](const double* a) { return m::spherical_bessel_j0(a[0]); }},
      {"ndtr", [](const double* a) { return m::ndtr(a[0]); }},
      {"log_ndtr", [](const double* a) { return m::log_ndtr(a[0]); }},
      {"ndtri", [](const double* a) { return m::ndtri(a[0]); }},
      {"entr", [](const double* a) { return m::entr(a[0]); }},
      {"zeta", [](const double* a) { return m::zeta(a[0], a[1]); }},
      {"igamma", [](const double* a) { return m::igamma(a[0], a[1]); }},
      {"igammac", [](const double* a) { return m::igammac(a[0], a[1]); }},
      {"polygamma", [](const double* a) { return m::polygamma(int64_t(a[0]), a[1]); }},
      {"chebyshev_polynomial_t",
       [](const double* a) { return m::chebyshev_polynomial_t(a[0], a[1]); }},
      {"chebyshev_polynomial_u",
       [](const double* a) { return m::chebyshev_polynomial_u(a[0], a[1]); }},
      {"chebyshev_polynomial_v",
       [](const double* a) { return m::chebyshev_polynomial_v(a[0], a[1]); }},
      {"chebyshev_polynomial_w",
       [](const double* a) { return m::chebyshev_polynomial_w(a[0], a[1]); }},
      {"shifted_chebyshev_polynomial_t",
       [](const double* a) { return m::shifted_chebyshev_polynomial_t(a[0], a[1]); }},
      {"shifted_chebyshev_polynomial_u",
       [](const double* a) { return m::shifted_chebyshev_polynomial_u(a[0], a[1]); }},
      {"hermite_polynomial_h", [](const double* a) { return m::hermite_polynomial_h(a[0], a[1]); }},
      {"hermite_polynomial_he",
       [](const double* a) { return m::hermite_polynomial_he(a[0], a[1]); }},
      {"laguerre_polynomial_l",
       [](const double* a) { return m::laguerre_polynomial_l(a[0], a[1]); }},
      {"legendre_polynomial_p",
       [](const double* a) { return m::legendre_polynomial_p(a[0], a[1]); }},
  };
  for (const Function& f : kFunctions)
    if (!std::strcmp(f.name, name)) return &f;
  return nullptr;
}

static const Row kRows[] = {
#include "scalar_special_values.inc"
};

static int failures = 0;
static void check(bool good, const char* what, double got) {
  if (!good) std::printf("FAILED %s: got %.17g\n", what, got), ++failures;
}

// Relative to the value, or to 1 where it is small because terms of order 1 cancel.
static void run_rows() {
  double worst = 0;
  const Row* at = kRows;
  for (const Row& row : kRows) {
    const Function* f = find(row.name);
    double got = f ? f->call(row.args) : NAN;
    double error = std::abs(got - row.want) / std::abs(row.want);
    if (!(error <= worst)) worst = error, at = &row;
    check(error < 2e-14, row.name, got);
  }
  std::printf("largest relative error %.2e in %s(%g, %g)\n", worst, at->name, at->args[0],
              at->args[1]);
}

static void run_edges() {
  const double inf = INFINITY;
  check(m::digamma(0.0) == -inf && m::digamma(-0.0) == inf, "digamma(0)", m::digamma(0.0));
  check(std::isnan(m::digamma(-2.0)), "digamma(-2)", m::digamma(-2.0));
  check(m::zeta(1.0, 3.0) == inf, "zeta(1, q)", m::zeta(1.0, 3.0));
  check(std::isnan(m::zeta(0.5, 3.0)), "zeta(0.5, q)", m::zeta(0.5, 3.0));
  check(m::igamma(2.0, 0.0) == 0 && m::igammac(2.0, 0.0) == 1, "igamma(a, 0)", 0);
  check(m::igamma(2.0, inf) == 1 && m::igammac(2.0, inf) == 0, "igamma(a, inf)", 1);
  check(std::isnan(m::igamma(-1.0, 1.0)), "igamma(-1, x)", m::igamma(-1.0, 1.0));
  check(std::abs(m::igamma(1e8, 1e8) - 0.50001329807601) < 1e-13, "igamma(1e8, 1e8)",
        m::igamma(1e8, 1e8));
  check(m::modified_bessel_k0(0.0) == inf && std::isnan(m::modified_bessel_k0(-1.0)), "k0 edge", 0);
  check(m::i0(inf) == inf && m::i0e(inf) == 0 && m::i1e(-inf) == 0, "i0(inf)", m::i0(inf));
  check(m::ndtri(0.0) == -inf && m::ndtri(1.0) == inf && std::isnan(m::ndtri(1.5)), "ndtri edge",
        0);
  check(m::entr(0.0) == 0 && m::entr(-1.0) == -inf, "entr edge", m::entr(0.0));
  check(m::airy_ai(inf) == 0 && m::spherical_bessel_j0(inf) == 0, "at infinity", 0);
  check(m::legendre_polynomial_p(0.5, -1.0) == 0, "negative degree", 0);
}

int main() {
  run_rows();
  run_edges();
  std::printf("%d failed\n", failures);
  return failures != 0;
}
