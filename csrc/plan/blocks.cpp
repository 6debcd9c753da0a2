// The tables of block kernels, and runs with a stride: see blocks.h.
#include "plan/blocks.h"

#include <algorithm>

namespace rl {

const MoveTable& move_table() {
  static const auto* table =
      static_cast<const MoveTable*>(best_registered(Registration::OfMoveTable));
  return *table;
}
const ConvertTable& convert_table() {
  static const auto* table =
      static_cast<const ConvertTable*>(best_registered(Registration::OfConvertTable));
  return *table;
}

void Converter::by_way_of_float(void* dst, const void* src, int64_t n) const {
  alignas(64) float piece[kBlock];
  for (int64_t i = 0; i < n; i += kBlock) {
    int64_t k = std::min(kBlock, n - i);
    first(piece, static_cast<const char*>(src) + i * item_size(from), k);
    second(static_cast<char*>(dst) + i * item_size(to), piece, k);
  }
}

void load_run(void* dst, DType to, const char* src, DType from, int64_t n, int64_t stride) {
  int64_t in = item_size(from), out = item_size(to);
  if (stride == in) return converter(from, to)(dst, src, n);
  auto* d = static_cast<char*>(dst);
  if (from == to) return mover(in)(d, src, 1, n, {0, out}, {0, stride});
  alignas(64) char raw[kBlock * 16];
  for (int64_t i = 0; i < n; i += kBlock) {
    int64_t k = std::min(kBlock, n - i);
    mover(in)(raw, src + i * stride, 1, k, {0, in}, {0, stride});
    converter(from, to)(d + i * out, raw, k);
  }
}

void store_run(char* dst, DType to, const void* src, DType from, int64_t n, int64_t stride) {
  int64_t in = item_size(from), out = item_size(to);
  if (stride == out) return converter(from, to)(dst, src, n);
  auto* s = static_cast<const char*>(src);
  if (from == to) return mover(in)(dst, s, 1, n, {0, stride}, {0, in});
  alignas(64) char raw[kBlock * 16];
  for (int64_t i = 0; i < n; i += kBlock) {
    int64_t k = std::min(kBlock, n - i);
    converter(from, to)(raw, s + i * in, k);
    mover(out)(dst + i * stride, raw, 1, k, {0, stride}, {0, out});
  }
}

}  // namespace rl
