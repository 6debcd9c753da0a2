// Where results go: the targets of in-place calls and of out=, what is asked of them, and how
// results get there. Which op is called does not matter here; op.cpp decides when to ask.
#include "python/target.h"

#include <algorithm>

#include "core/warning.h"
#include "plan/copy.h"

namespace rl::py {

bool same_sizes(Sizes a, Sizes b) { return std::equal(a.begin(), a.end(), b.begin(), b.end()); }

// PyTorch's exception is another one for ops that join a list of tensors.
static bool joins(const Op& op) { return !op.args.empty() && op.args[0].type == ArgType::Tensors; }

void require_cast(const Op& op, DType from, DType to) {
  if (!can_cast(from, to))
    fail(joins(op) ? ErrorKind::Type : ErrorKind::Runtime, op.public_name, ": result type ",
         info(from).legacy_name, " can't be cast to the desired output type ",
         info(to).legacy_name);
}

void require_exact(const Op& op, DType made, DType target) {
  bool exact = op.out_rule == OutRule::Exact || op.out_rule == OutRule::Disjoint;
  if (exact && made != target)
    fail(op.public_name, "(): expected out tensor to have dtype ", made, ", but got ", target,
         " instead");
}

void require_distinct(const Op& op, const Tensor& target) {
  if (!is_expanded(target)) return;
  fail(op.public_name,
       ": unsupported operation: more than one element of the written-to tensor refers to a single "
       "memory location. Please clone() the tensor before performing the operation.");
}

void require_apart(const Op& op, const Tensor& target, const Tensor& input) {
  if (!partly_overlap(target, input)) return;
  fail(op.public_name,
       ": unsupported operation: some elements of the input tensor and the written-to tensor refer "
       "to a single memory location. Please clone() the tensor before performing the operation.");
}

void require_unshared(const Op& op, const Tensor& target, const Tensor& input) {
  bool whole = input.storage == target.storage && input.numel > 0 && target.numel > 0 &&
               input.offset == target.offset && input.dtype == target.dtype && is_dense(input) &&
               same_sizes(input.sizes(), target.sizes()) &&
               same_sizes(input.strides(), target.strides());
  if (whole)
    fail(op.public_name,
         ": unsupported operation: the input tensor and the written-to tensor refer to the same "
         "memory. Please clone() the tensor before performing the operation.");
  require_apart(op, target, input);
}

namespace {

void require_no_memory_of(const Op& op, const Tensor& target, const Slots& slots) {
  auto check = [&](PyObject* o) {
    if (o && is_tensor(o)) require_unshared(op, target, *as_tensor(o));
  };
  for (int i : op.tensor_args) {
    PyObject* o = slots.at[i];
    if (o && (PyTuple_Check(o) || PyList_Check(o)))
      for (Py_ssize_t k = 0; k < PySequence_Fast_GET_SIZE(o); ++k)
        check(PySequence_Fast_ITEMS(o)[k]);
    else
      check(o);
  }
}

// It then lies in memory as the result does.
void resize_target(const Op& op, Tensor& target, const Tensor& value) {
  Sizes sizes = value.sizes();
  if (target.numel != 0) {
    std::string text =
        str("An output with one or more elements was resized since it had shape ", target.sizes(),
            ", which does not match the required output shape ", sizes, " of ", op.public_name,
            "(). Pass a tensor of that shape, or an empty one (out.resize_(0)), as out=.");
    warn(text);
  }
  if (is_dense(value))
    set_geometry(target, sizes, value.strides());
  else
    set_contiguous(target, sizes);
  auto bytes = static_cast<size_t>((target.numel + target.offset) * item_size(target.dtype));
  if (bytes > target.storage->nbytes) resize_storage(*target.storage, bytes);
}

}  // namespace

void deliver(const Op& op, Tensor& target, const Tensor& value, Form form) {
  require_cast(op, value.dtype, target.dtype);
  if (form == Form::Function) require_exact(op, value.dtype, target.dtype);
  if (target.device != value.device)
    fail(op.public_name, ": the result is on device ", value.is_meta() ? "meta" : "cpu",
         ", but the tensor to write to is on ", target.is_meta() ? "meta" : "cpu",
         "; cross-device copies are not allowed");
  if (op.out_rule == OutRule::Filled && target.numel == value.numel) {
    require_distinct(op, target);
    auto shaped = alias(value, target.sizes(), contiguous_strides(target.sizes()), value.offset);
    return copy_into(target, *shaped);
  }
  if (!same_sizes(target.sizes(), value.sizes())) {
    if (form == Form::Inplace)
      fail(op.public_name, "_: output with shape ", target.sizes(),
           " doesn't match the broadcast shape ", value.sizes());
    resize_target(op, target, value);
  }
  require_distinct(op, target);
  copy_into(target, value);
}

void collect_tensors(PyObject* result, Results& outs) {
  if (is_tensor(result))
    outs.push_back(Ref<Tensor>::share(as_tensor(result)));
  else if (PyTuple_Check(result) || PyList_Check(result))
    for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(result); ++i)
      collect_tensors(PySequence_Fast_ITEMS(result)[i], outs);
}

