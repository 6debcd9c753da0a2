// The tensor: geometry over a storage, plus its place in the autograd graph. Kernels read
// the first half; only csrc/autograd and csrc/python touch the second.
#pragma once
#include <span>
#include <vector>

#include "core/dtype.h"
#include "core/error.h"
#include "core/object.h"
#include "core/size_vec.h"
#include "core/storage.h"

namespace rl {

constexpr int kMaxDims = 64, kInlineDims = 5;
using Sizes = std::span<const int64_t>;

enum class Device : uint8_t { Cpu, Meta };
enum class MemoryFormat : uint8_t { Contiguous, Preserve, ChannelsLast, ChannelsLast3d };

struct Node;
struct ViewInfo;

// The version of `.data`-style aliases, which share bytes but not in-place history.
struct VersionCounter {
  uint32_t value = 0;
  int32_t users = 1;
};

struct Tensor : Object {
  Storage* storage;
  int64_t offset, numel;
  int64_t *sizes_, *strides_;  // inline_ or one heap block of 2 * ndim
  int64_t inline_[2 * kInlineDims];
  uint8_t ndim;
  DType dtype;
  Device device;
  bool contiguous;  // row-major without gaps; kept by set_geometry
  // Not 0: the elements are not in strided memory but described by `payload`. Kernels never see
  // such a tensor: csrc/python/interpose.h hands the call to the handler of its kind.
  uint8_t kind;
  uint8_t interposed;  // why a call with this tensor asks before it runs: bits of interpose.h

  // --- autograd
  bool requires_grad, retains_grad, is_inference;
  uint32_t output_nr;
  Node* grad_fn;      // owned
  Tensor* grad;       // owned
  Node* accumulator;  // borrowed: the AccumulateGrad node clears it when it dies
  ViewInfo* view;     // view_room, or null if this is not a differentiable view
  alignas(8) unsigned char view_room[16];
  VersionCounter* own_version;                              // null: the storage's version counts
  Object *hooks, *post_hooks, *dict, *weak_refs, *payload;  // host-language objects

  Sizes sizes() const { return {sizes_, ndim}; }
  Sizes strides() const { return {strides_, ndim}; }
  int64_t size(int d) const { return sizes_[d]; }
  int64_t stride(int d) const { return strides_[d]; }
  uint32_t& version() const { return own_version ? own_version->value : storage->version; }
  bool is_meta() const { return device == Device::Meta; }

  void* raw() const { return static_cast<char*>(storage->data) + offset * item_size(dtype); }
  template <class T>
  T* data() const {
    return static_cast<T*>(raw());
  }
};

// --- making tensors (all need the interpreter lock)
Ref<Tensor> empty(Sizes sizes, DType dtype, Device device = Device::Cpu);
Ref<Tensor> empty_strided(Sizes sizes, Sizes strides, DType dtype, Device device = Device::Cpu);
Ref<Tensor> empty_like(
    const Tensor& t);  // same geometry class: dense permutations keep their strides
// A tensor over `storage` (whose count it shares), unrelated to any graph.
Ref<Tensor> alias(Storage* storage, Sizes sizes, Sizes strides, int64_t offset, DType dtype,
                  Device device);
Ref<Tensor> alias(const Tensor& t);  // the same geometry (and kind) again, detached
inline Ref<Tensor> alias(const Tensor& t, Sizes sizes, Sizes strides, int64_t offset) {
  return alias(t.storage, sizes, strides, offset, t.dtype, t.device);
}

// Defined by the binding layer: an uninitialised tensor object with one count, and the parts of
// a tensor of another kind.
Tensor* new_tensor_object();
void share_kind(Tensor& to, const Tensor& from);

void drop_own_version(Tensor& t) noexcept;
inline void drop_version(Tensor& t) noexcept {
  if (t.own_version) drop_own_version(t);
}
// In-place changes of one show in both.
inline void share_version(Tensor& to, const Tensor& from) {
  drop_version(to);
  to.own_version = from.own_version;
  if (to.own_version) ++to.own_version->users;
}

// --- geometry
void set_geometry(Tensor& t, Sizes sizes, Sizes strides);
void set_contiguous(Tensor& t, Sizes sizes);
inline void free_geometry(Tensor& t) noexcept {
  if (t.sizes_ != t.inline_) delete[] t.sizes_;
  t.sizes_ = nullptr;
}
int64_t checked_numel(Sizes sizes);  // throws on negative sizes and overflow
inline void set_contiguous_strides(int64_t* strides, Sizes sizes) {
  int64_t step = 1;
  for (size_t i = sizes.size(); i-- > 0; step *= sizes[i] > 1 ? sizes[i] : 1) strides[i] = step;
}
SizeVec contiguous_strides(Sizes sizes);
SizeVec strides_for(Sizes sizes, MemoryFormat format);
SizeVec dense_like_strides(const Tensor& t);  // contiguous in t's own dimension order
bool is_contiguous(Sizes sizes, Sizes strides);
bool is_contiguous(const Tensor& t, MemoryFormat format);
bool is_dense(const Tensor& t);            // non-overlapping and without gaps
bool may_overlap_itself(const Tensor& t);  // some memory is reached by two indices
bool is_expanded(const Tensor& t);         // a dimension repeats its elements: stride 0
bool partly_overlap(const Tensor& a, const Tensor& b);  // two dense tensors share some elements
int wrap_dim(int64_t dim, int ndim, const char* op = nullptr);  // IndexError when out of range
SizeVec broadcast_sizes(Sizes a, Sizes b);  // RuntimeError naming the dimension that differs
// Bytes of storage that a geometry reaches, from the storage's start.
int64_t span_bytes(Sizes sizes, Sizes strides, int64_t offset, int64_t item);
// Throws where a storage that was resized to less no longer holds all of a tensor's elements. To be
// asked before data is touched.
void check_reach(const Tensor& t);
inline void require_bytes(const Tensor& t) {
  if (t.storage->shrunk) [[unlikely]]
    check_reach(t);
}

}  // namespace rl
