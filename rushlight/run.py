"""``python -m rushlight.run SCRIPT ARGS``: runs a PyTorch program on rushlight, unmodified.

Only starting the program belongs here: `sys.argv`, `__main__`, tracebacks. What ``import torch``
then means is in `_as_torch`; what is rewritten in old sources is in `_old_sources.py`.
"""

import os
import signal
import sys
import types

import rushlight
from rushlight import _early_programs, _old_sources

_USAGE = """\
usage: python -m rushlight.run SCRIPT [ARGS ...]
       python -m rushlight.run -m MODULE [ARGS ...]

Runs a PyTorch program, with `import torch` and `import torchvision` meaning rushlight for it and
for every package that it imports."""


def _run_script(path, arguments):
    """Executes a file, or a folder with a `__main__.py`, as `python PATH` would."""
    sys.argv = [path, *arguments]
    if os.path.isdir(path):
        import runpy

        sys.path[0] = path
        runpy.run_path(path, run_name="__main__")
        return
    folder = os.path.dirname(os.path.realpath(path))
    sys.path[0], path = folder, os.path.abspath(path)
    _old_sources.install(folder)
    with open(path, "rb") as file:
        code = _old_sources.compile_source(file.read(), path)
    exec(code, _fresh_main(path).__dict__)


def _fresh_main(path):
    from importlib.machinery import SourceFileLoader

    main = types.ModuleType("__main__")
    main.__file__, main.__cached__, main.__package__ = path, None, None
    main.__loader__ = SourceFileLoader("__main__", path)
    main.__builtins__ = __builtins__
    sys.modules["__main__"] = main  # stays there: pickles and child processes look for it
    return main


def _run_module(name, arguments):
    """Executes a module as `python -m NAME` would."""
    import runpy

    sys.argv = [name, *arguments]
    _old_sources.install(os.getcwd())
    runpy.run_module(name, run_name="__main__", alter_sys=True)


def _without_launcher(traceback):
    """The traceback from the program's first frame on."""
    first = traceback
    while first is not None and first.tb_frame.f_code.co_filename in _LAUNCHER_FILES:
        first = first.tb_next
    return first


_LAUNCHER_FILES = (__file__, _old_sources.__file__, "<frozen runpy>")


def main(arguments):
    """Runs what the command line names; the exit status."""
    if not arguments or arguments[0] in ("-h", "--help"):
        print(_USAGE, file=sys.stderr if not arguments else sys.stdout)
        return 0 if arguments else 2
    if arguments[0] == "-m" and len(arguments) == 1:
        print("rushlight.run: -m needs the name of a module\n" + _USAGE, file=sys.stderr)
        return 2
    if arguments[0] != "-m" and not os.path.exists(arguments[0]):
        print(f"rushlight.run: can't open file {arguments[0]!r}", file=sys.stderr)
        return 2
    rushlight.install_as_torch()
    _early_programs.install()
    try:
        if arguments[0] == "-m":
            _run_module(arguments[1], arguments[2:])
        else:
            _run_script(arguments[0], arguments[1:])
    except SystemExit:
        raise
    except BaseException as error:
        return _report(error)
    return 0


def _report(error):
    """Shows an exception that ended the program, as the interpreter would."""
    error.__traceback__ = _without_launcher(error.__traceback__)
    sys.excepthook(type(error), error, error.__traceback__)
    if isinstance(error, KeyboardInterrupt):
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
