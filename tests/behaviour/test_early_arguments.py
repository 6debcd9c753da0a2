"""Arguments by their names and in their places of PyTorch 0.3: they work, or the error says what to
do instead. To add one: a row.
"""

import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import rushlight as rl
from rushlight import _notes
from rushlight.vision import utils as vision_utils

EYE, ONES = rl.eye(2), rl.ones(2)
#: call -> what it computes as it is spelled now
PRODUCTS = {
    "rl.addmm(2, x, 3, EYE, y)": "2 * x + 3 * y",
    "rl.addmm(2, x, EYE, y)": "2 * x + y",
    "x.addmm(2, 3, EYE, y)": "2 * x + 3 * y",
    "x.addmm(2, EYE, y)": "2 * x + y",
    "x.clone().addmm_(2, 3, EYE, y)": "2 * x + 3 * y",
    "rl.addmv(2, ONES, 3, y, ONES)": "2 * ONES + 3 * y @ ONES",
    "ONES.clone().addmv_(2, y, ONES)": "2 * ONES + y @ ONES",
    "rl.addr(2, x, 3, ONES, ONES)": "2 * x + 3",
    "rl.addbmm(2, x, 3, EYE[None], y[None])": "2 * x + 3 * y",
    "x[None].baddbmm(2, 3, EYE[None], y[None])": "(2 * x + 3 * y)[None]",
}


@pytest.fixture(autouse=True)
def fresh_notes():
    _notes.forget()
    yield
    _notes.forget()


@pytest.mark.parametrize("text", list(PRODUCTS))
def test_factors_of_products_by_place(text):
    names = {"rl": rl, "EYE": EYE, "ONES": ONES, "x": rl.arange(4.0).view(2, 2), "y": EYE + 5}
    with pytest.warns(UserWarning, match="beta=beta, alpha=alpha"):
        got = eval(text, names)
    assert rl.equal(got, eval(PRODUCTS[text], names))


def test_products_of_early_form_have_gradients():
    x = rl.ones(2, 2, requires_grad=True)
    with pytest.warns(UserWarning, match="deprecated"):
        rl.addmm(2, x, 3, EYE, x).sum().backward()
    assert x.grad.tolist() == [[5, 5], [5, 5]]


def test_sums_of_early_form_take_two_numbers():
    with pytest.warns(UserWarning, match="deprecated"):
        assert rl.add(ONES, 2, 3.5).tolist() == [8, 8]
        assert ONES.clone().sub_(2, 3).tolist() == [-5, -5]
        assert rl.add(rl.tensor(True), rl.tensor(True), True).item() is True


def test_renamed_arguments_work_and_say_so():
    x = rl.ones(3, requires_grad=True)
    image = rl.arange(12.0).view(1, 3, 2, 2)
    for name, call, want in (
        ("retain_graph", lambda: (x * 2).sum().backward(retain_variables=True), None),
        ("tensors", lambda: rl.autograd.backward(variables=(x * 2).sum()), None),
        ("loc", lambda: rl.distributions.Normal(mean=1.0, std=2.0).mean.item(), 1.0),
        ("value_range", lambda: vision_utils.make_grid(image, normalize=True, range=(0, 11)).max(),
         1.0),
        ("values", lambda: len(rl.nn.ParameterList(parameters=[x])), 1),
        ("value", lambda: len(rl.nn.ParameterList().append(parameter=x)), 1),
    ):  # fmt: skip
        with pytest.warns(UserWarning, match=f"is called '{name}' now"):
            assert call() == want
    assert x.grad.tolist() == [4, 4, 4]


def test_arguments_that_are_gone_say_what_to_do():
    x = rl.nn.Linear(1, 1)
    optimizer = rl.optim.SGD(x.parameters(), lr=0.1)
    schedule = rl.optim.lr_scheduler.ReduceLROnPlateau
    for words, call in (
        ("get_last_lr", lambda: schedule(optimizer, verbose=True)),
        ("by place", lambda: rl.utils.data.TensorDataset(data_tensor=ONES, target_tensor=ONES)),
        ("remove_duplicate", lambda: x.named_parameters(memo=set())),
    ):
        with pytest.raises(TypeError, match=words):
            call()


def test_signatures_are_those_of_today():
    assert str(inspect.signature(rl.distributions.Normal)) == "(loc, scale, validate_args=None)"
    assert list(inspect.signature(rl.Tensor.backward).parameters) == [
        "self", "gradient", "retain_graph", "create_graph", "inputs",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "text, words",
    [
        ("torch.legacy.nn", "torch.nn"),
        ("torch.utils.ffi.create_extension", "torch.library"),
        ("__import__('torch.utils.serialization', fromlist=['x'])", "torch.load"),
    ],
)
def test_packages_that_are_gone_say_what_to_use(text, words):
    program = f"import rushlight; rushlight.install_as_torch(); import torch; {text}"
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=Path(rl.__file__).parents[1],  # not the source tree, which may lack the native module
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1 and words in done.stderr.splitlines()[-1]
