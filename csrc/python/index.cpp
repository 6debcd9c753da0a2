// x[...] and x[...] = v. Ints, slices, None and Ellipsis become one view; what is left (integer
// tensors and masks) goes through the ops index and index_put_, whose kernels are in
// kernels/index.cpp.
#include <algorithm>
#include <initializer_list>

#include "plan/copy.h"
#include "plan/fits.h"
#include "plan/geometry.h"
#include "python/data_access.h"
#include "python/numpy_api.h"
#include "python/op.h"
#include "python/target.h"

namespace rl::py {
namespace {

bool is_mask(const Tensor& t) { return t.dtype == DType::Bool || t.dtype == DType::U8; }

bool records(const Tensor& t) {
  if (!grad_enabled()) return false;
  if (t.requires_grad || t.grad_fn) return true;
  return t.view && (t.view->base->requires_grad || t.view->base->grad_fn);
}

// The view being built, and the tensors that index its dimensions.
//
// Autograd sees one view of the base's storage. If several elements of the base share a place
// there, geometry does not tell which of them the view reads, and it sees the steps one by one.
struct Indexer {
  const Tensor& base;
  int64_t sizes[kMaxDims + 1], strides[kMaxDims + 1], offset;
  int ndim = 0;  // of the view so far
  int next = 0;  // dimension of the base that comes next
  bool changed = false;
  const char* made_by = "_index_alias";       // the last step, as autograd names it
  SmallVec<std::pair<int, Own>, 4> advanced;  // (dimension of the view, index tensor)

  Own steps;  // the view so far, if it is made step by step

  explicit Indexer(const Tensor& t) : base(t), offset(t.offset) {
    if (records(t) && may_overlap_itself(t)) steps = Own::share(object(const_cast<Tensor*>(&t)));
  }

  // A step on the dimension that comes next, whose place in `steps` is that in the view.
  void step(const char* op, std::initializer_list<int64_t> numbers) {
    if (!steps) return;
    Own dim(checked(PyLong_FromLong(ndim))), held[3];
    PyObject* args[5] = {steps.get(), dim.get()};
    size_t n = 0;
    for (int64_t number : numbers) {
      held[n] = Own(checked(PyLong_FromLongLong(number)));
      args[2 + n] = held[n].get();
      ++n;
    }
    steps = Own(checked(call_op(op, args, 2 + n)));
  }

