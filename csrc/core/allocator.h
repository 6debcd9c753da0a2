// Caching CPU allocator: 64-byte aligned size classes for small blocks, 2 MB pages for large
// ones. PyTorch returns large blocks to the system and pays a page fault for every 4 KB of a
// temporary; here freed blocks are kept, up to a bound, and handed out again.
#pragma once
#include <cstddef>
#include <cstdint>

namespace rl {

struct Block {
  void* data;
  size_t capacity;  // give it back with this size
};

Block allocate(size_t nbytes);  // throws ErrorKind::Memory
void deallocate(void* data, size_t capacity) noexcept;
// The same for callers that hold the interpreter lock: it guards the lists of small blocks that
// these take from and give to, so that the headers of tensors cost no lock of their own.
Block allocate_held(size_t nbytes);
void deallocate_held(void* data, size_t capacity) noexcept;
void empty_cache() noexcept;  // returns cached large blocks to the system
// Asks for 2 MB pages where memory that is not written yet holds whole ones.
void advise_huge_pages(void* data, size_t nbytes) noexcept;

// Memory for `count` values that the caller writes before reading. None costs nothing: small
// products on several threads would meet at the allocator's lock.
template <class V>
class Scratch {
 public:
  explicit Scratch(int64_t count)
      : block_(count ? allocate(static_cast<size_t>(count) * sizeof(V)) : Block{nullptr, 0}) {}
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch() { deallocate(block_.data, block_.capacity); }
  V* data() const { return static_cast<V*>(block_.data); }

 private:
  Block block_;
};

struct MemoryStats {
  int64_t allocated, peak_allocated, cached, allocations, system_allocations;
};
MemoryStats memory_stats();
void reset_peak_memory();

// The n-th allocation from now fails (n >= 1); 0 turns it off. For the fault tests.
void fail_allocation_after(int64_t n);

}  // namespace rl
