"""Pruning: setting part of a parameter to zero for good.

A pruned parameter `weight` becomes `weight_orig * weight_mask`, recomputed before each call. A new
method subclasses `BasePruningMethod` and defines `compute_mask`.
"""

import rushlight as rl

__all__ = [
    "BasePruningMethod",
    "PruningContainer",
    "Identity",
    "RandomUnstructured",
    "L1Unstructured",
    "RandomStructured",
    "LnStructured",
    "CustomFromMask",
    "identity",
    "random_unstructured",
    "l1_unstructured",
    "random_structured",
    "ln_structured",
    "global_unstructured",
    "custom_from_mask",
    "remove",
    "is_pruned",
]


class BasePruningMethod:
    """The hook that applies a mask before each call.

    Attributes:
        PRUNING_TYPE: 'unstructured', 'structured' or 'global'.
    """

    PRUNING_TYPE = None
    _tensor_name = None

    def __call__(self, module, inputs):
        setattr(module, self._tensor_name, self.apply_mask(module))

    def compute_mask(self, t, default_mask):
        """The mask for `t`, where `default_mask` is already zero stay zero."""
        raise NotImplementedError(f"{type(self).__name__} does not define compute_mask")

    def apply_mask(self, module):
        """The original times the mask."""
        if self._tensor_name is None:
            raise AssertionError(f"Module {module} has to be pruned")
        original = getattr(module, self._tensor_name + "_orig")
        mask = getattr(module, self._tensor_name + "_mask")
        return mask.to(dtype=original.dtype) * original

    @classmethod
    def apply(cls, module, name, *args, importance_scores=None, **kwargs):
        """Prune `module.<name>` by `cls(*args, **kwargs)`; returns the hook.

        `importance_scores`, of the parameter's shape, decide in its place.
        """
        old = _pop_hook(module, name)
        method = cls(*args, **kwargs)
        method._tensor_name = name
        original = getattr(module, name)
        scores = original if importance_scores is None else importance_scores
        if scores.shape != original.shape:
            raise AssertionError(
                f"importance_scores should have the same shape as parameter {name} of {module}"
            )
        if old is not None:
            container = old if isinstance(old, PruningContainer) else PruningContainer(old)
            container.add_pruning_method(method)
            method = container
        mask = getattr(module, name + "_mask", None)
        default = rl.ones_like(original) if mask is None else mask.detach().clone()
        new_mask = method.compute_mask(scores, default_mask=default)  # may fail: nothing is changed
        if old is None:
            module.register_parameter(name + "_orig", module._parameters.pop(name))
        module.register_buffer(name + "_mask", new_mask)
        setattr(module, name, method.apply_mask(module))
        module.register_forward_pre_hook(method)
        return method

    def prune(self, t, default_mask=None, importance_scores=None):
        """`t` with the pruned values set to zero, without a module."""
        scores = t if importance_scores is None else importance_scores
        if scores.shape != t.shape:
            raise AssertionError("importance_scores should have the same shape as tensor t")
        default = rl.ones_like(t) if default_mask is None else default_mask
        return t * self.compute_mask(scores, default_mask=default)

    def remove(self, module):
        """Make the pruned values the parameter's own."""
        name = self._tensor_name
        weight = self.apply_mask(module)
        if hasattr(module, name):
            delattr(module, name)
        original = module._parameters[name + "_orig"]
        original.data = weight.data
        del module._parameters[name + "_orig"]
        del module._buffers[name + "_mask"]
        setattr(module, name, original)


