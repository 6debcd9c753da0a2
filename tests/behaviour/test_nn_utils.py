"""Tools of `nn.utils`: clipping, vectors, packing, parametrisation, pruning, fusing,
stateless calls.
"""

import pytest
import rushlight as rl

nn = rl.nn
utils = rl.nn.utils


def test_gradient_norm_is_clipped_and_returned():
    p = nn.Parameter(rl.ones(4))
    p.grad = rl.full((4,), 2.0)
    assert utils.clip_grad_norm_([p], 1.0).item() == 4.0
    assert abs(p.grad.norm().item() - 1) < 1e-5
    utils.clip_grad_value_([p], 0.1)
    assert p.grad.max().item() == pytest.approx(0.1)


def test_non_finite_norm_raises_on_request():
    p = nn.Parameter(rl.ones(1))
    p.grad = rl.full((1,), float("inf"))
    with pytest.raises(RuntimeError, match="non-finite"):
        utils.clip_grad_norm_([p], 1.0, error_if_nonfinite=True)


def test_parameters_round_trip_through_a_vector():
    net = nn.Linear(2, 2)
    vector = utils.parameters_to_vector(net.parameters())
    utils.vector_to_parameters(vector * 2, net.parameters())
    assert rl.equal(utils.parameters_to_vector(net.parameters()), vector * 2)


def test_packing_round_trip():
    sequences = [rl.arange(n * 1.0).reshape(n, 1) for n in (2, 4, 3)]
    packed = utils.rnn.pack_sequence(sequences, enforce_sorted=False)
    assert packed.batch_sizes.tolist() == [3, 3, 2, 1]
    padded, lengths = utils.rnn.pad_packed_sequence(packed, batch_first=True, padding_value=-1.0)
    assert lengths.tolist() == [2, 4, 3] and padded[0, 2:].flatten().tolist() == [-1.0, -1.0]
    back = utils.rnn.unpack_sequence(packed)
    assert all(rl.equal(a, b) for a, b in zip(sequences, back))
    with pytest.raises(RuntimeError, match="sorted in decreasing order"):
        utils.rnn.pack_sequence(sequences)


def test_parametrization_is_applied_assigned_and_removed():
    class Doubled(nn.Module):
        def forward(self, x):
            return 2 * x

        def right_inverse(self, y):
            return y / 2

    layer = nn.Linear(2, 2)
    start = layer.weight.detach().clone()
    utils.parametrize.register_parametrization(layer, "weight", Doubled())
    assert list(layer.state_dict()) == ["bias", "parametrizations.weight.original"]
    assert rl.allclose(layer.weight, start)
    layer.weight = rl.ones(2, 2)
    assert rl.equal(layer.parametrizations.weight.original, rl.full((2, 2), 0.5))
    layer(rl.ones(1, 2)).sum().backward()
    assert layer.parametrizations.weight.original.grad[0, 0].item() == 2.0
    utils.parametrize.remove_parametrizations(layer, "weight")
    assert type(layer) is nn.Linear and rl.equal(layer.weight, rl.ones(2, 2))


def test_weight_norm_keeps_the_weight():
    layer = nn.Linear(3, 2)
    before = layer.weight.detach().clone()
    utils.parametrizations.weight_norm(layer)
    assert rl.allclose(layer.weight, before)
    layer = utils.weight_norm(nn.Linear(3, 2))
    assert set(layer.state_dict()) == {"bias", "weight_g", "weight_v"}
    utils.remove_weight_norm(layer)
    assert set(layer.state_dict()) == {"bias", "weight"}


def test_pruning_masks_and_makes_permanent():
    layer = nn.Linear(4, 1)
    with rl.no_grad():
        layer.weight.copy_(rl.tensor([[1.0, -4.0, 2.0, 3.0]]))
    utils.prune.l1_unstructured(layer, "weight", amount=0.5)
    assert layer.weight_mask.tolist() == [[0.0, 1.0, 0.0, 1.0]]
    utils.prune.l1_unstructured(layer, "weight", amount=1)
    assert layer.weight.tolist() == [[0.0, -4.0, 0.0, 0.0]]
    assert utils.prune.is_pruned(layer)
    utils.prune.remove(layer, "weight")
    assert set(layer.state_dict()) == {"bias", "weight"}


