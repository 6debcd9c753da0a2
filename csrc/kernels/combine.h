// How written elements meet the ones already there, shared by scatter.cpp (an index per
// element) and index_reduce.cpp (an index per slice).
// To add a reduction: a struct with apply, its case in with_combine, identity_of, parse_reduce.
#pragma once
#include <limits>

#include "kernels/lines.h"

namespace rl {

enum class Reduce : uint8_t { Replace, Sum, Prod, Mean, AMax, AMin };

// Combines slices of the source, of out's shape around `dim`, with those of out at the positions
// of a contiguous index, one after another (index_reduce.cpp).
void update_slices(Tensor& out, int dim, const Tensor& index, const Tensor& source, Reduce r,
                   const char* op);
// The same for any reduction, with out's own elements among what is reduced or without.
void reduce_slices(Tensor& out, int dim, const Tensor& index, const Tensor& source, Reduce r,
                   bool include_self, const char* op);

namespace {

template <class T>
constexpr bool kComplex = requires(T v) { v.re; };
template <class T>
constexpr bool kHalf = std::is_same_v<T, Half> || std::is_same_v<T, BFloat16>;

// Integers wrap around, which signed ones may not.
template <class T>
auto modular(T v) {
  if constexpr (std::is_integral_v<T>)
    return static_cast<std::conditional_t<sizeof(T) == 8, uint64_t, uint32_t>>(v);
  else
    return v;
}

struct Replace {
  template <class T>
  static T apply(T, T x) {
    return x;
  }
};
struct Add {
  template <class T>
  static T apply(T a, T x) {
    if constexpr (std::is_same_v<T, bool>)
      return a || x;
    else
      return static_cast<T>(modular(a) + modular(x));
  }
};
struct Multiply {
  template <class T>
  static T apply(T a, T x) {
    if constexpr (std::is_same_v<T, bool>)
      return a && x;
    else
      return static_cast<T>(modular(a) * modular(x));
  }
};
template <bool Max>
struct Extreme {
  static constexpr bool kMax = Max;
  template <class T>
  static T apply(T a, T x) {
    if constexpr (kComplex<T>)
      return a;  // refused by check_reduce
    else
      return (Max ? x > a : x < a) || x != x ? x : a;
  }
};

// Combines an element that lies alone. Of two numbers in no order no branch could foresee the
// larger, and compilers make one unless the choice is among lanes.
template <class Combine, class T>
void meet(T& target, T x) {
  if constexpr (std::is_floating_point_v<T> && requires { Combine::kMax; }) {
    using Lanes [[gnu::vector_size(16)]] = T;
    Lanes a{target}, b{x};
    target = ((Combine::kMax ? b > a : b < a) | (b != b) ? b : a)[0];
  } else {
    target = Combine::apply(target, x);
  }
}

// Of the reductions; Replace only moves elements and goes through with_size.
template <class F>
void with_combine(Reduce r, F&& f) {
  switch (r) {
    case Reduce::Replace:
      return;
    case Reduce::Sum:
    case Reduce::Mean:
      return f.template operator()<Add>();
    case Reduce::Prod:
      return f.template operator()<Multiply>();
    case Reduce::AMax:
      return f.template operator()<Extreme<true>>();
    case Reduce::AMin:
      return f.template operator()<Extreme<false>>();
  }
}

inline Scalar identity_of(Reduce r, DType d) {
  if (r == Reduce::Prod) return Scalar::of(int64_t{1});
  if (r != Reduce::AMax && r != Reduce::AMin) return Scalar::of(int64_t{0});
  bool lowest = r == Reduce::AMax;
  if (is_floating(d)) {
    double inf = std::numeric_limits<double>::infinity();
    return Scalar::of(lowest ? -inf : inf);
  }
  return dispatch(d, [&]<class T>() {
    if constexpr (std::is_integral_v<T>)
      return Scalar::of(static_cast<int64_t>(lowest ? std::numeric_limits<T>::lowest()
                                                    : std::numeric_limits<T>::max()));
    else
      return Scalar{};
  });
}

// Sums become means: each element is divided by how many elements went into it.
template <class N>
void divide_by_counts(Tensor& out, const N* n) {
  dispatch(out.dtype, [&]<class T>() {
    T* x = out.data<T>();
    for (int64_t i = 0; i < out.numel; ++i) {
      const N by = std::max<N>(n[i], 1);
      if constexpr (std::is_same_v<T, bool>) {
        continue;
      } else if constexpr (std::is_integral_v<T>) {
        using Wide = std::conditional_t<std::is_signed_v<T>, int64_t, uint64_t>;
        auto v = static_cast<Wide>(x[i]), d = static_cast<Wide>(by);
        x[i] = static_cast<T>(v / d - (v % d < 0));  // rounds down, as PyTorch's does
      } else if constexpr (kComplex<T>) {
        using R = decltype(x->re);
        x[i] = T{x[i].re / static_cast<R>(by), x[i].im / static_cast<R>(by)};
      } else {
        x[i] = static_cast<T>(x[i] / static_cast<decltype(x[i] + 0)>(by));
      }
    }
  });
}

// The positions, where no write to out can change them once they are checked.
inline Ref<Tensor> index_beside(const Tensor& out, const Tensor& index) {
  Ref<Tensor> values = index_values(index);
  if (values->storage != out.storage) return values;
  Ref<Tensor> copy = empty(values->sizes(), DType::I64);
  copy_into(*copy, *values);
  return copy;
}

inline bool is_short(DType d) { return d == DType::F16 || d == DType::BF16; }

// combine(target, source), with sums and products of 16-bit floats made in float32 and rounded at
// the end.
template <class F>
void combine_wide(Tensor& out, const Tensor& source, Reduce r, F&& combine) {
  if (!is_short(out.dtype) || r == Reduce::Replace || r == Reduce::AMax || r == Reduce::AMin)
    return combine(out, source);
  Ref<Tensor> to = empty(out.sizes(), DType::F32), from = empty(source.sizes(), DType::F32);
  copy_into(*to, out);
  copy_into(*from, source);
  combine(*to, *from);
  copy_into(out, *to);
}

inline Reduce parse_reduce(const Call& c, std::string_view s) {
  if (s == "add" || s == "sum") return Reduce::Sum;
  if (s == "multiply" || s == "prod") return Reduce::Prod;
  if (s == "mean") return Reduce::Mean;
  if (s == "amax") return Reduce::AMax;
  if (s == "amin") return Reduce::AMin;
  fail(c.op, "(): reduce argument must be one of sum, prod, mean, amax, amin, got ", s);
}

// Resets targets to the identity when self does not take part, combines, and divides means.
// `into(target, number, reduce)` writes the number at every indexed position, or the source's
// elements when the number is null. No position is written more than `most` times.
template <class Into>
void reduce_into(Tensor& out, Reduce r, bool include_self, int64_t most, Into&& into) {
  Scalar identity = identity_of(r, out.dtype), one = Scalar::of(int64_t{1});
  if (!include_self) into(out, &identity, Reduce::Replace);
  into(out, nullptr, r);
  if (r != Reduce::Mean) return;
  // Narrow counts fill less of the caches; more than they hold need an index of 16 GiB.
  bool narrow = most <= std::numeric_limits<int32_t>::max() - 1;
  Ref<Tensor> counts = empty(out.sizes(), narrow ? DType::I32 : DType::I64);
  fill(*counts, Scalar::of(int64_t{include_self ? 1 : 0}));
  into(*counts, &one, Reduce::Sum);
  if (narrow) return divide_by_counts(out, counts->data<int32_t>());
  divide_by_counts(out, counts->data<int64_t>());
}

inline void check_reduce(const Call& c, std::string_view name, DType d) {
  Reduce r = parse_reduce(c, name);
  RL_CHECK(!is_complex(d) || (r != Reduce::AMax && r != Reduce::AMin), c.op,
           "(): complex numbers have no order, so reduce=", name, " is not defined");
}

}  // namespace
}  // namespace rl
