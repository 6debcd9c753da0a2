"""Puts a shared library that came as a Python distribution into a package, with its licences.

    python tools/add_library.py DISTRIBUTION FILE_NAME DIRECTORY

For the libraries that rushlight opens with dlopen from rushlight/lib (rushlight/_libraries.py).
CMakeLists.txt runs it for oneDNN, whose distribution keeps its library where `pip install
--target` loses it; tools/bundle_wheel.py for all.
"""

import pathlib
import re
import shutil
import subprocess
import sys
from importlib import metadata

LICENSE_NAMES = re.compile(r"(licen[sc]e|third-party)[^/]*$", re.IGNORECASE)


def installed_file(distribution, file_name):
    for entry in metadata.files(distribution) or ():
        if entry.name == file_name:
            return pathlib.Path(entry.locate()).resolve()
    raise SystemExit(f"{distribution} has no {file_name}")


def add_library(distribution, file_name, directory):
    """Copies and strips the library, and its licences next to it."""
    directory.mkdir(parents=True, exist_ok=True)
    copy = directory / file_name
    shutil.copy(installed_file(distribution, file_name), copy)
    subprocess.run(["strip", "--strip-unneeded", str(copy)], check=True)
    for entry in metadata.files(distribution):
        if LICENSE_NAMES.search(str(entry)):
            shutil.copy(entry.locate(), directory / f"{distribution}-{entry.name}")


if __name__ == "__main__":
    name, library, target = sys.argv[1:]
    add_library(name, library, pathlib.Path(target))
