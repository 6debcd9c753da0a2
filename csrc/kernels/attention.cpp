// Attention without its matrix of weights: a block of queries at a time is multiplied with all
// keys, exponentiated and multiplied with the values, and only the logarithm of each row's sum is
// kept; the gradient makes the weights again from it (Dao et al. 2022). Tensors are
// (batch, heads, length, size). Compiled once per instruction-set level.
#include <algorithm>
#include <cmath>
#include <limits>

#include "core/allocator.h"
#include "kernels/gemm.h"
#include "kernels/run_sums.h"
#include "plan/blocks.h"
#include "plan/copy.h"
#include "plan/isa.h"
#include "plan/parallel.h"
#include "scalar/elementary.h"

namespace rl {
namespace RL_ISA_NS {
namespace {

constexpr int64_t kMostRows = 96;  // of queries in a block

// The matrix of one head, with unit steps between columns.
template <class T>
struct Heads {
  T* data;
  int64_t heads, rows, cols, batch_step, head_step, row_step;

  explicit Heads(const Tensor& t)
      : data(static_cast<T*>(t.raw())),
        heads(t.size(1)),
        rows(t.size(2)),
        cols(t.size(3)),
        batch_step(t.stride(0)),
        head_step(t.stride(1)),
        row_step(t.stride(2)) {}
  T* at(int64_t head, int64_t row = 0) const {
    return data + head / heads * batch_step + head % heads * head_step + row * row_step;
  }
  Matrix matrix(int64_t head, int64_t begin, int64_t end) const {
    return {at(head, begin), end - begin, cols, row_step, 1};
  }
};

template <class T>
void transpose(T* to, const Matrix& m) {
  constexpr int64_t item = sizeof(T);
  mover(item)(reinterpret_cast<char*>(to), static_cast<const char*>(m.data), m.cols, m.rows,
              {m.rows * item, item}, {item, m.row_stride * item});
}

// What both directions share: the scores of a block of rows.
template <class T>
struct Scores {
  Heads<T> query, key;
  const Tensor* bias;
  bool causal;
  T scale;

  // Keys that rows before `end` may look at.
  int64_t keys(int64_t end) const { return causal ? std::min(end, key.rows) : key.rows; }
  // Rows whose scores stay in the second-level cache; fewer waste less above the diagonal.
  int64_t block() const {
    int64_t most = causal ? 32 : kMostRows;
    return std::clamp<int64_t>((1 << 16) / std::max<int64_t>(key.rows, 1), 8, most);
  }

  // So few queries, as where words are generated one by one, that the packing of keys and values
  // would cost more than their products.
  bool few() const {
    constexpr int64_t kFew = 4, kMany = 64;
    return query.rows == 1 || (query.rows <= kFew && key.rows > kMany);
  }
  // query key^T of rows [begin, end); `keys_t` is the head's key^T, unless the queries are few.
  void multiply_keys(T* to, int64_t head, int64_t begin, int64_t end, const T* keys_t) const {
    int64_t n = keys(end);
    if (few())
      return gemm_loops().of<T>().few_dots(query.matrix(head, begin, end), key.matrix(head, 0, n),
                                           to, n, 0, n, false);
    gemm_blocks().of<T>().multiply(query.matrix(head, begin, end),
                                   {keys_t, query.cols, n, key.rows, 1}, to, n, false);
  }
  // Adds the bias of a row, which scales it; returns how many of its keys count. The others
  // become 0.
  int64_t finish_row(T* row, int64_t n, int64_t head, int64_t i) const {
    int64_t used = causal ? std::min(n, i + 1) : n;
    if (bias) add_bias(row, used, head, i);
    std::fill(row + used, row + n, T(0));
    return used;
  }
  // What is left to multiply finished rows with.
  T rest() const { return bias ? T(1) : scale; }
  void add_bias(T* row, int64_t n, int64_t head, int64_t i) const {
    Heads<T> b(*bias);
    const T* from = b.at(head, i);
    int64_t step = bias->stride(3);
    if (step == 1)
      for (int64_t j = 0; j < n; ++j) row[j] = row[j] * scale + from[j];
    else
      for (int64_t j = 0; j < n; ++j) row[j] = row[j] * scale + from[j * step];
  }
};

// f(head, begin, end, keys_t) for every block of rows, on all threads.
template <class T, class F>
void each_block(const Scores<T>& s, int64_t heads, F f) {
  int64_t rows = s.query.rows, block = s.block(), blocks = (rows + block - 1) / block;
  int64_t work = block * s.key.rows * (s.query.cols + 8);
  parallel_for(heads * blocks, ((1 << 18) + work - 1) / std::max<int64_t>(work, 1),
               [&](int64_t first, int64_t last) {
                 const bool few = s.few();
                 Scratch<T> keys_t(few ? 0 : s.key.rows * s.key.cols);
                 int64_t present = -1;
                 for (int64_t i = first; i < last; ++i) {
                   int64_t head = i / blocks, begin = i % blocks * block;
                   if (!few && head != present)
                     transpose(keys_t.data(), s.key.matrix(head, 0, s.key.rows));
                   present = head;
                   f(head, begin, std::min(rows, begin + block), keys_t.data());
                 }
               });
}

template <class T>
struct Forward {
  Scores<T> scores;
  Heads<T> value, out;
  T* log_sums;

