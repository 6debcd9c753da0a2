// dtype, device, Size, layout and memory_format, and conversions of Python numbers and
// sequences. Everything here is immutable and made once.
#include <cctype>
#include <cstring>
#include <iterator>
#include <string>

#include "core/linalg_error.h"
#include "kernels/layouts.h"
#include "plan/copy.h"
#include "python/binding.h"
#include "python/docs.h"

namespace rl::py {
namespace {

// One struct for the small enumerations: what it is, and how it prints.
struct Enum {
  PyObject_HEAD int value;
  PyObject* text;
};
PyTypeObject *DTypeType, *LayoutType, *FormatType, *DeviceType, *SizeType;
PyObject *dtypes_[kNumDTypes], *devices_[2], *formats_[4];

// Dtypes that can be named and compared, while no tensor has them. As values of Enum they are
// negative: -1 is the first.
struct NamedDType {
  const char* name;
  uint8_t size;
  bool is_floating, is_signed;
};
constexpr NamedDType kNamed[] = {
    {"qint8", 1, false, true},     {"quint8", 1, false, false},   {"qint32", 4, false, true},
    {"quint4x2", 1, false, false}, {"quint2x4", 1, false, false}, {"bits1x8", 1, false, false},
    {"bits2x4", 1, false, false},  {"bits4x2", 1, false, false},  {"bits8", 1, false, false},
    {"bits16", 2, false, false},   {"int1", 1, false, true},      {"int2", 1, false, true},
    {"int3", 1, false, true},      {"int4", 1, false, true},      {"int5", 1, false, true},
    {"int6", 1, false, true},      {"int7", 1, false, true},      {"uint1", 1, false, false},
    {"uint2", 1, false, false},    {"uint3", 1, false, false},    {"uint4", 1, false, false},
    {"uint5", 1, false, false},    {"uint6", 1, false, false},    {"uint7", 1, false, false},
};

// Kinds of device that can be named; the first two exist. A device object's value is its kind,
// and above the lowest byte its index plus one.
constexpr const char* kDevices[] = {
    "cpu",  "meta",   "cuda",   "mps",    "xpu",   "hip", "xla",  "hpu",  "mtia", "vulkan",
    "lazy", "mkldnn", "opengl", "opencl", "ideep", "ve",  "fpga", "maia", "ipu",  "privateuseone"};

PyObject* enum_repr(PyObject* o) { return Py_NewRef(reinterpret_cast<Enum*>(o)->text); }
PyObject* enum_reduce(PyObject* o, PyObject*) {  // pickled by name: "float32" in the package
  const char* text = PyUnicode_AsUTF8(reinterpret_cast<Enum*>(o)->text);
  Own native(PyImport_ImportModule("rushlight._native"));
  Own named(native ? PyObject_GetAttrString(native.get(), "named") : nullptr);
  return named ? Py_BuildValue("(O(s))", named.get(), std::strrchr(text, '.') + 1) : nullptr;
}
PyObject* named(PyObject* module, PyObject* name) { return PyObject_GetAttr(module, name); }
PyObject* suggested_format_of(PyObject*, PyObject* o) {
  return Py_NewRef(format_object(suggested_format(*as_tensor(o))));
}
PyMethodDef functions[] = {
    {"suggested_format", suggested_format_of, METH_O,
     "The memory format that a tensor's strides say."},
    {"named", named, METH_O, "The dtype, layout or memory format of that name."},
    {nullptr, nullptr, 0, nullptr}};
PyMethodDef enum_methods[] = {{"__reduce__", enum_reduce, METH_NOARGS, nullptr},
                              {nullptr, nullptr, 0, nullptr}};

PyObject* make_enum(PyTypeObject* type, int value, const char* text) {
  auto* e = PyObject_New(Enum, type);
  if (!e) throw PythonError{};
  e->value = value;
  e->text = checked(PyUnicode_FromString(text));
  return reinterpret_cast<PyObject*>(e);
}

int value_of(PyObject* o) { return reinterpret_cast<Enum*>(o)->value; }
const NamedDType* named_dtype(PyObject* o) {
  return value_of(o) < 0 ? &kNamed[-value_of(o) - 1] : nullptr;
}
DType dtype_at(PyObject* o) {
  if (auto* n = named_dtype(o))
    fail(ErrorKind::NotImplemented, "dtype torch.", n->name,
         " can be named, but tensors of it are not supported");
  return static_cast<DType>(value_of(o));
}
PyObject* dtype_floating(PyObject* o, void*) {
  auto* n = named_dtype(o);
  return PyBool_FromLong(n ? n->is_floating : is_floating(dtype_at(o)));
}
PyObject* dtype_complex(PyObject* o, void*) {
  return PyBool_FromLong(!named_dtype(o) && is_complex(dtype_at(o)));
}
PyObject* dtype_signed(PyObject* o, void*) {
  auto* n = named_dtype(o);
  return PyBool_FromLong(n ? n->is_signed : info(dtype_at(o)).is_signed);
}
PyObject* dtype_itemsize(PyObject* o, void*) {
  auto* n = named_dtype(o);
  return PyLong_FromLongLong(n ? n->size : item_size(dtype_at(o)));
}
PyObject* dtype_to_real(PyObject* o, PyObject*) {
  return guarded([&] { return Py_NewRef(dtypes_[static_cast<int>(real_of(dtype_at(o)))]); });
}
PyObject* dtype_to_complex(PyObject* o, PyObject*) {
  return guarded([&] {
    DType d = dtype_at(o);
    RL_CHECK(is_inexact(d), "to_complex: expected a floating-point or complex dtype, got ", d);
    return Py_NewRef(dtypes_[static_cast<int>(complex_of(d))]);
  });
}
PyGetSetDef dtype_getset[] = {
    {"is_floating_point", dtype_floating, nullptr, "Real floating-point numbers?", nullptr},
    {"is_complex", dtype_complex, nullptr, "Complex numbers?", nullptr},
    {"is_signed", dtype_signed, nullptr, "Has it values below 0?", nullptr},
    {"itemsize", dtype_itemsize, nullptr, "Bytes per element.", nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr}};
PyMethodDef dtype_methods[] = {
    {"__reduce__", enum_reduce, METH_NOARGS, nullptr},
    {"to_real", dtype_to_real, METH_NOARGS,
     "to_real($self, /)\n--\n\nThe dtype of a complex one's parts; itself if it is not complex."},
    {"to_complex", dtype_to_complex, METH_NOARGS,
     "to_complex($self, /)\n--\n\nThe complex dtype with parts of this one; RuntimeError for "
     "integers and bool."},
    {nullptr, nullptr, 0, nullptr}};

// ---- device
const char* device_kind(PyObject* o) { return kDevices[value_of(o) & 0xff]; }
PyObject* device_type(PyObject* o, void*) { return PyUnicode_FromString(device_kind(o)); }
PyObject* device_index(PyObject* o, void*) {
  int index = (value_of(o) >> 8) - 1;
  return index < 0 ? Py_NewRef(Py_None) : PyLong_FromLong(index);
}
PyObject* device_str(PyObject* o) {
  Own index(device_index(o, nullptr));
  if (index.get() == Py_None) return device_type(o, nullptr);
  return PyUnicode_FromFormat("%s:%S", device_kind(o), index.get());
}
PyObject* device_reduce(PyObject* o, PyObject*) {
  Own index(device_index(o, nullptr));
  if (index.get() == Py_None) return Py_BuildValue("(O(s))", DeviceType, device_kind(o));
  return Py_BuildValue("(O(sO))", DeviceType, device_kind(o), index.get());
}

// The one object for a kind and an index (-1: none).
PyObject* device_of(int kind, int index) {
  static PyObject* made = checked(PyDict_New());
  int value = kind | ((index + 1) << 8);
  Own key(checked(PyLong_FromLong(value)));
  if (PyObject* found = PyDict_GetItemWithError(made, key.get())) return found;
  std::string text = str("device(type='", kDevices[kind], "'");
  if (index >= 0) text += str(", index=", static_cast<int64_t>(index));
  Own device(make_enum(DeviceType, value, (text + ")").c_str()));
  if (PyDict_SetItem(made, key.get(), device.get()) < 0) throw PythonError{};
  return device.get();
}

int to_device_index(std::string_view text, std::string_view whole) {
  if (text.empty() || text.size() > 4 || text.find_first_not_of("0123456789") != text.npos)
    fail("Invalid device string: '", whole, "'; expected a kind and a number, such as 'cuda:0'");
  return std::atoi(std::string(text).c_str());
}

PyObject* parse_device(std::string_view s) {
  std::string_view type = s.substr(0, s.find(':'));
  for (int kind = 0; kind < static_cast<int>(std::size(kDevices)); ++kind)
    if (type == kDevices[kind])
      return device_of(kind, type == s ? -1 : to_device_index(s.substr(type.size() + 1), s));
  fail("Expected one of cpu, meta, cuda, mps, xpu, ... device type at start of device string: ", s);
}

int device_index(PyObject* o, const char* name) {
  int64_t i = to_index(o, "device", name);
  if (i < 0 || i > 9999) fail("device(): the index must not be negative, nor over 9999, got ", i);
  return static_cast<int>(i);
}

PyObject* device_new(PyTypeObject*, PyObject* args, PyObject* kwargs) {
  return guarded([&]() -> PyObject* {
    PyObject *type = nullptr, *index = Py_None;
    static const char *names[] = {"type", "index", nullptr}, *whole[] = {"device", nullptr};
    bool is_whole = kwargs && PyDict_GetItemString(kwargs, "device");
    int read = is_whole ? PyArg_ParseTupleAndKeywords(args, kwargs, "O:device",
                                                      const_cast<char**>(whole), &type)
                        : PyArg_ParseTupleAndKeywords(args, kwargs, "O|O:device",
                                                      const_cast<char**>(names), &type, &index);
    if (!read) throw PythonError{};
    if (Py_TYPE(type) == DeviceType) return Py_NewRef(type);
    constexpr int kCuda = 2;  // a number alone counts GPUs
    if (PyLong_Check(type) && !PyBool_Check(type))
      return Py_NewRef(device_of(kCuda, device_index(type, "type")));
    if (!PyUnicode_Check(type))
      fail(ErrorKind::Type, "device(): argument 'type' must be str, int or torch.device, not ",
           Py_TYPE(type)->tp_name);
    PyObject* device = parse_device(PyUnicode_AsUTF8(type));
    if (index == Py_None) return Py_NewRef(device);
    if (value_of(device) > 0xff)
      fail("device(): the index is given twice: in the text and besides");
    return Py_NewRef(device_of(value_of(device), device_index(index, "index")));
  });
}

// `with device:` is done in Python.
PyObject* device_context(const char* function, PyObject* device) {
  Own module(PyImport_ImportModule("rushlight._device_context"));
  return module ? PyObject_CallMethod(module.get(), function, "O", device) : nullptr;
}
PyObject* device_enter(PyObject* o, PyObject*) { return device_context("enter", o); }
PyObject* device_exit(PyObject* o, PyObject*) { return device_context("leave", o); }
PyGetSetDef device_getset[] = {
    {"type", device_type, nullptr, "The kind of device, such as \"cpu\".", nullptr},
    {"index", device_index, nullptr, "Which of its kind it is; None if that is not said.", nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr}};
PyMethodDef device_methods[] = {{"__reduce__", device_reduce, METH_NOARGS, nullptr},
                                {"__enter__", device_enter, METH_NOARGS, nullptr},
                                {"__exit__", device_exit, METH_VARARGS, nullptr},
                                {nullptr, nullptr, 0, nullptr}};

// ---- Size: a tuple of ints that knows its product
PyObject* size_new(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
  return guarded([&]() -> PyObject* {
    Own t(checked(PyTuple_Type.tp_new(type, args, kwargs)));
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(t.get()); ++i) {
      PyObject* v = PyTuple_GET_ITEM(t.get(), i);
      if (PyLong_Check(v) && !PyBool_Check(v)) continue;
      Own index(PyBool_Check(v) ? PyNumber_Long(v) : PyNumber_Index(v));
      if (!index) {
        PyErr_Clear();
        fail(ErrorKind::Type, "torch.Size() takes an iterable of 'int' (item ",
             static_cast<int64_t>(i), " is '", Py_TYPE(v)->tp_name, "')");
      }
      PyTuple_SET_ITEM(t.get(), i, index.give());
      Py_DECREF(v);
    }
    return t.give();
  });
}
PyObject* size_repr(PyObject* o) {
  Own list(PySequence_List(o));
  return list ? PyUnicode_FromFormat("torch.Size(%R)", list.get()) : nullptr;
}
// By Python's multiplication: the sizes that a trace follows make one that it follows.
PyObject* size_numel(PyObject* o, PyObject*) {
  Py_ssize_t count = PyTuple_GET_SIZE(o);
  if (count == 0) return PyLong_FromLong(1);
  Own n = Own::share(PyTuple_GET_ITEM(o, 0));
  for (Py_ssize_t i = 1; n && i < count; ++i)
    n = Own(PyNumber_Multiply(n.get(), PyTuple_GET_ITEM(o, i)));
  return n.give();
}
PyObject* as_size(PyObject* t) {  // takes over t
  if (!t || !PyTuple_CheckExact(t)) return t;
  PyObject* out = PyObject_CallOneArg(reinterpret_cast<PyObject*>(SizeType), t);
  Py_DECREF(t);
  return out;
}
PyObject* size_concat(PyObject* a, PyObject* b) {
  if (!PyTuple_Check(b)) {
    PyErr_Format(PyExc_TypeError, "can only concatenate tuple (not %s) to torch.Size",
                 Py_TYPE(b)->tp_name);
    return nullptr;
  }
  return as_size(PyTuple_Type.tp_as_sequence->sq_concat(a, b));
}
PyObject* size_repeat(PyObject* a, Py_ssize_t n) {
  return as_size(PyTuple_Type.tp_as_sequence->sq_repeat(a, n));
}
PyObject* size_subscript(PyObject* a, PyObject* i) {
  return as_size(PyTuple_Type.tp_as_mapping->mp_subscript(a, i));
}
PyObject* size_reduce(PyObject* o, PyObject*) {
  Own t(PySequence_Tuple(o)), plain(PyList_AsTuple(Own(PySequence_List(o)).get()));
  return Py_BuildValue("(O(O))", SizeType, plain.get());
}
PyMethodDef size_methods[] = {
    {"numel", size_numel, METH_NOARGS, "numel($self, /)\n--\n\nThe product of the sizes."},
    {"__reduce__", size_reduce, METH_NOARGS, nullptr},
    {nullptr, nullptr, 0, nullptr}};

template <class F>
void* slot(F* f) {
  return reinterpret_cast<void*>(f);
}

PyTypeObject* make_type(const char* name, const char* doc, PyMethodDef* methods,
                        PyGetSetDef* getset, newfunc make = nullptr, reprfunc text = nullptr) {
  PyType_Slot slots[7] = {
      {Py_tp_repr, slot(enum_repr)}, {Py_tp_methods, methods}, {Py_tp_doc, const_cast<char*>(doc)}};
  int n = 3;
  if (getset) slots[n++] = {Py_tp_getset, getset};
  if (make) slots[n++] = {Py_tp_new, slot(make)};
  if (text) slots[n++] = {Py_tp_str, slot(text)};
  slots[n] = {0, nullptr};
  unsigned flags = Py_TPFLAGS_DEFAULT | (make ? 0 : Py_TPFLAGS_DISALLOW_INSTANTIATION);
  PyType_Spec spec{name, sizeof(Enum), 0, flags, slots};
  return reinterpret_cast<PyTypeObject*>(checked(PyType_FromSpec(&spec)));
}

}  // namespace

