"""What the graph calls its nodes, gradient edges as roots, and retain_grad across in-place changes.
To add a name: a row of NAMES, as PyTorch gives it.
"""

import pytest

import rushlight as rl

NAMES = {
    "x @ w": "MmBackward0",
    "x @ v": "MvBackward0",
    "v @ v": "DotBackward0",
    "x[0]": "SelectBackward0",
    "x[:, 1:]": "SliceBackward0",
    "x[None]": "UnsqueezeBackward0",
    "x[...]": "AliasBackward0",
    "x[0, 0]": "SelectBackward0",
    "x.sum()": "SumBackward0",
    "x.sum(0)": "SumBackward1",
    "x.mean(0)": "MeanBackward1",
    "rl.nn.functional.linear(x, w, v)": "AddmmBackward0",
    "rl.nn.functional.linear(x, w)": "MmBackward0",
    "rl.nn.functional.linear(x[None], w, v)": "ViewBackward0",
    "rl.nn.functional.linear(x[None], w)": "UnsafeViewBackward0",
    "rl.nn.functional.linear(v, w)": "SqueezeBackward4",
    "rl.nn.functional.max_pool2d(image, 2)": "MaxPool2DWithIndicesBackward0",
    "rl.nn.functional.avg_pool2d(image, 2)": "AvgPool2DBackward0",
    "rl.cdist(x, x)": "CdistBackward0",
    "rl.deg2rad(x)": "Deg2RadBackward0",
    "rl.view_copy(x, (3, 2))": "ViewBackward0_copy",
    "rl.linalg.solve(w + rl.eye(3), v)": "LinalgSolveExBackward0",
    "rl.linalg.cross(x, x)": "LinalgCrossBackward0",
    "rl.fft.fft(x)": "FftR2CBackward0",
    "rl.fft.irfft(x)": "FftC2RBackward0",
    "x.masked_fill(x > 0, 0.0)": "MaskedFillBackward0",
    "rl.nn.functional.pad(image[0], (1, 1), 'reflect')": "ReflectionPad1DBackward0",
    "rl.nn.functional.pad(image, (1, 1), value=3.0)": "ConstantPadNdBackward0",
    "rl.nn.functional.interpolate(image, scale_factor=2)": "UpsampleNearest2DBackward0",
    "rl.nn.functional.interpolate(image[0], 6, mode='linear')": "UpsampleLinear1DBackward0",
    "rl.nn.functional.grid_sample(image, x.view(1, 1, 3, 2))": "GridSampler2DBackward0",
}


@pytest.mark.parametrize("text", list(NAMES))
def test_node_names(text):
    leaves = {"x": (2, 3), "w": (3, 3), "v": (3,), "image": (1, 1, 4, 4)}
    names = {name: rl.ones(size, requires_grad=True) for name, size in leaves.items()}
    assert eval(text, {"rl": rl, **names}).grad_fn.name() == NAMES[text]


def test_a_name_outlives_what_backward_frees():
    y = rl.nn.functional.linear(rl.ones(2, 3), rl.ones(3, 3, requires_grad=True))
    y.sum().backward()
    assert y.grad_fn.name() == "MmBackward0"


def test_a_composition_that_only_passes_its_input_on_names_no_node():
    x = rl.ones(2, requires_grad=True)
    y = x * 2
    assert rl.rot90(y.view(1, 2), 0).grad_fn.name() == "Rot90Backward0"
    assert y.grad_fn.name() == "MulBackward0"


def test_retain_grad_follows_the_value_through_in_place_changes():
    x = rl.ones(2, requires_grad=True)
    y = x * 2
    y.retain_grad()
    y.mul_(3)
    y[:1].mul_(5)
    y.sum().backward()
    assert y.grad.tolist() == [1, 1]
    assert x.grad.tolist() == [30, 6]


def test_backward_from_a_gradient_edge():
    x = rl.ones(2, requires_grad=True)
    total = rl.autograd.graph.get_gradient_edge((x * 2).sum())
    rl.autograd.backward(total)
    assert x.grad.tolist() == [2, 2]
    vector = rl.autograd.graph.get_gradient_edge(x * 3)
    assert rl.autograd.grad(vector, x, rl.ones(2))[0].tolist() == [3, 3]
    with pytest.raises(RuntimeError, match="scalar"):
        rl.autograd.backward(rl.autograd.graph.get_gradient_edge(x * 3))


def test_deterministic_mode_fills_unwritten_memory():
    try:
        rl.use_deterministic_algorithms(True, warn_only=True)
        assert rl.get_deterministic_debug_mode() == 1
        assert rl.empty(3).isnan().all()
        assert rl.empty(2, dtype=rl.int8).tolist() == [127, 127]
        assert rl.Tensor(3).isnan().all() and rl.Tensor(rl.Size([2])).isnan().all()
        assert rl.ones(1).resize_(3).isnan().tolist() == [False, True, True]
        assert rl.ones(4).resize_(2).resize_(4).tolist() == [1, 1, 1, 1]
        rl.utils.deterministic.fill_uninitialized_memory = False
        assert not rl.empty(4096).isnan().all()
    finally:
        rl.utils.deterministic.fill_uninitialized_memory = True
        rl.use_deterministic_algorithms(False)
    with pytest.raises(TypeError, match="mode"):
        rl.use_deterministic_algorithms(1)


def test_deterministic_mode_refuses_what_depends_on_the_order():
    positions, pooled = (
        rl.tensor([0, 0]),
        rl.nn.functional.max_pool2d(rl.rand(1, 1, 4, 4), 2, return_indices=True),
    )
    calls = (
        lambda: rl.zeros(3).put_(positions, rl.ones(2)),
        lambda: rl.zeros(3).put(positions, rl.ones(2)),
        lambda: rl.nn.functional.max_unpool2d(*pooled, 2),
    )
    try:
        for call in calls:
            rl.use_deterministic_algorithms(True)
            with pytest.raises(RuntimeError, match="deterministic"):
                call()
            rl.use_deterministic_algorithms(True, warn_only=True)
            with pytest.warns(UserWarning, match="deterministic"):
                call()
        rl.use_deterministic_algorithms(True)
        assert rl.zeros(3).put_(positions, rl.ones(2), accumulate=True).tolist() == [2, 0, 0]
    finally:
        rl.use_deterministic_algorithms(False)


def test_a_node_is_of_a_class_with_its_name_and_its_saved_values():
    x = rl.tensor([1.0, 2.0], requires_grad=True)
    product = x * 3.0 * x
    node = product.grad_fn
    assert type(node).__name__ == "MulBackward0"
    assert isinstance(node, rl.autograd.graph.Node)
    assert {"_saved_self", "_saved_other"} <= set(dir(node))
    assert node._saved_other is x
    assert node._saved_self.tolist() == [3.0, 6.0]
    assert type(node.next_functions[1][0]).__name__ == "AccumulateGrad"
    assert rl.equal(x.exp().grad_fn._saved_result, x.exp())
    product.sum().backward()
    with pytest.raises(RuntimeError, match="_saved_self after .* have been freed"):
        _ = node._saved_self
