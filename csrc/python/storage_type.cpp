// UntypedStorage: the bytes behind tensors as a Python object, and the tensor methods that look
// at or replace a tensor's storage. Typed (legacy) storages are Python: rushlight/storage.py.
#include <algorithm>
#include <cstring>

#include "plan/copy.h"
#include "plan/determinism.h"
#include "python/data_access.h"
#include "python/docs.h"
#include "python/graph.h"
#include "python/interpose.h"
#include "python/keywords.h"
#include "python/levels.h"
#include "python/op.h"

namespace rl::py {

namespace {

struct StorageObject {
  PyObject_HEAD Storage* storage;
};
PyTypeObject* StorageType;

bool is_storage(PyObject* o) { return PyObject_TypeCheck(o, StorageType); }
Storage& storage_of(PyObject* o) { return *reinterpret_cast<StorageObject*>(o)->storage; }

PyObject* wrap_storage(Storage* s) {  // takes over the caller's count
  auto* o = PyObject_New(StorageObject, StorageType);
  if (!o) {
    release(s);
    throw PythonError{};
  }
  o->storage = s;
  return reinterpret_cast<PyObject*>(o);
}

void storage_dealloc(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  if (Storage* s = reinterpret_cast<StorageObject*>(self)->storage) release(s);
  type->tp_free(self);
  Py_DECREF(type);
}

void need_data(const Storage& s, const char* op) {
  if (s.is_meta) fail(ErrorKind::NotImplemented, op, ": storages on the meta device have no data");
}
auto* bytes(Storage& s) { return static_cast<uint8_t*>(s.data); }

int64_t byte_index(PyObject* o, const Storage& s) {
  int64_t i = to_index(o, "UntypedStorage", "index"), n = static_cast<int64_t>(s.nbytes);
  if (i < -n || i >= n)
    fail(ErrorKind::Index, "index ", i, " out of range for storage of size ", n);
  return i < 0 ? i + n : i;
}
uint8_t byte_value(PyObject* o) {
  int64_t v = to_index(o, "UntypedStorage", "value");
  if (v < 0 || v > 255)
    fail(ErrorKind::Value, "UntypedStorage holds bytes: expected 0..255, got ", v);
  return static_cast<uint8_t>(v);
}

// UntypedStorage(size=0 or sequence of bytes, *, sequence=None, device=None)
PyObject* storage_new(PyTypeObject*, PyObject* args, PyObject* kwargs) {
  return guarded([&] {
    static const char* names[] = {"size", "sequence", "device", nullptr};
    PyObject *first = nullptr, *sequence = nullptr, *device = nullptr;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|O$OO:UntypedStorage",
                                     const_cast<char**>(names), &first, &sequence, &device))
      throw PythonError{};
    if (sequence && sequence != Py_None) {
      if (first) fail(ErrorKind::Type, "UntypedStorage: expected a size or a sequence, got both");
      first = sequence;
    }
    bool meta = device && device != Py_None && to_device(device, "UntypedStorage") == Device::Meta;
    if (!first || PyIndex_Check(first)) {
      int64_t n = first ? to_index(first, "UntypedStorage", "size") : 0;
      RL_CHECK(n >= 0, "UntypedStorage: size must not be negative, got ", n);
      return wrap_storage(new_storage(static_cast<size_t>(n), meta));
    }
    Own list(
        checked(PySequence_Fast(first, "UntypedStorage expects a size or a sequence of bytes")));
    Py_ssize_t n = PySequence_Fast_GET_SIZE(list.get());
    Storage* s = new_storage(static_cast<size_t>(n), meta);
    Own out(wrap_storage(s));
    for (Py_ssize_t i = 0; i < n && !meta; ++i)
      bytes(*s)[i] = byte_value(PySequence_Fast_GET_ITEM(list.get(), i));
    return out.give();
  });
}

