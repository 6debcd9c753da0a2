"""Sources of PyTorch's early years that no longer compile: ``x.cuda(async=True)``.

``async`` became a keyword of Python in 3.7 and the argument ``non_blocking``. The launcher compiles
the program, and modules beside it, through `compile_source`, which mends that and says so; sources
that compile are left alone, but for ``loss.data[0]`` (`_early_programs.py`). Another mend belongs
in `_mended`.
"""

import ast
import io
import sys
import tokenize
import warnings
from importlib.machinery import PathFinder, SourceFileLoader

from rushlight import _early_programs


def compile_source(source, path):
    """Code of a file's bytes. SyntaxError as Python would raise it, where it cannot be mended."""
    try:
        return _compile(source, path)
    except SyntaxError as error:
        mended = _mended(source)
        if mended is None:
            raise
        try:
            code = _compile(mended, path)
        except SyntaxError:
            raise error from None
    warnings.warn(
        f"{path}: `async=` is read as `non_blocking=`; `async` is a keyword of Python now",
        stacklevel=2,
    )
    return code


def _compile(source, path):
    tree = source
    if ("data[0]" if isinstance(source, str) else b"data[0]") in source:
        tree = _early_programs.with_firsts(ast.parse(source, path))
    return compile(tree, path, "exec", dont_inherit=True)


def _mended(source):
    """The text with each argument ``async=`` spelled ``non_blocking=``, or None if it has none."""
    text, places = source.decode(tokenize.detect_encoding(io.BytesIO(source).readline)[0]), []
    try:
        tokens = list(tokenize.generate_tokens(io.StringIO(text).readline))
    except (tokenize.TokenError, SyntaxError):
        return None
    for before, token, after in zip(tokens, tokens[1:], tokens[2:]):
        if token.string == "async" and after.string == "=" and before.string in ("(", ","):
            places.append(token.start)
    lines = text.splitlines(keepends=True)
    for row, column in reversed(places):
        line = lines[row - 1]
        lines[row - 1] = line[:column] + "non_blocking" + line[column + len("async") :]
    return "".join(lines) if places else None


class _Loader(SourceFileLoader):
    def source_to_code(self, data, path, *, _optimize=-1):
        return compile_source(bytes(data), path)

    def set_data(self, path, data, *, _mode=0o666):
        """Keeps no compiled file: it would serve a plain `python`, and hide the note next time."""


class _Finder:
    """Loads modules from one folder, and packages in it, through `compile_source`."""

    def __init__(self, folder):
        self._folder = folder

    def find_spec(self, name, path=None, target=None):
        spec = PathFinder.find_spec(name, [self._folder] if path is None else path)
        if spec is None or type(spec.loader) is not SourceFileLoader:
            return None
        if not spec.origin.startswith(self._folder) or "site-packages" in spec.origin:
            return None
        spec.loader = _Loader(spec.loader.name, spec.loader.path)
        return spec


def install(folder):
    """Lets modules in a folder be mended as well when they are imported."""
    place = next((i for i, f in enumerate(sys.meta_path) if f is PathFinder), len(sys.meta_path))
    sys.meta_path.insert(place, _Finder(folder))
