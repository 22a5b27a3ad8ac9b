"""Collaborative filtering: the items that a user will come to next, from all that users chose.

Of every user the last interaction is tested on, the last but one validates, the rest is trained
on. Vocabularies come from the training interactions: a held-out item or user that these do not
hold is PAD, and a miss. All interactions live on the device as flat tensors, those of one user
together. n training interactions, m held-out ones, U users of the data, N items of training.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from cove.batches import PairBatch
from cove.entity_tables import EntityTables, SeenItems, entity_tables
from cove.recommenders import PREFERENCES
from cove.recommenders.preferences import PreferenceModel
from cove.vocabulary import NUM_SPECIAL, PAD, Vocabulary
from training.datasets.interactions import InteractionData
from training.datasets.prepared import PreparedInteractions
from training.datasets.splitting import leave_one_out
from training.datasets.stats import interaction_stats
from training.evaluation import thirds
from training.evaluation.histories import Histories
from training.evaluation.metrics import mean_metrics
from training.evaluation.preference_baselines import MostPopular, PreferenceBaseline
from training.evaluation.preference_metrics import NUM_SAMPLED, HeldOut, measure_held_out
from training.tasks.indexing import (
    indices_in,
    over_all_users,
    tables_of_items,
    vocabulary_of,
)
from training.tasks.negatives import Negatives, PreferenceSettings, UnseenItems, draw_candidates
from training.tasks.pairs import Pairs, Shards

SELECTION_METRIC = "ndcg_at_10"
"""What validation is judged by: the standard NDCG among all items."""

_BATCHES_AT_ONCE = 128
"""Batches whose rows are gathered together: one by one took a sixteenth of BPRMF's time."""