void deliver_all(const Op& op, PyObject* out, const Results& values) {
  bool several = values.size() != 1 || op.returns_list || op.named_results;
  if (several == is_tensor(out))
    fail(ErrorKind::Type, op.public_name, "(): argument 'out' must be ",
         several ? str("tuple of ", values.size(), " Tensors") : "Tensor", ", not ",
         Py_TYPE(out)->tp_name);
  Results targets;
  collect_tensors(out, targets);
  if (targets.size() != values.size())
    fail(ErrorKind::Type, op.public_name, "(): argument 'out' must be a tuple of ", values.size(),
         " Tensors, got ", targets.size());
  for (int i = 0; i < values.size(); ++i) {
    deliver(op, *targets[i], *values[i], Form::Function);
    ++targets[i]->version();
  }
}

void prepare_out(const Op& op, Slots& slots, bool recording) {
  PyObject* out = slots.out;
  if (!is_tensor(out) && !PyTuple_Check(out) && !PyList_Check(out))
    fail(ErrorKind::Type, op.public_name, "(): argument 'out' must be Tensor, not ",
         Py_TYPE(out)->tp_name);
  Py_ssize_t n = is_tensor(out) ? 1 : PySequence_Fast_GET_SIZE(out);
  for (Py_ssize_t i = 0; i < n; ++i) {
    PyObject* item = is_tensor(out) ? out : PySequence_Fast_ITEMS(out)[i];
    if (!is_tensor(item))
      fail(ErrorKind::Type, op.public_name, "(): expected Tensor as element ",
           static_cast<int64_t>(i), " of argument 'out', but got ", Py_TYPE(item)->tp_name);
    Tensor& target = *as_tensor(item);
    if (target.is_inference && !inference_mode())
      fail(op.public_name,
           "(): out= is an inference tensor, which cannot be changed outside InferenceMode; clone "
           "it there");
    if (grad_enabled() && (recording || target.requires_grad || target.grad_fn))
      fail(op.public_name,
           "(): functions with out=... arguments don't support automatic differentiation, but one "
           "of the arguments requires grad; call it under no_grad(), or without out=.");
    if (op.out_rule >= OutRule::Disjoint) {
      require_distinct(op, target);
      require_no_memory_of(op, target, slots);
    }
  }
  if (op.dtype_arg < 0 || op.out_rule == OutRule::Exact || !is_tensor(out)) return;
  DType made = as_tensor(out)->dtype;
  // Complex operands are not computed with as real ones; whether the result fits is seen later.
  for (int i : op.tensor_args)
    if (PyObject* o = slots.at[i]; o && is_tensor(o) && is_complex(as_tensor(o)->dtype))
      if (!is_complex(made)) return;
  PyObject*& asked = slots.at[op.dtype_arg];
  if (!asked || asked == Py_None)
    asked = dtype_object(made);
  else if (as_dtype(asked) != made)
    fail(op.public_name, "(): dtype ", info(as_dtype(asked)).legacy_name,
         " does not match dtype of out parameter (", info(made).legacy_name, ")");
}

void require_mask(const Op& op, const ArgSpec& arg, const Tensor& t) {
  if (t.dtype != DType::Bool && t.dtype != DType::U8)
    fail(op.public_name, "(): expected ", arg.text,
         " to be a boolean tensor, but got a tensor with dtype ", t.dtype,
         "; compare it first, as in x != 0");
  if (t.dtype == DType::U8)
    warn(op.public_name + "(): " + arg.text +
         " is uint8, which is deprecated for masks; give a bool tensor: " + arg.text + ".bool()");
}

void require_one_device(const Op& op, const Tensor& a, const Tensor& b) {
  if (a.device == b.device || a.ndim == 0 || b.ndim == 0) return;
  fail(op.public_name,
       ": expected all tensors to be on the same device, but found at least two devices, "
       "cpu and meta; move one with .to(device)");
}

}  // namespace rl::py
