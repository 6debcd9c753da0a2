// Storage: a reference-counted run of bytes that tensors view. The bytes come from the
// allocator, or from outside (NumPy, DLPack, a mapped file) with a function that frees them.
// Storages are made and destroyed under the interpreter lock, as tensors are.
#pragma once
#include <cstddef>
#include <cstdint>
#include <utility>

namespace rl {

struct Storage {
  int32_t refcount = 1;
  uint32_t version = 0;  // bumped by in-place operations; see Tensor::version
  void* data = nullptr;  // null on the meta device and when empty
  size_t nbytes = 0;
  size_t capacity = 0;  // of the allocator's block, 0 when the bytes are foreign
  void (*release_foreign)(void* context) = nullptr;
  void* context = nullptr;
  bool resizable = true, is_meta = false, is_shared = false, read_only = false;
  bool shrunk = false;  // once resized to less: tensors may reach beyond its end
};

Storage* new_storage(size_t nbytes, bool meta = false);  // uninitialised
Storage* adopt_storage(void* data, size_t nbytes, void (*release)(void*), void* context);
void resize_storage(Storage& s, size_t nbytes);  // keeps the bytes that fit; new ones are unset
// Copies the bytes of `to` over the foreign memory of `from`, which `to` owns from then on; `from`
// is left empty. All tensors on `to` move along.
void move_to_shared(Storage& to, Storage& from);
void destroy_storage(Storage* s) noexcept;

// Both under the interpreter lock, too: an atomic count would be a tenth of a view's cost.
inline void retain(Storage* s) { ++s->refcount; }
inline void release(Storage* s) noexcept {
  if (--s->refcount == 0) destroy_storage(s);
}

}  // namespace rl
