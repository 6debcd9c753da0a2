// The tables of kernels, made from their registrations. Names are the only join key with the op
// records; a bijection test compares both sides.
#include <algorithm>
#include <array>
#include <cstdlib>
#include <span>
#include <unordered_map>

#include "plan/isa.h"
#include "plan/pointwise.h"

// The bounds of the section that RL_REGISTER fills; named by the linker.
extern "C" {
[[gnu::visibility("hidden")]] extern const rl::Registration __start_rl_registered[],
    __stop_rl_registered[];
}

namespace rl {
namespace {

template <class K>
using Kernels = std::unordered_map<std::string_view, K>;

std::span<const Registration> registrations() {
  return {__start_rl_registered, __stop_rl_registered};
}

// The best version of each kernel that this machine can run.
Kernels<Kernel> collect_kernels() {
  Kernels<Kernel> table;
  std::unordered_map<std::string_view, int> ranks;
  for (const Registration& r : registrations()) {
    if (r.what != Registration::OfKernel) continue;
    auto& k = *static_cast<const Kernel*>(r.object);
    if (!isa_wins(r.rank, ranks[k.name])) continue;
    ranks[k.name] = r.rank;
    table[k.name] = k;
  }
  return table;
}

// Those of which there is one, whatever the level.
template <class K>
Kernels<K> collect_plain(Registration::What what) {
  Kernels<K> table;
  for (const Registration& r : registrations())
    if (r.what == what) {
      auto& k = *static_cast<const K*>(r.object);
      table[k.name] = k;
    }
  return table;
}

// Compute types may come from different files, so each keeps the rank that provided it.
Kernels<PointwiseKernel> collect_pointwise() {
  Kernels<PointwiseKernel> table;
  std::unordered_map<std::string_view, std::array<int, kComputes>> ranks;
  for (const Registration& r : registrations()) {
    if (r.what != Registration::OfPointwise) continue;
    auto& k = *static_cast<const PointwiseKernel*>(r.object);
    PointwiseKernel& have =
        table
            .try_emplace(k.name,
                         PointwiseKernel{k.name, k.inputs, k.params, {}, {}, k.any_sign, k.float8})
            .first->second;
    have.demands |= k.demands;
    have.cheap |= k.cheap;
    std::array<int, kComputes>& present = ranks[k.name];
    for (int c = 0; c < kComputes; ++c) {
      if (!k.fn[c] || !isa_wins(r.rank, present[c])) continue;
      have.fn[c] = k.fn[c];
      have.result[c] = k.result[c];
      have.spread[c] = k.spread[c];
      have.numbered[c] = k.numbered[c];
      if (c == static_cast<int>(Compute::F)) {
        std::ranges::copy(k.of_short, have.of_short);
        std::ranges::copy(k.spread_short, have.spread_short);
        std::ranges::copy(k.numbered_short, have.numbered_short);
        have.turned = k.turned;
      }
      present[c] = r.rank;
    }
  }
  return table;
}

const Kernels<Kernel>& kernels() {
  static const auto* table = new Kernels<Kernel>(collect_kernels());
  return *table;
}
const Kernels<PointwiseKernel>& pointwise() {
  static const auto* table = new Kernels<PointwiseKernel>(collect_pointwise());
  return *table;
}

const Kernels<Shortcut>& shortcuts() {
  static const auto* table =
      new Kernels<Shortcut>(collect_plain<Shortcut>(Registration::OfShortcut));
  return *table;
}
const Kernels<Route>& routes() {
  static const auto* table = new Kernels<Route>(collect_plain<Route>(Registration::OfRoute));
  return *table;
}

template <class K>
const K* get(const Kernels<K>& table, std::string_view name) {
  auto it = table.find(name);
  return it == table.end() ? nullptr : &it->second;
}
template <class K>
std::vector<std::string_view> names(const Kernels<K>& table) {
  std::vector<std::string_view> out;
  for (auto& [name, unused] : table) out.push_back(name);
  return out;
}

// The lowest level that this build has: a developer's may leave some out.
int lowest_compiled() {
  int rank = isa_rank("v4");
  for (const Registration& r : registrations())
    if (r.what == Registration::OfConvertTable) rank = std::min(rank, r.rank);
  return rank;
}

int detect_isa() {
  int rank = 1;
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("x86-64-v3")) rank = 3;
  if (__builtin_cpu_supports("x86-64-v4")) rank = 4;
#endif
  if (const char* cap = std::getenv("RUSHLIGHT_ISA"); cap && cap[0] == 'v')
    rank = std::min(rank, std::max(isa_rank(cap), lowest_compiled()));
  return rank;
}

}  // namespace

int machine_isa() {
  static int rank = detect_isa();
  return rank;
}

const void* best_registered(Registration::What what) {
  const Registration* best = nullptr;
  for (const Registration& r : registrations())
    if (r.what == what && isa_wins(r.rank, best ? best->rank : 0)) best = &r;
  return best ? best->object : nullptr;
}

const Kernel* find_kernel(std::string_view name) { return get(kernels(), name); }
std::vector<std::string_view> kernel_names() { return names(kernels()); }
const Shortcut* find_shortcut(std::string_view name) { return get(shortcuts(), name); }
const Route* find_route(std::string_view name) { return get(routes(), name); }
const PointwiseKernel* find_pointwise(std::string_view name) { return get(pointwise(), name); }
std::vector<std::string_view> pointwise_names() { return names(pointwise()); }

}  // namespace rl
