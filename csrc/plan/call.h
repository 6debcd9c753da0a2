// What a kernel sees of a call: its converted arguments in schema order and, after `infer`,
// the outputs to fill. A structural op is a pair:
//   infer(Call&)  checks the arguments and describes the outputs (shape, dtype, strides);
//                 it serves eager calls, the meta device and graph capture alike;
//   run(Call&)    computes into call.out(i), which exists with the described geometry.
// Nothing else about an op is said in C++: schema, gradient and doc live in its record.
// Register with RL_KERNEL(name, infer, run), RL_DYNAMIC(name, run) when the shape depends on
// the data (run makes the outputs itself: call.set_out), RL_VIEW(name, infer) for views, and with
// ..._FLOAT8 where 8-bit floats are served, too.
#pragma once
#include <algorithm>
#include <array>
#include <string_view>

#include "core/tensor.h"

namespace rl {

// A number from Python, with the category that promotion needs.
struct Scalar {
  enum Kind : uint8_t { Bool, Int, Float, Complex } kind = Int;
  int64_t i = 0;          // Bool and Int
  double re = 0, im = 0;  // set for every kind (re = double(i) for integers)
  static Scalar of(int64_t v) { return {Int, v, static_cast<double>(v), 0}; }
  static Scalar of(double v) { return {Float, 0, v, 0}; }
  static Scalar of(bool v) { return {Bool, v, static_cast<double>(v), 0}; }
  template <class T>
  T to() const {
    if constexpr (requires(T v) { v.re; }) {
      using R = decltype(T{}.re);
      return T{static_cast<R>(re), static_cast<R>(im)};
    } else if constexpr (std::is_same_v<T, bool>) {
      return kind <= Int ? i != 0 : (re != 0 || im != 0);
    } else if constexpr (std::is_integral_v<T>) {
      return static_cast<T>(kind <= Int ? i : static_cast<int64_t>(re));
    } else {
      return static_cast<T>(static_cast<float>(re));
    }
  }
};
template <>
inline double Scalar::to<double>() const {
  return re;
}
template <>
inline float Scalar::to<float>() const {
  return static_cast<float>(re);
}

class Generator;

// One converted argument. `none` is set for None and for absent optionals.
struct Value {
  bool none = true;
  bool is_number = false;            // a number given where a tensor or a number is accepted
  Tensor* tensor = nullptr;          // borrowed
  Scalar number;                     // Scalar, int, float and bool arguments
  Sizes ints;                        // int[] (points into the call's arena)
  std::span<Tensor* const> tensors;  // Tensor[]; an entry is null for None in Tensor?[]
  std::span<const double> floats;    // float[]
  std::string_view text;             // str, and the spelling of enumerations
  DType dtype = DType::F32;
  Device device = Device::Cpu;
  MemoryFormat format = MemoryFormat::Contiguous;
  Generator* generator = nullptr;
};

constexpr int kMaxArgs = 24, kInlineOuts = 4;

struct OutSpec {
  SizeVec sizes, strides;  // no strides: row-major
  DType dtype = DType::F32;
  int64_t offset = 0;  // views only
  int base = 0;        // views only: which tensor argument is viewed
};

// Outputs by number: the first few inline, more (unbind of a long dimension) on the heap.
template <class T>
class OutList {
 public:
  T& operator[](int i) {
    size_ = std::max(size_, i + 1);
    if (i < kInlineOuts) return inline_[i];
    auto at = static_cast<size_t>(i - kInlineOuts);
    if (at >= more_.size()) more_.resize(at + 1);
    return more_[at];
  }
  const T& operator[](int i) const {
    return i < kInlineOuts ? inline_[i] : more_[static_cast<size_t>(i - kInlineOuts)];
  }
  void push_back(T value) { (*this)[size_] = std::move(value); }
  int size() const { return size_; }

 private:
  int size_ = 0;
  T inline_[kInlineOuts];
  std::vector<T> more_;
};

class Call {
 public:
  Call() {}
  const char* op = "";  // the public name, for messages
  union {
    Value args[kMaxArgs];  // the first n_args are set; clearing all would cost more than a small op
  };
  int n_args = 0;
  int n_outs = 0;
  OutList<OutSpec> specs;
  OutList<Ref<Tensor>> outs;
  Device device = Device::Cpu;

