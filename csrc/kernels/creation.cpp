// Tensors made from numbers: empty, full, eye, index triangles. Those of evenly spaced numbers are
// in progressions.cpp, from Python data in python/from_data.cpp; random ones elsewhere.
// To add one: an infer/run pair here, its RL_KERNEL line, and a record in ops/creation.py. The
// records end with the same options: dtype, layout, device, requires_grad, pin_memory.
#include <algorithm>
#include <cmath>
#include <complex>
#include <limits>

#include "core/layout.h"
#include "core/warning.h"
#include "kernels/options.h"
#include "plan/copy.h"
#include "plan/determinism.h"
#include "plan/fits.h"
#include "plan/parallel.h"

namespace rl {

bool fill_unwritten_memory = false;
Undefined undefined_answers = Undefined::Allow;

namespace {

DType dtype_option(Call& c, int at) {
  refuse_pinned(c, at + kPinMemory);
  return c.dtype_or(at + kDType, default_dtype());
}

DType dtype_of_number(const Scalar& s) {
  if (s.kind == Scalar::Bool) return DType::Bool;
  if (s.kind == Scalar::Int) return DType::I64;
  if (s.kind == Scalar::Float) return default_dtype();
  return default_dtype() == DType::F64 ? DType::C128 : DType::C64;  // never complex32
}

// ---- of given sizes
template <int At>
void empty_infer(Call& c) {
  OutSpec& s = c.add_out(c.ints(At), dtype_option(c, At + 1));
  if (c.n_args > At + 1 + kFormat && c.has(At + 1 + kFormat)) {
    RL_CHECK(c.arg(At + 1 + kFormat).format != MemoryFormat::Preserve,
             "empty(): unsupported memory format option preserve_format");
    s.strides = strides_for(s.sizes, c.arg(At + 1 + kFormat).format);
  }
}
void fill_as_unwritten(Tensor& t) {
  dispatch(t.dtype, [&]<class T>() {
    if constexpr (std::is_integral_v<T> && !std::is_same_v<T, bool>)
      fill(t, Scalar::of(static_cast<int64_t>(std::numeric_limits<T>::max())));
    else
      fill(t, Scalar::of(std::numeric_limits<double>::quiet_NaN()));
  });
}
void unwritten_run(Call& c) { fill_unwritten(c.out(0)); }

void zeros_infer(Call& c) { c.add_out(c.ints(0), dtype_option(c, 1)); }
template <int Value>
void constant_run(Call& c) {
  fill(c.out(0), Scalar::of(int64_t{Value}));
}

void full_infer(Call& c) {  // size, fill_value, options
  refuse_pinned(c, 2 + kPinMemory);
  DType dtype = c.dtype_or(2, dtype_of_number(c.scalar(1)));
  check_fits(c.op, c.scalar(1), dtype);
  c.add_out(c.ints(0), dtype);
}
void full_run(Call& c) { fill(c.out(0), c.scalar(1)); }

void empty_strided_infer(Call& c) {  // size, stride, options
  Sizes size = c.ints(0), stride = c.ints(1);
  RL_CHECK(size.size() == stride.size(), "dimensionality of sizes (", size.size(),
           ") must match dimensionality of strides (", stride.size(), ")");
  for (int64_t s : stride)
    RL_CHECK(s >= 0, "empty_strided: negative strides are not supported, got ", stride);
  OutSpec& s = c.add_out(size, dtype_option(c, 2));
  s.strides.assign(stride.begin(), stride.end());
}

void scalar_tensor_infer(Call& c) {  // value, options
  c.add_out({}, dtype_option(c, 1));
  check_fits(c.op, c.scalar(0), c.specs[0].dtype);
}
void scalar_tensor_run(Call& c) { fill(c.out(0), c.scalar(0)); }

// ---- like another tensor
void like(Call& c, int at) {
  const Tensor& t = c.tensor(0);
  refuse_pinned(c, at + kPinMemory);
  OutSpec& s = c.add_out(t.sizes(), c.dtype_or(at + kDType, t.dtype));
  bool given = c.has(at + kFormat);
  if (!given || c.arg(at + kFormat).format == MemoryFormat::Preserve) {
    if (!strides_in_rows(t)) s.strides = dense_like_strides(t);
  } else {
    s.strides = strides_for(t.sizes(), c.arg(at + kFormat).format);
  }
}
void empty_like_infer(Call& c) { like(c, 1); }
void full_like_infer(Call& c) {
  like(c, 2);
  check_fits(c.op, c.scalar(1), c.specs[0].dtype);
}

void new_infer(Call& c) {  // self, size, options
  refuse_pinned(c, 2 + kPinMemory);
  c.add_out(c.ints(1), c.dtype_or(2, c.tensor(0).dtype));
}
void new_full_infer(Call& c) {  // self, size, fill_value, options
  refuse_pinned(c, 3 + kPinMemory);
  DType dtype = c.dtype_or(3, c.tensor(0).dtype);
  check_fits(c.op, c.scalar(2), dtype);
  c.add_out(c.ints(1), dtype);
}
void new_full_run(Call& c) { fill(c.out(0), c.scalar(2)); }

// ---- matrices
void eye_infer(Call& c) {  // n, m, options
  int64_t n = c.integer(0), m = c.has(1) ? c.integer(1) : n;
  RL_CHECK(n >= 0, "n must be greater or equal to 0, got ", n);
  RL_CHECK(m >= 0, "m must be greater or equal to 0, got ", m);
  int64_t size[] = {n, m};
  c.add_out(size, dtype_option(c, 2));
}
void eye_run(Call& c) {
  Tensor& out = c.out(0);
  fill(out, Scalar::of(int64_t{0}));
  int64_t n = std::min(out.size(0), out.size(1)), stride = out.size(1) + 1;
  Ref<Tensor> diagonal = alias(out, Sizes(&n, 1), Sizes(&stride, 1), 0);
  fill(*diagonal, Scalar::of(int64_t{1}));
}

// Columns of row r inside the triangle: [begin, end).
struct Columns {
  int64_t begin, end;
};
Columns triangle(Call& c, bool lower, int64_t r) {
  int64_t cols = c.integer(1), shift = std::clamp<int64_t>(c.integer(2), -c.integer(0) - 1, cols);
  int64_t edge = std::clamp<int64_t>(r + shift + (lower ? 1 : 0), 0, cols);
  return lower ? Columns{0, edge} : Columns{edge, cols};
}
template <bool Lower>
void triangle_infer(Call& c) {  // row, col, offset, options
  refuse_pinned(c, 3 + kPinMemory);
  RL_CHECK(c.integer(0) >= 0, "row must be non-negative, got ", c.integer(0));
  RL_CHECK(c.integer(1) >= 0, "col must be non-negative, got ", c.integer(1));
  int64_t n = 0;
  for (int64_t r = 0; r < c.integer(0); ++r) {
    Columns s = triangle(c, Lower, r);
    n += s.end - s.begin;
  }
  int64_t size[] = {2, n};
  c.add_out(size, c.dtype_or(3, DType::I64));
}
template <bool Lower>
void triangle_run(Call& c) {
  Ref<Tensor> wide = to_dtype(c.out(0), DType::I64);
  int64_t *rows = wide->data<int64_t>(), *cols = rows + wide->size(1);
  for (int64_t r = 0; r < c.integer(0); ++r) {
    Columns s = triangle(c, Lower, r);
    for (int64_t k = s.begin; k < s.end; ++k) {
      *rows++ = r;
      *cols++ = k;
    }
  }
  if (wide.get() != &c.out(0)) copy_into(c.out(0), *wide);
}

RL_KERNEL_FLOAT8("empty", empty_infer<0>, unwritten_run);
RL_KERNEL_FLOAT8("zeros", zeros_infer, constant_run<0>);
RL_KERNEL_FLOAT8("ones", zeros_infer, constant_run<1>);
RL_KERNEL_FLOAT8("full", full_infer, full_run);
RL_KERNEL_FLOAT8("empty_strided", empty_strided_infer, unwritten_run);
RL_KERNEL_FLOAT8("scalar_tensor", scalar_tensor_infer, scalar_tensor_run);
RL_KERNEL_FLOAT8("empty_like", empty_like_infer, unwritten_run);
RL_KERNEL_FLOAT8("zeros_like", empty_like_infer, constant_run<0>);
RL_KERNEL_FLOAT8("ones_like", empty_like_infer, constant_run<1>);
RL_KERNEL_FLOAT8("full_like", full_like_infer, full_run);
RL_KERNEL_FLOAT8("new_empty", new_infer, unwritten_run);
RL_KERNEL_FLOAT8("new_zeros", new_infer, constant_run<0>);
RL_KERNEL_FLOAT8("new_ones", new_infer, constant_run<1>);
RL_KERNEL_FLOAT8("new_full", new_full_infer, new_full_run);
RL_KERNEL_FLOAT8("eye", eye_infer, eye_run);
RL_KERNEL("tril_indices", triangle_infer<true>, triangle_run<true>);
RL_KERNEL("triu_indices", triangle_infer<false>, triangle_run<false>);

}  // namespace

void fill_unwritten(Tensor& t) {
  if (fill_unwritten_memory && !t.is_meta()) fill_as_unwritten(t);
}

void alert_undefined(std::string_view op) {
  if (undefined_answers == Undefined::Allow) return;
  std::string text = str(op,
                         "(): the answer depends on the order of the work where positions repeat; "
                         "torch.use_deterministic_algorithms(True) asks to refuse that");
  if (undefined_answers == Undefined::Refuse)
    fail(text, ". Turn it off for this call, or pass warn_only=True");
  warn(text);
}

}  // namespace rl
