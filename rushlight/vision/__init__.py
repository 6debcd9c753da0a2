"""Vision: what torchvision users expect, under `rushlight.vision`.

This file only names the parts; each loads on first use, and Pillow is imported by the functions
that need it (`pip install rushlight[vision]`). A new part is a package here and its name in
`_PARTS`.
"""

from rushlight.vision.version import __version__ as __version__

_PARTS = ("datasets", "io", "models", "ops", "transforms", "utils", "version")

__all__ = [*_PARTS, "get_image_backend", "set_image_backend"]


def get_image_backend():
    """The library that reads pictures: "PIL"."""
    return "PIL"


def set_image_backend(backend):
    """Chooses the library that reads pictures.

    Raises:
        NotImplementedError: for "accimage".
        ValueError: for another one than that or "PIL".
    """
    if backend == "accimage":
        raise NotImplementedError("set_image_backend: accimage is not supported, only PIL")
    if backend != "PIL":
        raise ValueError(f"Invalid backend '{backend}'. Options are 'PIL' and 'accimage'")


def __getattr__(name):
    if name not in _PARTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return importlib.import_module(f"{__name__}.{name}")


def __dir__():
    return sorted([*globals(), *_PARTS])
