// constant_pad_nd: the borders are filled, side by side, and the rest is copied; no element is
// written twice. Negative amounts cut. Other modes are in pad_repeat.cpp.
#include <algorithm>
#include <vector>

#include "kernels/layouts.h"
#include "kernels/move_run.h"
#include "plan/copy.h"
#include "plan/fits.h"
#include "plan/isa.h"
#include "plan/parallel.h"

namespace rl {
namespace RL_ISA_NS {
namespace {

// What becomes of dimension d: so many cells filled before and after `length` that start at `from`.
struct Side {
  int64_t before, from, length, after;
  int64_t size() const { return before + length + after; }
};
Side side_of(const Call& c, int d) {
  const Tensor& x = c.tensor(0);
  Sizes pad = c.ints(1);
  size_t at = 2 * (x.ndim - 1 - d);
  int64_t size = x.size(d), before = at < pad.size() ? pad[at] : 0;
  int64_t after = at < pad.size() ? pad[at + 1] : 0, whole = size + before + after;
  RL_CHECK(whole >= 0, "The input size ", size, ", plus negative padding ", before, " and ", after,
           " resulted in a negative output size, which is invalid. Check dimension ", d,
           " of your input.");
  int64_t from = std::max<int64_t>(0, -before), cut = std::max<int64_t>(0, -after);
  int64_t length = std::max<int64_t>(0, size - cut - from);
  before = std::max<int64_t>(0, before);
  return {before, std::min(from, size), length, whole - length - before};
}

Ref<Tensor> narrowed(const Tensor& t, int d, int64_t from, int64_t length) {
  SizeVec sizes(t.sizes().begin(), t.sizes().end());
  sizes[d] = length;
  return alias(t, sizes, t.strides(), t.offset + from * t.stride(d));
}

void pad_infer(Call& c) {
  const Tensor& x = c.tensor(0);
  Sizes pad = c.ints(1);
  RL_CHECK(pad.size() % 2 == 0 && pad.size() <= 2 * static_cast<size_t>(x.ndim), c.op,
           ": expected at most two amounts for each of ", x.ndim, " dimensions, got ", pad);
  if (std::ranges::any_of(pad, [](int64_t amount) { return amount > 0; }))
    check_fits(c.op, c.scalar(2), x.dtype);
  SizeVec sizes;
  for (int d = 0; d < x.ndim; ++d) sizes.push_back(side_of(c, d).size());
  keep_layout(x, c.add_out(sizes, x.dtype));
}

// Row-major tensors, dimension by dimension; `value` is an element.
template <class T>
struct PadRows {
  std::vector<Side> sides;
  SizeVec ins, outs;  // elements that a step along each dimension is
  T value;

  void fill(size_t d, const T* x, T* to) const {
    const Side& s = sides[d];
    const bool last = d + 1 == sides.size();
    x += s.from * ins[d];
    to = std::fill_n(to, s.before * outs[d], value);
    if (last) move_run(to, x, s.length);
    for (int64_t i = 0; !last && i < s.length; ++i) fill(d + 1, x + i * ins[d], to + i * outs[d]);
    std::fill_n(to + s.length * outs[d], s.after * outs[d], value);
  }
};
// What is padded, in the order of memory.
std::vector<Side> sides_in_order(const Call& c, bool last) {
  std::vector<Side> sides;
  for (int d = 0; d < c.tensor(0).ndim; ++d) sides.push_back(side_of(c, d));
  if (last) std::rotate(sides.begin() + 1, sides.begin() + 2, sides.end());
  return sides;
}
SizeVec in_sizes(const Tensor& x, bool last) {
  SizeVec sizes(x.sizes().begin(), x.sizes().end());
  if (last) std::rotate(sizes.begin() + 1, sizes.begin() + 2, sizes.end());
  return sizes;
}
// Inner dimensions that are not padded are part of the one around them.
template <class T>
PadRows<T> pad_plan(const Call& c, bool last) {
  PadRows<T> rows{sides_in_order(c, last), {}, {}, {}};
  store_number(&rows.value, c.tensor(0).dtype, c.scalar(2));
  SizeVec ins = in_sizes(c.tensor(0), last);
  while (rows.sides.size() > 1 && rows.sides.back().length == ins.back() &&
         rows.sides.back().size() == ins.back()) {
    const int64_t n = ins.back();
    rows.sides.pop_back();
    ins.pop_back();
    Side& s = rows.sides.back();
    s = {s.before * n, s.from * n, s.length * n, s.after * n};
    ins.back() *= n;
  }
  SizeVec outs;
  for (const Side& s : rows.sides) outs.push_back(s.size());
  rows.ins = contiguous_strides(ins);
  rows.outs = contiguous_strides(outs);
  return rows;
}
bool pad_rows(Call& c) {
  const Tensor &x = c.tensor(0), &out = c.out(0);
  const bool last = is_channels_last(x) && is_channels_last(out);
  if (!x.ndim || !x.numel || (!last && !(x.contiguous && out.contiguous))) return false;
  with_size(item_size(x.dtype), [&]<class T>() {
    const PadRows<T> rows = pad_plan<T>(c, last);
    const auto* from = static_cast<const T*>(x.raw());
    auto* to = static_cast<T*>(out.raw());
    const Side first = rows.sides[0];
    Unlocked unlocked(out.numel);
    if (first.before || first.after || rows.sides.size() == 1) return rows.fill(0, from, to);
    from += first.from * rows.ins[0];
    const int64_t grain = std::max<int64_t>(1, 32768 / rows.outs[0]);
    parallel_for(first.length, grain, [&](int64_t i, int64_t end) {
      for (; i < end; ++i) rows.fill(1, from + i * rows.ins[0], to + i * rows.outs[0]);
    });
  });
  return true;
}

void pad_run(Call& c) {
  if (!c.out(0).numel || pad_rows(c)) return;
  Ref<Tensor> from = Ref<Tensor>::share(&c.tensor(0)), to = Ref<Tensor>::share(&c.out(0));
  for (int d = 0; d < to->ndim; ++d) {
    Side s = side_of(c, d);
    if (s.before) fill(*narrowed(*to, d, 0, s.before), c.scalar(2));
    if (s.after) fill(*narrowed(*to, d, s.before + s.length, s.after), c.scalar(2));
    to = narrowed(*to, d, s.before, s.length);
    from = narrowed(*from, d, s.from, s.length);
  }
  copy_into(*to, *from);
}
RL_ISA_KERNEL_FLOAT8("constant_pad_nd", pad_infer, pad_run);

}  // namespace
}  // namespace RL_ISA_NS
}  // namespace rl
