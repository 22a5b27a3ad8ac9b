"""Which job comes next: some need another one's model first, some are another process's."""

from collections.abc import Sequence
from typing import Protocol

from cove.errors import CoveError
from training.paper.jobs import Job, Outcome

Key = tuple[str, int]


class Claims(Protocol):
    """Says whose a job is, where several processes share a registry."""

    def take(self, key: str) -> bool:
        """Claim a job by its hash; whether it is ours now."""

    def release(self, key: str) -> None:
        """Let go of it."""


class Schedule:
    """Jobs to be done, in their order; `done` names those that are there already."""

    def __init__(
        self, jobs: Sequence[Job], done: Sequence[Key] = (), claims: Claims | None = None
    ) -> None:
        self.waiting = list(jobs)
        """Not begun here; what another process is at waits too, until it is free."""
        self.under_way: dict[Key, str | None] = {}
        """What is being done here, each with the hash that it is claimed by."""
        self.ended = dict.fromkeys(done, True)
        """Whether each job that ended, ended well."""
        self._claims = claims

    def next(self) -> Job | None:
        """The first job that nothing and nobody stands in the way of; it is then under way."""
        coming = self.under_way.keys() | {job.key for job in self.waiting}
        for place, job in enumerate(self.waiting):
            if (job.needs is None or job.needs not in coming) and self._take(job):
                return self.waiting.pop(place)
        return None

    def _take(self, job: Job) -> bool:
        claimed = None
        if self._claims is not None and self.refusal(job) is None:
            try:
                claimed = job.hash()
            except CoveError:
                pass  # it cannot be done by anybody: doing it says why
            else:
                if not self._claims.take(claimed):
                    return False
        self.under_way[job.key] = claimed
        return True

    def refusal(self, job: Job) -> Outcome | None:
        """The outcome of a job whose needs failed; None where it can be done."""
        if job.needs is None or self.ended.get(job.needs, False):
            return None
        name, seed = job.needs
        return Outcome(job.key, 0.0, reason=f"it needs {name} of seed {seed}, which failed")

    def end(self, outcome: Outcome) -> None:
        """Record how a job ended, and let go of it."""
        claimed = self.under_way.pop(outcome.key, None)
        if claimed is not None and self._claims is not None:
            self._claims.release(claimed)
        self.ended[outcome.key] = outcome.reason is None
