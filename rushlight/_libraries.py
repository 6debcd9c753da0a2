"""Where OpenBLAS and oneDNN are installed.

The native kernels call `find` once, when they first need a library. To depend on another
library, add its file name, its distribution and the directories to try first.
"""

import os
import sys

# name: (file name, distribution that provides it)
_LIBRARIES = {
    "openblas": ("libscipy_openblas", "scipy-openblas32"),
    "onednn": ("libdnnl.so.3", "onednn-cpu-gomp"),
}


def find(name):
    """The path of the shared library `name` ("openblas" or "onednn").

    Looks into the package, which brings oneDNN, and beside it (repaired wheels keep libraries in
    rushlight.libs), then where pip puts the distributions, and last into their metadata. Raises
    ImportError when the library is not installed.
    """
    file_name, distribution = _LIBRARIES[name]
    for directory in _likely_directories(name):
        path = _match(directory, file_name)
        if path:
            return path
    path = _from_metadata(distribution, file_name)
    if path:
        return path
    raise ImportError(
        f"rushlight needs {file_name}, which the package {distribution} provides, and it is not "
        f"installed for {sys.executable}; install it with: pip install {distribution}"
    )


def _likely_directories(name):
    package = os.path.dirname(os.path.abspath(__file__))
    site = os.path.dirname(package)
    yield os.path.join(site, "rushlight.libs")
    yield os.path.join(package, "lib")
    if name == "openblas":
        for entry in (site, *sys.path):
            yield os.path.join(entry, "scipy_openblas32", "lib")
        return
    yield os.path.join(sys.prefix, "lib")  # a build in the source tree uses the environment's


def _match(directory, file_name):
    """`file_name` in `directory`, or a repaired wheel's renamed copy (libdnnl-1a2b3c4d.so.3)."""
    for candidate in (file_name, file_name + ".so"):
        path = os.path.join(directory, candidate)
        if os.path.isfile(path):
            return path
    if not directory.endswith("rushlight.libs") or not os.path.isdir(directory):
        return None
    stem = file_name.split(".")[0]
    for entry in sorted(os.listdir(directory)):
        if entry.startswith(stem) and ".so" in entry:
            return os.path.join(directory, entry)
    return None


def _from_metadata(distribution, file_name):
    from importlib import metadata

    try:
        files = metadata.files(distribution) or ()
    except metadata.PackageNotFoundError:
        return None
    for entry in files:
        if entry.name in (file_name, file_name + ".so"):
            path = os.path.abspath(entry.locate())
            if os.path.isfile(path):
                return path
    return None
