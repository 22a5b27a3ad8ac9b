"""What the tasks on users and items share: ids to indices, occurrences, tables, values by user."""

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cove.embedding import EntityEmbedding
from cove.entity_tables import EntityTables, entity_tables
from cove.vocabulary import NUM_SPECIAL, PAD, ExternalId, Vocabulary
from training.datasets import Data


def sorted_vocabulary(ids: Iterable[ExternalId]) -> Vocabulary:
    """The vocabulary of distinct ids: integers ascending, then text."""
    return Vocabulary(sorted(ids, key=lambda one: (isinstance(one, str), one)))


def vocabulary_of(ids: Sequence[ExternalId], numbers: NDArray[np.int64]) -> Vocabulary:
    """The vocabulary of those `ids` that stand at the positions `numbers`, repeats allowed."""
    return sorted_vocabulary(ids[number] for number in np.unique(numbers).tolist())


def indices_in(vocabulary: Vocabulary, ids: Sequence[ExternalId]) -> Tensor:
    """The index of each id, [len(ids)] int64, PAD where the vocabulary lacks it."""
    return torch.tensor([vocabulary.index_of(one) or PAD for one in ids], dtype=torch.int64)


def occurrences(indices: Tensor, vocabulary: Vocabulary) -> Tensor:
    """How often each entity stands among `indices`, [N] int64 on the CPU; others do not count."""
    count = NUM_SPECIAL + len(vocabulary)
    return torch.bincount(indices.cpu(), minlength=count)[NUM_SPECIAL:count]


def tables_of_items(
    items: EntityEmbedding, vocabulary: Vocabulary, popularity: Tensor, data: Data
) -> EntityTables:
    """The items' tables of an artifact, with the titles and categories that the data have."""
    ids, titles, categories = vocabulary.ids, data.titles, data.categories
    return entity_tables(
        items,
        vocabulary,
        popularity,
        None if titles is None else [titles.get(item, str(item)) for item in ids],
        None if categories is None else [categories.get(item, []) for item in ids],
    )


def over_all_users(values: dict[str, Tensor], users: Tensor, num_users: int) -> dict[str, Tensor]:
    """Values of some users, [n] of the numbers `users` [n], as [num_users] on the CPU: NaN for the
    others, so that one place is one user in every seed."""
    return {
        name: torch.full((num_users,), torch.nan, dtype=each.dtype).index_put_(
            (users.cpu(),), each.cpu()
        )
        for name, each in values.items()
    }
