"""What becomes of exceptions in what `script` made: those of PyTorch's interpreter.

An exception that the program raises, by ``raise`` or ``assert``, is an `Error`; one of an operator
is a RuntimeError. Refusals of this package stay what they are.
"""

import dis
import linecache
import os

__all__ = ["Error", "run"]

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
#: parts of the package that are programs to PyTorch's interpreter
_SCRIPTED = (os.path.join(_PACKAGE, "nn", "functional.py"),)
_RAISE = dis.opmap["RAISE_VARARGS"]


class Error(Exception):
    """An exception that a scripted program raised."""

    __module__ = "torch.jit"


def run(function, args, kwargs):
    """Calls what has been scripted."""
    try:
        return function(*args, **kwargs)
    except Error:  # of what it calls
        raise
    except Exception as failure:
        translated = _translated(failure)
        if translated is failure:
            raise
        raise translated from failure


def _translated(failure):
    step = failure.__traceback__.tb_next
    if step is None:  # the arguments do not fit
        return RuntimeError(str(failure)) if isinstance(failure, TypeError) else failure
    while step.tb_next is not None:
        step = step.tb_next
    code = step.tb_frame.f_code
    own = code.co_filename.startswith(_PACKAGE) and code.co_filename not in _SCRIPTED
    if not own and code.co_code[step.tb_lasti] == _RAISE:
        return Error(_text(failure, step))
    return failure if isinstance(failure, RuntimeError) else RuntimeError(_text(failure, step))


def _text(failure, step):
    code, kind = step.tb_frame.f_code, type(failure)
    line = linecache.getline(code.co_filename, step.tb_lineno).strip()
    prefix = "RuntimeError: " if kind is AssertionError else f"{kind.__module__}."
    return (
        "The following operation failed in the TorchScript interpreter.\n"
        "Traceback of TorchScript (most recent call last):\n"
        f'  File "{code.co_filename}", line {step.tb_lineno}, in {code.co_name}\n'
        f"    {line}\n    {'~' * len(line)} <--- HERE\n"
        f"{prefix}{kind.__name__}: {failure}\n"
    )