PyObject* dtype_object(DType d) { return dtypes_[static_cast<int>(d)]; }
bool is_dtype(PyObject* o) { return Py_TYPE(o) == DTypeType; }
// Python's own types of numbers stand for the dtypes that hold them.
static bool find_dtype(PyObject* o, DType& found) {
  auto is = [o](PyTypeObject& type) { return o == reinterpret_cast<PyObject*>(&type); };
  if (is_dtype(o))
    found = dtype_at(o);
  else if (is(PyFloat_Type))
    found = DType::F64;
  else if (is(PyLong_Type))
    found = DType::I64;
  else if (is(PyBool_Type))
    found = DType::Bool;
  else if (is(PyComplex_Type))
    found = DType::C128;
  else
    return false;
  return true;
}
bool names_dtype(PyObject* o) {
  DType unused;
  return find_dtype(o, unused);
}
DType as_dtype(PyObject* o) {
  DType found;
  if (find_dtype(o, found)) return found;
  fail(ErrorKind::Type, "dtype: expected a torch.dtype, got ", Py_TYPE(o)->tp_name);
}
PyObject* device_object(Device d) { return devices_[static_cast<int>(d)]; }
PyObject* format_object(MemoryFormat f) { return formats_[static_cast<int>(f)]; }

// PyTorch's exception for this is an AssertionError.
[[noreturn]] static void refuse_device(PyObject* device, const char* op) {
  std::string kind = device_kind(device);
  for (char& c : kind) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  PyErr_Format(PyExc_AssertionError,
               "Torch not compiled with %s enabled: %s() was asked for the device '%S', and "
               "rushlight has the CPU only; use device='cpu'",
               kind.c_str(), op, device);
  throw py::PythonError{};
}

