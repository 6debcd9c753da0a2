// A vector of sizes, strides or dims. Tensors rarely have more than a few dimensions, so the first
// few elements live inside the object: describing an output allocates nothing.
#pragma once
#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <iterator>
#include <memory>
#include <utility>

namespace rl {

// A loop that compilers do not make a call of memcpy, which takes longer for so few.
template <class T>
inline void copy_few(const T* from, size_t n, T* to) {
  for (size_t i = 0; i < n; ++i) {
    T v = from[i];
    asm("" : "+r"(v));
    to[i] = v;
  }
}

class SizeVec {
 public:
  using value_type = int64_t;
  using iterator = int64_t*;
  using const_iterator = const int64_t*;

  SizeVec() = default;
  explicit SizeVec(size_t n, int64_t value = 0) { assign(n, value); }
  SizeVec(std::initializer_list<int64_t> values) { assign(values.begin(), values.end()); }
  template <std::forward_iterator It>
  SizeVec(It first, It last) {
    assign(first, last);
  }
  SizeVec(const SizeVec& o) { assign(o.begin(), o.end()); }
  SizeVec(SizeVec&& o) noexcept { take(o); }
  SizeVec& operator=(const SizeVec& o) {
    if (this != &o) assign(o.begin(), o.end());
    return *this;
  }
  SizeVec& operator=(SizeVec&& o) noexcept {
    if (this == &o) return *this;
    release();
    take(o);
    return *this;
  }
  ~SizeVec() { release(); }

  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  int64_t* data() { return data_; }
  const int64_t* data() const { return data_; }
  iterator begin() { return data_; }
  iterator end() { return data_ + size_; }
  const_iterator begin() const { return data_; }
  const_iterator end() const { return data_ + size_; }
  int64_t& operator[](size_t i) { return data_[i]; }
  int64_t operator[](size_t i) const { return data_[i]; }
  int64_t& front() { return data_[0]; }
  int64_t& back() { return data_[size_ - 1]; }
  int64_t back() const { return data_[size_ - 1]; }

  void reserve(size_t n) {
    if (n <= capacity_) return;
    size_t capacity = std::max(n, 2 * capacity_);
    auto* grown = new int64_t[capacity];
    std::copy(begin(), end(), grown);
    release();
    data_ = grown;
    capacity_ = capacity;
  }
  void resize(size_t n, int64_t value = 0) {
    reserve(n);
    for (size_t i = size_; i < n; ++i) data_[i] = value;
    size_ = n;
  }
  void clear() { size_ = 0; }
  void assign(size_t n, int64_t value) {
    size_ = 0;
    resize(n, value);
  }
  template <std::forward_iterator It>
  void assign(It first, It last) {  // the range may lie in this vector
    auto n = static_cast<size_t>(std::distance(first, last));
    if (n > capacity_) {
      SizeVec grown;
      grown.reserve(n);
      grown.assign(first, last);
      *this = std::move(grown);
      return;
    }
    if constexpr (std::contiguous_iterator<It> && std::is_same_v<std::iter_value_t<It>, int64_t>)
      copy_few<int64_t>(std::to_address(first), n, data_);
    else
      std::copy(first, last, data_);
    size_ = n;
  }
  void push_back(int64_t value) {
    if (size_ == capacity_) reserve(size_ + 1);
    data_[size_++] = value;
  }
  void pop_back() { --size_; }
  iterator insert(const_iterator at, int64_t value) { return insert(at, &value, &value + 1); }
  template <std::forward_iterator It>
  iterator insert(const_iterator at, It first, It last) {  // the range is not in this vector
    auto i = at - data_;
    auto n = static_cast<size_t>(std::distance(first, last));
    reserve(size_ + n);
    std::copy_backward(data_ + i, end(), end() + n);
    std::copy(first, last, data_ + i);
    size_ += n;
    return data_ + i;
  }
  iterator insert(const_iterator at, std::initializer_list<int64_t> values) {
    return insert(at, values.begin(), values.end());
  }
  iterator erase(const_iterator at) { return erase(at, at + 1); }
  iterator erase(const_iterator first, const_iterator last) {
    iterator to = data_ + (first - data_);
    std::copy(last, static_cast<const_iterator>(end()), to);
    size_ -= static_cast<size_t>(last - first);
    return to;
  }
  friend bool operator==(const SizeVec& a, const SizeVec& b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end());
  }

 private:
  static constexpr size_t kInline = 5;

  void release() {
    if (data_ != inline_) delete[] data_;
    data_ = inline_;
    capacity_ = kInline;
  }
  void take(SizeVec& o) {  // this vector holds no heap block
    size_ = std::exchange(o.size_, 0);
    if (o.data_ == o.inline_) {
      copy_few(o.inline_, size_, inline_);
      return;
    }
    data_ = std::exchange(o.data_, o.inline_);
    capacity_ = std::exchange(o.capacity_, kInline);
  }

  int64_t* data_ = inline_;
  size_t size_ = 0, capacity_ = kInline;
  int64_t inline_[kInline];
};

}  // namespace rl
