// Access to OpenBLAS (with LAPACK) and oneDNN, opened at first use: loading them costs more
// than the whole import budget allows. Ask for them before releasing the interpreter lock:
// the first request runs Python (rushlight/_libraries.py) to find the file.
#pragma once
#include <string>

namespace rl {

// The path of "openblas" or "onednn"; defined by the binding layer. Throws when missing.
std::string find_library(const char* name);

// A symbol of OpenBLAS, e.g. "scipy_dgesv_"; also brings its thread count up to date.
void* blas_symbol(const char* symbol);
void* dnnl_symbol(const char* symbol);

// Sets OpenBLAS to `n` threads (1 while we split the work ourselves) if it is not already.
void set_blas_threads(int n);

}  // namespace rl
