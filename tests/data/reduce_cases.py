"""Cases of tests/behaviour/test_reduce_recorded.py: reductions, scans, order statistics, gathers and
searches, as recorded with PyTorch."""

SETUP = """
t = torch.tensor
nan, inf = float('nan'), float('inf')
m = torch.arange(12.).reshape(3, 4) - 4
i = t([[3, 1, 2], [9, 1, 1]])
n = t([[1., nan, 3.], [nan, nan, 2.]])
c = t([[1 + 2j, 3j], [-1 + 0j, 2 - 1j]])
b = t([[True, False], [True, True]])
big = torch.arange(3000, dtype=torch.float64).reshape(3, 1000).sin()
h = t([0.5, 1.5, 2.5], dtype=torch.float16)
def grad(f, *xs):
    xs = [x.clone().requires_grad_() for x in xs]
    f(*xs).sum().backward()
    return [x.grad for x in xs]
"""

_SUMS = """m.sum(); m.sum(0); m.sum(1, True); m.sum((0, 1)); m.sum(()); m.sum(-1, keepdim=True); i.sum(); b.sum(); b.sum(0); i.sum(dtype=torch.float64); m.sum(dtype=torch.int64); m.sum(5); m.sum((0, 0)); torch.sum(m, axis=0); torch.sum(input=m, dim=0); n.sum(1); n.nansum(1); n.nanmean(0); c.sum(0)
m.t().sum(0); m[:, ::2].sum(1); m.expand(2, 3, 4).sum(0); torch.zeros(0).sum(); torch.zeros(0, 3).sum(0); torch.zeros(2, 0).sum(1); t(3.).sum(0); h.sum(); h.sum().dtype; m.mean(); m.mean(0); i.mean(); i.mean(dtype=torch.float32); torch.zeros(0).mean(); c.mean(); i.prod(); m.prod(0); torch.zeros(0).prod(); c.prod(1); b.prod(); i.prod(1, True)
big.sum(); big.sum(1); big.mean(0).sum(); big.var(1); big.std(); big.var(0).sum(); big.norm(); big.logsumexp(1); big.max(); big.argmax(1); big.argmin(0).sum(); big.cumsum(1)[:, -1]; big.t().sum(0); big.t().argmax(0); big.float().sum(); big.reshape(10, 3, 100).sum((0, 2)); big.reshape(10, 3, 100).amax((0, 2)); m.count_nonzero(); m.count_nonzero(1); m.count_nonzero((0, 1))
b.all(); b.all(0); b.any(1); m.all(); m.any(0, True); torch.zeros(0).all(); torch.zeros(0).any(); torch.all(b, (0, 1)); b.to(torch.uint8).all(); torch.all(m, dim=()); torch.any(n)"""

_EXTREMA = """m.max(); m.max(0); m.max(1, keepdim=True); m.min(1)[1]; i.max(1); i.min(1); n.max(); n.max(1).indices; n.amax(); n.amin(1); m.amax((0, 1)); m.amin(0, True); i.argmax(); i.argmin(1); i.argmax(1, True); n.argmax(); b.argmax(); b.max(); b.amax(0); c.max(); torch.zeros(0).max(); torch.zeros(0, 3).max(0); torch.zeros(0, 3).amax(1); torch.zeros(0).argmax(); torch.aminmax(m); m.aminmax(dim=0); t(2.).max(0); m.t().max(0); t([inf, -inf]).amin(); t([-inf, -inf]).argmax()"""

_SPREAD = """m.var(); m.var(0); m.var(1, unbiased=False); m.var(0, False); m.var(False); m.std(1, True, True); m.var(correction=2); m.var(dim=(0, 1), correction=0, keepdim=True); torch.var_mean(m, 0); torch.std_mean(m, False); c.var(); c.std(0); i.var(); m.norm(); m.norm(1); m.norm(p=inf, dim=0); m.norm('fro', (0, 1)); c.norm(); m.norm(3, 1); m.norm(0, 1); m.norm(-inf); i.norm(); torch.norm(m, 2, 0, True)
m.logsumexp(0); m.logsumexp((0, 1), True); t([inf, 1.]).logsumexp(0); t([-inf, -inf]).logsumexp(0); i.logsumexp(0); t([1000., 1000.]).logsumexp(0); torch.zeros(0, 2).logsumexp(0)"""

