// Ops that only move or convert data: copy_, fill_, clone, conversion.
#include "plan/copy.h"
#include "plan/fits.h"

namespace rl {
namespace {

void none(Call&) {}
void infer_copy(Call& c) {
  Tensor &self = c.tensor(0), &src = c.tensor(1);
  SizeVec both = broadcast_sizes(self.sizes(), src.sizes());
  RL_CHECK(std::equal(both.begin(), both.end(), self.sizes().begin(), self.sizes().end()),
           "copy_: output with shape ", self.sizes(), " doesn't match the broadcast shape ",
           Sizes(both));
  RL_CHECK(!is_expanded(self),
           "copy_: unsupported operation: more than one element of the written-to tensor "
           "refers to a single memory location. Please clone() the tensor before performing the "
           "operation.");
  RL_CHECK(!partly_overlap(self, src),
           "copy_: unsupported operation: some elements of the input tensor and the written-to "
           "tensor refer to a single memory location. Please clone() the tensor before performing "
           "the operation.");
  if (src.is_meta() && !self.is_meta())
    fail(ErrorKind::NotImplemented, "copy_: cannot copy out of a meta tensor; it has no data");
}
void run_copy(Call& c) { copy_into(c.tensor(0), c.tensor(1)); }
void run_fill(Call& c) {
  check_fits(c.op, c.scalar(1), c.tensor(0).dtype);
  fill(c.tensor(0), c.scalar(1));
}

// convert(self, dtype, memory_format): a new tensor of that dtype and geometry.
void infer_convert(Call& c) {
  Tensor& t = c.tensor(0);
  MemoryFormat f = c.has(2) ? c.args[2].format : MemoryFormat::Preserve;
  OutSpec& o = c.add_out(t.sizes(), c.dtype_or(1, t.dtype));
  if (f == MemoryFormat::Preserve ? !t.contiguous : f != MemoryFormat::Contiguous)
    o.strides = f == MemoryFormat::Preserve ? dense_like_strides(t) : strides_for(t.sizes(), f);
}
void run_convert(Call& c) { copy_into(c.out(0), c.tensor(0)); }

RL_KERNEL("copy_", infer_copy, run_copy);
RL_KERNEL("fill_", none, run_fill);
RL_KERNEL("convert", infer_convert, run_convert);

}  // namespace
}  // namespace rl
