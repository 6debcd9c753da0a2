// Reading a record's schema, "name(Type arg=default, *, Type keyword) -> Tensor". The types that
// an argument may have are listed in schema.cpp; how calls are matched with them is in args.cpp.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "python/op.h"

namespace rl::py {

struct Schema {
  std::string name;
  std::vector<ArgSpec> args;  // without `out`
  std::vector<std::string> result_names;
  int mutated = -1;  // which argument the op changes
  bool has_out = false, returns_list = false;
};

Schema parse_schema(std::string_view text);
std::vector<std::string_view> split_arguments(std::string_view text);
PyObject* parse_constant(std::string_view text);  // a default: new reference

}  // namespace rl::py
