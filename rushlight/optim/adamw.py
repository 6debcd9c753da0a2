"""`AdamW` under its own module name; it is defined beside `Adam`."""

from .adam import AdamW

__all__ = ["AdamW"]
