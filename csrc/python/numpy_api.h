// NumPy as seen at run time: the few fields and entry points of its C interface that arrays
// are exchanged through. NumPy keeps their places fixed, so no NumPy headers are needed to
// build and NumPy is only looked for once the program has imported it.
#pragma once
#include "python/binding.h"

namespace rl::py {

struct NumpyDescr {
  PyObject head;
  PyTypeObject* scalar_type;
  char kind, type, byteorder, flags;
  int type_num;
};
struct NumpyArray {
  PyObject head;
  char* data;
  int ndim;
  Py_ssize_t *sizes, *strides;  // strides in bytes
  PyObject* base;
  NumpyDescr* descr;
  int flags;
};
constexpr int kNumpyAligned = 0x0100, kNumpyWriteable = 0x0400;

class Numpy {
 public:
  static const Numpy* if_imported();  // null while the program has not imported numpy
  static const Numpy& get();          // imports it; PythonError when that fails

  bool is_array(PyObject* o) const { return PyObject_TypeCheck(o, array_type_); }
  bool is_scalar(PyObject* o) const { return PyObject_TypeCheck(o, scalar_type_); }
  Own from_scalar(PyObject* o) const;  // a 0-d array
  // An array over `data` that keeps `owner` alive.
  PyObject* new_array(const Tensor& t, PyObject* owner, bool writeable) const;

 private:
  bool load(PyObject* numpy);
  void** table_ = nullptr;
  PyTypeObject *array_type_ = nullptr, *scalar_type_ = nullptr;
};

// The dtype of an array; false when there is no matching one.
bool numpy_dtype(const NumpyArray& a, DType& out);
// A tensor over the array's memory, which it keeps alive; refuses what cannot be shared.
Ref<Tensor> share_array(PyObject* array, bool warn_readonly = true);
// A fresh tensor with the array's values, whatever its strides.
Ref<Tensor> copy_array(PyObject* array);

}  // namespace rl::py
