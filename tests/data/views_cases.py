"""Cases of tests/behaviour/test_views.py: views and structural copies, as recorded with PyTorch."""

SETUP = """
x = torch.arange(24.).reshape(2, 3, 4); m = torch.arange(6).reshape(2, 3); v = torch.arange(5); z = torch.tensor(3.)
c = torch.complex(torch.arange(4.), -torch.arange(4.)).reshape(2, 2); e = torch.zeros(0, 3)
def geo(t):
    return (tuple(t.shape), t.stride(), t.storage_offset(), str(t.dtype))
def geos(ts):
    return [geo(t) for t in ts]
def grad(f, *shape):
    t = (torch.arange(1., 1 + torch.empty(shape).numel()).reshape(shape)).requires_grad_()
    out = f(t)
    outs = out if isinstance(out, (tuple, list)) else [out]
    sum([(o * (1 + i + torch.arange(float(o.numel())).reshape(o.shape))).sum() for i, o in enumerate(outs)]).backward()
    return t.grad
"""

_VIEWS = """x.view(6, 4); x.view(-1); x.view(4, -1, 2); x.view(5, 5); x.view(-1, -1); x.t(); x.transpose(0, 2).view(24); e.view(3, 0)
e.view(-1, 0); x.view(2, -2); x.view((6, 4)); x.reshape(4, 6); x.transpose(0, 2).reshape(6, 4); x.reshape(-1); z.reshape(1, 1); e.reshape(0, -1)
x.reshape(7, -1); m.reshape_as(torch.zeros(3, 2)); m.view_as(torch.zeros(3, 2)); v.expand(2, 5); v.expand(-1, 5); v.expand(5, -1)
m.expand(2, 2, 3); m.expand(3); m.expand(2, 4); v[:1].expand(3); z.expand(2, 2); v.expand_as(torch.zeros(2, 5)); v.broadcast_to((2, 5))
x.permute(2, 0, 1); x.permute((0, -1, 1)); x.permute(0, 1); x.permute(0, 0, 1); x.permute(0, 1, 3); m.transpose(0, 1); m.transpose(0, 2)
m.transpose(-1, 0); v.t(); z.t(); m.t(); x.mT; v.mT; m.T; c.H.resolve_conj(); c.mH.resolve_conj(); m.H; x.H; m.adjoint(); x.swapaxes(0, 1); x.swapdims(0, 2)
x.movedim(0, 2); x.movedim((0, 1), (2, 0)); x.movedim((0, 0), (1, 2)); x.moveaxis(-1, 0); torch.movedim(x, 1, 0)
x.unsqueeze(0); x.unsqueeze(-1); x.unsqueeze(5); z.unsqueeze(0); x[:, :1].squeeze(); x[:, :1].squeeze(1); x[:, :1].squeeze(0); x[:1, :1].squeeze((0, 1))
z.squeeze(); z.squeeze(0); x.squeeze(3); x.flatten(); x.flatten(1); x.flatten(0, 1); x.flatten(2, 1); z.flatten(); x.flatten(0, -2)
x.unflatten(2, (2, 2)); x.unflatten(-1, (2, -1)); x.unflatten(1, (2, 2)); x.ravel(); m.t().ravel(); x.select(1, 2); x.select(1, 3); z.select(0, 0)
x.narrow(2, 1, 2); x.narrow(2, 3, 2); x.narrow(2, -2, 2); x.narrow(0, 0, -1); x.narrow(0, 5, 1); m.diagonal(); m.diagonal(1); m.diagonal(-1)
m.diagonal(5); m.diagonal(-5); x.diagonal(0, 1, 2); x.diagonal(1, 2, 0); x.diagonal(0, 1, 1); v.diagonal(); v.unfold(0, 2, 1); v.unfold(0, 6, 1)
v.unfold(0, 2, 2); v.unfold(0, 2, 0); x.unfold(2, 3, 1); z.unfold(0, 1, 1); v.as_strided((2, 2), (1, 2)); v.as_strided((2, 2), (3, 2)); v.as_strided((2,), (1,), 3)
v.as_strided((2,), (-1,)); v.as_strided((2, 2), (1,)); c.real; c.imag; x.real; torch.real(c); x.imag; torch.view_as_real(c); torch.view_as_real(x)
torch.view_as_complex(x[..., :2].contiguous()); torch.view_as_complex(x); torch.view_as_complex(torch.zeros(3, 2).t()); m.view(torch.int32); m.view(torch.float64); z.view(torch.int32)
m.to(torch.uint8).view(torch.int8); torch.arange(8, dtype=torch.uint8).view(torch.int32); torch.arange(6, dtype=torch.uint8).view(torch.int32)
z.view(torch.float64); x.contiguous() is x; m.t().contiguous()"""

