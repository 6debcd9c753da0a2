// The pool is OpenMP's, shared with oneDNN. A forked child must not enter it: libgomp's
// workers do not survive a fork, so the child runs single-threaded.
#include "plan/parallel.h"

#include <omp.h>
#include <pthread.h>

#include "plan/float_mode.h"

namespace rl {
namespace {
int threads_ = 0;
void after_fork_in_child() { set_num_threads(1); }
}  // namespace

int num_threads() {
  if (!threads_) {
    threads_ = omp_get_max_threads();
    pthread_atfork(nullptr, nullptr, after_fork_in_child);
  }
  return threads_;
}

void set_num_threads(int n) {
  num_threads();
  threads_ = n;
  omp_set_num_threads(n);
}

bool in_parallel() { return omp_in_parallel(); }

void run_parallel(int parts, void (*body)(void*, int), void* context) {
  const unsigned mode = float_mode();
#pragma omp parallel num_threads(parts)
  {
    set_float_mode(mode);  // results do not depend on the number of threads
    // The runtime may grant fewer threads than parts; every part still runs.
    for (int p = omp_get_thread_num(); p < parts; p += omp_get_num_threads()) body(context, p);
  }
}

}  // namespace rl
