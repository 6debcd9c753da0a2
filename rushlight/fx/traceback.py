"""Which node an `Interpreter` is running."""

from contextlib import contextmanager

_current = []


@contextmanager
def set_current_meta(node):
    """``with``: this node is being run."""
    _current.append(node)
    try:
        yield
    finally:
        _current.pop()


def get_current_meta():
    """The notes of the node that is being run; an empty dict outside."""
    return _current[-1].meta if _current else {}