  void run(int64_t heads) const {
    each_block(scores, heads, [&](int64_t head, int64_t begin, int64_t end, const T* keys_t) {
      int64_t n = scores.keys(end);
      Scratch<T> weights((end - begin) * n);
      scores.multiply_keys(weights.data(), head, begin, end, keys_t);
      T inverse[kMostRows];
      for (int64_t i = begin; i < end; ++i)
        inverse[i - begin] = exponentiate(weights.data() + (i - begin) * n, n, head, i);
      multiply_values(weights.data(), head, begin, end, n);
      for (int64_t i = begin; i < end; ++i)
        for (int64_t j = 0; j < out.cols; ++j) out.at(head, i)[j] *= inverse[i - begin];
    });
  }
  void multiply_values(const T* weights, int64_t head, int64_t begin, int64_t end,
                       int64_t n) const {
    const Matrix values = value.matrix(head, 0, n);
    if (!scores.few())
      return gemm_blocks().of<T>().multiply({weights, end - begin, n, n, 1}, values,
                                            out.at(head, begin), out.row_step, false);
    for (int64_t i = begin; i < end; ++i, weights += n)
      gemm_loops().of<T>().sweep(transposed(values), weights, out.at(head, i), 0, out.cols, false);
  }
  // A row's weights but for their sum, whose inverse it returns. A row that may look at nothing
  // gives 0, and its gradient, too: the logarithm of its sum is kept as infinity.
  T exponentiate(T* row, int64_t n, int64_t head, int64_t i) const {
    int64_t used = scores.finish_row(row, n, head, i);
    T rest = scores.rest(), top = rest < 0 ? -largest(row, used, T(-1)) : largest(row, used, T(1));
    T& log_sum = log_sums[head * scores.query.rows + i];
    if (scores.bias && is_barred(row, used, top)) {
      std::fill_n(row, n, T(0));
      log_sum = std::numeric_limits<T>::infinity();
      return 0;
    }
    T sum = math::exp_sum(row, row, used, rest, top * rest);
    log_sum = top * rest + std::log(sum);
    return T(1) / sum;
  }
  static bool is_barred(const T* row, int64_t n, T top) {
    return top == -std::numeric_limits<T>::infinity() &&
           std::none_of(row, row + n, [](T x) { return x != x; });
  }
};

template <class T>
struct Backward {
  Scores<T> scores;
  Heads<T> value, grad, out, grad_query, grad_key, grad_value;
  const T* log_sums;

