"""Cases of tests/behaviour/test_sparse.py: sparse tensors, as recorded with PyTorch.

Every case is shown as text: how a sparse tensor prints says its layout, indices and values.
"""

SETUP = """
T = torch.tensor
s = torch.sparse_coo_tensor([[0, 1, 1], [2, 0, 2]], [3., 4., 5.], (2, 3))
u = torch.sparse_coo_tensor([[1, 0, 1], [0, 2, 0]], [1., 2., 3.], (2, 3))
h = torch.sparse_coo_tensor([[0, 1, 1]], torch.arange(6.).reshape(3, 2), (2, 2))
b = torch.sparse_coo_tensor([[0, 1, 1], [1, 0, 1], [0, 2, 1]], [1., 2., 3.], (2, 2, 3))
d = torch.arange(6.).reshape(2, 3)
e = torch.eye(4).reshape(2, 2, 2, 2).sum(0).repeat(1, 2, 1)
c, k = s.to_sparse_csr(), s.to_sparse_csc()
i = T([[0, 1, 1], [2, 0, 2]])
def grad(f, *xs):
    xs = [x.detach().coalesce().requires_grad_() if x.is_sparse else x.detach().requires_grad_() for x in xs]
    out = f(*xs)
    out = out.to_dense() if out.layout != torch.strided else out
    (out * (1 + torch.arange(float(out.numel())).reshape(out.shape))).sum().backward()
    return repr([x.grad.to_dense() * (x.detach().to_dense() != 0) for x in xs])
"""

