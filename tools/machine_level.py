"""Prints the best of x86-64-v2, -v3 and -v4 that this machine runs, for CMakeLists.txt."""

import pathlib
import re

NEEDED = {
    "v4": {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"},
    "v3": {"avx2", "bmi1", "bmi2", "f16c", "fma", "movbe"},
}


def machine_level(cpuinfo):
    """The level's name, from the text of /proc/cpuinfo."""
    flags = set(re.search(r"^flags\s*:(.*)$", cpuinfo, re.M).group(1).split())
    return next((level for level, needed in NEEDED.items() if needed <= flags), "v2")


def main():
    source = pathlib.Path("/proc/cpuinfo")
    # Where the system does not tell, v3: the level of nearly every machine in use.
    print(machine_level(source.read_text()) if source.exists() else "v3")


if __name__ == "__main__":
    main()
