"""External ids and the indices that tensors hold.

Index 0 to 3 are special (padding, mask, list start, separator); entity p of a vocabulary has
the index p + NUM_SPECIAL. Special ids have no external id, no code and no quantization loss.
"""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from cove.errors import DataError
from cove.packed import UNPACKED_UP_TO, PackedRows, as_bytes, packed

PAD = 0
MASK = 1
CLS = 2
SEP = 3
NUM_SPECIAL = 4

ExternalId = str | int


class Vocabulary:
    """A fixed order of unique external ids, strings or integers.

    Raises:
        DataError: an id occurs twice, also where it occurs once as 50 and once as "50".
    """

    def __init__(self, ids: Sequence[ExternalId]) -> None:
        self.ids: Sequence[ExternalId] = list(ids)
        self._positions = {str(external): position for position, external in enumerate(self.ids)}
        if len(self._positions) != len(self.ids):
            ordered = sorted(map(str, self.ids))
            twice = next(a for a, b in pairwise(ordered) if a == b)
            raise DataError(f"ids of a vocabulary must be unique: {twice!r} occurs twice")

    def __len__(self) -> int:
        return len(self.ids)

    def index_of(self, external: ExternalId) -> int | None:
        """Give the index of an id, or None where it is unknown; 50 and "50" are one id."""
        position = self._positions.get(str(external))
        return None if position is None else position + NUM_SPECIAL

    def encode(self, externals: Sequence[ExternalId]) -> tuple[list[int], list[ExternalId]]:
        """Split ids into the indices of the known ones and the unknown ones, orders kept."""
        indices: list[int] = []
        unknown: list[ExternalId] = []
        for external in externals:
            index = self.index_of(external)
            if index is None:
                unknown.append(external)
            else:
                indices.append(index)
        return indices, unknown

    def decode(self, index: int) -> ExternalId:
        """Give the external id of an index, as it was read from the data."""
        return self.ids[index - NUM_SPECIAL]


class PackedVocabulary(Vocabulary):
    """A vocabulary as an artifact holds it: mapped into memory, where it takes no time to read.

    hashes: [N] int64, of each id's text, ascending; positions: [N] int32, whose they are.

    Raises:
        ValueError: the tensors do not fit one another.
    """

    def __init__(self, ids: PackedRows, hashes: Tensor, positions: Tensor) -> None:
        if not len(ids) == len(hashes) == len(positions):
            raise ValueError("a vocabulary's ids, hashes and positions differ in number")
        self.ids = ids
        self._hashes, self._places = hashes.numpy().data, positions.numpy().data

    @classmethod
    def read(cls, tensors: Mapping[str, Tensor]) -> "PackedVocabulary":
        """The one that `pack_vocabulary` packed."""
        ids = PackedRows(tensors["ids"], tensors["ids_starts"])
        return cls(ids, tensors["hashes"], tensors["positions"])

    def index_of(self, external: ExternalId) -> int | None:
        text = str(external)
        wanted = _hash(text)
        place = bisect_left(self._hashes, wanted)
        while place < len(self._hashes) and self._hashes[place] == wanted:
            position = self._places[place]
            if str(self.ids[position]) == text:
                return position + NUM_SPECIAL
            place += 1
        return None


def pack_vocabulary(ids: Sequence[ExternalId]) -> dict[str, Tensor]:
    """The tensors of the vocabulary of distinct ids, by name."""
    hashes = np.fromiter((_hash(str(each)) for each in ids), np.int64, len(ids))
    order = hashes.argsort(kind="stable")
    return packed("ids", ids) | {
        "hashes": torch.from_numpy(hashes[order]),
        "positions": torch.from_numpy(order.astype(np.int32)),
    }


def read_vocabulary(tensors: Mapping[str, Tensor]) -> Vocabulary:
    """The vocabulary that `pack_vocabulary` packed; a small one is unpacked.

    Raises:
        KeyError, ValueError: the tensors are not those of a vocabulary.
    """
    found = PackedVocabulary.read(tensors)
    return Vocabulary(found.ids) if len(found) <= UNPACKED_UP_TO else found


def _hash(text: str) -> int:
    """64 bits of a text, the same on every machine."""
    return int.from_bytes(blake2b(as_bytes(text), digest_size=8).digest(), "little", signed=True)
