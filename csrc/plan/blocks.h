// What the drivers do with blocks, other than arithmetic: move tiles of any geometry, convert
// runs of any dtype. The tables are filled by kernels/move.cpp and kernels/convert.cpp, once per
// instruction-set level; strides are in bytes everywhere.
#pragma once
#include <bit>

#include "plan/pointwise.h"

namespace rl {

// Two byte strides: from row to row, from column to column.
struct TileSteps {
  int64_t row, col;
};

// dst[r, c] = src[r, c], unconverted, for elements of 1 << i bytes.
using MoveFn = void (*)(char* dst, const char* src, int64_t rows, int64_t cols, TileSteps d,
                        TileSteps s);
struct MoveTable {
  MoveFn move[5];
  void (*stream)(char* dst, const char* src, int64_t bytes);  // see stream.h
};
// n contiguous elements.
using ConvertFn = void (*)(void* dst, const void* src, int64_t n);
struct ConvertTable {
  ConvertFn convert[kNumDTypes][kNumDTypes];  // [from][to]; null where float lies between
};
const MoveTable& move_table();
const ConvertTable& convert_table();

inline MoveFn mover(int64_t item) {
  return move_table().move[std::countr_zero(static_cast<uint64_t>(item))];
}
// A conversion: one step, or two by way of float, as to and from 8-bit floats.
struct Converter {
  ConvertFn first, second;
  DType from, to;
  void operator()(void* dst, const void* src, int64_t n) const {
    second ? by_way_of_float(dst, src, n) : first(dst, src, n);
  }
  void by_way_of_float(void* dst, const void* src, int64_t n) const;
};
inline Converter converter(DType from, DType to) {
  auto& table = convert_table().convert;
  auto step = [&](DType a, DType b) { return table[static_cast<int>(a)][static_cast<int>(b)]; };
  if (ConvertFn whole = step(from, to)) return {whole, nullptr, from, to};
  return {step(from, DType::F32), step(DType::F32, to), from, to};
}

// A run with a stride, read into contiguous elements of another dtype, and the way back.
void load_run(void* dst, DType to, const char* src, DType from, int64_t n, int64_t stride);
void store_run(char* dst, DType to, const void* src, DType from, int64_t n, int64_t stride);

}  // namespace rl
