"""Click-through rate: the chance that a user clicks an item, from the two ids alone.

Samples are split 8 : 1 : 1 at random or by time; vocabularies come from the training samples, and
an id that these do not hold is PAD: it is scored as the average of the known ones. All samples
live on the device as flat tensors. n samples of a split, U users of the data.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict
from torch import Tensor

from cove.batches import ClickBatch
from cove.entity_tables import EntityTables, entity_tables
from cove.recommenders import CLICKS
from cove.recommenders.clicks import ClickScorer
from cove.vocabulary import NUM_SPECIAL, PAD, Vocabulary
from training.datasets.clicks import ClickData
from training.datasets.splitting import ClickSplit, split_clicks
from training.datasets.stats import click_stats
from training.evaluation import thirds
from training.evaluation.click_metrics import metrics_by_user, overall_metrics
from training.evaluation.metrics import mean_metrics
from training.tasks.indexing import (
    indices_in,
    occurrences,
    over_all_users,
    tables_of_items,
    vocabulary_of,
)


class SplitSettings(BaseModel):
    """How samples are parted."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    split: ClickSplit = "random"
    """8 : 1 : 1 by the seed, or the last tenth in time for testing, the one before to validate."""


SELECTION_METRIC = "auc"
"""What validation is judged by."""
_EVALUATION_BATCH = 8192
_PRIOR = 10.0
"""Samples at the overall rate that an item's click rate starts from, in the baseline."""


@dataclass
class SampleSet:
    """The samples of a split."""

    users: Tensor  # [n] int64 indices, PAD where training does not know the user
    items: Tensor  # [n] int64 indices, likewise
    labels: Tensor  # [n] float32
    owners: Tensor  # [n] int64, the user's number in the data, known or not

    def __len__(self) -> int:
        return len(self.labels)

    def to(self, device: torch.device) -> "SampleSet":
        """Move the tensors to a device, in place."""
        for name in ("users", "items", "labels", "owners"):
            setattr(self, name, getattr(self, name).to(device))
        return self

    def batch(self, rows: Tensor) -> ClickBatch:
        """The samples `rows` [B]."""
        return ClickBatch(self.users[rows], self.items[rows], self.labels[rows])


