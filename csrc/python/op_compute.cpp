// How kernels compute an op: what pointwise ones want prepared (dtypes, numbers, shapes), and calls
// of the others with room for their results.
#include "python/op_compute.h"

#include <algorithm>

#include "core/layout.h"
#include "plan/copy.h"
#include "plan/fits.h"
#include "plan/update.h"

namespace rl::py {

namespace {

struct Prepared {
  Prepared() {}
  union {
    PointwiseInput inputs[kMaxInputs];  // those that the kernel has are set, as clearing all would
  };  // cost more than some ops
  union {
    Scalar params[kMaxParams];
  };
  DType common, out_dtype;
  Compute compute;
  SizeVec sizes;
  Device device = Device::Cpu;
  bool row_major = true;  // the result
};

[[noreturn]] void not_implemented(const Op& op, DType d) {
  if (d == DType::Bool && !op.no_bool.empty())
    fail(op.public_name, ": bool operands are not supported; use ", op.no_bool);
  fail(ErrorKind::NotImplemented, "\"", op.public_name, "_cpu\" not implemented for '",
       info(d).legacy_name, "'");
}

// Is `d` an 8-bit float that the op does not serve? Pairs of 4-bit ones are never computed with.
bool refuses(const Op& op, DType d, bool kernel_serves) {
  return is_float8(d) && (!kernel_serves || (op.no_float8 & float8_bit(d)) != 0);
}

bool is_single(const PointwiseInput& in) { return !in.tensor || in.tensor->numel == 1; }

// A number that is True or False counts, too.
bool any_bool(const Prepared& p, size_t n) {
  return std::any_of(p.inputs, p.inputs + n, [](const PointwiseInput& in) {
    return in.tensor ? in.tensor->dtype == DType::Bool : in.number.kind == Scalar::Bool;
  });
}

// Numbers are of the dtype that the tensors have: 257 is 1 to a uint8 tensor.
void wrap_numbers(Prepared& p, size_t n) {
  if (!is_integral(p.common) || p.common == DType::Bool || item_size(p.common) == 8) return;
  dispatch(p.common, [&]<class T>() {
    if constexpr (std::is_integral_v<T>)
      for (size_t i = 0; i < n; ++i)
        if (Scalar& v = p.inputs[i].number; !p.inputs[i].tensor)
          v = Scalar::of(static_cast<int64_t>(v.to<T>()));
  });
}

// What the functor demands: see PointwiseDemand.
void meet_demands(const Op& op, Prepared& p, size_t n) {
  const PointwiseKernel& k = *op.pointwise;
  if (k.demands & kOneDType) {
    const Tensor& first = *p.inputs[0].tensor;
    for (size_t i = 1; i < n; ++i)
      if (const Tensor* t = p.inputs[i].tensor; t && t->dtype != first.dtype && (i < 2 || t->ndim))
        fail(op.public_name, "(): expected dtype ", first.dtype, " for `", op.args[i].text,
             "` as for `", op.args[0].text, "`, but got dtype ", t->dtype,
             "; convert it with .to()");
    p.common = first.dtype;
  }
  if (!is_integral(p.common)) return;
  if (k.demands & kWholeParams)
    for (int i = 0; i < k.params; ++i)
      if (p.params[i].kind > Scalar::Int)
        fail("For integral input tensors, argument ", op.args[n + static_cast<size_t>(i)].text,
             " must not be a floating point number: ", op.public_name, "() got it for a result of ",
             p.common);
  if (k.demands & kNoNegativePower) {
    if (const PointwiseInput& e = p.inputs[1]; !e.tensor && e.number.to<int64_t>() < 0)
      fail("Integers to negative integer powers are not allowed. ", op.public_name,
           "() got a tensor of ", p.common, " and ", e.number.to<int64_t>(),
           "; convert the tensor to floating point");
    else if (!e.tensor)
      check_fits(op.public_name.c_str(), e.number, p.common);
  }
  if (k.demands & kNumbersFit)
    for (size_t i = 0; i < n; ++i)
      if (!p.inputs[i].tensor) check_fits(op.public_name.c_str(), p.inputs[i].number, p.common);
}

// Real tensors take no complex parameter, and sums of numbers no True or False as a factor.
void check_params(const Op& op, const Prepared& p, size_t n) {
  const PointwiseKernel& k = *op.pointwise;
  for (int i = 0; i < k.params; ++i) {
    Scalar::Kind kind = p.params[i].kind;
    if (is_integral(p.common)) check_fits(op.public_name.c_str(), p.params[i], p.common);
    bool truth = kind == Scalar::Bool && (k.demands & kWholeParams) && p.common != DType::Bool;
    if (truth || (kind == Scalar::Complex && !is_complex(p.common)))
      fail(op.public_name, "(): argument ", op.args[n + static_cast<size_t>(i)].text,
           truth ? " must not be True or False" : " must not be a complex number",
           " for a result of ", p.common);
  }
}

// Comparisons see a number as the tensors' dtype holds it: 0.1 equals itself in float16.
void round_numbers(Prepared& p, size_t n) {
  if (widened(p.common) != DType::F32) return;
  for (size_t i = 0; i < n; ++i)
    if (Scalar& v = p.inputs[i].number; !p.inputs[i].tensor) {
      alignas(4) unsigned char narrow[4];
      float wide;
      store_number(narrow, p.common, v);
      convert(&wide, DType::F32, narrow, p.common, 1);
      v = Scalar::of(static_cast<double>(wide));
    }
}

void resolve_types(const Op& op, Prepared& p, size_t n) {
  size_t masks = op.args[0].repeat == kMask;  // a mask chooses; it has no say in the dtype
  p.common = result_type({p.inputs + masks, n - masks});
  if (op.pointwise->demands) meet_demands(op, p, n);
  if (!op.no_bool.empty() && any_bool(p, n)) not_implemented(op, DType::Bool);
  if (op.dtype_rule == DTypeRule::FloatsOnly && is_integral(p.common))
    not_implemented(op, p.common);
  if (op.dtype_rule == DTypeRule::ToFloat && is_integral(p.common)) p.common = default_dtype();
  wrap_numbers(p, n);
  const PointwiseKernel& k = *op.pointwise;
  if (k.params) check_params(op, p, n);
  p.compute = compute_in(*op.pointwise, p.common);
  bool sign_matters = p.common == DType::U64 && !k.any_sign;
  bool for_storage =
      is_float8(p.common) && (refuses(op, p.common, k.float8 && p.common != DType::F4E2M1X2) ||
                              (op.no_single && is_single(p.inputs[1])));
  if (!k.fn[static_cast<int>(p.compute)] || sign_matters || for_storage)
    not_implemented(op, p.common);
  DType r = k.result[static_cast<int>(p.compute)];
  p.out_dtype = r == stored(p.compute) ? p.common
                : r == DType::Bool     ? r
                : is_complex(p.common) ? real_of(p.common)
                                       : r;
  if (r == DType::Bool && p.common != DType::F32) round_numbers(p, n);
}

// Of contiguous operands: whether the result is row-major. As in PyTorch, the strides of dimensions
// of size 1 have a say unless all operands are tensors of one shape.
[[gnu::noinline]] bool in_rows(const Prepared& p, size_t n) {
  for (size_t i = 0; i < n; ++i)
    if (const Tensor* t = p.inputs[i].tensor; t && !strides_in_rows(*t)) return false;
  return true;
}

// What is written to a meta tensor is not looked at, so it may lie anywhere.
void resolve_shape(const Op& op, Prepared& p, size_t n, const Tensor* target, const Tensor*& like) {
  bool anywhere = target && target->is_meta();
  like = nullptr;
  bool differ = false, numbers = false;
  for (size_t i = 0; i < n; ++i)
    if (const Tensor* t = p.inputs[i].tensor) {
      require_bytes(*t);
      p.row_major &= t->contiguous;
      if (t->is_meta()) p.device = Device::Meta;
      if (!like) {
        like = t;
      } else {
        if (!anywhere) require_one_device(op, *like, *t);
        differ |= !same_sizes(like->sizes(), t->sizes());
      }
    } else {
      numbers = true;
    }
  if ((differ || numbers) && p.row_major) p.row_major = in_rows(p, n);
  if (!differ) return;
  bool first = true;
  for (size_t i = 0; i < n; ++i)
    if (const Tensor* t = p.inputs[i].tensor) {
      p.sizes = first ? SizeVec(t->sizes().begin(), t->sizes().end())
                      : broadcast_sizes(p.sizes, t->sizes());
      first = false;
    }
  like = nullptr;
}

// An output laid out as the inputs are. Apart, as most are row-major.
[[gnu::noinline]] Ref<Tensor> laid_out_result(const Prepared& p, size_t n, Sizes sizes) {
  const Tensor* tensors[kMaxInputs];
  size_t count = 0;
  bool alike = true;
  for (size_t i = 0; i < n; ++i)
    if (const Tensor* t = p.inputs[i].tensor) {
      tensors[count++] = t;
      alike &= same_sizes(t->sizes(), sizes) && same_sizes(t->strides(), tensors[0]->strides());
    } else {
      alike = false;
    }
  SizeVec strides =
      alike ? dense_like_strides(*tensors[0]) : joint_strides(sizes, {tensors, count});
  return empty_strided(sizes, strides, p.out_dtype, p.device);
}

// The real result of complex operands may go to any floating target, even of ops that ask for
// their result's very dtype elsewhere.
void follow_real_target(Prepared& p, const Tensor& target) {
  bool reals = p.out_dtype == real_of(p.common) && !is_complex(target.dtype);
  if (reals && can_cast(p.out_dtype, target.dtype)) p.out_dtype = target.dtype;
}

Ref<Tensor> run_prepared(const Op& op, Prepared& p, size_t n, Tensor* target) {
  const Tensor* like;
  resolve_types(op, p, n);
  if (target && is_complex(p.common)) follow_real_target(p, *target);
  resolve_shape(op, p, n, target, like);
  Sizes sizes = like ? like->sizes() : Sizes(p.sizes);
  if (target && target->device == p.device && same_sizes(target->sizes(), sizes)) {
    require_cast(op, p.out_dtype, target->dtype);
    if (target->dtype != p.common) require_exact(op, p.out_dtype, target->dtype);
    if (is_complex(p.common) && target == p.inputs[0].tensor && p.out_dtype == real_of(p.common))
      fail(op.public_name, "_(): a complex tensor cannot take its real result in place");
    require_distinct(op, *target);
    require_bytes(*target);
    for (size_t i = 0; i < n; ++i)
      if (const Tensor* t = p.inputs[i].tensor; t && t->storage == target->storage)
        require_apart(op, *target, *t);
    run_pointwise(*op.pointwise, p.compute, *target, {p.inputs, n}, p.params);
    return Ref<Tensor>::share(target);
  }
  Ref<Tensor> out =
      p.row_major ? empty(sizes, p.out_dtype, p.device) : laid_out_result(p, n, sizes);
  run_pointwise(*op.pointwise, p.compute, *out, {p.inputs, n}, p.params);
  return out;
}

}  // namespace

Ref<Tensor> run_pointwise_op(const Op& op, const Slots& slots, Tensor* target) {
  Prepared p;
  int n = op.pointwise->inputs, extra = op.pointwise->params;
  for (int i = 0; i < n; ++i) {
    PyObject* o = slots.at[i] ? slots.at[i] : op.args[i].default_value;
    p.inputs[i] = {};
    if (is_tensor(o)) {
      p.inputs[i].tensor = as_tensor(o);
      if (op.args[i].repeat == kMask) require_mask(op, op.args[i], *p.inputs[i].tensor);
    } else
      p.inputs[i].number = to_scalar(o, op.public_name.c_str(), op.args[i].text);
  }
  for (int i = 0; i < extra; ++i) {
    PyObject* o = slots.at[n + i];
    p.params[i] = o ? to_scalar(o, op.public_name.c_str(), op.args[n + i].text)
                    : defaults_of(op)[n + i]->number;
  }
  return run_prepared(op, p, static_cast<size_t>(n), target);
}

Ref<Tensor> run_pointwise_call(const Op& op, const Call& call) {
  Prepared p;
  int n = op.pointwise->inputs, extra = op.pointwise->params;
  for (int i = 0; i < n; ++i) p.inputs[i] = {call.arg(i).tensor, call.arg(i).number};
  for (int i = 0; i < extra; ++i) p.params[i] = call.arg(n + i).number;
  return run_prepared(op, p, static_cast<size_t>(n), nullptr);
}

namespace {

// What updates some elements of `self` reads its other arguments as it goes; all but numbers.
void require_unshared_arguments(const Op& op, const Call& call, const Tensor& self) {
  for (int i = 1; i < call.n_args; ++i) {
    const Tensor* t = call.tensor_or_null(i);
    if (!t || t->storage != self.storage || !refuses_shared(*op.kernel)) continue;
    bool number = t->ndim == 0 && op.args[i].type != ArgType::Tensor;
    if (!number) require_unshared(op, self, *t);
  }
}

// May an in-place call compute straight into `self`? Not where another argument shares its memory.
bool may_update(const Kernel& k, const Call& call, const OutSpec& s, const Tensor* self) {
  if (!self || !self->contiguous || self->device != call.device || self->dtype != s.dtype ||
      !same_sizes(self->sizes(), s.sizes) || !is_update(k))
    return false;
  for (int i = 1; i < call.n_args; ++i)
    if (const Tensor* t = call.tensor_or_null(i); t && t->storage == self->storage) return false;
  return true;
}

// 8-bit floats are served where the kernel says so, and where another dtype is asked for.
void require_no_float8(const Op& op, const Call& call, DType dtype) {
  bool converts = op.dtype_arg >= 0 && call.has(op.dtype_arg);
  bool serves = op.kernel->float8 || op.kernel->kind == Kernel::View || converts;
  if (refuses(op, dtype, serves)) not_implemented(op, dtype);
}

// Tensors agree on a device; indices (Tensor?[]) and what is copied into a meta tensor need not.
void resolve_device(const Op& op, Call& call) {
  const Tensor* first = nullptr;
  auto see = [&](const Tensor* t) {
    if (!t) return;
    if (is_float8(t->dtype)) require_no_float8(op, call, t->dtype);
    if (t->is_meta()) call.device = Device::Meta;
    if (op.kernel->kind != Kernel::View) require_bytes(*t);
    if (!first) first = t;
    if (op.mutated < 0) require_one_device(op, *first, *t);
    if (first->ndim == 0) first = t;
  };
  for (int i : op.placing_args) {
    see(call.arg(i).tensor);
    bool indices = op.args[i].repeat == kMayHoldNone;
    if (op.args[i].type == ArgType::Tensors)
      for (const Tensor* t : call.tensors(i))
        if (t && (!indices || t->is_meta())) see(t);
    if (op.args[i].type == ArgType::Device && call.has(i)) call.device = call.arg(i).device;
  }
  if (op.mutated >= 0 && call.device == Device::Meta && !call.tensor(op.mutated).is_meta())
    fail(ErrorKind::NotImplemented, op.public_name,
         ": cannot copy out of a meta tensor; it has no data");
}

}  // namespace

void run_call(const Op& op, Call& call, Results& outs, Tensor* self) {
  resolve_device(op, call);
  const Kernel& k = *op.kernel;
  if (k.kind == Kernel::Dynamic) {
    if (call.device != Device::Cpu)
      fail(ErrorKind::NotImplemented, op.public_name,
           ": the result's shape depends on data, which meta tensors lack");
    k.run(call);
  } else {
    k.infer(call);
    if (self) require_unshared_arguments(op, call, *self);
    for (int i = 0; i < call.n_outs; ++i) {
      OutSpec& s = call.specs[i];
      if (is_float8(s.dtype) && !k.float8 && k.kind != Kernel::View) not_implemented(op, s.dtype);
      if (k.kind == Kernel::View && s.base >= 0) {  // base -1: a copy where no view exists
        Tensor& base = call.tensor(s.base);
        outs.push_back(alias(base.storage, s.sizes, s.strides, s.offset, s.dtype, base.device));
      } else if (i == 0 && may_update(k, call, s, self)) {
        outs.push_back(Ref<Tensor>::share(self));
      } else {
        outs.push_back(s.strides.empty() ? empty(s.sizes, s.dtype, call.device)
                                         : empty_strided(s.sizes, s.strides, s.dtype, call.device));
      }
    }
    if (k.run && call.device == Device::Cpu) k.run(call);
  }
}

void run_kernel(const Op& op, const Slots& slots, Results& outs, Tensor* self) {
  Call call(outs);
  Arena arena;
  convert_args(op, slots, call, arena);
  run_call(op, call, outs, self);
}

void require_no_float8(const Op& op, const Slots& slots) {
  for (int i : op.tensor_args)
    if (PyObject* o = slots.at[i]; o && is_tensor(o) && refuses(op, as_tensor(o)->dtype, true))
      not_implemented(op, as_tensor(o)->dtype);
}

}  // namespace rl::py
