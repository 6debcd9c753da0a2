// Padding that repeats elements of the input, by reflection, replication or wrapping around, and
// its adjoint. Of each row the run that is the input's is moved whole, the rest by an index.
#include <algorithm>
#include <vector>

#include "kernels/layouts.h"
#include "kernels/move_run.h"
#include "plan/copy.h"
#include "plan/isa.h"
#include "plan/parallel.h"

namespace rl {
namespace RL_ISA_NS {
namespace {

// One dimension: which input each output is; [begin, end) are neighbours of the input, from `from`.
struct PadAxis {
  int64_t in = 1, out = 1, begin = 0, end = 1, from = 0;
  std::vector<int32_t> index = {0};
};

void check_axis(Sizes pad, std::string_view mode, int d, int64_t size, int64_t before,
                int64_t after) {
  RL_CHECK(size + before + after >= 1 && size > 0, "input (size ", size, " at dimension ", d,
           ") is too small for padding ", pad);
  RL_CHECK(mode != "reflect" || (before < size && after < size),
           "Argument #4: Padding size should be less than the corresponding input dimension, but "
           "got: padding (",
           before, ", ", after, ") at a dimension of size ", size);
  const int64_t content = size + std::min<int64_t>(before, 0) + std::min<int64_t>(after, 0);
  RL_CHECK(mode != "circular" || (before <= content && after <= content),
           "Padding value causes wrapping around more than once: padding (",
           std::max<int64_t>(before, 0), ", ", std::max<int64_t>(after, 0),
           ") at a dimension of size ", content);
}

PadAxis pad_axis(std::string_view mode, int64_t size, int64_t before, int64_t after) {
  PadAxis a;
  a.in = size, a.out = size + before + after, a.from = std::max<int64_t>(-before, 0);
  const int64_t content = std::max<int64_t>(size - a.from + std::min<int64_t>(after, 0), 0);
  a.begin = std::clamp<int64_t>(before, 0, a.out), a.end = std::min(a.begin + content, a.out);
  a.index.resize(a.out);
  for (int64_t i = 0; i < a.out; ++i) {
    int64_t at = i - before;
    if (mode == "reflect")
      at = size - 1 - std::abs(size - 1 - std::abs(at));
    else if (mode == "replicate")
      at = std::clamp<int64_t>(at, 0, size - 1);
    else  // what negative amounts leave
      at = a.from + (i - a.begin + content) % content;
    a.index[i] = static_cast<int32_t>(at);
  }
  return a;
}

// The last dimensions, right-aligned in three, of (planes, ...).
struct PadPlan {
  int64_t planes = 1;
  PadAxis axis[3];
  int64_t in_plane() const { return axis[0].in * axis[1].in * axis[2].in; }
  int64_t out_rows() const { return axis[0].out * axis[1].out; }
  // The first element of the input's row that a row of the output is.
  int64_t row(int64_t r) const {
    return (axis[0].index[r / axis[1].out] * axis[1].in + axis[1].index[r % axis[1].out]) *
           axis[2].in;
  }
};
// With n elements that stay together in the place of each.
PadAxis of_groups(const PadAxis& a, int64_t n) {
  PadAxis b{a.in * n, a.out * n, a.begin * n, a.end * n, a.from * n, {}};
  for (int64_t i : a.index)
    for (int64_t k = 0; k < n; ++k) b.index.push_back(static_cast<int32_t>(i * n + k));
  return b;
}

// `sign` is -1 where t is what comes out.
SizeVec padded_sizes(const Tensor& t, Sizes pad, int sign) {
  SizeVec sizes(t.sizes().begin(), t.sizes().end());
  for (size_t i = 0; i < pad.size(); ++i) sizes[t.ndim - 1 - i / 2] += sign * pad[i];
  return sizes;
}
PadPlan pad_plan(std::string_view mode, Sizes sizes, Sizes pad) {
  PadPlan p;
  const size_t dims = pad.size() / 2;
  for (size_t d = 0; d + dims < sizes.size(); ++d) p.planes *= sizes[d];
  for (size_t i = 0; i < dims; ++i)
    p.axis[2 - i] = pad_axis(mode, sizes[sizes.size() - 1 - i], pad[2 * i], pad[2 * i + 1]);
  return p;
}

// Of images whose channels lie last: these stay together.
PadPlan channels_last_plan(std::string_view mode, Sizes sizes, Sizes pad) {
  PadPlan p = pad_plan(mode, sizes, pad);
  p.planes = sizes[0];
  p.axis[2] = of_groups(p.axis[2], sizes[1]);
  return p;
}

template <class T>
void repeat_rows(const PadPlan& p, const T* x, T* out, int64_t begin, int64_t end) {
  const PadAxis& a = p.axis[2];
  const int64_t rows = p.out_rows();
  for (int64_t n = begin; n < end; ++n, out += rows * a.out)
    for (int64_t r = 0; r < rows; ++r) {
      const T* from = x + n * p.in_plane() + p.row(r);
      T* to = out + r * a.out;
      for (int64_t j = 0; j < a.begin; ++j) to[j] = from[a.index[j]];
      move_run(to + a.begin, from + a.from, a.end - a.begin);
      for (int64_t j = a.end; j < a.out; ++j) to[j] = from[a.index[j]];
    }
}

template <class T>
void add_rows(const PadPlan& p, const T* g, T* sums, int64_t begin, int64_t end) {
  const PadAxis& a = p.axis[2];
  const int64_t rows = p.out_rows();
  std::fill_n(sums + begin * p.in_plane(), (end - begin) * p.in_plane(), T{});
  for (int64_t n = begin; n < end; ++n)
    for (int64_t r = 0; r < rows; ++r) {
      T* to = sums + n * p.in_plane() + p.row(r);
      const T* from = g + (n * rows + r) * a.out;
      for (int64_t j = 0; j < a.begin; ++j) to[a.index[j]] = to[a.index[j]] + from[j];
#pragma GCC ivdep
      for (int64_t j = a.begin; j < a.end; ++j)
        to[j - a.begin + a.from] = to[j - a.begin + a.from] + from[j];
      for (int64_t j = a.end; j < a.out; ++j) to[a.index[j]] = to[a.index[j]] + from[j];
    }
}

// ---- the operators
// _repeat_pad(input, pad, mode): the last dimensions, of which there are up to three
void repeat_infer(Call& c) {
  const Tensor& x = c.tensor(0);
  Sizes pad = c.ints(1);
  RL_CHECK(pad.size() % 2 == 0 && pad.size() <= 6 && pad.size() / 2 <= static_cast<size_t>(x.ndim),
           c.op, ": expected two amounts for each of at most three dimensions, got ", pad);
  for (size_t i = 0; i < pad.size(); i += 2) {
    const int d = x.ndim - 1 - static_cast<int>(i / 2);
    check_axis(pad, c.text(2), d, x.size(d), pad[i], pad[i + 1]);
  }
  OutSpec& s = c.add_out(padded_sizes(x, pad, 1), x.dtype);
  if (c.text(2) != "circular" && pad.size() / 2 + 2 == static_cast<size_t>(x.ndim))
    keep_layout(x, s);
}
int64_t grain(const PadPlan& p) {
  return std::max<int64_t>(1, 32768 / std::max<int64_t>(1, p.out_rows() * p.axis[2].out));
}
void repeat_run(Call& c) {
  Tensor& out = c.out(0);
  if (!out.numel) return;
  const bool last = c.ints(1).size() == 4 && out.ndim == 4 && is_channels_last(out) &&
                    is_channels_last(c.tensor(0));
  Ref<Tensor> x = last ? Ref<Tensor>::share(&c.tensor(0)) : contiguous(c.tensor(0));
  Ref<Tensor> to =
      last || out.contiguous ? Ref<Tensor>::share(&out) : empty(out.sizes(), out.dtype);
  const PadPlan p = (last ? channels_last_plan : pad_plan)(c.text(2), x->sizes(), c.ints(1));
  {
    Unlocked unlocked(out.numel);
    with_size(item_size(out.dtype), [&]<class T>() {
      const auto* from = static_cast<const T*>(x->raw());
      T* first = static_cast<T*>(to->raw());
      parallel_for(p.planes, grain(p), [&](int64_t begin, int64_t end) {
        repeat_rows(p, from, first + begin * p.out_rows() * p.axis[2].out, begin, end);
      });
    });
  }
  if (to.get() != &out) copy_into(out, *to);
}

// _repeat_pad_backward(grad, pad, mode)
void back_infer(Call& c) { c.add_out(padded_sizes(c.tensor(0), c.ints(1), -1), c.tensor(0).dtype); }
void back_run(Call& c) {
  Ref<Tensor> g = contiguous(c.tensor(0));
  Tensor& out = c.out(0);
  if (!out.numel) return;
  const PadPlan p = pad_plan(c.text(2), out.sizes(), c.ints(1));
  auto run = [&]<class T>() {
    Unlocked unlocked(g->numel);
    parallel_for(p.planes, grain(p), [&](int64_t begin, int64_t end) {
      add_rows(p, g->data<T>(), out.data<T>(), begin, end);
    });
  };
  if (out.dtype == DType::F32) return run.operator()<float>();
  if (out.dtype == DType::F64) return run.operator()<double>();
  if (out.dtype == DType::C64) return run.operator()<C64>();
  if (out.dtype == DType::C128) return run.operator()<C128>();
  fail(ErrorKind::NotImplemented, c.op, ": not implemented for ", out.dtype);
}

RL_ISA_KERNEL_FLOAT8("_repeat_pad", repeat_infer, repeat_run);
RL_ISA_KERNEL("_repeat_pad_backward", back_infer, back_run);

}  // namespace
}  // namespace RL_ISA_NS
}  // namespace rl
