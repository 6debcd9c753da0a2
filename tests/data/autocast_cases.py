"""Cases of tests/behaviour/test_autocast.py: dtypes of results under autocast, as recorded with PyTorch.

``d(f)`` calls f with a maker of inputs, once for each dtype of inputs and of autocast.
"""

SETUP = """
F, nn, L = torch.nn.functional, torch.nn, torch.linalg
def dtypes(out):
    if isinstance(out, torch.Tensor):
        return str(out.dtype)[6:]
    return [dtypes(o) for o in out if o is not None]
def d(f):
    found = []
    for low in (torch.bfloat16, torch.float16):
        for given in (torch.float32, low, torch.float64):
            def t(*sizes):
                return (torch.arange(float(torch.empty(sizes).numel())).reshape(sizes) / 100 + 0.05 + 3 * torch.eye(3) if sizes and sizes[-2:] == (3, 3) else torch.full(sizes, 0.25)).to(given)
            try:
                with torch.autocast('cpu', dtype=low):
                    found.append(dtypes(f(t)))
            except (RuntimeError, NotImplementedError, TypeError) as error:
                found.append('refused')
    return found
def k(f):
    "without float64 inputs"
    return [v for i, v in enumerate(d(f)) if i % 3 != 2]
"""

_PRODUCTS = """t(3, 3) @ t(3, 3); torch.mm(t(3, 3), t(3, 3)); t(3, 3).matmul(t(3)); torch.bmm(t(2, 3, 3), t(2, 3, 3)); torch.addmm(t(3), t(3, 3), t(3, 3))
torch.baddbmm(t(2, 3, 3), t(2, 3, 3), t(2, 3, 3)); torch.addbmm(t(3, 3), t(2, 3, 3), t(2, 3, 3)); torch.mv(t(3, 3), t(3)); torch.dot(t(3), t(3)); torch.outer(t(3), t(3))
torch.addmv(t(3), t(3, 3), t(3)); L.vecdot(t(3), t(3)); torch.vdot(t(3), t(3)); torch.inner(t(3, 3), t(3, 3)); torch.tensordot(t(3, 3), t(3, 3), 1); L.multi_dot([t(3, 3), t(3, 3), t(3, 3)])
torch.chain_matmul(t(3, 3), t(3, 3)); torch.einsum('ij,jk->ik', t(3, 3), t(3, 3)); torch.einsum('ij->ji', t(3, 3)); L.matmul(t(3, 3), t(3, 3)); torch.kron(t(3, 3), t(3, 3))
F.linear(t(2, 4), t(5, 4), t(5)); F.linear(t(2, 4), t(5, 4)); F.bilinear(t(2, 4), t(2, 3), t(5, 4, 3)); F.conv1d(t(1, 2, 5), t(3, 2, 2)); F.conv2d(t(1, 2, 5, 5), t(3, 2, 2, 2), t(3))
F.conv3d(t(1, 2, 5, 5, 5), t(3, 2, 2, 2, 2)); F.conv_transpose1d(t(1, 2, 5), t(2, 3, 2)); F.conv_transpose2d(t(1, 2, 5, 5), t(2, 3, 2, 2)); F.conv_transpose3d(t(1, 2, 5, 5, 5), t(2, 3, 2, 2, 2))
F.conv1d(t(1, 2, 5), t(3, 2, 2), padding='same'); torch.conv_tbc(t(5, 1, 2), t(2, 2, 3), t(3)); F.prelu(t(2, 3), t(3)); F.scaled_dot_product_attention(t(1, 2, 3, 4), t(1, 2, 3, 4), t(1, 2, 3, 4))"""

_LOSSES = """F.mse_loss(t(3), t(3)); F.l1_loss(t(3), t(3)); F.smooth_l1_loss(t(3), t(3)); F.huber_loss(t(3), t(3)); F.binary_cross_entropy(t(3), t(3)); F.kl_div(t(3), t(3))
F.binary_cross_entropy_with_logits(t(3), t(3)); F.cross_entropy(t(2, 3), torch.tensor([0, 1])); F.nll_loss(t(2, 3), torch.tensor([0, 1])); F.nll_loss(t(2, 3, 1, 1), torch.zeros(2, 1, 1).long())
F.poisson_nll_loss(t(3), t(3)); F.hinge_embedding_loss(t(3), t(3)); F.cosine_embedding_loss(t(3, 3), t(3, 3), t(3)); F.margin_ranking_loss(t(3), t(3), t(3)); F.soft_margin_loss(t(3), t(3))
F.multi_margin_loss(t(2, 3), torch.tensor([0, 1])); F.multilabel_margin_loss(t(2, 3), torch.zeros(2, 3).long()); F.triplet_margin_loss(t(3, 3), t(3, 3), t(3, 3)); F.gaussian_nll_loss(t(3), t(3), t(3))
F.ctc_loss(t(5, 1, 3), torch.tensor([[1, 2]]), torch.tensor([5]), torch.tensor([2])); F.multilabel_soft_margin_loss(t(2, 3), t(2, 3)); nn.CrossEntropyLoss()(t(2, 3), torch.tensor([0, 1]))
nn.MSELoss()(t(3), t(3)); nn.BCELoss()(t(3), t(3)); nn.TripletMarginWithDistanceLoss()(t(3, 3), t(3, 3), t(3, 3))"""

