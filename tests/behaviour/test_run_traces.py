"""`jit`: traces replay what was recorded, also for other sizes; script objects run as Python."""

import io
from typing import Dict, List, Optional  # noqa: UP035

import pytest

import rushlight as rl
from rushlight import _notes, jit, nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.norm, self.out = nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Linear(32, 3)
        self.shift = rl.ones(3)

    def forward(self, x):
        y = rl.relu(self.norm(self.conv(x)))
        y = y.view(y.size(0), -1)
        z = self.out(y) + self.shift
        z[:, 0] = 1
        return z, {"sum": z.sum(1) * y.shape[1] + rl.tensor(2.0)}


def test_trace_serves_other_batches_and_shares_parameters():
    net = Net().eval()
    traced = jit.trace(net, rl.randn(2, 1, 6, 6))
    x = rl.randn(5, 1, 6, 6)
    rl.testing.assert_close(traced(x), net(x))
    assert isinstance(traced, jit.ScriptModule) and list(traced.state_dict()) == list(
        net.state_dict()
    )
    traced(x)[0].sum().backward()
    assert net.out.weight.grad is not None and traced.out.weight is net.out.weight
    assert "torch.relu" in traced.code and traced.original_name == "Net"


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x.reshape(x.shape[:-1].numel(), 3),
        lambda x: x.reshape(x.numel() // 3, 3) * x.size().numel(),
        lambda x: x.reshape((1,) + x.shape[1:2] + (-1,)),
    ],
)
def test_trace_follows_products_and_parts_of_shapes(function):
    traced = jit.trace(function, rl.randn(4, 5, 3))
    x = rl.randn(2, 5, 3)
    assert rl.equal(traced(x), function(x))


