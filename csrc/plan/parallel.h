// Splitting work over the one OpenMP pool. Ranges are cut the same way for a given size and
// thread count; pointwise results do not depend on the cut, reductions fix their own chunks.
#pragma once
#include <algorithm>
#include <cstdint>
#include <exception>

namespace rl {

int num_threads();  // set_num_threads, else OMP_NUM_THREADS, else the cores
void set_num_threads(int n);
bool in_parallel();
void run_parallel(int parts, void (*body)(void* context, int part), void* context);

// Calls f(begin, end) over pieces of [0, n), each of at least `grain` items.
template <class F>
void parallel_for(int64_t n, int64_t grain, F&& f) {
  int64_t parts = std::min<int64_t>(num_threads(), (n + grain - 1) / std::max<int64_t>(grain, 1));
  if (parts <= 1 || in_parallel()) {
    if (n > 0) f(int64_t{0}, n);
    return;
  }
  struct Context {
    F& f;
    int64_t n, parts;
    std::exception_ptr error;
  } context{f, n, parts, nullptr};
  run_parallel(
      static_cast<int>(parts),
      [](void* p, int part) {
        auto& c = *static_cast<Context*>(p);
        try {
          c.f(c.n * part / c.parts, c.n * (part + 1) / c.parts);
        } catch (...) {
#pragma omp critical(rl_parallel_error)
          c.error = std::current_exception();
        }
      },
      &context);
  if (context.error) std::rethrow_exception(context.error);
}

}  // namespace rl