_FLOAT32 = """t(3, 3).prod(); t(3, 3).prod(0); t(3, 3).trace(); torch.cdist(t(3, 3), t(3, 3)); torch.quantile(t(3), 0.5); torch.nanquantile(t(3), 0.5); torch.polar(t(3), t(3)); torch.view_as_complex(t(3, 2))
torch.inverse(t(3, 3)); t(3, 3).inverse(); torch.pinverse(t(3, 3)); torch.svd(t(3, 3)); torch.qr(t(3, 3)); torch.geqrf(t(3, 3)); torch.linalg.cholesky(t(3, 3) @ t(3, 3).mT)
L.inv(t(3, 3)); L.solve(t(3, 3), t(3)); L.svd(t(3, 3)); L.svdvals(t(3, 3)); L.eig(t(3, 3)); L.eigh(t(3, 3)); L.eigvals(t(3, 3)); L.eigvalsh(t(3, 3)); L.qr(t(3, 3)); L.cond(t(3, 3)); L.lstsq(t(3, 3), t(3, 3))[0]
L.matrix_rank(t(3, 3)); L.inv_ex(t(3, 3)); L.cholesky_ex(t(3, 3)); L.householder_product(t(3, 3), t(3)); L.tensorinv(t(3, 3), 1); L.tensorsolve(t(3, 3), t(3)); torch.fft.fft(t(4)); torch.fft.rfft(t(4))
torch.fft.irfft(torch.fft.rfft(t(4))); torch.fft.fft2(t(4, 4)); torch.fft.rfftn(t(4, 4)); torch.fft.hfft(t(4)); torch.stft(t(32), 8, 4, window=t(8), return_complex=True); torch.cholesky_inverse(t(3, 3))
torch.cholesky_solve(t(3, 3), t(3, 3)); torch.triangular_solve(t(3, 3), t(3, 3)); torch.orgqr(t(3, 3), t(3)); torch.ormqr(t(3, 3), t(3), t(3, 3)); F.avg_pool3d(t(1, 2, 4, 4, 4), 2); F.max_pool3d(t(1, 2, 4, 4, 4), 2)
F.adaptive_avg_pool3d(t(1, 2, 4, 4, 4), 2); F.adaptive_max_pool3d(t(1, 2, 4, 4, 4), 2); F.fractional_max_pool2d(t(1, 2, 4, 4), 2, output_size=2); F.max_pool3d(t(1, 2, 4, 4, 4), 2, return_indices=True)
F.grid_sample(t(1, 2, 4, 4), t(1, 3, 3, 2), align_corners=False); F.pad(t(1, 2, 4), (1, 1), 'reflect'); F.pad(t(1, 2, 4, 4), (1, 1, 1, 1), 'reflect'); F.pad(t(1, 2, 4, 4), (1, 1, 1, 1), 'replicate'); F.pad(t(1, 2, 4, 4), (1, 1))
F.pad(t(1, 2, 4), (1, 1), 'replicate'); F.pad(t(1, 2, 4, 4, 4), (1,) * 6, 'replicate'); F.pad(t(1, 2, 4, 4, 4), (1,) * 6, mode='reflect'); F.pad(t(1, 2, 4), pad=(1, 1), mode='circular'); nn.ReflectionPad2d(1)(t(1, 2, 4, 4))
F.max_unpool2d(t(1, 1, 1, 1), torch.zeros(1, 1, 1, 1).long(), 2); nn.MaxPool3d(2)(t(1, 2, 4, 4, 4))"""

