"""Code that is made while a program runs. Tracebacks show its lines for as long as it lives;
programs that trace or load in a loop would otherwise collect texts for ever.
"""

import itertools
import linecache
import weakref

_numbers = itertools.count()


def execute(text, stem, names):
    """Runs a text among names, as a file of its own, whose name is returned."""
    file = f"<{stem} {next(_numbers)}>"
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    exec(compile(text, file, "exec"), names)
    return file


def keep_lines_while(owner, file):
    """Forgets the lines of a file of `execute` when the function or class `owner` is gone."""
    weakref.finalize(owner, linecache.cache.pop, file, None).atexit = False
