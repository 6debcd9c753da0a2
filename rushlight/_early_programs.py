"""What programs of PyTorch 0.3 do that later PyTorch refuses, for the launcher alone.

``loss.data[0]`` of a loss that is a single number, and `Function` objects whose ``forward`` is an
instance method. Each works, with one note that names the present spelling. Sources that no longer
compile are mended in `_old_sources.py`.
"""

import ast
import inspect

import rushlight as rl
from rushlight._notes import note
from rushlight.autograd.function import Function

# ---- loss.data[0] ------------------------------------------------------------------------------


def first(tensor):
    """What ``x.data[0]`` gives: of a single number, that number."""
    if not isinstance(tensor, rl.Tensor) or tensor.dim():
        return tensor[0]
    note(
        "data[0]",
        "`x.data[0]` is read as `x.item()` for a tensor that is a single number; such tensors "
        "have no elements to index",
    )
    return tensor.item()


class _Firsts(ast.NodeTransformer):
    """``x.data[0]`` becomes ``first(x.data)``."""

    def visit_Subscript(self, node):
        self.generic_visit(node)
        is_first = isinstance(node.slice, ast.Constant) and node.slice.value == 0
        if not (is_first and type(node.slice.value) is int and isinstance(node.ctx, ast.Load)):
            return node
        if not (isinstance(node.value, ast.Attribute) and node.value.attr == "data"):
            return node
        call = ast.parse(
            f"__import__('rushlight')._early_programs.{first.__name__}(0)", mode="eval"
        )
        call.body.args = [node.value]
        for made in ast.walk(call.body):
            if made is not node.value:
                ast.copy_location(made, node)
        return ast.fix_missing_locations(call.body)


def with_firsts(tree):
    """A program's syntax tree, in which ``x.data[0]`` also reads single numbers."""
    return _Firsts().visit(tree)


# ---- functions with instance methods -----------------------------------------------------------


class _Called(Function):
    """A call of such a function: the object stands for the context."""

    @staticmethod
    def forward(ctx, owner, *inputs):
        owner.needs_input_grad = ctx.needs_input_grad[1:]
        result = owner.forward(*inputs)
        ctx.owner, ctx.to_save = owner, owner.to_save
        ctx.dirty_tensors, ctx.non_differentiable = owner.dirty_tensors, owner.non_differentiable
        vars(owner).pop("to_save", None)  # kept by the graph from here on
        return result

    @staticmethod
    def backward(ctx, *grads):
        owner = ctx.owner
        owner.saved_tensors = ctx.saved_tensors
        result = owner.backward(*grads)
        del owner.saved_tensors
        return (None, *result) if isinstance(result, tuple) else (None, result)


def _call(self, *args):
    """Runs ``self.forward``, and ``self.backward`` when gradients are asked for."""
    if isinstance(inspect.getattr_static(type(self), "forward"), staticmethod):
        return _refuse(self, *args)
    note(
        "instance function",
        f"{type(self).__name__}: `forward` and `backward` of functions are static methods now, "
        "which take a context in place of self; write @staticmethod, and call .apply on the class",
    )
    return _Called.apply(self, *args)


_refuse = Function.__call__


def install():
    """Lets functions with instance methods be called."""
    Function.__call__ = _call
