"""Cases of tests/behaviour/test_indexing.py: what indexing gives, as recorded with PyTorch."""

SETUP = """
x = torch.arange(6.).reshape(2, 3); z = torch.tensor(1.); y = torch.arange(24).reshape(2, 3, 4)
L = lambda *v: torch.tensor(v)
def put(t, i, v):
    t = t.clone(); t[i] = v; return t
def grad(f, *shape):
    t = (torch.arange(1., 1 + torch.empty(shape).numel()).reshape(shape)).requires_grad_()
    out = f(t); (out * (1 + torch.arange(float(out.numel())).reshape(out.shape))).sum().backward(); return t.grad
"""

READ = """x[1]; x[-1]; x[5]; x[0, 0]; x[0, -4]; x[0, 0, 0]; x[:, 1]; x[:, -2:]; x[::2]; x[1:1]; x[5:]; x[-5:1]; x[::-1]
x[::0]; x[...]; x[..., 0]; x[0, ...]; x[..., ...]; x[None]; x[:, None]; x[..., None]; x[None, 0, None]; x[()]; x['a']
x[1.5]; x[1.5:2]; z[0]; z[:]; z[...]; z[None]; z[True]; z[False]; z[()]; x[True]; x[False]; x[True, 0]; x[None, True, 0]
x[[0, 1]]; x[[[0, 1], [1, 2]]]; x[[slice(0, 1), 1]]; x[(0, 1)]; x[[None, 1]]; x[[]]; x[[True, False]]; x[(0, 1), (1, 2)]
x[(0,),]; x[range(2)]; x[0, :, None]; x[[L(0), L(1)]]; x[L(5)]; x[L(1.)]; x[L(True)]; x[L(0, 1, 1), L(0, 1)]
x[L(0), L(0), L(0)]; x[:, L(0, 1, -1)]; x[:, torch.tensor([[0, 1], [1, 2]])]; x[x > 2]; x[x > 9]; x[torch.tensor(1)]
x[torch.tensor(True)]; x[torch.tensor(1, dtype=torch.uint8)]; x[L(1, 0).int()]; x[L(1, 0).to(torch.uint8)]
x[L(1, 0).to(torch.int16)]; x[np.int64(1)]; x[np.array([0, 1])]; x[np.array([[True, False, True], [False, True, True]])]
x[L(True, False), 1]; x[L(True, False)]; x[:, L(True, False, True)]; y[L(0, 1), :, L(1, 2)]; y[:, L(0, 1), None, L(1, 2)]
y[0, :, L(1, 2)]; y[L(0), 0]; y[..., L(1), 0]; y[:, L(True, True, False), 1]; y[y % 5 == 0]; y[:, torch.zeros(4, dtype=torch.bool)]
y[y[..., 0] > 5]; y[L(1, 0)[:, None], L(0, 2)]; y.transpose(0, 2)[L(3, 0)]; y[:, 1:, ::2]; y[1, :, 1:3]; y[-1, -1, -1]
y[..., L(0, 1), L(1, 1)]; y[L(0, 1)[None], ..., L(1)]; y[:, L(0), :]; x[L()]; x.half()[L(1)]; (x > 2)[0]; x[torch.empty(0, dtype=torch.long)]
x[torch.empty(0, 3, dtype=torch.long)]; torch.zeros(0, 3)[L(0)]; torch.zeros(0, 3)[:, L(0)]; x.to(torch.complex64)[1, L(2, 0)]"""

WRITE = """put(x, 0, 7); put(x, (0, 1), 7.5); put(x, slice(None), 1); put(x, (slice(None), 1), L(8., 9.)); put(x, 0, L(1, 2, 3))
put(x, 0, torch.ones(2)); put(x, slice(None), torch.ones(1, 1, 2, 3)); put(x, x > 2, 0); put(x, x > 2, L(1., 2., 3.))
put(x, x > 2, torch.ones(4)); put(x, L(0, 1), torch.ones(4)); put(x, L(1), torch.ones(1, 1, 1, 3)); put(x, (L(0, 0), L(1, 1)), L(5., 6.))
put(x, 0, 'a'); put(x, 0, [1, 2, 3]); put(x, 0, np.ones(3)); put(x, (0, 0), 1j); put(x.long(), 0, 1.5); put(x, ..., z); put(x, None, z)
put(x, True, 3); put(x, False, 3); put(x, (..., 1), 4); put(x, 5, 1); put(x, L(9), 1); put(x > 2, 0, True); put(x.int(), L(0), 2.7)
put(z, (), 5); put(z, ..., 5); put(x, (slice(None), slice(None, None, 2)), -1); put(y, (L(0, 1), slice(None), L(1, 2)), 0)
put(x.to(torch.bfloat16), (1, slice(1, 3)), L(1.5, 2.5)); put(x, [0, 1], 3); put(x, L(True, False), 9)
put(x, (slice(None), L(True, False, True)), L(1., 2.)); x.index_put((L(0),), torch.ones(3, dtype=torch.float64))
x.index_put((L(0, 0, 1),), torch.ones(3, 3), accumulate=True); x.index_put((L(0, 1), L(2, 2)), L(1., 2.))
x.clone().index_put_((x > 1,), z); y.index_put((L(1, 1), L(2, 2)), L(1), True)
put(x, 0, True); put(x, 0, torch.tensor([[1., 2., 3.]]))"""

GRADIENTS = """grad(lambda t: t[0], 2, 3); grad(lambda t: t[:, 1], 2, 3); grad(lambda t: t[1, 2], 2, 3); grad(lambda t: t[..., None, 0], 2, 3)
grad(lambda t: t[L(0, 1, 0)], 2, 3); grad(lambda t: t[t > 2], 2, 3); grad(lambda t: t[L(0, 1), L(1, 1)], 2, 3)
grad(lambda t: t[:, L(2, 2)], 2, 3); grad(lambda t: t.t()[1], 2, 3); grad(lambda t: t.expand(3, 2, 3)[1, :, 0], 2, 3)
grad(lambda t: t[None, :, 1:], 2, 3); grad(lambda t: t[::2, ::2], 3, 3); grad(lambda t: put(t, 0, 0.), 2, 3)
grad(lambda t: put(t, (slice(None), 1), t[:, 0] * 2), 2, 3); grad(lambda t: put(t, L(0, 0), 1.), 2, 3); grad(lambda t: put(t * 1, t > 2, t.sum()), 2, 3)
grad(lambda t: torch.zeros(4).index_put((L(1, 1, 2),), t, accumulate=True), 3); grad(lambda t: torch.zeros(4).index_put((L(1, 3, 2),), t), 3)
grad(lambda t: t[0] * t[1] + t[-1], 3, 2); grad(lambda t: t[...] * 2, 2); grad(lambda t: t[1:][0][1:], 3, 3)"""


CASES = [c for block in (READ, WRITE, GRADIENTS) for line in block.split("\n") for c in line.split("; ")]
