// sort: all of each line in order, stably. Bools and long lines of bytes are counted.
#include "kernels/sort_lines.h"

namespace rl {
namespace RL_ISA_NS {
namespace {

// sort(self, dim, descending) and sort.stable(self, stable, dim, descending): always stable
template <int Dim>
void sort_infer(Call& c) {
  dim_of(c, Dim);
  two_outputs(c, c.tensor(0).sizes());
}
// Bools: those that come first and the others, each in their order.
template <class Step>
void sort_bool_line(const bool* x, bool* values, int64_t* indices, int64_t n, Step step,
                    bool descending) {
  int64_t first = 0;
  for (int64_t j = 0; j < n; ++j) first += x[j * step] == descending;
  for (int64_t j = 0, front = 0, back = first; j < n; ++j) {
    int64_t before = x[j * step] == descending;
    indices[(back + (front - back) * before) * step] = j;  // no branch could foresee x
    front += before, back += 1 - before;
  }
  for (int64_t j = 0; j < n; ++j) values[j * step] = (j < first) == descending;
}
// False for other dtypes.
bool sort_bools(Call& c, int dim, bool descending) {
  if (c.tensor(0).dtype != DType::Bool) return false;
  Ref<Tensor> t = contiguous(c.tensor(0));
  Lines l = lines_of(*t, dim);
  Unlocked unlocked(t->numel);
  parallel_for(l.count(), line_grain(l, 2), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      int64_t at = l.start(i);
      auto sort = [&](auto step) {
        sort_bool_line(t->data<bool>() + at, c.out(0).data<bool>() + at,
                       c.out(1).data<int64_t>() + at, l.size, step, descending);
      };
      l.inner == 1 ? sort(std::integral_constant<int64_t, 1>()) : sort(l.inner);
    }
  });
  return true;
}

// A line of bytes, which exclusive-or'ed with `flip` have the order of what they stand for.
void sort_byte_line(const uint8_t* x, uint8_t flip, int64_t n, uint8_t* values, int64_t* indices) {
  auto entry = [=](int64_t i) { return PackedEntry::make(uint8_t(x[i] ^ flip), i); };
  radix_pass(n, ByteDigit(), entry, indices);
  int64_t count[256] = {};
  for (int64_t j = 0; j < n; ++j) ++count[x[j] ^ flip];
  for (int v = 0; v < 256; values += count[v++]) std::fill_n(values, count[v], uint8_t(v ^ flip));
}
// False for other dtypes, and for lines that are not long or lie apart.
bool sort_bytes(Call& c, int dim, bool descending) {
  constexpr int64_t kLong = 1024;
  const DType d = c.tensor(0).dtype;
  if (d != DType::U8 && d != DType::I8) return false;
  const Lines l = lines_of(c.tensor(0), dim);
  if (l.size < kLong || l.inner != 1) return false;
  check_length(c.op, l.size);
  Ref<Tensor> t = contiguous(c.tensor(0));
  const auto flip = uint8_t((d == DType::I8 ? 0x80 : 0) ^ (descending ? 0xff : 0));
  Unlocked unlocked(t->numel);
  parallel_for(l.outer, line_grain(l, 2), [&](int64_t begin, int64_t end) {
    for (int64_t at = begin * l.size; at < end * l.size; at += l.size)
      sort_byte_line(static_cast<const uint8_t*>(t->raw()) + at, flip, l.size,
                     static_cast<uint8_t*>(c.out(0).raw()) + at, c.out(1).data<int64_t>() + at);
  });
  return true;
}

template <int Dim>
void sort_run(Call& c) {
  bool descending = c.flag(Dim + 1);
  const int dim = dim_of(c, Dim);
  if (sort_bools(c, dim, descending) || sort_bytes(c, dim, descending)) return;
  auto all = [](const auto& sorted, const auto& l) {
    for (int64_t j = 0; j < l.n; ++j) l.put(j, sorted[j].index());
  };
  const int64_t n = size_or_one(c.tensor(0), dim);
  with_order_operands(c, dim, [&](const OrderOperands& o) {
    if (choose_by_network(o, network_line(o.x->dtype), descending, n, all)) return;
    run_lines(o, n, [=]<class K>(const Line<K>& l, EntryOf<K>*, SortScratch<K>& s) {
      in_order<K>(l, descending, s, l.indices);
    });
  });
}

RL_ISA_KERNEL("sort", sort_infer<1>, sort_run<1>);
RL_ISA_KERNEL("sort.stable", sort_infer<2>, sort_run<2>);

}  // namespace
}  // namespace RL_ISA_NS
}  // namespace rl
