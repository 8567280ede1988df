"""Several workers under one parent: it starts them, restarts the dead, passes signals on, and outlives them.

Rule 1  The parent has no loop and no connections; it waits for signals only.
Rule 2  A worker that dies is started again: at once the first time, then after longer and longer pauses.
Rule 3  SIGTERM and SIGINT are passed on as SIGTERM, each time they come; SIGHUP as SIGHUP.
Rule 4  Workers end when the parent does, however it dies: they hold the other end of its pipe.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from proxy import log
from proxy.metrics import Metrics

_SIGNALS = {signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP}
_FIRST_PAUSE = 0.5  # seconds before the second restart; each further one waits twice as long
_LONGEST_PAUSE = 30.0
_STEADY = 60.0  # seconds after which a worker's death counts as the first again


@dataclass
class _Worker:
    number: int
    pid: int | None = None
    started: float = 0.0
    due: float | None = 0.0  # when to start it; None while it runs
    pause: float = field(default=0.0)


class Supervisor:
    """Runs `work(number, lifeline)` in `count` processes; `lifeline` ends when the parent is gone."""

    def __init__(self, count: int, work: Callable[[int, int], None], metrics: Metrics) -> None:
        self._workers = [_Worker(number) for number in range(count)]
        self._work = work
        self._metrics = metrics
        self._ending = False
        self._lifeline, self._parents_end = os.pipe()

    def run(self) -> int:
        """Until every worker has ended after SIGTERM; the exit code."""
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        while True:
            self._start_due()
            if self._ending and all(worker.pid is None for worker in self._workers):
                return 0
            received = self._wait()
            if received in (signal.SIGTERM, signal.SIGINT):
                self._ending = True
                self._tell(signal.SIGTERM)
            elif received == signal.SIGHUP:
                self._tell(signal.SIGHUP)
            self._reap()

    def _wait(self) -> int | None:
        """The next signal; None when a worker is due before one comes."""
        due = [worker.due for worker in self._workers if worker.due is not None and not self._ending]
        if not due:
            return signal.sigwait(_SIGNALS)
        received = signal.sigtimedwait(_SIGNALS, max(0.0, min(due) - time.monotonic()))
        return None if received is None else received.si_signo

    def _start_due(self) -> None:
        now = time.monotonic()
        for worker in self._workers:
            if worker.due is not None and worker.due <= now and not self._ending:
                self._start(worker, now)

    def _start(self, worker: _Worker, now: float) -> None:
        worker.started, worker.due = now, None
        worker.pid = os.fork()
        if worker.pid == 0:
            self._become(worker.number)
        log.event("worker started", number=worker.number, pid=worker.pid)

    def _become(self, number: int) -> None:
        """The child: never returns."""
        code = 1
        try:
            os.close(self._parents_end)
            signal.signal(
                signal.SIGINT, signal.SIG_IGN
            )  # a terminal sends it to all; the parent passes it on
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
            self._metrics.belong_to(number)
            self._work(number, self._lifeline)
            code = 0
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1
        except BaseException as error:
            log.exception("worker failed", error)
        finally:
            os._exit(code)

    def _reap(self) -> None:
        """Take note of the workers that have ended."""
        for worker in self._workers:
            if worker.pid is None:
                continue
            pid, status = os.waitpid(worker.pid, os.WNOHANG)
            if pid:
                self._ended(worker, os.waitstatus_to_exitcode(status))

    def _ended(self, worker: _Worker, code: int) -> None:
        worker.pid = None
        self._metrics.forget(worker.number)
        if self._ending:
            return
        now = time.monotonic()
        if now - worker.started >= _STEADY:
            worker.pause = 0.0
        worker.due = now + worker.pause
        log.warning("worker died, starting it again", number=worker.number, code=code, after=worker.pause)
        worker.pause = min(max(worker.pause * 2, _FIRST_PAUSE), _LONGEST_PAUSE)

    def _tell(self, number: signal.Signals) -> None:
        for worker in self._workers:
            if worker.pid is not None:
                os.kill(worker.pid, number)
