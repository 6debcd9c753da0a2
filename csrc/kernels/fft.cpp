// Fourier transforms: complex to complex over dimensions, reals to half a spectrum and back. Many
// lines are transformed side by side (fft_groups.h), few or long ones each by itself (fft_rows.h).
// Reals are transformed as half as many complex numbers, pairs of neighbours.
#include "kernels/fft_groups.h"

namespace rl {
namespace RL_ISA_NS {
namespace {
namespace fft {

// Columns from kShortestInBlocks on are moved in blocks of as many groups of lanes as the second
// level of the cache holds (kBlockPoints), but four at most.
constexpr int64_t kShortestInBlocks = 256, kBlockPoints = 4096, kMostGroups = 4;

// f(line of x, line of out, how many follow both and they themselves) for every line, both
// contiguous; with threads if there are several lines, else within f.
template <class A, class B, class F>
void over_rows(const A* x, const Lines& in, B* out, const Lines& l, F&& f) {
  parallel_for(l.count(), line_grain(l, 8), [&](int64_t begin, int64_t end) {
    bool rows = l.inner == 1;
    Scratch<A> from(rows ? 0 : in.size);
    Scratch<B> to(rows ? 0 : l.size);
    for (int64_t i = begin; i < end; ++i) {
      const A* source = x + in.start(i);
      B* target = out + l.start(i);
      if (rows) {
        f(source, target, l.outer - i);
        continue;
      }
      for (int64_t k = 0; k < in.size; ++k) from.data()[k] = source[k * in.inner];
      f(from.data(), to.data(), 1);
      for (int64_t k = 0; k < l.size; ++k) target[k * l.inner] = to.data()[k];
    }
  });
}

// --- complex to complex
template <class T>
void complex_in_lanes(const Complex<T>* x, Complex<T>* out, const Lines& l,
                      Direction<T> direction) {
  auto plan = plan_of<Lined<T>>(l.size);
  over_groups<T>(l.count(), plan->points, [&](int64_t first, Point<T>* a, Point<T>* b) {
    Group<T> group(l, first);
    if (group.in_vectors() && plan->points == l.size) {
      int64_t step = l.inner, ahead = kAhead * step;
      int64_t last = l.count() * l.size - group.at[0] - kLanes<T>;
      Source<T> source{x + group.at[0], step, ahead, last, direction};
      Target<T> target{out + group.at[0], step, ahead, last, direction};
      return transform(plan->passes, source, target, a, b);
    }
    if constexpr (kTwoBlocks)
      if (group.passed_in_rows() && plan->chirp.empty() && pass_rows(plan->passes)) {
        auto source = group.rows_of(x, direction);
        return transform(plan->passes, source, group.rows_of(out, direction), a, b);
      }
    group.load_all(x, a, direction);
    group.store_all(out, transform(*plan, a, b), direction);
  });
}

// `groups` times kLanes columns in turn: each row of such a block is several lines of memory, which
// come sooner than as many that are far apart. `buffers`: groups + 1; `there`: how
// many elements there are from x on.
template <class T>
void transform_block(const Lined<T>& plan, const Lines& l, int64_t groups, const Complex<T>* x,
                     Complex<T>* out, int64_t there, Direction<T> direction, Point<T>* buffers) {
  int64_t n = l.size;
  Point<T>*done[kMostGroups], *spare = buffers + groups * plan.points;
  auto over_lines = [&](auto&& f) {
    for (int64_t k = 0; k < n; ++k)
      for (int64_t g = 0; g < groups; ++g) f(done[g][k], k * l.inner + g * kLanes<T>);
  };
  for (int64_t g = 0; g < groups; ++g) done[g] = buffers + g * plan.points;
  over_lines([&](Point<T>& p, int64_t at) {
    fetch_adjacent<0>(x + std::min(at + kAhead * l.inner, there - kLanes<T>));
    p = direction.in(load_adjacent(x + at));
  });
  for (int64_t g = 0; g < groups; ++g) {
    Point<T>* from = std::exchange(done[g], transform(plan, done[g], spare));
    if (done[g] == spare) spare = from;
  }
  over_lines([&](Point<T>& p, int64_t at) {
    fetch_adjacent<1>(out + std::min(at + kAhead * l.inner, there - kLanes<T>));
    store_adjacent(out + at, direction.out(p));
  });
}

template <class T>
void complex_in_blocks(const Complex<T>* x, Complex<T>* out, const Lines& l,
                       Direction<T> direction) {
  auto plan = plan_of<Lined<T>>(l.size);
  int64_t groups = l.inner / kLanes<T>;
  int64_t most = std::clamp<int64_t>(kBlockPoints / plan->points, 1, kMostGroups);
  int64_t blocks = (groups + most - 1) / most;
  parallel_for(l.outer * blocks, 1, [&](int64_t begin, int64_t end) {
    Scratch<Point<T>> buffers((most + 1) * plan->points);
    for (int64_t i = begin; i < end; ++i) {
      int64_t first = i % blocks * most;
      int64_t at = i / blocks * l.size * l.inner + first * kLanes<T>;
      transform_block(*plan, l, std::min(most, groups - first), x + at, out + at,
                      l.count() * l.size - at, direction, buffers.data());
    }
  });
}

template <class T>
void complex_transform(const Complex<T>* x, Complex<T>* out, const Lines& l,
                       Direction<T> direction) {
  if (in_lanes<T>(l, l.size)) {
    bool whole = l.inner % kLanes<T> == 0 && l.size >= kShortestInBlocks;
    return whole ? complex_in_blocks(x, out, l, direction) : complex_in_lanes(x, out, l, direction);
  }
  auto plan = plan_of<Row<T>>(l.size);
  over_rows(x, l, out, l, [&](const Complex<T>* from, Complex<T>* to, int64_t rows) {
    transform_row(*plan, from, to, rows, direction);
  });
}

// --- reals of an even number n = 2 h, as h pairs. V: a complex number or a point of lines
// From the transform of the pairs at k and h - k, that of the reals there; w is root(k, n).
template <class T, class V, class W>
void separate(V& at_k, V& at_rest, W w) {
  V even = times(at_k + conj(at_rest), T(0.5)), odd = times(at_k - conj(at_rest), T(0.5));
  odd = times_i(odd) * w;
  at_k = even - odd;
  at_rest = conj(even + odd);
}
// The other way, twice as large, and conjugated, as an inverse transform begins (Direction).
template <class T, class V, class W>
void join(V& at_k, V& at_rest, W w) {
  V even = at_k + conj(at_rest), odd = times_i(at_k - conj(at_rest)) * conj(w);
  at_k = conj(even + odd);
  at_rest = even - odd;
}

// f(value at k, value at h - k, root(k, n)) for the pairs of points of lines, from z to `to` ...
template <class T, class F>
void over_pairs(const Point<T>* z, Point<T>* to, int64_t h, const std::vector<Complex<T>>& roots,
                F&& f) {
  for (int64_t k = 1; 2 * k <= h; ++k) {
    Point<T> low = z[k], high = z[h - k];
    f(low, high, roots[k]);
    to[k] = low, to[h - k] = high;
  }
}
// ... and of one line, kLanes neighbours at once with those from its end backwards.
template <class T>
Point<T> backwards(Point<T> p) {
  return {pick<Backwards, T>(p.re, p.re), pick<Backwards, T>(p.im, p.im)};
}
template <class T, class F>
void over_pairs(const Complex<T>* z, Complex<T>* to, int64_t h,
                const std::vector<Complex<T>>& roots, F&& f) {
  constexpr int n = kLanes<T>;
  int64_t k = 1;
  for (; 2 * (k + n) <= h; k += n) {
    int64_t rest = h - k - n + 1;
    Point<T> low = load_adjacent(z + k), high = backwards(load_adjacent(z + rest));
    f(low, high, load_adjacent(roots.data() + k));
    store_adjacent(to + k, low);
    store_adjacent(to + rest, backwards(high));
  }
  for (; 2 * k <= h; ++k) {
    Complex<T> low = z[k], high = z[h - k];
    f(low, high, roots[k]);
    to[k] = low, to[h - k] = high;
  }
}

// Makes the h + 1 values of the half spectrum from the transform of h pairs, in place.
template <class V, class T>
void separate_all(V* z, int64_t h, const std::vector<Complex<T>>& roots) {
  V first = z[0];
  z[0] = {first.re + first.im, decltype(first.re){}};
  z[h] = {first.re - first.im, decltype(first.re){}};
  over_pairs(z, z, h, roots, [](auto& a, auto& b, auto w) { separate<T>(a, b, w); });
}
template <class V, class T>
void join_all(const V* z, V* to, int64_t h, const std::vector<Complex<T>>& roots) {
  to[0] = {z[0].re + z[h].re, z[h].re - z[0].re};
  over_pairs(z, to, h, roots, [](auto& a, auto& b, auto w) { join<T>(a, b, w); });
}

// A length of reals: how many complex numbers are transformed, and the roots to separate them.
template <class T>
struct Halves {
  int64_t points;
  bool paired;
  std::vector<Complex<T>> roots;
  explicit Halves(int64_t n) : points(n % 2 ? n : n / 2), paired(n % 2 == 0) {
    Roots all(n);
    for (int64_t k = 0; paired && 2 * k <= points; ++k) roots.push_back(Complex<T>(all(k)));
  }
};

// --- reals to half a spectrum
template <class T>
void load_reals(const Halves<T>& halves, const Group<T>& from, const T* x, Point<T>* points) {
  int64_t n = halves.points;
  for (int64_t k = 0; k < n; ++k) {
    if (halves.paired)
      points[k] = {from.load(x, 2 * k), from.load(x, 2 * k + 1)};
    else
      points[k] = {from.load(x, k), typename Point<T>::Lanes{}};
  }
}

// Rows of pairs of reals, as the rows of complex numbers that they are.
inline Lines in_pairs(const Lines& l) { return {l.outer, l.size / 2, 1}; }

template <class T>
void real_in_lanes(const T* x, Complex<T>* out, const Lines& in, const Lines& l, T scale) {
  auto halves = plan_of<Halves<T>>(in.size);
  int64_t n = halves->points;
  auto plan = plan_of<Lined<T>>(n);
  bool rows = halves->paired && in.inner == 1;
  Lines pairs = in_pairs(in);
  Direction<T> forward(false, scale);
  over_groups<T>(l.count(), plan->points + 1, [&](int64_t first, Point<T>* a, Point<T>* b) {
    if (rows)
      Group<T>(pairs, first).load_all(reinterpret_cast<const Complex<T>*>(x), a, forward);
    else
      load_reals(*halves, Group<T>(in, first), x, a);
    Point<T>* done = transform(*plan, a, b);
    if (halves->paired) separate_all(done, n, halves->roots);
    Group<T>(l, first).store_all(out, done, forward);
  });
}

template <class T>
void real_row(const Halves<T>& halves, const Row<T>& plan, const T* x, Complex<T>* out,
              int64_t rows, T scale) {
  int64_t n = halves.points;
  Direction<T> forward(false, scale);
  if (halves.paired) {
    transform_row(plan, reinterpret_cast<const Complex<T>*>(x), out, rows, forward);
    return separate_all(out, n, halves.roots);
  }
  Scratch<Complex<T>> whole(n);
  for (int64_t k = 0; k < n; ++k) whole.data()[k] = {x[k], {}};
  transform_row(plan, whole.data(), whole.data(), 1, forward);
  std::copy_n(whole.data(), n / 2 + 1, out);
}

template <class T>
void real_transform(const T* x, Complex<T>* out, const Lines& in, const Lines& l, T scale) {
  auto halves = plan_of<Halves<T>>(in.size);
  if (in_lanes<T>(l, halves->points)) return real_in_lanes(x, out, in, l, scale);
  auto plan = plan_of<Row<T>>(halves->points);
  over_rows(x, in, out, l, [&](const T* from, Complex<T>* to, int64_t rows) {
    real_row(*halves, *plan, from, to, rows, scale);
  });
}

// --- half a spectrum to reals
template <class T>
void half_in_lanes(const Complex<T>* x, T* out, const Lines& in, const Lines& l, T scale) {
  auto halves = plan_of<Halves<T>>(l.size);
  int64_t n = halves->points;
  auto plan = plan_of<Lined<T>>(n);
  bool rows = halves->paired && l.inner == 1;
  Lines pairs = in_pairs(l);
  Direction<T> inverse(true, scale);
  over_groups<T>(l.count(), plan->points + 1, [&](int64_t first, Point<T>* a, Point<T>* b) {
    if (halves->paired) {
      Group<T>(in, first).load_all(x, a, Direction<T>(false, 1));
      join_all(a, a, n, halves->roots);
    } else {
      Group<T>(in, first).load_all(x, a, inverse);
      a[0].im = typename Point<T>::Lanes{};
      for (int64_t k = in.size; k < n; ++k) a[k] = conj(a[n - k]);
    }
    Point<T>* done = transform(*plan, a, b);
    if (rows)
      return Group<T>(pairs, first).store_all(reinterpret_cast<Complex<T>*>(out), done, inverse);
    Group<T> to(l, first);
    for (int64_t k = 0; k < n; ++k) {
      Point<T> p = inverse.out(done[k]);
      to.store(out, halves->paired ? 2 * k : k, p.re);
      if (halves->paired) to.store(out, 2 * k + 1, p.im);
    }
  });
}

template <class T>
void half_row(const Halves<T>& halves, const Row<T>& plan, const Complex<T>* x, T* out,
              int64_t rows, T scale) {
  int64_t n = halves.points;
  Direction<T> inverse(true, scale);
  if (halves.paired) {
    auto* pairs = reinterpret_cast<Complex<T>*>(out);
    join_all(x, pairs, n, halves.roots);
    inverse.sign = 1;
    return transform_row(plan, pairs, pairs, rows, inverse);
  }
  Scratch<Complex<T>> scratch(n);
  Complex<T>* z = scratch.data();
  z[0] = {x[0].re, 0};
  for (int64_t k = 1; k < n; ++k) z[k] = 2 * k < n ? x[k] : conj(x[n - k]);
  transform_row(plan, z, z, 1, inverse);
  for (int64_t k = 0; k < n; ++k) out[k] = z[k].re;
}

template <class T>
void half_transform(const Complex<T>* x, T* out, const Lines& in, const Lines& l, T scale) {
  auto halves = plan_of<Halves<T>>(l.size);
  if (in_lanes<T>(l, halves->points)) return half_in_lanes(x, out, in, l, scale);
  auto plan = plan_of<Row<T>>(halves->points);
  over_rows(x, in, out, l, [&](const Complex<T>* from, T* to, int64_t rows) {
    half_row(*halves, *plan, from, to, rows, scale);
  });
}

// --- kernels
template <class F>
void for_real_type(const Tensor& t, F&& f) {
  if (real_of(t.dtype) == DType::F64)
    f.template operator()<double>();
  else
    f.template operator()<float>();
}

// fft_c2c(self, dim, inverse, scale)
void c2c_infer(Call& c) { c.add_out(c.tensor(0).sizes(), c.tensor(0).dtype); }
void c2c_run(Call& c) {
  Tensor& out = c.out(0);
  if (c.ints(1).empty()) return copy_into(out, c.tensor(0));
  if (out.numel == 0) return;
  Ref<Tensor> x = contiguous(c.tensor(0));
  for_real_type(out, [&]<class T>() {
    const auto* from = x->data<Complex<T>>();
    auto* to = out.data<Complex<T>>();
    auto scale = static_cast<T>(c.number(3));
    Unlocked unlocked(out.numel);
    for (int64_t dim : c.ints(1)) {
      Direction<T> direction(c.flag(2), scale);
      complex_transform(from, to, lines_of(out, static_cast<int>(dim)), direction);
      from = to;
      scale = 1;
    }
  });
}
RL_ISA_KERNEL("fft_c2c", c2c_infer, c2c_run);

// fft_r2c(self, dim, scale)
void r2c_infer(Call& c) {
  Tensor& x = c.tensor(0);
  SizeVec sizes(x.sizes().begin(), x.sizes().end());
  sizes[c.integer(1)] = sizes[c.integer(1)] / 2 + 1;
  c.add_out(sizes, complex_of(x.dtype));
}
void r2c_run(Call& c) {
  Tensor& out = c.out(0);
  if (c.tensor(0).numel == 0) return fill(out, Scalar::of(0.0));
  Ref<Tensor> x = contiguous(c.tensor(0));
  int dim = static_cast<int>(c.integer(1));
  for_real_type(out, [&]<class T>() {
    Unlocked unlocked(out.numel);
    real_transform(static_cast<const T*>(x->data<T>()), out.data<Complex<T>>(), lines_of(*x, dim),
                   lines_of(out, dim), static_cast<T>(c.number(2)));
  });
}
RL_ISA_KERNEL("fft_r2c", r2c_infer, r2c_run);

// The rest of spectra of reals mirrors their first half, conjugated.
template <class T>
void complete(const Complex<T>* half, const Lines& in, Complex<T>* out, const Lines& l) {
  parallel_for(l.outer * l.size, 16384 / l.inner + 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin, k; i < end; i = k) {
      const int64_t o = i / l.size, first = i % l.size, last = std::min(l.size, first + end - i);
      const Complex<T>* from = half + o * in.size * l.inner;
      Complex<T>* to = out + o * l.size * l.inner;
      const int64_t known = std::clamp(in.size, first, last);
      std::copy(from + first * l.inner, from + known * l.inner, to + first * l.inner);
      if (l.inner == 1)
#pragma GCC ivdep
        for (int64_t j = known; j < last; ++j) to[j] = conj(from[l.size - j]);
      else
        for (int64_t j = known; j < last; ++j)
          for (int64_t w = 0; w < l.inner; ++w)
            to[j * l.inner + w] = conj(from[(l.size - j) * l.inner + w]);
      k = o * l.size + last;
    }
  });
}

// fft_r2c_whole(self, dim, scale)
void whole_infer(Call& c) { c.add_out(c.tensor(0).sizes(), complex_of(c.tensor(0).dtype)); }
void whole_run(Call& c) {
  Tensor& out = c.out(0);
  if (out.numel == 0) return;
  Ref<Tensor> x = contiguous(c.tensor(0));
  const int dim = static_cast<int>(c.integer(1));
  const Lines l = lines_of(out, dim), half{l.outer, l.size / 2 + 1, l.inner};
  for_real_type(out, [&]<class T>() {
    Unlocked unlocked(out.numel);
    Scratch<Complex<T>> found(half.outer * half.size * half.inner);
    real_transform(static_cast<const T*>(x->data<T>()), found.data(), l, half,
                   static_cast<T>(c.number(2)));
    complete(found.data(), half, out.data<Complex<T>>(), l);
  });
}
RL_ISA_KERNEL("fft_r2c_whole", whole_infer, whole_run);

// fft_c2r(self, dim, n, scale): self has n / 2 + 1 values along dim
void c2r_infer(Call& c) {
  Tensor& x = c.tensor(0);
  SizeVec sizes(x.sizes().begin(), x.sizes().end());
  sizes[c.integer(1)] = c.integer(2);
  c.add_out(sizes, real_of(x.dtype));
}
void c2r_run(Call& c) {
  Tensor& out = c.out(0);
  if (out.numel == 0) return;
  Ref<Tensor> x = contiguous(c.tensor(0));
  int dim = static_cast<int>(c.integer(1));
  for_real_type(out, [&]<class T>() {
    Unlocked unlocked(out.numel);
    half_transform(static_cast<const Complex<T>*>(x->data<Complex<T>>()), out.data<T>(),
                   lines_of(*x, dim), lines_of(out, dim), static_cast<T>(c.number(3)));
  });
}
RL_ISA_KERNEL("fft_c2r", c2r_infer, c2r_run);

}  // namespace fft
}  // namespace
}  // namespace RL_ISA_NS
}  // namespace rl
