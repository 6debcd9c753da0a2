// Reference counting. Tensors and graph nodes are host-language objects: they begin with
// the host's object header and share its count, so identity, attributes and cycle
// collection come for free. Only csrc/python/ knows what the header contains.
#pragma once
#include <cstdint>
#include <utility>

namespace rl {

struct Object {
  alignas(8) unsigned char header_[16];
};

void retain(Object* o);  // defined in csrc/python; both need the interpreter lock
void release(Object* o);

// Owns one count of a tensor or node.
template <class T>
class Ref {
 public:
  Ref() = default;
  Ref(std::nullptr_t) {}
  Ref(const Ref& o) : p_(o.p_) {
    if (p_) retain(p_);
  }
  Ref(Ref&& o) noexcept : p_(std::exchange(o.p_, nullptr)) {}
  Ref& operator=(Ref o) noexcept {
    std::swap(p_, o.p_);
    return *this;
  }
  ~Ref() {
    if (p_) release(p_);
  }
  static Ref own(T* p) {
    Ref r;
    r.p_ = p;
    return r;
  }  // takes over the caller's count
  static Ref share(T* p) {
    if (p) retain(p);
    return own(p);
  }
  T* get() const { return p_; }
  T* give() { return std::exchange(p_, nullptr); }
  T& operator*() const { return *p_; }
  T* operator->() const { return p_; }
  explicit operator bool() const { return p_ != nullptr; }

 private:
  T* p_ = nullptr;
};

// Lets other threads run Python while `work` (about one per element) is large enough to
// pay for it. Nothing that retains, releases or creates an Object may happen inside.
class Unlocked {
 public:
  explicit Unlocked(int64_t work);
  ~Unlocked();
  Unlocked(const Unlocked&) = delete;

 private:
  void* state_ = nullptr;
};

}  // namespace rl
