"""The older spectral norm, by a hook before each call; `parametrizations` has the newer one."""

import rushlight as rl

from .. import functional as F
from ..parameter import Parameter
from .weight_norm import remove_norm

__all__ = ["SpectralNorm", "spectral_norm", "remove_spectral_norm"]


class SpectralNorm:
    """The hook: divides `<name>_orig` by its largest singular value."""

    _version = 1

    def __init__(self, name="weight", n_power_iterations=1, dim=0, eps=1e-12):
        if n_power_iterations <= 0:
            raise ValueError(
                "Expected n_power_iterations to be positive, but got n_power_iterations="
                f"{n_power_iterations}"
            )
        self.name = name
        self.n_power_iterations = n_power_iterations
        self.dim = dim
        self.eps = eps
        self.handles = ()

    def reshape_weight_to_matrix(self, weight):
        """Dimension `dim` as rows, all others as columns."""
        order = [self.dim, *(d for d in range(weight.dim()) if d != self.dim)]
        return weight.permute(order).reshape(weight.size(self.dim), -1)

    def compute_weight(self, module, do_power_iteration):
        """The weight over its largest singular value; improves the singular vectors first."""
        weight = getattr(module, self.name + "_orig")
        u, v = getattr(module, self.name + "_u"), getattr(module, self.name + "_v")
        matrix = self.reshape_weight_to_matrix(weight)
        if do_power_iteration:
            with rl.no_grad():
                for _ in range(self.n_power_iterations):
                    v.copy_(F.normalize(rl.mv(matrix.t(), u), dim=0, eps=self.eps))
                    u.copy_(F.normalize(rl.mv(matrix, v), dim=0, eps=self.eps))
            u, v = u.clone(), v.clone()
        return weight / rl.dot(u, rl.mv(matrix, v))

    def remove(self, module):
        """Make the weight a parameter again."""
        with rl.no_grad():
            weight = self.compute_weight(module, do_power_iteration=False)
        delattr(module, self.name)
        for suffix in ("_u", "_v", "_orig"):
            delattr(module, self.name + suffix)
        for handle in self.handles:
            handle.remove()
        module.register_parameter(self.name, Parameter(weight.detach()))

    def __call__(self, module, inputs):
        setattr(module, self.name, self.compute_weight(module, module.training))


class _SavedVersion:
    """Notes in the metadata of a state dict which version of `SpectralNorm` wrote it."""

    def __init__(self, name):
        self.name = name

    def __call__(self, module, state_dict, prefix, local_metadata):
        versions = local_metadata.setdefault("spectral_norm", {})
        versions[self.name + ".version"] = SpectralNorm._version


class _OlderState:
    """Adds to a state dict from before version 1 what it lacks: the right singular vector. It has
    the divided weight instead.
    """

    def __init__(self, norm):
        self.norm = norm

    def __call__(self, state, prefix, metadata, strict, missing, unexpected, errors):
        key = prefix + self.norm.name
        version = metadata.get("spectral_norm", {}).get(self.norm.name + ".version", 0)
        is_present = key not in state and key + "_v" in state  # a present state without metadata
        if version >= SpectralNorm._version or is_present:
            return
        lacking = [key + end for end in ("_orig", "", "_u") if key + end not in state]
        if strict:
            missing.extend(lacking)
        if not lacking:
            state[key + "_v"] = self._right_vector(
                state[key + "_orig"], state[key + "_u"], state.pop(key)
            )

    def _right_vector(self, original, u, divided):
        with rl.no_grad():
            matrix = self.norm.reshape_weight_to_matrix(original)
            v = rl.mv(rl.linalg.pinv(matrix.t().mm(matrix)), rl.mv(matrix.t(), u))
            return v * ((original / divided).mean() / rl.dot(u, rl.mv(matrix, v)))


def spectral_norm(module, name="weight", n_power_iterations=1, eps=1e-12, dim=None):
    """Divide a weight by its largest singular value before each call; returns `module`.

    Arguments as for `parametrizations.spectral_norm`. Source: Miyato et al. 2018.
    """
    from ..modules.conv import _ConvTransposeNd

    if dim is None:
        dim = 1 if isinstance(module, _ConvTransposeNd) else 0
    for hook in module._forward_pre_hooks.values():
        if isinstance(hook, SpectralNorm) and hook.name == name:
            raise RuntimeError(
                f"Cannot register two spectral_norm hooks on the same parameter {name}"
            )
    norm = SpectralNorm(name, n_power_iterations, dim, eps)
    weight = module._parameters[name]
    if weight is None:
        raise ValueError(f"`SpectralNorm` cannot be applied as parameter `{name}` is None")
    h, w = norm.reshape_weight_to_matrix(weight).size()
    with rl.no_grad():
        u = F.normalize(weight.new_empty(h).normal_(0, 1), dim=0, eps=eps)
        v = F.normalize(weight.new_empty(w).normal_(0, 1), dim=0, eps=eps)
    delattr(module, name)
    module.register_parameter(name + "_orig", weight)
    setattr(module, name, weight.data)  # a plain attribute until the first call
    module.register_buffer(name + "_u", u)
    module.register_buffer(name + "_v", v)
    module.register_forward_pre_hook(norm)
    norm.handles = (
        module._register_state_dict_hook(_SavedVersion(name)),
        module._register_load_state_dict_pre_hook(_OlderState(norm)),
    )
    return module


def remove_spectral_norm(module, name="weight"):
    """Undo `spectral_norm`; returns `module`."""
    return remove_norm(module, name, SpectralNorm, "spectral_norm")