@dataclass(frozen=True)
class CollaborativeFiltering:
    """A data set made ready: training interactions and, of each user, two held-out items."""

    data: InteractionData | PreparedInteractions
    users: Vocabulary
    items: Vocabulary
    train: Pairs | Shards
    valid: HeldOut
    test: HeldOut
    negatives: Negatives

    name = PREFERENCES
    selection_metric = SELECTION_METRIC

    def vocabularies(self) -> Mapping[str, Vocabulary]:
        """The ids by entity."""
        return {"user": self.users, "item": self.items}

    def start(self, recommender: PreferenceModel, seed: int, warn: Callable[[str], None]) -> None:
        """Tell a new recommender what is known before training."""
        if recommender.hears_interactions:
            recommender.know_interactions(self.train.users.cpu(), self.train.items.cpu())
        facts = self.data.facts
        if facts is not None:
            others = len(facts.other_ids)
            indices = torch.cat([
                indices_in(self.items, self.data.item_ids),
                torch.arange(others) + NUM_SPECIAL + len(self.items),
            ])  # fmt: skip
            heads, relations, tails = (
                torch.tensor(part) for part in (facts.heads, facts.relations, facts.tails)
            )
            heads, tails = indices[heads], indices[tails]
            known = (heads != PAD) & (tails != PAD)
            recommender.know_facts(heads[known], relations[known], tails[known], others)

    def to(self, device: torch.device) -> "CollaborativeFiltering":
        """Move all interactions to a device, in place."""
        for one in (self.train, self.valid, self.test, self.negatives):
            one.to(device)
        return self

    def popularity(self) -> Tensor:
        """Training interactions of each item, [N] int64."""
        return self.train.popularity(self.items)

    def owners_and_items(self) -> tuple[Tensor, Tensor]:
        """Which user chose which item in training: numbers from 0, both [n] int64."""
        return self.train.users - NUM_SPECIAL, self.train.items - NUM_SPECIAL

    def histories(self) -> Histories:
        """The training items of each user."""
        return self.train.histories(self.users)

    def batches(self, size: int, generator: torch.Generator) -> Iterator[PairBatch]:
        """One epoch of training batches, of equal size but for one interaction.

        Negatives are drawn anew for all that is shuffled together: for the first part by torch's
        own generator, which then draws other numbers in each process; so for later parts not.
        """
        for number, (users, items) in enumerate(self.train.parts(generator)):
            with _drawn_alike(generator, users.device) if number else nullcontext():
                negatives = self.negatives.draw_many(users)  # [n, K]
            order = torch.randperm(len(users), generator=generator).to(users.device)
            batches = order.tensor_split(-(-len(order) // size))
            for start in range(0, len(batches), _BATCHES_AT_ONCE):
                some = batches[start : start + _BATCHES_AT_ONCE]
                rows, sizes = torch.cat(some), [len(each) for each in some]
                parts = (whole[rows].split(sizes) for whole in (users, items, negatives))
                yield from map(PairBatch, *parts)

    def evaluate(self, recommender: PreferenceBaseline, split: str) -> dict[str, float]:
        """Every metric of a split ("valid" or "test"): means over its users, by both protocols."""
        return mean_metrics(self._measure(recommender, split))

    def test_metrics(
        self, recommender: PreferenceBaseline
    ) -> tuple[dict[str, float], dict[str, Tensor]]:
        """Test metrics, also by thirds of items and of users' histories; and those of each user of
        the data, [U] in the data's order, NaN where nothing of a user was held out."""
        found = self._measure(recommender, "test")
        targets = self.test.targets.cpu()
        lengths = self.train.history_sizes(self.users)[self.test.users.cpu()]
        ndcg, popularity = found[thirds.NDCG], self.popularity().cpu()
        found |= thirds.of_wanted_items(ndcg, targets, popularity)
        found |= thirds.of_lengths(ndcg, lengths, "histories")
        by_user = over_all_users(found, self.test.owners, self.data.num_measured)
        return mean_metrics(by_user), by_user

    def _measure(self, recommender: PreferenceBaseline, split: str) -> dict[str, Tensor]:
        found = measure_held_out(recommender.score_all, getattr(self, split), len(self.items))
        return {name: values.cpu() for name, values in found.items()}

    def baseline_metrics(self) -> dict[str, dict[str, float]]:
        """Test metrics of the simplest baseline: the most popular items, for everyone."""
        return {"test_most_popular": self.evaluate(MostPopular(self.popularity()), "test")}

    def counts(self) -> dict[str, Any]:
        """What the data hold, and the interactions of each split."""
        sizes = {
            "train_interactions": len(self.train),
            "valid_users": len(self.valid),
            "test_users": len(self.test),
            "test_users_unknown": len(self.test) - len(self.test.known()),
        }
        return dict(interaction_stats(self.data)) | sizes

    def tables(self, recommender: PreferenceModel) -> dict[str, EntityTables]:
        """The tables of an artifact; popularity is the number of training interactions."""
        histories = self.histories()
        seen = SeenItems(histories.starts[NUM_SPECIAL:], histories.items - NUM_SPECIAL)
        users = entity_tables(
            recommender.users, self.users, self.train.history_sizes(self.users)[NUM_SPECIAL:]
        )
        return {
            "item": tables_of_items(recommender.items, self.items, self.popularity(), self.data),
            "user": replace(users, seen=seen),
        }


def prepare_preferences(
    data: InteractionData, seed: int, settings: PreferenceSettings
) -> CollaborativeFiltering:
    """Hold out two interactions of each user, and index by what is left to train on.

    Raises:
        DataError: no user has three interactions, or one has every item in training.
    """
    splits = leave_one_out(data, seed)
    users = vocabulary_of(data.user_ids, data.users[splits.train])
    items = vocabulary_of(data.item_ids, data.items[splits.train])
    owners = torch.tensor(data.users)  # a copy: the data's arrays may be read-only
    all_users = indices_in(users, data.user_ids)[owners]  # [all interactions]
    all_items = indices_in(items, data.item_ids)[torch.tensor(data.items)]
    train, valid, test = (torch.tensor(rows) for rows in splits)
    validating = validation_rows(len(valid), seed, settings)

    def histories(*parts: Tensor) -> Histories:
        rows = torch.cat(parts)
        return known_histories(all_users[rows], all_items[rows], users)

    unseen = UnseenItems(histories(train, valid, test), len(items))

    def held_out(split: int, rows: Tensor, left_out: Histories) -> HeldOut:
        whose, targets = all_users[rows], all_items[rows]
        drawn = draw_candidates(unseen, whose, NUM_SAMPLED, (seed, split, NUM_SAMPLED))
        return HeldOut(whose, targets, owners[rows], drawn, left_out)

    seen = histories(train)
    train = train[all_users[train].argsort(stable=True)]
    pairs = Pairs(all_users[train], all_items[train])
    return CollaborativeFiltering(
        data,
        users,
        items,
        pairs,
        held_out(0, valid[validating], seen),
        held_out(1, test, histories(train, valid)),
        Negatives.of(settings, seen, pairs.popularity(items)),
    )


def validation_rows(count: int, seed: int, settings: PreferenceSettings) -> Tensor:
    """Which of `count` users validate, ascending."""
    if not 0 < settings.validation_users < count:
        return torch.arange(count)
    drawn = np.random.default_rng(seed).permutation(count)[: settings.validation_users]
    return torch.from_numpy(np.sort(drawn))


def known_histories(whose: Tensor, what: Tensor, users: Vocabulary) -> Histories:
    """The items of each user out of pairs [n] and [n], PAD where training does not know one."""
    known = (whose != PAD) & (what != PAD)
    return Histories(whose[known], what[known], len(users))


@contextmanager
def _drawn_alike(generator: torch.Generator, device: torch.device) -> Iterator[None]:
    """Let torch's own generator draw what `generator` says, the same in each process; after it, it
    goes on where it was."""
    seed = int(torch.randint(1 << 62, (), generator=generator))
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield
