"""Python by its text: what script functions and modules need so that a file can hold them.

A `Collector` gathers the sources of functions and classes and the values of the names in them;
`built` makes them again. What packages offer is kept as an import, and what a program defines as
text. To keep another kind of value, a case in `Collector.entry`.
"""

import dis
import importlib
import inspect
import re
import sys
import textwrap
import types
import weakref

from rushlight._generated_code import execute, keep_lines_while
from rushlight._serialization.names import own_module
from rushlight.nn.modules.module import Module

from ._script import RecursiveScriptModule, ScriptFunction
from ._trace import TracedModule

#: function or class that was made from a text -> the text
_texts = weakref.WeakKeyDictionary()


def _source(obj):
    if obj in _texts:
        return _texts[obj]
    try:
        text = textwrap.dedent(inspect.getsource(obj))
        # What exec made is in the file "<string>", as since Python 3.13 the program of `-c` is.
        if not re.search(rf"\b(?:def|class)\s+{re.escape(obj.__name__)}\b", text):
            raise OSError("the lines at its place are of something else")
    except (OSError, TypeError) as error:
        raise NotImplementedError(
            f"torch.jit.save: there is no source of {obj.__qualname__}: {error}"
        ) from None
    return text


def _is_installed(module):
    """Is a module, by its name, one that any program can import?"""
    root = module.partition(".")[0]
    if root in sys.stdlib_module_names or root == "rushlight":
        return root != "__main__"
    path = getattr(sys.modules.get(root), "__file__", None) or ""
    return "site-packages" in path or "dist-packages" in path


def _import_of(value):
    """(module, path) under which a function, class or type is found; None if it is nowhere."""
    module = own_module(getattr(value, "__module__", None) or "")
    path = getattr(value, "__qualname__", None) or getattr(value, "_name", None)
    if not module or not path or not _is_installed(module):
        return None
    try:
        return (module, path) if _imported(module, path) is value else None
    except (AttributeError, ImportError):
        return None


def _imported(module, path):
    found = importlib.import_module(module)
    for part in path.split("."):
        found = getattr(found, part)
    return found


def _names_in(code):
    """The names that a text looks up outside of its functions."""
    found = {i.argval for i in dis.get_instructions(code) if i.opname in _LOOKS_UP}
    return found.union(*[_names_in(c) for c in code.co_consts if inspect.iscode(c)])


_LOOKS_UP = ("LOAD_GLOBAL", "LOAD_NAME")


def _surroundings(obj):
    """name -> value of all that a function or class can see."""
    functions = [obj] if inspect.isfunction(obj) else _methods(obj)
    seen = dict(vars(sys.modules[obj.__module__])) if obj.__module__ in sys.modules else {}
    for function in functions:
        seen.update(function.__globals__)
    for function in functions:
        cells = zip(function.__code__.co_freevars, function.__closure__ or ())
        seen.update({n: c.cell_contents for n, c in cells if n != "__class__"})
    return seen


def _methods(cls):
    unwrapped = [getattr(m, "__func__", getattr(m, "fget", m)) for m in vars(cls).values()]
    return [m for m in unwrapped if inspect.isfunction(m)]