_SHOWN = """s; s.coalesce(); u.coalesce(); h; h.coalesce(); b; c; k; c.double(); s.int(); s.to(torch.float64)
s.to_dense(); h.to_dense(); b.to_dense(); c.to_dense(); k.to_dense(); d.to_sparse(); d.to_sparse(1); d.to_sparse_csr(); d.to_sparse_csc()
d.to_sparse_bsr((2, 1)); d.to_sparse_bsc((1, 3)); d.to_sparse_bsr((2, 2)); d.to_sparse(layout=torch.sparse_csr); e.to_sparse_csr(); e.to_sparse_csr().to_dense()
e.to_sparse_bsr((2, 1)); e.to_sparse_bsr((2, 1)).to_dense(); e.to_sparse_csr().to_sparse(); c.to_sparse_bsr((1, 3)); k.to_sparse_csr(); c.to_sparse(); d.to_sparse_csr(dense_dim=0)
torch.sparse_coo_tensor((2, 3)); torch.sparse_coo_tensor(i, T([1., 2., 3.])); torch.sparse_coo_tensor(i, T([1., 2.])); torch.sparse_coo_tensor([0, 1], [1., 2.])
torch.sparse_coo_tensor(T([[0, -1]]), T([1., 2.])); torch.sparse_coo_tensor(i, [1, 2, 3], (2, 3), dtype=torch.float64); torch.sparse_coo_tensor(i, [1., 2., 3.], (2, 2), check_invariants=True)
torch.sparse_csr_tensor([0, 1, 2], [0, 1], [1., 2.]); torch.sparse_csr_tensor([0, 1, 2], [0, 5], [1., 2.], (2, 3), check_invariants=True); torch.sparse_csr_tensor([0, 1], [0, 1], [1., 2.], (2, 2), check_invariants=True)
torch.sparse_csc_tensor([0, 1, 2], [0, 1], [1., 2.]); torch.sparse_bsr_tensor([0, 1, 2], [0, 1], torch.ones(2, 2, 1)); torch.sparse_compressed_tensor([0, 1, 2], [0, 1], [1., 2.], (2, 2), layout=torch.sparse_csc)
s.layout; c.layout; s.is_sparse; c.is_sparse; c.is_sparse_csr; k.is_sparse_csr; s.sparse_dim(); h.dense_dim(); c.sparse_dim(); d.sparse_dim(); d.dense_dim(); s._nnz(); c._nnz(); d._nnz(); s.is_coalesced(); s.coalesce().is_coalesced(); c.is_coalesced()
s.indices(); s.values(); s._indices(); s._values(); s.coalesce().indices(); s.coalesce().values(); c.values(); c.crow_indices(); c.col_indices(); k.ccol_indices(); k.row_indices(); c.ccol_indices(); s.crow_indices(); d.indices(); d.values(); d.coalesce()
s + s; (s + u).coalesce(); s.coalesce() + u.coalesce(); (s - u).coalesce(); torch.add(s, u, alpha=2).coalesce(); d + s; d - s; s + d; s + 1; s - d; h + h; c + c; c + d; d + c; torch.add(d, h); s.int() + s
s * 2; 2 * s; s * T(2.); s * d; d * s; (s * u).coalesce(); s.coalesce() * u.coalesce(); h * 3; s / 2; s / d; s // 2; s * d[:1]; c * 2; c * d; c * c; s ** 2; s ** -1
s.sin(); u.abs(); s.sqrt(); -s; s.relu(); u.sign(); s.cos(); s.exp(); s.isnan(); c.sin(); s.int().sqrt(); s.log1p(); s.trunc(); s.clone().neg_(); s.clone().sin_(); s.coalesce().sin_()
s.sum(); s.sum(0); s.sum(1); s.sum((0, 1)); s.sum(-1); s.sum(0, keepdim=True); h.sum(0); h.sum(1); h.sum((0, 1)); b.sum(1); b.sum((0, 2)); c.sum(); torch.sparse.sum(s); torch.sparse.sum(s, 0); torch.sparse.sum(h, [0]); torch.sparse.sum(s, 0, dtype=torch.float64); s.norm(); s.any(); s.mean(); s.max()
s @ d.t(); d @ s.t(); s @ s.t(); s @ T([1., 2., 3.]); c @ d.t(); c @ T([1., 2., 3.]); d @ c.to_dense().t(); torch.mm(s, d.t()); torch.sparse.mm(s, d.t()); torch.sparse.mm(s, s.t()); torch.mv(c, T([1., 2., 3.])); s @ d; torch.mm(s, d.t().double())
torch.addmm(torch.ones(2, 2), s, d.t(), beta=2, alpha=3); torch.sparse.addmm(torch.ones(2, 2), s, d.t()); torch.addmm(torch.ones(2, 2), c, d.t()); torch.hspmm(s, d.t()); torch.smm(s, d.t()); torch.sspaddmm(torch.eye(2).to_sparse(), s, d.t(), beta=2, alpha=3); torch.bmm(b, torch.ones(2, 3, 2))
torch.sparse.sampled_addmm(c, torch.ones(2, 4), torch.ones(4, 3)); torch.sparse.sampled_addmm(c, torch.ones(2, 4), torch.ones(4, 3), beta=2., alpha=.5); torch.sparse.sampled_addmm(c, torch.ones(2, 4), torch.ones(3, 3))
torch.sparse.mm(c, torch.ones(3, 2), 'mean'); torch.sparse.mm(c, torch.ones(3, 2), 'amax'); torch.sparse.mm(c, torch.ones(3, 2), 'amin'); torch.sparse.mm(c, torch.ones(3, 2), 'sum')
torch.sparse.softmax(s, 1); torch.sparse.softmax(s, 0); torch.sparse.softmax(u, 1); torch.sparse.softmax(h, 1); torch.sparse.log_softmax(s, 1); torch.sparse.log_softmax(b, 2); torch.sparse.softmax(s, 1, dtype=torch.float64); torch.sparse.softmax(s, 2)
torch.sparse.spdiags(d, T([0, 1]), (3, 3)); torch.sparse.spdiags(d, T([-1, 2]), (3, 4)); torch.sparse.spdiags(d, T([0, 1]), (3, 3), torch.sparse_csr); torch.sparse.spdiags(d, T([0, 0]), (3, 3)); torch.sparse.spdiags(T([1., 2.]), T([0]), (2, 2))
s.t(); s.T; s.transpose(0, 1); s.permute(1, 0); b.permute(2, 0, 1); h.transpose(0, 1); c.t(); c.transpose(0, 1); s.unsqueeze(0); s.unsqueeze(-1); h.unsqueeze(2); s.view(6); s.squeeze()
s[0]; s[1, 2]; s[..., 0]; s[-1]; s[5]; s[:1]; s.select(1, 2); h.select(1, 0); h[1]; c[0]; s.index_select(0, T([1, 0])); s.index_select(1, T([2, 2])); h.index_select(1, T([1])); s.narrow_copy(1, 1, 2); h.narrow_copy(1, 0, 1); b[1]; b[0, 1]; list(s); s.unbind(0)
torch.cat([s, u]); torch.cat([s, u], 1); torch.cat([h, h], 1); torch.cat([s, d]); torch.stack([s, u]); torch.stack([s, u], 1); torch.zeros_like(s); torch.empty_like(s); torch.zeros_like(c); torch.zeros(2, 3, layout=torch.sparse_coo); torch.zeros(2, 3, layout=torch.sparse_csr); s.new_zeros(2); torch.ones_like(s)
d.sparse_mask(s); d.sparse_mask(s.coalesce()); d.sparse_mask(c); s.sparse_mask(u); d.sparse_mask(h)
s.clone(); s.detach(); s.data; s.float() is s; s.double(); s.dtype; s.shape; s.numel(); s.dim(); len(s); s.size(1); s.stride(); s.is_contiguous(); s.storage_offset(); s.item(); s.tolist(); s.numpy(); s.data_ptr(); s.untyped_storage(); bool(s); s.type(); s.is_signed(); s.requires_grad; s.is_leaf
s.clone().zero_(); s.clone().mul_(2); s.clone().add_(u).coalesce(); s.clone().div_(2); d.clone().add_(s); d.clone().add_(s, alpha=-2); d.clone().sub_(s); s.clone().copy_(u); d.clone().copy_(s); s.clone().sparse_resize_((4, 4), 2, 0); s.clone().sparse_resize_((1, 1), 2, 0); s.clone().sparse_resize_and_clear_((4, 4), 2, 0)
torch.add(s, s, out=torch.sparse_coo_tensor((2, 3))); torch.mm(s, d.t(), out=torch.empty(2, 2)); torch.is_tensor(s); s.eq(s); s > 0; torch.equal(s, s); s.requires_grad_().sum().requires_grad
torch.sparse.check_sparse_tensor_invariants.is_enabled()"""

