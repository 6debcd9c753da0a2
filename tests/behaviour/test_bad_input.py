"""Bad input: each expression raises PyTorch's exception type, and the message names what is wrong.

A row is ``expression | exception type | words of the message``. The types are those of PyTorch
2.13, which tools/check_bad_input.py asks again. To add a case, add a row.
"""

import re
import warnings

import pytest

import rushlight as rl

TABLE = r"""
# two numbers
torch.eq(1, 2) | TypeError | self; must be Tensor
torch.lt(1, x) | TypeError | self; must be Tensor
torch.remainder(5, 2) | TypeError | remainder; self
torch.fmod(5, x) | TypeError | fmod; self
torch.bitwise_and(1, 2) | TypeError | bitwise_and; self
torch.special.zeta(2, 3) | TypeError | zeta; self
torch.float_power(2, 3) | TypeError | float_power; self
torch.isin(1, 2) | TypeError | isin; elements
torch.maximum(x, 1) | TypeError | maximum; other
torch.where(x, 1, 2) | RuntimeError | where; dtype
torch.add(x, '1') | TypeError | add; other
torch.add(x, None) | TypeError | add; other
torch.exp(1.0) | TypeError | exp; self
torch.sum(3) | TypeError | sum; self
# counts
torch.exp(x, z=1) | TypeError | exp; z
torch.add(x, y, beta=2) | TypeError | add; beta
torch.add(x, y, other=y) | TypeError | add; other
torch.sum(x, 0, dim=0) | TypeError | sum; dim
torch.sum(x, 0, axis=0, dim=1) | TypeError | sum; dim
x.add(y, other=y) | TypeError | add; other
torch.exp(input=x, self=x) | TypeError | exp; self
# types
torch.sum(x, dim='0') | TypeError | sum; dim
torch.sum(x, dim=0.5) | TypeError | sum; dim
torch.sum(x, dim=[0.5]) | TypeError | sum; dim
torch.sum(x, keepdim='yes', dim=0) | TypeError | sum; keepdim
torch.zeros(2.5) | TypeError | size; must be tuple
torch.zeros(2, dtype='float32') | TypeError | dtype; must be torch
torch.zeros(2, dtype=3) | TypeError | dtype; must be torch
torch.zeros(2, device='gpu') | RuntimeError | device; gpu
torch.cat([x, 1]) | TypeError | cat; tensors
torch.cat((x, None)) | TypeError | cat; tensors
torch.stack([x, [1, 2]]) | TypeError | stack; tensors
x.reshape(2, '3') | TypeError | reshape; shape
torch.transpose(x, 0, 'a') | TypeError | transpose; dim1
torch.full((2,), [1]) | TypeError | full; fill_value
torch.arange('3') | TypeError | arange; end
torch.roll(x, 'a') | TypeError | roll; shifts
torch.nn.functional.softmax(x, dim='a') | TypeError | softmax; dim
torch.norm(x, p=[1]) | TypeError | ord; must be float
torch.randn(2, generator=3) | TypeError | randn; generator
torch.split(x, 'a') | TypeError | split; split_size
torch.split(x, [1, 'a']) | TypeError | split; split_size
torch.topk(x, 1.5) | TypeError | topk; k
# overflow
torch.full((2,), 2**40, dtype=torch.int32) | RuntimeError | full; overflow
torch.full((2,), 1e40, dtype=torch.float32) | RuntimeError | full; overflow
torch.zeros(2**62, 4) | RuntimeError | [4611686018427387904, 4]; overflow; sizes
torch.empty(2**40, 2**40) | RuntimeError | [1099511627776, 1099511627776]; overflow; sizes
torch.add(x, 2**64) | OverflowError | add; other
i8.fill_(300) | RuntimeError | fill; overflow
torch.sum(x, dim=2**64) | ValueError | sum; dim
torch.arange(2**64) | OverflowError | arange; end
# sizes
torch.zeros(-1) | RuntimeError | negative; dimension
torch.zeros(2, -3) | RuntimeError | negative; dimension
torch.ones(-2) | RuntimeError | negative; dimension
torch.randint(0, 10, (-1,)) | RuntimeError | negative; dimension
torch.full((-1,), 1.0) | RuntimeError | negative; dimension
torch.arange(0, float('inf')) | RuntimeError | inf; range
x.reshape(-1, -1) | RuntimeError | dimension; shape
x.reshape(-1, 4) | RuntimeError | shape; size
x.t().view(6) | RuntimeError | view; [3, 2]; [1, 3]
x.expand(3) | RuntimeError | [2, 3]; [3]
x.repeat(2) | RuntimeError | repeat; [2]; [2, 3]
x.repeat(-1, 2) | RuntimeError | negative; dimension
x.resize_(-1) | RuntimeError | negative; dimension
x.as_strided((2, 2), (1,)) | RuntimeError | [2, 2]; [1]
torch.split(x, [1, 5], 1) | RuntimeError | [1, 5]; size; dimension
torch.tile(x, (-1,)) | RuntimeError | negative; dimension
torch.narrow(x, 1, 0, -1) | RuntimeError | narrow; must be non; negative
torch.unflatten(x, 1, (2, 2)) | RuntimeError | unflatten; [2, 2]
torch.movedim(x, (0, 1), (0,)) | RuntimeError | movedim; [0, 1]; [0]
torch.bincount(torch.tensor([-1])) | RuntimeError | bincount; negative
# dims
torch.sum(x, 2) | IndexError | sum; range
torch.sum(x, -3) | IndexError | sum; range
torch.sum(x, (0, 5)) | IndexError | sum; range
torch.mean(x, 3) | IndexError | mean; range
torch.argmax(x, 2) | IndexError | argmax; range
torch.cumsum(x, 2) | IndexError | cumsum; range
torch.topk(x, 5) | RuntimeError | topk; index; range
torch.topk(x, 1, 2) | IndexError | topk; range
torch.median(x, 2) | IndexError | median; range
torch.permute(x, (0, 0)) | RuntimeError | permute; [0, 0]
torch.select(x, 0, 5) | IndexError | select; [2, 3]
torch.index_select(x, 3, i) | IndexError | index_select; range
torch.var(x, 2) | IndexError | var; range
torch.all(x, 2) | IndexError | all; range
x.size(2) | IndexError | size; range
x.stride(2) | IndexError | stride; range
torch.max(torch.zeros(0)) | RuntimeError | max; dim
torch.argmax(torch.zeros(0)) | IndexError | argmax; dim
torch.median(torch.zeros(0, 2), 0) | IndexError | median; dim; size
torch.amax(torch.zeros(0)) | RuntimeError | amax; dim
# shapes
x + torch.zeros(4) | RuntimeError | [2, 3]; [4]
x.add_(torch.zeros(4)) | RuntimeError | [2, 3]; [4]
torch.matmul(v, x) | RuntimeError | matmul; [3]; [2, 3]
torch.mm(x, x) | RuntimeError | [2, 3]; dimension
torch.bmm(x, x) | RuntimeError | bmm; [2, 3]
torch.dot(x, x) | RuntimeError | dot; [2, 3]
torch.addmm(x, x, x) | RuntimeError | addmm; [2, 3]
torch.matmul(torch.tensor(1.), x) | RuntimeError | matmul; [2, 3]
torch.cat([x, torch.zeros(2, 4)]) | RuntimeError | dimension; size
torch.where(b, x, torch.zeros(4)) | RuntimeError | [2, 3]; [4]
torch.broadcast_tensors(x, torch.zeros(4)) | RuntimeError | [2, 3]; [4]
x.masked_fill_(torch.tensor([True, False]), 1) | RuntimeError | [2]; [2, 3]
x[torch.tensor([True, False, True])] | IndexError | [3]; [2, 3]
x.__setitem__(torch.tensor([True, False, True]), 1) | IndexError | [3]; [2, 3]
torch.nn.functional.linear(x, torch.zeros(4, 5)) | RuntimeError | linear; [2, 3]; [4, 5]
torch.nn.functional.cross_entropy(x, torch.rand(5, 3)) | ValueError | batch_size; 2; 5
torch.nn.functional.fractional_max_pool2d(t3, 5, 2) | RuntimeError | fractional_max_pool2d; size
torch.nn.functional.mse_loss(x, torch.zeros(4)) | RuntimeError | [2, 3]; [4]
torch.nn.functional.embedding(x, torch.zeros(3, 2)) | RuntimeError | embedding; dtype
torch.nn.functional.max_pool2d(x, 3) | RuntimeError | [2, 3]; shape
torch.linalg.inv(x) | RuntimeError | linalg; inv
torch.linalg.inv(torch.zeros(2, 2)) | RuntimeError | linalg; inv
# dtypes
torch.matmul(x, d2) | RuntimeError | matmul; dtype
torch.dot(v, v.double()) | RuntimeError | dot; dtype
torch.addmm(torch.zeros(2, 2), x, d2) | RuntimeError | addmm; dtype
i.add_(0.5) | RuntimeError | add; cast
bb.add_(1) | RuntimeError | add; cast
torch.neg(bb) | RuntimeError | neg; bool
torch.logical_and(x, 'a') | TypeError | logical_and; other
torch.index_select(x, 0, x[0]) | RuntimeError | index_select; dtype; index
x.scatter_(0, x.long().int(), 1.) | RuntimeError | scatter; index; dimension
x.index_add_(0, torch.tensor([0]), d2[:1]) | RuntimeError | index_add; dtype
x.masked_fill_(i, 1) | RuntimeError | masked_fill; mask; dtype
x.masked_fill_(torch.zeros(2, 3), 1) | RuntimeError | masked_fill; mask; dtype
torch.where(x, x, x) | RuntimeError | where; dtype
torch.view_as_complex(x) | RuntimeError | [2, 3]; dimension; size
torch.nn.functional.embedding(torch.zeros(2), torch.zeros(3, 2)) | RuntimeError | embedding; dtype
torch.randint(0, 300, (2,), dtype=torch.uint8) | RuntimeError | range; dtype
torch.bernoulli(x * 5) | RuntimeError | bernoulli; [0, 1]
x.uniform_(1, 0) | RuntimeError | uniform; range
torch.logspace(0, 1, -1) | RuntimeError | must be non; negative
torch.linalg.vector_norm(x, 'fro') | TypeError | vector_norm; ord
# indexing
x[2] | IndexError | index; dimension; size
x[-3] | IndexError | index; dimension; size
x[torch.tensor([5])] | IndexError | index; dimension; size
x[torch.tensor([0.5])] | IndexError | must be long; bool
x[torch.tensor([0, 1]), torch.tensor([0, 1, 2])] | IndexError | [2]; [3]
x.__setitem__(5, 1) | IndexError | index; dimension; size
torch.tensor(1)[0] | IndexError | index; dim
torch.tensor(1).__setitem__(0, 2) | IndexError | index; dim
x.index_select(0, torch.tensor([[0]])) | IndexError | index_select; [1, 1]
x.gather(0, torch.tensor([[5]])) | RuntimeError | gather; index; dimension
x.gather(0, torch.zeros(2, 5, dtype=torch.int64)) | RuntimeError | gather; [2, 5]; [2, 3]
x.take(torch.tensor([-7])) | IndexError | take; range; index
x.scatter(0, torch.tensor([[9]]), 1.0) | RuntimeError | scatter; index; dimension
x.scatter_reduce(0, torch.tensor([[0]]), x, 'bad') | RuntimeError | scatter_reduce; bad
x.scatter(0, torch.tensor([[0]]), 1.0, reduce='bad') | RuntimeError | scatter; reduce; bad
x.index_add(0, torch.tensor([0]), torch.zeros(2, 3)) | RuntimeError | index_add; [2, 3]
x.index_fill(0, torch.tensor([9]), 1) | IndexError | index_fill; index; dimension
x.index_put((torch.tensor([9]),), torch.tensor(1.)) | IndexError | index; dimension; size
x.index_put((torch.tensor([0.5]),), torch.tensor(1.)) | IndexError | must be long; bool
x.put_(torch.tensor([9]), torch.tensor([1.])) | IndexError | put; range; index
# out
torch.exp(x, out=3) | TypeError | exp; out
torch.exp(x, out='a') | TypeError | exp; out
torch.exp(x, out=(x, y)) | TypeError | exp; out
torch.exp(x, out=[x]) | TypeError | exp; out
torch.exp(x, out=i) | RuntimeError | exp; cast
torch.exp(i, out=i) | RuntimeError | exp; cast
torch.add(x, y, out=i) | RuntimeError | add; cast
torch.add(x, cplx, out=x) | RuntimeError | add; cast
torch.matmul(x, x.t(), out=torch.zeros(2, 2, dtype=torch.float64)) | RuntimeError | matmul; out
torch.max(x, 0, out=(torch.zeros(3),)) | TypeError | max; out
torch.max(x, 0, out=(torch.zeros(3), torch.zeros(3))) | RuntimeError | max; out
torch.max(x, 0, out=(torch.zeros(3), 3)) | TypeError | max; out
torch.sort(x, out=(torch.zeros(3), torch.zeros(3))) | RuntimeError | sort; out
torch.cat([x, x], out=x) | RuntimeError | cat; clone
torch.stack([x, x], out=3) | TypeError | stack; out
torch.exp(r, out=torch.zeros(2, 3)) | RuntimeError | exp; out
torch.exp(r, out=torch.zeros(2, 3, requires_grad=True)) | RuntimeError | exp; out
torch.add(r, 1, out=x) | RuntimeError | add; out
torch.exp(x, out=torch.zeros(1).expand(2, 3)) | RuntimeError | exp; memory location; clone
torch.exp(x, out=torch.zeros(3).expand(2, 3)) | RuntimeError | exp; memory location; clone
torch.exp(sq.t(), out=sq) | RuntimeError | exp; memory location; clone
torch.bmm(t3.expand(2, 2, 3), t3.expand(2, 2, 3), out=t3) | RuntimeError | bmm; [2, 2, 3]
torch.exp(x, out=torch.zeros(2, 3, device='meta')) | RuntimeError | exp; device; meta
torch.sum(x, 0, out=torch.zeros(3, device='meta')) | RuntimeError | sum; device; meta
torch.where(b, x, x, out=torch.zeros(2, 3, dtype=torch.int64)) | RuntimeError | where; cast
torch.linalg.inv(torch.eye(2), out=torch.zeros(2, 2, dtype=torch.int64)) | RuntimeError | inv; cast
torch.tril(sq, out=torch.zeros(2, 2, dtype=torch.float64)) | RuntimeError | tril; out
torch.fft.fft(x, out=torch.zeros(2, 3)) | RuntimeError | fft; cast
torch.clamp(x, 0, out=i) | RuntimeError | clamp; cast
torch.reshape(x, (3, 2), out=x) | TypeError | reshape; out
# in-place
torch.zeros(1).expand(3).add_(1) | RuntimeError | add; memory location; clone
torch.zeros(1).expand(3).mul_(2) | RuntimeError | mul; memory location; clone
torch.zeros(1).expand(3).__setitem__(slice(None), 1) | RuntimeError | memory location; clone
torch.zeros(1).expand(3).normal_() | RuntimeError | normal; memory location; clone
torch.zeros(1).expand(3).cumsum_(0) | RuntimeError | cumsum; memory location; clone
torch.zeros(1).expand(3).exp_() | RuntimeError | exp; memory location; clone
torch.zeros(1).expand(3).relu_() | RuntimeError | relu; memory location; clone
torch.zeros(1).expand(3).bernoulli_(0.5) | RuntimeError | bernoulli; memory location; clone
torch.zeros(2, 1).expand(2, 2).addmm_(sq, sq) | RuntimeError | addmm; memory location; clone
torch.zeros(1).expand(3).eq_(0) | RuntimeError | eq; memory location; clone
torch.zeros(1).expand(3).pow_(2) | RuntimeError | pow; memory location; clone
torch.zeros(1).expand(3).sub_(2) | RuntimeError | sub; memory location; clone
torch.nn.functional.leaky_relu_(torch.zeros(1).expand(3)) | RuntimeError | memory location; clone
sq.add_(sq.t()) | RuntimeError | add; memory location; clone
v.add_(x) | RuntimeError | add; [3]; [2, 3]
i.exp_() | RuntimeError | exp; cast
i.true_divide_(2) | RuntimeError | true_divide; cast
i.sub_(0.5) | RuntimeError | sub; cast
i.clamp_(0.5) | RuntimeError | clamp; cast
x.add_(cplx[:1]) | RuntimeError | add; cast
i.float_power_(2) | RuntimeError | float_power; cast
r.zero_() | RuntimeError | leaf; requires grad
r.copy_(x) | RuntimeError | copy; leaf; requires grad
r.__setitem__(0, 1) | RuntimeError | leaf; requires grad
r.clamp_(0) | RuntimeError | leaf; requires grad
r.t_() | RuntimeError | leaf; requires grad
x.__setattr__('grad', torch.zeros(4)) | RuntimeError | grad; [2, 3]; [4]
x.__setattr__('requires_grad', 'a') | RuntimeError | requires_grad; must be a; bool
# meta
m + x | RuntimeError | device; meta
x + m | RuntimeError | device; meta
torch.cat([x, m]) | RuntimeError | cat; device; meta
m.tolist() | NotImplementedError | tolist; meta
m.numpy() | TypeError | numpy; meta; device
torch.masked_select(m, m > 0) | NotImplementedError | masked_select; shape; meta
m.cpu() | NotImplementedError | meta; device
m.unique() | NotImplementedError | shape; meta
torch.dot(v, torch.zeros(3, device='meta')) | RuntimeError | dot; device; meta
torch.stack([x, m]) | RuntimeError | stack; device; meta
torch.maximum(x, m) | RuntimeError | maximum; device; meta
torch.equal(x, m) | NotImplementedError | equal; meta
# autograd
(r.sum()).backward(torch.zeros(3)) | RuntimeError | [0]; [3]
r.sum().backward(x) | RuntimeError | [0]; [2, 3]
torch.autograd.grad(r.sum(), r, torch.zeros(3)) | RuntimeError | [0]; [3]
(r * 1).numpy() | RuntimeError | numpy; requires grad
r.unbind()[0].add_(1) | RuntimeError | add; leaf; requires grad
(r * 1).expand(2, 2, 3).add_(1) | RuntimeError | add; memory location; clone
# numbers and dtypes that an op has no meaning for
i ** -1 | RuntimeError | pow; negative; int64
i.pow_(-1) | RuntimeError | pow; negative; int64
torch.clamp(i8, min=-300) | RuntimeError | clamp; -300; int8
torch.add(i, i, alpha=1.5) | RuntimeError | alpha; floating point; add
torch.nn.functional.gelu(i) | NotImplementedError | gelu; Long
torch.nn.functional.softplus(i) | NotImplementedError | softplus; Long
torch.nn.functional.mse_loss(i, i) | NotImplementedError | mse_loss; int64
torch.lerp(i, i, 0.5) | NotImplementedError | lerp; Long
torch.lerp(v, v, torch.zeros(3, dtype=torch.int64)) | RuntimeError | lerp; weight; int64; float32
torch.relu(b) | RuntimeError | relu; bool
torch.einsum(3, v) | TypeError | einsum; equation; int
v.set_(3) | TypeError | set_; source; int
~v | TypeError | ~; integer; float32
torch.bincount(v) | NotImplementedError | bincount; float32
torch.cartesian_prod(x) | RuntimeError | cartesian_prod; [2, 3]
torch.chain_matmul(v) | RuntimeError | chain_matmul; 1; 2
torch.atleast_1d('a') | TypeError | str
torch.trapz(torch.zeros(2), v) | RuntimeError | trapezoid; 3; 2
torch.nn.Linear('a', 3) | TypeError | size; must be tuple
torch.nn.Linear(-1, 3) | RuntimeError | negative; dimension
torch.nn.Conv2d(3, 4, 3, groups=2) | ValueError | groups; must be divisible
torch.nn.Conv2d(3, 3, 3, padding_mode='bad') | ValueError | padding_mode; bad
torch.nn.Conv2d(3, 3, 3, stride=2, padding='same') | ValueError | padding; same
torch.nn.Module().forward() | NotImplementedError | Module; forward
torch.nn.LSTM(2, 3, dropout=2) | ValueError | dropout; [0, 1]
torch.nn.RNN(2, 3, nonlinearity='bad') | ValueError | nonlinearity; bad
torch.nn.BatchNorm1d(3)(torch.zeros(1, 3)) | ValueError | [1, 3]; size
torch.nn.PixelShuffle(2)(torch.zeros(1, 3, 2, 2)) | RuntimeError | dimension; size
torch.nn.Unflatten(1, (2, 2))(x) | RuntimeError | [2, 2]; sizes; size
torch.optim.SGD([r], lr=1, speed=1) | TypeError | SGD; speed
torch.utils.data.DataLoader([1], shuffle=True, sampler=[0]) | ValueError | shuffle; sampler
torch.utils.data.DataLoader([1], num_workers=-1) | ValueError | num_workers; negative
"""


