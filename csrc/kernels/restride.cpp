// restride: the gradient of views. The values of one geometry are added into a line of zeros and
// read back through another geometry over the same line.
#include <algorithm>

#include "plan/copy.h"
#include "plan/parallel.h"

namespace rl {
namespace {

struct Geometry {
  SizeVec sizes, strides;
  int64_t offset;
  int64_t end() const {  // one past the last element reached
    int64_t last = offset;
    for (size_t d = 0; d < sizes.size(); ++d) {
      if (sizes[d] == 0) return offset;
      last += (sizes[d] - 1) * strides[d];
    }
    return last + 1;
  }
};

SizeVec copy_of(Sizes s) { return SizeVec(s.begin(), s.end()); }

// restride(self, stride, offset, to_size, to_stride, to_offset, average_source): `self` lies at
// (its sizes, stride, offset). Where the original geometry reaches an element k times, the sum is
// divided by k: every copy of it gets its share.
Geometry source_of(Call& c) {
  return {copy_of(c.tensor(0).sizes()), copy_of(c.ints(1)), c.integer(2)};
}
Geometry target_of(Call& c) { return {copy_of(c.ints(3)), copy_of(c.ints(4)), c.integer(5)}; }

Ref<Tensor> place(Tensor& line, const Geometry& g, int64_t low) {
  return alias(line, g.sizes, g.strides, g.offset - low);
}

// Visits the line's positions in the row-major order of g.
template <class F>
void for_each_position(const Geometry& g, int64_t low, F f) {
  for (int64_t s : g.sizes)
    if (s == 0) return;
  SizeVec at(g.sizes.size(), 0);
  for (int64_t pos = g.offset - low, i = 0;; ++i) {
    f(pos, i);
    int d = static_cast<int>(at.size()) - 1;
    for (; d >= 0; --d) {
      pos += g.strides[d];
      if (++at[d] < g.sizes[d]) break;
      pos -= g.sizes[d] * g.strides[d];
      at[d] = 0;
    }
    if (d < 0) return;
  }
}

template <class T>
T sum(T a, T b) {
  if constexpr (std::is_same_v<T, bool>)
    return a || b;
  else
    return static_cast<T>(a + b);
}
template <class T>
T share(T v, int64_t n) {
  if constexpr (std::is_same_v<T, bool>)
    return v;
  else if constexpr (requires { v.re; })
    return v / T{static_cast<decltype(T{}.re)>(n), 0};
  else
    return static_cast<T>(v / static_cast<T>(n));
}

// Do positions in the line tell the index along dimension d, whatever the other indices are?
bool is_apart(const Geometry& g, size_t d) {
  const int64_t stride = g.strides[d];
  int64_t below = 0;
  for (size_t e = 0; e < g.sizes.size(); ++e) {
    if (e == d || g.sizes[e] == 1) continue;
    if (g.strides[e] < 0 || stride <= 0) return false;
    if (g.strides[e] % (stride * g.sizes[d])) below += (g.sizes[e] - 1) * g.strides[e];
  }
  return below < stride;
}

struct Step {
  int64_t size, to, from;  // strides in the line, and among the values
};
using Steps = std::vector<Step>;

template <class T>
void add_along(const Step& s, const T* from, T* to) {
  for (int64_t i = 0; i < s.size; ++i) to[i * s.to] = sum(to[i * s.to], from[i * s.from]);
}
// Windows that follow each other. Of values for one cell, those of earlier windows are further
// behind in them: all last values come first, then all before them, as sums of neighbours need not
// wait for each other then.
template <class T>
void add_windows(Step windows, const Step& window, const T* from, T* to) {
  constexpr int64_t kCached = 512;
  if (windows.size <= window.size || windows.to <= 0 || window.to <= 0) {
    for (int64_t i = 0; i < windows.size; ++i)
      add_along(window, from + i * windows.from, to + i * windows.to);
    return;
  }
  for (int64_t left = windows.size; left > 0; left -= kCached) {
    windows.size = std::min(left, kCached);
    for (int64_t k = window.size; k-- > 0;)
      add_along(windows, from + k * window.from, to + k * window.to);
    from += windows.size * windows.from, to += windows.size * windows.to;
  }
}
template <class T>
void add_steps(const Step* s, const Step* end, const T* from, T* to) {
  if (end - s > 2) {
    for (int64_t i = 0; i < s->size; ++i) add_steps(s + 1, end, from + i * s->from, to + i * s->to);
    return;
  }
  add_windows(end - s == 2 ? *s : Step{1, 0, 0}, end[-1], from, to);
}

// Adds in the row-major order of the values, as far as they meet: a dimension that keeps them apart
// may be divided, and be walked along last where the line has its elements closest.
template <class T>
void add_values(const Geometry& g, const T* from, T* to) {
  constexpr int64_t kGrain = 1 << 14;
  Steps steps;
  int64_t count = 1;
  size_t apart = g.sizes.size();
  for (size_t d = g.sizes.size(); d-- > 0; count *= g.sizes[d]) {
    steps.insert(steps.begin(), {g.sizes[d], g.strides[d], count});
    const bool larger = apart == g.sizes.size() || g.sizes[d] > g.sizes[apart];
    if (larger && is_apart(g, d)) apart = d;
  }
  if (apart == g.sizes.size())
    return add_steps(steps.data(), steps.data() + steps.size(), from, to);
  const Step divided = steps[apart];
  steps.erase(steps.begin() + static_cast<int64_t>(apart));
  const bool closest = !steps.empty() && divided.to < steps.back().to;
  const auto place = steps.insert(closest ? steps.end() : steps.begin(), divided) - steps.begin();
  const int64_t grain = std::max<int64_t>(1, kGrain / (count / divided.size));
  parallel_for(divided.size, grain, [&](int64_t begin, int64_t end) {
    Steps part = steps;
    part[static_cast<size_t>(place)].size = end - begin;
    add_steps(part.data(), part.data() + part.size(), from + begin * divided.from,
              to + begin * divided.to);
  });
}

void add_onto(Tensor& line, const Tensor& x, const Geometry& g, int64_t low) {
  Ref<Tensor> spot = place(line, g, low);
  if (!may_overlap_itself(*spot)) return copy_into(*spot, x);
  Ref<Tensor> dense = contiguous(x);
  dispatch(line.dtype,
           [&]<class T>() { add_values(g, dense->data<T>(), line.data<T>() + (g.offset - low)); });
}

void divide_by_count(Tensor& line, const Geometry& g, int64_t low) {
  if (!may_overlap_itself(*place(line, g, low))) return;
  std::vector<int64_t> count(static_cast<size_t>(line.numel), 0);
  for_each_position(g, low, [&](int64_t pos, int64_t) { ++count[static_cast<size_t>(pos)]; });
  dispatch(line.dtype, [&]<class T>() {
    T* at = line.data<T>();
    for (int64_t i = 0; i < line.numel; ++i)
      if (count[static_cast<size_t>(i)] > 1) at[i] = share(at[i], count[static_cast<size_t>(i)]);
  });
}

void restride_infer(Call& c) {
  Geometry from = source_of(c), to = target_of(c);
  RL_CHECK(from.sizes.size() == from.strides.size() && to.sizes.size() == to.strides.size(),
           "restride: sizes and strides differ in length");
  c.add_out(to.sizes, c.tensor(0).dtype);
}

void restride_run(Call& c) {
  Geometry from = source_of(c), to = target_of(c);
  Tensor &x = c.tensor(0), &out = c.out(0);
  int64_t low = std::min(from.offset, to.offset), n = std::max(from.end(), to.end()) - low;
  bool exact = low == to.offset && n == out.numel && is_contiguous(to.sizes, to.strides);
  Ref<Tensor> line = exact ? alias(out) : empty(Sizes(&n, 1), x.dtype);
  fill(*line, Scalar::of(int64_t{0}));
  if (x.numel) add_onto(*line, x, from, low);
  if (n) divide_by_count(*line, c.flag(6) ? from : to, low);
  if (!exact && out.numel) copy_into(out, *place(*line, to, low));
}

RL_KERNEL_FLOAT8("restride", restride_infer, restride_run);

}  // namespace
}  // namespace rl
