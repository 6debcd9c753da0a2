"""Writes docs/accuracy.md: the largest errors of transcendental and special functions, in ulps.

    python tools/make_accuracy.py docs/accuracy.md [--torch-python PATH]

The exact values are mpmath's (pip install mpmath), at 200 bits. With the interpreter of an
environment that has PyTorch, its errors on the same inputs stand beside ours. To add a function: a
row of FUNCTIONS, whose key is its name under `torch` or `torch.special`.
"""

import argparse
import json
import math
import pathlib
import subprocess
import sys

import numpy as np

import rushlight as rl

COUNT = 2000  # inputs for each range

#: name -> (mpmath function of one number, ranges of inputs). A range "a..b" in one sign is sampled
#: evenly in the logarithm, so that small and large inputs count alike.
FUNCTIONS = {
    "exp": ("exp", [(-87, -1e-6), (1e-6, 88)]),
    "exp2": ("lambda x: mpf(2) ** x", [(-126, -1e-6), (1e-6, 127)]),
    "expm1": ("expm1", [(-80, -1e-30), (1e-30, 80)]),
    "log": ("log", [(1e-37, 0.9), (0.9, 1.1), (1.1, 1e37)]),
    "log2": ("lambda x: log(x, 2)", [(1e-37, 0.9), (0.9, 1.1), (1.1, 1e37)]),
    "log10": ("log10", [(1e-37, 0.9), (0.9, 1.1), (1.1, 1e37)]),
    "log1p": ("log1p", [(-0.999, -1e-30), (1e-30, 1e37)]),
    "sin": ("sin", [(1e-30, 10), (10, 1e5)]),
    "cos": ("cos", [(1e-30, 10), (10, 1e5)]),
    "tan": ("tan", [(1e-30, 10), (10, 1e5)]),
    "asin": ("asin", [(1e-30, 1)]),
    "acos": ("acos", [(1e-30, 1), (-1, -1e-30)]),
    "atan": ("atan", [(1e-30, 1e37)]),
    "sinh": ("sinh", [(1e-30, 88)]),
    "cosh": ("cosh", [(1e-30, 88)]),
    "tanh": ("tanh", [(1e-30, 20)]),
    "asinh": ("asinh", [(1e-30, 1e37)]),
    "acosh": ("acosh", [(1.0001, 1e37)]),
    "atanh": ("atanh", [(1e-30, 0.9999)]),
    "sigmoid": ("lambda x: 1 / (1 + exp(-x))", [(-80, -1e-30), (1e-30, 80)]),
    "erf": ("erf", [(1e-30, 6)]),
    "erfc": ("erfc", [(1e-30, 9), (-6, -1e-30)]),
    "erfinv": ("erfinv", [(1e-30, 0.9999)]),
    "lgamma": ("loggamma", [(1e-20, 0.9), (2.1, 1e30)]),
    "digamma": ("digamma", [(1e-10, 1.3), (1.6, 1e20)]),
    "i0": ("lambda x: besseli(0, x)", [(1e-20, 80)]),
    "i1": ("lambda x: besseli(1, x)", [(1e-20, 80)]),
    "i0e": ("lambda x: besseli(0, x) * exp(-x)", [(1e-20, 1e4)]),
    "i1e": ("lambda x: besseli(1, x) * exp(-x)", [(1e-20, 1e4)]),
    "bessel_j0": ("lambda x: besselj(0, x)", [(1e-20, 2.3), (3, 50)]),
    "bessel_j1": ("lambda x: besselj(1, x)", [(1e-20, 3.7), (4, 50)]),
    "ndtr": ("ncdf", [(-9, -1e-20), (1e-20, 5)]),
    "log_ndtr": ("lambda x: log(ncdf(x))", [(-30, -1e-20), (1e-20, 5)]),
    "ndtri": ("lambda p: sqrt(mpf(2)) * erfinv(2 * p - 1)", [(1e-6, 0.49), (0.51, 0.999)]),
    "entr": ("lambda x: -x * log(x)", [(1e-30, 0.9), (1.1, 1e30)]),
}

#: Evaluates every function on the inputs; run in the interpreter of the package it is given.
EVALUATE = """
import json, sys
package, source, target = sys.argv[1:4]
import numpy as np

import rushlight as rl
torch = __import__(package)
inputs, results = np.load(source), {}
for key in inputs:
    name = key.split("|")[0]
    function = getattr(torch, name, None) or getattr(torch.special, name)
    results[key] = function(torch.from_numpy(inputs[key])).numpy()
np.savez(target, **results)
"""