def rows():
    """The table's rows: (expression, exception type, words)."""
    for line in TABLE.strip().splitlines():
        if line and not line.startswith("#"):
            expression, kind, words = line.rsplit(" | ", 2)
            yield expression, kind, words.split("; ")


def names(torch):
    """What the expressions may use; fresh for each, as some of them write."""
    torch.manual_seed(0)
    return {
        "torch": torch,
        "x": torch.arange(6.0).reshape(2, 3),
        "y": torch.ones(2, 3),
        "v": torch.arange(3.0),
        "i": torch.tensor([1, 2]),
        "i8": torch.zeros(1, 2, dtype=torch.int8),
        "b": torch.tensor([[True, False, True]] * 2),
        "bb": torch.tensor([True, False]),
        "cplx": torch.zeros(3, dtype=torch.complex64),
        "d2": torch.zeros(3, 2, dtype=torch.float64),
        "t3": torch.zeros(1, 2, 3),
        "r": torch.ones(2, 3, requires_grad=True),
        "m": torch.zeros(2, 3, device="meta"),
        "big": torch.zeros(3, 5),
        "sq": torch.ones(2, 2),
    }


@pytest.mark.parametrize(("expression", "kind", "words"), list(rows()))
def test_bad_input_is_refused(expression, kind, words):
    with pytest.raises(Exception) as caught:
        eval(expression, names(rl))
    builtin = next(c for c in type(caught.value).__mro__ if c.__module__ == "builtins")
    assert builtin.__name__ == kind
    message = str(caught.value)
    missing = [w for w in words if not re.search(re.escape(w), message)]
    assert not missing, f"{message!r} does not name {missing}"


