"""The worker processes of one loader iterator: starting, feeding, collecting, ending them.

Each worker has a pipe of its own to the main process, so the death of one cannot block another.
What workers do is in `worker.py`, how objects travel in `channel.py`.
"""

import itertools
import multiprocessing
import multiprocessing.connection
import os
import signal
import time
import weakref

from . import channel, segments
from .seeding import numpy_is_installed
from .worker import Failure, Setup, worker_main

_LOOK_AROUND = 2.0  # seconds between looks at the workers while waiting
_GRACE = 2.0  # seconds that workers get to end by themselves


class WorkerPool:
    """Hands out tasks in turn and returns batches in order (or as they come)."""

    def __init__(self, loader, base_seed):
        self.prefetch, self.timeout = loader.prefetch_factor, loader.timeout
        self.in_order, self.persistent = loader.in_order, loader.persistent_workers
        self.stream = loader._dataset_kind == 1
        self.processes, self.connections = [], []
        self.lenders = [segments.Lender() for _ in range(loader.num_workers)]
        self.number = 0
        # Resources are handed to the finalizer, which must not keep the pool itself alive.
        self._finish = weakref.finalize(
            self, _end_workers, self.processes, self.connections, os.getpid()
        )
        try:
            self._start_workers(loader, base_seed)
        except BaseException:
            self.close()
            raise

    def _start_workers(self, loader, base_seed):
        context = loader.multiprocessing_context or multiprocessing.get_context()
        forks = context.get_start_method() == "fork"
        if forks and numpy_is_installed():
            # Once here rather than in every worker, which seeds it.
            import numpy.random  # noqa: F401 - does not come with `numpy`
        for worker_id in range(loader.num_workers):
            setup = Setup(loader, base_seed, worker_id, self.stream)
            ours, theirs = context.Pipe(duplex=True)
            self.connections.append(ours)
            inherited = list(self.connections) if forks else []
            process = context.Process(
                target=worker_main,
                args=(theirs, setup if forks else None, inherited),
                daemon=True,
            )
            process.start()
            self.processes.append(process)
            theirs.close()
            if not forks:
                channel.send(ours, setup)

    @property
    def closed(self):
        return not self._finish.alive

    def begin(self, order):
        """Start a pass over the batches of indices in `order`."""
        self.order = order
        self.next_sent = self.next_wanted = 0
        self.ready = {}
        self.waiting = {}  # index of a batch under way -> (worker, indices)
        self.busy = [True] * len(self.processes)  # False once a worker's stream has ended
        self.turn = itertools.cycle(range(len(self.processes)))
        for _ in range(self.prefetch * len(self.processes)):
            self._hand_out()

    def restart(self, order):
        """Start another pass with the same workers, whose generators run on; drops what is left."""
        self.number += 1
        for worker in range(len(self.processes)):
            self._send(worker, (self.number, None, None))
        self.begin(order)

    def _hand_out(self):
        """Give the next batch of indices to the next worker that still has something to read."""
        worker = next(
            (w for w in itertools.islice(self.turn, len(self.busy)) if self.busy[w]), None
        )
        if worker is None:
            return
        try:
            indices = next(self.order)
        except StopIteration:
            return
        self.waiting[self.next_sent] = (worker, indices)
        self._send(worker, (self.number, self.next_sent, indices))
        self.next_sent += 1

    def _send(self, worker, task):
        try:
            returned = self.lenders[worker].returned()
            channel.send(self.connections[worker], (*task, returned))
        except (BrokenPipeError, ConnectionResetError):
            self._fail_dead(worker)

    def next_batch(self):
        """The next batch; StopIteration at the end of the pass."""
        if self.closed:
            raise StopIteration
        started = time.monotonic()
        while (index := self._deliverable()) is None:
            if not self.waiting and not self._refill():
                self._end_pass()
                raise StopIteration
            self._collect(started)
        answer = self.ready.pop(index)
        self._hand_out()
        if isinstance(answer, Failure):
            answer.reraise()
        return answer[0]

    def _refill(self):
        """With prefetch_factor=0 tasks are handed out only when asked for."""
        self._hand_out()
        return bool(self.waiting)

    def _deliverable(self):
        if not self.in_order:
            return next(iter(self.ready), None)
        while self.next_wanted < self.next_sent:
            if self.next_wanted in self.ready:
                self.next_wanted += 1
                return self.next_wanted - 1
            if self.next_wanted in self.waiting:
                return None
            self.next_wanted += 1  # its worker's stream had ended
        return None

    def _collect(self, started):
        """Wait for workers and take what they have sent."""
        patience = _LOOK_AROUND
        if self.timeout:
            patience = min(patience, started + self.timeout - time.monotonic())
            if patience <= 0:
                self._fail_late()
        sentinels = [process.sentinel for process in self.processes]
        for source in multiprocessing.connection.wait(self.connections + sentinels, patience):
            if source in self.connections:
                self._take(self.connections.index(source))
        for worker, process in enumerate(self.processes):
            if process.exitcode is not None and not self._has_message(worker):
                self._fail_dead(worker)

    def _has_message(self, worker):
        try:
            return self.connections[worker].poll()
        except (BrokenPipeError, ConnectionResetError):
            return False

    def _take(self, worker):
        try:
            number, index, answer = channel.receive(self.connections[worker], self.lenders[worker])
        except EOFError:
            self._fail_dead(worker)
        if number != self.number:
            return
        del self.waiting[index]
        if answer == ():
            self.busy[worker] = False
            self._hand_out()
        else:
            self.ready[index] = answer

    def _fail_late(self):
        index, (worker, indices) = min(self.waiting.items())
        self.close()
        raise RuntimeError(
            f"DataLoader timed out after {self.timeout} seconds, waiting for batch {index} "
            f"(indices {_shortened(indices)}) from worker {worker}"
        )

    def _fail_dead(self, worker):
        process = self.processes[worker]
        process.join(_GRACE)
        self.close()
        raise RuntimeError(
            f"DataLoader worker (pid(s) {process.pid}) exited unexpectedly: worker {worker} "
            f"{_cause_of(process.exitcode)}"
        )

    def _end_pass(self):
        if not self.persistent:
            self.close()

    def close(self):
        """End the workers. Safe to call twice."""
        self._finish()


def _shortened(indices):
    text = repr(indices)
    return text if len(text) <= 60 else text[:57] + "..."


def _cause_of(exitcode):
    if exitcode is None or exitcode >= 0:
        return f"ended with exit code {exitcode}"
    name = signal.Signals(-exitcode).name
    hint = "; the system may have run out of memory" if name == "SIGKILL" else ""
    return f"was killed by signal {name}{hint}"


def _end_workers(processes, connections, owner):
    """Hang up, wait a moment, then insist."""
    if os.getpid() != owner:
        return  # a forked copy of the pool owns nothing
    for connection in connections:
        connection.close()
    deadline = time.monotonic() + _GRACE
    for process in processes:
        process.join(max(0.0, deadline - time.monotonic()))
    for process in processes:
        if process.exitcode is None:
            process.terminate()
    for process in processes:
        process.join(1.0)
        if process.exitcode is None:
            process.kill()
            process.join()
