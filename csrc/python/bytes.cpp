// Checksums and joining of bytes.
#include "python/bytes.h"

#include <cstring>
#include <vector>

#include "core/allocator.h"
#include "core/crc32.h"

namespace rl::py {
namespace {

// Views of a sequence of objects, given back at the end.
class Buffers {
 public:
  Buffers() = default;
  Buffers(const Buffers&) = delete;
  Buffers& operator=(const Buffers&) = delete;
  ~Buffers() {
    for (Py_buffer& view : views_) PyBuffer_Release(&view);
  }
  void add(PyObject* object) {
    views_.emplace_back();
    if (PyObject_GetBuffer(object, &views_.back(), PyBUF_SIMPLE) == 0) return;
    views_.pop_back();
    throw PythonError{};
  }
  Py_ssize_t total() const {
    Py_ssize_t sum = 0;
    for (const Py_buffer& view : views_) sum += view.len;
    return sum;
  }
  void copy_to(char* out) const {
    for (const Py_buffer& view : views_) {
      if (view.len) std::memcpy(out, view.buf, static_cast<size_t>(view.len));
      out += view.len;
    }
  }

 private:
  std::vector<Py_buffer> views_;
};

}  // namespace

PyObject* py_crc32(PyObject*, PyObject* args) {
  Py_buffer data;
  unsigned int crc = 0;
  if (!PyArg_ParseTuple(args, "y*|I", &data, &crc)) return nullptr;
  {
    Unlocked unlocked(data.len);
    crc = crc32(crc, data.buf, static_cast<size_t>(data.len));
  }
  PyBuffer_Release(&data);
  return PyLong_FromUnsignedLong(crc);
}

PyObject* py_joined(PyObject*, PyObject* sequence) {
  return guarded([&]() -> PyObject* {
    Own items(checked(PySequence_Fast(sequence, "joined: expected a sequence of buffers")));
    Buffers buffers;
    for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(items.get()); ++i)
      buffers.add(PySequence_Fast_GET_ITEM(items.get(), i));
    Own result(checked(PyBytes_FromStringAndSize(nullptr, buffers.total())));
    char* out = PyBytes_AS_STRING(result.get());
    advise_huge_pages(out, static_cast<size_t>(buffers.total()));
    {
      Unlocked unlocked(buffers.total());
      buffers.copy_to(out);
    }
    return result.give();
  });
}

}  // namespace rl::py
