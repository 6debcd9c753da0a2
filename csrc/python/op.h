// An operator as the native side sees it: the parsed schema, how it is computed, and its
// gradient rules. Built by operator_type.cpp from the Python record; names no particular operator.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "autograd/node.h"
#include "plan/pointwise.h"
#include "python/binding.h"

namespace rl::py {

enum class ArgType : uint8_t {
  Tensor,
  Tensors,
  Operand,
  Number,
  Int,
  Float,
  Bool,
  Ints,
  Floats,
  DType,
  Device,
  MemoryFormat,
  Layout,
  Str,
  Generator,
  Any
};

constexpr int kVarargs = -1;      // int[]: f(2, 3) means f((2, 3))
constexpr int kMayHoldNone = -2;  // Tensor?[]
constexpr int kMask = -3;         // mask: a tensor of bool (or, as in old programs, uint8)

struct ArgSpec {
  PyObject* name = nullptr;  // interned
  const char* text = "";     // the same, for messages
  ArgType type = ArgType::Any;
  bool optional = false, has_default = false, keyword_only = false;
  bool constant = false;  // made by the op's caller for this call alone: see op() in ops/_record.py
  int repeat = 0;         // int[2]: one int stands for two; or one of the marks below
  PyObject* default_value = nullptr;
};

// What a gradient rule wants: an argument, an output, the gradient of an output, which inputs
// need one, or an argument's geometry without its data (later in-place changes do not matter).
struct RuleInput {
  enum Kind : uint8_t { Argument, Result, Grad, Grads, Needs, Geometry, Given } kind;
  int index = 0;
  int only_for = -1;  // Argument: the geometry does unless this argument wants a gradient
};
struct Rule {
  int arg = -1;  // which argument it differentiates; -1: the joint rule
  PyObject* fn = nullptr;
  std::vector<RuleInput> inputs;
};

// What out= has to be like: of any dtype that the result can be cast to, or of its very dtype; and
// whether it may share memory with the inputs. Filled: and of any shape with as many elements.
enum class OutRule : uint8_t { Default, Cast, Filled, Exact, Disjoint, DisjointCast };
enum class DTypeRule : uint8_t { Promote, ToFloat, FloatsOnly };

struct Op {
  std::string name, public_name;
  uint8_t said_from = 0;  // kernels' messages leave out the underscore of an internal name
  std::vector<std::string> grad_names;   // by the number of the result's dimensions
  std::vector<std::string> short_names;  // the same of calls without the argument `extra`
  int extra = -1;
  std::vector<ArgSpec> args;
  int positional = 0;             // arguments that may be positional
  size_t required = 0;            // how many there are up to the last that has no default
  Py_ssize_t varargs = kMaxArgs;  // the argument that may be ints one by one, if any
  int layout_arg = -1;
  mutable const Value* const* defaults = nullptr;  // see defaults_of
  bool draws = false;                              // takes a generator
  bool has_out = false, differentiable = true, returns_list = false, is_view = false;
  bool labels = false;  // a composition that is one node to PyTorch: its result's node has its name
  DTypeRule dtype_rule = DTypeRule::Promote;
  const PointwiseKernel* pointwise = nullptr;
  const Kernel* kernel = nullptr;
  const Shortcut* shortcut = nullptr;  // compositions: is the result the first argument?
  const Route* route = nullptr;        // compositions: for the usual arguments, native ops in a row
  PyObject* body = nullptr;            // Python implementation, called with the arguments in order
  PyObject* record = nullptr;          // what declared it: a Record
  std::vector<std::string> result_names;
  bool named_results = false;               // several results are a tuple with these names
  mutable PyObject* result_type = nullptr;  // its class, made on first use
  std::vector<Rule> rules;  // one per differentiable argument, or a single joint rule
  std::vector<int> tensor_args;
  std::vector<int> placing_args;  // those and devices: they say where the results are
  int requires_grad_arg = -1, dtype_arg = -1;
  OutRule out_rule = OutRule::Cast;
  std::string no_bool;        // what to use instead where bool tensors are refused
  uint8_t no_float8 = 0;      // one bit for each 8-bit float that is refused: float8_bit
  bool no_single = false;     // 8-bit floats are refused where the second operand has one element
  bool wants_tensor = false;  // at least one operand has to be a tensor
  int mutated = -1;           // an argument the op itself changes, as in copy_(Tensor(a!) self)

