"""Collaborative filtering on a prepared folder: the task of `prepare_preferences`, on disk.

The same interactions, held out alike, give the same task, tensor for tensor.
"""

import torch
from torch import Tensor

from training.datasets.prepared import PreparedInteractions
from training.evaluation.histories import Histories
from training.evaluation.preference_metrics import NUM_SAMPLED, HeldOut
from training.tasks.collaborative_filtering import (
    CollaborativeFiltering,
    known_histories,
    validation_rows,
)
from training.tasks.negatives import Negatives, PreferenceSettings, UnseenItems, draw_candidates
from training.tasks.pairs import Shards


def prepare_sharded(
    data: PreparedInteractions, seed: int, settings: PreferenceSettings
) -> CollaborativeFiltering:
    """Take up what was prepared; of the held-out users alone the interactions are read now.

    Raises:
        DataError: a user has every item in training.
    """
    train, tables = Shards(data), data.tables
    valid, test = (tables.valid_users, tables.valid_items), (tables.test_users, tables.test_items)
    own = train.of(tables.valid_users)

    def histories(*parts: tuple[Tensor, Tensor]) -> Histories:
        whose, what = (torch.cat(part) for part in zip(*parts, strict=True))
        return known_histories(whose, what, data.users)

    unseen = UnseenItems(histories(own, valid, test), len(data.items))
    measured = tables.test_users.sort().values

    def held_out(split: int, whose: Tensor, what: Tensor, left_out: Histories) -> HeldOut:
        owners = torch.searchsorted(measured, whose)
        drawn = draw_candidates(unseen, whose, NUM_SAMPLED, (seed, split, NUM_SAMPLED))
        return HeldOut(whose, what, owners, drawn, left_out)

    validating = validation_rows(len(valid[0]), seed, settings)
    negatives = (
        Negatives(settings.negatives, train.unseen(), len(data.items))
        if settings.negative_sampling == "uniform"
        else Negatives.of(settings, train.histories(data.users), tables.popularity)
    )
    return CollaborativeFiltering(
        data,
        data.users,
        data.items,
        train,
        held_out(0, *(part[validating] for part in valid), histories(own)),
        held_out(1, *test, histories(own, valid)),
        negatives,
    )