def test_an_output_that_is_resized_warns():
    out = rl.zeros(4)
    with pytest.warns(UserWarning, match=r"resized since it had shape \[4\].*\[2, 3\]"):
        rl.exp(rl.zeros(2, 3), out=out)
    assert out.shape == (2, 3) and out.eq(1).all()


def test_an_empty_output_is_resized_without_a_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        out = rl.empty(0)
        assert rl.add(rl.ones(2), 1, out=out) is out
    assert out.tolist() == [2, 2]


def test_overlaps_that_leave_the_answer_alone_are_allowed():
    x = rl.arange(6.0).reshape(2, 3)
    assert rl.exp(x, out=x) is x
    rl.cumsum(x, 0, out=x)
    wide = rl.arange(5.0).repeat(3, 1)
    rl.add(wide[:, :3], 1, out=wide[:, 1:4])
    assert wide[0].tolist() == [0, 1, 2, 3, 4]


def test_a_refused_output_is_left_as_it_was():
    out = rl.full((2, 2), 7.0, dtype=rl.float64)
    with pytest.raises(RuntimeError, match="float64"):
        rl.mm(rl.ones(2, 2), rl.ones(2, 2), out=out)
    assert out.eq(7).all()


def test_creation_takes_the_dtype_of_its_output():
    out = rl.zeros(3, dtype=rl.int64)
    assert rl.arange(3, out=out) is out and out.dtype == rl.int64
    with pytest.raises(RuntimeError, match="dtype"):
        rl.zeros(3, out=out, dtype=rl.float32)
