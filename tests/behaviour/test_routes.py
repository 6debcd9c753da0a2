"""Compositions that are called the usual way skip their Python bodies: both ways agree."""

import pytest

import rushlight as rl
from rushlight.ops._record import records

F = rl.nn.functional


def leaf(*sizes):
    return rl.randn(*sizes, requires_grad=True)


def calls():
    target = rl.tensor([1, 0, 2])
    weight = rl.rand(4)
    yield "relu.nn", (leaf(3, 4), False)
    yield "softmax", (leaf(3, 4), 1, None)
    yield "softmax.nn", (leaf(2, 3, 4), -2, 3, None)
    yield "log_softmax", (leaf(3, 4), 0, None)
    yield "log_softmax.nn", (leaf(4), 0, 3, None)
    for reduction in ("none", "mean", "sum"):
        yield "nll_loss", (leaf(3, 4), target, None, None, -100, None, reduction)
        yield "nll_loss", (leaf(3, 4), target, weight, None, 1, None, reduction)
        yield "cross_entropy", (leaf(3, 4), target, None, None, -100, None, reduction, 0.0)
        yield "cross_entropy", (leaf(3, 4), target, weight, None, 2, None, reduction, 0.0)
        yield "mse_loss", (leaf(3, 4), leaf(3, 4), None, None, reduction, None)
    yield "to.dtype", (leaf(3, 4), rl.float64, False, False, None)
    yield "to.dtype", (leaf(3, 4), rl.float32, False, True, None)
    yield "layer_norm", (leaf(3, 4), (4,), None, None, 1e-5, True)
    yield "rms_norm", (leaf(3, 4), (4,), leaf(4), None)
    yield "rms_norm", (leaf(2, 3, 4), (3, 4), None, 1e-3)
    yield "layer_norm", (leaf(2, 3, 4), (3, 4), leaf(3, 4), leaf(3, 4), 1e-3, True)
    yield "cdist", (leaf(3, 4), leaf(5, 4), 2.0, None)
    yield "cdist", (leaf(2, 3, 4), leaf(2, 5, 4), float("inf"), None)
    yield "cross", (leaf(4, 3, 3), leaf(4, 3, 3), None)
    yield "cross", (leaf(3, 4), leaf(3, 4), -2)
    yield "cross.linalg", (leaf(2, 3), leaf(2, 3), -1)
    yield "searchsorted", (rl.arange(5.0), rl.rand(2, 3) * 5, True, False, None, None)
    yield "searchsorted", (rl.arange(5), rl.arange(3), False, True, None, rl.arange(5))
    yield "bucketize", (rl.arange(4.0), rl.arange(1.0, 4), False, True)
    yield "unique", (rl.tensor([[3.0, 1, 3], [1, 0, -0.0]]), True, False, False, None)
    yield "rrelu", (leaf(7, 5), 0.1, 0.4, True, False, rl.Generator().manual_seed(1))
    yield "take_along_dim", (leaf(2, 3), rl.tensor([[0, -1], [2, 1]]), 1)
    yield "take_along_dim", (leaf(2, 3, 1), rl.tensor([[[0], [-1], [1]]]), -3)
    for padding in (None, -1, 2):
        rows = rl.tensor([[4, 0, 2], [2, 2, 1]])
        yield "embedding", (rows, leaf(5, 3), padding, None, 2.0, padding == 2, False)
    yield "embedding", (rl.tensor(3, dtype=rl.int32), leaf(5, 1), None, None, 2.0, False, False)
    yield "diag_embed", (leaf(2, 3), -1, -2, -1)
    yield "diag_embed", (leaf(2, 3), 2, 1, 2)
    yield "channel_shuffle", (leaf(2, 6, 5), 3)
    yield "channel_shuffle", (leaf(2, 4, 3, 3), 2)
    for sizes in ((5,), (2, 3), (2, 3, 4)):
        pair = [leaf(*sizes), leaf(*sizes)]
        yield "concat", (pair, -1)
        yield "concatenate", (pair, 0)
        for name in ("hstack", "column_stack", "vstack", "row_stack", "dstack"):
            yield name, (pair,)


_OWN_NODES = {
    "cross.linalg": "LinalgCross",
    "channel_shuffle": "ChannelShuffle",
    "rrelu": "RreluWithNoise",
}


@pytest.mark.parametrize("name, args", [pytest.param(*call, id=call[0]) for call in calls()])
def test_a_route_is_its_body(name, args):
    record = records[name]
    tensors = args[0] if isinstance(args[0], list) else args
    leaves = [a for a in tensors if isinstance(a, rl.Tensor) and a.requires_grad]
    function = {
        "cdist": rl.cdist,
        "softmax": rl.softmax,
        "log_softmax": rl.log_softmax,
        "to.dtype": lambda x, dtype, later, copy, layout: x.to(dtype, later, copy),
        "cross.linalg": lambda a, b, dim: rl.linalg.cross(a, b, dim=dim),
        "searchsorted": lambda a, b, small, right, side, sorter: rl.searchsorted(
            a, b, out_int32=small, right=right, side=side, sorter=sorter
        ),
        "bucketize": lambda a, b, small, right: rl.bucketize(a, b, out_int32=small, right=right),
        "rrelu": lambda *args: F.rrelu(*args[:-1], generator=args[-1]),
    }.get(name) or getattr(F, record.public_name, None)
    function = function or getattr(rl, record.public_name)
    routed = function(*args)
    if isinstance(args[-1], rl.Generator):
        args[-1].manual_seed(1)
    direct = record.body(*args)
    assert rl.equal(routed, direct)
    assert routed.dtype == direct.dtype
    if not leaves:
        return
    own = _OWN_NODES.get(name)
    node = f"{own}Backward0" if own else type(direct.grad_fn).__name__
    assert type(routed.grad_fn).__name__ == node
    start = rl.rand_like(routed)
    for one, other in zip(
        rl.autograd.grad(routed, leaves, start), rl.autograd.grad(direct, leaves, start)
    ):
        rl.testing.assert_close(one, other)  # in one pass, a step may round otherwise


def test_every_route_is_compared():
    compared = {name for name, _ in calls()}
    assert compared == {name for name, record in records.items() if record.is_routed}


def test_interposers_see_what_a_routed_body_calls():
    seen = []

    def watch(function, args, kwargs):
        seen.append(function.__name__)
        return NotImplemented

    with rl._interpose.interpose(watch):
        F.cross_entropy(rl.zeros(1, 2), rl.tensor([0]))
    assert "log_softmax" in seen


def test_errors_are_those_of_the_body():
    with pytest.raises(RuntimeError, match="normalized_shape"):
        F.layer_norm(rl.zeros(2, 3), (4,))
    with pytest.raises(ValueError, match="not a valid value for reduction"):
        F.nll_loss(rl.zeros(1, 2), rl.tensor([0]), reduction="all")
    with pytest.raises(IndexError, match="out of bounds"):
        F.cross_entropy(rl.zeros(1, 2), rl.tensor([7]))
