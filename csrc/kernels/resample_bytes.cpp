// Resampling of bytes in whole numbers: weights of 16 bits, sums of 32, each result rounded and
// within 0 to 255, bit for bit as PyTorch's. Other dtypes are in resample.cpp. Compiled once per
// instruction-set level.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>
#ifdef __SSE4_1__
#include <immintrin.h>
#endif

#include "kernels/resample.h"
#include "kernels/transpose.h"
#include "kernels/vectors.h"
#include "plan/isa.h"
#include "plan/parallel.h"

namespace rl {
namespace RL_ISA_NS {
namespace {

// ---- weights of whole numbers
// Result i is the sum of `count[i]` inputs from first[i] on; 2^bits is the weight 1. The weights
// are kept in pairs, of which an odd one out has 0 as its second.
struct ByteTaps {
  int64_t size, most;
  int bits = 0;
  std::vector<int32_t> first, count;
  std::vector<int16_t> weight;  // (size, most)

  const int16_t* of(int64_t i) const { return weight.data() + i * most; }
};

// Of positions that are the same, as those at the ends are, the weights are added.
std::vector<double> joined(const int64_t* index, const double* weight, int64_t taps, ByteTaps& t) {
  std::vector<double> exact(static_cast<size_t>(t.size * t.most));
  for (int64_t i = 0; i < t.size; ++i) {
    const int64_t first = index[i], last = index[(taps - 1) * t.size + i];
    t.first[i] = static_cast<int32_t>(first);
    t.count[i] = static_cast<int32_t>(last - first + 1);
    for (int64_t k = 0; k < taps; ++k)
      exact[i * t.most + index[k * t.size + i] - first] += weight[k * t.size + i];
  }
  return exact;
}
// As many bits as keep the largest weight in 16.
int bits_for(double largest) {
  int bits = 0;
  while (bits < 22 && static_cast<int>(0.5 + largest * (1 << (bits + 1))) < 1 << 15) ++bits;
  return bits;
}
ByteTaps whole_numbers(const int64_t* index, const double* weight, int64_t taps, int64_t size) {
  ByteTaps t{size, taps + taps % 2, 0, {}, {}, {}};
  t.first.resize(size), t.count.resize(size);
  const std::vector<double> exact = joined(index, weight, taps, t);
  t.bits = bits_for(exact.empty() ? 0 : *std::max_element(exact.begin(), exact.end()));
  t.weight.reserve(exact.size());
  for (double w : exact) t.weight.push_back(static_cast<int16_t>(std::round(w * (1 << t.bits))));
  return t;
}

// ---- bytes, pairs of 16 bits and sums of 32 in vectors of `Bytes`
template <int Bytes>
using ByteVector = typename VectorOf<uint8_t, Bytes>::type;
template <int Bytes>
using PairVector = typename VectorOf<int16_t, Bytes>::type;
template <int Bytes>
using SumVector = typename VectorOf<int32_t, Bytes>::type;

// By turns a lane of a and one of b, within parts of 16 bytes: the first or the second halves.
template <int Half, class V, size_t... I>
V turns_in_parts(V a, V b, std::index_sequence<I...>) {
  constexpr size_t N = sizeof...(I), part = 16 * N / sizeof(V);
  return __builtin_shufflevector(a, b,
                                 (I / part * part + I % part / 2 + Half * part / 2 + I % 2 * N)...);
}
template <int Half, int Bytes>
ByteVector<Bytes> turns(ByteVector<Bytes> a, ByteVector<Bytes> b) {
  return turns_in_parts<Half>(a, b, std::make_index_sequence<Bytes>());
}

// The sums of the products of pairs of neighbours.
template <int Bytes>
SumVector<Bytes> pair_products(ByteVector<Bytes> pairs, SumVector<Bytes> weights) {
#ifdef __AVX512BW__
  if constexpr (Bytes == 64)
    return std::bit_cast<SumVector<64>>(
        _mm512_madd_epi16(std::bit_cast<__m512i>(pairs), std::bit_cast<__m512i>(weights)));
#endif
#ifdef __AVX2__
  if constexpr (Bytes == 32)
    return std::bit_cast<SumVector<32>>(
        _mm256_madd_epi16(std::bit_cast<__m256i>(pairs), std::bit_cast<__m256i>(weights)));
#endif
#ifdef __SSE4_1__
  if constexpr (Bytes == 16)
    return std::bit_cast<SumVector<16>>(
        _mm_madd_epi16(std::bit_cast<__m128i>(pairs), std::bit_cast<__m128i>(weights)));
#endif
  const auto x = std::bit_cast<SumVector<Bytes>>(pairs);
  return (x & 0xffff) * (weights << 16 >> 16) + (x >> 16) * (weights >> 16);
}

// Four vectors as one of bytes, each within 0 to 255; within parts of 16 bytes.
template <int Bytes>
ByteVector<Bytes> as_bytes(const SumVector<Bytes> (&v)[4]) {
#ifdef __AVX512BW__
  if constexpr (Bytes == 64) {
    auto in = [&](int i) { return std::bit_cast<__m512i>(v[i]); };
    return std::bit_cast<ByteVector<64>>(
        _mm512_packus_epi16(_mm512_packs_epi32(in(0), in(1)), _mm512_packs_epi32(in(2), in(3))));
  }
#endif
#ifdef __AVX2__
  if constexpr (Bytes == 32) {
    auto in = [&](int i) { return std::bit_cast<__m256i>(v[i]); };
    return std::bit_cast<ByteVector<32>>(
        _mm256_packus_epi16(_mm256_packs_epi32(in(0), in(1)), _mm256_packs_epi32(in(2), in(3))));
  }
#endif
#ifdef __SSE4_1__
  if constexpr (Bytes == 16) {
    auto in = [&](int i) { return std::bit_cast<__m128i>(v[i]); };
    return std::bit_cast<ByteVector<16>>(
        _mm_packus_epi16(_mm_packs_epi32(in(0), in(1)), _mm_packs_epi32(in(2), in(3))));
  }
#endif
  ByteVector<Bytes> out;
  for (int i = 0; i < Bytes; ++i)
    out[i] = static_cast<uint8_t>(std::clamp(v[i % 16 / 4][i / 16 * 4 + i % 4], 0, 255));
  return out;
}

// ---- rows that are sums of rows
struct RowTerms {
  const int16_t* weight;
  int64_t count, stride;  // between the rows
  int bits;
};

template <int Bytes>
ByteVector<Bytes> load_bytes(const uint8_t* x) {
  ByteVector<Bytes> v;
  std::memcpy(&v, x, Bytes);
  return v;
}
template <int Bytes>
[[gnu::always_inline]] inline void add_two(const uint8_t* a, const uint8_t* b, const int16_t* w,
                                           SumVector<Bytes> (&sum)[4]) {
  int32_t both;
  std::memcpy(&both, w, sizeof both);
  const auto weights = SumVector<Bytes>{} + both;
  const auto x = load_bytes<Bytes>(a), y = load_bytes<Bytes>(b);
  const auto low = turns<0, Bytes>(x, y), high = turns<1, Bytes>(x, y);
  constexpr ByteVector<Bytes> none{};
  sum[0] += pair_products<Bytes>(turns<0, Bytes>(low, none), weights);
  sum[1] += pair_products<Bytes>(turns<1, Bytes>(low, none), weights);
  sum[2] += pair_products<Bytes>(turns<0, Bytes>(high, none), weights);
  sum[3] += pair_products<Bytes>(turns<1, Bytes>(high, none), weights);
}
template <int Bytes>
[[gnu::always_inline]] inline void mix_vector(const RowTerms& t, const uint8_t* x, uint8_t* out) {
  const auto half = SumVector<Bytes>{} + (t.bits ? 1 << (t.bits - 1) : 0);
  SumVector<Bytes> sum[4] = {half, half, half, half};
  int64_t k = 0;
  for (; k + 2 <= t.count; k += 2, x += 2 * t.stride)
    add_two<Bytes>(x, x + t.stride, t.weight + k, sum);
  if (k < t.count) add_two<Bytes>(x, x, t.weight + k, sum);
  for (auto& s : sum) s >>= t.bits;
  const ByteVector<Bytes> bytes = as_bytes<Bytes>(sum);
  std::memcpy(out, &bytes, Bytes);
}
// The elements from j on, in vectors of `Bytes` and then of fewer; the last vector overlaps the one
// before it.
template <int Bytes>
void mix_from(const RowTerms& t, int64_t j, int64_t n, const uint8_t* x, uint8_t* out) {
  for (; j + Bytes <= n; j += Bytes) mix_vector<Bytes>(t, x + j, out + j);
  if constexpr (Bytes > 16) return mix_from<Bytes / 2>(t, j, n, x, out);
  if (j < n) mix_vector<Bytes>(t, x + n - Bytes, out + n - Bytes);
}
void mix_few(const RowTerms& t, int64_t n, const uint8_t* x, uint8_t* out) {
  for (int64_t j = 0; j < n; ++j) {
    int32_t sum = t.bits ? 1 << (t.bits - 1) : 0;
    for (int64_t k = 0; k < t.count; ++k) sum += t.weight[k] * x[k * t.stride + j];
    out[j] = static_cast<uint8_t>(std::clamp(sum >> t.bits, 0, 255));
  }
}
// Result i of (inputs, inner).
void mix_row(const ByteTaps& t, int64_t i, int64_t inner, const uint8_t* x, uint8_t* out) {
  const RowTerms terms{t.of(i), t.count[i], inner, t.bits};
  x += t.first[i] * inner;
  inner < 16 ? mix_few(terms, inner, x, out) : mix_from<kVectorBytes>(terms, 0, inner, x, out);
}

// ---- lines of short runs: several lines side by side make one of long runs
constexpr int64_t kSide = 16;

// (rows, columns) to (columns, rows), both of which are multiples of kSide or end with `from`.
void turn_square(const uint8_t* from, int64_t from_pitch, uint8_t* to, int64_t to_pitch) {
  ByteVector<kSide> v[kSide];
  for (int64_t i = 0; i < kSide; ++i) v[i] = load_bytes<kSide>(from + i * from_pitch);
  transpose(v);
  for (int64_t i = 0; i < kSide; ++i) std::memcpy(to + i * to_pitch, &v[i], kSide);
}
void turn_bytes(const uint8_t* from, int64_t rows, int64_t columns, int64_t from_pitch, uint8_t* to,
                int64_t to_pitch) {
  const int64_t whole_rows = rows / kSide * kSide, whole = columns / kSide * kSide;
  for (int64_t i = 0; i < whole_rows; i += kSide)
    for (int64_t j = 0; j < whole; j += kSide)
      turn_square(from + i * from_pitch + j, from_pitch, to + j * to_pitch + i, to_pitch);
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t j = i < whole_rows ? whole : 0; j < columns; ++j)
      to[j * to_pitch + i] = from[i * from_pitch + j];
}

class SideBySide {
 public:
  SideBySide(const ByteTaps& t, const Lines& l)
      : t_(t), l_(l), lines_(kSide * ((kVectorBytes / kSide + l.inner - 1) / l.inner)) {}
  int64_t lines() const { return lines_; }

