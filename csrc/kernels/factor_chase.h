// What reflectors of three numbers, each a row further than the one before, do to the rest of a
// matrix: some at once, so that a number is read and written once for all of them. The sweeps that
// make them are in factor_general.h. Included by dense_factors.cpp.
#pragma once
#include <algorithm>
#include <utility>

#include "kernels/parts.h"
#include "kernels/vectors.h"

namespace rl {
namespace RL_ISA_NS {
namespace {

// I - (t0, t1, t2) (1, v1, v2)^T.
template <class T>
struct Bulge {
  T v1, v2, t0, t1, t2;
  Bulge() = default;
  Bulge(const T* v, T tau) : v1(v[1]), v2(v[2]), t0(tau), t1(tau * v1), t2(tau * v2) {}

  template <class N>
  [[gnu::always_inline]] void turn(N& a, N& b, N& c) const {
    // The numbers that the bulge before has left are needed last.
    N sum = a + (c * v2 + b * v1);
    a -= sum * t0;
    b -= sum * t1;
    c -= sum * t2;
  }
};

// With the two rows more, as many as two or four pieces of 16 bytes hold.
constexpr int kBulges = 6;

// From the right: V vectors of the columns from `x` on.
template <class T, int V>
[[gnu::noinline]] void turn_columns(T* x, int64_t step, const Bulge<T>* bulges) {
  constexpr int L = kLanes<T>;
  Vector<T> a[V], b[V];
  for (int v = 0; v < V; ++v) a[v] = load_vector(x + v * L), b[v] = load_vector(x + step + v * L);
  for (int k = 0; k < kBulges; ++k, x += step) {
    const Bulge<T> bulge = bulges[k];
#pragma GCC unroll 8
    for (int v = 0; v < V; ++v) {
      Vector<T> c = load_vector(x + 2 * step + v * L);
      bulge.turn(a[v], b[v], c);
      store_vector<T>(x + v * L, a[v]);
      a[v] = b[v], b[v] = c;
    }
  }
  for (int v = 0; v < V; ++v)
    store_vector<T>(x + v * L, a[v]), store_vector<T>(x + step + v * L, b[v]);
}
template <class T>
void turn_all_columns(T* x, int64_t step, int64_t rows, const Bulge<T>* bulges) {
  // Of three, none waits for another; more would not stay in 16 registers.
  constexpr int kMost = kVectorBytes == 64 ? 4 : 3;
  EvenParts pieces(rows / kLanes<T>, kMost);
  for (int64_t p = 0; p < pieces.count; ++p)
    with_number<kMost>(pieces.size(p), [&]<int V>() {
      turn_columns<T, V>(x + pieces.begin(p) * kLanes<T>, step, bulges);
    });
}

// From the left, so many columns at once: they are read by 16 bytes, from which on shuffles cost
// more, and every vector gets a number of each.
template <class T>
class ColumnGroup {
  static constexpr int kPiece = 16 / sizeof(T), kRows = kBulges + 2;

 public:
  static constexpr int kColumns = std::min(kVectorBytes, 32) / sizeof(T);
  // Groups that are turned by turns, as bulges of one wait for each other: as registers allow.
  static constexpr int kGroups = sizeof(T) == 8 ? 2 : 1;

  static void turn(T* x, int64_t step, const Bulge<T>* bulges) {
    Lanes rows[kGroups][kRows];
#pragma GCC unroll 16
    for (int i = 0; i < kRows; i += kPiece) {
#pragma GCC unroll 2
      for (int g = 0; g < kGroups; ++g) read(x + g * kColumns * step + i, step, rows[g] + i);
#pragma GCC unroll 4
      for (int k = std::max(i - 2, 0); k < i + kPiece - 2; ++k)
#pragma GCC unroll 2
        for (int g = 0; g < kGroups; ++g)
          bulges[k].turn(rows[g][k], rows[g][k + 1], rows[g][k + 2]);
#pragma GCC unroll 2
      for (int g = 0; g < kGroups && i; ++g)
        write(x + g * kColumns * step + i - kPiece, step, rows[g] + i - kPiece);
    }
#pragma GCC unroll 2
    for (int g = 0; g < kGroups; ++g)
      write(x + g * kColumns * step + kRows - kPiece, step, rows[g] + kRows - kPiece);
  }

 private:
  using Lanes = typename VectorOf<T, kColumns * sizeof(T)>::type;
  using Piece = typename VectorOf<T, 16>::type;
  using Places = std::make_index_sequence<kColumns>;
  static constexpr bool kTwo = kColumns > kPiece;  // pieces in a vector

  static Piece piece(const T* x) {
    Piece p;
    __builtin_memcpy(&p, x, sizeof p);
    return p;
  }
  template <size_t... I>
  static Lanes join(Piece a, Piece b, std::index_sequence<I...>) {
    return __builtin_shufflevector(a, b, I...);
  }
  // Numbers of the lower or upper halves of pieces of a and b, by turns.
  template <bool Upper, size_t... I>
  static Lanes mix(Lanes a, Lanes b, std::index_sequence<I...>) {
    return __builtin_shufflevector(
        a, b, (I % 2 * kColumns + I / kPiece * kPiece + Upper * kPiece / 2 + I % kPiece / 2)...);
  }
  static void exchange(const Lanes* from, Lanes* to) {
    Lanes x[kPiece];
    std::copy_n(from, kPiece, x);
    for (int left = kPiece; left > 1; left /= 2) {
      for (int i = 0; i < kPiece / 2; ++i) {
        to[2 * i] = mix<false>(x[i], x[i + kPiece / 2], Places());
        to[2 * i + 1] = mix<true>(x[i], x[i + kPiece / 2], Places());
      }
      std::copy_n(to, kPiece, x);
    }
  }

  static void read(const T* x, int64_t step, Lanes* to) {
    Lanes columns[kPiece];
    for (int j = 0; j < kPiece; ++j, x += step)
      columns[j] = join(piece(x), piece(x + kTwo * kPiece * step), Places());
    exchange(columns, to);
  }
  static void write(T* x, int64_t step, const Lanes* from) {
    Lanes columns[kPiece];
    exchange(from, columns);
    for (int j = 0; j < kPiece; ++j, x += step) {
      __builtin_memcpy(x, columns + j, 16);
      if constexpr (kTwo)
        __builtin_memcpy(x + kPiece * step, reinterpret_cast<const Piece*>(columns + j) + 1, 16);
    }
  }
};
// Of `columns` and perhaps some more, which have to be there.
template <class T>
[[gnu::noinline]] void turn_all_rows(T* x, int64_t step, int64_t columns, const Bulge<T>* bulges) {
  constexpr int kColumns = ColumnGroup<T>::kColumns * ColumnGroup<T>::kGroups;
  for (int64_t j = 0; j < columns; j += kColumns) ColumnGroup<T>::turn(x + j * step, step, bulges);
}

}  // namespace
}  // namespace RL_ISA_NS
}  // namespace rl
