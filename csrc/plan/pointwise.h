// The block driver. A pointwise kernel is a block function over contiguous runs of about a
// thousand elements in a compute type; this file broadcasts, coalesces, gathers, converts
// and splits, so that no functor ever sees a stride or a storage dtype.
#pragma once
#include "plan/call.h"

namespace rl {

// The types functors are compiled for. Integers compute in int64 (and wrap on the way out) unless
// the functor has lanes of their own width, narrower floats in float, complex numbers of such in
// complex64.
enum class Compute : uint8_t { B, I, F, D, CF, CD, U8, I8, I16, I32 };
constexpr int kComputes = 10;
constexpr int kMaxInputs = 4, kMaxParams = 6;
constexpr int64_t kBlock = 1024;     // elements: 8 KB of doubles, four operands in L1
constexpr int64_t kShortPiece = 32;  // that loops of 16-bit floats take at a time

inline Compute compute_of(DType d) {
  constexpr Compute kMap[] = {Compute::B,  Compute::I, Compute::I, Compute::I, Compute::I,
                              Compute::I,  Compute::I, Compute::I, Compute::I, Compute::F,
                              Compute::F,  Compute::F, Compute::F, Compute::F, Compute::F,
                              Compute::F,  Compute::F, Compute::F, Compute::D, Compute::CF,
                              Compute::CF, Compute::CD};
  static_assert(std::size(kMap) == kNumDTypes);
  return kMap[static_cast<int>(d)];
}
inline DType stored(Compute c) {  // the dtype whose storage is the compute type itself
  constexpr DType kMap[] = {DType::Bool, DType::I64, DType::F32, DType::F64, DType::C64,
                            DType::C128, DType::U8,  DType::I8,  DType::I16, DType::I32};
  return kMap[static_cast<int>(c)];
}

// Of rows of n elements. ptr[0] is the output's first, ptr[1..] the inputs'; all are contiguous in
// the compute type, and `step` bytes from row to row. Rows of one call cost a few instructions
// each.
using RowsFn = void (*)(void* const* ptr, const int64_t* step, int64_t rows, int64_t n,
                        const Scalar* params);
struct BlockFn {
  RowsFn rows;

  constexpr BlockFn(RowsFn rows = nullptr) : rows(rows) {}
  constexpr explicit operator bool() const { return rows != nullptr; }
  void operator()(void* const* ptr, int64_t n, const Scalar* params) const {
    constexpr int64_t kNoSteps[kMaxInputs + 1] = {};
    rows(ptr, kNoSteps, 1, n, params);
  }
};

// What a functor demands of the numbers and dtypes it is given, beyond having a lane for them.
enum PointwiseDemand : uint8_t {
  kWholeParams = 1,      // integers take no fractional parameter
  kNoNegativePower = 2,  // integers take no negative number as the second operand
  kNumbersFit = 4,       // numbers do not wrap to the dtype
  kOneDType = 8          // the operands have one dtype; numbers and 0-d third operands any
};

struct PointwiseKernel {
  const char* name;
  int inputs, params;
  BlockFn fn[kComputes];           // null where the op is not defined
  DType result[kComputes];         // stored type of the functor's result
  bool any_sign = false;           // in int64 right for uint64 too
  bool float8 = false;             // defined on 8-bit floats
  BlockFn spread[kComputes] = {};  // fn with single elements from ptr[2] on; may be null
  // fn and spread of floats where the tensors are stored in float16 and bfloat16, but for
  // `spread`'s single elements; may be null.
  BlockFn of_short[2] = {}, spread_short[2] = {};
  // fn and of_short with a number as the last operand, which is then the only parameter; may be
  // null.
  BlockFn numbered[kComputes] = {}, numbered_short[2] = {};
  // The same with its two operands in the other order, for some compute types; may be null.
  const PointwiseKernel* turned = nullptr;
  uint8_t demands = 0;  // of PointwiseDemand
  bool cheap = false;   // takes less time than moving its operands
};

// What an op on operands of this dtype computes in: its own width where the functor has it.
inline Compute compute_in(const PointwiseKernel& k, DType d) {
  if (is_integral(d))
    for (Compute c : {Compute::U8, Compute::I8, Compute::I16, Compute::I32})
      if (stored(c) == d && k.fn[static_cast<int>(c)]) return c;
  return compute_of(d);
}

const PointwiseKernel* find_pointwise(std::string_view name);
std::vector<std::string_view> pointwise_names();

struct PointwiseInput {
  const Tensor* tensor = nullptr;  // null: `number`
  Scalar number;
};

// The dtype that PyTorch's promotion gives to these operands: tensors with dimensions first,
// then 0-d tensors, then Python numbers.
DType result_type(std::span<const PointwiseInput> inputs);

// out[...] = kernel(inputs..., params...) in `compute`; shapes have been checked: every input
// broadcasts to out. Handles overlap of out with inputs.
void run_pointwise(const PointwiseKernel& k, Compute compute, Tensor& out,
                   std::span<const PointwiseInput> inputs, const Scalar* params);

}  // namespace rl
