"""How sparse tensors print: the parts as tensors, then size, nnz, dtype and layout."""

from rushlight import _tensor_str
from rushlight.sparse._construct import compressed_names
from rushlight.sparse._dispatch import handles
from rushlight.sparse._layout import COO, kind_of, nnz, parts_of


def _part(name, tensor, indent):
    """``name=tensor(...)`` with the lines after the first indented below the numbers."""
    label = f"{name}=tensor("
    contents, suffixes = _tensor_str._contents(tensor, indent + len(label))
    if tensor.numel() == 0:
        size = f"size={tuple(tensor.shape)}"
        suffixes = [size] + [s for s in suffixes if not s.startswith(("size", "dtype"))]
        if name.endswith("indices") and not str(tensor.dtype).endswith("int64"):
            suffixes.append(f"dtype={tensor.dtype}")
    elif name == "values":
        suffixes = [s for s in suffixes if not s.startswith("dtype")]
    return ", ".join([label + contents, *suffixes]) + ")"


@handles("__repr__")
def text(self, *, tensor_contents=None):
    """``repr`` of a sparse tensor."""
    prefix = "tensor("
    indent, parts = len(prefix), parts_of(self)
    if kind_of(self) == COO:
        named = [("indices", parts.indices), ("values", parts.values.detach())]
    else:
        names = compressed_names(kind_of(self))
        named = [*zip(names, parts.indices), ("values", parts.values.detach())]
    body = (",\n" + " " * indent).join([_part(n, t, indent) for n, t in named])
    suffixes = [f"size={tuple(self.shape)}", f"nnz={nnz(self)}"]
    if not _tensor_str._has_implied_dtype(self.dtype) or not nnz(self) and self.dtype != _default():
        suffixes.append(f"dtype={self.dtype}")
    suffixes.append(f"layout={self.layout}")
    history = _tensor_str._history_suffix(self)
    if history is not None:
        suffixes.append(history)
    if kind_of(self) == COO:
        body += ",\n" + " " * indent + suffixes.pop(0)
    return _tensor_str._with_suffixes(prefix + body, suffixes, indent)


def _default():
    import rushlight as rl

    return rl.get_default_dtype()
