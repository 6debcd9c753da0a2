// The source of random numbers on the CPU: MT19937 and the generator users hold.
// What the numbers are turned into (uniform, normal, ...) is in kernels/random.h.
//
// Numbers, state layout and draw order are those of PyTorch's CPU generator, so equal seeds
// and exchanged states give equal streams.
#pragma once
#include <array>
#include <cstdint>
#include <mutex>
#include <optional>

namespace rl {

// MT19937 (Matsumoto and Nishimura, "Mersenne Twister", ACM TOMACS 8(1), 1998).
class Mt19937 {
 public:
  static constexpr int kWords = 624;

  explicit Mt19937(uint64_t seed);
  uint32_t next();
  uint64_t next64() {  // the first draw is the high half
    uint64_t high = next();
    return high << 32 | next();
  }
  void fill(uint32_t* out, int64_t n);  // the next n draws, much faster than n calls of next()

 private:
  friend class Generator;
  void refill();

  uint64_t seed_;
  // PyTorch's two counters: `left_ - 1` words may be handed out, from `next_` on.
  int32_t left_ = 1;
  uint32_t next_ = 0;
  alignas(64) uint32_t words_[kWords];
};

// Hold `mutex` around every use of `engine` and the cached normal. The functions in
// kernels/random.h and the member functions below marked "locks" do so themselves.
class Generator {
 public:
  static constexpr uint64_t kDefaultSeed = 67280421310721u;
  static constexpr int kStateBytes = 5056;
  using State = std::array<uint8_t, kStateBytes>;

  explicit Generator(uint64_t seed = kDefaultSeed) : engine(seed) {}
  Generator(const Generator&) = delete;

  void manual_seed(uint64_t seed);  // locks
  uint64_t seed();                  // locks; seeds from the system and returns the seed
  uint64_t initial_seed();          // locks
  State get_state();                // locks; the bytes of torch.get_rng_state()
  void set_state(const void* data, int64_t bytes);  // locks; throws on a malformed state
  uint32_t random();                                // locks
  uint64_t random64();                              // locks

  std::mutex mutex;
  Mt19937 engine;
  // The second half of a Box-Muller pair drawn one at a time. The float one is never
  // produced here; it only travels in states.
  std::optional<double> cached_normal;
  std::optional<float> cached_normal_float;
};

// The generator used where none is given; seeded from the system when the process starts.
//
// A forked child continues the parent's stream, hence draws the same numbers: whoever forks
// workers seeds each of them anew. Forking takes the lock for the moment of the fork, so that
// a child never inherits it locked.
Generator& default_generator();

}  // namespace rl
