"""Starts a short program in several processes that find each other, for the tests of `distributed`.

A program is text: it finds `rl`, `dist`, `rank`, `size` and `raises`, and fails by an assertion.
"""

import os
import pathlib
import subprocess
import sys
import textwrap

import rushlight as rl

#: where the package that is tested lies: not beside the tests, where its sources may be
ROOT = pathlib.Path(rl.__file__).absolute().parents[1]
SECONDS = 60

PRELUDE = """\
import os, re, sys, time
from contextlib import contextmanager
from datetime import timedelta
import rushlight as rl
import rushlight.distributed as dist
rank, size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
rl.set_num_threads(1)

@contextmanager
def raises(kind, match=""):  # pytest's takes a second to import
    try:
        yield
    except kind as error:
        assert re.search(match, str(error)), error
    else:
        assert False, f"{kind} was not raised"
"""
BEGIN = """\
dist.init_process_group("gloo", timeout=timedelta(seconds=float(os.environ["LIMIT"])))
"""
END = """
dist.barrier()
dist.destroy_process_group()
"""


def environment(**more):
    """The variables of a child process."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("MASTER_", "TORCHELASTIC"))}
    return {**kept, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", **more}


def start(program, size, limit=30, begin=BEGIN, end=END, **more):
    """The processes, and the store that they meet at."""
    store = rl.distributed.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    text = PRELUDE + begin + textwrap.dedent(program) + end
    shared = dict(
        MASTER_ADDR="127.0.0.1",
        MASTER_PORT=str(store.port),
        WORLD_SIZE=str(size),
        TORCHELASTIC_USE_AGENT_STORE="True",
        LIMIT=str(limit),
    )
    shared.update(more)
    return store, [
        subprocess.Popen(
            [sys.executable, "-c", text],
            env=environment(RANK=str(rank), **shared),
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for rank in range(size)
    ]


def finish(processes):
    """What each has printed; kills those that do not end."""
    try:
        return [process.communicate(timeout=SECONDS)[0] for process in processes]
    finally:
        for process in processes:
            process.kill()


def run(program, size=2, **options):
    """Runs a program in all processes, and checks that none fails."""
    store, processes = start(program, size, **options)
    printed = finish(processes)
    for process, text in zip(processes, printed):
        assert process.returncode == 0, text
    return printed
