"""README and docs: blocks of Python run as they stand, one after another, and links resolve."""

import os
import pathlib
import re
import subprocess
import sys

import pytest

import rushlight as rl

ROOT = pathlib.Path(__file__).absolute().parents[2]
PACKAGE = pathlib.Path(rl.__file__).absolute().parents[1]
PAGES = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("examples/*.md")]
BLOCK = re.compile(r"^```(?:python|pycon)\n(.*?)^```", re.S | re.M)


def _name(page):
    return str(page.relative_to(ROOT))


# In a process of its own, as pages record ops and take the name torch.
RUN = """
import doctest, sys
names, runner = {"__name__": "__main__"}, doctest.DocTestRunner()
for number, block in enumerate(sys.stdin.read().split("\\0")):
    if block.startswith(">>>"):
        test = doctest.DocTestParser().get_doctest(block, names, f"block {number}", None, 0)
        runner.run(test, clear_globs=False)
        names = test.globs
    else:
        exec(compile(block, f"<block {number}>", "exec"), names)
sys.exit(runner.summarize(verbose=False).failed)
"""


@pytest.mark.parametrize("page", [p for p in PAGES if BLOCK.search(p.read_text())], ids=_name)
def test_blocks_run_as_they_stand(page, tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", RUN],
        input="\0".join(BLOCK.findall(page.read_text())),
        env={**os.environ, "PYTHONPATH": str(PACKAGE)},
        cwd=tmp_path,  # not beside the sources, which hold no native module
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def _anchors(page):
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.M)
    return {re.sub(r"[^\w\- ]", "", h.lower()).strip().replace(" ", "-") for h in headings}


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_links_resolve(page):
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if link.startswith("http"):
            continue
        name, _, anchor = link.partition("#")
        target = page.parent / name if name else page
        assert target.exists(), link
        assert not anchor or anchor in _anchors(target), link


def _outline(page):
    """What does not depend on the language: levels of headings, code without comments, links."""
    text = page.read_text()
    code = [
        re.sub(r"\s+#.*|(?<=/) .*", "", b) for b in re.findall(r"^```.*?^```", text, re.S | re.M)
    ]
    names = {line.split()[0] for block in code[-1:] for line in block.splitlines() if line.strip()}
    return re.findall(r"^#+ ", text, re.M), code[:-1], names


def test_both_readmes_have_the_same_content():
    assert _outline(ROOT / "README.md") == _outline(ROOT / "README.zh.md")
