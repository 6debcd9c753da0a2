"""Schemas of custom operators: ``"ns::name(Tensor x, *, int n=1) -> (Tensor, Tensor)"``.

`infer_schema` writes one from a function's annotations. A Python type that annotations may name is
an entry in `_TYPES`.
"""

import collections.abc
import inspect
import re
import typing
from dataclasses import dataclass

import rushlight as rl
from rushlight._native import schema_constant, split_arguments

_REQUIRED = object()
_TYPES = {
    rl.Tensor: "Tensor",
    int: "SymInt",
    float: "float",
    bool: "bool",
    str: "str",
    complex: "complex",
    rl.dtype: "ScalarType",
    rl.device: "Device",
    int | float | bool: "Scalar",
}


@dataclass
class AliasInfo:
    """What a schema says in brackets: ``(a!)``."""

    is_write: bool
    before_set: set

    @property
    def after_set(self):
        """The same: no schema here moves an argument to another set."""
        return self.before_set


@dataclass
class Argument:
    """An argument of an operator."""

    name: str
    type: str  # noqa: A003
    default_value: object = _REQUIRED
    kwarg_only: bool = False
    is_write: bool = False
    alias_set: str = ""  # the letter of what shares its memory

    @property
    def alias_info(self):
        """Its letter, and whether it is changed; None if it shares memory with nothing."""
        return AliasInfo(self.is_write, {self.alias_set}) if self.alias_set else None

    def has_default_value(self):
        """Can it be left out?"""
        return self.default_value is not _REQUIRED


class Schema:
    """A schema that has been read.

    Attributes:
        name: "ns::name".
        overload_name: what follows a dot, or "".
        arguments, returns: lists of `Argument`s.
        is_mutable: are there arguments that it changes?
    """

    def __init__(self, text):
        match = re.fullmatch(r"\s*(\w+::\w+)(?:\.(\w+))?\s*\((.*)\)\s*->\s*(.*?)\s*", text, re.S)
        if match is None:
            raise RuntimeError(
                f"library: expected a schema such as 'ns::name(Tensor x) -> Tensor', got {text!r}"
            )
        self.text = text
        self.name, self.overload_name = match.group(1), match.group(2) or ""
        self.arguments, keyword = [], False
        for part in split_arguments(match.group(3)):
            if part == "*":
                keyword = True
                continue
            self.arguments.append(_argument(part, keyword))
        returns = match.group(4)
        returns = split_arguments(returns[1:-1]) if returns.startswith("(") else [returns]
        self.returns = [_result(text) for text in returns if text]
        self.is_mutable = any(a.is_write for a in self.arguments)

    def __str__(self):
        return self.text

    def bind(self, args, kwargs):
        """Values of all arguments in order, with defaults."""
        positional = [a for a in self.arguments if not a.kwarg_only]
        if len(args) > len(positional):
            raise RuntimeError(
                f"{self.name}: expected at most {len(positional)} positional arguments, got "
                f"{len(args)}"
            )
        given = dict(zip((a.name for a in positional), args))
        for name, value in kwargs.items():
            if name in given or name not in {a.name for a in self.arguments}:
                raise RuntimeError(f"{self.name}: unexpected or repeated argument {name!r}")
            given[name] = value
        for argument in self.arguments:
            if argument.name not in given:
                if not argument.has_default_value():
                    raise RuntimeError(f"{self.name}: missing a value for {argument.name!r}")
                given[argument.name] = argument.default_value
            value = given[argument.name]
            if argument.type == "Tensor" and not isinstance(value, rl.Tensor):
                raise RuntimeError(
                    f"{self.name}: expected a Tensor for {argument.name!r}, got "
                    f"{type(value).__name__}"
                )
        return given


def _result(text):
    """Of a result a name may follow its type."""
    kind, _, name = text.strip().partition(" ")
    return _argument(f"{kind} {name or 'result'}", False)


def _constant(kind, text):
    if kind.startswith("ScalarType") and hasattr(rl, text):
        return getattr(rl, text)
    value = schema_constant(text)
    return rl.device(value) if kind.startswith("Device") and value is not None else value


