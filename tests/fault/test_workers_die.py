"""Loader workers that are killed, hang or are interrupted: an error names them, nothing is left."""

import multiprocessing
import os
import signal
import subprocess
import sys
import textwrap
import time

import pytest

import rushlight as rl
from rushlight.utils.data import DataLoader


class Killed:
    def __len__(self):
        return 60

    def __getitem__(self, i):
        if i == 7:
            os.kill(os.getpid(), signal.SIGKILL)
        return i


class Exits(Killed):
    def __getitem__(self, i):
        if i == 7:
            os._exit(3)
        return i


class Hangs(Killed):
    def __getitem__(self, i):
        time.sleep(30 if i == 2 else 0)
        return i


@pytest.mark.parametrize("dataset, cause", [(Killed(), "SIGKILL"), (Exits(), "exit code 3")])
def test_dead_worker_is_reported(dataset, cause):
    with pytest.raises(
        RuntimeError, match=rf"worker \(pid\(s\) \d+\) exited unexpectedly.*{cause}"
    ):
        list(DataLoader(dataset, 2, num_workers=2))
    assert not multiprocessing.active_children()


def test_persistent_loader_recovers_with_new_workers():
    loader = DataLoader(Killed(), 2, num_workers=1, persistent_workers=True)
    with pytest.raises(RuntimeError, match="exited unexpectedly"):
        list(loader)
    assert next(iter(loader)).tolist() == [0, 1]


def test_timeout_names_worker_and_indices():
    with pytest.raises(RuntimeError, match=r"timed out after 4 seconds.*batch 2.*\[2\].*worker 0"):
        list(DataLoader(Hangs(), 1, num_workers=2, timeout=4))
    assert not multiprocessing.active_children()


SCRIPT = textwrap.dedent(
    """
    import signal
    import time
    from rushlight.utils.data import DataLoader

    signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background ignores it

    class Slow:
        def __len__(self):
            return 1000

        def __getitem__(self, i):
            time.sleep(0.02)
            return i

    for batch in DataLoader(Slow(), 1, num_workers=2):
        if batch.item() == 1:
            import multiprocessing
            print(*[p.pid for p in multiprocessing.active_children()], flush=True)
    """
)


def _started():
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        cwd=os.path.dirname(os.path.dirname(rl.__file__)),
    )
    workers = [int(pid) for pid in process.stdout.readline().split()]
    assert len(workers) == 2, process.stderr.read()
    return process, workers


def _gone(pid, within=10.0):
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        try:
            with open(f"/proc/{pid}/stat") as file:
                if file.read().rpartition(")")[2].split()[0] == "Z":
                    return True
        except FileNotFoundError:
            return True
        time.sleep(0.05)
    return False


needs_proc = pytest.mark.skipif(
    not os.path.isdir("/proc/self"), reason="looks processes up in /proc"
)


@needs_proc
def test_interrupt_ends_all_with_one_traceback():
    process, workers = _started()
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode != 0
    assert errors.count("Traceback") == 1 and "KeyboardInterrupt" in errors
    assert all(map(_gone, workers))


@needs_proc
def test_workers_end_when_the_parent_is_killed():
    process, workers = _started()
    process.kill()
    process.communicate(timeout=30)
    assert all(map(_gone, workers))