def test_fused_batch_norm_computes_the_same():
    layer, norm = nn.Linear(3, 4), nn.BatchNorm1d(4)
    norm(rl.randn(8, 4))
    layer.eval(), norm.eval()
    x = rl.randn(2, 3)
    fused = utils.fusion.fuse_linear_bn_eval(layer, norm)
    assert rl.allclose(fused(x), norm(layer(x)), atol=1e-6)


def test_stateless_call_leaves_the_module_alone():
    from rushlight.nn.utils.stateless import _functional_call

    net = nn.Linear(2, 1)
    before = net.weight
    out = _functional_call(net, {"weight": rl.zeros(1, 2), "bias": rl.ones(1)}, rl.ones(1, 2))
    assert out.item() == 1.0 and net.weight is before


class _Counting(nn.Module):
    def __init__(self):
        super().__init__()
        self.count = nn.Buffer(rl.tensor([0.0]))
        self.layer = nn.Linear(1, 1)
        self.plain = 3

    def forward(self, x):
        self.count = self.count + 1
        return x + self.count if self.layer.bias is None else x - self.count


def test_functional_call_gives_back_what_the_module_assigns():
    net, given = _Counting(), {"count": rl.tensor([2.0])}
    assert rl.func.functional_call(net, given, rl.zeros(1)).tolist() == [-3.0]
    assert given["count"].tolist() == [3.0] and net.count.tolist() == [0.0]


def test_functional_call_takes_none_but_nothing_else_that_is_no_tensor():
    net = _Counting()
    assert rl.func.functional_call(net, {"layer.bias": None}, rl.zeros(1)).tolist() == [1.0]
    assert net.layer.bias is not None
    for given in ({"layer.bias": 3}, {"plain": rl.ones(1)}):
        with pytest.raises(TypeError, match="not an instance of Tensor"):
            rl.func.functional_call(net, given, rl.zeros(1))


def test_functional_call_of_a_module_that_holds_itself():
    net = _Counting()
    net.layer.outer = net
    given = {"layer.outer.count": rl.ones(1)}
    out = rl.func.functional_call(net, given, rl.zeros(1), tie_weights=False)
    assert out.tolist() == [-2.0]


def test_skip_init_makes_the_right_shapes():
    assert utils.skip_init(nn.Linear, 3, 2).weight.shape == (2, 3)


@pytest.mark.parametrize("dtype", [rl.float32, rl.float64, rl.bfloat16])
def test_clip_grad_value_writes_to_the_gradients(dtype):
    shapes = [(), (0,), (3,), (17, 5)]
    params = [rl.nn.Parameter(rl.zeros(s, dtype=dtype)) for s in shapes]
    for p in params:
        p.grad = (rl.randn(p.shape[::-1]) * 3).to(dtype).permute(tuple(range(p.dim()))[::-1])
    params[2].grad[:2] = rl.tensor([float("nan"), float("-inf")])
    grads, before = [p.grad for p in params], [p.grad.tolist() for p in params]
    versions = [g._version for g in grads]
    rl.nn.utils.clip_grad_value_([*params, rl.nn.Parameter(rl.zeros(2))], 1.5)

    def clipped(x):
        if isinstance(x, list):
            return [clipped(y) for y in x]
        return min(max(x, -1.5), 1.5) if x == x else x

    for p, g, old, version in zip(params, grads, before, versions, strict=True):
        assert p.grad is g and g._version == version + 1
        assert str(g.tolist()) == str(clipped(old))


@pytest.mark.parametrize("dtype", [rl.float32, rl.float64, rl.bfloat16])
@pytest.mark.parametrize("norm_type", [1, 2.0, float("inf")])
def test_clip_grad_norm_scales_only_what_is_too_long(dtype, norm_type):
    params = [rl.nn.Parameter(rl.zeros(n, dtype=dtype)) for n in (1, 17, 300)]
    for p in params:
        p.grad = rl.randn_like(p)
    before = [p.grad.clone() for p in params]
    total = rl.nn.utils.get_total_norm(before, norm_type)
    got = rl.nn.utils.clip_grad_norm_(params, total.item() * 1.5 + 1, norm_type)
    assert rl.equal(got, total)
    assert all(rl.equal(p.grad, g) for p, g in zip(params, before))
    rl.nn.utils.clip_grad_norm_(params, total.item() / 2, norm_type)
    factor = (total.item() / 2 / (total + 1e-6)).clamp(max=1.0)
    assert all(rl.equal(p.grad, g * factor) for p, g in zip(params, before))


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_clip_grad_norm_spreads_what_is_not_finite(bad):
    p = rl.nn.Parameter(rl.zeros(3))
    p.grad = rl.tensor([1.0, bad, -2.0])
    rl.nn.utils.clip_grad_norm_([p], 1e9)
    assert p.grad.isnan().tolist() == [bad != float("inf"), True, bad != float("inf")]