// Where data goes, a number counts accelerators.
[[noreturn]] static void refuse_number(PyObject* o, const char* op) {
  int64_t index = to_index(o, op, "device");
  if (index < 0) fail(op, "(): device index must not be negative, got ", index);
  fail("Cannot access accelerator device when none is available: ", op,
       "() was asked for the device number ", index,
       ", and rushlight has the CPU only; use device='cpu'");
}

Device to_device(PyObject* o, const char* op) {
  if (o == Py_None) return Device::Cpu;
  if (PyLong_Check(o) && !PyBool_Check(o)) refuse_number(o, op);
  if (PyUnicode_Check(o)) o = parse_device(PyUnicode_AsUTF8(o));
  if (Py_TYPE(o) != DeviceType)
    fail(ErrorKind::Type, op, "(): argument 'device' must be torch.device, not ",
         Py_TYPE(o)->tp_name);
  int kind = value_of(o) & 0xff;
  if (kind > static_cast<int>(Device::Meta)) refuse_device(o, op);
  return static_cast<Device>(kind);
}

void check_device(PyObject* o, const char* op) {
  if (!o || o == Py_None) return;
  if (PyLong_Check(o) && !PyBool_Check(o)) refuse_number(o, op);
  if (PyUnicode_Check(o)) o = parse_device(PyUnicode_AsUTF8(o));
  if (Py_TYPE(o) != DeviceType)
    fail(ErrorKind::Type, op, "(): argument 'device' must be torch.device, not ",
         Py_TYPE(o)->tp_name);
}

