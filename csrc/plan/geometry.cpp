// Geometry of views: see geometry.h.
#include "plan/geometry.h"

#include <algorithm>

namespace rl {

SizeVec resolve_shape(Sizes shape, int64_t numel) {
  SizeVec out(shape.begin(), shape.end());
  int64_t known = 1, hole = -1;
  for (size_t i = 0; i < out.size(); ++i) {
    if (out[i] == -1) {
      RL_CHECK(hole < 0, "only one dimension can be inferred, got shape ", shape);
      hole = static_cast<int64_t>(i);
      continue;
    }
    RL_CHECK(out[i] >= 0, "invalid shape dimension ", out[i], " in ", shape);
    RL_CHECK(!__builtin_mul_overflow(known, out[i], &known), "shape ", shape, " is too large");
  }
  if (hole >= 0 && known > 0 && numel % known == 0) {
    out[static_cast<size_t>(hole)] = numel / known;
    return out;
  }
  RL_CHECK(hole < 0 || known != 0 || numel != 0, "cannot reshape tensor of 0 elements into shape ",
           shape, " because the unspecified dimension size -1 can be any value and is ambiguous");
  RL_CHECK(hole < 0 && known == numel, "shape '", shape, "' is invalid for input of size ", numel);
  return out;
}

bool view_strides(Sizes sizes, Sizes strides, Sizes shape, SizeVec& out) {
  out.resize(shape.size());
  set_contiguous_strides(out.data(), shape);
  for (int64_t s : sizes)
    if (s == 0) return true;
  // Dimensions of length 1 constrain nothing; the others form runs that are regular in memory.
  int at = static_cast<int>(shape.size()) - 1;
  for (int d = static_cast<int>(sizes.size()) - 1; d >= 0;) {
    if (sizes[d] == 1) {
      --d;
      continue;
    }
    int64_t step = strides[d], run = sizes[d];
    for (--d; d >= 0 && (sizes[d] == 1 || strides[d] == step * run); --d) run *= sizes[d];
    int64_t covered = 1;
    for (; at >= 0 && covered < run; --at) {
      out[at] = covered * step;
      covered *= shape[at];
    }
    if (covered != run) return false;
  }
  return true;
}

bool view_strides(const Tensor& t, Sizes shape, SizeVec& out) {
  if (t.contiguous) {
    out.resize(shape.size());
    set_contiguous_strides(out.data(), shape);
    return true;
  }
  return view_strides(t.sizes(), t.strides(), shape, out);
}

SliceBounds slice_bounds(int64_t start, int64_t end, int64_t step, int64_t size) {
  if (start < 0) start += size;
  if (end < 0) end += size;
  start = std::clamp<int64_t>(start, 0, size);
  end = std::clamp(end, start, size);
  return {start, end == start ? 0 : (end - start - 1) / step + 1};
}

}  // namespace rl
