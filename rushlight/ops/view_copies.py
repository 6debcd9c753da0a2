"""Records of views that come as copies, ``view_copy`` and kin: the view of the name, cloned; and
splits that older programs call unsafe. To add one: a line.
"""

import rushlight as rl
from rushlight.ops._decisions import extent_of
from rushlight.ops._elementwise import with_example
from rushlight.ops._record import op

_COPIES = (  # schema; an example, and what it gives
    ("alias_copy(Tensor self) -> Tensor", "alias_copy(rl.arange(4))", "tensor([0, 1, 2, 3])"),
    (
        "as_strided_copy(Tensor self, int[] size, int[] stride, int? storage_offset=None)"
        " -> Tensor",
        "as_strided_copy(rl.arange(4), (2,), (2,))",
        "tensor([0, 2])",
    ),
    ("detach_copy(Tensor self) -> Tensor", "detach_copy(rl.arange(4))", "tensor([0, 1, 2, 3])"),
    (
        "diagonal_copy(Tensor self, int offset=0, int dim1=0, int dim2=1) -> Tensor",
        "diagonal_copy(rl.eye(2))",
        "tensor([1., 1.])",
    ),
    (
        "expand_copy(Tensor self, int[] size) -> Tensor",
        "expand_copy(rl.arange(4), (2, 4))",
        "tensor([[0, 1, 2, 3], [0, 1, 2, 3]])",
    ),
    (
        "narrow_copy(Tensor self, int dim, int start, int length) -> Tensor",
        "narrow_copy(rl.arange(4), 0, 1, 2)",
        "tensor([1, 2])",
    ),
    (
        "permute_copy(Tensor self, int[] dims) -> Tensor",
        "permute_copy(rl.arange(4), (0,))",
        "tensor([0, 1, 2, 3])",
    ),
    (
        "select_copy(Tensor self, int dim, int index) -> Tensor",
        "select_copy(rl.arange(4), 0, 2)",
        "tensor(2)",
    ),
    (
        "squeeze_copy(Tensor self, int[1]? dim=None) -> Tensor",
        "squeeze_copy(rl.arange(4))",
        "tensor([0, 1, 2, 3])",
    ),
    ("t_copy(Tensor self) -> Tensor", "t_copy(rl.arange(4))", "tensor([0, 1, 2, 3])"),
    (
        "transpose_copy(Tensor self, int dim0, int dim1) -> Tensor",
        "transpose_copy(rl.arange(4), 0, 0)",
        "tensor([0, 1, 2, 3])",
    ),
    (
        "unfold_copy(Tensor self, int dimension, int size, int step) -> Tensor",
        "unfold_copy(rl.arange(4), 0, 2, 2)",
        "tensor([[0, 1],\n        [2, 3]])",
    ),
    (
        "unsqueeze_copy(Tensor self, int dim) -> Tensor",
        "unsqueeze_copy(rl.arange(4), 0)",
        "tensor([[0, 1, 2, 3]])",
    ),
    (
        "view_copy(Tensor self, int[] size) -> Tensor",
        "view_copy(rl.arange(4), (2, 2))",
        "tensor([[0, 1], [2, 3]])",
    ),
    (
        "split_copy(Tensor self, int split_size, int dim=0) -> Tensor[]",
        "split_copy(rl.arange(4), 2)",
        "(tensor([0, 1]), tensor([2, 3]))",
    ),
    (
        "split_with_sizes_copy(Tensor self, int[] split_sizes, int dim=0) -> Tensor[]",
        "split_with_sizes_copy(rl.arange(4), (1, 3))",
        "(tensor([0]), tensor([1, 2, 3]))",
    ),
    (
        "unbind_copy(Tensor self, int dim=0) -> Tensor[]",
        "unbind_copy(rl.arange(4))",
        "(tensor(0), tensor(1), tensor(2), tensor(3))",
    ),
    (
        "unsafe_chunk(Tensor self, int chunks, int dim=0) -> Tensor[]",
        "unsafe_chunk(rl.arange(4), 2)",
        "(tensor([0, 1]), tensor([2, 3]))",
    ),
    (
        "unsafe_split(Tensor self, int split_size, int dim=0) -> Tensor[]",
        "unsafe_split(rl.arange(4), 2)",
        "(tensor([0, 1]), tensor([2, 3]))",
    ),
    (
        "unsafe_split_with_sizes(Tensor self, int[] split_sizes, int dim=0) -> Tensor[]",
        "unsafe_split_with_sizes(rl.arange(4), (1, 3))",
        "(tensor([0]), tensor([1, 2, 3]))",
    ),
)


_NODES = {  # those that PyTorch does not name after the view
    "narrow_copy": "NarrowCopyBackward0",
    "view_copy": "ViewBackward0_copy",
    "unsafe_chunk": "UnsafeSplitBackward0",
}


def _record_copy(schema, call, result):
    name = schema.partition("(")[0]
    view_name = name.removesuffix("_copy").removeprefix("unsafe_")

    def body(self, *args):
        return _copy_of_view(self, view_name, args)

    body.__doc__ = with_example(f"What `Tensor.{view_name}` gives, as a copy.", call, result)
    is_method = name.startswith("unsafe") or name == "narrow_copy"
    places = ("torch", "Tensor") if is_method else ("torch",)
    op(schema, at=places, grad_name=_NODES.get(name, True), out="exact")(body)


def _copy_of_view(tensor, name, args):
    if name == "alias":
        return tensor.clone()
    while args and args[-1] is None:
        args = args[:-1]
    if name == "narrow" and args[0] >= max(tensor.dim(), 1):
        raise RuntimeError(
            f"narrow_copy: dim must be less than {tensor.dim()}, the number of dimensions, "
            f"got {args[0]}"
        )
    made = getattr(tensor, name)(*args)
    if isinstance(made, (list, tuple)):
        return tuple([part.clone() for part in made])
    return made.clone()


for _copy in _COPIES:
    _record_copy(*_copy)


@op(
    "as_strided_scatter(Tensor self, Tensor src, int[] size, int[] stride, "
    "int? storage_offset=None) -> Tensor",
    grad_name=True,
)
def as_strided_scatter(self, src, size, stride, storage_offset=None):
    """A copy of ``self`` with ``src`` written where ``as_strided`` of these arguments looks.

    Example::

        >>> rl.as_strided_scatter(rl.zeros(3), rl.ones(2), (2,), (2,))
        tensor([1., 0., 1.])
    """
    extent = extent_of(self)
    places = rl.arange(extent)
    own = places.as_strided(self.shape, self.stride(), self.storage_offset())
    offset = self.storage_offset() if storage_offset is None else storage_offset
    written = places.as_strided(size, stride, offset).reshape(-1)
    flat = rl.zeros(extent, dtype=self.dtype).scatter(0, own.reshape(-1), self.reshape(-1))
    return flat.scatter(0, written, src.to(self.dtype).expand(size).reshape(-1))[own]


for _name in ("resolve_conj", "resolve_neg"):

    def _resolve(self):
        return self

    _resolve.__doc__ = with_example(
        "The tensor itself: conjugation and negation are never put off here.",
        f"{_name}(rl.tensor([1, 2]))",
        "tensor([1, 2])",
    )
    op(f"{_name}(Tensor self) -> Tensor", out=False)(_resolve)
