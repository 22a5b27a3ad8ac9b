"""What a person sees while a table is made: a bar on a terminal, plain lines elsewhere."""

import sys
import time
from datetime import timedelta
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from training.paper.jobs import Job, Outcome
from training.paper.schedule import Key


class LineBoard:
    """Plain lines on standard error: what began, what ended, how long is left."""

    def __init__(self, jobs: list[Job], num_done: int, num_workers: int) -> None:
        self.kinds = {job.key: job.is_baseline for job in jobs}
        self.metric = jobs[0].workplace.table.selected[1] if jobs else ""
        self.waiting = dict(self.kinds)
        self.total, self.num_workers = len(jobs) + num_done, num_workers
        self.began = time.monotonic()
        self.seconds: dict[bool, list[float]] = {True: [], False: []}
        """What finished jobs took, of baselines and of runs."""
        self.failed: list[Outcome] = []
        self.at: dict[Key, str] = {}
        """What each job under way is at."""
        self._warned: set[tuple[Key, str]] = set()

    def __enter__(self) -> Self:
        done = self.total - len(self.waiting)
        self.say(f"{self.total} results wanted, {done} there, {self.num_workers} at once")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Nothing to put back."""

    def say(self, line: str) -> None:
        """Print a line."""
        print(line, file=sys.stderr, flush=True)  # noqa: T201

    def started(self, key: Key) -> None:
        """Say what began."""
        self.at[key] = "loading"
        self.say(f"{name_of(key)} begins")

    def epoch(self, key: Key, epoch: int, num_epochs: int) -> None:
        """Keep what a job is at."""
        self.at[key] = f"epoch {epoch}/{num_epochs}"

    def warn(self, key: Key, message: str) -> None:
        """Print a warning; a job's like ones once, however the numbers in it change."""
        like = "".join(letter for letter in message if not letter.isdigit())
        if (key, like) not in self._warned:
            self._warned.add((key, like))
            self.say(f"{name_of(key)}: warning: {message}")

    def finished(self, outcome: Outcome) -> None:
        """Say how a job ended, and how long is left."""
        self.at.pop(outcome.key, None)
        is_baseline = self.waiting.pop(outcome.key)
        if outcome.reason is None:
            self.seconds[is_baseline].append(outcome.seconds)
            result = f"{self.metric} {outcome.score:.4f} in {_clock(outcome.seconds)}"
        else:
            self.failed.append(outcome)
            result = f"failed: {outcome.reason}"
        self.say(f"[{self.counted()}] {name_of(outcome.key)}: {result}; {self.times()}")

    def counted(self) -> str:
        """How many of how many results there are."""
        return f"{self.total - len(self.waiting)}/{self.total}"

    def times(self) -> str:
        """Time gone, and left by the mean of the finished."""
        gone, left = _clock(time.monotonic() - self.began), self.seconds_left()
        return f"{gone} gone" + ("" if left is None else f", about {_clock(left)} left")

    def seconds_left(self) -> float | None:
        """What is left by the mean time of the finished jobs of a kind; None before there is one.

        Where no run has finished yet nothing is known of them, whatever baselines took.
        """
        if not self.waiting:
            return 0.0
        total = 0.0
        for is_baseline in self.waiting.values():
            known = self.seconds[is_baseline]
            if not known:
                return None
            total += sum(known) / len(known)
        return total / min(self.num_workers, len(self.waiting))


class BarBoard(LineBoard):
    """The same lines above a bar, with what is under way."""

    def __init__(self, jobs: list[Job], num_done: int, num_workers: int, console: Console) -> None:
        super().__init__(jobs, num_done, num_workers)
        columns = (BarColumn(), TextColumn("{task.description}"))
        self.bar = Progress(*columns, console=console)
        self.bar_id: TaskID = self.bar.add_task("", total=self.total, completed=num_done)

    def __enter__(self) -> Self:
        self.bar.start()
        return super().__enter__()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave the terminal as it was."""
        self.bar.stop()

    def say(self, line: str) -> None:
        """Print a line above the bar."""
        self.bar.console.print(line, highlight=False, markup=False)

    def started(self, key: Key) -> None:
        """Show what began in the bar alone."""
        self.at[key] = "loading"
        self._show()

    def epoch(self, key: Key, epoch: int, num_epochs: int) -> None:
        """Show what a job is at."""
        super().epoch(key, epoch, num_epochs)
        self._show()

    def finished(self, outcome: Outcome) -> None:
        """Say how a job ended and move the bar."""
        super().finished(outcome)
        self.bar.update(self.bar_id, completed=self.total - len(self.waiting))
        self._show()

    def _show(self) -> None:
        under_way = ", ".join(f"{name_of(key)} {what}" for key, what in self.at.items())
        self.bar.update(self.bar_id, description=f"{self.counted()}, {self.times()}: {under_way}")


def name_of(key: Key) -> str:
    """A job as a person reads it."""
    return f"{key[0]}, seed {key[1]}"


def board_for(jobs: list[Job], num_done: int, num_workers: int) -> LineBoard:
    """The board that fits standard error; it is shown while it is entered."""
    console = Console(stderr=True)
    if console.is_terminal:
        return BarBoard(jobs, num_done, num_workers, console)
    return LineBoard(jobs, num_done, num_workers)


def _clock(seconds: float) -> str:
    return str(timedelta(seconds=round(seconds)))
