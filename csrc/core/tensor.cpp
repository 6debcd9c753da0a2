// Geometry arithmetic and the tensor constructors.
#include "core/tensor.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "core/layout.h"

namespace rl {

// ---- constructors
namespace {
Ref<Tensor> bare(DType dtype, Device device) {
  Tensor* t = new_tensor_object();
  t->dtype = dtype;
  t->device = device;
  return Ref<Tensor>::own(t);
}

[[gnu::noinline]] void reserve_many_dims(Tensor& t, size_t n) {
  RL_CHECK(n <= kMaxDims, "tensors have at most ", kMaxDims, " dimensions, got ", n);
  free_geometry(t);
  t.sizes_ = new int64_t[2 * n];
  t.strides_ = t.sizes_ + n;
}

inline void reserve_dims(Tensor& t, size_t n) {
  if (n == t.ndim && t.sizes_) return;
  if (n > kInlineDims) {
    reserve_many_dims(t, n);
  } else {
    free_geometry(t);
    t.sizes_ = t.inline_;
    t.strides_ = t.inline_ + kInlineDims;
  }
  t.ndim = static_cast<uint8_t>(n);
}

inline void fill_contiguous(Tensor& t, Sizes sizes, int64_t numel) {  // room for the sizes is there
  copy_few(sizes.data(), sizes.size(), t.sizes_);
  set_contiguous_strides(t.strides_, sizes);
  t.numel = numel;
  t.contiguous = true;
}
}  // namespace

Ref<Tensor> empty(Sizes sizes, DType dtype, Device device) {
  int64_t n = checked_numel(sizes), bytes;
  RL_CHECK(!__builtin_mul_overflow(n, item_size(dtype), &bytes),
           "Storage size calculation overflowed with sizes=", sizes);
  Ref<Tensor> t = bare(dtype, device);
  reserve_dims(*t, sizes.size());
  fill_contiguous(*t, sizes, n);
  t->storage = new_storage(static_cast<size_t>(bytes), device == Device::Meta);
  return t;
}

Ref<Tensor> empty_strided(Sizes sizes, Sizes strides, DType dtype, Device device) {
  checked_numel(sizes);
  Ref<Tensor> t = bare(dtype, device);
  set_geometry(*t, sizes, strides);
  auto bytes = static_cast<size_t>(span_bytes(sizes, strides, 0, item_size(dtype)));
  t->storage = new_storage(bytes, device == Device::Meta);
  return t;
}

Ref<Tensor> empty_like(const Tensor& t) {
  if (t.contiguous) return empty(t.sizes(), t.dtype, t.device);
  return empty_strided(t.sizes(), dense_like_strides(t), t.dtype, t.device);
}

Ref<Tensor> alias(Storage* storage, Sizes sizes, Sizes strides, int64_t offset, DType dtype,
                  Device device) {
  Ref<Tensor> t = bare(dtype, device);
  set_geometry(*t, sizes, strides);
  retain(storage);
  t->storage = storage;
  t->offset = offset;
  return t;
}

Ref<Tensor> alias(const Tensor& t) {
  Ref<Tensor> a = alias(t.storage, t.sizes(), t.strides(), t.offset, t.dtype, t.device);
  if (t.kind) share_kind(*a, t);
  return a;
}

void drop_own_version(Tensor& t) noexcept {
  if (--t.own_version->users == 0) delete t.own_version;
  t.own_version = nullptr;
}

// ---- geometry of one tensor
// The arguments may point into t's own arrays, which other numbers of dimensions do without.
[[gnu::noinline]] static void set_other_geometry(Tensor& t, Sizes sizes, Sizes strides) {
  SizeVec kept_sizes(sizes.begin(), sizes.end()), kept_strides(strides.begin(), strides.end());
  reserve_dims(t, sizes.size());
  set_geometry(t, kept_sizes, kept_strides);
}

void set_geometry(Tensor& t, Sizes sizes, Sizes strides) {
  if (t.sizes_ && sizes.size() != t.ndim) [[unlikely]]
    return set_other_geometry(t, sizes, strides);
  reserve_dims(t, sizes.size());
  int64_t expected = 1, numel = 1;
  bool contiguous = true;
  for (size_t i = sizes.size(); i-- > 0;) {
    t.sizes_[i] = sizes[i];
    t.strides_[i] = strides[i];
    contiguous &= sizes[i] == 1 || strides[i] == expected;
    expected *= sizes[i];
    numel *= sizes[i];
  }
  t.numel = numel;
  t.contiguous = contiguous || numel == 0;
}

void set_contiguous(Tensor& t, Sizes sizes) {
  SizeVec kept;
  if (t.sizes_ && sizes.size() != t.ndim) {
    kept.assign(sizes.begin(), sizes.end());
    sizes = kept;
  }
  reserve_dims(t, sizes.size());
  int64_t numel = 1;
  for (int64_t s : sizes) numel *= s;
  fill_contiguous(t, sizes, numel);
}

// Where there are no elements, strides are still products of sizes.
static void require_strides_fit(Sizes sizes) {
  int64_t stride = 1;
  for (size_t i = sizes.size(); i-- > 1;)
    RL_CHECK(!__builtin_mul_overflow(stride, std::max<int64_t>(sizes[i], 1), &stride),
             "the strides of a tensor of sizes ", sizes, " overflow a 64-bit integer");
}

int64_t checked_numel(Sizes sizes) {
  int64_t n = 1;
  bool overflow = false, zero = false;
  for (int64_t s : sizes) {
    RL_CHECK(s >= 0, "Trying to create tensor with negative dimension ", s, ": ", sizes);
    zero |= s == 0;
    overflow |= __builtin_mul_overflow(n, s, &n);
  }
  RL_CHECK(!overflow || zero, "numel: integer multiplication overflow with sizes=", sizes);
  if (zero) require_strides_fit(sizes);
  return zero ? 0 : n;
}

SizeVec contiguous_strides(Sizes sizes) {
  SizeVec out(sizes.size());
  set_contiguous_strides(out.data(), sizes);
  return out;
}

SizeVec strides_for(Sizes sizes, MemoryFormat format) {
  bool last2 = format == MemoryFormat::ChannelsLast, last3 = format == MemoryFormat::ChannelsLast3d;
  if (!last2 && !last3) return contiguous_strides(sizes);
  size_t want = last2 ? 4 : 5;
  RL_CHECK(sizes.size() == want, "required rank ", want, " tensor to use ",
           last2 ? "channels_last" : "channels_last_3d", " format");
  SizeVec out(want);
  int64_t step = sizes[1];
  out[1] = 1;
  for (size_t i = want - 1; i >= 2; --i) {
    out[i] = step;
    step *= std::max<int64_t>(sizes[i], 1);
  }
  out[0] = step;
  return out;
}

bool is_contiguous(Sizes sizes, Sizes strides) {
  int64_t expected = 1;
  bool ok = true;
  for (size_t i = sizes.size(); i-- > 0;) {
    if (sizes[i] == 0) return true;
    ok &= sizes[i] == 1 || strides[i] == expected;
    expected *= sizes[i];
  }
  return ok;
}

bool is_contiguous(const Tensor& t, MemoryFormat format) {
  if (format != MemoryFormat::ChannelsLast && format != MemoryFormat::ChannelsLast3d)
    return t.contiguous;
  if (t.ndim != (format == MemoryFormat::ChannelsLast ? 4 : 5)) return false;
  SizeVec want = strides_for(t.sizes(), format);
  for (int i = 0; i < t.ndim; ++i)
    if (t.size(i) != 1 && t.stride(i) != want[i]) return false;
  return true;
}

namespace {
// Dimensions from the widest stride to the narrowest; ties keep their order.
std::vector<int> stride_order(Sizes sizes, Sizes strides) {
  std::vector<int> order(sizes.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](int a, int b) { return strides[a] > strides[b]; });
  return order;
}
}  // namespace

