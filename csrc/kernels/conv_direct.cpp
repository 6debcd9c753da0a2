// Convolution as a matrix product whose second operand is read in place. Each channel of a few
// images is copied into a row, with its padding (and apart by phase of the stride); then the
// element that kernel position k meets at output i is at i + offset[k], for all i. Rows are run
// through without edges: what is computed between lines and images is dropped. Compiled once per
// instruction-set level; which convolutions come here is conv.cpp's.
#include <algorithm>
#include <memory>
#include <vector>

#include "core/allocator.h"
#include "kernels/conv.h"
#include "kernels/run_sums.h"
#include "plan/isa.h"
#include "plan/parallel.h"

namespace rl {
namespace RL_ISA_NS {
namespace {

constexpr int kTile = 12;               // sums that a tile holds in registers
constexpr int kMostVectors = 8;         // of a row that a tile spans
constexpr int64_t kRowElements = 2048;  // that small images share a row up to
constexpr int64_t kDepth = 384;         // terms of a sum that are added in one go
constexpr int64_t kChunk = 1024;        // elements of rows that a weight's gradient takes in one go

// A row: images one after another, lines as long as outputs and kernel reach together.
struct Frame {
  int64_t size[3], plane = 1, phases = 1, reach = 0;  // reach: positions before which sums begin
  int64_t images, row;                                // row: elements between rows
  Frame(const ConvGeometry& g, int64_t slack) {
    for (int d = 2; d >= 0; --d) {
      int64_t beyond = (g.kernel[d] - 1) * g.dilation[d] / g.stride[d];
      size[d] = g.out[d] + beyond;
      reach += beyond * plane;
      plane *= size[d];
      phases *= g.stride[d];
    }
    images = std::clamp<int64_t>(kRowElements / plane, 1, g.batch);
    row = (((images * plane + reach + slack) / 16 + 1) | 1) * 16 +
          32;  // odd: rows differ in cache sets
  }
  int64_t outputs(int64_t n) const { return n * plane - reach; }  // of n images, gaps included
};

// How a channel of a tensor lies in a frame: position q of phase p holds element q stride + p -
// pad.
struct Side {
  int64_t size[3], stride[3] = {1, 1, 1}, pad[3] = {0, 0, 0};
};

// Visits the lines of an image's channel that have elements: f(first position in the row, first
// element, number of elements).
template <class F>
void each_line(const Frame& f, const Side& s, F&& visit) {
  int64_t phase = 0;
  for (int64_t p0 = 0; p0 < s.stride[0]; ++p0)
    for (int64_t p1 = 0; p1 < s.stride[1]; ++p1)
      for (int64_t p2 = 0; p2 < s.stride[2]; ++p2, ++phase) {
        auto cells = [&](int d, int64_t p) {
          return cells_inside(f.size[d], s.stride[d], p - s.pad[d], s.size[d]);
        };
        Span c0 = cells(0, p0), c1 = cells(1, p1), c2 = cells(2, p2);
        if (c2.first == c2.last) continue;
        for (int64_t q0 = c0.first; q0 < c0.last; ++q0)
          for (int64_t q1 = c1.first; q1 < c1.last; ++q1) {
            int64_t z = q0 * s.stride[0] + p0 - s.pad[0], y = q1 * s.stride[1] + p1 - s.pad[1];
            int64_t x = c2.first * s.stride[2] + p2 - s.pad[2];
            visit(phase * f.row + (q0 * f.size[1] + q1) * f.size[2] + c2.first,
                  (z * s.size[1] + y) * s.size[2] + x, c2.last - c2.first);
          }
      }
}

// The last vector may overlap the one before: lines are short, and calls of memcpy would be dear.
template <class T>
void copy_line(T* to, const T* from, int64_t n) {
  constexpr int64_t V = kLanes<T>;
  if (n < V) {
    for (int64_t i = 0; i < n; ++i) to[i] = from[i];
    return;
  }
  for (int64_t i = 0; i < n - V; i += V) store_vector<T>(to + i, load_vector(from + i));
  store_vector<T>(to + n - V, load_vector(from + n - V));
}
// What lies between lines is as it was.
template <class T>
void load_channel(const Frame& f, const Side& s, const T* from, T* row) {
  int64_t step = s.stride[2];
  each_line(f, s, [&](int64_t at, int64_t element, int64_t n) {
    if (step == 1)
      copy_line(row + at, from + element, n);
    else
      copy_cells(row + at, 1, from + element, step, n);
  });
}
template <class T>
void store_channel(const Frame& f, const Side& s, const T* row, T* to) {
  int64_t step = s.stride[2];
  each_line(f, s, [&](int64_t at, int64_t element, int64_t n) {
    if (step == 1)
      copy_line(to + element, row + at, n);
    else
      copy_cells(to + element, step, row + at, 1, n);
  });
}

// sum[r][k] += left(r) * right(k). The shorter side is kept, and with the sums fills the registers.
template <int R, int K, class V, class Left, class Right>
[[gnu::always_inline]] inline void multiply_add(V (&sum)[R][K], Left left, Right right) {
  constexpr bool kKeepLeft = R < K;
  V kept[kKeepLeft ? R : K];
#pragma GCC unroll 12
  for (int i = 0; i < (kKeepLeft ? R : K); ++i) kept[i] = kKeepLeft ? left(i) : right(i);
#pragma GCC unroll 12
  for (int i = 0; i < (kKeepLeft ? K : R); ++i) {
    V other = kKeepLeft ? right(i) : left(i);
#pragma GCC unroll 12
    for (int j = 0; j < (kKeepLeft ? R : K); ++j) {
      V& to = kKeepLeft ? sum[j][i] : sum[i][j];
      to += kept[j] * other;
    }
  }
}

// ---- sums over kernel positions
// y[R rows, H vectors] (+)= sum over k of a[k][R] times the vectors at x + offset[k].
template <class T, int R, int H>
[[gnu::noinline]] void tile(const T* a, const T* x, const int64_t* offset, int64_t depth, T* y,
                            int64_t row, bool accumulate) {
  Vector<T> sum[R][H] = {};
#pragma GCC unroll 2
  for (int64_t k = 0; k < depth; ++k, a += R) {
    const T* from = x + offset[k];
    for (int h = 0; h < H; h += 2) __builtin_prefetch(from + (H + h) * kLanes<T>);
    multiply_add<R, H>(
        sum, [&](int r) { return a[r] - Vector<T>{}; },
        [&](int h) { return load_vector(from + h * kLanes<T>); });
  }
#pragma GCC unroll 12
  for (int r = 0; r < R; ++r)
    for (int h = 0; h < H; ++h) {
      T* to = y + r * row + h * kLanes<T>;
      store_vector<T>(to, accumulate ? load_vector(to) + sum[r][h] : sum[r][h]);
    }
}

// [begin(i), begin(i + 1)) are the parts of n that are as even as can be, and no longer than
// `most`.
struct EvenParts {
  int64_t n, count;
  EvenParts(int64_t n, int64_t most) : n(n), count((n + most - 1) / most) {}
  int64_t begin(int64_t i) const { return n * i / count; }
};

// f<n>(), where 1 <= n <= Most.
template <int Most, class F>
void with_number(int64_t n, F f) {
  if constexpr (Most > 1)
    if (n < Most) return with_number<Most - 1>(n, f);
  f.template operator()<Most>();
}

// What a row of results is a sum of: for each group, `rows` rows of a(group, row, k) times the
// elements at offset[k]. Factors are packed once, in strips of rows, `kDepth` terms at a time.
template <class T>
class Terms {
 public:
  template <class A>
  Terms(std::vector<int64_t> offsets, int64_t groups, int64_t rows, A a)
      : offsets_(std::move(offsets)),
        depth_(static_cast<int64_t>(offsets_.size())),
        rows_(rows),
        strips_(rows, strip_rows(rows)),
        packed_(groups * rows * depth_) {
    parallel_for(groups, 1 + 65536 / (1 + rows * depth_), [&](int64_t begin, int64_t end) {
      for (int64_t g = begin; g < end; ++g)
        pack(packed_.data() + g * rows_ * depth_, [&](int64_t r, int64_t k) { return a(g, r, k); });
    });
  }

