"""Notes that are given once in a process: what is done differently from what a program asks for.

`note` is for choices that change no result, such as running uncompiled. What would change a result
raises instead. `early_arguments` notes or refuses keyword arguments by their names of PyTorch 0.3;
those that PyTorch itself still takes by an old name are their functions' own.
"""

_given = set()
settings = {"always": False}  # see set_warn_always


def note(key, message, stacklevel=3):
    """Warns with a message, the first time that it is called with this key; see
    `set_warn_always`.
    """
    if settings["always"] or key not in _given:
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


def early_arguments(**now):
    """Decorator: ``old=new`` renames an argument; ``old="what to do"``, a sentence, refuses it.

    Example::

        >>> from rushlight._notes import early_arguments
        >>> @early_arguments(mean="loc", verbose="print what it returns")
        ... def shift(loc):
        ...     return loc
        >>> shift(mean=2)
        2
    """

    def decorate(function):
        def call(*args, **kwargs):
            if kwargs and not now.keys().isdisjoint(kwargs):
                kwargs = {_present(function, key, now): v for key, v in kwargs.items()}
            return function(*args, **kwargs)

        for name in ("__module__", "__name__", "__qualname__", "__doc__"):
            setattr(call, name, getattr(function, name))
        call.__wrapped__ = function  # whose signature is shown
        return call

    return decorate


def _present(function, key, now):
    """What an argument is called now."""
    name = now.get(key, key)
    shown = function.__qualname__.removesuffix(".__init__")
    if " " in name:
        raise TypeError(f"{shown}(): the argument {key!r} has been removed from PyTorch; {name}")
    if name != key:
        note(f"{shown} {key}", f"{shown}(): the argument {key!r} is called {name!r} now", 5)
    return name
