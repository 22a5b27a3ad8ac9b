"""Which job comes next: some need another one's model first."""

from collections.abc import Sequence

from training.paper.jobs import Job, Outcome

Key = tuple[str, int]


class Schedule:
    """Jobs to be done, in their order; `done` names those that are there already."""

    def __init__(self, jobs: Sequence[Job], done: Sequence[Key] = ()) -> None:
        self.waiting = list(jobs)
        self.under_way: set[Key] = set()
        self.ended = dict.fromkeys(done, True)
        """Whether each job that ended, ended well."""

    def next(self) -> Job | None:
        """The first job that nothing stands in the way of; it is then under way."""
        coming = self.under_way | {job.key for job in self.waiting}
        for place, job in enumerate(self.waiting):
            if job.needs is None or job.needs not in coming:
                self.under_way.add(job.key)
                return self.waiting.pop(place)
        return None

    def refusal(self, job: Job) -> Outcome | None:
        """The outcome of a job whose needs failed; None where it can be done."""
        if job.needs is None or self.ended.get(job.needs, False):
            return None
        name, seed = job.needs
        return Outcome(job.key, 0.0, reason=f"it needs {name} of seed {seed}, which failed")

    def end(self, outcome: Outcome) -> None:
        """Record how a job ended."""
        self.under_way.discard(outcome.key)
        self.ended[outcome.key] = outcome.reason is None
