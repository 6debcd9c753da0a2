// Turns a functor into block functions for the compute types it is defined on, and registers
// it. To add a pointwise op: write one RL_UNARY/RL_BINARY/RL_TERNARY line in the scalar/
// header of its family; the .cpp of that family includes it.
#pragma once
#include "kernels/short_floats.h"
#include "plan/isa.h"
#include "plan/pointwise.h"
#include "scalar/lanes.h"
#include "scalar/twin.h"
#include "scalar/wrap.h"

namespace rl {
namespace RL_ISA_NS {
namespace {

constexpr int kB = 1, kI = 2, kF = 4, kD = 8, kCF = 16, kCD = 32;
constexpr int kAnySign = 64;  // no compute type: the int64 functor serves uint64 as well
constexpr int kSmall = 128;   // 8, 16 and 32-bit integers in their own width
// No compute type: all but complex numbers also with one element for all operands but the first.
constexpr int kSpread = 256;
constexpr int kDemand = 512;   // no compute type: kDemand * a PointwiseDemand
constexpr int kFloat8 = 8192;  // no compute type: 8-bit floats are served as well
// No compute type: floats go by math::Lanes, or math::Twin, where there are any. The functor is
// written for such a T as well: 1, not T(1), select, and functions that have such an overload.
constexpr int kByLanes = 16384;
// The same for doubles: by math::DoubleLanes or Twin, and by Twin alone. Then floats, and both, by
// Twin alone.
constexpr int kByDoubleLanes = 131072, kByTwinDoubles = 262144;
constexpr int kByTwinFloats = 1048576, kByTwins = kByTwinFloats | kByTwinDoubles;
constexpr int kSignBit = 65536;  // no compute type: Half and BFloat16 by their bits
// No compute type: floats also with a number as the third and last operand, and no parameters.
constexpr int kNumberLast = 524288;
// No compute type: floats also with the operands turned, for a first one with one element a row.
constexpr int kTurned = 2097152;
constexpr int kReal = kF | kD, kCplx = kCF | kCD, kInexact = kReal | kCplx, kNumber = kI | kInexact;
constexpr int kAll = kB | kNumber, kIntegral = kB | kI, kOrdered = kIntegral | kReal;

// A file may compile some of the types of its functors only, and call them cheap: their loops are
// unrolled, which otherwise spend half their time counting.
#ifndef RL_COMPILED_TYPES
#define RL_COMPILED_TYPES -1
#endif
#ifndef RL_CHEAP
#define RL_CHEAP false
#endif
constexpr int kCompiled = RL_COMPILED_TYPES, kUnroll = RL_CHEAP ? 4 : 1;

// Flattened: a call that remained, as gcc prefers where there are many of one formula, would stop
// vectorisation; and so would the loop over rows, around formulas that are long.
#if RL_CHEAP
#define RL_ROW [[gnu::always_inline]] inline
#else
#define RL_ROW [[gnu::flatten, gnu::noinline]]
#endif

// A row of a functor of one operand that has an easier formula for some of its range, by pieces
// that may lie in that.
template <class Fn, class T>
concept HasSimple = requires(T v) { Fn::is_simple(v); };
template <class Fn, class T>
RL_ROW void run_pieces(const T* a, T* o, int64_t n, T p, T q, T r) {
  constexpr int64_t kPiece = 64;
  for (int64_t i = 0, end; i < n; i = end) {
    end = std::min(n, i + kPiece);
    int others = 0;
    for (int64_t j = i; j < end; ++j) others += !Fn::is_simple(a[j]);
#pragma GCC ivdep
    for (int64_t j = i; !others && j < end; ++j) o[j] = Fn::simple(a[j], p, q, r);
#pragma GCC ivdep
    for (int64_t j = i; others && j < end; ++j) o[j] = Fn::apply(a[j], T{}, T{}, p, q, r);
  }
}

// A row. One operand stands for those that a functor does not have.
template <class Fn, class T, int Inputs, bool Spread, class Out>
RL_ROW void run_row(const T* a, const T* b, const T* c, Out* o, int64_t n, T p, T q, T r) {
  if constexpr (Spread) {
    const T one = *b, two = Inputs > 2 ? *c : one;
    if constexpr (requires { Fn::template run_spread<T>(a, one, o, n); }) {
      if (Fn::template run_spread<T>(a, one, o, n)) return;
    }
    if constexpr (requires { Fn::template run_spread<T>(a, one, two, o, n); }) {
      if (Fn::template run_spread<T>(a, one, two, o, n)) return;
    }
#pragma GCC ivdep
#pragma GCC unroll kUnroll
    for (int64_t i = 0; i < n; ++i) o[i] = Fn::template apply<T>(a[i], one, two, p, q, r);
    return;
  }
  if constexpr (HasSimple<Fn, T>) return run_pieces<Fn>(a, o, n, p, q, r);
  // A functor may bring a loop of its own; one of two operands without parameters says whether it
  // took the block, here and above.
  if constexpr (requires { Fn::template run<T>(a, o, n); }) return Fn::template run<T>(a, o, n);
  if constexpr (requires { Fn::template run<T>(a, b, o, n, p, q); })
    return Fn::template run<T>(a, b, o, n, p, q);
  if constexpr (requires { Fn::template run<T>(a, b, o, n); }) {
    if (Fn::template run<T>(a, b, o, n)) return;
  }
#pragma GCC ivdep
#pragma GCC unroll kUnroll
  for (int64_t i = 0; i < n; ++i) o[i] = Fn::template apply<T>(a[i], b[i], c[i], p, q, r);
}

// Where the operands have a row.
struct RowAt {
  void* const* ptr;
  const int64_t* step;
  int64_t row;