// ---- protocols
int get_buffer(PyObject* self, Py_buffer* view, int flags) {
  return guarded_int([&] {
    Storage& s = storage_of(self);
    view->obj = nullptr;
    need_data(s, "memoryview");
    s.resizable = false;  // the view must stay valid
    static uint8_t nothing;
    void* data = s.data ? s.data : &nothing;
    return PyBuffer_FillInfo(view, self, data, static_cast<Py_ssize_t>(s.nbytes), s.read_only,
                             flags);
  });
}
Py_ssize_t length(PyObject* self) { return static_cast<Py_ssize_t>(storage_of(self).nbytes); }

PyObject* slice_of(PyObject* self, PyObject* index) {
  Storage& s = storage_of(self);
  Py_ssize_t start, stop, step;
  checked(PySlice_Unpack(index, &start, &stop, &step));
  Py_ssize_t n = PySlice_AdjustIndices(static_cast<Py_ssize_t>(s.nbytes), &start, &stop, step);
  if (step != 1)
    fail("Trying to slice with a step of ", static_cast<int64_t>(step),
         ", but only a step of 1 is supported");
  retain(&s);
  auto let_go = [](void* p) { release(static_cast<Storage*>(p)); };
  return wrap_storage(adopt_storage(bytes(s) + start, static_cast<size_t>(n), let_go, &s));
}
PyObject* subscript(PyObject* self, PyObject* index) {
  return guarded([&] {
    Storage& s = storage_of(self);
    need_data(s, "UntypedStorage.__getitem__");
    if (PySlice_Check(index)) return slice_of(self, index);
    return checked(PyLong_FromLong(bytes(s)[byte_index(index, s)]));
  });
}
int assign(PyObject* self, PyObject* index, PyObject* value) {
  return guarded_int([&] {
    Storage& s = storage_of(self);
    need_data(s, "UntypedStorage.__setitem__");
    if (!value) fail(ErrorKind::Type, "UntypedStorage does not support deleting items");
    if (PySlice_Check(index)) {
      Own part(slice_of(self, index));
      Storage& p = storage_of(part.get());
      std::fill_n(bytes(p), p.nbytes, byte_value(value));
    } else {
      bytes(s)[byte_index(index, s)] = byte_value(value);
    }
    return 0;
  });
}
PyObject* compare(PyObject* a, PyObject* b, int op) {  // the same memory, not equal bytes
  if (!is_storage(b) || (op != Py_EQ && op != Py_NE)) Py_RETURN_NOTIMPLEMENTED;
  return PyBool_FromLong((&storage_of(a) == &storage_of(b)) == (op == Py_EQ));
}
Py_hash_t hash(PyObject* self) { return _Py_HashPointer(&storage_of(self)); }
PyObject* repr(PyObject* self) {
  Storage& s = storage_of(self);
  return PyUnicode_FromFormat("[rushlight.storage.UntypedStorage(device=%s) of size %zu]",
                              s.is_meta ? "meta" : "cpu", s.nbytes);
}

// ---- methods
PyObject* nbytes(PyObject* self, PyObject*) { return PyLong_FromSize_t(storage_of(self).nbytes); }
PyObject* data_ptr(PyObject* self, PyObject*) { return PyLong_FromVoidPtr(storage_of(self).data); }
PyObject* untyped(PyObject* self, PyObject*) { return Py_NewRef(self); }
PyObject* element_size(PyObject*, PyObject*) { return PyLong_FromLong(1); }
PyObject* is_shared(PyObject* self, PyObject*) {
  return PyBool_FromLong(storage_of(self).is_shared);
}
PyObject* resizable(PyObject* self, PyObject*) {
  return PyBool_FromLong(storage_of(self).resizable);
}