_WIDEST = """torch.cat([t(3), t(3)]); torch.cat([t(3), torch.ones(3)]); torch.stack([t(3), torch.ones(3).bfloat16()]); torch.stack([t(3), torch.ones(3).half()]); torch.hstack([t(3), torch.ones(3).bfloat16()])
torch.vstack([t(3), torch.ones(3)]); torch.cat([t(3), torch.ones(3).long()]); t(3).index_copy(0, torch.tensor([0]), torch.ones(1)); torch.concat([t(3), torch.ones(3).bfloat16()])"""

_UNTOUCHED = """t(3) + torch.ones(3).bfloat16(); t(3).exp(); t(3).sum(); t(3, 3).softmax(0); F.layer_norm(t(2, 3), (3,), torch.ones(3), torch.zeros(3)); F.relu(t(3)); F.gelu(t(3)); t(3, 3).mean(0); t(3).norm()
F.batch_norm(t(2, 3), torch.zeros(3), torch.ones(3), torch.ones(3), torch.zeros(3)); F.group_norm(t(2, 3), 3, torch.ones(3), torch.zeros(3)); F.avg_pool2d(t(1, 1, 4, 4), 2); F.max_pool2d(t(1, 1, 4, 4), 2)
F.interpolate(t(1, 1, 4, 4), scale_factor=2.0, mode='bilinear'); F.dropout(t(3), 0.5); F.embedding(torch.tensor([0]), t(3, 3)); t(3).mm if False else t(3) * 2; torch.mm(t(3, 3), t(3, 3), out=t(3, 3))
torch.zeros(3, 3).to(t(1).dtype).addmm_(t(3, 3), t(3, 3)); t(3).cumsum(0); t(3) ** 2; torch.where(t(3) > 0, t(3), t(3)); t(3).log_softmax(0); F.cosine_similarity(t(3, 3), t(3, 3)); F.pairwise_distance(t(3, 3), t(3, 3))
F.normalize(t(3, 3)); F.adaptive_avg_pool2d(t(1, 1, 4, 4), 2); F.local_response_norm(t(1, 4, 4, 4), 2); F.unfold(t(1, 1, 4, 4), 2); F.glu(t(4)); torch.lerp(t(3), t(3), 0.5); torch.logsumexp(t(3), 0); F.silu(t(3))
F.affine_grid(t(1, 2, 3), (1, 1, 4, 4), align_corners=False); L.norm(t(3, 3)); L.vector_norm(t(3)); torch.clamp(t(3), 0, 1); torch.fft.fftshift(t(4)); F.instance_norm(t(2, 3, 4)); F.rms_norm(t(2, 3), (3,))"""

_MODULES = """nn.Linear(3, 3)(t(3, 3)); nn.Conv2d(1, 2, 3)(t(1, 1, 4, 4)); nn.Sequential(nn.Linear(3, 3), nn.ReLU(), nn.Linear(3, 2))(t(3, 3)); nn.Sequential(nn.Linear(3, 3), nn.LayerNorm(3))(t(3, 3))
nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU())(t(1, 1, 4, 4)); nn.GRUCell(3, 3)(t(2, 3)); nn.LSTMCell(3, 3)(t(2, 3)); nn.RNNCell(3, 3)(t(2, 3)); nn.GRU(3, 3)(t(2, 2, 3)); nn.RNN(3, 3)(t(2, 2, 3))
nn.MultiheadAttention(4, 2)(t(2, 2, 4), t(2, 2, 4), t(2, 2, 4)); nn.TransformerEncoderLayer(4, 2, 8, 0.0)(t(2, 2, 4)); nn.Embedding(3, 4)(torch.tensor([1])); nn.Bilinear(3, 4, 2)(t(2, 3), t(2, 4)); nn.PReLU()(t(3))
nn.TransformerDecoderLayer(4, 2, 8, 0.0)(t(2, 2, 4), t(2, 2, 4)); nn.EmbeddingBag(3, 4)(torch.tensor([[1, 2]])); nn.Sequential(nn.Linear(3, 3), nn.Softmax(-1))(t(3, 3)); nn.ConvTranspose2d(1, 2, 3)(t(1, 1, 4, 4))"""


def _cases(text):
    return [c.strip() for line in text.split("\n") for c in line.split("; ") if c.strip()]


CASES = [f"d(lambda t: {c})" for g in (_PRODUCTS, _FLOAT32, _WIDEST) for c in _cases(g)]
CASES += [f"k(lambda t: {c})" for g in (_LOSSES, _UNTOUCHED) for c in _cases(g)]
CASES += [f"d(lambda t: {c})[::3]" for c in _cases(_MODULES)]
