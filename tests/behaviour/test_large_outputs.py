"""Outputs that are written past the caches equal the same computed in small parts."""

import pytest

import rushlight as rl

N = 3000 * 3000 + 37  # floats: more bytes than any threshold
PART = 1 << 19


@pytest.fixture(scope="module")
def operands():
    rl.manual_seed(0)
    return rl.randn(N + 3), rl.randn(N + 3)


def assert_parts_equal(op, out, *inputs):
    for i in range(0, out.shape[0], PART):
        part = op(*(x[i : i + PART] for x in inputs))
        assert rl.equal(out[i : i + PART], part), i


POINTWISE = {
    "add": lambda a, b: a + b,
    "relu": lambda a, b: a.relu(),
    "clamp": lambda a, b: a.clamp(-0.5, 1),
    "where": lambda a, b: rl.where(a > b, a, b),
    "widen": lambda a, b: a.double(),
    "narrow": lambda a, b: a.double().bfloat16().float(),
    "halves": lambda a, b: a.half() + b.half(),
    "mixed": lambda a, b: a.double() * b,
    "integers": lambda a, b: (a * 100).long() + 1,
    "clone": lambda a, b: a.clone(),
}


@pytest.mark.parametrize("name", POINTWISE)
@pytest.mark.parametrize("offset", [0, 1, 3])
def test_pointwise(operands, name, offset):
    a, b = (x[offset : offset + N] for x in operands)
    op = POINTWISE[name]
    assert_parts_equal(op, op(a, b), a, b)


@pytest.mark.parametrize("threads", [1, 2])
def test_out_at_any_place(operands, threads):
    a, b = (x[:N] for x in operands)
    before = rl.get_num_threads()
    rl.set_num_threads(threads)
    try:
        room = rl.full((N + 8,), 7.0)
        rl.mul(a, b, out=room[5 : 5 + N])
    finally:
        rl.set_num_threads(before)
    assert_parts_equal(rl.mul, room[5 : 5 + N], a, b)
    assert rl.equal(room[:5], rl.full((5,), 7.0)) and rl.equal(room[-3:], rl.full((3,), 7.0))


def test_in_place_and_an_input_as_out(operands):
    a, b = (x[:N].clone() for x in operands)
    wanted = a + b
    assert rl.equal(rl.add(a, b, out=b), wanted)
    b.sub_(a).add_(a)
    assert (b - wanted).abs().max() < 1e-6


ROWS = {
    "broadcast row": lambda x: x + x[0],
    "broadcast column": lambda x: x * x[:, :1],
    "flip": lambda x: x.flip(1),
    "roll": lambda x: x.roll(3, 1),
    "repeat": lambda x: x.repeat(1, 2),
    "cat": lambda x: rl.cat([x, x], 1),
    "stack": lambda x: rl.stack([x, -x], 1),
    "every other": lambda x: x[:, ::2].repeat(1, 2),
    "column-major": lambda x: x.t().clone().t(),
    "pad": lambda x: rl.nn.functional.pad(x, (3, 1)),
}


@pytest.mark.parametrize("name", ROWS)
def test_rows(operands, name):
    x = operands[0][: 2999 * 3001].view(2999, 3001)[:, :-1]  # rows begin anywhere
    whole = ROWS[name](x)
    head = x[:1]
    for i in (1, 7, 1000, x.shape[0] - 1):
        part = ROWS[name](rl.cat([head, x[i : i + 1]]))
        assert rl.equal(whole[i], part[1])


def test_transposed_triangles_and_selection(operands):
    n = 2999
    x = operands[0][: n * n].view(n, n)
    y = x.t().contiguous()
    at = rl.randperm(n)
    picked, tables = x.index_select(0, at), rl.nn.functional.embedding(at, x)
    upper, lower = x.triu(1), x.tril(-2)
    for i in (0, 1, 17, n - 1):
        assert rl.equal(y[i], x[:, i].clone())
        assert rl.equal(picked[i], x[int(at[i])]) and rl.equal(tables[i], picked[i])
        assert not upper[i, : i + 1].any() and rl.equal(upper[i, i + 1 :], x[i, i + 1 :])
        edge = max(0, i - 1)
        assert not lower[i, edge:].any() and rl.equal(lower[i, :edge], x[i, :edge])
    assert rl.equal(rl.add(x, x.t()), rl.add(y, y.t()))


@pytest.mark.parametrize("dtype", [rl.float32, rl.int64, rl.uint8, rl.complex128])
@pytest.mark.parametrize("value", [0, 3])
def test_filled(dtype, value):
    n = (64 << 20) // dtype.itemsize + 5
    x = rl.full((n,), value, dtype=dtype)
    assert (x == value).all() and x[-1] == value
    x[3:-3].fill_(value + 4)  # begins and ends within a line
    assert (x[3:-3] == value + 4).all() and (x[:3] == value).all() and (x[-3:] == value).all()


ROW_WISE = {
    "softmax": lambda x: x.softmax(1),
    "log_softmax": lambda x: x.log_softmax(1),
    "layer_norm": lambda x: rl.nn.functional.layer_norm(x, x.shape[1:]),
    "weighted layer_norm": lambda x: rl.nn.functional.layer_norm(
        x, x.shape[1:], rl.arange(1.0, 1 + x.shape[1])
    ),
    "rms_norm": lambda x: rl.nn.functional.rms_norm(x, x.shape[1:]),
}


@pytest.mark.parametrize("name", ROW_WISE)
def test_rows_and_their_gradients(operands, name):
    x, start = (t[: 2999 * 3001].view(2999, 3001) for t in operands)

    def both(x, start):
        x = x.detach().requires_grad_()
        out = ROW_WISE[name](x)
        return out.detach(), *rl.autograd.grad(out, x, start)

    whole = both(x, start)
    for i in range(0, 2999, 500):
        for one, part in zip(whole, both(x[i : i + 500], start[i : i + 500])):
            assert rl.equal(one[i : i + 500], part), i


def normalized_by_channel(x):
    """With the statistics given, so that parts of a batch can be normalised by themselves."""
    mean, var = rl.arange(x.shape[1]) / x.shape[1], rl.arange(1.0, 1 + x.shape[1])
    return rl.nn.functional.batch_norm(x, mean, var)


@pytest.mark.parametrize("shape", [(40, 9, 160, 156), (2999, 3001), (14, 6, 107, 999)])
@pytest.mark.parametrize("op", [normalized_by_channel, lambda x: rl.nn.functional.group_norm(x, 1)])
@pytest.mark.parametrize("dtype", [rl.float32, rl.bfloat16])
def test_normalized_images_and_their_gradients(operands, shape, op, dtype):
    x, start = (t[: rl.Size(shape).numel()].view(shape).to(dtype) for t in operands)

    def both(x, start):
        x = x.detach().requires_grad_()
        out = op(x)
        return out.detach(), *rl.autograd.grad(out, x, start)

    whole = both(x, start)
    for i in (0, 3, shape[0] - 1):
        for one, part in zip(whole, both(x[i : i + 1], start[i : i + 1])):
            assert rl.equal(one[i : i + 1], part), i
