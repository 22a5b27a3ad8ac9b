"""Answers that were given lately, by the model and everything that was asked."""

import hashlib
from collections import Counter, OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

_BESIDE_BYTES = 500
"""What an answer takes beside its content: its name's hash, and what Python has around both."""


@dataclass(frozen=True)
class Answer:
    """What is sent, and what is counted each time that it is."""

    content: bytes
    unknown_ids: int = 0
    fallbacks: Counter[str] = field(default_factory=Counter)
    """How many parts of it were not the model's, by their source."""

    @property
    def num_bytes(self) -> int:
        """Of memory, roughly."""
        return len(self.content) + _BESIDE_BYTES


class AnswerCache:
    """The answers used last, up to a number of bytes; 0 keeps none. For the event loop alone."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes, self._bytes = max_bytes, 0
        self._answers: OrderedDict[bytes, Answer] = OrderedDict()

    async def get(self, name: Callable[[], str], make: Callable[[], Awaitable[Answer]]) -> Answer:
        """The answer that is kept, or a new one; what cannot be answered is not kept.

        name: gives what the answer is kept by, however long; not called where none is kept.
        """
        if not self._max_bytes:
            return await make()
        key = hashlib.sha256(name().encode()).digest()
        if (kept := self._answers.get(key)) is not None:
            self._answers.move_to_end(key)
            return kept
        answer = await make()
        if answer.num_bytes <= self._max_bytes and key not in self._answers:
            self._answers[key] = answer
            self._bytes += answer.num_bytes
            while self._bytes > self._max_bytes:
                self._bytes -= self._answers.popitem(last=False)[1].num_bytes
        return answer
