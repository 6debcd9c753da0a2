"""Prints the include directory of a header that a Python distribution carries; nothing if there is
none. CMakeLists.txt runs it, with the interpreter that the module is built for.
"""

import os
import sys
from importlib import metadata


def include_directory(distribution, header):
    """The directory that ``header`` ("oneapi/dnnl/dnnl.h") is to be included from, or None."""
    try:
        files = metadata.files(distribution) or ()
    except metadata.PackageNotFoundError:
        return None
    for entry in files:
        path = os.path.abspath(entry.locate())
        if path.replace(os.sep, "/").endswith("/" + header) and os.path.isfile(path):
            return path[: -len(header) - 1]
    return None


if __name__ == "__main__":
    print(include_directory(*sys.argv[1:3]) or "")
