// The lines of conv_winograd.h's transforms, for kernels of two, three and five elements: values to
// and from the points near, -near, far, -far and infinity, for three and five elements 0 too.
// Points apart from the usual 0, 1, -1 and 2 make errors about half as large; most coefficients are
// exact.
#pragma once

namespace rl {
namespace RL_ISA_NS {
namespace {

template <class T, int Taps>
struct Points;

template <class T>
struct Points<T, 3> {
  static constexpr int kOut = 4;                                       // outputs of a tile
  static constexpr T kNear = 0.707106781186547524400844362104849039L;  // sqrt(1 / 2) = 1 / far
  static constexpr T kFar = 1.41421356237309504880168872420969808L;

  template <class V>
  static void elements(const V (&d)[6], V (&p)[6]) {
    V near = d[4] - 2 * d[2], far = d[4] - d[2] / 2;
    V near_odd = kNear * (d[3] - 2 * d[1]), far_odd = kFar * (d[3] - d[1] / 2);
    p[0] = d[0] - T(2.5) * d[2] + d[4];
    p[1] = near + near_odd, p[2] = near - near_odd;
    p[3] = far + far_odd, p[4] = far - far_odd;
    p[5] = d[1] - T(2.5) * d[3] + d[5];
  }
  template <class V>
  static void kernel(const V (&g)[3], V (&p)[6]) {
    V near = (g[0] + g[2] / 2) / T(-1.5), far = (g[0] + 2 * g[2]) / 6;
    V near_odd = kNear / T(-1.5) * g[1], far_odd = kFar / 6 * g[1];
    p[0] = g[0];
    p[1] = near + near_odd, p[2] = near - near_odd;
    p[3] = far + far_odd, p[4] = far - far_odd;
    p[5] = g[2];
  }
  template <class V>  // sums at the points -> outputs
  static void outputs(const V (&m)[6], V (&y)[4]) {
    V near = m[1] + m[2], far = m[3] + m[4];
    V near_odd = kNear * (m[1] - m[2]), far_odd = kFar * (m[3] - m[4]);
    y[0] = m[0] + near + far;
    y[1] = near_odd + far_odd;
    y[2] = near / 2 + 2 * far;
    y[3] = near_odd / 2 + 2 * far_odd + m[5];
  }
  template <class V>  // the transpose of outputs
  static void output_gradients(const V (&y)[4], V (&m)[6]) {
    V near = y[0] + y[2] / 2, far = y[0] + 2 * y[2];
    V near_odd = kNear * (y[1] + y[3] / 2), far_odd = kFar * (y[1] + 2 * y[3]);
    m[0] = y[0];
    m[1] = near + near_odd, m[2] = near - near_odd;
    m[3] = far + far_odd, m[4] = far - far_odd;
    m[5] = y[3];
  }
  template <class V>  // the transpose of kernel
  static void kernel_gradients(const V (&p)[6], V (&g)[3]) {
    V near = (p[1] + p[2]) / T(-1.5), far = (p[3] + p[4]) / 6;
    g[0] = p[0] + near + far;
    g[1] = kNear / T(-1.5) * (p[1] - p[2]) + kFar / 6 * (p[3] - p[4]);
    g[2] = near / 2 + 2 * far + p[5];
  }
};

// Two outputs from as many elements as a kernel of three makes four of.
template <class T>
struct Points<T, 5> : Points<T, 3> {
  static constexpr int kOut = 2;
  using Points<T, 3>::kNear, Points<T, 3>::kFar;

