"""The package functorch: modules as functions of their state, transforms by their first names."""

import pathlib
import subprocess
import sys

import pytest

import rushlight as rl

from rushlight._functorch import deprecated as functorch

pytestmark = pytest.mark.filterwarnings("ignore:We.ve integrated functorch")


def test_a_function_of_a_modules_parameters():
    model = rl.nn.Sequential(rl.nn.Linear(3, 4), rl.nn.Tanh(), rl.nn.Linear(4, 1))
    function, params = functorch.make_functional(model)
    x = rl.randn(5, 3)
    assert isinstance(function, functorch.FunctionalModule)
    assert rl.equal(function(params, x), model(x))
    assert params[0] is not model[0].weight and params[0].requires_grad
    found = functorch.grad(lambda p: function(p, x).sum())(params)
    model(x).sum().backward()
    for g, own in zip(found, model.parameters()):
        assert rl.allclose(g, own.grad)
    with pytest.raises(RuntimeError, match="expected 4 parameters"):
        function(params[:2], x)


def test_buffers_are_given_too():
    model = rl.nn.Sequential(rl.nn.Linear(3, 4), rl.nn.BatchNorm1d(4))
    with pytest.raises(RuntimeError, match="has buffers"):
        functorch.make_functional(model)
    function, params, buffers = functorch.make_functional_with_buffers(model, True)
    assert not any(p.requires_grad for p in params) and len(buffers) == 3
    x = rl.randn(6, 3)
    out = function(params, buffers, x)
    assert rl.allclose(out, model(x)) and rl.allclose(buffers[0], model[1].running_mean)


def test_shared_parameters_are_given_once():
    model = rl.nn.Sequential(rl.nn.Linear(2, 2), rl.nn.Linear(2, 2))
    model[1].weight = model[0].weight
    function, params = functorch.make_functional(model)
    assert len(params) == 3
    assert rl.equal(function(params, rl.ones(1, 2)), model(rl.ones(1, 2)))


def test_ensembles():
    models = [rl.nn.Linear(3, 2) for _ in range(4)]
    function, params, buffers = functorch.combine_state_for_ensemble(models)
    x = rl.randn(5, 3)
    out = functorch.vmap(function, (0, 0, None))(params, buffers, x)
    assert rl.allclose(out, rl.stack([m(x) for m in models]), atol=1e-6)
    with pytest.raises(RuntimeError):
        functorch.combine_state_for_ensemble([])


def test_names_warn_and_are_found_by_programs_and_their_children():
    with pytest.warns(FutureWarning, match="torch.func.vmap"):
        functorch.vmap(rl.sin)(rl.ones(2))
    assert set(functorch.__all__) <= set(vars(functorch))
    child = "import functorch, sys; print(functorch.jacrev.__module__, 'torch' in sys.modules)"
    program = (
        "import rushlight; rushlight.install_as_torch(); import functorch, subprocess, sys;"
        "assert functorch is rushlight._functorch.deprecated;"
        f"subprocess.run([sys.executable, '-c', {child!r}], check=True)"
    )
    root = pathlib.Path(rl.__file__).parents[1]
    done = subprocess.run([sys.executable, "-c", program], cwd=root, capture_output=True, text=True)
    assert done.stdout.split()[-1:] == ["True"], done.stderr


def test_early_places_of_names():
    from rushlight._functorch.deprecated import einops, experimental

    assert einops.rearrange is rl.func.rearrange
    x = rl.arange(5.0)
    for chunks in (1, 2, 9):
        assert experimental.chunk_vmap(rl.sin, chunks=chunks)(x).equal(x.sin())
    with pytest.raises(ValueError):
        experimental.chunk_vmap(rl.sin, chunks=0)


def test_rearrange_joins_the_dimensions_of_an_ellipsis():
    x = rl.arange(24).reshape(2, 3, 4)
    assert rl.func.rearrange(x, "... -> (...)").equal(x.flatten())
    assert rl.func.rearrange(x, "a ... -> a (...)").equal(x.flatten(1))
    with pytest.raises(ValueError):
        rl.func.rearrange(x, "(...) -> (...)")
