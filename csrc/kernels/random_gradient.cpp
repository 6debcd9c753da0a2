// How gamma and beta numbers move with their shape parameters: dx/dθ = -(dF/dθ) / (dF/dx) at a
// fixed value of the distribution function F (Figurnov, Mohamed and Mnih, "Implicit
// reparameterization gradients", 2018). F is a power times a series or a continued fraction, whose
// derivative dual numbers carry along. The samplers themselves are in random_sampler.cpp.
#include <algorithm>
#include <cmath>
#include <limits>

#include "plan/call.h"
#include "plan/copy.h"
#include "plan/parallel.h"
#include "scalar/special.h"

namespace rl {
namespace {

// A value and its derivative in the shape parameter.
struct Dual {
  double v, d = 0;
};
Dual operator+(Dual a, Dual b) { return {a.v + b.v, a.d + b.d}; }
Dual operator+(Dual a, double b) { return {a.v + b, a.d}; }
Dual operator-(Dual a) { return {-a.v, -a.d}; }
Dual operator*(Dual a, Dual b) { return {a.v * b.v, a.d * b.v + a.v * b.d}; }
Dual operator*(Dual a, double b) { return {a.v * b, a.d * b}; }
Dual operator/(Dual a, Dual b) { return {a.v / b.v, (a.d - a.v / b.v * b.d) / b.v}; }

constexpr double kAccuracy = 1e-13;

// first + p(1) / (q(1) + p(2) / (q(2) + ...)) by the modified method of Lentz (W. J. Lentz,
// "Generating Bessel functions in Mie scattering calculations using continued fractions", 1976),
// until neither value nor derivative changes. About the root of the largest parameter is the number
// of steps.
template <class P, class Q>
Dual continued_fraction(Dual first, double largest, P&& p, Q&& q) {
  constexpr double kNotZero = 1e-300;
  Dual f = first, c = first, d = {0};
  auto limit = static_cast<int64_t>(200 + 20 * std::sqrt(largest));
  for (int64_t n = 1; n < limit; ++n) {
    Dual numerator = p(n), denominator = q(n);
    d = denominator + numerator * d;
    c = denominator + numerator / c;
    if (d.v == 0) d.v = kNotZero;
    if (c.v == 0) c.v = kNotZero;
    d = Dual{1} / d;
    Dual step = c * d;
    f = f * step;
    if (std::fabs(step.v - 1) < kAccuracy && std::fabs(step.d * f.v) <= kAccuracy * std::fabs(f.d))
      break;
  }
  return f;
}

// Γ(a + 1) e^x x^-a P(a, x) (DLMF 8.7.1), a sum of positive terms.
Dual gamma_series(double a, double x) {
  Dual term{1}, sum{1};
  for (double n = 1; term.v > kAccuracy * sum.v * 1e-3; ++n) {
    term = term * Dual{x} / Dual{a + n, 1};
    sum = sum + term;
  }
  return sum;
}

// Γ(a) e^x x^-a Q(a, x) (DLMF 8.9.2).
Dual gamma_fraction(double a, double x) {
  Dual below = continued_fraction(
      {x + 1 - a, -1}, x, [&](double n) { return Dual{n * (a - n), n}; },
      [&](double n) { return Dual{x + 1 - a + 2 * n, -1}; });
  return Dual{1} / below;
}

// For very large shapes, from the first terms of the expansion of a quantile (E. A. Cornish and
// R. A. Fisher, "Moments and cumulants in the specification of distributions", 1938):
// x = a + z √a + (z² - 1) / 3 + O(1/√a).
double gamma_gradient_of_large(double a, double x) {
  double root = std::sqrt(a), z = (x - a) / root;
  z -= (z * z - 1) / (3 * root);
  return 1 + z / (2 * root);
}

double gamma_gradient(double a, double x) {
  if (x == 0) return 0;
  if (!(a > 0) || !(x > 0) || !std::isfinite(a) || !std::isfinite(x))
    return std::numeric_limits<double>::quiet_NaN();
  if (a > 1e6) return gamma_gradient_of_large(a, x);
  if (x <= std::fmax(a, 1)) {
    Dual s = gamma_series(a, x);
    return -(x / a) * ((std::log(x) - math::digamma(a + 1)) * s.v + s.d);
  }
  Dual f = gamma_fraction(a, x);
  return x * ((std::log(x) - math::digamma(a)) * f.v + f.d);
}

// a B(a, b) x^-a (1 - x)^-b I_x(a, b) (DLMF 8.17.22), quick for x < (a + 1) / (a + b + 2).
Dual beta_fraction(Dual a, Dual b, double x) {
  auto coefficient = [&](double n) {
    double m = std::floor(n / 2);
    if (n == 2 * m) return (b + -m) * (m * x) / ((a + (n - 1)) * (a + n));
    return -((a + m) * (a + b + m) * x) / ((a + (n - 1)) * (a + n));
  };
  Dual below =
      continued_fraction({1}, std::fmax(a.v, b.v), coefficient, [](double) { return Dual{1}; });
  return Dual{1} / below;
}

// dx/da of a beta number x of shapes a and b, over 1 - x.
double dirichlet_gradient(double x, double a, double total) {
  double b = total - a;
  if (!(x >= 0) || !(x <= 1) || !(a > 0) || !std::isfinite(total))
    return std::numeric_limits<double>::quiet_NaN();
  if (x == 0 || b <= 0) return 0;
  double score = std::log(x) + math::digamma(total);
  if (x * (total + 2) < a + 1) {
    Dual f = beta_fraction({a, 1}, {b, 0}, x);
    return -(x / a) * ((score - math::digamma(a + 1)) * f.v + f.d);
  }
  Dual f = beta_fraction({b, 0}, {a, 1}, 1 - x);
  return (x / b) * ((score - math::digamma(a)) * f.v + f.d);
}

template <int N, class T, class F>
void each(Call& c, F&& f) {
  Ref<Tensor> inputs[N];
  const T* x[N];
  for (int i = 0; i < N; ++i) {
    inputs[i] = contiguous(c.tensor(i));
    x[i] = inputs[i]->template data<T>();
  }
  T* out = c.out(0).data<T>();
  parallel_for(c.out(0).numel, 64, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) out[i] = static_cast<T>(f(x, i));
  });
}

