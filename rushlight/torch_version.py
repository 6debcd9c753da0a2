"""`TorchVersion`: a version that is a string, and compares as versions do.

Nothing else belongs here; the numbers are in version.py.
"""

from rushlight.version import __version__ as internal_version

__all__ = ["TorchVersion"]


def _version_of(value):
    from packaging.version import Version  # optional: only comparisons need it

    if isinstance(value, (tuple, list)):
        value = ".".join(map(str, value))
    return Version(str(value))


class TorchVersion(str):
    """A string that is compared as a version, with strings, `packaging` versions and tuples.

    Where the other side is no version, or the package `packaging` is missing, it compares as a
    string.

    Example::

        >>> rl.torch_version.TorchVersion("2.13.0+rushlight") >= "2.9"
        True
        >>> rl.torch_version.TorchVersion("1.10.0") > (1, 9)
        True
    """

    __slots__ = ()
    __hash__ = str.__hash__

    def _compare(self, other, name):
        try:
            return getattr(_version_of(self), name)(_version_of(other))
        except (ImportError, ValueError):
            return getattr(str, name)(self, other)

    def __gt__(self, other):
        return self._compare(other, "__gt__")

    def __lt__(self, other):
        return self._compare(other, "__lt__")

    def __ge__(self, other):
        return self._compare(other, "__ge__")

    def __le__(self, other):
        return self._compare(other, "__le__")

    def __eq__(self, other):
        return self._compare(other, "__eq__")

    def __ne__(self, other):
        return not self == other


__version__ = TorchVersion(internal_version)
