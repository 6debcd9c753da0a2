// See pointwise_shortcuts.h.
#include "plan/pointwise_shortcuts.h"

#include <algorithm>
#include <string_view>

#include "plan/copy.h"

namespace rl {
namespace {

// ---- inputs that are expanded along the same dimensions: computed once for all of those, and
// copied, where that pays. Copying takes as long as a cheap function but for rows of one element.
constexpr int64_t kFewest = 256, kTimes = 4;  // elements, and copies of each

bool stays(const PointwiseInput& in, const Tensor& out, int d) {
  if (!in.tensor) return true;
  const int at = d - (out.ndim - in.tensor->ndim);
  return at < 0 || in.tensor->size(at) == 1 || in.tensor->stride(at) == 0;
}

// The first elements along those dimensions, in which `sizes` are 1.
Ref<Tensor> firsts(const Tensor& t, Sizes sizes) {
  SizeVec own(t.sizes().begin(), t.sizes().end());
  const auto skip = sizes.size() - own.size();
  for (size_t d = 0; d < own.size(); ++d) own[d] = std::min(own[d], sizes[skip + d]);
  return alias(t, own, t.strides(), t.offset);
}

}  // namespace

bool run_once(const PointwiseKernel& k, Compute compute, Tensor& out,
              std::span<const PointwiseInput> inputs, const Scalar* params) {
  if (out.numel <= kFewest) return false;
  SizeVec sizes(out.sizes().begin(), out.sizes().end());
  int64_t kept = 1;
  for (int d = 0; d < out.ndim; ++d) {
    if (std::ranges::all_of(inputs, [&](auto& in) { return stays(in, out, d); })) sizes[d] = 1;
    kept *= sizes[d];
  }
  if (out.numel < kTimes * kept || (k.cheap && sizes.back() > 1)) return false;
  PointwiseInput as[kMaxInputs];
  Ref<Tensor> first[kMaxInputs];
  for (size_t i = 0; i < inputs.size(); ++i) {
    as[i] = inputs[i];
    if (!inputs[i].tensor) continue;
    first[i] = firsts(*inputs[i].tensor, sizes);
    as[i].tensor = first[i].get();
  }
  Ref<Tensor> once = empty(sizes, out.dtype);
  run_pointwise(k, compute, *once, {as, inputs.size()}, params);
  copy_into(out, *once);
  return true;
}

namespace {

// To the same bits, but for those of a NaN: the first of two equal zeros may differ from the
// second.
bool commutes(const PointwiseKernel& k, Compute compute, const Scalar* params) {
  std::string_view name = k.name;
  if (name == "mul" || name == "eq" || name == "ne") return true;
  if (name == "add") return params[0].re == 1 && params[0].im == 0;
  bool of_bits = name == "bitwise_and" || name == "bitwise_or" || name == "bitwise_xor";
  return of_bits || ((name == "maximum" || name == "minimum") && is_integral(stored(compute)));
}

}  // namespace

const PointwiseKernel* better_turned(const PointwiseKernel& k, Compute compute, const Tensor& out,
                                     std::span<const PointwiseInput> in, const Scalar* params) {
  if (in.size() != 2) return nullptr;
  auto single = [](const Tensor* t) {
    return !t || t->ndim == 0 || t->size(t->ndim - 1) == 1 || t->stride(t->ndim - 1) == 0;
  };
  if (!single(in[0].tensor) || single(in[1].tensor)) return nullptr;
  if (commutes(k, compute, params)) return &k;
  const bool pays = out.numel > kFewest;
  return pays && k.turned && k.turned->fn[static_cast<int>(compute)] ? k.turned : nullptr;
}

}  // namespace rl
