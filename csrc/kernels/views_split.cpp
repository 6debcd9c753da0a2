// Views with several outputs: the parts of a tensor along one dimension.
// To add one: an infer function, its RL_VIEW line, and its record in ops/views.py.
#include <algorithm>

#include "plan/call.h"

namespace rl {
namespace {

void add_part(Call& c, int d, int64_t start, int64_t length) {
  const Tensor& t = c.tensor(0);
  OutSpec& s = c.add_out(t.sizes(), t.dtype);
  s.strides.assign(t.strides().begin(), t.strides().end());
  s.sizes[d] = length;
  s.offset = t.offset + start * t.stride(d);
}

int split_dim(Call& c, int arg, const char* op) {
  const Tensor& t = c.tensor(0);
  RL_CHECK(t.ndim > 0, op, " expects at least a 1-dimensional tensor");
  return wrap_dim(c.integer(arg), t.ndim);
}

void parts_of(Call& c, int d, int64_t step) {
  int64_t size = c.tensor(0).size(d);
  if (size == 0) return add_part(c, d, 0, 0);
  for (int64_t at = 0; at < size; at += step) add_part(c, d, at, std::min(step, size - at));
}

void split_size_infer(Call& c) {  // self, split_size, dim
  int d = split_dim(c, 2, "split");
  int64_t step = c.integer(1), size = c.tensor(0).size(d);
  RL_CHECK(step >= 0, "split expects split_size be non-negative, but got split_size=", step);
  RL_CHECK(step > 0 || size == 0, "split_size can only be 0 if dimension size is 0, but got ",
           "dimension size of ", size);
  parts_of(c, d, step);
}

void split_with_sizes_infer(Call& c) {  // self, split_sizes, dim
  int d = split_dim(c, 2, "split_with_sizes");
  Sizes lengths = c.ints(1);
  int64_t total = 0;
  for (int64_t n : lengths) {
    RL_CHECK(n >= 0,
             "split_with_sizes expects split_sizes have only non-negative entries, but got ",
             "split_sizes=", lengths);
    total += n;
  }
  RL_CHECK(total == c.tensor(0).size(d), "split_with_sizes expects split_sizes to sum exactly to ",
           c.tensor(0).size(d), " (input tensor's size at dimension ", d,
           "), but got split_sizes=", lengths);
  int64_t at = 0;
  for (int64_t n : lengths) {
    add_part(c, d, at, n);
    at += n;
  }
}

void chunk_infer(Call& c) {  // self, chunks, dim
  int d = split_dim(c, 2, "chunk");
  int64_t chunks = c.integer(1), size = c.tensor(0).size(d);
  RL_CHECK(chunks > 0, "chunk expects `chunks` to be greater than 0, got: ", chunks);
  if (size > 0) return parts_of(c, d, (size - 1) / chunks + 1);
  for (int64_t i = 0; i < chunks; ++i) add_part(c, d, 0, 0);
}

void unbind_infer(Call& c) {  // self, dim
  const Tensor& t = c.tensor(0);
  if (t.ndim == 0) fail(ErrorKind::Index, "Dimension specified as 0 but tensor has no dimensions");
  int d = wrap_dim(c.integer(1), t.ndim);
  for (int64_t i = 0; i < t.size(d); ++i) {
    OutSpec& s = c.add_out(t.sizes(), t.dtype);
    s.strides.assign(t.strides().begin(), t.strides().end());
    s.sizes.erase(s.sizes.begin() + d);
    s.strides.erase(s.strides.begin() + d);
    s.offset = t.offset + i * t.stride(d);
  }
}

RL_VIEW("split_size", split_size_infer);
RL_VIEW("split_with_sizes", split_with_sizes_infer);
RL_VIEW("chunk", chunk_infer);
RL_VIEW("unbind", unbind_infer);

}  // namespace
}  // namespace rl
