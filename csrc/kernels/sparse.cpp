// _coo_mm(indices, values, dense, rows): the product of a sparse matrix of coordinates (2, nnz) and
// a strided one. _csr_mm(starts, columns, values, dense): the same of compressed rows.
// _csr_coordinates(starts, columns, by_row): the coordinates of a compressed matrix,
// of whose lines each starts where `starts` says, and the last ends. _coo_dense(indices, values,
// size): the strided tensor with elements, or slices of it, at coordinates (dimensions, nnz).
// Elements are added in the order that they come in. Compiled once per instruction-set level.
#include <algorithm>

#include "kernels/vectors.h"
#include "plan/copy.h"
#include "plan/parallel.h"

namespace rl {
namespace RL_ISA_NS {
namespace {

void coo_mm_infer(Call& c) {
  const Tensor &indices = c.tensor(0), &values = c.tensor(1), &dense = c.tensor(2);
  RL_CHECK(indices.ndim == 2 && indices.size(0) == 2 && indices.dtype == DType::I64 &&
               values.ndim == 1 && values.size(0) == indices.size(1) && dense.ndim == 2 &&
               values.dtype == dense.dtype,
           c.op, ": expected indices (2, nnz), values (nnz) and a matrix");
  if (dense.dtype != DType::F32 && dense.dtype != DType::F64)
    fail(ErrorKind::NotImplemented, c.op, ": not implemented for ", dense.dtype);
  c.add_out(SizeVec{c.integer(3), dense.size(1)}, dense.dtype);
}

template <class I>
void require_within(const I* index, int64_t n, int64_t limit) {
  auto outside = [=](int64_t i) {
    return static_cast<uint64_t>(index[i]) >= static_cast<uint64_t>(limit);
  };
  bool any = false;
  for (int64_t i = 0; i < n; ++i) any |= outside(i);
  for (int64_t i = 0; any; ++i)
    RL_CHECK(!outside(i), "sparse tensor: index ", index[i],
             " is out of range for a dimension of size ", limit);
}

// A sparse matrix and a strided one of `width` columns, and their product.
template <class T>
struct Product {
  const int64_t *row, *column;
  const T *value, *dense;
  int64_t count, width;
  T* out;

  // Columns begin to end, in blocks of as many vectors, then of fewer.
  void run(int64_t begin, int64_t end) const {
    begin = blocks<4>(begin, end);
    begin = blocks<1>(begin, end);
    for (int64_t i = 0; begin < end && i < count; ++i)
      for (int64_t k = begin; k < end; ++k)
        out[row[i] * width + k] += value[i] * dense[column[i] * width + k];
  }

 private:
  // Elements of one row, which mostly come together, add to what stays in registers.
  template <int N>
  int64_t blocks(int64_t begin, int64_t end) const {
    constexpr int64_t V = kLanes<T>;
    for (; begin + N * V <= end; begin += N * V)
      for (int64_t i = 0; i < count;) {
        const int64_t r = row[i];
        T* to = out + r * width + begin;
        Vector<T> sum[N];
        for (int64_t k = 0; k < N; ++k) sum[k] = load_vector(to + k * V);
        for (; i < count && row[i] == r; ++i) {
          const T* x = dense + column[i] * width + begin;
          for (int64_t k = 0; k < N; ++k) sum[k] = sum[k] + value[i] * load_vector(x + k * V);
        }
        for (int64_t k = 0; k < N; ++k) store_vector(to + k * V, sum[k]);
      }
    return begin;
  }
};

void coo_mm_run(Call& c) {
  Tensor& out = c.out(0);
  Ref<Tensor> indices = contiguous(c.tensor(0)), values = contiguous(c.tensor(1)),
              dense = contiguous(c.tensor(2));
  const int64_t n = values->numel, width = out.size(1);
  const auto *row = indices->data<int64_t>(), *column = row + n;
  require_within(row, n, out.size(0));
  require_within(column, n, dense->size(0));
  Unlocked unlocked(n * width);
  auto run = [&]<class T>(T* to) {
    std::fill_n(to, out.numel, T{});
    const int64_t grain = std::max<int64_t>(64, 32768 / std::max<int64_t>(n, 1));
    const Product<T> product{row, column, values->data<T>(), dense->data<T>(), n, width, to};
    parallel_for(width, grain, [&](int64_t begin, int64_t end) { product.run(begin, end); });
  };
  out.dtype == DType::F32 ? run(out.data<float>()) : run(out.data<double>());
}

void check_lines(const Call& c, const Tensor& starts, const Tensor& plain) {
  RL_CHECK(starts.ndim == 1 && plain.ndim == 1 && starts.numel > 0 && starts.dtype == plain.dtype &&
               (starts.dtype == DType::I64 || starts.dtype == DType::I32),
           c.op, ": expected starts (lines + 1) and indices (nnz) of int64 or int32");
}
template <class I>
void require_rising(const char* op, const I* start, int64_t lines, int64_t n) {
  RL_CHECK(start[0] == 0 && start[lines] == n && std::is_sorted(start, start + lines + 1), op,
           ": starts do not rise from 0 to the number of elements, ", n);
}

void csr_mm_infer(Call& c) {
  const Tensor &starts = c.tensor(0), &values = c.tensor(2), &dense = c.tensor(3);
  check_lines(c, starts, c.tensor(1));
  RL_CHECK(values.ndim == 1 && values.numel == c.tensor(1).numel && dense.ndim == 2 &&
               values.dtype == dense.dtype,
           c.op, ": expected values (nnz) and a matrix of one dtype");
  if (dense.dtype != DType::F32 && dense.dtype != DType::F64)
    fail(ErrorKind::NotImplemented, c.op, ": not implemented for ", dense.dtype);
  c.add_out(SizeVec{starts.numel - 1, dense.size(1)}, dense.dtype);
}

// Rows of a compressed matrix and a strided one of `width` columns, and their product.
template <class T, class I>
struct RowProduct {
  const I *start, *column;
  const T *value, *dense;
  int64_t width;
  T* out;

