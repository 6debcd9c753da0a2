"""Records of views that come as copies, ``view_copy`` and kin: the view of the name, cloned; and
splits that older programs call unsafe. To add one: a line.
"""

import rushlight as rl
from rushlight.ops._record import op

_COPIES = (
    "alias_copy(Tensor self) -> Tensor",
    "as_strided_copy(Tensor self, int[] size, int[] stride, int? storage_offset=None) -> Tensor",
    "detach_copy(Tensor self) -> Tensor",
    "diagonal_copy(Tensor self, int offset=0, int dim1=0, int dim2=1) -> Tensor",
    "expand_copy(Tensor self, int[] size) -> Tensor",
    "narrow_copy(Tensor self, int dim, int start, int length) -> Tensor",
    "permute_copy(Tensor self, int[] dims) -> Tensor",
    "select_copy(Tensor self, int dim, int index) -> Tensor",
    "squeeze_copy(Tensor self, int[1]? dim=None) -> Tensor",
    "t_copy(Tensor self) -> Tensor",
    "transpose_copy(Tensor self, int dim0, int dim1) -> Tensor",
    "unfold_copy(Tensor self, int dimension, int size, int step) -> Tensor",
    "unsqueeze_copy(Tensor self, int dim) -> Tensor",
    "view_copy(Tensor self, int[] size) -> Tensor",
    "split_copy(Tensor self, int split_size, int dim=0) -> Tensor[]",
    "split_with_sizes_copy(Tensor self, int[] split_sizes, int dim=0) -> Tensor[]",
    "unbind_copy(Tensor self, int dim=0) -> Tensor[]",
    "unsafe_chunk(Tensor self, int chunks, int dim=0) -> Tensor[]",
    "unsafe_split(Tensor self, int split_size, int dim=0) -> Tensor[]",
    "unsafe_split_with_sizes(Tensor self, int[] split_sizes, int dim=0) -> Tensor[]",
)


def _record_copy(schema):
    name = schema.partition("(")[0]
    view_name = name.removesuffix("_copy").removeprefix("unsafe_")

    def body(self, *args):
        return _copy_of_view(self, view_name, args)

    body.__doc__ = f"What `Tensor.{view_name}` gives, as a copy."
    is_method = name.startswith("unsafe") or name == "narrow_copy"
    op(schema, at=("torch", "Tensor") if is_method else ("torch",))(body)


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
    return [part.clone() for part in made] if isinstance(made, (list, tuple)) else made.clone()


for _schema in _COPIES:
    _record_copy(_schema)


@op(
    "as_strided_scatter(Tensor self, Tensor src, int[] size, int[] stride, "
    "int? storage_offset=None) -> Tensor"
)
def as_strided_scatter(self, src, size, stride, storage_offset=None):
    """A copy of ``self`` with ``src`` written where ``as_strided`` of these arguments looks.

    Example::

        >>> rl.as_strided_scatter(rl.zeros(3), rl.ones(2), (2,), (2,))
        tensor([1., 0., 1.])
    """
    extent = self.untyped_storage().nbytes() // self.element_size()
    places = rl.arange(extent)
    own = places.as_strided(self.shape, self.stride(), self.storage_offset())
    offset = self.storage_offset() if storage_offset is None else storage_offset
    written = places.as_strided(size, stride, offset).reshape(-1)
    flat = rl.zeros(extent, dtype=self.dtype).scatter(0, own.reshape(-1), self.reshape(-1))
    return flat.scatter(0, written, src.to(self.dtype).expand(size).reshape(-1))[own]


for _name in ("resolve_conj", "resolve_neg"):

    def _resolve(self):
        return self

    _resolve.__doc__ = "The tensor itself: conjugation and negation are never put off here."
    op(f"{_name}(Tensor self) -> Tensor", out=False)(_resolve)