class PruningContainer(BasePruningMethod):
    """Several prunings of one parameter, each applied to what the earlier ones left."""

    def __init__(self, *args):
        self._pruning_methods = ()
        if len(args) == 1 and not isinstance(args[0], (list, tuple)):
            self._tensor_name = args[0]._tensor_name
            args = ((args[0],),)
        for method in args[0] if args else ():
            self.add_pruning_method(method)

    def add_pruning_method(self, method):
        """Add one more pruning of the same parameter."""
        if not isinstance(method, BasePruningMethod) and method is not None:
            raise TypeError(f"{type(method)} is not a BasePruningMethod subclass")
        if method is not None and self._tensor_name != method._tensor_name:
            raise ValueError(
                "Can only add pruning methods acting on the parameter named "
                f"'{self._tensor_name}' to PruningContainer {self}. Found "
                f"'{method._tensor_name}'"
            )
        self._pruning_methods += (method,)

    def __len__(self):
        return len(self._pruning_methods)

    def __iter__(self):
        return iter(self._pruning_methods)

    def __getitem__(self, index):
        return self._pruning_methods[index]

    def compute_mask(self, t, default_mask):
        method = self._pruning_methods[-1]
        if method.PRUNING_TYPE == "structured":
            dim = getattr(method, "dim", 0)
            others = [d for d in range(default_mask.dim()) if d != dim % default_mask.dim()]
            left = default_mask.sum(dim=others) != 0
            index = [slice(None)] * default_mask.dim()
            index[dim] = left
        elif method.PRUNING_TYPE == "unstructured":
            index = default_mask == 1
        elif method.PRUNING_TYPE == "global":
            index = tuple([slice(None)] * default_mask.dim())
        else:
            raise ValueError(f"Unrecognized PRUNING_TYPE {method.PRUNING_TYPE}")
        index = tuple(index) if isinstance(index, list) else index
        mask = default_mask.to(t.dtype, copy=True)
        mask[index] = method.compute_mask(t[index], default_mask=default_mask[index]).to(mask.dtype)
        return mask


class Identity(BasePruningMethod):
    """Prunes nothing, but makes the parameter a pruned one."""

    PRUNING_TYPE = "unstructured"

    def compute_mask(self, t, default_mask):
        return default_mask


class _ByAmount(BasePruningMethod):
    """Methods with an `amount`: a fraction between 0 and 1, or a whole number."""

    def __init__(self, amount):
        if isinstance(amount, bool) or not isinstance(amount, (int, float)):
            raise TypeError(f"Invalid type for amount: {amount}. Must be int or float.")
        whole = isinstance(amount, int)
        if whole and amount < 0 or not whole and not 0.0 <= amount <= 1.0:
            raise ValueError(
                f"amount={amount} should either be a float in the range [0, 1] or a non-negative "
                "integer"
            )
        self.amount = amount

    def _how_many(self, size):
        if isinstance(self.amount, float):
            return round(self.amount * size)
        if self.amount > size:
            raise ValueError(
                f"amount={self.amount} should be smaller than the number of parameters to prune="
                f"{size}"
            )
        return self.amount


class RandomUnstructured(_ByAmount):
    """Prunes values chosen at random."""

    PRUNING_TYPE = "unstructured"

    def _scores(self, t):
        return -rl.rand_like(t)

    def compute_mask(self, t, default_mask):
        n = self._how_many(t.nelement())
        mask = default_mask.clone()
        if n != 0:
            lowest = rl.topk(self._scores(t).reshape(-1), k=n, largest=False).indices
            mask.view(-1)[lowest] = 0
        return mask


class L1Unstructured(RandomUnstructured):
    """Prunes the values of smallest magnitude."""

    def _scores(self, t):
        return t.abs()


class _Structured(_ByAmount):
    """Methods that prune whole slices along `dim`."""

    PRUNING_TYPE = "structured"

    def __init__(self, amount, dim=-1):
        super().__init__(amount)
        self.dim = dim

    def _check(self, t):
        if t.dim() <= 1:
            raise ValueError(
                "Structured pruning can only be applied to multidimensional tensors. Found tensor "
                f"of shape {t.shape} with {t.dim()} dims"
            )
        if not -t.dim() <= self.dim < t.dim():
            raise IndexError(f"Invalid index {self.dim} for tensor of size {t.shape}")
        return self._how_many(t.shape[self.dim])

    def _mask(self, t, default_mask, kept):
        keep = rl.zeros_like(t)
        index = [slice(None)] * t.dim()
        index[self.dim] = kept
        keep[tuple(index)] = 1
        return keep * default_mask.to(keep.dtype)


class RandomStructured(_Structured):
    """Prunes slices chosen at random."""

    def compute_mask(self, t, default_mask):
        n = self._check(t)
        if n == 0:
            return default_mask
        scores = rl.rand(t.shape[self.dim])
        return self._mask(t, default_mask, scores > rl.kthvalue(scores, k=n).values)


