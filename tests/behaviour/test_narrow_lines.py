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
