// The list of kernels that may write into their first argument.
#include "plan/update.h"

#include <algorithm>

namespace rl {
namespace {
struct Update {
  std::string_view name;
  bool may_share;
};
std::vector<Update>& updates() {  // a function: registration runs before main
  static auto* list = new std::vector<Update>;
  return *list;
}
const Update* update_of(const Kernel& kernel) {
  auto found = std::ranges::find(updates(), std::string_view(kernel.name), &Update::name);
  return found == updates().end() ? nullptr : &*found;
}
}  // namespace

bool register_update(const char* name, bool may_share) {
  updates().push_back({name, may_share});
  return true;
}

bool is_update(const Kernel& kernel) { return update_of(kernel); }
bool refuses_shared(const Kernel& kernel) {
  const Update* update = update_of(kernel);
  return update && !update->may_share;
}

}  // namespace rl
