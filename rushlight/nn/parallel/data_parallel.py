"""The module in which PyTorch keeps `DataParallel`: what to do with batches, given one device."""

import rushlight as rl

from ..modules.module import Module


def one_device(devices, what):
    devices = [rl.device(d).type for d in devices or ()]
    if any(kind != "cpu" for kind in devices):
        raise NotImplementedError(f"{what}: only the CPU is supported, got devices {devices}")
    return max(len(devices), 1)


def data_parallel(module, inputs, device_ids=None, output_device=None, dim=0, module_kwargs=None):
    """`module(*inputs, **module_kwargs)`; there is one device to run on."""
    one_device(device_ids, "data_parallel")
    inputs = inputs if isinstance(inputs, tuple) else (inputs,)
    return module(*inputs, **(module_kwargs or {}))


class DataParallel(Module):
    """Splits batches over devices; with the one device there is, it calls `module`.

    Its parameters are named `module.*`, as state dicts of PyTorch's class are. `device_ids` and
    `output_device` name GPUs, and where there are none, PyTorch runs the module as it is, too.
    """

    def __init__(self, module, device_ids=None, output_device=None, dim=0):
        super().__init__()
        self.module = module
        self.device_ids = []
        self.dim = dim

    def forward(self, *inputs, **kwargs):
        return self.module(*inputs, **kwargs)