  template <class V>
  static void kernel(const V (&g)[5], V (&p)[6]) {
    V near = (g[0] + g[2] / 2 + g[4] / 4) / T(-1.5), far = (g[0] + 2 * g[2] + 4 * g[4]) / 6;
    V near_odd = kNear / T(-1.5) * (g[1] + g[3] / 2), far_odd = kFar / 6 * (g[1] + 2 * g[3]);
    p[0] = g[0];
    p[1] = near + near_odd, p[2] = near - near_odd;
    p[3] = far + far_odd, p[4] = far - far_odd;
    p[5] = g[4];
  }
  template <class V>
  static void outputs(const V (&m)[6], V (&y)[2]) {
    y[0] = m[0] + (m[1] + m[2]) + (m[3] + m[4]);
    y[1] = kNear * (m[1] - m[2]) + kFar * (m[3] - m[4]) + m[5];
  }
  template <class V>
  static void output_gradients(const V (&y)[2], V (&m)[6]) {
    V near_odd = kNear * y[1], far_odd = kFar * y[1];
    m[0] = y[0];
    m[1] = y[0] + near_odd, m[2] = y[0] - near_odd;
    m[3] = y[0] + far_odd, m[4] = y[0] - far_odd;
    m[5] = y[1];
  }
  template <class V>
  static void kernel_gradients(const V (&p)[6], V (&g)[5]) {
    V near = (p[1] + p[2]) / T(-1.5), far = (p[3] + p[4]) / 6;
    V near_odd = kNear / T(-1.5) * (p[1] - p[2]), far_odd = kFar / 6 * (p[3] - p[4]);
    g[0] = p[0] + near + far;
    g[1] = near_odd + far_odd;
    g[2] = near / 2 + 2 * far;
    g[3] = near_odd / 2 + 2 * far_odd;
    g[4] = near / 4 + 4 * far + p[5];
  }
};

template <class T>
struct Points<T, 2> {
  static constexpr int kOut = 4;
  static constexpr T kNear = 0.5, kFar = 1.25, kNear2 = kNear * kNear, kFar2 = kFar * kFar;
  static constexpr T kShare = 0.5 / (kFar2 - kNear2);

  template <class V>
  static void elements(const V (&d)[5], V (&p)[5]) {
    V near = kFar2 * d[0] - d[2], far = d[2] - kNear2 * d[0];
    V near_odd = (kFar2 * d[1] - d[3]) / kNear, far_odd = (d[3] - kNear2 * d[1]) / kFar;
    p[0] = near + near_odd, p[1] = near - near_odd;
    p[2] = far + far_odd, p[3] = far - far_odd;
    p[4] = kNear2 * kFar2 * d[0] - (kNear2 + kFar2) * d[2] + d[4];
  }
  template <class V>
  static void kernel(const V (&g)[2], V (&p)[5]) {
    V even = kShare * g[0], odd = kShare * g[1];
    p[0] = even + kNear * odd, p[1] = even - kNear * odd;
    p[2] = even + kFar * odd, p[3] = even - kFar * odd;
    p[4] = g[1];
  }
  template <class V>
  static void outputs(const V (&m)[5], V (&y)[4]) {
    V near = m[0] + m[1], far = m[2] + m[3];
    V near_odd = kNear * (m[0] - m[1]), far_odd = kFar * (m[2] - m[3]);
    y[0] = near + far;
    y[1] = near_odd + far_odd;
    y[2] = kNear2 * near + kFar2 * far;
    y[3] = kNear2 * near_odd + kFar2 * far_odd + m[4];
  }
  template <class V>
  static void output_gradients(const V (&y)[4], V (&m)[5]) {
    V near = y[0] + kNear2 * y[2], far = y[0] + kFar2 * y[2];
    V near_odd = kNear * (y[1] + kNear2 * y[3]), far_odd = kFar * (y[1] + kFar2 * y[3]);
    m[0] = near + near_odd, m[1] = near - near_odd;
    m[2] = far + far_odd, m[3] = far - far_odd;
    m[4] = y[3];
  }
  template <class V>
  static void kernel_gradients(const V (&p)[5], V (&g)[2]) {
    g[0] = kShare * (p[0] + p[1] + p[2] + p[3]);
    g[1] = kShare * (kNear * (p[0] - p[1]) + kFar * (p[2] - p[3])) + p[4];
  }
};

}  // namespace
}  // namespace RL_ISA_NS
}  // namespace rl
