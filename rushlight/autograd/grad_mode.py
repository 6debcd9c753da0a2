"""Switching gradient recording off and on: `no_grad`, `enable_grad`, `set_grad_enabled`,
`inference_mode`; each is a context manager and a decorator.

The switches themselves are native; a new mode is a class here with ``__enter__`` and ``__exit__``.
"""

from functools import wraps

from rushlight import _native

_set_grad_enabled = _native.set_grad_enabled
_set_inference_mode = _native.set_inference_mode
_GENERATOR_FLAG = 0x20  # inspect.CO_GENERATOR, without the price of importing inspect

__all__ = [
    "enable_grad",
    "enforce_grad_layout_policy",
    "inference_mode",
    "no_grad",
    "set_grad_enabled",
    "set_multithreading_enabled",
]


class _DecoratorContextManager:
    """A context manager that also wraps functions; subclasses with arguments override `clone`."""

    def __call__(self, function):
        if isinstance(function, type):
            return self._decorate(_class_caller(function))
        return self._decorate(function)

    def _decorate(self, function):
        if _is_generator_function(function):
            return _wrap_generator(self.clone, function)
        make_context = self.clone

        @wraps(function)
        def in_context(*args, **kwargs):
            with make_context():
                return function(*args, **kwargs)

        return in_context

    def clone(self):
        return type(self)()


def _class_caller(cls):
    from warnings import warn

    warn(
        "Decorating a class with a gradient mode is deprecated: it wraps the constructor only, "
        "and the name no longer stands for a class. Decorate __init__ or the methods instead.",
        FutureWarning,
        stacklevel=3,
    )
    return lambda *args, **kwargs: cls(*args, **kwargs)


def _is_generator_function(function):
    while True:
        inner = getattr(function, "__func__", None) or getattr(function, "func", None)
        if inner is None:
            break
        function = inner
    code = getattr(function, "__code__", None)
    return code is not None and bool(code.co_flags & _GENERATOR_FLAG)


def _wrap_generator(make_context, function):
    """The mode holds while the generator's own code runs, and never while it is suspended."""

    @wraps(function)
    def in_context(*args, **kwargs):
        generator = function(*args, **kwargs)
        resume, argument = generator.send, None
        while True:
            try:
                with make_context():
                    produced = resume(argument)
            except StopIteration as stop:
                return stop.value
            try:
                argument = yield produced
                resume = generator.send
            except GeneratorExit:
                with make_context():
                    generator.close()
                raise
            except BaseException as error:
                resume, argument = generator.throw, error

    return in_context


# Modes without arguments may be written as decorators without parentheses: their native bases take
# a function as well.
class no_grad(_native.WithoutGrad, _DecoratorContextManager):
    """Operations inside the block are not recorded: their results have ``requires_grad=False``.

    Use it as ``with rl.no_grad():``, ``@rl.no_grad()`` or ``@rl.no_grad``. Calls that create a
    leaf with an explicit ``requires_grad=True`` are not affected. The mode is per thread.

    Example::

        >>> x = rl.tensor([1.], requires_grad=True)
        >>> with rl.no_grad():
        ...     y = x * 2
        >>> y.requires_grad
        False
    """


class enable_grad(_native.WithGrad, _DecoratorContextManager):
    """Operations inside the block are recorded, also within `no_grad`.

    Example::

        >>> x = rl.tensor([1.], requires_grad=True)
        >>> with rl.no_grad(), rl.enable_grad():
        ...     y = x * 2
        >>> y.requires_grad
        True
    """


class set_grad_enabled(_DecoratorContextManager):
    """Recording on or off as ``mode`` says; as a plain call it holds until changed again.

    Args:
        mode (bool): whether to record.

    Example::

        >>> x = rl.tensor([1.], requires_grad=True)
        >>> with rl.set_grad_enabled(False):
        ...     y = x * 2
        >>> y.requires_grad
        False
    """

    def __init__(self, mode):
        if not isinstance(mode, bool):
            raise TypeError(
                f"set_grad_enabled(): argument 'mode' must be bool, not {type(mode).__name__}"
            )
        self.mode = mode
        self.prev = _set_grad_enabled(mode)

    def __call__(self, function):
        # As a decorator it must not leave its mark on the code around the function.
        _set_grad_enabled(self.prev)
        return super().__call__(function)

    def __enter__(self):
        _set_grad_enabled(self.mode)

    def __exit__(self, kind, value, trace):
        _set_grad_enabled(self.prev)

    def clone(self):
        return type(self)(self.mode)

    def __str__(self):
        kind = type(self)
        return f"{kind.__module__}.{kind.__qualname__}(mode={self.mode})"

    __repr__ = __str__


class inference_mode(_DecoratorContextManager):
    """Like `no_grad`, and tensors made inside can never take part in recording later.

    In return nothing is kept for autograd at all: no versions, no view relations.

    Args:
        mode (bool): False switches inference mode off inside an outer block. A function may be
            given instead, when this is used as a decorator without parentheses.

    Example::

        >>> with rl.inference_mode():
        ...     y = rl.ones(2) * 2
        >>> y.is_inference()
        True
    """

    def __new__(cls, mode=True):
        if isinstance(mode, bool):
            return object.__new__(cls)
        return cls()(mode)

    def __init__(self, mode=True):
        self.mode = mode

    def __enter__(self):
        self._was_inference = _set_inference_mode(self.mode)
        self._was_recording = _set_grad_enabled(not self.mode)

    def __exit__(self, kind, value, trace):
        _set_grad_enabled(self._was_recording)
        _set_inference_mode(self._was_inference)

    def clone(self):
        return type(self)(self.mode)


class _Setting(_DecoratorContextManager):
    """A switch that is set at once, and put back at the end of a block."""

    def __init__(self, mode):
        self.mode = mode
        self.prev = self._set(mode)

    def __call__(self, function):
        self._set(self.prev)
        return super().__call__(function)

    def __enter__(self):
        self._set(self.mode)

    def __exit__(self, kind, value, trace):
        self._set(self.prev)

    def clone(self):
        return type(self)(self.mode)


class enforce_grad_layout_policy(_Setting):
    """Whether a new ``.grad`` is laid out in memory as its tensor is (the default).

    A context manager and a function; for this thread. If the tensor has gaps or overlaps, the
    gradient is laid out in rows. False saves the copy where a gradient came in another layout.

    Example::

        >>> p = rl.zeros(2, 3).t().requires_grad_()
        >>> p.backward(rl.ones(3, 2)); p.grad.stride()
        (1, 3)
        >>> p.grad = None
        >>> with rl.autograd.enforce_grad_layout_policy(False):
        ...     p.backward(rl.ones(3, 2)); p.grad.stride()
        (2, 1)
    """

    def __init__(self, enable=True):
        super().__init__(enable)

    @staticmethod
    def _set(mode):
        return _native.set_grad_layout_policy(mode)


_multithreading = [True]


class set_multithreading_enabled(_Setting):
    """Whether backward passes may use a thread per accelerator. There is none: passes run on the
    calling thread, whatever this is set to.
    """

    @staticmethod
    def _set(mode):
        before, _multithreading[0] = _multithreading[0], bool(mode)
        return before


def is_multithreading_enabled():
    """What `set_multithreading_enabled` has set."""
    return _multithreading[0]
