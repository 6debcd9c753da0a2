// Bags of rows of a table: their sums, means and maxima, without a copy of the rows. A bag is a run
// of `indices`; bags begin at `starts`, or all have one size where that is null.
#include "core/allocator.h"
#include "kernels/short_floats.h"
#include "kernels/vectors.h"
#include "plan/copy.h"
#include "plan/parallel.h"

namespace rl {
namespace RL_ISA_NS {
namespace {

struct Bags {
  Ref<Tensor> indices, starts;  // starts: or null
  const int64_t* row;           // of each index
  int64_t count, padding, rows;

  // Arguments `at` (indices) and at + 1 (starts).
  Bags(const Call& c, int at, int64_t count, int64_t padding, int64_t rows)
      : indices(contiguous_as(c.tensor(at), DType::I64)),
        row(indices->data<int64_t>()),
        count(count),
        padding(padding),
        rows(rows) {
    if (c.has(at + 1)) starts = contiguous_as(c.tensor(at + 1), DType::I64);
    for (int64_t b = 0; starts && b < count; ++b)
      RL_CHECK(begin(b) >= 0 && begin(b) <= begin(b + 1),
               "embedding_bag: offsets must rise from 0 to the number of indices, got ", begin(b),
               " before ", begin(b + 1));
    for (int64_t k = 0; k < indices->numel; ++k)
      if (static_cast<uint64_t>(row[k]) >= static_cast<uint64_t>(rows))
        fail("embedding_bag: index out of range in self: ", row[k], " for a dimension of size ",
             rows);
  }
  bool kept(int64_t k) const { return row[k] != padding; }
  int64_t begin(int64_t b) const {
    if (!starts) return count ? indices->numel / count * b : 0;
    return b == count ? indices->numel : starts->data<int64_t>()[b];
  }
  int64_t kept_in(int64_t b) const {
    int64_t n = 0;
    for (int64_t k = begin(b); k < begin(b + 1); ++k) n += kept(k);
    return n;
  }
};

// Calls use<N>(column, width) for all columns: of N vectors, the last of which may be partly used.
template <class T, class Use>
void column_blocks(int64_t columns, Use&& use) {
  constexpr int64_t V = kLanes<T>;
  int64_t at = 0;
  for (; columns - at >= 4 * V; at += 4 * V) use.template operator()<4>(at, 4 * V);
  for (; at < columns; at += V) use.template operator()<1>(at, std::min(V, columns - at));
}
// Of a row; behind its end stands the next one, or the end of all. S: as they are stored.
template <int N, class T, class S>
[[gnu::always_inline]] inline void load_columns(const S* from, const S* end, Vector<T> (&v)[N]) {
  constexpr int64_t kAll = N * kLanes<T>;
  if (end - from >= kAll) [[likely]] {
    for (int i = 0; i < N; ++i) v[i] = load_vector(from + i * kLanes<T>);
  } else if constexpr (!std::is_same_v<S, T>) {
    widen(reinterpret_cast<T*>(v), from, end - from);
  } else {
    __builtin_memcpy(v, from, (end - from) * sizeof(T));
  }
}
template <int N, class T, class S>
[[gnu::always_inline]] inline void store_columns(S* to, int64_t width, const Vector<T> (&v)[N]) {
  constexpr int64_t kAll = N * kLanes<T>;
  S row[kAll];
  if constexpr (!std::is_same_v<S, T>)
    narrow(row, reinterpret_cast<const T*>(v), kAll);
  else
    __builtin_memcpy(row, v, sizeof v);
  if (width == kAll)
    __builtin_memcpy(to, row, sizeof row);
  else
    __builtin_memcpy(to, row, width * sizeof(S));
}

int64_t bag_grain(const Bags& bags, int64_t columns) {
  const int64_t size = bags.count ? bags.indices->numel / bags.count : 0;
  return 16384 / (columns * (size + 1) + 1) + 1;
}

// Rows of a table beyond the caches at hand are asked for so many ahead.
constexpr int64_t kAhead = 8, kNear = 512 << 10;
template <int N, class T, class S>
[[gnu::always_inline]] inline void ask_for_columns(const S* from) {
  auto* at = reinterpret_cast<const char*>(from);
  for (int64_t i = 0; i < N * kLanes<T> * static_cast<int64_t>(sizeof(S)); i += 64)
    __builtin_prefetch(at + i);
}

// In T, of rows stored as S.
template <class T, class S>
void sum_bags(const Bags& bags, const S* table, int64_t columns, const T* scales, bool mean,
              S* out) {
  const S* end_of_table = table + bags.rows * columns;
  const int64_t *row = bags.row, padding = bags.padding;
  const bool far = bags.rows * columns * static_cast<int64_t>(sizeof(S)) > kNear;
  const int64_t asked = far ? bags.indices->numel - kAhead : 0;
  parallel_for(bags.count, bag_grain(bags, columns), [=, &bags](int64_t from, int64_t to) {
    for (int64_t b = from; b < to; ++b) {
      const int64_t begin = bags.begin(b), end = bags.begin(b + 1);
      const T divide = mean ? std::max<T>(1, bags.kept_in(b)) : T(1);
      column_blocks<T>(columns, [&]<int N>(int64_t at, int64_t width) {
        Vector<T> sums[N] = {}, v[N] = {};
        for (int64_t k = begin; k < end; ++k) {
          if (k < asked) ask_for_columns<N, T>(table + row[k + kAhead] * columns + at);
          if (row[k] == padding) continue;
          load_columns<N, T>(table + row[k] * columns + at, end_of_table, v);
          for (int i = 0; i < N; ++i) sums[i] += scales ? v[i] * scales[k] : v[i];
        }
        if (mean)
          for (auto& s : sums) s /= divide;
        store_columns<N, T>(out + b * columns + at, width, sums);
      });
    }
  });
}

// Its gradient for the table. Rows are met in one order, whatever the threads: those have columns.
template <class T>
void scatter_bags(const Bags& bags, const T* grad, int64_t columns, const T* scales, bool mean,
                  T* out) {
  constexpr int64_t kColumns = 64;
  std::fill_n(out, bags.rows * columns, T{});
  parallel_for((columns + kColumns - 1) / kColumns, 1, [&](int64_t from, int64_t to) {
    const int64_t first = from * kColumns, width = std::min(to * kColumns, columns) - first;
    Scratch<T> line(width);
    T* g = line.data();
    for (int64_t b = 0; b < bags.count; ++b) {
      const T divide = mean ? std::max<T>(1, bags.kept_in(b)) : T(1);
      for (int64_t i = 0; i < width; ++i) g[i] = grad[b * columns + first + i] / divide;
      for (int64_t k = bags.begin(b); k < bags.begin(b + 1); ++k) {
        if (!bags.kept(k)) continue;
        T* row = out + bags.row[k] * columns + first;
        const T scale = scales ? scales[k] : T(1);
#pragma GCC ivdep
        for (int64_t i = 0; i < width; ++i) row[i] += scale * g[i];
      }
    }
  });
}

// And for the scales: each row's product with the gradient of its bag.
template <class T>
void dot_bags(const Bags& bags, const T* grad, const T* table, int64_t columns, T* out) {
  parallel_for(bags.count, bag_grain(bags, columns), [&](int64_t from, int64_t to) {
    for (int64_t b = from; b < to; ++b)
      for (int64_t k = bags.begin(b); k < bags.begin(b + 1); ++k) {
        Vector<T> sums{};
        if (bags.kept(k))
          column_blocks<T>(columns, [&]<int N>(int64_t at, int64_t width) {
            Vector<T> g[N] = {}, v[N] = {};
            __builtin_memcpy(g, grad + b * columns + at, width * sizeof(T));
            __builtin_memcpy(v, table + bags.row[k] * columns + at, width * sizeof(T));
            for (int i = 0; i < N; ++i) sums += g[i] * v[i];
          });
        out[k] = join_lanes<SumStep, T>(sums);
      }
  });
}

// The largest of each column and the row that it is in: the first one; -1 in an empty bag.
template <class T, class S>
void largest_of_bags(const Bags& bags, const S* table, int64_t columns, S* out, int64_t* where) {
  using Places = decltype(Vector<T>{} < Vector<T>{});
  const S* end_of_table = table + bags.rows * columns;
  parallel_for(bags.count, bag_grain(bags, columns), [&](int64_t from, int64_t to) {
    for (int64_t b = from; b < to; ++b) {
      int64_t begin = bags.begin(b);
      const int64_t end = bags.begin(b + 1);
      while (begin < end && !bags.kept(begin)) ++begin;
      if (begin == end) {
        std::fill_n(out + b * columns, columns, S{});
        std::fill_n(where + b * columns, columns, int64_t{-1});
        continue;
      }
      column_blocks<T>(columns, [&]<int N>(int64_t at, int64_t width) {
        Vector<T> top[N] = {}, v[N] = {};
        Places places[N] = {};
        load_columns<N, T>(table + bags.row[begin] * columns + at, end_of_table, top);
        for (int64_t k = begin + 1; k < end; ++k) {
          if (!bags.kept(k)) continue;
          load_columns<N, T>(table + bags.row[k] * columns + at, end_of_table, v);
          const auto here = static_cast<std::remove_cvref_t<decltype(places[0][0])>>(k - begin);
          for (int i = 0; i < N; ++i) {
            places[i] = v[i] > top[i] ? Places{} + here : places[i];
            top[i] = v[i] > top[i] ? v[i] : top[i];
          }
        }
        store_columns<N, T>(out + b * columns + at, width, top);
        for (int64_t i = 0; i < width; ++i)
          where[b * columns + at + i] = bags.row[begin + places[i / kLanes<T>][i % kLanes<T>]];
      });
    }
  });
}

// What rows of this dtype are summed in.
DType sums_dtype(DType rows) { return rows == DType::F64 ? DType::F64 : DType::F32; }

// run<T, S>() for rows stored as S and summed in T.
template <class Run>
void with_rows(DType rows, Run&& run) {
  if (rows == DType::F64) return run.template operator()<double, double>();
  if (rows == DType::F16) return run.template operator()<float, Half>();
  if (rows == DType::BF16) return run.template operator()<float, BFloat16>();
  run.template operator()<float, float>();
}
// run<T>(of out or of a copy to sum in).
template <class Run>
void with_sums(Tensor& out, Run&& run) {
  DType sums = sums_dtype(out.dtype);
  Ref<Tensor> to = out.dtype == sums ? Ref<Tensor>::share(&out) : empty(out.sizes(), sums);
  {
    Unlocked unlocked(out.numel);
    sums == DType::F64 ? run(to->data<double>()) : run(to->data<float>());
  }
  if (to.get() != &out) copy_into(out, *to);
}
Ref<Tensor> scales_of(const Call& c, int i) {
  return c.has(i) ? contiguous_as(c.tensor(i), sums_dtype(c.out(0).dtype)) : Ref<Tensor>();
}

// _bag_sum(weight, indices, starts, scales, bags, padding, mean)
void sum_infer(Call& c) {
  c.add_out(SizeVec{c.integer(4), c.tensor(0).size(1)}, c.tensor(0).dtype);
}
void sum_run(Call& c) {
  Ref<Tensor> table = contiguous(c.tensor(0)), scales = scales_of(c, 3);
  Bags bags(c, 1, c.integer(4), c.integer(5), table->size(0));
  Unlocked unlocked(bags.indices->numel * table->size(1));
  with_rows(c.out(0).dtype, [&]<class T, class S>() {
    sum_bags<T>(bags, table->data<S>(), table->size(1), scales ? scales->data<T>() : nullptr,
                c.flag(6), c.out(0).data<S>());
  });
}

// _bag_scatter(grad, indices, starts, scales, rows, padding, mean)
void scatter_infer(Call& c) {
  c.add_out(SizeVec{c.integer(4), c.tensor(0).size(1)}, c.tensor(0).dtype);
}
void scatter_run(Call& c) {
  DType sums = sums_dtype(c.out(0).dtype);
  Ref<Tensor> grad = contiguous_as(c.tensor(0), sums), scales = scales_of(c, 3);
  Bags bags(c, 1, grad->size(0), c.integer(5), c.integer(4));
  with_sums(c.out(0), [&]<class T>(T* out) {
    scatter_bags(bags, grad->data<T>(), grad->size(1), scales ? scales->data<T>() : nullptr,
                 c.flag(6), out);
  });
}

// _bag_dot(grad, weight, indices, starts, padding)
void dot_infer(Call& c) { c.add_out(c.tensor(2).sizes(), c.tensor(0).dtype); }
void dot_run(Call& c) {
  DType sums = sums_dtype(c.out(0).dtype);
  Ref<Tensor> grad = contiguous_as(c.tensor(0), sums), table = contiguous_as(c.tensor(1), sums);
  Bags bags(c, 2, grad->size(0), c.integer(4), table->size(0));
  with_sums(c.out(0), [&]<class T>(T* out) {
    dot_bags(bags, grad->data<T>(), table->data<T>(), table->size(1), out);
  });
}

// _bag_max(weight, indices, starts, bags, padding) -> (largest, the row of each)
void max_infer(Call& c) {
  const SizeVec sizes{c.integer(3), c.tensor(0).size(1)};
  c.add_out(sizes, c.tensor(0).dtype);
  c.add_out(sizes, DType::I64);
}
void max_run(Call& c) {
  Ref<Tensor> table = contiguous(c.tensor(0));
  Bags bags(c, 1, c.integer(3), c.integer(4), table->size(0));
  Unlocked unlocked(bags.indices->numel * table->size(1));
  with_rows(c.out(0).dtype, [&]<class T, class S>() {
    largest_of_bags<T>(bags, table->data<S>(), table->size(1), c.out(0).data<S>(),
                       c.out(1).data<int64_t>());
  });
}

RL_ISA_KERNEL("_bag_sum", sum_infer, sum_run);
RL_ISA_KERNEL("_bag_scatter", scatter_infer, scatter_run);
RL_ISA_KERNEL("_bag_dot", dot_infer, dot_run);
RL_ISA_KERNEL("_bag_max", max_infer, max_run);

}  // namespace
}  // namespace RL_ISA_NS
}  // namespace rl
