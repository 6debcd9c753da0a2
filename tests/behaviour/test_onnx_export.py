"""Exporting to ONNX: what the graph has, and, where onnxruntime is installed, what it computes."""

import math

import pytest

import rushlight as rl
from rushlight import _interpose, nn
from rushlight.jit import _trace
from rushlight.nn import functional as F
from rushlight.onnx import _table
from rushlight.onnx._builder import Graph, Value
from rushlight.onnx._recorder import Recorder


def _graph(function, *tensors, opset=18, dynamic=False):
    """The graph of a run, made without the package onnx."""
    graph = Graph(opset, dynamic, {})
    for i, tensor in enumerate(tensors):
        graph.define(tensor, Value(f"x{i}", tensor.dtype))
    _trace.tracers.append(graph)
    try:
        with rl.no_grad(), _interpose.interpose(Recorder(graph)):
            function(*tensors)
    finally:
        _trace.tracers.pop()
    return graph


def _kinds(*args, **options):
    return [node.kind for node in _graph(*args, **options).nodes]


# ---- the graph, without any package ------------------------------------------------------------


def test_layers_become_one_node_each():
    model = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1), nn.Sigmoid())
    assert _kinds(model, rl.ones(4, 2)) == ["Gemm", "Relu", "Gemm", "Sigmoid"]
    image = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.MaxPool2d(2)).eval()
    assert _kinds(image, rl.ones(1, 1, 6, 6)) == ["Conv", "BatchNormalization", "MaxPool"]


def test_what_depends_on_no_input_is_a_constant():
    graph = _graph(lambda x: x + rl.arange(3.0).exp(), rl.ones(3))
    assert [node.kind for node in graph.nodes] == ["Add"]
    (constant,) = graph.constants.values()
    assert rl.equal(constant, rl.arange(3.0).exp())


def test_composite_operators_are_exported_as_their_bodies():
    assert {"ReduceL2", "Div"} <= set(_kinds(F.normalize, rl.ones(2, 3)))


def test_an_operator_without_translation_is_named():
    with pytest.raises(rl.onnx.errors.UnsupportedOperatorError, match="'erfinv'.*opset version 18"):
        _graph(rl.erfinv, rl.ones(2))
    with pytest.raises(rl.onnx.errors.UnsupportedOperatorError, match="training mode"):
        _graph(nn.Dropout(0.5), rl.ones(2))
    with pytest.raises(rl.onnx.errors.UnsupportedOperatorError, match="version 18 or newer"):
        _graph(lambda x: x & x, rl.ones(2, dtype=rl.int32), opset=17)
    assert issubclass(rl.onnx.errors.UnsupportedOperatorError, rl.onnx.OnnxExporterError)


def test_a_name_in_two_namespaces_is_two_operators():
    assert _table.find("norm") is not None and _table.find("linalg.norm") is None
    assert "ReduceL2" in _kinds(lambda x: rl.linalg.norm(x, dim=0), rl.ones(2, 2))


def test_a_view_that_is_changed_through_another_name_is_refused():
    def change(x):
        y = x.clone()
        y[0].add_(1)
        return y * 2

    def change_whole(x):
        y = x.clone()
        y[0] = 1.0
        y.add_(1)
        return y * 2

    with pytest.raises(rl.onnx.OnnxExporterError, match="changed in place"):
        _graph(change, rl.ones(2, 2))
    assert _kinds(change_whole, rl.ones(2, 2))[-2:] == ["Add", "Mul"]


def test_sizes_are_followed_only_where_they_may_vary():
    def flatten(x):
        return x.view(x.size(0) * x.size(1), -1)

    assert _kinds(flatten, rl.ones(2, 3, 4)) == ["Reshape"]
    assert "Shape" in _kinds(flatten, rl.ones(2, 3, 4), dynamic=True)


def test_every_translation_is_loaded_and_callable():
    assert len(_table.names()) > 300
    assert all(callable(_table.find(name)) for name in _table.names())


def test_a_value_asked_for_warns():
    with pytest.warns(rl.jit.TracerWarning, match="constant"):
        _graph(lambda x: x * x.sum().item(), rl.ones(2))


def test_a_program_can_bring_translations():
    def softplus(g, x, beta, threshold):
        assert (x.type().dim(), x.type().sizes(), x.type().scalarType()) == (1, [3], "Float")
        return g.op("mine::Soft", g.op("Mul", x, beta), cut_f=threshold)

    rl.onnx.register_custom_op_symbolic("aten::softplus", softplus, 18)
    try:
        graph = _graph(F.softplus, rl.ones(3))
        assert [node.kind for node in graph.nodes] == ["Mul", "mine::Soft"]
        assert graph.nodes[1].attributes == {"cut": 20.0}
        assert _kinds(F.softplus, rl.ones(3), opset=17)[0] == "Softplus"
    finally:
        rl.onnx.unregister_custom_op_symbolic("aten::softplus", 18)
    assert _kinds(F.softplus, rl.ones(3))[0] == "Softplus"