  // Lines from n on, at most lines().
  void run(const uint8_t* x, uint8_t* out, int64_t n) {
    const int64_t in = l_.inputs * l_.inner, to = l_.outputs * l_.inner, pitch = lines_ * l_.inner;
    const int64_t count = std::min(lines_, l_.outer - n);
    before_.resize(static_cast<size_t>(in * lines_));
    after_.resize(static_cast<size_t>(to * lines_));
    turn_bytes(x + n * in, count, in, in, before_.data(), lines_);
    for (int64_t i = 0; i < l_.outputs; ++i)
      mix_row(t_, i, pitch, before_.data(), after_.data() + i * pitch);
    turn_bytes(after_.data(), to, count, lines_, out + n * to, to);
  }

 private:
  const ByteTaps& t_;
  const Lines& l_;
  int64_t lines_;
  std::vector<uint8_t> before_, after_;
};

void mix_bytes(const ByteTaps& t, const Lines& l, const uint8_t* x, uint8_t* out) {
  constexpr int64_t kLong = 48;
  if (l.inner >= kLong || l.outer == 1)
    return parallel_for(l.outer * l.outputs, plane_grain(l.inner), [&](int64_t n, int64_t end) {
      for (; n < end; ++n)
        mix_row(t, n % l.outputs, l.inner, x + n / l.outputs * l.inputs * l.inner,
                out + n * l.inner);
    });
  const int64_t lines = SideBySide(t, l).lines();
  parallel_for((l.outer + lines - 1) / lines, plane_grain(lines * l.inputs * l.inner),
               [&](int64_t b, int64_t end) {
                 for (SideBySide side(t, l); b < end; ++b) side.run(x, out, b * lines);
               });
}

// ---- _resize_bytes(input, mode, size, scales, align, antialias)
void bytes_infer(Call& c) {
  const DType d = c.tensor(0).dtype;
  RL_CHECK(d == DType::U8, c.op, ": expected uint8, got ", d);
  resample_infer(c);
}
void bytes_run(Call& c) {
  run_steps(c, DType::U8, Way::Bytes, [](const Step& step, const void* in, void* out) {
    const Taps<double> given(step.resizing);
    const ByteTaps taps =
        whole_numbers(given.index.data(), given.weight.data(), given.taps, given.size);
    mix_bytes(taps, step.lines, static_cast<const uint8_t*>(in), static_cast<uint8_t*>(out));
  });
}

RL_ISA_KERNEL("_resize_bytes", bytes_infer, bytes_run);

}  // namespace
}  // namespace RL_ISA_NS
}  // namespace rl
