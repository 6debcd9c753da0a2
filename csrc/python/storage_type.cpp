// UntypedStorage: the bytes behind tensors as a Python object. The tensor methods that look at or
// replace a tensor's storage are in tensor_storage.cpp, typed (legacy) storages in
// rushlight/storage.py, what is built on other methods in rushlight/_storage_methods.py.
#include <algorithm>
#include <cstring>

#include "core/storage_object.h"
#include "python/data_access.h"
#include "python/docs.h"
#include "python/keywords.h"
#include "python/op.h"
#include "python/storage_access.h"

namespace rl::py {

PyTypeObject* StorageType;

namespace {

StorageObject& as_object(PyObject* o) { return *reinterpret_cast<StorageObject*>(o); }

// As a rule an object counts its storage, whose header points back at it. When a program lets go of
// an object while tensors still hold the storage, attributes and weak references are to stay: the
// storage keeps the object then, and counts it in turn, until it is asked for again or ends.
bool stays_with_tensors(PyObject* self) {
  StorageObject& o = as_object(self);
  bool plain = Py_TYPE(self) == StorageType && !o.dict && !o.weak_refs;
  if (o.storage->refcount == 1 || plain) return false;
  _Py_NewReference(self);  // one count, the storage's
  if (!PyObject_GC_IsTracked(self)) PyObject_GC_Track(self);
  o.kept = true;
  --o.storage->refcount;
  return true;
}

// The last tensor lets go of a storage that keeps its object: from now on it lasts as long as that
// does, which ends here if nobody else holds it.
void object_takes_over(Storage& s) {
  auto* self = static_cast<PyObject*>(object_of(s));
  as_object(self).kept = false;
  s.refcount = 1;
  Py_DECREF(self);
}

int storage_traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(self));
  Py_VISIT(as_object(self).dict);
  return 0;
}
int storage_clear(PyObject* self) {
  Py_CLEAR(as_object(self).dict);
  return 0;
}
void storage_dealloc(PyObject* self) {
  if (stays_with_tensors(self)) return;
  StorageObject& o = as_object(self);
  PyTypeObject* type = Py_TYPE(self);
  PyObject_GC_UnTrack(self);
  if (o.weak_refs) PyObject_ClearWeakRefs(self);
  Py_CLEAR(o.dict);
  object_of(*o.storage) = nullptr;
  release(o.storage);
  type->tp_free(self);
  Py_DECREF(type);
}

PyObject* new_object(PyTypeObject* type, Storage* s) {  // takes over the caller's count
  auto* self = type->tp_alloc(type, 0);
  if (!self) {
    release(s);
    throw PythonError{};
  }
  as_object(self).storage = s;
  object_of(*s) = self;
  return self;
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

}  // namespace

PyObject* wrap_storage(Storage* s) {
  auto* known = static_cast<PyObject*>(object_of(*s));
  if (!known) return new_object(StorageType, s);
  if (std::exchange(as_object(known).kept, false)) return known;  // they exchange their counts
  release(s);
  return Py_NewRef(known);
}

