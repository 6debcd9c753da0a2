"""docs/support.md says what the package has: it is as its tool writes it, and the tool can tell."""

import importlib
import os
import pathlib
import subprocess
import sys
import types

import pytest

import rushlight as rl

ROOT = pathlib.Path(__file__).absolute().parents[2]
PACKAGE = pathlib.Path(rl.__file__).absolute().parents[1]


@pytest.fixture
def judge(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    return importlib.import_module("make_support").judge


def test_the_page_is_up_to_date(tmp_path):
    page = tmp_path / "support.md"
    subprocess.run(
        [sys.executable, "-W", "ignore", str(ROOT / "tools" / "make_support.py"), str(page)],
        check=True,
        env={**os.environ, "PYTHONPATH": str(PACKAGE)},
    )
    kept = ROOT / "docs" / "support.md"
    assert page.read_text() == kept.read_text(), "run python tools/make_support.py"


def test_names_are_judged_by_what_they_do(judge):
    module = types.SimpleNamespace(
        works=lambda x, y: x,
        refuses=rl.hub.download_url_to_file,
        class_=rl.nn.Linear,
        half=rl.qint8,
    )
    assert judge(module, "missing", None) == ("absent", "")
    assert judge(module, "refuses", ["url"]) == ("absent", "")
    assert judge(module, "works", ["x", "y"]) == ("supported", "")
    assert judge(module, "works", ["x", "z"]) == ("partial", "`z=`")
    known = {"members": ["forward", "fly"], "parameters": ["in_features"]}
    assert judge(module, "class_", known) == ("partial", "`.fly`")
    assert judge(module, "half", None) == ("partial", "tensors of it")
