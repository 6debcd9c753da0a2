// Text of errors.
#include "core/error.h"

#include <cstdio>

namespace rl {

void append(std::string& s, std::string_view v) { s += v; }
void append(std::string& s, const char* v) { s += v; }
void append(std::string& s, int64_t v) { s += std::to_string(v); }
void append(std::string& s, int v) { s += std::to_string(v); }
void append(std::string& s, size_t v) { s += std::to_string(v); }
void append(std::string& s, DType v) { s += info(v).name; }
void append(std::string& s, double v) {
  char text[32];
  std::snprintf(text, sizeof text, "%g", v);
  s += text;
}
void append(std::string& s, std::span<const int64_t> v) {
  s += '[';
  for (size_t i = 0; i < v.size(); ++i) {
    if (i) s += ", ";
    s += std::to_string(v[i]);
  }
  s += ']';
}

}  // namespace rl
