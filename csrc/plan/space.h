// The iteration space that operands share: broadcast, ordered and coalesced dimensions, cut into
// tiles of the two innermost. What is done with a tile belongs to the users (pointwise.cpp,
// copy.cpp); how a tile is moved, to blocks.h.
#pragma once
#include <algorithm>

#include "plan/blocks.h"

namespace rl {

constexpr int kMaxOperands = kMaxInputs + 1;
constexpr int64_t kGrain = 32768;             // elements per thread worth a hand-off
constexpr int64_t kCostlyGrain = 8192;        // of functions of 1 ns an element and more
constexpr int64_t kBlockBytes = kBlock * 16;  // of the widest elements
// Of elements of so many bytes: more of short ones, which take less time than a call.
constexpr int64_t block_length(int64_t item) { return std::max(kBlock, 4096 / item); }

// One operand as the walker sees it: byte strides over the shared space.
struct Operand {
  char* base = nullptr;
  int64_t
      stride[kMaxDims];  // of the space's dimensions; clearing all would cost more than small ops
  DType dtype = DType::F32;
  bool constant = false;  // the same value everywhere: its block is filled once
};

struct Space {
  int dims = 0;
  int64_t size[kMaxDims];
  Operand op[kMaxOperands];
  int count = 0;
};

struct TileShape {
  int64_t rows, cols;
};

Space make_space(const Tensor& out);
void add_operand(Space& s, const Tensor& t, Sizes shape);  // t broadcasts to shape
// Orders and fuses dimensions; afterwards there are at least two.
void simplify(Space& s);
// At most kBlockBytes of elements of `widest` bytes.
TileShape tile_shape(const Space& s, int64_t widest);
int64_t tile_count(const Space& s, TileShape tile);

// Does writing `out` in any order change what is still to be read of `in`?
bool unsafe_overlap(const Tensor& out, const Tensor& in);

// An operand's steps through a tile.
inline TileSteps steps_of(const Space& s, int k) {
  return {s.op[k].stride[s.dims - 2], s.op[k].stride[s.dims - 1]};
}

// Is a tile with these steps made of contiguous rows, of one contiguous run?
inline bool dense_rows(TileSteps step, int64_t cols, int64_t item) {
  return cols == 1 || step.col == item;
}
inline bool dense(TileSteps step, int64_t rows, int64_t cols, int64_t item) {
  return dense_rows(step, cols, item) && (rows == 1 || step.row == cols * item);
}

// Walks the tiles [begin, end) in order, calling f(pointer of each operand, rows, cols).
template <class F>
void walk_tiles(const Space& s, TileShape tile, int64_t begin, int64_t end, F&& f) {
  int C = s.dims - 1, R = s.dims - 2;
  int64_t across = (s.size[C] + tile.cols - 1) / tile.cols;
  int64_t down = (s.size[R] + tile.rows - 1) / tile.rows;
  int64_t c = begin % across * tile.cols, r = begin / across % down * tile.rows;
  int64_t outer = begin / across / down;
  char* at[kMaxOperands];
  for (int64_t t = begin; t < end; ++t) {
    for (int k = 0; k < s.count; ++k)
      at[k] = s.op[k].base + c * s.op[k].stride[C] + r * s.op[k].stride[R];
    for (int64_t d = R - 1, rest = outer; d >= 0 && rest; --d) {
      int64_t i = rest % s.size[d];
      rest /= s.size[d];
      for (int k = 0; k < s.count; ++k) at[k] += i * s.op[k].stride[d];
    }
    f(at, std::min(tile.rows, s.size[R] - r), std::min(tile.cols, s.size[C] - c));
    if ((c += tile.cols) < s.size[C]) continue;
    c = 0;
    if ((r += tile.rows) < s.size[R]) continue;
    r = 0, ++outer;
  }
}

}  // namespace rl