  template <class T>
  T* get(int k) const {
    return reinterpret_cast<T*>(static_cast<char*>(ptr[k]) + row * step[k]);
  }
};

template <class Fn, class T, int Inputs, int Params, bool Spread = false>
[[gnu::flatten]] void block(void* const* ptr, const int64_t* step, int64_t rows, int64_t n,
                            const Scalar* params) {
  using Out = decltype(Fn::template apply<T>(T{}, T{}, T{}, T{}, T{}, T{}));
  const T p = Params > 0 ? params[0].to<T>() : T{}, q = Params > 1 ? params[1].to<T>() : T{};
  const T r = Params > 2 ? params[2].to<T>() : T{};
  for (RowAt at{ptr, step, 0}; at.row < rows; ++at.row)
    run_row<Fn, T, Inputs, Spread>(at.get<const T>(1), at.get<const T>(Inputs > 1 ? 2 : 1),
                                   at.get<const T>(Inputs > 2 ? 3 : 1), at.get<Out>(0), n, p, q, r);
}

// The same for floats, or doubles, by the functor's own vectors, where the level has them.
#ifdef RL_HAS_LANES
template <class Fn, class T, int Inputs, int Params>
RL_ROW void run_lanes(const T* a, const T* b, const T* c, T* o, int64_t n, T p, T q) {
#ifdef RL_HAS_TWINS
  using L = math::Twin<T>;
#else
  using L = decltype(math::load_lanes(static_cast<const T*>(nullptr)));
#endif
  L all_p{}, all_q{};
  if (Params > 0) all_p = L{} + p;
  if (Params > 1) all_q = L{} + q;
  math::widest_each<T>(n, [&](long i, long count, auto load) {
    L x = load(a), y = Inputs > 1 ? load(b) : x, z = Inputs > 2 ? load(c) : x;
    math::store_lanes(o + i, Fn::template apply<L>(x, y, z, all_p, all_q, all_p), count);
  });
}
#endif
template <class Fn, class T, int Inputs, int Params>
void lanes_block([[maybe_unused]] void* const* ptr, [[maybe_unused]] const int64_t* step,
                 [[maybe_unused]] int64_t rows, [[maybe_unused]] int64_t n,
                 [[maybe_unused]] const Scalar* params) {
#ifdef RL_HAS_LANES
  const T p = Params > 0 ? params[0].to<T>() : T{}, q = Params > 1 ? params[1].to<T>() : T{};
  for (RowAt at{ptr, step, 0}; at.row < rows; ++at.row)
    run_lanes<Fn, T, Inputs, Params>(at.get<const T>(1), at.get<const T>(Inputs > 1 ? 2 : 1),
                                     at.get<const T>(Inputs > 2 ? 3 : 1), at.get<T>(0), n, p, q);
#endif
}
#if defined(RL_HAS_TWINS)
constexpr int kLanesOfFloats = kByLanes | kByTwinFloats;
constexpr int kLanesOfDoubles = kByDoubleLanes | kByTwinDoubles;
#elif defined(RL_HAS_LANES)
constexpr int kLanesOfFloats = kByLanes, kLanesOfDoubles = kByDoubleLanes;
#else
constexpr int kLanesOfFloats = 0, kLanesOfDoubles = 0;
#endif
constexpr int kLanesHere = kLanesOfFloats | kLanesOfDoubles;

// The same for 16-bit floats S, by pieces that stay in registers between conversions; the last one
// is filled up.
constexpr int kShortLanes = RL_CHEAP ? 8 : 16;  // cheap ones are compiled for vectors of 256 bits
template <class Fn, class S, int Inputs, bool Spread>
struct ShortPiece {
  using Out = decltype(Fn::template apply<float>(0, 0, 0, 0, 0, 0));
  using Stored = std::conditional_t<std::is_same_v<Out, float>, S, Out>;
  static constexpr int kRead = Spread ? 1 : Inputs;  // operands that are read by pieces
  float p, q, r, one = 0, two = 0;

