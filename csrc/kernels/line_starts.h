// Where the lines of a tensor start that an index tensor addresses, for gather and scatter.
#pragma once
#include <algorithm>

#include "kernels/lines.h"

namespace rl {

// Offsets into `t` by position over index's dimensions before `dim`. Narrow tensors have as many
// lines as elements, so starts that lie evenly are found without outer_offset's divisions.
class LineStarts {
 public:
  LineStarts(const Tensor& index, const Tensor& t, int dim) : index_(index), t_(t), dim_(dim) {
    int64_t lines = 1;
    for (int d = dim; d-- > 0; lines *= index.size(d)) {
      if (index.size(d) == 1) continue;
      if (lines == 1) step_ = t.stride(d);
      even_ &= t.stride(d) == step_ * lines;
    }
  }
  bool even() const { return even_; }
  int64_t step() const { return step_; }
  int64_t operator[](int64_t o) const {
    return even_ ? o * step_ : outer_offset(index_, t_, dim_, o);
  }

 private:
  const Tensor &index_, &t_;
  int dim_;
  int64_t step_ = 0;
  bool even_ = true;
};

// Refuses positions outside 0 to n - 1. A pass of its own where lines have one element: it is
// vectorised, and the loop that moves the elements is left without a branch.
inline void check_indices(const int64_t* index, int64_t count, int64_t n, const char* op, int dim,
                          ErrorKind kind = ErrorKind::Runtime) {
  auto outside = [=](int64_t i) { return static_cast<uint64_t>(i) >= static_cast<uint64_t>(n); };
  uint64_t bad = 0;
  for (int64_t j = 0; j < count; ++j) bad |= outside(index[j]);
  if (!bad) return;
  bad_index(kind, op, *std::find_if(index, index + count, outside), dim, n);
}

}  // namespace rl
