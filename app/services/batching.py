"""Gathers calls that wait for a model and computes them together, off the event loop."""

import asyncio
import logging
from abc import abstractmethod
from collections import deque
from collections.abc import Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from time import perf_counter
from typing import Any, Protocol, Self, TypeVar

from app.metrics import BATCH_SIZE, INFERENCE_SECONDS, QUEUE_SIZE
from app.services.errors import BusyError, GivenUpError
from app.services.served_model import ServedModel

_LOG = logging.getLogger("cove.app")
Answer_co = TypeVar("Answer_co", covariant=True)
Answer = TypeVar("Answer")


_TURNS = 4
"""Of the event loop, in which answers are written, what their readers ask next is read, its body is
read, and the question comes here. SASRec, 36,000 items, one core, 8 connections: 720 calls a second
for 373, 64 connections: 1,075 for 940, in batches of 63 where one of 63 and one of 1 took turns."""
_HELD_SECONDS = 0.05
"""At most, for which the event loop holds still while a batch is computed.

Both threads need the interpreter, so beside each other they take turns, between cores too, and each
finds its cache emptied by the other. SASRec, 36,000 items, ten minutes at 70 % of what one core
can, three runs: 99th percentile 36, 46 and 51 ms; not holding, with the event loop lower in
priority, 48, 58 and 65.
"""


_computed: ContextVar["Sequence[_Call]"] = ContextVar("computed", default=())
"""In the thread that computes, the calls that it computes."""


class Question(Protocol[Answer_co]):
    """What is asked of a model; questions that are alike can be computed together."""

    @property
    def model(self) -> ServedModel:
        """Who is asked; the question holds it, whatever is activated meanwhile."""

    @property
    def size(self) -> int:
        """How many lists, users or sets of pairs it holds."""

    @property
    def alike(self) -> Hashable:
        """What it shares with those of its kind and model that are computed with it."""

    @classmethod
    @abstractmethod
    def answer(cls, questions: Sequence[Self]) -> Sequence[Answer_co | Exception]:
        """The answers in the order of the questions, each as it would be alone."""


@dataclass(frozen=True)
class _Call:
    question: Question[Any]
    answer: asyncio.Future[Any]

    @property
    def kind(self) -> Hashable:
        return type(self.question), self.question.model.id, self.question.alike


class Batcher:
    """One thread that computes; what comes while it is busy waits and is computed together.

    Nothing waits where the thread is idle. Answers go out before what waits is computed: many
    callers ask again at once, and what they ask is computed together. What is soon computed is not
    interrupted: the event loop holds still for it.

    max_batch: sizes of questions that are added up, but for a single question that is larger;
    max_queue: calls that may wait.
    """

    def __init__(self, max_batch: int, max_queue: int) -> None:
        self._max_batch, self._max_queue = max_batch, max_queue
        self._waiting: deque[_Call] = deque()
        self._busy = False
        self._thread = ThreadPoolExecutor(1, "inference")

    async def ask(self, question: Question[Answer]) -> Answer:
        """The answer to a question.

        Raises:
            BusyError: as many calls wait already as may.
            CoveError: what is wrong with the question.
        """
        if len(self._waiting) >= self._max_queue:  # who gave up waits no more
            self._waiting = deque(call for call in self._waiting if not call.answer.done())
        if len(self._waiting) >= self._max_queue:
            raise BusyError(f"{self._max_queue} calls wait already: try again soon")
        loop = asyncio.get_running_loop()
        call = _Call(question, loop.create_future())
        self._waiting.append(call)
        if not self._busy:
            self._busy = True
            loop.call_soon(self._start)  # together with what else arrives in this turn
        QUEUE_SIZE.set(len(self._waiting))
        answer: Answer = await call.answer
        return answer

    def close(self) -> None:
        """Wait for what is being computed and end the thread."""
        self._thread.shutdown()

    def _start(self) -> None:
        calls = self._next()
        self._busy = bool(calls)
        QUEUE_SIZE.set(len(self._waiting))
        if calls:
            work = self._thread.submit(_compute, calls)
            with suppress(TimeoutError):
                work.exception(_HELD_SECONDS)
            asyncio.wrap_future(work).add_done_callback(partial(self._finish, calls))

    def _start_in(self, turns: int) -> None:
        """Start after so many turns of the event loop; until then the thread counts as busy."""
        if turns:
            asyncio.get_running_loop().call_soon(self._start_in, turns - 1)
        else:
            self._start()

    def _next(self) -> list[_Call]:
        """Take the first call and those alike, in their order; who gave up is left out."""
        taken: list[_Call] = []
        left: deque[_Call] = deque()
        size = 0
        for call in self._waiting:
            if call.answer.done():
                continue
            fits = not taken or (
                size + call.question.size <= self._max_batch and call.kind == taken[0].kind
            )
            (taken if fits else left).append(call)
            size += call.question.size if fits else 0
        self._waiting = left
        return taken

    def _finish(self, calls: list[_Call], work: asyncio.Future[list[Any]]) -> None:
        self._start_in(_TURNS)
        for call, answer in zip(calls, work.result(), strict=True):
            if call.answer.done():
                continue
            if isinstance(answer, Exception):
                call.answer.set_exception(answer)
            else:
                call.answer.set_result(answer)


def stop_if_given_up() -> None:
    """Called in long computations, now and then, so that those who still wait need not wait for
    what nobody wants.

    Raises:
        GivenUpError: each of the calls that are computed has run out of time, or its caller left.
    """
    calls = _computed.get()
    if calls and all(call.answer.done() for call in calls):
        raise GivenUpError("nobody waits for this answer any more")


def _compute(calls: Sequence[_Call]) -> Sequence[Any]:
    """The answers to calls whose questions are alike; what fails together is tried one by one."""
    questions, began = [call.question for call in calls], perf_counter()
    first = questions[0]
    BATCH_SIZE.labels(first.model.task).observe(sum(each.size for each in questions))
    _computed.set(calls)
    try:
        return type(first).answer(questions)
    except GivenUpError as error:
        return [error] * len(calls)
    except Exception as error:
        if len(calls) == 1:
            return [error]
        _LOG.exception("calls failed together; each is tried alone")
        return [_compute([each])[0] for each in calls]
    finally:
        INFERENCE_SECONDS.labels(first.model.task).observe(perf_counter() - began)