  // The group's rows y, `row` apart, of `count` elements.
  void sum(int64_t group, const T* x, T* y, int64_t row, int64_t count) const {
    with_number<5>(rows_, [&]<int N>() {
      constexpr int kVectors = N == 1 ? kMostVectors : kTile / static_cast<int>(strip_rows(N));
      for (int64_t k = 0; k == 0 || k < depth_; k += kDepth)
        sum_terms<kVectors>(packed_.data() + rows_ * (group * depth_ + k), k, x, y, row, count);
    });
  }

 private:
  // Five rows and more are cut in strips of up to six.
  static constexpr int64_t strip_rows(int64_t rows) { return rows < 5 ? rows : 6; }

  template <class A>
  void pack(T* to, A a) const {
    for (int64_t k0 = 0; k0 < depth_; k0 += kDepth)
      for (int64_t s = 0; s < strips_.count; ++s)
        for (int64_t k = k0; k < std::min(depth_, k0 + kDepth); ++k)
          for (int64_t r = strips_.begin(s); r < strips_.begin(s + 1); ++r) *to++ = a(r, k);
  }

  template <int H>
  void sum_terms(const T* a, int64_t k, const T* x, T* y, int64_t row, int64_t count) const {
    constexpr int64_t kWidth = H * kLanes<T>, kBlock = 24 * kLanes<T>;
    constexpr int kStrip = H == kMostVectors ? 1 : kTile / H;
    int64_t terms = std::min(kDepth, depth_ - k);
    int64_t grain = 1 + 65536 / (1 + kBlock * rows_ * terms);
    parallel_for((count + kBlock - 1) / kBlock, grain, [&](int64_t begin, int64_t end) {
      for (int64_t b = begin; b < end; ++b)
        for (int64_t s = 0; s < strips_.count; ++s)
          with_number<kStrip>(strips_.begin(s + 1) - strips_.begin(s), [&]<int R>() {
            for (int64_t i = b * kBlock; i < std::min(count, (b + 1) * kBlock); i += kWidth)
              tile<T, R, H>(a + strips_.begin(s) * terms, x + i, offsets_.data() + k, terms,
                            y + strips_.begin(s) * row + i, row, k > 0);
          });
    });
  }