static PyObject* new_size(Sizes sizes) {
  Own t(checked(SizeType->tp_alloc(SizeType, static_cast<Py_ssize_t>(sizes.size()))));
  for (size_t i = 0; i < sizes.size(); ++i)
    PyTuple_SET_ITEM(t.get(), i, checked(PyLong_FromLongLong(sizes[i])));
  return t.give();
}

// A Size never changes, so one object may stand for equal ones: those asked for last are kept, as
// making one takes longer than all the rest of `t.shape`.
PyObject* make_size(Sizes sizes) {
  struct Kept {
    int64_t sizes[kInlineDims];
    PyObject* made;
  };
  static Kept kept[64];
  if (sizes.size() > kInlineDims) return new_size(sizes);
  uint64_t hash = sizes.size();
  for (int64_t s : sizes) hash = (hash ^ static_cast<uint64_t>(s)) * 0x9e3779b97f4a7c15u;
  Kept& k = kept[hash >> 58];
  bool same = k.made && PyTuple_GET_SIZE(k.made) == static_cast<Py_ssize_t>(sizes.size());
  for (size_t i = 0; same && i < sizes.size(); ++i) same = k.sizes[i] == sizes[i];
  if (same) return Py_NewRef(k.made);
  PyObject* fresh = new_size(sizes);
  std::copy(sizes.begin(), sizes.end(), k.sizes);
  Py_XSETREF(k.made, Py_NewRef(fresh));
  return fresh;
}

