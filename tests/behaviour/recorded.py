"""Expressions whose results were recorded with PyTorch. A case is Python text; the answers live in
tests/data/NAME_recorded.json and the cases in NAME_cases.py next to it. To add cases: extend that
list and run `python tests/behaviour/recorded.py NAME` with an interpreter that has PyTorch.
"""

import json
import pathlib
import runpy
import sys

DATA = pathlib.Path(__file__).parent.parent / "data"


def _plain(value, torch):
    if isinstance(value, torch.Tensor):
        flat = value.detach()
        if flat.device.type == "meta":
            return ["meta", str(flat.dtype), list(flat.shape)]
        if flat.is_complex():
            flat = torch.view_as_real(flat)
        values = flat.double() if flat.dtype in (torch.bfloat16, torch.float16) else flat
        return ["tensor", str(value.dtype), list(value.shape), values.tolist()]
    if isinstance(value, (tuple, list)):
        return [
            type(value).__name__ if type(value) in (tuple, list, torch.Size) else "tuple",
            [_plain(v, torch) for v in value],
        ]
    return ["value", repr(value)]


def evaluate(text, torch, numpy, setup):
    """What the case gives: its value in plain data, or the type of the exception it raises."""
    names = {"torch": torch, "np": numpy}
    exec(setup, names)
    *statements, last = text.split(" ;; ")
    try:
        for statement in statements:
            exec(statement, names)
        return _plain(eval(last, names), torch)
    except Exception as error:  # the kind of failure is the recorded behaviour
        return ["raises", type(error).__name__]


def answers(name):
    """The set-up code of the cases, and {case: recorded answer}."""
    setup = runpy.run_path(str(DATA / f"{name}_cases.py"))["SETUP"]
    return setup, json.loads((DATA / f"{name}_recorded.json").read_text())


def record(name):
    import warnings

    import numpy
    import torch

    warnings.simplefilter("ignore")
    given = runpy.run_path(str(DATA / f"{name}_cases.py"))
    answers = {text: evaluate(text, torch, numpy, given["SETUP"]) for text in given["CASES"]}
    lines = [f"{json.dumps(k)}: {json.dumps(v)}" for k, v in answers.items()]
    (DATA / f"{name}_recorded.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    record(sys.argv[1])