bool is_dense(const Tensor& t) {
  if (t.contiguous) return true;
  int64_t expected = 1;
  std::vector<int> order = stride_order(t.sizes(), t.strides());
  for (size_t i = order.size(); i-- > 0;) {
    int d = order[i];
    if (t.size(d) == 1) continue;
    if (t.stride(d) != expected) return false;
    expected *= t.size(d);
  }
  return true;
}

namespace {
// As it steps through a broadcast shape, which ends at t's last dimension.
int64_t broadcast_stride(const Tensor& t, Sizes sizes, int d) {
  int own = d - (static_cast<int>(sizes.size()) - t.ndim);
  return own < 0 || (t.size(own) == 1 && sizes[d] != 1) ? 0 : t.stride(own);
}

// Negative where `inner` lies inside `outer`, positive where it is the other way round, 0 where
// no tensor can tell.
int compare_dims(Sizes sizes, std::span<const Tensor* const> tensors, int inner, int outer) {
  for (const Tensor* t : tensors) {
    int64_t a = broadcast_stride(*t, sizes, inner), b = broadcast_stride(*t, sizes, outer);
    if (a == 0 || b == 0) continue;
    if (a != b) return a < b ? -1 : 1;
    if (sizes[inner] > sizes[outer]) return 1;
  }
  return 0;
}
}  // namespace

