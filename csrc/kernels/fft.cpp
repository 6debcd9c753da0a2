// Fourier transforms: complex to complex over dimensions, reals to half a spectrum and back. Many
// lines are transformed side by side (fft_lanes.h), few or long ones each by itself (fft_rows.h).
// Reals are transformed as half as many complex numbers, pairs of neighbours.
#include <map>
#include <mutex>

#include "kernels/fft_rows.h"
#include "kernels/lines.h"

namespace rl {
namespace RL_ISA_NS {
namespace {
namespace fft {

constexpr int64_t kLongestInLanes = 2048;  // beyond, the buffers of kLanes lines leave the cache

// Plans of recent lengths: making one costs as much as several transforms.
template <class Plan>
std::shared_ptr<const Plan> plan_of(int64_t n) {
  constexpr size_t kMost = 32;
  static std::mutex mutex;
  static std::map<int64_t, std::shared_ptr<const Plan>> plans;
  std::lock_guard lock(mutex);
  auto found = plans.find(n);
  if (found != plans.end()) return found->second;
  auto made = std::make_shared<const Plan>(n);
  if (plans.size() >= kMost) plans.clear();
  plans.emplace(n, made);
  return made;
}

template <class T>
struct Lined {  // the passes of a length, for lines in lanes
  std::vector<Pass<T>> passes;
  explicit Lined(int64_t n) : passes(passes_of<T>(n)) {}
};

// --- lines in lanes
template <class T>
struct Group {
  const Lines& lines;
  int64_t first, used, at[kLanes<T>];
  bool adjacent;
  Group(const Lines& lines, int64_t first)
      : lines(lines), first(first), used(std::min<int64_t>(kLanes<T>, lines.count() - first)) {
    for (int64_t l = 0; l < used; ++l) at[l] = lines.start(first + l);
    adjacent = at[used - 1] == at[0] + used - 1;
  }
  Point<T> load(const Complex<T>* x, int64_t k) const {
    x += k * lines.inner;
    if (adjacent) return load_adjacent(x + at[0], used);
    Point<T> p{};
    for (int64_t l = 0; l < used; ++l) p.re[l] = x[at[l]].re, p.im[l] = x[at[l]].im;
    return p;
  }
  typename Point<T>::Lanes load(const T* x, int64_t k) const {
    typename Point<T>::Lanes v{};
    for (int64_t l = 0; l < used; ++l) v[l] = x[at[l] + k * lines.inner];
    return v;
  }
  void store(Complex<T>* out, int64_t k, Point<T> p) const {
    out += k * lines.inner;
    if (adjacent) return store_adjacent(out + at[0], used, p);
    for (int64_t l = 0; l < used; ++l) out[at[l]] = {p.re[l], p.im[l]};
  }
  void store(T* out, int64_t k, typename Point<T>::Lanes v) const {
    for (int64_t l = 0; l < used; ++l) out[at[l] + k * lines.inner] = v[l];
  }
};

// f(first line, two buffers of n points) for each group of kLanes lines.
template <class T, class F>
void over_groups(int64_t lines, int64_t n, F&& f) {
  int64_t groups = (lines + kLanes<T> - 1) / kLanes<T>;
  parallel_for(groups, 4096 / (n * kLanes<T>)+1, [&](int64_t begin, int64_t end) {
    Scratch<Point<T>> buffers(2 * n);
    for (int64_t g = begin; g < end; ++g) f(g * kLanes<T>, buffers.data(), buffers.data() + n);
  });
}

template <class T>
bool in_lanes(int64_t lines, int64_t n) {
  bool short_enough = n <= kLongestInLanes && (n == 1 || !radices(n).empty());
  return short_enough && (lines >= kLanes<T> || n < kLanes<T> * kLanes<T>);
}

// f(line) for every line, with threads if there are several, else within f.
template <class F>
void over_lines(const Lines& l, F&& f) {
  parallel_for(l.count(), line_grain(l, 8), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) f(i);
  });
}

template <class V>
const V* gathered(const V* x, const Lines& l, int64_t line, V* into) {
  x += l.start(line);
  if (l.inner == 1) return x;
  for (int64_t k = 0; k < l.size; ++k) into[k] = x[k * l.inner];
  return into;
}
template <class V>
void scatter_back(const V* from, V* out, const Lines& l, int64_t line) {
  out += l.start(line);
  if (out != from)
    for (int64_t k = 0; k < l.size; ++k) out[k * l.inner] = from[k];
}

// --- complex to complex
template <class T>
void complex_in_lanes(const Complex<T>* x, Complex<T>* out, const Lines& l, bool inverse, T scale) {
  auto plan = plan_of<Lined<T>>(l.size);
  over_groups<T>(l.count(), l.size, [&](int64_t first, Point<T>* a, Point<T>* b) {
    Group<T> group(l, first);
    for (int64_t k = 0; k < l.size; ++k) {
      Point<T> p = group.load(x, k);
      a[k] = inverse ? p.swapped() : p;
    }
    const Point<T>* done = transform(plan->passes, a, b);
    for (int64_t k = 0; k < l.size; ++k)
      group.store(out, k, (inverse ? done[k].swapped() : done[k]) * scale);
  });
}

template <class T>
void complex_transform(const Complex<T>* x, Complex<T>* out, const Lines& l, bool inverse,
                       T scale) {
  if (in_lanes<T>(l.count(), l.size)) return complex_in_lanes(x, out, l, inverse, scale);
  auto plan = plan_of<Row<T>>(l.size);
  over_lines(l, [&](int64_t line) {
    Scratch<Complex<T>> scratch(l.inner == 1 ? 0 : l.size);
    Complex<T>* to = l.inner == 1 ? out + l.start(line) : scratch.data();
    transform_row(*plan, gathered(x, l, line, scratch.data()), to, inverse, scale);
    scatter_back(to, out, l, line);
  });
}

// --- reals of an even number n = 2 h, as h pairs. V: a complex number or a point of lines
template <class T>
Complex<T> conj(Complex<T> v) {
  return {v.re, -v.im};
}
template <class T>
Point<T> conj(Point<T> p) {
  return p.conj();
}
template <class T>
Complex<T> times(Complex<T> v, T s) {
  return {v.re * s, v.im * s};
}
template <class T>
Point<T> times(Point<T> p, T s) {
  return p * s;
}

// From the transform of the pairs at k and h - k, that of the reals there; w is root(k, n).
template <class V, class T>
void separate(V& at_k, V& at_rest, Complex<T> w) {
  V even = times(at_k + conj(at_rest), T(0.5)), odd = times(at_k - conj(at_rest), T(0.5));
  odd = odd * Complex<T>{w.im, -w.re};  // -i w
  at_k = even + odd;
  at_rest = conj(even - odd);
}
// The other way, twice as large.
template <class V, class T>
void join(V& at_k, V& at_rest, Complex<T> w) {
  V even = at_k + conj(at_rest), odd = (at_k - conj(at_rest)) * Complex<T>{w.im, w.re};  // i / w
  at_k = even + odd;
  at_rest = conj(even - odd);
}

// Makes the h + 1 values of the half spectrum from the transform of h pairs, in place.
template <class T, class V>
void separate_all(V* z, int64_t h, const Roots& roots) {
  V first = z[0];
  z[0] = {first.re + first.im, decltype(first.re){}};
  z[h] = {first.re - first.im, decltype(first.re){}};
  for (int64_t k = 1; 2 * k <= h; ++k) separate(z[k], z[h - k], Complex<T>(roots(k)));
}
template <class T, class V>
void join_all(V* z, int64_t h, const Roots& roots) {
  z[0] = {z[0].re + z[h].re, z[0].re - z[h].re};
  for (int64_t k = 1; 2 * k <= h; ++k) join(z[k], z[h - k], Complex<T>(roots(k)));
}

// A length of reals: how many complex numbers are transformed, and the roots to separate them.
struct Halves {
  int64_t points;
  bool paired;
  Roots roots;
  explicit Halves(int64_t n) : points(n % 2 ? n : n / 2), paired(n % 2 == 0), roots(n) {}
};

// --- reals to half a spectrum
template <class T>
void real_in_lanes(const T* x, Complex<T>* out, const Lines& in, const Lines& l, T scale) {
  auto halves = plan_of<Halves>(in.size);
  int64_t n = halves->points;
  auto plan = plan_of<Lined<T>>(n);
  over_groups<T>(l.count(), n + 1, [&](int64_t first, Point<T>* a, Point<T>* b) {
    Group<T> from(in, first), to(l, first);
    for (int64_t k = 0; k < n; ++k) {
      if (halves->paired)
        a[k] = {from.load(x, 2 * k), from.load(x, 2 * k + 1)};
      else
        a[k] = {from.load(x, k), typename Point<T>::Lanes{}};
    }
    Point<T>* done = transform(plan->passes, a, b);
    if (halves->paired) separate_all<T>(done, n, halves->roots);
    for (int64_t k = 0; k < l.size; ++k) to.store(out, k, done[k] * scale);
  });
}

template <class T>
void real_row(const Halves& halves, const Row<T>& plan, const T* x, Complex<T>* out, T scale) {
  int64_t n = halves.points;
  if (halves.paired) {
    transform_row(plan, reinterpret_cast<const Complex<T>*>(x), out, false, scale);
    return separate_all<T>(out, n, halves.roots);
  }
  Scratch<Complex<T>> whole(n);
  for (int64_t k = 0; k < n; ++k) whole.data()[k] = {x[k], {}};
  transform_row(plan, whole.data(), whole.data(), false, scale);
  std::copy_n(whole.data(), n / 2 + 1, out);
}

template <class T>
void real_transform(const T* x, Complex<T>* out, const Lines& in, const Lines& l, T scale) {
  auto halves = plan_of<Halves>(in.size);
  if (in_lanes<T>(l.count(), halves->points)) return real_in_lanes(x, out, in, l, scale);
  auto plan = plan_of<Row<T>>(halves->points);
  over_lines(l, [&](int64_t line) {
    bool rows = l.inner == 1;
    Scratch<T> from(rows ? 0 : in.size);
    Scratch<Complex<T>> to(rows ? 0 : l.size);
    Complex<T>* half = rows ? out + l.start(line) : to.data();
    real_row(*halves, *plan, gathered(x, in, line, from.data()), half, scale);
    scatter_back(half, out, l, line);
  });
}

// --- half a spectrum to reals
template <class T>
void half_in_lanes(const Complex<T>* x, T* out, const Lines& in, const Lines& l, T scale) {
  auto halves = plan_of<Halves>(l.size);
  int64_t n = halves->points;
  auto plan = plan_of<Lined<T>>(n);
  over_groups<T>(l.count(), n + 1, [&](int64_t first, Point<T>* a, Point<T>* b) {
    Group<T> from(in, first), to(l, first);
    for (int64_t k = 0; k < in.size; ++k) a[k] = from.load(x, k);
    if (halves->paired)
      join_all<T>(a, n, halves->roots);
    else
      a[0].im = typename Point<T>::Lanes{};
    for (int64_t k = in.size; k < n; ++k) a[k] = a[n - k].conj();
    for (int64_t k = 0; k < n; ++k) a[k] = a[k].swapped();
    const Point<T>* done = transform(plan->passes, a, b);
    for (int64_t k = 0; k < n; ++k) {
      Point<T> p = done[k].swapped() * scale;
      to.store(out, halves->paired ? 2 * k : k, p.re);
      if (halves->paired) to.store(out, 2 * k + 1, p.im);
    }
  });
}

template <class T>
void half_row(const Halves& halves, const Row<T>& plan, const Complex<T>* x, T* out, T scale) {
  int64_t n = halves.points, given = halves.paired ? n + 1 : n / 2 + 1;
  Scratch<Complex<T>> scratch(n + 1);
  Complex<T>* z = scratch.data();
  std::copy_n(x, given, z);
  if (halves.paired) {
    join_all<T>(z, n, halves.roots);
    return transform_row(plan, z, reinterpret_cast<Complex<T>*>(out), true, scale);
  }
  z[0].im = 0;
  for (int64_t k = given; k < n; ++k) z[k] = conj(z[n - k]);
  transform_row(plan, z, z, true, scale);
  for (int64_t k = 0; k < n; ++k) out[k] = z[k].re;
}

template <class T>
void half_transform(const Complex<T>* x, T* out, const Lines& in, const Lines& l, T scale) {
  auto halves = plan_of<Halves>(l.size);
  if (in_lanes<T>(l.count(), halves->points)) return half_in_lanes(x, out, in, l, scale);
  auto plan = plan_of<Row<T>>(halves->points);
  over_lines(l, [&](int64_t line) {
    bool rows = l.inner == 1;
    Scratch<Complex<T>> from(rows ? 0 : in.size);
    Scratch<T> to(rows ? 0 : l.size);
    T* reals = rows ? out + l.start(line) : to.data();
    half_row(*halves, *plan, gathered(x, in, line, from.data()), reals, scale);
    scatter_back(reals, out, l, line);
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
      complex_transform(from, to, lines_of(out, static_cast<int>(dim)), c.flag(2), scale);
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
