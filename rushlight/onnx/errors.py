"""What `torch.onnx.export` raises and warns with."""

__all__ = ["OnnxExporterError", "OnnxExporterWarning", "SymbolicValueError",
           "UnsupportedOperatorError"]  # fmt: skip


class OnnxExporterWarning(UserWarning):
    """An export that works, but may not do what was meant."""


class OnnxExporterError(RuntimeError):
    """An export that failed."""


class UnsupportedOperatorError(OnnxExporterError):
    """An operator that has no translation to ONNX.

    Args:
        name: the operator.
        version: the opset that was asked for.
        supported_version: the first opset in which it can be expressed, or None.
        reason: what about the call is not supported, if others of the operator are.
    """

    def __init__(self, name, version, supported_version=None, reason=None):
        text = f"Exporting the operator '{name}' to ONNX opset version {version} is not supported"
        if supported_version is not None:
            text += f": it takes opset version {supported_version} or newer"
        super().__init__(text + (f": {reason}" if reason else ""))


class SymbolicValueError(OnnxExporterError):
    """A value that an export cannot work with.

    Args:
        msg: what is wrong.
        value: the value, named in the message.
    """

    def __init__(self, msg, value):
        super().__init__(f"{msg}  [Caused by the value '{value}']")
