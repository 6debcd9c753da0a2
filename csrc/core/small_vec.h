// A vector whose first N elements live inside it: a call has a few tensors, a node a few edges, and
// they cost no allocation. Elements must move without throwing. For sizes there is size_vec.h.
#pragma once
#include <algorithm>
#include <cstddef>
#include <initializer_list>
#include <memory>
#include <new>
#include <utility>

namespace rl {

template <class T, size_t N>
class SmallVec {
 public:
  SmallVec() {}
  explicit SmallVec(size_t n) { resize(n); }
  SmallVec(std::initializer_list<T> values) {
    for (const T& v : values) push_back(v);
  }
  SmallVec(SmallVec&& o) noexcept { take(o); }
  SmallVec& operator=(SmallVec&& o) noexcept {
    if (this != &o) {
      clear();
      release();
      take(o);
    }
    return *this;
  }
  ~SmallVec() {
    clear();
    release();
  }

  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  T* data() { return data_; }
  T* begin() { return data_; }
  T* end() { return data_ + size_; }
  const T* begin() const { return data_; }
  const T* end() const { return data_ + size_; }
  T& operator[](size_t i) { return data_[i]; }
  const T& operator[](size_t i) const { return data_[i]; }
  T& back() { return data_[size_ - 1]; }

  template <class... A>
  T& emplace_back(A&&... a) {
    if (size_ == capacity_) grow();
    return *new (data_ + size_++) T{std::forward<A>(a)...};
  }
  void push_back(T v) { emplace_back(std::move(v)); }
  void pop_back() { data_[--size_].~T(); }
  void resize(size_t n) {
    while (size_ < n) emplace_back();
    while (size_ > n) pop_back();
  }
  void clear() {
    std::destroy(begin(), end());
    size_ = 0;
  }

 private:
  void grow() {
    size_t capacity = 2 * capacity_;
    T* grown = std::allocator<T>().allocate(capacity);
    std::uninitialized_move(begin(), end(), grown);
    std::destroy(begin(), end());
    release();
    data_ = grown;
    capacity_ = capacity;
  }
  void release() {  // of no elements
    if (data_ != room()) std::allocator<T>().deallocate(data_, capacity_);
    data_ = room();
    capacity_ = N;
  }
  void take(SmallVec& o) {  // this vector is empty
    if (o.data_ == o.room()) {
      std::uninitialized_move(o.begin(), o.end(), data_);
      size_ = o.size_;
      o.clear();
      return;
    }
    data_ = std::exchange(o.data_, o.room());
    capacity_ = std::exchange(o.capacity_, N);
    size_ = std::exchange(o.size_, 0);
  }
  T* room() { return reinterpret_cast<T*>(room_); }

  T* data_ = room();
  size_t size_ = 0, capacity_ = N;
  alignas(T) unsigned char room_[N * sizeof(T)];
};

}  // namespace rl