MemoryFormat to_memory_format(PyObject* o, const char* op) {
  if (Py_TYPE(o) != FormatType)
    fail(ErrorKind::Type, op, "(): argument 'memory_format' must be torch.memory_format, not ",
         Py_TYPE(o)->tp_name);
  return static_cast<MemoryFormat>(reinterpret_cast<Enum*>(o)->value);
}

bool is_strided(PyObject* o, const char* op) {
  if (Py_TYPE(o) != LayoutType)
    fail(ErrorKind::Type, op, "(): argument 'layout' must be torch.layout, not ",
         Py_TYPE(o)->tp_name);
  return reinterpret_cast<Enum*>(o)->value == 0;
}
void require_strided(PyObject* o, const char* op) {
  if (!is_strided(o, op))
    fail(ErrorKind::NotImplemented, op, "(): layout ",
         PyUnicode_AsUTF8(reinterpret_cast<Enum*>(o)->text),
         " is not supported, only torch.strided; leave layout out");
}

bool is_number(PyObject* o) {
  if (PyLong_Check(o) || PyFloat_Check(o) || PyComplex_Check(o)) return true;
  if (is_tensor(o) || PyList_Check(o) || PyTuple_Check(o) || PyUnicode_Check(o)) return false;
  // NumPy's scalar types, without importing NumPy: their class lives in the numpy module.
  if (std::strncmp(Py_TYPE(o)->tp_name, "numpy.", 6) != 0) return false;
  return std::strcmp(Py_TYPE(o)->tp_name, "numpy.ndarray") != 0 && PyNumber_Check(o);
}

