"""Vision: what torchvision users expect, under `rushlight.vision`.

This file only names the parts; each loads on first use, and Pillow is imported by the functions
that need it (`pip install rushlight[vision]`). A new part is a package here and its name in
`_PARTS`.
"""

_PARTS = ("datasets", "io", "models", "ops", "transforms", "utils")

__all__ = list(_PARTS)


def __getattr__(name):
    if name not in _PARTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return importlib.import_module(f"{__name__}.{name}")


def __dir__():
    return sorted([*globals(), *_PARTS])
