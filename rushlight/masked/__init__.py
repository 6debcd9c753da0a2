"""The `masked` namespace: operators from the op table, and tensors that carry a mask.

Records of operators say ``at="masked"``. Tensors with a mask are in `maskedtensor`, which loads on
first use, so that importing the package stays cheap.
"""

from rushlight.ops._record import namespaces

globals().update(namespaces["masked"])

_OF_TENSORS = ("MaskedTensor", "as_masked_tensor", "is_masked_tensor", "masked_tensor")
__all__ = sorted((*namespaces["masked"], *_OF_TENSORS))


def __getattr__(name):
    if name in _OF_TENSORS or name == "maskedtensor":
        import importlib

        module = importlib.import_module("rushlight.masked.maskedtensor")
        globals().update({n: getattr(module, n) for n in _OF_TENSORS})
        return module if name == "maskedtensor" else globals()[name]
    from rushlight._removed import absent

    raise absent(__name__, name)
