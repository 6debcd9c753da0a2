// Group norm of channels that lie last, as they lie: examples are (places, channels), of which
// pieces that caches hold are gone through by channel. Included by files compiled once per level.
#pragma once
#include <numeric>

#include "core/allocator.h"
#include "kernels/kept.h"
#include "kernels/norm.h"
#include "kernels/pool_channels.h"
#include "kernels/short_floats.h"

namespace rl {
namespace RL_ISA_NS {
namespace {

// A piece of a tensor kept in `S`, in the type that it is computed in: widened where they differ.
template <class S, class T>
class Piece {
 public:
  explicit Piece(int64_t size) : wide_(std::is_same_v<S, T> ? 0 : size) {}
  const T* read(const S* from, int64_t n) {
    if constexpr (std::is_same_v<S, T>)
      return from;
    else
      return widen(wide_.data(), from, n), wide_.data();
  }
  // What is to be written to it, and then kept.
  T* target(S* to) {
    if constexpr (std::is_same_v<S, T>)
      return to;
    else
      return wide_.data();
  }
  void keep(S* to, int64_t n) {
    if constexpr (!std::is_same_v<S, T>) narrow(to, wide_.data(), n);
  }

 private:
  Scratch<T> wide_;
};

struct LastLayout {
  int64_t examples, places, channels, groups;
  int64_t features() const { return channels / groups; }
  int64_t piece() const { return std::max<int64_t>(1, 16384 / channels); }  // places
  int64_t piece_size() const { return piece() * channels; }
  int64_t pieces() const { return (places + piece() - 1) / piece(); }
  int64_t elements() const { return places * features(); }  // of a group
};

// f(first element, places) over a piece, in blocks that the first cache holds if they are widened.
template <class S, class T, class F>
void each_block(int64_t places, int64_t channels, F f) {
  constexpr bool kWidened = !std::is_same_v<S, T>;
  const int64_t step = kWidened ? std::max<int64_t>(1, 2048 / channels) : places;
  for (int64_t p = 0; p < places; p += step) f(p * channels, std::min(step, places - p));
}

// f(piece of all examples, its first element, its places) over all pieces, shared by threads.
template <class F>
void each_piece(const LastLayout& l, F f) {
  parallel_for(l.examples * l.pieces(), 1, [&](int64_t begin, int64_t end) {
    for (int64_t k = begin; k < end; ++k) {
      const int64_t from = k % l.pieces() * l.piece();
      f(k, (k / l.pieces() * l.places + from) * l.channels, std::min(l.piece(), l.places - from));
    }
  });
}

// to[c] and to[channels + c] = the sums of both parts of f(element, channel), which are of a vector
// of them, over all places: in parts, which keeps them exact.
template <class T, class F>
void two_sums_over_places(int64_t places, int64_t channels, T* to, F f) {
  constexpr int64_t kPart = 64;
  each_channels<T>(channels, [&]<int N>(int64_t c) {
    Vector<T> first[N] = {}, second[N] = {};
    for (int64_t from = 0; from < places; from += kPart) {
      Vector<T> a[N] = {}, b[N] = {};
      for (int64_t p = from; p < std::min(from + kPart, places); ++p)
        for (int v = 0; v < N; ++v) {
          const int64_t at = c + v * kLanes<T>;
          const Two<Vector<T>> both = f(p * channels + at, at);
          a[v] += both.first, b[v] += both.second;
        }
      for (int v = 0; v < N; ++v) first[v] += a[v], second[v] += b[v];
    }
    for (int v = 0; v < N; ++v) {
      store_vector(to + c + v * kLanes<T>, first[v]);
      store_vector(to + channels + c + v * kLanes<T>, second[v]);
    }
  });
}

// The mean of some elements, and the sum of the squares of how far they are from it.
struct Moments {
  double count = 0, mean = 0, squares = 0;
  void join(const Moments& b) {
    const double all = count + b.count, apart = b.mean - mean;
    squares += b.squares + apart * apart * count / all * b.count;
    mean += apart * b.count / all;
    count = all;
  }
};

template <class S, class T>
struct LastNorm {
  LastLayout l;
  const S* x;
  const T *weight, *bias;
  S* out;
  T *mean, *rstd;
  double eps;

  void run() const {
    Scratch<Moments> parts(l.examples * l.pieces() * l.groups);
    each_piece(l, [&](int64_t k, int64_t at, int64_t places) {
      gather(x + at, places, parts.data() + k * l.groups);
    });
    for (int64_t r = 0; r < l.examples * l.groups; ++r) {
      Moments all;
      for (int64_t k = 0; k < l.pieces(); ++k)
        all.join(parts.data()[(r / l.groups * l.pieces() + k) * l.groups + r % l.groups]);
      mean[r] = static_cast<T>(all.mean);
      rstd[r] = static_cast<T>(1 / std::sqrt(all.squares / all.count + eps));
    }
    each_piece(l, [&](int64_t k, int64_t at, int64_t places) {
      write(k / l.pieces() * l.groups, x + at, places, out + at);
    });
  }

