// Checksums and copies of bytes.
#include "python/bytes.h"

#include <algorithm>
#include <cstring>

#include "core/allocator.h"
#include "core/crc32.h"
#include "plan/stream.h"

namespace rl::py {
namespace {

// Bytes that the first-level cache still holds when they are copied after their checksum is made;
// of 16 KB reading and writing no longer overlap.
constexpr int64_t kCopied = int64_t{4} << 10;
// From here on a copy goes past the caches: a file is many times the size of one of its records.
constexpr int64_t kStreamed = int64_t{256} << 10;

uint32_t copy_and_sum(char* to, const char* from, int64_t n) {
  const RunCopy copy = n < kStreamed ? run_copy(n) : move_table().stream;
  uint32_t crc = 0;
  for (int64_t at = 0; at < n; at += kCopied) {
    const int64_t part = std::min(kCopied, n - at);
    crc = crc32(crc, from + at, static_cast<size_t>(part));
    copy(to + at, from + at, part);
  }
  stream_fence();
  return crc;
}

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

PyObject* py_copied(PyObject*, PyObject* args) {
  Py_buffer to, from;
  if (!PyArg_ParseTuple(args, "w*y*", &to, &from)) return nullptr;
  PyObject* result = nullptr;
  if (to.len == from.len) {
    uint32_t crc;
    {
      Unlocked unlocked(to.len);
      crc = copy_and_sum(static_cast<char*>(to.buf), static_cast<const char*>(from.buf), to.len);
    }
    result = PyLong_FromUnsignedLong(crc);
  } else {
    PyErr_SetString(PyExc_ValueError, "copied: the two have different lengths");
  }
  PyBuffer_Release(&from);
  PyBuffer_Release(&to);
  return result;
}

PyObject* py_room(PyObject*, PyObject* size) {
  const Py_ssize_t n = PyLong_AsSsize_t(size);
  if (n == -1 && PyErr_Occurred()) return nullptr;
  PyObject* result = PyBytes_FromStringAndSize(nullptr, n);
  if (result) advise_huge_pages(PyBytes_AS_STRING(result), static_cast<size_t>(n));
  return result;
}

}  // namespace rl::py
