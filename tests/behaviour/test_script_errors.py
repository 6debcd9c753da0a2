"""Exceptions of scripted programs: which class they have, and what they tell."""

import linecache
import warnings

import pytest

import rushlight as rl

SOURCE = """
def raises(x):
    if x.sum() > 0:
        raise ValueError("bad value")
    return x

def asserts(x):
    assert x.shape[0] == 3, "need three"
    return x

def multiplies(x):
    return x @ rl.ones(5)

def looks_up(x):
    return [1][5]

def refuses(x):
    raise NotImplementedError("not here")
"""


@pytest.fixture
def script():
    linecache.cache["programs.py"] = (len(SOURCE), None, SOURCE.splitlines(True), "programs.py")
    space = {"rl": rl}
    exec(compile(SOURCE, "programs.py", "exec"), space)

    def made(name):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return rl.jit.script(space[name])

    return made


@pytest.mark.parametrize(
    "name, text",
    [
        ("raises", "builtins.ValueError: bad value"),
        ("asserts", "RuntimeError: AssertionError: need three"),
        ("refuses", "builtins.NotImplementedError: not here"),
    ],
)
def test_what_the_program_raises_is_an_error_of_its_own(script, name, text):
    with pytest.raises(rl.jit.Error) as caught:
        script(name)(rl.ones(2))
    told = str(caught.value)
    assert told.startswith("The following operation failed in the TorchScript interpreter.\n")
    assert text in told and f"in {name}\n" in told and "<--- HERE" in told
    assert not isinstance(caught.value, RuntimeError)


@pytest.mark.parametrize("name", ["multiplies", "looks_up"])
def test_what_operators_raise_is_a_runtime_error(script, name):
    with pytest.raises(RuntimeError):
        script(name)(rl.ones(2))


def test_arguments_that_do_not_fit_are_runtime_errors(script):
    with pytest.raises(RuntimeError, match="argument"):
        script("raises")()


def test_modules_and_inner_functions(script):
    inner = script("raises")

    class Net(rl.nn.Module):
        def forward(self, x):
            return inner(x)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        net = rl.jit.script(Net())
    assert net(-rl.ones(2)).tolist() == [-1, -1]
    with pytest.raises(rl.jit.Error, match="bad value"):
        net(rl.ones(2))


def test_names_of_one_error():
    assert rl._C._LinAlgError is rl.linalg.LinAlgError
    with pytest.raises(rl._C._LinAlgError):
        rl.linalg.inv(rl.zeros(2, 2))
