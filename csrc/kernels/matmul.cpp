// Operators that are matrix products: matmul and its fixed-rank relatives, linear, addmm,
// baddbmm, dot. Shapes are checked and batches walked here; the products are gemm.cpp's.
#include <algorithm>
#include <utility>
#include <vector>

#include "core/allocator.h"
#include "kernels/gemm_batch.h"
#include "plan/blocks.h"
#include "plan/copy.h"
#include "plan/parallel.h"

namespace rl {
namespace {

void check_dtypes(const Call& c, const Tensor& a, const Tensor& b) {
  RL_CHECK(a.dtype == b.dtype, c.op, ": expected both operands to have the same dtype, but got ",
           a.dtype, " and ", b.dtype, "; convert one of them");
}
void check_rank(const Call& c, const char* name, const Tensor& t, int want) {
  RL_CHECK(t.ndim == want, c.op, ": ", name, " must be a ", want, "-dimensional tensor, got shape ",
           t.sizes());
}
void check_product(const Call& c, const Tensor& a, const Tensor& b, int64_t inner, int64_t other) {
  RL_CHECK(inner == other, c.op, ": mat1 and mat2 shapes cannot be multiplied (", a.sizes(),
           " and ", b.sizes(), "): the last dimension of the first is ", inner,
           ", the matching dimension of the second is ", other);
}

// ---- operands
// The trailing matrix of t; vectors become a row (`column` false) or a column.
Matrix trailing(const Tensor& t, bool column) {
  int n = t.ndim;
  if (n == 0) return {t.raw(), 1, 1, 1, 1};
  if (n == 1)
    return column ? Matrix{t.raw(), t.size(0), 1, t.stride(0), 1}
                  : Matrix{t.raw(), 1, t.size(0), t.size(0), t.stride(0)};
  return {t.raw(), t.size(n - 2), t.size(n - 1), t.stride(n - 2), t.stride(n - 1)};
}

// t itself, or a row-major copy in `compute` when gemm cannot read it in place.
Ref<Tensor> readable(Tensor& t, DType compute, bool column) {
  if (t.dtype != compute || !gemm_readable(trailing(t, column))) return contiguous_as(t, compute);
  return Ref<Tensor>::share(&t);
}

const void* offset(const Matrix& m, int64_t elements, int64_t item) {
  return static_cast<const char*>(m.data) + elements * item;
}

// Steps of a batched operand through the broadcast batch dimensions `batch`.
std::vector<int64_t> batch_strides(const Tensor& t, Sizes batch) {
  std::vector<int64_t> out(batch.size(), 0);
  int own = std::max(0, t.ndim - 2), lead = static_cast<int>(batch.size()) - own;
  for (int d = 0; d < own; ++d)
    if (t.size(d) != 1) out[lead + d] = t.stride(d);
  return out;
}

// Folds the batch of t into a's rows where the strides allow it; a is t's trailing matrix.
bool fold_batch(const Tensor& t, Matrix& a) {
  int64_t rows = a.rows, step = a.row_stride;
  for (int d = t.ndim - 3; d >= 0; --d) {
    if (t.size(d) == 1) continue;
    if (rows == 1)
      step = t.stride(d);
    else if (t.stride(d) != rows * step)
      return false;
    rows *= t.size(d);
  }
  Matrix folded = a;
  folded.rows = rows;
  folded.row_stride = step;
  if (!gemm_readable(folded)) return false;
  a = folded;
  return true;
}

// True if products of the batch of t with the matrix b have few rows each, which do not lie evenly:
// copied together they are one product, which reads b once.
bool is_scattered(const Tensor& t, const Tensor& b) {
  constexpr int64_t kFew = 96, kCheap = 8;
  Matrix m = trailing(t, false);
  return t.ndim > 2 && b.ndim == 2 && m.rows < kFew && std::min(b.size(0), b.size(1)) >= kCheap &&
         !fold_batch(t, m);
}

struct Batched {
  DType read, dtype;  // of operands and of the result
  Matrix a, b;
  Sizes batch;
  std::vector<int64_t> a_steps, b_steps;
  char* out;
  bool accumulate;
};

void product_at(const Batched& p, int64_t i) {
  int64_t ao = 0, bo = 0, rest = i;
  for (size_t d = p.batch.size(); d-- > 0;) {
    int64_t at = rest % p.batch[d];
    rest /= p.batch[d];
    ao += at * p.a_steps[d];
    bo += at * p.b_steps[d];
  }
  int64_t item = item_size(p.read), cells = p.a.rows * p.b.cols;
  Matrix a = p.a, b = p.b;
  a.data = offset(p.a, ao, item);
  b.data = offset(p.b, bo, item);
  gemm(p.read, a, b, p.out + i * cells * item_size(p.dtype), p.b.cols, p.accumulate);
}

// How far on the next product's operand is, if that is the same for all; else -1.
int64_t even_step(Sizes batch, const std::vector<int64_t>& steps) {
  int64_t step = 0, count = 1;
  for (size_t d = batch.size(); d-- > 0; count *= batch[d]) {
    if (batch[d] == 1) continue;
    if (count == 1) step = steps[d];
    if (steps[d] != step * count) return -1;
  }
  return step;
}

// The same as product_at of each.
void products(const Batched& p, int64_t begin, int64_t end, int64_t a_step, int64_t b_step) {
  if (a_step < 0 || b_step < 0 || end - begin < 4 || item_size(p.read) == 1 ||
      p.read == DType::BF16) {
    for (int64_t i = begin; i < end; ++i) product_at(p, i);
    return;
  }
  BatchOperand a{p.a, a_step}, b{p.b, b_step};
  int64_t item = item_size(p.read);
  a.first.data = offset(p.a, begin * a_step, item);
  b.first.data = offset(p.b, begin * b_step, item);
  gemm_batch(p.read, a, b, p.out + begin * p.a.rows * p.b.cols * item, end - begin, p.accumulate);
}

// Whole products per thread?
bool splits(int64_t count, int64_t work) { return count > 1 && work < (int64_t{1} << 24); }

void run_batches(const Batched& p, int64_t count) {
  int64_t work = p.a.rows * p.a.cols * p.b.cols;
  if (!splits(count, work)) {
    for (int64_t i = 0; i < count; ++i) product_at(p, i);
    return;
  }
  int64_t a_step = even_step(p.batch, p.a_steps), b_step = even_step(p.batch, p.b_steps);
  parallel_for(count, std::max<int64_t>(1, 65536 / std::max<int64_t>(1, work)),
               [&](int64_t begin, int64_t end) { products(p, begin, end, a_step, b_step); });
}

// out (row-major, compute dtype) = a b over the broadcast batch, or += when accumulate.
void multiply(Tensor& a, Tensor& b, bool b_transposed, Tensor& out, Sizes batch, bool accumulate) {
  Matrix ma = trailing(a, false), mb = trailing(b, true);
  if (b_transposed) mb = transposed(mb);
  Batched p{a.dtype, out.dtype, ma, mb, batch, {}, {}, static_cast<char*>(out.raw()), accumulate};
  int64_t count = 1;
  for (int64_t s : batch) count *= s;
  if (b.ndim <= 2 && a.ndim > 2 && fold_batch(a, p.a)) {
    p.batch = {};
    count = 1;
  } else {
    p.a_steps = batch_strides(a, batch);
    p.b_steps = batch_strides(b, batch);
  }
  int64_t work = p.a.rows * p.a.cols * p.b.cols;
  gemm_prepare(p.read, work);
  Unlocked unlocked(work * count);
  run_batches(p, count);
}

// The dtype that products of d are computed in. Those of 8-bit integers are the low halves of
// 16-bit ones, which processors multiply whole vectors of.
DType product_dtype(DType d) { return d == DType::I8 || d == DType::U8 ? DType::I16 : widened(d); }

// The dtype to read operands in: BFloat16 itself where large products of it are multiplied so.
DType read_dtype(const Tensor& a, const Tensor& b, bool b_transposed, Sizes batch) {
  if (a.dtype != DType::BF16 || in_parallel()) return product_dtype(a.dtype);
  Matrix ma = trailing(a, false), mb = trailing(b, true);
  if (b_transposed) mb = transposed(mb);
  int64_t count = 1;
  for (int64_t s : batch) count *= s;
  if (b.ndim <= 2) ma.rows *= std::exchange(count, 1);
  bool takes = gemm_takes_bfloat16(ma, mb) && !splits(count, ma.rows * ma.cols * mb.cols);
  return takes ? a.dtype : product_dtype(a.dtype);
}

// A few vectors x and a large matrix of 16 bits whose rows they are multiplied with.
struct FewProducts {
  Ref<Tensor> x;
  Matrix w{};