class LnStructured(_Structured):
    """Prunes the slices of smallest n-norm."""

    def __init__(self, amount, n, dim=-1):
        super().__init__(amount, dim)
        self.n = n

    def compute_mask(self, t, default_mask):
        pruned = self._check(t)
        if pruned == 0:
            return default_mask
        others = [d for d in range(t.dim()) if d != self.dim % t.dim()]
        norms = rl.norm(t, p=self.n, dim=others)
        kept = rl.topk(norms, k=t.shape[self.dim] - pruned, largest=True).indices
        return self._mask(t, default_mask, kept)


class CustomFromMask(BasePruningMethod):
    """Prunes where the given mask is zero."""

    PRUNING_TYPE = "global"

    def __init__(self, mask):
        self.mask = mask

    def compute_mask(self, t, default_mask):
        if default_mask.shape != self.mask.shape:
            raise AssertionError("default_mask and self.mask must have the same shape")
        return default_mask * self.mask.to(dtype=default_mask.dtype)


def identity(module, name):
    """Make a parameter a pruned one without pruning anything; returns `module`."""
    Identity.apply(module, name)
    return module


def random_unstructured(module, name, amount):
    """Prune `amount` (a fraction, or a number) of the values at random; returns `module`."""
    RandomUnstructured.apply(module, name, amount)
    return module


def l1_unstructured(module, name, amount, importance_scores=None):
    """Prune the `amount` of values of smallest magnitude; returns `module`."""
    L1Unstructured.apply(module, name, amount, importance_scores=importance_scores)
    return module


def random_structured(module, name, amount, dim):
    """Prune `amount` of the slices along `dim` at random; returns `module`."""
    RandomStructured.apply(module, name, amount, dim)
    return module


def ln_structured(module, name, amount, n, dim, importance_scores=None):
    """Prune the `amount` of slices along `dim` of smallest n-norm; returns `module`."""
    LnStructured.apply(module, name, amount, n, dim, importance_scores=importance_scores)
    return module


def custom_from_mask(module, name, mask):
    """Prune where `mask` is zero; returns `module`."""
    CustomFromMask.apply(module, name, mask)
    return module


def global_unstructured(parameters, pruning_method, importance_scores=None, **kwargs):
    """Prune several parameters as if they were one.

    Args:
        parameters: (module, name) pairs.
        pruning_method: a class of type 'unstructured'; `kwargs` are its arguments.
        importance_scores: a dict from (module, name) to the tensor that decides.
    """
    if not hasattr(parameters, "__iter__"):
        raise TypeError("global_unstructured(): parameters is not an Iterable")
    scores = {} if importance_scores is None else importance_scores
    if not isinstance(scores, dict):
        raise TypeError("global_unstructured(): importance_scores must be of type dict")
    parameters = list(parameters)
    values = rl.cat([scores.get(key, getattr(*key)).reshape(-1) for key in parameters])
    masks = rl.cat(
        [
            getattr(module, name + "_mask", rl.ones_like(getattr(module, name))).reshape(-1)
            for module, name in parameters
        ]
    )
    container = PruningContainer()
    container._tensor_name = "temp"
    method = pruning_method(**kwargs)
    method._tensor_name = "temp"
    container.add_pruning_method(method)
    if method.PRUNING_TYPE != "unstructured":
        raise TypeError(
            'Only "unstructured" PRUNING_TYPE supported for the `pruning_method`. Found method '
            f"{pruning_method} of type {method.PRUNING_TYPE}"
        )
    mask, start = container.compute_mask(values, masks), 0
    for module, name in parameters:
        param = getattr(module, name)
        end = start + param.numel()
        custom_from_mask(module, name, mask[start:end].view_as(param))
        start = end


def remove(module, name):
    """Make a pruned parameter an ordinary one, its zeros included; returns `module`."""
    hook = _pop_hook(module, name)
    if hook is None:
        raise ValueError(
            f"Parameter '{name}' of module {module} has to be pruned before pruning can be removed"
        )
    hook.remove(module)
    return module


def is_pruned(module):
    """Whether `module` or a submodule has a pruned parameter."""
    return any(
        isinstance(hook, BasePruningMethod)
        for part in module.modules()
        for hook in part._forward_pre_hooks.values()
    )


def _pop_hook(module, name):
    for key, hook in module._forward_pre_hooks.items():
        if isinstance(hook, BasePruningMethod) and hook._tensor_name == name:
            del module._forward_pre_hooks[key]
            return hook
    return None