_SCANS = """m.cumsum(0); i.cumsum(1); b.cumsum(0); m.cumprod(1); c.cumsum(0); n.cumsum(0); n.cummax(1); i.cummax(1); i.cummin(1); t([1., 1, 2, nan, 3]).cummin(0); m.logcumsumexp(1); t([-inf, 0.]).logcumsumexp(0); t(3.).cumsum(0); m.cumsum(2); m.clone().cumsum_(0); m.diff(); m.diff(n=2, dim=0); b.diff(); i.diff(prepend=t([[0], [0]])); torch.trapezoid(m); torch.trapezoid(m, dx=2, dim=0); torch.cumulative_trapezoid(m, t([0., 1, 3, 4])); m.t().cumsum(0); m.cumsum(0, dtype=torch.int64)"""

_ORDER = """i.sort(); i.sort(0, True); n.sort(1)[0]; n.sort(1, True)[1]; i.sort(stable=True, descending=True); i.argsort(); i.msort(); m.topk(2); i.topk(2, 0, False); m.topk(9); n.topk(1)[0]; i.kthvalue(2); i.kthvalue(9); i.mode(); t([1, 2, 2, 1]).mode(); m.median(); i.median(1); n.median(1); n.nanmedian(1); n.nanmedian(); torch.zeros(0).median(); m.quantile(0.25); m.quantile(t([0., 0.5, 1.]), 1); m.quantile(0.3, 0, True); n.nanquantile(0.5, 1); m.quantile(0.4, interpolation='nearest'); m.quantile(0.4, interpolation='lower'); m.quantile(2.); i.quantile(0.5); b.sort(1)[0]; h.sort(descending=True); t(2.).sort(); torch.zeros(0).sort(); t([0., -0.]).sort()[1]; t([3, 1, 2], dtype=torch.uint8).sort(); t([-3, 1, -2], dtype=torch.int8).sort()
torch.arange(500).flip(0).sort()[1].sum(); (torch.arange(5000) * 7919 % 5003).sort()[0].diff().min(); (torch.arange(5000.) * 7919 % 5003).sort(descending=True)[1][:5]; torch.arange(300).expand(2, 300).sort(1, True)[1][:, :3]"""

_GATHER = """m.gather(1, t([[0, 3], [1, 1]])); m.gather(0, t([[2, 0, 1]])); m.gather(1, t([[4]])); m.gather(1, t([0])); m.gather(1, t([[0.]])); m.t().gather(0, t([[1, 0, 2]])); m.index_select(0, t([2, 0])); m.index_select(1, t(1)); m.index_select(0, t([5])); m.index_select(0, t([[0]])); m.take(t([[0, 11], [-1, 3]])); m.take(t([12])); torch.take_along_dim(m, m.argsort(1, True), 1); m.take_along_dim(t([5, 1])); m.masked_select(m > 2); m.masked_select(t([True, False, True, False])); m.nonzero(); m.nonzero(as_tuple=True); t(1.).nonzero(); torch.argwhere(i > 2); b.nonzero()
m.scatter(1, t([[0, 1], [2, 3], [0, 0]]), 9.); m.scatter(0, t([[2, 2, 0, 1]]), m); m.scatter(1, t([[1]]), 2., reduce='add'); m.scatter(1, t([[1]]), m, reduce='multiply'); m.scatter_add(0, t([[0, 0, 1, 2]]), m); m.scatter(1, t([[7]]), 1.); m.scatter(1, t([[0]]), i); m.scatter_reduce(1, t([[0, 0], [1, 1], [2, 2]]), m, 'mean'); m.scatter_reduce(1, t([[0, 0], [1, 1], [2, 2]]), m, 'amax', include_self=False); i.scatter_reduce(1, t([[0, 0]]), i, 'mean'); m.scatter_reduce(1, t([[0]]), m, 'bad'); m.clone().scatter_add_(1, t([[0, 0]]), m); m.t().clone().scatter_(0, t([[1]]), 7.)
m.index_add(0, t([0, 0]), torch.ones(2, 4)); m.index_add(1, t([3]), torch.ones(3, 1), alpha=2); m.index_copy(0, t([1]), torch.ones(1, 4)); m.index_fill(1, t([0, 2]), -1); m.index_fill(0, t([0]), t(5.)); m.index_reduce(0, t([0, 0]), m[:2], 'prod'); m.index_reduce(0, t([1, 1]), m[:2], 'mean', include_self=False); m.index_add(0, t([9]), torch.ones(1, 4)); m.index_copy(0, t([-1]), torch.ones(1, 4)); m.index_fill(0, t([-1]), 1.); m.index_fill(0, t([9]), 1.); m.put(t([0, -1]), t([7., 8.])); m.put(t([0, 0]), t([7., 8.]), True); m.masked_scatter(m > 5, t([1., 2.])); m.masked_scatter(m > 5, torch.zeros(3)); m.index_add(0, t([0]), torch.ones(1, 4).double())"""

