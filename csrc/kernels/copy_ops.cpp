// Ops that only move or convert data: copy_, fill_, clone, conversion.
#include "core/layout.h"
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

// A new tensor of a dtype and geometry: convert(self, dtype, memory_format), clone(self,
// memory_format).
void describe_copy(Call& c, DType dtype, int format) {
  Tensor& t = c.tensor(0);
  MemoryFormat f = c.has(format) ? c.arg(format).format : MemoryFormat::Preserve;
  OutSpec& o = c.add_out(t.sizes(), dtype);
  if (f == MemoryFormat::Preserve ? !strides_in_rows(t) : f != MemoryFormat::Contiguous)
    o.strides = f == MemoryFormat::Preserve ? dense_like_strides(t) : strides_for(t.sizes(), f);
}
void infer_convert(Call& c) { describe_copy(c, c.dtype_or(1, c.tensor(0).dtype), 2); }
void infer_clone(Call& c) { describe_copy(c, c.tensor(0).dtype, 1); }
void run_convert(Call& c) { copy_into(c.out(0), c.tensor(0)); }

bool in_format_already(const Call& c) {
  MemoryFormat f = c.arg(1).format;
  return f != MemoryFormat::Preserve && is_contiguous(c.tensor(0), f);
}
bool in_rows_already(const Tensor& t) { return t.contiguous; }
bool converted_already(const Call& c) {
  bool same_format = !c.has(4) || c.arg(4).format == MemoryFormat::Preserve;
  return same_format && !c.flag(3) && c.arg(1).dtype == c.tensor(0).dtype;
}

RL_KERNEL_FLOAT8("copy_", infer_copy, run_copy);
RL_KERNEL_FLOAT8("fill_", none, run_fill);
RL_KERNEL_FLOAT8("convert", infer_convert, run_convert);
RL_KERNEL_FLOAT8("clone", infer_clone, run_convert);
RL_SHORTCUT("contiguous", in_format_already, in_rows_already);
RL_SHORTCUT("to.dtype", converted_already);

}  // namespace
}  // namespace rl
