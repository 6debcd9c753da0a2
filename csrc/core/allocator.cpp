// The allocator's free lists. A spin lock guards them: it is uncontended while the
// interpreter lock is held, and correct when it is not.
#include "core/allocator.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstdlib>
#include <iterator>
#include <map>

#include "core/error.h"

namespace rl {
namespace {

constexpr size_t kAlign = 64, kSmallMax = size_t{1} << 20, kHugePage = size_t{2} << 20;
constexpr int kFineClasses = 16;  // 64, 128, ... 1024 bytes; above: four classes a doubling
constexpr int kClasses = kFineClasses + 4 * 10 + 1;
constexpr size_t kSlab = 256 << 10;
#ifdef __SANITIZE_ADDRESS__  // then each block goes back to the system, which watches it
constexpr bool kCaches = false;
#else
constexpr bool kCaches = true;
#endif

struct FreeBlock {
  FreeBlock* next;
};

struct SpinLock {
  std::atomic_flag flag = ATOMIC_FLAG_INIT;
  void lock() {
    while (flag.test_and_set(std::memory_order_acquire)) {
    }
  }
  void unlock() { flag.clear(std::memory_order_release); }
};

struct State {
  SpinLock lock;
  FreeBlock* small[kClasses] = {};
  char* slab = nullptr;
  size_t slab_left = 0, staggered = 0;
  std::multimap<size_t, void*> large;  // cached, by capacity
  size_t cache_bound = 0;
  MemoryStats stats = {};  // without what is counted in Held; the peak is in `peak`
  std::atomic<int64_t> allocated = 0, peak = 0;
  int64_t fail_after = 0;
};

// Guarded by the interpreter lock; the count is read by others, too.
struct Held {
  FreeBlock* small[kFineClasses] = {};
  std::atomic<int64_t> allocated = 0;
  int64_t allocations = 0;
};
Held held_;

void add_to(std::atomic<int64_t>& count, int64_t n) {  // under the lock that guards it
  count.store(count.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
}

// Leaked on purpose: tensors may outlive static destruction.
State& state() {
  static State* s = [] {
    auto* made = new State;
    size_t ram = static_cast<size_t>(sysconf(_SC_PHYS_PAGES)) * sysconf(_SC_PAGE_SIZE);
    made->cache_bound = ram / 8;
    return made;
  }();
  return *s;
}

struct Lock {
  State& s;
  explicit Lock(State& state) : s(state) { s.lock.lock(); }
  ~Lock() { s.lock.unlock(); }
};

int class_of(size_t n) {
  if (n <= kFineClasses * kAlign) return static_cast<int>((n + kAlign - 1) / kAlign) - (n > 0);
  int log = std::bit_width(n - 1) - 1;  // 2^log < n <= 2^(log+1), log >= 10
  size_t quarter = size_t{1} << (log - 2);
  int step = static_cast<int>((n - (size_t{1} << log) + quarter - 1) / quarter);  // 1..4
  return kFineClasses + 4 * (log - 10) + step - 1;
}

size_t class_size(int c) {
  if (c < kFineClasses) return (c + 1) * kAlign;
  int log = 10 + (c - kFineClasses) / 4, step = (c - kFineClasses) % 4 + 1;
  return (size_t{1} << log) + step * (size_t{1} << (log - 2));
}

[[noreturn]] void out_of_memory(size_t n) {
  fail(ErrorKind::Memory, "DefaultCPUAllocator: can't allocate memory: you tried to allocate ", n,
       " bytes. Error code 12 (Cannot allocate memory)");
}

void* from_system(State& s, size_t n, size_t align) {
  ++s.stats.system_allocations;
  return std::aligned_alloc(align, (n + align - 1) / align * align);
}

// Operands that start at the same place of a page fight for the same cache sets, and reads wait for
// writes to lines with equal low address bits. So larger blocks start at staggered places.
constexpr size_t kPage = 4096, kStaggerFrom = 8192;
size_t stagger(State& s) { return ++s.staggered * 1088 % kPage; }

void* carve(State& s, size_t n) {
  if (n > kSlab / 4) {
    auto* raw = static_cast<char*>(from_system(s, n + kPage, kAlign));
    if (!raw) return nullptr;
    size_t from_page = reinterpret_cast<uintptr_t>(raw) % kPage;
    return raw + (stagger(s) + kPage - from_page) % kPage;
  }
  if (s.slab_left < n) {
    auto* fresh = static_cast<char*>(from_system(s, kSlab, kAlign));
    if (!fresh) return nullptr;
    s.slab = fresh;  // the old slab's rest (under a quarter) is given up
    s.slab_left = kSlab;
  }
  void* p = s.slab;
  size_t used = n >= kStaggerFrom ? std::min(n + 1088, s.slab_left) : n;
  s.slab += used;
  s.slab_left -= used;
  return p;
}

void* map_large(State& s, size_t n) {
  ++s.stats.system_allocations;
  size_t span = n + kPage + kHugePage;
  if (span < n) return nullptr;
  void* raw = mmap(nullptr, span, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (raw == MAP_FAILED) return nullptr;
  auto start = reinterpret_cast<uintptr_t>(raw);
  uintptr_t aligned = (start + kHugePage - 1) & ~(kHugePage - 1);
  if (aligned > start) munmap(raw, aligned - start);
  size_t end = aligned + n + kPage, tail = start + span - end;
  if (tail) munmap(reinterpret_cast<void*>(end), tail);
  auto* p = reinterpret_cast<char*>(aligned);
  advise_huge_pages(p, n);
  return p + stagger(s);
}

void unmap_large(void* p, size_t n) {
  auto start = reinterpret_cast<uintptr_t>(p) & ~(kHugePage - 1);
  munmap(reinterpret_cast<void*>(start), n + kPage);
}

void drop_cached(State& s) {
  for (auto& [size, p] : s.large) unmap_large(p, size);
  s.large.clear();
  s.stats.cached = 0;
}

Block take_large(State& s, size_t n) {
  if (n > (size_t{1} << 62)) return {nullptr, 0};
  size_t want = (n + kHugePage - 1) & ~(kHugePage - 1);
  auto it = s.large.lower_bound(want);
  // A quarter of slack: more would let one small tensor pin a huge block.
  if (it != s.large.end() && it->first <= want + want / 4) {
    Block b{it->second, it->first};
    s.stats.cached -= static_cast<int64_t>(it->first);
    s.large.erase(it);
    return b;
  }
  void* p = map_large(s, want);
  if (!p) {
    drop_cached(s);
    p = map_large(s, want);
  }
  return {p, want};
}

int64_t all_allocated(const State& s) {
  return s.allocated.load(std::memory_order_relaxed) +
         held_.allocated.load(std::memory_order_relaxed);
}
void note_peak(State& s) {
  int64_t now = all_allocated(s);
  if (now > s.peak.load(std::memory_order_relaxed)) s.peak.store(now, std::memory_order_relaxed);
}

void count(State& s, size_t capacity) {
  ++s.stats.allocations;
  add_to(s.allocated, static_cast<int64_t>(capacity));
  note_peak(s);
}

void* exact_block(size_t n) {
  void* p = nullptr;
  return posix_memalign(&p, kAlign, n ? n : 1) ? nullptr : p;
}

Block take_small(State& s, size_t n) {
  int c = class_of(n);
  size_t capacity = class_size(c);
  if (FreeBlock* b = s.small[c]) {
    s.small[c] = b->next;
    return {b, capacity};
  }
  return {carve(s, capacity), capacity};
}

}  // namespace

Block allocate(size_t nbytes) {
  State& s = state();
  Block b{nullptr, 0};
  {
    Lock guard(s);
    bool refuse = s.fail_after && --s.fail_after == 0;
    if (!refuse && !kCaches)
      b = {exact_block(nbytes), nbytes};
    else if (!refuse)
      b = nbytes <= kSmallMax ? take_small(s, nbytes) : take_large(s, nbytes);
    if (b.data) count(s, b.capacity);
  }
  if (!b.data) out_of_memory(nbytes);
  return b;
}

void deallocate(void* data, size_t capacity) noexcept {
  if (!data) return;
  State& s = state();
  Lock guard(s);
  add_to(s.allocated, -static_cast<int64_t>(capacity));
  if (!kCaches) return std::free(data);
  if (capacity <= class_size(class_of(kSmallMax))) {
    int c = class_of(capacity);
    auto* b = static_cast<FreeBlock*>(data);
    b->next = s.small[c];
    s.small[c] = b;
    return;
  }
  if (static_cast<size_t>(s.stats.cached) + capacity > s.cache_bound) {
    unmap_large(data, capacity);
    return;
  }
  s.stats.cached += static_cast<int64_t>(capacity);
  // Before its equals, so that the block freed last, which caches still hold, is taken first.
  s.large.emplace_hint(s.large.lower_bound(capacity), capacity, data);
}

Block allocate_held(size_t nbytes) {
  int c = class_of(nbytes);
  State& s = state();
  if (!kCaches || c >= kFineClasses || !held_.small[c] || s.fail_after) return allocate(nbytes);
  FreeBlock* b = held_.small[c];
  held_.small[c] = b->next;
  size_t capacity = class_size(c);
  ++held_.allocations;
  add_to(held_.allocated, static_cast<int64_t>(capacity));
  note_peak(s);
  return {b, capacity};
}

void deallocate_held(void* data, size_t capacity) noexcept {
  if (!kCaches || !data || capacity > class_size(kFineClasses - 1))
    return deallocate(data, capacity);
  int c = class_of(capacity);
  auto* b = static_cast<FreeBlock*>(data);
  b->next = held_.small[c];
  held_.small[c] = b;
  add_to(held_.allocated, -static_cast<int64_t>(capacity));
}

void advise_huge_pages(void* data, size_t nbytes) noexcept {
  auto start = reinterpret_cast<uintptr_t>(data), end = start + nbytes;
  start = (start + kPage - 1) & ~(kPage - 1);
  end &= ~(kPage - 1);
  if (end > start) madvise(reinterpret_cast<void*>(start), end - start, MADV_HUGEPAGE);
}

void empty_cache() noexcept {
  Lock guard(state());
  drop_cached(state());
}

MemoryStats memory_stats() {
  State& s = state();
  Lock guard(s);
  MemoryStats all = s.stats;
  all.allocated = all_allocated(s);
  all.peak_allocated = s.peak;
  all.allocations += held_.allocations;
  return all;
}

void reset_peak_memory() {
  Lock guard(state());
  state().peak = all_allocated(state());
}

void fail_allocation_after(int64_t n) {
  Lock guard(state());
  state().fail_after = n;
}

}  // namespace rl
