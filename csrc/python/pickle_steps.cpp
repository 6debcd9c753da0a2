// The instructions of pickles that only move plain values: numbers, texts, tuples, what was kept.
// They are nine of ten in a checkpoint. All that makes or changes other objects, and so is a matter
// of safety, is in rushlight/_serialization/safe_pickle.py, which drives this.
#include <array>
#include <cstring>

#include "python/bytes.h"

namespace rl::py {
namespace {

constexpr int8_t kNotHere = -1;

// Bytes of an instruction's operand; of a text, those of its length.
constexpr auto kOperandBytes = [] {
  std::array<int8_t, 256> bytes;
  bytes.fill(kNotHere);
  for (uint8_t code : {'(', ')', ']', '}', 'N', 't'}) bytes[code] = 0;
  for (uint8_t code : {0x85, 0x86, 0x87, 0x88, 0x89, 0x94}) bytes[code] = 0;
  for (uint8_t code : {int{'K'}, int{'h'}, int{'q'}, 0x8c}) bytes[code] = 1;
  bytes['M'] = 2;
  for (uint8_t code : {'J', 'j', 'r', 'X'}) bytes[code] = 4;
  return bytes;
}();

bool is_text(uint8_t code) { return code == 'X' || code == 0x8c; }

uint32_t number_at(const uint8_t* p, int bytes) {  // the low byte comes first
  uint32_t value = 0;
  for (int i = bytes; i--;) value = value << 8 | p[i];
  return value;
}

class Machine {
 public:
  Machine(PyObject* stack, PyObject* memo, PyObject* mark)
      : stack_(stack), memo_(memo), mark_(mark) {}

  // One instruction, with its operand and the text behind it.
  void step(uint8_t code, uint32_t operand, const uint8_t* text) {
    switch (code) {
      case '(':
        return push(Own::share(mark_));
      case ')':
        return push(PyTuple_New(0));
      case ']':
        return push(PyList_New(0));
      case '}':
        return push(PyDict_New());
      case 'N':
        return push(Own::share(Py_None));
      case 0x88:
        return push(Own::share(Py_True));
      case 0x89:
        return push(Own::share(Py_False));
      case 'K':
      case 'M':
        return push(PyLong_FromUnsignedLong(operand));
      case 'J':
        return push(PyLong_FromLong(static_cast<int32_t>(operand)));
      case 'X':
      case 0x8c:
        return push(
            PyUnicode_DecodeUTF8(reinterpret_cast<const char*>(text), operand, "surrogatepass"));
      case 'h':
      case 'j':
        return again(operand);
      case 'q':
      case 'r':
        return keep(operand);
      case 0x94:
        return keep(PyDict_GET_SIZE(memo_));
      case 't':
        return to_tuple(after_mark(), 1);
      default:  // 0x85 to 0x87: of one to three
        return to_tuple(depth() - (code - 0x84), 0);
    }
  }

 private:
  Py_ssize_t depth() const { return PyList_GET_SIZE(stack_); }
  [[noreturn]] static void fail(const char* what) {
    PyErr_SetString(PyExc_IndexError, what);
    throw PythonError{};
  }
  void push(Own value) { checked(PyList_Append(stack_, value.get())); }
  void push(PyObject* made) { push(Own(checked(made))); }

  void again(uint32_t index) {
    Own key(checked(PyLong_FromUnsignedLong(index)));
    PyObject* kept = PyDict_GetItemWithError(memo_, key.get());
    if (!kept) {
      if (!PyErr_Occurred()) PyErr_SetObject(PyExc_KeyError, key.get());
      throw PythonError{};
    }
    push(Own::share(kept));
  }
  void keep(Py_ssize_t index) {
    if (!depth()) fail("stack is too short");
    Own key(checked(PyLong_FromSsize_t(index)));
    checked(PyDict_SetItem(memo_, key.get(), PyList_GET_ITEM(stack_, depth() - 1)));
  }
  Py_ssize_t after_mark() const {
    Py_ssize_t at = depth();
    while (at && PyList_GET_ITEM(stack_, at - 1) != mark_) --at;
    if (!at) fail("no mark");
    return at;
  }
  // All from `start` on, in the place of which, and of so many before, their tuple stands.
  void to_tuple(Py_ssize_t start, Py_ssize_t before) {
    if (start < 0) fail("stack is too short");
    Own tuple(checked(PyTuple_New(depth() - start)));
    for (Py_ssize_t i = start; i < depth(); ++i)
      PyTuple_SET_ITEM(tuple.get(), i - start, Py_NewRef(PyList_GET_ITEM(stack_, i)));
    checked(PyList_SetSlice(stack_, start - before, depth(), nullptr));
    push(std::move(tuple));
  }

  PyObject *stack_, *memo_, *mark_;
};

}  // namespace

PyObject* py_pickle_steps(PyObject*, PyObject* args) {
  PyObject *data, *stack, *memo, *mark;
  Py_ssize_t at;
  if (!PyArg_ParseTuple(args, "SnO!O!O", &data, &at, &PyList_Type, &stack, &PyDict_Type, &memo,
                        &mark))
    return nullptr;
  return guarded([&]() -> PyObject* {
    const auto* bytes = reinterpret_cast<const uint8_t*>(PyBytes_AS_STRING(data));
    const Py_ssize_t size = PyBytes_GET_SIZE(data);
    Machine machine(stack, memo, mark);
    for (; at >= 0 && at < size;) {
      const uint8_t code = bytes[at];
      const int operand_bytes = kOperandBytes[code];
      if (operand_bytes == kNotHere) return Py_BuildValue("nn", at, Py_ssize_t{0});
      Py_ssize_t needed = 1 + operand_bytes;
      if (needed > size - at) return Py_BuildValue("nn", at, needed);
      const uint8_t* text = bytes + at + needed;
      const uint32_t operand = number_at(bytes + at + 1, operand_bytes);
      if (is_text(code)) needed += operand;
      if (needed > size - at) return Py_BuildValue("nn", at, needed);
      machine.step(code, operand, text);
      at += needed;
    }
    return Py_BuildValue("nn", at, Py_ssize_t{1});
  });
}

}  // namespace rl::py
