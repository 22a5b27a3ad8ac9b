"""Search for a part of an id or a title, over any number of entities.

The folded text of all entities lies in one tensor, the most popular entity first: a search reads it
from its start, 64 Ki entities at a time, and ends as soon as it has found enough. N entities.
"""

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor

from cove.packed import as_bytes, pack_bytes
from cove.vocabulary import ExternalId

_ENTITIES_AT_ONCE = 1 << 16
_ID, _TITLE = b"\xff", b"\xfe"  # what comes before each; no text holds these bytes


class TextSearch:
    """What a search looks through.

    order: [N] int, rows, the most popular first; content: uint8, their texts in that order;
    starts: [N + 1] int64, where each begins.

    Raises:
        ValueError: the tensors do not fit one another.
    """

    def __init__(self, order: Tensor, content: Tensor, starts: Tensor) -> None:
        if len(starts) != len(order) + 1 or int(starts[-1]) != len(content):
            raise ValueError("the texts to be searched end elsewhere than their content")
        self.order = order
        self._content, self._starts = content.numpy().data, starts.numpy().data

    def rows(self, text: str) -> Iterator[int]:
        """The rows of entities whose id or title holds a text in any case, the most popular first;
        all of them where the text is empty."""
        wanted = as_bytes(text.casefold())
        if not wanted:
            yield from map(int, self.order)
            return
        for first in range(0, len(self.order), _ENTITIES_AT_ONCE):
            last = min(first + _ENTITIES_AT_ONCE, len(self.order))
            base, place = self._starts[first], 0
            part = bytes(self._content[base : self._starts[last]])
            while (place := part.find(wanted, place)) >= 0:
                found = bisect_right(self._starts, base + place, first, last) - 1
                yield int(self.order[found])
                place = self._starts[found + 1] - base


def pack_search(
    ids: Sequence[ExternalId], titles: Sequence[str] | None, popularity: Tensor
) -> dict[str, Tensor]:
    """The tensors of a search, by name: those that `TextSearch` is made of."""
    order = torch.argsort(popularity, descending=True, stable=True)
    folded = (_folded(ids[row], titles[row] if titles else "") for row in order.tolist())
    content, starts = pack_bytes(folded)
    return {"order": order.int(), "content": content, "starts": starts}


def read_search(tensors: Mapping[str, Tensor]) -> TextSearch:
    """The search that `pack_search` made.

    Raises:
        KeyError, ValueError: the tensors are not those of a search.
    """
    return TextSearch(tensors["order"], tensors["content"], tensors["starts"])


def _folded(external: ExternalId, title: str) -> bytes:
    return _ID + as_bytes(str(external).casefold()) + _TITLE + as_bytes(title.casefold())