  void run(int64_t heads) const {
    int64_t work = scores.query.rows * scores.key.rows * (scores.query.cols + 8) * 4;
    parallel_for(heads, ((1 << 18) + work - 1) / std::max<int64_t>(work, 1),
                 [&](int64_t first, int64_t last) {
                   for (int64_t head = first; head < last; ++head) one_head(head);
                 });
  }
  void one_head(int64_t head) const {
    int64_t rows = scores.query.rows, keys = scores.key.rows, most = scores.block();
    Scratch<T> keys_t(keys * scores.key.cols), values_t(keys * value.cols);
    Scratch<T> weights(most * keys), steps(most * keys);
    if (!scores.few()) transpose(keys_t.data(), scores.key.matrix(head, 0, keys));
    transpose(values_t.data(), value.matrix(head, 0, keys));
    clear(grad_key, head);
    clear(grad_value, head);
    for (int64_t begin = 0; begin < rows; begin += most) {
      int64_t end = std::min(rows, begin + most), n = scores.keys(end);
      scores.multiply_keys(weights.data(), head, begin, end, keys_t.data());
      gemm_blocks().of<T>().multiply(grad.matrix(head, begin, end),
                                     {values_t.data(), value.cols, n, keys, 1}, steps.data(), n,
                                     false);
      for (int64_t i = begin; i < end; ++i)
        make_row(weights.data() + (i - begin) * n, steps.data() + (i - begin) * n, n, head, i);
      Matrix w{weights.data(), end - begin, n, n, 1}, d{steps.data(), end - begin, n, n, 1};
      gemm_blocks().of<T>().multiply(transposed(w), grad.matrix(head, begin, end),
                                     grad_value.at(head), grad_value.row_step, true);
      gemm_blocks().of<T>().multiply(transposed(d), scores.query.matrix(head, begin, end),
                                     grad_key.at(head), grad_key.row_step, true);
      gemm_blocks().of<T>().multiply(d, scores.key.matrix(head, 0, n), grad_query.at(head, begin),
                                     grad_query.row_step, false);
    }
  }
  static void clear(const Heads<T>& h, int64_t head) {
    for (int64_t r = 0; r < h.rows; ++r) std::fill_n(h.at(head, r), h.cols, T(0));
  }
  // From scores and the weights' gradients: weights and the scores' gradients.
  void make_row(T* weights, T* steps, int64_t n, int64_t head, int64_t i) const {
    int64_t used = scores.finish_row(weights, n, head, i);
    math::exp_sum(weights, weights, used, scores.rest(), log_sums[head * scores.query.rows + i]);
    const T *g = grad.at(head, i), *y = out.at(head, i);
    T mean = sum_run<T>(0, out.cols, [=](auto at) { return at(g) * at(y); });
    for (int64_t j = 0; j < used; ++j) steps[j] = weights[j] * (steps[j] - mean) * scores.scale;
    std::fill(steps + used, steps + n, T(0));
  }
};

// ---- the operators
// (batch, heads, length, size) in memory as (batch, length, heads, size), as it is used next.
void add_heads(Call& c, const Tensor& like, int64_t cols) {
  int64_t b = like.size(0), h = like.size(1), l = like.size(2);
  int64_t sizes[] = {b, h, l, cols}, strides[] = {l * h * cols, cols, h * cols, 1};
  c.add_out(sizes, like.dtype).strides.assign(strides, strides + 4);
}
void check_heads(const Call& c, const Tensor& query, const Tensor& key, const Tensor& value) {
  auto fits = [&](const Tensor& t) {
    return t.ndim == 4 && t.dtype == query.dtype && t.size(0) == query.size(0) &&
           t.size(1) == query.size(1);
  };
  RL_CHECK(fits(query) && fits(key) && fits(value) && key.size(3) == query.size(3) &&
               value.size(2) == key.size(2) && key.size(2) > 0,
           "scaled_dot_product_attention: expected query, key and value of shape (batch, heads, "
           "length, size) that fit, ",
           "got ", query.sizes(), ", ", key.sizes(), " and ", value.sizes());
  RL_CHECK(query.dtype == DType::F32 || query.dtype == DType::F64, c.op, ": not implemented for ",
           query.dtype);
}
Ref<Tensor> with_dense_rows(Tensor& t) {
  bool dense = (t.stride(3) == 1 || t.size(3) <= 1) && t.stride(2) >= t.size(3);
  return dense ? Ref<Tensor>::share(&t) : contiguous_as(t, t.dtype);
}

// _attention(query, key, value, bias, is_causal, scale) -> (output, log_sums)
void forward_infer(Call& c) {
  Tensor &q = c.tensor(0), &v = c.tensor(2);
  check_heads(c, q, c.tensor(1), v);
  add_heads(c, q, v.size(3));
  c.add_out(q.sizes().first(3), q.dtype);
}
template <class T>
void forward_typed(Call& c) {
  Ref<Tensor> q = with_dense_rows(c.tensor(0)), k = with_dense_rows(c.tensor(1));
  Ref<Tensor> v = with_dense_rows(c.tensor(2));
  Scores<T> scores{Heads<T>(*q), Heads<T>(*k), c.tensor_or_null(3), c.flag(4),
                   static_cast<T>(c.number(5))};
  Forward<T> f{scores, Heads<T>(*v), Heads<T>(c.out(0)), c.out(1).data<T>()};
  Unlocked unlocked(q->numel * k->size(2));
  f.run(q->size(0) * q->size(1));
}
void forward_run(Call& c) {
  c.tensor(0).dtype == DType::F64 ? forward_typed<double>(c) : forward_typed<float>(c);
}
RL_ISA_KERNEL("_attention", forward_infer, forward_run);

// _attention_backward(grad, output, log_sums, query, key, value, bias, is_causal, scale)
void backward_infer(Call& c) {
  Tensor &q = c.tensor(3), &k = c.tensor(4), &v = c.tensor(5);
  check_heads(c, q, k, v);
  add_heads(c, q, q.size(3));
  add_heads(c, k, k.size(3));
  add_heads(c, v, v.size(3));
}
template <class T>
void backward_typed(Call& c) {
  Ref<Tensor> in[5];  // grad, output, query, key, value
  for (int i = 0, from[] = {0, 1, 3, 4, 5}; i < 5; ++i) in[i] = with_dense_rows(c.tensor(from[i]));
  Ref<Tensor> log_sums = contiguous_as(c.tensor(2), c.tensor(2).dtype);
  Scores<T> scores{Heads<T>(*in[2]), Heads<T>(*in[3]), c.tensor_or_null(6), c.flag(7),
                   static_cast<T>(c.number(8))};
  Backward<T> f{scores,
                Heads<T>(*in[4]),
                Heads<T>(*in[0]),
                Heads<T>(*in[1]),
                Heads<T>(c.out(0)),
                Heads<T>(c.out(1)),
                Heads<T>(c.out(2)),
                log_sums->data<T>()};
  Unlocked unlocked(in[2]->numel * in[3]->size(2));
  f.run(in[2]->size(0) * in[2]->size(1));
}
void backward_run(Call& c) {
  c.tensor(3).dtype == DType::F64 ? backward_typed<double>(c) : backward_typed<float>(c);
}
RL_ISA_KERNEL("_attention_backward", backward_infer, backward_run);

}  // namespace
}  // namespace RL_ISA_NS
}  // namespace rl