  FewProducts(Tensor& a, Tensor& b, bool b_transposed) {
    constexpr int64_t kFew = 4, kLarge = 1 << 14;
    if (!is_floating(a.dtype) || item_size(a.dtype) != 2 || b.ndim > 2) return;
    Matrix ma = trailing(a, false), mb = trailing(b, true);
    if (b_transposed) mb = transposed(mb);
    if (mb.row_stride == 1 && a.numel <= kFew * mb.rows && b.numel >= kLarge)
      w = transposed(mb), x = contiguous_as(a, DType::F32);
    else if (mb.cols == 1 && a.ndim == 2 && ma.col_stride == 1 && a.numel >= kLarge)
      w = ma, x = contiguous_as(b, DType::F32);
  }
  // The matrix is widened a part at a time: all of it would leave the cache and come back.
  void run(DType dtype, float* out, bool accumulate) const {
    constexpr int64_t kPart = 1 << 13, kGrain = 1 << 16;
    const int64_t k = w.cols, part = std::max<int64_t>(4, kPart / k);
    const Converter widen = converter(dtype, DType::F32);
    Unlocked unlocked(w.rows * k);
    parallel_for((w.rows + part - 1) / part, kGrain / (part * k) + 1,
                 [&](int64_t begin, int64_t end) {
                   Scratch<float> wide(part * k);
                   for (int64_t r = begin * part; r < std::min(end * part, w.rows); r += part) {
                     const int64_t count = std::min(part, w.rows - r);
                     for (int64_t i = 0; i < count; ++i)
                       widen(wide.data() + i * k, offset(w, (r + i) * w.row_stride, 2), k);
                     gemm_loops().of<float>().few_dots({x->raw(), x->numel / k, k, k, 1},
                                                       {wide.data(), count, k, k, 1}, out + r,
                                                       w.rows, 0, count, accumulate);
                   }
                 });
  }
};

// Computes into call.out(0), through a row-major buffer of the compute dtype where needed.
// `start` initialises the buffer before products are added to it.
template <class Start>
void run_product(Call& c, Tensor& a, Tensor& b, bool b_transposed, Sizes batch, bool accumulate,
                 Start start) {
  Tensor& out = c.out(0);
  DType compute = product_dtype(a.dtype), read = read_dtype(a, b, b_transposed, batch);
  if (const FewProducts few(a, b, b_transposed); few.x && read == DType::F32) {
    Ref<Tensor> sums = empty(out.sizes(), compute);
    if (accumulate) start(*sums);
    few.run(a.dtype, sums->data<float>(), accumulate);
    return copy_into(out, *sums);
  }
  Ref<Tensor> ra = readable(a, read, false), rb = readable(b, read, true);
  if (is_scattered(*ra, *rb)) ra = contiguous(*ra);
  bool direct = out.contiguous && out.dtype == compute;
  Ref<Tensor> buffer = direct ? Ref<Tensor>::share(&out) : empty(out.sizes(), compute);
  if (accumulate) start(*buffer);
  if (buffer->numel) multiply(*ra, *rb, b_transposed, *buffer, batch, accumulate);
  if (!direct) copy_into(out, *buffer);
}
void run_product(Call& c, Tensor& a, Tensor& b, bool b_transposed, Sizes batch) {
  run_product(c, a, b, b_transposed, batch, false, [](Tensor&) {});
}

// Products of 8-bit floats exist for matrices: what a batch or a vector multiplies is one.
void check_matrices(Call& c, const Tensor& a, const Tensor& b) {
  if (is_float8(a.dtype) && b.ndim != 2)
    fail(ErrorKind::NotImplemented, c.op, ": not implemented for '", info(a.dtype).legacy_name,
         "' but for matrices, got shapes ", a.sizes(), " and ", b.sizes(), "; convert with .to");
}

SizeVec batch_of(const Tensor& t) {
  int n = std::max(0, t.ndim - 2);
  return SizeVec(t.sizes().begin(), t.sizes().begin() + n);
}

// ---- matmul, mm, bmm, mv, dot
void matmul_infer(Call& c) {
  Tensor &a = c.tensor(0), &b = c.tensor(1);
  RL_CHECK(a.ndim && b.ndim, c.op,
           ": both arguments need to be at least 1-dimensional, got shapes ", a.sizes(), " and ",
           b.sizes());
  check_dtypes(c, a, b);
  check_matrices(c, a, b);
  check_product(c, a, b, a.size(a.ndim - 1), b.size(std::max(0, b.ndim - 2)));
  SizeVec sizes = broadcast_sizes(batch_of(a), batch_of(b));
  if (a.ndim > 1) sizes.push_back(a.size(a.ndim - 2));
  if (b.ndim > 1) sizes.push_back(b.size(b.ndim - 1));
  c.add_out(sizes, a.dtype);
}
// A vector times a matrix that is the transpose of a row-major one of 16 bits, which is widened as
// it lies: from the left.
bool turns_vector(const Tensor& a, const Tensor& b) {
  return a.ndim == 2 && b.ndim == 1 && item_size(a.dtype) == 2 && a.stride(0) == 1 && !a.contiguous;
}
void matmul_run(Call& c) {
  Tensor &a = c.tensor(0), &b = c.tensor(1);
  SizeVec batch;
  if (turns_vector(a, b)) {
    const int64_t sizes[] = {a.size(1), a.size(0)}, strides[] = {a.stride(1), a.stride(0)};
    return run_product(c, b, *alias(a, sizes, strides, a.offset), false, batch);
  }
  if (a.ndim > 2 || b.ndim > 2) batch = broadcast_sizes(batch_of(a), batch_of(b));
  run_product(c, a, b, false, batch);
}

template <int A, int B>
void ranked_infer(Call& c) {
  Tensor &a = c.tensor(0), &b = c.tensor(1);
  check_rank(c, "self", a, A);
  check_rank(c, B == 1 ? "vec" : "mat2", b, B);
  if (A == 3)
    RL_CHECK(a.size(0) == b.size(0), c.op, ": expected both operands to have the same batch size, ",
             "got shapes ", a.sizes(), " and ", b.sizes());
  matmul_infer(c);
}
RL_KERNEL_FLOAT8("matmul", matmul_infer, matmul_run);
RL_KERNEL_FLOAT8("mm", (ranked_infer<2, 2>), matmul_run);
RL_KERNEL("bmm", (ranked_infer<3, 3>), matmul_run);
RL_KERNEL("mv", (ranked_infer<2, 1>), matmul_run);
RL_KERNEL("dot", (ranked_infer<1, 1>), matmul_run);

// ---- linear(input, weight, bias): input weight^T + bias
void linear_infer(Call& c) {
  Tensor &x = c.tensor(0), &w = c.tensor(1);
  RL_CHECK(w.ndim == 1 || w.ndim == 2, c.op, ": weight must have 1 or 2 dimensions, got shape ",
           w.sizes());
  RL_CHECK(x.ndim >= 1, c.op, ": input needs at least one dimension");
  check_dtypes(c, x, w);
  check_product(c, x, w, x.size(x.ndim - 1), w.size(w.ndim - 1));
  SizeVec sizes(x.sizes().begin(), x.sizes().end() - 1);
  if (w.ndim == 2) sizes.push_back(w.size(0));
  if (Tensor* bias = c.tensor_or_null(2)) {
    check_dtypes(c, x, *bias);
    RL_CHECK(broadcast_sizes(sizes, bias->sizes()) == sizes, c.op, ": bias of shape ",
             bias->sizes(), " does not fit the output of shape ", Sizes(sizes));
  }
  c.add_out(sizes, x.dtype);
}
void linear_run(Call& c) {
  Tensor &x = c.tensor(0), &w = c.tensor(1);
  Tensor* bias = c.tensor_or_null(2);
  SizeVec batch = batch_of(x);
  run_product(c, x, w, w.ndim == 2, batch, bias != nullptr,
              [&](Tensor& buffer) { copy_into(buffer, *bias); });
}
RL_KERNEL_FLOAT8("linear", linear_infer, linear_run);

// ---- beta * self + alpha * (a b)
bool is_one(const Scalar& s) { return s.re == 1 && s.im == 0; }
bool is_zero(const Scalar& s) { return s.re == 0 && s.im == 0; }

template <class T>
void scale_loop(T* p, int64_t n, T by) {
  for (int64_t i = 0; i < n; ++i) {
    if constexpr (std::is_same_v<T, bool>)
      p[i] = p[i] && by;
    else if constexpr (std::is_integral_v<T>)  // which wraps
      p[i] = static_cast<T>(static_cast<uint64_t>(p[i]) * static_cast<uint64_t>(by));
    else
      p[i] = static_cast<T>(p[i] * by);
  }
}
template <class T>
void add_loop(T* p, const T* q, int64_t n) {
  using Sum = std::conditional_t<std::is_integral_v<T>, uint64_t, T>;  // as above
  for (int64_t i = 0; i < n; ++i)
    p[i] = static_cast<T>(static_cast<Sum>(p[i]) + static_cast<Sum>(q[i]));
}
void scale(Tensor& t, const Scalar& by) {
  if (is_one(by)) return;
  dispatch(t.dtype, [&]<class T>() { scale_loop(t.data<T>(), t.numel, by.to<T>()); });
}

// A factor as the dtype holds it: integer products truncate theirs.
Scalar in_dtype(const Scalar& s, DType d) {
  return is_integral(d) && s.kind > Scalar::Int ? Scalar::of(static_cast<int64_t>(s.re)) : s;
}

// self (0), a (1), b (2), beta (3), alpha (4); Rank is that of a.
template <int Rank>
void add_product_infer(Call& c) {
  Tensor &self = c.tensor(0), &a = c.tensor(1), &b = c.tensor(2);
  check_rank(c, "the first factor", a, Rank);
  int b_rank = c.op[3] == 'm' && c.op[4] == 'v' ? 1 : Rank;
  check_rank(c, "the second factor", b, b_rank);
  check_dtypes(c, a, b);
  check_dtypes(c, self, a);
  for (int factor : {3, 4})
    RL_CHECK(c.scalar(factor).kind != Scalar::Complex || is_complex(a.dtype), c.op, ": ",
             factor == 3 ? "beta" : "alpha", " must not be complex for tensors of ", a.dtype);
  check_product(c, a, b, a.size(Rank - 1), b.size(std::max(0, b_rank - 2)));
  SizeVec sizes = batch_of(a);
  if (Rank == 3)
    RL_CHECK(a.size(0) == b.size(0), c.op, ": the factors have different batch sizes, shapes ",
             a.sizes(), " and ", b.sizes());
  sizes.push_back(a.size(Rank - 2));
  if (b_rank > 1) sizes.push_back(b.size(b_rank - 1));
  RL_CHECK(broadcast_sizes(sizes, self.sizes()) == sizes, c.op, ": self of shape ", self.sizes(),
           " cannot be expanded to the product's shape ", Sizes(sizes));
  c.add_out(sizes, a.dtype);
}
void add_product_run(Call& c) {
  Tensor &self = c.tensor(0), &a = c.tensor(1), &b = c.tensor(2);
  Scalar beta = in_dtype(c.scalar(3), a.dtype), alpha = in_dtype(c.scalar(4), a.dtype);
  SizeVec batch = batch_of(a);
  bool keep = !is_zero(beta);
  if (is_one(alpha) || is_zero(alpha)) {  // alpha 0 still propagates NaN of the factors
    auto start = [&](Tensor& buffer) {
      copy_into(buffer, self);
      scale(buffer, beta);
    };
    if (is_one(alpha)) return run_product(c, a, b, false, batch, keep, start);
  }
  DType compute = product_dtype(a.dtype);
  Ref<Tensor> ra = readable(a, compute, false), rb = readable(b, compute, true);
  Ref<Tensor> product = empty(c.out(0).sizes(), compute);
  if (product->numel) multiply(*ra, *rb, false, *product, batch, false);
  scale(*product, alpha);
  if (keep) {
    Ref<Tensor> base = empty(product->sizes(), compute);
    copy_into(*base, self);
    scale(*base, beta);
    dispatch(compute,
             [&]<class T>() { add_loop(product->data<T>(), base->data<T>(), product->numel); });
  }
  copy_into(c.out(0), *product);
}
RL_KERNEL_FLOAT8("addmm", add_product_infer<2>, add_product_run);
RL_KERNEL("addmv", add_product_infer<2>, add_product_run);
RL_KERNEL("baddbmm", add_product_infer<3>, add_product_run);

}  // namespace
}  // namespace rl
