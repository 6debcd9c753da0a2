// sin and cos of doubles, for a Twin, by rows of rows.h: x = n pi/32 + r + tail, and the sine of
// the sum of two angles by the sines and cosines of both, r's being short series. The leading
// product is kept whole, and what follows adds little more than the last rounding. Huge angles are
// left to trig.h.
#pragma once

#include "rows.h"
#include "trig.h"

#ifdef RL_HAS_TWINS
namespace rl::math {

struct SinRow {
  Pair sin, cos;
};
inline constexpr int kTurn = 64, kQuarter = kTurn / 4;  // rows of a turn
struct SinRows {
  SinRow row[kTurn];
};
// sin(k pi/32) up to pi/2.
inline constexpr Pair kSines[kQuarter + 1] = {{0x0p+0, 0x0p+0},
                                              {0x1.917a6bc29b42cp-4, -0x1.e2718d26ed688p-60},
                                              {0x1.8f8b83c69a60bp-3, -0x1.26d19b9ff8d82p-57},
                                              {0x1.294062ed59f06p-2, -0x1.5d28da2c4612dp-56},
                                              {0x1.87de2a6aea963p-2, -0x1.72cedd3d5a61p-57},
                                              {0x1.e2b5d3806f63bp-2, 0x1.e0d891d3c6841p-58},
                                              {0x1.1c73b39ae68c8p-1, 0x1.b25dd267f66p-55},
                                              {0x1.44cf325091dd6p-1, 0x1.8076a2cfdc6b3p-57},
                                              {0x1.6a09e667f3bcdp-1, -0x1.bdd3413b26456p-55},
                                              {0x1.8bc806b151741p-1, -0x1.2c5e12ed1336dp-55},
                                              {0x1.a9b66290ea1a3p-1, 0x1.9f630e8b6dac8p-60},
                                              {0x1.c38b2f180bdb1p-1, -0x1.6e0b1757c8d07p-56},
                                              {0x1.d906bcf328d46p-1, 0x1.457e610231ac2p-56},
                                              {0x1.e9f4156c62ddap-1, 0x1.760b1e2e3f81ep-55},
                                              {0x1.f6297cff75cbp-1, 0x1.562172a361fd3p-56},
                                              {0x1.fd88da3d12526p-1, -0x1.87df6378811c7p-55},
                                              {0x1p+0, 0x0p+0}};
static constexpr Pair sine_of_row(int k) {
  k %= kTurn;
  const bool falls = k / kQuarter % 2;
  const Pair s = kSines[falls ? kQuarter - k % kQuarter : k % kQuarter];
  return k < kTurn / 2 ? s : Pair{-s.hi, -s.lo};
}
static constexpr SinRows make_sin_rows() {
  SinRows rows{};
  for (int k = 0; k < kTurn; ++k) rows.row[k] = {sine_of_row(k), sine_of_row(k + kQuarter)};
  return rows;
}
alignas(64) inline constexpr SinRows kSinTable = make_sin_rows();

// a = n pi/32 + r + tail for |a| <= kTrigLimit<double>, as trig.h has it for pi/2; of n the low
// bits count.
struct TwinAngle {
  Twin<double> r, tail;
  TwinBits<double> n;
};
[[gnu::always_inline]] static inline TwinAngle reduce_to_row(Twin<double> a) {
  using V = Twin<double>;
  constexpr double kParts = kQuarter, kRound = Bits<double>::kRound;
  V shifted = mad(a, V(kParts * kTwoOverPi), V(kRound)), n = V(kRound) - shifted;
  V first = fused(n, V(kHalfPi / kParts), a), step = n * (kHalfPiLo / kParts);
  V r = first + step, v = r - first, lost = (first - (r - v)) + (step - v);
  V step_lost = fused(n, V(kHalfPiLo / kParts), -step);
  return {r, mad(n, V(kHalfPiLast / kParts), lost + step_lost), shifted.bits()};
}
// sin of an angle that is so many rows more.
template <int kMore>
[[gnu::always_inline]] static inline Twin<double> sin_by_rows(TwinAngle a) {
  using V = Twin<double>;
  constexpr uint64_t kMask = kTurn - 1;
  const RowsOfLanes<SinRow, double> lanes(
      kSinTable.row, (a.n + TwinBits<double>(kMore)) & TwinBits<double>(kMask));
  const auto [sin_hi, sin_lo] = lanes.columns(0).c;
  const auto [cos_hi, cos_lo] = lanes.columns(2).c;
  V r = a.r, z = r * r;
  V sin_rest =
      mad(r * z, horner(z, -0x1.5555555555529p-3, 0x1.1111110c08648p-7, -0x1.a0149cdb2bf58p-13),
          a.tail);
  V cos_rest =
      z * horner(z, -0.5, 0x1.55555555554c7p-5, -0x1.6c16c16323c84p-10, 0x1.a01440ce37746p-16);
  V head = mad(cos_hi, r, sin_hi), lost = fused(cos_hi, r, sin_hi - head);
  V rest = mad(sin_hi, cos_rest, mad(cos_hi, sin_rest, mad(cos_lo, r, sin_lo)));
  return head + (lost + rest);
}
[[gnu::always_inline]] static inline Twin<double> sin(Twin<double> x) {
  if (!all_within(x, kTrigLimit<double>)) [[unlikely]]
    return one_by_one(x, [](double one) { return sin(one); });
  return flip_sign(sin_by_rows<0>(reduce_to_row(abs(x))), x);
}
[[gnu::always_inline]] static inline Twin<double> cos(Twin<double> x) {
  if (!all_within(x, kTrigLimit<double>)) [[unlikely]]
    return one_by_one(x, [](double one) { return cos(one); });
  return sin_by_rows<kQuarter>(reduce_to_row(x));
}
[[gnu::flatten]] static inline void sin_block(const double* in, double* out, long n) {
  twin_each<double>(
      n, [=](long i, long count, auto load) { store_lanes(out + i, sin(load(in)), count); });
}
[[gnu::flatten]] static inline void cos_block(const double* in, double* out, long n) {
  twin_each<double>(
      n, [=](long i, long count, auto load) { store_lanes(out + i, cos(load(in)), count); });
}

}  // namespace rl::math
#endif