Scalar to_scalar(PyObject* o, const char* op, const char* arg) {
  if (int64_t v; is_small_int(o, v)) return Scalar::of(v);
  if (PyBool_Check(o)) return Scalar::of(o == Py_True);
  if (PyFloat_Check(o)) return Scalar::of(PyFloat_AS_DOUBLE(o));
  if (PyLong_Check(o)) {
    int overflow;
    int64_t v = PyLong_AsLongLongAndOverflow(o, &overflow);
    if (overflow > 0) {  // up to 2^64: the bits of a uint64, see is_beyond_int64
      uint64_t u = PyLong_AsUnsignedLongLong(o);
      if (!PyErr_Occurred())
        return {Scalar::Int, static_cast<int64_t>(u), static_cast<double>(u), 0};
      PyErr_Clear();
    }
    if (overflow) {
      PyErr_Format(PyExc_OverflowError,
                   "%s(): argument '%s' is too big to be converted to a 64-bit integer", op, arg);
      throw PythonError{};
    }
    return Scalar::of(v);
  }
  if (PyComplex_Check(o))
    return {Scalar::Complex, 0, PyComplex_RealAsDouble(o), PyComplex_ImagAsDouble(o)};
  if (is_tensor(o) || is_number(o)) {
    Own v(checked(PyObject_CallMethod(o, "item", nullptr)));
    if (Py_TYPE(v.get()) != Py_TYPE(o)) return to_scalar(v.get(), op, arg);
  }
  fail(ErrorKind::Type, op, "(): argument '", arg, "' must be Number, not ", Py_TYPE(o)->tp_name);
}