class Collector:
    """Gathers definitions, each after those that it needs while it is made.

    Attributes:
        definitions: [{"key", "name", "module", "source", "names": {name: entry}}].
        modules: [{"class": entry, "state": {name: entry}, "modules": {name: number}}].
    """

    def __init__(self):
        self.definitions, self.modules = [], []
        self._keys, self._numbers, self._kept = {}, {}, []

    def entry(self, value):
        """A value as a file keeps it: an import, a definition by its key, or itself."""
        if isinstance(value, ScriptFunction):
            return "script", self.define(value._function)
        if isinstance(value, types.ModuleType):
            name = value.__spec__.name if value.__spec__ else value.__name__
            if not _is_installed(name):
                raise NotImplementedError(
                    f"torch.jit.save: a function uses the module {name}, which is not an "
                    "installed package; import what it needs from there by name"
                )
            return "module", name
        where = _import_of(value)
        if where is not None:
            return "import", where
        if inspect.isfunction(value) or inspect.isclass(value):
            return "definition", self.define(value)
        if isinstance(value, Module):
            return "instance", self.describe(value)
        return "value", value

    def define(self, obj):
        """The key of a function's or class's definition, which is gathered if it is new."""
        if id(obj) not in self._keys:
            key = self._keys[id(obj)] = f"{obj.__qualname__}#{len(self._keys)}"
            self._kept.append(obj)  # ids are of living objects
            source = _source(obj)
            wanted = _names_in(compile(source, obj.__qualname__, "exec"))
            seen = _surroundings(obj)
            names = {n: self.entry(seen[n]) for n in sorted(wanted & seen.keys() - {obj.__name__})}
            self.definitions.append(
                {
                    **{"key": key, "name": obj.__name__, "module": obj.__module__},
                    **{"source": source, "names": names},
                }
            )
        return self._keys[id(obj)]

    def describe(self, module):
        """The number of a module's description: its class, its state and its modules."""
        if id(module) not in self._numbers:
            number = self._numbers[id(module)] = len(self.modules)
            self._kept.append(module)
            self.modules.append(None)
            self.modules[number] = self._description(module)
        return self._numbers[id(module)]

    def _description(self, module):
        if isinstance(module, RecursiveScriptModule):
            return {"script": self.describe(module._original)}
        if isinstance(module, TracedModule):
            return {"traced": module}
        state = {k: self.entry(v) for k, v in module.__dict__.items() if k != "_modules"}
        inner = {n: None if m is None else self.describe(m) for n, m in module._modules.items()}
        return {"class": self.entry(type(module)), "state": state, "modules": inner}


def script_program(m):
    """What a file keeps of a script function or module."""
    collector = Collector()
    kind, what = collector.entry(m)
    return {
        "definitions": collector.definitions,
        "modules": collector.modules,
        "result": (kind, what),
    }


class _Builder:
    def __init__(self, program):
        self.program, self.objects, self.spaces, self.made = program, {}, {}, {}

    def value(self, entry):
        kind, what = entry
        if kind in ("definition", "script"):
            found = self.objects.get(what)
            return ScriptFunction(found) if found and kind == "script" else found
        if kind == "module":
            return importlib.import_module(what)
        if kind == "import":
            return _imported(*what)
        return self.module(what) if kind == "instance" else what

    def define(self, definition):
        """Runs a definition's text among the names it uses; those made later come afterwards."""
        space = {"__name__": definition["module"], "__builtins__": __builtins__}
        space.update({n: self.value(e) for n, e in definition["names"].items()})
        text = definition["source"]
        file = execute(text, f"torch.jit.load {definition['key']}", space)
        made = space[definition["name"]]
        made = made._function if isinstance(made, ScriptFunction) else made
        keep_lines_while(made, file)
        _texts[made] = text
        self.objects[definition["key"]], self.spaces[definition["key"]] = made, space

    def complete(self):
        for definition in self.program["definitions"]:
            space = self.spaces[definition["key"]]
            for name, entry in definition["names"].items():
                space[name] = self.value(entry)

    def module(self, number):
        if number not in self.made:
            description = self.program["modules"][number]
            if "traced" in description:
                self.made[number] = description["traced"]
            elif "script" in description:
                self.made[number] = RecursiveScriptModule(self.module(description["script"]))
            else:
                self._instance(number, description)
        return self.made[number]

    def _instance(self, number, description):
        cls = self.value(description["class"])
        made = self.made[number] = cls.__new__(cls)
        inner = description["modules"]
        made.__dict__.update({k: self.value(e) for k, e in description["state"].items()})
        made.__dict__["_modules"] = {
            name: None if n is None else self.module(n) for name, n in inner.items()
        }


def built(program):
    """The script function or module that `script_program` described. Runs its text."""
    builder = _Builder(program)
    for definition in program["definitions"]:
        builder.define(definition)
    builder.complete()
    return builder.value(program["result"])
