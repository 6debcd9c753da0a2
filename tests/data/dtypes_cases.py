"""Cases of tests/behaviour/test_dtypes.py: storage-only dtypes, as recorded with PyTorch."""

SETUP = """
names = "bool uint8 int8 int16 int32 int64 uint16 uint32 uint64 float8_e4m3fn float8_e5m2 float8_e4m3fnuz float8_e5m2fnuz float8_e8m0fnu float16 bfloat16 float32 float64 complex32 complex64 complex128".split()
def dtypes():
    return [getattr(torch, name) for name in names]
def table(f):
    rows = []
    for a in dtypes():
        row = []
        for b in dtypes():
            try:
                row.append(str(f(a, b)))
            except RuntimeError:
                row.append("RuntimeError")
        rows.append(" ".join(row))
    return rows
def plain(t):
    return (str(t.dtype), t.tolist())
eights = [d for d in dtypes() if "float8" in str(d)]
f, g, *_, e8 = eights
a = torch.tensor([1., 2.]).to(f)
every_byte = torch.arange(256, dtype=torch.uint8)
def bits(t):
    return t.view(torch.uint8).numpy().tobytes().hex()
def around(d):  # what lies between neighbours of d and next to that, as d rounds it
    low = every_byte[:128].view(d).float()
    low = low[torch.isfinite(low)].double()
    middle = (low[1:] + low[:-1]) / 2
    beyond = low.max() * torch.tensor([1.0, 1.03, 1.07, 1.2, 1e3])
    x = torch.cat([middle, middle * (1 - 1e-6), middle * (1 + 1e-6), low, beyond])
    return bits(torch.cat([x, -x]).float().to(d))
F = torch.nn.functional
at = torch.tensor([0, 2])
def image(x):
    return x.reshape(1, 4, 2, 2)
def served(f):  # by dtype: does it, or how does it refuse
    said = []
    for d in eights:
        x, y = (torch.arange(low, low + 16).reshape(4, 4).float().div(4).to(d) for low in (1, 3))
        try:
            f(x, y)
            said.append("does")
        except Exception as error:
            said.append(type(error).__name__)
    return " ".join(said)
f4 = torch.float4_e2m1fn_x2
p = torch.arange(4, dtype=torch.uint8).view(f4)
c = torch.tensor([1+2j, 3-0.5j, 0.1-70000j], dtype=torch.complex32)
edges = torch.tensor([-1.5, 0., 2.9, 300., 70000., 3e9, 9e18, 1e19], dtype=torch.float64)
"""

_TABLES = """table(torch.promote_types); table(torch.can_cast); table(lambda a, b: torch.result_type(torch.ones(1, dtype=a), torch.ones((), dtype=b))); [str(torch.result_type(torch.ones(1, dtype=d), 1j)) for d in dtypes() if not str(d).startswith(('torch.uint', 'torch.float8'))]; [str(torch.result_type(torch.ones(1, dtype=d), 1.5)) for d in dtypes()]; [str(torch.result_type(torch.ones(1, dtype=d), 1)) for d in dtypes()]
[(d.itemsize, d.is_signed, d.is_complex, d.is_floating_point, str(d)) for d in dtypes()]; [str(torch.empty(1, dtype=d).type()) for d in dtypes()]; [str(d.to_real()) for d in dtypes()[9:]]; [str(d.to_complex()) for d in dtypes()[14:]]; [(i.bits, i.min, i.max, i.dtype) for i in map(torch.iinfo, dtypes()[1:9])]; (torch.finfo(torch.complex32).dtype, torch.finfo(torch.complex32).max)
torch.chalf is torch.complex32"""

_HALF = """repr(c); repr(c[0]); repr(c[:0]); plain(c); plain(c + c); plain(c[:2] * c[:2]); plain(c - 1.5); plain(c + 1j); plain(c.real); plain(c.imag); plain(c.abs()); plain(c.conj()); plain(-c); plain(c == c); plain(c[torch.tensor([1, 0])]); plain(torch.cat([c, c])); plain(torch.view_as_real(c)); plain(torch.view_as_complex(torch.ones(2, 2).half())); c.numpy()
plain(torch.complex(torch.ones(2).half(), torch.zeros(2).half())); plain(torch.ones(2).half() + 1j); plain(torch.ones(2).bfloat16() + 1j); plain(torch.zeros(2, dtype=torch.complex32)); plain(torch.full((2,), 1j, dtype=torch.complex32)); plain(c.masked_fill(c == c, 0)); c[0].item(); bool(c[0]); plain(torch.tensor(1.5).chalf()); torch.ones(1, 2, 2, 2).chalf(memory_format=torch.channels_last).stride(); c.chalf() is c; plain(torch.addcmul(c, c, c)[:2]); plain(torch.triu(torch.ones(2, 2, dtype=torch.complex32))); plain(torch.isfinite(c)); torch.tensor([1j], dtype=torch.complex32).type()
[plain(torch.arange(3).to(d).chalf()) for d in dtypes()]; [plain(c[:2].to(d)) for d in dtypes()]"""