  std::vector<int64_t> offsets_;
  int64_t depth_, rows_;
  EvenParts strips_;
  Scratch<T> packed_;
};

// ---- sums over positions
// out[r * step + k] += sum over i < n of y[r * row + i] x[offset[k] + i].
template <class T, int R, int K>
[[gnu::noinline]] void dots(const T* y, int64_t row, const T* x, const int64_t* offset, int64_t n,
                            T* out, int64_t step) {
  Vector<T> sum[R][K] = {};
  const T* at[K];
  for (int k = 0; k < K; ++k) at[k] = x + offset[k];
  for (int64_t i = 0; i < n; i += kLanes<T>)
    multiply_add<R, K>(
        sum, [&](int r) { return load_vector(y + r * row + i); },
        [&](int k) { return load_vector(at[k] + i); });
  for (int r = 0; r < R; ++r)
    for (int k = 0; k < K; ++k) out[r * step + k] += across<SumStep, T>(sum[r][k]);
}

// ---- the three parts
template <class T>
class Direct {
 public:
  Direct(ConvPart part, const ConvGeometry& g, const ConvOperands& t)
      : part_(part),
        g_(g),
        frame_(g, kMostVectors * kLanes<T>),
        channels_(g.in_channels / g.groups),
        outs_(g.out_channels / g.groups),
        taps_(g.kernel_numel()),
        x_(static_cast<T*>(t.x)),
        w_(static_cast<T*>(t.w)),
        y_(static_cast<T*>(t.y)),
        bias_(static_cast<const T*>(t.bias)) {
    std::copy_n(g.in, 3, x_side_.size);
    std::copy_n(g.stride, 3, x_side_.stride);
    std::copy_n(g.padding, 3, x_side_.pad);
    std::copy_n(g.out, 3, y_side_.size);
    locate_taps();
    lead_ = (frame_.reach + 15) / 16 * 16;
    if (part == ConvPart::Forward) add_forward_terms();
    if (part == ConvPart::Input)
      for (int64_t phase = 0; phase < frame_.phases; ++phase) add_input_terms(phase);
  }

  void run() {
    int64_t blocks = part_ == ConvPart::Weight ? 1 : (g_.batch + frame_.images - 1) / frame_.images;
    int64_t work = channels_ * outs_ * taps_ * frame_.plane * frame_.images;
    parallel_for(g_.groups * blocks, 1 + 65536 / work, [&](int64_t begin, int64_t end) {
      Scratch<T> x(channels_ * frame_.phases * frame_.row), y(outs_ * frame_.row);
      for (int64_t i = begin; i < end; ++i) {
        Part p{i / blocks, i % blocks * frame_.images, 0, x.data(), y.data(), i == begin};
        p.images = std::min(frame_.images, g_.batch - p.image);
        if (part_ == ConvPart::Forward) forward(p);
        if (part_ == ConvPart::Input) input(p);
        if (part_ == ConvPart::Weight) weight(p);
      }
    });
  }

