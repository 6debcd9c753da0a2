// Conversions between every storage dtype and every compute type, contiguous or strided.
// Compiled once per ISA level. Nothing else belongs here.
#include "plan/isa.h"
#include "plan/pointwise.h"

namespace rl {
namespace RL_ISA_NS {
namespace {

template <class To, class From>
inline To cast(From v) {
  constexpr bool from_complex = requires { v.re; };
  constexpr bool to_complex = requires { To{}.re; };
  if constexpr (from_complex && to_complex) {
    using R = decltype(To{}.re);
    return To{static_cast<R>(v.re), static_cast<R>(v.im)};
  } else if constexpr (to_complex) {
    using R = decltype(To{}.re);
    if constexpr (sizeof(From) == 2 && !std::is_integral_v<From>)
      return To{static_cast<R>(static_cast<float>(v)), R(0)};
    else
      return To{static_cast<R>(v), R(0)};
  } else if constexpr (from_complex) {
    if constexpr (std::is_same_v<To, bool>)
      return v.re != 0 || v.im != 0;
    else
      return cast<To>(v.re);
  } else if constexpr (std::is_same_v<To, bool>) {
    return v != From(0);
  } else if constexpr (std::is_integral_v<To> && std::is_floating_point_v<From>) {
    return static_cast<To>(static_cast<int64_t>(v));  // then wraps, as the hardware does
  } else if constexpr (std::is_same_v<To, Half> || std::is_same_v<To, BFloat16>) {
    return To(static_cast<float>(v));
  } else if constexpr (std::is_same_v<From, Half> || std::is_same_v<From, BFloat16>) {
    return cast<To>(static_cast<float>(v));
  } else {
    return static_cast<To>(v);
  }
}

template <class To, class From>
void load(void* dst, const char* src, int64_t n, int64_t stride) {
  auto* d = static_cast<To*>(dst);
  if (stride == sizeof(From)) {
    auto* s = reinterpret_cast<const From*>(src);
#pragma GCC ivdep
    for (int64_t i = 0; i < n; ++i) d[i] = cast<To>(s[i]);
  } else if (std::is_same_v<To, From> && stride == 2 * sizeof(From)) {
    auto* s = reinterpret_cast<const From*>(src);  // every second element: shuffles, not gathers
    for (int64_t i = 0; i + 1 < n; ++i) d[i] = cast<To>(s[2 * i]);
    if (n) d[n - 1] = cast<To>(s[2 * (n - 1)]);
  } else {
    for (int64_t i = 0; i < n; ++i)
      d[i] = cast<To>(*reinterpret_cast<const From*>(src + i * stride));
  }
}

template <class To, class From>
void store(char* dst, const void* src, int64_t n, int64_t stride) {
  auto* s = static_cast<const From*>(src);
  if (stride == sizeof(To)) {
    auto* d = reinterpret_cast<To*>(dst);
#pragma GCC ivdep
    for (int64_t i = 0; i < n; ++i) d[i] = cast<To>(s[i]);
  } else {
    for (int64_t i = 0; i < n; ++i) *reinterpret_cast<To*>(dst + i * stride) = cast<To>(s[i]);
  }
}

template <class C, int K>
constexpr void fill_row(ConvertTable& t) {
#define RL_ROW(D, T)                                  \
  t.load[static_cast<int>(DType::D)][K] = load<C, T>; \
  t.store[K][static_cast<int>(DType::D)] = store<T, C>;
  RL_FOR_EACH_DTYPE(RL_ROW)
#undef RL_ROW
}

constexpr ConvertTable make_table() {
  ConvertTable t{};
  fill_row<bool, 0>(t);
  fill_row<int64_t, 1>(t);
  fill_row<float, 2>(t);
  fill_row<double, 3>(t);
  fill_row<C64, 4>(t);
  fill_row<C128, 5>(t);
  return t;
}

RL_REGISTER(OfConvertTable, isa_rank(RL_ISA_NAME), make_table());

}  // namespace
}  // namespace RL_ISA_NS
}  // namespace rl
