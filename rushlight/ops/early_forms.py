"""Calls in the argument order of PyTorch's early years, ``x.add_(0.1, y)``: the factor first.

They compute as they did, and say once how they are spelled now. Only overloads of ops in other
files belong here.
"""

import rushlight as rl
from rushlight._notes import note
from rushlight.ops._record import op


def _declare(name, tensors, factor, overload="early", of="Tensor"):
    arguments = ", ".join(f"{of} {t}" for t in tensors)
    given = ", ".join(tensors)

    def body(self, *rest):
        now = f"{name}({given}, {factor}={factor})"
        note(f"{name} early", f"{name}({factor}, {given}) is deprecated; it is {now} now")
        return getattr(rl, name)(self, *rest[1:], **{factor: rest[0]})

    body.__doc__ = f"Deprecated: ``{name}(self, {given}, {factor}={factor})``."
    schema = f"{name}.{overload}(Tensor self, Scalar {factor}, {arguments}) -> Tensor"
    function = op(schema, inplace=True)(body)

    @function.samples
    def _(make):
        yield (make(2, 3), 2.0, *(make(2, 3) if of == "Tensor" else 3.0 for _ in tensors))


def _declare_product(name, first, second):
    """The forms of ``name`` with beta, and perhaps alpha, in front of what they scale."""
    now = f"{name}({first}, {second}, beta=beta, alpha=alpha)"

    def compute(self, beta, alpha, a, b):
        note(
            f"{name} early",
            f"{name}() with beta and alpha by place is deprecated; it is {now} now",
            4,
        )
        return getattr(rl, name)(self, a, b, beta=beta, alpha=alpha)

    def function(beta, self, alpha, a, b):
        return compute(self, beta, alpha, a, b)

    def function_without_alpha(beta, self, a, b):
        return compute(self, beta, 1, a, b)

    def method_without_alpha(self, beta, a, b):
        return compute(self, beta, 1, a, b)

    factors = f"Tensor {first}, Tensor {second}"
    doc = f"Deprecated: ``{now}``."
    for overload, body, arguments, at in (
        ("early", function, f"Scalar beta, Tensor self, Scalar alpha, {factors}", "torch"),
        ("early_beta", function_without_alpha, f"Scalar beta, Tensor self, {factors}", "torch"),
        ("early_method", compute, f"Tensor self, Scalar beta, Scalar alpha, {factors}", "Tensor"),
        (
            "early_beta_method",
            method_without_alpha,
            f"Tensor self, Scalar beta, {factors}",
            "Tensor",
        ),
    ):
        op(f"{name}.{overload}({arguments}) -> Tensor", at=at, inplace=at == "Tensor")(body, doc)


for _name, *_factors in (
    ("addmm", "mat1", "mat2"),
    ("addmv", "mat", "vec"),
    ("addr", "vec1", "vec2"),
    ("addbmm", "batch1", "batch2"),
    ("baddbmm", "batch1", "batch2"),
):
    _declare_product(_name, *_factors)

for _name in ("add", "sub"):
    _declare(_name, ("other",), "alpha")
    _declare(_name, ("other",), "alpha", "early_number", "Scalar")
for _name in ("addcmul", "addcdiv"):
    _declare(_name, ("tensor1", "tensor2"), "value")
