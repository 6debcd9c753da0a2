// Distinct elements: _unique(self) sorts them, _unique_consecutive only merges neighbours,
// _unique_rows(self, consecutive) does either for the rows of a matrix. All give the kept
// elements, for every input element the place of its value among them, and how often each
// occurs. Two NaNs are different, as they compare.
#include "kernels/sort_keys.h"

namespace rl {
namespace {

// From positions in order, and whether each starts a new value, to the three outputs.
template <class Starts>
void finish(Call& c, const Tensor& x, bool rows, const std::vector<int64_t>& order,
            Starts&& starts) {
  auto n = static_cast<int64_t>(order.size());
  Ref<Tensor> inverse = empty(SizeVec{n}, DType::I64);
  std::vector<int64_t> first, counts;
  for (int64_t i = 0; i < n; ++i) {
    if (i == 0 || starts(order[static_cast<size_t>(i - 1)], order[static_cast<size_t>(i)])) {
      first.push_back(order[static_cast<size_t>(i)]);
      counts.push_back(0);
    }
    ++counts.back();
    inverse->data<int64_t>()[order[static_cast<size_t>(i)]] =
        static_cast<int64_t>(first.size()) - 1;
  }
  int64_t width = rows ? x.size(1) : 1;
  auto kept = static_cast<int64_t>(first.size());
  SizeVec sizes{kept};
  if (rows) sizes.push_back(width);
  Ref<Tensor> values = empty(sizes, x.dtype), count = empty(SizeVec{kept}, DType::I64);
  std::copy(counts.begin(), counts.end(), count->data<int64_t>());
  with_size(item_size(x.dtype), [&]<class U>() {
    for (int64_t i = 0; i < kept; ++i)
      std::copy_n(x.data<U>() + first[static_cast<size_t>(i)] * width, width,
                  values->data<U>() + i * width);
  });
  c.set_out(0, std::move(values));
  c.set_out(1, std::move(inverse));
  c.set_out(2, std::move(count));
}

std::vector<int64_t> in_order(int64_t n) {
  std::vector<int64_t> order(static_cast<size_t>(n));
  for (int64_t i = 0; i < n; ++i) order[static_cast<size_t>(i)] = i;
  return order;
}

void unique_run(Call& c) {
  Ref<Tensor> x = contiguous(c.tensor(0));
  RL_CHECK(x->numel <= kMaxLine, "unique: more than ", kMaxLine, " elements are not supported");
  with_ordered("unique", x->dtype, [&]<class T>() {
    auto* v = x->data<T>();
    std::vector<EntryOf<T>> e(static_cast<size_t>(x->numel));
    SortScratch scratch;
    std::vector<int64_t> order(e.size());
    {
      Unlocked unlocked(x->numel * 8);
      make_entries(v, x->numel, 1, false, e.data());
      sort_entries(e.data(), x->numel, scratch);
      for (size_t i = 0; i < e.size(); ++i) order[i] = e[i].index();
    }
    finish(c, *x, false, order, [=](int64_t a, int64_t b) { return v[a] != v[b]; });
  });
}

void unique_consecutive_run(Call& c) {
  Ref<Tensor> x = contiguous(c.tensor(0));
  dispatch(x->dtype, [&]<class T>() {
    auto* v = x->data<T>();
    finish(c, *x, false, in_order(x->numel), [=](int64_t a, int64_t b) { return v[a] != v[b]; });
  });
}

// _unique_rows(self (n, m), consecutive)
void unique_rows_run(Call& c) {
  Ref<Tensor> x = contiguous(c.tensor(0));
  RL_CHECK(x->ndim == 2, "_unique_rows: expected a matrix, got ", x->sizes());
  int64_t m = x->size(1);
  with_ordered("unique_dim", x->dtype, [&]<class T>() {
    auto* v = x->data<T>();
    std::vector<int64_t> order = in_order(x->size(0));
    if (!c.flag(1)) {
      std::stable_sort(order.begin(), order.end(), [=](int64_t a, int64_t b) {
        for (int64_t k = 0; k < m; ++k) {
          auto p = key_of(v[a * m + k]), q = key_of(v[b * m + k]);
          if (p != q) return p < q;
        }
        return false;
      });
    }
    finish(c, *x, true, order, [=](int64_t a, int64_t b) {
      for (int64_t k = 0; k < m; ++k)
        if (v[a * m + k] != v[b * m + k]) return true;
      return false;
    });
  });
}

RL_DYNAMIC("_unique", unique_run);
RL_DYNAMIC("_unique_consecutive", unique_consecutive_run);
RL_DYNAMIC("_unique_rows", unique_rows_run);

}  // namespace
}  // namespace rl
