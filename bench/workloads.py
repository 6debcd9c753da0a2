"""The workloads of the benchmark, run for one library in one process; run.py starts it.

A workload is a function that takes the library and returns a callable to time. To add one: a
function with ``@workload("its name in the table")``.
"""

import importlib
import json
import sys
import time

WORKLOADS = {}


def workload(name):
    def register(prepare):
        WORKLOADS[name] = prepare
        return prepare

    return register


@workload("a + b, 4 floats")
def small_add(torch):
    a, b = torch.ones(4), torch.ones(4)
    return lambda: a + b


@workload("a + b, 4 floats, recorded")
def small_add_recorded(torch):
    a, b = torch.ones(4, requires_grad=True), torch.ones(4)
    return lambda: a + b


@workload("a + b, 1M floats")
def large_add(torch):
    a, b = torch.ones(1 << 20), torch.ones(1 << 20)
    return lambda: a + b


@workload("a + b, 16M floats")
def huge_add(torch):
    a, b = torch.ones(1 << 24), torch.ones(1 << 24)
    return lambda: a + b


@workload("a + b.T, 1024 x 1024")
def transposed_add(torch):
    a, b = torch.ones(1024, 1024), torch.ones(1024, 1024)
    return lambda: a + b.t()


@workload("exp, 1M floats")
def large_exp(torch):
    a = torch.linspace(-5, 5, 1 << 20)
    return lambda: torch.exp(a)


@workload("tanh, 1M floats")
def large_tanh(torch):
    a = torch.linspace(-5, 5, 1 << 20)
    return lambda: torch.tanh(a)


@workload("sum, 4M floats")
def large_sum(torch):
    a = torch.ones(1 << 22)
    return lambda: a.sum()


@workload("softmax, 512 x 1000")
def rows_softmax(torch):
    a = torch.linspace(-5, 5, 512000).view(512, 1000)
    return lambda: torch.softmax(a, 1)


@workload("matmul, 4 x 4")
def small_matmul(torch):
    a, b = torch.ones(4, 4), torch.ones(4, 4)
    return lambda: a @ b


@workload("matmul, 1024 x 1024")
def large_matmul(torch):
    a, b = torch.ones(1024, 1024), torch.ones(1024, 1024)
    return lambda: a @ b


@workload("conv2d, 16 x 32 x 32 x 32, 3 x 3")
def convolution(torch):
    x, w = torch.ones(16, 32, 32, 32), torch.ones(32, 32, 3, 3)
    return lambda: torch.nn.functional.conv2d(x, w, padding=1)


@workload("backward through 20 small ops")
def small_backward(torch):
    x = torch.ones(4, requires_grad=True)

    def run():
        y = x
        for _ in range(10):
            y = (y * 0.5).tanh()
        y.sum().backward()

    return run


@workload("training step, 2 linear layers of 32")
def small_step(torch):
    model = torch.nn.Sequential(torch.nn.Linear(32, 32), torch.nn.ReLU(), torch.nn.Linear(32, 10))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    x, y = torch.ones(16, 32), torch.zeros(16, dtype=torch.int64)

    def run():
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()

    return run


def seconds_a_call(function, budget):
    """The best of batches that together last about ``budget`` seconds, after a warm-up."""
    count = 1
    while _time(function, count) < min(0.01, budget / 10):
        count *= 2
    best, until = float("inf"), time.perf_counter() + budget
    while True:
        best = min(best, _time(function, count) / count)
        if time.perf_counter() > until:
            return best


def _time(function, count):
    start = time.perf_counter()
    for _ in range(count):
        function()
    return time.perf_counter() - start


def main(library, only, budget):
    try:
        torch = importlib.import_module(library)
    except ModuleNotFoundError as error:
        if error.name != library:
            raise
        raise SystemExit(3)
    found = {name: prepare for name, prepare in WORKLOADS.items() if only in name}
    print(
        json.dumps(
            {name: seconds_a_call(prepare(torch), budget) for name, prepare in found.items()}
        )
    )


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], float(sys.argv[3]))
