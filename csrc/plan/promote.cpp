// Promotion: the dtype in which operands of a pointwise op meet.
#include "plan/pointwise.h"

namespace rl {
namespace {
constexpr int kUndefined = -1;

int combine(int higher, int lower) {
  if (higher == kUndefined) return lower;
  if (lower == kUndefined) return higher;
  auto h = static_cast<DType>(higher), l = static_cast<DType>(lower);
  if (is_complex(h)) return higher;
  if (is_floating(h)) return is_complex(l) ? static_cast<int>(complex_of(h)) : higher;
  if (is_wide_unsigned(h) && is_complex(l)) return lower;
  if (h == DType::Bool || is_inexact(l)) return static_cast<int>(promote(h, l));
  return higher;
}

DType number_dtype(const Scalar& s) {
  switch (s.kind) {
    case Scalar::Bool:
      return DType::Bool;
    case Scalar::Int:
      return DType::I64;
    case Scalar::Float:
      return default_dtype();
    case Scalar::Complex:
      return complex_of(default_dtype());
  }
  return DType::I64;
}

void join(int& category, DType d) {
  category = category == kUndefined ? static_cast<int>(d)
                                    : static_cast<int>(promote(static_cast<DType>(category), d));
}
}  // namespace

DType result_type(std::span<const PointwiseInput> inputs) {
  int dims = kUndefined, zero = kUndefined, number = kUndefined;
  for (const PointwiseInput& in : inputs) {
    if (!in.tensor)
      join(number, number_dtype(in.number));
    else
      join(in.tensor->ndim ? dims : zero, in.tensor->dtype);
  }
  return static_cast<DType>(combine(dims, combine(zero, number)));
}

}  // namespace rl
