// Order along one dimension: sort, topk, kthvalue, median, nanmedian, mode. Each works line by
// line on entries (sort_keys.h) and reads the values back by position.
// To add one: a function from a line to output elements, and infer/run below.
#include <limits>

#include "kernels/sort_keys.h"

namespace rl {
namespace {

// One line of the input and of the two outputs.
template <class T>
struct Line {
  const T* x;
  int64_t n, step;
  T* values;
  int64_t* indices;
  int64_t out_step;
  void put(int64_t j, int64_t i) const {
    values[j * out_step] = x[i * step];
    indices[j * out_step] = i;
  }
};

// Calls f(line, entries, scratch) for every line of the input; outputs have `m` per line.
template <class T, class F>
void each_line(const Tensor& x, Tensor& values, Tensor& indices, int dim, F&& f) {
  Lines l = lines_of(x, dim), out = lines_of(values, dim);
  if (values.ndim < x.ndim) out = {l.outer, 1, l.inner};
  RL_CHECK(l.size <= kMaxLine, "sort: lines of more than ", kMaxLine,
           " elements are not supported");
  parallel_for(l.count(), line_grain(l, 8), [&](int64_t b, int64_t e) {
    std::vector<EntryOf<T>> entries(static_cast<size_t>(l.size));
    SortScratch scratch;
    for (int64_t i = b; i < e; ++i) {
      int64_t at = out.start(i);
      Line<T> line{x.data<T>() + l.start(i),     l.size,   l.inner, values.data<T>() + at,
                   indices.data<int64_t>() + at, out.inner};
      f(line, entries.data(), scratch);
    }
  });
}

template <class T>
void sort_line(const Line<T>& l, bool descending, EntryOf<T>* e, SortScratch& s) {
  make_entries(l.x, l.n, l.step, descending, e);
  sort_entries(e, l.n, s);
  for (int64_t j = 0; j < l.n; ++j) l.put(j, e[j].index());
}

// The k first in order: a bounded pool of candidates that shrinks whenever it is full, so most
// elements cost one comparison with the pool's current bound.
template <class T>
void top_line(const Line<T>& l, int64_t k, bool largest, EntryOf<T>* pool) {
  KeyOf<T> flip = largest ? ~KeyOf<T>(0) : 0, bound = ~KeyOf<T>(0);
  int64_t capacity = std::min(l.n, k + std::max<int64_t>(k, 24)), filled = 0;
  constexpr int64_t kRun = 32;
  KeyOf<T> keys[kRun];
  for (int64_t i = 0; i < l.n; i += kRun) {
    int64_t run = std::min(kRun, l.n - i);
    const T* x = l.x + i * l.step;
    if (run == kRun && l.step == 1)
      for (int64_t j = 0; j < kRun; ++j) keys[j] = key_of(x[j]) ^ flip;
    else
      for (int64_t j = 0; j < run; ++j) keys[j] = key_of(x[j * l.step]) ^ flip;
    int candidates = 0;
    for (int64_t j = 0; run == kRun && j < kRun; ++j) candidates += keys[j] <= bound;
    if (run == kRun && !candidates) continue;
    for (int64_t j = 0; j < run; ++j) {
      if (keys[j] > bound) continue;
      pool[filled++] = EntryOf<T>::make(keys[j], i + j);
      if (filled < capacity || k == 0 || filled <= k) continue;
      std::nth_element(pool, pool + k - 1, pool + filled);
      filled = k;
      bound = pool[k - 1].key();
    }
  }
  std::partial_sort(pool, pool + k, pool + filled);
  for (int64_t j = 0; j < k; ++j) l.put(j, pool[j].index());
}

template <class T>
void kth_line(const Line<T>& l, int64_t k, EntryOf<T>* e) {
  make_entries(l.x, l.n, l.step, false, e);
  std::nth_element(e, e + k, e + l.n);
  l.put(0, e[k].index());
}

// The lower median. NaN wins over everything, unless it is to be left out.
template <class T>
void median_line(const Line<T>& l, bool skip_nan, EntryOf<T>* e) {
  int64_t nans = 0, first_nan = 0;
  for (int64_t i = l.n; i-- > 0;)
    if (l.x[i * l.step] != l.x[i * l.step]) ++nans, first_nan = i;
  if (nans && (!skip_nan || nans == l.n)) return l.put(0, first_nan);
  kth_line(l, (l.n - nans - 1) / 2, e);
}

// The most frequent value, the smallest of several; reported at its last position.
template <class T>
void mode_line(const Line<T>& l, EntryOf<T>* e, SortScratch& s) {
  make_entries(l.x, l.n, l.step, false, e);
  sort_entries(e, l.n, s);
  int64_t best = 0, best_run = 0, run = 0;
  for (int64_t i = 0; i < l.n; ++i) {
    run = i && e[i].key() == e[i - 1].key() ? run + 1 : 1;
    if (run > best_run) best_run = run, best = i;
  }
  l.put(0, e[best].index());
}

// --- infer and run
void two_outputs(Call& c, Sizes sizes) {
  DType d = c.tensor(0).dtype;
  if (is_complex(d)) fail(c.op, ": complex numbers have no order, got ", d);
  c.add_out(sizes, d);
  c.add_out(sizes, DType::I64);
}

// Runs `f` on typed lines of the contiguous input.
template <class F>
void run_lines(Call& c, int dim_arg, F&& f) {
  if (c.out(0).numel == 0) return;
  Ref<Tensor> x = contiguous(c.tensor(0));
  Unlocked unlocked(x->numel * 8);
  with_ordered(c.op, x->dtype,
               [&]<class T>() { each_line<T>(*x, c.out(0), c.out(1), dim_of(c, dim_arg), f); });
}

// sort(self, dim, descending) and sort.stable(self, stable, dim, descending): always stable
template <int Dim>
void sort_infer(Call& c) {
  dim_of(c, Dim);
  two_outputs(c, c.tensor(0).sizes());
}
template <int Dim>
void sort_run(Call& c) {
  bool descending = c.flag(Dim + 1);
  run_lines(c, Dim, [=]<class T>(const Line<T>& l, EntryOf<T>* e, SortScratch& s) {
    sort_line(l, descending, e, s);
  });
}

// topk(self, k, dim, largest, sorted): always sorted
void topk_infer(Call& c) {
  const Tensor& t = c.tensor(0);
  int dim = dim_of(c, 2);
  int64_t k = c.integer(1);
  RL_CHECK(k >= 0 && k <= size_or_one(t, dim), "topk: selected index k out of range: k is ", k,
           ", dimension ", dim, " has ", size_or_one(t, dim), " elements");
  SizeVec sizes(t.sizes().begin(), t.sizes().end());
  if (t.ndim) sizes[static_cast<size_t>(dim)] = k;
  two_outputs(c, sizes);
}
void topk_run(Call& c) {
  int64_t k = c.integer(1);
  bool largest = c.flag(3);
  if (c.tensor(0).ndim == 0 && k == 0) return;
  run_lines(c, 2, [=]<class T>(const Line<T>& l, EntryOf<T>* e, SortScratch& s) {
    if (k * 4 < l.n) return top_line(l, k, largest, e);
    make_entries(l.x, l.n, l.step, largest, e);
    sort_entries(e, l.n, s);
    for (int64_t j = 0; j < k; ++j) l.put(j, e[j].index());
  });
}

// One result per line: the dimension goes, or stays with size one.
void one_per_line(Call& c, int dim_arg) {
  const Tensor& t = c.tensor(0);
  int dim = dim_of(c, dim_arg);
  if (t.ndim && t.size(dim) == 0)
    fail(ErrorKind::Index, c.op, "(): Expected reduction dim ", dim, " to have non-zero size.");
  SizeVec sizes(t.sizes().begin(), t.sizes().end());
  if (t.ndim && c.flag(dim_arg + 1))
    sizes[static_cast<size_t>(dim)] = 1;
  else if (t.ndim)
    sizes.erase(sizes.begin() + dim);
  two_outputs(c, sizes);
}

// kthvalue(self, k, dim, keepdim)
void kthvalue_infer(Call& c) {
  one_per_line(c, 2);
  int64_t n = size_or_one(c.tensor(0), dim_of(c, 2)), k = c.integer(1);
  RL_CHECK(k >= 1 && k <= n, "kthvalue(): selected number k out of range for dimension ",
           dim_of(c, 2), ": k is ", k, ", the dimension has ", n, " elements");
}
void kthvalue_run(Call& c) {
  int64_t k = c.integer(1) - 1;
  run_lines(c, 2,
            [=]<class T>(const Line<T>& l, EntryOf<T>* e, SortScratch&) { kth_line(l, k, e); });
}

// median.dim(self, dim, keepdim), nanmedian.dim, mode
void median_infer(Call& c) {
  if (c.tensor(0).dtype == DType::Bool)
    fail(ErrorKind::NotImplemented, c.op, "(): not implemented for 'Bool'; convert the input");
  one_per_line(c, 1);
}
template <bool SkipNan>
void median_run(Call& c) {
  run_lines(c, 1, []<class T>(const Line<T>& l, EntryOf<T>* e, SortScratch&) {
    median_line(l, SkipNan, e);
  });
}
void mode_infer(Call& c) { one_per_line(c, 1); }
void mode_run(Call& c) {
  run_lines(c, 1,
            []<class T>(const Line<T>& l, EntryOf<T>* e, SortScratch& s) { mode_line(l, e, s); });
}

RL_KERNEL("sort", sort_infer<1>, sort_run<1>);
RL_KERNEL("sort.stable", sort_infer<2>, sort_run<2>);
RL_KERNEL("topk", topk_infer, topk_run);
RL_KERNEL("kthvalue", kthvalue_infer, kthvalue_run);
RL_KERNEL("median.dim", median_infer, median_run<false>);
RL_KERNEL("nanmedian.dim", median_infer, median_run<true>);
RL_KERNEL("mode", mode_infer, mode_run);

}  // namespace
}  // namespace rl