_UNSIGNED = "; ".join(
    text.replace("DT", f"torch.{name}")
    for name in ("uint16", "uint32", "uint64")
    for text in """repr(torch.tensor([1, 60000], dtype=DT)); plain(torch.full((2,), -1, dtype=DT)); torch.full((2,), 2**16, dtype=DT).tolist(); plain(torch.tensor([65535], dtype=DT)); torch.tensor([-2**40], dtype=DT); torch.tensor([2**32], dtype=DT); torch.tensor([2**64], dtype=DT); torch.tensor([-1], dtype=DT)
plain(edges[:5].to(DT)); plain(torch.tensor([-1, 2]).to(DT)); [plain(torch.tensor([-1]).to(DT).to(d)) for d in dtypes()]; [plain(torch.tensor([0, 1, 1]).to(d).to(DT)) for d in dtypes()]; plain(torch.tensor(np.array([1, 2], dtype='DT'[6:]))); str(torch.ones(2, dtype=DT).numpy().dtype); torch.ones(2, dtype=DT)[0].item()
plain(torch.ones(2, dtype=DT) * torch.ones(2, dtype=DT)); plain(torch.ones(2, dtype=DT) / 2); plain(torch.ones(2, dtype=DT) + 1.5); plain(torch.tensor([5, 6], dtype=DT) & 4); plain(torch.tensor([5, 6], dtype=DT) | 1); plain(torch.tensor([5, 6], dtype=DT) ^ 1); plain(torch.tensor([5, 6], dtype=DT) == 5); torch.equal(torch.ones(2, dtype=DT), torch.ones(2, dtype=DT)); torch.ones(2, dtype=DT) + torch.ones(2, dtype=torch.int64); torch.ones(2, dtype=DT) * 1j
plain(torch.tensor([5, 6], dtype=DT).sum()); plain(torch.tensor([5, 6], dtype=DT).cumsum(0)); plain(torch.tensor([5, 6], dtype=DT).prod()); torch.ones(2, dtype=DT).mean(); plain(torch.tensor([9, 2, 7], dtype=DT).sort()[0]); plain(torch.tensor([9, 2, 9], dtype=DT).unique()); plain(torch.tensor([5, 6], dtype=DT).sqrt()); plain(torch.ones(2, dtype=DT).any()); plain(torch.where(torch.tensor([True, False]), torch.tensor([5, 6], dtype=DT), torch.tensor([7, 8], dtype=DT))); plain(torch.cat([torch.ones(1, dtype=DT), torch.zeros(1, dtype=DT)])); plain(torch.tensor([5, 6], dtype=DT)[torch.tensor([1, 0])]); plain(torch.tensor([5, 6], dtype=DT)[torch.tensor([False, True])]); torch.tensor([5, 6], dtype=DT).type(); torch.ones(2, dtype=DT).is_signed()
torch.manual_seed(3) and plain(torch.randint(0, 1000, (4,), dtype=DT)); torch.randint(-1, 3, (2,), dtype=DT); torch.empty(2, dtype=DT).random_(); torch.empty(2, dtype=DT).bernoulli_(0.5)""".replace(
        "\n", "; "
    ).split("; ")
)

_WIDE = """plain(edges.to(torch.uint64)); plain(edges[:6].to(torch.uint32)); plain(torch.tensor([2**63, 2**64 - 1, 5], dtype=torch.uint64)); plain(torch.tensor([2**63, 5, 2**64 - 1], dtype=torch.uint64).sort()[0]); plain(torch.tensor([2**63, 5], dtype=torch.uint64).double()); torch.tensor([2**63], dtype=torch.uint64) == torch.tensor([2**63], dtype=torch.uint64); repr(torch.tensor([2**64 - 1], dtype=torch.uint64)); torch.ones(2, dtype=torch.uint64).max(); torch.ones(2, dtype=torch.uint64) < 2; torch.ones(2, dtype=torch.uint64) // 2; torch.ones(2, dtype=torch.uint64).cummax(0); torch.searchsorted(torch.ones(2, dtype=torch.uint64), torch.ones(2, dtype=torch.uint64)); torch.ones(2, dtype=torch.uint64).clamp(0, 1)
plain(torch.hash_tensor(torch.tensor([1, 2, 4]))); plain(torch.hash_tensor(torch.tensor([[1., 2.], [3., -0.]]), 1)); plain(torch.hash_tensor(torch.tensor([[1, 2], [3, 4]]), 0, keepdim=True)); torch.hash_tensor(torch.empty(0)); plain(torch.hash_tensor(torch.tensor(True)))"""