# ---- files, which need the package -------------------------------------------------------------


def test_options_that_are_not_supported_are_refused():
    with pytest.raises(NotImplementedError, match="custom_translation_table"):
        rl.onnx.export(nn.ReLU(), rl.ones(1), custom_translation_table={rl.add: None})
    with pytest.raises(NotImplementedError, match="training"):
        rl.onnx.export(nn.ReLU(), rl.ones(1), training=rl.onnx.TrainingMode.TRAINING)


def test_names_axes_and_weights_are_in_the_file(tmp_path):
    onnx = pytest.importorskip("onnx")
    model, path = nn.Sequential(nn.Linear(2, 3), nn.Dropout()), tmp_path / "model.onnx"
    done = rl.onnx.export(
        model, rl.ones(4, 2), path, input_names=["image"], output_names=["score"],
        dynamic_axes={"image": {0: "batch"}, "score": {0: "batch"}}, opset_version=17, dynamo=False,
    )  # fmt: skip
    assert done is None and model.training
    proto = onnx.load(path)
    onnx.checker.check_model(proto, full_check=True)
    assert [x.name for x in proto.graph.initializer] == ["0.weight", "0.bias"]
    for value, name, width in (
        (proto.graph.input[0], "image", 2),
        (proto.graph.output[0], "score", 3),
    ):
        dims = value.type.tensor_type.shape.dim
        assert (value.name, dims[0].dim_param, dims[1].dim_value) == (name, "batch", width)
    assert proto.opset_import[0].version == 17
    with pytest.raises(ValueError, match="opset_version from 17"):
        rl.onnx.export(model, rl.ones(4, 2), opset_version=11)


def test_operators_of_other_domains_are_declared():
    onnx = pytest.importorskip("onnx")
    rl.onnx.register_custom_op_symbolic("aten::relu", lambda g, x: g.op("mine::Relu", x), 17)
    try:
        proto = rl.onnx.export(nn.ReLU(), rl.ones(2), custom_opsets={"mine": 3}).model_proto
    finally:
        rl.onnx.unregister_custom_op_symbolic("aten::relu", 17)
    assert (proto.graph.node[0].domain, proto.graph.node[0].op_type) == ("mine", "Relu")
    assert {o.domain: o.version for o in proto.opset_import} == {"": 18, "mine": 3}
    onnx.checker.check_model(proto)


class _Block(nn.Module):
    """A transformer block as GPT has it."""

    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.first, self.second = nn.LayerNorm(width), nn.LayerNorm(width)
        self.join, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.wide = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        )
        self.register_buffer("mask", rl.ones(16, 16).tril().view(1, 1, 16, 16))

    def forward(self, x):
        batch, steps, width = x.size()
        parts = self.join(self.first(x)).split(width, dim=2)
        q, k, v = (p.view(batch, steps, self.heads, -1).transpose(1, 2) for p in parts)
        scores = (q @ k.transpose(-2, -1)) / math.sqrt(k.size(-1))
        scores = scores.masked_fill(self.mask[:, :, :steps, :steps] == 0, float("-inf"))
        mixed = F.softmax(scores, dim=-1) @ v
        x = x + self.out(mixed.transpose(1, 2).contiguous().view(batch, steps, width))
        return x + self.wide(self.second(x))


def _models():
    batch = {"x": {0: "batch"}}
    yield "mlp", nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 2)), (3, 4), (5, 4), batch
    cnn = nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.SiLU(), nn.AvgPool2d(2),
        nn.ConvTranspose2d(4, 3, 2, 2), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.LayerNorm(3),
    )  # fmt: skip
    yield "cnn", cnn, (2, 3, 8, 8), (4, 3, 8, 8), batch
    yield "resnet", rl.vision.models.resnet18(num_classes=5), (1, 3, 32, 32), (3, 3, 32, 32), batch
    both = {"x": {0: "batch", 1: "steps"}}
    yield "gpt", _Block(8, 2), (2, 5, 8), (3, 9, 8), both
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    yield "encoder", nn.TransformerEncoder(layer, 2), (2, 5, 8), (3, 9, 8), both
    lstm = nn.LSTM(4, 5, 2, bidirectional=True, batch_first=True)
    yield "lstm", lstm, (2, 6, 4), (3, 9, 4), both
    yield "gru", nn.GRU(4, 5), (6, 2, 4), (6, 2, 4), None
    yield "gru without bias", nn.GRU(4, 5, bias=False), (6, 2, 4), (3, 2, 4), {"x": {0: "steps"}}
    for kind in ("tanh", "relu"):
        yield kind, nn.RNN(4, 5, nonlinearity=kind), (6, 2, 4), (6, 2, 4), None
    blocks = nn.Sequential(nn.Unfold((2, 3), (2, 1), (1, 2), (1, 2)), nn.Flatten())
    yield "blocks", blocks, (2, 3, 6, 7), (4, 3, 6, 7), batch
    yield "cell", nn.LSTMCell(4, 5), (2, 4), (3, 4), batch
    yield "projected", nn.LSTM(4, 5, proj_size=3), (6, 2, 4), (6, 2, 4), None


