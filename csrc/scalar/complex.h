// Elementary functions of complex numbers, as overloads rl::math::f(Complex<T>). Arithmetic is in
// core/complex.h. Everything is computed in double; the overloads for float, at the end, round
// once, which also keeps their intermediates from overflowing. Branches are welcome; loops are at
// the end. Branch cuts and special values follow C99's annex G. To add one: write it for double,
// add its name to the list after them.
#pragma once

#include <cstring>

#include "core/complex.h"
#include "elementary.h"

namespace rl::math {

using Z = Complex<double>;

static inline bool is_inf(double x) { return abs(x) == kInf<double>; }
static inline bool is_finite(double x) { return abs(x) < kInf<double>; }
static inline bool is_nan(Z z) { return is_nan(z.re) || is_nan(z.im); }
static inline double copy_sign(double x, double sign) { return with_sign(abs(x), sign); }
static inline Z times_i(Z z) { return {-z.im, z.re}; }
static inline Z over_i(Z z) { return {z.im, -z.re}; }
static inline Z conj(Z z) { return {z.re, -z.im}; }

static inline double abs(Z z) { return hypot(z.re, z.im); }
static inline double angle(Z z) { return atan2(z.im, z.re); }
static inline Z square(Z z) { return z * z; }
static inline Z reciprocal(Z z) { return Z{1.0, 0.0} / z; }
// z/|z|, and zero at zero.
static inline Z sgn(Z z) {
  double a = abs(z);
  return a == 0.0 ? Z{0.0, 0.0} : Z{z.re / a, z.im / a};
}

// exp(x) * m without overflow before the product; m is at most 1.
static inline double exp_times(double x, double m) {
  if (x < 700.0) return exp(x) * m;
  double half = exp(0.5 * x);
  return half * m * half;
}

static inline Z exp(Z z) {
  if (z.im == 0.0) return {exp(z.re), z.im};
  if (z.re == -kInf<double> && !is_finite(z.im)) return {0.0, 0.0};
  if (z.re == kInf<double> && !is_finite(z.im)) return {kInf<double>, kNan<double>};
  return {exp_times(z.re, cos(z.im)), exp_times(z.re, sin(z.im))};
}

// log|z|, accurate near |z| = 1 where hypot has rounded the interesting part away.
static inline double log_abs(Z z) {
  double a = abs(z.re), b = abs(z.im), longer = a > b ? a : b, shorter = a > b ? b : a;
  if (longer > 0.5 && longer < 1.5 && shorter < 1.5) {
    Pair aa = exact_product(longer, longer), bb = exact_product(shorter, shorter);
    Pair s = exact_sum(aa.hi - 1.0, bb.hi);
    double excess = s.hi + (s.lo + (aa.lo + bb.lo));
    if (excess > -0.5 && excess < 1.0) return 0.5 * log1p(excess);
  }
  if (longer > 1e300) return log(hypot(0.25 * a, 0.25 * b)) + 1.38629436111989061883;
  if (longer < 1e-290) return log(hypot(a * 0x1p200, b * 0x1p200)) - 138.629436111989061883;
  return log(hypot(a, b));
}
static inline Z log(Z z) { return {log_abs(z), angle(z)}; }
static inline Z log2(Z z) {
  Z l = log(z);
  return {l.re * LogConst<double>::kLog2eHi, l.im * LogConst<double>::kLog2eHi};
}
static inline Z log10(Z z) {
  Z l = log(z);
  return {l.re * LogConst<double>::kLog10eHi, l.im * LogConst<double>::kLog10eHi};
}
// log(1 + z), accurate for small z.
static inline Z log1p(Z z) {
  double a = abs(z);
  if (a > 0.5 || is_nan(z)) return log(Z{1.0 + z.re, z.im});
  Pair rr = exact_product(z.re, z.re), ii = exact_product(z.im, z.im);
  Pair s = exact_sum(2.0 * z.re, rr.hi), t = exact_sum(s.hi, ii.hi);
  double excess = t.hi + (t.lo + s.lo + (rr.lo + ii.lo));
  return {0.5 * log1p(excess), atan2(z.im, 1.0 + z.re)};
}
static inline Z expm1(Z z) {
  double half_sin = sin(0.5 * z.im), e = expm1(z.re);
  if (z.im == 0.0) return {e, z.im};
  if (!is_finite(z.re) || !is_finite(z.im) || z.re > 700.0) return exp(z) - Z{1.0, 0.0};
  return {e * cos(z.im) - 2.0 * half_sin * half_sin, exp(z.re) * sin(z.im)};
}
static inline Z exp2(Z z) {
  constexpr double kLn2 = 0.693147180559945309417;
  if (z.im == 0.0) return {exp2(z.re), z.im};
  return exp(Z{z.re * kLn2, z.im * kLn2});
}

// The half of z nearer the positive real axis, by Kahan (1987): no cancellation, no overflow.
static inline Z sqrt(Z z) {
  if (is_inf(z.im)) return {kInf<double>, z.im};
  if (z.re == 0.0 && z.im == 0.0) return {0.0, z.im};
  if (is_inf(z.re)) {
    double rest = is_nan(z.im) ? z.im : 0.0;
    if (z.re > 0.0) return {z.re, copy_sign(rest, z.im)};
    return {rest, copy_sign(kInf<double>, z.im)};
  }
  double longer = abs(z.re) > abs(z.im) ? abs(z.re) : abs(z.im);
  double scale = longer > 1e300 ? 0x1p-4 : longer < 1e-290 ? 0x1p200 : 1.0;
  double back = longer > 1e300 ? 0x1p2 : longer < 1e-290 ? 0x1p-100 : 1.0;
  double re = z.re * scale, im = z.im * scale;
  double t = sqrt(0.5 * (abs(re) + hypot(re, im)));
  if (re >= 0.0) return {t * back, im / (2.0 * t) * back};
  return {abs(im) / (2.0 * t) * back, copy_sign(t * back, z.im)};
}
static inline Z rsqrt(Z z) { return reciprocal(sqrt(z)); }

static inline Z pow(Z x, Z y) {
  if (y.re == 0.0 && y.im == 0.0) return {1.0, 0.0};
  if (x.re == 0.0 && x.im == 0.0) {
    if (y.re > 0.0) return {0.0, 0.0};
    return {y.re < 0.0 && y.im == 0.0 ? kInf<double> : kNan<double>, kNan<double>};
  }
  if (y.re == 1.0 && y.im == 0.0) return x;
  if (y.re == 2.0 && y.im == 0.0) return x * x;
  if (y.im == 0.0) {  // modulus and angle apart: no cancellation
    double r = pow(abs(x), y.re), t = angle(x) * y.re;
    return t == 0.0 ? Z{r, t} : Z{r * cos(t), r * sin(t)};
  }
  Z l = log(x);
  return exp(l * y);
}

// sinh z = sinh x cos y + i cosh x sin y.
static inline Z sinh(Z z) {
  double x = z.re, y = z.im;
  if (y == 0.0) return {sinh(x), y};
  if (x == 0.0) return {is_finite(y) ? copy_sign(0.0, x * cos(y)) : x, sin(y)};
  if (is_inf(x) && !is_finite(y)) return {x, kNan<double>};
  if (abs(x) < 700.0) return {sinh(x) * cos(y), cosh(x) * sin(y)};
  return {copy_sign(1.0, x) * exp_times(abs(x), 0.5 * cos(y)), exp_times(abs(x), 0.5 * sin(y))};
}
static inline Z cosh(Z z) {
  double x = z.re, y = z.im;
  if (y == 0.0) return {cosh(x), copy_sign(0.0, x) * y};
  if (x == 0.0) return {cos(y), is_finite(y) ? x * sin(y) : 0.0};
  if (is_inf(x) && !is_finite(y)) return {kInf<double>, kNan<double>};
  if (abs(x) < 700.0) return {cosh(x) * cos(y), sinh(x) * sin(y)};
  double im = exp_times(abs(x), 0.5 * sin(y));
  return {exp_times(abs(x), 0.5 * cos(y)), copy_sign(1.0, x) * im};
}
// By Kahan (1987), with t = tan y and s = sinh x.
static inline Z tanh(Z z) {
  double x = z.re, y = z.im;
  if (is_inf(x)) {
    double side = is_finite(y) ? copy_sign(0.0, sin(2.0 * y)) : 0.0;
    return {copy_sign(1.0, x), side};
  }
  if (y == 0.0) return {tanh(x), y};
  if (!is_finite(y)) return {x == 0.0 ? x : kNan<double>, kNan<double>};
  if (abs(x) > 22.0) {
    double e = exp(-abs(x));
    return {copy_sign(1.0, x), 4.0 * sin(y) * cos(y) * e * e};
  }
  if (x == 0.0) return {x, tan(y)};
  double t = tan(y), s = sinh(x), beta = 1.0 + t * t, rho = sqrt(1.0 + s * s);
  if (is_inf(beta)) return {rho / s, 1.0 / t};
  double d = 1.0 + beta * s * s;
  return {beta * rho * s / d, t / d};
}
static inline Z sin(Z z) { return over_i(sinh(times_i(z))); }
static inline Z cos(Z z) { return cosh(times_i(z)); }
static inline Z tan(Z z) { return over_i(tanh(times_i(z))); }

static inline Z sigmoid(Z z) { return reciprocal(Z{1.0, 0.0} + exp(-z)); }

// asin and acos in the first quadrant, by Hull, Fairgrieve and Tang (1997): `turn` is the angle
// asin's real part (acos's is its complement, computed on its own), `growth` the imaginary part.
struct ArcParts {
  double turn, complement, growth;
};
static inline ArcParts arc_parts(double x, double y) {
  constexpr double kLn2 = 0.693147180559945309417, kHalfPi = 1.57079632679489661923;
  if (x > 1e8 || y > 1e8 || is_inf(x) || is_inf(y))
    return {atan2(x, y), atan2(y, x), log_abs(Z{x, y}) + kLn2};
  double r = hypot(x + 1.0, y), s = hypot(x - 1.0, y), a = 0.5 * (r + s), b = x / a;
  double right = y * y / (r + (x + 1.0));
  double left = x <= 1.0 ? s + (1.0 - x) : y * y / (s + (x - 1.0));
  double across = x <= 1.0
                      ? sqrt(0.5 * (a + x) * (right + left))
                      : y * sqrt(0.5 * ((a + x) / (r + (x + 1.0)) + (a + x) / (s + (x - 1.0))));
  ArcParts p;
  p.turn = b <= 0.6417 ? asin(b) : atan2(x, across);
  p.complement = b <= 0.6417 ? acos(b) : atan2(across, x);
  double near = x < 1.0 ? (y == 0.0 ? 0.0 : y * y / (s + (1.0 - x))) : s + (x - 1.0);
  double excess = 0.5 * (right + near);
  p.growth = a <= 1.5 ? log1p(excess + sqrt(excess * (a + 1.0))) : log(a + sqrt(a * a - 1.0));
  if (x < 1.0 && y < 1e-150) p.growth = y == 0.0 ? 0.0 : y / sqrt((1.0 - x) * (1.0 + x));
  if (is_nan(p.complement)) p.complement = kHalfPi - p.turn;
  return p;
}
static inline Z asin(Z z) {
  if (is_nan(z)) {
    if (is_inf(z.re) || is_inf(z.im)) return {kNan<double>, is_inf(z.im) ? z.im : kInf<double>};
    return {z.re == 0.0 ? z.re : kNan<double>, kNan<double>};
  }
  auto [turn, complement, growth] = arc_parts(abs(z.re), abs(z.im));
  return {copy_sign(turn, z.re), copy_sign(growth, z.im)};
}
static inline Z acos(Z z) {
  constexpr double kPi = 3.14159265358979323846, kHalfPi = 0.5 * kPi;
  if (is_nan(z)) {
    if (is_inf(z.re) || is_inf(z.im)) return {kNan<double>, is_inf(z.im) ? -z.im : -kInf<double>};
    return {z.re == 0.0 ? kHalfPi : kNan<double>, kNan<double>};
  }
  auto [turn, complement, growth] = arc_parts(abs(z.re), abs(z.im));
  return {sign_bit(z.re) ? kPi - complement : complement, copy_sign(growth, -z.im)};
}
static inline Z asinh(Z z) { return over_i(asin(times_i(z))); }
// acosh = +-i acos, with the sign that makes the real part positive.
static inline Z acosh(Z z) {
  Z c = acos(z);
  return sign_bit(z.im) ? Z{abs(c.im), -c.re} : Z{abs(c.im), c.re};
}
static inline Z atanh(Z z) {
  constexpr double kHalfPi = 1.57079632679489661923;
  double x = abs(z.re), y = abs(z.im);
  if (is_inf(x) || is_inf(y))
    return {copy_sign(0.0, z.re), is_nan(y) ? y : copy_sign(kHalfPi, z.im)};
  if (is_nan(z)) return {x == 0.0 ? z.re : kNan<double>, kNan<double>};
  if (x > 1e150 || y > 1e150) {
    double h = hypot(0.5 * x, 0.5 * y);
    return {copy_sign(0.25 * x / h / h, z.re), copy_sign(kHalfPi, z.im)};
  }
  double away = (1.0 - x) * (1.0 - x) + y * y;
  double re = away == 0.0 && y == 0.0 ? kInf<double> : 0.25 * log1p(4.0 * x / away);
  if (x == 1.0 && y < 1e-150 && y > 0.0) re = 0.5 * (0.693147180559945309417 - log(y));
  double im = 0.5 * atan2(2.0 * y, (1.0 - x) * (1.0 + x) - y * y);
  return {copy_sign(re, z.re), copy_sign(im, z.im)};
}
static inline Z atan(Z z) { return over_i(atanh(times_i(z))); }

// The float overloads: through double, rounded once.
static inline Z widen(Complex<float> z) { return {double(z.re), double(z.im)}; }
static inline Complex<float> narrow(Z z) { return {float(z.re), float(z.im)}; }

static inline bool is_nan(Complex<float> z) { return z.re != z.re || z.im != z.im; }
static inline float abs(Complex<float> z) { return hypot(z.re, z.im); }
static inline float angle(Complex<float> z) { return float(angle(widen(z))); }
static inline Complex<float> conj(Complex<float> z) { return {z.re, -z.im}; }
static inline Complex<float> pow(Complex<float> x, Complex<float> y) {
  return narrow(pow(widen(x), widen(y)));
}
#define RL_COMPLEX_FLOAT(name) \
  static inline Complex<float> name(Complex<float> z) { return narrow(name(widen(z))); }
RL_COMPLEX_FLOAT(square)
RL_COMPLEX_FLOAT(reciprocal)
RL_COMPLEX_FLOAT(sgn)
RL_COMPLEX_FLOAT(exp)
RL_COMPLEX_FLOAT(exp2)
RL_COMPLEX_FLOAT(expm1)
RL_COMPLEX_FLOAT(log)
RL_COMPLEX_FLOAT(log2)
RL_COMPLEX_FLOAT(log10)
RL_COMPLEX_FLOAT(log1p)
RL_COMPLEX_FLOAT(sqrt)
RL_COMPLEX_FLOAT(rsqrt)
RL_COMPLEX_FLOAT(sin)
RL_COMPLEX_FLOAT(cos)
RL_COMPLEX_FLOAT(tan)
RL_COMPLEX_FLOAT(sinh)
RL_COMPLEX_FLOAT(cosh)
RL_COMPLEX_FLOAT(tanh)
RL_COMPLEX_FLOAT(sigmoid)
RL_COMPLEX_FLOAT(asin)
RL_COMPLEX_FLOAT(acos)
RL_COMPLEX_FLOAT(atan)
RL_COMPLEX_FLOAT(asinh)
RL_COMPLEX_FLOAT(acosh)
RL_COMPLEX_FLOAT(atanh)
#undef RL_COMPLEX_FLOAT

// ---- exp, sin and their kin in loops that vectorise: real functions of the two parts, where these
// are of ordinary size; others are then taken one by one. Floats in double, as above.
constexpr long kComplexPiece = 128;
// Loops are functions of their own: in longer ones gcc stops inlining, and a call is not
// vectorised.
#define RL_LOOP [[gnu::flatten, gnu::noinline]] static void
struct PartsOfExp {
  double grown[kComplexPiece], shrunk[kComplexPiece];  // cosh and sinh, or exp twice
  double sine[kComplexPiece], cosine[kComplexPiece];
};
template <class T>
RL_LOOP take_sines(const double* y, PartsOfExp& p, long n) {
  constexpr bool kNarrow = std::is_same_v<T, float>;
#pragma GCC ivdep
  for (long i = 0; i < n; ++i) p.sine[i] = kNarrow ? sin_in_float_range(y[i]) : sin_in_range(y[i]);
#pragma GCC ivdep
  for (long i = 0; i < n; ++i)
    p.cosine[i] = kNarrow ? cos_in_float_range(y[i]) : cos_in_range(y[i]);
}
template <class T>
RL_LOOP take_exp(const double* x, PartsOfExp& p, long n) {
  constexpr bool kNarrow = std::is_same_v<T, float>;
#pragma GCC ivdep
  for (long i = 0; i < n; ++i) p.grown[i] = kNarrow ? whole_exp_for_float(x[i]) : exp(x[i]);
  std::memcpy(p.shrunk, p.grown, sizeof p.grown);
}
template <class T>
RL_LOOP take_hyperbolic(const double* x, PartsOfExp& p, long n) {
  constexpr bool kNarrow = std::is_same_v<T, float>;
#pragma GCC ivdep
  for (long i = 0; i < n; ++i) p.grown[i] = kNarrow ? cosh_for_float(x[i]) : cosh(x[i]);
#pragma GCC ivdep
  for (long i = 0; i < n; ++i) p.shrunk[i] = kNarrow ? sinh_for_float(x[i]) : sinh(x[i]);
}
template <class T>
static inline bool is_ordinary(double exponent, double angle) {
  return (abs(exponent) < 700.0) & (abs(angle) <= double(kTrigLimit<T>));
}
// out[i] = join(parts, i), of exp or the hyperbolic functions (`take`) of the real part and the
// sine and cosine of the imaginary one, or with the two turned. `in` may be `out`.
template <bool kTurned, class T, class Take, class Join, class Full>
static inline void map_parts(const Complex<T>* in, Complex<T>* out, long n, Take take, Join join,
                             Full full) {
  double x[kComplexPiece], y[kComplexPiece];
  PartsOfExp p;
  for (long from = 0; from < n; from += kComplexPiece) {
    const long count = n - from < kComplexPiece ? n - from : kComplexPiece;
    long others = 0;
    for (long i = 0; i < count; ++i) {
      Complex<T> z = in[from + i];
      x[i] = double(kTurned ? z.im : z.re), y[i] = double(kTurned ? z.re : z.im);
      others |= !is_ordinary<T>(x[i], y[i]);
    }
    take(x, p, count);
    take_sines<T>(y, p, count);
#pragma GCC ivdep
    for (long i = 0; i < count; ++i) {
      Z z = join(p, i);
      out[from + i] = {T(z.re), T(z.im)};
    }
    for (long i = 0; others && i < count; ++i)
      if (!is_ordinary<T>(x[i], y[i]))
        out[from + i] = full(kTurned ? Complex<T>{T(y[i]), T(x[i])} : Complex<T>{T(x[i]), T(y[i])});
  }
}
#define RL_COMPLEX_BLOCK(name, turned, take, real, imaginary)                      \
  template <class T>                                                               \
  static inline void name##_block(const Complex<T>* in, Complex<T>* out, long n) { \
    map_parts<turned>(                                                             \
        in, out, n, take<T>,                                                       \
        [](const PartsOfExp& p, long i) { return Z{p.real[i], p.imaginary[i]}; },  \
        [](Complex<T> z) { return name(z); });                                     \
  }