template <int N, class F>
void over_elements(Call& c, F&& f) {
  if (c.out(0).dtype == DType::F64) return each<N, double>(c, f);
  each<N, float>(c, f);
}

template <int N>
void infer(Call& c) {
  Tensor& first = c.tensor(0);
  if (first.dtype != DType::F32 && first.dtype != DType::F64)
    fail(ErrorKind::NotImplemented, c.op, ": expected float32 or float64, got ", first.dtype,
         "; convert the tensor with .float() first");
  for (int i = 1; i < N; ++i) {
    Tensor& other = c.tensor(i);
    RL_CHECK(other.dtype == first.dtype, c.op, ": expected ", first.dtype,
             " for every tensor, got ", other.dtype);
    bool same = std::equal(other.sizes().begin(), other.sizes().end(), first.sizes().begin(),
                           first.sizes().end());
    RL_CHECK(same, c.op, ": expected tensors of one shape, got ", first.sizes(), " and ",
             other.sizes());
  }
  c.add_out(first.sizes(), first.dtype);
}
void run_gamma(Call& c) {
  over_elements<2>(c, [](auto x, int64_t i) { return gamma_gradient(x[0][i], x[1][i]); });
}
void run_dirichlet(Call& c) {
  over_elements<3>(c,
                   [](auto x, int64_t i) { return dirichlet_gradient(x[0][i], x[1][i], x[2][i]); });
}
RL_KERNEL("_standard_gamma_grad", infer<2>, run_gamma);
RL_KERNEL("_dirichlet_grad", infer<3>, run_dirichlet);

}  // namespace
}  // namespace rl
