"""Times workloads of each kind, next to PyTorch where that is installed, and prints a table.

    python bench/run.py                    # a table
    python bench/run.py --write FILE       # also as Markdown, for bench/RESULTS.md
    python bench/run.py --only matmul --seconds 1

Each library runs in a process of its own, so that neither sees the other's threads or memory. A
workload is a function in workloads.py. The figure is the median over rounds, alternating libraries.
"""

import argparse
import json
import math
import os
import platform
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))


def child(library, python, only, seconds, threads):
    """{workload: seconds a call} of one library, or None if it is not installed."""
    command = [python, os.path.join(HERE, "workloads.py"), library, only, str(seconds)]
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode == 3:
        return None
    if done.returncode:
        raise SystemExit(f"{library} failed:\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def medians(rounds):
    """{workload: median over rounds}."""
    return {name: sorted(r[name] for r in rounds)[len(rounds) // 2] for name in rounds[0]}


def readable(seconds):
    for unit, scale in (("s", 1), ("ms", 1e3), ("µs", 1e6)):
        if seconds * scale >= 1:
            return f"{seconds * scale:.3g} {unit}"
    return f"{seconds * 1e9:.3g} ns"


def mean_ratio(pairs):
    """The geometric mean of theirs / ours."""
    return math.exp(sum(math.log(theirs / ours) for ours, theirs in pairs) / len(pairs))


def table(ours, theirs):
    """Markdown: a row for each workload, then the mean ratio of each group."""
    lines = ["| workload | rushlight | PyTorch | times faster |", "|---|---:|---:|---:|"]
    groups = {}
    for name, seconds in ours.items():
        other = theirs and theirs[name]
        shown = (readable(other), f"{other / seconds:.2f}") if other else ("", "")
        lines.append(f"| {name} | {readable(seconds)} | {shown[0]} | {shown[1]} |")
        groups.setdefault(name.split(":")[0], []).append((seconds, other))
    if theirs:
        lines += ["", "| group | times faster (geometric mean) | workloads |", "|---|---:|---:|"]
        lines += [f"| {g} | {mean_ratio(p):.2f} | {len(p)} |" for g, p in groups.items()]
    return "\n".join(lines)


def machine(threads):
    name = platform.processor() or platform.machine()
    with open("/proc/cpuinfo") as file:
        for line in file:
            if line.startswith("model name"):
                name = line.split(":")[1].strip()
                break
    return f"{name}, {threads} threads, Python {platform.python_version()}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="workloads whose name contains this")
    parser.add_argument(
        "--seconds", type=float, default=0.3, help="time for each workload and round"
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument(
        "--torch-python", default=sys.executable, help="the interpreter that has torch"
    )
    parser.add_argument("--write", metavar="FILE", help="write the table there as well")
    args = parser.parse_args()
    rounds = {"rushlight": [], "torch": []}
    for _ in range(args.rounds):
        for library, python in (("rushlight", sys.executable), ("torch", args.torch_python)):
            rounds[library].append(child(library, python, args.only, args.seconds, args.threads))
    if rounds["rushlight"][0] is None:
        raise SystemExit("rushlight is not installed here; try: pip install .")
    theirs = medians(rounds["torch"]) if rounds["torch"][0] else None
    text = machine(args.threads) + "\n\n" + table(medians(rounds["rushlight"]), theirs)
    print(text)
    if args.write:
        with open(args.write, "w", encoding="utf-8") as file:
            file.write(
                "# Measured\n\nBy `make bench`: time of a call, median of rounds.\n\n" + text + "\n"
            )


if __name__ == "__main__":
    main()