 private:
  // Images [image, image + images) of a group, and the rows for them.
  struct Part {
    int64_t group, image, images;
    T *x, *y;
    bool fresh;  // rows have not been written yet
  };

  // Where kernel positions begin in a channel's rows.
  void locate_taps() {
    for (int64_t a = 0; a < g_.kernel[0]; ++a)
      for (int64_t b = 0; b < g_.kernel[1]; ++b)
        for (int64_t c = 0; c < g_.kernel[2]; ++c) {
          int64_t tap[3] = {a, b, c}, phase = 0, at = 0;
          for (int d = 0; d < 3; ++d) {
            int64_t z = tap[d] * g_.dilation[d];
            phase = phase * g_.stride[d] + z % g_.stride[d];
            at = at * frame_.size[d] + z / g_.stride[d];
          }
          tap_phase_.push_back(phase);
          tap_at_.push_back(at);
        }
  }
  std::vector<int64_t> all_offsets() const {
    std::vector<int64_t> offsets;
    for (int64_t c = 0; c < channels_; ++c)
      for (int64_t t = 0; t < taps_; ++t)
        offsets.push_back((c * frame_.phases + tap_phase_[t]) * frame_.row + tap_at_[t]);
    return offsets;
  }

  void add_forward_terms() {
    int64_t depth = channels_ * taps_;
    terms_.push_back(std::make_unique<Terms<T>>(
        all_offsets(), g_.groups, outs_,
        [&](int64_t g, int64_t r, int64_t k) { return w_[(g * outs_ + r) * depth + k]; }));
  }
  // Each phase of x is a sum over the kernel positions that fall on it.
  void add_input_terms(int64_t phase) {
    std::vector<int64_t> offsets, at;
    for (int64_t o = 0; o < outs_; ++o)
      for (int64_t t = 0; t < taps_; ++t)
        if (tap_phase_[t] == phase) {
          offsets.push_back(o * frame_.row + lead_ - tap_at_[t]);
          at.push_back(o * channels_ * taps_ + t);
        }
    terms_.push_back(std::make_unique<Terms<T>>(
        std::move(offsets), g_.groups, channels_, [&](int64_t g, int64_t r, int64_t k) {
          return w_[(g * outs_ * channels_ + r) * taps_ + at[k]];
        }));
  }

  T* x_at(const Part& p, int64_t n, int64_t c) const {
    return x_ + ((p.image + n) * g_.in_channels + p.group * channels_ + c) * g_.in_numel();
  }
  T* y_at(const Part& p, int64_t n, int64_t o) const {
    return y_ + ((p.image + n) * g_.out_channels + p.group * outs_ + o) * g_.out_numel();
  }
  int64_t line_grain() const { return 1 + 16384 / (frame_.phases * frame_.row); }

  // Positions that have no element are zeros: they stay so from block to block, as long as blocks
  // have the same images.
  void load_x(const Part& p) const {
    int64_t size = frame_.phases * frame_.row;
    load(
        p, channels_, [&](int64_t c) { return Row{p.x + c * size, size, p.x + c * size}; }, x_side_,
        [&](int64_t n, int64_t c) { return x_at(p, n, c); });
  }
  // Rows begin with zeros, as many as the kernel reaches at least; images with a line of the cache.
  void load_y(const Part& p) const {
    int64_t size = frame_.row;
    load(
        p, outs_, [&](int64_t o) { return Row{p.y + o * size, size, p.y + o * size + lead_}; },
        y_side_, [&](int64_t n, int64_t o) { return y_at(p, n, o); });
  }
  struct Row {
    T* data;
    int64_t size;
    T* images;
  };
  template <class RowOf, class At>
  void load(const Part& p, int64_t channels, RowOf row_of, const Side& side, At at) const {
    parallel_for(channels, line_grain(), [&](int64_t begin, int64_t end) {
      for (int64_t c = begin; c < end; ++c) {
        Row row = row_of(c);
        if (p.fresh || p.images < frame_.images) std::fill_n(row.data, row.size, T(0));
        for (int64_t n = 0; n < p.images; ++n)
          load_channel(frame_, side, at(n, c), row.images + n * frame_.plane);
      }
    });
  }

