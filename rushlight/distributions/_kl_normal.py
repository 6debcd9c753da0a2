"""KL(p || q) of multivariate normals, full or of low rank.

½ (tr(Σq^-1 Σp) + |μq - μp|²_q - n + log det Σq - log det Σp). With Σp = A A^T the trace is the sum
of the squared q-distances of A's columns, so both q need only their distance.
"""

import rushlight as rl
from rushlight.distributions import _triangular
from rushlight.distributions.kl import register_kl
from rushlight.distributions.lowrank_multivariate_normal import LowRankMultivariateNormal
from rushlight.distributions.multivariate_normal import MultivariateNormal


def _half_log_det(d):
    if isinstance(d, LowRankMultivariateNormal):
        return d._half_log_det()
    return _triangular.half_log_det(d._unbroadcasted_scale_tril)


def _squared_distance(d, x):
    if isinstance(d, LowRankMultivariateNormal):
        return d._squared_distance(x)
    return _triangular.squared_distance(d._unbroadcasted_scale_tril, x)


def _columns(d):
    """Vectors whose outer products sum to the covariance, along the dimension before the last."""
    if isinstance(d, LowRankMultivariateNormal):
        diagonal = d._unbroadcasted_cov_diag.sqrt().diag_embed()
        factor = d._unbroadcasted_cov_factor.mT
        batch = rl.broadcast_shapes(diagonal.shape[:-2], factor.shape[:-2])
        parts = [part.expand(batch + part.shape[-2:]) for part in (factor, diagonal)]
        return rl.cat(parts, -2)
    return d._unbroadcasted_scale_tril.mT


def _kl_multivariate(p, q):
    if p.event_shape != q.event_shape:
        raise ValueError(
            f"KL-divergence between {type(p).__name__} and {type(q).__name__} with different event "
            f"shapes cannot be computed: {tuple(p.event_shape)} and {tuple(q.event_shape)}"
        )
    batch = rl.broadcast_shapes(p.batch_shape, q.batch_shape)
    columns = _columns(p).expand(batch + (-1, -1)).movedim(-2, 0)
    trace = _squared_distance(q, columns).sum(0)
    shift = _squared_distance(q, q.loc - p.loc)
    return _half_log_det(q) - _half_log_det(p) + 0.5 * (trace + shift - p.event_shape[0])


for _p in (MultivariateNormal, LowRankMultivariateNormal):
    for _q in (MultivariateNormal, LowRankMultivariateNormal):
        register_kl(_p, _q)(_kl_multivariate)