class Branches(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(rl.ones(3))

    def forward(self, x):
        return x.new_zeros(8) if x.shape[0] == 7 else x * self.weight


def test_a_scripted_module_keeps_its_branches_in_a_trace(tmp_path):
    inner = jit.script(Branches())
    traced = jit.trace(nn.Sequential(inner, nn.Identity()), rl.zeros(7, 3))
    traced.save(tmp_path / "t.pt")
    for module in traced, jit.load(tmp_path / "t.pt"):
        assert module(rl.zeros(7, 3)).shape == (8,)
        assert module(rl.ones(2, 3)).tolist() == [[1, 1, 1]] * 2
        assert list(module.state_dict()) == ["0.weight"]
    outside = jit.trace(lambda x: inner(x) + 1, rl.zeros(7, 3))
    assert outside(rl.ones(1, 3)).tolist() == [[2, 2, 2]]


def test_a_script_module_is_not_traced_again():
    module = jit.script(Branches())
    with pytest.warns(UserWarning, match="ScriptModule"):
        assert jit.trace(module, rl.zeros(2, 3)) is module


def test_a_size_of_another_trace_is_a_number():
    kept = []
    jit.trace(lambda x: kept.append(x.shape[0]) or x + 1, rl.zeros(2), check_trace=False)
    traced = jit.trace(lambda x: x * kept[0], rl.ones(3), check_trace=False)
    assert traced(rl.ones(1)).tolist() == [2]


def test_traces_are_saved_and_loaded(tmp_path):
    net = Net().eval()
    traced = jit.trace(net, rl.randn(2, 1, 6, 6))
    traced.save(tmp_path / "net.pt", _extra_files={"note": "hello"})
    extra = {"note": ""}
    loaded = jit.load(tmp_path / "net.pt", _extra_files=extra)
    x = rl.randn(3, 1, 6, 6)
    rl.testing.assert_close(loaded(x), net(x))
    assert extra == {"note": "hello"} and loaded.state_dict().keys() == net.state_dict().keys()
    function = jit.trace(lambda a, b: a * b, (rl.ones(2), rl.ones(2)))
    buffer = io.BytesIO(jit_bytes(function))
    assert jit.load(buffer)(rl.full((3,), 2.0), rl.full((3,), 4.0)).tolist() == [8, 8, 8]
    with pytest.raises(NotImplementedError, match="traced"):
        jit.save(nn.Linear(1, 1), buffer)
    rl.save({"a": 1}, tmp_path / "other.pt")
    with pytest.raises(RuntimeError, match="torch.load"):
        jit.load(tmp_path / "other.pt")


def jit_bytes(program):
    buffer = io.BytesIO()
    jit.save(program, buffer)
    return buffer.getvalue()


def test_what_depends_on_values_is_fixed_with_a_warning():
    with pytest.warns(jit.TracerWarning, match="constant"):
        traced = jit.trace(lambda a: -a if a.sum() > 0 else a, rl.ones(2))
    assert traced(-rl.ones(2)).tolist() == [1, 1]
    with pytest.warns(jit.TracerWarning, match="does not match"):
        jit.trace(lambda a: a + count.pop(), rl.ones(1))


count = [1.0, 2.0]


def test_sizes_are_followed_through_arithmetic():
    def windows(x):
        half = x.shape[0] // 2
        return x[: half * 2].reshape(half, 2, -1).sum(1), rl.arange(x.size(0)) + 1

    traced = jit.trace(windows, rl.randn(4, 3))
    x = rl.randn(9, 5)
    rl.testing.assert_close(traced(x), windows(x))


def test_methods_are_traced_by_name():
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(rl.ones(2))

        def forward(self, x):
            return x * self.weight

        def extra(self, x):
            return x + self.weight

    traced = jit.trace_module(Two(), {"forward": rl.ones(2), "extra": rl.ones(2)})
    assert traced(rl.ones(2) * 3).tolist() == [3, 3]
    assert traced.extra(rl.ones(2) * 3).tolist() == [4, 4]


def test_script_runs_as_python_and_says_so_once():
    _notes.forget()
    with pytest.warns(UserWarning, match="without compiling"):

        @jit.script
        def double(x: rl.Tensor) -> rl.Tensor:
            return x * 2

    assert double(rl.ones(1)).item() == 2 and "x * 2" in double.code
    net = nn.Sequential(nn.Linear(2, 3), nn.Dropout())
    scripted = jit.script(net)
    assert list(scripted.state_dict()) == ["0.weight", "0.bias"] and len(scripted) == 2
    scripted.eval()
    assert not net[1].training and scripted(rl.ones(1, 2)).shape == (1, 3)
    frozen = jit.freeze(scripted)
    assert not any(p.requires_grad for p in frozen.parameters())
    assert all(p.requires_grad for p in scripted.parameters())
    with pytest.raises(RuntimeError, match="eval mode"):
        jit.freeze(scripted.train())
    assert not jit.is_scripting() and not jit.is_tracing()


def test_types_are_asked_with_their_contents():
    assert jit.isinstance({"a": [1]}, Dict[str, List[int]])  # noqa: UP006
    assert not jit.isinstance({"a": ["b"]}, Dict[str, List[int]])  # noqa: UP006
    assert jit.isinstance(None, Optional[int]) and not jit.isinstance(1.0, Optional[int])  # noqa: UP045
    assert jit.annotate(List[int], []) == []  # noqa: UP006


def test_futures():
    future = jit.fork(lambda a, b: a + b, 1, b=2)
    assert jit.wait(future) == 3
    failed = rl.futures.Future()
    chained = failed.then(lambda f: f.value() + 1)
    failed.set_exception(KeyError("x"))
    with pytest.raises(RuntimeError, match="KeyError"):
        chained.wait()
    with pytest.raises(RuntimeError, match="once"):
        failed.set_result(1)
    assert rl.futures.wait_all([future, jit.fork(int)]) == [3, 0]


def test_tensors_made_while_tracing_are_part_of_it():
    traced = jit.trace(lambda x: x + rl.tensor([2.0]), rl.ones(1))
    assert "torch.tensor([2.0])" in traced.code and traced(rl.ones(1)).item() == 3


def test_traces_of_numbers_before_operators():
    x = rl.tensor([0.5, 2.0])
    for program in (lambda x: 1 - x, lambda x: 2 / x, lambda x: 2**x, lambda x: 1.5 - x.mT.sum()):
        x = x.reshape(1, 2)
        assert jit.trace(program, (rl.ones(1, 2),))(x).equal(program(x))
