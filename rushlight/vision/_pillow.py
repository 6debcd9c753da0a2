"""The one place that imports Pillow, on first use, and says how to get it where it is missing.

`from rushlight.vision._pillow import pillow` and then, inside a function,
`pillow("Image").open(...)`.
"""

import importlib
import sys


def pillow(module):
    """Pillow's `PIL.<module>`; ImportError says how to install it."""
    try:
        return importlib.import_module(f"PIL.{module}")
    except ImportError as error:
        raise ImportError(
            "rushlight.vision: images need Pillow, which is not installed; "
            "`pip install pillow` or `pip install rushlight[vision]`"
        ) from error


def is_pil(value):
    """Whether `value` is a Pillow image; without Pillow loaded there can't be one."""
    loaded = sys.modules.get("PIL.Image")
    return loaded is not None and isinstance(value, loaded.Image)
