"""Export to ONNX, which is not supported yet; `is_in_onnx_export` says that none is under way."""

from rushlight._notes import unsupported

__all__ = ["export", "is_in_onnx_export"]


def is_in_onnx_export():
    """False."""
    return False


def export(model, args=(), f=None, **options):
    """Raises NotImplementedError."""
    raise unsupported("torch.onnx.export", "")


def __getattr__(name):
    if name in ("operators", "symbolic_helper", "utils"):
        import importlib

        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
