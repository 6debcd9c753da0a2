// How gamma and beta numbers move with their shape parameters: dx/dθ = -(dF/dθ) / p(x) at a fixed
// value of the distribution function F, with density p (Figurnov, Mohamed and Mnih, "Implicit
// reparameterization gradients", 2018). dF/dθ is the integral of p times the score d(log p)/dθ over
// the tail on either side of x. The samplers themselves are in random_sampler.cpp.
#include <algorithm>
#include <cmath>
#include <limits>

#include "plan/call.h"
#include "plan/copy.h"
#include "plan/isa.h"
#include "plan/parallel.h"
#include "scalar/elementary.h"
#include "scalar/special.h"

namespace rl {
namespace RL_ISA_NS {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
// Tails are cut where the density has fallen by exp(-23), which is 1e-10; the rule is as exact.
constexpr double kDecay = 23;

// Nodes and weights of Gauss and Legendre for [0, 1].
constexpr int kNodes = 16;
alignas(64) constexpr double kNode[kNodes] = {
    0.005299532504175031, 0.0277124884633837, 0.06718439880608412, 0.1222977958224985,
    0.19106187779867811,  0.2709916111713863, 0.35919822461037054, 0.4524937450811813,
    0.5475062549188188,   0.6408017753896295, 0.7290083888286136,  0.8089381222013219,
    0.8777022041775016,   0.9328156011939159, 0.9722875115366163,  0.994700467495825};
alignas(64) constexpr double kWeight[kNodes] = {
    0.013576229705877088, 0.031126761969323728, 0.0475792558412463,   0.062314485627767036,
    0.07479799440828835,  0.08457825969750132,  0.09130170752246182,  0.09472530522753432,
    0.09472530522753432,  0.09130170752246182,  0.08457825969750132,  0.07479799440828835,
    0.062314485627767036, 0.0475792558412463,   0.031126761969323728, 0.013576229705877088};

// Where a convex decay, of value 0 at 0, reaches kDecay: Newton's method, from the quadratic that
// has the decay's slope and curvature at 0.
template <class Tail>
auto reach(const Tail& tail) {
  using T = decltype(tail.curvature());
  constexpr T kFall = T(kDecay);
  T first = tail.slope(T(0)), slope = first > T(0) ? first : T(0);
  T v = 2 * kFall / (slope + math::sqrt(slope * slope + 2 * kFall * tail.curvature()));
#pragma GCC unroll 4  // or a loop over this would not vectorise
  for (int i = 0; i < 4; ++i) v += (kFall - tail.decay(v)) / tail.slope(v);
  return v;
}

// The integral over v > 0 of exp(-decay(v)) * score(v).
template <class Tail>
double integral(const Tail& tail) {
  double end = reach(tail), sum = 0;
  alignas(64) double terms[kNodes];
  for (int i = 0; i < kNodes; ++i) {
    double v = end * kNode[i];
    terms[i] = kWeight[i] * math::exp(-tail.decay(v)) * tail.score(v);
  }
  for (double term : terms) sum += term;
  return end * sum;
}

// exp(v) - 1 - v for |v| <= 4, by its series at v / 16 and four doublings, which for either sign
// add positive numbers only.
template <class T>
T exp_less_line(T v) {
  T h = v * T(0.0625), curve;
  if constexpr (sizeof(T) == sizeof(float))
    curve = math::horner(h, T(1.0 / 2), T(1.0 / 6), T(1.0 / 24), T(1.0 / 120), T(1.0 / 720));
  else
    curve = math::horner(h, T(1.0 / 2), T(1.0 / 6), T(1.0 / 24), T(1.0 / 120), T(1.0 / 720),
                         T(1.0 / 5040), T(1.0 / 40320), T(1.0 / 362880));
  T y = h * h * curve;
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    T rise = h + y;
    y = math::mad(rise, rise, y + y), h += h;
  }
  return y;
}

// The tails of a gamma density at t = x exp(kSide v), where the density times t falls from its
// value at x by exp(-decay(v)). The difference of a and x is taken before it is multiplied, as both
// may be large.
template <class T, int Side>
struct GammaTail {
  static constexpr T kSide = Side;
  T a, x, score_here;
  T drop() const { return kSide * (x - a); }
  T decay(T v) const { return math::mad(drop(), v, x * exp_less_line(kSide * v)); }
  T slope(T v) const { return math::mad(x, v + kSide * exp_less_line(kSide * v), drop()); }
  T curvature() const { return x; }
  T score(T v) const { return math::mad(kSide, v, score_here); }
};

// A value and its derivative in the shape parameter.
struct Dual {
  double v, d = 0;
};
Dual operator+(Dual a, Dual b) { return {a.v + b.v, a.d + b.d}; }
Dual operator+(Dual a, double b) { return {a.v + b, a.d}; }
Dual operator-(Dual a) { return {-a.v, -a.d}; }
Dual operator*(Dual a, Dual b) { return {a.v * b.v, a.d * b.v + a.v * b.d}; }
Dual operator*(Dual a, double b) { return {a.v * b, a.d * b}; }
Dual reciprocal(Dual a) {
  double r = 1 / a.v;
  return {r, -a.d * r * r};
}

constexpr double kAccuracy = 1e-12;

// Gamma numbers are taken by pieces, each number by one of these methods, so that each method has
// loops over many. All have one length at most, and out may be x.
constexpr int64_t kPiece = 256, kWhole = 16;

// For small x: P(a, x) = x^a e^-x / Γ(a + 1) times a sum of positive terms (DLMF 8.7.1). Terms and
// sum with their derivatives in a.
template <class T>
[[gnu::flatten]] void gamma_by_series(const double* a, const double* x, double* out, int64_t n) {
  double term[kPiece], slope[kPiece], sum[kPiece], sum_slope[kPiece];
  for (int64_t i = 0; i < n; ++i) term[i] = sum[i] = 1, slope[i] = sum_slope[i] = 0;
  constexpr double accuracy = sizeof(T) == sizeof(float) ? 1e-9 : kAccuracy;
  int64_t left = 1;
  for (double k = 1; left; ++k) {
    left = 0;
    for (int64_t i = 0; i < n; ++i) {
      double inverse = 1 / (a[i] + k), by = x[i] * inverse;
      term[i] *= by;
      slope[i] = slope[i] * by - term[i] * inverse;
      sum[i] += term[i], sum_slope[i] += slope[i];
      left |= term[i] > accuracy * sum[i];
    }
  }
#pragma GCC ivdep
  for (int64_t i = 0; i < n; ++i)
    out[i] = -(x[i] / a[i]) * ((math::log(x[i]) - math::digamma(a[i] + 1)) * sum[i] + sum_slope[i]);
}
// exp(-decay), of which ten digits are enough.
double fallen(double decay) {
  return math::exp2_for_float(decay * -math::ExpConst<double>::kLog2e);
}
float fallen(float decay) { return math::exp_normal(-decay); }

template <class T, int Side>
[[gnu::flatten]] void gamma_by_integral(const double* a, const double* x, double* out, int64_t n) {
  using Tail = GammaTail<T, Side>;
  T shape[kPiece], at[kPiece], score[kPiece], end[kPiece], sum[kPiece];
#pragma GCC ivdep
  for (int64_t i = 0; i < n; ++i) {
    score[i] = T(math::log(x[i]) - math::digamma(a[i]));
    shape[i] = T(a[i]), at[i] = T(x[i]);
  }
#pragma GCC ivdep
  for (int64_t i = 0; i < n; ++i) end[i] = reach(Tail{shape[i], at[i], score[i]}), sum[i] = 0;
  for (int k = 0; k < kNodes; ++k) {
    const T node = T(kNode[k]), weight = T(kWeight[k]);
#pragma GCC ivdep
    for (int64_t i = 0; i < n; ++i) {
      Tail tail{shape[i], at[i], score[i]};
      T v = end[i] * node;
      sum[i] += weight * fallen(tail.decay(v)) * tail.score(v);
    }
  }
  for (int64_t i = 0; i < n; ++i) out[i] = double(Tail::kSide * at[i] * (end[i] * sum[i]));
}

enum GammaMethod { kAtOnce, kSeries, kBelow, kAbove, kGammaMethods };
// Numbers of any kind are next to each other, so this has no branch to predict but for rare ones.
GammaMethod gamma_method(double a, double x) {
  bool usual =
      (a > 0) & (x > 0) & ((a <= 1e10) | (x < 1)) & (x < std::numeric_limits<double>::infinity());
  bool series = (x < 1) | ((x <= a) & (a < 10));
  return static_cast<GammaMethod>(usual ? (series ? kSeries : kBelow + (x > a)) : kAtOnce);
}
double gamma_at_once(double a, double x) {
  if (x == 0) return 0;
  if (!(a > 0) || !(x > 0) || !std::isfinite(a) || !std::isfinite(x)) return kNan;
  return 0.5 * (1 + x / a);  // from x = a + z √a + ..., z fixed
}

struct GammaPiece {
  int64_t count = 0, place[kPiece];
  double a[kPiece], x[kPiece];
};
template <class T>
void gamma_piece(const T* a, const T* x, T* out, int64_t n) {
  GammaPiece pieces[kGammaMethods];
  for (int64_t i = 0; i < n; ++i) {
    GammaPiece& p = pieces[gamma_method(a[i], x[i])];
    p.place[p.count] = i, p.a[p.count] = a[i], p.x[p.count++] = x[i];
  }
  // In whole vectors, the last one filled up by numbers that there are already.
  auto take = [&](GammaMethod method, auto&& run) {
    GammaPiece& p = pieces[method];
    if (!p.count) return;
    int64_t whole = (p.count + kWhole - 1) / kWhole * kWhole;
    for (int64_t i = p.count; i < whole; ++i) p.a[i] = p.a[0], p.x[i] = p.x[0];
    run(p.a, p.x, p.x, whole);
    for (int64_t i = 0; i < p.count; ++i) out[p.place[i]] = static_cast<T>(p.x[i]);
  };
  take(kAtOnce, [](const double* a, const double* x, double* out, int64_t n) {
    for (int64_t i = 0; i < n; ++i) out[i] = gamma_at_once(a[i], x[i]);
  });
  take(kSeries, gamma_by_series<T>);
  take(kBelow, gamma_by_integral<T, -1>);
  take(kAbove, gamma_by_integral<T, 1>);
}

// The tails of a beta density, x the end of the tail at 0: those at t = x exp(-v), whose scores in
// their own shape are linear, and the same seen from the other shape, whose score is log(1 - t).
struct BetaTail {
  double a, b, odds, score_here;
  double decay(double v) const { return a * v - (b - 1) * math::log1p(-odds * math::expm1(-v)); }
  double slope(double v) const {
    double e = odds * math::exp(-v);
    return a - (b - 1) * e / (1 + odds - e);
  }
  double curvature() const { return std::fmax(b - 1, 0) * odds * (1 + odds); }
};
struct BetaOwn : BetaTail {
  double score(double v) const { return score_here - v; }
};
struct BetaOther : BetaTail {
  double score(double v) const { return score_here + math::log1p(-odds * math::expm1(-v)); }
};

// first + p(1) / (q + p(2) / (q + ...)), q = 1, by the modified method of Lentz ("Generating Bessel
// functions in Mie scattering calculations using continued fractions", 1976), until neither value
// nor derivative changes. About the root of the largest parameter is the number of steps.
template <class P>
Dual continued_fraction(double largest, P&& p) {
  Dual f{1}, c{1}, d{0};
  auto limit = static_cast<int64_t>(200 + 20 * std::sqrt(largest));
  for (int64_t n = 1; n < limit; ++n) {
    Dual numerator = p(static_cast<double>(n));
    d = reciprocal(numerator * d + 1);
    c = numerator * reciprocal(c) + 1;
    Dual step = c * d;
    f = f * step;
    if (std::fabs(step.v - 1) < kAccuracy && std::fabs(step.d * f.v) <= kAccuracy * std::fabs(f.d))
      break;
  }
  return f;
}

// a B(a, b) x^-a (1 - x)^-b I_x(a, b) (DLMF 8.17.22), quick for x < (a + 1) / (a + b + 2).
Dual beta_fraction(Dual a, Dual b, double x) {
  Dual below = continued_fraction(std::fmax(a.v, b.v), [&](double n) {
    double m = std::floor(n / 2);
    Dual denominator = reciprocal((a + (n - 1)) * (a + n));
    if (n == 2 * m) return (b + -m) * (m * x) * denominator;
    return -((a + m) * (a + b + m) * denominator) * x;
  });
  return reciprocal(below);
}

// dx/da of a beta number x of shapes a and b = total - a, over 1 - x.
double dirichlet_gradient(double x, double a, double total) {
  double b = total - a;
  if (!(x >= 0) || !(x <= 1) || !(a > 0) || !std::isfinite(total)) return kNan;
  if (x == 0 || b <= 0) return 0;
  double score = std::log(x) + math::digamma(total) - math::digamma(a);
  bool below = x * (total + 2) < a + 1, smooth = std::fmin(a, b) >= 2 && x < 1;
  if (smooth && below) return -x / (1 - x) * integral(BetaOwn{{a, b, x / (1 - x), score}});
  if (smooth) return integral(BetaOther{{b, a, (1 - x) / x, score}});
  if (below) {
    Dual f = beta_fraction({a, 1}, {b, 0}, x);
    return -(x / a) * ((score - 1 / a) * f.v + f.d);
  }
  Dual f = beta_fraction({b, 0}, {a, 1}, 1 - x);
  return (x / b) * (score * f.v + f.d);
}

// f(x, out, n) for pieces of the inputs x and of the output.
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
    const T* part[N];
    for (int64_t i = begin; i < end; i += kPiece) {
      for (int k = 0; k < N; ++k) part[k] = x[k] + i;
      f(part, out + i, std::min(end - i, kPiece));
    }
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
  over_elements<2>(c, [](auto x, auto out, int64_t n) { gamma_piece(x[0], x[1], out, n); });
}
void run_dirichlet(Call& c) {
  over_elements<3>(c, [](auto x, auto out, int64_t n) {
    for (int64_t i = 0; i < n; ++i)
      out[i] = static_cast<std::remove_reference_t<decltype(out[0])>>(
          dirichlet_gradient(x[0][i], x[1][i], x[2][i]));
  });
}
RL_ISA_KERNEL("_standard_gamma_grad", infer<2>, run_gamma);
RL_ISA_KERNEL("_dirichlet_grad", infer<3>, run_dirichlet);

}  // namespace
}  // namespace RL_ISA_NS
}  // namespace rl
