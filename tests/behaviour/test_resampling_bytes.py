"""interpolate of uint8: each pass sums products of whole numbers and rounds once."""

import math

import pytest
import rushlight as rl

F = rl.nn.functional


def kernel(mode, x, a):
    x = abs(x)
    if mode == "bilinear":
        return max(1 - x, 0)
    if x < 1:
        return ((a + 2) * x - (a + 3)) * x * x + 1
    return ((x - 5) * x + 8) * x * a - 4 * a if x < 2 else 0


def terms(mode, before, after, antialias):
    """Of each result {position: weight}."""
    scale, reach = before / after, 1 if mode == "bilinear" else 2
    for i in range(after):
        weights = {}
        if antialias:
            wide, centre = max(scale, 1), (i + 0.5) * scale
            first = max(int(centre - reach * wide + 0.5), 0)
            for k in range(first, min(int(centre + reach * wide + 0.5), before)):
                weights[k] = kernel(mode, (k - centre + 0.5) / wide, -0.5)
            total = sum(weights.values())
            yield {k: w / total for k, w in weights.items()}
            continue
        at = (i + 0.5) * scale - 0.5
        at = max(at, 0) if mode == "bilinear" else at
        for k in range(math.floor(at) - reach + 1, math.floor(at) + reach + 1):
            inside = min(max(k, 0), before - 1)
            weights[inside] = weights.get(inside, 0) + kernel(mode, at - k, -0.75)
        yield weights


def resized(lines, mode, after, antialias):
    """(inputs, lines) to (after, lines)."""
    if lines.shape[0] == after:
        return lines
    table = list(terms(mode, lines.shape[0], after, antialias))
    most, bits = max(w for t in table for w in t.values()), 0
    while bits < 22 and int(0.5 + most * 2 ** (bits + 1)) < 2**15:
        bits += 1
    rows = []
    for t in table:
        total = rl.full(lines.shape[1:], 2 ** (bits - 1))
        for k, w in t.items():
            total += int(math.copysign(math.floor(abs(w) * 2**bits + 0.5), w)) * lines[k]
        rows.append((total >> bits).clamp(0, 255))
    return rl.stack(rows)


def expected(x, mode, size, antialias):
    y = x.long().permute(3, 0, 1, 2)
    y = resized(y.flatten(1), mode, size[1], antialias).view(size[1], *y.shape[1:])
    y = y.permute(3, 1, 2, 0)
    y = resized(y.flatten(1), mode, size[0], antialias).view(size[0], *y.shape[1:])
    return y.permute(1, 2, 0, 3).to(rl.uint8)


SHAPES = [
    ((2, 3, 19, 33), (7, 12)),
    ((1, 1, 70, 17), (31, 40)),
    ((1, 4, 16, 5), (16, 64)),
    ((3, 2, 9, 63), (20, 63)),
    ((1, 17, 6, 11), (4, 5)),
    ((1, 67, 3, 4), (5, 3)),
    ((1, 3, 1, 1), (3, 2)),
    ((5, 3, 1, 65), (1, 1)),
]


@pytest.mark.parametrize("shape,size", SHAPES)
@pytest.mark.parametrize("mode", ("bilinear", "bicubic"))
@pytest.mark.parametrize("antialias", (False, True))
@pytest.mark.parametrize("extremes", (False, True))
def test_passes_are_sums_of_whole_numbers(shape, size, mode, antialias, extremes):
    x = rl.randint(0, 2, shape) * 255 if extremes else rl.randint(0, 256, shape)
    x = x.to(rl.uint8)
    want = expected(x, mode, size, antialias)
    last = x.contiguous(memory_format=rl.channels_last)
    strided = rl.stack([x, x], 4)[..., 0]
    for v in (x, last, strided):
        got = F.interpolate(v, size=size, mode=mode, antialias=antialias)
        assert got.dtype == rl.uint8 and rl.equal(got, want)
    if shape[1] > 1 and x.numel() > shape[1]:
        got = F.interpolate(last, size=size, mode=mode, antialias=antialias)
        assert got.is_contiguous(memory_format=rl.channels_last)


def test_a_factor_that_keeps_the_size_keeps_the_bytes():
    x = rl.randint(0, 256, (1, 3, 5, 4)).to(rl.uint8)
    y = F.interpolate(x, scale_factor=(1.1, 1.2), mode="bilinear")
    assert rl.equal(y, x) and y.data_ptr() != x.data_ptr()


def test_batches_mapped_and_shapes_alone():
    x = rl.randint(0, 256, (2, 1, 3, 6, 5)).to(rl.uint8)

    def small(v):
        return F.interpolate(v, size=(3, 4), mode="bilinear", antialias=True)

    assert rl.equal(rl.func.vmap(small)(x), rl.stack([small(v) for v in x]))
    assert small(x[0].to("meta")).shape == (1, 3, 3, 4)


def test_threads_give_the_same():
    x = rl.randint(0, 256, (2, 3, 90, 101)).to(rl.uint8)
    threads = rl.get_num_threads()
    results = []
    for n in (1, 2):
        rl.set_num_threads(n)
        results.append(F.interpolate(x, size=(40, 37), mode="bicubic", antialias=True))
    rl.set_num_threads(threads)
    assert rl.equal(*results)