  static void widen_piece(float* to, const S* s) {
    if constexpr (std::is_same_v<Out, float>)
      widen_shuffled<kShortLanes>(to, s, kShortPiece);
    else
      widen<kShortLanes>(to, s, kShortPiece);
  }
  void operator()(Stored* to, const S* a, const S* b, const S* c) const {
    float x[kShortPiece], y[kShortPiece], z[kShortPiece];
    Out out[kShortPiece];
    widen_piece(x, a);
    if (kRead > 1) widen_piece(y, b);
    if (kRead > 2) widen_piece(z, c);
    for (int64_t i = 0; i < kShortPiece; ++i)
      out[i] = Fn::template apply<float>(x[i], Spread ? one : (kRead > 1 ? y : x)[i],
                                         Spread ? two : (kRead > 2 ? z : x)[i], p, q, r);
    if constexpr (std::is_same_v<Out, float>)
      narrow_shuffled<kShortLanes>(to, out, kShortPiece);
    else
      __builtin_memcpy(to, out, sizeof out);
  }
  struct Room {
    union {
      S at[kShortPiece];
    };
    Room() {}  // not cleared
  };
  // The last piece of a row overlaps the one before, which may have overwritten what it reads:
  // that is read first.
  void run(Stored* o, const S* a, const S* b, const S* c, int64_t n) const {
    const int64_t from = n - kShortPiece;
    if (from < 0) return run_few(o, a, b, c, n);
    Room last[3];
    if (n % kShortPiece) {
      __builtin_memcpy(last[0].at, a + from, sizeof(Room));
      if (kRead > 1) __builtin_memcpy(last[1].at, b + from, sizeof(Room));
      if (kRead > 2) __builtin_memcpy(last[2].at, c + from, sizeof(Room));
    }
    for (int64_t i = 0; i <= from; i += kShortPiece) (*this)(o + i, a + i, b + i, c + i);
    if (n % kShortPiece) (*this)(o + from, last[0].at, last[1].at, last[2].at);
  }
  void run_few(Stored* o, const S* a, const S* b, const S* c, int64_t n) const {
    Room rest[3];
    Stored out[kShortPiece];
    const S* from[] = {a, b, c};
    for (int k = 0; k < kRead; ++k) {
      __builtin_memset(static_cast<void*>(rest[k].at), 0, sizeof(Room));
      __builtin_memcpy(rest[k].at, from[k], static_cast<size_t>(n) * sizeof(S));
    }
    (*this)(out, rest[0].at, rest[1].at, rest[2].at);
    __builtin_memcpy(o, out, static_cast<size_t>(n) * sizeof(Stored));
  }
};
template <class Fn, class S, int Inputs, int Params, bool Spread>
[[gnu::flatten]] void short_block(void* const* ptr, const int64_t* step, int64_t rows, int64_t n,
                                  const Scalar* params) {
  using Piece = ShortPiece<Fn, S, Inputs, Spread>;
  Piece piece{Params > 0 ? params[0].to<float>() : 0, Params > 1 ? params[1].to<float>() : 0,
              Params > 2 ? params[2].to<float>() : 0};
  for (RowAt at{ptr, step, 0}; at.row < rows; ++at.row) {
    if (Spread) piece.one = *at.get<const float>(2);
    if (Spread) piece.two = Inputs > 2 ? *at.get<const float>(3) : piece.one;
    piece.run(at.get<typename Piece::Stored>(0), at.get<const S>(1),
              at.get<const S>(Piece::kRead > 1 ? 2 : 1), at.get<const S>(Piece::kRead > 2 ? 3 : 1),
              n);
  }
}

// Cheap functors without loops of their own have such blocks, where conversions are instructions.
template <class Fn, int Inputs, int Params, int Types, class S>
constexpr void add_short([[maybe_unused]] BlockFn* of_short, [[maybe_unused]] BlockFn* spread,
                         [[maybe_unused]] int at) {
  [[maybe_unused]] constexpr bool own_loop =
      requires(const float* a, float* o) { Fn::template run<float>(a, o, 0); } ||
      requires(const float* a, float* o) { Fn::template run<float>(a, a, o, 0); } ||
      requires(const float* a, float* o) { Fn::template run<float>(a, a, o, 0, 0, 0); };
#ifdef __F16C__
  constexpr bool converts = true;
#else
  constexpr bool converts = false;
#endif
  if constexpr ((Types & kSignBit) != 0) {
    of_short[at] = block<Fn, S, Inputs, Params>;
  } else if constexpr (converts && RL_CHEAP && !own_loop && !(Types & kLanesHere)) {
    of_short[at] = short_block<Fn, S, Inputs, Params, false>;
    if constexpr ((Types & kSpread) != 0) spread[at] = short_block<Fn, S, Inputs, Params, true>;
  }
}

// Fn with the parameter as its third operand.
template <class Fn>
struct with_number {
  template <class T>
  static inline auto apply(T a, T b, T, T p, T, T) {
    return Fn::template apply<T>(a, b, p, T{}, T{}, T{});
  }
};
template <class Fn, int Types>
constexpr void add_numbered(PointwiseKernel& k) {
  using Numbered = with_number<Fn>;
  k.numbered[static_cast<int>(Compute::F)] = block<Numbered, float, 2, 1>;
  k.numbered[static_cast<int>(Compute::D)] = block<Numbered, double, 2, 1>;
  add_short<Numbered, 2, 1, Types & ~kSpread, Half>(k.numbered_short, nullptr, 0);
  add_short<Numbered, 2, 1, Types & ~kSpread, BFloat16>(k.numbered_short, nullptr, 1);
}

// Fn of two operands in the other order.
template <class Fn>
struct turned_around {
  template <class T>
  static inline auto apply(T a, T b, T, T p, T q, T r) {
    return Fn::template apply<T>(b, a, T{}, p, q, r);
  }
};
template <class Fn, int Params, int Types>
struct Turned {
  static const PointwiseKernel kernel;
};

template <class Fn, class T, int Inputs, int Params, int Types>
constexpr void add_type(PointwiseKernel& k, Compute compute) {
  using Out = decltype(Fn::template apply<T>(T{}, T{}, T{}, T{}, T{}, T{}));
  const auto c = static_cast<int>(compute);
  k.fn[c] = block<Fn, T, Inputs, Params>;
  k.result[c] = dtype_of<Out>;
  if constexpr ((Types & kSpread) && !requires(T v) { v.re; })
    k.spread[c] = block<Fn, T, Inputs, Params, true>;
}

template <class Fn, int Inputs, int Params, int Types>
constexpr PointwiseKernel make_pointwise(const char* name) {
  PointwiseKernel k{name, Inputs, Params, {}, {}, (Types & kAnySign) != 0, (Types & kFloat8) != 0};
  constexpr int types = Types & kCompiled;
  if constexpr (types & kB) add_type<Fn, bool, Inputs, Params, Types>(k, Compute::B);
  if constexpr (types & kI) add_type<Fn, int64_t, Inputs, Params, Types>(k, Compute::I);
  if constexpr (types & kF) add_type<Fn, float, Inputs, Params, Types>(k, Compute::F);
  if constexpr (types & kD) add_type<Fn, double, Inputs, Params, Types>(k, Compute::D);
  if constexpr (types & kCF) add_type<Fn, C64, Inputs, Params, Types>(k, Compute::CF);
  if constexpr (types & kCD) add_type<Fn, C128, Inputs, Params, Types>(k, Compute::CD);
  if constexpr (types & kSmall) {
    add_type<Fn, uint8_t, Inputs, Params, Types>(k, Compute::U8);
    add_type<Fn, int8_t, Inputs, Params, Types>(k, Compute::I8);
    add_type<Fn, int16_t, Inputs, Params, Types>(k, Compute::I16);
    add_type<Fn, int32_t, Inputs, Params, Types>(k, Compute::I32);
  }
  if constexpr ((types & kF) && (Types & kLanesOfFloats))
    k.fn[static_cast<int>(Compute::F)] = lanes_block<Fn, float, Inputs, Params>;
  if constexpr ((types & kD) && (Types & kLanesOfDoubles))
    k.fn[static_cast<int>(Compute::D)] = lanes_block<Fn, double, Inputs, Params>;
  if constexpr ((types & kF) != 0) {
    add_short<Fn, Inputs, Params, Types, Half>(k.of_short, k.spread_short, 0);
    add_short<Fn, Inputs, Params, Types, BFloat16>(k.of_short, k.spread_short, 1);
  }
  if constexpr ((types & kF) && (Types & kNumberLast)) add_numbered<Fn, Types>(k);
  if constexpr ((types & kReal) && (Types & kTurned))
    k.turned = &Turned<Fn, Params, (Types & kSpread) | (types & kReal)>::kernel;
  k.cheap = RL_CHEAP;
  k.demands = static_cast<uint8_t>(Types % kFloat8 / kDemand);
  return k;
}
template <class Fn, int Params, int Types>
constinit const PointwiseKernel Turned<Fn, Params, Types>::kernel =
    make_pointwise<turned_around<Fn>, 2, Params, Types>("turned");

#define RL_FUNCTOR(NAME, INPUTS, PARAMS, TYPES)   \
  RL_REGISTER(OfPointwise, isa_rank(RL_ISA_NAME), \
              make_pointwise<NAME##_fn, INPUTS, PARAMS, (TYPES)>(#NAME));

// In a functor's body T is the compute type; a, b, c are the inputs, p, q, r the parameters
// (non-tensor arguments, in schema order). Keep it branch-free so that it vectorises.
#define RL_POINTWISE(NAME, INPUTS, PARAMS, TYPES, ...)                                         \
  struct NAME##_fn {                                                                           \
    template <class T>                                                                         \
    static inline auto apply([[maybe_unused]] T a, [[maybe_unused]] T b, [[maybe_unused]] T c, \
                             [[maybe_unused]] T p, [[maybe_unused]] T q,                       \
                             [[maybe_unused]] T r) __VA_ARGS__                                 \
  };                                                                                           \
  RL_FUNCTOR(NAME, INPUTS, PARAMS, TYPES)
// A unary op that math:: offers a block at a time (NAME_block) as well as one by one.
#define RL_BLOCK_UNARY(NAME, TYPES)                          \
  struct NAME##_fn {                                         \
    template <class T>                                       \
    static inline T apply(T a, T, T, T, T, T) {              \
      return math::NAME(a);                                  \
    }                                                        \
    template <class T>                                       \
    static inline void run(const T* in, T* out, int64_t n) { \
      math::NAME##_block(in, out, n);                        \
    }                                                        \
  };                                                         \
  RL_FUNCTOR(NAME, 1, 0, TYPES)
// The same of two operands.
#define RL_BLOCK_BINARY(NAME, TYPES)                                    \
  struct NAME##_fn {                                                    \
    template <class T>                                                  \
    static inline T apply(T a, T b, T, T, T, T) {                       \
      return math::NAME(a, b);                                          \
    }                                                                   \
    template <class T>                                                  \
    static inline bool run(const T* a, const T* b, T* out, int64_t n) { \
      math::NAME##_block(a, b, out, n);                                 \
      return true;                                                      \
    }                                                                   \
  };                                                                    \
  RL_FUNCTOR(NAME, 2, 0, TYPES)
#define RL_UNARY(NAME, TYPES, ...) RL_POINTWISE(NAME, 1, 0, TYPES, __VA_ARGS__)
#define RL_BINARY(NAME, TYPES, ...) RL_POINTWISE(NAME, 2, 0, TYPES, __VA_ARGS__)
#define RL_TERNARY(NAME, TYPES, ...) RL_POINTWISE(NAME, 3, 0, TYPES, __VA_ARGS__)

}  // namespace
}  // namespace RL_ISA_NS
}  // namespace rl
