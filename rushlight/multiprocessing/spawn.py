"""Start several processes on one function and wait for them; the first failure ends all.

Sharing tensors with them is in `reductions.py`.
"""

import multiprocessing
import multiprocessing.connection
import signal
import time
import traceback
import warnings


class ProcessException(Exception):
    """A process of `spawn` did not end well: its index and pid."""

    def __init__(self, msg, error_index, pid):
        super().__init__(msg)
        self.msg, self.error_index, self.pid = msg, error_index, pid

    def __reduce__(self):
        return type(self), (self.msg, self.error_index, self.pid)


class ProcessRaisedException(ProcessException):
    """The function raised an exception; the message has its traceback."""


class ProcessExitedException(ProcessException):
    """The process was killed or exited by itself."""

    def __init__(self, msg, error_index, error_pid, exit_code, signal_name=None):
        super().__init__(msg, error_index, error_pid)
        self.exit_code, self.signal_name = exit_code, signal_name

    def __reduce__(self):
        facts = self.msg, self.error_index, self.pid, self.exit_code, self.signal_name
        return type(self), facts


def _run(function, index, args, failures):
    try:
        function(index, *args)
    except KeyboardInterrupt:
        raise SystemExit(1) from None  # the parent was interrupted too and reports it
    except Exception:
        failures.send(traceback.format_exc())
        raise SystemExit(1) from None


class ProcessContext:
    """Running processes; `join` waits for them."""

    def __init__(self, processes, failures):
        self.processes, self.failures = processes, failures
        self.sentinels = {process.sentinel: i for i, process in enumerate(processes)}

    def pids(self):
        return [int(process.pid) for process in self.processes]

    def join(self, timeout=None, grace_period=None):
        """Wait for a process to end; True once all have ended well.

        When one fails the others are ended (killed after `grace_period` seconds) and
        ProcessRaisedException or ProcessExitedException is raised.
        """
        if not self.sentinels:
            return True
        for sentinel in multiprocessing.connection.wait(list(self.sentinels), timeout):
            index = self.sentinels.pop(sentinel)
            self.processes[index].join()
            if self.processes[index].exitcode != 0:
                self._end_others(grace_period)
                self._fail(index)
        return not self.sentinels

    def _end_others(self, grace_period):
        for process in self.processes:
            if process.is_alive():
                process.terminate()
        end = None if grace_period is None else time.monotonic() + grace_period
        for process in self.processes:
            process.join(None if end is None else max(0.0, end - time.monotonic()))
            if process.is_alive():
                process.kill()
                process.join()

    def _fail(self, index):
        process, failures = self.processes[index], self.failures[index]
        text = None
        if failures.poll():
            try:
                text = failures.recv()
            except EOFError:
                text = None  # it died before it could say why
        if text is not None:
            raise ProcessRaisedException(
                f"\n\n-- Process {index} terminated with the following error:\n{text}",
                index,
                process.pid,
            )
        code = process.exitcode
        name = signal.Signals(-code).name if code < 0 else None
        what = f"signal {name}" if name else f"exit code {code}"
        raise ProcessExitedException(
            f"process {index} terminated with {what}", index, process.pid, code, name
        )


SpawnContext = ProcessContext


def start_processes(fn, args=(), nprocs=1, join=True, daemon=False, start_method="spawn"):
    """Run `fn(i, *args)` in `nprocs` processes; returns the context, or None after joining."""
    context = multiprocessing.get_context(start_method)
    processes, failures = [], []
    for index in range(nprocs):
        ours, theirs = context.Pipe(duplex=False)
        process = context.Process(target=_run, args=(fn, index, args, theirs), daemon=daemon)
        process.start()
        theirs.close()
        processes.append(process)
        failures.append(ours)
    running = ProcessContext(processes, failures)
    if not join:
        return running
    while not running.join():
        pass
    return None


def spawn(fn, args=(), nprocs=1, join=True, daemon=False, start_method="spawn"):
    """`start_processes` with fresh interpreters; raises the first failure of any process.

    `fn` is called as `fn(i, *args)` and must be importable; under `__main__` guard the call.
    """
    if start_method != "spawn":
        warnings.warn(
            f"spawn: start_method={start_method!r} ignored as this function always spawns; use "
            "start_processes",
            stacklevel=2,
        )
    return start_processes(fn, args, nprocs, join, daemon, start_method="spawn")