  // Gradients come from the ops that the body calls, unless none are wanted and a kernel is there.
  bool is_composite() const { return body && rules.empty() && (differentiable || !kernel); }
};

inline uint8_t float8_bit(DType d) {
  return static_cast<uint8_t>(1 << (static_cast<int>(d) - static_cast<int>(DType::F8E4M3)));
}

// args.cpp: the sizes of f(2, 3) as a tuple. Of ints, it is the last call's again unless somebody
// kept that.
class SizesTuple {
 public:
  SizesTuple() = default;
  SizesTuple(const SizesTuple&) = delete;
  ~SizesTuple() {
    if (tuple_) give_back();
  }
  PyObject* collect(PyObject* const* items, Py_ssize_t n);

 private:
  void give_back();
  PyObject* tuple_ = nullptr;
};

// Argument values of one call, in schema order: borrowed objects, null where absent.
struct Slots {
  PyObject* at[kMaxArgs] = {};
  size_t end = kMaxArgs;  // those from here on are known to be absent
  PyObject* out = nullptr;
  uint8_t interposed = 0;  // the marks of all arguments: see interpose.h
  uint8_t level = 0;       // of the innermost wrapper among them: see levels.h
  SizesTuple sizes;
  int n_kept = 0;
  union {
    Own kept[4];  // temporaries: collected varargs and the like; made when they come
  };
  Slots() {}
  Slots(const Slots&) = delete;
  ~Slots() { std::destroy_n(kept, n_kept); }
  PyObject* keep(PyObject* p) {
    new (kept + n_kept++) Own(checked(p));
    return p;
  }
};

enum class Form : uint8_t { Function, Method, Inplace };

// args.cpp
bool parse_args(const Op& op, PyObject* const* args, Py_ssize_t n, PyObject* kwnames, Slots& slots,
                std::string* why);  // false: `why` says what does not fit
// The lists that a call's Values point to: int[], float[] and Tensor[]. Short ones allocate
// nothing.
class Arena {
 public:
  template <class T>
  T* take(size_t n) {
    static_assert(sizeof(T) == sizeof(room_[0]));
    if (n <= kRoom - used_) return reinterpret_cast<T*>(room_ + std::exchange(used_, used_ + n));
    return reinterpret_cast<T*>(more_.emplace_back(new uint64_t[n]).get());
  }

 private:
  static constexpr size_t kRoom = 24;
  size_t used_ = 0;
  uint64_t room_[kRoom];
  std::vector<std::unique_ptr<uint64_t[]>> more_;
};
// What absent arguments are; made on first use.
const Value* const* make_defaults(const Op& op);
inline const Value* const* defaults_of(const Op& op) {
  return op.defaults ? op.defaults : make_defaults(op);
}
void convert_args(const Op& op, const Slots& slots, Call& call, Arena& arena);
// op.cpp
PyObject* invoke(Op& op, Slots& slots, Form form);
PyObject* call_body(const Op& op, const Slots& slots);  // the Python implementation
Op& operator_op(PyObject* record);
void add_operator_type(PyObject* module);
Op& named_op(const char* public_name);  // its first overload
const char* op_name(const Op* op);

// record.cpp
bool any_requires_grad(const Op& op, const Slots& slots);
void check_inplace(const Op& op, Tensor& self, bool recording);
// Makes the node of a finished call and hangs the outputs on it.
void record(Op& op, const Slots& slots, std::span<Tensor* const> outs, Form form,
            PyObject* original);
// `op` records it: as_strided, or one of the names it has where the view came of an index.
PyObject* view_through(Tensor& base, Sizes sizes, Sizes strides, int64_t offset,
                       const char* op = "as_strided");
void mark_view(Tensor& view, Tensor& base, bool multiple);
// A result that views memory which the op's body made, and nobody else has, is no view.
void forget_view_of_body(const Slots& slots, Tensor& result);
Ref<Node> gradient_edge(Tensor& t, uint32_t& nr);  // its grad_fn, or its accumulator
// Puts a copy of a tensor that is about to be changed in its place of the graph.
void keep_history(Tensor& copy, Tensor& original);
Node* tensor_grad_fn(Tensor& t);  // regenerated for views of changed bases; borrowed

extern Op* operator_ops[64];  // filled from records: see the slots in tensor_slots.cpp
extern PyType_Slot operator_slots[];

}  // namespace rl::py
