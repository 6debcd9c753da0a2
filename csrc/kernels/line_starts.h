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

// Is each position within `low` to n - 1? Those that are not set the sign of what is before them,
// or after: no comparison is needed, which few processors have for 64 bits. In gather.cpp, compiled
// for several levels.
bool all_within(const int64_t* index, int64_t count, int64_t n, int64_t low = 0);

// The first that is not.
inline int64_t first_outside(const int64_t* index, int64_t count, int64_t n, int64_t low = 0) {
  return *std::find_if(index, index + count, [=](int64_t i) { return i < low || i >= n; });
}

// Refuses positions outside. A pass of its own is vectorised, and leaves the loop that moves the
// elements without a branch.
inline void check_indices(const int64_t* index, int64_t count, int64_t n, const char* op, int dim,
                          ErrorKind kind = ErrorKind::Runtime) {
  if (!all_within(index, count, n)) [[unlikely]]
    bad_index(kind, op, first_outside(index, count, n), dim, n);
}

// use(index + j, j, count) for pieces that are checked first, and still in the nearest cache.
template <class Use>
void each_piece(const int64_t* index, int64_t count, int64_t n, const char* op, int dim, Use use) {
  constexpr int64_t kPiece = 1024;
  for (int64_t j = 0, m; j < count; j += m) {
    m = std::min(kPiece, count - j);
    check_indices(index + j, m, n, op, dim);
    use(index + j, j, m);
  }
}

}  // namespace rl
