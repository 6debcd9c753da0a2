"""What makes nested tensors of ordinary ones, and ordinary ones of them."""

import rushlight as rl
from rushlight.nested._internal.kept import NestedInt, Packed, keep
from rushlight.nested._internal.nested_tensor import NestedTensor, rules
from rushlight.nn import functional as F


def nested_tensor(
    tensor_list, *, dtype=None, layout=None, device=None, requires_grad=False, pin_memory=False
):
    """A nested tensor of copies of the components, a leaf of the graph.

    Args:
        tensor_list: tensors, or lists of numbers, that have one number of dimensions.
        layout: ``torch.strided`` (default), or ``torch.jagged`` for components that differ in
            their first size only.

    Example::

        >>> x = rl.nested.nested_tensor([rl.ones(2), rl.zeros(1)])
        >>> rl.nested.to_padded_tensor(x, -1.0)
        tensor([[ 1.,  1.],
                [ 0., -1.]])
    """
    if not isinstance(tensor_list, (list, tuple)):
        raise TypeError(
            "Only lists (List[Tensor] and List[List...[Scalar]]) are accepted in nested_tensor"
        )
    if pin_memory:
        raise NotImplementedError("nested_tensor: pin_memory is not supported")
    parts = [
        (t.detach() if isinstance(t, rl.Tensor) else rl.tensor(t)).to(dtype=dtype, device=device)
        if dtype is not None or device is not None
        else (t.detach() if isinstance(t, rl.Tensor) else rl.tensor(t))
        for t in tensor_list
    ]
    made = _from_list([p.clone() for p in parts], layout)
    return rules["requires_grad_"](made, True) if requires_grad else made


def as_nested_tensor(ts, dtype=None, device=None, layout=None):
    """A nested tensor that is a result of the components: gradients arrive at them.

    Args:
        ts: a list of tensors, or one tensor, whose rows are the components.
    """
    if isinstance(ts, NestedTensor):
        made = NestedTensor(ts._kept, ts._layout if layout is None else layout)
        return made if dtype is None and device is None else made.to(dtype=dtype, device=device)
    if not isinstance(ts, (list, tuple, rl.Tensor)):
        raise TypeError(
            "as_nested_tensor(): Expected first argument to be a tensor or a list / tuple of "
            "tensors "
        )
    parts = list(ts.unbind() if isinstance(ts, rl.Tensor) else ts)
    if not all(isinstance(p, rl.Tensor) for p in parts):
        raise TypeError(
            "as_nested_tensor(): Expected first argument to be a tensor or a list / tuple of "
            "tensors "
        )
    if dtype is not None or device is not None:
        parts = [p.to(dtype=dtype, device=device) for p in parts]
    return _from_list(parts, layout)


def _from_list(parts, layout):
    layout = rl.strided if layout is None else layout
    if layout not in (rl.strided, rl.jagged):
        raise RuntimeError(f"Specified layout is unsupported for nested tensors: {layout}")
    if not parts:
        raise NotImplementedError("nested_tensor: an empty list of components is not supported")
    for i, part in enumerate(parts):
        if part.dim() != parts[0].dim():
            if layout is rl.jagged:
                raise RuntimeError("nested_tensor: components must have the same dim")
            raise RuntimeError(
                f"nested_tensor: components must have the same dim, got {part.dim()} at index {i} "
                f"and {parts[0].dim()} at index 0"
            )
        if part.dtype != parts[0].dtype:
            raise RuntimeError(
                f"nested_tensor: components must have the same dtype, got {part.dtype} and "
                f"{parts[0].dtype}"
            )
    kept = keep(parts)
    if layout is rl.jagged and not (isinstance(kept, Packed) and kept.at == 0):
        raise RuntimeError(
            "nested_tensor: components of jagged layout may differ in their first size only, got "
            f"{[tuple(p.shape) for p in parts]}"
        )
    return NestedTensor(kept, layout)