  void push(int64_t size, int64_t stride) {
    RL_CHECK(ndim < kMaxDims, "indexing makes a tensor of more than ", kMaxDims, " dimensions");
    sizes[ndim] = size;
    strides[ndim++] = stride;
  }
  void keep(int n) {
    for (; n > 0; --n, ++next) push(base.size(next), base.stride(next));
  }
  int take() {  // the next dimension of the base
    if (next >= base.ndim)
      fail(ErrorKind::Index, "too many indices for tensor of dimension ",
           static_cast<int>(base.ndim));
    return next++;
  }
  void select(int64_t i) {
    if (base.ndim == 0)
      fail(ErrorKind::Index,
           "invalid index of a 0-dim tensor. Use `tensor.item()` to convert a 0-dim "
           "tensor to a number");
    int d = take();
    int64_t n = base.size(d);
    if (i < -n || i >= n)
      fail(ErrorKind::Index, "index ", i, " is out of bounds for dimension ", d, " with size ", n);
    step("select", {i});
    offset += (i < 0 ? i + n : i) * base.stride(d);
    changed = true;
    made_by = "_index_select";
  }
  void slice(PyObject* s) {
    if (base.ndim == 0) fail(ErrorKind::Index, "slice() cannot be applied to a 0-dim tensor.");
    Py_ssize_t start, stop, step;
    checked(PySlice_Unpack(s, &start, &stop, &step));
    if (step <= 0)
      fail(ErrorKind::Value, "step must be greater than zero, got ", static_cast<int64_t>(step));
    int d = take();
    auto [first, length] = slice_bounds(start, stop, step, base.size(d));
    this->step("slice", {first, first + length * step, step});
    offset += first * base.stride(d);
    push(length, base.stride(d) * step);
    changed = true;
    made_by = "_index_slice";
  }
  void new_axis() {  // strided as unsqueeze does
    step("unsqueeze", {});
    push(1, next < base.ndim ? base.size(next) * base.stride(next) : 1);
    changed = true;
    made_by = "_index_unsqueeze";
  }
  void boolean(bool value) {
    new_axis();
    int64_t n = value;
    Ref<Tensor> positions = empty(Sizes(&n, 1), DType::I64);
    if (value) *positions->data<int64_t>() = 0;
    advanced.emplace_back(ndim - 1, Own(wrap(std::move(positions))));
  }
  void tensor(Own index) {
    const Tensor& t = *as_tensor(index.get());
    bool mask = is_mask(t);
    if (t.ndim == 0 && is_integral(t.dtype)) {
      Own item(tensor_item(*as_tensor(index.get())));
      if (mask) return boolean(PyObject_IsTrue(item.get()) == 1);
      return select(PyLong_AsLongLong(item.get()));
    }
    if (t.dtype != DType::I64 && t.dtype != DType::I32 && !mask)
      fail(ErrorKind::Index,
           "tensors used as indices must be long, int, byte or bool tensors, got ", t.dtype);
    int covers = mask ? t.ndim : 1, first = ndim;
    if (next + covers > base.ndim && !(mask && next < base.ndim))
      fail(ErrorKind::Index, "too many indices for tensor of dimension ",
           static_cast<int>(base.ndim));
    for (int d = 0; mask && d < covers; ++d)
      if (next + d >= base.ndim || t.size(d) != base.size(next + d))
        fail(ErrorKind::Index, "The shape of the mask ", t.sizes(), " at index ", d,
             " does not match the shape of the indexed tensor ", base.sizes(), " at index ",
             next + d);
    keep(covers);
    advanced.emplace_back(first, std::move(index));
  }
};

// How many dimensions of the base an item uses up (what Ellipsis leaves to the others).
int dims_used(PyObject* o) {
  if (o == Py_None || o == Py_Ellipsis || PyBool_Check(o)) return 0;
  if (!is_tensor(o)) return 1;
  const Tensor& t = *as_tensor(o);
  return is_mask(t) ? t.ndim : 1;
}

Own sequence_tensor(PyObject* o) {
  Ref<Tensor> t = from_data(o, nullptr, Device::Cpu);
  if (t->numel == 0 && is_inexact(t->dtype)) t = to_dtype(*t, DType::I64);  // x[[]]
  return Own(wrap(std::move(t)));
}

[[noreturn]] void bad_index(PyObject* o) {
  fail(ErrorKind::Index,
       "only integers, slices (`:`), ellipsis (`...`), None and long or byte Variables "
       "are valid indices (got ",
       Py_TYPE(o)->tp_name, ")");
}

// Sequences and arrays become tensors first, so that every later step sees five kinds only.
Own normalised(PyObject* o) {
  if (is_tensor(o) || PyLong_Check(o) || PySlice_Check(o) || o == Py_None || o == Py_Ellipsis)
    return Own::share(o);
  if (PyFloat_CheckExact(o)) bad_index(o);
  if (const Numpy* np = Numpy::if_imported()) {
    if (np->is_array(o)) return Own(wrap(copy_array(o)));
    if (np->is_scalar(o)) return Own(checked(PyObject_CallMethod(o, "item", nullptr)));
  }
  if (PyIndex_Check(o)) return Own(checked(PyNumber_Index(o)));
  if (PySequence_Check(o)) return sequence_tensor(o);
  bad_index(o);
}

void apply(Indexer& x, PyObject* item, int dims_after) {
  if (PyBool_Check(item)) return x.boolean(item == Py_True);
  if (PyLong_Check(item)) {
    int64_t i = PyLong_AsLongLong(item);
    if (i == -1 && PyErr_Occurred()) {
      PyErr_Clear();
      fail(ErrorKind::Value, "an index overflows a 64-bit integer");
    }
    return x.select(i);
  }
  if (PySlice_Check(item)) return x.slice(item);
  if (item == Py_None) return x.new_axis();
  if (item == Py_Ellipsis) return x.keep(std::max(0, x.base.ndim - x.next - dims_after));
  if (is_tensor(item)) return x.tensor(Own::share(item));
  bad_index(item);
}

void apply_all(Indexer& x, PyObject* const* items, Py_ssize_t n) {
  constexpr Py_ssize_t kFew = 8;
  Own few[kFew];
  std::vector<Own> many(n > kFew ? static_cast<size_t>(n) : 0);
  Own* list = n > kFew ? many.data() : few;
  int used = 0;
  for (Py_ssize_t i = 0; i < n; ++i) {
    list[i] = normalised(items[i]);
    used += dims_used(list[i].get());
  }
  if (used > x.base.ndim && x.base.ndim > 0)
    fail(ErrorKind::Index, "too many indices for tensor of dimension ",
         static_cast<int>(x.base.ndim));
  for (Py_ssize_t i = 0; i < n; ++i) {
    used -= dims_used(list[i].get());
    apply(x, list[i].get(), used);
  }
}

// NumPy's old rule: a short list with slices, None or sequences inside means a tuple.
bool list_means_tuple(PyObject* o) {
  if (!PyList_Check(o) || PyList_GET_SIZE(o) >= 32) return false;
  for (Py_ssize_t i = 0; i < PyList_GET_SIZE(o); ++i) {
    PyObject* v = PyList_GET_ITEM(o, i);
    if (is_tensor(v) || PySlice_Check(v) || v == Py_None || v == Py_Ellipsis) return true;
    if (PySequence_Check(v) && !PyUnicode_Check(v)) return true;
  }
  return false;
}

void parse_index(Indexer& x, PyObject* index) {
  if (PyTuple_Check(index)) {
    apply_all(x, &PyTuple_GET_ITEM(index, 0), PyTuple_GET_SIZE(index));
  } else if (list_means_tuple(index)) {
    Own tuple(checked(PyList_AsTuple(index)));
    apply_all(x, &PyTuple_GET_ITEM(tuple.get(), 0), PyTuple_GET_SIZE(tuple.get()));
  } else if (PyLong_CheckExact(index) || PySlice_Check(index)) {
    apply(x, index, 0);
  } else {
    apply_all(x, &index, 1);
  }
  x.keep(x.base.ndim - x.next);
}

Own view_of(Indexer& x) {
  if (x.steps && x.changed) return std::move(x.steps);
  if (x.steps) {
    PyObject* args[] = {x.steps.get()};
    return Own(checked(call_op("alias", args, 1)));
  }
  auto n = static_cast<size_t>(x.ndim);
  return Own(checked(view_through(const_cast<Tensor&>(x.base), Sizes(x.sizes, n),
                                  Sizes(x.strides, n), x.offset, x.made_by)));
}

// The argument of index(): one entry per index, None for dimensions that are kept whole.
Own index_list(const Indexer& x) {
  Own list(checked(PyList_New(0)));
  int at = 0;
  for (auto& [dim, index] : x.advanced) {
    for (; at < dim; ++at) checked(PyList_Append(list.get(), Py_None));
    checked(PyList_Append(list.get(), index.get()));
    const Tensor& t = *as_tensor(index.get());
    at += is_mask(t) ? t.ndim : 1;  // a mask covers several dimensions with one entry
  }
  return list;
}

// ---- assignment
bool fill_directly(Indexer& x, PyObject* value) {
  Tensor& base = const_cast<Tensor&>(x.base);
  if (records(base) || base.is_inference || base.is_meta() || !is_number(value)) return false;
  Scalar s = to_scalar(value, "__setitem__", "value");
  if (is_beyond_int64(s))
    fail(ErrorKind::Value, "__setitem__(): ", static_cast<uint64_t>(s.i), " is beyond int64");
  check_fits("__setitem__", s, base.dtype);
  auto n = static_cast<size_t>(x.ndim);
  Ref<Tensor> part = alias(base, Sizes(x.sizes, n), Sizes(x.strides, n), x.offset);
  if (is_expanded(*part)) return false;  // copy_ refuses it
  fill(*part, s);
  ++base.version();
  return true;
}

// One value for what a mask chooses: masked_fill, which converts as views' copy_ does. What is
// written at positions has to be of the tensor's dtype.
bool fills_a_mask(const Indexer& x, const Tensor& value) {
  return x.advanced.size() == 1 && is_mask(*as_tensor(x.advanced[0].second.get())) &&
         value.numel == 1;
}

Own value_tensor(const Indexer& x, PyObject* value) {
  const Tensor& self = x.base;
  if (PyComplex_Check(value))
    check_fits("__setitem__", to_scalar(value, "__setitem__", "value"), self.dtype);
  if (is_number(value)) return Own(wrap(from_data(value, &self.dtype, Device::Cpu)));
  if (!is_tensor(value))
    fail(ErrorKind::Type, "can't assign a ", Py_TYPE(value)->tp_name, " to a rushlight.",
         info(self.dtype).legacy_name, "Tensor");
  const Tensor& given = *as_tensor(value);
  bool converts = x.advanced.empty() || fills_a_mask(x, given);
  if (given.dtype == self.dtype || !converts) return Own::share(value);
  return Own(checked(PyObject_CallMethod(value, "to", "O", dtype_object(self.dtype))));
}

// Leading dimensions of 1 that the target does not have are dropped.
Own without_leading_ones(Own value, int ndim) {
  const Tensor& v = *as_tensor(value.get());
  int extra = 0;
  while (v.ndim - extra > ndim && v.size(extra) == 1) ++extra;
  if (extra == 0) return value;
  auto drop = static_cast<size_t>(extra);
  return Own(checked(view_through(*as_tensor(value.get()), v.sizes().subspan(drop),
                                  v.strides().subspan(drop), v.offset)));
}

// Elements of the target that are to fill it are a view over all of it, which copy_ takes.
Own spread_over(Own value, PyObject* target) {
  const Tensor &v = *as_tensor(value.get()), &t = *as_tensor(target);
  if (v.storage != t.storage || same_sizes(v.sizes(), t.sizes())) return value;
  return Own(checked(PyObject_CallMethod(value.get(), "expand_as", "O", target)));
}

void assign(PyObject* self, PyObject* index, PyObject* value) {
  Indexer x(*as_tensor(self));
  parse_index(x, index);
  if (x.advanced.empty() && fill_directly(x, value)) return;
  Own v = value_tensor(x, value), target = x.changed ? view_of(x) : Own::share(self);
  if (x.advanced.empty()) {
    v = spread_over(without_leading_ones(std::move(v), x.ndim), target.get());
    PyObject* args[] = {target.get(), v.get()};
    Own(call_op("copy_", args, 2));
    return;
  }
  Own indices = index_list(x);
  v = without_leading_ones(std::move(v), 1);
  if (is_float8(x.base.dtype) && fills_a_mask(x, *as_tensor(v.get())))
    fail(ErrorKind::NotImplemented, "__setitem__(): one value for what a mask chooses is not ",
         "implemented for ", info(x.base.dtype).name, "; give a value for each element");
  PyObject* args[] = {target.get(), indices.get(), v.get()};
  Own(call_op("index_put_", args, 3));
}

}  // namespace

PyObject* tensor_getitem(PyObject* self, PyObject* index) {
  return guarded([&]() -> PyObject* {
    Indexer x(*as_tensor(self));
    parse_index(x, index);
    if (x.advanced.empty()) return view_of(x).give();
    Own view = x.changed ? view_of(x) : Own::share(self), indices = index_list(x);
    PyObject* args[] = {view.get(), indices.get()};
    return call_op("index", args, 2);
  });
}

int tensor_setitem(PyObject* self, PyObject* index, PyObject* value) {
  return guarded_int([&] {
    if (!value) fail(ErrorKind::Type, "Tensor does not support deleting items");
    assign(self, index, value);
    return 0;
  });
}

void add_indexing(PyObject*) {}  // only slots: see data_access.h

}  // namespace rl::py
