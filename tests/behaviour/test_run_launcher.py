"""Programs that say ``import torch``, run by the launcher in processes of their own."""

import os
import pathlib
import subprocess
import sys

import rushlight as rl
from rushlight import _as_torch

BESIDE = pathlib.Path(rl.__file__).absolute().parents[1]


def run(tmp_path, source, *arguments, name="program.py", launch=None):
    """The finished process of a program written to `tmp_path`."""
    path = tmp_path / name
    path.write_text(source)
    launch = launch or ["-m", "rushlight.run", str(path)]
    environment = {**os.environ, "PYTHONPATH": str(BESIDE)}
    return subprocess.run(
        [sys.executable, *launch, *arguments],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )


def output(*args, **kwargs):
    process = run(*args, **kwargs)
    assert process.returncode == 0, process.stderr
    return process.stdout.splitlines()


def test_names_are_the_same_modules(tmp_path):
    source = """
import torch, torch.nn.functional as F, torchvision.ops
import torch.utils.data as data
from torch import nn, optim
from torch.optim import lr_scheduler
import rushlight
print(torch is rushlight, nn is rushlight.nn, F is rushlight.nn.functional)
print(torchvision is rushlight.vision, optim.lr_scheduler is lr_scheduler)
print(rushlight.nn.__spec__.name, torch.torch is torch)
"""
    assert output(tmp_path, source) == ["True True True", "True True", "rushlight.nn True"]


def test_functions_stay_when_the_module_of_their_name_is_imported(tmp_path):
    source = """
import torch
from torch.autograd.gradcheck import GradcheckError
from torch.nn.utils.weight_norm import WeightNorm
from torch.nn.utils.spectral_norm import SpectralNorm
import torch.multiprocessing.spawn, torchvision.models.alexnet
for function in torch.autograd.gradcheck, torch.multiprocessing.spawn, torchvision.models.alexnet:
    print(type(function).__name__)
for function in torch.nn.utils.weight_norm, torch.nn.utils.spectral_norm:
    print(type(function).__name__)
"""
    assert output(tmp_path, source) == ["function"] * 5


def test_it_works_without_docstrings(tmp_path):
    source = """
import torch, torch.masked, torch.func
print(torch.func.vmap(torch.sin)(torch.zeros(2)), torch.masked.sum(torch.ones(2)))
"""
    launch = ["-OO", "-m", "rushlight.run", "program.py"]
    assert output(tmp_path, source, launch=launch) == ["tensor([0., 0.]) tensor(2.)"]


def test_classes_say_that_they_are_of_torch(tmp_path):
    source = """
import copy, io, pickle
import torch
from torch import nn
from torch.utils.data import DataLoader
net = nn.Sequential(nn.Linear(2, 2), nn.MultiheadAttention(2, 1))
print(type(torch.ones(1)), type(net[0].weight), type(net[1]))
for kind in DataLoader, torch.optim.lr_scheduler.StepLR, torch.distributions.Normal, torch.no_grad:
    print(kind.__module__)
print(type(pickle.loads(pickle.dumps(net))[1]) is nn.MultiheadAttention)
file = io.BytesIO()
torch.save(net, file)
file.seek(0)
print(torch.load(file, weights_only=False)[0].in_features)
print([n.op for n in torch.fx.symbolic_trace(net[:1]).graph.nodes])
"""
    assert output(tmp_path, source) == [
        "<class 'torch.Tensor'> <class 'torch.nn.parameter.Parameter'> "
        "<class 'torch.nn.modules.activation.MultiheadAttention'>",
        "torch.utils.data.dataloader",
        "torch.optim.lr_scheduler",
        "torch.distributions.normal",
        "torch.autograd.grad_mode",
        "True",
        "2",
        "['placeholder', 'call_module', 'output']",
    ]


def test_missing_modules_are_missing(tmp_path):
    source = """
import importlib.util
print(importlib.util.find_spec("torch.nonsense"), importlib.util.find_spec("torch.nn") is not None)
try:
    import torch.nonsense
except ModuleNotFoundError as error:
    print(error.name)
"""
    assert output(tmp_path, source) == ["None True", "torch.nonsense"]


def test_versions_agree_with_the_metadata(tmp_path):
    source = """
import importlib.metadata as metadata, torch
print(metadata.version("torch") == torch.__version__, torch.__version__ >= (2, 6))
print(metadata.packages_distributions()["torch"][0], torch.version.rushlight)
print(metadata.version("torchvision"))
"""
    versions = [
        "True True",
        f"torch {rl.version.rushlight}",
        _as_torch.STANDS_FOR["torchvision"][1],
    ]
    assert output(tmp_path, source) == versions


