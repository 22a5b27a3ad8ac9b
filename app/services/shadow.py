"""Compares a model with the one that is served, on the last calls, before it takes its place."""

import threading
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from statistics import fmean, median
from time import perf_counter
from typing import NamedTuple

from app.record_schemas import ShadowComparison
from app.services.completion import ListsQuestion
from app.services.errors import ConflictError
from app.services.recommending import UserQuestion
from app.services.scoring import PairsQuestion
from app.services.served_model import ServedModel
from cove.errors import CoveError
from cove.vocabulary import ExternalId

AnyQuestion = ListsQuestion | UserQuestion | PairsQuestion
_MOST_IDS, _MOST_CHARACTERS = 1000, 50_000
"""Calls with more are not kept: whoever sends large ones does not fill the memory."""


class RecentCalls:
    """The last calls of each task that were put to its served model; in memory alone.

    most: how many of a task are kept.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._calls: dict[str, deque[AnyQuestion]] = {}
        self._lock = threading.Lock()

    def add(self, question: AnyQuestion) -> None:
        """Keep a call; those put to a model that was served before are let go with that model."""
        ids = _ids(question)
        if len(ids) > _MOST_IDS or sum(len(str(each)) for each in ids) > _MOST_CHARACTERS:
            return
        with self._lock:
            calls = self._calls.setdefault(question.model.task, deque(maxlen=self._most))
            if calls and calls[-1].model is not question.model:
                calls.clear()
            calls.append(question)

    def of(self, model: ServedModel) -> list[AnyQuestion]:
        """The calls that a model was asked, the oldest first."""
        with self._lock:
            return [each for each in self._calls.get(model.task, ()) if each.model is model]


def _ids(question: AnyQuestion) -> list[ExternalId]:
    if isinstance(question, PairsQuestion):
        return [question.user, *question.items]
    given = [*question.options.exclude, *(question.options.allow or [])]
    if isinstance(question, UserQuestion):
        return [question.user, *question.items, *given]
    return [*chain.from_iterable(question.lists), *given]


class _Answer(NamedTuple):
    """What one model made of one list, user or set of pairs."""

    ids: list[str]
    """Best first."""
    own: bool
    """Whether the model chose: a fallback gives the same whichever model is asked."""


@dataclass(frozen=True)
class _Turn:
    """What one model made of one call, and how long it took."""

    answers: list[_Answer]
    seconds: float


def compare(
    active: ServedModel, candidate: ServedModel, calls: Sequence[AnyQuestion], k: int
) -> ShadowComparison:
    """Put calls to both models, one by one and in turns, and compare their first k items.

    Raises:
        ConflictError: there are no calls yet, or the candidate is the one that is served.
    """
    if active.id == candidate.id:
        raise ConflictError(f"the model {active.id} is served already: name another")
    if not calls:
        raise ConflictError(f"nothing has been asked of {active.id} yet: there is no comparison")
    turns = [(_turn(call, active, k), _turn(call, candidate, k)) for call in calls]
    both = [(one, other) for one, other in turns if one is not None and other is not None]
    pairs = [pair for turn in both for pair in zip(*(each.answers for each in turn), strict=True)]
    named = [(one.ids, other.ids) for one, other in pairs if one.ids and (one.own or other.own)]
    return ShadowComparison(
        model=candidate.id,
        active=active.id,
        task=active.task,
        calls=len(calls),
        failed=sum(other is None for _, other in turns),
        overlap=_mean(len({*one} & {*other}) / len(one) for one, other in named),
        same_first=_mean(one[0] == next(iter(other), None) for one, other in named),
        milliseconds=_milliseconds(other for _, other in both),
        active_milliseconds=_milliseconds(one for one, _ in both),
    )


def _turn(call: AnyQuestion, model: ServedModel, k: int) -> _Turn | None:
    """A model's answer to a call; None where the call is one that it cannot answer."""
    question, began = replace(call, model=model), perf_counter()
    try:
        answers = _answers(question)
    except CoveError:
        return None
    first = [_Answer([str(each) for each in ids[:k]], own) for ids, own in answers]
    return _Turn(first, perf_counter() - began)


def _answers(question: AnyQuestion) -> list[tuple[list[ExternalId], bool]]:
    """The ids that a model gives, best first, and whether it chose them itself."""
    if isinstance(question, ListsQuestion):
        (completions,) = ListsQuestion.answer([question])
        if isinstance(completions, Exception):
            raise completions
        return [([each.item for each in one.items], one.source == "model") for one in completions]
    if isinstance(question, UserQuestion):
        (found,) = UserQuestion.answer([question])
        return [([each.item for each in found.items], found.source in {"model", "nearest_items"})]
    (scores,) = PairsQuestion.answer([question])
    ranked = sorted(scores.items, key=lambda each: -each.probability)
    return [([each.item for each in ranked], scores.source == "model")]


def _mean(values: Iterable[float]) -> float | None:
    found = list(values)
    return fmean(found) if found else None


def _milliseconds(turns: Iterable[_Turn]) -> float | None:
    seconds = [each.seconds for each in turns]
    return 1e3 * median(seconds) if seconds else None
