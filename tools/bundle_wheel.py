"""Makes a wheel that needs only NumPy: puts OpenBLAS into it beside oneDNN, then repairs it.

    python tools/bundle_wheel.py WHEEL OUTPUT_DIRECTORY [--limit-mb N]

The libraries are those installed for this interpreter. They are opened with dlopen, so auditwheel
does not see them: they go to rushlight/lib, where rushlight/_libraries.py looks. auditwheel then
adds what they and the module link to (libgomp), once for all, and sets the platform tag.
"""

import argparse
import pathlib
import shutil
import subprocess
import sys
import tempfile

from add_library import add_library

#: The distributions whose libraries are added; oneDNN's is in every wheel already.
LIBRARIES = {"scipy-openblas32": "libscipy_openblas.so"}


def run(*command):
    subprocess.run([str(part) for part in command], check=True, stdout=subprocess.DEVNULL)


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
    for distribution, file_name in LIBRARIES.items():
        add_library(distribution, file_name, tree / "rushlight" / "lib")
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
