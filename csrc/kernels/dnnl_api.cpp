// Fills the oneDNN table and makes the one engine and stream.
#include "kernels/dnnl_api.h"

#include "kernels/blas_library.h"

namespace rl {
namespace {

DnnlApi load() {
  DnnlApi api;
#define RL_DNNL_LOAD(name) \
  api.name = reinterpret_cast<decltype(api.name)>(dnnl_symbol("dnnl_" #name));
  RL_DNNL_FUNCTIONS(RL_DNNL_LOAD)
#undef RL_DNNL_LOAD
  dnnl_check(api.engine_create(&api.engine, dnnl_cpu, 0), "creating the engine");
  dnnl_check(api.stream_create(&api.stream, api.engine, dnnl_stream_default_flags),
             "creating the stream");
  return api;
}

}  // namespace

const DnnlApi& dnnl() {
  static const DnnlApi api = load();
  return api;
}

void dnnl_check(dnnl_status_t status, const char* what) {
  RL_CHECK(status == dnnl_success, "oneDNN failed with status ", static_cast<int>(status), " in ",
           what);
}

}  // namespace rl
