"""Records what PyTorch's distributions draw, for tests/behaviour/test_distributions_recorded.py.

Run with PyTorch installed: ``python tools/record_distributions.py``. The cases are data in
tests/data/distributions_cases.py, which the test reads too: to add one, write it there.
"""

import json
import pathlib
import runpy

import torch

DATA = pathlib.Path(__file__).parent.parent / "tests/data"


def main():
    cases = runpy.run_path(str(DATA / "distributions_cases.py"))
    recorded = {name: cases["draw"](torch, text) for name, text in cases["CASES"].items()}
    lines = [f"{json.dumps(k)}: {json.dumps(v)}" for k, v in recorded.items()]
    (DATA / "distributions_recorded.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
