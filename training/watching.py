"""What a person sees while a run trains: a bar on a terminal, plain lines elsewhere."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

_SHOWN = ("loss", "valid_auc", "valid_log_loss", "valid_ndcg_at_10", "valid_hit_at_10")


def epoch_line(epoch: int, num_epochs: int, values: dict[str, float]) -> str:
    """One line on an epoch: loss, validation, code use, seconds."""
    parts = [
        f"{name.removeprefix('valid_')} {values[name]:.4f}" for name in _SHOWN if name in values
    ]
    for entity in ("", "user_"):
        level = 1
        while (used := values.get(f"{entity}codes_used_level_{level}")) is not None:
            perplexity = values[f"{entity}perplexity_level_{level}"]
            name = f"{entity.replace('_', ' ')}codes {level}"
            parts.append(f"{name}: {used:.0%} used, perplexity {perplexity:.1f}")
            level += 1
    return f"epoch {epoch}/{num_epochs}  " + "  ".join(parts) + f"  {values['seconds']:.1f} s"


class Silence:
    """Says nothing: of several processes the first one speaks."""

    def step(self, epoch: int, done: int, loss: float) -> None:
        """Say nothing."""

    def epoch(self, epoch: int, values: dict[str, float]) -> None:
        """Say nothing."""

    def warn(self, message: str) -> None:
        """Say nothing."""


class LineWatcher:
    """Plain lines on standard error, an epoch each."""

    def __init__(self, num_epochs: int, quiet: bool) -> None:
        self.num_epochs, self.quiet = num_epochs, quiet

    def step(self, epoch: int, done: int, loss: float) -> None:
        """Say nothing: steps are too many for lines."""

    def epoch(self, epoch: int, values: dict[str, float]) -> None:
        """Print the epoch's line, unless quiet."""
        if not self.quiet:
            print(epoch_line(epoch, self.num_epochs, values), file=sys.stderr, flush=True)  # noqa: T201

    def warn(self, message: str) -> None:
        """Print a warning, quiet or not."""
        print(f"cove: warning: {message}", file=sys.stderr, flush=True)  # noqa: T201


class BarWatcher(LineWatcher):
    """The same lines above a bar that counts steps."""

    def __init__(self, num_epochs: int, bar: Progress, bar_id: TaskID) -> None:
        super().__init__(num_epochs, quiet=False)
        self.bar, self.bar_id = bar, bar_id

    def step(self, epoch: int, done: int, loss: float) -> None:
        """Move the bar."""
        self.bar.update(self.bar_id, description=f"epoch {epoch} step {done} loss {loss:.3f}")

    def epoch(self, epoch: int, values: dict[str, float]) -> None:
        """Print the epoch's line above the bar and move it."""
        self.bar.console.print(epoch_line(epoch, self.num_epochs, values), highlight=False)
        self.bar.update(self.bar_id, completed=epoch)


@contextmanager
def watcher_for(num_epochs: int, quiet: bool) -> Iterator[LineWatcher]:
    """The watcher that fits standard error."""
    console = Console(stderr=True)
    if quiet or not console.is_terminal:
        yield LineWatcher(num_epochs, quiet)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as bar:
        yield BarWatcher(num_epochs, bar, bar.add_task("starting", total=num_epochs))