 private:
  void gather(const S* kept, int64_t places, Moments* groups) const {
    const int64_t n = l.features();
    Piece<S, T> piece(l.piece_size());
    const T* from = piece.read(kept, places * l.channels);
    std::vector<T> sums(2 * l.channels), near(l.channels);
    // Differences from what is near the mean: the squares of a mean far from 0 would hide them.
    for (int64_t g = 0; g < l.groups; ++g)
      std::fill_n(near.data() + g * n, n,
                  std::accumulate(from + g * n, from + (g + 1) * n, T(0)) / static_cast<T>(n));
    two_sums_over_places(places, l.channels, sums.data(), [&](int64_t at, int64_t c) {
      const Vector<T> apart = load_vector(from + at) - load_vector(near.data() + c);
      return Two<Vector<T>>{apart, apart * apart};
    });
    for (int64_t g = 0; g < l.groups; ++g) {
      double sum = 0, squares = 0;
      for (int64_t c = g * n; c < (g + 1) * n; ++c)
        sum += double(sums[c]), squares += double(sums[l.channels + c]);
      const double count = double(places * n);
      groups[g] = {count, double(near[g * n]) + sum / count,
                   squares - std::min(squares, sum * (sum / count))};
    }
  }
  void write(int64_t row, const S* kept, int64_t places, S* kept_to) const {
    std::vector<T> tables(3 * l.channels);
    T *center = tables.data(), *scale = center + l.channels, *shift = scale + l.channels;
    for (int64_t c = 0, r = row; c < l.channels; ++r)
      for (const int64_t end = c + l.features(); c < end; ++c) {
        center[c] = mean[r];
        scale[c] = weight ? rstd[r] * weight[c] : rstd[r];
        shift[c] = bias ? bias[c] : T(0);
      }
    const int64_t n = l.channels;
    Piece<S, T> piece(l.piece_size()), result(l.piece_size());
    each_block<S, T>(places, n, [&](int64_t at, int64_t rows) {
      const T* from = piece.read(kept + at, rows * n);
      T* to = result.target(kept_to + at);
      for (int64_t p = 0; p < rows; ++p, from += n, to += n)
#pragma GCC ivdep
        for (int64_t c = 0; c < n; ++c) to[c] = (from[c] - center[c]) * scale[c] + shift[c];
      result.keep(kept_to + at, rows * n);
    });
  }
};

template <class S, class T>
struct LastNormBackward {
  LastLayout l;
  const S *g, *x;
  const T *mean, *rstd, *weight;
  S* gx;
  Two<double>* channel_sums;  // of g and g (x - mean) rstd, of each channel of each example

  void run() const {
    const int64_t n = l.channels;
    Scratch<T> parts(l.examples * l.pieces() * 2 * n);
    each_piece(l, [&](int64_t k, int64_t at, int64_t places) {
      gather(k / l.pieces() * l.groups, g + at, x + at, places, parts.data() + k * 2 * n);
    });
    for (int64_t e = 0; e < l.examples; ++e)
      for (int64_t c = 0; c < n; ++c) {
        Two<double> all{0, 0};
        for (int64_t k = 0; k < l.pieces(); ++k) {
          const T* part = parts.data() + (e * l.pieces() + k) * 2 * n + c;
          all.first += double(part[0]), all.second += double(part[n]);
        }
        channel_sums[e * n + c] = all;
      }
    each_piece(l, [&](int64_t k, int64_t at, int64_t places) {
      write(k / l.pieces(), g + at, x + at, places, gx + at);
    });
  }

 private:
  void gather(int64_t row, const S* g_kept, const S* x_kept, int64_t places, T* sums) const {
    Piece<S, T> g_piece(l.piece_size()), x_piece(l.piece_size());
    const T *pg = g_piece.read(g_kept, places * l.channels),
            *px = x_piece.read(x_kept, places * l.channels);
    std::vector<T> tables(2 * l.channels);
    T *center = tables.data(), *scale = center + l.channels;
    for (int64_t g = 0; g < l.groups; ++g) {
      std::fill_n(center + g * l.features(), l.features(), mean[row + g]);
      std::fill_n(scale + g * l.features(), l.features(), rstd[row + g]);
    }
    two_sums_over_places(places, l.channels, sums, [&](int64_t at, int64_t c) {
      const Vector<T> slope = load_vector(pg + at);
      return Two<Vector<T>>{slope, slope * ((load_vector(px + at) - load_vector(center + c)) *
                                            load_vector(scale + c))};
    });
  }
  void write(int64_t example, const S* g_kept, const S* x_kept, int64_t places, S* kept_to) const {
    const int64_t n = l.channels, features = l.features();
    Piece<S, T> g_piece(l.piece_size()), x_piece(l.piece_size()), result(l.piece_size());
    std::vector<T> tables(4 * n);
    T *center = tables.data(), *slope = center + n, *first = slope + n, *second = first + n;
    for (int64_t group = 0; group < l.groups; ++group) {
      const int64_t r = example * l.groups + group;
      double sum = 0, dot = 0;
      for (int64_t c = group * features; c < (group + 1) * features; ++c) {
        const Two<double>& part = channel_sums[example * n + c];
        const double w = weight ? double(weight[c]) : 1;
        sum += w * part.first, dot += w * part.second;
        center[c] = mean[r];
        slope[c] = weight ? rstd[r] * weight[c] : rstd[r];
      }
      const double s = double(rstd[r]), all = double(l.elements());
      std::fill_n(first + group * features, features, static_cast<T>(sum / all * s));
      std::fill_n(second + group * features, features, static_cast<T>(dot / all * s * s));
    }
    each_block<S, T>(places, n, [&](int64_t at, int64_t rows) {
      const T *pg = g_piece.read(g_kept + at, rows * n), *px = x_piece.read(x_kept + at, rows * n);
      T* to = result.target(kept_to + at);
      for (int64_t p = 0; p < rows; ++p, pg += n, px += n, to += n)
#pragma GCC ivdep
        for (int64_t c = 0; c < n; ++c)
          to[c] = pg[c] * slope[c] - first[c] - (px[c] - center[c]) * second[c];
      result.keep(kept_to + at, rows * n);
    });
  }
};

}  // namespace
}  // namespace RL_ISA_NS
}  // namespace rl
