"""Walks over a graph that note something at its nodes: `shape_prop`."""

from rushlight._late import submodules

__getattr__ = submodules(__name__, ("shape_prop",))
