"""Starts the processes of `torch.distributed.run`, and ends all when one fails.

The store that the processes meet at is served here, so that it is there before and after them.
"""

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field

from ._tcp_store import TCPStore

_GRACE = 30.0  # seconds between asking a process to end and ending it


@dataclass
class Plan:
    """What to start: processes `local_size` times on each of `nodes` machines."""

    command: list
    arguments: list = field(default_factory=list)
    local_size: int = 1
    nodes: int = 1
    node: int = 0
    host: str = "127.0.0.1"
    port: int = 0
    role: str = "default"
    run_id: str = "none"
    interval: float = 0.1
    local_rank_argument: bool = False

    def environment(self, local_rank, port):
        """The variables of a process."""
        rank, size = self.node * self.local_size + local_rank, self.nodes * self.local_size
        told = {
            "LOCAL_RANK": local_rank, "RANK": rank, "GROUP_RANK": self.node, "ROLE_RANK": rank,
            "ROLE_NAME": self.role, "LOCAL_WORLD_SIZE": self.local_size, "WORLD_SIZE": size,
            "GROUP_WORLD_SIZE": self.nodes, "ROLE_WORLD_SIZE": size, "MASTER_ADDR": self.host,
            "MASTER_PORT": port, "TORCHELASTIC_RESTART_COUNT": 0, "TORCHELASTIC_MAX_RESTARTS": 0,
            "TORCHELASTIC_RUN_ID": self.run_id, "TORCHELASTIC_USE_AGENT_STORE": True,
        }  # fmt: skip
        known = dict(os.environ)
        if self.local_size > 1:  # they share the cores, and each would use all of them
            known.setdefault("OMP_NUM_THREADS", "1")
        return {**known, **{name: str(value) for name, value in told.items()}}

    def start(self, local_rank, port):
        """A process."""
        more = [f"--local-rank={local_rank}"] if self.local_rank_argument else []
        return subprocess.Popen(
            [*self.command, *more, *self.arguments], env=self.environment(local_rank, port)
        )


class _Stopped(Exception):
    """A signal came that asks this process to end."""


def _stop(number, frame):
    raise _Stopped(number)


def launch(plan):
    """Starts all, waits for all; 0, or the exit status of the first that fails."""
    store, port = None, plan.port
    if plan.node == 0:
        store = TCPStore(plan.host, port, is_master=True, wait_for_workers=False)
        port = store.port
    before = {number: signal.signal(number, _stop) for number in (signal.SIGTERM, signal.SIGINT)}
    processes = []
    try:
        for local_rank in range(plan.local_size):
            processes.append(plan.start(local_rank, port))
        return _watch(plan, processes)
    except _Stopped as stopped:
        return 128 + stopped.args[0]
    finally:
        for number in before:
            signal.signal(number, signal.SIG_IGN)  # they are being ended
        _end(processes)
        for number, handler in before.items():
            signal.signal(number, handler)
        del store


def _watch(plan, processes):
    while True:
        statuses = [process.poll() for process in processes]
        for local_rank, status in enumerate(statuses):
            if status:
                return _report(plan, local_rank, processes[local_rank], status)
        if None not in statuses:
            return 0
        time.sleep(plan.interval)


def _report(plan, local_rank, process, status):
    how = f"was ended by {signal.Signals(-status).name}" if status < 0 else f"exited with {status}"
    rank = plan.node * plan.local_size + local_rank
    print(
        f"torch.distributed.run: rank {rank} (local rank {local_rank}, pid {process.pid}) {how}; "
        "ending the others",
        file=sys.stderr,
    )
    return 128 - status if status < 0 else status


def _end(processes):
    """Asks those that run to end, and ends those that do not."""
    running = [process for process in processes if process.poll() is None]
    for process in running:
        process.terminate()
    end = time.monotonic() + _GRACE
    for process in running:
        try:
            process.wait(max(end - time.monotonic(), 0))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