_GEOMETRY = """geo(x.transpose(0, 2)); geo(x.permute(1, 2, 0)); geo(x[:, 1:, ::2]); geo(x.unsqueeze(1)); geo(x.transpose(0, 1).unsqueeze(-1)); geo(z.unsqueeze(0))
geo(v.expand(3, 5)); geo(x.view(6, 4)); geo(x[:, :2].flatten(1)); geo(x[..., 0]); geo(x.diagonal(1, 1, 2)); geo(x.unfold(2, 2, 1)); geo(c.real); geo(c.imag)
geo(torch.view_as_real(c)); geos(x.split(2, 2)); geos(x.chunk(2, 1)); geos(x.unbind(1)); geo(x.contiguous()); geo(m.t().contiguous()); geo(torch.zeros_like(m.t()))
geo(torch.zeros(1, 2, 3, 4).contiguous(memory_format=torch.channels_last)); geo(torch.empty(1, 2, 3, 4, memory_format=torch.channels_last)); geo(m.t().clone())
geo(torch.empty_like(x.permute(2, 0, 1))); geo(torch.empty_like(v.expand(3, 5))); geo(torch.empty_strided((2, 3), (1, 2))); geo(x[1]); geo(x[None]); geo(x[..., None, 1:])
geo(m.t().reshape(3, 2)); geo(x.movedim(0, -1)); geo(x.squeeze(0)); geo(e.view(3, 0)); geo(v.as_strided((2, 2), (1, 1), 1)); geo(x.select(2, -1)); geo(torch.zeros(2, 3).mT)"""

_PARTS = """v.split(2); v.split([1, 4]); v.split([1, 3]); v.split(0); v.split(-1); torch.split(v, 2); torch.split(v, split_size_or_sections=3); torch.split(x, [1, 2], dim=1)
v.split_with_sizes([2, 3]); z.split(1); v.chunk(2); v.chunk(7); v.chunk(0); x.chunk(3, -1); v.tensor_split(2); v.tensor_split((1, 3)); v.tensor_split((1, 9))
v.tensor_split(torch.tensor([2])); v.tensor_split(torch.tensor(3)); torch.tensor_split(v, sections=2); torch.tensor_split(v, indices=(1, 2)); z.tensor_split(2); x.tensor_split(3, 2)
x.hsplit(3); x.vsplit(2); x.dsplit(2); x.dsplit([1]); v.hsplit(5); v.hsplit(2); m.dsplit(1); v.vsplit(1); m.unbind(); m.unbind(1); z.unbind(); m.unbind(2); e.unbind()
e.split(2); e.chunk(2); list(m); m.unbind(-1); type(m.unbind()); type(v.split(2))"""

_COPIES = """torch.cat([m, m]); torch.cat([m, m], 1); torch.cat([m, m.float()]); torch.cat([m, v]); torch.cat([m, torch.zeros(0)]); torch.cat([]); torch.cat([z, z]); torch.cat([m, m], -2)
torch.cat([m, m], 2); torch.cat((m, m[:1]), dim=0); torch.cat([m, m[:, :1]]); torch.cat([m.t(), m.t()], 1); torch.cat(tensors=[v, v]); torch.concat([v, v]); torch.concatenate([v, v]); torch.stack([v, v]); torch.stack([v, v], 1)
torch.stack([v, v], -1); torch.stack([z, z]); torch.stack([v, m]); torch.stack([]); torch.stack([v, v], 3); torch.hstack([v, v]); torch.hstack([m, m]); torch.hstack([z, z]); torch.vstack([v, v]); torch.vstack([m, m])
torch.dstack([v, v]); torch.dstack([m, m]); torch.column_stack([v, v]); torch.column_stack([torch.tensor([7, 8]), m]); torch.row_stack([v, v]); torch.cat([c, torch.zeros(2, 2)])
v.repeat(2); v.repeat(2, 2); m.repeat(2); m.repeat(2, 0); z.repeat(3); m.repeat((1, 2, 1)); v.repeat(-1); torch.tile(m, (2,)); m.tile(2, 1); torch.tile(v, (2, 2)); m.t().repeat(1, 2)
v.repeat_interleave(2); m.repeat_interleave(2, 0); m.repeat_interleave(torch.tensor([1, 2]), 0); m.repeat_interleave(torch.tensor([1, 2, 0]), dim=1); torch.repeat_interleave(torch.tensor([1, 0, 2])); v.repeat_interleave(torch.tensor([1, 2]))
m.repeat_interleave(3); torch.repeat_interleave(m, 2, dim=1); v.repeat_interleave(-1); m.flip(0); m.flip(0, 1); m.flip((-1,)); m.flip(0, 0); z.flip(()); m.flip(2); torch.fliplr(m); torch.flipud(m); torch.fliplr(v); m.t().flip(1)
v.roll(1); v.roll(-7); m.roll(1); m.roll(1, 0); m.roll((1, 2), (0, 1)); m.roll((1, 2)); m.roll(1, 2); z.roll(1); e.roll(1, 0); torch.rot90(m); m.rot90(2); m.rot90(-1); m.rot90(1, (1, 0)); m.rot90(4); m.rot90(1, (0, 0)); torch.rot90(x, 1, [1, 2])
m.tril(); m.triu(); m.tril(1); m.triu(-1); x.tril(-1); x.triu(5); v.tril(); m.t().triu(); torch.ones(3, 3).tril_(); torch.zeros(2, 0).tril(); torch.diag(v); torch.diag(m); torch.diag(m, 1); torch.diag(v[:2], -1); torch.diag(x)
torch.diag_embed(m); torch.diag_embed(m, 1); torch.diag_embed(m, 0, 0, 2); torch.diag_embed(m, -1, 1, 2); torch.diagflat(m); torch.block_diag(m, torch.tensor([7]), z.long()); torch.block_diag(); torch.block_diag(x)
torch.diagonal_scatter(torch.zeros(3, 3), torch.ones(3)); torch.select_scatter(torch.zeros(2, 2), torch.ones(2), 0, 1); torch.slice_scatter(torch.zeros(4), torch.ones(2), 0, 1, 3)
torch.broadcast_tensors(v, torch.zeros(2, 1)); torch.broadcast_tensors(v, m); torch.broadcast_shapes((2, 1), (3,)); torch.broadcast_shapes((2,), (3,)); torch.broadcast_shapes((), (1,)); torch.broadcast_shapes(2, (3, 1))
torch.meshgrid(v[:2], v[:3], indexing='ij'); torch.meshgrid(v[:2], v[:3], indexing='xy'); torch.meshgrid([v[:2], v[:3]]); torch.meshgrid(m, v); torch.meshgrid(z, v[:2]); torch.atleast_1d(z); torch.atleast_1d(z, m); torch.atleast_2d(v); torch.atleast_2d(z)
torch.atleast_3d(v); torch.atleast_3d(m); torch.atleast_3d((z, v)); torch.cartesian_prod(v[:2], v[:2]); torch.cartesian_prod(v)"""

