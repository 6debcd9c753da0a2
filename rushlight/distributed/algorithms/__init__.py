"""Algorithms of training by several processes: `join`."""

from rushlight._late import submodules

__getattr__ = submodules(__name__, ("join",))
