// Whether two tensors are the same, up to the first difference.
#include <atomic>

#include "plan/isa.h"
#include "plan/parallel.h"
#include "plan/space.h"

namespace rl {
namespace RL_ISA_NS {
namespace {

// ---- _equal(self, other): one dtype, one shape
void equal_infer(Call& c) {
  const Tensor &a = c.tensor(0), &b = c.tensor(1);
  RL_CHECK(a.dtype == b.dtype && std::ranges::equal(a.sizes(), b.sizes()), c.op,
           ": expected tensors of one shape and dtype, got ", a.sizes(), " of ", a.dtype, " and ",
           b.sizes(), " of ", b.dtype);
  c.add_out({}, DType::Bool);
}

// Compared by the piece, each without a branch in it: most tensors that differ do so early.
constexpr int64_t kPiece = 512;
template <class T>
bool same_run(const T* a, const T* b, int64_t n) {
  for (int64_t begin = 0; begin < n; begin += kPiece) {
    bool same = true;
    for (int64_t i = begin, end = std::min(n, begin + kPiece); i < end; ++i) same &= a[i] == b[i];
    if (!same) return false;
  }
  return true;
}
template <class T>
bool same_tile(const char* a, const char* b, TileSteps by_a, TileSteps by_b, int64_t rows,
               int64_t cols) {
  for (int64_t r = 0; r < rows; ++r, a += by_a.row, b += by_b.row) {
    bool same = true;
    if (dense_rows(by_a, cols, sizeof(T)) && dense_rows(by_b, cols, sizeof(T)))
      same = same_run(reinterpret_cast<const T*>(a), reinterpret_cast<const T*>(b), cols);
    else
      for (int64_t i = 0; i < cols && same; ++i)
        same = *reinterpret_cast<const T*>(a + i * by_a.col) ==
               *reinterpret_cast<const T*>(b + i * by_b.col);
    if (!same) return false;
  }
  return true;
}
void equal_run(Call& c) {
  const Tensor &a = c.tensor(0), &b = c.tensor(1);
  *c.out(0).data<bool>() = true;
  if (!a.numel) return;
  Space s = make_space(a);
  add_operand(s, b, a.sizes());
  simplify(s);
  const TileSteps by_a = steps_of(s, 0), by_b = steps_of(s, 1);
  const TileShape tile = tile_shape(s, item_size(a.dtype));
  const int64_t tiles = tile_count(s, tile);
  std::atomic<bool> same = true;
  Unlocked unlocked(a.numel);
  dispatch(a.dtype, [&]<class T>() {
    parallel_for(tiles, std::max<int64_t>(1, kGrain / (tile.rows * tile.cols)),
                 [&](int64_t begin, int64_t end) {
                   for (int64_t t = begin; t < end && same.load(std::memory_order_relaxed); ++t)
                     walk_tiles(s, tile, t, t + 1,
                                [&](char* const* at, int64_t rows, int64_t cols) {
                                  if (!same_tile<T>(at[0], at[1], by_a, by_b, rows, cols))
                                    same = false;
                                });
                 });
  });
  *c.out(0).data<bool>() = same;
}

RL_ISA_KERNEL("_equal", equal_infer, equal_run);

}  // namespace
}  // namespace RL_ISA_NS
}  // namespace rl
