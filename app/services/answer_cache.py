"""Answers that were given lately, by the model and everything that was asked."""

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable


class AnswerCache:
    """The answers used last, up to a number of bytes; 0 keeps none. For the event loop alone."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes, self._bytes = max_bytes, 0
        self._answers: OrderedDict[Hashable, bytes] = OrderedDict()

    async def get(
        self, name: Callable[[], Hashable], make: Callable[[], Awaitable[bytes]]
    ) -> bytes:
        """The answer that is kept, or a new one; what cannot be answered is not kept.

        name: gives what the answer is kept by; not called where none is kept.
        """
        if not self._max_bytes:
            return await make()
        key = name()
        if (kept := self._answers.get(key)) is not None:
            self._answers.move_to_end(key)
            return kept
        answer = await make()
        if len(answer) <= self._max_bytes and key not in self._answers:
            self._answers[key] = answer
            self._bytes += len(answer)
            while self._bytes > self._max_bytes:
                self._bytes -= len(self._answers.popitem(last=False)[1])
        return answer
