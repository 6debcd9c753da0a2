// Complex numbers as plain data: arithmetic only. Functions of them live in scalar/.
#pragma once
#include <cmath>

namespace rl {

template <class T>
struct Complex {
  T re{}, im{};
  template <class U>
  explicit operator Complex<U>() const {
    return {static_cast<U>(re), static_cast<U>(im)};
  }
  friend Complex operator+(Complex a, Complex b) { return {a.re + b.re, a.im + b.im}; }
  friend Complex operator-(Complex a, Complex b) { return {a.re - b.re, a.im - b.im}; }
  friend Complex operator-(Complex a) { return {-a.re, -a.im}; }
  friend Complex operator*(Complex a, Complex b) {
    return {a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re};
  }
  friend Complex operator/(Complex a, Complex b) {  // Smith's method: no needless overflow
    if (b.re == 0 && b.im == 0) return {a.re / std::abs(b.re), a.im / std::abs(b.re)};
    if (std::abs(b.re) >= std::abs(b.im)) {
      auto r = b.im / b.re, d = b.re + b.im * r;
      return {(a.re + a.im * r) / d, (a.im - a.re * r) / d};
    }
    auto r = b.re / b.im, d = b.re * r + b.im;
    return {(a.re * r + a.im) / d, (a.im * r - a.re) / d};
  }
  friend bool operator==(Complex a, Complex b) { return a.re == b.re && a.im == b.im; }
  friend bool operator!=(Complex a, Complex b) { return !(a == b); }
  Complex& operator+=(Complex b) { return *this = *this + b; }
  Complex& operator*=(Complex b) { return *this = *this * b; }
};

}  // namespace rl
