// Compositions that are a few native ops in a row when they are called the usual way: the same
// calls that their bodies in rushlight/ops make, or one kernel that does all of it, without the
// interpreter in between. Whatever is unusual (or wrong) is left to the body. To add one: a
// function below and its RL_ROUTE line; tests/behaviour/test_routes.py compares both ways on the
// samples of the record.
#include <algorithm>
#include <limits>

#include "plan/call.h"

namespace rl {
namespace {

bool is_real(const Call& c, int i) { return !is_complex(c.tensor(i).dtype); }

// activation(input, inplace)
bool unless_inplace(const Call& c, Steps& s, const char* op) {
  if (c.flag(1)) return false;
  s.then(op).argument(0);
  return true;
}

// softmax(input, dim, dtype)
bool softmax_steps(const Call& c, Steps& s, const char* op, int dtype) {
  if (!c.has(1) || c.has(dtype) || !is_real(c, 0)) return false;
  s.then(op).argument(0).argument(1);
  return true;
}

constexpr int64_t kNoReduction = -1;

// The number that kernels know a reduction by, where the deprecated flags before it are absent.
int64_t reduction(const Call& c, int size_average, int reduce, int name) {
  if (c.has(size_average) || c.has(reduce)) return kNoReduction;
  constexpr std::string_view kNames[] = {"none", "mean", "sum"};
  for (int64_t i = 0; i < 3; ++i)
    if (c.text(name) == kNames[i]) return i;
  return kNoReduction;
}

// A class for each row of a matrix.
bool is_a_class_a_row(const Tensor& x, const Tensor& target) {
  return x.ndim == 2 && target.ndim == 1 && target.size(0) == x.size(0) &&
         is_integral(target.dtype);
}

// nll_loss(input, target, weight, size_average, ignore_index, reduce, reduction)
bool nll_loss(const Call& c, Steps& s) {
  int64_t how = reduction(c, 3, 5, 6);
  if (how == kNoReduction || !is_a_class_a_row(c.tensor(0), c.tensor(1))) return false;
  s.then("_nll").argument(0).argument(1).argument(2).argument(4).number(how);
  return true;
}

// cross_entropy(input, target, weight, size_average, ignore_index, reduce, reduction,
// label_smoothing)
bool cross_entropy(const Call& c, Steps& s) {
  int64_t how = reduction(c, 3, 5, 6);
  if (how == kNoReduction || c.number(7) != 0 || !is_real(c, 0)) return false;
  if (!is_a_class_a_row(c.tensor(0), c.tensor(1))) return false;
  DType dtype = c.tensor(0).dtype;
  if (dtype == DType::F32 || dtype == DType::F64) {
    s.then("_cross_entropy").argument(0).argument(1).argument(2).argument(4).number(how);
    s.is_recorded();
    return true;
  }
  s.then("_log_softmax").argument(0).number(1);
  s.then("_nll").previous().argument(1).argument(2).argument(4).number(how);
  return true;
}

// mse_loss(input, target, size_average, reduce, reduction, weight)
bool mse_loss(const Call& c, Steps& s) {
  const Tensor &x = c.tensor(0), &target = c.tensor(1);
  int64_t how = reduction(c, 2, 3, 4);
  if (how == kNoReduction || c.has(5) || !std::ranges::equal(x.sizes(), target.sizes()))
    return false;
  if (!is_floating(x.dtype) && !is_floating(target.dtype)) return false;
  s.then("_mse").argument(0).argument(1).number(how);
  return true;
}

// to(self, dtype, non_blocking, copy, memory_format)
bool to_dtype(const Call& c, Steps& s) {
  if (c.arg(1).dtype == c.tensor(0).dtype && !c.flag(3)) return false;
  s.then("convert").argument(0).argument(1).argument(4);
  return true;
}

// How many rows the dimensions before normalized_shape, argument 1, make; kNoRows where that is not
// the end of the input's shape, or some parameter from argument 2 on has another.
constexpr int64_t kNoRows = -1;
int64_t rows_to_norm(const Call& c, int parameters) {
  Sizes sizes = c.tensor(0).sizes(), shape = c.ints(1);
  auto is_shape = [&](Sizes t) {
    return std::equal(shape.begin(), shape.end(), t.begin(), t.end());
  };
  if (shape.empty() || shape.size() > sizes.size() || !is_shape(sizes.last(shape.size())))
    return kNoRows;
  for (int i = 2; i < 2 + parameters; ++i)
    if (c.has(i) && !is_shape(c.tensor(i).sizes())) return kNoRows;
  return checked_numel(sizes.first(sizes.size() - shape.size()));
}

// layer_norm(input, normalized_shape, weight, bias, eps, cudnn_enable)
bool layer_norm(const Call& c, Steps& s) {
  int64_t rows = rows_to_norm(c, 2);
  if (rows == kNoRows) return false;
  s.then("_row_norm").argument(0).argument(2).argument(3).number(rows).number(1).number(1);
  s.argument(4);
  return true;
}

// rms_norm(input, normalized_shape, weight, eps)
bool rms_norm(const Call& c, Steps& s) {
  DType dtype = c.tensor(0).dtype;
  int64_t rows = rows_to_norm(c, 1);
  if (rows == kNoRows || (dtype != DType::F32 && dtype != DType::F64)) return false;
  if (c.has(2) && c.tensor(2).dtype != dtype) return false;
  s.then("_rms_norm").argument(0).argument(2).number(rows).argument(3);
  return true;
}

// cdist(x1, x2, p, compute_mode)
bool cdist(const Call& c, Steps& s) {
  const Tensor &x = c.tensor(0), &y = c.tensor(1);
  double p = c.number(2);
  if (c.has(3) || !(p == 1 || p == 2 || p == std::numeric_limits<double>::infinity())) return false;
  if ((x.dtype != DType::F32 && x.dtype != DType::F64) || y.dtype != x.dtype) return false;
  if (x.ndim < 2 || y.ndim != x.ndim) return false;
  for (int d = 0; d < x.ndim; ++d)
    if (d != x.ndim - 2 && x.size(d) != y.size(d)) return false;
  if (!x.size(x.ndim - 1)) return false;
  s.then("_cdist").argument(0).argument(1).argument(2);
  return true;
}

// cross(self, other, dim): `dim` is known.
bool cross_steps(const Call& c, Steps& s, int64_t dim) {
  const Tensor &a = c.tensor(0), &b = c.tensor(1);
  if (a.dtype != b.dtype || !std::ranges::equal(a.sizes(), b.sizes())) return false;
  if (dim < -a.ndim || dim >= a.ndim || a.size(dim < 0 ? dim + a.ndim : dim) != 3) return false;
  s.then("_cross").argument(0).argument(1).number(dim);
  return true;
}
bool cross(const Call& c, Steps& s) {
  Sizes sizes = c.tensor(0).sizes();
  return cross_steps(c, s, c.has(2) ? c.integer(2) : std::ranges::find(sizes, 3) - sizes.begin());
}

// searchsorted(sorted_sequence, self, out_int32, right, side, sorter)
bool searchsorted(const Call& c, Steps& s) {
  if (!c.tensor_or_null(1) || c.has(4)) return false;
  s.then("_searchsorted").argument(0).argument(1).argument(3).argument(2).argument(5);
  return true;
}
// bucketize(self, boundaries, out_int32, right)
bool bucketize(const Call& c, Steps& s) {
  if (!c.tensor_or_null(0) || c.tensor(1).ndim != 1) return false;
  s.then("_searchsorted").argument(1).argument(0).argument(3).argument(2);
  return true;
}

// rrelu(input, lower, upper, training, inplace, generator)
bool rrelu(const Call& c, Steps& s) {
  const Tensor& x = c.tensor(0);
  if (!c.flag(3) || c.flag(4) || !(c.number(1) <= c.number(2))) return false;
  if (!is_floating(x.dtype) || !x.contiguous) return false;
  s.then("_rrelu_slopes").argument(0).argument(1).argument(2).argument(5);
  s.then("_prelu").argument(0).previous();
  return true;
}

// unique(self, sorted, return_inverse, return_counts, dim)
bool unique(const Call& c, Steps& s) {
  if (c.flag(2) || c.flag(3) || c.has(4)) return false;
  s.then("_unique").argument(0).number(0).number(0);
  return true;
}

// diag_embed(self, offset, dim1, dim2)
bool diag_embed(const Call& c, Steps& s) {
  const int n = c.tensor(0).ndim;
  auto is_last = [&](int arg, int64_t d) {
    return c.integer(arg) == d || c.integer(arg) == n + 1 + d;
  };
  if (n == 0 || !is_last(2, -2) || !is_last(3, -1)) return false;
  s.then("_diag_embed").argument(0).argument(1);
  return true;
}

// channel_shuffle(input, groups): of one group, or one channel a group, is the input itself.
bool channel_shuffle(const Call& c, Steps& s) {
  const Tensor& x = c.tensor(0);
  const int64_t groups = c.integer(1);
  if (x.ndim < 3 || groups <= 1 || x.size(1) % groups || x.size(1) <= groups) return false;
  s.then("_channel_shuffle").argument(0).argument(1);
  return true;
}

// take_along_dim(self, indices, dim)
bool take_along_dim(const Call& c, Steps& s) {
  const Tensor &x = c.tensor(0), &at = c.tensor(1);
  if (!c.has(2) || x.ndim != at.ndim || at.dtype != DType::I64) return false;
  const int64_t dim = c.integer(2) < 0 ? c.integer(2) + x.ndim : c.integer(2);
  if (dim < 0 || dim >= x.ndim || x.size(static_cast<int>(dim)) == 0) return false;
  for (int d = 0; d < x.ndim; ++d)
    if (d != dim && x.size(d) != at.size(d)) return false;
  s.then("remainder").argument(1).number(x.size(static_cast<int>(dim)));
  s.then("gather").argument(0).number(dim).previous();
  return true;
}

// embedding(input, weight, padding_idx, max_norm, norm_type, scale_grad_by_freq, sparse)
bool embedding(const Call& c, Steps& s) {
  const Tensor &at = c.tensor(0), &table = c.tensor(1);
  if (c.has(3) || c.flag(6) || table.ndim != 2) return false;
  if (at.dtype != DType::I64 && at.dtype != DType::I32) return false;
  int64_t rows = table.size(0), padding = c.has(2) ? c.integer(2) : -1;
  if (c.has(2) && (padding < -rows || padding >= rows)) return false;
  if (c.has(2) && padding < 0) padding += rows;
  s.then("_embedding").argument(1).argument(0).number(padding).argument(5);
  return true;
}

// Tensors that have `least` dimensions as they are, joined along one.
bool joined(const Call& c, Steps& s, int least, int dim) {
  auto tensors = c.tensors(0);
  auto fits = [&](const Tensor* t) { return t->ndim >= least; };
  if (tensors.empty() || !std::ranges::all_of(tensors, fits)) return false;
  s.then("cat").argument(0).number(dim);
  return true;
}
bool hstack(const Call& c, Steps& s) {
  auto tensors = c.tensors(0);
  return joined(c, s, 1, tensors.empty() || tensors[0]->ndim == 1 ? 0 : 1);
}
bool concatenated(const Call&, Steps& s) {
  s.then("cat").argument(0).argument(1);
  return true;
}

RL_ROUTE("cdist", cdist);
RL_ROUTE("cross", cross);
RL_ROUTE("cross.linalg", [](const Call& c, Steps& s) { return cross_steps(c, s, c.integer(2)); });
RL_ROUTE("searchsorted", searchsorted);
RL_ROUTE("bucketize", bucketize);
RL_ROUTE("rrelu", rrelu);
RL_ROUTE("take_along_dim", take_along_dim);
RL_ROUTE("embedding", embedding);
RL_ROUTE("unique", unique);
RL_ROUTE("diag_embed", diag_embed);
RL_ROUTE("channel_shuffle", channel_shuffle);
RL_ROUTE("concat", concatenated);
RL_ROUTE("concatenate", concatenated);
RL_ROUTE("hstack", hstack);
RL_ROUTE("column_stack", [](const Call& c, Steps& s) { return joined(c, s, 2, 1); });
RL_ROUTE("vstack", [](const Call& c, Steps& s) { return joined(c, s, 2, 0); });
RL_ROUTE("row_stack", [](const Call& c, Steps& s) { return joined(c, s, 2, 0); });
RL_ROUTE("dstack", [](const Call& c, Steps& s) { return joined(c, s, 3, 2); });
RL_ROUTE("relu.nn", [](const Call& c, Steps& s) { return unless_inplace(c, s, "relu"); });
RL_ROUTE("softmax", [](const Call& c, Steps& s) { return softmax_steps(c, s, "_softmax", 2); });
RL_ROUTE("softmax.nn", [](const Call& c, Steps& s) { return softmax_steps(c, s, "_softmax", 3); });
RL_ROUTE("log_softmax",
         [](const Call& c, Steps& s) { return softmax_steps(c, s, "_log_softmax", 2); });
RL_ROUTE("log_softmax.nn",
         [](const Call& c, Steps& s) { return softmax_steps(c, s, "_log_softmax", 3); });
RL_ROUTE("nll_loss", nll_loss);
RL_ROUTE("cross_entropy", cross_entropy);
RL_ROUTE("mse_loss", mse_loss);
RL_ROUTE("to.dtype", to_dtype);
RL_ROUTE("layer_norm", layer_norm);
RL_ROUTE("rms_norm", rms_norm);

}  // namespace
}  // namespace rl
