// Distributions whose parameters are tensors: samplers that reject, and multinomial.
// A fixed formula of one uniform number belongs in random.cpp.
//
// Products and sums are not contracted here, as PyTorch's are not: its samplers are built for
// the baseline instruction set.
#ifdef __GNUC__
#pragma GCC optimize("fp-contract=off")
#endif
#include <limits>
#include <utility>
#include <vector>

#include "kernels/random_draw.h"

namespace rl::random {
namespace {

// W. Hormann, "The transformed rejection method for generating Poisson random variables",
// Insurance: Mathematics and Economics 12(1), 1993: algorithm PTRS, for rates from 10 up.
double poisson_by_rejection(double rate, Mt19937& engine) {
  double log_rate = std::log(rate);
  double b = 0.931 + 2.53 * std::sqrt(rate), a = -0.059 + 0.02483 * b;
  double inverse_alpha = 1.1239 + 1.1328 / (b - 3.4), accept = 0.9277 - 3.6224 / (b - 2);
  for (;;) {
    double u = next_unit(engine) - 0.5, v = next_unit(engine);
    double us = 0.5 - std::fabs(u);
    double k = std::floor((2 * a / us + b) * u + rate + 0.43);
    if (us >= 0.07 && v <= accept) return k;
    if (k < 0 || (us < 0.013 && v > us)) continue;
    double tried = std::log(v) + std::log(inverse_alpha) - std::log(a / (us * us) + b);
    if (tried <= -rate + k * log_rate - std::lgamma(k + 1)) return k;
  }
}

// Counts uniform factors until their product falls to exp(-rate).
double poisson_by_product(double rate, Mt19937& engine) {
  double floor = std::exp(-rate), product = next_unit(engine), count = 0;
  for (; product > floor; product *= next_unit(engine)) count += 1;
  return count;
}

double poisson_one(double rate, Mt19937& engine) {
  if (rate == 0) return 0;
  return rate >= 10 ? poisson_by_rejection(rate, engine) : poisson_by_product(rate, engine);
}

// log k! minus Stirling's formula for it.
double stirling_tail(double k) {
  static const double kTail[] = {0.0810614667953272,  0.0413406959554092, 0.0276779256849983,
                                 0.02079067210376509, 0.0166446911898211, 0.0138761288230707,
                                 0.0118967099458917,  0.0104112652619720, 0.00925546218271273,
                                 0.00833056343336287};
  if (k < 10) return kTail[static_cast<int>(k)];
  double square = (k + 1) * (k + 1);
  return (1.0 / 12 - (1.0 / 360 - 1.0 / 1260 / square) / square) / (k + 1);
}

// W. Hormann, "The generation of binomial random variates", Journal of Statistical Computation
// and Simulation 46, 1993: algorithm BTRS, for count * prob >= 10 and prob <= 1/2. Expressions of
// parameters alone are in the tensor's precision R, as PyTorch computes them.
template <class R>
R binomial_by_rejection(R count, R prob, Mt19937& engine) {
  double deviation = std::sqrt(count * prob * (1 - prob));
  double b = 1.15 + 2.53 * deviation, a = -0.0873 + 0.0248 * b + 0.01 * prob;
  double center = count * prob + 0.5, accept = 0.92 - 4.2 / b, odds = prob / (1 - prob);
  double alpha = (2.83 + 5.1 / b) * deviation, mode = std::floor((count + 1) * prob);
  for (;;) {
    double u = next_unit(engine) - 0.5, v = next_unit(engine);
    double us = 0.5 - std::fabs(u);
    R k = static_cast<R>(std::floor((2 * a / us + b) * u + center));
    if (k < 0 || k > count) continue;
    if (us >= 0.07 && v <= accept) return k;
    double bound = (mode + 0.5) * std::log((mode + 1) / (odds * (count - mode + 1))) +
                   (count + 1) * std::log((count - mode + 1) / (count - k + 1)) +
                   (k + 0.5) * std::log(odds * (count - k + 1) / (k + 1)) + stirling_tail(mode) +
                   stirling_tail(count - mode) - stirling_tail(k) - stirling_tail(count - k);
    if (std::log(v * alpha / (a / (us * us) + b)) <= bound) return k;
  }
}

// Counts successes by the geometric gaps between them.
template <class R>
R binomial_by_gaps(R count, R prob, Mt19937& engine) {
  double log_failure = std::log1p(-prob), position = 0;
  for (R successes = 0;; successes += 1) {
    position += std::ceil(std::log(next_unit(engine)) / log_failure);
    if (position > count) return successes;
  }
}

template <class R>
R binomial_one(R count, R prob, Mt19937& engine) {
  if (count <= 0 || prob <= 0) return 0;
  if (prob >= 1) return count;
  if (std::isnan(prob)) return prob;
  R rare = prob <= R(0.5) ? prob : 1 - prob;
  R drawn = count * rare >= 10 ? binomial_by_rejection(count, rare, engine)
                               : binomial_by_gaps(count, rare, engine);
  return prob <= R(0.5) ? drawn : count - drawn;
}

// G. Marsaglia and W. W. Tsang, "A simple method for generating gamma variables", ACM TOMS 26(3),
// 2000; shapes below 1 are raised by 1 and scaled back.
template <class R>
R gamma_one(R alpha, Generator& g) {
  double scale = 1;
  if (alpha < 1) {
    if (alpha == 0) return 0;
    scale = std::pow(1 - next_unit(g.engine), static_cast<double>(1 / alpha));
    alpha += 1;
  }
  const double d = alpha - 1.0f / 3.0f, c = 1 / std::sqrt(9 * d);
  for (;;) {
    double x, y;
    do {
      x = next_normal(g);
      y = 1 + c * x;
    } while (y <= 0);
    double v = y * y * y, u = 1 - next_unit(g.engine), square = x * x;
    if (u < 1 - 0.0331f * square * square ||
        std::log(u) < 0.5 * square + d * (1 - v + std::log(v))) {
      return static_cast<R>(scale * d * v);
    }
  }
}

template <class T>
double value(T v) {
  if constexpr (is_half_type<T>)
    return static_cast<float>(v);
  else
    return v;
}

// Only float32 and float64, as in PyTorch.
template <class F>
void dispatch_wide(const char* op, DType d, F&& f) {
  if (d == DType::F32) return f.template operator()<float>();
  if (d == DType::F64) return f.template operator()<double>();
  fail(ErrorKind::NotImplemented, op, ": expected float32 or float64, got ", d,
       "; convert the tensor with .float() first");
}

template <class T>
void dirichlet_row(Generator& g, const T* alpha, T* out, int64_t n) {
  std::vector<double> draws(n);
  double sum = 0;
  for (int64_t i = 0; i < n; ++i) {
    draws[i] =
        std::max(std::numeric_limits<double>::min(), gamma_one(static_cast<double>(alpha[i]), g));
    sum += draws[i];
  }
  const T below_one = std::nextafter(T(1), T(0));
  for (int64_t i = 0; i < n; ++i) {
    T share = static_cast<T>(draws[i] / sum);
    out[i] = std::min(below_one, std::max(std::numeric_limits<T>::min(), share));
  }
}

// Counts, of integers as long as the weights, tell in vectors whether they are fine; which is not
// is looked for then.
template <class T>
void check_row(const T* probs, int64_t n) {
  using R = widened_type<T>;
  using Count = std::conditional_t<sizeof(R) == 4, int32_t, int64_t>;
  auto fine = [&](int64_t i) {
    auto p = static_cast<R>(probs[i]);
    return (p >= 0) & (p < INFINITY);
  };
  Count bad = 0, some = 0;
  for (int64_t i = 0; i < n; ++i) {
    bad |= fine(i) ? 0 : 1;
    some |= static_cast<R>(probs[i]) > 0 ? 1 : 0;
  }
  for (int64_t i = 0; bad && i < n; ++i)
    RL_CHECK(fine(i),
             "multinomial: the probability tensor contains either `inf`, "
             "`nan` or element < 0: got ",
             value(probs[i]), " at category ", i);
  RL_CHECK(some, "invalid multinomial distribution (sum of probabilities <= 0)");
}

// The place of the first of rising numbers that is not below u; the last is not. Which half it is
// in is a coin's toss, so no branch depends on it.
template <class R>
int64_t first_not_below(const std::vector<R>& rising, double u) {
  const R* first = rising.data();
  for (auto n = static_cast<int64_t>(rising.size()), half = n; n > 1; n -= half) {
    half = n / 2;
    first += half * (first[half - 1] < u);
  }
  return first - rising.data();
}

// The category whose slice of the cumulative distribution holds a uniform number.
template <class T>
void sample_with_replacement(Generator& g, const T* probs, int64_t n, int64_t* out,
                             int64_t samples) {
  using R = widened_type<T>;
  std::vector<R> cumulative(n);
  R sum = 0;
  for (int64_t i = 0; i < n; ++i) cumulative[i] = sum += static_cast<R>(probs[i]);
  for (R& c : cumulative) c /= sum;
  cumulative[n - 1] = 1;
  std::lock_guard lock(g.mutex);
  for (int64_t j = 0; j < samples; ++j) out[j] = first_not_below(cumulative, next_unit(g.engine));
}

// The exponential race: p / q with q ~ Exp(1) is largest at i with probability p_i. Selection
// takes the steps of PyTorch's top-k, so that ties (zero weights) come in the same order.
template <class T>
void sample_by_race(const T* probs, const T* race, int64_t n, int64_t* out, int64_t samples) {
  using R = widened_type<T>;
  std::vector<std::pair<R, int64_t>> order(n);
  for (int64_t i = 0; i < n; ++i) {
    order[i] = {static_cast<R>(T(static_cast<R>(probs[i]) / static_cast<R>(race[i]))), i};
  }
  auto before = [](const auto& a, const auto& b) {
    return (std::isnan(a.first) && !std::isnan(b.first)) || a.first > b.first;
  };
  auto begin = order.begin(), end = order.end();
  if (samples == 1) {
    out[0] = std::min_element(begin, end, before)->second;
    return;
  }
  if (samples * 64 <= n) {
    std::partial_sort(begin, begin + samples, end, before);
  } else {
    std::nth_element(begin, begin + samples - 1, end, before);
    std::sort(begin, begin + samples - 1, before);
  }
  for (int64_t j = 0; j < samples; ++j) out[j] = order[j].second;
}

}  // namespace

void poisson(Generator& g, DType dtype, void* out, int64_t n, const void* rate) {
  dispatch_floating("poisson", dtype, [&]<class T>() {
    auto* rates = static_cast<const T*>(rate);
    for (int64_t i = 0; i < n; ++i) {
      double r = value(rates[i]);
      RL_CHECK(r >= 0 && r < INFINITY,
               "invalid Poisson rate, expected rate to be non-negative "
               "and finite, got ",
               r, " at element ", i);
    }
    std::lock_guard lock(g.mutex);
    auto* o = static_cast<T*>(out);
    for (int64_t i = 0; i < n; ++i) o[i] = stored<T>(poisson_one(value(rates[i]), g.engine));
  });
}

void binomial(Generator& g, DType dtype, void* out, int64_t n, const void* count,
              const void* prob) {
  dispatch_wide("binomial", dtype, [&]<class T>() {
    std::lock_guard lock(g.mutex);
    auto *counts = static_cast<const T*>(count), *probs = static_cast<const T*>(prob);
    for (int64_t i = 0; i < n; ++i) {
      static_cast<T*>(out)[i] = binomial_one(counts[i], probs[i], g.engine);
    }
  });
}

void standard_gamma(Generator& g, DType dtype, void* out, int64_t n, const void* alpha) {
  dispatch_wide("standard_gamma", dtype, [&]<class T>() {
    std::lock_guard lock(g.mutex);
    auto* alphas = static_cast<const T*>(alpha);
    for (int64_t i = 0; i < n; ++i) {
      T drawn = gamma_one(alphas[i], g);
      static_cast<T*>(out)[i] = std::max(std::numeric_limits<T>::min(), drawn);
    }
  });
}

void dirichlet(Generator& g, DType dtype, void* out, int64_t rows, int64_t n, const void* alpha) {
  dispatch_wide("sample_dirichlet", dtype, [&]<class T>() {
    std::lock_guard lock(g.mutex);
    for (int64_t r = 0; r < rows; ++r) {
      dirichlet_row(g, static_cast<const T*>(alpha) + r * n, static_cast<T*>(out) + r * n, n);
    }
  });
}

void check_weights(DType dtype, const void* probs, int64_t rows, int64_t categories) {
  dispatch_floating("multinomial", dtype, [&]<class T>() {
    for (int64_t r = 0; r < rows; ++r)
      check_row(static_cast<const T*>(probs) + r * categories, categories);
  });
}

void multinomial(Generator& g, DType dtype, const void* probs, const void* race, int64_t rows,
                 int64_t categories, int64_t* out, int64_t samples) {
  RL_CHECK(categories <= int64_t{1} << 24, "number of categories cannot exceed 2^24, got ",
           categories);
  dispatch_floating("multinomial", dtype, [&]<class T>() {
    for (int64_t r = 0; r < rows; ++r) {
      const T* p = static_cast<const T*>(probs) + r * categories;
      if (race)
        sample_by_race(p, static_cast<const T*>(race) + r * categories, categories,
                       out + r * samples, samples);
      else
        sample_with_replacement(g, p, categories, out + r * samples, samples);
    }
  });
}

}  // namespace rl::random
