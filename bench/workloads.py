"""The workloads of the benchmark, run for one library in one process; run.py starts it.

A workload is a function that takes the library and returns a callable to time. To add one: a
function with ``@workload("its group", "its name in the table")``.
"""

import importlib
import json
import sys
import time

WORKLOADS = {}


def workload(group, name):
    def register(prepare):
        WORKLOADS[f"{group}: {name}"] = prepare
        return prepare

    return register


@workload("overhead", "a + b, 4 floats")
def small_add(torch):
    a, b = torch.ones(4), torch.ones(4)
    return lambda: a + b


@workload("overhead", "a + b, 4 floats, recorded")
def small_add_recorded(torch):
    a, b = torch.ones(4, requires_grad=True), torch.ones(4)
    return lambda: a + b


@workload("elementwise", "a + b, 1M floats")
def large_add(torch):
    a, b = torch.ones(1 << 20), torch.ones(1 << 20)
    return lambda: a + b


@workload("elementwise", "a + b, 16M floats")
def huge_add(torch):
    a, b = torch.ones(1 << 24), torch.ones(1 << 24)
    return lambda: a + b


@workload("elementwise", "a + b.T, 1024 x 1024")
def transposed_add(torch):
    a, b = torch.ones(1024, 1024), torch.ones(1024, 1024)
    return lambda: a + b.t()


@workload("elementwise", "exp, 1M floats")
def large_exp(torch):
    a = torch.linspace(-5, 5, 1 << 20)
    return lambda: torch.exp(a)


@workload("elementwise", "tanh, 1M floats")
def large_tanh(torch):
    a = torch.linspace(-5, 5, 1 << 20)
    return lambda: torch.tanh(a)


@workload("elementwise", "sum, 4M floats")
def large_sum(torch):
    a = torch.ones(1 << 22)
    return lambda: a.sum()


@workload("elementwise", "softmax, 512 x 1000")
def rows_softmax(torch):
    a = torch.linspace(-5, 5, 512000).view(512, 1000)
    return lambda: torch.softmax(a, 1)


@workload("overhead", "matmul, 4 x 4")
def small_matmul(torch):
    a, b = torch.ones(4, 4), torch.ones(4, 4)
    return lambda: a @ b


@workload("gemm", "matmul, 1024 x 1024")
def large_matmul(torch):
    a, b = torch.ones(1024, 1024), torch.ones(1024, 1024)
    return lambda: a @ b


@workload("conv", "conv2d, 16 x 32 x 32 x 32, 3 x 3")
def convolution(torch):
    x, w = torch.ones(16, 32, 32, 32), torch.ones(32, 32, 3, 3)
    return lambda: torch.nn.functional.conv2d(x, w, padding=1)


@workload("overhead", "backward through 20 small ops")
def small_backward(torch):
    x = torch.ones(4, requires_grad=True)

    def run():
        y = x
        for _ in range(10):
            y = (y * 0.5).tanh()
        y.sum().backward()

    return run


@workload("models", "training step, 2 linear layers of 32")
def small_step(torch):
    model = torch.nn.Sequential(torch.nn.Linear(32, 32), torch.nn.ReLU(), torch.nn.Linear(32, 10))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    x, y = torch.ones(16, 32), torch.zeros(16, dtype=torch.int64)

    def run():
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()

    return run


@workload("elementwise", "x + column, 1024 x 1024")
def column_add(torch):
    x, column = torch.ones(1024, 1024), torch.ones(1024, 1)
    return lambda: x + column


@workload("elementwise", "uint8 a + b, 1M")
def byte_add(torch):
    a = torch.ones(1 << 20, dtype=torch.uint8)
    return lambda: a + a


@workload("elementwise", "bfloat16 a + b, 1M")
def short_add(torch):
    a = torch.ones(1 << 20).to(torch.bfloat16)
    return lambda: a + a


@workload("elementwise", "gelu, 1M floats")
def large_gelu(torch):
    a = torch.linspace(-5, 5, 1 << 20)
    return lambda: torch.nn.functional.gelu(a)


@workload("elementwise", "softmax of columns, 1024 x 1024")
def columns_softmax(torch):
    a = torch.linspace(-5, 5, 1 << 20).view(1024, 1024)
    return lambda: torch.softmax(a, 0)


@workload("elementwise", "x[mask], 1M floats")
def mask_index(torch):
    torch.manual_seed(0)
    x = torch.randn(1024, 1024)
    mask = x > 0
    return lambda: x[mask]


@workload("elementwise", "scatter_add, 1024 x 1024")
def rows_scatter_add(torch):
    torch.manual_seed(0)
    out, x = torch.zeros(1024, 1024), torch.randn(1024, 1024)
    index = torch.randint(0, 1024, (1024, 1024))
    return lambda: out.scatter_add_(0, index, x)


@workload("elementwise", "sort, 1M floats")
def large_sort(torch):
    torch.manual_seed(0)
    a = torch.randn(1 << 20)
    return lambda: a.sort()


@workload("gemm", "attention, 4 x 8 x 128 x 64")
def attention(torch):
    q = torch.ones(4, 8, 128, 64)
    return lambda: torch.nn.functional.scaled_dot_product_attention(q, q, q)


@workload("gemm", "linear, 1 x 768 x 3072")
def narrow_linear(torch):
    x, w = torch.ones(1, 768), torch.ones(3072, 768)
    return lambda: torch.nn.functional.linear(x, w)


@workload("conv", "max_pool2d, 16 x 32 x 64 x 64")
def pooling(torch):
    x = torch.ones(16, 32, 64, 64)
    return lambda: torch.nn.functional.max_pool2d(x, 2)


@workload("conv", "batch_norm, training, 16 x 32 x 32 x 32")
def batch_norm(torch):
    x, mean, variance = torch.ones(16, 32, 32, 32), torch.zeros(32), torch.ones(32)
    return lambda: torch.nn.functional.batch_norm(x, mean, variance, training=True)


@workload("linalg", "solve, 256 x 256")
def linear_solve(torch):
    a, b = torch.eye(256) * 2 + 0.01, torch.ones(256, 8)
    return lambda: torch.linalg.solve(a, b)


@workload("linalg", "rfft, 64 x 4096")
def real_transform(torch):
    x = torch.ones(64, 4096)
    return lambda: torch.fft.rfft(x)


@workload("optim", "Adam, 50 parameters of 4")
def many_parameters(torch):
    parameters = [torch.nn.Parameter(torch.ones(4)) for _ in range(50)]
    for p in parameters:
        p.grad = torch.ones(4)
    return torch.optim.Adam(parameters, lr=1e-6).step


@workload("models", "LSTM cell, 20 steps and backward")
def recurrent(torch):
    cell, xs = torch.nn.LSTMCell(16, 32), torch.ones(20, 1, 16)

    def run():
        h = c = torch.zeros(1, 32)
        for x in xs:
            h, c = cell(x, (h, c))
        h.sum().backward()
        cell.zero_grad()

    return run


@workload("data", "DataLoader, 1000 items in batches of 50")
def loader(torch):
    data = torch.utils.data.TensorDataset(torch.ones(1000, 8), torch.zeros(1000))
    batches = torch.utils.data.DataLoader(data, batch_size=50)
    return lambda: sum(1 for _ in batches)


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
        importlib.import_module(library + ".utils.data")
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
