"""External ids and the indices that tensors hold.

Index 0 to 3 are special (padding, mask, list start, separator); entity p of a vocabulary has
the index p + NUM_SPECIAL. Special ids have no external id, no code and no quantization loss.
"""

from collections.abc import Sequence
from itertools import pairwise

from cove.errors import DataError

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
        self.ids: list[ExternalId] = list(ids)
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