_SEARCH = """torch.searchsorted(t([1, 3, 5]), t([0, 3, 6])); torch.searchsorted(t([1, 3, 5]), t([3]), right=True); torch.searchsorted(t([1., 3]), 2); torch.searchsorted(t([[1., 3], [2, 4]]), t([[2.], [2.]])); torch.searchsorted(t([1, 3]), t([nan])); torch.searchsorted(t([5, 1, 3]), t([4]), sorter=t([1, 2, 0])); torch.searchsorted(t([1, 3]), t([2]), side='right', out_int32=True); torch.bucketize(t([0., 5.]), t([1., 4.])); torch.bucketize(3, t([1, 3])); i.unique(); i.unique(return_inverse=True, return_counts=True); i.unique(dim=1); n.unique(); t([1, 1, 2, 1]).unique_consecutive(return_counts=True); i.unique_consecutive(dim=0); b.unique(); torch.zeros(0).unique()
t([0, 2, 2]).bincount(); t([0, 2, 2]).bincount(minlength=5); t([0, 1, 1]).bincount(t([.5, 1., 2.])); t([-1]).bincount(); m.histc(4); m.histc(2, 0, 4); m.histc(0); i.histc(2); torch.histogram(m, 3); torch.histogram(m, t([-4., 0., 8.])); torch.isin(i, t([1, 9])); torch.isin(i, 1); torch.isin(i, t([1]), invert=True); torch.isin(3, t([3.]))"""

_GRADS = """grad(lambda x: x.sum(0) ** 2, m); grad(lambda x: x.mean((0, 1), True), m); grad(lambda x: x.prod(), m); grad(lambda x: x.prod(1), m); grad(lambda x: x.amax(0), t([[1., 2], [1, 3]])); grad(lambda x: x.max(), t([1., 2, 2])); grad(lambda x: x.max(0)[0], t([[1., 2], [1, 3]])); grad(lambda x: x.var(1), m); grad(lambda x: x.std(), torch.ones(3)); grad(lambda x: x.norm(), torch.zeros(3)); grad(lambda x: x.norm(1), m); grad(lambda x: x.norm(inf, 0), m); grad(lambda x: x.norm(3, 1), m); grad(lambda x: x.logsumexp(0), m); grad(lambda x: x.cumprod(0), t([2., 0, 3, 0, 4])); grad(lambda x: x.cumsum(0) ** 2, m); grad(lambda x: x.cummax(1)[0], m); grad(lambda x: x.logcumsumexp(0) ** 2, m)
grad(lambda x: x.sort(1, True)[0] ** 2, m); grad(lambda x: x.topk(2, 0)[0] ** 2, m); grad(lambda x: x.median(), m); grad(lambda x: x.kthvalue(2, 1)[0] ** 2, m); grad(lambda x: x.quantile(0.3, 0), m); grad(lambda x: x.gather(1, t([[0, 0]])) ** 2, m); grad(lambda x: x.index_select(0, t([1, 1])) ** 2, m); grad(lambda x: x.take(t([0, 0, 3])) ** 2, m); grad(lambda x: x.masked_select(x > 0) ** 2, m)
grad(lambda x, y: x.scatter(1, t([[1, 2]]), y) ** 2, m, torch.ones(1, 2)); grad(lambda x, y: x.scatter_add(1, t([[1, 1]]), y) ** 2, m, torch.ones(1, 2)); grad(lambda x, y: x.scatter_reduce(1, t([[1, 1]]), y, 'amax') ** 2, m, torch.ones(1, 2)); grad(lambda x, y: x.scatter_reduce(1, t([[1, 1]]), y, 'prod') ** 2, m, t([[0., 3.]])); grad(lambda x, y: x.index_add(0, t([1, 1]), y, alpha=2) ** 2, m, torch.ones(2, 4)); grad(lambda x, y: x.index_copy(0, t([1]), y) ** 2, m, torch.ones(1, 4)); grad(lambda x, y: x.index_fill(0, t([1]), y) ** 2, m, t(3.)); grad(lambda x, y: x.put(t([0]), y) ** 2, m, t([3.])); grad(lambda x, y: x.masked_scatter(x > 5, y) ** 2, m, t([1., 2., 3.]))"""

CASES = [case.strip() for group in (_SUMS, _EXTREMA, _SPREAD, _SCANS, _ORDER, _GATHER, _SEARCH, _GRADS)
         for line in group.split("\n") for case in line.split("; ")]
