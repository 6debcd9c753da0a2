// Errors thrown by the core; csrc/python turns them into Python exceptions of the same kind.
// One shape: "op: what was expected, what came, how to mend it".
#pragma once
#include <exception>
#include <span>
#include <string>
#include <string_view>

#include "core/dtype.h"

namespace rl {

enum class ErrorKind : uint8_t { Runtime, Type, Value, Index, NotImplemented, Memory, Python };

class Error : public std::exception {
 public:
  Error(ErrorKind kind, std::string what) : kind_(kind), what_(std::move(what)) {}
  const char* what() const noexcept override { return what_.c_str(); }
  ErrorKind kind() const { return kind_; }

 private:
  ErrorKind kind_;
  std::string what_;
};

void append(std::string& s, std::string_view v);
void append(std::string& s, const char* v);
void append(std::string& s, int64_t v);
void append(std::string& s, int v);
void append(std::string& s, size_t v);
void append(std::string& s, double v);
void append(std::string& s, DType v);
void append(std::string& s, std::span<const int64_t> v);  // "[2, 3]"

// Concatenates its arguments: str("expected ", n, " got ", sizes).
template <class... A>
std::string str(const A&... a) {
  std::string s;
  (append(s, a), ...);
  return s;
}

template <class... A>
[[noreturn, gnu::cold, gnu::noinline]] void fail(ErrorKind k, const A&... a) {
  throw Error(k, str(a...));
}
template <class... A>
[[noreturn, gnu::cold]] void fail(const A&... a) {
  throw Error(ErrorKind::Runtime, str(a...));
}
#define RL_CHECK(cond, ...)                                    \
  do {                                                         \
    if (__builtin_expect(!(cond), 0)) ::rl::fail(__VA_ARGS__); \
  } while (0)

}  // namespace rl