_GRADS = """grad(lambda x: x.to_dense(), s); grad(lambda x: x * 3, s); grad(lambda x: x + x, s); grad(lambda x, y: x * y, s, d); grad(lambda x, y: torch.sparse.mm(x, y.t()), s, d)
grad(lambda x: torch.sparse.mm(x, x.t()), s); grad(lambda x: torch.sparse.sum(x, 0), s); grad(lambda x: torch.sparse.sum(x), s); grad(lambda x: x.coalesce().values(), s); grad(lambda x: x.t(), s)
grad(lambda x: x.to_sparse(), d); grad(lambda x: x.sparse_mask(s.coalesce()), d); grad(lambda x: torch.sparse.softmax(x, 1), s); grad(lambda x: torch.sparse.log_softmax(x, 0), s); grad(lambda v: torch.sparse_coo_tensor(i, v, (2, 3)), T([1., 2., 3.]))
grad(lambda x: x.double(), s); grad(lambda x, y: torch.sparse.addmm(y, x, d.t()), s, torch.ones(2, 2)); grad(lambda x: x / 2, s); grad(lambda x, y: y + x, s, d)"""


def _cases(text):
    return [case.strip() for line in text.splitlines() for case in line.split("; ")]


CASES = [f"repr({case})" for case in _cases(_SHOWN)] + _cases(_GRADS)
