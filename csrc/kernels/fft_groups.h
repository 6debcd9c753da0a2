// Lines whose Fourier transforms are computed side by side, as they lie in a tensor: groups of
// kLanes of them, to and from points (fft_lanes.h), which lengths that is for, and the plans that
// are kept. Included by files that are compiled per instruction-set level.
#pragma once
#include <map>
#include <mutex>

#include "kernels/fft_rows.h"
#include "kernels/lines.h"

namespace rl {
namespace RL_ISA_NS {
namespace {
namespace fft {

// Beyond, the buffers of kLanes lines leave the cache; lines whose elements are neighbours are
// better off as matrices long before, unless many of their lanes would be empty, or to move points
// into lanes costs little (kTwoBlocks) and there are groups for several threads.
constexpr int64_t kLongestInLanes = 16384, kLongestNeighbours = 512, kLongestRagged = 2048;
constexpr int64_t kLongestMoved = 8192, kManyGroups = 8;

// Plans of recent lengths: making one costs as much as several transforms.
template <class Plan>
std::shared_ptr<const Plan> plan_of(int64_t n) {
  constexpr size_t kMost = 64;
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

// How many points lines of n take in lanes: a length with a large prime factor is a convolution.
inline int64_t points_in_lanes(int64_t n) {
  return n == 1 || !radices(n, kEights).empty() ? n : smooth_length(2 * n - 1);
}

// The passes of a length, for lines in lanes, and of a convolution what Row has for it.
template <class T>
struct Lined {
  int64_t points;
  std::vector<Pass<T>> passes;
  std::vector<Complex<T>> chirp, filter;
  explicit Lined(int64_t n) : points(points_in_lanes(n)), passes(passes_of<T>(points)) {
    if (points == n) return;
    Row<T> row(n);
    chirp = std::move(row.chirp), filter = std::move(row.filter);
  }
};

// Transforms the points of x. Both buffers have room for all points of the plan.
template <class T>
Point<T>* transform(const Lined<T>& plan, Point<T>* x, Point<T>* y) {
  if (plan.chirp.empty()) return transform(plan.passes, x, y);
  const auto n = static_cast<int64_t>(plan.chirp.size());
  for (int64_t k = 0; k < n; ++k) x[k] = x[k] * plan.chirp[k];
  std::fill(x + n, x + plan.points, Point<T>{});
  Point<T>* there = transform(plan.passes, x, y);
  for (int64_t k = 0; k < plan.points; ++k) there[k] = conj(there[k] * plan.filter[k]);
  Point<T>* back = transform(plan.passes, there, there == x ? y : x);
  for (int64_t k = 0; k < n; ++k) back[k] = conj(back[k]) * plan.chirp[k];
  return back;
}

// --- lines in lanes
template <class T>
struct Group {
  const Lines& lines;
  int64_t used, at[kLanes<T>], last;
  bool adjacent, full, fetched;
  Group(const Lines& lines, int64_t first)
      : lines(lines),
        used(std::min<int64_t>(kLanes<T>, lines.count() - first)),
        last(lines.count() * lines.size - kLanes<T>),
        full(used == kLanes<T>),
        fetched(!kTwoBlocks || lines.size * sizeof(Complex<T>) % 4096 != 0) {
    int64_t base = lines.start(first), in = first % lines.inner;  // a division for all of them
    for (int64_t l = 0; l < kLanes<T>; ++l) {
      at[l] = base;
      bool last = ++in == lines.inner;
      base += last ? (lines.size - 1) * lines.inner + 1 : 1;
      if (last) in = 0;
    }
    adjacent = at[used - 1] == at[0] + used - 1;
  }
  bool in_vectors() const { return adjacent && full; }
  // Passes read and write rows themselves up to these sizes. Longer rows are multiples of 4 KB
  // apart or more in all than the first level of the cache holds while their lines are read by
  // blocks, and what has to come from memory had better come in whole lines. Shorter rows of two
  // numbers a block gain nothing.
  bool passed_in_rows() const {
    constexpr int64_t longest = 512, most_bytes = 1 << 20, shortest = kInBlock<T> == 1 ? 1 : 128;
    int64_t bytes = lines.count() * lines.size * static_cast<int64_t>(sizeof(Complex<T>));
    return full && lines.inner == 1 && lines.size >= shortest && lines.size <= longest &&
           bytes <= most_bytes;
  }
  // A tensor's rows as passes read and write them.
  template <class E>
  Rows<T, E> rows_of(E* x, Direction<T> direction) const {
    int64_t ahead = fetched ? kLanes<T> * lines.size : 0;
    return {x + at[0], lines.size, ahead, last - at[0], direction};
  }

  Point<T> load(const Complex<T>* x, int64_t k) const {
    x += k * lines.inner;
    if (in_vectors()) return load_adjacent(x + at[0]);
    if (full) return gather(x, at);
    Complex<T> v[kLanes<T>] = {};
    for (int64_t l = 0; l < used; ++l) v[l] = x[at[l]];
    return load_adjacent(v);
  }
  typename Point<T>::Lanes load(const T* x, int64_t k) const {
    x += k * lines.inner;
    if (in_vectors()) return load_reals(x + at[0]);
    if (full) return gather_reals(x, at);
    T v[kLanes<T>] = {};
    for (int64_t l = 0; l < used; ++l) v[l] = x[at[l]];
    return load_reals(v);
  }
  void store(Complex<T>* out, int64_t k, Point<T> p) const {
    out += k * lines.inner;
    if (in_vectors()) return store_adjacent(out + at[0], p);
    Complex<T> v[kLanes<T>];
    store_adjacent(v, p);
    scatter(v, out);
  }
  void store(T* out, int64_t k, typename Point<T>::Lanes lanes) const {
    out += k * lines.inner;
    if (in_vectors()) return store_reals(out + at[0], lanes);
    T v[kLanes<T>];
    store_reals(v, lanes);
    scatter(v, out);
  }
  template <class E>
  void scatter(const E* v, E* out) const {
    if (full)  // a number of steps that the compiler knows
      for (int64_t l = 0; l < kLanes<T>; ++l) out[at[l]] = v[l];
    else
      for (int64_t l = 0; l < used; ++l) out[at[l]] = v[l];
  }

  // All points, as they come in or go out. Of lines that are rows, kLanes neighbours of each at
  // once, while those of the next group are fetched: so many rows at a time are more than
  // processors foresee. But of rows a multiple of 4 KB apart, few fit into the first level of the
  // cache, and what is fetched drives out what is at work: a fifth more time (Zen 1).
  void load_all(const Complex<T>* x, Point<T>* points, Direction<T> direction) const {
    constexpr int n = kLanes<T>;
    int64_t k = 0;
    for (; full && lines.inner == 1 && k + n <= lines.size; k += n) {
      for (int l = 0; fetched && l < n; ++l)
        fetch_adjacent<0>(x + std::min(at[l] + k + n * lines.size, last));
      load_square(x + k, points + k, direction);
    }
    for (; k < lines.size; ++k) points[k] = direction.in(load(x, k));
  }
  void store_all(Complex<T>* out, const Point<T>* points, Direction<T> direction) const {
    constexpr int n = kLanes<T>;
    int64_t k = 0;
    for (; full && lines.inner == 1 && k + n <= lines.size; k += n) {
      for (int l = 0; fetched && l < n; ++l)
        fetch_adjacent<1>(out + std::min(at[l] + k + n * lines.size, last));
      store_square(out + k, points + k, direction);
    }
    for (; k < lines.size; ++k) store(out, k, direction.out(points[k]));
  }

  // kLanes points of rows.
  void load_square(const Complex<T>* x, Point<T>* points, Direction<T> direction) const {
    constexpr int n = kLanes<T>;
    if constexpr (kTwoBlocks) {
      for (int i = 0; i < n; i += kInBlock<T>) {
        Point<T> some[kInBlock<T>];
        load_rows(x + at[0] + i, lines.size, some);
        for (int k = 0; k < kInBlock<T>; ++k) points[i + k] = direction.in(some[k]);
      }
    } else {
      Point<T> rows[n];
      for (int l = 0; l < n; ++l) rows[l] = direction.in(load_adjacent(x + at[l]));
      transpose(rows, points);
    }
  }
  void store_square(Complex<T>* out, const Point<T>* points, Direction<T> direction) const {
    constexpr int n = kLanes<T>;
    if constexpr (kTwoBlocks) {
      for (int i = 0; i < n; i += kInBlock<T>) {
        Point<T> some[kInBlock<T>];
        for (int k = 0; k < kInBlock<T>; ++k) some[k] = direction.out(points[i + k]);
        store_rows(out + at[0] + i, lines.size, some);
      }
    } else {
      Point<T> rows[n];
      transpose(points, rows);
      for (int l = 0; l < n; ++l) store_adjacent(out + at[l], direction.out(rows[l]));
    }
  }
};

// f(first line, two buffers of n points) for each group of kLanes lines.
template <class T, class F>
void over_groups(int64_t lines, int64_t n, F&& f) {
  constexpr int64_t wide = kLanes<T>;
  parallel_for((lines + wide - 1) / wide, 4096 / (n * wide) + 1, [&](int64_t begin, int64_t end) {
    Scratch<Point<T>> buffers(2 * n);
    for (int64_t g = begin; g < end; ++g) f(g * wide, buffers.data(), buffers.data() + n);
  });
}

// Neighbours as a matrix (fft_rows.h) of which vectors are rather whole.
template <class T>
bool fills_matrix(int64_t n) {
  auto [a, b] = near_square(n);
  auto whole = [](int64_t x) { return (x + kLanes<T> - 1) / kLanes<T> * kLanes<T>; };
  return 5 * a * b >= 4 * whole(a) * whole(b);
}

template <class T>
bool in_lanes(const Lines& l, int64_t n) {
  int64_t most = l.count() < kLanes<T>                                ? kLanes<T> * kLanes<T> - 1
                 : l.inner > 1                                        ? kLongestInLanes
                 : kTwoBlocks && l.count() >= kManyGroups * kLanes<T> ? kLongestMoved
                 : fills_matrix<T>(n)                                 ? kLongestNeighbours
                                                                      : kLongestRagged;
  return points_in_lanes(n) <= most;
}

}  // namespace fft
}  // namespace
}  // namespace RL_ISA_NS
}  // namespace rl
