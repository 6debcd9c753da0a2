// The check behind plan/fits.h.
#include "plan/fits.h"

#include <cmath>
#include <limits>
#include <utility>

namespace rl {
namespace {

template <class T>
bool integer_fits(const Scalar& v) {
  constexpr auto low = std::numeric_limits<T>::min(), high = std::numeric_limits<T>::max();
  if (v.kind > Scalar::Int)
    return v.re >= static_cast<double>(low) && v.re <= static_cast<double>(high);
  if (is_beyond_int64(v)) return std::is_same_v<T, uint64_t>;
  if (std::is_unsigned_v<T> && v.i < 0) return std::cmp_less_equal(-v.i, +high);
  return v.i >= static_cast<int64_t>(low) && std::cmp_less_equal(v.i, +high);
}

double largest(DType d) {
  switch (d) {
    case DType::F8E4M3:
      return 448;
    case DType::F8E4M3Uz:
      return 240;
    case DType::F8E5M2:
    case DType::F8E5M2Uz:
      return 57344;
    case DType::F8E8M0:
      return 0x1p127;
    case DType::F16:
      return 65504;
    case DType::BF16:
      return 0x1.FEp127;
    case DType::F32:
    case DType::C64:
      return std::numeric_limits<float>::max();
    default:
      return std::numeric_limits<double>::infinity();
  }
}

bool fits(const Scalar& v, DType dtype) {
  if (v.kind == Scalar::Complex && !is_complex(dtype)) return false;
  if (dtype == DType::Bool) return true;
  if (is_integral(dtype))
    return dispatch(dtype, [&]<class T>() {
      if constexpr (std::is_integral_v<T>)
        return integer_fits<T>(v);
      else
        return true;
    });
  if (dtype == DType::F8E8M0 && v.re < 0x1p-127 && (v.re != 0 || v.kind > Scalar::Int))
    return false;
  bool infinite = !is_float8(dtype) || dtype == DType::F8E5M2;
  double most = largest(dtype);
  auto in_range = [&](double x) {
    return std::isnan(x) || (infinite && std::isinf(x)) || std::abs(x) <= most;
  };
  return in_range(v.re) && in_range(v.im);
}

}  // namespace

void check_fits(const char* op, const Scalar& v, DType dtype) {
  if (fits(v, dtype)) return;
  std::string value = is_beyond_int64(v)        ? str(static_cast<uint64_t>(v.i))
                      : v.kind <= Scalar::Int   ? str(v.i)
                      : v.kind == Scalar::Float ? str(v.re)
                                                : str("a complex number");
  fail(op, "(): value ", value, " cannot be converted to type ", dtype, " without overflow");
}

}  // namespace rl