def test_program_is_main_and_sees_its_arguments(tmp_path):
    (tmp_path / "beside.py").write_text("WORD = 'beside'\n")
    source = """
import os, sys, pickle, beside
class Here: pass
assert type(pickle.loads(pickle.dumps(Here()))) is Here
print(__name__, os.path.basename(__file__), sys.argv[1:], beside.WORD)
raise SystemExit(5)
"""
    process = run(tmp_path, source, "--rate", "1")
    assert process.stdout.strip() == "__main__ program.py ['--rate', '1'] beside"
    assert process.returncode == 5
    module = run(tmp_path, source, "-x", launch=["-m", "rushlight.run", "-m", "program"])
    assert module.stdout.strip() == "__main__ program.py ['-x'] beside"
    assert module.returncode == 5


def test_tracebacks_begin_in_the_program(tmp_path):
    process = run(tmp_path, "def f():\n    return 1 / 0\nf()\n")
    lines = process.stderr.splitlines()
    assert process.returncode == 1
    assert lines[0] == "Traceback (most recent call last):"
    assert lines[1].endswith('program.py", line 3, in <module>')
    assert lines[-1] == "ZeroDivisionError: division by zero"
    assert "rushlight" not in process.stderr


def test_child_processes_inherit_it(tmp_path):
    source = """
import subprocess, sys
import torch, torch.multiprocessing as mp
def add(index, tensor):
    import torchvision
    tensor[index] += torchvision.ops.box_area(torch.tensor([[0.0, 0, 1, 2]])).item()
if __name__ == "__main__":
    shared = torch.zeros(2).share_memory_()
    mp.spawn(add, (shared,), nprocs=2)
    print(shared.tolist())
    sys.stdout.flush()
    child = "import importlib.metadata as m; print(m.version('torch')); "
    child += "import torchvision, torch; print(torchvision is torch.vision)"
    subprocess.run([sys.executable, "-c", child], cwd="/", check=True)
"""
    lines = output(tmp_path, source)
    assert lines == ["[2.0, 2.0]", rl.__version__, "True"]


def test_async_is_read_as_non_blocking(tmp_path):
    (tmp_path / "beside.py").write_text(
        "def move(x):\n    return x.cpu() or x.cuda(0, async = 1)\n"
    )
    source = """
import torch, beside
def unused(x): return x.cuda(async=True, # a note
    ), [x.cuda(async=True)]
print(beside.move(torch.ones(1)).item())
"""
    process = run(tmp_path, source)
    assert process.stdout.split() == ["1.0"]
    assert "program.py: `async=`" in process.stderr and "beside.py: `async=`" in process.stderr
    broken = run(tmp_path, "x.cuda(async=True)\nx = (\n")
    assert "SyntaxError" in broken.stderr


def test_what_the_launcher_cannot_open(tmp_path):
    process = run(tmp_path, "", launch=["-m", "rushlight.run", "nowhere.py"])
    assert process.returncode == 2 and "nowhere.py" in process.stderr
    assert "usage" in run(tmp_path, "", launch=["-m", "rushlight.run"]).stderr


def test_pytorch_that_is_already_imported_is_refused(tmp_path):
    (tmp_path / "torch.py").write_text("")
    source = "import torch, rushlight\nrushlight.install_as_torch()\n"
    process = run(tmp_path, source, launch=["program.py"])
    assert "RuntimeError: install_as_torch: torch is already imported" in process.stderr


def test_versions_compare_as_versions():
    version = rl.torch_version.TorchVersion("2.13.0+rushlight")
    assert version > "2.9" and version >= (2, 13) and not version < "2.2"
    assert version == "2.13.0+rushlight" and version != "2.13.0" and version < "nonsense"
    folders = {path.name for path in pathlib.Path(_as_torch.FOLDER).glob("*.egg-info")}
    versions = {name: version for name, (_, version) in _as_torch.STANDS_FOR.items() if version}
    named = {f"{name}-{version}.egg-info" for name, version in versions.items()}
    assert folders == named


def test_linear_algebra_of_early_years_says_its_present_name(tmp_path):
    source = """
import torch
A = torch.tensor([[4.0, 1.0], [1.0, 3.0]])
b = torch.ones(2, 1)
x, lu = torch.gesv(b, A)
print(torch.allclose(A @ x, b), torch.allclose(b.gesv(A)[0], x))
u = A.potrf()
print(torch.allclose(u.t() @ u, A), torch.allclose(torch.potrs(b, u), x))
print(torch.allclose(torch.potri(u) @ A, torch.eye(2)), torch.allclose(torch.gels(b, A)[0], x))
print(torch.allclose(u @ torch.trtrs(b, u)[0], b))
info = torch.IntTensor()
print(torch.allclose(torch.btrisolve(b.t(), *torch.btrifact(A[None], info)), x.t()), info.tolist())
for call in (lambda: torch.pstrf(A), lambda: __import__("torch.legacy.nn")):
    try:
        call()
    except (RuntimeError, ImportError) as error:
        print(str(error)[:45])
"""
    process = run(tmp_path, source)
    assert process.stdout.splitlines() == [
        "True True",
        "True True",
        "True True",
        "True",
        "True [0]",
        "torch.pstrf has been removed from PyTorch, an",
        "torch.legacy has been removed from PyTorch: u",
    ], process.stderr
    assert process.stderr.count("torch.gesv is no longer in PyTorch") == 1