_FLOAT8 = """[around(d) for d in eights]; [bits(torch.tensor([0., -0., float('inf'), -float('inf'), float('nan'), 1e-40, -1e-40, 3e38, 1e30]).to(d)) for d in eights]; [bits(every_byte.view(d).float().nan_to_num(-7., float('inf'), -float('inf'))) for d in eights]; [[bits(torch.tensor([-3, 0, 1, 100]).to(o).to(d)) for o in dtypes()] for d in eights]; [bits(edges.to(d)) for d in eights]; [[plain(a.to(d).to(o)) for o in dtypes() if o not in eights] for d in eights]
repr(a); repr(a[0]); repr(torch.tensor([1.5], dtype=g)); plain(torch.tensor([1, 2], dtype=f)); plain(torch.full((2,), 1.5, dtype=f)); plain(torch.full((2,), 448, dtype=f)); torch.full((2,), 1000., dtype=f); torch.full((2,), float('inf'), dtype=f); plain(torch.full((2,), float('inf'), dtype=g)); torch.full((2,), 249., dtype=eights[2]); torch.full((2,), -1., dtype=e8); torch.full((2,), 0., dtype=e8); plain(torch.full((2,), 0, dtype=e8)); plain(torch.zeros(2, dtype=f)); plain(torch.ones(2, dtype=e8)); plain(torch.eye(2, dtype=f)); plain(torch.zeros_like(a)); plain(a.new_tensor([1.])); plain(torch.frombuffer(bytearray(b'abc'), dtype=f)); torch.tensor([1.], dtype=f).type()
a[0].item(); bool(a[0]); int(a[1]); a.tolist(); a.element_size(); plain(a.clone()); plain(a.view(torch.int8)); plain(a.view(torch.int16)); plain(torch.zeros(2, dtype=torch.int32).view(f)); plain(torch.cat([a, a])); plain(torch.stack([a, a])); plain(a.expand(3, 2).contiguous()); plain(a[None].t().reshape(-1)); plain(a[torch.tensor([1, 0])]); plain(a[torch.tensor([True, False])]); plain(a.index_select(0, torch.tensor([1]))); plain(a.masked_select(torch.tensor([True, False]))); plain(a.roll(1)); plain(a.repeat(2)); plain(a.repeat_interleave(2)); plain(torch.nn.functional.pad(a, (1, 1))); plain(torch.nn.functional.embedding(torch.tensor([0]), a[None])); plain(torch.where(torch.tensor([True, False]), a, 0.)); plain(a.index_put((torch.tensor([0]),), a[1:])); plain(a.clone().copy_(torch.tensor([3.3, 4.4]))); plain(a.clone().fill_(3.3)); plain(a.clone().zero_()); plain(torch.ones(4, dtype=f)[::2].fill_(2.)); b = a.clone() ;; b[0] = 5. ;; plain(b)
a == a; a == 1; plain(a == 1.04); plain(torch.tensor([0., 1.]).to(e8) == 0); plain(a != 2); torch.equal(a, a.clone()); a == a.to(g); a == a.float(); a < a; plain(torch.isnan(torch.tensor([float('nan'), 1.]).to(f))); plain(a.abs()); plain(a.any()); plain(a.all()); plain(torch.mm(a[None], a[:, None])); plain(a[None] @ a[:, None]); plain(torch.nn.functional.linear(a[None], a[None])); plain(torch.sum(a, dtype=torch.float32)); plain(torch.softmax(torch.ones(2, dtype=f), 0, dtype=torch.float32)); b = a.clone().requires_grad_() ;; b.float().sum().backward() ;; plain(b.grad)
a + 1; a + a; a * a; a - 1; a / 2; -a; a ** 2; a.exp(); a.sqrt(); a.sum(); a.mean(); a.max(); a.argmax(); a.sort(); a.unique(); a.clamp(0, 1); a.cumsum(0); a.nonzero(); a.add_(1); torch.relu(a); torch.bmm(a[None, None], a[None, :, None]); torch.rand(2, dtype=f); torch.randn(2, dtype=f); torch.arange(3, dtype=f); torch.linspace(0, 1, 3, dtype=f); a.clone().uniform_(); a.flip(0); a.gather(0, torch.tensor([0])); a.take(torch.tensor([0])); a.scatter(0, torch.tensor([0]), a[:1]); a[None].triu(); a.numpy(); torch.cat([a, torch.ones(1)]); a * torch.ones(2); f.to_complex(); torch.set_default_dtype(f); torch.result_type(a, 1j); torch.linalg.norm(a); a & 1; a.logical_not(); a.index_fill(0, torch.tensor([0]), 1.); a.index_copy(0, torch.tensor([0]), a[:1]); torch.nn.functional.dropout(a)
plain(torch.tensor([0.1]).half() == 0.1); plain(torch.tensor([0.1]).bfloat16() >= 0.1)"""

