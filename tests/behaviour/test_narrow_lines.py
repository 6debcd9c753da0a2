"""gather and scatter with one index per line, and order within short lines."""

import pytest

import rushlight as rl


def lines_of(shape, dtype=rl.float32, seed=0):
    generator = rl.Generator().manual_seed(seed)
    return rl.randint(-9, 10, shape, generator=generator).to(dtype)


def one_index(lines, width, dtype=rl.int64):
    return (rl.arange(lines) * 5 // 2 % width).to(dtype)[:, None]


VIEWS = {
    "rows": lambda x: x,
    "transposed": lambda x: x.t().contiguous().t(),
    "every second row": lambda x: x.repeat_interleave(2, 0)[::2],
    "every second column": lambda x: x.repeat_interleave(2, 1)[:, ::2],
    "three dimensions": lambda x: x[None].repeat(2, 1, 1)[:, : len(x) // 2],
    "uneven lines": lambda x: x.view(-1, 2, x.shape[1]).transpose(0, 1),
}


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("lines, width", [(2, 1), (16, 2), (34, 3), (130, 8)])
@pytest.mark.parametrize("dtype", [rl.float32, rl.float64, rl.int8, rl.bool, rl.complex64])
def test_one_element_of_each_line(view, lines, width, dtype):
    x = VIEWS[view](lines_of((lines, width), dtype))
    index = one_index(x[..., 0].numel(), width).view(x.shape[:-1] + (1,))
    rows, chosen = x.reshape(-1, width).tolist(), index.flatten().tolist()
    assert x.gather(-1, index).flatten().tolist() == [r[i] for r, i in zip(rows, chosen)]
    assert rl.equal(x.gather(-1, index.int()), x.gather(-1, index))

    source = x.gather(-1, index)
    zeros = rl.zeros(x.shape, dtype=dtype)
    placed = zeros.scatter(-1, index, source)
    expected = [[v if j == i else 0 for j, v in enumerate(r)] for r, i in zip(rows, chosen)]
    assert placed.reshape(-1, width).tolist() == expected
    added = x.scatter_add(-1, index, source)
    assert rl.equal(added, (x + placed).to(dtype))
    ones = x.scatter(-1, index, 1).reshape(-1, width).tolist()
    assert ones == [[1 if j == i else v for j, v in enumerate(r)] for r, i in zip(rows, chosen)]
    into = x.clone()
    assert rl.equal(into.scatter_(-1, index, source), x)


def test_a_source_that_is_one_number_expanded():
    index = one_index(40, 3)
    ones = rl.ones(1, 1).expand(40, 1)
    assert rl.equal(rl.zeros(40, 3).scatter(1, index, ones).argmax(1), index[:, 0])


@pytest.mark.parametrize("bad", [-1, 3, 2**40, -(2**62)])
def test_the_first_index_outside_is_named(bad):
    x, index = lines_of((50, 3)), one_index(50, 3)
    index[41, 0], index[47, 0] = bad, 99
    for call in (lambda: x.gather(1, index), lambda: x.scatter(1, index, 0.0)):
        with pytest.raises(RuntimeError, match=f"index {bad} is out of bounds"):
            call()


def test_the_gradient_of_a_chosen_element():
    x, index = lines_of((100, 5)).requires_grad_(), one_index(100, 5)
    (grad,) = rl.autograd.grad(x.gather(1, index).sum(), [x])
    assert rl.equal(grad, rl.nn.functional.one_hot(index[:, 0], 5).float())


NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize("width", [1, 2, 3, 5, 8, 15, 16, 17, 31, 33, 64, 100, 127, 128, 129])
@pytest.mark.parametrize("dtype", [rl.float32, rl.bfloat16, rl.uint8, rl.int32, rl.bool, rl.int64])
def test_short_lines_are_sorted_stably(width, dtype):
    for lines in (1, 7, 9, 16, 35):
        x = lines_of((lines, width), dtype, seed=width)
        for descending in (False, True):
            values, positions = x.sort(1, descending)
            for row, sorted_, at in zip(x.tolist(), values.tolist(), positions.tolist()):
                by_hand = sorted(range(width), key=row.__getitem__)
                if descending:
                    by_hand = sorted(range(width), key=lambda i: -row[i])
                assert at == by_hand and sorted_ == [row[i] for i in by_hand]


def test_extremes_in_short_lines():
    row = [NAN, -0.0, INF, 0.0, -INF, NAN, 3e-45, -3e-45]
    up, down = [4, 7, 1, 3, 6, 2, 0, 5], [0, 5, 2, 6, 1, 3, 7, 4]
    for x in (rl.tensor([row] * 20), rl.tensor([row] * 20).t().contiguous().t()):
        assert x.argsort(1).tolist() == [up] * 20
        assert x.argsort(1, descending=True).tolist() == [down] * 20
        assert str(x.sort(1)[0][:, 2:4].tolist()) == str([[-0.0, 0.0]] * 20)
    ends = rl.tensor([[2**31 - 1, -(2**31), 0]] * 20, dtype=rl.int32)
    assert ends.argsort(1).tolist() == [[1, 2, 0]] * 20


@pytest.mark.parametrize("width", [1, 2, 3, 4, 5, 7, 8, 9, 17])
@pytest.mark.parametrize("lines", [1, 3, 4, 5, 70])
@pytest.mark.parametrize("dtype", [rl.float32, rl.float64, rl.int64, rl.complex64, rl.bfloat16])
def test_running_sums_and_products(lines, width, dtype):
    x = lines_of((lines, width), rl.int64) % 3 - 1
    sums, products = [], []
    for row in x.tolist():
        sums.append([sum(row[: i + 1]) for i in range(width)])
        products.append([1] * width)
        for i in range(width):
            products[-1][i] = row[i] * (products[-1][i - 1] if i else 1)
    t = x.to(dtype)
    for lines_first in (t, t.t().contiguous().t()):
        assert rl.equal(lines_first.cumsum(1), rl.tensor(sums).to(dtype))
        assert rl.equal(lines_first.cumprod(1), rl.tensor(products).to(dtype))
    assert rl.equal(t.t().contiguous().cumsum(0).t(), rl.tensor(sums).to(dtype))
    if dtype.is_floating_point and dtype != rl.bfloat16:
        leaf = t.clone().requires_grad_()
        (g,) = rl.autograd.grad(leaf.cumsum(1), leaf, rl.ones_like(t))
        assert g.tolist() == [list(range(width, 0, -1))] * lines


@pytest.mark.parametrize("width", [1, 2, 5, 33])
@pytest.mark.parametrize("lines", [1, 3, 4, 6, 300])
@pytest.mark.parametrize("dtype", [rl.float32, rl.float64, rl.int64, rl.int8, rl.bool, rl.bfloat16])
def test_running_extremes_and_their_places(lines, width, dtype):
    x = lines_of((lines, width), rl.int64) % 5
    if dtype.is_floating_point:
        x = x.to(dtype)
        x[::2, width // 2] = float("nan")
        x[1::3, 0] = -float("inf")
    x = x.to(dtype)
    for name in ("cummax", "cummin"):
        values, places = getattr(x, name)(1)
        for row, found, at in zip(x.tolist(), values.tolist(), places.tolist()):
            best, place = row[0], 0
            for i, v in enumerate(row):
                if v != v or (v >= best if name == "cummax" else v <= best):
                    best, place = v, i
                assert at[i] == place and (
                    found[i] == best or (found[i] != found[i] and best != best)
                )
        down = getattr(x.t().contiguous(), name)(0)
        assert rl.equal(down[1].t(), places)
        rl.testing.assert_close(down[0].t(), values, equal_nan=True, rtol=0, atol=0)


@pytest.mark.parametrize("width", [0, 1, 2, 7, 33, 300])
@pytest.mark.parametrize("descending", [False, True])
def test_bools_in_order(width, descending):
    x = lines_of((5, width), rl.int64) % 3 == 0
    for t in (x, x.t().contiguous().t()):
        values, places = t.sort(1, descending=descending)
        for row, found, at in zip(x.tolist(), values.tolist(), places.tolist()):
            order = sorted(range(width), key=lambda i, row=row: row[i] != descending)
            assert at == order and found == [row[i] for i in order]
    down = x.t().contiguous().sort(stable=True, dim=0, descending=descending)
    assert rl.equal(down[1].t(), x.sort(1, descending=descending)[1])
    assert rl.equal(down[0].t(), x.sort(1, descending=descending)[0])


@pytest.mark.parametrize(
    "width, k", [(17, 17), (20, 17), (33, 20), (100, 99), (128, 40), (300, 50)]
)
@pytest.mark.parametrize("dtype", [rl.float32, rl.int32, rl.bfloat16, rl.float64])
@pytest.mark.parametrize("largest", [False, True])
def test_the_largest_of_many_short_lines(width, k, dtype, largest):
    distinct = rl.stack([rl.randperm(width) for _ in range(21)]).to(dtype)
    equals = lines_of((21, width), dtype)
    for x in (distinct, equals):
        if dtype.is_floating_point:
            x[3, width // 2] = x[4, 0] = x[4, 1] = float("nan")
        values, places = x.topk(k, 1, largest)
        assert rl.equal(x.gather(1, places).nan_to_num(99), values.nan_to_num(99))
        ordered = x.sort(1, descending=largest)[0][:, :k]
        assert rl.equal(values.nan_to_num(99), ordered.nan_to_num(99))
        for i in range(21):  # one line alone chooses the same among equals
            assert rl.equal(x[i].topk(k, 0, largest)[1], places[i])