int64_t to_index(PyObject* o, const char* op, const char* arg) {
  if (int64_t v; is_small_int(o, v)) return v;
  Own v(PyLong_CheckExact(o) ? Py_NewRef(o) : PyNumber_Index(o));
  if (!v) {
    PyErr_Clear();
    fail(ErrorKind::Type, op, "(): argument '", arg, "' must be int, not ", Py_TYPE(o)->tp_name);
  }
  int64_t n = PyLong_AsLongLong(v.get());
  if (n == -1 && PyErr_Occurred()) {
    PyErr_Clear();
    fail(ErrorKind::Value, "Overflow when unpacking long: ", op, "(), argument '", arg, "'");
  }
  return n;
}

SizeVec to_sizes(PyObject* o, const char* op, const char* arg) {
  if (!PyTuple_Check(o) && !PyList_Check(o)) return {to_index(o, op, arg)};
  SizeVec out(static_cast<size_t>(PySequence_Fast_GET_SIZE(o)));
  for (size_t i = 0; i < out.size(); ++i) out[i] = to_index(PySequence_Fast_ITEMS(o)[i], op, arg);
  return out;
}

template <class T>
static PyObject* number_object(T v) {
  if constexpr (std::is_same_v<T, bool>)
    return PyBool_FromLong(v);
  else if constexpr (std::is_same_v<T, uint64_t>)
    return PyLong_FromUnsignedLongLong(v);
  else if constexpr (std::is_integral_v<T>)
    return PyLong_FromLongLong(v);
  else if constexpr (requires { v.re; })
    return PyComplex_FromDoubles(v.re, v.im);
  else
    return PyFloat_FromDouble(static_cast<double>(
        static_cast<std::conditional_t<std::is_same_v<T, double>, double, float>>(v)));
}

PyObject* scalar_object(const void* p, DType d) {
  if (is_float8(d)) {
    float wide;
    convert(&wide, DType::F32, p, d, 1);
    return number_object(wide);
  }
  return dispatch(d, [&]<class T>() { return number_object(*static_cast<const T*>(p)); });
}

void scalar_objects(PyObject** to, int64_t n, const char* p, int64_t step, DType d) {
  if (is_float8(d)) {
    for (int64_t i = 0; i < n; ++i) to[i] = checked(scalar_object(p + i * step, d));
    return;
  }
  dispatch(d, [&]<class T>() {
    for (int64_t i = 0; i < n; ++i)
      to[i] = checked(number_object(*reinterpret_cast<const T*>(p + i * step)));
  });
}

static PyObject* LinAlgErrorType;  // torch.linalg.LinAlgError

void set_error_from_current_exception() noexcept {
  try {
    throw;
  } catch (const PythonError&) {
  } catch (const LinAlgError& e) {
    PyErr_SetString(LinAlgErrorType, e.what());
  } catch (const Error& e) {
    PyObject* const kinds[] = {PyExc_RuntimeError, PyExc_TypeError,           PyExc_ValueError,
                               PyExc_IndexError,   PyExc_NotImplementedError, PyExc_RuntimeError,
                               PyExc_RuntimeError};
    PyErr_SetString(kinds[static_cast<int>(e.kind())], e.what());
  } catch (const std::bad_alloc&) {
    PyErr_SetString(PyExc_RuntimeError, "out of memory");
  } catch (const std::exception& e) {
    PyErr_SetString(PyExc_RuntimeError, e.what());
  }
}

