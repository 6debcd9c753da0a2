// Normal numbers: Box and Muller, "A Note on the Generation of Random Normal Deviates",
// Annals of Mathematical Statistics 29(2), 1958.
#include "kernels/random_draw.h"

namespace rl::random {
namespace {

constexpr int64_t kGroup = 16;  // uniforms j and j + 8 of a group make normals j and j + 8

// log(x) for x in [2^-24, 1] by the single-precision polynomial of Cephes (S. Moshier): with
// x = m 2^e, m in [sqrt(1/2), sqrt(2)), log x = log m + e log 2, log 2 in two parts.
inline float cephes_log(float x) {
  auto bits = std::bit_cast<int32_t>(x);
  float m = std::bit_cast<float>((bits & 0x007fffff) | 0x3f000000);
  int32_t low = m < 0.707106781186547524f ? -1 : 0;
  auto e = static_cast<float>((bits >> 23) - 126 + low);
  float t = (m - 1.0f) + (low ? m : 0.0f);
  float square = t * t;
  float p = 7.0376836292e-2f;
  p = std::fma(p, t, -1.1514610310e-1f);
  p = std::fma(p, t, 1.1676998740e-1f);
  p = std::fma(p, t, -1.2420140846e-1f);
  p = std::fma(p, t, 1.4249322787e-1f);
  p = std::fma(p, t, -1.6668057665e-1f);
  p = std::fma(p, t, 2.0000714765e-1f);
  p = std::fma(p, t, -2.4999993993e-1f);
  p = std::fma(p, t, 3.3333331174e-1f);
  p = std::fma(p * t, square, e * -2.12194440e-4f);
  p = std::fma(square, -0.5f, p);
  return std::fma(e, 0.693359375f, t + p);
}

// sin and cos of theta >= 0, again by Cephes: reduction by pi/4 in three parts, then the sine or
// the cosine polynomial according to the octant.
inline void cephes_sincos(float theta, float& sine, float& cosine) {
  auto octant = (static_cast<int32_t>(theta * 1.27323954473516f) + 1) & ~1;
  auto y = static_cast<float>(octant);
  float x = std::fma(y, -0.78515625f, theta);
  x = std::fma(y, -2.4187564849853515625e-4f, x);
  x = std::fma(y, -3.77489497744594108e-8f, x);
  float z = x * x;
  float c = std::fma(2.443315711809948e-5f, z, -1.388731625493765e-3f);
  c = std::fma(c, z, 4.166664568298827e-2f) * z;
  c = std::fma(c, z, -0.5f * z) + 1.0f;
  float s = std::fma(-1.9515295891e-4f, z, 8.3321608736e-3f);
  s = std::fma(s, z, -1.6666654611e-1f) * z;
  s = std::fma(s, x, x);
  bool swap = (octant & 2) != 0;
  int32_t sine_sign = (octant & 4) << 29, cosine_sign = (~(octant - 2) & 4) << 29;
  sine = std::bit_cast<float>(std::bit_cast<int32_t>(swap ? c : s) ^ sine_sign);
  cosine = std::bit_cast<float>(std::bit_cast<int32_t>(swap ? s : c) ^ cosine_sign);
}

// Turns `pairs` uniforms in `u` and as many in `v` into normals.
RL_MULTIVERSION void box_muller(float* __restrict u, float* __restrict v, int64_t pairs, float mean,
                                float std) {
  for (int64_t i = 0; i < pairs; ++i) {
    float radius = std::sqrt(-2.0f * cephes_log(1.0f - u[i]));
    float sine, cosine;
    cephes_sincos(static_cast<float>(2 * M_PI) * v[i], sine, cosine);
    u[i] = std::fma(radius * cosine, std, mean);
    v[i] = std::fma(radius * sine, std, mean);
  }
}

// Draws and transforms whole groups: n is a multiple of 16 and, here, at most kBlock.
void fill_groups(Mt19937& engine, float* out, int64_t n, float mean, float std) {
  float u[kBlock / 2], v[kBlock / 2];
  draw_units(engine, out, n);
  for (int64_t i = 0; i < n / kGroup; ++i) {
    std::memcpy(u + 8 * i, out + kGroup * i, 8 * sizeof *u);
    std::memcpy(v + 8 * i, out + kGroup * i + 8, 8 * sizeof *v);
  }
  box_muller(u, v, n / 2, mean, std);
  for (int64_t i = 0; i < n / kGroup; ++i) {
    std::memcpy(out + kGroup * i, u + 8 * i, 8 * sizeof *u);
    std::memcpy(out + kGroup * i + 8, v + 8 * i, 8 * sizeof *v);
  }
}

template <class T>
void draw_groups(Mt19937& engine, T* out, int64_t n, double mean, double std) {
  auto m = static_cast<float>(mean), s = static_cast<float>(std);
  for_blocks(n, [&](int64_t start, int64_t count) {
    if constexpr (is_half_type<T>) {
      float block[kBlock];
      fill_groups(engine, block, count, m, s);
      round_all(block, out + start, count);
    } else {
      fill_groups(engine, out + start, count, m, s);
    }
  });
}

// Double precision keeps libm's bits, which cost far more than the draws.
void draw_groups(Mt19937& engine, double* out, int64_t n, double mean, double std) {
  for_blocks(n, [&](int64_t start, int64_t count) { draw_units(engine, out + start, count); });
  parallel_for(n / kGroup, 64, [&](int64_t begin, int64_t end) {
    for (int64_t i = 8 * begin; i < 8 * end; ++i) {
      double *u = out + i / 8 * kGroup + i % 8, *v = u + 8;
      double radius = std::sqrt(-2 * std::log(1 - *u)), theta = 2 * M_PI * *v;
      *u = std::fma(radius * std::cos(theta), std, mean);
      *v = std::fma(radius * std::sin(theta), std, mean);
    }
  });
}

template <class T>
void fill_normal(Generator& g, T* out, int64_t n, double mean, double std) {
  int64_t whole = n / kGroup * kGroup;
  draw_groups(g.engine, out, whole, mean, std);
  if (whole == n) return;
  if constexpr (!is_half_type<T>) {  // the uniforms of the unfinished group, drawn and dropped
    T unused[kGroup];
    draw_units(g.engine, unused, n - whole);
  }
  draw_groups(g.engine, out + n - kGroup, kGroup, mean, std);
}

}  // namespace

double next_normal(Generator& g) {
  if (g.cached_normal) {
    double value = *g.cached_normal;
    g.cached_normal.reset();
    return value;
  }
  double u1 = next_unit(g.engine), u2 = next_unit(g.engine);
  double radius = std::sqrt(-2.0 * std::log1p(-u2)), theta = 2.0 * M_PI * u1;
  g.cached_normal = radius * std::sin(theta);
  return radius * std::cos(theta);
}

void normal(Generator& g, DType dtype, void* out, int64_t n, double mean, double std,
            bool contiguous) {
  RL_CHECK(std >= 0, "normal expects std >= 0.0, but found std ", std);
  if (is_complex(dtype)) {
    return normal(g, real_of(dtype), out, 2 * n, mean, std / M_SQRT2, contiguous);
  }
  dispatch_floating("normal_", dtype, [&]<class T>() {
    std::lock_guard lock(g.mutex);
    auto* o = static_cast<T*>(out);
    if (n >= kGroup && contiguous) return fill_normal(g, o, n, mean, std);
    for (int64_t i = 0; i < n; ++i) o[i] = stored<T>(std::fma(next_normal(g), std, mean));
  });
}

}  // namespace rl::random