RL_COMPLEX_BLOCK(exp, false, take_exp, grown[i] * p.cosine, grown[i] * p.sine)
RL_COMPLEX_BLOCK(sinh, false, take_hyperbolic, shrunk[i] * p.cosine, grown[i] * p.sine)
RL_COMPLEX_BLOCK(cosh, false, take_hyperbolic, grown[i] * p.cosine, shrunk[i] * p.sine)
RL_COMPLEX_BLOCK(sin, true, take_hyperbolic, grown[i] * p.sine, shrunk[i] * p.cosine)
RL_COMPLEX_BLOCK(cos, true, take_hyperbolic, grown[i] * p.cosine, shrunk[i] * -p.sine)
#undef RL_COMPLEX_BLOCK

// Floats' squares neither overflow nor underflow in double; near |z| = 1 the sum has too few
// digits.
static inline bool has_short_log(double square) {
  return (abs(square - 1.0) > 0x1p-18) & (square < kInf<double>);
}
RL_LOOP take_logs(const double* x, const double* y, double* lengths, double* angles, long n) {
#pragma GCC ivdep
  for (long i = 0; i < n; ++i) angles[i] = atan2(y[i], x[i]);
#pragma GCC ivdep
  for (long i = 0; i < n; ++i) lengths[i] = 0.5 * log(x[i] * x[i] + y[i] * y[i]);
}
#undef RL_LOOP
static inline void log_block(const Complex<float>* in, Complex<float>* out, long n) {
  double x[kComplexPiece], y[kComplexPiece], lengths[kComplexPiece], angles[kComplexPiece];
  for (long from = 0; from < n; from += kComplexPiece) {
    const long count = n - from < kComplexPiece ? n - from : kComplexPiece;
    long others = 0;
    for (long i = 0; i < count; ++i) {
      x[i] = double(in[from + i].re), y[i] = double(in[from + i].im);
      others |= !has_short_log(x[i] * x[i] + y[i] * y[i]);
    }
    take_logs(x, y, lengths, angles, count);
    for (long i = 0; i < count; ++i) out[from + i] = {float(lengths[i]), float(angles[i])};
    for (long i = 0; others && i < count; ++i)
      if (!has_short_log(x[i] * x[i] + y[i] * y[i])) out[from + i] = narrow(log(Z{x[i], y[i]}));
  }
}
static inline void log_block(const Z* in, Z* out, long n) {
  for (long i = 0; i < n; ++i) out[i] = log(in[i]);
}

// sin(pi z) / (pi z), 1 at 0, as in trig.h. `in` may be `out`.
template <class T>
static inline void sinc_block(const Complex<T>* in, Complex<T>* out, long n) {
  constexpr Complex<T> kPi = {T(0x1.921fb54442d18p+1), T(0)};
  Complex<T> angles[kComplexPiece], sines[kComplexPiece];
  for (long from = 0; from < n; from += kComplexPiece) {
    const long count = n - from < kComplexPiece ? n - from : kComplexPiece;
    for (long i = 0; i < count; ++i) angles[i] = in[from + i] * kPi;
    sin_block(angles, sines, count);
    for (long i = 0; i < count; ++i)
      out[from + i] = angles[i] == Complex<T>{} ? Complex<T>{T(1), T(0)} : sines[i] / angles[i];
  }
}
template <class T>
static inline Complex<T> sinc(Complex<T> z) {
  sinc_block(&z, &z, 1);
  return z;
}

}  // namespace rl::math
