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
  bool is_number = false;  // a number given where a tensor or a number is accepted
  DType dtype = DType::F32;
  Device device = Device::Cpu;
  MemoryFormat format = MemoryFormat::Contiguous;
  Tensor* tensor = nullptr;  // borrowed
  Scalar number;             // Scalar, int, float and bool arguments
  union {
    const void* list = nullptr;  // of int[], float[], Tensor[] and str: in an arena or borrowed
    Generator* generator;
  };
  size_t count = 0;

  void set(Tensor* t) {
    none = false;
    tensor = t;
  }
  template <class T>
  void point_to(std::span<T> s) {
    list = s.data();
    count = s.size();
  }
  template <class T>
  std::span<T> as_list() const {
    return {static_cast<T*>(list), count};
  }
};

constexpr int kMaxArgs = 24, kInlineOuts = 4;

struct OutSpec {
  SizeVec sizes, strides;  // no strides: row-major
  DType dtype = DType::F32;
  int64_t offset = 0;  // views only
  int base = 0;        // views only: which tensor argument is viewed
};

// Outputs by number: the first few inline, more (unbind of a long dimension) on the heap. What no
// call has asked for is not even made: most have one output.
template <class T>
class OutList {
 public:
  OutList() {}
  OutList(OutList&& o) noexcept { take(o); }
  OutList& operator=(OutList&& o) noexcept {
    if (this != &o) {
      clear();
      take(o);
    }
    return *this;
  }
  ~OutList() { clear(); }

  T& operator[](int i) {
    while (size_ <= i) grow();
    return at(i);
  }
  const T& operator[](int i) const { return const_cast<OutList*>(this)->at(i); }
  [[gnu::always_inline]] void push_back(T value) {
    if (size_ < kInlineOuts)
      new (&inline_[size_++]) T(std::move(value));
    else
      push_back_more(std::move(value));
  }
  int size() const { return size_; }
  void clear() noexcept {
    for (int i = 0; i < std::min(size_, kInlineOuts); ++i) inline_[i].~T();
    more_.clear();
    size_ = 0;
  }

 private:
  [[gnu::noinline]] void push_back_more(T&& value) {
    more_.push_back(std::move(value));
    ++size_;
  }
  T& at(int i) {
    return i < kInlineOuts ? inline_[i] : more_[static_cast<size_t>(i - kInlineOuts)];
  }
  void grow() {
    if (size_ < kInlineOuts)
      new (&inline_[size_]) T;
    else
      more_.emplace_back();
    ++size_;
  }
  void take(OutList& o) noexcept {
    for (; size_ < std::min(o.size_, kInlineOuts); ++size_)
      new (&inline_[size_]) T(std::move(o.inline_[size_]));
    more_ = std::move(o.more_);
    size_ = o.size_;
    o.clear();
  }

  int size_ = 0;
  union {
    T inline_[kInlineOuts];
  };
  std::vector<T> more_;
};

class Call {
 public:
  explicit Call(OutList<Ref<Tensor>>& results) : outs(results) {}
  const char* op = "";  // the public name, for messages
  int n_args = 0;
  int n_outs = 0;
  OutList<OutSpec> specs;
  OutList<Ref<Tensor>>& outs;  // the caller's
  Device device = Device::Cpu;

  // Most arguments are absent: those are not even converted, but found among the op's defaults.
  void take_defaults(std::span<const Value* const> all) {
    copy_few(all.data(), all.size(), args_);
    n_args = static_cast<int>(all.size());
  }
  Value& give(int i) {
    args_[i] = new (given_ + i) Value;
    return given_[i];
  }

  const Value& arg(int i) const { return *args_[i]; }
  Tensor& tensor(int i) const { return *arg(i).tensor; }
  Tensor* tensor_or_null(int i) const { return arg(i).tensor; }
  std::span<Tensor* const> tensors(int i) const { return arg(i).as_list<Tensor* const>(); }
  bool has(int i) const { return !arg(i).none; }
  int64_t integer(int i) const { return arg(i).number.i; }
  double number(int i) const { return arg(i).number.re; }
  const Scalar& scalar(int i) const { return arg(i).number; }
  bool flag(int i) const { return arg(i).number.i != 0; }
  Sizes ints(int i) const { return arg(i).as_list<const int64_t>(); }
  std::span<const double> floats(int i) const { return arg(i).as_list<const double>(); }
  std::string_view text(int i) const {
    return {static_cast<const char*>(arg(i).list), arg(i).count};
  }
  DType dtype_or(int i, DType otherwise) const { return has(i) ? arg(i).dtype : otherwise; }

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

 private:
  const Value* args_[kMaxArgs];
  union {
    Value given_[kMaxArgs];  // made one by one: clearing all would cost more than a small op
  };
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
// `alone` decides for calls with nothing but that argument, before anything is converted.
struct Shortcut {
  const char* name;
  bool (*unchanged)(const Call&);
  bool (*alone)(const Tensor&) = nullptr;
};
const Shortcut* find_shortcut(std::string_view name);

// What a composition comes to where its arguments are the usual ones: native ops in a row, without
// the interpreter. They are recorded as if the body had called them; of a step with several
// results, the first counts.
class Steps {
 public:
  struct Arg {
    // Of the composition; an integer; the result of the step before; whether it is recorded.
    enum Kind : uint8_t { Argument, Number, Previous, Recorded } kind;
    int64_t value;
  };
  struct Step {
    const char* op;
    Arg args[8];
    int count = 0;
  };

  Steps& then(const char* op) {
    steps_[count_++].op = op;
    return *this;
  }
  Steps& argument(int i) { return add({Arg::Argument, i}); }
  Steps& number(int64_t n) { return add({Arg::Number, n}); }
  Steps& previous() { return add({Arg::Previous, 0}); }
  Steps& is_recorded() { return add({Arg::Recorded, 0}); }
  std::span<const Step> all() const { return {steps_, static_cast<size_t>(count_)}; }

 private:
  Steps& add(Arg a) {
    Step& s = steps_[count_ - 1];
    s.args[s.count++] = a;
    return *this;
  }
  int count_ = 0;
  Step steps_[2];
};
struct Route {
  const char* name;
  bool (*steps)(const Call&, Steps&);  // false: the body decides, and finds what is wrong
};
const Route* find_route(std::string_view name);
std::vector<std::string_view> kernel_names();

// Registrations are constant data that the linker gathers; the table is made from them on first
// use. No code of a kernel file runs when the module is loaded, which matters for those compiled
// for an instruction set that this machine may not have.
struct Registration {
  enum What : uint8_t {
    OfKernel,
    OfShortcut,
    OfRoute,
    OfPointwise,
    OfConvertTable,
    OfMoveTable,
    OfGemmLoops,
    OfGemmBlocks,
    OfConvDirect,
    OfDenseFactors,
    OfSmallInverses
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
#define RL_SHORTCUT(...) RL_REGISTER(OfShortcut, 1, ::rl::Shortcut{__VA_ARGS__})
#define RL_ROUTE(name, steps) RL_REGISTER(OfRoute, 1, ::rl::Route{name, steps})
#define RL_VIEW(name, infer) RL_KERNEL_(name, infer, nullptr, ::rl::Kernel::View)

}  // namespace rl