  void run(int64_t begin, int64_t end) const {
    for (int64_t r = begin; r < end; ++r) {
      int64_t k = blocks<4>(r, 0);
      k = blocks<1>(r, k);
      for (; k < width; ++k) {
        T sum = 0;
        for (I i = start[r]; i < start[r + 1]; ++i) sum += value[i] * dense[column[i] * width + k];
        out[r * width + k] = sum;
      }
    }
  }

 private:
  template <int N>
  int64_t blocks(int64_t r, int64_t k) const {
    constexpr int64_t V = kLanes<T>;
    for (; k + N * V <= width; k += N * V) {
      Vector<T> sum[N] = {};
      for (I i = start[r]; i < start[r + 1]; ++i)
        for (int64_t n = 0; n < N; ++n)
          sum[n] += value[i] * load_vector(dense + column[i] * width + k + n * V);
      for (int64_t n = 0; n < N; ++n) store_vector(out + r * width + k + n * V, sum[n]);
    }
    return k;
  }
};

template <class T, class I>
void csr_mm(Call& c) {
  Ref<Tensor> starts = contiguous(c.tensor(0)), columns = contiguous(c.tensor(1)),
              values = contiguous(c.tensor(2)), dense = contiguous(c.tensor(3));
  const I *start = starts->data<I>(), *column = columns->data<I>();
  const int64_t rows = starts->numel - 1, n = values->numel, width = dense->size(1);
  require_rising(c.op, start, rows, n);
  require_within(column, n, dense->size(0));
  if (!rows || !width) return;
  Unlocked unlocked(n * width);
  const RowProduct<T, I> product{
      start, column, values->data<T>(), dense->data<T>(), width, c.out(0).data<T>()};
  const int64_t row_work = width * (n / rows + 1);
  parallel_for(rows, std::max<int64_t>(1, 32768 / row_work),
               [&](int64_t begin, int64_t end) { product.run(begin, end); });
}
void csr_mm_run(Call& c) {
  const bool wide = c.tensor(0).dtype == DType::I64;
  if (c.out(0).dtype == DType::F32)
    return wide ? csr_mm<float, int64_t>(c) : csr_mm<float, int32_t>(c);
  wide ? csr_mm<double, int64_t>(c) : csr_mm<double, int32_t>(c);
}

void csr_coordinates_infer(Call& c) {
  const Tensor& plain = c.tensor(1);
  check_lines(c, c.tensor(0), plain);
  c.add_out(SizeVec{2, plain.numel}, DType::I64);
}
template <class I>
void write_coordinates(const char* op, const Tensor& starts, const Tensor& plain, int64_t* line,
                       int64_t* at) {
  const I *start = starts.data<I>(), *index = plain.data<I>();
  const int64_t lines = starts.numel - 1, n = plain.numel;
  require_rising(op, start, lines, n);
  for (int64_t i = 0; i < lines; ++i) std::fill(line + start[i], line + start[i + 1], i);
  std::copy_n(index, n, at);
}
void csr_coordinates_run(Call& c) {
  Ref<Tensor> starts = contiguous(c.tensor(0)), plain = contiguous(c.tensor(1));
  int64_t *rows = c.out(0).data<int64_t>(), *columns = rows + plain->numel;
  if (!c.flag(2)) std::swap(rows, columns);
  auto write =
      starts->dtype == DType::I64 ? write_coordinates<int64_t> : write_coordinates<int32_t>;
  write(c.op, *starts, *plain, rows, columns);
}

void coo_dense_infer(Call& c) {
  const Tensor &indices = c.tensor(0), &values = c.tensor(1);
  Sizes size = c.ints(2);
  RL_CHECK(indices.ndim == 2 && indices.dtype == DType::I64 && values.ndim >= 1 &&
               indices.size(0) + values.ndim - 1 == static_cast<int64_t>(size.size()) &&
               values.size(0) == indices.size(1) &&
               std::ranges::equal(values.sizes().subspan(1),
                                  size.last(static_cast<size_t>(values.ndim - 1))),
           c.op, ": expected indices (dimensions, nnz), values (nnz, *) and a size that fits");
  if (values.dtype != DType::F32 && values.dtype != DType::F64)
    fail(ErrorKind::NotImplemented, c.op, ": not implemented for ", values.dtype);
  checked_numel(size);
  c.add_out(size, values.dtype);
}
// Element i of the values, each of `width`, is added to one of the cells. Every part of the result
// takes its elements in their order, so that sums do not depend on the parts.
template <class T, class Width>
void add_to_zeros(const std::vector<int64_t>& at, Width width, const T* values, int64_t cells,
                  T* to) {
  constexpr int64_t kGrain = 1 << 15, kCached = 1 << 12;
  const bool sorted = std::ranges::is_sorted(at);
  parallel_for(cells, std::max<int64_t>(1, kGrain / width), [&](int64_t begin, int64_t last) {
    // Where elements come by cell, they are added while the zeros are near.
    const int64_t step = sorted ? std::max<int64_t>(1, kCached / width) : last - begin;
    auto next = sorted ? std::ranges::lower_bound(at, begin) : at.begin();
    for (; begin < last; begin += step) {
      const int64_t end = std::min(begin + step, last);
      std::fill_n(to + begin * width, (end - begin) * width, T{});
      for (; next != at.end() && (!sorted || *next < end); ++next) {
        if (*next < begin || *next >= end) continue;
        const T* v = values + (next - at.begin()) * width;
        for (int64_t k = 0; k < width; ++k) to[*next * width + k] += v[k];
      }
    }
  });
}
void coo_dense_run(Call& c) {
  Tensor& out = c.out(0);
  Ref<Tensor> indices = contiguous(c.tensor(0)), values = contiguous(c.tensor(1));
  const int64_t dims = indices->size(0), n = indices->size(1);
  const auto* index = indices->data<int64_t>();
  for (int64_t d = 0; d < dims; ++d)
    require_within(index + d * n, n, out.size(static_cast<int>(d)));
  if (!out.numel) return;
  const int64_t width = dims ? out.stride(static_cast<int>(dims) - 1) : out.numel;
  std::vector<int64_t> cells(n);
  for (int64_t d = 0; d < dims; ++d) {
    const int64_t cells_apart = out.stride(static_cast<int>(d)) / width;
    for (int64_t i = 0; i < n; ++i) cells[i] += index[d * n + i] * cells_apart;
  }
  auto run = [&]<class T>(T* to) {
    auto add = [&](auto w) { add_to_zeros(cells, w, values->data<T>(), out.numel / width, to); };
    width == 1 ? add(std::integral_constant<int64_t, 1>()) : add(width);
  };
  Unlocked unlocked(out.numel + values->numel);
  out.dtype == DType::F32 ? run(out.data<float>()) : run(out.data<double>());
}

RL_ISA_KERNEL("_coo_dense", coo_dense_infer, coo_dense_run);
RL_ISA_KERNEL("_csr_coordinates", csr_coordinates_infer, csr_coordinates_run);
RL_ISA_KERNEL("_csr_mm", csr_mm_infer, csr_mm_run);
RL_ISA_KERNEL("_coo_mm", coo_mm_infer, coo_mm_run);

}  // namespace
}  // namespace RL_ISA_NS
}  // namespace rl