def test_blocks_of_images_are_gathered():
    assert _kinds(nn.Unfold(2), rl.ones(1, 2, 4, 4)) == ["Gather"] * 2 + ["Transpose", "Reshape"]


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
def test_a_recurrent_layer_is_one_node(kind):
    assert _kinds(getattr(nn, kind)(3, 4), rl.randn(5, 2, 3)).count(kind) == 1
    assert _kinds(getattr(nn, kind + "Cell")(3, 4), rl.randn(2, 3)).count(kind) == 1


@pytest.mark.parametrize("opset", (17, 20))
@pytest.mark.parametrize("name, model, sizes, others, axes", list(_models()))
def test_onnxruntime_agrees(name, model, sizes, others, axes, opset):
    pytest.importorskip("onnx"), pytest.importorskip("onnxruntime")
    program = rl.onnx.export(
        model.eval(), rl.randn(sizes), input_names=["x"], dynamic_axes=axes, opset_version=opset,
        verify=True,
    )  # fmt: skip
    x = rl.randn(others)
    with rl.no_grad():
        expected = rl.utils._pytree.tree_leaves(model(x))
    for ours, theirs in zip(expected, program(x), strict=True):
        rl.testing.assert_close(theirs, ours, rtol=1e-4, atol=1e-4)


def _indexings():
    where = rl.tensor([1, 0])
    yield lambda x: x[:, 1:, ::2]
    yield lambda x: x[..., None, -1]
    yield lambda x: x[where, :, where]
    yield lambda x: x[:, where, where]
    yield lambda x: x[x > 0]
    yield lambda x: rl.diagonal(x, 1, 1, 2)
    yield lambda x: x.unfold(2, 2, 1)
    yield lambda x: x.topk(2, -1)
    yield lambda x: x.flip(1).roll(1, 2).repeat_interleave(2, 1)

    def write(x):
        y = x.clone()
        y[:, 1:, ::2] = x[:, :2, :2]
        y[y > 1] = 0.0
        return y

    yield write


@pytest.mark.parametrize("function", list(_indexings()))
def test_indexing_agrees(function):
    pytest.importorskip("onnx"), pytest.importorskip("onnxruntime")
    rl.manual_seed(0)
    rl.onnx.export(function, rl.randn(2, 3, 4), verify=True)


def _leftovers():
    x = rl.randn(2, 3, 4)
    image = rl.randn(1, 2, 7, 6)
    yield lambda x: F.max_pool2d(x, 3, 2, 1, return_indices=True), image
    yield lambda x: F.max_unpool2d(*F.max_pool2d(x, 2, return_indices=True), 2), image[:, :, :6]
    yield lambda x: F.adaptive_avg_pool2d(x, (3, 4)), image
    yield lambda x: F.adaptive_max_pool2d(x, (3, 4)), image
    yield lambda x: F.pad(x, (2, 1, 0, 3), mode="circular"), image
    yield lambda x: F.fold(x, (4, 4), 2, stride=2), rl.randn(2, 12, 4)
    yield lambda x: x.cumprod(1), x
    yield lambda x: x.round().cummax(1), x
    yield lambda x: x.round().cummin(-1), x
    yield lambda x: (x.median(), x.median(1).values), x
    yield lambda x: rl.bucketize(x, rl.tensor([-1.0, 0, 1]), right=True), x
    yield lambda x: rl.searchsorted(x.sort().values, x), x
    yield lambda x: rl.linalg.det(x[..., :3]), x
    yield lambda x: (rl.lgamma(x), rl.lgamma(x.double() * 9), rl.lgamma(x.round())), x
    yield lambda x: (x.histc(5), x.histc(4, -1, 0.5), (x * 0 + 2).histc(3)), x
    yield lambda x: (rl.inverse(x[..., :3]), rl.linalg.inv((x[0, 0] * 0).diag() + 1 - rl.eye(4))), x
    yield lambda x: ((x * 10).long() << 2, (x * 10).long() >> 1), x
    yield lambda x: F.cross_entropy(x, rl.tensor([[0, 1, 2, 2], [0, -100, 1, 0]])), x


@pytest.mark.parametrize("function, x", list(_leftovers()))
def test_what_takes_several_nodes_agrees(function, x):
    pytest.importorskip("onnx"), pytest.importorskip("onnxruntime")
    rl.onnx.export(function, x, verify=True)
