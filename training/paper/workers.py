"""Jobs one after another, or side by side: each worker is a process that does many in turn.

Jobs that processes elsewhere have claimed are waited for: they are then done, or free
again. Torch and the data are loaded once in a worker, and a worker that dies takes one job with it.
"""

import multiprocessing
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Any, Protocol

from training.paper.jobs import Job, Outcome, perform
from training.paper.schedule import Key, Schedule

_ENVIRONMENT = {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
"""Of a worker beside others, unless the caller's own says otherwise."""
_PATIENCE = 10.0
"""Seconds that an interrupted worker has to record what it was at."""
_ASK_AGAIN = 2.0
"""Seconds between two looks at jobs that are another process's."""


class Board(Protocol):
    """Hears of every job."""

    def started(self, key: Key) -> None:
        """A job was begun."""

    def epoch(self, key: Key, epoch: int, num_epochs: int) -> None:
        """An epoch of a job ended."""

    def warn(self, key: Key, message: str) -> None:
        """Something is amiss in a job that goes on."""

    def finished(self, outcome: Outcome) -> None:
        """A job ended, well or not."""


def run_jobs(schedule: Schedule, board: Board, num_workers: int) -> None:
    """Do all jobs; one that fails leaves the others alone."""
    if num_workers == 1:
        _run_here(schedule, board)
    else:
        _run_beside(schedule, board, num_workers)


@dataclass(frozen=True)
class _Voice:
    """Tells the board of one job, in this process."""

    board: Board
    key: Key

    def epoch(self, epoch: int, num_epochs: int) -> None:
        self.board.epoch(self.key, epoch, num_epochs)

    def warn(self, message: str) -> None:
        self.board.warn(self.key, message)


def _run_here(schedule: Schedule, board: Board) -> None:
    while schedule.waiting:
        job = schedule.next()
        if job is None:
            time.sleep(_ASK_AGAIN)
            continue
        outcome = schedule.refusal(job)
        if outcome is None:
            board.started(job.key)
            outcome = perform(job, _Voice(board, job.key))
        schedule.end(outcome)
        board.finished(outcome)


@dataclass
class _Worker:
    """A process, the parent's end of its pipe, and what it is at."""

    process: SpawnProcess
    connection: Connection
    job: Job | None = None


def _run_beside(schedule: Schedule, board: Board, num_workers: int) -> None:
    workers: list[_Worker] = []
    try:
        while _hand_out(schedule, board, workers, num_workers):
            busy = {worker.connection: worker for worker in workers if worker.job is not None}
            for connection in wait(list(busy), _ASK_AGAIN if schedule.waiting else None):
                outcome = _hear(busy[connection], board)  # type: ignore[index]
                if outcome is not None:
                    schedule.end(outcome)
                    board.finished(outcome)
            workers[:] = [each for each in workers if each.process.is_alive() or each.job]
    finally:
        _stop(workers)


def _hand_out(schedule: Schedule, board: Board, workers: list[_Worker], num_workers: int) -> bool:
    """Give jobs to whoever is free; whether anything is under way, here or elsewhere."""
    while True:
        free = next((worker for worker in workers if worker.job is None), None)
        if free is None and len(workers) >= num_workers:
            return True
        job = schedule.next()
        if job is None:
            return bool(schedule.waiting or schedule.under_way)
        refusal = schedule.refusal(job)
        if refusal is not None:
            schedule.end(refusal)
            board.finished(refusal)
            continue
        if free is None:
            free = _start_worker()
            workers.append(free)
        free.job = job
        board.started(job.key)
        with suppress(OSError):  # a worker that is gone is found out by its closed pipe
            free.connection.send(job)


def _hear(worker: _Worker, board: Board) -> Outcome | None:
    """Take one message of a worker; the outcome where its job ended."""
    assert worker.job is not None
    try:
        message: Any = worker.connection.recv()
    except (EOFError, OSError):
        worker.process.join(_PATIENCE)
        reason = f"its process died (exit status {worker.process.exitcode})"
        message = Outcome(worker.job.key, 0.0, reason=reason)
    if isinstance(message, Outcome):
        worker.job = None
        return message
    kind, *content = message
    getattr(board, kind)(worker.job.key, *content)
    return None


def _start_worker() -> _Worker:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_work, args=(theirs,), daemon=True)
    with _worker_environment():
        process.start()
    theirs.close()
    return _Worker(process, ours)


@contextmanager
def _worker_environment() -> Iterator[None]:
    """What a process started here inherits: one thread, and no interrupt until it is set up."""
    added = {name: value for name, value in _ENVIRONMENT.items() if name not in os.environ}
    os.environ.update(added)
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        for name in added:
            del os.environ[name]


def _stop(workers: list[_Worker]) -> None:
    """End all workers; one that is at a job is interrupted, so that it records that."""
    for worker in workers:
        if worker.job is not None and worker.process.pid is not None:
            worker.process.join(1)  # Ctrl-C on a terminal reached it too
            if worker.process.is_alive():
                os.kill(worker.process.pid, signal.SIGINT)
        worker.connection.close()
    for worker in workers:
        worker.process.join(_PATIENCE)
        if worker.process.is_alive():
            worker.process.kill()
            worker.process.join()


@dataclass(frozen=True)
class _PipedVoice:
    """Tells the parent of one job; breaks off where there is no parent any more."""

    connection: Connection

    def epoch(self, epoch: int, num_epochs: int) -> None:
        self._send("epoch", epoch, num_epochs)

    def warn(self, message: str) -> None:
        self._send("warn", message)

    def _send(self, *message: Any) -> None:
        try:
            self.connection.send(message)
        except OSError:
            raise KeyboardInterrupt from None


def _work(connection: Connection) -> None:
    """A worker's life: jobs in, outcomes out, until the pipe is closed."""
    with suppress(KeyboardInterrupt, EOFError, OSError):
        signal.signal(signal.SIGINT, signal.default_int_handler)
        while True:
            job: Job = connection.recv()
            connection.send(perform(job, _PipedVoice(connection)))
