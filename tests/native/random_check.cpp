// Prints the numbers of kernels/random.h for fixed seeds, sizes and arguments, one case a line:
// name, dtype, seed, size, bytes of two fills in a row in hexadecimal. PyTorch's are recorded in
// tests/data/random_values.json. Reads nothing. To add a case: a line in one of the run_ functions,
// and one in tools/record_random.py.
#include <algorithm>
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

static int64_t indices_of(const char* name, int64_t n) {
  if (!std::strcmp(name, "multinomial_one")) return 1;
  return std::strcmp(name, "multinomial") ? n + 1 : std::min<int64_t>(n, 12);
}

// Two fills in a row: the second shows whether the first left the generator where it should.
static void show(const char* name, DType dtype, const Fill& fill) {
  for (uint64_t seed : {uint64_t{0}, uint64_t{42}, (uint64_t{1} << 40) + 7}) {
    for (int64_t n : {1, 7, 15, 16, 17, 100, 1000}) {
      if (!std::strcmp(name, "randperm") && n > 127 && item_size(dtype) == 1) continue;
      if (!std::strcmp(name, "randperm") && n > 257 && dtype == DType::BF16) continue;
      Generator g(seed);
      bool to_indices = !std::strncmp(name, "multinomial", 11);
      int64_t bytes = to_indices ? 8 * indices_of(name, n) : n * item_size(dtype);
      std::vector<unsigned char> out(2 * bytes);
      fill(g, dtype, out.data(), n);
      fill(g, dtype, out.data() + bytes, n);
      std::printf("%s %s %llu %lld ", name, info(dtype).name, static_cast<unsigned long long>(seed),
                  static_cast<long long>(n));
      print_hex(out.data(), out.size());
      std::putchar('\n');
    }
  }
}

template <class List>
static void show_each(const char* name, const List& dtypes, const Fill& fill) {
  for (DType d : dtypes) show(name, d, fill);
}

static void run_real(const char* name, const Fill& fill) { show_each(name, kFloats, fill); }

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
  run_integers("bernoulli_0.3",
               [](auto& g, DType d, void* o, int64_t n) { random::bernoulli(g, d, o, n, 0.3); });
  run_integers("geometric_0.3",
               [](auto& g, DType d, void* o, int64_t n) { random::geometric(g, d, o, n, 0.3); });
  show("bernoulli_0.3", DType::Bool,
       [](auto& g, DType d, void* o, int64_t n) { random::bernoulli(g, d, o, n, 0.3); });
}

// (i * factor % 64 + shift) / scale in the dtype: numbers that every one represents exactly.
static std::vector<unsigned char> parameters(int64_t n, DType dtype, int factor, int scale,
                                             int shift = 0) {
  std::vector<unsigned char> bytes(n * item_size(dtype));
  for (int64_t i = 0; i < n; ++i) {
    double v = static_cast<double>(i * factor % 64 + shift) / scale;
    dispatch(dtype, [&]<class T>() {
      if constexpr (std::is_convertible_v<float, T>) {
        reinterpret_cast<T*>(bytes.data())[i] = static_cast<T>(static_cast<float>(v));
      }
    });
  }
  return bytes;
}

static void run_samplers() {
  const DType wide[] = {DType::F32, DType::F64};
  run_real("bernoulli_tensor", [](Generator& g, DType d, void* o, int64_t n) {
    random::bernoulli(g, d, o, n, d, parameters(n, d, 37, 64).data());
  });
  run_real("poisson", [](Generator& g, DType d, void* o, int64_t n) {
    random::poisson(g, d, o, n, parameters(n, d, 37, 2).data());
  });
  show_each("binomial", wide, [](Generator& g, DType d, void* o, int64_t n) {
    auto count = parameters(n, d, 37, 1), prob = parameters(n, d, 29, 64);
    random::binomial(g, d, o, n, count.data(), prob.data());
  });
  show_each("standard_gamma", wide, [](Generator& g, DType d, void* o, int64_t n) {
    random::standard_gamma(g, d, o, n, parameters(n, d, 37, 16).data());
  });
  show_each("dirichlet", wide, [](Generator& g, DType d, void* o, int64_t n) {
    random::dirichlet(g, d, o, 1, n, parameters(n, d, 37, 16, 1).data());
  });
  for (const char* name : {"multinomial", "multinomial_one", "multinomial_with"}) {
    run_real(name, [=](Generator& g, DType d, void* o, int64_t n) {
      random::multinomial(g, d, parameters(n, d, 37, 64, 1).data(), 1, n, static_cast<int64_t*>(o),
                          indices_of(name, n), std::strcmp(name, "multinomial"));
    });
  }
}

int main() {
  run_continuous();
  run_discrete();
  run_samplers();
}
