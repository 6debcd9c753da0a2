"""Notes that are given once in a process: what is done differently from what a program asks for.

`note` is for choices that change no result, such as running uncompiled. What would change a result
raises instead.
"""

_given = set()


def note(key, message, stacklevel=3):
    """Warns with a message, the first time that it is called with this key."""
    if key not in _given:
        import warnings

        _given.add(key)
        warnings.warn(message, stacklevel=stacklevel)


def forget():
    """Gives all notes anew."""
    _given.clear()


def unsupported(what, instead=""):
    """A NotImplementedError that says what is missing and what to use."""
    return NotImplementedError(f"{what} is not supported{': ' + instead if instead else ''}")


def unsupported_class(module, name, why):
    """A class that can be named, inherited and asked for by isinstance, but not instantiated."""

    def __init__(self, *args, **kwargs):
        raise unsupported(f"{module}.{name}", why)

    doc = f"Not supported, {why}; creating one raises NotImplementedError."
    return type(name, (), {"__init__": __init__, "__doc__": doc, "__module__": module})