def samples(low, high, dtype):
    """Numbers from low to high, evenly in the logarithm of their size."""
    sign, (a, b) = (-1, (-high, -low)) if low < 0 else (1, (low, high))
    return sign * np.exp(np.linspace(math.log(a), math.log(b), COUNT)).clip(a, b).astype(dtype)


def inputs():
    """{"name|dtype|low|high": array}."""
    return {
        f"{name}|{dtype}|{low}|{high}": samples(low, high, dtype)
        for name, (_, ranges) in FUNCTIONS.items()
        for dtype in ("float32", "float64")
        for low, high in ranges
    }


def evaluate(python, package, source, target):
    """Results of a package, in an interpreter of its own."""
    subprocess.run([python, "-c", EVALUATE, package, source, target], check=True)
    return dict(np.load(target))


def exact_values(x, formula):
    """mpmath's values as pairs: the nearest double, and what is left of it."""
    import mpmath

    with mpmath.workprec(200):
        function = eval(formula, vars(mpmath))
        values = [mpmath.re(function(mpmath.mpf(float(v)))) for v in x]
        heads = [float(v) for v in values]
        return np.array(heads), np.array([float(v - h) for v, h in zip(values, heads, strict=True)])


def largest_error(got, exact, dtype):
    """The largest distance in units of the last place of the exact value; inf for a wrong class."""
    head, tail = exact
    tiny = np.finfo(dtype).tiny
    usable = np.isfinite(head.astype(dtype)) & (np.abs(head) >= tiny)
    unit = np.spacing(np.abs(head[usable]).astype(dtype)).astype(np.float64)
    error = np.abs((got[usable].astype(np.float64) - head[usable]) - tail[usable]) / unit
    return float(np.where(np.isnan(error), np.inf, error).max(initial=0))


def table(found, columns):
    """The page's table: a row for each function and dtype."""
    yield "| function | inputs | " + " | ".join(f"{d}, {c}" for d in DTYPES for c in columns) + " |"
    yield "|---|---|" + "---:|" * (len(DTYPES) * len(columns))
    for name, (_, ranges) in FUNCTIONS.items():
        where = ", ".join(f"{low:g} … {high:g}" for low, high in ranges)
        cells = [f"{found[name, d, c]:.2f}" for d in DTYPES for c in columns]
        yield f"| `{name}` | {where} | " + " | ".join(cells) + " |"


DTYPES = ("float32", "float64")
HEAD = """# Accuracy

The largest errors found, in units in the last place (ulp) of the exact result, on {count} inputs of
each range, spread evenly in the logarithm of their size, on a processor with {instructions}, which
decides about some formulas. A correctly rounded result is at most 0.5 ulp off. The exact values are
mpmath's, at 200 bits. `tools/make_accuracy.py` writes this page.

`tanh` in float32 is computed in float32 alone: what PyTorch is ahead there would cost almost half
of its speed.

"""


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("page", type=pathlib.Path)
    parser.add_argument("--torch-python", help="an interpreter that has PyTorch, for comparison")
    parser.add_argument("--work", default="build/accuracy", help="where intermediate files go")
    options = parser.parse_args()
    work = pathlib.Path(options.work)
    work.mkdir(parents=True, exist_ok=True)
    given = inputs()
    np.savez(work / "inputs.npz", **given)
    packages = {"rushlight": (sys.executable, "rushlight")}
    if options.torch_python:
        packages["PyTorch"] = (options.torch_python, "torch")
    results = {
        label: evaluate(python, package, str(work / "inputs.npz"), str(work / f"{label}.npz"))
        for label, (python, package) in packages.items()
    }
    found = {}
    for key, x in given.items():
        name, dtype = key.split("|")[:2]
        exact = exact_values(x, FUNCTIONS[name][0])
        for label in packages:
            error = largest_error(results[label][key], exact, dtype)
            found[name, dtype, label] = max(found.get((name, dtype, label), 0), error)
    head = HEAD.format(count=COUNT, instructions=rl.backends.cpu.get_cpu_capability())
    options.page.write_text(head + "\n".join(table(found, list(packages))) + "\n")
    print(json.dumps({"page": str(options.page), "functions": len(FUNCTIONS)}))


if __name__ == "__main__":
    main()
