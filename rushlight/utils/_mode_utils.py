"""Leaving modes for a while."""

from rushlight._dispatch import no_dispatch as no_dispatch

__all__ = ["no_dispatch"]


def all_same_mode(modes):
    """Are all modes one object?"""
    return all(mode is modes[0] for mode in modes)