  Tensor& tensor(int i) const { return *args[i].tensor; }
  Tensor* tensor_or_null(int i) const { return args[i].tensor; }
  std::span<Tensor* const> tensors(int i) const { return args[i].tensors; }
  bool has(int i) const { return !args[i].none; }
  int64_t integer(int i) const { return args[i].number.i; }
  double number(int i) const { return args[i].number.re; }
  const Scalar& scalar(int i) const { return args[i].number; }
  bool flag(int i) const { return args[i].number.i != 0; }
  Sizes ints(int i) const { return args[i].ints; }
  std::string_view text(int i) const { return args[i].text; }
  DType dtype_or(int i, DType otherwise) const { return has(i) ? args[i].dtype : otherwise; }

  // infer: describes the next output.
  OutSpec& add_out(Sizes sizes, DType dtype) {
    OutSpec& s = specs[n_outs++];
    s.sizes.assign(sizes.begin(), sizes.end());
    s.dtype = dtype;
    return s;
  }
  Tensor& out(int i) const { return *outs[i]; }
  // Dynamic kernels: hands over a finished output.
  void set_out(int i, Ref<Tensor> t) {
    outs[i] = std::move(t);
    if (n_outs <= i) n_outs = i + 1;
  }
};

struct Kernel {
  const char* name;
  void (*infer)(Call&);
  void (*run)(Call&);
  enum Kind : uint8_t { Structural, Dynamic, View } kind;
  bool float8 = false;  // serves 8-bit floats as well: it moves elements, or converts them first
};
const Kernel* find_kernel(std::string_view name);  // null when there is none

// For a composition whose result is often its first argument itself, such as contiguous(): is it,
// this time? Registered under the record's whole name; the body runs if not.
struct Shortcut {
  const char* name;
  bool (*unchanged)(const Call&);
};
const Shortcut* find_shortcut(std::string_view name);
std::vector<std::string_view> kernel_names();

// Registrations are constant data that the linker gathers; the table is made from them on first
// use. No code of a kernel file runs when the module is loaded, which matters for those compiled
// for an instruction set that this machine may not have.
struct Registration {
  enum What : uint8_t {
    OfKernel,
    OfShortcut,
    OfPointwise,
    OfConvertTable,
    OfMoveTable,
    OfGemmLoops,
    OfGemmBlocks
  } what;
  int rank;  // of the instruction-set level it was compiled for, see plan/isa.h
  const void* object;
};
const void* best_registered(Registration::What what);  // for tables of which there is one a level

#define RL_JOIN_(a, b) a##b
#define RL_JOIN(a, b) RL_JOIN_(a, b)
#define RL_REGISTER_AS(id, what, rank, ...)                                                 \
  constexpr auto RL_JOIN(registered_object_, id) = __VA_ARGS__;                             \
  [[gnu::section("rl_registered"), gnu::used]] constinit static ::rl::Registration RL_JOIN( \
      registered_, id) = {::rl::Registration::what, rank, &RL_JOIN(registered_object_, id)}
#define RL_REGISTER(what, rank, ...) RL_REGISTER_AS(__COUNTER__, what, rank, __VA_ARGS__)
#define RL_KERNEL_(...) RL_REGISTER(OfKernel, 1, ::rl::Kernel{__VA_ARGS__})
#define RL_KERNEL(name, infer, run) RL_KERNEL_(name, infer, run, ::rl::Kernel::Structural)
#define RL_DYNAMIC(name, run) RL_KERNEL_(name, nullptr, run, ::rl::Kernel::Dynamic)
#define RL_KERNEL_FLOAT8(name, infer, run) \
  RL_KERNEL_(name, infer, run, ::rl::Kernel::Structural, true)
#define RL_DYNAMIC_FLOAT8(name, run) RL_KERNEL_(name, nullptr, run, ::rl::Kernel::Dynamic, true)
#define RL_SHORTCUT(name, unchanged) RL_REGISTER(OfShortcut, 1, ::rl::Shortcut{name, unchanged})
#define RL_VIEW(name, infer) RL_KERNEL_(name, infer, nullptr, ::rl::Kernel::View)

}  // namespace rl
