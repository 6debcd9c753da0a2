// What the drivers do with blocks, other than arithmetic: move tiles of any geometry, convert
// runs of any dtype. The tables are filled by kernels/move.cpp and kernels/convert.cpp, once per
// instruction-set level; strides are in bytes everywhere.
#pragma once
#include <bit>

#include "plan/pointwise.h"

namespace rl {

// Two byte strides: from row to row, from column to column.
struct Steps {
  int64_t row, col;
};

// dst[r, c] = src[r, c], unconverted, for elements of 1 << i bytes.
using MoveFn = void (*)(char* dst, const char* src, int64_t rows, int64_t cols, Steps d, Steps s);
struct MoveTable {
  MoveFn move[5];
};
// n contiguous elements.
using ConvertFn = void (*)(void* dst, const void* src, int64_t n);
struct ConvertTable {
  ConvertFn convert[kNumDTypes][kNumDTypes];  // [from][to]
};
const MoveTable& move_table();
const ConvertTable& convert_table();

inline MoveFn mover(int64_t item) {
  return move_table().move[std::countr_zero(static_cast<uint64_t>(item))];
}
inline ConvertFn converter(DType from, DType to) {
  return convert_table().convert[static_cast<int>(from)][static_cast<int>(to)];
}

// A run with a stride, read into contiguous elements of another dtype, and the way back.
void load_run(void* dst, DType to, const char* src, DType from, int64_t n, int64_t stride);
void store_run(char* dst, DType to, const void* src, DType from, int64_t n, int64_t stride);

}  // namespace rl
