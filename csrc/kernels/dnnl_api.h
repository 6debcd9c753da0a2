// The oneDNN C API as a table of function pointers, filled at first use (see blas_library.h).
// To use another function, add its name to RL_DNNL_FUNCTIONS.
#pragma once
#include <oneapi/dnnl/dnnl.h>

#include "core/error.h"

namespace rl {

#define RL_DNNL_FUNCTIONS(X)                            \
  X(engine_create)                                      \
  X(stream_create)                                      \
  X(stream_wait)                                        \
  X(memory_desc_create_with_strides)                    \
  X(memory_desc_create_with_tag)                        \
  X(memory_desc_destroy)                                \
  X(memory_desc_equal)                                  \
  X(memory_desc_get_size)                               \
  X(memory_create)                                      \
  X(memory_destroy)                                     \
  X(memory_set_data_handle)                             \
  X(convolution_forward_primitive_desc_create)          \
  X(convolution_backward_data_primitive_desc_create)    \
  X(convolution_backward_weights_primitive_desc_create) \
  X(reorder_primitive_desc_create)                      \
  X(primitive_desc_query_md)                            \
  X(primitive_desc_destroy)                             \
  X(primitive_create)                                   \
  X(primitive_destroy)                                  \
  X(primitive_execute)

struct DnnlApi {
#define RL_DNNL_POINTER(name) decltype(&dnnl_##name) name;
  RL_DNNL_FUNCTIONS(RL_DNNL_POINTER)
#undef RL_DNNL_POINTER
  dnnl_engine_t engine;
  dnnl_stream_t stream;
};
const DnnlApi& dnnl();  // the first call needs the interpreter lock
void dnnl_check(dnnl_status_t status, const char* what);

}  // namespace rl
