// Writing elements by position, one index per element: scatter, scatter_add, scatter_reduce.
// Work is split so that no two threads write the same element, so results do not depend on the
// number of threads. Slices by index are in index_reduce.cpp, reading in gather.cpp.
#include "core/allocator.h"
#include "kernels/combine.h"
#include "kernels/line_starts.h"
#include "plan/fits.h"

namespace rl {
namespace {

// --- scatter: index, and source where there is one, have as many dimensions as self
struct Source {
  const Tensor* tensor = nullptr;  // null: `number`
  Scalar number;
};

// Where the elements of `index` lie in out and in the source.
struct ScatterPlan {
  const Tensor &out, &index;
  int dim;
  Lines l;
  std::vector<int64_t> inner_out, inner_src;
  LineStarts out_lines, src_lines;
};

// Targets lie rows apart, where no prefetcher finds them: each is asked for this many elements
// ahead, unless so few bytes are near anyway.
constexpr int64_t kAhead = 16, kNear = 512 << 10;

// Where elements come from: a tensor, or one number that stands for all of them.
struct Values {
  const Tensor* tensor;
  const void* data;
  int64_t step, next;  // along `dim`, and from one position after it to the next; 0: the number
};

// Combines the elements of index from o_begin to o_end before `dim` and from k_begin to k_end
// after it. Compiled per dtype and combination, so the loops over threads are not part of it.
using WriteTargets = void (*)(const ScatterPlan& p, const Values& v, const char* op,
                              int64_t o_begin, int64_t o_end, int64_t k_begin, int64_t k_end);

// One line along the last dimension, where both sides are `step`s apart.
template <class T, class Combine>
void write_line(T* out, int64_t step, const int64_t* index, int64_t count, const T* x,
                int64_t x_step) {
  if (step == 1 && x_step == 1) {
#pragma GCC unroll 4
    for (int64_t j = 0; j < count; ++j) meet<Combine>(out[index[j]], x[j]);
    return;
  }
  for (int64_t j = 0; j < count; ++j) meet<Combine>(out[index[j] * step], x[j * x_step]);
}

// One element of each of many lines that lie evenly.
template <class T, class Combine>
void write_elements(T* out, int64_t out_line, int64_t step, const int64_t* index, int64_t count,
                    const T* x, int64_t x_line) {
  for (int64_t o = 0; o < count; ++o)
    meet<Combine>(out[o * out_line + index[o] * step], x[o * x_line]);
}

template <class T, class Combine>
void write_targets(const ScatterPlan& p, const Values& v, const char* op, int64_t o_begin,
                   int64_t o_end, int64_t k_begin, int64_t k_end) {
  T* out = p.out.data<T>();
  auto* x = static_cast<const T*>(v.data);
  auto* ix = p.index.data<int64_t>();
  int64_t n = size_or_one(p.out, p.dim), step = stride_or_zero(p.out, p.dim);
  const int64_t v_step = v.step, v_next = v.next;
  const int64_t* to = p.inner_out.empty() ? nullptr : p.inner_out.data();
  const int64_t* from = p.inner_src.empty() || !v.tensor ? nullptr : p.inner_src.data();
  if (p.l.size * p.l.inner == 1 && p.out_lines.even() && p.src_lines.even()) {
    int64_t count = o_end - o_begin, x_line = v.tensor ? p.src_lines.step() : 0;
    check_indices(ix + o_begin, count, n, op, p.dim);
    return write_elements<T, Combine>(out + p.out_lines[o_begin], p.out_lines.step(), step,
                                      ix + o_begin, count, x + o_begin * x_line, x_line);
  }
  bool far = p.out.numel * static_cast<int64_t>(sizeof(T)) > kNear;
  int64_t asked = far ? k_end - kAhead : k_begin;
  for (int64_t o = o_begin; o < o_end; ++o) {
    int64_t out0 = p.out_lines[o];
    int64_t src0 = v.tensor ? p.src_lines[o] : 0;
    if (p.l.inner == 1) {
      each_piece(ix + o * p.l.size, p.l.size, n, op, p.dim,
                 [=](const int64_t* at, int64_t j, int64_t count) {
                   write_line<T, Combine>(out + out0, step, at, count, x + src0 + j * v_step,
                                          v_step);
                 });
      continue;
    }
    for (int64_t j = 0; j < p.l.size; ++j) {
      const int64_t* row = ix + (o * p.l.size + j) * p.l.inner;
      for (int64_t k = k_begin; k < k_end; ++k) {
        if (static_cast<uint64_t>(row[k]) >= static_cast<uint64_t>(n))
          bad_index(ErrorKind::Runtime, op, row[k], p.dim, n);
        if (k < asked)
          __builtin_prefetch(out + out0 + row[k + kAhead] * step + (to ? to[k] : k + kAhead), 1);
        meet<Combine>(out[out0 + row[k] * step + (to ? to[k] : k)],
                      x[src0 + j * v_step + (from ? from[k] : k * v_next)]);
      }
    }
  }
}

// ---- targets beyond the second-level cache, hit at random: strips of them are copied into it, met
// there, and copied back. (Strips where they are would share a few sets of the cache if rows are a
// power of two.) Threads have a strip each of what is within the cache of the one that made it:
// lines change cores fast in order, and slowly at random.
constexpr int64_t kBeyond = 1 << 20;  // bytes
constexpr int64_t kShare = 16384;     // elements worth a thread

// Elements of a row that a strip has; 0: not worth it.
int64_t strip_width(const ScatterPlan& p) {
  int64_t n = size_or_one(p.out, p.dim), item = item_size(p.out.dtype), line = 64 / item;
  bool rows = p.inner_out.empty() && p.l.inner >= line && p.index.ndim == p.out.ndim;
  if (!rows || p.l.size < n / 4) return 0;
  int64_t shares = std::min<int64_t>(num_threads(), p.l.size * p.l.inner / kShare);
  if (n * p.l.inner * item <= kBeyond)
    return shares <= 1 || in_parallel() ? 0 : ((p.l.inner - 1) / shares / line + 1) * line;
  int64_t width = kNear / (n * item) / line * line;
  return width ? std::min(width, p.l.inner) : n * line * item <= kBeyond ? line : 0;
}

template <class T, class Combine>
void write_strip(const ScatterPlan& p, const Values& v, const char* op, int64_t o, int64_t k,
                 int64_t width) {
  int64_t n = size_or_one(p.out, p.dim), step = stride_or_zero(p.out, p.dim);
  Scratch<T> strip(n * width);
  const int64_t v_step = v.step, v_next = v.next;
  T *near = strip.data(), *out = p.out.data<T>() + p.out_lines[o] + k;
  auto* x = static_cast<const T*>(v.data);
  if (v.tensor) x += p.src_lines[o];
  auto* ix = p.index.data<int64_t>() + o * p.l.size * p.l.inner + k;
  const int64_t* from = p.inner_src.empty() || !v.tensor ? nullptr : p.inner_src.data();
  for (int64_t i = 0; i < n; ++i) std::copy_n(out + i * step, width, near + i * width);
  for (int64_t j = 0; j < p.l.size; ++j, ix += p.l.inner)
    for (int64_t c = 0; c < width; ++c) {
      if (static_cast<uint64_t>(ix[c]) >= static_cast<uint64_t>(n))
        bad_index(ErrorKind::Runtime, op, ix[c], p.dim, n);
      meet<Combine>(near[ix[c] * width + c],
                    x[j * v_step + (from ? from[k + c] : (k + c) * v_next)]);
    }
  for (int64_t i = 0; i < n; ++i) std::copy_n(near + i * width, width, out + i * step);
}

using WriteStrip = void (*)(const ScatterPlan& p, const Values& v, const char* op, int64_t o,
                            int64_t k, int64_t width);
void each_strip(const ScatterPlan& p, const Values& v, const char* op, int64_t width,
                WriteStrip write) {
  int64_t across = (p.l.inner + width - 1) / width;
  parallel_for(p.l.outer * across, 1, [&](int64_t b, int64_t e) {
    for (int64_t i = b; i < e; ++i) {
      int64_t k = i % across * width;
      write(p, v, op, i / across, k, std::min(width, p.l.inner - k));
    }
  });
}

// Threads take ranges of the positions after `dim`, or of those before it, never parts of a line.
void each_target(const ScatterPlan& p, const Values& v, const char* op, WriteTargets write) {
  if (p.l.outer >= p.l.inner)
    parallel_for(p.l.outer, line_grain({1, p.l.size * p.l.inner, 1}),
                 [&](int64_t b, int64_t e) { write(p, v, op, b, e, 0, p.l.inner); });
  else
    parallel_for(p.l.inner, std::max<int64_t>(16, line_grain({1, p.l.size * p.l.outer, 1})),
                 [&](int64_t b, int64_t e) { write(p, v, op, 0, p.l.outer, b, e); });
}

void scatter_into(Tensor& out, const Tensor& index, int dim, const Source& src, Reduce r,
                  const char* op) {
  const Tensor* t = src.tensor;
  ScatterPlan p{out,
                index,
                dim,
                lines_of(index, dim),
                inner_offsets(index, out, dim),
                t ? inner_offsets(index, *t, dim) : std::vector<int64_t>(),
                LineStarts(index, out, dim),
                LineStarts(index, t ? *t : out, dim)};
  Unlocked unlocked(index.numel);
  alignas(16) char number[16];
  store_number(number, out.dtype, src.number);
  Values values{t, t ? t->raw() : number, t ? stride_or_zero(*t, dim) : 0, t ? 1 : 0};
  WriteTargets write = nullptr;
  WriteStrip write_near = nullptr;
  auto take = [&]<class T, class Combine>() {
    write = write_targets<T, Combine>, write_near = write_strip<T, Combine>;
  };
  if (r == Reduce::Replace)
    with_size(item_size(out.dtype), [&]<class U>() { take.template operator()<U, Replace>(); });
  else
    dispatch(out.dtype, [&]<class T>() {
      with_combine(r, [&]<class Combine>() { take.template operator()<T, Combine>(); });
    });
  if (int64_t width = strip_width(p)) return each_strip(p, values, op, width, write_near);
  each_target(p, values, op, write);
}

void scatter_from(Tensor& out, const Tensor& index, int dim, const Tensor& src, Reduce r,
                  const char* op) {
  combine_wide(out, src, r, [&](Tensor& to, const Tensor& from) {
    scatter_into(to, index, dim, {&from, {}}, r, op);
  });
}

// f(index, source) where the index has one position for each slice; else false.
template <class F>
bool by_slices(Tensor& out, int dim, const Tensor& index, const Tensor& src, F&& f) {
  bool fits = out.contiguous && fits_around(out, index, dim) && fits_around(src, index, dim) &&
              size_or_one(src, dim) == size_or_one(index, dim);
  Ref<Tensor> at = fits ? slice_index(index, dim) : nullptr;
  if (!at) return false;
  f(*index_beside(out, *at), *contiguous(src));
  return true;
}

void check_scatter(const Call& c, const Tensor& self, int dim, const Tensor& index,
                   const Tensor* src) {
  if (index.numel == 0) return;
  check_index_dtype(c, index);
  auto dims = [](const Tensor& t) { return std::max<int>(t.ndim, 1); };
  RL_CHECK(dims(index) == dims(self) && (!src || dims(*src) == dims(index)), c.op,
           "(): Index tensor must have the same number of dimensions as self tensor; got ",
           index.sizes(), " for a self of ", self.sizes());
  for (int d = 0; d < index.ndim; ++d) {
    bool fits = d == dim || index.size(d) <= size_or_one(self, d);
    RL_CHECK(fits && (!src || index.size(d) <= size_or_one(*src, d)), c.op, "(): Expected index ",
             index.sizes(), " to be no larger than self ", self.sizes(), " apart from dimension ",
             dim, src ? " and to be no larger in size than src" : "");
  }
  RL_CHECK(!src || src->dtype == self.dtype, c.op,
           "(): Expected self.dtype to be equal to src.dtype; got ", self.dtype, " and ",
           src ? src->dtype : self.dtype, "; convert one of them");
}

// scatter(self, dim, index, src | value, *, reduce); scatter_add(self, dim, index, src)
void scatter_infer(Call& c) {
  check_scatter(c, c.tensor(0), dim_of(c, 1), c.tensor(2), c.tensor_or_null(3));
  if (c.n_args > 4 && c.has(4)) {
    std::string_view r = c.text(4);
    RL_CHECK(r == "add" || r == "multiply", c.op,
             "(): reduce argument must be either add or multiply, got ", r);
  }
  if (!c.tensor_or_null(3)) check_fits(c.op, c.scalar(3), c.tensor(0).dtype);
  c.add_out(c.tensor(0).sizes(), c.tensor(0).dtype);
}

void run_scatter(Call& c, Reduce r) {
  Tensor& out = c.out(0);
  start_from(out, c.tensor(0));
  if (c.tensor(2).numel == 0) return;
  int dim = dim_of(c, 1);
  Tensor* src = c.tensor_or_null(3);
  auto update = [&](const Tensor& at, const Tensor& from) {
    update_slices(out, dim, at, from, r, c.op);
  };
  if (src && by_slices(out, dim, c.tensor(2), *src, update)) return;
  Ref<Tensor> index = index_beside(out, c.tensor(2));
  if (src) return scatter_from(out, *index, dim, *src, r, c.op);
  scatter_into(out, *index, dim, {nullptr, c.scalar(3)}, r, c.op);
}
void scatter_run(Call& c) {
  run_scatter(c, c.n_args > 4 && c.has(4) ? parse_reduce(c, c.text(4)) : Reduce::Replace);
}
void scatter_add_run(Call& c) { run_scatter(c, Reduce::Sum); }

// scatter_reduce(self, dim, index, src, reduce, *, include_self)
void scatter_reduce_infer(Call& c) {
  check_scatter(c, c.tensor(0), dim_of(c, 1), c.tensor(2), &c.tensor(3));
  check_reduce(c, c.text(4), c.tensor(0).dtype);
  c.add_out(c.tensor(0).sizes(), c.tensor(0).dtype);
}
void scatter_reduce_run(Call& c) {
  Tensor& out = c.out(0);
  start_from(out, c.tensor(0));
  if (c.tensor(2).numel == 0) return;
  int dim = dim_of(c, 1);
  Reduce r = parse_reduce(c, c.text(4));
  const bool include_self = c.flag(5), plain = include_self && r != Reduce::Mean;
  auto update = [&](const Tensor& at, const Tensor& from) {
    plain ? update_slices(out, dim, at, from, r, c.op)
          : reduce_slices(out, dim, at, from, r, include_self, c.op);
  };
  if ((plain || !is_short(out.dtype)) && by_slices(out, dim, c.tensor(2), c.tensor(3), update))
    return;
  Ref<Tensor> index = index_beside(out, c.tensor(2));
  reduce_into(out, r, include_self, index->numel, [&](Tensor& to, const Scalar* number, Reduce r) {
    if (number) return scatter_into(to, *index, dim, {nullptr, *number}, r, c.op);
    scatter_from(to, *index, dim, c.tensor(3), r, c.op);
  });
}

RL_UPDATE("scatter.src", scatter_infer, scatter_run);
RL_UPDATE("scatter.value", scatter_infer, scatter_run);
RL_UPDATE("scatter_add", scatter_infer, scatter_add_run);
RL_UPDATE("scatter_reduce", scatter_reduce_infer, scatter_reduce_run);

}  // namespace
}  // namespace rl
