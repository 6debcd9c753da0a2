"""Asks PyTorch for the exception types that tests/behaviour/test_bad_input.py expects.

    python tools/check_bad_input.py        # where torch is installed; prints what differs

The rows and the names they use are read from the test, which needs neither this script nor torch.
"""

import pathlib
import sys
import types

import torch

TEST = pathlib.Path(__file__).parents[1] / "tests" / "behaviour" / "test_bad_input.py"


def load_test():
    """The test module, with stand-ins for what it imports and this script does not need."""
    mark = types.SimpleNamespace(parametrize=lambda *a, **k: lambda f: f)
    sys.modules.setdefault("pytest", types.SimpleNamespace(mark=mark))
    sys.modules["rushlight"] = types.ModuleType("rushlight")
    module = types.ModuleType("test_bad_input")
    exec(compile(TEST.read_text(), str(TEST), "exec"), module.__dict__)
    return module


def outcome(expression, names):
    """The built-in exception type that evaluating raises, or "nothing"."""
    try:
        eval(expression, names)
    except Exception as error:
        return next(c.__name__ for c in type(error).__mro__ if c.__module__ == "builtins")
    return "nothing"


def main():
    test = load_test()
    wrong = 0
    for expression, kind, _ in test.rows():
        got = outcome(expression, test.names(torch))
        if got != kind:
            wrong += 1
            print(f"{expression}: the table says {kind}, torch {torch.__version__} raises {got}")
    print(f"{wrong} rows differ")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