PyObject* resize(PyObject* self, PyObject* size) {
  return guarded([&] {
    int64_t n = to_index(size, "resize_", "size");
    RL_CHECK(n >= 0, "resize_: size must not be negative, got ", n);
    resize_storage(storage_of(self), static_cast<size_t>(n));
    return Py_NewRef(self);
  });
}
PyObject* clone(PyObject* self, PyObject*) {
  return guarded([&] {
    Storage& s = storage_of(self);
    Storage* copy = new_storage(s.nbytes, s.is_meta);
    if (!s.is_meta && s.nbytes) std::memcpy(copy->data, s.data, s.nbytes);
    return wrap_storage(copy);
  });
}
PyObject* copy_from(PyObject* self, PyObject* const* args, Py_ssize_t n, PyObject* names) {
  return guarded([&] {
    static const Keywords keys("copy_", 2, {"src", "non_blocking"});
    PyObject* a[2] = {};
    keys.read(args, n, names, a, 1);
    if (!is_storage(a[0]))
      fail(ErrorKind::Type, "copy_: expected an UntypedStorage, got ", Py_TYPE(a[0])->tp_name);
    Storage &to = storage_of(self), &from = storage_of(a[0]);
    need_data(to, "copy_");
    need_data(from, "copy_");
    RL_CHECK(to.nbytes == from.nbytes, "size does not match, self was ", to.nbytes,
             " bytes but src was ", from.nbytes, " bytes");
    if (to.nbytes) std::memmove(to.data, from.data, to.nbytes);
    ++to.version;
    return Py_NewRef(self);
  });
}
PyObject* fill_with(PyObject* self, PyObject* value) {
  return guarded([&] {
    Storage& s = storage_of(self);
    need_data(s, "fill_");
    std::fill_n(bytes(s), s.nbytes, byte_value(value));
    return Py_NewRef(self);
  });
}
PyObject* to_list(PyObject* self, PyObject*) {
  return guarded([&] {
    Storage& s = storage_of(self);
    need_data(s, "tolist");
    Own list(checked(PyList_New(static_cast<Py_ssize_t>(s.nbytes))));
    for (size_t i = 0; i < s.nbytes; ++i)
      PyList_SET_ITEM(list.get(), static_cast<Py_ssize_t>(i),
                      checked(PyLong_FromLong(bytes(s)[i])));
    return list.give();
  });
}
PyObject* move_to(PyObject* self, PyObject* source) {
  return guarded([&] {
    if (!is_storage(source)) fail(ErrorKind::Type, "_move_to_shared: expected an UntypedStorage");
    move_to_shared(storage_of(self), storage_of(source));
    return Py_NewRef(self);
  });
}
// Shared blocks are files in memory, which Python opens and maps.
PyObject* share_memory(PyObject* self, PyObject*) {
  return guarded([&]() -> PyObject* {
    if (storage_of(self).is_shared || storage_of(self).is_meta) return Py_NewRef(self);
    Own module(checked(PyImport_ImportModule("rushlight.multiprocessing.shared")));
    return checked(PyObject_CallMethod(module.get(), "share_storage", "O", self));
  });
}
PyObject* get_device(PyObject* self, void*) {
  return Py_NewRef(device_object(storage_of(self).is_meta ? Device::Meta : Device::Cpu));
}
PyObject* get_cdata(PyObject* self, void*) { return PyLong_FromVoidPtr(&storage_of(self)); }
PyObject* get_false(PyObject*, void*) { Py_RETURN_FALSE; }

constexpr int kFast = METH_FASTCALL | METH_KEYWORDS;
PyObject* size_in_memory(PyObject* self, PyObject*) {
  return PyLong_FromSize_t(sizeof(StorageObject) + storage_of(self).nbytes);
}

