// float32 and bfloat16 convolution through oneDNN. A plan (primitive, layouts it wants, reorders
// between those and ours) is made once per geometry and kept; a call fills in pointers and runs it.
#include <omp.h>

#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "core/allocator.h"
#include "kernels/conv.h"
#include "kernels/dnnl_api.h"
#include "plan/parallel.h"

namespace rl {
namespace {

using Key = std::vector<int64_t>;

// One operand: our layout (outer), the primitive's (inner), and the way between.
struct Operand {
  dnnl_memory_desc_t ours = nullptr;
  dnnl_memory_t outer = nullptr, inner = nullptr;
  dnnl_primitive_t reorder = nullptr;  // null when both layouts agree
  size_t inner_bytes = 0;
};

struct Plan {
  Operand x, w, y;
  dnnl_memory_t bias = nullptr;
  dnnl_primitive_t primitive = nullptr;
  std::mutex busy;  // the memory objects hold one call's pointers

  Plan() = default;
  Plan(const Plan&) = delete;
  ~Plan();
};

Plan::~Plan() {
  for (Operand* o : {&x, &w, &y}) {
    if (o->reorder) {
      dnnl().primitive_destroy(o->reorder);
      dnnl().memory_destroy(o->inner);
    }
    if (o->outer) dnnl().memory_destroy(o->outer);
    if (o->ours) dnnl().memory_desc_destroy(o->ours);
  }
  if (bias) dnnl().memory_destroy(bias);
  if (primitive) dnnl().primitive_destroy(primitive);
}

struct Layout {
  int rank;
  dnnl_dims_t dims, strides;
};

Layout activation_layout(const ConvGeometry& g, int64_t channels, const int64_t* space, bool last) {
  Layout l{g.dims + 2, {g.batch, channels}, {}};
  for (int d = 0; d < g.dims; ++d) l.dims[d + 2] = space[3 - g.dims + d];
  int64_t step = last ? channels : 1;
  for (int d = l.rank - 1; d >= 2; --d) {
    l.strides[d] = step;
    step *= l.dims[d];
  }
  l.strides[1] = last ? 1 : step;
  l.strides[0] = last ? step : step * channels;
  return l;
}

Layout weight_layout(const ConvGeometry& g, const SizeVec& strides) {
  Layout l{g.dims + 2, {}, {}};
  int64_t outs = g.out_channels / g.groups;
  int at = 0;
  if (g.groups > 1) {
    l.rank++;
    l.dims[at] = g.groups;
    l.strides[at++] = strides[0] * outs;
  }
  l.dims[at] = outs;
  l.strides[at++] = strides[0];
  l.dims[at] = g.in_channels / g.groups;
  l.strides[at++] = strides[1];
  const int missing = g.dims + 2 - static_cast<int>(strides.size());  // of lines taken for images
  for (int d = 0; d < g.dims; ++d, ++at) {
    l.dims[at] = g.kernel[3 - g.dims + d];
    l.strides[at] = d < missing ? strides[1] : strides[d - missing + 2];
  }
  return l;
}

dnnl_memory_desc_t describe(const Layout& l, dnnl_data_type_t type) {
  dnnl_memory_desc_t md;
  dnnl_check(dnnl().memory_desc_create_with_strides(&md, l.rank, l.dims, type, l.strides),
             "describing a tensor");
  return md;
}
dnnl_memory_desc_t free_choice(const Layout& l, dnnl_data_type_t type) {
  dnnl_memory_desc_t md;
  dnnl_check(dnnl().memory_desc_create_with_tag(&md, l.rank, l.dims, type, dnnl_format_tag_any),
             "describing a tensor");
  return md;
}

// Descriptors that live until the plan is built.
struct Descriptors {
  dnnl_memory_desc_t x, w, y, bias = nullptr;
  dnnl_dims_t stride, dilation, before, after;
  ~Descriptors() {
    for (dnnl_memory_desc_t md : {x, w, y, bias})
      if (md) dnnl().memory_desc_destroy(md);
  }
};

void fill_windows(const ConvGeometry& g, Descriptors& d) {
  for (int i = 0; i < g.dims; ++i) {
    int at = 3 - g.dims + i;
    d.stride[i] = g.stride[at];
    d.dilation[i] = g.dilation[at] - 1;
    d.before[i] = g.padding[at];
    int64_t reach = (g.out[at] - 1) * g.stride[at] + (g.kernel[at] - 1) * g.dilation[at] + 1;
    d.after[i] = reach - g.in[at] - g.padding[at];
  }
}

bool forward_descriptor(const Descriptors& d, dnnl_primitive_desc_t* out) {
  return dnnl().convolution_forward_primitive_desc_create(
             out, dnnl().engine, dnnl_forward_training, dnnl_convolution_direct, d.x, d.w, d.bias,
             d.y, d.stride, d.dilation, d.before, d.after, nullptr) == dnnl_success;
}

// The primitive descriptor for `part`; null where oneDNN has no implementation.
dnnl_primitive_desc_t part_descriptor(ConvPart part, const Descriptors& d) {
  dnnl_primitive_desc_t forward = nullptr, out = nullptr;
  if (!forward_descriptor(d, &forward)) return nullptr;
  if (part == ConvPart::Forward) return forward;
  auto make = [&](auto fn, auto first, auto second, auto... rest) {
    return fn(&out, dnnl().engine, dnnl_convolution_direct, first, second, rest..., d.stride,
              d.dilation, d.before, d.after, forward, nullptr);
  };
  dnnl_status_t status =
      part == ConvPart::Input
          ? make(dnnl().convolution_backward_data_primitive_desc_create, d.x, d.w, d.y)
          : make(dnnl().convolution_backward_weights_primitive_desc_create, d.x, d.w,
                 const_dnnl_memory_desc_t(nullptr), d.y);
  dnnl().primitive_desc_destroy(forward);
  return status == dnnl_success ? out : nullptr;
}

dnnl_memory_t memory(const_dnnl_memory_desc_t md) {
  dnnl_memory_t m;
  dnnl_check(dnnl().memory_create(&m, md, dnnl().engine, DNNL_MEMORY_NONE), "making a memory");
  return m;
}

void bind_operand(Operand& o, dnnl_memory_desc_t ours, const_dnnl_memory_desc_t wanted,
                  bool is_output) {
  o.ours = ours;
  o.outer = o.inner = memory(o.ours);
  if (dnnl().memory_desc_equal(o.ours, wanted)) return;
  o.inner = memory(wanted);
  o.inner_bytes = dnnl().memory_desc_get_size(wanted);
  const_dnnl_memory_desc_t from = is_output ? wanted : o.ours, to = is_output ? o.ours : wanted;
  dnnl_primitive_desc_t pd;
  dnnl_check(
      dnnl().reorder_primitive_desc_create(&pd, from, dnnl().engine, to, dnnl().engine, nullptr),
      "planning a reorder");
  dnnl_check(dnnl().primitive_create(&o.reorder, pd), "making a reorder");
  dnnl().primitive_desc_destroy(pd);
}

std::shared_ptr<Plan> make_plan(ConvPart part, const ConvGeometry& g, DType dtype,
                                const ConvOperands& t) {
  dnnl_data_type_t type = dtype == DType::BF16 ? dnnl_bf16 : dnnl_f32;
  Layout x = activation_layout(g, g.in_channels, g.in, t.channels_last);
  Layout y = activation_layout(g, g.out_channels, g.out, t.channels_last);
  Layout w = weight_layout(g, t.w_strides), b{1, {g.out_channels}, {1}};
  auto activation = t.channels_last ? describe : free_choice;
  Descriptors d{activation(x, type),
                free_choice(w, type),
                activation(y, type),
                t.bias ? describe(b, type) : nullptr,
                {},
                {},
                {},
                {}};
  fill_windows(g, d);
  dnnl_primitive_desc_t pd = part_descriptor(part, d);
  if (!pd) return nullptr;
  auto plan = std::make_shared<Plan>();
  auto query = [&](dnnl_query_t what) { return dnnl().primitive_desc_query_md(pd, what, 0); };
  bool gives_x = part == ConvPart::Input, gives_w = part == ConvPart::Weight;
  bool gives_y = part == ConvPart::Forward;
  bind_operand(plan->x, describe(x, type),
               query(gives_x ? dnnl_query_diff_src_md : dnnl_query_src_md), gives_x);
  bind_operand(plan->w, describe(w, type),
               query(gives_w ? dnnl_query_diff_weights_md : dnnl_query_weights_md), gives_w);
  bind_operand(plan->y, describe(y, type),
               query(gives_y ? dnnl_query_dst_md : dnnl_query_diff_dst_md), gives_y);
  if (t.bias) plan->bias = memory(d.bias);
  dnnl_check(dnnl().primitive_create(&plan->primitive, pd), "making a convolution");
  dnnl().primitive_desc_destroy(pd);
  return plan;
}

// oneDNN shares the images of a kernel's gradient among threads and adds up what they have: the sum
// of a small one is kept the same on any number of them.
int threads_for(ConvPart part, const ConvGeometry& g) {
  constexpr int64_t kSmall = 1 << 23;
  int64_t work =
      g.batch * g.out_numel() * g.out_channels * g.in_channels / g.groups * g.kernel_numel();
  return part == ConvPart::Weight && work <= kSmall ? 1 : num_threads();
}

Key key_of(ConvPart part, const ConvGeometry& g, DType dtype, const ConvOperands& t) {
  Key k = {static_cast<int64_t>(part),
           static_cast<int64_t>(dtype),
           g.dims,
           g.batch,
           g.in_channels,
           g.out_channels,
           g.groups,
           t.channels_last,
           t.bias != nullptr,
           threads_for(part, g)};
  for (auto* a : {g.in, g.out, g.kernel, g.stride, g.padding, g.dilation})
    k.insert(k.end(), a, a + 3);
  k.insert(k.end(), t.w_strides.begin(), t.w_strides.end());
  return k;
}

constexpr size_t kMaxPlans = 1024;

std::shared_ptr<Plan> find_plan(ConvPart part, const ConvGeometry& g, DType dtype,
                                const ConvOperands& t) {
  static auto* plans = new std::map<Key, std::shared_ptr<Plan>>;
  static std::mutex guard;
  std::lock_guard lock(guard);
  Key key = key_of(part, g, dtype, t);
  auto it = plans->find(key);
  if (it == plans->end()) {
    if (plans->size() >= kMaxPlans) plans->clear();  // running plans are kept by their callers
    it = plans->emplace(std::move(key), make_plan(part, g, dtype, t)).first;
  }
  return it->second;
}

void execute(dnnl_primitive_t p, std::initializer_list<dnnl_exec_arg_t> args) {
  dnnl_check(
      dnnl().primitive_execute(p, dnnl().stream, static_cast<int>(args.size()), args.begin()),
      "running a primitive");
}

void set_data(dnnl_memory_t m, const void* data) {
  dnnl_check(dnnl().memory_set_data_handle(m, const_cast<void*>(data)), "setting a pointer");
}

void run_plan(ConvPart part, Plan& p, const ConvOperands& t) {
  std::lock_guard lock(p.busy);
  std::vector<std::unique_ptr<Scratch<char>>> scratch;
  auto place = [&](Operand& o, void* data) {
    set_data(o.outer, data);
    if (!o.reorder) return;
    scratch.push_back(std::make_unique<Scratch<char>>(static_cast<int64_t>(o.inner_bytes)));
    set_data(o.inner, scratch.back()->data());
  };
  place(p.x, t.x);
  place(p.w, t.w);
  place(p.y, t.y);
  if (p.bias) set_data(p.bias, t.bias);
  Operand& result = part == ConvPart::Forward ? p.y : part == ConvPart::Input ? p.x : p.w;
  for (Operand* o : {&p.x, &p.w, &p.y})
    if (o->reorder && o != &result)
      execute(o->reorder, {{DNNL_ARG_FROM, o->outer}, {DNNL_ARG_TO, o->inner}});
  if (part == ConvPart::Forward && p.bias)
    execute(p.primitive, {{DNNL_ARG_SRC, p.x.inner},
                          {DNNL_ARG_WEIGHTS, p.w.inner},
                          {DNNL_ARG_BIAS, p.bias},
                          {DNNL_ARG_DST, p.y.inner}});
  else if (part == ConvPart::Forward)
    execute(p.primitive,
            {{DNNL_ARG_SRC, p.x.inner}, {DNNL_ARG_WEIGHTS, p.w.inner}, {DNNL_ARG_DST, p.y.inner}});
  else if (part == ConvPart::Input)
    execute(p.primitive, {{DNNL_ARG_DIFF_SRC, p.x.inner},
                          {DNNL_ARG_WEIGHTS, p.w.inner},
                          {DNNL_ARG_DIFF_DST, p.y.inner}});
  else
    execute(p.primitive, {{DNNL_ARG_SRC, p.x.inner},
                          {DNNL_ARG_DIFF_WEIGHTS, p.w.inner},
                          {DNNL_ARG_DIFF_DST, p.y.inner}});
  if (result.reorder)
    execute(result.reorder, {{DNNL_ARG_FROM, result.inner}, {DNNL_ARG_TO, result.outer}});
  dnnl_check(dnnl().stream_wait(dnnl().stream), "waiting");
}

}  // namespace

void conv_dnnl_prepare() { dnnl(); }

bool conv_dnnl(ConvPart part, const ConvGeometry& g, DType dtype, const ConvOperands& t) {
  int threads = threads_for(part, g);
  if (omp_get_max_threads() != threads) omp_set_num_threads(threads);
  std::shared_ptr<Plan> plan = find_plan(part, g, dtype, t);
  if (!plan) return false;
  run_plan(part, *plan, t);
  return true;
}

}  // namespace rl
