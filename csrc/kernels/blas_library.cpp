// Opens OpenBLAS and oneDNN on demand. A process that never multiplies large matrices never
// pays for either.
#include "kernels/blas_library.h"

#include <dlfcn.h>

#include "core/error.h"
#include "plan/parallel.h"

namespace rl {
namespace {

void* open(const char* name) {
  std::string path = find_library(name);
  void* handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  RL_CHECK(handle, "cannot load ", name, " from ", path, ": ", static_cast<const char*>(dlerror()));
  return handle;
}

void* symbol_of(void* library, const char* name) {
  void* p = dlsym(library, name);
  RL_CHECK(p, "the library has no symbol ", name, "; install the version that rushlight requires");
  return p;
}

void* blas_handle() {
  static void* handle = open("openblas");
  return handle;
}

}  // namespace

void set_blas_threads(int n) {
  static int current = 0;
  static auto set =
      reinterpret_cast<void (*)(int)>(symbol_of(blas_handle(), "scipy_openblas_set_num_threads"));
  if (n == current) return;
  set(n);
  current = n;
}

void* blas_symbol(const char* symbol) {
  set_blas_threads(num_threads());
  return symbol_of(blas_handle(), symbol);
}

void* dnnl_symbol(const char* symbol) {
  static void* handle = open("onednn");
  return symbol_of(handle, symbol);
}

}  // namespace rl
