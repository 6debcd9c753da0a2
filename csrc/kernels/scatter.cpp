// Writing elements by position, one index per element: scatter, scatter_add, scatter_reduce.
// Work is split so that no two threads write the same element, so results do not depend on the
// number of threads. Slices by index are in index_reduce.cpp, reading in gather.cpp.
#include "kernels/combine.h"

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
};

// Targets lie rows apart, where no prefetcher finds them: each is asked for this many elements
// ahead.
constexpr int64_t kAhead = 16;

// Every element of index becomes f(position in out, position in source). Threads take ranges of
// the positions after `dim`, or of those before it, never parts of one line.
template <class F>
void each_target(const ScatterPlan& p, const Tensor* src, const char* op, F&& f) {
  auto* base = static_cast<const char*>(p.out.raw());
  int64_t item = item_size(p.out.dtype);
  auto prefetch = [=](int64_t at) { __builtin_prefetch(base + at * item, 1); };
  auto* ix = p.index.data<int64_t>();
  int64_t n = size_or_one(p.out, p.dim), step = stride_or_zero(p.out, p.dim);
  int64_t src_step = src ? stride_or_zero(*src, p.dim) : 0;
  const int64_t* to = p.inner_out.empty() ? nullptr : p.inner_out.data();
  const int64_t* from = p.inner_src.empty() ? nullptr : p.inner_src.data();
  auto run = [&](int64_t o_begin, int64_t o_end, int64_t k_begin,
                 int64_t k_end) __attribute__((noinline)) {
    for (int64_t o = o_begin; o < o_end; ++o) {
      int64_t out0 = outer_offset(p.index, p.out, p.dim, o);
      int64_t src0 = src ? outer_offset(p.index, *src, p.dim, o) : 0;
      for (int64_t j = 0; j < p.l.size; ++j) {
        const int64_t* row = ix + (o * p.l.size + j) * p.l.inner;
        for (int64_t k = k_begin; k < k_end; ++k) {
          if (static_cast<uint64_t>(row[k]) >= static_cast<uint64_t>(n))
            bad_index(ErrorKind::Runtime, op, row[k], p.dim, n);
          if (k + kAhead < k_end)
            prefetch(out0 + row[k + kAhead] * step + (to ? to[k] : k + kAhead));
          f(out0 + row[k] * step + (to ? to[k] : k), src0 + j * src_step + (from ? from[k] : k));
        }
      }
    }
  };
  if (p.l.outer >= p.l.inner)
    parallel_for(p.l.outer, line_grain({1, p.l.size * p.l.inner, 1}),
                 [&](int64_t b, int64_t e) { run(b, e, 0, p.l.inner); });
  else
    parallel_for(p.l.inner, std::max<int64_t>(16, line_grain({1, p.l.size * p.l.outer, 1})),
                 [&](int64_t b, int64_t e) { run(0, p.l.outer, b, e); });
}

template <class T, class Combine>
void scatter_elements(const ScatterPlan& p, const Tensor* src, T value, const char* op) {
  T* out = p.out.data<T>();
  if (!src)
    return each_target(p, nullptr, op,
                       [&](int64_t to, int64_t) { out[to] = Combine::apply(out[to], value); });
  auto* x = src->data<T>();
  each_target(p, src, op,
              [&](int64_t to, int64_t from) { out[to] = Combine::apply(out[to], x[from]); });
}

void scatter_into(const ScatterPlan& p, const Source& src, Reduce r, const char* op) {
  Unlocked unlocked(p.index.numel);
  alignas(16) char value[16];
  dispatch(p.out.dtype, [&]<class T>() { *reinterpret_cast<T*>(value) = src.number.to<T>(); });
  if (r == Reduce::Replace)
    return with_size(item_size(p.out.dtype), [&]<class U>() {
      scatter_elements<U, Replace>(p, src.tensor, *reinterpret_cast<U*>(value), op);
    });
  dispatch(p.out.dtype, [&]<class T>() {
    with_combine(r, [&]<class Combine>() {
      scatter_elements<T, Combine>(p, src.tensor, *reinterpret_cast<T*>(value), op);
    });
  });
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
  c.add_out(c.tensor(0).sizes(), c.tensor(0).dtype);
}

void run_scatter(Call& c, Reduce r) {
  Tensor& out = c.out(0);
  start_from(out, c.tensor(0));
  if (c.tensor(2).numel == 0) return;
  Ref<Tensor> index = index_values(c.tensor(2));
  int dim = dim_of(c, 1);
  Tensor* src = c.tensor_or_null(3);
  ScatterPlan p{out,
                *index,
                dim,
                lines_of(*index, dim),
                inner_offsets(*index, out, dim),
                src ? inner_offsets(*index, *src, dim) : std::vector<int64_t>()};
  scatter_into(p, {src, c.scalar(3)}, r, c.op);
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
  start_from(c.out(0), c.tensor(0));
  if (c.tensor(2).numel == 0) return;
  Ref<Tensor> index = index_values(c.tensor(2));
  int dim = dim_of(c, 1);
  Tensor& src = c.tensor(3);
  Lines l = lines_of(*index, dim);
  reduce_into(
      c.out(0), parse_reduce(c, c.text(4)), c.flag(5),
      [&](Tensor& to, const Scalar* number, Reduce r) {
        ScatterPlan p{
            to, *index, dim, l, inner_offsets(*index, to, dim), inner_offsets(*index, src, dim)};
        scatter_into(p, number ? Source{nullptr, *number} : Source{&src, {}}, r, c.op);
      });
}

RL_UPDATE("scatter.src", scatter_infer, scatter_run);
RL_UPDATE("scatter.value", scatter_infer, scatter_run);
RL_UPDATE("scatter_add", scatter_infer, scatter_add_run);
RL_UPDATE("scatter_reduce", scatter_reduce_infer, scatter_reduce_run);

}  // namespace
}  // namespace rl
