// Geometry of batches of matrices, for the lapack_*.cpp files; no op is here.
#include "kernels/lapack.h"

namespace rl::lapack {

Sizes batch_of(const Tensor& t) { return t.sizes().first(static_cast<size_t>(t.ndim - 2)); }

int64_t count_of(const Tensor& t) {
  int64_t n = 1;
  for (int64_t s : batch_of(t)) n *= s;
  return n;
}

int int_size(const Call& c, int64_t size) {
  RL_CHECK(size <= INT32_MAX, c.op, ": a matrix dimension of ", size,
           " is not supported; the limit", " is ", INT32_MAX);
  return static_cast<int>(size);
}

void check_matrices(const Call& c, const Tensor& t) {
  RL_CHECK(t.ndim >= 2, c.op, ": The input tensor must have at least 2 dimensions, got shape ",
           t.sizes());
}

void check_pivots(const Call& c, const Tensor& pivots, int n, bool blocks) {
  const int* rows = pivots.data<int>();
  for (int64_t i = 0; i < pivots.numel; ++i)
    RL_CHECK((rows[i] >= 1 && rows[i] <= n) || (blocks && rows[i] <= -1 && rows[i] >= -n), c.op,
             ": pivots must lie between 1 and ", n, ", the number of rows, got ", rows[i]);
}

void check_square(const Call& c, const Tensor& t) {
  check_matrices(c, t);
  RL_CHECK(t.size(t.ndim - 1) == t.size(t.ndim - 2), c.op, ": expected square matrices, got shape ",
           t.sizes());
}

namespace {

SizeVec with_tail(Sizes batch, std::initializer_list<int64_t> tail) {
  SizeVec sizes(batch.begin(), batch.end());
  sizes.insert(sizes.end(), tail);
  return sizes;
}

// Row-major strides with the last two exchanged.
SizeVec column_strides(Sizes sizes) {
  size_t n = sizes.size();
  SizeVec strides(n);
  strides[n - 2] = 1;
  strides[n - 1] = std::max<int64_t>(1, sizes[n - 2]);
  int64_t step = strides[n - 1] * std::max<int64_t>(1, sizes[n - 1]);
  for (size_t d = n - 2; d-- > 0;) {
    strides[d] = step;
    step *= std::max<int64_t>(1, sizes[d]);
  }
  return strides;
}

}  // namespace

OutSpec& add_matrices(Call& c, Sizes batch, int64_t rows, int64_t cols, DType dtype) {
  OutSpec& s = c.add_out(with_tail(batch, {rows, cols}), dtype);
  s.strides = column_strides(s.sizes);
  return s;
}

OutSpec& add_vectors(Call& c, Sizes batch, int64_t n, DType dtype) {
  return c.add_out(with_tail(batch, {n}), dtype);
}

Ref<Tensor> empty_columns(Sizes batch, int64_t rows, int64_t cols, DType dtype) {
  SizeVec sizes = with_tail(batch, {rows, cols});
  return empty_strided(sizes, column_strides(sizes), dtype);
}

Ref<Tensor> in_columns(Tensor& t) {
  SizeVec wanted = column_strides(t.sizes());
  bool fits = true;
  for (int d = 0; d < t.ndim; ++d) fits &= t.size(d) <= 1 || t.stride(d) == wanted[d];
  if (fits) return Ref<Tensor>::share(&t);
  Ref<Tensor> copy = empty_strided(t.sizes(), wanted, t.dtype);
  copy_into(*copy, t);
  return copy;
}

Ref<Tensor> transposed_alias(Tensor& t) {
  SizeVec sizes(t.sizes().begin(), t.sizes().end());
  SizeVec strides(t.strides().begin(), t.strides().end());
  std::swap(sizes[t.ndim - 2], sizes[t.ndim - 1]);
  std::swap(strides[t.ndim - 2], strides[t.ndim - 1]);
  return alias(t, sizes, strides, t.offset);
}

bool reads_transposed(const Tensor& t) { return t.contiguous && !is_complex(t.dtype); }

}  // namespace rl::lapack
