"""Small answers that whole programs print or ask for."""

import os
import pathlib
import subprocess
import sys
import warnings

import pytest
import rushlight as torch
from rushlight import nn
from rushlight.func import grad, vmap


class TestLossesUnderVmap:
    @pytest.mark.parametrize("name", ["mse_loss", "huber_loss", "smooth_l1_loss", "l1_loss"])
    def test_gradients_reach_parameters_outside(self, name):
        loss = getattr(nn.functional, name)
        w, x = torch.randn(3, requires_grad=True), torch.randn(4, 3)
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # nothing is computed example by example
            vmap(loss, (None, 0))(w, x).sum().backward()
        ours, w.grad = w.grad, None
        sum(loss(w, row) for row in x).backward()
        assert torch.allclose(ours, w.grad)

    def test_a_step_inside_is_differentiated(self):
        w, x = torch.randn(3, requires_grad=True), torch.randn(4, 3)

        def stepped(w, x):
            slope = grad(lambda v: nn.functional.mse_loss(v, x))(w)
            return nn.functional.mse_loss(w - 0.1 * slope, x)

        vmap(stepped, (None, 0))(w, x).sum().backward()
        rest = 1 - 0.2 / 3  # of each difference, after the step
        assert torch.allclose(w.grad, (2 / 3 * rest**2 * (w.detach() - x)).sum(0), atol=1e-6)


@pytest.mark.parametrize("fast_mode", [False, True])
def test_gradcheck_draws_nothing_from_the_program(fast_mode):
    torch.manual_seed(0)
    x = torch.rand(3, dtype=torch.float64, requires_grad=True)
    before = torch.get_rng_state()
    assert torch.autograd.gradcheck(torch.sin, x, fast_mode=fast_mode)
    assert torch.equal(before, torch.get_rng_state())


def test_gradgradcheck_draws_what_make_tensor_does():
    x = torch.rand(3, dtype=torch.float64, requires_grad=True)
    torch.manual_seed(0)
    torch.autograd.gradgradcheck(torch.sin, x)
    after = torch.get_rng_state()
    torch.manual_seed(0)
    torch.testing.make_tensor((3,), dtype=torch.float64, device="cpu", low=-1, high=1)
    assert torch.equal(after, torch.get_rng_state())


def test_names_of_classes():
    assert torch.linalg.LinAlgError.__name__ == "_LinAlgError"
    assert type(nn.Linear(1, 1).load_state_dict({}, strict=False)).__name__ == "_IncompatibleKeys"
    from rushlight.optim.lr_scheduler import LRScheduler, StepLR, _LRScheduler

    assert issubclass(_LRScheduler, LRScheduler) and not issubclass(StepLR, _LRScheduler)


def test_frequencies_are_multiples_of_a_rounded_step():
    assert torch.fft.fftfreq(8, 1 / 8000)[:3].tolist() == [0, 1000, 2000]


def test_one_hot_rows_by_the_name_that_sparse_has_for_torch():
    assert torch.equal(torch.sparse.torch.eye(3), torch.eye(3))


def test_positive_numbers_are_reached_by_exponential_and_shift():
    d = torch.distributions
    made = d.biject_to(d.constraints.positive)
    assert [type(p).__name__ for p in made.parts] == ["ExpTransform", "AffineTransform"]
    assert torch.equal(made(torch.zeros(2)), torch.ones(2))


@pytest.mark.parametrize(
    "kind, text, call",
    [
        (UserWarning, "The .grad attribute of a Tensor", lambda: (_leaf() * 2).grad),
        (UserWarning, "torch.lu is deprecated", lambda: torch.lu(torch.eye(2))),
        (FutureWarning, "weight_norm. is deprecated", lambda: _old_weight_norm()),
        (UserWarning, "what 'batchmean' gives", lambda: nn.functional.kl_div(_leaf(), _leaf())),
        (UserWarning, "create_graph=True", lambda: _leaf().sum().backward(create_graph=True)),
        (UserWarning, "A window was not provided", lambda: _spectrum()),
        (UserWarning, "that stft had", lambda: torch.istft(_spectrum(torch.ones(4)), 4)),
        (UserWarning, "pass the indexing", lambda: torch.meshgrid(_leaf(), _leaf())),
        (UserWarning, "is align_corners=False", lambda: _affine_grid()),
        (
            UserWarning,
            "is align_corners=False",
            lambda: nn.functional.grid_sample(torch.ones(1, 1, 2, 2), torch.zeros(1, 1, 1, 2)),
        ),
    ],
)
def test_warnings(kind, text, call):
    with pytest.warns(kind, match=text):
        call()


