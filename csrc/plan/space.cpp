// Iteration spaces: see space.h.
#include "plan/space.h"

namespace rl {
namespace {

void swap_dims(Space& s, int a, int b) {
  std::swap(s.size[a], s.size[b]);
  for (int k = 0; k < s.count; ++k) std::swap(s.op[k].stride[a], s.op[k].stride[b]);
}

// Sorts dimensions so that the output's (then the inputs') strides fall from outer to inner.
bool out_of_order(const Space& s, int outer, int inner) {
  for (int k = 0; k < s.count; ++k) {
    int64_t a = std::abs(s.op[k].stride[outer]), b = std::abs(s.op[k].stride[inner]);
    if (a == 0 || b == 0) continue;
    if (a != b) return a < b;
  }
  return false;
}

void order_dims(Space& s) {
  for (int i = 1; i < s.dims; ++i)
    for (int j = i; j > 0 && out_of_order(s, j - 1, j); --j) swap_dims(s, j - 1, j);
}

bool mergeable(const Space& s, int outer, int inner) {
  for (int k = 0; k < s.count; ++k)
    if (s.op[k].stride[outer] != s.op[k].stride[inner] * s.size[inner]) return false;
  return true;
}

void add_outer_dim(Space& s) {
  for (int d = s.dims; d > 0; --d) {
    s.size[d] = s.size[d - 1];
    for (int k = 0; k < s.count; ++k) s.op[k].stride[d] = s.op[k].stride[d - 1];
  }
  s.size[0] = 1;
  for (int k = 0; k < s.count; ++k) s.op[k].stride[0] = 0;
  ++s.dims;
}

// Drops dimensions of size 1 and fuses neighbours that every operand walks in one run.
void coalesce(Space& s) {
  int kept = 0;
  for (int d = 0; d < s.dims; ++d) {
    if (s.size[d] == 1) continue;
    s.size[kept] = s.size[d];
    for (int k = 0; k < s.count; ++k) s.op[k].stride[kept] = s.op[k].stride[d];
    if (kept > 0 && mergeable(s, kept - 1, kept)) {
      s.size[kept - 1] *= s.size[kept];
      for (int k = 0; k < s.count; ++k) s.op[k].stride[kept - 1] = s.op[k].stride[kept];
    } else {
      ++kept;
    }
  }
  s.dims = kept;
  while (s.dims < 2) add_outer_dim(s);  // the walker wants rows and columns
}

// An input whose memory runs along some outer dimension gets that one for the rows of its tiles:
// otherwise every element would be fetched with a cache line of its own.
void bring_run_near(Space& s) {
  int C = s.dims - 1, R = s.dims - 2;
  for (int k = 1; k < s.count; ++k) {
    int64_t item = item_size(s.op[k].dtype);
    if (std::abs(s.op[k].stride[C]) <= item || std::abs(s.op[k].stride[R]) == item) continue;
    for (int d = 0; d < R; ++d) {
      if (std::abs(s.op[k].stride[d]) != item) continue;
      for (int i = d; i < R; ++i) swap_dims(s, i, i + 1);
      return;
    }
  }
}

}  // namespace

void add_operand(Space& s, const Tensor& t, Sizes shape) {
  Operand& o = s.op[s.count++];
  o.base = static_cast<char*>(t.raw());
  o.dtype = t.dtype;
  int64_t item = item_size(t.dtype);
  int skip = static_cast<int>(shape.size()) - t.ndim;
  for (int d = 0; d < static_cast<int>(shape.size()); ++d)
    o.stride[d] = d < skip || t.size(d - skip) == 1 ? 0 : t.stride(d - skip) * item;
}

Space make_space(const Tensor& out) {
  Space s;
  s.dims = out.ndim;
  std::copy(out.sizes().begin(), out.sizes().end(), s.size);
  add_operand(s, out, out.sizes());
  return s;
}

void simplify(Space& s) {
  order_dims(s);
  coalesce(s);
  if (s.dims > 2) bring_run_near(s);
}

// Transposed operands get tiles that are long both ways, in whole cache lines of their memory.
TileShape tile_shape(const Space& s, int64_t widest) {
  int64_t L = s.size[s.dims - 1], R = s.size[s.dims - 2], rows = 1, most = block_length(widest);
  for (int k = 0; k < s.count; ++k) {
    int64_t inner = std::abs(s.op[k].stride[s.dims - 1]),
            outer = std::abs(s.op[k].stride[s.dims - 2]);
    if (outer == 0 || inner <= outer) continue;
    rows = std::max(rows, std::min<int64_t>(64, 256 / item_size(s.op[k].dtype)));
    most = kBlockBytes / std::max<int64_t>(4, widest);
  }
  int64_t cols = std::min(L, most / std::min(rows, R));
  return {std::max<int64_t>(1, std::min(R, most / cols)), cols};
}

int64_t tile_count(const Space& s, TileShape tile) {
  int64_t n = (s.size[s.dims - 1] + tile.cols - 1) / tile.cols;
  n *= (s.size[s.dims - 2] + tile.rows - 1) / tile.rows;
  for (int d = 0; d < s.dims - 2; ++d) n *= s.size[d];
  return n;
}

bool unsafe_overlap(const Tensor& out, const Tensor& in) {
  if (out.storage != in.storage || out.numel == 0 || in.numel == 0) return false;
  bool same = out.offset == in.offset && out.dtype == in.dtype && out.ndim == in.ndim &&
              std::equal(out.sizes().begin(), out.sizes().end(), in.sizes().begin()) &&
              std::equal(out.strides().begin(), out.strides().end(), in.strides().begin());
  if (same) return false;
  int64_t a = out.offset * item_size(out.dtype), b = in.offset * item_size(in.dtype);
  int64_t a_end = span_bytes(out.sizes(), out.strides(), out.offset, item_size(out.dtype));
  int64_t b_end = span_bytes(in.sizes(), in.strides(), in.offset, item_size(in.dtype));
  return a < b_end && b < a_end;
}

}  // namespace rl