def test_clip_grad_norm_of_each_example():
    def clipped(g):
        p = rl.nn.Parameter(rl.zeros(3))
        p.grad = g.clone()
        rl.nn.utils.clip_grads_with_norm_([p], 1.0, g.norm())
        return p.grad

    g = rl.tensor([[0.1, 0.2, 0.0], [3.0, 4.0, 0.0]])
    rl.testing.assert_close(rl.vmap(clipped)(g), rl.tensor([[0.1, 0.2, 0.0], [0.6, 0.8, 0.0]]))


@pytest.mark.parametrize(
    "inverse", [lambda x: (x, x), lambda x: x.double(), lambda x: x[:1], lambda x: None]
)
def test_inverses_of_further_parametrizations_are_checked(inverse):
    class Same(rl.nn.Module):
        def forward(self, x):
            return x

    layer, other = rl.nn.Linear(3, 4), Same()
    rl.nn.utils.parametrize.register_parametrization(layer, "weight", Same())
    other.right_inverse = inverse
    with pytest.raises(ValueError, match="right_inverse"):
        rl.nn.utils.parametrize.register_parametrization(layer, "weight", other)
    assert len(layer.parametrizations.weight) == 1


def test_pruning_that_fails_changes_nothing():
    class Failing(rl.nn.utils.prune.BasePruningMethod):
        PRUNING_TYPE = "unstructured"

        def compute_mask(self, t, default_mask):
            raise KeyError("mask")

    layer = rl.nn.Linear(2, 3)
    with pytest.raises(KeyError):
        Failing.apply(layer, "weight")
    with pytest.raises(ValueError):
        rl.nn.utils.prune.random_unstructured(layer, "weight", amount=36)
    assert sorted(dict(layer.named_parameters())) == ["bias", "weight"]
    assert not rl.nn.utils.prune.is_pruned(layer) and layer(rl.ones(1, 2)).shape == (1, 3)


def test_an_empty_tensor_is_not_packed():
    for shape, lengths in (((0, 0), []), ((0, 1), [1])):
        with pytest.raises(RuntimeError, match="empty"):
            rl.nn.utils.rnn.pack_padded_sequence(rl.ones(shape), lengths)


def test_the_older_spectral_norm_loads_states_of_its_first_version():
    def normed():
        return rl.nn.utils.spectral_norm(rl.nn.Linear(5, 3))

    source, x = normed(), rl.randn(2, 5)
    for _ in range(3):
        source(x)
    state = source.state_dict()
    assert state._metadata[""]["spectral_norm"] == {"weight.version": 1}
    old = type(state)(state)
    old._metadata = {"": {"version": 1}}
    old["weight"] = source.weight.detach().clone()
    del old["weight_v"]
    layer = normed()
    assert layer.load_state_dict(old) == ([], [])
    assert rl.allclose(layer.eval()(x), source.eval()(x))
    rl.nn.utils.remove_spectral_norm(layer)
    assert layer.load_state_dict(layer.state_dict()) == ([], [])


def test_a_state_of_the_older_spectral_norm_without_metadata_is_a_present_one():
    layer = rl.nn.utils.spectral_norm(rl.nn.Linear(5, 3))
    assert layer.load_state_dict(dict(layer.state_dict())) == ([], [])
    with pytest.raises(RuntimeError, match="Missing"):
        layer.load_state_dict({"bias": layer.bias})


def test_pruning_masks_have_the_dtype_of_what_is_pruned():
    prune = rl.nn.utils.prune
    t, whole = rl.arange(8.0).view(2, 4) + 1, rl.tensor([[1, 1, 1, 0], [1, 1, 0, 1]])
    container = prune.PruningContainer()
    container._tensor_name = "weight"
    for method in (prune.L1Unstructured(2), prune.LnStructured(1, n=2, dim=-1)):
        method._tensor_name = "weight"
        container.add_pruning_method(method)
        assert container.compute_mask(t, whole).dtype == rl.float32
    assert prune.LnStructured(1, n=2).compute_mask(t, whole).dtype == rl.float32
    assert prune.L1Unstructured(2).compute_mask(t, whole).dtype == rl.int64
