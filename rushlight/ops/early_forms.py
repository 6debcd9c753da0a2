"""Calls in the argument order of PyTorch's early years, ``x.add_(0.1, y)``: the factor first.

They compute as they did, and say once how they are spelled now. Only overloads of ops in other
files belong here.
"""

import rushlight as rl
from rushlight._notes import note
from rushlight.ops._record import op


def _declare(name, tensors, factor):
    arguments = ", ".join(f"Tensor {t}" for t in tensors)
    given = ", ".join(tensors)

    def body(self, *rest):
        now = f"{name}({given}, {factor}={factor})"
        note(f"{name} early", f"{name}({factor}, {given}) is deprecated; it is {now} now")
        return getattr(rl, name)(self, *rest[1:], **{factor: rest[0]})

    body.__doc__ = f"Deprecated: ``{name}(self, {given}, {factor}={factor})``."
    schema = f"{name}.early(Tensor self, Scalar {factor}, {arguments}) -> Tensor"
    function = op(schema, inplace=True)(body)

    @function.samples
    def _(make):
        yield (make(2, 3), 2.0, *(make(2, 3) for _ in tensors))


for _name in ("add", "sub"):
    _declare(_name, ("other",), "alpha")
for _name in ("addcmul", "addcdiv"):
    _declare(_name, ("tensor1", "tensor2"), "value")