def _leaf():
    return torch.ones(2, requires_grad=True)


def _spectrum(window=None):
    return torch.stft(torch.ones(16), 4, window=window, return_complex=True)


def _affine_grid():
    return nn.functional.affine_grid(torch.eye(2, 3)[None], (1, 1, 2, 2))


def _old_weight_norm():
    return nn.utils.weight_norm(nn.Linear(2, 2))


def test_a_total_norm_is_not_recorded():
    assert not nn.utils.get_total_norm([torch.ones(4, requires_grad=True)]).requires_grad


def test_dual_numbers_show_their_tangents():
    forward_ad = torch.autograd.forward_ad
    with forward_ad.dual_level():
        x = forward_ad.make_dual(torch.tensor([1.0, 2.0]), torch.tensor([1.0, 0.0]))
        assert repr(x) == "tensor([1., 2.], tangent=tensor([1., 0.]))"


def test_functions_may_return_numbers_beside_tensors_in_forward_mode():
    class Exp(torch.autograd.Function):
        @staticmethod
        def forward(x):
            return x.exp(), 3

        @staticmethod
        def setup_context(ctx, inputs, output):
            ctx.save_for_forward(output[0])

        @staticmethod
        def jvp(ctx, tangent):
            return tangent * ctx.saved_tensors[0], None

    zero, one = torch.zeros(2), torch.ones(2)
    values, slopes = torch.func.jvp(lambda x: Exp.apply(x)[0], (zero,), (one,))
    assert torch.equal(values, one) and torch.equal(slopes, one)


def test_graph_modules_are_shown_as_text_that_starts_and_ends_as_pytorchs():
    traced = torch.fx.symbolic_trace(nn.Sequential(nn.ReLU()))
    assert traced.code.startswith("\n\n\ndef forward(self, input):\n")
    assert traced.code.endswith("\n    ")
    assert str(traced).endswith("use `graph_module.print_readable()`")


def test_numbers_made_of_recorded_tensors_are_warned_of_once_a_process(tmp_path):
    program = """if True:
        import math, warnings
        import rushlight as torch

        x = torch.tensor([2.0], requires_grad=True)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            x.item(), float(x.detach())
            assert not caught
            values = float(x), math.exp(x), int(x * 2)
        assert values == (2.0, math.exp(2.0), 4)
        assert ["requires_grad=True to a scalar" in str(w.message) for w in caught] == [True]
    """
    package = str(pathlib.Path(torch.__file__).absolute().parents[1])
    env = {**os.environ, "PYTHONPATH": package}
    subprocess.run([sys.executable, "-c", program], check=True, cwd=tmp_path, env=env)


def test_grad_modes_show_where_they_are():
    assert repr(torch.set_grad_enabled(True)).endswith("set_grad_enabled(mode=True)")


def test_functional_call_sets_what_the_module_lacks_for_the_time_of_the_call():
    class Scaled(nn.Module):
        def forward(self, x):
            return x * getattr(self, "scale", 1)

    module, two = Scaled(), torch.tensor(2.0)
    assert torch.func.functional_call(module, {"scale": two}, (two,)) == 4
    assert not hasattr(module, "scale") and module(two) == 2
    with pytest.raises(RuntimeError, match="Unexpected"):
        torch.func.functional_call(module, {"scale": two}, (two,), strict=True)
    with pytest.raises(AttributeError):
        torch.func.functional_call(module, {"part.scale": two}, (two,))
    with pytest.raises(TypeError):
        torch.func.functional_call(module, {"scale": 2}, (two,))


def test_a_node_matches_one_node_of_a_pattern():
    def program(x, y):
        return torch.add(x, y) + torch.add(y, y)

    traced = torch.fx.symbolic_trace(program)
    found = torch.fx.replace_pattern(
        traced, lambda a, b: torch.add(a, b), lambda a, b: torch.mul(a, b)
    )
    assert len(found) == 1
    assert traced(torch.tensor(2.0), torch.tensor(3.0)) == 12
