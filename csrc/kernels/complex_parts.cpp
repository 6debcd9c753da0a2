// Complex numbers from two tensors of reals, of the same sizes: of their parts, or of magnitudes
// and angles. ops/creation.py broadcasts.
#include "plan/copy.h"
#include "plan/isa.h"
#include "plan/parallel.h"
#include "scalar/trig.h"

namespace rl {
namespace RL_ISA_NS {
namespace {

struct OfParts {
  template <class T>
  static void run(const T* real, const T* imaginary, Complex<T>* out, int64_t n) {
#pragma GCC ivdep
    for (int64_t i = 0; i < n; ++i) out[i] = {real[i], imaginary[i]};
  }
};
struct OfAngles {
  template <class T>
  static void run(const T* magnitude, const T* angle, Complex<T>* out, int64_t n) {
    constexpr int64_t kPiece = 512;
    T s[kPiece], c[kPiece];
    for (int64_t i = 0, count; i < n; i += count) {
      count = std::min(kPiece, n - i);
      math::sin_block(angle + i, s, count);
      math::cos_block(angle + i, c, count);
#pragma GCC ivdep
      for (int64_t j = 0; j < count; ++j)
        out[i + j] = {magnitude[i + j] * c[j], magnitude[i + j] * s[j]};
    }
  }
};

void join_infer(Call& c) {  // two tensors of float32 or float64
  c.add_out(c.tensor(0).sizes(), complex_of(c.tensor(0).dtype));
}
template <class Join, class T>
void join(Call& c) {
  Ref<Tensor> a = contiguous_as(c.tensor(0), dtype_of<T>), b = contiguous_as(c.tensor(1), a->dtype);
  const T *x = a->data<T>(), *y = b->data<T>();
  auto* out = c.out(0).data<Complex<T>>();
  Unlocked unlocked(a->numel);
  parallel_for(a->numel, 16384, [=](int64_t begin, int64_t end) {
    Join::run(x + begin, y + begin, out + begin, end - begin);
  });
}
template <class Join>
void join_run(Call& c) {
  c.tensor(0).dtype == DType::F64 ? join<Join, double>(c) : join<Join, float>(c);
}

RL_ISA_KERNEL("_complex", join_infer, join_run<OfParts>);
RL_ISA_KERNEL("_polar", join_infer, join_run<OfAngles>);

}  // namespace
}  // namespace RL_ISA_NS
}  // namespace rl