// Insertion in PyTorch's order: dimensions that nothing tells apart are passed over, not stopped
// at, so the result depends on the order of comparisons.
SizeVec joint_strides(Sizes sizes, std::span<const Tensor* const> tensors) {
  int n = static_cast<int>(sizes.size());
  std::vector<int> order(sizes.size());
  for (int i = 0; i < n; ++i) order[i] = n - 1 - i;
  for (int i = 1; i < n; ++i)
    for (int at = i, next = i - 1; next >= 0; --next) {
      int compared = compare_dims(sizes, tensors, order[next], order[at]);
      if (compared < 0) break;
      if (compared > 0) std::swap(order[next], order[std::exchange(at, next)]);
    }
  SizeVec out(sizes.size());
  int64_t step = 1;
  for (int d : order) {
    out[d] = step;
    step *= std::max<int64_t>(sizes[d], 1);
  }
  return out;
}

SizeVec dense_like_strides(const Tensor& t) {
  if (is_dense(t)) return SizeVec(t.strides().begin(), t.strides().end());
  const Tensor* one = &t;
  return joint_strides(t.sizes(), {&one, 1});
}

bool may_overlap_itself(const Tensor& t) {
  if (t.contiguous || t.numel < 2) return false;
  int64_t reach = 0;  // largest offset reached by the dimensions seen so far
  std::vector<int> order = stride_order(t.sizes(), t.strides());
  for (size_t i = order.size(); i-- > 0;) {
    int d = order[i];
    if (t.size(d) == 1) continue;
    if (t.stride(d) <= reach) return true;
    reach += (t.size(d) - 1) * t.stride(d);
  }
  return false;
}

bool is_expanded(const Tensor& t) {
  if (t.contiguous || t.numel < 2) return false;
  for (int d = 0; d < t.ndim; ++d)
    if (t.stride(d) == 0 && t.size(d) > 1) return true;
  return false;
}

bool partly_overlap(const Tensor& a, const Tensor& b) {
  if (a.storage != b.storage || a.numel == 0 || b.numel == 0 || &a == &b) return false;
  if (!is_dense(a) || !is_dense(b)) return false;  // deciding is too hard: callers copy instead
  int64_t a_begin = a.offset * item_size(a.dtype), b_begin = b.offset * item_size(b.dtype);
  int64_t a_end = a_begin + a.numel * item_size(a.dtype);
  int64_t b_end = b_begin + b.numel * item_size(b.dtype);
  if (a_begin == b_begin && a_end == b_end)
    return !std::equal(a.strides().begin(), a.strides().end(), b.strides().begin(),
                       b.strides().end());
  return a_begin < b_end && b_begin < a_end;
}

int wrap_dim(int64_t dim, int ndim, const char* op) {
  int n = std::max(ndim, 1);  // a 0-d tensor accepts dim 0 and -1
  if (dim < -n || dim >= n)
    fail(ErrorKind::Index, op ? op : "", op ? ": " : "",
         "Dimension out of range (expected to be in range of [", -n, ", ", n - 1, "], but got ",
         dim, ")");
  return static_cast<int>(dim < 0 ? dim + n : dim);
}

SizeVec broadcast_sizes(Sizes a, Sizes b) {
  size_t n = std::max(a.size(), b.size());
  SizeVec out(n);
  for (size_t i = 0; i < n; ++i) {
    int64_t x = i < n - a.size() ? 1 : a[i - (n - a.size())];
    int64_t y = i < n - b.size() ? 1 : b[i - (n - b.size())];
    RL_CHECK(x == y || x == 1 || y == 1, "The size of tensor a (", x,
             ") must match the size of tensor b (", y, ") at non-singleton dimension ", i,
             "; shapes were ", a, " and ", b);
    out[i] = x == 1 ? y : x;
  }
  return out;
}

void check_reach(const Tensor& t) {
  if (t.is_meta() || t.numel == 0) return;
  auto need = static_cast<size_t>(span_bytes(t.sizes(), t.strides(), t.offset, item_size(t.dtype)));
  RL_CHECK(need <= t.storage->nbytes, "a tensor of size ", t.sizes(), ", stride ", t.strides(),
           " and storage offset ", t.offset, " needs ", need,
           " bytes, but its storage was resized to ", t.storage->nbytes,
           " bytes; resize it again before using the tensor");
}

int64_t span_bytes(Sizes sizes, Sizes strides, int64_t offset, int64_t item) {
  int64_t last = offset, bytes;
  bool overflow = false;
  for (size_t i = 0; i < sizes.size(); ++i) {
    if (sizes[i] == 0) return 0;
    int64_t reach;
    overflow |= __builtin_mul_overflow(sizes[i] - 1, strides[i], &reach);
    overflow |= __builtin_add_overflow(last, reach, &last);
  }
  overflow |= __builtin_mul_overflow(last + 1, item, &bytes);
  RL_CHECK(!overflow, "Storage size calculation overflowed with sizes=", sizes,
           " and strides=", strides);
  return bytes;
}

}  // namespace rl
