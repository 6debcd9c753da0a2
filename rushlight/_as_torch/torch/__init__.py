"""Found by child processes of a program that runs as PyTorch: puts rushlight in this place."""

try:
    import rushlight
except ModuleNotFoundError:  # the parent had it on a path that children do not inherit
    import pathlib
    import sys

    sys.path.append(str(pathlib.Path(__file__).resolve().parents[3]))
    import rushlight

rushlight.install_as_torch()