void add_types(PyObject* m) {
  DTypeType = make_type("rushlight.dtype", docs::kDtype, dtype_methods, dtype_getset);
  LayoutType = make_type("rushlight.layout", docs::kLayout, enum_methods, nullptr);
  FormatType = make_type("rushlight.memory_format", docs::kMemoryFormat, enum_methods, nullptr);
  DeviceType = make_type("rushlight.device", docs::kDevice, device_methods, device_getset,
                         device_new, device_str);
  PyType_Slot slots[] = {{Py_tp_new, slot(size_new)},
                         {Py_tp_doc, const_cast<char*>(docs::kSize)},
                         {Py_tp_repr, slot(size_repr)},
                         {Py_tp_methods, size_methods},
                         {Py_sq_concat, slot(size_concat)},
                         {Py_sq_repeat, slot(size_repeat)},
                         {Py_mp_subscript, slot(size_subscript)},
                         {0, nullptr}};
  PyType_Spec spec{"rushlight.Size", 0, 0, Py_TPFLAGS_DEFAULT, slots};
  Own bases(checked(PyTuple_Pack(1, &PyTuple_Type)));
  SizeType = reinterpret_cast<PyTypeObject*>(checked(PyType_FromSpecWithBases(&spec, bases.get())));
  checked(PyModule_AddFunctions(m, functions));
  auto add = [&](const char* name, PyObject* o) { checked(PyModule_AddObjectRef(m, name, o)); };
  LinAlgErrorType = checked(PyErr_NewExceptionWithDoc(
      "torch._C._LinAlgError",
      "A matrix has not what was asked for: it is singular, or not positive definite, or its "
      "factorisation did not converge.",
      PyExc_RuntimeError, nullptr));
  add("LinAlgError", LinAlgErrorType);
  for (int i = 0; i < kNumDTypes; ++i) {
    const char* name = info(static_cast<DType>(i)).name;
    dtypes_[i] = make_enum(DTypeType, i, str("torch.", name).c_str());
    add(name, dtypes_[i]);
  }
  Own named_dtypes(checked(PyTuple_New(std::size(kNamed))));
  for (size_t i = 0; i < std::size(kNamed); ++i) {
    const char* name = kNamed[i].name;
    add(name, make_enum(DTypeType, -1 - static_cast<int>(i), str("torch.", name).c_str()));
    PyTuple_SET_ITEM(named_dtypes.get(), i, PyUnicode_InternFromString(name));
  }
  add("named_dtypes", named_dtypes.get());
  for (int kind : {0, 1}) devices_[kind] = device_of(kind, -1);
  const char* formats[] = {"contiguous_format", "preserve_format", "channels_last",
                           "channels_last_3d"};
  for (int i = 0; i < 4; ++i)
    add(formats[i], formats_[i] = make_enum(FormatType, i, str("torch.", formats[i]).c_str()));
  int layout = 0;  // 0 is strided: see require_strided
  for (const char* name :
       {"strided", "sparse_coo", "sparse_csr", "sparse_csc", "sparse_bsr", "sparse_bsc", "jagged"})
    add(name, make_enum(LayoutType, layout++, str("torch.", name).c_str()));
  add("dtype", reinterpret_cast<PyObject*>(DTypeType));
  add("layout", reinterpret_cast<PyObject*>(LayoutType));
  add("memory_format", reinterpret_cast<PyObject*>(FormatType));
  add("device", reinterpret_cast<PyObject*>(DeviceType));
  add("Size", reinterpret_cast<PyObject*>(SizeType));
}

}  // namespace rl::py
