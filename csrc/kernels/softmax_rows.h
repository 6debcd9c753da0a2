// What softmax, log_softmax and cross entropy do with one row. Included by files compiled once per
// level.
#pragma once
#include <algorithm>
#include <utility>

#include "kernels/run_sums.h"
#include "scalar/elementary.h"

namespace rl {
namespace RL_ISA_NS {
namespace {

// Rows too short for vectors are exponentiated many at once.
constexpr int64_t kShort = 16, kTogether = 256;  // elements
// powers = exp(x - the row's largest), which is returned through `top`.
template <class T>
void exp_short_rows(T* powers, const T* x, int64_t n, int64_t rows, T* top) {
  for (int64_t r = 0; r < rows; ++r) {
    const T* row = x + r * n;
    T most = -std::numeric_limits<T>::infinity();
    for (int64_t i = 0; i < n; ++i) most = row[i] > most ? row[i] : most;
    for (int64_t i = 0; i < n; ++i) powers[r * n + i] = row[i] - most;
    top[r] = most;
  }
  math::exp_block(powers, powers, rows * n);
}
template <class T>
T short_sum(const T* p, int64_t n) {
  T sum = 0;
  for (int64_t i = 0; i < n; ++i) sum += p[i];
  return sum;
}

// Rows that share what is computed once a row, by vectors.
constexpr int64_t kMany = 64;
inline int64_t rows_together(int64_t n) {
  return n <= kShort ? kTogether / std::max<int64_t>(1, n)
                     : std::clamp<int64_t>(4096 / n, 1, kMany);
}
template <class T>
void log_block(T* x, int64_t n) {
#pragma GCC ivdep
  for (int64_t i = 0; i < n; ++i) x[i] = math::log(x[i]);
}

template <int N>
struct FewPowers;
#ifdef RL_HAS_LANES
// A row that registers hold, N vectors of them: the exponentials of what it is less its largest
// element, and their sum. A NaN makes the sum one.
constexpr int kFewLanes = 8;
template <int N>
struct FewPowers {
  math::Lanes power[N];
  float top, sum;

  [[gnu::always_inline]] FewPowers(const float* x, int64_t n) {
    for (int i = 0; i < N - 1; ++i) power[i] = math::load_lanes(x + i * math::kFloatLanes);
    constexpr int64_t kWhole = (N - 1) * math::kFloatLanes;
    power[N - 1] =
        math::load_first(x + kWhole, n - kWhole, -std::numeric_limits<float>::infinity());
    math::Lanes most = power[N - 1], sums{};
    for (int i = 0; i < N - 1; ++i) most = math::larger(most, power[i]);
    top = math::largest_of(most);
    exponentiate();
    for (auto p : power) sums += p;
    sum = math::sum_of(sums);
  }
  [[gnu::always_inline]] void exponentiate() {
#ifdef RL_HAS_TWINS
    for (int i = 0; i < N; i += 2) {
      auto& next = power[i + 1 < N ? i + 1 : i];
      const auto two = math::exp(math::Twin<float>(power[i] - top, next - top));
      power[i] = two.a, next = two.b;
    }
#else
    for (auto& p : power) p = math::exp_lanes(p - top);
#endif
  }
  // f of each power, as vectors.
  template <class F>
  [[gnu::always_inline]] void store(float* to, int64_t n, F f) const {
    for (int i = 0; i < N; ++i) {
      const int64_t at = i * math::kFloatLanes;
      math::store_lanes(to + at, f(power[i]), i < N - 1 ? math::kFloatLanes : n - at);
    }
  }
};
#endif
// Calls use<N>() for rows of n floats that N vectors hold; false if there are no such N, or if
// they are so short that many are better taken at once.
template <class T, class Use>
bool with_few_lanes([[maybe_unused]] int64_t n, [[maybe_unused]] Use&& use) {
#ifdef RL_HAS_LANES
  if constexpr (std::is_same_v<T, float>) {
    auto with = [&]<int... N>(std::integer_sequence<int, N...>) {
      const int64_t wanted = (n + math::kFloatLanes - 1) / math::kFloatLanes;
      return n > kShort && ((wanted == N + 1 && (use.template operator()<N + 1>(), true)) || ...);
    };
    return with(std::make_integer_sequence<int, kFewLanes>{});
  }
#endif
  return false;
}

// What is asked for while the exponentials of a row are computed: the next row, and where it goes.
// After the last (not `more`) there may be no memory, which the processor takes long to find out.
template <class T>
auto next_row(const T* x, T* out, int64_t n, bool more) {
  return [=, ahead = more ? n : 0](int64_t i) {
    fetch(x + ahead + i);
    if (out) fetch_to_write(out + ahead + i);
  };
}

// The sum of exp(x - top), in an order of its own; the terms go to `kept`, if not null.
template <class T, class F>
T sum_of_powers(const T* x, T* kept, int64_t n, T top, F meanwhile) {
  constexpr int64_t kPiece = 1024;
  T sum = 0, powers[kPiece];
  for (int64_t i = 0; i < n; i += kPiece)
    sum += math::exp_sum(x + i, kept ? kept + i : powers, std::min(kPiece, n - i), T(1), top,
                         [&](int64_t j) { meanwhile(i + j); });
  return sum;
}

}  // namespace
}  // namespace RL_ISA_NS
}  // namespace rl
