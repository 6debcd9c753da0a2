// Storages up to a page keep their header and bytes in one block: one allocation a tensor.
#include "core/storage.h"

#include <algorithm>
#include <cstring>
#include <new>

#include "core/allocator.h"
#include "core/error.h"
#include "core/storage_object.h"

namespace rl {
namespace {
constexpr size_t kHeader = 128, kInlineMax = 4096;
struct Trailer {  // the end of the header
  void* object = nullptr;
  size_t capacity;  // of the header's own block: larger when the bytes once lived inside it
};
static_assert(sizeof(Storage) + sizeof(Trailer) <= kHeader);

void* inline_data(Storage* s) { return reinterpret_cast<char*>(s) + kHeader; }

Trailer* trailer(Storage* s) { return reinterpret_cast<Trailer*>(inline_data(s)) - 1; }

Storage* make_header(size_t extra) {
  Block b = allocate_held(kHeader + extra);
  auto* s = new (b.data) Storage;
  new (trailer(s)) Trailer{nullptr, b.capacity};
  return s;
}

void free_bytes(Storage& s) noexcept {
  if (s.release_foreign)
    s.release_foreign(s.context);
  else if (s.capacity)
    deallocate(s.data, s.capacity);
  s.release_foreign = nullptr;
  s.capacity = 0;
  s.data = nullptr;
}
}  // namespace

Storage* new_storage(size_t nbytes, bool meta) {
  bool inside = !meta && nbytes <= kInlineMax;
  Storage* s = make_header(inside ? nbytes : 0);
  s->nbytes = nbytes;
  s->is_meta = meta;
  if (inside) {
    s->data = inline_data(s);
  } else if (!meta) {
    try {
      Block b = allocate(nbytes);
      s->data = b.data;
      s->capacity = b.capacity;
    } catch (...) {
      destroy_storage(s);
      throw;
    }
  }
  return s;
}

Storage* adopt_storage(void* data, size_t nbytes, void (*release)(void*), void* context) {
  Storage* s = make_header(0);
  s->data = data;
  s->nbytes = nbytes;
  s->release_foreign = release;
  s->context = context;
  s->resizable = false;
  return s;
}

void resize_storage(Storage& s, size_t nbytes) {
  RL_CHECK(s.resizable, "Trying to resize storage that is not resizable");
  s.shrunk |= nbytes < s.nbytes;
  if (s.is_meta || (s.capacity && nbytes <= s.capacity)) {
    s.nbytes = nbytes;
    return;
  }
  Block b = allocate(nbytes);
  if (s.data) std::memcpy(b.data, s.data, std::min(nbytes, s.nbytes));
  free_bytes(s);
  s.data = b.data;
  s.capacity = b.capacity;
  s.nbytes = nbytes;
}

void move_to_shared(Storage& to, Storage& from) {
  RL_CHECK(from.release_foreign && to.nbytes <= from.nbytes && !to.is_meta,
           "move_to_shared: expected foreign memory of at least ", to.nbytes, " bytes, got ",
           from.nbytes);
  if (to.nbytes) std::memcpy(from.data, to.data, to.nbytes);
  free_bytes(to);
  to.data = from.data;
  to.nbytes = from.nbytes;
  to.release_foreign = std::exchange(from.release_foreign, nullptr);
  to.context = from.context;
  to.resizable = false;
  to.is_shared = true;
  from.data = nullptr;
  from.nbytes = 0;
  from.shrunk = true;
}

void*& object_of(Storage& s) { return trailer(&s)->object; }
void (*last_tensor_gone)(Storage&) = nullptr;

void destroy_storage(Storage* s) noexcept {
  if (object_of(*s)) return last_tensor_gone(*s);
  free_bytes(*s);
  size_t capacity = trailer(s)->capacity;
  s->~Storage();
  deallocate_held(s, capacity);
}

}  // namespace rl
