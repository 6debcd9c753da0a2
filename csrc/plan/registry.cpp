// The tables that kernels register themselves in. Names are the only join key with the op
// records; a bijection test compares both sides.
#include <algorithm>
#include <array>
#include <cstdlib>
#include <unordered_map>

#include "plan/isa.h"
#include "plan/pointwise.h"

namespace rl {
namespace {

template <class K> struct Ranked {
  K kernel;
  int rank;
};
template <class K> using Table = std::unordered_map<std::string_view, Ranked<K>>;

// Functions, not globals: registration runs during static initialisation.
Table<Kernel>& kernels() {
  static auto* t = new Table<Kernel>;
  return *t;
}
Table<PointwiseKernel>& pointwise() {
  static auto* t = new Table<PointwiseKernel>;
  return *t;
}
Ranked<ConvertTable>& converts() {
  static Ranked<ConvertTable> t{};
  return t;
}

template <class K> bool put(Table<K>& table, const K& k, int rank) {
  Ranked<K>& slot = table[k.name];
  if (isa_wins(rank, slot.rank)) slot = {k, rank};
  return true;
}
template <class K> const K* get(Table<K>& table, std::string_view name) {
  auto it = table.find(name);
  return it == table.end() ? nullptr : &it->second.kernel;
}
template <class K> std::vector<std::string_view> names(const Table<K>& table) {
  std::vector<std::string_view> out;
  for (auto& [name, unused] : table) out.push_back(name);
  return out;
}

int detect_isa() {
  int rank = 1;
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("x86-64-v3")) rank = 3;
  if (__builtin_cpu_supports("x86-64-v4")) rank = 4;
#endif
  if (const char* cap = std::getenv("RUSHLIGHT_ISA"); cap && cap[0] == 'v')
    rank = std::min(rank, isa_rank(cap));
  return rank;
}

}  // namespace

int machine_isa() {
  static int rank = detect_isa();
  return rank;
}

bool register_kernel(const Kernel& k) { return put(kernels(), k, 1); }
bool register_isa_kernel(const Kernel& k, int rank) { return put(kernels(), k, rank); }
const Kernel* find_kernel(std::string_view name) { return get(kernels(), name); }
std::vector<std::string_view> kernel_names() { return names(kernels()); }

// Compute types may come from different files, so each keeps the rank that provided it.
void register_pointwise(const PointwiseKernel& k, int rank) {
  static auto* ranks = new std::unordered_map<std::string_view, std::array<int, kComputes>>;
  auto [it, fresh] = pointwise().try_emplace(k.name, Ranked<PointwiseKernel>{k, rank});
  PointwiseKernel& have = it->second.kernel;
  if (fresh) std::fill(std::begin(have.fn), std::end(have.fn), nullptr);
  std::array<int, kComputes>& present = (*ranks)[k.name];
  for (int c = 0; c < kComputes; ++c) {
    if (!k.fn[c] || !isa_wins(rank, present[c])) continue;
    have.fn[c] = k.fn[c];
    have.result[c] = k.result[c];
    present[c] = rank;
  }
}
const PointwiseKernel* find_pointwise(std::string_view name) { return get(pointwise(), name); }
std::vector<std::string_view> pointwise_names() { return names(pointwise()); }

void register_convert_table(const ConvertTable& t, int rank) {
  if (isa_wins(rank, converts().rank)) converts() = {t, rank};
}
const ConvertTable& convert_table() { return converts().kernel; }

}  // namespace rl
