"""Script functions and modules in files: what is saved runs where its program is not."""

import inspect
import io
import math
import os
import pathlib
import subprocess
import sys
import textwrap
from typing import Dict, List, Optional  # noqa: UP035

import pytest

import rushlight as rl
from rushlight import nn
from rushlight.nn import functional as F

PACKAGE = pathlib.Path(rl.__file__).absolute().parents[1]
SCALE = 3.0
TABLE = {"shift": rl.ones(2)}


def shifted(x):
    return x * SCALE + TABLE["shift"]


@rl.jit.script
def recursive(n: int) -> int:
    return 1 if n < 2 else n * recursive(n - 1)


class Base(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.layer = nn.Linear(2, width)
        self.act = F.relu

    def top(self, x):
        return shifted(self.layer(x))


class Net(Base):
    limit: int = 10

    def __init__(self):
        super(Net, self).__init__(2)  # noqa: UP008
        self.register_buffer("count", rl.zeros(1))
        self.inner = nn.ModuleList([Base(2), nn.Sequential(nn.Dropout(0.5), nn.Tanh())])
        self.tied = self.inner[0]

    def forward(self, x: rl.Tensor, flag: Optional[bool] = None) -> Dict[str, rl.Tensor]:  # noqa: UP006, UP045
        sizes: List[int] = []  # noqa: UP006
        while x.sum() < self.limit:
            x = x + math.pi
            sizes.append(x.shape[0])
        for module in self.inner:
            x = module.top(x) if isinstance(module, Base) else module(x)
        return {"y": self.act(self.top(x)), "n": rl.tensor(len(sizes) + recursive(3))}

    @rl.jit.export
    def bump(self, n: int) -> int:
        self.count += n
        return int(self.count)


def through_file(m, **kwargs):
    f = io.BytesIO()
    rl.jit.save(m, f, **kwargs)
    f.seek(0)
    return f


def test_module_runs_again():
    scripted = rl.jit.script(Net().eval())
    assert scripted.bump(2) == 2
    again = rl.jit.load(through_file(scripted))
    x = rl.ones(1, 2)
    for name, value in scripted(x).items():
        assert rl.equal(again(x)[name], value)
    assert isinstance(again, rl.jit.ScriptModule) and again.original_name == "Net"
    assert list(again.state_dict()) == list(scripted.state_dict())
    assert again.bump(3) == 5 and scripted.bump(0) == 2 and not again.training
    assert again.tied is again.inner[0]
    assert "while x.sum() < self.limit" in again.code


def test_what_was_loaded_is_saved_again():
    again = rl.jit.load(through_file(rl.jit.load(through_file(rl.jit.script(Net().eval())))))
    assert again(rl.ones(1, 2))["n"].item() == 8


def test_functions_and_their_values():
    again = rl.jit.load(through_file(rl.jit.script(shifted)))
    assert again(rl.ones(2)).tolist() == [4.0, 4.0] and again.name == "shifted"
    assert rl.jit.load(through_file(recursive))(5) == 120


def test_closures_become_names():
    factor = 4

    def inner(x):
        return x * factor

    def outer(x):
        return inner(x) + 1

    assert rl.jit.load(through_file(rl.jit.script(outer)))(2) == 9


def test_traced_parts_are_kept():
    class Outer(nn.Module):
        def __init__(self):
            super().__init__()
            self.part = rl.jit.trace(nn.Linear(2, 2), rl.ones(1, 2))
            self.other = rl.jit.script(nn.Linear(2, 1))

        def forward(self, x):
            return self.other(self.part(x))

    scripted = rl.jit.script(Outer())
    again = rl.jit.load(through_file(scripted))
    x = rl.ones(3, 2)
    assert rl.equal(again(x), scripted(x))
    assert isinstance(again.other, rl.jit.ScriptModule)


def test_extra_files():
    extra = {"notes": ""}
    rl.jit.load(through_file(recursive, _extra_files={"notes": "kept"}), _extra_files=extra)
    assert extra == {"notes": "kept"}


def test_another_process_without_the_program(tmp_path):
    (tmp_path / "own_part.py").write_text(
        "import rushlight as rl\n\n\nclass Half(rl.nn.Module):\n"
        "    def forward(self, x):\n        return x / 2\n"
    )
    (tmp_path / "program.py").write_text(
        textwrap.dedent(
            """
            import sys
            import rushlight as rl
            from own_part import Half

            class Net(rl.nn.Module):
                def __init__(self):
                    super().__init__()
                    self.part = Half()

                def forward(self, x):
                    return self.part(x) + 1

            rl.jit.script(Net()).save(sys.argv[1])
            """
        )
    )
    file = tmp_path / "elsewhere" / "net.pt"
    file.parent.mkdir()
    environment = {**os.environ, "PYTHONPATH": str(PACKAGE)}
    program = [sys.executable, str(tmp_path / "program.py"), str(file)]
    subprocess.run(program, check=True, env=environment)
    script = "import sys, rushlight as rl; print(rl.jit.load(sys.argv[1])(rl.ones(1)).item())"
    done = subprocess.run(
        [sys.executable, "-c", script, str(file)],
        capture_output=True,
        text=True,
        cwd=file.parent,
        env=environment,
    )
    assert done.stdout.strip() == "1.5", done.stderr


def test_lines_of_something_else_are_no_source(monkeypatch):
    space = {}
    exec("def f(x):\n    return x", space)
    space["f"].__module__ = "__main__"
    monkeypatch.setattr(inspect, "getsource", lambda obj: "import sys\n")
    with pytest.raises(NotImplementedError, match="no source of f: the lines"):
        rl.jit.save(rl.jit.script(space["f"]), io.BytesIO())


def test_what_has_no_source_is_refused():
    space = {}
    exec("def f(x):\n    return x", space)
    space["f"].__module__ = "__main__"
    with pytest.raises(NotImplementedError, match="no source of f"):
        rl.jit.save(rl.jit.script(space["f"]), io.BytesIO())
    with pytest.raises(NotImplementedError, match="script or traced"):
        rl.jit.save(nn.Linear(1, 1), io.BytesIO())
