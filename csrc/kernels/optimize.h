// What the steps of optimizers share: the lists of tensors of a call, and the pass over all of
// them: every tensor is read and written once, and the threads share the elements of all
// parameters, however uneven their sizes. Included by files that are compiled per instruction-set
// level.
#pragma once

#include <algorithm>
#include <vector>

#include "plan/isa.h"
#include "plan/parallel.h"

namespace rl {
namespace RL_ISA_NS {
namespace {

constexpr int64_t kGrain = 32768;

void no_outputs(Call&) {}

// The lists of a call, checked: entry i of each is laid out as parameter i.
class Lists {
 public:
  Lists(Call& c, int count) : c_(c) {
    for (int k = 0; k < count; ++k) {
      size_t given = c.tensors(k).size();
      if (given != size() && (given || k < 2))
        fail(c.op, "(): list ", k, " has ", given, " tensors, but there are ", size(),
             " parameters");
      for (size_t i = 0; i < given; ++i) check(k, i);
    }
  }
  size_t size() const { return c_.tensors(0).size(); }
  bool has(int k) const { return !c_.tensors(k).empty(); }
  Tensor& at(int k, size_t i) const { return *c_.tensors(k)[i]; }
  template <class T>
  T* data(int k, size_t i) const {
    return has(k) ? at(k, i).data<T>() : nullptr;
  }
  void changed(int k) const {
    for (Tensor* t : c_.tensors(k)) ++t->version();
  }

 private:
  void check(int k, size_t i) const {
    Tensor &p = at(0, i), &t = at(k, i);
    if (p.dtype != DType::F32 && p.dtype != DType::F64)
      fail(ErrorKind::NotImplemented, c_.op, "(): not implemented for ", p.dtype);
    if (t.dtype != p.dtype || t.numel != p.numel || !t.contiguous)
      fail(c_.op, "(): entry ", i, " of list ", k,
           " is not a contiguous tensor of the parameter's size and dtype");
  }
  Call& c_;
};

// Calls step(i, begin, end) for all pieces of all parameters, on all threads.
template <class F>
void over_all(const Lists& lists, F&& step) {
  std::vector<int64_t> starts{0};
  for (size_t i = 0; i < lists.size(); ++i) starts.push_back(starts.back() + lists.at(0, i).numel);
  parallel_for(starts.back(), kGrain, [&](int64_t begin, int64_t end) {
    size_t i = static_cast<size_t>(std::upper_bound(starts.begin(), starts.end(), begin) -
                                   starts.begin() - 1);
    for (; i < lists.size() && starts[i] < end; ++i)
      step(i, std::max(begin, starts[i]) - starts[i], std::min(end, starts[i + 1]) - starts[i]);
  });
}

// Changes a number kept in a tensor, of either precision; gives what it is then.
template <class F>
double changed_number(Tensor& t, const char* op, F&& change) {
  if (t.numel != 1) fail(op, "(): a step counter has one element, got ", t.sizes());
  ++t.version();
  if (t.dtype == DType::F32) return *t.data<float>() = change(*t.data<float>());
  if (t.dtype == DType::F64) return *t.data<double>() = change(*t.data<double>());
  fail(op, "(): a step counter is a float32 or float64 tensor, got ", t.dtype);
}

[[maybe_unused]] double count(Tensor& t, const char* op) {
  return changed_number(t, op, [](auto x) { return x + 1; });
}
[[maybe_unused]] double scaled(Tensor& t, double factor, const char* op) {
  return changed_number(t, op, [&](auto x) { return static_cast<decltype(x)>(x * factor); });
}

}  // namespace
}  // namespace RL_ISA_NS
}  // namespace rl