  void forward(const Part& p) const {
    load_x(p);
    terms_[0]->sum(p.group, p.x, p.y, frame_.row, frame_.outputs(p.images));
    parallel_for(outs_, line_grain(), [&](int64_t begin, int64_t end) {
      for (int64_t o = begin; o < end; ++o) {
        if (bias_) add(p.y + o * frame_.row, bias_[p.group * outs_ + o]);
        for (int64_t n = 0; n < p.images; ++n)
          store_channel(frame_, y_side_, p.y + o * frame_.row + n * frame_.plane, y_at(p, n, o));
      }
    });
  }
  void add(T* row, T value) const {
    for (int64_t i = 0; i < frame_.images * frame_.plane; ++i) row[i] += value;
  }

  void input(const Part& p) const {
    load_y(p);
    for (int64_t phase = 0; phase < frame_.phases; ++phase)
      terms_[phase]->sum(p.group, p.y, p.x + phase * frame_.row, frame_.phases * frame_.row,
                         p.images * frame_.plane);
    store_x(p);
  }
  void store_x(const Part& p) const {
    bool covers = true;
    for (int d = 0; d < 3; ++d) covers &= frame_.size[d] * g_.stride[d] >= g_.in[d] + g_.padding[d];
    parallel_for(channels_, line_grain(), [&](int64_t begin, int64_t end) {
      for (int64_t c = begin; c < end; ++c)
        for (int64_t n = 0; n < p.images; ++n) {
          T* to = x_at(p, n, c);
          if (!covers) std::fill_n(to, g_.in_numel(), T(0));
          store_channel(frame_, x_side_, p.x + c * frame_.phases * frame_.row + n * frame_.plane,
                        to);
        }
    });
  }

  void weight(Part p) const {
    std::vector<int64_t> offsets = all_offsets();
    auto depth = static_cast<int64_t>(offsets.size());
    T* w = w_ + p.group * outs_ * depth;
    std::fill_n(w, outs_ * depth, T(0));
    EvenParts strips(outs_, 4);
    int64_t most = kTile / ((outs_ + strips.count - 1) / strips.count);
    EvenParts runs(depth, most);
    for (; p.image < g_.batch; p.image += frame_.images) {
      p.images = std::min(frame_.images, g_.batch - p.image);
      load_x(p);
      load_y(p);
      p.fresh = false;
      int64_t count = frame_.outputs(p.images);
      parallel_for(runs.count, 1 + 65536 / (count * outs_ * most), [&](int64_t begin, int64_t end) {
        for (int64_t i = 0; i < count; i += kChunk)
          for (int64_t k = begin; k < end; ++k)
            for (int64_t s = 0; s < strips.count; ++s)
              add_dots(p, offsets.data(), w, depth, {strips.begin(s), strips.begin(s + 1)},
                       {runs.begin(k), runs.begin(k + 1)}, i, std::min(kChunk, count - i));
      });
    }
  }
  void add_dots(const Part& p, const int64_t* offsets, T* w, int64_t depth, Span outs, Span taps,
                int64_t i, int64_t n) const {
    const T* y = p.y + outs.first * frame_.row + lead_ + i;
    with_number<4>(outs.last - outs.first, [&]<int R>() {
      with_number<kTile / R>(taps.last - taps.first, [&]<int K>() {
        dots<T, R, K>(y, frame_.row, p.x + i, offsets + taps.first, n,
                      w + outs.first * depth + taps.first, depth);
      });
    });
  }

  ConvPart part_;
  const ConvGeometry& g_;
  Frame frame_;
  Side x_side_, y_side_;
  int64_t channels_, outs_, taps_, lead_;
  T *x_, *w_, *y_;
  const T* bias_;
  std::vector<int64_t> tap_phase_, tap_at_;
  std::vector<std::unique_ptr<Terms<T>>> terms_;
};

template <class T>
void run(ConvPart part, const ConvGeometry& g, const ConvOperands& t) {
  Direct<T>(part, g, t).run();
}

RL_REGISTER(OfConvDirect, isa_rank(RL_ISA_NAME), ConvDirect{run<float>, run<double>});

}  // namespace
}  // namespace RL_ISA_NS
}  // namespace rl
