"""What runs inside a loader's worker process: take indices, send batches.

The other end of the conversation is `pool.py`. A failure here travels back as a `Failure`.
"""

import gc
import os
import pickle
import queue
import signal
import threading
import traceback

import rushlight as rl

from . import channel, segments
from .fetch import IterableFetcher, MapFetcher
from .info import WorkerInfo, set_worker_info
from .seeding import _generate_state, seed_worker  # noqa: F401 - packages import the former here

_SPARE_SEGMENTS = 3  # for batches in use while others are in the making
_ORPHAN_CHECK = 5.0  # seconds between looks at whether the parent is still there


class Setup:
    """What a worker needs to know; sent once."""

    def __init__(self, loader, base_seed, worker_id, stream):
        self.dataset, self.collate_fn = loader.dataset, loader.collate_fn
        self.auto_collation, self.drop_last = loader._auto_collation, loader.drop_last
        self.num_workers, self.init_fn = loader.num_workers, loader.worker_init_fn
        self.prefetch = loader.prefetch_factor
        self.base_seed, self.worker_id, self.stream = base_seed, worker_id, stream

    def fetcher(self):
        made = IterableFetcher if self.stream else MapFetcher
        return made(self.dataset, self.auto_collation, self.collate_fn, self.drop_last)


class Failure:
    """An exception on its way to the main process: its type and the text of its traceback."""

    def __init__(self, error, where):
        self.kind = type(error)
        text = "".join(traceback.format_exception(type(error), error, error.__traceback__))
        self.message = f"Caught {self.kind.__name__} {where}.\nOriginal {text}"
        try:
            pickle.dumps(self.kind)
        except (pickle.PicklingError, AttributeError, TypeError):
            self.kind = RuntimeError  # a class that only the worker knows

    def reraise(self):
        """Raise an exception of the same type, or RuntimeError if it cannot be made from a text."""
        if issubclass(self.kind, KeyError):
            raise self.kind(_Verbatim(self.message))
        try:
            error = self.kind(self.message)
        except Exception:
            raise RuntimeError(self.message) from None
        raise error


class _Verbatim(str):
    """Text that KeyError shows with its line breaks."""

    __repr__ = str.__str__


def worker_main(connection, setup, others):
    """Serve until told to stop or until the parent is gone.

    `setup` is None where it comes through the pipe; `others` are ends inherited by forking, which
    must be closed, or the death of the parent would go unnoticed.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what Ctrl-C means
    for other in others:
        other.close()
    gc.freeze()  # or the collector would write to, and so copy, every object inherited by forking
    try:
        _Worker(connection, setup).serve()
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return  # the parent went away


class _Worker:
    def __init__(self, connection, setup):
        self.connection, self.parent = connection, os.getppid()
        rl.set_num_threads(1)
        self.setup = channel.receive(connection) if setup is None else setup
        self.where = f"in DataLoader worker process {self.setup.worker_id}"
        self.fetcher = self.failure = None
        self.current_pass = 0
        self.tasks = queue.SimpleQueue()
        self.returned = queue.SimpleQueue()  # slots of segments
        self.shelf = segments.Shelf(self.setup.prefetch + _SPARE_SEGMENTS)

    def serve(self):
        threading.Thread(target=self._listen, daemon=True).start()
        self._prepare()
        while (task := self._next_task()) is not None:
            number, index, indices = task
            if number < self.current_pass:
                continue  # of a pass that was given up
            if index is None:
                self._start_pass()
            else:
                self._reply(number, index, indices)

    def _listen(self):
        """Empty the pipe at all times, so that the parent never blocks on it."""
        try:
            while True:
                *task, returned = channel.receive(self.connection)
                self.current_pass = max(self.current_pass, task[0])
                self.returned.put(returned)
                self.tasks.put(task)
        except (EOFError, OSError):
            self.tasks.put(None)

    def _next_task(self):
        while True:
            try:
                return self.tasks.get(timeout=_ORPHAN_CHECK)
            except queue.Empty:
                if os.getppid() != self.parent:
                    return None

    def _prepare(self):
        setup = self.setup
        try:
            seed_worker(setup.base_seed, setup.worker_id)
            set_worker_info(
                WorkerInfo(
                    id=setup.worker_id,
                    num_workers=setup.num_workers,
                    seed=setup.base_seed + setup.worker_id,
                    dataset=setup.dataset,
                )
            )
            if setup.init_fn is not None:
                setup.init_fn(setup.worker_id)
            self.fetcher = setup.fetcher()
        except Exception as error:
            self.failure = Failure(error, self.where)

    def _start_pass(self):
        if self.failure is not None:
            return
        try:
            self.fetcher = self.setup.fetcher()
        except Exception as error:
            self.failure = Failure(error, self.where)

    def _reply(self, number, index, indices):
        answer = self.failure or self._fetch(indices)
        while not self.returned.empty():
            self.shelf.put_back(self.returned.get())
        try:
            channel.send(self.connection, (number, index, answer), self.shelf)
        except (BrokenPipeError, ConnectionResetError):
            raise
        except Exception as error:  # the batch itself cannot be sent
            channel.send(self.connection, (number, index, Failure(error, self.where)))

    def _fetch(self, indices):
        try:
            return (self.fetcher.fetch(indices),)
        except StopIteration as error:
            return () if self.setup.stream else Failure(error, self.where)
        except Exception as error:
            return Failure(error, self.where)
