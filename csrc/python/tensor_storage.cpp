// The tensor methods that look at a tensor's storage, replace it or resize it: untyped_storage,
// data_ptr, set_, resize_, data. The storage itself as an object is in storage_type.cpp.
#include <algorithm>
#include <optional>

#include "plan/determinism.h"
#include "python/data_access.h"
#include "python/docs.h"
#include "python/graph.h"
#include "python/interpose.h"
#include "python/keywords.h"
#include "python/levels.h"
#include "python/op.h"
#include "python/storage_access.h"

namespace rl::py {

Own untyped_of(PyObject* o, const char* op, DType wanted) {
  if (is_storage(o)) return Own::share(o);
  if (!PyObject_HasAttrString(o, "_untyped_storage")) return {};
  Own untyped(checked(PyObject_GetAttrString(o, "_untyped_storage")));
  Own dtype(checked(PyObject_GetAttrString(o, "dtype")));
  if (!is_storage(untyped.get())) return {};
  RL_CHECK(names_dtype(dtype.get()) && as_dtype(dtype.get()) == wanted, op,
           ": expected a storage of ", wanted, " elements or an UntypedStorage, got another dtype");
  return untyped;
}

namespace {

constexpr int kFast = METH_FASTCALL | METH_KEYWORDS;

PyObject* tensor_storage(PyObject* self, PyObject*) {
  return guarded([&] {
    Storage* s = as_tensor(self)->storage;
    retain(s);
    return wrap_storage(s);
  });
}
PyObject* tensor_data_ptr(PyObject* self, PyObject*) {
  Tensor& t = *as_tensor(self);
  return PyLong_FromVoidPtr(t.storage->data && t.numel ? t.raw() : nullptr);
}
PyObject* tensor_offset(PyObject* self, PyObject*) {
  return PyLong_FromLongLong(as_tensor(self)->offset);
}

void grow_to(Tensor& t) {  // so that the storage holds what the geometry reaches
  int64_t need = span_bytes(t.sizes(), t.strides(), t.offset, item_size(t.dtype));
  if (need > static_cast<int64_t>(t.storage->nbytes))
    resize_storage(*t.storage, static_cast<size_t>(need));
}

// What a storage of `had` bytes has grown by, as memory that nobody has written.
void fill_grown(const Tensor& t, size_t had) {
  int64_t item = item_size(t.dtype), first = (static_cast<int64_t>(had) + item - 1) / item, one = 1;
  int64_t count = static_cast<int64_t>(t.storage->nbytes) / item - first;
  if (!fill_unwritten_memory || count <= 0) return;
  Ref<Tensor> grown = alias(t.storage, Sizes(&count, 1), Sizes(&one, 1), first, t.dtype, t.device);
  fill_unwritten(*grown);
}

void adopt_geometry(Tensor& t, Storage* s, int64_t offset, Sizes sizes, Sizes strides) {
  RL_CHECK(offset >= 0, "set_: invalid storage offset ", offset);
  RL_CHECK(sizes.size() == strides.size(), "set_: unequal size length (", sizes.size(),
           ") and stride length (", strides.size(), ")");
  checked_numel(sizes);
  for (int64_t v : strides)
    RL_CHECK(v >= 0, "set_: negative strides are not supported, got ", strides);
  retain(s);
  release(std::exchange(t.storage, s));  // last, for a storage's object may run a program's code
  t.offset = offset;
  set_geometry(t, sizes, strides);
  grow_to(t);
  ++t.version();
}

void set_from_storage(Tensor& t, PyObject* const* a) {
  Storage* s = &storage_of(a[0]);
  int64_t offset = a[1] ? to_index(a[1], "set_", "storage_offset") : 0;
  int64_t all = static_cast<int64_t>(s->nbytes) / item_size(t.dtype);
  SizeVec sizes = a[2] ? to_sizes(a[2], "set_", "size") : SizeVec{all - offset};
  SizeVec strides = a[3] ? to_sizes(a[3], "set_", "stride") : contiguous_strides(sizes);
  RL_CHECK(s->is_meta == t.is_meta(), "set_: tensor and storage must be on the same device");
  adopt_geometry(t, s, offset, sizes, strides);
}

// set_(source=None, storage_offset=0, size=None, stride=None): source is a storage or a tensor.
PyObject* tensor_set(PyObject* self, PyObject* const* args, Py_ssize_t n, PyObject* names) {
  return guarded([&] {
    static const Keywords keys("set_", 4, {"source", "storage_offset", "size", "stride"});
    PyObject* a[4] = {};
    keys.read(args, n, names, a, 0);
    Tensor& t = *as_tensor(self);
    Own untyped;
    if (a[0] && !is_tensor(a[0])) {
      untyped = untyped_of(a[0], "set_", t.dtype);
      if (!untyped)
        fail(ErrorKind::Type, "set_(): argument 'source' must be a Tensor or a storage, not ",
             Py_TYPE(a[0])->tp_name);
      a[0] = untyped.get();
    }
    if (!a[0]) {
      int64_t none = 0, one = 1;
      Storage* s = new_storage(0, t.is_meta());
      adopt_geometry(t, s, 0, Sizes(&none, 1), Sizes(&one, 1));
      release(s);
    } else if (is_storage(a[0])) {
      set_from_storage(t, a);
    } else {
      Tensor& source = *as_tensor(a[0]);
      if (source.kind) refuse_kind("set_", source);
      RL_CHECK(source.dtype == t.dtype, "set_: could not set tensor of type ", t.dtype,
               " to a tensor of type ", source.dtype);
      int64_t offset = a[1] ? to_index(a[1], "set_", "storage_offset") : source.offset;
      SizeVec sizes = a[2] ? to_sizes(a[2], "set_", "size")
                           : SizeVec(source.sizes().begin(), source.sizes().end());
      SizeVec strides = a[3]   ? to_sizes(a[3], "set_", "stride")
                        : a[2] ? contiguous_strides(sizes)
                               : SizeVec(source.strides().begin(), source.strides().end());
      adopt_geometry(t, source.storage, offset, sizes, strides);
    }
    return Py_NewRef(self);
  });
}

// resize_(*size or size=sizes, memory_format=contiguous_format)
PyObject* tensor_resize(PyObject* self, PyObject* args, PyObject* kwargs) {
  return guarded([&] {
    Tensor& t = *as_tensor(self);
    RL_CHECK(!t.requires_grad, "cannot resize variables that require grad");
    MemoryFormat format = MemoryFormat::Contiguous;
    PyObject* given = PyTuple_GET_SIZE(args) == 1 ? PyTuple_GET_ITEM(args, 0) : args;
    if (kwargs && PyDict_GET_SIZE(kwargs)) {
      PyObject* wanted = PyDict_GetItemString(kwargs, "memory_format");
      PyObject* size = PyDict_GetItemString(kwargs, "size");
      if (PyDict_GET_SIZE(kwargs) > !!wanted + !!size || (size && PyTuple_GET_SIZE(args)))
        fail(ErrorKind::Type, "resize_() takes sizes and the keyword memory_format only");
      if (wanted && wanted != Py_None) format = to_memory_format(wanted, "resize_");
      RL_CHECK(format != MemoryFormat::Preserve,
               "resize_(): memory_format=preserve_format is not supported; give a layout");
      if (size) given = size;
    }
    SizeVec sizes = to_sizes(given, "resize_", "size");
    checked_numel(sizes);
    bool same = std::equal(sizes.begin(), sizes.end(), t.sizes().begin(), t.sizes().end());
    if (!same || format != MemoryFormat::Contiguous) {
      size_t had = t.storage->nbytes;
      set_geometry(t, sizes, strides_for(sizes, format));
      grow_to(t);
      fill_grown(t, had);
      ++t.version();
    }
    return Py_NewRef(self);
  });
}

// _take_geometry(view): self becomes what `view` of it is, sizes, strides and place in the graph.
PyObject* take_geometry(PyObject* self, PyObject* other) {
  return guarded([&] {
    if (!is_tensor(other))
      fail(ErrorKind::Type, "_take_geometry: expected a Tensor, got ", Py_TYPE(other)->tp_name);
    Tensor &t = *as_tensor(self), &v = *as_tensor(other);
    if (v.kind && !level_of(v)) refuse_kind("_take_geometry", v);
    RL_CHECK(v.storage == t.storage && v.dtype == t.dtype,
             "_take_geometry: not a view of this tensor");
    check_inplace("a change of the geometry", t, false);
    set_geometry(t, v.sizes(), v.strides());
    t.offset = v.offset;
    if (v.grad_fn) set_history(t, *v.grad_fn, v.output_nr);
    if (t.view) t.view->version = t.version() + 1;
    ++t.version();
    return Py_NewRef(self);
  });
}

// ---- two tensors become each other
void swap_geometry(Tensor& a, Tensor& b) {
  std::swap(a.inline_, b.inline_);
  std::swap(a.sizes_, b.sizes_);
  std::swap(a.strides_, b.strides_);
  std::swap(a.ndim, b.ndim);
  auto settle = [](Tensor& t, const Tensor& from) {
    if (t.sizes_ != from.inline_) return;
    t.strides_ = t.inline_ + (t.strides_ - t.sizes_);
    t.sizes_ = t.inline_;
  };
  settle(a, b);
  settle(b, a);
}
std::optional<ViewInfo> lift_view(Tensor& t) {
  std::optional<ViewInfo> view;
  if (!t.view) return view;
  view = std::move(*t.view);
  std::destroy_at(std::exchange(t.view, nullptr));
  return view;
}
void swap_views(Tensor& a, Tensor& b) {
  std::optional<ViewInfo> of_a = lift_view(a), of_b = lift_view(b);
  if (of_a) b.view = new (b.view_room) ViewInfo(std::move(*of_a));
  if (of_b) a.view = new (a.view_room) ViewInfo(std::move(*of_b));
}
// All but the identity, the weak references, of which there are none, and the accumulators.
void swap_contents(Tensor& a, Tensor& b) {
  auto swap = [&](auto... parts) { (std::swap(a.*parts, b.*parts), ...); };
  swap(&Tensor::storage, &Tensor::offset, &Tensor::numel, &Tensor::dtype, &Tensor::device,
       &Tensor::contiguous, &Tensor::kind, &Tensor::interposed, &Tensor::requires_grad,
       &Tensor::is_inference, &Tensor::output_nr, &Tensor::grad_fn, &Tensor::grad,
       &Tensor::own_version, &Tensor::hooks, &Tensor::post_hooks, &Tensor::dict, &Tensor::payload);
  swap_geometry(a, b);
  swap_views(a, b);
}

void require_swappable(const Tensor& t, const Tensor& other, const char* name) {
  RL_CHECK(!t.weak_refs, "swap_tensors: ", name,
           " has weak references, which would name the other");
  RL_CHECK(!t.retains_grad, "swap_tensors: ", name, " retains its gradient");
  RL_CHECK(!level_of(t), "swap_tensors: ", name, " belongs to a function transform");
  RL_CHECK(t.grad != &other && !(t.view && t.view->base.get() == &other), "swap_tensors: ", name,
           " has the other tensor as its gradient or as the tensor that it is a view of");
}
// Graphs that saved one of the two notice that it is another one now.
void outdate(Tensor& a, Tensor& b) {
  uint32_t newest = 0;
  for (Tensor* t : {&a, &b})
    if (t->own_version || t->storage) newest = std::max(newest, t->version());
  for (Tensor* t : {&a, &b})
    if (t->own_version || t->storage) t->version() = newest + 1;
}
// _swap_parts(other): the two become each other, but for identity and class. Returns the nodes that
// would add to the .grad of what they were; they are no longer theirs.
PyObject* swap_parts(PyObject* self, PyObject* other) {
  return guarded([&] {
    if (!is_tensor(other))
      fail(ErrorKind::Type, "swap_tensors: expected a Tensor, got ", Py_TYPE(other)->tp_name);
    Tensor &a = *as_tensor(self), &b = *as_tensor(other);
    Own cut(checked(PyList_New(0)));
    if (&a == &b) return cut.give();
    require_swappable(a, b, "t1");
    require_swappable(b, a, "t2");
    for (Tensor* t : {&a, &b}) {
      if (t->accumulator && PyList_Append(cut.get(), object(t->accumulator)) < 0)
        throw PythonError{};
      t->accumulator = nullptr;
    }
    outdate(a, b);
    swap_contents(a, b);
    for (PyObject* o : {self, other}) {
      uint8_t& asks = as_tensor(o)->interposed;
      asks = static_cast<uint8_t>((asks & (kKind | kLevel)) | subclass_mark(Py_TYPE(o)));
    }
    return cut.give();
  });
}

}  // namespace

// `.data`: the same memory outside the graph, with a version of its own.
static Ref<Tensor> version_alias(Tensor& t) {
  Ref<Tensor> a = alias(t);
  a->own_version = new VersionCounter;
  return a;
}
PyObject* get_data(PyObject* self, void*) {
  return guarded([&] { return wrap(version_alias(*as_tensor(self))); });
}
// The kinds that `SPARSE_KINDS` of rushlight/_interpose.py numbers.
static bool is_sparse_kind(uint8_t kind) { return kind >= 1 && kind <= 5; }
int set_data(PyObject* self, PyObject* v, void*) {
  return guarded_int([&] {
    if (!v || !is_tensor(v))
      fail(ErrorKind::Type, "Variable data has to be a tensor, but got ",
           v ? Py_TYPE(v)->tp_name : "nothing");
    Tensor& t = *as_tensor(self);
    Tensor& s = *as_tensor(v);
    if (t.kind != s.kind && (is_sparse_kind(t.kind) || is_sparse_kind(s.kind)))
      fail("data: a tensor can be given the data of one of its own layout only; make a new tensor");
    if (t.requires_grad && !is_inexact(s.dtype))
      fail("data set to a tensor that requires gradients must be floating point or complex dtype");
    retain(s.storage);
    release(t.storage);
    t.storage = s.storage;
    set_geometry(t, s.sizes(), s.strides());
    t.offset = s.offset;
    t.dtype = s.dtype;
    t.device = s.device;
    if (t.kind | s.kind) share_kind(t, s);
    return 0;
  });
}

PyMethodDef storage_methods[] = {
    {"untyped_storage", hooked<tensor_storage>(), METH_NOARGS,
     "untyped_storage($self, /)\n--\n\nThe bytes behind this tensor, an UntypedStorage."},
    {"data_ptr", hooked<tensor_data_ptr>(), METH_NOARGS,
     "data_ptr($self, /)\n--\n\nThe address of the first element; 0 if there is none."},
    {"storage_offset", hooked<tensor_offset, Needs::Strides>(), METH_NOARGS,
     "storage_offset($self, /)\n--\n\nElements from the storage's start to the first one."},
    {"set_", hooked<tensor_set>(), kFast, docs::kSet},
    {"_take_geometry", hooked<take_geometry, Needs::Graph>(), METH_O,
     "_take_geometry($self, view, /)\n--\n\nBecomes what a view of it is, with its place in the "
     "graph."},
    {"_swap_parts", swap_parts, METH_O,
     "_swap_parts($self, other, /)\n--\n\nBecomes what another tensor is, which becomes what this "
     "was."},
    {"resize_", hooked<tensor_resize>(), METH_VARARGS | METH_KEYWORDS, docs::kResize},
    {}};

}  // namespace rl::py