_GRADIENTS = """grad(lambda t: t.view(6), 2, 3); grad(lambda t: t.t().reshape(6), 2, 3); grad(lambda t: t.expand(4, 2, 3), 2, 3); grad(lambda t: t.permute(2, 0, 1), 2, 3, 2); grad(lambda t: t.transpose(0, 1), 2, 3)
grad(lambda t: t.t(), 2, 3); grad(lambda t: t.T, 2, 3); grad(lambda t: t.mT, 2, 3); grad(lambda t: t.movedim((0, 1), (2, 0)), 2, 3, 2); grad(lambda t: t.squeeze(), 2, 1); grad(lambda t: t.unsqueeze(1), 2, 3); grad(lambda t: t.flatten(), 2, 2)
grad(lambda t: t.select(1, 1), 2, 3); grad(lambda t: t.narrow(1, 1, 2), 2, 3); grad(lambda t: t.diagonal(1), 3, 3); grad(lambda t: t.unfold(0, 2, 1), 4); grad(lambda t: t.as_strided((2, 2), (1, 1)), 4); grad(lambda t: t.as_strided((2,), (2,), 1), 4)
grad(lambda t: t.expand(3, 2)[0], 2); grad(lambda t: t.expand(3, 2).as_strided((2, 2), (0, 1)), 2); grad(lambda t: t.t().as_strided((2,), (2,)), 2, 2); grad(lambda t: t.split(2), 5); grad(lambda t: t.split([1, 2], 1), 2, 3); grad(lambda t: t.chunk(2), 3)
grad(lambda t: t.unbind(1), 2, 3); grad(lambda t: t.unbind()[1], 3, 2); grad(lambda t: t.tensor_split(3), 4); grad(lambda t: torch.cat([t, t[:1]]), 2, 3); grad(lambda t: torch.cat([t, torch.zeros(0)]), 3); grad(lambda t: torch.stack([t, t * 2], 1), 3)
grad(lambda t: torch.hstack([t, t]), 2); grad(lambda t: t.repeat(2, 2), 3); grad(lambda t: t.repeat(0), 3); grad(lambda t: t.tile(2), 2, 2); grad(lambda t: t.repeat_interleave(2), 3); grad(lambda t: t.repeat_interleave(torch.tensor([1, 0, 2])), 3)
grad(lambda t: t.flip(0, 1), 2, 3); grad(lambda t: t.roll((1, 1), (0, 1)), 2, 3); grad(lambda t: t.roll(2), 5); grad(lambda t: t.rot90(), 2, 3); grad(lambda t: t.tril(), 3, 3); grad(lambda t: t.triu(1), 3, 3); grad(lambda t: torch.diag(t), 3); grad(lambda t: torch.diag(t), 3, 3)
grad(lambda t: torch.diag_embed(t), 2, 2); grad(lambda t: torch.block_diag(t, t), 2, 1); grad(lambda t: torch.view_as_complex(t).imag, 3, 2); grad(lambda t: torch.complex(t, t * 2).imag, 3); grad(lambda t: torch.view_as_real(torch.complex(t, t)), 2); grad(lambda t: t.contiguous(), 2)
grad(lambda t: t.t().contiguous() * 2, 2, 3); grad(lambda t: torch.meshgrid(t, t, indexing='ij')[0], 3); grad(lambda t: t.unflatten(0, (2, 2)), 4); grad(lambda t: torch.broadcast_tensors(t, torch.zeros(2, 3))[0], 3)"""

CASES = [c for block in (_VIEWS, _GEOMETRY, _PARTS, _COPIES, _GRADIENTS) for line in block.split("\n") for c in line.split("; ")]
