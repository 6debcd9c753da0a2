"""PyTorch's ``torch.onnx``: `export` writes models for other runtimes, through the package onnx.

A run of the model is recorded (`_recorder.py`), its operators are said in ONNX's (`translate`), and
written by `_export.py`. To support an operator, add a record in its family in `translate`.
"""

from . import errors
from ._export import export, is_in_onnx_export
from ._modes import OperatorExportTypes, TensorProtoDataType, TrainingMode
from ._program import ONNXProgram
from ._symbolics import register_custom_op_symbolic, unregister_custom_op_symbolic
from .errors import OnnxExporterError

__all__ = ["ONNXProgram", "OnnxExporterError", "OperatorExportTypes", "TensorProtoDataType",
           "TrainingMode", "errors", "export", "is_in_onnx_export",
           "register_custom_op_symbolic", "unregister_custom_op_symbolic"]  # fmt: skip