PyMethodDef methods[] = {
    {"nbytes", nbytes, METH_NOARGS, "nbytes($self, /)\n--\n\nThe number of bytes."},
    {"size", nbytes, METH_NOARGS, "size($self, /)\n--\n\nThe number of bytes."},
    {"__sizeof__", size_in_memory, METH_NOARGS, "Bytes of the object and of what it holds."},
    {"data_ptr", data_ptr, METH_NOARGS, "data_ptr($self, /)\n--\n\nThe address of the first byte."},
    {"untyped", untyped, METH_NOARGS, "untyped($self, /)\n--\n\nThe storage itself."},
    {"element_size", element_size, METH_NOARGS,
     "element_size($self, /)\n--\n\n1: its elements are bytes."},
    {"is_shared", is_shared, METH_NOARGS,
     "is_shared($self, /)\n--\n\nWhether other processes can see the memory."},
    {"is_pinned", fast(is_pinned), kFast,
     "is_pinned($self, device=None)\n--\n\nFalse: there is no accelerator to pin memory for."},
    {"resizable", resizable, METH_NOARGS,
     "resizable($self, /)\n--\n\nWhether resize_() may move the memory: it is neither shared nor "
     "lent."},
    {"resize_", resize, METH_O,
     "resize_($self, size, /)\n--\n\nChanges the number of bytes and keeps those that fit; returns "
     "the storage. RuntimeError if the memory cannot be moved; see resizable()."},
    {"clone", clone, METH_NOARGS, "clone($self, /)\n--\n\nA storage with a copy of the bytes."},
    {"cpu", untyped, METH_NOARGS, "cpu($self, /)\n--\n\nThe storage itself: it is on the CPU."},
    {"copy_", fast(copy_from), kFast,
     "copy_($self, src, non_blocking=None)\n--\n\nCopies another storage's bytes into this one, "
     "which it returns; RuntimeError if the sizes differ."},
    {"fill_", fill_with, METH_O,
     "fill_($self, value, /)\n--\n\nSets every byte to an int from 0 to 255; returns the storage."},
    {"tolist", to_list, METH_NOARGS, "tolist($self, /)\n--\n\nThe bytes as a list of ints."},
    {"share_memory_", share_memory, METH_NOARGS,
     "share_memory_($self, /)\n--\n\nMoves the bytes to where other processes can see them; "
     "returns the storage."},
    {"_move_to_shared", move_to, METH_O,
     "_move_to_shared($self, block, /)\n--\n\nTakes over a mapped block's memory."},
    {}};
PyGetSetDef getset[] = {
    {"device", get_device, nullptr, "The CPU, or \"meta\".", nullptr},
    {"_cdata", get_cdata, nullptr, "A number that identifies it.", nullptr},
    {"is_cuda", get_false, nullptr, "False: the CPU is the only device.", nullptr},
    {"is_sparse", get_false, nullptr, "False: the bytes are all there.", nullptr},
    {}};

template <class F>
void* slot(F* f) {
  return reinterpret_cast<void*>(f);
}
PyType_Slot slots[] = {{Py_tp_doc, const_cast<char*>(docs::kUntypedStorage)},
                       {Py_tp_new, slot(storage_new)},
                       {Py_tp_dealloc, slot(storage_dealloc)},
                       {Py_tp_repr, slot(repr)},
                       {Py_tp_hash, slot(hash)},
                       {Py_tp_richcompare, slot(compare)},
                       {Py_tp_methods, methods},
                       {Py_tp_getset, getset},
                       {Py_mp_length, slot(length)},
                       {Py_sq_length, slot(length)},
                       {Py_mp_subscript, slot(subscript)},
                       {Py_mp_ass_subscript, slot(assign)},
                       {Py_bf_getbuffer, slot(get_buffer)},
                       {0, nullptr}};

// ---- tensor methods
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
  release(t.storage);
  t.storage = s;
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
    if (a[0] && !is_tensor(a[0]) && !is_storage(a[0])) {  // a typed storage
      if (!PyObject_HasAttrString(a[0], "untyped"))
        fail(ErrorKind::Type, "set_(): argument 'source' must be a Tensor or a storage, not ",
             Py_TYPE(a[0])->tp_name);
      untyped = Own(checked(PyObject_CallMethod(a[0], "untyped", nullptr)));
      a[0] = untyped.get();
      if (!is_storage(a[0])) fail(ErrorKind::Type, "set_: source must be a Tensor or a storage");
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
      if (wanted) format = to_memory_format(wanted, "resize_");
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

}  // namespace

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
    {"resize_", hooked<tensor_resize>(), METH_VARARGS | METH_KEYWORDS, docs::kResize},
    {}};

void add_storage(PyObject* module) {
  PyType_Spec spec{"rushlight.UntypedStorage", sizeof(StorageObject), 0, Py_TPFLAGS_DEFAULT, slots};
  StorageType = reinterpret_cast<PyTypeObject*>(checked(PyType_FromSpec(&spec)));
  checked(
      PyModule_AddObjectRef(module, "UntypedStorage", reinterpret_cast<PyObject*>(StorageType)));
  add_tensor_methods(storage_methods);
}

}  // namespace rl::py
