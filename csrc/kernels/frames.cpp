// Overlapping frames of signals, times a window, and their sums back into signals: `_frames` and
// `_overlap`, each other's adjoints.
#include "core/allocator.h"
#include "kernels/vectors.h"
#include "plan/copy.h"
#include "plan/isa.h"
#include "plan/parallel.h"

namespace rl {
namespace RL_ISA_NS {
namespace {

// Frame f of `size` elements begins `hop` f elements into the padded signal: `pad` elements at
// either end of `length`, mirrored ones (the edge itself not repeated) or zeros, which go on.
struct Framing {
  int64_t length, size, hop, pad;
  bool mirrored;
  int64_t padded() const { return length + 2 * pad; }
  int64_t count() const { return padded() < size ? 0 : (padded() - size) / hop + 1; }
  // Arguments from `at` on.
  static Framing of(const Call& c, int at, int64_t length, int64_t size) {
    Framing g{length, size, c.integer(at), c.integer(at + 1), c.flag(at + 2)};
    RL_CHECK(g.hop > 0 && g.pad >= 0 && (!g.mirrored || g.pad < std::max<int64_t>(length, 1)), c.op,
             ": hop ", g.hop, " and padding ", g.pad, " do not fit a length of ", length);
    return g;
  }
};

// Products of n elements. Frames are often as short as a vector, so that what goes before and
// behind whole vectors in a loop of the compiler's would cost more than they do.
template <class T>
inline void windowed(const T* x, const T* window, T* out, int64_t n) {
  using Short = typename VectorOf<T, 16>::type;
  constexpr int64_t kShort = 16 / sizeof(T);
  int64_t i = 0;
  for (; i + kLanes<T> <= n; i += kLanes<T>)
    store_vector(out + i, load_vector(x + i) * load_vector(window + i));
  for (; i + kShort <= n; i += kShort) {
    Short a, b;
    __builtin_memcpy(&a, x + i, sizeof a);
    __builtin_memcpy(&b, window + i, sizeof b);
    a *= b;
    __builtin_memcpy(out + i, &a, sizeof a);
  }
  for (int64_t rest = n % kShort; rest > 0; --rest, ++i) out[i] = x[i] * window[i];
}

template <class T>
void fill_edge_frame(const Framing& g, const T* x, const T* window, int64_t f, T* out) {
  const int64_t first = f * g.hop - g.pad;
  const int64_t begin = std::clamp<int64_t>(-first, 0, g.size);
  const int64_t end = std::clamp<int64_t>(g.length - first, begin, g.size);
  for (int64_t i = 0; i < begin; ++i)
    out[i] = g.mirrored ? x[-(first + i)] * window[i] : T(0) * window[i];
  windowed(x + first + begin, window + begin, out + begin, end - begin);
  for (int64_t i = end; i < g.size; ++i)
    out[i] = g.mirrored ? x[2 * (g.length - 1) - first - i] * window[i] : T(0) * window[i];
}

// Frames [begin, end) of a signal. N: their size if that is as short as to be worth code of its
// own.
template <class T, int N>
void fill_frames_of(const Framing& g, const T* x, const T* window, int64_t begin, int64_t end,
                    T* out) {
  const int64_t size = N ? N : g.size;
  for (int64_t f = begin; f < end; ++f, out += size) {
    const int64_t first = f * g.hop - g.pad;
    if (first >= 0 && first + size <= g.length)
      windowed(x + first, window, out, size);
    else
      fill_edge_frame(g, x, window, f, out);
  }
}
template <class T>
void fill_frames(const Framing& g, const T* x, const T* window, int64_t begin, int64_t end,
                 T* out) {
  auto fill = fill_frames_of<T, 0>;
  if (g.size == 4) fill = fill_frames_of<T, 4>;
  if (g.size == 8) fill = fill_frames_of<T, 8>;
  if (g.size == 16) fill = fill_frames_of<T, 16>;
  fill(g, x, window, begin, end, out);
}

// Elements [begin, end) of a padded signal: what all frames add there, in their order.
template <class T>
void overlap_part(const Framing& g, const T* frames, const T* window, int64_t count, int64_t begin,
                  int64_t end, T* out) {
  std::fill(out + begin, out + end, T{});
  int64_t f = begin < g.size ? 0 : (begin - g.size) / g.hop + 1;
  for (; f < count && f * g.hop < end; ++f) {
    const int64_t at = f * g.hop, last = std::min(g.size, end - at);
    const T* frame = frames + f * g.size;
    T* to = out + at;
#pragma GCC ivdep
    for (int64_t i = std::max<int64_t>(0, begin - at); i < last; ++i) to[i] += frame[i] * window[i];
  }
}
// A signal without its padding, to which the mirrored elements are added.
template <class T>
void fold_padding(const Framing& g, const T* padded, T* out) {
  std::copy_n(padded + g.pad, g.length, out);
  if (!g.mirrored) return;
  for (int64_t i = 1; i <= g.pad; ++i) {
    out[i] += padded[g.pad - i];
    out[g.length - 1 - i] += padded[g.pad + g.length - 1 + i];
  }
}

template <class T>
void overlap(const Framing& g, const T* frames, const T* window, int64_t batch, int64_t count,
             T* out) {
  constexpr int64_t kPart = 8192;
  const int64_t padded = g.padded(), parts = (padded + kPart - 1) / kPart;
  Scratch<T> room(g.pad ? batch * padded : 0);
  T* sums = g.pad ? room.data() : out;
  const int64_t cost = std::min(kPart, padded) * (g.size / g.hop + 1);
  parallel_for(batch * parts, 32768 / (cost + 1) + 1, [&](int64_t from, int64_t to) {
    for (int64_t k = from; k < to; ++k) {
      const int64_t b = k / parts, begin = k % parts * kPart;
      overlap_part(g, frames + b * count * g.size, window, count, begin,
                   std::min(padded, begin + kPart), sums + b * padded);
    }
  });
  for (int64_t b = 0; g.pad && b < batch; ++b)
    fold_padding(g, sums + b * padded, out + b * g.length);
}

template <class Run>
void with_reals(DType dtype, Run&& run) {
  dtype == DType::F64 ? run.template operator()<double>() : run.template operator()<float>();
}

// _frames(self, window, hop, pad, mirrored, count): (batch, length) -> (batch, count, window)
Framing frames_framing(const Call& c) {
  return Framing::of(c, 2, c.tensor(0).size(1), c.tensor(1).numel);
}
void frames_infer(Call& c) {
  const Framing g = frames_framing(c);
  RL_CHECK(!g.mirrored || c.integer(5) <= g.count(), c.op, ": expected at most ", g.count(),
           " frames, got ", c.integer(5));
  c.add_out(SizeVec{c.tensor(0).size(0), c.integer(5), g.size}, c.tensor(0).dtype);
}
void frames_run(Call& c) {
  Tensor& out = c.out(0);
  if (!out.numel) return;
  const Framing g = frames_framing(c);
  Ref<Tensor> x = contiguous_as(c.tensor(0), out.dtype), w = contiguous_as(c.tensor(1), out.dtype);
  const int64_t count = c.integer(5);
  Unlocked unlocked(out.numel);
  with_reals(out.dtype, [&]<class T>() {
    const T *from = x->data<T>(), *window = w->data<T>();
    T* to = out.data<T>();
    parallel_for(x->size(0) * count, 32768 / g.size + 1, [&](int64_t begin, int64_t end) {
      for (int64_t k = begin, last; k < end; k = last) {
        const int64_t row = k / count, start = row * count;
        last = std::min(end, start + count);
        fill_frames(g, from + row * g.length, window, k - start, last - start, to + k * g.size);
      }
    });
  });
}

// _overlap(self, window, hop, pad, mirrored, length): (batch, frames, window) -> (batch, length)
Framing overlap_framing(const Call& c) {
  return Framing::of(c, 2, c.integer(5), c.tensor(1).numel);
}
void overlap_infer(Call& c) {
  overlap_framing(c);
  c.add_out(SizeVec{c.tensor(0).size(0), c.integer(5)}, c.tensor(0).dtype);
}
void overlap_run(Call& c) {
  Tensor& out = c.out(0);
  if (!out.numel) return;
  const Framing g = overlap_framing(c);
  Ref<Tensor> x = contiguous_as(c.tensor(0), out.dtype), w = contiguous_as(c.tensor(1), out.dtype);
  Unlocked unlocked(x->numel);
  with_reals(out.dtype, [&]<class T>() {
    overlap(g, x->data<T>(), w->data<T>(), x->size(0), x->size(1), out.data<T>());
  });
}

RL_ISA_KERNEL("_frames", frames_infer, frames_run);
RL_ISA_KERNEL("_overlap", overlap_infer, overlap_run);

}  // namespace
}  // namespace RL_ISA_NS
}  // namespace rl