namespace {

// UntypedStorage(size=0 or sequence of bytes, *, sequence=None, device=None)
PyObject* storage_new(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
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
      return new_object(type, new_storage(static_cast<size_t>(n), meta));
    }
    Own list(
        checked(PySequence_Fast(first, "UntypedStorage expects a size or a sequence of bytes")));
    Py_ssize_t n = PySequence_Fast_GET_SIZE(list.get());
    Storage* s = new_storage(static_cast<size_t>(n), meta);
    Own out(new_object(type, s));
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
    static uint8_t nothing;
    void* data = s.data ? s.data : &nothing;
    auto n = static_cast<Py_ssize_t>(s.nbytes);
    checked(PyBuffer_FillInfo(view, self, data, n, s.read_only, flags));
    if (!as_object(self).views && !s.resizable) return 0;
    ++as_object(self).views;
    s.resizable = false;  // the view must stay valid
    return 0;
  });
}
void release_buffer(PyObject* self, Py_buffer*) {
  if (as_object(self).views && !--as_object(self).views) storage_of(self).resizable = true;
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
  as_object(self).views = 0;
  s.resizable = false;  // from now on: the part may outlive any buffer
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
PyObject* item(PyObject* self, Py_ssize_t i) {  // makes it iterable
  return guarded([&] {
    Storage& s = storage_of(self);
    need_data(s, "UntypedStorage.__getitem__");
    auto n = static_cast<int64_t>(s.nbytes);
    if (i < 0 || i >= n)
      fail(ErrorKind::Index, "index ", i, " out of range for storage of size ", n);
    return checked(PyLong_FromLong(bytes(s)[i]));
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

// ---- methods
PyObject* nbytes(PyObject* self, PyObject*) { return PyLong_FromSize_t(storage_of(self).nbytes); }
PyObject* data_ptr(PyObject* self, PyObject*) { return PyLong_FromVoidPtr(storage_of(self).data); }
PyObject* to_cpu(PyObject* self, PyObject*) {
  return guarded([&] {
    need_data(storage_of(self), "cpu");
    return Py_NewRef(self);
  });
}
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
    if (!to.is_meta) need_data(from, "copy_");
    RL_CHECK(to.nbytes == from.nbytes, "size does not match, self was ", to.nbytes,
             " bytes but src was ", from.nbytes, " bytes");
    if (to.nbytes && !to.is_meta) std::memmove(to.data, from.data, to.nbytes);
    ++to.version;
    return Py_NewRef(self);
  });
}
PyObject* fill_with(PyObject* self, PyObject* value) {
  return guarded([&] {
    Storage& s = storage_of(self);
    uint8_t wanted = byte_value(value);
    if (s.is_meta) return Py_NewRef(self);
    std::fill_n(bytes(s), s.nbytes, wanted);
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
    RL_CHECK(!storage_of(self).is_meta, "share_memory_: only storages on the CPU can be shared");
    if (storage_of(self).is_shared) return Py_NewRef(self);
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
    {"cpu", to_cpu, METH_NOARGS, "cpu($self, /)\n--\n\nThe storage itself: it is on the CPU."},
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
PyMemberDef members[] = {
    {"__dictoffset__", T_PYSSIZET, offsetof(StorageObject, dict), READONLY, nullptr},
    {"__weaklistoffset__", T_PYSSIZET, offsetof(StorageObject, weak_refs), READONLY, nullptr},
    {}};
PyGetSetDef getset[] = {
    {"__dict__", PyObject_GenericGetDict, PyObject_GenericSetDict, nullptr, nullptr},
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
                       {Py_tp_traverse, slot(storage_traverse)},
                       {Py_tp_clear, slot(storage_clear)},
                       {Py_tp_members, members},
                       {Py_tp_hash, slot(hash)},
                       {Py_tp_richcompare, slot(compare)},
                       {Py_tp_methods, methods},
                       {Py_tp_getset, getset},
                       {Py_mp_length, slot(length)},
                       {Py_sq_length, slot(length)},
                       {Py_sq_item, slot(item)},
                       {Py_mp_subscript, slot(subscript)},
                       {Py_mp_ass_subscript, slot(assign)},
                       {Py_bf_getbuffer, slot(get_buffer)},
                       {Py_bf_releasebuffer, slot(release_buffer)},
                       {0, nullptr}};

}  // namespace

void add_storage(PyObject* module) {
  PyType_Spec spec{"rushlight.UntypedStorage", sizeof(StorageObject), 0,
                   Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC, slots};
  StorageType = reinterpret_cast<PyTypeObject*>(checked(PyType_FromSpec(&spec)));
  checked(
      PyModule_AddObjectRef(module, "UntypedStorage", reinterpret_cast<PyObject*>(StorageType)));
  last_tensor_gone = object_takes_over;
  add_tensor_methods(storage_methods);
}

}  // namespace rl::py
