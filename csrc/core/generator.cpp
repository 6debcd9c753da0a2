// MT19937 written as plain loops that the compiler vectorises, and the generator's state.
// Distributions do not belong here; see kernels/random.h.
#include "core/generator.h"

#include <pthread.h>

#include <algorithm>
#include <cstring>
#include <random>

#include "core/error.h"
#include "core/multiversion.h"

namespace rl {
namespace {

constexpr int kN = Mt19937::kWords, kM = 397;

inline uint32_t twist(uint32_t here, uint32_t after) {
  uint32_t mixed = (here & 0x80000000u) | (after & 0x7fffffffu);
  return (mixed >> 1) ^ ((0u - (after & 1u)) & 0x9908b0dfu);
}

// Each loop reads words at a fixed distance of at least 227, so any vector width is safe.
RL_MULTIVERSION void next_words(uint32_t* w) {
  for (int i = 0; i < kN - kM; ++i) w[i] = w[i + kM] ^ twist(w[i], w[i + 1]);
  for (int i = kN - kM; i < kN - 1; ++i) w[i] = w[i + kM - kN] ^ twist(w[i], w[i + 1]);
  w[kN - 1] = w[kM - 1] ^ twist(w[kN - 1], w[0]);
}

inline uint32_t temper(uint32_t y) {
  y ^= y >> 11;
  y ^= y << 7 & 0x9d2c5680u;
  y ^= y << 15 & 0xefc60000u;
  return y ^ y >> 18;
}

RL_MULTIVERSION void temper_words(const uint32_t* __restrict w, uint32_t* __restrict out,
                                  int64_t n) {
  for (int64_t i = 0; i < n; ++i) out[i] = temper(w[i]);
}

// How PyTorch serialises its CPU generator, but for five bytes at the end: the cached float
// normal and whether there is one. `legacy` fields are always written as zero.
struct StateImage {
  uint64_t seed;
  int32_t left, seeded;
  uint64_t next;
  uint64_t words[kN];
  double legacy_x, normal, legacy_rho;
  int32_t has_normal, padding;
};
constexpr int kFloatOffset = 5048;
static_assert(sizeof(StateImage) == kFloatOffset);

uint64_t system_seed() {
  std::random_device device;
  uint64_t high = device();
  return high << 32 | device();
}

}  // namespace

Mt19937::Mt19937(uint64_t seed) : seed_(seed) {
  words_[0] = static_cast<uint32_t>(seed);
  for (uint32_t i = 1; i < kN; ++i) {
    words_[i] = 1812433253u * (words_[i - 1] ^ words_[i - 1] >> 30) + i;
  }
}

void Mt19937::refill() {
  next_words(words_);
  left_ = kWords;
  next_ = 0;
}

uint32_t Mt19937::next() {
  if (--left_ == 0) refill();
  return temper(words_[next_++]);
}

void Mt19937::fill(uint32_t* out, int64_t n) {
  while (n > 0) {
    if (left_ == 1) {
      refill();
      ++left_;  // a refill made by next() has already counted the word it hands out
    }
    auto count = static_cast<int32_t>(std::min<int64_t>(n, left_ - 1));
    temper_words(words_ + next_, out, count);
    next_ += count;
    left_ -= count;
    out += count;
    n -= count;
  }
}

void Generator::manual_seed(uint64_t seed) {
  std::lock_guard lock(mutex);
  engine = Mt19937(seed);
  cached_normal.reset();
  cached_normal_float.reset();
}

uint64_t Generator::seed() {
  uint64_t seed = system_seed();
  manual_seed(seed);
  return seed;
}

uint64_t Generator::initial_seed() {
  std::lock_guard lock(mutex);
  return engine.seed_;
}

uint32_t Generator::random() {
  std::lock_guard lock(mutex);
  return engine.next();
}

uint64_t Generator::random64() {
  std::lock_guard lock(mutex);
  return engine.next64();
}

Generator::State Generator::get_state() {
  std::lock_guard lock(mutex);
  StateImage image{};
  image.seed = engine.seed_;
  image.left = engine.left_;
  image.seeded = 1;
  image.next = engine.next_;
  std::copy_n(engine.words_, kN, image.words);
  image.has_normal = cached_normal.has_value();
  image.normal = cached_normal.value_or(0.0);
  float normal_float = cached_normal_float.value_or(0.0f);
  State state{};
  std::memcpy(state.data(), &image, kFloatOffset);
  std::memcpy(state.data() + kFloatOffset, &normal_float, sizeof normal_float);
  state[kFloatOffset + 4] = cached_normal_float.has_value();
  return state;
}

void Generator::set_state(const void* data, int64_t bytes) {
  RL_CHECK(bytes == kStateBytes, "set_state: expected a generator state of ", kStateBytes,
           " bytes, got ", bytes, "; pass what get_state() returned");
  StateImage image;
  std::memcpy(&image, data, kFloatOffset);
  // The last condition keeps a forged state from reading past the words.
  bool valid = image.seeded && image.left > 0 && image.left <= kN && image.next <= kN &&
               image.next + static_cast<uint64_t>(image.left) - 1 <= kN;
  RL_CHECK(valid, "set_state: expected an MT19937 state, got counters left=", image.left,
           " next=", static_cast<size_t>(image.next), "; pass what get_state() returned");
  auto* tail = static_cast<const uint8_t*>(data) + kFloatOffset;
  float normal_float;
  std::memcpy(&normal_float, tail, sizeof normal_float);

  std::lock_guard lock(mutex);
  engine.seed_ = image.seed;
  engine.left_ = image.left;
  engine.next_ = static_cast<uint32_t>(image.next);
  std::transform(image.words, image.words + kN, engine.words_,
                 [](uint64_t w) { return static_cast<uint32_t>(w); });
  cached_normal = image.has_normal ? std::optional(image.normal) : std::nullopt;
  cached_normal_float = tail[4] ? std::optional(normal_float) : std::nullopt;
}

Generator& default_generator() {
  static Generator* generator = [] {
    auto* made = new Generator(system_seed());  // never destroyed: threads may outlive main
    pthread_atfork([] { default_generator().mutex.lock(); },
                   [] { default_generator().mutex.unlock(); },
                   [] { default_generator().mutex.unlock(); });
    return made;
  }();
  return *generator;
}

}  // namespace rl
