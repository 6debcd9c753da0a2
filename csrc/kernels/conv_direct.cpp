// Convolution as a matrix product whose second operand is read in place, from padded rows
// (conv_rows.h). Compiled once per instruction-set level; which convolutions come here, and which
// of them go by way of points (conv_winograd.h), is conv.cpp's to say.
#include <atomic>

#include "kernels/conv_channels.h"
#include "kernels/conv_depthwise.h"
#include "kernels/conv_rows.h"
#include "kernels/conv_winograd.h"

namespace rl {
namespace RL_ISA_NS {
namespace {

constexpr int64_t kRowElements = 2048;  // that small images share a row up to
constexpr int64_t kChunk = 2048;        // elements of rows that a weight's gradient takes in one go

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
  // Unrolled, or gcc keeps the sums in memory.
#pragma GCC unroll 12
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 12
    for (int k = 0; k < K; ++k) out[r * step + k] += join_lanes<SumStep, T>(sum[r][k]);
}

// ---- the three parts
template <class T>
class Direct {
 public:
  Direct(ConvPart part, const ConvGeometry& g, const ConvOperands& t)
      : part_(part),
        g_(g),
        frame_(g, kMostVectors * kLanes<T>, kRowElements),
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
    if (part_ == ConvPart::Weight) return weights();
    int64_t blocks = all_blocks();
    int64_t work = channels_ * outs_ * taps_ * frame_.plane * frame_.images;
    parallel_for(g_.groups * blocks, 1 + 65536 / work, [&](int64_t begin, int64_t end) {
      Scratch<T> x(channels_ * frame_.phases * frame_.row), y(outs_ * frame_.row);
      for (int64_t i = begin; i < end; ++i) {
        Part p{i / blocks, i % blocks * frame_.images, 0, x.data(), y.data(), i == begin};
        p.images = std::min(frame_.images, g_.batch - p.image);
        if (part_ == ConvPart::Forward) forward(p);
        if (part_ == ConvPart::Input) input(p);
      }
    });
  }

  // Few groups are also split into shares of the images, as many whatever the number of threads,
  // whose sums are added up. Threads that met within each block of images would mostly wait.
  void weights() const {
    constexpr int64_t kShares = 8, kFewWeights = 1 << 15;
    int64_t depth = channels_ * taps_, size = outs_ * depth, blocks = all_blocks();
    int64_t shares = g_.groups < kShares && size <= kFewWeights ? std::min(kShares, blocks) : 1;
    Scratch<T> others(g_.groups * (shares - 1) * size);
    int64_t work = size * frame_.plane * g_.batch / shares;
    parallel_for(g_.groups * shares, 1 + 65536 / work, [&](int64_t begin, int64_t end) {
      Scratch<T> x(channels_ * frame_.phases * frame_.row), y(outs_ * frame_.row);
      for (int64_t i = begin; i < end; ++i) {
        int64_t group = i / shares, share = i % shares;
        auto first = [&](int64_t s) { return s * blocks / shares * frame_.images; };
        T* w = share ? others.data() + (i - group - 1) * size : w_ + group * size;
        weight({group, first(share), 0, x.data(), y.data(), true},
               std::min(first(share + 1), g_.batch), w);
      }
    });
    for (int64_t i = 0; i < g_.groups * (shares - 1); ++i)
      for (int64_t j = 0; j < size; ++j)
        w_[i / (shares - 1) * size + j] += others.data()[i * size + j];
  }

 private:
  int64_t all_blocks() const { return (g_.batch + frame_.images - 1) / frame_.images; }

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

  void weight(Part p, int64_t end_image, T* w) const {
    std::vector<int64_t> offsets = all_offsets();
    auto depth = static_cast<int64_t>(offsets.size());
    std::fill_n(w, outs_ * depth, T(0));
    EvenParts strips(outs_, 4);
    int64_t most = kTile / ((outs_ + strips.count - 1) / strips.count);
    EvenParts runs(depth, most);
    for (; p.image < end_image; p.image += frame_.images) {
      p.images = std::min(frame_.images, end_image - p.image);
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
bool is_finite(const void* data, int64_t n) {
  std::atomic<bool> finite = true;
  const T* x = static_cast<const T*>(data);
  parallel_for(n, 1 << 16, [&](int64_t begin, int64_t end) {
    if (sum_run<T>(begin, end, [=](auto at) { return at(x) * T(0); }) != 0) finite = false;
  });
  return finite;
}
template <class T>
bool is_result_finite(ConvPart part, const ConvGeometry& g, const ConvOperands& t) {
  if (part == ConvPart::Forward) return is_finite<T>(t.y, g.batch * g.out_channels * g.out_numel());
  if (part == ConvPart::Input) return is_finite<T>(t.x, g.batch * g.in_channels * g.in_numel());
  return is_finite<T>(t.w, g.out_channels * (g.in_channels / g.groups) * g.kernel_numel());
}

template <class T, template <class> class Way>
bool by(ConvPart part, const ConvGeometry& g, const ConvOperands& t) {
  Way<T>{part, g, t}.run();
  return is_result_finite<T>(part, g, t);
}

// Zeros around an image meet every element of the kernel, but no other element of the image.
template <class T, template <class> class Way>
bool by_depth(ConvPart part, const ConvGeometry& g, const ConvOperands& t) {
  const int64_t weights = g.groups * g.kernel_numel();
  if (part != ConvPart::Weight && !is_finite<T>(t.w, weights)) return false;
  Way<T>(part, g, t).run();
  return part != ConvPart::Weight || is_finite<T>(t.w, weights);
}

RL_REGISTER(OfConvDirect, isa_rank(RL_ISA_NAME),
            ConvDirect{by<float, Direct>, by<double, Direct>, by<float, ByPoints>,
                       by<double, ByPoints>, by_depth<float, Depthwise>,
                       by_depth<double, Depthwise>, by_depth<float, ByChannels>,
                       by_depth<double, ByChannels>});

}  // namespace
}  // namespace RL_ISA_NS
}  // namespace rl