@dataclass(frozen=True)
class ClickThrough:
    """A data set made ready: three sets of samples over the training samples' vocabularies."""

    data: ClickData
    users: Vocabulary
    items: Vocabulary
    train: SampleSet
    valid: SampleSet
    test: SampleSet

    name = CLICKS
    selection_metric = SELECTION_METRIC

    def vocabularies(self) -> Mapping[str, Vocabulary]:
        """The ids by entity."""
        return {"user": self.users, "item": self.items}

    def start(self, recommender: ClickScorer, seed: int, warn: Callable[[str], None]) -> None:
        """Tell a new recommender what is known before training."""
        recommender.start_from_click_rate(float(self.train.labels.mean()))

    def to(self, device: torch.device) -> "ClickThrough":
        """Move all samples to a device, in place."""
        for one in (self.train, self.valid, self.test):
            one.to(device)
        return self

    def owners_and_items(self) -> tuple[Tensor, Tensor]:
        """Which user clicked which item in training: numbers from 0, both [n] int64."""
        clicked = self.train.labels > 0
        return self.train.users[clicked] - NUM_SPECIAL, self.train.items[clicked] - NUM_SPECIAL

    def batches(self, size: int, generator: torch.Generator) -> Iterator[ClickBatch]:
        """One epoch of training batches, of equal size but for one sample."""
        order = torch.randperm(len(self.train), generator=generator).to(self.train.users.device)
        for rows in order.tensor_split(-(-len(order) // size)):
            yield self.train.batch(rows)

    def evaluate(self, recommender: ClickScorer, split: str) -> dict[str, float]:
        """Every metric of a split ("valid" or "test")."""
        samples: SampleSet = getattr(self, split)
        return measure(score_samples(recommender, samples), samples)[0]

    def test_metrics(self, recommender: ClickScorer) -> tuple[dict[str, float], dict[str, Tensor]]:
        """Test metrics, AUC within a user also by thirds of the items; and those of each user of
        the data, [U] in the data's order, NaN where a user has no such metric."""
        scores = score_samples(recommender, self.test)
        metrics, found = measure(scores, self.test)
        by_user = self._over_all_users(found, self.test.owners)
        third = thirds.thirds(self._popularity()).to(scores.device)
        known = self.test.items != PAD
        for number, name in enumerate(thirds.OF_ITEMS):
            rows = known.nonzero().squeeze(1)
            rows = rows[third[self.test.items[rows] - NUM_SPECIAL] == number]
            part = self.test.labels[rows], self.test.owners[rows]
            auc = {f"user_auc_of_{name}": metrics_by_user(scores[rows], *part)["user_auc"]}
            by_user |= self._over_all_users(auc, part[1])
            metrics |= mean_metrics({each: by_user[each] for each in auc})
        return metrics, by_user

    def _over_all_users(self, found: dict[str, Tensor], owners: Tensor) -> dict[str, Tensor]:
        """Values of the distinct users among `owners`, ascending."""
        return over_all_users(found, owners.unique(), len(self.data.user_ids))

    def _popularity(self) -> Tensor:
        """Clicks of each item in training, [N] int64."""
        clicked = self.train.labels.cpu() > 0
        return occurrences(self.train.items.cpu()[clicked], self.items)

    def baseline_metrics(self) -> dict[str, dict[str, float]]:
        """Test metrics of the simplest baseline: each item's click rate in training."""
        items, labels = self.train.items.cpu(), self.train.labels.double().cpu()
        size = NUM_SPECIAL + len(self.items)
        shown = torch.bincount(items, minlength=size).double()
        clicked = torch.bincount(items, weights=labels, minlength=size)
        rate = (clicked + _PRIOR * labels.mean()) / (shown + _PRIOR)
        samples = self.test
        scores = rate[samples.items.cpu()].logit().to(samples.labels.device)
        return {"test_item_click_rate": measure(scores, samples)[0]}

    def counts(self) -> dict[str, Any]:
        """What the data hold, and the samples of each split."""
        sizes = {
            f"{split}_samples": len(getattr(self, split)) for split in ("train", "valid", "test")
        }
        unknown = ((self.test.users == PAD) | (self.test.items == PAD)).sum()
        return dict(click_stats(self.data)) | sizes | {"test_samples_unknown": int(unknown)}

    def tables(self, recommender: ClickScorer) -> dict[str, EntityTables]:
        """The tables of an artifact; an entity's popularity is its clicks in training."""
        recommender.average_unknown()
        clicked = self.train.labels.cpu() > 0
        of_users = occurrences(self.train.users.cpu()[clicked], self.users)
        return {
            "item": tables_of_items(recommender.items, self.items, self._popularity(), self.data),
            "user": entity_tables(recommender.users, self.users, of_users),
        }


@torch.no_grad()
def score_samples(recommender: ClickScorer, samples: SampleSet) -> Tensor:
    """Logits [n] of samples, the unknown averaged."""
    recommender.average_unknown()
    parts = zip(
        samples.users.split(_EVALUATION_BATCH), samples.items.split(_EVALUATION_BATCH), strict=True
    )
    return torch.cat([recommender(users, items).float() for users, items in parts])


def measure(scores: Tensor, samples: SampleSet) -> tuple[dict[str, float], dict[str, Tensor]]:
    """Metrics of scores [n]: over all samples and as means over the users; and by user, [U]."""
    by_user = metrics_by_user(scores, samples.labels, samples.owners)
    overall = overall_metrics(scores, samples.labels)
    known = {name: value for name, value in overall.items() if not math.isnan(value)}
    return known | mean_metrics(by_user), by_user


def prepare_clicks(data: ClickData, seed: int, split: ClickSplit) -> ClickThrough:
    """Split by the seed or by time, and index by the training samples' users and items.

    Raises:
        DataError: too few samples, or no timestamps to split by.
    """
    splits = split_clicks(data, split, seed)
    users = vocabulary_of(data.user_ids, data.users[splits.train])
    items = vocabulary_of(data.item_ids, data.items[splits.train])
    user_index = indices_in(users, data.user_ids)
    item_index = indices_in(items, data.item_ids)

    def samples(rows: NDArray[np.int64]) -> SampleSet:
        owners = torch.from_numpy(data.users[rows])
        return SampleSet(
            users=user_index[owners],
            items=item_index[torch.from_numpy(data.items[rows])],
            labels=torch.from_numpy(data.labels[rows]).float(),
            owners=owners,
        )

    train, valid, test = (samples(rows) for rows in (splits.train, splits.valid, splits.test))
    return ClickThrough(data, users, items, train, valid, test)
