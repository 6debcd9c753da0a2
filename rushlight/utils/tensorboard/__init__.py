"""`SummaryWriter`: curves, images and texts for TensorBoard, through the package ``tensorboard``.

ImportError says so where that package is not installed.
"""

import importlib.util

if importlib.util.find_spec("tensorboard") is None:
    raise ImportError(
        "TensorBoard logging requires the package tensorboard; install it with: "
        "pip install tensorboard"
    )

from tensorboard.summary.writer.record_writer import RecordWriter  # noqa: E402, F401

from .writer import FileWriter, SummaryWriter  # noqa: E402

__all__ = ["FileWriter", "RecordWriter", "SummaryWriter"]
