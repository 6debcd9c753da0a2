// View operations with one output: each describes sizes, strides and offset over its base.
// Views with several outputs are in views_split.cpp; copies that move elements in shape.cpp.
// To add one: an infer function below, its RL_VIEW line, and its record in ops/views.py.
#include <algorithm>

#include "plan/copy.h"
#include "plan/geometry.h"

namespace rl {
namespace {

// The next output, so far with the geometry of argument 0.
OutSpec& same(Call& c) {
  const Tensor& t = c.tensor(0);
  OutSpec& s = c.add_out(t.sizes(), t.dtype);
  s.strides.assign(t.strides().begin(), t.strides().end());
  s.offset = t.offset;
  return s;
}

// The next output, a view of argument 0 with these sizes and strides to come.
OutSpec& shaped(Call& c, SizeVec sizes) {
  const Tensor& t = c.tensor(0);
  OutSpec& s = c.add_out({}, t.dtype);
  s.sizes = std::move(sizes);
  s.offset = t.offset;
  return s;
}

void drop_dim(OutSpec& s, int d) {
  s.sizes.erase(s.sizes.begin() + d);
  s.strides.erase(s.strides.begin() + d);
}
void insert_dim(OutSpec& s, int d, int64_t size, int64_t stride) {
  s.sizes.insert(s.sizes.begin() + d, size);
  s.strides.insert(s.strides.begin() + d, stride);
}

void alias_infer(Call& c) { same(c); }

// ---- shape
void view_infer(Call& c) {
  const Tensor& t = c.tensor(0);
  OutSpec& s = shaped(c, resolve_shape(c.ints(1), t.numel));
  RL_CHECK(view_strides(t, s.sizes, s.strides),
           "view size is not compatible with input tensor's size ",
           "and stride (at least one dimension spans across two contiguous subspaces). ",
           "Use .reshape(...) instead. Got size ", t.sizes(), ", stride ", t.strides(),
           ", requested ", Sizes(s.sizes));
}

// A view where there is one; else base -1, a fresh tensor that `copy_run` fills.
void view_or_copy(Call& c, SizeVec shape) {
  const Tensor& t = c.tensor(0);
  OutSpec& s = shaped(c, std::move(shape));
  if (view_strides(t, s.sizes, s.strides)) return;
  s.strides.clear();
  s.offset = 0;
  s.base = -1;
}
void copy_run(Call& c) {
  if (c.specs[0].base >= 0) return;
  const Tensor& t = c.tensor(0);
  Ref<Tensor> shaped = alias(c.out(0), t.sizes(), contiguous_strides(t.sizes()), 0);
  copy_into(*shaped, t);
}

void reshape_infer(Call& c) { view_or_copy(c, resolve_shape(c.ints(1), c.tensor(0).numel)); }

void flatten_infer(Call& c) {  // self, start_dim, end_dim
  const Tensor& t = c.tensor(0);
  int first = wrap_dim(c.integer(1), t.ndim), last = wrap_dim(c.integer(2), t.ndim);
  RL_CHECK(first <= last,
           "flatten() has invalid args: start_dim cannot come after end_dim, got start_dim=",
           c.integer(1), ", end_dim=", c.integer(2));
  SizeVec shape;
  int64_t merged = 1;
  for (int d = 0; d < t.ndim; ++d) {
    if (d >= first && d <= last) merged *= t.size(d);
    if (d == last)
      shape.push_back(merged);
    else if (d < first || d > last)
      shape.push_back(t.size(d));
  }
  if (t.ndim == 0) shape.push_back(1);
  view_or_copy(c, std::move(shape));
}

void expand_infer(Call& c) {
  const Tensor& t = c.tensor(0);
  Sizes want = c.ints(1);
  int n = static_cast<int>(want.size()), extra = n - t.ndim;
  RL_CHECK(extra >= 0, "expand: the number of sizes provided (", n,
           ") must be greater or equal to the number of dimensions in the tensor (",
           static_cast<int>(t.ndim), "); tensor sizes ", t.sizes(), ", requested ", want);
  OutSpec& s = c.add_out(want, t.dtype);
  s.strides.assign(want.size(), 0);
  s.offset = t.offset;
  for (int d = n - 1; d >= 0; --d) {
    int from = d - extra;
    RL_CHECK(from >= 0 || want[d] >= 0, "The expanded size of the tensor (", want[d],
             ") isn't allowed in a leading, non-existing dimension ", d);
    if (from < 0) {  // as if the tensor had a leading dimension of 1
      s.strides[d] = d == n - 1 || want[d] != 1 ? 0 : s.sizes[d + 1] * s.strides[d + 1];
      continue;
    }
    s.strides[d] = t.stride(from);
    if (want[d] == -1) s.sizes[d] = t.size(from);
    if (s.sizes[d] == t.size(from)) continue;
    RL_CHECK(t.size(from) == 1 && want[d] >= 0, "The expanded size of the tensor (", want[d],
             ") must match the existing size (", t.size(from), ") at non-singleton dimension ", d,
             ".  Target sizes: ", want, ".  Tensor sizes: ", t.sizes());
    s.strides[d] = 0;
  }
  checked_numel(s.sizes);
}

void as_strided_infer(Call& c) {
  const Tensor& t = c.tensor(0);
  Sizes size = c.ints(1), stride = c.ints(2);
  RL_CHECK(size.size() == stride.size(), "mismatch in length of strides and shape: size ", size,
           ", stride ", stride);
  checked_numel(size);
  for (int64_t s : stride)
    RL_CHECK(s >= 0,
             "as_strided: Negative strides are not supported at the moment, got strides: ", stride);
  int64_t offset = c.has(3) ? c.integer(3) : t.offset;
  RL_CHECK(offset >= 0, "Tensor: invalid storage offset ", offset);
  int64_t need = span_bytes(size, stride, offset, item_size(t.dtype));
  RL_CHECK(t.is_meta() || need <= static_cast<int64_t>(t.storage->nbytes), "setStorage: sizes ",
           size, ", strides ", stride, ", storage offset ", offset, ", and itemsize ",
           item_size(t.dtype), " requiring a storage size of ", need,
           " are out of bounds for storage of size ", t.storage->nbytes);
  OutSpec& s = c.add_out(size, t.dtype);
  s.strides.assign(stride.begin(), stride.end());
  s.offset = offset;
}

void squeeze_infer(Call& c) {
  OutSpec& s = same(c);
  int n = static_cast<int>(s.sizes.size());
  bool drop[kMaxDims] = {};
  if (!c.has(1))
    std::fill_n(drop, n, true);
  else
    for (int64_t d : c.ints(1)) {
      int w = wrap_dim(d, n);
      RL_CHECK(!drop[w] || n == 0, "dim ", w, " appears multiple times in the list of dims");
      drop[w] = true;
    }
  for (int d = n - 1; d >= 0; --d)
    if (drop[d] && s.sizes[d] == 1) drop_dim(s, d);
}

void unsqueeze_infer(Call& c) {
  OutSpec& s = same(c);
  int n = static_cast<int>(s.sizes.size()), d = wrap_dim(c.integer(1), n + 1);
  insert_dim(s, d, 1, d < n ? s.sizes[d] * s.strides[d] : 1);
}

// ---- order of dimensions
void reorder(Call& c, const int* order) {
  const Tensor& t = c.tensor(0);
  OutSpec& s = same(c);
  for (int i = 0; i < t.ndim; ++i) {
    s.sizes[i] = t.size(order[i]);
    s.strides[i] = t.stride(order[i]);
  }
}

void permute_infer(Call& c) {
  const Tensor& t = c.tensor(0);
  Sizes dims = c.ints(1);
  RL_CHECK(static_cast<int>(dims.size()) == t.ndim, "permute: number of dimensions in the tensor ",
           "input does not match the length of the desired ordering of dimensions i.e. ",
           "input.dim() = ", static_cast<int>(t.ndim),
           " is not equal to len(dims) = ", dims.size());
  int order[kMaxDims];
  bool seen[kMaxDims] = {};
  for (int i = 0; i < t.ndim; ++i) {
    order[i] = wrap_dim(dims[i], t.ndim);
    RL_CHECK(!seen[order[i]], "permute(): duplicate dims are not allowed, got ", dims);
    seen[order[i]] = true;
  }
  reorder(c, order);
}

void swap_last(Call& c, int a, int b) {
  OutSpec& s = same(c);
  if (s.sizes.empty()) return;
  std::swap(s.sizes[a], s.sizes[b]);
  std::swap(s.strides[a], s.strides[b]);
}

void transpose_infer(Call& c) {
  int n = c.tensor(0).ndim, a = wrap_dim(c.integer(1), n), b = wrap_dim(c.integer(2), n);
  swap_last(c, a, b);
}

void t_infer(Call& c) {
  int n = c.tensor(0).ndim;
  RL_CHECK(n <= 2, "t() expects a tensor with <= 2 dimensions, but self is ", n, "D");
  if (n == 2)
    swap_last(c, 0, 1);
  else
    same(c);
}

void numpy_T_infer(Call& c) {
  OutSpec& s = same(c);
  std::reverse(s.sizes.begin(), s.sizes.end());
  std::reverse(s.strides.begin(), s.strides.end());
}

void mT_infer(Call& c) {
  int n = c.tensor(0).ndim;
  RL_CHECK(n >= 2, "tensor.mT is only supported on matrices or batches of matrices. Got ", n,
           "-D tensor.");
  swap_last(c, n - 2, n - 1);
}

void movedim_infer(Call& c) {
  const Tensor& t = c.tensor(0);
  Sizes from = c.ints(1), to = c.ints(2);
  RL_CHECK(from.size() == to.size(), "movedim: Invalid source or destination dims: source (", from,
           " dims) should contain the same number of dims as destination (", to, " dims)");
  int order[kMaxDims];
  bool used[kMaxDims] = {};
  std::fill_n(order, t.ndim, -1);
  for (size_t i = 0; i < from.size(); ++i) {
    int a = wrap_dim(from[i], t.ndim), b = wrap_dim(to[i], t.ndim);
    if (t.ndim == 0) continue;
    RL_CHECK(!used[a], "movedim: repeated dim in `source` (", from, ")");
    RL_CHECK(order[b] < 0, "movedim: repeated dim in `destination` (", to, ")");
    used[a] = true;
    order[b] = a;
  }
  for (int i = 0, next = 0; i < t.ndim; ++i) {
    if (order[i] >= 0) continue;
    while (used[next]) ++next;
    order[i] = next++;
  }
  reorder(c, order);
}

// ---- parts
void select_infer(Call& c) {
  const Tensor& t = c.tensor(0);
  if (t.ndim == 0) fail(ErrorKind::Index, "select() cannot be applied to a 0-dim tensor.");
  int d = wrap_dim(c.integer(1), t.ndim);
  int64_t index = c.integer(2), size = t.size(d);
  if (index < -size || index >= size)
    fail(ErrorKind::Index, "select(): index ", index, " out of range for tensor of size ",
         t.sizes(), " at dimension ", d);
  OutSpec& s = same(c);
  s.offset += (index < 0 ? index + size : index) * s.strides[d];
  drop_dim(s, d);
}

void slice_infer(Call& c) {  // self, dim, start?, end?, step
  const Tensor& t = c.tensor(0);
  RL_CHECK(t.ndim > 0, "slice() cannot be applied to a 0-dim tensor.");
  int d = wrap_dim(c.integer(1), t.ndim);
  int64_t step = c.has(4) ? c.integer(4) : 1;
  if (step <= 0) fail(ErrorKind::Value, "slice step must be positive, got ", step);
  auto [start, length] = slice_bounds(c.has(2) ? c.integer(2) : 0,
                                      c.has(3) ? c.integer(3) : t.size(d), step, t.size(d));
  OutSpec& s = same(c);
  s.sizes[d] = length;
  s.offset += start * s.strides[d];
  s.strides[d] *= step;
}

void narrow_infer(Call& c) {  // self, dim, start, length
  const Tensor& t = c.tensor(0);
  RL_CHECK(t.ndim > 0, "narrow() cannot be applied to a 0-dim tensor.");
  int d = wrap_dim(c.integer(1), t.ndim);
  int64_t start = c.integer(2), length = c.integer(3), size = t.size(d);
  RL_CHECK(length >= 0, "narrow(): length must be non-negative, got ", length);
  if (start < -size || start > size)
    fail(ErrorKind::Index, "start out of range (expected to be in range of [", -size, ", ", size,
         "], but got ", start, ")");
  if (start < 0) start += size;
  RL_CHECK(start + length <= size, "start (", start, ") + length (", length,
           ") exceeds dimension size (", size, ").");
  OutSpec& s = same(c);
  s.sizes[d] = length;
  s.offset += start * s.strides[d];
}

void diagonal_infer(Call& c) {  // self, offset, dim1, dim2
  const Tensor& t = c.tensor(0);
  int64_t shift = c.integer(1);
  int a = wrap_dim(c.integer(2), t.ndim), b = wrap_dim(c.integer(3), t.ndim);
  RL_CHECK(a != b, "diagonal dimensions cannot be identical ", c.integer(2), ", ", c.integer(3));
  OutSpec& s = same(c);
  int64_t rows = t.size(a) + std::min<int64_t>(shift, 0),
          cols = t.size(b) - std::max<int64_t>(shift, 0);
  int64_t length = std::max<int64_t>(std::min(rows, cols), 0);
  if (length > 0) s.offset += shift >= 0 ? shift * t.stride(b) : -shift * t.stride(a);
  int64_t stride = t.stride(a) + t.stride(b);
  drop_dim(s, std::max(a, b));
  drop_dim(s, std::min(a, b));
  insert_dim(s, static_cast<int>(s.sizes.size()), length, stride);
}

void unfold_infer(Call& c) {  // self, dimension, size, step
  const Tensor& t = c.tensor(0);
  int d = wrap_dim(c.integer(1), t.ndim);
  int64_t size = c.integer(2), step = c.integer(3), have = t.ndim ? t.size(d) : 1;
  RL_CHECK(size >= 0, "size is ", size, " but must be >= 0");
  RL_CHECK(size <= have, "maximum size for tensor at dimension ", d, " is ", have, " but size is ",
           size);
  RL_CHECK(step > 0, "step is ", step, " but must be > 0");
  OutSpec& s = same(c);
  int64_t stride = t.ndim ? s.strides[d] : 1;
  if (t.ndim) {
    s.sizes[d] = (have - size) / step + 1;
    s.strides[d] *= step;
  }
  insert_dim(s, static_cast<int>(s.sizes.size()), size, stride);
}

// ---- another element type over the same bytes
void view_as_real_infer(Call& c) {
  const Tensor& t = c.tensor(0);
  RL_CHECK(is_complex(t.dtype), "view_as_real is only supported for complex tensors, got ",
           t.dtype);
  OutSpec& s = same(c);
  s.dtype = real_of(t.dtype);
  s.offset *= 2;
  for (int64_t& stride : s.strides) stride *= 2;
  insert_dim(s, t.ndim, 2, 1);
}

void view_as_complex_infer(Call& c) {
  const Tensor& t = c.tensor(0);
  bool fits = is_floating(t.dtype) && t.dtype != DType::BF16;
  RL_CHECK(fits, "view_as_complex is only supported for ",
           "float16, float32 and float64 tensors, but got a tensor of dtype ", t.dtype);
  RL_CHECK(t.ndim > 0, "Input tensor must have one or more dimensions");
  int last = t.ndim - 1;
  RL_CHECK(t.size(last) == 2, "Tensor must have a last dimension of size 2, got ", t.sizes());
  RL_CHECK(t.stride(last) == 1, "Tensor must have a last dimension with stride 1");
  RL_CHECK(t.offset % 2 == 0, "Tensor must have a storage_offset divisible by 2");
  OutSpec& s = same(c);
  drop_dim(s, last);
  s.dtype = complex_of(t.dtype);
  s.offset /= 2;
  for (int i = 0; i < last; ++i) {
    RL_CHECK(s.strides[i] % 2 == 0 || s.sizes[i] <= 1,
             "Tensor must have a stride divisible by 2 for all but last dimension");
    s.strides[i] /= 2;
  }
}

void part_of_complex(Call& c, int64_t part) {
  const Tensor& t = c.tensor(0);
  OutSpec& s = same(c);
  s.dtype = real_of(t.dtype);
  s.offset = s.offset * 2 + part;
  for (int64_t& stride : s.strides) stride *= 2;
}
void real_infer(Call& c) {
  if (is_complex(c.tensor(0).dtype))
    part_of_complex(c, 0);
  else
    same(c);
}
void imag_infer(Call& c) {
  RL_CHECK(is_complex(c.tensor(0).dtype), "imag is not implemented for tensors with non-complex ",
           "dtypes, got ", c.tensor(0).dtype);
  part_of_complex(c, 1);
}

// Items grow by `ratio`: the last dimension shrinks, everything else is measured in more bytes.
void widen(OutSpec& s, int64_t ratio, DType from, DType to) {
  RL_CHECK(!s.sizes.empty() && s.sizes.back() % ratio == 0, "self.size(-1) must be divisible by ",
           ratio, " to view ", from, " as ", to, " (different element sizes), but got ",
           s.sizes.empty() ? 1 : s.sizes.back());
  RL_CHECK(s.strides.back() == 1, "self.stride(-1) must be 1 to view ", from, " as ", to,
           " (different element sizes), but got ", s.strides.back());
  RL_CHECK(s.offset % ratio == 0, "self.storage_offset() must be divisible by ", ratio, " to view ",
           from, " as ", to, ", but got ", s.offset);
  s.offset /= ratio;
  s.sizes.back() /= ratio;
  for (size_t i = 0; i + 1 < s.strides.size(); ++i) {
    RL_CHECK(s.strides[i] % ratio == 0, "self.stride(", i, ") must be divisible by ", ratio,
             " to view ", from, " as ", to, ", but got ", s.strides[i]);
    s.strides[i] /= ratio;
  }
}

void view_dtype_infer(Call& c) {
  const Tensor& t = c.tensor(0);
  DType to = c.arg(1).dtype;
  OutSpec& s = same(c);
  s.dtype = to;
  int64_t old_size = item_size(t.dtype), new_size = item_size(to);
  if (old_size == new_size) return;
  RL_CHECK(t.ndim > 0, "self.dim() cannot be 0 to view ", t.dtype, " as ", to,
           " (different element sizes)");
  if (new_size > old_size) return widen(s, new_size / old_size, t.dtype, to);
  int64_t ratio = old_size / new_size;
  RL_CHECK(s.strides.back() == 1, "self.stride(-1) must be 1 to view ", t.dtype, " as ", to,
           " (different element sizes), but got ", s.strides.back());
  s.offset *= ratio;
  s.sizes.back() *= ratio;
  for (size_t i = 0; i + 1 < s.strides.size(); ++i) s.strides[i] *= ratio;
}

RL_VIEW("alias", alias_infer);
RL_VIEW("view", view_infer);
RL_KERNEL_("reshape", reshape_infer, copy_run, Kernel::View);
RL_KERNEL_("flatten", flatten_infer, copy_run, Kernel::View);
RL_VIEW("expand", expand_infer);
RL_VIEW("as_strided", as_strided_infer);
RL_VIEW("squeeze", squeeze_infer);
RL_VIEW("unsqueeze", unsqueeze_infer);
RL_VIEW("permute", permute_infer);
RL_VIEW("transpose", transpose_infer);
RL_VIEW("t", t_infer);
RL_VIEW("numpy_T", numpy_T_infer);
RL_VIEW("mT", mT_infer);
RL_VIEW("movedim", movedim_infer);
RL_VIEW("select", select_infer);
RL_VIEW("slice", slice_infer);
RL_VIEW("narrow", narrow_infer);
RL_VIEW("diagonal", diagonal_infer);
RL_VIEW("unfold", unfold_infer);
RL_VIEW("view_as_real", view_as_real_infer);
RL_VIEW("view_as_complex", view_as_complex_infer);
RL_VIEW("real", real_infer);
RL_VIEW("imag", imag_infer);
RL_VIEW("view_dtype", view_dtype_infer);

}  // namespace
}  // namespace rl
