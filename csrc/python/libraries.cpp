// Finds the shared libraries that kernels open lazily, by asking rushlight/_libraries.py.
#include "kernels/blas_library.h"
#include "python/binding.h"

namespace rl {

std::string find_library(const char* name) {
  py::Own module(py::checked(PyImport_ImportModule("rushlight._libraries")));
  py::Own path(py::checked(PyObject_CallMethod(module.get(), "find", "s", name)));
  const char* text = PyUnicode_AsUTF8(path.get());
  if (!text) throw py::PythonError{};
  return text;
}

}  // namespace rl
