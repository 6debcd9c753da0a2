// The dtype table and PyTorch's promotion lattice.
#include "core/dtype.h"

#include "core/error.h"

namespace rl {
namespace {
constexpr DTypeInfo kInfo[kNumDTypes] = {
    {"bool", "Bool", "?", 1, false, false, false},
    {"uint8", "Byte", "B", 1, false, false, false},
    {"int8", "Char", "b", 1, false, false, true},
    {"int16", "Short", "h", 2, false, false, true},
    {"int32", "Int", "i", 4, false, false, true},
    {"int64", "Long", "q", 8, false, false, true},
    {"uint16", "UInt16", "H", 2, false, false, false},
    {"uint32", "UInt32", "I", 4, false, false, false},
    {"uint64", "UInt64", "Q", 8, false, false, false},
    {"float8_e4m3fn", "Float8_e4m3fn", "", 1, true, false, true},
    {"float8_e5m2", "Float8_e5m2", "", 1, true, false, true},
    {"float8_e4m3fnuz", "Float8_e4m3fnuz", "", 1, true, false, true},
    {"float8_e5m2fnuz", "Float8_e5m2fnuz", "", 1, true, false, true},
    {"float8_e8m0fnu", "Float8_e8m0fnu", "", 1, true, false, false},
    {"float4_e2m1fn_x2", "Float4_e2m1fn_x2", "", 1, true, false, true},
    {"float16", "Half", "e", 2, true, false, true},
    {"bfloat16", "BFloat16", "", 2, true, false, true},
    {"float32", "Float", "f", 4, true, false, true},
    {"float64", "Double", "d", 8, true, false, true},
    {"complex32", "ComplexHalf", "", 4, false, true, true},
    {"complex64", "ComplexFloat", "Zf", 8, false, true, true},
    {"complex128", "ComplexDouble", "Zd", 16, false, true, true},
};
DType default_dtype_ = DType::F32;
}  // namespace

const DTypeInfo& info(DType d) { return kInfo[static_cast<int>(d)]; }
DType default_dtype() { return default_dtype_; }
void set_default_dtype(DType d) { default_dtype_ = d; }

void not_computed_in(DType d) {
  fail(ErrorKind::NotImplemented, "not implemented for '", info(d).legacy_name,
       "': it is for storage; convert with .to");
}

DType complex_of(DType d) {
  RL_CHECK(!is_float8(d), "there is no complex dtype with parts of ", d, "; convert with .to");
  if (d == DType::F16 || d == DType::C32) return DType::C32;
  return d == DType::F64 || d == DType::C128 ? DType::C128 : DType::C64;
}

DType promote(DType a, DType b) {
  if (a == b) return a;
  if (is_float8(a) || is_float8(b))
    fail(ErrorKind::Runtime, "promotion of 8-bit floats is not supported: attempted to promote ",
         info(a).legacy_name, " and ", info(b).legacy_name, "; convert one with .to");
  if (a > b) std::swap(a, b);  // a is the lower of the two from here on
  if (!is_floating(b) && (is_wide_unsigned(a) || is_wide_unsigned(b)))
    fail(ErrorKind::Runtime, "promotion of uint16, uint32 and uint64 is not supported: attempted ",
         "to promote ", info(a).legacy_name, " and ", info(b).legacy_name,
         "; convert one with .to");
  if (is_complex(b)) return is_floating(a) ? complex_of(promote(a, real_of(b))) : b;
  if (a == DType::F16 && b == DType::BF16) return DType::F32;
  if (is_floating(b)) return b;
  // uint8 meets a signed type: the smallest signed type that holds both.
  if (a == DType::U8 && b == DType::I8) return DType::I16;
  return b;
}

bool can_cast(DType from, DType to) {
  if (is_complex(from)) return is_complex(to);
  if (is_floating(from)) return is_inexact(to);
  if (from != DType::Bool && to == DType::Bool) return false;
  return true;
}

}  // namespace rl