def nested_tensor_from_jagged(
    values, offsets=None, lengths=None, jagged_dim=None, min_seqlen=None, max_seqlen=None
):
    """A jagged nested tensor over values whose components lie side by side.

    Args:
        values: (total, *).
        offsets: where components begin, and the end of the last.
        lengths: how long each is; without `offsets`, one follows the other.
        min_seqlen, max_seqlen: accepted; the lengths are known.
    """
    if jagged_dim not in (None, 1):
        at = jagged_dim - 1
    else:
        at = 0
    if offsets is None and lengths is None:
        raise RuntimeError(
            "nested_tensor_from_jagged(): At least one of offsets or lengths is required."
        )
    if offsets is not None and lengths is not None:
        raise NotImplementedError(
            "nested_tensor_from_jagged(): offsets and lengths together, which leave holes between "
            "components, are not supported"
        )
    sizes = (lengths if offsets is None else offsets.diff()).tolist()
    used = sum(sizes)
    if used != values.shape[at]:
        raise NotImplementedError(
            f"nested_tensor_from_jagged(): components of {used} rows in all for values of "
            f"{values.shape[at]} are not supported"
        )
    return NestedTensor(Packed(values, sizes, at, NestedInt()), rl.jagged)


def narrow(tensor, dim, start, length, layout=None):
    """A nested tensor of a part of each row, of its own begin and length.

    Args:
        dim: 1, the first dimension of a row.
        start, length: numbers, or tensors of one for each row.
        layout: ``torch.jagged``, whose result is a copy, or ``torch.strided``, for which both have
            to be numbers.
    """
    if layout is not rl.jagged:
        if not isinstance(start, int) or not isinstance(length, int):
            raise RuntimeError("start and length must be integers for the strided layout NT impl")
        return as_nested_tensor(tensor.unbind(), layout=rl.strided).narrow(dim, start, length)
    if dim != 1:
        raise NotImplementedError(f"nested.narrow: expected dim=1, got {dim}")
    rows = tensor.shape[0]
    begins = [start] * rows if isinstance(start, int) else start.tolist()
    sizes = [length] * rows if isinstance(length, int) else length.tolist()
    parts = [row.narrow(0, b, n) for row, b, n in zip(tensor.unbind(), begins, sizes)]
    return _from_list(parts, rl.jagged)


def masked_select(tensor, mask):
    """A jagged nested tensor of the elements of each row where the mask is True."""
    if tensor.layout is not rl.strided or mask.layout is not rl.strided:
        raise RuntimeError(
            "torch.nested.masked_select requires a strided tensor and a strided mask"
        )
    mask = mask.expand(tensor.shape)
    lengths = mask.reshape(mask.shape[0], -1).sum(1).tolist() if mask.dim() else [int(mask)]
    return NestedTensor(Packed(tensor.masked_select(mask), lengths, 0, NestedInt()), rl.jagged)


def to_padded_tensor(input, padding, output_size=None, out=None):  # noqa: A002
    """The components in one tensor, filled up to the largest sizes.

    Args:
        padding: the number to fill with.
        output_size: of the result, at least as large as the components need.
    """
    if out is not None:
        raise NotImplementedError("to_padded_tensor: out= is not supported")
    if not isinstance(input, NestedTensor):
        raise NotImplementedError("to_padded_tensor: expected a nested tensor, got an ordinary one")
    shapes = input._kept.shapes()
    sizes = [max(s) for s in zip(*shapes)]
    if output_size is not None:
        if len(output_size) != len(sizes) + 1 or any(n > m for n, m in zip(sizes, output_size[1:])):
            raise RuntimeError(
                "to_padded_tensor: output_size is too small, and components are not truncated: got "
                f"{list(output_size)}, they need {[len(shapes), *sizes]}"
            )
        sizes = list(output_size[1:])
    filled = []
    for part in input._kept.parts():
        pad = [x for n, have in zip(sizes[::-1], part.shape[::-1]) for x in (0, n - have)]
        filled.append(F.pad(part, pad, value=padding))
    return rl.stack(filled)


rules["to_padded_tensor"] = to_padded_tensor
