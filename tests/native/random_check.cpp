// Prints the numbers of kernels/random.h for fixed seeds, sizes and arguments, one case a line:
// name, dtype, seed, size, bytes in hexadecimal. tests/data/random_values.json holds PyTorch's.
// Reads nothing. To add a case: one line in `run_all`, and one in tools/record_random.py.
#include <cstdio>
#include <cstring>
#include <functional>
#include <vector>

#include "kernels/random.h"

using namespace rl;
using Fill = std::function<void(Generator&, DType, void*, int64_t)>;

static const DType kFloats[] = {DType::F16, DType::BF16, DType::F32, DType::F64};
static const DType kIntegers[] = {DType::U8, DType::I8, DType::I16, DType::I32, DType::I64};
static const DType kComplex[] = {DType::C64, DType::C128};

static void print_hex(const unsigned char* bytes, size_t n) {
  for (size_t i = 0; i < n; ++i) std::printf("%02x", bytes[i]);
}

// Two fills in a row: the second shows whether the first left the generator where it should.
static void show(const char* name, DType dtype, const Fill& fill) {
  for (uint64_t seed : {uint64_t{0}, uint64_t{42}, (uint64_t{1} << 40) + 7}) {
    for (int64_t n : {1, 7, 15, 16, 17, 100, 1000}) {
      if (!std::strcmp(name, "randperm") && n > 127 && item_size(dtype) == 1) continue;
      if (!std::strcmp(name, "randperm") && n > 257 && dtype == DType::BF16) continue;
      Generator g(seed);
      std::vector<unsigned char> out(2 * n * item_size(dtype));
      fill(g, dtype, out.data(), n);
      fill(g, dtype, out.data() + n * item_size(dtype), n);
      std::printf("%s %s %llu %lld ", name, info(dtype).name,
                  static_cast<unsigned long long>(seed), static_cast<long long>(n));
      print_hex(out.data(), out.size());
      std::putchar('\n');
    }
  }
}

template <class List> static void show_each(const char* name, const List& dtypes, const Fill& fill) {
  for (DType d : dtypes) show(name, d, fill);
}

static void run_real(const char* name, const Fill& fill) {
  show_each(name, kFloats, fill);
}

static void run_integers(const char* name, const Fill& fill) {
  show_each(name, kFloats, fill);
  show_each(name, kIntegers, fill);
}

static void run_continuous() {
  auto with = [](auto f, auto... args) -> Fill {
    return [=](Generator& g, DType d, void* o, int64_t n) { f(g, d, o, n, args...); };
  };
  run_real("uniform", with(random::uniform, 0.0, 1.0));
  run_real("uniform_-3_5.5", with(random::uniform, -3.0, 5.5));
  run_real("normal", with(random::normal, 0.0, 1.0, true));
  run_real("normal_2_0.3", with(random::normal, 2.0, 0.3, true));
  run_real("normal_strided_2_0.3", with(random::normal, 2.0, 0.3, false));
  show_each("uniform", kComplex, with(random::uniform, 0.0, 1.0));
  show_each("normal", kComplex, with(random::normal, 0.0, 1.0, true));
  run_real("exponential_1.5", with(random::exponential, 1.5));
  run_real("cauchy_1_2", with(random::cauchy, 1.0, 2.0));
  run_real("log_normal_0.5_0.75", with(random::log_normal, 0.5, 0.75));
}

static void run_discrete() {
  using random::integers;
  auto between = [](int64_t from, std::optional<int64_t> to) -> Fill {
    return [=](Generator& g, DType d, void* o, int64_t n) { integers(g, d, o, n, from, to); };
  };
  run_integers("random_0_100", between(0, 100));
  run_integers("random_5_none", between(5, std::nullopt));
  show("random_big", DType::I64, between(-7, int64_t{1} << 40));
  show("random_big", DType::F64, between(-7, int64_t{1} << 40));
  show("random_28", DType::I32, between(-3, (1 << 28) - 3));
  show("random_27", DType::I32, between(-3, (1 << 28) - 4));
  show("random_all", DType::I64, between(INT64_MIN, std::nullopt));
  run_integers("random", [](auto& g, DType d, void* o, int64_t n) { integers(g, d, o, n); });
  show("random", DType::Bool, [](auto& g, DType d, void* o, int64_t n) { integers(g, d, o, n); });
  run_integers("randperm", random::permutation);
  run_integers("bernoulli_0.3", [](auto& g, DType d, void* o, int64_t n) {
    random::bernoulli(g, d, o, n, 0.3);
  });
  run_integers("geometric_0.3", [](auto& g, DType d, void* o, int64_t n) {
    random::geometric(g, d, o, n, 0.3);
  });
  show("bernoulli_0.3", DType::Bool, [](auto& g, DType d, void* o, int64_t n) {
    random::bernoulli(g, d, o, n, 0.3);
  });
}

int main() {
  run_continuous();
  run_discrete();
}
