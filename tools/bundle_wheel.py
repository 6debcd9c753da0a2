"""Makes a wheel that needs only NumPy: puts oneDNN and OpenBLAS into it, then repairs it.

    python tools/bundle_wheel.py WHEEL OUTPUT_DIRECTORY [--limit-mb N]

The libraries are those installed for this interpreter. They are opened with dlopen, so auditwheel
does not see them: they go to rushlight/lib, where rushlight/_libraries.py looks. auditwheel then
adds what they and the module link to (libgomp), once for all, and sets the platform tag.
"""

import argparse
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
from importlib import metadata

#: distribution -> the file that goes into rushlight/lib, and the distribution's licence prefix
LIBRARIES = {"onednn-cpu-gomp": "libdnnl.so.3", "scipy-openblas32": "libscipy_openblas.so"}
LICENSE_NAMES = re.compile(r"(licen[sc]e|third-party)[^/]*$", re.IGNORECASE)


def run(*command):
    subprocess.run([str(part) for part in command], check=True, stdout=subprocess.DEVNULL)


def installed_file(distribution, file_name):
    for entry in metadata.files(distribution) or ():
        if entry.name == file_name:
            return pathlib.Path(entry.locate()).resolve()
    raise SystemExit(f"{distribution} has no {file_name}")


def add_libraries(package):
    """Copies and strips the libraries, and their licences next to them."""
    target = package / "lib"
    target.mkdir()
    for distribution, file_name in LIBRARIES.items():
        shutil.copy(installed_file(distribution, file_name), target / file_name)
        run("strip", "--strip-unneeded", target / file_name)
        for entry in metadata.files(distribution):
            if LICENSE_NAMES.search(str(entry)):
                shutil.copy(entry.locate(), target / f"{distribution}-{entry.name}")


def drop_requirements(info):
    """Takes the bundled libraries out of the wheel's requirements."""
    path = info / "METADATA"
    head, blank, body = path.read_text(encoding="utf-8").partition("\n\n")
    bundled = tuple(f"Requires-Dist: {name}" for name in LIBRARIES)
    kept = [line for line in head.splitlines() if not line.startswith(bundled)]
    path.write_text("\n".join(kept) + blank + body, encoding="utf-8")


def bundle(wheel, output, work):
    """Returns the path of the finished wheel."""
    run(sys.executable, "-m", "wheel", "unpack", "-d", work, wheel)
    (tree,) = [path for path in work.iterdir() if path.is_dir()]
    add_libraries(tree / "rushlight")
    drop_requirements(next(tree.glob("*.dist-info")))
    packed, repaired = work / "packed", work / "repaired"
    packed.mkdir()
    run(sys.executable, "-m", "wheel", "pack", "-d", packed, tree)
    (whole,) = packed.glob("*.whl")
    run(sys.executable, "-m", "auditwheel", "repair", "--strip", "-z", "9", "-w", repaired, whole)
    (finished,) = repaired.glob("*.whl")
    return pathlib.Path(shutil.move(finished, output / finished.name))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("wheel", type=pathlib.Path)
    parser.add_argument("output", type=pathlib.Path)
    parser.add_argument("--limit-mb", type=float, default=float("inf"))
    args = parser.parse_args()
    args.output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as work:
        finished = bundle(args.wheel, args.output, pathlib.Path(work))
    size = finished.stat().st_size / 2**20
    print(f"{finished}: {size:.1f} MB")
    if size > args.limit_mb:
        raise SystemExit(f"the wheel is larger than {args.limit_mb} MB")


if __name__ == "__main__":
    main()
