"""What PyTorch has removed, to say what to use instead. Functions that it still names raise when
they are called; other names are absent, and `absent` makes the error that says so.

To add one: a line in `_REMOVED` or `_GONE`.
"""

_REMOVED = {
    "eig": "torch.linalg.eig, which returns complex values, or torch.linalg.eigvals",
    "lstsq": "torch.linalg.lstsq, which takes its arguments in the other order",
    "matrix_rank": "torch.linalg.matrix_rank, where symmetric= is hermitian=",
    "solve": "torch.linalg.solve, which takes its arguments in the other order; torch.lu_factor "
    "gives the factorisation",
    "symeig": "torch.linalg.eigh or torch.linalg.eigvalsh, which by default read the lower "
    "triangle",
}


def _raiser(name, instead):
    def removed(*args, **kwargs):
        raise RuntimeError(f"torch.{name} has been removed from PyTorch. Use {instead}.")

    removed.__name__ = removed.__qualname__ = name
    removed.__doc__ = f"Removed from PyTorch: use {instead}."
    return removed


globals().update({name: _raiser(name, instead) for name, instead in _REMOVED.items()})
__all__ = list(_REMOVED)


#: module -> {name that is no longer in it: what to use instead}
_GONE = {
    "torch": {
        "btriunpack": "torch.lu_unpack",
        "contrib": "torch.utils.tensorboard, whose add_graph shows a model",
        "legacy": "torch.nn in place of torch.legacy.nn, torch.optim in place of its optim",
    },
    "torch.autograd": {
        "StochasticFunction": "torch.distributions, and differentiate -log_prob * reward"
    },
    "torch.distributed": {"init_master_worker": "torch.distributed.init_process_group"},
    "torch.jit": {
        "compile": "torch.compile",
        "verify": "torch.jit.trace, which checks what it traced",
    },
    "torch.nn": {"backends": "torch.nn.functional"},
    "torch.utils": {
        "ffi": "torch.library for an op in Python, or ctypes to call C",
        "serialization": "torch.load, for files of PyTorch; those of Lua's torch are not read",
        "trainer": "a loop over a DataLoader",
    },
}


def absent(module, name):
    """An AttributeError for a name that a module does not have."""
    instead = _GONE.get(module.replace("rushlight", "torch", 1), {}).get(name)
    hint = f"; it has been removed from PyTorch. Use {instead}" if instead else ""
    return AttributeError(f"module {module!r} has no attribute {name!r}{hint}")