# What 8-bit floats are served by, dtype by dtype; x and y are of it.
_SERVED = [
    f"served(lambda x, y: {text})"
    for text in """x * 2; x * y[:, :1]; x * y[:1, :1]; y[0, 0] * x; x[:0] * 2; x.isinf(); x.isfinite(); x.isposinf(); x.isneginf(); x.isnan(); x.abs(); x.nan_to_num(); x.ldexp(torch.tensor(1)); x.deg2rad()
x @ y; x[0] @ y[0]; x @ y[0]; x[0] @ y; x[None] @ y; x[None] @ y[None]; x.mm(y); x.mv(y[0]); x[0].dot(y[0]); torch.addmm(x, x, y); F.linear(x, y); F.linear(x[None], y, x[0]); torch.inner(x, y); torch.inner(x[0], y[0]); torch.tensordot(x, y, 1)
x.masked_fill(x > 1, 1); x.masked_fill(x.view(torch.uint8) > 1, 1.0); x.clone().masked_fill_(x.view(torch.uint8) > 1, 1.0); x.clone().index_put_((at,), y[:2]); x.clone().index_put_((at,), y[:2], True); x[at]; x[x.view(torch.uint8) > 1]
x.flip(0); x.roll(1); x.rot90(); F.pad(x, (1, 1)) if x.dtype != e8 else 0; torch.pixel_shuffle(image(x), 2); torch.pixel_unshuffle(image(x), 2); torch.channel_shuffle(image(x), 2); F.unfold(image(x), 2); F.interpolate(image(x), scale_factor=2); F.interpolate(image(x), scale_factor=2, mode='nearest-exact'); torch.where(x.view(torch.uint8) > 1, x, y); torch.fft.fft(x)""".replace(
        "\n", "; "
    ).split("; ")
]

_FLOAT4 = """str(f4); (f4.itemsize, f4.is_signed, f4.is_floating_point, f4.is_complex); p.type(); repr(p); repr(p.view(2, 2)); bits(p.view(2, 2).t().contiguous()); bits(torch.zeros(2, dtype=f4)); bits(torch.zeros_like(p)); bits(p.clone().zero_()); bits(torch.empty(4, dtype=f4).copy_(p)); bits(torch.cat([p, p])); bits(torch.stack([p, p])); bits(p.repeat(2)); bits(p.roll(1)); bits(p[1:3]); p.view(torch.float16).shape; p.expand(2, 4).shape; bits(torch.frombuffer(bytearray(b"ab"), dtype=f4)); bits(torch.from_dlpack(p)); p.to('meta').dtype is f4; torch.empty_like(p).dtype is f4; p.to(f4) is p; bits(p.new_zeros(2))
p.float(); p.to(f); torch.ones(2).to(f4); torch.ones(2, dtype=f4); torch.full((2,), 1.0, dtype=f4); p.clone().fill_(1); p[0].item(); bool(p[0]); torch.empty(4).copy_(p); torch.empty(4, dtype=f4).copy_(torch.ones(4)); p + p; p * p; p * 2; p.sum(); p.any(); p.abs(); p.isinf(); p.view(2, 2) @ p.view(2, 2); torch.randn(2, dtype=f4); p.sort(); p < p; torch.promote_types(f4, torch.float32); torch.promote_types(f4, f4) is f4; torch.result_type(p, 1.0) is f4; torch.set_default_dtype(f4); p.numpy(); torch.finfo(f4).bits"""

CASES = [
    *_SERVED,
    *[case for line in _FLOAT4.split("\n") for case in line.split("; ")],
] + [
    case.strip()
    for block in (_TABLES, _HALF, _UNSIGNED, _WIDE, _FLOAT8)
    for line in block.split("\n")
    for case in line.split("; ")
]