def _argument(part, keyword):
    declaration, equals, default = part.partition("=")
    kind, _, name = declaration.strip().rpartition(" ")
    value = _REQUIRED
    if equals:
        value = _constant(kind, default.strip())
        value = list(value) if isinstance(value, tuple) else value
    alias = re.search(r"\((\w+)(?: -> \*)?(!?)\)", kind)
    plain = re.sub(r"\(\w+(?: -> \*)?!?\)", "", kind).strip()
    letter, write = (alias[1], alias[2] == "!") if alias else ("", False)
    return Argument(name, plain, value, keyword, write, letter)


def _type_text(kind):
    """An annotation as a schema writes it; ValueError if it cannot."""
    if isinstance(kind, str):
        kind = {"Tensor": rl.Tensor, "torch.Tensor": rl.Tensor}.get(kind, kind)
    if kind in _TYPES:
        return _TYPES[kind]
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin in (list, collections.abc.Sequence) and len(inner) == 1:
        return f"{_type_text(inner[0])}[]"
    rest = tuple(x for x in inner if x is not type(None))
    if origin is not None and len(rest) == 1 and len(inner) == 2:
        return f"{_type_text(rest[0])}?"
    if origin is not None and set(rest) == {int, float, bool}:
        return "Scalar?" if len(rest) < len(inner) else "Scalar"
    raise ValueError(
        f"infer_schema: unsupported type {kind}; use Tensor, int, float, bool, str ..."
    )


def infer_schema(prototype_function, /, *, mutates_args, op_name=None):
    """The schema that a function's annotations give, without a name unless one is given.

    Args:
        mutates_args: the names of arguments that are changed, or "unknown" for all tensors.

    Raises:
        ValueError: for a parameter without an annotation, or with one that schemas lack.

    Example::

        >>> def f(x: rl.Tensor, n: int = 1) -> rl.Tensor: ...
        >>> rl.library.infer_schema(f, mutates_args=())
        '(Tensor x, SymInt n=1) -> Tensor'
    """
    signature = inspect.signature(prototype_function, eval_str=True)
    parts, starred = [], False
    for number, parameter in enumerate(signature.parameters.values()):
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise ValueError(f"infer_schema: *args and **kwargs are not supported: {parameter}")
        if parameter.kind is parameter.KEYWORD_ONLY and not starred:
            starred = True
            parts.append("*")
        parts.append(_parameter_text(parameter, number, mutates_args))
    unknown = set(() if mutates_args == "unknown" else mutates_args) - set(signature.parameters)
    if unknown:
        raise ValueError(
            f"infer_schema: mutates_args names {sorted(unknown)}, which are no parameters"
        )
    return f"{op_name or ''}({', '.join(parts)}) -> {_returns_text(signature)}"


def _parameter_text(parameter, number, mutates_args):
    if parameter.annotation is parameter.empty:
        raise ValueError(f"infer_schema: parameter {parameter.name} must have a type annotation")
    kind = _type_text(parameter.annotation)
    changed = kind.startswith("Tensor") and mutates_args == "unknown"
    if changed or parameter.name in mutates_args and mutates_args != "unknown":
        kind = kind.replace("Tensor", f"Tensor(a{number}!)", 1)
    text = f"{kind} {parameter.name}"
    if parameter.default is parameter.empty:
        return text
    return f"{text}={_default_text(parameter.default)}"


def _default_text(value):
    if isinstance(value, rl.dtype):
        return str(value).rpartition(".")[2]
    return f'"{value}"' if isinstance(value, (str, rl.device)) else repr(value)


def _returns_text(signature):
    kind = signature.return_annotation
    if kind is None:
        return "()"
    if kind is signature.empty:
        raise ValueError("infer_schema: the function must have a return annotation")
    if typing.get_origin(kind) is tuple:
        return f"({', '.join(map(_type_text, typing.get_args(kind)))})"
    return _type_text(kind)
