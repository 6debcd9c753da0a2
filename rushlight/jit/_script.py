"""Script functions and modules: PyTorch's interface, run as Python.

`script` says so once. Their results are those of the functions themselves.
"""

import functools
import inspect

from rushlight._interpose import overridable
from rushlight._notes import note
from rushlight.nn.modules.module import Module

from ._errors import run

_WHY = "torch.jit.script: rushlight runs this as Python, without compiling it"


tracers = []  # the recorders of `trace` at work, innermost last


@overridable
def run_scripted(module, args, kwargs):
    """Runs a scripted module's ``forward``: for `trace` one step, which keeps its control flow."""
    return run(module._original, args, kwargs)


class ScriptFunction:
    """What `script` makes of a function."""

    def __init__(self, function):
        functools.update_wrapper(self, function)
        self._function, self.name = function, function.__name__

    def __call__(self, *args, **kwargs):
        return run(self._function, args, kwargs)

    @property
    def code(self):
        """The function's source."""
        return inspect.getsource(self._function)

    @property
    def inlined_graph(self):
        """NotImplementedError: there is no graph; `trace` makes one."""
        raise NotImplementedError(
            "ScriptFunction.graph: it runs as Python; torch.jit.trace has one"
        )

    graph = inlined_graph

    def save(self, f, _extra_files=None):
        """Writes a file for `load`; see `rushlight.jit.save`."""
        from ._files import save

        save(self, f, _extra_files)


class ScriptModule(Module):
    """The base class of what `script` and `trace` make of modules, and of modules whose methods are
    marked with `script_method`.
    """

    def save(self, f, _extra_files=None):
        """Writes a file for `load`; see `rushlight.jit.save`."""
        from ._files import save

        save(self, f, _extra_files)

    def save_to_buffer(self, _extra_files=None):
        """The bytes that `save` would write."""
        import io

        buffer = io.BytesIO()
        self.save(buffer, _extra_files)
        return buffer.getvalue()

    @property
    def code(self):
        """The source of ``forward``."""
        return inspect.getsource(type(self).forward)

    @property
    def original_name(self):
        """The name of the class that was scripted or traced."""
        return type(self).__name__


class RecursiveScriptModule(ScriptModule):
    """What `script` makes of a module: it has its parameters, buffers, modules and methods."""

    def __init__(self, module):
        super().__init__()
        state = self.__dict__
        state["_original"] = module
        for table in ("_parameters", "_buffers", "_modules"):
            state[table] = getattr(module, table)
        state["_non_persistent_buffers_set"] = module._non_persistent_buffers_set
        state["training"] = module.training

    def forward(self, *args, **kwargs):
        if tracers:
            return run_scripted(self, args, kwargs)
        return run(self._original, args, kwargs)

    def train(self, mode=True):
        """Sets training mode, here and in the module."""
        super().train(mode)
        self._original.train(mode)
        return self

    def __getattr__(self, name):
        try:
            return super().__getattr__(name)
        except AttributeError:
            if name == "_original":
                raise
            return getattr(self._original, name)

    def __setattr__(self, name, value):
        if name in ("training", "_original"):
            super().__setattr__(name, value)
        else:
            setattr(self._original, name, value)

    def __len__(self):
        return len(self._original)

    def __iter__(self):
        return iter(self._original)

    def __getitem__(self, index):
        return self._original[index]

    def __contains__(self, key):
        return key in self._original

    def __bool__(self):
        return True

    @property
    def original_name(self):
        """The name of the class that was scripted."""
        return type(self._original).__name__

    @property
    def code(self):
        """The source of ``forward``."""
        return inspect.getsource(type(self._original).forward)

    def extra_repr(self):
        return f"original_name={self.original_name}"

    def __deepcopy__(self, memo):
        import copy

        return RecursiveScriptModule(copy.deepcopy(self._original, memo))

    def __reduce__(self):
        return RecursiveScriptModule, (self._original,)


def script(obj, optimize=None, _frames_up=0, _rcb=None, example_inputs=None):
    """A function, module or class with the interface of PyTorch's script objects; runs as Python.

    Args:
        obj: a function, a module, or a class (which is returned as it is).
        example_inputs: what PyTorch would infer types from; there is nothing to infer.

    Example::

        >>> @rl.jit.script
        ... def f(x):
        ...     return x + 1
        >>> f(rl.ones(1))
        tensor([2.])
    """
    if isinstance(obj, (ScriptModule, ScriptFunction)) or inspect.isclass(obj):
        return obj
    if not callable(obj):
        raise TypeError(f"script: expected a function or module, got {type(obj).__name__}")
    note("script", _WHY, 3)
    return RecursiveScriptModule(obj) if isinstance(obj, Module) else ScriptFunction(obj)


def script_method(fn):
    """Decorator: a method of a `ScriptModule`. The method itself."""
    note("script", _WHY, 3)
    return fn


def interface(obj):
    """Decorator: a class that says what methods others have. The class itself."""
    if not inspect.isclass(obj):
        raise RuntimeError(f"interface: expected a class, got {obj!r}")
    return obj


class CompilationUnit:
    """Functions written as text.

    Example::

        >>> unit = rl.jit.CompilationUnit("def f(x):\\n    return x + 1")
        >>> unit.f(1)
        2
    """

    def __init__(self, lang=None, _frames_up=0):
        self._functions = {}
        if lang is not None:
            self.define(lang)

    def define(self, src):
        """Adds the functions of a text."""
        import rushlight as rl

        names = {"torch": rl, "Tensor": rl.Tensor}
        exec(compile(inspect.cleandoc(src), "<CompilationUnit>", "exec"), names)
        found = {k: v for k, v in names.items() if inspect.isfunction(v)}
        self._functions.update({name: ScriptFunction(f) for name, f in found.items()})

    def __getattr__(self, name):
        if name in self.__dict__.get("_functions", ()):
            return self._functions[name]
        raise AttributeError(f"CompilationUnit has no function {name!r}")
